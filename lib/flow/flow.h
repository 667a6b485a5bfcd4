/*
 * The rules of ABDM as functions from an event to effects. A flow reads through the view,
 * decides, and returns; it does no I/O, so each rule is tested by giving an event and reading
 * the effects. table.c names every flow; the engine is given that table.
 */
#ifndef ABDM_FLOW_FLOW_H
#define ABDM_FLOW_FLOW_H

#include "core/effect.h"
#include "core/id.h"
#include "core/policy.h"
#include "core/url_guard.h"
#include "crypto/seal.h"
#include "crypto/signature.h"
#include "match/name.h"

typedef struct {
    const abdm_view_t *view;
    const abdm_push_allow_t *push_allow; /* addresses that may be pushed to though not public */
    const abdm_policy_t *policy;
    const abdm_facility_t *facility;     /* of the event */
    const abdm_seal_key_t *key;          /* for keyed hashes */
    abdm_matcher_t *matcher;
    const abdm_signers_t *signers; /* keys of the consent manager, NULL: none */
} abdm_flow_ctx_t;

/* An error means that nothing could be decided (no memory, store failed): the event is tried
 * again. What ABDM or a peer did wrong is no error here but an effect. */
typedef abdm_err_t (*abdm_flow_fn)(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev,
                                   abdm_effects_t *out);

typedef struct {
    const char *event;
    abdm_flow_fn run;
} abdm_flow_t;

const abdm_flow_t *abdm_flow_find(const char *event); /* NULL: no such event */

/* flow/consent.c */
abdm_err_t abdm_flow_consent_notified(const abdm_flow_ctx_t *, const abdm_event_t *,
                                      abdm_effects_t *);

/* flow/confirm.c */
abdm_err_t abdm_flow_consent_fetch_sent(const abdm_flow_ctx_t *, const abdm_event_t *,
                                        abdm_effects_t *);
abdm_err_t abdm_flow_consent_unanswered(const abdm_flow_ctx_t *, const abdm_event_t *,
                                        abdm_effects_t *);
abdm_err_t abdm_flow_consent_fetched(const abdm_flow_ctx_t *, const abdm_event_t *,
                                     abdm_effects_t *);

/* flow/transfer_request.c */
abdm_err_t abdm_flow_transfer_requested(const abdm_flow_ctx_t *, const abdm_event_t *,
                                        abdm_effects_t *);
abdm_err_t abdm_flow_consent_settled(const abdm_flow_ctx_t *, const abdm_event_t *,
                                     abdm_effects_t *);

/* flow/transfer.c */
abdm_err_t abdm_flow_transfer_acknowledged(const abdm_flow_ctx_t *, const abdm_event_t *,
                                           abdm_effects_t *);
abdm_err_t abdm_flow_transfer_listed(const abdm_flow_ctx_t *, const abdm_event_t *,
                                     abdm_effects_t *);
abdm_err_t abdm_flow_transfer_page_due(const abdm_flow_ctx_t *, const abdm_event_t *,
                                       abdm_effects_t *);
abdm_err_t abdm_flow_transfer_fetched(const abdm_flow_ctx_t *, const abdm_event_t *,
                                      abdm_effects_t *);
abdm_err_t abdm_flow_transfer_pushed(const abdm_flow_ctx_t *, const abdm_event_t *,
                                     abdm_effects_t *);
abdm_err_t abdm_flow_transfer_notified(const abdm_flow_ctx_t *, const abdm_event_t *,
                                       abdm_effects_t *);
abdm_err_t abdm_flow_transfer_over(const abdm_flow_ctx_t *, const abdm_event_t *,
                                       abdm_effects_t *);

/* flow/discovery.c */
abdm_err_t abdm_flow_discovery_asked(const abdm_flow_ctx_t *, const abdm_event_t *,
                                     abdm_effects_t *);
abdm_err_t abdm_flow_discovery_found(const abdm_flow_ctx_t *, const abdm_event_t *,
                                     abdm_effects_t *);
abdm_err_t abdm_flow_discovery_contexts(const abdm_flow_ctx_t *, const abdm_event_t *,
                                        abdm_effects_t *);
abdm_err_t abdm_flow_discovery_over(const abdm_flow_ctx_t *, const abdm_event_t *,
                                    abdm_effects_t *);
