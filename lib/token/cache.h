/*
 * Tokens that were verified a moment ago. The gateway uses one token for many callbacks, and
 * looking its digest up costs a twentieth of verifying it. Only successes are kept, and only
 * for a minute; one thread only.
 */
#ifndef ABDM_TOKEN_CACHE_H
#define ABDM_TOKEN_CACHE_H

#include "token/token.h"

enum { ABDM_TOKEN_CACHE_MS = 60000 }; /* longest life of an entry */

typedef struct abdm_token_cache_s abdm_token_cache_t;

/* Room for `entries` tokens, rounded up to a power of two between 8 and 65536. */
abdm_err_t abdm_token_cache_new(size_t entries, abdm_token_cache_t **out);
void abdm_token_cache_free(abdm_token_cache_t *cache); /* NULL is allowed */

/* Whether this very header value was put under the same policy and the same generation of the
 * key set and may still be used; *claims is set then. `generation` must change with every key
 * set taken; each policy has its own id. */
bool abdm_token_cache_get(abdm_token_cache_t *cache, abdm_str_t authorization, abdm_ms_t now_ms,
                          uint64_t generation, const abdm_token_policy_t *policy,
                          abdm_token_claims_t *claims);

/* Keeps what abdm_token_verify accepted just now, until the token's end with its leeway, at
 * most a minute. Without a place it takes that of the entry which ends first. */
void abdm_token_cache_put(abdm_token_cache_t *cache, abdm_str_t authorization, abdm_ms_t now_ms,
                          uint64_t generation, const abdm_token_policy_t *policy,
                          const abdm_token_claims_t *claims);

#endif
