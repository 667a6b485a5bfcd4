/*
 * For tests of linking that the hospital begins: patients and visits in a row each, and the
 * gateway's part, which is to take a call or not and to answer it by callback. To be included
 * after cmocka.h.
 */
#ifndef ABDM_TEST_LINKING_KIT_H
#define ABDM_TEST_LINKING_KIT_H

#include "gateway/outbound_link.h"
#include "link_kit.h"

#define ASHA "asha.k@sbx"
#define DAYS (24 * HOURS)

static link_kit_t K;


static inline int
kit_open(void **state)
{
    (void) state;
    return link_kit_open(&K);
}


static inline int
kit_close(void **state)
{
    (void) state;
    link_kit_close(&K);
    return 0;
}


#define KIT_TEST(f) cmocka_unit_test_setup_teardown(f, kit_open, kit_close)


/* --- rows --- */

static inline void
patient_with(const char *ref, const char *abha)
{
    LINK_PUT(&K, patient, .hip_id = HIP, .ref = (char *) ref, .abha_address = (char *) abha,
             .name = "Asha Kumari", .gender = "F", .year_of_birth = 1988,
             .mobile = "9000000001");
}


static inline void
visit(const char *ref, const char *patient_ref)
{
    LINK_PUT(&K, context, .hip_id = HIP, .ref = (char *) ref, .patient_ref = (char *) patient_ref,
             .display = "OPD visit", .hi_types = 1u << ABDM_HI_PRESCRIPTION, .created_at = K.now);
}


static inline void
visits(int n, const char *patient_ref)
{
    for (int i = 0; i < n; i++) {
        char ref[16];

        snprintf(ref, sizeof(ref), "V-%05d", i);
        visit(ref, patient_ref);
    }
}


/* Its texts live until four others were asked for. */
static inline const abdm_row_context_t *
context_row(const char *ref)
{
    static abdm_row_context_t rows[4];
    static char text[4][5][128];
    static unsigned next;
    abdm_row_context_t *row = &rows[next % 4];
    char **members[] = {&row->hip_id, &row->ref, &row->patient_ref, &row->batch, &row->reason};
    char(*kept)[128] = text[next++ % 4];
    abdm_row_context_t read = {0};

    LINK_GET(&K, context, &read, .hip_id = HIP, .ref = (char *) ref);
    *row = read;
    for (size_t i = 0; i < 5; i++) {
        if (*members[i] != NULL) {
            snprintf(kept[i], sizeof(kept[i]), "%s", *members[i]);
            *members[i] = kept[i];
        }
    }
    row->display = row->version = NULL;
    abdm_row_context_clear(&read);
    return row;
}


static inline int
state_of(const char *ref)
{
    return (int) context_row(ref)->state;
}


static inline size_t
count_in(int state)
{
    char sql[96];

    snprintf(sql, sizeof(sql), "SELECT count(*) FROM context WHERE state = %d", state);
    return (size_t) store_kit_number(&K.store, sql);
}


/* Of ASHA, or of another; its token only says whether there is one. */
static inline abdm_row_link_token_t
token_row_of(const char *abha)
{
    abdm_row_link_token_t row = {0}, copy;

    LINK_GET(&K, link_token, &row, .hip_id = HIP, .abha_address = (char *) abha);
    copy = row;
    copy.token = row.token != NULL ? "kept" : NULL;
    copy.hip_id = copy.abha_address = copy.answered = NULL;
    abdm_row_link_token_clear(&row);
    return copy;
}


/* A token as the gateway's, with its end in its claims. */
static inline const char *
jwt(abdm_ms_t expires_at)
{
    static char token[256];
    char claims[64], coded[128];
    size_t n = (size_t) snprintf(claims, sizeof(claims), "{\"exp\":%lld}",
                                 (long long) (expires_at / 1000));

    n = abdm_base64_encode(claims, n, coded);
    while (n > 0 && coded[n - 1] == '=')
        n--;
    snprintf(token, sizeof(token), "eyJhbGciOiJSUzUxMiJ9.%.*s.c2VjcmV0", (int) n, coded);
    return token;
}


