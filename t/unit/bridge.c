/*
 * What the gateway and the registry say of a bridge: services as they are listed and asked for, and
 * the registry's four shapes, all of which come with status 200.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "gateway/bridge.h"


static void
a_bridge_is_read_with_its_services(void **state)
{
    static const char text[] =
        "{\"bridge\":{\"id\":\"SBX_1\",\"name\":\"n\",\"url\":\"https://h/abdm\",\"active\":true,"
        "\"blocklisted\":false},\"services\":["
        "{\"id\":\"IN1_1\",\"name\":\"A\",\"types\":[\"HIP\",\"HIU\"],\"active\":true},"
        "{\"id\":\"IN2_1\",\"name\":\"B\\u001b[2J\",\"types\":[\"HIU\"],\"active\":false},"
        "{\"id\":\"IN3_1\",\"types\":[\"hip\"]},{\"id\":7}]}";
    abdm_bridge_t b;

    (void) state;
    assert_int_equal(abdm_bridge_read(abdm_str(text), &b).code, ABDM_OK);
    assert_string_equal(b.id, "SBX_1");
    assert_string_equal(b.url, "https://h/abdm");
    assert_true(b.active);
    assert_false(b.blocklisted);
    assert_int_equal(b.n, 4);
    assert_string_equal(b.service[0].id, "IN1_1");
    assert_true(b.service[0].is_hip && b.service[0].active);
    assert_false(b.service[1].is_hip || b.service[1].active);
    assert_string_equal(b.service[1].name, "B [2J"); /* nothing that steers a terminal */
    assert_true(b.service[2].is_hip && b.service[2].active);
    assert_string_equal(b.service[3].id, "");
    abdm_bridge_clear(&b);
}


static void
a_bridge_without_anything_is_one_and_other_answers_are_not(void **state)
{
    static const char *const bad[] = {"<html>", "[]", "{}", "{\"services\":[]}", "null",
                                      "{\"bridge\":\"x\"}"};
    abdm_bridge_t b;

    (void) state;
    assert_int_equal(abdm_bridge_read(abdm_str(""), &b).code, ABDM_OK);
    assert_string_equal(b.url, "");
    assert_int_equal(b.n, 0);
    assert_true(b.active);
    abdm_bridge_clear(&b);
    assert_int_equal(abdm_bridge_read(abdm_str("{\"bridge\":{\"url\":null,\"active\":false,"
                                               "\"blocklisted\":true},\"services\":null}"),
                                      &b)
                         .code,
                     ABDM_OK);
    assert_string_equal(b.url, "");
    assert_false(b.active);
    assert_true(b.blocklisted);
    abdm_bridge_clear(&b);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(abdm_bridge_read(abdm_str(bad[i]), &b).code, ABDM_E_GATEWAY_REFUSED);
        abdm_bridge_clear(&b);
    }
}


static void
a_service_is_read_as_it_is_asked_for(void **state)
{
    static const char *const bad[] = {"", "<html>", "[]", "{}", "{\"serviceId\":1}"};
    abdm_service_t s;

    (void) state;
    assert_int_equal(abdm_service_read(abdm_str("{\"id\":\"9\",\"bridgeId\":\"SBX_1\","
                                                "\"serviceId\":\"IN1_1\",\"name\":\"A\",\"isHip\":"
                                                "true,\"active\":true}"), &s).code, ABDM_OK);
    assert_string_equal(s.id, "IN1_1");
    assert_string_equal(s.bridge_id, "SBX_1");
    assert_true(s.is_hip && s.active);
    assert_int_equal(
        abdm_service_read(abdm_str("{\"id\":\"IN1_1\",\"isHip\":false,\"active\":false}"), &s).code,
        ABDM_OK);
    assert_string_equal(s.id, "IN1_1");
    assert_false(s.is_hip || s.active);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(abdm_service_read(abdm_str(bad[i]), &s).code, ABDM_E_GATEWAY_REFUSED);
}


