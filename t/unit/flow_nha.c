/* The calls of an HMIS that was written for NHA's wrapper: forms, answers and states. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "api_kit.h"
#include "gateway/outbound_link.h"

#define PERSON                                                                                     \
    "\"abhaAddress\":\"" ASHA "\",\"name\":\"Asha Kumari\",\"gender\":\"F\",\"dateOfBirth\":"      \
    "\"1988-03-05\",\"patientReference\":\"MR-1\",\"patientDisplay\":\"Asha K\","                  \
    "\"patientMobile\":\"9000000001\",\"hipId\":\"" HIP "\""
#define VISIT(ref, type)                                                                           \
    "{\"referenceNumber\":\"" ref "\",\"display\":\"Visit\",\"hiType\":\"" type "\"}"
#define LINK                                                                                       \
    "{\"requestId\":\"ff219ebf-1959-4514-9d28-839b677d6fc6\",\"requesterId\":\"" HIP "\","         \
    "\"abhaAddress\":\"Asha.K@sbx\",\"authMode\":\"DEMOGRAPHICS\",\"careContexts\":["              \
    VISIT("V-1", "Prescription") "," VISIT("V-2", "OPConsultation") ","                            \
    VISIT("V-1", "OPConsultation") "]}"
#define ID "ff219ebf-1959-4514-9d28-839b677d6fc6"


static void
add(void)
{
    assert_int_equal(post("nha.patients", "[{" PERSON "}]"), 202);
    assert_non_null(abdm_json_string_at(answer, "message"));
}


static void
a_patient_is_added_and_shown_in_the_wrappers_form(void **state)
{
    (void) state;
    assert_int_equal(post("nha.patients", "[{" PERSON ",\"careContexts\":["
                                          VISIT("V-1", "Prescription") ","
                                          VISIT("V-1", "OPConsultation") "]}]"), 202);
    assert_int_equal(K.n_jobs, 0); /* linked when that is asked for */
    assert_int_equal(get("nha.patient_shown", "Asha.K@sbx", "hipId=" HIP), 200);
    assert_at(answer, "abhaAddress", ASHA);
    assert_at(answer, "name", "Asha Kumari");
    assert_at(answer, "gender", "F");
    assert_at(answer, "dateOfBirth", "1988");
    assert_at(answer, "patientReference", "MR-1");
    assert_at(answer, "patientMobile", "9000000001");
    assert_at(answer, "hipId", HIP);
    assert_int_equal(json_array_size(json_object_get(answer, "careContexts")), 2);
    assert_at(answer, "careContexts.0.referenceNumber", "V-1");
    assert_at(answer, "careContexts.0.hiType", "OPConsultation");
    assert_at(answer, "careContexts.1.hiType", "Prescription");
}


static void
a_patient_who_is_not_there_is_told_in_the_wrappers_form(void **state)
{
    (void) state;
    assert_int_equal(get("nha.patient_shown", "nobody@sbx", ""), 400);
    assert_refused(ABDM_E_NOT_FOUND, "");
    assert_at(answer, "httpStatusCode", "BAD_REQUEST");
    assert_non_null(abdm_json_string_at(answer, "message"));
}


static void
patients_are_added_all_or_none(void **state)
{
    (void) state;
    assert_int_equal(post("nha.patients", "[{" PERSON "},{\"abhaAddress\":\"b.b@sbx\"}]"), 400);
    assert_refused(ABDM_E_FIELD, "1.patientReference");
    assert_int_equal(api_rows("patient"), 0);
    assert_int_equal(post("nha.patients", "[{" PERSON "},{" PERSON "}]"), 400);
    assert_refused(ABDM_E_FIELD, "1.patientReference");
    LINK_PUT(&K, patient, .hip_id = (char *) HIP, .ref = (char *) "MR-0",
             .abha_address = (char *) ASHA);
    assert_int_equal(post("nha.patients", "[{" PERSON "}]"), 400);
    assert_refused(ABDM_E_ABHA_TAKEN, "0: ");
    assert_int_equal(post("nha.patients", "{" PERSON "}"), 400);
    assert_refused(ABDM_E_FIELD, "a list is expected");
    assert_int_equal(post("nha.patients", "[]"), 400);
    assert_int_equal(post("nha.patients", "[7]"), 400);
    assert_refused(ABDM_E_FIELD, "0");
}


