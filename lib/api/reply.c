/* Answers of calls, in the form of the caller's flavour. */
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "core/json.h"


void
abdm_api_reply(abdm_effects_t *out, int status, abdm_buf_t *json)
{
    abdm_buf_wipe_free(&out->reply);
    if (json->failed) {
        out->failed = true;
        abdm_buf_free(json);
        return;
    }
    out->reply_status = status;
    out->reply = *json;
    out->refusal = ABDM_NO_ERR;
    memset(json, 0, sizeof(*json));
}


const char *
abdm_api_status_name(int status)
{
    static const struct {
        int status;
        const char *name;
    } rows[] = {
        {200, "OK"},
        {202, "ACCEPTED"},
        {400, "BAD_REQUEST"},
        {401, "UNAUTHORIZED"},
        {403, "FORBIDDEN"},
        {404, "NOT_FOUND"},
        {405, "METHOD_NOT_ALLOWED"},
        {409, "CONFLICT"},
        {413, "PAYLOAD_TOO_LARGE"},
        {415, "UNSUPPORTED_MEDIA_TYPE"},
        {429, "TOO_MANY_REQUESTS"},
        {502, "BAD_GATEWAY"},
        {503, "SERVICE_UNAVAILABLE"},
        {504, "GATEWAY_TIMEOUT"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].status == status) {
            return rows[i].name;
        }
    }
    return "INTERNAL_SERVER_ERROR";
}


static void
write_own(abdm_jw_t *w, const abdm_error_info_t *info, const char *message)
{
    abdm_jw_key(w, "error");
    abdm_jw_open(w, '{');
    abdm_jw_kv(w, "code", info->name);
    abdm_jw_kv(w, "message", message);
    abdm_jw_kv(w, "remedy", info->remedy);
    abdm_jw_close(w, '}');
}


/* The wrapper answers 400 to whatever the caller might mend; its clients know no other. */
static int
nha_status(int status)
{
    return status == 404 || status == 409 || status == 422 ? 400 : status;
}


static void
write_nha(abdm_jw_t *w, const abdm_error_info_t *info, const char *message)
{
    abdm_jw_kv(w, "httpStatusCode", abdm_api_status_name(nha_status(info->http)));
    abdm_jw_kv(w, "message", info->meaning);
    abdm_jw_key(w, "errors");
    abdm_jw_open(w, '[');
    abdm_jw_open(w, '{');
    abdm_jw_key(w, "error");
    abdm_jw_open(w, '{');
    abdm_jw_kv(w, "code", info->name);
    abdm_jw_kv(w, "message", message);
    abdm_jw_close(w, '}');
    abdm_jw_close(w, '}');
    abdm_jw_close(w, ']');
}


void
abdm_api_refuse_at(abdm_effects_t *out, abdm_api_flavour_t flavour, abdm_err_t err, const char *at)
{
    const abdm_error_info_t *info = abdm_error_info(err.code);
    abdm_buf_t message = {0}, json = {0};
    char *text;
    abdm_jw_t w;

    if (*at != '\0') {
        abdm_buf_addz(&message, at);
        abdm_buf_addz(&message, ": ");
    }
    abdm_buf_addz(&message, err.what);
    text = abdm_buf_take(&message);
    if (text == NULL) {
        out->failed = true;
        return;
    }

    abdm_jw_begin(&w, &json);
    abdm_jw_open(&w, '{');
    if (flavour == ABDM_API_NHA) {
        write_nha(&w, info, text);
    } else {
        write_own(&w, info, text);
    }
    abdm_jw_close(&w, '}');
    free(text);
    abdm_api_reply(out, flavour == ABDM_API_NHA ? nha_status(info->http) : info->http, &json);
    out->refusal = err;
}


void
abdm_api_refuse(abdm_effects_t *out, abdm_api_flavour_t flavour, abdm_err_t err)
{
    abdm_api_refuse_at(out, flavour, err, "");
}
