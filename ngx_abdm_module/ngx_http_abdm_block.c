
/*
 * The blocks abdm_gateway and abdm_facility: a table of what may stand within
 * each, read by one handler.
 */


#include "ngx_http_abdm.h"


typedef struct {
    ngx_str_t               name;
    ngx_http_abdm_item_t   *items;
    void                   *conf;
    uint64_t                seen;              /* items, by their place */
} ngx_http_abdm_block_t;


static char *ngx_http_abdm_block(ngx_conf_t *cf, char *name,
    ngx_http_abdm_item_t *items, void *conf);
static char *ngx_http_abdm_block_handler(ngx_conf_t *cf, ngx_command_t *dummy,
    void *conf);
static char *ngx_http_abdm_item_file(ngx_conf_t *cf,
    ngx_http_abdm_item_t *item, void *conf);
static char *ngx_http_abdm_item_list(ngx_conf_t *cf,
    ngx_http_abdm_item_t *item, void *conf);
static char *ngx_http_abdm_item_number(ngx_conf_t *cf,
    ngx_http_abdm_item_t *item, void *conf);
static char *ngx_http_abdm_item_flag(ngx_conf_t *cf,
    ngx_http_abdm_item_t *item, void *conf);


#define NGX_HTTP_ABDM_MANY      (NGX_CONF_MAX_ARGS - 1)

#define NGX_HTTP_ABDM_REQUIRED  0x01
#define NGX_HTTP_ABDM_REPEATED  0x02


char  ngx_http_abdm_invalid[] = "has an invalid value";


static ngx_http_abdm_range_t  ngx_http_abdm_leeway_range = {
    0, NGX_MAX_INT_T_VALUE
};

static ngx_http_abdm_range_t  ngx_http_abdm_poll_range = {
    100, 86400000
};

static ngx_http_abdm_range_t  ngx_http_abdm_sms_range = {
    0, 1000000
};

/* the gateway waits for 10 seconds */

static ngx_http_abdm_range_t  ngx_http_abdm_slot_range = {
    100, 4000
};

static ngx_http_abdm_range_t  ngx_http_abdm_discovery_range = {
    1, 1000
};

static ngx_http_abdm_range_t  ngx_http_abdm_otp_range = {
    60000, 900000
};


static ngx_http_abdm_item_t  ngx_http_abdm_gateway_items[] = {

    { ngx_string("client_id"), 1, 1, ngx_http_abdm_item_string,
      offsetof(abdm_gateway_config_t, client_id), NGX_HTTP_ABDM_REQUIRED,
      "the bridge id", NULL },

    { ngx_string("client_secret"), 1, 1, ngx_http_abdm_item_file,
      offsetof(abdm_gateway_config_t, client_secret_file),
      NGX_HTTP_ABDM_REQUIRED, "the name of a file that holds it", NULL },

    { ngx_string("url"), 1, 1, ngx_http_abdm_item_string,
      offsetof(abdm_gateway_config_t, url), 0,
      "a URL like \"https://dev.abdm.gov.in\"", NULL },

    { ngx_string("cm_id"), 1, 1, ngx_http_abdm_item_string,
      offsetof(abdm_gateway_config_t, cm_id), 0,
      "the X-CM-ID, as \"sbx\"", NULL },

    { ngx_string("issuer"), 1, NGX_HTTP_ABDM_MANY, ngx_http_abdm_item_list,
      offsetof(abdm_gateway_config_t, issuer), 0,
      "one or more \"iss\" of tokens", NULL },

    { ngx_string("caller"), 1, NGX_HTTP_ABDM_MANY, ngx_http_abdm_item_list,
      offsetof(abdm_gateway_config_t, caller), 0,
      "one or more \"azp\" of tokens", NULL },

    { ngx_string("jwks_url"), 1, 1, ngx_http_abdm_item_string,
      offsetof(abdm_gateway_config_t, jwks_url), 0, "a URL", NULL },

    { ngx_string("trusted_certificate"), 1, 1, ngx_http_abdm_item_file,
      offsetof(abdm_gateway_config_t, trusted_certificate), 0,
      "the name of a PEM file", NULL },

    { ngx_string("token_leeway"), 1, 1, ngx_http_abdm_item_time,
      offsetof(abdm_gateway_config_t, token_leeway_ms), 0,
      "a time like \"1h\"", &ngx_http_abdm_leeway_range },

    { ngx_null_string, 0, 0, NULL, 0, 0, NULL, NULL }
};


