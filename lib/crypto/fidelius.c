/*
 * Content of a page: plaintext to base64(ciphertext || tag) as a stream, and back at once. Key
 * and IV come from the shared secret and from both nonces as fidelius-cli and its descendants
 * have it: no additional data, nothing but the nonces binds a ciphertext to its exchange.
 */
#include "crypto/fidelius.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/refused.h"

enum {
    CHUNK = 48 * 1024, /* a multiple of 3, so that each chunk but the last is whole in base64 */
    SALT_LEN = 20,
    IV_LEN = ABDM_NONCE_LEN - SALT_LEN,
    KEY_LEN = 32,
    SECRET_LEN = 32,
    DRAWS_MAX = 64, /* one in 128 is drawn again: that all fail is less likely than 2^-440 */
    SLICE_MAX = 1 << 30, /* OpenSSL counts in int */
};

#define GCM_MAX ((UINT64_C(1) << 36) - 32) /* bytes under one key and IV, NIST SP 800-38D */

typedef struct {
    uint8_t key[KEY_LEN];
    uint8_t iv[IV_LEN];
} content_key_t;

typedef struct {
    abdm_source_t base;
    abdm_source_t *plain;
    EVP_CIPHER_CTX *gcm;
    uint64_t left;  /* bytes of plaintext to come */
    size_t pos;     /* in `bytes`: what stands before went out */
    size_t end;
    bool finished;  /* the tag is in `bytes` */
    size_t carried; /* characters at the end of `carry` that wait for a reader with more room */
    char carry[4];
    uint8_t bytes[CHUNK + ABDM_TAG_LEN];
} encrypt_t;


/* HKDF-SHA256 (RFC 5869) with an empty info and one block of output. */
static abdm_err_t
derive(const uint8_t *secret, size_t len, const uint8_t a[ABDM_NONCE_LEN],
       const uint8_t b[ABDM_NONCE_LEN], content_key_t *out)
{
    static const uint8_t block = 1;
    uint8_t mix[ABDM_NONCE_LEN], prk[KEY_LEN];
    bool done;

    for (int i = 0; i < ABDM_NONCE_LEN; i++)
        mix[i] = a[i] ^ b[i];
    memcpy(out->iv, mix + SALT_LEN, IV_LEN);
    done = HMAC(EVP_sha256(), mix, SALT_LEN, secret, len, prk, NULL) != NULL
           && HMAC(EVP_sha256(), prk, KEY_LEN, &block, 1, out->key, NULL) != NULL;
    abdm_wipe(prk, sizeof(prk));
    if (!done)
        return abdm_crypto_refused(ABDM_ERR(CRYPTO, "HMAC-SHA256 is not available"));
    return ABDM_NO_ERR;
}


/* --- encryption --- */

/* Fills `bytes` with the next chunk of ciphertext; the last one has the tag behind it. */
static abdm_err_t
next_chunk(encrypt_t *e)
{
    size_t want = e->left < CHUNK ? (size_t) e->left : CHUNK;
    int n;

    for (e->pos = e->end = 0; e->end < want;) {
        size_t got;
        ABDM_TRY(e->plain->read(e->plain, e->bytes + e->end, want - e->end, &got));
        if (got == 0)
            return ABDM_ERR(INTERNAL, "plaintext: shorter than its stated length");
        e->end += got;
    }
    e->left -= want;
    if (want != 0 && EVP_EncryptUpdate(e->gcm, e->bytes, &n, e->bytes, (int) want) != 1)
        return abdm_crypto_refused(ABDM_ERR(CRYPTO, "AES-256-GCM failed"));
    if (want == CHUNK)
        return ABDM_NO_ERR;

    size_t more;
    ABDM_TRY(e->plain->read(e->plain, e->carry, 1, &more)); /* `carry` is idle between chunks */
    if (more != 0)
        return ABDM_ERR(INTERNAL, "plaintext: longer than its stated length");
    if (EVP_EncryptFinal_ex(e->gcm, e->bytes + e->end, &n) != 1
        || EVP_CIPHER_CTX_ctrl(e->gcm, EVP_CTRL_AEAD_GET_TAG, ABDM_TAG_LEN, e->bytes + e->end) != 1)
        return abdm_crypto_refused(ABDM_ERR(CRYPTO, "AES-256-GCM failed"));
    e->end += ABDM_TAG_LEN;
    e->finished = true;
    return ABDM_NO_ERR;
}


