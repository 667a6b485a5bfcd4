/*
 * The deep link (gateway protocol 3.4): whoever has no ABHA that we know is told of a visit's
 * records by the gateway's SMS, once for a care context, by day, and not more often a day than the
 * facility wants.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flow/link.h"
#include "gateway/outbound_link.h"

enum { DAY_MINUTES = 24 * 60 };

#define DEADLINE (6 * ABDM_LINK_HOUR)

/* What the hospital asks for by name: no reference of a care context begins like this. */
#define REQUEST_MARK '#'


/* Minutes until the next `then`, a minute of the day; a whole day when it is now. */
static int
minutes_until(int now, int then)
{
    int minutes = (then - now + DAY_MINUTES) % DAY_MINUTES;

    return minutes == 0 ? DAY_MINUTES : minutes;
}


/* The end of the quiet hours, when it is one of them. */
static bool
is_quiet(const abdm_facility_t *f, abdm_ms_t now, abdm_ms_t *end)
{
    int minute = abdm_minute_of(now, f->zone);

    if (f->quiet_from == f->quiet_to
        || (f->quiet_from < f->quiet_to ? minute < f->quiet_from || minute >= f->quiet_to
                                        : minute < f->quiet_from && minute >= f->quiet_to)) {
        return false;
    }
    *end = now - now % ABDM_LINK_MINUTE + minutes_until(minute, f->quiet_to) * ABDM_LINK_MINUTE;
    return true;
}


static void
send_sms(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, const char *subject,
         const char *mobile, abdm_ms_t deadline, abdm_effects_t *out)
{
    abdm_link_call_t call = {
        .event = "sms.sent",
        .subject = subject,
        .path = ABDM_PATH_SMS_NOTIFY,
        .deadline_at = deadline,
    };
    abdm_buf_t body = {0};

    abdm_out_sms_notify(&body, ev->hip_id, ctx->facility->name, mobile);
    abdm_link_send(out, ev, &call, &body);
}


void
abdm_flow_sms_request(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, const char *request,
                      const char *mobile, abdm_effects_t *out)
{
    abdm_buf_t subject = {0};
    char *text;

    abdm_buf_addf(&subject, "%c%s", REQUEST_MARK, request);
    text = abdm_buf_take(&subject);
    if (text == NULL) {
        out->failed = true;
        return;
    }
    send_sms(ctx, ev, text, mobile, ev->now + DEADLINE, out);
    free(text);
}


void
abdm_flow_deep_link(abdm_effects_t *out, const abdm_event_t *ev, abdm_row_context_t *context)
{
    context->sms = ABDM_SMS_DUE;
    abdm_link_moment(out, ev, "sms.due", context->ref, 0, ev->now);
}


/* One of the day's, by the calendar of the facility. */
static abdm_err_t
within_day(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, int64_t day, bool *within,
           abdm_effects_t *out)
{
    char value[24];

    snprintf(value, sizeof(value), "%lld", (long long) day);
    return abdm_flow_budget(ctx, ev, "deep link", value, ctx->facility->sms_daily,
                            2 * ABDM_LINK_DAY, within, out);
}


/* The patient is to be told, if not now then later. */
static abdm_err_t
decide(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, const char *mobile,
       const abdm_row_context_t *context, abdm_effects_t *out)
{
    const abdm_facility_t *f = ctx->facility;
    int64_t day = abdm_day_of(ev->now, f->zone);
    abdm_ms_t deadline = ev->now + DEADLINE, quiet_end, quiet_from;
    bool within;

    if (is_quiet(f, ev->now, &quiet_end)) {
        abdm_link_moment(out, ev, "sms.due", context->ref, 0, quiet_end);
        return ABDM_NO_ERR;
    }
    ABDM_TRY(within_day(ctx, ev, day, &within, out));
    if (!within) {
        abdm_link_moment(out, ev, "sms.due", context->ref, 0,
                         (day + 1) * ABDM_LINK_DAY - f->zone * ABDM_LINK_MINUTE);
        return ABDM_NO_ERR;
    }
    if (f->quiet_from != f->quiet_to) {
        quiet_from = ev->now - ev->now % ABDM_LINK_MINUTE
                     + minutes_until(abdm_minute_of(ev->now, f->zone), f->quiet_from)
                           * ABDM_LINK_MINUTE;
        deadline = quiet_from < deadline ? quiet_from : deadline;
    }
    send_sms(ctx, ev, context->ref, mobile, deadline, out);
    return ABDM_NO_ERR;
}


