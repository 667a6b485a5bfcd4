/*
 * How the linking of care contexts ends (gateway protocol 7.4): LINKED is final, FAILED waits for
 * somebody to ask again. Whoever has asked for a link, and the HMIS, get to know.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "flow/link.h"

enum { REQUESTS = 1000 /* of one patient */ };


size_t
abdm_link_pick(abdm_row_context_t *rows, size_t n, abdm_link_state_t state)
{
    size_t picked = 0;

    for (size_t i = 0; i < n; i++) {
        if (rows[i].state == (int64_t) state) {
            abdm_row_context_t row = rows[i];

            memmove(&rows[picked + 1], &rows[picked], (i - picked) * sizeof(row));
            rows[picked++] = row;
        }
    }
    return picked;
}


/* The state that a care context has when this event is over; *reason is a failed one's. */
static abdm_err_t
state_of(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, const abdm_row_context_t *rows,
         size_t n, const char *ref, abdm_link_state_t *state, char reason[32])
{
    abdm_row_context_t stored = {0};
    const abdm_row_context_t *row = NULL;
    abdm_err_t err;

    for (size_t i = 0; i < n && row == NULL; i++) {
        row = strcmp(rows[i].ref, ref) == 0 ? &rows[i] : NULL;
    }
    if (row == NULL) {
        err = abdm_link_row(ctx, ABDM_ROW_context, ev->hip_id, ref, &stored);
        if (err.code == ABDM_E_NOT_FOUND) {
            *state = ABDM_LINK_FAILED;
            snprintf(reason, 32, "E_NOT_FOUND");
            return ABDM_NO_ERR;
        }
        ABDM_TRY(err);
        row = &stored;
    }
    *state = (abdm_link_state_t) row->state;
    if (*state == ABDM_LINK_FAILED) {
        strncpy(reason, row->reason != NULL ? row->reason : "", 31);
        reason[31] = '\0';
    }
    abdm_row_context_clear(&stored);
    return ABDM_NO_ERR;
}


/* A request is over when all its care contexts are. */
static abdm_err_t
settle(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, const abdm_row_context_t *rows,
       size_t n, abdm_row_request_t *request, const char *text, abdm_effects_t *out)
{
    json_t *refs = NULL, *ref;
    char reason[32] = "";
    bool failed = false, open = false;
    abdm_err_t err;
    size_t i;

    err = abdm_json_parse(request->contexts, strlen(request->contexts), ABDM_JSON_DEPTH, &refs);
    json_array_foreach(refs, i, ref)
    {
        abdm_link_state_t state = ABDM_LINK_NONE;
        const char *name = json_string_value(ref);

        if (name == NULL || abdm_failed(err)) {
            continue;
        }
        err = state_of(ctx, ev, rows, n, name, &state, reason);
        failed |= state == ABDM_LINK_FAILED;
        open |= state == ABDM_LINK_NONE || state == ABDM_LINK_PENDING;
    }
    json_decref(refs);
    if (abdm_failed(err) || open) {
        return err;
    }
    request->state = failed ? ABDM_REQUEST_FAILED : ABDM_REQUEST_DONE;
    if (failed) {
        abdm_buf_t whole = {0};
        char *words;

        abdm_buf_addz(&whole, reason);
        if (text != NULL && text[0] != '\0') {
            abdm_buf_addf(&whole, " %s", text);
        }
        words = abdm_buf_take(&whole);
        abdm_link_set(out, &request->reason, words);
        out->failed |= words == NULL;
        free(words);
    }
    abdm_effect_put_request(out, request);
    return ABDM_NO_ERR;
}


static abdm_err_t
settle_all(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, const abdm_row_context_t *rows,
           size_t n, const char *text, abdm_effects_t *out)
{
    abdm_row_request_t *requests = NULL;
    abdm_err_t err;
    size_t found = 0;

    err = abdm_row_request_find(ctx->view, ABDM_COL_request_patient_ref, ev->hip_id,
                                rows[0].patient_ref, REQUESTS, &requests, &found);
    for (size_t i = 0; i < found && !abdm_failed(err); i++) {
        abdm_row_request_t *request = &requests[i];

        if (request->state == ABDM_REQUEST_OPEN && strcmp(request->what, "link") == 0
            && request->contexts != NULL) {
            err = settle(ctx, ev, rows, n, request, text, out);
        }
    }
    abdm_row_request_free(requests, found);
    return err;
}


static void
tell(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, const abdm_row_context_t *rows, size_t n,
     bool linked, const char *reason, abdm_effects_t *out)
{
    json_t *ids = json_object(), *refs = json_array();
    bool ok = ids != NULL && refs != NULL;

    for (size_t i = 0; ok && i < n; i++) {
        ok = json_array_append_new(refs, json_string(rows[i].ref)) == 0;
    }
    ok = ok && json_object_set_new(ids, "patientRef", json_string(rows[0].patient_ref)) == 0
         && json_object_set(ids, "careContexts", refs) == 0
         && (linked || json_object_set_new(ids, "reason", json_string(reason)) == 0);
    json_decref(refs);
    if (!ok) {
        json_decref(ids);
        ids = NULL;
    }
    abdm_flow_tell(ctx, ev, rows[0].patient_ref, linked ? "linked" : "link_failed", ids, out);
}


abdm_err_t
abdm_link_over(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, abdm_row_context_t *rows,
               size_t n, abdm_link_state_t state, const char *reason, const char *text,
               abdm_effects_t *out)
{
    bool linked = state == ABDM_LINK_LINKED;

    if (n == 0) {
        return ABDM_NO_ERR;
    }
    for (size_t i = 0; i < n; i++) {
        abdm_row_context_t *row = &rows[i];

        row->state = state;
        abdm_link_set(out, &row->reason, linked ? NULL : reason);
        if (linked) {
            row->linked_at = ev->now;
            if ((row->hi_types & ~row->notified_types) != 0) {
                abdm_flow_context_notify(out, ev, row); /* it got them after the request left */
            }
        }
        abdm_effect_put_context(out, row);
        abdm_effect_audit(out, ev->hip_id, row->ref,
                          linked ? "care context linked" : "care context not linked",
                          linked ? ABDM_NO_ERR : ABDM_ERR(LINK_REFUSED, "see the detail"),
                          linked ? row->batch : reason);
    }
    tell(ctx, ev, rows, n, linked, reason, out);
    return settle_all(ctx, ev, rows, n, text, out);
}
