/*
 * For tests of the flows behind the hospital's API: calls of either facility, and their answers.
 * To be included after cmocka.h.
 */
#ifndef ABDM_TEST_API_KIT_H
#define ABDM_TEST_API_KIT_H

#include "link_kit.h"

#define ASHA "asha.k@sbx"

static link_kit_t K;
static json_t *answer; /* of the last call */


static inline int
api_setup(void **state)
{
    (void) state;
    answer = NULL;
    return link_kit_open(&K);
}


static inline int
api_teardown(void **state)
{
    (void) state;
    json_decref(answer);
    answer = NULL;
    link_kit_close(&K);
    return 0;
}


static inline abdm_err_t
api_try(const char *hip, const char *event, const char *subject, const char *query,
        const char *body)
{
    abdm_event_t ev = {.name = event, .hip_id = hip, .subject = subject, .request_id = "",
                       .body = body, .body_len = strlen(body), .query = query, .at = K.now,
                       .now = K.now};

    return link_run(&K, &ev);
}


/* The call's status; `answer` is its JSON. */
static inline int
api_at(const char *hip, const char *event, const char *subject, const char *query,
       const char *body)
{
    OK_(api_try(hip, event, subject, query, body));
    json_decref(answer);
    answer = NULL;
    assert_true(K.last.reply.len > 0);
    OK_(abdm_json_parse(K.last.reply.p, K.last.reply.len, ABDM_JSON_DEPTH, &answer));
    return K.last.reply_status;
}


static inline int
post(const char *event, const char *body)
{
    return api_at(HIP, event, "", "", body);
}


static inline int
get(const char *event, const char *subject, const char *query)
{
    return api_at(HIP, event, subject, query, "");
}


/* The last call was refused with this code, its message has this text, and nothing was done. */
static inline void
assert_refused(abdm_code_t code, const char *text)
{
    const char *name = abdm_json_string_at(answer, "error.code");
    const char *message = abdm_json_string_at(answer, "error.message");

    if (name == NULL) {
        name = abdm_json_string_at(answer, "errors.0.error.code");
        message = abdm_json_string_at(answer, "errors.0.error.message");
    }
    if (name == NULL || message == NULL)
        fail_msg("no refusal");
    if (strcmp(name, abdm_error_info(code)->name) != 0)
        fail_msg("%s, not %s (%s)", name, abdm_error_info(code)->name, message);
    if (strstr(message, text) == NULL)
        fail_msg("\"%s\" has no \"%s\"", message, text);
    assert_int_equal(K.last.n, 0);
}


static inline bool
api_says(const char *text)
{
    return memmem(K.last.reply.p, K.last.reply.len, text, strlen(text)) != NULL;
}


static inline int
api_rows(const char *table)
{
    char sql[64];

    snprintf(sql, sizeof(sql), "SELECT count(*) FROM %s", table);
    return (int) store_kit_number(&K.store, sql);
}


static inline void
assert_int_at(const char *path, int64_t want)
{
    int64_t got = -1;

    if (!abdm_json_int_at(answer, path, &got) || got != want)
        fail_msg("%s is %lld, not %lld", path, (long long) got, (long long) want);
}


static inline void
api_drop_jobs(void)
{
    while (K.n_jobs > 0)
        abdm_job_clear(&K.job[--K.n_jobs]);
}


#define API_TEST(f) cmocka_unit_test_setup_teardown(f, api_setup, api_teardown)

#endif
