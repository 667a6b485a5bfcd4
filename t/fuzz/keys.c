/* Public keys and nonces of requesters, and private keys as the command takes them. */
#include "fuzz.h"

#include "crypto/curve.h"
#include "crypto/fidelius.h"


static void
read_public(abdm_str_t text)
{
    abdm_public_key_t key, again;
    char out[ABDM_KEY_TEXT];

    if (abdm_failed(abdm_public_key_decode(text, &key)))
        return;
    NEED(abdm_point_check(key.point + 1) == ABDM_POINT_GOOD);
    for (int form = ABDM_KEY_RAW; form <= ABDM_KEY_X509; form++) {
        abdm_public_key_encode(key.point, (abdm_key_form_t) form, out);
        NEED(abdm_public_key_decode(abdm_str(out), &again).code == ABDM_OK);
        NEED(memcmp(key.point, again.point, sizeof key.point) == 0);
    }
}


static void
read_private(abdm_str_t text)
{
    char out[ABDM_PRIVATE_TEXT];
    abdm_key_pair_t pair, again;

    if (abdm_failed(abdm_key_pair_import(text, &pair)))
        return;
    abdm_key_pair_export(&pair, out);
    NEED(abdm_key_pair_import(abdm_str(out), &again).code == ABDM_OK);
    NEED(memcmp(pair.point, again.point, sizeof pair.point) == 0); /* the scalar may be negated */
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    abdm_str_t text = fuzz_text(data, size);
    uint8_t nonce[ABDM_NONCE_LEN];
    char out[ABDM_NONCE_TEXT];

    read_public(text);
    read_private(text);
    if (!abdm_failed(abdm_nonce_decode(text, nonce))) {
        abdm_nonce_encode(nonce, out);
        NEED(abdm_str_eq(text, abdm_str(out)));
    }
    NEED_NO_SSL_ERROR();
    return 0;
}
