/*
 * Work that waits in a real SQLite store: callbacks and jobs are kept once, claimed by one, given
 * back, put aside when they end their workers, and never lost by a transaction that failed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sys/stat.h>

#include "store_kit.h"

static store_kit_t K;


static int
open_store(void **state)
{
    (void) state;
    return store_kit_open(&K);
}


static int
close_store(void **state)
{
    (void) state;
    store_kit_close(&K);
    return 0;
}


static abdm_callback_t
callback(const char *request_id, const char *body)
{
    return (abdm_callback_t){.path = "/api/v3/x", .event = "x.happened", .hip_id = "HIP_1",
                             .request_id = (char *) request_id, .body = (char *) body,
                             .body_len = strlen(body), .received_at = 1000};
}


static int64_t
add(const char *request_id, const char *body, const char *owner)
{
    abdm_callback_t cb = callback(request_id, body);
    int64_t id = -1;

    OK_(abdm_store_inbox_add(K.store, &cb, owner, &id));
    return id;
}


/* Claims all orphans; clears what it got. */
static size_t
claim(const char *owner, size_t *poisoned)
{
    abdm_callback_t got[16];
    size_t n = 0, bad = 0;

    OK_(abdm_store_inbox_claim(K.store, owner, 1000, 16, got, &n, &bad));
    for (size_t i = 0; i < n; i++)
        abdm_callback_clear(&got[i]);
    if (poisoned != NULL)
        *poisoned = bad;
    return n;
}


static abdm_job_t
job(const char *subject, abdm_ms_t due)
{
    return (abdm_job_t){.kind = ABDM_JOB_GATEWAY, .event = "x.done", .hip_id = "HIP_1",
                        .subject = (char *) subject, .arg = 7, .path = "/p", .body = "{}",
                        .body_len = 2, .due_at = due, .deadline_at = due + 1000,
                        .created_at = 5, .attempts = 0};
}


static int64_t
add_job(const char *subject, abdm_ms_t due, const char *owner)
{
    abdm_job_t j = job(subject, due);

    OK_(abdm_store_job_add(K.store, &j, owner));
    return j.id;
}


static size_t
claim_jobs(const char *owner, abdm_ms_t now, abdm_job_t *out)
{
    size_t n = 0;

    OK_(abdm_store_job_claim(K.store, owner, now, true, 16, out, &n));
    return n;
}


/* Claims and clears; *poisoned tells how many are marked so. */
static size_t
claim_jobs_only(const char *owner, abdm_ms_t now, size_t *poisoned)
{
    abdm_job_t got[16];
    size_t n = claim_jobs(owner, now, got), bad = 0;

    for (size_t i = 0; i < n; i++) {
        bad += got[i].poisoned;
        abdm_job_clear(&got[i]);
    }
    if (poisoned != NULL)
        *poisoned = bad;
    return n;
}


/* --- dedupe --- */

static void
the_very_same_callback_is_kept_once(void **state)
{
    (void) state;
    assert_true(add("r1", "{\"a\":1}", "me") > 0);
    assert_int_equal(add("r1", "{\"a\":1}", "me"), 0);
    assert_int_equal(store_kit_number(&K, "SELECT count(*) FROM inbox"), 1);
}


static void
a_repeated_callback_is_known_also_after_it_was_done(void **state)
{
    (void) state;
    int64_t id = add("r1", "{\"a\":1}", "me");
    OK_(abdm_store_inbox_done(K.store, id));
    assert_int_equal(store_kit_number(&K, "SELECT body FROM inbox"), -1); /* content forgotten */
    assert_int_equal(add("r1", "{\"a\":1}", "me"), 0);
}


