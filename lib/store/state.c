/* Transfers and their pages: how effects are written and how flows read. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "store/db.h"


static const char *
code_name(abdm_code_t code)
{
    return code == ABDM_OK ? NULL : abdm_error_info(code)->name;
}


static abdm_code_t
code_column(sqlite3_stmt *stmt, int column)
{
    const char *name = (const char *) sqlite3_column_text(stmt, column);

    return name == NULL ? ABDM_OK : abdm_error_by_name(name);
}


/* --- transfer --- */

static abdm_err_t
put_transfer(abdm_store_t *store, const abdm_transfer_t *t)
{
    abdm_err_t err;
    sqlite3_stmt *stmt = abdm_db_keyed(store, SQL_TRANSFER_PUT, t->hip_id, t->id, &err);

    if (stmt == NULL) {
        return err;
    }
    abdm_db_text(stmt, 3, t->consent_id);
    abdm_db_text(stmt, 4, t->request_id);
    abdm_db_int(stmt, 5, t->from);
    abdm_db_int(stmt, 6, t->to);
    abdm_db_text(stmt, 7, t->push_url);
    abdm_db_text(stmt, 8, t->curve);
    abdm_db_text(stmt, 9, t->public_key);
    abdm_db_text(stmt, 10, t->nonce);
    abdm_db_int(stmt, 11, (int) t->state);
    abdm_db_text(stmt, 12, code_name(t->reason));
    abdm_db_int(stmt, 13, t->n_contexts);
    abdm_db_int(stmt, 14, t->n_pages);
    abdm_db_int(stmt, 15, t->requested_at);
    abdm_db_int(stmt, 16, t->deadline_at);
    abdm_db_int(stmt, 17, t->done_at);
    abdm_db_text(stmt, 18, t->hiu_id);
    return abdm_db_run(stmt);
}


/* One that is over was the last to need what its consent told, if that has ended. */
static abdm_err_t
end_transfer(abdm_store_t *store, const abdm_transfer_t *t)
{
    sqlite3_stmt *stmt;
    abdm_err_t err;
    bool ended;

    if (t->state != ABDM_TRANSFER_DONE) {
        return ABDM_NO_ERR;
    }
    stmt = abdm_db_keyed(store, SQL_CONSENT_ENDED, t->hip_id, t->consent_id, &err);
    if (stmt == NULL) {
        return err;
    }
    ABDM_TRY(abdm_db_row(stmt, &ended));
    abdm_db_end(stmt);
    return ended ? abdm_consent_forget(store, t->hip_id, t->consent_id) : ABDM_NO_ERR;
}


static abdm_err_t
view_transfer(const abdm_view_t *view, const char *hip_id, const char *id, abdm_transfer_t *out)
{
    abdm_err_t err;
    sqlite3_stmt *stmt = abdm_db_keyed(abdm_store_of(view), SQL_TRANSFER_GET, hip_id, id, &err);
    bool row;

    memset(out, 0, sizeof(*out));
    if (stmt == NULL) {
        return err;
    }
    ABDM_TRY(abdm_db_row(stmt, &row));
    if (!row) {
        abdm_db_end(stmt);
        return ABDM_ERR(NOT_FOUND, "transfer");
    }
    out->id = strdup(id);
    out->hip_id = strdup(hip_id);
    out->consent_id = abdm_db_copy(stmt, 0, &err);
    out->request_id = abdm_db_copy(stmt, 1, &err);
    out->from = sqlite3_column_int64(stmt, 2);
    out->to = sqlite3_column_int64(stmt, 3);
    out->push_url = abdm_db_copy(stmt, 4, &err);
    out->curve = abdm_db_copy(stmt, 5, &err);
    out->public_key = abdm_db_copy(stmt, 6, &err);
    out->nonce = abdm_db_copy(stmt, 7, &err);
    out->state = (abdm_transfer_state_t) sqlite3_column_int(stmt, 8);
    out->reason = code_column(stmt, 9);
    out->n_contexts = sqlite3_column_int(stmt, 10);
    out->n_pages = sqlite3_column_int(stmt, 11);
    out->requested_at = sqlite3_column_int64(stmt, 12);
    out->deadline_at = sqlite3_column_int64(stmt, 13);
    out->done_at = sqlite3_column_int64(stmt, 14);
    out->hiu_id = abdm_db_copy(stmt, 15, &err);
    abdm_db_end(stmt);

    if (out->id == NULL || out->hip_id == NULL) {
        err = ABDM_ERR(MEMORY, "transfer");
    }
    if (abdm_failed(err)) {
        abdm_transfer_clear(out);
    }
    return err;
}


