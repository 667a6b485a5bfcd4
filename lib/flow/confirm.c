/*
 * Confirm by fetch (threat model C1): before a consent is used for the first time, the consent
 * manager is asked for the artefact (gateway protocol 4.4), under a REQUEST-ID that nobody can
 * guess, and what it answers must mean the same as what was notified. So whoever passes the check
 * of tokens still cannot bring a consent of his own. Every request for data under the consent waits
 * for the same answer; the word of the consent manager counts for the consent's life.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "consent/consent.h"
#include "flow/confirm.h"
#include "flow/link.h"
#include "gateway/answer.h"
#include "gateway/inbound.h"
#include "gateway/outbound.h"

enum {
    ANSWER_MS = 20 * 1000, /* for the callback of one fetch; on-request should leave in 60 s */
    FETCHES = 2,
    CALL_MS = 15 * 1000,    /* how long the engine tries to have the fetch taken */
    REFUSED_MS = 60 * 1000, /* a consent that was refused is not asked for again before, ... */
    SILENCE_MS = 5 * 1000,  /* ...one that nobody answered for may be soon */
    UNSERVED_MS = 60 * 60 * 1000,
    KEEP_MS = 60 * 60 * 1000 /* beyond the end of the consent */
};

#define UNSERVED "consent not confirmed: the consent manager does not serve fetches"


/* --- rows --- */

/* *found false: a new row. To be cleared. */
static abdm_err_t
get_row(const abdm_flow_ctx_t *ctx, const char *hip_id, const char *consent_id,
        abdm_row_confirmation_t *row, bool *found)
{
    abdm_err_t err = abdm_link_row(ctx, ABDM_ROW_confirmation, hip_id, consent_id, row);

    *found = !abdm_failed(err);
    if (err.code != ABDM_E_NOT_FOUND) {
        return err;
    }
    row->hip_id = strdup(hip_id);
    row->consent_id = strdup(consent_id);
    if (row->hip_id == NULL || row->consent_id == NULL) {
        abdm_row_confirmation_clear(row);
        return ABDM_ERR(MEMORY, "confirmation");
    }
    return ABDM_NO_ERR;
}


/* By the consent manager's word: silence is none. It holds until the consent is confirmed. */
static bool
is_denied(const abdm_row_confirmation_t *row)
{
    return row->reason != NULL
           && abdm_error_by_name(row->reason) != ABDM_E_CONSENT_SILENCE;
}


/* Is the refusal so fresh that it holds without another question? */
static bool
is_refused(const abdm_row_confirmation_t *row, bool found, abdm_ms_t now)
{
    return found && row->state == ABDM_CONFIRM_REFUSED
           && now < row->ended_at + (is_denied(row) ? REFUSED_MS : SILENCE_MS);
}


static bool
is_asking(const abdm_row_confirmation_t *row, bool found)
{
    return found && row->state == ABDM_CONFIRM_ASKING;
}


static abdm_err_t
is_unserved(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, bool *unserved)
{
    abdm_row_unserved_t row = {0};
    abdm_err_t err;

    err = abdm_link_row(ctx, ABDM_ROW_unserved, ev->hip_id, ABDM_PATH_CONSENT_FETCH, &row);
    *unserved = !abdm_failed(err) && ev->now < row.keep_until;
    abdm_row_unserved_clear(&row);
    return err.code == ABDM_E_NOT_FOUND ? ABDM_NO_ERR : err;
}


/* --- asking --- */

/* The moment belongs to the transfer, and goes with it. */
static void
ask(const abdm_event_t *ev, abdm_row_confirmation_t *row, const char *transfer,
    abdm_effects_t *out)
{
    abdm_link_call_t call = {
        .event = "consent.fetch_sent",
        .subject = row->consent_id,
        .path = ABDM_PATH_CONSENT_FETCH,
        .deadline_at = ev->now + CALL_MS,
        .awaited = true, /* by the request for data */
    };
    abdm_buf_t body = {0};

    row->state = ABDM_CONFIRM_ASKING;
    row->tries++;
    row->asked_at = ev->now;
    row->ended_at = 0;
    abdm_effect_put_confirmation(out, row);
    abdm_out_consent_fetch(&body, row->consent_id);
    abdm_link_send(out, ev, &call, &body);
    abdm_link_moment(out, ev, "consent.unanswered", transfer, 0, ev->now + ANSWER_MS);
}


