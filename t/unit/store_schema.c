/* Making the store: once, in WAL mode, for its owner; a newer one is left alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sys/stat.h>

#include "store_kit.h"

static store_kit_t K;


static int
make_dir(void **state)
{
    (void) state;
    store_kit_dir(&K);
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
    return abdm_store_prepare(K.url, (uid_t) -1, (gid_t) -1, problem);
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
    OK_(abdm_store_prepare(K.url, getuid(), getgid(), problem));
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


#define DIR_TEST(f) cmocka_unit_test_setup_teardown(f, make_dir, remove_dir)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DIR_TEST(preparing_again_changes_nothing_and_keeps_what_is_there),
        DIR_TEST(the_store_is_in_wal_mode),
        DIR_TEST(a_store_of_a_newer_version_is_refused_and_not_touched),
        DIR_TEST(a_store_that_was_not_prepared_cannot_be_opened),
        DIR_TEST(a_file_that_is_no_database_is_refused_with_its_name),
        DIR_TEST(a_store_is_closed_to_others_from_its_first_moment),
        DIR_TEST(a_store_given_to_its_owner_is_closed_to_others),
        DIR_TEST(the_address_of_a_store_must_be_an_absolute_path_in_a_directory_that_is_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
