
/*
 * Directives of the block abdm_facility whose values have a form of their
 * own, and the check of a facility that is complete.
 */


#include "ngx_http_abdm.h"


static char *ngx_http_abdm_item_param(ngx_conf_t *cf,
    ngx_http_abdm_item_t *item, ngx_str_t *prefix, const char **field);
static ngx_int_t ngx_http_abdm_clock(u_char *p, int last);


char *
ngx_http_abdm_item_hmis(ngx_conf_t *cf, ngx_http_abdm_item_t *item,
    void *conf)
{
    abdm_facility_config_t *facility = conf;

    char       *rv;
    ngx_str_t  *value;

    static ngx_str_t  prefix = ngx_string("mapping=");

    rv = ngx_http_abdm_item_string(cf, item, conf);

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    value = cf->args->elts;
    facility->hmis_url = (char *) value[2].data;

    return ngx_http_abdm_item_param(cf, item, &prefix,
                                    &facility->hmis_mapping);
}


char *
ngx_http_abdm_item_sms(ngx_conf_t *cf, ngx_http_abdm_item_t *item, void *conf)
{
    abdm_facility_config_t *facility = conf;

    char  *rv;

    static ngx_str_t  prefix = ngx_string("template=");

    rv = ngx_http_abdm_item_string(cf, item, conf);

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    return ngx_http_abdm_item_param(cf, item, &prefix,
                                    &facility->sms_template);
}


/* the last argument: a prefix, and the name of a file or directory */

static char *
ngx_http_abdm_item_param(ngx_conf_t *cf, ngx_http_abdm_item_t *item,
    ngx_str_t *prefix, const char **field)
{
    ngx_str_t  *value, file;

    value = cf->args->elts;
    file = value[cf->args->nelts - 1];

    if (file.len <= prefix->len
        || ngx_strncmp(file.data, prefix->data, prefix->len) != 0)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\" of \"%V\", "
                           "%s is expected",
                           &file, &item->name, item->expected);
        return NGX_CONF_ERROR;
    }

    file.len -= prefix->len;
    file.data += prefix->len;

    if (ngx_conf_full_name(cf->cycle, &file, 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    *field = (char *) file.data;

    return NGX_CONF_OK;
}


char *
ngx_http_abdm_item_poll(ngx_conf_t *cf, ngx_http_abdm_item_t *item,
    void *conf)
{
    abdm_facility_config_t *facility = conf;

    ngx_str_t  *value;

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0) {
        facility->poll_ms = 0;
        return NGX_CONF_OK;
    }

    return ngx_http_abdm_item_time(cf, item, conf);
}


char *
ngx_http_abdm_item_quiet(ngx_conf_t *cf, ngx_http_abdm_item_t *item,
    void *conf)
{
    abdm_facility_config_t *facility = conf;

    ngx_int_t   from, to;
    ngx_str_t  *value;

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0) {
        facility->quiet_from = 0;
        facility->quiet_to = 0;
        return NGX_CONF_OK;
    }

    if (value[1].len != sizeof("21:00-08:00") - 1
        || value[1].data[sizeof("21:00") - 1] != '-')
    {
        return ngx_http_abdm_invalid;
    }

    from = ngx_http_abdm_clock(value[1].data, 23);
    to = ngx_http_abdm_clock(value[1].data + sizeof("21:00-") - 1, 23);

    if (from == NGX_ERROR || to == NGX_ERROR || from == to) {
        return ngx_http_abdm_invalid;
    }

    facility->quiet_from = (int) from;
    facility->quiet_to = (int) to;

    return NGX_CONF_OK;
}


char *
ngx_http_abdm_item_zone(ngx_conf_t *cf, ngx_http_abdm_item_t *item,
    void *conf)
{
    abdm_facility_config_t *facility = conf;

    u_char      sign;
    ngx_int_t   minutes;
    ngx_str_t  *value;

    value = cf->args->elts;
    sign = value[1].data[0];

    if (value[1].len != sizeof("+05:30") - 1 || (sign != '+' && sign != '-')) {
        return ngx_http_abdm_invalid;
    }

    minutes = ngx_http_abdm_clock(value[1].data + 1, 14);

    if (minutes == NGX_ERROR || minutes > 14 * 60) {
        return ngx_http_abdm_invalid;
    }

    facility->zone_minutes = (int) (sign == '+' ? minutes : -minutes);

    return NGX_CONF_OK;
}


/* "hh:mm" as minutes; the hour is "last" at most */

static ngx_int_t
ngx_http_abdm_clock(u_char *p, int last)
{
    ngx_int_t  hours, minutes;

    hours = ngx_atoi(p, 2);
    minutes = ngx_atoi(p + 3, 2);

    if (hours == NGX_ERROR || hours > last
        || minutes == NGX_ERROR || minutes > 59
        || p[2] != ':')
    {
        return NGX_ERROR;
    }

    return hours * 60 + minutes;
}


/* the title stands beside the name for those who print posters */

char *
ngx_http_abdm_item_counter(ngx_conf_t *cf, ngx_http_abdm_item_t *item,
    void *conf)
{
    abdm_facility_config_t *facility = conf;

    ngx_str_t    *value;
    const char  **counter;

    counter = ngx_palloc(cf->pool,
                         (facility->n_counters + 1) * sizeof(char *));
    if (counter == NULL) {
        return NGX_CONF_ERROR;
    }

    if (facility->n_counters) {
        ngx_memcpy(counter, facility->counter,
                   facility->n_counters * sizeof(char *));
    }

    value = cf->args->elts;

    counter[facility->n_counters] = (char *) value[1].data;

    facility->counter = counter;
    facility->n_counters++;

    return NGX_CONF_OK;
}


/* counters here, since the name of the facility may stand below them */

char *
ngx_http_abdm_facility_check(ngx_conf_t *cf, abdm_facility_config_t *facility)
{
    char    problem[ABDM_PROBLEM];
    size_t  i, k;

    for (i = 0; i < facility->n_counters; i++) {

        if (abdm_failed(abdm_counter_check(facility->id, facility->name,
                                           facility->counter[i], problem)))
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"abdm_facility %s\": %s",
                               facility->id, problem);
            return NGX_CONF_ERROR;
        }

        for (k = 0; k < i; k++) {
            if (ngx_strcmp(facility->counter[i], facility->counter[k]) == 0) {
                ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                                   "\"abdm_facility %s\": counter \"%s\" "
                                   "is there twice",
                                   facility->id, facility->counter[i]);
                return NGX_CONF_ERROR;
            }
        }
    }

    return NGX_CONF_OK;
}