abdm_err_t abdm_flow_discovery_answered(const abdm_flow_ctx_t *, const abdm_event_t *,
                                        abdm_effects_t *);

/* flow/link_init.c, flow/link_confirm.c */
abdm_err_t abdm_flow_link_init_asked(const abdm_flow_ctx_t *, const abdm_event_t *,
                                     abdm_effects_t *);
abdm_err_t abdm_flow_link_otp_sent(const abdm_flow_ctx_t *, const abdm_event_t *,
                                   abdm_effects_t *);
abdm_err_t abdm_flow_link_confirm_asked(const abdm_flow_ctx_t *, const abdm_event_t *,
                                        abdm_effects_t *);
abdm_err_t abdm_flow_link_otp_verified(const abdm_flow_ctx_t *, const abdm_event_t *,
                                       abdm_effects_t *);
abdm_err_t abdm_flow_link_confirmed(const abdm_flow_ctx_t *, const abdm_event_t *,
                                    abdm_effects_t *);

/* flow/share.c, flow/opt_out.c */
abdm_err_t abdm_flow_share_asked(const abdm_flow_ctx_t *, const abdm_event_t *, abdm_effects_t *);
abdm_err_t abdm_flow_share_found(const abdm_flow_ctx_t *, const abdm_event_t *, abdm_effects_t *);
abdm_err_t abdm_flow_share_saved(const abdm_flow_ctx_t *, const abdm_event_t *, abdm_effects_t *);
abdm_err_t abdm_flow_patient_status(const abdm_flow_ctx_t *, const abdm_event_t *,
                                    abdm_effects_t *);

/* flow/api_*.c: one per call of the hospital's software (api/route.c) */
abdm_err_t abdm_flow_api_patient(const abdm_flow_ctx_t *, const abdm_event_t *, abdm_effects_t *);
abdm_err_t abdm_flow_api_patient_by_abha(const abdm_flow_ctx_t *, const abdm_event_t *,
                                         abdm_effects_t *);
abdm_err_t abdm_flow_api_patient_shown(const abdm_flow_ctx_t *, const abdm_event_t *,
                                       abdm_effects_t *);
abdm_err_t abdm_flow_api_contexts(const abdm_flow_ctx_t *, const abdm_event_t *,
                                  abdm_effects_t *);
abdm_err_t abdm_flow_api_contexts_shown(const abdm_flow_ctx_t *, const abdm_event_t *,
                                        abdm_effects_t *);
abdm_err_t abdm_flow_api_context_shown(const abdm_flow_ctx_t *, const abdm_event_t *,
                                       abdm_effects_t *);
abdm_err_t abdm_flow_api_context_link(const abdm_flow_ctx_t *, const abdm_event_t *,
                                      abdm_effects_t *);
abdm_err_t abdm_flow_api_notification(const abdm_flow_ctx_t *, const abdm_event_t *,
                                      abdm_effects_t *);
abdm_err_t abdm_flow_api_sms(const abdm_flow_ctx_t *, const abdm_event_t *, abdm_effects_t *);
abdm_err_t abdm_flow_api_request_shown(const abdm_flow_ctx_t *, const abdm_event_t *,
                                       abdm_effects_t *);
abdm_err_t abdm_flow_api_auth(const abdm_flow_ctx_t *, const abdm_event_t *, abdm_effects_t *);
abdm_err_t abdm_flow_api_auth_shown(const abdm_flow_ctx_t *, const abdm_event_t *,
                                    abdm_effects_t *);
abdm_err_t abdm_flow_api_auth_confirm(const abdm_flow_ctx_t *, const abdm_event_t *,
                                      abdm_effects_t *);
abdm_err_t abdm_flow_api_queue(const abdm_flow_ctx_t *, const abdm_event_t *, abdm_effects_t *);
abdm_err_t abdm_flow_api_queue_done(const abdm_flow_ctx_t *, const abdm_event_t *,
                                    abdm_effects_t *);
/* flow/push_host.c */
abdm_err_t abdm_flow_api_push_hosts(const abdm_flow_ctx_t *, const abdm_event_t *,
                                    abdm_effects_t *);
abdm_err_t abdm_flow_api_push_host(const abdm_flow_ctx_t *, const abdm_event_t *,
                                   abdm_effects_t *);
