/*
 * Link tokens (gateway protocol 3.1, 7.1): one for each ABHA address, asked for when there is
 * something to link and used until shortly before its end. The gateway takes three requests a day
 * and blocks who asks more (which day it means is not told: here it is any 24 hours); so each attempt is decided here, none is repeated by the engine, and at
 * most one is under way for an ABHA.
 */
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "flow/link.h"
#include "gateway/outbound_link.h"

enum {
    BORN_FIRST = 1900,
    BORN_LAST = 2200
};

#define DUE_MOST    (2 * ABDM_LINK_DAY) /* until a step; later ones are of another clock */
#define APART       (7 * ABDM_LINK_MINUTE) /* of two requests */
#define BLOCK       ABDM_LINK_DAY
#define OUTAGE_MOST (20 * ABDM_LINK_MINUTE) /* with half of it besides to spread patients */
#define LIFE_UNTOLD (30 * ABDM_LINK_MINUTE) /* of a token that does not tell its end */


abdm_err_t
abdm_link_token(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, const char *abha_address,
                abdm_row_link_token_t *row)
{
    abdm_row_link_token_t key = {.hip_id = (char *) ev->hip_id,
                                 .abha_address = (char *) abha_address};
    abdm_err_t err = abdm_link_row(ctx, ABDM_ROW_link_token, ev->hip_id, abha_address, row);

    return err.code == ABDM_E_NOT_FOUND ? abdm_row_copy(ABDM_ROW_link_token, row, &key) : err;
}


bool
abdm_link_token_holds(const abdm_row_link_token_t *row, abdm_ms_t now)
{
    return row->token != NULL && now < row->expires_at;
}


void
abdm_link_token_put(const abdm_event_t *ev, abdm_row_link_token_t *row, abdm_effects_t *out)
{
    const abdm_ms_t moments[] = {row->expires_at, row->blocked_until, row->due_at};

    row->keep_until = ev->now + ABDM_LINK_DAY; /* the count is of this day */
    for (size_t i = 0; i < sizeof(moments) / sizeof(moments[0]); i++) {
        if (moments[i] > row->keep_until) {
            row->keep_until = moments[i];
        }
    }
    row->keep_until += ABDM_LINK_DAY;
    abdm_effect_put_link_token(out, row);
}


void
abdm_link_token_keep(const abdm_event_t *ev, abdm_row_link_token_t *row, const char *token,
                     abdm_ms_t expires_at, abdm_effects_t *out)
{
    abdm_ms_t life = expires_at - ev->now;

    abdm_link_set(out, &row->token, token);
    if (expires_at == 0) {
        row->expires_at = ev->now + LIFE_UNTOLD;
    } else {
        row->expires_at = expires_at - (life > 2 * ABDM_LINK_DAY ? ABDM_LINK_DAY : life / 10);
    }
    row->due_at = 0;
    abdm_link_token_put(ev, row, out);
}


bool
abdm_link_token_spent(const abdm_row_link_token_t *row, abdm_ms_t now)
{
    return row->counted_3 != 0 && now < row->counted_3 + ABDM_LINK_DAY;
}


/* After a clock was set back the limits count from now: they are neither forgotten nor hold for
 * years. */
static void
not_after(abdm_ms_t *moment, abdm_ms_t latest)
{
    if (*moment > latest) {
        *moment = latest;
    }
}


/* The first moment at which the gateway may be asked. */
static abdm_ms_t
first_moment(abdm_row_link_token_t *row, abdm_ms_t now)
{
    abdm_ms_t when = now;

    not_after(&row->asked_at, now);
    not_after(&row->counted_1, now);
    not_after(&row->counted_2, now);
    not_after(&row->counted_3, now);
    not_after(&row->blocked_until, now + BLOCK);
    if (row->blocked_until > when) {
        when = row->blocked_until;
    }
    if (row->asked_at != 0 && row->asked_at + APART > when) {
        when = row->asked_at + APART;
    }
    if (abdm_link_token_spent(row, when)) {
        when = row->counted_3 + ABDM_LINK_DAY;
    }
    return when;
}


