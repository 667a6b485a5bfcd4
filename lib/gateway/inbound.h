/*
 * Callback bodies → meaning. Every form seen on the wire is accepted (gateway protocol 3.9, 3.10,
 * 4.4, 7.9, 8); what is missing or of the wrong type is E_FIELD with the field's path.
 */
#ifndef ABDM_GATEWAY_INBOUND_H
#define ABDM_GATEWAY_INBOUND_H

#include <jansson.h>

#include "consent/consent.h"
#include "gateway/inbound_link.h"

typedef struct {
    abdm_consent_t consent; /* id and status always; the rest, with its signature, when `detailed` */
    bool detailed;          /* a complete consentDetail came; never set in part */
} abdm_consent_notice_t;

/* E_FIELD, E_MEMORY. A GRANTED notice must be detailed; any other stands also when its detail
 * is missing or faulty. On failure `out` holds what was read before, so the id when there is
 * one; clear it in any case. */
abdm_err_t abdm_in_consent_notice(const json_t *body, abdm_consent_notice_t *out);
void abdm_consent_notice_clear(abdm_consent_notice_t *notice);

/* The consentDetail of such a body as it stands in its text, borrowed: what was signed. False: there
 * is none. */
bool abdm_in_consent_detail(abdm_str_t text, abdm_str_t *detail);

/* consent on-fetch. */
typedef struct {
    abdm_in_outcome_t outcome;
    abdm_consent_t consent; /* of an outcome that did not fail: the status, and all else when GRANTED */
} abdm_in_fetched_t;
/* E_FIELD, E_MEMORY. The outcome is read first: clear `out` in any case. */
abdm_err_t abdm_in_consent_fetched(const json_t *body, abdm_in_fetched_t *out);
void abdm_in_fetched_clear(abdm_in_fetched_t *fetched);

/* Owns its strings. */
typedef struct {
    char *transaction_id;
    char *consent_id;
    abdm_ms_t from;
    abdm_ms_t to;
    char *push_url;        /* as given; judged by core/url_guard elsewhere */
    char *crypto_alg;      /* "ECDH" */
    char *curve;           /* spelling kept, to be echoed */
    char *public_key;      /* keyValue, base64; its point is judged by crypto/ elsewhere */
    char *nonce;           /* base64 */
    abdm_ms_t key_expiry;  /* 0: absent or not a date; only a parseable date is enforced */
} abdm_hi_request_t;

/* E_FIELD for structure; E_KEY_MATERIAL for any fault of keyMaterial; E_MEMORY. The ids are read
 * first: whenever both could be read they are set, whatever the code, so that the refusal can
 * be told. Clear `out` in any case. */
abdm_err_t abdm_in_hi_request(const json_t *body, abdm_hi_request_t *out);
void abdm_hi_request_clear(abdm_hi_request_t *request);

#endif
