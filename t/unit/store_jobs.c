/* Jobs in the store, what is swept away, and who may fetch the gateway's keys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "work_kit.h"


/* --- jobs --- */

static void
due_jobs_come_in_the_order_of_their_time(void **state)
{
    abdm_job_t got[16];

    (void) state;
    add_job("later", 300, NULL);
    add_job("first", 100, NULL);
    add_job("second", 200, NULL);
    add_job("future", 9000, NULL);
    assert_int_equal(claim_jobs("me", 300, got), 3);
    assert_string_equal(got[0].subject, "first");
    assert_string_equal(got[1].subject, "second");
    assert_string_equal(got[2].subject, "later");
    assert_int_equal(got[0].kind, ABDM_JOB_GATEWAY);
    assert_string_equal(got[0].event, "x.done");
    assert_int_equal(got[0].arg, 7);
    assert_string_equal(got[0].path, "/p");
    assert_string_equal(got[0].body, "{}");
    assert_int_equal(got[0].deadline_at, 1100);
    assert_int_equal(got[0].created_at, 5);
    assert_null(got[0].request_id);
    for (int i = 0; i < 3; i++)
        abdm_job_clear(&got[i]);
}


static void
the_next_due_job_is_the_earliest_without_an_owner(void **state)
{
    abdm_ms_t due = -1;

    (void) state;
    OK_(abdm_store_job_next_due(K.store, ~0u, &due));
    assert_int_equal(due, 0);
    add_job("mine", 50, "me");
    add_job("b", 300, NULL);
    add_job("a", 200, NULL);
    OK_(abdm_store_job_next_due(K.store, ~0u, &due));
    assert_int_equal(due, 200);
    OK_(abdm_store_job_next_due(K.store, ~0u & ~(1u << ABDM_JOB_GATEWAY), &due));
    assert_int_equal(due, 0); /* of kinds without a job */
}


static void
a_job_put_off_keeps_its_attempts_and_comes_when_due(void **state)
{
    abdm_job_t got[16];

    (void) state;
    add_job("a", 10, NULL);
    assert_int_equal(claim_jobs("me", 10, got), 1);
    OK_(abdm_store_job_again(K.store, &got[0], 500, 3));
    abdm_job_clear(&got[0]);
    assert_int_equal(claim_jobs_only("me", 499, NULL), 0);
    assert_int_equal(claim_jobs("me", 500, got), 1);
    assert_int_equal(got[0].attempts, 3);
    OK_(abdm_store_job_done(K.store, got[0].id));
    abdm_job_clear(&got[0]);
    assert_int_equal(store_kit_number(&K, "SELECT count(*) FROM job"), 0);
}


static void
what_a_clock_that_was_set_back_put_far_off_is_not_waited_for(void **state)
{
    const abdm_ms_t hour = 60 * 60 * 1000, now = 10 * hour;
    abdm_job_t early = job("early", now + hour + 700), moment = job("moment", now + 3 * hour);
    abdm_job_t before = job("before", now + 500), got[16];
    int moved;

    (void) state;
    early.created_at = now + hour;
    moment.created_at = now + hour;
    moment.kind = ABDM_JOB_EVENT;
    before.created_at = now - 1000;
    OK_(abdm_store_job_add(K.store, &early, NULL));
    OK_(abdm_store_job_add(K.store, &moment, NULL));
    OK_(abdm_store_job_add(K.store, &before, NULL));
    OK_(abdm_store_job_again(K.store, &before, now + hour, 2)); /* by the old time */
    OK_(abdm_store_clock(K.store, now, &moved));
    assert_int_equal(moved, 3);
    assert_int_equal(claim_jobs("me", now, got), 1);
    assert_string_equal(got[0].subject, "before");
    assert_int_equal(got[0].created_at, now - 1000);
    abdm_job_clear(&got[0]);
    assert_int_equal(claim_jobs("me", now + 700, got), 1);
    assert_string_equal(got[0].subject, "early");
    assert_int_equal(got[0].created_at, now);
    assert_int_equal(got[0].deadline_at, now + 1700);
    abdm_job_clear(&got[0]);
    assert_int_equal(claim_jobs("me", now + 2 * hour - 1, got), 0);
    assert_int_equal(claim_jobs("me", now + 2 * hour, got), 1); /* as long as it was to wait */
    abdm_job_clear(&got[0]);
}


