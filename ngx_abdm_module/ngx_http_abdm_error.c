
/*
 * Every error in a location of ours is JSON, whoever raised it: the library,
 * this module, or nginx itself (a body too large, broken chunks, "deny").
 * Handlers return a status as usual, and the filters here put
 * {"error":{"code":"...","message":"..."}} in place of nginx's page.
 */


#include "ngx_http_abdm.h"


static ngx_uint_t ngx_http_abdm_error_is_id(ngx_str_t *value);
static void ngx_http_abdm_error_log(ngx_http_request_t *r,
    abdm_answer_t *answer);
static void ngx_http_abdm_error_log_api(ngx_http_request_t *r,
    abdm_answer_t *answer, ngx_uint_t level, ngx_str_t *location);
static ngx_int_t ngx_http_abdm_error_header_filter(ngx_http_request_t *r);
static ngx_int_t ngx_http_abdm_error_body_filter(ngx_http_request_t *r,
    ngx_chain_t *in);
static abdm_answer_t ngx_http_abdm_error_of_status(ngx_uint_t status,
    ngx_http_abdm_kind_e kind);
static ngx_int_t ngx_http_abdm_error_json(ngx_http_request_t *r,
    ngx_http_abdm_ctx_t *ctx);
static ngx_int_t ngx_http_abdm_error_api(ngx_http_request_t *r,
    ngx_http_abdm_ctx_t *ctx, ngx_uint_t nha);
static ngx_int_t ngx_http_abdm_error_headers(ngx_http_request_t *r,
    ngx_http_abdm_ctx_t *ctx, ngx_http_abdm_kind_e kind);
static ngx_table_elt_t *ngx_http_abdm_error_push(ngx_http_request_t *r,
    char *name, char *value);


/* what nginx itself may answer, in the words of the library's table */

static struct {
    ngx_uint_t             status;
    ngx_http_abdm_kind_e   kind;           /* NONE: any */
    abdm_code_t            code;
    char                  *what;
} ngx_http_abdm_statuses[] = {

    { NGX_HTTP_BAD_REQUEST, NGX_HTTP_ABDM_NONE, ABDM_E_REQUEST,
      "see nginx's error log" },
    { NGX_HTTP_UNAUTHORIZED, NGX_HTTP_ABDM_NONE, ABDM_E_UNAUTHORIZED,
      "access rules of this location" },
    { NGX_HTTP_FORBIDDEN, NGX_HTTP_ABDM_NONE, ABDM_E_FORBIDDEN,
      "access rules of this location" },
    { NGX_HTTP_NOT_FOUND, NGX_HTTP_ABDM_CALLBACK, ABDM_E_ROUTE_UNKNOWN,
      "path" },
    { NGX_HTTP_NOT_FOUND, NGX_HTTP_ABDM_NONE, ABDM_E_NOT_FOUND, "path" },
    { NGX_HTTP_NOT_ALLOWED, NGX_HTTP_ABDM_CALLBACK, ABDM_E_METHOD, "method" },
    { NGX_HTTP_NOT_ALLOWED, NGX_HTTP_ABDM_API, ABDM_E_METHOD_API, "method" },
    { NGX_HTTP_NOT_ALLOWED, NGX_HTTP_ABDM_NONE, ABDM_E_METHOD_READ, "method" },
    { NGX_HTTP_REQUEST_ENTITY_TOO_LARGE, NGX_HTTP_ABDM_NONE,
      ABDM_E_BODY_TOO_LARGE, "body" },
    { NGX_HTTP_TOO_MANY_REQUESTS, NGX_HTTP_ABDM_NONE, ABDM_E_TOO_MANY,
      "limits of this location" },
    { NGX_HTTP_SERVICE_UNAVAILABLE, NGX_HTTP_ABDM_NONE, ABDM_E_TOO_MANY,
      "limits of this location" },

    { 0, NGX_HTTP_ABDM_NONE, ABDM_OK, NULL }
};


static ngx_str_t  ngx_http_abdm_json = ngx_string("application/json");

static ngx_http_output_header_filter_pt  ngx_http_next_header_filter;
static ngx_http_output_body_filter_pt    ngx_http_next_body_filter;


