/*
 * The audit: rows that are only ever added, each with a MAC over itself and the MAC of the row
 * before, under a key derived from the secret key. The end of the chain (its last number and MAC,
 * and where it begins) is a row of its own with a MAC too, so that rows cut off at the end are
 * missed. A transaction reads the end once, since it holds the write lock, and writes it back
 * before its commit.
 */
#include <string.h>

#include "store/db.h"

enum { PRUNE_MOST = 1000, MESSAGE = 512 };

static const abdm_ms_t DAY = 24LL * 60 * 60 * 1000;


/* --- what is authenticated --- */

static void
add_number(abdm_buf_t *message, int64_t value, int bytes)
{
    uint8_t out[8];

    for (int i = 0; i < bytes; i++) {
        out[i] = (uint8_t) ((uint64_t) value >> (8 * (bytes - 1 - i)));
    }
    abdm_buf_add(message, out, (size_t) bytes);
}


static abdm_err_t
authenticate(abdm_store_t *store, abdm_buf_t *message, uint8_t out[ABDM_MAC_LEN])
{
    abdm_err_t err;

    if (store->mac == NULL) {
        err = ABDM_ERR(SEAL, "the store was opened without its secret key");
    } else if (message->failed) {
        err = ABDM_ERR(MEMORY, "audit");
    } else {
        err = abdm_mac(store->mac, abdm_buf_str(message), out);
    }
    abdm_buf_free(message);
    return err;
}


/* Each text is led by whether it is there and by its length: no two rows give the same bytes. */
abdm_err_t
abdm_audit_mac(abdm_store_t *store, const abdm_audit_row_t *row,
               const uint8_t before[ABDM_MAC_LEN], uint8_t out[ABDM_MAC_LEN])
{
    abdm_buf_t message = {0};

    (void) abdm_buf_reserve(&message, MESSAGE); /* at once, for most */
    abdm_buf_addz(&message, "row");
    add_number(&message, row->n, 8);
    abdm_buf_add(&message, before, ABDM_MAC_LEN);
    add_number(&message, row->at, 8);
    add_number(&message, row->documents, 8);
    for (size_t i = 0; i < ABDM_AUDIT_TEXTS; i++) {
        add_number(&message, row->text[i].p != NULL, 1);
        add_number(&message, (int64_t) row->text[i].len, 4);
        abdm_buf_add_str(&message, row->text[i]);
    }
    return authenticate(store, &message, out);
}


static abdm_err_t
head_sum(abdm_store_t *store, const abdm_audit_head_t *head, uint8_t out[ABDM_MAC_LEN])
{
    abdm_buf_t message = {0};

    abdm_buf_addz(&message, "end");
    add_number(&message, head->n, 8);
    abdm_buf_add(&message, head->mac, ABDM_MAC_LEN);
    add_number(&message, head->base, 8);
    abdm_buf_add(&message, head->base_mac, ABDM_MAC_LEN);
    add_number(&message, head->base_at, 8);
    return authenticate(store, &message, out);
}


void
abdm_audit_hex(const uint8_t mac[ABDM_MAC_LEN], char out[2 * ABDM_MAC_LEN + 1])
{
    for (size_t i = 0; i < ABDM_MAC_LEN; i++) {
        snprintf(out + 2 * i, 3, "%02x", mac[i]);
    }
}


/* --- reading --- */

const uint8_t *
abdm_audit_mac_of(sqlite3_stmt *stmt)
{
    const int column = 3 + ABDM_AUDIT_TEXTS;

    if (sqlite3_column_type(stmt, column) != SQLITE_BLOB
        || sqlite3_column_bytes(stmt, column) != ABDM_MAC_LEN) {
        return NULL;
    }
    return sqlite3_column_blob(stmt, column);
}


bool
abdm_audit_read(sqlite3_stmt *stmt, abdm_audit_row_t *row)
{
    const int documents = 2 + ABDM_AUDIT_TEXTS;
    bool good = sqlite3_column_type(stmt, 1) == SQLITE_INTEGER;

    memset(row, 0, sizeof(*row));
    row->n = sqlite3_column_int64(stmt, 0);
    row->at = sqlite3_column_int64(stmt, 1);
    for (int i = 0; i < ABDM_AUDIT_TEXTS; i++) {
        int type = sqlite3_column_type(stmt, 2 + i);

        good &= type == SQLITE_TEXT || type == SQLITE_NULL;
        row->text[i].p = (const char *) sqlite3_column_text(stmt, 2 + i);
        row->text[i].len = (size_t) sqlite3_column_bytes(stmt, 2 + i);
    }
    row->documents = sqlite3_column_int64(stmt, documents);
    /* none is NULL: a 0 or a word was not written here */
    return good && (row->documents != 0) == (sqlite3_column_type(stmt, documents) == SQLITE_INTEGER)
           && (row->documents != 0) == (sqlite3_column_type(stmt, documents) != SQLITE_NULL);
}


