/*
 * The front door: judges a callback by its headers alone, before its body is read, and turns
 * headers and body into what the store keeps. Belongs to one thread; never blocks.
 */
#ifndef ABDM_INTAKE_DOOR_H
#define ABDM_INTAKE_DOOR_H

#include "core/model.h"
#include "gateway/routes.h"
#include "token/cache.h"
#include "token/token.h"

/* Headers of a callback, borrowed; p == NULL: absent. */
typedef struct {
    abdm_str_t method;
    abdm_str_t path;
    abdm_str_t authorization;
    abdm_str_t request_id;
    abdm_str_t hip_id;
    abdm_str_t hiu_id;
    abdm_str_t content_type;
    abdm_str_t content_encoding;
    int64_t content_length; /* -1: not told */
    bool duplicate;
} abdm_headers_t;

typedef struct {
    abdm_token_policy_t policy;
    const char *prefix;           /* of callback paths */
    size_t max_body;
    const char *const *facility;  /* ids */
    size_t n_facility;
} abdm_door_config_t;

typedef struct abdm_doorkeeper_s abdm_doorkeeper_t;

/* `config` is copied, what it points to is borrowed. */
abdm_err_t abdm_doorkeeper_new(const abdm_door_config_t *config, abdm_doorkeeper_t **out);
void abdm_doorkeeper_free(abdm_doorkeeper_t *door);

typedef enum { ABDM_PASS, ABDM_REFUSE, ABDM_WAIT } abdm_verdict_t;

/* REFUSE: *why says so. WAIT: a fetch of keys may change the verdict; `last` gives no more WAIT.
 * *want_keys: the caller should ask for newer keys. */
abdm_verdict_t abdm_doorkeeper_judge(abdm_doorkeeper_t *door, const abdm_headers_t *headers,
                                     abdm_ms_t now, bool last, abdm_err_t *why, bool *want_keys);

/* News of keys: a set, or NULL when there is none newer; `failed`: the gateway could not be
 * asked. They answer whoever waits. */
void abdm_doorkeeper_keys(abdm_doorkeeper_t *door, const char *json, abdm_ms_t fetched_at,
                          bool failed, abdm_ms_t now);
/* The same when nobody had asked. False: somebody has meanwhile, and waits on for the answer. */
bool abdm_doorkeeper_keys_unasked(abdm_doorkeeper_t *door, const char *json, abdm_ms_t fetched_at,
                                  bool failed, abdm_ms_t now);

/* A callback that was let in, as the store keeps it; owned strings. Of the body its length alone
 * is judged: it is read where it is made durable. E_BODY_MISSING, E_BODY_TOO_LARGE. */
typedef struct {
    char *path;
    const char *event; /* static, NULL: for the operator */
    char *hip_id;
    char *request_id;
} abdm_intake_t;

abdm_err_t abdm_doorkeeper_take(abdm_doorkeeper_t *door, const abdm_headers_t *headers,
                                size_t body_len, abdm_intake_t *out);
void abdm_intake_clear(abdm_intake_t *intake);

typedef struct {
    size_t keys;
    abdm_ms_t keys_fetched_at;
    bool keys_failed;
} abdm_door_state_t;

void abdm_doorkeeper_state(const abdm_doorkeeper_t *door, abdm_door_state_t *out);

#endif
