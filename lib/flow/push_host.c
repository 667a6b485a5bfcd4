/*
 * Hosts of requesters: remembered, held and released (see flow/push_host.h), and the two calls by
 * which an operator sees and settles them. A row without a host says that a requester is known,
 * so that its first host is no alert.
 */
#include <stdlib.h>
#include <string.h>

#include "flow/push_host.h"
#include "flow/turn.h"

enum { LIST_MAX = 1000 };

static const char allowed[] = "allowed";
static const char held_back[] = "held";
static const char denied[] = "denied";


static const char *
requester(const char *hiu_id)
{
    return hiu_id != NULL ? hiu_id : "";
}


/* The host of a URL that was read before, in lower case; owned, NULL: no memory. */
static char *
host_of(const char *push_url)
{
    abdm_url_t url;
    char *host;

    if (abdm_failed(abdm_url_parse(abdm_str(push_url), &url))) {
        return strdup("");
    }
    host = abdm_str_dup(url.host);
    for (char *p = host; p != NULL && *p != '\0'; p++) {
        if (*p >= 'A' && *p <= 'Z') {
            *p = (char) (*p - 'A' + 'a');
        }
    }
    return host;
}


/* *state: of the row, NULL when there is none; owned. */
static abdm_err_t
look_up(const abdm_view_t *view, const char *hip_id, const char *hiu_id, const char *host,
        char **state)
{
    abdm_row_push_host_t row = {
        .hip_id = strdup(hip_id),
        .hiu_id = strdup(requester(hiu_id)),
        .host = strdup(host),
    };
    abdm_err_t err = ABDM_ERR(MEMORY, "host of dataPushUrl");

    *state = NULL;
    if (row.hip_id != NULL && row.hiu_id != NULL && row.host != NULL) {
        err = abdm_row_push_host_get(view, &row);
    }
    if (!abdm_failed(err)) {
        *state = row.state;
        row.state = NULL;
    }
    abdm_row_push_host_clear(&row);
    return err.code == ABDM_E_NOT_FOUND ? ABDM_NO_ERR : err;
}


static void
put(const abdm_event_t *ev, const char *hiu_id, const char *host, const char *state,
    abdm_effects_t *out)
{
    const abdm_row_push_host_t row = {
        .hip_id = (char *) ev->hip_id,
        .hiu_id = (char *) requester(hiu_id),
        .host = (char *) host,
        .state = (char *) state,
        .changed_at = ev->now,
    };

    abdm_effect_put_push_host(out, &row);
}


/* A requester that is known has named a host that is not. */
static abdm_err_t
on_new_host(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, const char *hiu_id,
            const char *host, const char *transfer_id, abdm_effects_t *out)
{
    static const char *const what[] = {
        [ABDM_NEW_HOST_ALLOW] = "data goes to a new host of the requester",
        [ABDM_NEW_HOST_HOLD] = "data held: new host of the requester",
        [ABDM_NEW_HOST_DENY] = "data refused: new host of the requester",
    };
    abdm_new_host_t policy = ctx->policy->push_new_host;
    abdm_buf_t detail = {0};

    abdm_buf_addf(&detail, "requester=%s host=%s", requester(hiu_id), host);
    abdm_buf_add(&detail, "", 1);
    if (detail.failed) {
        abdm_buf_free(&detail);
        return ABDM_ERR(MEMORY, "host of dataPushUrl");
    }
    abdm_effect_alert(out, ev->hip_id, transfer_id, what[policy], ABDM_NO_ERR, detail.p);
    abdm_buf_free(&detail);
    if (policy == ABDM_NEW_HOST_DENY) {
        return ABDM_ERR(PUSH_HOST, "hiRequest.dataPushUrl: a host that is new for the requester");
    }
    put(ev, hiu_id, host, policy == ABDM_NEW_HOST_HOLD ? held_back : allowed, out);
    return ABDM_NO_ERR;
}


abdm_err_t
abdm_push_host_judge(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, const char *hiu_id,
                     const char *push_url, const char *transfer_id, abdm_effects_t *out)
{
    char *host = host_of(push_url), *state = NULL, *known = NULL;
    abdm_err_t err = ABDM_ERR(MEMORY, "host of dataPushUrl");

    if (host != NULL) {
        err = look_up(ctx->view, ev->hip_id, hiu_id, host, &state);
    }
    if (!abdm_failed(err) && state == NULL) {
        err = look_up(ctx->view, ev->hip_id, hiu_id, "", &known);
    }
    if (abdm_failed(err)) {
        /* nothing can be said of it yet */
    } else if (state != NULL) {
        err = strcmp(state, denied) == 0
                  ? ABDM_ERR(PUSH_HOST, "hiRequest.dataPushUrl: a host that was denied")
                  : ABDM_NO_ERR;
    } else if (known != NULL) {
        err = on_new_host(ctx, ev, hiu_id, host, transfer_id, out);
    } else {
        put(ev, hiu_id, "", allowed, out);
        put(ev, hiu_id, host, allowed, out);
    }
    free(host);
    free(state);
    free(known);
    return err;
}


