/* The audit's chain: whatever is done to its rows or its end by somebody without the key is found. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>

#include "audit_kit.h"


static void
what_was_written_verifies(void **state)
{
    abdm_audit_verdict_t v;
    char anchor[ABDM_ANCHOR_TEXT];

    (void) state;
    assert_good(0);
    OK_(abdm_store_audit_anchor(K.store, anchor));
    assert_string_equal(anchor, "");
    write_rows(ROWS);
    v = verdict_of(NULL);
    assert_null(v.fault);
    assert_int_equal(v.rows, ROWS);
    assert_int_equal(v.first, 1);
    assert_int_equal(v.last, ROWS);
    OK_(abdm_store_audit_anchor(K.store, anchor));
    assert_string_equal(v.anchor, anchor);
    assert_null(verdict_of(anchor).fault);
}


static void
a_change_of_any_column_is_found(void **state)
{
    static const char *const changes[] = {
        "at = at + 1", "at = 'x'", "hip_id = 'HIP_2'", "subject = 'T-4'", "what = 'page'",
        "what = CAST(what AS BLOB)", "code = NULL", "code = 'E_OK'", "detail = ''",
        "detail = NULL", "detail = 'detail '", "caller = 'hospital'", "caller = NULL",
        "request_id = 'R-2'", "consent_id = 'C-2'", "hiu_id = 'HIU_2'", "hiu_id = NULL",
        "documents = 2", "documents = NULL", "documents = 0", "documents = 'x'",
        "mac = zeroblob(32)", "mac = NULL", "mac = 'text'",
        "mac = (SELECT mac FROM kept WHERE id = 4)", "subject = subject || 'p', what = 'age delivered'",
    };

    (void) state;
    write_rows(ROWS);
    keep_copy();
    for (int row = 1; row <= ROWS; row += 4) {
        for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
            char sql[256];

            snprintf(sql, sizeof(sql), "UPDATE audit SET %s WHERE id = %d", changes[i], row);
            tamper(sql);
            assert_fault(row, "was changed");
            put_back();
        }
    }
    assert_good(ROWS);
}


static void
a_row_taken_out_is_found(void **state)
{
    (void) state;
    write_rows(ROWS);
    keep_copy();
    for (int row = 1; row < ROWS; row++) {
        char sql[64];

        snprintf(sql, sizeof(sql), "DELETE FROM audit WHERE id = %d", row);
        tamper(sql);
        assert_fault(row, "is missing");
        put_back();
    }
    tamper("DELETE FROM audit WHERE id = 9");
    assert_fault(9, "cut off");
    put_back();
    tamper("DELETE FROM audit WHERE id > 3");
    assert_fault(4, "cut off");
    put_back();
    tamper("DELETE FROM audit");
    assert_fault(1, "cut off");
    put_back();
    tamper("DELETE FROM audit WHERE id = 4; UPDATE audit SET id = id - 1 WHERE id > 4");
    assert_fault(4, "was changed"); /* another one stands there */
    put_back();
    assert_good(ROWS);
}


static void
rows_in_another_order_are_found(void **state)
{
    abdm_audit_verdict_t v;

    (void) state;
    write_rows(ROWS);
    keep_copy();
    tamper("UPDATE audit SET id = -5 WHERE id = 5; UPDATE audit SET id = 5 WHERE id = 7;"
           "UPDATE audit SET id = 7 WHERE id = -5");
    v = verdict_of(NULL);
    assert_int_equal(v.fault_row, 5);
    assert_string_equal(v.fault, "is not in its place");
    assert_int_equal(v.fault_at, 7);
    put_back();
    tamper("UPDATE audit SET subject = 'T-3' WHERE id = 2;"
           "UPDATE audit SET subject = 'T-2', at = at - 1 WHERE id = 3;"
           "UPDATE audit SET at = at + 1 WHERE id = 2"); /* contents without their MACs */
    assert_fault(2, "is not in its place");
    put_back();
    tamper("UPDATE audit SET id = 10 WHERE id = 1");
    assert_fault(1, "is not in its place");
}


static void
a_row_put_in_is_found(void **state)
{
    (void) state;
    write_rows(ROWS);
    keep_copy();
    tamper("INSERT INTO audit (id, at, hip_id, subject, what) VALUES (10, 1, 'H', 's', 'w')");
    assert_fault(10, "was changed");
    put_back();
    tamper("INSERT INTO audit SELECT 10, at, hip_id, subject, what, code, detail, caller,"
           " request_id, consent_id, hiu_id, documents, mac FROM kept WHERE id = 9");
    assert_fault(10, "was changed");
    put_back();
    tamper("UPDATE audit SET id = -id WHERE id > 4; UPDATE audit SET id = 1 - id WHERE id < 0;"
           "INSERT INTO audit (id, at, hip_id, subject, what) VALUES (5, 1, 'H', 's', 'w')");
    assert_fault(5, "is not in its place");
}


