/* What operators are told: transfers, and one transfer or consent with all that happened to it. */
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "store/db.h"

enum { AT, WHAT, CODE, DETAIL };

static const char *const part_names[] = {"PENDING", "DONE", "FAILED"};
static const char *const consent_names[] = {"GRANTED", "REVOKED", "EXPIRED", "DENIED", "REQUESTED"};


static const char *
column(sqlite3_stmt *stmt, int i)
{
    return (const char *) sqlite3_column_text(stmt, i);
}


static void
kv_time(abdm_jw_t *w, const char *key, abdm_ms_t t)
{
    char text[ABDM_TIME_TEXT];

    if (t == 0) {
        return;
    }
    abdm_time_format(t, text);
    abdm_jw_kv(w, key, text);
}


static void
kv_int(abdm_jw_t *w, const char *key, int64_t value)
{
    abdm_jw_key(w, key);
    abdm_jw_int(w, value);
}


/* A reason by its code, with the sentence of the error table. */
static void
kv_reason(abdm_jw_t *w, const char *name)
{
    abdm_code_t code;

    if (name == NULL) {
        return;
    }
    abdm_jw_kv(w, "reason", name);
    code = abdm_error_by_name(name);
    if (code != ABDM_OK) {
        abdm_jw_kv(w, "meaning", abdm_error_info(code)->meaning);
        abdm_jw_kv(w, "remedy", abdm_error_info(code)->remedy);
    }
}


typedef void (*row_fn)(abdm_jw_t *w, sqlite3_stmt *stmt);

/* "key": [ {row}, ... ] of a statement whose parameters are bound. */
static abdm_err_t
rows(abdm_jw_t *w, const char *key, sqlite3_stmt *stmt, row_fn write, size_t *n)
{
    bool row;

    abdm_jw_key(w, key);
    abdm_jw_open(w, '[');
    for (;;) {
        ABDM_TRY(abdm_db_row(stmt, &row));
        if (!row) {
            break;
        }
        abdm_jw_open(w, '{');
        write(w, stmt);
        abdm_jw_close(w, '}');
        if (n != NULL) {
            (*n)++;
        }
    }
    abdm_db_end(stmt);
    abdm_jw_close(w, ']');
    return ABDM_NO_ERR;
}


static void
write_transfer(abdm_jw_t *w, sqlite3_stmt *stmt)
{
    abdm_jw_kv(w, "facility", column(stmt, 0));
    abdm_jw_kv(w, "transactionId", column(stmt, 1));
    abdm_jw_kv(w, "consentId", column(stmt, 2));
    abdm_jw_kv(w, "state",
               abdm_transfer_state_name((abdm_transfer_state_t) sqlite3_column_int(stmt, 3)));
    kv_reason(w, column(stmt, 4));
    kv_int(w, "careContexts", sqlite3_column_int64(stmt, 5));
    kv_int(w, "pages", sqlite3_column_int64(stmt, 6));
    kv_int(w, "delivered", sqlite3_column_int64(stmt, 9));
    kv_time(w, "requestedAt", sqlite3_column_int64(stmt, 7));
    kv_time(w, "doneAt", sqlite3_column_int64(stmt, 8));
}


static void
write_context(abdm_jw_t *w, sqlite3_stmt *stmt)
{
    kv_int(w, "context", sqlite3_column_int64(stmt, 0));
    abdm_jw_kv(w, "careContextReference", column(stmt, 1));
    abdm_jw_kv(w, "state", part_names[sqlite3_column_int(stmt, 2)]);
    kv_reason(w, column(stmt, 3));
}


static void
write_page(abdm_jw_t *w, sqlite3_stmt *stmt)
{
    kv_int(w, "page", sqlite3_column_int64(stmt, 0));
    kv_int(w, "context", sqlite3_column_int64(stmt, 1));
    abdm_jw_kv(w, "hiType", abdm_hi_type_name((abdm_hi_type_t) sqlite3_column_int(stmt, 2)));
    abdm_jw_kv(w, "state", part_names[sqlite3_column_int(stmt, 3)]);
    kv_int(w, "attempts", sqlite3_column_int64(stmt, 5));
    kv_reason(w, column(stmt, 4));
}


