/*
 * Patients as the hospital's software tells of them: who holds which ABHA. With the ABHA, linking
 * begins by itself.
 */
#include <stdlib.h>
#include <string.h>

#include "flow/link.h"
#include "flow/linking.h"
#include "flow/patient.h"
#include "flow/turn.h"


/* Links cannot be taken back, so what is linked keeps its patient's ABHA. */
static abdm_err_t
may_change(const abdm_turn_t *t, const char *patient_ref)
{
    abdm_row_context_t *contexts = NULL;
    size_t n = 0;
    abdm_err_t err = abdm_turn_contexts_of(t, patient_ref, &contexts, &n);

    for (size_t i = 0; i < n && !abdm_failed(err); i++) {
        if (contexts[i].state == ABDM_LINK_LINKED || contexts[i].state == ABDM_LINK_PENDING) {
            err = ABDM_ERR(CONFLICT, "abhaAddress: care contexts are linked to another one");
        }
    }
    abdm_row_context_free(contexts, n);
    return err;
}


abdm_err_t
abdm_turn_patient(abdm_turn_t *t, const abdm_row_patient_t *told, abdm_row_patient_t *row)
{
    const char *hip_id = t->ev->hip_id;
    abdm_row_patient_t key = {.hip_id = (char *) hip_id, .ref = told->ref};
    bool changes;
    abdm_err_t err;

    ABDM_TRY(abdm_patient_may_hold(t->ctx, hip_id, told->ref, told->abha_address,
                                   told->abha_number));
    err = abdm_link_row(t->ctx, ABDM_ROW_patient, hip_id, told->ref, row);
    if (err.code == ABDM_E_NOT_FOUND) {
        err = abdm_row_copy(ABDM_ROW_patient, row, &key);
    }
    ABDM_TRY(err);
    changes = told->abha_address != NULL
              && (row->abha_address == NULL || strcmp(row->abha_address, told->abha_address) != 0);
    if (changes && row->abha_address != NULL) {
        err = may_change(t, row->ref);
        (void) abdm_row_text(&row->abha_number, NULL); /* it was the other one's */
    }
    if (!abdm_failed(err)) {
        err = abdm_patient_merge(row, told, t->ev->now);
    }
    if (!abdm_failed(err) && changes) {
        abdm_effect_audit(t->out, hip_id, row->ref, "ABHA told by the hospital", ABDM_NO_ERR,
                          NULL);
    }
    if (!abdm_failed(err)) {
        abdm_effect_put_patient(t->out, row);
    } else {
        abdm_row_patient_clear(row);
    }
    return err;
}


abdm_err_t
abdm_turn_stored_patient(abdm_turn_t *t, const char *ref, abdm_row_patient_t *row)
{
    abdm_err_t err = abdm_link_row(t->ctx, ABDM_ROW_patient, t->ev->hip_id, ref, row);

    return err.code == ABDM_E_NOT_FOUND
               ? ABDM_ERR(NOT_FOUND, "patientReference: not known here, give patient")
               : err;
}


static void
write_patient(abdm_turn_t *t, const abdm_row_patient_t *row)
{
    abdm_jw_t *w = &t->w;

    abdm_jw_kv(w, "reference", row->ref);
    abdm_turn_text(w, "name", row->name);
    abdm_turn_text(w, "gender", row->gender);
    if (row->year_of_birth != 0) {
        abdm_turn_int(w, "yearOfBirth", row->year_of_birth);
    }
    abdm_turn_text(w, "mobile", row->mobile);
    abdm_turn_text(w, "abhaAddress", row->abha_address);
    abdm_turn_text(w, "abhaNumber", row->abha_number);
    abdm_turn_time(w, "changedAt", row->changed_at);
}


