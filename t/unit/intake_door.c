/*
 * The doorkeeper: in which order a callback is judged, which facility it is for, and what is made
 * of its body.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "door_kit.h"


/* The refusal of these headers at a door that has keys; ABDM_OK when they pass. */
static abdm_code_t
judge(const abdm_headers_t *h)
{
    abdm_doorkeeper_t *door = make_door(true);
    abdm_err_t why;
    bool want;
    abdm_verdict_t verdict = abdm_doorkeeper_judge(door, h, NOW, false, &why, &want);

    abdm_doorkeeper_free(door);
    assert_false(want);
    assert_int_equal(verdict, abdm_failed(why) ? ABDM_REFUSE : ABDM_PASS);
    return why.code;
}


static void
a_good_callback_passes(void **state)
{
    abdm_headers_t h = headers(good);

    (void) state;
    assert_int_equal(judge(&h), ABDM_OK);
    h.content_length = -1;
    assert_int_equal(judge(&h), ABDM_OK);
}


/* All is wrong at first; mended one after the other, the next fault shows. */
static void
faults_are_told_in_the_order_from_the_cheapest_to_the_dearest(void **state)
{
    abdm_headers_t h = {
        .method = ABDM_LIT("GET"), .path = ABDM_LIT("/elsewhere"),
        .request_id = ABDM_LIT("x"), .hip_id = ABDM_LIT("IN99"),
        .content_type = ABDM_LIT("text/plain"), .content_encoding = ABDM_LIT("gzip"),
        .content_length = MAX_BODY + 1, .duplicate = true};

    (void) state;
    assert_int_equal(judge(&h), ABDM_E_ROUTE_UNKNOWN);
    h.path = ABDM_LIT(NOTIFY);
    assert_int_equal(judge(&h), ABDM_E_METHOD);
    h.method = ABDM_LIT("POST");
    assert_int_equal(judge(&h), ABDM_E_HEADER_DUPLICATE);
    h.duplicate = false;
    assert_int_equal(judge(&h), ABDM_E_ENCODING);
    h.content_encoding = ABDM_LIT("identity");
    assert_int_equal(judge(&h), ABDM_E_CONTENT_TYPE);
    h.content_type = ABDM_LIT("application/json");
    assert_int_equal(judge(&h), ABDM_E_BODY_TOO_LARGE);
    h.content_length = MAX_BODY;
    assert_int_equal(judge(&h), ABDM_E_TOKEN_MISSING);
    h.authorization = ABDM_LIT("Bearer x");
    assert_int_equal(judge(&h), ABDM_E_TOKEN_FORM);
    h.authorization = abdm_str(wrong_caller);
    assert_int_equal(judge(&h), ABDM_E_TOKEN_CALLER);
    h.authorization = abdm_str(good); /* only now a word about ids and facilities */
    assert_int_equal(judge(&h), ABDM_E_REQUEST_ID);
    h.request_id = ABDM_LIT("3b9c5a60-1111-4c1f-8a55-1b2c3d4e5f60");
    assert_int_equal(judge(&h), ABDM_E_FACILITY_UNKNOWN);
    h.hip_id = ABDM_LIT("IN01_1");
    assert_int_equal(judge(&h), ABDM_OK);
}


static void
json_is_known_in_any_case_and_with_parameters_and_nothing_else_is(void **state)
{
    static const struct {
        const char *type;
        abdm_code_t code;
    } rows[] = {
        {"application/json; charset=utf-8", ABDM_OK}, {"Application/JSON", ABDM_OK},
        {"application/json ;v=1", ABDM_OK},           {"application/jsonp", ABDM_E_CONTENT_TYPE},
        {"text/json", ABDM_E_CONTENT_TYPE},           {"", ABDM_E_CONTENT_TYPE},
        {NULL, ABDM_E_CONTENT_TYPE},                  {";", ABDM_E_CONTENT_TYPE},
        {"application/json, text/html", ABDM_E_CONTENT_TYPE},
    };

    (void) state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        abdm_headers_t h = headers(good);

        h.content_type = abdm_str(rows[i].type);
        assert_int_equal(judge(&h), rows[i].code);
    }
}


static void
a_compressed_body_is_refused_and_an_identity_is_not(void **state)
{
    static const char *const names[] = {"gzip", "br", "identity, gzip"};
    abdm_headers_t h = headers(good);

    (void) state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        h.content_encoding = abdm_str(names[i]);
        assert_int_equal(judge(&h), ABDM_E_ENCODING);
    }
    h.content_encoding = ABDM_LIT("IDENTITY");
    assert_int_equal(judge(&h), ABDM_OK);
    h.content_encoding = ABDM_LIT("");
    assert_int_equal(judge(&h), ABDM_OK);
}


static void
a_request_id_must_be_a_uuid(void **state)
{
    static const char *const ids[] = {"", "3b9c5a60", "3b9c5a60-1111-4c1f-8a55-1b2c3d4e5f6",
                                      "3b9c5a60-1111-4c1f-8a55-1b2c3d4e5f60x",
                                      "{b9c5a60-1111-4c1f-8a55-1b2c3d4e5f60"};
    abdm_headers_t h = headers(good);

    (void) state;
    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        h.request_id = abdm_str(ids[i]);
        assert_int_equal(judge(&h), ABDM_E_REQUEST_ID);
    }
    h.request_id = (abdm_str_t){NULL, 0};
    assert_int_equal(judge(&h), ABDM_E_REQUEST_ID);
}