static void
write_job(abdm_jw_t *w, sqlite3_stmt *stmt)
{
    abdm_jw_kv(w, "waitsFor", abdm_job_kind_name((abdm_job_kind_t) sqlite3_column_int(stmt, 0)));
    abdm_jw_kv(w, "then", column(stmt, 1));
    kv_int(w, "number", sqlite3_column_int64(stmt, 2));
    kv_time(w, "dueAt", sqlite3_column_int64(stmt, 3));
    kv_int(w, "attempts", sqlite3_column_int64(stmt, 4));
    abdm_jw_key(w, "underWay");
    abdm_jw_bool(w, sqlite3_column_int(stmt, 5) != 0);
}


/* "confirmation": how the consent manager's word on the consent stands, from column `first` on. */
static void
write_confirmation(abdm_jw_t *w, sqlite3_stmt *stmt, int first)
{
    static const char *const names[] = {"ASKING", "CONFIRMED", "REFUSED"};

    if (sqlite3_column_type(stmt, first) == SQLITE_NULL) {
        return;
    }
    abdm_jw_key(w, "confirmation");
    abdm_jw_open(w, '{');
    abdm_jw_kv(w, "state", names[sqlite3_column_int(stmt, first)]);
    kv_time(w, "askedAt", sqlite3_column_int64(stmt, first + 1));
    kv_time(w, "endedAt", sqlite3_column_int64(stmt, first + 2));
    kv_reason(w, column(stmt, first + 3));
    abdm_jw_close(w, '}');
}


static void
write_consent(abdm_jw_t *w, sqlite3_stmt *stmt)
{
    const char *is_signed = abdm_signed_name((abdm_signed_t) sqlite3_column_int(stmt, 8));

    abdm_hi_types_t types = (abdm_hi_types_t) sqlite3_column_int64(stmt, 5);

    abdm_jw_kv(w, "facility", column(stmt, 0));
    abdm_jw_kv(w, "status", consent_names[sqlite3_column_int(stmt, 1)]);
    kv_time(w, "from", sqlite3_column_int64(stmt, 2));
    kv_time(w, "to", sqlite3_column_int64(stmt, 3));
    kv_time(w, "dataEraseAt", sqlite3_column_int64(stmt, 4));
    if (column(stmt, 6) != NULL) {
        abdm_jw_kv(w, "requester", column(stmt, 6));
    }
    abdm_jw_key(w, "hiTypes");
    abdm_jw_open(w, '[');
    for (int i = 0; i < ABDM_HI_TYPES; i++) {
        if (types & (1u << i)) {
            abdm_jw_strz(w, abdm_hi_type_name((abdm_hi_type_t) i));
        }
    }
    abdm_jw_close(w, ']');
    kv_time(w, "changedAt", sqlite3_column_int64(stmt, 7));
    if (is_signed != NULL) {
        abdm_jw_kv(w, "signature", is_signed);
    }
    write_confirmation(w, stmt, 9);
}


static void
write_audit(abdm_jw_t *w, sqlite3_stmt *stmt)
{
    kv_time(w, "at", sqlite3_column_int64(stmt, AT));
    abdm_jw_kv(w, "what", column(stmt, WHAT));
    if (column(stmt, DETAIL) != NULL && column(stmt, DETAIL)[0] != '\0') {
        abdm_jw_kv(w, "detail", column(stmt, DETAIL));
    }
    kv_reason(w, column(stmt, CODE));
}


static void
write_callback(abdm_jw_t *w, sqlite3_stmt *stmt)
{
    abdm_jw_kv(w, "path", column(stmt, 0));
    abdm_jw_kv(w, "facility", column(stmt, 1));
    abdm_jw_kv(w, "requestId", column(stmt, 2));
    kv_time(w, "receivedAt", sqlite3_column_int64(stmt, 3));
    kv_int(w, "bytes", sqlite3_column_int64(stmt, 4) - ABDM_SEAL_OVERHEAD);
}


