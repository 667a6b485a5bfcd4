/*
 * The consent artefact as a HIP holds it, and the one decision made on it. The decision is a
 * pure function with default deny; it is taken when data is asked for and again before each
 * page (gateway protocol 7.5, threat model 4.4).
 */
#ifndef ABDM_CONSENT_CONSENT_H
#define ABDM_CONSENT_CONSENT_H

#include "core/model.h"

/* Words of the wire, case ignored. */
bool abdm_consent_status_parse(abdm_str_t word, abdm_consent_status_t *out);
const char *abdm_consent_status_name(abdm_consent_status_t status);

/* What a notice does to what is stored: REVOKED and EXPIRED are final, so a late or repeated
 * GRANTED changes nothing. Returns the status to keep. `known`: there is a stored one. */
abdm_consent_status_t abdm_consent_next(bool known, abdm_consent_status_t stored,
                                        abdm_consent_status_t notified);

/* "Break the glass": an emergency, in which nobody asked the patient. */
bool abdm_consent_is_emergency(const abdm_consent_t *consent);

/* The request under which data would leave. */
typedef struct {
    abdm_str_t hip_id; /* X-HIP-ID of the request */
    abdm_str_t hiu_id; /* empty: the request does not say */
    abdm_ms_t from;
    abdm_ms_t to;
    bool break_glass; /* the hospital serves emergencies without the patient's word (purpose BTG) */
} abdm_consent_request_t;

/* One record about to leave; NULL while only the request is judged. */
typedef struct {
    abdm_str_t patient_ref;
    abdm_str_t care_context_ref;
    int hi_type; /* abdm_hi_type_t, or -1: unknown */
    bool dated;
    abdm_ms_t date;
} abdm_consent_record_t;

/*
 * ABDM_OK: may leave. Anything else is the reason why not, E_CONSENT_*. `consent` NULL means
 * that none is stored: refused. Conditions, in this order: known; granted; not past dataEraseAt;
 * this facility; this requester (when both sides name one); a purpose that is served; request's
 * range is well-formed and inside the consent's; then for a record: its context and patient are in the consent, its
 * type is consented, its date is known and inside the request's range (edges included).
 */
abdm_err_t abdm_consent_decide(const abdm_consent_t *consent, const abdm_consent_request_t *request,
                               const abdm_consent_record_t *record, abdm_ms_t now);

/* Does the consent that the consent manager told mean the same as the one kept (same.c)? *member
 * NULL: yes; else the first member that differs, static. E_MEMORY. */
abdm_err_t abdm_consent_compare(const abdm_consent_t *kept, const abdm_consent_t *told,
                                const char **member);

/* The n-th condition by the refusal that it gives, in the order above; false beyond the end. For
 * tests and documentation. */
bool abdm_consent_condition(size_t n, abdm_err_t *refusal, bool *for_records);

#endif
