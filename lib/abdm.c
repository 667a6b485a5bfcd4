/*
 * The one place where the rooms are put together: a process starts its engine and its front door,
 * and both meet here.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "abdm_internal.h"
#include "core/json.h"

enum { RETRY_AFTER = 5 };


const char *
abdm_version(void)
{
    return ABDM_VERSION;
}


abdm_err_t
abdm_prepare_store(abdm_t *abdm, uid_t owner, gid_t group, char problem[ABDM_PROBLEM])
{
    ABDM_TRY(abdm_store_prepare(abdm->config.store, abdm->seal_key, owner, group, problem));
    return abdm_describe(&abdm->config, group, problem);
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


/* False: whoever waits for keys waits on. */
static bool
take_keys(abdm_t *abdm, const abdm_news_t *news)
{
    abdm_ms_t now = abdm_time_now();

    if (!news->asked) {
        return abdm_doorkeeper_keys_unasked(abdm->door, news->text, news->fetched_at, news->failed,
                                            now);
    }
    abdm_doorkeeper_keys(abdm->door, news->text, news->fetched_at, news->failed, now);
    return true;
}


/* What the host has to hear of; NULL: nothing now. */
static abdm_news_t *
next_news(abdm_t *abdm)
{
    abdm_news_t *news = abdm_engine_reap(abdm->engine);

    while (news != NULL && news->kind == ABDM_NEWS_KEYS && !take_keys(abdm, news)) {
        abdm_news_free(news);
        news = abdm_engine_reap(abdm->engine);
    }
    return news;
}


/* What stands for an id of the hospital's in a line: whoever has no key cannot tell whose it is. */
static abdm_err_t
mark_of(const void *ctx, const char *id, char out[ABDM_LOG_MARK])
{
    char hash[65];
    abdm_err_t err = abdm_seal_hash(ctx, "log", "", abdm_str(id), hash);

    if (!abdm_failed(err)) {
        snprintf(out, ABDM_LOG_MARK, "~%.*s", ABDM_LOG_MARK - 2, hash);
    }
    return err;
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
        .policy = abdm->config.policy,
        .signers = abdm->signers,
        .trust = abdm->trust,
        .spool_dir = abdm->spool_dir,
        .record_max = abdm->config.record_max,
        .audit_keep = abdm->config.audit_keep_ms,
        .gateway_url = abdm->gateway.url,
        .cm_id = abdm->gateway.cm_id,
        .client_id = abdm->gateway.client_id,
        .client_secret = abdm_str(abdm->client_secret),
        .jwks_url = {abdm->jwks_url[0], abdm->jwks_url[1]},
        .log = {host->log.write, host->log.ctx, mark_of, abdm->seal_key},
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
        return err;
    }
    abdm_news_free(next_news(abdm)); /* keys of the disk, before anybody waits for them */
    return ABDM_NO_ERR;
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


const char *
abdm_callback_root(size_t n)
{
    return abdm_route_root(n);
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

    ABDM_TRY(abdm_doorkeeper_take(abdm->door, &headers, body.len, &intake));
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
abdm_api(abdm_t *abdm, const abdm_api_request_t *request, abdm_str_t body, void *tag)
{
    abdm_api_head_t head = {
        .flavour = request->nha ? ABDM_API_NHA : ABDM_API_OWN,
        .method = request->method,
        .path = request->path,
        .query = request->query,
        .facility = request->facility,
        .content_type = request->content_type,
        .body = body,
    };
    abdm_api_call_t call = {0};

    ABDM_TRY(abdm_api_read(&head, abdm->facility_id, abdm->config.n_facility, &call));
    return abdm_engine_ask(abdm->engine, &call, tag);
}


static char *
refusal_json(abdm_api_flavour_t flavour, abdm_err_t err)
{
    abdm_effects_t refusal = {0};
    char *json;

    abdm_api_refuse(&refusal, flavour, err);
    json = refusal.failed ? NULL : abdm_buf_take(&refusal.reply);
    abdm_effects_clear(&refusal);
    return json;
}


char *
abdm_api_refusal(bool nha, const abdm_answer_t *answer)
{
    abdm_err_t err = ABDM_ERR(INTERNAL, "");

    err.code = abdm_error_by_name(answer->code);
    err.what = answer->message;
    return refusal_json(nha ? ABDM_API_NHA : ABDM_API_OWN, err);
}


/* An answer of the API, or its refusal in the caller's form. */
static void
take_api_answer(abdm_news_t *news, abdm_done_t *done)
{
    if (!abdm_failed(news->err)) {
        if (abdm_failed(news->refusal)) {
            done->answer = abdm_answer_of(news->refusal);
        }
        done->answer.status = news->status;
        done->body = news->text;
        news->text = NULL;
        return;
    }
    done->body = refusal_json(news->flavour, news->err);
}


bool
abdm_reap(abdm_t *abdm, abdm_done_t *done)
{
    static const abdm_done_kind_t kinds[] = {ABDM_DONE_CALLBACK, ABDM_DONE_KEYS, ABDM_DONE_API};
    abdm_news_t *news = next_news(abdm);

    if (news == NULL) {
        return false;
    }
    memset(done, 0, sizeof(*done));
    done->kind = kinds[news->kind];
    done->tag = news->tag;
    done->answer = abdm_answer_of(news->err);
    if (news->kind == ABDM_NEWS_ASK) {
        take_api_answer(news, done);
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
