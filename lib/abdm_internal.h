/* Inside abdm*.c and doctor/ only: what an abdm_t holds. */
#ifndef ABDM_INTERNAL_H
#define ABDM_INTERNAL_H

#include "abdm.h"
#include "engine/engine.h"
#include "intake/door.h"

struct abdm_s {
    abdm_config_t config;
    abdm_gateway_config_t gateway; /* with the preset's values filled in */
    char *client_secret;
    char *jwks_url[2];
    char *spool_dir;
    abdm_seal_key_t *seal_key;
    X509_STORE *trust;
    abdm_push_allow_t push_allow;
    abdm_signers_t *signers;
    abdm_engine_facility_t *facility;
    const char **facility_id;
    abdm_str_t issuers[ABDM_LIST_MAX], callers[ABDM_LIST_MAX];

    /* of a working process */
    abdm_engine_t *engine;
    abdm_doorkeeper_t *door;
    int wake_fd;
    abdm_ms_t started_at;
};

/* abdm_facility.c */
abdm_err_t abdm_load_facilities(abdm_t *abdm, char problem[ABDM_PROBLEM]);
void abdm_unload_facilities(abdm_t *abdm);

/* abdm_describe.c: writes the description of abdm_doctor.h, where it is not there already, for the
 * group that may read it; (gid_t) -1: that of the process. E_SYSTEM, E_MEMORY. */
abdm_err_t abdm_describe(const abdm_config_t *config, gid_t group, char problem[ABDM_PROBLEM]);

#endif
