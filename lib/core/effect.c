/* The list of effects: grows, copies, and stays failed once memory ran out. */
#include <stdlib.h>
#include <string.h>

#include "core/effect.h"


static char *
copy(abdm_effects_t *e, const char *s)
{
    char *dup;

    if (s == NULL) {
        return NULL;
    }
    dup = strdup(s);
    if (dup == NULL) {
        e->failed = true;
    }
    return dup;
}


/* Bodies have OTPs and names in them. */
static void
free_secret(char *p, size_t len)
{
    if (p != NULL) {
        abdm_wipe(p, len);
    }
    free(p);
}


static abdm_effect_t *
add(abdm_effects_t *e, abdm_effect_kind_t kind, const char *hip_id, const char *subject)
{
    abdm_effect_t *item;

    if (e->n == e->cap) {
        size_t cap = e->cap == 0 ? 8 : e->cap * 2;

        item = realloc(e->item, cap * sizeof(*item));
        if (item == NULL) {
            e->failed = true;
            return NULL;
        }
        e->item = item;
        e->cap = cap;
    }
    item = &e->item[e->n++];
    memset(item, 0, sizeof(*item));
    item->kind = kind;
    item->hip_id = copy(e, hip_id);
    item->subject = copy(e, subject);
    return item;
}


const char *
abdm_job_kind_name(abdm_job_kind_t kind)
{
    static const char *const names[] = {"event", "gateway", "records", "document",
                                        "push",  "hmis",    "sms",     "tell",   "link"};

    return names[kind];
}


void
abdm_document_close(abdm_document_t *document)
{
    if (document != NULL) {
        document->close(document);
    }
}


void
abdm_job_clear(abdm_job_t *job)
{
    free(job->event);
    free(job->hip_id);
    free(job->subject);
    free(job->path);
    free(job->request_id);
    free_secret(job->body, job->body_len);
    free_secret(job->link_token, job->link_token != NULL ? strlen(job->link_token) : 0);
    abdm_document_close(job->document);
    memset(job, 0, sizeof(*job));
}


void
abdm_effects_clear(abdm_effects_t *e)
{
    for (size_t i = 0; i < e->n; i++) {
        abdm_effect_t *item = &e->item[i];

        free(item->hip_id);
        free(item->subject);
        switch (item->kind) {
        case ABDM_EFFECT_CONSENT:
            abdm_consent_clear(&item->u.consent);
            break;
        case ABDM_EFFECT_TRANSFER:
            abdm_transfer_clear(&item->u.transfer);
            break;
        case ABDM_EFFECT_CONTEXT:
            abdm_transfer_context_clear(&item->u.context);
            break;
        case ABDM_EFFECT_PAGE:
            abdm_page_clear(&item->u.page);
            break;
        case ABDM_EFFECT_FAIL_PENDING:
        case ABDM_EFFECT_CANCEL:
            break;
        case ABDM_EFFECT_JOB:
            abdm_job_clear(&item->u.job);
            break;
        case ABDM_EFFECT_AUDIT:
            free(item->u.audit.what);
            free(item->u.audit.detail);
            free(item->u.audit.consent_id);
            free(item->u.audit.hiu_id);
            free(item->u.audit.request_id);
            break;
        case ABDM_EFFECT_PUT:
        case ABDM_EFFECT_DELETE:
            if (item->u.row.row != NULL) {
                abdm_rows_free(item->u.row.id, item->u.row.row, 1);
            }
            break;
        }
    }
    free(e->item);
    abdm_buf_wipe_free(&e->reply);
    memset(e, 0, sizeof(*e));
}


void
abdm_effect_consent(abdm_effects_t *e, abdm_consent_t *consent)
{
    abdm_effect_t *item = add(e, ABDM_EFFECT_CONSENT, consent->hip_id, consent->id);

    if (item == NULL) {
        abdm_consent_clear(consent);
        return;
    }
    item->u.consent = *consent;
    memset(consent, 0, sizeof(*consent));
}


void
abdm_effect_transfer(abdm_effects_t *e, const abdm_transfer_t *transfer)
{
    abdm_effect_t *item = add(e, ABDM_EFFECT_TRANSFER, transfer->hip_id, transfer->id);
    abdm_transfer_t *t;

    if (item == NULL) {
        return;
    }
    t = &item->u.transfer;
    *t = *transfer;
    t->id = copy(e, transfer->id);
    t->hip_id = copy(e, transfer->hip_id);
    t->consent_id = copy(e, transfer->consent_id);
    t->hiu_id = copy(e, transfer->hiu_id);
    t->request_id = copy(e, transfer->request_id);
    t->push_url = copy(e, transfer->push_url);
    t->curve = copy(e, transfer->curve);
    t->public_key = copy(e, transfer->public_key);
    t->nonce = copy(e, transfer->nonce);
}


