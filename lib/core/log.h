/*
 * One line for one failure, through a sink that the host gives. Only codes, ids, sizes and
 * statuses may be logged: never tokens, keys, OTPs, names, numbers of persons or records.
 */
#ifndef ABDM_CORE_LOG_H
#define ABDM_CORE_LOG_H

#include "core/err.h"

typedef enum { ABDM_LOG_ERROR, ABDM_LOG_WARN, ABDM_LOG_NOTICE, ABDM_LOG_INFO } abdm_log_level_t;

/* `write` may be called from any thread of the library, with a terminated line. */
typedef struct {
    void (*write)(void *ctx, abdm_log_level_t level, const char *line);
    void *ctx;
} abdm_log_t;

void abdm_log(const abdm_log_t *log, abdm_log_level_t level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* "E_CODE: meaning: what (where); ..." then the caller's context ("transfer=... page=3"). */
void abdm_log_err(const abdm_log_t *log, abdm_log_level_t level, abdm_err_t err, const char *fmt,
                  ...) __attribute__((format(printf, 4, 5)));

#endif
