/* Authentication of a patient through the gateway (v0.5), in each of its modes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "linking_kit.h"

#define MODES   ABDM_PATH_AUTH_MODES
#define INIT    ABDM_PATH_AUTH_INIT
#define CONFIRM ABDM_PATH_AUTH_CONFIRM
#define TX      "a0000000-0000-4000-8000-00000000000a"

static char id[ABDM_UUID_TEXT];


/* What the API's event does, its effects written. */
static abdm_err_t
call(const char *patient_ref, const char *mode, const char *secret)
{
    abdm_event_t ev = {.name = "api.auth", .hip_id = HIP, .subject = "", .now = K.now,
                       .at = K.now};
    abdm_flow_ctx_t ctx = {.view = &K.view, .facility = &K.facility[0], .key = K.store.key};
    abdm_effects_t e = {0};
    abdm_err_t err = patient_ref != NULL
                         ? abdm_flow_auth_begin(&ctx, &ev, patient_ref, mode, id, &e)
                         : abdm_flow_auth_confirm(&ctx, &ev, id, secret, &e);

    if (abdm_failed(err)) {
        assert_int_equal(e.n, 0);
        return err;
    }
    OK_(abdm_store_apply(K.store.store, &e, K.now));
    for (size_t i = 0; i < e.n; i++) {
        if (e.item[i].kind == ABDM_EFFECT_JOB) {
            K.job[K.n_jobs++] = e.item[i].u.job;
            memset(&e.item[i].u.job, 0, sizeof(abdm_job_t));
        } else if (e.item[i].kind == ABDM_EFFECT_AUDIT && secret != NULL) {
            assert_null(e.item[i].u.audit.detail);
        }
    }
    abdm_effects_clear(&e);
    return err;
}


static void
begin(const char *mode)
{
    OK_(call("MR-1", mode, NULL));
}


static void
begun(const char *mode)
{
    char members[256];

    snprintf(members, sizeof(members),
             "\"auth\":{\"transactionId\":\"" TX "\",\"mode\":\"%s\",\"meta\":{\"hint\":"
             "\"******0001\",\"expiry\":null}}", mode);
    answers("auth.begun", goes(INIT), members);
}


static abdm_row_auth_t
auth_row(void)
{
    abdm_row_auth_t row = {0}, copy;

    LINK_GET(&K, auth, &row, .hip_id = HIP, .id = id);
    copy = row;
    copy.hip_id = copy.id = copy.patient_ref = copy.transaction_id = NULL;
    copy.mode = copy.hint = copy.reason = NULL;
    abdm_row_auth_clear(&row);
    return copy;
}


static void
assert_state(abdm_auth_state_t state, const char *reason)
{
    abdm_row_auth_t row = {0};

    LINK_GET(&K, auth, &row, .hip_id = HIP, .id = id);
    assert_int_equal(row.state, state);
    if (reason != NULL)
        assert_string_equal(row.reason, reason);
    abdm_row_auth_clear(&row);
}


static int
auth_open(void **state)
{
    kit_open(state);
    patient_with("MR-1", ASHA);
    visit("V-1", "MR-1");
    return 0;
}


#define AUTH_TEST(f) cmocka_unit_test_setup_teardown(f, auth_open, kit_close)


static void
granted_members(char out[512], const char *abha)
{
    snprintf(out, 512, "\"auth\":{\"accessToken\":\"%s\",\"patient\":{\"id\":\"%s\"}}",
             jwt(K.now + DAYS), abha);
}


static void
an_otp_brings_a_token_that_links(void **state)
{
    char members[512];

    (void) state;
    begin("MOBILE_OTP");
    json_t *body = link_body(call_to(INIT));

    assert_at(body, "query.id", ASHA);
    assert_at(body, "query.authMode", "MOBILE_OTP");
    assert_at(body, "query.requester.id", HIP);
    json_decref(body);
    assert_state(ABDM_AUTH_ASKED, NULL);
    begun("MOBILE_OTP");
    assert_state(ABDM_AUTH_WAITING, NULL);
    OK_(call(NULL, NULL, "271828"));
    assert_state(ABDM_AUTH_CONFIRMING, NULL);
    body = link_body(call_to(CONFIRM));
    assert_at(body, "transactionId", TX);
    assert_at(body, "credential.authCode", "271828");
    json_decref(body);
    granted_members(members, ASHA);
    answers("auth.confirmed", goes(CONFIRM), members);
    assert_state(ABDM_AUTH_GRANTED, NULL);
    assert_false(link_on_disk(&K, "271828"));
    assert_false(link_on_disk(&K, jwt(START + DAYS)));
    settle_now();
    assert_string_equal(call_to(ABDM_PATH_LINK_CONTEXT)->link_token, jwt(START + DAYS));
    assert_int_equal(state_of("V-1"), ABDM_LINK_PENDING);
    link_until(&K, K.now + HOURS); /* auth.over comes and finds it granted */
    assert_state(ABDM_AUTH_GRANTED, NULL);
}