abdm_err_t abdm_flow_nha_link(const abdm_flow_ctx_t *, const abdm_event_t *, abdm_effects_t *);
abdm_err_t abdm_flow_nha_found(const abdm_flow_ctx_t *, const abdm_event_t *, abdm_effects_t *);
abdm_err_t abdm_flow_nha_over(const abdm_flow_ctx_t *, const abdm_event_t *, abdm_effects_t *);
abdm_err_t abdm_flow_nha_link_status(const abdm_flow_ctx_t *, const abdm_event_t *,
                                     abdm_effects_t *);
abdm_err_t abdm_flow_nha_sms(const abdm_flow_ctx_t *, const abdm_event_t *, abdm_effects_t *);
abdm_err_t abdm_flow_nha_patients(const abdm_flow_ctx_t *, const abdm_event_t *,
                                  abdm_effects_t *);
abdm_err_t abdm_flow_nha_patient_shown(const abdm_flow_ctx_t *, const abdm_event_t *,
                                       abdm_effects_t *);

/* A refusal or acknowledgement that ends a callback's story: only its outcome is noted. */
abdm_err_t abdm_flow_reply_sent(const abdm_flow_ctx_t *, const abdm_event_t *, abdm_effects_t *);

/* --- shared by the flows: flow/reply.c --- */

enum { ABDM_REPLY_DEADLINE = 60 * 60 * 1000 }; /* an on-* later than this helps nobody */

/* Job that answers a callback with `body` (taken); its result raises `event`. */
void abdm_flow_reply(abdm_effects_t *out, const abdm_event_t *ev, const char *subject,
                     const char *path, abdm_buf_t *body, const char *event);

/* Is the failure one of ours (store, memory), so that nothing was decided? */
bool abdm_flow_is_undecided(abdm_err_t err);

/* Job that tells the gateway why a callback was refused. */
void abdm_flow_refuse(abdm_effects_t *out, const abdm_event_t *ev, const char *subject,
                      const char *path, abdm_err_t why);
/* The same in the form of v0.5. */
void abdm_flow_refuse_old(abdm_effects_t *out, const abdm_event_t *ev, const char *path,
                          abdm_err_t why);

/* --- linking begun by the hospital --- */

/* flow/link.c, flow/link_token.c: "link.due" is a step for the patient `subject` */
abdm_err_t abdm_flow_link_step(const abdm_flow_ctx_t *, const abdm_event_t *, abdm_effects_t *);
abdm_err_t abdm_flow_link_token_asked(const abdm_flow_ctx_t *, const abdm_event_t *,
                                      abdm_effects_t *);
abdm_err_t abdm_flow_link_token_came(const abdm_flow_ctx_t *, const abdm_event_t *,
                                     abdm_effects_t *);
abdm_err_t abdm_flow_link_sent(const abdm_flow_ctx_t *, const abdm_event_t *, abdm_effects_t *);
abdm_err_t abdm_flow_link_silent(const abdm_flow_ctx_t *, const abdm_event_t *, abdm_effects_t *);
abdm_err_t abdm_flow_link_linked(const abdm_flow_ctx_t *, const abdm_event_t *, abdm_effects_t *);

/* Care contexts of the patient are NONE, or the patient's ABHA became known: those are linked as
 * soon as the gateway's limits allow. Asking too often does no harm. */
void abdm_flow_link_due(abdm_effects_t *out, const abdm_event_t *ev, const char *patient_ref,
                        abdm_ms_t due_at);

/* flow/context_notify.c */
abdm_err_t abdm_flow_context_notify_due(const abdm_flow_ctx_t *, const abdm_event_t *,
                                        abdm_effects_t *);
abdm_err_t abdm_flow_context_notify_sent(const abdm_flow_ctx_t *, const abdm_event_t *,
                                         abdm_effects_t *);
abdm_err_t abdm_flow_context_notified(const abdm_flow_ctx_t *, const abdm_event_t *,
                                      abdm_effects_t *);

/* There is new data in a LINKED care context: the gateway will be told. Changes the row, which the
 * caller puts, with its new types, in the same effects. */
void abdm_flow_context_notify(abdm_effects_t *out, const abdm_event_t *ev,
                              abdm_row_context_t *context);

