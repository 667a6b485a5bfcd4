/* Message authentication: HMAC-SHA-256 under a key derived for one purpose. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "crypto/mac.h"

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
it_is_hmac_under_the_key_derived_for_its_label(void **state)
{
    static const char *const messages[] = {"", "a line of the audit", "a line of the audit."};
    uint8_t derived[32], want[ABDM_MAC_LEN], got[ABDM_MAC_LEN];
    abdm_mac_t *mac = NULL;

    (void) state;
    assert_int_equal(abdm_seal_derive(key, "audit", derived).code, ABDM_OK);
    assert_int_equal(abdm_mac_new(key, "audit", &mac).code, ABDM_OK);
    for (int round = 0; round < 2; round++) { /* the second has nothing of the first */
        for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
            assert_non_null(HMAC(EVP_sha256(), derived, 32, (const uint8_t *) messages[i],
                                 strlen(messages[i]), want, NULL));
            assert_int_equal(abdm_mac(mac, abdm_str(messages[i]), got).code, ABDM_OK);
            assert_memory_equal(got, want, sizeof(got));
        }
    }
    abdm_mac_free(mac);
    abdm_mac_free(NULL);
}


static void
another_label_or_another_secret_key_gives_another_value(void **state)
{
    uint8_t value[3][ABDM_MAC_LEN];
    abdm_seal_key_t *other = NULL;

    (void) state;
    assert_int_equal(abdm_seal_key_random(&other).code, ABDM_OK);
    for (size_t i = 0; i < 3; i++) {
        abdm_mac_t *mac = NULL;

        assert_int_equal(abdm_mac_new(i == 2 ? other : key, i == 1 ? "b" : "a", &mac).code, ABDM_OK);
        assert_int_equal(abdm_mac(mac, ABDM_LIT("message"), value[i]).code, ABDM_OK);
        abdm_mac_free(mac);
    }
    assert_memory_not_equal(value[0], value[1], ABDM_MAC_LEN);
    assert_memory_not_equal(value[0], value[2], ABDM_MAC_LEN);
    abdm_seal_key_free(other);
}


static void
a_label_that_is_too_long_makes_no_key(void **state)
{
    static const char label[] = "a label of more than sixty-three characters, which nobody needs..";
    uint8_t derived[32];
    abdm_mac_t *mac;

    (void) state;
    assert_int_equal(abdm_seal_derive(key, label + sizeof(label) - 64, derived).code, ABDM_OK);
    assert_int_equal(abdm_seal_derive(key, label, derived).code, ABDM_E_INTERNAL);
    assert_int_equal(abdm_mac_new(key, label, &mac).code, ABDM_E_INTERNAL);
    assert_null(mac);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_hmac_under_the_key_derived_for_its_label),
        cmocka_unit_test(another_label_or_another_secret_key_gives_another_value),
        cmocka_unit_test(a_label_that_is_too_long_makes_no_key),
    };

    return cmocka_run_group_tests(tests, make_key, free_key);
}
