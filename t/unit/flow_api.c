/* The calls of the hospital's software: what each does, and what speaks against it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "api_kit.h"
#include "gateway/outbound_link.h"

#define PATIENT                                                                                    \
    "\"reference\":\"MR-1\",\"name\":\"Asha Kumari\",\"gender\":\"F\",\"yearOfBirth\":1988,"       \
    "\"mobile\":\"+91 90000 00001\""
#define VISIT(ref)                                                                                 \
    "{\"reference\":\"" ref "\",\"display\":\"Visit\",\"hiTypes\":[\"OPConsultation\"]}"


static void
put_patient(const char *ref, const char *abha, const char *mobile)
{
    LINK_PUT(&K, patient, .hip_id = (char *) HIP, .ref = (char *) ref,
             .abha_address = (char *) abha, .name = (char *) "Asha Kumari",
             .gender = (char *) "F", .mobile = (char *) mobile, .year_of_birth = 1988);
}


static void
put_context(const char *hip, const char *ref, const char *patient_ref, abdm_link_state_t state)
{
    LINK_PUT(&K, context, .hip_id = (char *) hip, .ref = (char *) ref,
             .patient_ref = (char *) patient_ref, .display = (char *) "Visit",
             .hi_types = 1u << ABDM_HI_OP_CONSULTATION,
             .notified_types = state == ABDM_LINK_LINKED ? 1u << ABDM_HI_OP_CONSULTATION : 0,
             .state = state, .linked_at = state == ABDM_LINK_LINKED ? K.now - 1000 : 0,
             .reason = (char *) (state == ABDM_LINK_FAILED ? "1038" : NULL));
}


static const char *
context_state(const char *ref)
{
    assert_int_equal(get("api.context_shown", ref, ""), 200);
    return abdm_json_string_at(answer, "state");
}


/* --- patients --- */

static void
a_patient_is_kept_and_shown_in_normal_forms(void **state)
{
    (void) state;
    assert_int_equal(post("api.patient", "{" PATIENT ",\"abhaAddress\":\"Asha.K@SBX\","
                                         "\"abhaNumber\":\"91-1112-2223-3334\"}"), 200);
    assert_string_equal(link_job(&K, "link.due", -1)->subject, "MR-1");
    assert_int_equal(get("api.patient_shown", "MR-1", ""), 200);
    assert_at(answer, "reference", "MR-1");
    assert_at(answer, "name", "Asha Kumari");
    assert_at(answer, "gender", "F");
    assert_at(answer, "mobile", "9000000001");
    assert_at(answer, "abhaAddress", ASHA);
    assert_at(answer, "abhaNumber", "91111222233334");
    assert_int_at("yearOfBirth", 1988);
    assert_int_equal(get("api.patient_by_abha", "", "abhaAddress=ASHA.k%40sbx"), 200);
    assert_at(answer, "reference", "MR-1");
    assert_false(link_on_disk(&K, "Asha"));
    assert_false(link_on_disk(&K, "9000000001"));
}


static void
what_is_not_told_again_stays(void **state)
{
    (void) state;
    post("api.patient", "{" PATIENT ",\"abhaAddress\":\"" ASHA "\"}");
    assert_int_equal(post("api.patient",
                          "{\"reference\":\"MR-1\",\"name\":\"Asha K\",\"gender\":\"female\","
                          "\"birthDate\":\"1988-03-05\",\"mobile\":\"9111111111\"}"), 200);
    assert_at(answer, "abhaAddress", ASHA);
    assert_at(answer, "name", "Asha K");
    assert_at(answer, "gender", "F");
    assert_at(answer, "mobile", "9111111111");
    assert_int_at("yearOfBirth", 1988);
}


static void
without_an_abha_nothing_is_to_be_linked(void **state)
{
    (void) state;
    assert_int_equal(post("api.patient", "{" PATIENT "}"), 200);
    assert_int_equal(K.n_jobs, 0);
}


static void
with_an_abha_a_mobile_may_be_missing(void **state)
{
    (void) state;
    assert_int_equal(post("api.patient",
                          "{\"reference\":\"MR-1\",\"name\":\"Asha\",\"gender\":\"F\","
                          "\"yearOfBirth\":\"1988\",\"abhaAddress\":\"" ASHA "\"}"), 200);
}


static void
an_abha_belongs_to_one_patient(void **state)
{
    (void) state;
    LINK_PUT(&K, patient, .hip_id = (char *) HIP, .ref = (char *) "MR-0",
             .abha_address = (char *) ASHA, .abha_number = (char *) "91111222233334");
    assert_int_equal(post("api.patient", "{" PATIENT ",\"abhaAddress\":\"" ASHA "\"}"), 409);
    assert_refused(ABDM_E_ABHA_TAKEN, "abhaAddress");
    assert_int_equal(post("api.patient", "{" PATIENT ",\"abhaAddress\":\"new.one@sbx\","
                                         "\"abhaNumber\":\"91111222233334\"}"), 409);
    assert_refused(ABDM_E_ABHA_TAKEN, "");
    assert_int_equal(api_rows("patient"), 1);
}


static void
an_abha_that_left_abdm_is_refused(void **state)
{
    (void) state;
    LINK_PUT(&K, opt_out, .hip_id = (char *) HIP, .abha_address = (char *) ASHA,
             .status = (char *) "DELETED");
    assert_int_equal(post("api.patient", "{" PATIENT ",\"abhaAddress\":\"" ASHA "\"}"), 409);
    assert_refused(ABDM_E_OPTED_OUT, "abhaAddress");
}