static bool
take_mac(sqlite3_stmt *stmt, int column, uint8_t out[ABDM_MAC_LEN])
{
    if (sqlite3_column_bytes(stmt, column) != ABDM_MAC_LEN) {
        memset(out, 0, ABDM_MAC_LEN);
        return false;
    }
    memcpy(out, sqlite3_column_blob(stmt, column), ABDM_MAC_LEN);
    return true;
}


abdm_err_t
abdm_audit_head(abdm_store_t *store, abdm_audit_head_t *head, bool *found)
{
    uint8_t kept[ABDM_MAC_LEN], sum[ABDM_MAC_LEN];
    abdm_err_t err;
    sqlite3_stmt *stmt = abdm_db_use(store, SQL_AUDIT_HEAD, &err);
    bool good;

    memset(head, 0, sizeof(*head));
    *found = false;
    if (stmt == NULL) {
        return err;
    }
    ABDM_TRY(abdm_db_row(stmt, found));
    if (!*found) {
        abdm_db_end(stmt);
        return ABDM_NO_ERR;
    }
    head->n = sqlite3_column_int64(stmt, 0);
    good = take_mac(stmt, 1, head->mac);
    head->base = sqlite3_column_int64(stmt, 2);
    good &= take_mac(stmt, 3, head->base_mac);
    head->base_at = sqlite3_column_int64(stmt, 4);
    good &= take_mac(stmt, 5, kept);
    abdm_db_end(stmt);
    ABDM_TRY(head_sum(store, head, sum));
    if (!good || memcmp(sum, kept, sizeof(sum)) != 0) {
        return ABDM_ERR(AUDIT, "audit_head: its MAC does not verify");
    }
    return ABDM_NO_ERR;
}


static abdm_err_t
number(abdm_store_t *store, abdm_sql_t sql, int64_t *out)
{
    abdm_err_t err;
    sqlite3_stmt *stmt = abdm_db_use(store, sql, &err);

    *out = 0;
    return stmt == NULL ? err : abdm_db_number(stmt, out);
}


/* --- writing --- */

static abdm_err_t
put_head(abdm_store_t *store, const abdm_audit_head_t *head)
{
    uint8_t sum[ABDM_MAC_LEN];
    sqlite3_stmt *stmt;
    abdm_err_t err;

    ABDM_TRY(head_sum(store, head, sum));
    stmt = abdm_db_use(store, SQL_AUDIT_HEAD_PUT, &err);
    if (stmt == NULL) {
        return err;
    }
    abdm_db_int(stmt, 1, head->n);
    abdm_db_blob(stmt, 2, head->mac, ABDM_MAC_LEN);
    abdm_db_int(stmt, 3, head->base);
    abdm_db_blob(stmt, 4, head->base_mac, ABDM_MAC_LEN);
    abdm_db_int(stmt, 5, head->base_at);
    abdm_db_blob(stmt, 6, sum, ABDM_MAC_LEN);
    return abdm_db_run(stmt);
}


abdm_err_t
abdm_audit_flush(abdm_store_t *store)
{
    if (!store->audit.dirty) {
        return ABDM_NO_ERR;
    }
    ABDM_TRY(put_head(store, &store->audit.head));
    store->audit.dirty = false;
    return ABDM_NO_ERR;
}


/* Gives the row behind the end its MAC and moves the end. */
static abdm_err_t
chain(abdm_store_t *store, const abdm_audit_row_t *row)
{
    abdm_audit_head_t *head = &store->audit.head;
    uint8_t mac[ABDM_MAC_LEN];

    ABDM_TRY(abdm_audit_mac(store, row, head->mac, mac));
    memcpy(head->mac, mac, ABDM_MAC_LEN);
    head->n = row->n;
    store->audit.dirty = true;
    return ABDM_NO_ERR;
}