void
abdm_effect_context(abdm_effects_t *e, const abdm_transfer_t *transfer,
                    const abdm_transfer_context_t *context)
{
    abdm_effect_t *item = add(e, ABDM_EFFECT_CONTEXT, transfer->hip_id, transfer->id);

    if (item == NULL) {
        return;
    }
    item->u.context = *context;
    item->u.context.patient_ref = copy(e, context->patient_ref);
    item->u.context.care_context_ref = copy(e, context->care_context_ref);
}


void
abdm_effect_page(abdm_effects_t *e, const abdm_transfer_t *transfer, const abdm_page_t *page)
{
    abdm_effect_t *item = add(e, ABDM_EFFECT_PAGE, transfer->hip_id, transfer->id);

    if (item == NULL) {
        return;
    }
    item->u.page = *page;
    item->u.page.record = json_incref(page->record);
}


void
abdm_effect_fail_pending(abdm_effects_t *e, const abdm_transfer_t *transfer, abdm_code_t reason)
{
    abdm_effect_t *item = add(e, ABDM_EFFECT_FAIL_PENDING, transfer->hip_id, transfer->id);

    if (item != NULL) {
        item->u.reason = reason;
    }
}


void
abdm_effect_cancel(abdm_effects_t *e, const abdm_transfer_t *transfer)
{
    add(e, ABDM_EFFECT_CANCEL, transfer->hip_id, transfer->id);
}


void
abdm_effect_job(abdm_effects_t *e, abdm_job_t *job)
{
    abdm_effect_t *item = add(e, ABDM_EFFECT_JOB, job->hip_id, job->subject);
    abdm_job_t *j;

    if (item == NULL) {
        free_secret(job->body, job->body_len);
        abdm_document_close(job->document);
    } else {
        j = &item->u.job;
        *j = *job;
        j->event = copy(e, job->event);
        j->hip_id = copy(e, job->hip_id);
        j->subject = copy(e, job->subject);
        j->path = copy(e, job->path);
        j->request_id = copy(e, job->request_id);
        j->link_token = copy(e, job->link_token);
    }
    job->body = NULL;
    job->document = NULL;
}


static abdm_effect_t *
add_audit(abdm_effects_t *e, const char *hip_id, const char *subject, const char *what,
          abdm_err_t outcome, const char *detail)
{
    abdm_effect_t *item = add(e, ABDM_EFFECT_AUDIT, hip_id, subject);

    if (item != NULL) {
        item->u.audit.what = copy(e, what);
        item->u.audit.code = outcome.code;
        item->u.audit.detail = copy(e, detail != NULL ? detail : outcome.what);
    }
    return item;
}


void
abdm_effect_audit(abdm_effects_t *e, const char *hip_id, const char *subject, const char *what,
                  abdm_err_t outcome, const char *detail)
{
    (void) add_audit(e, hip_id, subject, what, outcome, detail);
}


void
abdm_effect_audit_transfer(abdm_effects_t *e, const abdm_transfer_t *transfer, const char *what,
                           abdm_err_t outcome, const char *detail, int documents)
{
    abdm_effect_t *item = add_audit(e, transfer->hip_id, transfer->id, what, outcome, detail);

    if (item != NULL) {
        item->u.audit.consent_id = copy(e, transfer->consent_id);
        item->u.audit.hiu_id = copy(e, transfer->hiu_id);
        item->u.audit.request_id = copy(e, transfer->request_id);
        item->u.audit.documents = documents;
    }
}


void
abdm_effect_alert(abdm_effects_t *e, const char *hip_id, const char *subject, const char *what,
                  abdm_err_t outcome, const char *detail)
{
    size_t before = e->n;

    abdm_effect_audit(e, hip_id, subject, what, outcome, detail);
    if (e->n > before) {
        e->item[before].u.audit.alert = true;
    }
}


static void
add_row(abdm_effects_t *e, abdm_effect_kind_t kind, abdm_row_id_t id, const void *row)
{
    abdm_effect_t *item = add(e, kind, NULL, NULL);
    void *kept;

    if (item == NULL) {
        return;
    }
    item->u.row.id = id;
    kept = malloc(abdm_row_kind(id)->size);
    if (kept != NULL && abdm_failed(abdm_row_copy(id, kept, row))) {
        free(kept);
        kept = NULL;
    }
    item->u.row.row = kept;
    e->failed |= kept == NULL;
}


void
abdm_effect_put(abdm_effects_t *e, abdm_row_id_t id, const void *row)
{
    add_row(e, ABDM_EFFECT_PUT, id, row);
}


void
abdm_effect_delete(abdm_effects_t *e, abdm_row_id_t id, const void *row)
{
    add_row(e, ABDM_EFFECT_DELETE, id, row);
}
