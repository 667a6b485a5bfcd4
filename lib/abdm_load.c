/*
 * Configuration: everything the host's configuration names is checked and loaded here, before any
 * process works with it. Every refusal says which value of what was wrong and what is expected.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abdm_internal.h"
#include "core/secret_file.h"
#include "engine/http.h"
#include "gateway/outbound.h"
#include "gateway/preset.h"

enum {
    CALLBACK_MAX = 256 * 1024,
    QUEUE = 1024
};

static const uint64_t RECORD_MAX = 512ULL * 1024 * 1024;

static const int64_t DAY = 24LL * 60 * 60 * 1000;

enum { AUDIT_DAYS = 400, AUDIT_DAYS_MIN = 365 };


void
abdm_config_init(abdm_config_t *config)
{
    memset(config, 0, sizeof(*config));
    config->policy.confirm = ABDM_CONFIRM_TRY;
    config->policy.signature = ABDM_SIGNATURE_LOG;
    config->gateway.token_leeway_ms = -1;
    config->callback_prefix = "";
    config->callback_max_body = CALLBACK_MAX;
    config->queue = QUEUE;
    config->record_max = RECORD_MAX;
    config->audit_keep_ms = AUDIT_DAYS * DAY;
}


static abdm_err_t
missing(char problem[ABDM_PROBLEM], const char *what, const char *how)
{
    snprintf(problem, ABDM_PROBLEM, "%s is missing: %s", what, how);
    return ABDM_ERR(CONFIG, "missing");
}


static void
fill_from_preset(abdm_gateway_config_t *gateway)
{
    static const char *const names[] = {"", "sandbox", "production"};
    const abdm_gateway_preset_t *preset = abdm_gateway_preset(abdm_str(names[gateway->preset]));

    if (gateway->token_leeway_ms < 0) {
        gateway->token_leeway_ms = ABDM_TOKEN_LEEWAY_MS;
    }
    if (preset == NULL) {
        return;
    }
    if (gateway->url == NULL) {
        gateway->url = preset->url;
    }
    if (gateway->cm_id == NULL) {
        gateway->cm_id = preset->cm_id;
    }
    if (gateway->issuer.n == 0) {
        gateway->issuer.item[gateway->issuer.n++] = preset->issuer;
    }
    if (gateway->caller.n == 0) {
        gateway->caller.item[gateway->caller.n++] = preset->caller;
    }
}


static abdm_err_t
check_https(const char *what, const char *url, char problem[ABDM_PROBLEM])
{
    abdm_url_t parsed;

    if (abdm_failed(abdm_url_parse(abdm_str(url), &parsed)) || url[strlen(url) - 1] == '/') {
        snprintf(problem, ABDM_PROBLEM,
                 "%s \"%.300s\": expected https://host[:port][/path] without a slash at its end",
                 what, url);
        return ABDM_ERR(CONFIG, "url");
    }
    return ABDM_NO_ERR;
}


static abdm_err_t
load_gateway(abdm_t *abdm, char problem[ABDM_PROBLEM])
{
    abdm_gateway_config_t *g = &abdm->gateway;
    abdm_buf_t url = {0};

    fill_from_preset(g);
    if (g->client_id == NULL) {
        return missing(problem, "client_id in abdm_gateway", "the bridge id ABDM gave you");
    }
    if (g->client_secret_file == NULL) {
        return missing(problem, "client_secret in abdm_gateway", "name the file that holds it");
    }
    if (g->url == NULL) {
        return missing(problem, "url in abdm_gateway", "a custom gateway needs one");
    }
    if (g->cm_id == NULL) {
        return missing(problem, "cm_id in abdm_gateway", "a custom gateway needs one");
    }
    if (g->issuer.n == 0) {
        return missing(problem, "issuer in abdm_gateway", "a custom gateway needs one");
    }
    if (g->caller.n == 0) {
        return missing(problem, "caller in abdm_gateway",
                       "without it any ABDM participant could call");
    }
    ABDM_TRY(check_https("url", g->url, problem));
    ABDM_TRY(abdm_secret_file_read("client_secret", g->client_secret_file, problem, ABDM_PROBLEM,
                                   &abdm->client_secret));

    if (g->jwks_url != NULL) {
        ABDM_TRY(check_https("jwks_url", g->jwks_url, problem));
        abdm->jwks_url[0] = strdup(g->jwks_url);
    } else {
        abdm_buf_addf(&url, "%s%s", g->url, ABDM_PATH_CERTS);
        abdm->jwks_url[0] = abdm_buf_take(&url);
        if (abdm_str_starts(abdm_str(g->issuer.item[0]), ABDM_LIT("https://"))) {
            abdm_buf_addf(&url, "%s%s", g->issuer.item[0], ABDM_PATH_ISSUER_CERTS);
            abdm->jwks_url[1] = abdm_buf_take(&url);
        }
    }
    if (abdm->jwks_url[0] == NULL) {
        snprintf(problem, ABDM_PROBLEM, "no memory");
        return ABDM_ERR(MEMORY, "jwks_url");
    }
    for (size_t i = 0; i < g->issuer.n; i++) {
        abdm->issuers[i] = abdm_str(g->issuer.item[i]);
    }
    for (size_t i = 0; i < g->caller.n; i++) {
        abdm->callers[i] = abdm_str(g->caller.item[i]);
    }
    abdm->trust = abdm_http_trust(g->trusted_certificate, problem);
    return abdm->trust == NULL ? ABDM_ERR(CONFIG, "trusted_certificate") : ABDM_NO_ERR;
}


static abdm_err_t
load_push_allow(abdm_t *abdm, char problem[ABDM_PROBLEM])
{
    for (size_t i = 0; i < abdm->config.n_push_allow; i++) {
        abdm_err_t err =
            abdm_push_allow_add(&abdm->push_allow, abdm_str(abdm->config.push_allow[i]));

        if (abdm_failed(err)) {
            snprintf(problem, ABDM_PROBLEM, "abdm_push_allow \"%s\": %s",
                     abdm->config.push_allow[i], err.what);
            return err;
        }
    }
    return ABDM_NO_ERR;
}


static abdm_err_t
check_keep(const abdm_t *abdm, char problem[ABDM_PROBLEM])
{
    if (abdm->config.audit_keep_ms < AUDIT_DAYS_MIN * DAY) {
        snprintf(problem, ABDM_PROBLEM,
                 "abdm_audit_keep is %lld days: at least %d are expected, since the DPDP Rules 2025 "
                 "(rule 6) ask that logs be kept for one year, and CERT-In (28 April 2022) for 180 "
                 "days",
                 (long long) (abdm->config.audit_keep_ms / DAY), AUDIT_DAYS_MIN);
        return ABDM_ERR(CONFIG, "abdm_audit_keep");
    }
    return ABDM_NO_ERR;
}


static abdm_err_t
load_consent_keys(abdm_t *abdm, char problem[ABDM_PROBLEM])
{
    const abdm_config_t *config = &abdm->config;
    char fault[ABDM_SIGNER_PROBLEM];

    for (size_t i = 0; i < config->n_consent_key; i++) {
        const char *kid = i < config->n_consent_kid ? config->consent_kid[i] : "";
        abdm_err_t err = abdm_signers_add(&abdm->signers, config->consent_key[i],
                                          kid[0] != '\0' ? kid : NULL, fault);

        if (abdm_failed(err)) {
            snprintf(problem, ABDM_PROBLEM, "abdm_consent_key %s", fault);
            return err;
        }
    }
    if (config->policy.signature == ABDM_SIGNATURE_ENFORCE && config->n_consent_key == 0) {
        return missing(problem, "abdm_consent_key",
                       "without it no signature verifies, and abdm_consent_signature is enforce");
    }
    return ABDM_NO_ERR;
}


static abdm_err_t
load_store(abdm_t *abdm, char problem[ABDM_PROBLEM])
{
    const char *path, *slash;

    if (abdm->config.store == NULL) {
        return missing(problem, "abdm_store", "for example sqlite:/var/lib/ngx_abdm/abdm.db");
    }
    ABDM_TRY(abdm_store_check_url(abdm->config.store, problem));
    path = strchr(abdm->config.store, '/');
    slash = strrchr(path, '/');
    abdm->spool_dir = strndup(path, slash == path ? 1 : (size_t) (slash - path));
    if (abdm->spool_dir == NULL) {
        snprintf(problem, ABDM_PROBLEM, "no memory");
        return ABDM_ERR(MEMORY, "spool");
    }
    if (abdm->config.secret_key_file == NULL) {
        return missing(problem, "abdm_secret_key", "make one with: abdm secret-key FILE");
    }
    return abdm_seal_key_load(abdm->config.secret_key_file, &abdm->seal_key, problem);
}


abdm_err_t
abdm_new(const abdm_config_t *config, char problem[ABDM_PROBLEM], abdm_t **out)
{
    abdm_t *abdm = calloc(1, sizeof(*abdm));
    abdm_err_t err;

    *out = NULL;
    problem[0] = '\0';
    if (abdm == NULL) {
        snprintf(problem, ABDM_PROBLEM, "no memory");
        return ABDM_ERR(MEMORY, "abdm");
    }
    abdm->config = *config;
    abdm->gateway = config->gateway;
    err = check_keep(abdm, problem);
    if (!abdm_failed(err)) {
        err = load_store(abdm, problem);
    }
    if (!abdm_failed(err)) {
        err = load_gateway(abdm, problem);
    }
    if (!abdm_failed(err)) {
        err = load_push_allow(abdm, problem);
    }
    if (!abdm_failed(err)) {
        err = load_consent_keys(abdm, problem);
    }
    if (!abdm_failed(err)) {
        err = abdm_load_facilities(abdm, problem);
    }
    if (abdm_failed(err)) {
        abdm_free(abdm);
        return err;
    }
    *out = abdm;
    return ABDM_NO_ERR;
}


void
abdm_free(abdm_t *abdm)
{
    if (abdm == NULL) {
        return;
    }
    abdm_stop(abdm, 0);
    abdm_unload_facilities(abdm);
    if (abdm->client_secret != NULL) {
        abdm_wipe(abdm->client_secret, strlen(abdm->client_secret));
        free(abdm->client_secret);
    }
    free(abdm->jwks_url[0]);
    free(abdm->jwks_url[1]);
    free(abdm->spool_dir);
    abdm_seal_key_free(abdm->seal_key);
    abdm_signers_free(abdm->signers);
    X509_STORE_free(abdm->trust);
    free(abdm);
}
