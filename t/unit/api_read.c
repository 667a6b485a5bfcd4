/* Calls of the API: which one it is, of which facility, and how refusals are told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "api/decode.h"
#include "core/json.h"
#include "flow/flow.h"

#define A "IN0990001234_1"
#define B "IN0990005678_1"

static const char *const one[] = {A};
static const char *const two[] = {A, B};
static const char *const sisters[] = {"IN0990001234_1", "IN0990001234_2"};


static abdm_api_head_t
head(const char *method, const char *path, const char *body)
{
    return (abdm_api_head_t){.method = abdm_str(method),
                             .path = abdm_str(path),
                             .content_type = ABDM_LIT("application/json"),
                             .body = abdm_str(body)};
}


/* The event of a call of the first facility; "" when it is refused as `code`. */
static void
assert_event(abdm_api_flavour_t flavour, const char *method, const char *path, const char *event,
             const char *subject)
{
    abdm_api_head_t h = head(method, path, "");
    abdm_api_call_t call;

    h.flavour = flavour;
    assert_int_equal(abdm_api_read(&h, one, 1, &call).code, ABDM_OK);
    if (event != NULL)
        assert_string_equal(call.route->event, event);
    else
        assert_null(call.route->event);
    assert_string_equal(call.subject, subject);
    abdm_api_call_clear(&call);
}


static void
assert_refused_as(abdm_api_head_t h, const char *const *ids, size_t n, abdm_code_t code)
{
    abdm_api_call_t call;
    abdm_err_t err = abdm_api_read(&h, ids, n, &call);

    if (err.code != code)
        fail_msg("%.*s: %s, not %s", (int) h.path.len, h.path.p, abdm_error_info(err.code)->name,
                 abdm_error_info(code)->name);
    assert_null(call.hip_id);
    assert_null(call.body);
}


static void
every_row_is_found_by_its_method_and_path_and_has_a_flow(void **state)
{
    const abdm_api_route_t *row;
    size_t n = 0;

    (void) state;
    for (; (row = abdm_api_row(n)) != NULL; n++) {
        const char *at = strstr(row->path, "{id}");
        char path[64];

        if (at != NULL)
            snprintf(path, sizeof(path), "%.*sX-1%s", (int) (at - row->path), row->path, at + 4);
        else
            snprintf(path, sizeof(path), "%s", row->path);
        assert_event(row->flavour, row->method, path, row->event, at != NULL ? "X-1" : "");
        assert_true((row->event == NULL) == (row->report != ABDM_REPORT_NONE));
        if (row->event != NULL)
            assert_non_null(abdm_flow_find(row->event));
    }
    assert_int_equal(n, 25);
}


static void
a_reference_with_slashes_stands_in_the_path_whole(void **state)
{
    (void) state;
    assert_event(ABDM_API_OWN, "GET", "care-contexts/OP/2026/7", "api.context_shown", "OP/2026/7");
    assert_event(ABDM_API_OWN, "POST", "care-contexts/OP/7/link", "api.context_link", "OP/7");
    assert_event(ABDM_API_OWN, "HEAD", "/patients/MR 7/", "api.patient_shown", "MR 7");
    assert_event(ABDM_API_NHA, "GET", "v3/patient/asha.k@sbx", "nha.patient_shown", "asha.k@sbx");
}


static void
unknown_paths_and_methods_are_told_apart(void **state)
{
    (void) state;
    assert_refused_as(head("GET", "nothing", ""), one, 1, ABDM_E_NOT_FOUND);
    assert_refused_as(head("GET", "", ""), one, 1, ABDM_E_NOT_FOUND);
    assert_refused_as(head("GET", "patientsX", ""), one, 1, ABDM_E_NOT_FOUND);
    assert_refused_as(head("POST", "care-contexts//link", ""), one, 1, ABDM_E_METHOD_API);
    assert_refused_as(head("DELETE", "patients", ""), one, 1, ABDM_E_METHOD_API);
    assert_refused_as(head("PUT", "care-contexts/V-1", ""), one, 1, ABDM_E_METHOD_API);
    assert_refused_as(head("GET", "v3/link-status/1", ""), one, 1, ABDM_E_NOT_FOUND);
    abdm_api_head_t h = head("GET", "patients/MR-1", "");
    h.flavour = ABDM_API_NHA;
    assert_refused_as(h, one, 1, ABDM_E_NOT_FOUND);
}


static void
an_id_that_is_longer_than_any_is_nobodys(void **state)
{
    char path[400] = "patients/";

    (void) state;
    memset(path + 9, 'a', 300);
    path[309] = '\0';
    assert_refused_as(head("GET", path, ""), one, 1, ABDM_E_NOT_FOUND);
}