/* {"key": [rows]} of a statement that takes a limit. */
static abdm_err_t
newest(abdm_store_t *store, abdm_sql_t sql, const char *key, const char *hip_id, row_fn write,
       int limit, abdm_buf_t *out)
{
    abdm_err_t err;
    sqlite3_stmt *stmt = abdm_db_use(store, sql, &err);
    abdm_jw_t w;

    if (stmt == NULL) {
        return err;
    }
    abdm_db_int(stmt, 1, limit);
    abdm_db_text(stmt, 2, hip_id);
    abdm_jw_begin(&w, out);
    abdm_jw_open(&w, '{');
    ABDM_TRY(rows(&w, key, stmt, write, NULL));
    abdm_jw_close(&w, '}');
    return out->failed ? ABDM_ERR(MEMORY, "report") : ABDM_NO_ERR;
}


abdm_err_t
abdm_store_report_callbacks(abdm_store_t *store, int limit, abdm_buf_t *out)
{
    return newest(store, SQL_REPORT_CALLBACKS, "callbacks", "", write_callback, limit, out);
}


abdm_err_t
abdm_store_report_transfers(abdm_store_t *store, const char *hip_id, int limit, abdm_buf_t *out)
{
    return newest(store, SQL_REPORT_TRANSFERS, "transfers", hip_id, write_transfer, limit, out);
}


/* One list of the explanation: statement with the id and the facility. */
static abdm_err_t
list(abdm_store_t *store, abdm_jw_t *w, const char *key, abdm_sql_t sql, const char *id,
     const char *hip_id, row_fn write, size_t *n)
{
    abdm_err_t err;
    sqlite3_stmt *stmt = abdm_db_use(store, sql, &err);

    if (stmt == NULL) {
        return err;
    }
    abdm_db_text(stmt, 1, id);
    abdm_db_text(stmt, 2, hip_id);
    return rows(w, key, stmt, write, n);
}


/* The facility of the transfer with this id, "" when there is none; caller frees. */
static abdm_err_t
facility_of(abdm_store_t *store, const char *hip_id, const char *id, char **found)
{
    abdm_err_t err;
    sqlite3_stmt *stmt = abdm_db_use(store, SQL_REPORT_TRANSFER, &err);
    bool row;

    *found = NULL;
    if (stmt == NULL) {
        return err;
    }
    abdm_db_text(stmt, 1, id);
    abdm_db_text(stmt, 2, hip_id);
    ABDM_TRY(abdm_db_row(stmt, &row));
    *found = row ? abdm_db_copy(stmt, 0, &err) : strdup("");
    abdm_db_end(stmt);
    return *found == NULL ? ABDM_ERR(MEMORY, "report") : ABDM_NO_ERR;
}


abdm_err_t
abdm_store_report_explain(abdm_store_t *store, const char *hip_id, const char *id, abdm_buf_t *out)
{
    size_t transfers = 0, consents = 0, events = 0, others = 0;
    char *owner = NULL;
    abdm_err_t err;
    abdm_jw_t w;

    ABDM_TRY(facility_of(store, hip_id, id, &owner));
    const struct {
        const char *key;
        abdm_sql_t sql;
        const char *hip_id;
        row_fn write;
        size_t *n;
    } lists[] = {
        {"transfer", SQL_REPORT_TRANSFER, hip_id, write_transfer, &transfers},
        {"consent", SQL_REPORT_CONSENT, hip_id, write_consent, &consents},
        {"careContexts", SQL_REPORT_CONTEXTS, owner, write_context, &others},
        {"pages", SQL_REPORT_PAGES, owner, write_page, &others},
        {"waiting", SQL_REPORT_JOBS, hip_id, write_job, &others},
        {"history", SQL_REPORT_AUDIT, hip_id, write_audit, &events},
    };

    abdm_jw_begin(&w, out);
    abdm_jw_open(&w, '{');
    abdm_jw_kv(&w, "id", id);
    err = ABDM_NO_ERR;
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]) && !abdm_failed(err); i++) {
        err = list(store, &w, lists[i].key, lists[i].sql, id, lists[i].hip_id, lists[i].write,
                   lists[i].n);
    }
    abdm_jw_close(&w, '}');
    free(owner);

    if (!abdm_failed(err) && out->failed) {
        err = ABDM_ERR(MEMORY, "report");
    }
    if (!abdm_failed(err) && transfers + consents + events == 0) {
        err = ABDM_ERR(NOT_FOUND, "no transfer or consent has this id");
    }
    return err;
}