/* flow/feed.c */
abdm_err_t abdm_flow_feed_due(const abdm_flow_ctx_t *, const abdm_event_t *, abdm_effects_t *);
abdm_err_t abdm_flow_feed_came(const abdm_flow_ctx_t *, const abdm_event_t *, abdm_effects_t *);

/* flow/deep_link.c */
abdm_err_t abdm_flow_sms_due(const abdm_flow_ctx_t *, const abdm_event_t *, abdm_effects_t *);
abdm_err_t abdm_flow_sms_sent(const abdm_flow_ctx_t *, const abdm_event_t *, abdm_effects_t *);
abdm_err_t abdm_flow_sms_notified(const abdm_flow_ctx_t *, const abdm_event_t *,
                                  abdm_effects_t *);

/* The patient of the care context is to be told of it by the gateway's SMS, once, when hours and
 * limits allow. Changes the row, which the caller puts. */
void abdm_flow_deep_link(abdm_effects_t *out, const abdm_event_t *ev, abdm_row_context_t *context);

/* The same at once and to any number, because the hospital's software asked for it: the row of
 * `request`, which the caller puts as OPEN, becomes DONE or FAILED. `mobile`: ten digits. */
void abdm_flow_sms_request(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, const char *request,
                           const char *mobile, abdm_effects_t *out);

/* flow/auth.c */
abdm_err_t abdm_flow_auth_modes(const abdm_flow_ctx_t *, const abdm_event_t *, abdm_effects_t *);
abdm_err_t abdm_flow_auth_sent(const abdm_flow_ctx_t *, const abdm_event_t *, abdm_effects_t *);
abdm_err_t abdm_flow_auth_begun(const abdm_flow_ctx_t *, const abdm_event_t *, abdm_effects_t *);
abdm_err_t abdm_flow_auth_confirmed(const abdm_flow_ctx_t *, const abdm_event_t *,
                                    abdm_effects_t *);
abdm_err_t abdm_flow_auth_notified(const abdm_flow_ctx_t *, const abdm_event_t *,
                                   abdm_effects_t *);
abdm_err_t abdm_flow_auth_over(const abdm_flow_ctx_t *, const abdm_event_t *, abdm_effects_t *);

/* Begins an authentication of the patient; `id` is filled with that of its row. `mode` NULL: one
 * that the gateway offers. E_NOT_FOUND, E_FIELD, E_ABHA_NONE, E_OPTED_OUT: nothing was begun. */
abdm_err_t abdm_flow_auth_begin(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev,
                                const char *patient_ref, const char *mode,
                                char id[ABDM_UUID_TEXT], abdm_effects_t *out);
/* Goes on with the OTP, or of mode DEMOGRAPHICS the date of birth "1989-01-23". E_NOT_FOUND,
 * E_CONFLICT (it does not wait for one), E_OTP_EXPIRED, E_FIELD. The caller wipes `secret`. */
abdm_err_t abdm_flow_auth_confirm(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev,
                                  const char *id, const char *secret, abdm_effects_t *out);

/* --- flow/tell.c --- */

/* Job that asks question `index` of `op` with `vars` (borrowed; NULL: no memory). */
void abdm_flow_ask(abdm_effects_t *out, const abdm_event_t *ev, const char *subject,
                   abdm_hmis_op_t op, int index, const json_t *vars, abdm_ms_t deadline,
                   const char *event);

/* Tells the HMIS, if it takes that, that `what` ("linked") happened. `ids`: JSON object of what it
 * happened to, taken; NULL: no memory. */
void abdm_flow_tell(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, const char *subject,
                    const char *what, json_t *ids, abdm_effects_t *out);
abdm_err_t abdm_flow_hmis_told(const abdm_flow_ctx_t *, const abdm_event_t *, abdm_effects_t *);

/* --- flow/budget.c --- */

/* Counts one more use of `value` (never personal data in `name`) and tells whether it is within
 * `most` uses per `window`, which begins with the first use. Uses beyond are not counted. Since a
 * flow does not read its own effects: once per event for a name and value. */
abdm_err_t abdm_flow_budget(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, const char *name,
                            const char *value, int most, abdm_ms_t window, bool *within,
                            abdm_effects_t *out);

#endif
