/*
 * Discovery, init and confirm as the gateway sends them, V3 and v0.5: every form that was seen is
 * read, and each field missing, null, of the wrong type, empty, too long or with a control
 * character is refused by its path.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "body.h"
#include "gateway/inbound_link.h"

#define TRANSACTION "b4d0c3f2-9b18-4a7e-8c55-3f2e1d0c9b8a"
#define ANOTHER "e1d2c3b4-0a9b-48c7-9d6e-5f4a3b2c1d0e"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const char DISCOVER[] =
    "{\"transactionId\":\"a4d0c3f2-9b18-4a7e-8c55-3f2e1d0c9b8a\",\"patient\":{"
    "\"id\":\"Asha.K@SBX\",\"verifiedIdentifiers\":["
    "{\"type\":\"MOBILE\",\"value\":\"+91-9000000001\"},"
    "{\"type\":\"ABHA_NUMBER\",\"value\":\"91-1112-2223-3334\"},"
    "{\"type\":\"ABHA_ADDRESS\",\"value\":\"asha.k@sbx\"}],"
    "\"unverifiedIdentifiers\":[{\"type\":\"MR\",\"value\":\"40021\"}],"
    "\"name\":\"Asha Kumari\",\"gender\":\"F\",\"yearOfBirth\":1988}}";

static const char DISCOVER_V0_5[] =
    "{\"requestId\":\"own\",\"timestamp\":\"2026-03-05T09:20:11.120\","
    "\"transactionId\":\"" TRANSACTION "\","
    "\"patient\":{\"id\":\"asha.k@sbx\",\"verifiedIdentifiers\":["
    "{\"type\":\"NDHM_HEALTH_NUMBER\",\"value\":\"91111222233334\"},"
    "{\"type\":\"HEALTH_ID\",\"value\":\"asha.k@sbx\"},"
    "{\"type\":\"MOBILE\",\"value\":\"9000000001\"}],\"unverifiedIdentifiers\":null,"
    "\"name\":\"Asha\",\"gender\":\"female\",\"yearOfBirth\":\"1988\"}}";

static const char INIT[] =
    "{\"transactionId\":\"" TRANSACTION "\",\"abhaAddress\":\"Asha.K@sbx\",\"patient\":["
    "{\"referenceNumber\":\"MR-40021\",\"careContexts\":[{\"referenceNumber\":\"OPD-1\"},"
    "{\"referenceNumber\":\"OPD-2\"}],\"hiType\":\"OPConsultation\",\"count\":2},"
    "{\"referenceNumber\":\"MR-40021\",\"careContexts\":[{\"referenceNumber\":\"OPD-1\"}],"
    "\"hiType\":\"PRESCRIPTION\",\"count\":1}]}";

static const char INIT_V0_5[] =
    "{\"requestId\":\"own\",\"transactionId\":\"" TRANSACTION "\","
    "\"patient\":{\"id\":\"asha.k@sbx\","
    "\"referenceNumber\":\"MR-40021\",\"careContexts\":[{\"referenceNumber\":\"OPD-1\"}]}}";

static const char CONFIRM[] =
    "{\"requestId\":null,\"timestamp\":null,\"confirmation\":{\"token\":\"482913\","
    "\"linkRefNumber\":\"b1f2d3c4-0a9b-48c7-9d6e-5f4a3b2c1d0e\"}}";


/* --- discover --- */

static abdm_err_t
discover(json_t *body, abdm_in_discover_t *out)
{
    abdm_err_t err = abdm_in_discover(body, out);

    json_decref(body);
    return err;
}


static void
a_discovery_is_read_whole(void **state)
{
    abdm_in_discover_t d;

    (void) state;
    assert_int_equal(discover(parse(DISCOVER), &d).code, ABDM_OK);
    assert_string_equal(d.transaction_id, "a4d0c3f2-9b18-4a7e-8c55-3f2e1d0c9b8a");
    assert_string_equal(d.abha_address, "asha.k@sbx");
    assert_string_equal(d.abha_number, "91111222233334");
    assert_int_equal(d.n_mobiles, 1);
    assert_string_equal(d.mobile[0], "+91-9000000001");
    assert_int_equal(d.n_mrs, 1);
    assert_string_equal(d.mr[0], "40021");
    assert_string_equal(d.name, "Asha Kumari");
    assert_string_equal(d.gender, "F");
    assert_int_equal(d.year_of_birth, 1988);
    abdm_in_discover_clear(&d);
    assert_null(d.transaction_id);
    assert_int_equal(d.n_mobiles, 0);

    assert_int_equal(discover(parse(DISCOVER_V0_5), &d).code, ABDM_OK);
    assert_string_equal(d.transaction_id, TRANSACTION);
    assert_string_equal(d.abha_number, "91111222233334");
    assert_string_equal(d.mobile[0], "9000000001");
    assert_int_equal(d.n_mrs, 0);
    assert_string_equal(d.gender, "F");
    assert_int_equal(d.year_of_birth, 1988);
    abdm_in_discover_clear(&d);
}


