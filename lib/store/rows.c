/*
 * Rows of core/row.def: read, found, written, deleted and swept by their description. A KEY, TEXT,
 * FOUND or INT member is the column of its name; a SEALED one is sealed there; a HASHED one has the
 * keyed hash in NAME_key beside it, and a KEY_HASH one has nothing but that. Sealed values are tied
 * to table, column and key; hashes to table, column and facility.
 */
#include <stdlib.h>
#include <string.h>

#include "store/db.h"

enum { KEYS_MAX = 4, HASH_TEXT = 65, WHAT_MAX = 64 };

#define ABDM_ROW(row)
#define ABDM_ROW_END(row)                                                                          \
    _Static_assert((int) ABDM_COLS_##row <= (int) ABDM_ROW_COLS_MAX, "members of " #row);
#define M(row, kind, m)
#include "core/row.def"

/* The members of a key as they are on disk. */
typedef struct {
    size_t n;
    const char *text[KEYS_MAX]; /* borrowed, or of `hash` */
    char hash[KEYS_MAX][HASH_TEXT];
} row_key_t;


static bool
is_key(const abdm_member_t *member)
{
    return member->kind == ABDM_MEMBER_KEY || member->kind == ABDM_MEMBER_KEY_HASH;
}


static bool
is_sealed(const abdm_member_t *member)
{
    return member->kind == ABDM_MEMBER_SEALED || member->kind == ABDM_MEMBER_HASHED;
}


static char **
text_of(const void *row, const abdm_member_t *member)
{
    return (char **) (void *) ((char *) row + member->offset);
}


static int64_t *
int_of(const void *row, const abdm_member_t *member)
{
    return (int64_t *) (void *) ((char *) row + member->offset);
}


/* --- statements --- */

/* Appends `"a" SEP "b"...`, each name followed by `after`, of the members that `want` chooses; the
 * column of a key's hash has a name of its own. */
static void
names(abdm_buf_t *sql, const abdm_row_kind_t *kind, bool (*want)(const abdm_member_t *),
      const char *sep, const char *after)
{
    const char *before = "";

    for (size_t i = 0; i < kind->n; i++) {
        const abdm_member_t *member = &kind->member[i];

        if (want == NULL || want(member)) {
            abdm_buf_addf(sql, "%s\"%s%s\"%s", before, member->name,
                          member->kind == ABDM_MEMBER_KEY_HASH ? "_key" : "", after);
            before = sep;
        }
    }
}


static void
where_key(abdm_buf_t *sql, const abdm_row_kind_t *kind)
{
    abdm_buf_addz(sql, " WHERE ");
    names(sql, kind, is_key, " AND ", " = ?");
}


static void
write_select(abdm_buf_t *sql, const abdm_row_kind_t *kind)
{
    abdm_buf_addz(sql, "SELECT ");
    names(sql, kind, NULL, ", ", "");
    abdm_buf_addf(sql, " FROM \"%s\"", kind->table);
}


/* The order of parameters: each member's column, that of its hash behind it. */
static void
write_put(abdm_buf_t *sql, const abdm_row_kind_t *kind)
{
    size_t n = 0;
    const char *sep = "";

    abdm_buf_addf(sql, "INSERT INTO \"%s\" (", kind->table);
    for (size_t i = 0; i < kind->n; i++) {
        const abdm_member_t *m = &kind->member[i];

        abdm_buf_addf(sql, "%s\"%s%s\"", sep, m->name,
                      m->kind == ABDM_MEMBER_KEY_HASH ? "_key" : "");
        sep = ", ";
        if (m->kind == ABDM_MEMBER_HASHED) {
            abdm_buf_addf(sql, ", \"%s_key\"", m->name);
            n++;
        }
        n++;
    }
    abdm_buf_addz(sql, ") VALUES (?");
    while (--n > 0) {
        abdm_buf_addz(sql, ", ?");
    }
    abdm_buf_addz(sql, ") ON CONFLICT (");
    names(sql, kind, is_key, ", ", "");
    abdm_buf_addz(sql, ") DO UPDATE SET ");
    sep = "";
    for (size_t i = 0; i < kind->n; i++) {
        const abdm_member_t *m = &kind->member[i];

        if (is_key(m)) {
            continue;
        }
        abdm_buf_addf(sql, "%s\"%s\" = excluded.\"%s\"", sep, m->name, m->name);
        sep = ", ";
        if (m->kind == ABDM_MEMBER_HASHED) {
            abdm_buf_addf(sql, ", \"%s_key\" = excluded.\"%s_key\"", m->name, m->name);
        }
    }
}


static void
write_sweep(abdm_buf_t *sql, const abdm_row_kind_t *kind)
{
    abdm_buf_addf(sql, "DELETE FROM \"%s\" WHERE (", kind->table);
    names(sql, kind, is_key, ", ", "");
    abdm_buf_addz(sql, ") IN (SELECT ");
    names(sql, kind, is_key, ", ", "");
    abdm_buf_addf(sql, " FROM \"%s\" WHERE keep_until > 0 AND keep_until < ? LIMIT ?)",
                  kind->table);
}


static void
write_find(abdm_buf_t *sql, const abdm_row_kind_t *kind, const abdm_member_t *member)
{
    write_select(sql, kind);
    abdm_buf_addf(sql, " WHERE hip_id = ? AND \"%s%s\" = ? ORDER BY ", member->name,
                  member->kind == ABDM_MEMBER_HASHED ? "_key" : "");
    names(sql, kind, is_key, ", ", "");
    abdm_buf_addz(sql, " LIMIT ?");
}


static abdm_err_t
prepare(abdm_store_t *store, abdm_row_id_t id, int which)
{
    const abdm_row_kind_t *kind = abdm_row_kind(id);
    abdm_buf_t sql = {0};
    abdm_err_t err;
    char *text;

    switch (which) {
    case ABDM_ROW_SQL_GET:
        write_select(&sql, kind);
        where_key(&sql, kind);
        break;
    case ABDM_ROW_SQL_PUT:
        write_put(&sql, kind);
        break;
    case ABDM_ROW_SQL_DELETE:
        abdm_buf_addf(&sql, "DELETE FROM \"%s\"", kind->table);
        where_key(&sql, kind);
        break;
    case ABDM_ROW_SQL_SWEEP:
        write_sweep(&sql, kind);
        break;
    default:
        write_find(&sql, kind, &kind->member[which - ABDM_ROW_SQL_FIND]);
        break;
    }
    text = abdm_buf_take(&sql);
    if (text == NULL) {
        return ABDM_ERR(MEMORY, "statement");
    }
    err = abdm_db_prepare(store, text, &store->row_stmt[id][which]);
    free(text);
    return err;
}


/* As abdm_db_use, for a row. */
static sqlite3_stmt *
use(abdm_store_t *store, abdm_row_id_t id, int which, abdm_err_t *err)
{
    sqlite3_stmt **stmt = &store->row_stmt[id][which];

    *err = *stmt == NULL ? prepare(store, id, which) : ABDM_NO_ERR;
    if (abdm_failed(*err)) {
        return NULL;
    }
    sqlite3_clear_bindings(*stmt);
    return *stmt;
}


/* --- keys and secrets --- */

static abdm_err_t
hash_value(const abdm_store_t *store, const abdm_row_kind_t *kind, const abdm_member_t *member,
           const char *hip_id, const char *value, char out[HASH_TEXT])
{
    char what[WHAT_MAX];

    snprintf(what, sizeof(what), "%s.%s", kind->table, member->name);
    return abdm_db_hash(store, what, hip_id, value, out);
}


/* `hip_id` is the first member of every row. */
static abdm_err_t
key_of(const abdm_store_t *store, const abdm_row_kind_t *kind, const void *row, row_key_t *key)
{
    key->n = 0;
    key->text[0] = "";
    for (size_t i = 0; i < kind->n && key->n < KEYS_MAX; i++) {
        const abdm_member_t *member = &kind->member[i];
        const char *text;

        if (!is_key(member)) {
            continue;
        }
        text = *text_of(row, member);
        if (text == NULL) {
            return ABDM_ERR(INTERNAL, "row: a member of its key is missing");
        }
        if (member->kind == ABDM_MEMBER_KEY_HASH) {
            ABDM_TRY(hash_value(store, kind, member, key->text[0], text, key->hash[key->n]));
            text = key->hash[key->n];
        }
        key->text[key->n++] = text;
    }
    return ABDM_NO_ERR;
}


static void
bind_key(sqlite3_stmt *stmt, const row_key_t *key)
{
    for (size_t i = 0; i < key->n; i++) {
        abdm_db_text(stmt, (int) i + 1, key->text[i]);
    }
}


/* What a sealed value is tied to. */
static void
identity(abdm_buf_t *aad, const abdm_row_kind_t *kind, const abdm_member_t *member,
         const row_key_t *key)
{
    abdm_db_tie(aad, kind->table);
    abdm_db_tie(aad, member->name);
    for (size_t i = 0; i < key->n; i++) {
        abdm_db_tie(aad, key->text[i]);
    }
}


/* --- writing --- */

/* What is bound lives here until the statement has run. */
typedef struct {
    row_key_t key;
    abdm_buf_t sealed[ABDM_ROW_COLS_MAX];
    char hash[ABDM_ROW_COLS_MAX][HASH_TEXT];
} draft_t;


static abdm_err_t
draft(const abdm_store_t *store, const abdm_row_kind_t *kind, const void *row, draft_t *d)
{
    ABDM_TRY(key_of(store, kind, row, &d->key));
    for (size_t i = 0; i < kind->n; i++) {
        const abdm_member_t *member = &kind->member[i];
        abdm_buf_t aad = {0};
        const char *text;
        abdm_err_t err;

        if (!is_sealed(member)) {
            continue;
        }
        text = *text_of(row, member);
        if (text == NULL) {
            continue;
        }
        identity(&aad, kind, member, &d->key);
        err = abdm_db_seal(store, &aad, abdm_str(text), &d->sealed[i]);
        abdm_buf_free(&aad);
        ABDM_TRY(err);
        if (member->kind == ABDM_MEMBER_HASHED) {
            ABDM_TRY(hash_value(store, kind, member, d->key.text[0], text, d->hash[i]));
        }
    }
    return ABDM_NO_ERR;
}


static void
bind_row(sqlite3_stmt *stmt, const abdm_row_kind_t *kind, const void *row, const draft_t *d)
{
    size_t keys = 0;
    int p = 1;

    for (size_t i = 0; i < kind->n; i++) {
        const abdm_member_t *member = &kind->member[i];
        const abdm_buf_t *sealed = &d->sealed[i];

        switch (member->kind) {
        case ABDM_MEMBER_KEY:
        case ABDM_MEMBER_KEY_HASH:
            abdm_db_text(stmt, p++, d->key.text[keys++]);
            break;
        case ABDM_MEMBER_TEXT:
        case ABDM_MEMBER_FOUND:
            abdm_db_text(stmt, p++, *text_of(row, member));
            break;
        case ABDM_MEMBER_INT:
            abdm_db_int(stmt, p++, *int_of(row, member));
            break;
        case ABDM_MEMBER_SEALED:
            abdm_db_blob(stmt, p++, sealed->p, sealed->len);
            break;
        case ABDM_MEMBER_HASHED:
            abdm_db_blob(stmt, p++, sealed->p, sealed->len);
            abdm_db_text(stmt, p++, sealed->p != NULL ? d->hash[i] : NULL);
            break;
        }
    }
}


abdm_err_t
abdm_rows_put(abdm_store_t *store, abdm_row_id_t id, const void *row)
{
    const abdm_row_kind_t *kind = abdm_row_kind(id);
    sqlite3_stmt *stmt;
    draft_t d = {0};
    abdm_err_t err;

    err = draft(store, kind, row, &d);
    if (!abdm_failed(err)) {
        stmt = use(store, id, ABDM_ROW_SQL_PUT, &err);
        if (stmt != NULL) {
            bind_row(stmt, kind, row, &d);
            err = abdm_db_run(stmt);
            if (abdm_failed(err)
                && sqlite3_extended_errcode(store->db) == SQLITE_CONSTRAINT_UNIQUE) {
                err = ABDM_ERR(CONFLICT, "row: another one has a value that only one may have");
            }
        }
    }
    for (size_t i = 0; i < kind->n; i++) {
        abdm_buf_free(&d.sealed[i]);
    }
    return err;
}


abdm_err_t
abdm_rows_delete(abdm_store_t *store, abdm_row_id_t id, const void *row)
{
    sqlite3_stmt *stmt;
    row_key_t key;
    abdm_err_t err;

    ABDM_TRY(key_of(store, abdm_row_kind(id), row, &key));
    stmt = use(store, id, ABDM_ROW_SQL_DELETE, &err);
    if (stmt == NULL) {
        return err;
    }
    bind_key(stmt, &key);
    return abdm_db_run(stmt);
}


static bool
is_kept_for_a_time(const abdm_row_kind_t *kind)
{
    return strcmp(kind->member[kind->n - 1].name, "keep_until") == 0;
}


abdm_err_t
abdm_rows_sweep(abdm_store_t *store, abdm_ms_t now, int max, int *done)
{
    *done = 0;
    for (abdm_row_id_t id = 0; id < ABDM_ROWS && *done < max; id++) {
        sqlite3_stmt *stmt;
        abdm_err_t err;

        if (!is_kept_for_a_time(abdm_row_kind(id))) {
            continue;
        }
        stmt = use(store, id, ABDM_ROW_SQL_SWEEP, &err);
        if (stmt == NULL) {
            return err;
        }
        abdm_db_int(stmt, 1, now);
        abdm_db_int(stmt, 2, max - *done);
        ABDM_TRY(abdm_db_run(stmt));
        *done += sqlite3_changes(store->db);
    }
    return ABDM_NO_ERR;
}


/* --- reading --- */

/* Column i of the statement is member i. Members of the key that are kept as hash stay NULL. */
static abdm_err_t
read_row(const abdm_store_t *store, const abdm_row_kind_t *kind, sqlite3_stmt *stmt, void *row)
{
    abdm_err_t err = ABDM_NO_ERR;
    row_key_t key = {0};

    memset(row, 0, kind->size);
    for (size_t i = 0; i < kind->n && !abdm_failed(err); i++) {
        const abdm_member_t *member = &kind->member[i];
        const int column = (int) i;

        switch (member->kind) {
        case ABDM_MEMBER_INT:
            *int_of(row, member) = sqlite3_column_int64(stmt, column);
            break;
        case ABDM_MEMBER_KEY_HASH:
            break;
        case ABDM_MEMBER_KEY:
        case ABDM_MEMBER_TEXT:
        case ABDM_MEMBER_FOUND:
            *text_of(row, member) = abdm_db_copy(stmt, column, &err);
            break;
        case ABDM_MEMBER_SEALED:
        case ABDM_MEMBER_HASHED:
            if (sqlite3_column_type(stmt, column) != SQLITE_NULL) {
                abdm_buf_t aad = {0};

                identity(&aad, kind, member, &key);
                err = abdm_db_unseal(store, &aad, stmt, column, text_of(row, member), NULL);
                abdm_buf_free(&aad);
            }
            break;
        }
        if (is_key(member) && key.n < KEYS_MAX) { /* keys come first */
            key.text[key.n++] = (const char *) sqlite3_column_text(stmt, column);
        }
    }
    return err;
}


/* The members of its key that are kept as hash move from the row asked for to the row read. */
static void
keep_hashed_keys(const abdm_row_kind_t *kind, void *asked, void *read)
{
    for (size_t i = 0; i < kind->n; i++) {
        if (kind->member[i].kind == ABDM_MEMBER_KEY_HASH) {
            *text_of(read, &kind->member[i]) = *text_of(asked, &kind->member[i]);
            *text_of(asked, &kind->member[i]) = NULL;
        }
    }
}


static abdm_err_t
view_get(const abdm_view_t *view, abdm_row_id_t id, void *row)
{
    const abdm_row_kind_t *kind = abdm_row_kind(id);
    abdm_store_t *store = abdm_store_of(view);
    sqlite3_stmt *stmt;
    row_key_t key;
    bool found = false;
    void *read;
    abdm_err_t err;

    ABDM_TRY(key_of(store, kind, row, &key));
    stmt = use(store, id, ABDM_ROW_SQL_GET, &err);
    if (stmt == NULL) {
        return err;
    }
    bind_key(stmt, &key);
    ABDM_TRY(abdm_db_row(stmt, &found));
    read = found ? calloc(1, kind->size) : NULL;
    if (!found) {
        err = ABDM_ERR(NOT_FOUND, kind->table);
    } else if (read == NULL) {
        err = ABDM_ERR(MEMORY, "row");
    } else {
        err = read_row(store, kind, stmt, read);
    }
    abdm_db_end(stmt);
    if (read != NULL && !abdm_failed(err)) {
        keep_hashed_keys(kind, row, read);
        abdm_row_clear(id, row);
        memcpy(row, read, kind->size);
        free(read);
    } else if (read != NULL) {
        abdm_rows_free(id, read, 1);
    }
    return err;
}


/* A found value that is another one than its hash tells of was moved there. */
static abdm_err_t
check_found(const void *row, const abdm_member_t *member, const char *value)
{
    const char *text = *text_of(row, member);

    return text != NULL && strcmp(text, value) == 0
               ? ABDM_NO_ERR
               : ABDM_ERR(SEAL, "keyed hash: the value beside it is another one");
}


static abdm_err_t
read_rows(const abdm_store_t *store, abdm_row_id_t id, const abdm_member_t *member,
          const char *value, sqlite3_stmt *stmt, void **rows, size_t *n)
{
    const abdm_row_kind_t *kind = abdm_row_kind(id);
    abdm_err_t err;
    size_t cap = 0;
    bool row;

    for (;;) {
        char *next;

        ABDM_TRY(abdm_db_row(stmt, &row));
        if (!row) {
            return ABDM_NO_ERR;
        }
        if (*n == cap) {
            cap = cap == 0 ? 4 : cap * 2;
            next = realloc(*rows, cap * kind->size);
            if (next == NULL) {
                return ABDM_ERR(MEMORY, "rows");
            }
            *rows = next;
        }
        next = (char *) *rows + *n * kind->size;
        err = read_row(store, kind, stmt, next);
        (*n)++;
        ABDM_TRY(err);
        ABDM_TRY(check_found(next, member, value));
    }
}


static abdm_err_t
view_find(const abdm_view_t *view, abdm_row_id_t id, int column, const char *hip_id,
          const char *value, size_t max, void **rows, size_t *n)
{
    const abdm_row_kind_t *kind = abdm_row_kind(id);
    abdm_store_t *store = abdm_store_of(view);
    const abdm_member_t *member;
    char hash[HASH_TEXT];
    sqlite3_stmt *stmt;
    abdm_err_t err;

    *rows = NULL;
    *n = 0;
    member = column >= 0 && (size_t) column < kind->n ? &kind->member[column] : NULL;
    if (member == NULL
        || (member->kind != ABDM_MEMBER_FOUND && member->kind != ABDM_MEMBER_HASHED)) {
        return ABDM_ERR(INTERNAL, "row: it cannot be found by this member");
    }
    if (hip_id == NULL || value == NULL) {
        return ABDM_NO_ERR; /* what is absent is equal to nothing */
    }
    if (member->kind == ABDM_MEMBER_HASHED) {
        ABDM_TRY(hash_value(store, kind, member, hip_id, value, hash));
    }
    stmt = use(store, id, ABDM_ROW_SQL_FIND + column, &err);
    if (stmt == NULL) {
        return err;
    }
    abdm_db_text(stmt, 1, hip_id);
    abdm_db_text(stmt, 2, member->kind == ABDM_MEMBER_HASHED ? hash : value);
    abdm_db_int(stmt, 3, max > INT32_MAX ? INT32_MAX : (int64_t) max);
    err = read_rows(store, id, member, value, stmt, rows, n);
    abdm_db_end(stmt);
    if (abdm_failed(err)) {
        abdm_rows_free(id, *rows, *n);
        *rows = NULL;
        *n = 0;
    }
    return err;
}


void
abdm_rows_view(abdm_view_t *view)
{
    view->get = view_get;
    view->find = view_find;
}