static abdm_err_t
put_context(abdm_store_t *store, const abdm_effect_t *effect)
{
    const abdm_transfer_context_t *context = &effect->u.context;
    abdm_err_t err;
    sqlite3_stmt *stmt =
        abdm_db_keyed(store, SQL_CONTEXT_PUT, effect->hip_id, effect->subject, &err);

    if (stmt == NULL) {
        return err;
    }
    abdm_db_int(stmt, 3, context->index);
    abdm_db_text(stmt, 4, context->patient_ref);
    abdm_db_text(stmt, 5, context->care_context_ref);
    abdm_db_int(stmt, 6, (int) context->state);
    abdm_db_text(stmt, 7, code_name(context->reason));
    return abdm_db_run(stmt);
}


static abdm_err_t
view_context(const abdm_view_t *view, const abdm_transfer_t *transfer, int index,
             abdm_transfer_context_t *out)
{
    abdm_err_t err;
    sqlite3_stmt *stmt =
        abdm_db_keyed(abdm_store_of(view), SQL_CONTEXT_GET, transfer->hip_id, transfer->id, &err);
    bool row;

    memset(out, 0, sizeof(*out));
    if (stmt == NULL) {
        return err;
    }
    abdm_db_int(stmt, 3, index);
    ABDM_TRY(abdm_db_row(stmt, &row));
    if (!row) {
        abdm_db_end(stmt);
        return ABDM_ERR(NOT_FOUND, "care context of a transfer");
    }
    out->index = index;
    out->patient_ref = abdm_db_copy(stmt, 0, &err);
    out->care_context_ref = abdm_db_copy(stmt, 1, &err);
    out->state = (abdm_part_state_t) sqlite3_column_int(stmt, 2);
    out->reason = code_column(stmt, 3);
    abdm_db_end(stmt);
    if (abdm_failed(err)) {
        abdm_transfer_context_clear(out);
    }
    return err;
}


/* --- pages --- */

/* What a sealed record is tied to. */
static void
page_identity(abdm_buf_t *aad, const char *hip_id, const char *transfer, int number)
{
    abdm_buf_addf(aad, "page/%s/%s/%d", hip_id, transfer, number);
}


/* Under the key of the consent: when that has ended nothing is kept, and `sealed` stays empty. */
static abdm_err_t
seal_record(abdm_store_t *store, const abdm_effect_t *effect, abdm_buf_t *sealed)
{
    abdm_seal_key_t *key = NULL;
    abdm_buf_t aad = {0};
    abdm_err_t err;
    char *text;

    ABDM_TRY(abdm_transfer_key(store, effect->hip_id, effect->subject, &key));
    if (key == NULL) {
        return ABDM_NO_ERR;
    }
    text = json_dumps(effect->u.page.record, JSON_COMPACT);
    page_identity(&aad, effect->hip_id, effect->subject, effect->u.page.number);
    err = text == NULL || aad.failed
              ? ABDM_ERR(MEMORY, "record")
              : abdm_seal(key, abdm_buf_str(&aad), abdm_str(text), sealed);
    abdm_db_wipe(text);
    abdm_buf_free(&aad);
    abdm_seal_key_free(key);
    return err;
}


static abdm_err_t
put_page(abdm_store_t *store, const abdm_effect_t *effect)
{
    const abdm_page_t *page = &effect->u.page;
    abdm_buf_t sealed = {0};
    sqlite3_stmt *stmt = NULL;
    abdm_err_t err = ABDM_NO_ERR;

    if (page->record != NULL) {
        err = seal_record(store, effect, &sealed);
    }
    if (!abdm_failed(err)) {
        stmt = abdm_db_keyed(store, SQL_PAGE_PUT, effect->hip_id, effect->subject, &err);
    }
    if (stmt != NULL) {
        abdm_db_int(stmt, 3, page->number);
        abdm_db_int(stmt, 4, page->context);
        abdm_db_int(stmt, 5, (int) page->hi_type);
        abdm_db_int(stmt, 6, page->dated);
        abdm_db_int(stmt, 7, page->date);
        abdm_db_blob(stmt, 8, sealed.p, sealed.len);
        abdm_db_int(stmt, 9, (int) page->state);
        abdm_db_text(stmt, 10, code_name(page->reason));
        abdm_db_int(stmt, 11, page->attempts);
        abdm_db_int(stmt, 12, page->part);
        err = abdm_db_run(stmt);
    }
    abdm_buf_free(&sealed);
    return err;
}


