/* The plain forms of hmis.h: what a mapping gave, held against them and built anew. */
#ifndef ABDM_HMIS_PLAIN_H
#define ABDM_HMIS_PLAIN_H

#include "hmis/hmis.h"

/* `mapped` is what the mapping gave for `op` asked with `vars`; borrowed. *out is the caller's,
 * with the members that hmis.h names and no others. E_HMIS_ANSWER with the member at fault. */
abdm_err_t abdm_hmis_plain(abdm_hmis_op_t op, const json_t *vars, const json_t *mapped,
                           json_t **out);

/* A date, or a time that gets its seconds and zone: what a hospital's clock shows is Indian time,
 * so that all who read it mean the same instant. E_HMIS_ANSWER when it is neither. */
abdm_err_t abdm_hmis_settle_time(const json_t *given, json_t **out);

#endif
