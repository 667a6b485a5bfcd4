/*
 * Codings: which systems there are, whether a code can be one of its system, and the look-up
 * table of a hospital. Nothing is ever coded by likeness: equal text, or text alone.
 */
#ifndef ABDM_FHIR_CODES_H
#define ABDM_FHIR_CODES_H

#include "core/buf.h"
#include "core/err.h"

enum { /* set of systems that an element may hold */
    ABDM_SNOMED = 1,
    ABDM_LOINC = 2,
    ABDM_ICD10 = 4,
};

typedef struct {
    const char *system; /* URL */
    const char *code;
    const char *display;
} abdm_coding_t;

/* The system that `given` names by URL or by a usual name ("SNOMED CT"), 0 when it is none of
 * ours; *url is static. */
unsigned abdm_code_system(const char *given, const char **url);

/* Whether `code` has the form of its system and its check digit (ICD-10 has none). */
bool abdm_code_plausible(unsigned system, const char *code);

typedef struct abdm_codes_s abdm_codes_t;

/*
 * A table in CSV (RFC 4180): field,local,system,code,display, the first line being just these
 * names. `field` is a member of the plain form ("medicine", "complaint") or empty for all;
 * `local` is the hospital's text or code, matched byte for byte. Every row is judged:
 * E_CONFIG, `problem` says which line. May be read by several threads.
 */
abdm_err_t abdm_codes_new(abdm_str_t csv, char problem[128], abdm_codes_t **out);
void abdm_codes_free(abdm_codes_t *codes); /* NULL is allowed */

/* The row for exactly this text, that of the field before that of all; NULL when there is none
 * or `codes` is NULL. */
const abdm_coding_t *abdm_codes_find(const abdm_codes_t *codes, const char *field,
                                     const char *local);

#endif
