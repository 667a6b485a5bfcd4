/*
 * Rows of every kind in the store: read back, found, replaced, deleted and swept; sealed values
 * open in their own row and column alone, and nothing of one facility is seen through another.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "row_kit.h"
#include "state_kit.h"


static abdm_err_t
put(abdm_row_id_t id, const void *row)
{
    abdm_effects_t e = {0};
    abdm_err_t err;

    abdm_effect_put(&e, id, row);
    assert_false(e.failed);
    err = abdm_store_apply(K.store, &e, 777);
    abdm_effects_clear(&e);
    return err;
}


static abdm_err_t
get(abdm_row_id_t id, any_row_t *row)
{
    const abdm_view_t *view = abdm_store_view(K.store);

    return view->get(view, id, row);
}


static abdm_err_t
get_named(abdm_row_id_t id, const char *hip_id, const char *name)
{
    any_row_t row;
    abdm_err_t err;

    row_set_key(id, &row, hip_id, name);
    err = get(id, &row);
    abdm_row_clear(id, &row);
    return err;
}


static void
put_named(abdm_row_id_t id, const char *hip_id, const char *name)
{
    any_row_t row;

    row_fill(id, &row, hip_id, name);
    OK_(put(id, &row));
    abdm_row_clear(id, &row);
}


static size_t
find(abdm_row_id_t id, size_t column, const char *hip_id, const char *value, size_t max,
     void **rows)
{
    const abdm_view_t *view = abdm_store_view(K.store);
    size_t n = 99;

    OK_(view->find(view, id, (int) column, hip_id, value, max, rows, &n));
    return n;
}


static int64_t
count(const char *table)
{
    char sql[128];

    snprintf(sql, sizeof(sql), "SELECT count(*) FROM \"%s\"", table);
    return store_kit_number(&K, sql);
}


/* --- put, get, delete --- */

static void
a_row_of_every_kind_is_read_back_with_all_its_members(void **state)
{
    any_row_t row, read;

    (void) state;
    for (abdm_row_id_t id = 0; id < ABDM_ROWS; id++) {
        row_fill(id, &row, "HIP_1", "A");
        OK_(put(id, &row));
        row_set_key(id, &read, "HIP_1", "A");
        OK_(get(id, &read));
        row_assert_equal(id, &row, &read, true);
        abdm_row_clear(id, &row);
        abdm_row_clear(id, &read);
    }
}


static void
members_that_are_absent_stay_absent(void **state)
{
    any_row_t row, read;

    (void) state;
    for (abdm_row_id_t id = 0; id < ABDM_ROWS; id++) {
        put_named(id, "HIP_1", "A"); /* replaced as a whole: nothing of it stays */
        row_set_key(id, &row, "HIP_1", "A");
        OK_(put(id, &row));
        row_fill(id, &read, "HIP_1", "A");
        OK_(get(id, &read));
        row_assert_equal(id, &row, &read, true);
        assert_int_equal(count(abdm_row_kind(id)->table), 1);
        abdm_row_clear(id, &row);
        abdm_row_clear(id, &read);
    }
}


static void
a_row_that_is_not_there_leaves_the_one_asked_with_as_it_is(void **state)
{
    any_row_t row, same;

    (void) state;
    for (abdm_row_id_t id = 0; id < ABDM_ROWS; id++) {
        row_fill(id, &row, "HIP_1", "A");
        row_fill(id, &same, "HIP_1", "A");
        assert_int_equal(get(id, &row).code, ABDM_E_NOT_FOUND);
        row_assert_equal(id, &same, &row, true);
        abdm_row_clear(id, &row);
        abdm_row_clear(id, &same);
    }
}


static void
a_deleted_row_is_gone_and_others_stay(void **state)
{
    (void) state;
    for (abdm_row_id_t id = 0; id < ABDM_ROWS; id++) {
        const char *other = abdm_row_kind(id)->n > 1 && row_is_key(&abdm_row_kind(id)->member[1])
                                ? "HIP_1"
                                : "HIP_2"; /* a facility has one row of a feed */
        abdm_effects_t e = {0};
        any_row_t row;

        put_named(id, "HIP_1", "A");
        put_named(id, other, "B");
        row_set_key(id, &row, "HIP_1", "A");
        abdm_effect_delete(&e, id, &row);
        abdm_effect_delete(&e, id, &row); /* not there any more: no error */
        apply(&e);
        abdm_row_clear(id, &row);
        assert_int_equal(get_named(id, "HIP_1", "A").code, ABDM_E_NOT_FOUND);
        OK_(get_named(id, other, "B"));
    }
}