abdm_err_t
abdm_flow_api_patient(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, abdm_effects_t *out)
{
    abdm_row_patient_t told, row = {0};
    abdm_turn_t t;
    abdm_err_t err;

    abdm_turn_begin(&t, ctx, ev, out, ABDM_API_OWN, ABDM_BODY_OBJECT);
    abdm_api_patient(&t.in, t.flavour, ev->now, &told);
    err = abdm_turn_judged(&t);
    if (!abdm_failed(err)) {
        err = abdm_turn_patient(&t, &told, &row);
    }
    if (!abdm_failed(err)) {
        if (row.abha_address != NULL) {
            abdm_flow_link_due(out, ev, row.ref, ev->now);
        }
        write_patient(&t, &row);
    }
    abdm_row_patient_clear(&row);
    abdm_row_patient_clear(&told);
    return abdm_turn_end(&t, 200, err);
}


abdm_err_t
abdm_flow_api_patient_shown(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev,
                            abdm_effects_t *out)
{
    abdm_row_patient_t row = {0};
    abdm_turn_t t;
    abdm_err_t err;

    abdm_turn_begin(&t, ctx, ev, out, ABDM_API_OWN, ABDM_BODY_NONE);
    err = abdm_link_row(ctx, ABDM_ROW_patient, ev->hip_id, ev->subject, &row);
    if (!abdm_failed(err)) {
        write_patient(&t, &row);
    } else if (err.code == ABDM_E_NOT_FOUND) {
        err = ABDM_ERR(NOT_FOUND, "no patient of this facility has this reference");
    }
    abdm_row_patient_clear(&row);
    return abdm_turn_end(&t, 200, err);
}


/* The patient who holds the address in `text`; an address of no form is nobody's. */
static abdm_err_t
holder(const abdm_turn_t *t, const char *text, abdm_row_patient_t *row)
{
    char *address = NULL;
    abdm_err_t err = ABDM_ERR(NOT_FOUND, "patient");

    if (abdm_abha_address_normal(abdm_str(text), &address)) {
        err = address == NULL ? ABDM_ERR(MEMORY, "query")
                              : abdm_patient_holder(t->ctx, t->ev->hip_id, address, NULL, row);
    }
    if (err.code == ABDM_E_NOT_FOUND) {
        err = ABDM_ERR(NOT_FOUND, "no patient of this facility has this ABHA address");
    }
    free(address);
    return err;
}


abdm_err_t
abdm_flow_api_patient_by_abha(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev,
                              abdm_effects_t *out)
{
    abdm_row_patient_t row = {0};
    char *address = NULL;
    abdm_turn_t t;
    abdm_err_t err;

    abdm_turn_begin(&t, ctx, ev, out, ABDM_API_OWN, ABDM_BODY_NONE);
    err = abdm_api_query(ev->query, "abhaAddress", &address);
    if (!abdm_failed(err)) {
        err = address != NULL ? holder(&t, address, &row)
                              : ABDM_ERR(FIELD, "abhaAddress: it is missing in the query");
    }
    if (!abdm_failed(err)) {
        write_patient(&t, &row);
    }
    free(address);
    abdm_row_patient_clear(&row);
    return abdm_turn_end(&t, 200, err);
}


/* --- the form of NHA's wrapper --- */

static void
write_wrapped(abdm_turn_t *t, const abdm_row_patient_t *row, const abdm_row_context_t *contexts,
              size_t n)
{
    abdm_jw_t *w = &t->w;
    char year[24];

    (void) snprintf(year, sizeof(year), "%lld", (long long) row->year_of_birth);
    abdm_turn_text(w, "abhaAddress", row->abha_address);
    abdm_turn_text(w, "name", row->name);
    abdm_turn_text(w, "gender", row->gender);
    abdm_turn_text(w, "dateOfBirth", row->year_of_birth != 0 ? year : NULL);
    abdm_jw_kv(w, "patientReference", row->ref);
    abdm_turn_text(w, "patientDisplay", row->name);
    abdm_turn_text(w, "patientMobile", row->mobile);
    abdm_jw_key(w, "careContexts");
    abdm_jw_open(w, '[');
    for (size_t i = 0; i < n; i++) {
        for (int type = 0; type < ABDM_HI_TYPES; type++) {
            if ((contexts[i].hi_types & (1 << type)) == 0) {
                continue;
            }
            abdm_jw_open(w, '{');
            abdm_jw_kv(w, "referenceNumber", contexts[i].ref);
            abdm_turn_text(w, "display", contexts[i].display);
            abdm_jw_kv(w, "hiType", abdm_hi_type_name((abdm_hi_type_t) type));
            abdm_jw_close(w, '}');
        }
    }
    abdm_jw_close(w, ']');
    abdm_jw_kv(w, "hipId", row->hip_id);
}