static void
an_end_that_was_altered_is_found_and_nothing_more_is_written(void **state)
{
    static const char *const changes[] = {
        "UPDATE audit_head SET n = n - 1", "UPDATE audit_head SET n = n + 1",
        "UPDATE audit_head SET mac = zeroblob(32)", "UPDATE audit_head SET mac = zeroblob(31)",
        "UPDATE audit_head SET base = 1", "UPDATE audit_head SET base_mac = sum",
        "UPDATE audit_head SET base_at = 7", "UPDATE audit_head SET sum = zeroblob(32)",
        "DELETE FROM audit_head",
        "UPDATE audit_head SET n = 5, mac = (SELECT mac FROM audit WHERE id = 5);"
        "DELETE FROM audit WHERE id > 5",
    };

    (void) state;
    write_rows(ROWS);
    keep_copy();
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        char anchor[ABDM_ANCHOR_TEXT];
        int64_t rows;

        tamper(changes[i]);
        rows = store_kit_number(&K, "SELECT count(*) FROM audit");
        assert_fault(0, "the end of the chain");
        if (i != 8)
            assert_int_equal(abdm_store_audit_anchor(K.store, anchor).code, ABDM_E_AUDIT);
        assert_int_equal(write_row(K.store, 99, 1).code, ABDM_E_AUDIT);
        OK_(abdm_store_begin(K.store));
        assert_int_equal(abdm_store_apply(K.store, &(abdm_effects_t){0}, 1).code, ABDM_E_AUDIT);
        abdm_store_rollback(K.store);
        assert_int_equal(store_kit_number(&K, "SELECT count(*) FROM audit"), rows);
        put_back();
    }
    write_rows(1);
    assert_good(ROWS + 1);
}


static void
an_older_end_is_found_by_the_rows_behind_it_or_by_an_anchor(void **state)
{
    char anchor[ABDM_ANCHOR_TEXT], other[ABDM_ANCHOR_TEXT];
    abdm_audit_verdict_t v;

    (void) state;
    write_rows(5);
    keep_copy();
    write_rows(4);
    OK_(abdm_store_audit_anchor(K.store, anchor));
    tamper("DELETE FROM audit_head; INSERT INTO audit_head SELECT * FROM kept_head");
    assert_fault(6, "stands behind the end");

    put_back(); /* all of the store as it was */
    assert_good(5);
    v = verdict_of(anchor);
    assert_int_equal(v.fault_row, 9);
    assert_non_null(strstr(v.fault, "an older store"));

    OK_(write_row(K.store, 99, 5)); /* a fork: the same numbers, other rows */
    write_rows(5);
    assert_good(11);
    v = verdict_of(anchor);
    assert_int_equal(v.fault_row, 9);
    assert_non_null(strstr(v.fault, "another row than the anchor"));

    OK_(abdm_store_audit_anchor(K.store, other));
    assert_null(verdict_of(other).fault);
}


static void
an_anchor_has_its_form(void **state)
{
    static const char *const bad[] = {"", "9", "9:", ":aa", "x:aa", "0:", "-1:", "9:aabb"};
    char text[160];
    abdm_audit_verdict_t v;

    (void) state;
    write_rows(1);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(abdm_store_audit_verify(K.store, bad[i], &v).code, ABDM_E_FIELD);
    snprintf(text, sizeof(text), "%s0", verdict_of(NULL).anchor);
    assert_int_equal(abdm_store_audit_verify(K.store, text, &v).code, ABDM_E_FIELD);
    snprintf(text, sizeof(text), "%s", verdict_of(NULL).anchor);
    text[strlen(text) - 1] = 'G';
    assert_int_equal(abdm_store_audit_verify(K.store, text, &v).code, ABDM_E_FIELD);
}


static void
another_key_neither_verifies_nor_writes(void **state)
{
    abdm_audit_verdict_t v;
    abdm_seal_key_t *key = NULL;
    abdm_store_t *store = NULL;

    (void) state;
    write_rows(3);
    OK_(abdm_seal_key_random(&key));
    store_kit_claim(&K, key);
    OK_(abdm_store_open(K.url, key, &store));
    OK_(abdm_store_audit_verify(store, NULL, &v));
    assert_non_null(v.fault);
    assert_int_equal(write_row(store, 4, 1).code, ABDM_E_AUDIT);
    abdm_store_close(store);
    abdm_seal_key_free(key);

    OK_(abdm_store_open(K.url, NULL, &store));
    assert_int_equal(abdm_store_audit_verify(store, NULL, &v).code, ABDM_E_SEAL);
    assert_int_equal(write_row(store, 4, 1).code, ABDM_E_SEAL);
    abdm_store_close(store);
    assert_good(3);
}


