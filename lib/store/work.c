/*
 * The inbox, who has claimed what in it and among the jobs, and what is swept away. A claim is
 * counted, so that work which ends its workers again and again is put aside.
 */
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/db.h"

enum {
    KEEP_CALLBACKS = 48 * 60 * 60 * 1000, /* redeliveries come within a day */
    CLOCK_SLACK = 5000, /* between processes, and what a clock's daemon does at once */
    PAUSE_MOST = 10 * 60 * 1000, /* more than any between two attempts */
    SWEEP_MOST = 1000, /* as the statements have it */
    SEAL_MOST = 100
};

static const abdm_ms_t KEEP_SENT = 7LL * 24 * 60 * 60 * 1000;


static abdm_err_t
digest(const abdm_str_t *parts, size_t n, uint8_t out[32])
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = ctx != NULL && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1;

    for (size_t i = 0; ok && i < n; i++) {
        ok = EVP_DigestUpdate(ctx, parts[i].p, parts[i].len) == 1
             && EVP_DigestUpdate(ctx, "", 1) == 1; /* a NUL between the parts */
    }
    ok = ok && EVP_DigestFinal_ex(ctx, out, NULL) == 1;
    EVP_MD_CTX_free(ctx);
    return ok ? ABDM_NO_ERR : ABDM_ERR(CRYPTO, "SHA-256");
}


/* --- owners --- */

abdm_err_t
abdm_store_heartbeat(abdm_store_t *store, const char *owner, abdm_ms_t until)
{
    abdm_err_t err;
    sqlite3_stmt *stmt = abdm_db_use(store, SQL_OWNER_PUT, &err);

    if (stmt == NULL) {
        return err;
    }
    abdm_db_text(stmt, 1, owner);
    abdm_db_int(stmt, 2, until);
    return abdm_db_run(stmt);
}


/* `uncount`: claims to take back, 1 when the owner gives back in order; the claims of one that
 * is gone stay counted, since the work may have ended it. */
static abdm_err_t
release(abdm_store_t *store, const char *owner, int uncount)
{
    static const abdm_sql_t steps[] = {SQL_INBOX_RELEASE, SQL_JOB_RELEASE, SQL_OWNER_DELETE};

    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        abdm_err_t err;
        sqlite3_stmt *stmt = abdm_db_use(store, steps[i], &err);

        if (stmt == NULL) {
            return err;
        }
        abdm_db_text(stmt, 1, owner);
        if (steps[i] != SQL_OWNER_DELETE) {
            abdm_db_int(stmt, 2, uncount);
        }
        ABDM_TRY(abdm_db_run(stmt));
    }
    return ABDM_NO_ERR;
}


abdm_err_t
abdm_store_release(abdm_store_t *store, const char *owner)
{
    return release(store, owner, 1);
}


abdm_err_t
abdm_store_release_gone(abdm_store_t *store, abdm_ms_t now,
                        abdm_fate_t (*fate)(const char *owner))
{
    enum { MOST = 64 };
    char *dead[MOST];
    size_t n = 0;
    abdm_err_t err;
    sqlite3_stmt *stmt = abdm_db_use(store, SQL_OWNER_LIST, &err);
    bool row = stmt != NULL;

    while (row && !abdm_failed(err)) {
        err = abdm_db_row(stmt, &row);
        if (row && !abdm_failed(err) && n < MOST) {
            const char *id = (const char *) sqlite3_column_text(stmt, 0);

            abdm_fate_t is = id != NULL ? fate(id) : ABDM_FATE_ALIVE;

            if (is == ABDM_FATE_GONE
                || (is == ABDM_FATE_UNKNOWN && sqlite3_column_int64(stmt, 1) < now)) {
                dead[n] = abdm_db_copy(stmt, 0, &err);
                n += dead[n] != NULL;
            }
        }
    }
    if (stmt != NULL) {
        abdm_db_end(stmt);
    }
    for (size_t i = 0; i < n; i++) {
        if (!abdm_failed(err)) {
            err = release(store, dead[i], 0);
        }
        free(dead[i]);
    }
    return err;
}


/* --- inbox --- */

void
abdm_callback_clear(abdm_callback_t *callback)
{
    free(callback->path);
    free(callback->event);
    free(callback->hip_id);
    free(callback->request_id);
    free(callback->body);
    memset(callback, 0, sizeof(*callback));
}