static void
bodies_are_json_objects_or_lists_and_say_so(void **state)
{
    abdm_api_head_t h = head("POST", "patients", "{}");
    abdm_api_call_t call;

    (void) state;
    h.content_type = ABDM_LIT("text/plain");
    assert_refused_as(h, one, 1, ABDM_E_CONTENT_TYPE);
    h.content_type = ABDM_LIT("application/jsonp");
    assert_refused_as(h, one, 1, ABDM_E_CONTENT_TYPE);
    h.content_type = ABDM_LIT("");
    assert_refused_as(h, one, 1, ABDM_E_CONTENT_TYPE);
    h.content_type = ABDM_LIT("Application/JSON; charset=utf-8");
    assert_int_equal(abdm_api_read(&h, one, 1, &call).code, ABDM_OK);
    assert_string_equal(call.body, "{}");
    assert_int_equal(call.body_len, 2);
    abdm_api_call_clear(&call);
    assert_refused_as(head("POST", "patients", "{"), one, 1, ABDM_E_JSON);
    assert_refused_as(head("POST", "patients", "{\"a\":1,\"a\":2}"), one, 1, ABDM_E_JSON);
    assert_refused_as(head("POST", "patients", "7"), one, 1, ABDM_E_JSON);
    h = head("POST", "patients", "");
    h.content_type = ABDM_LIT("");
    assert_int_equal(abdm_api_read(&h, one, 1, &call).code, ABDM_OK);
    assert_string_equal(call.body, "");
    abdm_api_call_clear(&call);
}


/* The facility chosen for a call. */
static void
assert_facility(abdm_api_head_t h, const char *const *ids, size_t n, const char *want)
{
    abdm_api_call_t call;
    abdm_err_t err = abdm_api_read(&h, ids, n, &call);

    if (abdm_failed(err))
        fail_msg("%s: %s", want, err.what);
    assert_string_equal(call.hip_id, want);
    abdm_api_call_clear(&call);
}


static void
the_only_facility_needs_no_name_and_one_of_several_does(void **state)
{
    (void) state;
    assert_facility(head("GET", "patients/1", ""), one, 1, A);
    assert_refused_as(head("GET", "patients/1", ""), two, 2, ABDM_E_FACILITY_UNKNOWN);
    assert_facility(head("GET", "transfers", ""), two, 2, "");
    assert_facility(head("GET", "transfers", ""), one, 1, "");
}


static void
a_facility_is_named_by_header_query_or_body(void **state)
{
    abdm_api_head_t h = head("GET", "patients/1", "");

    (void) state;
    h.facility = ABDM_LIT(B);
    assert_facility(h, two, 2, B);
    h.facility = ABDM_LIT("IN0990005678");
    assert_facility(h, two, 2, B);
    h.facility = ABDM_LIT("");
    h.query = ABDM_LIT("a=1&hipId=" B "&b");
    assert_facility(h, two, 2, B);
    assert_facility(head("POST", "patients", "{\"hipId\":\"" B "\"}"), two, 2, B);
    assert_facility(head("POST", "patients", "{\"hipId\":null}"), one, 1, A);
    h = head("GET", "transfers", "");
    h.facility = ABDM_LIT(B);
    assert_facility(h, two, 2, B);
}


static void
an_unknown_or_ambiguous_facility_is_refused_also_when_there_is_only_one(void **state)
{
    abdm_api_head_t h = head("GET", "patients/1", "");

    (void) state;
    h.facility = ABDM_LIT("IN0990009999_1");
    assert_refused_as(h, one, 1, ABDM_E_FACILITY_UNKNOWN);
    assert_refused_as(h, two, 2, ABDM_E_FACILITY_UNKNOWN);
    h.facility = ABDM_LIT("IN0990001234");
    assert_refused_as(h, sisters, 2, ABDM_E_FACILITY_UNKNOWN);
    h.facility = ABDM_LIT("IN0990001234_2");
    assert_facility(h, sisters, 2, "IN0990001234_2");
    assert_refused_as(head("POST", "patients", "{\"hipId\":7}"), one, 1, ABDM_E_FIELD);
    assert_refused_as(head("POST", "patients", "{\"hipId\":\"X\"}"), one, 1,
                      ABDM_E_FACILITY_UNKNOWN);
}


static void
two_facilities_in_one_call_are_refused(void **state)
{
    abdm_api_head_t h = head("POST", "patients", "{\"hipId\":\"" B "\"}");

    (void) state;
    h.facility = ABDM_LIT(A);
    assert_refused_as(h, two, 2, ABDM_E_FIELD);
    h.facility = ABDM_LIT("");
    h.query = ABDM_LIT("hipId=" A);
    assert_refused_as(h, two, 2, ABDM_E_FIELD);
    h.query = ABDM_LIT("hipId=" B "&hipId=" B);
    assert_refused_as(h, two, 2, ABDM_E_FIELD);
    h.query = ABDM_LIT("hipId=%4");
    assert_refused_as(h, two, 2, ABDM_E_FIELD);
}


