/* Normal forms of ABHA addresses, ABHA numbers and genders. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "core/abha.h"


static void
an_address_becomes_lower_case(void **state)
{
    static const char *const rows[][2] = {
        {"Asha.K@SBX", "asha.k@sbx"},
        {"asha_k1@abdm", "asha_k1@abdm"},
        {"91111222233334@sbx", "91111222233334@sbx"},
    };
    char *out;

    (void) state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_true(abdm_abha_address_normal(abdm_str(rows[i][0]), &out));
        assert_string_equal(out, rows[i][1]);
        free(out);
    }
}


static void
what_is_no_address_is_refused(void **state)
{
    static const char *const rows[] = {
        "",          "asha",      "@sbx",       "asha@",       "asha@sbx2", "as@sbx",
        ".asha@sbx", "asha_@sbx", "a sha@sbx",  "asha@s bx",   "asha@@sbx", "asha-k@sbx",
        "asha@sbx ", "अशा@sbx",   "asha@sbx\n", "asha@sbx.in",
    };
    char long_one[ABDM_ABHA_ADDRESS_BYTES + 2], *out;

    (void) state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (abdm_abha_address_normal(abdm_str(rows[i]), &out))
            fail_msg("\"%s\" is taken", rows[i]);
        assert_null(out);
    }
    memset(long_one, 'a', sizeof long_one);
    memcpy(long_one + sizeof long_one - 5, "@sbx", 5);
    assert_false(abdm_abha_address_normal(abdm_str(long_one), &out));
    assert_true(abdm_abha_address_normal(abdm_str(long_one + 1), &out));
    free(out);
    assert_false(abdm_abha_address_normal((abdm_str_t){"asha\0k@sbx", 10}, &out));
}


static void
a_number_loses_its_dashes_and_spaces(void **state)
{
    static const char *const rows[] = {"91-1112-2223-3334", "91111222233334", "91 1112 2223 3334"};
    char *out;

    (void) state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_true(abdm_abha_number_normal(abdm_str(rows[i]), &out));
        assert_string_equal(out, "91111222233334");
        free(out);
    }
}


static void
a_number_of_other_length_or_alphabet_is_refused(void **state)
{
    static const char *const rows[] = {
        "",
        "NA",
        "-",
        "91-1112-2223-333",
        "91-1112-2223-33345",
        "91-1112-2223-333a",
        "+91111222233334",
        "91.1112.2223.3334",
    };
    char *out;

    (void) state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (abdm_abha_number_normal(abdm_str(rows[i]), &out))
            fail_msg("\"%s\" is taken", rows[i]);
        assert_null(out);
    }
}


static void
a_gender_is_one_letter_and_unknown_when_it_is_not_known(void **state)
{
    static const char *const rows[][2] = {
        {"M", "M"},      {"male", "M"}, {"f", "F"},           {"FEMALE", "F"}, {"O", "O"},
        {"Others", "O"}, {"t", "T"},    {"Transgender", "T"}, {"D", "D"},      {"U", "U"},
        {"", "U"},       {"1", "U"},    {"fem", "U"},
    };

    (void) state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_string_equal(abdm_gender_normal(abdm_str(rows[i][0])), rows[i][1]);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_becomes_lower_case),
        cmocka_unit_test(what_is_no_address_is_refused),
        cmocka_unit_test(a_number_loses_its_dashes_and_spaces),
        cmocka_unit_test(a_number_of_other_length_or_alphabet_is_refused),
        cmocka_unit_test(a_gender_is_one_letter_and_unknown_when_it_is_not_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
