/*
 * Jobs, and the ids of what was sent for them. A job's body and link token are sealed: OTPs, names
 * and tokens are in them.
 */
#include <stdlib.h>
#include <string.h>

#include "store/db.h"

/* Columns of JOB_DUE beyond those that every job has. */
enum { BODY = 8, CLAIMS = 13, LINK_TOKEN, SEALED };


/* What a sealed column of a job is tied to: not only its row, but where it will go. */
static void
identity(abdm_buf_t *aad, const char *column, const abdm_job_t *job)
{
    char row[48];

    snprintf(row, sizeof(row), "%lld/%d", (long long) job->id, (int) job->kind);
    (void) abdm_buf_reserve(aad, 255); /* at once: there is one for each job */
    abdm_db_tie(aad, column);
    abdm_db_tie(aad, row);
    abdm_db_tie(aad, job->hip_id);
    abdm_db_tie(aad, job->path != NULL ? job->path : "");
}


static abdm_err_t
seal(const abdm_store_t *store, const char *column, const abdm_job_t *job, abdm_str_t plain,
     abdm_buf_t *sealed)
{
    abdm_buf_t aad = {0};
    abdm_err_t err;

    if (plain.p == NULL) {
        return ABDM_NO_ERR;
    }
    identity(&aad, column, job);
    err = abdm_db_seal(store, &aad, plain, sealed);
    abdm_buf_free(&aad);
    return err;
}


static abdm_err_t
insert(abdm_store_t *store, const abdm_job_t *job, const char *owner, const abdm_buf_t *body,
       const abdm_buf_t *link_token)
{
    abdm_err_t err;
    sqlite3_stmt *stmt = abdm_db_use(store, SQL_JOB_ADD, &err);

    if (stmt == NULL) {
        return err;
    }
    abdm_db_int(stmt, 1, (int) job->kind);
    abdm_db_text(stmt, 2, job->event);
    abdm_db_text(stmt, 3, job->hip_id);
    abdm_db_text(stmt, 4, job->subject);
    abdm_db_int(stmt, 5, job->arg);
    abdm_db_text(stmt, 6, job->path);
    abdm_db_text(stmt, 7, job->request_id);
    abdm_db_blob(stmt, 8, body->p, body->len);
    abdm_db_int(stmt, 9, job->due_at);
    abdm_db_int(stmt, 10, job->deadline_at);
    abdm_db_int(stmt, 11, job->created_at);
    abdm_db_int(stmt, 12, job->attempts);
    abdm_db_text(stmt, 13, owner);
    abdm_db_int(stmt, 14, job->id);
    abdm_db_blob(stmt, 15, link_token->p, link_token->len);
    return abdm_db_run(stmt);
}


/* The id is chosen before the row is there, since the sealed columns are tied to it. Within a
 * transaction nobody else adds one, so that only the first is looked up. */
static abdm_err_t
next_id(abdm_store_t *store, int64_t *id)
{
    sqlite3_stmt *stmt;
    abdm_err_t err;

    if (store->last_job != 0 && !sqlite3_get_autocommit(store->db)) {
        *id = ++store->last_job;
        return ABDM_NO_ERR;
    }
    stmt = abdm_db_use(store, SQL_JOB_ID, &err);
    if (stmt == NULL) {
        return err;
    }
    ABDM_TRY(abdm_db_number(stmt, id));
    store->last_job = *id;
    return ABDM_NO_ERR;
}


abdm_err_t
abdm_store_job_add(abdm_store_t *store, abdm_job_t *job, const char *owner)
{
    abdm_buf_t body = {0}, link_token = {0};
    abdm_err_t err;

    ABDM_TRY(next_id(store, &job->id));
    err = seal(store, "job.body", job, (abdm_str_t){job->body, job->body_len}, &body);
    if (!abdm_failed(err)) {
        abdm_str_t token = {job->link_token, job->link_token != NULL ? strlen(job->link_token) : 0};

        err = seal(store, "job.link_token", job, token, &link_token);
    }
    if (!abdm_failed(err)) {
        err = insert(store, job, owner, &body, &link_token);
    }
    abdm_buf_free(&body);
    abdm_buf_free(&link_token);
    if (abdm_failed(err)) {
        job->id = 0;
    }
    return err;
}


