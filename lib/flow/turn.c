/* Calls of the API: reading, refusing, and pieces of answers (see flow/turn.h). */
#include "flow/turn.h"

#include <stdlib.h>
#include <string.h>


void
abdm_turn_begin(abdm_turn_t *t, const abdm_flow_ctx_t *ctx, const abdm_event_t *ev,
                abdm_effects_t *out, abdm_api_flavour_t flavour, abdm_turn_body_t body)
{
    *t = (abdm_turn_t){.ctx = ctx, .ev = ev, .out = out, .flavour = flavour};
    if (body != ABDM_BODY_NONE) {
        t->body = abdm_api_body(ev->body, ev->body_len, body == ABDM_BODY_LIST, &t->fault);
    }
    t->in = abdm_api_in(t->body, &t->fault);
    abdm_jw_begin(&t->w, &t->json);
    abdm_jw_open(&t->w, '{');
}


abdm_err_t
abdm_turn_judged(const abdm_turn_t *t)
{
    return t->fault.err;
}


bool
abdm_turn_refuses(abdm_err_t err)
{
    return abdm_failed(err) && abdm_error_info(err.code)->http < 500;
}


abdm_err_t
abdm_turn_end(abdm_turn_t *t, int status, abdm_err_t err)
{
    const char *at = "";

    abdm_jw_close(&t->w, '}');
    if (abdm_failed(t->fault.err)) {
        err = t->fault.err;
        at = t->fault.at;
    }
    if (!abdm_failed(err)) {
        abdm_api_reply(t->out, status, &t->json);
    } else if (abdm_turn_refuses(err)) {
        abdm_effects_clear(t->out);
        abdm_api_refuse_at(t->out, t->flavour, err, at);
        err = ABDM_NO_ERR;
    }
    abdm_buf_wipe_free(&t->json);
    json_decref(t->body);
    json_decref(t->seen);
    return err;
}


void
abdm_turn_time(abdm_jw_t *w, const char *key, abdm_ms_t t)
{
    char text[ABDM_TIME_TEXT];

    if (t != 0) {
        abdm_time_format(t, text);
        abdm_jw_kv(w, key, text);
    }
}


void
abdm_turn_text(abdm_jw_t *w, const char *key, const char *text)
{
    if (text != NULL) {
        abdm_jw_kv(w, key, text);
    }
}


void
abdm_turn_int(abdm_jw_t *w, const char *key, int64_t value)
{
    abdm_jw_key(w, key);
    abdm_jw_int(w, value);
}


void
abdm_turn_bool(abdm_jw_t *w, const char *key, bool value)
{
    abdm_jw_key(w, key);
    abdm_jw_bool(w, value);
}


void
abdm_turn_types(abdm_jw_t *w, const char *key, int64_t hi_types)
{
    abdm_jw_key(w, key);
    abdm_jw_open(w, '[');
    for (int i = 0; i < ABDM_HI_TYPES; i++) {
        if (hi_types & (1 << i)) {
            abdm_jw_strz(w, abdm_hi_type_name((abdm_hi_type_t) i));
        }
    }
    abdm_jw_close(w, ']');
}


void
abdm_turn_reason(abdm_jw_t *w, const char *reason)
{
    char name[32];
    size_t n;
    abdm_code_t code;

    if (reason == NULL) {
        return;
    }
    abdm_jw_kv(w, "reason", reason);
    n = strcspn(reason, " ");
    if (n >= sizeof(name)) {
        return;
    }
    memcpy(name, reason, n);
    name[n] = '\0';
    code = abdm_error_by_name(name);
    if (code != ABDM_OK) {
        abdm_jw_kv(w, "meaning", abdm_error_info(code)->meaning);
        abdm_jw_kv(w, "remedy", abdm_error_info(code)->remedy);
    }
}
