
/*
 * The API of operators, read only: transfers and transfers/ID below the
 * location.  The library answers from its store, on its own threads.
 */


#include "ngx_http_abdm.h"


static ngx_int_t ngx_http_abdm_api_route(ngx_http_request_t *r,
    abdm_ask_t *what, abdm_str_t *id);


ngx_int_t
ngx_http_abdm_api_handler(ngx_http_request_t *r)
{
    ngx_int_t                   rc;
    abdm_ask_t                  what;
    abdm_err_t                  err;
    abdm_str_t                  id;
    ngx_http_abdm_ctx_t        *ctx;
    ngx_http_abdm_ticket_t     *ticket;
    ngx_http_abdm_main_conf_t  *amcf;

    if (r != r->main) {
        return NGX_HTTP_NOT_FOUND;
    }

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return ngx_http_abdm_refuse_err(r, ABDM_ERR(METHOD_READ, "method"));
    }

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_http_abdm_api_route(r, &what, &id) != NGX_OK) {
        return ngx_http_abdm_refuse_err(r, ABDM_ERR(NOT_FOUND,
                                 "path: transfers or transfers/ID "
                                 "is expected"));
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

    ticket = ngx_http_abdm_engine_hold(r, ctx);
    if (ticket == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    err = abdm_ask(ctx->engine->abdm, what, id, ticket);

    if (abdm_failed(err)) {
        ngx_http_abdm_engine_release(ticket);
        return ngx_http_abdm_refuse_err(r, err);
    }

    r->main->count++;
    r->read_event_handler = ngx_http_test_reading;
    r->write_event_handler = ngx_http_request_empty_handler;

    return NGX_DONE;
}


static ngx_int_t
ngx_http_abdm_api_route(ngx_http_request_t *r, abdm_ask_t *what,
    abdm_str_t *id)
{
    ngx_str_t                  path;
    ngx_http_abdm_loc_conf_t  *alcf;

    static ngx_str_t  transfers = ngx_string("transfers");

    alcf = ngx_http_get_module_loc_conf(r, ngx_http_abdm_module);

    if (r->uri.len < alcf->name.len) {
        return NGX_DECLINED;
    }

    path.data = r->uri.data + alcf->name.len;
    path.len = r->uri.len - alcf->name.len;

    if (path.len && path.data[0] == '/') {
        path.data++;
        path.len--;
    }

    if (path.len < transfers.len
        || ngx_strncmp(path.data, transfers.data, transfers.len) != 0)
    {
        return NGX_DECLINED;
    }

    path.data += transfers.len;
    path.len -= transfers.len;

    *what = ABDM_ASK_TRANSFERS;
    id->p = "";
    id->len = 0;

    if (path.len == 0) {
        return NGX_OK;
    }

    if (path.data[0] != '/'
        || path.len == 1
        || ngx_strlchr(path.data + 1, path.data + path.len, '/'))
    {
        return NGX_DECLINED;
    }

    *what = ABDM_ASK_EXPLAIN;
    id->p = (char *) path.data + 1;
    id->len = path.len - 1;

    return NGX_OK;
}
