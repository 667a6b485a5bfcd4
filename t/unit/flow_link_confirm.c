/* Links that patients confirm: what an OTP opens, how often it may be wrong, and what is linked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "link_kit.h"
#include "link_story.h"

static link_kit_t K;
static char OTP[16], LINK[37];


static int
setup(void **state)
{
    (void) state;
    link_kit_open(&K);
    story_discover(&K);
    story_init(&K, INIT, OTP, LINK);
    K.now += 30 * SECONDS;
    return 0;
}


/* The same, but the HMIS sends the OTPs and knows whether they are right. */
static int
setup_hmis(void **state)
{
    abdm_job_t answer;
    json_t *body;

    (void) state;
    link_kit_open(&K);
    K.facility[0].sms = false;
    K.facility[0].questions[ABDM_HMIS_SEND_OTP] = 1;
    K.facility[0].questions[ABDM_HMIS_VERIFY_OTP] = 1;
    story_discover(&K);
    link_call(&K, "link.init_asked", INIT);
    link_done(&K, "link.otp_sent", 0, "{\"reference\":\"otp-77\"}");
    answer = link_out(&K, ABDM_PATH_LINK_ON_INIT);
    body = link_body(&answer);
    snprintf(LINK, sizeof(LINK), "%s", abdm_json_string_at(body, "link.referenceNumber"));
    snprintf(OTP, sizeof(OTP), "482913");
    json_decref(body);
    abdm_job_clear(&answer);
    return 0;
}


static int
teardown(void **state)
{
    (void) state;
    link_kit_close(&K);
    return 0;
}


static abdm_row_link_session_t
session(void)
{
    abdm_row_link_session_t row = {0};

    LINK_GET(&K, link_session, &row, .hip_id = HIP, .id = LINK);
    return row;
}


static void
assert_session(abdm_session_state_t state, int64_t tries)
{
    abdm_row_link_session_t row = session();

    assert_int_equal(row.state, state);
    assert_int_equal(row.tries, tries);
    abdm_row_link_session_clear(&row);
}


static void
assert_linked(int64_t contexts)
{
    assert_int_equal(store_kit_number(&K.store, "SELECT count(*) FROM context WHERE state = 2"),
                     contexts);
}


static void
confirm(const char *otp)
{
    story_confirm(&K, HIP, LINK, otp);
}


static void
refused(const char *otp, abdm_code_t why, const char *code)
{
    confirm(otp);
    assert_true(link_audited(&K, "link not confirmed", why));
    assert_refused(&K, ABDM_PATH_LINK_ON_CONFIRM, code);
    assert_int_equal(K.n_jobs, 0);
}


/* --- the right OTP --- */

static void
test_the_right_otp_links_what_was_chosen(void **state)
{
    abdm_row_context_t context = {0};
    abdm_row_patient_t patient = {0};
    abdm_job_t job;
    json_t *body;

    (void) state;
    confirm(OTP);
    assert_true(link_audited(&K, "care contexts linked", ABDM_OK));
    job = link_out(&K, ABDM_PATH_LINK_ON_CONFIRM);
    body = link_body(&job);
    assert_string_equal(job.event, "link.confirmed");
    assert_at(body, "response.requestId", K.request_id);
    assert_at(body, "patient.0.referenceNumber", "MR-1");
    assert_at(body, "patient.0.display", "Asha K");
    assert_non_null(strstr(job.body, "OPD-1"));
    assert_non_null(strstr(job.body, "LAB-2"));
    assert_null(json_object_get(body, "error"));
    json_decref(body);
    abdm_job_clear(&job);

    LINK_GET(&K, context, &context, .hip_id = HIP, .ref = "OPD-1");
    assert_string_equal(context.patient_ref, "MR-1");
    assert_string_equal(context.display, "OPD visit 05 Jan 2026");
    assert_int_equal(context.hi_types, 1 << ABDM_HI_OP_CONSULTATION | 1 << ABDM_HI_PRESCRIPTION);
    assert_int_equal(context.notified_types, context.hi_types);
    assert_int_equal(context.state, ABDM_LINK_LINKED);
    assert_int_equal(context.linked_at, K.now);
    assert_int_equal(context.created_at, K.now);
    assert_int_equal(context.date, 1767571200000); /* 2026-01-05 */
    abdm_row_context_clear(&context);
    assert_linked(2);

    /* name, gender and year as ABDM has them, not as the hospital */
    LINK_GET(&K, patient, &patient, .hip_id = HIP, .ref = "MR-1");
    assert_string_equal(patient.abha_address, ADDRESS);
    assert_string_equal(patient.abha_number, NUMBER);
    assert_string_equal(patient.name, "Asha Kumari");
    assert_string_equal(patient.gender, "F");
    assert_int_equal(patient.year_of_birth, 1988);
    assert_string_equal(patient.mobile, MOBILE);
    abdm_row_patient_clear(&patient);
    assert_session(ABDM_SESSION_LINKED, 1);
}


