/*
 * Callbacks that answer our calls: the outcome in all its forms, link tokens and what their claims
 * say of their end, and the steps of users/auth. Each field is also given wrongly.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "body.h"
#include "gateway/inbound_link.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

typedef abdm_err_t (*token_fn)(const json_t *, abdm_in_token_t *);


/* --- outcome --- */

static void
assert_outcome(const char *text, const char *request_id, bool failed, const char *code,
               const char *says)
{
    abdm_in_outcome_t out;
    json_t *body = parse(text);
    abdm_err_t err = abdm_in_outcome(body, &out);

    json_decref(body);
    if (abdm_failed(err))
        fail_msg("%s: %s", text, err.what);
    if (request_id == NULL)
        assert_null(out.request_id);
    else
        assert_string_equal(out.request_id, request_id);
    if (out.failed != failed || strcmp(out.code, code) != 0 || strcmp(out.text, says) != 0)
        fail_msg("%s: failed %d, code \"%s\", text \"%s\"", text, out.failed, out.code, out.text);
    abdm_in_outcome_clear(&out);
    assert_null(out.request_id);
}


static void
an_answer_without_error_is_a_success_in_every_form(void **state)
{
    (void) state;
    assert_outcome("{\"abhaAddress\":\"asha.k@sbx\",\"status\":\"Successfully Linked care "
                   "context\",\"response\":{\"requestId\":\"r-1\"}}", "r-1", false, "", "");
    assert_outcome("{\"acknowledgement\":{\"status\":\"SUCCESS\"},\"error\":null,"
                   "\"response\":{\"requestId\":\"r-1\"}}", "r-1", false, "", "");
    assert_outcome("{\"requestId\":null,\"timestamp\":null,\"status\":\"ACKNOWLEDGED\","
                   "\"error\":null,\"resp\":{\"requestId\":\"r-1\"}}", "r-1", false, "", "");
    assert_outcome("{\"requestId\":\"own\",\"acknowledgement\":{\"status\":\"SUCCESS\"},"
                   "\"resp\":{\"requestId\":\"r-1\"}}", "r-1", false, "", "");
    assert_outcome("{\"acknowledgment\":{\"status\":\"OK\"}}", NULL, false, "", "");
    assert_outcome("{\"acknowledgement\":[{\"status\":\"OK\"}]}", NULL, false, "", "");
    assert_outcome("{\"acknowledgement\":\"OK\"}", NULL, false, "", "");
    assert_outcome("{\"acknowledgement\":[]}", NULL, false, "", "");
    assert_outcome("{}", NULL, false, "", "");
}


static void
the_echo_is_read_from_response_and_then_from_resp(void **state)
{
    (void) state;
    assert_outcome("{\"response\":{\"requestId\":\"v3\"},\"resp\":{\"requestId\":\"old\"}}", "v3",
                   false, "", "");
    assert_outcome("{\"response\":{\"requestId\":null},\"resp\":{\"requestId\":\"old\"}}", "old",
                   false, "", "");
    assert_outcome("{\"response\":null,\"resp\":{\"requestId\":\"old\"}}", "old", false, "", "");
    assert_outcome("{\"response\":{\"requestId\":\"\"}}", NULL, false, "", "");
    assert_outcome("{\"requestId\":\"own\"}", NULL, false, "", "");
}


static void
an_error_is_a_failure_in_every_form(void **state)
{
    static const struct {
        const char *error, *code, *says;
    } rows[] = {
        {"{\"code\":\"ABDM-1056\",\"message\":\"already linked\"}", "1056", "already linked"},
        {"{\"code\":\"ABDM-1006: \",\"message\":\"no links found\"}", "1006", "no links found"},
        {"{\"code\":1027,\"message\":\"blocked\"}", "1027", "blocked"},
        {"{\"code\":\"2500\"}", "2500", ""},
        {"{\"code\":\"HIP-1000\",\"description\":\"x\"}", "HIP-1000", "x"},
        {"{\"message\":\"only words\"}", "", "only words"},
        {"{\"code\":{},\"message\":[1]}", "", ""},
        {"{\"detail\":{\"deep\":\"x\"}}", "", ""},
        {"[{\"code\":\"ABDM-9999: \",\"message\":\"m\"}]", "9999", "m"},
        {"[{\"error\":{\"code\":\"ABDM-1038\",\"message\":\"m\"}}]", "1038", "m"},
        {"[null]", "", ""},
        {"[\"words\"]", "", "words"},
        {"\"Internal Server Error\"", "", "Internal Server Error"},
        {"2500", "2500", ""},
        {"1.5", "", ""},
        {"true", "", ""},
    };
    char text[256];

    (void) state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        snprintf(text, sizeof text, "{\"error\":%s,\"response\":{\"requestId\":\"r\"}}",
                 rows[i].error);
        assert_outcome(text, "r", true, rows[i].code, rows[i].says);
    }
}


