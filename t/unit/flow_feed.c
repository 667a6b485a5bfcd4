/* The feed of new care contexts: taken over once, linked or told of, and a chain of questions that
 * neither breaks nor doubles. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "linking_kit.h"

#define VISIT(ref, patient)                                                                        \
    "{\"reference\":\"" ref "\",\"display\":\"OPD visit\",\"hiTypes\":[\"Prescription\"],"         \
    "\"date\":\"2026-03-05T09:00:00+05:30\",\"version\":\"1\",\"patient\":" patient "}"
#define NOBODY(ref)                                                                                \
    "{\"reference\":\"" ref "\",\"name\":\"Ravi\",\"gender\":\"M\",\"yearOfBirth\":1970}"
#define ASHA_1                                                                                     \
    "{\"reference\":\"MR-1\",\"name\":\"Asha Kumari\",\"gender\":\"F\",\"yearOfBirth\":1988,"      \
    "\"mobiles\":[\"none\",\"+91-9000000001\"],\"abhaAddress\":\"asha.k@sbx\","                    \
    "\"abhaNumber\":\"91111222233334\"}"
#define ANSWER(next, more, contexts)                                                               \
    "{\"contexts\":[" contexts "],\"next\":\"" next "\",\"more\":" more "}"


static int
feed_open(void **state)
{
    kit_open(state);
    K.facility[0].questions[ABDM_HMIS_NEW_CONTEXTS] = 1;
    K.facility[0].questions[ABDM_HMIS_TELL] = 1;
    return 0;
}


#define FEED_TEST(f) cmocka_unit_test_setup_teardown(f, feed_open, kit_close)


static void
begin(void)
{
    OK_(raise_event(HIP, "feed.due", ""));
}


static void
came(const char *answer)
{
    link_done(&K, "feed.came", 0, answer);
}


static void
next_look(const char *answer)
{
    if (link_waiting(&K, "feed.came") == 0)
        link_until(&K, link_job(&K, "feed.due", -1)->due_at);
    came(answer);
}


/* Exactly one link of the chain waits. */
static void
assert_one_chain(void)
{
    assert_int_equal(link_waiting(&K, "feed.due") + link_waiting(&K, "feed.came"), 1);
}


static abdm_row_feed_t
feed_row(void)
{
    abdm_row_feed_t row = {0}, copy;

    LINK_GET(&K, feed, &row, .hip_id = HIP);
    copy = row;
    copy.hip_id = copy.cursor = NULL;
    abdm_row_feed_clear(&row);
    return copy;
}


static void
the_hmis_is_asked_from_its_own_mark_on(void **state)
{
    (void) state;
    begin();
    abdm_job_t *job = link_job(&K, "feed.came", 0);
    json_t *vars = link_body(job);

    assert_int_equal(job->kind, ABDM_JOB_HMIS);
    assert_string_equal(job->path, "new_contexts");
    assert_at(vars, "hipId", HIP);
    assert_at(vars, "limit", "500");
    assert_string_equal(json_string_value(json_object_get(vars, "since")), "");
    json_decref(vars);
    came(ANSWER("mark-1", "false", ""));
    link_until(&K, K.now + 30 * SECONDS - 1);
    assert_int_equal(link_waiting(&K, "feed.came"), 0);
    link_until(&K, K.now + 1);
    vars = link_body(link_job(&K, "feed.came", 0));
    assert_at(vars, "since", "mark-1");
    json_decref(vars);
    assert_one_chain();
}


static void
a_feed_that_is_not_configured_is_not_read(void **state)
{
    (void) state;
    K.facility[0].poll = 0;
    begin();
    K.facility[0].poll = 30 * SECONDS;
    K.facility[0].questions[ABDM_HMIS_NEW_CONTEXTS] = 0;
    begin();
    assert_int_equal(K.n_jobs, 0);
}


static void
a_new_visit_of_a_known_abha_is_linked_by_itself(void **state)
{
    abdm_row_patient_t patient = {0};

    (void) state;
    begin();
    came(ANSWER("1", "false", VISIT("V-1", ASHA_1)));
    LINK_GET(&K, patient, &patient, .hip_id = HIP, .ref = "MR-1");
    assert_string_equal(patient.abha_address, ASHA);
    assert_string_equal(patient.abha_number, "91111222233334");
    assert_string_equal(patient.mobile, "9000000001");
    assert_string_equal(patient.name, "Asha Kumari");
    assert_int_equal(patient.year_of_birth, 1988);
    abdm_row_patient_clear(&patient);

    const abdm_row_context_t *row = context_row("V-1");

    assert_string_equal(row->patient_ref, "MR-1");
    assert_int_equal(row->hi_types, 1u << ABDM_HI_PRESCRIPTION);
    assert_int_equal(row->created_at, K.now);
    assert_true(row->date > 0);
    settle_now();
    token_comes(goes(ABDM_PATH_GENERATE_TOKEN), ASHA, K.now + 182 * DAYS);
    settle_now();
    answers("link.linked", goes(ABDM_PATH_LINK_CONTEXT), "");
    assert_int_equal(state_of("V-1"), ABDM_LINK_LINKED);
}


