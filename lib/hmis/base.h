/*
 * The base URL of an HMIS and the URLs below it. Three forms (the third is nginx's own):
 * http://host:port/base, https://host:port/base, http://unix:/path/to.sock:/base
 */
#ifndef ABDM_HMIS_BASE_H
#define ABDM_HMIS_BASE_H

#include "hmis/hmis.h"

typedef struct {
    char *origin; /* "http://host:port": lower case, without a default port */
    char *path;   /* "/base" or "": no slash at its end */
    char *socket; /* NULL: TCP */
} abdm_hmis_base_t;

/* E_CONFIG with static text. Clear it also after a failure. */
abdm_err_t abdm_hmis_base_parse(const char *url, abdm_hmis_base_t *out);
void abdm_hmis_base_clear(abdm_hmis_base_t *base);

/* `path` begins with '/', may have a query, and stands below the base's own path. E_FIELD when
 * it would climb out of the base by "." or ".." segments. */
abdm_err_t abdm_hmis_base_request(const abdm_hmis_base_t *base, const char *path,
                                  abdm_hmis_request_t *out);

/* `url` as the HMIS gave it: absolute on this very origin, or a path below the base. Bytes that
 * no URL may hold are percent-encoded. E_HMIS_ANSWER. */
abdm_err_t abdm_hmis_base_resolve(const abdm_hmis_base_t *base, const char *url,
                                  abdm_hmis_request_t *out);

/* Whether a segment of the path (before any '?') is "." or "..", also percent-encoded. */
bool abdm_hmis_path_climbs(const char *path);

#endif
