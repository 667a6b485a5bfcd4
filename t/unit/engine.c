/*
 * The engine's way from a callback to an event: durable before it is answered, once however often
 * it comes, and not lost while the store is locked or refuses.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "engine_kit.h"


static void
a_callback_is_on_disk_when_it_is_answered_and_then_becomes_an_event(void **state)
{
    int tag;

    (void) state;
    OK_(send_callback("t.noted", "r-1", "{\"a\":1}", &tag));
    abdm_news_t *news = next_news(ABDM_NEWS_CALLBACK);
    assert_int_equal(news->err.code, ABDM_OK);
    assert_ptr_equal(news->tag, &tag);
    assert_int_equal(store_kit_number(&E.store, "SELECT count(*) FROM inbox"), 1);
    abdm_news_free(news);

    assert_soon(count_seen("t.noted") == 1);
    seen_t s = seen("t.noted", 0);
    assert_string_equal(s.hip_id, "HIP_1");
    assert_string_equal(s.request_id, "r-1");
    assert_string_equal(s.body, "{\"a\":1}");
    assert_string_equal(s.subject, "");
    assert_soon(store_kit_number(&E.store, "SELECT count(*) FROM inbox WHERE done_at > 0") == 1);
    assert_soon(atomic_load(&E.wakes) >= 1);
}


static void
a_repeated_callback_is_answered_again_and_handled_once(void **state)
{
    abdm_engine_stats_t stats;

    (void) state;
    accept_one("t.noted", "r-1", "{}");
    accept_one("t.noted", "r-1", "{}");
    assert_soon(count_seen("t.noted") == 1);
    accept_one("t.noted", "r-1", "{}");
    OK_(send_callback("t.noted", "r-1", "{\"other\":1}", NULL));
    assert_int_equal(outcome(), ABDM_E_REQUEST_REUSED);
    accept_one("t.noted", "r-2", "{}");
    assert_soon(count_seen("t.noted") == 2);
    abdm_engine_stats(E.engine, &stats);
    assert_int_equal(stats.accepted, 2);
    assert_int_equal(stats.repeated, 2);
    assert_int_equal(stats.refused, 1);
    assert_int_equal(stats.waiting, 0);
}


static void
a_body_that_is_no_json_object_is_refused_and_not_kept(void **state)
{
    static const struct {
        const char *body;
        abdm_code_t code;
    } rows[] = {
        {"[]", ABDM_E_JSON}, {"{", ABDM_E_JSON}, {"{} {}", ABDM_E_JSON}, {"\"x\"", ABDM_E_JSON},
        {"{\"a\":1,\"a\":2}", ABDM_E_JSON}, {"", ABDM_E_JSON},
        {"{\"a\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}",
         ABDM_E_JSON_LIMIT},
    };

    (void) state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        OK_(send_callback("t.noted", "r-1", rows[i].body, NULL));
        assert_int_equal(outcome(), rows[i].code);
    }
    assert_int_equal(store_kit_number(&E.store, "SELECT count(*) FROM inbox"), 0);
    accept_one("t.noted", "r-1", "{}");
}


static void
a_thousand_callbacks_share_transactions_and_none_is_lost(void **state)
{
    enum { N = 1000 };
    abdm_engine_stats_t stats;

    (void) state;
    for (int i = 0; i < N; i++) {
        char id[16];

        snprintf(id, sizeof(id), "r-%d", i);
        abdm_err_t err = send_callback("t.noted", id, "{}", NULL);
        while (err.code == ABDM_E_QUEUE_FULL) {
            server_nap(1);
            err = send_callback("t.noted", id, "{}", NULL);
        }
        assert_int_equal(err.code, ABDM_OK);
    }
    for (int i = 0; i < N; i++)
        assert_int_equal(outcome(), ABDM_OK);
    assert_soon(!abdm_engine_busy(E.engine));
    assert_int_equal(store_kit_number(&E.store, "SELECT count(*) FROM inbox WHERE done_at > 0"),
                     N);
    abdm_engine_stats(E.engine, &stats);
    assert_int_equal(stats.accepted, N);
    assert_int_equal(stats.events, N);
    assert_in_range(stats.commits, 1, N / 2);
}


static void
a_callback_for_the_operator_raises_no_event(void **state)
{
    (void) state;
    accept_one(NULL, "r-1", "{}");
    assert_soon(!abdm_engine_busy(E.engine));
    assert_int_equal(E.n_seen, 0);
    assert_int_equal(store_kit_number(&E.store, "SELECT count(body) FROM inbox"), 1);
}


static void
a_full_queue_refuses_and_takes_again_when_there_is_room(void **state)
{
    (void) state;
    engine_end(1000);
    E.config.queue = 3;
    engine_begin();
    store_kit_exec(&E.store, "BEGIN IMMEDIATE"); /* as a slow disk */
    for (int i = 0; i < 3; i++) {
        char id[16];

        snprintf(id, sizeof(id), "r-%d", i);
        assert_false(abdm_engine_full(E.engine));
        OK_(send_callback("t.noted", id, "{}", NULL));
    }
    assert_true(abdm_engine_full(E.engine));
    assert_int_equal(send_callback("t.noted", "r-9", "{}", NULL).code, ABDM_E_QUEUE_FULL);
    store_kit_exec(&E.store, "COMMIT");
    for (int i = 0; i < 3; i++)
        assert_int_equal(outcome(), ABDM_OK);
    assert_false(abdm_engine_full(E.engine));
    accept_one("t.noted", "r-9", "{}");
    assert_soon(count_seen("t.noted") == 4);
}


