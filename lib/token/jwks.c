/*
 * JWKS reading and RSA verification. Rules: RFC 7517 and 7518 6.3.1, narrowed to what the
 * gateway publishes (RSA keys, use sig, RS256 and RS512). Each key keeps one prepared context
 * per algorithm, since preparing costs more than a quarter of a verification.
 */
#include "token/jwks.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>

#include "core/id.h"
#include "core/json.h"
#include "crypto/refused.h"

enum {
    DEPTH = 16,
    BITS_MIN = 2048,
    BITS_MAX = 8192,
    EXPONENT_MIN = 65537,
    EXPONENT_BYTES = 8,
    MODULUS_BYTES = BITS_MAX / 8 + 1, /* some writers put a sign byte in front */
};

struct abdm_jwk_s {
    char kid[ABDM_JWK_KID + 1];
    size_t kid_len;
    bool twice;
    size_t size;                        /* of a signature, bytes */
    EVP_PKEY *pkey;                     /* owned */
    EVP_PKEY_CTX *verify[ABDM_JWK_ALGS]; /* owned; NULL where the key's alg forbids it */
    const EVP_MD *const *md;            /* the set's */
    uint8_t e[EXPONENT_BYTES];          /* big endian */
    uint8_t n[BITS_MAX / 8];            /* big endian, `size` bytes */
};

struct abdm_jwks_s {
    EVP_MD *md[ABDM_JWK_ALGS]; /* owned */
    size_t n;
    abdm_jwk_t keys[ABDM_JWKS_KEYS]; /* sorted by kid */
    char fingerprint[65];
};

static const struct {
    const char *name;
    const char *digest;
} algs[ABDM_JWK_ALGS] = {
    [ABDM_JWK_RS256] = {"RS256", "SHA2-256"},
    [ABDM_JWK_RS512] = {"RS512", "SHA2-512"},
};

/* RFC 7518 6.3.2 and 6.4: no published key has these. */
static const char *const private_members[] = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"};


static void
key_clear(abdm_jwk_t *key)
{
    for (int i = 0; i < ABDM_JWK_ALGS; i++)
        EVP_PKEY_CTX_free(key->verify[i]);
    EVP_PKEY_free(key->pkey);
    memset(key, 0, sizeof *key);
}


void
abdm_jwks_free(abdm_jwks_t *set)
{
    if (set == NULL)
        return;
    for (size_t i = 0; i < set->n; i++)
        key_clear(&set->keys[i]);
    for (int i = 0; i < ABDM_JWK_ALGS; i++)
        EVP_MD_free(set->md[i]);
    free(set);
}


/* Whether key_ops, where given, lets the key verify. */
static bool
ops_allow(const json_t *jwk)
{
    const json_t *ops = json_object_get(jwk, "key_ops");

    if (ops == NULL)
        return true;
    for (size_t i = 0; i < json_array_size(ops); i++) {
        const char *op = json_string_value(json_array_get(ops, i));
        if (op != NULL && strcmp(op, "verify") == 0)
            return true;
    }
    return false;
}


/* The member is absent (and *value NULL), or a string. */
static bool
optional_string(const json_t *jwk, const char *name, const char **value)
{
    const json_t *v = json_object_get(jwk, name);

    *value = json_string_value(v);
    return v == NULL || *value != NULL;
}


static bool
read_kid(const json_t *jwk, abdm_jwk_t *key)
{
    const json_t *v = json_object_get(jwk, "kid");
    const char *kid = json_string_value(v);
    size_t len = json_string_length(v);

    if (kid == NULL || len < 1 || len > ABDM_JWK_KID)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (kid[i] < 0x20 || kid[i] > 0x7e)
            return false;
    }
    memcpy(key->kid, kid, len + 1);
    key->kid_len = len;
    return true;
}


/* Whether the key is an RSA signing key that a token could name; *want tells which algorithms
 * it serves. What is of another kind is passed over, not refused. */
static bool
is_signing_key(const json_t *jwk, abdm_jwk_t *key, bool want[ABDM_JWK_ALGS])
{
    const char *kty = json_string_value(json_object_get(jwk, "kty"));
    const char *use, *alg;
    bool any = false;

    if (strcmp(kty, "RSA") != 0 || !optional_string(jwk, "use", &use) ||
        !optional_string(jwk, "alg", &alg))
        return false;
    if ((use != NULL && strcmp(use, "sig") != 0) || !ops_allow(jwk))
        return false;
    for (int i = 0; i < ABDM_JWK_ALGS; i++) {
        want[i] = alg == NULL || strcmp(alg, algs[i].name) == 0;
        any = any || want[i];
    }
    return any && read_kid(jwk, key);
}


