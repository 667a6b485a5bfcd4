/*
 * Every endpoint of the bridge, one row each: canonical path, aliases, the header that names the
 * facility, and the event its callback becomes (gateway protocol 11).
 */
#ifndef ABDM_GATEWAY_ROUTES_H
#define ABDM_GATEWAY_ROUTES_H

#include "core/buf.h"
#include "core/err.h"

/* The n-th of the paths below which callbacks live: "/api/v3/", "/v3/", "/v0.5/"; NULL beyond the
 * end. */
const char *abdm_route_root(size_t n);

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
} abdm_route_t;

/* `path` still carries `prefix` ("/abdm" or ""). Accepts an optional "/api", a trailing slash,
 * every alias, and below /api/v3/ any path that ends as that of the patient's status, whose V3 form
 * is not known. A path under /api/v3/, /v3/ or /v0.5/ that no row names gives the catch-all row
 * (path "*", event NULL). NULL: no callback can live there. Static. */
const abdm_route_t *abdm_route_find(abdm_str_t prefix, abdm_str_t path);

/* The n-th row, NULL beyond the end: for tests and documentation. The catch-all is none. */
const abdm_route_t *abdm_route_row(size_t n);

/* The n-th alias of a row, as it stands behind the callback prefix; NULL beyond the end. */
const char *abdm_route_alias(const abdm_route_t *row, size_t n);

#endif