static void
test_only_the_contexts_of_the_init_are_linked(void **state)
{
    char *lab = changed(INIT, "patient.0.careContexts.0.referenceNumber", "\"LAB-2\"");

    (void) state;
    story_init(&K, lab, OTP, LINK);
    confirm(OTP);
    assert_linked(1);
    assert_null(strstr(link_job(&K, "link.confirmed", -1)->body, "OPD-1"));
    free(lab);
}


static void
test_a_context_known_before_keeps_its_age_and_types(void **state)
{
    abdm_row_context_t row = {0};

    (void) state;
    LINK_PUT(&K, context, .hip_id = HIP, .ref = "LAB-2", .patient_ref = "MR-1", .display = "old",
             .hi_types = 1 << ABDM_HI_INVOICE, .state = ABDM_LINK_FAILED, .reason = "1010",
             .created_at = 77, .date = 88, .version = "v1", .sms = ABDM_SMS_SENT);
    confirm(OTP);
    LINK_GET(&K, context, &row, .hip_id = HIP, .ref = "LAB-2");
    assert_int_equal(row.state, ABDM_LINK_LINKED);
    assert_null(row.reason);
    assert_string_equal(row.display, "Lab visit 02 Feb 2026");
    assert_int_equal(row.created_at, 77);
    assert_int_equal(row.date, 88);
    assert_string_equal(row.version, "v1");
    assert_int_equal(row.sms, ABDM_SMS_SENT);
    assert_int_equal(row.hi_types, 1 << ABDM_HI_INVOICE | 1 << ABDM_HI_DIAGNOSTIC_REPORT);
    assert_int_equal(row.notified_types, 1 << ABDM_HI_DIAGNOSTIC_REPORT);
    abdm_row_context_clear(&row);
}


static void
test_the_right_otp_again_gets_the_same_answer_and_links_nothing_twice(void **state)
{
    abdm_job_t first, again;
    json_t *a, *b;

    (void) state;
    confirm(OTP);
    first = link_out(&K, ABDM_PATH_LINK_ON_CONFIRM);
    K.now += HOURS; /* long after the OTP's own time */
    confirm(OTP);
    assert_true(link_audited(&K, "link confirmed again", ABDM_OK));
    assert_int_equal(K.last.n, 2);
    again = link_out(&K, ABDM_PATH_LINK_ON_CONFIRM);
    assert_string_equal(again.event, "reply.sent"); /* what comes of it changes nothing */
    a = link_body(&first);
    b = link_body(&again);
    assert_at(b, "response.requestId", K.request_id);
    json_object_del(a, "response");
    json_object_del(b, "response");
    assert_true(json_equal(a, b));
    json_decref(a);
    json_decref(b);
    abdm_job_clear(&first);
    abdm_job_clear(&again);
}


static void
test_a_link_that_is_made_tells_nothing_to_a_wrong_otp(void **state)
{
    (void) state;
    confirm(OTP);
    abdm_job_t job = link_out(&K, ABDM_PATH_LINK_ON_CONFIRM);
    abdm_job_clear(&job);
    for (int i = 0; i < 3; i++)
        refused(other_otp(OTP), ABDM_E_LINK_UNKNOWN, "ABDM-1056");
    refused(OTP, ABDM_E_LINK_UNKNOWN, "ABDM-1056"); /* guessed at too often */
    assert_session(ABDM_SESSION_LINKED, 5);
    assert_linked(2);
}


/* --- wrong ones --- */

