/* Places of the rows of an Observation, behind those of the concept; see kinds.c. */
#ifndef ABDM_FHIR_OBSERVATION_H
#define ABDM_FHIR_OBSERVATION_H

#include "fhir/kinds.h"

enum {
    ABDM_OBS_RESULT = ABDM_ROW_OWN,
    ABDM_OBS_QUANTITY,
    ABDM_OBS_UNIT,
    ABDM_OBS_DATE,
    ABDM_OBS_LOINC,
    ABDM_OBS_RANGE,
    ABDM_OBS_FLAG,
    ABDM_OBS_METHOD,
    ABDM_OBS_ROWS
};

#endif
