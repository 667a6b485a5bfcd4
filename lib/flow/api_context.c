/*
 * Care contexts as the hospital's software tells of them: kept once, linked by themselves when the
 * patient's ABHA is known, else told to the patient by the deep link.
 */
#include <stdlib.h>
#include <string.h>

#include "flow/link.h"
#include "flow/linking.h"
#include "flow/turn.h"


abdm_err_t
abdm_turn_contexts_of(const abdm_turn_t *t, const char *patient_ref, abdm_row_context_t **rows,
                      size_t *n)
{
    return abdm_row_context_find(t->ctx->view, ABDM_COL_context_patient_ref, t->ev->hip_id,
                                 patient_ref, ABDM_LINK_CONTEXTS, rows, n);
}


/* --- keeping them --- */

/* Two patients of one call with one care context. */
static abdm_err_t
check_seen(abdm_turn_t *t, const char *ref, const char *patient_ref)
{
    const char *other;

    if (t->seen == NULL) {
        t->seen = json_object();
    }
    other = json_string_value(json_object_get(t->seen, ref));
    if (other != NULL && strcmp(other, patient_ref) != 0) {
        return ABDM_ERR(CONFLICT, "a care context of another patient has this reference");
    }
    return json_object_set_new(t->seen, ref, json_string(patient_ref)) == 0
               ? ABDM_NO_ERR
               : ABDM_ERR(MEMORY, "care context");
}


/* What is told of a care context that is there: its types only grow, as ABDM cannot be told that
 * one is no more. What the gateway once refused is tried again. */
static void
merge(abdm_turn_t *t, abdm_row_context_t *row, const abdm_row_context_t *told)
{
    bool changed = told->version != NULL
                   && (row->version == NULL || strcmp(row->version, told->version) != 0);

    row->hi_types |= told->hi_types;
    t->out->failed |= !abdm_row_text(&row->display, told->display);
    if (told->version != NULL) {
        t->out->failed |= !abdm_row_text(&row->version, told->version);
    }
    if (told->date != 0) {
        row->date = told->date;
    }
    if (row->state == ABDM_LINK_FAILED) {
        row->state = ABDM_LINK_NONE;
        (void) abdm_row_text(&row->reason, NULL);
    }
    if (row->state == ABDM_LINK_LINKED
        && (changed || (row->hi_types & ~row->notified_types) != 0)) {
        abdm_flow_context_notify(t->out, t->ev, row);
    }
}


/* *tell: the patient is to be told of a new one, by one SMS for all that come with the call. */
static abdm_err_t
keep_one(abdm_turn_t *t, const abdm_row_patient_t *patient, const abdm_row_context_t *told,
         bool *tell, bool *open)
{
    abdm_row_context_t row = {0}, fresh = *told;
    abdm_err_t err;

    ABDM_TRY(check_seen(t, told->ref, patient->ref));
    err = abdm_link_row(t->ctx, ABDM_ROW_context, t->ev->hip_id, told->ref, &row);
    if (err.code == ABDM_E_NOT_FOUND) {
        fresh.hip_id = (char *) t->ev->hip_id;
        fresh.patient_ref = patient->ref;
        fresh.state = ABDM_LINK_NONE;
        fresh.created_at = t->ev->now;
        if (*tell) {
            abdm_flow_deep_link(t->out, t->ev, &fresh);
            *tell = false;
        }
        abdm_effect_put_context(t->out, &fresh);
        *open = true;
        return ABDM_NO_ERR;
    }
    if (!abdm_failed(err) && strcmp(row.patient_ref, patient->ref) != 0) {
        err = ABDM_ERR(CONFLICT, "a care context of another patient has this reference");
    }
    if (!abdm_failed(err)) {
        merge(t, &row, told);
        abdm_effect_put_context(t->out, &row);
        *open = row.state != ABDM_LINK_LINKED;
    }
    abdm_row_context_clear(&row);
    return err;
}


static abdm_err_t
keep(abdm_turn_t *t, const abdm_row_patient_t *patient, const abdm_row_context_t *told, size_t n,
     bool tell, size_t *open)
{
    *open = 0;
    for (size_t i = 0; i < n; i++) {
        bool is_open = false;
        abdm_err_t err = keep_one(t, patient, &told[i], &tell, &is_open);

        if (err.code == ABDM_E_CONFLICT) {
            abdm_api_in_t item = abdm_api_in(NULL, &t->fault);

            (void) snprintf(item.path, sizeof(item.path), "careContexts.%zu", i);
            abdm_api_blame(&item, t->flavour == ABDM_API_NHA ? "referenceNumber" : "reference",
                           err);
        }
        ABDM_TRY(err);
        *open += is_open;
    }
    return ABDM_NO_ERR;
}


