/*
 * Bodies of callbacks → meaning (gateway protocol 3.9, 3.10, 4.4; contradictions 8, 14, 43, 48, 67
 * and 68 of section 8). Only what is used is read: frequency and the requester's description are
 * ignored, so their many forms can do no harm. v0.5 bodies are the same apart
 * from the envelope.
 */
#include "gateway/inbound.h"

#include <stdlib.h>
#include <string.h>

#include "core/json_slice.h"
#include "gateway/wire.h"

enum {
    URL_MAX = 2048,
    KEY_MAX = 4096, /* the X.509 form with explicit parameters has about 420 */
    CONTEXTS_MAX = 5000,
};

#define TAKE_ID ABDM_IN_TAKE_ID
#define TAKE_TIME(root, above, path, out)                                                          \
    abdm_in_take_time(root, path, above path ": a date-time expected", out)

#define NOTICE  "notification."
#define DETAIL  "notification.consentDetail."
#define REQUEST "hiRequest."
#define KEY     "hiRequest.keyMaterial."


/* Absent, null and "" mean that no requester is named. Any other thing that is not an id is
 * refused: it must not switch the check of the requester off. */
static abdm_err_t
take_hiu(const json_t *detail, char **out)
{
    const json_t *hiu = abdm_json_at(detail, "hiu");
    const json_t *id = abdm_json_at(hiu, "id");

    if (hiu != NULL && !json_is_object(hiu))
        return ABDM_ERR(FIELD, DETAIL "hiu: an object expected");
    if (id == NULL || (json_is_string(id) && json_string_length(id) == 0))
        return ABDM_NO_ERR;
    return TAKE_ID(detail, DETAIL, "hiu.id", out);
}


static abdm_err_t
take_contexts(const json_t *detail, abdm_consent_t *consent)
{
    const json_t *list = abdm_json_at(detail, "careContexts");
    const json_t *item;
    size_t i, n = json_array_size(list);

    if (!json_is_array(list))
        return ABDM_ERR(FIELD, DETAIL "careContexts: a list expected");
    if (n > CONTEXTS_MAX)
        return ABDM_ERR(FIELD, DETAIL "careContexts: more than 5000");
    if (n == 0)
        return ABDM_NO_ERR;

    consent->contexts = calloc(n, sizeof *consent->contexts);
    if (consent->contexts == NULL)
        return ABDM_ERR(MEMORY, "callback: list of care contexts");
    consent->n_contexts = n;
    json_array_foreach(list, i, item) {
        abdm_care_context_t *c = &consent->contexts[i];
        ABDM_TRY(TAKE_ID(item, DETAIL "careContexts.", "patientReference", &c->patient_ref));
        ABDM_TRY(TAKE_ID(item, DETAIL "careContexts.", "careContextReference",
                         &c->care_context_ref));
    }
    return ABDM_NO_ERR;
}


/* A type that we do not know is nothing that we could send; it takes nothing from the others. */
static abdm_err_t
take_hi_types(const json_t *detail, abdm_hi_types_t *out)
{
    const json_t *list = abdm_json_at(detail, "hiTypes");
    const json_t *item;
    abdm_hi_type_t type;
    size_t i;

    if (!json_is_array(list))
        return ABDM_ERR(FIELD, DETAIL "hiTypes: a list expected");
    json_array_foreach(list, i, item) {
        if (!json_is_string(item))
            return ABDM_ERR(FIELD, DETAIL "hiTypes: a list of texts expected");
        if (abdm_hi_type_parse(abdm_str(json_string_value(item)), &type))
            *out |= 1u << type;
    }
    return *out == 0 ? ABDM_ERR(FIELD, DETAIL "hiTypes: none that is known") : ABDM_NO_ERR;
}


