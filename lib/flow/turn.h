/*
 * One call of the hospital's API: what all the flows of flow/api_*.c have in common. A call is
 * read and judged first; whatever speaks against it refuses the whole of it, so that nothing is
 * half done.
 */
#ifndef ABDM_FLOW_TURN_H
#define ABDM_FLOW_TURN_H

#include "api/decode.h"
#include "core/json.h"
#include "flow/flow.h"

typedef struct {
    const abdm_flow_ctx_t *ctx;
    const abdm_event_t *ev;
    abdm_effects_t *out;
    abdm_api_flavour_t flavour;
    json_t *body;
    json_t *seen; /* care contexts of this call, by reference: whose they are */
    abdm_api_fault_t fault;
    abdm_api_in_t in; /* the body */
    abdm_buf_t json;  /* the answer... */
    abdm_jw_t w;      /* ...as an object that stays open until the end */
} abdm_turn_t;

typedef enum { ABDM_BODY_NONE, ABDM_BODY_OBJECT, ABDM_BODY_LIST } abdm_turn_body_t;

/* Reads the body; its fault is for abdm_turn_end to tell. */
void abdm_turn_begin(abdm_turn_t *t, const abdm_flow_ctx_t *ctx, const abdm_event_t *ev,
                     abdm_effects_t *out, abdm_api_flavour_t flavour, abdm_turn_body_t body);

/* ABDM_OK, or what speaks against the body: for ABDM_TRY. */
abdm_err_t abdm_turn_judged(const abdm_turn_t *t);

/* Can the caller do something about it, or must know? Else it is our own trouble. */
bool abdm_turn_refuses(abdm_err_t err);

/* Ends the call: with `status` and the answer written, or with the refusal that `err` or the
 * body's fault is, and then without any effect. What is no fault of the caller's comes back. */
abdm_err_t abdm_turn_end(abdm_turn_t *t, int status, abdm_err_t err);

/* --- pieces of answers --- */

void abdm_turn_time(abdm_jw_t *w, const char *key, abdm_ms_t t); /* left out when 0 */
void abdm_turn_text(abdm_jw_t *w, const char *key, const char *text); /* left out when NULL */
void abdm_turn_int(abdm_jw_t *w, const char *key, int64_t value);
void abdm_turn_bool(abdm_jw_t *w, const char *key, bool value);
void abdm_turn_types(abdm_jw_t *w, const char *key, int64_t hi_types);
/* "reason" with "meaning" and "remedy" when it begins with a code of ours; left out when NULL */
void abdm_turn_reason(abdm_jw_t *w, const char *reason);

/* --- flow/api_patient.c --- */

/* Keeps what the hospital tells of a patient (its ref is set) for this facility: *row, to be
 * cleared, is what is put. E_ABHA_TAKEN, E_OPTED_OUT, E_CONFLICT. */
abdm_err_t abdm_turn_patient(abdm_turn_t *t, const abdm_row_patient_t *told,
                             abdm_row_patient_t *row);

/* The stored one, to be cleared. E_NOT_FOUND. */
abdm_err_t abdm_turn_stored_patient(abdm_turn_t *t, const char *ref, abdm_row_patient_t *row);

/* --- flow/api_context.c --- */

/* Keeps care contexts of a patient and no more. E_CONFLICT: one is another patient's. */
abdm_err_t abdm_turn_keep(abdm_turn_t *t, const abdm_row_patient_t *patient,
                          const abdm_row_context_t *told, size_t n);

/* Keeps them, sees to their link and writes the request down, see abdm_turn_request. */
abdm_err_t abdm_turn_contexts(abdm_turn_t *t, const abdm_row_patient_t *patient,
                              const abdm_row_context_t *told, size_t n, const char *request_id,
                              char **id);

/* All of a patient, to be freed. */
abdm_err_t abdm_turn_contexts_of(const abdm_turn_t *t, const char *patient_ref,
                                 abdm_row_context_t **rows, size_t *n);

/* One by its reference, to be cleared. E_NOT_FOUND. */
abdm_err_t abdm_turn_context(abdm_turn_t *t, const char *ref, abdm_row_context_t *row);
void abdm_turn_write_context(abdm_jw_t *w, const abdm_row_context_t *row); /* members only */

/* --- flow/api_request.c --- */

/* Writes a request down under the caller's id (NULL: one is made); *id is owned by the caller, also
 * on failure. *again: it was made before in the same words. E_CONFLICT: in others. */
abdm_err_t abdm_turn_request(abdm_turn_t *t, const char *what, const char *patient_ref,
                             const abdm_row_context_t *contexts, size_t n, const char *given,
                             abdm_request_state_t state, char **id, bool *again);
void abdm_turn_accepted(abdm_turn_t *t, const char *id, size_t n); /* {requestId, accepted} */

/* Has the gateway send its SMS with the deep link; `context` may be NULL. E_BUDGET, E_CONFLICT. */
abdm_err_t abdm_turn_sms(abdm_turn_t *t, const char *mobile, const abdm_row_context_t *context,
                         const char *request_id, char **id);

/* Where a request stands: by its care contexts, when it is to link some. *pending: the gateway has
 * one of them before it. */
abdm_err_t abdm_turn_progress(const abdm_turn_t *t, const abdm_row_request_t *request,
                              abdm_request_state_t *state, bool *pending);

#endif
