/* Strings and buffers, and the table of errors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/err.h"

static void
strings_compare_by_length_and_bytes(void **state)
{
    (void) state;
    assert_true(abdm_str_eq(abdm_str(NULL), ABDM_LIT("")));
    assert_true(abdm_str_eq((abdm_str_t){NULL, 0}, ABDM_LIT("")));
    assert_true(abdm_str_eq(ABDM_LIT("a\0b"), ABDM_LIT("a\0b")));
    assert_false(abdm_str_eq(ABDM_LIT("a\0b"), ABDM_LIT("a\0c")));
    assert_false(abdm_str_eq(ABDM_LIT("a"), ABDM_LIT("ab")));
    assert_true(abdm_str_ieq(ABDM_LIT("AzZ@[`{1"), ABDM_LIT("aZz@[`{1")));
    assert_false(abdm_str_ieq(ABDM_LIT("@"), ABDM_LIT("`")));
    assert_false(abdm_str_ieq(ABDM_LIT("["), ABDM_LIT("{")));
    assert_false(abdm_str_ieq(ABDM_LIT("\xc9"), ABDM_LIT("\xe9")));
    assert_true(abdm_str_starts(ABDM_LIT("abc"), ABDM_LIT("ab")));
    assert_true(abdm_str_starts(ABDM_LIT("abc"), ABDM_LIT("")));
    assert_false(abdm_str_starts(ABDM_LIT("a"), ABDM_LIT("ab")));
    assert_true(abdm_secret_eq(ABDM_LIT("s3cret"), ABDM_LIT("s3cret")));
    assert_true(abdm_secret_eq(ABDM_LIT(""), (abdm_str_t){NULL, 0}));
    assert_false(abdm_secret_eq(ABDM_LIT("s3cret"), ABDM_LIT("s3creT")));
    assert_false(abdm_secret_eq(ABDM_LIT("s3cret"), ABDM_LIT("s3cre")));

    char *z = abdm_str_dup((abdm_str_t){"abc", 2});
    assert_string_equal(z, "ab");
    free(z);
    assert_null(abdm_str_dup((abdm_str_t){"", SIZE_MAX}));
}


static void
wiping_leaves_zeros(void **state)
{
    char s[] = "secret";

    (void) state;
    abdm_wipe(s, sizeof s);
    for (size_t i = 0; i < sizeof s; i++)
        assert_int_equal(s[i], 0);
    abdm_wipe(NULL, 0);
}


static void
a_buffer_grows_and_gives_its_text_away(void **state)
{
    abdm_buf_t b = {0};

    (void) state;
    assert_int_equal(abdm_buf_str(&b).len, 0);
    assert_non_null(abdm_buf_str(&b).p);
    for (int i = 0; i < 10000; i++)
        abdm_buf_addf(&b, "%04d", i);
    abdm_buf_addz(&b, "end");
    abdm_buf_add_str(&b, ABDM_LIT("!"));
    abdm_buf_addz(&b, NULL);
    assert_false(b.failed);
    assert_int_equal(b.len, 40004);
    assert_memory_equal(b.p + 4 * 1234, "1234", 4);
    char *z = abdm_buf_take(&b);
    assert_int_equal(strlen(z), 40004);
    assert_string_equal(z + 40000, "end!");
    assert_null(b.p);
    free(z);
}


static void
an_empty_buffer_gives_an_empty_text(void **state)
{
    abdm_buf_t b = {0};

    (void) state;
    char *z = abdm_buf_take(&b);
    assert_string_equal(z, "");
    free(z);
}


static void
a_filled_buffer_still_has_room_for_the_terminator(void **state)
{
    (void) state;
    for (size_t n = 120; n < 260; n++) {
        abdm_buf_t b = {0};
        for (size_t i = 0; i < n; i++)
            abdm_buf_add(&b, "x", 1);
        assert_true(b.cap > b.len);
        char *z = abdm_buf_take(&b);
        assert_int_equal(strlen(z), n);
        free(z);
    }
}


static void
a_failed_buffer_stays_failed(void **state)
{
    abdm_buf_t b = {0};

    (void) state;
    abdm_buf_addz(&b, "abc");
    assert_false(b.failed);
    assert_false(abdm_buf_reserve(&b, SIZE_MAX - 2));
    assert_true(b.failed);
    abdm_buf_addz(&b, "def");
    assert_int_equal(b.len, 3);
    assert_false(abdm_buf_reserve(&b, 1));
    assert_null(abdm_buf_take(&b));
    assert_null(b.p);
    abdm_buf_addz(&b, "again");
    assert_false(b.failed);
    assert_int_equal(b.len, 5);
    abdm_buf_wipe_free(&b);
}


static void
every_error_has_a_name_and_is_found_by_it(void **state)
{
    (void) state;
    for (int i = ABDM_OK + 1; i < ABDM_CODE_COUNT; i++) {
        const abdm_error_info_t *row = abdm_error_info((abdm_code_t) i);
        assert_int_equal(strncmp(row->name, "E_", 2), 0);
        assert_int_equal(abdm_error_by_name(row->name), i);
        assert_true(row->http >= 400 && row->http <= 599);
        assert_true(row->wire[0] == '\0' || strncmp(row->wire, "ABDM-", 5) == 0);
        assert_true(strlen(row->meaning) > 0 && strlen(row->remedy) > 0);
    }
    assert_int_equal(abdm_error_by_name("E_NONE_SUCH"), ABDM_OK);
    assert_int_equal(abdm_error_by_name(NULL), ABDM_OK);
    assert_string_equal(abdm_error_info((abdm_code_t) 9999)->name, "E_INTERNAL");
    assert_string_equal(abdm_error_info(ABDM_OK)->name, "OK");
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strings_compare_by_length_and_bytes),
        cmocka_unit_test(wiping_leaves_zeros),
        cmocka_unit_test(a_buffer_grows_and_gives_its_text_away),
        cmocka_unit_test(an_empty_buffer_gives_an_empty_text),
        cmocka_unit_test(a_filled_buffer_still_has_room_for_the_terminator),
        cmocka_unit_test(a_failed_buffer_stays_failed),
        cmocka_unit_test(every_error_has_a_name_and_is_found_by_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
