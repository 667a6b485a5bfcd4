/* The eight kinds of health information (HI types) as the gateway names them. */
#ifndef ABDM_CORE_HI_TYPE_H
#define ABDM_CORE_HI_TYPE_H

#include "core/buf.h"

typedef enum {
    ABDM_HI_OP_CONSULTATION,
    ABDM_HI_PRESCRIPTION,
    ABDM_HI_DISCHARGE_SUMMARY,
    ABDM_HI_DIAGNOSTIC_REPORT,
    ABDM_HI_IMMUNIZATION_RECORD,
    ABDM_HI_HEALTH_DOCUMENT_RECORD,
    ABDM_HI_WELLNESS_RECORD,
    ABDM_HI_INVOICE,
    ABDM_HI_TYPES
} abdm_hi_type_t;

typedef unsigned abdm_hi_types_t; /* set: bit 1 << abdm_hi_type_t */

/* Case is ignored on input (M3 samples write OPCONSULTATION); output is the gateway's spelling. */
bool abdm_hi_type_parse(abdm_str_t name, abdm_hi_type_t *out);
/* The same of a record's hiType or bundleType: also as NHA's fhir-mapper spells them. */
bool abdm_hi_type_parse_record(abdm_str_t name, abdm_hi_type_t *out);
const char *abdm_hi_type_name(abdm_hi_type_t type);

#endif