static void
work_of_a_clock_that_goes_right_is_left_alone(void **state)
{
    const abdm_ms_t hour = 60 * 60 * 1000, now = 10 * hour;
    abdm_job_t far = job("far", now + 2 * hour), again = job("again", now);
    abdm_callback_t cb = callback("r-1", "{}");
    int64_t id;
    int moved;

    (void) state;
    far.created_at = now + 4000; /* within what clocks of processes differ */
    again.created_at = now - hour;
    cb.received_at = now + 4000;
    OK_(abdm_store_job_add(K.store, &far, NULL));
    OK_(abdm_store_job_add(K.store, &again, NULL));
    OK_(abdm_store_job_again(K.store, &again, now + 5 * 60 * 1000, 9));
    OK_(abdm_store_inbox_add(K.store, &cb, NULL, &id));
    OK_(abdm_store_clock(K.store, now, &moved));
    assert_int_equal(moved, 0);
    OK_(abdm_store_clock(K.store, now - hour, &moved));
    assert_int_equal(moved, 3);
    assert_int_equal(store_kit_number(&K, "SELECT due_at FROM inbox"), now - hour);
}


static void
only_jobs_of_the_kinds_that_have_room_are_claimed(void **state)
{
    const unsigned quick = 1u << ABDM_JOB_EVENT | 1u << ABDM_JOB_SMS;
    abdm_job_t got[16];
    size_t n = 0;

    (void) state;
    for (int kind = ABDM_JOB_EVENT; kind < ABDM_JOB_KINDS; kind++) {
        abdm_job_t j = job("a", 10);

        j.kind = (abdm_job_kind_t) kind;
        OK_(abdm_store_job_add(K.store, &j, NULL));
    }
    OK_(abdm_store_job_claim(K.store, "me", 20, 0, 16, got, &n));
    assert_int_equal(n, 0);
    OK_(abdm_store_job_claim(K.store, "me", 20, quick, 16, got, &n));
    assert_int_equal(n, 2);
    assert_int_equal(got[0].kind, ABDM_JOB_SMS);
    assert_int_equal(got[1].kind, ABDM_JOB_EVENT);
    for (size_t i = 0; i < n; i++)
        abdm_job_clear(&got[i]);
    assert_int_equal(claim_jobs_only("me", 20, NULL), ABDM_JOB_KINDS - 2);
}


/* What is further on in the course of a transfer goes first, and of one kind what is older. */
static void
the_further_and_of_a_kind_the_older_comes_first(void **state)
{
    static const struct {
        abdm_job_kind_t kind;
        abdm_ms_t due;
    } given[] = {{ABDM_JOB_RECORDS, 1}, {ABDM_JOB_PUSH, 9}, {ABDM_JOB_RECORDS, 5},
                 {ABDM_JOB_PUSH, 7},    {ABDM_JOB_RECORDS, 3}, {ABDM_JOB_PUSH, 21}};
    static const abdm_ms_t order[] = {7, 9, 1};
    abdm_job_t got[3];
    abdm_ms_t due;
    size_t n = 0;

    (void) state;
    for (size_t i = 0; i < sizeof(given) / sizeof(given[0]); i++) {
        abdm_job_t j = job("a", given[i].due);

        j.kind = given[i].kind;
        OK_(abdm_store_job_add(K.store, &j, NULL));
    }
    OK_(abdm_store_job_claim(K.store, "me", 20, ~0u, 3, got, &n));
    assert_int_equal(n, 3);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(got[i].due_at, order[i]);
        abdm_job_clear(&got[i]);
    }
    OK_(abdm_store_job_next_due(K.store, ~0u, &due));
    assert_int_equal(due, 3);
    OK_(abdm_store_job_next_due(K.store, 1u << ABDM_JOB_PUSH, &due));
    assert_int_equal(due, 21);
}


/* --- what is sealed --- */

static void
a_body_and_a_link_token_come_back_and_are_not_on_disk(void **state)
{
    abdm_job_t j = job("a", 10), got[16];

    (void) state;
    j.body = "{\"otp\":\"123456\"}";
    j.body_len = strlen(j.body);
    j.link_token = "eyJ-very-secret";
    OK_(abdm_store_job_add(K.store, &j, NULL));
    j.body = j.link_token = NULL;
    j.body_len = 0;
    j.due_at = 20;
    OK_(abdm_store_job_add(K.store, &j, NULL));
    assert_int_equal(store_kit_number(&K, "SELECT count(*) FROM job WHERE instr(body,"
                                          " CAST('otp' AS BLOB)) OR instr(link_token,"
                                          " CAST('secret' AS BLOB))"),
                     0);
    assert_int_equal(claim_jobs("me", 20, got), 2);
    assert_string_equal(got[0].body, "{\"otp\":\"123456\"}");
    assert_int_equal(got[0].body_len, 16);
    assert_string_equal(got[0].link_token, "eyJ-very-secret");
    assert_null(got[1].body);
    assert_int_equal(got[1].body_len, 0);
    assert_null(got[1].link_token);
    abdm_job_clear(&got[0]);
    abdm_job_clear(&got[1]);
}


