/*
 * A transfer after it was allowed (gateway protocol 3.11, 7.6): list what the HMIS has, then push
 * page after page, one document each, and tell the gateway the true status of every care
 * context. Whether a record may leave is decided when it is listed, before it is fetched and
 * again before it is pushed, with the consent as it is at that moment.
 */
#include <stdlib.h>
#include <string.h>

#include "consent/consent.h"
#include "fhir/document.h"
#include "flow/flow.h"
#include "flow/push_host.h"
#include "gateway/outbound.h"

enum {
    LIST_WINDOW = 4,               /* care contexts asked for at the same time */
    HMIS_PATIENCE = 20 * 60 * 1000, /* an HMIS down for longer fails the record */
    PUSH_ATTEMPTS = 8,
    PUSH_BACKOFF = 2 * 1000, /* doubled with each attempt */
    HOLD_AGAIN = 15 * 1000,  /* a held page looks so often whether its host is allowed */
    NOTIFY_DEADLINE = 24 * 60 * 60 * 1000,
    PAGES_MAX = 10000,
    PARTS_MAX = 64 /* documents of one record, which each of their pages keeps */
};

/* What every step works on. */
typedef struct {
    const abdm_flow_ctx_t *ctx;
    const abdm_event_t *ev;
    abdm_effects_t *out;
    abdm_transfer_t transfer;
} step_t;


static bool
is_over(const abdm_transfer_t *transfer)
{
    return transfer->state == ABDM_TRANSFER_NOTIFYING || transfer->state == ABDM_TRANSFER_DONE
           || transfer->state == ABDM_TRANSFER_REFUSED;
}


static void
job(step_t *s, abdm_job_kind_t kind, const char *event, int arg, abdm_ms_t due, abdm_ms_t deadline,
    abdm_document_t *document)
{
    abdm_job_t j = {
        .kind = kind,
        .event = (char *) event,
        .hip_id = s->transfer.hip_id,
        .subject = s->transfer.id,
        .arg = arg,
        .due_at = due,
        .created_at = s->ev->now,
        .deadline_at = deadline < s->transfer.deadline_at ? deadline : s->transfer.deadline_at,
        .document = document,
    };

    abdm_effect_job(s->out, &j);
}


static void
audit(step_t *s, const char *what, abdm_err_t outcome, const char *detail)
{
    abdm_effect_audit_transfer(s->out, &s->transfer, what, outcome, detail, 0);
}


/* One care context's outcome for the notification; its reference is owned. */
static abdm_err_t
context_status(step_t *s, int index, abdm_code_t why, abdm_context_status_t *status)
{
    const abdm_view_t *view = s->ctx->view;
    abdm_transfer_context_t context = {0};
    abdm_code_t reason = ABDM_OK;
    int done, failed, pending;

    ABDM_TRY(view->context(view, &s->transfer, index, &context));
    status->care_context_ref = context.care_context_ref;
    context.care_context_ref = NULL;
    if (context.state != ABDM_PART_DONE) {
        reason = context.state == ABDM_PART_FAILED ? context.reason : why;
    }
    abdm_transfer_context_clear(&context);

    ABDM_TRY(view->tally(view, &s->transfer, index, &done, &failed, &pending, &reason));
    if (reason == ABDM_OK && pending > 0) {
        reason = why;
    }
    if (reason == ABDM_OK && done == 0) {
        reason = ABDM_E_RECORD_NONE;
    }
    status->delivered = reason == ABDM_OK;
    status->description = reason == ABDM_OK ? "delivered" : abdm_error_info(reason)->meaning;
    return ABDM_NO_ERR;
}


/* Ends the pushing: what is still open failed because of `why`, and the gateway is told. The
 * notification is written down once, so that a repetition says the same. */
