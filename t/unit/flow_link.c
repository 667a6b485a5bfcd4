/* Requests to link that the hospital begins: what they name, and what comes of each answer. */
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


/* ...and its request has been taken. */
static const char *
under_way(void)
{
    ready();
    due("MR-1");
    return goes(LINK);
}


static void
a_hundred_go_in_one_request_and_the_rest_after(void **state)
{
    (void) state;
    patient_with("MR-1", ASHA);
    keep_token(ASHA);
    visits(230, "MR-1");
    due("MR-1");
    assert_int_equal(count_in(ABDM_LINK_PENDING), 100);
    settle_now();
    assert_int_equal(calls_to(LINK), 3);
    assert_int_equal(count_in(ABDM_LINK_PENDING), 230);
    assert_int_equal(store_kit_number(&K.store, "SELECT count(DISTINCT batch) FROM context"), 3);
    due("MR-1"); /* nobody is named twice */
    assert_int_equal(calls_to(LINK), 3);
    for (int i = 0; i < 3; i++)
        answers("link.linked", goes(LINK), "");
    assert_int_equal(count_in(ABDM_LINK_LINKED), 230);
}


static void
a_success_links_and_tells_everybody(void **state)
{
    abdm_row_request_t request = {0};

    (void) state;
    K.facility[0].questions[ABDM_HMIS_TELL] = 1;
    LINK_PUT(&K, request, .hip_id = HIP, .id = "r-1", .what = "link", .patient_ref = "MR-1",
             .contexts = "[\"V-1\"]", .created_at = K.now);
    answers("link.linked", under_way(),
            "\"abhaAddress\":\"asha.k@sbx\",\"status\":\"Successfully Linked care context\"");
    const abdm_row_context_t *row = context_row("V-1");

    assert_int_equal(row->state, ABDM_LINK_LINKED);
    assert_int_equal(row->linked_at, K.now);
    assert_int_equal(row->notified_types, 1u << ABDM_HI_PRESCRIPTION);
    assert_true(link_audited(&K, "care context linked", ABDM_OK));
    assert_int_equal(link_waiting(&K, "context.notify_due"), 0); /* not for the link itself */
    json_t *told = link_body(link_job(&K, "hmis.told", 0));

    assert_at(told, "event", "linked");
    assert_at(told, "careContexts.0", "V-1");
    json_decref(told);
    LINK_GET(&K, request, &request, .hip_id = HIP, .id = "r-1");
    assert_int_equal(request.state, ABDM_REQUEST_DONE);
    abdm_row_request_clear(&request);
}


static void
a_request_of_several_is_over_with_the_last(void **state)
{
    abdm_row_request_t request = {0};

    (void) state;
    ready();
    LINK_PUT(&K, request, .hip_id = HIP, .id = "r-1", .what = "link", .patient_ref = "MR-1",
             .contexts = "[\"V-1\",\"V-2\"]", .created_at = K.now);
    LINK_PUT(&K, request, .hip_id = HIP, .id = "r-2", .what = "sms", .patient_ref = "MR-1",
             .created_at = K.now);
    due("MR-1");
    const char *first = goes(LINK);

    visit("V-2", "MR-1");
    due("MR-1");
    const char *second = goes(LINK);

    answers_error("link.linked", first, "1037");
    LINK_GET(&K, request, &request, .hip_id = HIP, .id = "r-1");
    assert_int_equal(request.state, ABDM_REQUEST_OPEN);
    abdm_row_request_clear(&request);
    answers("link.linked", second, "");
    LINK_GET(&K, request, &request, .hip_id = HIP, .id = "r-1");
    assert_int_equal(request.state, ABDM_REQUEST_FAILED);
    assert_string_equal(request.reason, "1037");
    abdm_row_request_clear(&request);
    LINK_GET(&K, request, &request, .hip_id = HIP, .id = "r-2");
    assert_int_equal(request.state, ABDM_REQUEST_OPEN);
    abdm_row_request_clear(&request);
}


static void
linked_before_is_linked(void **state)
{
    (void) state;
    answers_error("link.linked", under_way(), "1056");
    assert_int_equal(state_of("V-1"), ABDM_LINK_LINKED);
}


