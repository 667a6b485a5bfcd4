/* Links that patients begin: what may be linked, and how an OTP reaches them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "link_kit.h"
#include "link_story.h"

#define ONLY_LAB                                                                                   \
    "{\"transactionId\":\"" TRANSACTION "\",\"abhaAddress\":\"" ADDRESS "\",\"patient\":["         \
    "{\"referenceNumber\":\"MR-1\",\"careContexts\":[{\"referenceNumber\":\"LAB-2\"}],"            \
    "\"hiType\":\"DiagnosticReport\",\"count\":1}]}"

#define ONLY_OPD                                                                                   \
    "{\"transactionId\":\"" TRANSACTION "\",\"abhaAddress\":\"" ADDRESS "\",\"patient\":["         \
    "{\"referenceNumber\":\"MR-1\",\"careContexts\":[{\"referenceNumber\":\"OPD-1\"}],"            \
    "\"hiType\":\"Prescription\",\"count\":1}]}"

static link_kit_t K;
static char OTP[16], LINK[37];


static int
setup(void **state)
{
    (void) state;
    link_kit_open(&K);
    story_discover(&K);
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
session(const char *id)
{
    abdm_row_link_session_t row = {0};

    LINK_GET(&K, link_session, &row, .hip_id = HIP, .id = (char *) id);
    return row;
}


static int64_t
state_of(const char *id)
{
    abdm_row_link_session_t row = session(id);
    int64_t state = row.state;

    abdm_row_link_session_clear(&row);
    return state;
}


static int64_t
sessions(void)
{
    return store_kit_number(&K.store, "SELECT count(*) FROM link_session");
}


/* --- the OTP --- */

static void
test_an_otp_of_six_digits_goes_to_the_mobile_by_sms(void **state)
{
    abdm_row_link_session_t row;
    abdm_job_t *job;
    json_t *vars;
    const char *otp;

    (void) state;
    link_call(&K, "link.init_asked", INIT);
    assert_int_equal(K.n_jobs, 1);
    job = link_job(&K, "link.otp_sent", -1);
    assert_int_equal(job->kind, ABDM_JOB_SMS);
    assert_string_equal(job->path, "otp");
    assert_int_equal(job->due_at, K.now);
    assert_true(job->deadline_at > K.now && job->deadline_at <= K.now + MINUTES);
    vars = link_body(job);
    assert_at(vars, "mobile", MOBILE);
    assert_at(vars, "minutes", "10");
    assert_at(vars, "facility", "Demo Hospital");
    otp = abdm_json_string_at(vars, "otp");
    assert_int_equal(strlen(otp), 6);
    assert_int_equal(strspn(otp, "0123456789"), 6);

    row = session(job->subject);
    assert_int_equal(row.state, ABDM_SESSION_SENDING);
    assert_string_equal(row.discovery_id, TRANSACTION);
    assert_string_equal(row.contexts, "[\"OPD-1\",\"LAB-2\"]");
    assert_int_equal(strlen(row.otp_hash), 64);
    assert_null(strstr(row.otp_hash, otp));
    assert_int_equal(row.sends, 1);
    assert_int_equal(row.tries, 0);
    assert_int_equal(row.expires_at, K.now + 10 * MINUTES);
    assert_int_equal(row.keep_until, K.now + HOURS);
    abdm_row_link_session_clear(&row);
    json_decref(vars);
}


static void
test_no_audit_has_the_otp_or_the_mobile(void **state)
{
    char sql[128];

    (void) state;
    story_init(&K, INIT, OTP, LINK);
    story_confirm(&K, HIP, LINK, OTP);
    assert_true(store_kit_number(&K.store, "SELECT count(*) FROM audit") > 3);
    snprintf(sql, sizeof(sql), "SELECT count(*) FROM audit WHERE detail LIKE '%%%s%%'", OTP);
    assert_int_equal(store_kit_number(&K.store, sql), 0);
    snprintf(sql, sizeof(sql), "SELECT count(*) FROM audit WHERE detail LIKE '%%%s%%'", MOBILE);
    assert_int_equal(store_kit_number(&K.store, sql), 0);
    assert_false(link_on_disk(&K, MOBILE));
    assert_false(link_on_disk(&K, "asha.k"));
}


