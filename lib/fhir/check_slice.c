/*
 * Slices: the items of a list that a profile tells apart by a value within them (FHIR R4,
 * "Profiling", slicing).
 */
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "fhir/check_internal.h"
#include "fhir/profile.h"

enum { SLICES_MAX = 16 };

typedef struct {
    const abdm_element_t *row;
    size_t count;
} slice_t;


/* Whether the row is called `name` or is a slice of what is. */
static bool
is_named(const abdm_element_t *row, const char *name, size_t len)
{
    return strncmp(row->name, name, len) == 0 && (row->name[len] == '\0' || row->name[len] == ':');
}


/* Whether a value at `path` below `value` is the one that the rows fix there. */
static bool
value_fits(abdm_elements_t rows, const json_t *value, const char *path)
{
    size_t n = strcspn(path, "."), i;
    const json_t *list, *item;
    char name[64];

    if (n >= sizeof name)
        return false;
    memcpy(name, path, n);
    name[n] = '\0';
    list = json_object_get(value, name);
    for (const abdm_element_t *row = rows.first; row < rows.end;
         row = abdm_element_next(row, rows)) {
        if (!is_named(row, name, n))
            continue;
        if (path[n] == '\0') {
            const char *z = json_string_value(list);
            if (row->fixed != NULL && z != NULL && strcmp(z, row->fixed) == 0)
                return true;
            continue;
        }
        abdm_elements_t below = abdm_elements_below(row, rows);
        if (json_is_object(list) && value_fits(below, list, path + n + 1))
            return true;
        json_array_foreach(list, i, item) {
            if (value_fits(below, item, path + n + 1))
                return true;
        }
    }
    return false;
}


/* An extension is told by its url, which is that of its profile. */
static bool
url_fits(const abdm_element_t *slice, const json_t *value)
{
    const char *url = abdm_json_string_at(value, "url"), *name = strstr(slice->types, "nrces/");
    size_t n = sizeof ABDM_FHIR_NRCES - 1;

    if (url == NULL || name == NULL || strncmp(url, ABDM_FHIR_NRCES, n) != 0)
        return false;
    name += strlen("nrces/");
    return abdm_str_eq(abdm_str(url + n), (abdm_str_t){name, strcspn(name, ")")});
}


static bool
slice_fits(const abdm_element_t *slice, abdm_elements_t rows, const json_t *value,
           const char *paths, abdm_str_t type)
{
    while (*paths != '\0') {
        size_t n = strcspn(paths, " ");
        char path[64];
        if (n >= sizeof path)
            return false;
        memcpy(path, paths, n);
        path[n] = '\0';
        bool fits = strcmp(path, "$this") == 0 ? abdm_str_eq(type, abdm_str(slice->types))
                    : strcmp(path, "url") == 0
                        ? url_fits(slice, value)
                        : value_fits(abdm_elements_below(slice, rows), value, path);
        if (!fits)
            return false;
        paths += n + (paths[n] == ' ');
    }
    return true;
}


static size_t
collect_slices(const abdm_element_t *row, abdm_elements_t rows, slice_t *slices)
{
    size_t n = 0;

    for (const abdm_element_t *next = abdm_element_next(row, rows);
         next < rows.end && n < SLICES_MAX; next = abdm_element_next(next, rows)) {
        if (!abdm_element_is_slice(next) || !is_named(next, row->name, strlen(row->name)))
            break;
        slices[n++] = (slice_t){next, 0};
    }
    return n;
}


static void
refuse_item(abdm_check_t *c, const abdm_element_t *row, const slice_t *slices, size_t n)
{
    abdm_finding_code_t code = strstr(row->slicing, " system") != NULL ? ABDM_F_CODE_SYSTEM
                               : strstr(row->slicing, " type") != NULL ? ABDM_F_ENTRY_TYPE
                                                                       : ABDM_F_SLICE;
    abdm_buf_t names = {0};

    for (size_t i = 0; i < n; i++)
        abdm_buf_addf(&names, "%s%s", i == 0 ? "" : ", ", strchr(slices[i].row->name, ':') + 1);
    char *list = abdm_buf_take(&names);
    abdm_check_found(c, code, NULL, "none of those that are allowed: %s (%s)",
                     list == NULL ? "" : list, abdm_check_who(c));
    free(list);
}


/* Holds the item against the slices it is one of; false when it is of none. */
static bool
check_item(abdm_check_t *c, const json_t *item, const abdm_element_t *row, abdm_elements_t rows,
           abdm_str_t type, slice_t *slices, size_t n)
{
    const char *paths = row->slicing + strcspn(row->slicing, " ");
    bool found = false;

    for (size_t i = 0; i < n; i++) {
        if (!slice_fits(slices[i].row, rows, item, paths + (*paths == ' '), type))
            continue;
        slices[i].count++;
        found = true;
        abdm_check_value(c, item, slices[i].row, rows, type);
    }
    return found;
}


static void
check_counts(abdm_check_t *c, const slice_t *slices, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const abdm_element_t *row = slices[i].row;
        if (slices[i].count < row->min)
            abdm_check_found(c, ABDM_F_MISSING, NULL, "%s is missing (%s)", row->name,
                             abdm_check_who(c));
        if (row->max != ABDM_MANY && slices[i].count > row->max)
            abdm_check_found(c, row->max == 0 ? ABDM_F_NOT_ALLOWED : ABDM_F_TOO_MANY, NULL,
                             "%zu of %s, at most %u allowed (%s)", slices[i].count, row->name,
                             row->max, abdm_check_who(c));
    }
}


void
abdm_check_slices(abdm_check_t *c, const json_t *value, const abdm_element_t *row,
                  abdm_elements_t rows, abdm_str_t type)
{
    bool closed = strncmp(row->slicing, "closed", 6) == 0;
    bool at_end = strncmp(row->slicing, "openAtEnd", 9) == 0, others = false;
    size_t count = json_is_array(value) ? json_array_size(value) : 1;
    slice_t slices[SLICES_MAX];
    size_t n = collect_slices(row, rows, slices);

    for (size_t i = 0; i < count; i++) {
        size_t mark = c->path.len;
        const json_t *item = value;
        if (json_is_array(value)) {
            abdm_check_push_index(c, i);
            item = json_array_get(value, i);
        }
        bool found = check_item(c, item, row, rows, type, slices, n);
        if (!found && closed)
            refuse_item(c, row, slices, n);
        if (found && others && at_end)
            abdm_check_found(c, ABDM_F_SECTION_ORDER, NULL,
                             "stands behind a %s that the profile does not know (%s)", row->name,
                             abdm_check_who(c));
        others = others || !found;
        abdm_check_pop(c, mark);
    }
    check_counts(c, slices, n);
}
