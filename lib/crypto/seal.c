/*
 * Sealed values: version (1) || nonce (12) || ciphertext || tag (16). Nonces are random, which
 * NIST SP 800-38D allows for 2^32 values under one key: a hundred a second for a year. Keyed
 * hashes have a key of their own, derived as RFC 5869 has it.
 */
#include "crypto/seal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/refused.h"

enum {
    VERSION = 1,
    KEY_LEN = 32,
    HASH_LEN = 32,
    NONCE_LEN = 12,
    TAG_LEN = 16,
    HEAD_LEN = 1 + NONCE_LEN,
    NONCES = 32,
    LABEL_MAX = 64,
    FILE_MAX = 66, /* 64 digits and a line end of two characters */
};

struct abdm_seal_key_s {
    uint8_t bytes[KEY_LEN];
    uint8_t hash[HASH_LEN]; /* key of the hashes */
};


/* --- keys --- */

/* HKDF-SHA256 (RFC 5869) without salt, with one block of output. */
abdm_err_t
abdm_seal_derive(const abdm_seal_key_t *key, const char *label, uint8_t out[32])
{
    static const uint8_t no_salt[HASH_LEN];
    uint8_t prk[HASH_LEN], info[LABEL_MAX];
    const size_t len = strlen(label);
    bool done;

    if (len >= sizeof(info))
        return ABDM_ERR(INTERNAL, "secret key: a label that is too long");
    memcpy(info, label, len);
    info[len] = 1; /* the number of the block */
    done = HMAC(EVP_sha256(), no_salt, HASH_LEN, key->bytes, KEY_LEN, prk, NULL) != NULL
           && HMAC(EVP_sha256(), prk, HASH_LEN, info, len + 1, out, NULL) != NULL;
    abdm_wipe(prk, sizeof(prk));
    return done ? ABDM_NO_ERR
                : abdm_crypto_refused(ABDM_ERR(CRYPTO, "secret key: HMAC-SHA256 is not available"));
}


static abdm_err_t
derive_hash_key(abdm_seal_key_t *key)
{
    return abdm_seal_derive(key, "abdm keyed hash", key->hash);
}


static abdm_err_t
unusable(char problem[ABDM_SEAL_PROBLEM], const char *path, const char *fault)
{
    snprintf(problem, ABDM_SEAL_PROBLEM, "secret key \"%s\": %s", path, fault);
    return ABDM_ERR(CONFIG, "the secret key's file is not usable");
}


static int
hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}