/* From 7 to 30 minutes: longer the longer it lasts, and not the same for all patients. */
static abdm_ms_t
outage_wait(const char *patient_ref, int attempt)
{
    abdm_ms_t wait = APART;
    uint32_t hash = 2166136261u;

    for (int i = 0; i < attempt && wait < OUTAGE_MOST; i++) {
        wait *= 2;
    }
    if (wait > OUTAGE_MOST) {
        wait = OUTAGE_MOST;
    }
    for (const char *c = patient_ref; *c != '\0'; c++) { /* FNV-1a */
        hash = (hash ^ (unsigned char) *c) * 16777619u;
    }
    return wait + (abdm_ms_t) (hash % (uint32_t) (wait / 2));
}


/* The next step comes then, and nobody asks before. */
static void
wait_until(const abdm_event_t *ev, abdm_row_link_token_t *row, const char *event,
           const char *patient_ref, int arg, abdm_ms_t due_at, abdm_effects_t *out)
{
    row->due_at = due_at;
    abdm_link_token_put(ev, row, out);
    abdm_link_moment(out, ev, event, patient_ref, arg, due_at);
}


static void
ask(const abdm_event_t *ev, const abdm_row_patient_t *patient, abdm_row_link_token_t *row,
    abdm_effects_t *out)
{
    abdm_link_call_t call = {
        .event = "link.token_asked",
        .subject = patient->ref,
        .arg = ev->arg,
        .path = ABDM_PATH_GENERATE_TOKEN,
        .deadline_at = ev->now, /* not repeated: the rules are asked first */
    };
    abdm_out_patient_t who = {
        .abha_address = patient->abha_address,
        .abha_number = patient->abha_number,
        .name = patient->name,
        .gender = patient->gender,
        .year_of_birth = (int) patient->year_of_birth,
    };
    abdm_buf_t body = {0};

    row->counted_3 = row->counted_2;
    row->counted_2 = row->counted_1;
    row->counted_1 = ev->now;
    row->asked_at = ev->now;
    row->due_at = ev->now + ABDM_LINK_DAY; /* its outcome comes long before */
    abdm_link_token_put(ev, row, out);
    abdm_out_generate_token(&body, &who);
    abdm_link_send(out, ev, &call, &body);
}


abdm_err_t
abdm_link_token_ask(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev,
                    const abdm_row_patient_t *patient, abdm_row_link_token_t *token,
                    abdm_row_context_t *rows, size_t n, abdm_effects_t *out)
{
    abdm_ms_t when;

    if (token->due_at > ev->now && token->due_at <= ev->now + DUE_MOST) {
        return ABDM_NO_ERR; /* the step on its way links these too */
    }
    if (patient->name == NULL || patient->gender == NULL || patient->year_of_birth < BORN_FIRST
        || patient->year_of_birth > BORN_LAST) {
        return abdm_link_over(ctx, ev, rows, n, ABDM_LINK_FAILED, "E_FIELD",
                              "name, gender or year of birth of the patient is not known", out);
    }
    when = first_moment(token, ev->now);
    if (when > ev->now) {
        wait_until(ev, token, "link.due", patient->ref, ev->arg, when, out);
    } else {
        ask(ev, patient, token, out);
    }
    return ABDM_NO_ERR;
}


/* --- what comes of a request --- */

/* The care contexts that wait for a token which is refused. */
static abdm_err_t
fail_waiting(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, const char *patient_ref,
             const char *reason, const char *text, abdm_effects_t *out)
{
    abdm_row_context_t *rows = NULL;
    size_t n = 0;
    abdm_err_t err;

    err = abdm_row_context_find(ctx->view, ABDM_COL_context_patient_ref, ev->hip_id, patient_ref,
                                ABDM_LINK_CONTEXTS, &rows, &n);
    if (!abdm_failed(err)) {
        err = abdm_link_over(ctx, ev, rows, abdm_link_pick(rows, n, ABDM_LINK_NONE),
                             ABDM_LINK_FAILED, reason, text, out);
    }
    abdm_row_context_free(rows, n);
    return err;
}


