
/*
 * The state of the library in the worker that happens to answer, as JSON.
 */


#include "ngx_http_abdm.h"


ngx_int_t
ngx_http_abdm_status_handler(ngx_http_request_t *r)
{
    char                       *status;
    ngx_int_t                   rc;
    ngx_str_t                   json;
    abdm_answer_t               answer;
    ngx_http_abdm_main_conf_t  *amcf;

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return ngx_http_abdm_refuse_err(r, ABDM_ERR(METHOD_READ, "method"));
    }

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    amcf = ngx_http_get_module_main_conf(r, ngx_http_abdm_module);

    if (!amcf->engine->running) {
        return ngx_http_abdm_refuse_err(r, ABDM_ERR(STOPPING,
                                        "this worker has no engine running"));
    }

    status = abdm_status(amcf->engine->abdm);

    if (status == NULL) {
        return ngx_http_abdm_refuse_err(r, ABDM_ERR(MEMORY, "status"));
    }

    json.len = ngx_strlen(status);
    json.data = ngx_pnalloc(r->pool, json.len + 1);

    if (json.data == NULL) {
        free(status);
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_memcpy(json.data, status, json.len);

    free(status);

    answer.status = NGX_HTTP_OK;
    answer.code = "";
    answer.message = "";
    answer.retry_after = 0;

    return ngx_http_abdm_answer(r, &answer, &json);
}
