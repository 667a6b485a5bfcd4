/*
 * Profiles shared at a counter, V3 and v1.0, and the status of patients: every form that was seen
 * is read, and each field missing, null, of the wrong type, empty, too long or with a control
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

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define PATIENT "profile.patient."

static const char SHARE[] =
    "{\"intent\":\"PROFILE_SHARE\",\"metaData\":{\"hipId\":\"IN0990001234_1\",\"context\":\"OPD1\","
    "\"hprId\":null,\"latitude\":\"28.60\",\"longitude\":77.2},\"profile\":{\"patient\":{"
    "\"abhaNumber\":\"91-1112-2223-3334\",\"abhaAddress\":\"Asha.K@sbx\",\"name\":\"Asha Kumari\","
    "\"gender\":\"F\",\"dayOfBirth\":\"05\",\"monthOfBirth\":\"03\",\"yearOfBirth\":\"1988\","
    "\"address\":{\"line\":\"12 Invented Road\",\"district\":\"Sample\",\"state\":\"Sample\","
    "\"pincode\":\"110001\"},\"phoneNumber\":\"9000000001\",\"kycPhoto\":\"AAAA\"}}}";

static const char SHARE_V1_0[] =
    "{\"requestId\":\"own\",\"timestamp\":\"2026-03-05T09:20:11.120\",\"intent\":{"
    "\"type\":\"PROFILE_SHARE\"},\"location\":{\"latitude\":\"1\",\"longitude\":\"2\"},"
    "\"profile\":{\"hipCode\":\"12345\",\"patient\":{\"healthId\":\"asha.k@sbx\",\"healthIdNumber\":"
    "\"91-1112-2223-3334\",\"name\":\"Asha\",\"gender\":\"F\",\"address\":{\"line\":\"x\"},"
    "\"yearOfBirth\":1988,\"dayOfBirth\":5,\"monthOfBirth\":3,\"identifiers\":["
    "{\"type\":\"EMAIL\",\"value\":\"x@y\"},{\"type\":\"MOBILE\",\"value\":\"9000000001\"}]}}}";

static const char STATUS[] =
    "{\"requestId\":\"r-1\",\"timestamp\":\"2026-03-05T09:20:11.120\",\"notification\":{"
    "\"status\":\"DEACTIVATED\",\"patient\":{\"id\":\"Asha.K@SBX\"}}}";


static abdm_err_t
share_with(const char *path, json_t *value, abdm_in_share_t *out)
{
    json_t *body = parse(SHARE);

    put(body, path, value);
    abdm_err_t err = abdm_in_share(body, out);
    json_decref(body);
    return err;
}


static void
assert_share_refused(const char *path, json_t *value, const char *names)
{
    abdm_in_share_t s;
    abdm_err_t err = share_with(path, value, &s);

    if (err.code != ABDM_E_FIELD)
        fail_msg("%s: code %d", path, (int) err.code);
    if (strncmp(err.what, names, strlen(names)) != 0)
        fail_msg("%s: says \"%s\"", path, err.what);
    assert_null(s.profile);
    abdm_in_share_clear(&s);
}


static void
assert_share_accepted(const char *path, json_t *value)
{
    abdm_in_share_t s;
    abdm_err_t err = share_with(path, value, &s);

    if (abdm_failed(err))
        fail_msg("%s: %s", path, err.what);
    assert_non_null(s.profile);
    abdm_in_share_clear(&s);
}


static void
a_share_is_read_whole_and_keeps_the_patient_without_the_photo(void **state)
{
    abdm_in_share_t s;
    json_t *body = parse(SHARE), *patient = json_deep_copy(abdm_json_at(body, "profile.patient"));

    (void) state;
    assert_int_equal(abdm_in_share(body, &s).code, ABDM_OK);
    assert_non_null(abdm_json_at(body, PATIENT "kycPhoto"));
    json_decref(body);
    assert_string_equal(s.intent, "PROFILE_SHARE");
    assert_string_equal(s.hip_id, "IN0990001234_1");
    assert_string_equal(s.counter, "OPD1");
    assert_string_equal(s.abha_address, "asha.k@sbx");
    assert_string_equal(s.abha_number, "91111222233334");
    assert_string_equal(s.name, "Asha Kumari");
    assert_string_equal(s.gender, "F");
    assert_int_equal(s.year_of_birth, 1988);
    assert_int_equal(s.month_of_birth, 3);
    assert_int_equal(s.day_of_birth, 5);
    assert_string_equal(s.mobile, "9000000001");
    json_object_del(patient, "kycPhoto");
    assert_true(json_equal(s.profile, patient));
    json_decref(patient);
    abdm_in_share_clear(&s);
    assert_null(s.profile);
    assert_null(s.counter);
}


static void
the_old_form_is_read_too(void **state)
{
    abdm_in_share_t s;
    json_t *body = parse(SHARE_V1_0);

    (void) state;
    assert_int_equal(abdm_in_share(body, &s).code, ABDM_OK);
    assert_string_equal(s.intent, "PROFILE_SHARE");
    assert_null(s.hip_id);
    assert_string_equal(s.counter, "12345");
    assert_string_equal(s.abha_address, "asha.k@sbx");
    assert_string_equal(s.abha_number, "91111222233334");
    assert_int_equal(s.year_of_birth, 1988);
    assert_int_equal(s.month_of_birth, 3);
    assert_int_equal(s.day_of_birth, 5);
    assert_string_equal(s.mobile, "9000000001");
    assert_true(json_equal(s.profile, abdm_json_at(body, "profile.patient")));
    abdm_in_share_clear(&s);

    put(body, "profile.hipCode", NULL);
    assert_int_equal(abdm_in_share(body, &s).code, ABDM_E_FIELD);
    assert_string_equal(s.abha_address, "asha.k@sbx");
    abdm_in_share_clear(&s);
    json_decref(body);
}


static void
an_address_beside_the_patient_is_moved_into_the_profile(void **state)
{
    abdm_in_share_t s;
    json_t *body = parse(SHARE);

    (void) state;
    put(body, "profile.address", parse("{\"line\":\"beside\",\"pinCode\":\"110001\"}"));
    assert_int_equal(abdm_in_share(body, &s).code, ABDM_OK);
    assert_string_equal(abdm_json_string_at(s.profile, "address.line"), "12 Invented Road");
    abdm_in_share_clear(&s);

    put(body, PATIENT "address", json_null());
    assert_int_equal(abdm_in_share(body, &s).code, ABDM_OK);
    assert_string_equal(abdm_json_string_at(s.profile, "address.line"), "beside");
    assert_string_equal(abdm_json_string_at(s.profile, "address.pinCode"), "110001");
    abdm_in_share_clear(&s);

    put(body, PATIENT "address", NULL);
    assert_int_equal(abdm_in_share(body, &s).code, ABDM_OK);
    assert_string_equal(abdm_json_string_at(s.profile, "address.line"), "beside");
    abdm_in_share_clear(&s);
    json_decref(body);
}


static void
what_a_share_may_lack_is_not_told(void **state)
{
    static const char *const numbers[] = {"dayOfBirth", "monthOfBirth", "yearOfBirth"};
    static const char *const not_told[] = {"null", "\"\"", "0"};
    abdm_in_share_t s;
    char path[64];

    (void) state;
    for (size_t i = 0; i < COUNT(numbers); i++) {
        snprintf(path, sizeof path, PATIENT "%s", numbers[i]);
        for (size_t k = 0; k < COUNT(not_told); k++) {
            assert_int_equal(share_with(path, parse(not_told[k]), &s).code, ABDM_OK);
            assert_int_equal((s.day_of_birth == 0) + (s.month_of_birth == 0) +
                                 (s.year_of_birth == 0), 1);
            abdm_in_share_clear(&s);
        }
        assert_share_accepted(path, NULL);
    }
    assert_int_equal(share_with(PATIENT "abhaNumber", json_null(), &s).code, ABDM_OK);
    assert_null(s.abha_number);
    abdm_in_share_clear(&s);
    assert_int_equal(share_with(PATIENT "abhaNumber", json_string(""), &s).code, ABDM_OK);
    assert_null(s.abha_number);
    abdm_in_share_clear(&s);
    assert_int_equal(share_with(PATIENT "phoneNumber", json_null(), &s).code, ABDM_OK);
    assert_null(s.mobile);
    abdm_in_share_clear(&s);
    assert_int_equal(share_with(PATIENT "gender", NULL, &s).code, ABDM_OK);
    assert_string_equal(s.gender, "U");
    abdm_in_share_clear(&s);
    assert_int_equal(share_with("metaData.hipId", NULL, &s).code, ABDM_OK);
    assert_null(s.hip_id);
    abdm_in_share_clear(&s);
}


static void
numbers_are_taken_for_texts(void **state)
{
    abdm_in_share_t s;

    (void) state;
    assert_int_equal(share_with(PATIENT "phoneNumber", parse("9000000001"), &s).code, ABDM_OK);
    assert_string_equal(s.mobile, "9000000001");
    abdm_in_share_clear(&s);
    assert_int_equal(share_with(PATIENT "phoneNumber", json_string(" +91 90000 00001 "), &s).code,
                     ABDM_OK);
    assert_string_equal(s.mobile, "+91 90000 00001");
    abdm_in_share_clear(&s);
    assert_int_equal(share_with(PATIENT "abhaNumber", parse("91111222233334"), &s).code, ABDM_OK);
    assert_string_equal(s.abha_number, "91111222233334");
    abdm_in_share_clear(&s);
}


static void
a_name_that_is_not_ascii_is_kept_as_it_is(void **state)
{
    abdm_in_share_t s;

    (void) state;
    assert_int_equal(share_with(PATIENT "name", json_string("\xe0\xa4\x86\xe0\xa4\xb6\xe0\xa4\xbe"),
                                &s).code, ABDM_OK);
    assert_string_equal(s.name, "\xe0\xa4\x86\xe0\xa4\xb6\xe0\xa4\xbe");
    abdm_in_share_clear(&s);
}


static void
any_intent_is_read(void **state)
{
    abdm_in_share_t s;

    (void) state;
    assert_int_equal(share_with("intent", json_string("RECORD_SHARE"), &s).code, ABDM_OK);
    assert_string_equal(s.intent, "RECORD_SHARE");
    abdm_in_share_clear(&s);
    assert_share_accepted("intent", text_of(64));
    assert_share_refused("intent", text_of(65), "intent");
}


static void
a_share_of_the_wrong_form_is_refused(void **state)
{
    static const struct {
        const char *path, *value, *names;
    } rows[] = {
        {"intent", "null", "intent"},
        {"intent", "\"\"", "intent"},
        {"intent", "7", "intent"},
        {"intent", "{}", "intent"},
        {"intent", "{\"type\":7}", "intent"},
        {"intent", "\"A\\nB\"", "intent"},
        {"metaData", "null", "metaData.context"},
        {"metaData", "\"x\"", "metaData.context"},
        {"metaData.context", "null", "metaData.context"},
        {"metaData.context", "\"\"", "metaData.context"},
        {"metaData.context", "7", "metaData.context"},
        {"metaData.context", "\"a\\u007f\"", "metaData.context"},
        {"metaData.hipId", "7", "metaData.hipId"},
        {"metaData.hipId", "\"a\\rb\"", "metaData.hipId"},
        {"profile", "null", "profile.patient:"},
        {"profile", "[]", "profile.patient:"},
        {"profile.patient", "null", "profile.patient:"},
        {"profile.patient", "\"x\"", "profile.patient:"},
        {PATIENT "abhaAddress", "null", PATIENT "abhaAddress"},
        {PATIENT "abhaAddress", "\"\"", PATIENT "abhaAddress"},
        {PATIENT "abhaAddress", "\"asha\"", PATIENT "abhaAddress"},
        {PATIENT "abhaAddress", "7", PATIENT "abhaAddress"},
        {PATIENT "abhaAddress", "\"a\\nb@sbx\"", PATIENT "abhaAddress"},
        {PATIENT "abhaNumber", "\"9111\"", PATIENT "abhaNumber"},
        {PATIENT "abhaNumber", "9111", PATIENT "abhaNumber"},
        {PATIENT "abhaNumber", "[]", PATIENT "abhaNumber"},
        {PATIENT "abhaNumber", "91111222233334.0", PATIENT "abhaNumber"},
        {PATIENT "name", "null", PATIENT "name"},
        {PATIENT "name", "\"\"", PATIENT "name"},
        {PATIENT "name", "7", PATIENT "name"},
        {PATIENT "name", "\"a\\tb\"", PATIENT "name"},
        {PATIENT "gender", "7", PATIENT "gender"},
        {PATIENT "dayOfBirth", "32", PATIENT "dayOfBirth"},
        {PATIENT "dayOfBirth", "-1", PATIENT "dayOfBirth"},
        {PATIENT "dayOfBirth", "\"1st\"", PATIENT "dayOfBirth"},
        {PATIENT "monthOfBirth", "13", PATIENT "monthOfBirth"},
        {PATIENT "monthOfBirth", "\"March\"", PATIENT "monthOfBirth"},
        {PATIENT "monthOfBirth", "{}", PATIENT "monthOfBirth"},
        {PATIENT "yearOfBirth", "\"1899\"", PATIENT "yearOfBirth"},
        {PATIENT "yearOfBirth", "2201", PATIENT "yearOfBirth"},
        {PATIENT "yearOfBirth", "true", PATIENT "yearOfBirth"},
        {PATIENT "phoneNumber", "{}", PATIENT "phoneNumber"},
        {PATIENT "phoneNumber", "\"90\\n1\"", PATIENT "phoneNumber"},
        {PATIENT "phoneNumber", "\"123456789012345678901234567890123\"", PATIENT "phoneNumber"},
    };

    (void) state;
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_share_refused(rows[i].path, parse(rows[i].value), rows[i].names);
    assert_share_refused("metaData.context", text_of(256), "metaData.context");
    assert_share_accepted("metaData.context", text_of(255));
    assert_share_refused("metaData.hipId", text_of(256), "metaData.hipId");
    assert_share_refused(PATIENT "name", text_of(129), PATIENT "name");
    assert_share_accepted(PATIENT "name", text_of(128));
}


static void
who_shares_is_known_though_the_rest_is_wrong(void **state)
{
    abdm_in_share_t s;

    (void) state;
    assert_int_equal(share_with("metaData", NULL, &s).code, ABDM_E_FIELD);
    assert_string_equal(s.abha_address, "asha.k@sbx");
    assert_string_equal(s.gender, "U");
    abdm_in_share_clear(&s);
    assert_int_equal(share_with(PATIENT "abhaAddress", NULL, &s).code, ABDM_E_FIELD);
    assert_null(s.abha_address);
    assert_string_equal(s.counter, "OPD1");
    abdm_in_share_clear(&s);

    json_t *body = parse("[]");
    assert_int_equal(abdm_in_share(body, &s).code, ABDM_E_FIELD);
    abdm_in_share_clear(&s);
    json_decref(body);
}


/* --- patient status --- */

