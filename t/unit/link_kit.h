/*
 * For tests of the flows of linking and sharing: a real store, two facilities, and the jobs that
 * the flows ask for, which the test answers one by one, so that it tells a story of several
 * events. Effects are written as the engine writes them, all of an event or nothing; a read can be
 * made to fail. To be included after cmocka.h.
 */
#ifndef ABDM_TEST_LINK_KIT_H
#define ABDM_TEST_LINK_KIT_H

#include "core/json.h"
#include "flow/flow.h"
#include "store_kit.h"

#define HIP     "IN0990001234_1"
#define OTHER   "IN0990005678_1"
#define SECONDS ((abdm_ms_t) 1000)
#define MINUTES (60 * SECONDS)
#define HOURS   (60 * MINUTES)
#define START   ((abdm_ms_t) 1772702411000) /* 2026-03-05T09:20:11Z, 14:50:11 in India */

enum { LINK_JOBS = 2000 };

typedef struct {
    abdm_view_t view; /* first: the store's, but for the read that fails */
    store_kit_t store;
    abdm_facility_t facility[2]; /* HIP and OTHER, as a configuration with all defaults has them */
    abdm_matcher_t *matcher;
    abdm_push_allow_t push_allow;
    abdm_policy_t policy;
    abdm_signers_t *signers; /* NULL: none */
    abdm_ms_t now;
    int reads, fail_at;  /* the read of the event that fails with E_STORE; 0: none */
    int calls;           /* callbacks up to now */
    char request_id[37]; /* of the last one */
    abdm_effects_t last; /* of the last event that succeeded, without its jobs */
    abdm_job_t job[LINK_JOBS]; /* not yet answered, oldest first */
    size_t n_jobs;
} link_kit_t;


static inline const abdm_view_t *
link_read(const abdm_view_t *view, bool *fails)
{
    link_kit_t *k = (link_kit_t *) view;

    *fails = ++k->reads == k->fail_at;
    return abdm_store_view(k->store.store);
}


#define LINK_READ(view, call)                                                                      \
    do {                                                                                           \
        bool fails_;                                                                               \
        const abdm_view_t *real = link_read(view, &fails_);                                        \
        return fails_ ? ABDM_ERR(STORE, "test") : real->call;                                      \
    } while (0)


static inline abdm_err_t
link_view_get(const abdm_view_t *view, abdm_row_id_t id, void *row)
{
    LINK_READ(view, get(real, id, row));
}


static inline abdm_err_t
link_view_find(const abdm_view_t *view, abdm_row_id_t id, int column, const char *hip_id,
               const char *value, size_t max, void **rows, size_t *n)
{
    LINK_READ(view, find(real, id, column, hip_id, value, max, rows, n));
}


static inline abdm_err_t
link_view_sent(const abdm_view_t *view, const char *hip_id, const char *request_id, char **subject,
               char **path)
{
    LINK_READ(view, sent(real, hip_id, request_id, subject, path));
}


static inline abdm_err_t
link_view_consents_of(const abdm_view_t *view, const char *hip_id, const char *abha_address,
                      char ***ids, size_t *n)
{
    LINK_READ(view, consents_of(real, hip_id, abha_address, ids, n));
}


static inline abdm_err_t
link_view_consent(const abdm_view_t *view, const char *hip_id, const char *id,
                  abdm_consent_t *out)
{
    LINK_READ(view, consent(real, hip_id, id, out));
}


static inline abdm_err_t
link_view_transfer(const abdm_view_t *view, const char *hip_id, const char *id,
                   abdm_transfer_t *out)
{
    LINK_READ(view, transfer(real, hip_id, id, out));
}


static inline abdm_err_t
link_view_artefact(const abdm_view_t *view, const char *hip_id, const char *id, char **artefact,
                   char **signature)
{
    LINK_READ(view, artefact(real, hip_id, id, artefact, signature));
}


static inline abdm_err_t
link_view_confirming(const abdm_view_t *view, const char *hip_id, const char *consent_id,
                     size_t max, char ***ids, size_t *n)
{
    LINK_READ(view, confirming(real, hip_id, consent_id, max, ids, n));
}