abdm_err_t
abdm_flow_sms_due(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, abdm_effects_t *out)
{
    abdm_row_context_t context = {0};
    abdm_row_patient_t patient = {0};
    abdm_err_t err;

    err = abdm_link_row(ctx, ABDM_ROW_context, ev->hip_id, ev->subject, &context);
    if (!abdm_failed(err)) {
        err = abdm_link_row(ctx, ABDM_ROW_patient, ev->hip_id, context.patient_ref, &patient);
    }
    if (abdm_failed(err) || context.sms != ABDM_SMS_DUE) {
        /* it is gone, or was told */
    } else if (!ctx->facility->deep_link || context.state != ABDM_LINK_NONE
               || patient.abha_address != NULL || patient.mobile == NULL) {
        context.sms = ABDM_SMS_NONE;
        abdm_effect_put_context(out, &context);
    } else {
        err = decide(ctx, ev, patient.mobile, &context, out);
    }
    abdm_row_patient_clear(&patient);
    abdm_row_context_clear(&context);
    return err.code == ABDM_E_NOT_FOUND ? ABDM_NO_ERR : err;
}


static abdm_err_t
settle_request(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, const char *id, bool failed,
               const char *reason, abdm_effects_t *out)
{
    abdm_row_request_t request = {0};
    abdm_err_t err = abdm_link_row(ctx, ABDM_ROW_request, ev->hip_id, id, &request);

    if (!abdm_failed(err)) {
        request.state = failed ? ABDM_REQUEST_FAILED : ABDM_REQUEST_DONE;
        abdm_link_set(out, &request.reason, failed ? reason : NULL);
        abdm_effect_put_request(out, &request);
    }
    abdm_row_request_clear(&request);
    return err.code == ABDM_E_NOT_FOUND ? ABDM_NO_ERR : err;
}


/* What became of an SMS; `reason` of a failed one. */
static abdm_err_t
settle(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, const char *subject, bool failed,
       const char *reason, abdm_effects_t *out)
{
    abdm_row_context_t context = {0};
    abdm_err_t err;

    if (failed) {
        abdm_effect_audit(out, ev->hip_id, subject, "deep link not sent",
                          ABDM_ERR(SMS, "by the gateway"), reason);
    } else {
        abdm_effect_audit(out, ev->hip_id, subject, "deep link sent", ABDM_NO_ERR, NULL);
    }
    if (subject[0] == REQUEST_MARK) {
        return settle_request(ctx, ev, subject + 1, failed, reason, out);
    }
    err = abdm_link_row(ctx, ABDM_ROW_context, ev->hip_id, subject, &context);
    if (!abdm_failed(err)) {
        context.sms = failed ? ABDM_SMS_FAILED : ABDM_SMS_SENT;
        abdm_effect_put_context(out, &context);
    }
    abdm_row_context_clear(&context);
    return err.code == ABDM_E_NOT_FOUND ? ABDM_NO_ERR : err;
}


/* That the gateway took it is enough; its callback may say more. */
abdm_err_t
abdm_flow_sms_sent(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, abdm_effects_t *out)
{
    const abdm_result_t *result = ev->result;

    return settle(ctx, ev, ev->subject, abdm_failed(result->err),
                  abdm_link_reason(result->err, result->code), out);
}


abdm_err_t
abdm_flow_sms_notified(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, abdm_effects_t *out)
{
    abdm_in_outcome_t outcome = {0};
    char *subject = NULL;
    abdm_err_t err;

    err = abdm_link_outcome(ctx, ev, ABDM_PATH_SMS_NOTIFY, "SMS answer refused", &outcome,
                            &subject, out);
    if (!abdm_failed(err) && subject != NULL) {
        err = settle(ctx, ev, subject, outcome.failed,
                     abdm_link_reason(ABDM_ERR(SMS, ""), outcome.code), out);
    }
    free(subject);
    abdm_in_outcome_clear(&outcome);
    return err;
}
