
/*
 * The blocks abdm_gateway and abdm_facility: a table of what may stand within
 * each, read by one handler.
 */


#include "ngx_http_abdm.h"


typedef struct ngx_http_abdm_item_s  ngx_http_abdm_item_t;

typedef char *(*ngx_http_abdm_item_pt)(ngx_conf_t *cf,
    ngx_http_abdm_item_t *item, void *conf);


/* a directive within one of our blocks */

struct ngx_http_abdm_item_s {
    ngx_str_t               name;
    ngx_uint_t              min;
    ngx_uint_t              max;
    ngx_http_abdm_item_pt   set;
    ngx_uint_t              offset;
    ngx_uint_t              required;
    char                   *expected;
};


typedef struct {
    ngx_str_t               name;
    ngx_http_abdm_item_t   *items;
    void                   *conf;
} ngx_http_abdm_block_t;


static char *ngx_http_abdm_block(ngx_conf_t *cf, char *name,
    ngx_http_abdm_item_t *items, void *conf);
static char *ngx_http_abdm_block_handler(ngx_conf_t *cf, ngx_command_t *dummy,
    void *conf);
static char *ngx_http_abdm_item_string(ngx_conf_t *cf,
    ngx_http_abdm_item_t *item, void *conf);
static char *ngx_http_abdm_item_file(ngx_conf_t *cf,
    ngx_http_abdm_item_t *item, void *conf);
static char *ngx_http_abdm_item_list(ngx_conf_t *cf,
    ngx_http_abdm_item_t *item, void *conf);
static char *ngx_http_abdm_item_time(ngx_conf_t *cf,
    ngx_http_abdm_item_t *item, void *conf);
static char *ngx_http_abdm_item_hmis(ngx_conf_t *cf,
    ngx_http_abdm_item_t *item, void *conf);


#define NGX_HTTP_ABDM_MANY  (NGX_CONF_MAX_ARGS - 1)


static ngx_http_abdm_item_t  ngx_http_abdm_gateway_items[] = {

    { ngx_string("client_id"), 1, 1, ngx_http_abdm_item_string,
      offsetof(abdm_gateway_config_t, client_id), 1, "the bridge id" },

    { ngx_string("client_secret"), 1, 1, ngx_http_abdm_item_file,
      offsetof(abdm_gateway_config_t, client_secret_file), 1,
      "the name of a file that holds it" },

    { ngx_string("url"), 1, 1, ngx_http_abdm_item_string,
      offsetof(abdm_gateway_config_t, url), 0,
      "a URL like \"https://dev.abdm.gov.in\"" },

    { ngx_string("cm_id"), 1, 1, ngx_http_abdm_item_string,
      offsetof(abdm_gateway_config_t, cm_id), 0,
      "the X-CM-ID, as \"sbx\"" },

    { ngx_string("issuer"), 1, NGX_HTTP_ABDM_MANY, ngx_http_abdm_item_list,
      offsetof(abdm_gateway_config_t, issuer), 0,
      "one or more \"iss\" of tokens" },

    { ngx_string("caller"), 1, NGX_HTTP_ABDM_MANY, ngx_http_abdm_item_list,
      offsetof(abdm_gateway_config_t, caller), 0,
      "one or more \"azp\" of tokens" },

    { ngx_string("jwks_url"), 1, 1, ngx_http_abdm_item_string,
      offsetof(abdm_gateway_config_t, jwks_url), 0, "a URL" },

    { ngx_string("trusted_certificate"), 1, 1, ngx_http_abdm_item_file,
      offsetof(abdm_gateway_config_t, trusted_certificate), 0,
      "the name of a PEM file" },

    { ngx_string("token_leeway"), 1, 1, ngx_http_abdm_item_time,
      offsetof(abdm_gateway_config_t, token_leeway_ms), 0,
      "a time like \"1h\"" },

    { ngx_null_string, 0, 0, NULL, 0, 0, NULL }
};


