
/*
 * The library within a worker: its start and stop, the descriptor by which
 * it wakes the loop, requests that wait for it, and the end of a worker.
 *
 * nginx lets a worker go as soon as no timer is left, and knows nothing of
 * threads.  So the leaving worker holds itself by a timer exactly while
 * something is unfinished, up to "abdm_drain".
 */


#include "ngx_http_abdm.h"
#include <sys/eventfd.h>


#define NGX_HTTP_ABDM_GUARD_STEP  50
#define NGX_HTTP_ABDM_STOP_TIME   2000
#define NGX_HTTP_ABDM_REAP_MAX    8


static ngx_int_t ngx_http_abdm_engine_store(ngx_shm_zone_t *zone, void *data);
static ngx_http_abdm_engine_t *ngx_http_abdm_engine_of(ngx_cycle_t *cycle);
static ngx_int_t ngx_http_abdm_engine_wake(ngx_cycle_t *cycle,
    ngx_http_abdm_engine_t *engine);
static void ngx_http_abdm_engine_wake_handler(ngx_event_t *ev);
static void ngx_http_abdm_engine_done(abdm_done_t *done);
static void ngx_http_abdm_engine_leave(ngx_http_abdm_engine_t *engine);
static void ngx_http_abdm_engine_guard_handler(ngx_event_t *ev);
static void ngx_http_abdm_engine_give_up(ngx_http_abdm_engine_t *engine);
static void ngx_http_abdm_engine_close(ngx_http_abdm_engine_t *engine);


ngx_int_t
ngx_http_abdm_engine_prepare(ngx_conf_t *cf, ngx_http_abdm_main_conf_t *amcf)
{
    ngx_shm_zone_t  *zone;

    static ngx_str_t  name = ngx_string("ngx_abdm");

    if (amcf->engine->abdm == NULL) {
        return NGX_OK;
    }

    /*
     * The store is made or migrated in the init handler of a zone: by then
     * the "user" directive is known, the configuration can still be refused
     * as a whole, and a master that reloads goes on with the old one.  An
     * error of init_module would end the master.
     */

    zone = ngx_shared_memory_add(cf, &name, 8 * ngx_pagesize,
                                 &ngx_http_abdm_module);
    if (zone == NULL) {
        return NGX_ERROR;
    }

    zone->init = ngx_http_abdm_engine_store;
    zone->data = amcf;

    return NGX_OK;
}


static ngx_int_t
ngx_http_abdm_engine_store(ngx_shm_zone_t *zone, void *data)
{
    char                        problem[ABDM_PROBLEM];
    abdm_err_t                  err;
    ngx_core_conf_t            *ccf;
    ngx_http_abdm_main_conf_t  *amcf;

    if (ngx_test_config) {
        return NGX_OK;
    }

    amcf = zone->data;

    ccf = (ngx_core_conf_t *) ngx_get_conf(amcf->cycle->conf_ctx,
                                           ngx_core_module);

    /* both are -1 when the master is not root and workers run as it does */

    problem[0] = '\0';

    err = abdm_prepare_store(amcf->engine->abdm, (uid_t) ccf->user,
                             (gid_t) ccf->group, problem);

    if (abdm_failed(err)) {
        ngx_log_error(NGX_LOG_EMERG, amcf->cycle->log, 0,
                      "abdm: %s: store \"%V\": %s",
                      abdm_answer_of(err).code, &amcf->store,
                      problem[0] ? problem : err.what);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_http_abdm_engine_t *
ngx_http_abdm_engine_of(ngx_cycle_t *cycle)
{
    ngx_http_abdm_main_conf_t  *amcf;

    amcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_abdm_module);

    /* there may be no "http" block, or none of our directives in it */

    return (amcf && amcf->engine->abdm) ? amcf->engine : NULL;
}


ngx_int_t
ngx_http_abdm_engine_start(ngx_cycle_t *cycle)
{
    abdm_err_t                  err;
    abdm_host_t                 host;
    ngx_core_conf_t            *ccf;
    ngx_http_abdm_engine_t     *engine;
    ngx_http_abdm_main_conf_t  *amcf;

    engine = ngx_http_abdm_engine_of(cycle);

    if (engine == NULL) {
        return NGX_OK;
    }

    amcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_abdm_module);

    ccf = (ngx_core_conf_t *) ngx_get_conf(cycle->conf_ctx, ngx_core_module);

    engine->patience = amcf->drain;

    if (ccf->shutdown_timeout && ccf->shutdown_timeout < engine->patience) {
        engine->patience = ccf->shutdown_timeout;
    }

    ngx_queue_init(&engine->tickets);
    ngx_queue_init(&engine->parked);

    /*
     * A failure is not an error of the process, since then the master would
     * give up all workers: other locations work, ours answer 503.
     */

    if (ngx_http_abdm_engine_wake(cycle, engine) != NGX_OK) {
        return NGX_OK;
    }

    host.log.write = ngx_http_abdm_log_write;
    host.log.ctx = engine->log;
    host.worker = ngx_worker;
    host.wake_fd = engine->wake->fd;

    err = abdm_start(engine->abdm, &host);

    if (abdm_failed(err)) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                      "abdm: the worker starts without its engine, callbacks "
                      "will be answered 503: %s: %s",
                      abdm_answer_of(err).code, err.what);

        ngx_http_abdm_engine_close(engine);

        return NGX_OK;
    }

    engine->running = 1;

    ngx_log_error(NGX_LOG_NOTICE, cycle->log, 0, "abdm: engine %s started",
                  abdm_version());

    return NGX_OK;
}


