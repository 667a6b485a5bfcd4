/*
 * What is fixed for each environment of ABDM (gateway protocol 1.1, 1.2, 2.3). Every value can
 * be overridden by configuration.
 */
#ifndef ABDM_GATEWAY_PRESET_H
#define ABDM_GATEWAY_PRESET_H

#include "core/buf.h"

/* Below an issuer: its key set, public. The gateway's own (ABDM_PATH_CERTS) wants a session. */
#define ABDM_PATH_ISSUER_CERTS "/protocol/openid-connect/certs"

typedef struct {
    const char *name;   /* "sandbox" */
    const char *url;    /* "https://dev.abdm.gov.in", no trailing slash */
    const char *cm_id;  /* X-CM-ID, and what follows @ in an ABHA address */
    const char *issuer; /* accepted `iss` of callback tokens; ABDM_PATH_ISSUER_CERTS is below it */
    const char *caller; /* accepted `azp` of callback tokens */
    const char *phr;    /* host of citizens, for QR codes at counters */
    const char *registry; /* host of the registry of facilities; NULL: not known */
} abdm_gateway_preset_t;

/* The preset of this name; NULL when there is none. Static. */
const abdm_gateway_preset_t *abdm_gateway_preset(abdm_str_t name);

#endif
