/*
 * Callback bodies of linking, sharing and patient status → meaning (gateway protocol 3.1-3.8, 3.12,
 * 3.13, 5.3). Every form seen on the wire is accepted, V3 and v0.5 alike; what is missing, too long
 * or of the wrong type is E_FIELD with the field's path. Each function fills `out` as far as it
 * could read, ids first, also on failure: clear it in any case.
 *
 * Normal forms: ABHA address in lower case; ABHA number 14 digits without dashes; gender one of
 * "M" "F" "O" "D" "T" "U"; references within the alphabet and length of 3.0. Names have at most
 * 128 characters of any script, other texts at most 255 bytes, and none has control characters.
 * Absent, null and "" are the same.
 */
#ifndef ABDM_GATEWAY_INBOUND_LINK_H
#define ABDM_GATEWAY_INBOUND_LINK_H

#include <jansson.h>

#include "core/abha.h"
#include "core/err.h"
#include "core/hi_type.h"
#include "core/time.h"

/* What every on-* callback says: which call it answers, and how it went. */
typedef struct {
    char *request_id; /* of our call; NULL: not told */
    bool failed;      /* `error` says something, or the status begins with ERR or FAIL */
    char code[24];    /* digits of the error's code, or its text; "" without error */
    char text[128];   /* printable */
} abdm_in_outcome_t;
void abdm_in_outcome_clear(abdm_in_outcome_t *outcome);

/* on_carecontext, on-add-contexts, context on-notify, sms on-notify: nothing but the outcome
 * (acknowledgement.status, status and error in all their forms). */
abdm_err_t abdm_in_outcome(const json_t *body, abdm_in_outcome_t *out);

/* on_carecontext, with whose contexts it is about; NULL: not told. The caller frees it. */
abdm_err_t abdm_in_linked(const json_t *body, abdm_in_outcome_t *out, char **abha_address);

/* on-generate-token; also v0.5 on-confirm and users/auth/notify, whose token is an accessToken.
 * One without token that did not fail is E_FIELD, also of purpose KYC. */
typedef struct {
    abdm_in_outcome_t outcome;
    char *abha_address;    /* NULL: not told */
    char *token;           /* NULL when it failed or was denied; fit for a header; wiped */
    abdm_ms_t expires_at;  /* `exp` of the token, unverified; 0 when it cannot be read */
    char *transaction_id;  /* auth/notify; may be NULL when it failed */
    bool denied;           /* auth/notify: status DENIED */
} abdm_in_token_t;
abdm_err_t abdm_in_link_token(const json_t *body, abdm_in_token_t *out);
abdm_err_t abdm_in_auth_confirmed(const json_t *body, abdm_in_token_t *out);
abdm_err_t abdm_in_auth_notified(const json_t *body, abdm_in_token_t *out);
void abdm_in_token_clear(abdm_in_token_t *token);

/* v0.5 on-fetch-modes and on-init. */
typedef struct {
    abdm_in_outcome_t outcome;
    char *transaction_id; /* on-init; may be NULL when it failed */
    char *mode;           /* on-init; NULL when it failed */
    char *hint;           /* on-init, may be NULL */
    abdm_ms_t expires_at; /* on-init, 0: not told, or no date */
    char modes[128];      /* on-fetch-modes: "MOBILE_OTP DIRECT", those that can be used; or "" */
} abdm_in_auth_t;
abdm_err_t abdm_in_auth_modes(const json_t *body, abdm_in_auth_t *out);
abdm_err_t abdm_in_auth_begun(const json_t *body, abdm_in_auth_t *out);
void abdm_in_auth_clear(abdm_in_auth_t *auth);

enum { ABDM_IDENTIFIERS_MAX = 16, ABDM_REFERENCES_MAX = 200 };

typedef struct {
    char *transaction_id;
    char *abha_address;              /* patient.id */
    char *abha_number;               /* verified; NULL: not told */
    char *mobile[ABDM_IDENTIFIERS_MAX]; /* verified, as given but for blanks around, each once */
    size_t n_mobiles;
    char *mr[ABDM_IDENTIFIERS_MAX];  /* typed by the patient: not verified, each once */
    size_t n_mrs;
    char *name;
    const char *gender;              /* static */
    int year_of_birth;               /* 0: not told */
} abdm_in_discover_t;
abdm_err_t abdm_in_discover(const json_t *body, abdm_in_discover_t *out);
void abdm_in_discover_clear(abdm_in_discover_t *discover);

typedef struct {
    char *reference;
    abdm_hi_types_t hi_types; /* of the elements that name it; 0: none told or known */
} abdm_in_reference_t;

typedef struct {
    abdm_in_outcome_t outcome; /* the gateway may deliver an error instead: all else may be NULL */
    char *transaction_id;
    char *abha_address;
    char *patient_ref;         /* of all elements: more than one patient is E_FIELD */
    abdm_in_reference_t context[ABDM_REFERENCES_MAX]; /* each reference once */
    size_t n_contexts;
} abdm_in_link_init_t;
abdm_err_t abdm_in_link_init(const json_t *body, abdm_in_link_init_t *out);
void abdm_in_link_init_clear(abdm_in_link_init_t *init);

typedef struct {
    char *link_ref;
    char *otp; /* as given, at most 32 bytes; of a number, its lost zeros filled up to six; wiped */
} abdm_in_link_confirm_t;
abdm_err_t abdm_in_link_confirm(const json_t *body, abdm_in_link_confirm_t *out);
void abdm_in_link_confirm_clear(abdm_in_link_confirm_t *confirm);

typedef struct {
    char *intent;       /* "PROFILE_SHARE", or any other word: the caller refuses it */
    char *hip_id;       /* metaData.hipId; may be NULL (v1.0) */
    char *counter;      /* metaData.context, hipCode of v1.0 */
    char *abha_address;
    char *abha_number;  /* NULL: none */
    char *name;
    const char *gender; /* static */
    int year_of_birth, month_of_birth, day_of_birth; /* 0: not told */
    char *mobile;       /* as given; NULL: none */
    json_t *profile;    /* the patient object as it came, address inside, without kycPhoto; owned */
} abdm_in_share_t;
abdm_err_t abdm_in_share(const json_t *body, abdm_in_share_t *out);
void abdm_in_share_clear(abdm_in_share_t *share);

typedef enum {
    ABDM_PATIENT_ACTIVATED,   /* REACTIVATED too */
    ABDM_PATIENT_DEACTIVATED,
    ABDM_PATIENT_DELETED
} abdm_patient_status_t;
typedef struct {
    char *request_id;  /* of the body; NULL: the header's holds */
    char *abha_address;
    abdm_patient_status_t status;
} abdm_in_patient_status_t;
abdm_err_t abdm_in_patient_status(const json_t *body, abdm_in_patient_status_t *out);
void abdm_in_patient_status_clear(abdm_in_patient_status_t *status);

#endif
