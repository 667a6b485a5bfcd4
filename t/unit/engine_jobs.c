/*
 * Jobs of the engine: calls to the gateway and their results, pauses between attempts, moments in
 * time, and what becomes of them when the process drains and stops.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/id.h"
#include "engine_kit.h"


static void
a_call_is_made_with_an_id_of_its_own_and_its_result_becomes_an_event(void **state)
{
    (void) state;
    accept_one("t.call", "r-1", "{\"ms\":60000}");
    assert_soon(count_seen("t.called") == 1);
    seen_t s = seen("t.called", 0);
    assert_int_equal(s.code, ABDM_OK);
    assert_int_equal(s.status, 202);
    assert_string_equal(s.subject, "S-1");
    assert_string_equal(s.body, "{\"x\":1}");
    assert_true(abdm_is_uuid(abdm_str(E.request_ids[0])));
    assert_string_equal(s.request_id, E.request_ids[0]);
    assert_true(store_kit_number(&E.store, "SELECT count(*) FROM sent WHERE path = '/call'") == 1);
    assert_soon(store_kit_number(&E.store, "SELECT count(*) FROM job") == 0);
}


static void
a_call_that_fails_for_now_is_made_again_under_a_new_id(void **state)
{
    abdm_ms_t began = abdm_time_monotonic();

    (void) state;
    atomic_store(&E.fail_503, 2);
    accept_one("t.call", "r-1", "{\"ms\":60000}");
    assert_soon(count_seen("t.called") == 1);
    assert_int_equal(seen("t.called", 0).code, ABDM_OK);
    assert_int_equal(atomic_load(&E.calls), 3);
    assert_string_not_equal(E.request_ids[0], E.request_ids[1]);
    assert_string_not_equal(E.request_ids[1], E.request_ids[2]);
    assert_true(store_kit_number(&E.store, "SELECT count(*) FROM sent") == 3);
    /* half a second and one second, each give or take a quarter */
    assert_in_range(abdm_time_monotonic() - began, 375 + 750, 625 + 1250 + 2000);
}


static void
the_pause_is_at_least_what_the_gateway_asks_for(void **state)
{
    abdm_ms_t began = abdm_time_monotonic();

    (void) state;
    atomic_store(&E.fail_503, 1);
    atomic_store(&E.retry_after, 1);
    accept_one("t.call", "r-1", "{\"ms\":60000}");
    assert_soon(count_seen("t.called") == 1);
    assert_in_range(abdm_time_monotonic() - began, 1990, 5000);
}


static void
a_call_that_is_refused_is_told_at_once(void **state)
{
    (void) state;
    atomic_store(&E.fail_400, 1);
    accept_one("t.call", "r-1", "{\"ms\":60000}");
    assert_soon(count_seen("t.called") == 1);
    seen_t s = seen("t.called", 0);
    assert_int_equal(s.code, ABDM_E_GATEWAY_REFUSED);
    assert_int_equal(s.status, 400);
    assert_true(s.final);
    assert_int_equal(atomic_load(&E.calls), 1);
}


static void
a_call_whose_session_is_refused_is_made_again_at_once_with_a_new_one(void **state)
{
    abdm_ms_t began = abdm_time_monotonic();

    (void) state;
    atomic_store(&E.fail_401, 1);
    accept_one("t.call", "r-1", "{\"ms\":60000}");
    assert_soon(count_seen("t.called") == 1);
    assert_int_equal(seen("t.called", 0).code, ABDM_OK);
    assert_in_range(abdm_time_monotonic() - began, 0, 370); /* no pause */
    assert_int_equal(atomic_load(&E.calls), 2);
    assert_int_equal(atomic_load(&E.sessions), 2);
    assert_string_equal(E.tokens[1], "token-2");
}


static void
a_call_that_cannot_be_made_before_its_deadline_has_failed(void **state)
{
    (void) state;
    atomic_store(&E.fail_503, 100);
    accept_one("t.call", "r-1", "{\"ms\":1000}");
    assert_soon(count_seen("t.called") == 1);
    seen_t s = seen("t.called", 0);
    assert_int_equal(s.code, ABDM_E_HTTP_STATUS);
    assert_int_equal(s.status, 503);
    assert_in_range(atomic_load(&E.calls), 1, 2);
    assert_soon(store_kit_number(&E.store, "SELECT count(*) FROM job") == 0);
}


