/*
 * One fetch of the gateway's key set: from the gateway itself with a session, and where that fails
 * from the issuer, without one.
 */
#include <stdlib.h>
#include <string.h>

#include "engine/task.h"
#include "gateway/outbound.h"
#include "token/jwks.h"

enum { FETCH_MS = 30 * 1000 };


typedef struct {
    abdm_call_t call; /* first */
    const abdm_engine_config_t *config;
    abdm_http_t *http;
    abdm_session_t *session;
    abdm_keys_fn done;
    void *ctx;
    uint64_t generation; /* of the session used */
    size_t source; /* which of config->jwks_url */
} key_fetch_t;

static abdm_err_t send_key_fetch(key_fetch_t *fetch);


static void
end_key_fetch(key_fetch_t *fetch, char *json, abdm_err_t err)
{
    fetch->done(json, err, fetch->ctx);
    abdm_call_clear(&fetch->call);
    free(fetch);
}


static void
on_keys(abdm_call_t *call)
{
    key_fetch_t *fetch = (key_fetch_t *) call;
    const abdm_engine_config_t *config = fetch->config;
    abdm_err_t err = call->err;

    if (!abdm_failed(err) && call->status / 100 != 2) {
        if (call->status == 401) {
            abdm_session_drop(fetch->session, fetch->generation);
        }
        err = ABDM_ERR(HTTP_STATUS, "key set");
    }
    if (!abdm_failed(err)) {
        char *json = abdm_buf_take(&call->answer);

        end_key_fetch(fetch, json, json == NULL ? ABDM_ERR(JWKS, "empty answer") : ABDM_NO_ERR);
        return;
    }
    abdm_log_err(&config->log, ABDM_LOG_WARN, err,
                 ABDM_LOG_WORD("keys", config->jwks_url[fetch->source]),
                 ABDM_LOG_NUMBER("status", call->status));
    if (err.code != ABDM_E_STOPPING && fetch->source == 0 && config->jwks_url[1] != NULL) {
        fetch->source = 1;
        abdm_call_clear(call);
        err = send_key_fetch(fetch);
        if (!abdm_failed(err)) {
            return;
        }
    }
    end_key_fetch(fetch, NULL, err);
}


bool
abdm_keys_want_session(const char *url, const char *gateway_url)
{
    return abdm_str_starts(abdm_str(url), abdm_str(gateway_url))
           && strstr(url, ABDM_PATH_CERTS) != NULL;
}


static abdm_err_t
send_key_fetch(key_fetch_t *fetch)
{
    const abdm_engine_config_t *config = fetch->config;
    const char *url = config->jwks_url[fetch->source];
    abdm_call_t *call = &fetch->call;
    char *copy = strdup(url);

    memset(call, 0, sizeof(*call));
    if (copy == NULL) {
        return ABDM_ERR(MEMORY, "key set");
    }
    call->url = copy;
    call->total_ms = FETCH_MS;
    call->idle_ms = FETCH_MS;
    call->answer_max = ABDM_JWKS_BYTES;
    call->done = on_keys;
    if (abdm_keys_want_session(url, config->gateway_url)) {
        abdm_session_submit(fetch->session, call, &(abdm_call_ids_t){0}, &fetch->generation);
    } else {
        abdm_http_submit(fetch->http, call);
    }
    return ABDM_NO_ERR;
}


abdm_err_t
abdm_key_fetch(const abdm_engine_config_t *config, abdm_http_t *http, abdm_session_t *session,
               abdm_keys_fn done, void *ctx)
{
    key_fetch_t *fetch = calloc(1, sizeof(*fetch));
    abdm_err_t err;

    if (fetch == NULL) {
        return ABDM_ERR(MEMORY, "key set");
    }
    fetch->config = config;
    fetch->http = http;
    fetch->session = session;
    fetch->done = done;
    fetch->ctx = ctx;
    err = send_key_fetch(fetch);
    if (abdm_failed(err)) {
        free(fetch);
    }
    return err;
}
