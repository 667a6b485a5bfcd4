/*
 * Linking that the hospital begins (gateway protocol 3.2, 7.4): one step for a patient, taken
 * whenever something may have changed, links what is not linked yet. A care context under a
 * request is PENDING with the request's batch id, so that no two requests ever name it.
 */
#include <stdlib.h>
#include <string.h>

#include "core/id.h"
#include "core/json.h"
#include "flow/link.h"
#include "flow/linking.h"
#include "gateway/answer.h"
#include "gateway/outbound_link.h"

enum { RESENDS = 24 };

#define FIRST_SILENCE (10 * ABDM_LINK_MINUTE)
#define SILENCE       ABDM_LINK_HOUR
#define DEADLINE      ABDM_LINK_DAY
#define REFUSAL       "link answer refused"


void
abdm_flow_link_due(abdm_effects_t *out, const abdm_event_t *ev, const char *patient_ref,
                   abdm_ms_t due_at)
{
    abdm_link_moment(out, ev, "link.due", patient_ref, 0, due_at);
}


/* Sends the batch that the rows are of, all of one patient and at most ABDM_LINK_BATCH. */
static void
send_batch(const abdm_event_t *ev, const abdm_row_patient_t *patient, const char *token,
           const abdm_row_context_t *rows, size_t n, int attempt, abdm_effects_t *out)
{
    abdm_out_context_t contexts[ABDM_LINK_BATCH];
    abdm_link_call_t call = {
        .event = "link.sent",
        .subject = rows[0].batch,
        .arg = attempt,
        .path = ABDM_PATH_LINK_CONTEXT,
        .link_token = token,
        .deadline_at = ev->now + DEADLINE,
    };
    abdm_buf_t body = {0};

    for (size_t i = 0; i < n; i++) {
        contexts[i] = (abdm_out_context_t){
            .reference = rows[i].ref,
            .display = rows[i].display != NULL ? rows[i].display : rows[i].ref,
            .hi_types = (abdm_hi_types_t) rows[i].notified_types,
        };
    }
    abdm_out_link_contexts(&body, patient->abha_address, patient->abha_number, patient->ref,
                           patient->name != NULL ? patient->name : patient->ref, contexts, n);
    abdm_link_send(out, ev, &call, &body);
}


static abdm_err_t
begin(const abdm_event_t *ev, const abdm_row_patient_t *patient, const char *token,
      abdm_row_context_t *rows, size_t n, abdm_effects_t *out)
{
    size_t now = n < ABDM_LINK_BATCH ? n : ABDM_LINK_BATCH;
    char batch[ABDM_UUID_TEXT];

    ABDM_TRY(abdm_uuid4(batch));
    for (size_t i = 0; i < now; i++) {
        rows[i].state = ABDM_LINK_PENDING;
        rows[i].notified_types = rows[i].hi_types;
        abdm_link_set(out, &rows[i].batch, batch);
        abdm_link_set(out, &rows[i].reason, NULL);
        abdm_effect_put_context(out, &rows[i]);
    }
    if (out->failed) {
        return ABDM_ERR(MEMORY, "batch");
    }
    send_batch(ev, patient, token, rows, now, 0, out);
    if (now < n) {
        abdm_flow_link_due(out, ev, patient->ref, ev->now);
    }
    return ABDM_NO_ERR;
}


/* What is not linked, of a patient who may be linked. */
static abdm_err_t
link_rows(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, const abdm_row_patient_t *patient,
          abdm_row_context_t *rows, size_t n, abdm_effects_t *out)
{
    abdm_row_link_token_t token = {0};
    abdm_err_t err;
    bool opted_out;

    ABDM_TRY(abdm_opted_out(ctx, ev->hip_id, patient->abha_address, &opted_out));
    if (opted_out) {
        return ABDM_NO_ERR;
    }
    ABDM_TRY(abdm_link_token(ctx, ev, patient->abha_address, &token));
    if (abdm_link_token_holds(&token, ev->now)) {
        err = begin(ev, patient, token.token, rows, n, out);
    } else {
        err = abdm_link_token_ask(ctx, ev, patient, &token, rows, n, out);
    }
    abdm_row_link_token_clear(&token);
    return err;
}