static abdm_err_t
take_detail(const json_t *detail, abdm_consent_t *consent)
{
    if (!json_is_object(detail))
        return ABDM_ERR(FIELD, "notification.consentDetail: an object expected");

    const json_t *id = abdm_json_at(detail, "consentId");
    if (id != NULL && !abdm_str_eq(abdm_str(json_string_value(id)), abdm_str(consent->id)))
        return ABDM_ERR(FIELD, DETAIL "consentId: not that of the notification");

    ABDM_TRY(TAKE_ID(detail, DETAIL, "patient.id", &consent->patient_id));
    ABDM_TRY(TAKE_ID(detail, DETAIL, "hip.id", &consent->hip_id));
    ABDM_TRY(take_hiu(detail, &consent->hiu_id));
    ABDM_TRY(TAKE_ID(detail, DETAIL, "purpose.code", &consent->purpose));
    ABDM_TRY(TAKE_TIME(detail, DETAIL, "permission.dateRange.from", &consent->from));
    ABDM_TRY(TAKE_TIME(detail, DETAIL, "permission.dateRange.to", &consent->to));
    ABDM_TRY(TAKE_TIME(detail, DETAIL, "permission.dataEraseAt", &consent->erase_at));
    ABDM_TRY(take_hi_types(detail, &consent->hi_types));
    return take_contexts(detail, consent);
}


/* Whatever stands there and is no text is none that could verify, and no fault of the notice. */
static abdm_err_t
take_signature(const json_t *notification, char **out)
{
    const json_t *signature = abdm_json_at(notification, "signature");
    const char *text = json_is_string(signature) ? json_string_value(signature) : "?";

    if (signature == NULL || text[0] == '\0')
        return ABDM_NO_ERR;
    *out = strdup(text);
    return *out == NULL ? ABDM_ERR(MEMORY, "callback: copy of a signature") : ABDM_NO_ERR;
}


/* Leaves the id and the status. */
static void
forget_detail(abdm_consent_t *consent)
{
    abdm_consent_t bare = {.id = consent->id, .status = consent->status};

    consent->id = NULL;
    abdm_consent_clear(consent);
    *consent = bare;
}


static abdm_err_t
take_notice(const json_t *notification, abdm_consent_notice_t *out)
{
    const char *status = abdm_json_string_at(notification, "status");

    if (!json_is_object(notification))
        return ABDM_ERR(FIELD, "notification: an object, or a list of one, expected");
    ABDM_TRY(ABDM_IN_TAKE_UUID(notification, NOTICE, "consentId", &out->consent.id));
    if (!abdm_consent_status_parse(abdm_str(status), &out->consent.status))
        return ABDM_ERR(FIELD, NOTICE "status: GRANTED, REVOKED, EXPIRED or another known "
                                      "word expected");

    abdm_err_t err = take_detail(abdm_json_at(notification, "consentDetail"), &out->consent);
    out->detailed = !abdm_failed(err);
    if (out->detailed)
        err = take_signature(notification, &out->consent.signature);

    /* A revocation must not fail because of what it leaves out or garbles. */
    if (err.code == ABDM_E_FIELD && out->consent.status != ABDM_CONSENT_GRANTED) {
        forget_detail(&out->consent);
        return ABDM_NO_ERR;
    }
    return err;
}


abdm_err_t
abdm_in_consent_notice(const json_t *body, abdm_consent_notice_t *out)
{
    const json_t *notification = abdm_json_at(body, "notification");

    *out = (abdm_consent_notice_t){0};
    if (json_array_size(notification) == 1)
        notification = json_array_get(notification, 0);

    return take_notice(notification, out);
}


void
abdm_consent_notice_clear(abdm_consent_notice_t *notice)
{
    abdm_consent_clear(&notice->consent);
    notice->detailed = false;
}


bool
abdm_in_consent_detail(abdm_str_t text, abdm_str_t *detail)
{
    return abdm_json_slice(text, "notification.consentDetail", detail) ||
           abdm_json_slice(text, "notification.0.consentDetail", detail);
}


/* A consent that is not granted may come without its detail, as its notice may. */
static abdm_err_t
take_fetched(const json_t *body, abdm_consent_t *out)
{
    const json_t *consent = abdm_json_at(body, "consent");
    const char *status = abdm_json_string_at(consent, "status");
    const json_t *detail = abdm_json_at(consent, "consentDetail");

    if (!abdm_consent_status_parse(abdm_str(status), &out->status))
        return ABDM_ERR(FIELD, "consent.status: GRANTED, REVOKED, EXPIRED or another known word "
                               "expected");
    if (out->status != ABDM_CONSENT_GRANTED)
        return ABDM_NO_ERR;
    ABDM_TRY(TAKE_ID(detail, "consent.consentDetail.", "consentId", &out->id));
    return take_detail(detail, out);
}