static void
test_once_it_is_sent_the_gateway_gets_link_hint_and_expiry(void **state)
{
    char expiry[ABDM_TIME_TEXT];
    abdm_job_t job;
    json_t *body;

    (void) state;
    link_call(&K, "link.init_asked", INIT);
    assert_int_equal(link_waiting(&K, "reply.sent"), 0);
    K.now += 2 * SECONDS;
    link_done(&K, "link.otp_sent", -1, NULL);
    assert_true(link_audited(&K, "OTP sent", ABDM_OK));
    job = link_out(&K, ABDM_PATH_LINK_ON_INIT);
    body = link_body(&job);
    assert_int_equal(job.due_at, K.now);
    assert_at(body, "transactionId", TRANSACTION);
    assert_at(body, "link.meta.communicationHint", "xxxxxx0001");
    assert_at(body, "link.meta.communicationMedium", "MOBILE");
    abdm_time_format(K.now + 10 * MINUTES, expiry);
    assert_at(body, "link.meta.communicationExpiry", expiry);
    assert_at(body, "response.requestId", K.request_id);
    assert_null(json_object_get(body, "error"));
    assert_null(strstr(job.body, MOBILE));
    assert_int_equal(state_of(abdm_json_string_at(body, "link.referenceNumber")),
                     ABDM_SESSION_SENT);
    json_decref(body);
    abdm_job_clear(&job);
}


static void
test_an_sms_that_does_not_leave_ends_the_link(void **state)
{
    char id[37];

    (void) state;
    link_call(&K, "link.init_asked", INIT);
    snprintf(id, sizeof(id), "%s", link_job(&K, "link.otp_sent", -1)->subject);
    link_failed(&K, "link.otp_sent", -1, ABDM_E_SMS, NULL);
    assert_true(link_audited(&K, "OTP not sent", ABDM_E_SMS));
    assert_refused(&K, ABDM_PATH_LINK_ON_INIT, "ABDM-1004");
    assert_int_equal(state_of(id), ABDM_SESSION_FAILED);
    story_confirm(&K, HIP, id, "123456");
    assert_refused(&K, ABDM_PATH_LINK_ON_CONFIRM, "ABDM-1056");
}


static void
test_without_a_way_to_send_it_the_link_is_refused_at_once(void **state)
{
    (void) state;
    K.facility[0].sms = false;
    link_call(&K, "link.init_asked", INIT);
    assert_refused(&K, ABDM_PATH_LINK_ON_INIT, "ABDM-1004");
    assert_int_equal(sessions(), 0);
    assert_int_equal(K.n_jobs, 0);
}


static void
test_without_a_mobile_the_link_is_refused_at_once(void **state)
{
    abdm_row_discovery_t row = {0};
    abdm_effects_t e = {0};

    (void) state;
    LINK_GET(&K, discovery, &row, .hip_id = HIP, .id = TRANSACTION);
    free(row.mobile);
    row.mobile = NULL;
    abdm_effect_put_discovery(&e, &row);
    OK_(abdm_store_apply(K.store.store, &e, K.now));
    abdm_effects_clear(&e);
    abdm_row_discovery_clear(&row);
    link_call(&K, "link.init_asked", INIT);
    assert_refused(&K, ABDM_PATH_LINK_ON_INIT, "ABDM-1004");
    assert_int_equal(sessions(), 0);

    /* unless the HMIS has a way of its own */
    K.facility[0].questions[ABDM_HMIS_SEND_OTP] = 1;
    K.facility[0].questions[ABDM_HMIS_VERIFY_OTP] = 1;
    link_call(&K, "link.init_asked", INIT);
    link_done(&K, "link.otp_sent", 0, "{}");
    abdm_job_t job = link_out(&K, ABDM_PATH_LINK_ON_INIT);
    json_t *body = link_body(&job);
    assert_at(body, "link.meta.communicationHint", "OTP");
    json_decref(body);
    abdm_job_clear(&job);
}