static abdm_err_t
finish(step_t *s, abdm_code_t why)
{
    abdm_transfer_t *t = &s->transfer;
    abdm_context_status_t *status;
    abdm_err_t err = ABDM_NO_ERR;
    abdm_buf_t body = {0};
    bool transferred = false;

    status = calloc((size_t) t->n_contexts + 1, sizeof(*status));
    if (status == NULL) {
        return ABDM_ERR(MEMORY, "status of the care contexts");
    }
    for (int i = 0; i < t->n_contexts && !abdm_failed(err); i++) {
        err = context_status(s, i, why, &status[i]);
        transferred |= status[i].delivered;
    }
    if (!abdm_failed(err)) {
        abdm_job_t notify = {
            .kind = ABDM_JOB_GATEWAY,
            .event = "transfer.notified",
            .hip_id = t->hip_id,
            .subject = t->id,
            .path = ABDM_PATH_HI_NOTIFY,
            .due_at = s->ev->now,
            .created_at = s->ev->now,
            .deadline_at = s->ev->now + NOTIFY_DEADLINE,
        };

        t->state = ABDM_TRANSFER_NOTIFYING;
        t->reason = why;
        t->done_at = s->ev->now;
        abdm_out_hi_notify(&body, t->consent_id, t->id, t->hip_id, t->done_at, transferred, status,
                           (size_t) t->n_contexts);
        notify.body_len = body.len;
        notify.body = abdm_buf_take(&body);
        s->out->failed |= notify.body == NULL;

        if (why != ABDM_OK) {
            abdm_effect_fail_pending(s->out, t, why);
        }
        abdm_effect_transfer(s->out, t);
        audit(s, transferred ? "transfer over: TRANSFERRED" : "transfer over: FAILED",
              (abdm_err_t){why, "", ""}, NULL);
        abdm_effect_job(s->out, &notify);
    }
    for (int i = 0; i < t->n_contexts; i++) {
        free((char *) status[i].care_context_ref);
    }
    free(status);
    return err;
}


/* May this record leave now? *held, unless NULL: yes, but its host is not allowed yet. */
static abdm_err_t
decide(step_t *s, const abdm_page_t *page, const char *patient_ref, bool *held)
{
    const abdm_view_t *view = s->ctx->view;
    abdm_transfer_context_t context = {0};
    abdm_consent_t consent = {0};
    abdm_consent_request_t request = {
        .hip_id = abdm_str(s->transfer.hip_id),
        .from = s->transfer.from,
        .to = s->transfer.to,
        .break_glass = s->ctx->policy->break_glass,
    };
    abdm_consent_record_t record = {0};
    abdm_err_t err;
    bool known;

    err = view->consent(view, s->transfer.hip_id, s->transfer.consent_id, &consent);
    known = !abdm_failed(err);
    if (!known && err.code != ABDM_E_NOT_FOUND) {
        return err;
    }
    err = view->context(view, &s->transfer, page->context, &context);
    if (!abdm_failed(err)) {
        record.patient_ref = abdm_str(patient_ref != NULL ? patient_ref : context.patient_ref);
        record.care_context_ref = abdm_str(context.care_context_ref);
        record.hi_type = (int) page->hi_type;
        record.dated = page->dated;
        record.date = page->date;
        err = abdm_consent_decide(known ? &consent : NULL, &request, &record, s->ev->now);
    }
    if (!abdm_failed(err) && held != NULL) {
        err = abdm_push_host_page(s->ctx, s->transfer.hip_id, consent.hiu_id, s->transfer.push_url,
                                  held);
    }
    abdm_transfer_context_clear(&context);
    abdm_consent_clear(&consent);
    return err;
}


/* A refusal that holds for every further page too. */
static bool
ends_transfer(abdm_code_t code)
{
    switch (code) {
    case ABDM_E_CONSENT_UNKNOWN:
    case ABDM_E_CONSENT_NOT_GRANTED:
    case ABDM_E_CONSENT_REVOKED:
    case ABDM_E_CONSENT_EXPIRED:
    case ABDM_E_CONSENT_OTHER_HIP:
    case ABDM_E_CONSENT_OTHER_HIU:
    case ABDM_E_CONSENT_BREAK_GLASS:
    case ABDM_E_CONSENT_RANGE:
    case ABDM_E_KEY_MATERIAL:
    case ABDM_E_PUSH_URL:
    case ABDM_E_PUSH_ADDRESS:
    case ABDM_E_PUSH_HOST:
        return true;
    default:
        return false;
    }
}