static inline int
link_kit_open(link_kit_t *k)
{
    memset(k, 0, sizeof(*k));
    store_kit_open(&k->store);
    OK_(abdm_matcher_new(&k->matcher));
    k->view = (abdm_view_t){
        .consent = link_view_consent,
        .get = link_view_get,
        .find = link_view_find,
        .sent = link_view_sent,
        .consents_of = link_view_consents_of,
        .transfer = link_view_transfer,
        .artefact = link_view_artefact,
        .confirming = link_view_confirming,
    };
    k->facility[0] = (abdm_facility_t){
        .id = HIP,
        .name = "Demo Hospital",
        .questions = {[ABDM_HMIS_FIND_PATIENTS] = 3, [ABDM_HMIS_CARE_CONTEXTS] = 1},
        .sms = true,
        .zone = 330,
        .poll = 30 * SECONDS,
        .quiet_from = 21 * 60,
        .quiet_to = 8 * 60,
        .sms_daily = 1000,
        .slot = 2 * SECONDS,
        .discovery_hourly = 10,
        .otp_life = 10 * MINUTES,
    };
    k->facility[1] = k->facility[0];
    k->facility[1].id = OTHER;
    k->facility[1].name = "Other Hospital";
    k->now = START;
    return 0;
}


static inline void
link_kit_close(link_kit_t *k)
{
    for (size_t i = 0; i < k->n_jobs; i++)
        abdm_job_clear(&k->job[i]);
    abdm_effects_clear(&k->last);
    abdm_matcher_free(k->matcher);
    abdm_signers_free(k->signers);
    store_kit_close(&k->store);
}


/* The flow of the event's name; its effects are written and its jobs kept when it succeeds. */
static inline abdm_err_t
link_run(link_kit_t *k, const abdm_event_t *ev)
{
    const abdm_flow_t *flow = abdm_flow_find(ev->name);
    abdm_flow_ctx_t ctx = {
        .view = &k->view,
        .push_allow = &k->push_allow,
        .policy = &k->policy,
        .facility = &k->facility[strcmp(ev->hip_id, HIP) != 0],
        .key = k->store.key,
        .matcher = k->matcher,
        .signers = k->signers,
    };
    abdm_effects_t effects = {0};
    abdm_err_t err;

    if (flow == NULL)
        fail_msg("no flow for %s", ev->name);
    k->reads = 0;
    OK_(abdm_store_begin(k->store.store));
    err = flow->run(&ctx, ev, &effects);
    if (abdm_failed(err)) {
        abdm_store_rollback(k->store.store);
        abdm_effects_clear(&effects);
        return err;
    }
    assert_false(effects.failed);
    OK_(abdm_store_apply(k->store.store, &effects, ev->now));
    OK_(abdm_store_commit(k->store.store));
    for (size_t i = 0; i < effects.n; i++) {
        if (effects.item[i].kind == ABDM_EFFECT_JOB) {
            assert_true(k->n_jobs < LINK_JOBS);
            k->job[k->n_jobs++] = effects.item[i].u.job;
            memset(&effects.item[i].u.job, 0, sizeof(abdm_job_t));
        }
    }
    abdm_effects_clear(&k->last);
    k->last = effects;
    return err;
}


/* A callback for facility `hip` with a REQUEST-ID of its own, see k->request_id. */
static inline abdm_err_t
link_call_at(link_kit_t *k, const char *hip, const char *event, const char *body)
{
    abdm_event_t ev = {.name = event, .hip_id = hip, .subject = "", .request_id = k->request_id,
                       .body = body, .body_len = strlen(body), .query = "", .at = k->now,
                       .now = k->now};

    snprintf(k->request_id, sizeof(k->request_id), "00000000-0000-4000-8000-%012d", ++k->calls);
    return link_run(k, &ev);
}


static inline void
link_call(link_kit_t *k, const char *event, const char *body)
{
    OK_(link_call_at(k, HIP, event, body));
}


/* A call of the hospital's API: what is answered stands in k->last. `body` may be NULL. */
static inline void
link_api(link_kit_t *k, const char *event, const char *subject, const char *query,
         const char *body)
{
    abdm_event_t ev = {.name = event, .hip_id = HIP, .subject = subject, .request_id = "",
                       .body = body, .body_len = body != NULL ? strlen(body) : 0, .query = query,
                       .at = k->now, .now = k->now};

    OK_(link_run(k, &ev));
}


/* --- jobs --- */

/* How many jobs that raise `event` wait; NULL: all. */
static inline size_t
link_waiting(const link_kit_t *k, const char *event)
{
    size_t n = 0;

    for (size_t i = 0; i < k->n_jobs; i++)
        n += event == NULL || strcmp(k->job[i].event, event) == 0;
    return n;
}


