/*
 * Vital signs: what may be coded as one. HL7's validator holds every Observation with such a
 * code against a core profile, which asks for category, time, a number and a UCUM unit; so a
 * vital sign is coded when it has all of them and is text otherwise.
 */
#ifndef ABDM_FHIR_VITALS_H
#define ABDM_FHIR_VITALS_H

#include "core/buf.h"

enum { ABDM_VITAL_UNITS = 3 };

typedef struct {
    const char *loinc;
    const char *display;
    const char *units[ABDM_VITAL_UNITS]; /* UCUM codes that its profile takes */
} abdm_vital_t;

/* The blood pressure panel, whose value is two components. */
extern const abdm_vital_t abdm_vital_pressure, abdm_vital_systolic, abdm_vital_diastolic;

/* By a hospital's name of it (case ignored), or NULL. */
const abdm_vital_t *abdm_vital_by_name(abdm_str_t name);

/* By its LOINC code, or NULL. */
const abdm_vital_t *abdm_vital_by_loinc(const char *code);

/* Whether a LOINC or SNOMED CT code brings a core vital-sign profile with it. */
bool abdm_vital_implied(const char *code);

bool abdm_vital_takes(const abdm_vital_t *vital, const char *ucum);

/* "120/80", "120/80 mmHg", "120 / 80 mm Hg": the two numbers, borrowed from `text`. Without a
 * unit it is millimetres of mercury, since in no other unit are there such numbers. */
bool abdm_vital_read_pressure(const char *text, abdm_str_t *systolic, abdm_str_t *diastolic);

#endif
