/*
 * Encryption and decryption of ABDM's health records for programs that link libabdm: all text in
 * and out is what travels on the wire (base64), and no object outlives a call. Every function
 * returns {ABDM_OK} or an error whose `what` names the input and the fault; it needs no clean-up.
 */
#ifndef ABDM_FIDELIUS_H
#define ABDM_FIDELIUS_H

#include <stddef.h>

#include "core/err.h"

#ifndef ABDM_API
#define ABDM_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Terminated base64, as fidelius-cli prints it. private_key is secret: the caller wipes it. */
typedef struct {
    char private_key[48];
    char public_key[96];       /* the point: what a requester sends */
    char x509_public_key[416]; /* the same as X.509: what a sender sends */
    char nonce[48];
} abdm_key_material_t;

/* A fresh pair and a fresh nonce: for one request, or for one page, and never for a second. */
ABDM_API abdm_err_t abdm_fidelius_key_material(abdm_key_material_t *out);

/* Who talks to whom: own secret side and the peer's public one, in terminated base64. */
typedef struct {
    const char *own_private_key;
    const char *own_nonce;
    const char *peer_public_key; /* the point or X.509 */
    const char *peer_nonce;
} abdm_fidelius_exchange_t;

/* Encrypts `len` bytes. *content is terminated base64; abdm_fidelius_free it. */
ABDM_API abdm_err_t abdm_fidelius_encrypt_bytes(const abdm_fidelius_exchange_t *x,
                                                const void *plain, size_t len, char **content);

/* Encrypts what `plain` is the base64 of. */
ABDM_API abdm_err_t abdm_fidelius_encrypt_base64(const abdm_fidelius_exchange_t *x,
                                                 const char *plain, char **content);

/*
 * Decrypts `len` characters of base64. *plain is terminated, may hold any bytes, and belongs to
 * the caller: abdm_fidelius_free it. Nothing is given unless the tag fits.
 */
ABDM_API abdm_err_t abdm_fidelius_decrypt_bytes(const abdm_fidelius_exchange_t *x,
                                                const char *content, size_t len, char **plain,
                                                size_t *plain_len);

/* Wipes `len` bytes and frees. NULL is allowed. */
ABDM_API void abdm_fidelius_free(char *p, size_t len);

#ifdef __cplusplus
}
#endif

#endif
