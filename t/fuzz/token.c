/*
 * The gateway's token. An input is the header's value as it stands ("r..."), or the JSON of
 * header and claims on two lines ("s..."), which is signed here: only so do the claims get read.
 */
#include "fuzz.h"

#include "../unit/jwt_kit.h"
#include "token/token.h"

#define NOW ((abdm_ms_t) 1772702411000)

static const abdm_str_t issuers[] = {ABDM_LIT("https://dev.abdm.example/realm")};
static const abdm_str_t callers[] = {ABDM_LIT("gateway")};
static const abdm_token_policy_t policy = {
    .id = 1,
    .issuers = issuers,
    .n_issuers = 1,
    .callers = callers,
    .n_callers = 1,
    .role = ABDM_LIT("gateway"),
    .client_id = ABDM_LIT("SBX_1"),
    .leeway_ms = ABDM_TOKEN_LEEWAY_MS,
};
static EVP_PKEY *key;
static abdm_jwks_t *keys;


static void
make_keys(void)
{
    abdm_buf_t b = {0};

    key = kit_key();
    abdm_buf_addz(&b, "{\"keys\":[");
    kit_jwk(&b, "a", key, "");
    abdm_buf_addz(&b, "]}");
    NEED(abdm_jwks_parse(b.p, b.len, &keys).code == ABDM_OK);
    abdm_buf_free(&b);
}


static abdm_err_t
verify(abdm_str_t authorization, abdm_token_claims_t *claims)
{
    abdm_err_t err = abdm_token_verify(&policy, keys, authorization, NOW, claims);

    NEED_NO_SSL_ERROR();
    NEED(abdm_token_verify(&policy, NULL, authorization, NOW, claims).code != ABDM_OK);
    return err;
}


static void
check_signed(abdm_str_t rest)
{
    char *header = fuzz_z(fuzz_line(&rest)), *payload = fuzz_z(rest);
    bool rs512 = strstr(header, "RS512") != NULL;
    char *bearer = kit_bearer(header, payload, key, rs512 ? EVP_sha512() : EVP_sha256());
    abdm_token_claims_t claims;

    if (!abdm_failed(verify(abdm_str(bearer), &claims))) {
        NEED(strcmp(claims.azp, "SBX_1") != 0);
        NEED(strcmp(claims.azp, "gateway") == 0 || strcasestr(payload, "gateway") != NULL ||
             strchr(payload, '\\') != NULL);
        NEED(claims.exp_ms + policy.leeway_ms > NOW);
    }
    free(bearer);
    free(payload);
    free(header);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    abdm_str_t rest = fuzz_text(data, size);
    abdm_token_claims_t claims;

    if (keys == NULL)
        make_keys();
    if (fuzz_choice(&rest) == 's')
        check_signed(rest);
    else
        NEED(abdm_failed(verify(rest, &claims))); /* nobody guesses a signature */
    return 0;
}