static abdm_err_t
same_body(abdm_store_t *store, const uint8_t key[32], const uint8_t hash[32], bool *same)
{
    abdm_err_t err;
    sqlite3_stmt *stmt = abdm_db_use(store, SQL_INBOX_HASH, &err);
    bool row;

    if (stmt == NULL) {
        return err;
    }
    abdm_db_blob(stmt, 1, key, 32);
    ABDM_TRY(abdm_db_row(stmt, &row));
    *same = row && sqlite3_column_bytes(stmt, 0) == 32
            && memcmp(sqlite3_column_blob(stmt, 0), hash, 32) == 0;
    abdm_db_end(stmt);
    return ABDM_NO_ERR;
}


/* What a sealed body is tied to. */
static void
body_identity(abdm_buf_t *aad, const abdm_callback_t *cb)
{
    abdm_buf_addf(aad, "inbox/%s/%s/%s", cb->path, cb->hip_id, cb->request_id);
}


static abdm_err_t
seal_body(const abdm_store_t *store, const abdm_callback_t *cb, abdm_buf_t *sealed)
{
    abdm_str_t body = {cb->body, cb->body_len};
    abdm_buf_t aad = {0};
    abdm_err_t err;

    body_identity(&aad, cb);
    err = abdm_db_seal(store, &aad, body, sealed);
    abdm_buf_free(&aad);
    return err;
}


/* Puts the body into a callback whose other members are there. */
static abdm_err_t
open_body(const abdm_store_t *store, sqlite3_stmt *stmt, int column, abdm_callback_t *cb)
{
    abdm_buf_t aad = {0};
    abdm_err_t err;

    body_identity(&aad, cb);
    err = abdm_db_unseal(store, &aad, stmt, column, &cb->body, &cb->body_len);
    abdm_buf_free(&aad);
    return err;
}


static abdm_err_t
insert_callback(abdm_store_t *store, const abdm_callback_t *cb, const uint8_t key[32],
                const uint8_t hash[32], abdm_str_t sealed, const char *owner)
{
    abdm_err_t err;
    sqlite3_stmt *stmt = abdm_db_use(store, SQL_INBOX_ADD, &err);

    if (stmt == NULL) {
        return err;
    }
    abdm_db_blob(stmt, 1, key, 32);
    abdm_db_blob(stmt, 2, hash, 32);
    abdm_db_text(stmt, 3, cb->path);
    abdm_db_text(stmt, 4, cb->event);
    abdm_db_text(stmt, 5, cb->hip_id);
    abdm_db_text(stmt, 6, cb->request_id);
    abdm_db_blob(stmt, 7, sealed.p, sealed.len);
    abdm_db_int(stmt, 8, cb->received_at);
    if (cb->event == NULL) {
        abdm_db_int(stmt, 9, cb->received_at); /* nothing to do: kept for the operator */
    } else {
        abdm_db_text(stmt, 10, owner);
    }
    return abdm_db_run(stmt);
}


abdm_err_t
abdm_store_inbox_add(abdm_store_t *store, const abdm_callback_t *cb, const char *owner,
                     int64_t *id)
{
    const abdm_str_t identity[] = {abdm_str(cb->path), abdm_str(cb->hip_id),
                                   abdm_str(cb->request_id)};
    const abdm_str_t body[] = {{cb->body, cb->body_len}};
    uint8_t key[32], hash[32];
    abdm_buf_t sealed = {0};
    bool same = false;
    abdm_err_t err;

    *id = 0;
    ABDM_TRY(digest(identity, 3, key));
    ABDM_TRY(digest(body, 1, hash));
    err = seal_body(store, cb, &sealed);
    if (!abdm_failed(err)) {
        err = insert_callback(store, cb, key, hash, abdm_buf_str(&sealed), owner);
    }
    abdm_buf_free(&sealed);
    ABDM_TRY(err);

    if (sqlite3_changes(store->db) == 1) {
        *id = sqlite3_last_insert_rowid(store->db);
        return ABDM_NO_ERR;
    }
    ABDM_TRY(same_body(store, key, hash, &same));
    return same ? ABDM_NO_ERR
                : ABDM_ERR(REQUEST_REUSED, "REQUEST-ID: it came before with another body");
}


abdm_err_t
abdm_store_inbox_done(abdm_store_t *store, int64_t id)
{
    return abdm_db_run_id(store, SQL_INBOX_DONE, id, abdm_time_now());
}


