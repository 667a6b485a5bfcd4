/* Inside store/ only: the connection, its prepared statements, and short ways to bind. */
#ifndef ABDM_STORE_DB_H
#define ABDM_STORE_DB_H

#include <sqlite3.h>

#include "crypto/mac.h"
#include "store/store.h"

/* Every statement, prepared once per connection: ABDM_SQL(name, text). */
typedef enum {
#define ABDM_SQL(name, text) SQL_##name,
#include "store/sql.def"
#undef ABDM_SQL
    SQL_STATEMENTS
} abdm_sql_t;

/* Work that was claimed so often is put aside. */
enum { ABDM_CLAIMS_MAX = 5 };

/* The statements of one kind of row (rows.c); of the last there is one per member. */
enum { ABDM_ROW_COLS_MAX = 20 };
typedef enum {
    ABDM_ROW_SQL_GET,
    ABDM_ROW_SQL_PUT,
    ABDM_ROW_SQL_DELETE,
    ABDM_ROW_SQL_SWEEP,
    ABDM_ROW_SQL_FIND,
    ABDM_ROW_SQLS = ABDM_ROW_SQL_FIND + ABDM_ROW_COLS_MAX
} abdm_row_sql_t;

/* The end of the audit's chain, and where it begins: rows up to `base` are gone, or outside. */
typedef struct {
    int64_t n; /* number of the last row */
    uint8_t mac[ABDM_MAC_LEN];
    int64_t base;
    uint8_t base_mac[ABDM_MAC_LEN]; /* of row `base`; zero when the chain begins behind it */
    abdm_ms_t base_at;
} abdm_audit_head_t;

/* As the transaction has it: written back once, before its commit. */
typedef struct {
    abdm_audit_head_t head;
    bool loaded, dirty;
} abdm_audit_end_t;

/* The texts of an audit row, in the order of its columns. */
enum {
    ABDM_AUDIT_HIP,
    ABDM_AUDIT_SUBJECT,
    ABDM_AUDIT_WHAT,
    ABDM_AUDIT_CODE,
    ABDM_AUDIT_DETAIL,
    ABDM_AUDIT_CALLER,
    ABDM_AUDIT_REQUEST_ID,
    ABDM_AUDIT_CONSENT_ID,
    ABDM_AUDIT_HIU_ID,
    ABDM_AUDIT_TEXTS
};

typedef struct {
    int64_t n;
    abdm_ms_t at;
    abdm_str_t text[ABDM_AUDIT_TEXTS]; /* p NULL: none */
    int64_t documents;                 /* 0: none */
} abdm_audit_row_t;

struct abdm_store_s {
    abdm_view_t view; /* first: a view is its store */
    sqlite3 *db;
    const abdm_seal_key_t *key; /* borrowed; NULL: nothing sealed is read or written */
    abdm_sealer_t *sealer;      /* of `key` */
    abdm_mac_t *mac;            /* of the audit, under a key derived from `key` */
    abdm_audit_end_t audit, marked;
    const char *caller, *request_id; /* of the effects being applied; NULL: own work */
    bool erased;      /* since the last purge; what was erased may be in the log of writes */
    int changes;      /* of the connection, as this transaction began */
    int64_t last_job; /* id of the last job added in this transaction, 0: none yet */
    sqlite3_stmt *stmt[SQL_STATEMENTS];
    sqlite3_stmt *row_stmt[ABDM_ROWS][ABDM_ROW_SQLS];
};

static inline abdm_store_t *
abdm_store_of(const abdm_view_t *view)
{
    return (abdm_store_t *) view; /* its first member */
}

/* Prepares for the life of the connection. */
abdm_err_t abdm_db_prepare(abdm_store_t *store, const char *sql, sqlite3_stmt **stmt);

/* The statement, reset and without bindings; NULL with *err set when it cannot be prepared. */
sqlite3_stmt *abdm_db_use(abdm_store_t *store, abdm_sql_t sql, abdm_err_t *err);

/* The same with hip_id and id bound as its first two parameters. */
sqlite3_stmt *abdm_db_keyed(abdm_store_t *store, abdm_sql_t sql, const char *hip_id, const char *id,
                            abdm_err_t *err);

void abdm_db_text(sqlite3_stmt *stmt, int i, const char *text); /* NULL binds NULL; borrowed */
void abdm_db_int(sqlite3_stmt *stmt, int i, int64_t value);
void abdm_db_blob(sqlite3_stmt *stmt, int i, const void *p, size_t len); /* borrowed */

/* Runs a statement that gives no row (and resets it). */
abdm_err_t abdm_db_run(sqlite3_stmt *stmt);
/* Steps: *row tells whether there is one. The caller resets when done (abdm_db_end). */
abdm_err_t abdm_db_row(sqlite3_stmt *stmt, bool *row);
void abdm_db_end(sqlite3_stmt *stmt);
/* The one number that a statement gives (and resets it); 0 without a row. */
abdm_err_t abdm_db_number(sqlite3_stmt *stmt, int64_t *n);

/* Runs a statement on row `id`; `second` and `text` are its second parameter if it has one. */
abdm_err_t abdm_db_run_id(abdm_store_t *store, abdm_sql_t sql, int64_t id, int64_t second);
abdm_err_t abdm_db_run_id_text(abdm_store_t *store, abdm_sql_t sql, int64_t id, const char *text);

/* Copy of a text column; NULL for NULL. Sets *err to E_MEMORY when there is none left. */
char *abdm_db_copy(sqlite3_stmt *stmt, int column, abdm_err_t *err);

