/*
 * Configuration: everything the host's configuration names is checked and loaded here, before any
 * process works with it. Every refusal says which value of what was wrong and what is expected.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "abdm_internal.h"
#include "engine/http.h"
#include "fhir/codes.h"
#include "gateway/outbound.h"
#include "gateway/preset.h"

enum {
    CALLBACK_MAX = 256 * 1024,
    QUEUE = 1024,
    SECRET_MAX = 512,
    CODES_MAX = 16 * 1024 * 1024
};

static const uint64_t RECORD_MAX = 512ULL * 1024 * 1024;


void
abdm_config_init(abdm_config_t *config)
{
    memset(config, 0, sizeof(*config));
    config->gateway.token_leeway_ms = -1;
    config->callback_prefix = "";
    config->callback_max_body = CALLBACK_MAX;
    config->queue = QUEUE;
    config->record_max = RECORD_MAX;
}


static abdm_err_t
missing(char problem[ABDM_PROBLEM], const char *what, const char *how)
{
    snprintf(problem, ABDM_PROBLEM, "%s is missing: %s", what, how);
    return ABDM_ERR(CONFIG, "missing");
}


/* The first line of a file that only its owner may read; malloc'ed. */
static abdm_err_t
read_secret(const char *path, char **secret, char problem[ABDM_PROBLEM])
{
    char line[SECRET_MAX];
    struct stat st;
    ssize_t n;
    int fd;

    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a fifo must not hang the start */
    if (fd < 0 || fstat(fd, &st) != 0) {
        snprintf(problem, ABDM_PROBLEM, "client_secret \"%s\": %s", path, strerror(errno));
        if (fd >= 0) {
            close(fd);
        }
        return ABDM_ERR(CONFIG, "client_secret");
    }
    n = read(fd, line, sizeof(line) - 1);
    close(fd);
    if (!S_ISREG(st.st_mode) || (st.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        abdm_wipe(line, sizeof(line));
        snprintf(problem, ABDM_PROBLEM,
                 "client_secret \"%s\": it must be a file that only its owner can read (chmod 600)",
                 path);
        return ABDM_ERR(CONFIG, "client_secret");
    }
    line[n > 0 ? n : 0] = '\0';
    if (n == sizeof(line) - 1 && strpbrk(line, "\r\n") == NULL) {
        abdm_wipe(line, sizeof(line));
        snprintf(problem, ABDM_PROBLEM, "client_secret \"%s\": its first line is too long", path);
        return ABDM_ERR(CONFIG, "client_secret");
    }
    line[strcspn(line, "\r\n")] = '\0';
    if (line[0] == '\0') {
        snprintf(problem, ABDM_PROBLEM, "client_secret \"%s\": its first line is empty", path);
        return ABDM_ERR(CONFIG, "client_secret");
    }
    *secret = strdup(line);
    abdm_wipe(line, sizeof(line));
    return *secret == NULL ? ABDM_ERR(MEMORY, "client_secret") : ABDM_NO_ERR;
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
    ABDM_TRY(read_secret(g->client_secret_file, &abdm->client_secret, problem));

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
load_policy(const abdm_facility_config_t *config, abdm_fhir_policy_t *policy,
            char problem[ABDM_PROBLEM])
{
    static const char *const names[] = {
        [ABDM_FHIR_REJECT] = "reject",
        [ABDM_FHIR_ATTACH] = "attach",
        [ABDM_FHIR_SEND] = "send",
    };

    *policy = ABDM_FHIR_REJECT;
    for (size_t i = 0; config->fhir != NULL; i++) {
        if (i == sizeof(names) / sizeof(names[0])) {
            snprintf(problem, ABDM_PROBLEM,
                     "fhir \"%.64s\" in abdm_facility %.64s: reject, attach or send is expected",
                     config->fhir, config->id);
            return ABDM_ERR(CONFIG, "fhir");
        }
        if (strcmp(config->fhir, names[i]) == 0) {
            *policy = (abdm_fhir_policy_t) i;
            break;
        }
    }
    return ABDM_NO_ERR;
}


/* The hospital's own terms and the codes they stand for, matched exactly. */
static abdm_err_t
load_codes(const abdm_facility_config_t *config, const abdm_codes_t **codes,
           char problem[ABDM_PROBLEM])
{
    char fault[128] = "";
    abdm_codes_t *table = NULL;
    abdm_buf_t csv = {0};
    char piece[4096];
    abdm_err_t err;
    size_t n;
    FILE *f;

    if (config->codes == NULL) {
        return ABDM_NO_ERR;
    }
    f = fopen(config->codes, "re");
    if (f == NULL) {
        snprintf(problem, ABDM_PROBLEM, "codes \"%.300s\": %s", config->codes, strerror(errno));
        return ABDM_ERR(CONFIG, "codes");
    }
    while (csv.len <= CODES_MAX && (n = fread(piece, 1, sizeof(piece), f)) > 0) {
        abdm_buf_add(&csv, piece, n);
    }
    if (ferror(f) || csv.failed || csv.len > CODES_MAX) {
        snprintf(problem, ABDM_PROBLEM, "codes \"%.300s\": cannot be read, or is over %d MB",
                 config->codes, CODES_MAX >> 20);
        err = ABDM_ERR(CONFIG, "codes");
    } else {
        err = abdm_codes_new(abdm_buf_str(&csv), fault, &table);
        if (abdm_failed(err)) {
            snprintf(problem, ABDM_PROBLEM, "codes \"%.300s\": %s", config->codes, fault);
        }
    }
    fclose(f);
    abdm_buf_free(&csv);
    *codes = table;
    return err;
}


static abdm_err_t
load_facilities(abdm_t *abdm, char problem[ABDM_PROBLEM])
{
    const abdm_config_t *config = &abdm->config;
    char why[ABDM_PROBLEM];
    abdm_err_t err;

    if (config->n_facility == 0) {
        return missing(problem, "abdm_facility", "one block for each service id (HIP id)");
    }
    abdm->facility = calloc(config->n_facility, sizeof(*abdm->facility));
    abdm->facility_id = calloc(config->n_facility, sizeof(*abdm->facility_id));
    if (abdm->facility == NULL || abdm->facility_id == NULL) {
        snprintf(problem, ABDM_PROBLEM, "no memory");
        return ABDM_ERR(MEMORY, "facilities");
    }
    for (size_t i = 0; i < config->n_facility; i++) {
        const abdm_facility_config_t *f = &config->facility[i];

        for (size_t k = 0; k < i; k++) {
            if (strcmp(f->id, config->facility[k].id) == 0) {
                snprintf(problem, ABDM_PROBLEM, "abdm_facility %s is there twice", f->id);
                return ABDM_ERR(CONFIG, "abdm_facility");
            }
        }
        if (f->name == NULL || f->hmis_adapter == NULL || f->hmis_url == NULL
            || f->hmis_mapping == NULL) {
            snprintf(problem, ABDM_PROBLEM,
                     "abdm_facility %s needs name and hmis with a mapping", f->id);
            return ABDM_ERR(CONFIG, "abdm_facility");
        }
        abdm->facility_id[i] = f->id;
        abdm->facility[i].id = f->id;
        abdm->facility[i].name = f->name;
        ABDM_TRY(load_policy(f, &abdm->facility[i].fhir, problem));
        ABDM_TRY(load_codes(f, &abdm->facility[i].rules.codes, problem));
        err = abdm_hmis_open(f->hmis_adapter, f->hmis_url, f->hmis_mapping, why,
                             &abdm->facility[i].hmis);
        if (abdm_failed(err)) {
            snprintf(problem, ABDM_PROBLEM, "abdm_facility %.64s: %.400s", f->id, why);
            return err;
        }
    }
    return ABDM_NO_ERR;
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
    err = load_store(abdm, problem);
    if (!abdm_failed(err)) {
        err = load_gateway(abdm, problem);
    }
    if (!abdm_failed(err)) {
        err = load_push_allow(abdm, problem);
    }
    if (!abdm_failed(err)) {
        err = load_facilities(abdm, problem);
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
    for (size_t i = 0; abdm->facility != NULL && i < abdm->config.n_facility; i++) {
        abdm_hmis_close(abdm->facility[i].hmis);
        abdm_codes_free((abdm_codes_t *) abdm->facility[i].rules.codes);
    }
    free(abdm->facility);
    free(abdm->facility_id);
    if (abdm->client_secret != NULL) {
        abdm_wipe(abdm->client_secret, strlen(abdm->client_secret));
        free(abdm->client_secret);
    }
    free(abdm->jwks_url[0]);
    free(abdm->jwks_url[1]);
    free(abdm->spool_dir);
    abdm_seal_key_free(abdm->seal_key);
    X509_STORE_free(abdm->trust);
    free(abdm);
}