/* `stmt` stands on the page's row; before version 5 records were sealed under the key file. */
static abdm_err_t
open_record(abdm_store_t *store, const abdm_transfer_t *transfer, int number, sqlite3_stmt *stmt,
            json_t **record)
{
    enum { RECORD = 4, OWN_KEY = 9 };
    abdm_seal_key_t *key = NULL;
    abdm_buf_t aad = {0};
    size_t len = 0;
    char *text = NULL;
    abdm_err_t err;

    *record = NULL;
    if (sqlite3_column_type(stmt, RECORD) == SQLITE_NULL) {
        return ABDM_NO_ERR;
    }
    page_identity(&aad, transfer->hip_id, transfer->id, number);
    if (sqlite3_column_int(stmt, OWN_KEY) == 0) {
        err = abdm_db_unseal(store, &aad, stmt, RECORD, &text, &len);
    } else {
        err = abdm_consent_key(store, transfer->hip_id, transfer->consent_id, false, &key);
        if (!abdm_failed(err)) {
            err = key == NULL ? ABDM_ERR(SEAL, "page: its record is there and its key is not")
                              : abdm_db_unseal_with(key, &aad, stmt, RECORD, &text, &len);
        }
    }
    if (!abdm_failed(err)) {
        err = abdm_json_parse(text, len, ABDM_JSON_DEPTH_FHIR, record);
    }
    abdm_db_wipe(text);
    abdm_buf_free(&aad);
    abdm_seal_key_free(key);
    return err;
}


static abdm_err_t
view_page(const abdm_view_t *view, const abdm_transfer_t *transfer, int number, abdm_page_t *out)
{
    abdm_store_t *store = abdm_store_of(view);
    abdm_err_t err;
    sqlite3_stmt *stmt = abdm_db_keyed(store, SQL_PAGE_GET, transfer->hip_id, transfer->id, &err);
    bool row;

    memset(out, 0, sizeof(*out));
    if (stmt == NULL) {
        return err;
    }
    abdm_db_int(stmt, 3, number);
    ABDM_TRY(abdm_db_row(stmt, &row));
    if (!row) {
        abdm_db_end(stmt);
        return ABDM_ERR(NOT_FOUND, "page of a transfer");
    }
    out->number = number;
    out->context = sqlite3_column_int(stmt, 0);
    out->hi_type = (abdm_hi_type_t) sqlite3_column_int(stmt, 1);
    out->dated = sqlite3_column_int(stmt, 2) != 0;
    out->date = sqlite3_column_int64(stmt, 3);
    out->state = (abdm_part_state_t) sqlite3_column_int(stmt, 5);
    out->reason = code_column(stmt, 6);
    out->attempts = sqlite3_column_int(stmt, 7);
    out->part = sqlite3_column_int(stmt, 8);
    err = open_record(store, transfer, number, stmt, &out->record);
    abdm_db_end(stmt);
    return err;
}


static abdm_err_t
fail_pending(abdm_store_t *store, const abdm_effect_t *effect)
{
    static const abdm_sql_t steps[] = {SQL_CONTEXTS_FAIL, SQL_PAGES_FAIL};

    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        abdm_err_t err;
        sqlite3_stmt *stmt = abdm_db_keyed(store, steps[i], effect->hip_id, effect->subject, &err);

        if (stmt == NULL) {
            return err;
        }
        abdm_db_text(stmt, 3, code_name(effect->u.reason));
        ABDM_TRY(abdm_db_run(stmt));
    }
    return ABDM_NO_ERR;
}


static abdm_err_t
cancel(abdm_store_t *store, const abdm_effect_t *effect)
{
    abdm_err_t err;
    sqlite3_stmt *stmt =
        abdm_db_keyed(store, SQL_JOB_CANCEL, effect->hip_id, effect->subject, &err);

    return stmt == NULL ? err : abdm_db_run(stmt);
}


static abdm_err_t
view_progress(const abdm_view_t *view, const abdm_transfer_t *transfer, int *contexts_pending,
              int *pages)
{
    abdm_err_t err;
    sqlite3_stmt *stmt =
        abdm_db_keyed(abdm_store_of(view), SQL_PROGRESS, transfer->hip_id, transfer->id, &err);
    bool row;

    if (stmt == NULL) {
        return err;
    }
    ABDM_TRY(abdm_db_row(stmt, &row));
    *contexts_pending = sqlite3_column_int(stmt, 0);
    *pages = sqlite3_column_int(stmt, 1);
    abdm_db_end(stmt);
    return ABDM_NO_ERR;
}


