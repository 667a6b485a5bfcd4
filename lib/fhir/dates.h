/*
 * Dates as hospitals write them into the forms that FHIR has: to the day, or to the second with
 * a zone. A time without a zone is local time of the hospital.
 */
#ifndef ABDM_FHIR_DATES_H
#define ABDM_FHIR_DATES_H

#include "core/time.h"

enum { ABDM_FHIR_DATE = 48 };

typedef enum {
    ABDM_FHIR_DAY,     /* FHIR date: yyyy-mm-dd; a year or a month stays one */
    ABDM_FHIR_TIME,    /* FHIR dateTime: as it was given, day or instant */
    ABDM_FHIR_INSTANT, /* FHIR instant: a day is its first second */
} abdm_fhir_precision_t;

/* Reads yyyy-mm-dd, or that with "T" or a space and hh:mm[:ss[.fraction]] and Z, +hh:mm, +hhmm
 * or nothing, then `zone` ("+05:30"); yyyy and yyyy-mm where no instant is asked for. False
 * when it is none of these, or is no day of the calendar. */
bool abdm_fhir_date(const char *given, abdm_fhir_precision_t precision, const char *zone,
                    char out[ABDM_FHIR_DATE]);

/* The time of what abdm_fhir_date wrote; a year or month is its first day. */
abdm_ms_t abdm_fhir_date_ms(const char *date);

/* `minutes` after an instant, in the zone of the instant. */
void abdm_fhir_later(const char *instant, unsigned minutes, char out[ABDM_FHIR_DATE]);

#endif