static void
a_row_without_a_member_of_its_key_is_refused(void **state)
{
    abdm_row_link_token_t row = {.hip_id = "HIP_1"};

    (void) state;
    assert_int_equal(put(ABDM_ROW_link_token, &row).code, ABDM_E_INTERNAL);
    assert_int_equal(abdm_row_link_token_get(abdm_store_view(K.store), &row).code,
                     ABDM_E_INTERNAL);
    assert_int_equal(count("link_token"), 0);
}


static void
a_change_that_was_rolled_back_left_no_row(void **state)
{
    (void) state;
    OK_(abdm_store_begin(K.store));
    put_named(ABDM_ROW_patient, "HIP_1", "A");
    OK_(get_named(ABDM_ROW_patient, "HIP_1", "A"));
    abdm_store_rollback(K.store);
    OK_(abdm_store_begin(K.store)); /* as whoever goes on does */
    assert_int_equal(get_named(ABDM_ROW_patient, "HIP_1", "A").code, ABDM_E_NOT_FOUND);
    OK_(abdm_store_commit(K.store));
}


/* --- finding --- */

static void
rows_are_found_by_each_member_that_allows_it_in_their_facility_alone(void **state)
{
    size_t tried = 0;

    (void) state;
    for (abdm_row_id_t id = 0; id < ABDM_ROWS; id++) {
        const abdm_row_kind_t *kind = abdm_row_kind(id);
        any_row_t a, b;

        row_fill(id, &a, "HIP_1", "A");
        row_fill(id, &b, "HIP_2", "A"); /* alike in all but the facility */
        OK_(put(id, &a));
        OK_(put(id, &b));
        for (size_t i = 0; i < kind->n; i++) {
            const abdm_member_t *member = &kind->member[i];
            void *rows;

            if (member->kind != ABDM_MEMBER_FOUND && member->kind != ABDM_MEMBER_HASHED)
                continue;
            tried++;
            assert_int_equal(find(id, i, "HIP_1", *row_text(&a, member), 9, &rows), 1);
            row_assert_equal(id, &a, rows, false);
            abdm_rows_free(id, rows, 1);
            assert_int_equal(find(id, i, "HIP_2", *row_text(&a, member), 9, &rows), 1);
            row_assert_equal(id, &b, rows, false);
            abdm_rows_free(id, rows, 1);
            assert_int_equal(find(id, i, "HIP_3", *row_text(&a, member), 9, &rows), 0);
            assert_null(rows);
            assert_int_equal(find(id, i, "HIP_1", "somebody else", 9, &rows), 0);
            assert_int_equal(find(id, i, "HIP_1", NULL, 9, &rows), 0);
        }
        abdm_row_clear(id, &a);
        abdm_row_clear(id, &b);
    }
    assert_true(tried >= 10);
}


static void
what_is_found_comes_in_the_order_of_keys_and_not_more_than_asked_for(void **state)
{
    static const char *const refs[] = {"MR-3", "MR-1", "MR-6", "MR-2", "MR-5", "MR-4"};
    const abdm_view_t *view = abdm_store_view(K.store);
    abdm_row_patient_t *rows;
    size_t n;

    (void) state;
    for (size_t i = 0; i < 6; i++) {
        abdm_row_patient_t row = {.hip_id = "HIP_1", .ref = (char *) refs[i],
                                  .mobile = "9876543210"};

        OK_(put(ABDM_ROW_patient, &row));
    }
    OK_(abdm_row_patient_find(view, ABDM_COL_patient_mobile, "HIP_1", "9876543210", 5, &rows, &n));
    assert_int_equal(n, 5);
    assert_string_equal(rows[0].ref, "MR-1");
    assert_string_equal(rows[1].ref, "MR-2");
    assert_string_equal(rows[4].ref, "MR-5");
    assert_string_equal(rows[4].mobile, "9876543210");
    abdm_row_patient_free(rows, n);
}


