/*
 * What an operator asks of a whole installation: is it as it must be, and what is to be mended
 * (`abdm doctor`); and ABDM's being told where its bridge is (`abdm register`). nginx alone reads
 * nginx.conf, so both work on a description of the configuration, which abdm_prepare_store leaves
 * beside the store.
 */
#ifndef ABDM_DOCTOR_H
#define ABDM_DOCTOR_H

#include "abdm.h"

/* ------------------------------------------------------------------ the configuration */

/* The description's file for a store: "sqlite:/d/abdm.db" has "/d/abdm.conf.json"; malloc'ed. NULL:
 * no memory, or not a store's URL. */
ABDM_API char *abdm_description_file(const char *store);

typedef struct abdm_description_s abdm_description_t;

/* Reads a description. It names files that root will open and hosts that secrets go to, so one that
 * somebody other than root and the caller can have written is refused. E_CONFIG with `problem`. */
ABDM_API abdm_err_t abdm_description_open(const char *file, char problem[ABDM_PROBLEM],
                                          abdm_description_t **out);
ABDM_API void abdm_description_close(abdm_description_t *description); /* NULL is allowed */

/* As it was given to abdm_new; lives as long as the description. */
ABDM_API const abdm_config_t *abdm_description_config(const abdm_description_t *description);
ABDM_API const char *abdm_description_version(const abdm_description_t *description);
ABDM_API int64_t abdm_description_time(const abdm_description_t *description); /* ms since 1970 */

/* ------------------------------------------------------------------ findings */

typedef enum {
    ABDM_FINDING_OK,
    ABDM_FINDING_SKIPPED,
    ABDM_FINDING_WARN,
    ABDM_FINDING_FAIL
} abdm_finding_state_t;

/* All texts are terminated, may hold what a server said, and live for the call. Nothing personal
 * and no secret is in them. */
typedef struct {
    const char *area;    /* "gateway": static */
    const char *check;   /* "session": static, stable for scripts */
    const char *subject; /* which file, host or facility; "" when there is but one */
    abdm_finding_state_t state;
    const char *seen;
    const char *remedy;  /* "" when nothing is to be done */
} abdm_finding_t;

typedef void (*abdm_finding_fn)(const abdm_finding_t *finding, void *ctx);

/* NULL and false are the defaults. */
typedef struct {
    const char *url;      /* the bridge URL that should be registered; NULL: the registered one */
    const char *facility; /* looks at this one alone */
    const char *patient;  /* the HMIS's number of a real patient, for questions that need one */
    const char *sms;      /* ten digits: a test message goes there */
    bool offline;         /* nothing but this machine */
} abdm_doctor_options_t;

/* Examines an installation and tells each finding as it comes. Nothing is changed, in the store, at
 * the HMIS or at ABDM; a message goes out only with options->sms. Takes up to half a minute for
 * each server that does not answer. */
ABDM_API void abdm_doctor(const abdm_description_t *description,
                          const abdm_doctor_options_t *options, abdm_finding_fn tell, void *ctx);

/* --- registration --- */

typedef struct {
    const char *url;           /* bridge URL to be registered; NULL: it stays */
    bool force;                /* also in place of another one */
    const char *facility;      /* id in the facility registry, to become a service of this bridge;
                                * NULL: none */
    const char *facility_name; /* as it stands in that registry */
    const char *hip_name;      /* at most 15 letters, digits and blanks, unique for the bridge */
    const char *registry;      /* "https://host"; NULL: that of the preset */
} abdm_registration_t;

/* Tells ABDM, reads it back, and tells each step as a finding. E_USAGE with `problem`, and nothing
 * was done, when a value of `wish` cannot be. */
ABDM_API abdm_err_t abdm_register(const abdm_description_t *description,
                                  const abdm_registration_t *wish, char problem[ABDM_PROBLEM],
                                  abdm_finding_fn tell, void *ctx);

#endif
