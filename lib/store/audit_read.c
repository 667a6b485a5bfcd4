/*
 * The audit for those who must show it: exported row by row, and summed up for a notice of a
 * breach (CERT-In: within 6 hours; DPDP Rules 2025, rule 7: within 72). Ids, codes and counts;
 * there is no personal data in it.
 */
#include <string.h>

#include "core/json.h"
#include "store/db.h"

static const char *const names[ABDM_AUDIT_TEXTS] = {
    [ABDM_AUDIT_HIP] = "facility",
    [ABDM_AUDIT_SUBJECT] = "subject",
    [ABDM_AUDIT_WHAT] = "what",
    [ABDM_AUDIT_CODE] = "code",
    [ABDM_AUDIT_DETAIL] = "detail",
    [ABDM_AUDIT_CALLER] = "caller",
    [ABDM_AUDIT_REQUEST_ID] = "requestId",
    [ABDM_AUDIT_CONSENT_ID] = "consentId",
    [ABDM_AUDIT_HIU_ID] = "requester",
};


/* --- export --- */

static void
mac_text(sqlite3_stmt *stmt, char out[2 * ABDM_MAC_LEN + 1])
{
    const uint8_t *mac = abdm_audit_mac_of(stmt);

    out[0] = '\0';
    if (mac != NULL) {
        abdm_audit_hex(mac, out);
    }
}


static void
json_row(sqlite3_stmt *stmt, abdm_buf_t *line)
{
    char at[ABDM_TIME_TEXT], mac[2 * ABDM_MAC_LEN + 1];
    abdm_audit_row_t row;
    abdm_jw_t w;

    (void) abdm_audit_read(stmt, &row);
    abdm_time_format(row.at, at);
    mac_text(stmt, mac);
    abdm_jw_begin(&w, line);
    abdm_jw_open(&w, '{');
    abdm_jw_key(&w, "number");
    abdm_jw_int(&w, row.n);
    abdm_jw_kv(&w, "at", at);
    for (size_t i = 0; i < ABDM_AUDIT_TEXTS; i++) {
        if (row.text[i].len > 0) {
            abdm_jw_key(&w, names[i]);
            abdm_jw_str(&w, row.text[i]);
        }
    }
    if (row.documents != 0) {
        abdm_jw_key(&w, "documents");
        abdm_jw_int(&w, row.documents);
    }
    abdm_jw_kv(&w, "mac", mac);
    abdm_jw_close(&w, '}');
    abdm_buf_addz(line, "\n");
}


/* In quotes, and never something that a spreadsheet would calculate. */
static void
csv_cell(abdm_buf_t *line, abdm_str_t text)
{
    abdm_buf_addz(line, "\"");
    if (text.len > 0 && memchr("=+-@\t\r\n", text.p[0], 7) != NULL) {
        abdm_buf_addz(line, "'");
    }
    for (size_t i = 0; i < text.len; i++) {
        if (text.p[i] == '"') {
            abdm_buf_addz(line, "\"");
        }
        abdm_buf_add(line, &text.p[i], 1);
    }
    abdm_buf_addz(line, "\",");
}


static void
csv_row(sqlite3_stmt *stmt, abdm_buf_t *line)
{
    char at[ABDM_TIME_TEXT], mac[2 * ABDM_MAC_LEN + 1];
    abdm_audit_row_t row;

    (void) abdm_audit_read(stmt, &row);
    abdm_time_format(row.at, at);
    mac_text(stmt, mac);
    abdm_buf_addf(line, "%lld,%s,", (long long) row.n, at);
    for (size_t i = 0; i < ABDM_AUDIT_TEXTS; i++) {
        csv_cell(line, row.text[i]);
    }
    abdm_buf_addf(line, "%lld,%s\r\n", (long long) row.documents, mac);
}


static abdm_err_t
write_line(abdm_buf_t *line, abdm_audit_write_t write, void *ctx)
{
    if (line->failed) {
        return ABDM_ERR(MEMORY, "audit");
    }
    if (!write(ctx, line->p, line->len)) {
        return ABDM_ERR(SYSTEM, "the export cannot be written");
    }
    line->len = 0;
    return ABDM_NO_ERR;
}


static sqlite3_stmt *
use_span(abdm_store_t *store, abdm_sql_t sql, const abdm_audit_span_t *span, abdm_err_t *err)
{
    sqlite3_stmt *stmt = abdm_db_use(store, sql, err);

    if (stmt != NULL) {
        abdm_db_int(stmt, 1, span->since);
        abdm_db_int(stmt, 2, span->until);
        abdm_db_text(stmt, 3, span->hip_id);
    }
    return stmt;
}