static void
test_an_hmis_that_sends_and_verifies_otps_does_so(void **state)
{
    abdm_row_link_session_t row;
    abdm_job_t *job;
    json_t *vars;
    char id[37];

    (void) state;
    K.facility[0].sms = false;
    K.facility[0].questions[ABDM_HMIS_SEND_OTP] = 1;
    K.facility[0].questions[ABDM_HMIS_VERIFY_OTP] = 1;
    link_call(&K, "link.init_asked", INIT);
    job = link_job(&K, "link.otp_sent", 0);
    assert_int_equal(job->kind, ABDM_JOB_HMIS);
    assert_string_equal(job->path, "send_otp");
    snprintf(id, sizeof(id), "%s", job->subject);
    vars = link_body(job);
    assert_at(vars, "hipId", HIP);
    assert_at(vars, "patientRef", "MR-1");
    assert_at(vars, "mobile", MOBILE);
    assert_at(vars, "purpose", "link");
    assert_null(json_object_get(vars, "otp"));
    json_decref(vars);
    link_done(&K, "link.otp_sent", 0, "{\"reference\":\"otp-77\"}");
    row = session(id);
    assert_int_equal(row.state, ABDM_SESSION_SENT);
    assert_null(row.otp_hash);
    assert_string_equal(row.hmis_otp, "otp-77");
    abdm_row_link_session_clear(&row);
    assert_int_equal(link_waiting(&K, "reply.sent"), 1);
}


static void
test_an_hmis_that_cannot_send_it_ends_the_link(void **state)
{
    (void) state;
    K.facility[0].sms = false;
    K.facility[0].questions[ABDM_HMIS_SEND_OTP] = 1;
    K.facility[0].questions[ABDM_HMIS_VERIFY_OTP] = 1;
    link_call(&K, "link.init_asked", INIT);
    link_failed(&K, "link.otp_sent", 0, ABDM_E_TIMEOUT, NULL);
    assert_refused(&K, ABDM_PATH_LINK_ON_INIT, "ABDM-1004");
}


static void
test_an_hmis_that_cannot_verify_an_otp_is_not_asked_to_send_one(void **state)
{
    (void) state;
    K.facility[0].questions[ABDM_HMIS_SEND_OTP] = 1;
    link_call(&K, "link.init_asked", INIT);
    assert_int_equal(link_job(&K, "link.otp_sent", -1)->kind, ABDM_JOB_SMS);
}


/* --- again --- */

static void
test_within_a_minute_the_same_otp_holds(void **state)
{
    char first[37], again[37];
    abdm_job_t job;
    json_t *body;

    (void) state;
    link_call(&K, "link.init_asked", INIT);
    snprintf(first, sizeof(first), "%s", link_job(&K, "link.otp_sent", -1)->subject);
    K.now += 5 * SECONDS;
    link_call(&K, "link.init_asked", INIT); /* while it is being sent */
    assert_true(link_audited(&K, "link repeated", ABDM_OK));
    assert_int_equal(K.n_jobs, 1);
    link_done(&K, "link.otp_sent", -1, NULL);
    job = link_out(&K, ABDM_PATH_LINK_ON_INIT);
    body = link_body(&job);
    assert_at(body, "response.requestId", K.request_id); /* whoever asked last waits */
    json_decref(body);

    K.now += 59 * SECONDS;
    link_call(&K, "link.init_asked", INIT);
    assert_int_equal(link_waiting(&K, "link.otp_sent"), 0);
    abdm_job_t second = link_out(&K, ABDM_PATH_LINK_ON_INIT);
    body = link_body(&second);
    assert_at(body, "response.requestId", K.request_id);
    snprintf(again, sizeof(again), "%s", abdm_json_string_at(body, "link.referenceNumber"));
    assert_string_equal(first, again);
    json_t *before = link_body(&job);
    assert_at(body, "link.meta.communicationExpiry",
              abdm_json_string_at(before, "link.meta.communicationExpiry"));
    json_decref(before);
    json_decref(body);
    abdm_job_clear(&second);
    abdm_job_clear(&job);
    assert_int_equal(sessions(), 1);
}


