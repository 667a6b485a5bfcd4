/*
 * The gateway's published signing keys (RFC 7517), as the only material a callback's token is
 * verified with. A set is taken whole or not at all: one sign of poisoning (a symmetric or a
 * private key, a weak modulus) refuses it, and the caller keeps the set it had.
 */
#ifndef ABDM_TOKEN_JWKS_H
#define ABDM_TOKEN_JWKS_H

#include "core/buf.h"
#include "core/err.h"

enum {
    ABDM_JWKS_BYTES = 65536,
    ABDM_JWKS_KEYS = 16,
    ABDM_JWK_KID = 128,
    ABDM_JWK_SIGNATURE = 1024, /* bytes of the largest signature: RSA-8192 */
};

typedef enum { ABDM_JWK_RS256, ABDM_JWK_RS512, ABDM_JWK_ALGS } abdm_jwk_alg_t;

typedef struct abdm_jwk_s abdm_jwk_t;
typedef struct abdm_jwks_s abdm_jwks_t;

/* Reads a key set. Kept are RSA keys with a kid of 1..128 printable bytes whose use, key_ops
 * and alg, where given, allow verifying RS256 or RS512. Keys of other types, uses and
 * algorithms are passed over; a kid that comes twice makes all its keys unusable. E_JWKS:
 * larger than 64 KiB, more than 16 keys, an `oct` key, private members in any key, an RSA
 * signing key outside 2048..8192 bits or with an exponent that is even or below 65537, or no
 * key left. The set is immutable, but verifying uses contexts inside it: one thread only.
 * *out is NULL on failure; freed with abdm_jwks_free. */
abdm_err_t abdm_jwks_parse(const char *json, size_t len, abdm_jwks_t **out);
void abdm_jwks_free(abdm_jwks_t *set); /* NULL is allowed */

/* The key named `kid`, compared byte by byte, or NULL. Lives as long as the set. */
const abdm_jwk_t *abdm_jwks_find(const abdm_jwks_t *set, abdm_str_t kid);

size_t abdm_jwks_count(const abdm_jwks_t *set); /* of usable keys */

/* Lower-case hex SHA-256 of kids, algorithms, exponents and moduli, independent of the order in
 * the document: equal text means that no key changed. Static to the set. */
const char *abdm_jwks_fingerprint(const abdm_jwks_t *set);

/* RSASSA-PKCS1-v1_5 over `input`. E_TOKEN_ALG when the key is published for another algorithm,
 * E_TOKEN_SIGNATURE when it does not verify. E_CRYPTO. */
abdm_err_t abdm_jwk_verify(const abdm_jwk_t *key, abdm_jwk_alg_t alg, abdm_str_t input,
                           abdm_str_t signature);

#endif
