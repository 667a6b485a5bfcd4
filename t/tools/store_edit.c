/*
 * store_edit FILE SQL: runs statements on a store's file, as somebody does who has it and not its
 * key; the trip-wires of the audit are removed first. For t/e2e/audit.t.
 */
#include <sqlite3.h>
#include <stdio.h>


int
main(int argc, char **argv)
{
    static const char disarm[] = "DROP TRIGGER IF EXISTS audit_is_not_changed;"
                                 "DROP TRIGGER IF EXISTS audit_is_not_deleted;";
    char *problem = NULL;
    sqlite3 *db = NULL;

    if (argc != 3) {
        fputs("usage: store_edit FILE SQL\n", stderr);
        return 2;
    }
    if (sqlite3_open_v2(argv[1], &db, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK
        || sqlite3_busy_timeout(db, 5000) != SQLITE_OK
        || sqlite3_exec(db, disarm, NULL, NULL, &problem) != SQLITE_OK
        || sqlite3_exec(db, argv[2], NULL, NULL, &problem) != SQLITE_OK) {
        fprintf(stderr, "%s: %s\n", argv[1], problem != NULL ? problem : sqlite3_errmsg(db));
        sqlite3_free(problem);
        sqlite3_close(db);
        return 1;
    }
    return sqlite3_close(db) == SQLITE_OK ? 0 : 1;
}
