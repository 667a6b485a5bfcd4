/*
 * References: what they lead to, of which types and profiles that must be, and whether all of the
 * document is reached from its Composition.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "fhir/check_internal.h"

enum { CANDIDATES = 8 };


/* --- where a reference leads --- */

static bool
is_absolute(const char *url)
{
    size_t n = strspn(url, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+.-");

    return n > 0 && isalpha((unsigned char) url[0]) && url[n] == ':';
}


static const json_t *
place_of(const json_t *index, const char *text, size_t len)
{
    return json_object_getn(index, text, len);
}


/* Relative ones are below the base of the entry in which they stand: "Patient/2" in
 * "https://h/fhir/Composition/1" is "https://h/fhir/Patient/2". */
static const json_t *
place_below_base(const abdm_check_t *c, const char *reference, size_t len)
{
    const char *url = abdm_json_string_at(json_array_get(c->entries, c->entry), "fullUrl");
    abdm_buf_t b = {0};
    int slashes = 0;

    if (url == NULL || strncmp(url, "http", 4) != 0 || strlen(url) > ABDM_FHIR_URL_MAX)
        return NULL;
    const char *end = url + strlen(url);
    while (end > url && slashes < 2)
        slashes += *--end == '/';
    if (slashes < 2)
        return NULL;
    abdm_buf_add(&b, url, (size_t) (end - url) + 1);
    abdm_buf_add(&b, reference, len);
    const json_t *place = b.failed ? NULL : place_of(c->by_url, b.p, b.len);
    abdm_buf_free(&b);
    return place;
}


static bool
is_contained(const abdm_check_t *c, const char *id)
{
    const json_t *item;
    size_t i;

    json_array_foreach(json_object_get(c->resource, "contained"), i, item) {
        const char *z = abdm_json_string_at(item, "id");
        if (z != NULL && strcmp(z, id) == 0)
            return true;
    }
    return *id == '\0';
}


/* The entry, or NULL with a finding; those of profiles are known from FHIR's own rows. */
static const json_t *
find_entry(abdm_check_t *c, const char *reference)
{
    const char *version = strstr(reference, "/_history/");
    size_t len = version == NULL ? strlen(reference) : (size_t) (version - reference);
    const json_t *place;

    if (reference[0] == '#') {
        if (!c->profile && !is_contained(c, reference + 1))
            abdm_check_found(c, ABDM_F_REFERENCE, "reference",
                             "nothing of this id is contained in the resource (ref-1)");
        return NULL;
    }
    if (is_absolute(reference))
        place = place_of(c->by_url, reference, len);
    else
        place = place_below_base(c, reference, len);
    if (place != NULL || c->profile)
        return place;

    place = place_of(c->by_id, reference, len);
    bool server = strncmp(reference, "http://", 7) == 0 || strncmp(reference, "https://", 8) == 0;
    if (place != NULL)
        abdm_check_found(c, ABDM_F_REFERENCE_RELATIVE, "reference",
                         "the entry is there by type and id, but its fullUrl is another");
    else if (server && strcmp(abdm_json_string_at(c->resource, "resourceType"), "Composition") != 0)
        abdm_check_found(c, ABDM_F_REFERENCE_OUTSIDE, "reference", "leads out of the document");
    else
        abdm_check_found(c, ABDM_F_REFERENCE, "reference", "what it names is not in the document");
    return place;
}


/* --- what it must lead to --- */

/* The next name in "A|nrces/B)"; empty at the end. */
static abdm_str_t
next_target(const char **list)
{
    size_t n = strcspn(*list, "|)");
    abdm_str_t name = {*list, n};

    *list += n + ((*list)[n] == '|');
    return name;
}


/* The profile that a target names when the resource is of its type; *fits tells the latter. */
static const abdm_shape_t *
profile_of(abdm_str_t target, const char *type, bool *fits)
{
    bool profile = abdm_str_starts(target, ABDM_LIT("nrces/"));
    const abdm_shape_t *shape = profile ? abdm_shape(target) : NULL;

    *fits = shape != NULL ? strcmp(shape->common, type) == 0 : abdm_str_eq(target, abdm_str(type));
    return *fits ? shape : NULL;
}


/* Those of the list that are for resources of `type`; *any: FHIR's own among them. */
static size_t
collect_profiles(const char *list, const char *type, const abdm_shape_t **found, bool *any)
{
    size_t n = 0;
    bool fits;

    *any = false;
    for (abdm_str_t target = next_target(&list); target.len > 0; target = next_target(&list)) {
        const abdm_shape_t *shape = profile_of(target, type, &fits);
        *any = *any || fits;
        if (shape != NULL && n < CANDIDATES)
            found[n++] = shape;
    }
    return n;
}


static void
check_target(abdm_check_t *c, const char *types, const json_t *place)
{
    const char *list = strstr(types, "Reference(");
    const abdm_shape_t *profiles[CANDIDATES];
    size_t i = (size_t) json_integer_value(place);
    const char *type = abdm_json_string_at(json_array_get(c->entries, i), "resource.resourceType");
    bool any;

    if (list == NULL || type == NULL)
        return;
    list += strlen("Reference(");
    size_t n = collect_profiles(list, type, profiles, &any);
    if (!any)
        abdm_check_found(c, ABDM_F_REFERENCE_TARGET, "reference", "leads to %s; allowed: %.*s (%s)",
                         type, (int) strcspn(list, ")"), list, abdm_check_who(c));
    else if (n > 0 && !c->trial)
        abdm_check_note(c, &c->wanted, i, list);
}


void
abdm_check_reference(abdm_check_t *c, const json_t *reference, const char *types)
{
    const char *z = abdm_json_string_at(reference, "reference");
    const char *said = abdm_json_string_at(reference, "type");
    const json_t *place = z == NULL ? NULL : find_entry(c, z);

    if (place == NULL)
        return;
    const json_t *entry = json_array_get(c->entries, (size_t) json_integer_value(place));
    const char *type = abdm_json_string_at(entry, "resource.resourceType");
    if (!c->profile && c->resource != NULL)
        abdm_check_note(c, &c->links, c->entry, entry);
    if (!c->profile && said != NULL && type != NULL && strcmp(said, type) != 0)
        abdm_check_found(c, ABDM_F_REFERENCE_TYPE, "type", "leads to %s", type);
    check_target(c, types, place);
}


/* --- profiles that references want --- */

static void
enter(abdm_check_t *c, size_t i)
{
    c->entry = i;
    c->resource = json_object_get(json_array_get(c->entries, i), "resource");
    c->path.len = 0;
    abdm_check_push(c, "entry");
    abdm_check_push_index(c, i);
    abdm_check_push(c, "resource");
}


static void
apply(abdm_check_t *c, const abdm_shape_t *shape)
{
    if (abdm_check_note(c, &c->done, c->entry, shape))
        abdm_check_profile(c, c->resource, shape);
}


/* One of several must fit. When none does, the one that is the nearest tells why. */
static void
apply_best(abdm_check_t *c, const abdm_shape_t **profiles, size_t n)
{
    abdm_findings_t *out = c->out;
    size_t best = 0, least = SIZE_MAX;

    c->trial = true;
    for (size_t i = 0; i < n; i++) {
        abdm_findings_t found = {0};
        c->out = &found;
        abdm_check_profile(c, c->resource, profiles[i]);
        if (found.errors < least ||
            (found.errors == least && abdm_check_is_noted(&c->done, c->entry, profiles[i]))) {
            least = found.errors;
            best = i;
        }
        c->failed = c->failed || found.failed;
        abdm_findings_free(&found);
    }
    c->trial = false;
    c->out = out;
    apply(c, profiles[best]);
}


void
abdm_check_wanted(abdm_check_t *c)
{
    const abdm_shape_t *profiles[CANDIDATES];
    bool any;

    /* The list grows while it is walked: a profile may want more of what it points at. */
    for (size_t k = 0; k < c->wanted.n && !c->failed; k++) {
        enter(c, c->wanted.list[k].entry);
        const char *type = abdm_json_string_at(c->resource, "resourceType");
        size_t n = collect_profiles(c->wanted.list[k].what, type, profiles, &any);
        if (n == 1)
            apply(c, profiles[0]);
        else
            apply_best(c, profiles, n);
    }
}


/* --- the whole document --- */

static size_t
place_of_entry(const abdm_check_t *c, const json_t *entry)
{
    const char *url = abdm_json_string_at(entry, "fullUrl");
    const json_t *place = url == NULL ? NULL : json_object_get(c->by_url, url);

    for (size_t i = 0; place == NULL && i < c->n; i++) {
        if (json_array_get(c->entries, i) == entry)
            return i;
    }
    return (size_t) json_integer_value(place);
}


static bool
points_into(const abdm_check_t *c, size_t i, const bool *reached)
{
    for (int k = c->links.head[i]; k != ABDM_CHECK_NONE; k = c->links.list[k].next) {
        if (reached[place_of_entry(c, c->links.list[k].what)])
            return true;
    }
    return false;
}


void
abdm_check_reach(abdm_check_t *c)
{
    bool *reached = calloc(c->n, sizeof *reached);
    size_t *queue = calloc(c->n, sizeof *queue), queued = 1;

    if (reached == NULL || queue == NULL) {
        c->failed = true;
    } else {
        reached[0] = true;
        for (size_t q = 0; q < queued; q++) {
            for (int k = c->links.head[queue[q]]; k != ABDM_CHECK_NONE; k = c->links.list[k].next) {
                size_t i = place_of_entry(c, c->links.list[k].what);
                if (!reached[i]) {
                    reached[i] = true;
                    queue[queued++] = i;
                }
            }
        }
        for (size_t i = 0; i < c->n; i++) {
            enter(c, i);
            c->path.len -= strlen("/resource");
            if (!reached[i] && c->resource != NULL)
                abdm_check_found(c, points_into(c, i, reached) ? ABDM_F_BACKWARDS : ABDM_F_ORPHAN,
                                 NULL, "nothing leads from the Composition to this %s",
                                 abdm_json_string_at(c->resource, "resourceType") != NULL
                                     ? abdm_json_string_at(c->resource, "resourceType")
                                     : "entry");
        }
    }
    free(reached);
    free(queue);
}


/* --- resources that the table does not have --- */

static void
check_member(abdm_check_t *c, const json_t *value)
{
    const char *z = json_string_value(value);

    if (json_is_null(value) || (z != NULL && *z == '\0') ||
        (json_is_array(value) && json_array_size(value) == 0) ||
        (json_is_object(value) && json_object_size(value) == 0))
        abdm_check_found(c, ABDM_F_EMPTY, NULL, "empty: FHIR leaves it out");
    abdm_check_generic(c, value);
}


void
abdm_check_generic(abdm_check_t *c, const json_t *value)
{
    const char *key;
    json_t *item;
    size_t i;

    if (json_is_object(value) && json_is_string(json_object_get(value, "reference")))
        abdm_check_reference(c, value, "Reference");
    json_object_foreach((json_t *) value, key, item) {
        size_t mark = abdm_check_push(c, key);
        check_member(c, item);
        abdm_check_pop(c, mark);
    }
    json_array_foreach(value, i, item) {
        size_t mark = abdm_check_push_index(c, i);
        check_member(c, item);
        abdm_check_pop(c, mark);
    }
}