static void
an_error_that_says_nothing_is_none(void **state)
{
    static const char *const errors[] = {"null", "{}", "[]", "\"\"", "false", "0",
                                         "{\"code\":null,\"message\":null}",
                                         "{\"code\":\"\",\"message\":\"\"}", "{\"details\":[]}"};
    char text[128];

    (void) state;
    for (size_t i = 0; i < COUNT(errors); i++) {
        snprintf(text, sizeof text, "{\"error\":%s,\"status\":\"ACKNOWLEDGED\"}", errors[i]);
        assert_outcome(text, NULL, false, "", "");
    }
}


static void
a_status_that_speaks_of_a_failure_is_one(void **state)
{
    static const char *const words[] = {"ERRORED", "errored", "ERROR", "FAILED", "FAILURE",
                                        "Failed to link care context", "Err"};
    char text[128];

    (void) state;
    for (size_t i = 0; i < COUNT(words); i++) {
        snprintf(text, sizeof text, "{\"status\":\"%s\"}", words[i]);
        assert_outcome(text, NULL, true, "", words[i]);
        snprintf(text, sizeof text, "{\"acknowledgement\":{\"status\":\"%s\"}}", words[i]);
        assert_outcome(text, NULL, true, "", words[i]);
        snprintf(text, sizeof text, "{\"acknowledgment\":[{\"status\":\"%s\"}]}", words[i]);
        assert_outcome(text, NULL, true, "", words[i]);
        snprintf(text, sizeof text, "{\"acknowledgement\":\"%s\"}", words[i]);
        assert_outcome(text, NULL, true, "", words[i]);
    }
    assert_outcome("{\"acknowledgement\":{\"status\":\"ERRORED\"},\"error\":{\"code\":"
                   "\"ABDM-1006\",\"message\":\"no linked care context\"}}",
                   NULL, true, "1006", "no linked care context");
    assert_outcome("{\"status\":\"ER\"}", NULL, false, "", "");
    assert_outcome("{\"status\":\"FAI\"}", NULL, false, "", "");
    assert_outcome("{\"status\":\"No failure\"}", NULL, false, "", "");
}


static void
the_words_of_an_error_are_printable_and_cut(void **state)
{
    char text[600], want[128];

    (void) state;
    snprintf(text, sizeof text, "{\"error\":{\"code\":\"12345678901234567890123456789\","
                                "\"message\":\"a\\r\\nb\\u0901\"}}");
    assert_outcome(text, NULL, true, "12345678901234567890123", "a  b");
    memset(want, 'm', 127);
    want[127] = '\0';
    snprintf(text, sizeof text, "{\"error\":{\"message\":\"%s%s\"}}", want, want);
    assert_outcome(text, NULL, true, "", want);
}


