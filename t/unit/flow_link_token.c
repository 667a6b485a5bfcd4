/* Link tokens: when one is asked for, whose it is, and what comes of each answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "linking_kit.h"

#define GENERATE ABDM_PATH_GENERATE_TOKEN
#define LINK     ABDM_PATH_LINK_CONTEXT


/* ASHA as MR-1 with V-1, and a token. */
static void
ready(void)
{
    patient_with("MR-1", ASHA);
    visit("V-1", "MR-1");
    keep_token(ASHA);
}


static void
nothing_to_link_asks_nothing(void **state)
{
    (void) state;
    due("MR-none");
    patient_with("MR-1", ASHA);
    due("MR-1");
    patient_with("MR-2", NULL);
    visit("V-2", "MR-2");
    due("MR-2");
    assert_int_equal(K.n_jobs, 0);
    assert_int_equal(state_of("V-2"), ABDM_LINK_NONE);
}


static void
who_has_left_abdm_is_not_linked(void **state)
{
    (void) state;
    ready();
    LINK_PUT(&K, opt_out, .hip_id = HIP, .abha_address = ASHA, .status = "DEACTIVATED",
             .at = K.now);
    due("MR-1");
    assert_int_equal(K.n_jobs, 0);
    assert_int_equal(state_of("V-1"), ABDM_LINK_NONE);
}


static void
a_token_is_asked_with_what_the_abha_has(void **state)
{
    (void) state;
    LINK_PUT(&K, patient, .hip_id = HIP, .ref = "MR-1", .abha_address = ASHA,
             .abha_number = "91111222233334", .name = "Asha Kumari", .gender = "F",
             .year_of_birth = 1988);
    visit("V-1", "MR-1");
    due("MR-1");
    abdm_job_t *job = call_to(GENERATE);
    json_t *body = link_body(job);
    int64_t year = 0;

    assert_at(body, "abhaAddress", ASHA);
    assert_at(body, "name", "Asha Kumari");
    assert_at(body, "gender", "F");
    assert_true(abdm_json_int_at(body, "yearOfBirth", &year));
    assert_int_equal(year, 1988);
    assert_string_equal(job->event, "link.token_asked");
    assert_string_equal(job->subject, "MR-1");
    assert_true(job->deadline_at <= job->created_at); /* the engine does not repeat it */
    json_decref(body);
    assert_int_equal(state_of("V-1"), ABDM_LINK_NONE);
}


static void
without_name_gender_or_year_no_token_is_asked(void **state)
{
    (void) state;
    LINK_PUT(&K, patient, .hip_id = HIP, .ref = "MR-1", .abha_address = ASHA, .name = "Asha",
             .gender = "F");
    visit("V-1", "MR-1");
    due("MR-1");
    assert_int_equal(K.n_jobs, 0);
    assert_int_equal(state_of("V-1"), ABDM_LINK_FAILED);
    assert_string_equal(context_row("V-1")->reason, "E_FIELD");
}


static void
a_token_under_way_is_not_asked_again(void **state)
{
    (void) state;
    patient_with("MR-1", ASHA);
    visit("V-1", "MR-1");
    for (int i = 0; i < 5; i++) {
        due("MR-1");
        assert_int_equal(calls_to(GENERATE), 1);
    }
    link_until(&K, K.now + 3 * HOURS); /* however long it waits for its turn */
    due("MR-1");
    assert_int_equal(calls_to(GENERATE), 1);
    goes(GENERATE);
    due("MR-1");
    assert_int_equal(calls_to(GENERATE), 0);
    assert_int_equal(link_waiting(&K, "link.token_silent"), 1);
    assert_int_equal(link_waiting(&K, "link.due"), 0); /* one chain, however often it is due */
}


static void
a_token_that_comes_links_at_once_and_is_kept_sealed(void **state)
{
    (void) state;
    patient_with("MR-1", ASHA);
    visit("V-1", "MR-1");
    visit("V-2", "MR-1");
    due("MR-1");
    const char *id = goes(GENERATE);

    token_comes(id, ASHA, K.now + 182 * DAYS);
    assert_true(link_audited(&K, "link token kept", ABDM_OK));
    settle_now();
    abdm_job_t *job = call_to(LINK);

    assert_non_null(job);
    assert_string_equal(job->link_token, jwt(START + 182 * DAYS));
    assert_false(link_on_disk(&K, jwt(START + 182 * DAYS)));
    assert_int_equal(token_row_of(ASHA).expires_at,
                     (START + 182 * DAYS) / 1000 * 1000 - DAYS);
    assert_int_equal(state_of("V-1"), ABDM_LINK_PENDING);
    assert_string_equal(context_row("V-1")->batch, context_row("V-2")->batch);
    assert_string_equal(job->subject, context_row("V-1")->batch);

    json_t *body = link_body(job);

    assert_at(body, "abhaAddress", ASHA);
    assert_at(body, "patient.0.referenceNumber", "MR-1");
    assert_at(body, "patient.0.hiType", "Prescription");
    assert_at(body, "patient.0.careContexts.1.referenceNumber", "V-2");
    json_decref(body);
}