/* `value` at `path` of a good discovery. */
static abdm_err_t
discover_with(const char *path, json_t *value, abdm_in_discover_t *out)
{
    json_t *body = parse(DISCOVER);

    put(body, path, value);
    return discover(body, out);
}


static void
assert_discovery_refused(const char *path, json_t *value, const char *names)
{
    abdm_in_discover_t d;
    abdm_err_t err = discover_with(path, value, &d);

    if (err.code != ABDM_E_FIELD)
        fail_msg("%s: code %d", path, (int) err.code);
    if (strncmp(err.what, names, strlen(names)) != 0)
        fail_msg("%s: says \"%s\"", path, err.what);
    abdm_in_discover_clear(&d);
}


static void
assert_discovery_accepted(const char *path, json_t *value)
{
    abdm_in_discover_t d;
    abdm_err_t err = discover_with(path, value, &d);

    if (abdm_failed(err))
        fail_msg("%s: %s", path, err.what);
    abdm_in_discover_clear(&d);
}


static void
a_discovery_without_its_fields_is_refused(void **state)
{
    static const char *const texts[] = {"transactionId", "patient.id", "patient.name"};

    (void) state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        assert_discovery_refused(texts[i], NULL, texts[i]);
        assert_discovery_refused(texts[i], json_null(), texts[i]);
        assert_discovery_refused(texts[i], json_string(""), texts[i]);
        assert_discovery_refused(texts[i], json_integer(7), texts[i]);
        assert_discovery_refused(texts[i], json_array(), texts[i]);
        assert_discovery_refused(texts[i], json_string("a\nb"), texts[i]);
        assert_discovery_refused(texts[i], json_string("a\x7f"), texts[i]);
    }
    assert_discovery_refused("transactionId", text_of(256), "transactionId");
    assert_discovery_refused("transactionId", json_string("asha.k@sbx"), "transactionId");
    assert_discovery_accepted("transactionId", json_string(ANOTHER));
    assert_discovery_refused("patient.id", json_string("asha"), "patient.id");
    assert_discovery_refused("patient.id", json_string("91111222233334"), "patient.id");
    assert_discovery_refused("patient", NULL, "patient:");
    assert_discovery_refused("patient", json_null(), "patient:");
    assert_discovery_refused("patient", json_array(), "patient:");
    assert_discovery_refused("patient", json_string("x"), "patient:");
}


static void
what_is_no_object_is_no_discovery(void **state)
{
    static const char *const bodies[] = {"[]", "null", "7", "\"x\"", "{}"};
    abdm_in_discover_t d;

    (void) state;
    for (size_t i = 0; i < COUNT(bodies); i++) {
        assert_int_equal(discover(parse(bodies[i]), &d).code, ABDM_E_FIELD);
        abdm_in_discover_clear(&d);
    }
}


static void
the_ids_of_a_discovery_are_known_though_the_rest_is_wrong(void **state)
{
    abdm_in_discover_t d;

    (void) state;
    assert_int_equal(discover_with("patient.name", NULL, &d).code, ABDM_E_FIELD);
    assert_string_equal(d.transaction_id, "a4d0c3f2-9b18-4a7e-8c55-3f2e1d0c9b8a");
    assert_string_equal(d.abha_address, "asha.k@sbx");
    abdm_in_discover_clear(&d);
    assert_int_equal(discover_with("patient", NULL, &d).code, ABDM_E_FIELD);
    assert_non_null(d.transaction_id);
    assert_string_equal(d.gender, "U");
    abdm_in_discover_clear(&d);
}


/* n times the letter ka of Devanagari */
static json_t *
name_of(size_t n)
{
    char z[1024] = "";

    while (n-- > 0)
        strcat(z, "\xe0\xa4\x95");
    return json_string(z);
}