static abdm_err_t
view_tally(const abdm_view_t *view, const abdm_transfer_t *transfer, int context, int *done,
           int *failed, int *pending, abdm_code_t *reason)
{
    abdm_err_t err;
    sqlite3_stmt *stmt =
        abdm_db_keyed(abdm_store_of(view), SQL_TALLY, transfer->hip_id, transfer->id, &err);
    bool row = true;

    *done = *failed = *pending = 0;
    if (stmt == NULL) {
        return err;
    }
    abdm_db_int(stmt, 3, context);
    for (;;) {
        ABDM_TRY(abdm_db_row(stmt, &row));
        if (!row) {
            break;
        }
        switch ((abdm_part_state_t) sqlite3_column_int(stmt, 0)) {
        case ABDM_PART_DONE:
            (*done)++;
            break;
        case ABDM_PART_FAILED:
            if ((*failed)++ == 0) {
                *reason = code_column(stmt, 1);
            }
            break;
        case ABDM_PART_PENDING:
            (*pending)++;
            break;
        }
    }
    abdm_db_end(stmt);
    return ABDM_NO_ERR;
}


void
abdm_view_init(abdm_view_t *view)
{
    abdm_consent_view(view);
    abdm_jobs_view(view);
    abdm_rows_view(view);
    view->transfer = view_transfer;
    view->context = view_context;
    view->page = view_page;
    view->progress = view_progress;
    view->tally = view_tally;
}


const abdm_view_t *
abdm_store_view(abdm_store_t *store)
{
    return &store->view;
}


/* --- effects --- */

static abdm_str_t
text(const char *z)
{
    return z == NULL ? (abdm_str_t){NULL, 0} : abdm_str(z);
}


static abdm_err_t
add_audit(abdm_store_t *store, const abdm_effect_t *effect, abdm_ms_t now)
{
    const abdm_audit_t *audit = &effect->u.audit;
    abdm_audit_row_t row = {
        .at = now,
        .documents = audit->documents,
        .text = {
            [ABDM_AUDIT_HIP] = abdm_str(effect->hip_id),
            [ABDM_AUDIT_SUBJECT] = abdm_str(effect->subject),
            [ABDM_AUDIT_WHAT] = abdm_str(audit->what),
            [ABDM_AUDIT_CODE] = text(code_name(audit->code)),
            [ABDM_AUDIT_DETAIL] = text(audit->detail),
            [ABDM_AUDIT_CALLER] = text(store->caller),
            [ABDM_AUDIT_REQUEST_ID] =
                text(audit->request_id != NULL ? audit->request_id : store->request_id),
            [ABDM_AUDIT_CONSENT_ID] = text(audit->consent_id),
            [ABDM_AUDIT_HIU_ID] = text(audit->hiu_id),
        },
    };

    return abdm_audit_append(store, &row);
}


static abdm_err_t
apply_transfer(abdm_store_t *store, const abdm_transfer_t *transfer)
{
    ABDM_TRY(put_transfer(store, transfer));
    return end_transfer(store, transfer);
}


static abdm_err_t
apply_one(abdm_store_t *store, const abdm_effect_t *effect, abdm_ms_t now)
{
    switch (effect->kind) {
    case ABDM_EFFECT_CONSENT:
        return abdm_consent_put(store, &effect->u.consent, now);
    case ABDM_EFFECT_TRANSFER:
        return apply_transfer(store, &effect->u.transfer);
    case ABDM_EFFECT_CONTEXT:
        return put_context(store, effect);
    case ABDM_EFFECT_PAGE:
        return put_page(store, effect);
    case ABDM_EFFECT_FAIL_PENDING:
        return fail_pending(store, effect);
    case ABDM_EFFECT_CANCEL:
        return cancel(store, effect);
    case ABDM_EFFECT_AUDIT:
        return add_audit(store, effect, now);
    case ABDM_EFFECT_PUT:
        return abdm_rows_put(store, effect->u.row.id, effect->u.row.row);
    case ABDM_EFFECT_DELETE:
        return abdm_rows_delete(store, effect->u.row.id, effect->u.row.row);
    case ABDM_EFFECT_JOB:
        break;
    }
    return ABDM_NO_ERR;
}


abdm_err_t
abdm_store_apply(abdm_store_t *store, const abdm_effects_t *effects, abdm_ms_t now)
{
    abdm_err_t err = ABDM_NO_ERR;

    if (effects->failed) {
        return ABDM_ERR(MEMORY, "effects");
    }
    ABDM_TRY(abdm_audit_ready(store, now)); /* what cannot be written down does not happen */
    store->caller = effects->caller;
    store->request_id = effects->request_id;
    for (size_t i = 0; i < effects->n && !abdm_failed(err); i++) {
        err = apply_one(store, &effects->item[i], now);
    }
    store->caller = store->request_id = NULL;
    return err;
}