static ngx_int_t
ngx_http_abdm_engine_wake(ngx_cycle_t *cycle, ngx_http_abdm_engine_t *engine)
{
    int                fd;
    ngx_int_t          event;
    ngx_connection_t  *c;

    fd = eventfd(0, EFD_NONBLOCK|EFD_CLOEXEC);

    if (fd == -1) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, ngx_errno,
                      "abdm: eventfd() failed");
        return NGX_ERROR;
    }

    engine->log = ngx_http_abdm_log_create(fd);

    if (engine->log == NULL) {
        (void) close(fd);
        return NGX_ERROR;
    }

    c = ngx_get_connection(fd, cycle->log);

    if (c == NULL) {
        ngx_http_abdm_log_destroy(engine->log);
        (void) close(fd);
        return NGX_ERROR;
    }

    engine->wake = c;

    c->data = engine;
    c->log = cycle->log;

    c->read->log = cycle->log;
    c->write->log = cycle->log;

    c->read->handler = ngx_http_abdm_engine_wake_handler;

    /* a channel is neither a client to be closed nor a leaked socket */

    c->read->channel = 1;
    c->write->channel = 1;

    /* an idle connection is told of a graceful shutdown at once */

    c->idle = 1;

    engine->guard.handler = ngx_http_abdm_engine_guard_handler;
    engine->guard.log = cycle->log;
    engine->guard.data = c;

    event = (ngx_event_flags & NGX_USE_CLEAR_EVENT) ? NGX_CLEAR_EVENT
                                                    : NGX_LEVEL_EVENT;

    if (ngx_add_event(c->read, NGX_READ_EVENT, event) != NGX_OK) {
        ngx_http_abdm_engine_close(engine);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
ngx_http_abdm_engine_wake_handler(ngx_event_t *ev)
{
    ssize_t                  n;
    uint64_t                 count;
    ngx_uint_t               reaped;
    abdm_done_t              done;
    ngx_connection_t        *c;
    ngx_http_abdm_engine_t  *engine;

    c = ev->data;
    engine = c->data;

    if (c->close && !engine->leaving) {
        ngx_http_abdm_engine_leave(engine);
    }

    n = read(c->fd, &count, sizeof(uint64_t));

    if (n == -1 && ngx_errno != NGX_EAGAIN) {
        ngx_log_error(NGX_LOG_ALERT, ev->log, ngx_errno,
                      "abdm: read() of eventfd failed");
    }

    ngx_http_abdm_log_print(engine->log, ev->log);

    reaped = 0;

    while (engine->running && abdm_reap(engine->abdm, &done)) {

        if (done.kind == ABDM_DONE_KEYS) {
            ngx_http_abdm_callback_resume(engine);

        } else {
            ngx_http_abdm_engine_done(&done);
        }

        /*
         * One commit of the store completes many requests: other locations
         * are not to wait until all of them are answered.
         */

        if (++reaped == NGX_HTTP_ABDM_REAP_MAX) {
            ngx_post_event(ev, &ngx_posted_next_events);
            break;
        }
    }
}


static void
ngx_http_abdm_engine_done(abdm_done_t *done)
{
    ngx_str_t                json;
    ngx_int_t                rc;
    ngx_connection_t        *c;
    ngx_http_request_t      *r;
    ngx_http_abdm_ticket_t  *ticket;

    ticket = done->tag;
    r = ticket->request;

    ngx_http_abdm_engine_release(ticket);

    if (r == NULL) {
        free(done->body);
        return;
    }

    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, c->log, 0,
                   "abdm: done %d \"%s\"", done->answer.status,
                   done->answer.code);

    if (done->body) {
        json.len = ngx_strlen(done->body);
        json.data = ngx_pnalloc(r->pool, json.len + 1);

        if (json.data) {
            ngx_memcpy(json.data, done->body, json.len);
            rc = ngx_http_abdm_answer(r, &done->answer, &json);

        } else {
            rc = NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        free(done->body);

    } else {
        rc = ngx_http_abdm_answer(r, &done->answer, NULL);
    }

    ngx_http_finalize_request(r, rc);

    ngx_http_run_posted_requests(c);
}


ngx_http_abdm_ticket_t *
ngx_http_abdm_engine_hold(ngx_http_request_t *r, ngx_http_abdm_ctx_t *ctx)
{
    ngx_http_abdm_engine_t  *engine;
    ngx_http_abdm_ticket_t  *ticket;

    ticket = ngx_alloc(sizeof(ngx_http_abdm_ticket_t), r->connection->log);
    if (ticket == NULL) {
        return NULL;
    }

    engine = ctx->engine;

    ticket->request = r;
    ctx->ticket = ticket;

    ngx_queue_insert_tail(&engine->tickets, &ticket->queue);

    if (engine->leaving && !engine->guard.timer_set) {
        ngx_add_timer(&engine->guard, NGX_HTTP_ABDM_GUARD_STEP);
    }

    return ticket;
}


void
ngx_http_abdm_engine_release(ngx_http_abdm_ticket_t *ticket)
{
    ngx_http_abdm_ctx_t  *ctx;

    if (ticket->request) {
        ctx = ngx_http_get_module_ctx(ticket->request, ngx_http_abdm_module);
        ctx->ticket = NULL;
    }

    ngx_queue_remove(&ticket->queue);

    ngx_free(ticket);
}


static void
ngx_http_abdm_engine_leave(ngx_http_abdm_engine_t *engine)
{
    engine->leaving = 1;
    engine->deadline = ngx_current_msec + engine->patience;
    engine->wake->idle = 0;

    if (engine->running) {
        abdm_drain(engine->abdm);
        ngx_http_abdm_engine_guard_handler(&engine->guard);
    }
}


static void
ngx_http_abdm_engine_guard_handler(ngx_event_t *ev)
{
    ngx_connection_t        *c;
    ngx_http_abdm_engine_t  *engine;

    c = ev->data;
    engine = c->data;

    if (!engine->running
        || (!abdm_busy(engine->abdm) && ngx_queue_empty(&engine->tickets)))
    {
        return;
    }

    if ((ngx_msec_int_t) (engine->deadline - ngx_current_msec) <= 0) {
        ngx_http_abdm_engine_give_up(engine);
        return;
    }

    ngx_add_timer(ev, NGX_HTTP_ABDM_GUARD_STEP);
}


static void
ngx_http_abdm_engine_give_up(ngx_http_abdm_engine_t *engine)
{
    ngx_queue_t             *q;
    ngx_connection_t        *c;
    ngx_http_request_t      *r;
    ngx_http_abdm_ticket_t  *ticket;

    ngx_log_error(NGX_LOG_NOTICE, engine->wake->log, 0,
                  "abdm: \"abdm_drain\" or \"worker_shutdown_timeout\" is "
                  "over, unfinished work is given back to the store");

    engine->running = 0;

    ngx_http_abdm_callback_resume(engine);

    for (q = ngx_queue_head(&engine->tickets);
         q != ngx_queue_sentinel(&engine->tickets);
         q = ngx_queue_next(q))
    {
        ticket = ngx_queue_data(q, ngx_http_abdm_ticket_t, queue);
        r = ticket->request;

        if (r == NULL) {
            continue;
        }

        /* the ticket stays: the library still has it as a tag */

        c = r->connection;

        ngx_http_set_log_request(c->log, r);

        ngx_http_finalize_request(r,
                             ngx_http_abdm_refuse_err(r, ABDM_ERR(STOPPING,
                                            "the worker leaves")));

        ngx_http_run_posted_requests(c);
    }
}


void
ngx_http_abdm_engine_stop(ngx_cycle_t *cycle)
{
    ngx_queue_t             *q;
    ngx_http_abdm_engine_t  *engine;
    ngx_http_abdm_ticket_t  *ticket;

    engine = ngx_http_abdm_engine_of(cycle);

    /* the cache manager never started one */

    if (engine == NULL || engine->wake == NULL) {
        return;
    }

    engine->running = 0;

    abdm_stop(engine->abdm, NGX_HTTP_ABDM_STOP_TIME);

    ngx_http_abdm_log_print(engine->log, cycle->log);

    while (!ngx_queue_empty(&engine->tickets)) {
        q = ngx_queue_head(&engine->tickets);
        ticket = ngx_queue_data(q, ngx_http_abdm_ticket_t, queue);

        ngx_http_abdm_engine_release(ticket);
    }

    ngx_http_abdm_engine_close(engine);
}


static void
ngx_http_abdm_engine_close(ngx_http_abdm_engine_t *engine)
{
    ngx_close_connection(engine->wake);
    engine->wake = NULL;

    ngx_http_abdm_log_print(engine->log, ngx_cycle->log);
    ngx_http_abdm_log_destroy(engine->log);
    engine->log = NULL;
}