/* Could the gateway have counted it? What may never have come there is not held against us. */
static bool
is_counted(const abdm_result_t *result)
{
    switch (result->err.code) {
    case ABDM_OK:
    case ABDM_E_TIMEOUT:
    case ABDM_E_GATEWAY_REFUSED:
    case ABDM_E_ANSWER_TOO_LARGE:
    case ABDM_E_STOPPING:
    case ABDM_E_POISON:
        return true;
    case ABDM_E_HTTP_STATUS:
        return result->status == 408;
    default:
        return false;
    }
}


/* The gateway's refusal of a request, at once or by callback. */
static abdm_err_t
refused(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, const char *patient_ref,
        abdm_row_link_token_t *row, const char *reason, const char *text, abdm_effects_t *out)
{
    abdm_effect_audit(out, ev->hip_id, patient_ref, "link token refused",
                      ABDM_ERR(LINK_REFUSED, "see the detail"), reason);
    if (strcmp(reason, "1027") == 0) {
        row->blocked_until = ev->now + BLOCK;
        wait_until(ev, row, "link.due", patient_ref, 0, row->blocked_until, out);
    } else if (strcmp(reason, "1092") == 0) {
        wait_until(ev, row, "link.due", patient_ref, 0, ev->now + APART, out);
    } else if (abdm_link_passes(reason)) {
        wait_until(ev, row, "link.due", patient_ref, 0, ev->now + outage_wait(patient_ref, 2),
                   out);
    } else {
        row->due_at = 0;
        abdm_link_token_put(ev, row, out);
        return fail_waiting(ctx, ev, patient_ref, reason, text, out);
    }
    return ABDM_NO_ERR;
}


/* The result of a request, whose body tells for which ABHA it was. */
static abdm_err_t
judge_result(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, abdm_row_link_token_t *row,
             abdm_effects_t *out)
{
    const abdm_result_t *result = ev->result;

    row->asked_at = ev->now;
    if (is_counted(result)) {
        row->counted_1 = ev->now; /* when it left, at the latest */
    } else {
        row->counted_1 = row->counted_2;
        row->counted_2 = row->counted_3;
        row->counted_3 = 0; /* what stood there was a day old, or nothing would have been asked */
    }
    if (row->answered != NULL && ev->request_id != NULL
        && strcmp(row->answered, ev->request_id) == 0) {
        abdm_link_token_put(ev, row, out); /* the callback was faster, and has decided */
        return ABDM_NO_ERR;
    }
    if (!abdm_failed(result->err)) {
        wait_until(ev, row, "link.token_silent", ev->subject, 0, ev->now + APART, out);
        return ABDM_NO_ERR;
    }
    if (result->err.code == ABDM_E_GATEWAY_REFUSED) {
        return refused(ctx, ev, ev->subject, row, abdm_link_reason(result->err, result->code),
                       NULL, out);
    }
    if (ev->arg == 0) {
        abdm_effect_audit(out, ev->hip_id, ev->subject, "link token not asked", result->err,
                          NULL);
    }
    wait_until(ev, row, "link.due", ev->subject, ev->arg + 1,
               ev->now + outage_wait(ev->subject, ev->arg), out);
    return ABDM_NO_ERR;
}


abdm_err_t
abdm_flow_link_token_asked(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, abdm_effects_t *out)
{
    abdm_row_link_token_t row = {0};
    json_t *body = NULL;
    const char *address;
    abdm_err_t err;

    ABDM_TRY(abdm_link_json(ev, &body));
    address = abdm_json_string_at(body, "abhaAddress");
    err = address == NULL ? ABDM_ERR(INTERNAL, "request without ABHA address")
                          : abdm_link_token(ctx, ev, address, &row);
    json_decref(body);
    if (!abdm_failed(err)) {
        err = judge_result(ctx, ev, &row, out);
    }
    abdm_row_link_token_clear(&row);
    return err;
}


