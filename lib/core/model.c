/* Freeing of the model's structures, and what their ids and states are called. */
#include <stdlib.h>
#include <string.h>

#include "core/model.h"


bool
abdm_facility_is(const char *id, abdm_str_t named)
{
    abdm_str_t own = abdm_str(id);

    if (abdm_str_eq(own, named)) {
        return true;
    }
    return named.len > 0 && own.len > named.len && abdm_str_starts(own, named)
           && own.p[named.len] == '_';
}


static const char *const hmis_ops[ABDM_HMIS_OPS] = {
    "find_patients", "care_contexts", "new_contexts", "save_profile", "send_otp", "verify_otp",
    "tell",
};


const char *
abdm_hmis_op_name(abdm_hmis_op_t op)
{
    return (unsigned) op < ABDM_HMIS_OPS ? hmis_ops[op] : "";
}


bool
abdm_hmis_op_parse(abdm_str_t name, abdm_hmis_op_t *out)
{
    for (size_t i = 0; i < ABDM_HMIS_OPS; i++) {
        if (abdm_str_eq(abdm_str(hmis_ops[i]), name)) {
            *out = (abdm_hmis_op_t) i;
            return true;
        }
    }
    return false;
}


enum { MINUTE = 60 * 1000, DAY = 24 * 60 * MINUTE };


int64_t
abdm_day_of(abdm_ms_t t, int zone_minutes)
{
    int64_t local = t + (int64_t) zone_minutes * MINUTE;

    return local / DAY - (local % DAY < 0);
}


int
abdm_minute_of(abdm_ms_t t, int zone_minutes)
{
    int64_t local = t + (int64_t) zone_minutes * MINUTE;

    return (int) ((local - abdm_day_of(t, zone_minutes) * DAY) / MINUTE);
}


void
abdm_consent_clear(abdm_consent_t *consent)
{
    free(consent->id);
    free(consent->hip_id);
    free(consent->hiu_id);
    free(consent->patient_id);
    free(consent->purpose);
    for (size_t i = 0; i < consent->n_contexts; i++) {
        free(consent->contexts[i].patient_ref);
        free(consent->contexts[i].care_context_ref);
    }
    free(consent->contexts);
    free(consent->artefact);
    free(consent->signature);
    memset(consent, 0, sizeof(*consent));
}


void
abdm_transfer_clear(abdm_transfer_t *transfer)
{
    free(transfer->id);
    free(transfer->hip_id);
    free(transfer->consent_id);
    free(transfer->hiu_id);
    free(transfer->request_id);
    free(transfer->push_url);
    free(transfer->curve);
    free(transfer->public_key);
    free(transfer->nonce);
    memset(transfer, 0, sizeof(*transfer));
}


void
abdm_transfer_context_clear(abdm_transfer_context_t *context)
{
    free(context->patient_ref);
    free(context->care_context_ref);
    memset(context, 0, sizeof(*context));
}


void
abdm_page_clear(abdm_page_t *page)
{
    json_decref(page->record);
    memset(page, 0, sizeof(*page));
}


const char *
abdm_transfer_state_name(abdm_transfer_state_t state)
{
    static const char *const names[] = {"REQUESTED", "LISTING", "PUSHING",   "NOTIFYING",
                                        "DONE",      "REFUSED", "CONFIRMING"};

    return names[state];
}


const char *
abdm_signed_name(abdm_signed_t known)
{
    static const char *const names[] = {NULL, "VERIFIED", "ABSENT", "DOES_NOT_VERIFY", "NO_KEY"};

    return (unsigned) known < sizeof(names) / sizeof(names[0]) ? names[known] : NULL;
}