static ngx_http_abdm_item_t  ngx_http_abdm_facility_items[] = {

    { ngx_string("name"), 1, 1, ngx_http_abdm_item_string,
      offsetof(abdm_facility_config_t, name), 1,
      "the name that patients see" },

    { ngx_string("hmis"), 3, 3, ngx_http_abdm_item_hmis,
      offsetof(abdm_facility_config_t, hmis_adapter), 1,
      "\"rest URL mapping=DIRECTORY\"" },

    { ngx_string("fhir"), 1, 1, ngx_http_abdm_item_string,
      offsetof(abdm_facility_config_t, fhir), 0,
      "\"reject\", \"attach\" or \"send\"" },

    { ngx_string("codes"), 1, 1, ngx_http_abdm_item_file,
      offsetof(abdm_facility_config_t, codes), 0,
      "a CSV file of local terms and codes" },

    { ngx_null_string, 0, 0, NULL, 0, 0, NULL }
};


static struct {
    ngx_str_t       name;
    abdm_preset_t   preset;
} ngx_http_abdm_presets[] = {
    { ngx_string("sandbox"), ABDM_GATEWAY_SANDBOX },
    { ngx_string("production"), ABDM_GATEWAY_PRODUCTION },
    { ngx_string("custom"), ABDM_GATEWAY_CUSTOM },
    { ngx_null_string, 0 }
};


char *
ngx_http_abdm_gateway(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_abdm_main_conf_t *amcf = conf;

    ngx_str_t              *value;
    ngx_uint_t              i;
    abdm_gateway_config_t  *gateway;

    if (amcf->gateway) {
        return "is duplicate";
    }

    value = cf->args->elts;

    for (i = 0; ngx_http_abdm_presets[i].name.len; i++) {
        if (value[1].len == ngx_http_abdm_presets[i].name.len
            && ngx_strcmp(value[1].data, ngx_http_abdm_presets[i].name.data)
               == 0)
        {
            break;
        }
    }

    if (ngx_http_abdm_presets[i].name.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "unknown preset \"%V\" in \"abdm_gateway\", "
                           "\"sandbox\", \"production\" or \"custom\" "
                           "is expected", &value[1]);
        return NGX_CONF_ERROR;
    }

    gateway = ngx_pcalloc(cf->pool, sizeof(abdm_gateway_config_t));
    if (gateway == NULL) {
        return NGX_CONF_ERROR;
    }

    gateway->preset = ngx_http_abdm_presets[i].preset;
    gateway->token_leeway_ms = -1;

    amcf->gateway = gateway;

    return ngx_http_abdm_block(cf, "abdm_gateway",
                               ngx_http_abdm_gateway_items, gateway);
}


char *
ngx_http_abdm_facility(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_abdm_main_conf_t *amcf = conf;

    ngx_str_t               *value;
    ngx_uint_t               i;
    abdm_facility_config_t  *facility;

    if (amcf->facilities == NULL) {
        amcf->facilities = ngx_array_create(cf->pool, 4,
                                            sizeof(abdm_facility_config_t));
        if (amcf->facilities == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    value = cf->args->elts;
    facility = amcf->facilities->elts;

    for (i = 0; i < amcf->facilities->nelts; i++) {
        if (ngx_strcmp(facility[i].id, value[1].data) == 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "duplicate \"abdm_facility %V\"", &value[1]);
            return NGX_CONF_ERROR;
        }
    }

    facility = ngx_array_push(amcf->facilities);
    if (facility == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(facility, sizeof(abdm_facility_config_t));
    facility->id = (char *) value[1].data;

    return ngx_http_abdm_block(cf, "abdm_facility",
                               ngx_http_abdm_facility_items, facility);
}


static char *
ngx_http_abdm_block(ngx_conf_t *cf, char *name, ngx_http_abdm_item_t *items,
    void *conf)
{
    char                   *rv;
    ngx_conf_t              save;
    ngx_http_abdm_item_t   *item;
    ngx_http_abdm_block_t   block;

    block.name.len = ngx_strlen(name);
    block.name.data = (u_char *) name;
    block.items = items;
    block.conf = conf;

    save = *cf;

    cf->handler = ngx_http_abdm_block_handler;
    cf->handler_conf = (void *) &block;

    rv = ngx_conf_parse(cf, NULL);

    *cf = save;

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    for (item = items; item->name.len; item++) {

        if (item->required
            && *(const char **) ((char *) conf + item->offset) == NULL)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "no \"%V\" in the block \"%s\", %s is expected",
                               &item->name, name, item->expected);
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_abdm_block_handler(ngx_conf_t *cf, ngx_command_t *dummy, void *conf)
{
    ngx_http_abdm_block_t *block = conf;

    char                  *rv;
    ngx_str_t             *value;
    ngx_uint_t             n;
    ngx_http_abdm_item_t  *item;

    value = cf->args->elts;
    n = cf->args->nelts - 1;

    if (n == 1 && ngx_strcmp(value[0].data, "include") == 0) {
        return ngx_conf_include(cf, dummy, conf);
    }

    for (item = block->items; item->name.len; item++) {
        if (ngx_strcmp(value[0].data, item->name.data) == 0) {
            break;
        }
    }

    if (item->name.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "unknown directive \"%V\" in the block \"%V\"",
                           &value[0], &block->name);
        return NGX_CONF_ERROR;
    }

    if (n < item->min || n > item->max) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid number of arguments in \"%V\" of the "
                           "block \"%V\", %s is expected",
                           &item->name, &block->name, item->expected);
        return NGX_CONF_ERROR;
    }

    rv = item->set(cf, item, block->conf);

    if (rv == NGX_CONF_OK || rv == NGX_CONF_ERROR) {
        return rv;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\" in the block \"%V\" %s",
                       &item->name, &block->name, rv);

    return NGX_CONF_ERROR;
}


