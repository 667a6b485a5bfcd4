/*
 * ABDM's encryption of health records, known as Fidelius: ECDH on Curve25519 in short
 * Weierstrass form, HKDF-SHA256 whose salt and IV come from both sides' nonces, AES-256-GCM,
 * base64. The protocol ties key and IV to one pair of nonces, so a pair and a nonce of ours
 * serve one page and no more: abdm_fidelius_encrypt draws both afresh on every call.
 */
#ifndef ABDM_CRYPTO_FIDELIUS_H
#define ABDM_CRYPTO_FIDELIUS_H

#include "core/buf.h"
#include "core/err.h"
#include "core/source.h"

enum {
    ABDM_POINT_LEN = 65, /* 04 || X || Y, big endian */
    ABDM_X509_LEN = 309,
    ABDM_NONCE_LEN = 32,
    ABDM_TAG_LEN = 16,
    ABDM_KEY_TEXT = 413,  /* base64 of either form of a public key, with its terminator */
    ABDM_NONCE_TEXT = 45, /* base64 of a nonce, with its terminator */
    ABDM_PRIVATE_TEXT = 45,
};

/* 97 plain bytes: a pair that must outlive the process is sealed as it stands. */
typedef struct {
    uint8_t scalar[32]; /* secret; little endian, 0 mod 8 */
    uint8_t point[ABDM_POINT_LEN];
} abdm_key_pair_t;

/* A peer's key that abdm_public_key_decode found good: on the curve, not of small order. */
typedef struct {
    uint8_t point[ABDM_POINT_LEN];
} abdm_public_key_t;

/* What is sent: some requesters can read the point alone, some senders' peers X.509 alone. */
typedef enum {
    ABDM_KEY_RAW,  /* as requester (HIU) */
    ABDM_KEY_X509, /* as sender (HIP) */
} abdm_key_form_t;

/* --- keys and nonces (keys.c) --- */

/* E_CRYPTO when there is no randomness. The caller wipes. */
abdm_err_t abdm_key_pair_generate(abdm_key_pair_t *out);

/*
 * A private key as fidelius-cli prints it: base64 of an integer 1 <= D < n, big endian, with or
 * without leading zero bytes. The point's Y may be that of -D: no secret depends on it.
 * E_KEY_MATERIAL.
 */
abdm_err_t abdm_key_pair_import(abdm_str_t text, abdm_key_pair_t *out);

/* The same form out: the fewest bytes of a signed integer. Terminated; the caller wipes. */
void abdm_key_pair_export(const abdm_key_pair_t *pair, char out[ABDM_PRIVATE_TEXT]);

void abdm_key_pair_wipe(abdm_key_pair_t *pair);

/*
 * base64, white space in it skipped, of the point or of X.509 with the curve's explicit
 * parameters. Also taken: both of these with leading zero bytes of X and Y left out, as some
 * peers write them. E_KEY_MATERIAL tells which other thing came.
 */
abdm_err_t abdm_public_key_decode(abdm_str_t text, abdm_public_key_t *out);

/* Terminated. */
void abdm_public_key_encode(const uint8_t point[ABDM_POINT_LEN], abdm_key_form_t form,
                            char out[ABDM_KEY_TEXT]);

abdm_err_t abdm_nonce_generate(uint8_t out[ABDM_NONCE_LEN]);

/* base64 of exactly 32 bytes. E_KEY_MATERIAL. */
abdm_err_t abdm_nonce_decode(abdm_str_t text, uint8_t out[ABDM_NONCE_LEN]);
void abdm_nonce_encode(const uint8_t nonce[ABDM_NONCE_LEN], char out[ABDM_NONCE_TEXT]);

/* x-coordinate of both sides' product, 32 bytes big endian. E_KEY_MATERIAL, E_CRYPTO. */
abdm_err_t abdm_fidelius_secret(const abdm_key_pair_t *own, const abdm_public_key_t *peer,
                                uint8_t secret[32]);

/* --- pairs made ahead of need (key_pool.c); safe between threads, not across a fork --- */

typedef struct abdm_key_pool_s abdm_key_pool_t;

/* Holds up to `size` pairs; starts empty. NULL on no memory. */
abdm_key_pool_t *abdm_key_pool_new(size_t size);
void abdm_key_pool_free(abdm_key_pool_t *pool); /* NULL is allowed */

/* A pair that nobody else gets, made now when none is ready or `pool` is NULL. */
abdm_err_t abdm_key_pool_take(abdm_key_pool_t *pool, abdm_key_pair_t *out);

/* Makes up to `most` pairs, fewer when the pool is full; *made tells how many. */
abdm_err_t abdm_key_pool_refill(abdm_key_pool_t *pool, size_t most, size_t *made);

/* --- content (fidelius.c) --- */

/* Ours, for the keyMaterial that accompanies the ciphertext. */
typedef struct {
    uint8_t point[ABDM_POINT_LEN];
    uint8_t nonce[ABDM_NONCE_LEN];
} abdm_fidelius_sender_t;

/*
 * Encrypts `plain` for one page with a pair out of `pool` (NULL: made now) and a new nonce.
 * Encryption happens as *out is read, in pieces of 48 KB; reads of 4 bytes and more copy nothing.
 * It gives base64(ciphertext || tag). It owns `plain`, which is closed on failure too; a NULL
 * `plain` is E_MEMORY. Pairs whose secret starts with a zero byte are not used, because half of
 * the known peers derive another key from such a secret. E_KEY_MATERIAL, E_CRYPTO, E_MEMORY,
 * E_RECORD_TOO_LARGE beyond 64 GB; reading fails with E_INTERNAL when `plain` is not as long as
 * it says.
 */
abdm_err_t abdm_fidelius_encrypt(abdm_key_pool_t *pool, const abdm_public_key_t *peer,
                                 const uint8_t peer_nonce[ABDM_NONCE_LEN], abdm_source_t *plain,
                                 abdm_fidelius_sender_t *sender, abdm_source_t **out);

/* The same with a given pair and nonce: for tools and tests, where reuse is the caller's care. */
abdm_err_t abdm_fidelius_encrypt_with(const abdm_key_pair_t *own,
                                      const uint8_t own_nonce[ABDM_NONCE_LEN],
                                      const abdm_public_key_t *peer,
                                      const uint8_t peer_nonce[ABDM_NONCE_LEN],
                                      abdm_source_t *plain, abdm_source_t **out);

/*
 * Appends the plaintext of `content` (base64) to `out`, all of it after the tag was verified, or
 * nothing. Secrets with leading zero bytes are tried in both ways that peers derive keys from
 * them. The plaintext may be invalid UTF-8. E_DECRYPT, E_KEY_MATERIAL, E_CRYPTO, E_MEMORY.
 */
abdm_err_t abdm_fidelius_decrypt(const abdm_key_pair_t *own,
                                 const uint8_t own_nonce[ABDM_NONCE_LEN],
                                 const abdm_public_key_t *peer,
                                 const uint8_t peer_nonce[ABDM_NONCE_LEN], abdm_str_t content,
                                 abdm_buf_t *out);

#endif
