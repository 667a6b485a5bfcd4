/*
 * A health information request (gateway protocol 3.10): allow or refuse it as a whole, tell the
 * gateway by on-request, and begin the transfer. Refused means that nothing is asked of the
 * HMIS and nothing is pushed.
 */
#include <stdlib.h>
#include <string.h>

#include "consent/consent.h"
#include "core/json.h"
#include "crypto/fidelius.h"
#include "flow/flow.h"
#include "flow/push_host.h"
#include "gateway/inbound.h"
#include "gateway/outbound.h"

enum {
    CONSENT_WAIT = 1000,                  /* a request may overtake the notice of its consent: */
    CONSENT_TRIES = 5,                    /* look again so often before it counts as unknown */
    KEY_SKEW = 5 * 60 * 1000,             /* clocks of requesters */
    TRANSFER_DEADLINE = 2 * 60 * 60 * 1000 /* the functional test sheet's limit */
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


static abdm_err_t
judge(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, const abdm_hi_request_t *request,
      const abdm_consent_t *consent, abdm_effects_t *out)
{
    abdm_consent_request_t asked = {
        .hip_id = abdm_str(ev->hip_id),
        .from = request->from,
        .to = request->to,
        .break_glass = ctx->policy->break_glass,
    };
    abdm_url_t url;

    ABDM_TRY(abdm_consent_decide(consent, &asked, NULL, ev->now));
    ABDM_TRY(judge_keys(request, ev->now));
    ABDM_TRY(abdm_push_check_url(abdm_str(request->push_url), ctx->push_allow, &url));
    return abdm_push_host_judge(ctx, ev, consent->hiu_id, request->push_url,
                                request->transaction_id, out);
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


static void
begin(const abdm_event_t *ev, const abdm_hi_request_t *request, const abdm_consent_t *consent,
      abdm_effects_t *out)
{
    abdm_transfer_t transfer = {
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
        .n_contexts = (int) consent->n_contexts,
        .requested_at = ev->now,
        .deadline_at = ev->now + TRANSFER_DEADLINE,
    };
    abdm_job_t deadline = {
        .kind = ABDM_JOB_EVENT,
        .event = "transfer.over",
        .hip_id = (char *) ev->hip_id,
        .subject = request->transaction_id,
        .due_at = transfer.deadline_at,
        .created_at = ev->now,
        .deadline_at = transfer.deadline_at + TRANSFER_DEADLINE,
    };
    abdm_buf_t body = {0};

    deadline.body = strdup("E_DEADLINE");
    deadline.body_len = deadline.body != NULL ? strlen(deadline.body) : 0;
    out->failed |= deadline.body == NULL;

    abdm_effect_transfer(out, &transfer);
    for (size_t i = 0; i < consent->n_contexts; i++) {
        abdm_transfer_context_t context = {
            .index = (int) i,
            .patient_ref = consent->contexts[i].patient_ref,
            .care_context_ref = consent->contexts[i].care_context_ref,
        };

        abdm_effect_context(out, &transfer, &context);
    }
    abdm_effect_audit(out, ev->hip_id, transfer.id, "request allowed", ABDM_NO_ERR,
                      request->consent_id);
    if (abdm_consent_is_emergency(consent)) {
        abdm_effect_alert(out, ev->hip_id, transfer.id, "break the glass", ABDM_NO_ERR,
                          request->consent_id);
    }
    abdm_effect_job(out, &deadline);

    abdm_out_hi_on_request(&body, transfer.id, ev->request_id);
    abdm_flow_reply(out, ev, transfer.id, ABDM_PATH_HI_ON_REQUEST, &body, "transfer.acknowledged");
}


static void
refuse(const abdm_event_t *ev, const abdm_hi_request_t *request, abdm_err_t why,
       abdm_effects_t *out)
{
    const char *id = request->transaction_id != NULL ? request->transaction_id : "";

    if (request->transaction_id != NULL && request->consent_id != NULL) {
        abdm_transfer_t transfer = {
            .id = request->transaction_id,
            .hip_id = (char *) ev->hip_id,
            .consent_id = request->consent_id,
            .request_id = (char *) ev->request_id,
            .from = request->from,
            .to = request->to,
            .state = ABDM_TRANSFER_REFUSED,
            .reason = why.code,
            .requested_at = ev->now,
            .deadline_at = ev->now,
            .done_at = ev->now,
        };

        abdm_effect_transfer(out, &transfer);
    }
    abdm_effect_audit(out, ev->hip_id, id, "request refused", why, NULL);
    abdm_flow_refuse(out, ev, id, ABDM_PATH_HI_ON_REQUEST, why);
}


/* A body that cannot be read is refused, but it does not end the transfer whose id it bears. */
static abdm_err_t
refuse_unread(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, const abdm_hi_request_t *request,
              abdm_err_t why, abdm_effects_t *out)
{
    abdm_err_t err = ABDM_ERR(NOT_FOUND, "transfer");
    abdm_transfer_t known = {0};

    if (why.code == ABDM_E_MEMORY) {
        return why; /* nothing is known of it yet */
    }
    if (request->transaction_id != NULL) {
        err = ctx->view->transfer(ctx->view, ev->hip_id, request->transaction_id, &known);
    }
    if (err.code == ABDM_E_NOT_FOUND) {
        refuse(ev, request, why, out);
        return ABDM_NO_ERR;
    }
    if (!abdm_failed(err)) {
        abdm_effect_audit(out, ev->hip_id, known.id, "request refused", why, NULL);
        abdm_flow_refuse(out, ev, known.id, ABDM_PATH_HI_ON_REQUEST, why);
        abdm_transfer_clear(&known);
    }
    return err;
}


/* A transfer is known by its transactionId: asked again, the answer is repeated and nothing is
 * pushed a second time. */
static void
repeat(const abdm_event_t *ev, const abdm_transfer_t *transfer, abdm_effects_t *out)
{
    abdm_buf_t body = {0};

    abdm_effect_audit(out, ev->hip_id, transfer->id, "request repeated", ABDM_NO_ERR, NULL);
    if (transfer->state == ABDM_TRANSFER_REFUSED) {
        abdm_flow_refuse(out, ev, transfer->id, ABDM_PATH_HI_ON_REQUEST,
                         (abdm_err_t){transfer->reason, "", ""});
        return;
    }
    abdm_out_hi_on_request(&body, transfer->id, ev->request_id);
    abdm_flow_reply(out, ev, transfer->id, ABDM_PATH_HI_ON_REQUEST, &body, "reply.sent");
}


static abdm_err_t
decide(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, const abdm_hi_request_t *request,
       abdm_effects_t *out)
{
    abdm_transfer_t transfer = {0};
    abdm_consent_t consent = {0};
    abdm_err_t err;
    bool known;

    err = ctx->view->transfer(ctx->view, ev->hip_id, request->transaction_id, &transfer);
    if (!abdm_failed(err)) {
        repeat(ev, &transfer, out);
        abdm_transfer_clear(&transfer);
        return ABDM_NO_ERR;
    }
    if (err.code != ABDM_E_NOT_FOUND) {
        return err;
    }

    err = ctx->view->consent(ctx->view, ev->hip_id, request->consent_id, &consent);
    known = !abdm_failed(err);
    if (!known && err.code != ABDM_E_NOT_FOUND) {
        return err;
    }
    if (!known && ev->arg < CONSENT_TRIES) {
        defer(ev, out);
        return ABDM_NO_ERR;
    }

    err = judge(ctx, ev, request, known ? &consent : NULL, out);
    if (abdm_flow_is_undecided(err)) {
        abdm_consent_clear(&consent);
        return err;
    }
    if (abdm_failed(err)) {
        refuse(ev, request, err, out);
    } else {
        begin(ev, request, &consent, out);
    }
    abdm_consent_clear(&consent);
    return ABDM_NO_ERR;
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
