/*
 * Verifying the audit: its end, then row after row. At the first row that does not verify it says
 * what happened to it: whether the row that belongs there stands elsewhere, is gone, or has other
 * content. What an older copy of the whole store hides is found by an anchor told elsewhere.
 */
#include <stdlib.h>
#include <string.h>

#include "store/db.h"

typedef struct {
    abdm_store_t *store;
    abdm_audit_verdict_t *out;
    abdm_audit_head_t head;
    uint8_t before[ABDM_MAC_LEN]; /* MAC of the row before */
    int64_t last;                 /* its number */
    bool anchored;
    int64_t anchor_n;
    uint8_t anchor_mac[ABDM_MAC_LEN];
    int64_t stands;             /* number of the row that does not verify; 0: none yet */
    uint8_t kept[ABDM_MAC_LEN]; /* the MAC it has */
} walk_t;


static void
fault(walk_t *w, int64_t row, const char *what)
{
    if (w->out->fault == NULL) {
        w->out->fault = what;
        w->out->fault_row = row;
    }
}


/* --- anchors --- */

static abdm_err_t
parse_anchor(walk_t *w, const char *text)
{
    static const char digits[] = "0123456789abcdef";
    char *end;

    w->anchor_n = strtoll(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || w->anchor_n < 1 || *end != ':'
        || strlen(end + 1) != 2 * ABDM_MAC_LEN
        || strspn(end + 1, digits) != 2 * ABDM_MAC_LEN) {
        return ABDM_ERR(FIELD, "anchor: NUMBER:MAC expected, as the log or verify gives it");
    }
    for (size_t i = 0; i < ABDM_MAC_LEN; i++) {
        const char *p = end + 1 + 2 * i;

        w->anchor_mac[i] =
            (uint8_t) ((strchr(digits, p[0]) - digits) << 4 | (strchr(digits, p[1]) - digits));
    }
    w->anchored = true;
    return ABDM_NO_ERR;
}


static void
hold_against_anchor(walk_t *w, int64_t n, const uint8_t mac[ABDM_MAC_LEN])
{
    if (w->anchored && n == w->anchor_n && memcmp(mac, w->anchor_mac, ABDM_MAC_LEN) != 0) {
        fault(w, n, "is another row than the anchor tells of");
    }
}


/* --- the walk --- */

/* What happened where row w->last + 1 is expected, and another stands or one with other content:
 * looks for the content that would fit. */
static abdm_err_t
find_out(walk_t *w)
{
    const int64_t expected = w->last + 1;
    abdm_err_t err;
    sqlite3_stmt *stmt = abdm_db_use(w->store, SQL_AUDIT_ROWS, &err);
    bool found = stmt != NULL;

    if (stmt == NULL) {
        return err;
    }
    abdm_db_int(stmt, 1, w->last);
    while (found && !abdm_failed(err) && w->out->fault == NULL) {
        uint8_t mac[ABDM_MAC_LEN];
        abdm_audit_row_t row;
        const uint8_t *own;
        int64_t at;

        err = abdm_db_row(stmt, &found);
        if (abdm_failed(err) || !found) {
            break;
        }
        (void) abdm_audit_read(stmt, &row);
        own = abdm_audit_mac_of(stmt);
        at = row.n;
        row.n = expected;
        err = abdm_audit_mac(w->store, &row, w->before, mac);
        if (!abdm_failed(err) && at != expected
            && (memcmp(mac, w->kept, sizeof(mac)) == 0
                || (own != NULL && memcmp(mac, own, sizeof(mac)) == 0))) {
            fault(w, expected, "is not in its place");
            w->out->fault_at = at;
        }
    }
    abdm_db_end(stmt);
    fault(w, expected, w->stands > expected ? "is missing" : "was changed");
    return err;
}


/* `read` tells whether the row's columns are of the types that were written. */
static abdm_err_t
check_row(walk_t *w, const abdm_audit_row_t *row, bool read, const uint8_t *kept)
{
    uint8_t mac[ABDM_MAC_LEN];

    ABDM_TRY(abdm_audit_mac(w->store, row, w->before, mac));
    if (!read || kept == NULL || memcmp(mac, kept, sizeof(mac)) != 0) {
        w->stands = row->n;
        if (kept != NULL) {
            memcpy(w->kept, kept, sizeof(w->kept));
        }
        return ABDM_NO_ERR;
    }
    if (row->n > w->head.n) {
        fault(w, row->n, "stands behind the end");
        return ABDM_NO_ERR;
    }
    memcpy(w->before, mac, sizeof(mac));
    w->last = row->n;
    w->out->rows++;
    if (w->out->first == 0) {
        w->out->first = row->n;
    }
    hold_against_anchor(w, row->n, mac);
    return ABDM_NO_ERR;
}


