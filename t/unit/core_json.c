/* The JSON reader's refusals and limits, the getters, and the writer's text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"

static abdm_code_t
parse(abdm_str_t text, int depth)
{
    json_t *v;
    abdm_err_t err = abdm_json_parse(text.p, text.len, depth, &v);

    assert_true((v == NULL) == abdm_failed(err));
    json_decref(v);
    return err.code;
}


static json_t *
must_parse(const char *z)
{
    json_t *v;

    assert_int_equal(abdm_json_parse(z, strlen(z), ABDM_JSON_DEPTH, &v).code, ABDM_OK);
    return v;
}


static void
every_kind_of_value_is_read(void **state)
{
    static const char *const good[] = {"{}", "[]", "1", "-0.5e3", "\"x\"", "true", "null",
                                       " {\"a\" : [1, {\"b\":\"\\u00e9\\ud83d\\ude00\"}]}\n"};

    (void) state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_int_equal(parse(abdm_str(good[i]), ABDM_JSON_DEPTH), ABDM_OK);
}


static void
what_rfc_8259_does_not_have_is_refused(void **state)
{
    static const abdm_str_t bad[] = {
        ABDM_LIT(""),           ABDM_LIT(" "),             ABDM_LIT("{"),
        ABDM_LIT("}"),          ABDM_LIT("[1,]"),          ABDM_LIT("{\"a\":1,}"),
        ABDM_LIT("{a:1}"),      ABDM_LIT("'a'"),           ABDM_LIT("NaN"),
        ABDM_LIT("01"),         ABDM_LIT("+1"),            ABDM_LIT("1 2"),
        ABDM_LIT("{}{}"),       ABDM_LIT("{} x"),          ABDM_LIT("\"a\tb\""),
        ABDM_LIT("\"\\x41\""),  ABDM_LIT("\"\\ud800\""),   ABDM_LIT("\"\\udc00\""),
        ABDM_LIT("\"\xff\""),   ABDM_LIT("\"\xc0\xaf\""),  ABDM_LIT("\"\xed\xa0\x80\""),
        ABDM_LIT("\xef\xbb\xbf{}"), ABDM_LIT("{\"a\":1]"), ABDM_LIT("[1}"),
        ABDM_LIT("/**/1"),      ABDM_LIT("\""),            ABDM_LIT("\"\\"),
        ABDM_LIT("\"\\\""),     ABDM_LIT("tru"),           ABDM_LIT("{\"a\"}"),
    };

    (void) state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (parse(bad[i], ABDM_JSON_DEPTH) != ABDM_E_JSON)
            fail_msg("row %zu was not refused", i);
    }
}


static void
nul_is_refused_raw_and_escaped(void **state)
{
    (void) state;
    assert_int_equal(parse(ABDM_LIT("{}\0"), 8), ABDM_E_JSON);
    assert_int_equal(parse(ABDM_LIT("\"a\0b\""), 8), ABDM_E_JSON);
    assert_int_equal(parse(ABDM_LIT("\"a\\u0000b\""), 8), ABDM_E_JSON);
    assert_int_equal(parse(ABDM_LIT("{\"a\\u0000\":1}"), 8), ABDM_E_JSON);
}


static void
a_member_given_twice_is_refused(void **state)
{
    (void) state;
    assert_int_equal(parse(ABDM_LIT("{\"a\":1,\"a\":1}"), 8), ABDM_E_JSON);
    assert_int_equal(parse(ABDM_LIT("{\"a\":1,\"\\u0061\":2}"), 8), ABDM_E_JSON);
    assert_int_equal(parse(ABDM_LIT("[{\"a\":1},{\"a\":1}]"), 8), ABDM_OK);
}


static void
depth_is_allowed_up_to_its_limit_and_no_further(void **state)
{
    (void) state;
    assert_int_equal(parse(ABDM_LIT("[[1]]"), 2), ABDM_OK);
    assert_int_equal(parse(ABDM_LIT("[[[1]]]"), 2), ABDM_E_JSON_LIMIT);
    assert_int_equal(parse(ABDM_LIT("{\"a\":[{}]}"), 2), ABDM_E_JSON_LIMIT);
    assert_int_equal(parse(ABDM_LIT("[\"[[[[\",\"\\\"[[[[\"]"), 1), ABDM_OK);
    assert_int_equal(parse(ABDM_LIT("[[],[],[],[]]"), 2), ABDM_OK);
    assert_int_equal(parse(ABDM_LIT("1"), 0), ABDM_OK);
    assert_int_equal(parse(ABDM_LIT("1"), 1000), ABDM_E_INTERNAL);

    char *deep = malloc(1000000);
    assert_non_null(deep);
    memset(deep, '[', 1000000);
    assert_int_equal(parse((abdm_str_t){deep, 1000000}, ABDM_JSON_DEPTH_FHIR), ABDM_E_JSON_LIMIT);
    free(deep);
}


