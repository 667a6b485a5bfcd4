/* The SMS provider: templates that are refused, calls in every form, answers that are judged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/json.h"
#include "hmis/sms.h"

#define OTP_MESSAGE                                                                                \
    "\"messages\":{\"otp\":{\"text\":\"{otp} is your code for {facility}. Valid {minutes} min.\"," \
    "\"vars\":{\"template_id\":\"1107\",\"odd\":\"a {b} & \\\"c\\\"\"}}}"

static char dir[] = "/tmp/abdm-sms-test-XXXXXX";
static char key[128], template_file[128], problem[512];


static void
write_file(const char *path, const char *text, mode_t mode)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_int_equal(fputs(text, f) >= 0, 1);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod(path, mode), 0);
}


static int
make_dir(void **state)
{
    (void) state;
    if (mkdtemp(dir) == NULL)
        return -1;
    snprintf(key, sizeof key, "%s/sms.key", dir);
    snprintf(template_file, sizeof template_file, "%s/sms.json", dir);
    write_file(key, "k&y \"7\"\n", 0600);
    return 0;
}


static int
remove_dir(void **state)
{
    (void) state;
    unlink(key);
    unlink(template_file);
    return rmdir(dir);
}


/* KEY in the template becomes the key file's path. */
static abdm_err_t
open_with(const char *template, abdm_sms_t **out)
{
    char text[4096];
    const char *at = strstr(template, "KEY");

    if (at == NULL)
        snprintf(text, sizeof text, "%s", template);
    else
        snprintf(text, sizeof text, "%.*s%s%s", (int) (at - template), template, key, at + 3);
    write_file(template_file, text, 0644);
    return abdm_sms_open("https://sms.example/v5/", template_file, problem, out);
}


static void
expect_refused(const char *members, const char *said)
{
    char template[4096];
    abdm_sms_t *sms;

    snprintf(template, sizeof template, "{\"path\":\"/send\",%s%s" OTP_MESSAGE "}", members,
             *members == '\0' ? "" : ",");
    assert_int_equal(open_with(template, &sms).code, ABDM_E_CONFIG);
    assert_null(sms);
    if (strstr(problem, said) == NULL || strstr(problem, "sms.json") == NULL)
        fail_msg("%s: \"%s\" does not say \"%s\"", members, problem, said);
}


static json_t *
vars_of(const char *facility)
{
    json_t *vars = json_pack("{s:s,s:s,s:s,s:s}", "mobile", "9000000001", "otp", "012345",
                             "minutes", "10", "facility", facility);

    assert_non_null(vars);
    return vars;
}


static abdm_err_t
request_with(const char *template, const char *facility, abdm_hmis_request_t *out)
{
    json_t *vars = vars_of(facility);
    abdm_sms_t *sms;

    if (abdm_failed(open_with(template, &sms)))
        fail_msg("%s", problem);
    abdm_err_t err = abdm_sms_request(sms, "otp", vars, out);
    abdm_sms_close(sms);
    json_decref(vars);
    return err;
}