/* A body as version 2 wrote it. */
static char *
copy_blob(sqlite3_stmt *stmt, int column, size_t *len, abdm_err_t *err)
{
    const void *p = sqlite3_column_blob(stmt, column);
    char *copy;

    *len = (size_t) sqlite3_column_bytes(stmt, column);
    if (p == NULL) {
        *len = 0;
        return NULL;
    }
    copy = malloc(*len + 1);
    if (copy == NULL) {
        *len = 0;
        *err = ABDM_ERR(MEMORY, "row");
        return NULL;
    }
    memcpy(copy, p, *len);
    copy[*len] = '\0';
    return copy;
}


static abdm_err_t
open_column(const abdm_store_t *store, const char *column, const abdm_job_t *job,
            sqlite3_stmt *stmt, int i, char **plain, size_t *len)
{
    abdm_buf_t aad = {0};
    abdm_err_t err;

    if (sqlite3_column_type(stmt, i) == SQLITE_NULL) {
        return ABDM_NO_ERR;
    }
    identity(&aad, column, job);
    err = abdm_db_unseal(store, &aad, stmt, i, plain, len);
    abdm_buf_free(&aad);
    return err;
}


static abdm_err_t
read_job(const abdm_store_t *store, sqlite3_stmt *stmt, abdm_job_t *job)
{
    abdm_err_t err = ABDM_NO_ERR;

    memset(job, 0, sizeof(*job));
    job->id = sqlite3_column_int64(stmt, 0);
    job->kind = (abdm_job_kind_t) sqlite3_column_int(stmt, 1);
    job->event = abdm_db_copy(stmt, 2, &err);
    job->hip_id = abdm_db_copy(stmt, 3, &err);
    job->subject = abdm_db_copy(stmt, 4, &err);
    job->arg = sqlite3_column_int(stmt, 5);
    job->path = abdm_db_copy(stmt, 6, &err);
    job->request_id = abdm_db_copy(stmt, 7, &err);
    job->due_at = sqlite3_column_int64(stmt, 9);
    job->deadline_at = sqlite3_column_int64(stmt, 10);
    job->created_at = sqlite3_column_int64(stmt, 11);
    job->attempts = sqlite3_column_int(stmt, 12);
    job->retaken = sqlite3_column_int(stmt, CLAIMS) > 0;
    job->poisoned = sqlite3_column_int(stmt, CLAIMS) >= ABDM_CLAIMS_MAX;
    ABDM_TRY(err);
    if (sqlite3_column_int(stmt, SEALED) == 0) {
        job->body = copy_blob(stmt, BODY, &job->body_len, &err);
        return err;
    }
    err = open_column(store, "job.body", job, stmt, BODY, &job->body, &job->body_len);
    if (!abdm_failed(err)) {
        err = open_column(store, "job.link_token", job, stmt, LINK_TOKEN, &job->link_token, NULL);
    }
    job->spoiled = abdm_db_spoiled(store, &err);
    if (job->spoiled) {
        abdm_db_wipe(job->body);
        job->body = NULL;
        job->body_len = 0;
    }
    return err;
}


/* Due jobs of one kind, the oldest first, behind those that are there. */
static abdm_err_t
read_due(abdm_store_t *store, abdm_ms_t now, unsigned kind, size_t max, abdm_job_t *out, size_t *n)
{
    abdm_err_t err;
    sqlite3_stmt *stmt = abdm_db_use(store, SQL_JOB_DUE, &err);
    bool row = stmt != NULL;

    if (stmt == NULL) {
        return err;
    }
    abdm_db_int(stmt, 1, now);
    abdm_db_int(stmt, 2, (int64_t) (max - *n));
    abdm_db_int(stmt, 3, kind);
    while (row && *n < max && !abdm_failed(err)) {
        err = abdm_db_row(stmt, &row);
        if (row && !abdm_failed(err)) {
            err = read_job(store, stmt, &out[(*n)++]);
        }
    }
    abdm_db_end(stmt);
    return err;
}


/* Kind by kind, as thousands that wait for room must not be passed over again and again. The kinds
 * of a class are in the order in which its jobs follow on each other: what is further comes first,
 * so that what was begun is brought to its end. */
abdm_err_t
abdm_store_job_claim(abdm_store_t *store, const char *owner, abdm_ms_t now, unsigned kinds,
                     size_t max, abdm_job_t *out, size_t *n)
{
    abdm_err_t err = ABDM_NO_ERR;
    size_t read = 0;

    for (unsigned kind = ABDM_JOB_KINDS; kind-- > 0 && read < max && !abdm_failed(err);) {
        if (kinds >> kind & 1) {
            err = read_due(store, now, kind, max, out, &read);
        }
    }
    for (size_t i = 0; i < read && !abdm_failed(err); i++) {
        err = abdm_db_run_id_text(store, SQL_JOB_CLAIM, out[i].id, owner);
    }
    if (abdm_failed(err)) {
        while (read > 0) {
            abdm_job_clear(&out[--read]);
        }
    }
    *n = read;
    return err;
}


