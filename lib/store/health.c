/* Whether the work is being done, in one look at the tables. */
#include "store/db.h"


abdm_err_t
abdm_store_health(abdm_store_t *store, abdm_ms_t now, abdm_store_health_t *out)
{
    abdm_err_t err;
    sqlite3_stmt *stmt = abdm_db_use(store, SQL_HEALTH, &err);
    bool row;

    *out = (abdm_store_health_t){0};
    ABDM_TRY(err);
    abdm_db_int(stmt, 1, now);
    abdm_db_int(stmt, 2, ABDM_LINK_FAILED);
    ABDM_TRY(abdm_db_row(stmt, &row));
    if (row) {
        out->version = sqlite3_column_int(stmt, 0);
        out->owners = sqlite3_column_int64(stmt, 1);
        out->callbacks = sqlite3_column_int64(stmt, 2);
        out->jobs = sqlite3_column_int64(stmt, 3);
        out->due_since = sqlite3_column_int64(stmt, 4);
        out->failed_links = sqlite3_column_int64(stmt, 5);
        out->blocked = sqlite3_column_int64(stmt, 6);
    }
    abdm_db_end(stmt);
    return ABDM_NO_ERR;
}
