/*
 * The gateway's synchronous answers: each of the fourteen shapes of error, the normaliser of
 * codes, the verdict by code and by status, and the session answer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/answer.h"

#define DONE    ABDM_CALL_DONE
#define AGAIN   ABDM_CALL_AGAIN
#define TOKEN   ABDM_CALL_TOKEN
#define REFUSED ABDM_CALL_REFUSED


static void
assert_answer(int status, const char *body, abdm_call_verdict_t verdict, const char *code,
              const char *text)
{
    abdm_call_answer_t a;

    memset(&a, 'x', sizeof a);
    abdm_answer_judge(status, body, strlen(body), &a);
    if (a.verdict != verdict)
        fail_msg("%d %s: verdict %d", status, body, (int) a.verdict);
    assert_string_equal(a.code, code);
    assert_true(a.text[0] != '\0' || text[0] == '\0'); /* without memory there is none */
    assert_string_equal(a.text, text);
}


static void
each_of_the_fourteen_shapes_is_read(void **state)
{
    (void) state;
    assert_answer(400, "{\"error\":{\"code\":\"ABDM-1016: \",\"message\":\"Invalid Timestamp\"}}",
                  REFUSED, "1016", "Invalid Timestamp");
    assert_answer(200, "[{\"error\":{\"code\":\"2500\",\"message\":\"already associated\"}}]",
                  REFUSED, "2500", "already associated");
    assert_answer(400, "[{\"code\":\"ABDM-9999: \",\"message\":\"Invalid Consent request id\"}]",
                  REFUSED, "9999", "Invalid Consent request id");
    assert_answer(400, "{\"code\":\"ABDM-1030: \",\"message\":\"Invalid request id\"}", REFUSED,
                  "1030", "Invalid request id");
    assert_answer(401, "{\"code\":\"900901\",\"message\":\"Invalid Credentials\","
                       "\"description\":\"longer\"}",
                  TOKEN, "900901", "Invalid Credentials");
    assert_answer(404, "{\"code\":\"404\",\"type\":\"Status report\",\"message\":\"Not Found\","
                       "\"description\":\"d\"}",
                  REFUSED, "404", "Not Found");
    assert_answer(400, "{\"message\":\"bad thing\",\"timestamp\":\"2026-03-05T09:20:11\"}", REFUSED,
                  "", "bad thing");
    assert_answer(400, "{\"timestamp\":\"2026\",\"yearOfBirth\":\"must be a number\"}", REFUSED, "",
                  "yearOfBirth: must be a number");
    assert_answer(500, "{\"timestamp\":\"2026\",\"path\":\"/api\",\"status\":500,"
                       "\"error\":\"Internal Server Error\",\"requestId\":\"a-1\"}",
                  AGAIN, "", "Internal Server Error");
    assert_answer(400, "", REFUSED, "", "");
    assert_answer(401, "", TOKEN, "", "");
    assert_answer(403, "Access Denied", REFUSED, "", "Access Denied");
    assert_answer(200, "{\"code\":\"HIS-400\",\"message\":\"Bad Request\",\"details\":[{\"code\":"
                       "\"HIS-1070\",\"message\":\"no such facility\",\"attribute\":{\"key\":"
                       "\"facilityId\",\"value\":\"x\"}}]}",
                  REFUSED, "HIS-1070", "no such facility");
    assert_answer(400, "{\"error\":{\"code\":2500,\"message\":\"Unknown error occurred\"}}",
                  REFUSED, "2500", "Unknown error occurred");
}


static void
a_plain_success_is_done(void **state)
{
    static const char *const bodies[] = {
        "", "{}", "[]", "null", "ok", "{\"status\":\"Notification is Accepted\"}",
        "{\"message\":\"updated\",\"timestamp\":\"x\"}", "{\"error\":null}", "{\"error\":{}}",
        "{\"error\":\"\"}", "[{\"servicesLinked\":{\"id\":\"IN1_1\"}}]",
    };
    (void) state;
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        assert_answer(200, bodies[i], DONE, "", "");
        assert_answer(202, bodies[i], DONE, "", "");
        assert_answer(204, bodies[i], DONE, "", "");
    }
}


static void
an_error_inside_a_success_is_refused(void **state)
{
    (void) state;
    assert_answer(202, "{\"error\":{\"code\":\"ABDM-1052\",\"message\":\"m\"}}", REFUSED, "1052",
                  "m");
    assert_answer(200, "{\"error\":{\"message\":\"m\"}}", REFUSED, "", "m");
    assert_answer(200, "{\"error\":\"Not Found\"}", REFUSED, "", "Not Found");
    assert_answer(200, "{\"code\":\"900901\"}", TOKEN, "900901", "");
}