static abdm_err_t
read_number(const json_t *jwk, const char *name, size_t max, BIGNUM **out)
{
    const json_t *v = json_object_get(jwk, name);
    uint8_t bytes[MODULUS_BYTES];
    size_t len;

    if (json_string_value(v) == NULL ||
        !abdm_base64url_decode((abdm_str_t){json_string_value(v), json_string_length(v)}, bytes,
                               max, &len) ||
        len == 0)
        return ABDM_ERR(JWKS, "key set: n or e of an RSA key is not a base64url number in range");
    *out = BN_bin2bn(bytes, (int) len, NULL);
    return *out != NULL ? ABDM_NO_ERR : ABDM_ERR(CRYPTO, "reading an RSA key of the gateway");
}


static EVP_PKEY *
make_pkey(const BIGNUM *n, const BIGNUM *e)
{
    EVP_PKEY *pkey = NULL;
    OSSL_PARAM *params = NULL;
    OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);

    if (bld != NULL && ctx != NULL && OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
        OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, e) == 1)
        params = OSSL_PARAM_BLD_to_param(bld);
    if (params != NULL && EVP_PKEY_fromdata_init(ctx) == 1 &&
        EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1)
        pkey = NULL;
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(bld);
    EVP_PKEY_CTX_free(ctx);
    return pkey;
}


static abdm_err_t
prepare(abdm_jwk_t *key, const EVP_MD *const *md, const bool want[ABDM_JWK_ALGS])
{
    for (int i = 0; i < ABDM_JWK_ALGS; i++) {
        if (!want[i])
            continue;
        EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key->pkey, NULL);
        key->verify[i] = ctx;
        if (ctx == NULL || EVP_PKEY_verify_init(ctx) != 1 ||
            EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) != 1 ||
            EVP_PKEY_CTX_set_signature_md(ctx, md[i]) != 1)
            return ABDM_ERR(CRYPTO, "preparing an RSA key of the gateway");
    }
    key->md = md;
    return ABDM_NO_ERR;
}


static abdm_err_t
take_rsa(const BIGNUM *n, const BIGNUM *e, const EVP_MD *const *md, const bool want[ABDM_JWK_ALGS],
         abdm_jwk_t *key)
{
    if (BN_num_bits(n) < BITS_MIN || BN_num_bits(n) > BITS_MAX || !BN_is_odd(n))
        return ABDM_ERR(JWKS, "key set: an RSA modulus is not an odd number of 2048 to 8192 bits");
    if (BN_get_word(e) < EXPONENT_MIN || !BN_is_odd(e))
        return ABDM_ERR(JWKS, "key set: an RSA exponent is even or below 65537");
    key->pkey = make_pkey(n, e);
    if (key->pkey == NULL)
        return ABDM_ERR(CRYPTO, "making an RSA key of the gateway");
    key->size = (size_t) BN_num_bytes(n);
    if (BN_bn2binpad(n, key->n, (int) key->size) < 0 || BN_bn2binpad(e, key->e, EXPONENT_BYTES) < 0)
        return ABDM_ERR(CRYPTO, "reading back an RSA key of the gateway");
    return prepare(key, md, want);
}


static abdm_err_t
read_rsa(const json_t *jwk, const EVP_MD *const *md, const bool want[ABDM_JWK_ALGS],
         abdm_jwk_t *key)
{
    BIGNUM *n = NULL, *e = NULL;
    abdm_err_t err = read_number(jwk, "n", MODULUS_BYTES, &n);

    if (!abdm_failed(err))
        err = read_number(jwk, "e", EXPONENT_BYTES, &e);
    if (!abdm_failed(err))
        err = take_rsa(n, e, md, want, key);
    BN_free(n);
    BN_free(e);
    return err;
}


/* What no honest key set has refuses all of it. */
static abdm_err_t
check_honest(const json_t *jwk)
{
    const char *kty = json_string_value(json_object_get(jwk, "kty"));

    if (kty == NULL)
        return ABDM_ERR(JWKS, "key set: a key without kty");
    if (strcmp(kty, "oct") == 0)
        return ABDM_ERR(JWKS, "key set: it has a symmetric key");
    for (size_t i = 0; i < sizeof private_members / sizeof *private_members; i++) {
        if (json_object_get(jwk, private_members[i]) != NULL)
            return ABDM_ERR(JWKS, "key set: it has private members");
    }
    return ABDM_NO_ERR;
}


static int
by_kid(const void *a, const void *b)
{
    return strcmp(((const abdm_jwk_t *) a)->kid, ((const abdm_jwk_t *) b)->kid);
}


/* Sorts, and removes every key whose kid is not its alone. */
static void
drop_twins(abdm_jwks_t *set)
{
    size_t kept = 0;

    qsort(set->keys, set->n, sizeof *set->keys, by_kid);
    for (size_t i = 1; i < set->n; i++) {
        if (strcmp(set->keys[i].kid, set->keys[i - 1].kid) == 0)
            set->keys[i].twice = set->keys[i - 1].twice = true;
    }
    for (size_t i = 0; i < set->n; i++) {
        if (set->keys[i].twice) {
            key_clear(&set->keys[i]);
            continue;
        }
        if (kept != i) {
            set->keys[kept] = set->keys[i];
            memset(&set->keys[i], 0, sizeof set->keys[i]);
        }
        kept++;
    }
    set->n = kept;
}


