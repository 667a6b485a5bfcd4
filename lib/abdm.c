/*
 * The one place where the rooms are put together: configuration becomes an abdm_t, a process
 * starts its engine and its front door, and both meet here.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "abdm.h"
#include "core/json.h"
#include "engine/engine.h"
#include "engine/http.h"
#include "gateway/outbound.h"
#include "gateway/preset.h"
#include "intake/door.h"

enum {
    CALLBACK_MAX = 256 * 1024,
    QUEUE = 1024,
    DRAIN_MS = 10 * 1000,
    SECRET_MAX = 512,
    RETRY_AFTER = 5
};

static const uint64_t RECORD_MAX = 512ULL * 1024 * 1024;

struct abdm_s {
    abdm_config_t config;
    abdm_gateway_config_t gateway; /* with the preset's values filled in */
    char *client_secret;
    char *jwks_url[2];
    char *spool_dir;
    abdm_seal_key_t *seal_key;
    X509_STORE *trust;
    abdm_push_allow_t push_allow;
    abdm_engine_facility_t *facility;
    const char **facility_id;
    abdm_str_t issuers[ABDM_LIST_MAX], callers[ABDM_LIST_MAX];

    /* of a working process */
    abdm_engine_t *engine;
    abdm_doorkeeper_t *door;
    int wake_fd;
    abdm_ms_t started_at;
};


const char *
abdm_version(void)
{
    return ABDM_VERSION;
}


void
abdm_config_init(abdm_config_t *config)
{
    memset(config, 0, sizeof(*config));
    config->gateway.token_leeway_ms = -1;
    config->callback_prefix = "";
    config->callback_max_body = CALLBACK_MAX;
    config->queue = QUEUE;
    config->record_max = RECORD_MAX;
    config->drain_ms = DRAIN_MS;
}