static void
each_status_of_a_patient_is_read(void **state)
{
    static const struct {
        const char *word;
        abdm_patient_status_t status;
    } rows[] = {
        {"DEACTIVATED", ABDM_PATIENT_DEACTIVATED}, {"deactivated", ABDM_PATIENT_DEACTIVATED},
        {"REACTIVATED", ABDM_PATIENT_ACTIVATED},   {"ACTIVATED", ABDM_PATIENT_ACTIVATED},
        {"DELETED", ABDM_PATIENT_DELETED},
    };
    abdm_in_patient_status_t s;
    json_t *body = parse(STATUS);

    (void) state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        put(body, "notification.status", json_string(rows[i].word));
        assert_int_equal(abdm_in_patient_status(body, &s).code, ABDM_OK);
        assert_int_equal(s.status, rows[i].status);
        assert_string_equal(s.request_id, "r-1");
        assert_string_equal(s.abha_address, "asha.k@sbx");
        abdm_in_patient_status_clear(&s);
        assert_null(s.abha_address);
    }
    put(body, "requestId", NULL);
    json_t *notification = json_incref(json_object_get(body, "notification"));
    put(body, "notification", json_pack("[o]", notification));
    assert_int_equal(abdm_in_patient_status(body, &s).code, ABDM_OK);
    assert_null(s.request_id);
    assert_int_equal(s.status, ABDM_PATIENT_DELETED);
    abdm_in_patient_status_clear(&s);
    json_decref(body);
}


