/* Telling of new data in linked care contexts, and the deep link of those without ABHA. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "linking_kit.h"

#define NOTIFY ABDM_PATH_CONTEXT_NOTIFY
#define SMS    ABDM_PATH_SMS_NOTIFY

#define PRESCRIPTION (1u << ABDM_HI_PRESCRIPTION)
#define INVOICE      (1u << ABDM_HI_INVOICE)


/* --- new data --- */

/* V-1 of MR-1, linked some time ago. */
static void
linked(abdm_ms_t ago)
{
    patient_with("MR-1", ASHA);
    LINK_PUT(&K, context, .hip_id = HIP, .ref = "V-1", .patient_ref = "MR-1", .display = "Visit",
             .hi_types = PRESCRIPTION, .notified_types = PRESCRIPTION, .state = ABDM_LINK_LINKED,
             .batch = "b", .linked_at = K.now - ago);
}


/* More of `types` comes to it. */
static void
comes(unsigned types)
{
    abdm_row_context_t row = {0};
    abdm_event_t ev = {.hip_id = HIP, .subject = "", .now = K.now, .at = K.now};
    abdm_effects_t e = {0};

    LINK_GET(&K, context, &row, .hip_id = HIP, .ref = "V-1");
    row.hi_types |= types;
    abdm_flow_context_notify(&e, &ev, &row);
    abdm_effect_put_context(&e, &row);
    OK_(abdm_store_apply(K.store.store, &e, K.now));
    for (size_t i = 0; i < e.n; i++) {
        if (e.item[i].kind == ABDM_EFFECT_JOB) {
            K.job[K.n_jobs++] = e.item[i].u.job;
            memset(&e.item[i].u.job, 0, sizeof(abdm_job_t));
        }
    }
    abdm_effects_clear(&e);
    abdm_row_context_clear(&row);
}


static void
ok_comes(const char *id)
{
    answers("context.notified", id, "\"acknowledgement\":{\"status\":\"SUCCESS\"},\"error\":null");
}


static void
new_types_are_told_with_the_patient_as_linked(void **state)
{
    (void) state;
    linked(DAYS);
    comes(INVOICE);
    settle_now();
    json_t *body = link_body(call_to(NOTIFY));

    assert_at(body, "notification.patient.id", ASHA);
    assert_at(body, "notification.careContext.patientReference", "MR-1");
    assert_at(body, "notification.careContext.careContextReference", "V-1");
    assert_at(body, "notification.hiTypes.0", "Invoice");
    assert_null(abdm_json_at(body, "notification.hiTypes.1"));
    assert_at(body, "notification.hip.id", HIP);
    json_decref(body);
    ok_comes(goes(NOTIFY));
    assert_true(link_audited(&K, "new data notified", ABDM_OK));
    assert_int_equal(context_row("V-1")->notified_types, PRESCRIPTION | INVOICE);
    assert_int_equal(context_row("V-1")->notify, ABDM_NOTIFY_NONE);
    link_until(&K, K.now + DAYS);
    assert_int_equal(K.n_jobs, 0);
}


static void
a_newer_version_tells_of_the_types_there_are(void **state)
{
    (void) state;
    linked(DAYS);
    comes(0);
    settle_now();
    json_t *body = link_body(call_to(NOTIFY));

    assert_at(body, "notification.hiTypes.0", "Prescription");
    json_decref(body);
}


static void
nothing_is_told_within_half_a_minute_of_the_link(void **state)
{
    (void) state;
    linked(10 * SECONDS);
    comes(INVOICE);
    link_until(&K, K.now + 20 * SECONDS - 1);
    assert_int_equal(calls_to(NOTIFY), 0);
    link_until(&K, K.now + 1);
    assert_int_equal(calls_to(NOTIFY), 1);
}


static void
one_at_a_time_and_then_what_came_meanwhile(void **state)
{
    (void) state;
    linked(DAYS);
    comes(INVOICE);
    comes(INVOICE);
    settle_now();
    assert_int_equal(calls_to(NOTIFY), 1);
    const char *id = goes(NOTIFY);

    comes(1u << ABDM_HI_WELLNESS_RECORD);
    comes(0);
    settle_now();
    assert_int_equal(calls_to(NOTIFY), 0);
    ok_comes(id);
    settle_now();
    assert_int_equal(calls_to(NOTIFY), 1);
    ok_comes(goes(NOTIFY));
    settle_now();
    assert_int_equal(calls_to(NOTIFY), 0);
    assert_int_equal(context_row("V-1")->notified_types, context_row("V-1")->hi_types);
}