/* Raises transfer.over, which sees what this event changes. */
static void
over(step_t *s, abdm_code_t why)
{
    abdm_job_t j = {
        .kind = ABDM_JOB_EVENT,
        .event = "transfer.over",
        .hip_id = s->transfer.hip_id,
        .subject = s->transfer.id,
        .due_at = s->ev->now,
        .created_at = s->ev->now,
        .deadline_at = s->ev->now + NOTIFY_DEADLINE,
    };

    if (why != ABDM_OK) {
        j.body = strdup(abdm_error_info(why)->name);
        j.body_len = j.body != NULL ? strlen(j.body) : 0;
        s->out->failed |= j.body == NULL;
    }
    abdm_effect_job(s->out, &j);
}


static void
next_page(step_t *s, int number)
{
    if (number >= s->transfer.n_pages) {
        over(s, ABDM_OK);
    } else {
        job(s, ABDM_JOB_EVENT, "transfer.page_due", number, s->ev->now, s->transfer.deadline_at,
            NULL);
    }
}


static void
page_over(step_t *s, abdm_page_t *page, abdm_err_t outcome)
{
    page->state = abdm_failed(outcome) ? ABDM_PART_FAILED : ABDM_PART_DONE;
    page->reason = outcome.code;
    json_decref(page->record);
    page->record = NULL;
    abdm_effect_page(s->out, &s->transfer, page);
    if (abdm_failed(outcome) && ends_transfer(outcome.code)) {
        over(s, outcome.code);
    } else {
        next_page(s, page->number + 1);
    }
}


/* Loads the transfer of the event; *late tells that the event comes too late to matter. */
static abdm_err_t
load(step_t *s, const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, abdm_effects_t *out,
     bool *late)
{
    abdm_err_t err;

    *s = (step_t){.ctx = ctx, .ev = ev, .out = out};
    err = ctx->view->transfer(ctx->view, ev->hip_id, ev->subject, &s->transfer);
    *late = err.code == ABDM_E_NOT_FOUND || (!abdm_failed(err) && is_over(&s->transfer));
    return err.code == ABDM_E_NOT_FOUND ? ABDM_NO_ERR : err;
}


abdm_err_t
abdm_flow_transfer_acknowledged(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev,
                                abdm_effects_t *out)
{
    abdm_err_t err;
    step_t s;
    bool late;

    err = load(&s, ctx, ev, out, &late);
    if (!abdm_failed(err) && !late && s.transfer.state == ABDM_TRANSFER_REQUESTED) {
        if (abdm_failed(ev->result->err)) {
            audit(&s, "acknowledgement not accepted by the gateway", ev->result->err, NULL);
            over(&s, ev->result->err.code);
        } else if (s.transfer.n_contexts == 0) {
            over(&s, ABDM_E_RECORD_NONE);
        } else {
            s.transfer.state = ABDM_TRANSFER_LISTING;
            abdm_effect_transfer(out, &s.transfer);
            for (int i = 0; i < s.transfer.n_contexts && i < LIST_WINDOW; i++) {
                job(&s, ABDM_JOB_RECORDS, "transfer.listed", i, ev->now, ev->now + HMIS_PATIENCE,
                    NULL);
            }
        }
    }
    abdm_transfer_clear(&s.transfer);
    return err;
}


/* How many documents the record becomes; 0: more than anybody may ask for. */
static int
parts_of(const json_t *record, abdm_hi_type_t type)
{
    size_t n = 1;

    if (json_object_get(record, "bundle") == NULL) {
        n = abdm_document_count(type, record);
    }
    return n > PARTS_MAX ? 0 : (int) n;
}


/* Takes over into pages what of the HMIS's records the consent covers. *reason is the first
 * refusal, to be told when nothing remains. */
static abdm_err_t
take_records(step_t *s, int context, int first, int *taken, abdm_code_t *reason)
{
    size_t i;
    json_t *record;

    json_array_foreach(s->ev->result->records, i, record)
    {
        const char *date = json_string_value(json_object_get(record, "authoredOn"));
        const char *type = json_string_value(json_object_get(record, "hiType"));
        json_t *patient = json_object_get(record, "patient");
        abdm_page_t page = {.number = first + *taken, .context = context, .record = record};
        abdm_err_t err;
        int parts = abdm_hi_type_parse(abdm_str(type), &page.hi_type)
                        ? parts_of(record, page.hi_type) : 0;

        if (parts == 0 || first + *taken + parts > PAGES_MAX) {
            *reason = ABDM_E_HMIS_ANSWER;
            continue;
        }
        page.dated = date != NULL && !abdm_failed(abdm_time_parse(abdm_str(date), &page.date));

        err = decide(s, &page,
                     json_string_value(json_object_get(patient, "patientReference")), NULL);
        if (abdm_flow_is_undecided(err)) {
            return err;
        }
        if (abdm_failed(err)) {
            /* that a record exists outside the consent is no news for anybody but us */
            audit(s, "record not covered", err, NULL);
            if (*reason == ABDM_OK
                && (err.code == ABDM_E_CONSENT_PATIENT || ends_transfer(err.code))) {
                *reason = err.code;
            }
            continue;
        }
        for (; page.part < parts; page.part++, page.number++) {
            abdm_effect_page(s->out, &s->transfer, &page);
        }
        *taken += parts;
    }
    return ABDM_NO_ERR;
}


