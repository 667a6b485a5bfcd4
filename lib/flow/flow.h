/*
 * The rules of ABDM as functions from an event to effects. A flow reads through the view,
 * decides, and returns; it does no I/O, so each rule is tested by giving an event and reading
 * the effects. table.c names every flow; the engine is given that table.
 */
#ifndef ABDM_FLOW_FLOW_H
#define ABDM_FLOW_FLOW_H

#include "core/effect.h"
#include "core/url_guard.h"
#include "crypto/seal.h"
#include "match/name.h"

typedef struct {
    const abdm_view_t *view;
    const abdm_push_allow_t *push_allow; /* addresses that may be pushed to though not public */
    const abdm_facility_t *facility;     /* of the event */
    const abdm_seal_key_t *key;          /* for keyed hashes */
    abdm_matcher_t *matcher;
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

/* flow/transfer_request.c */
abdm_err_t abdm_flow_transfer_requested(const abdm_flow_ctx_t *, const abdm_event_t *,
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

/* A refusal or acknowledgement that ends a callback's story: only its outcome is noted. */
abdm_err_t abdm_flow_reply_sent(const abdm_flow_ctx_t *, const abdm_event_t *, abdm_effects_t *);

/* --- shared by the flows: flow/reply.c --- */

enum { ABDM_REPLY_DEADLINE = 60 * 60 * 1000 }; /* an on-* later than this helps nobody */

/* Job that answers a callback with `body` (taken); its result raises `event`. */
void abdm_flow_reply(abdm_effects_t *out, const abdm_event_t *ev, const char *subject,
                     const char *path, abdm_buf_t *body, const char *event);

/* Job that tells the gateway why a callback was refused. */
void abdm_flow_refuse(abdm_effects_t *out, const abdm_event_t *ev, const char *subject,
                      const char *path, abdm_err_t why);

#endif