static abdm_err_t
take_fingerprint(abdm_jwks_t *set)
{
    abdm_buf_t b = {0};

    for (size_t i = 0; i < set->n; i++) {
        const abdm_jwk_t *k = &set->keys[i];
        abdm_buf_addf(&b, "%zu:%s %d%d %zu:", k->kid_len, k->kid, k->verify[0] != NULL,
                      k->verify[1] != NULL, k->size);
        abdm_buf_add(&b, k->e, sizeof k->e);
        abdm_buf_add(&b, k->n, k->size);
    }
    abdm_err_t err = b.failed ? ABDM_ERR(MEMORY, "fingerprint of the gateway's keys")
                              : abdm_sha256_hex(abdm_buf_str(&b), set->fingerprint);
    abdm_buf_free(&b);
    return err;
}


static abdm_err_t
read_keys(const json_t *doc, abdm_jwks_t *set)
{
    const json_t *keys = json_object_get(doc, "keys");
    bool want[ABDM_JWK_ALGS];

    if (!json_is_array(keys))
        return ABDM_ERR(JWKS, "key set: keys is not a list");
    if (json_array_size(keys) > ABDM_JWKS_KEYS)
        return ABDM_ERR(JWKS, "key set: more than 16 keys");
    for (size_t i = 0; i < json_array_size(keys); i++)
        ABDM_TRY(check_honest(json_array_get(keys, i)));

    for (int a = 0; a < ABDM_JWK_ALGS; a++) {
        set->md[a] = EVP_MD_fetch(NULL, algs[a].digest, NULL);
        if (set->md[a] == NULL)
            return ABDM_ERR(CRYPTO, "fetching SHA-2");
    }
    for (size_t i = 0; i < json_array_size(keys); i++) {
        const json_t *jwk = json_array_get(keys, i);
        abdm_jwk_t *key = &set->keys[set->n];
        if (!is_signing_key(jwk, key, want))
            continue;
        set->n++; /* from here on the set frees what the key holds */
        ABDM_TRY(read_rsa(jwk, (const EVP_MD *const *) set->md, want, key));
    }
    drop_twins(set);
    if (set->n == 0)
        return ABDM_ERR(JWKS, "key set: no usable RSA signing key");
    return take_fingerprint(set);
}


abdm_err_t
abdm_jwks_parse(const char *json, size_t len, abdm_jwks_t **out)
{
    json_t *doc;

    *out = NULL;
    if (len > ABDM_JWKS_BYTES)
        return ABDM_ERR(JWKS, "key set: larger than 64 KiB");
    abdm_err_t err = abdm_json_parse(json, len, DEPTH, &doc);
    if (err.code == ABDM_E_JSON || err.code == ABDM_E_JSON_LIMIT)
        return ABDM_ERR(JWKS, "key set: not well-formed JSON");
    ABDM_TRY(err);

    abdm_jwks_t *set = calloc(1, sizeof *set);
    err = set == NULL ? ABDM_ERR(MEMORY, "the gateway's keys") : read_keys(doc, set);
    json_decref(doc);
    ERR_clear_error(); /* nginx would log what is left in the thread's queue, of success too */
    if (abdm_failed(err)) {
        abdm_jwks_free(set);
        return err;
    }
    *out = set;
    return ABDM_NO_ERR;
}


const abdm_jwk_t *
abdm_jwks_find(const abdm_jwks_t *set, abdm_str_t kid)
{
    for (size_t i = 0; i < set->n; i++) {
        const abdm_jwk_t *k = &set->keys[i];
        if (abdm_str_eq((abdm_str_t){k->kid, k->kid_len}, kid))
            return k;
    }
    return NULL;
}


size_t
abdm_jwks_count(const abdm_jwks_t *set)
{
    return set->n;
}


const char *
abdm_jwks_fingerprint(const abdm_jwks_t *set)
{
    return set->fingerprint;
}


abdm_err_t
abdm_jwk_verify(const abdm_jwk_t *key, abdm_jwk_alg_t alg, abdm_str_t input, abdm_str_t signature)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned digest_len;

    if (key->verify[alg] == NULL)
        return ABDM_ERR(TOKEN_ALG, "token header: alg is not the one its key is published for");
    if (signature.len != key->size)
        return ABDM_ERR(TOKEN_SIGNATURE, "signature: its length is not the key's");
    if (EVP_Digest(input.p, input.len, digest, &digest_len, key->md[alg], NULL) != 1) {
        ERR_clear_error();
        return ABDM_ERR(CRYPTO, "digest of a token");
    }
    int rc = EVP_PKEY_verify(key->verify[alg], (const uint8_t *) signature.p, signature.len, digest,
                             digest_len);
    if (rc == 1)
        return ABDM_NO_ERR;
    if (abdm_crypto_no_memory() || rc < 0)
        return ABDM_ERR(CRYPTO, "verifying a signature");
    return ABDM_ERR(TOKEN_SIGNATURE, "signature: it does not verify");
}
