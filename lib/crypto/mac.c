/* HMAC-SHA-256 by OpenSSL, whose context keeps the key's two blocks hashed between messages. */
#include "crypto/mac.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdlib.h>

#include "crypto/refused.h"

struct abdm_mac_s {
    EVP_MAC_CTX *ctx; /* with its key */
};


static EVP_MAC_CTX *
context(const uint8_t key[ABDM_MAC_LEN])
{
    char digest[] = "SHA256";
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *ctx = hmac != NULL ? EVP_MAC_CTX_new(hmac) : NULL;

    EVP_MAC_free(hmac);
    if (ctx != NULL && EVP_MAC_init(ctx, key, ABDM_MAC_LEN, params) != 1) {
        EVP_MAC_CTX_free(ctx);
        ctx = NULL;
    }
    return ctx;
}


abdm_err_t
abdm_mac_new(const abdm_seal_key_t *key, const char *label, abdm_mac_t **out)
{
    uint8_t derived[ABDM_MAC_LEN];
    abdm_mac_t *mac;
    abdm_err_t err;

    *out = NULL;
    mac = calloc(1, sizeof(*mac));
    if (mac == NULL)
        return ABDM_ERR(MEMORY, "message authentication");
    err = abdm_seal_derive(key, label, derived);
    if (!abdm_failed(err)) {
        mac->ctx = context(derived);
        if (mac->ctx == NULL)
            err = abdm_crypto_refused(ABDM_ERR(CRYPTO, "HMAC-SHA256 is not available"));
    }
    abdm_wipe(derived, sizeof(derived));
    if (abdm_failed(err)) {
        abdm_mac_free(mac);
        return err;
    }
    *out = mac;
    return ABDM_NO_ERR;
}


void
abdm_mac_free(abdm_mac_t *mac)
{
    if (mac == NULL)
        return;
    EVP_MAC_CTX_free(mac->ctx);
    free(mac);
}


abdm_err_t
abdm_mac(abdm_mac_t *mac, abdm_str_t message, uint8_t out[ABDM_MAC_LEN])
{
    size_t len = 0;

    if (EVP_MAC_init(mac->ctx, NULL, 0, NULL) == 1
        && EVP_MAC_update(mac->ctx, (const uint8_t *) message.p, message.len) == 1
        && EVP_MAC_final(mac->ctx, out, &len, ABDM_MAC_LEN) == 1)
        return ABDM_NO_ERR;
    return abdm_crypto_refused(ABDM_ERR(CRYPTO, "HMAC-SHA256 failed"));
}
