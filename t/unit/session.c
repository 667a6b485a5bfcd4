/*
 * The session with the gateway: fetched once for all who wait, renewed before its end, dropped
 * when the gateway refuses it, and its failure told to everyone.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "engine/task.h"
#include "gateway/outbound.h"
#include "server_kit.h"

enum { CALLERS = 20 };

typedef struct {
    abdm_call_t call; /* first */
    uint64_t generation;
    atomic_int done;
} test_call_t;

typedef struct {
    server_t server;
    atomic_int sessions; /* asked for */
    atomic_int status;   /* of the answer about sessions */
    atomic_int life;     /* seconds */
    atomic_int delay;    /* ms before that answer */
    abdm_engine_config_t config;
    X509_STORE *trust;
    abdm_http_t *http;
    abdm_session_t *session;
} bench_t;


static void
answer(server_t *s, const server_request_t *r, server_reply_t *reply)
{
    static __thread char text[SERVER_HEAD];
    bench_t *b = s->ctx;

    reply->body = text;
    if (strcmp(r->path, ABDM_PATH_SESSIONS) == 0) {
        int n = atomic_fetch_add(&b->sessions, 1) + 1;

        server_nap(atomic_load(&b->delay));
        reply->status = atomic_load(&b->status);
        snprintf(text, sizeof(text), "{\"accessToken\":\"token-%d\",\"expiresIn\":%d}", n,
                 atomic_load(&b->life));
        if (strstr(r->body, "\"clientSecret\":\"se\\\"cret\"") == NULL
            || strcasestr(r->head, "\r\nAuthorization:") != NULL
            || strcasestr(r->head, "\r\nX-CM-ID: sbx\r\n") == NULL)
            reply->status = 400;
    } else {
        memcpy(text, r->head, sizeof(text));
    }
}


static int
set_up(void **state)
{
    bench_t *b = calloc(1, sizeof(*b));

    atomic_store(&b->status, 200);
    atomic_store(&b->life, 1200);
    server_start(&b->server, true, answer, b);
    b->config = (abdm_engine_config_t){.gateway_url = b->server.url, .cm_id = "sbx",
                                       .client_id = "SBX_1",
                                       .client_secret = ABDM_LIT("se\"cret")};
    b->trust = server_trust(&b->server);
    assert_int_equal(abdm_http_start(b->trust, &b->http).code, ABDM_OK);
    assert_int_equal(abdm_session_new(&b->config, b->http, &b->session).code, ABDM_OK);
    *state = b;
    return 0;
}


static int
tear_down(void **state)
{
    bench_t *b = *state;

    abdm_http_stop(b->http);
    abdm_http_free(b->http);
    abdm_session_free(b->session);
    abdm_session_free(NULL);
    X509_STORE_free(b->trust);
    server_stop(&b->server);
    free(b);
    return 0;
}


static void
on_done(abdm_call_t *call)
{
    atomic_fetch_add(&((test_call_t *) call)->done, 1);
}


static void
init(bench_t *b, test_call_t *c)
{
    char url[256];

    memset(c, 0, sizeof(*c));
    snprintf(url, sizeof(url), "%s/call", b->server.url);
    c->call.url = strdup(url);
    c->call.total_ms = c->call.idle_ms = 10000;
    c->call.answer_max = SERVER_HEAD;
    c->call.done = on_done;
}


static void
wait_for(test_call_t *c)
{
    assert_true(WAIT_UNTIL(atomic_load(&c->done) == 1, 10000));
    abdm_buf_add(&c->call.answer, "", 1);
}


static void
call(bench_t *b, test_call_t *c)
{
    init(b, c);
    abdm_session_submit(b->session, &c->call,
                        &(abdm_call_ids_t){.request_id = "r-1", .hip_id = "HIP_1"},
                        &c->generation);
    wait_for(c);
}


static void
assert_used(const test_call_t *c, const char *token)
{
    char line[128];

    snprintf(line, sizeof(line), "\r\nAuthorization: Bearer %s\r\n", token);
    assert_int_equal(c->call.err.code, ABDM_OK);
    assert_non_null(strstr(c->call.answer.p, line));
}