static void
a_code_decides_before_the_status(void **state)
{
    static const struct {
        const char *code;
        abdm_call_verdict_t verdict;
    } rows[] = {
        {"900901", TOKEN},      {"900902", TOKEN},      {"303001", AGAIN},
        {"ABDM-1022", AGAIN},   {"ABDM-2429", AGAIN},   {"ABDM-1027", REFUSED},
        {"ABDM-1092", REFUSED}, {"ABDM-1026", REFUSED}, {"ABDM-1035", REFUSED},
        {"ABDM-1038", REFUSED}, {"ABDM-1052", REFUSED}, {"ABDM-1056", REFUSED},
        {"ABDM-1062", REFUSED}, {"ABDM-1063", REFUSED}, {"ABDM-1066", REFUSED},
        {"ABDM-1090", REFUSED},
    };
    static const int statuses[] = {200, 202, 400, 401, 403, 404, 408, 429, 500, 503};
    char body[64];

    (void) state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        snprintf(body, sizeof body, "{\"error\":{\"code\":\"%s\"}}", rows[i].code);
        for (size_t k = 0; k < sizeof statuses / sizeof statuses[0]; k++) {
            const char *bare = strchr(rows[i].code, '-');
            assert_answer(statuses[k], body, rows[i].verdict,
                          bare == NULL ? rows[i].code : bare + 1, "");
        }
    }
}


static void
already_answered_is_done_unless_the_server_failed(void **state)
{
    static const char *const codes[] = {"1103", "1104", "1105", "1106", "1107", "1108", "1113"};
    char body[64];

    (void) state;
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        snprintf(body, sizeof body, "{\"error\":{\"code\":\"ABDM-%s\",\"message\":\"dup\"}}",
                 codes[i]);
        assert_answer(400, body, DONE, codes[i], "dup");
        assert_answer(409, body, DONE, codes[i], "dup");
        assert_answer(200, body, DONE, codes[i], "dup");
        assert_answer(500, body, AGAIN, codes[i], "dup");
    }
}


static void
assert_duplicate_link(int status, const char *error, bool duplicate)
{
    abdm_call_answer_t a;
    char body[128];

    snprintf(body, sizeof body, "{\"error\":%s}", error);
    abdm_answer_judge(status, body, strlen(body), &a);
    if (abdm_answer_is_duplicate_link(&a) != duplicate)
        fail_msg("%d %s: duplicate %d", status, error, !duplicate);
    if (duplicate)
        assert_int_equal(a.verdict, REFUSED);
}


static void
a_link_request_that_the_gateway_has_is_told_from_other_faults(void **state)
{
    static const int statuses[] = {200, 400, 409, 500, 503};

    (void) state;
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        assert_duplicate_link(statuses[i], "{\"code\":\"ABDM-9999\",\"message\":"
                                           "\"Duplicate HIP link request\"}", true);
        assert_duplicate_link(statuses[i], "{\"code\":\"ABDM-9999: \",\"message\":"
                                           "\"duplicate hip LINK request found.\"}", true);
        assert_duplicate_link(statuses[i], "{\"code\":\"ABDM-1090\",\"message\":\"x\"}", true);
        assert_duplicate_link(statuses[i], "{\"code\":1090}", true);
        assert_duplicate_link(statuses[i], "{\"code\":\"ABDM-9999\",\"message\":"
                                           "\"User not found\"}", false);
        assert_duplicate_link(statuses[i], "{\"code\":\"ABDM-1006\",\"message\":"
                                           "\"Duplicate HIP link request\"}", false);
        assert_duplicate_link(statuses[i], "{\"code\":\"ABDM-1091\"}", false);
        assert_duplicate_link(statuses[i], "\"Duplicate HIP link request\"", false);
    }
    assert_answer(400, "{\"error\":{\"code\":\"ABDM-9999\",\"message\":\"User not found\"}}",
                  REFUSED, "9999", "User not found");
    assert_answer(503, "{\"error\":{\"code\":\"ABDM-9999\",\"message\":\"internal error\"}}",
                  AGAIN, "9999", "internal error");
}