/* --- transactions --- */

static void
what_is_undone_or_rolled_back_leaves_no_gap(void **state)
{
    (void) state;
    OK_(abdm_store_begin(K.store));
    OK_(write_row(K.store, 1, 1));
    OK_(abdm_store_mark(K.store));
    OK_(write_row(K.store, 2, 2));
    OK_(abdm_store_undo(K.store));
    OK_(abdm_store_mark(K.store));
    OK_(write_row(K.store, 3, 3));
    OK_(abdm_store_keep(K.store));
    OK_(abdm_store_commit(K.store));
    assert_good(2);
    OK_(abdm_store_begin(K.store));
    OK_(write_row(K.store, 4, 4));
    abdm_store_rollback(K.store);
    assert_good(2);
    OK_(write_row(K.store, 5, 5));
    assert_good(3);
}


enum { WRITER_ROWS = 150 };

static void *
write_many(void *arg)
{
    abdm_store_t *store = NULL;
    intptr_t failed = 0;

    (void) arg;
    if (abdm_failed(abdm_store_open(K.url, K.key, &store)))
        return (void *) 1;
    for (int i = 0; i < WRITER_ROWS / 3 && !failed; i++) {
        failed |= abdm_failed(abdm_store_begin(store));
        for (int j = 0; j < 3; j++)
            failed |= abdm_failed(write_row(store, i, i));
        failed |= abdm_failed(abdm_store_commit(store));
    }
    abdm_store_close(store);
    return (void *) failed;
}


static void
connections_that_write_at_the_same_time_make_one_chain(void **state)
{
    pthread_t other[2];
    void *failed;

    (void) state;
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&other[i], NULL, write_many, NULL), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_join(other[i], &failed), 0);
        assert_null(failed);
    }
    assert_good(2 * WRITER_ROWS);
}


static void
the_store_itself_refuses_to_change_or_delete_a_row(void **state)
{
    (void) state;
    write_rows(3);
    assert_int_not_equal(sqlite3_exec(K.raw, "UPDATE audit SET what = 'x' WHERE id = 2", NULL, NULL,
                                      NULL), SQLITE_OK);
    assert_int_not_equal(sqlite3_exec(K.raw, "DELETE FROM audit", NULL, NULL, NULL), SQLITE_OK);
    assert_good(3);
}


/* --- the beginning --- */

static void
rows_from_before_the_chain_are_taken_in(void **state)
{
    (void) state;
    store_kit_exec(&K, "INSERT INTO audit (id, at, hip_id, subject, what, code) VALUES"
                       " (3, 1, 'HIP_1', 'T', 'old', 'E_TIMEOUT'), (4, 2, '', '', 'old', NULL),"
                       " (9, 3, 'HIP_1', 'T', 'old', NULL)");
    assert_int_equal(verdict_of(NULL).outside, 3);
    assert_null(verdict_of(NULL).fault);
    write_rows(2);
    assert_good(6);
    assert_int_equal(verdict_of(NULL).first, 3);
    assert_int_equal(store_kit_number(&K, "SELECT id FROM audit WHERE what = 'audit chain begins'"
                                          " AND detail = '3 rows taken in'"), 10);
    tamper("UPDATE audit SET what = 'young' WHERE id = 4");
    assert_fault(4, "was changed");
}


static bool
prune(abdm_ms_t now, abdm_ms_t keep)
{
    bool more;

    OK_(abdm_store_begin(K.store));
    OK_(abdm_store_audit_prune(K.store, now, keep, &more));
    OK_(abdm_store_commit(K.store));
    return more;
}


