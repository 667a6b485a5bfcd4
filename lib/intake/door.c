/*
 * Who comes in. The checks run from the cheapest to the dearest and all before the body: path,
 * method, headers, sizes, then the token. Fresh keys are asked for when a token names an
 * unknown one; a key that was looked for in vain is remembered, so that inventing key ids does
 * not make us ask the gateway again and again (threat model J7, J8).
 */
#include <stdlib.h>
#include <string.h>

#include "core/id.h"
#include "intake/door.h"

enum {
    TOKENS = 1024,
    KEYS_AGE_MAX = 24 * 60 * 60 * 1000,
    MISSES = 256,
    MISS_MS = 60 * 1000,
    WANT_AGAIN_MS = 3000 /* an answer about keys that never came */
};

/* A token header (it names the key) that no key set had. */
typedef struct {
    char digest[65];
    abdm_ms_t until;
} miss_t;

struct abdm_doorkeeper_s {
    abdm_door_config_t config;
    abdm_jwks_t *keys; /* NULL: none yet */
    uint64_t generation;
    abdm_ms_t fetched_at;
    bool failed;        /* the gateway could not be asked last time */
    abdm_ms_t wanted_at; /* 0: no answer about keys is awaited */
    abdm_ms_t news_at;
    abdm_token_cache_t *cache;
    miss_t misses[MISSES];
    size_t next_miss;
};


abdm_err_t
abdm_doorkeeper_new(const abdm_door_config_t *config, abdm_doorkeeper_t **out)
{
    abdm_doorkeeper_t *door = calloc(1, sizeof(*door));
    abdm_err_t err;

    *out = NULL;
    if (door == NULL) {
        return ABDM_ERR(MEMORY, "front door");
    }
    door->config = *config;
    err = abdm_token_cache_new(TOKENS, &door->cache);
    if (abdm_failed(err)) {
        free(door);
        return err;
    }
    *out = door;
    return ABDM_NO_ERR;
}


void
abdm_doorkeeper_free(abdm_doorkeeper_t *door)
{
    if (door != NULL) {
        abdm_jwks_free(door->keys);
        abdm_token_cache_free(door->cache);
        free(door);
    }
}


/* --- keys --- */

static abdm_err_t
header_digest(const abdm_headers_t *headers, char out[65])
{
    abdm_str_t part = headers->authorization;
    const char *dot = memchr(part.p, '.', part.len);

    if (dot != NULL) {
        part.len = (size_t) (dot - part.p);
    }
    return abdm_sha256_hex(part, out);
}


static bool
was_missed(const abdm_doorkeeper_t *door, const char *digest, abdm_ms_t now)
{
    for (size_t i = 0; i < MISSES; i++) {
        if (door->misses[i].until > now && strcmp(door->misses[i].digest, digest) == 0) {
            return true;
        }
    }
    return false;
}


static void
remember_miss(abdm_doorkeeper_t *door, const char *digest, abdm_ms_t now)
{
    miss_t *miss = &door->misses[door->next_miss++ % MISSES];

    memcpy(miss->digest, digest, sizeof(miss->digest));
    miss->until = now + MISS_MS;
}


void
abdm_doorkeeper_keys(abdm_doorkeeper_t *door, const char *json, abdm_ms_t fetched_at, bool failed,
                     abdm_ms_t now)
{
    abdm_jwks_t *keys = NULL;

    door->wanted_at = 0;
    door->news_at = now;
    door->failed = failed;
    if (json == NULL || abdm_failed(abdm_jwks_parse(json, strlen(json), &keys))) {
        return;
    }
    abdm_jwks_free(door->keys);
    door->keys = keys;
    door->fetched_at = fetched_at;
    door->generation++;
    memset(door->misses, 0, sizeof(door->misses));
}


bool
abdm_doorkeeper_keys_unasked(abdm_doorkeeper_t *door, const char *json, abdm_ms_t fetched_at,
                             bool failed, abdm_ms_t now)
{
    abdm_ms_t wanted_at = door->wanted_at;

    abdm_doorkeeper_keys(door, json, fetched_at, failed, now);
    door->wanted_at = wanted_at;
    return wanted_at == 0;
}


