/*
 * Verification of the bearer token (JWT, RFC 7519) that the gateway puts on its callbacks.
 * Every ABDM participant holds tokens of the same issuer, signed by the same keys: what tells
 * the gateway from the others is the caller rule, so there is no policy without one.
 */
#ifndef ABDM_TOKEN_TOKEN_H
#define ABDM_TOKEN_TOKEN_H

#include "core/buf.h"
#include "core/err.h"
#include "core/time.h"
#include "token/jwks.h"

enum {
    ABDM_TOKEN_BYTES = 8192,
    ABDM_TOKEN_AZP = 128,
    ABDM_TOKEN_LEEWAY_MS = 3600000, /* default: a redelivered callback has its old token */
    ABDM_TOKEN_LIFE_MS = 86400000,  /* longest exp - iat */
};

/* Who may call. Everything is borrowed and must outlive the calls. */
typedef struct {
    uint32_t id;               /* tells policies apart in a verified-token cache */
    const abdm_str_t *issuers; /* one of them equals iss */
    size_t n_issuers;
    const abdm_str_t *callers; /* one of them equals azp (clientId where azp is absent) ... */
    size_t n_callers;
    abdm_str_t role;           /* ... or realm_access.roles has it, in any case; empty = no role */
    abdm_str_t client_id;      /* our own: a token issued to it is always refused */
    abdm_ms_t leeway_ms;       /* on exp, nbf and iat */
} abdm_token_policy_t;

typedef struct {
    abdm_ms_t exp_ms;
    abdm_ms_t issued_ms;          /* 0 when the token does not say */
    char azp[ABDM_TOKEN_AZP + 1]; /* azp, else clientId, else ""; printable ASCII */
} abdm_token_claims_t;

/* Verifies the value of the one Authorization header: `Bearer` in any case, one space, one
 * JWT. `keys` may be NULL (E_KEYS_UNAVAILABLE for a well-formed token). E_TOKEN_* else, where
 * E_TOKEN_KID_UNKNOWN alone may be cured by fresh keys. *claims is set on success only. */
abdm_err_t abdm_token_verify(const abdm_token_policy_t *policy, const abdm_jwks_t *keys,
                             abdm_str_t authorization, abdm_ms_t now_ms,
                             abdm_token_claims_t *claims);

#endif