static void
too_early_is_told_again_after_5_15_and_60_seconds(void **state)
{
    static const abdm_ms_t waits[] = {5, 15, 60};

    (void) state;
    linked(DAYS);
    comes(INVOICE);
    settle_now();
    for (int i = 0; i < 3; i++) {
        answers_error("context.notified", goes(NOTIFY), "1006");
        link_until(&K, K.now + waits[i] * SECONDS - 1);
        assert_int_equal(calls_to(NOTIFY), 0);
        link_until(&K, K.now + 1);
        assert_int_equal(calls_to(NOTIFY), 1);
    }
    answers_error("context.notified", goes(NOTIFY), "1006");
    assert_true(link_audited(&K, "new data not notified", ABDM_E_LINK_REFUSED));
    assert_int_equal(context_row("V-1")->notified_types, PRESCRIPTION);
    link_until(&K, K.now + DAYS);
    assert_int_equal(K.n_jobs, 0);
    comes(0); /* the next news has its own tries */
    settle_now();
    answers_error("context.notified", goes(NOTIFY), "1006");
    link_until(&K, K.now + 5 * SECONDS);
    assert_int_equal(calls_to(NOTIFY), 1);
}


static void
other_refusals_are_not_told_again(void **state)
{
    (void) state;
    linked(DAYS);
    comes(INVOICE);
    settle_now();
    answers_error("context.notified", goes(NOTIFY), "1035");
    assert_true(link_audited(&K, "new data not notified", ABDM_E_LINK_REFUSED));
    comes(0);
    settle_now();
    is_refused(NOTIFY, "1006");
    link_until(&K, K.now + 5 * SECONDS);
    assert_int_equal(calls_to(NOTIFY), 1);
    is_refused(NOTIFY, "9999");
    link_until(&K, K.now + DAYS);
    assert_int_equal(K.n_jobs, 0);
}


static void
without_an_answer_the_next_news_is_not_held_up(void **state)
{
    (void) state;
    linked(DAYS);
    comes(INVOICE);
    settle_now();
    goes(NOTIFY);
    comes(0);
    link_until(&K, K.now + 10 * MINUTES - 1);
    assert_int_equal(calls_to(NOTIFY), 0);
    link_until(&K, K.now + 1);
    assert_int_equal(calls_to(NOTIFY), 1);
}


static void
a_former_silence_does_not_end_a_later_notification(void **state)
{
    (void) state;
    linked(DAYS);
    comes(INVOICE);
    settle_now();
    ok_comes(goes(NOTIFY));
    link_until(&K, K.now + 9 * MINUTES);
    comes(0);
    settle_now();
    const char *id = goes(NOTIFY);

    link_until(&K, K.now + 2 * MINUTES); /* ten after the first */
    assert_int_equal(context_row("V-1")->notify, ABDM_NOTIFY_SENT);
    ok_comes(id);
    assert_int_equal(context_row("V-1")->notify, ABDM_NOTIFY_NONE);
}


static void
the_callback_of_a_notification_may_be_faster(void **state)
{
    (void) state;
    linked(DAYS);
    comes(INVOICE);
    settle_now();
    ok_comes(leaves(NOTIFY));
    taken(NOTIFY);
    assert_int_equal(context_row("V-1")->notify, ABDM_NOTIFY_NONE);
    assert_int_equal(K.n_jobs, 0);
}


static void
answers_of_nobody_or_twice_change_nothing(void **state)
{
    (void) state;
    linked(DAYS);
    comes(INVOICE);
    settle_now();
    const char *id = goes(NOTIFY);

    OK_(answers_at(OTHER, "context.notified", id, ""));
    assert_true(link_audited(&K, "notification answer refused", ABDM_E_ANSWER_UNKNOWN));
    assert_false(link_changed(&K));
    link_call(&K, "context.notified", "{\"acknowledgement\":{\"status\":\"SUCCESS\"}}");
    assert_true(link_audited(&K, "notification answer refused", ABDM_E_FIELD));
    assert_false(link_changed(&K));
    ok_comes(id);
    answers_error("context.notified", id, "1006");
    assert_true(link_audited(&K, "notification answer repeated", ABDM_OK));
    assert_false(link_changed(&K));
}


static void
nobody_is_told_of_a_patient_who_left(void **state)
{
    (void) state;
    linked(DAYS);
    comes(INVOICE);
    LINK_PUT(&K, opt_out, .hip_id = HIP, .abha_address = ASHA, .status = "DELETED", .at = K.now);
    settle_now();
    assert_int_equal(K.n_jobs, 0);
    assert_int_equal(context_row("V-1")->notify, ABDM_NOTIFY_NONE);
    OK_(raise_event(HIP, "context.notify_due", "V-none"));
    assert_int_equal(K.n_jobs, 0);
}


