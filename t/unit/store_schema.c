/* Making the store: once, in WAL mode, for its owner; a newer one is left alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sys/stat.h>

#include "row_kit.h"
#include "store_kit.h"

static store_kit_t K;


static int
make_dir(void **state)
{
    (void) state;
    store_kit_dir(&K);
    OK_(abdm_seal_key_random(&K.key));
    return 0;
}


static int
remove_dir(void **state)
{
    (void) state;
    store_kit_close(&K);
    return 0;
}


static abdm_err_t
prepare(char problem[512])
{
    problem[0] = '\0';
    return abdm_store_prepare(K.url, K.key, (uid_t) -1, (gid_t) -1, problem);
}


static void
preparing_again_changes_nothing_and_keeps_what_is_there(void **state)
{
    char problem[512];

    (void) state;
    OK_(prepare(problem));
    store_kit_raw(&K);
    int64_t tables = store_kit_number(&K, "SELECT count(*) FROM sqlite_master");
    int64_t version = store_kit_number(&K, "PRAGMA user_version");
    store_kit_exec(&K, "INSERT INTO owner VALUES ('me', 1)");
    OK_(prepare(problem));
    OK_(prepare(problem));
    assert_string_equal(problem, "");
    assert_int_equal(store_kit_number(&K, "SELECT count(*) FROM sqlite_master"), tables);
    assert_int_equal(store_kit_number(&K, "PRAGMA user_version"), version);
    assert_int_equal(store_kit_number(&K, "SELECT count(*) FROM owner"), 1);
    assert_true(version > 0);
}


static void
the_store_is_in_wal_mode(void **state)
{
    char problem[512];

    (void) state;
    OK_(prepare(problem));
    store_kit_raw(&K);
    assert_int_equal(
        store_kit_number(&K, "SELECT count(*) FROM pragma_journal_mode WHERE journal_mode = 'wal'"),
        1);
}


static void
a_store_of_a_newer_version_is_refused_and_not_touched(void **state)
{
    abdm_store_t *store = NULL;
    char problem[512];

    (void) state;
    OK_(prepare(problem));
    store_kit_raw(&K);
    store_kit_exec(&K, "PRAGMA user_version = 4711");
    assert_int_equal(prepare(problem).code, ABDM_E_STORE_VERSION);
    assert_non_null(strstr(problem, K.url));
    assert_int_equal(store_kit_number(&K, "PRAGMA user_version"), 4711);
    assert_int_equal(abdm_store_open(K.url, NULL, &store).code, ABDM_E_STORE_VERSION);
    assert_null(store);
}


static void
a_store_is_of_the_key_it_was_made_with(void **state)
{
    abdm_seal_key_t *right = K.key, *wrong;
    abdm_store_t *store = NULL;
    char problem[512];

    (void) state;
    OK_(abdm_seal_key_random(&wrong));
    OK_(prepare(problem));
    K.key = wrong;
    assert_int_equal(prepare(problem).code, ABDM_E_SECRET_KEY);
    K.key = right;
    assert_non_null(strstr(problem, K.url));
    assert_non_null(strstr(problem, "abdm_secret_key"));
    assert_int_equal(abdm_store_open(K.url, wrong, &store).code, ABDM_E_SECRET_KEY);
    assert_null(store);
    OK_(abdm_store_open(K.url, NULL, &store)); /* of what is not sealed there are reports */
    abdm_store_close(store);
    OK_(prepare(problem));
    OK_(abdm_store_open(K.url, right, &K.store));
    abdm_seal_key_free(wrong);
}


static void
a_store_that_was_not_prepared_cannot_be_opened(void **state)
{
    abdm_store_t *store = NULL;

    (void) state;
    assert_int_equal(abdm_store_open(K.url, NULL, &store).code, ABDM_E_STORE);
    assert_null(store);
}


static void
a_file_that_is_no_database_is_refused_with_its_name(void **state)
{
    char problem[512];
    FILE *f = fopen(K.path, "w");

    (void) state;
    assert_non_null(f);
    for (int i = 0; i < 100; i++)
        fputs("this is not a database, but it is long enough to be one\n", f);
    fclose(f);
    assert_int_equal(prepare(problem).code, ABDM_E_STORE);
    assert_non_null(strstr(problem, K.url));
}


