/*
 * Requests of the hospital's software: each call that asks ABDM for something is written down
 * under an id, by which its outcome can be asked for, and by which the same call made again is
 * known. The deep link's SMS is such a call.
 */
#include <stdlib.h>
#include <string.h>

#include "core/id.h"
#include "flow/link.h"
#include "flow/linking.h"
#include "flow/turn.h"

enum {
    SMS_DAILY = 3 /* asked for, per mobile: more is a program that has gone wild */
};

#define KEEP (30 * ABDM_LINK_DAY)


/* The caller's id, or one that we make. */
static abdm_err_t
new_id(const char *given, char **id)
{
    char made[ABDM_UUID_TEXT];

    if (given == NULL) {
        ABDM_TRY(abdm_uuid4(made));
    }
    *id = strdup(given != NULL ? given : made);
    return *id != NULL ? ABDM_NO_ERR : ABDM_ERR(MEMORY, "request");
}


static bool
same(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}


static char *
refs_of(const abdm_row_context_t *told, size_t n)
{
    abdm_buf_t text = {0};
    abdm_jw_t w;

    abdm_jw_begin(&w, &text);
    abdm_jw_open(&w, '[');
    for (size_t i = 0; i < n; i++) {
        abdm_jw_strz(&w, told[i].ref);
    }
    abdm_jw_close(&w, ']');
    return abdm_buf_take(&text);
}


/* Was the request made before, word for word? */
static abdm_err_t
compare(abdm_turn_t *t, const abdm_row_request_t *row, bool *again)
{
    abdm_row_request_t old;
    abdm_err_t err = abdm_link_row(t->ctx, ABDM_ROW_request, t->ev->hip_id, row->id, &old);

    *again = !abdm_failed(err);
    if (err.code == ABDM_E_NOT_FOUND) {
        return ABDM_NO_ERR;
    }
    if (*again
        && (strcmp(old.what, row->what) != 0 || !same(old.patient_ref, row->patient_ref)
            || !same(old.contexts, row->contexts))) {
        err = ABDM_ERR(CONFLICT, "requestId: it was used for something else");
    }
    abdm_row_request_clear(&old);
    return err;
}


abdm_err_t
abdm_turn_request(abdm_turn_t *t, const char *what, const char *patient_ref,
                  const abdm_row_context_t *contexts, size_t n, const char *given,
                  abdm_request_state_t state, char **id, bool *again)
{
    abdm_row_request_t row = {
        .hip_id = (char *) t->ev->hip_id,
        .what = (char *) what,
        .patient_ref = (char *) patient_ref,
        .state = state,
        .created_at = t->ev->now,
        .keep_until = t->ev->now + KEEP,
    };
    abdm_err_t err;

    *id = NULL;
    *again = false;
    ABDM_TRY(new_id(given, id));
    row.id = *id;
    if (n > 0 && (row.contexts = refs_of(contexts, n)) == NULL) {
        return ABDM_ERR(MEMORY, "request");
    }
    err = compare(t, &row, again);
    if (!abdm_failed(err)) {
        abdm_effect_put_request(t->out, &row);
    }
    free(row.contexts);
    return err;
}


void
abdm_turn_accepted(abdm_turn_t *t, const char *id, size_t n)
{
    if (id != NULL) {
        abdm_jw_kv(&t->w, "requestId", id);
        abdm_turn_int(&t->w, "accepted", (int64_t) n);
    }
}


/* --- POST sms --- */

abdm_err_t
abdm_turn_sms(abdm_turn_t *t, const char *mobile, const abdm_row_context_t *context,
              const char *request_id, char **id)
{
    bool within = false, again;

    ABDM_TRY(abdm_turn_request(t, "sms", context != NULL ? context->patient_ref : NULL, context,
                               context != NULL, request_id, ABDM_REQUEST_OPEN, id, &again));
    if (again) {
        return ABDM_ERR(CONFLICT, "requestId: this message was asked for already");
    }
    ABDM_TRY(abdm_flow_budget(t->ctx, t->ev, "sms asked for", mobile, SMS_DAILY, ABDM_LINK_DAY,
                              &within, t->out));
    if (!within) {
        return ABDM_ERR(BUDGET, "three messages a day to one mobile are enough");
    }
    abdm_flow_sms_request(t->ctx, t->ev, *id, mobile, t->out);
    return ABDM_NO_ERR;
}


abdm_err_t
abdm_flow_api_sms(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, abdm_effects_t *out)
{
    abdm_row_context_t row = {0};
    abdm_row_patient_t patient = {0};
    const char *ref, *request_id;
    char *id = NULL;
    abdm_turn_t t;
    abdm_err_t err;

    abdm_turn_begin(&t, ctx, ev, out, ABDM_API_OWN, ABDM_BODY_OBJECT);
    ref = abdm_api_reference(&t.in, "careContextReference", true);
    request_id = abdm_api_id(&t.in, "requestId", false);
    err = abdm_turn_judged(&t);
    if (!abdm_failed(err)) {
        err = abdm_turn_context(&t, ref, &row);
    }
    if (!abdm_failed(err)) {
        err = abdm_turn_stored_patient(&t, row.patient_ref, &patient);
    }
    if (!abdm_failed(err) && patient.mobile == NULL) {
        err = ABDM_ERR(CONFLICT, "careContextReference: no mobile is known of its patient");
    }
    if (!abdm_failed(err)) {
        err = abdm_turn_sms(&t, patient.mobile, &row, request_id, &id);
        row.sms = ABDM_SMS_SENT; /* none goes out by itself any more */
        abdm_effect_put_context(out, &row);
    }
    abdm_turn_accepted(&t, id, 1);
    free(id);
    abdm_row_patient_clear(&patient);
    abdm_row_context_clear(&row);
    return abdm_turn_end(&t, 202, err);
}