/* The gateway may have taken it: whoever made the job decides whether it is made again. */
static void
a_call_that_is_sent_once_is_not_sent_again_when_its_worker_died(void **state)
{
    abdm_job_t job = {.kind = ABDM_JOB_GATEWAY, .event = "t.noted", .hip_id = "HIP_1",
                      .subject = "S", .path = "/api/once", .body = "{}", .body_len = 2,
                      .due_at = 1, .deadline_at = 1, .created_at = 1};

    (void) state;
    OK_(abdm_store_begin(E.store.store));
    OK_(abdm_store_heartbeat(E.store.store, "999999999.1", abdm_time_now() + 60000));
    OK_(abdm_store_job_add(E.store.store, &job, "999999999.1"));
    OK_(abdm_store_commit(E.store.store));
    assert_soon(count_seen("t.noted") == 1);
    assert_int_equal(E.seen[0].code, ABDM_E_STOPPING);
    assert_true(E.seen[0].final);
    assert_int_equal(atomic_load(&E.calls), 0);
}


static void
a_facility_that_is_configured_no_more_fails_its_jobs(void **state)
{
    (void) state;
    E.facility.facts.id = "HIP_9"; /* the callback's is HIP_1 */
    accept_one("t.call", "r-1", "{\"ms\":60000}");
    assert_soon(count_seen("t.called") == 1);
    assert_int_equal(seen("t.called", 0).code, ABDM_E_FACILITY_UNKNOWN);
    assert_int_equal(atomic_load(&E.calls), 0);
}


static void
a_moment_comes_when_it_is_due_and_not_before(void **state)
{
    abdm_ms_t began = abdm_time_now();

    (void) state;
    accept_one("t.later", "r-1", "{\"ms\":700}");
    assert_soon(count_seen("t.noted") == 1);
    seen_t s = seen("t.noted", 0);
    assert_in_range(s.now - began, 700, 2500);
    assert_int_equal(s.arg, 9);
    assert_string_equal(s.subject, "S-2");
}


/* A job that its workers did not survive: its flow is told, and a moment is put aside. */
static void
a_poisoned_job_is_not_carried_out_and_told(void **state)
{
    abdm_job_t call = {.kind = ABDM_JOB_GATEWAY, .event = "t.called", .hip_id = "HIP_1",
                       .subject = "S-1", .path = "/call", .body = "{}", .body_len = 2,
                       .due_at = 1, .deadline_at = abdm_time_now() + 60000, .created_at = 1};
    abdm_job_t moment = {.kind = ABDM_JOB_EVENT, .event = "t.noted", .hip_id = "HIP_1",
                         .subject = "S-2", .due_at = 1, .deadline_at = 1, .created_at = 1};

    (void) state;
    OK_(abdm_store_begin(E.store.store));
    OK_(abdm_store_job_add(E.store.store, &call, "nobody"));
    OK_(abdm_store_job_add(E.store.store, &moment, "nobody"));
    OK_(abdm_store_commit(E.store.store));
    store_kit_exec(&E.store, "UPDATE job SET claims = 5, owner = NULL");
    assert_soon(count_seen("t.called") == 1);
    assert_int_equal(seen("t.called", 0).code, ABDM_E_POISON);
    assert_soon(store_kit_number(&E.store, "SELECT count(*) FROM job") == 0);
    assert_int_equal(count_seen("t.noted"), 0);
    assert_int_equal(atomic_load(&E.calls), 0);
    assert_int_equal(store_kit_number(&E.store, "SELECT count(*) FROM audit WHERE subject = 'S-2'"
                                                " AND code = 'E_POISON'"),
                     1);
}


/* Until the key is right again, or its deadline: then its flow is told. A moment has none. */
static void
a_job_that_does_not_open_is_not_carried_out_and_holds_up_nothing_else(void **state)
{
    abdm_job_t call = {.kind = ABDM_JOB_GATEWAY, .event = "t.called", .hip_id = "HIP_1",
                       .subject = "S-1", .path = "/call", .body = "{}", .body_len = 2,
                       .due_at = 1, .deadline_at = abdm_time_now() + 2000, .created_at = 1};
    abdm_job_t moment = {.kind = ABDM_JOB_EVENT, .event = "t.noted", .hip_id = "HIP_1",
                         .subject = "S-2", .body = "{}", .body_len = 2, .due_at = 1,
                         .deadline_at = 1, .created_at = 1};

    (void) state;
    engine_end(1000);
    OK_(abdm_store_job_add(E.store.store, &call, NULL));
    OK_(abdm_store_job_add(E.store.store, &moment, NULL));
    store_kit_exec(&E.store, "UPDATE job SET body = zeroblob(length(body))");
    engine_begin();
    accept_one("t.call", "r-1", "{\"ms\":60000}");
    assert_soon(count_seen("t.called") == 2);
    assert_int_equal(seen("t.called", 0).code, ABDM_OK);
    assert_int_equal(seen("t.called", 1).code, ABDM_E_SEAL);
    assert_int_equal(atomic_load(&E.calls), 1);
    assert_int_equal(count_seen("t.noted"), 0);
    assert_soon(store_kit_number(&E.store, "SELECT count(*) FROM job") == 1);
    assert_int_equal(store_kit_number(&E.store, "SELECT count(*) FROM job WHERE due_at > 1"), 1);
}