static ngx_http_abdm_item_t  ngx_http_abdm_facility_items[] = {

    { ngx_string("name"), 1, 1, ngx_http_abdm_item_string,
      offsetof(abdm_facility_config_t, name), NGX_HTTP_ABDM_REQUIRED,
      "the name that patients see", NULL },

    { ngx_string("hmis"), 3, 3, ngx_http_abdm_item_hmis,
      offsetof(abdm_facility_config_t, hmis_adapter), NGX_HTTP_ABDM_REQUIRED,
      "\"rest URL mapping=DIRECTORY\"", NULL },

    { ngx_string("fhir"), 1, 1, ngx_http_abdm_item_string,
      offsetof(abdm_facility_config_t, fhir), 0,
      "\"reject\", \"attach\" or \"send\"", NULL },

    { ngx_string("codes"), 1, 1, ngx_http_abdm_item_file,
      offsetof(abdm_facility_config_t, codes), 0,
      "a CSV file of local terms and codes", NULL },

    { ngx_string("sms"), 2, 2, ngx_http_abdm_item_sms,
      offsetof(abdm_facility_config_t, sms_url), 0,
      "\"URL template=FILE\"", NULL },

    { ngx_string("poll"), 1, 1, ngx_http_abdm_item_poll,
      offsetof(abdm_facility_config_t, poll_ms), 0,
      "\"off\" or a time from \"100ms\" to \"1d\"",
      &ngx_http_abdm_poll_range },

    { ngx_string("deep_link"), 1, 1, ngx_http_abdm_item_flag,
      offsetof(abdm_facility_config_t, deep_link), 0,
      "\"on\" or \"off\"", NULL },

    { ngx_string("quiet_hours"), 1, 1, ngx_http_abdm_item_quiet, 0, 0,
      "\"off\" or two different times of the day like \"21:00-08:00\"",
      NULL },

    { ngx_string("sms_daily"), 1, 1, ngx_http_abdm_item_number,
      offsetof(abdm_facility_config_t, sms_daily), 0,
      "a number from 0 to 1000000", &ngx_http_abdm_sms_range },

    { ngx_string("counter"), 1, 2, ngx_http_abdm_item_counter, 0,
      NGX_HTTP_ABDM_REPEATED, "\"NAME\" and possibly a title", NULL },

    { ngx_string("zone"), 1, 1, ngx_http_abdm_item_zone, 0, 0,
      "an offset from UTC like \"+05:30\"", NULL },

    { ngx_string("discovery_slot"), 1, 1, ngx_http_abdm_item_time,
      offsetof(abdm_facility_config_t, slot_ms), 0,
      "a time from \"100ms\" to \"4s\"", &ngx_http_abdm_slot_range },

    { ngx_string("discovery_limit"), 1, 1, ngx_http_abdm_item_number,
      offsetof(abdm_facility_config_t, discovery_hourly), 0,
      "a number from 1 to 1000", &ngx_http_abdm_discovery_range },

    { ngx_string("otp_life"), 1, 1, ngx_http_abdm_item_time,
      offsetof(abdm_facility_config_t, otp_life_ms), 0,
      "a time from \"1m\" to \"15m\"", &ngx_http_abdm_otp_range },

    { ngx_null_string, 0, 0, NULL, 0, 0, NULL, NULL }
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

    char                    *rv;
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

    abdm_facility_config_init(facility);
    facility->id = (char *) value[1].data;

    rv = ngx_http_abdm_block(cf, "abdm_facility",
                             ngx_http_abdm_facility_items, facility);

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    return ngx_http_abdm_facility_check(cf, facility);
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
    block.seen = 0;

    save = *cf;

    cf->handler = ngx_http_abdm_block_handler;
    cf->handler_conf = (void *) &block;

    rv = ngx_conf_parse(cf, NULL);

    *cf = save;

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    for (item = items; item->name.len; item++) {

        if ((item->flags & NGX_HTTP_ABDM_REQUIRED)
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
    uint64_t               bit;
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

    bit = (uint64_t) 1 << (item - block->items);

    if ((block->seen & bit) && !(item->flags & NGX_HTTP_ABDM_REPEATED)) {
        rv = "is duplicate";

    } else {
        block->seen |= bit;
        rv = item->set(cf, item, block->conf);
    }

    if (rv == NGX_CONF_OK || rv == NGX_CONF_ERROR) {
        return rv;
    }

    if (rv == ngx_http_abdm_invalid) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\" of \"%V\" in the block "
                           "\"%V\", %s is expected",
                           &value[1], &item->name, &block->name,
                           item->expected);
        return NGX_CONF_ERROR;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\" in the block \"%V\" %s",
                       &item->name, &block->name, rv);

    return NGX_CONF_ERROR;
}


char *
ngx_http_abdm_item_string(ngx_conf_t *cf, ngx_http_abdm_item_t *item,
    void *conf)
{
    ngx_str_t  *value;

    value = cf->args->elts;

    if (value[1].len == 0) {
        return "is empty";
    }

    *(const char **) ((char *) conf + item->offset) = (char *) value[1].data;

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

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (list->n == ABDM_LIST_MAX) {
            return "has too many values";
        }

        list->item[list->n++] = (char *) value[i].data;
    }

    return NGX_CONF_OK;
}


char *
ngx_http_abdm_item_time(ngx_conf_t *cf, ngx_http_abdm_item_t *item,
    void *conf)
{
    ngx_int_t               ms;
    ngx_str_t              *value;
    ngx_http_abdm_range_t  *range;

    value = cf->args->elts;
    range = item->post;

    ms = ngx_parse_time(&value[1], 0);

    if (ms == NGX_ERROR || ms < range->low || ms > range->high) {
        return ngx_http_abdm_invalid;
    }

    *(int64_t *) ((char *) conf + item->offset) = ms;

    return NGX_CONF_OK;
}


static char *
ngx_http_abdm_item_number(ngx_conf_t *cf, ngx_http_abdm_item_t *item,
    void *conf)
{
    ngx_int_t               n;
    ngx_str_t              *value;
    ngx_http_abdm_range_t  *range;

    value = cf->args->elts;
    range = item->post;

    n = ngx_atoi(value[1].data, value[1].len);

    if (n == NGX_ERROR || n < range->low || n > range->high) {
        return ngx_http_abdm_invalid;
    }

    *(int *) ((char *) conf + item->offset) = (int) n;

    return NGX_CONF_OK;
}


static char *
ngx_http_abdm_item_flag(ngx_conf_t *cf, ngx_http_abdm_item_t *item,
    void *conf)
{
    bool       *field;
    ngx_str_t  *value;

    field = (bool *) ((char *) conf + item->offset);
    value = cf->args->elts;

    *field = (ngx_strcmp(value[1].data, "on") == 0);

    if (!*field && ngx_strcmp(value[1].data, "off") != 0) {
        return ngx_http_abdm_invalid;
    }

    return NGX_CONF_OK;
}