/* --- facilities and bodies --- */

static abdm_err_t
take(const abdm_headers_t *h, size_t body_len, abdm_intake_t *out)
{
    abdm_doorkeeper_t *door = make_door(true);
    abdm_err_t err = abdm_doorkeeper_take(door, h, body_len, out);

    abdm_doorkeeper_free(door);
    return err;
}


static void
a_facility_is_known_by_its_service_id_or_by_the_bare_id_of_its_only_service(void **state)
{
    static const struct {
        const char *header, *facility; /* NULL: refused */
    } rows[] = {
        {"IN01_1", "IN01_1"}, {"IN01", "IN01_1"}, {"IN02_1", "IN02_1"}, {"IN02_2", "IN02_2"},
        {"IN02", NULL},       {"IN03", "IN03"},   {"IN03_1", NULL},     {"IN0", NULL},
        {"IN01_", NULL},      {"IN01_2", NULL},   {"", NULL},           {NULL, NULL},
        {"in01_1", NULL},
    };

    (void) state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        abdm_headers_t h = headers(good);
        abdm_intake_t in;

        h.hip_id = abdm_str(rows[i].header);
        abdm_err_t err = take(&h, 2, &in);
        if (rows[i].facility == NULL) {
            assert_int_equal(err.code, ABDM_E_FACILITY_UNKNOWN);
            assert_int_equal(judge(&h), ABDM_E_FACILITY_UNKNOWN);
        } else {
            assert_int_equal(err.code, ABDM_OK);
            assert_string_equal(in.hip_id, rows[i].facility);
            assert_int_equal(judge(&h), ABDM_OK);
            abdm_intake_clear(&in);
        }
    }
}


static void
what_is_taken_in_has_the_canonical_path_and_its_event(void **state)
{
    static const char *const paths[] = {NOTIFY, NOTIFY "/", "/abdm/v3/consent/request/hip/notify",
                                        "/abdm/v0.5/consents/hip/notify"};

    (void) state;
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        abdm_headers_t h = headers(good);
        abdm_intake_t in;

        h.path = abdm_str(paths[i]);
        assert_int_equal(take(&h, 2, &in).code, ABDM_OK);
        assert_string_equal(in.path, "/api/v3/consent/request/hip/notify");
        assert_string_equal(in.event, "consent.notified");
        assert_string_equal(in.request_id, "3b9c5a60-1111-4c1f-8a55-1b2c3d4e5f60");
        abdm_intake_clear(&in);
    }
}


static void
a_path_that_abdm_may_add_one_day_is_kept_as_it_came(void **state)
{
    abdm_headers_t h = headers(good);
    abdm_intake_t in;

    (void) state;
    h.path = ABDM_LIT("/abdm/api/v3/hip/something/new");
    assert_int_equal(judge(&h), ABDM_OK);
    assert_int_equal(take(&h, 2, &in).code, ABDM_OK);
    assert_string_equal(in.path, "/api/v3/hip/something/new");
    assert_null(in.event);
    assert_string_equal(in.hip_id, "IN01_1");
    abdm_intake_clear(&in);

    h.hip_id = (abdm_str_t){NULL, 0}; /* nobody knows which header it will have */
    assert_int_equal(take(&h, 2, &in).code, ABDM_OK);
    assert_string_equal(in.hip_id, "");
    abdm_intake_clear(&in);
    h.hiu_id = ABDM_LIT("IN99");
    assert_int_equal(take(&h, 2, &in).code, ABDM_E_FACILITY_UNKNOWN);
}


static void
a_body_must_be_there_and_within_the_limit(void **state)
{
    abdm_headers_t h = headers(good);
    abdm_intake_t in;

    (void) state;
    assert_int_equal(take(&h, 0, &in).code, ABDM_E_BODY_MISSING);
    assert_int_equal(take(&h, MAX_BODY, &in).code, ABDM_OK);
    abdm_intake_clear(&in);
    assert_int_equal(take(&h, MAX_BODY + 1, &in).code, ABDM_E_BODY_TOO_LARGE);
    abdm_intake_clear(&in); /* nothing to free after a refusal */
    h.path = ABDM_LIT("/elsewhere");
    assert_int_equal(take(&h, 2, &in).code, ABDM_E_ROUTE_UNKNOWN);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_callback_passes),
        cmocka_unit_test(faults_are_told_in_the_order_from_the_cheapest_to_the_dearest),
        cmocka_unit_test(json_is_known_in_any_case_and_with_parameters_and_nothing_else_is),
        cmocka_unit_test(a_compressed_body_is_refused_and_an_identity_is_not),
        cmocka_unit_test(a_request_id_must_be_a_uuid),
        cmocka_unit_test(
            a_facility_is_known_by_its_service_id_or_by_the_bare_id_of_its_only_service),
        cmocka_unit_test(what_is_taken_in_has_the_canonical_path_and_its_event),
        cmocka_unit_test(a_path_that_abdm_may_add_one_day_is_kept_as_it_came),
        cmocka_unit_test(a_body_must_be_there_and_within_the_limit),
    };

    return cmocka_run_group_tests(tests, make_tokens, free_tokens);
}
