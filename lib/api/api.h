/*
 * The API of the hospital's own software: what may be called, by which method and path, and which
 * event it becomes. Two flavours: our own below /abdm/api/v1/, and the paths of NHA's wrapper, so
 * that an HMIS written for that one needs only another base URL. README has both as tables.
 */
#ifndef ABDM_API_API_H
#define ABDM_API_API_H

#include "core/effect.h"

typedef enum { ABDM_API_OWN, ABDM_API_NHA } abdm_api_flavour_t;

/* What is answered from the store without a flow. */
typedef enum { ABDM_REPORT_NONE, ABDM_REPORT_TRANSFERS, ABDM_REPORT_EXPLAIN } abdm_report_t;

typedef struct {
    abdm_api_flavour_t flavour;
    const char *method;   /* "POST" */
    const char *path;     /* below the location, without a slash at either end; one segment may be
                           * {id}: "care-contexts/{id}"; a reference with slashes stands there
                           * whole */
    const char *event;    /* name in flow/table.c; NULL for a report */
    abdm_report_t report;
    bool any_facility;    /* needs none to be named */
} abdm_api_route_t;

const abdm_api_route_t *abdm_api_row(size_t n); /* NULL beyond the end: for tests and README */

/* As it came, borrowed. */
typedef struct {
    abdm_api_flavour_t flavour;
    abdm_str_t method;
    abdm_str_t path;      /* decoded, below the location */
    abdm_str_t query;     /* behind '?', not decoded */
    abdm_str_t facility;  /* bound to the location, else header X-HIP-ID; empty: not named */
    abdm_str_t content_type;
    abdm_str_t body;
} abdm_api_head_t;

/* As it is carried out; owns its texts. */
typedef struct {
    const abdm_api_route_t *route;
    char *hip_id;  /* "" when the route needs none */
    char *subject; /* {id}, or "" */
    char *query;
    char *body;    /* "" when none */
    size_t body_len;
} abdm_api_call_t;

void abdm_api_call_clear(abdm_api_call_t *call); /* wipes the body */

/* Which call it is and of which facility: named by header or location, by `hipId` in the body or in
 * the query (and, in NHA's flavour, by `requesterId`, `notification.hip.id` or `hipId` of each
 * patient), else the only one there is. E_NOT_FOUND, E_METHOD_API, E_CONTENT_TYPE,
 * E_FACILITY_UNKNOWN, E_FIELD (two that differ), E_JSON, E_MEMORY. */
abdm_err_t abdm_api_read(const abdm_api_head_t *head, const char *const *facilities, size_t n,
                         abdm_api_call_t *out);

/* The answer of a call: 2xx with JSON (taken), or the refusal in the flavour's form:
 * {"error": {"code": "E_FIELD", "message": "careContexts.0.reference: ...", "remedy": "..."}}, and
 * {"httpStatusCode": "BAD_REQUEST", "message": "...", "errors": [{"error": {"code": "E_FIELD",
 * "message": "..."}}]} for NHA's. `at` is the path of the member at fault, or "". A call that is
 * refused has no other effect. */
void abdm_api_reply(abdm_effects_t *out, int status, abdm_buf_t *json);
void abdm_api_refuse(abdm_effects_t *out, abdm_api_flavour_t flavour, abdm_err_t err);
void abdm_api_refuse_at(abdm_effects_t *out, abdm_api_flavour_t flavour, abdm_err_t err,
                        const char *at);

/* The name of a status in NHA's answers: 202 is "ACCEPTED". */
const char *abdm_api_status_name(int status);

#endif