static void
a_member_that_is_not_to_be_found_by_is_refused(void **state)
{
    static const int columns[] = {ABDM_COL_patient_name, ABDM_COL_patient_ref,
                                  ABDM_COL_patient_changed_at, ABDM_COLS_patient, -1};
    const abdm_view_t *view = abdm_store_view(K.store);
    void *rows;
    size_t n;

    (void) state;
    for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++) {
        assert_int_equal(view->find(view, ABDM_ROW_patient, columns[i], "HIP_1", "x", 9, &rows, &n)
                             .code,
                         ABDM_E_INTERNAL);
        assert_null(rows);
        assert_int_equal(n, 0);
    }
}


/* --- facilities --- */

static void
a_row_of_one_facility_is_not_there_for_another(void **state)
{
    (void) state;
    for (abdm_row_id_t id = 0; id < ABDM_ROWS; id++) {
        abdm_effects_t e = {0};
        any_row_t row;

        put_named(id, "HIP_1", "A");
        assert_int_equal(get_named(id, "HIP_2", "A").code, ABDM_E_NOT_FOUND);
        row_set_key(id, &row, "HIP_2", "A");
        abdm_effect_delete(&e, id, &row);
        apply(&e);
        abdm_row_clear(id, &row);
        OK_(get_named(id, "HIP_1", "A"));
    }
}


static void
an_abha_belongs_to_one_patient_of_a_facility(void **state)
{
    abdm_row_patient_t a = {.hip_id = "HIP_1", .ref = "MR-1", .abha_address = "a@sbx",
                            .abha_number = "91111222233334", .mobile = "9876543210"};
    abdm_row_patient_t address = {.hip_id = "HIP_1", .ref = "MR-2", .abha_address = "a@sbx",
                                  .mobile = "9876543210"};
    abdm_row_patient_t number = {.hip_id = "HIP_1", .ref = "MR-3",
                                 .abha_number = "91111222233334"};
    abdm_row_patient_t elsewhere = a;
    abdm_effects_t e = {0};

    (void) state;
    OK_(put(ABDM_ROW_patient, &a));
    OK_(put(ABDM_ROW_patient, &a)); /* its own may come again */
    assert_int_equal(put(ABDM_ROW_patient, &address).code, ABDM_E_CONFLICT);
    assert_int_equal(put(ABDM_ROW_patient, &number).code, ABDM_E_CONFLICT);
    assert_int_equal(count("patient"), 1);
    elsewhere.hip_id = "HIP_2";
    OK_(put(ABDM_ROW_patient, &elsewhere));

    abdm_effect_delete_patient(&e, &a);
    apply(&e);
    OK_(put(ABDM_ROW_patient, &address));
    OK_(put(ABDM_ROW_patient, &number));
}


/* --- sealing --- */

static void
a_sealed_value_moved_to_another_row_does_not_open(void **state)
{
    char sql[256];
    size_t tried = 0;

    (void) state;
    for (abdm_row_id_t id = 0; id < ABDM_ROWS; id++) {
        const abdm_row_kind_t *kind = abdm_row_kind(id);

        for (size_t i = 0; i < kind->n; i++) {
            const char *name = kind->member[i].name;

            if (!row_is_sealed(&kind->member[i]))
                continue;
            tried++;
            put_named(id, "HIP_1", "A");
            put_named(id, "HIP_1", "B");
            OK_(get_named(id, "HIP_1", "A"));
            snprintf(sql, sizeof(sql),
                     "UPDATE \"%s\" SET \"%s\" = (SELECT o.\"%s\" FROM \"%s\" o"
                     " WHERE o.rowid > \"%s\".rowid) WHERE rowid = 1",
                     kind->table, name, name, kind->table, kind->table);
            store_kit_exec(&K, sql);
            assert_int_equal(get_named(id, "HIP_1", "A").code, ABDM_E_SEAL);
            OK_(get_named(id, "HIP_1", "B"));
        }
    }
    assert_true(tried >= 10);
}


static void
a_sealed_value_moved_to_another_column_or_facility_does_not_open(void **state)
{
    (void) state;
    put_named(ABDM_ROW_patient, "HIP_1", "A");
    store_kit_exec(&K, "UPDATE patient SET name = gender");
    assert_int_equal(get_named(ABDM_ROW_patient, "HIP_1", "A").code, ABDM_E_SEAL);

    put_named(ABDM_ROW_patient, "HIP_1", "A");
    store_kit_exec(&K, "UPDATE patient SET hip_id = 'HIP_2'");
    assert_int_equal(get_named(ABDM_ROW_patient, "HIP_2", "A").code, ABDM_E_SEAL);

    put_named(ABDM_ROW_patient, "HIP_1", "A");
    store_kit_exec(&K, "UPDATE patient SET name = x'0102'");
    assert_int_equal(get_named(ABDM_ROW_patient, "HIP_1", "A").code, ABDM_E_SEAL);
}