/* The oldest job that raises `event`; it stays where it is. `arg` -1: of any. */
static inline abdm_job_t *
link_job(link_kit_t *k, const char *event, int arg)
{
    for (size_t i = 0; i < k->n_jobs; i++) {
        if (strcmp(k->job[i].event, event) == 0 && (arg < 0 || k->job[i].arg == arg))
            return &k->job[i];
    }
    fail_msg("no job raises %s (%d)", event, arg);
    return NULL;
}


/* Moves the job out of the kit: the caller clears it. */
static inline abdm_job_t
link_take(link_kit_t *k, abdm_job_t *job)
{
    abdm_job_t taken = *job;
    size_t i = (size_t) (job - k->job);

    memmove(job, job + 1, (k->n_jobs - i - 1) * sizeof(*job));
    k->n_jobs--;
    return taken;
}


/* Takes the oldest GATEWAY job to `path`. */
static inline abdm_job_t
link_out(link_kit_t *k, const char *path)
{
    for (size_t i = 0; i < k->n_jobs; i++) {
        if ((k->job[i].kind == ABDM_JOB_GATEWAY || k->job[i].kind == ABDM_JOB_LINK)
            && strcmp(k->job[i].path, path) == 0)
            return link_take(k, &k->job[i]);
    }
    fail_msg("nothing goes to %s", path);
    return (abdm_job_t){0};
}


/* The job's event with `result`, whose records are taken. The job is done when the flow succeeds
 * and stays when it does not. */
static inline abdm_err_t
link_raise(link_kit_t *k, abdm_job_t *job, abdm_result_t result)
{
    abdm_job_t taken = link_take(k, job);
    abdm_event_t ev = {.name = taken.event, .hip_id = taken.hip_id, .subject = taken.subject,
                       .arg = taken.arg, .request_id = taken.request_id, .body = taken.body,
                       .body_len = taken.body_len, .query = "", .at = taken.created_at,
                       .now = k->now,
                       .result = taken.kind == ABDM_JOB_EVENT ? NULL : &result};
    abdm_err_t err = link_run(k, &ev);

    json_decref(result.records);
    if (abdm_failed(err)) {
        assert_true(k->n_jobs < LINK_JOBS);
        k->job[k->n_jobs++] = taken;
    } else {
        abdm_job_clear(&taken);
    }
    return err;
}


static inline json_t *
link_json(const char *text)
{
    json_t *json = NULL;

    if (abdm_failed(abdm_json_parse(text, strlen(text), ABDM_JSON_DEPTH, &json)))
        fail_msg("not JSON: %s", text);
    return json;
}


/* The oldest job that raises `event` was done; `records`: JSON of its answer, NULL for none. */
static inline void
link_done(link_kit_t *k, const char *event, int arg, const char *records)
{
    OK_(link_raise(k, link_job(k, event, arg),
                   (abdm_result_t){.status = 200,
                                   .records = records != NULL ? link_json(records) : NULL}));
}


/* It failed for good with `code`; `gateway`: digits of the gateway's own code, NULL for none. */
static inline void
link_failed(link_kit_t *k, const char *event, int arg, abdm_code_t code, const char *gateway)
{
    abdm_result_t result = {.err = {code, "test", "test"}, .final = true};

    snprintf(result.code, sizeof(result.code), "%s", gateway != NULL ? gateway : "");
    OK_(link_raise(k, link_job(k, event, arg), result));
}


/* A GATEWAY job leaves under the REQUEST-ID `id`, so that an on-* callback can name it. */
static inline void
link_send(link_kit_t *k, const abdm_job_t *job, const char *id)
{
    abdm_job_t sent = *job;

    sent.request_id = (char *) id;
    OK_(abdm_store_sent(k->store.store, &sent, k->now));
}


/* The clock goes to `then`, and every moment that is due until then comes in its order. */
static inline void
link_until(link_kit_t *k, abdm_ms_t then)
{
    for (;;) {
        abdm_job_t *next = NULL;

        for (size_t i = 0; i < k->n_jobs; i++) {
            abdm_job_t *job = &k->job[i];

            if (job->kind == ABDM_JOB_EVENT && job->due_at <= then
                && (next == NULL || job->due_at < next->due_at))
                next = job;
        }
        if (next == NULL)
            break;
        k->now = next->due_at > k->now ? next->due_at : k->now;
        OK_(link_raise(k, next, (abdm_result_t){0}));
    }
    k->now = then;
}