ngx_int_t
ngx_http_abdm_refuse(ngx_http_request_t *r, abdm_answer_t *answer)
{
    ngx_http_abdm_ctx_t  *ctx;

    ctx = ngx_http_abdm_get_ctx(r);

    if (ctx == NULL || answer->status < NGX_HTTP_BAD_REQUEST) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->answer = *answer;
    ctx->answered = 1;

    ngx_http_abdm_error_log(r, answer);

    return answer->status;
}


ngx_int_t
ngx_http_abdm_refuse_err(ngx_http_request_t *r, abdm_err_t err)
{
    abdm_answer_t  answer;

    answer = abdm_answer_of(err);

    return ngx_http_abdm_refuse(r, &answer);
}


ngx_int_t
ngx_http_abdm_answer(ngx_http_request_t *r, abdm_answer_t *answer,
    ngx_str_t *json)
{
    ngx_http_abdm_ctx_t       *ctx;
    ngx_http_complex_value_t   cv;

    static ngx_str_t  empty = ngx_string("{}");

    ctx = ngx_http_abdm_get_ctx(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (answer->status < NGX_HTTP_OK
        || answer->status >= NGX_HTTP_SPECIAL_RESPONSE)
    {
        if (json) {
            ctx->error = *json;
        }

        return ngx_http_abdm_refuse(r, answer);
    }

    ctx->answer = *answer;
    ctx->answered = 1;

    ngx_memzero(&cv, sizeof(ngx_http_complex_value_t));
    cv.value = json ? *json : empty;

    return ngx_http_send_response(r, answer->status, &ngx_http_abdm_json, &cv);
}


static void
ngx_http_abdm_error_log(ngx_http_request_t *r, abdm_answer_t *answer)
{
    ngx_str_t                  id, path;
    ngx_uint_t                 level;
    ngx_table_elt_t           *h;
    ngx_http_abdm_loc_conf_t  *alcf;

    static ngx_str_t  name = ngx_string("request-id");

    /* a genuine gateway never meets 404, 405, 413 and 415 */

    switch (answer->status) {

    case NGX_HTTP_BAD_REQUEST:
    case NGX_HTTP_UNAUTHORIZED:
        level = NGX_LOG_WARN;
        break;

    default:
        level = answer->status < NGX_HTTP_INTERNAL_SERVER_ERROR ? NGX_LOG_INFO
                                                                : NGX_LOG_ERR;
    }

    alcf = ngx_http_get_module_loc_conf(r, ngx_http_abdm_module);

    if (alcf->kind == NGX_HTTP_ABDM_API) {
        ngx_http_abdm_error_log_api(r, answer, level, &alcf->name);
        return;
    }

    h = ngx_http_abdm_find_header(r, &name);

    /* what came is logged only in a form that cannot forge a line */

    if (h && ngx_http_abdm_error_is_id(&h->value)) {
        id = h->value;

    } else {
        ngx_str_set(&id, "-");
    }

    path = r->unparsed_uri;
    path.len = ngx_min(path.len, 256);

    ngx_log_error(level, r->connection->log, 0,
                  "abdm: refused with %d %s: %s, path \"%V\", "
                  "REQUEST-ID \"%V\"", answer->status, answer->code,
                  answer->message, &path, &id);
}


/*
 * In calls of the API the path and the query may tell who the patient is, and
 * the handler of nginx would add the whole request line.
 */

static void
ngx_http_abdm_error_log_api(ngx_http_request_t *r, abdm_answer_t *answer,
    ngx_uint_t level, ngx_str_t *location)
{
    ngx_log_t           *log;
    ngx_log_handler_pt   handler;

    log = r->connection->log;

    handler = log->handler;
    log->handler = NULL;

    ngx_log_error(level, log, 0,
                  "abdm: refused with %d %s: %s, method %V, location \"%V\", "
                  "client: %V", answer->status, answer->code, answer->message,
                  &r->method_name, location, &r->connection->addr_text);

    log->handler = handler;
}


static ngx_uint_t
ngx_http_abdm_error_is_id(ngx_str_t *value)
{
    u_char      c;
    ngx_uint_t  i;

    for (i = 0; i < value->len; i++) {
        c = value->data[i] | 0x20;

        if ((c < '0' || c > '9') && (c < 'a' || c > 'f')
            && value->data[i] != '-')
        {
            return 0;
        }
    }

    return value->len == 36;
}


static ngx_int_t
ngx_http_abdm_error_header_filter(ngx_http_request_t *r)
{
    ngx_int_t                  rc;
    ngx_uint_t                 status;
    ngx_http_abdm_ctx_t       *ctx;
    ngx_http_abdm_loc_conf_t  *alcf;

    alcf = ngx_http_get_module_loc_conf(r, ngx_http_abdm_module);

    if (r != r->main || alcf->kind == NGX_HTTP_ABDM_NONE) {
        return ngx_http_next_header_filter(r);
    }

    if (alcf->kind == NGX_HTTP_ABDM_API
        && ngx_http_abdm_error_push(r, "Cache-Control", "no-store") == NULL)
    {
        return NGX_ERROR;
    }

    status = r->headers_out.status;

    if (status < NGX_HTTP_BAD_REQUEST) {
        return ngx_http_next_header_filter(r);
    }

    ctx = ngx_http_abdm_get_ctx(r);
    if (ctx == NULL) {
        return NGX_ERROR;
    }

    if (!ctx->answered || ctx->answer.status != (int) status) {

        /* nginx has logged the reason */

        ctx->answer = ngx_http_abdm_error_of_status(status, alcf->kind);
        ctx->answered = 1;
        ctx->error.len = 0;
    }

    /* what the library has put into words stays as it is */

    if (ctx->error.len == 0) {
        rc = alcf->kind == NGX_HTTP_ABDM_API
             ? ngx_http_abdm_error_api(r, ctx, alcf->nha)
             : ngx_http_abdm_error_json(r, ctx);

        if (rc != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (ngx_http_abdm_error_headers(r, ctx, alcf->kind) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_next_header_filter(r);
}


static abdm_answer_t
ngx_http_abdm_error_of_status(ngx_uint_t status, ngx_http_abdm_kind_e kind)
{
    abdm_err_t     err;
    ngx_uint_t     i;
    abdm_answer_t  answer;

    for (i = 0; ngx_http_abdm_statuses[i].status; i++) {
        if (ngx_http_abdm_statuses[i].status == status
            && (ngx_http_abdm_statuses[i].kind == kind
                || ngx_http_abdm_statuses[i].kind == NGX_HTTP_ABDM_NONE))
        {
            break;
        }
    }

    err = status < NGX_HTTP_INTERNAL_SERVER_ERROR
          ? ABDM_ERR(REQUEST, "see nginx's error log")
          : ABDM_ERR(SERVER, "see nginx's error log");

    if (ngx_http_abdm_statuses[i].status) {
        err.code = ngx_http_abdm_statuses[i].code;
        err.what = ngx_http_abdm_statuses[i].what;
    }

    answer = abdm_answer_of(err);
    answer.status = (int) status;

    return answer;
}


static ngx_int_t
ngx_http_abdm_error_json(ngx_http_request_t *r, ngx_http_abdm_ctx_t *ctx)
{
    u_char  *p, *code, *message;
    size_t   len, code_len, message_len;

    code = (u_char *) ctx->answer.code;
    code_len = ngx_strlen(code);

    message = (u_char *) ctx->answer.message;
    message_len = ngx_strlen(message);

    len = sizeof("{\"error\":{\"code\":\"\",\"message\":\"\"}}\n") - 1
          + code_len + ngx_escape_json(NULL, code, code_len)
          + message_len + ngx_escape_json(NULL, message, message_len);

    p = ngx_pnalloc(r->pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ctx->error.data = p;
    ctx->error.len = len;

    p = ngx_cpymem(p, "{\"error\":{\"code\":\"",
                   sizeof("{\"error\":{\"code\":\"") - 1);
    p = (u_char *) ngx_escape_json(p, code, code_len);
    p = ngx_cpymem(p, "\",\"message\":\"", sizeof("\",\"message\":\"") - 1);
    p = (u_char *) ngx_escape_json(p, message, message_len);
    ngx_memcpy(p, "\"}}\n", sizeof("\"}}\n") - 1);

    return NGX_OK;
}


/* the same for a caller of the API, who has a form of its own */

static ngx_int_t
ngx_http_abdm_error_api(ngx_http_request_t *r, ngx_http_abdm_ctx_t *ctx,
    ngx_uint_t nha)
{
    char    *json;
    size_t   len;
    u_char  *p;

    json = abdm_api_refusal(nha, &ctx->answer);
    if (json == NULL) {
        return NGX_ERROR;
    }

    len = ngx_strlen(json);

    p = ngx_pnalloc(r->pool, len);
    if (p != NULL) {
        ngx_memcpy(p, json, len);

        ctx->error.data = p;
        ctx->error.len = len;
    }

    free(json);

    return p != NULL ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_http_abdm_error_headers(ngx_http_request_t *r, ngx_http_abdm_ctx_t *ctx,
    ngx_http_abdm_kind_e kind)
{
    u_char                   *p;
    ngx_http_headers_out_t   *out;

    /* those of the API are of all its paths: README has them one by one */

    static char  *allow[] = {
        NULL,
        "POST",
        "GET, HEAD, POST, PUT, DELETE",
        "GET, HEAD"
    };

    out = &r->headers_out;

    ngx_http_clear_content_length(r);
    ngx_http_clear_accept_ranges(r);
    ngx_http_clear_last_modified(r);
    ngx_http_clear_etag(r);

    if (out->content_encoding) {
        out->content_encoding->hash = 0;
        out->content_encoding = NULL;
    }

    out->content_length_n = ctx->error.len;
    out->content_type = ngx_http_abdm_json;
    out->content_type_len = ngx_http_abdm_json.len;
    out->content_type_lowcase = NULL;
    ngx_str_null(&out->charset);

    if (out->status == NGX_HTTP_NOT_ALLOWED
        && ngx_http_abdm_error_push(r, "Allow", allow[kind]) == NULL)
    {
        return NGX_ERROR;
    }

    if (out->status == NGX_HTTP_UNAUTHORIZED
        && kind == NGX_HTTP_ABDM_CALLBACK
        && out->www_authenticate == NULL)
    {
        out->www_authenticate = ngx_http_abdm_error_push(r, "WWW-Authenticate",
                                                         "Bearer");
        if (out->www_authenticate == NULL) {
            return NGX_ERROR;
        }
    }

    if (ctx->answer.retry_after) {

        p = ngx_pnalloc(r->pool, NGX_INT_T_LEN + 1);
        if (p == NULL) {
            return NGX_ERROR;
        }

        ngx_sprintf(p, "%d%Z", ctx->answer.retry_after);

        if (ngx_http_abdm_error_push(r, "Retry-After", (char *) p) == NULL) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_table_elt_t *
ngx_http_abdm_error_push(ngx_http_request_t *r, char *name, char *value)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NULL;
    }

    h->hash = 1;
    h->key.len = ngx_strlen(name);
    h->key.data = (u_char *) name;
    h->value.len = ngx_strlen(value);
    h->value.data = (u_char *) value;
#if (nginx_version >= 1023000)
    h->next = NULL;
#endif

    return h;
}


static ngx_int_t
ngx_http_abdm_error_body_filter(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_buf_t            *b;
    ngx_chain_t          *cl, out;
    ngx_http_abdm_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_abdm_module);

    if (in == NULL || ctx == NULL || ctx->error.len == 0 || r != r->main
        || r->header_only)
    {
        return ngx_http_next_body_filter(r, in);
    }

    for (cl = in; cl; cl = cl->next) {
        cl->buf->pos = cl->buf->last;
        cl->buf->file_pos = cl->buf->file_last;
    }

    if (ctx->error_sent) {
        return NGX_OK;
    }

    ctx->error_sent = 1;

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->pos = ctx->error.data;
    b->last = ctx->error.data + ctx->error.len;
    b->memory = 1;
    b->last_buf = 1;
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    return ngx_http_next_body_filter(r, &out);
}


ngx_int_t
ngx_http_abdm_error_init(ngx_conf_t *cf)
{
    ngx_http_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_http_abdm_error_header_filter;

    ngx_http_next_body_filter = ngx_http_top_body_filter;
    ngx_http_top_body_filter = ngx_http_abdm_error_body_filter;

    return NGX_OK;
}