static void
test_a_wrong_otp_links_nothing_and_the_third_locks(void **state)
{
    (void) state;
    refused(other_otp(OTP), ABDM_E_OTP_WRONG, "ABDM-1035");
    assert_session(ABDM_SESSION_SENT, 1);
    refused("", ABDM_E_FIELD, "ABDM-1006"); /* no try */
    refused("0", ABDM_E_OTP_WRONG, "ABDM-1035");
    assert_session(ABDM_SESSION_SENT, 2);
    refused(other_otp(OTP), ABDM_E_OTP_LOCKED, "ABDM-1035");
    assert_session(ABDM_SESSION_LOCKED, 3);
    refused(OTP, ABDM_E_OTP_LOCKED, "ABDM-1035");
    assert_session(ABDM_SESSION_LOCKED, 3);
    assert_linked(0);
    assert_int_equal(store_kit_number(&K.store, "SELECT count(*) FROM patient"), 0);
}


static void
test_the_third_try_may_be_right(void **state)
{
    (void) state;
    refused(other_otp(OTP), ABDM_E_OTP_WRONG, "ABDM-1035");
    refused(other_otp(OTP), ABDM_E_OTP_WRONG, "ABDM-1035");
    confirm(OTP);
    assert_session(ABDM_SESSION_LINKED, 3);
    assert_linked(2);
    confirm(OTP);
    assert_true(link_audited(&K, "link confirmed again", ABDM_OK));
}


static void
test_an_otp_holds_as_long_as_was_told_and_no_longer(void **state)
{
    abdm_row_link_session_t row = session();
    abdm_ms_t end = row.expires_at;

    (void) state;
    abdm_row_link_session_clear(&row);
    K.now = end;
    refused(OTP, ABDM_E_OTP_EXPIRED, "ABDM-1035");
    assert_session(ABDM_SESSION_SENT, 0);
    K.now = end - 1;
    confirm(OTP);
    assert_session(ABDM_SESSION_LINKED, 1);
}


static void
test_a_clock_set_back_does_not_make_an_otp_live_longer(void **state)
{
    (void) state;
    K.now -= MINUTES;
    refused(OTP, ABDM_E_OTP_EXPIRED, "ABDM-1035");
    assert_linked(0);
}


static void
test_the_otp_of_another_link_is_wrong(void **state)
{
    char *lab = changed(INIT, "patient.0.careContexts.0.referenceNumber", "\"LAB-2\"");
    char otp[16], link[37];

    (void) state;
    story_init(&K, lab, otp, link);
    refused(otp, ABDM_E_LINK_UNKNOWN, "ABDM-1056"); /* of the former link, which is over */
    memcpy(LINK, link, sizeof(link));
    if (strcmp(otp, OTP) != 0)
        refused(OTP, ABDM_E_OTP_WRONG, "ABDM-1035");
    assert_linked(0);
    free(lab);
}


/* Whoever can write to the store cannot bring an OTP from one link to another. */
static void
test_the_hash_of_an_otp_opens_no_other_link(void **state)
{
    char *lab = changed(INIT, "patient.0.careContexts.0.referenceNumber", "\"LAB-2\"");
    char otp[16], link[37];
    abdm_row_link_session_t other = {0}, own = session();
    abdm_effects_t e = {0};

    (void) state;
    story_init(&K, lab, otp, link);
    LINK_GET(&K, link_session, &other, .hip_id = HIP, .id = link);
    free(other.otp_hash);
    other.otp_hash = own.otp_hash;
    own.otp_hash = NULL;
    abdm_effect_put_link_session(&e, &other);
    OK_(abdm_store_apply(K.store.store, &e, K.now));
    abdm_effects_clear(&e);
    abdm_row_link_session_clear(&other);
    abdm_row_link_session_clear(&own);
    memcpy(LINK, link, sizeof(link));
    refused(OTP, ABDM_E_OTP_WRONG, "ABDM-1035");
    assert_linked(0);
    free(lab);
}


static void
test_an_unknown_link_is_refused(void **state)
{
    (void) state;
    story_confirm(&K, HIP, "b1f2d3c4-0a9b-48c7-9d6e-5f4a3b2c1d0e", OTP);
    assert_refused(&K, ABDM_PATH_LINK_ON_CONFIRM, "ABDM-1056");
    story_confirm(&K, HIP, "' OR 1=1 --", OTP);
    assert_refused(&K, ABDM_PATH_LINK_ON_CONFIRM, "ABDM-1006");
    assert_session(ABDM_SESSION_SENT, 0);
}


static void
test_a_link_cannot_be_confirmed_through_another_facility(void **state)
{
    (void) state;
    story_confirm(&K, OTHER, LINK, OTP);
    assert_refused(&K, ABDM_PATH_LINK_ON_CONFIRM, "ABDM-1056");
    assert_session(ABDM_SESSION_SENT, 0);
    assert_linked(0);
}


