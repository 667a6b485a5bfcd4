/* Paths with variables: "/api/visits/{careContextRef}?from={from}". */
#ifndef ABDM_HMIS_TEMPLATE_H
#define ABDM_HMIS_TEMPLATE_H

#include "hmis/adapter.h"

/* What a sysadmin may write: printable ASCII, a leading '/', known variables. E_CONFIG with
 * `problem` naming the fault; `name` says in it where the template stands. */
abdm_err_t abdm_hmis_template_check(const char *name, const char *text, char *problem);

/* Fills in a checked template, each value percent-encoded as RFC 3986 2.1 has it. E_FIELD when a
 * value that is asked for is missing or empty: an empty id could ask for everybody's records. */
abdm_err_t abdm_hmis_template_expand(const char *text, const abdm_hmis_query_t *query,
                                     abdm_buf_t *out);

#endif