/* The call was sent before, and what came of it lost. */
static const char *
was_sent_before(void)
{
    abdm_result_t repeated = {.err = {ABDM_E_GATEWAY_REFUSED, "", ""}, .final = true,
                              .status = 400, .code = "9999", .repeated = true};
    const char *id = leaves(LINK);

    OK_(link_raise(&K, call_to(LINK), repeated));
    return id;
}


static void
what_comes_of_a_repeated_request_is_what_comes_of_the_first(void **state)
{
    (void) state;
    ready();
    due("MR-1");
    const char *first = was_sent_before();

    assert_true(link_audited(&K, "link request repeated", ABDM_OK));
    assert_int_equal(state_of("V-1"), ABDM_LINK_PENDING);
    answers_error("link.linked", first, "1037");
    assert_int_equal(state_of("V-1"), ABDM_LINK_FAILED);
    visit("V-2", "MR-1");
    due("MR-1");
    first = was_sent_before();
    answers("link.linked", first, "");
    assert_int_equal(state_of("V-2"), ABDM_LINK_LINKED);
}


static void
a_request_known_after_its_silence_says_that_the_gateway_has_the_link(void **state)
{
    (void) state;
    ready();
    due("MR-1");
    (void) was_sent_before();
    link_until(&K, K.now + 11 * MINUTES);
    (void) was_sent_before();
    assert_int_equal(state_of("V-1"), ABDM_LINK_LINKED);
    assert_true(link_audited(&K, "the gateway has the link already", ABDM_OK));
    visit("V-2", "MR-1");
    due("MR-1");
    is_refused(LINK, "1090");
    assert_int_equal(state_of("V-2"), ABDM_LINK_PENDING);
    link_until(&K, K.now + 11 * MINUTES);
    is_refused(LINK, "1090");
    assert_int_equal(state_of("V-2"), ABDM_LINK_LINKED);
}


static void
a_refused_link_fails_with_its_code(void **state)
{
    (void) state;
    answers_error("link.linked", under_way(), "1037");
    assert_int_equal(state_of("V-1"), ABDM_LINK_FAILED);
    assert_string_equal(context_row("V-1")->reason, "1037");
    visit("V-2", "MR-1");
    due("MR-1");
    is_refused(LINK, "9999");
    assert_int_equal(state_of("V-2"), ABDM_LINK_FAILED);
    link_until(&K, K.now + 3 * DAYS);
    assert_int_equal(calls_to(LINK), 0);
    visit("V-3", "MR-1");
    due("MR-1");
    is_refused(LINK, ""); /* 400 with an empty body */
    assert_string_equal(context_row("V-3")->reason, "E_GATEWAY_REFUSED");
}


static void
linked_is_final_and_a_late_success_wins(void **state)
{
    (void) state;
    const char *id = under_way();

    answers_error("link.linked", id, "1037");
    assert_int_equal(state_of("V-1"), ABDM_LINK_FAILED);
    answers("link.linked", id, "");
    assert_int_equal(state_of("V-1"), ABDM_LINK_LINKED);
    answers_error("link.linked", id, "1038");
    assert_true(link_audited(&K, "link answer repeated", ABDM_OK));
    assert_false(link_changed(&K));
    assert_int_equal(state_of("V-1"), ABDM_LINK_LINKED);
    assert_non_null(token_row_of(ASHA).token);
}


static void
an_answer_for_another_facility_or_call_changes_nothing(void **state)
{
    (void) state;
    const char *id = under_way();

    OK_(answers_at(OTHER, "link.linked", id, ""));
    assert_true(link_audited(&K, "link answer refused", ABDM_E_ANSWER_UNKNOWN));
    assert_false(link_changed(&K));
    answers("link.linked", "99999999-0000-4000-8000-000000000001", "");
    assert_true(link_audited(&K, "link answer refused", ABDM_E_ANSWER_UNKNOWN));
    assert_int_equal(state_of("V-1"), ABDM_LINK_PENDING);
}


