/*
 * A document as a whole: the bundle, its entries one by one, what the references between them want,
 * and that all of it belongs together (FHIR R4, "Documents"; NRCeS DocumentBundle).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "fhir/check_internal.h"
#include "fhir/profile.h"

enum { CHAIN_START = 64, TEXT_MAX = 400 };


/* --- where we are --- */

size_t
abdm_check_push(abdm_check_t *c, const char *member)
{
    size_t mark = c->path.len;

    abdm_buf_add(&c->path, "/", 1);
    for (const char *p = member; *p != '\0'; p++) {
        if (*p == '~')
            abdm_buf_add(&c->path, "~0", 2);
        else if (*p == '/')
            abdm_buf_add(&c->path, "~1", 2);
        else
            abdm_buf_add(&c->path, p, 1);
    }
    return mark;
}


size_t
abdm_check_push_index(abdm_check_t *c, size_t i)
{
    size_t mark = c->path.len;

    abdm_buf_addf(&c->path, "/%zu", i);
    return mark;
}


void
abdm_check_pop(abdm_check_t *c, size_t mark)
{
    c->path.len = mark;
}


const char *
abdm_check_who(const abdm_check_t *c)
{
    return c->shape == NULL ? "FHIR" : c->shape->name;
}


void
abdm_check_found(abdm_check_t *c, abdm_finding_code_t code, const char *member, const char *format,
                 ...)
{
    size_t mark = c->path.len;
    char text[TEXT_MAX];
    va_list args;

    if (member != NULL)
        abdm_check_push(c, member);
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (c->vital && abdm_finding_info(code)->severity == ABDM_FINDING_ERROR)
        code = ABDM_F_VITAL;
    abdm_findings_add(c->out, code, abdm_str_dup(abdm_buf_str(&c->path)),
                      abdm_str_dup(abdm_str(text)));
    abdm_check_pop(c, mark);
}


bool
abdm_check_is_noted(const abdm_check_chain_t *chain, size_t entry, const void *what)
{
    for (int k = chain->head[entry]; k != ABDM_CHECK_NONE; k = chain->list[k].next) {
        if (chain->list[k].what == what)
            return true;
    }
    return false;
}


bool
abdm_check_note(abdm_check_t *c, abdm_check_chain_t *chain, size_t entry, const void *what)
{
    if (abdm_check_is_noted(chain, entry, what))
        return false;
    if (chain->n == chain->cap) {
        size_t cap = chain->cap == 0 ? CHAIN_START : chain->cap * 2;
        abdm_check_item_t *list = realloc(chain->list, cap * sizeof *list);
        if (list == NULL) {
            c->failed = true;
            return false;
        }
        chain->list = list;
        chain->cap = cap;
    }
    chain->list[chain->n] = (abdm_check_item_t){entry, what, chain->head[entry]};
    chain->head[entry] = (int) chain->n++;
    return true;
}


/* --- the bundle itself --- */

static bool
is_at(const json_t *root, const char *path, const char *expected)
{
    const char *z = abdm_json_string_at(root, path);

    return z != NULL && strcmp(z, expected) == 0;
}


static void
check_shell(abdm_check_t *c, const json_t *bundle)
{
    const abdm_shape_t *shape = abdm_shape(ABDM_LIT("Bundle"));

    if (!is_at(bundle, "type", "document"))
        abdm_check_found(c, ABDM_F_DOCUMENT, "type", "the type must be document");
    c->shape = shape;
    abdm_check_object(c, bundle, abdm_shape_rows(shape), shape->common);
    abdm_check_rules(c, bundle, shape->name, "");
    abdm_check_profile(c, bundle, abdm_shape(ABDM_LIT("nrces/DocumentBundle")));
}


/* --- entries --- */

static bool
starts(const char *z, const char *prefix)
{
    return strncmp(z, prefix, strlen(prefix)) == 0;
}