static void
what_is_past_its_time_goes_and_the_rest_verifies(void **state)
{
    const abdm_ms_t now = 1000 * DAY, keep = 400 * DAY;
    char old_anchor[ABDM_ANCHOR_TEXT], base_anchor[ABDM_ANCHOR_TEXT];
    abdm_audit_verdict_t v;

    (void) state;
    for (int i = 1; i <= 5; i++) {
        OK_(write_row(K.store, i, now - 402 * DAY));
        if (i == 2)
            OK_(abdm_store_audit_anchor(K.store, old_anchor));
    }
    OK_(abdm_store_audit_anchor(K.store, base_anchor));
    OK_(write_row(K.store, 6, now - 400 * DAY + 1));
    OK_(write_row(K.store, 7, now));
    (void) prune(now, 0); /* for ever */
    assert_good(7);

    assert_false(prune(now, keep));
    v = verdict_of(NULL);
    assert_null(v.fault);
    assert_int_equal(v.base, 5);
    assert_int_equal(v.base_at, now);
    assert_int_equal(v.rows, 3); /* and one that tells of it */
    assert_int_equal(v.first, 6);
    assert_int_equal(store_kit_number(&K, "SELECT count(*) FROM audit WHERE what = 'audit pruned'"
                                          " AND detail = '5 rows, up to 5'"), 1);
    assert_true(verdict_of(old_anchor).anchor_pruned);
    assert_null(verdict_of(old_anchor).fault);
    assert_null(verdict_of(base_anchor).fault);
    base_anchor[5] = base_anchor[5] == '0' ? '1' : '0';
    assert_non_null(verdict_of(base_anchor).fault);

    assert_false(prune(now + DAY / 2, keep)); /* once a day is often enough */
    assert_good(3);
    keep_copy();
    tamper("UPDATE audit_head SET base = 6, base_mac = (SELECT mac FROM audit WHERE id = 6);"
           "DELETE FROM audit WHERE id = 6");
    assert_fault(0, "the end of the chain was altered"); /* nobody else prunes */
}


static void
many_rows_past_their_time_go_part_by_part(void **state)
{
    (void) state;
    OK_(abdm_store_begin(K.store));
    for (int i = 0; i < 1500; i++)
        OK_(write_row(K.store, i, 1));
    OK_(abdm_store_commit(K.store));
    assert_true(prune(500 * DAY, 400 * DAY));
    assert_good(501);
    assert_false(prune(500 * DAY, 400 * DAY));
    assert_good(2);
}


static void
altered_rows_stay_for_whoever_looks_into_it(void **state)
{
    bool more;

    (void) state;
    write_rows(ROWS);
    tamper("UPDATE audit SET subject = 'T-x' WHERE id = 3");
    OK_(abdm_store_begin(K.store));
    assert_int_equal(abdm_store_audit_prune(K.store, 1000 * DAY, 400 * DAY, &more).code,
                     ABDM_E_AUDIT);
    OK_(abdm_store_commit(K.store));
    assert_int_equal(store_kit_number(&K, "SELECT count(*) FROM audit"), ROWS);
    assert_fault(3, "was changed");
}


static void
a_new_chain_can_be_begun_and_says_so(void **state)
{
    abdm_audit_verdict_t v;

    (void) state;
    write_rows(4);
    tamper("UPDATE audit_head SET n = 2; DELETE FROM audit WHERE id = 4");
    assert_int_equal(write_row(K.store, 5, 1).code, ABDM_E_AUDIT);
    OK_(abdm_store_audit_restart(K.store, 77));
    OK_(write_row(K.store, 5, 78));
    v = verdict_of(NULL);
    assert_null(v.fault);
    assert_int_equal(v.outside, 3);
    assert_int_equal(v.base, 3);
    assert_int_equal(v.base_at, 77);
    assert_int_equal(v.rows, 2);
    assert_int_equal(store_kit_number(&K, "SELECT id FROM audit WHERE code = 'E_AUDIT'"), 4);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(what_was_written_verifies),
        STORE_TEST(a_change_of_any_column_is_found),
        STORE_TEST(a_row_taken_out_is_found),
        STORE_TEST(rows_in_another_order_are_found),
        STORE_TEST(a_row_put_in_is_found),
        STORE_TEST(an_end_that_was_altered_is_found_and_nothing_more_is_written),
        STORE_TEST(an_older_end_is_found_by_the_rows_behind_it_or_by_an_anchor),
        STORE_TEST(an_anchor_has_its_form),
        STORE_TEST(another_key_neither_verifies_nor_writes),
        STORE_TEST(what_is_undone_or_rolled_back_leaves_no_gap),
        STORE_TEST(connections_that_write_at_the_same_time_make_one_chain),
        STORE_TEST(the_store_itself_refuses_to_change_or_delete_a_row),
        STORE_TEST(rows_from_before_the_chain_are_taken_in),
        STORE_TEST(what_is_past_its_time_goes_and_the_rest_verifies),
        STORE_TEST(many_rows_past_their_time_go_part_by_part),
        STORE_TEST(altered_rows_stay_for_whoever_looks_into_it),
        STORE_TEST(a_new_chain_can_be_begun_and_says_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