static void
an_abha_may_change_until_something_is_linked_to_it(void **state)
{
    (void) state;
    post("api.patient", "{" PATIENT ",\"abhaAddress\":\"" ASHA "\","
                        "\"abhaNumber\":\"91111222233334\"}");
    assert_int_equal(post("api.patient", "{" PATIENT ",\"abhaAddress\":\"asha.new@sbx\"}"), 200);
    assert_at(answer, "abhaAddress", "asha.new@sbx");
    assert_null(json_object_get(answer, "abhaNumber"));
    put_context(HIP, "V-1", "MR-1", ABDM_LINK_LINKED);
    assert_int_equal(post("api.patient", "{" PATIENT ",\"abhaAddress\":\"" ASHA "\"}"), 409);
    assert_refused(ABDM_E_CONFLICT, "abhaAddress");
    put_context(HIP, "V-1", "MR-1", ABDM_LINK_PENDING);
    assert_int_equal(post("api.patient", "{" PATIENT ",\"abhaAddress\":\"" ASHA "\"}"), 409);
}


static void
a_patient_who_is_not_there_is_not_found(void **state)
{
    (void) state;
    assert_int_equal(get("api.patient_shown", "MR-9", ""), 404);
    assert_refused(ABDM_E_NOT_FOUND, "");
    assert_int_equal(get("api.patient_by_abha", "", "abhaAddress=nobody@sbx"), 404);
    assert_int_equal(get("api.patient_by_abha", "", "abhaAddress=nonsense"), 404);
    assert_int_equal(get("api.patient_by_abha", "", ""), 400);
    assert_refused(ABDM_E_FIELD, "abhaAddress");
}


/* `base` with `member` of the object at `path` taken out, or set to `value`. */
static char *
altered(const char *base, const char *path, const char *member, json_t *value)
{
    json_t *json = link_json(base), *o = *path != '\0' ? abdm_json_at(json, path) : json;
    char *text;

    assert_non_null(o);
    if (value == NULL)
        (void) json_object_del(o, member);
    else
        assert_int_equal(json_object_set_new(o, member, value), 0);
    text = json_dumps(json, JSON_COMPACT);
    assert_non_null(text);
    json_decref(json);
    return text;
}


/* The call with that member altered is refused, and the message names the member. */
static void
assert_member(const char *event, const char *base, const char *path, const char *member,
              json_t *value)
{
    char *body = altered(base, path, member, value), place[64];
    int before = api_rows("patient") + api_rows("context") + api_rows("request");

    snprintf(place, sizeof(place), "%s%s%s", path, *path != '\0' ? "." : "", member);
    assert_int_equal(post(event, body), 400);
    assert_refused(ABDM_E_FIELD, place);
    assert_int_equal(K.n_jobs, 0);
    assert_int_equal(api_rows("patient") + api_rows("context") + api_rows("request"), before);
    free(body);
}


/* As above in every way in which a text can be bad; `required`: it may not be missing. */
static void
assert_text_member(const char *event, const char *base, const char *path, const char *member,
                   bool required)
{
    char giant[600];

    memset(giant, '7', sizeof(giant) - 1);
    giant[sizeof(giant) - 1] = '\0';
    if (required) {
        assert_member(event, base, path, member, NULL);
        assert_member(event, base, path, member, json_null());
        assert_member(event, base, path, member, json_string(""));
    }
    assert_member(event, base, path, member, json_true());
    assert_member(event, base, path, member, json_object());
    assert_member(event, base, path, member, json_array());
    assert_member(event, base, path, member, json_string(giant));
    assert_member(event, base, path, member, json_string("a\nb"));
}


static void
each_field_of_a_patient_is_judged_and_named(void **state)
{
    static const char base[] =
        "{" PATIENT ",\"abhaAddress\":\"" ASHA "\",\"abhaNumber\":\"91-1112-2223-3334\"}";
    static const char plain[] = "{" PATIENT "}";

    (void) state;
    assert_text_member("api.patient", base, "", "reference", true);
    assert_member("api.patient", base, "", "reference", json_string("MR;1"));
    assert_text_member("api.patient", base, "", "name", true);
    assert_text_member("api.patient", base, "", "gender", true);
    assert_member("api.patient", base, "", "gender", json_string("X"));
    assert_text_member("api.patient", plain, "", "mobile", true);
    assert_member("api.patient", base, "", "mobile", json_string("12"));
    assert_text_member("api.patient", base, "", "abhaAddress", false);
    assert_member("api.patient", base, "", "abhaAddress", json_string("asha"));
    assert_text_member("api.patient", base, "", "abhaNumber", false);
    assert_member("api.patient", base, "", "abhaNumber", json_string("123"));
    assert_member("api.patient", base, "", "yearOfBirth", NULL);
    assert_member("api.patient", base, "", "yearOfBirth", json_null());
    assert_member("api.patient", base, "", "yearOfBirth", json_string("old"));
    assert_member("api.patient", base, "", "yearOfBirth", json_real(1988.5));
    assert_member("api.patient", base, "", "yearOfBirth", json_integer(1899));
    assert_member("api.patient", base, "", "yearOfBirth", json_integer(2027));
    assert_text_member("api.patient", base, "", "birthDate", false);
    assert_member("api.patient", base, "", "birthDate", json_string("05.03.1988"));
    assert_member("api.patient", base, "", "birthDate", json_string("1988-13-05"));
    assert_member("api.patient", base, "", "birthDate", json_string("2026-12-05"));
}


static void
the_year_and_the_date_of_birth_must_agree(void **state)
{
    (void) state;
    assert_int_equal(post("api.patient", "{" PATIENT ",\"birthDate\":\"1989-03-05\"}"), 400);
    assert_refused(ABDM_E_FIELD, "yearOfBirth");
}


static void
a_body_that_is_none_is_refused(void **state)
{
    static const char *const events[] = {"api.patient", "api.contexts", "api.notification",
                                         "api.sms", "api.auth", "api.auth_confirm"};

    (void) state;
    for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
        assert_int_equal(post(events[i], ""), 400);
        assert_refused(ABDM_E_FIELD, "a body is expected");
        assert_int_equal(post(events[i], "[]"), 400);
        assert_refused(ABDM_E_FIELD, "an object is expected");
        assert_int_equal(post(events[i], "{}"), 400);
    }
}


