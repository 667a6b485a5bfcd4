/* Places of the rows of a MedicationRequest and of the next dose of a vaccine, behind those of
 * the concept; see kinds.c. */
#ifndef ABDM_FHIR_MEDICINE_H
#define ABDM_FHIR_MEDICINE_H

#include "fhir/kinds.h"

enum {
    ABDM_RX_DOSAGE = ABDM_ROW_OWN,
    ABDM_RX_TIMING,
    ABDM_RX_ROUTE,
    ABDM_RX_METHOD,
    ABDM_RX_INSTRUCTIONS,
    ABDM_RX_REASON,
    ABDM_RX_STATUS,
    ABDM_RX_DATE,
    ABDM_RX_DURATION,
    ABDM_RX_QUANTITY,
    ABDM_RX_REFILLS,
    ABDM_RX_STRENGTH,
    ABDM_RX_FORM,
    ABDM_RX_REQUESTER,
    ABDM_RX_DISPENSE,
    ABDM_RX_ROWS
};

enum { ABDM_DUE_DATE = ABDM_ROW_OWN, ABDM_DUE_DOSE, ABDM_DUE_ROWS };

#endif
