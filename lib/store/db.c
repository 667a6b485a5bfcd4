/*
 * The SQLite connection: WAL, synchronous=FULL (what was acknowledged survives a power cut),
 * foreign keys. The busy handler sleeps a constant short time, because SQLite's own growing
 * one starves a worker beside a busy one.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "store/db.h"

enum {
    BUSY_SLEEP_US = 300,
    BUSY_TRIES = 5 * 1000 * 1000 / BUSY_SLEEP_US, /* five seconds */
    LOG_PAGES = 1000, /* SQLite's log of writes is then copied to the database... */
    LOG_MOST = 4000,  /* ...and, at 16 MB, begun anew */
    PATH_MAX_BYTES = 1024
};

static const char *const texts[] = {
#define ABDM_SQL(name, text) text,
#include "store/sql.def"
#undef ABDM_SQL
};


static int
on_busy(void *ctx, int tries)
{
    const struct timespec pause = {0, BUSY_SLEEP_US * 1000L};

    (void) ctx;
    if (tries >= BUSY_TRIES) {
        return 0;
    }
    nanosleep(&pause, NULL);
    return 1;
}


/* Where SQLite's own rule stops short: while two workers write by turns without a rest, it never finds
 * the moment to begin the log anew. From LOG_MOST on, whoever commits holds the others back for what
 * is not copied yet. It waits for nobody itself: an operator may be reading a long export. */
static int
on_commit(void *ctx, sqlite3 *db, const char *name, int pages)
{
    (void) ctx;
    if (pages < LOG_PAGES) {
        return SQLITE_OK;
    }
    sqlite3_busy_handler(db, NULL, NULL);
    (void) sqlite3_wal_checkpoint_v2(
        db, name, pages < LOG_MOST ? SQLITE_CHECKPOINT_PASSIVE : SQLITE_CHECKPOINT_RESTART, NULL,
        NULL); /* the next commit comes by here too */
    sqlite3_busy_handler(db, on_busy, NULL);
    return SQLITE_OK;
}


abdm_err_t
abdm_db_err(int rc)
{
    if ((rc & 0xff) == SQLITE_BUSY || (rc & 0xff) == SQLITE_LOCKED) {
        return ABDM_ERR(STORE_BUSY, sqlite3_errstr(rc));
    }
    if (rc == SQLITE_NOMEM) {
        return ABDM_ERR(MEMORY, "database");
    }
    return ABDM_ERR(STORE, sqlite3_errstr(rc));
}


abdm_err_t
abdm_db_exec(sqlite3 *db, const char *sql)
{
    int rc = sqlite3_exec(db, sql, NULL, NULL, NULL);

    return rc == SQLITE_OK ? ABDM_NO_ERR : abdm_db_err(rc);
}


static const char *
path_of(const char *url)
{
    static const char scheme[] = "sqlite:";

    if (url == NULL || strncmp(url, scheme, sizeof(scheme) - 1) != 0) {
        return NULL;
    }
    return url[sizeof(scheme) - 1] == '/' ? url + sizeof(scheme) - 1 : NULL;
}


abdm_err_t
abdm_store_check_url(const char *url, char problem[512])
{
    const char *path = path_of(url);
    const char *slash;
    char dir[PATH_MAX_BYTES];

    if (path == NULL || strlen(path) >= sizeof(dir) - 8) {
        snprintf(problem, 512, "abdm_store \"%.200s\": expected sqlite:/absolute/path/of/file", url);
        return ABDM_ERR(CONFIG, "abdm_store");
    }
    slash = strrchr(path, '/');
    snprintf(dir, sizeof(dir), "%.*s", (int) (slash - path), path);
    if (access(dir[0] == '\0' ? "/" : dir, W_OK | X_OK) != 0) {
        snprintf(problem, 512, "abdm_store \"%.200s\": its directory: %s", url, strerror(errno));
        return ABDM_ERR(CONFIG, "abdm_store");
    }
    return ABDM_NO_ERR;
}


abdm_err_t
abdm_db_connect(const char *url, sqlite3 **db)
{
    const char *path = path_of(url);
    abdm_err_t err;
    int rc;

    *db = NULL;
    if (path == NULL) {
        return ABDM_ERR(CONFIG, "abdm_store: sqlite:/absolute/path expected");
    }
    rc = sqlite3_open_v2(path, db,
                         SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
    if (rc != SQLITE_OK) {
        sqlite3_close(*db);
        *db = NULL;
        return abdm_db_err(rc);
    }
    sqlite3_busy_handler(*db, on_busy, NULL);
    (void) sqlite3_wal_hook(*db, on_commit, NULL);
    err = abdm_db_exec(*db, "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;"
                            "PRAGMA secure_delete = ON; PRAGMA trusted_schema = OFF;"
                            "PRAGMA temp_store = MEMORY; PRAGMA cache_size = -4096;");
    if (abdm_failed(err)) {
        sqlite3_close(*db);
        *db = NULL;
    }
    return err;
}


static abdm_err_t
give_files(const char *path, uid_t owner, gid_t group)
{
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    char file[PATH_MAX_BYTES];

    for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
        snprintf(file, sizeof(file), "%s%s", path, suffixes[i]);
        if (chown(file, owner, group) != 0 && errno != ENOENT) {
            return ABDM_ERR(SYSTEM, "chown of the database");
        }
        if (chmod(file, 0600) != 0 && errno != ENOENT) {
            return ABDM_ERR(SYSTEM, "chmod of the database");
        }
    }
    return ABDM_NO_ERR;
}