/* --- care contexts --- */

static void
care_contexts_of_a_known_abha_are_kept_and_linked(void **state)
{
    (void) state;
    put_patient("MR-1", ASHA, NULL);
    assert_int_equal(post("api.contexts",
                          "{\"patientReference\":\"MR-1\",\"requestId\":\"r-1\",\"careContexts\":["
                          "{\"reference\":\"V-1\",\"display\":\"Visit\",\"date\":"
                          "\"2026-03-05T10:00:00\",\"version\":\"3\",\"hiTypes\":"
                          "[\"OPConsultation\",\"prescription\"]}," VISIT("OP/2") "]}"), 202);
    assert_at(answer, "requestId", "r-1");
    assert_int_at("accepted", 2);
    assert_string_equal(link_job(&K, "link.due", -1)->subject, "MR-1");
    assert_int_equal(K.n_jobs, 1);

    assert_string_equal(context_state("V-1"), "NONE");
    assert_at(answer, "patientReference", "MR-1");
    assert_at(answer, "hiTypes.1", "Prescription");
    assert_at(answer, "date", "2026-03-05T04:30:00.000Z");
    assert_at(answer, "version", "3");
    assert_at(answer, "sms", "NONE");
    assert_string_equal(context_state("OP/2"), "NONE");
    assert_int_equal(get("api.contexts_shown", "", "patient=MR-1"), 200);
    assert_int_equal(json_array_size(json_object_get(answer, "careContexts")), 2);
    assert_int_equal(get("api.request_shown", "r-1", ""), 200);
    assert_at(answer, "state", "OPEN");
    assert_at(answer, "what", "link");
    assert_at(answer, "careContexts.1.reference", "OP/2");
}


static void
the_patient_may_come_with_them(void **state)
{
    (void) state;
    assert_int_equal(post("api.contexts", "{\"patient\":{" PATIENT ",\"abhaAddress\":\"" ASHA
                                          "\"},\"careContexts\":[" VISIT("V-1") "]}"), 202);
    assert_int_equal(strlen(abdm_json_string_at(answer, "requestId")), 36);
    assert_int_equal(link_waiting(&K, "link.due"), 1);
    assert_int_equal(get("api.patient_shown", "MR-1", ""), 200);
    assert_at(answer, "abhaAddress", ASHA);
    assert_int_equal(post("api.contexts", "{\"patientReference\":\"MR-2\",\"patient\":{" PATIENT
                                          "},\"careContexts\":[" VISIT("V-2") "]}"), 400);
    assert_refused(ABDM_E_FIELD, "patient.reference");
    assert_int_equal(post("api.contexts", "{\"patient\":{" PATIENT ",\"gender2\":1},"
                                          "\"careContexts\":[" VISIT("V-2") "]}"), 202);
}


static void
they_are_linked_to_the_end_by_what_the_flow_raises(void **state)
{
    abdm_job_t job;

    (void) state;
    put_patient("MR-1", ASHA, NULL);
    LINK_PUT(&K, link_token, .hip_id = (char *) HIP, .abha_address = (char *) ASHA,
             .token = (char *) "eyJ.token", .expires_at = K.now + 24 * HOURS);
    post("api.contexts", "{\"patientReference\":\"MR-1\",\"requestId\":\"r-1\",\"careContexts\":["
                         VISIT("V-1") "]}");
    link_until(&K, K.now);
    assert_string_equal(context_state("V-1"), "PENDING");
    job = link_out(&K, ABDM_PATH_LINK_CONTEXT);
    link_send(&K, &job, "7c1e8b21-2d3e-4f40-9bac-1d2e3f4a5b6c");
    abdm_job_clear(&job);
    link_call(&K, "link.linked", "{\"abhaAddress\":\"" ASHA "\",\"status\":\"ok\",\"response\":"
                                 "{\"requestId\":\"7c1e8b21-2d3e-4f40-9bac-1d2e3f4a5b6c\"}}");
    assert_string_equal(context_state("V-1"), "LINKED");
    assert_non_null(abdm_json_string_at(answer, "linkedAt"));
    assert_int_equal(get("api.request_shown", "r-1", ""), 200);
    assert_at(answer, "state", "DONE");
}


static void
a_patient_without_abha_is_told_by_one_message_of_all_that_is_new(void **state)
{
    (void) state;
    K.facility[0].deep_link = true;
    put_patient("MR-1", NULL, "9000000001");
    post("api.contexts", "{\"patientReference\":\"MR-1\",\"careContexts\":[" VISIT("V-1") ","
                         VISIT("V-2") "]}");
    assert_int_equal(link_waiting(&K, "sms.due"), 1);
    assert_int_equal(K.n_jobs, 1);
    get("api.context_shown", "V-1", "");
    assert_at(answer, "sms", "DUE");
    post("api.contexts", "{\"patientReference\":\"MR-1\",\"careContexts\":[" VISIT("V-1") "]}");
    assert_int_equal(K.n_jobs, 1);
    K.facility[0].deep_link = false;
    post("api.contexts", "{\"patientReference\":\"MR-1\",\"careContexts\":[" VISIT("V-3") "]}");
    assert_int_equal(K.n_jobs, 1);
}


static void
a_care_context_of_another_patient_refuses_the_whole_call(void **state)
{
    (void) state;
    put_patient("MR-1", ASHA, NULL);
    put_context(HIP, "V-2", "MR-2", ABDM_LINK_NONE);
    assert_int_equal(post("api.contexts", "{\"patientReference\":\"MR-1\",\"careContexts\":["
                                          VISIT("V-1") "," VISIT("V-2") "]}"), 409);
    assert_refused(ABDM_E_CONFLICT, "careContexts.1.reference");
    assert_int_equal(api_rows("context"), 1);
    assert_int_equal(api_rows("request"), 0);
    assert_int_equal(K.n_jobs, 0);
}


