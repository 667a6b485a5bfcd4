/* Callbacks in a real SQLite store: kept once, claimed by one, given back, put aside when they end
 * their workers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "work_kit.h"


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
    OK_(abdm_store_inbox_claim(K.store, "me", 1000, 2, got, &n, &poisoned));
    assert_int_equal(n, 2);
    assert_false(got[0].spoiled);
    assert_string_equal(got[0].body, "{\"name\":\"secret words\"}");
    assert_true(got[1].spoiled);
    assert_null(got[1].body);
    for (size_t i = 0; i < n; i++)
        abdm_callback_clear(&got[i]);

    store_kit_exec(&K, "UPDATE inbox SET owner = NULL");
    abdm_store_t *keyless = NULL;
    OK_(abdm_store_open(K.url, NULL, &keyless));
    assert_int_equal(abdm_store_inbox_claim(keyless, "me", 1000, 2, got, &n, &poisoned).code,
                     ABDM_E_SEAL);
    assert_int_equal(n, 0);
    abdm_store_close(keyless);
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
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
