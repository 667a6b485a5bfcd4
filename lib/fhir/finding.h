/*
 * What the checker finds in a document: a stable code, where, and a sentence. The table of codes
 * is finding.def.
 */
#ifndef ABDM_FHIR_FINDING_H
#define ABDM_FHIR_FINDING_H

#include "core/buf.h"

typedef enum {
#define FINDING(name, severity, meaning, remedy) ABDM_F_##name,
#include "fhir/finding.def"
#undef FINDING
    ABDM_FINDING_CODES
} abdm_finding_code_t;

typedef enum { ABDM_FINDING_ERROR, ABDM_FINDING_WARNING } abdm_finding_severity_t;

typedef struct {
    const char *name; /* "F_MISSING" */
    abdm_finding_severity_t severity;
    const char *meaning; /* one line */
    const char *remedy;
    const char *refusal; /* "F_MISSING: ...", for an abdm_err_t's `what` */
} abdm_finding_info_t;

/* The row of finding.def; never NULL. Static. */
const abdm_finding_info_t *abdm_finding_info(abdm_finding_code_t code);

typedef struct {
    abdm_finding_code_t code;
    char *pointer; /* JSON Pointer into the document, "" for the whole of it */
    char *text;    /* one sentence; may quote codes of the document, never its texts */
} abdm_finding_t;

enum { ABDM_FINDINGS_MAX = 1000 };

/* Zeroed it is empty. The same code at the same place is kept once; what comes when
 * ABDM_FINDINGS_MAX are kept is only counted. */
typedef struct {
    abdm_finding_t *list;
    size_t n, cap;
    size_t errors, warnings; /* of all, also those that are not in the list */
    bool failed;             /* out of memory */
} abdm_findings_t;

void abdm_findings_free(abdm_findings_t *f);
/* Both texts are taken, also on failure. */
void abdm_findings_add(abdm_findings_t *f, abdm_finding_code_t code, char *pointer, char *text);
/* The first error, or NULL. */
const abdm_finding_t *abdm_findings_first_error(const abdm_findings_t *f);

#endif
