
/*
 * What the sysadmin wrote outside of blocks: setters, and the library's
 * configuration made of everything when all of it is known.
 */


#include "ngx_http_abdm.h"


static char *ngx_http_abdm_location_check(ngx_conf_t *cf, ngx_str_t *directive,
    ngx_http_core_loc_conf_t *clcf);
static char *ngx_http_abdm_location_prefix(ngx_conf_t *cf,
    ngx_http_core_loc_conf_t *clcf);
static char *ngx_http_abdm_location_note(ngx_conf_t *cf,
    ngx_http_core_loc_conf_t *clcf, ngx_http_abdm_loc_conf_t *alcf);
static char *ngx_http_abdm_location_api(ngx_conf_t *cf,
    ngx_http_abdm_loc_conf_t *alcf);
static ngx_int_t ngx_http_abdm_conf_check_shadow(ngx_conf_t *cf,
    ngx_http_abdm_main_conf_t *amcf, ngx_str_t *root);
static ngx_int_t ngx_http_abdm_conf_check_places(ngx_conf_t *cf,
    ngx_http_abdm_main_conf_t *amcf);
static ngx_int_t ngx_http_abdm_conf_check_facility(ngx_conf_t *cf,
    ngx_http_abdm_main_conf_t *amcf, ngx_http_abdm_place_t *place);
static void ngx_http_abdm_conf_free(void *data);