/* The token verified against no key we have: may fresh keys change that? */
static abdm_verdict_t
about_keys(abdm_doorkeeper_t *door, const abdm_headers_t *headers, abdm_ms_t now, bool last,
           abdm_err_t *why, bool *want_keys)
{
    char digest[65];

    abdm_err_t err = header_digest(headers, digest);

    if (abdm_failed(err)) {
        *why = err;
        return ABDM_REFUSE;
    }
    if (was_missed(door, digest, now)) {
        return ABDM_REFUSE;
    }
    if (!last) {
        if (door->wanted_at == 0 || now - door->wanted_at > WANT_AGAIN_MS) {
            door->wanted_at = now;
            *want_keys = true;
        }
        return ABDM_WAIT;
    }
    if (door->wanted_at == 0 && !door->failed && why->code == ABDM_E_TOKEN_KID_UNKNOWN) {
        remember_miss(door, digest, now);
        return ABDM_REFUSE;
    }
    *why = ABDM_ERR(KEYS_UNAVAILABLE, "no fresh key set could be had for the token's key id");
    return ABDM_REFUSE;
}


static abdm_verdict_t
judge_token(abdm_doorkeeper_t *door, const abdm_headers_t *headers, abdm_ms_t now, bool last,
            abdm_err_t *why, bool *want_keys)
{
    bool stale = door->keys != NULL && now - door->fetched_at > KEYS_AGE_MAX;
    abdm_token_claims_t claims;

    if (headers->authorization.p == NULL) {
        *why = ABDM_ERR(TOKEN_MISSING, "Authorization");
        return ABDM_REFUSE;
    }
    if (!stale
        && abdm_token_cache_get(door->cache, headers->authorization, now, door->generation,
                                &door->config.policy, &claims)) {
        return ABDM_PASS;
    }
    *why = abdm_token_verify(&door->config.policy, stale ? NULL : door->keys,
                             headers->authorization, now, &claims);
    if (!abdm_failed(*why)) {
        abdm_token_cache_put(door->cache, headers->authorization, now, door->generation,
                             &door->config.policy, &claims);
        return ABDM_PASS;
    }
    if (why->code == ABDM_E_TOKEN_KID_UNKNOWN || why->code == ABDM_E_KEYS_UNAVAILABLE) {
        return about_keys(door, headers, now, last, why, want_keys);
    }
    return ABDM_REFUSE;
}


/* --- headers --- */

static bool
is_json(abdm_str_t type)
{
    static const char json[] = "application/json";
    const char *end;
    size_t len;

    if (type.p == NULL) {
        return false;
    }
    end = memchr(type.p, ';', type.len);
    len = end != NULL ? (size_t) (end - type.p) : type.len;
    while (len > 0 && (type.p[len - 1] == ' ' || type.p[len - 1] == '\t')) {
        len--;
    }
    return abdm_str_ieq((abdm_str_t){type.p, len}, ABDM_LIT(json));
}


/* The configured facility that a header names: by its service id, or by the bare facility id when
 * just one service of it is here. */
static const char *
facility_named(const abdm_doorkeeper_t *door, abdm_str_t id)
{
    const char *found = NULL;

    for (size_t i = 0; i < door->config.n_facility; i++) {
        if (abdm_str_eq(id, abdm_str(door->config.facility[i]))) {
            return door->config.facility[i];
        }
    }
    for (size_t i = 0; i < door->config.n_facility; i++) {
        if (abdm_facility_is(door->config.facility[i], id)) {
            if (found != NULL) {
                return NULL;
            }
            found = door->config.facility[i];
        }
    }
    return found;
}


/* "" when the route has no facility. */
static abdm_err_t
find_facility(const abdm_doorkeeper_t *door, const abdm_headers_t *headers,
              const abdm_route_t *route, const char **facility)
{
    abdm_str_t id = {NULL, 0};

    *facility = "";
    switch (route->facility) {
    case ABDM_FACILITY_HIP:
        id = headers->hip_id;
        break;
    case ABDM_FACILITY_HIU:
        id = headers->hiu_id;
        break;
    case ABDM_FACILITY_EITHER:
        id = headers->hip_id.p != NULL ? headers->hip_id : headers->hiu_id;
        if (id.p == NULL) {
            return ABDM_NO_ERR;
        }
        break;
    case ABDM_FACILITY_NONE:
        return ABDM_NO_ERR;
    }
    *facility = id.p != NULL ? facility_named(door, id) : NULL;
    if (*facility == NULL) {
        return route->facility == ABDM_FACILITY_HIU
                   ? ABDM_ERR(FACILITY_UNKNOWN, "X-HIU-ID")
                   : ABDM_ERR(FACILITY_UNKNOWN, "X-HIP-ID");
    }
    return ABDM_NO_ERR;
}