static void
a_name_of_any_script_has_128_characters_at_most(void **state)
{
    abdm_in_discover_t d;

    (void) state;
    assert_int_equal(discover_with("patient.name", json_string("\xe0\xa4\x86\xe0\xa4\xb6\xe0\xa4"
                                                               "\xbe"), &d).code, ABDM_OK);
    assert_string_equal(d.name, "\xe0\xa4\x86\xe0\xa4\xb6\xe0\xa4\xbe");
    abdm_in_discover_clear(&d);
    assert_discovery_accepted("patient.name", name_of(128));
    assert_discovery_refused("patient.name", name_of(129), "patient.name");
    assert_discovery_accepted("patient.name", text_of(128));
    assert_discovery_refused("patient.name", text_of(129), "patient.name");
}


static void
the_year_and_the_gender_may_be_missing_but_not_wrong(void **state)
{
    static const char *const not_told[] = {"null", "\"\"", "0", "\"0\""};
    static const char *const no_year[] = {"1899", "2201", "\"1899\"", "-1988", "1988.5", "\"88a\"",
                                          "true", "{}", "[]", "9223372036854775807", "\"x\"",
                                          "4294969284"};
    static const char *const genders[][2] = {{"\"M\"", "M"}, {"\"male\"", "M"}, {"\"O\"", "O"},
                                             {"\"D\"", "D"}, {"\"T\"", "T"},    {"\"U\"", "U"},
                                             {"\"\"", "U"},  {"null", "U"},     {"\"??\"", "U"}};
    abdm_in_discover_t d;

    (void) state;
    for (size_t i = 0; i < COUNT(not_told); i++) {
        assert_int_equal(discover_with("patient.yearOfBirth", parse(not_told[i]), &d).code,
                         ABDM_OK);
        assert_int_equal(d.year_of_birth, 0);
        abdm_in_discover_clear(&d);
    }
    for (size_t i = 0; i < COUNT(no_year); i++)
        assert_discovery_refused("patient.yearOfBirth", parse(no_year[i]), "patient.yearOfBirth");
    assert_discovery_accepted("patient.yearOfBirth", NULL);
    assert_discovery_accepted("patient.yearOfBirth", json_integer(1900));
    assert_discovery_accepted("patient.yearOfBirth", json_integer(2200));

    for (size_t i = 0; i < COUNT(genders); i++) {
        assert_int_equal(discover_with("patient.gender", parse(genders[i][0]), &d).code, ABDM_OK);
        assert_string_equal(d.gender, genders[i][1]);
        abdm_in_discover_clear(&d);
    }
    assert_discovery_refused("patient.gender", json_integer(1), "patient.gender");
    assert_discovery_refused("patient.gender", json_array(), "patient.gender");
}


static void
identifiers_are_taken_by_type_and_each_once(void **state)
{
    abdm_in_discover_t d;

    (void) state;
    assert_int_equal(discover_with("patient.verifiedIdentifiers",
                                   parse("[{\"type\":\"mobile\",\"value\":9000000001},"
                                         "{\"type\":\"MOBILE\",\"value\":\" 9000000001 \"},"
                                         "{\"type\":\"MOBILE\",\"value\":\"9000000002\"},"
                                         "{\"type\":\"MOBILE\",\"value\":\"\"},"
                                         "{\"type\":\"MOBILE\",\"value\":null},"
                                         "{\"type\":\"MOBILE\"},"
                                         "{\"type\":\"ABHA_NUMBER\",\"value\":91111222233334},"
                                         "{\"type\":\"ABHA_NUMBER\",\"value\":\"91111222233334\"},"
                                         "{\"type\":\"EMAIL\",\"value\":[]},"
                                         "{\"type\":\"abhaAddress\",\"value\":\"other@sbx\"},"
                                         "{\"type\":\"MR\",\"value\":\"7\"}]"), &d).code, ABDM_OK);
    assert_int_equal(d.n_mobiles, 2);
    assert_string_equal(d.mobile[0], "9000000001");
    assert_string_equal(d.mobile[1], "9000000002");
    assert_string_equal(d.abha_number, "91111222233334");
    assert_string_equal(d.abha_address, "asha.k@sbx");
    assert_int_equal(d.n_mrs, 2);
    assert_string_equal(d.mr[0], "7");
    assert_string_equal(d.mr[1], "40021");
    abdm_in_discover_clear(&d);
}


