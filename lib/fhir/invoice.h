/* Places of the rows of a bill's product, behind those of the concept; see kinds.c. */
#ifndef ABDM_FHIR_INVOICE_H
#define ABDM_FHIR_INVOICE_H

#include "fhir/kinds.h"

enum {
    ABDM_PRODUCT_HSN = ABDM_ROW_OWN,
    ABDM_PRODUCT_BATCH,
    ABDM_PRODUCT_EXPIRY,
    ABDM_PRODUCT_OF_BATCH
};

#endif