static void
a_patient_who_is_not_known_must_come_with_the_call(void **state)
{
    (void) state;
    assert_int_equal(post("api.contexts", "{\"patientReference\":\"MR-1\",\"careContexts\":["
                                          VISIT("V-1") "]}"), 404);
    assert_refused(ABDM_E_NOT_FOUND, "patientReference");
    assert_int_equal(post("api.contexts", "{\"careContexts\":[" VISIT("V-1") "]}"), 400);
    assert_refused(ABDM_E_FIELD, "patientReference");
}


static void
the_same_request_twice_is_one_and_another_under_its_id_is_refused(void **state)
{
    static const char body[] = "{\"patientReference\":\"MR-1\",\"requestId\":\"r-1\","
                               "\"careContexts\":[" VISIT("V-1") "]}";

    (void) state;
    put_patient("MR-1", ASHA, NULL);
    assert_int_equal(post("api.contexts", body), 202);
    assert_int_equal(post("api.contexts", body), 202);
    assert_at(answer, "requestId", "r-1");
    assert_int_equal(api_rows("request"), 1);
    assert_int_equal(api_rows("context"), 1);
    assert_int_equal(post("api.contexts", "{\"patientReference\":\"MR-1\",\"requestId\":\"r-1\","
                                          "\"careContexts\":[" VISIT("V-2") "]}"), 409);
    assert_refused(ABDM_E_CONFLICT, "requestId");
    assert_int_equal(api_rows("context"), 1);
}


static void
what_is_linked_already_is_done_and_news_of_it_are_notified(void **state)
{
    (void) state;
    put_patient("MR-1", ASHA, NULL);
    put_context(HIP, "V-1", "MR-1", ABDM_LINK_LINKED);
    post("api.contexts", "{\"patientReference\":\"MR-1\",\"requestId\":\"r-1\",\"careContexts\":["
                         VISIT("V-1") "]}");
    assert_int_equal(K.n_jobs, 0);
    get("api.request_shown", "r-1", "");
    assert_at(answer, "state", "DONE");
    post("api.contexts", "{\"patientReference\":\"MR-1\",\"careContexts\":[{\"reference\":\"V-1\","
                         "\"display\":\"Visit\",\"hiTypes\":[\"Prescription\"]}]}");
    assert_string_equal(link_job(&K, "context.notify_due", -1)->subject, "V-1");
    assert_string_equal(context_state("V-1"), "LINKED");
    assert_at(answer, "hiTypes.1", "Prescription");
    api_drop_jobs();
}


static void
what_the_gateway_refused_is_tried_again_when_it_comes_again(void **state)
{
    (void) state;
    put_patient("MR-1", ASHA, NULL);
    put_context(HIP, "V-1", "MR-1", ABDM_LINK_FAILED);
    post("api.contexts", "{\"patientReference\":\"MR-1\",\"careContexts\":[" VISIT("V-1") "]}");
    assert_int_equal(link_waiting(&K, "link.due"), 1);
    assert_string_equal(context_state("V-1"), "NONE");
    assert_null(json_object_get(answer, "reason"));
}


/* A call with `n` care contexts. */
static int
post_many(size_t n)
{
    abdm_buf_t body = {0};
    char *text;
    int status;

    abdm_buf_addz(&body, "{\"patientReference\":\"MR-1\",\"careContexts\":[");
    for (size_t i = 0; i < n; i++)
        abdm_buf_addf(&body, "%s{\"reference\":\"V-%zu\",\"display\":\"d\",\"hiTypes\":"
                             "[\"Invoice\"]}", i > 0 ? "," : "", i);
    abdm_buf_addz(&body, "]}");
    text = abdm_buf_take(&body);
    assert_non_null(text);
    status = post("api.contexts", text);
    free(text);
    return status;
}


static void
a_call_takes_five_hundred_and_not_one_more(void **state)
{
    (void) state;
    put_patient("MR-1", ASHA, NULL);
    assert_int_equal(post_many(501), 400);
    assert_refused(ABDM_E_FIELD, "careContexts");
    assert_int_equal(api_rows("context"), 0);
    assert_int_equal(post_many(500), 202);
    assert_int_at("accepted", 500);
    assert_int_equal(api_rows("context"), 500);
    assert_int_equal(post_many(0), 400);
}


static void
each_field_of_a_care_context_is_judged_and_named(void **state)
{
    static const char base[] =
        "{\"patientReference\":\"MR-1\",\"requestId\":\"r-1\",\"careContexts\":[" VISIT("V-0") ","
        "{\"reference\":\"V-1\",\"display\":\"Visit\",\"hiTypes\":[\"OPConsultation\"],"
        "\"date\":\"2026-03-05\",\"version\":\"1\"}]}";
    static const char in[] = "careContexts.1";

    (void) state;
    put_patient("MR-1", ASHA, NULL);
    assert_text_member("api.contexts", base, "", "patientReference", true);
    assert_text_member("api.contexts", base, "", "requestId", false);
    assert_member("api.contexts", base, "", "requestId", json_string("a b"));
    assert_member("api.contexts", base, "", "careContexts", NULL);
    assert_member("api.contexts", base, "", "careContexts", json_null());
    assert_member("api.contexts", base, "", "careContexts", json_object());
    assert_member("api.contexts", base, "", "careContexts", json_string("V-1"));
    assert_member("api.contexts", base, "", "patient", json_string("MR-1"));
    assert_text_member("api.contexts", base, in, "reference", true);
    assert_member("api.contexts", base, in, "reference", json_string("V-0"));
    assert_member("api.contexts", base, in, "reference", json_string("V<1>"));
    assert_text_member("api.contexts", base, in, "display", true);
    assert_member("api.contexts", base, in, "hiTypes", NULL);
    assert_member("api.contexts", base, in, "hiTypes", json_null());
    assert_member("api.contexts", base, in, "hiTypes", json_array());
    assert_member("api.contexts", base, in, "hiTypes", json_string("OPConsultation"));
    assert_member("api.contexts", base, in, "hiTypes", json_pack("[s]", "Letter"));
    assert_member("api.contexts", base, in, "hiTypes", json_pack("[i]", 1));
    assert_text_member("api.contexts", base, in, "date", false);
    assert_member("api.contexts", base, in, "date", json_string("yesterday"));
    assert_text_member("api.contexts", base, in, "version", false);
    assert_int_equal(post("api.contexts", "{\"patientReference\":\"MR-1\",\"careContexts\":[7]}"),
                     400);
    assert_refused(ABDM_E_FIELD, "careContexts.0");
}


