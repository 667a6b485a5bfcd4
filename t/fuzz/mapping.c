/*
 * mapping.json, what a sysadmin writes: an input is the base URL, a line end, and the file. The
 * jq program beside it is fixed. A mapping that is taken must then build requests of every kind.
 */
#include "fuzz.h"

#include <unistd.h>

#include "hmis/hmis.h"

static char dir[64];
static char mapping[96];


static void
remove_dir(void)
{
    char program[96];

    snprintf(program, sizeof program, "%s/records.jq", dir);
    unlink(program);
    unlink(mapping);
    rmdir(dir);
}


static void
write_file(const char *name, abdm_str_t text)
{
    FILE *f = fopen(name, "w");

    NEED(f != NULL);
    NEED(text.len == 0 || fwrite(text.p, text.len, 1, f) == 1);
    NEED(fclose(f) == 0);
}


static void
make_dir(void)
{
    char program[96];

    snprintf(dir, sizeof dir, "/tmp/abdm-fuzz-XXXXXX");
    NEED(mkdtemp(dir) != NULL);
    snprintf(mapping, sizeof mapping, "%s/mapping.json", dir);
    snprintf(program, sizeof program, "%s/records.jq", dir);
    write_file(program, ABDM_LIT("."));
    NEED(atexit(remove_dir) == 0);
}


static void
check_request(abdm_err_t err, abdm_hmis_request_t *request)
{
    NEED(err.code == ABDM_OK || err.code == ABDM_E_FIELD);
    NEED(abdm_failed(err) == (request->url == NULL));
    if (!abdm_failed(err))
        NEED(strstr(request->url, "/../") == NULL || strchr(request->url, '?') != NULL);
    NEED((request->body == NULL) == (request->content_type == NULL));
    abdm_hmis_request_clear(request);
}


static void
use(abdm_hmis_t *hmis)
{
    static const abdm_hmis_query_t query = {"IN1", "..", "a/../b?c", "2026-01-01", "2026-12-31"};
    json_t *vars = json_pack("{s:s,s:s,s:s,s:s,s:{s:[n]}}", "hipId", "IN1", "patientRef", "..",
                             "mobile", "a/../b?c", "since", "", "profile", "x");
    abdm_hmis_request_t request;

    NEED(vars != NULL);
    check_request(abdm_hmis_records_request(hmis, &query, &request), &request);
    for (int op = 0; op < ABDM_HMIS_OPS; op++) {
        int n = abdm_hmis_questions(hmis, (abdm_hmis_op_t) op);

        NEED(n >= 0 && n <= 8);
        for (int i = 0; i < n; i++) {
            bool can = abdm_hmis_can_ask(hmis, (abdm_hmis_op_t) op, i, vars);
            abdm_err_t err = abdm_hmis_ask(hmis, (abdm_hmis_op_t) op, i, vars, &request);
            NEED(can || err.code == ABDM_E_FIELD);
            check_request(err, &request);
        }
    }
    json_decref(vars);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    abdm_str_t rest = fuzz_text(data, size);
    char problem[512], *url = fuzz_z(fuzz_line(&rest));
    abdm_hmis_t *hmis;

    if (dir[0] == '\0')
        make_dir();
    write_file(mapping, rest);
    abdm_err_t err = abdm_hmis_open("rest", url, dir, problem, &hmis);
    NEED(abdm_failed(err) == (hmis == NULL));
    NEED(abdm_failed(err) == (problem[0] != '\0'));
    if (hmis != NULL)
        use(hmis);
    abdm_hmis_close(hmis);
    free(url);
    return 0;
}