static void
test_a_confirm_before_the_otp_is_out_is_refused(void **state)
{
    (void) state;
    K.now += MINUTES;
    link_call(&K, "link.init_asked", INIT); /* another OTP is being sent */
    confirm(OTP);
    assert_true(link_audited(&K, "link not confirmed", ABDM_E_LINK_UNKNOWN));
    assert_refused(&K, ABDM_PATH_LINK_ON_CONFIRM, "ABDM-1056");
    assert_session(ABDM_SESSION_SENDING, 0);
}


static void
test_a_link_whose_discovery_is_forgotten_is_unknown(void **state)
{
    abdm_row_discovery_t row = {.hip_id = HIP, .id = TRANSACTION};
    abdm_effects_t e = {0};

    (void) state;
    abdm_effect_delete_discovery(&e, &row);
    OK_(abdm_store_apply(K.store.store, &e, K.now));
    abdm_effects_clear(&e);
    refused(OTP, ABDM_E_LINK_UNKNOWN, "ABDM-1056");
}


/* --- whose ABHA --- */

static void
test_an_abha_that_another_patient_got_meanwhile_links_nothing(void **state)
{
    (void) state;
    LINK_PUT(&K, patient, .hip_id = HIP, .ref = "MR-9", .abha_address = ADDRESS);
    refused(OTP, ABDM_E_ABHA_TAKEN, "ABDM-1036");
    assert_session(ABDM_SESSION_FAILED, 1);
    assert_linked(0);
    assert_int_equal(store_kit_number(&K.store, "SELECT count(*) FROM patient"), 1);
    refused(OTP, ABDM_E_LINK_UNKNOWN, "ABDM-1056");
}


static void
test_an_abha_number_that_another_patient_got_meanwhile_links_nothing(void **state)
{
    (void) state;
    LINK_PUT(&K, patient, .hip_id = HIP, .ref = "MR-9", .abha_number = NUMBER);
    refused(OTP, ABDM_E_ABHA_TAKEN, "ABDM-1036");
    assert_linked(0);
}


static void
test_a_patient_who_got_another_abha_meanwhile_is_not_linked(void **state)
{
    (void) state;
    LINK_PUT(&K, patient, .hip_id = HIP, .ref = "MR-1", .abha_address = "other@sbx");
    refused(OTP, ABDM_E_ABHA_TAKEN, "ABDM-1036");
    assert_linked(0);
}


static void
test_a_patient_who_got_another_abha_number_meanwhile_is_not_linked(void **state)
{
    (void) state;
    LINK_PUT(&K, patient, .hip_id = HIP, .ref = "MR-1", .abha_number = "91-0000-0000-0001");
    refused(OTP, ABDM_E_ABHA_TAKEN, "ABDM-1036");
    assert_linked(0);
}


static void
test_another_address_of_the_same_number_takes_the_place_of_the_first(void **state)
{
    abdm_row_patient_t row = {0};

    (void) state;
    LINK_PUT(&K, patient, .hip_id = HIP, .ref = "MR-1", .abha_address = "other@sbx",
             .abha_number = NUMBER, .mobile = "9123456780");
    confirm(OTP);
    assert_linked(2);
    LINK_GET(&K, patient, &row, .hip_id = HIP, .ref = "MR-1");
    assert_string_equal(row.abha_address, ADDRESS);
    assert_string_equal(row.mobile, "9123456780"); /* the hospital's own stays */
    abdm_row_patient_clear(&row);
}


static void
test_another_facility_s_holder_of_the_abha_is_of_no_matter(void **state)
{
    (void) state;
    LINK_PUT(&K, patient, .hip_id = OTHER, .ref = "MR-9", .abha_address = ADDRESS,
             .abha_number = NUMBER);
    confirm(OTP);
    assert_linked(2);
}


static void
test_who_left_abdm_meanwhile_is_not_linked_and_nobody_is_told(void **state)
{
    (void) state;
    LINK_PUT(&K, opt_out, .hip_id = HIP, .abha_address = ADDRESS, .status = "DEACTIVATED");
    refused(OTP, ABDM_E_OPTED_OUT, "ABDM-1056");
    assert_session(ABDM_SESSION_FAILED, 1);
    assert_linked(0);
}


/* --- what the gateway says --- */