static void
a_store_locked_for_too_long_refuses_and_then_serves_again(void **state)
{
    (void) state;
    accept_one("t.later", "r-0", "{\"ms\":100}"); /* its event must not be lost either */
    store_kit_exec(&E.store, "BEGIN IMMEDIATE");
    OK_(send_callback("t.noted", "r-1", "{}", NULL));
    assert_int_equal(outcome(), ABDM_E_STORE_BUSY); /* after five seconds */
    store_kit_exec(&E.store, "ROLLBACK");
    accept_one("t.noted", "r-1", "{}");
    assert_soon(count_seen("t.noted") == 2);
    assert_int_equal(store_kit_number(&E.store, "SELECT count(*) FROM inbox"), 2);
}


static void
a_store_that_refuses_writes_refuses_callbacks_and_recovers(void **state)
{
    (void) state;
    store_kit_exec(&E.store, "ALTER TABLE inbox RENAME TO away");
    OK_(send_callback("t.noted", "r-1", "{}", NULL));
    assert_int_equal(outcome(), ABDM_E_STORE);
    store_kit_exec(&E.store, "ALTER TABLE away RENAME TO inbox");
    accept_one("t.noted", "r-1", "{}");
    assert_soon(count_seen("t.noted") == 1);
}


static void
what_was_accepted_waits_out_a_store_that_refuses_afterwards(void **state)
{
    (void) state;
    accept_one("t.later", "r-1", "{\"ms\":300}");
    store_kit_exec(&E.store, "ALTER TABLE job RENAME TO away");
    server_nap(1200);
    assert_int_equal(count_seen("t.noted"), 0);
    store_kit_exec(&E.store, "ALTER TABLE away RENAME TO job");
    assert_soon(count_seen("t.noted") == 1);
    assert_soon(store_kit_number(&E.store, "SELECT count(*) FROM job") == 0);
}


static void
a_store_that_is_in_trouble_is_told_of_once_and_not_at_each_turn(void **state)
{
    (void) state;
    accept_one("t.noted", "r-0", "{}");
    store_kit_exec(&E.store, "ALTER TABLE inbox RENAME TO away");
    for (int i = 0; i < 5; i++) {
        OK_(send_callback("t.noted", "r-1", "{}", NULL));
        assert_int_equal(outcome(), ABDM_E_STORE);
    }
    server_nap(1500); /* turns of its own */
    assert_int_equal(atomic_load(&E.errors), 1);
    store_kit_exec(&E.store, "ALTER TABLE away RENAME TO inbox");
    accept_one("t.noted", "r-1", "{}");
    store_kit_exec(&E.store, "ALTER TABLE inbox RENAME TO away");
    assert_soon(atomic_load(&E.errors) == 2);
}


static void
an_engine_begins_without_its_store_and_serves_when_it_is_there(void **state)
{
    char made[64];

    (void) state;
    snprintf(made, sizeof(made), "PRAGMA user_version = %d",
             (int) store_kit_number(&E.store, "PRAGMA user_version"));
    engine_end(1000);
    store_kit_exec(&E.store, "PRAGMA user_version = 0"); /* as if nobody had made it yet */
    engine_begin();
    engine_end(1000);

    engine_begin();
    OK_(send_callback("t.noted", "r-1", "{}", NULL));
    assert_int_equal(outcome(), ABDM_E_STORE);
    store_kit_exec(&E.store, made);
    accept_one("t.noted", "r-1", "{}");
    assert_soon(count_seen("t.noted") == 1);
}


static void
a_callback_that_does_not_open_holds_up_nothing_else(void **state)
{
    abdm_callback_t cb = {.path = "/api/v3/t", .event = "t.noted", .hip_id = "HIP_1",
                          .request_id = "r-1", .body = "{}", .body_len = 2};
    int64_t id;

    (void) state;
    engine_end(1000);
    OK_(abdm_store_inbox_add(E.store.store, &cb, NULL, &id));
    store_kit_exec(&E.store, "UPDATE inbox SET body = zeroblob(length(body))");
    engine_begin();
    accept_one("t.noted", "r-2", "{}");
    assert_soon(count_seen("t.noted") == 1);
    assert_string_equal(seen("t.noted", 0).request_id, "r-2");
    assert_soon(atomic_load(&E.errors) == 1);
    assert_soon(store_kit_number(&E.store, "SELECT count(*) FROM inbox WHERE done_at IS NULL"
                                           " AND owner IS NULL AND due_at > received_at") == 1);
}