static void
a_care_context_of_two_patients_of_one_call_is_refused(void **state)
{
    (void) state;
    assert_int_equal(
        post("nha.patients",
             "[{" PERSON ",\"careContexts\":[" VISIT("V-1", "Prescription") "]},"
             "{\"abhaAddress\":\"b.b@sbx\",\"name\":\"B\",\"gender\":\"M\",\"dateOfBirth\":"
             "\"1990-01-01\",\"patientReference\":\"MR-2\",\"careContexts\":["
             VISIT("V-1", "Prescription") "]}]"), 400);
    assert_refused(ABDM_E_CONFLICT, "referenceNumber");
    assert_int_equal(api_rows("patient") + api_rows("context"), 0);
}


static void
the_status_of_a_link_is_told_from_its_beginning_to_its_end(void **state)
{
    abdm_job_t job;

    (void) state;
    add();
    LINK_PUT(&K, link_token, .hip_id = (char *) HIP, .abha_address = (char *) ASHA,
             .token = (char *) "eyJ.token", .expires_at = K.now + 24 * HOURS);
    assert_int_equal(post("nha.link", LINK), 202);
    assert_at(answer, "clientRequestId", ID);
    assert_at(answer, "httpStatusCode", "ACCEPTED");
    assert_non_null(abdm_json_string_at(answer, "message"));
    assert_int_equal(api_rows("context"), 2);
    assert_int_equal(get("nha.link_status", ID, ""), 202);
    assert_at(answer, "requestId", ID);
    assert_at(answer, "status", "Request is being initiated");
    assert_null(json_object_get(answer, "errors"));

    link_until(&K, K.now);
    assert_int_equal(get("nha.link_status", ID, ""), 202);
    assert_at(answer, "status", "Add Care Context request accepted by gateway");
    job = link_out(&K, ABDM_PATH_LINK_CONTEXT);
    link_send(&K, &job, "7c1e8b21-2d3e-4f40-9bac-1d2e3f4a5b6c");
    abdm_job_clear(&job);
    link_call(&K, "link.linked", "{\"abhaAddress\":\"" ASHA "\",\"status\":\"ok\",\"response\":"
                                 "{\"requestId\":\"7c1e8b21-2d3e-4f40-9bac-1d2e3f4a5b6c\"}}");
    assert_int_equal(get("nha.link_status", ID, ""), 202);
    assert_at(answer, "status", "Care Context(s) were linked");
}


static void
a_link_that_failed_has_its_errors(void **state)
{
    (void) state;
    LINK_PUT(&K, request, .hip_id = (char *) HIP, .id = (char *) "r-1", .what = (char *) "link",
             .patient_ref = (char *) "MR-1", .contexts = (char *) "[\"V-1\"]",
             .state = ABDM_REQUEST_FAILED, .reason = (char *) "1043 name does not match");
    assert_int_equal(get("nha.link_status", "r-1", ""), 400);
    assert_at(answer, "requestId", "r-1");
    assert_at(answer, "status",
              "Error thrown by Gateway for HIP Initiated link add care context");
    assert_at(answer, "errors.0.error.code", "1043");
    assert_at(answer, "errors.0.error.message", "name does not match");
    assert_int_equal(get("nha.link_status", "r-2", ""), 400);
    assert_refused(ABDM_E_NOT_FOUND, "");
}


static void
each_field_of_a_link_is_judged_and_named(void **state)
{
    static const struct {
        const char *body, *at;
    } rows[] = {
        {"{\"abhaAddress\":\"" ASHA "\",\"careContexts\":[" VISIT("V", "Invoice") "]}",
         "requestId"},
        {"{\"requestId\":null,\"abhaAddress\":\"" ASHA "\",\"careContexts\":["
         VISIT("V", "Invoice") "]}", "requestId"},
        {"{\"requestId\":\"r\",\"careContexts\":[" VISIT("V", "Invoice") "]}", "abhaAddress"},
        {"{\"requestId\":\"r\",\"abhaAddress\":\"x\",\"careContexts\":[" VISIT("V", "Invoice")
         "]}", "abhaAddress"},
        {"{\"requestId\":\"r\",\"abhaAddress\":7,\"careContexts\":[" VISIT("V", "Invoice") "]}",
         "abhaAddress"},
        {"{\"requestId\":\"r\",\"abhaAddress\":\"" ASHA "\"}", "careContexts"},
        {"{\"requestId\":\"r\",\"abhaAddress\":\"" ASHA "\",\"careContexts\":[]}",
         "careContexts"},
        {"{\"requestId\":\"r\",\"abhaAddress\":\"" ASHA "\",\"careContexts\":[{\"display\":\"d\"}"
         "]}", "careContexts.0.referenceNumber"},
        {"{\"requestId\":\"r\",\"abhaAddress\":\"" ASHA "\",\"careContexts\":["
         "{\"referenceNumber\":\"V\"}]}", "careContexts.0.display"},
        {"{\"requestId\":\"r\",\"abhaAddress\":\"" ASHA "\",\"careContexts\":["
         VISIT("V", "Letter") "]}", "careContexts.0.hiType"},
        {"{\"requestId\":\"r\",\"abhaAddress\":\"" ASHA "\",\"careContexts\":["
         "{\"referenceNumber\":\"V\",\"display\":\"d\",\"hiType\":[\"Invoice\"]}]}",
         "careContexts.0.hiType"},
    };

    (void) state;
    add();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(post("nha.link", rows[i].body), 400);
        assert_refused(ABDM_E_FIELD, rows[i].at);
    }
    assert_int_equal(api_rows("context") + api_rows("request"), 0);
}


