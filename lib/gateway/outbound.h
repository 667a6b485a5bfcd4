/*
 * Meaning → bodies and paths of our calls to the gateway (gateway protocol 1.4, 3.9-3.11b, 4.4), and
 * the envelope of the data push. The safest form where sources disagree (section 8).
 */
#ifndef ABDM_GATEWAY_OUTBOUND_H
#define ABDM_GATEWAY_OUTBOUND_H

#include "core/err.h"
#include "core/json.h"
#include "core/source.h"
#include "core/time.h"

#define ABDM_PATH_SESSIONS          "/api/hiecm/gateway/v3/sessions"
#define ABDM_PATH_CERTS             "/api/hiecm/gateway/v3/certs"
#define ABDM_PATH_CONSENT_ON_NOTIFY "/api/hiecm/consent/v3/request/hip/on-notify"
#define ABDM_PATH_CONSENT_FETCH     "/api/hiecm/consent/v3/fetch"
#define ABDM_PATH_HI_ON_REQUEST     "/api/hiecm/data-flow/v3/health-information/hip/on-request"
#define ABDM_PATH_HI_NOTIFY         "/api/hiecm/data-flow/v3/health-information/notify"

/* All append to `out`; out->failed tells of no memory. Strings are terminated, not NULL. */

/* The body holds the secret: wipe the buffer. */
void abdm_out_session(abdm_buf_t *out, const char *client_id, abdm_str_t client_secret);

/* `request_id` is the REQUEST-ID of the callback that is answered. */
void abdm_out_consent_on_notify(abdm_buf_t *out, const char *consent_id, const char *request_id);
void abdm_out_hi_on_request(abdm_buf_t *out, const char *transaction_id, const char *request_id);

void abdm_out_consent_fetch(abdm_buf_t *out, const char *consent_id);

/* The refusing form of any on-*: the `wire` code and meaning of err.code, and the echo. Trouble
 * of our own (ABDM-1024, or a code without `wire`) is told without its meaning. */
void abdm_out_error(abdm_buf_t *out, abdm_err_t err, const char *request_id);

typedef struct {
    const char *care_context_ref;
    bool delivered;
    const char *description; /* NULL: left out */
} abdm_context_status_t;

void abdm_out_hi_notify(abdm_buf_t *out, const char *consent_id, const char *transaction_id,
                        const char *hip_id, abdm_ms_t done_at, bool transferred,
                        const abdm_context_status_t *contexts, size_t n);

typedef struct {
    int page_number; /* from 0 */
    int page_count;
    const char *transaction_id;
    const char *care_context_ref;
    const char *curve;      /* the request's spelling */
    const char *public_key; /* base64 of our X.509 key */
    const char *nonce;      /* base64 */
    abdm_ms_t key_expiry;
} abdm_push_page_t;

/* The push body: envelope around `content` (base64 ciphertext, taken). The checksum is base64
 * of 16 bytes at `md5`, read only after `content` is exhausted: the caller's digest runs
 * beside the encryption. `md5` is borrowed for the life of *out. Takes `content` also on
 * failure, then *out is NULL: E_MEMORY. */
abdm_err_t abdm_out_push(const abdm_push_page_t *page, abdm_source_t *content, const uint8_t *md5,
                         abdm_source_t **out);

#endif
