/*
 * What the JSON reader refuses, as tables that all of its three forms (numbers as numbers, as their
 * text, marked) must keep to: encodings, surrogates, numbers, duplicates, depth, width, length.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/json.h"

typedef abdm_err_t (*parse_fn)(const char *p, size_t len, int max_depth, json_t **out);

static const parse_fn forms[] = {abdm_json_parse, abdm_json_parse_exact, abdm_json_parse_marked};

enum { FORMS = 3, NUMBERS = 0 };

typedef struct {
    abdm_str_t text;
    abdm_code_t code;   /* of abdm_json_parse */
    abdm_code_t as_text; /* of the two that keep the text of numbers */
} row_t;

#define OK  ABDM_OK
#define BAD ABDM_E_JSON
#define MAX ABDM_E_JSON_LIMIT


/* From memory of just its length, so that a byte read too far is seen by a sanitizer. */
static abdm_code_t
parse(parse_fn form, abdm_str_t text, int depth)
{
    char *exact = malloc(text.len + (text.len == 0));
    json_t *v = (json_t *) &v;
    abdm_err_t err;

    assert_non_null(exact);
    memcpy(exact, text.p, text.len);
    err = form(exact, text.len, depth, &v);
    assert_true((v == NULL) == abdm_failed(err));
    json_decref(v);
    free(exact);
    return err.code;
}


static void
assert_rows(const row_t *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        for (int form = 0; form < FORMS; form++) {
            abdm_code_t want = form == NUMBERS ? rows[i].code : rows[i].as_text;
            abdm_code_t got = parse(forms[form], rows[i].text, ABDM_JSON_DEPTH);

            if (got != want)
                fail_msg("row %zu, form %d: %d, not %d", i, form, (int) got, (int) want);
        }
    }
}

#define ASSERT_ROWS(rows) assert_rows(rows, sizeof(rows) / sizeof((rows)[0]))
#define ROW(text, code)   {ABDM_LIT(text), code, code}


static void
utf_8_alone_is_read_and_nothing_stands_before_it(void **state)
{
    static const row_t rows[] = {
        ROW("{\"a\":\"\xe0\xa4\x85\"}", OK),
        ROW("{\"a\":\"\xf0\x9f\x98\x80\"}", OK),
        ROW("{\"a\":\"\xf4\x8f\xbf\xbf\"}", OK),
        ROW("{\"a\":\"\xef\xbf\xbf\"}", OK),
        ROW("\xef\xbb\xbf{\"a\":1}", BAD),               /* byte order mark of UTF-8 */
        ROW("{\xef\xbb\xbf\"a\":1}", BAD),
        ROW("\xff\xfe{\0\"\0a\0\"\0:\0" "1\0}\0", BAD),  /* UTF-16, little end first */
        ROW("\xfe\xff\0{\0\"\0a\0\"\0:\0" "1\0}", BAD),
        ROW("{\0\"\0a\0\"\0:\0" "1\0}\0", BAD),
        ROW("\0{\0\"\0a\0\"\0:\0" "1\0}", BAD),
        ROW("\xff\xfe\0\0{\0\0\0}\0\0\0", BAD),          /* UTF-32 */
        ROW("\0\0\xfe\xff\0\0\0{\0\0\0}", BAD),
        ROW("{\"a\":\"\x80\"}", BAD),
        ROW("{\"a\":\"\xc3\"}", BAD),
        ROW("{\"a\":\"\xc3(\"}", BAD),
        ROW("{\"a\":\"\xc0\x80\"}", BAD),                 /* overlong NUL */
        ROW("{\"a\":\"\xc1\xbf\"}", BAD),
        ROW("{\"a\":\"\xe0\x80\xaf\"}", BAD),
        ROW("{\"a\":\"\xe0\x9f\xbf\"}", BAD),
        ROW("{\"a\":\"\xf0\x80\x80\x80\"}", BAD),
        ROW("{\"a\":\"\xf0\x8f\xbf\xbf\"}", BAD),
        ROW("{\"a\":\"\xed\xa0\x80\"}", BAD),             /* half a pair in UTF-8 */
        ROW("{\"a\":\"\xed\xbf\xbf\"}", BAD),
        ROW("{\"a\":\"\xed\xa0\xbd\xed\xb8\x80\"}", BAD), /* a whole one, as CESU-8 has it */
        ROW("{\"a\":\"\xf4\x90\x80\x80\"}", BAD),         /* beyond the last character */
        ROW("{\"a\":\"\xf5\x80\x80\x80\"}", BAD),
        ROW("{\"a\":\"\xf8\x88\x80\x80\x80\"}", BAD),
        ROW("{\"a\":\"\xfe\"}", BAD),
        ROW("{\"a\":\"\xe2\x82", BAD),
        ROW("{\"\xff\":1}", BAD),
        ROW("\xa0{}", BAD),
        ROW("\xc2\xa0{}", BAD),                           /* no-break space is no blank */
        ROW("\xe2\x80\xa8{}", BAD),
        ROW("\v{}", BAD),
        ROW("\f{}", BAD),
        ROW(" \t\r\n{}\n\r\t ", OK),
    };

    (void) state;
    ASSERT_ROWS(rows);
}


