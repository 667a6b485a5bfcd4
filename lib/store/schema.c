/*
 * The tables, as a list of migrations: step n brings version n to n + 1. A step once released is
 * never changed. Times are milliseconds in UTC. Tables of core/row.def have the columns that
 * store/rows.c derives from it.
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

    /* version 3: linking, sharing and opt-out; jobs and consents sealed */

    /* sealed 0: the body as version 2 wrote it */
    "ALTER TABLE job ADD COLUMN link_token BLOB;"
    "ALTER TABLE job ADD COLUMN sealed INTEGER NOT NULL DEFAULT 0;"
    "DROP INDEX job_due;"
    "CREATE INDEX job_due ON job (due_at, kind) WHERE owner IS NULL;"
    /* patient_id is sealed and patient_key its keyed hash; text without one is of version 2 */
    "ALTER TABLE consent ADD COLUMN patient_key TEXT;"
    "CREATE INDEX consent_patient ON consent (hip_id, patient_key, id)"
    " WHERE patient_key IS NOT NULL;"
    "CREATE INDEX consent_plain ON consent (hip_id, id) WHERE typeof(patient_id) = 'text';"

    "CREATE TABLE patient ("
    " hip_id TEXT NOT NULL, ref TEXT NOT NULL, abha_address BLOB, abha_address_key TEXT,"
    " abha_number BLOB, abha_number_key TEXT, name BLOB, gender BLOB, mobile BLOB,"
    " mobile_key TEXT, year_of_birth INTEGER NOT NULL, changed_at INTEGER NOT NULL,"
    " PRIMARY KEY (hip_id, ref));"
    "CREATE UNIQUE INDEX patient_abha_address ON patient (hip_id, abha_address_key)"
    " WHERE abha_address_key IS NOT NULL;"
    "CREATE UNIQUE INDEX patient_abha_number ON patient (hip_id, abha_number_key)"
    " WHERE abha_number_key IS NOT NULL;"
    "CREATE INDEX patient_mobile ON patient (hip_id, mobile_key, ref)"
    " WHERE mobile_key IS NOT NULL;"

    "CREATE TABLE context ("
    " hip_id TEXT NOT NULL, ref TEXT NOT NULL, patient_ref TEXT, display BLOB,"
    " hi_types INTEGER NOT NULL, date INTEGER NOT NULL, version TEXT, state INTEGER NOT NULL,"
    " batch TEXT, reason TEXT, notified_types INTEGER NOT NULL, notify INTEGER NOT NULL,"
    " notify_tries INTEGER NOT NULL, notify_at INTEGER NOT NULL, sms INTEGER NOT NULL,"
    " created_at INTEGER NOT NULL, linked_at INTEGER NOT NULL, PRIMARY KEY (hip_id, ref));"
    "CREATE INDEX context_patient ON context (hip_id, patient_ref, ref);"
    "CREATE INDEX context_batch ON context (hip_id, batch, ref) WHERE batch IS NOT NULL;"

    "CREATE TABLE link_token ("
    " hip_id TEXT NOT NULL, abha_address_key TEXT NOT NULL, token BLOB,"
    " expires_at INTEGER NOT NULL, asked_at INTEGER NOT NULL, due_at INTEGER NOT NULL,"
    " answered TEXT, counted_1 INTEGER NOT NULL, counted_2 INTEGER NOT NULL,"
    " counted_3 INTEGER NOT NULL, blocked_until INTEGER NOT NULL, keep_until INTEGER NOT NULL,"
    " PRIMARY KEY (hip_id, abha_address_key));"
    "CREATE INDEX link_token_keep ON link_token (keep_until) WHERE keep_until > 0;"

    "CREATE TABLE discovery ("
    " hip_id TEXT NOT NULL, id TEXT NOT NULL, request_id TEXT, asked BLOB, candidates BLOB,"
    " waiting INTEGER NOT NULL, asked_at INTEGER NOT NULL, state INTEGER NOT NULL,"
    " abha_address BLOB, abha_address_key TEXT, abha_number BLOB, mobile BLOB,"
    " patient_ref TEXT, patient BLOB, offered BLOB, keep_until INTEGER NOT NULL,"
    " PRIMARY KEY (hip_id, id));"
    "CREATE INDEX discovery_abha_address ON discovery (hip_id, abha_address_key, id)"
    " WHERE abha_address_key IS NOT NULL;"
    "CREATE INDEX discovery_keep ON discovery (keep_until) WHERE keep_until > 0;"

    "CREATE TABLE link_session ("
    " hip_id TEXT NOT NULL, id TEXT NOT NULL, discovery_id TEXT, request_id TEXT,"
    " contexts TEXT, otp_hash TEXT, hmis_otp BLOB, confirm BLOB, state INTEGER NOT NULL,"
    " sent_at INTEGER NOT NULL, sends INTEGER NOT NULL, tries INTEGER NOT NULL,"
    " expires_at INTEGER NOT NULL, keep_until INTEGER NOT NULL, PRIMARY KEY (hip_id, id));"
    "CREATE INDEX link_session_discovery ON link_session (hip_id, discovery_id, id);"
    "CREATE INDEX link_session_keep ON link_session (keep_until) WHERE keep_until > 0;"

    "CREATE TABLE auth ("
    " hip_id TEXT NOT NULL, id TEXT NOT NULL, patient_ref TEXT, mode TEXT, transaction_id TEXT,"
    " state INTEGER NOT NULL, hint TEXT, reason TEXT, created_at INTEGER NOT NULL,"
    " expires_at INTEGER NOT NULL, keep_until INTEGER NOT NULL, PRIMARY KEY (hip_id, id));"
    "CREATE INDEX auth_patient ON auth (hip_id, patient_ref, id);"
    "CREATE INDEX auth_transaction ON auth (hip_id, transaction_id, id)"
    " WHERE transaction_id IS NOT NULL;"
    "CREATE INDEX auth_keep ON auth (keep_until) WHERE keep_until > 0;"

    "CREATE TABLE share ("
    " hip_id TEXT NOT NULL, id TEXT NOT NULL, counter TEXT, number INTEGER NOT NULL,"
    " abha_address BLOB, abha_address_key TEXT, profile BLOB, candidates BLOB,"
    " waiting INTEGER NOT NULL, state INTEGER NOT NULL, \"returning\" INTEGER NOT NULL,"
    " patient_ref TEXT, saved INTEGER NOT NULL, created_at INTEGER NOT NULL,"
    " expires_at INTEGER NOT NULL, keep_until INTEGER NOT NULL, PRIMARY KEY (hip_id, id));"
    "CREATE INDEX share_counter ON share (hip_id, counter, id);"
    "CREATE INDEX share_abha_address ON share (hip_id, abha_address_key, id)"
    " WHERE abha_address_key IS NOT NULL;"
    "CREATE INDEX share_keep ON share (keep_until) WHERE keep_until > 0;"

    "CREATE TABLE counter ("
    " hip_id TEXT NOT NULL, name TEXT NOT NULL, day INTEGER NOT NULL, last INTEGER NOT NULL,"
    " PRIMARY KEY (hip_id, name)) WITHOUT ROWID;"

    "CREATE TABLE feed ("
    " hip_id TEXT NOT NULL, cursor TEXT, read_at INTEGER NOT NULL, asked_at INTEGER NOT NULL,"
    " due_at INTEGER NOT NULL, failing INTEGER NOT NULL, PRIMARY KEY (hip_id)) WITHOUT ROWID;"

    "CREATE TABLE budget ("
    " hip_id TEXT NOT NULL, name TEXT NOT NULL, value_key TEXT NOT NULL,"
    " since INTEGER NOT NULL, count INTEGER NOT NULL, keep_until INTEGER NOT NULL,"
    " PRIMARY KEY (hip_id, name, value_key)) WITHOUT ROWID;"
    "CREATE INDEX budget_keep ON budget (keep_until) WHERE keep_until > 0;"

    "CREATE TABLE opt_out ("
    " hip_id TEXT NOT NULL, abha_address_key TEXT NOT NULL, status TEXT, at INTEGER NOT NULL,"
    " PRIMARY KEY (hip_id, abha_address_key)) WITHOUT ROWID;"

    "CREATE TABLE request ("
    " hip_id TEXT NOT NULL, id TEXT NOT NULL, what TEXT, patient_ref TEXT, contexts TEXT,"
    " state INTEGER NOT NULL, reason TEXT, created_at INTEGER NOT NULL,"
    " keep_until INTEGER NOT NULL, PRIMARY KEY (hip_id, id));"
    "CREATE INDEX request_patient ON request (hip_id, patient_ref, id);"
    "CREATE INDEX request_keep ON request (keep_until) WHERE keep_until > 0;"

    "CREATE TABLE push_host ("
    " hip_id TEXT NOT NULL, hiu_id TEXT NOT NULL, host TEXT NOT NULL, state TEXT,"
    " changed_at INTEGER NOT NULL, PRIMARY KEY (hip_id, hiu_id, host)) WITHOUT ROWID;"
    "CREATE INDEX push_host_state ON push_host (hip_id, state, hiu_id, host);",

    /* version 4: what a notice said, byte for byte and sealed; the consent manager's word on it */
    "ALTER TABLE consent ADD COLUMN artefact BLOB;"
    "ALTER TABLE consent ADD COLUMN signature BLOB;"
    "ALTER TABLE consent ADD COLUMN signed INTEGER NOT NULL DEFAULT 0;"
    "CREATE INDEX transfer_confirming ON transfer (hip_id, consent_id) WHERE state = 6;"
    "CREATE TABLE confirmation ("
    " hip_id TEXT NOT NULL, consent_id TEXT NOT NULL, state INTEGER NOT NULL,"
    " tries INTEGER NOT NULL, asked_at INTEGER NOT NULL, ended_at INTEGER NOT NULL,"
    " reason TEXT, answered TEXT, keep_until INTEGER NOT NULL,"
    " PRIMARY KEY (hip_id, consent_id)) WITHOUT ROWID;"
    "CREATE INDEX confirmation_keep ON confirmation (keep_until) WHERE keep_until > 0;"
    "CREATE TABLE unserved ("
    " hip_id TEXT NOT NULL, path TEXT NOT NULL, since INTEGER NOT NULL,"
    " keep_until INTEGER NOT NULL, PRIMARY KEY (hip_id, path)) WITHOUT ROWID;"
    "CREATE INDEX unserved_keep ON unserved (keep_until) WHERE keep_until > 0;",

    /* version 5: the audit is a chain; the content of each consent has a key of its own */

    /* mac: of this row and the one before (audit.c); NULL until the chain takes the row in */
    "ALTER TABLE audit ADD COLUMN caller TEXT;"
    "ALTER TABLE audit ADD COLUMN request_id TEXT;"
    "ALTER TABLE audit ADD COLUMN consent_id TEXT;"
    "ALTER TABLE audit ADD COLUMN hiu_id TEXT;"
    "ALTER TABLE audit ADD COLUMN documents INTEGER;"
    "ALTER TABLE audit ADD COLUMN mac BLOB;"
    /* The last row, and the last one before those that are kept. */
    "CREATE TABLE audit_head ("
    " id INTEGER PRIMARY KEY CHECK (id = 1), n INTEGER NOT NULL, mac BLOB NOT NULL,"
    " base INTEGER NOT NULL, base_mac BLOB NOT NULL, base_at INTEGER NOT NULL,"
    " sum BLOB NOT NULL);"
    /* Trip-wires for mistakes; who means harm is found by the chain. */
    "CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit WHEN OLD.mac IS NOT NULL"
    " BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;"
    "CREATE TRIGGER audit_is_not_deleted BEFORE DELETE ON audit"
    " WHEN OLD.id > ifnull((SELECT base FROM audit_head), 0)"
    " BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;"

    /* content: patient and care contexts, sealed under the consent's key as artefact and signature
     * are; that key is sealed under the key file. Before: patient_id and rows of consent_context. */
    "CREATE TABLE consent_key ("
    " hip_id TEXT NOT NULL, consent_id TEXT NOT NULL, key BLOB NOT NULL,"
    " PRIMARY KEY (hip_id, consent_id)) WITHOUT ROWID;"
    "ALTER TABLE consent ADD COLUMN content BLOB;"
    "CREATE INDEX consent_old ON consent (hip_id, id) WHERE patient_id IS NOT NULL;"
    "CREATE INDEX consent_end ON consent (erase_at) WHERE status NOT IN (1, 2) AND erase_at > 0;"
    /* own_key: the record is sealed under the key of the transfer's consent */
    "ALTER TABLE page ADD COLUMN own_key INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE transfer ADD COLUMN hiu_id TEXT;"
    "CREATE INDEX transfer_consent ON transfer (hip_id, consent_id);"
    "CREATE INDEX transfer_done ON transfer (done_at) WHERE done_at > 0;",

    /* version 6: jobs are claimed kind by kind */
    ("DROP INDEX job_due;"
     "CREATE INDEX job_due ON job (kind, due_at) WHERE owner IS NULL;"),

    /* version 7: which key file the store belongs to (secret.c) */
    ("CREATE TABLE secret_key (id INTEGER PRIMARY KEY CHECK (id = 1), mark TEXT NOT NULL);"),
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
