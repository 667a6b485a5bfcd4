/*
 * A door of four facilities, tokens of the gateway and of others, and a key set for them. To be
 * included after cmocka.h.
 */
#ifndef ABDM_TEST_DOOR_KIT_H
#define ABDM_TEST_DOOR_KIT_H

#include "intake/door.h"
#include "jwt_kit.h"

#define ISSUER "https://dev.abdm.example/realm"
#define NOW    ((abdm_ms_t) 1772702411000)
#define CLAIMS(azp)                                                                                \
    "{\"exp\":1772703611,\"iat\":1772702411,\"iss\":\"" ISSUER "\",\"azp\":\"" azp "\"}"
#define HEADER(kid) "{\"alg\":\"RS256\",\"kid\":\"" kid "\"}"
#define NOTIFY "/abdm/api/v3/consent/request/hip/notify"

enum { MAX_BODY = 1000, HOUR = 60 * 60 * 1000 };

static const abdm_str_t issuers[] = {{ISSUER, sizeof(ISSUER) - 1}};
static const abdm_str_t callers[] = {{"gateway", 7}};
static const char *const facilities[] = {"IN01_1", "IN02_1", "IN02_2", "IN03"};
static EVP_PKEY *key;
static char *set_a, *good, *unknown_kid, *other_unknown_kid, *wrong_caller;


static inline char *
key_set(const char *kid)
{
    abdm_buf_t b = {0};

    abdm_buf_addz(&b, "{\"keys\":[");
    kit_jwk(&b, kid, key, ",\"alg\":\"RS256\"");
    abdm_buf_addz(&b, "]}");
    return abdm_buf_take(&b);
}


static inline int
make_tokens(void **state)
{
    (void) state;
    key = kit_key();
    set_a = key_set("a");
    good = kit_bearer(HEADER("a"), CLAIMS("gateway"), key, EVP_sha256());
    unknown_kid = kit_bearer(HEADER("b"), CLAIMS("gateway"), key, EVP_sha256());
    other_unknown_kid = kit_bearer(HEADER("c"), CLAIMS("gateway"), key, EVP_sha256());
    wrong_caller = kit_bearer(HEADER("a"), CLAIMS("SBX_9"), key, EVP_sha256());
    return 0;
}


static inline int
free_tokens(void **state)
{
    (void) state;
    EVP_PKEY_free(key);
    free(set_a);
    free(good);
    free(unknown_kid);
    free(other_unknown_kid);
    free(wrong_caller);
    return 0;
}


static inline abdm_doorkeeper_t *
make_door(bool with_keys)
{
    abdm_door_config_t config = {
        .policy = {.id = 1, .issuers = issuers, .n_issuers = 1, .callers = callers,
                   .n_callers = 1, .role = ABDM_LIT("gateway"),
                   .client_id = ABDM_LIT("SBX_1"), .leeway_ms = ABDM_TOKEN_LEEWAY_MS},
        .prefix = "/abdm", .max_body = MAX_BODY, .facility = facilities,
        .n_facility = sizeof(facilities) / sizeof(facilities[0])};
    abdm_doorkeeper_t *door;

    assert_int_equal(abdm_doorkeeper_new(&config, &door).code, ABDM_OK);
    if (with_keys)
        abdm_doorkeeper_keys(door, set_a, NOW, false, NOW);
    return door;
}


static inline abdm_headers_t
headers(const char *authorization)
{
    return (abdm_headers_t){
        .method = ABDM_LIT("POST"), .path = ABDM_LIT(NOTIFY),
        .authorization = abdm_str(authorization),
        .request_id = ABDM_LIT("3b9c5a60-1111-4c1f-8a55-1b2c3d4e5f60"),
        .hip_id = ABDM_LIT("IN01_1"), .content_type = ABDM_LIT("application/json"),
        .content_length = 100};
}

#endif