static void
what_comes_again_changes_nothing(void **state)
{
    (void) state;
    keep_token(ASHA);
    begin();
    came(ANSWER("1", "false", VISIT("V-1", ASHA_1)));
    settle_now();
    answers("link.linked", goes(ABDM_PATH_LINK_CONTEXT), "");
    for (int i = 0; i < 3; i++) {
        next_look(ANSWER("1", "false", VISIT("V-1", ASHA_1) "," VISIT("V-1", ASHA_1)));
        assert_int_equal(state_of("V-1"), ABDM_LINK_LINKED);
        assert_int_equal(store_kit_number(&K.store, "SELECT count(*) FROM context"), 1);
        assert_int_equal(store_kit_number(&K.store, "SELECT count(*) FROM patient"), 1);
        assert_int_equal(link_waiting(&K, "link.due") + link_waiting(&K, "context.notify_due"), 0);
        assert_one_chain();
    }
}


static void
new_data_in_a_linked_visit_is_notified_once(void **state)
{
    static const char more[] = ANSWER(
        "2", "false",
        "{\"reference\":\"V-1\",\"display\":\"OPD visit\",\"hiTypes\":[\"Invoice\"],"
        "\"version\":\"2\",\"patient\":{\"reference\":\"MR-1\"}}");

    (void) state;
    keep_token(ASHA);
    begin();
    came(ANSWER("1", "false", VISIT("V-1", ASHA_1)));
    settle_now();
    answers("link.linked", goes(ABDM_PATH_LINK_CONTEXT), "");
    next_look(more);
    assert_int_equal(context_row("V-1")->hi_types,
                     1u << ABDM_HI_PRESCRIPTION | 1u << ABDM_HI_INVOICE);
    assert_int_equal(link_waiting(&K, "context.notify_due"), 1);
    next_look(more);
    assert_int_equal(link_waiting(&K, "context.notify_due")
                         + calls_to(ABDM_PATH_CONTEXT_NOTIFY),
                     1);
}


static void
new_data_in_a_visit_not_yet_linked_is_only_kept(void **state)
{
    (void) state;
    visit("V-1", "MR-1");
    patient_with("MR-1", NULL);
    begin();
    came(ANSWER("2", "false",
                "{\"reference\":\"V-1\",\"display\":\"Ward\",\"hiTypes\":[\"Invoice\"],"
                "\"version\":\"2\",\"patient\":{\"reference\":\"MR-1\"}}"));
    assert_int_equal(context_row("V-1")->hi_types,
                     1u << ABDM_HI_PRESCRIPTION | 1u << ABDM_HI_INVOICE);
    assert_int_equal(link_waiting(&K, "context.notify_due") + link_waiting(&K, "link.due"), 0);
}


static void
silence_of_the_hmis_says_nothing(void **state)
{
    abdm_row_patient_t patient = {0};

    (void) state;
    patient_with("MR-1", ASHA);
    begin();
    came(ANSWER("1", "false", VISIT("V-1", "{\"reference\":\"MR-1\",\"mobiles\":[]}")));
    LINK_GET(&K, patient, &patient, .hip_id = HIP, .ref = "MR-1");
    assert_string_equal(patient.abha_address, ASHA);
    assert_string_equal(patient.name, "Asha Kumari");
    assert_string_equal(patient.mobile, "9000000001");
    assert_int_equal(patient.year_of_birth, 1988);
    abdm_row_patient_clear(&patient);
    assert_int_equal(link_waiting(&K, "link.due"), 1);
}


