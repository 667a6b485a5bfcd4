/*
 * The things the bridge keeps: consents, transfers and their pages. Plain data, owned by the
 * structure that holds it; the rules on it live in consent/ and flow/, its rows in store/.
 */
#ifndef ABDM_CORE_MODEL_H
#define ABDM_CORE_MODEL_H

#include <jansson.h>

#include "core/buf.h"
#include "core/err.h"
#include "core/hi_type.h"
#include "core/time.h"

/* Does `named` mean the service `id`? "IN0990001234" names "IN0990001234_1" too: both forms are
 * seen on the wire. */
bool abdm_facility_is(const char *id, abdm_str_t named);

typedef enum {
    ABDM_CONSENT_GRANTED,
    ABDM_CONSENT_REVOKED, /* final */
    ABDM_CONSENT_EXPIRED, /* final */
    ABDM_CONSENT_DENIED,
    ABDM_CONSENT_REQUESTED
} abdm_consent_status_t;

typedef struct {
    char *patient_ref;
    char *care_context_ref;
} abdm_care_context_t;

/* Owns its strings; abdm_consent_clear frees them. Absent members are NULL or 0. */
typedef struct {
    char *id;
    char *hip_id;
    char *hiu_id;     /* may be absent (automatic self-requested consents) */
    char *patient_id; /* ABHA address */
    char *purpose;    /* code */
    abdm_consent_status_t status;
    abdm_ms_t from; /* dateRange of the records */
    abdm_ms_t to;
    abdm_ms_t erase_at; /* dataEraseAt: the end of the consent */
    abdm_hi_types_t hi_types;
    abdm_care_context_t *contexts;
    size_t n_contexts;
} abdm_consent_t;

void abdm_consent_clear(abdm_consent_t *consent);

/* REQUESTED → LISTING → PUSHING → NOTIFYING → DONE; REFUSED when on-request told an error.
 * The last two are final. */
typedef enum {
    ABDM_TRANSFER_REQUESTED, /* allowed; on-request not yet accepted by the gateway */
    ABDM_TRANSFER_LISTING,   /* the HMIS is asked what it has */
    ABDM_TRANSFER_PUSHING,
    ABDM_TRANSFER_NOTIFYING, /* all pages final; the gateway is being told */
    ABDM_TRANSFER_DONE,
    ABDM_TRANSFER_REFUSED
} abdm_transfer_state_t;

const char *abdm_transfer_state_name(abdm_transfer_state_t state);

/* One health information request; owns its strings. Key: (hip_id, id). */
typedef struct {
    char *id; /* transactionId */
    char *hip_id;
    char *consent_id;
    char *request_id; /* REQUEST-ID of the callback */
    abdm_ms_t from;
    abdm_ms_t to;
    char *push_url;
    char *curve;
    char *public_key; /* of the HIU, base64 */
    char *nonce;      /* of the HIU, base64 */
    abdm_transfer_state_t state;
    abdm_code_t reason; /* why refused or failed, ABDM_OK otherwise */
    int n_contexts;
    int n_pages; /* 0 until all contexts are listed */
    abdm_ms_t requested_at;
    abdm_ms_t deadline_at;
    abdm_ms_t done_at; /* 0: not yet */
} abdm_transfer_t;

void abdm_transfer_clear(abdm_transfer_t *transfer);

typedef enum { ABDM_PART_PENDING, ABDM_PART_DONE, ABDM_PART_FAILED } abdm_part_state_t;

/* A care context of a transfer: DONE once listed, FAILED when it cannot be. */
typedef struct {
    int index;
    char *patient_ref;
    char *care_context_ref;
    abdm_part_state_t state;
    abdm_code_t reason;
} abdm_transfer_context_t;

/* One document on its way: DONE once the HIU has taken it. */
typedef struct {
    int number;  /* position in order of listing: the wire's pageNumber */
    int context; /* index of its care context */
    abdm_hi_type_t hi_type;
    bool dated;
    abdm_ms_t date;
    json_t *record; /* plain form, see hmis/hmis.h; NULL once final */
    int part;       /* which of the documents that the record becomes */
    abdm_part_state_t state;
    abdm_code_t reason;
    int attempts;
} abdm_page_t;

void abdm_transfer_context_clear(abdm_transfer_context_t *context);
void abdm_page_clear(abdm_page_t *page);

#endif
