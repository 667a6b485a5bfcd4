/*
 * What a document about a file says, judged and settled before its first byte is written.
 */
#ifndef ABDM_FHIR_FACTS_H
#define ABDM_FHIR_FACTS_H

#include "core/id.h"
#include "fhir/document.h"
#include "fhir/profile.h"

enum {
    ABDM_FHIR_PRACTITIONERS = 16,
    ABDM_FHIR_URN = sizeof "urn:uuid:" - 1 + ABDM_UUID_TEXT, /* bytes of "urn:uuid:..." */
};

typedef struct {
    const json_t *record; /* {name, registrationNumber, practitionerId} */
    char urn[ABDM_FHIR_URN];
} abdm_fhir_practitioner_t;

/* All that the writer needs, judged before the first byte is written. */
typedef struct {
    const abdm_document_about_t *about;
    const abdm_fhir_profile_t *profile;
    const char *content_type;
    const char *title;
    const char *gender;
    const char *birth_date;
    const char *class_code;
    const char *class_display;
    char date[64];      /* Composition.date */
    char timestamp[64]; /* the same as an instant */
    char bundle[ABDM_FHIR_URN];
    char composition[ABDM_FHIR_URN];
    char patient[ABDM_FHIR_URN];
    char encounter[ABDM_FHIR_URN];
    char organization[ABDM_FHIR_URN];
    char attachment[ABDM_FHIR_URN];
    abdm_fhir_practitioner_t practitioners[ABDM_FHIR_PRACTITIONERS];
    size_t n_practitioners;
} abdm_fhir_facts_t;

/* Text at `path`, or NULL when it is absent or blank: FHIR has no empty texts. Borrowed. */
const char *abdm_fhir_text_at(const json_t *record, const char *path);

/* Judges record and file (its length and first bytes). The facts borrow from `about`.
 * E_RECORD_FORM, E_RECORD_TYPE, E_CONSENT_PATIENT. */
abdm_err_t abdm_fhir_facts(const abdm_document_about_t *about, uint64_t length,
                           const uint8_t *head, size_t head_len, abdm_fhir_facts_t *f);

#endif
