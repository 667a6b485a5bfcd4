/*
 * FHIR R4 document bundles of the NRCeS profiles (ndhm.in 6.5.0): wrapping a file into the
 * attachment-only document of its HI type, and checking a bundle that the HMIS made itself.
 */
#ifndef ABDM_FHIR_DOCUMENT_H
#define ABDM_FHIR_DOCUMENT_H

#include <jansson.h>

#include "core/err.h"
#include "core/hi_type.h"
#include "core/source.h"
#include "core/time.h"

/* What a document is about; all borrowed. */
typedef struct {
    abdm_hi_type_t hi_type;
    const char *hip_id;
    const char *facility_name;
    const char *patient_ref;      /* the consent's */
    const char *care_context_ref;
    const char *abha_address;     /* the consent's patient id; may be NULL */
    const json_t *record;         /* plain form, see hmis/hmis.h */
} abdm_document_about_t;

/*
 * The document that carries `file` (taken, also on failure) as its one attachment. `head` is
 * the first bytes of the file (at least 16 when it has them), judged against the declared
 * type: PDF, JPEG, PNG or plain text. The bytes given depend on the arguments alone: same
 * record, same document. about->record is not used after the call. E_RECORD_FORM names the field
 * that is missing or unusable (authoredOn is required; an Invoice cannot be a file);
 * E_RECORD_TYPE when the bytes are not what the type says or the type is not allowed;
 * E_CONSENT_PATIENT when the record names another patient than about->patient_ref.
 */
abdm_err_t abdm_document_wrap(const abdm_document_about_t *about, abdm_source_t *file,
                              const uint8_t *head, size_t head_len, abdm_source_t **out);

/* What the rest of the library must know of a passed-through bundle. */
typedef struct {
    abdm_hi_type_t hi_type; /* by Composition.type */
    bool dated;             /* false when Composition.date is only a year or a month */
    abdm_ms_t date;         /* Composition.date */
} abdm_document_facts_t;

/*
 * Checks a bundle given as bytes: document with the Composition first, absolute unique
 * fullUrls, references that resolve and reach every entry, subject is a Patient in it, every
 * Patient has an identifier equal to about->patient_ref or about->abha_address, type is that of
 * about->hi_type, mandatory members. about->record may be NULL. E_RECORD_FORM, E_CONSENT_PATIENT.
 */
abdm_err_t abdm_document_check(const abdm_document_about_t *about, const char *json, size_t len,
                               abdm_document_facts_t *facts);

#endif