static void
a_context_without_type_is_a_health_document(void **state)
{
    (void) state;
    add();
    assert_int_equal(post("nha.link", "{\"requestId\":\"r\",\"abhaAddress\":\"" ASHA "\","
                                      "\"careContexts\":[{\"referenceNumber\":\"V\",\"display\":"
                                      "\"d\",\"hiType\":null}]}"), 202);
    get("nha.patient_shown", ASHA, "");
    assert_at(answer, "careContexts.0.hiType", "HealthDocumentRecord");
}


static void
who_left_abdm_is_not_linked(void **state)
{
    (void) state;
    add();
    LINK_PUT(&K, opt_out, .hip_id = (char *) HIP, .abha_address = (char *) ASHA,
             .status = (char *) "DELETED");
    assert_int_equal(post("nha.link", LINK), 400);
    assert_refused(ABDM_E_OPTED_OUT, "abhaAddress");
}


/* --- a patient whom nobody told us of --- */

#define FOUND(ref, address)                                                                        \
    "{\"reference\":\"" ref "\",\"name\":\"Asha Kumari\",\"gender\":\"F\",\"yearOfBirth\":1988,"   \
    "\"mobiles\":[\"9000000001\"],\"abhaAddress\":\"" address "\"}"


static void
a_patient_who_is_not_known_is_asked_of_the_hmis_and_then_linked(void **state)
{
    json_t *vars;

    (void) state;
    assert_int_equal(post("nha.link", LINK), 202);
    assert_int_equal(link_waiting(&K, "nha.found"), 3);
    vars = link_body(link_job(&K, "nha.found", 0));
    assert_at(vars, "abhaAddress", ASHA);
    assert_at(vars, "hipId", HIP);
    json_decref(vars);
    assert_int_equal(get("nha.link_status", ID, ""), 202);
    assert_at(answer, "status", "Request is being initiated");

    link_failed(&K, "nha.found", 0, ABDM_E_FIELD, NULL);
    link_done(&K, "nha.found", 1, "[" FOUND("MR-2", "b.b@sbx") "," FOUND("MR-1", ASHA) "]");
    assert_string_equal(link_job(&K, "link.due", -1)->subject, "MR-1");
    assert_int_equal(api_rows("context"), 2);
    link_done(&K, "nha.found", 2, "[" FOUND("MR-7", ASHA) "]"); /* too late */
    assert_int_equal(api_rows("patient"), 1);
    link_until(&K, K.now + 10 * MINUTES);
    assert_int_equal(get("nha.link_status", ID, ""), 202);
    assert_int_equal(get("nha.patient_shown", ASHA, ""), 200);
    assert_at(answer, "patientReference", "MR-1");
    assert_int_equal(json_array_size(json_object_get(answer, "careContexts")), 3);
}


static void
nobody_or_several_fail_the_request_in_time(void **state)
{
    (void) state;
    post("nha.link", LINK);
    link_done(&K, "nha.found", 0, "[]");
    link_done(&K, "nha.found", 1, "[" FOUND("MR-1", ASHA) "," FOUND("MR-2", ASHA) "]");
    link_failed(&K, "nha.found", 2, ABDM_E_TIMEOUT, NULL);
    assert_int_equal(get("nha.link_status", ID, ""), 202);
    link_until(&K, K.now + 3 * MINUTES);
    assert_int_equal(get("nha.link_status", ID, ""), 400);
    assert_at(answer, "errors.0.error.code", "E_PATIENT_NONE");
    assert_int_equal(api_rows("patient") + api_rows("context"), 0);
}


