/* Keys that are kept under another key, and the bounds of what is sealed. */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/seal.h"

#define AAD ABDM_LIT("patient 7")

static abdm_seal_key_t *key;


static int
make_key(void **state)
{
    (void) state;
    return abdm_failed(abdm_seal_key_random(&key)) ? -1 : 0;
}


static int
free_key(void **state)
{
    (void) state;
    abdm_seal_key_free(key);
    return 0;
}


static void
a_wrapped_key_opens_and_hashes_as_before(void **state)
{
    abdm_seal_key_t *inner = NULL, *again = NULL;
    abdm_buf_t wrapped = {0}, sealed = {0}, plain = {0};
    char before[65], after[65];

    (void) state;
    assert_int_equal(abdm_seal_key_random(&inner).code, ABDM_OK);
    assert_int_equal(abdm_seal(inner, AAD, ABDM_LIT("a name"), &sealed).code, ABDM_OK);
    assert_int_equal(abdm_seal_hash(inner, "mobile", "h", ABDM_LIT("9"), before).code, ABDM_OK);
    assert_int_equal(abdm_seal_key_wrap(key, AAD, inner, &wrapped).code, ABDM_OK);
    assert_int_equal(abdm_seal_key_unwrap(key, AAD, abdm_buf_str(&wrapped), &again).code, ABDM_OK);

    assert_int_equal(abdm_unseal(again, AAD, abdm_buf_str(&sealed), &plain).code, ABDM_OK);
    assert_true(abdm_str_eq(abdm_buf_str(&plain), ABDM_LIT("a name")));
    assert_int_equal(abdm_seal_hash(again, "mobile", "h", ABDM_LIT("9"), after).code, ABDM_OK);
    assert_string_equal(after, before);
    abdm_seal_key_free(inner);
    abdm_seal_key_free(again);
    abdm_buf_free(&wrapped);
    abdm_buf_free(&sealed);
    abdm_buf_free(&plain);
}


static void
a_wrapped_key_of_another_row_or_length_gives_none(void **state)
{
    abdm_seal_key_t *inner = NULL, *again = NULL;
    abdm_buf_t wrapped = {0}, text = {0};

    (void) state;
    assert_int_equal(abdm_seal_key_random(&inner).code, ABDM_OK);
    assert_int_equal(abdm_seal_key_wrap(key, AAD, inner, &wrapped).code, ABDM_OK);
    assert_int_equal(
        abdm_seal_key_unwrap(key, ABDM_LIT("patient 8"), abdm_buf_str(&wrapped), &again).code,
        ABDM_E_SEAL);
    assert_null(again);
    assert_int_equal(abdm_seal(key, AAD, ABDM_LIT("31 bytes are no key of 32 bytes"), &text).code,
                     ABDM_OK);
    assert_int_equal(abdm_seal_key_unwrap(key, AAD, abdm_buf_str(&text), &again).code, ABDM_E_SEAL);
    assert_null(again);
    abdm_seal_key_free(inner);
    abdm_buf_free(&wrapped);
    abdm_buf_free(&text);
}


/* OpenSSL counts in int. Nothing of a text that is too long is looked at, so it need not be there. */
static void
what_is_longer_than_2_gb_is_refused_unseen(void **state)
{
    const abdm_str_t vast = {"\1", (size_t) INT_MAX + 1};
    abdm_sealer_t *sealer = NULL;
    abdm_buf_t out = {0};

    (void) state;
    assert_int_equal(abdm_sealer_new(key, &sealer).code, ABDM_OK);
    assert_int_equal(abdm_seal(key, AAD, vast, &out).code, ABDM_E_CRYPTO);
    assert_int_equal(abdm_seal(key, vast, AAD, &out).code, ABDM_E_CRYPTO);
    assert_int_equal(abdm_sealer_seal(sealer, AAD, vast, &out).code, ABDM_E_CRYPTO);
    assert_int_equal(abdm_unseal(key, AAD, vast, &out).code, ABDM_E_SEAL);
    assert_int_equal(abdm_unseal(key, vast, (abdm_str_t){"\1", 64}, &out).code, ABDM_E_SEAL);
    assert_int_equal(abdm_sealer_unseal(sealer, AAD, vast, &out).code, ABDM_E_SEAL);
    assert_int_equal(out.len, 0);
    abdm_sealer_free(sealer);
    abdm_buf_free(&out);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wrapped_key_opens_and_hashes_as_before),
        cmocka_unit_test(a_wrapped_key_of_another_row_or_length_gives_none),
        cmocka_unit_test(what_is_longer_than_2_gb_is_refused_unseen),
    };

    return cmocka_run_group_tests(tests, make_key, free_key);
}