static void
test_the_hmis_is_told_once_the_gateway_has_taken_the_link(void **state)
{
    abdm_job_t *job;
    json_t *body;

    (void) state;
    K.facility[0].questions[ABDM_HMIS_TELL] = 1;
    confirm(OTP);
    assert_int_equal(link_waiting(&K, "hmis.told"), 0);
    K.now += SECONDS;
    link_done(&K, "link.confirmed", -1, NULL);
    job = link_job(&K, "hmis.told", 0);
    assert_int_equal(job->kind, ABDM_JOB_TELL);
    assert_string_equal(job->path, "tell");
    body = link_body(job);
    assert_at(body, "hipId", HIP);
    assert_at(body, "event", "linked");
    assert_at(body, "patientRef", "MR-1");
    assert_int_equal(json_array_size(json_object_get(body, "careContexts")), 2);
    json_decref(body);
    assert_linked(2);
    link_failed(&K, "hmis.told", 0, ABDM_E_CONNECT, NULL);
    assert_true(link_audited(&K, "HMIS not told", ABDM_E_CONNECT));
    assert_int_equal(K.n_jobs, 0);
}


static void
test_a_link_that_the_gateway_does_not_take_is_undone(void **state)
{
    abdm_row_context_t row = {0};

    (void) state;
    K.facility[0].questions[ABDM_HMIS_TELL] = 1;
    confirm(OTP);
    K.now += SECONDS;
    link_failed(&K, "link.confirmed", -1, ABDM_E_GATEWAY_REFUSED, "1111");
    assert_true(link_audited(&K, "link not accepted by the gateway", ABDM_E_GATEWAY_REFUSED));
    assert_int_equal(K.n_jobs, 0);
    assert_linked(0);
    assert_session(ABDM_SESSION_FAILED, 1);
    LINK_GET(&K, context, &row, .hip_id = HIP, .ref = "OPD-1");
    assert_int_equal(row.state, ABDM_LINK_NONE);
    assert_int_equal(row.linked_at, 0);
    assert_int_equal(row.notified_types, 0);
    abdm_row_context_clear(&row);
    refused(OTP, ABDM_E_LINK_UNKNOWN, "ABDM-1056");
}


static void
test_a_link_that_the_gateway_had_already_is_made(void **state)
{
    abdm_result_t result = {.err = {ABDM_E_GATEWAY_REFUSED, "test", "test"}, .final = true,
                            .repeated = true};

    (void) state;
    confirm(OTP);
    OK_(link_raise(&K, link_job(&K, "link.confirmed", -1), result));
    assert_linked(2);
    assert_session(ABDM_SESSION_LINKED, 1);
}


static void
test_a_context_deleted_since_it_was_linked_does_not_come_back(void **state)
{
    abdm_row_context_t row = {.hip_id = HIP, .ref = "LAB-2"};
    abdm_effects_t e = {0};

    (void) state;
    confirm(OTP);
    abdm_effect_delete_context(&e, &row);
    OK_(abdm_store_apply(K.store.store, &e, K.now));
    abdm_effects_clear(&e);
    link_done(&K, "link.confirmed", -1, NULL);
    assert_linked(1);
}


static void
test_undoing_leaves_what_was_linked_in_another_way(void **state)
{
    (void) state;
    confirm(OTP);
    LINK_PUT(&K, context, .hip_id = HIP, .ref = "LAB-2", .patient_ref = "MR-1", .display = "Lab",
             .hi_types = 1, .state = ABDM_LINK_LINKED, .linked_at = K.now + 5);
    link_failed(&K, "link.confirmed", -1, ABDM_E_CONNECT, NULL);
    assert_linked(1);
}


/* --- OTPs of the HMIS --- */

