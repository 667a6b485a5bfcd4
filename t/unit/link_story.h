/*
 * The story of Asha, who finds her visits and links them: callbacks of the gateway and answers of
 * the HMIS, each to be changed by a test. To be included after link_kit.h.
 */
#ifndef ABDM_TEST_LINK_STORY_H
#define ABDM_TEST_LINK_STORY_H

#include "gateway/inbound_link.h"
#include "gateway/outbound_link.h"

#define TRANSACTION "a4d0c3f2-9b18-4a7e-8c55-3f2e1d0c9b8a"
#define ADDRESS     "asha.k@sbx"
#define NUMBER      "91111222233334"
#define MOBILE      "9000000001"

#define DISCOVER                                                                                   \
    "{\"transactionId\":\"" TRANSACTION "\",\"patient\":{\"id\":\"Asha.K@SBX\","                   \
    "\"verifiedIdentifiers\":[{\"type\":\"MOBILE\",\"value\":\"+91 9000000001\"},"                 \
    "{\"type\":\"ABHA_NUMBER\",\"value\":\"91-1112-2223-3334\"}],"                                 \
    "\"unverifiedIdentifiers\":[],\"name\":\"Asha Kumari\",\"gender\":\"F\","                      \
    "\"yearOfBirth\":1988}}"

#define ASHA                                                                                       \
    "{\"reference\":\"MR-1\",\"name\":\"Asha K\",\"gender\":\"F\",\"yearOfBirth\":1987,"           \
    "\"mobiles\":[\"09000000001\"]}"
#define RAVI                                                                                       \
    "{\"reference\":\"MR-2\",\"name\":\"Ravi Kumar\",\"gender\":\"M\",\"yearOfBirth\":1985,"       \
    "\"mobiles\":[\"9000000001\"]}"
#define TWIN                                                                                       \
    "{\"reference\":\"MR-3\",\"name\":\"Asha Kumari\",\"gender\":\"F\",\"yearOfBirth\":1988,"      \
    "\"mobiles\":[\"9000000001\"]}"

#define VISITS                                                                                     \
    "[{\"reference\":\"OPD-1\",\"display\":\"OPD visit 05 Jan 2026\","                             \
    "\"hiTypes\":[\"OPConsultation\",\"Prescription\"],\"date\":\"2026-01-05\"},"                  \
    "{\"reference\":\"LAB-2\",\"display\":\"Lab visit 02 Feb 2026\","                              \
    "\"hiTypes\":[\"DiagnosticReport\"],\"date\":\"2026-02-02\"}]"

#define INIT                                                                                       \
    "{\"transactionId\":\"" TRANSACTION "\",\"abhaAddress\":\"" ADDRESS "\",\"patient\":["         \
    "{\"referenceNumber\":\"MR-1\",\"careContexts\":[{\"referenceNumber\":\"OPD-1\"}],"            \
    "\"hiType\":\"OPConsultation\",\"count\":1},"                                                  \
    "{\"referenceNumber\":\"MR-1\",\"careContexts\":[{\"referenceNumber\":\"LAB-2\"}],"            \
    "\"hiType\":\"DiagnosticReport\",\"count\":1}]}"


/* `text` with the value at `path` replaced by `value` (JSON), or without it when that is NULL. */
static inline char *
changed(const char *text, const char *path, const char *value)
{
    json_t *root = link_json(text), *at = root;
    const char *dot;
    char *out;

    for (dot = strchr(path, '.'); dot != NULL; dot = strchr(path, '.')) {
        char name[64];

        snprintf(name, sizeof(name), "%.*s", (int) (dot - path), path);
        at = json_is_array(at) ? json_array_get(at, (size_t) atoi(name))
                               : json_object_get(at, name);
        assert_non_null(at);
        path = dot + 1;
    }
    if (value == NULL)
        assert_int_equal(json_object_del(at, path), 0);
    else
        assert_int_equal(
            json_object_set_new(at, path, json_loads(value, JSON_DECODE_ANY, NULL)), 0);
    out = json_dumps(root, JSON_COMPACT);
    assert_non_null(out);
    json_decref(root);
    return out;
}


/* The answers of the HMIS to the questions of one discovery, oldest first; NULL: it cannot be
 * asked. */
