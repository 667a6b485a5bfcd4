/*
 * A health information request (gateway protocol 3.10): allow or refuse it as a whole, tell the
 * gateway by on-request, and begin the transfer. Refused means that nothing is asked of the
 * HMIS and nothing is pushed. A request whose consent is still to be confirmed (confirm.c) waits,
 * and is decided again when it wakes.
 */
#include <stdlib.h>
#include <string.h>

#include "consent/consent.h"
#include "core/json.h"
#include "crypto/fidelius.h"
#include "flow/confirm.h"
#include "flow/push_host.h"
#include "gateway/inbound.h"
#include "gateway/outbound.h"

enum {
    CONSENT_WAIT = 1000,                  /* a request may overtake the notice of its consent: */
    CONSENT_TRIES = 5,                    /* look again so often before it counts as unknown */
    KEY_SKEW = 5 * 60 * 1000,              /* clocks of requesters */
    TRANSFER_DEADLINE = 2 * 60 * 60 * 1000, /* the functional test sheet's limit */
    SETTLE_MAX = 32                         /* transfers that waited, of one event */
};


static abdm_err_t
judge_keys(const abdm_hi_request_t *request, abdm_ms_t now)
{
    static const uint8_t zero[ABDM_NONCE_LEN];
    uint8_t nonce[ABDM_NONCE_LEN];
    abdm_public_key_t key;

    ABDM_TRY(abdm_public_key_decode(abdm_str(request->public_key), &key));
    ABDM_TRY(abdm_nonce_decode(abdm_str(request->nonce), nonce));
    if (memcmp(nonce, zero, sizeof(nonce)) == 0) {
        return ABDM_ERR(KEY_MATERIAL, "hiRequest.keyMaterial.nonce is all zero");
    }
    if (request->key_expiry != 0 && request->key_expiry + KEY_SKEW < now) {
        return ABDM_ERR(KEY_EXPIRED, "hiRequest.keyMaterial.dhPublicKey.expiry is past");
    }
    return ABDM_NO_ERR;
}


/* The decision on the request as a whole; `consent` NULL: none is kept. */
static abdm_err_t
judge_consent(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev,
              const abdm_transfer_t *transfer, const abdm_consent_t *consent)
{
    abdm_consent_request_t asked = {
        .hip_id = abdm_str(ev->hip_id),
        .from = transfer->from,
        .to = transfer->to,
        .break_glass = ctx->policy->break_glass,
    };

    return abdm_consent_decide(consent, &asked, NULL, ev->now);
}


static abdm_err_t
judge(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, const abdm_hi_request_t *request,
      const abdm_transfer_t *transfer, const abdm_consent_t *consent)
{
    abdm_url_t url;

    ABDM_TRY(judge_consent(ctx, ev, transfer, consent));
    ABDM_TRY(judge_keys(request, ev->now));
    return abdm_push_check_url(abdm_str(request->push_url), ctx->push_allow, &url);
}


/* The same callback again, a little later: its consent may be on its way. */
static void
defer(const abdm_event_t *ev, abdm_effects_t *out)
{
    abdm_job_t job = {
        .kind = ABDM_JOB_EVENT,
        .event = (char *) ev->name,
        .hip_id = (char *) ev->hip_id,
        .subject = (char *) ev->subject,
        .arg = ev->arg + 1,
        .request_id = (char *) ev->request_id,
        .body_len = ev->body_len,
        .due_at = ev->now + CONSENT_WAIT,
        .created_at = ev->now,
        .deadline_at = ev->now + TRANSFER_DEADLINE,
    };

    job.body = malloc(ev->body_len + 1);
    if (job.body == NULL) {
        out->failed = true;
        return;
    }
    memcpy(job.body, ev->body, ev->body_len);
    job.body[ev->body_len] = '\0';
    abdm_effect_job(out, &job);
}


/* The callback that asked for the transfer, which may be an earlier one than the event's. */
static abdm_event_t
asked_by(const abdm_event_t *ev, const abdm_transfer_t *transfer)
{
    abdm_event_t asked = *ev;

    asked.request_id = transfer->request_id;
    return asked;
}