static void
who_cannot_be_asked_is_refused_at_once(void **state)
{
    (void) state;
    assert_int_equal(call("MR-none", "MOBILE_OTP", NULL).code, ABDM_E_NOT_FOUND);
    assert_int_equal(call("MR-1", "PASSWORD", NULL).code, ABDM_E_FIELD);
    patient_with("MR-2", NULL);
    assert_int_equal(call("MR-2", "MOBILE_OTP", NULL).code, ABDM_E_ABHA_NONE);
    LINK_PUT(&K, opt_out, .hip_id = HIP, .abha_address = ASHA, .status = "DELETED", .at = K.now);
    assert_int_equal(call("MR-1", "MOBILE_OTP", NULL).code, ABDM_E_OPTED_OUT);
    assert_int_equal(K.n_jobs, 0);
}


static void
without_a_mode_the_gateway_says_which_there_are(void **state)
{
    (void) state;
    begin(NULL);
    assert_int_equal(calls_to(INIT), 0);
    const char *asked = goes(MODES);

    answers("auth.modes", asked,
            "\"auth\":{\"purpose\":\"LINK\","
            "\"modes\":[\"DEMOGRAPHICS\",\"DIRECT\",\"MOBILE_OTP\"]}");
    json_t *body = link_body(call_to(INIT));

    assert_at(body, "query.authMode", "MOBILE_OTP");
    json_decref(body);
    answers("auth.modes", asked, "\"auth\":{\"purpose\":\"LINK\",\"modes\":[\"DIRECT\"]}");
    assert_int_equal(calls_to(INIT), 1); /* told twice, begun once */
    begun("MOBILE_OTP");
    assert_state(ABDM_AUTH_WAITING, NULL);
}


static void
without_a_usable_mode_it_fails(void **state)
{
    (void) state;
    begin(NULL);
    answers("auth.modes", goes(MODES), "\"auth\":{\"purpose\":\"LINK\",\"modes\":[\"PASSWORD\"]}");
    assert_state(ABDM_AUTH_FAILED, "E_LINK_REFUSED");
    assert_int_equal(calls_to(INIT), 0);
}


static void
demographics_confirm_with_the_patients_own(void **state)
{
    (void) state;
    begin("DEMOGRAPHICS");
    begun("DEMOGRAPHICS");
    OK_(call(NULL, NULL, "1988-02-03"));
    json_t *body = link_body(call_to(CONFIRM));

    assert_at(body, "credential.demographic.name", "Asha Kumari");
    assert_at(body, "credential.demographic.gender", "F");
    assert_at(body, "credential.demographic.dateOfBirth", "1988-02-03");
    json_decref(body);
}


static void
direct_waits_for_the_patient_and_is_answered(void **state)
{
    char body[512];

    (void) state;
    begin("DIRECT");
    begun("DIRECT");
    assert_int_equal(call(NULL, NULL, "271828").code, ABDM_E_CONFLICT);
    snprintf(body, sizeof(body),
             "{\"auth\":{\"transactionId\":\"" TX "\",\"status\":\"GRANTED\","
             "\"accessToken\":\"%s\",\"patient\":{\"id\":\"" ASHA "\"}}}", jwt(K.now + DAYS));
    OK_(link_call_at(&K, OTHER, "auth.notified", body));
    assert_true(link_audited(&K, "authentication notice refused", ABDM_E_ANSWER_UNKNOWN));
    assert_state(ABDM_AUTH_WAITING, NULL);
    abdm_job_t refusal = link_out(&K, ABDM_PATH_AUTH_ON_NOTIFY);
    json_t *json = link_body(&refusal);

    assert_int_equal(json_integer_value(abdm_json_at(json, "error.code")), 1017);
    assert_non_null(abdm_json_at(json, "resp.requestId"));
    json_decref(json);
    abdm_job_clear(&refusal);

    for (int i = 0; i < 2; i++) { /* told twice, answered twice, granted once */
        link_call(&K, "auth.notified", body);
        assert_state(ABDM_AUTH_GRANTED, NULL);
        assert_int_equal(calls_to(ABDM_PATH_AUTH_ON_NOTIFY), 1);
        goes(ABDM_PATH_AUTH_ON_NOTIFY);
        assert_int_equal(link_waiting(&K, "link.due"), 1);
    }
    assert_non_null(token_row_of(ASHA).token);
}