void
abdm_flow_confirm_settle(const abdm_event_t *ev, const char *consent_id, abdm_effects_t *out)
{
    abdm_link_moment(out, ev, "consent.settled", consent_id, 0, ev->now);
}


static void
confirmed(const abdm_event_t *ev, abdm_row_confirmation_t *row, abdm_effects_t *out)
{
    row->state = ABDM_CONFIRM_CONFIRMED;
    row->ended_at = ev->now;
    abdm_link_set(out, &row->reason, NULL);
    abdm_effect_put_confirmation(out, row);
    abdm_effect_audit(out, ev->hip_id, row->consent_id, "consent confirmed by the consent manager",
                      ABDM_NO_ERR, NULL);
    abdm_flow_confirm_settle(ev, row->consent_id, out);
}


static void
refused(const abdm_event_t *ev, abdm_row_confirmation_t *row, abdm_err_t why, const char *detail,
        abdm_effects_t *out)
{
    row->state = ABDM_CONFIRM_REFUSED;
    row->ended_at = ev->now;
    row->tries = 0;
    abdm_link_set(out, &row->reason, abdm_error_info(why.code)->name);
    abdm_effect_put_confirmation(out, row);
    if (why.code == ABDM_E_CONSENT_MISMATCH) {
        abdm_effect_alert(out, ev->hip_id, row->consent_id, "consent not confirmed", why, detail);
    } else {
        abdm_effect_audit(out, ev->hip_id, row->consent_id, "consent not confirmed", why, detail);
    }
    abdm_flow_confirm_settle(ev, row->consent_id, out);
}


/* --- the question --- */

static abdm_err_t
confirm(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, abdm_row_confirmation_t *row,
        bool found, const abdm_consent_t *consent, const char *transfer,
        abdm_confirm_verdict_t *verdict, abdm_err_t *why, abdm_effects_t *out)
{
    bool unserved = false;

    *verdict = ABDM_CONFIRM_PASS;
    if (found && row->state == ABDM_CONFIRM_CONFIRMED) {
        return ABDM_NO_ERR;
    }
    if (is_refused(row, found, ev->now)) {
        *verdict = ABDM_CONFIRM_REFUSE;
        *why = (abdm_err_t){abdm_error_by_name(row->reason), "the consent manager was asked",
                            __FILE__ ":" ABDM_STR(__LINE__)};
        return ABDM_NO_ERR;
    }
    if (is_asking(row, found) && ev->now < row->asked_at + FETCHES * ANSWER_MS) {
        *verdict = ABDM_CONFIRM_WAIT;
        return ABDM_NO_ERR;
    }
    if (ctx->policy->confirm == ABDM_CONFIRM_TRY && !is_denied(row)) {
        ABDM_TRY(is_unserved(ctx, ev, &unserved));
    }
    if (unserved) {
        abdm_effect_audit(out, ev->hip_id, transfer, UNSERVED, ABDM_NO_ERR, consent->id);
        return ABDM_NO_ERR;
    }
    *verdict = ABDM_CONFIRM_WAIT;
    row->tries = 0;
    row->keep_until = consent->erase_at + KEEP_MS;
    ask(ev, row, transfer, out);
    return ABDM_NO_ERR;
}


/* The key may have come later than the notice: what was kept is looked at again. */
static abdm_err_t
judge_signature(const abdm_flow_ctx_t *ctx, const abdm_consent_t *consent, abdm_err_t *why)
{
    abdm_signed_t known = consent->is_signed;
    char *artefact = NULL, *signature = NULL;
    abdm_err_t err;

    *why = abdm_flow_signed_judge(ctx, known);
    if (!abdm_failed(*why)) {
        return ABDM_NO_ERR;
    }
    err = ctx->view->artefact(ctx->view, consent->hip_id, consent->id, &artefact, &signature);
    if (!abdm_failed(err)) {
        err = abdm_flow_signed(ctx, abdm_str(artefact), signature, &known);
        *why = abdm_flow_signed_judge(ctx, known);
    }
    free(artefact);
    free(signature);
    return err.code == ABDM_E_NOT_FOUND ? ABDM_NO_ERR : err;
}


