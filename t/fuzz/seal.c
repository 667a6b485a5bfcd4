/*
 * Sealed rows. An input is the row's identity, a line end, and a row as it came ("r...") or a
 * text that is sealed here and then opened ("s...") or first changed ("m", place, change).
 */
#include "fuzz.h"

#include "crypto/seal.h"

static abdm_seal_key_t *key;


static void
remove_key(void)
{
    abdm_seal_key_free(key);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    abdm_str_t rest = fuzz_text(data, size);
    abdm_str_t row = fuzz_line(&rest);
    abdm_buf_t sealed = {0}, plain = {0};
    char choice = fuzz_choice(&rest);

    if (key == NULL) {
        NEED(!abdm_failed(abdm_seal_key_random(&key)));
        NEED(atexit(remove_key) == 0);
    }
    if (choice == 's') {
        NEED(!abdm_failed(abdm_seal(key, row, rest, &sealed)));
        NEED(!abdm_failed(abdm_unseal(key, row, abdm_buf_str(&sealed), &plain)));
        NEED(abdm_str_eq(rest, abdm_buf_str(&plain)));
        abdm_buf_free(&plain);
        NEED(abdm_failed(abdm_unseal(key, rest, abdm_buf_str(&sealed), &plain)) ||
             abdm_str_eq(row, rest));
    } else if (choice == 'm' && rest.len >= 3 && rest.p[2] != 0) {
        size_t place = (uint8_t) rest.p[0] * 256u + (uint8_t) rest.p[1];
        NEED(!abdm_failed(abdm_seal(key, row, rest, &sealed)));
        sealed.p[place % sealed.len] ^= rest.p[2];
        NEED(abdm_failed(abdm_unseal(key, row, abdm_buf_str(&sealed), &plain)));
    } else {
        NEED(abdm_failed(abdm_unseal(key, row, rest, &plain)));
    }
    NEED_NO_SSL_ERROR();
    abdm_buf_free(&plain);
    abdm_buf_free(&sealed);
    return 0;
}