static abdm_err_t
encrypt_read(abdm_source_t *s, void *out, size_t cap, size_t *got)
{
    encrypt_t *e = (encrypt_t *) s;
    size_t take;

    *got = 0;
    if (e->carried == 0 && e->pos == e->end) {
        if (e->finished)
            return ABDM_NO_ERR;
        ABDM_TRY(next_chunk(e));
    }

    if (e->carried == 0 && cap >= sizeof(e->carry)) {
        take = e->end - e->pos;
        if (take > cap / 4 * 3)
            take = cap / 4 * 3;
        *got = abdm_base64_encode(e->bytes + e->pos, take, out);
        e->pos += take;
        return ABDM_NO_ERR;
    }

    if (e->carried == 0) {
        take = e->end - e->pos < 3 ? e->end - e->pos : 3;
        e->carried = abdm_base64_encode(e->bytes + e->pos, take, e->carry);
        e->pos += take;
    }
    *got = cap < e->carried ? cap : e->carried;
    memcpy(out, e->carry + sizeof(e->carry) - e->carried, *got);
    e->carried -= *got;
    return ABDM_NO_ERR;
}


static void
encrypt_close(abdm_source_t *s)
{
    encrypt_t *e = (encrypt_t *) s;

    abdm_source_close(e->plain);
    EVP_CIPHER_CTX_free(e->gcm); /* wipes its key */
    abdm_wipe(e, sizeof(*e));
    free(e);
}


/* Takes `plain` when it succeeds. */
static abdm_err_t
open_stream(const content_key_t *key, abdm_source_t *plain, abdm_source_t **out)
{
    encrypt_t *e;

    if (plain->length > GCM_MAX)
        return ABDM_ERR(RECORD_TOO_LARGE, "plaintext: longer than AES-GCM allows");
    e = malloc(sizeof(*e));
    if (e == NULL)
        return ABDM_ERR(MEMORY, "encryption");
    memset(e, 0, offsetof(encrypt_t, bytes));
    e->base.read = encrypt_read;
    e->base.close = encrypt_close;
    e->left = plain->length;
    e->base.length = (plain->length + ABDM_TAG_LEN + 2) / 3 * 4;
    e->gcm = EVP_CIPHER_CTX_new();
    if (e->gcm == NULL
        || EVP_EncryptInit_ex(e->gcm, EVP_aes_256_gcm(), NULL, key->key, key->iv) != 1)
    {
        encrypt_close(&e->base);
        return abdm_crypto_refused(ABDM_ERR(CRYPTO, "AES-256-GCM is not available"));
    }
    e->plain = plain;
    *out = &e->base;
    return ABDM_NO_ERR;
}


static abdm_err_t
open_with_secret(const uint8_t secret[SECRET_LEN], const uint8_t own_nonce[ABDM_NONCE_LEN],
                 const uint8_t peer_nonce[ABDM_NONCE_LEN], abdm_source_t *plain,
                 abdm_source_t **out)
{
    content_key_t key;
    abdm_err_t err = derive(secret, SECRET_LEN, own_nonce, peer_nonce, &key);

    if (!abdm_failed(err))
        err = open_stream(&key, plain, out);
    abdm_wipe(&key, sizeof(key));
    return err;
}


/* A pair whose secret with the peer has no leading zero byte, see abdm_fidelius_encrypt. */
static abdm_err_t
draw_secret(abdm_key_pool_t *pool, const abdm_public_key_t *peer, uint8_t point[ABDM_POINT_LEN],
            uint8_t secret[SECRET_LEN])
{
    abdm_key_pair_t own = {0};
    abdm_err_t err;

    for (int i = 0; i < DRAWS_MAX; i++) {
        err = abdm_key_pool_take(pool, &own);
        if (!abdm_failed(err))
            err = abdm_fidelius_secret(&own, peer, secret);
        memcpy(point, own.point, ABDM_POINT_LEN);
        abdm_key_pair_wipe(&own);
        if (abdm_failed(err) || secret[0] != 0)
            return err;
    }
    return ABDM_ERR(CRYPTO, "key pairs: the random bytes are not random");
}


abdm_err_t
abdm_fidelius_encrypt(abdm_key_pool_t *pool, const abdm_public_key_t *peer,
                      const uint8_t peer_nonce[ABDM_NONCE_LEN], abdm_source_t *plain,
                      abdm_fidelius_sender_t *sender, abdm_source_t **out)
{
    uint8_t secret[SECRET_LEN] = {0};
    abdm_err_t err = ABDM_ERR(MEMORY, "plaintext");

    *out = NULL;
    if (plain != NULL)
        err = draw_secret(pool, peer, sender->point, secret);
    if (!abdm_failed(err))
        err = abdm_nonce_generate(sender->nonce);
    if (!abdm_failed(err))
        err = open_with_secret(secret, sender->nonce, peer_nonce, plain, out);
    abdm_wipe(secret, sizeof(secret));
    if (abdm_failed(err))
        abdm_source_close(plain);
    return err;
}


