/* The bytes of one value within a text: where they begin and end, whatever stands around them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "core/json_slice.h"


/* NULL: not found. The text is on the heap with its exact size, so that reading beyond it is found. */
static void
assert_slice(const char *text, const char *path, const char *want)
{
    size_t len = strlen(text);
    char *copy = malloc(len + (len == 0));
    abdm_str_t got;

    assert_non_null(copy);
    memcpy(copy, text, len);
    bool found = abdm_json_slice((abdm_str_t){copy, len}, path, &got);
    if (found != (want != NULL))
        fail_msg("%s at \"%s\": %s", text, path, found ? "found" : "not found");
    if (found) {
        assert_int_equal(got.len, strlen(want));
        assert_memory_equal(got.p, want, got.len);
    }
    free(copy);
}


static void
a_value_is_found_with_all_its_bytes(void **state)
{
    (void) state;
    assert_slice("{\"a\":{\"b\": {\"c\" : [1, 2.50,\"x\"] } ,\"d\":1}}", "a.b",
                 "{\"c\" : [1, 2.50,\"x\"] }");
    assert_slice(" { \"a\"\n:\t\"text\" , \"b\":null}", "a", "\"text\"");
    assert_slice("{\"a\":null}", "a", "null");
    assert_slice("{\"a\":-1.5e+3}", "a", "-1.5e+3");
    assert_slice("{\"a\":true,\"b\":false}", "b", "false");
    assert_slice("{\"a\":[],\"b\":{}}", "b", "{}");
    assert_slice("{\"a\":[],\"b\":{}}", "a", "[]");
    assert_slice(" [1] ", "", "[1]");
    assert_slice("\"x\"", "", "\"x\"");
}


static void
a_path_may_lead_through_lists(void **state)
{
    (void) state;
    assert_slice("{\"n\":[{\"d\":{\"e\":1}}]}", "n.0.d", "{\"e\":1}");
    assert_slice("[10, [20, 30 ], 40]", "1.1", "30");
    assert_slice("[10]", "1", NULL);
    assert_slice("[]", "0", NULL);
    assert_slice("[10]", "x", NULL);
    assert_slice("[10]", "", "[10]");
    assert_slice("[[1]]", "0.", "[1]");
    assert_slice("{\"0\":1}", "0", "1");
    assert_slice("[1]", "99999999999999999999", NULL);
}


static void
brackets_and_quotes_within_texts_are_text(void **state)
{
    (void) state;
    assert_slice("{\"x\":\"}],{\\\"\",\"a\":{\"b\":\"]}\\\\\"}}", "a", "{\"b\":\"]}\\\\\"}");
    assert_slice("{\"a\":\"\\\"\"}", "a", "\"\\\"\"");
    assert_slice("{\"a\":\"\\\\\",\"b\":2}", "b", "2");
    assert_slice("{\"\":1,\"a\":2}", "a", "2");
    assert_slice("{\"a\":{\"b\":1},\"b\":2}", "b", "2");
}


static void
a_key_is_known_by_its_meaning(void **state)
{
    (void) state;
    assert_slice("{\"\\u0061\":1}", "a", "1");
    assert_slice("{\"consent\\u0044etail\":{\"x\":1}}", "consentDetail", "{\"x\":1}");
    assert_slice("{\"a\\\"\":1,\"a\":2}", "a", "2");
    assert_slice("{\"aa\":1}", "a", NULL);
    assert_slice("{\"a\":1}", "aa", NULL);
    assert_slice("{\"A\":1}", "a", NULL);
    assert_slice("{\"\\ud800\":1,\"a\":2}", "a", "2");
}


static void
what_is_no_json_is_not_found_and_not_read_beyond(void **state)
{
    static const char *const texts[] = {
        "",     "{",          "{\"a",       "{\"a\"",    "{\"a\":",      "{\"a\":\"",
        "{a:1}", "{\"a\" 1}", "{\"a\":\"x\\", "[",       "[1",           "{\"b\":1 \"a\":2}",
        "{,}",  "}",          "{\"b\":}",   "{\"b\":[}", "{\"b\":{\"\\", "nothing",
    };

    (void) state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_slice(texts[i], "a", NULL);
        assert_slice(texts[i], "a.b", NULL);
    }
    assert_slice("{\"a\":1}", "a.b", NULL);
    assert_slice("{\"a\":\"b\"}", "a.b", NULL);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_is_found_with_all_its_bytes),
        cmocka_unit_test(a_path_may_lead_through_lists),
        cmocka_unit_test(brackets_and_quotes_within_texts_are_text),
        cmocka_unit_test(a_key_is_known_by_its_meaning),
        cmocka_unit_test(what_is_no_json_is_not_found_and_not_read_beyond),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