static void
a_call_goes_out_with_the_session_and_the_headers_of_the_protocol(void **state)
{
    bench_t *b = *state;
    test_call_t c;

    call(b, &c);
    assert_used(&c, "token-1");
    assert_non_null(strstr(c.call.answer.p, "\r\nREQUEST-ID: r-1\r\n"));
    assert_non_null(strstr(c.call.answer.p, "\r\nX-CM-ID: sbx\r\n"));
    assert_non_null(strstr(c.call.answer.p, "\r\nX-HIP-ID: HIP_1\r\n"));
    assert_non_null(strstr(c.call.answer.p, "\r\nTIMESTAMP: 2"));
    abdm_call_clear(&c.call);

    init(b, &c); /* without ids a REQUEST-ID is made and no facility named */
    abdm_session_submit(b->session, &c.call,
                        &(abdm_call_ids_t){.request_id = NULL, .hip_id = NULL},
                        &c.generation);
    wait_for(&c);
    assert_int_equal(c.call.err.code, ABDM_OK);
    assert_non_null(strstr(c.call.answer.p, "\r\nREQUEST-ID: "));
    assert_null(strstr(c.call.answer.p, "X-HIP-ID"));
    abdm_call_clear(&c.call);
    assert_int_equal(atomic_load(&b->sessions), 1);
}


typedef struct {
    bench_t *b;
    test_call_t c;
    pthread_t thread;
} caller_t;


static void *
run_caller(void *arg)
{
    caller_t *caller = arg;

    abdm_session_submit(caller->b->session, &caller->c.call,
                        &(abdm_call_ids_t){.request_id = "r-1", .hip_id = "HIP_1"},
                        &caller->c.generation);
    return NULL;
}


static void
twenty_callers_at_once_cause_one_fetch(void **state)
{
    bench_t *b = *state;
    caller_t *callers = calloc(CALLERS, sizeof(*callers));

    assert_non_null(callers);
    atomic_store(&b->delay, 100);
    for (int i = 0; i < CALLERS; i++) {
        callers[i].b = b;
        init(b, &callers[i].c);
        assert_int_equal(pthread_create(&callers[i].thread, NULL, run_caller, &callers[i]), 0);
    }
    for (int i = 0; i < CALLERS; i++) {
        pthread_join(callers[i].thread, NULL);
        wait_for(&callers[i].c);
        assert_used(&callers[i].c, "token-1");
        assert_int_equal(callers[i].c.generation, 1);
        abdm_call_clear(&callers[i].c.call);
    }
    assert_int_equal(atomic_load(&b->sessions), 1);
    free(callers);
}


static void
the_failure_of_a_fetch_is_told_to_all_who_wait_and_tried_again_after_a_pause(void **state)
{
    bench_t *b = *state;
    test_call_t *c = calloc(CALLERS, sizeof(*c)), again;

    assert_non_null(c);
    atomic_store(&b->delay, 100);
    atomic_store(&b->status, 401);
    for (int i = 0; i < CALLERS; i++) {
        init(b, &c[i]);
        abdm_session_submit(b->session, &c[i].call,
                        &(abdm_call_ids_t){.request_id = "r-1", .hip_id = NULL},
                        &c[i].generation);
    }
    for (int i = 0; i < CALLERS; i++) {
        wait_for(&c[i]);
        assert_int_equal(c[i].call.err.code, ABDM_E_SESSION);
        assert_int_equal(c[i].call.status, 0);
        abdm_call_clear(&c[i].call);
    }
    assert_int_equal(atomic_load(&b->sessions), 1);
    assert_int_equal(atomic_load(&b->server.requests), 1); /* none of the calls went out */

    atomic_store(&b->status, 202);
    call(b, &again); /* not before a pause, so that a wrong secret does not flood the gateway */
    assert_int_equal(again.call.err.code, ABDM_E_SESSION);
    abdm_call_clear(&again.call);
    assert_int_equal(atomic_load(&b->sessions), 1);
    server_nap(2050);
    call(b, &again);
    assert_used(&again, "token-2");
    abdm_call_clear(&again.call);
    free(c);
}


static void
a_session_of_an_odd_life_counts_with_the_default(void **state)
{
    bench_t *b = *state;
    test_call_t c;

    atomic_store(&b->life, -5); /* an odd life is none: the default counts */
    call(b, &c);
    assert_used(&c, "token-1");
    abdm_call_clear(&c.call);
    call(b, &c);
    assert_used(&c, "token-1");
    abdm_call_clear(&c.call);
}


