/*
 * Holds objects against rows of the table. A resource is held against the rows of FHIR first, which
 * tell of every element; then against those of the profiles, which add to them.
 */
#include <string.h>

#include "core/json.h"
#include "fhir/check_internal.h"
#include "fhir/profile.h"

#define FHIR_BASE "http://hl7.org/fhir/StructureDefinition/"


/* --- names of elements --- */

static bool
is_choice(const char *name)
{
    size_t n = strlen(name);

    return n > 3 && strcmp(name + n - 3, "[x]") == 0;
}


/* Whether `key` is the choice element `name` with a type behind it ("value[x]", "valueString"). */
static bool
is_choice_key(const char *name, const char *key)
{
    size_t n = strlen(name) - 3;

    return strncmp(key, name, n) == 0 && key[n] >= 'A' && key[n] <= 'Z';
}


static bool
rows_know(abdm_elements_t rows, const char *key)
{
    for (const abdm_element_t *row = rows.first; row < rows.end;
         row = abdm_element_next(row, rows)) {
        if (strcmp(row->name, key) == 0 || (is_choice(row->name) && is_choice_key(row->name, key)))
            return true;
    }
    return false;
}


/* The type in "Quantity|Reference(Patient)|string" that `suffix` of a choice names; empty when it
 * is none of them. */
static abdm_str_t
choose_type(const char *types, const char *suffix)
{
    size_t len = strlen(suffix);

    while (*types != '\0') {
        size_t n = strcspn(types, "|(");
        if (n == len && (types[0] & ~0x20) == suffix[0] &&
            strncmp(types + 1, suffix + 1, n - 1) == 0)
            return (abdm_str_t){types, n};
        types += n;
        if (*types == '(')
            types += strcspn(types, ")") + 1;
        types += *types == '|';
    }
    return (abdm_str_t){"", 0};
}


static abdm_str_t
only_type(const char *types)
{
    return (abdm_str_t){types, types[0] == '@' ? strlen(types) : strcspn(types, "|(")};
}


/* --- one element --- */

/* The rows of the element that "@a.b" names, in the shape that is held against the resource. */
static abdm_elements_t
rows_at(const abdm_check_t *c, const char *path)
{
    abdm_elements_t rows = abdm_shape_rows(c->shape);

    while (*path != '\0') {
        size_t n = strcspn(path, ".");
        const abdm_element_t *row = abdm_element_find(rows, (abdm_str_t){path, n});
        if (row == NULL)
            return (abdm_elements_t){rows.first, rows.first};
        rows = abdm_elements_below(row, rows);
        path += n + (path[n] == '.');
    }
    return rows;
}


static bool
is(abdm_str_t type, const char *name)
{
    return abdm_str_eq(type, abdm_str(name));
}


static void
check_shape(abdm_check_t *c, const json_t *value, const abdm_shape_t *shape)
{
    const abdm_shape_t *outer = c->shape;

    c->shape = shape;
    abdm_check_object(c, value, abdm_shape_rows(shape), shape->common);
    abdm_check_rules(c, value, shape->name, "");
    c->shape = outer;
}


/* An element as FHIR has it: of a primitive type, with rows of its own, or of a data type. */
static void
check_base_value(abdm_check_t *c, const json_t *value, const abdm_element_t *row,
                 abdm_elements_t rows, abdm_str_t type)
{
    abdm_elements_t below = abdm_elements_below(row, rows);

    if (abdm_check_primitive(c, value, type))
        return;
    if (!json_is_object(value)) {
        abdm_check_found(c, ABDM_F_SHAPE, NULL, "an object (%.*s) expected", (int) type.len,
                         type.p);
        return;
    }
    if (type.p[0] == '@')
        below = rows_at(c, type.p + 1);
    if (below.first < below.end) {
        abdm_check_object(c, value, below, is(type, "Element") ? "Element" : "BackboneElement");
        abdm_check_rules(c, value, c->shape->name, row->name);
        return;
    }
    if (is(type, "Resource")) {
        if (c->resource != NULL) /* those of the entries are walked by themselves */
            abdm_check_resource(c, value);
        return;
    }
    if (is(type, "Reference"))
        abdm_check_reference(c, value, row->types);
    const abdm_shape_t *shape = abdm_shape(type);
    if (shape != NULL)
        check_shape(c, value, shape);
}