static void
test_the_hmis_says_whether_its_otp_is_right(void **state)
{
    abdm_job_t *job;
    json_t *vars;
    char asked[37];

    (void) state;
    confirm(OTP);
    snprintf(asked, sizeof(asked), "%s", K.request_id);
    assert_linked(0);
    job = link_job(&K, "link.otp_verified", 0);
    assert_int_equal(K.n_jobs, 1);
    assert_int_equal(job->kind, ABDM_JOB_HMIS);
    assert_string_equal(job->path, "verify_otp");
    vars = link_body(job);
    assert_at(vars, "hipId", HIP);
    assert_at(vars, "patientRef", "MR-1");
    assert_at(vars, "reference", "otp-77");
    assert_at(vars, "otp", "482913");
    json_decref(vars);
    assert_session(ABDM_SESSION_SENT, 1);

    link_done(&K, "link.otp_verified", 0, "{\"verified\":true}");
    assert_linked(2);
    assert_session(ABDM_SESSION_LINKED, 1);
    abdm_job_t answer = link_out(&K, ABDM_PATH_LINK_ON_CONFIRM);
    json_t *body = link_body(&answer);
    assert_at(body, "response.requestId", asked);
    assert_at(body, "patient.0.referenceNumber", "MR-1");
    json_decref(body);
    abdm_job_clear(&answer);

    /* again: without the HMIS */
    confirm(OTP);
    assert_true(link_audited(&K, "link confirmed again", ABDM_OK));
    assert_int_equal(link_waiting(&K, "link.otp_verified"), 0);
    answer = link_out(&K, ABDM_PATH_LINK_ON_CONFIRM);
    abdm_job_clear(&answer);
    refused("000000", ABDM_E_LINK_UNKNOWN, "ABDM-1056");
}


static void
verdict(const char *verified, abdm_code_t why, const char *code)
{
    confirm(OTP);
    link_done(&K, "link.otp_verified", 0, verified);
    assert_true(link_audited(&K, "link not confirmed", why));
    assert_refused(&K, ABDM_PATH_LINK_ON_CONFIRM, code);
    assert_linked(0);
}


static void
test_what_the_hmis_calls_wrong_counts_as_a_try(void **state)
{
    (void) state;
    verdict("{\"verified\":false}", ABDM_E_OTP_WRONG, "ABDM-1035");
    verdict("{}", ABDM_E_OTP_WRONG, "ABDM-1035");
    verdict("{\"verified\":\"true\"}", ABDM_E_OTP_LOCKED, "ABDM-1035");
    assert_session(ABDM_SESSION_LOCKED, 3);
    refused(OTP, ABDM_E_OTP_LOCKED, "ABDM-1035");
}


static void
test_trouble_with_the_hmis_counts_as_a_try_and_links_nothing(void **state)
{
    static const abdm_code_t troubles[] = {ABDM_E_TIMEOUT, ABDM_E_FIELD, ABDM_E_HTTP_STATUS};

    (void) state;
    for (size_t i = 0; i < 3; i++) {
        confirm(OTP);
        link_failed(&K, "link.otp_verified", 0, troubles[i], NULL);
        assert_refused(&K, ABDM_PATH_LINK_ON_CONFIRM, "ABDM-1024");
    }
    assert_session(ABDM_SESSION_LOCKED, 3);
    assert_linked(0);
}


static void
test_a_guess_while_another_is_at_the_hmis_is_a_try_that_is_wrong(void **state)
{
    (void) state;
    confirm(OTP);
    confirm("000000");
    assert_true(link_audited(&K, "link not confirmed", ABDM_E_OTP_WRONG));
    assert_int_equal(link_waiting(&K, "link.otp_verified"), 1);
    assert_session(ABDM_SESSION_SENT, 2);
    assert_refused(&K, ABDM_PATH_LINK_ON_CONFIRM, "ABDM-1035");
    confirm("000001");
    assert_session(ABDM_SESSION_LOCKED, 3);
    assert_refused(&K, ABDM_PATH_LINK_ON_CONFIRM, "ABDM-1035");
    link_done(&K, "link.otp_verified", 0, "{\"verified\":true}"); /* too late */
    assert_linked(0);
    assert_int_equal(link_waiting(&K, "link.confirmed"), 0);
    assert_int_equal(link_waiting(&K, "reply.sent"), 1);
}


/* --- bad input, and a store that fails --- */

static void
test_each_field_that_is_wrong_is_refused_and_nothing_changed(void **state)
{
    static const char *const required[] = {"confirmation", "confirmation.linkRefNumber"};
    static const char *const tokens[] = {NULL, "null", "-1", "17.5", "true", "{}", "[]", "\"\"",
                                         "\"123456789012345678901234567890123\""};
    char body[256];

    (void) state;
    snprintf(body, sizeof(body),
             "{\"confirmation\":{\"token\":\"%s\",\"linkRefNumber\":\"%s\"}}", OTP, LINK);
    assert_bad_input(&K, "link.confirm_asked", ABDM_PATH_LINK_ON_CONFIRM, body, required, 2);
    for (size_t i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++) {
        char *text = changed(body, "confirmation.token", tokens[i]);

        link_call(&K, "link.confirm_asked", text);
        assert_int_equal(K.last.n, 2);
        assert_refused(&K, ABDM_PATH_LINK_ON_CONFIRM, "ABDM-1006");
        free(text);
    }
    assert_session(ABDM_SESSION_SENT, 0);
}