static void
what_the_patient_typed_is_never_a_verified_identifier(void **state)
{
    abdm_in_discover_t d;

    (void) state;
    assert_int_equal(discover_with("patient.unverifiedIdentifiers",
                                   parse("[{\"type\":\"MOBILE\",\"value\":\"9111111111\"},"
                                         "{\"type\":\"ABHA_NUMBER\",\"value\":\"22222222222222\"},"
                                         "{\"type\":\"MR\",\"value\":\"  \"},"
                                         "{\"type\":\"MR\",\"value\":\" 40021 \"},"
                                         "{\"type\":\"MR\",\"value\":40021}]"), &d).code, ABDM_OK);
    assert_int_equal(d.n_mobiles, 1);
    assert_string_equal(d.mobile[0], "+91-9000000001");
    assert_string_equal(d.abha_number, "91111222233334");
    assert_int_equal(d.n_mrs, 1);
    assert_string_equal(d.mr[0], "40021");
    abdm_in_discover_clear(&d);
}


static void
lists_of_identifiers_may_be_missing(void **state)
{
    abdm_in_discover_t d;
    json_t *body = parse(DISCOVER);

    (void) state;
    put(body, "patient.verifiedIdentifiers", NULL);
    put(body, "patient.unverifiedIdentifiers", json_array());
    assert_int_equal(discover(body, &d).code, ABDM_OK);
    assert_int_equal(d.n_mobiles + d.n_mrs, 0);
    assert_null(d.abha_number);
    abdm_in_discover_clear(&d);
}


static void
identifiers_of_the_wrong_form_are_refused(void **state)
{
    static const char *const lists[] = {
        "{}", "\"x\"", "7", "[7]", "[null]", "[[]]", "[{}]", "[{\"value\":\"9\"}]",
        "[{\"type\":7,\"value\":\"9\"}]", "[{\"type\":null,\"value\":\"9\"}]",
        "[{\"type\":\"MR\",\"value\":{}}]", "[{\"type\":\"MR\",\"value\":1.5}]",
        "[{\"type\":\"MR\",\"value\":true}]",
        "[{\"type\":\"MR\",\"value\":\"a\\tb\"}]",
    };
    static const char *const verified[] = {
        "[{\"type\":\"ABHA_NUMBER\",\"value\":\"9111122223333\"}]",
        "[{\"type\":\"ABHA_NUMBER\",\"value\":\"911112222333345\"}]",
        "[{\"type\":\"ABHA_NUMBER\",\"value\":\"91-1112-2223-333a\"}]",
        "[{\"type\":\"ABHA_NUMBER\",\"value\":\"91111222233334\"},"
        "{\"type\":\"NDHM_HEALTH_NUMBER\",\"value\":\"91111222233335\"}]",
        "[{\"type\":\"MOBILE\",\"value\":\"123456789012345678901234567890123\"}]",
        "[{\"type\":\"MOBILE\",\"value\":\"90\\n1\"}]",
    };

    (void) state;
    for (size_t i = 0; i < COUNT(lists); i++) {
        assert_discovery_refused("patient.unverifiedIdentifiers", parse(lists[i]), "patient");
        assert_discovery_refused("patient.verifiedIdentifiers", parse(lists[i]), "patient");
    }
    for (size_t i = 0; i < COUNT(verified); i++)
        assert_discovery_refused("patient.verifiedIdentifiers", parse(verified[i]), "patient");
}


static void
sixteen_identifiers_of_a_type_are_taken_and_one_more_is_not(void **state)
{
    json_t *list = json_array();
    abdm_in_discover_t d;

    (void) state;
    for (int i = 0; i < 16; i++) {
        char value[16];
        snprintf(value, sizeof value, "MR-%d", i);
        json_array_append_new(list, json_pack("{ssss}", "type", "MR", "value", value));
    }
    json_array_append_new(list, json_pack("{ssss}", "type", "MR", "value", "MR-0"));
    assert_int_equal(discover_with("patient.unverifiedIdentifiers", json_incref(list), &d).code,
                     ABDM_OK);
    assert_int_equal(d.n_mrs, 16);
    assert_string_equal(d.mr[15], "MR-15");
    abdm_in_discover_clear(&d);
    json_array_append_new(list, json_pack("{ssss}", "type", "MR", "value", "MR-16"));
    assert_discovery_refused("patient.unverifiedIdentifiers", list, "patient");

    list = json_array();
    for (int i = 0; i < 17; i++)
        json_array_append_new(list, json_pack("{sssI}", "type", "MOBILE", "value",
                                              (json_int_t) 9000000000 + i));
    assert_discovery_refused("patient.verifiedIdentifiers", list, "patient");
}