/* What a profile adds. */
static void
check_profile_value(abdm_check_t *c, const json_t *value, const abdm_element_t *row,
                    abdm_elements_t rows)
{
    static const char extension[] = "Extension(";
    abdm_elements_t below = abdm_elements_below(row, rows);

    if (strstr(row->types, "Reference(") != NULL)
        abdm_check_reference(c, value, row->types);
    if (below.first < below.end && json_is_object(value))
        abdm_check_object(c, value, below, "");
    if (abdm_element_is_slice(row) && strncmp(row->types, extension, sizeof extension - 1) == 0) {
        const char *name = row->types + sizeof extension - 1;
        const abdm_shape_t *shape = abdm_shape((abdm_str_t){name, strcspn(name, ")")});
        if (shape != NULL)
            abdm_check_object(c, value, abdm_shape_rows(shape), "");
    }
}


void
abdm_check_value(abdm_check_t *c, const json_t *value, const abdm_element_t *row,
                 abdm_elements_t rows, abdm_str_t type)
{
    if (row->fixed != NULL)
        abdm_check_fixed(c, value, row);
    if (row->bind != NULL)
        abdm_check_binding(c, value, row->bind, type);
    if (c->profile)
        check_profile_value(c, value, row, rows);
    else
        check_base_value(c, value, row, rows, type);
}


static void
check_count(abdm_check_t *c, const abdm_element_t *row, const char *key, size_t count)
{
    if (count < row->min) {
        abdm_check_found(c, ABDM_F_MISSING, key, "%s is missing (%s)", key, abdm_check_who(c));
    } else if (count > row->max && row->max == 0) {
        abdm_check_found(c, ABDM_F_NOT_ALLOWED, key, "%s is not allowed (%s)", key,
                         abdm_check_who(c));
    } else if (count > row->max && row->max != ABDM_MANY && c->profile) {
        abdm_check_found(c, ABDM_F_TOO_MANY, key, "%zu items, at most %u allowed (%s)", count,
                         row->max, abdm_check_who(c));
    }
}


/* A list where FHIR has one, and one value where it has one. */
static bool
is_well_shaped(abdm_check_t *c, const json_t *value, const abdm_element_t *row)
{
    bool many = row->max > 1;

    if (json_is_null(value)) {
        abdm_check_found(c, ABDM_F_EMPTY, NULL, "null: FHIR leaves it out");
        return false;
    }
    if (json_is_array(value) && json_array_size(value) == 0) {
        abdm_check_found(c, ABDM_F_EMPTY, NULL, "an empty list: FHIR leaves it out");
        return false;
    }
    if (json_is_array(value) != many) {
        abdm_check_found(c, ABDM_F_SHAPE, NULL,
                         many ? "a list expected" : "a single value expected");
        return many;
    }
    return true;
}


/* Each value of the element; `extra` is its "_name", which may stand for a value of null. */
static void
check_items(abdm_check_t *c, const json_t *value, const json_t *extra, const abdm_element_t *row,
            abdm_elements_t rows, abdm_str_t type)
{
    const json_t *item;
    size_t i;

    if (!json_is_array(value)) {
        abdm_check_value(c, value, row, rows, type);
        return;
    }
    json_array_foreach(value, i, item) {
        size_t mark = abdm_check_push_index(c, i);
        const json_t *instead = json_array_get(extra, i);
        if (!json_is_null(item))
            abdm_check_value(c, item, row, rows, type);
        else if (!c->profile && (instead == NULL || json_is_null(instead)))
            abdm_check_found(c, ABDM_F_EMPTY, NULL, "null in a list");
        abdm_check_pop(c, mark);
    }
}


