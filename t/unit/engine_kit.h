/*
 * An engine started for real on a temporary store, with a table of flows of its own and a TLS
 * server in the place of the gateway. Every event that a flow is given is written down.
 * To be included after cmocka.h.
 */
#ifndef ABDM_TEST_ENGINE_KIT_H
#define ABDM_TEST_ENGINE_KIT_H

#include "engine/engine.h"
#include "gateway/outbound.h"
#include "server_kit.h"
#include "store_kit.h"

enum { EVENTS = 512 };

typedef struct {
    char name[32], hip_id[32], subject[64], request_id[64], body[128];
    int arg;
    abdm_code_t code; /* of the result, ABDM_OK without one */
    int status;
    bool final;
    abdm_ms_t now;
} seen_t;

static struct {
    store_kit_t store;
    server_t server;
    abdm_engine_t *engine;
    abdm_engine_config_t config;
    abdm_engine_facility_t facility;
    X509_STORE *trust;
    atomic_int wakes;
    atomic_int undecided; /* how often the flow t.undecided still cannot decide */
    pthread_mutex_t lock;
    seen_t seen[EVENTS];
    int n_seen;
    /* the gateway's behaviour, by counting down */
    atomic_int fail_503, fail_400, fail_401, silent, retry_after;
    atomic_int calls, sessions, certs;
    atomic_int certs_status, certs_delay;
    char request_ids[64][64];
    char tokens[64][32];
    atomic_int errors; /* lines of the log */
} E;


static inline abdm_err_t
note(const abdm_event_t *ev)
{
    seen_t *s;

    pthread_mutex_lock(&E.lock);
    s = &E.seen[E.n_seen < EVENTS - 1 ? E.n_seen++ : EVENTS - 1];
    snprintf(s->name, sizeof(s->name), "%s", ev->name);
    snprintf(s->hip_id, sizeof(s->hip_id), "%s", ev->hip_id);
    snprintf(s->subject, sizeof(s->subject), "%s", ev->subject);
    snprintf(s->request_id, sizeof(s->request_id), "%s",
             ev->request_id != NULL ? ev->request_id : "");
    snprintf(s->body, sizeof(s->body), "%.*s", (int) ev->body_len, ev->body ? ev->body : "");
    s->arg = ev->arg;
    s->now = ev->now;
    if (ev->result != NULL) {
        s->code = ev->result->err.code;
        s->status = ev->result->status;
        s->final = ev->result->final;
    }
    pthread_mutex_unlock(&E.lock);
    return ABDM_NO_ERR;
}


static inline int
count_seen(const char *name)
{
    int n = 0;

    pthread_mutex_lock(&E.lock);
    for (int i = 0; i < E.n_seen; i++)
        n += strcmp(E.seen[i].name, name) == 0;
    pthread_mutex_unlock(&E.lock);
    return n;
}


/* The n-th event of a name. */
static inline seen_t
seen(const char *name, int n)
{
    seen_t found = {.code = ABDM_CODE_COUNT};

    pthread_mutex_lock(&E.lock);
    for (int i = 0; i < E.n_seen; i++) {
        if (strcmp(E.seen[i].name, name) == 0 && n-- == 0)
            found = E.seen[i];
    }
    pthread_mutex_unlock(&E.lock);
    return found;
}


/* --- flows --- */

static inline abdm_err_t
flow_note(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, abdm_effects_t *out)
{
    (void) ctx;
    (void) out;
    return note(ev);
}


/* A call to the gateway; the body of the callback says how many ms it may take. */
static inline abdm_err_t
flow_call(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, abdm_effects_t *out)
{
    abdm_job_t job = {.kind = ABDM_JOB_GATEWAY, .event = "t.called",
                      .hip_id = (char *) ev->hip_id, .subject = "S-1", .path = "/call",
                      .due_at = ev->now, .created_at = ev->now,
                      .deadline_at = ev->now + strtol(strpbrk(ev->body, "0123456789"), NULL, 10)};

    (void) ctx;
    job.body = strdup("{\"x\":1}");
    job.body_len = strlen(job.body);
    abdm_effect_job(out, &job);
    return note(ev);
}