abdm_err_t
abdm_flow_nha_patient_shown(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev,
                            abdm_effects_t *out)
{
    abdm_row_context_t *contexts = NULL;
    abdm_row_patient_t row = {0};
    size_t n = 0;
    abdm_turn_t t;
    abdm_err_t err;

    abdm_turn_begin(&t, ctx, ev, out, ABDM_API_NHA, ABDM_BODY_NONE);
    err = holder(&t, ev->subject, &row);
    if (!abdm_failed(err)) {
        err = abdm_turn_contexts_of(&t, row.ref, &contexts, &n);
    }
    if (!abdm_failed(err)) {
        write_wrapped(&t, &row, contexts, n);
    }
    abdm_row_context_free(contexts, n);
    abdm_row_patient_clear(&row);
    return abdm_turn_end(&t, 200, err);
}


/* Patients of one call do not see each other in the store. */
static void
check_once(abdm_api_in_t *in, const abdm_row_patient_t *told, size_t i)
{
    for (size_t j = 0; j < i; j++) {
        if (strcmp(told[j].ref, told[i].ref) == 0) {
            abdm_api_blame(in, "patientReference", ABDM_ERR(FIELD, "it is there twice"));
        } else if (strcmp(told[j].abha_address, told[i].abha_address) == 0) {
            abdm_api_blame(in, "abhaAddress", ABDM_ERR(FIELD, "it is there twice"));
        } else if (told[j].abha_number != NULL && told[i].abha_number != NULL
                   && strcmp(told[j].abha_number, told[i].abha_number) == 0) {
            abdm_api_blame(in, "abhaNumber", ABDM_ERR(FIELD, "it is there twice"));
        }
    }
}


/* One of the list; its care contexts are kept to be discovered, and linked when that is asked. */
static abdm_err_t
add_patient(abdm_turn_t *t, abdm_row_patient_t *told, size_t i)
{
    abdm_api_in_t in = abdm_api_item(&t->in, "", i);
    abdm_row_context_t *contexts = NULL;
    abdm_row_patient_t row = {0};
    size_t n = 0;
    abdm_err_t err;

    abdm_api_patient(&in, t->flavour, t->ev->now, &told[i]);
    if (json_array_size(json_object_get(in.json, "careContexts")) > 0) {
        abdm_api_contexts(&in, "careContexts", t->flavour, &contexts, &n);
    }
    if (!abdm_failed(abdm_turn_judged(t))) {
        check_once(&in, told, i);
    }
    err = abdm_turn_judged(t);
    if (!abdm_failed(err)) {
        err = abdm_turn_patient(t, &told[i], &row);
    }
    if (!abdm_failed(err) && n > 0) {
        err = abdm_turn_keep(t, &row, contexts, n);
    }
    if (abdm_turn_refuses(err)) {
        abdm_api_blame(&in, "", err);
    }
    abdm_row_patient_clear(&row);
    abdm_row_context_free(contexts, n);
    return err;
}


abdm_err_t
abdm_flow_nha_patients(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, abdm_effects_t *out)
{
    abdm_row_patient_t told[ABDM_API_PATIENTS];
    const json_t *list;
    char message[48];
    size_t n = 0;
    abdm_turn_t t;
    abdm_err_t err;

    abdm_turn_begin(&t, ctx, ev, out, ABDM_API_NHA, ABDM_BODY_LIST);
    list = abdm_api_list(&t.in, "", ABDM_API_PATIENTS);
    err = abdm_turn_judged(&t);
    while (n < json_array_size(list) && !abdm_failed(err)) {
        err = add_patient(&t, told, n++);
    }
    (void) snprintf(message, sizeof(message), "patients kept: %zu", n);
    abdm_jw_kv(&t.w, "message", message);
    for (size_t i = 0; i < n; i++) {
        abdm_row_patient_clear(&told[i]);
    }
    return abdm_turn_end(&t, 202, err);
}
