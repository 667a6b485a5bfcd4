/*
 * Checks a document bundle against FHIR R4 and the NRCeS profiles (ndhm.in 6.5.0) by the tables of
 * check_table.def: elements, types, codes, slices, references, the rules of documents, and the
 * core vital-sign profiles that a code implies. It does not know whether a SNOMED CT or LOINC code
 * exists.
 */
#ifndef ABDM_FHIR_CHECK_H
#define ABDM_FHIR_CHECK_H

#include <jansson.h>

#include "core/err.h"
#include "fhir/finding.h"

enum {
    ABDM_FHIR_ENTRIES_MAX = 5000,
    ABDM_FHIR_URL_MAX = 2048, /* of a fullUrl: each relative reference costs a copy of its base */
};

/* Adds what is found to `out` (zeroed before the first use). Findings are no failure: E_MEMORY
 * alone. */
abdm_err_t abdm_fhir_check_bundle(const json_t *bundle, abdm_findings_t *out);

/* The same of bytes; what is not JSON is a finding too. */
abdm_err_t abdm_fhir_check_bytes(const char *json, size_t len, abdm_findings_t *out);

#endif