static void
services_of_one_facility_are_siblings(void **state)
{
    (void) state;
    assert_true(abdm_service_is_sibling("IN1", "IN1_1"));
    assert_true(abdm_service_is_sibling("IN1_2", "in1_1"));
    assert_true(abdm_service_is_sibling("IN1_1", "IN1"));
    assert_false(abdm_service_is_sibling("IN1", "IN10_1"));
    assert_false(abdm_service_is_sibling("IN10_1", "IN1"));
    assert_false(abdm_service_is_sibling("_1", "_2"));
    assert_false(abdm_service_is_sibling("", ""));
}


static void
assert_answer(int status, const char *body, abdm_registered_t outcome, const char *id,
              const char *code)
{
    abdm_registry_answer_t a;

    abdm_registry_read(status, abdm_str(body), &a);
    assert_int_equal(a.outcome, outcome);
    assert_true(strcmp(a.id, id) == 0 && strcmp(a.code, code) == 0);
}


static void
the_registry_is_understood_in_all_its_shapes(void **state)
{
    (void) state;
    assert_answer(200, "[{\"servicesLinked\":{\"id\":\"IN0990001234_1\",\"name\":\"x\"}}]",
                  ABDM_REGISTERED_NEW, "IN0990001234_1", "");
    assert_answer(200, "{\"servicesLinked\":[{\"id\":\"IN0990001234_2\"}]}", ABDM_REGISTERED_NEW,
                  "IN0990001234_2", "");
    assert_answer(200,
                  "[{\"error\":{\"code\":\"2500\",\"message\":\"Facility is already associated "
                  "with the bridge, service id: IN0990001234_1\"}}]",
                  ABDM_REGISTERED_BEFORE, "IN0990001234_1", "2500");
    assert_answer(200,
                  "[{\"error\":{\"code\":2500,\"message\":\"It is Already Associated. Service ID "
                  "= 'IN0990001234_7'.\"}}]",
                  ABDM_REGISTERED_BEFORE, "IN0990001234_7", "2500");
    assert_answer(200, "[{\"error\":{\"code\":\"2500\",\"message\":\"already associated\"}}]",
                  ABDM_REGISTERED_BEFORE, "", "2500");
    assert_answer(200, "[{\"error\":{\"code\":\"2500\",\"message\":\"Provided facility name is not "
                       "matched with the registered facility name\"}}]",
                  ABDM_REGISTERED_NAME, "", "2500");
    assert_answer(200,
                  "{\"code\":\"HIS-400\",\"message\":\"Validation failed\",\"details\":[{\"code\":"
                  "\"HIS-1070\",\"message\":\"invalid hipName\",\"attribute\":{}}]}",
                  ABDM_REGISTERED_NOT, "", "HIS-1070");
    assert_answer(200, "{\"code\":\"HIS-400\",\"message\":\"Validation failed\"}",
                  ABDM_REGISTERED_NOT, "", "HIS-400");
}


static void
what_the_registry_never_said_is_a_refusal(void **state)
{
    static const char *const bad[] = {"",
                                      "<html>503</html>",
                                      "[]",
                                      "{}",
                                      "null",
                                      "[null]",
                                      "[[]]",
                                      "7",
                                      "[{\"error\":{}}]",
                                      "[{\"error\":{\"message\":7}}]",
                                      "[{\"servicesLinked\":[]}]"};
    abdm_registry_answer_t a;

    (void) state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        abdm_registry_read(200, abdm_str(bad[i]), &a);
        assert_int_equal(a.outcome, ABDM_REGISTERED_NOT);
        assert_string_equal(a.id, "");
    }
    assert_answer(503, "[{\"servicesLinked\":{\"id\":\"IN0990001234_1\"}}]", ABDM_REGISTERED_NOT,
                  "IN0990001234_1", "");
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bridge_is_read_with_its_services),
        cmocka_unit_test(a_bridge_without_anything_is_one_and_other_answers_are_not),
        cmocka_unit_test(a_service_is_read_as_it_is_asked_for),
        cmocka_unit_test(services_of_one_facility_are_siblings),
        cmocka_unit_test(the_registry_is_understood_in_all_its_shapes),
        cmocka_unit_test(what_the_registry_never_said_is_a_refusal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