static void
a_store_is_closed_to_others_from_its_first_moment(void **state)
{
    mode_t before = umask(0);
    char problem[512];
    struct stat st;

    (void) state;
    OK_(prepare(problem));
    (void) umask(before);
    store_kit_raw(&K);
    store_kit_exec(&K, "INSERT INTO owner VALUES ('me', 1)");
    assert_int_equal(stat(K.path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}


static void
a_store_given_to_its_owner_is_closed_to_others(void **state)
{
    char problem[512] = "";
    struct stat st;
    FILE *f = fopen(K.path, "w");

    (void) state;
    assert_non_null(f);
    fclose(f);
    assert_int_equal(chmod(K.path, 0666), 0);
    OK_(abdm_store_prepare(K.url, K.key, getuid(), getgid(), problem));
    assert_int_equal(stat(K.path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}


static void
the_address_of_a_store_must_be_an_absolute_path_in_a_directory_that_is_there(void **state)
{
    static const char *const bad[] = {"", "abdm.db", "sqlite:abdm.db", "postgres://h/db",
                                      "sqlite:/nowhere/at/all/abdm.db"};
    char problem[512], url[2048];

    (void) state;
    OK_(abdm_store_check_url(K.url, problem));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        problem[0] = '\0';
        assert_int_equal(abdm_store_check_url(bad[i], problem).code, ABDM_E_CONFIG);
        assert_non_null(strstr(problem, "abdm_store"));
        assert_non_null(strstr(problem, bad[i]));
    }
    memset(url, 'a', sizeof(url));
    memcpy(url, "sqlite:/", 8);
    url[sizeof(url) - 1] = '\0';
    assert_int_equal(abdm_store_check_url(url, problem).code, ABDM_E_CONFIG);
}


/* --- rows --- */

/* What the table must have of a member: "name type notnull", a line each. */
static void
expect_columns(const abdm_row_kind_t *kind, char *out, size_t cap)
{
    size_t n = 0;

    for (size_t i = 0; i < kind->n; i++) {
        const abdm_member_t *m = &kind->member[i];
        bool hashed = m->kind == ABDM_MEMBER_HASHED;

        n += (size_t) snprintf(out + n, cap - n, "%s%s %s %d\n%s%s", m->name,
                               m->kind == ABDM_MEMBER_KEY_HASH ? "_key" : "",
                               m->kind == ABDM_MEMBER_INT ? "INTEGER"
                               : row_is_sealed(m)         ? "BLOB"
                                                          : "TEXT",
                               row_is_key(m) || m->kind == ABDM_MEMBER_INT,
                               hashed ? m->name : "", hashed ? "_key TEXT 0\n" : "");
        assert_true(n < cap);
    }
}


/* One column of a query, a line each. */
static void
query(const char *sql, int column, char *out, size_t cap)
{
    sqlite3_stmt *stmt = NULL;
    size_t n = 0;

    out[0] = '\0';
    assert_int_equal(sqlite3_prepare_v2(K.raw, sql, -1, &stmt, NULL), SQLITE_OK);
    while (sqlite3_step(stmt) == SQLITE_ROW) {
        n += (size_t) snprintf(out + n, cap - n, "%s\n",
                               (const char *) sqlite3_column_text(stmt, column));
        assert_true(n < cap);
    }
    sqlite3_finalize(stmt);
}


static void
the_tables_have_the_columns_that_the_rows_describe(void **state)
{
    char problem[512], sql[256], want[2048], have[2048];

    (void) state;
    OK_(prepare(problem));
    store_kit_raw(&K);
    for (abdm_row_id_t id = 0; id < ABDM_ROWS; id++) {
        const abdm_row_kind_t *kind = abdm_row_kind(id);
        size_t keys = 0;

        expect_columns(kind, want, sizeof(want));
        snprintf(sql, sizeof(sql),
                 "SELECT name || ' ' || type || ' ' || \"notnull\" FROM pragma_table_info('%s')",
                 kind->table);
        query(sql, 0, have, sizeof(have));
        assert_string_equal(have, want);

        for (size_t i = 0; i < kind->n; i++)
            keys += row_is_key(&kind->member[i]);
        snprintf(sql, sizeof(sql),
                 "SELECT count(*) FROM pragma_table_info('%s') WHERE pk = cid + 1", kind->table);
        assert_int_equal(store_kit_number(&K, sql), keys);
        snprintf(sql, sizeof(sql), "SELECT count(*) FROM pragma_table_info('%s') WHERE pk > 0",
                 kind->table);
        assert_int_equal(store_kit_number(&K, sql), keys);
    }
}


static void
no_search_for_rows_reads_a_whole_table(void **state)
{
    char problem[512], sql[512], plan[1024];
    size_t tried = 0;

    (void) state;
    OK_(prepare(problem));
    store_kit_raw(&K);
    for (abdm_row_id_t id = 0; id < ABDM_ROWS; id++) {
        const abdm_row_kind_t *kind = abdm_row_kind(id);

        for (size_t i = 0; i < kind->n; i++) {
            const abdm_member_t *m = &kind->member[i];

            if (strcmp(m->name, "keep_until") == 0)
                snprintf(sql, sizeof(sql),
                         "EXPLAIN QUERY PLAN SELECT hip_id FROM \"%s\""
                         " WHERE keep_until > 0 AND keep_until < ?", kind->table);
            else if (m->kind == ABDM_MEMBER_FOUND || m->kind == ABDM_MEMBER_HASHED)
                snprintf(sql, sizeof(sql),
                         "EXPLAIN QUERY PLAN SELECT hip_id FROM \"%s\" WHERE hip_id = ?"
                         " AND \"%s%s\" = ?", kind->table, m->name,
                         m->kind == ABDM_MEMBER_HASHED ? "_key" : "");
            else
                continue;
            query(sql, 3, plan, sizeof(plan));
            tried++;
            assert_non_null(strstr(plan, "SEARCH"));
            assert_null(strstr(plan, "SCAN"));
            assert_non_null(strstr(plan, strcmp(m->name, "keep_until") == 0 ? "keep_until<?"
                                                                            : "=? AND "));
        }
    }
    assert_true(tried >= 15);
}


/* --- migration --- */

/* A store as version 2 made it, with consents and jobs in it. */
static void
make_version_2(void)
{
    char problem[512], sql[128];

    OK_(prepare(problem));
    store_kit_raw(&K);
    for (abdm_row_id_t id = 0; id < ABDM_ROWS; id++) {
        snprintf(sql, sizeof(sql), "DROP TABLE \"%s\"", abdm_row_kind(id)->table);
        store_kit_exec(&K, sql);
    }
    store_kit_exec(&K,
                   "DROP TRIGGER audit_is_not_changed; DROP TRIGGER audit_is_not_deleted;"
                   "DROP TABLE audit_head; DROP TABLE consent_key; DROP TABLE secret_key;"
                   "ALTER TABLE audit DROP COLUMN caller; ALTER TABLE audit DROP COLUMN request_id;"
                   "ALTER TABLE audit DROP COLUMN consent_id; ALTER TABLE audit DROP COLUMN hiu_id;"
                   "ALTER TABLE audit DROP COLUMN documents; ALTER TABLE audit DROP COLUMN mac;"
                   "DROP INDEX consent_old; DROP INDEX consent_end; DROP INDEX transfer_consent;"
                   "DROP INDEX transfer_done; ALTER TABLE consent DROP COLUMN content;"
                   "ALTER TABLE page DROP COLUMN own_key; ALTER TABLE transfer DROP COLUMN hiu_id;"
                   "DROP INDEX consent_patient; DROP INDEX consent_plain; DROP INDEX job_due;"
                   "DROP INDEX transfer_confirming;"
                   "ALTER TABLE consent DROP COLUMN patient_key;"
                   "ALTER TABLE consent DROP COLUMN artefact;"
                   "ALTER TABLE consent DROP COLUMN signature;"
                   "ALTER TABLE consent DROP COLUMN signed;"
                   "ALTER TABLE job DROP COLUMN link_token; ALTER TABLE job DROP COLUMN sealed;"
                   "CREATE INDEX job_due ON job (due_at) WHERE owner IS NULL;"
                   "PRAGMA user_version = 2;"
                   "INSERT INTO consent VALUES ('HIP_1', 'C-1', 0, 'HIU_1', 'Asha.K@sbx',"
                   " 'CAREMGT', 10, 20, 30, 5, 7), ('HIP_1', 'C-gone', 1, NULL, NULL, NULL, 0, 0, 0, 0, 7),"
                   " ('HIP_2', 'C-2', 0, 'HIU_1', 'Asha.K@sbx', 'CAREMGT', 10, 20, 30, 5, 7);"
                   "INSERT INTO consent_context VALUES ('HIP_1', 'C-1', 0, 'MR-1', 'V-1');"
                   "INSERT INTO job (kind, event, hip_id, subject, arg, path, body, due_at,"
                   " deadline_at, created_at, attempts, claims) VALUES (1, 'x.done', 'HIP_1', 's',"
                   " 7, '/p', CAST('{\"old\":1}' AS BLOB), 5, 9, 1, 2, 0),"
                   " (0, 'x.later', 'HIP_1', 's', 0, NULL, NULL, 6, 9, 1, 0, 0)");
}


static void
jobs_and_consents_of_version_2_are_read_as_they_were_written(void **state)
{
    char problem[512], **ids;
    abdm_job_t jobs[4];
    abdm_consent_t c;
    size_t n;

    (void) state;
    make_version_2();
    OK_(prepare(problem));
    OK_(abdm_store_open(K.url, K.key, &K.store));
    const abdm_view_t *view = abdm_store_view(K.store);

    OK_(abdm_store_job_claim(K.store, "me", 10, ~0u, 4, jobs, &n));
    assert_int_equal(n, 2);
    assert_string_equal(jobs[0].body, "{\"old\":1}");
    assert_int_equal(jobs[0].body_len, 9);
    assert_int_equal(jobs[0].attempts, 2);
    assert_null(jobs[0].link_token);
    assert_null(jobs[1].body);
    abdm_job_clear(&jobs[0]);
    abdm_job_clear(&jobs[1]);

    OK_(view->consent(view, "HIP_1", "C-1", &c));
    assert_string_equal(c.patient_id, "Asha.K@sbx");
    assert_int_equal(c.n_contexts, 1);
    abdm_consent_clear(&c);
    OK_(view->consents_of(view, "HIP_1", "asha.k@sbx", &ids, &n));
    assert_int_equal(n, 1);
    assert_string_equal(ids[0], "C-1");
    free(ids[0]);
    free(ids);
}


static void
the_sweep_seals_what_version_2_wrote_plain(void **state)
{
    char problem[512], **ids;
    abdm_consent_t c;
    bool more;
    size_t n;

    (void) state;
    make_version_2();
    OK_(prepare(problem));
    OK_(abdm_store_open(K.url, K.key, &K.store));
    const abdm_view_t *view = abdm_store_view(K.store);

    OK_(abdm_store_sweep(K.store, 1, &more));
    assert_false(more);
    assert_int_equal(store_kit_number(&K, "SELECT count(*) FROM consent"
                                          " WHERE typeof(patient_id) = 'text'"), 0);
    assert_int_equal(store_kit_number(&K, "SELECT count(*) FROM consent"
                                          " WHERE patient_key IS NULL"), 1);
    OK_(view->consent(view, "HIP_1", "C-1", &c));
    assert_string_equal(c.patient_id, "Asha.K@sbx");
    assert_int_equal(c.n_contexts, 1);
    abdm_consent_clear(&c);
    OK_(view->consents_of(view, "HIP_2", "asha.k@sbx", &ids, &n));
    assert_int_equal(n, 1);
    assert_string_equal(ids[0], "C-2");
    free(ids[0]);
    free(ids);
}


#define DIR_TEST(f) cmocka_unit_test_setup_teardown(f, make_dir, remove_dir)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DIR_TEST(preparing_again_changes_nothing_and_keeps_what_is_there),
        DIR_TEST(the_store_is_in_wal_mode),
        DIR_TEST(a_store_of_a_newer_version_is_refused_and_not_touched),
        DIR_TEST(a_store_is_of_the_key_it_was_made_with),
        DIR_TEST(a_store_that_was_not_prepared_cannot_be_opened),
        DIR_TEST(a_file_that_is_no_database_is_refused_with_its_name),
        DIR_TEST(a_store_is_closed_to_others_from_its_first_moment),
        DIR_TEST(a_store_given_to_its_owner_is_closed_to_others),
        DIR_TEST(the_tables_have_the_columns_that_the_rows_describe),
        DIR_TEST(no_search_for_rows_reads_a_whole_table),
        DIR_TEST(jobs_and_consents_of_version_2_are_read_as_they_were_written),
        DIR_TEST(the_sweep_seals_what_version_2_wrote_plain),
        DIR_TEST(the_address_of_a_store_must_be_an_absolute_path_in_a_directory_that_is_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