static void
each_value_is_encoded_for_its_place(void **state)
{
    abdm_hmis_request_t r;

    (void) state;
    assert_int_equal(
        request_with("{\"method\":\"GET\",\"path\":\"/api/{template_id}/91{mobile}/{odd}\","
                     "\"query\":{\"to\":\"91{mobile}\",\"te xt\":\"{text}\",\"o\":"
                     "\"{odd}{{\",\"key\":{\"file\":\"KEY\"}}," OTP_MESSAGE "}",
                     "A & B", &r)
            .code,
        ABDM_OK);
    assert_string_equal(
        r.url, "https://sms.example/v5/api/1107/919000000001/a%20%7Bb%7D%20%26%20%22c%22"
               "?to=919000000001&te%20xt=012345%20is%20your%20code%20for%20A%20%26%20B.%20Valid%20"
               "10%20min.&o=a%20%7Bb%7D%20%26%20%22c%22%7B&key=k%26y%20%227%22");
    assert_null(r.body);
    assert_null(r.header);
    abdm_hmis_request_clear(&r);

    assert_int_equal(request_with("{\"path\":\"/send\",\"headers\":{\"authorization\":{\"file\":"
                                  "\"KEY\",\"prefix\":\"Bearer \"},\"x-entity\":\"{template_id}\"},"
                                  "\"json\":{\"to\":[\"91{mobile}\",7,null],\"t\":{\"text\":"
                                  "\"{text}\"},\"o\":\"{odd}\"}," OTP_MESSAGE "}",
                                  "A \"B\" \xe0\xa4\x85", &r)
                         .code,
                     ABDM_OK);
    assert_string_equal(r.url, "https://sms.example/v5/send");
    assert_string_equal(r.header[0], "authorization: Bearer k&y \"7\"");
    assert_string_equal(r.header[1], "x-entity: 1107");
    assert_null(r.header[2]);
    assert_string_equal(r.content_type, "application/json");
    assert_string_equal(
        r.body, "{\"to\":[\"919000000001\",7,null],\"t\":{\"text\":\"012345 is your code "
                "for A \\\"B\\\" \xe0\xa4\x85. Valid 10 min.\"},\"o\":\"a {b} & \\\"c\\\"\"}");
    assert_int_equal(r.body_len, strlen(r.body));
    abdm_hmis_request_clear(&r);

    assert_int_equal(request_with("{\"method\":\"POST\",\"path\":\"/send\",\"form\":{\"to\":"
                                  "\"{mobile}\",\"m&\":\"{text}\"}," OTP_MESSAGE "}",
                                  "A=B&c", &r)
                         .code,
                     ABDM_OK);
    assert_string_equal(r.body, "to=9000000001&m%26=012345%20is%20your%20code%20for%20A%3DB%26c.%20"
                                "Valid%2010%20min.");
    assert_string_equal(r.content_type, "application/x-www-form-urlencoded");
    abdm_hmis_request_clear(&r);

    assert_int_equal(request_with("{\"path\":\"/send\"," OTP_MESSAGE "}", "A", &r).code, ABDM_OK);
    assert_string_equal(r.body, "");
    assert_int_equal(r.body_len, 0);
    abdm_hmis_request_clear(&r);
}


static void
a_secret_may_stand_in_the_path(void **state)
{
    abdm_hmis_request_t r;

    (void) state;
    assert_int_equal(request_with("{\"method\":\"GET\",\"path\":\"/API/{key}/{mobile}/{otp}\","
                                  "\"messages\":{\"otp\":{\"vars\":{\"key\":{\"file\":\"KEY\"}}}}}",
                                  "A", &r)
                         .code,
                     ABDM_OK);
    assert_string_equal(r.url, "https://sms.example/v5/API/k%26y%20%227%22/9000000001/012345");
    abdm_hmis_request_clear(&r);
}


static void
a_header_never_holds_a_line_end(void **state)
{
    abdm_hmis_request_t r;

    (void) state;
    abdm_err_t err =
        request_with("{\"path\":\"/send\",\"headers\":{\"x-from\":\"{facility}\"}," OTP_MESSAGE "}",
                     "A\r\nx: y", &r);
    assert_int_equal(err.code, ABDM_E_FIELD);
    assert_null(r.url);
    assert_null(r.header);
}


static void
a_value_cannot_climb_out_of_the_path(void **state)
{
    abdm_hmis_request_t r;

    (void) state;
    assert_int_equal(request_with("{\"path\":\"/{facility}/x\"," OTP_MESSAGE "}", "..", &r).code,
                     ABDM_E_FIELD);
    assert_null(r.url);
}


static void
a_missing_variable_is_named(void **state)
{
    static const char *const names[] = {"mobile", "otp", "minutes", "facility"};
    abdm_hmis_request_t r;
    abdm_sms_t *sms;

    (void) state;
    assert_int_equal(
        open_with("{\"path\":\"/send\",\"form\":{\"to\":\"{mobile}\",\"t\":\"{text}\"}," OTP_MESSAGE
                  "}",
                  &sms)
            .code,
        ABDM_OK);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        json_t *vars = vars_of("A");
        json_object_del(vars, names[i]);
        abdm_err_t err = abdm_sms_request(sms, "otp", vars, &r);
        assert_int_equal(err.code, ABDM_E_FIELD);
        assert_non_null(strstr(err.what, names[i]));
        assert_null(r.url);
        json_decref(vars);
    }

    static const char *const mobiles[] = {"919000000001", "900000000", "90000 0000", "+900000000"};
    for (size_t i = 0; i < sizeof mobiles / sizeof *mobiles; i++) {
        json_t *vars = vars_of("A");
        json_object_set_new(vars, "mobile", json_string(mobiles[i]));
        assert_int_equal(abdm_sms_request(sms, "otp", vars, &r).code, ABDM_E_FIELD);
        json_decref(vars);
    }
    json_t *vars = vars_of("A");
    assert_int_equal(abdm_sms_request(sms, "welcome", vars, &r).code, ABDM_E_CONFIG);
    json_decref(vars);
    abdm_sms_close(sms);
}


