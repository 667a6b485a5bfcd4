/* Between the files of the checker only. */
#ifndef ABDM_FHIR_CHECK_INTERNAL_H
#define ABDM_FHIR_CHECK_INTERNAL_H

#include "fhir/check.h"
#include "fhir/check_table.h"

enum { ABDM_CHECK_NONE = -1 };

/* What is still to be held against an entry, or was already: a chain for each entry. */
typedef struct {
    size_t entry;
    const void *what; /* the types of a reference (text), or a shape */
    int next;         /* in the chain, or ABDM_CHECK_NONE */
} abdm_check_item_t;

typedef struct {
    abdm_check_item_t *list;
    size_t n, cap;
    int *head; /* of each entry's chain */
} abdm_check_chain_t;

typedef struct {
    const json_t *entries;
    size_t n;                  /* entries */
    json_t *by_url;            /* fullUrl → its place */
    json_t *by_id;             /* "Patient/1" → its place */
    abdm_check_chain_t links;  /* entry → entry (as a pointer to its JSON) */
    abdm_check_chain_t wanted; /* types that references want an entry to be of */
    abdm_check_chain_t done;   /* profiles held against an entry */

    /* where we are */
    size_t entry;           /* n: in the bundle itself */
    const json_t *resource; /* of the entry; NULL: in the bundle itself */
    abdm_buf_t path;        /* JSON Pointer */
    const abdm_shape_t *shape;
    bool profile; /* the rows are those of a profile: what FHIR has was checked before */
    bool vital;   /* the profile is one that the code of a vital sign implies */
    bool trial;   /* one of several profiles of which one must fit: nothing is noted */
    bool failed;  /* out of memory */
    abdm_findings_t *out;
} abdm_check_t;

/* --- check_bundle.c --- */
/* Adds a finding at `member` of where we are (NULL: right here). */
void abdm_check_found(abdm_check_t *c, abdm_finding_code_t code, const char *member,
                      const char *format, ...) __attribute__((format(printf, 4, 5)));
size_t abdm_check_push(abdm_check_t *c, const char *member); /* the mark to pop to */
size_t abdm_check_push_index(abdm_check_t *c, size_t i);
void abdm_check_pop(abdm_check_t *c, size_t mark);
/* The profile that is held against the resource, for texts: "NRCeS Patient" or "FHIR Patient". */
const char *abdm_check_who(const abdm_check_t *c);
bool abdm_check_is_noted(const abdm_check_chain_t *chain, size_t entry, const void *what);
/* Notes `what` for the entry; false when it is noted already, or memory ran out. */
bool abdm_check_note(abdm_check_t *c, abdm_check_chain_t *chain, size_t entry, const void *what);

/* --- check_element.c --- */
/* Holds an object against rows; `common` is the name of the shape that every such object has. */
void abdm_check_object(abdm_check_t *c, const json_t *object, abdm_elements_t rows,
                       const char *common);
void abdm_check_value(abdm_check_t *c, const json_t *value, const abdm_element_t *row,
                      abdm_elements_t rows, abdm_str_t type);
/* Elements, profiles claimed and implied. */
void abdm_check_resource(abdm_check_t *c, const json_t *resource);
void abdm_check_profile(abdm_check_t *c, const json_t *resource, const abdm_shape_t *shape);

/* --- check_slice.c --- */
void abdm_check_slices(abdm_check_t *c, const json_t *value, const abdm_element_t *row,
                       abdm_elements_t rows, abdm_str_t type);

/* --- check_reference.c --- */
void abdm_check_reference(abdm_check_t *c, const json_t *reference, const char *types);
void abdm_check_wanted(abdm_check_t *c); /* the targets of references are what these want */
void abdm_check_reach(abdm_check_t *c);  /* every entry is part of the document */
/* Empty values and references of a resource that is not in the table. */
void abdm_check_generic(abdm_check_t *c, const json_t *value);

/* --- check_value.c --- */
/* Whether `type` is one of FHIR's primitive types; when it is, the value is judged. */
bool abdm_check_primitive(abdm_check_t *c, const json_t *value, abdm_str_t type);
void abdm_check_binding(abdm_check_t *c, const json_t *value, const char *bind, abdm_str_t type);
void abdm_check_fixed(abdm_check_t *c, const json_t *value, const abdm_element_t *row);

/* --- check_rule.c --- */
/* The rules (invariants) of FHIR for an object of `shape`, or of its element `member`. */
void abdm_check_rules(abdm_check_t *c, const json_t *object, const char *shape, const char *member);
/* The profile of core FHIR that the code of an Observation implies, or NULL. */
const char *abdm_check_vital(const json_t *observation);

#endif
