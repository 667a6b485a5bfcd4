/*
 * A spool holds one record on its way through: in memory while small, else in an unlinked
 * file, sealed in pieces with a key that lives only in this process. Written once, then
 * read as a source any number of times.
 */
#ifndef ABDM_ENGINE_SPOOL_H
#define ABDM_ENGINE_SPOOL_H

#include "core/err.h"
#include "core/source.h"

typedef struct abdm_spool_s abdm_spool_t;

/* `dir` (borrowed for the life of the spool) is where the file goes when more than 256 KB come;
 * E_ANSWER_TOO_LARGE is given by _write beyond `max` bytes, E_SYSTEM when the file cannot be
 * written. After a failed write the spool can only be freed. */
abdm_err_t abdm_spool_new(const char *dir, uint64_t max, abdm_spool_t **out);
void abdm_spool_free(abdm_spool_t *spool); /* NULL is allowed */

abdm_err_t abdm_spool_write(abdm_spool_t *spool, const void *p, size_t len);
abdm_err_t abdm_spool_finish(abdm_spool_t *spool); /* no writes after; also fine when empty */

uint64_t abdm_spool_length(const abdm_spool_t *spool);
/* The first bytes, up to 512. Borrowed. */
abdm_str_t abdm_spool_head(const abdm_spool_t *spool);

/* A source over a finished spool, which must outlive it; any number of them, in any threads.
 * Its reads give E_SPOOL_LOST when the file is not what was written. */
abdm_err_t abdm_spool_source(abdm_spool_t *spool, abdm_source_t **out);

#endif
