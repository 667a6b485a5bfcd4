/*
 * The tables, as a list of migrations: step n brings version n to n + 1. A step once released is
 * never changed. Times are milliseconds in UTC.
 */
#include "store/db.h"

static const char *const steps[] = {
    /* version 1 */
    "CREATE TABLE owner (id TEXT PRIMARY KEY, lease_until INTEGER NOT NULL) WITHOUT ROWID;"

    /* A callback as it came, its body sealed. request_key: SHA-256 of canonical path, facility and REQUEST-ID;
     * body_hash tells a redelivery from another callback under the same id. */
    "CREATE TABLE inbox ("
    " id INTEGER PRIMARY KEY, request_key BLOB NOT NULL UNIQUE, body_hash BLOB NOT NULL,"
    " path TEXT NOT NULL, event TEXT, hip_id TEXT NOT NULL, request_id TEXT NOT NULL,"
    " body BLOB, received_at INTEGER NOT NULL, due_at INTEGER NOT NULL, done_at INTEGER,"
    " claims INTEGER NOT NULL,"
    " owner TEXT);"
    "CREATE INDEX inbox_open ON inbox (id) WHERE done_at IS NULL AND owner IS NULL;"
    "CREATE INDEX inbox_owner ON inbox (owner) WHERE owner IS NOT NULL;"
    "CREATE INDEX inbox_done ON inbox (done_at) WHERE done_at IS NOT NULL;"

    "CREATE TABLE job ("
    " id INTEGER PRIMARY KEY, kind INTEGER NOT NULL, event TEXT NOT NULL, hip_id TEXT NOT NULL,"
    " subject TEXT NOT NULL, arg INTEGER NOT NULL, path TEXT, request_id TEXT, body BLOB,"
    " due_at INTEGER NOT NULL, deadline_at INTEGER NOT NULL, created_at INTEGER NOT NULL,"
    " attempts INTEGER NOT NULL, claims INTEGER NOT NULL, owner TEXT);"
    "CREATE INDEX job_due ON job (due_at) WHERE owner IS NULL;"
    "CREATE INDEX job_owner ON job (owner) WHERE owner IS NOT NULL;"
    "CREATE INDEX job_subject ON job (subject);"

    "CREATE TABLE sent ("
    " request_id TEXT PRIMARY KEY, hip_id TEXT NOT NULL, subject TEXT NOT NULL,"
    " path TEXT NOT NULL, sent_at INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE INDEX sent_at ON sent (sent_at);"

    /* The artefact while it is granted; a tombstone (id and status) afterwards. */
    "CREATE TABLE consent ("
    " hip_id TEXT NOT NULL, id TEXT NOT NULL, status INTEGER NOT NULL, hiu_id TEXT,"
    " patient_id TEXT, purpose TEXT, date_from INTEGER NOT NULL, date_to INTEGER NOT NULL,"
    " erase_at INTEGER NOT NULL, hi_types INTEGER NOT NULL, changed_at INTEGER NOT NULL,"
    " PRIMARY KEY (hip_id, id)) WITHOUT ROWID;"
    "CREATE INDEX consent_id ON consent (id);"
    "CREATE TABLE consent_context ("
    " hip_id TEXT NOT NULL, consent_id TEXT NOT NULL, position INTEGER NOT NULL,"
    " patient_ref TEXT NOT NULL, care_context_ref TEXT NOT NULL,"
    " PRIMARY KEY (hip_id, consent_id, position),"
    " FOREIGN KEY (hip_id, consent_id) REFERENCES consent ON DELETE CASCADE) WITHOUT ROWID;"

    "CREATE TABLE transfer ("
    " hip_id TEXT NOT NULL, id TEXT NOT NULL, consent_id TEXT NOT NULL, request_id TEXT NOT NULL,"
    " date_from INTEGER NOT NULL, date_to INTEGER NOT NULL, push_url TEXT, curve TEXT,"
    " public_key TEXT, nonce TEXT, state INTEGER NOT NULL, reason TEXT,"
    " contexts INTEGER NOT NULL, pages INTEGER NOT NULL, requested_at INTEGER NOT NULL,"
    " deadline_at INTEGER NOT NULL, done_at INTEGER NOT NULL, PRIMARY KEY (hip_id, id))"
    " WITHOUT ROWID;"
    "CREATE INDEX transfer_id ON transfer (id);"
    "CREATE INDEX transfer_time ON transfer (requested_at);"
    "CREATE TABLE transfer_context ("
    " hip_id TEXT NOT NULL, transfer_id TEXT NOT NULL, position INTEGER NOT NULL,"
    " patient_ref TEXT NOT NULL, care_context_ref TEXT NOT NULL, state INTEGER NOT NULL,"
    " reason TEXT, PRIMARY KEY (hip_id, transfer_id, position),"
    " FOREIGN KEY (hip_id, transfer_id) REFERENCES transfer ON DELETE CASCADE) WITHOUT ROWID;"
    /* record: the plain form, sealed, until the page is final. */
    "CREATE TABLE page ("
    " hip_id TEXT NOT NULL, transfer_id TEXT NOT NULL, number INTEGER NOT NULL,"
    " context INTEGER NOT NULL, hi_type INTEGER NOT NULL, dated INTEGER NOT NULL,"
    " date INTEGER NOT NULL, record BLOB, state INTEGER NOT NULL, reason TEXT,"
    " attempts INTEGER NOT NULL, PRIMARY KEY (hip_id, transfer_id, number),"
    " FOREIGN KEY (hip_id, transfer_id) REFERENCES transfer ON DELETE CASCADE) WITHOUT ROWID;"
    "CREATE INDEX page_context ON page (hip_id, transfer_id, context);"

    /* What happened and which rule decided; ids and codes, no content. */
    "CREATE TABLE audit ("
    " id INTEGER PRIMARY KEY, at INTEGER NOT NULL, hip_id TEXT NOT NULL, subject TEXT NOT NULL,"
    " what TEXT NOT NULL, code TEXT, detail TEXT);"
    "CREATE INDEX audit_subject ON audit (subject);"

    "CREATE TABLE gateway_keys ("
    " url TEXT PRIMARY KEY, json TEXT, fetched_at INTEGER NOT NULL, tried_at INTEGER NOT NULL,"
    " forced_at INTEGER NOT NULL, failed INTEGER NOT NULL) WITHOUT ROWID;",

    /* version 2: a record may become several documents, each a page of its own */
    "ALTER TABLE page ADD COLUMN part INTEGER NOT NULL DEFAULT 0;",
};

