/*
 * FHIR R4 document bundles of the NRCeS profiles (ndhm.in 6.5.0): building them of a record in
 * plain form (its members: kinds.c) or of a file, and checking a bundle that the HMIS made itself.
 */
#ifndef ABDM_FHIR_DOCUMENT_H
#define ABDM_FHIR_DOCUMENT_H

#include <jansson.h>

#include "core/err.h"
#include "core/hi_type.h"
#include "core/source.h"
#include "core/time.h"

/* What may be said for a record that does not say it. Nothing clinical is ever filled in. */
typedef struct {
    const char *zone;             /* of times without one; NULL: "+05:30" */
    const char *conclusion;       /* of a report that has none; NULL: refuse it */
    const char *dosage;           /* of a medicine that has none; NULL: refuse it */
    unsigned appointment_minutes; /* 0: 15 */
    const struct abdm_codes_s *codes; /* exact look-up table, see codes.h; NULL: none */
} abdm_record_rules_t;

/* What a document is about; all borrowed. */
typedef struct {
    abdm_hi_type_t hi_type;
    const char *hip_id;
    const char *facility_name;
    const char *patient_ref;      /* the consent's */
    const char *care_context_ref;
    const char *abha_address;     /* the consent's patient id; may be NULL */
    const json_t *record;         /* plain form: kinds.c, hmis/hmis.h */
    const abdm_record_rules_t *rules; /* NULL: nothing is filled in */
} abdm_document_about_t;

/* What is to be said of a record, good or not. */
typedef struct {
    char where[256]; /* JSON Pointer (RFC 6901) of the field at fault, "" when none is */
    size_t unknown;  /* members of what was read that nothing looks at */
} abdm_record_problem_t;

/* The type that a record names as hiType or bundleType, in the gateway's or NHA's spelling. */
bool abdm_record_type(const json_t *record, abdm_hi_type_t *out);

/*
 * How many documents a record becomes: one, but for what the profiles allow once in a document
 * (a report, the file of a prescription). At least 1. It depends on type and record alone.
 */
size_t abdm_document_count(abdm_hi_type_t type, const json_t *record);

/*
 * Document `index` (below the count) of a record whose content is in the record itself, files
 * as base64 in it. The bytes depend on the arguments alone: same record, same document. The
 * record is kept by reference until the source is closed and must not be changed meanwhile;
 * everything is judged here, so that the source cannot fail but for memory. `problem` may be NULL.
 * E_RECORD_FORM: `what` says which field is missing or malformed and what it is for;
 * E_RECORD_TYPE: a file is not what its type says; E_CONSENT_PATIENT: another patient than
 * about->patient_ref.
 */
abdm_err_t abdm_document_build(const abdm_document_about_t *about, size_t index,
                               abdm_record_problem_t *problem, abdm_source_t **out);

/*
 * The same for a record whose `document` (or first of `documents`) comes from elsewhere: `file`
 * (taken, also on failure) is its bytes and is streamed. `head` is the first bytes of the file
 * (at least 16 when it has them), judged against the declared type: PDF, JPEG, PNG or plain
 * text. An Invoice cannot be a file.
 */
abdm_err_t abdm_document_wrap(const abdm_document_about_t *about, abdm_source_t *file,
                              const uint8_t *head, size_t head_len, abdm_source_t **out);

/* What the rest of the library must know of a passed-through bundle. */
typedef struct {
    bool typed;
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

/* What a facility wants done with FHIR that cannot be made a conformant document. */
typedef enum { ABDM_FHIR_REJECT, ABDM_FHIR_ATTACH, ABDM_FHIR_SEND } abdm_fhir_policy_t;

/* What became of FHIR that an HMIS gave. Free `mended` with abdm_buf_wipe_free. */
typedef struct {
    abdm_document_facts_t facts; /* of the final document, or of what was refused */
    abdm_buf_t mended; /* empty: the bytes are a conformant document as they came */
    char where[256];   /* JSON Pointer of the first fault that remains, "" when it has no place */
    size_t faults;     /* that remain */
    /* After E_RECORD_FORM: all Patients in it are the consent's, there is one, and its type is
     * not another than the record's. Then a facility may want it sent nevertheless. */
    bool attachable;
    bool sendable;     /* attachable, and a document of the record's type with a date */
} abdm_fhir_verdict_t;

/*
 * Makes a conformant document of FHIR given as bytes: a document bundle, which is left as it is
 * when it conforms, and mended in what is administrative when it does not; or a bundle of
 * another type, a list or a single resource, of which a document of about->hi_type is made
 * (about->record gives its date, title and authors). E_RECORD_FORM: it would not conform, or is
 * no FHIR; E_CONSENT_PATIENT; E_RECORD_TYPE: no JSON at all.
 */
abdm_err_t abdm_document_normalize(const abdm_document_about_t *about, const char *json,
                                   size_t len, abdm_fhir_verdict_t *out);

/* Is what an HMIS answered FHIR, told by its first bytes? A file that was promised as one may be a
 * page of errors. */
typedef enum {
    ABDM_BODY_FILE,   /* neither of these */
    ABDM_BODY_FHIR,   /* JSON; in front of all else "resourceType", or a list */
    ABDM_BODY_JSON,   /* other JSON */
    ABDM_BODY_HL7V2
} abdm_body_kind_t;

abdm_body_kind_t abdm_body_kind(abdm_str_t head);

#endif
