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
    memset(consent, 0, sizeof(*consent));
}


void
abdm_transfer_clear(abdm_transfer_t *transfer)
{
    free(transfer->id);
    free(transfer->hip_id);
    free(transfer->consent_id);
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
    static const char *const names[] = {"REQUESTED", "LISTING", "PUSHING",
                                        "NOTIFYING", "DONE",    "REFUSED"};

    return names[state];
}
