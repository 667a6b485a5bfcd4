/*
 * Keys, key sets and tokens for tests and benchmarks, made with OpenSSL alone. Everything here
 * ends the program when it fails: a test without its material proves nothing.
 */
#ifndef T_UNIT_JWT_KIT_H
#define T_UNIT_JWT_KIT_H

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"

static inline void *
kit_need(void *p, const char *what)
{
    if (p == NULL) {
        fprintf(stderr, "jwt_kit: %s\n", what);
        exit(99);
    }
    return p;
}


/* base64url without padding; terminated, caller frees. */
static inline char *
kit_b64url(const void *p, size_t len)
{
    char *out = kit_need(malloc(abdm_base64_len(len) + 1), "no memory");
    size_t n = abdm_base64_encode(p, len, out);

    while (n > 0 && out[n - 1] == '=')
        n--;
    out[n] = '\0';
    for (char *c = out; *c != '\0'; c++)
        *c = *c == '+' ? '-' : *c == '/' ? '_' : *c;
    return out;
}


static inline EVP_PKEY *
kit_key(void)
{
    return kit_need(EVP_RSA_gen(2048), "no RSA key");
}


static inline char *
kit_number(const EVP_PKEY *key, const char *name)
{
    BIGNUM *v = NULL;
    unsigned char bytes[1100];

    if (EVP_PKEY_get_bn_param(key, name, &v) != 1)
        kit_need(NULL, name);
    int n = BN_bn2bin(v, bytes);
    BN_free(v);
    return kit_b64url(bytes, (size_t) n);
}


/* One JWK; `more` is text for other members, such as ",\"use\":\"sig\"". */
static inline void
kit_jwk(abdm_buf_t *out, const char *kid, const EVP_PKEY *key, const char *more)
{
    char *n = kit_number(key, OSSL_PKEY_PARAM_RSA_N);
    char *e = kit_number(key, OSSL_PKEY_PARAM_RSA_E);

    abdm_buf_addf(out, "{\"kid\":\"%s\",\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"%s\"%s}", kid, n, e,
                  more);
    free(n);
    free(e);
}


static inline char *
kit_signature(const char *input, EVP_PKEY *key, const EVP_MD *md)
{
    unsigned char sig[1100];
    size_t len = sizeof sig;
    EVP_MD_CTX *ctx = kit_need(EVP_MD_CTX_new(), "no memory");

    if (EVP_DigestSignInit(ctx, NULL, md, NULL, key) != 1 ||
        EVP_DigestSign(ctx, sig, &len, (const unsigned char *) input, strlen(input)) != 1)
        kit_need(NULL, "no signature");
    EVP_MD_CTX_free(ctx);
    return kit_b64url(sig, len);
}


/* "header.payload" of two JSON texts; terminated, caller frees. */
static inline char *
kit_unsigned(const char *header, const char *payload)
{
    char *h = kit_b64url(header, strlen(header)), *p = kit_b64url(payload, strlen(payload));
    char *out = kit_need(malloc(strlen(h) + strlen(p) + 2), "no memory");

    sprintf(out, "%s.%s", h, p);
    free(h);
    free(p);
    return out;
}


/* "Bearer header.payload.signature"; terminated, caller frees. */
static inline char *
kit_bearer(const char *header, const char *payload, EVP_PKEY *key, const EVP_MD *md)
{
    char *input = kit_unsigned(header, payload);
    char *sig = kit_signature(input, key, md);
    char *out = kit_need(malloc(strlen(input) + strlen(sig) + 9), "no memory");

    sprintf(out, "Bearer %s.%s", input, sig);
    free(input);
    free(sig);
    return out;
}

#endif