enum { VERSION = sizeof(steps) / sizeof(steps[0]) };


static abdm_err_t
version_of(sqlite3 *db, int *version)
{
    sqlite3_stmt *stmt = NULL;
    int rc;

    *version = 0;
    rc = sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &stmt, NULL);
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(stmt);
        if (rc == SQLITE_ROW) {
            *version = sqlite3_column_int(stmt, 0);
        }
    }
    sqlite3_finalize(stmt);
    return rc == SQLITE_ROW ? ABDM_NO_ERR : abdm_db_err(rc);
}


abdm_err_t
abdm_schema_check(sqlite3 *db)
{
    int version;

    ABDM_TRY(version_of(db, &version));
    if (version > VERSION) {
        return ABDM_ERR(STORE_VERSION, "schema is newer than this library");
    }
    if (version < VERSION) {
        return ABDM_ERR(STORE, "schema is not yet made");
    }
    return ABDM_NO_ERR;
}


static abdm_err_t
migrate_from(sqlite3 *db, int version)
{
    char pragma[64];

    for (int i = version; i < VERSION; i++) {
        ABDM_TRY(abdm_db_exec(db, steps[i]));
    }
    snprintf(pragma, sizeof(pragma), "PRAGMA user_version = %d", VERSION);
    return abdm_db_exec(db, pragma);
}


abdm_err_t
abdm_schema_migrate(sqlite3 *db)
{
    int version = 0;
    abdm_err_t err;

    ABDM_TRY(abdm_db_exec(db, "BEGIN IMMEDIATE"));
    err = version_of(db, &version);
    if (!abdm_failed(err) && version > VERSION) {
        err = ABDM_ERR(STORE_VERSION, "schema is newer than this library");
    }
    if (!abdm_failed(err) && version < VERSION) {
        err = migrate_from(db, version);
    }
    if (abdm_failed(err)) {
        sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
        return err;
    }
    return abdm_db_exec(db, "COMMIT");
}
