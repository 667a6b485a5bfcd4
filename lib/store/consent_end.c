/*
 * The end of a consent. What ABDM told of a patient under it, and what was fetched for it, is
 * sealed under a key that belongs to this consent alone, itself sealed under the key file.
 * Whoever destroys that row has erased all of it, wherever copies of the pages may still lie in the
 * file. Id, status and times stay, so that a late or repeated notice does not bring it back.
 */
#include <stdlib.h>

#include "store/db.h"

enum { EXPIRE_MOST = 100, TRANSFERS_MOST = 100 /* as the statement has it */ };


/* --- keys --- */

static void
identity(abdm_buf_t *aad, const char *hip_id, const char *id)
{
    abdm_db_tie(aad, "consent.key");
    abdm_db_tie(aad, hip_id);
    abdm_db_tie(aad, id);
}


static abdm_err_t
make_key(abdm_store_t *store, const char *hip_id, const char *id, const abdm_buf_t *aad,
         abdm_seal_key_t **key)
{
    abdm_buf_t wrapped = {0};
    sqlite3_stmt *stmt = NULL;
    abdm_err_t err;

    ABDM_TRY(abdm_seal_key_random(key));
    err = abdm_seal_key_wrap(store->key, abdm_buf_str(aad), *key, &wrapped);
    if (!abdm_failed(err)) {
        stmt = abdm_db_keyed(store, SQL_KEY_PUT, hip_id, id, &err);
    }
    if (stmt != NULL) {
        abdm_db_blob(stmt, 3, wrapped.p, wrapped.len);
        err = abdm_db_run(stmt);
    }
    abdm_buf_free(&wrapped);
    if (abdm_failed(err)) {
        abdm_seal_key_free(*key);
        *key = NULL;
    }
    return err;
}


abdm_err_t
abdm_consent_key(abdm_store_t *store, const char *hip_id, const char *id, bool make,
                 abdm_seal_key_t **key)
{
    abdm_err_t err;
    sqlite3_stmt *stmt = abdm_db_keyed(store, SQL_KEY_GET, hip_id, id, &err);
    bool row, absent, ended;
    abdm_buf_t aad = {0};

    *key = NULL;
    if (stmt == NULL) {
        return err;
    }
    if (store->key == NULL) {
        return ABDM_ERR(SEAL, "the store was opened without its secret key");
    }
    ABDM_TRY(abdm_db_row(stmt, &row));
    absent = sqlite3_column_type(stmt, 0) == SQLITE_NULL;
    ended = sqlite3_column_int(stmt, 1) != 0;
    identity(&aad, hip_id, id);
    if (aad.failed) {
        err = ABDM_ERR(MEMORY, "consent");
    } else if (!absent) {
        abdm_str_t wrapped = {sqlite3_column_blob(stmt, 0), (size_t) sqlite3_column_bytes(stmt, 0)};

        err = abdm_seal_key_unwrap(store->key, abdm_buf_str(&aad), wrapped, key);
    }
    abdm_db_end(stmt);
    if (!abdm_failed(err) && absent && make && !ended) {
        err = make_key(store, hip_id, id, &aad, key);
    }
    abdm_buf_free(&aad);
    return err;
}


abdm_err_t
abdm_transfer_key(abdm_store_t *store, const char *hip_id, const char *transfer,
                  abdm_seal_key_t **key)
{
    abdm_err_t err;
    sqlite3_stmt *stmt = abdm_db_keyed(store, SQL_TRANSFER_CONSENT, hip_id, transfer, &err);
    char *consent = NULL;
    bool row;

    *key = NULL;
    if (stmt == NULL) {
        return err;
    }
    ABDM_TRY(abdm_db_row(stmt, &row));
    if (row) {
        consent = abdm_db_copy(stmt, 0, &err);
    }
    abdm_db_end(stmt);
    if (consent != NULL) {
        err = abdm_consent_key(store, hip_id, consent, true, key);
    }
    free(consent);
    return err;
}


/* --- the end --- */