static void
begin(const abdm_event_t *ev, abdm_transfer_t *transfer, const abdm_consent_t *consent,
      abdm_effects_t *out)
{
    abdm_event_t asked = asked_by(ev, transfer);
    abdm_job_t deadline = {
        .kind = ABDM_JOB_EVENT,
        .event = "transfer.over",
        .hip_id = transfer->hip_id,
        .subject = transfer->id,
        .due_at = transfer->deadline_at,
        .created_at = ev->now,
        .deadline_at = transfer->deadline_at + TRANSFER_DEADLINE,
    };
    abdm_transfer_t begun;
    abdm_buf_t body = {0};

    deadline.body = strdup("E_DEADLINE");
    deadline.body_len = deadline.body != NULL ? strlen(deadline.body) : 0;
    out->failed |= deadline.body == NULL;

    transfer->state = ABDM_TRANSFER_REQUESTED;
    transfer->n_contexts = (int) consent->n_contexts;
    begun = *transfer;
    begun.hiu_id = consent->hiu_id; /* borrowed */
    abdm_effect_transfer(out, &begun);
    for (size_t i = 0; i < consent->n_contexts; i++) {
        abdm_transfer_context_t context = {
            .index = (int) i,
            .patient_ref = consent->contexts[i].patient_ref,
            .care_context_ref = consent->contexts[i].care_context_ref,
        };

        abdm_effect_context(out, transfer, &context);
    }
    abdm_effect_audit_transfer(out, &begun, "request allowed", ABDM_NO_ERR, begun.consent_id, 0);
    if (abdm_consent_is_emergency(consent)) {
        abdm_effect_alert(out, ev->hip_id, transfer->id, "break the glass", ABDM_NO_ERR,
                          transfer->consent_id);
    }
    abdm_effect_job(out, &deadline);

    abdm_out_hi_on_request(&body, transfer->id, transfer->request_id);
    abdm_flow_reply(out, &asked, transfer->id, ABDM_PATH_HI_ON_REQUEST, &body,
                    "transfer.acknowledged");
}


/* Of what was asked only the ids and dates are kept. */
static void
refuse(const abdm_event_t *ev, const abdm_transfer_t *asked, abdm_err_t why, abdm_effects_t *out)
{
    abdm_event_t by = asked_by(ev, asked);
    const char *id = asked->id != NULL ? asked->id : "";

    if (asked->id != NULL && asked->consent_id != NULL) {
        abdm_transfer_t transfer = {
            .id = asked->id,
            .hip_id = asked->hip_id,
            .consent_id = asked->consent_id,
            .request_id = asked->request_id,
            .from = asked->from,
            .to = asked->to,
            .state = ABDM_TRANSFER_REFUSED,
            .reason = why.code,
            .requested_at = asked->requested_at,
            .deadline_at = ev->now,
            .done_at = ev->now,
        };

        abdm_effect_transfer(out, &transfer);
        if (asked->state == ABDM_TRANSFER_CONFIRMING) {
            abdm_effect_cancel(out, &transfer);
        }
    }
    abdm_effect_audit(out, ev->hip_id, id, "request refused", why, NULL);
    abdm_flow_refuse(out, &by, id, ABDM_PATH_HI_ON_REQUEST, why);
}


/* Nothing speaks against the consent. A host is remembered as the requester's only now, since a
 * consent that is not confirmed may be forged. */
static abdm_err_t
admit(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, abdm_transfer_t *transfer,
      const abdm_consent_t *consent, abdm_effects_t *out)
{
    abdm_err_t err = abdm_push_host_judge(ctx, ev, consent->hiu_id, transfer->push_url,
                                          transfer->id, out);

    if (abdm_flow_is_undecided(err)) {
        return err;
    }
    if (abdm_failed(err)) {
        refuse(ev, transfer, err, out);
    } else {
        begin(ev, transfer, consent, out);
    }
    return ABDM_NO_ERR;
}