abdm_err_t
abdm_fidelius_encrypt_with(const abdm_key_pair_t *own, const uint8_t own_nonce[ABDM_NONCE_LEN],
                           const abdm_public_key_t *peer,
                           const uint8_t peer_nonce[ABDM_NONCE_LEN], abdm_source_t *plain,
                           abdm_source_t **out)
{
    uint8_t secret[SECRET_LEN] = {0};
    abdm_err_t err = ABDM_ERR(MEMORY, "plaintext");

    *out = NULL;
    if (plain != NULL)
        err = abdm_fidelius_secret(own, peer, secret);
    if (!abdm_failed(err))
        err = open_with_secret(secret, own_nonce, peer_nonce, plain, out);
    abdm_wipe(secret, sizeof(secret));
    if (abdm_failed(err))
        abdm_source_close(plain);
    return err;
}


/* --- decryption --- */

/* Opens `n` bytes of ciphertext and tag where they stand. */
static abdm_err_t
open_in_place(const content_key_t *key, uint8_t *bytes, size_t n)
{
    size_t body = n - ABDM_TAG_LEN;
    EVP_CIPHER_CTX *gcm = EVP_CIPHER_CTX_new();
    abdm_err_t err = ABDM_ERR(CRYPTO, "AES-256-GCM is not available");
    int got;

    if (gcm == NULL || EVP_DecryptInit_ex(gcm, EVP_aes_256_gcm(), NULL, key->key, key->iv) != 1
        || EVP_CIPHER_CTX_ctrl(gcm, EVP_CTRL_AEAD_SET_TAG, ABDM_TAG_LEN, bytes + body) != 1)
        goto done;

    for (size_t at = 0; at < body; at += (size_t) got) {
        size_t slice = body - at < SLICE_MAX ? body - at : SLICE_MAX;
        if (EVP_DecryptUpdate(gcm, bytes + at, &got, bytes + at, (int) slice) != 1)
            goto done;
    }
    if (EVP_DecryptFinal_ex(gcm, bytes + body, &got) == 1)
        err = ABDM_NO_ERR;
    else
        err = ABDM_ERR(DECRYPT, "content: the tag does not fit");

done:
    EVP_CIPHER_CTX_free(gcm);
    return abdm_failed(err) ? abdm_crypto_refused(err) : err;
}


/* Appends to `out`; leaves no byte of a plaintext whose tag did not fit. */
static abdm_err_t
open_content(const uint8_t *secret, size_t secret_len, const uint8_t a[ABDM_NONCE_LEN],
             const uint8_t b[ABDM_NONCE_LEN], abdm_str_t content, abdm_buf_t *out)
{
    size_t room = content.len / 4 * 3, n = 0;
    content_key_t key;
    abdm_err_t err;
    uint8_t *bytes;

    if (!abdm_buf_reserve(out, room))
        return ABDM_ERR(MEMORY, "plaintext");
    bytes = (uint8_t *) out->p + out->len;
    if (!abdm_base64_decode(content, bytes, room, &n))
        return ABDM_ERR(DECRYPT, "content: not standard base64 with padding");
    if (n < ABDM_TAG_LEN)
        return ABDM_ERR(DECRYPT, "content: shorter than its tag");

    err = derive(secret, secret_len, a, b, &key);
    if (!abdm_failed(err))
        err = open_in_place(&key, bytes, n);
    abdm_wipe(&key, sizeof(key));
    if (abdm_failed(err))
        abdm_wipe(bytes, n);
    else
        out->len += n - ABDM_TAG_LEN;
    return err;
}


abdm_err_t
abdm_fidelius_decrypt(const abdm_key_pair_t *own, const uint8_t own_nonce[ABDM_NONCE_LEN],
                      const abdm_public_key_t *peer, const uint8_t peer_nonce[ABDM_NONCE_LEN],
                      abdm_str_t content, abdm_buf_t *out)
{
    uint8_t secret[SECRET_LEN + 1] = {[SECRET_LEN] = 1}; /* where the search for zeros stops */
    size_t skip = 0;
    abdm_err_t err;

    ABDM_TRY(abdm_fidelius_secret(own, peer, secret));
    err = open_content(secret, SECRET_LEN, own_nonce, peer_nonce, content, out);

    while (secret[skip] == 0)
        skip++;
    if (err.code == ABDM_E_DECRYPT && skip != 0)
        err = open_content(secret + skip, SECRET_LEN - skip, own_nonce, peer_nonce, content, out);
    abdm_wipe(secret, sizeof(secret));
    return err;
}
