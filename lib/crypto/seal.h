/*
 * Sealing of what is kept on disk: link tokens, key pairs, received records. A sealed value is
 * AES-256-GCM under the key of a file that only its owner can read; the identity of its row is
 * the additional data, so that a value moved to another row does not open.
 */
#ifndef ABDM_CRYPTO_SEAL_H
#define ABDM_CRYPTO_SEAL_H

#include "core/buf.h"
#include "core/err.h"

enum {
    ABDM_SEAL_OVERHEAD = 29, /* version, nonce, tag */
    ABDM_SEAL_PROBLEM = 256,
};

/* Const once made; may be used by several threads. */
typedef struct abdm_seal_key_s abdm_seal_key_t;

/*
 * Reads a key: 32 bytes as 64 hexadecimal digits or as base64, one line end allowed behind. The
 * file must be regular and closed to group and others. E_CONFIG, and `problem` is a terminated
 * text for the log that names the file and the fault, never its content. E_MEMORY.
 */
abdm_err_t abdm_seal_key_load(const char *path, abdm_seal_key_t **out,
                              char problem[ABDM_SEAL_PROBLEM]);

/* A key that nobody has outside of this process. E_CRYPTO, E_MEMORY. */
abdm_err_t abdm_seal_key_random(abdm_seal_key_t **out);

/* Makes a file with a new key, mode 0600, on disk when it returns. E_CONFIG when it exists. */
abdm_err_t abdm_seal_key_create(const char *path, char problem[ABDM_SEAL_PROBLEM]);

void abdm_seal_key_free(abdm_seal_key_t *key); /* wipes; NULL is allowed */

/* Appends plain.len + ABDM_SEAL_OVERHEAD bytes to `out`. E_CRYPTO, E_MEMORY. */
abdm_err_t abdm_seal(const abdm_seal_key_t *key, abdm_str_t aad, abdm_str_t plain,
                     abdm_buf_t *out);

/*
 * Appends the plaintext to `out`, or nothing. E_SEAL when the key, `aad` or a byte of `sealed` is
 * not what it was. The caller wipes.
 */
abdm_err_t abdm_unseal(const abdm_seal_key_t *key, abdm_str_t aad, abdm_str_t sealed,
                       abdm_buf_t *out);

/*
 * The same, several times as fast for short values: a sealer keeps what abdm_seal sets up for each
 * value. It belongs to one thread, and to the process that made it. `key` is borrowed while it is
 * made.
 */
typedef struct abdm_sealer_s abdm_sealer_t;

/* E_CRYPTO, E_MEMORY. */
abdm_err_t abdm_sealer_new(const abdm_seal_key_t *key, abdm_sealer_t **out);
void abdm_sealer_free(abdm_sealer_t *sealer); /* NULL is allowed */
abdm_err_t abdm_sealer_seal(abdm_sealer_t *sealer, abdm_str_t aad, abdm_str_t plain,
                            abdm_buf_t *out);
abdm_err_t abdm_sealer_unseal(abdm_sealer_t *sealer, abdm_str_t aad, abdm_str_t sealed,
                              abdm_buf_t *out);

/*
 * A key sealed under another one: whoever destroys `out` has destroyed all that is sealed under
 * `inner`. Unwrapping gives a key that the caller frees; E_SEAL as with a value.
 */
abdm_err_t abdm_seal_key_wrap(const abdm_seal_key_t *key, abdm_str_t aad,
                              const abdm_seal_key_t *inner, abdm_buf_t *out);
abdm_err_t abdm_seal_key_unwrap(const abdm_seal_key_t *key, abdm_str_t aad, abdm_str_t wrapped,
                                abdm_seal_key_t **out);

/* A key for one purpose (HKDF-SHA256, `label` of less than 64 bytes). The caller wipes. E_CRYPTO. */
abdm_err_t abdm_seal_derive(const abdm_seal_key_t *key, const char *label, uint8_t out[32]);

/*
 * Keyed hash of a value (HMAC-SHA-256 under a key derived from `key`), as 64 hexadecimal digits
 * with terminator: for finding a sealed value again, and for OTPs. `what` keeps the hashes of
 * different uses apart ("patient.abha_address"); `scope` those of different facilities. E_CRYPTO, E_MEMORY.
 */
abdm_err_t abdm_seal_hash(const abdm_seal_key_t *key, const char *what, const char *scope,
                          abdm_str_t value, char out[65]);

#endif
