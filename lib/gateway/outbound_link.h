/*
 * Meaning → bodies of our calls of linking and sharing (gateway protocol 3.1-3.8, 3.12, 3.13, 5.3).
 * As in outbound.h all append to `out`, whose `failed` tells of no memory; strings are terminated,
 * not NULL unless said. Bodies of /gateway/v0.5/ get requestId and timestamp when they are sent,
 * since each attempt has its own (abdm_out_stamp).
 */
#ifndef ABDM_GATEWAY_OUTBOUND_LINK_H
#define ABDM_GATEWAY_OUTBOUND_LINK_H

#include "core/hi_type.h"
#include "core/json.h"
#include "core/time.h"

#define ABDM_PATH_GENERATE_TOKEN    "/api/hiecm/v3/token/generate-token"
#define ABDM_PATH_LINK_CONTEXT      "/api/hiecm/hip/v3/link/carecontext"
#define ABDM_PATH_CONTEXT_NOTIFY    "/api/hiecm/hip/v3/link/context/notify"
#define ABDM_PATH_SMS_NOTIFY        "/api/hiecm/hip/v3/link/patient/links/sms/notify2"
#define ABDM_PATH_ON_DISCOVER \
    "/api/hiecm/user-initiated-linking/v3/patient/care-context/on-discover"
#define ABDM_PATH_LINK_ON_INIT      "/api/hiecm/user-initiated-linking/v3/link/care-context/on-init"
#define ABDM_PATH_LINK_ON_CONFIRM \
    "/api/hiecm/user-initiated-linking/v3/link/care-context/on-confirm"
#define ABDM_PATH_ON_SHARE          "/api/hiecm/patient-share/v3/on-share"
#define ABDM_PATH_BRIDGE_URL        "/api/hiecm/gateway/v3/bridge/url"
#define ABDM_PATH_BRIDGE_SERVICES   "/api/hiecm/gateway/v3/bridge-services"
#define ABDM_PATH_SERVICE           "/api/hiecm/gateway/v3/bridge-service/serviceId/"
#define ABDM_PATH_AUTH_MODES        "/gateway/v0.5/users/auth/fetch-modes"
#define ABDM_PATH_AUTH_INIT         "/gateway/v0.5/users/auth/init"
#define ABDM_PATH_AUTH_CONFIRM      "/gateway/v0.5/users/auth/confirm"
#define ABDM_PATH_AUTH_ON_NOTIFY    "/gateway/v0.5/users/auth/on-notify"
#define ABDM_PATH_STATUS_ON_NOTIFY  "/gateway/v0.5/patients/status/on-notify"

/* What a call to `path` is sent with: `body` itself or, below /gateway/v0.5/, with requestId and
 * timestamp put in front of its members. `body` is an object written by this room. */
void abdm_out_stamp(abdm_buf_t *out, const char *path, abdm_str_t body, const char *request_id,
                    abdm_ms_t now);

/* --- of a patient, and care contexts of that patient --- */

typedef struct {
    const char *abha_address;
    const char *abha_number; /* 14 digits; NULL: left out */
    const char *name;        /* made to fit the alphabet of 3.1, Latin letters: may leave nothing */
    const char *gender;      /* M F O D T U */
    int year_of_birth;
} abdm_out_patient_t;

void abdm_out_generate_token(abdm_buf_t *out, const abdm_out_patient_t *patient);

typedef struct {
    const char *reference;
    const char *display;      /* made to fit 3.0; nothing left: the reference; NULL: no member */
    abdm_hi_types_t hi_types; /* at least one */
} abdm_out_context_t;

/* Elements: one per HI type and 20 contexts. `display` of the patient holds nothing clinical and
 * is made to fit as that of a context. `abha_number`: 14 digits; NULL: left out. */
void abdm_out_link_contexts(abdm_buf_t *out, const char *abha_address, const char *abha_number,
                            const char *patient_ref, const char *display,
                            const abdm_out_context_t *contexts, size_t n);

void abdm_out_context_notify(abdm_buf_t *out, const char *hip_id, const char *abha_address,
                             const char *patient_ref, const char *context_ref,
                             abdm_hi_types_t hi_types, abdm_ms_t date);

/* `mobile`: ten digits */
void abdm_out_sms_notify(abdm_buf_t *out, const char *hip_id, const char *hip_name,
                         const char *mobile);

/* --- answers; `request_id` is that of the callback --- */

/* matched_by: bits of abdm_matched_by_t (match/patient.h) */
void abdm_out_on_discover(abdm_buf_t *out, const char *transaction_id, const char *patient_ref,
                          const char *display, const abdm_out_context_t *contexts, size_t n,
                          unsigned matched_by, const char *request_id);
/* The refusing forms carry the transaction too; NULL: it could not be read. The error is told as
 * abdm_out_error does. */
void abdm_out_on_discover_error(abdm_buf_t *out, const char *transaction_id, abdm_err_t err,
                                const char *request_id);

/* `hint`: masked by the caller */
void abdm_out_link_on_init(abdm_buf_t *out, const char *transaction_id, const char *link_ref,
                           const char *hint, abdm_ms_t expires_at, const char *request_id);
void abdm_out_link_on_init_error(abdm_buf_t *out, const char *transaction_id, abdm_err_t err,
                                 const char *request_id);
void abdm_out_link_on_confirm(abdm_buf_t *out, const char *patient_ref, const char *display,
                              const abdm_out_context_t *contexts, size_t n,
                              const char *request_id);
/* A refused confirm is abdm_out_error (outbound.h). */

void abdm_out_on_share(abdm_buf_t *out, const char *abha_address, const char *counter, int token,
                       int expiry_s, const char *request_id);
/* `abha_address` NULL: it could not be read, and nothing is acknowledged. */
void abdm_out_on_share_error(abdm_buf_t *out, const char *abha_address, abdm_err_t err,
                             const char *request_id);

/* --- v0.5: without requestId and timestamp --- */
void abdm_out_auth_modes(abdm_buf_t *out, const char *abha_address, const char *purpose,
                         const char *hip_id);
void abdm_out_auth_init(abdm_buf_t *out, const char *abha_address, const char *purpose,
                        const char *mode, const char *hip_id);
/* The body holds the OTP: wipe the buffer. */
void abdm_out_auth_confirm(abdm_buf_t *out, const char *transaction_id, const char *otp);
/* name, gender and date of birth ("1989-01-23") exactly as in the account */
void abdm_out_auth_confirm_person(abdm_buf_t *out, const char *transaction_id, const char *name,
                                  const char *gender, const char *date_of_birth);
void abdm_out_auth_on_notify(abdm_buf_t *out, const char *request_id);
void abdm_out_status_on_notify(abdm_buf_t *out, const char *request_id);
/* The refusing form of both: what abdm_out_error says, its code as a number. */
void abdm_out_old_error(abdm_buf_t *out, abdm_err_t err, const char *request_id);

/* --- the bridge itself --- */
void abdm_out_bridge_url(abdm_buf_t *out, const char *url);
/* 1.7, for the facility registry's host. `facility_name` as it is registered; `hip_name`: at most
 * 15 letters, digits and blanks. */
void abdm_out_register(abdm_buf_t *out, const char *facility_id, const char *facility_name,
                       const char *bridge_id, const char *hip_name);

#endif
