/* Inside store/ only: the connection, its prepared statements, and short ways to bind. */
#ifndef ABDM_STORE_DB_H
#define ABDM_STORE_DB_H

#include <sqlite3.h>

#include "store/store.h"

/* Every statement, prepared once per connection: ABDM_SQL(name, text). */
typedef enum {
#define ABDM_SQL(name, text) SQL_##name,
#include "store/sql.def"
#undef ABDM_SQL
    SQL_STATEMENTS
} abdm_sql_t;

struct abdm_store_s {
    abdm_view_t view; /* first: a view is its store */
    sqlite3 *db;
    const abdm_seal_key_t *key;
    sqlite3_stmt *stmt[SQL_STATEMENTS];
};

/* The statement, reset and without bindings; NULL with *err set when it cannot be prepared. */
sqlite3_stmt *abdm_db_use(abdm_store_t *store, abdm_sql_t sql, abdm_err_t *err);

void abdm_db_text(sqlite3_stmt *stmt, int i, const char *text); /* NULL binds NULL; borrowed */
void abdm_db_int(sqlite3_stmt *stmt, int i, int64_t value);
void abdm_db_blob(sqlite3_stmt *stmt, int i, const void *p, size_t len); /* borrowed */

/* Runs a statement that gives no row (and resets it). */
abdm_err_t abdm_db_run(sqlite3_stmt *stmt);
/* Steps: *row tells whether there is one. The caller resets when done (abdm_db_end). */
abdm_err_t abdm_db_row(sqlite3_stmt *stmt, bool *row);
void abdm_db_end(sqlite3_stmt *stmt);

/* Copy of a text column; NULL for NULL. Sets *err to E_MEMORY when there is none left. */
char *abdm_db_copy(sqlite3_stmt *stmt, int column, abdm_err_t *err);

abdm_err_t abdm_db_err(int rc);
abdm_err_t abdm_db_exec(sqlite3 *db, const char *sql);
abdm_err_t abdm_db_connect(const char *url, sqlite3 **db);

/* schema.c: brings the database to this version inside one transaction. */
abdm_err_t abdm_schema_migrate(sqlite3 *db);
abdm_err_t abdm_schema_check(sqlite3 *db);

/* state.c */
void abdm_view_init(abdm_view_t *view);

#endif
