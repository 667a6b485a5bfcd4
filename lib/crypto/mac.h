/*
 * Message authentication (HMAC-SHA-256, RFC 2104) under a key of its own, derived from the secret
 * key: what only the holder of the secret key can have written. Made once for many messages.
 */
#ifndef ABDM_CRYPTO_MAC_H
#define ABDM_CRYPTO_MAC_H

#include "crypto/seal.h"

enum { ABDM_MAC_LEN = 32 };

/* Belongs to one thread. */
typedef struct abdm_mac_s abdm_mac_t;

/* `label` keeps the keys of different purposes apart, see abdm_seal_derive. E_CRYPTO, E_MEMORY. */
abdm_err_t abdm_mac_new(const abdm_seal_key_t *key, const char *label, abdm_mac_t **out);
void abdm_mac_free(abdm_mac_t *mac); /* NULL is allowed */

abdm_err_t abdm_mac(abdm_mac_t *mac, abdm_str_t message, uint8_t out[ABDM_MAC_LEN]);

#endif
