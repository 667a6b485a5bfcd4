
/*
 * The module: directives, their defaults, variables, and the hooks by which
 * nginx calls the other files.
 */


#include "ngx_http_abdm.h"


static ngx_int_t ngx_http_abdm_preconfiguration(ngx_conf_t *cf);
static ngx_int_t ngx_http_abdm_init(ngx_conf_t *cf);
static void *ngx_http_abdm_create_main_conf(ngx_conf_t *cf);
static char *ngx_http_abdm_init_main_conf(ngx_conf_t *cf, void *conf);
static void *ngx_http_abdm_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_abdm_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);
static char *ngx_http_abdm_check_size(ngx_conf_t *cf, void *post, void *data);
static ngx_int_t ngx_http_abdm_init_process(ngx_cycle_t *cycle);
static void ngx_http_abdm_cleanup(void *data);
static ngx_int_t ngx_http_abdm_result_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_abdm_request_id_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);


static ngx_conf_post_t  ngx_http_abdm_size_post = {
    ngx_http_abdm_check_size
};


static ngx_conf_num_bounds_t  ngx_http_abdm_queue_bounds = {
    ngx_conf_check_num_bounds, 1, 1000000
};


static ngx_conf_enum_t  ngx_http_abdm_new_hosts[] = {
    { ngx_string("allow"), ABDM_NEW_HOST_ALLOW },
    { ngx_string("hold"), ABDM_NEW_HOST_HOLD },
    { ngx_string("deny"), ABDM_NEW_HOST_DENY },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_http_abdm_confirm[] = {
    { ngx_string("off"), ABDM_CONFIRM_OFF },
    { ngx_string("try"), ABDM_CONFIRM_TRY },
    { ngx_string("require"), ABDM_CONFIRM_REQUIRE },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_http_abdm_signature[] = {
    { ngx_string("off"), ABDM_SIGNATURE_OFF },
    { ngx_string("log"), ABDM_SIGNATURE_LOG },
    { ngx_string("enforce"), ABDM_SIGNATURE_ENFORCE },
    { ngx_null_string, 0 }
};


static ngx_command_t  ngx_http_abdm_commands[] = {

    { ngx_string("abdm_store"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_abdm_store,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("abdm_secret_key"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_abdm_secret_key,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("abdm_gateway"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_BLOCK|NGX_CONF_TAKE1,
      ngx_http_abdm_gateway,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("abdm_facility"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_BLOCK|NGX_CONF_TAKE1,
      ngx_http_abdm_facility,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("abdm_consent_confirm"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_abdm_main_conf_t, consent_confirm),
      &ngx_http_abdm_confirm },

    { ngx_string("abdm_consent_signature"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_abdm_main_conf_t, consent_signature),
      &ngx_http_abdm_signature },

    { ngx_string("abdm_consent_key"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE12,
      ngx_http_abdm_consent_key,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("abdm_push_allow"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,
      ngx_http_abdm_push_allow,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("abdm_push_new_host"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_abdm_main_conf_t, push_new_host),
      &ngx_http_abdm_new_hosts },

    { ngx_string("abdm_break_glass"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_abdm_main_conf_t, break_glass),
      NULL },

    { ngx_string("abdm_drain"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_abdm_main_conf_t, drain),
      NULL },

    { ngx_string("abdm_queue"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_abdm_main_conf_t, queue),
      &ngx_http_abdm_queue_bounds },

    { ngx_string("abdm_record_max"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_size_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_abdm_main_conf_t, record_max),
      &ngx_http_abdm_size_post },

    { ngx_string("abdm_audit_keep"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_sec_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_abdm_main_conf_t, audit_keep),
      NULL },

    { ngx_string("abdm_callback_max_body"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_size_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_abdm_main_conf_t, callback_max_body),
      &ngx_http_abdm_size_post },

    { ngx_string("abdm_callback"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_abdm_location,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      (void *) NGX_HTTP_ABDM_CALLBACK },

    { ngx_string("abdm_api"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS|NGX_CONF_TAKE12,
      ngx_http_abdm_location,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      (void *) NGX_HTTP_ABDM_API },

    { ngx_string("abdm_status"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_abdm_location,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      (void *) NGX_HTTP_ABDM_STATUS },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_abdm_module_ctx = {
    ngx_http_abdm_preconfiguration,           /* preconfiguration */
    ngx_http_abdm_init,                    /* postconfiguration */

    ngx_http_abdm_create_main_conf,        /* create main configuration */
    ngx_http_abdm_init_main_conf,          /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_abdm_create_loc_conf,         /* create location configuration */
    ngx_http_abdm_merge_loc_conf           /* merge location configuration */
};


ngx_module_t  ngx_http_abdm_module = {
    NGX_MODULE_V1,
    &ngx_http_abdm_module_ctx,             /* module context */
    ngx_http_abdm_commands,                /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    ngx_http_abdm_init_process,            /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_http_abdm_engine_stop,             /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_http_variable_t  ngx_http_abdm_vars[] = {

    { ngx_string("abdm_result"), NULL, ngx_http_abdm_result_variable, 0,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("abdm_request_id"), NULL, ngx_http_abdm_request_id_variable,
      0, 0, 0 },

      ngx_http_null_variable
};


ngx_http_abdm_ctx_t *
ngx_http_abdm_get_ctx(ngx_http_request_t *r)
{
    ngx_http_cleanup_t   *cln;
    ngx_http_abdm_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_abdm_module);

    if (ctx) {
        return ctx;
    }

    ctx = ngx_pcalloc(r->pool, sizeof(ngx_http_abdm_ctx_t));
    if (ctx == NULL) {
        return NULL;
    }

    cln = ngx_http_cleanup_add(r, 0);
    if (cln == NULL) {
        return NULL;
    }

    cln->handler = ngx_http_abdm_cleanup;
    cln->data = ctx;

    ctx->request = r;

    ngx_http_set_ctx(r, ctx, ngx_http_abdm_module);

    return ctx;
}


static void
ngx_http_abdm_cleanup(void *data)
{
    ngx_http_abdm_ctx_t *ctx = data;

    if (ctx->ticket) {
        ngx_log_debug0(NGX_LOG_DEBUG_HTTP, ctx->request->connection->log, 0,
                       "abdm: request gone while the library works");

        ctx->ticket->request = NULL;
        ctx->ticket = NULL;
    }

    if (ctx->parked) {
        ngx_queue_remove(&ctx->queue);
        ctx->engine->nparked--;
        ctx->parked = 0;
    }
}


static ngx_int_t
ngx_http_abdm_result_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_abdm_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_abdm_module);

    if (ctx == NULL || !ctx->answered) {
        v->not_found = 1;
        return NGX_OK;
    }

    v->data = (u_char *) (ctx->answer.code[0] ? ctx->answer.code : "ok");
    v->len = ngx_strlen(v->data);
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}


static ngx_int_t
ngx_http_abdm_request_id_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_table_elt_t  *h;

    static ngx_str_t  name = ngx_string("request-id");

    h = ngx_http_abdm_find_header(r, &name);

    if (h == NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    v->data = h->value.data;
    v->len = h->value.len;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}


static ngx_int_t
ngx_http_abdm_preconfiguration(ngx_conf_t *cf)
{
    ngx_http_variable_t  *var, *v;

    /* before anything is given to the library: its structures may differ */

    if (ngx_strcmp(abdm_version(), ABDM_VERSION) != 0) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "libabdm is of version %s, the module was built with "
                      "%s: if libabdm was replaced while nginx ran, a reload "
                      "is not enough, restart nginx or upgrade its binary "
                      "(kill -USR2)", abdm_version(), ABDM_VERSION);
        return NGX_ERROR;
    }

    for (v = ngx_http_abdm_vars; v->name.len; v++) {
        var = ngx_http_add_variable(cf, &v->name, v->flags);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = v->get_handler;
        var->data = v->data;
    }

    return NGX_OK;
}


static void *
ngx_http_abdm_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_abdm_main_conf_t  *amcf;

    amcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_abdm_main_conf_t));
    if (amcf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     amcf->store = { 0, NULL };
     *     amcf->secret_key = { 0, NULL };
     *     amcf->gateway = NULL;
     *     amcf->facilities = NULL;
     *     amcf->push_allow = NULL;
     *     amcf->consent_keys = NULL;
     *     amcf->consent_kids = NULL;
     *     amcf->prefix = { 0, NULL };
     *     amcf->places = NULL;
     */

    amcf->break_glass = NGX_CONF_UNSET;
    amcf->push_new_host = NGX_CONF_UNSET_UINT;
    amcf->consent_confirm = NGX_CONF_UNSET_UINT;
    amcf->consent_signature = NGX_CONF_UNSET_UINT;
    amcf->drain = NGX_CONF_UNSET_MSEC;
    amcf->queue = NGX_CONF_UNSET;
    amcf->record_max = NGX_CONF_UNSET_SIZE;
    amcf->audit_keep = NGX_CONF_UNSET;
    amcf->callback_max_body = NGX_CONF_UNSET_SIZE;

    amcf->cycle = cf->cycle;

    amcf->engine = ngx_pcalloc(cf->pool, sizeof(ngx_http_abdm_engine_t));
    if (amcf->engine == NULL) {
        return NULL;
    }

    return amcf;
}


static char *
ngx_http_abdm_init_main_conf(ngx_conf_t *cf, void *conf)
{
    ngx_http_abdm_main_conf_t *amcf = conf;

    abdm_config_t  defaults;

    abdm_config_init(&defaults);

    /* before the merge, which hands the size to the core */

    ngx_conf_init_value(amcf->break_glass, 0);
    ngx_conf_init_uint_value(amcf->push_new_host, ABDM_NEW_HOST_ALLOW);
    ngx_conf_init_uint_value(amcf->consent_confirm, defaults.policy.confirm);
    ngx_conf_init_uint_value(amcf->consent_signature,
                             defaults.policy.signature);
    ngx_conf_init_msec_value(amcf->drain, 10000);
    ngx_conf_init_value(amcf->queue, defaults.queue);
    ngx_conf_init_size_value(amcf->record_max, defaults.record_max);
    ngx_conf_init_value(amcf->audit_keep, defaults.audit_keep_ms / 1000);
    ngx_conf_init_size_value(amcf->callback_max_body,
                             defaults.callback_max_body);

    return NGX_CONF_OK;
}


static void *
ngx_http_abdm_create_loc_conf(ngx_conf_t *cf)
{
    /* kind is NGX_HTTP_ABDM_NONE: as a handler, it is not inherited */

    return ngx_pcalloc(cf->pool, sizeof(ngx_http_abdm_loc_conf_t));
}


static char *
ngx_http_abdm_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_abdm_loc_conf_t *prev = parent;
    ngx_http_abdm_loc_conf_t *conf = child;

    size_t                      size;
    ngx_http_core_loc_conf_t   *clcf;
    ngx_http_abdm_main_conf_t  *amcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->noname && conf->kind == NGX_HTTP_ABDM_NONE
        && clcf->handler == NULL)
    {
        /* "if" and "limit_except" within a location of ours */

        *conf = *prev;
        clcf->handler = conf->handler;
    }

    if (conf->kind == NGX_HTTP_ABDM_NONE) {
        return NGX_CONF_OK;
    }

    /* machines call here: an inherited error page would be no answer */

    clcf->error_pages = NULL;

    /* client_max_body_size is for uploads to others: here it only lowers */

    if (conf->kind == NGX_HTTP_ABDM_API
        && (clcf->client_max_body_size == 0
            || clcf->client_max_body_size > NGX_HTTP_ABDM_API_BODY))
    {
        clcf->client_max_body_size = NGX_HTTP_ABDM_API_BODY;
    }

    if (conf->kind == NGX_HTTP_ABDM_CALLBACK) {
        amcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_abdm_module);

        /*
         * our limit governs, and a body within it stays in memory:
         * the buffer has room for the framing of usual chunks too
         */

        clcf->client_max_body_size = amcf->callback_max_body;

        size = amcf->callback_max_body + amcf->callback_max_body / 16 + 4096;

        if (clcf->client_body_buffer_size < size) {
            clcf->client_body_buffer_size = size;
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_abdm_check_size(ngx_conf_t *cf, void *post, void *data)
{
    size_t *size = data;

    if (*size == 0) {
        return "must not be 0, a size like \"256k\" is expected";
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_abdm_init(ngx_conf_t *cf)
{
    ngx_http_abdm_main_conf_t  *amcf;

    amcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_abdm_module);

    if (ngx_http_abdm_conf_make(cf, amcf) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_http_abdm_engine_prepare(cf, amcf) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_abdm_error_init(cf);
}


static ngx_int_t
ngx_http_abdm_init_process(ngx_cycle_t *cycle)
{
    /* the cache manager and the cache loader come here too */

    if (ngx_process != NGX_PROCESS_WORKER
        && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    return ngx_http_abdm_engine_start(cycle);
}