static void
a_request_id_with_another_body_is_refused(void **state)
{
    abdm_callback_t cb = callback("r1", "{\"a\":2}");
    int64_t id = -1;

    (void) state;
    add("r1", "{\"a\":1}", "me");
    assert_int_equal(abdm_store_inbox_add(K.store, &cb, "me", &id).code, ABDM_E_REQUEST_REUSED);
    assert_int_equal(id, 0);
    assert_int_equal(store_kit_number(&K, "SELECT count(*) FROM inbox"), 1);
}


static void
a_request_id_counts_for_its_path_and_facility_only(void **state)
{
    abdm_callback_t cb = callback("r1", "{\"a\":2}");
    int64_t id = -1;

    (void) state;
    add("r1", "{\"a\":1}", "me");
    cb.hip_id = "HIP_2";
    OK_(abdm_store_inbox_add(K.store, &cb, "me", &id));
    assert_true(id > 0);
    cb.path = "/api/v3/y";
    OK_(abdm_store_inbox_add(K.store, &cb, "me", &id));
    assert_true(id > 0);
}


static void
a_callback_without_an_event_is_kept_for_the_operator_and_claimed_by_nobody(void **state)
{
    abdm_callback_t cb = callback("r1", "{\"a\":1}");
    int64_t id = -1;

    (void) state;
    cb.event = NULL;
    OK_(abdm_store_inbox_add(K.store, &cb, "me", &id));
    assert_true(id > 0);
    assert_int_equal(claim("you", NULL), 0);
    assert_int_equal(store_kit_number(&K, "SELECT count(body) FROM inbox"), 1);
}


/* --- owners and claims --- */

static void
a_callback_with_an_owner_is_claimed_by_nobody_else(void **state)
{
    (void) state;
    add("r1", "{}", "me");
    assert_int_equal(claim("you", NULL), 0);
    OK_(abdm_store_release(K.store, "me"));
    assert_int_equal(claim("you", NULL), 1);
    assert_int_equal(claim("third", NULL), 0);
}


static void
orphans_come_oldest_first_and_whole(void **state)
{
    abdm_callback_t got[16];
    size_t n, poisoned;

    (void) state;
    add("r1", "{\"n\":1}", "gone");
    add("r2", "{\"n\":2}", "gone");
    OK_(abdm_store_release(K.store, "gone"));
    OK_(abdm_store_inbox_claim(K.store, "me", 1000, 1, got, &n, &poisoned));
    assert_int_equal(n, 1);
    assert_string_equal(got[0].request_id, "r1");
    assert_string_equal(got[0].event, "x.happened");
    assert_string_equal(got[0].hip_id, "HIP_1");
    assert_string_equal(got[0].path, "/api/v3/x");
    assert_int_equal(got[0].body_len, 7);
    assert_string_equal(got[0].body, "{\"n\":1}");
    assert_int_equal(got[0].received_at, 1000);
    abdm_callback_clear(&got[0]);
    assert_int_equal(claim("me", NULL), 1);
}


static void
a_callback_given_back_is_not_claimed_before_its_time(void **state)
{
    abdm_callback_t got[1];
    size_t n, poisoned;

    (void) state;
    int64_t id = add("r1", "{}", "me");
    OK_(abdm_store_inbox_give_back(K.store, id, 5000));
    OK_(abdm_store_inbox_claim(K.store, "me", 4999, 1, got, &n, &poisoned));
    assert_int_equal(n, 0);
    OK_(abdm_store_inbox_claim(K.store, "me", 5000, 1, got, &n, &poisoned));
    assert_int_equal(n, 1);
    abdm_callback_clear(&got[0]);
}


static void
a_body_on_disk_cannot_be_read_without_the_key_nor_under_another_id(void **state)
{
    abdm_callback_t got[2];
    size_t n, poisoned;

    (void) state;
    add("r1", "{\"name\":\"secret words\"}", "me");
    add("r2", "{}", "me");
    OK_(abdm_store_release(K.store, "me"));
    assert_int_equal(
        store_kit_number(&K, "SELECT count(*) FROM inbox"
                             " WHERE instr(body, CAST('secret' AS BLOB)) > 0"), 0);
    store_kit_exec(&K, "UPDATE inbox SET body = (SELECT body FROM inbox WHERE id = 1)"
                       " WHERE id = 2");
    assert_int_equal(abdm_store_inbox_claim(K.store, "me", 1000, 2, got, &n, &poisoned).code,
                     ABDM_E_SEAL);
    assert_int_equal(n, 0);
}


