/*
 * New data in a linked care context (gateway protocol 3.3): the patient's apps are told by a
 * notification, not sooner than the gateway knows the link, and one at a time for a care context.
 * What comes to it meanwhile is told by another one after.
 */
#include <stdlib.h>
#include <string.h>

#include "flow/link.h"
#include "flow/linking.h"
#include "gateway/outbound_link.h"

enum { TOO_EARLY_TRIES = 3 };

#define AFTER_LINK ((abdm_ms_t) 30 * 1000)
#define SILENCE    (10 * ABDM_LINK_MINUTE)
#define DEADLINE   ABDM_LINK_DAY


void
abdm_flow_context_notify(abdm_effects_t *out, const abdm_event_t *ev, abdm_row_context_t *context)
{
    abdm_ms_t due = context->linked_at + AFTER_LINK;

    if (context->notify == ABDM_NOTIFY_SENT) {
        context->notify = ABDM_NOTIFY_AGAIN;
    } else if (context->notify == ABDM_NOTIFY_NONE) {
        context->notify = ABDM_NOTIFY_DUE;
        context->notify_tries = 0;
        abdm_link_moment(out, ev, "context.notify_due", context->ref, 0,
                         due > ev->now && due <= ev->now + AFTER_LINK ? due : ev->now);
    }
}


/* The notification under way is over. */
static void
over(const abdm_event_t *ev, abdm_row_context_t *context, abdm_effects_t *out)
{
    bool again = context->notify == ABDM_NOTIFY_AGAIN;

    context->notify = ABDM_NOTIFY_NONE;
    context->notify_at = 0;
    if (again) {
        abdm_flow_context_notify(out, ev, context);
    }
    abdm_effect_put_context(out, context);
}


static void
refused(const abdm_event_t *ev, abdm_row_context_t *context, abdm_err_t why, const char *code,
        abdm_effects_t *out)
{
    static const abdm_ms_t waits[TOO_EARLY_TRIES] = {5 * 1000, 15 * 1000, 60 * 1000};

    if (strcmp(code, "1006") == 0 && context->notify_tries < TOO_EARLY_TRIES) {
        abdm_link_moment(out, ev, "context.notify_due", context->ref, 0,
                         ev->now + waits[context->notify_tries]);
        context->notify = ABDM_NOTIFY_DUE;
        context->notify_tries++;
        context->notify_at = 0;
        abdm_effect_put_context(out, context);
        return;
    }
    abdm_effect_audit(out, ev->hip_id, context->ref, "new data not notified", why, code);
    over(ev, context, out);
}


static abdm_err_t
send_notice(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, abdm_row_context_t *context,
            abdm_effects_t *out)
{
    int64_t fresh = context->hi_types & ~context->notified_types;
    abdm_link_call_t call = {
        .event = "context.notify_sent",
        .subject = context->ref,
        .path = ABDM_PATH_CONTEXT_NOTIFY,
        .deadline_at = ev->now + DEADLINE,
    };
    abdm_row_patient_t patient = {0};
    bool opted_out = true;
    abdm_err_t err;

    err = abdm_link_row(ctx, ABDM_ROW_patient, ev->hip_id, context->patient_ref, &patient);
    if (!abdm_failed(err) && patient.abha_address != NULL) {
        err = abdm_opted_out(ctx, ev->hip_id, patient.abha_address, &opted_out);
    }
    if (!abdm_failed(err) && !opted_out) {
        abdm_buf_t body = {0};

        context->notify = ABDM_NOTIFY_SENT;
        context->notify_at = 0;
        abdm_effect_put_context(out, context);
        abdm_out_context_notify(&body, ev->hip_id, patient.abha_address, patient.ref,
                                context->ref,
                                (abdm_hi_types_t) (fresh != 0 ? fresh : context->hi_types),
                                ev->now);
        abdm_link_send(out, ev, &call, &body);
    } else if (!abdm_failed(err) || err.code == ABDM_E_NOT_FOUND) {
        context->notify = ABDM_NOTIFY_NONE; /* nobody is to be told */
        abdm_effect_put_context(out, context);
        err = ABDM_NO_ERR;
    }
    abdm_row_patient_clear(&patient);
    return err;
}


/* The context of the event's subject; *out is clear when there is none any more. */
static abdm_err_t
load(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, const char *ref, abdm_row_context_t *out)
{
    abdm_err_t err = abdm_link_row(ctx, ABDM_ROW_context, ev->hip_id, ref, out);

    return err.code == ABDM_E_NOT_FOUND ? ABDM_NO_ERR : err;
}


static bool
is_under_way(const abdm_row_context_t *context)
{
    return context->notify == ABDM_NOTIFY_SENT || context->notify == ABDM_NOTIFY_AGAIN;
}


abdm_err_t
abdm_flow_context_notify_due(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev,
                             abdm_effects_t *out)
{
    abdm_row_context_t context = {0};
    abdm_err_t err = load(ctx, ev, ev->subject, &context);

    if (abdm_failed(err)) {
        return err;
    }
    if (context.notify == ABDM_NOTIFY_DUE) {
        err = send_notice(ctx, ev, &context, out);
    } else if (is_under_way(&context) && context.notify_at != 0 && context.notify_at == ev->at) {
        abdm_effect_audit(out, ev->hip_id, context.ref, "new data notified, not acknowledged",
                          ABDM_NO_ERR, NULL);
        over(ev, &context, out);
    }
    abdm_row_context_clear(&context);
    return err;
}


abdm_err_t
abdm_flow_context_notify_sent(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev,
                              abdm_effects_t *out)
{
    const abdm_result_t *result = ev->result;
    abdm_row_context_t context = {0};
    abdm_err_t err = load(ctx, ev, ev->subject, &context);

    if (abdm_failed(err)) {
        return err;
    }
    if (!is_under_way(&context)) {
        /* the callback was faster */
    } else if (abdm_failed(result->err)) {
        refused(ev, &context, result->err, result->code, out);
    } else {
        context.notify_at = ev->now; /* by which its silence is known */
        abdm_effect_put_context(out, &context);
        abdm_link_moment(out, ev, "context.notify_due", context.ref, 0, ev->now + SILENCE);
    }
    abdm_row_context_clear(&context);
    return err;
}


abdm_err_t
abdm_flow_context_notified(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev,
                           abdm_effects_t *out)
{
    abdm_row_context_t context = {0};
    abdm_in_outcome_t outcome = {0};
    char *ref = NULL;
    abdm_err_t err;

    err = abdm_link_outcome(ctx, ev, ABDM_PATH_CONTEXT_NOTIFY, "notification answer refused",
                            &outcome, &ref, out);
    if (!abdm_failed(err) && ref != NULL) {
        err = load(ctx, ev, ref, &context);
    }
    if (abdm_failed(err) || ref == NULL) {
        /* nothing to be done */
    } else if (!is_under_way(&context)) {
        abdm_effect_audit(out, ev->hip_id, ref, "notification answer repeated", ABDM_NO_ERR, NULL);
    } else if (outcome.failed) {
        refused(ev, &context, ABDM_ERR(LINK_REFUSED, "see the detail"), outcome.code, out);
    } else {
        if (context.notify == ABDM_NOTIFY_SENT) {
            context.notified_types = context.hi_types;
        }
        abdm_effect_audit(out, ev->hip_id, ref, "new data notified", ABDM_NO_ERR, NULL);
        over(ev, &context, out);
    }
    free(ref);
    abdm_row_context_clear(&context);
    abdm_in_outcome_clear(&outcome);
    return err;
}