static void
check_element(abdm_check_t *c, const json_t *object, const abdm_element_t *row,
              abdm_elements_t rows, const char *key, const char *types)
{
    const json_t *value = json_object_get(object, key), *extra = NULL;
    char extra_key[64] = "_";

    if (strlen(key) < sizeof extra_key - 1) {
        memcpy(extra_key + 1, key, strlen(key) + 1);
        extra = json_object_get(object, extra_key);
    }
    size_t mark = abdm_check_push(c, key);
    bool usable = value != NULL && (c->profile || is_well_shaped(c, value, row));
    abdm_check_pop(c, mark);

    size_t count = json_is_array(value) ? json_array_size(value) : value != NULL;
    check_count(c, row, key, count == 0 && extra != NULL ? 1 : count);
    if (!usable || json_is_null(value))
        return;

    abdm_str_t type =
        is_choice(row->name) ? choose_type(types, key + strlen(row->name) - 3) : only_type(types);
    mark = abdm_check_push(c, key);
    if (is_choice(row->name) && type.len == 0) {
        abdm_check_found(c, ABDM_F_NOT_ALLOWED, NULL, "of these types allowed: %s (%s)", types,
                         abdm_check_who(c));
    } else {
        check_items(c, value, extra, row, rows, type);
        if (row->slicing != NULL)
            abdm_check_slices(c, value, row, rows, type);
    }
    abdm_check_pop(c, mark);
}


static void
check_choice(abdm_check_t *c, const json_t *object, const abdm_element_t *row, abdm_elements_t rows)
{
    const char *key, *found = NULL;
    json_t *value;

    json_object_foreach((json_t *) object, key, value) {
        const char *name = key[0] == '_' ? key + 1 : key;
        if (!is_choice_key(row->name, name) || abdm_element_find(rows, abdm_str(name)) != NULL)
            continue;
        if (found != NULL && strcmp(found, name) != 0 && !c->profile)
            abdm_check_found(c, ABDM_F_CHOICE, name, "%s and %s: only one may be given", found,
                             name);
        found = name;
        if (key == name)
            check_element(c, object, row, rows, key, row->types);
    }
    if (found == NULL)
        check_count(c, row, row->name, 0);
}


static void
check_rows(abdm_check_t *c, const json_t *object, abdm_elements_t rows)
{
    for (const abdm_element_t *row = rows.first; row < rows.end;
         row = abdm_element_next(row, rows)) {
        if (abdm_element_is_slice(row))
            continue;
        if (is_choice(row->name))
            check_choice(c, object, row, rows);
        else
            check_element(c, object, row, rows, row->name, row->types);
    }
}


/* "_name" holds id and extensions of the value of "name". */
static void
check_extra(abdm_check_t *c, const json_t *value)
{
    const abdm_shape_t *element = abdm_shape(ABDM_LIT("Element"));
    const json_t *item;
    size_t i;

    if (json_is_object(value)) {
        abdm_check_object(c, value, abdm_shape_rows(element), "");
        return;
    }
    if (!json_is_array(value) || json_array_size(value) == 0)
        abdm_check_found(c, ABDM_F_SHAPE, NULL, "an object with extensions expected");
    json_array_foreach(value, i, item) {
        size_t mark = abdm_check_push_index(c, i);
        if (json_is_object(item))
            abdm_check_object(c, item, abdm_shape_rows(element), "");
        else if (!json_is_null(item))
            abdm_check_found(c, ABDM_F_SHAPE, NULL, "an object with extensions expected");
        abdm_check_pop(c, mark);
    }
}


static void
check_names(abdm_check_t *c, const json_t *object, abdm_elements_t rows, abdm_elements_t common)
{
    const char *key;
    json_t *value;

    json_object_foreach((json_t *) object, key, value) {
        const char *name = key[0] == '_' ? key + 1 : key;
        if (strcmp(key, "resourceType") == 0)
            continue;
        if (!rows_know(rows, name) && !rows_know(common, name)) {
            abdm_check_found(c, ABDM_F_UNKNOWN_ELEMENT, key, "FHIR has no such element in %s",
                             c->shape->name);
        } else if (key != name) {
            size_t mark = abdm_check_push(c, key);
            check_extra(c, value);
            abdm_check_pop(c, mark);
        }
    }
}


void
abdm_check_object(abdm_check_t *c, const json_t *object, abdm_elements_t rows, const char *common)
{
    const abdm_shape_t *shape = c->profile ? NULL : abdm_shape(abdm_str(common));

    check_rows(c, object, rows);
    if (c->profile)
        return;
    abdm_elements_t more =
        shape == NULL ? (abdm_elements_t){rows.end, rows.end} : abdm_shape_rows(shape);
    check_rows(c, object, more);
    check_names(c, object, rows, more);
    if (json_object_size(object) == (json_object_get(object, "resourceType") != NULL))
        abdm_check_found(c, ABDM_F_EMPTY, NULL, "an empty object: FHIR leaves it out");
}