static void
escapes_are_those_of_rfc_8259_and_surrogates_come_in_pairs(void **state)
{
    static const row_t rows[] = {
        ROW("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\"", OK),
        ROW("\"\\uD83D\\uDE00\"", OK),
        ROW("\"\\ud83d\\ude00\"", OK),
        ROW("\"\\uFFFF\"", OK),
        ROW("\"\\ud800\"", BAD),
        ROW("\"\\udc00\"", BAD),
        ROW("\"\\udbff\"", BAD),
        ROW("\"\\udfff\"", BAD),
        ROW("\"\\ud800x\"", BAD),
        ROW("\"\\ud800\\u0041\"", BAD),
        ROW("\"\\ud800\\n\"", BAD),
        ROW("\"\\ud800\\ud800\"", BAD),
        ROW("\"\\ud800\\ud800\\udc00\"", BAD),
        ROW("\"\\udc00\\ud800\"", BAD),
        ROW("\"\\ud83d\\u\"", BAD),
        ROW("\"\\ud83d\\ude0\"", BAD),
        ROW("{\"\\ud800\":1}", BAD),
        ROW("\"\\u0000\"", BAD),
        ROW("\"\\u\"", BAD),
        ROW("\"\\u12\"", BAD),
        ROW("\"\\u12g4\"", BAD),
        ROW("\"\\U0041\"", BAD),
        ROW("\"\\u+041\"", BAD),
        ROW("\"\\u 041\"", BAD),
        ROW("\"\\'\"", BAD),
        ROW("\"\\a\"", BAD),
        ROW("\"\\0\"", BAD),
        ROW("\"\\x41\"", BAD),
        ROW("\"\\\n\"", BAD),
        ROW("\"a\nb\"", BAD),
        ROW("\"a\x1f\"", BAD),
        ROW("\"a\x7f\"", OK),
        ROW("\"\\", BAD),
        ROW("\"\\u004", BAD),
    };

    (void) state;
    ASSERT_ROWS(rows);
}


static void
numbers_have_one_grammar_and_a_range(void **state)
{
    static const row_t rows[] = {
        ROW("0", OK),
        ROW("-0", OK),
        ROW("-0.0", OK),
        ROW("0e0", OK),
        ROW("1E+2", OK),
        ROW("1.25e-7", OK),
        ROW("9223372036854775807", OK),
        ROW("-9223372036854775808", OK),
        {ABDM_LIT("9223372036854775808"), MAX, OK},
        {ABDM_LIT("-9223372036854775809"), MAX, OK},
        {ABDM_LIT("123456789012345678901234567890"), MAX, OK},
        {ABDM_LIT("1e309"), MAX, OK},
        {ABDM_LIT("-1e309"), MAX, OK},
        {ABDM_LIT("1e999999999999999999999"), MAX, OK},
        ROW("1e-999", OK), /* nearly nothing is nothing */
        ROW("1.7976931348623157e308", OK),
        ROW("01", BAD),
        ROW("-01", BAD),
        ROW("00", BAD),
        ROW("0x10", BAD),
        ROW("1.", BAD),
        ROW(".5", BAD),
        ROW("-.5", BAD),
        ROW("1.e1", BAD),
        ROW("1e", BAD),
        ROW("1e+", BAD),
        ROW("1e1.5", BAD),
        ROW("+1", BAD),
        ROW("--1", BAD),
        ROW("-", BAD),
        ROW("- 1", BAD),
        ROW("1 000", BAD),
        ROW("1,000", BAD),
        ROW("1_000", BAD),
        ROW("1f", BAD),
        ROW("NaN", BAD),
        ROW("Infinity", BAD),
        ROW("-Infinity", BAD),
        ROW("nan", BAD),
        ROW("[1,-]", BAD),
        ROW("{\"a\":1.}", BAD),
        ROW("\xd9\xa1", BAD), /* an Arabic digit */
    };

    (void) state;
    ASSERT_ROWS(rows);
}


