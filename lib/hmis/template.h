/* Paths with variables: "/api/visits/{careContextRef}?from={from}". */
#ifndef ABDM_HMIS_TEMPLATE_H
#define ABDM_HMIS_TEMPLATE_H

#include "hmis/adapter.h"

/* What a sysadmin may write: printable ASCII, a leading '/', variables of operation `op` (see
 * adapter.h). E_CONFIG with `problem` naming the fault; `name` says in it where the template
 * stands. */
abdm_err_t abdm_hmis_template_check(const char *name, const char *text, int op, char *problem);

/* Are all values that a checked template asks for among `vars`, and not empty? */
bool abdm_hmis_template_filled(const char *text, const json_t *vars);

/* Fills in a checked template, each value percent-encoded as RFC 3986 2.1 has it. E_FIELD when a
 * value that is asked for is missing or empty: an empty id could ask for everybody's records.
 * Only `since` may be empty. */
abdm_err_t abdm_hmis_template_expand(const char *text, const json_t *vars, abdm_buf_t *out);

/* Appends `value` so that nothing in it is structure of a URL. */
void abdm_hmis_percent_encode(abdm_buf_t *out, abdm_str_t value);

#endif