/* A moment; the body of the callback says how many ms away. */
static inline abdm_err_t
flow_later(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, abdm_effects_t *out)
{
    abdm_job_t job = {.kind = ABDM_JOB_EVENT, .event = "t.noted", .hip_id = (char *) ev->hip_id,
                      .subject = "S-2", .arg = 9, .created_at = ev->now,
                      .deadline_at = ev->now + 60000,
                      .due_at = ev->now + strtol(strpbrk(ev->body, "0123456789"), NULL, 10)};

    (void) ctx;
    abdm_effect_job(out, &job);
    return note(ev);
}


static inline abdm_err_t
flow_undecided(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, abdm_effects_t *out)
{
    (void) ctx;
    if (atomic_load(&E.undecided) > 0) {
        atomic_fetch_sub(&E.undecided, 1);
        abdm_effect_audit(out, ev->hip_id, "S-3", "never applied", ABDM_NO_ERR, NULL);
        return ABDM_ERR(MEMORY, "a test");
    }
    return note(ev);
}


/* The first of its effects can be applied, the second cannot. */
static inline abdm_err_t
flow_half(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, abdm_effects_t *out)
{
    const abdm_transfer_t none = {.id = "T-none", .hip_id = (char *) ev->hip_id};
    const abdm_page_t page = {0};

    (void) ctx;
    if (atomic_load(&E.undecided) > 0) {
        atomic_fetch_sub(&E.undecided, 1);
        abdm_effect_audit(out, ev->hip_id, "S-4", "half applied", ABDM_NO_ERR, NULL);
        abdm_effect_page(out, &none, &page);
        return ABDM_NO_ERR;
    }
    return note(ev);
}


static inline const abdm_flow_t *
find_test_flow(const char *event)
{
    static const abdm_flow_t flows[] = {{"t.noted", flow_note},
                                        {"t.call", flow_call},
                                        {"t.called", flow_note},
                                        {"t.later", flow_later},
                                        {"t.undecided", flow_undecided},
                                        {"t.half", flow_half}};

    for (size_t i = 0; i < sizeof(flows) / sizeof(flows[0]); i++) {
        if (strcmp(flows[i].event, event) == 0)
            return &flows[i];
    }
    return NULL;
}


/* --- the gateway --- */

static inline bool
take_one(atomic_int *counter)
{
    if (atomic_load(counter) <= 0)
        return false;
    return atomic_fetch_sub(counter, 1) > 0;
}


static inline void
copy_header(const char *head, const char *name, char *out, size_t cap)
{
    const char *line = strcasestr(head, name);

    snprintf(out, cap, "%.*s", line != NULL ? (int) strcspn(line + strlen(name), "\r") : 0,
             line != NULL ? line + strlen(name) : "");
}


static inline void
gateway(server_t *s, const server_request_t *r, server_reply_t *reply)
{
    static __thread char text[256];

    (void) s;
    reply->body = text;
    text[0] = '\0';
    if (strcmp(r->path, ABDM_PATH_SESSIONS) == 0) {
        snprintf(text, sizeof(text), "{\"accessToken\":\"token-%d\",\"expiresIn\":1200}",
                 atomic_fetch_add(&E.sessions, 1) + 1);
    } else if (strcmp(r->path, ABDM_PATH_CERTS) == 0) {
        atomic_fetch_add(&E.certs, 1);
        server_nap(atomic_load(&E.certs_delay));
        reply->status = atomic_load(&E.certs_status);
    } else {
        int n = atomic_fetch_add(&E.calls, 1) % 64;

        pthread_mutex_lock(&E.lock);
        copy_header(r->head, "\r\nREQUEST-ID: ", E.request_ids[n], sizeof(E.request_ids[n]));
        copy_header(r->head, "\r\nAuthorization: Bearer ", E.tokens[n], sizeof(E.tokens[n]));
        pthread_mutex_unlock(&E.lock);
        reply->status = take_one(&E.fail_503)   ? 503
                        : take_one(&E.fail_400) ? 400
                        : take_one(&E.fail_401) ? 401
                                                : 202;
        if (reply->status == 503 && atomic_load(&E.retry_after) > 0)
            reply->more = "Retry-After: 2\r\n";
        reply->silent = take_one(&E.silent);
    }
}