static void
a_failed_link_is_asked_for_again(void **state)
{
    (void) state;
    put_patient("MR-1", ASHA, NULL);
    put_context(HIP, "V-1", "MR-1", ABDM_LINK_FAILED);
    put_context(HIP, "V-2", "MR-1", ABDM_LINK_LINKED);
    put_context(HIP, "V-3", "MR-1", ABDM_LINK_PENDING);
    assert_string_equal(context_state("V-1"), "FAILED");
    assert_at(answer, "reason", "1038");
    assert_int_equal(api_at(HIP, "api.context_link", "V-1", "", ""), 202);
    assert_at(answer, "state", "NONE");
    assert_int_equal(link_waiting(&K, "link.due"), 1);
    assert_int_equal(api_at(HIP, "api.context_link", "V-2", "", ""), 202);
    assert_at(answer, "state", "LINKED");
    assert_int_equal(api_at(HIP, "api.context_link", "V-3", "", ""), 202);
    assert_at(answer, "state", "PENDING");
    assert_int_equal(K.n_jobs, 1);
    assert_int_equal(api_at(HIP, "api.context_link", "V-9", "", ""), 404);
}


static void
nothing_is_linked_without_abha_or_after_it_left(void **state)
{
    (void) state;
    put_patient("MR-1", NULL, "9000000001");
    put_patient("MR-2", ASHA, NULL);
    put_context(HIP, "V-1", "MR-1", ABDM_LINK_NONE);
    put_context(HIP, "V-2", "MR-2", ABDM_LINK_NONE);
    LINK_PUT(&K, opt_out, .hip_id = (char *) HIP, .abha_address = (char *) ASHA,
             .status = (char *) "DEACTIVATED");
    assert_int_equal(api_at(HIP, "api.context_link", "V-1", "", ""), 409);
    assert_refused(ABDM_E_ABHA_NONE, "");
    assert_int_equal(api_at(HIP, "api.context_link", "V-2", "", ""), 409);
    assert_refused(ABDM_E_OPTED_OUT, "");
    assert_int_equal(K.n_jobs, 0);
}


static void
new_data_is_notified_where_it_is_linked_and_kept_where_not(void **state)
{
    (void) state;
    put_patient("MR-1", ASHA, NULL);
    put_context(HIP, "V-1", "MR-1", ABDM_LINK_LINKED);
    put_context(HIP, "V-2", "MR-1", ABDM_LINK_NONE);
    assert_int_equal(post("api.notification", "{\"careContextReference\":\"V-1\",\"hiTypes\":"
                                              "[\"OPConsultation\"]}"), 202);
    assert_int_equal(link_waiting(&K, "context.notify_due"), 1);
    assert_int_equal(post("api.notification", "{\"careContextReference\":\"V-2\",\"hiTypes\":"
                                              "[\"Prescription\"]}"), 202);
    assert_int_equal(K.n_jobs, 1);
    assert_at(answer, "hiTypes.1", "Prescription");
    assert_int_equal(post("api.notification", "{\"careContextReference\":\"V-9\",\"hiTypes\":"
                                              "[\"Prescription\"]}"), 404);
    api_drop_jobs();
    assert_text_member("api.notification", "{\"hiTypes\":[\"Invoice\"]}", "",
                       "careContextReference", true);
    assert_member("api.notification", "{\"careContextReference\":\"V-1\"}", "", "hiTypes",
                  json_string("Invoice"));
}


static void
a_message_with_the_deep_link_goes_out_at_once_three_times_a_day(void **state)
{
    abdm_job_t job;
    json_t *body;

    (void) state;
    put_patient("MR-1", NULL, "9000000001");
    put_context(HIP, "V-1", "MR-1", ABDM_LINK_NONE);
    assert_int_equal(post("api.sms", "{\"careContextReference\":\"V-1\",\"requestId\":\"s-1\"}"),
                     202);
    job = link_out(&K, ABDM_PATH_SMS_NOTIFY);
    body = link_body(&job);
    assert_non_null(strstr(abdm_json_string_at(body, "notification.phoneNo"), "9000000001"));
    json_decref(body);
    assert_string_equal(job.subject, "#s-1");
    abdm_job_clear(&job);
    get("api.context_shown", "V-1", "");
    assert_at(answer, "sms", "SENT");
    assert_int_equal(post("api.sms", "{\"careContextReference\":\"V-1\",\"requestId\":\"s-1\"}"),
                     409);
    assert_refused(ABDM_E_CONFLICT, "requestId");
    assert_int_equal(post("api.sms", "{\"careContextReference\":\"V-1\"}"), 202);
    assert_int_equal(post("api.sms", "{\"careContextReference\":\"V-1\"}"), 202);
    assert_int_equal(post("api.sms", "{\"careContextReference\":\"V-1\"}"), 429);
    assert_refused(ABDM_E_BUDGET, "");
    get("api.request_shown", "s-1", "");
    assert_at(answer, "what", "sms");
    assert_at(answer, "state", "OPEN");
    K.now += 24 * HOURS;
    assert_int_equal(post("api.sms", "{\"careContextReference\":\"V-1\"}"), 202);
}