static abdm_err_t
insert(abdm_store_t *store, abdm_audit_row_t *row)
{
    abdm_audit_head_t *head = &store->audit.head;
    sqlite3_stmt *stmt;
    abdm_err_t err;

    row->n = head->n + 1;
    ABDM_TRY(chain(store, row));
    stmt = abdm_db_use(store, SQL_AUDIT_ADD, &err);
    if (stmt == NULL) {
        return err;
    }
    abdm_db_int(stmt, 1, row->n);
    abdm_db_int(stmt, 2, row->at);
    for (int i = 0; i < ABDM_AUDIT_TEXTS; i++) {
        if (row->text[i].p != NULL) {
            sqlite3_bind_text64(stmt, 3 + i, row->text[i].p, row->text[i].len, SQLITE_STATIC,
                                SQLITE_UTF8);
        }
    }
    if (row->documents != 0) {
        abdm_db_int(stmt, 3 + ABDM_AUDIT_TEXTS, row->documents);
    }
    abdm_db_blob(stmt, 4 + ABDM_AUDIT_TEXTS, head->mac, ABDM_MAC_LEN);
    return abdm_db_run(stmt);
}


/* One row of before the chain, the next one behind the end. *row: there was one. */
static abdm_err_t
take_in_next(abdm_store_t *store, bool *found)
{
    abdm_audit_row_t row;
    abdm_err_t err;
    sqlite3_stmt *stmt = abdm_db_use(store, SQL_AUDIT_ROWS, &err);

    *found = false;
    if (stmt == NULL) {
        return err;
    }
    abdm_db_int(stmt, 1, store->audit.head.n);
    ABDM_TRY(abdm_db_row(stmt, found));
    if (*found) {
        (void) abdm_audit_read(stmt, &row); /* of whatever types: nobody vouches for it yet */
        err = chain(store, &row);
    }
    abdm_db_end(stmt);
    if (*found && !abdm_failed(err)) {
        stmt = abdm_db_use(store, SQL_AUDIT_TAKE_IN, &err);
        if (stmt != NULL) {
            abdm_db_int(stmt, 1, store->audit.head.n);
            abdm_db_blob(stmt, 2, store->audit.head.mac, ABDM_MAC_LEN);
            err = abdm_db_run(stmt);
        }
    }
    return err;
}


/* The chain begins: with what versions without one have written, if there is any. */
static abdm_err_t
begin(abdm_store_t *store, abdm_ms_t now)
{
    abdm_audit_row_t row = {.at = now};
    int64_t chained, taken = 0;
    bool found = true;
    char detail[64];

    ABDM_TRY(number(store, SQL_AUDIT_CHAINED, &chained));
    if (chained != 0) {
        return ABDM_ERR(AUDIT, "audit_head: it is gone, and rows of the chain are there");
    }
    while (found) {
        ABDM_TRY(take_in_next(store, &found));
        taken += found;
    }
    if (taken == 0) {
        return ABDM_NO_ERR;
    }
    snprintf(detail, sizeof(detail), "%lld rows taken in", (long long) taken);
    row.text[ABDM_AUDIT_HIP] = row.text[ABDM_AUDIT_SUBJECT] = abdm_str("");
    row.text[ABDM_AUDIT_WHAT] = abdm_str("audit chain begins");
    row.text[ABDM_AUDIT_DETAIL] = abdm_str(detail);
    return insert(store, &row);
}


static abdm_err_t
load(abdm_store_t *store, abdm_ms_t now)
{
    bool found;

    if (store->audit.loaded) {
        return ABDM_NO_ERR;
    }
    ABDM_TRY(abdm_audit_head(store, &store->audit.head, &found));
    if (!found) {
        ABDM_TRY(begin(store, now));
    }
    store->audit.loaded = true;
    return ABDM_NO_ERR;
}


abdm_err_t
abdm_audit_ready(abdm_store_t *store, abdm_ms_t now)
{
    return sqlite3_get_autocommit(store->db) ? ABDM_NO_ERR : load(store, now);
}


static abdm_err_t
append(abdm_store_t *store, abdm_audit_row_t *row)
{
    ABDM_TRY(load(store, row->at));
    return insert(store, row);
}


abdm_err_t
abdm_audit_append(abdm_store_t *store, abdm_audit_row_t *row)
{
    abdm_err_t err;

    if (!sqlite3_get_autocommit(store->db)) {
        return append(store, row);
    }
    ABDM_TRY(abdm_store_begin(store)); /* row and end belong together */
    err = append(store, row);
    if (!abdm_failed(err)) {
        err = abdm_store_commit(store);
    }
    if (abdm_failed(err)) {
        abdm_store_rollback(store);
    }
    return err;
}