abdm_err_t
abdm_flow_confirm(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev,
                  const abdm_consent_t *consent, const char *transfer,
                  abdm_confirm_verdict_t *verdict, abdm_err_t *why, abdm_effects_t *out)
{
    abdm_row_confirmation_t row = {0};
    abdm_err_t err;
    bool found;

    *verdict = ABDM_CONFIRM_REFUSE;
    ABDM_TRY(judge_signature(ctx, consent, why));
    if (abdm_failed(*why)) {
        return ABDM_NO_ERR;
    }
    if (ctx->policy->confirm == ABDM_CONFIRM_OFF) {
        *verdict = ABDM_CONFIRM_PASS;
        return ABDM_NO_ERR;
    }
    ABDM_TRY(get_row(ctx, ev->hip_id, consent->id, &row, &found));
    err = confirm(ctx, ev, &row, found, consent, transfer, verdict, why, out);
    abdm_row_confirmation_clear(&row);
    return err;
}


abdm_err_t
abdm_flow_confirm_denied(const abdm_flow_ctx_t *ctx, const char *hip_id, const char *consent_id,
                         bool *denied)
{
    abdm_row_confirmation_t row = {0};
    bool found;

    ABDM_TRY(get_row(ctx, hip_id, consent_id, &row, &found));
    *denied = found && row.state == ABDM_CONFIRM_REFUSED && is_denied(&row);
    abdm_row_confirmation_clear(&row);
    return ABDM_NO_ERR;
}


abdm_err_t
abdm_flow_confirm_forget(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev,
                         const char *consent_id, abdm_effects_t *out)
{
    abdm_row_confirmation_t row = {0};
    bool found;

    ABDM_TRY(get_row(ctx, ev->hip_id, consent_id, &row, &found));
    if (found) {
        abdm_effect_delete_confirmation(out, &row);
    }
    if (is_asking(&row, found)) {
        abdm_flow_confirm_settle(ev, consent_id, out);
    }
    abdm_row_confirmation_clear(&row);
    return ABDM_NO_ERR;
}


/* --- what comes of it --- */

/* The fetch itself was answered with a refusal, or could not be made. */
static void
fetch_refused(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, abdm_row_confirmation_t *row,
              abdm_effects_t *out)
{
    const abdm_result_t *result = ev->result;
    char answer[64];

    snprintf(answer, sizeof(answer), "status %d%s%s", result->status,
             result->code[0] != '\0' ? ", code " : "", result->code);
    if (abdm_answer_is_unserved(result->status, result->code)) {
        abdm_row_unserved_t unserved = {.hip_id = (char *) ev->hip_id,
                                        .path = ABDM_PATH_CONSENT_FETCH, .since = ev->now,
                                        .keep_until = ev->now + UNSERVED_MS};

        abdm_effect_put_unserved(out, &unserved);
        abdm_effect_audit(out, ev->hip_id, row->consent_id, UNSERVED, ABDM_NO_ERR, answer);
        if (ctx->policy->confirm == ABDM_CONFIRM_REQUIRE || is_denied(row)) {
            refused(ev, row, ABDM_ERR(CONSENT_UNCONFIRMED, "fetches are not served"), NULL, out);
        } else {
            abdm_effect_delete_confirmation(out, row);
            abdm_flow_confirm_settle(ev, row->consent_id, out);
        }
    } else if (result->err.code == ABDM_E_GATEWAY_REFUSED) {
        refused(ev, row, ABDM_ERR(CONSENT_UNCONFIRMED, "the fetch was refused"), answer, out);
    }
    /* what may pass is tried again when its time is over */
}


abdm_err_t
abdm_flow_consent_fetch_sent(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev,
                             abdm_effects_t *out)
{
    abdm_row_confirmation_t row = {0};
    bool found;

    ABDM_TRY(get_row(ctx, ev->hip_id, ev->subject, &row, &found));
    if (is_asking(&row, found) && row.asked_at == ev->at && abdm_failed(ev->result->err)) {
        fetch_refused(ctx, ev, &row, out);
    }
    abdm_row_confirmation_clear(&row);
    return ABDM_NO_ERR;
}


abdm_err_t
abdm_flow_consent_unanswered(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev,
                             abdm_effects_t *out)
{
    abdm_row_confirmation_t row = {0};
    abdm_transfer_t transfer = {0};
    abdm_err_t err;
    bool found = false;

    err = ctx->view->transfer(ctx->view, ev->hip_id, ev->subject, &transfer);
    if (!abdm_failed(err)) {
        err = get_row(ctx, ev->hip_id, transfer.consent_id, &row, &found);
    }
    if (abdm_failed(err)) {
        /* undecided, or there is nobody who waits */
    } else if (!is_asking(&row, found)) {
        if (transfer.state == ABDM_TRANSFER_CONFIRMING) {
            abdm_flow_confirm_settle(ev, transfer.consent_id, out);
        }
    } else if (row.asked_at == ev->at && row.tries < FETCHES) {
        ask(ev, &row, transfer.id, out);
    } else if (row.asked_at == ev->at) {
        refused(ev, &row, ABDM_ERR(CONSENT_SILENCE, "no answer to two fetches"), NULL, out);
    }
    abdm_row_confirmation_clear(&row);
    abdm_transfer_clear(&transfer);
    return err.code == ABDM_E_NOT_FOUND ? ABDM_NO_ERR : err;
}