static void
an_outcome_of_the_wrong_form_is_refused_and_tells_what_it_could(void **state)
{
    static const struct {
        const char *text, *names;
    } rows[] = {
        {"[]", "callback"},
        {"7", "callback"},
        {"null", "callback"},
        {"{\"response\":\"r-1\"}", "response:"},
        {"{\"resp\":[]}", "response:"},
        {"{\"response\":{\"requestId\":7}}", "response.requestId"},
        {"{\"response\":{\"requestId\":\"a\\nb\"}}", "response.requestId"},
        {"{\"resp\":{\"requestId\":{}}}", "resp.requestId"},
        {"{\"acknowledgement\":7}", "acknowledgement:"},
        {"{\"acknowledgement\":{\"status\":7}}", "acknowledgement.status"},
        {"{\"acknowledgement\":[[]]}", "acknowledgement:"},
        {"{\"status\":200}", "status"},
    };
    abdm_in_outcome_t out;

    (void) state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        json_t *body = parse(rows[i].text);
        abdm_err_t err = abdm_in_outcome(body, &out);
        json_decref(body);
        assert_int_equal(err.code, ABDM_E_FIELD);
        if (strncmp(err.what, rows[i].names, strlen(rows[i].names)) != 0)
            fail_msg("%s: says \"%s\"", rows[i].text, err.what);
        abdm_in_outcome_clear(&out);
    }

    json_t *body = parse("{\"response\":{\"requestId\":\"r-1\"},\"status\":7,"
                         "\"error\":{\"code\":\"ABDM-1056\"}}");
    assert_int_equal(abdm_in_outcome(body, &out).code, ABDM_E_FIELD);
    assert_string_equal(out.request_id, "r-1");
    assert_true(out.failed);
    assert_string_equal(out.code, "1056");
    abdm_in_outcome_clear(&out);

    put(body, "status", NULL);
    put(body, "response.requestId", text_of(256));
    assert_int_equal(abdm_in_outcome(body, &out).code, ABDM_E_FIELD);
    assert_null(out.request_id);
    assert_true(out.failed);
    abdm_in_outcome_clear(&out);
    put(body, "response.requestId", text_of(255));
    assert_int_equal(abdm_in_outcome(body, &out).code, ABDM_OK);
    abdm_in_outcome_clear(&out);
    json_decref(body);
}


/* --- link tokens --- */

/* header.payload.signature with these claims; the caller frees. */
static char *
jwt(const char *claims)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                   "0123456789-_";
    size_t n = strlen(claims), at;
    char *z = malloc(n * 2 + 64);

    assert_non_null(z);
    strcpy(z, "eyJhbGciOiJSUzUxMiJ9.");
    at = strlen(z);
    for (size_t bit = 0; bit < n * 8; bit += 6) {
        unsigned v = (unsigned char) claims[bit / 8] << 8;
        if (bit / 8 + 1 < n)
            v |= (unsigned char) claims[bit / 8 + 1];
        z[at++] = alphabet[v >> (10 - bit % 8) & 63];
    }
    strcpy(z + at, ".invented-sig_1");
    return z;
}


static json_t *
link_token(const char *token)
{
    json_t *body = parse("{\"abhaAddress\":\"Asha.K@SBX\",\"linkToken\":\"x\","
                         "\"response\":{\"requestId\":\"r-1\"}}");

    put(body, "linkToken", json_string(token));
    return body;
}


static void
assert_expiry(const char *claims, abdm_ms_t want)
{
    abdm_in_token_t t;
    char *token = jwt(claims);
    json_t *body = link_token(token);

    assert_int_equal(abdm_in_link_token(body, &t).code, ABDM_OK);
    assert_string_equal(t.token, token);
    if (t.expires_at != want)
        fail_msg("%s: %lld", claims, (long long) t.expires_at);
    abdm_in_token_clear(&t);
    json_decref(body);
    free(token);
}


static void
a_link_token_is_read_with_the_end_that_it_claims(void **state)
{
    abdm_in_token_t t;
    char *token = jwt("{\"hipId\":\"IN1_1\",\"exp\":1788000000}");
    json_t *body = link_token(token);

    (void) state;
    assert_int_equal(abdm_in_link_token(body, &t).code, ABDM_OK);
    assert_string_equal(t.outcome.request_id, "r-1");
    assert_false(t.outcome.failed);
    assert_string_equal(t.abha_address, "asha.k@sbx");
    assert_string_equal(t.token, token);
    assert_true(t.expires_at == 1788000000000);
    assert_null(t.transaction_id);
    abdm_in_token_clear(&t);
    assert_null(t.token);
    json_decref(body);
    free(token);

    assert_expiry("{\"exp\":\"1788000000\"}", 1788000000000);
    assert_expiry("{\"exp\":1788000000.75}", 1788000000000);
    assert_expiry("{\"exp\":1}", 1000);
    assert_expiry("{\"exp\":253402300799}", 253402300799000);
}