static void
an_answer_of_another_patient_changes_nothing(void **state)
{
    static const char *const others[] = {"\"ravi.i@sbx\"", "\"nobody\"", "7", "[\"asha.k@sbx\"]"};
    char member[64];

    (void) state;
    const char *id = under_way();

    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        snprintf(member, sizeof(member), "\"abhaAddress\":%s", others[i]);
        answers("link.linked", id, member);
        assert_true(link_audited(&K, "link answer refused", ABDM_E_FIELD));
        assert_false(link_changed(&K));
    }
    assert_int_equal(state_of("V-1"), ABDM_LINK_PENDING);
    answers("link.linked", id, "\"abhaAddress\":\"Asha.K@sbx\"");
    assert_int_equal(state_of("V-1"), ABDM_LINK_LINKED);
}


static void
a_faulty_token_is_dropped_and_another_asked(void **state)
{
    static const char *const codes[] = {"1026", "1038", "1062", "1063", "1066"};

    (void) state;
    for (size_t i = 0; i < 2 * 5; i++) {
        char ref[16], abha[32], context[16];

        snprintf(ref, sizeof(ref), "MR-%zu", i);
        snprintf(abha, sizeof(abha), "pat%zu@sbx", i);
        snprintf(context, sizeof(context), "V-%zu", i);
        patient_with(ref, abha);
        visit(context, ref);
        keep_token(abha);
        due(ref);
        if (i < 5)
            is_refused(LINK, codes[i]);
        else
            answers_error("link.linked", goes(LINK), codes[i - 5]);
        assert_null(token_row_of(abha).token);
        assert_int_equal(state_of(context), ABDM_LINK_NONE);
        settle_now();
        assert_int_equal(calls_to(GENERATE), 1);
        token_comes(goes(GENERATE), abha, K.now + 182 * DAYS);
        settle_now();
        answers("link.linked", goes(LINK), "");
        assert_int_equal(state_of(context), ABDM_LINK_LINKED);
    }
}


static void
tokens_that_never_please_end_the_same_day(void **state)
{
    (void) state;
    patient_with("MR-1", ASHA);
    visit("V-1", "MR-1");
    due("MR-1");
    for (int i = 0; i < 3; i++) {
        link_until(&K, K.now + 7 * MINUTES);
        token_comes(goes(GENERATE), ASHA, K.now + 182 * DAYS);
        settle_now();
        answers_error("link.linked", goes(LINK), "1062");
    }
    assert_int_equal(state_of("V-1"), ABDM_LINK_FAILED);
    assert_string_equal(context_row("V-1")->reason, "1062");
    link_until(&K, K.now + 2 * DAYS);
    assert_int_equal(calls_to(GENERATE), 0);
}


static void
silence_is_met_by_the_same_request_again(void **state)
{
    char batch[40];

    (void) state;
    under_way();
    snprintf(batch, sizeof(batch), "%s", context_row("V-1")->batch);
    link_until(&K, K.now + 10 * MINUTES - 1);
    assert_int_equal(calls_to(LINK), 0);
    link_until(&K, K.now + 1);
    assert_string_equal(call_to(LINK)->subject, batch);
    goes(LINK);
    for (int i = 2; i <= 24; i++) {
        link_until(&K, K.now + HOURS - 1);
        assert_int_equal(calls_to(LINK), 0);
        link_until(&K, K.now + 1);
        assert_int_equal(calls_to(LINK), 1);
        goes(LINK);
    }
    link_until(&K, K.now + HOURS);
    assert_int_equal(calls_to(LINK), 0);
    assert_int_equal(state_of("V-1"), ABDM_LINK_FAILED);
    assert_string_equal(context_row("V-1")->reason, "E_TIMEOUT");
    link_until(&K, K.now + DAYS);
    assert_int_equal(K.n_jobs, 0);
}


static void
the_answer_to_any_attempt_ends_the_silence(void **state)
{
    (void) state;
    const char *first = under_way();

    link_until(&K, K.now + 10 * MINUTES);
    goes(LINK);
    answers("link.linked", first, "");
    assert_int_equal(state_of("V-1"), ABDM_LINK_LINKED);
    link_until(&K, K.now + DAYS);
    assert_int_equal(K.n_jobs, 0);
}


