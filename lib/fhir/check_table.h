/*
 * The elements of FHIR R4 and of the NRCeS profiles as rows (check_table.def, generated). The rows
 * of one shape (a resource, a data type or a profile) stand in the order of its elements, each
 * followed by the rows below it.
 */
#ifndef ABDM_FHIR_CHECK_TABLE_H
#define ABDM_FHIR_CHECK_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/buf.h"

typedef struct {
    uint8_t depth;       /* 1: below the shape itself */
    const char *name;    /* "code", "value[x]"; a slice: "coding:LOINC" */
    uint8_t min, max;    /* max ABDM_MANY: no limit */
    const char *types;   /* "Quantity|string", "Reference(Group|nrces/Patient)", "@section" for the
                          * rows of another element; in a profile "": those of FHIR */
    const char *bind;    /* "!name" required, "~name" recommended value set; NULL */
    const char *fixed;   /* the value; NULL */
    const char *slicing; /* "closed system": rules and the paths that tell slices apart; NULL */
} abdm_element_t;

enum { ABDM_MANY = 255 };

typedef struct {
    const abdm_element_t *first, *end;
} abdm_elements_t;

typedef struct {
    const char *name; /* "Patient", "nrces/Patient", "vitals/bp" */
    uint16_t first, count;
    const char *common; /* the shape whose rows apply as well; of a profile: the resource */
} abdm_shape_t;

/* NULL when there is none of that name. */
const abdm_shape_t *abdm_shape(abdm_str_t name);
abdm_elements_t abdm_shape_rows(const abdm_shape_t *shape);

/* The rows below `row`, of those in `all`. */
abdm_elements_t abdm_elements_below(const abdm_element_t *row, abdm_elements_t all);
/* The row after `row` and what is below it. */
const abdm_element_t *abdm_element_next(const abdm_element_t *row, abdm_elements_t all);
/* The row called exactly `name` among those of the first depth, or NULL. */
const abdm_element_t *abdm_element_find(abdm_elements_t rows, abdm_str_t name);

static inline bool
abdm_element_is_slice(const abdm_element_t *row)
{
    for (const char *p = row->name; *p != '\0'; p++) {
        if (*p == ':')
            return true;
    }
    return false;
}

/* Whether the value set has `code`, of `system` when that is not NULL. A set that is not in the
 * table has every code. */
bool abdm_value_set_has(const char *name, const char *system, const char *code);

#endif