static void
a_store_that_fails_tells_nothing_twice(void **state)
{
    abdm_result_t ok = {.status = 202};

    (void) state;
    linked(DAYS);
    comes(INVOICE);
    LINK_EACH_READ_FAILS(&K, link_raise(&K, link_job(&K, "context.notify_due", -1), ok));
    const char *id = leaves(NOTIFY);

    LINK_EACH_READ_FAILS(&K, link_raise(&K, call_to(NOTIFY), ok));
    LINK_EACH_READ_FAILS(&K, answers_at(HIP, "context.notified", id, ""));
    assert_int_equal(context_row("V-1")->notify, ABDM_NOTIFY_NONE);
}


/* --- the deep link; START is 14:50:11 in India, the quiet hours are 21:00 to 8:00 --- */

#define NINE_PM  (START - (14 * 60 + 50) * MINUTES - 11 * SECONDS + 21 * HOURS)
#define EIGHT_AM (NINE_PM + 11 * HOURS)


static void
sms_is_due(const char *ref)
{
    char patient[32];

    K.facility[0].deep_link = true;
    snprintf(patient, sizeof(patient), "P-%s", ref);
    patient_with(patient, NULL);
    LINK_PUT(&K, context, .hip_id = HIP, .ref = (char *) ref, .patient_ref = patient,
             .display = "Visit", .hi_types = PRESCRIPTION, .sms = ABDM_SMS_DUE);
    OK_(raise_event(HIP, "sms.due", ref));
}


static void
a_patient_without_abha_is_told_once(void **state)
{
    (void) state;
    sms_is_due("V-1");
    json_t *body = link_body(call_to(SMS));

    assert_non_null(strstr(abdm_json_string_at(body, "notification.phoneNo"), "9000000001"));
    assert_at(body, "notification.hip.id", HIP);
    assert_at(body, "notification.hip.name", "Demo Hospital");
    json_decref(body);
    const char *id = goes(SMS);

    assert_int_equal(context_row("V-1")->sms, ABDM_SMS_SENT);
    answers("sms.notified", id, "\"status\":\"ACKNOWLEDGED\",\"error\":null");
    assert_int_equal(context_row("V-1")->sms, ABDM_SMS_SENT);
    OK_(raise_event(HIP, "sms.due", "V-1"));
    assert_int_equal(K.n_jobs, 0);
}


static void
an_sms_that_the_gateway_refuses_has_failed(void **state)
{
    (void) state;
    sms_is_due("V-1");
    is_refused(SMS, "1014");
    assert_int_equal(context_row("V-1")->sms, ABDM_SMS_FAILED);
    assert_true(link_audited(&K, "deep link not sent", ABDM_E_SMS));
    sms_is_due("V-2");
    const char *id = goes(SMS);

    answers("sms.notified", id, "\"acknowledgement\":{\"status\":\"ERRORED\"}");
    assert_int_equal(context_row("V-2")->sms, ABDM_SMS_FAILED);
    OK_(answers_at(OTHER, "sms.notified", id, ""));
    assert_true(link_audited(&K, "SMS answer refused", ABDM_E_ANSWER_UNKNOWN));
    assert_int_equal(context_row("V-2")->sms, ABDM_SMS_FAILED);
}


static void
who_got_an_abha_or_a_link_is_not_told(void **state)
{
    (void) state;
    K.facility[0].deep_link = true;
    patient_with("MR-1", ASHA);
    LINK_PUT(&K, context, .hip_id = HIP, .ref = "V-1", .patient_ref = "MR-1",
             .sms = ABDM_SMS_DUE);
    patient_with("MR-2", NULL);
    LINK_PUT(&K, context, .hip_id = HIP, .ref = "V-2", .patient_ref = "MR-2",
             .state = ABDM_LINK_LINKED, .sms = ABDM_SMS_DUE);
    LINK_PUT(&K, patient, .hip_id = HIP, .ref = "MR-3");
    LINK_PUT(&K, context, .hip_id = HIP, .ref = "V-3", .patient_ref = "MR-3",
             .sms = ABDM_SMS_DUE);
    OK_(raise_event(HIP, "sms.due", "V-1"));
    OK_(raise_event(HIP, "sms.due", "V-2"));
    OK_(raise_event(HIP, "sms.due", "V-3"));
    OK_(raise_event(HIP, "sms.due", "V-none"));
    assert_int_equal(K.n_jobs, 0);
    assert_int_equal(context_row("V-1")->sms, ABDM_SMS_NONE);
    K.facility[0].deep_link = false; /* switched off meanwhile */
    LINK_PUT(&K, context, .hip_id = HIP, .ref = "V-4", .patient_ref = "MR-2",
             .sms = ABDM_SMS_DUE);
    OK_(raise_event(HIP, "sms.due", "V-4"));
    assert_int_equal(K.n_jobs, 0);
}