abdm_err_t
abdm_turn_keep(abdm_turn_t *t, const abdm_row_patient_t *patient, const abdm_row_context_t *told,
               size_t n)
{
    size_t open;

    return keep(t, patient, told, n, false, &open);
}


abdm_err_t
abdm_turn_contexts(abdm_turn_t *t, const abdm_row_patient_t *patient,
                   const abdm_row_context_t *told, size_t n, const char *request_id, char **id)
{
    bool has_abha = patient->abha_address != NULL;
    bool tell = !has_abha && patient->mobile != NULL && t->ctx->facility->deep_link;
    bool again;
    size_t open;

    ABDM_TRY(keep(t, patient, told, n, tell, &open));
    ABDM_TRY(abdm_turn_request(t, "link", patient->ref, told, n, request_id,
                               open == 0 ? ABDM_REQUEST_DONE : ABDM_REQUEST_OPEN, id, &again));
    if (has_abha && open > 0) {
        abdm_flow_link_due(t->out, t->ev, patient->ref, t->ev->now);
    }
    return ABDM_NO_ERR;
}


/* --- POST care-contexts --- */

static abdm_err_t
told_patient(abdm_turn_t *t, const char *ref, abdm_row_patient_t *row)
{
    abdm_api_in_t in = abdm_api_object(&t->in, "patient");
    abdm_row_patient_t told;
    abdm_err_t err;

    abdm_api_patient(&in, t->flavour, t->ev->now, &told);
    if (!abdm_failed(abdm_turn_judged(t)) && ref != NULL && strcmp(ref, told.ref) != 0) {
        abdm_api_blame(&in, "reference", ABDM_ERR(FIELD, "it is not patientReference"));
    }
    err = abdm_turn_judged(t);
    if (!abdm_failed(err)) {
        err = abdm_turn_patient(t, &told, row);
    }
    abdm_row_patient_clear(&told);
    return err;
}


static abdm_err_t
patient_of(abdm_turn_t *t, abdm_row_patient_t *row)
{
    const char *ref = abdm_api_reference(&t->in, "patientReference", false);

    ABDM_TRY(abdm_turn_judged(t));
    if (abdm_json_at(t->body, "patient") != NULL) {
        return told_patient(t, ref, row);
    }
    if (ref == NULL) {
        abdm_err_t err = ABDM_ERR(FIELD, "it is missing, and so is patient");

        abdm_api_blame(&t->in, "patientReference", err);
        return err;
    }
    return abdm_turn_stored_patient(t, ref, row);
}


abdm_err_t
abdm_flow_api_contexts(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, abdm_effects_t *out)
{
    abdm_row_context_t *told = NULL;
    abdm_row_patient_t patient = {0};
    const char *request_id;
    char *id = NULL;
    size_t n = 0;
    abdm_turn_t t;
    abdm_err_t err;

    abdm_turn_begin(&t, ctx, ev, out, ABDM_API_OWN, ABDM_BODY_OBJECT);
    request_id = abdm_api_id(&t.in, "requestId", false);
    abdm_api_contexts(&t.in, "careContexts", t.flavour, &told, &n);
    err = abdm_turn_judged(&t);
    if (!abdm_failed(err)) {
        err = patient_of(&t, &patient);
    }
    if (!abdm_failed(err)) {
        err = abdm_turn_contexts(&t, &patient, told, n, request_id, &id);
    }
    abdm_turn_accepted(&t, id, n);
    free(id);
    abdm_row_context_free(told, n);
    abdm_row_patient_clear(&patient);
    return abdm_turn_end(&t, 202, err);
}


/* --- what is known of them --- */

void
abdm_turn_write_context(abdm_jw_t *w, const abdm_row_context_t *row)
{
    static const char *const states[] = {"NONE", "PENDING", "LINKED", "FAILED"};
    static const char *const sms[] = {"NONE", "DUE", "SENT", "FAILED"};

    abdm_jw_kv(w, "reference", row->ref);
    abdm_jw_kv(w, "patientReference", row->patient_ref);
    abdm_turn_text(w, "display", row->display);
    abdm_turn_types(w, "hiTypes", row->hi_types);
    abdm_turn_time(w, "date", row->date);
    abdm_turn_text(w, "version", row->version);
    abdm_jw_kv(w, "state", states[row->state & 3]);
    abdm_turn_reason(w, row->reason);
    abdm_turn_types(w, "notifiedHiTypes", row->notified_types);
    abdm_jw_kv(w, "sms", sms[row->sms & 3]);
    abdm_turn_time(w, "createdAt", row->created_at);
    abdm_turn_time(w, "linkedAt", row->linked_at);
}


abdm_err_t
abdm_turn_context(abdm_turn_t *t, const char *ref, abdm_row_context_t *row)
{
    abdm_err_t err = abdm_link_row(t->ctx, ABDM_ROW_context, t->ev->hip_id, ref, row);

    return err.code == ABDM_E_NOT_FOUND
               ? ABDM_ERR(NOT_FOUND, "no care context of this facility has this reference")
               : err;
}


