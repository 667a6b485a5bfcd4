/*
 * Between the flows of consents and of requests for data only: how far a notice is believed (threat
 * model C1, C2).
 */
#ifndef ABDM_FLOW_CONFIRM_H
#define ABDM_FLOW_CONFIRM_H

#include "flow/flow.h"

typedef enum {
    ABDM_CONFIRM_PASS,
    ABDM_CONFIRM_REFUSE,
    ABDM_CONFIRM_WAIT /* "consent.settled" comes when it is known */
} abdm_confirm_verdict_t;

/* May `transfer` use the consent, which has passed the decision? Asks the consent manager when nobody
 * did yet. *why: of REFUSE. */
abdm_err_t abdm_flow_confirm(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev,
                             const abdm_consent_t *consent, const char *transfer,
                             abdm_confirm_verdict_t *verdict, abdm_err_t *why,
                             abdm_effects_t *out);

/* Did the consent manager's answer speak against what is kept of the consent? */
abdm_err_t abdm_flow_confirm_denied(const abdm_flow_ctx_t *ctx, const char *hip_id,
                                    const char *consent_id, bool *denied);

/* The consent has ended, or its content is another: what was answered is forgotten, and transfers
 * that wait are decided anew. */
abdm_err_t abdm_flow_confirm_forget(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev,
                                    const char *consent_id, abdm_effects_t *out);

/* Transfers that wait for the consent are decided anew. */
void abdm_flow_confirm_settle(const abdm_event_t *ev, const char *consent_id, abdm_effects_t *out);

/* flow/consent.c: ends a consent in this event; `status` is final. */
abdm_err_t abdm_flow_consent_end(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev,
                                 const char *consent_id, abdm_consent_status_t status,
                                 abdm_effects_t *out);

/* --- flow/signed.c --- */

/* Is what was kept of a notice signed? */
abdm_err_t abdm_flow_signed(const abdm_flow_ctx_t *ctx, abdm_str_t artefact, const char *signature,
                            abdm_signed_t *out);

/* ABDM_OK, or that the signature must be verified and is not. */
abdm_err_t abdm_flow_signed_judge(const abdm_flow_ctx_t *ctx, abdm_signed_t known);

#endif