static void
a_token_of_a_short_life_is_used_too(void **state)
{
    (void) state;
    patient_with("MR-1", ASHA);
    visit("V-1", "MR-1");
    due("MR-1");
    token_comes(goes(GENERATE), ASHA, K.now + 24 * HOURS);
    settle_now();
    assert_int_equal(state_of("V-1"), ABDM_LINK_PENDING);
    assert_true(token_row_of(ASHA).expires_at < START + 24 * HOURS);
}


static void
a_token_near_its_end_is_not_used(void **state)
{
    (void) state;
    ready();
    link_until(&K, K.now + 100 * DAYS);
    due("MR-1");
    assert_int_equal(calls_to(LINK), 0);
    assert_int_equal(calls_to(GENERATE), 1);
}


static void
a_token_is_taken_however_late_it_comes(void **state)
{
    (void) state;
    patient_with("MR-1", ASHA);
    visit("V-1", "MR-1");
    due("MR-1");
    const char *first = goes(GENERATE);

    link_until(&K, K.now + 8 * MINUTES); /* silence: a second one is asked */
    const char *second = goes(GENERATE);

    assert_string_not_equal(first, second);
    link_until(&K, K.now + 3 * MINUTES);
    token_comes(first, ASHA, K.now + 182 * DAYS);
    settle_now();
    assert_int_equal(calls_to(LINK), 1);
    link_until(&K, K.now + 20 * MINUTES);
    assert_int_equal(calls_to(GENERATE), 0);
}


/* Tokens are neither kept for a stranger nor of a call that was never made. */
static void
a_token_that_answers_no_call_of_ours_changes_nothing(void **state)
{
    (void) state;
    char good[512];

    ready();
    visit("V-2", "MR-1");
    due("MR-1");
    const char *linked = goes(LINK); /* a call of another kind */

    patient_with("MR-2", "ravi@sbx");
    visit("V-3", "MR-2");
    due("MR-2");
    const char *asked = goes(GENERATE);

    token_comes("99999999-0000-4000-8000-000000000001", "ravi@sbx", K.now + DAYS);
    assert_true(link_audited(&K, "link token answer refused", ABDM_E_ANSWER_UNKNOWN));
    assert_false(link_changed(&K));
    token_comes(linked, "ravi@sbx", K.now + DAYS);
    assert_true(link_audited(&K, "link token answer refused", ABDM_E_ANSWER_UNKNOWN));
    assert_false(link_changed(&K));
    token_comes(asked, ASHA, K.now + DAYS); /* of another patient */
    assert_true(link_audited(&K, "link token answer refused", ABDM_E_FIELD));
    assert_false(link_changed(&K));

    snprintf(good, sizeof(good), "\"abhaAddress\":\"ravi@sbx\",\"linkToken\":\"%s\"",
             jwt(K.now + DAYS));
    OK_(answers_at(OTHER, "link.token_came", asked, good)); /* of another facility */
    assert_true(link_audited(&K, "link token answer refused", ABDM_E_ANSWER_UNKNOWN));
    assert_false(link_changed(&K));
    snprintf(good, sizeof(good), "\"linkToken\":\"%s\"", jwt(K.now + DAYS));
    answers("link.token_came", asked, good); /* whose is it? */
    assert_true(link_audited(&K, "link token answer refused", ABDM_E_FIELD));
    assert_false(link_changed(&K));

    LINK_PUT(&K, patient, .hip_id = HIP, .ref = "MR-2", .name = "Ravi"); /* ABHA taken away */
    token_comes(asked, "ravi@sbx", K.now + DAYS);
    assert_true(link_audited(&K, "link token answer refused", ABDM_E_ABHA_NONE));
    assert_false(link_changed(&K));
}