abdm_err_t
abdm_flow_link_step(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, abdm_effects_t *out)
{
    abdm_row_context_t *rows = NULL;
    abdm_row_patient_t patient = {0};
    size_t n = 0, waiting;
    abdm_err_t err;

    err = abdm_link_row(ctx, ABDM_ROW_patient, ev->hip_id, ev->subject, &patient);
    if (!abdm_failed(err) && patient.abha_address != NULL) {
        err = abdm_row_context_find(ctx->view, ABDM_COL_context_patient_ref, ev->hip_id,
                                    patient.ref, ABDM_LINK_CONTEXTS, &rows, &n);
        waiting = abdm_link_pick(rows, n, ABDM_LINK_NONE);
        if (!abdm_failed(err) && waiting > 0) {
            err = link_rows(ctx, ev, &patient, rows, waiting, out);
        }
    }
    abdm_row_context_free(rows, n);
    abdm_row_patient_clear(&patient);
    return err.code == ABDM_E_NOT_FOUND ? ABDM_NO_ERR : err;
}


/* --- what comes of a request --- */

static bool
is_token_fault(const char *code)
{
    static const char *const codes[] = {"1026", "1038", "1062", "1063", "1066"};

    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        if (strcmp(codes[i], code) == 0) {
            return true;
        }
    }
    return false;
}


/* They wait for a step again. */
static void
let_go(const abdm_event_t *ev, abdm_row_context_t *rows, size_t n, abdm_effects_t *out)
{
    for (size_t i = 0; i < n; i++) {
        rows[i].state = ABDM_LINK_NONE;
        abdm_effect_put_context(out, &rows[i]);
    }
    abdm_flow_link_due(out, ev, rows[0].patient_ref, ev->now);
}


/* The token of the batch's patient; E_NOT_FOUND when there is no such patient or ABHA any more. */
static abdm_err_t
token_of(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, const char *patient_ref,
         abdm_row_patient_t *patient, abdm_row_link_token_t *token)
{
    ABDM_TRY(abdm_link_row(ctx, ABDM_ROW_patient, ev->hip_id, patient_ref, patient));
    if (patient->abha_address == NULL) {
        return ABDM_ERR(NOT_FOUND, "ABHA of the patient");
    }
    return abdm_link_token(ctx, ev, patient->abha_address, token);
}


/* The gateway does not want the token: another one is needed, once more at most when this day's
 * were asked for already. */
static abdm_err_t
token_refused(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, abdm_row_context_t *rows,
              size_t n, const char *code, const char *text, abdm_effects_t *out)
{
    abdm_row_link_token_t token = {0};
    abdm_row_patient_t patient = {0};
    abdm_err_t err = token_of(ctx, ev, rows[0].patient_ref, &patient, &token);

    if (!abdm_failed(err)) {
        abdm_effect_audit(out, ev->hip_id, patient.ref, "link token dropped",
                          ABDM_ERR(LINK_REFUSED, "see the detail"), code);
        abdm_link_set(out, &token.token, NULL);
        token.expires_at = 0;
        abdm_link_token_put(ev, &token, out);
    }
    if (!abdm_failed(err) && abdm_link_token_spent(&token, ev->now)) {
        err = abdm_link_over(ctx, ev, rows, n, ABDM_LINK_FAILED, code, text, out);
    } else if (!abdm_failed(err) || err.code == ABDM_E_NOT_FOUND) {
        let_go(ev, rows, n, out);
        err = ABDM_NO_ERR;
    }
    abdm_row_patient_clear(&patient);
    abdm_row_link_token_clear(&token);
    return err;
}


/* Nothing is asked for this ABHA for a day, and the batch waits as long. */
static abdm_err_t
blocked(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, const char *patient_ref,
        abdm_effects_t *out)
{
    abdm_row_link_token_t token = {0};
    abdm_row_patient_t patient = {0};
    abdm_err_t err = token_of(ctx, ev, patient_ref, &patient, &token);

    if (!abdm_failed(err)) {
        token.blocked_until = ev->now + ABDM_LINK_DAY;
        abdm_link_token_put(ev, &token, out);
    }
    abdm_row_patient_clear(&patient);
    abdm_row_link_token_clear(&token);
    return err.code == ABDM_E_NOT_FOUND ? ABDM_NO_ERR : err;
}