/* The decision allows it: it begins, unless the consent is still to be confirmed. *waits: it is. */
static abdm_err_t
proceed(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, abdm_transfer_t *transfer,
        const abdm_consent_t *consent, bool *waits, abdm_effects_t *out)
{
    abdm_confirm_verdict_t verdict;
    abdm_err_t why = ABDM_NO_ERR;

    *waits = false;
    ABDM_TRY(abdm_flow_confirm(ctx, ev, consent, transfer->id, &verdict, &why, out));
    switch (verdict) {
    case ABDM_CONFIRM_PASS:
        return admit(ctx, ev, transfer, consent, out);
    case ABDM_CONFIRM_REFUSE:
        refuse(ev, transfer, why, out);
        break;
    case ABDM_CONFIRM_WAIT:
        *waits = true;
        if (transfer->state != ABDM_TRANSFER_CONFIRMING) {
            transfer->state = ABDM_TRANSFER_CONFIRMING;
            abdm_effect_transfer(out, transfer);
            abdm_effect_audit(out, ev->hip_id, transfer->id,
                              "request waits for the consent to be confirmed", ABDM_NO_ERR,
                              transfer->consent_id);
        }
        break;
    }
    return ABDM_NO_ERR;
}


static abdm_transfer_t
transfer_of(const abdm_event_t *ev, const abdm_hi_request_t *request)
{
    return (abdm_transfer_t){
        .id = request->transaction_id,
        .hip_id = (char *) ev->hip_id,
        .consent_id = request->consent_id,
        .request_id = (char *) ev->request_id,
        .from = request->from,
        .to = request->to,
        .push_url = request->push_url,
        .curve = request->curve,
        .public_key = request->public_key,
        .nonce = request->nonce,
        .state = ABDM_TRANSFER_REQUESTED,
        .requested_at = ev->now,
        .deadline_at = ev->now + TRANSFER_DEADLINE,
    };
}


/* A body that cannot be read is refused, but it does not end the transfer whose id it bears. */
static abdm_err_t
refuse_unread(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, const abdm_hi_request_t *request,
              abdm_err_t why, abdm_effects_t *out)
{
    abdm_err_t err = ABDM_ERR(NOT_FOUND, "transfer");
    abdm_transfer_t asked = transfer_of(ev, request), known = {0};

    if (why.code == ABDM_E_MEMORY) {
        return why; /* nothing is known of it yet */
    }
    if (request->transaction_id != NULL) {
        err = ctx->view->transfer(ctx->view, ev->hip_id, request->transaction_id, &known);
    }
    if (err.code == ABDM_E_NOT_FOUND) {
        refuse(ev, &asked, why, out);
        return ABDM_NO_ERR;
    }
    if (!abdm_failed(err)) {
        abdm_effect_audit(out, ev->hip_id, known.id, "request refused", why, NULL);
        abdm_flow_refuse(out, ev, known.id, ABDM_PATH_HI_ON_REQUEST, why);
        abdm_transfer_clear(&known);
    }
    return err;
}


/* A transfer is known by its transactionId: asked again, the answer is repeated, when there is one,
 * and nothing is pushed a second time. */
static void
repeat(const abdm_event_t *ev, const abdm_transfer_t *transfer, abdm_effects_t *out)
{
    abdm_buf_t body = {0};

    if (transfer->state == ABDM_TRANSFER_CONFIRMING) {
        defer(ev, out);
        return;
    }
    abdm_effect_audit(out, ev->hip_id, transfer->id, "request repeated", ABDM_NO_ERR, NULL);
    if (transfer->state == ABDM_TRANSFER_REFUSED) {
        abdm_flow_refuse(out, ev, transfer->id, ABDM_PATH_HI_ON_REQUEST,
                         (abdm_err_t){transfer->reason, "", ""});
        return;
    }
    abdm_out_hi_on_request(&body, transfer->id, ev->request_id);
    abdm_flow_reply(out, ev, transfer->id, ABDM_PATH_HI_ON_REQUEST, &body, "reply.sent");
}