/* --- the answer --- */

/* What the consent manager says of the consent, against what is kept. */
static abdm_err_t
judge_answer(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, const abdm_in_fetched_t *fetched,
             abdm_err_t unread, abdm_row_confirmation_t *row, abdm_effects_t *out)
{
    abdm_consent_t kept = {0};
    const char *member = NULL;
    abdm_err_t err;

    if (abdm_failed(unread)) {
        refused(ev, row, ABDM_ERR(CONSENT_UNCONFIRMED, "the answer cannot be read"), unread.what,
                out);
        return ABDM_NO_ERR;
    }
    if (fetched->outcome.failed) {
        refused(ev, row, ABDM_ERR(CONSENT_UNCONFIRMED, "the answer is an error"),
                fetched->outcome.code, out);
        return ABDM_NO_ERR;
    }
    if (fetched->consent.status == ABDM_CONSENT_REVOKED
        || fetched->consent.status == ABDM_CONSENT_EXPIRED) {
        return abdm_flow_consent_end(ctx, ev, row->consent_id, fetched->consent.status, out);
    }
    if (fetched->consent.status != ABDM_CONSENT_GRANTED) {
        refused(ev, row, ABDM_ERR(CONSENT_NOT_GRANTED, "says the consent manager"), NULL, out);
        return ABDM_NO_ERR;
    }
    err = ctx->view->consent(ctx->view, ev->hip_id, row->consent_id, &kept);
    if (err.code == ABDM_E_NOT_FOUND) {
        return abdm_flow_confirm_forget(ctx, ev, row->consent_id, out);
    }
    if (!abdm_failed(err)) {
        err = abdm_consent_compare(&kept, &fetched->consent, &member);
    }
    if (!abdm_failed(err) && member != NULL) {
        refused(ev, row, ABDM_ERR(CONSENT_MISMATCH, "not as notified"), member, out);
    } else if (!abdm_failed(err)) {
        confirmed(ev, row, out);
    }
    abdm_consent_clear(&kept);
    return err;
}


/* An answer counts once, and only while it is waited for. */
static abdm_err_t
take_answer(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, const abdm_in_fetched_t *fetched,
            abdm_err_t unread, const char *consent_id, abdm_effects_t *out)
{
    const char *answers = fetched->outcome.request_id;
    abdm_row_confirmation_t row = {0};
    abdm_err_t err;
    bool found;

    ABDM_TRY(get_row(ctx, ev->hip_id, consent_id, &row, &found));
    if (!is_asking(&row, found) || (row.answered != NULL && strcmp(row.answered, answers) == 0)) {
        abdm_effect_audit(out, ev->hip_id, consent_id, "consent answer refused",
                          ABDM_ERR(ANSWER_UNKNOWN, "it came twice or too late"), NULL);
        err = ABDM_NO_ERR;
    } else {
        abdm_link_set(out, &row.answered, answers);
        err = judge_answer(ctx, ev, fetched, unread, &row, out);
    }
    abdm_row_confirmation_clear(&row);
    return err;
}


abdm_err_t
abdm_flow_consent_fetched(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, abdm_effects_t *out)
{
    abdm_in_fetched_t fetched = {0};
    char *consent_id = NULL;
    json_t *body = NULL;
    abdm_err_t unread, err;

    unread = abdm_link_json(ev, &body);
    if (!abdm_failed(unread)) {
        unread = abdm_in_consent_fetched(body, &fetched);
    }
    json_decref(body);
    err = unread.code == ABDM_E_MEMORY || fetched.outcome.request_id == NULL ? unread : ABDM_NO_ERR;
    err = abdm_link_answered(ctx, ev, ABDM_PATH_CONSENT_FETCH, err, fetched.outcome.request_id,
                             "consent answer refused", &consent_id, out);
    if (!abdm_failed(err) && consent_id != NULL) {
        err = take_answer(ctx, ev, &fetched, unread, consent_id, out);
    }
    free(consent_id);
    abdm_in_fetched_clear(&fetched);
    return err;
}
