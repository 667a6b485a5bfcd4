/*
 * Consent notifications (gateway protocol 3.9): keep the artefact while it is granted, forget its
 * content when it is revoked or expired, and acknowledge every notification once it is kept. What
 * was signed is kept byte for byte.
 */
#include <stdlib.h>
#include <string.h>

#include "consent/consent.h"
#include "core/json.h"
#include "flow/confirm.h"
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


/* Keeps what was signed and looks at its signature. E_CONSENT_SIGNATURE: it is wanted and is not
 * there. */
static abdm_err_t
look_at_signature(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, abdm_consent_t *consent,
                  abdm_effects_t *out)
{
    static const char *const outcomes[] = {
        [ABDM_SIGNED_VERIFIED] = "signature verified",
        [ABDM_SIGNED_ABSENT] = "signature absent",
        [ABDM_SIGNED_WRONG] = "signature does not verify",
        [ABDM_SIGNED_NO_KEY] = "signature not verified: no key configured",
    };
    abdm_str_t detail;

    if (ctx->policy->signature == ABDM_SIGNATURE_OFF) {
        free(consent->signature);
        consent->signature = NULL;
        return ABDM_NO_ERR;
    }
    if (!abdm_in_consent_detail((abdm_str_t){ev->body, ev->body_len}, &detail)) {
        return ABDM_ERR(INTERNAL, "consentDetail: read, and not found");
    }
    consent->artefact = abdm_str_dup(detail);
    if (consent->artefact == NULL) {
        return ABDM_ERR(MEMORY, "artefact");
    }
    ABDM_TRY(abdm_flow_signed(ctx, detail, consent->signature, &consent->is_signed));
    abdm_effect_audit(out, ev->hip_id, consent->id, outcomes[consent->is_signed], ABDM_NO_ERR,
                      NULL);
    return abdm_flow_signed_judge(ctx, consent->is_signed);
}


/* In place of the content; the id alone is kept. */
static void
put_tombstone(const abdm_event_t *ev, const char *id, abdm_consent_status_t status,
              abdm_effects_t *out)
{
    abdm_consent_t put = {.id = strdup(id), .hip_id = strdup(ev->hip_id), .status = status};

    out->failed |= put.id == NULL || put.hip_id == NULL;
    abdm_effect_consent(out, &put);
}


static void
put_artefact(const abdm_event_t *ev, abdm_consent_t *notified, abdm_effects_t *out)
{
    abdm_consent_t put = *notified;

    memset(notified, 0, sizeof(*notified));
    notified->id = strdup(put.id);
    free(put.hip_id); /* its spelling may be another */
    put.hip_id = strdup(ev->hip_id);
    out->failed |= notified->id == NULL || put.hip_id == NULL;
    abdm_effect_consent(out, &put);
}


abdm_err_t
abdm_flow_consent_end(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, const char *consent_id,
                      abdm_consent_status_t status, abdm_effects_t *out)
{
    abdm_effect_audit(out, ev->hip_id, consent_id, "consent ended", ABDM_NO_ERR,
                      abdm_consent_status_name(status));
    put_tombstone(ev, consent_id, status, out);
    return abdm_flow_confirm_forget(ctx, ev, consent_id, out);
}


/* What the notice does to the artefact kept. A tombstone is kept even for a consent that was
 * never seen, so that its GRANTED cannot come to life when it arrives late. One that the consent
 * manager denied is no reason to keep out the one that it may grant. */
static abdm_err_t
keep(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, abdm_consent_notice_t *notice,
     abdm_effects_t *out)
{
    abdm_consent_t stored = {0};
    abdm_consent_t *notified = &notice->consent;
    const char *status = abdm_consent_status_name(notified->status);
    abdm_consent_status_t next;
    abdm_err_t err;
    bool known, denied = false;

    err = ctx->view->consent(ctx->view, ev->hip_id, notified->id, &stored);
    known = !abdm_failed(err);
    if (!known && err.code != ABDM_E_NOT_FOUND) {
        return err;
    }
    next = abdm_consent_next(known, stored.status, notified->status);
    if (known && next == stored.status && next == ABDM_CONSENT_GRANTED
        && notified->status == ABDM_CONSENT_GRANTED) {
        err = abdm_flow_confirm_denied(ctx, ev->hip_id, notified->id, &denied);
    } else {
        err = ABDM_NO_ERR;
    }
    if (abdm_failed(err)) {
        abdm_consent_clear(&stored);
        return err;
    }

    if (known && next == stored.status && !denied) {
        abdm_effect_audit(out, ev->hip_id, notified->id, "consent notice repeated", ABDM_NO_ERR,
                          status);
    } else {
        abdm_effect_audit(out, ev->hip_id, notified->id, "consent notice kept", ABDM_NO_ERR,
                          abdm_consent_status_name(next));
        if (known) {
            err = abdm_flow_confirm_forget(ctx, ev, notified->id, out);
        }
        if (next == ABDM_CONSENT_REVOKED || next == ABDM_CONSENT_EXPIRED) {
            put_tombstone(ev, notified->id, next, out);
        } else {
            put_artefact(ev, notified, out);
        }
    }
    abdm_consent_clear(&stored);
    return err;
}


abdm_err_t
abdm_flow_consent_notified(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, abdm_effects_t *out)
{
    abdm_consent_notice_t notice = {0};
    abdm_buf_t body = {0};
    abdm_err_t err;

    err = parse(ev, &notice);
    if (!abdm_failed(err) && notice.consent.status == ABDM_CONSENT_GRANTED) {
        err = look_at_signature(ctx, ev, &notice.consent, out);
    }
    if (err.code == ABDM_E_MEMORY || err.code == ABDM_E_CRYPTO) {
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