static void
a_patient_found_whose_care_context_is_anothers_fails_the_request(void **state)
{
    (void) state;
    LINK_PUT(&K, context, .hip_id = (char *) HIP, .ref = (char *) "V-2",
             .patient_ref = (char *) "MR-9", .hi_types = 1);
    post("nha.link", LINK);
    link_done(&K, "nha.found", 0, "[" FOUND("MR-1", ASHA) "]");
    assert_int_equal(get("nha.link_status", ID, ""), 400);
    assert_at(answer, "errors.0.error.code", "E_CONFLICT");
    assert_int_equal(api_rows("patient"), 0);
    assert_int_equal(api_rows("context"), 1);
}


static void
when_a_read_fails_while_searching_the_event_comes_again(void **state)
{
    (void) state;
    LINK_EACH_READ_FAILS(&K, api_try(HIP, "nha.link", "", "", LINK));
    LINK_EACH_READ_FAILS(
        &K, link_raise(&K, link_job(&K, "nha.found", 0),
                       (abdm_result_t){.records = link_json("[" FOUND("MR-1", ASHA) "]")}));
    assert_int_equal(api_rows("context"), 2);
    LINK_EACH_READ_FAILS(&K, api_try(HIP, "nha.link_status", ID, "", ""));
    LINK_EACH_READ_FAILS(&K, api_try(HIP, "nha.patient_shown", ASHA, "", ""));
    LINK_EACH_READ_FAILS(&K, api_try(HIP, "nha.patients", "", "", "[{" PERSON "}]"));
}


/* --- messages --- */

#define SMS(number)                                                                                \
    "{\"requestId\":\"s-1\",\"timestamp\":\"2026-03-05T09:20:11.120Z\",\"notification\":{"         \
    "\"phoneNo\":\"" number "\",\"hip\":{\"name\":\"Demo\",\"id\":\"" HIP "\"}}}"


static void
a_message_goes_to_the_number_that_is_named(void **state)
{
    abdm_job_t job;

    (void) state;
    assert_int_equal(post("nha.sms", SMS("+91-9000000001")), 202);
    assert_at(answer, "clientRequestId", "s-1");
    assert_at(answer, "httpStatusCode", "ACCEPTED");
    assert_at(answer, "message", "DeepLinking request has been accepted by gateway");
    job = link_out(&K, ABDM_PATH_SMS_NOTIFY);
    assert_non_null(strstr(job.body, "9000000001"));
    abdm_job_clear(&job);
    assert_int_equal(get("nha.link_status", "s-1", ""), 202);
    assert_at(answer, "requestId", "s-1");
}


static void
a_message_without_number_is_refused(void **state)
{
    static const char *const bodies[] = {"{}", "{\"notification\":null}", "{\"notification\":{}}",
                                         "{\"notification\":{\"phoneNo\":null}}",
                                         "{\"notification\":{\"phoneNo\":9000000001}}",
                                         "{\"notification\":{\"phoneNo\":\"12\"}}"};

    (void) state;
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        assert_int_equal(post("nha.sms", bodies[i]), 400);
        assert_refused(ABDM_E_FIELD, "notification");
    }
    assert_int_equal(K.n_jobs, 0);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        API_TEST(a_patient_is_added_and_shown_in_the_wrappers_form),
        API_TEST(a_patient_who_is_not_there_is_told_in_the_wrappers_form),
        API_TEST(patients_are_added_all_or_none),
        API_TEST(a_care_context_of_two_patients_of_one_call_is_refused),
        API_TEST(the_status_of_a_link_is_told_from_its_beginning_to_its_end),
        API_TEST(a_link_that_failed_has_its_errors),
        API_TEST(each_field_of_a_link_is_judged_and_named),
        API_TEST(a_context_without_type_is_a_health_document),
        API_TEST(who_left_abdm_is_not_linked),
        API_TEST(a_patient_who_is_not_known_is_asked_of_the_hmis_and_then_linked),
        API_TEST(nobody_or_several_fail_the_request_in_time),
        API_TEST(a_patient_found_whose_care_context_is_anothers_fails_the_request),
        API_TEST(when_a_read_fails_while_searching_the_event_comes_again),
        API_TEST(a_message_goes_to_the_number_that_is_named),
        API_TEST(a_message_without_number_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