static void
a_session_is_renewed_before_its_end(void **state)
{
    bench_t *b = *state;
    test_call_t c;

    atomic_store(&b->life, 1); /* so short that half of it counts */
    call(b, &c);
    assert_used(&c, "token-1");
    abdm_call_clear(&c.call);
    call(b, &c);
    assert_used(&c, "token-1");
    abdm_call_clear(&c.call);
    server_nap(600);
    call(b, &c);
    assert_used(&c, "token-2");
    assert_int_equal(c.generation, 2);
    abdm_call_clear(&c.call);
}


static void
a_session_that_cannot_be_renewed_serves_until_its_end(void **state)
{
    bench_t *b = *state;
    test_call_t c;

    atomic_store(&b->life, 4);
    call(b, &c);
    abdm_call_clear(&c.call);
    atomic_store(&b->status, 500);
    server_nap(2100); /* half of its life: renewal is tried */
    call(b, &c);
    assert_used(&c, "token-1");
    assert_int_equal(atomic_load(&b->sessions), 2);
    abdm_call_clear(&c.call);
    server_nap(2100);
    call(b, &c);
    assert_int_equal(c.call.err.code, ABDM_E_SESSION);
    abdm_call_clear(&c.call);
}


static void
a_dropped_session_is_fetched_anew_and_an_older_one_cannot_be_dropped_twice(void **state)
{
    bench_t *b = *state;
    test_call_t c;

    call(b, &c);
    abdm_call_clear(&c.call);
    abdm_session_drop(b->session, c.generation);
    call(b, &c);
    assert_used(&c, "token-2");
    abdm_call_clear(&c.call);
    abdm_session_drop(b->session, 1); /* a late 401 of the first one */
    call(b, &c);
    assert_used(&c, "token-2");
    abdm_call_clear(&c.call);
    assert_int_equal(atomic_load(&b->sessions), 2);
}


/* Calls and drops from several threads at the same time: for the sanitizers. */
static void *
run_many(void *arg)
{
    bench_t *b = arg;

    for (int i = 0; i < 25; i++) {
        test_call_t c;

        call(b, &c);
        assert_int_equal(c.call.err.code, ABDM_OK);
        abdm_session_drop(b->session, c.generation);
        abdm_call_clear(&c.call);
    }
    return NULL;
}


static void
calls_and_drops_at_the_same_time_leave_every_call_answered(void **state)
{
    pthread_t threads[4];

    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, run_many, *state), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
}


static void
callers_who_wait_while_the_client_stops_are_told(void **state)
{
    bench_t *b = *state;
    test_call_t c[3];

    atomic_store(&b->delay, 1000);
    for (int i = 0; i < 3; i++) {
        init(b, &c[i]);
        abdm_session_submit(b->session, &c[i].call,
                        &(abdm_call_ids_t){.request_id = "r-1", .hip_id = NULL},
                        &c[i].generation);
    }
    assert_true(WAIT_UNTIL(atomic_load(&b->sessions) == 1, 5000));
    abdm_http_stop(b->http);
    abdm_http_free(b->http);
    b->http = NULL;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(atomic_load(&c[i].done), 1);
        assert_int_equal(c[i].call.err.code, ABDM_E_STOPPING);
        abdm_call_clear(&c[i].call);
    }
}


#define SESSION_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        SESSION_TEST(a_call_goes_out_with_the_session_and_the_headers_of_the_protocol),
        SESSION_TEST(twenty_callers_at_once_cause_one_fetch),
        SESSION_TEST(the_failure_of_a_fetch_is_told_to_all_who_wait_and_tried_again_after_a_pause),
        SESSION_TEST(a_session_of_an_odd_life_counts_with_the_default),
        SESSION_TEST(a_session_is_renewed_before_its_end),
        SESSION_TEST(a_session_that_cannot_be_renewed_serves_until_its_end),
        SESSION_TEST(a_dropped_session_is_fetched_anew_and_an_older_one_cannot_be_dropped_twice),
        SESSION_TEST(calls_and_drops_at_the_same_time_leave_every_call_answered),
        SESSION_TEST(callers_who_wait_while_the_client_stops_are_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