/* SQLite would make it as the umask has it, and its other files like it. */
static abdm_err_t
make_file(const char *path)
{
    int fd = path != NULL ? open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;

    if (path != NULL && fd < 0) {
        return ABDM_ERR(STORE, "the file of the database cannot be made");
    }
    if (fd >= 0) {
        close(fd);
    }
    return ABDM_NO_ERR;
}


abdm_err_t
abdm_store_prepare(const char *url, const abdm_seal_key_t *key, uid_t owner, gid_t group,
                   char problem[512])
{
    sqlite3 *db = NULL;
    abdm_err_t err;

    err = make_file(path_of(url));
    if (!abdm_failed(err)) {
        err = abdm_db_connect(url, &db);
    }
    if (!abdm_failed(err)) {
        err = abdm_db_exec(db, "PRAGMA journal_mode = WAL");
    }
    if (!abdm_failed(err)) {
        err = abdm_schema_migrate(db);
    }
    if (!abdm_failed(err)) {
        err = abdm_secret_bind(db, key);
    }
    if (!abdm_failed(err) && owner != (uid_t) -1) {
        err = give_files(path_of(url), owner, group); /* while -wal and -shm exist */
    }
    sqlite3_close(db);
    if (abdm_failed(err)) {
        snprintf(problem, 512, "abdm_store \"%s\": %s: %s", url, abdm_error_info(err.code)->meaning,
                 err.what);
    }
    return err;
}


abdm_err_t
abdm_store_open(const char *url, const abdm_seal_key_t *key, abdm_store_t **out)
{
    abdm_store_t *store;
    abdm_err_t err;

    *out = NULL;
    store = calloc(1, sizeof(*store));
    if (store == NULL) {
        return ABDM_ERR(MEMORY, "store");
    }
    store->key = key;
    abdm_view_init(&store->view);
    err = abdm_db_connect(url, &store->db);
    if (!abdm_failed(err) && key != NULL) {
        err = abdm_sealer_new(key, &store->sealer);
    }
    if (!abdm_failed(err) && key != NULL) {
        err = abdm_mac_new(key, "abdm audit chain", &store->mac);
    }
    if (!abdm_failed(err)) {
        err = abdm_schema_check(store->db);
    }
    if (!abdm_failed(err) && key != NULL) {
        err = abdm_secret_check(store->db, key);
    }
    if (abdm_failed(err)) {
        abdm_store_close(store);
        return err;
    }
    *out = store;
    return ABDM_NO_ERR;
}


void
abdm_store_close(abdm_store_t *store)
{
    if (store == NULL) {
        return;
    }
    for (size_t i = 0; i < SQL_STATEMENTS; i++) {
        sqlite3_finalize(store->stmt[i]);
    }
    for (size_t i = 0; i < ABDM_ROWS; i++) {
        for (size_t j = 0; j < ABDM_ROW_SQLS; j++) {
            sqlite3_finalize(store->row_stmt[i][j]);
        }
    }
    sqlite3_close(store->db);
    abdm_sealer_free(store->sealer);
    abdm_mac_free(store->mac);
    free(store);
}


abdm_err_t
abdm_db_prepare(abdm_store_t *store, const char *sql, sqlite3_stmt **stmt)
{
    int rc = sqlite3_prepare_v3(store->db, sql, -1, SQLITE_PREPARE_PERSISTENT, stmt, NULL);

    return rc == SQLITE_OK ? ABDM_NO_ERR : abdm_db_err(rc);
}


sqlite3_stmt *
abdm_db_use(abdm_store_t *store, abdm_sql_t sql, abdm_err_t *err)
{
    *err = ABDM_NO_ERR;
    if (store->stmt[sql] == NULL) {
        *err = abdm_db_prepare(store, texts[sql], &store->stmt[sql]);
        if (abdm_failed(*err)) {
            return NULL;
        }
    }
    sqlite3_clear_bindings(store->stmt[sql]);
    return store->stmt[sql];
}


sqlite3_stmt *
abdm_db_keyed(abdm_store_t *store, abdm_sql_t sql, const char *hip_id, const char *id,
              abdm_err_t *err)
{
    sqlite3_stmt *stmt = abdm_db_use(store, sql, err);

    if (stmt != NULL) {
        abdm_db_text(stmt, 1, hip_id);
        abdm_db_text(stmt, 2, id);
    }
    return stmt;
}


void
abdm_db_text(sqlite3_stmt *stmt, int i, const char *text)
{
    sqlite3_bind_text(stmt, i, text, -1, SQLITE_STATIC);
}