/* --- GET requests/{id} --- */

/* Whether a care context still waits, or failed. One that is gone went with its patient's ABHA. */
static abdm_err_t
add_state(const abdm_turn_t *t, const char *ref, bool *open, bool *failed, bool *pending)
{
    abdm_row_context_t row = {0};
    abdm_err_t err = abdm_link_row(t->ctx, ABDM_ROW_context, t->ev->hip_id, ref, &row);

    if (err.code == ABDM_E_NOT_FOUND) {
        *failed = true;
        return ABDM_NO_ERR;
    }
    *open |= row.state == ABDM_LINK_NONE || row.state == ABDM_LINK_PENDING;
    *pending |= row.state == ABDM_LINK_PENDING;
    *failed |= row.state == ABDM_LINK_FAILED;
    abdm_row_context_clear(&row);
    return err;
}


abdm_err_t
abdm_turn_progress(const abdm_turn_t *t, const abdm_row_request_t *request,
                   abdm_request_state_t *state, bool *pending)
{
    bool open = false, failed = false;
    json_t *refs = NULL, *ref;
    abdm_err_t err = ABDM_NO_ERR;
    size_t i;

    *pending = false;
    *state = (abdm_request_state_t) request->state;
    if (request->contexts == NULL || request->patient_ref == NULL
        || strcmp(request->what, "link") != 0) {
        return ABDM_NO_ERR; /* the row itself knows */
    }
    ABDM_TRY(abdm_json_parse(request->contexts, strlen(request->contexts), ABDM_JSON_DEPTH,
                             &refs));
    json_array_foreach(refs, i, ref) {
        if (!abdm_failed(err) && json_is_string(ref)) {
            err = add_state(t, json_string_value(ref), &open, &failed, pending);
        }
    }
    json_decref(refs);
    *state = open ? ABDM_REQUEST_OPEN : failed ? ABDM_REQUEST_FAILED : ABDM_REQUEST_DONE;
    return err;
}


/* Its care contexts as they are now; those that are gone only by their reference. */
static abdm_err_t
write_contexts(abdm_turn_t *t, const char *contexts)
{
    json_t *refs = NULL, *ref;
    abdm_err_t err;
    size_t i;

    err = abdm_json_parse(contexts, strlen(contexts), ABDM_JSON_DEPTH, &refs);
    abdm_jw_key(&t->w, "careContexts");
    abdm_jw_open(&t->w, '[');
    json_array_foreach(refs, i, ref) {
        abdm_row_context_t row = {0};

        if (abdm_failed(err) || !json_is_string(ref)) {
            continue;
        }
        err = abdm_link_row(t->ctx, ABDM_ROW_context, t->ev->hip_id, json_string_value(ref), &row);
        abdm_jw_open(&t->w, '{');
        if (!abdm_failed(err)) {
            abdm_turn_write_context(&t->w, &row);
        } else if (err.code == ABDM_E_NOT_FOUND) {
            abdm_jw_kv(&t->w, "reference", json_string_value(ref));
            err = ABDM_NO_ERR;
        }
        abdm_jw_close(&t->w, '}');
        abdm_row_context_clear(&row);
    }
    abdm_jw_close(&t->w, ']');
    json_decref(refs);
    return err;
}


static abdm_err_t
write_request(abdm_turn_t *t, const abdm_row_request_t *row)
{
    static const char *const states[] = {"OPEN", "DONE", "FAILED"};
    abdm_request_state_t state;
    bool pending;

    ABDM_TRY(abdm_turn_progress(t, row, &state, &pending));
    abdm_jw_kv(&t->w, "requestId", row->id);
    abdm_jw_kv(&t->w, "what", row->what);
    abdm_jw_kv(&t->w, "state", states[state]);
    abdm_turn_reason(&t->w, state == ABDM_REQUEST_FAILED ? row->reason : NULL);
    abdm_turn_text(&t->w, "patientReference", row->patient_ref);
    abdm_turn_time(&t->w, "createdAt", row->created_at);
    return row->contexts != NULL ? write_contexts(t, row->contexts) : ABDM_NO_ERR;
}


abdm_err_t
abdm_flow_api_request_shown(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev,
                            abdm_effects_t *out)
{
    abdm_row_request_t row = {0};
    abdm_turn_t t;
    abdm_err_t err;

    abdm_turn_begin(&t, ctx, ev, out, ABDM_API_OWN, ABDM_BODY_NONE);
    err = abdm_link_row(ctx, ABDM_ROW_request, ev->hip_id, ev->subject, &row);
    if (!abdm_failed(err)) {
        err = write_request(&t, &row);
    } else if (err.code == ABDM_E_NOT_FOUND) {
        err = ABDM_ERR(NOT_FOUND, "no request of this facility has this id");
    }
    abdm_row_request_clear(&row);
    return abdm_turn_end(&t, 200, err);
}