static void
other_codes_leave_the_verdict_to_the_status(void **state)
{
    static const struct {
        int status;
        abdm_call_verdict_t verdict;
    } rows[] = {
        {0, REFUSED},   {100, REFUSED}, {301, REFUSED}, {302, REFUSED}, {400, REFUSED},
        {401, TOKEN},   {403, REFUSED}, {404, REFUSED}, {405, REFUSED}, {408, AGAIN},
        {409, REFUSED}, {413, REFUSED}, {422, REFUSED}, {429, AGAIN},   {499, REFUSED},
        {500, AGAIN},   {502, AGAIN},   {503, AGAIN},   {504, AGAIN},   {599, AGAIN},
    };
    (void) state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_answer(rows[i].status, "", rows[i].verdict, "", "");
        assert_answer(rows[i].status, "{\"code\":\"ABDM-1006\"}", rows[i].verdict, "1006", "");
    }
    assert_answer(403, "{\"code\":\"900908\"}", REFUSED, "900908", "");
    assert_answer(500, "{\"code\":\"900900\"}", AGAIN, "900900", "");
}


static void
codes_are_normalised(void **state)
{
    static const char *const rows[][2] = {
        {"\"ABDM-1016: \"", "1016"}, {"\"ABDM-1016\"", "1016"},   {"\" ABDM-1016:\"", "1016"},
        {"\"abdm-1016 : \"", "1016"}, {"\"1016\"", "1016"},       {"1016", "1016"},
        {"\"HIP-1000\"", "HIP-1000"}, {"\"\"", ""},               {"\":\"", ""},
        {"\"ABDM-\"", ""},            {"{}", ""},                 {"1.5", ""},
        {"true", ""},                 {"-5", "-5"},
        {"\"12345678901234567890123456789\"", "12345678901234567890123"},
        {"\"\\u0001\\n10\"", "10"},
    };
    char body[96];

    (void) state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        snprintf(body, sizeof body, "{\"error\":{\"code\":%s}}", rows[i][0]);
        assert_answer(400, body, REFUSED, rows[i][1], "");
    }
}


static void
text_is_cut_and_printable(void **state)
{
    char body[400], want[128];

    (void) state;
    memset(body, 'a', sizeof body);
    body[sizeof body - 1] = '\0';
    memset(want, 'a', 127);
    want[127] = '\0';
    assert_answer(500, body, AGAIN, "", want);
    assert_answer(403, "  For\tbid\x01\xc3\xa9 den\r\n", REFUSED, "", "For bid    den");
    assert_answer(400, "{\"message\":\"a\\nb\\u00e9\"}", REFUSED, "", "a b");
    assert_answer(400, "{\"code\":\"1\",\"description\":\"only this\"}", REFUSED, "1", "only this");
}


static void
a_body_that_is_not_there_or_not_text_is_survived(void **state)
{
    abdm_call_answer_t a;

    (void) state;
    abdm_answer_judge(503, NULL, 0, &a);
    assert_int_equal(a.verdict, AGAIN);
    abdm_answer_judge(400, "\0\0\0", 3, &a);
    assert_int_equal(a.verdict, REFUSED);
    assert_string_equal(a.text, "");
    assert_answer(400, "[[[1]]]", REFUSED, "", "");
    assert_answer(400, "[{\"error\":[1]}]", REFUSED, "", "");
    assert_answer(400, "7", REFUSED, "", "");
}


static void
assert_session(const char *body, const char *token, int64_t life_ms)
{
    char *got;
    int64_t life;

    abdm_err_t err = abdm_answer_session(body, strlen(body), &got, &life);
    if (abdm_failed(err))
        fail_msg("%s: %s", body, err.what);
    assert_string_equal(got, token);
    assert_true(life == life_ms);
    free(got);
}


static void
a_session_answer_gives_the_token_and_its_life(void **state)
{
    (void) state;
    assert_session("{\"accessToken\":\"ey.J-_9\",\"expiresIn\":1200,\"refreshExpiresIn\":1800,"
                   "\"refreshToken\":\"ey.R\",\"tokenType\":\"bearer\"}",
                   "ey.J-_9", 1200000);
    assert_session("{\"accessToken\":\"t\",\"expiresIn\":\"600\"}", "t", 600000);
    assert_session("{\"accessToken\":\"t\",\"expiresIn\":1}", "t", 1000);
    assert_session("{\"accessToken\":\"t\",\"expiresIn\":86400}", "t", 86400000);
}


