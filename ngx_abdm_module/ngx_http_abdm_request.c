
/*
 * What a request brought, for the handlers of callbacks and of the API: the
 * headers that matter, and the body in one piece.
 */


#include "ngx_http_abdm.h"


static struct {
    ngx_str_t    name;
    ngx_uint_t   offset;
} ngx_http_abdm_headers[] = {

    { ngx_string("authorization"), offsetof(abdm_head_t, authorization) },
    { ngx_string("request-id"), offsetof(abdm_head_t, request_id) },
    { ngx_string("timestamp"), offsetof(abdm_head_t, timestamp) },
    { ngx_string("x-hip-id"), offsetof(abdm_head_t, hip_id) },
    { ngx_string("x-hiu-id"), offsetof(abdm_head_t, hiu_id) },
    { ngx_string("content-type"), offsetof(abdm_head_t, content_type) },
    { ngx_string("content-encoding"),
      offsetof(abdm_head_t, content_encoding) },

    { ngx_null_string, 0 }
};


void
ngx_http_abdm_request_head(ngx_http_request_t *r, abdm_head_t *head)
{
    abdm_str_t       *field;
    ngx_uint_t        i, n;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *header;

    ngx_memzero(head, sizeof(abdm_head_t));

    head->method.p = (char *) r->method_name.data;
    head->method.len = r->method_name.len;
    head->path.p = (char *) r->uri.data;
    head->path.len = r->uri.len;
    head->content_length = r->headers_in.content_length_n;

    part = &r->headers_in.headers.part;
    header = part->elts;

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {
            if (part->next == NULL) {
                break;
            }

            part = part->next;
            header = part->elts;
            i = 0;
        }

        if (header[i].hash == 0) {
            continue;
        }

        for (n = 0; ngx_http_abdm_headers[n].name.len; n++) {

            if (header[i].key.len != ngx_http_abdm_headers[n].name.len
                || ngx_strncmp(header[i].lowcase_key,
                               ngx_http_abdm_headers[n].name.data,
                               header[i].key.len)
                   != 0)
            {
                continue;
            }

            field = (abdm_str_t *) ((char *) head
                                    + ngx_http_abdm_headers[n].offset);

            if (field->p) {
                head->duplicate = 1;
                break;
            }

            field->p = (char *) header[i].value.data;
            field->len = header[i].value.len;

            break;
        }
    }
}


ngx_int_t
ngx_http_abdm_request_body(ngx_http_request_t *r, abdm_str_t *body)
{
    off_t                      size;
    u_char                    *p;
    ssize_t                    n;
    ngx_buf_t                 *b;
    ngx_chain_t               *in, *cl;
    ngx_http_core_loc_conf_t  *clcf;

    body->p = "";
    body->len = 0;

    in = r->request_body ? r->request_body->bufs : NULL;

    if (in == NULL) {
        return NGX_OK;
    }

    if (in->next == NULL && ngx_buf_in_memory(in->buf)) {
        body->p = (char *) in->buf->pos;
        body->len = in->buf->last - in->buf->pos;
        return NGX_OK;
    }

    /*
     * the framing of many small chunks takes room in the buffer,
     * so even a body within the limit may come in parts or in a file
     */

    size = 0;

    for (cl = in; cl; cl = cl->next) {
        size += ngx_buf_size(cl->buf);
    }

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (size > clcf->client_max_body_size) {
        return NGX_HTTP_REQUEST_ENTITY_TOO_LARGE;
    }

    p = ngx_pnalloc(r->pool, (size_t) size + 1);
    if (p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    body->p = (char *) p;
    body->len = (size_t) size;

    for (cl = in; cl; cl = cl->next) {

        b = cl->buf;

        if (ngx_buf_in_memory(b)) {
            p = ngx_cpymem(p, b->pos, b->last - b->pos);
            continue;
        }

        if (!b->in_file) {
            continue;
        }

        size = b->file_last - b->file_pos;

        n = ngx_read_file(b->file, p, (size_t) size, b->file_pos);

        if (n != (ssize_t) size) {
            ngx_log_error(NGX_LOG_CRIT, r->connection->log, 0,
                          ngx_read_file_n " read only %z of %O from \"%V\"",
                          n, size, &b->file->name);
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        p += n;
    }

    return NGX_OK;
}


ngx_table_elt_t *
ngx_http_abdm_find_header(ngx_http_request_t *r, ngx_str_t *lowcase)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *header;

    part = &r->headers_in.headers.part;
    header = part->elts;

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {
            if (part->next == NULL) {
                return NULL;
            }

            part = part->next;
            header = part->elts;
            i = 0;
        }

        if (header[i].hash != 0
            && header[i].key.len == lowcase->len
            && ngx_strncmp(header[i].lowcase_key, lowcase->data, lowcase->len)
               == 0)
        {
            return &header[i];
        }
    }
}