static void
a_body_that_goes_elsewhere_than_it_was_meant_to_does_not_open(void **state)
{
    static const char *const changes[] = {
        "UPDATE job SET body = (SELECT body FROM job WHERE subject = 'b') WHERE subject = 'a'",
        "UPDATE job SET hip_id = 'HIP_2'",
        "UPDATE job SET path = '/q'",
        "UPDATE job SET kind = 6",
        "UPDATE job SET id = id + 10",
        "UPDATE job SET link_token = body",
        "UPDATE job SET body = x'0102'",
    };
    abdm_job_t got[16];

    (void) state;
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        size_t opened = 0, n;

        store_kit_exec(&K, "DELETE FROM job");
        add_job("a", 10, NULL);
        add_job("b", 10, NULL);
        store_kit_exec(&K, changes[i]);
        n = claim_jobs("me", 20, got);
        assert_int_equal(n, 2); /* so that somebody deals with it */
        for (size_t k = 0; k < n; k++) {
            opened += !got[k].spoiled;
            assert_true(got[k].spoiled == (got[k].body == NULL));
            assert_null(got[k].link_token);
            abdm_job_clear(&got[k]);
        }
        assert_int_equal(opened, i == 0); /* the one that was not touched */
    }
}


static void
without_the_key_no_body_is_written_or_read(void **state)
{
    abdm_job_t j = job("a", 10), got[16];
    abdm_store_t *store = NULL;
    size_t n = 7;

    (void) state;
    add_job("a", 10, NULL);
    OK_(abdm_store_open(K.url, NULL, &store));
    assert_int_equal(abdm_store_job_add(store, &j, NULL).code, ABDM_E_SEAL);
    assert_int_equal(j.id, 0);
    assert_int_equal(abdm_store_job_claim(store, "me", 20, ~0u, 16, got, &n).code, ABDM_E_SEAL);
    assert_int_equal(n, 0);
    abdm_store_close(store);
    assert_int_equal(claim_jobs_only("me", 20, NULL), 1);
}


static void
a_facility_has_a_job_of_an_event_until_it_is_done(void **state)
{
    bool exists = true;

    (void) state;
    OK_(abdm_store_job_unique(K.store, "HIP_1", "x.done", 10, &exists));
    assert_false(exists);
    int64_t id = add_job("a", 10, "somebody");
    OK_(abdm_store_job_unique(K.store, "HIP_1", "x.done", 10, &exists));
    assert_true(exists);
    OK_(abdm_store_job_unique(K.store, "HIP_1", "x.done", 9, &exists));
    assert_false(exists);
    OK_(abdm_store_job_unique(K.store, "HIP_2", "x.done", 10, &exists));
    assert_false(exists);
    OK_(abdm_store_job_unique(K.store, "HIP_1", "x.don", 10, &exists));
    assert_false(exists);
    OK_(abdm_store_job_done(K.store, id));
    OK_(abdm_store_job_unique(K.store, "HIP_1", "x.done", 10, &exists));
    assert_false(exists);
}


/* --- sent and swept --- */

static void
what_was_sent_is_found_by_its_id_in_its_facility_alone(void **state)
{
    const abdm_view_t *view = abdm_store_view(K.store);
    abdm_job_t j = job("a", 10);
    char *subject, *path;

    (void) state;
    j.request_id = "sent-1";
    OK_(abdm_store_sent(K.store, &j, 0));
    OK_(view->sent(view, "HIP_1", "sent-1", &subject, &path));
    assert_string_equal(subject, "a");
    assert_string_equal(path, "/p");
    free(subject);
    free(path);
    assert_int_equal(view->sent(view, "HIP_2", "sent-1", &subject, &path).code, ABDM_E_NOT_FOUND);
    assert_null(subject);
    assert_null(path);
    assert_int_equal(view->sent(view, "HIP_1", "sent-2", &subject, &path).code, ABDM_E_NOT_FOUND);
}


static void
sent_ids_and_done_callbacks_are_swept_after_their_time(void **state)
{
    const abdm_ms_t hour = 60 * 60 * 1000;
    abdm_job_t j = job("a", 10);
    bool more;

    (void) state;
    j.request_id = "sent-1";
    OK_(abdm_store_sent(K.store, &j, 0));
    int64_t id = add("r1", "{}", "me");
    OK_(abdm_store_inbox_done(K.store, id));
    store_kit_exec(&K, "UPDATE inbox SET done_at = 0");
    add("r2", "{}", "me");

    OK_(abdm_store_sweep(K.store, 48 * hour, &more));
    assert_int_equal(store_kit_number(&K, "SELECT count(*) FROM inbox"), 2);
    OK_(abdm_store_sweep(K.store, 48 * hour + 1, &more));
    assert_int_equal(store_kit_number(&K, "SELECT count(*) FROM inbox"), 1);
    assert_int_equal(store_kit_number(&K, "SELECT count(*) FROM sent"), 1);
    OK_(abdm_store_sweep(K.store, 7 * 24 * hour + 1, &more));
    assert_int_equal(store_kit_number(&K, "SELECT count(*) FROM sent"), 0);
    assert_false(more);
}


