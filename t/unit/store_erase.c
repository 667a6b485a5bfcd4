/*
 * The end of a consent: its content and its key leave the disk, a tombstone and a proof stay, and
 * nothing brings it back. Times are UTC; the host is set to Asia/Kolkata.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <time.h>

#include "audit_kit.h"

enum { END = 30 }; /* dataEraseAt of put_consent */


/* Bytes of a value that is in the database now. */
static size_t
bytes_of(const char *sql, uint8_t *out, size_t cap)
{
    sqlite3_stmt *stmt = NULL;
    size_t n;

    assert_int_equal(sqlite3_prepare_v2(K.raw, sql, -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    n = (size_t) sqlite3_column_bytes(stmt, 0);
    assert_true(n > 20 && n <= cap);
    memcpy(out, sqlite3_column_blob(stmt, 0), n);
    sqlite3_finalize(stmt);
    return n;
}


/* Do these bytes stand in a file of the store? */
static bool
on_disk(const void *bytes, size_t len)
{
    static const char *const suffixes[] = {"", "-wal"};
    bool found = false;

    for (size_t i = 0; i < 2; i++) {
        char file[128], *all;
        long size;
        FILE *f;

        snprintf(file, sizeof(file), "%s%s", K.path, suffixes[i]);
        f = fopen(file, "rb");
        if (f == NULL)
            continue;
        assert_int_equal(fseek(f, 0, SEEK_END), 0);
        size = ftell(f);
        rewind(f);
        all = malloc((size_t) size + 1);
        assert_non_null(all);
        assert_int_equal(fread(all, 1, (size_t) size, f), size);
        fclose(f);
        found |= memmem(all, (size_t) size, bytes, len) != NULL;
        free(all);
    }
    return found;
}


static void
expire(abdm_ms_t now)
{
    bool more;

    OK_(abdm_store_begin(K.store));
    OK_(abdm_store_expire(K.store, now, 0, &more));
    OK_(abdm_store_commit(K.store));
    assert_false(more);
}


static abdm_consent_status_t
status(void)
{
    const abdm_view_t *view = abdm_store_view(K.store);
    abdm_consent_status_t is;
    abdm_consent_t c;

    OK_(view->consent(view, "HIP_1", "C-1", &c));
    is = c.status;
    assert_true((c.patient_id == NULL) == (is != ABDM_CONSENT_GRANTED));
    assert_true((c.n_contexts == 0) == (is != ABDM_CONSENT_GRANTED));
    abdm_consent_clear(&c);
    return is;
}


static void
put_done_transfer(void)
{
    abdm_transfer_t done = transfer;
    abdm_effects_t e = {0};

    done.state = ABDM_TRANSFER_DONE;
    done.done_at = 25;
    abdm_effect_transfer(&e, &done);
    apply(&e);
}


/* --- what goes, what stays --- */

static void
content_and_key_of_an_ended_consent_are_nowhere_on_the_disk(void **state)
{
    uint8_t key[256], content[512], record[512];
    size_t key_len, content_len, record_len;

    (void) state;
    put_consent(ABDM_CONSENT_GRANTED);
    put_transfer();
    key_len = bytes_of("SELECT key FROM consent_key", key, sizeof(key));
    content_len = bytes_of("SELECT content FROM consent", content, sizeof(content));
    record_len = bytes_of("SELECT record FROM page", record, sizeof(record));
    OK_(abdm_store_purge(K.store));
    assert_false(abdm_store_erased(K.store));
    assert_true(on_disk(key, key_len));
    assert_true(on_disk(content, content_len));
    assert_true(on_disk(record, record_len));
    assert_false(on_disk("a@sbx", 5)); /* never was */
    put_done_transfer();
    assert_true(on_disk("MR-1", 4)); /* references of the HMIS */

    put_consent(ABDM_CONSENT_REVOKED);
    assert_true(abdm_store_erased(K.store));
    OK_(abdm_store_purge(K.store));
    assert_false(abdm_store_erased(K.store));
    assert_false(on_disk(key, key_len));
    assert_false(on_disk(content, content_len));
    assert_false(on_disk(record, record_len));
    assert_false(on_disk("MR-1", 4));
    assert_false(on_disk("hiu.example", 11));
}


static void
a_tombstone_and_a_proof_stay(void **state)
{
    (void) state;
    put_consent(ABDM_CONSENT_GRANTED);
    put_consent(ABDM_CONSENT_REVOKED);
    assert_int_equal(status(), ABDM_CONSENT_REVOKED);
    assert_int_equal(store_kit_number(&K, "SELECT changed_at FROM consent"), 777);
    assert_int_equal(store_kit_number(&K, "SELECT count(*) FROM consent WHERE hiu_id IS NULL AND"
                                          " purpose IS NULL AND content IS NULL AND artefact IS NULL"
                                          " AND patient_key IS NULL AND date_to = 0"), 1);
    assert_int_equal(store_kit_number(&K, "SELECT at FROM audit WHERE subject = 'C-1' AND"
                                          " what = 'consent content erased' AND detail = 'REVOKED'"),
                     777);
    put_consent(ABDM_CONSENT_REVOKED); /* again: nothing was left to erase */
    assert_int_equal(store_kit_number(&K, "SELECT count(*) FROM audit"), 1);
    assert_good(1);
}


static void
a_consent_that_was_never_seen_leaves_a_tombstone_and_no_proof(void **state)
{
    (void) state;
    put_consent(ABDM_CONSENT_REVOKED);
    assert_int_equal(status(), ABDM_CONSENT_REVOKED);
    assert_int_equal(store_kit_number(&K, "SELECT count(*) FROM audit"), 0);
}


static void
an_ended_consent_cannot_be_given_content_again(void **state)
{
    abdm_consent_t c = {.id = strdup("C-1"), .hip_id = strdup("HIP_1"),
                        .patient_id = strdup("a@sbx"), .status = ABDM_CONSENT_GRANTED};
    abdm_effects_t e = {0};

    (void) state;
    put_consent(ABDM_CONSENT_GRANTED);
    put_consent(ABDM_CONSENT_REVOKED);
    abdm_effect_consent(&e, &c);
    assert_int_equal(abdm_store_apply(K.store, &e, 800).code, ABDM_E_INTERNAL);
    abdm_effects_clear(&e);
    assert_int_equal(status(), ABDM_CONSENT_REVOKED);
    assert_int_equal(store_kit_number(&K, "SELECT count(*) FROM consent_key"), 0);
}


static void
a_record_fetched_for_an_ended_consent_is_not_kept(void **state)
{
    abdm_page_t page;

    (void) state;
    put_consent(ABDM_CONSENT_GRANTED);
    put_consent(ABDM_CONSENT_REVOKED);
    put_transfer();
    OK_(get_page(0, &page));
    assert_int_equal(page.state, ABDM_PART_PENDING);
    assert_null(page.record);
    abdm_page_clear(&page);
    assert_int_equal(store_kit_number(&K, "SELECT count(record) FROM page"), 0);
}


static void
a_transfer_under_way_keeps_its_references_until_it_has_reported(void **state)
{
    const abdm_view_t *view = abdm_store_view(K.store);
    abdm_transfer_context_t context;
    abdm_page_t page;

    (void) state;
    put_consent(ABDM_CONSENT_GRANTED);
    put_transfer();
    put_consent(ABDM_CONSENT_REVOKED);
    OK_(get_page(0, &page));
    assert_null(page.record);
    abdm_page_clear(&page);
    OK_(view->context(view, &transfer, 0, &context));
    assert_string_equal(context.care_context_ref, "V-1");
    abdm_transfer_context_clear(&context);
    OK_(abdm_store_purge(K.store));
    put_done_transfer();
    assert_true(abdm_store_erased(K.store));
    OK_(view->context(view, &transfer, 0, &context));
    assert_string_equal(context.care_context_ref, "");
    abdm_transfer_context_clear(&context);
}


static void
each_consent_has_a_key_of_its_own(void **state)
{
    (void) state;
    put_consent(ABDM_CONSENT_GRANTED);
    store_kit_exec(&K, "INSERT INTO consent_key SELECT hip_id, 'C-2', key FROM consent_key;"
                       "INSERT INTO consent SELECT hip_id, 'C-2', status, hiu_id, patient_id,"
                       " purpose, date_from, date_to, erase_at, hi_types, changed_at, patient_key,"
                       " artefact, signature, signed, content FROM consent");
    const abdm_view_t *view = abdm_store_view(K.store);
    abdm_consent_t c;

    assert_int_equal(view->consent(view, "HIP_1", "C-2", &c).code, ABDM_E_SEAL);
    store_kit_exec(&K, "DELETE FROM consent_key");
    assert_int_equal(view->consent(view, "HIP_1", "C-1", &c).code, ABDM_E_SEAL);
}


/* --- by the clock --- */

static void
a_consent_expires_by_our_clock_without_a_notice(void **state)
{
    (void) state;
    put_consent(ABDM_CONSENT_GRANTED);
    expire(END - 1);
    assert_int_equal(status(), ABDM_CONSENT_GRANTED);
    expire(END);
    assert_int_equal(status(), ABDM_CONSENT_EXPIRED);
    assert_int_equal(store_kit_number(&K, "SELECT count(*) FROM consent_key"), 0);
    assert_int_equal(store_kit_number(&K, "SELECT at FROM audit WHERE what ="
                                          " 'consent content erased' AND detail = 'dataEraseAt'"),
                     END);
    assert_int_equal(store_kit_number(&K, "SELECT erase_at FROM consent"), END);
    expire(END + 1);
    assert_int_equal(store_kit_number(&K, "SELECT count(*) FROM audit"), 1);
}


static void
a_moment_that_passed_while_nothing_ran_is_made_up_for(void **state)
{
    (void) state;
    put_consent(ABDM_CONSENT_GRANTED);
    abdm_store_close(K.store);
    OK_(abdm_store_open(K.url, K.key, &K.store));
    expire(END + 1000LL * DAY);
    assert_int_equal(status(), ABDM_CONSENT_EXPIRED);
}


static void
a_consent_without_an_end_does_not_expire(void **state)
{
    (void) state;
    put_consent(ABDM_CONSENT_GRANTED);
    store_kit_exec(&K, "UPDATE consent SET erase_at = 0");
    expire(1000LL * DAY);
    assert_int_equal(status(), ABDM_CONSENT_GRANTED);
}


static void
many_that_end_at_once_are_ended_part_by_part(void **state)
{
    abdm_effects_t e = {0};
    bool more;

    (void) state;
    for (int i = 0; i < 150; i++) {
        abdm_consent_t c = {.hip_id = strdup("HIP_1"), .status = ABDM_CONSENT_GRANTED,
                            .erase_at = END};

        assert_true(asprintf(&c.id, "C-%d", i) > 0);
        abdm_effect_consent(&e, &c);
    }
    apply(&e);
    OK_(abdm_store_begin(K.store));
    OK_(abdm_store_expire(K.store, END, 0, &more));
    assert_true(more);
    OK_(abdm_store_expire(K.store, END, 0, &more));
    assert_false(more);
    OK_(abdm_store_commit(K.store));
    assert_int_equal(store_kit_number(&K, "SELECT count(*) FROM consent WHERE status = 2"), 150);
    assert_good(150);
}


static void
finished_transfers_go_after_their_time_and_others_stay(void **state)
{
    const abdm_ms_t keep = 400LL * DAY;
    bool more;

    (void) state;
    put_consent(ABDM_CONSENT_GRANTED);
    put_transfer();
    OK_(abdm_store_expire(K.store, 26 + keep, keep, &more));
    assert_int_equal(store_kit_number(&K, "SELECT count(*) FROM transfer"), 1); /* not over */
    put_done_transfer();
    OK_(abdm_store_expire(K.store, 25 + keep, keep, &more));
    assert_int_equal(store_kit_number(&K, "SELECT count(*) FROM transfer"), 1);
    OK_(abdm_store_expire(K.store, 26 + keep, 0, &more));
    assert_int_equal(store_kit_number(&K, "SELECT count(*) FROM transfer"), 1);
    OK_(abdm_store_expire(K.store, 26 + keep, keep, &more));
    assert_false(more);
    assert_int_equal(store_kit_number(&K, "SELECT count(*) FROM transfer"), 0);
    assert_int_equal(store_kit_number(&K, "SELECT count(*) FROM page"), 0);
}


/* --- purging --- */

static void
purging_waits_for_nobody_and_is_tried_again(void **state)
{
    struct timespec before, after;

    (void) state;
    put_consent(ABDM_CONSENT_GRANTED);
    put_consent(ABDM_CONSENT_REVOKED);
    store_kit_exec(&K, "BEGIN IMMEDIATE");
    clock_gettime(CLOCK_MONOTONIC, &before);
    assert_int_equal(abdm_store_purge(K.store).code, ABDM_E_STORE_BUSY);
    clock_gettime(CLOCK_MONOTONIC, &after);
    assert_true((after.tv_sec - before.tv_sec) * 1000 + (after.tv_nsec - before.tv_nsec) / 1000000
                < 1000);
    assert_true(abdm_store_erased(K.store));
    store_kit_exec(&K, "ROLLBACK");
    OK_(abdm_store_purge(K.store));
    assert_false(abdm_store_erased(K.store));
}


static void
without_an_audit_nothing_is_erased_and_nothing_is_lost(void **state)
{
    bool more;

    (void) state;
    put_consent(ABDM_CONSENT_GRANTED);
    write_rows(2);
    tamper("UPDATE audit_head SET n = 1");
    OK_(abdm_store_begin(K.store));
    assert_int_equal(abdm_store_expire(K.store, END, 0, &more).code, ABDM_E_AUDIT);
    OK_(abdm_store_commit(K.store));
    assert_int_equal(status(), ABDM_CONSENT_GRANTED);
    OK_(abdm_store_audit_restart(K.store, END));
    expire(END);
    assert_int_equal(status(), ABDM_CONSENT_EXPIRED);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(content_and_key_of_an_ended_consent_are_nowhere_on_the_disk),
        STORE_TEST(a_tombstone_and_a_proof_stay),
        STORE_TEST(a_consent_that_was_never_seen_leaves_a_tombstone_and_no_proof),
        STORE_TEST(an_ended_consent_cannot_be_given_content_again),
        STORE_TEST(a_record_fetched_for_an_ended_consent_is_not_kept),
        STORE_TEST(a_transfer_under_way_keeps_its_references_until_it_has_reported),
        STORE_TEST(each_consent_has_a_key_of_its_own),
        STORE_TEST(a_consent_expires_by_our_clock_without_a_notice),
        STORE_TEST(a_moment_that_passed_while_nothing_ran_is_made_up_for),
        STORE_TEST(a_consent_without_an_end_does_not_expire),
        STORE_TEST(many_that_end_at_once_are_ended_part_by_part),
        STORE_TEST(finished_transfers_go_after_their_time_and_others_stay),
        STORE_TEST(purging_waits_for_nobody_and_is_tried_again),
        STORE_TEST(without_an_audit_nothing_is_erased_and_nothing_is_lost),
    };

    setenv("TZ", "Asia/Kolkata", 1);
    tzset();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