abdm_err_t
abdm_flow_transfer_listed(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, abdm_effects_t *out)
{
    abdm_transfer_context_t context = {0};
    int pending, pages, taken = 0;
    abdm_err_t err;
    step_t s;
    bool late;

    err = load(&s, ctx, ev, out, &late);
    if (!abdm_failed(err) && !late) {
        err = ctx->view->context(ctx->view, &s.transfer, ev->arg, &context);
    }
    if (!abdm_failed(err) && !late) {
        err = ctx->view->progress(ctx->view, &s.transfer, &pending, &pages);
    }
    if (abdm_failed(err) || late || context.state != ABDM_PART_PENDING) {
        goto done;
    }

    if (abdm_failed(ev->result->err)) {
        context.reason = ev->result->err.code;
        audit(&s, "records not listed", ev->result->err, NULL);
    } else {
        err = take_records(&s, ev->arg, pages, &taken, &context.reason);
        if (abdm_failed(err)) {
            goto done;
        }
    }
    if (taken == 0 && context.reason == ABDM_OK) {
        context.reason = ABDM_E_RECORD_NONE;
    }
    context.state = taken == 0 ? ABDM_PART_FAILED : ABDM_PART_DONE;
    abdm_effect_context(out, &s.transfer, &context);

    if (ev->arg + LIST_WINDOW < s.transfer.n_contexts) {
        job(&s, ABDM_JOB_RECORDS, "transfer.listed", ev->arg + LIST_WINDOW, ev->now,
            ev->now + HMIS_PATIENCE, NULL);
    }
    if (pending == 1) {
        s.transfer.state = ABDM_TRANSFER_PUSHING;
        s.transfer.n_pages = pages + taken;
        abdm_effect_transfer(out, &s.transfer);
        next_page(&s, 0); /* an event of its own, since it must see what this one changes */
    }

done:
    abdm_transfer_context_clear(&context);
    abdm_transfer_clear(&s.transfer);
    return err;
}


/* Loads the page of the event too; *late also when that page is final already. */
static abdm_err_t
load_page(step_t *s, const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, abdm_effects_t *out,
          abdm_page_t *page, bool *late)
{
    ABDM_TRY(load(s, ctx, ev, out, late));
    if (!*late) {
        ABDM_TRY(ctx->view->page(ctx->view, &s->transfer, ev->arg, page));
        *late = page->state != ABDM_PART_PENDING;
    }
    return ABDM_NO_ERR;
}


abdm_err_t
abdm_flow_transfer_page_due(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev,
                            abdm_effects_t *out)
{
    abdm_page_t page = {0};
    abdm_err_t err;
    step_t s;
    bool late, held = false;

    err = load_page(&s, ctx, ev, out, &page, &late);
    if (abdm_failed(err) || late) {
        goto done;
    }
    err = decide(&s, &page, NULL, &held);
    if (abdm_flow_is_undecided(err)) {
        goto done;
    }
    if (abdm_failed(err)) {
        audit(&s, "page refused", err, NULL);
        page_over(&s, &page, err);
        err = ABDM_NO_ERR;
    } else if (held) {
        job(&s, ABDM_JOB_EVENT, "transfer.page_due", ev->arg, ev->now + HOLD_AGAIN,
            s.transfer.deadline_at, NULL);
    } else {
        job(&s, ABDM_JOB_DOCUMENT, "transfer.fetched", ev->arg, ev->now, ev->now + HMIS_PATIENCE,
            NULL);
    }

done:
    abdm_page_clear(&page);
    abdm_transfer_clear(&s.transfer);
    return err;
}