static void
a_request_that_was_never_taken_is_sent_later(void **state)
{
    (void) state;
    ready();
    due("MR-1");
    assert_int_equal(call_to(LINK)->deadline_at, K.now + DAYS); /* the engine repeats it */
    link_until(&K, K.now + DAYS);
    fails(LINK, ABDM_E_CONNECT);
    assert_true(link_audited(&K, "link request not taken", ABDM_E_CONNECT));
    assert_int_equal(state_of("V-1"), ABDM_LINK_PENDING);
    link_until(&K, K.now + HOURS);
    assert_int_equal(calls_to(LINK), 1);
}


static void
troubles_of_the_gateway_with_a_link_pass(void **state)
{
    (void) state;
    ready();
    due("MR-1");
    is_refused(LINK, "1024");
    assert_int_equal(state_of("V-1"), ABDM_LINK_PENDING);
    link_until(&K, K.now + HOURS);
    answers_error("link.linked", goes(LINK), "1024");
    assert_int_equal(state_of("V-1"), ABDM_LINK_PENDING);
    link_until(&K, K.now + HOURS);
    answers("link.linked", goes(LINK), "");
    assert_int_equal(state_of("V-1"), ABDM_LINK_LINKED);
}


/* A clock that was set wrong, ours or theirs, fails no visit for good. */
static void
a_link_that_met_another_clock_is_tried_again(void **state)
{
    (void) state;
    ready();
    due("MR-1");
    is_refused(LINK, "1016");
    link_until(&K, K.now + HOURS);
    is_refused(LINK, "2402");
    assert_int_equal(state_of("V-1"), ABDM_LINK_PENDING);
    link_until(&K, K.now + HOURS);
    answers("link.linked", goes(LINK), "");
    assert_int_equal(state_of("V-1"), ABDM_LINK_LINKED);
}


static void
a_block_told_by_a_link_holds_its_batch_for_a_day(void **state)
{
    (void) state;
    answers_error("link.linked", under_way(), "1027");
    abdm_ms_t blocked_at = K.now;

    assert_int_equal(token_row_of(ASHA).blocked_until, K.now + DAYS);
    link_until(&K, blocked_at + DAYS - 1);
    assert_int_equal(calls_to(LINK), 0);
    assert_int_equal(state_of("V-1"), ABDM_LINK_PENDING);
    link_until(&K, blocked_at + DAYS);
    answers("link.linked", goes(LINK), "");
    assert_int_equal(state_of("V-1"), ABDM_LINK_LINKED);
}


static void
a_batch_without_its_token_begins_anew(void **state)
{
    (void) state;
    under_way();
    LINK_PUT(&K, link_token, .hip_id = HIP, .abha_address = ASHA);
    link_until(&K, K.now + 10 * MINUTES);
    assert_int_equal(state_of("V-1"), ABDM_LINK_NONE);
    assert_int_equal(calls_to(GENERATE), 1);
}


static void
a_batch_of_a_patient_who_has_gone_asks_nothing(void **state)
{
    (void) state;
    const char *id = under_way();
    abdm_effects_t e = {0};

    abdm_effect_delete_patient(&e, &(abdm_row_patient_t){.hip_id = HIP, .ref = "MR-1"});
    OK_(abdm_store_apply(K.store.store, &e, K.now));
    abdm_effects_clear(&e);
    answers_error("link.linked", id, "1026");
    assert_int_equal(state_of("V-1"), ABDM_LINK_NONE);
    link_until(&K, K.now + DAYS);
    assert_int_equal(calls_to(LINK) + calls_to(GENERATE), 0);
}


/* What came to a care context while its request was away is told after. */
static void
types_that_came_meanwhile_are_notified(void **state)
{
    (void) state;
    const char *id = under_way();
    abdm_row_context_t row = {0};
    abdm_effects_t e = {0};

    LINK_GET(&K, context, &row, .hip_id = HIP, .ref = "V-1");
    row.hi_types |= 1u << ABDM_HI_INVOICE;
    abdm_effect_put_context(&e, &row);
    OK_(abdm_store_apply(K.store.store, &e, K.now));
    abdm_effects_clear(&e);
    abdm_row_context_clear(&row);
    answers("link.linked", id, "");
    link_until(&K, K.now + 30 * SECONDS - 1);
    assert_int_equal(calls_to(ABDM_PATH_CONTEXT_NOTIFY), 0);
    link_until(&K, K.now + 1);
    json_t *body = link_body(call_to(ABDM_PATH_CONTEXT_NOTIFY));

    assert_at(body, "notification.hiTypes.0", "Invoice");
    assert_null(abdm_json_at(body, "notification.hiTypes.1"));
    json_decref(body);
}


