/* What a requester sends of itself for an exchange of keys: its public key and nonce, as texts. */
#ifndef ABDM_TEST_REQUESTER_KEYS_H
#define ABDM_TEST_REQUESTER_KEYS_H

#include "crypto/fidelius.h"

static char key_text[ABDM_KEY_TEXT], nonce_text[ABDM_NONCE_TEXT];


static inline int
make_keys(void **state)
{
    uint8_t nonce[ABDM_NONCE_LEN];
    abdm_key_pair_t pair;

    (void) state;
    if (abdm_failed(abdm_key_pair_generate(&pair)) || abdm_failed(abdm_nonce_generate(nonce)))
        return -1;
    abdm_public_key_encode(pair.point, ABDM_KEY_X509, key_text);
    abdm_nonce_encode(nonce, nonce_text);
    return 0;
}

#endif
