
/*
 * The API of the hospital's own software and of operators.  What may be
 * called is the library's matter: it gets method, path below the location,
 * query and body, and its answer goes back as it is.
 */


#include "ngx_http_abdm.h"


#define NGX_HTTP_ABDM_API_METHODS                                             \
    (NGX_HTTP_GET|NGX_HTTP_HEAD|NGX_HTTP_POST|NGX_HTTP_PUT|NGX_HTTP_DELETE)


static ngx_int_t ngx_http_abdm_api_facility(ngx_http_request_t *r,
    abdm_head_t *head, abdm_str_t *facility);
static ngx_int_t ngx_http_abdm_api_path(ngx_http_request_t *r,
    abdm_str_t *path);
static void ngx_http_abdm_api_body_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_abdm_api_submit(ngx_http_request_t *r);


ngx_int_t
ngx_http_abdm_api_handler(ngx_http_request_t *r)
{
    ngx_int_t                   rc;
    ngx_http_abdm_ctx_t        *ctx;
    ngx_http_abdm_main_conf_t  *amcf;

    if (r != r->main) {
        return NGX_HTTP_NOT_FOUND;
    }

    if (!(r->method & NGX_HTTP_ABDM_API_METHODS)) {
        return ngx_http_abdm_refuse_err(r, ABDM_ERR(METHOD_API, "method"));
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

    if (ctx->head.duplicate) {
        return ngx_http_abdm_refuse_err(r, ABDM_ERR(HEADER_DUPLICATE,
                                                    "header"));
    }

    if (r->method & (NGX_HTTP_POST|NGX_HTTP_PUT)) {

        r->request_body_in_single_buf = 1;

        rc = ngx_http_read_client_request_body(r,
                                               ngx_http_abdm_api_body_handler);

        if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
            return rc;
        }

        return NGX_DONE;
    }

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_http_abdm_api_submit(r);

    if (rc != NGX_AGAIN) {
        return rc;
    }

    r->main->count++;

    return NGX_DONE;
}


static void
ngx_http_abdm_api_body_handler(ngx_http_request_t *r)
{
    ngx_int_t  rc;

    rc = ngx_http_abdm_api_submit(r);

    if (rc != NGX_AGAIN) {
        ngx_http_finalize_request(r, rc);
    }
}


static ngx_int_t
ngx_http_abdm_api_submit(ngx_http_request_t *r)
{
    ngx_int_t                  rc;
    abdm_err_t                 err;
    abdm_str_t                 body;
    abdm_answer_t              answer;
    abdm_api_request_t         request;
    ngx_http_abdm_ctx_t       *ctx;
    ngx_http_abdm_ticket_t    *ticket;
    ngx_http_abdm_loc_conf_t  *alcf;

    ctx = ngx_http_get_module_ctx(r, ngx_http_abdm_module);
    alcf = ngx_http_get_module_loc_conf(r, ngx_http_abdm_module);

    request.nha = alcf->nha;
    request.method = ctx->head.method;
    request.content_type = ctx->head.content_type;
    request.query.p = (char *) r->args.data;
    request.query.len = r->args.len;

    rc = ngx_http_abdm_api_facility(r, &ctx->head, &request.facility);

    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_http_abdm_api_path(r, &request.path);

    if (rc != NGX_OK) {
        return rc;
    }

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

    err = abdm_api(ctx->engine->abdm, &request, body, ticket);

    if (abdm_failed(err)) {
        ngx_http_abdm_engine_release(ticket);

        answer = abdm_answer_of(err);
        answer.message = err.what;

        return ngx_http_abdm_refuse(r, &answer);
    }

    r->read_event_handler = ngx_http_test_reading;
    r->write_event_handler = ngx_http_request_empty_handler;

    return NGX_AGAIN;
}


/* through a location that is for one facility, no other one can be reached */

static ngx_int_t
ngx_http_abdm_api_facility(ngx_http_request_t *r, abdm_head_t *head,
    abdm_str_t *facility)
{
    abdm_answer_t              answer;
    ngx_http_abdm_loc_conf_t  *alcf;

    alcf = ngx_http_get_module_loc_conf(r, ngx_http_abdm_module);

    *facility = head->hip_id;

    if (alcf->facility.len == 0) {
        return NGX_OK;
    }

    facility->p = (char *) alcf->facility.data;
    facility->len = alcf->facility.len;

    if (head->hip_id.len == 0
        || (head->hip_id.len == facility->len
            && ngx_strncmp(head->hip_id.p, facility->p, facility->len) == 0))
    {
        return NGX_OK;
    }

    answer = abdm_answer_of(ABDM_ERR(FIELD, "X-HIP-ID"));
    answer.message = "X-HIP-ID names another facility than the one that "
                     "this location is for";

    return ngx_http_abdm_refuse(r, &answer);
}


static ngx_int_t
ngx_http_abdm_api_path(ngx_http_request_t *r, abdm_str_t *path)
{
    ngx_str_t                 *name;
    ngx_http_abdm_loc_conf_t  *alcf;

    alcf = ngx_http_get_module_loc_conf(r, ngx_http_abdm_module);
    name = &alcf->name;

    /* a rewrite may have led elsewhere, and "/nha" is a prefix of "/nhab" */

    if (r->uri.len < name->len
        || ngx_strncmp(r->uri.data, name->data, name->len) != 0
        || (r->uri.len > name->len
            && r->uri.data[name->len - 1] != '/'
            && r->uri.data[name->len] != '/'))
    {
        return ngx_http_abdm_refuse_err(r, ABDM_ERR(NOT_FOUND, "path"));
    }

    path->p = (char *) r->uri.data + name->len;
    path->len = r->uri.len - name->len;

    if (path->len && path->p[0] == '/') {
        path->p++;
        path->len--;
    }

    return NGX_OK;
}