static void
hostile_claims_have_no_end(void **state)
{
    static const char *const claims[] = {
        "", "{", "{}", "[]", "null", "7", "\"exp\"", "{\"exp\":0}", "{\"exp\":-1}",
        "{\"exp\":null}", "{\"exp\":\"soon\"}", "{\"exp\":{}}", "{\"exp\":true}",
        "{\"exp\":253402300800}", "{\"exp\":9223372036854775807}", "{\"exp\":1e300}",
        "{\"exp\":-1.5}", "{\"exp\":9223372036854775808}", "{\"exp\":\"9223372036854775808\"}",
        "{\"exp\":1,\"exp\":2}", "{\"exp\":1}x", "\xff\xfe", "{\"a\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[["
        "[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]],\"exp\":1788000000}",
    };
    static const char *const tokens[] = {"opaque", "a.b", "a.b.c", "..", ".", "a.!!.c", "a.e30=.c",
                                         "a.e30.c", "a.b.c.d"};
    abdm_in_token_t t;

    (void) state;
    for (size_t i = 0; i < COUNT(claims); i++)
        assert_expiry(claims[i], 0);
    for (size_t i = 0; i < COUNT(tokens); i++) {
        json_t *body = link_token(tokens[i]);
        assert_int_equal(abdm_in_link_token(body, &t).code, ABDM_OK);
        assert_string_equal(t.token, tokens[i]);
        assert_true(t.expires_at == 0);
        abdm_in_token_clear(&t);
        json_decref(body);
    }
}


static void
a_refused_token_needs_nothing_but_the_error(void **state)
{
    abdm_in_token_t t;
    json_t *body = parse("{\"error\":{\"code\":\"ABDM-1027\",\"message\":\"You are blocked.\"},"
                         "\"response\":{\"requestId\":\"r-1\"}}");

    (void) state;
    assert_int_equal(abdm_in_link_token(body, &t).code, ABDM_OK);
    assert_true(t.outcome.failed);
    assert_string_equal(t.outcome.code, "1027");
    assert_string_equal(t.outcome.text, "You are blocked.");
    assert_null(t.token);
    assert_null(t.abha_address);
    abdm_in_token_clear(&t);

    /* what comes beside an error is not used */
    put(body, "linkToken", json_string("abc"));
    put(body, "abhaAddress", json_string("asha.k@sbx"));
    assert_int_equal(abdm_in_link_token(body, &t).code, ABDM_OK);
    assert_null(t.token);
    assert_string_equal(t.abha_address, "asha.k@sbx");
    abdm_in_token_clear(&t);
    json_decref(body);
}


/* The good text with `value` at `path` is refused, and the error names `names`. */
static void
assert_token_refused(token_fn read, const char *good, const char *path, json_t *value,
                     const char *names)
{
    abdm_in_token_t t;
    json_t *body = parse(good);

    put(body, path, value);
    abdm_err_t err = read(body, &t);
    json_decref(body);
    if (err.code != ABDM_E_FIELD)
        fail_msg("%s: code %d", path, (int) err.code);
    if (strncmp(err.what, names, strlen(names)) != 0)
        fail_msg("%s: says \"%s\"", path, err.what);
    assert_null(t.token);
    abdm_in_token_clear(&t);
}


static void
assert_each_token_refused(token_fn read, const char *good, const char *path)
{
    static const char *const odd[] = {"a b", " a", "a\r\nX: y", "a\x7f", "\xc3\xa9", "a\tb"};

    for (size_t i = 0; i < COUNT(odd); i++)
        assert_token_refused(read, good, path, json_string(odd[i]), path);
    assert_token_refused(read, good, path, NULL, path);
    assert_token_refused(read, good, path, json_null(), path);
    assert_token_refused(read, good, path, json_string(""), path);
    assert_token_refused(read, good, path, json_integer(7), path);
    assert_token_refused(read, good, path, json_object(), path);
    assert_token_refused(read, good, path, text_of(8193), path);

    abdm_in_token_t t;
    json_t *body = parse(good);
    put(body, path, text_of(8192));
    assert_int_equal(read(body, &t).code, ABDM_OK);
    assert_int_equal(strlen(t.token), 8192);
    abdm_in_token_clear(&t);
    json_decref(body);
}


static const char LINK_TOKEN[] = "{\"abhaAddress\":\"asha.k@sbx\",\"linkToken\":\"abc\","
                                 "\"response\":{\"requestId\":\"r-1\"}}";


static void
a_link_token_that_no_header_can_hold_is_refused(void **state)
{
    (void) state;
    assert_each_token_refused(abdm_in_link_token, LINK_TOKEN, "linkToken");
    assert_token_refused(abdm_in_link_token, LINK_TOKEN, "abhaAddress", json_string("asha"),
                         "abhaAddress");
    assert_token_refused(abdm_in_link_token, LINK_TOKEN, "abhaAddress", json_integer(7),
                         "abhaAddress");
    assert_token_refused(abdm_in_link_token, LINK_TOKEN, "response", json_integer(7), "response");
}