static void
test_after_a_minute_another_otp_is_sent_three_times_in_all(void **state)
{
    char otp[16], link[37];

    (void) state;
    story_init(&K, INIT, OTP, LINK);
    K.now += MINUTES;
    story_init(&K, INIT, otp, link);
    assert_string_equal(link, LINK);
    if (strcmp(otp, OTP) != 0) {
        story_confirm(&K, HIP, LINK, OTP); /* the former one is no more */
        assert_refused(&K, ABDM_PATH_LINK_ON_CONFIRM, "ABDM-1035");
    }
    K.now += MINUTES;
    story_init(&K, INIT, otp, link);
    K.now += MINUTES;
    link_call(&K, "link.init_asked", INIT);
    assert_true(link_audited(&K, "link refused", ABDM_E_OTP_SEND));
    assert_refused(&K, ABDM_PATH_LINK_ON_INIT, "ABDM-1004");
    assert_int_equal(link_waiting(&K, "link.otp_sent"), 0);
    story_confirm(&K, HIP, LINK, otp); /* the last one still is */
    assert_int_equal(state_of(LINK), ABDM_SESSION_LINKED);
}


static void
test_another_otp_does_not_give_more_tries(void **state)
{
    char link[37];

    (void) state;
    story_init(&K, INIT, OTP, LINK);
    for (int i = 0; i < 2; i++) {
        story_confirm(&K, HIP, LINK, other_otp(OTP));
        assert_refused(&K, ABDM_PATH_LINK_ON_CONFIRM, "ABDM-1035");
    }
    K.now += MINUTES;
    story_init(&K, INIT, OTP, link);
    story_confirm(&K, HIP, LINK, other_otp(OTP));
    assert_refused(&K, ABDM_PATH_LINK_ON_CONFIRM, "ABDM-1035");
    assert_int_equal(state_of(LINK), ABDM_SESSION_LOCKED);
    link_call(&K, "link.init_asked", INIT);
    assert_true(link_audited(&K, "link refused", ABDM_E_OTP_LOCKED));
    assert_refused(&K, ABDM_PATH_LINK_ON_INIT, "ABDM-1035");
    link_call(&K, "link.init_asked", ONLY_LAB);
    assert_refused(&K, ABDM_PATH_LINK_ON_INIT, "ABDM-1035");
}


static void
test_other_contexts_are_another_link_with_another_otp(void **state)
{
    char otp[16], link[37];

    (void) state;
    story_init(&K, INIT, OTP, LINK);
    story_init(&K, ONLY_LAB, otp, link);
    assert_string_not_equal(link, LINK);
    assert_int_equal(state_of(LINK), ABDM_SESSION_FAILED);
    story_confirm(&K, HIP, LINK, OTP);
    assert_refused(&K, ABDM_PATH_LINK_ON_CONFIRM, "ABDM-1056");
    story_confirm(&K, HIP, link, otp);
    assert_int_equal(state_of(link), ABDM_SESSION_LINKED);
}


static void
test_a_link_that_was_made_leaves_the_other_contexts_to_be_linked(void **state)
{
    char otp[16], link[37];

    (void) state;
    story_init(&K, ONLY_LAB, OTP, LINK);
    story_confirm(&K, HIP, LINK, OTP);
    link_call(&K, "link.init_asked", INIT); /* one of the two is linked */
    assert_refused(&K, ABDM_PATH_LINK_ON_INIT, "ABDM-1056");
    story_init(&K, ONLY_OPD, otp, link);
    story_confirm(&K, HIP, link, otp);
    assert_int_equal(state_of(link), ABDM_SESSION_LINKED);
}


/* --- budgets --- */

