/* UUIDs against RFC 4122's own example, and SHA-256 against FIPS 180-4's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "core/id.h"

static const char dns_space[] = "6ba7b810-9dad-11d1-80b4-00c04fd430c8";


static void
random_uuids_are_version_4_and_differ(void **state)
{
    char a[ABDM_UUID_TEXT], b[ABDM_UUID_TEXT];

    (void) state;
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(abdm_uuid4(a).code, ABDM_OK);
        assert_int_equal(abdm_uuid4(b).code, ABDM_OK);
        assert_true(abdm_is_uuid(abdm_str(a)));
        assert_int_equal(a[14], '4');
        assert_non_null(strchr("89ab", a[19]));
        assert_string_not_equal(a, b);
    }
}


static void
named_uuids_are_those_of_rfc_4122(void **state)
{
    char a[ABDM_UUID_TEXT];

    (void) state;
    assert_int_equal(abdm_uuid5(dns_space, ABDM_LIT("www.example.com"), a).code, ABDM_OK);
    assert_string_equal(a, "2ed6657d-e927-568b-95e1-2665a8aea6a2");
    assert_int_equal(abdm_uuid5("6BA7B810-9DAD-11D1-80B4-00C04FD430C8", ABDM_LIT("python.org"), a)
                         .code,
                     ABDM_OK);
    assert_string_equal(a, "886313e1-3b8a-5372-9b90-0c9aee199e5d");
}


static void
a_name_space_that_is_no_uuid_is_refused(void **state)
{
    char a[ABDM_UUID_TEXT] = "x";

    (void) state;
    assert_int_equal(abdm_uuid5("dns", ABDM_LIT("x"), a).code, ABDM_E_INTERNAL);
    assert_string_equal(a, "");
}


static void
only_8_4_4_4_12_hex_digits_are_a_uuid(void **state)
{
    static const abdm_str_t bad[] = {
        ABDM_LIT(""),
        ABDM_LIT("6ba7b8109dad11d180b400c04fd430c8"),
        ABDM_LIT("{6ba7b810-9dad-11d1-80b4-00c04fd430c8}"),
        ABDM_LIT("6ba7b810-9dad-11d1-80b4-00c04fd430c"),
        ABDM_LIT("6ba7b810-9dad-11d1-80b4-00c04fd430c8 "),
        ABDM_LIT("6ba7b810-9dad-11d1-80b4-00c04fd430cg"),
        ABDM_LIT("6ba7b81-09dad-11d1-80b4-00c04fd430c8"),
        ABDM_LIT("6ba7b810-9dad-11d1-80b4-00c04fd430c\0"),
        ABDM_LIT("6ba7b810_9dad_11d1_80b4_00c04fd430c8"),
    };

    (void) state;
    assert_true(abdm_is_uuid(abdm_str(dns_space)));
    assert_true(abdm_is_uuid(ABDM_LIT("6BA7b810-9dAD-11d1-80b4-00C04FD430C8")));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(abdm_is_uuid(bad[i]));
}


static void
sha256_is_that_of_fips_180(void **state)
{
    char out[65];

    (void) state;
    assert_int_equal(abdm_sha256_hex(ABDM_LIT("abc"), out).code, ABDM_OK);
    assert_string_equal(out, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_int_equal(abdm_sha256_hex((abdm_str_t){NULL, 0}, out).code, ABDM_OK);
    assert_string_equal(out, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_uuids_are_version_4_and_differ),
        cmocka_unit_test(named_uuids_are_those_of_rfc_4122),
        cmocka_unit_test(a_name_space_that_is_no_uuid_is_refused),
        cmocka_unit_test(only_8_4_4_4_12_hex_digits_are_a_uuid),
        cmocka_unit_test(sha256_is_that_of_fips_180),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