static void
a_denial_ends_it(void **state)
{
    (void) state;
    begin("DIRECT");
    begun("DIRECT");
    link_call(&K, "auth.notified",
              "{\"auth\":{\"transactionId\":\"" TX "\",\"status\":\"DENIED\"}}");
    assert_state(ABDM_AUTH_FAILED, "DENIED");
    goes(ABDM_PATH_AUTH_ON_NOTIFY);
    assert_int_equal(link_waiting(&K, "link.due"), 0);
}


static void
refusals_and_failures_end_it_with_their_reason(void **state)
{
    (void) state;
    begin("MOBILE_OTP");
    is_refused(INIT, "1051");
    assert_state(ABDM_AUTH_FAILED, "1051");
    begin("MOBILE_OTP");
    fails(INIT, ABDM_E_CONNECT);
    assert_state(ABDM_AUTH_FAILED, "E_CONNECT");
    begin("MOBILE_OTP");
    answers_error("auth.begun", goes(INIT), "1100");
    assert_state(ABDM_AUTH_FAILED, "1100");
    begin("MOBILE_OTP");
    begun("MOBILE_OTP");
    OK_(call(NULL, NULL, "111111"));
    answers_error("auth.confirmed", goes(CONFIRM), "1035");
    assert_state(ABDM_AUTH_FAILED, "1035");
    assert_int_equal(call(NULL, NULL, "111111").code, ABDM_E_CONFLICT);
    assert_int_equal(calls_to(CONFIRM), 0);
}


static void
a_token_of_another_patient_grants_nothing(void **state)
{
    char members[512];

    (void) state;
    begin("MOBILE_OTP");
    begun("MOBILE_OTP");
    OK_(call(NULL, NULL, "271828"));
    granted_members(members, "ravi@sbx");
    answers("auth.confirmed", goes(CONFIRM), members);
    assert_state(ABDM_AUTH_FAILED, "E_FIELD");
    assert_int_equal(link_waiting(&K, "link.due"), 0);
}


static void
it_ends_with_its_time(void **state)
{
    (void) state;
    begin("MOBILE_OTP");
    begun("MOBILE_OTP");
    link_until(&K, K.now + 10 * MINUTES - 1);
    assert_state(ABDM_AUTH_WAITING, NULL);
    K.now += 1;
    assert_int_equal(call(NULL, NULL, "271828").code, ABDM_E_OTP_EXPIRED);
    settle_now();
    assert_state(ABDM_AUTH_FAILED, "E_OTP_EXPIRED");
    assert_int_equal(K.n_jobs, 0);
}


static void
the_gateway_may_give_it_more_time(void **state)
{
    char members[256], expiry[ABDM_TIME_TEXT];

    (void) state;
    begin("MOBILE_OTP");
    abdm_time_format(K.now + 20 * MINUTES, expiry);
    snprintf(members, sizeof(members),
             "\"auth\":{\"transactionId\":\"" TX "\",\"mode\":\"MOBILE_OTP\",\"meta\":{\"hint\":"
             "\"x\",\"expiry\":\"%s\"}}", expiry);
    answers("auth.begun", goes(INIT), members);
    assert_int_equal(auth_row().expires_at, K.now + 20 * MINUTES);
    link_until(&K, K.now + 15 * MINUTES);
    assert_state(ABDM_AUTH_WAITING, NULL);
    link_until(&K, K.now + 5 * MINUTES);
    assert_state(ABDM_AUTH_FAILED, "E_OTP_EXPIRED");
}