static void
an_abha_of_somebody_else_is_not_taken_over(void **state)
{
    abdm_row_patient_t patient = {0};

    (void) state;
    patient_with("MR-9", ASHA);
    begin();
    came(ANSWER("1", "false",
                VISIT("V-1", ASHA_1) "," VISIT("V-2", NOBODY("MR-2")) ","
                VISIT("V-3", "{\"reference\":\"MR-3\",\"abhaAddress\":\"ravi@sbx\"}") ","
                VISIT("V-4", "{\"reference\":\"MR-4\",\"abhaAddress\":\"ravi@sbx\"}")));
    assert_true(link_audited(&K, "ABHA not taken over", ABDM_E_ABHA_TAKEN));
    LINK_GET(&K, patient, &patient, .hip_id = HIP, .ref = "MR-1");
    assert_null(patient.abha_address);
    abdm_row_patient_clear(&patient);
    LINK_GET(&K, patient, &patient, .hip_id = HIP, .ref = "MR-3"); /* the first has it */
    assert_string_equal(patient.abha_address, "ravi@sbx");
    abdm_row_patient_clear(&patient);
    LINK_GET(&K, patient, &patient, .hip_id = HIP, .ref = "MR-4");
    assert_null(patient.abha_address);
    abdm_row_patient_clear(&patient);
    assert_int_equal(store_kit_number(&K.store, "SELECT count(*) FROM context"), 4);
    assert_int_equal(link_waiting(&K, "link.due"), 1);
    assert_string_equal(link_job(&K, "link.due", -1)->subject, "MR-3");
    assert_one_chain();
}


static void
an_abha_that_left_abdm_does_not_come_back_by_the_feed(void **state)
{
    abdm_row_patient_t patient = {0};

    (void) state;
    LINK_PUT(&K, opt_out, .hip_id = HIP, .abha_address = ASHA, .status = "DELETED", .at = K.now);
    begin();
    came(ANSWER("1", "false", VISIT("V-1", ASHA_1)));
    LINK_GET(&K, patient, &patient, .hip_id = HIP, .ref = "MR-1");
    assert_null(patient.abha_address);
    abdm_row_patient_clear(&patient);
    assert_int_equal(link_waiting(&K, "link.due"), 0);
}


static void
an_abha_that_becomes_known_links_older_visits_too(void **state)
{
    (void) state;
    keep_token(ASHA);
    patient_with("MR-1", NULL);
    visit("V-0", "MR-1");
    begin();
    came(ANSWER("1", "false", VISIT("V-1", ASHA_1)));
    settle_now();
    assert_int_equal(state_of("V-0"), ABDM_LINK_PENDING);
    assert_int_equal(state_of("V-1"), ABDM_LINK_PENDING);
    assert_int_equal(calls_to(ABDM_PATH_LINK_CONTEXT), 1);
}


static void
a_linked_visit_does_not_move_to_another_patient(void **state)
{
    (void) state;
    patient_with("MR-1", ASHA);
    LINK_PUT(&K, context, .hip_id = HIP, .ref = "V-1", .patient_ref = "MR-1", .display = "x",
             .hi_types = 1, .state = ABDM_LINK_LINKED, .batch = "b");
    visit("V-2", "MR-1");
    begin();
    came(ANSWER("1", "false", VISIT("V-1", NOBODY("MR-2")) "," VISIT("V-2", NOBODY("MR-2"))));
    assert_true(link_audited(&K, "care context left out", ABDM_E_CONFLICT));
    assert_string_equal(context_row("V-1")->patient_ref, "MR-1");
    assert_string_equal(context_row("V-2")->patient_ref, "MR-2"); /* nobody was told of it */
}


static void
an_entry_without_patient_is_left_out_and_the_rest_taken(void **state)
{
    (void) state;
    begin();
    came(ANSWER("1", "false",
                "{\"reference\":\"V-0\"},{\"patient\":{\"reference\":\"MR-1\"}},"
                VISIT("V-1", ASHA_1)));
    assert_true(link_audited(&K, "care context left out", ABDM_E_HMIS_ANSWER));
    assert_int_equal(store_kit_number(&K.store, "SELECT count(*) FROM context"), 1);
}


static void
more_is_asked_for_at_once_but_never_in_circles(void **state)
{
    (void) state;
    begin();
    came(ANSWER("1", "true", VISIT("V-1", ASHA_1)));
    assert_int_equal(link_job(&K, "feed.due", -1)->due_at, K.now);
    next_look(ANSWER("1", "true", VISIT("V-1", ASHA_1))); /* the mark does not move */
    assert_int_equal(link_job(&K, "feed.due", -1)->due_at, K.now + 30 * SECONDS);
    next_look(ANSWER("2", "true", "")); /* and nothing comes */
    assert_int_equal(link_job(&K, "feed.due", -1)->due_at, K.now + 30 * SECONDS);
    next_look("{\"contexts\":[],\"more\":true}");
    assert_int_equal(link_job(&K, "feed.due", -1)->due_at, K.now + 30 * SECONDS);
    assert_one_chain();
}


