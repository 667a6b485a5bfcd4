/* Bodies of the callbacks about consents: the notice, the answer to a fetch, the request for
 * records. */
#include "fuzz.h"

#include "core/json.h"
#include "core/url_guard.h"
#include "crypto/fidelius.h"
#include "gateway/inbound.h"


static void
read_notice(const json_t *body)
{
    abdm_consent_notice_t notice;
    const abdm_consent_t *c = &notice.consent;

    if (!abdm_failed(abdm_in_consent_notice(body, &notice))) {
        NEED(c->id != NULL && *c->id != '\0');
        NEED(notice.detailed || c->status != ABDM_CONSENT_GRANTED);
        NEED(notice.detailed ? c->hip_id != NULL && c->patient_id != NULL && c->hi_types != 0
                             : c->hip_id == NULL && c->contexts == NULL && c->n_contexts == 0);
        for (size_t i = 0; i < c->n_contexts; i++)
            NEED(c->contexts[i].patient_ref != NULL && c->contexts[i].care_context_ref != NULL);
    }
    abdm_consent_notice_clear(&notice);
}


static void
read_fetched(const json_t *body)
{
    abdm_in_fetched_t in;
    const abdm_consent_t *c = &in.consent;

    if (!abdm_failed(abdm_in_consent_fetched(body, &in))) {
        NEED(!in.outcome.failed || c->id == NULL);
        if (!in.outcome.failed && c->status == ABDM_CONSENT_GRANTED)
            NEED(c->id != NULL && c->hip_id != NULL && c->patient_id != NULL && c->hi_types != 0);
    }
    abdm_in_fetched_clear(&in);
}


static void
read_request(const json_t *body)
{
    abdm_hi_request_t request;
    abdm_public_key_t key;
    abdm_url_t url;

    if (!abdm_failed(abdm_in_hi_request(body, &request))) {
        NEED(request.transaction_id != NULL && request.consent_id != NULL);
        NEED(strlen(request.push_url) <= ABDM_URL_BYTES && strlen(request.public_key) <= 4096);
        (void) abdm_push_check_url(abdm_str(request.push_url), NULL, &url);
        (void) abdm_public_key_decode(abdm_str(request.public_key), &key);
    }
    abdm_hi_request_clear(&request);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t *body;

    if (abdm_failed(abdm_json_parse((const char *) data, size, ABDM_JSON_DEPTH, &body)))
        return 0;
    read_notice(body);
    read_fetched(body);
    read_request(body);
    json_decref(body);
    return 0;
}