static abdm_code_t
parse_wide(int members)
{
    abdm_buf_t b = {0};

    abdm_buf_addz(&b, "{\"list\":[1,2,3],\"in\":{");
    for (int i = 0; i < members; i++)
        abdm_buf_addf(&b, "%s\"m%d\":[%d,%d]", i == 0 ? "" : ",", i, i, i);
    abdm_buf_addz(&b, "}}");
    assert_false(b.failed);
    abdm_code_t code = parse(abdm_buf_str(&b), 8);
    abdm_buf_free(&b);
    return code;
}


static void
an_object_may_have_1024_members_and_a_list_more(void **state)
{
    abdm_buf_t b = {0};

    (void) state;
    abdm_code_t code = parse_wide(ABDM_JSON_MEMBERS);
    assert_int_equal(code, ABDM_OK);
    code = parse_wide(ABDM_JSON_MEMBERS + 1);
    assert_int_equal(code, ABDM_E_JSON_LIMIT);
    abdm_buf_addz(&b, "[0");
    for (int i = 0; i < 5000; i++)
        abdm_buf_addz(&b, ",1");
    abdm_buf_addz(&b, "]");
    assert_int_equal(parse(abdm_buf_str(&b), 1), ABDM_OK);
    abdm_buf_free(&b);
}


static void
numbers_out_of_range_are_refused(void **state)
{
    (void) state;
    assert_int_equal(parse(ABDM_LIT("9223372036854775807"), 0), ABDM_OK);
    assert_int_equal(parse(ABDM_LIT("9223372036854775808"), 0), ABDM_E_JSON_LIMIT);
    assert_int_equal(parse(ABDM_LIT("1e999"), 0), ABDM_E_JSON_LIMIT);
}


static void
paths_lead_through_objects_and_lists(void **state)
{
    json_t *v = must_parse("{\"a\":{\"b\":[{\"c\":\"x\"}],\"n\":null,\"e\":\"\",\"i\":7}}");
    int64_t n = 0;

    (void) state;
    assert_string_equal(abdm_json_string_at(v, "a.b.0.c"), "x");
    assert_ptr_equal(abdm_json_at(v, ""), v);
    assert_null(abdm_json_at(v, "a.b.1.c"));
    assert_null(abdm_json_at(v, "a.b.c"));
    assert_null(abdm_json_at(v, "a.b.-1"));
    assert_null(abdm_json_at(v, "a.b.0x"));
    assert_null(abdm_json_at(v, "a.b.99999999999999999999"));
    assert_null(abdm_json_at(v, "a.x.y.z"));
    assert_null(abdm_json_at(v, "a.n"));
    assert_null(abdm_json_at(NULL, "a"));
    assert_null(
        abdm_json_at(v, "a.very_long_segment_of_more_than_sixty_four_bytes_is_never_a_member"));
    assert_null(abdm_json_string_at(v, "a.e"));
    assert_null(abdm_json_string_at(v, "a.i"));
    assert_true(abdm_json_int_at(v, "a.i", &n));
    assert_int_equal(n, 7);
    json_decref(v);
}


static void
integers_are_read_from_numbers_and_from_digits(void **state)
{
    json_t *v =
        must_parse("{\"a\":-5,\"b\":\"12\",\"c\":\"-3\",\"d\":\"9223372036854775807\",\"x\":["
                   "1.5,\"\",\"-\",\"1 \",\" 1\",\"+1\",\"1e3\",\"9223372036854775808\","
                   "true,null,\"0x10\"]}");
    int64_t n = 0;
    char path[16];

    (void) state;
    assert_true(abdm_json_int_at(v, "a", &n) && n == -5);
    assert_true(abdm_json_int_at(v, "b", &n) && n == 12);
    assert_true(abdm_json_int_at(v, "c", &n) && n == -3);
    assert_true(abdm_json_int_at(v, "d", &n) && n == INT64_MAX);
    for (int i = 0; i < 11; i++) {
        snprintf(path, sizeof path, "x.%d", i);
        assert_false(abdm_json_int_at(v, path, &n));
    }
    json_decref(v);
}