abdm_err_t
abdm_push_host_page(const abdm_flow_ctx_t *ctx, const char *hip_id, const char *hiu_id,
                    const char *push_url, bool *held)
{
    char *host, *state = NULL;
    abdm_err_t err = ABDM_ERR(MEMORY, "host of dataPushUrl");

    *held = false;
    host = host_of(push_url);
    if (host != NULL) {
        err = look_up(ctx->view, hip_id, hiu_id, host, &state);
    }
    if (!abdm_failed(err) && state != NULL) {
        *held = ctx->policy->push_new_host != ABDM_NEW_HOST_ALLOW && strcmp(state, held_back) == 0;
        if (strcmp(state, denied) == 0) {
            err = ABDM_ERR(PUSH_HOST, "dataPushUrl: its host was denied");
        }
    }
    free(host);
    free(state);
    return err;
}


/* --- calls of operators --- */

static void
write_host(abdm_jw_t *w, const abdm_row_push_host_t *row)
{
    abdm_jw_kv(w, "requester", row->hiu_id);
    abdm_jw_kv(w, "host", row->host);
    abdm_jw_kv(w, "state", row->state);
    abdm_turn_time(w, "changedAt", row->changed_at);
}


abdm_err_t
abdm_flow_api_push_hosts(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, abdm_effects_t *out)
{
    static const char *const states[] = {held_back, denied, allowed};
    char *only = NULL;
    abdm_turn_t t;
    abdm_err_t err;

    abdm_turn_begin(&t, ctx, ev, out, ABDM_API_OWN, ABDM_BODY_NONE);
    err = abdm_api_query(ev->query, "state", &only);
    abdm_jw_key(&t.w, "pushHosts");
    abdm_jw_open(&t.w, '[');
    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]) && !abdm_failed(err); i++) {
        abdm_row_push_host_t *rows = NULL;
        size_t n = 0;

        if (only != NULL && strcmp(only, states[i]) != 0) {
            continue;
        }
        err = abdm_row_push_host_find(ctx->view, ABDM_COL_push_host_state, ev->hip_id, states[i],
                                      LIST_MAX, &rows, &n);
        for (size_t k = 0; k < n; k++) {
            if (rows[k].host[0] != '\0') {
                abdm_jw_open(&t.w, '{');
                write_host(&t.w, &rows[k]);
                abdm_jw_close(&t.w, '}');
            }
        }
        abdm_row_push_host_free(rows, n);
    }
    abdm_jw_close(&t.w, ']');
    free(only);
    return abdm_turn_end(&t, 200, err);
}


/* Settles a host before or after it was named: {host, state, requester?}. */
static abdm_err_t
settle(abdm_turn_t *t)
{
    const char *given = abdm_api_text(&t->in, "host", ABDM_URL_HOST, true);
    const char *state = abdm_api_text(&t->in, "state", sizeof(denied), true);
    const char *hiu_id = abdm_api_text(&t->in, "requester", ABDM_API_NAME, false);
    abdm_buf_t url = {0};
    abdm_row_push_host_t row = {0};
    abdm_url_t read;
    abdm_err_t err;

    ABDM_TRY(abdm_turn_judged(t));
    if (strcmp(state, allowed) != 0 && strcmp(state, denied) != 0) {
        abdm_api_blame(&t->in, "state", ABDM_ERR(FIELD, "state: \"allowed\" or \"denied\""));
    }
    abdm_buf_addf(&url, strchr(given, ':') != NULL ? "https://[%s]" : "https://%s", given);
    abdm_buf_add(&url, "", 1);
    if (url.failed) {
        abdm_buf_free(&url);
        return ABDM_ERR(MEMORY, "host");
    }
    err = abdm_url_parse(abdm_str(url.p), &read);
    if (abdm_failed(err) || read.target.len > 0 || read.host.len != strlen(given)) {
        abdm_api_blame(&t->in, "host", ABDM_ERR(FIELD, "host: a name or address and nothing else"));
    }
    err = abdm_turn_judged(t);
    row.host = abdm_failed(err) ? NULL : host_of(url.p);
    abdm_buf_free(&url);
    ABDM_TRY(err);
    if (row.host == NULL) {
        return ABDM_ERR(MEMORY, "host");
    }
    put(t->ev, hiu_id, "", allowed, t->out);
    put(t->ev, hiu_id, row.host, state, t->out);
    abdm_effect_audit(t->out, t->ev->hip_id, requester(hiu_id),
                      strcmp(state, allowed) == 0 ? "push host allowed by an operator"
                                                  : "push host denied by an operator",
                      ABDM_NO_ERR, row.host);
    row.hiu_id = (char *) requester(hiu_id);
    row.state = (char *) state;
    row.changed_at = t->ev->now;
    write_host(&t->w, &row);
    free(row.host);
    return ABDM_NO_ERR;
}


abdm_err_t
abdm_flow_api_push_host(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, abdm_effects_t *out)
{
    abdm_turn_t t;

    abdm_turn_begin(&t, ctx, ev, out, ABDM_API_OWN, ABDM_BODY_OBJECT);
    return abdm_turn_end(&t, 200, settle(&t));
}