/* --- users/auth --- */

static const char CONFIRMED[] =
    "{\"requestId\":\"own\",\"timestamp\":\"2026-03-05T09:20:11.120\",\"auth\":{"
    "\"accessToken\":\"abc\",\"patient\":{\"id\":\"Asha.K@sbx\",\"name\":\"Asha Kumari\","
    "\"gender\":\"F\",\"yearOfBirth\":1988,\"address\":null,\"identifiers\":[]}},\"error\":null,"
    "\"resp\":{\"requestId\":\"r-1\"}}";

static const char NOTIFIED[] =
    "{\"requestId\":\"own\",\"timestamp\":\"2026-03-05T09:20:11.120\",\"auth\":{"
    "\"transactionId\":\"t-1\",\"status\":\"GRANTED\",\"accessToken\":\"abc\",\"validity\":{"
    "\"purpose\":\"LINK\",\"requester\":{\"type\":\"HIP\",\"id\":\"IN1\"},\"expiry\":"
    "\"2026-03-06T09:20:11.120\",\"limit\":1},\"patient\":{\"id\":\"asha.k@sbx\"}}}";


static void
a_confirmation_gives_the_access_token_and_the_address(void **state)
{
    abdm_in_token_t t;
    json_t *body = parse(CONFIRMED);

    (void) state;
    assert_int_equal(abdm_in_auth_confirmed(body, &t).code, ABDM_OK);
    assert_string_equal(t.outcome.request_id, "r-1");
    assert_string_equal(t.token, "abc");
    assert_string_equal(t.abha_address, "asha.k@sbx");
    assert_false(t.denied);
    abdm_in_token_clear(&t);

    put(body, "auth.patient", json_null());
    assert_int_equal(abdm_in_auth_confirmed(body, &t).code, ABDM_OK);
    assert_null(t.abha_address);
    abdm_in_token_clear(&t);

    put(body, "auth", json_null());
    put(body, "error", json_pack("{si}", "code", 2500));
    assert_int_equal(abdm_in_auth_confirmed(body, &t).code, ABDM_OK);
    assert_true(t.outcome.failed);
    assert_string_equal(t.outcome.code, "2500");
    assert_null(t.token);
    abdm_in_token_clear(&t);
    json_decref(body);

    assert_each_token_refused(abdm_in_auth_confirmed, CONFIRMED, "auth.accessToken");
    assert_token_refused(abdm_in_auth_confirmed, CONFIRMED, "auth", NULL, "auth:");
    assert_token_refused(abdm_in_auth_confirmed, CONFIRMED, "auth", json_null(), "auth:");
    assert_token_refused(abdm_in_auth_confirmed, CONFIRMED, "auth", json_array(), "auth:");
    assert_token_refused(abdm_in_auth_confirmed, CONFIRMED, "auth.patient.id", json_string("x"),
                         "auth.patient.id");
}


static void
the_patients_own_decision_is_read_granted_and_denied(void **state)
{
    abdm_in_token_t t;
    json_t *body = parse(NOTIFIED);

    (void) state;
    assert_int_equal(abdm_in_auth_notified(body, &t).code, ABDM_OK);
    assert_null(t.outcome.request_id);
    assert_string_equal(t.transaction_id, "t-1");
    assert_string_equal(t.token, "abc");
    assert_string_equal(t.abha_address, "asha.k@sbx");
    assert_false(t.denied);
    abdm_in_token_clear(&t);

    put(body, "auth.status", json_string("denied"));
    assert_int_equal(abdm_in_auth_notified(body, &t).code, ABDM_OK);
    assert_true(t.denied);
    assert_null(t.token);
    abdm_in_token_clear(&t);

    put(body, "auth", NULL);
    put(body, "error", json_string("gone"));
    assert_int_equal(abdm_in_auth_notified(body, &t).code, ABDM_OK);
    assert_true(t.outcome.failed);
    assert_null(t.transaction_id);
    abdm_in_token_clear(&t);
    json_decref(body);
}