static void
nobody_is_woken_by_an_sms(void **state)
{
    (void) state;
    K.now = NINE_PM - 1;
    sms_is_due("V-1");
    assert_int_equal(calls_to(SMS), 1);
    assert_int_equal(call_to(SMS)->deadline_at, NINE_PM - 1 - 59999 + MINUTES);
    goes(SMS);
    K.now = NINE_PM;
    sms_is_due("V-2");
    K.now = NINE_PM + 5 * HOURS;
    sms_is_due("V-3");
    link_until(&K, EIGHT_AM - 1);
    assert_int_equal(calls_to(SMS), 0);
    link_until(&K, EIGHT_AM);
    assert_int_equal(calls_to(SMS), 2);
}


static void
quiet_hours_may_lie_in_the_day_or_not_be(void **state)
{
    (void) state;
    K.facility[0].quiet_from = 14 * 60;
    K.facility[0].quiet_to = 15 * 60;
    sms_is_due("V-1");
    assert_int_equal(calls_to(SMS), 0);
    assert_int_equal(link_job(&K, "sms.due", -1)->due_at, START + 10 * MINUTES - 11 * SECONDS);
    K.facility[0].quiet_to = 14 * 60;
    sms_is_due("V-2");
    assert_int_equal(calls_to(SMS), 1);
}


static void
no_more_than_the_cap_go_out_a_day(void **state)
{
    (void) state;
    K.facility[0].sms_daily = 3;
    for (int i = 0; i < 8; i++) {
        char ref[16];

        snprintf(ref, sizeof(ref), "V-%d", i);
        sms_is_due(ref);
    }
    assert_int_equal(calls_to(SMS), 3);
    link_until(&K, EIGHT_AM - 1);
    assert_int_equal(calls_to(SMS), 3);
    link_until(&K, EIGHT_AM);
    assert_int_equal(calls_to(SMS), 6);
    link_until(&K, EIGHT_AM + DAYS);
    assert_int_equal(calls_to(SMS), 8);
}


static void
an_sms_that_the_hospital_asked_for_settles_its_request(void **state)
{
    abdm_row_request_t request = {0};
    abdm_event_t ev = {.hip_id = HIP, .subject = "", .now = K.now, .at = K.now};
    abdm_flow_ctx_t ctx = {.view = &K.view, .facility = &K.facility[0]};

    (void) state;
    for (int i = 0; i < 2; i++) {
        abdm_effects_t e = {0};

        LINK_PUT(&K, request, .hip_id = HIP, .id = "r-1", .what = "sms", .created_at = K.now);
        abdm_flow_sms_request(&ctx, &ev, "r-1", "9000000001", &e);
        assert_int_equal(e.n, 1);
        K.job[K.n_jobs++] = e.item[0].u.job;
        memset(&e.item[0].u.job, 0, sizeof(abdm_job_t));
        abdm_effects_clear(&e);
        if (i == 0) {
            answers("sms.notified", goes(SMS), "\"status\":\"ACKNOWLEDGED\"");
        } else {
            is_refused(SMS, "1035");
        }
        LINK_GET(&K, request, &request, .hip_id = HIP, .id = "r-1");
        assert_int_equal(request.state, i == 0 ? ABDM_REQUEST_DONE : ABDM_REQUEST_FAILED);
        if (i == 1)
            assert_string_equal(request.reason, "1035");
        abdm_row_request_clear(&request);
    }
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        KIT_TEST(new_types_are_told_with_the_patient_as_linked),
        KIT_TEST(a_newer_version_tells_of_the_types_there_are),
        KIT_TEST(nothing_is_told_within_half_a_minute_of_the_link),
        KIT_TEST(one_at_a_time_and_then_what_came_meanwhile),
        KIT_TEST(too_early_is_told_again_after_5_15_and_60_seconds),
        KIT_TEST(other_refusals_are_not_told_again),
        KIT_TEST(without_an_answer_the_next_news_is_not_held_up),
        KIT_TEST(a_former_silence_does_not_end_a_later_notification),
        KIT_TEST(the_callback_of_a_notification_may_be_faster),
        KIT_TEST(answers_of_nobody_or_twice_change_nothing),
        KIT_TEST(nobody_is_told_of_a_patient_who_left),
        KIT_TEST(a_store_that_fails_tells_nothing_twice),
        KIT_TEST(a_patient_without_abha_is_told_once),
        KIT_TEST(an_sms_that_the_gateway_refuses_has_failed),
        KIT_TEST(who_got_an_abha_or_a_link_is_not_told),
        KIT_TEST(nobody_is_woken_by_an_sms),
        KIT_TEST(quiet_hours_may_lie_in_the_day_or_not_be),
        KIT_TEST(no_more_than_the_cap_go_out_a_day),
        KIT_TEST(an_sms_that_the_hospital_asked_for_settles_its_request),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
