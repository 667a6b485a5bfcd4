/*
 * Times are milliseconds since 1970 in UTC. Every form of date-time seen on ABDM's wire is
 * read (gateway protocol 7.9); one form is written: 2026-03-05T09:20:11.120Z.
 */
#ifndef ABDM_CORE_TIME_H
#define ABDM_CORE_TIME_H

#include <stdint.h>

#include "core/buf.h"
#include "core/err.h"

typedef int64_t abdm_ms_t;

/* Of hospitals: what a time of an HMIS means that has no zone. */
#define ABDM_TIME_ZONE "+05:30"

enum { ABDM_TIME_TEXT = 25 }; /* bytes of the text with its terminator */

abdm_ms_t abdm_time_now(void);       /* wall clock */
abdm_ms_t abdm_time_monotonic(void); /* for measuring, not for storing */

/* "T" or space, fraction of 1..9 digits, Z or an offset; no zone means UTC; a date alone is
 * its first instant. E_FIELD for anything else. */
abdm_err_t abdm_time_parse(abdm_str_t text, abdm_ms_t *out);
/* Beyond the years 1 to 9999 the nearest instant within them is written. */
void abdm_time_format(abdm_ms_t t, char out[ABDM_TIME_TEXT]);

#endif