static void
a_keyed_hash_moved_to_another_row_finds_nobody(void **state)
{
    const abdm_view_t *view = abdm_store_view(K.store);
    abdm_row_patient_t *rows;
    size_t n;

    (void) state;
    put_named(ABDM_ROW_patient, "HIP_1", "A");
    put_named(ABDM_ROW_patient, "HIP_1", "B");
    store_kit_exec(&K, "UPDATE patient SET mobile_key ="
                       " (SELECT mobile_key FROM patient WHERE ref = 'patient.ref of A')");
    assert_int_equal(abdm_row_patient_find(view, ABDM_COL_patient_mobile, "HIP_1",
                                           "patient.mobile of A", 9, &rows, &n)
                         .code,
                     ABDM_E_SEAL);
    assert_null(rows);
    assert_int_equal(n, 0);
}


static void
hashes_of_one_value_differ_by_facility_and_column(void **state)
{
    abdm_row_patient_t row = {.hip_id = "HIP_1", .ref = "MR-1", .abha_number = "1", .mobile = "1"};

    (void) state;
    OK_(put(ABDM_ROW_patient, &row));
    row.hip_id = "HIP_2";
    OK_(put(ABDM_ROW_patient, &row));
    assert_int_equal(store_kit_number(&K, "SELECT count(*) FROM (SELECT mobile_key FROM patient"
                                          " UNION SELECT abha_number_key FROM patient)"),
                     4);
}


static bool
file_has(const char *suffix, const char *text, size_t *bytes)
{
    static char all[4 * 1024 * 1024];
    char file[128];
    size_t n = 0;

    snprintf(file, sizeof(file), "%s%s", K.path, suffix);
    FILE *f = fopen(file, "rb");
    if (f != NULL) {
        n = fread(all, 1, sizeof(all), f);
        fclose(f);
    }
    *bytes += n;
    return memmem(all, n, text, strlen(text)) != NULL;
}


static void
nothing_that_is_sealed_or_hashed_can_be_read_in_the_files(void **state)
{
    static const char *const suffixes[] = {"", "-wal"};
    abdm_job_t job = {.kind = ABDM_JOB_SMS, .event = "x", .hip_id = "HIP_1", .subject = "s",
                      .body = "{\"otp\":\"otp of job\"}", .body_len = 20,
                      .link_token = "token of job"};
    size_t bytes = 0, tried = 0;

    (void) state;
    for (abdm_row_id_t id = 0; id < ABDM_ROWS; id++)
        put_named(id, "HIP_1", "Asha");
    put_consent(ABDM_CONSENT_GRANTED);
    OK_(abdm_store_job_add(K.store, &job, NULL));
    for (int round = 0; round < 2; round++) {
        for (size_t s = 0; s < 2; s++) {
            for (abdm_row_id_t id = 0; id < ABDM_ROWS; id++) {
                const abdm_row_kind_t *kind = abdm_row_kind(id);

                for (size_t i = 0; i < kind->n; i++) {
                    char text[128];

                    snprintf(text, sizeof(text), "%s.%s of Asha", kind->table,
                             kind->member[i].name);
                    if (row_is_sealed(&kind->member[i])
                        || kind->member[i].kind == ABDM_MEMBER_KEY_HASH) {
                        tried++;
                        assert_false(file_has(suffixes[s], text, &bytes));
                    }
                }
            }
            assert_false(file_has(suffixes[s], "a@sbx", &bytes));
            assert_false(file_has(suffixes[s], "otp of job", &bytes));
            assert_false(file_has(suffixes[s], "token of job", &bytes));
        }
        store_kit_exec(&K, "PRAGMA wal_checkpoint(TRUNCATE)"); /* and in the file itself */
    }
    assert_true(tried >= 20 && bytes > 100000);
    /* what is plain is seen: the files were read */
    assert_true(file_has("", "request.contexts of Asha", &bytes));
}