/* The callback is the patient's: a token of somebody else is never kept. */
static abdm_err_t
owner(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, const char *patient_ref,
      const abdm_in_token_t *in, abdm_row_patient_t *patient)
{
    abdm_err_t err = abdm_link_row(ctx, ABDM_ROW_patient, ev->hip_id, patient_ref, patient);
    bool told = in->abha_address != NULL;

    if (err.code == ABDM_E_NOT_FOUND || (!abdm_failed(err) && patient->abha_address == NULL)) {
        return ABDM_ERR(ABHA_NONE, "the patient of the request has no ABHA any more");
    }
    ABDM_TRY(err);
    if (told ? strcmp(in->abha_address, patient->abha_address) != 0 : !in->outcome.failed) {
        return ABDM_ERR(FIELD, "abhaAddress: not of the patient that the token was asked for");
    }
    return ABDM_NO_ERR;
}


static abdm_err_t
take_answer(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, const abdm_in_token_t *in,
            const abdm_row_patient_t *patient, abdm_effects_t *out)
{
    abdm_row_link_token_t row = {0};
    abdm_err_t err;

    ABDM_TRY(abdm_link_token(ctx, ev, patient->abha_address, &row));
    if (row.answered != NULL && strcmp(row.answered, in->outcome.request_id) == 0) {
        abdm_effect_audit(out, ev->hip_id, patient->ref, "link token answer repeated",
                          ABDM_NO_ERR, NULL);
        abdm_row_link_token_clear(&row);
        return ABDM_NO_ERR;
    }
    abdm_link_set(out, &row.answered, in->outcome.request_id);
    err = ABDM_NO_ERR;
    if (!in->outcome.failed) {
        abdm_link_token_keep(ev, &row, in->token, in->expires_at, out);
        abdm_effect_audit(out, ev->hip_id, patient->ref, "link token kept", ABDM_NO_ERR, NULL);
        abdm_flow_link_due(out, ev, patient->ref, ev->now);
    } else if (abdm_link_token_holds(&row, ev->now)) {
        abdm_link_token_put(ev, &row, out); /* a refusal of before, overtaken */
    } else {
        err = refused(ctx, ev, patient->ref, &row,
                      abdm_link_reason(ABDM_ERR(LINK_REFUSED, ""), in->outcome.code),
                      in->outcome.text, out);
    }
    abdm_row_link_token_clear(&row);
    return err;
}


abdm_err_t
abdm_flow_link_token_came(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, abdm_effects_t *out)
{
    static const char refusal[] = "link token answer refused";
    abdm_row_patient_t patient = {0};
    abdm_in_token_t in = {0};
    char *patient_ref = NULL;
    json_t *body = NULL;
    abdm_err_t err;

    err = abdm_link_json(ev, &body);
    if (!abdm_failed(err)) {
        err = abdm_in_link_token(body, &in);
    }
    json_decref(body);
    err = abdm_link_answered(ctx, ev, ABDM_PATH_GENERATE_TOKEN, err, in.outcome.request_id,
                             refusal, &patient_ref, out);
    if (!abdm_failed(err) && patient_ref != NULL) {
        err = owner(ctx, ev, patient_ref, &in, &patient);
        if (err.code == ABDM_E_ABHA_NONE || err.code == ABDM_E_FIELD) {
            abdm_effect_audit(out, ev->hip_id, ev->request_id, refusal, err, NULL);
            err = ABDM_NO_ERR;
        } else if (!abdm_failed(err)) {
            err = take_answer(ctx, ev, &in, &patient, out);
        }
    }
    free(patient_ref);
    abdm_row_patient_clear(&patient);
    abdm_in_token_clear(&in);
    return err;
}