static abdm_fate_t
nobody_knows(const char *owner)
{
    (void) owner;
    return ABDM_FATE_UNKNOWN;
}


static abdm_fate_t
all_live(const char *owner)
{
    (void) owner;
    return ABDM_FATE_ALIVE;
}


static abdm_fate_t
one_is_dead(const char *owner)
{
    return strcmp(owner, "dead") == 0    ? ABDM_FATE_GONE
           : strcmp(owner, "alive") == 0 ? ABDM_FATE_ALIVE
                                         : ABDM_FATE_UNKNOWN;
}


static void
work_of_an_owner_that_is_gone_or_unknown_and_late_is_given_back(void **state)
{
    (void) state;
    OK_(abdm_store_heartbeat(K.store, "dead", 5000));
    OK_(abdm_store_heartbeat(K.store, "late", 100));
    OK_(abdm_store_heartbeat(K.store, "alive", 100)); /* busy for longer than its lease */
    add("r1", "{}", "dead");
    add("r2", "{}", "late");
    add("r3", "{}", "alive");
    add_job("a", 10, "dead");
    add_job("b", 10, "alive");

    OK_(abdm_store_release_gone(K.store, 50, nobody_knows));
    OK_(abdm_store_release_gone(K.store, 9000, all_live));
    assert_int_equal(store_kit_number(&K, "SELECT count(*) FROM owner"), 3);
    OK_(abdm_store_release_gone(K.store, 200, one_is_dead));
    assert_int_equal(store_kit_number(&K, "SELECT count(*) FROM owner"), 1);
    assert_int_equal(claim("me", NULL), 2);
    assert_int_equal(claim_jobs_only("me", 100, NULL), 1);
}


static void
a_heartbeat_prolongs_the_lease(void **state)
{
    (void) state;
    OK_(abdm_store_heartbeat(K.store, "me", 100));
    OK_(abdm_store_heartbeat(K.store, "me", 900));
    OK_(abdm_store_release_gone(K.store, 500, nobody_knows));
    assert_int_equal(store_kit_number(&K, "SELECT count(*) FROM owner"), 1);
}


/* The end of an owner that did not give back is counted: its work may have ended it. */
static void
lose_owner(const char *owner)
{
    OK_(abdm_store_heartbeat(K.store, owner, 0));
    OK_(abdm_store_release_gone(K.store, 1, nobody_knows));
}


static void
a_callback_that_ended_five_owners_is_put_aside(void **state)
{
    size_t poisoned;

    (void) state;
    add("r1", "{}", "first");
    lose_owner("first");
    for (int i = 0; i < 5; i++) {
        assert_int_equal(claim("next", &poisoned), 1);
        assert_int_equal(poisoned, 0);
        lose_owner("next");
    }
    assert_int_equal(claim("next", &poisoned), 0);
    assert_int_equal(poisoned, 1);
    assert_int_equal(claim("next", &poisoned), 0);
    assert_int_equal(poisoned, 0);
    assert_int_equal(store_kit_number(&K, "SELECT count(body) FROM inbox"), 1);
}


static void
a_job_that_ended_five_owners_is_marked_as_poisoned(void **state)
{
    size_t poisoned;

    (void) state;
    add_job("a", 10, NULL);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(claim_jobs_only("next", 20, &poisoned), 1);
        assert_int_equal(poisoned, 0);
        lose_owner("next");
    }
    assert_int_equal(claim_jobs_only("next", 20, &poisoned), 1);
    assert_int_equal(poisoned, 1);
}


