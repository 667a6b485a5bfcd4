/*
 * Records and files as FHIR documents, for programs that link libabdm: plain JSON (the field
 * names of NHA's fhir-mapper and some more, see README) or a PDF, JPEG, PNG or text in, document
 * bundles of the NRCeS profiles out. Errors carry a code and a text that names field and fault.
 */
#ifndef ABDM_FHIR_H
#define ABDM_FHIR_H

#include <stddef.h>

#include "core/err.h"

#ifndef ABDM_API
#define ABDM_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* All may be NULL or 0; all borrowed. What is given here wins over the record, but for a
 * patient: there the record must agree. */
typedef struct {
    const char *hi_type;       /* "Prescription"; NULL: the record's hiType or bundleType */
    const char *facility_id;   /* NULL: the record's organisation.facilityId */
    const char *facility_name;
    const char *patient_ref;
    const char *abha_address;
    const char *care_context;
    const char *authored_on;   /* needed for a file, as are patient_ref and care_context */
    const char *title;         /* of a file */
    const char *content_type;  /* of a file; NULL: by its first bytes */
    const char *zone;          /* of times without one: "+05:30" */
    const char *conclusion;    /* of a report without one; NULL: it is refused */
    const char *dosage;        /* of a medicine without one; NULL: it is refused */
    const char *codes_csv;     /* text of a look-up table: field,local,system,code,display */
} abdm_fhir_options_t;

typedef struct {
    char **texts; /* terminated JSON, one bundle each */
    size_t *lengths;
    size_t n;
    size_t unknown; /* members of the record that nothing reads */
} abdm_fhir_bundles_t;

/*
 * Bundles of one record (bytes that begin with a JSON object) or file. On failure `out` is empty
 * and `problem` holds one line: JSON Pointer, fault, purpose of the field. Free with
 * abdm_fhir_bundles_free. E_USAGE: an option; E_JSON, E_JSON_LIMIT, E_RECORD_FORM, E_RECORD_TYPE,
 * E_CONSENT_PATIENT.
 */
ABDM_API abdm_err_t abdm_fhir_build(const void *bytes, size_t len,
                                    const abdm_fhir_options_t *options, abdm_fhir_bundles_t *out,
                                    char problem[512]);
ABDM_API void abdm_fhir_bundles_free(abdm_fhir_bundles_t *bundles); /* wipes */

/*
 * What is wrong with a document bundle: {"errors":N,"warnings":N,"findings":[{"code":"F_MISSING",
 * "severity":"error","pointer":"/entry/1/...","text","meaning","remedy"}]}. Bytes that are not JSON
 * are a finding too. *report is terminated and the caller's: free it. E_MEMORY.
 */
ABDM_API abdm_err_t abdm_fhir_check(const void *json, size_t len, char **report);

/* Row `i` of the table of findings: its code, NULL behind the last. All static. */
ABDM_API const char *abdm_fhir_finding(size_t i, const char **severity, const char **meaning,
                                       const char **remedy);

/*
 * A bundle, or a single resource, as one HTML page without scripts; all of it is escaped, so that
 * what others send can be looked at. *html is terminated and the caller's: free it. E_JSON,
 * E_JSON_LIMIT, E_RECORD_FORM, E_MEMORY.
 */
ABDM_API abdm_err_t abdm_fhir_preview(const void *json, size_t len, char **html);

#ifdef __cplusplus
}
#endif

#endif
