/*
 * Inside fhir/ only: FHIR of an HMIS becomes a conformant document. What is changed is how the
 * document is held together, never what it says: the table is in normalize.c.
 */
#ifndef ABDM_FHIR_NORMALIZE_H
#define ABDM_FHIR_NORMALIZE_H

#include "core/id.h"
#include "fhir/document.h"
#include "fhir/finding.h"

/* --- check.c: a bundle as a document of the consent --- */

/* The privacy check: every Patient in `value`, contained ones included, is the consent's; *seen
 * counts them. E_CONSENT_PATIENT. */
abdm_err_t abdm_document_patients(const abdm_document_about_t *about, const json_t *value,
                                  size_t *seen);

/* No subject is a patient whom only another server knows. E_CONSENT_PATIENT. */
abdm_err_t abdm_document_subjects(const json_t *bundle);

/* The type that a Composition has, by the profile it claims or else by its code. */
bool abdm_document_type(const json_t *composition, abdm_hi_type_t *type);

/* Patients, conformance, type; the facts as far as they could be read. `found` may have findings
 * of before: it is emptied first. */
abdm_err_t abdm_document_judge(const abdm_document_about_t *about, const json_t *bundle,
                               abdm_findings_t *found, abdm_document_facts_t *facts);

/* --- mending.c --- */

/* A tree of abdm_json_parse_marked being mended. */
typedef struct {
    const abdm_document_about_t *about;
    json_t *bundle;           /* borrowed, changed */
    json_t *by_url;           /* every name that an entry has → its new fullUrl */
    json_t *loose;            /* "Type/id" of entries whose base nobody knows → the same */
    json_t *places;           /* fullUrl → place of the entry */
    abdm_uuid_maker_t *maker;
    bool failed;              /* out of memory */
} abdm_mend_t;

abdm_err_t abdm_mend_open(const abdm_document_about_t *about, json_t *bundle, abdm_mend_t *m);
void abdm_mend_close(abdm_mend_t *m);

/* Sets a member of an object; takes the value. */
void abdm_mend_set(abdm_mend_t *m, json_t *object, const char *name, json_t *value);

/* All that is administrative. `found` is what the checker said before; NULL: all names are made
 * anew. */
void abdm_mend(abdm_mend_t *m, const abdm_findings_t *found);

/* Drops entries that nothing leads to; true when there was one. */
bool abdm_mend_orphans(abdm_mend_t *m, const abdm_findings_t *found);

/* Codings that the checker refused become words of their concept; true when any did. */
bool abdm_mend_codings(abdm_mend_t *m, const abdm_findings_t *found);

/* --- wrapping.c --- */

/* A document bundle around resources: a bundle of another type, a list, or one resource. The
 * bundle is a tree to be mended, owned by the caller. */
abdm_err_t abdm_wrap_resources(const abdm_document_about_t *about, const json_t *given,
                               json_t **bundle);

#endif