static void
test_a_patient_begins_five_links_an_hour_and_no_more(void **state)
{
    static const char *const inits[] = {INIT, ONLY_LAB};

    (void) state;
    for (int i = 0; i < 5; i++) {
        K.now += i == 4 ? 10 * MINUTES : 0;
        story_init(&K, inits[i % 2], OTP, LINK);
    }
    link_call(&K, "link.init_asked", ONLY_LAB);
    assert_true(link_audited(&K, "link refused", ABDM_E_BUDGET));
    assert_refused(&K, ABDM_PATH_LINK_ON_INIT, "ABDM-1010");
    assert_int_equal(state_of(LINK), ABDM_SESSION_SENT); /* what is under way stays so */
    K.now += 50 * MINUTES - SECONDS;
    link_call(&K, "link.init_asked", ONLY_LAB);
    assert_refused(&K, ABDM_PATH_LINK_ON_INIT, "ABDM-1010");
    K.now += SECONDS;
    story_init(&K, ONLY_LAB, OTP, LINK);
    assert_int_equal(sessions(), 6);
}


static void
test_a_mobile_gets_twenty_otps_a_day_and_no_more(void **state)
{
    (void) state;
    LINK_PUT(&K, budget, .hip_id = HIP, .name = "otp mobile", .value = MOBILE, .since = K.now,
             .count = 19);
    story_init(&K, INIT, OTP, LINK);
    link_call(&K, "link.init_asked", ONLY_LAB);
    assert_true(link_audited(&K, "link refused", ABDM_E_BUDGET));
    assert_refused(&K, ABDM_PATH_LINK_ON_INIT, "ABDM-1010");
    K.now += 2 * MINUTES;
    link_call(&K, "link.init_asked", INIT);
    assert_refused(&K, ABDM_PATH_LINK_ON_INIT, "ABDM-1010");
    assert_int_equal(sessions(), 1);
}


/* --- what may not be linked --- */

static void
assert_init_refused(const char *hip, const char *init, abdm_code_t why, const char *code)
{
    OK_(link_call_at(&K, hip, "link.init_asked", init));
    if (K.last.n != 2)
        fail_msg("%s: %zu effects", init, K.last.n);
    assert_true(link_audited(&K, "link refused", why));
    assert_refused(&K, ABDM_PATH_LINK_ON_INIT, code);
    assert_int_equal(K.n_jobs, 0);
    assert_int_equal(sessions(), 0);
}


static void
test_what_was_not_offered_in_this_discovery_is_not_linked(void **state)
{
    static const struct {
        const char *path, *value;
        abdm_code_t why;
        const char *code;
    } cases[] = {
        {"transactionId", "\"b4d0c3f2-9b18-4a7e-8c55-3f2e1d0c9b8a\"", ABDM_E_DISCOVERY_UNKNOWN,
         "ABDM-1017"},
        {"abhaAddress", "\"mallory@sbx\"", ABDM_E_DISCOVERY_UNKNOWN, "ABDM-1017"},
        {"patient.0.referenceNumber", "\"MR-2\"", ABDM_E_FIELD, "ABDM-1006"}, /* two patients */
        {"patient.0.careContexts.0.referenceNumber", "\"OPD-9\"", ABDM_E_CONTEXT_NOT_OFFERED,
         "ABDM-1057"},
    };
    char *other = changed(INIT, "patient.0.referenceNumber", "\"MR-2\"");
    char *both = changed(other, "patient.1.referenceNumber", "\"MR-2\"");

    (void) state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *text = changed(INIT, cases[i].path, cases[i].value);

        assert_init_refused(HIP, text, cases[i].why, cases[i].code);
        free(text);
    }
    assert_init_refused(HIP, both, ABDM_E_CONTEXT_NOT_OFFERED, "ABDM-1057");
    assert_init_refused(OTHER, INIT, ABDM_E_DISCOVERY_UNKNOWN, "ABDM-1017");
    free(both);
    free(other);
}


static void
test_what_was_linked_since_is_not_linked_again(void **state)
{
    (void) state;
    LINK_PUT(&K, context, .hip_id = HIP, .ref = "LAB-2", .patient_ref = "MR-1",
             .state = ABDM_LINK_LINKED);
    assert_init_refused(HIP, INIT, ABDM_E_CONTEXT_LINKED, "ABDM-1056");
}