abdm_err_t
abdm_flow_transfer_fetched(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, abdm_effects_t *out)
{
    abdm_result_t *result = ev->result;
    abdm_page_t page = {0};
    abdm_err_t err;
    step_t s;
    bool late;

    err = load_page(&s, ctx, ev, out, &page, &late);
    if (abdm_failed(err) || late) {
        goto done;
    }
    err = result->err;
    if (!abdm_failed(err)) {
        if (result->has_facts) { /* what the document says counts, not what the list said */
            page.hi_type = result->hi_type;
            page.dated = result->dated;
            page.date = result->date;
        }
        err = decide(&s, &page, NULL, NULL);
        if (abdm_flow_is_undecided(err)) {
            goto done;
        }
    }
    if (!abdm_failed(err) && result->note != NULL) {
        audit(&s, result->note, ABDM_NO_ERR, result->where);
    }
    if (abdm_failed(err)) {
        audit(&s, "page refused", err, result->where[0] != '\0' ? result->where : NULL);
        page_over(&s, &page, err);
        err = ABDM_NO_ERR;
    } else {
        job(&s, ABDM_JOB_PUSH, "transfer.pushed", ev->arg, ev->now, s.transfer.deadline_at,
            result->document);
        result->document = NULL;
    }

done:
    abdm_page_clear(&page);
    abdm_transfer_clear(&s.transfer);
    return err;
}


abdm_err_t
abdm_flow_transfer_pushed(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, abdm_effects_t *out)
{
    const abdm_result_t *result = ev->result;
    abdm_page_t page = {0};
    abdm_err_t err;
    step_t s;
    bool late;

    err = load_page(&s, ctx, ev, out, &page, &late);
    if (abdm_failed(err) || late) {
        goto done;
    }
    if (result->err.code == ABDM_E_SPOOL_LOST) {
        next_page(&s, ev->arg); /* nothing was tried */
        goto done;
    }
    page.attempts++;
    if (!abdm_failed(result->err)) {
        abdm_effect_audit_transfer(out, &s.transfer, "page delivered", ABDM_NO_ERR, NULL, 1);
        page_over(&s, &page, ABDM_NO_ERR);
    } else if (result->final || page.attempts >= PUSH_ATTEMPTS) {
        audit(&s, "page not delivered", result->err, NULL);
        page_over(&s, &page, result->err);
    } else {
        abdm_effect_page(out, &s.transfer, &page);
        job(&s, ABDM_JOB_EVENT, "transfer.page_due", ev->arg,
            ev->now + ((abdm_ms_t) PUSH_BACKOFF << (page.attempts - 1)), s.transfer.deadline_at,
            NULL);
    }

done:
    abdm_page_clear(&page);
    abdm_transfer_clear(&s.transfer);
    return err;
}


abdm_err_t
abdm_flow_transfer_notified(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev,
                            abdm_effects_t *out)
{
    step_t s = {.ctx = ctx, .ev = ev, .out = out};
    abdm_err_t err;

    err = ctx->view->transfer(ctx->view, ev->hip_id, ev->subject, &s.transfer);
    if (!abdm_failed(err) && s.transfer.state == ABDM_TRANSFER_NOTIFYING) {
        s.transfer.state = ABDM_TRANSFER_DONE;
        if (s.transfer.reason == ABDM_OK) {
            s.transfer.reason = ev->result->err.code; /* the gateway would not hear of it */
        }
        abdm_effect_transfer(out, &s.transfer);
        abdm_effect_cancel(out, &s.transfer);
        audit(&s, "gateway notified", ev->result->err, NULL);
    }
    abdm_transfer_clear(&s.transfer);
    return err.code == ABDM_E_NOT_FOUND ? ABDM_NO_ERR : err;
}


/* The pushing ended: behind the last page, by a refusal that holds for all, or by the deadline;
 * the body names the error, none when all pages were tried. */
abdm_err_t
abdm_flow_transfer_over(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, abdm_effects_t *out)
{
    abdm_err_t err;
    step_t s;
    bool late;

    err = load(&s, ctx, ev, out, &late);
    if (!abdm_failed(err) && !late) {
        err = finish(&s, ev->body != NULL ? abdm_error_by_name(ev->body) : ABDM_OK);
    }
    abdm_transfer_clear(&s.transfer);
    return err;
}
