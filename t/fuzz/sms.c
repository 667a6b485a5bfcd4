/*
 * SMS templates, what a sysadmin writes: an input is the template, a NUL if there is one, and an
 * answer of the provider. A template that is taken must then make calls and judge the answer.
 */
#include "fuzz.h"

#include <unistd.h>

#include "core/json.h"
#include "hmis/sms.h"

static char file[64];


static void
remove_file(void)
{
    unlink(file);
}


static void
write_file(abdm_str_t text)
{
    if (file[0] == '\0') {
        snprintf(file, sizeof file, "/tmp/abdm-fuzz-sms-%d", (int) getpid());
        NEED(atexit(remove_file) == 0);
    }
    FILE *f = fopen(file, "w");
    NEED(f != NULL);
    NEED(text.len == 0 || fwrite(text.p, text.len, 1, f) == 1);
    NEED(fclose(f) == 0);
}


static bool
has_line_end(const char *z)
{
    return strpbrk(z, "\r\n") != NULL;
}


static void
check_request(const abdm_hmis_request_t *r)
{
    json_t *body = NULL;

    NEED(strncmp(r->url, "http://h/base/", 14) == 0 && !has_line_end(r->url));
    NEED(strchr(r->url, ' ') == NULL);
    for (char **header = r->header; header != NULL && *header != NULL; header++)
        NEED(!has_line_end(*header));
    NEED((r->body == NULL) == (r->content_type == NULL));
    if (r->body != NULL && strcmp(r->content_type, "application/json") == 0)
        NEED(!abdm_failed(abdm_json_parse(r->body, r->body_len, ABDM_JSON_DEPTH, &body)));
    json_decref(body);
}


static void
use(const abdm_sms_t *sms, abdm_str_t answer)
{
    json_t *vars = json_pack("{s:s,s:s,s:s,s:s}", "mobile", "9000000001", "otp", "012345",
                             "minutes", "10", "facility", "A\r\n& \"B\" {otp}");
    abdm_hmis_request_t request;
    bool again;

    NEED(vars != NULL);
    abdm_err_t err = abdm_sms_request(sms, "otp", vars, &request);
    NEED(err.code == ABDM_OK || err.code == ABDM_E_FIELD || err.code == ABDM_E_CONFIG);
    NEED(abdm_failed(err) == (request.url == NULL));
    if (!abdm_failed(err))
        check_request(&request);
    abdm_hmis_request_clear(&request);
    json_decref(vars);
    err = abdm_sms_judge(sms, 200, answer.p, answer.len, &again);
    NEED((err.code == ABDM_OK || err.code == ABDM_E_SMS) && !again);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    abdm_str_t text = fuzz_text(data, size), answer = ABDM_LIT("");
    const char *end = size == 0 ? NULL : memchr(text.p, '\0', text.len);
    char problem[512];
    abdm_sms_t *sms;

    if (end != NULL) {
        answer = (abdm_str_t){end + 1, text.len - (size_t) (end - text.p) - 1};
        text.len = (size_t) (end - text.p);
    }
    write_file(text);
    abdm_err_t err = abdm_sms_open("http://h/base", file, problem, &sms);
    NEED(abdm_failed(err) == (sms == NULL));
    NEED(abdm_failed(err) == (problem[0] != '\0'));
    if (sms != NULL)
        use(sms, answer);
    abdm_sms_close(sms);
    return 0;
}
