/*
 * Every endpoint of the bridge, one row each: canonical path, aliases, the header that names the
 * facility, the event its callback becomes, and what makes two of them the same
 * (gateway protocol 11 and 7.8).
 */
#ifndef ABDM_GATEWAY_ROUTES_H
#define ABDM_GATEWAY_ROUTES_H

#include <jansson.h>

#include "core/buf.h"
#include "core/err.h"

typedef enum {
    ABDM_FACILITY_HIP,    /* X-HIP-ID */
    ABDM_FACILITY_HIU,    /* X-HIU-ID */
    ABDM_FACILITY_EITHER, /* X-HIP-ID or X-HIU-ID */
    ABDM_FACILITY_NONE
} abdm_facility_header_t;

typedef struct {
    const char *path;  /* canonical: "/api/v3/consent/request/hip/notify" */
    const char *event; /* name in flow/table.c: "consent.notified"; NULL: stored for the operator */
    abdm_facility_header_t facility;
    /* Fields of the body that make two callbacks the same, NULL: none do. '+' joins fields, '|'
     * the paths at which one field may stand: "transactionId+pageNumber". */
    const char *business_key;
} abdm_route_t;

/* `path` still carries `prefix` ("/abdm" or ""). Accepts an optional "/api", a trailing slash,
 * every alias. A path under /api/v3/, /v3/ or /v0.5/ that no row names gives the catch-all row
 * (path "*", event NULL). NULL: no callback can live there. Static. */
const abdm_route_t *abdm_route_find(abdm_str_t prefix, abdm_str_t path);

/* The key of 7.8 for a callback with this body, a JSON list of canonical path, facility and
 * business fields. Appends to `out`; nothing when the route has no key, or the body lacks a
 * field of it or has one of more than 255 bytes. */
void abdm_route_business_key(const abdm_route_t *route, abdm_str_t facility, const json_t *body,
                             abdm_buf_t *out);

/* The n-th row, NULL beyond the end: for tests and documentation. The catch-all is none. */
const abdm_route_t *abdm_route_row(size_t n);

#endif
