/*
 * Key pairs, public keys and nonces of Fidelius in the forms that peers send, and the shared
 * secret. Points are checked by the curve equation before anything is multiplied, and all our
 * scalars are 0 mod 8, so neither an invalid nor a mixed-order point tells about them. A peer's
 * DER never reaches a parser: the only X.509 form there is has a constant start.
 */
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <string.h>

#include "crypto/curve.h"
#include "crypto/fidelius.h"
#include "crypto/refused.h"

enum {
    KEY_TEXT_MAX = 600, /* an X.509 key has 412 characters; room for line breaks */
    X509_PREFIX = ABDM_X509_LEN - ABDM_POINT_LEN,
    SHORT_MIN = 60, /* a point that lacks five leading zero bytes: 1 key in 10^9 lacks more */
};

static const uint8_t x509_prefix[X509_PREFIX] = {
    0x30, 0x82, 0x01, 0x31, 0x30, 0x81, 0xea, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01,
    0x30, 0x81, 0xde, 0x02, 0x01, 0x01, 0x30, 0x2b, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x01,
    0x01, 0x02, 0x20, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xed, 0x30, 0x44, 0x04, 0x20, 0x2a, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa,
    0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa,
    0xaa, 0xaa, 0x98, 0x49, 0x14, 0xa1, 0x44, 0x04, 0x20, 0x7b, 0x42, 0x5e, 0xd0, 0x97, 0xb4, 0x25,
    0xed, 0x09, 0x7b, 0x42, 0x5e, 0xd0, 0x97, 0xb4, 0x25, 0xed, 0x09, 0x7b, 0x42, 0x5e, 0xd0, 0x97,
    0xb4, 0x26, 0x0b, 0x5e, 0x9c, 0x77, 0x10, 0xc8, 0x64, 0x04, 0x41, 0x04, 0x2a, 0xaa, 0xaa, 0xaa,
    0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa,
    0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xad, 0x24, 0x5a, 0x20, 0xae, 0x19, 0xa1,
    0xb8, 0xa0, 0x86, 0xb4, 0xe0, 0x1e, 0xdd, 0x2c, 0x77, 0x48, 0xd1, 0x4c, 0x92, 0x3d, 0x4d, 0x7e,
    0x6d, 0x7c, 0x61, 0xb2, 0x29, 0xe9, 0xc5, 0xa2, 0x7e, 0xce, 0xd3, 0xd9, 0x02, 0x20, 0x10, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x14, 0xde,
    0xf9, 0xde, 0xa2, 0xf7, 0x9c, 0xd6, 0x58, 0x12, 0x63, 0x1a, 0x5c, 0xf5, 0xd3, 0xed, 0x02, 0x01,
    0x08, 0x03, 0x42, 0x00,
};


static abdm_err_t
x25519(const uint8_t scalar[32], const uint8_t u[32], uint8_t out[32])
{
    static const uint8_t unused[32] = {9};
    OSSL_PARAM params[] = {
        OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PRIV_KEY, (void *) scalar, 32),
        /* Never read; without it OpenSSL computes the public key, slower than the product. */
        OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, (void *) unused, 32),
        OSSL_PARAM_END,
    };
    EVP_PKEY_CTX *import = EVP_PKEY_CTX_new_from_name(NULL, "X25519", NULL), *derive = NULL;
    EVP_PKEY *own = NULL, *peer = NULL;
    size_t len = 32;
    abdm_err_t err = ABDM_ERR(CRYPTO, "X25519 failed");

    if (import != NULL && EVP_PKEY_fromdata_init(import) == 1
        && EVP_PKEY_fromdata(import, &own, EVP_PKEY_KEYPAIR, params) == 1
        && (peer = EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, u, 32)) != NULL
        && (derive = EVP_PKEY_CTX_new(own, NULL)) != NULL && EVP_PKEY_derive_init(derive) == 1
        && EVP_PKEY_derive_set_peer_ex(derive, peer, 0) == 1 /* 0: the point was checked */
        && EVP_PKEY_derive(derive, out, &len) == 1)
        err = ABDM_NO_ERR;
    EVP_PKEY_CTX_free(derive);
    EVP_PKEY_free(peer);
    EVP_PKEY_free(own);
    EVP_PKEY_CTX_free(import);
    return abdm_failed(err) ? abdm_crypto_refused(err) : err;
}


/* u-coordinate of scalar * (u, ...); fails for a point of small order, should one come unchecked. */
static abdm_err_t
multiply(const uint8_t scalar[32], const uint8_t u[32], uint8_t out[32])
{
    static const char zero[32];

    if (abdm_scalar_is_clamped(scalar))
        return x25519(scalar, u, out);
    abdm_ladder(scalar, u, out);
    if (abdm_secret_eq((abdm_str_t){(const char *) out, 32}, (abdm_str_t){zero, 32}))
        return ABDM_ERR(CRYPTO, "X25519 failed");
    return ABDM_NO_ERR;
}