/* --- looking --- */

static inline bool
link_audited(const link_kit_t *k, const char *what, abdm_code_t code)
{
    for (size_t i = 0; i < k->last.n; i++) {
        const abdm_effect_t *e = &k->last.item[i];

        if (e->kind == ABDM_EFFECT_AUDIT && strcmp(e->u.audit.what, what) == 0
            && e->u.audit.code == code)
            return true;
    }
    return false;
}


/* Does any effect of the last event change a row? */
static inline bool
link_changed(const link_kit_t *k)
{
    for (size_t i = 0; i < k->last.n; i++) {
        if (k->last.item[i].kind != ABDM_EFFECT_AUDIT)
            return true;
    }
    return false;
}


static inline json_t *
link_body(const abdm_job_t *job)
{
    return link_json(job->body);
}


static inline void
assert_at(const json_t *body, const char *path, const char *want)
{
    const char *z = abdm_json_string_at(body, path);

    if (z == NULL)
        fail_msg("nothing at %s, not %s", path, want);
    assert_string_equal(z, want);
}


/* Is `text` to be read anywhere in the files of the store? */
static inline bool
link_on_disk(link_kit_t *k, const char *text)
{
    static const char *const suffixes[] = {"", "-wal"};
    bool found = false;

    for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
        char name[128], *bytes;
        FILE *file;
        long size;

        snprintf(name, sizeof(name), "%s%s", k->store.path, suffixes[i]);
        file = fopen(name, "rb");
        if (file == NULL)
            continue;
        assert_int_equal(fseek(file, 0, SEEK_END), 0);
        size = ftell(file);
        rewind(file);
        bytes = malloc((size_t) size + 1);
        assert_non_null(bytes);
        assert_int_equal(fread(bytes, 1, (size_t) size, file), size);
        found |= memmem(bytes, (size_t) size, text, strlen(text)) != NULL;
        free(bytes);
        fclose(file);
    }
    return found;
}


/* A text that a row may own. */
static inline char *
link_dup(const char *z)
{
    char *copy = strdup(z);

    assert_non_null(copy);
    return copy;
}


/* Writes rows into the store: LINK_PUT(k, patient, .hip_id = HIP, .ref = "MR-1"). */
#define LINK_PUT(k, kind, ...)                                                                     \
    do {                                                                                           \
        abdm_row_##kind##_t row_ = {__VA_ARGS__};                                                  \
        abdm_effects_t e_ = {0};                                                                   \
        abdm_effect_put_##kind(&e_, &row_);                                                        \
        assert_false(e_.failed);                                                                   \
        OK_(abdm_store_apply((k)->store.store, &e_, (k)->now));                                    \
        abdm_effects_clear(&e_);                                                                   \
    } while (0)

/* Reads one by its key, to be cleared: LINK_GET(k, patient, &row, .hip_id = HIP, .ref = "MR-1").
 * Fails the test when there is none. */
#define LINK_GET(k, kind, out, ...)                                                                \
    do {                                                                                           \
        abdm_row_##kind##_t key_ = {__VA_ARGS__};                                                  \
        OK_(abdm_row_copy(ABDM_ROW_##kind, (out), &key_));                                         \
        OK_(abdm_row_##kind##_get(abdm_store_view((k)->store.store), (out)));                      \
    } while (0)

/* For each read that an event makes: it fails, nothing is done, and the event can come again. */
#define LINK_EACH_READ_FAILS(k, call)                                                              \
    do {                                                                                           \
        abdm_err_t err_ = {ABDM_E_STORE, "", ""};                                                  \
        for ((k)->fail_at = 1; abdm_failed(err_); (k)->fail_at++) {                                \
            size_t jobs_ = (k)->n_jobs;                                                            \
            err_ = (call);                                                                         \
            assert_true(err_.code == ABDM_OK || err_.code == ABDM_E_STORE);                        \
            if (abdm_failed(err_))                                                                 \
                assert_int_equal((k)->n_jobs, jobs_);                                              \
        }                                                                                          \
        assert_true((k)->fail_at > 2);                                                             \
        (k)->fail_at = 0;                                                                          \
    } while (0)

#endif