static void
a_message_needs_a_care_context_and_a_mobile(void **state)
{
    (void) state;
    put_patient("MR-1", ASHA, NULL);
    put_context(HIP, "V-1", "MR-1", ABDM_LINK_NONE);
    assert_int_equal(post("api.sms", "{\"careContextReference\":\"V-9\"}"), 404);
    assert_int_equal(post("api.sms", "{\"careContextReference\":\"V-1\"}"), 409);
    assert_refused(ABDM_E_CONFLICT, "mobile");
    assert_text_member("api.sms", "{\"careContextReference\":\"V-1\"}", "",
                       "careContextReference", true);
}


static void
a_request_says_what_failed_and_why(void **state)
{
    (void) state;
    put_patient("MR-1", ASHA, NULL);
    put_context(HIP, "V-1", "MR-1", ABDM_LINK_FAILED);
    LINK_PUT(&K, request, .hip_id = (char *) HIP, .id = (char *) "r-1", .what = (char *) "link",
             .patient_ref = (char *) "MR-1", .contexts = (char *) "[\"V-1\",\"V-gone\"]",
             .state = ABDM_REQUEST_FAILED,
             .reason = (char *) "E_LINK_REFUSED the name differs");
    assert_int_equal(get("api.request_shown", "r-1", ""), 200);
    assert_at(answer, "state", "FAILED");
    assert_at(answer, "reason", "E_LINK_REFUSED the name differs");
    assert_non_null(abdm_json_string_at(answer, "remedy"));
    assert_at(answer, "careContexts.0.reason", "1038");
    assert_at(answer, "careContexts.1.reference", "V-gone");
    assert_int_equal(get("api.request_shown", "r-2", ""), 404);
}


/* --- authentication --- */

static void
an_authentication_is_begun_shown_and_confirmed(void **state)
{
    char id[64];

    (void) state;
    put_patient("MR-1", ASHA, NULL);
    assert_int_equal(post("api.auth", "{\"patientReference\":\"MR-1\",\"mode\":\"MOBILE_OTP\"}"),
                     202);
    snprintf(id, sizeof(id), "%s", abdm_json_string_at(answer, "id"));
    assert_int_equal(strlen(id), 36);
    assert_int_equal(get("api.auth_shown", id, ""), 200);
    assert_at(answer, "state", "ASKED");
    assert_at(answer, "mode", "MOBILE_OTP");
    assert_at(answer, "patientReference", "MR-1");
    assert_int_equal(api_at(HIP, "api.auth_confirm", id, "", "{\"otp\":\"123456\"}"), 409);
    LINK_PUT(&K, auth, .hip_id = (char *) HIP, .id = id, .patient_ref = (char *) "MR-1",
             .mode = (char *) "MOBILE_OTP", .transaction_id = (char *) "T-1",
             .state = ABDM_AUTH_WAITING, .expires_at = K.now + MINUTES);
    api_drop_jobs();
    assert_int_equal(api_at(HIP, "api.auth_confirm", id, "", "{\"otp\":\"123456\"}"), 202);
    abdm_job_t job = link_out(&K, ABDM_PATH_AUTH_CONFIRM);
    assert_non_null(strstr(job.body, "123456"));
    abdm_job_clear(&job);
    assert_false(api_says("123456"));
}


static void
an_authentication_needs_a_patient_with_abha_a_mode_and_an_otp(void **state)
{
    static const char base[] = "{\"patientReference\":\"MR-1\",\"mode\":\"DIRECT\"}";

    (void) state;
    put_patient("MR-1", NULL, "9000000001");
    assert_int_equal(post("api.auth", base), 409);
    assert_refused(ABDM_E_ABHA_NONE, "");
    put_patient("MR-2", ASHA, NULL);
    assert_int_equal(post("api.auth", "{\"patientReference\":\"MR-9\"}"), 404);
    assert_int_equal(post("api.auth", "{\"patientReference\":\"MR-2\",\"mode\":\"PASSWORD\"}"),
                     400);
    assert_text_member("api.auth", base, "", "patientReference", true);
    assert_text_member("api.auth", base, "", "mode", false);
    assert_int_equal(get("api.auth_shown", "nothing", ""), 404);
    assert_int_equal(api_at(HIP, "api.auth_confirm", "nothing", "", "{\"otp\":\"1\"}"), 404);
    assert_text_member("api.auth_confirm", "{\"otp\":\"123456\"}", "", "otp", true);
}


/* --- the counter --- */

static void
put_share(const char *hip, const char *id, const char *counter, int number, abdm_ms_t at,
          const char *patient_ref)
{
    LINK_PUT(&K, share, .hip_id = (char *) hip, .id = (char *) id, .counter = (char *) counter,
             .number = number, .abha_address = (char *) ASHA,
             .profile = (char *) "{\"abhaAddress\":\"" ASHA "\",\"name\":\"Asha Kumari\","
                                 "\"gender\":\"F\",\"yearOfBirth\":1988,\"phoneNumber\":"
                                 "\"9000000001\",\"abhaNumber\":\"91111222233334\"}",
             .returning = 2, .patient_ref = (char *) patient_ref, .saved = 1, .created_at = at,
             .expires_at = at + 30 * MINUTES);
}


static size_t
queue(const char *query)
{
    assert_int_equal(get("api.queue", "", query), 200);
    return json_array_size(json_object_get(answer, "queue"));
}