static bool
parse_key(abdm_str_t text, uint8_t key[KEY_LEN])
{
    size_t len;

    if (text.len != (size_t) KEY_LEN * 2)
        return abdm_base64_decode(text, key, KEY_LEN, &len) && len == KEY_LEN;
    for (size_t i = 0; i < KEY_LEN; i++) {
        int high = hex_value(text.p[2 * i]), low = hex_value(text.p[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        key[i] = (uint8_t) (high << 4 | low);
    }
    return true;
}


/* Reads all of `fd`, a regular file, at most `cap` bytes; -1 with errno. */
static ssize_t
read_file(int fd, char *out, size_t cap)
{
    size_t n = 0;

    while (n < cap) {
        ssize_t got = read(fd, out + n, cap - n);
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        n += (size_t) got;
    }
    return (ssize_t) n;
}


static abdm_err_t
load(int fd, const char *path, abdm_seal_key_t *key, char problem[ABDM_SEAL_PROBLEM])
{
    char text[FILE_MAX + 1];
    struct stat st;
    ssize_t n;
    bool good;

    if (fstat(fd, &st) != 0)
        return unusable(problem, path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return unusable(problem, path, "is not a regular file");
    if ((st.st_mode & (S_IRWXG | S_IRWXO)) != 0)
        return unusable(problem, path, "is open to group or others: chmod 600 it");

    n = read_file(fd, text, sizeof(text));
    if (n < 0)
        return unusable(problem, path, strerror(errno));
    if (n > 0 && n <= FILE_MAX && text[n - 1] == '\n')
        n--;
    if (n > 0 && n <= FILE_MAX && text[n - 1] == '\r')
        n--;
    good = n <= FILE_MAX && parse_key((abdm_str_t){text, (size_t) n}, key->bytes);
    abdm_wipe(text, sizeof(text));
    if (!good)
        return unusable(problem, path, "32 bytes as 64 hexadecimal digits or base64 expected");
    if (abdm_failed(derive_hash_key(key)))
        return unusable(problem, path, "HMAC-SHA256 is not available");
    return ABDM_NO_ERR;
}


abdm_err_t
abdm_seal_key_load(const char *path, abdm_seal_key_t **out, char problem[ABDM_SEAL_PROBLEM])
{
    abdm_seal_key_t *key = NULL;
    abdm_err_t err;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a fifo must not hang the start */

    *out = NULL;
    if (fd < 0)
        return unusable(problem, path, strerror(errno));
    key = calloc(1, sizeof(*key));
    if (key == NULL)
        err = ABDM_ERR(MEMORY, "secret key");
    else
        err = load(fd, path, key, problem);
    close(fd);
    if (abdm_failed(err)) {
        if (err.code == ABDM_E_MEMORY)
            snprintf(problem, ABDM_SEAL_PROBLEM, "secret key \"%s\": no memory", path);
        abdm_seal_key_free(key);
        return err;
    }
    *out = key;
    return ABDM_NO_ERR;
}


abdm_err_t
abdm_seal_key_random(abdm_seal_key_t **out)
{
    abdm_seal_key_t *key = calloc(1, sizeof(*key));

    *out = NULL;
    if (key == NULL)
        return ABDM_ERR(MEMORY, "secret key");
    if (RAND_priv_bytes(key->bytes, KEY_LEN) != 1) {
        abdm_seal_key_free(key);
        return abdm_crypto_refused(ABDM_ERR(CRYPTO, "secret key: no random bytes"));
    }
    abdm_err_t err = derive_hash_key(key);
    if (abdm_failed(err)) {
        abdm_seal_key_free(key);
        return err;
    }
    *out = key;
    return ABDM_NO_ERR;
}


static bool
write_file(int fd, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t done = write(fd, p, n);
        if (done < 0)
            return false;
        p += done;
        n -= (size_t) done;
    }
    return fsync(fd) == 0;
}


abdm_err_t
abdm_seal_key_create(const char *path, char problem[ABDM_SEAL_PROBLEM])
{
    uint8_t key[KEY_LEN];
    char text[2 * KEY_LEN + 2];
    abdm_err_t err = ABDM_NO_ERR;
    bool written;
    int fd, saved;

    if (RAND_priv_bytes(key, sizeof(key)) != 1) {
        (void) unusable(problem, path, "no random bytes");
        return abdm_crypto_refused(ABDM_ERR(CRYPTO, "secret key: no random bytes"));
    }
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (fd < 0) {
        err = unusable(problem, path, strerror(errno));
        goto done;
    }
    for (size_t i = 0; i < KEY_LEN; i++)
        snprintf(text + 2 * i, 3, "%02x", key[i]);
    text[2 * KEY_LEN] = '\n';

    written = write_file(fd, text, 2 * KEY_LEN + 1);
    saved = errno;
    close(fd); /* what fsync has put on the disk stays there */
    if (!written) {
        unlink(path); /* ours: O_EXCL made it */
        err = unusable(problem, path, strerror(saved));
    }
    abdm_wipe(text, sizeof(text));

done:
    abdm_wipe(key, sizeof(key));
    return err;
}


void
abdm_seal_key_free(abdm_seal_key_t *key)
{
    if (key == NULL)
        return;
    abdm_wipe(key, sizeof(*key));
    free(key);
}


/* --- values --- */

static abdm_err_t
sealable(abdm_str_t aad, abdm_str_t plain, abdm_buf_t *out)
{
    if (plain.len > INT_MAX || aad.len > INT_MAX)
        return ABDM_ERR(CRYPTO, "sealing: longer than 2 GB");
    if (!abdm_buf_reserve(out, plain.len + ABDM_SEAL_OVERHEAD))
        return ABDM_ERR(MEMORY, "sealing");
    return ABDM_NO_ERR;
}


/* `gcm` has its key, and there is room in `out`. */
static abdm_err_t
seal_with(EVP_CIPHER_CTX *gcm, const uint8_t nonce[NONCE_LEN], abdm_str_t aad, abdm_str_t plain,
          abdm_buf_t *out)
{
    uint8_t *p = (uint8_t *) out->p + out->len;
    bool done;
    int n;

    p[0] = VERSION;
    memcpy(p + 1, nonce, NONCE_LEN);
    done = EVP_EncryptInit_ex(gcm, NULL, NULL, NULL, nonce) == 1
           && (aad.len == 0
               || EVP_EncryptUpdate(gcm, NULL, &n, (const uint8_t *) aad.p, (int) aad.len) == 1)
           && (plain.len == 0
               || EVP_EncryptUpdate(gcm, p + HEAD_LEN, &n, (const uint8_t *) plain.p,
                                    (int) plain.len) == 1)
           && EVP_EncryptFinal_ex(gcm, p + HEAD_LEN + plain.len, &n) == 1
           && EVP_CIPHER_CTX_ctrl(gcm, EVP_CTRL_AEAD_GET_TAG, TAG_LEN, p + HEAD_LEN + plain.len)
                  == 1;
    if (!done)
        return abdm_crypto_refused(ABDM_ERR(CRYPTO, "sealing: AES-256-GCM failed"));
    out->len += plain.len + ABDM_SEAL_OVERHEAD;
    return ABDM_NO_ERR;
}


abdm_err_t
abdm_seal(const abdm_seal_key_t *key, abdm_str_t aad, abdm_str_t plain, abdm_buf_t *out)
{
    uint8_t nonce[NONCE_LEN];
    EVP_CIPHER_CTX *gcm;
    abdm_err_t err;

    ABDM_TRY(sealable(aad, plain, out));
    gcm = EVP_CIPHER_CTX_new();
    if (gcm == NULL)
        return abdm_crypto_refused(ABDM_ERR(MEMORY, "sealing"));
    if (RAND_bytes(nonce, NONCE_LEN) == 1
        && EVP_EncryptInit_ex(gcm, EVP_aes_256_gcm(), NULL, key->bytes, NULL) == 1)
        err = seal_with(gcm, nonce, aad, plain, out);
    else
        err = abdm_crypto_refused(ABDM_ERR(CRYPTO, "sealing: AES-256-GCM failed"));
    EVP_CIPHER_CTX_free(gcm);
    return err;
}


static abdm_err_t
unsealable(abdm_str_t aad, abdm_str_t sealed, abdm_buf_t *out)
{
    if (sealed.len < ABDM_SEAL_OVERHEAD || sealed.len > INT_MAX || aad.len > INT_MAX)
        return ABDM_ERR(SEAL, "sealed value: not of a possible length");
    if ((uint8_t) sealed.p[0] != VERSION)
        return ABDM_ERR(SEAL, "sealed value: of a version that is not known");
    if (!abdm_buf_reserve(out, sealed.len - ABDM_SEAL_OVERHEAD))
        return ABDM_ERR(MEMORY, "unsealing");
    return ABDM_NO_ERR;
}


/* `gcm` has its key, and there is room in `out`. */
static abdm_err_t
unseal_with(EVP_CIPHER_CTX *gcm, abdm_str_t aad, abdm_str_t sealed, abdm_buf_t *out)
{
    const uint8_t *in = (const uint8_t *) sealed.p;
    const size_t body = sealed.len - ABDM_SEAL_OVERHEAD;
    uint8_t tag[TAG_LEN], *p = (uint8_t *) out->p + out->len;
    abdm_err_t err = ABDM_ERR(CRYPTO, "unsealing: AES-256-GCM is not available");
    int n;

    memcpy(tag, in + HEAD_LEN + body, TAG_LEN);
    if (EVP_DecryptInit_ex(gcm, NULL, NULL, NULL, in + 1) != 1
        || (aad.len != 0
            && EVP_DecryptUpdate(gcm, NULL, &n, (const uint8_t *) aad.p, (int) aad.len) != 1)
        || (body != 0 && EVP_DecryptUpdate(gcm, p, &n, in + HEAD_LEN, (int) body) != 1)
        || EVP_CIPHER_CTX_ctrl(gcm, EVP_CTRL_AEAD_SET_TAG, TAG_LEN, tag) != 1)
        goto done;
    if (EVP_DecryptFinal_ex(gcm, p + body, &n) == 1) {
        out->len += body;
        return ABDM_NO_ERR;
    }
    err = ABDM_ERR(SEAL, "sealed value: key, row or bytes are not what they were");

done:
    abdm_wipe(p, body);
    return abdm_crypto_refused(err);
}


abdm_err_t
abdm_unseal(const abdm_seal_key_t *key, abdm_str_t aad, abdm_str_t sealed, abdm_buf_t *out)
{
    EVP_CIPHER_CTX *gcm;
    abdm_err_t err;

    ABDM_TRY(unsealable(aad, sealed, out));
    gcm = EVP_CIPHER_CTX_new();
    if (gcm == NULL)
        return abdm_crypto_refused(ABDM_ERR(MEMORY, "unsealing"));
    if (EVP_DecryptInit_ex(gcm, EVP_aes_256_gcm(), NULL, key->bytes, NULL) == 1)
        err = unseal_with(gcm, aad, sealed, out);
    else
        err = abdm_crypto_refused(ABDM_ERR(CRYPTO, "unsealing: AES-256-GCM is not available"));
    EVP_CIPHER_CTX_free(gcm);
    return err;
}


/* --- keys under keys --- */

abdm_err_t
abdm_seal_key_wrap(const abdm_seal_key_t *key, abdm_str_t aad, const abdm_seal_key_t *inner,
                   abdm_buf_t *out)
{
    return abdm_seal(key, aad, (abdm_str_t){(const char *) inner->bytes, KEY_LEN}, out);
}


abdm_err_t
abdm_seal_key_unwrap(const abdm_seal_key_t *key, abdm_str_t aad, abdm_str_t wrapped,
                     abdm_seal_key_t **out)
{
    abdm_seal_key_t *inner = NULL;
    abdm_buf_t bytes = {0};
    abdm_err_t err;

    *out = NULL;
    err = abdm_unseal(key, aad, wrapped, &bytes);
    if (!abdm_failed(err) && bytes.len != KEY_LEN)
        err = ABDM_ERR(SEAL, "sealed key: not of a key's length");
    if (!abdm_failed(err)) {
        inner = calloc(1, sizeof(*inner));
        if (inner == NULL) {
            err = ABDM_ERR(MEMORY, "secret key");
        } else {
            memcpy(inner->bytes, bytes.p, KEY_LEN);
            err = derive_hash_key(inner);
        }
    }
    abdm_buf_wipe_free(&bytes);
    if (abdm_failed(err)) {
        abdm_seal_key_free(inner);
        return err;
    }
    *out = inner;
    return ABDM_NO_ERR;
}


/* --- many values --- */

struct abdm_sealer_s {
    EVP_CIPHER_CTX *seal, *unseal; /* with their key */
    size_t unused; /* nonces left in the stock */
    uint8_t nonce[NONCES][NONCE_LEN];
};


abdm_err_t
abdm_sealer_new(const abdm_seal_key_t *key, abdm_sealer_t **out)
{
    abdm_sealer_t *sealer = calloc(1, sizeof(*sealer));

    *out = NULL;
    if (sealer == NULL)
        return ABDM_ERR(MEMORY, "sealer");
    sealer->seal = EVP_CIPHER_CTX_new();
    sealer->unseal = EVP_CIPHER_CTX_new();
    if (sealer->seal == NULL || sealer->unseal == NULL
        || EVP_EncryptInit_ex(sealer->seal, EVP_aes_256_gcm(), NULL, key->bytes, NULL) != 1
        || EVP_DecryptInit_ex(sealer->unseal, EVP_aes_256_gcm(), NULL, key->bytes, NULL) != 1) {
        abdm_sealer_free(sealer);
        return abdm_crypto_refused(ABDM_ERR(CRYPTO, "sealer: AES-256-GCM is not available"));
    }
    *out = sealer;
    return ABDM_NO_ERR;
}


void
abdm_sealer_free(abdm_sealer_t *sealer)
{
    if (sealer == NULL)
        return;
    EVP_CIPHER_CTX_free(sealer->seal);
    EVP_CIPHER_CTX_free(sealer->unseal);
    free(sealer);
}


abdm_err_t
abdm_sealer_seal(abdm_sealer_t *sealer, abdm_str_t aad, abdm_str_t plain, abdm_buf_t *out)
{
    ABDM_TRY(sealable(aad, plain, out));
    if (sealer->unused == 0) {
        if (RAND_bytes(sealer->nonce[0], sizeof(sealer->nonce)) != 1)
            return abdm_crypto_refused(ABDM_ERR(CRYPTO, "sealing: no random bytes"));
        sealer->unused = NONCES;
    }
    return seal_with(sealer->seal, sealer->nonce[--sealer->unused], aad, plain, out);
}


abdm_err_t
abdm_sealer_unseal(abdm_sealer_t *sealer, abdm_str_t aad, abdm_str_t sealed, abdm_buf_t *out)
{
    ABDM_TRY(unsealable(aad, sealed, out));
    return unseal_with(sealer->unseal, aad, sealed, out);
}


/* --- keyed hashes --- */

abdm_err_t
abdm_seal_hash(const abdm_seal_key_t *key, const char *what, const char *scope, abdm_str_t value,
               char out[65])
{
    static const char hex[] = "0123456789abcdef";
    /* A NUL ends each of the first two: no two triples give the same bytes. */
    const size_t what_len = strlen(what) + 1, scope_len = strlen(scope) + 1;
    uint8_t hash[HASH_LEN];
    abdm_buf_t text = {0};
    bool done;

    out[0] = '\0';
    if (!abdm_buf_reserve(&text, what_len + scope_len + value.len))
        return ABDM_ERR(MEMORY, "keyed hash");
    abdm_buf_add(&text, what, what_len);
    abdm_buf_add(&text, scope, scope_len);
    abdm_buf_add_str(&text, value);
    done = HMAC(EVP_sha256(), key->hash, HASH_LEN, (const uint8_t *) text.p, text.len, hash, NULL)
           != NULL;
    abdm_buf_wipe_free(&text);
    if (!done)
        return abdm_crypto_refused(ABDM_ERR(CRYPTO, "keyed hash: HMAC-SHA256 is not available"));
    for (size_t i = 0; i < HASH_LEN; i++) {
        out[2 * i] = hex[hash[i] >> 4];
        out[2 * i + 1] = hex[hash[i] & 15];
    }
    out[2 * HASH_LEN] = '\0';
    return ABDM_NO_ERR;
}