static void
a_number_of_255_bytes_is_taken_and_one_byte_more_is_not(void **state)
{
    (void) state;
    assert_discovery_accepted("patient.unverifiedIdentifiers.0.value", text_of(255));
    assert_discovery_refused("patient.unverifiedIdentifiers.0.value", text_of(256), "patient");
    assert_discovery_accepted("patient.verifiedIdentifiers.0.value", text_of(32));
    assert_discovery_refused("patient.verifiedIdentifiers.0.value", text_of(33), "patient");
}


/* --- init --- */

static abdm_err_t
init_with(const char *good, const char *path, json_t *value, abdm_in_link_init_t *out)
{
    json_t *body = parse(good);

    put(body, path, value);
    abdm_err_t err = abdm_in_link_init(body, out);
    json_decref(body);
    return err;
}


static void
assert_init_refused(const char *good, const char *path, json_t *value, const char *names)
{
    abdm_in_link_init_t i;
    abdm_err_t err = init_with(good, path, value, &i);

    if (err.code != ABDM_E_FIELD)
        fail_msg("%s: code %d", path, (int) err.code);
    if (strncmp(err.what, names, strlen(names)) != 0)
        fail_msg("%s: says \"%s\"", path, err.what);
    abdm_in_link_init_clear(&i);
}


static void
an_init_is_read_with_each_reference_once(void **state)
{
    abdm_in_link_init_t i;
    json_t *body = parse(INIT);

    (void) state;
    assert_int_equal(abdm_in_link_init(body, &i).code, ABDM_OK);
    json_decref(body);
    assert_false(i.outcome.failed);
    assert_string_equal(i.transaction_id, TRANSACTION);
    assert_string_equal(i.abha_address, "asha.k@sbx");
    assert_string_equal(i.patient_ref, "MR-40021");
    assert_int_equal(i.n_contexts, 2);
    assert_string_equal(i.context[0].reference, "OPD-1");
    assert_int_equal(i.context[0].hi_types,
                     1u << ABDM_HI_OP_CONSULTATION | 1u << ABDM_HI_PRESCRIPTION);
    assert_string_equal(i.context[1].reference, "OPD-2");
    assert_int_equal(i.context[1].hi_types, 1u << ABDM_HI_OP_CONSULTATION);
    abdm_in_link_init_clear(&i);
    assert_int_equal(i.n_contexts, 0);

    body = parse(INIT_V0_5);
    assert_int_equal(abdm_in_link_init(body, &i).code, ABDM_OK);
    json_decref(body);
    assert_string_equal(i.transaction_id, TRANSACTION);
    assert_string_equal(i.abha_address, "asha.k@sbx");
    assert_string_equal(i.patient_ref, "MR-40021");
    assert_int_equal(i.n_contexts, 1);
    assert_int_equal(i.context[0].hi_types, 0);
    abdm_in_link_init_clear(&i);
}


static void
an_init_with_two_patients_is_refused(void **state)
{
    (void) state;
    assert_init_refused(INIT, "patient.1.referenceNumber", json_string("MR-40022"),
                        "patient.referenceNumber");
    assert_init_refused(INIT, "patient.1.referenceNumber", json_string("mr-40021"),
                        "patient.referenceNumber");
}


static void
an_init_without_its_fields_is_refused(void **state)
{
    (void) state;
    assert_init_refused(INIT, "transactionId", NULL, "transactionId");
    assert_init_refused(INIT, "transactionId", json_null(), "transactionId");
    assert_init_refused(INIT, "transactionId", json_string(""), "transactionId");
    assert_init_refused(INIT, "transactionId", json_integer(7), "transactionId");
    assert_init_refused(INIT, "transactionId", text_of(256), "transactionId");
    assert_init_refused(INIT, "abhaAddress", NULL, "abhaAddress");
    assert_init_refused(INIT, "abhaAddress", json_string("asha"), "abhaAddress");
    assert_init_refused(INIT, "abhaAddress", json_array(), "abhaAddress");
    assert_init_refused(INIT_V0_5, "patient.id", NULL, "abhaAddress");
    assert_init_refused(INIT_V0_5, "patient.id", json_integer(7), "patient.id");
    assert_init_refused(INIT, "patient", NULL, "patient:");
    assert_init_refused(INIT, "patient", json_array(), "patient:");
    assert_init_refused(INIT, "patient", json_string("x"), "patient:");
    assert_init_refused(INIT, "patient.1", json_integer(7), "patient");
    assert_init_refused(INIT, "patient.0.careContexts", NULL, "patient.careContexts");
    assert_init_refused(INIT, "patient.0.careContexts", json_array(), "patient.careContexts");
    assert_init_refused(INIT, "patient.0.careContexts", json_object(), "patient.careContexts");
    assert_init_refused(INIT, "patient.1.careContexts", json_array(), "patient.careContexts");
    assert_init_refused(INIT_V0_5, "patient.careContexts", json_null(), "patient.careContexts");
}