/* The rows are PENDING, and a `link.silent` comes for them: a refusal that passes is left to it. */
static abdm_err_t
judge_refusal(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, abdm_row_context_t *rows,
              size_t n, const char *code, const char *text, abdm_effects_t *out)
{
    if (is_token_fault(code)) {
        return token_refused(ctx, ev, rows, n, code, text, out);
    }
    if (strcmp(code, "1027") == 0) {
        return blocked(ctx, ev, rows[0].patient_ref, out);
    }
    if (abdm_link_passes(code)) {
        return ABDM_NO_ERR;
    }
    return abdm_link_over(ctx, ev, rows, n, ABDM_LINK_FAILED, code, text, out);
}


static abdm_err_t
batch_rows(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, const char *batch,
           abdm_row_context_t **rows, size_t *n)
{
    return abdm_row_context_find(ctx->view, ABDM_COL_context_batch, ev->hip_id, batch,
                                 ABDM_LINK_BATCH, rows, n);
}


/* The gateway had this very request before: from a process that ended before it learned of it, or
 * because what it answered was lost. */
static bool
is_known(const abdm_result_t *result)
{
    return result->repeated || strcmp(result->code, "1090") == 0;
}


abdm_err_t
abdm_flow_link_sent(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, abdm_effects_t *out)
{
    const abdm_result_t *result = ev->result;
    abdm_row_context_t *rows = NULL;
    size_t n = 0, open;
    abdm_err_t err = batch_rows(ctx, ev, ev->subject, &rows, &n);

    open = abdm_link_pick(rows, n, ABDM_LINK_PENDING);
    if (abdm_failed(err) || open == 0) {
        /* the callback was faster, or the patient has left */
    } else if (strcmp(result->code, "1056") == 0 || (is_known(result) && ev->arg > 0)) {
        abdm_effect_audit(out, ev->hip_id, ev->subject, "the gateway has the link already",
                          ABDM_NO_ERR, result->code);
        err = abdm_link_over(ctx, ev, rows, open, ABDM_LINK_LINKED, NULL, NULL, out);
    } else if (is_known(result)) { /* the first one's callback says what came of it */
        abdm_link_moment(out, ev, "link.silent", ev->subject, ev->arg, ev->now + FIRST_SILENCE);
        abdm_effect_audit(out, ev->hip_id, ev->subject, "link request repeated", ABDM_NO_ERR,
                          result->code);
    } else {
        abdm_link_moment(out, ev, "link.silent", ev->subject, ev->arg,
                         ev->now + (abdm_failed(result->err) || ev->arg > 0 ? SILENCE
                                                                            : FIRST_SILENCE));
        if (abdm_failed(result->err)) {
            abdm_effect_audit(out, ev->hip_id, ev->subject, "link request not taken",
                              result->err, result->code);
        }
        if (result->err.code == ABDM_E_GATEWAY_REFUSED) {
            err = judge_refusal(ctx, ev, rows, open,
                                abdm_link_reason(result->err, result->code), NULL, out);
        }
    }
    abdm_row_context_free(rows, n);
    return err;
}


static abdm_err_t
resend(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, abdm_row_context_t *rows, size_t n,
       abdm_effects_t *out)
{
    abdm_row_link_token_t token = {0};
    abdm_row_patient_t patient = {0};
    abdm_err_t err = token_of(ctx, ev, rows[0].patient_ref, &patient, &token);

    if (!abdm_failed(err) && token.blocked_until > ev->now) {
        abdm_link_moment(out, ev, "link.silent", rows[0].batch, ev->arg, token.blocked_until);
    } else if (!abdm_failed(err) && abdm_link_token_holds(&token, ev->now)) {
        send_batch(ev, &patient, token.token, rows, n, ev->arg + 1, out);
    } else if (!abdm_failed(err) || err.code == ABDM_E_NOT_FOUND) {
        let_go(ev, rows, n, out);
        err = ABDM_NO_ERR;
    }
    abdm_row_patient_clear(&patient);
    abdm_row_link_token_clear(&token);
    return err;
}