abdm_err_t
abdm_store_audit_export(abdm_store_t *store, const abdm_audit_span_t *span, bool csv,
                        abdm_audit_write_t write, void *ctx)
{
    abdm_buf_t line = {0};
    abdm_err_t err;
    sqlite3_stmt *stmt = use_span(store, SQL_AUDIT_SPAN, span, &err);
    bool row = stmt != NULL;

    if (stmt == NULL) {
        return err;
    }
    if (csv) {
        abdm_buf_addz(&line, "number,at,");
        for (size_t i = 0; i < ABDM_AUDIT_TEXTS; i++) {
            abdm_buf_addf(&line, "%s,", names[i]);
        }
        abdm_buf_addz(&line, "documents,mac\r\n");
        err = write_line(&line, write, ctx);
    }
    while (row && !abdm_failed(err)) {
        err = abdm_db_row(stmt, &row);
        if (row && !abdm_failed(err)) {
            (csv ? csv_row : json_row)(stmt, &line);
            err = write_line(&line, write, ctx);
        }
    }
    abdm_db_end(stmt);
    abdm_buf_free(&line);
    return err;
}


/* --- report --- */

static void
kv_column(abdm_jw_t *w, const char *key, sqlite3_stmt *stmt, int i)
{
    const char *text = (const char *) sqlite3_column_text(stmt, i);

    if (text != NULL && text[0] != '\0') {
        abdm_jw_kv(w, key, text);
    }
}


static void
kv_time(abdm_jw_t *w, const char *key, abdm_ms_t t)
{
    char text[ABDM_TIME_TEXT];

    abdm_time_format(t, text);
    abdm_jw_kv(w, key, text);
}


static void
kv_int(abdm_jw_t *w, const char *key, int64_t value)
{
    abdm_jw_key(w, key);
    abdm_jw_int(w, value);
}


typedef struct {
    int64_t rows, documents;
} sum_t;

typedef void (*write_fn)(abdm_jw_t *w, sqlite3_stmt *stmt, sum_t *sum);


/* A kind of row and how often it is there. */
static void
write_kind(abdm_jw_t *w, sqlite3_stmt *stmt, sum_t *sum)
{
    kv_column(w, "facility", stmt, 0);
    kv_column(w, "what", stmt, 1);
    kv_column(w, "code", stmt, 2);
    kv_int(w, "times", sqlite3_column_int64(stmt, 3));
    sum->rows += sqlite3_column_int64(stmt, 3);
}


/* What one transfer brought to its requester. */
static void
write_shared(abdm_jw_t *w, sqlite3_stmt *stmt, sum_t *sum)
{
    kv_column(w, "facility", stmt, 0);
    kv_column(w, "transactionId", stmt, 1);
    kv_column(w, "consentId", stmt, 2);
    kv_column(w, "requester", stmt, 3);
    kv_time(w, "first", sqlite3_column_int64(stmt, 4));
    kv_time(w, "last", sqlite3_column_int64(stmt, 5));
    kv_int(w, "documents", sqlite3_column_int64(stmt, 6));
    sum->rows++;
    sum->documents += sqlite3_column_int64(stmt, 6);
}


static abdm_err_t
list(abdm_store_t *store, abdm_jw_t *w, const char *key, abdm_sql_t sql,
     const abdm_audit_span_t *span, write_fn write, sum_t *sum)
{
    abdm_err_t err;
    sqlite3_stmt *stmt = use_span(store, sql, span, &err);
    bool row = stmt != NULL;

    if (stmt == NULL) {
        return err;
    }
    *sum = (sum_t){0};
    abdm_jw_key(w, key);
    abdm_jw_open(w, '[');
    while (row && !abdm_failed(err)) {
        err = abdm_db_row(stmt, &row);
        if (row && !abdm_failed(err)) {
            abdm_jw_open(w, '{');
            write(w, stmt, sum);
            abdm_jw_close(w, '}');
        }
    }
    abdm_db_end(stmt);
    abdm_jw_close(w, ']');
    return err;
}


abdm_err_t
abdm_store_audit_report(abdm_store_t *store, const abdm_audit_span_t *span, bool breach,
                        abdm_buf_t *out)
{
    abdm_err_t err;
    abdm_jw_t w;
    sum_t sum = {0};

    abdm_jw_begin(&w, out);
    abdm_jw_open(&w, '{');
    kv_time(&w, "since", span->since);
    kv_time(&w, "until", span->until == INT64_MAX ? abdm_time_now() : span->until);
    if (breach) {
        err = list(store, &w, "transfers", SQL_AUDIT_SHARED, span, write_shared, &sum);
        kv_int(&w, "transferCount", sum.rows);
        kv_int(&w, "documentCount", sum.documents);
        if (!abdm_failed(err)) {
            err = list(store, &w, "refusals", SQL_AUDIT_REFUSED, span, write_kind, &sum);
            kv_int(&w, "refusalCount", sum.rows);
        }
    } else {
        err = list(store, &w, "kinds", SQL_AUDIT_KINDS, span, write_kind, &sum);
        kv_int(&w, "rows", sum.rows);
    }
    abdm_jw_close(&w, '}');
    return !abdm_failed(err) && out->failed ? ABDM_ERR(MEMORY, "report") : err;
}