static void
an_outage_of_the_hmis_is_told_once_and_survived(void **state)
{
    (void) state;
    begin();
    came(ANSWER("1", "false", ""));
    for (int i = 0; i < 5; i++) {
        link_until(&K, link_job(&K, "feed.due", -1)->due_at);
        link_failed(&K, "feed.came", 0, i % 2 ? ABDM_E_HMIS_ANSWER : ABDM_E_CONNECT, NULL);
        assert_int_equal(link_audited(&K, "feed not read", ABDM_E_CONNECT), i == 0);
        assert_int_equal(link_job(&K, "feed.due", -1)->due_at, K.now + 30 * SECONDS);
        assert_one_chain();
    }
    next_look(ANSWER("2", "false", VISIT("V-1", ASHA_1)));
    assert_true(link_audited(&K, "feed read again", ABDM_OK));
    assert_int_equal(feed_row().failing, 0);
    assert_int_equal(store_kit_number(&K.store, "SELECT count(*) FROM context"), 1);
}


static void
two_chains_become_one(void **state)
{
    (void) state;
    begin();
    begin(); /* an engine that was started twice */
    assert_one_chain();
    came(ANSWER("1", "false", ""));
    begin();
    assert_one_chain();
    /* a question that took longer than anything: another one was asked meanwhile */
    link_until(&K, K.now + 30 * SECONDS);
    assert_int_equal(link_waiting(&K, "feed.came"), 1);
    link_until(&K, K.now + 5 * MINUTES);
    begin();
    assert_int_equal(link_waiting(&K, "feed.came"), 2);
    came(ANSWER("old", "true", VISIT("V-1", ASHA_1)));
    assert_int_equal(store_kit_number(&K.store, "SELECT count(*) FROM context"), 0);
    came(ANSWER("2", "false", VISIT("V-1", ASHA_1)));
    assert_int_equal(store_kit_number(&K.store, "SELECT count(*) FROM context"), 1);
    assert_one_chain();
}


static void
the_clock_may_be_set_back_and_forward(void **state)
{
    (void) state;
    begin();
    came(ANSWER("1", "false", ""));
    K.now -= 400 * DAYS;
    begin(); /* the engine begins the chain of a store in which nothing is due soon */
    assert_int_equal(link_waiting(&K, "feed.came"), 1);
    came(ANSWER("2", "false", VISIT("V-1", ASHA_1)));
    K.now += 900 * DAYS;
    link_until(&K, K.now);
    came(ANSWER("3", "false", VISIT("V-1", ASHA_1) "," VISIT("V-2", ASHA_1)));
    assert_int_equal(store_kit_number(&K.store, "SELECT count(*) FROM context"), 2);
}


static void
an_answer_that_cannot_be_written_is_read_again(void **state)
{
    static const char answer[] = ANSWER("1", "true", VISIT("V-1", ASHA_1) ","
                                        VISIT("V-2", NOBODY("MR-2")));

    (void) state;
    patient_with("MR-1", NULL);
    LINK_EACH_READ_FAILS(&K, raise_event(HIP, "feed.due", ""));
    LINK_EACH_READ_FAILS(&K, link_raise(&K, link_job(&K, "feed.came", 0),
                                        (abdm_result_t){.records = link_json(answer)}));
    assert_int_equal(store_kit_number(&K.store, "SELECT count(*) FROM context"), 2);
    assert_one_chain();
}


static void
each_facility_has_a_mark_and_patients_of_its_own(void **state)
{
    (void) state;
    K.facility[1].questions[ABDM_HMIS_NEW_CONTEXTS] = 1;
    begin();
    came(ANSWER("1", "false", VISIT("V-1", ASHA_1)));
    OK_(raise_event(OTHER, "feed.due", ""));
    json_t *vars = link_body(link_job(&K, "feed.came", 0));

    assert_string_equal(json_string_value(json_object_get(vars, "since")), "");
    json_decref(vars);
    came(ANSWER("9", "false", VISIT("V-1", ASHA_1)));
    assert_int_equal(store_kit_number(&K.store, "SELECT count(*) FROM context"), 2);
    assert_int_equal(store_kit_number(&K.store, "SELECT count(*) FROM patient"), 2);
}