static void
the_queue_of_a_counter_is_in_order_of_arrival_and_of_tokens_still_good(void **state)
{
    (void) state;
    put_share(HIP, "s-2", "OPD1", 2, K.now - 1 * MINUTES, "MR-1");
    put_share(HIP, "s-1", "OPD1", 1, K.now - 5 * MINUTES, NULL);
    put_share(HIP, "s-0", "OPD1", 9, K.now - 20 * HOURS, NULL);
    put_share(HIP, "s-5", "OPD1", 8, K.now - 30 * MINUTES, NULL);
    put_share(HIP, "s-3", "LAB", 1, K.now - 3 * MINUTES, NULL);
    put_share(OTHER, "s-4", "OPD1", 1, K.now, NULL);
    assert_int_equal(queue("counter=OPD1"), 2);
    assert_at(answer, "queue.0.id", "s-1");
    assert_int_at("queue.0.token", 1);
    assert_at(answer, "queue.0.name", "Asha Kumari");
    assert_at(answer, "queue.0.abhaAddress", ASHA);
    assert_at(answer, "queue.0.abhaNumber", "91111222233334");
    assert_at(answer, "queue.0.returning", "yes");
    assert_null(json_object_get(abdm_json_at(answer, "queue.0"), "patientReference"));
    assert_at(answer, "queue.1.patientReference", "MR-1");
    assert_non_null(abdm_json_string_at(answer, "queue.1.expiresAt"));
    assert_int_equal(queue("counter=X"), 0);
}


static void
without_a_counter_all_that_are_named_are_shown(void **state)
{
    static const char *const counters[] = {"OPD1", "LAB"};

    (void) state;
    put_share(HIP, "s-1", "OPD1", 1, K.now - 5 * MINUTES, NULL);
    put_share(HIP, "s-3", "LAB", 1, K.now - 9 * MINUTES, NULL);
    assert_int_equal(get("api.queue", "", ""), 400);
    assert_refused(ABDM_E_FIELD, "counter");
    K.facility[0].counter = counters;
    K.facility[0].n_counters = 2;
    assert_int_equal(queue(""), 2);
    assert_at(answer, "queue.0.counter", "LAB");
}


static void
a_conflict_of_two_patients_is_shown(void **state)
{
    (void) state;
    put_patient("MR-7", ASHA, NULL);
    put_share(HIP, "s-1", "OPD1", 1, K.now, "MR-8");
    assert_int_equal(queue("counter=OPD1"), 1);
    assert_at(answer, "queue.0.patientReference", "MR-8");
    assert_at(answer, "queue.0.conflictsWith", "MR-7");
    put_share(HIP, "s-1", "OPD1", 1, K.now, "MR-7");
    assert_int_equal(queue("counter=OPD1"), 1);
    assert_null(json_object_get(abdm_json_at(answer, "queue.0"), "conflictsWith"));
}


static void
who_is_done_leaves_the_queue(void **state)
{
    (void) state;
    put_share(HIP, "s-1", "OPD1", 1, K.now, NULL);
    put_share(HIP, "s-2", "OPD1", 2, K.now, NULL);
    assert_int_equal(api_at(HIP, "api.queue_done", "s-1", "", ""), 200);
    assert_int_equal(api_at(HIP, "api.queue_done", "s-1", "", ""), 200);
    assert_int_equal(queue("counter=OPD1"), 1);
    assert_at(answer, "queue.0.id", "s-2");
    assert_int_equal(api_at(HIP, "api.queue_done", "s-9", "", ""), 404);
}


/* --- several facilities --- */

static void
nothing_of_one_facility_is_read_or_changed_by_a_call_of_another(void **state)
{
    static const struct {
        const char *event, *subject, *query, *body;
        int status;
    } calls[] = {
        {"api.patient_shown", "MR-1", "", "", 404},
        {"api.patient_by_abha", "", "abhaAddress=" ASHA, "", 404},
        {"api.contexts", "", "",
         "{\"patientReference\":\"MR-1\",\"careContexts\":[" VISIT("V-1") "]}", 404},
        {"api.context_shown", "V-1", "", "", 404},
        {"api.context_link", "V-1", "", "", 404},
        {"api.notification", "", "",
         "{\"careContextReference\":\"V-1\",\"hiTypes\":[\"Invoice\"]}", 404},
        {"api.sms", "", "", "{\"careContextReference\":\"V-1\"}", 404},
        {"api.auth", "", "", "{\"patientReference\":\"MR-1\",\"mode\":\"DIRECT\"}", 404},
        {"api.auth_shown", "a-1", "", "", 404},
        {"api.auth_confirm", "a-1", "", "{\"otp\":\"123456\"}", 404},
        {"api.queue_done", "s-1", "", "", 404},
        {"api.request_shown", "r-1", "", "", 404},
        {"nha.link_status", "r-1", "", "", 400},
        {"nha.patient_shown", ASHA, "", "", 400},
        {"nha.link", "", "",
         "{\"requestId\":\"q\",\"abhaAddress\":\"" ASHA "\",\"careContexts\":[{\"referenceNumber\":"
         "\"V-1\",\"display\":\"d\"}]}", 400}, /* nobody there, and no question to ask */
    };

    (void) state;
    K.facility[1].questions[ABDM_HMIS_FIND_PATIENTS] = 0;
    put_patient("MR-1", ASHA, "9000000001");
    put_context(HIP, "V-1", "MR-1", ABDM_LINK_FAILED);
    put_share(HIP, "s-1", "OPD1", 1, K.now, "MR-1");
    LINK_PUT(&K, auth, .hip_id = (char *) HIP, .id = (char *) "a-1",
             .patient_ref = (char *) "MR-1", .mode = (char *) "MOBILE_OTP",
             .transaction_id = (char *) "T-1", .state = ABDM_AUTH_WAITING,
             .expires_at = K.now + MINUTES);
    LINK_PUT(&K, request, .hip_id = (char *) HIP, .id = (char *) "r-1", .what = (char *) "link",
             .patient_ref = (char *) "MR-1", .contexts = (char *) "[\"V-1\"]");
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        int status = api_at(OTHER, calls[i].event, calls[i].subject, calls[i].query,
                            calls[i].body);

        if (status != calls[i].status)
            fail_msg("%s: %d", calls[i].event, status);
        assert_int_equal(K.last.n, 0);
        assert_false(api_says("Asha"));
    }
    assert_int_equal(api_at(OTHER, "api.contexts_shown", "", "patient=MR-1", ""), 200);
    assert_int_equal(json_array_size(json_object_get(answer, "careContexts")), 0);
    assert_int_equal(api_at(OTHER, "api.queue", "", "counter=OPD1", ""), 200);
    assert_int_equal(json_array_size(json_object_get(answer, "queue")), 0);
    assert_int_equal(K.n_jobs, 0);
}


