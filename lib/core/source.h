/*
 * A source is a stream of bytes of known length, pulled by its reader. Records, documents,
 * ciphertexts and request bodies are sources put inside one another, so that a record of
 * 200 MB passes through in small pieces. Closing a source closes what it took.
 */
#ifndef ABDM_CORE_SOURCE_H
#define ABDM_CORE_SOURCE_H

#include "core/buf.h"
#include "core/err.h"

typedef struct abdm_source_s abdm_source_t;

struct abdm_source_s {
    uint64_t length; /* exact number of bytes it gives from start to end */
    /* Gives 1..cap bytes; *got = 0 only at the end. cap is at least 1. */
    abdm_err_t (*read)(abdm_source_t *s, void *out, size_t cap, size_t *got);
    void (*close)(abdm_source_t *s); /* frees s and what it owns */
    void (*rewind)(abdm_source_t *s); /* back to the first byte; NULL: it cannot */
};

void abdm_source_close(abdm_source_t *s); /* NULL is allowed */

/* Takes the buffer's bytes; `b` is empty afterwards. NULL on no memory (b is freed then). */
abdm_source_t *abdm_source_take_buf(abdm_buf_t *b);

/* One after another. Takes the parts, also on failure. NULL on no memory or a NULL part. */
abdm_source_t *abdm_source_concat(abdm_source_t **parts, size_t n);

/* base64 of a source (padded, one line). Takes it. NULL on no memory or a NULL source. */
abdm_source_t *abdm_source_base64(abdm_source_t *in);

/* Reads all into `out`, failing with E_ANSWER_TOO_LARGE beyond `max`. Does not close. */
abdm_err_t abdm_source_read_all(abdm_source_t *s, size_t max, abdm_buf_t *out);

#endif