static abdm_err_t
token_answer(const char *id)
{
    char members[512];

    snprintf(members, sizeof(members), "\"abhaAddress\":\"%s\",\"linkToken\":\"%s\"", ASHA,
             jwt(K.now + 182 * DAYS));
    return answers_at(HIP, "link.token_came", id, members);
}


static abdm_job_t *
silence_of(const char *batch)
{
    for (size_t i = 0; i < K.n_jobs; i++) {
        if (strcmp(K.job[i].event, "link.silent") == 0 && strcmp(K.job[i].subject, batch) == 0)
            return &K.job[i];
    }
    fail_msg("nobody waits for the batch");
    return NULL;
}


static void
a_store_that_fails_leaves_everything_as_it_was(void **state)
{
    abdm_result_t ok = {.status = 202}, no = {.err = {ABDM_E_GATEWAY_REFUSED, "", ""},
                                              .final = true, .code = "1026"};

    (void) state;
    patient_with("MR-1", ASHA);
    visit("V-1", "MR-1");
    LINK_PUT(&K, request, .hip_id = HIP, .id = "r-1", .what = "link", .patient_ref = "MR-1",
             .contexts = "[\"V-1\",\"V-0\"]", .created_at = K.now);
    LINK_EACH_READ_FAILS(&K, raise_event(HIP, "link.due", "MR-1"));
    const char *id = leaves(GENERATE);

    LINK_EACH_READ_FAILS(&K, link_raise(&K, call_to(GENERATE), ok));
    LINK_EACH_READ_FAILS(&K, token_answer(id));
    settle_now();
    leaves(LINK);
    LINK_EACH_READ_FAILS(&K, link_raise(&K, call_to(LINK), no));
    LINK_PUT(&K, link_token, .hip_id = HIP, .abha_address = ASHA, .token = "t",
             .expires_at = K.now + DAYS);
    settle_now();
    leaves(LINK);
    link_raise(&K, call_to(LINK), ok);
    link_until(&K, K.now + 10 * MINUTES - 1);
    K.now += 1;
    LINK_EACH_READ_FAILS(&K, link_raise(&K, silence_of(context_row("V-1")->batch), ok));
    id = leaves(LINK);
    LINK_EACH_READ_FAILS(&K, answers_at(HIP, "link.linked", id, ""));
    assert_int_equal(state_of("V-1"), ABDM_LINK_LINKED);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        KIT_TEST(a_hundred_go_in_one_request_and_the_rest_after),
        KIT_TEST(a_success_links_and_tells_everybody),
        KIT_TEST(a_request_of_several_is_over_with_the_last),
        KIT_TEST(linked_before_is_linked),
        KIT_TEST(what_comes_of_a_repeated_request_is_what_comes_of_the_first),
        KIT_TEST(a_request_known_after_its_silence_says_that_the_gateway_has_the_link),
        KIT_TEST(a_refused_link_fails_with_its_code),
        KIT_TEST(linked_is_final_and_a_late_success_wins),
        KIT_TEST(an_answer_for_another_facility_or_call_changes_nothing),
        KIT_TEST(an_answer_of_another_patient_changes_nothing),
        KIT_TEST(a_faulty_token_is_dropped_and_another_asked),
        KIT_TEST(tokens_that_never_please_end_the_same_day),
        KIT_TEST(silence_is_met_by_the_same_request_again),
        KIT_TEST(the_answer_to_any_attempt_ends_the_silence),
        KIT_TEST(a_request_that_was_never_taken_is_sent_later),
        KIT_TEST(troubles_of_the_gateway_with_a_link_pass),
        KIT_TEST(a_link_that_met_another_clock_is_tried_again),
        KIT_TEST(a_block_told_by_a_link_holds_its_batch_for_a_day),
        KIT_TEST(a_batch_without_its_token_begins_anew),
        KIT_TEST(a_batch_of_a_patient_who_has_gone_asks_nothing),
        KIT_TEST(types_that_came_meanwhile_are_notified),
        KIT_TEST(a_store_that_fails_leaves_everything_as_it_was),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
