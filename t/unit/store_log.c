/*
 * SQLite's log of writes: it stays small while two workers write by turns without a rest, and
 * nobody waits for a reader on its account.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sys/stat.h>

#include "core/time.h"
#include "store_kit.h"

enum { COMMITS = 1500, BATCH = 8, BODY = 6000, MB = 1024 * 1024 };

static store_kit_t K;


static int
set_up(void **state)
{
    (void) state;
    return store_kit_open(&K);
}


static int
tear_down(void **state)
{
    (void) state;
    store_kit_close(&K);
    return 0;
}


static int64_t
log_size(void)
{
    char file[128];
    struct stat st;

    snprintf(file, sizeof(file), "%s-wal", K.path);
    return stat(file, &st) == 0 ? (int64_t) st.st_size : 0;
}


static bool
add_some(abdm_store_t *store, int who, int first)
{
    static char body[BODY];
    char id[40];
    abdm_callback_t callback = {.path = "/x", .hip_id = "H_1", .request_id = id, .body = body,
                                .body_len = BODY, .received_at = 1};
    int64_t row;

    if (abdm_failed(abdm_store_begin(store))) {
        return false;
    }
    for (int i = 0; i < BATCH; i++) {
        snprintf(id, sizeof(id), "%d-%d-%d", who, first, i);
        if (abdm_failed(abdm_store_inbox_add(store, &callback, "me", &row))) {
            abdm_store_rollback(store);
            return false;
        }
    }
    return !abdm_failed(abdm_store_commit(store));
}


/* The log's greatest size that one of them saw; -1 when it could not write. */
static void *
write_on(void *arg)
{
    int64_t most = 0, *out = arg;
    abdm_store_t *store;

    if (abdm_failed(abdm_store_open(K.url, K.key, &store))) {
        *out = -1;
        return NULL;
    }
    for (int i = 0; i < COMMITS && most >= 0; i++) {
        int64_t size = log_size();

        most = size > most ? size : most;
        if (!add_some(store, (int) *out, i)) {
            most = -1;
        }
    }
    abdm_store_close(store);
    *out = most;
    return NULL;
}


static void
two_who_write_without_a_rest_do_not_let_the_log_grow(void **state)
{
    int64_t most[2] = {1, 2};
    pthread_t thread[2];

    (void) state;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&thread[i], NULL, write_on, &most[i]), 0);
    }
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_join(thread[i], NULL), 0);
    }
    for (int i = 0; i < 2; i++) {
        assert_true(most[i] > 0);
        assert_true(most[i] < 24 * MB);
    }
    assert_int_equal(store_kit_number(&K, "SELECT count(*) FROM inbox"), 2 * COMMITS * BATCH);
}


static void
a_reader_holds_nobody_up(void **state)
{
    abdm_ms_t start = abdm_time_monotonic();

    (void) state;
    store_kit_exec(&K, "BEGIN; SELECT count(*) FROM inbox");
    for (int i = 0; log_size() < 24 * MB; i++) {
        assert_true(add_some(K.store, 3, i));
    }
    store_kit_exec(&K, "COMMIT");
    assert_true(abdm_time_monotonic() - start < 60 * 1000); /* if each commit waited: ten minutes */
    for (int i = 0; i < 3; i++) {
        assert_true(add_some(K.store, 4, i));
    }
    assert_int_equal(store_kit_number(&K, "PRAGMA wal_checkpoint(PASSIVE)"), 0);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(two_who_write_without_a_rest_do_not_let_the_log_grow, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_reader_holds_nobody_up, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
