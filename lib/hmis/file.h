/* JSON files that a sysadmin writes: read whole, members checked, faults told with the place. */
#ifndef ABDM_HMIS_FILE_H
#define ABDM_HMIS_FILE_H

#include "hmis/adapter.h"

/* At most 64 KB. E_CONFIG with `problem`; *out is owned by the caller. */
abdm_err_t abdm_hmis_file_load(const char *file, char *problem, json_t **out);

/* Refuses `object` at `where` when it is none or has other members than the `n` known ones: a
 * misspelt name must not be ignored in silence. */
abdm_err_t abdm_hmis_file_members(const char *file, const char *where, const json_t *object,
                                  const char *const *known, size_t n, char *problem);

/* The text member `name`, which may be neither missing nor empty. Borrowed. */
abdm_err_t abdm_hmis_file_text(const char *file, const char *where, const json_t *object,
                               const char *name, char *problem, const char **out);

#endif