static void
callbacks_that_cannot_be_read_change_nothing(void **state)
{
    static const char *const events[] = {"link.token_came", "link.linked"};
    static const char *const bodies[] = {
        "[]", "{}", "{", "null", "{\"response\":null}", "{\"response\":[]}",
        "{\"response\":{\"requestId\":7}}", "{\"response\":{\"requestId\":\"\"}}",
        "{\"error\":{\"code\":\"ABDM-1027\",\"message\":\"x\"}}",
        "{\"abhaAddress\":5,\"response\":{\"requestId\":\"%s\"}}",
        "{\"abhaAddress\":\"asha.k@sbx\",\"linkToken\":null,\"response\":{\"requestId\":\"%s\"}}",
        ("{\"abhaAddress\":\"asha.k@sbx\",\"linkToken\":\"a b\","
         "\"response\":{\"requestId\":\"%s\"}}"),
        "{\"abhaAddress\":\"asha.k@sbx\",\"linkToken\":5,\"response\":{\"requestId\":\"%s\"}}"};

    (void) state;
    patient_with("MR-1", ASHA);
    visit("V-1", "MR-1");
    due("MR-1");
    const char *id = goes(GENERATE);

    for (size_t e = 0; e < 2; e++) {
        for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
            const char *mark = strstr(bodies[i], "%s");
            char body[512];

            snprintf(body, sizeof(body), "%.*s%s%s",
                     mark != NULL ? (int) (mark - bodies[i]) : (int) strlen(bodies[i]), bodies[i],
                     mark != NULL ? id : "", mark != NULL ? mark + 2 : "");
            link_call(&K, events[e], body);
            assert_false(link_changed(&K));
            assert_int_equal(K.last.n, 1); /* one line of the audit, with a code */
            assert_int_not_equal(K.last.item[0].u.audit.code, ABDM_OK);
        }
    }
    assert_int_equal(state_of("V-1"), ABDM_LINK_NONE);
    assert_null(token_row_of(ASHA).token);
}


static void
a_repeated_answer_counts_once(void **state)
{
    (void) state;
    patient_with("MR-1", ASHA);
    visit("V-1", "MR-1");
    due("MR-1");
    const char *id = goes(GENERATE);

    answers_error("link.token_came", id, "1036");
    assert_int_equal(state_of("V-1"), ABDM_LINK_FAILED);
    visit("V-2", "MR-1");
    answers_error("link.token_came", id, "1036");
    assert_true(link_audited(&K, "link token answer repeated", ABDM_OK));
    assert_false(link_changed(&K));
    assert_int_equal(state_of("V-2"), ABDM_LINK_NONE);
}


static void
a_late_refusal_does_not_undo_a_token(void **state)
{
    (void) state;
    patient_with("MR-1", ASHA);
    visit("V-1", "MR-1");
    due("MR-1");
    const char *first = goes(GENERATE);

    link_until(&K, K.now + 8 * MINUTES);
    const char *second = goes(GENERATE);

    token_comes(second, ASHA, K.now + 182 * DAYS);
    settle_now();
    goes(LINK);
    answers_error("link.token_came", first, "1027");
    assert_non_null(token_row_of(ASHA).token);
    assert_int_equal(token_row_of(ASHA).blocked_until, 0);
    assert_int_equal(state_of("V-1"), ABDM_LINK_PENDING);
}


static void
a_refused_token_fails_the_contexts_and_tells_everybody(void **state)
{
    (void) state;
    abdm_row_request_t request = {0};

    K.facility[0].questions[ABDM_HMIS_TELL] = 1;
    patient_with("MR-1", ASHA);
    visit("V-1", "MR-1");
    LINK_PUT(&K, request, .hip_id = HIP, .id = "r-1", .what = "link", .patient_ref = "MR-1",
             .contexts = "[\"V-1\"]", .created_at = K.now);
    due("MR-1");
    answers_error("link.token_came", goes(GENERATE), "1036");
    assert_int_equal(state_of("V-1"), ABDM_LINK_FAILED);
    assert_string_equal(context_row("V-1")->reason, "1036");
    assert_true(link_audited(&K, "care context not linked", ABDM_E_LINK_REFUSED));
    json_t *told = link_body(link_job(&K, "hmis.told", 0));

    assert_at(told, "event", "link_failed");
    assert_at(told, "careContexts.0", "V-1");
    assert_at(told, "reason", "1036");
    json_decref(told);
    LINK_GET(&K, request, &request, .hip_id = HIP, .id = "r-1");
    assert_int_equal(request.state, ABDM_REQUEST_FAILED);
    assert_string_equal(request.reason, "1036 no");
    abdm_row_request_clear(&request);

    /* and nothing is asked again by itself */
    due("MR-1");
    link_until(&K, K.now + 2 * DAYS);
    assert_int_equal(calls_to(GENERATE), 0);
}


