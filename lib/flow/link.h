/*
 * Between the flows of linking that the hospital begins (link*.c, feed.c, context_notify.c,
 * deep_link.c, auth.c) only: rows by their keys, jobs, and what a callback answers.
 */
#ifndef ABDM_FLOW_LINK_H
#define ABDM_FLOW_LINK_H

#include "flow/flow.h"
#include "gateway/inbound_link.h"

#define ABDM_LINK_MINUTE ((abdm_ms_t) 60 * 1000)
#define ABDM_LINK_HOUR   (60 * ABDM_LINK_MINUTE)
#define ABDM_LINK_DAY    (24 * ABDM_LINK_HOUR)

enum {
    ABDM_LINK_CONTEXTS = 10000, /* of one patient */
    ABDM_LINK_BATCH = 100       /* care contexts of one request */
};

/* --- flow/link_common.c --- */

/* The row of a facility and one more key, to be cleared; clear already on failure. E_NOT_FOUND. */
abdm_err_t abdm_link_row(const abdm_flow_ctx_t *ctx, abdm_row_id_t id, const char *hip_id,
                         const char *key, void *row);

/* Replaces an owned text of a row by a copy. */
void abdm_link_set(abdm_effects_t *out, char **text, const char *value);

/* EVENT job. */
void abdm_link_moment(abdm_effects_t *out, const abdm_event_t *ev, const char *event,
                      const char *subject, int arg, abdm_ms_t due_at);

typedef struct {
    const char *event;
    const char *subject;
    int arg;
    const char *path;
    const char *link_token; /* NULL: none */
    abdm_ms_t deadline_at;
    bool awaited; /* somebody waits for what comes of it: it goes before what may take its time */
} abdm_link_call_t;

/* LINK or GATEWAY job; takes the body and wipes what it leaves. */
void abdm_link_send(abdm_effects_t *out, const abdm_event_t *ev, const abdm_link_call_t *call,
                    abdm_buf_t *body);

abdm_err_t abdm_link_json(const abdm_event_t *ev, json_t **body);

/*
 * Whose on-* callback this is: `err` is what came of reading it, `request_id` the call it answers,
 * which must have gone to `path` for this facility. *subject is that call's, owned by the caller;
 * NULL when the callback is refused, and then the audit has it as `refused`.
 */
abdm_err_t abdm_link_answered(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, const char *path,
                              abdm_err_t err, const char *request_id, const char *refused,
                              char **subject, abdm_effects_t *out);

/* Nothing but the outcome, to be cleared. */
abdm_err_t abdm_link_outcome(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, const char *path,
                             const char *refused, abdm_in_outcome_t *outcome, char **subject,
                             abdm_effects_t *out);

/* Is it one of the gateway's own troubles, which pass? Digits of a code. */
bool abdm_link_passes(const char *code);

/* The code to be kept and shown of a failure: the gateway's digits, or the name of ours. */
const char *abdm_link_reason(abdm_err_t err, const char *code);

/* --- flow/link_state.c --- */

/* Gives the care contexts of one patient a final state and writes them: the audit, the HMIS and
 * the hospital's requests get to know. `reason` and `text` of FAILED; text may be NULL. */
abdm_err_t abdm_link_over(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev,
                          abdm_row_context_t *rows, size_t n, abdm_link_state_t state,
                          const char *reason, const char *text, abdm_effects_t *out);

/* Puts those into `state` first and tells how many there are; order is kept within them. */
size_t abdm_link_pick(abdm_row_context_t *rows, size_t n, abdm_link_state_t state);

/* --- flow/link_token.c --- */

/* The token of an ABHA address, a new row when there is none; to be cleared. */
abdm_err_t abdm_link_token(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev,
                           const char *abha_address, abdm_row_link_token_t *row);
bool abdm_link_token_holds(const abdm_row_link_token_t *row, abdm_ms_t now);
void abdm_link_token_put(const abdm_event_t *ev, abdm_row_link_token_t *row, abdm_effects_t *out);
/* Keeps a token that came, with the `exp` that it tells (0: none). */
void abdm_link_token_keep(const abdm_event_t *ev, abdm_row_link_token_t *row, const char *token,
                          abdm_ms_t expires_at, abdm_effects_t *out);
/* Has the limit of requests a day been reached? */
bool abdm_link_token_spent(const abdm_row_link_token_t *row, abdm_ms_t now);
/* Asks for one when that is allowed, else makes sure that a step comes when it is. `rows`: those
 * that wait for it. */
abdm_err_t abdm_link_token_ask(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev,
                               const abdm_row_patient_t *patient, abdm_row_link_token_t *token,
                               abdm_row_context_t *rows, size_t n, abdm_effects_t *out);

#endif