static abdm_err_t
run(abdm_store_t *store, abdm_sql_t sql, const char *hip_id, const char *id)
{
    abdm_err_t err;
    sqlite3_stmt *stmt = abdm_db_keyed(store, sql, hip_id, id, &err);

    return stmt == NULL ? err : abdm_db_run(stmt);
}


static abdm_err_t
is_held(abdm_store_t *store, const char *hip_id, const char *id, bool *held)
{
    abdm_err_t err;
    sqlite3_stmt *stmt = abdm_db_keyed(store, SQL_CONSENT_HELD, hip_id, id, &err);
    int64_t n = 0;

    err = stmt == NULL ? err : abdm_db_number(stmt, &n);
    *held = n != 0;
    return err;
}


static abdm_err_t
put_tombstone(abdm_store_t *store, const char *hip_id, const char *id,
              abdm_consent_status_t status, abdm_ms_t now)
{
    abdm_err_t err;
    sqlite3_stmt *stmt = abdm_db_keyed(store, SQL_CONSENT_END, hip_id, id, &err);

    if (stmt == NULL) {
        return err;
    }
    abdm_db_int(stmt, 3, (int) status);
    abdm_db_int(stmt, 4, now);
    return abdm_db_run(stmt);
}


abdm_err_t
abdm_consent_forget(abdm_store_t *store, const char *hip_id, const char *id)
{
    ABDM_TRY(run(store, SQL_CONTEXTS_FORGET, hip_id, id));
    store->erased = true;
    return run(store, SQL_TRANSFERS_FORGET, hip_id, id);
}


abdm_err_t
abdm_consent_end(abdm_store_t *store, const char *hip_id, const char *id,
                 abdm_consent_status_t status, const char *why, abdm_ms_t now)
{
    bool held;

    ABDM_TRY(abdm_audit_ready(store, now));
    ABDM_TRY(is_held(store, hip_id, id, &held));
    ABDM_TRY(put_tombstone(store, hip_id, id, status, now));
    if (!held) {
        return ABDM_NO_ERR;
    }
    ABDM_TRY(run(store, SQL_KEY_DESTROY, hip_id, id));
    ABDM_TRY(run(store, SQL_CONSENT_CONTEXTS_CLEAR, hip_id, id));
    ABDM_TRY(run(store, SQL_PAGES_FORGET, hip_id, id));
    ABDM_TRY(abdm_consent_forget(store, hip_id, id));
    return abdm_audit_note(store, now, hip_id, id, "consent content erased", ABDM_OK, why);
}


/* --- time --- */

/* The next consent past its dataEraseAt, both owned by the caller; *id NULL: there is none. */
static abdm_err_t
next_due(abdm_store_t *store, abdm_ms_t now, char **hip_id, char **id)
{
    abdm_err_t err;
    sqlite3_stmt *stmt = abdm_db_use(store, SQL_CONSENT_DUE, &err);
    bool row;

    *hip_id = *id = NULL;
    if (stmt == NULL) {
        return err;
    }
    abdm_db_int(stmt, 1, now);
    ABDM_TRY(abdm_db_row(stmt, &row));
    if (row) {
        *hip_id = abdm_db_copy(stmt, 0, &err);
        *id = abdm_db_copy(stmt, 1, &err);
    }
    abdm_db_end(stmt);
    return err;
}


abdm_err_t
abdm_store_expire(abdm_store_t *store, abdm_ms_t now, abdm_ms_t keep, bool *more)
{
    bool due = true;
    int n = 0;

    *more = false;
    for (; due && n < EXPIRE_MOST; n += due) {
        char *hip_id, *id;
        abdm_err_t err = next_due(store, now, &hip_id, &id);

        due = id != NULL;
        if (due && !abdm_failed(err)) {
            err = abdm_consent_end(store, hip_id, id, ABDM_CONSENT_EXPIRED, "dataEraseAt", now);
        }
        free(hip_id);
        free(id);
        ABDM_TRY(err);
    }
    *more = n == EXPIRE_MOST;
    if (keep > 0) {
        ABDM_TRY(abdm_db_run_id(store, SQL_TRANSFER_SWEEP, now - keep, 0));
        *more |= sqlite3_changes(store->db) == TRANSFERS_MOST;
    }
    return ABDM_NO_ERR;
}
