/* Key sets: what the gateway's host answers, and what an attacker on its way might. */
#include "fuzz.h"

#include "token/jwks.h"


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char zeros[ABDM_JWK_SIGNATURE];
    abdm_jwks_t *set, *again;

    abdm_err_t err = abdm_jwks_parse((const char *) data, size, &set);
    NEED_NO_SSL_ERROR();
    NEED(abdm_failed(err) == (set == NULL));
    if (set == NULL)
        return 0;

    NEED(abdm_jwks_count(set) >= 1 && abdm_jwks_count(set) <= ABDM_JWKS_KEYS);
    NEED(abdm_jwks_parse((const char *) data, size, &again).code == ABDM_OK);
    NEED(strcmp(abdm_jwks_fingerprint(set), abdm_jwks_fingerprint(again)) == 0);
    abdm_jwks_free(again);

    const abdm_jwk_t *key = abdm_jwks_find(set, ABDM_LIT("a"));
    for (size_t len = 256; key != NULL && len <= sizeof zeros; len += 128)
        NEED(abdm_failed(abdm_jwk_verify(key, ABDM_JWK_RS256, ABDM_LIT("x"),
                                         (abdm_str_t){zeros, len})));
    NEED_NO_SSL_ERROR();
    abdm_jwks_free(set);
    return 0;
}