static void
structure_and_words_have_one_form(void **state)
{
    static const row_t rows[] = {
        ROW("true", OK),
        ROW("null", OK),
        ROW("True", BAD),
        ROW("TRUE", BAD),
        ROW("nul", BAD),
        ROW("truefalse", BAD),
        ROW("undefined", BAD),
        ROW("{\"a\":1,}", BAD),
        ROW("{,}", BAD),
        ROW("{\"a\",1}", BAD),
        ROW("{\"a\":}", BAD),
        ROW("{\"a\":1 \"b\":2}", BAD),
        ROW("{\"a\"::1}", BAD),
        ROW("{1:2}", BAD),
        ROW("{null:2}", BAD),
        ROW("{a:1}", BAD),
        ROW("{'a':1}", BAD),
        ROW("[1,]", BAD),
        ROW("[,1]", BAD),
        ROW("[1 2]", BAD),
        ROW("[1}", BAD),
        ROW("{\"a\":1]", BAD),
        ROW("[", BAD),
        ROW("]", BAD),
        ROW("[[]", BAD),
        ROW("[]]", BAD),
        ROW("{}{}", BAD),
        ROW("{} {}", BAD),
        ROW("{}\n{}", BAD),
        ROW("{},", BAD),
        ROW("{};", BAD),
        ROW("{}\0", BAD),
        ROW("{} //x", BAD),
        ROW("{}/**/", BAD),
        ROW("#x\n{}", BAD),
        ROW("[/**/1]", BAD),
        ROW("(1)", BAD),
        ROW("\"a\" \"b\"", BAD),
        ROW("", BAD),
        ROW(" ", BAD),
        ROW("\n", BAD),
    };

    (void) state;
    ASSERT_ROWS(rows);
}


static void
a_name_comes_once_in_an_object_however_it_is_written(void **state)
{
    static const row_t rows[] = {
        ROW("{\"a\":1,\"A\":2}", OK),
        ROW("{\"a\":{\"a\":{\"a\":1}}}", OK),
        ROW("[{\"a\":1},{\"a\":1}]", OK),
        ROW("{\"\":1}", OK),
        ROW("{\"a\":1,\"a\":1}", BAD),
        ROW("{\"a\":1,\"b\":2,\"a\":3}", BAD),
        ROW("{\"a\":null,\"a\":null}", BAD),
        ROW("{\"\":1,\"\":2}", BAD),
        ROW("{\"a\":1,\"\\u0061\":2}", BAD),
        ROW("{\"\\u0061\":1,\"\\u0061\":2}", BAD),
        ROW("{\"/\":1,\"\\/\":2}", BAD),
        ROW("{\"\xc3\xa9\":1,\"\\u00e9\":2}", BAD),
        ROW("{\"\xf0\x9f\x98\x80\":1,\"\\ud83d\\ude00\":2}", BAD),
        ROW("{\"x\":[{\"y\":{\"a\":1,\"a\":2}}]}", BAD),
        ROW("{\"exp\":1,\"aud\":[],\"exp\":9999999999}", BAD),
    };

    (void) state;
    ASSERT_ROWS(rows);
}


/* `open` n times, something, `close` n times. */
static abdm_code_t
parse_nested(parse_fn form, const char *open, const char *close, int n, int depth)
{
    abdm_buf_t b = {0};

    for (int i = 0; i < n; i++)
        abdm_buf_addz(&b, open);
    abdm_buf_addz(&b, "1");
    for (int i = 0; i < n; i++)
        abdm_buf_addz(&b, close);
    abdm_code_t code = parse(form, abdm_buf_str(&b), depth);
    abdm_buf_free(&b);
    return code;
}


static void
depth_holds_for_lists_and_objects_at_every_limit_in_use(void **state)
{
    static const int limits[] = {1, 16, ABDM_JSON_DEPTH, ABDM_JSON_DEPTH_FHIR, 128};

    (void) state;
    for (int form = 0; form < FORMS; form++) {
        for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
            int n = limits[i];

            assert_int_equal(parse_nested(forms[form], "[", "]", n, n), OK);
            assert_int_equal(parse_nested(forms[form], "[", "]", n + 1, n), MAX);
            assert_int_equal(parse_nested(forms[form], "{\"a\":", "}", n, n), OK);
            assert_int_equal(parse_nested(forms[form], "{\"a\":", "}", n + 1, n), MAX);
        }
        assert_int_equal(parse_nested(forms[form], "[", "", 200000, 64), MAX);
        assert_int_equal(parse_nested(forms[form], "{\"a\":", "", 200000, 64), MAX);
        assert_int_equal(parse(forms[form], ABDM_LIT("\"[[[[[[{{{{{{\""), 1), OK);
        assert_int_equal(parse_nested(forms[form], "[", "]", 1, 129), ABDM_E_INTERNAL);
    }
}


