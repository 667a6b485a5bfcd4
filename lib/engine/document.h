/* Inside engine/ only: a fetched record as the document that will be pushed. */
#ifndef ABDM_ENGINE_DOCUMENT_H
#define ABDM_ENGINE_DOCUMENT_H

#include "engine/task.h"

/* The URL of the file that the page's document is made of, NULL when the record itself is enough.
 * Borrowed. */
const char *abdm_task_file(const abdm_task_t *task);

/* Makes result.document out of the task's finished spool, or of its record when it has none, after
 * checking that it can become a conformant document of the consented patient; sets
 * result.has_facts for FHIR, result.where for what is refused, result.note. */
abdm_err_t abdm_task_make_document(abdm_task_t *task, const abdm_engine_facility_t *facility,
                                   const abdm_engine_config_t *config);

/* The document's bytes as a source; the document must outlive it. */
abdm_err_t abdm_task_document_source(abdm_task_t *task, const abdm_engine_facility_t *facility,
                                     abdm_source_t **out);

/* MD5 of a source's bytes, computed as they are read. */
typedef struct abdm_digest_s abdm_digest_t;

/* Takes `in`, also on failure. The digest stays valid until freed, its bytes once the source
 * is exhausted. */
abdm_err_t abdm_digest_new(abdm_source_t *in, abdm_digest_t **digest, abdm_source_t **out);
const uint8_t *abdm_digest_bytes(const abdm_digest_t *digest);
void abdm_digest_free(abdm_digest_t *digest);

#endif