static void
without_the_key_only_what_is_plain_can_be_written_and_read(void **state)
{
    abdm_row_counter_t counter = {.hip_id = "HIP_1", .name = "OPD", .last = 7};
    abdm_store_t *with = K.store;

    (void) state;
    put_named(ABDM_ROW_patient, "HIP_1", "A");
    OK_(abdm_store_open(K.url, NULL, &K.store));
    assert_int_equal(get_named(ABDM_ROW_patient, "HIP_1", "A").code, ABDM_E_SEAL);
    assert_int_equal(get_named(ABDM_ROW_opt_out, "HIP_1", "A").code, ABDM_E_SEAL);
    OK_(put(ABDM_ROW_counter, &counter));
    assert_int_equal(get_named(ABDM_ROW_patient, "HIP_2", "A").code, ABDM_E_NOT_FOUND);
    abdm_store_close(K.store);
    K.store = with;
    OK_(get_named(ABDM_ROW_patient, "HIP_1", "A"));
}


/* --- sweeping --- */

static void
rows_past_their_time_are_swept_and_others_stay(void **state)
{
    size_t tried = 0;
    bool more;

    (void) state;
    for (abdm_row_id_t id = 0; id < ABDM_ROWS; id++) {
        const abdm_row_kind_t *kind = abdm_row_kind(id);
        const abdm_member_t *last = &kind->member[kind->n - 1];
        static const int64_t times[] = {0, 999, 1000, 1001};
        static const char *const names[] = {"A", "B", "C", "D"};

        if (strcmp(last->name, "keep_until") != 0)
            continue;
        tried++;
        for (size_t i = 0; i < 4; i++) {
            any_row_t row;

            row_fill(id, &row, "HIP_1", names[i]);
            *row_int(&row, last) = times[i];
            OK_(put(id, &row));
            abdm_row_clear(id, &row);
        }
        OK_(abdm_store_sweep(K.store, 1000, &more));
        assert_false(more);
        assert_int_equal(get_named(id, "HIP_1", "B").code, ABDM_E_NOT_FOUND);
        assert_int_equal(count(kind->table), 3);
        OK_(abdm_store_sweep(K.store, 1LL << 50, &more));
        OK_(get_named(id, "HIP_1", "A"));
        assert_int_equal(count(kind->table), 1);
    }
    assert_true(tried >= 7);
}


static void
a_sweep_of_rows_is_bounded_and_tells_of_more(void **state)
{
    bool more = false;

    (void) state;
    store_kit_exec(&K, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
                       " WHERE i < 1500) INSERT INTO budget SELECT 'h', 'n', i, 0, 1, 1 FROM n");
    put_named(ABDM_ROW_request, "HIP_1", "A");
    store_kit_exec(&K, "UPDATE request SET keep_until = 1");
    OK_(abdm_store_sweep(K.store, 1000, &more));
    assert_true(more);
    assert_int_equal(count("budget"), 500);
    assert_int_equal(count("request"), 1);
    OK_(abdm_store_sweep(K.store, 1000, &more));
    assert_false(more);
    assert_int_equal(count("budget") + count("request"), 0);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(a_row_of_every_kind_is_read_back_with_all_its_members),
        STORE_TEST(members_that_are_absent_stay_absent),
        STORE_TEST(a_row_that_is_not_there_leaves_the_one_asked_with_as_it_is),
        STORE_TEST(a_deleted_row_is_gone_and_others_stay),
        STORE_TEST(a_row_without_a_member_of_its_key_is_refused),
        STORE_TEST(a_change_that_was_rolled_back_left_no_row),
        STORE_TEST(rows_are_found_by_each_member_that_allows_it_in_their_facility_alone),
        STORE_TEST(what_is_found_comes_in_the_order_of_keys_and_not_more_than_asked_for),
        STORE_TEST(a_member_that_is_not_to_be_found_by_is_refused),
        STORE_TEST(a_row_of_one_facility_is_not_there_for_another),
        STORE_TEST(an_abha_belongs_to_one_patient_of_a_facility),
        STORE_TEST(a_sealed_value_moved_to_another_row_does_not_open),
        STORE_TEST(a_sealed_value_moved_to_another_column_or_facility_does_not_open),
        STORE_TEST(a_keyed_hash_moved_to_another_row_finds_nobody),
        STORE_TEST(hashes_of_one_value_differ_by_facility_and_column),
        STORE_TEST(nothing_that_is_sealed_or_hashed_can_be_read_in_the_files),
        STORE_TEST(without_the_key_only_what_is_plain_can_be_written_and_read),
        STORE_TEST(rows_past_their_time_are_swept_and_others_stay),
        STORE_TEST(a_sweep_of_rows_is_bounded_and_tells_of_more),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