static void
draining_leaves_what_is_due_to_others_and_finishes_what_was_begun(void **state)
{
    (void) state;
    accept_one("t.later", "r-1", "{\"ms\":400}");
    assert_soon(count_seen("t.later") == 1);
    abdm_engine_drain(E.engine);
    accept_one("t.call", "r-2", "{\"ms\":60000}"); /* handled, but its call is for another */
    assert_soon(count_seen("t.call") == 1);
    server_nap(1000);
    assert_int_equal(count_seen("t.noted"), 0);
    assert_int_equal(atomic_load(&E.calls), 0);
    assert_false(abdm_engine_busy(E.engine));
    engine_end(1000);
    assert_int_equal(store_kit_number(&E.store, "SELECT count(*) FROM job WHERE owner IS NULL"),
                     2);
    assert_int_equal(store_kit_number(&E.store, "SELECT count(*) FROM owner"), 0);

    engine_begin(); /* the other */
    assert_soon(count_seen("t.noted") == 1 && count_seen("t.called") == 1);
}


static void
stopping_keeps_its_deadline_when_a_peer_hangs_and_gives_the_call_back(void **state)
{
    abdm_ms_t began;

    (void) state;
    atomic_store(&E.silent, 1);
    accept_one("t.call", "r-1", "{\"ms\":60000}");
    assert_soon(atomic_load(&E.calls) == 1);
    assert_true(abdm_engine_busy(E.engine));
    began = abdm_time_monotonic();
    engine_end(300);
    assert_in_range(abdm_time_monotonic() - began, 250, 2000);
    assert_int_equal(count_seen("t.called"), 0);
    assert_int_equal(
        store_kit_number(&E.store, "SELECT claims FROM job WHERE owner IS NULL"), 0);

    engine_begin();
    assert_soon(count_seen("t.called") == 1);
    assert_int_equal(seen("t.called", 0).code, ABDM_OK);
}


static void
stopping_waits_for_what_ends_in_time(void **state)
{
    (void) state;
    for (int i = 0; i < 20; i++) {
        char id[32];

        snprintf(id, sizeof(id), "r-%d", i);
        accept_one("t.call", id, "{\"ms\":60000}");
    }
    assert_soon(count_seen("t.call") == 20);
    engine_end(5000);
    assert_int_equal(store_kit_number(&E.store, "SELECT count(*) FROM job WHERE owner > ''"), 0);
    assert_int_equal(count_seen("t.called")
                         + store_kit_number(&E.store,
                                            "SELECT (SELECT count(*) FROM job)"
                                            " + (SELECT count(*) FROM inbox WHERE done_at IS NULL)"),
                     20);
}


/* At every moment of its work, also while jobs are just being begun. */
static void
an_engine_may_be_stopped_at_any_moment(void **state)
{
    enum { ROUNDS = 40 };

    (void) state;
    for (int i = 0; i < ROUNDS; i++) {
        char id[32];

        for (int k = 0; k < 5; k++) {
            snprintf(id, sizeof(id), "r-%d-%d", i, k);
            OK_(send_callback(k % 2 ? "t.call" : "t.later", id, "{\"ms\":1}", NULL));
        }
        server_nap(i % 8);
        engine_end(0);
        engine_begin();
    }
    assert_soon(count_seen("t.call") + count_seen("t.later") > 0);
    assert_soon(!abdm_engine_busy(E.engine)
                && store_kit_number(&E.store, "SELECT count(*) FROM job") == 0);
    assert_int_equal(store_kit_number(&E.store, "SELECT count(*) FROM inbox WHERE done_at IS NULL"),
                     0);
}


