/*
 * The consent decision. The whole rule is the table `conditions` below: each row must hold,
 * the first that does not is the reason of the refusal. The rule is that of the gateway
 * protocol, 7.5, and of the threat model, 4.4. Times are instants in UTC, so no zone of a
 * host can move an edge.
 */
#include "consent/consent.h"

typedef struct {
    const abdm_consent_t *consent;
    const abdm_consent_request_t *request;
    const abdm_consent_record_t *record;
    abdm_ms_t now;
} question_t;

typedef enum { ALWAYS, FOR_RECORDS } scope_t;

typedef struct {
    scope_t scope;
    bool (*holds)(const question_t *q);
    abdm_err_t refusal;
} condition_t;

static bool is_known(const question_t *q);
static bool is_not_revoked(const question_t *q);
static bool is_not_declared_expired(const question_t *q);
static bool is_granted(const question_t *q);
static bool is_before_erasure(const question_t *q);
static bool is_for_this_facility(const question_t *q);
static bool is_for_this_requester(const question_t *q);
static bool purpose_is_served(const question_t *q);
static bool range_is_well_formed(const question_t *q);
static bool range_is_inside_consent(const question_t *q);
static bool context_is_listed(const question_t *q);
static bool patient_is_of_context(const question_t *q);
static bool type_is_consented(const question_t *q);
static bool record_is_dated(const question_t *q);
static bool date_is_inside_request(const question_t *q);

#define REFUSE(name, what) {ABDM_E_##name, what, __FILE__ ":" ABDM_STR(__LINE__)}

static const condition_t conditions[] = {
    {ALWAYS, is_known, REFUSE(CONSENT_UNKNOWN, "consent: none is stored under this id")},

    {ALWAYS, is_not_revoked, REFUSE(CONSENT_REVOKED, "consent.status: REVOKED")},
    {ALWAYS, is_not_declared_expired, REFUSE(CONSENT_EXPIRED, "consent.status: EXPIRED")},
    {ALWAYS, is_granted, REFUSE(CONSENT_NOT_GRANTED, "consent.status: not GRANTED")},
    {ALWAYS, is_before_erasure, REFUSE(CONSENT_EXPIRED, "consent.dataEraseAt: has passed")},

    {ALWAYS, is_for_this_facility, REFUSE(CONSENT_OTHER_HIP, "consent.hip.id: not this facility")},
    {ALWAYS, is_for_this_requester,
     REFUSE(CONSENT_OTHER_HIU, "consent.hiu.id: not the requester's")},
    {ALWAYS, purpose_is_served,
     REFUSE(CONSENT_BREAK_GLASS, "consent.purpose: BTG, which abdm_break_glass does not allow")},

    {ALWAYS, range_is_well_formed,
     REFUSE(CONSENT_RANGE, "request.dateRange: ends before it begins")},
    {ALWAYS, range_is_inside_consent,
     REFUSE(CONSENT_RANGE, "request.dateRange: wider than the consent's")},

    {FOR_RECORDS, context_is_listed,
     REFUSE(CONSENT_CONTEXT, "record.careContextReference: not in the consent")},
    {FOR_RECORDS, patient_is_of_context,
     REFUSE(CONSENT_PATIENT, "record.patientReference: not the consent's for this context")},
    {FOR_RECORDS, type_is_consented,
     REFUSE(CONSENT_HI_TYPE, "record.hiType: unknown or not in the consent")},
    {FOR_RECORDS, record_is_dated, REFUSE(CONSENT_RECORD_DATE, "record.date: unknown")},
    {FOR_RECORDS, date_is_inside_request,
     REFUSE(CONSENT_RECORD_DATE, "record.date: outside the request's range")},
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))


bool
abdm_consent_condition(size_t n, abdm_err_t *refusal, bool *for_records)
{
    if (n >= COUNT(conditions))
        return false;
    *refusal = conditions[n].refusal;
    *for_records = conditions[n].scope == FOR_RECORDS;
    return true;
}


abdm_err_t
abdm_consent_decide(const abdm_consent_t *consent, const abdm_consent_request_t *request,
                    const abdm_consent_record_t *record, abdm_ms_t now)
{
    const question_t q = {consent, request, record, now};

    if (request == NULL)
        return ABDM_ERR(INTERNAL, "consent decision: asked without a request");
    for (size_t i = 0; i < COUNT(conditions); i++) {
        const condition_t *c = &conditions[i];
        if ((c->scope == ALWAYS || record != NULL) && !c->holds(&q))
            return c->refusal;
    }
    return ABDM_NO_ERR;
}


/* Two names that say nothing are not the same name. */
static bool
same_name(const char *stored, abdm_str_t given)
{
    return given.len > 0 && abdm_str_eq(abdm_str(stored), given);
}


static bool
is_known(const question_t *q)
{
    return q->consent != NULL;
}


static bool
is_not_revoked(const question_t *q)
{
    return q->consent->status != ABDM_CONSENT_REVOKED;
}


static bool
is_not_declared_expired(const question_t *q)
{
    return q->consent->status != ABDM_CONSENT_EXPIRED;
}


static bool
is_granted(const question_t *q)
{
    return q->consent->status == ABDM_CONSENT_GRANTED;
}


/* An absent dataEraseAt is 0 and so has passed. */
static bool
is_before_erasure(const question_t *q)
{
    return q->now < q->consent->erase_at;
}


static bool
is_for_this_facility(const question_t *q)
{
    return same_name(q->consent->hip_id, q->request->hip_id);
}


/* Automatic self-requested consents name no HIU, and V3 requests name none either. */
static bool
is_for_this_requester(const question_t *q)
{
    abdm_str_t hiu = abdm_str(q->consent->hiu_id);

    return hiu.len == 0 || q->request->hiu_id.len == 0 || abdm_str_eq(hiu, q->request->hiu_id);
}


static bool
purpose_is_served(const question_t *q)
{
    return q->request->break_glass || !abdm_consent_is_emergency(q->consent);
}


static bool
range_is_well_formed(const question_t *q)
{
    return q->request->from <= q->request->to;
}


static bool
range_is_inside_consent(const question_t *q)
{
    return q->request->from >= q->consent->from && q->request->to <= q->consent->to;
}


static bool
context_is_listed(const question_t *q)
{
    for (size_t i = 0; i < q->consent->n_contexts; i++) {
        if (same_name(q->consent->contexts[i].care_context_ref, q->record->care_context_ref))
            return true;
    }
    return false;
}


static bool
patient_is_of_context(const question_t *q)
{
    for (size_t i = 0; i < q->consent->n_contexts; i++) {
        const abdm_care_context_t *c = &q->consent->contexts[i];
        if (same_name(c->care_context_ref, q->record->care_context_ref) &&
            same_name(c->patient_ref, q->record->patient_ref))
            return true;
    }
    return false;
}


static bool
type_is_consented(const question_t *q)
{
    int type = q->record->hi_type;

    return type >= 0 && type < ABDM_HI_TYPES && (q->consent->hi_types & 1u << type) != 0;
}


static bool
record_is_dated(const question_t *q)
{
    return q->record->dated;
}


static bool
date_is_inside_request(const question_t *q)
{
    return q->record->date >= q->request->from && q->record->date <= q->request->to;
}