abdm_err_t
abdm_flow_api_context_shown(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev,
                            abdm_effects_t *out)
{
    abdm_row_context_t row = {0};
    abdm_turn_t t;
    abdm_err_t err;

    abdm_turn_begin(&t, ctx, ev, out, ABDM_API_OWN, ABDM_BODY_NONE);
    err = abdm_turn_context(&t, ev->subject, &row);
    if (!abdm_failed(err)) {
        abdm_turn_write_context(&t.w, &row);
    }
    abdm_row_context_clear(&row);
    return abdm_turn_end(&t, 200, err);
}


abdm_err_t
abdm_flow_api_contexts_shown(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev,
                             abdm_effects_t *out)
{
    abdm_row_context_t *rows = NULL;
    char *patient_ref = NULL;
    size_t n = 0;
    abdm_turn_t t;
    abdm_err_t err;

    abdm_turn_begin(&t, ctx, ev, out, ABDM_API_OWN, ABDM_BODY_NONE);
    err = abdm_api_query(ev->query, "patient", &patient_ref);
    if (!abdm_failed(err)) {
        err = patient_ref != NULL ? abdm_turn_contexts_of(&t, patient_ref, &rows, &n)
                                  : ABDM_ERR(FIELD, "patient: it is missing in the query");
    }
    abdm_jw_key(&t.w, "careContexts");
    abdm_jw_open(&t.w, '[');
    for (size_t i = 0; i < n; i++) {
        abdm_jw_open(&t.w, '{');
        abdm_turn_write_context(&t.w, &rows[i]);
        abdm_jw_close(&t.w, '}');
    }
    abdm_jw_close(&t.w, ']');
    abdm_row_context_free(rows, n);
    free(patient_ref);
    return abdm_turn_end(&t, 200, err);
}


/* --- POST care-contexts/{id}/link --- */

/* The patient, who must have an ABHA that is still with ABDM. */
static abdm_err_t
may_link(abdm_turn_t *t, const char *patient_ref)
{
    abdm_row_patient_t patient = {0};
    bool left = false;
    abdm_err_t err = abdm_turn_stored_patient(t, patient_ref, &patient);

    if (!abdm_failed(err)) {
        err = patient.abha_address == NULL
                  ? ABDM_ERR(ABHA_NONE, "the patient's ABHA is not known here")
                  : abdm_opted_out(t->ctx, t->ev->hip_id, patient.abha_address, &left);
    }
    if (!abdm_failed(err) && left) {
        err = ABDM_ERR(OPTED_OUT, "the patient has left ABDM");
    }
    abdm_row_patient_clear(&patient);
    return err;
}


abdm_err_t
abdm_flow_api_context_link(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev,
                           abdm_effects_t *out)
{
    abdm_row_context_t row = {0};
    abdm_turn_t t;
    abdm_err_t err;

    abdm_turn_begin(&t, ctx, ev, out, ABDM_API_OWN, ABDM_BODY_NONE);
    err = abdm_turn_context(&t, ev->subject, &row);
    if (!abdm_failed(err) && (row.state == ABDM_LINK_NONE || row.state == ABDM_LINK_FAILED)) {
        err = may_link(&t, row.patient_ref);
        row.state = ABDM_LINK_NONE;
        (void) abdm_row_text(&row.reason, NULL);
        abdm_effect_put_context(out, &row);
        abdm_flow_link_due(out, ev, row.patient_ref, ev->now);
    }
    if (!abdm_failed(err)) {
        abdm_turn_write_context(&t.w, &row);
    }
    abdm_row_context_clear(&row);
    return abdm_turn_end(&t, 202, err);
}


/* --- POST notifications --- */

abdm_err_t
abdm_flow_api_notification(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev,
                           abdm_effects_t *out)
{
    abdm_row_context_t row = {0};
    abdm_hi_types_t types;
    const char *ref;
    abdm_turn_t t;
    abdm_err_t err;

    abdm_turn_begin(&t, ctx, ev, out, ABDM_API_OWN, ABDM_BODY_OBJECT);
    ref = abdm_api_reference(&t.in, "careContextReference", true);
    types = abdm_api_hi_types(&t.in, "hiTypes");
    err = abdm_turn_judged(&t);
    if (!abdm_failed(err)) {
        err = abdm_turn_context(&t, ref, &row);
    }
    if (!abdm_failed(err)) {
        row.hi_types |= types; /* of one that is not linked yet the link itself will tell */
        if (row.state == ABDM_LINK_LINKED) {
            abdm_flow_context_notify(out, ev, &row);
        }
        abdm_effect_put_context(out, &row);
        abdm_turn_write_context(&t.w, &row);
    }
    abdm_row_context_clear(&row);
    return abdm_turn_end(&t, 202, err);
}