/* scheme ":" something, as RFC 3986 has it. */
static bool
is_absolute(const char *url)
{
    size_t n = strspn(url, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+.-");

    return n > 0 && (url[0] | 0x20) >= 'a' && (url[0] | 0x20) <= 'z' && url[n] == ':' &&
           url[n + 1] != '\0';
}


static bool
is_lower_uuid(const char *z)
{
    static const char form[] = "00000000-0000-0000-0000-000000000000";

    for (size_t i = 0; i < sizeof form - 1; i++) {
        bool digit = (z[i] >= '0' && z[i] <= '9') || (z[i] >= 'a' && z[i] <= 'f');
        if (form[i] == '0' ? !digit : z[i] != '-')
            return false;
    }
    return z[sizeof form - 1] == '\0';
}


/* "https://h/fhir/Patient/2" is of the Patient with the id 2, if it ends in a type at all. */
static bool
ends_in_resource(const char *url, const json_t *resource)
{
    const char *id = strrchr(url, '/'), *type = id;
    char name[64];

    while (type > url && type[-1] != '/')
        type--;
    size_t n = id == NULL ? 0 : (size_t) (id - type);
    if (!starts(url, "http") || n == 0 || n >= sizeof name)
        return true;
    memcpy(name, type, n);
    name[n] = '\0';
    if (!abdm_value_set_has("resource-types", NULL, name))
        return true;
    return is_at(resource, "resourceType", name) && is_at(resource, "id", id + 1);
}


static void
check_full_url(abdm_check_t *c, const char *url, const json_t *resource, size_t i)
{
    if (url == NULL || !is_absolute(url)) {
        abdm_check_found(c, ABDM_F_FULL_URL, "fullUrl", "missing, or not an absolute URI");
    } else if (strlen(url) > ABDM_FHIR_URL_MAX) {
        abdm_check_found(c, ABDM_F_FULL_URL, "fullUrl", "longer than %d bytes", ABDM_FHIR_URL_MAX);
    } else if (starts(url, "urn:uuid:") && !is_lower_uuid(url + strlen("urn:uuid:"))) {
        abdm_check_found(c, ABDM_F_FULL_URL, "fullUrl", "a UUID in lower case expected");
    } else if (strstr(url, "/_history/") != NULL) {
        abdm_check_found(c, ABDM_F_FULL_URL, "fullUrl", "a version has no place in it (bdl-8)");
    } else if (!ends_in_resource(url, resource)) {
        abdm_check_found(c, ABDM_F_FULL_URL_ID, "fullUrl", "its end names another resource");
    }
    if (url != NULL && json_integer_value(json_object_get(c->by_url, url)) != (json_int_t) i)
        abdm_check_found(c, ABDM_F_FULL_URL_TWICE, "fullUrl", "the same as of an entry before");
}


/* The first entry of a URL or an id keeps it. */
static void
keep(abdm_check_t *c, json_t *index, const char *key, size_t i)
{
    if (json_object_get(index, key) == NULL &&
        json_object_set_new(index, key, json_integer((json_int_t) i)) != 0)
        c->failed = true;
}


static void
index_entries(abdm_check_t *c)
{
    const json_t *entry;
    size_t i;

    json_array_foreach(c->entries, i, entry) {
        const char *url = abdm_json_string_at(entry, "fullUrl");
        const char *type = abdm_json_string_at(entry, "resource.resourceType");
        const char *id = abdm_json_string_at(entry, "resource.id");
        if (url != NULL) {
            keep(c, c->by_url, url, i);
            keep(c, c->by_id, url, i);
        }
        if (type == NULL || id == NULL)
            continue;
        abdm_buf_t b = {0};
        abdm_buf_addf(&b, "%s/%s", type, id);
        char *key = abdm_buf_take(&b);
        if (key == NULL)
            c->failed = true;
        else
            keep(c, c->by_id, key, i);
        free(key);
    }
}


static void
check_entry(abdm_check_t *c, size_t i)
{
    const json_t *entry = json_array_get(c->entries, i);

    c->entry = i;
    c->path.len = 0;
    abdm_check_push(c, "entry");
    abdm_check_push_index(c, i);
    c->resource = json_object_get(entry, "resource");
    check_full_url(c, abdm_json_string_at(entry, "fullUrl"), c->resource, i);
    if (!json_is_object(c->resource)) {
        abdm_check_found(c, ABDM_F_NO_RESOURCE, NULL, "a resource expected");
        c->resource = NULL;
        return;
    }
    abdm_check_push(c, "resource");
    abdm_check_resource(c, c->resource);
}


/* --- the Composition --- */

static const abdm_shape_t *
shape_of_document(abdm_hi_type_t type)
{
    char name[64];
    int n = snprintf(name, sizeof name, "nrces/%s", abdm_fhir_profile(type)->profile);

    return abdm_shape((abdm_str_t){name, (size_t) n});
}


static bool
is_of_type(const json_t *composition, const abdm_fhir_profile_t *p)
{
    return p->code != NULL ? is_at(composition, "type.coding.0.code", p->code)
                           : is_at(composition, "type.text", p->display);
}


/* A document must say which of the eight it is. If it does not, its type tells what to hold it
 * against. */
static void
check_claim(abdm_check_t *c)
{
    const json_t *composition = abdm_json_at(c->entries, "0.resource");
    const abdm_shape_t *guess = NULL;

    for (int i = 0; i < ABDM_HI_TYPES; i++) {
        const abdm_shape_t *shape = shape_of_document((abdm_hi_type_t) i);
        if (shape != NULL && abdm_check_is_noted(&c->done, 0, shape))
            return;
        if (is_of_type(composition, abdm_fhir_profile((abdm_hi_type_t) i)))
            guess = shape;
    }
    c->entry = 0;
    c->resource = composition;
    c->path.len = 0;
    abdm_buf_addz(&c->path, "/entry/0/resource");
    size_t mark = abdm_check_push(c, "meta");
    abdm_check_found(c, ABDM_F_PROFILE, "profile", "%s expected",
                     guess == NULL ? "one of the eight of NRCeS" : guess->name);
    abdm_check_pop(c, mark);
    if (guess != NULL && abdm_check_note(c, &c->done, 0, guess))
        abdm_check_profile(c, composition, guess);
}


static void
check_entries(abdm_check_t *c)
{
    for (size_t i = 0; i < c->n && !c->failed; i++)
        check_entry(c, i);
    if (is_at(c->entries, "0.resource.resourceType", "Composition")) {
        check_claim(c);
    } else {
        c->path.len = 0;
        abdm_buf_addz(&c->path, "/entry/0");
        abdm_check_found(c, ABDM_F_COMPOSITION_FIRST, NULL, "a Composition expected (bdl-11)");
    }
    abdm_check_wanted(c);
    abdm_check_reach(c);
}


static bool
new_chain(abdm_check_chain_t *chain, size_t n)
{
    chain->head = malloc((n + 1) * sizeof *chain->head);
    if (chain->head == NULL)
        return false;
    for (size_t i = 0; i <= n; i++)
        chain->head[i] = ABDM_CHECK_NONE;
    return true;
}


static void
free_chain(abdm_check_chain_t *chain)
{
    free(chain->list);
    free(chain->head);
}


static void
check_bundle(abdm_check_t *c, const json_t *bundle)
{
    c->entry = c->n;
    if (!is_at(bundle, "resourceType", "Bundle")) {
        abdm_check_found(c, ABDM_F_DOCUMENT, NULL, "no Bundle");
    } else if (c->n == 0 || c->n > ABDM_FHIR_ENTRIES_MAX) {
        abdm_check_found(c, ABDM_F_NO_ENTRIES, "entry", "none, or more than %d",
                         ABDM_FHIR_ENTRIES_MAX);
    } else {
        index_entries(c);
        check_shell(c, bundle);
        check_entries(c);
    }
}


abdm_err_t
abdm_fhir_check_bundle(const json_t *bundle, abdm_findings_t *out)
{
    const json_t *entries = json_object_get(bundle, "entry");
    abdm_check_t c = {.entries = entries, .n = json_array_size(entries), .out = out};

    c.by_url = json_object();
    c.by_id = json_object();
    if (c.by_url != NULL && c.by_id != NULL && new_chain(&c.links, c.n) &&
        new_chain(&c.wanted, c.n) && new_chain(&c.done, c.n))
        check_bundle(&c, bundle);
    else
        c.failed = true;
    bool failed = c.failed || c.path.failed || out->failed;
    json_decref(c.by_url);
    json_decref(c.by_id);
    free_chain(&c.links);
    free_chain(&c.wanted);
    free_chain(&c.done);
    abdm_buf_free(&c.path);
    return failed ? ABDM_ERR(MEMORY, "bundle") : ABDM_NO_ERR;
}


abdm_err_t
abdm_fhir_check_bytes(const char *json, size_t len, abdm_findings_t *out)
{
    json_t *bundle;
    abdm_err_t err = abdm_json_parse(json, len, ABDM_JSON_DEPTH_FHIR, &bundle);

    if (err.code == ABDM_E_MEMORY)
        return err;
    if (abdm_failed(err)) {
        abdm_findings_add(out, ABDM_F_JSON, abdm_str_dup(abdm_str("")),
                          abdm_str_dup(abdm_str(err.what)));
        return out->failed ? ABDM_ERR(MEMORY, "bundle") : ABDM_NO_ERR;
    }
    err = abdm_fhir_check_bundle(bundle, out);
    json_decref(bundle);
    return err;
}
