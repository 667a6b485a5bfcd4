/* Units as hospitals print them, and their UCUM codes. */
#ifndef ABDM_FHIR_UNITS_H
#define ABDM_FHIR_UNITS_H

#include "core/buf.h"

#define ABDM_FHIR_UCUM "http://unitsofmeasure.org"

/* UCUM code of a unit whose spelling can mean nothing else, or NULL. Static. */
const char *abdm_fhir_ucum(abdm_str_t unit);

#endif