static void
a_template_with_a_fault_is_refused_with_its_place(void **state)
{
    static const char *const rows[][2] = {
        {"\"methd\":\"GET\"", "\"methd\" is not known"},
        {"\"method\":\"PUT\"", "method: "},
        {"\"method\":7", "method: "},
        {"\"method\":\"GET\",\"json\":{}", "method: with json"},
        {"\"json\":{},\"form\":{}", "form: it and json"},
        {"\"query\":[]", "query: an object"},
        {"\"query\":{\"to\":7}", "query.to: a text"},
        {"\"query\":{\"to\":\"{mobil}\"}", "query.to: {mobil} is no variable of messages.otp"},
        {"\"query\":{\"to\":\"{mobile\"}", "query.to: {mobile is no variable"},
        {"\"form\":{\"t\":\"{text} {}\"}", "form.t: {} is no variable"},
        {"\"json\":{\"a\":[{\"b\":\"{x}\"}]}", "json.a.0.b: {x} is no variable"},
        {"\"json\":[[[[[[[[[[1]]]]]]]]]]", "too deep"},
        {"\"headers\":{\"a b\":\"x\"}", "headers: one has no proper name"},
        {"\"headers\":{\"Content-type\":\"x\"}", "headers: one has no proper name"},
        {"\"headers\":{\"a\":\"x\\ny\"}", "headers: one holds a control"},
        {"\"headers\":{\"a\":{\"file\":\"KEY\",\"prefix\":\"x\\n\"}}",
         "headers: one holds a control"},
        {"\"headers\":{\"a\":{\"file\":\"KEY\",\"secret\":\"x\"}}", "headers.a: \"secret\""},
        {"\"headers\":{\"a\":{\"file\":\"\"}}", "headers.a: the text \"file\""},
        {"\"headers\":{\"a\":{\"file\":\"sms.key\"}}", "headers.a: \"file\" must be an absolute"},
        {"\"success\":{\"statuss\":[200]}", "success: \"statuss\""},
        {"\"success\":{\"status\":200}", "success.status"},
        {"\"success\":{\"status\":[]}", "success.status"},
        {"\"success\":{\"status\":[20]}", "success.status"},
        {"\"success\":{\"member\":\"type\"}", "success: \"member\" goes"},
        {"\"success\":{\"equals\":\"x\"}", "success: \"member\" goes"},
        {"\"success\":{\"member\":\"a\",\"equals\":[]}", "success.equals"},
        {"\"success\":{\"member\":7,\"equals\":1}", "success.member"},
        {"\"success\":{\"begins\":\"\"}", "success.begins"},
        {"\"success\":[]", "success: an object"},
    };

    (void) state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        expect_refused(rows[i][0], rows[i][1]);
}