static void
a_reference_that_could_not_have_been_offered_is_refused(void **state)
{
    static const char *const odd[] = {"\"\"", "null", "7", "{}", "\"a\\nb\"", "\"a;b\"", "\"a'b\"",
                                      "\"a\\\"b\"", "\"\\u00e9\"", "\"a|b\"", "\"a*\"", "\"#1\""};
    static const char *const good[] = {"OPD 1", "a_-@,. ()/:\\9", "0"};
    static const char *const paths[] = {"patient.0.referenceNumber",
                                        "patient.0.careContexts.1.referenceNumber"};
    abdm_in_link_init_t got;

    (void) state;
    for (size_t i = 0; i < COUNT(odd); i++) {
        assert_init_refused(INIT, paths[0], parse(odd[i]), "patient.referenceNumber");
        assert_init_refused(INIT, paths[1], parse(odd[i]),
                            "patient.careContexts.referenceNumber");
    }
    assert_init_refused(INIT, paths[1], text_of(256), "patient.careContexts.referenceNumber");
    assert_init_refused(INIT_V0_5, "patient.referenceNumber", text_of(256),
                        "patient.referenceNumber");
    assert_init_refused(INIT, "patient.0.careContexts.1", json_string("OPD-1"),
                        "patient.careContexts.referenceNumber");

    for (size_t i = 0; i < COUNT(good); i++) {
        assert_int_equal(init_with(INIT, paths[1], json_string(good[i]), &got).code, ABDM_OK);
        assert_string_equal(got.context[1].reference, good[i]);
        abdm_in_link_init_clear(&got);
    }
    assert_int_equal(init_with(INIT, paths[1], text_of(255), &got).code, ABDM_OK);
    abdm_in_link_init_clear(&got);
}


static void
the_type_of_an_element_is_text_or_a_list_and_may_be_unknown(void **state)
{
    static const struct {
        const char *value;
        abdm_hi_types_t types;
    } rows[] = {
        {"\"WELLNESSRECORD\"", 1u << ABDM_HI_WELLNESS_RECORD},
        {"[\"Invoice\"]", 1u << ABDM_HI_INVOICE},
        {"[\"Invoice\",\"Prescription\"]", 1u << ABDM_HI_INVOICE | 1u << ABDM_HI_PRESCRIPTION},
        {"[]", 0},
        {"null", 0},
        {"\"\"", 0},
        {"\"Horoscope\"", 0},
        {"[\"Horoscope\",\"Invoice\"]", 1u << ABDM_HI_INVOICE},
    };
    abdm_in_link_init_t i;

    (void) state;
    for (size_t k = 0; k < COUNT(rows); k++) {
        assert_int_equal(init_with(INIT, "patient.0.hiType", parse(rows[k].value), &i).code,
                         ABDM_OK);
        assert_int_equal(i.context[1].hi_types, rows[k].types);
        abdm_in_link_init_clear(&i);
        assert_int_equal(init_with(INIT_V0_5, "patient.hiTypes", parse(rows[k].value), &i).code,
                         ABDM_OK);
        assert_int_equal(i.context[0].hi_types, rows[k].types);
        abdm_in_link_init_clear(&i);
    }
    assert_init_refused(INIT, "patient.0.hiType", json_integer(7), "patient.hiType");
    assert_init_refused(INIT, "patient.0.hiType", json_object(), "patient.hiType");
    assert_init_refused(INIT, "patient.0.hiType", parse("[7]"), "patient.hiType");
}


/* A list of contexts numbered from `from` on. */
static json_t *
contexts(int from, int n)
{
    json_t *list = json_array();

    for (int i = from; i < from + n; i++) {
        char reference[16];
        snprintf(reference, sizeof reference, "OPD-%d", i);
        json_array_append_new(list, json_pack("{ss}", "referenceNumber", reference));
    }
    return list;
}