static void
test_who_left_abdm_links_nothing_and_nobody_is_told(void **state)
{
    (void) state;
    LINK_PUT(&K, opt_out, .hip_id = HIP, .abha_address = ADDRESS, .status = "DELETED");
    assert_init_refused(HIP, INIT, ABDM_E_OPTED_OUT, "ABDM-1017");
}


static void
test_an_old_discovery_offers_nothing(void **state)
{
    (void) state;
    K.now = START + HOURS;
    assert_init_refused(HIP, INIT, ABDM_E_DISCOVERY_UNKNOWN, "ABDM-1017");
}


static void
test_a_discovery_that_found_nobody_offers_nothing(void **state)
{
    char *text = changed(DISCOVER, "transactionId", "\"c4d0c3f2-9b18-4a7e-8c55-3f2e1d0c9b8a\"");
    char *init = changed(INIT, "transactionId", "\"c4d0c3f2-9b18-4a7e-8c55-3f2e1d0c9b8a\"");

    (void) state;
    link_call(&K, "discovery.asked", text);
    OK_(link_call_at(&K, HIP, "link.init_asked", init)); /* before it is answered */
    assert_refused(&K, ABDM_PATH_LINK_ON_INIT, "ABDM-1017");
    answer_find(&K, "[]", NULL, NULL);
    OK_(link_call_at(&K, HIP, "link.init_asked", init));
    assert_refused(&K, ABDM_PATH_LINK_ON_INIT, "ABDM-1017");
    assert_int_equal(sessions(), 0);
    free(init);
    free(text);
}


/* --- the gateway's own errors, and what comes late --- */

#define ERROR                                                                                      \
    "{\"transactionId\":\"" TRANSACTION "\","                                                      \
    "\"error\":{\"code\":\"ABDM-1056\",\"message\":\"x\"}}"

static void
test_an_error_instead_of_an_init_ends_the_link_and_is_not_answered(void **state)
{
    (void) state;
    link_call(&K, "link.init_asked", ERROR);
    assert_int_equal(K.n_jobs, 0);
    link_call(&K, "link.init_asked", "{\"error\":{\"code\":1056,\"message\":\"x\"}}");
    assert_int_equal(K.n_jobs, 0);
    story_init(&K, INIT, OTP, LINK);
    link_call(&K, "link.init_asked", ERROR);
    assert_true(link_audited(&K, "link ended by the gateway", ABDM_E_GATEWAY_REFUSED));
    assert_int_equal(K.n_jobs, 0);
    assert_int_equal(state_of(LINK), ABDM_SESSION_FAILED);
    story_confirm(&K, HIP, LINK, OTP);
    assert_refused(&K, ABDM_PATH_LINK_ON_CONFIRM, "ABDM-1056");
}


static void
test_an_error_of_another_facility_ends_nothing(void **state)
{
    (void) state;
    story_init(&K, INIT, OTP, LINK);
    OK_(link_call_at(&K, OTHER, "link.init_asked", ERROR));
    assert_int_equal(state_of(LINK), ABDM_SESSION_SENT);
}


static void
test_an_otp_that_was_sent_for_a_link_given_up_is_not_told(void **state)
{
    (void) state;
    link_call(&K, "link.init_asked", INIT);
    link_call(&K, "link.init_asked", ERROR);
    link_done(&K, "link.otp_sent", -1, NULL);
    assert_int_equal(K.last.n, 0);
    assert_int_equal(K.n_jobs, 0);
}


static void
test_what_came_of_an_otp_of_a_forgotten_link_is_ignored(void **state)
{
    abdm_row_link_session_t row = {.hip_id = HIP};
    abdm_effects_t e = {0};

    (void) state;
    link_call(&K, "link.init_asked", INIT);
    row.id = link_job(&K, "link.otp_sent", -1)->subject;
    abdm_effect_delete_link_session(&e, &row);
    OK_(abdm_store_apply(K.store.store, &e, K.now));
    abdm_effects_clear(&e);
    link_done(&K, "link.otp_sent", -1, NULL);
    assert_int_equal(K.n_jobs, 0);
}


/* --- bad input, and a store that fails --- */

