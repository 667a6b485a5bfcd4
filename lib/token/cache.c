/*
 * An open table of fixed size, keyed by SHA-256 of the header value; a key may stand in any of
 * the few slots that follow its own. An entry is good for one policy and one generation of
 * keys, so a rotation or another tenant's policy meets an empty table.
 */
#include "token/cache.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

enum {
    PROBES = 8,
    ENTRIES_MAX = 65536,
    KEY = 32,
    AUTHORIZATION_MAX = ABDM_TOKEN_BYTES + 16,
};

typedef struct {
    uint8_t key[KEY];
    abdm_ms_t from;  /* good while from <= now < until; a clock set back ends it, too */
    abdm_ms_t until; /* 0 = free */
    uint64_t generation;
    uint32_t policy;
    abdm_token_claims_t claims;
} entry_t;

struct abdm_token_cache_s {
    EVP_MD *sha256; /* owned */
    size_t mask;
    entry_t entries[]; /* mask + 1 */
};


abdm_err_t
abdm_token_cache_new(size_t entries, abdm_token_cache_t **out)
{
    size_t n = PROBES;

    *out = NULL;
    while (n < entries && n < ENTRIES_MAX)
        n *= 2;
    abdm_token_cache_t *cache = calloc(1, sizeof *cache + n * sizeof *cache->entries);
    if (cache == NULL)
        return ABDM_ERR(MEMORY, "cache of verified tokens");
    cache->mask = n - 1;
    cache->sha256 = EVP_MD_fetch(NULL, "SHA2-256", NULL);
    if (cache->sha256 == NULL) {
        ERR_clear_error();
        abdm_token_cache_free(cache);
        return ABDM_ERR(CRYPTO, "fetching SHA-256");
    }
    *out = cache;
    return ABDM_NO_ERR;
}


void
abdm_token_cache_free(abdm_token_cache_t *cache)
{
    if (cache == NULL)
        return;
    EVP_MD_free(cache->sha256);
    free(cache);
}


/* The first slot of a header value; false for what cannot have been verified. */
static bool
find_home(const abdm_token_cache_t *cache, abdm_str_t authorization, uint8_t key[KEY],
          size_t *home)
{
    uint32_t start;

    if (authorization.len == 0 || authorization.len > AUTHORIZATION_MAX)
        return false;
    if (EVP_Digest(authorization.p, authorization.len, key, NULL, cache->sha256, NULL) != 1) {
        ERR_clear_error();
        return false;
    }
    memcpy(&start, key, sizeof start);
    *home = start & cache->mask;
    return true;
}


static bool
is_good(const entry_t *e, abdm_ms_t now, uint64_t generation, uint32_t policy)
{
    return e->from <= now && now < e->until && e->generation == generation && e->policy == policy;
}


bool
abdm_token_cache_get(abdm_token_cache_t *cache, abdm_str_t authorization, abdm_ms_t now_ms,
                     uint64_t generation, const abdm_token_policy_t *policy,
                     abdm_token_claims_t *claims)
{
    uint8_t key[KEY];
    size_t home;

    if (!find_home(cache, authorization, key, &home))
        return false;
    for (size_t i = 0; i < PROBES; i++) {
        const entry_t *e = &cache->entries[(home + i) & cache->mask];
        if (is_good(e, now_ms, generation, policy->id) && memcmp(e->key, key, KEY) == 0) {
            *claims = e->claims;
            return true;
        }
    }
    return false;
}


void
abdm_token_cache_put(abdm_token_cache_t *cache, abdm_str_t authorization, abdm_ms_t now_ms,
                     uint64_t generation, const abdm_token_policy_t *policy,
                     const abdm_token_claims_t *claims)
{
    abdm_ms_t until = claims->exp_ms + policy->leeway_ms;
    abdm_ms_t place_end = INT64_MIN;
    entry_t *place = NULL;
    uint8_t key[KEY];
    size_t home;

    if (until > now_ms + ABDM_TOKEN_CACHE_MS)
        until = now_ms + ABDM_TOKEN_CACHE_MS;
    if (until <= now_ms || !find_home(cache, authorization, key, &home))
        return;
    for (size_t i = 0; i < PROBES; i++) {
        entry_t *e = &cache->entries[(home + i) & cache->mask];
        /* Entries of older keys are dead whatever their time. */
        bool dead = now_ms >= e->until || now_ms < e->from || e->generation != generation;
        abdm_ms_t end = dead ? INT64_MIN : e->until;
        if (e->policy == policy->id && memcmp(e->key, key, KEY) == 0) {
            place = e;
            break;
        }
        if (place == NULL || end < place_end) {
            place = e;
            place_end = end;
        }
    }
    *place = (entry_t){.from = now_ms,
                       .until = until,
                       .generation = generation,
                       .policy = policy->id,
                       .claims = *claims};
    memcpy(place->key, key, KEY);
}
