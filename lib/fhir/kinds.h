/*
 * Kinds of resources as data: which members of the plain form become which elements. A kind is a
 * table of rows; the builder reads an item by it and lets each row write its element. What no
 * row can express is a function named in the row.
 */
#ifndef ABDM_FHIR_KINDS_H
#define ABDM_FHIR_KINDS_H

#include <jansson.h>

#include "core/err.h"
#include "core/hi_type.h"

enum {
    ABDM_ROW_NAMES = 4,
    ABDM_ROWS_MAX = 24,
    ABDM_KIND_CHILDREN = 4,
};

/* Places that every kind about a concept shares: the concept and the parts of its coding. */
enum { ABDM_ROW_CONCEPT, ABDM_ROW_CODE, ABDM_ROW_SYSTEM, ABDM_ROW_DISPLAY, ABDM_ROW_OWN };

typedef struct abdm_build_s abdm_build_t;
typedef struct abdm_row_s abdm_row_t;

/* Writes the element of a row. `value` is NULL only where the row asks to be called anyway. */
typedef abdm_err_t abdm_write_t(abdm_build_t *b, const abdm_row_t *row, const json_t *value);

struct abdm_row_s {
    const char *names[ABDM_ROW_NAMES]; /* of the member, NHA's spelling first */
    abdm_write_t *write;               /* NULL: another row's function reads it */
    const char *key;                   /* the element */
    const char *missing; /* static text of the error when it is absent; NULL: it may be */
    const void *words;   /* for abdm_write_word */
    unsigned systems;    /* that its coding may have, see codes.h */
    bool always;         /* called also without a value */
};

/* A spelling of the hospital and the word of FHIR. The table ends with a NULL; the last row may
 * have given = "" for what is to be written when nothing was said. */
typedef struct {
    const char *given, *word;
} abdm_word_t;

typedef enum {
    ABDM_VALUE_ANY,     /* Quantity or string */
    ABDM_VALUE_CONCEPT, /* CodeableConcept */
    ABDM_VALUE_GENERAL, /* Quantity or CodeableConcept */
} abdm_value_kind_t;

typedef struct abdm_kind_s {
    const char *type;
    const char *profile;
    const char *fixed;   /* members that are always the same, as JSON; NULL: none */
    const char *subject; /* the member that points at the patient; NULL: none */
    bool encounter;      /* points at the encounter */
    const abdm_row_t *rows;
    size_t n_rows;
    abdm_value_kind_t value; /* of an Observation */
    bool vitals;             /* an Observation that may be coded as a vital sign */
    struct {
        const char *member; /* of the item: a list, or one object */
        const struct abdm_kind_s *kind;
        bool (*wanted)(const json_t *item); /* NULL: always */
    } children[ABDM_KIND_CHILDREN];
} abdm_kind_t;

/* Where the members of a record go, by HI type; ends with a NULL name. */
typedef struct {
    const char *names[ABDM_ROW_NAMES];
    const abdm_kind_t *kind;
    unsigned section; /* index into the profile's */
    bool split;       /* one item in a document, the next in the next */
} abdm_member_t;

extern const abdm_kind_t abdm_kind_patient, abdm_kind_encounter, abdm_kind_organization,
    abdm_kind_practitioner, abdm_kind_invoice, abdm_kind_report_lab, abdm_kind_report_imaging,
    abdm_kind_report_file, abdm_kind_medication;

const abdm_member_t *abdm_members(abdm_hi_type_t type);

#endif