static void
a_sweep_takes_a_thousand_at_a_time_and_tells_of_more(void **state)
{
    bool more = false;

    (void) state;
    store_kit_exec(&K, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
                       " WHERE i < 1500) INSERT INTO sent SELECT 'id-' || i, 'h', 's', 'p', 0"
                       " FROM n");
    OK_(abdm_store_sweep(K.store, 1000LL * 60 * 60 * 24 * 30, &more));
    assert_true(more);
    assert_int_equal(store_kit_number(&K, "SELECT count(*) FROM sent"), 500);
    OK_(abdm_store_sweep(K.store, 1000LL * 60 * 60 * 24 * 30, &more));
    assert_false(more);
    assert_int_equal(store_kit_number(&K, "SELECT count(*) FROM sent"), 0);
}


/* --- keys --- */

static void
the_gateways_keys_are_fetched_by_one_within_the_throttle(void **state)
{
    abdm_stored_keys_t keys;
    bool mine;

    (void) state;
    OK_(abdm_store_keys_get(K.store, "u", &keys));
    assert_null(keys.json);
    OK_(abdm_store_keys_try(K.store, "u", 1000, 500, &mine));
    assert_true(mine);
    OK_(abdm_store_keys_try(K.store, "u", 1100, 600, &mine));
    assert_false(mine);
    OK_(abdm_store_keys_put(K.store, "u", NULL, 1200));
    OK_(abdm_store_keys_get(K.store, "u", &keys));
    assert_true(keys.failed);
    OK_(abdm_store_keys_try(K.store, "u", 2000, 1500, &mine));
    assert_true(mine);
    OK_(abdm_store_keys_put(K.store, "u", "{}", 2100));
    OK_(abdm_store_keys_get(K.store, "u", &keys));
    assert_false(keys.failed);
    assert_int_equal(keys.fetched_at, 2100);
    assert_int_equal(keys.tried_at, 2000);
    assert_string_equal(keys.json, "{}");
    free(keys.json);
}


static void
forced_fetches_come_in_a_burst_and_then_one_at_a_time(void **state)
{
    const abdm_ms_t every = 60000;
    bool mine;

    (void) state;
    for (int i = 0; i < 3; i++) {
        OK_(abdm_store_keys_force(K.store, "u", 1000000 + i, every, 3, &mine));
        assert_true(mine);
    }
    OK_(abdm_store_keys_force(K.store, "u", 1000010, every, 3, &mine));
    assert_false(mine);
    OK_(abdm_store_keys_force(K.store, "u", 1000000 + every + 10, every, 3, &mine));
    assert_true(mine);
    OK_(abdm_store_keys_force(K.store, "u", 1000000 + every + 20, every, 3, &mine));
    assert_false(mine);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(due_jobs_come_in_the_order_of_their_time),
        STORE_TEST(the_next_due_job_is_the_earliest_without_an_owner),
        STORE_TEST(a_job_put_off_keeps_its_attempts_and_comes_when_due),
        STORE_TEST(sent_ids_and_done_callbacks_are_swept_after_their_time),
        STORE_TEST(what_a_clock_that_was_set_back_put_far_off_is_not_waited_for),
        STORE_TEST(work_of_a_clock_that_goes_right_is_left_alone),
        STORE_TEST(only_jobs_of_the_kinds_that_have_room_are_claimed),
        STORE_TEST(the_further_and_of_a_kind_the_older_comes_first),
        STORE_TEST(a_body_and_a_link_token_come_back_and_are_not_on_disk),
        STORE_TEST(a_body_that_goes_elsewhere_than_it_was_meant_to_does_not_open),
        STORE_TEST(without_the_key_no_body_is_written_or_read),
        STORE_TEST(a_facility_has_a_job_of_an_event_until_it_is_done),
        STORE_TEST(what_was_sent_is_found_by_its_id_in_its_facility_alone),
        STORE_TEST(a_sweep_takes_a_thousand_at_a_time_and_tells_of_more),
        STORE_TEST(the_gateways_keys_are_fetched_by_one_within_the_throttle),
        STORE_TEST(forced_fetches_come_in_a_burst_and_then_one_at_a_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
