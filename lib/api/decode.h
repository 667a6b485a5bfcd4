/*
 * Bodies of calls → rows. Strict: a member that is missing, null where it is required, of the
 * wrong type or too long is E_FIELD, and the fault names it by its path; members that are not
 * known are ignored. Two forms of each thing, our own and that of NHA's wrapper.
 */
#ifndef ABDM_API_DECODE_H
#define ABDM_API_DECODE_H

#include <jansson.h>

#include "api/api.h"

enum {
    ABDM_API_REFERENCE = 255, /* bytes of the HMIS's references */
    ABDM_API_NAME = 255,
    ABDM_API_ID = 64,         /* of the caller's own ids */
    ABDM_API_CONTEXTS = 500,  /* care contexts of one call */
    ABDM_API_PATIENTS = 100,  /* patients of one call */
    ABDM_API_AT = 96
};

/* The first fault of a body. Once there is one, the readers below read nothing and give NULL. */
typedef struct {
    abdm_err_t err;       /* ABDM_OK: none */
    char at[ABDM_API_AT]; /* path of the member: "careContexts.0.reference"; "": the body itself */
} abdm_api_fault_t;

/* Where members are read: an object and its own path, "" for the body. */
typedef struct {
    const json_t *json;
    char path[ABDM_API_AT];
    abdm_api_fault_t *fault;
} abdm_api_in_t;

/* E_MEMORY and E_JSON apart, a body that is no object (or list, when `list`) is E_FIELD. Owned by
 * the caller also on failure; NULL then. */
json_t *abdm_api_body(const char *body, size_t len, bool list, abdm_api_fault_t *fault);
abdm_api_in_t abdm_api_in(const json_t *json, abdm_api_fault_t *fault);

void abdm_api_blame(const abdm_api_in_t *in, const char *name, abdm_err_t err);
abdm_api_in_t abdm_api_item(const abdm_api_in_t *in, const char *name, size_t i); /* of a list */
abdm_api_in_t abdm_api_object(const abdm_api_in_t *in, const char *name);         /* a member */

/* The list at `name` ("": the body itself) of 1 to `max` objects; NULL on a fault. Borrowed. */
const json_t *abdm_api_list(const abdm_api_in_t *in, const char *name, size_t max);

/* A text of 1 to `max` bytes without control characters; NULL when absent, null or "" (a fault
 * when required). Borrowed. */
const char *abdm_api_text(const abdm_api_in_t *in, const char *name, size_t max, bool required);
/* One that the wire allows as reference (gateway protocol 3.0). */
const char *abdm_api_reference(const abdm_api_in_t *in, const char *name, bool required);
/* An id that the caller made: letters, digits, "-", "_" and ".". */
const char *abdm_api_id(const abdm_api_in_t *in, const char *name, bool required);

/* Names of HI types in a list `name`, at least one; 0 on a fault. */
abdm_hi_types_t abdm_api_hi_types(const abdm_api_in_t *in, const char *name);

/* Rows without facility, owned by the caller also on a fault. `now` bounds years of birth.
 * Own form of a patient: {reference, name, gender, yearOfBirth or birthDate, mobile, abhaAddress?,
 * abhaNumber?}; mobile may be missing when abhaAddress is there. NHA's: {patientReference, name,
 * gender, dateOfBirth, patientMobile, abhaAddress}. */
void abdm_api_patient(const abdm_api_in_t *in, abdm_api_flavour_t flavour, abdm_ms_t now,
                      abdm_row_patient_t *out);
/* Own form of a care context: {reference, display, hiTypes, date?, version?}; a date without a
 * zone is Indian. NHA's: {referenceNumber, display, hiType?}; no type is HealthDocumentRecord. */
void abdm_api_context(const abdm_api_in_t *in, abdm_api_flavour_t flavour,
                      abdm_row_context_t *out);
/* All of the list `name`; *out and *n stay empty on a fault, else clear with
 * abdm_row_context_free. Own: one element per reference. NHA's: one per reference and type, put
 * together here. */
void abdm_api_contexts(const abdm_api_in_t *in, const char *name, abdm_api_flavour_t flavour,
                       abdm_row_context_t **out, size_t *n);

/* The value of `name` in a query string, decoded, owned by the caller; NULL when it is not there
 * or empty. E_FIELD when it is there twice or badly encoded, E_MEMORY. */
abdm_err_t abdm_api_query(const char *query, const char *name, char **out);

#endif