static void
nhas_calls_name_the_facility_where_the_wrapper_has_it(void **state)
{
    abdm_api_head_t h = head("POST", "v3/link-carecontexts", "{\"requesterId\":\"" B "\"}");

    (void) state;
    h.flavour = ABDM_API_NHA;
    assert_facility(h, two, 2, B);
    h.path = ABDM_LIT("v3/sms/notify");
    h.body = ABDM_LIT("{\"notification\":{\"hip\":{\"id\":\"" B "\"}}}");
    assert_facility(h, two, 2, B);
    h.method = ABDM_LIT("PUT");
    h.path = ABDM_LIT("v3/add-patients");
    h.body = ABDM_LIT("[{\"hipId\":\"" B "\"},{\"hipId\":\"" B "\"}]");
    assert_facility(h, two, 2, B);
    h.body = ABDM_LIT("[{\"hipId\":\"" B "\"},{\"hipId\":\"" A "\"}]");
    assert_refused_as(h, two, 2, ABDM_E_FIELD);
    h.method = ABDM_LIT("GET");
    h.path = ABDM_LIT("v3/link-status/1");
    h.body = ABDM_LIT("");
    assert_refused_as(h, two, 2, ABDM_E_FACILITY_UNKNOWN);
    /* the body of our own calls is not searched for the wrapper's members */
    assert_facility(head("POST", "patients", "{\"requesterId\":\"" B "\"}"), one, 1, A);
}


static void
values_of_a_query_are_decoded(void **state)
{
    char *value = NULL;

    (void) state;
    assert_int_equal(abdm_api_query("x=1&ref=OP%2F1+a%20b&y=", "ref", &value).code, ABDM_OK);
    assert_string_equal(value, "OP/1 a b");
    free(value);
    assert_int_equal(abdm_api_query("xref=1&refx=2&ref=&ref", "ref", &value).code, ABDM_OK);
    assert_null(value);
    assert_int_equal(abdm_api_query("", "ref", &value).code, ABDM_OK);
    assert_null(value);
    assert_int_equal(abdm_api_query("ref=%zz", "ref", &value).code, ABDM_E_FIELD);
    assert_int_equal(abdm_api_query("ref=%00", "ref", &value).code, ABDM_E_FIELD);
    assert_int_equal(abdm_api_query("ref=%1", "ref", &value).code, ABDM_E_FIELD);
    assert_null(value);
}


static void
refusals_have_the_form_of_the_flavour(void **state)
{
    abdm_effects_t out = {0};
    json_t *json = NULL;

    (void) state;
    abdm_api_refuse_at(&out, ABDM_API_OWN, ABDM_ERR(FIELD, "it is missing"),
                       "careContexts.0.reference");
    assert_false(out.failed);
    assert_int_equal(out.reply_status, 400);
    assert_int_equal(abdm_json_parse(out.reply.p, out.reply.len, 8, &json).code, ABDM_OK);
    assert_string_equal(abdm_json_string_at(json, "error.code"), "E_FIELD");
    assert_string_equal(abdm_json_string_at(json, "error.message"),
                        "careContexts.0.reference: it is missing");
    assert_non_null(abdm_json_string_at(json, "error.remedy"));
    json_decref(json);
    abdm_effects_clear(&out);

    abdm_api_refuse(&out, ABDM_API_NHA, ABDM_ERR(NOT_FOUND, "no patient"));
    assert_false(out.failed);
    assert_int_equal(out.reply_status, 400);
    assert_int_equal(abdm_json_parse(out.reply.p, out.reply.len, 8, &json).code, ABDM_OK);
    assert_string_equal(abdm_json_string_at(json, "httpStatusCode"), "BAD_REQUEST");
    assert_string_equal(abdm_json_string_at(json, "errors.0.error.code"), "E_NOT_FOUND");
    assert_string_equal(abdm_json_string_at(json, "errors.0.error.message"), "no patient");
    json_decref(json);
    abdm_effects_clear(&out);

    abdm_api_refuse(&out, ABDM_API_NHA, ABDM_ERR(BUDGET, "too many"));
    assert_int_equal(out.reply_status, 429);
    abdm_effects_clear(&out);
}


static void
every_status_that_an_error_may_have_has_a_name(void **state)
{
    (void) state;
    for (int code = 1; code < ABDM_CODE_COUNT; code++) {
        int status = abdm_error_info((abdm_code_t) code)->http;

        if (status != 500)
            assert_string_not_equal(abdm_api_status_name(status), "INTERNAL_SERVER_ERROR");
    }
    assert_string_equal(abdm_api_status_name(500), "INTERNAL_SERVER_ERROR");
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_is_found_by_its_method_and_path_and_has_a_flow),
        cmocka_unit_test(a_reference_with_slashes_stands_in_the_path_whole),
        cmocka_unit_test(unknown_paths_and_methods_are_told_apart),
        cmocka_unit_test(an_id_that_is_longer_than_any_is_nobodys),
        cmocka_unit_test(bodies_are_json_objects_or_lists_and_say_so),
        cmocka_unit_test(the_only_facility_needs_no_name_and_one_of_several_does),
        cmocka_unit_test(a_facility_is_named_by_header_query_or_body),
        cmocka_unit_test(an_unknown_or_ambiguous_facility_is_refused_also_when_there_is_only_one),
        cmocka_unit_test(two_facilities_in_one_call_are_refused),
        cmocka_unit_test(nhas_calls_name_the_facility_where_the_wrapper_has_it),
        cmocka_unit_test(values_of_a_query_are_decoded),
        cmocka_unit_test(refusals_have_the_form_of_the_flavour),
        cmocka_unit_test(every_status_that_an_error_may_have_has_a_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