/* --- resources --- */

void
abdm_check_profile(abdm_check_t *c, const json_t *resource, const abdm_shape_t *shape)
{
    const abdm_shape_t *outer = c->shape;
    bool profile = c->profile;

    c->shape = shape;
    c->profile = true;
    abdm_check_object(c, resource, abdm_shape_rows(shape), "");
    c->shape = outer;
    c->profile = profile;
}


/* The shape of "https://.../Patient|6.5.0": its name in the table is of no more than 64 bytes. */
static const abdm_shape_t *
shape_of_url(const char *url)
{
    static const struct {
        const char *base, *prefix;
    } homes[] = {
        {ABDM_FHIR_NRCES, "nrces/"},
        {FHIR_BASE, ""},
        {FHIR_BASE, "vitals/"},
    };
    const abdm_shape_t *shape = NULL;

    for (size_t i = 0; i < sizeof homes / sizeof *homes && shape == NULL; i++) {
        size_t n = strlen(homes[i].base), prefix = strlen(homes[i].prefix);
        char name[96];
        if (strncmp(url, homes[i].base, n) != 0)
            continue;
        size_t len = strcspn(url + n, "|");
        if (len > 64)
            return NULL;
        memcpy(name, homes[i].prefix, prefix);
        memcpy(name + prefix, url + n, len);
        shape = abdm_shape((abdm_str_t){name, prefix + len});
    }
    return shape;
}


/* The resource that a shape is about: FHIR's own are about themselves. */
static const char *
type_of_shape(const abdm_shape_t *shape)
{
    return strchr(shape->name, '/') != NULL ? shape->common : shape->name;
}


static void
check_claims(abdm_check_t *c, const json_t *resource, const char *type, bool entry)
{
    const json_t *item;
    size_t i;

    json_array_foreach(abdm_json_at(resource, "meta.profile"), i, item) {
        const char *url = json_string_value(item);
        const abdm_shape_t *shape = url == NULL ? NULL : shape_of_url(url);
        size_t mark = abdm_check_push(c, "meta");
        abdm_check_push(c, "profile");
        abdm_check_push_index(c, i);
        if (shape == NULL)
            abdm_check_found(c, ABDM_F_PROFILE_UNKNOWN, NULL, "the checker has no such profile");
        else if (strcmp(type_of_shape(shape), type) != 0)
            abdm_check_found(c, ABDM_F_PROFILE_TYPE, NULL, "the profile is for %s",
                             type_of_shape(shape));
        abdm_check_pop(c, mark);
        if (shape != NULL && shape->name[0] >= 'a' && strcmp(type_of_shape(shape), type) == 0 &&
            (!entry || abdm_check_note(c, &c->done, c->entry, shape)))
            abdm_check_profile(c, resource, shape);
    }
}


static void
check_implied(abdm_check_t *c, const json_t *resource)
{
    const char *name = abdm_check_vital(resource);

    if (name == NULL)
        return;
    c->vital = true;
    abdm_check_profile(c, resource, abdm_shape(abdm_str(name)));
    c->vital = false;
}


void
abdm_check_resource(abdm_check_t *c, const json_t *resource)
{
    const char *type = abdm_json_string_at(resource, "resourceType");
    const abdm_shape_t *shape = type == NULL ? NULL : abdm_shape(abdm_str(type));
    bool entry = resource == c->resource;

    if (type == NULL || !abdm_value_set_has("resource-types", NULL, type)) {
        abdm_check_found(c, ABDM_F_RESOURCE_TYPE, "resourceType", "no resource of FHIR R4");
        return;
    }
    if (shape == NULL) {
        abdm_check_found(c, ABDM_F_UNCHECKED, NULL, "%s: its elements were not looked at", type);
        abdm_check_generic(c, resource);
        return;
    }
    check_shape(c, resource, shape);
    check_claims(c, resource, type, entry);
    if (strcmp(type, "Observation") == 0)
        check_implied(c, resource);
}
