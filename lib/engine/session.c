/*
 * The session with the gateway (gateway protocol 1.4): one access token per process, got when
 * first needed, renewed a minute before its end, fetched by one call while the others wait.
 */
#include <stdlib.h>
#include <string.h>

#include "core/id.h"
#include "engine/task.h"
#include "gateway/answer.h"
#include "gateway/outbound.h"

enum {
    RENEW_BEFORE = 60 * 1000,
    PAUSE = 2 * 1000, /* after a failure: calls until then fail the same way */
    CALL_MS = 30 * 1000,
    ANSWER_MAX = 64 * 1024
};

/* A call that waits for the session. */
typedef struct waiter_s waiter_t;
struct waiter_s {
    abdm_call_t *call;
    abdm_call_ids_t ids;
    uint64_t *generation;
    waiter_t *next;
};

struct abdm_session_s {
    const abdm_engine_config_t *config;
    abdm_http_t *http;
    pthread_mutex_t lock;
    char *token; /* NULL: none */
    uint64_t generation;
    abdm_ms_t renew_at;
    abdm_ms_t ends_at;  /* of the token */
    abdm_ms_t again_at; /* monotonic: no attempt before */
    abdm_err_t failure; /* of the last attempt */
    bool fetching;
    waiter_t *waiting;
    abdm_call_t call; /* the one that fetches */
};


abdm_err_t
abdm_session_new(const abdm_engine_config_t *config, abdm_http_t *http, abdm_session_t **out)
{
    abdm_session_t *session = calloc(1, sizeof(*session));

    *out = session;
    if (session == NULL) {
        return ABDM_ERR(MEMORY, "session");
    }
    session->config = config;
    session->http = http;
    pthread_mutex_init(&session->lock, NULL);
    return ABDM_NO_ERR;
}


static void
forget(abdm_session_t *session)
{
    if (session->token != NULL) {
        abdm_wipe(session->token, strlen(session->token));
        free(session->token);
        session->token = NULL;
    }
}


void
abdm_session_free(abdm_session_t *session)
{
    if (session == NULL) {
        return;
    }
    while (session->waiting != NULL) {
        waiter_t *next = session->waiting->next;

        free(session->waiting);
        session->waiting = next;
    }
    forget(session);
    abdm_call_clear(&session->call);
    pthread_mutex_destroy(&session->lock);
    free(session);
}


abdm_err_t
abdm_call_gateway(abdm_call_t *call, const char *cm_id, const abdm_call_ids_t *ids,
                  const char *token)
{
    char own_id[ABDM_UUID_TEXT], at[ABDM_TIME_TEXT];
    const char *request_id = ids->request_id;

    if (request_id == NULL) {
        ABDM_TRY(abdm_uuid4(own_id));
        request_id = own_id;
    }
    abdm_time_format(ids->at != 0 ? ids->at : abdm_time_now(), at);
    if (token != NULL) {
        abdm_buf_t bearer = {0};
        abdm_err_t err;

        abdm_buf_addf(&bearer, "Bearer %s", token);
        abdm_buf_add(&bearer, "", 1);
        err = bearer.failed ? ABDM_ERR(MEMORY, "header")
                            : abdm_call_header(call, "Authorization", bearer.p);
        abdm_buf_wipe_free(&bearer);
        ABDM_TRY(err);
    }
    call->once = true;
    ABDM_TRY(abdm_call_header(call, "REQUEST-ID", request_id));
    ABDM_TRY(abdm_call_header(call, "TIMESTAMP", at));
    ABDM_TRY(abdm_call_header(call, "X-CM-ID", cm_id));
    if (ids->hip_id != NULL) {
        ABDM_TRY(abdm_call_header(call, "X-HIP-ID", ids->hip_id));
    }
    if (ids->link_token != NULL) {
        ABDM_TRY(abdm_call_header(call, "X-LINK-TOKEN", ids->link_token));
    }
    ABDM_TRY(abdm_call_header(call, "Accept", "application/json"));
    if (call->body != NULL) {
        ABDM_TRY(abdm_call_header(call, "Content-Type", "application/json"));
        ABDM_TRY(abdm_call_header(call, "Expect", ""));
    }
    return ABDM_NO_ERR;
}


/* Sends a call under `token`, or fails it; without the lock, as `done` may come here again. */
static void
send_call(abdm_session_t *session, const waiter_t *w, const char *token, abdm_err_t err)
{
    if (!abdm_failed(err)) {
        err = abdm_call_gateway(w->call, session->config->cm_id, &w->ids, token);
    }
    if (abdm_failed(err)) {
        w->call->err = err;
        w->call->done(w->call);
        return;
    }
    abdm_http_submit(session->http, w->call);
}