static void
work_that_its_owner_gave_back_is_never_put_aside(void **state)
{
    size_t poisoned;

    (void) state;
    int64_t id = add("r1", "{}", "first");
    OK_(abdm_store_release(K.store, "first"));
    add_job("a", 10, NULL);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(claim("next", &poisoned), 1);
        assert_int_equal(poisoned, 0);
        assert_int_equal(claim_jobs_only("next", 20, &poisoned), 1);
        assert_int_equal(poisoned, 0);
        if (i % 2 == 0)
            OK_(abdm_store_inbox_give_back(K.store, id, 500)); /* a flow could not decide */
        OK_(abdm_store_release(K.store, "next")); /* a worker left in order */
    }
}


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
    OK_(abdm_store_job_next_due(K.store, &due));
    assert_int_equal(due, 0);
    add_job("mine", 50, "me");
    add_job("b", 300, NULL);
    add_job("a", 200, NULL);
    OK_(abdm_store_job_next_due(K.store, &due));
    assert_int_equal(due, 200);
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
without_room_for_records_only_quick_jobs_are_claimed(void **state)
{
    static const abdm_job_kind_t kinds[] = {ABDM_JOB_EVENT, ABDM_JOB_GATEWAY, ABDM_JOB_RECORDS,
                                            ABDM_JOB_DOCUMENT, ABDM_JOB_PUSH};
    abdm_job_t got[16];
    size_t n = 0;

    (void) state;
    for (int i = 0; i < 5; i++) {
        abdm_job_t j = job("a", 10);

        j.kind = kinds[i];
        OK_(abdm_store_job_add(K.store, &j, NULL));
    }
    OK_(abdm_store_job_claim(K.store, "me", 20, false, 16, got, &n));
    assert_int_equal(n, 2);
    for (size_t i = 0; i < n; i++)
        abdm_job_clear(&got[i]);
    assert_int_equal(claim_jobs_only("me", 20, NULL), 3);
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


#define STORE_TEST(f) cmocka_unit_test_setup_teardown(f, open_store, close_store)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(the_very_same_callback_is_kept_once),
        STORE_TEST(a_repeated_callback_is_known_also_after_it_was_done),
        STORE_TEST(a_request_id_with_another_body_is_refused),
        STORE_TEST(a_request_id_counts_for_its_path_and_facility_only),
        STORE_TEST(a_callback_without_an_event_is_kept_for_the_operator_and_claimed_by_nobody),
        STORE_TEST(a_callback_with_an_owner_is_claimed_by_nobody_else),
        STORE_TEST(orphans_come_oldest_first_and_whole),
        STORE_TEST(a_callback_given_back_is_not_claimed_before_its_time),
        STORE_TEST(a_body_on_disk_cannot_be_read_without_the_key_nor_under_another_id),
        STORE_TEST(work_of_an_owner_that_is_gone_or_unknown_and_late_is_given_back),
        STORE_TEST(a_heartbeat_prolongs_the_lease),
        STORE_TEST(a_callback_that_ended_five_owners_is_put_aside),
        STORE_TEST(a_job_that_ended_five_owners_is_marked_as_poisoned),
        STORE_TEST(work_that_its_owner_gave_back_is_never_put_aside),
        STORE_TEST(due_jobs_come_in_the_order_of_their_time),
        STORE_TEST(the_next_due_job_is_the_earliest_without_an_owner),
        STORE_TEST(a_job_put_off_keeps_its_attempts_and_comes_when_due),
        STORE_TEST(sent_ids_and_done_callbacks_are_swept_after_their_time),
        STORE_TEST(without_room_for_records_only_quick_jobs_are_claimed),
        STORE_TEST(a_sweep_takes_a_thousand_at_a_time_and_tells_of_more),
        STORE_TEST(the_gateways_keys_are_fetched_by_one_within_the_throttle),
        STORE_TEST(forced_fetches_come_in_a_burst_and_then_one_at_a_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
