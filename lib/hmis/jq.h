/* jq programs of a mapping: compiled once, run on one answer at a time. */
#ifndef ABDM_HMIS_JQ_H
#define ABDM_HMIS_JQ_H

#include "hmis/adapter.h"

typedef struct abdm_hmis_jq_s abdm_hmis_jq_t;

/* Reads and compiles the program in `file`. E_CONFIG with the file's name and jq's own words in
 * `problem`. */
abdm_err_t abdm_hmis_jq_open(const char *file, char *problem, abdm_hmis_jq_t **out);
void abdm_hmis_jq_close(abdm_hmis_jq_t *jq); /* NULL is allowed */

/*
 * Runs it on the JSON in body[0..len), at most 4 MB, with $query set to `query`; it must give
 * exactly one value, which the caller owns. Runs of one program wait for each other.
 * E_HMIS_ANSWER with static text: jq's own message may hold what stood in the answer, and goes
 * nowhere.
 */
abdm_err_t abdm_hmis_jq_run(abdm_hmis_jq_t *jq, const json_t *query, const char *body, size_t len,
                            json_t **out);

#endif