static void
a_life_that_cannot_be_believed_is_a_minute(void **state)
{
    static const char *const lives[] = {"0", "-1", "86401", "9223372036854775807", "\"soon\"",
                                        "\"\"", "null", "1200.5", "{}"};
    char body[96];

    (void) state;
    for (size_t i = 0; i < sizeof lives / sizeof lives[0]; i++) {
        snprintf(body, sizeof body, "{\"accessToken\":\"t\",\"expiresIn\":%s}", lives[i]);
        assert_session(body, "t", 60000);
    }
    assert_session("{\"accessToken\":\"t\"}", "t", 60000);
}


static void
an_answer_without_a_usable_token_is_no_session(void **state)
{
    static const char *const bodies[] = {
        "", "x", "{}", "[]", "null", "{\"accessToken\":null}", "{\"accessToken\":\"\"}",
        "{\"accessToken\":7}", "{\"accessToken\":\"a b\"}", "{\"accessToken\":\"a\\r\\nX: y\"}",
        "{\"accessToken\":\"a\\u007f\"}", "{\"accessToken\":\"\\u00e9\"}",
        "{\"accessToken\":\"a\",\"accessToken\":\"b\"}", "{\"access_token\":\"a\"}",
        "{\"code\":\"900901\",\"message\":\"Invalid Credentials\"}",
    };
    char *token = (char *) bodies;
    int64_t life = 1;

    (void) state;
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        assert_int_equal(abdm_answer_session(bodies[i], strlen(bodies[i]), &token, &life).code,
                         ABDM_E_SESSION);
        assert_null(token);
        assert_true(life == 0);
    }
}


static void
a_token_of_16_kilobytes_is_taken_and_one_byte_more_is_not(void **state)
{
    static char body[17000], token[16386];
    char *got;
    int64_t life;

    (void) state;
    memset(token, 't', 16384);
    token[16384] = '\0';
    snprintf(body, sizeof body, "{\"accessToken\":\"%s\"}", token);
    assert_session(body, token, 60000);
    token[16384] = 't';
    token[16385] = '\0';
    snprintf(body, sizeof body, "{\"accessToken\":\"%s\"}", token);
    assert_int_equal(abdm_answer_session(body, strlen(body), &got, &life).code, ABDM_E_SESSION);
}


static void
only_an_answer_that_says_nothing_about_the_question_tells_that_there_is_no_such_call(void **state)
{
    static const struct {
        int status;
        const char *code;
        bool want;
    } cases[] = {
        {401, "", true},     {401, "900901", true}, {401, "900902", true}, {401, "1026", false},
        {403, "", true},     {403, "900908", true}, {403, "403", true},    {403, "1021", true},
        {403, "1025", false}, {404, "", true},      {404, "404", true},    {404, "1016", false},
        {404, "1080", false}, {405, "", true},      {405, "405", true},    {501, "", true},
        {501, "501", true},  {400, "", false},      {400, "404", false},   {410, "", false},
        {429, "", false},    {500, "", false},      {502, "", false},      {503, "", false},
        {503, "303001", false}, {504, "", false},   {202, "", false},      {0, "", false},
    };

    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (abdm_answer_is_unserved(cases[i].status, cases[i].code) != cases[i].want)
            fail_msg("%d \"%s\"", cases[i].status, cases[i].code);
    }
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_of_the_fourteen_shapes_is_read),
        cmocka_unit_test(
            only_an_answer_that_says_nothing_about_the_question_tells_that_there_is_no_such_call),
        cmocka_unit_test(a_plain_success_is_done),
        cmocka_unit_test(an_error_inside_a_success_is_refused),
        cmocka_unit_test(a_code_decides_before_the_status),
        cmocka_unit_test(already_answered_is_done_unless_the_server_failed),
        cmocka_unit_test(a_link_request_that_the_gateway_has_is_told_from_other_faults),
        cmocka_unit_test(other_codes_leave_the_verdict_to_the_status),
        cmocka_unit_test(codes_are_normalised),
        cmocka_unit_test(text_is_cut_and_printable),
        cmocka_unit_test(a_body_that_is_not_there_or_not_text_is_survived),
        cmocka_unit_test(a_session_answer_gives_the_token_and_its_life),
        cmocka_unit_test(a_life_that_cannot_be_believed_is_a_minute),
        cmocka_unit_test(an_answer_without_a_usable_token_is_no_session),
        cmocka_unit_test(a_token_of_16_kilobytes_is_taken_and_one_byte_more_is_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