static abdm_err_t
complete_pair(abdm_key_pair_t *pair)
{
    static const uint8_t base[32] = {9};
    uint8_t u[32];

    ABDM_TRY(multiply(pair->scalar, base, u));
    pair->point[0] = 4;
    (void) abdm_point_from_u(u, pair->point + 1); /* there is one: a multiple of G is on the curve */
    return ABDM_NO_ERR;
}


abdm_err_t
abdm_key_pair_generate(abdm_key_pair_t *out)
{
    if (RAND_priv_bytes(out->scalar, sizeof(out->scalar)) != 1)
        return abdm_crypto_refused(ABDM_ERR(CRYPTO, "key pair: no random bytes"));
    out->scalar[0] &= 248;
    out->scalar[31] &= 127;
    out->scalar[31] |= 64;
    return abdm_failed(complete_pair(out)) ? ABDM_ERR(CRYPTO, "key pair: no public key")
                                           : ABDM_NO_ERR;
}


abdm_err_t
abdm_key_pair_import(abdm_str_t text, abdm_key_pair_t *out)
{
    uint8_t bytes[64], d[32] = {0};
    const uint8_t *p = bytes;
    size_t len = 0;
    abdm_err_t err;

    if (!abdm_base64_decode(text, bytes, sizeof(bytes), &len)) {
        err = ABDM_ERR(KEY_MATERIAL, "private key: base64 of up to 33 bytes expected");
        goto done;
    }
    for (; len != 0 && *p == 0; p++)
        len--;
    if (len > sizeof(d)) {
        err = ABDM_ERR(KEY_MATERIAL, "private key: longer than 32 bytes");
        goto done;
    }
    memcpy(d + sizeof(d) - len, p, len);
    if (!abdm_scalar_from_private(d, out->scalar)) {
        err = ABDM_ERR(KEY_MATERIAL, "private key: not between 1 and the order of the curve");
        goto done;
    }
    err = complete_pair(out);

done:
    abdm_wipe(bytes, sizeof(bytes));
    abdm_wipe(d, sizeof(d));
    return err;
}


void
abdm_key_pair_export(const abdm_key_pair_t *pair, char out[ABDM_PRIVATE_TEXT])
{
    uint8_t d[33] = {0}; /* one byte more, for the sign of a full number */
    size_t skip = 0;

    abdm_scalar_to_private(pair->scalar, d + 1);
    while (skip < sizeof(d) - 1 && d[skip] == 0 && (d[skip + 1] & 0x80) == 0)
        skip++;
    out[abdm_base64_encode(d + skip, sizeof(d) - skip, out)] = '\0';
    abdm_wipe(d, sizeof(d));
}


void
abdm_key_pair_wipe(abdm_key_pair_t *pair)
{
    abdm_wipe(pair, sizeof(*pair));
}


/* 04 and 59 to 63 bytes: of all ways to fill up X and Y only the right one is on the curve. */
static bool
fill_up(const uint8_t *p, size_t len, uint8_t point[ABDM_POINT_LEN])
{
    size_t rest = len - 1;

    for (size_t x = rest - 32; x <= 32; x++) {
        size_t y = rest - x;
        memset(point, 0, ABDM_POINT_LEN);
        point[0] = 4;
        memcpy(point + 1 + 32 - x, p + 1, x);
        memcpy(point + ABDM_POINT_LEN - y, p + 1 + x, y);
        if (abdm_point_check(point + 1) == ABDM_POINT_GOOD)
            return true;
    }
    return false;
}