/* Nothing was heard of the batch: the same once more, since the gateway knows a repetition. */
abdm_err_t
abdm_flow_link_silent(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, abdm_effects_t *out)
{
    abdm_row_context_t *rows = NULL;
    size_t n = 0, open;
    abdm_err_t err = batch_rows(ctx, ev, ev->subject, &rows, &n);

    open = abdm_link_pick(rows, n, ABDM_LINK_PENDING);
    if (abdm_failed(err) || open == 0) {
        /* it was heard */
    } else if (ev->arg >= RESENDS) {
        err = abdm_link_over(ctx, ev, rows, open, ABDM_LINK_FAILED, "E_TIMEOUT",
                             "the gateway took the request and never answered it", out);
    } else {
        err = resend(ctx, ev, rows, open, out);
    }
    abdm_row_context_free(rows, n);
    return err;
}


/* E_FIELD when the answer names an ABHA that is not the patient's. */
static abdm_err_t
check_patient(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, const char *patient_ref,
              const char *abha_address)
{
    abdm_row_patient_t patient = {0};
    abdm_err_t err = abdm_link_row(ctx, ABDM_ROW_patient, ev->hip_id, patient_ref, &patient);

    if (!abdm_failed(err) && patient.abha_address != NULL
        && strcmp(patient.abha_address, abha_address) != 0) {
        err = ABDM_ERR(FIELD, "abhaAddress: not of the patient of the request");
    }
    abdm_row_patient_clear(&patient);
    return err.code == ABDM_E_NOT_FOUND ? ABDM_NO_ERR : err;
}


static abdm_err_t
take_outcome(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, const char *batch,
             const abdm_in_outcome_t *outcome, const char *abha_address, abdm_effects_t *out)
{
    abdm_row_context_t *rows = NULL;
    size_t n = 0, open, linked;
    char said[sizeof(outcome->text)];
    abdm_err_t err = batch_rows(ctx, ev, batch, &rows, &n);

    if (!abdm_failed(err) && n > 0 && abha_address != NULL) {
        err = check_patient(ctx, ev, rows[0].patient_ref, abha_address);
    }
    linked = abdm_link_pick(rows, n, ABDM_LINK_LINKED);
    if (err.code == ABDM_E_FIELD) {
        abdm_effect_audit(out, ev->hip_id, ev->request_id, REFUSAL, err, NULL);
        err = ABDM_NO_ERR;
    } else if (abdm_failed(err)) {
        /* it is taken again */
    } else if (linked == n) {
        abdm_effect_audit(out, ev->hip_id, batch, "link answer repeated", ABDM_NO_ERR, NULL);
    } else if (!outcome->failed || strcmp(outcome->code, "1056") == 0) {
        /* LINKED holds whatever was thought of them before */
        err = abdm_link_over(ctx, ev, rows + linked, n - linked, ABDM_LINK_LINKED, NULL, NULL,
                             out);
    } else {
        open = abdm_link_pick(rows, n, ABDM_LINK_PENDING);
        if (open > 0) {
            abdm_answer_said(outcome->text, said, sizeof(said));
            err = judge_refusal(ctx, ev, rows, open,
                                abdm_link_reason(ABDM_ERR(LINK_REFUSED, ""), outcome->code), said,
                                out);
        }
    }
    abdm_row_context_free(rows, n);
    return err;
}


abdm_err_t
abdm_flow_link_linked(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, abdm_effects_t *out)
{
    abdm_in_outcome_t outcome = {0};
    char *batch = NULL, *abha_address = NULL;
    json_t *body = NULL;
    abdm_err_t err = abdm_link_json(ev, &body);

    if (!abdm_failed(err)) {
        err = abdm_in_linked(body, &outcome, &abha_address);
    }
    json_decref(body);
    err = abdm_link_answered(ctx, ev, ABDM_PATH_LINK_CONTEXT, err, outcome.request_id, REFUSAL,
                             &batch, out);
    if (!abdm_failed(err) && batch != NULL) {
        err = take_outcome(ctx, ev, batch, &outcome, abha_address, out);
    }
    free(abha_address);
    free(batch);
    abdm_in_outcome_clear(&outcome);
    return err;
}
