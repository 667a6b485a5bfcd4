/*
 * Consent notifications (gateway protocol 3.9): keep the artefact while it is granted, forget its
 * content when it is revoked or expired, and acknowledge every notification once it is kept.
 */
#include <stdlib.h>
#include <string.h>

#include "consent/consent.h"
#include "core/json.h"
#include "flow/flow.h"
#include "gateway/inbound.h"
#include "gateway/outbound.h"


static abdm_err_t
parse(const abdm_event_t *ev, abdm_consent_notice_t *notice)
{
    json_t *body = NULL;
    abdm_err_t err;

    err = abdm_json_parse(ev->body, ev->body_len, ABDM_JSON_DEPTH, &body);
    if (!abdm_failed(err)) {
        err = abdm_in_consent_notice(body, notice);
    }
    json_decref(body);

    /* a revocation holds whatever else it says */
    if (!abdm_failed(err) && notice->consent.status == ABDM_CONSENT_GRANTED
        && !abdm_facility_is(ev->hip_id, abdm_str(notice->consent.hip_id))) {
        err = ABDM_ERR(CONSENT_OTHER_HIP, "consentDetail.hip.id is not the facility notified");
    }
    return err;
}


/* What the notice does to the artefact kept. A tombstone is kept even for a consent that was
 * never seen, so that its GRANTED cannot come to life when it arrives late. */
static abdm_err_t
keep(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, abdm_consent_notice_t *notice,
     abdm_effects_t *out)
{
    abdm_consent_t stored = {0};
    abdm_consent_t *notified = &notice->consent;
    abdm_consent_status_t next;
    abdm_err_t err;
    bool known, final;

    err = ctx->view->consent(ctx->view, ev->hip_id, notified->id, &stored);
    known = !abdm_failed(err);
    if (!known && err.code != ABDM_E_NOT_FOUND) {
        return err;
    }

    next = abdm_consent_next(known, stored.status, notified->status);
    final = next == ABDM_CONSENT_REVOKED || next == ABDM_CONSENT_EXPIRED;

    if (known && next == stored.status) {
        abdm_effect_audit(out, ev->hip_id, notified->id, "consent notice repeated", ABDM_NO_ERR,
                          abdm_consent_status_name(notified->status));
    } else {
        abdm_consent_t put = {0};

        if (final) {
            put.id = strdup(notified->id);
        } else {
            put = *notified;
            memset(notified, 0, sizeof(*notified));
            notified->id = strdup(put.id);
            out->failed |= notified->id == NULL;
        }
        free(put.hip_id); /* its spelling may be another */
        put.hip_id = strdup(ev->hip_id);
        put.status = next;
        out->failed |= put.id == NULL || put.hip_id == NULL;
        abdm_effect_audit(out, ev->hip_id, put.id, "consent notice kept", ABDM_NO_ERR,
                          abdm_consent_status_name(next));
        abdm_effect_consent(out, &put);
    }
    abdm_consent_clear(&stored);
    return ABDM_NO_ERR;
}


abdm_err_t
abdm_flow_consent_notified(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, abdm_effects_t *out)
{
    abdm_consent_notice_t notice = {0};
    abdm_buf_t body = {0};
    abdm_err_t err;

    err = parse(ev, &notice);
    if (err.code == ABDM_E_MEMORY) {
        abdm_consent_notice_clear(&notice);
        return err; /* nothing is known of it yet */
    }
    if (abdm_failed(err)) {
        const char *subject = notice.consent.id != NULL ? notice.consent.id : "";

        abdm_effect_audit(out, ev->hip_id, subject, "consent notice refused", err, NULL);
        abdm_flow_refuse(out, ev, subject, ABDM_PATH_CONSENT_ON_NOTIFY, err);
        abdm_consent_notice_clear(&notice);
        return ABDM_NO_ERR;
    }

    err = keep(ctx, ev, &notice, out);
    if (!abdm_failed(err) && notice.consent.id != NULL) {
        abdm_out_consent_on_notify(&body, notice.consent.id, ev->request_id);
        abdm_flow_reply(out, ev, notice.consent.id, ABDM_PATH_CONSENT_ON_NOTIFY, &body,
                        "reply.sent");
    }
    abdm_consent_notice_clear(&notice);
    return err;
}