static void
the_same_refusal_at_once_does_the_same(void **state)
{
    (void) state;
    patient_with("MR-1", ASHA);
    visit("V-1", "MR-1");
    due("MR-1");
    is_refused(GENERATE, "1013");
    assert_int_equal(state_of("V-1"), ABDM_LINK_FAILED);
    assert_string_equal(context_row("V-1")->reason, "1013");

    visit("V-2", "MR-1"); /* a new visit is tried, with the gateway's distance */
    link_until(&K, K.now + MINUTES);
    due("MR-1");
    assert_int_equal(calls_to(GENERATE), 0);
    link_until(&K, K.now + 6 * MINUTES);
    assert_int_equal(calls_to(GENERATE), 1);
}


static void
a_block_holds_a_day_by_callback_and_at_once(void **state)
{
    (void) state;
    for (int at_once = 0; at_once < 2; at_once++) {
        const char *abha = at_once ? "ravi@sbx" : ASHA, *ref = at_once ? "MR-2" : "MR-1";

        patient_with(ref, abha);
        visit(at_once ? "V-2" : "V-1", ref);
        due(ref);
        if (at_once)
            is_refused(GENERATE, "1027");
        else
            answers_error("link.token_came", goes(GENERATE), "1027");
        abdm_ms_t blocked_at = K.now;

        assert_int_equal(token_row_of(abha).blocked_until, K.now + DAYS);
        for (int hour = 1; hour < 24; hour++) {
            link_until(&K, blocked_at + hour * HOURS);
            due(ref);
            assert_int_equal(calls_to(GENERATE), 0);
        }
        link_until(&K, blocked_at + DAYS);
        assert_int_equal(calls_to(GENERATE), 1);
        answers_error("link.token_came", goes(GENERATE), "1036");
    }
}


static void
a_duplicate_waits_seven_minutes(void **state)
{
    (void) state;
    patient_with("MR-1", ASHA);
    visit("V-1", "MR-1");
    due("MR-1");
    is_refused(GENERATE, "1092");
    link_until(&K, K.now + 7 * MINUTES - 1);
    assert_int_equal(calls_to(GENERATE), 0);
    link_until(&K, K.now + 1);
    assert_int_equal(calls_to(GENERATE), 1);
    assert_int_equal(state_of("V-1"), ABDM_LINK_NONE);
}


static void
troubles_of_the_gateway_pass(void **state)
{
    (void) state;
    patient_with("MR-1", ASHA);
    visit("V-1", "MR-1");
    due("MR-1");
    answers_error("link.token_came", goes(GENERATE), "1024");
    assert_int_equal(state_of("V-1"), ABDM_LINK_NONE);
    link_until(&K, K.now + 31 * MINUTES);
    is_refused(GENERATE, "1019");
    assert_int_equal(state_of("V-1"), ABDM_LINK_NONE);
    link_until(&K, K.now + 31 * MINUTES);
    assert_int_equal(calls_to(GENERATE), 1);
}


/* An outage costs none of the three, and patients do not come back all at once. */
static void
an_outage_is_waited_out_with_growing_distance(void **state)
{
    static const abdm_code_t codes[] = {ABDM_E_CONNECT, ABDM_E_RESOLVE, ABDM_E_TLS,
                                        ABDM_E_HTTP_STATUS, ABDM_E_SESSION};
    abdm_ms_t last, waits[8];

    (void) state;
    patient_with("MR-1", ASHA);
    visit("V-1", "MR-1");
    due("MR-1");
    for (int i = 0; i < 8; i++) {
        fails(GENERATE, codes[i % 5]);
        assert_int_equal(token_row_of(ASHA).counted_1, 0);
        due("MR-1"); /* somebody else's step does not shorten it */
        assert_int_equal(calls_to(GENERATE), 0);
        last = K.now;
        while (calls_to(GENERATE) == 0)
            link_until(&K, K.now + 10 * SECONDS);
        waits[i] = K.now - last;
        assert_true(waits[i] >= 7 * MINUTES && waits[i] <= 30 * MINUTES + 10 * SECONDS);
        assert_true(i == 0 || waits[i] >= waits[i - 1]);
    }
    assert_true(waits[2] >= 20 * MINUTES);
    token_comes(goes(GENERATE), ASHA, K.now + 182 * DAYS);
    settle_now();
    assert_int_equal(state_of("V-1"), ABDM_LINK_PENDING);
}