static void
five_hundred_patients_are_stepped_one_after_the_other(void **state)
{
    static char answer[200000];
    size_t n = (size_t) sprintf(answer, "{\"next\":\"500\",\"more\":true,\"contexts\":[");

    (void) state;
    for (int i = 0; i < 500; i++) {
        n += (size_t) sprintf(answer + n,
                              "%s{\"reference\":\"V-%d\",\"display\":\"x\","
                              "\"hiTypes\":[\"Invoice\"],\"patient\":{\"reference\":\"MR-%d\","
                              "\"name\":\"A B\",\"gender\":\"F\",\"yearOfBirth\":1980,"
                              "\"abhaAddress\":\"pat%d@sbx\"}}",
                              i ? "," : "", i, i, i);
    }
    strcpy(answer + n, "]}");
    begin();
    came(answer);
    assert_int_equal(link_waiting(&K, "link.due"), 500);
    assert_int_equal(link_job(&K, "link.due", -1)->due_at, K.now);
    link_until(&K, K.now + 5 * SECONDS);
    assert_int_equal(calls_to(ABDM_PATH_GENERATE_TOKEN), 251);
    link_until(&K, K.now + 5 * SECONDS);
    assert_int_equal(calls_to(ABDM_PATH_GENERATE_TOKEN), 500);
}


static void
who_has_no_abha_is_sent_the_deep_link_once_per_visit(void **state)
{
    static const char answer[] = ANSWER(
        "1", "false",
        VISIT("V-1", "{\"reference\":\"MR-1\",\"mobiles\":[\"9000000001\"]}") ","
        VISIT("V-2", NOBODY("MR-2")) "," VISIT("V-3", ASHA_1));

    (void) state;
    K.facility[0].deep_link = true;
    begin();
    came(ANSWER("0", "false",
                VISIT("V-1", "{\"reference\":\"MR-1\",\"mobiles\":[\"9000000001\"]}") ","
                VISIT("V-2", NOBODY("MR-2"))));
    assert_int_equal(link_waiting(&K, "sms.due"), 1); /* MR-2 has no mobile */
    settle_now();
    assert_int_equal(calls_to(ABDM_PATH_SMS_NOTIFY), 1);
    goes(ABDM_PATH_SMS_NOTIFY);
    next_look(answer);
    next_look(answer);
    assert_int_equal(link_waiting(&K, "sms.due") + calls_to(ABDM_PATH_SMS_NOTIFY), 0);
}


static void
nobody_is_sent_the_deep_link_of_an_old_visit(void **state)
{
    (void) state;
    K.facility[0].deep_link = true;
    K.now += 8 * DAYS;
    begin();
    came(ANSWER("0", "false",
                VISIT("V-1", "{\"reference\":\"MR-1\",\"mobiles\":[\"9000000001\"]}")));
    assert_int_equal(link_waiting(&K, "sms.due"), 0);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        FEED_TEST(the_hmis_is_asked_from_its_own_mark_on),
        FEED_TEST(a_feed_that_is_not_configured_is_not_read),
        FEED_TEST(a_new_visit_of_a_known_abha_is_linked_by_itself),
        FEED_TEST(what_comes_again_changes_nothing),
        FEED_TEST(new_data_in_a_linked_visit_is_notified_once),
        FEED_TEST(new_data_in_a_visit_not_yet_linked_is_only_kept),
        FEED_TEST(silence_of_the_hmis_says_nothing),
        FEED_TEST(an_abha_of_somebody_else_is_not_taken_over),
        FEED_TEST(an_abha_that_left_abdm_does_not_come_back_by_the_feed),
        FEED_TEST(an_abha_that_becomes_known_links_older_visits_too),
        FEED_TEST(a_linked_visit_does_not_move_to_another_patient),
        FEED_TEST(an_entry_without_patient_is_left_out_and_the_rest_taken),
        FEED_TEST(more_is_asked_for_at_once_but_never_in_circles),
        FEED_TEST(an_outage_of_the_hmis_is_told_once_and_survived),
        FEED_TEST(two_chains_become_one),
        FEED_TEST(the_clock_may_be_set_back_and_forward),
        FEED_TEST(an_answer_that_cannot_be_written_is_read_again),
        FEED_TEST(each_facility_has_a_mark_and_patients_of_its_own),
        FEED_TEST(who_has_no_abha_is_sent_the_deep_link_once_per_visit),
        FEED_TEST(nobody_is_sent_the_deep_link_of_an_old_visit),
        FEED_TEST(five_hundred_patients_are_stepped_one_after_the_other),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