static void
two_facilities_may_have_the_same_references_and_the_same_abha(void **state)
{
    (void) state;
    assert_int_equal(post("api.contexts", "{\"patient\":{" PATIENT ",\"abhaAddress\":\"" ASHA
                                          "\"},\"careContexts\":[" VISIT("V-1") "]}"), 202);
    assert_int_equal(api_at(OTHER, "api.contexts", "", "",
                            "{\"patient\":{\"reference\":\"MR-5\",\"name\":\"Other\",\"gender\":"
                            "\"M\",\"yearOfBirth\":1990,\"abhaAddress\":\"" ASHA "\"},"
                            "\"careContexts\":[" VISIT("V-1") "]}"), 202);
    assert_int_equal(api_at(OTHER, "api.context_shown", "V-1", "", ""), 200);
    assert_at(answer, "patientReference", "MR-5");
    assert_string_equal(context_state("V-1"), "NONE");
    assert_at(answer, "patientReference", "MR-1");
}


/* --- the store fails --- */

static void
when_any_read_fails_the_call_does_nothing(void **state)
{
    (void) state;
    put_patient("MR-1", ASHA, "9000000001");
    put_context(HIP, "V-1", "MR-1", ABDM_LINK_FAILED);
    put_context(HIP, "V-2", "MR-1", ABDM_LINK_LINKED);
    put_share(HIP, "s-1", "OPD1", 1, K.now, "MR-1");
    LINK_EACH_READ_FAILS(&K, api_try(HIP, "api.patient", "", "",
                                     "{" PATIENT ",\"abhaAddress\":\"asha.new@sbx\"}"));
    LINK_EACH_READ_FAILS(&K, api_try(HIP, "api.contexts", "", "",
                                     "{\"patientReference\":\"MR-1\",\"careContexts\":["
                                     VISIT("V-1") "," VISIT("V-3") "]}"));
    LINK_EACH_READ_FAILS(&K, api_try(HIP, "api.context_link", "V-1", "", ""));
    LINK_EACH_READ_FAILS(&K, api_try(HIP, "api.sms", "", "", "{\"careContextReference\":\"V-1\"}"));
    LINK_EACH_READ_FAILS(&K, api_try(HIP, "api.auth", "", "", "{\"patientReference\":\"MR-1\"}"));
    LINK_EACH_READ_FAILS(&K, api_try(HIP, "api.queue", "", "counter=OPD1", ""));
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        API_TEST(a_patient_is_kept_and_shown_in_normal_forms),
        API_TEST(what_is_not_told_again_stays),
        API_TEST(without_an_abha_nothing_is_to_be_linked),
        API_TEST(with_an_abha_a_mobile_may_be_missing),
        API_TEST(an_abha_belongs_to_one_patient),
        API_TEST(an_abha_that_left_abdm_is_refused),
        API_TEST(an_abha_may_change_until_something_is_linked_to_it),
        API_TEST(a_patient_who_is_not_there_is_not_found),
        API_TEST(each_field_of_a_patient_is_judged_and_named),
        API_TEST(the_year_and_the_date_of_birth_must_agree),
        API_TEST(a_body_that_is_none_is_refused),
        API_TEST(care_contexts_of_a_known_abha_are_kept_and_linked),
        API_TEST(the_patient_may_come_with_them),
        API_TEST(they_are_linked_to_the_end_by_what_the_flow_raises),
        API_TEST(a_patient_without_abha_is_told_by_one_message_of_all_that_is_new),
        API_TEST(a_care_context_of_another_patient_refuses_the_whole_call),
        API_TEST(a_patient_who_is_not_known_must_come_with_the_call),
        API_TEST(the_same_request_twice_is_one_and_another_under_its_id_is_refused),
        API_TEST(what_is_linked_already_is_done_and_news_of_it_are_notified),
        API_TEST(what_the_gateway_refused_is_tried_again_when_it_comes_again),
        API_TEST(a_call_takes_five_hundred_and_not_one_more),
        API_TEST(each_field_of_a_care_context_is_judged_and_named),
        API_TEST(a_failed_link_is_asked_for_again),
        API_TEST(nothing_is_linked_without_abha_or_after_it_left),
        API_TEST(new_data_is_notified_where_it_is_linked_and_kept_where_not),
        API_TEST(a_message_with_the_deep_link_goes_out_at_once_three_times_a_day),
        API_TEST(a_message_needs_a_care_context_and_a_mobile),
        API_TEST(a_request_says_what_failed_and_why),
        API_TEST(an_authentication_is_begun_shown_and_confirmed),
        API_TEST(an_authentication_needs_a_patient_with_abha_a_mode_and_an_otp),
        API_TEST(the_queue_of_a_counter_is_in_order_of_arrival_and_of_tokens_still_good),
        API_TEST(without_a_counter_all_that_are_named_are_shown),
        API_TEST(a_conflict_of_two_patients_is_shown),
        API_TEST(who_is_done_leaves_the_queue),
        API_TEST(nothing_of_one_facility_is_read_or_changed_by_a_call_of_another),
        API_TEST(two_facilities_may_have_the_same_references_and_the_same_abha),
        API_TEST(when_any_read_fails_the_call_does_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