static void
test_each_field_that_is_wrong_is_refused_and_nothing_kept(void **state)
{
    static const char *const required[] = {
        "transactionId", "abhaAddress", "patient", "patient.0.referenceNumber",
        "patient.0.careContexts", "patient.0.careContexts.0.referenceNumber"};

    (void) state;
    assert_bad_input(&K, "link.init_asked", ABDM_PATH_LINK_ON_INIT, INIT, required, 6);
    assert_int_equal(sessions(), 0);
}


static void
test_a_body_that_is_no_object_is_refused(void **state)
{
    static const char *const bodies[] = {"[]", "17", "\"x\"", "null", "{}"};

    (void) state;
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        link_call(&K, "link.init_asked", bodies[i]);
        assert_refused(&K, ABDM_PATH_LINK_ON_INIT, "ABDM-1006");
        link_call(&K, "discovery.asked", bodies[i]);
        assert_refused(&K, ABDM_PATH_ON_DISCOVER, "ABDM-1006");
        link_call(&K, "link.confirm_asked", bodies[i]);
        assert_refused(&K, ABDM_PATH_LINK_ON_CONFIRM, "ABDM-1006");
    }
}


static void
test_an_event_that_could_not_read_the_store_leaves_no_trace(void **state)
{
    (void) state;
    LINK_EACH_READ_FAILS(&K, link_call_at(&K, HIP, "link.init_asked", INIT));
    LINK_EACH_READ_FAILS(&K, link_raise(&K, link_job(&K, "link.otp_sent", -1),
                                        (abdm_result_t){0}));
    K.now += MINUTES;
    LINK_EACH_READ_FAILS(&K, link_call_at(&K, HIP, "link.init_asked", INIT));
    LINK_EACH_READ_FAILS(&K, link_call_at(&K, HIP, "link.init_asked", ONLY_LAB));
    LINK_EACH_READ_FAILS(&K, link_call_at(&K, HIP, "link.init_asked", ERROR));
    assert_int_equal(sessions(), 2);
}


#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)


int
main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_an_otp_of_six_digits_goes_to_the_mobile_by_sms),
        T(test_no_audit_has_the_otp_or_the_mobile),
        T(test_once_it_is_sent_the_gateway_gets_link_hint_and_expiry),
        T(test_an_sms_that_does_not_leave_ends_the_link),
        T(test_without_a_way_to_send_it_the_link_is_refused_at_once),
        T(test_without_a_mobile_the_link_is_refused_at_once),
        T(test_an_hmis_that_sends_and_verifies_otps_does_so),
        T(test_an_hmis_that_cannot_send_it_ends_the_link),
        T(test_an_hmis_that_cannot_verify_an_otp_is_not_asked_to_send_one),
        T(test_within_a_minute_the_same_otp_holds),
        T(test_after_a_minute_another_otp_is_sent_three_times_in_all),
        T(test_another_otp_does_not_give_more_tries),
        T(test_other_contexts_are_another_link_with_another_otp),
        T(test_a_link_that_was_made_leaves_the_other_contexts_to_be_linked),
        T(test_a_patient_begins_five_links_an_hour_and_no_more),
        T(test_a_mobile_gets_twenty_otps_a_day_and_no_more),
        T(test_what_was_not_offered_in_this_discovery_is_not_linked),
        T(test_what_was_linked_since_is_not_linked_again),
        T(test_who_left_abdm_links_nothing_and_nobody_is_told),
        T(test_an_old_discovery_offers_nothing),
        T(test_a_discovery_that_found_nobody_offers_nothing),
        T(test_an_error_instead_of_an_init_ends_the_link_and_is_not_answered),
        T(test_an_error_of_another_facility_ends_nothing),
        T(test_an_otp_that_was_sent_for_a_link_given_up_is_not_told),
        T(test_what_came_of_an_otp_of_a_forgotten_link_is_ignored),
        T(test_each_field_that_is_wrong_is_refused_and_nothing_kept),
        T(test_a_body_that_is_no_object_is_refused),
        T(test_an_event_that_could_not_read_the_store_leaves_no_trace),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
