/*
 * Two servers, plain and TLS, with answers of every bad kind, and a client for one call. To be
 * included after cmocka.h.
 */
#ifndef ABDM_TEST_HTTP_KIT_H
#define ABDM_TEST_HTTP_KIT_H

#include "core/time.h"
#include "engine/http.h"
#include "server_kit.h"

typedef struct {
    abdm_call_t call; /* first */
    atomic_int done;
} test_call_t;

static server_t server, tls;


static inline void
answer(server_t *s, const server_request_t *r, server_reply_t *reply)
{
    static char large[100000];

    (void) s;
    if (strcmp(r->path, "/echo") == 0) {
        reply->body = r->body;
    } else if (strcmp(r->path, "/head") == 0) {
        reply->body = r->head;
    } else if (strncmp(r->path, "/large", 6) == 0) {
        reply->status = strcmp(r->path, "/large/500") == 0 ? 500 : 200;
        reply->body = large;
        reply->body_len = sizeof(large);
    } else if (strcmp(r->path, "/silent") == 0) {
        reply->silent = true;
    } else if (strcmp(r->path, "/chop") == 0) {
        reply->body = "only a part of this arrives";
        reply->chop = true;
    } else if (strcmp(r->path, "/moved") == 0) {
        reply->status = 302;
        reply->more = "Location: /echo\r\n";
    } else if (strcmp(r->path, "/busy") == 0) {
        reply->status = 503;
        reply->more = "Retry-After: 17\r\n";
    } else if (strcmp(r->path, "/busy/date") == 0) {
        reply->status = 503;
        reply->more = "Retry-After: Fri, 31 Dec 1999 23:59:59 GMT\r\n";
    } else {
        reply->status = 404;
    }
}


static inline int
start_servers(void **state)
{
    (void) state;
    server_start(&server, false, answer, NULL);
    server_start(&tls, true, answer, NULL);
    return 0;
}


static inline int
stop_servers(void **state)
{
    (void) state;
    server_stop(&server);
    server_stop(&tls);
    return 0;
}


static inline void
on_done(abdm_call_t *call)
{
    atomic_fetch_add(&((test_call_t *) call)->done, 1);
}


static inline void
init(test_call_t *c, const server_t *s, const char *path)
{
    char url[256];

    memset(c, 0, sizeof(*c));
    snprintf(url, sizeof(url), "%s%s", s->url, path);
    c->call.url = strdup(url);
    c->call.plain_allowed = true;
    c->call.total_ms = 5000;
    c->call.idle_ms = 5000;
    c->call.answer_max = 1000;
    c->call.done = on_done;
}


static inline void
post(test_call_t *c, const char *body)
{
    abdm_buf_t b = {0};

    abdm_buf_addz(&b, body);
    c->call.body = abdm_source_take_buf(&b);
    assert_non_null(c->call.body);
}


/* Performs the call with a client of its own that trusts `trusted`. */
static inline void
perform(test_call_t *c, const server_t *trusted)
{
    X509_STORE *trust = server_trust(trusted);
    abdm_http_t *http;

    assert_int_equal(abdm_http_start(trust, &http).code, ABDM_OK);
    abdm_http_submit(http, &c->call);
    assert_true(WAIT_UNTIL(atomic_load(&c->done) == 1, 9000));
    abdm_http_stop(http);
    abdm_http_free(http);
    assert_int_equal(atomic_load(&c->done), 1);
    X509_STORE_free(trust);
}

#endif
