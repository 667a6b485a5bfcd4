/*
 * The document profiles of NRCeS (ndhm.in 6.5.0), one row per HI type: all that tells the
 * eight kinds of document apart. Displays and texts are fixed by the profiles, case included.
 * The builder, the checker and the wrapping of resources all read these rows.
 */
#ifndef ABDM_FHIR_PROFILE_H
#define ABDM_FHIR_PROFILE_H

#include "core/hi_type.h"

#define ABDM_FHIR_NRCES  "https://nrces.in/ndhm/fhir/r4/StructureDefinition/"
#define ABDM_FHIR_SNOMED "http://snomed.info/sct"
#define ABDM_FHIR_LOINC  "http://loinc.org"
#define ABDM_FHIR_ICD10  "http://hl7.org/fhir/sid/icd-10"
#define ABDM_FHIR_ID_TYPE "https://nrces.in/ndhm/fhir/r4/CodeSystem/ndhm-identifier-type-code"

enum { ABDM_FHIR_ENTRY_TYPES = 3, ABDM_FHIR_SECTIONS = 13 };

/* A section, in the order that the profile wants. Of a profile whose sections are not sliced
 * there is one; of one without codes the title is what tells the sections apart. */
typedef struct {
    const char *title;
    const char *code;    /* SNOMED CT; NULL: none */
    const char *display; /* of the code */
    const char *types[ABDM_FHIR_ENTRY_TYPES]; /* resources that it may point at */
} abdm_fhir_section_t;

typedef struct {
    const char *profile;       /* of the Composition, below ABDM_FHIR_NRCES */
    const char *code;          /* SNOMED CT code of the type; NULL: text alone */
    const char *display;       /* of the code; else the fixed text of the type */
    const char *title;         /* of the Composition when the record has none */
    const char *attachment;    /* resource that carries a file; NULL: a file alone cannot */
    bool needs_encounter;
    /* What the one section may point at, when the profile closes the list; max 0: any number. */
    struct {
        const char *type;
        unsigned max;
    } entries[ABDM_FHIR_ENTRY_TYPES];
    /* Up to the first without a title; an attachment belongs to the last of them. */
    abdm_fhir_section_t sections[ABDM_FHIR_SECTIONS];
} abdm_fhir_profile_t;

const abdm_fhir_profile_t *abdm_fhir_profile(abdm_hi_type_t type);

#endif