static void
the_writer_places_commas_and_escapes(void **state)
{
    abdm_buf_t b = {0};
    abdm_jw_t w;

    (void) state;
    abdm_jw_begin(&w, &b);
    abdm_jw_open(&w, '{');
    abdm_jw_kv(&w, "k\"", "a\"\\\b\f\n\r\t\x01/\x7f\xc3\xa9");
    abdm_jw_key(&w, "list");
    abdm_jw_open(&w, '[');
    abdm_jw_int(&w, INT64_MIN);
    abdm_jw_bool(&w, true);
    abdm_jw_bool(&w, false);
    abdm_jw_null(&w);
    abdm_jw_open(&w, '{');
    abdm_jw_close(&w, '}');
    abdm_jw_open(&w, '[');
    abdm_jw_close(&w, ']');
    abdm_jw_strz(&w, NULL);
    abdm_jw_close(&w, ']');
    abdm_jw_kv(&w, "z", "");
    abdm_jw_close(&w, '}');
    char *text = abdm_buf_take(&b);
    assert_string_equal(text,
                        "{\"k\\\"\":\"a\\\"\\\\\\b\\f\\n\\r\\t\\u0001/\x7f\xc3\xa9\",\"list\":["
                        "-9223372036854775808,true,false,null,{},[],\"\"],\"z\":\"\"}");
    free(text);
}


