/*
 * The grammar is that of FHIR R4 (date, dateTime, instant) plus what is seen in hospitals; the
 * calendar is core/time's.
 */
#include "fhir/dates.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FRACTION_MAX = 9, OFFSET_HOURS_MAX = 14 };


/* Whether `z` begins like `shape`, where 0 stands for any digit. Gives what follows, or NULL. */
static const char *
match(const char *z, const char *shape)
{
    for (; *shape != '\0'; shape++, z++) {
        bool digit = *z >= '0' && *z <= '9';
        if (*shape == '0' ? !digit : *z != *shape)
            return NULL;
    }
    return z;
}


static bool
on_calendar(const char *date)
{
    abdm_ms_t ignored;

    return !abdm_failed(abdm_time_parse(abdm_str(date), &ignored));
}


/* A year or a month is judged by its first day. */
static bool
partial_date(const char *given, char out[ABDM_FHIR_DATE])
{
    const char *year = match(given, "0000"), *month = match(given, "0000-00");
    char first[ABDM_FHIR_DATE];

    if ((year == NULL || *year != '\0') && (month == NULL || *month != '\0'))
        return false;
    snprintf(first, sizeof first, "%.7s%s", given, month == NULL ? "-01-01" : "-01");
    snprintf(out, ABDM_FHIR_DATE, "%.7s", given);
    return on_calendar(first);
}


/* Z, +hh:mm or +hhmm as FHIR has it. */
static bool
read_zone(const char *z, char out[8])
{
    const char *rest;

    if (strcmp(z, "Z") == 0 || strcmp(z, "z") == 0) {
        out[0] = 'Z';
        out[1] = '\0';
        return true;
    }
    if (*z != '+' && *z != '-')
        return false;
    rest = match(z + 1, "00:00");
    if (rest == NULL)
        rest = match(z + 1, "0000");
    if (rest == NULL || *rest != '\0' || atoi((char[]){z[1], z[2], '\0'}) > OFFSET_HOURS_MAX)
        return false;
    snprintf(out, 8, "%.3s:%.2s", z, rest - 2);
    return true;
}


bool
abdm_fhir_date(const char *given, abdm_fhir_precision_t precision, const char *zone,
               char out[ABDM_FHIR_DATE])
{
    const char *p = match(given, "0000-00-00");
    char offset[8];
    int n = 0;

    if (p == NULL)
        return precision != ABDM_FHIR_INSTANT && partial_date(given, out);
    if (*p == '\0' || (precision == ABDM_FHIR_DAY && (*p == 'T' || *p == ' '))) {
        if (precision == ABDM_FHIR_INSTANT) {
            n = snprintf(out, ABDM_FHIR_DATE, "%.10sT00:00:00%s", given, zone);
            return n < ABDM_FHIR_DATE && on_calendar(out);
        }
        memcpy(out, given, 10); /* the commonest of all, and quicker so */
        out[10] = '\0';
        return on_calendar(out);
    }

    if (*p != 'T' && *p != ' ')
        return false;
    const char *seconds = match(++p, "00:00:00"), *rest = seconds, *minutes = match(p, "00:00");
    if (seconds != NULL && *seconds == '.') {
        n = (int) strspn(seconds + 1, "0123456789");
        if (n == 0 || n > FRACTION_MAX)
            return false;
        rest = seconds + 1 + n;
        n++;
    } else if (seconds == NULL) {
        if (minutes == NULL)
            return false;
        rest = minutes;
    }
    if (!read_zone(*rest == '\0' ? zone : rest, offset))
        return false;
    snprintf(out, ABDM_FHIR_DATE, "%.10sT%.5s%.3s%.*s%s", given, p,
             seconds == NULL ? ":00" : p + 5, n, seconds == NULL ? "" : seconds, offset);
    return on_calendar(out);
}


abdm_ms_t
abdm_fhir_date_ms(const char *date)
{
    char day[ABDM_FHIR_DATE];
    abdm_ms_t t = 0;

    if (strlen(date) < 10) {
        snprintf(day, sizeof day, "%.7s%s", date, strlen(date) == 4 ? "-01-01" : "-01");
        date = day;
    }
    if (abdm_failed(abdm_time_parse(abdm_str(date), &t)))
        return 0;
    return t;
}


void
abdm_fhir_later(const char *instant, unsigned minutes, char out[ABDM_FHIR_DATE])
{
    const char *offset = instant + strlen(instant) - 1;
    char text[ABDM_TIME_TEXT];
    abdm_ms_t shift = 0;

    if (*offset != 'Z') {
        offset -= 5; /* +05:30 */
        shift = ((abdm_ms_t) atoi((char[]){offset[1], offset[2], '\0'}) * 60 +
                 atoi((char[]){offset[4], offset[5], '\0'})) *
                (offset[0] == '-' ? -60000 : 60000);
    }
    abdm_time_format(abdm_fhir_date_ms(instant) + (abdm_ms_t) minutes * 60000 + shift, text);
    snprintf(out, ABDM_FHIR_DATE, "%.19s%s", text, offset);
}
