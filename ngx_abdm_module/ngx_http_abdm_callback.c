
/*
 * Callbacks of the gateway: headers to the door, then the body to the
 * library, then the answer when it is durable.  A request whose token names
 * an unknown key is parked until the keys have been fetched.
 */


#include "ngx_http_abdm.h"


#define NGX_HTTP_ABDM_PARKED_MAX   256
#define NGX_HTTP_ABDM_PARKED_TIME  3000


static ngx_int_t ngx_http_abdm_callback_admit(ngx_http_request_t *r,
    ngx_http_abdm_ctx_t *ctx, ngx_uint_t last);
static ngx_int_t ngx_http_abdm_callback_park(ngx_http_request_t *r,
    ngx_http_abdm_ctx_t *ctx);
static void ngx_http_abdm_callback_unpark(ngx_http_request_t *r,
    ngx_http_abdm_ctx_t *ctx);
static void ngx_http_abdm_callback_parked_handler(ngx_http_request_t *r);
static void ngx_http_abdm_callback_body_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_abdm_callback_submit(ngx_http_request_t *r);


ngx_int_t
ngx_http_abdm_callback_handler(ngx_http_request_t *r)
{
    ngx_http_abdm_ctx_t        *ctx;
    ngx_http_abdm_main_conf_t  *amcf;

    if (r != r->main) {
        return NGX_HTTP_NOT_FOUND;
    }

    ctx = ngx_http_abdm_get_ctx(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    amcf = ngx_http_get_module_main_conf(r, ngx_http_abdm_module);

    ctx->engine = amcf->engine;

    if (!ctx->engine->running) {
        return ngx_http_abdm_refuse_err(r, ABDM_ERR(STOPPING,
                                        "this worker has no engine running"));
    }

    ngx_http_abdm_request_head(r, &ctx->head);

    return ngx_http_abdm_callback_admit(r, ctx, 0);
}


static ngx_int_t
ngx_http_abdm_callback_admit(ngx_http_request_t *r, ngx_http_abdm_ctx_t *ctx,
    ngx_uint_t last)
{
    ngx_int_t      rc;
    abdm_door_t    door;
    abdm_answer_t  answer;

    door = abdm_door(ctx->engine->abdm, &ctx->head, last, &answer);

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "abdm: door %d, last:%ui", (int) door, last);

    switch (door) {

    case ABDM_DOOR_PASS:

        r->request_body_in_single_buf = 1;

        rc = ngx_http_read_client_request_body(r,
                                          ngx_http_abdm_callback_body_handler);

        if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
            return rc;
        }

        return NGX_DONE;

    case ABDM_DOOR_WAIT:

        if (last) {
            return ngx_http_abdm_refuse_err(r, ABDM_ERR(KEYS_UNAVAILABLE,
                                            "the keys did not come in time"));
        }

        return ngx_http_abdm_callback_park(r, ctx);

    default: /* ABDM_DOOR_ANSWER */

        return ngx_http_abdm_answer(r, &answer, NULL);
    }
}


static ngx_int_t
ngx_http_abdm_callback_park(ngx_http_request_t *r, ngx_http_abdm_ctx_t *ctx)
{
    ngx_connection_t        *c;
    ngx_http_abdm_engine_t  *engine;

    c = r->connection;
    engine = ctx->engine;

    if (engine->nparked >= NGX_HTTP_ABDM_PARKED_MAX) {
        return ngx_http_abdm_refuse_err(r, ABDM_ERR(KEYS_UNAVAILABLE,
                                  "too many requests wait for a key already"));
    }

    if (c->read->ready) {
        ngx_post_event(c->read, &ngx_posted_events);

    } else if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_queue_insert_tail(&engine->parked, &ctx->queue);
    engine->nparked++;
    ctx->parked = 1;

    r->main->count++;
    r->read_event_handler = ngx_http_test_reading;
    r->write_event_handler = ngx_http_abdm_callback_parked_handler;

    c->write->delayed = 1;
    ngx_add_timer(c->write, NGX_HTTP_ABDM_PARKED_TIME);

    return NGX_DONE;
}


static void
ngx_http_abdm_callback_parked_handler(ngx_http_request_t *r)
{
    ngx_event_t          *wev;
    ngx_http_abdm_ctx_t  *ctx;

    wev = r->connection->write;

    if (wev->delayed) {

        if (ngx_handle_write_event(wev, 0) != NGX_OK) {
            ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        }

        return;
    }

    ctx = ngx_http_get_module_ctx(r, ngx_http_abdm_module);

    ngx_http_abdm_callback_unpark(r, ctx);
}


void
ngx_http_abdm_callback_resume(ngx_http_abdm_engine_t *engine)
{
    ngx_queue_t          *q;
    ngx_connection_t     *c;
    ngx_http_request_t   *r;
    ngx_http_abdm_ctx_t  *ctx;

    /* news of keys settle every wait: nobody is parked twice */

    while (!ngx_queue_empty(&engine->parked)) {

        q = ngx_queue_head(&engine->parked);
        ctx = ngx_queue_data(q, ngx_http_abdm_ctx_t, queue);

        r = ctx->request;
        c = r->connection;

        ngx_http_set_log_request(c->log, r);

        ngx_http_abdm_callback_unpark(r, ctx);

        ngx_http_run_posted_requests(c);
    }
}


static void
ngx_http_abdm_callback_unpark(ngx_http_request_t *r,
    ngx_http_abdm_ctx_t *ctx)
{
    ngx_event_t  *wev;

    ngx_queue_remove(&ctx->queue);
    ctx->engine->nparked--;
    ctx->parked = 0;

    wev = r->connection->write;
    wev->delayed = 0;

    if (wev->timer_set) {
        ngx_del_timer(wev);
    }

    r->write_event_handler = ngx_http_request_empty_handler;

    if (!ctx->engine->running) {
        ngx_http_finalize_request(r,
                             ngx_http_abdm_refuse_err(r, ABDM_ERR(STOPPING,
                                            "the worker leaves")));
        return;
    }

    ngx_http_finalize_request(r, ngx_http_abdm_callback_admit(r, ctx, 1));
}


static void
ngx_http_abdm_callback_body_handler(ngx_http_request_t *r)
{
    ngx_int_t  rc;

    rc = ngx_http_abdm_callback_submit(r);

    if (rc != NGX_AGAIN) {
        ngx_http_finalize_request(r, rc);
    }
}


static ngx_int_t
ngx_http_abdm_callback_submit(ngx_http_request_t *r)
{
    ngx_int_t                rc;
    abdm_err_t               err;
    abdm_str_t               body;
    ngx_http_abdm_ctx_t     *ctx;
    ngx_http_abdm_ticket_t  *ticket;

    ctx = ngx_http_get_module_ctx(r, ngx_http_abdm_module);

    rc = ngx_http_abdm_request_body(r, &body);

    if (rc != NGX_OK) {
        return rc;
    }

    /* the body may have taken longer than the worker's patience */

    if (!ctx->engine->running) {
        return ngx_http_abdm_refuse_err(r, ABDM_ERR(STOPPING,
                                        "the worker leaves"));
    }

    ticket = ngx_http_abdm_engine_hold(r, ctx);
    if (ticket == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    err = abdm_submit(ctx->engine->abdm, &ctx->head, body, ticket);

    if (abdm_failed(err)) {
        ngx_http_abdm_engine_release(ticket);
        return ngx_http_abdm_refuse_err(r, err);
    }

    r->read_event_handler = ngx_http_test_reading;
    r->write_event_handler = ngx_http_request_empty_handler;

    return NGX_AGAIN;
}
