/* Sources give exactly their bytes whatever the reader's steps, and close what they took. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "core/source.h"

static int closed;

/* A source that gives `give` bytes in odd steps, while it promises `length`. */
typedef struct {
    abdm_source_t base;
    uint64_t give;
    uint64_t at;
    bool broken;
} odd_t;


static abdm_err_t
odd_read(abdm_source_t *s, void *out, size_t cap, size_t *got)
{
    odd_t *o = (odd_t *) s;
    size_t n = 0;

    if (o->broken)
        return ABDM_ERR(SPOOL_LOST, "test");
    for (; n < cap && n < 1 + o->at % 7 && o->at + n < o->give; n++)
        ((uint8_t *) out)[n] = (uint8_t) ((o->at + n) * 31);
    o->at += n;
    *got = n;
    return ABDM_NO_ERR;
}


static void
odd_close(abdm_source_t *s)
{
    closed++;
    free(s);
}


static abdm_source_t *
odd(uint64_t length, uint64_t give, bool broken)
{
    odd_t *o = calloc(1, sizeof *o);

    assert_non_null(o);
    *o = (odd_t){{length, odd_read, odd_close, NULL}, give, 0, broken};
    return &o->base;
}


static abdm_source_t *
there(abdm_source_t *s)
{
    assert_non_null(s);
    return s;
}


static abdm_source_t *
of_text(const char *z)
{
    abdm_buf_t b = {0};

    abdm_buf_addz(&b, z);
    return there(abdm_source_take_buf(&b));
}


static abdm_source_t *
in_base64(abdm_source_t *raw)
{
    return there(abdm_source_base64(raw));
}


static char *
read_by(abdm_source_t *s, size_t step)
{
    abdm_buf_t out = {0};
    char piece[64];
    size_t got;

    do {
        assert_int_equal(s->read(s, piece, step, &got).code, ABDM_OK);
        assert_true(got <= step);
        abdm_buf_add(&out, piece, got);
    } while (got > 0);
    assert_int_equal(out.len, s->length);
    return abdm_buf_take(&out);
}


static void
a_row_of_sources_reads_as_one(void **state)
{
    (void) state;
    for (size_t step = 1; step < 10; step++) {
        abdm_source_t *parts[] = {of_text("abc"), of_text(""), of_text("defgh"), of_text("")};
        abdm_source_t *s = there(abdm_source_concat(parts, 4));
        char *z = read_by(s, step);
        assert_string_equal(z, "abcdefgh");
        free(z);
        abdm_source_close(s);
    }
    abdm_source_t *none = there(abdm_source_concat(NULL, 0));
    char *z = read_by(none, 1);
    assert_string_equal(z, "");
    free(z);
    abdm_source_close(none);
}


static void
a_missing_part_closes_the_others(void **state)
{
    abdm_source_t *parts[] = {odd(1, 1, false), NULL, odd(2, 2, false)};

    (void) state;
    closed = 0;
    assert_null(abdm_source_concat(parts, 3));
    assert_int_equal(closed, 2);

    abdm_source_t *huge[] = {odd(UINT64_MAX, 1, false), odd(1, 1, false)};
    closed = 0;
    assert_null(abdm_source_concat(huge, 2));
    assert_int_equal(closed, 2);
}


static void
closing_a_source_closes_what_it_took(void **state)
{
    abdm_source_t *parts[] = {odd(1, 1, false), in_base64(odd(2, 2, false))};

    (void) state;
    closed = 0;
    abdm_source_close(abdm_source_concat(parts, 2));
    assert_int_equal(closed, 2);
    abdm_source_close(NULL);
}


static void
a_failed_buffer_is_no_source(void **state)
{
    abdm_buf_t b = {0};

    (void) state;
    abdm_buf_addz(&b, "x");
    b.failed = true;
    assert_null(abdm_source_take_buf(&b));
    assert_null(b.p);
    assert_null(abdm_source_base64(NULL));
}


static void
base64_is_the_same_in_steps_as_at_once(void **state)
{
    static const uint64_t lengths[] = {0, 1, 2, 3, 4, 57, 12287, 12288, 12289, 24576, 40001};

    (void) state;
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        size_t n = (size_t) lengths[i];
        abdm_buf_t raw = {0}, got = {0};
        for (size_t k = 0; k < n; k++)
            abdm_buf_add(&raw, &(uint8_t){(uint8_t) (k * 31)}, 1);
        char *expected = malloc(abdm_base64_len(n) + 1);
        assert_non_null(expected);
        size_t len = abdm_base64_encode(raw.p, raw.len, expected);

        abdm_source_t *s = in_base64(odd(n, n, false));
        assert_int_equal(s->length, len);
        assert_int_equal(abdm_source_read_all(s, len, &got).code, ABDM_OK);
        assert_int_equal(got.len, len);
        if (len > 0)
            assert_memory_equal(got.p, expected, len);
        abdm_source_close(s);

        s = in_base64(odd(n, n, false));
        char *z = read_by(s, 7);
        assert_int_equal(strlen(z), len);
        if (len > 0)
            assert_memory_equal(z, expected, len);
        abdm_source_close(s);
        free(z);
        free(expected);
        abdm_buf_free(&raw);
        abdm_buf_free(&got);
    }
}


static void
a_source_that_lies_about_its_length_is_found_out(void **state)
{
    static const uint64_t lies[][2] = {{10, 9}, {10, 11}, {12288, 12289}, {30000, 12288}, {1, 0}};

    (void) state;
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        abdm_buf_t out = {0};
        abdm_source_t *s = in_base64(odd(lies[i][0], lies[i][1], false));
        assert_int_equal(abdm_source_read_all(s, 1000000, &out).code, ABDM_E_INTERNAL);
        abdm_source_close(s);
        abdm_buf_free(&out);
    }
}


static void
a_fault_below_reaches_the_reader(void **state)
{
    abdm_source_t *parts[] = {of_text("abc"), in_base64(odd(5, 5, true))};
    abdm_source_t *s = there(abdm_source_concat(parts, 2));
    abdm_buf_t out = {0};

    (void) state;
    assert_int_equal(abdm_source_read_all(s, 100, &out).code, ABDM_E_SPOOL_LOST);
    abdm_source_close(s);
    abdm_buf_free(&out);
}


static void
reading_all_stops_at_the_limit(void **state)
{
    abdm_buf_t out = {0};
    abdm_source_t *s = odd(10, 10, false);

    (void) state;
    assert_int_equal(abdm_source_read_all(s, 9, &out).code, ABDM_E_ANSWER_TOO_LARGE);
    assert_int_equal(abdm_source_read_all(s, 10, &out).code, ABDM_OK);
    assert_int_equal(out.len, 10);
    abdm_source_close(s);
    abdm_buf_free(&out);

    s = odd(10, 100, false);
    assert_int_equal(abdm_source_read_all(s, 20, &out).code, ABDM_E_ANSWER_TOO_LARGE);
    assert_true(out.len <= 20);
    abdm_source_close(s);
    abdm_buf_free(&out);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_of_sources_reads_as_one),
        cmocka_unit_test(a_missing_part_closes_the_others),
        cmocka_unit_test(closing_a_source_closes_what_it_took),
        cmocka_unit_test(a_failed_buffer_is_no_source),
        cmocka_unit_test(base64_is_the_same_in_steps_as_at_once),
        cmocka_unit_test(a_source_that_lies_about_its_length_is_found_out),
        cmocka_unit_test(a_fault_below_reaches_the_reader),
        cmocka_unit_test(reading_all_stops_at_the_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