static void
messages_and_paths_with_a_fault_are_refused(void **state)
{
    static const char *const rows[][2] = {
        {"[]", "the file: an object"},
        {"{\"path\":\"/send\"}", "messages: an object"},
        {"{\"path\":\"/send\",\"messages\":{}}", "messages: an object"},
        {"{\"path\":\"/send\",\"messages\":{\"otp\":7}}", "messages.otp: an object"},
        {"{\"path\":\"/send\",\"messages\":{\"otp\":{\"txt\":\"x\"}}}", "messages.otp: \"txt\""},
        {"{\"path\":\"/send\",\"messages\":{\"otp\":{\"text\":7}}}", "the text \"text\""},
        {"{\"path\":\"/send\",\"messages\":{\"otp\":{\"text\":\"{text}\"}}}",
         "{text} is no variable"},
        {"{\"path\":\"/send\",\"messages\":{\"otp\":{\"vars\":[]}}}", "messages.otp.vars"},
        {"{\"path\":\"/send\",\"messages\":{\"otp\":{\"vars\":{\"otp\":\"x\"}}}}",
         "other than mobile"},
        {"{\"path\":\"/send\",\"messages\":{\"otp\":{\"vars\":{\"a b\":\"x\"}}}}",
         "other than mobile"},
        {"{\"path\":\"/send\",\"messages\":{\"otp\":{\"vars\":{\"a\":7}}}}", "messages.otp.vars.a"},
        {"{\"path\":\"/send\",\"form\":{\"t\":\"{text}\"},\"messages\":{\"otp\":{}}}",
         "form.t: {text}"},
        {"{\"path\":\"/"
         "send\",\"form\":{\"t\":\"{a}\"},\"messages\":{\"otp\":{\"vars\":{\"a\":\"1\"}},"
         "\"two\":{}}}",
         "form.t: {a} is no variable of messages.two"},
        {"{\"messages\":{\"otp\":{}}}", "\"path\" is missing"},
        {"{\"path\":\"send\",\"messages\":{\"otp\":{}}}", "path: must begin with /"},
        {"{\"path\":\"/a/../b\",\"messages\":{\"otp\":{}}}", "path: must begin with /"},
        {"{\"path\":\"/a?b=c\",\"messages\":{\"otp\":{}}}", "path: it may hold no space"},
        {"{\"path\":\"/a b\",\"messages\":{\"otp\":{}}}", "path: it may hold no space"},
        {"{\"path\":\"/{x}\",\"messages\":{\"otp\":{}}}", "path: {x} is no variable"},
        {"{\"path\":\"/send\",\"path\":\"/x\"}", "duplicate"},
        {"{", "line 1"},
    };
    abdm_sms_t *sms;

    (void) state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(open_with(rows[i][0], &sms).code, ABDM_E_CONFIG);
        assert_null(sms);
        if (strstr(problem, rows[i][1]) == NULL)
            fail_msg("%s: \"%s\" does not say \"%s\"", rows[i][0], problem, rows[i][1]);
    }
    assert_int_equal(abdm_sms_open("ftp://x", template_file, problem, &sms).code, ABDM_E_CONFIG);
    assert_non_null(strstr(problem, "URL"));
    unlink(template_file);
    assert_int_equal(abdm_sms_open("http://x", template_file, problem, &sms).code, ABDM_E_CONFIG);
    assert_non_null(strstr(problem, "sms.json: cannot be opened"));
}


static void
a_key_that_others_can_read_is_refused(void **state)
{
    static const char template[] =
        "{\"path\":\"/send\",\"headers\":{\"authkey\":{\"file\":\"KEY\"}}," OTP_MESSAGE "}";
    static const struct {
        const char *text;
        mode_t mode;
        const char *said;
    } rows[] = {
        {"k\n", 0640, "chmod 600"},
        {"k\n", 0604, "chmod 600"},
        {"", 0600, "its first line is empty"},
        {"\nk\n", 0600, "its first line is empty"},
        {"a\tb\n", 0600, "a text in UTF-8"},
        {"\xff\n", 0600, "a text in UTF-8"},
    };
    char long_key[5000];
    abdm_sms_t *sms;

    (void) state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        write_file(key, rows[i].text, rows[i].mode);
        assert_int_equal(open_with(template, &sms).code, ABDM_E_CONFIG);
        if (strstr(problem, "headers.authkey") == NULL || strstr(problem, rows[i].said) == NULL)
            fail_msg("\"%s\" does not say \"%s\"", problem, rows[i].said);
    }
    memset(long_key, 'k', sizeof long_key - 1);
    long_key[sizeof long_key - 1] = '\0';
    write_file(key, long_key, 0600);
    assert_int_equal(open_with(template, &sms).code, ABDM_E_CONFIG);
    assert_non_null(strstr(problem, "too long"));
    unlink(key);
    assert_int_equal(open_with(template, &sms).code, ABDM_E_CONFIG);
    assert_non_null(strstr(problem, "No such file"));
    write_file(key, "k&y \"7\"\n", 0600);
    assert_int_equal(open_with(template, &sms).code, ABDM_OK);
    abdm_sms_close(sms);
}