abdm_err_t
abdm_audit_note(abdm_store_t *store, abdm_ms_t at, const char *hip_id, const char *subject,
                const char *what, abdm_code_t code, const char *detail)
{
    abdm_audit_row_t row = {.at = at};

    row.text[ABDM_AUDIT_HIP] = abdm_str(hip_id);
    row.text[ABDM_AUDIT_SUBJECT] = abdm_str(subject);
    row.text[ABDM_AUDIT_WHAT] = abdm_str(what);
    if (code != ABDM_OK) {
        row.text[ABDM_AUDIT_CODE] = abdm_str(abdm_error_info(code)->name);
    }
    if (detail != NULL) {
        row.text[ABDM_AUDIT_DETAIL] = abdm_str(detail);
    }
    if (store->caller != NULL) {
        row.text[ABDM_AUDIT_CALLER] = abdm_str(store->caller);
    }
    if (store->request_id != NULL) {
        row.text[ABDM_AUDIT_REQUEST_ID] = abdm_str(store->request_id);
    }
    return abdm_audit_append(store, &row);
}


/* --- the beginning and the end --- */

/* Rows from the beginning that are older than `before`: the last of them, with its MAC, once all
 * of them have verified. */
static abdm_err_t
find_old(abdm_store_t *store, abdm_ms_t before, abdm_audit_head_t *head, int *n)
{
    uint8_t mac[ABDM_MAC_LEN];
    abdm_audit_row_t row;
    abdm_err_t err;
    sqlite3_stmt *stmt = abdm_db_use(store, SQL_AUDIT_ROWS, &err);
    bool found = true;

    *n = 0;
    if (stmt == NULL) {
        return err;
    }
    abdm_db_int(stmt, 1, head->base);
    while (*n < PRUNE_MOST) {
        const uint8_t *kept;

        err = abdm_db_row(stmt, &found);
        if (abdm_failed(err) || !found) {
            break;
        }
        found = abdm_audit_read(stmt, &row);
        if (row.at >= before) {
            break;
        }
        err = abdm_audit_mac(store, &row, head->base_mac, mac);
        kept = abdm_audit_mac_of(stmt);
        if (!abdm_failed(err) && (!found || kept == NULL || memcmp(mac, kept, sizeof(mac)) != 0)) {
            err = ABDM_ERR(AUDIT, "rows past their time do not verify, and stay");
        }
        if (abdm_failed(err)) {
            break;
        }
        head->base = row.n;
        memcpy(head->base_mac, mac, sizeof(mac));
        (*n)++;
    }
    abdm_db_end(stmt);
    return err;
}


abdm_err_t
abdm_store_audit_prune(abdm_store_t *store, abdm_ms_t now, abdm_ms_t keep, bool *more)
{
    abdm_audit_head_t *head = &store->audit.head, pruned;
    char detail[64];
    int n;

    *more = false;
    if (keep == 0) {
        return ABDM_NO_ERR;
    }
    ABDM_TRY(load(store, now));
    pruned = *head;
    ABDM_TRY(find_old(store, now - keep - DAY, &pruned, &n)); /* a look, once a day */
    if (n == 0) {
        return ABDM_NO_ERR;
    }
    pruned = *head;
    ABDM_TRY(find_old(store, now - keep, &pruned, &n));
    *head = pruned;
    head->base_at = now;
    ABDM_TRY(put_head(store, head)); /* the trip-wire looks there */
    ABDM_TRY(abdm_db_run_id(store, SQL_AUDIT_PRUNE, head->base, 0));
    *more = n == PRUNE_MOST;
    snprintf(detail, sizeof(detail), "%d rows, up to %lld", n, (long long) head->base);
    return abdm_audit_note(store, now, "", "", "audit pruned", ABDM_OK, detail);
}


abdm_err_t
abdm_store_audit_restart(abdm_store_t *store, abdm_ms_t now)
{
    abdm_audit_head_t *head = &store->audit.head;
    abdm_err_t err;

    ABDM_TRY(abdm_store_begin(store));
    store->audit.loaded = true; /* what it says is of no matter */
    err = number(store, SQL_AUDIT_LAST, &head->n);
    if (!abdm_failed(err)) {
        head->base = head->n;
        head->base_at = now;
        err = abdm_audit_note(store, now, "", "", "audit chain begun anew", ABDM_E_AUDIT, NULL);
    }
    if (!abdm_failed(err)) {
        err = abdm_store_commit(store);
    }
    if (abdm_failed(err)) {
        abdm_store_rollback(store);
    }
    return err;
}


abdm_err_t
abdm_store_audit_anchor(abdm_store_t *store, char anchor[ABDM_ANCHOR_TEXT])
{
    char mac[2 * ABDM_MAC_LEN + 1];
    abdm_audit_head_t head;
    bool found;

    anchor[0] = '\0';
    ABDM_TRY(abdm_audit_head(store, &head, &found));
    if (found) {
        abdm_audit_hex(head.mac, mac);
        snprintf(anchor, ABDM_ANCHOR_TEXT, "%lld:%s", (long long) head.n, mac);
    }
    return ABDM_NO_ERR;
}
