/*
 * Sealed columns: what is told of patients, OTPs and tokens. A value is tied to its row by the
 * additional data of AES-GCM, so that it does not open in another one. The store knows its key file
 * again: under another one all that is sealed would count as lost.
 */
#include <stdlib.h>
#include <string.h>

#include "store/db.h"


void
abdm_db_tie(abdm_buf_t *aad, const char *text)
{
    abdm_buf_add(aad, text, strlen(text) + 1);
}


void
abdm_db_wipe(char *text)
{
    if (text != NULL) {
        abdm_wipe(text, strlen(text));
        free(text);
    }
}


/* --- the key of a store --- */

/* Runs `sql`, whose parameter is what tells the key without giving it away. */
static abdm_err_t
run_mark(sqlite3 *db, const abdm_seal_key_t *key, const char *sql, bool *row)
{
    sqlite3_stmt *stmt = NULL;
    char mark[65];
    abdm_err_t err;
    int rc;

    ABDM_TRY(abdm_seal_hash(key, "store", "", abdm_str(""), mark));
    rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);
    if (rc != SQLITE_OK) {
        return abdm_db_err(rc);
    }
    abdm_db_text(stmt, 1, mark);
    err = abdm_db_row(stmt, row);
    sqlite3_finalize(stmt);
    return err;
}


abdm_err_t
abdm_secret_check(sqlite3 *db, const abdm_seal_key_t *key)
{
    bool same = false;

    ABDM_TRY(run_mark(db, key, "SELECT 1 FROM secret_key WHERE mark = ?", &same));
    return same ? ABDM_NO_ERR
                : ABDM_ERR(SECRET_KEY, "abdm_secret_key is not the file this store was made with");
}


abdm_err_t
abdm_secret_bind(sqlite3 *db, const abdm_seal_key_t *key)
{
    bool row = false;

    ABDM_TRY(run_mark(db, key, "INSERT OR IGNORE INTO secret_key VALUES (1, ?)", &row));
    return abdm_secret_check(db, key);
}


/* --- sealed columns --- */

static abdm_err_t
usable(const abdm_store_t *store, const abdm_buf_t *aad)
{
    if (store == NULL || store->key == NULL) {
        return ABDM_ERR(SEAL, "the store was opened without its secret key");
    }
    return aad != NULL && aad->failed ? ABDM_ERR(MEMORY, "row") : ABDM_NO_ERR;
}


abdm_err_t
abdm_db_seal(const abdm_store_t *store, const abdm_buf_t *aad, abdm_str_t plain,
             abdm_buf_t *sealed)
{
    ABDM_TRY(usable(store, aad));
    return abdm_sealer_seal(store->sealer, abdm_buf_str(aad), plain, sealed);
}


/* `key` NULL: under the store's own. */
static abdm_err_t
unseal(const abdm_store_t *store, const abdm_seal_key_t *key, const abdm_buf_t *aad,
       sqlite3_stmt *stmt, int column, char **plain, size_t *len)
{
    abdm_str_t sealed = {sqlite3_column_blob(stmt, column),
                         (size_t) sqlite3_column_bytes(stmt, column)};
    abdm_buf_t text = {0};
    abdm_err_t err;

    *plain = NULL;
    if (len != NULL) {
        *len = 0;
    }
    if (sealed.p == NULL) {
        return ABDM_NO_ERR;
    }
    if (aad->failed) {
        return ABDM_ERR(MEMORY, "row");
    }
    if (key == NULL) {
        ABDM_TRY(usable(store, aad));
        err = abdm_sealer_unseal(store->sealer, abdm_buf_str(aad), sealed, &text);
    } else {
        err = abdm_unseal(key, abdm_buf_str(aad), sealed, &text);
    }
    if (abdm_failed(err)) {
        abdm_buf_wipe_free(&text);
        return err;
    }
    if (len != NULL) {
        *len = text.len;
    }
    *plain = abdm_buf_take(&text);
    return *plain == NULL ? ABDM_ERR(MEMORY, "row") : ABDM_NO_ERR;
}


abdm_err_t
abdm_db_unseal(const abdm_store_t *store, const abdm_buf_t *aad, sqlite3_stmt *stmt, int column,
               char **plain, size_t *len)
{
    return unseal(store, NULL, aad, stmt, column, plain, len);
}


abdm_err_t
abdm_db_unseal_with(const abdm_seal_key_t *key, const abdm_buf_t *aad, sqlite3_stmt *stmt,
                    int column, char **plain, size_t *len)
{
    return unseal(NULL, key, aad, stmt, column, plain, len);
}


bool
abdm_db_spoiled(const abdm_store_t *store, abdm_err_t *err)
{
    if (err->code != ABDM_E_SEAL || store->key == NULL) {
        return false;
    }
    *err = ABDM_NO_ERR;
    return true;
}


abdm_err_t
abdm_db_hash(const abdm_store_t *store, const char *what, const char *hip_id, const char *value,
             char out[65])
{
    ABDM_TRY(usable(store, NULL));
    return abdm_seal_hash(store->key, what, hip_id, abdm_str(value), out);
}
