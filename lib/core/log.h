/*
 * One line for one failure, through a sink that the host gives. A line is words of ours, which are
 * literals, and fields, each of a kind that cannot tell who a patient is: no tokens, keys, OTPs,
 * names, numbers of persons or texts of records, whatever a caller hands over.
 */
#ifndef ABDM_CORE_LOG_H
#define ABDM_CORE_LOG_H

#include "core/err.h"

typedef enum { ABDM_LOG_ERROR, ABDM_LOG_WARN, ABDM_LOG_NOTICE, ABDM_LOG_INFO } abdm_log_level_t;

enum { ABDM_LOG_MARK = 14 }; /* "~" and 12 digits, with the terminator */

/* `write` may be called from any thread of the library, with a terminated line. `mark` makes what
 * stands for an id that is no UUID, the same each time; without it or when it fails that is "~". */
typedef struct {
    void (*write)(void *ctx, abdm_log_level_t level, const char *line);
    void *ctx;
    abdm_err_t (*mark)(const void *ctx, const char *id, char out[ABDM_LOG_MARK]);
    const void *mark_ctx;
} abdm_log_t;

typedef enum {
    ABDM_LOG_END,
    ABDM_LOG_IS_NUMBER,
    ABDM_LOG_IS_ID,
    ABDM_LOG_IS_WORD,
    ABDM_LOG_IS_WORDS,
} abdm_log_kind_t;

typedef struct {
    const char *name;
    abdm_log_kind_t kind;
    long long number;
    const char *text; /* NULL is empty */
} abdm_log_field_t;

/* A count, size or status. */
#define ABDM_LOG_NUMBER(name, n)   {"" name, ABDM_LOG_IS_NUMBER, (n), 0}
/* A UUID stands as it is. Any other id is the hospital's number of a patient or visit, and becomes
 * its mark. */
#define ABDM_LOG_ID(name, id)      {"" name, ABDM_LOG_IS_ID, 0, (id)}
/* A name of the configuration or of a table: facility, event, path, place in a document. */
#define ABDM_LOG_WORD(name, text)  {"" name, ABDM_LOG_IS_WORD, 0, (text)}
/* Several words: addresses, long numbers and long words in them become a star. In quotes; or, with
 * "" for a name, ended by a semicolon. */
#define ABDM_LOG_WORDS(name, text) {"" name, ABDM_LOG_IS_WORDS, 0, (text)}

/* "what name=value name=value", `what` being a literal: one or more of the four fields above. */
#define abdm_log(log, level, what, ...)                                                            \
    abdm_log_fields(log, level, "" what, (const abdm_log_field_t[]){__VA_ARGS__, {0}})

/* "E_CODE: meaning: what (where); name=value ...": the texts of an error are static. */
#define abdm_log_err(log, level, err, ...)                                                         \
    abdm_log_err_fields(log, level, err, (const abdm_log_field_t[]){__VA_ARGS__, {0}})

void abdm_log_fields(const abdm_log_t *log, abdm_log_level_t level, const char *what,
                     const abdm_log_field_t *fields);
void abdm_log_err_fields(const abdm_log_t *log, abdm_log_level_t level, abdm_err_t err,
                         const abdm_log_field_t *fields);

#endif