static void
more_contexts_than_20_are_read_but_not_more_than_200(void **state)
{
    abdm_in_link_init_t i;

    (void) state;
    assert_int_equal(init_with(INIT_V0_5, "patient.careContexts", contexts(1, 21), &i).code,
                     ABDM_OK);
    assert_int_equal(i.n_contexts, 21);
    abdm_in_link_init_clear(&i);
    assert_int_equal(init_with(INIT, "patient.0.careContexts", contexts(1, 200), &i).code,
                     ABDM_OK);
    assert_int_equal(i.n_contexts, 200);
    assert_string_equal(i.context[199].reference, "OPD-200");
    assert_int_equal(i.context[0].hi_types,
                     1u << ABDM_HI_OP_CONSULTATION | 1u << ABDM_HI_PRESCRIPTION);
    abdm_in_link_init_clear(&i);
    assert_init_refused(INIT, "patient.0.careContexts", contexts(1, 201), "patient.careContexts");
    /* 200 in the first element, and another one in the second */
    assert_init_refused(INIT, "patient.0.careContexts", contexts(2, 200), "patient.careContexts");
}


static void
one_context_may_be_named_often_but_not_without_end(void **state)
{
    abdm_in_link_init_t i;
    json_t *list = json_array();

    (void) state;
    for (int k = 0; k < 1599; k++)
        json_array_append_new(list, json_pack("{ss}", "referenceNumber", "OPD-1"));
    assert_int_equal(init_with(INIT, "patient.0.careContexts", json_incref(list), &i).code,
                     ABDM_OK);
    assert_int_equal(i.n_contexts, 1);
    abdm_in_link_init_clear(&i);
    json_array_append_new(list, json_pack("{ss}", "referenceNumber", "OPD-1"));
    assert_init_refused(INIT, "patient.0.careContexts", list, "patient.careContexts");
}


static void
an_error_instead_of_an_init_is_told(void **state)
{
    abdm_in_link_init_t i;
    json_t *body = parse("{\"transactionId\":\"" TRANSACTION "\","
                         "\"abhaAddress\":\"asha.k@sbx\",\"error\":{"
                         "\"code\":\"ABDM-1056\",\"message\":\"already linked\"},"
                         "\"response\":{\"requestId\":\"r-1\"}}");

    (void) state;
    assert_int_equal(abdm_in_link_init(body, &i).code, ABDM_OK);
    assert_true(i.outcome.failed);
    assert_string_equal(i.outcome.code, "1056");
    assert_string_equal(i.outcome.request_id, "r-1");
    assert_string_equal(i.transaction_id, TRANSACTION);
    assert_null(i.patient_ref);
    abdm_in_link_init_clear(&i);
    json_decref(body);

    body = parse("{\"error\":\"gone\"}");
    assert_int_equal(abdm_in_link_init(body, &i).code, ABDM_OK);
    assert_true(i.outcome.failed);
    assert_null(i.transaction_id);
    abdm_in_link_init_clear(&i);
    json_decref(body);
}


static void
the_ids_of_an_init_are_known_though_the_rest_is_wrong(void **state)
{
    abdm_in_link_init_t i;

    (void) state;
    assert_int_equal(init_with(INIT, "patient", NULL, &i).code, ABDM_E_FIELD);
    assert_string_equal(i.transaction_id, TRANSACTION);
    assert_string_equal(i.abha_address, "asha.k@sbx");
    abdm_in_link_init_clear(&i);
    assert_int_equal(init_with(INIT, "response", json_integer(7), &i).code, ABDM_E_FIELD);
    assert_string_equal(i.transaction_id, TRANSACTION);
    abdm_in_link_init_clear(&i);
    assert_int_equal(init_with(INIT, "abhaAddress", json_integer(7), &i).code, ABDM_E_FIELD);
    assert_string_equal(i.transaction_id, TRANSACTION);
    abdm_in_link_init_clear(&i);

    json_t *body = parse("[]");
    assert_int_equal(abdm_in_link_init(body, &i).code, ABDM_E_FIELD);
    abdm_in_link_init_clear(&i);
    json_decref(body);
}


/* --- confirm --- */

static abdm_err_t
confirm_with(const char *path, json_t *value, abdm_in_link_confirm_t *out)
{
    json_t *body = parse(CONFIRM);

    put(body, path, value);
    abdm_err_t err = abdm_in_link_confirm(body, out);
    json_decref(body);
    return err;
}


static void
a_confirmation_is_read_with_the_zeros_of_its_token(void **state)
{
    static const char *const rows[][2] = {
        {"\"482913\"", "482913"}, {"\"002913\"", "002913"}, {"482913", "482913"},
        {"2913", "002913"},       {"0", "000000"},          {"48291355", "48291355"},
        {"\"a1B2\"", "a1B2"},     {"\" 482913\"", " 482913"}, {"\"7\"", "7"},
        {"9223372036854775807", "9223372036854775807"},
    };
    abdm_in_link_confirm_t c;

    (void) state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_int_equal(confirm_with("confirmation.token", parse(rows[i][0]), &c).code, ABDM_OK);
        assert_string_equal(c.otp, rows[i][1]);
        assert_string_equal(c.link_ref, "b1f2d3c4-0a9b-48c7-9d6e-5f4a3b2c1d0e");
        abdm_in_link_confirm_clear(&c);
        assert_null(c.otp);
    }
}