void
abdm_db_int(sqlite3_stmt *stmt, int i, int64_t value)
{
    sqlite3_bind_int64(stmt, i, value);
}


void
abdm_db_blob(sqlite3_stmt *stmt, int i, const void *p, size_t len)
{
    sqlite3_bind_blob64(stmt, i, p, len, SQLITE_STATIC);
}


abdm_err_t
abdm_db_run(sqlite3_stmt *stmt)
{
    int rc = sqlite3_step(stmt);

    sqlite3_reset(stmt);
    return rc == SQLITE_DONE || rc == SQLITE_ROW ? ABDM_NO_ERR : abdm_db_err(rc);
}


abdm_err_t
abdm_db_row(sqlite3_stmt *stmt, bool *row)
{
    int rc = sqlite3_step(stmt);

    *row = rc == SQLITE_ROW;
    if (rc == SQLITE_ROW || rc == SQLITE_DONE) {
        return ABDM_NO_ERR;
    }
    sqlite3_reset(stmt);
    return abdm_db_err(rc);
}


void
abdm_db_end(sqlite3_stmt *stmt)
{
    sqlite3_reset(stmt);
}


abdm_err_t
abdm_db_number(sqlite3_stmt *stmt, int64_t *n)
{
    bool row;

    *n = 0;
    ABDM_TRY(abdm_db_row(stmt, &row));
    if (row) {
        *n = sqlite3_column_int64(stmt, 0);
    }
    abdm_db_end(stmt);
    return ABDM_NO_ERR;
}


abdm_err_t
abdm_db_run_id(abdm_store_t *store, abdm_sql_t sql, int64_t id, int64_t second)
{
    abdm_err_t err;
    sqlite3_stmt *stmt = abdm_db_use(store, sql, &err);

    if (stmt == NULL) {
        return err;
    }
    abdm_db_int(stmt, 1, id);
    if (sqlite3_bind_parameter_count(stmt) > 1) {
        abdm_db_int(stmt, 2, second);
    }
    return abdm_db_run(stmt);
}


abdm_err_t
abdm_db_run_id_text(abdm_store_t *store, abdm_sql_t sql, int64_t id, const char *text)
{
    abdm_err_t err;
    sqlite3_stmt *stmt = abdm_db_use(store, sql, &err);

    if (stmt == NULL) {
        return err;
    }
    abdm_db_int(stmt, 1, id);
    abdm_db_text(stmt, 2, text);
    return abdm_db_run(stmt);
}


char *
abdm_db_copy(sqlite3_stmt *stmt, int column, abdm_err_t *err)
{
    const char *text = (const char *) sqlite3_column_text(stmt, column);
    char *copy;

    if (text == NULL) {
        return NULL;
    }
    copy = strdup(text);
    if (copy == NULL) {
        *err = ABDM_ERR(MEMORY, "row");
    }
    return copy;
}


static abdm_err_t
run(abdm_store_t *store, abdm_sql_t sql)
{
    abdm_err_t err;
    sqlite3_stmt *stmt = abdm_db_use(store, sql, &err);

    return stmt == NULL ? err : abdm_db_run(stmt);
}


abdm_err_t
abdm_store_begin(abdm_store_t *store)
{
    store->last_job = 0;
    store->changes = sqlite3_total_changes(store->db);
    store->audit = store->marked = (abdm_audit_end_t){0};
    return run(store, SQL_BEGIN);
}


abdm_err_t
abdm_store_commit(abdm_store_t *store)
{
    ABDM_TRY(abdm_audit_flush(store));
    return run(store, SQL_COMMIT);
}


bool
abdm_store_wrote(const abdm_store_t *store)
{
    return sqlite3_total_changes(store->db) != store->changes;
}


void
abdm_store_rollback(abdm_store_t *store)
{
    store->audit = (abdm_audit_end_t){0};
    if (!sqlite3_get_autocommit(store->db)) {
        (void) run(store, SQL_ROLLBACK);
    }
}


abdm_err_t
abdm_store_mark(abdm_store_t *store)
{
    store->marked = store->audit;
    return run(store, SQL_MARK);
}


abdm_err_t
abdm_store_keep(abdm_store_t *store)
{
    return run(store, SQL_KEEP);
}


abdm_err_t
abdm_store_undo(abdm_store_t *store)
{
    store->audit = store->marked;
    ABDM_TRY(run(store, SQL_UNDO));
    return run(store, SQL_KEEP);
}


bool
abdm_store_erased(const abdm_store_t *store)
{
    return store->erased;
}


abdm_err_t
abdm_store_purge(abdm_store_t *store)
{
    int rc;

    sqlite3_busy_handler(store->db, NULL, NULL);
    rc = sqlite3_wal_checkpoint_v2(store->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    sqlite3_busy_handler(store->db, on_busy, NULL);
    if (rc != SQLITE_OK) {
        return abdm_db_err(rc);
    }
    store->erased = false;
    return ABDM_NO_ERR;
}
