/* Secrets that a sysadmin keeps in files: a client secret, the key of an SMS provider. */
#ifndef ABDM_CORE_SECRET_FILE_H
#define ABDM_CORE_SECRET_FILE_H

#include "core/buf.h"
#include "core/err.h"

/* The first line of a file that only its owner may read, at most 4 KB; the caller wipes and frees
 * it. On E_CONFIG problem[0..size) tells the fault, beginning with `what` and the file's name. */
abdm_err_t abdm_secret_file_read(const char *what, const char *path, char *problem, size_t size,
                                 char **out);

#endif
