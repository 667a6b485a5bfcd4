/* What of the gateway's texts may be kept: its own words, never names, numbers or addresses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "gateway/answer.h"

enum { CAP = 128 };


static void
assert_said(const char *text, const char *want)
{
    char out[CAP];

    abdm_answer_said(text, out, sizeof(out));
    assert_string_equal(out, want);
}


static void
the_gateways_own_messages_stay_readable(void **state)
{
    static const char *const messages[] = {
        "Invalid link token", "Duplicate HIP link request", "You are blocked, please retry after *",
        "Care context already linked", "Data mismatch", "Invalid Timestamp",
        "Dependent service unavailable", "HIP id differs from link token",
        "Invalid consent artefact id", "Too many requests", "Internal server error",
        "No mapping found for *", "The X-CM-ID header is missing.",
        "Invalid (HI) type: * in request",
    };

    (void) state;
    for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++)
        assert_said(messages[i], messages[i]);
}


static void
names_numbers_and_addresses_become_a_star(void **state)
{
    static const char *const rows[][2] = {
        {"Data mismatch for Asha Kumari", "Data mismatch for *"},
        {"mobile 9000000001 is blocked", "mobile * is blocked"},
        {"ABHA number 91-1112-2223-3334 not found", "ABHA number * not found"},
        {"asha.k@sbx does not exist", "* does not exist"},
        {"OTP 123456 expired", "OTP * expired"},
        {"name=Asha", "*"},
        {"name:Asha", "*"},
        {"patient(Asha)", "*"},
        {"token eyJhbGciOi.J9.x", "token *"},
        {"token-9000000001", "*"},
        {"request-id", "*"},
        {"a1", "*"},
        {"patient/UH100231", "*"},
        {"\"patient\"", "\"patient\""},
        {"9000000001", "*"},
        {"...", "*"},
        {"", ""},
        {"  two   spaces  ", "*"},
        {"Patient\tAsha", "*"},
    };

    (void) state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_said(rows[i][0], rows[i][1]);
}


static void
a_long_text_is_cut_between_words(void **state)
{
    char text[1000], out[24];

    (void) state;
    memset(text, 'a', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    assert_said(text, "*");
    abdm_answer_said("invalid link token or address of patient", out, sizeof(out));
    assert_string_equal(out, "invalid link token or");
    abdm_answer_said("invalid", out, 8);
    assert_string_equal(out, "invalid");
    abdm_answer_said("invalid", out, 7);
    assert_string_equal(out, "");
    abdm_answer_said("x", out, 1);
    assert_string_equal(out, "");
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_gateways_own_messages_stay_readable),
        cmocka_unit_test(names_numbers_and_addresses_become_a_star),
        cmocka_unit_test(a_long_text_is_cut_between_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
