/*
 * Signatures of consent artefacts. ABDM publishes neither their algorithm nor what exactly is
 * signed (gateway protocol 10, unknown 8), so what can be meant is tried: RSA with SHA-256, PKCS #1
 * v1.5 or PSS, as bare base64 or as a compact JWS (RS256, PS256) with or without its payload.
 */
#ifndef ABDM_CRYPTO_SIGNATURE_H
#define ABDM_CRYPTO_SIGNATURE_H

#include "core/err.h"
#include "core/model.h"

enum { ABDM_SIGNER_PROBLEM = 256, ABDM_SIGNERS_MAX = 16 };

/* The keys that may have signed. Const once made; may be used by several threads. */
typedef struct abdm_signers_s abdm_signers_t;

/*
 * Adds every RSA key of a PEM file: public keys and certificates, whose dates are not looked at.
 * `kid` NULL: the keys may have made any signature; else also only those that name none or this one.
 * *signers is made when NULL. E_CONFIG, and `problem` names the file and the fault; E_MEMORY.
 */
abdm_err_t abdm_signers_add(abdm_signers_t **signers, const char *path, const char *kid,
                            char problem[ABDM_SIGNER_PROBLEM]);
void abdm_signers_free(abdm_signers_t *signers); /* NULL is allowed */

/* Is `signature` (NULL or "": absent) of any of the forms by one of the keys? `signers` NULL: none.
 * E_MEMORY, E_CRYPTO: it could not be told. */
abdm_err_t abdm_signature_verify(const abdm_signers_t *signers, const char *signature,
                                 const abdm_str_t *form, size_t n_forms, abdm_signed_t *out);

#endif
