/* What cryptography does when the random bytes are not random: it says so, and gives nothing. */
#define OPENSSL_SUPPRESS_DEPRECATED

#include <openssl/rand.h>

#include "crypto/otp.h"
#include "fidelius_help.h"

static const RAND_METHOD *genuine;
static uint8_t always[32];         /* what the generator gives, over and over */
static void (*meanwhile)(void);    /* done once while it is asked */
static abdm_key_pool_t *pool;


static int
give(unsigned char *out, int n)
{
    void (*act)(void) = meanwhile;

    meanwhile = NULL;
    if (act != NULL)
        act();
    for (int i = 0; i < n; i++)
        out[i] = always[i % 32];
    return 1;
}


static void
break_generator(void)
{
    static RAND_METHOD broken = {.bytes = give, .pseudorand = give};

    assert_int_equal(RAND_set_rand_method(&broken), 1);
}


static int
mend_generator(void **state)
{
    (void) state;
    meanwhile = NULL;
    return RAND_set_rand_method(genuine) == 1 ? 0 : -1;
}


static int
remember_generator(void **state)
{
    (void) state;
    genuine = RAND_get_rand_method();
    return 0;
}


static void
an_otp_is_not_made_of_bytes_that_favour_some_numbers(void **state)
{
    char otp[ABDM_OTP_TEXT] = "before";

    (void) state;
    memset(always, 0xff, sizeof(always));
    break_generator();
    assert_int_equal(abdm_otp_make(otp).code, ABDM_E_CRYPTO);
    assert_string_equal(otp, "");
}


/* One pair in 128 has a secret with this peer that starts with a zero byte; another is to be drawn. */
static void
a_pair_that_must_be_drawn_again_is_not_drawn_for_ever(void **state)
{
    static const uint8_t nonce[ABDM_NONCE_LEN];
    abdm_public_key_t peer = public_key(BASE_POINT);
    abdm_fidelius_sender_t sender;
    abdm_buf_t page = {0};
    abdm_source_t *out;
    uint8_t secret[32] = {1};

    (void) state;
    for (int i = 0; i < 20000 && secret[0] != 0; i++) {
        abdm_key_pair_t pair;

        assert_ok(abdm_key_pair_generate(&pair));
        assert_ok(abdm_fidelius_secret(&pair, &peer, secret));
        memcpy(always, pair.scalar, sizeof(always));
    }
    assert_int_equal(secret[0], 0);
    abdm_buf_addz(&page, "a page");
    break_generator();
    assert_int_equal(abdm_fidelius_encrypt(NULL, &peer, nonce, abdm_source_take_buf(&page), &sender,
                                           &out).code,
                     ABDM_E_CRYPTO);
    assert_null(out);
}


static void
fill_pool(void)
{
    size_t made;

    assert_ok(abdm_key_pool_refill(pool, 2, &made));
    assert_int_equal(made, 2);
}


static void
a_pool_that_others_fill_meanwhile_takes_no_more_than_its_size(void **state)
{
    size_t made = 7;

    (void) state;
    pool = abdm_key_pool_new(2);
    assert_non_null(pool);
    memset(always, 0x42, sizeof(always));
    break_generator();
    meanwhile = fill_pool;
    assert_ok(abdm_key_pool_refill(pool, 5, &made));
    assert_int_equal(made, 0);
    abdm_key_pool_free(pool);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(an_otp_is_not_made_of_bytes_that_favour_some_numbers,
                                  mend_generator),
        cmocka_unit_test_teardown(a_pair_that_must_be_drawn_again_is_not_drawn_for_ever,
                                  mend_generator),
        cmocka_unit_test_teardown(a_pool_that_others_fill_meanwhile_takes_no_more_than_its_size,
                                  mend_generator),
    };

    return cmocka_run_group_tests(tests, remember_generator, NULL);
}