static void
a_flow_that_cannot_decide_is_asked_again_and_leaves_no_trace(void **state)
{
    (void) state;
    atomic_store(&E.undecided, 1);
    accept_one("t.undecided", "r-1", "{\"a\":1}");
    assert_true(WAIT_UNTIL(count_seen("t.undecided") == 1, 9000)); /* five seconds later */
    seen_t s = seen("t.undecided", 0);
    assert_string_equal(s.request_id, "r-1");
    assert_string_equal(s.body, "{\"a\":1}");
    assert_string_equal(s.hip_id, "HIP_1");
    assert_int_equal(store_kit_number(&E.store, "SELECT count(*) FROM audit"), 0);
    assert_soon(store_kit_number(&E.store, "SELECT count(*) FROM inbox WHERE done_at > 0") == 1);
}


static void
effects_that_cannot_all_be_applied_leave_no_trace(void **state)
{
    (void) state;
    atomic_store(&E.undecided, 1);
    accept_one("t.half", "r-1", "{\"a\":1}");
    assert_true(WAIT_UNTIL(count_seen("t.half") == 1, 9000)); /* five seconds later */
    assert_int_equal(store_kit_number(&E.store, "SELECT count(*) FROM audit WHERE"
                                                " what = 'half applied'"), 0);
}


static void
ask(const char *path, void *tag)
{
    static const char *const facilities[] = {"HIP_1"};
    abdm_api_head_t head = {.method = ABDM_LIT("GET"), .path = abdm_str(path)};
    abdm_api_call_t call;

    OK_(abdm_api_read(&head, facilities, 1, &call));
    OK_(abdm_engine_ask(E.engine, &call, tag));
}


static void
a_report_is_read_from_the_store(void **state)
{
    int tag;

    (void) state;
    ask("transfers", &tag);
    abdm_news_t *news = next_news(ABDM_NEWS_ASK);
    assert_int_equal(news->err.code, ABDM_OK);
    assert_ptr_equal(news->tag, &tag);
    assert_string_equal(news->text, "{\"transfers\":[]}");
    abdm_news_free(news);

    ask("transfers/X-1", &tag);
    news = next_news(ABDM_NEWS_ASK);
    assert_int_equal(news->err.code, ABDM_E_NOT_FOUND);
    assert_null(news->text);
    abdm_news_free(news);
}


static void
work_of_a_process_that_died_is_taken_over(void **state)
{
    abdm_callback_t cb = {.path = "/api/v3/t", .event = "t.noted", .hip_id = "HIP_1",
                          .request_id = "r-1", .body = "{}", .body_len = 2};
    abdm_job_t job = {.kind = ABDM_JOB_EVENT, .event = "t.noted", .hip_id = "HIP_1",
                      .subject = "S", .due_at = 1, .deadline_at = 2, .created_at = 1};
    int64_t id;

    (void) state;
    OK_(abdm_store_begin(E.store.store));
    OK_(abdm_store_heartbeat(E.store.store, "999999999.1", abdm_time_now() + 60000));
    OK_(abdm_store_inbox_add(E.store.store, &cb, "999999999.1", &id));
    OK_(abdm_store_job_add(E.store.store, &job, "999999999.1"));
    OK_(abdm_store_commit(E.store.store));
    assert_soon(count_seen("t.noted") == 2);
    assert_soon(store_kit_number(&E.store, "SELECT count(*) FROM inbox WHERE done_at > 0") == 1);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        ENGINE_TEST(a_callback_is_on_disk_when_it_is_answered_and_then_becomes_an_event),
        ENGINE_TEST(a_repeated_callback_is_answered_again_and_handled_once),
        ENGINE_TEST(a_body_that_is_no_json_object_is_refused_and_not_kept),
        ENGINE_TEST(a_thousand_callbacks_share_transactions_and_none_is_lost),
        ENGINE_TEST(a_callback_for_the_operator_raises_no_event),
        ENGINE_TEST(a_full_queue_refuses_and_takes_again_when_there_is_room),
        ENGINE_TEST(a_store_locked_for_too_long_refuses_and_then_serves_again),
        ENGINE_TEST(a_store_that_refuses_writes_refuses_callbacks_and_recovers),
        ENGINE_TEST(what_was_accepted_waits_out_a_store_that_refuses_afterwards),
        ENGINE_TEST(a_store_that_is_in_trouble_is_told_of_once_and_not_at_each_turn),
        ENGINE_TEST(an_engine_begins_without_its_store_and_serves_when_it_is_there),
        ENGINE_TEST(a_callback_that_does_not_open_holds_up_nothing_else),
        ENGINE_TEST(a_flow_that_cannot_decide_is_asked_again_and_leaves_no_trace),
        ENGINE_TEST(effects_that_cannot_all_be_applied_leave_no_trace),
        ENGINE_TEST(a_report_is_read_from_the_store),
        ENGINE_TEST(work_of_a_process_that_died_is_taken_over),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