static void
a_confirmation_without_its_fields_is_refused(void **state)
{
    static const struct {
        const char *path, *value;
    } rows[] = {
        {"confirmation", "null"},
        {"confirmation", "[]"},
        {"confirmation", "\"x\""},
        {"confirmation.linkRefNumber", "null"},
        {"confirmation.linkRefNumber", "\"\""},
        {"confirmation.linkRefNumber", "7"},
        {"confirmation.linkRefNumber", "\"a\\nb\""},
        {"confirmation.token", "null"},
        {"confirmation.token", "\"\""},
        {"confirmation.token", "-1"},
        {"confirmation.token", "482913.0"},
        {"confirmation.token", "true"},
        {"confirmation.token", "{}"},
        {"confirmation.token", "[482913]"},
        {"confirmation.token", "\"4829\\n13\""},
    };
    abdm_in_link_confirm_t c;

    (void) state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        abdm_err_t err = confirm_with(rows[i].path, parse(rows[i].value), &c);
        if (err.code != ABDM_E_FIELD || strncmp(err.what, rows[i].path, strlen(rows[i].path)) != 0)
            fail_msg("%s %s: %d \"%s\"", rows[i].path, rows[i].value, (int) err.code, err.what);
        assert_null(c.otp);
        if (strcmp(rows[i].path, "confirmation.token") == 0)
            assert_non_null(c.link_ref);
        abdm_in_link_confirm_clear(&c);
    }
    assert_int_equal(confirm_with("confirmation.linkRefNumber", text_of(256), &c).code,
                     ABDM_E_FIELD);
    abdm_in_link_confirm_clear(&c);
    assert_int_equal(confirm_with("confirmation.linkRefNumber", json_string(ANOTHER), &c).code,
                     ABDM_OK);
    abdm_in_link_confirm_clear(&c);
    assert_int_equal(confirm_with("confirmation.token", text_of(33), &c).code, ABDM_E_FIELD);
    abdm_in_link_confirm_clear(&c);
    assert_int_equal(confirm_with("confirmation.token", text_of(32), &c).code, ABDM_OK);
    abdm_in_link_confirm_clear(&c);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_discovery_is_read_whole),
        cmocka_unit_test(a_discovery_without_its_fields_is_refused),
        cmocka_unit_test(what_is_no_object_is_no_discovery),
        cmocka_unit_test(the_ids_of_a_discovery_are_known_though_the_rest_is_wrong),
        cmocka_unit_test(a_name_of_any_script_has_128_characters_at_most),
        cmocka_unit_test(the_year_and_the_gender_may_be_missing_but_not_wrong),
        cmocka_unit_test(identifiers_are_taken_by_type_and_each_once),
        cmocka_unit_test(what_the_patient_typed_is_never_a_verified_identifier),
        cmocka_unit_test(lists_of_identifiers_may_be_missing),
        cmocka_unit_test(identifiers_of_the_wrong_form_are_refused),
        cmocka_unit_test(sixteen_identifiers_of_a_type_are_taken_and_one_more_is_not),
        cmocka_unit_test(a_number_of_255_bytes_is_taken_and_one_byte_more_is_not),
        cmocka_unit_test(an_init_is_read_with_each_reference_once),
        cmocka_unit_test(an_init_with_two_patients_is_refused),
        cmocka_unit_test(an_init_without_its_fields_is_refused),
        cmocka_unit_test(a_reference_that_could_not_have_been_offered_is_refused),
        cmocka_unit_test(the_type_of_an_element_is_text_or_a_list_and_may_be_unknown),
        cmocka_unit_test(more_contexts_than_20_are_read_but_not_more_than_200),
        cmocka_unit_test(one_context_may_be_named_often_but_not_without_end),
        cmocka_unit_test(an_error_instead_of_an_init_is_told),
        cmocka_unit_test(the_ids_of_an_init_are_known_though_the_rest_is_wrong),
        cmocka_unit_test(a_confirmation_is_read_with_the_zeros_of_its_token),
        cmocka_unit_test(a_confirmation_without_its_fields_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