static void
a_decision_of_the_wrong_form_is_refused(void **state)
{
    static const char *const no_id[] = {"\"\"", "null", "7", "{}", "\"a\\nb\""};
    abdm_in_token_t t;

    (void) state;
    assert_each_token_refused(abdm_in_auth_notified, NOTIFIED, "auth.accessToken");
    for (size_t i = 0; i < COUNT(no_id); i++)
        assert_token_refused(abdm_in_auth_notified, NOTIFIED, "auth.transactionId",
                             parse(no_id[i]), "auth.transactionId");
    assert_token_refused(abdm_in_auth_notified, NOTIFIED, "auth.transactionId", text_of(256),
                         "auth.transactionId");
    assert_token_refused(abdm_in_auth_notified, NOTIFIED, "auth.status", NULL, "auth.status");
    assert_token_refused(abdm_in_auth_notified, NOTIFIED, "auth.status", json_integer(1),
                         "auth.status");
    assert_token_refused(abdm_in_auth_notified, NOTIFIED, "auth.status", json_string("GRANT"),
                         "auth.status");

    /* the transaction is known all the same */
    json_t *body = parse(NOTIFIED);
    put(body, "auth.status", NULL);
    assert_int_equal(abdm_in_auth_notified(body, &t).code, ABDM_E_FIELD);
    assert_string_equal(t.transaction_id, "t-1");
    abdm_in_token_clear(&t);
    json_decref(body);
}


static void
assert_modes(const char *list, const char *want)
{
    abdm_in_auth_t a;
    json_t *body = parse("{\"auth\":{\"purpose\":\"LINK\"},\"resp\":{\"requestId\":\"r-1\"}}");

    put(body, "auth.modes", parse(list));
    assert_int_equal(abdm_in_auth_modes(body, &a).code, ABDM_OK);
    assert_string_equal(a.outcome.request_id, "r-1");
    assert_string_equal(a.modes, want);
    abdm_in_auth_clear(&a);
    json_decref(body);
}


static void
the_modes_that_can_be_used_are_told_once(void **state)
{
    (void) state;
    assert_modes("[\"MOBILE_OTP\",\"DIRECT\"]", "MOBILE_OTP DIRECT");
    assert_modes("[\"PASSWORD\",\"aadhaar_otp\",\"RETINA\",\"DEMOGRAPHICS\",\"\"]",
                 "AADHAAR_OTP DEMOGRAPHICS");
    assert_modes("[\"DIRECT\",\"DIRECT\",\"MOBILE_OTP\",\"direct\",\"DEMOGRAPHICS\","
                 "\"AADHAAR_OTP\"]", "DIRECT MOBILE_OTP DEMOGRAPHICS AADHAAR_OTP");
    assert_modes("[]", "");
    assert_modes("[\"PASSWORD\"]", "");
}


static void
modes_of_the_wrong_form_are_refused(void **state)
{
    static const char *const bodies[] = {
        "{}", "{\"auth\":null}", "{\"auth\":[]}", "{\"auth\":{}}", "{\"auth\":{\"modes\":null}}",
        "{\"auth\":{\"modes\":\"DIRECT\"}}", "{\"auth\":{\"modes\":[7]}}",
        "{\"auth\":{\"modes\":[null]}}",
    };
    abdm_in_auth_t a;

    (void) state;
    for (size_t i = 0; i < COUNT(bodies); i++) {
        json_t *body = parse(bodies[i]);
        abdm_err_t err = abdm_in_auth_modes(body, &a);
        assert_int_equal(err.code, ABDM_E_FIELD);
        assert_true(strncmp(err.what, "auth", 4) == 0);
        abdm_in_auth_clear(&a);
        json_decref(body);
    }
    json_t *body = parse("{\"error\":{\"code\":1000},\"resp\":{\"requestId\":\"r-1\"}}");
    assert_int_equal(abdm_in_auth_modes(body, &a).code, ABDM_OK);
    assert_true(a.outcome.failed);
    abdm_in_auth_clear(&a);
    json_decref(body);
}


static const char BEGUN[] =
    "{\"requestId\":\"own\",\"auth\":{\"transactionId\":\"t-1\",\"mode\":\"MOBILE_OTP\",\"meta\":{"
    "\"hint\":\"XXXXXX0001\",\"expiry\":\"2026-03-05T09:30:00.123456\"}},\"error\":null,"
    "\"resp\":{\"requestId\":\"r-1\"}}";