/* --- configuration --- */

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

    fd = open(path, O_RDONLY | O_CLOEXEC);
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
load_facilities(abdm_t *abdm, char problem[ABDM_PROBLEM])
{
    const abdm_config_t *config = &abdm->config;

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
        if (f->name == NULL || f->hmis_url == NULL || f->hmis_mapping == NULL) {
            snprintf(problem, ABDM_PROBLEM,
                     "abdm_facility %s needs name and hmis with a mapping", f->id);
            return ABDM_ERR(CONFIG, "abdm_facility");
        }
        abdm->facility_id[i] = f->id;
        abdm->facility[i].id = f->id;
        abdm->facility[i].name = f->name;
        ABDM_TRY(abdm_hmis_open(f->hmis_adapter, f->hmis_url, f->hmis_mapping, problem,
                                &abdm->facility[i].hmis));
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
    for (size_t i = 0; abdm->facility != NULL && i < abdm->config.n_facility; i++) {
        abdm_hmis_close(abdm->facility[i].hmis);
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


abdm_err_t
abdm_prepare_store(abdm_t *abdm, uid_t owner, gid_t group, char problem[ABDM_PROBLEM])
{
    return abdm_store_prepare(abdm->config.store, owner, group, problem);
}


/* --- a working process --- */

static void
on_news(void *ctx)
{
    abdm_t *abdm = ctx;
    const uint64_t one = 1;
    ssize_t n = write(abdm->wake_fd, &one, sizeof(one));

    (void) n; /* a full counter wakes as well */
}


static abdm_err_t
make_door(abdm_t *abdm)
{
    abdm_door_config_t config = {
        .policy = {
            .id = 1,
            .issuers = abdm->issuers,
            .n_issuers = abdm->gateway.issuer.n,
            .callers = abdm->callers,
            .n_callers = abdm->gateway.caller.n,
            .role = ABDM_LIT("gateway"),
            .client_id = abdm_str(abdm->gateway.client_id),
            .leeway_ms = abdm->gateway.token_leeway_ms,
        },
        .prefix = abdm->config.callback_prefix,
        .max_body = abdm->config.callback_max_body,
        .facility = abdm->facility_id,
        .n_facility = abdm->config.n_facility,
    };

    return abdm_doorkeeper_new(&config, &abdm->door);
}


abdm_err_t
abdm_start(abdm_t *abdm, const abdm_host_t *host)
{
    abdm_engine_config_t config = {
        .store_url = abdm->config.store,
        .seal_key = abdm->seal_key,
        .find_flow = abdm_flow_find,
        .facility = abdm->facility,
        .n_facility = abdm->config.n_facility,
        .push_allow = &abdm->push_allow,
        .trust = abdm->trust,
        .spool_dir = abdm->spool_dir,
        .record_max = abdm->config.record_max,
        .gateway_url = abdm->gateway.url,
        .cm_id = abdm->gateway.cm_id,
        .client_id = abdm->gateway.client_id,
        .client_secret = abdm_str(abdm->client_secret),
        .jwks_url = {abdm->jwks_url[0], abdm->jwks_url[1]},
        .log = host->log,
        .worker = host->worker,
        .queue = abdm->config.queue,
    };
    abdm_err_t err;

    abdm->wake_fd = host->wake_fd;
    abdm->started_at = abdm_time_now();
    ABDM_TRY(make_door(abdm));
    err = abdm_engine_start(&config, on_news, abdm, &abdm->engine);
    if (abdm_failed(err)) {
        abdm_doorkeeper_free(abdm->door);
        abdm->door = NULL;
    }
    return err;
}


bool
abdm_busy(const abdm_t *abdm)
{
    return abdm_engine_busy(abdm->engine);
}


void
abdm_drain(abdm_t *abdm)
{
    abdm_engine_drain(abdm->engine);
}


void
abdm_stop(abdm_t *abdm, int64_t deadline_ms)
{
    if (abdm->engine != NULL) {
        abdm_engine_stop(abdm->engine, deadline_ms);
        abdm->engine = NULL;
    }
    abdm_doorkeeper_free(abdm->door);
    abdm->door = NULL;
}


/* --- the front door --- */

static abdm_headers_t
headers_of(const abdm_head_t *head)
{
    return (abdm_headers_t){
        .method = head->method,
        .path = head->path,
        .authorization = head->authorization,
        .request_id = head->request_id,
        .hip_id = head->hip_id,
        .hiu_id = head->hiu_id,
        .content_type = head->content_type,
        .content_encoding = head->content_encoding,
        .content_length = head->content_length,
        .duplicate = head->duplicate,
    };
}


abdm_answer_t
abdm_answer_of(abdm_err_t err)
{
    const abdm_error_info_t *info;

    if (!abdm_failed(err)) {
        return (abdm_answer_t){202, "", "", 0};
    }
    info = abdm_error_info(err.code);
    return (abdm_answer_t){
        .status = info->http,
        .code = info->name,
        .message = info->meaning,
        .retry_after = info->http == 503 ? RETRY_AFTER : 0,
    };
}


abdm_door_t
abdm_door(abdm_t *abdm, const abdm_head_t *head, bool last, abdm_answer_t *answer)
{
    abdm_headers_t headers = headers_of(head);
    abdm_verdict_t verdict;
    bool want_keys;
    abdm_err_t why;

    verdict = abdm_doorkeeper_judge(abdm->door, &headers, abdm_time_now(), last, &why, &want_keys);
    if (want_keys) {
        abdm_err_t err = abdm_engine_want_keys(abdm->engine);

        if (abdm_failed(err)) {
            why = err;
            verdict = ABDM_REFUSE;
        }
    }
    if (verdict == ABDM_PASS && abdm_engine_full(abdm->engine)) {
        why = ABDM_ERR(QUEUE_FULL, "callbacks waiting for the disk");
        verdict = ABDM_REFUSE;
    }
    if (verdict == ABDM_REFUSE) {
        *answer = abdm_answer_of(why);
        return ABDM_DOOR_ANSWER;
    }
    return verdict == ABDM_PASS ? ABDM_DOOR_PASS : ABDM_DOOR_WAIT;
}


abdm_err_t
abdm_submit(abdm_t *abdm, const abdm_head_t *head, abdm_str_t body, void *tag)
{
    abdm_headers_t headers = headers_of(head);
    abdm_callback_t callback = {.received_at = abdm_time_now()};
    abdm_intake_t intake;

    ABDM_TRY(abdm_doorkeeper_take(abdm->door, &headers, body, &intake));
    callback.path = intake.path;
    callback.hip_id = intake.hip_id;
    callback.request_id = intake.request_id;
    callback.event = intake.event != NULL ? strdup(intake.event) : NULL;
    callback.body = abdm_str_dup(body);
    callback.body_len = body.len;
    if (callback.body == NULL || (intake.event != NULL && callback.event == NULL)) {
        abdm_callback_clear(&callback);
        return ABDM_ERR(MEMORY, "callback");
    }
    return abdm_engine_accept(abdm->engine, &callback, tag);
}


abdm_err_t
abdm_ask(abdm_t *abdm, abdm_ask_t what, abdm_str_t id, void *tag)
{
    return abdm_engine_ask(abdm->engine, what == ABDM_ASK_TRANSFERS ? ABDM_LIT("") : id, tag);
}


bool
abdm_reap(abdm_t *abdm, abdm_done_t *done)
{
    static const abdm_done_kind_t kinds[] = {ABDM_DONE_CALLBACK, ABDM_DONE_KEYS, ABDM_DONE_ASK};
    abdm_news_t *news = abdm_engine_reap(abdm->engine);

    if (news == NULL) {
        return false;
    }
    memset(done, 0, sizeof(*done));
    done->kind = kinds[news->kind];
    done->tag = news->tag;
    done->answer = abdm_answer_of(news->err);
    if (news->kind == ABDM_NEWS_KEYS) {
        abdm_doorkeeper_keys(abdm->door, news->text, news->fetched_at, news->failed,
                             abdm_time_now());
    } else if (news->kind == ABDM_NEWS_ASK && news->text != NULL) {
        done->answer.status = 200;
        done->body = news->text;
        news->text = NULL;
    }
    abdm_news_free(news);
    return true;
}


static void
count(abdm_jw_t *w, const char *key, uint64_t n)
{
    abdm_jw_key(w, key);
    abdm_jw_int(w, (int64_t) n);
}


char *
abdm_status(abdm_t *abdm)
{
    abdm_engine_stats_t stats;
    abdm_door_state_t door;
    char since[ABDM_TIME_TEXT];
    abdm_buf_t out = {0};
    abdm_jw_t w;

    abdm_engine_stats(abdm->engine, &stats);
    abdm_doorkeeper_state(abdm->door, &door);
    abdm_time_format(abdm->started_at, since);
    abdm_jw_begin(&w, &out);
    abdm_jw_open(&w, '{');
    abdm_jw_kv(&w, "version", ABDM_VERSION);
    count(&w, "pid", (uint64_t) getpid());
    abdm_jw_kv(&w, "since", since);
    abdm_jw_key(&w, "callbacks");
    abdm_jw_open(&w, '{');
    count(&w, "accepted", stats.accepted);
    count(&w, "repeated", stats.repeated);
    count(&w, "refused", stats.refused);
    count(&w, "waiting", stats.waiting);
    abdm_jw_close(&w, '}');
    abdm_jw_key(&w, "work");
    abdm_jw_open(&w, '{');
    count(&w, "events", stats.events);
    count(&w, "calls", stats.calls);
    count(&w, "callsFailed", stats.calls_failed);
    count(&w, "underWay", stats.under_way);
    count(&w, "commits", stats.commits);
    abdm_jw_close(&w, '}');
    abdm_jw_key(&w, "gatewayKeys");
    abdm_jw_open(&w, '{');
    count(&w, "keys", door.keys);
    if (door.keys_fetched_at != 0) {
        abdm_time_format(door.keys_fetched_at, since);
        abdm_jw_kv(&w, "fetchedAt", since);
    }
    abdm_jw_key(&w, "lastAttemptFailed");
    abdm_jw_bool(&w, door.keys_failed);
    abdm_jw_close(&w, '}');
    abdm_jw_close(&w, '}');
    return abdm_buf_take(&out);
}


/* --- operators' tools --- */

struct abdm_admin_s {
    abdm_store_t *store;
};


abdm_err_t
abdm_admin_open(const char *store, char problem[ABDM_PROBLEM], abdm_admin_t **out)
{
    abdm_admin_t *admin;
    const char *path = strchr(store, '/');
    abdm_err_t err;

    *out = NULL;
    if (path == NULL || access(path, R_OK) != 0) {
        snprintf(problem, ABDM_PROBLEM, "store \"%s\": %s", store,
                 path == NULL ? "expected sqlite:/absolute/path" : strerror(errno));
        return ABDM_ERR(CONFIG, "store");
    }
    admin = calloc(1, sizeof(*admin));
    if (admin == NULL) {
        snprintf(problem, ABDM_PROBLEM, "no memory");
        return ABDM_ERR(MEMORY, "admin");
    }
    err = abdm_store_open(store, NULL, &admin->store);
    if (abdm_failed(err)) {
        snprintf(problem, ABDM_PROBLEM, "store \"%s\": %s", store, err.what);
        free(admin);
        return err;
    }
    *out = admin;
    return ABDM_NO_ERR;
}


void
abdm_admin_close(abdm_admin_t *admin)
{
    if (admin != NULL) {
        abdm_store_close(admin->store);
        free(admin);
    }
}


static abdm_err_t
take_report(abdm_err_t err, abdm_buf_t *report, char **json)
{
    *json = NULL;
    if (abdm_failed(err)) {
        abdm_buf_free(report);
        return err;
    }
    *json = abdm_buf_take(report);
    return *json == NULL ? ABDM_ERR(MEMORY, "report") : ABDM_NO_ERR;
}


abdm_err_t
abdm_admin_transfers(abdm_admin_t *admin, int limit, char **json)
{
    abdm_buf_t report = {0};
    abdm_err_t err = abdm_store_report_transfers(admin->store, limit, &report);

    return take_report(err, &report, json);
}


abdm_err_t
abdm_admin_explain(abdm_admin_t *admin, const char *id, char **json)
{
    abdm_buf_t report = {0};
    abdm_err_t err = abdm_store_report_explain(admin->store, id, &report);

    return take_report(err, &report, json);
}


abdm_err_t
abdm_secret_key_make(const char *path, char problem[ABDM_PROBLEM])
{
    return abdm_seal_key_create(path, problem);
}


const abdm_error_info_t *
abdm_error_row(size_t n)
{
    return n + 1 < ABDM_CODE_COUNT ? abdm_error_info((abdm_code_t) (n + 1)) : NULL;
}
