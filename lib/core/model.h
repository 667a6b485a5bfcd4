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

/* What the hospital may be asked or told beyond records, see hmis/hmis.h. */
typedef enum {
    ABDM_HMIS_FIND_PATIENTS,
    ABDM_HMIS_CARE_CONTEXTS, /* of a patient */
    ABDM_HMIS_NEW_CONTEXTS,  /* the feed, of all patients */
    ABDM_HMIS_SAVE_PROFILE,
    ABDM_HMIS_SEND_OTP,
    ABDM_HMIS_VERIFY_OTP,
    ABDM_HMIS_TELL,          /* of an event: linked, consent granted... */
    ABDM_HMIS_OPS
} abdm_hmis_op_t;

/* "find_patients", "care_contexts", "new_contexts", "save_profile", "send_otp", "verify_otp",
 * "tell"; "" beyond the end. As in mapping.json and in the path of an HMIS job. */
const char *abdm_hmis_op_name(abdm_hmis_op_t op);
bool abdm_hmis_op_parse(abdm_str_t name, abdm_hmis_op_t *out);

enum { ABDM_COUNTERS_MAX = 64 };

/* What a flow must know of a facility. Const, borrowed for the engine's life. */
typedef struct {
    const char *id;   /* service id */
    const char *name; /* shown to patients */
    int questions[ABDM_HMIS_OPS]; /* how many its HMIS takes of each; 0: it cannot be asked */
    bool sms;                     /* it has a provider of its own for OTPs */
    const char *const *counter;   /* names of the counters; none: every name will do */
    size_t n_counters;
    int zone;             /* minutes east of UTC: 330 */
    abdm_ms_t poll;       /* between two looks at the feed; 0: it is not read */
    bool deep_link;       /* tell patients without ABHA of new contexts, by the gateway's SMS */
    int quiet_from, quiet_to; /* minutes of the day in which no SMS goes out; equal: none */
    int sms_daily;        /* deep links a day at most */
    abdm_ms_t slot;       /* discoveries are answered at multiples of it after they came: 2 s */
    int discovery_hourly; /* per mobile, and per ABHA address: 10 */
    abdm_ms_t otp_life;   /* 10 min */
} abdm_facility_t;

/* --- states of rows (core/row.def) --- */

typedef enum {
    ABDM_LINK_NONE,    /* not linked, nothing under way */
    ABDM_LINK_PENDING, /* a request for it is under way */
    ABDM_LINK_LINKED,  /* final: the gateway has no way back */
    ABDM_LINK_FAILED   /* the gateway refused it; tried again only when asked to */
} abdm_link_state_t;

typedef enum {
    ABDM_NOTIFY_NONE,
    ABDM_NOTIFY_DUE,  /* to be sent when its moment comes */
    ABDM_NOTIFY_SENT, /* not yet acknowledged */
    ABDM_NOTIFY_AGAIN /* the same, and there is more to tell since */
} abdm_notify_state_t;

typedef enum { ABDM_SMS_NONE, ABDM_SMS_DUE, ABDM_SMS_SENT, ABDM_SMS_FAILED } abdm_sms_state_t;

typedef enum {
    ABDM_DISCOVERY_ASKED,
    ABDM_DISCOVERY_OFFERED, /* one patient, and contexts offered */
    ABDM_DISCOVERY_NONE,    /* answered: nobody, or nothing to link */
    ABDM_DISCOVERY_TROUBLE  /* answered: the HMIS could not be asked */
} abdm_discovery_state_t;

typedef enum {
    ABDM_SESSION_SENDING, /* the OTP is on its way to the provider */
    ABDM_SESSION_SENT,
    ABDM_SESSION_LINKED, /* final */
    ABDM_SESSION_LOCKED, /* final: too many tries */
    ABDM_SESSION_FAILED  /* final: the OTP could not be sent */
} abdm_session_state_t;

typedef enum {
    ABDM_AUTH_ASKED,
    ABDM_AUTH_WAITING, /* for the OTP, or (DIRECT) for the patient */
    ABDM_AUTH_CONFIRMING,
    ABDM_AUTH_GRANTED, /* final */
    ABDM_AUTH_FAILED   /* final */
} abdm_auth_state_t;

typedef enum { ABDM_SHARE_WAITING, ABDM_SHARE_DONE } abdm_share_state_t;

typedef enum { ABDM_REQUEST_OPEN, ABDM_REQUEST_DONE, ABDM_REQUEST_FAILED } abdm_request_state_t;

/* The number of the day that `t` belongs to in a zone `minutes` east of UTC, and the minute of
 * that day. */
int64_t abdm_day_of(abdm_ms_t t, int zone_minutes);
int abdm_minute_of(abdm_ms_t t, int zone_minutes);

typedef enum {
    ABDM_CONSENT_GRANTED,
    ABDM_CONSENT_REVOKED, /* final */
    ABDM_CONSENT_EXPIRED, /* final */
    ABDM_CONSENT_DENIED,
    ABDM_CONSENT_REQUESTED
} abdm_consent_status_t;

/* What is known of a consent's signature. */
typedef enum {
    ABDM_SIGNED_UNKNOWN, /* nobody looked at it */
    ABDM_SIGNED_VERIFIED,
    ABDM_SIGNED_ABSENT,
    ABDM_SIGNED_WRONG,
    ABDM_SIGNED_NO_KEY
} abdm_signed_t;

const char *abdm_signed_name(abdm_signed_t known); /* "VERIFIED"; NULL for UNKNOWN */

/* Where the question to the consent manager stands, see row confirmation. */
typedef enum { ABDM_CONFIRM_ASKING, ABDM_CONFIRM_CONFIRMED, ABDM_CONFIRM_REFUSED } abdm_confirm_state_t;

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
    abdm_signed_t is_signed;
    /* consentDetail byte for byte as it came, and its signature: written with the consent, read by
     * abdm_view_t's `artefact` alone */
    char *artefact;
    char *signature;
} abdm_consent_t;

void abdm_consent_clear(abdm_consent_t *consent);

/* [CONFIRMING →] REQUESTED → LISTING → PUSHING → NOTIFYING → DONE; REFUSED when on-request told an
 * error. DONE and REFUSED are final. */
typedef enum {
    ABDM_TRANSFER_REQUESTED, /* allowed; on-request not yet accepted by the gateway */
    ABDM_TRANSFER_LISTING,   /* the HMIS is asked what it has */
    ABDM_TRANSFER_PUSHING,
    ABDM_TRANSFER_NOTIFYING, /* all pages final; the gateway is being told */
    ABDM_TRANSFER_DONE,
    ABDM_TRANSFER_REFUSED,
    ABDM_TRANSFER_CONFIRMING /* not yet answered: its consent is being confirmed */
} abdm_transfer_state_t;

const char *abdm_transfer_state_name(abdm_transfer_state_t state);

/* One health information request; owns its strings. Key: (hip_id, id). */
typedef struct {
    char *id; /* transactionId */
    char *hip_id;
    char *consent_id;
    char *hiu_id;     /* of the consent; NULL: it names none */
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