static void
answers_are_judged_by_status_and_by_what_they_hold(void **state)
{
    static const struct {
        const char *success;
        int status;
        const char *body;
        abdm_code_t code;
        bool again;
    } rows[] = {
        {"{}", 200, "", ABDM_OK, false},
        {"{}", 202, "whatever", ABDM_OK, false},
        {"{}", 401, "", ABDM_E_SMS, false},
        {"{}", 302, "", ABDM_E_SMS, false},
        {"{}", 408, "", ABDM_E_SMS, true},
        {"{}", 429, "", ABDM_E_SMS, true},
        {"{}", 503, "", ABDM_E_SMS, true},
        {"{\"status\":[200]}", 202, "", ABDM_E_SMS, false},
        {"{\"status\":[200,202]}", 202, "", ABDM_OK, false},
        {"{\"member\":\"type\",\"equals\":\"success\"}", 200, "{\"type\":\"success\"}", ABDM_OK,
         false},
        {"{\"member\":\"type\",\"equals\":\"success\"}", 200, "{\"type\":\"error\"}", ABDM_E_SMS,
         false},
        {"{\"member\":\"type\",\"equals\":\"success\"}", 200, "{}", ABDM_E_SMS, false},
        {"{\"member\":\"type\",\"equals\":\"success\"}", 200, "<html>", ABDM_E_SMS, false},
        {"{\"member\":\"type\",\"equals\":\"success\"}", 200, "", ABDM_E_SMS, false},
        {"{\"member\":\"type\",\"equals\":\"success\"}", 500, "{\"type\":\"success\"}", ABDM_E_SMS,
         true},
        {"{\"member\":\"data.0.code\",\"equals\":0}", 200, "{\"data\":[{\"code\":0}]}", ABDM_OK,
         false},
        {"{\"member\":\"data.0.code\",\"equals\":0}", 200, "{\"data\":[{\"code\":\"0\"}]}",
         ABDM_E_SMS, false},
        {"{\"member\":\"ok\",\"equals\":true}", 200, "{\"ok\":true}", ABDM_OK, false},
        {"{\"begins\":\"success |\"}", 200, "\n success | 919000000001 | 7", ABDM_OK, false},
        {"{\"begins\":\"success |\"}", 200, "error | 105", ABDM_E_SMS, false},
        {"{\"begins\":\"success |\"}", 200, "succ", ABDM_E_SMS, false},
    };

    (void) state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t len = strlen(rows[i].body);
        char template[1024];
        abdm_sms_t *sms;
        bool again = !rows[i].again;

        snprintf(template, sizeof template, "{\"path\":\"/send\",\"success\":%s," OTP_MESSAGE "}",
                 rows[i].success);
        if (abdm_failed(open_with(template, &sms)))
            fail_msg("%s", problem);
        abdm_err_t err =
            abdm_sms_judge(sms, rows[i].status, len == 0 ? NULL : rows[i].body, len, &again);
        if (err.code != rows[i].code || again != rows[i].again)
            fail_msg("row %zu: %s, again %d", i, err.what, again);
        abdm_sms_close(sms);
    }
    abdm_sms_close(NULL);
}


/* Its key is at a place that a test cannot write to; the rest must be as the manual says. */
static void
the_sample_is_a_good_template(void **state)
{
    abdm_hmis_request_t r;
    char text[4096];
    abdm_sms_t *sms;

    (void) state;
    FILE *f = fopen("conf/sms.json.sample", "r");
    if (f == NULL)
        return; /* skip() would count as a failure in TAP */
    size_t n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    text[n] = '\0';

    static const char place[] = "/etc/ngx_abdm/sms.key";
    char *at = strstr(text, place);
    assert_non_null(at);
    memmove(at + 3, at + sizeof place - 1, strlen(at + sizeof place - 1) + 1);
    memcpy(at, "KEY", 3);
    if (abdm_failed(open_with(text, &sms)))
        fail_msg("%s", problem);
    json_t *vars = vars_of("Demo Hospital");
    assert_int_equal(abdm_sms_request(sms, "otp", vars, &r).code, ABDM_OK);
    assert_non_null(strstr(r.body, "012345"));
    assert_non_null(strstr(r.body, "9000000001"));
    abdm_hmis_request_clear(&r);
    json_decref(vars);
    abdm_sms_close(sms);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_value_is_encoded_for_its_place),
        cmocka_unit_test(a_secret_may_stand_in_the_path),
        cmocka_unit_test(a_header_never_holds_a_line_end),
        cmocka_unit_test(a_value_cannot_climb_out_of_the_path),
        cmocka_unit_test(a_missing_variable_is_named),
        cmocka_unit_test(a_template_with_a_fault_is_refused_with_its_place),
        cmocka_unit_test(messages_and_paths_with_a_fault_are_refused),
        cmocka_unit_test(a_key_that_others_can_read_is_refused),
        cmocka_unit_test(answers_are_judged_by_status_and_by_what_they_hold),
        cmocka_unit_test(the_sample_is_a_good_template),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