static char *
ngx_http_abdm_item_string(ngx_conf_t *cf, ngx_http_abdm_item_t *item,
    void *conf)
{
    ngx_str_t    *value;
    const char  **field;

    field = (const char **) ((char *) conf + item->offset);

    if (*field) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (value[1].len == 0) {
        return "is empty";
    }

    *field = (char *) value[1].data;

    return NGX_CONF_OK;
}


static char *
ngx_http_abdm_item_file(ngx_conf_t *cf, ngx_http_abdm_item_t *item,
    void *conf)
{
    char        *rv;
    ngx_str_t   *value, file;

    rv = ngx_http_abdm_item_string(cf, item, conf);

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    value = cf->args->elts;
    file = value[1];

    if (ngx_conf_full_name(cf->cycle, &file, 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    *(const char **) ((char *) conf + item->offset) = (char *) file.data;

    return NGX_CONF_OK;
}


static char *
ngx_http_abdm_item_list(ngx_conf_t *cf, ngx_http_abdm_item_t *item,
    void *conf)
{
    ngx_str_t    *value;
    ngx_uint_t    i;
    abdm_list_t  *list;

    list = (abdm_list_t *) ((char *) conf + item->offset);

    if (list->n) {
        return "is duplicate";
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (list->n == ABDM_LIST_MAX) {
            return "has too many values";
        }

        list->item[list->n++] = (char *) value[i].data;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_abdm_item_time(ngx_conf_t *cf, ngx_http_abdm_item_t *item,
    void *conf)
{
    int64_t    *field;
    ngx_int_t   ms;
    ngx_str_t  *value;

    field = (int64_t *) ((char *) conf + item->offset);

    if (*field != -1) {
        return "is duplicate";
    }

    value = cf->args->elts;

    ms = ngx_parse_time(&value[1], 0);

    if (ms == NGX_ERROR) {
        return "has an invalid value, a time like \"90s\" is expected";
    }

    *field = ms;

    return NGX_CONF_OK;
}


static char *
ngx_http_abdm_item_hmis(ngx_conf_t *cf, ngx_http_abdm_item_t *item,
    void *conf)
{
    abdm_facility_config_t *facility = conf;

    char       *rv;
    ngx_str_t  *value, mapping;

    static ngx_str_t  prefix = ngx_string("mapping=");

    rv = ngx_http_abdm_item_string(cf, item, conf);

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    value = cf->args->elts;

    if (value[3].len <= prefix.len
        || ngx_strncmp(value[3].data, prefix.data, prefix.len) != 0)
    {
        return "has an invalid parameter, \"mapping=DIRECTORY\" is expected";
    }

    mapping.len = value[3].len - prefix.len;
    mapping.data = value[3].data + prefix.len;

    if (ngx_conf_full_name(cf->cycle, &mapping, 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    facility->hmis_url = (char *) value[2].data;
    facility->hmis_mapping = (char *) mapping.data;

    return NGX_CONF_OK;
}