static void
a_status_of_the_wrong_form_is_refused(void **state)
{
    static const struct {
        const char *path, *value;
    } rows[] = {
        {"requestId", "7"},
        {"requestId", "\"a\\nb\""},
        {"notification", "null"},
        {"notification", "[]"},
        {"notification", "[{},{}]"},
        {"notification", "\"x\""},
        {"notification.patient", "null"},
        {"notification.patient", "\"asha.k@sbx\""},
        {"notification.patient.id", "null"},
        {"notification.patient.id", "\"asha\""},
        {"notification.patient.id", "7"},
        {"notification.status", "null"},
        {"notification.status", "\"\""},
        {"notification.status", "\"GONE\""},
        {"notification.status", "7"},
    };
    abdm_in_patient_status_t s;

    (void) state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        json_t *body = parse(STATUS);
        put(body, rows[i].path, parse(rows[i].value));
        abdm_err_t err = abdm_in_patient_status(body, &s);
        if (err.code != ABDM_E_FIELD || strncmp(err.what, rows[i].path, strlen(rows[i].path)) != 0)
            fail_msg("%s %s: %d \"%s\"", rows[i].path, rows[i].value, (int) err.code, err.what);
        abdm_in_patient_status_clear(&s);
        json_decref(body);
    }

    json_t *body = parse(STATUS);
    put(body, "notification.status", NULL);
    assert_int_equal(abdm_in_patient_status(body, &s).code, ABDM_E_FIELD);
    assert_string_equal(s.request_id, "r-1");
    assert_string_equal(s.abha_address, "asha.k@sbx");
    abdm_in_patient_status_clear(&s);
    put(body, "requestId", text_of(256));
    assert_int_equal(abdm_in_patient_status(body, &s).code, ABDM_E_FIELD);
    abdm_in_patient_status_clear(&s);
    json_decref(body);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_share_is_read_whole_and_keeps_the_patient_without_the_photo),
        cmocka_unit_test(the_old_form_is_read_too),
        cmocka_unit_test(an_address_beside_the_patient_is_moved_into_the_profile),
        cmocka_unit_test(what_a_share_may_lack_is_not_told),
        cmocka_unit_test(numbers_are_taken_for_texts),
        cmocka_unit_test(a_name_that_is_not_ascii_is_kept_as_it_is),
        cmocka_unit_test(any_intent_is_read),
        cmocka_unit_test(a_share_of_the_wrong_form_is_refused),
        cmocka_unit_test(who_shares_is_known_though_the_rest_is_wrong),
        cmocka_unit_test(each_status_of_a_patient_is_read),
        cmocka_unit_test(a_status_of_the_wrong_form_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