/* An object of n members, the last of which is another of n. */
static abdm_code_t
parse_wide(parse_fn form, int n)
{
    abdm_buf_t b = {0};

    for (int level = 0; level < 2; level++) {
        abdm_buf_addz(&b, "{");
        for (int i = 0; i < n - 1; i++)
            abdm_buf_addf(&b, "\"m%d\":{},", i);
        abdm_buf_addz(&b, "\"last\":");
    }
    abdm_buf_addz(&b, "[]}}");
    assert_false(b.failed);
    abdm_code_t code = parse(form, abdm_buf_str(&b), 8);
    abdm_buf_free(&b);
    return code;
}


static abdm_code_t
parse_long(parse_fn form, int values)
{
    abdm_buf_t b = {0};

    abdm_buf_addz(&b, "[0");
    for (int i = 1; i < values; i++)
        abdm_buf_addz(&b, ",0");
    abdm_buf_addz(&b, "]");
    assert_false(b.failed);
    abdm_code_t code = parse(form, abdm_buf_str(&b), 2);
    abdm_buf_free(&b);
    return code;
}


static void
width_and_length_have_their_limits(void **state)
{
    (void) state;
    for (int form = 0; form < FORMS; form++) {
        abdm_code_t code = parse_wide(forms[form], ABDM_JSON_MEMBERS);
        assert_int_equal(code, OK);
        code = parse_wide(forms[form], ABDM_JSON_MEMBERS + 1);
        assert_int_equal(code, MAX);
        /* commas and opened brackets */
        code = parse_long(forms[form], ABDM_JSON_VALUES);
        assert_int_equal(code, OK);
        code = parse_long(forms[form], ABDM_JSON_VALUES + 1);
        assert_int_equal(code, MAX);
    }
}


/* Names chosen to fall together in a table, many brackets, long texts: twice the text takes about
 * twice the time, never four times. */
static void
the_time_grows_with_the_length_and_no_faster(void **state)
{
    static const char *const pieces[] = {"\"aaaaaaaaaaaaaaaa\",", "{\"a\":[]},", "\"\\u0061\",",
                                         "[[[[[]]]]],", "-1.5e-3,", "\"\\\\\\\"\","};

    (void) state;
    for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        double took[2] = {1e9, 1e9};

        for (int size = 0; size < 2; size++) {
            abdm_buf_t b = {0};

            abdm_buf_addz(&b, "[");
            for (int n = 0; n < (size == 0 ? 10000 : 40000); n++)
                abdm_buf_addz(&b, pieces[i]);
            abdm_buf_addz(&b, "0]");
            for (int round = 0; round < 5; round++) { /* the best of five */
                struct timespec from, to;
                json_t *v;

                clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
                assert_int_equal(abdm_json_parse(b.p, b.len, 16, &v).code, ABDM_OK);
                clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
                json_decref(v);
                double ms = (double) (to.tv_sec - from.tv_sec) * 1e3
                            + (double) (to.tv_nsec - from.tv_nsec) / 1e6;
                took[size] = ms < took[size] ? ms : took[size];
            }
            abdm_buf_free(&b);
        }
        if (took[1] > took[0] * 12 + 5) /* 4 in a straight line, 16 in a square */
            fail_msg("%s: %.2f ms, then %.2f ms for four times as much", pieces[i], took[0],
                     took[1]);
    }
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(utf_8_alone_is_read_and_nothing_stands_before_it),
        cmocka_unit_test(escapes_are_those_of_rfc_8259_and_surrogates_come_in_pairs),
        cmocka_unit_test(numbers_have_one_grammar_and_a_range),
        cmocka_unit_test(structure_and_words_have_one_form),
        cmocka_unit_test(a_name_comes_once_in_an_object_however_it_is_written),
        cmocka_unit_test(depth_holds_for_lists_and_objects_at_every_limit_in_use),
        cmocka_unit_test(width_and_length_have_their_limits),
        cmocka_unit_test(the_time_grows_with_the_length_and_no_faster),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
