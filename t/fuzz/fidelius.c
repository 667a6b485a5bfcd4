/*
 * Content of pages. An input is content as it came ("r..."), or a plaintext that is encrypted
 * here and then opened ("e...") or first changed at one place ("m", two bytes for the place, one
 * for the change).
 */
#include "fuzz.h"

#include "crypto/fidelius.h"

static abdm_key_pair_t ours, theirs;
static abdm_public_key_t our_key, their_key;
static uint8_t our_nonce[ABDM_NONCE_LEN], their_nonce[ABDM_NONCE_LEN];


static void
make_keys(void)
{
    NEED(!abdm_failed(abdm_key_pair_generate(&ours)));
    NEED(!abdm_failed(abdm_key_pair_generate(&theirs)));
    NEED(!abdm_failed(abdm_nonce_generate(our_nonce)));
    NEED(!abdm_failed(abdm_nonce_generate(their_nonce)));
    memcpy(our_key.point, ours.point, sizeof our_key.point);
    memcpy(their_key.point, theirs.point, sizeof their_key.point);
}


/* Read in pieces whose size changes. */
static void
encrypt(abdm_str_t plain, abdm_buf_t *content)
{
    abdm_buf_t copy = {0};
    abdm_source_t *s;
    char piece[97];
    size_t got, step = plain.len;

    abdm_buf_add_str(&copy, plain);
    NEED(!abdm_failed(abdm_fidelius_encrypt_with(&theirs, their_nonce, &our_key, our_nonce,
                                                 abdm_source_take_buf(&copy), &s)));
    do {
        step = step * 31 + 7;
        NEED(!abdm_failed(s->read(s, piece, 1 + step % sizeof piece, &got)));
        abdm_buf_add(content, piece, got);
    } while (got > 0);
    NEED(content->len == s->length);
    abdm_source_close(s);
}


static abdm_err_t
decrypt(abdm_str_t content, abdm_buf_t *plain)
{
    abdm_err_t err =
        abdm_fidelius_decrypt(&ours, our_nonce, &their_key, their_nonce, content, plain);

    NEED_NO_SSL_ERROR();
    NEED(!abdm_failed(err) || plain->len == 0);
    return err;
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    abdm_str_t rest = fuzz_text(data, size);
    abdm_buf_t content = {0}, plain = {0};
    char choice = fuzz_choice(&rest);

    if (ours.point[0] == 0)
        make_keys();
    if (choice == 'e') {
        encrypt(rest, &content);
        NEED(!abdm_failed(decrypt(abdm_buf_str(&content), &plain)));
        NEED(abdm_str_eq(abdm_buf_str(&plain), rest));
    } else if (choice == 'm' && rest.len >= 3 && rest.p[2] != 0) {
        encrypt((abdm_str_t){rest.p + 3, rest.len - 3}, &content);
        size_t place = (uint8_t) rest.p[0] * 256u + (uint8_t) rest.p[1];
        content.p[place % content.len] ^= rest.p[2];
        NEED(abdm_failed(decrypt(abdm_buf_str(&content), &plain)));
    } else {
        NEED(abdm_failed(decrypt(rest, &plain)));
    }
    abdm_buf_free(&plain);
    abdm_buf_free(&content);
    return 0;
}