static abdm_err_t
judge_headers(const abdm_doorkeeper_t *door, const abdm_headers_t *headers)
{
    if (headers->content_encoding.len > 0
        && !abdm_str_ieq(headers->content_encoding, ABDM_LIT("identity"))) {
        return ABDM_ERR(ENCODING, "Content-Encoding");
    }
    if (!is_json(headers->content_type)) {
        return ABDM_ERR(CONTENT_TYPE, "Content-Type");
    }
    if (headers->content_length > 0 && (uint64_t) headers->content_length > door->config.max_body) {
        return ABDM_ERR(BODY_TOO_LARGE, "Content-Length");
    }
    return ABDM_NO_ERR;
}


abdm_verdict_t
abdm_doorkeeper_judge(abdm_doorkeeper_t *door, const abdm_headers_t *headers, abdm_ms_t now,
                      bool last, abdm_err_t *why, bool *want_keys)
{
    const abdm_route_t *route;
    const char *facility;
    abdm_verdict_t verdict;

    *want_keys = false;
    *why = ABDM_NO_ERR;
    route = abdm_route_find(abdm_str(door->config.prefix), headers->path);
    if (route == NULL) {
        *why = ABDM_ERR(ROUTE_UNKNOWN, "path");
        return ABDM_REFUSE;
    }
    if (!abdm_str_eq(headers->method, ABDM_LIT("POST"))) {
        *why = ABDM_ERR(METHOD, "method");
        return ABDM_REFUSE;
    }
    if (headers->duplicate) {
        *why = ABDM_ERR(HEADER_DUPLICATE, "Authorization, REQUEST-ID or a facility header");
        return ABDM_REFUSE;
    }
    *why = judge_headers(door, headers);
    if (abdm_failed(*why)) {
        return ABDM_REFUSE;
    }
    /* nothing about us is told to a caller without a good token: facilities come after it */
    verdict = judge_token(door, headers, now, last, why, want_keys);
    if (verdict != ABDM_PASS) {
        return verdict;
    }
    if (!abdm_is_uuid(headers->request_id)) {
        *why = ABDM_ERR(REQUEST_ID, "REQUEST-ID");
        return ABDM_REFUSE;
    }
    *why = find_facility(door, headers, route, &facility);
    return abdm_failed(*why) ? ABDM_REFUSE : ABDM_PASS;
}


/* --- what is let in --- */

void
abdm_intake_clear(abdm_intake_t *intake)
{
    free(intake->path);
    free(intake->hip_id);
    free(intake->request_id);
    memset(intake, 0, sizeof(*intake));
}


abdm_err_t
abdm_doorkeeper_take(abdm_doorkeeper_t *door, const abdm_headers_t *headers, size_t body_len,
                     abdm_intake_t *out)
{
    abdm_str_t prefix = abdm_str(door->config.prefix), path = headers->path;
    const abdm_route_t *route = abdm_route_find(prefix, path);
    const char *facility;

    memset(out, 0, sizeof(*out));
    if (route == NULL) {
        return ABDM_ERR(ROUTE_UNKNOWN, "path");
    }
    ABDM_TRY(find_facility(door, headers, route, &facility));
    if (body_len == 0) {
        return ABDM_ERR(BODY_MISSING, "body");
    }
    if (body_len > door->config.max_body) {
        return ABDM_ERR(BODY_TOO_LARGE, "body");
    }

    if (strcmp(route->path, "*") == 0) { /* the operator wants to see where it came to */
        path.p += prefix.len;
        path.len -= prefix.len;
    } else {
        path = abdm_str(route->path);
    }
    out->path = abdm_str_dup(path);
    out->event = route->event;
    out->hip_id = strdup(facility);
    out->request_id = abdm_str_dup(headers->request_id);
    if (out->path == NULL || out->hip_id == NULL || out->request_id == NULL) {
        abdm_intake_clear(out);
        return ABDM_ERR(MEMORY, "callback");
    }
    return ABDM_NO_ERR;
}


void
abdm_doorkeeper_state(const abdm_doorkeeper_t *door, abdm_door_state_t *out)
{
    out->keys = door->keys != NULL ? abdm_jwks_count(door->keys) : 0;
    out->keys_fetched_at = door->fetched_at;
    out->keys_failed = door->failed;
}