static void
answers_out_of_order_or_of_others_change_nothing(void **state)
{
    char members[512];

    (void) state;
    begin("MOBILE_OTP");
    const char *init = goes(INIT);

    granted_members(members, ASHA);
    answers("auth.confirmed", init, members); /* nothing was confirmed */
    assert_true(link_audited(&K, "authentication answer refused", ABDM_E_ANSWER_UNKNOWN));
    assert_false(link_changed(&K));
    OK_(answers_at(OTHER, "auth.begun", init, "\"auth\":{\"transactionId\":\"" TX "\","
                                              "\"mode\":\"MOBILE_OTP\"}"));
    assert_true(link_audited(&K, "authentication answer refused", ABDM_E_ANSWER_UNKNOWN));
    assert_false(link_changed(&K));
    answers("auth.begun", init, "\"auth\":{\"mode\":\"MOBILE_OTP\"}");
    assert_true(link_audited(&K, "authentication answer refused", ABDM_E_FIELD));
    assert_false(link_changed(&K));
    assert_int_equal(call(NULL, NULL, "271828").code, ABDM_E_CONFLICT);
    answers("auth.begun", init, "\"auth\":{\"transactionId\":\"" TX "\",\"mode\":\"MOBILE_OTP\"}");
    answers_error("auth.begun", init, "1024"); /* the same once more, and otherwise */
    assert_true(link_audited(&K, "authentication answer repeated", ABDM_OK));
    assert_state(ABDM_AUTH_WAITING, NULL);
    link_call(&K, "auth.notified", "{\"auth\":{\"status\":\"GRANTED\"}}");
    assert_true(link_audited(&K, "authentication notice refused", ABDM_E_FIELD));
    assert_state(ABDM_AUTH_WAITING, NULL);
}


static void
a_patient_who_left_meanwhile_is_granted_nothing(void **state)
{
    char members[512];

    (void) state;
    begin("MOBILE_OTP");
    begun("MOBILE_OTP");
    OK_(call(NULL, NULL, "271828"));
    const char *sent = goes(CONFIRM);

    patient_with("MR-1", NULL);
    granted_members(members, ASHA);
    answers("auth.confirmed", sent, members);
    assert_state(ABDM_AUTH_FAILED, "E_ABHA_NONE");
}


static void
a_store_that_fails_decides_nothing(void **state)
{
    abdm_result_t no = {.err = {ABDM_E_CONNECT, "", ""}};
    char members[512];

    (void) state;
    begin(NULL);
    const char *sent = leaves(MODES);

    LINK_EACH_READ_FAILS(&K, answers_at(HIP, "auth.modes", sent,
                                        "\"auth\":{\"modes\":[\"MOBILE_OTP\"]}"));
    begun("MOBILE_OTP");
    OK_(call(NULL, NULL, "271828"));
    sent = leaves(CONFIRM);
    granted_members(members, ASHA);
    LINK_EACH_READ_FAILS(&K, answers_at(HIP, "auth.confirmed", sent, members));
    assert_state(ABDM_AUTH_GRANTED, NULL);
    begin("DIRECT");
    sent = leaves(INIT);
    K.fail_at = 1;
    assert_int_equal(link_raise(&K, call_to(INIT), no).code, ABDM_E_STORE);
    K.fail_at = 0;
    assert_state(ABDM_AUTH_ASKED, NULL);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        AUTH_TEST(an_otp_brings_a_token_that_links),
        AUTH_TEST(who_cannot_be_asked_is_refused_at_once),
        AUTH_TEST(without_a_mode_the_gateway_says_which_there_are),
        AUTH_TEST(without_a_usable_mode_it_fails),
        AUTH_TEST(demographics_confirm_with_the_patients_own),
        AUTH_TEST(direct_waits_for_the_patient_and_is_answered),
        AUTH_TEST(a_denial_ends_it),
        AUTH_TEST(refusals_and_failures_end_it_with_their_reason),
        AUTH_TEST(a_token_of_another_patient_grants_nothing),
        AUTH_TEST(it_ends_with_its_time),
        AUTH_TEST(the_gateway_may_give_it_more_time),
        AUTH_TEST(answers_out_of_order_or_of_others_change_nothing),
        AUTH_TEST(a_patient_who_left_meanwhile_is_granted_nothing),
        AUTH_TEST(a_store_that_fails_decides_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