static void
bytes_that_are_not_utf8_become_replacement_characters(void **state)
{
    static const struct {
        abdm_str_t in;
        const char *out;
    } rows[] = {
        {ABDM_LIT("a\xff" "b"), "\"a\xef\xbf\xbd" "b\""},
        {ABDM_LIT("\xc3"), "\"\xef\xbf\xbd\""},
        {ABDM_LIT("\xc0\xaf"), "\"\xef\xbf\xbd\xef\xbf\xbd\""},
        {ABDM_LIT("\xed\xa0\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
        {ABDM_LIT("\xe2\x82"), "\"\xef\xbf\xbd\xef\xbf\xbd\""},
        {ABDM_LIT("\xf4\x90\x80\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
        {ABDM_LIT("\xe2\x82\xac\xf0\x9f\x98\x80"), "\"\xe2\x82\xac\xf0\x9f\x98\x80\""},
        {ABDM_LIT("a\0b"), "\"a\\u0000b\""},
        {ABDM_LIT(""), "\"\""},
    };

    (void) state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        abdm_buf_t b = {0};
        abdm_jw_t w;
        abdm_jw_begin(&w, &b);
        abdm_jw_str(&w, rows[i].in);
        char *text = abdm_buf_take(&b);
        assert_string_equal(text, rows[i].out);
        free(text);
    }
}


static void
a_value_is_written_as_it_was_read(void **state)
{
    static const char text[] =
        "{\"z\":1,\"a\":[0.1,1.0,-2.5e-7,1e22,5e-324,1.7976931348623157e308,0.30000000000000004,"
        "-0.0,123456789012345],\"m\":{\"t\":true,\"f\":false,\"n\":null,\"s\":\"\xe0\xa4\x85\\n\"}"
        "}";
    static const char expected[] =
        "{\"z\":1,\"a\":[0.1,1.0,-2.5e-07,1e+22,4.94065645841247e-324,1.7976931348623157e+308,"
        "0.30000000000000004,-0.0,123456789012345],\"m\":{\"t\":true,\"f\":false,\"n\":null,"
        "\"s\":\"\xe0\xa4\x85\\n\"}}";
    abdm_buf_t b = {0};
    abdm_jw_t w;
    json_t *v = must_parse(text), *again;

    (void) state;
    abdm_jw_begin(&w, &b);
    abdm_jw_json(&w, v);
    char *out = abdm_buf_take(&b);
    assert_string_equal(out, expected);
    again = must_parse(out);
    assert_true(json_equal(v, again));
    json_decref(again);
    json_decref(v);
    free(out);
}


static void
numbers_are_kept_to_their_text_where_that_is_asked_for(void **state)
{
    static const char text[] = "{\"a\":72.50,\"b\":[1e+5,-0.0,123456789012345678901234567890],"
                               "\"c\":\"1.50 \\\" 2\"}";
    static const char *const wrong[] = {"01", "1.", ".5", "-", "+1", "1e", "{1:2}", "1 2", "1x",
                                        "[1\"2\"]", "\"a\"1"};
    json_t *v;

    (void) state;
    assert_int_equal(abdm_json_parse_exact(text, strlen(text), 8, &v).code, ABDM_OK);
    assert_string_equal(abdm_json_string_at(v, "a"), "72.50");
    assert_string_equal(abdm_json_string_at(v, "b.0"), "1e+5");
    assert_string_equal(abdm_json_string_at(v, "b.1"), "-0.0");
    assert_string_equal(abdm_json_string_at(v, "b.2"), "123456789012345678901234567890");
    assert_string_equal(abdm_json_string_at(v, "c"), "1.50 \" 2");
    json_decref(v);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        abdm_err_t err = abdm_json_parse_exact(wrong[i], strlen(wrong[i]), 8, &v);
        if (err.code != ABDM_E_JSON)
            fail_msg("%s is read", wrong[i]);
        assert_null(v);
    }
    assert_true(abdm_json_is_number(ABDM_LIT("-1.5e3")));
    assert_false(abdm_json_is_number(ABDM_LIT("1.5 ")));
    assert_false(abdm_json_is_number(ABDM_LIT("")));
}


static void
control_bytes_are_escaped_or_replaced_and_never_raw(void **state)
{
    abdm_buf_t b = {0};
    abdm_jw_t w;

    (void) state;
    abdm_jw_begin(&w, &b);
    abdm_jw_open(&w, '[');
    abdm_jw_kv(&w, "a long enough key", "a text of some length\x01\n");
    w.no_controls = true;
    abdm_jw_kv(&w, "k", "x\x01\t\x1f");
    abdm_jw_raw(&w, ABDM_LIT("1.50"));
    abdm_jw_close(&w, ']');
    char *out = abdm_buf_take(&b);
    assert_string_equal(out, "[\"a long enough key\":\"a text of some length\\u0001\\n\","
                             "\"k\":\"x\xef\xbf\xbd\\t\xef\xbf\xbd\",1.50]");
    free(out);
}


static void
marked_numbers_are_written_as_they_came(void **state)
{
    static const char text[] = "{\"a\":[72.50,-0,1e+2,\"72.50\",true,null,\"\"],\"b\":{\"c\":"
                               "123456789012345678901234567890}}";
    abdm_buf_t b = {0};
    abdm_jw_t w;
    json_t *v;

    (void) state;
    assert_int_equal(abdm_json_parse_marked(text, strlen(text), 8, &v).code, ABDM_OK);
    abdm_jw_begin(&w, &b);
    abdm_jw_marked(&w, v);
    char *out = abdm_buf_take(&b);
    assert_string_equal(out, text);
    free(out);
    json_decref(v);
    const char *forged[] = {"[\"\\u00011\"]", "{\"\\u00011\":1}"};
    for (int i = 0; i < 2; i++)
        assert_int_equal(abdm_json_parse_marked(forged[i], strlen(forged[i]), 8, &v).code,
                         ABDM_E_JSON);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_value_is_read),
        cmocka_unit_test(what_rfc_8259_does_not_have_is_refused),
        cmocka_unit_test(nul_is_refused_raw_and_escaped),
        cmocka_unit_test(a_member_given_twice_is_refused),
        cmocka_unit_test(depth_is_allowed_up_to_its_limit_and_no_further),
        cmocka_unit_test(an_object_may_have_1024_members_and_a_list_more),
        cmocka_unit_test(numbers_out_of_range_are_refused),
        cmocka_unit_test(paths_lead_through_objects_and_lists),
        cmocka_unit_test(integers_are_read_from_numbers_and_from_digits),
        cmocka_unit_test(the_writer_places_commas_and_escapes),
        cmocka_unit_test(bytes_that_are_not_utf8_become_replacement_characters),
        cmocka_unit_test(a_value_is_written_as_it_was_read),
        cmocka_unit_test(numbers_are_kept_to_their_text_where_that_is_asked_for),
        cmocka_unit_test(marked_numbers_are_written_as_they_came),
        cmocka_unit_test(control_bytes_are_escaped_or_replaced_and_never_raw),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
