/*
 * Inputs that are small or well-formed and would cost far more than they should: what reading,
 * fuzzing and measuring brought to light.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/json.h"
#include "hmis/base.h"
#include "hmis/hmis.h"


static void
add_times(abdm_buf_t *b, const char *text, size_t times)
{
    for (size_t i = 0; i < times; i++)
        abdm_buf_addz(b, text);
}


static abdm_err_t
parse_list(const char *item, size_t times)
{
    abdm_buf_t b = {0};
    json_t *json;

    abdm_buf_addz(&b, "[");
    add_times(&b, item, times);
    abdm_buf_addz(&b, "0]");
    abdm_err_t err = abdm_json_parse(b.p, b.len, ABDM_JSON_DEPTH, &json);
    assert_true(abdm_failed(err) == (json == NULL));
    json_decref(json);
    abdm_buf_free(&b);
    return err;
}


static void
a_text_of_json_may_have_524288_commas_and_brackets_and_no_more(void **state)
{
    (void) state;
    assert_int_equal(parse_list("1,", ABDM_JSON_VALUES - 1).code, ABDM_OK);
    assert_int_equal(parse_list("1,", ABDM_JSON_VALUES).code, ABDM_E_JSON_LIMIT);
    assert_int_equal(parse_list("{},", ABDM_JSON_VALUES / 2).code, ABDM_E_JSON_LIMIT);
    assert_int_equal(parse_list("[],", ABDM_JSON_VALUES / 2).code, ABDM_E_JSON_LIMIT);
    assert_int_equal(parse_list("\"[{,\",", ABDM_JSON_VALUES / 2).code, ABDM_OK);
}


static abdm_code_t
base_code(const char *url)
{
    abdm_hmis_base_t base;

    abdm_err_t err = abdm_hmis_base_parse(url, &base);
    abdm_hmis_base_clear(&base);
    return err.code;
}


static void
brackets_in_the_hmis_url_hold_an_ipv6_address_and_nothing_else(void **state)
{
    (void) state;
    assert_int_equal(base_code("http://[::1]:8080/base"), ABDM_OK);
    assert_int_equal(base_code("http://[2001:db8:0:1:1:1:1:1]"), ABDM_OK);
    assert_int_equal(base_code("http://[::ffff:10.0.0.1]"), ABDM_OK);
    assert_int_equal(base_code("http://[::::1]/"), ABDM_E_CONFIG);
    assert_int_equal(base_code("http://[10.0.0.1]/"), ABDM_E_CONFIG);
    assert_int_equal(base_code("http://[]/"), ABDM_E_CONFIG);
    assert_int_equal(base_code("http://[1111:1111:1111:1111:1111:1111:1111:1111:1111:1111]/"),
                     ABDM_E_CONFIG);
}


static void
write_file(const char *dir, const char *name, const char *text, char path[128])
{
    snprintf(path, 128, "%s/%s", dir, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}


static abdm_err_t
map_with(const char *jq, const char *answer, json_t **records)
{
    static const abdm_hmis_query_t query = {"IN1", "P1", "C1", "2026-01-01", "2026-12-31"};
    char dir[] = "/tmp/abdm-hostile-XXXXXX", mapping[128], program[128], problem[512];
    abdm_hmis_t *hmis;

    assert_non_null(mkdtemp(dir));
    write_file(dir, "mapping.json", "{\"records\":{\"path\":\"/\",\"map\":\"m.jq\"}}", mapping);
    write_file(dir, "m.jq", jq, program);
    assert_int_equal(abdm_hmis_open("rest", "http://h", dir, problem, &hmis).code, ABDM_OK);
    abdm_err_t err = abdm_hmis_records_map(hmis, &query, answer, strlen(answer), records);
    abdm_hmis_close(hmis);
    unlink(mapping);
    unlink(program);
    rmdir(dir);
    return err;
}


/* What jq's program makes of a small answer may be no larger than the answers themselves. */
static void
a_mapping_that_multiplies_values_is_refused(void **state)
{
    json_t *records;

    (void) state;
    abdm_err_t err = map_with("[range(300000) | {}]", "1", &records);
    assert_int_equal(err.code, ABDM_E_HMIS_ANSWER);
    assert_string_equal(err.what, "answer as mapped: too deep or too large");
    assert_null(records);
}


/* One record with this many members, written down and read back as the store does it. */
static abdm_err_t
map_members(int n)
{
    abdm_buf_t answer = {0}, stored = {0};
    json_t *records, *again;
    abdm_jw_t w;

    abdm_buf_addz(&answer, "[{\"hiType\":\"Prescription\",\"bundle\":{\"url\":\"/b\"},"
                           "\"patient\":{\"patientReference\":\"P1\"}");
    for (int i = 3; i < n; i++)
        abdm_buf_addf(&answer, ",\"m%d\":1", i);
    abdm_buf_addz(&answer, "}]");
    char *text = abdm_buf_take(&answer);
    assert_non_null(text);
    abdm_err_t err = map_with(".", text, &records);
    free(text);
    if (abdm_failed(err))
        return err;

    abdm_jw_begin(&w, &stored);
    abdm_jw_json(&w, json_array_get(records, 0));
    err = abdm_json_parse(stored.p, stored.len, ABDM_JSON_DEPTH_FHIR, &again);
    json_decref(again);
    json_decref(records);
    abdm_buf_free(&stored);
    return err;
}


/* The care context's reference is put into a record that lacks it. */
static void
a_record_that_could_not_be_read_back_from_the_store_is_refused(void **state)
{
    (void) state;
    assert_int_equal(map_members(1023).code, ABDM_OK);
    assert_int_equal(map_members(1024).code, ABDM_E_HMIS_ANSWER);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_of_json_may_have_524288_commas_and_brackets_and_no_more),
        cmocka_unit_test(brackets_in_the_hmis_url_hold_an_ipv6_address_and_nothing_else),
        cmocka_unit_test(a_mapping_that_multiplies_values_is_refused),
        cmocka_unit_test(a_record_that_could_not_be_read_back_from_the_store_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
