/*
 * A real store in a directory of its own, with a key that nobody else has, and a second, raw
 * connection to look at rows or to hold the lock. To be included after cmocka.h.
 */
#ifndef ABDM_TEST_STORE_KIT_H
#define ABDM_TEST_STORE_KIT_H

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crypto/seal.h"
#include "store/store.h"

typedef struct {
    char dir[64], url[96];
    const char *path; /* within url */
    abdm_seal_key_t *key;
    abdm_store_t *store;
    sqlite3 *raw;
} store_kit_t;

#define OK_(expr) assert_int_equal((expr).code, ABDM_OK)


/* Leaves the database unmade. */
static inline void
store_kit_dir(store_kit_t *k)
{
    memset(k, 0, sizeof(*k));
    strcpy(k->dir, "/tmp/abdm_store_XXXXXX");
    assert_non_null(mkdtemp(k->dir));
    snprintf(k->url, sizeof(k->url), "sqlite:%s/abdm.db", k->dir);
    k->path = k->url + strlen("sqlite:");
}


static inline void
store_kit_raw(store_kit_t *k)
{
    assert_int_equal(sqlite3_open(k->path, &k->raw), SQLITE_OK);
    sqlite3_busy_timeout(k->raw, 5000);
}


static inline int
store_kit_open(store_kit_t *k)
{
    char problem[512] = "";

    store_kit_dir(k);
    OK_(abdm_seal_key_random(&k->key));
    OK_(abdm_store_prepare(k->url, k->key, (uid_t) -1, (gid_t) -1, problem));
    OK_(abdm_store_open(k->url, k->key, &k->store));
    store_kit_raw(k);
    return 0;
}


static inline void
store_kit_close(store_kit_t *k)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", "-journal"};
    char file[128];

    sqlite3_close(k->raw);
    abdm_store_close(k->store);
    abdm_seal_key_free(k->key);
    for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
        snprintf(file, sizeof(file), "%s%s", k->path, suffixes[i]);
        (void) unlink(file);
    }
    (void) rmdir(k->dir);
}


static inline void
store_kit_exec(store_kit_t *k, const char *sql)
{
    char *why = NULL;

    if (sqlite3_exec(k->raw, sql, NULL, NULL, &why) != SQLITE_OK)
        fail_msg("%s: %s", sql, why);
}


/* What somebody does who wants the store to be taken for one of another key. */
static inline void
store_kit_claim(store_kit_t *k, const abdm_seal_key_t *key)
{
    char problem[512] = "";

    store_kit_exec(k, "DELETE FROM secret_key");
    OK_(abdm_store_prepare(k->url, key, (uid_t) -1, (gid_t) -1, problem));
}


/* The one number that a query gives; -1 for NULL and without a row. */
static inline int64_t
store_kit_number(store_kit_t *k, const char *sql)
{
    sqlite3_stmt *stmt = NULL;
    int64_t n = -1;

    assert_int_equal(sqlite3_prepare_v2(k->raw, sql, -1, &stmt, NULL), SQLITE_OK);
    if (sqlite3_step(stmt) == SQLITE_ROW && sqlite3_column_type(stmt, 0) != SQLITE_NULL)
        n = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    return n;
}

#endif