static void
a_thousand_patients_come_back_spread(void **state)
{
    enum { PATIENTS = 1000 };
    static size_t in_second[3600];
    size_t most = 0;

    (void) state;
    for (int i = 0; i < PATIENTS; i++) {
        char ref[16], abha[32], context[16];

        snprintf(ref, sizeof(ref), "MR-%d", i);
        snprintf(abha, sizeof(abha), "p%d@sbx", i);
        snprintf(context, sizeof(context), "W-%d", i);
        patient_with(ref, abha);
        visit(context, ref);
        due(ref);
        fails(GENERATE, ABDM_E_CONNECT);
    }
    for (size_t i = 0; i < K.n_jobs; i++)
        in_second[(K.job[i].due_at - K.now) / 1000]++;
    for (size_t i = 0; i < 3600; i++)
        most = in_second[i] > most ? in_second[i] : most;
    assert_true(most < PATIENTS / 20);
}


static void
a_time_out_counts_and_after_three_a_day_must_pass(void **state)
{
    abdm_ms_t first = K.now;

    (void) state;
    patient_with("MR-1", ASHA);
    visit("V-1", "MR-1");
    due("MR-1");
    for (int i = 0; i < 3; i++) {
        while (calls_to(GENERATE) == 0)
            link_until(&K, K.now + MINUTES);
        fails(GENERATE, ABDM_E_TIMEOUT);
    }
    assert_int_equal(token_row_of(ASHA).counted_3, first);
    link_until(&K, first + DAYS - 1);
    due("MR-1");
    assert_int_equal(calls_to(GENERATE), 0);
    link_until(&K, first + DAYS);
    assert_int_equal(calls_to(GENERATE), 1);
}


static void
a_clock_set_back_neither_forgets_the_limits_nor_stops_for_years(void **state)
{
    (void) state;
    patient_with("MR-1", ASHA);
    visit("V-1", "MR-1");
    LINK_PUT(&K, link_token, .hip_id = HIP, .abha_address = ASHA, .asked_at = K.now + 900 * DAYS,
             .due_at = K.now + 900 * DAYS, .counted_1 = K.now + 900 * DAYS,
             .counted_2 = K.now + 900 * DAYS, .counted_3 = K.now + 900 * DAYS,
             .blocked_until = K.now + 901 * DAYS);
    due("MR-1");
    assert_int_equal(calls_to(GENERATE), 0);
    link_until(&K, K.now + DAYS);
    assert_int_equal(calls_to(GENERATE), 1);
}


static void
the_callback_may_be_faster_than_the_answer(void **state)
{
    (void) state;
    patient_with("MR-1", ASHA);
    visit("V-1", "MR-1");
    due("MR-1");
    token_comes(leaves(GENERATE), ASHA, K.now + 182 * DAYS);
    taken(GENERATE);
    assert_int_equal(link_waiting(&K, "link.token_silent"), 0);
    settle_now();
    answers("link.linked", leaves(LINK), "\"status\":\"Successfully Linked care context\"");
    assert_int_equal(state_of("V-1"), ABDM_LINK_LINKED);
    taken(LINK);
    assert_int_equal(link_waiting(&K, "link.silent"), 0);
    assert_int_equal(state_of("V-1"), ABDM_LINK_LINKED);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        KIT_TEST(nothing_to_link_asks_nothing),
        KIT_TEST(who_has_left_abdm_is_not_linked),
        KIT_TEST(a_token_is_asked_with_what_the_abha_has),
        KIT_TEST(without_name_gender_or_year_no_token_is_asked),
        KIT_TEST(a_token_under_way_is_not_asked_again),
        KIT_TEST(a_token_that_comes_links_at_once_and_is_kept_sealed),
        KIT_TEST(a_token_of_a_short_life_is_used_too),
        KIT_TEST(a_token_near_its_end_is_not_used),
        KIT_TEST(a_token_is_taken_however_late_it_comes),
        KIT_TEST(a_token_that_answers_no_call_of_ours_changes_nothing),
        KIT_TEST(callbacks_that_cannot_be_read_change_nothing),
        KIT_TEST(a_repeated_answer_counts_once),
        KIT_TEST(a_late_refusal_does_not_undo_a_token),
        KIT_TEST(a_refused_token_fails_the_contexts_and_tells_everybody),
        KIT_TEST(the_same_refusal_at_once_does_the_same),
        KIT_TEST(a_block_holds_a_day_by_callback_and_at_once),
        KIT_TEST(a_duplicate_waits_seven_minutes),
        KIT_TEST(troubles_of_the_gateway_pass),
        KIT_TEST(an_outage_is_waited_out_with_growing_distance),
        KIT_TEST(a_thousand_patients_come_back_spread),
        KIT_TEST(a_time_out_counts_and_after_three_a_day_must_pass),
        KIT_TEST(a_clock_set_back_neither_forgets_the_limits_nor_stops_for_years),
        KIT_TEST(the_callback_may_be_faster_than_the_answer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