static abdm_err_t
decode_point(const uint8_t *p, size_t len, uint8_t point[ABDM_POINT_LEN])
{
    static const char *const texts[] = {
        [ABDM_POINT_RANGE] = "public key: a coordinate is not below 2^255 - 19",
        [ABDM_POINT_OFF_CURVE] = "public key: the point is not on Curve25519 (Weierstrass form)",
        [ABDM_POINT_SMALL] = "public key: a point of small order",
    };

    if (len == 0)
        return ABDM_ERR(KEY_MATERIAL, "public key: empty");
    if (len == 1 && p[0] == 0)
        return ABDM_ERR(KEY_MATERIAL, "public key: the point at infinity");
    if (len == 32)
        return ABDM_ERR(KEY_MATERIAL, "public key: 32 bytes of X25519; a point of 65 bytes "
                                      "(04, X, Y) is expected");
    if (len == 33 && (p[0] == 2 || p[0] == 3))
        return ABDM_ERR(KEY_MATERIAL, "public key: a compressed point; 04, X, Y is expected");
    if (len < SHORT_MIN || len > ABDM_POINT_LEN)
        return ABDM_ERR(KEY_MATERIAL, "public key: a point of 65 bytes is expected, or its X.509 "
                                      "form of 309 bytes");
    if (p[0] != 4)
        return ABDM_ERR(KEY_MATERIAL, "public key: the point does not start with 04");
    if (len < ABDM_POINT_LEN) {
        if (!fill_up(p, len, point))
            return ABDM_ERR(KEY_MATERIAL, "public key: shorter than 65 bytes, and not for want of "
                                          "leading zeros");
        return ABDM_NO_ERR;
    }

    abdm_point_check_t check = abdm_point_check(p + 1);
    if (check != ABDM_POINT_GOOD)
        return ABDM_ERR(KEY_MATERIAL, texts[check]);
    memcpy(point, p, ABDM_POINT_LEN);
    return ABDM_NO_ERR;
}


abdm_err_t
abdm_public_key_decode(abdm_str_t text, abdm_public_key_t *out)
{
    char packed[KEY_TEXT_MAX];
    uint8_t bytes[KEY_TEXT_MAX / 4 * 3];
    size_t n = 0, len;

    for (size_t i = 0; i < text.len; i++) {
        char c = text.p[i];
        if (c == ' ' || c == '\n' || c == '\r' || c == '\t')
            continue;
        if (n == sizeof(packed))
            return ABDM_ERR(KEY_MATERIAL, "public key: longer than 600 characters");
        packed[n++] = c;
    }
    if (!abdm_base64_decode((abdm_str_t){packed, n}, bytes, sizeof(bytes), &len))
        return ABDM_ERR(KEY_MATERIAL, "public key: not standard base64 with padding");

    if (len <= ABDM_POINT_LEN && (len != 44 || bytes[0] != 0x30))
        return decode_point(bytes, len, out->point);
    if (len == 44)
        return ABDM_ERR(KEY_MATERIAL, "public key: X.509 of X25519; X.509 of the Weierstrass "
                                      "form is expected");
    if (len <= X509_PREFIX || memcmp(bytes, x509_prefix, X509_PREFIX) != 0)
        return ABDM_ERR(KEY_MATERIAL, "public key: X.509 of another curve or of another form");
    return decode_point(bytes + X509_PREFIX, len - X509_PREFIX, out->point);
}


void
abdm_public_key_encode(const uint8_t point[ABDM_POINT_LEN], abdm_key_form_t form,
                       char out[ABDM_KEY_TEXT])
{
    uint8_t bytes[ABDM_X509_LEN];

    memcpy(bytes, x509_prefix, X509_PREFIX);
    memcpy(bytes + X509_PREFIX, point, ABDM_POINT_LEN);
    if (form == ABDM_KEY_X509)
        out[abdm_base64_encode(bytes, sizeof(bytes), out)] = '\0';
    else
        out[abdm_base64_encode(point, ABDM_POINT_LEN, out)] = '\0';
}


abdm_err_t
abdm_nonce_generate(uint8_t out[ABDM_NONCE_LEN])
{
    if (RAND_bytes(out, ABDM_NONCE_LEN) != 1)
        return abdm_crypto_refused(ABDM_ERR(CRYPTO, "nonce: no random bytes"));
    return ABDM_NO_ERR;
}


abdm_err_t
abdm_nonce_decode(abdm_str_t text, uint8_t out[ABDM_NONCE_LEN])
{
    size_t len = 0;

    if (!abdm_base64_decode(text, out, ABDM_NONCE_LEN, &len) || len != ABDM_NONCE_LEN)
        return ABDM_ERR(KEY_MATERIAL, "nonce: base64 of exactly 32 bytes expected");
    return ABDM_NO_ERR;
}


void
abdm_nonce_encode(const uint8_t nonce[ABDM_NONCE_LEN], char out[ABDM_NONCE_TEXT])
{
    out[abdm_base64_encode(nonce, ABDM_NONCE_LEN, out)] = '\0';
}


abdm_err_t
abdm_fidelius_secret(const abdm_key_pair_t *own, const abdm_public_key_t *peer,
                     uint8_t secret[32])
{
    uint8_t u[32], product[32];
    abdm_err_t err;

    abdm_point_to_u(peer->point + 1, u);
    err = multiply(own->scalar, u, product);
    if (!abdm_failed(err))
        abdm_point_x_from_u(product, secret);
    abdm_wipe(product, sizeof(product));
    return err;
}