/* The store thread sits in the middle of a turn while the engine stops around it. */
static void
a_stop_while_the_store_is_slow_begins_no_job_afterwards(void **state)
{
    (void) state;
    store_kit_exec(&E.store, "BEGIN IMMEDIATE");
    for (int i = 0; i < 20; i++) {
        char id[32];

        snprintf(id, sizeof(id), "r-%d", i);
        OK_(send_callback("t.call", id, "{\"ms\":60000}", NULL));
    }
    server_nap(600); /* now it waits for the lock */
    store_kit_exec(&E.store, "COMMIT");
    server_nap(2);
    engine_end(0);
    assert_int_equal(store_kit_number(&E.store, "SELECT count(*) FROM job WHERE owner > ''"), 0);
    assert_int_equal(store_kit_number(&E.store, "SELECT count(*) FROM inbox WHERE owner > ''"), 0);
}


/* What nobody waits for has little room, and what waits in the store for it is passed over. */
static void
an_answer_goes_while_more_links_hang_than_there_is_room_for(void **state)
{
    enum { LINKS = 100, ROOM = 32 };
    abdm_ms_t now = abdm_time_now();

    (void) state;
    atomic_store(&E.silent, ROOM);
    OK_(abdm_store_begin(E.store.store));
    for (int i = 0; i < LINKS; i++) {
        abdm_job_t job = {.kind = ABDM_JOB_LINK, .event = "t.noted", .hip_id = "HIP_1",
                          .subject = "S", .path = "/link", .body = "{}", .body_len = 2,
                          .due_at = 1, .deadline_at = now + 60000, .created_at = 1};

        OK_(abdm_store_job_add(E.store.store, &job, NULL));
    }
    OK_(abdm_store_commit(E.store.store));
    assert_soon(atomic_load(&E.calls) == ROOM);
    accept_one("t.call", "r-1", "{\"ms\":60000}");
    assert_soon(count_seen("t.called") == 1);
    assert_int_equal(seen("t.called", 0).code, ABDM_OK);
    assert_int_equal(atomic_load(&E.calls), ROOM + 1);
    assert_int_equal(count_seen("t.noted"), 0);
    assert_int_equal(store_kit_number(&E.store, "SELECT count(*) FROM job WHERE owner IS NULL"),
                     LINKS - ROOM);
}


/* The HMIS is not given work of which nobody wants to hear. */
static void
a_question_whose_time_is_over_is_not_asked(void **state)
{
    abdm_job_t job = {.kind = ABDM_JOB_HMIS, .event = "t.noted", .hip_id = "HIP_1",
                      .subject = "S", .path = "find_patients", .body = "{}", .body_len = 2,
                      .due_at = 1, .deadline_at = abdm_time_now() - 1, .created_at = 1};

    (void) state;
    OK_(abdm_store_begin(E.store.store));
    OK_(abdm_store_job_add(E.store.store, &job, NULL));
    OK_(abdm_store_commit(E.store.store));
    assert_soon(count_seen("t.noted") == 1);
    assert_int_equal(seen("t.noted", 0).code, ABDM_E_TIMEOUT);
    assert_true(seen("t.noted", 0).final);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        ENGINE_TEST(a_call_is_made_with_an_id_of_its_own_and_its_result_becomes_an_event),
        ENGINE_TEST(a_call_that_fails_for_now_is_made_again_under_a_new_id),
        ENGINE_TEST(the_pause_is_at_least_what_the_gateway_asks_for),
        ENGINE_TEST(a_call_that_is_refused_is_told_at_once),
        ENGINE_TEST(a_call_whose_session_is_refused_is_made_again_at_once_with_a_new_one),
        ENGINE_TEST(a_call_that_cannot_be_made_before_its_deadline_has_failed),
        ENGINE_TEST(a_call_that_is_sent_once_is_not_sent_again_when_its_worker_died),
        ENGINE_TEST(a_facility_that_is_configured_no_more_fails_its_jobs),
        ENGINE_TEST(a_moment_comes_when_it_is_due_and_not_before),
        ENGINE_TEST(a_poisoned_job_is_not_carried_out_and_told),
        ENGINE_TEST(a_job_that_does_not_open_is_not_carried_out_and_holds_up_nothing_else),
        ENGINE_TEST(draining_leaves_what_is_due_to_others_and_finishes_what_was_begun),
        ENGINE_TEST(stopping_keeps_its_deadline_when_a_peer_hangs_and_gives_the_call_back),
        ENGINE_TEST(stopping_waits_for_what_ends_in_time),
        ENGINE_TEST(an_engine_may_be_stopped_at_any_moment),
        ENGINE_TEST(a_stop_while_the_store_is_slow_begins_no_job_afterwards),
        ENGINE_TEST(an_answer_goes_while_more_links_hang_than_there_is_room_for),
        ENGINE_TEST(a_question_whose_time_is_over_is_not_asked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