abdm_err_t
abdm_store_inbox_give_back(abdm_store_t *store, int64_t id, abdm_ms_t due_at)
{
    return abdm_db_run_id(store, SQL_INBOX_GIVE_BACK, id, due_at);
}


abdm_err_t
abdm_store_inbox_claim(abdm_store_t *store, const char *owner, abdm_ms_t now, size_t max,
                       abdm_callback_t *out, size_t *n, size_t *poisoned)
{
    abdm_err_t err;
    sqlite3_stmt *stmt = abdm_db_use(store, SQL_INBOX_ORPHANS, &err);
    int claims[256];
    size_t read = 0, kept = 0;
    bool row = stmt != NULL;

    *n = *poisoned = 0;
    if (max > sizeof(claims) / sizeof(claims[0])) {
        max = sizeof(claims) / sizeof(claims[0]);
    }
    if (stmt != NULL) {
        abdm_db_int(stmt, 1, (int64_t) max);
        abdm_db_int(stmt, 2, now);
    }
    while (row && read < max && !abdm_failed(err)) {
        err = abdm_db_row(stmt, &row);
        if (row && !abdm_failed(err)) {
            abdm_callback_t *cb = &out[read];

            memset(cb, 0, sizeof(*cb));
            cb->id = sqlite3_column_int64(stmt, 0);
            cb->path = abdm_db_copy(stmt, 1, &err);
            cb->event = abdm_db_copy(stmt, 2, &err);
            cb->hip_id = abdm_db_copy(stmt, 3, &err);
            cb->request_id = abdm_db_copy(stmt, 4, &err);
            cb->received_at = sqlite3_column_int64(stmt, 6);
            if (!abdm_failed(err)) {
                err = open_body(store, stmt, 5, cb);
                cb->spoiled = abdm_db_spoiled(store, &err);
            }
            claims[read++] = sqlite3_column_int(stmt, 7);
        }
    }
    if (stmt != NULL) {
        abdm_db_end(stmt);
    }
    for (size_t i = 0; i < read; i++) {
        if (!abdm_failed(err) && claims[i] >= ABDM_CLAIMS_MAX) {
            err = abdm_db_run_id(store, SQL_INBOX_POISON, out[i].id, abdm_time_now());
            abdm_callback_clear(&out[i]);
            (*poisoned)++;
        } else if (!abdm_failed(err)) {
            err = abdm_db_run_id_text(store, SQL_INBOX_CLAIM, out[i].id, owner);
            out[kept++] = out[i];
        } else {
            abdm_callback_clear(&out[i]);
        }
    }
    while (abdm_failed(err) && kept > 0) {
        abdm_callback_clear(&out[--kept]);
    }
    *n = kept;
    return err;
}


/* --- a clock that was set back --- */

abdm_err_t
abdm_store_clock(abdm_store_t *store, abdm_ms_t now, int *moved)
{
    *moved = 0;
    ABDM_TRY(abdm_db_run_id(store, SQL_JOB_CLOCK, now, now + CLOCK_SLACK));
    *moved += sqlite3_changes(store->db);
    ABDM_TRY(abdm_db_run_id(store, SQL_JOB_CLOCK_AGAIN, now, now + PAUSE_MOST));
    *moved += sqlite3_changes(store->db);
    ABDM_TRY(abdm_db_run_id(store, SQL_INBOX_CLOCK, now, now + CLOCK_SLACK));
    *moved += sqlite3_changes(store->db);
    return ABDM_NO_ERR;
}


/* --- sweeping --- */

abdm_err_t
abdm_store_sweep(abdm_store_t *store, abdm_ms_t now, bool *more)
{
    int done;

    *more = false;
    ABDM_TRY(abdm_db_run_id(store, SQL_INBOX_SWEEP, now - KEEP_CALLBACKS, 0));
    *more |= sqlite3_changes(store->db) == SWEEP_MOST;
    ABDM_TRY(abdm_db_run_id(store, SQL_SENT_SWEEP, now - KEEP_SENT, 0));
    *more |= sqlite3_changes(store->db) == SWEEP_MOST;
    ABDM_TRY(abdm_rows_sweep(store, now, SWEEP_MOST, &done));
    *more |= done == SWEEP_MOST;
    if (store->key != NULL) {
        ABDM_TRY(abdm_consent_seal_old(store, SEAL_MOST, &done));
        *more |= done == SEAL_MOST;
    }
    return ABDM_NO_ERR;
}