static void
on_session(abdm_call_t *call)
{
    abdm_session_t *session = call->owner;
    char *token = NULL, *copy = NULL;
    waiter_t *waiting;
    int64_t life = 0;
    abdm_err_t err = call->err;

    if (!abdm_failed(err) && (call->status < 200 || call->status > 299)) {
        err = ABDM_ERR(SESSION, "sessions: the gateway answered with an error status");
    }
    if (!abdm_failed(err)) {
        err = abdm_answer_session(call->answer.p, call->answer.len, &token, &life);
    }
    if (!abdm_failed(err) && (copy = strdup(token)) == NULL) {
        abdm_wipe(token, strlen(token));
        free(token);
        err = ABDM_ERR(MEMORY, "session");
    }
    abdm_buf_wipe_free(&call->answer);
    if (abdm_failed(err)) {
        abdm_log_err(&session->config->log, ABDM_LOG_ERROR, err,
                     ABDM_LOG_WORD("step", "session"), ABDM_LOG_NUMBER("status", call->status));
    }

    pthread_mutex_lock(&session->lock);
    session->fetching = false;
    if (!abdm_failed(err)) {
        forget(session);
        session->token = token;
        session->generation++;
        session->ends_at = abdm_time_now() + life;
        session->renew_at = session->ends_at - (life > 2 * RENEW_BEFORE ? RENEW_BEFORE : life / 2);
    } else {
        session->failure = err;
        session->again_at = abdm_time_monotonic() + PAUSE;
        if (session->token != NULL && abdm_time_now() < session->ends_at) {
            session->renew_at = abdm_time_now() + PAUSE; /* the old one is still good */
            copy = strdup(session->token);
            err = copy != NULL ? ABDM_NO_ERR : ABDM_ERR(MEMORY, "session");
        }
    }
    waiting = session->waiting;
    session->waiting = NULL;
    for (waiter_t *w = waiting; w != NULL; w = w->next) {
        *w->generation = session->generation;
    }
    pthread_mutex_unlock(&session->lock);

    while (waiting != NULL) {
        waiter_t *next = waiting->next;

        send_call(session, waiting, copy, err);
        free(waiting);
        waiting = next;
    }
    if (copy != NULL) {
        abdm_wipe(copy, strlen(copy));
        free(copy);
    }
}


static void
fetch(abdm_session_t *session)
{
    const abdm_engine_config_t *config = session->config;
    abdm_call_t *call = &session->call;
    const abdm_call_ids_t none = {0};
    abdm_buf_t url = {0}, body = {0};
    abdm_err_t err;

    abdm_call_clear(call);
    memset(call, 0, sizeof(*call));
    abdm_buf_addf(&url, "%s%s", config->gateway_url, ABDM_PATH_SESSIONS);
    abdm_out_session(&body, config->client_id, config->client_secret);
    call->url = abdm_buf_take(&url);
    call->body = abdm_source_take_buf(&body);
    call->total_ms = CALL_MS;
    call->idle_ms = CALL_MS;
    call->answer_max = ANSWER_MAX;
    call->done = on_session;
    call->owner = session;

    err = call->url == NULL || call->body == NULL
              ? ABDM_ERR(MEMORY, "session")
              : abdm_call_gateway(call, config->cm_id, &none, NULL);
    if (abdm_failed(err)) {
        call->err = err;
        on_session(call);
        return;
    }
    abdm_http_submit(session->http, call);
}


void
abdm_session_submit(abdm_session_t *session, abdm_call_t *call, const abdm_call_ids_t *ids,
                    uint64_t *generation)
{
    waiter_t now = {.call = call, .ids = *ids};
    waiter_t *waiter;
    char *token = NULL;
    abdm_err_t err = ABDM_NO_ERR;
    bool start = false;

    pthread_mutex_lock(&session->lock);
    if (session->token == NULL && abdm_time_monotonic() < session->again_at) {
        err = session->failure;
    } else if (session->token != NULL && abdm_time_now() < session->renew_at) {
        *generation = session->generation;
        token = strdup(session->token);
        if (token == NULL) {
            err = ABDM_ERR(MEMORY, "session");
        }
    } else {
        waiter = malloc(sizeof(*waiter));
        if (waiter != NULL) {
            *waiter = now;
            waiter->generation = generation;
            waiter->next = session->waiting;
            session->waiting = waiter;
            start = !session->fetching;
            session->fetching = true;
            pthread_mutex_unlock(&session->lock);
            if (start) {
                fetch(session);
            }
            return;
        }
        err = ABDM_ERR(MEMORY, "session");
    }
    pthread_mutex_unlock(&session->lock);

    send_call(session, &now, token, err);
    if (token != NULL) {
        abdm_wipe(token, strlen(token));
        free(token);
    }
}


void
abdm_session_drop(abdm_session_t *session, uint64_t generation)
{
    pthread_mutex_lock(&session->lock);
    if (session->generation == generation) {
        forget(session);
    }
    pthread_mutex_unlock(&session->lock);
}