static void
a_begun_authentication_is_read(void **state)
{
    static const char *const no_date[] = {"null", "\"\"", "\"soon\"", "7", "{}"};
    abdm_in_auth_t a;
    json_t *body = parse(BEGUN);

    (void) state;
    assert_int_equal(abdm_in_auth_begun(body, &a).code, ABDM_OK);
    assert_string_equal(a.outcome.request_id, "r-1");
    assert_string_equal(a.transaction_id, "t-1");
    assert_string_equal(a.mode, "MOBILE_OTP");
    assert_string_equal(a.hint, "XXXXXX0001");
    assert_true(a.expires_at == ms("2026-03-05T09:30:00.123Z"));
    abdm_in_auth_clear(&a);
    assert_null(a.mode);

    for (size_t i = 0; i < COUNT(no_date); i++) {
        put(body, "auth.meta.expiry", parse(no_date[i]));
        assert_int_equal(abdm_in_auth_begun(body, &a).code, ABDM_OK);
        assert_true(a.expires_at == 0);
        abdm_in_auth_clear(&a);
    }
    put(body, "auth.meta", json_null());
    assert_int_equal(abdm_in_auth_begun(body, &a).code, ABDM_OK);
    assert_null(a.hint);
    abdm_in_auth_clear(&a);
    put(body, "auth", NULL);
    put(body, "error", json_pack("{si}", "code", 1000));
    assert_int_equal(abdm_in_auth_begun(body, &a).code, ABDM_OK);
    assert_true(a.outcome.failed);
    abdm_in_auth_clear(&a);
    json_decref(body);
}


static void
a_begun_authentication_of_the_wrong_form_is_refused(void **state)
{
    static const struct {
        const char *path, *value, *names;
    } rows[] = {
        {"auth", "null", "auth:"},
        {"auth", "\"x\"", "auth:"},
        {"auth.transactionId", "null", "auth.transactionId"},
        {"auth.transactionId", "7", "auth.transactionId"},
        {"auth.transactionId", "\"\\u0001\"", "auth.transactionId"},
        {"auth.mode", "null", "auth.mode"},
        {"auth.mode", "\"\"", "auth.mode"},
        {"auth.mode", "[\"DIRECT\"]", "auth.mode"},
        {"auth.mode", "\"123456789012345678901234567890123\"", "auth.mode"},
        {"auth.meta.hint", "7", "auth.meta.hint"},
        {"auth.meta.hint", "\"a\\tb\"", "auth.meta.hint"},
    };
    abdm_in_auth_t a;

    (void) state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        json_t *body = parse(BEGUN);
        put(body, rows[i].path, parse(rows[i].value));
        abdm_err_t err = abdm_in_auth_begun(body, &a);
        if (err.code != ABDM_E_FIELD || strncmp(err.what, rows[i].names, strlen(rows[i].names)))
            fail_msg("%s %s: %d \"%s\"", rows[i].path, rows[i].value, (int) err.code, err.what);
        abdm_in_auth_clear(&a);
        json_decref(body);
    }
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_without_error_is_a_success_in_every_form),
        cmocka_unit_test(the_echo_is_read_from_response_and_then_from_resp),
        cmocka_unit_test(an_error_is_a_failure_in_every_form),
        cmocka_unit_test(an_error_that_says_nothing_is_none),
        cmocka_unit_test(a_status_that_speaks_of_a_failure_is_one),
        cmocka_unit_test(the_words_of_an_error_are_printable_and_cut),
        cmocka_unit_test(an_outcome_of_the_wrong_form_is_refused_and_tells_what_it_could),
        cmocka_unit_test(a_link_token_is_read_with_the_end_that_it_claims),
        cmocka_unit_test(hostile_claims_have_no_end),
        cmocka_unit_test(a_refused_token_needs_nothing_but_the_error),
        cmocka_unit_test(a_link_token_that_no_header_can_hold_is_refused),
        cmocka_unit_test(a_confirmation_gives_the_access_token_and_the_address),
        cmocka_unit_test(the_patients_own_decision_is_read_granted_and_denied),
        cmocka_unit_test(a_decision_of_the_wrong_form_is_refused),
        cmocka_unit_test(the_modes_that_can_be_used_are_told_once),
        cmocka_unit_test(modes_of_the_wrong_form_are_refused),
        cmocka_unit_test(a_begun_authentication_is_read),
        cmocka_unit_test(a_begun_authentication_of_the_wrong_form_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
