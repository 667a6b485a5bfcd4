/*
 * The gateway's key set as last fetched, shared by all processes on the store: one of them
 * fetches, within a throttle that all obey, and every one reads.
 */
#include <string.h>

#include "store/db.h"


abdm_err_t
abdm_store_keys_get(abdm_store_t *store, const char *url, abdm_stored_keys_t *out)
{
    abdm_err_t err;
    sqlite3_stmt *stmt = abdm_db_use(store, SQL_KEYS_GET, &err);
    bool row;

    memset(out, 0, sizeof(*out));
    if (stmt == NULL) {
        return err;
    }
    abdm_db_text(stmt, 1, url);
    ABDM_TRY(abdm_db_row(stmt, &row));
    if (row) {
        out->json = abdm_db_copy(stmt, 0, &err);
        out->fetched_at = sqlite3_column_int64(stmt, 1);
        out->tried_at = sqlite3_column_int64(stmt, 2);
        out->failed = sqlite3_column_int(stmt, 3) != 0;
    }
    abdm_db_end(stmt);
    return err;
}


abdm_err_t
abdm_store_keys_try(abdm_store_t *store, const char *url, abdm_ms_t now, abdm_ms_t before,
                    bool *mine)
{
    abdm_err_t err;
    sqlite3_stmt *stmt = abdm_db_use(store, SQL_KEYS_TRY, &err);

    *mine = false;
    if (stmt == NULL) {
        return err;
    }
    abdm_db_text(stmt, 1, url);
    abdm_db_int(stmt, 2, now);
    abdm_db_int(stmt, 3, before);
    ABDM_TRY(abdm_db_run(stmt));
    *mine = sqlite3_changes(store->db) == 1;
    return ABDM_NO_ERR;
}


/* forced_at is the time at which all attempts so far would be paid for at one per `every`. */
abdm_err_t
abdm_store_keys_force(abdm_store_t *store, const char *url, abdm_ms_t now, abdm_ms_t every,
                      int burst, bool *mine)
{
    abdm_err_t err;
    sqlite3_stmt *stmt = abdm_db_use(store, SQL_KEYS_FORCE, &err);

    *mine = false;
    if (stmt == NULL) {
        return err;
    }
    abdm_db_text(stmt, 1, url);
    abdm_db_int(stmt, 2, now);
    abdm_db_int(stmt, 3, (burst - 1) * every);
    abdm_db_int(stmt, 4, every);
    ABDM_TRY(abdm_db_run(stmt));
    *mine = sqlite3_changes(store->db) == 1;
    return ABDM_NO_ERR;
}


abdm_err_t
abdm_store_keys_put(abdm_store_t *store, const char *url, const char *json, abdm_ms_t now)
{
    abdm_err_t err;
    sqlite3_stmt *stmt = abdm_db_use(store, json != NULL ? SQL_KEYS_PUT : SQL_KEYS_FAIL, &err);

    if (stmt == NULL) {
        return err;
    }
    abdm_db_text(stmt, 1, url);
    if (json != NULL) {
        abdm_db_text(stmt, 2, json);
        abdm_db_int(stmt, 3, now);
    }
    return abdm_db_run(stmt);
}