abdm_err_t abdm_db_err(int rc);
abdm_err_t abdm_db_exec(sqlite3 *db, const char *sql);
abdm_err_t abdm_db_connect(const char *url, sqlite3 **db);

/* schema.c: brings the database to this version inside one transaction. */
abdm_err_t abdm_schema_migrate(sqlite3 *db);
abdm_err_t abdm_schema_check(sqlite3 *db);

/*
 * secret.c: sealed columns. `aad` says what a value is tied to; it may have failed for want of
 * memory. E_SEAL also when the store was opened without its key.
 */
abdm_err_t abdm_db_seal(const abdm_store_t *store, const abdm_buf_t *aad, abdm_str_t plain,
                        abdm_buf_t *sealed);
/* Terminated and owned by the caller, who wipes it; NULL for NULL. `len` may be NULL. */
abdm_err_t abdm_db_unseal(const abdm_store_t *store, const abdm_buf_t *aad, sqlite3_stmt *stmt,
                          int column, char **plain, size_t *len);
/* The same under a key of its own. */
abdm_err_t abdm_db_unseal_with(const abdm_seal_key_t *key, const abdm_buf_t *aad,
                               sqlite3_stmt *stmt, int column, char **plain, size_t *len);
/* Was *err that a value is not what it was when it was sealed? Then it is none any more. */
bool abdm_db_spoiled(const abdm_store_t *store, abdm_err_t *err);
abdm_err_t abdm_db_hash(const abdm_store_t *store, const char *what, const char *hip_id,
                        const char *value, char out[65]);
/* Marks the database as one of `key`, once. E_SECRET_KEY when it is one of another key. */
abdm_err_t abdm_secret_bind(sqlite3 *db, const abdm_seal_key_t *key);
abdm_err_t abdm_secret_check(sqlite3 *db, const abdm_seal_key_t *key);
/* Appends a text and a NUL, so that no two lists of texts give the same bytes. */
void abdm_db_tie(abdm_buf_t *aad, const char *text);
void abdm_db_wipe(char *text); /* wipes and frees a terminated text; NULL is allowed */

void abdm_view_init(abdm_view_t *view); /* state.c */

/* consent.c */
abdm_err_t abdm_consent_put(abdm_store_t *store, const abdm_consent_t *consent, abdm_ms_t now);
void abdm_consent_view(abdm_view_t *view);
/* Seals content of versions before 5 as it is today, at most `max` rows; *done: how many. */
abdm_err_t abdm_consent_seal_old(abdm_store_t *store, int max, int *done);

/* Ends a consent: its key is destroyed and with it what is sealed under it; a tombstone stays.
 * `why` goes to the proof in the audit. */
abdm_err_t abdm_consent_end(abdm_store_t *store, const char *hip_id, const char *id,
                            abdm_consent_status_t status, const char *why, abdm_ms_t now);
/* The key of a consent, freed by the caller; NULL when the consent has ended. One that has none
 * yet gets it when `make`. */
abdm_err_t abdm_consent_key(abdm_store_t *store, const char *hip_id, const char *id, bool make,
                            abdm_seal_key_t **key);
/* The same for the consent of a transfer. */
abdm_err_t abdm_transfer_key(abdm_store_t *store, const char *hip_id, const char *transfer,
                             abdm_seal_key_t **key);
/* What is left of the transfers of an ended consent, except those not yet over. */
abdm_err_t abdm_consent_forget(abdm_store_t *store, const char *hip_id, const char *id);

/* audit.c */
/* Within a transaction: can rows be added? E_AUDIT when not, and then nothing else may happen. */
abdm_err_t abdm_audit_ready(abdm_store_t *store, abdm_ms_t now);
/* Sets the row's number. */
abdm_err_t abdm_audit_append(abdm_store_t *store, abdm_audit_row_t *row);
/* The store's own row about a subject; texts may be NULL. */
abdm_err_t abdm_audit_note(abdm_store_t *store, abdm_ms_t at, const char *hip_id,
                           const char *subject, const char *what, abdm_code_t code,
                           const char *detail);
abdm_err_t abdm_audit_flush(abdm_store_t *store); /* before a commit */
/* E_AUDIT when the end is not what was written last. *found: there is one. */
abdm_err_t abdm_audit_head(abdm_store_t *store, abdm_audit_head_t *head, bool *found);
/* The row of AUDIT_ROWS or AUDIT_SPAN, borrowed from the statement. False: of wrong types. */
bool abdm_audit_read(sqlite3_stmt *stmt, abdm_audit_row_t *row);
const uint8_t *abdm_audit_mac_of(sqlite3_stmt *stmt); /* NULL: it has none */
abdm_err_t abdm_audit_mac(abdm_store_t *store, const abdm_audit_row_t *row,
                          const uint8_t before[ABDM_MAC_LEN], uint8_t out[ABDM_MAC_LEN]);
void abdm_audit_hex(const uint8_t mac[ABDM_MAC_LEN], char out[2 * ABDM_MAC_LEN + 1]);

/* jobs.c */
void abdm_jobs_view(abdm_view_t *view);

/* rows.c */
abdm_err_t abdm_rows_put(abdm_store_t *store, abdm_row_id_t id, const void *row);
abdm_err_t abdm_rows_delete(abdm_store_t *store, abdm_row_id_t id, const void *row);
/* Deletes at most `max` rows past their keep_until; *done: how many. */
abdm_err_t abdm_rows_sweep(abdm_store_t *store, abdm_ms_t now, int max, int *done);
void abdm_rows_view(abdm_view_t *view);

#endif