static inline void
keep_token(const char *abha)
{
    LINK_PUT(&K, link_token, .hip_id = HIP, .abha_address = (char *) abha, .token = "a.token.kept",
             .expires_at = K.now + 100 * DAYS);
}


/* --- events --- */

static inline abdm_err_t
raise_event(const char *hip, const char *event, const char *subject)
{
    abdm_event_t ev = {.name = event, .hip_id = hip, .subject = subject, .request_id = "",
                       .query = "", .at = K.now, .now = K.now};

    return link_run(&K, &ev);
}


static inline void
due(const char *patient_ref)
{
    OK_(raise_event(HIP, "link.due", patient_ref));
}


/* --- the gateway's part --- */

static inline bool
linking_is_call(const abdm_job_t *job)
{
    return job->kind == ABDM_JOB_GATEWAY || job->kind == ABDM_JOB_LINK;
}


/* The oldest call to `path` that waits; NULL: none. */
static inline abdm_job_t *
call_to(const char *path)
{
    for (size_t i = 0; i < K.n_jobs; i++) {
        if (linking_is_call(&K.job[i]) && strcmp(K.job[i].path, path) == 0)
            return &K.job[i];
    }
    return NULL;
}


static inline size_t
calls_to(const char *path)
{
    size_t n = 0;

    for (size_t i = 0; i < K.n_jobs; i++)
        n += linking_is_call(&K.job[i]) && strcmp(K.job[i].path, path) == 0;
    return n;
}


/* It leaves: its REQUEST-ID, one of the last sixteen. */
static inline const char *
leaves(const char *path)
{
    static char ids[16][37];
    static unsigned n;
    char *id = ids[n++ % 16];
    abdm_job_t *job = call_to(path);

    if (job == NULL)
        fail_msg("nothing goes to %s", path);
    snprintf(id, 37, "10000000-0000-4000-8000-%012u", n);
    free(job->request_id);
    job->request_id = link_dup(id);
    link_send(&K, job, id);
    return id;
}


/* What comes of it. */
static inline void
result_is(const char *path, abdm_code_t code, int status, const char *gateway)
{
    abdm_result_t result = {.err = {code, "test", "test"}, .final = true, .status = status};

    snprintf(result.code, sizeof(result.code), "%s", gateway);
    assert_non_null(call_to(path));
    OK_(link_raise(&K, call_to(path), result));
}


static inline void
taken(const char *path)
{
    result_is(path, ABDM_OK, 202, "");
}


/* Leaves and is taken. */
static inline const char *
goes(const char *path)
{
    const char *id = leaves(path);

    taken(path);
    return id;
}


static inline void
fails(const char *path, abdm_code_t code)
{
    (void) leaves(path);
    result_is(path, code, code == ABDM_E_HTTP_STATUS ? 503 : 0, "");
}


static inline void
is_refused(const char *path, const char *gateway)
{
    (void) leaves(path);
    result_is(path, ABDM_E_GATEWAY_REFUSED, 400, gateway);
}


/* A callback that answers call `id`; `members` stand before `response`. */
static inline abdm_err_t
answers_at(const char *hip, const char *event, const char *id, const char *members)
{
    char body[1024];

    snprintf(body, sizeof(body), "{%s%s\"response\":{\"requestId\":\"%s\"}}", members,
             members[0] != '\0' ? "," : "", id);
    return link_call_at(&K, hip, event, body);
}


static inline void
answers(const char *event, const char *id, const char *members)
{
    OK_(answers_at(HIP, event, id, members));
}


static inline void
answers_error(const char *event, const char *id, const char *code)
{
    char members[128];

    snprintf(members, sizeof(members), "\"error\":{\"code\":\"ABDM-%s\",\"message\":\"no\"}", code);
    answers(event, id, members);
}


static inline void
token_comes(const char *id, const char *abha, abdm_ms_t expires_at)
{
    char members[512];

    snprintf(members, sizeof(members), "\"abhaAddress\":\"%s\",\"linkToken\":\"%s\"", abha,
             jwt(expires_at));
    answers("link.token_came", id, members);
}


/* Everything that is due now and asks nobody outside. */
static inline void
settle_now(void)
{
    link_until(&K, K.now);
}

#endif