static void
test_an_otp_that_came_as_a_number_is_the_same_otp(void **state)
{
    char body[256];

    (void) state;
    snprintf(body, sizeof(body),
             "{\"confirmation\":{\"token\":%ld,\"linkRefNumber\":\"%s\"}}", atol(OTP), LINK);
    link_call(&K, "link.confirm_asked", body);
    assert_linked(2);
}


static void
test_an_event_that_could_not_read_the_store_leaves_no_trace(void **state)
{
    char body[256];

    (void) state;
    snprintf(body, sizeof(body),
             "{\"confirmation\":{\"token\":\"%s\",\"linkRefNumber\":\"%s\"}}", OTP, LINK);
    LINK_EACH_READ_FAILS(&K, link_call_at(&K, HIP, "link.confirm_asked", body));
    assert_linked(2);
    assert_session(ABDM_SESSION_LINKED, 1);
    LINK_EACH_READ_FAILS(&K, link_raise(&K, link_job(&K, "link.confirmed", -1),
                                        (abdm_result_t){0}));
}


static void
test_a_verification_that_could_not_read_the_store_leaves_no_trace(void **state)
{
    (void) state;
    confirm(OTP);
    LINK_EACH_READ_FAILS(
        &K, link_raise(&K, link_job(&K, "link.otp_verified", 0),
                       (abdm_result_t){.records = link_json("{\"verified\":true}")}));
    assert_linked(2);
}


#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#define H(f) cmocka_unit_test_setup_teardown(f, setup_hmis, teardown)


int
main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_the_right_otp_links_what_was_chosen),
        T(test_only_the_contexts_of_the_init_are_linked),
        T(test_a_context_known_before_keeps_its_age_and_types),
        T(test_the_right_otp_again_gets_the_same_answer_and_links_nothing_twice),
        T(test_a_link_that_is_made_tells_nothing_to_a_wrong_otp),
        T(test_a_wrong_otp_links_nothing_and_the_third_locks),
        T(test_the_third_try_may_be_right),
        T(test_an_otp_holds_as_long_as_was_told_and_no_longer),
        T(test_a_clock_set_back_does_not_make_an_otp_live_longer),
        T(test_the_otp_of_another_link_is_wrong),
        T(test_the_hash_of_an_otp_opens_no_other_link),
        T(test_an_unknown_link_is_refused),
        T(test_a_link_cannot_be_confirmed_through_another_facility),
        T(test_a_confirm_before_the_otp_is_out_is_refused),
        T(test_a_link_whose_discovery_is_forgotten_is_unknown),
        T(test_an_abha_that_another_patient_got_meanwhile_links_nothing),
        T(test_an_abha_number_that_another_patient_got_meanwhile_links_nothing),
        T(test_a_patient_who_got_another_abha_meanwhile_is_not_linked),
        T(test_a_patient_who_got_another_abha_number_meanwhile_is_not_linked),
        T(test_another_address_of_the_same_number_takes_the_place_of_the_first),
        T(test_another_facility_s_holder_of_the_abha_is_of_no_matter),
        T(test_who_left_abdm_meanwhile_is_not_linked_and_nobody_is_told),
        T(test_the_hmis_is_told_once_the_gateway_has_taken_the_link),
        T(test_a_link_that_the_gateway_does_not_take_is_undone),
        T(test_a_link_that_the_gateway_had_already_is_made),
        T(test_a_context_deleted_since_it_was_linked_does_not_come_back),
        T(test_undoing_leaves_what_was_linked_in_another_way),
        H(test_the_hmis_says_whether_its_otp_is_right),
        H(test_what_the_hmis_calls_wrong_counts_as_a_try),
        H(test_trouble_with_the_hmis_counts_as_a_try_and_links_nothing),
        H(test_a_guess_while_another_is_at_the_hmis_is_a_try_that_is_wrong),
        T(test_each_field_that_is_wrong_is_refused_and_nothing_changed),
        T(test_an_otp_that_came_as_a_number_is_the_same_otp),
        T(test_an_event_that_could_not_read_the_store_leaves_no_trace),
        H(test_a_verification_that_could_not_read_the_store_leaves_no_trace),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