char *
ngx_http_abdm_store(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_abdm_main_conf_t *amcf = conf;

    u_char     *p;
    ngx_str_t  *value, file;

    static ngx_str_t  scheme = ngx_string("sqlite:");

    if (amcf->store.data) {
        return "is duplicate";
    }

    value = cf->args->elts;
    amcf->store = value[1];

    if (value[1].len <= scheme.len
        || ngx_strncmp(value[1].data, scheme.data, scheme.len) != 0)
    {
        return NGX_CONF_OK;
    }

    file.len = value[1].len - scheme.len;
    file.data = value[1].data + scheme.len;

    if (ngx_conf_full_name(cf->cycle, &file, 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    amcf->store.len = scheme.len + file.len;
    amcf->store.data = ngx_pnalloc(cf->pool, amcf->store.len + 1);
    if (amcf->store.data == NULL) {
        return NGX_CONF_ERROR;
    }

    p = ngx_cpymem(amcf->store.data, scheme.data, scheme.len);
    p = ngx_cpymem(p, file.data, file.len);
    *p = '\0';

    return NGX_CONF_OK;
}


char *
ngx_http_abdm_secret_key(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_abdm_main_conf_t *amcf = conf;

    ngx_str_t  *value;

    if (amcf->secret_key.data) {
        return "is duplicate";
    }

    value = cf->args->elts;
    amcf->secret_key = value[1];

    if (ngx_conf_full_name(cf->cycle, &amcf->secret_key, 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


char *
ngx_http_abdm_push_allow(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_abdm_main_conf_t *amcf = conf;

    ngx_str_t     *value;
    ngx_int_t      rc;
    ngx_cidr_t     cidr;
    ngx_uint_t     i;
    const char   **network;

    if (amcf->push_allow == NULL) {
        amcf->push_allow = ngx_array_create(cf->pool, 4, sizeof(char *));
        if (amcf->push_allow == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        rc = ngx_ptocidr(&value[i], &cidr);

        if (rc == NGX_ERROR) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid value \"%V\" in \"abdm_push_allow\", "
                               "an address or a network like \"10.0.0.0/8\" "
                               "is expected", &value[i]);
            return NGX_CONF_ERROR;
        }

        if (rc == NGX_DONE) {
            ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                               "low address bits of \"%V\" are meaningless",
                               &value[i]);
        }

        network = ngx_array_push(amcf->push_allow);
        if (network == NULL) {
            return NGX_CONF_ERROR;
        }

        *network = (char *) value[i].data;
    }

    return NGX_CONF_OK;
}


char *
ngx_http_abdm_consent_key(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_abdm_main_conf_t *amcf = conf;

    ngx_str_t    *value;
    const char  **file, **name;

    static ngx_str_t  kid = ngx_string("kid=");

    if (amcf->consent_keys == NULL) {
        amcf->consent_keys = ngx_array_create(cf->pool, 2, sizeof(char *));
        amcf->consent_kids = ngx_array_create(cf->pool, 2, sizeof(char *));

        if (amcf->consent_keys == NULL || amcf->consent_kids == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    file = ngx_array_push(amcf->consent_keys);
    name = ngx_array_push(amcf->consent_kids);

    if (file == NULL || name == NULL) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    if (ngx_conf_full_name(cf->cycle, &value[1], 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    *file = (char *) value[1].data;
    *name = "";

    if (cf->args->nelts == 2) {
        return NGX_CONF_OK;
    }

    if (value[2].len <= kid.len
        || ngx_strncmp(value[2].data, kid.data, kid.len) != 0)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\" of "
                           "\"abdm_consent_key\", \"kid=NAME\" is expected",
                           &value[2]);
        return NGX_CONF_ERROR;
    }

    *name = (char *) value[2].data + kid.len;

    return NGX_CONF_OK;
}


char *
ngx_http_abdm_location(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_abdm_loc_conf_t *alcf = conf;

    ngx_http_core_loc_conf_t  *clcf;

    static ngx_http_handler_pt  handlers[] = {
        NULL,
        ngx_http_abdm_callback_handler,
        ngx_http_abdm_api_handler,
        ngx_http_abdm_status_handler
    };

    if (alcf->kind == (ngx_http_abdm_kind_e) (uintptr_t) cmd->post) {
        return "is duplicate";
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->handler) {
        return "conflicts with another content handler of this location";
    }

    alcf->kind = (ngx_http_abdm_kind_e) (uintptr_t) cmd->post;

    if (alcf->kind != NGX_HTTP_ABDM_STATUS
        && ngx_http_abdm_location_check(cf, &cmd->name, clcf) != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (alcf->kind == NGX_HTTP_ABDM_CALLBACK
        && ngx_http_abdm_location_prefix(cf, clcf) != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (alcf->kind == NGX_HTTP_ABDM_API
        && ngx_http_abdm_location_api(cf, alcf) != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (ngx_http_abdm_location_note(cf, clcf, alcf) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    alcf->name = clcf->name;
    alcf->handler = handlers[alcf->kind];
    clcf->handler = alcf->handler;

    return NGX_CONF_OK;
}


static char *
ngx_http_abdm_location_check(ngx_conf_t *cf, ngx_str_t *directive,
    ngx_http_core_loc_conf_t *clcf)
{
    char  *what;

    what = NULL;

    if (clcf->named) {
        what = "named location";
    }

    if (clcf->exact_match) {
        what = "exact location";
    }

#if (NGX_PCRE)
    if (clcf->regex) {
        what = "location given by a regular expression";
    }
#endif

    if (what == NULL) {
        return NGX_CONF_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"%V\" cannot be used in the %s \"%V\", "
                       "a prefix like \"location /abdm/\" is expected, "
                       "since the paths below it have their meaning,",
                       directive, what, &clcf->name);

    return NGX_CONF_ERROR;
}


static char *
ngx_http_abdm_location_prefix(ngx_conf_t *cf, ngx_http_core_loc_conf_t *clcf)
{
    ngx_str_t                   prefix;
    ngx_http_abdm_main_conf_t  *amcf;

    amcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_abdm_module);

    prefix = clcf->name;

    if (prefix.len && prefix.data[prefix.len - 1] == '/') {
        prefix.len--;
    }

    if (amcf->prefix.data) {

        if (prefix.len == amcf->prefix.len
            && ngx_strncmp(prefix.data, amcf->prefix.data, prefix.len) == 0)
        {
            return NGX_CONF_OK;
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"abdm_callback\" in location \"%V\", but another "
                           "is below \"%V/\": all locations of callbacks must "
                           "have the path of the bridge URL,",
                           &clcf->name, &amcf->prefix);

        return NGX_CONF_ERROR;
    }

    amcf->prefix.len = prefix.len;
    amcf->prefix.data = ngx_pnalloc(cf->pool, prefix.len + 1);
    if (amcf->prefix.data == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_cpystrn(amcf->prefix.data, prefix.data, prefix.len + 1);

    return NGX_CONF_OK;
}


static char *
ngx_http_abdm_location_api(ngx_conf_t *cf, ngx_http_abdm_loc_conf_t *alcf)
{
    ngx_str_t   *value;
    ngx_uint_t   i;

    static ngx_str_t  facility = ngx_string("facility=");

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (!alcf->nha && ngx_strcmp(value[i].data, "nha") == 0) {
            alcf->nha = 1;
            continue;
        }

        if (alcf->facility.len == 0
            && value[i].len > facility.len
            && ngx_strncmp(value[i].data, facility.data, facility.len) == 0)
        {
            alcf->facility.data = value[i].data + facility.len;
            alcf->facility.len = value[i].len - facility.len;
            continue;
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid or repeated parameter \"%V\" of "
                           "\"abdm_api\", \"nha\" or \"facility=ID\" is "
                           "expected", &value[i]);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_abdm_location_note(ngx_conf_t *cf, ngx_http_core_loc_conf_t *clcf,
    ngx_http_abdm_loc_conf_t *alcf)
{
    ngx_str_t                  *value;
    ngx_http_abdm_place_t      *place;
    ngx_http_abdm_main_conf_t  *amcf;

    amcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_abdm_module);

    if (amcf->places == NULL) {
        amcf->places = ngx_array_create(cf->pool, 4,
                                        sizeof(ngx_http_abdm_place_t));
        if (amcf->places == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    place = ngx_array_push(amcf->places);
    if (place == NULL) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    place->kind = alcf->kind;
    place->name = clcf->name;
    place->facility = alcf->facility;
    place->server = ngx_http_conf_get_module_srv_conf(cf,
                                                      ngx_http_core_module);
    place->directive = value[0].data;
    place->file = cf->conf_file->file.name.data;
    place->line = cf->conf_file->line;

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_abdm_conf_check_places(ngx_conf_t *cf,
    ngx_http_abdm_main_conf_t *amcf)
{
    ngx_str_t               root;
    ngx_uint_t              i;
    ngx_http_abdm_place_t  *place;

    if (amcf->places == NULL) {
        return NGX_OK;
    }

    place = amcf->places->elts;

    for (i = 0; i < amcf->places->nelts; i++) {
        if (ngx_http_abdm_conf_check_facility(cf, amcf, &place[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (amcf->prefix.data == NULL) {
        return NGX_OK;
    }

    for (i = 0; /* void */ ; i++) {

        root.data = (u_char *) abdm_callback_root(i);

        if (root.data == NULL) {
            return NGX_OK;
        }

        root.len = ngx_strlen(root.data);

        if (ngx_http_abdm_conf_check_shadow(cf, amcf, &root) != NGX_OK) {
            return NGX_ERROR;
        }
    }
}


/*
 * "location /abdm/api/ { abdm_api; }" beside "location /abdm/" looks
 * harmless, but callbacks have paths like /abdm/api/v3/... and would all
 * end there.
 */

static ngx_int_t
ngx_http_abdm_conf_check_shadow(ngx_conf_t *cf,
    ngx_http_abdm_main_conf_t *amcf, ngx_str_t *root)
{
    u_char                 *p;
    ngx_str_t               path;
    ngx_uint_t              i, n;
    ngx_http_abdm_place_t  *place;

    path.len = amcf->prefix.len + root->len;
    path.data = ngx_pnalloc(cf->temp_pool, path.len);
    if (path.data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(path.data, amcf->prefix.data, amcf->prefix.len);
    ngx_memcpy(p, root->data, root->len);

    place = amcf->places->elts;

    for (i = 0; i < amcf->places->nelts; i++) {

        if (place[i].kind != NGX_HTTP_ABDM_API
            || place[i].name.len <= amcf->prefix.len + 1
            || ngx_strncmp(place[i].name.data, path.data,
                           ngx_min(place[i].name.len, path.len))
               != 0)
        {
            continue;
        }

        for (n = 0; n < amcf->places->nelts; n++) {

            if (place[n].kind != NGX_HTTP_ABDM_CALLBACK
                || place[n].server != place[i].server)
            {
                continue;
            }

            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "\"abdm_api\" in location \"%V\" would take the "
                          "gateway's callbacks, which have paths like "
                          "\"%V...\": give it another location, as "
                          "\"/abdm/api/v1/\" or \"/nha/\", in %s:%ui",
                          &place[i].name, &path,
                          place[i].file, place[i].line);

            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_abdm_conf_check_facility(ngx_conf_t *cf,
    ngx_http_abdm_main_conf_t *amcf, ngx_http_abdm_place_t *place)
{
    ngx_uint_t               i;
    abdm_facility_config_t  *facility;

    if (place->facility.len == 0) {
        return NGX_OK;
    }

    facility = amcf->facilities->elts;

    for (i = 0; i < amcf->facilities->nelts; i++) {
        if (ngx_strcmp(facility[i].id, place->facility.data) == 0) {
            return NGX_OK;
        }
    }

    ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                  "\"abdm_api\" is for facility \"%V\", but there is no "
                  "block \"abdm_facility %V\", in %s:%ui",
                  &place->facility, &place->facility,
                  place->file, place->line);

    return NGX_ERROR;
}


ngx_int_t
ngx_http_abdm_conf_make(ngx_conf_t *cf, ngx_http_abdm_main_conf_t *amcf)
{
    char                    problem[ABDM_PROBLEM];
    char                   *missing;
    abdm_err_t              err;
    ngx_uint_t              i, n;
    abdm_config_t          *config;
    ngx_pool_cleanup_t     *cln;
    ngx_http_abdm_place_t  *place;

    missing = amcf->store.data == NULL ? "abdm_store"
              : amcf->secret_key.data == NULL ? "abdm_secret_key"
              : amcf->gateway == NULL ? "abdm_gateway"
              : amcf->facilities == NULL ? "abdm_facility" : NULL;

    if (missing) {

        place = amcf->places ? amcf->places->elts : NULL;
        n = amcf->places ? amcf->places->nelts : 0;

        for (i = 0; i < n; i++) {

            if (place[i].kind == NGX_HTTP_ABDM_STATUS) {
                continue;
            }

            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "no \"%s\" in the \"http\" block, it is needed by "
                          "\"%s\" in %s:%ui", missing, place[i].directive,
                          place[i].file, place[i].line);
            return NGX_ERROR;
        }

        return NGX_OK;
    }

    if (ngx_http_abdm_conf_check_places(cf, amcf) != NGX_OK) {
        return NGX_ERROR;
    }

    config = ngx_palloc(cf->pool, sizeof(abdm_config_t));
    if (config == NULL) {
        return NGX_ERROR;
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    abdm_config_init(config);

    config->store = (char *) amcf->store.data;
    config->secret_key_file = (char *) amcf->secret_key.data;
    config->gateway = *amcf->gateway;
    config->facility = amcf->facilities->elts;
    config->n_facility = amcf->facilities->nelts;
    config->callback_prefix = amcf->prefix.data ? (char *) amcf->prefix.data
                                                : "";
    config->callback_max_body = amcf->callback_max_body;
    config->queue = amcf->queue;
    config->record_max = amcf->record_max;
    config->audit_keep_ms = (int64_t) amcf->audit_keep * 1000;
    config->policy.break_glass = amcf->break_glass;
    config->policy.push_new_host = (abdm_new_host_t) amcf->push_new_host;

    config->policy.confirm = (abdm_consent_confirm_t) amcf->consent_confirm;
    config->policy.signature =
                        (abdm_consent_signature_t) amcf->consent_signature;

    if (amcf->consent_keys) {
        config->consent_key = amcf->consent_keys->elts;
        config->n_consent_key = amcf->consent_keys->nelts;
        config->consent_kid = amcf->consent_kids->elts;
        config->n_consent_kid = amcf->consent_kids->nelts;
    }

    if (amcf->push_allow) {
        config->push_allow = amcf->push_allow->elts;
        config->n_push_allow = amcf->push_allow->nelts;
    }

    problem[0] = '\0';

    err = abdm_new(config, problem, &amcf->engine->abdm);

    if (abdm_failed(err)) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0, "abdm: %s: %s",
                      abdm_answer_of(err).code,
                      problem[0] ? problem : err.what);
        return NGX_ERROR;
    }

    cln->handler = ngx_http_abdm_conf_free;
    cln->data = amcf->engine->abdm;

    return NGX_OK;
}


static void
ngx_http_abdm_conf_free(void *data)
{
    abdm_free(data);
}
