/*
 * The document profiles of NRCeS (ndhm.in 6.5.0), one row per HI type: all that tells the
 * eight kinds of document apart. Displays and texts are fixed by the profiles, case included.
 */
#ifndef ABDM_FHIR_PROFILE_H
#define ABDM_FHIR_PROFILE_H

#include "core/hi_type.h"

#define ABDM_FHIR_NRCES  "https://nrces.in/ndhm/fhir/r4/StructureDefinition/"
#define ABDM_FHIR_SNOMED "http://snomed.info/sct"

enum { ABDM_FHIR_ENTRY_TYPES = 3 };

typedef struct {
    const char *profile;       /* of the Composition, below ABDM_FHIR_NRCES */
    const char *code;          /* SNOMED CT code of type and section; NULL: text alone */
    const char *display;       /* of the code; else the fixed text of the type */
    const char *title;         /* of the Composition when the record has none */
    const char *section_title; /* of the section that holds an attachment */
    const char *attachment;    /* resource that carries a file; NULL: a file alone cannot */
    bool needs_encounter;
    /* What the one section may point at, when the profile closes the list; max 0: any number. */
    struct {
        const char *type;
        unsigned max;
    } entries[ABDM_FHIR_ENTRY_TYPES];
} abdm_fhir_profile_t;

const abdm_fhir_profile_t *abdm_fhir_profile(abdm_hi_type_t type);

#endif