static inline void
answer_find(link_kit_t *k, const char *first, const char *second, const char *third)
{
    const char *answers[] = {first, second, third};

    for (size_t i = 0; i < 3; i++) {
        if (answers[i] != NULL)
            link_done(k, "discovery.found", -1, answers[i]);
        else
            link_failed(k, "discovery.found", -1, ABDM_E_FIELD, NULL);
    }
}


/* The discovery is answered, and the gateway takes it. */
static inline void
story_discover(link_kit_t *k)
{
    link_call(k, "discovery.asked", DISCOVER);
    answer_find(k, "[" ASHA "," RAVI "]", NULL, "[]");
    link_done(k, "discovery.contexts", 0, VISITS);
    link_until(k, k->now + 2 * SECONDS);
    link_done(k, "discovery.answered", -1, NULL);
    link_until(k, k->now + 8 * SECONDS);
    assert_int_equal(k->n_jobs, 0);
}


/* The code of an on-* call's error; "" without one. */
static inline const char *
wire_code(const abdm_job_t *job)
{
    static char code[32];
    json_t *body = link_body(job);
    const char *z = abdm_json_string_at(body, "error.code");

    snprintf(code, sizeof(code), "%s", z != NULL ? z : "");
    json_decref(body);
    return code;
}


/* Takes the call to `path`, which must tell `code` and answer the last callback. */
static inline void
assert_refused(link_kit_t *k, const char *path, const char *code)
{
    abdm_job_t job = link_out(k, path);
    json_t *body = link_body(&job);

    assert_string_equal(wire_code(&job), code);
    assert_at(body, "response.requestId", k->request_id);
    json_decref(body);
    abdm_job_clear(&job);
}


/* The link is begun and its OTP sent: `otp` is what the SMS says, `link` its number. */
static inline void
story_init(link_kit_t *k, const char *init, char otp[16], char link[37])
{
    abdm_job_t answer;
    json_t *body;

    link_call(k, "link.init_asked", init);
    body = link_body(link_job(k, "link.otp_sent", -1));
    snprintf(otp, 16, "%s", abdm_json_string_at(body, "otp"));
    json_decref(body);
    link_done(k, "link.otp_sent", -1, NULL);
    answer = link_out(k, ABDM_PATH_LINK_ON_INIT);
    body = link_body(&answer);
    snprintf(link, 37, "%s", abdm_json_string_at(body, "link.referenceNumber"));
    json_decref(body);
    abdm_job_clear(&answer);
}


/* A confirm of the link with this OTP arrives. */
static inline void
story_confirm(link_kit_t *k, const char *hip, const char *link, const char *otp)
{
    char body[256];

    snprintf(body, sizeof(body),
             "{\"confirmation\":{\"token\":\"%s\",\"linkRefNumber\":\"%s\"}}", otp, link);
    OK_(link_call_at(k, hip, "link.confirm_asked", body));
}


/* Another OTP than `otp`. */
static inline const char *
other_otp(const char *otp)
{
    static char other[16];

    snprintf(other, sizeof(other), "%s", otp);
    other[5] = other[5] == '9' ? '0' : (char) (other[5] + 1);
    return other;
}


/* Each of the fields missing, null, of a wrong type and too long: refused with ABDM-1006, and not
 * a row is changed. */
static inline void
assert_bad_input(link_kit_t *k, const char *event, const char *answer, const char *body,
                 const char *const *required, size_t n)
{
    static char long_text[2000];
    const char *bad[] = {NULL, "null", "17.5", "true", "{}", "[]", "\"\"", long_text,
                         "\"a\\u0001b\""};

    memset(long_text, 'x', sizeof(long_text) - 1);
    long_text[0] = long_text[sizeof(long_text) - 2] = '"';
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < sizeof(bad) / sizeof(bad[0]); j++) {
            char *text = changed(body, required[i], bad[j]);
            size_t jobs = k->n_jobs;

            link_call(k, event, text);
            if (k->n_jobs != jobs + 1 || k->last.n != 2) /* the audit and the answer */
                fail_msg("%s as %s is accepted", required[i], bad[j] != NULL ? bad[j] : "nothing");
            assert_refused(k, answer, "ABDM-1006");
            free(text);
        }
    }
}

#endif
