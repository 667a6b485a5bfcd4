/*
 * Log lines: at most 1 KB each, printable ASCII only, so that nothing that came from outside
 * can forge a second line or drive a terminal.
 */
#include "core/log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { LINE_MAX_BYTES = 1024 }; /* with the terminator */


/* Copies `in` to `out`, other bytes than printable ones as \xHH; never half an escape. */
static void
escape(const char *in, char out[LINE_MAX_BYTES])
{
    static const char hex[] = "0123456789abcdef";
    size_t n = 0;

    for (const unsigned char *p = (const unsigned char *) in; *p != '\0'; p++) {
        bool plain = *p >= 0x20 && *p < 0x7f && *p != '\\';
        if (n + (plain ? 1 : 4) >= LINE_MAX_BYTES)
            break;
        if (plain) {
            out[n++] = (char) *p;
            continue;
        }
        out[n++] = '\\';
        out[n++] = 'x';
        out[n++] = hex[*p >> 4];
        out[n++] = hex[*p & 15];
    }
    out[n] = '\0';
}


static void
emit(const abdm_log_t *log, abdm_log_level_t level, const char *raw)
{
    char line[LINE_MAX_BYTES];

    escape(raw, line);
    log->write(log->ctx, level, line);
}


void
abdm_log(const abdm_log_t *log, abdm_log_level_t level, const char *fmt, ...)
{
    char raw[LINE_MAX_BYTES];
    va_list args;

    if (log == NULL || log->write == NULL)
        return;
    va_start(args, fmt);
    int n = vsnprintf(raw, sizeof raw, fmt, args);
    va_end(args);
    emit(log, level, n < 0 ? "a log line could not be formatted" : raw);
}


void
abdm_log_err(const abdm_log_t *log, abdm_log_level_t level, abdm_err_t err, const char *fmt, ...)
{
    char raw[LINE_MAX_BYTES];
    va_list args;

    if (log == NULL || log->write == NULL)
        return;

    const abdm_error_info_t *info = abdm_error_info(err.code);
    const char *where = err.where == NULL ? "" : err.where;
    const char *slash = strrchr(where, '/');
    int n = snprintf(raw, sizeof raw, "%s: %s: %s (%s); ", info->name, info->meaning,
                     err.what == NULL ? "" : err.what, slash == NULL ? where : slash + 1);
    if (n > 0 && (size_t) n < sizeof raw) {
        va_start(args, fmt);
        if (vsnprintf(raw + n, sizeof raw - (size_t) n, fmt, args) < 0)
            raw[n] = '\0';
        va_end(args);
    }
    emit(log, level, n < 0 ? info->name : raw);
}
