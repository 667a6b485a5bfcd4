/*
 * The public face of Fidelius: text to keys and nonces, one operation, text again. Rules are
 * those of fidelius.c; here is nothing but the reading and writing around it.
 */
#include "abdm_fidelius.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/fidelius.h"

_Static_assert(sizeof(((abdm_key_material_t *) 0)->private_key) >= ABDM_PRIVATE_TEXT, "room");
_Static_assert(sizeof(((abdm_key_material_t *) 0)->x509_public_key) >= ABDM_KEY_TEXT, "room");
_Static_assert(sizeof(((abdm_key_material_t *) 0)->nonce) >= ABDM_NONCE_TEXT, "room");

typedef struct {
    abdm_key_pair_t own;
    abdm_public_key_t peer;
    uint8_t own_nonce[ABDM_NONCE_LEN];
    uint8_t peer_nonce[ABDM_NONCE_LEN];
} sides_t;


abdm_err_t
abdm_fidelius_key_material(abdm_key_material_t *out)
{
    abdm_key_pair_t pair = {0};
    uint8_t nonce[ABDM_NONCE_LEN];
    char text[ABDM_KEY_TEXT] = {0};
    abdm_err_t err = abdm_key_pair_generate(&pair);

    if (!abdm_failed(err))
        err = abdm_nonce_generate(nonce);
    if (!abdm_failed(err)) {
        abdm_key_pair_export(&pair, out->private_key);
        abdm_public_key_encode(pair.point, ABDM_KEY_RAW, text);
        memcpy(out->public_key, text, sizeof(out->public_key));
        abdm_public_key_encode(pair.point, ABDM_KEY_X509, out->x509_public_key);
        abdm_nonce_encode(nonce, out->nonce);
    }
    abdm_key_pair_wipe(&pair);
    return err;
}


static abdm_err_t
read_sides(const abdm_fidelius_exchange_t *x, sides_t *s)
{
    ABDM_TRY(abdm_key_pair_import(abdm_str(x->own_private_key), &s->own));
    ABDM_TRY(abdm_public_key_decode(abdm_str(x->peer_public_key), &s->peer));
    if (abdm_failed(abdm_nonce_decode(abdm_str(x->own_nonce), s->own_nonce)))
        return ABDM_ERR(KEY_MATERIAL, "own nonce: base64 of exactly 32 bytes expected");
    if (abdm_failed(abdm_nonce_decode(abdm_str(x->peer_nonce), s->peer_nonce)))
        return ABDM_ERR(KEY_MATERIAL, "peer's nonce: base64 of exactly 32 bytes expected");
    return ABDM_NO_ERR;
}


/* Takes `plain`. */
static abdm_err_t
encrypt_buf(const abdm_fidelius_exchange_t *x, abdm_buf_t *plain, char **content)
{
    sides_t s = {0};
    abdm_source_t *stream = NULL;
    abdm_buf_t text = {0};
    abdm_err_t err = read_sides(x, &s);

    if (abdm_failed(err))
        abdm_buf_wipe_free(plain);
    else
        err = abdm_fidelius_encrypt_with(&s.own, s.own_nonce, &s.peer, s.peer_nonce,
                                         abdm_source_take_buf(plain), &stream);
    if (!abdm_failed(err))
        err = abdm_source_read_all(stream, SIZE_MAX, &text);
    if (!abdm_failed(err))
        *content = abdm_buf_take(&text); /* never empty, so that there is nothing left to allocate */
    abdm_source_close(stream);
    abdm_buf_free(&text);
    abdm_wipe(&s, sizeof(s));
    return err;
}


abdm_err_t
abdm_fidelius_encrypt_bytes(const abdm_fidelius_exchange_t *x, const void *plain, size_t len,
                            char **content)
{
    abdm_buf_t copy = {0};

    *content = NULL;
    abdm_buf_add(&copy, plain, len);
    return encrypt_buf(x, &copy, content);
}


abdm_err_t
abdm_fidelius_encrypt_base64(const abdm_fidelius_exchange_t *x, const char *plain, char **content)
{
    abdm_str_t text = abdm_str(plain);
    abdm_buf_t bytes = {0};

    *content = NULL;
    if (!abdm_buf_reserve(&bytes, text.len / 4 * 3))
        return ABDM_ERR(MEMORY, "plaintext");
    if (!abdm_base64_decode(text, (uint8_t *) bytes.p, text.len / 4 * 3, &bytes.len)) {
        abdm_buf_wipe_free(&bytes);
        return ABDM_ERR(FIELD, "plaintext: not standard base64 with padding");
    }
    return encrypt_buf(x, &bytes, content);
}


abdm_err_t
abdm_fidelius_decrypt_bytes(const abdm_fidelius_exchange_t *x, const char *content, size_t len,
                            char **plain, size_t *plain_len)
{
    sides_t s = {0};
    abdm_buf_t out = {0};
    abdm_err_t err = read_sides(x, &s);

    *plain = NULL;
    if (!abdm_failed(err))
        err = abdm_fidelius_decrypt(&s.own, s.own_nonce, &s.peer, s.peer_nonce,
                                    (abdm_str_t){content, len}, &out);
    abdm_wipe(&s, sizeof(s));
    if (!abdm_failed(err)) {
        *plain_len = out.len;
        *plain = abdm_buf_take(&out); /* has had room for the tag, so that this cannot fail */
    }
    abdm_buf_wipe_free(&out);
    return err;
}


void
abdm_fidelius_free(char *p, size_t len)
{
    abdm_wipe(p, len);
    free(p);
}