abdm_err_t
abdm_in_consent_fetched(const json_t *body, abdm_in_fetched_t *out)
{
    *out = (abdm_in_fetched_t){0};
    ABDM_TRY(abdm_in_outcome(body, &out->outcome));
    return out->outcome.failed ? ABDM_NO_ERR : take_fetched(body, &out->consent);
}


void
abdm_in_fetched_clear(abdm_in_fetched_t *fetched)
{
    abdm_in_outcome_clear(&fetched->outcome);
    abdm_consent_clear(&fetched->consent);
}


/* `want` in any case; the sender's spelling is kept. */
static abdm_err_t
take_word(const json_t *root, const char *path, abdm_str_t want, const char *fault, char **out)
{
    const char *z = abdm_json_string_at(root, path);

    if (!abdm_str_ieq(abdm_str(z), want))
        return ABDM_ERR(FIELD, fault);
    return abdm_in_take_text(root, path, ABDM_WIRE_ID, fault, out);
}


static abdm_err_t
take_key_material(const json_t *key, abdm_hi_request_t *out)
{
    if (!json_is_object(key))
        return ABDM_ERR(FIELD, "hiRequest.keyMaterial: an object expected");
    ABDM_TRY(take_word(key, "cryptoAlg", ABDM_LIT("ECDH"), KEY "cryptoAlg: ECDH expected",
                       &out->crypto_alg));
    ABDM_TRY(take_word(key, "curve", ABDM_LIT("Curve25519"), KEY "curve: Curve25519 expected",
                       &out->curve));
    ABDM_TRY(abdm_in_take_text(key, "dhPublicKey.keyValue", KEY_MAX,
                               KEY "dhPublicKey.keyValue: text of 1 to 4096 bytes expected",
                               &out->public_key));
    ABDM_TRY(TAKE_ID(key, KEY, "nonce", &out->nonce));

    /* Senders write odd things here: only what is a date counts. */
    const char *expiry = abdm_json_string_at(key, "dhPublicKey.expiry");
    if (abdm_failed(abdm_time_parse(abdm_str(expiry), &out->key_expiry)))
        out->key_expiry = 0;
    return ABDM_NO_ERR;
}


abdm_err_t
abdm_in_hi_request(const json_t *body, abdm_hi_request_t *out)
{
    const json_t *request = abdm_json_at(body, "hiRequest");

    *out = (abdm_hi_request_t){0};
    ABDM_TRY(ABDM_IN_TAKE_UUID(body, "", "transactionId", &out->transaction_id));
    if (!json_is_object(request))
        return ABDM_ERR(FIELD, "hiRequest: an object expected");
    ABDM_TRY(ABDM_IN_TAKE_UUID(request, REQUEST, "consent.id", &out->consent_id));
    ABDM_TRY(TAKE_TIME(request, REQUEST, "dateRange.from", &out->from));
    ABDM_TRY(TAKE_TIME(request, REQUEST, "dateRange.to", &out->to));
    ABDM_TRY(abdm_in_take_text(request, "dataPushUrl", URL_MAX,
                               REQUEST "dataPushUrl: text of 1 to 2048 bytes expected",
                               &out->push_url));

    abdm_err_t err = take_key_material(abdm_json_at(request, "keyMaterial"), out);
    if (err.code == ABDM_E_FIELD)
        err.code = ABDM_E_KEY_MATERIAL;
    return err;
}


void
abdm_hi_request_clear(abdm_hi_request_t *request)
{
    free(request->transaction_id);
    free(request->consent_id);
    free(request->push_url);
    free(request->crypto_alg);
    free(request->curve);
    free(request->public_key);
    free(request->nonce);
    *request = (abdm_hi_request_t){0};
}
