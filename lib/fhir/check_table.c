/* Look-ups in the generated table. */
#include <stdlib.h>
#include <string.h>

#include "fhir/check_table.h"

#define MANY ABDM_MANY

static const abdm_element_t rows[] = {
#define ROW(d, n, low, high, ...)                                                                  \
    {.depth = d, .name = n, .min = low, .max = high, .types = __VA_ARGS__},
#include "fhir/check_table.def"
#undef ROW
};

static const abdm_shape_t shapes[] = {
#define SHAPE(name, first, count, common) {name, first, count, common},
#include "fhir/check_table.def"
#undef SHAPE
};

static const struct {
    const char *set, *system, *codes;
} codes[] = {
#define CODES(set, system, list) {set, system, list},
#include "fhir/check_table.def"
#undef CODES
};

enum { SHAPES = sizeof shapes / sizeof *shapes, CODES_ROWS = sizeof codes / sizeof *codes };


/* As strcmp, of a text that is not terminated and one that is. */
static int
compare(abdm_str_t a, const char *b)
{
    int order = strncmp(a.p, b, a.len);

    return order != 0 ? order : -(b[a.len] != '\0');
}


const abdm_shape_t *
abdm_shape(abdm_str_t name)
{
    size_t low = 0, high = SHAPES;

    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = compare(name, shapes[middle].name);
        if (order == 0)
            return &shapes[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}


abdm_elements_t
abdm_shape_rows(const abdm_shape_t *shape)
{
    return (abdm_elements_t){rows + shape->first, rows + shape->first + shape->count};
}


const abdm_element_t *
abdm_element_next(const abdm_element_t *row, abdm_elements_t all)
{
    const abdm_element_t *next = row + 1;

    while (next < all.end && next->depth > row->depth)
        next++;
    return next;
}


abdm_elements_t
abdm_elements_below(const abdm_element_t *row, abdm_elements_t all)
{
    return (abdm_elements_t){row + 1, abdm_element_next(row, all)};
}


const abdm_element_t *
abdm_element_find(abdm_elements_t all, abdm_str_t name)
{
    for (const abdm_element_t *row = all.first; row < all.end; row = abdm_element_next(row, all)) {
        if (compare(name, row->name) == 0)
            return row;
    }
    return NULL;
}


static bool
list_has(const char *list, const char *code)
{
    size_t len = strlen(code);

    for (;;) {
        size_t n = strcspn(list, " ");
        if (n == len && memcmp(list, code, n) == 0)
            return true;
        if (list[n] == '\0')
            return false;
        list += n + 1;
    }
}


bool
abdm_value_set_has(const char *name, const char *system, const char *code)
{
    bool known = false;

    for (size_t i = 0; i < CODES_ROWS; i++) {
        if (strcmp(codes[i].set, name) != 0)
            continue;
        known = true;
        if ((system == NULL || strcmp(codes[i].system, system) == 0) &&
            list_has(codes[i].codes, code))
            return true;
    }
    return !known;
}