static abdm_err_t
walk(walk_t *w)
{
    abdm_audit_row_t row;
    abdm_err_t err;
    sqlite3_stmt *stmt = abdm_db_use(w->store, SQL_AUDIT_ROWS, &err);
    bool found = stmt != NULL;

    if (stmt == NULL) {
        return err;
    }
    abdm_db_int(stmt, 1, w->last);
    while (!abdm_failed(err) && w->stands == 0 && w->out->fault == NULL) {
        err = abdm_db_row(stmt, &found);
        if (abdm_failed(err) || !found) {
            break;
        }
        found = abdm_audit_read(stmt, &row);
        err = check_row(w, &row, found, abdm_audit_mac_of(stmt));
    }
    abdm_db_end(stmt);
    return !abdm_failed(err) && w->stands != 0 ? find_out(w) : err;
}


static void
check_end(walk_t *w)
{
    if (w->last < w->head.n) {
        fault(w, w->last + 1, "and all behind it are missing: the end was cut off");
    } else if (memcmp(w->before, w->head.mac, ABDM_MAC_LEN) != 0) {
        fault(w, w->last, "is not the row that the end tells of");
    }
    if (w->anchored && w->anchor_n > w->head.n) {
        fault(w, w->anchor_n, "is in the anchor and not here: this is an older store, or another");
    }
}


static abdm_err_t
count(abdm_store_t *store, int64_t base, int64_t *n)
{
    abdm_err_t err;
    sqlite3_stmt *stmt = abdm_db_use(store, SQL_AUDIT_OLDER, &err);

    if (stmt == NULL) {
        return err;
    }
    abdm_db_int(stmt, 1, base);
    return abdm_db_number(stmt, n);
}


/* No end: either nothing was written since the chain exists, or the end is gone. */
static abdm_err_t
check_headless(walk_t *w)
{
    abdm_err_t err;
    sqlite3_stmt *stmt = abdm_db_use(w->store, SQL_AUDIT_CHAINED, &err);
    bool row;

    if (stmt == NULL) {
        return err;
    }
    ABDM_TRY(abdm_db_row(stmt, &row));
    if (sqlite3_column_int(stmt, 0) != 0) {
        fault(w, 0, "the end of the chain is gone");
    }
    abdm_db_end(stmt);
    check_end(w); /* an anchor may tell of rows */
    return count(w->store, INT64_MAX, &w->out->outside);
}


static abdm_err_t
verify(walk_t *w)
{
    static const uint8_t none[ABDM_MAC_LEN];
    abdm_audit_verdict_t *out = w->out;
    char mac[2 * ABDM_MAC_LEN + 1];
    bool found, altered;
    abdm_err_t err;

    err = abdm_audit_head(w->store, &w->head, &found);
    altered = err.code == ABDM_E_AUDIT;
    if (abdm_failed(err) && !altered) {
        return err;
    }
    if (!found) {
        return check_headless(w);
    }
    w->last = out->base = w->head.base;
    out->base_at = w->head.base_at;
    memcpy(w->before, w->head.base_mac, ABDM_MAC_LEN);
    ABDM_TRY(count(w->store, w->head.base, &out->outside));
    if (w->anchored
        && (w->anchor_n < w->head.base
            || (w->anchor_n == w->head.base && memcmp(w->before, none, sizeof(none)) == 0))) {
        out->anchor_pruned = true;
    } else {
        hold_against_anchor(w, w->head.base, w->head.base_mac);
    }
    if (!altered) {
        ABDM_TRY(walk(w));
        out->last = out->rows > 0 ? w->last : 0;
        check_end(w);
    } else {
        fault(w, 0, "the end of the chain was altered, or this is not the store's key");
    }
    abdm_audit_hex(w->before, mac);
    snprintf(out->anchor, sizeof(out->anchor), "%lld:%s", (long long) w->last, mac);
    return ABDM_NO_ERR;
}


abdm_err_t
abdm_store_audit_verify(abdm_store_t *store, const char *anchor, abdm_audit_verdict_t *verdict)
{
    walk_t w = {.store = store, .out = verdict};
    sqlite3_stmt *stmt;
    abdm_err_t err;

    memset(verdict, 0, sizeof(*verdict));
    if (anchor != NULL) {
        ABDM_TRY(parse_anchor(&w, anchor));
    }
    stmt = abdm_db_use(store, SQL_READ, &err); /* rows and end of one moment */
    if (stmt == NULL) {
        return err;
    }
    ABDM_TRY(abdm_db_run(stmt));
    err = verify(&w);
    abdm_store_rollback(store);
    return err;
}