/* *consent stays empty when none is kept: *known false. */
static abdm_err_t
get_consent(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, const char *id,
            abdm_consent_t *consent, bool *known)
{
    abdm_err_t err = ctx->view->consent(ctx->view, ev->hip_id, id, consent);

    *known = !abdm_failed(err);
    return err.code == ABDM_E_NOT_FOUND ? ABDM_NO_ERR : err;
}


static abdm_err_t
decide(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, const abdm_hi_request_t *request,
       abdm_effects_t *out)
{
    abdm_transfer_t transfer = {0}, asked = transfer_of(ev, request);
    abdm_consent_t consent = {0};
    abdm_err_t err;
    bool known, waits;

    err = ctx->view->transfer(ctx->view, ev->hip_id, request->transaction_id, &transfer);
    if (!abdm_failed(err)) {
        repeat(ev, &transfer, out);
        abdm_transfer_clear(&transfer);
        return ABDM_NO_ERR;
    }
    if (err.code != ABDM_E_NOT_FOUND) {
        return err;
    }

    ABDM_TRY(get_consent(ctx, ev, request->consent_id, &consent, &known));
    if (!known && ev->arg < CONSENT_TRIES) {
        defer(ev, out);
        return ABDM_NO_ERR;
    }

    err = judge(ctx, ev, request, &asked, known ? &consent : NULL);
    if (abdm_failed(err)) {
        refuse(ev, &asked, err, out);
        err = ABDM_NO_ERR;
    } else {
        err = proceed(ctx, ev, &asked, &consent, &waits, out);
    }
    abdm_consent_clear(&consent);
    return err;
}


abdm_err_t
abdm_flow_transfer_requested(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev,
                             abdm_effects_t *out)
{
    abdm_hi_request_t request = {0};
    json_t *body = NULL;
    abdm_err_t err;

    err = abdm_json_parse(ev->body, ev->body_len, ABDM_JSON_DEPTH, &body);
    if (!abdm_failed(err)) {
        err = abdm_in_hi_request(body, &request);
    }
    json_decref(body);

    if (err.code == ABDM_E_MEMORY) {
        /* nothing is known of it yet */
    } else if (abdm_failed(err)) {
        err = refuse_unread(ctx, ev, &request, err, out);
    } else {
        err = decide(ctx, ev, &request, out);
    }
    abdm_hi_request_clear(&request);
    return err;
}


/* One that waited; what became of the consent meanwhile counts. */
static abdm_err_t
wake(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, const char *id, bool *waits,
     abdm_effects_t *out)
{
    abdm_transfer_t transfer = {0};
    abdm_consent_t consent = {0};
    abdm_err_t err, why;
    bool known = false;

    *waits = false;
    ABDM_TRY(ctx->view->transfer(ctx->view, ev->hip_id, id, &transfer));
    err = get_consent(ctx, ev, transfer.consent_id, &consent, &known);
    if (!abdm_failed(err)) {
        why = judge_consent(ctx, ev, &transfer, known ? &consent : NULL);
        if (abdm_failed(why)) {
            refuse(ev, &transfer, why, out);
        } else {
            err = proceed(ctx, ev, &transfer, &consent, waits, out);
        }
    }
    abdm_consent_clear(&consent);
    abdm_transfer_clear(&transfer);
    return err;
}


abdm_err_t
abdm_flow_consent_settled(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, abdm_effects_t *out)
{
    char **ids = NULL;
    size_t n = 0;
    abdm_err_t err;
    bool waits = false;

    err = ctx->view->confirming(ctx->view, ev->hip_id, ev->subject, SETTLE_MAX, &ids, &n);
    for (size_t i = 0; i < n && !abdm_failed(err) && !waits; i++) {
        err = wake(ctx, ev, ids[i], &waits, out);
    }
    if (!abdm_failed(err) && !waits && n == SETTLE_MAX) {
        abdm_flow_confirm_settle(ev, ev->subject, out);
    }
    for (size_t i = 0; i < n; i++) {
        free(ids[i]);
    }
    free(ids);
    return err;
}
