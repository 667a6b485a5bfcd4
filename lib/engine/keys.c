/*
 * The gateway's keys: fetched on schedule by one process of the store, at once when a callback
 * names an unknown one, never more often than the throttle allows, and kept on disk so that
 * a restart while the gateway is away still verifies (threat model J6-J8).
 */
#include <stdlib.h>
#include <string.h>

#include "core/id.h"
#include "engine/internal.h"
#include "token/jwks.h"

enum {
    REFRESH = 15 * 60 * 1000,
    CHECK = 30 * 1000, /* how often a process looks whether another one fetched */
    RETRY = 5 * 1000,        /* while there are none, or the gateway was away */
    FORCE_EVERY = 60 * 1000, /* for unknown keys that tokens name... */
    FORCE_BURST = 3,         /* ...so that a wrong one does not hold up a right one */
    WAIT_OTHER = 3 * 1000,
    WAIT_STEP = 100
};


static void
tell(abdm_engine_t *engine, const abdm_stored_keys_t *stored, bool fresh)
{
    abdm_news_t *news = calloc(1, sizeof(*news));

    if (news == NULL) {
        return;
    }
    news->kind = ABDM_NEWS_KEYS;
    news->failed = stored->failed || stored->json == NULL;
    news->asked = engine->keys_wanted;
    news->fetched_at = stored->fetched_at;
    if (fresh && stored->json != NULL) {
        news->text = strdup(stored->json);
        engine->keys_fetched_at = stored->fetched_at;
    }
    engine->keys_wanted = false;
    abdm_engine_tell(engine, news);
    engine->wake(engine->wake_ctx);
}


abdm_err_t
abdm_engine_keys_first(abdm_engine_t *engine)
{
    abdm_stored_keys_t stored = {0};

    ABDM_TRY(abdm_store_keys_get(engine->store, engine->config.jwks_url[0], &stored));
    if (stored.json != NULL) {
        tell(engine, &stored, true);
    }
    free(stored.json);
    return ABDM_NO_ERR;
}


abdm_err_t
abdm_engine_keys_tick(abdm_engine_t *engine, abdm_ms_t now)
{
    const char *url = engine->config.jwks_url[0];
    abdm_stored_keys_t stored = {0};
    abdm_ms_t tick = abdm_time_monotonic();
    bool due, newer, none, mine = false;
    abdm_err_t err;

    if (engine->keys_state != ABDM_KEYS_IDLE
        || (!engine->keys_wanted && tick < engine->keys_check_at)) {
        return ABDM_NO_ERR;
    }
    engine->keys_check_at = tick + CHECK;
    ABDM_TRY(abdm_store_keys_get(engine->store, url, &stored));

    newer = stored.json != NULL && stored.fetched_at > engine->keys_fetched_at;
    if (newer && (!engine->keys_wanted || stored.fetched_at >= engine->keys_wanted_at)) {
        tell(engine, &stored, true);
        engine->keys_wait_until = 0;
        free(stored.json);
        return ABDM_NO_ERR;
    }
    none = stored.json == NULL || stored.failed;
    due = none || (engine->config.worker == 0 && now - stored.fetched_at > REFRESH);
    err = ABDM_NO_ERR;
    if (!atomic_load(&engine->draining)) {
        if (due) {
            err = abdm_store_keys_try(engine->store, url, now, now - RETRY, &mine);
        } else if (engine->keys_wanted) {
            err = abdm_store_keys_force(engine->store, url, now, FORCE_EVERY, FORCE_BURST, &mine);
        }
    }
    if (mine) {
        engine->keys_state = ABDM_KEYS_CLAIMED;
    } else if (engine->keys_wanted && engine->keys_wait_until == 0
               && stored.tried_at > now - WAIT_OTHER && stored.tried_at > stored.fetched_at
               && !stored.failed) {
        engine->keys_wait_until = tick + WAIT_OTHER; /* another process is at it */
    } else if (engine->keys_wanted && tick >= engine->keys_wait_until) {
        tell(engine, &stored, newer);
        engine->keys_wait_until = 0;
    }
    if (engine->keys_wait_until != 0) {
        engine->keys_check_at = tick + WAIT_STEP;
    }
    free(stored.json);
    return err;
}


static void
on_fetched(char *json, abdm_err_t err, void *ctx)
{
    abdm_engine_t *engine = ctx;
    abdm_work_t *work = engine->keys_work;

    (void) err; /* logged where it happened */
    engine->keys_work = NULL;
    work->kind = ABDM_WORK_KEYS;
    work->text = json;
    abdm_engine_post(engine, work);
}


void
abdm_engine_keys_begin(abdm_engine_t *engine)
{
    abdm_err_t err;

    engine->keys_work = calloc(1, sizeof(*engine->keys_work)); /* now: the answer must get back */
    if (engine->keys_work == NULL) {
        abdm_log_err(&engine->config.log, ABDM_LOG_ERROR, ABDM_ERR(MEMORY, "fetch"),
                     ABDM_LOG_WORD("step", "keys"));
        engine->keys_state = ABDM_KEYS_IDLE; /* asked for again as if the gateway were away */
        return;
    }
    engine->keys_state = ABDM_KEYS_FETCHING;
    err = abdm_exec_fetch_keys(engine->exec, on_fetched, engine);

    if (abdm_failed(err)) {
        abdm_log_err(&engine->config.log, ABDM_LOG_ERROR, err,
                     ABDM_LOG_WORD("step", "keys"));
        on_fetched(NULL, err, engine);
    }
}


abdm_err_t
abdm_engine_keys_came(abdm_engine_t *engine, const char *json, abdm_ms_t now)
{
    const char *url = engine->config.jwks_url[0];
    abdm_stored_keys_t stored = {0};
    abdm_jwks_t *set = NULL;
    abdm_err_t err;

    engine->keys_state = ABDM_KEYS_IDLE;
    if (json != NULL) {
        err = abdm_jwks_parse(json, strlen(json), &set);
        if (abdm_failed(err)) {
            abdm_log_err(&engine->config.log, ABDM_LOG_ERROR, err,
                         ABDM_LOG_WORD("keys", url));
            json = NULL;
        } else {
            abdm_log(&engine->config.log, ABDM_LOG_NOTICE, "keys of the gateway:",
                     ABDM_LOG_NUMBER("n", (long long) abdm_jwks_count(set)),
                     ABDM_LOG_WORD("set", abdm_jwks_fingerprint(set)));
        }
        abdm_jwks_free(set);
    }
    ABDM_TRY(abdm_store_keys_put(engine->store, url, json, now));
    ABDM_TRY(abdm_store_keys_get(engine->store, url, &stored));
    tell(engine, &stored, json != NULL);
    free(stored.json);
    return ABDM_NO_ERR;
}