/* --- life --- */

static inline void
on_wake(void *ctx)
{
    (void) ctx;
    atomic_fetch_add(&E.wakes, 1);
}


static inline void
on_log(void *ctx, abdm_log_level_t level, const char *line)
{
    (void) ctx;
    if (level == ABDM_LOG_ERROR)
        atomic_fetch_add(&E.errors, 1);
    if (getenv("ENGINE_LOG") != NULL)
        fprintf(stderr, "# log %d %s\n", (int) level, line);
}


static inline void
engine_begin(void)
{
    OK_(abdm_engine_start(&E.config, on_wake, NULL, &E.engine));
}


static inline int
engine_set_up(void **state)
{
    static char certs[128];

    (void) state;
    memset(&E, 0, sizeof(E));
    pthread_mutex_init(&E.lock, NULL);
    atomic_store(&E.certs_status, 503);
    store_kit_open(&E.store);
    server_start(&E.server, true, gateway, NULL);
    E.trust = server_trust(&E.server);
    E.facility = (abdm_engine_facility_t){.facts = {.id = "HIP_1", .name = "Test"}};
    snprintf(certs, sizeof(certs), "%s%s", E.server.url, ABDM_PATH_CERTS);
    E.config = (abdm_engine_config_t){
        .store_url = E.store.url, .seal_key = E.store.key, .find_flow = find_test_flow,
        .facility = &E.facility, .n_facility = 1, .trust = E.trust, .spool_dir = E.store.dir,
        .record_max = 1000000, .gateway_url = E.server.url, .cm_id = "sbx",
        .client_id = "SBX_1", .client_secret = ABDM_LIT("secret"), .jwks_url = {certs, NULL},
        .log = {.write = on_log}, .queue = 1000};
    engine_begin();
    return 0;
}


static inline void
engine_end(int64_t deadline_ms)
{
    if (E.engine != NULL)
        abdm_engine_stop(E.engine, deadline_ms);
    E.engine = NULL;
}


static inline int
engine_tear_down(void **state)
{
    (void) state;
    engine_end(1000);
    server_stop(&E.server);
    X509_STORE_free(E.trust);
    store_kit_close(&E.store);
    pthread_mutex_destroy(&E.lock);
    return 0;
}


/* --- callbacks and news --- */

static inline abdm_err_t
send_callback(const char *event, const char *request_id, const char *body, void *tag)
{
    abdm_callback_t cb = {.path = strdup("/api/v3/t"), .event = event ? strdup(event) : NULL,
                          .hip_id = strdup("HIP_1"), .request_id = strdup(request_id),
                          .body = strdup(body), .body_len = strlen(body),
                          .received_at = abdm_time_now()};

    return abdm_engine_accept(E.engine, &cb, tag);
}


/* The next news of a kind; others are dropped. Must come within half a minute. */
static inline abdm_news_t *
next_news(abdm_news_kind_t kind)
{
    for (int i = 0; i < torture_patience(30000) / 2; i++) {
        abdm_news_t *news = abdm_engine_reap(E.engine);

        if (news == NULL)
            server_nap(2);
        else if (news->kind == kind)
            return news;
        abdm_news_free(news);
    }
    fail_msg("no news");
    return NULL;
}


static inline abdm_code_t
outcome(void)
{
    abdm_news_t *news = next_news(ABDM_NEWS_CALLBACK);
    abdm_code_t code = news->err.code;

    abdm_news_free(news);
    return code;
}


static inline void
accept_one(const char *event, const char *request_id, const char *body)
{
    OK_(send_callback(event, request_id, body, NULL));
    assert_int_equal(outcome(), ABDM_OK);
}

#define assert_soon(expr) assert_true(WAIT_UNTIL(expr, 10000))

#define ENGINE_TEST(f) cmocka_unit_test_setup_teardown(f, engine_set_up, engine_tear_down)

#endif