abdm_err_t
abdm_store_job_done(abdm_store_t *store, int64_t id)
{
    return abdm_db_run_id(store, SQL_JOB_DONE, id, 0);
}


abdm_err_t
abdm_store_job_again(abdm_store_t *store, const abdm_job_t *job, abdm_ms_t due_at, int attempts)
{
    abdm_err_t err;
    sqlite3_stmt *stmt = abdm_db_use(store, SQL_JOB_AGAIN, &err);

    if (stmt == NULL) {
        return err;
    }
    abdm_db_int(stmt, 1, job->id);
    abdm_db_int(stmt, 2, due_at);
    abdm_db_int(stmt, 3, attempts);
    return abdm_db_run(stmt);
}


/* The same of one kind, when that is sooner than *due. */
static abdm_err_t
sooner(abdm_store_t *store, unsigned kind, abdm_ms_t *due)
{
    abdm_err_t err;
    sqlite3_stmt *stmt = abdm_db_use(store, SQL_JOB_NEXT, &err);
    bool row;

    if (stmt == NULL) {
        return err;
    }
    abdm_db_int(stmt, 1, kind);
    ABDM_TRY(abdm_db_row(stmt, &row));
    if (row && (*due == 0 || sqlite3_column_int64(stmt, 0) < *due)) {
        *due = sqlite3_column_int64(stmt, 0);
    }
    abdm_db_end(stmt);
    return ABDM_NO_ERR;
}


abdm_err_t
abdm_store_job_next_due(abdm_store_t *store, unsigned kinds, abdm_ms_t *due)
{
    *due = 0;
    for (unsigned kind = 0; kind < ABDM_JOB_KINDS; kind++) {
        if (kinds >> kind & 1) {
            ABDM_TRY(sooner(store, kind, due));
        }
    }
    return ABDM_NO_ERR;
}


abdm_err_t
abdm_store_job_unique(abdm_store_t *store, const char *hip_id, const char *event, abdm_ms_t until,
                      bool *exists)
{
    abdm_err_t err;
    sqlite3_stmt *stmt = abdm_db_use(store, SQL_JOB_EVENT, &err);
    bool row;

    *exists = false;
    if (stmt == NULL) {
        return err;
    }
    abdm_db_text(stmt, 1, hip_id);
    abdm_db_text(stmt, 2, event);
    abdm_db_int(stmt, 3, until);
    ABDM_TRY(abdm_db_row(stmt, &row));
    *exists = row && sqlite3_column_int(stmt, 0) != 0;
    abdm_db_end(stmt);
    return ABDM_NO_ERR;
}


/* --- what was sent --- */

abdm_err_t
abdm_store_sent(abdm_store_t *store, const abdm_job_t *job, abdm_ms_t now)
{
    abdm_err_t err;
    sqlite3_stmt *stmt = abdm_db_use(store, SQL_SENT_ADD, &err);

    if (stmt == NULL) {
        return err;
    }
    abdm_db_text(stmt, 1, job->request_id);
    abdm_db_text(stmt, 2, job->hip_id);
    abdm_db_text(stmt, 3, job->subject);
    abdm_db_text(stmt, 4, job->path);
    abdm_db_int(stmt, 5, now);
    return abdm_db_run(stmt);
}


static abdm_err_t
view_sent(const abdm_view_t *view, const char *hip_id, const char *request_id, char **subject,
          char **path)
{
    abdm_err_t err;
    sqlite3_stmt *stmt = abdm_db_use(abdm_store_of(view), SQL_SENT_GET, &err);
    bool row;

    *subject = *path = NULL;
    if (stmt == NULL) {
        return err;
    }
    abdm_db_text(stmt, 1, hip_id);
    abdm_db_text(stmt, 2, request_id);
    ABDM_TRY(abdm_db_row(stmt, &row));
    if (row) {
        *subject = abdm_db_copy(stmt, 0, &err);
        *path = abdm_db_copy(stmt, 1, &err);
    }
    abdm_db_end(stmt);
    if (abdm_failed(err)) {
        free(*subject);
        free(*path);
        *subject = *path = NULL;
        return err;
    }
    return row ? ABDM_NO_ERR : ABDM_ERR(NOT_FOUND, "nothing was sent under this REQUEST-ID");
}


void
abdm_jobs_view(abdm_view_t *view)
{
    view->sent = view_sent;
}
