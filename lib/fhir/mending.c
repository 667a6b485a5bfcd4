/*
 * Mending a document bundle: what holds it together and says what it is (FHIR R4, "Documents";
 * NRCeS DocumentBundle) is put right; clinical content stays. Every entry gets a urn:uuid of its
 * own, made of the record's name space and the name it had, so that the same bundle is mended to
 * the same document.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "fhir/build.h"
#include "fhir/check.h"
#include "fhir/normalize.h"

/* FHIR's ids have 64 characters, the names of its types fewer. */
enum { KEY_MAX = 160 };


abdm_err_t
abdm_mend_open(const abdm_document_about_t *about, json_t *bundle, abdm_mend_t *m)
{
    char space[ABDM_UUID_TEXT];

    *m = (abdm_mend_t){.about = about, .bundle = bundle};
    ABDM_TRY(abdm_record_space(about, space));
    ABDM_TRY(abdm_uuid_maker_new(space, &m->maker));
    m->by_url = json_object();
    m->loose = json_object();
    m->places = json_object();
    m->failed = m->by_url == NULL || m->loose == NULL || m->places == NULL;
    return ABDM_NO_ERR;
}


void
abdm_mend_close(abdm_mend_t *m)
{
    json_decref(m->by_url);
    json_decref(m->loose);
    json_decref(m->places);
    abdm_uuid_maker_free(m->maker);
    m->by_url = m->loose = m->places = NULL;
    m->maker = NULL;
}


void
abdm_mend_set(abdm_mend_t *m, json_t *object, const char *name, json_t *value)
{
    if (json_object_set_new(object, name, value) != 0)
        m->failed = true;
}


static bool
is_type(const json_t *resource, const char *type)
{
    const char *z = abdm_json_string_at(resource, "resourceType");

    return z != NULL && strcmp(z, type) == 0;
}


static json_t *
resource_of(const json_t *bundle, size_t i)
{
    return json_object_get(json_array_get(json_object_get(bundle, "entry"), i), "resource");
}


/* The object under a member, made when it is absent. */
static json_t *
object_at(abdm_mend_t *m, json_t *in, const char *name)
{
    if (!json_is_object(json_object_get(in, name)))
        abdm_mend_set(m, in, name, json_object());
    return json_object_get(in, name);
}


static void
claim_profile(abdm_mend_t *m, json_t *resource, const char *name)
{
    char url[256];
    json_t *meta = object_at(m, resource, "meta"), *list, *item;
    size_t i;

    snprintf(url, sizeof url, ABDM_FHIR_NRCES "%s", name);
    if (!json_is_array(json_object_get(meta, "profile")))
        abdm_mend_set(m, meta, "profile", json_array());
    list = json_object_get(meta, "profile");
    json_array_foreach(list, i, item) {
        const char *z = json_string_value(item);
        if (z != NULL && strncmp(z, url, strlen(url)) == 0)
            return;
    }
    m->failed |= json_array_append_new(list, json_string(url)) != 0;
}


/* --- what says nothing --- */

static bool
is_empty(const json_t *v)
{
    return json_is_null(v) || (json_is_string(v) && json_string_length(v) == 0) ||
           (json_is_object(v) && json_object_size(v) == 0) ||
           (json_is_array(v) && json_array_size(v) == 0);
}


/* Empty members, inside out. In lists a null has its place: it stands for a value that only has
 * extensions. The depth is bounded by the parser. */
static void
drop_empty(json_t *value)
{
    const char *key;
    json_t *item;
    void *next;
    size_t i;

    json_array_foreach(value, i, item)
        drop_empty(item);
    json_object_foreach_safe(value, next, key, item) {
        drop_empty(item);
        if (is_empty(item))
            json_object_del(value, key);
    }
}


/* --- the bundle itself --- */

/* The only Composition comes first. */
static void
composition_first(abdm_mend_t *m)
{
    json_t *entries = json_object_get(m->bundle, "entry");
    size_t n = json_array_size(entries), at = n, count = 0;

    for (size_t i = n; i-- > 0;) {
        if (is_type(resource_of(m->bundle, i), "Composition")) {
            at = i;
            count++;
        }
    }
    if (count != 1 || at == 0)
        return;
    json_t *entry = json_incref(json_array_get(entries, at));
    json_array_remove(entries, at);
    m->failed |= json_array_insert_new(entries, 0, entry) != 0;
}


static void
mend_shell(abdm_mend_t *m)
{
    static const char *const of_others[] = {"total", "link"};
    const char *date = abdm_json_string_at(resource_of(m->bundle, 0), "date");
    const char *stamp = abdm_json_string_at(m->bundle, "timestamp");
    char urn[ABDM_FHIR_URN] = "urn:uuid:", text[ABDM_FHIR_DATE];
    json_t *meta = object_at(m, m->bundle, "meta");

    abdm_mend_set(m, m->bundle, "type", json_string("document"));
    claim_profile(m, m->bundle, "DocumentBundle");
    if (abdm_json_string_at(meta, "versionId") == NULL)
        abdm_mend_set(m, meta, "versionId", json_string("1"));
    if (abdm_json_string_at(m->bundle, "identifier.system") == NULL ||
        abdm_json_string_at(m->bundle, "identifier.value") == NULL) {
        m->failed |= abdm_failed(
            abdm_uuid_make(m->maker, ABDM_LIT("Bundle/0"), urn + strlen("urn:uuid:")));
        abdm_mend_set(m, m->bundle, "identifier",
                      json_pack("{s:s, s:s}", "system", ABDM_FHIR_URI_SYSTEM, "value", urn));
    }
    if ((stamp != NULL && abdm_fhir_date(stamp, ABDM_FHIR_INSTANT, ABDM_TIME_ZONE, text)) ||
        (date != NULL && abdm_fhir_date(date, ABDM_FHIR_INSTANT, ABDM_TIME_ZONE, text))) {
        if (stamp == NULL || strcmp(stamp, text) != 0)
            abdm_mend_set(m, m->bundle, "timestamp", json_string(text));
    }
    for (size_t i = 0; i < sizeof of_others / sizeof *of_others; i++)
        json_object_del(m->bundle, of_others[i]);
}


/* --- names of entries, and references --- */

static bool
is_http(const char *url)
{
    return strncmp(url, "http://", 7) == 0 || strncmp(url, "https://", 8) == 0;
}


/* A name that two entries have means neither. */
static void
name_entry(abdm_mend_t *m, json_t *index, const char *name, const char *urn)
{
    const json_t *before = json_object_get(index, name);

    if (before != NULL && json_is_string(before) && strcmp(json_string_value(before), urn) == 0)
        return;
    abdm_mend_set(m, index, name, before == NULL ? json_string(urn) : json_null());
}


static void
index_entry(abdm_mend_t *m, json_t *entry, size_t i)
{
    static const char *const of_servers[] = {"search", "request", "response", "link"};
    const json_t *resource = json_object_get(entry, "resource");
    const char *url = abdm_json_string_at(entry, "fullUrl");
    const char *type = abdm_json_string_at(resource, "resourceType");
    const char *id = abdm_json_string_at(resource, "id");
    char urn[ABDM_FHIR_URN] = "urn:uuid:", key[2 * KEY_MAX] = "", number[32];

    if (type != NULL && id != NULL && strlen(type) + strlen(id) < KEY_MAX - 16)
        snprintf(key, sizeof key, "%s/%s", type, id);
    snprintf(number, sizeof number, "entry/%zu", i);
    if (url != NULL && strlen(url) > ABDM_FHIR_URL_MAX)
        url = NULL;
    const char *name = url != NULL ? url : key[0] != '\0' ? key : number;
    bool twice = json_object_get(m->by_url, name) != NULL;
    if (abdm_failed(abdm_uuid_make(m->maker, abdm_str(twice ? number : name),
                                   urn + strlen("urn:uuid:"))))
        m->failed = true;
    name_entry(m, m->by_url, name, urn);
    if (key[0] != '\0' && name != key)
        name_entry(m, m->by_url, key, urn);
    if (key[0] != '\0' && (url == NULL || !is_http(url)))
        name_entry(m, m->loose, key, urn);
    if (id != NULL && strlen(id) < KEY_MAX - 16) {
        snprintf(key, sizeof key, "urn:uuid:%s", id);
        if (url == NULL || strcmp(url, key) != 0)
            name_entry(m, m->by_url, key, urn);
    }
    abdm_mend_set(m, entry, "fullUrl", json_string(urn));
    for (size_t k = 0; k < sizeof of_servers / sizeof *of_servers; k++)
        json_object_del(entry, of_servers[k]);
}


/* The last two segments of a URL, or NULL: "Patient/2" of "https://h/fhir/Patient/2". */
static const char *
type_and_id(const char *url)
{
    const char *p = url + strlen(url);
    int slashes = 0;

    while (p > url && slashes < 2)
        slashes += *--p == '/';
    return slashes == 2 ? p + 1 : NULL;
}


/* The new name of what a reference leads to, or NULL. `base` is the old fullUrl of where it
 * stands. */
static const char *
find_target(const abdm_mend_t *m, const char *reference, const char *base)
{
    char plain[ABDM_FHIR_URL_MAX + KEY_MAX];
    const char *version = strstr(reference, "/_history/"), *tail;
    size_t len = version == NULL ? strlen(reference) : (size_t) (version - reference);
    const json_t *found = NULL;

    if (reference[0] == '#' || len >= ABDM_FHIR_URL_MAX)
        return NULL;
    if (base != NULL && strchr(reference, ':') == NULL && (tail = type_and_id(base)) != NULL &&
        is_http(base)) {
        snprintf(plain, sizeof plain, "%.*s%.*s", (int) (tail - base), base, (int) len, reference);
        found = json_object_get(m->by_url, plain);
    }
    snprintf(plain, sizeof plain, "%.*s", (int) len, reference);
    if (!json_is_string(found))
        found = json_object_get(m->by_url, plain);
    if (found == NULL && is_http(plain) && (tail = type_and_id(plain)) != NULL)
        found = json_object_get(m->loose, tail);
    return json_string_value(found);
}


static void
mend_references(abdm_mend_t *m, json_t *value, const char *base)
{
    const char *z = json_string_value(json_object_get(value, "reference")), *key, *urn;
    json_t *item;
    size_t i;

    if (z != NULL && (urn = find_target(m, z, base)) != NULL && strcmp(z, urn) != 0)
        abdm_mend_set(m, value, "reference", json_string(urn));
    json_object_foreach(value, key, item)
        mend_references(m, item, base);
    json_array_foreach(value, i, item)
        mend_references(m, item, base);
}


/* Whether the checker finds fault with any name; else none is changed. */
static bool
names_conform(const abdm_findings_t *found)
{
    static const abdm_finding_code_t of_names[] = {
        ABDM_F_FULL_URL, ABDM_F_FULL_URL_TWICE, ABDM_F_FULL_URL_ID, ABDM_F_REFERENCE,
        ABDM_F_REFERENCE_RELATIVE, ABDM_F_REFERENCE_OUTSIDE,
    };

    for (size_t i = 0; i < found->n; i++) {
        for (size_t k = 0; k < sizeof of_names / sizeof *of_names; k++) {
            if (found->list[i].code == of_names[k])
                return false;
        }
    }
    return true;
}


/* Old names are kept aside, since relative references are below the one where they stand. */
static void
mend_names(abdm_mend_t *m)
{
    json_t *entries = json_object_get(m->bundle, "entry"), *entry, *old = json_array();
    size_t i;

    json_array_foreach(entries, i, entry) {
        json_t *url = json_object_get(entry, "fullUrl");
        bool usable = json_string_length(url) > 0 && json_string_length(url) <= ABDM_FHIR_URL_MAX;
        m->failed |= json_array_append_new(old, usable ? json_incref(url) : json_null()) != 0;
        index_entry(m, entry, i);
    }
    json_array_foreach(entries, i, entry) {
        mend_references(m, json_object_get(entry, "resource"),
                        json_string_value(json_array_get(old, i)));
    }
    json_decref(old);
}


/* The entry of a fullUrl, by the index made of them all. */
static void
index_places(abdm_mend_t *m)
{
    json_t *entry;
    size_t i;

    json_object_clear(m->places);
    json_array_foreach(json_object_get(m->bundle, "entry"), i, entry) {
        const char *url = abdm_json_string_at(entry, "fullUrl");
        if (url != NULL)
            abdm_mend_set(m, m->places, url, json_integer((json_int_t) i));
    }
}


static json_t *
target_of(const abdm_mend_t *m, const char *reference)
{
    const json_t *place = reference == NULL ? NULL : json_object_get(m->places, reference);

    return place == NULL ? NULL : resource_of(m->bundle, (size_t) json_integer_value(place));
}


/* --- medicines that stand in a resource of their own --- */

/* The Medication that a reference leads to, when its code is all that it says. */
static const json_t *
medication_of(const abdm_mend_t *m, const json_t *request)
{
    static const char *const said[] = {"resourceType", "id", "meta", "language", "text",
                                       "status", "code", "identifier"};
    const char *z = abdm_json_string_at(request, "medicationReference.reference"), *key;
    const json_t *item, *found = target_of(m, z);
    json_t *value;
    size_t i;

    if (z == NULL)
        return NULL;
    json_array_foreach(json_object_get(request, "contained"), i, item) {
        const char *id = abdm_json_string_at(item, "id");
        if (z[0] == '#' && id != NULL && strcmp(id, z + 1) == 0)
            found = item;
    }
    if (!is_type(found, "Medication") || !json_is_object(json_object_get(found, "code")))
        return NULL;
    json_object_foreach((json_t *) found, key, value) {
        for (i = 0; i < sizeof said / sizeof *said && strcmp(key, said[i]) != 0; i++)
            continue;
        if (i == sizeof said / sizeof *said)
            return NULL;
    }
    return found;
}


static void
drop_contained(json_t *resource, const json_t *item)
{
    json_t *list = json_object_get(resource, "contained");

    for (size_t i = json_array_size(list); i-- > 0;) {
        if (json_array_get(list, i) == item)
            json_array_remove(list, i);
    }
    if (json_array_size(list) == 0)
        json_object_del(resource, "contained");
}


static void
inline_medicines(abdm_mend_t *m)
{
    for (size_t i = 0; i < json_array_size(json_object_get(m->bundle, "entry")); i++) {
        json_t *r = resource_of(m->bundle, i);
        if (!is_type(r, "MedicationRequest") && !is_type(r, "MedicationStatement"))
            continue;
        const json_t *medication = medication_of(m, r);
        if (medication == NULL)
            continue;
        abdm_mend_set(m, r, "medicationCodeableConcept",
                      json_deep_copy(json_object_get(medication, "code")));
        json_object_del(r, "medicationReference");
        drop_contained(r, medication);
    }
}


/* --- sections --- */

static void
type_entries(abdm_mend_t *m, json_t *sections)
{
    json_t *section, *entry;
    size_t i, k;

    json_array_foreach(sections, i, section) {
        type_entries(m, json_object_get(section, "section"));
        json_array_foreach(json_object_get(section, "entry"), k, entry) {
            const json_t *target = target_of(m, abdm_json_string_at(entry, "reference"));
            const char *type = abdm_json_string_at(target, "resourceType");
            const char *said = abdm_json_string_at(entry, "type");
            if (type != NULL && (said == NULL || strcmp(said, type) != 0))
                abdm_mend_set(m, entry, "type", json_string(type));
        }
    }
}


/* The claim is added only where the type of the document says the same. */
static void
claim_type(abdm_mend_t *m)
{
    json_t *composition = resource_of(m->bundle, 0);
    abdm_hi_type_t type;

    if (abdm_document_type(composition, &type) && type == m->about->hi_type)
        claim_profile(m, composition, abdm_fhir_profile(type)->profile);
}


/* --- what nothing leads to --- */

bool
abdm_mend_orphans(abdm_mend_t *m, const abdm_findings_t *found)
{
    json_t *entries = json_object_get(m->bundle, "entry");
    bool any = false;

    for (size_t i = found->n; i-- > 0;) { /* they come in the order of entries */
        unsigned long at;
        if (found->list[i].code == ABDM_F_ORPHAN &&
            sscanf(found->list[i].pointer, "/entry/%lu", &at) == 1 && at > 0)
            any |= json_array_remove(entries, at) == 0;
    }
    return any;
}


void
abdm_mend(abdm_mend_t *m, const abdm_findings_t *found)
{
    json_t *entries;

    drop_empty(m->bundle);
    entries = json_object_get(m->bundle, "entry");
    if (!json_is_array(entries) || json_array_size(entries) == 0 ||
        json_array_size(entries) > ABDM_FHIR_ENTRIES_MAX)
        return;
    composition_first(m);
    if (!is_type(resource_of(m->bundle, 0), "Composition"))
        return;
    mend_shell(m);
    if (found == NULL || !names_conform(found))
        mend_names(m);
    index_places(m);
    inline_medicines(m);
    type_entries(m, json_object_get(resource_of(m->bundle, 0), "section"));
    claim_type(m);
}


/* --- codings --- */

/* The value at a JSON Pointer of the checker, whose members have no escapes. */
static json_t *
at_pointer(json_t *root, const char *pointer, size_t len)
{
    char segment[KEY_MAX];
    const char *end = pointer + len;

    while (root != NULL && pointer < end && *pointer == '/') {
        size_t n = strcspn(++pointer, "/");
        if (n > (size_t) (end - pointer))
            n = (size_t) (end - pointer);
        if (n == 0 || n >= sizeof segment)
            return NULL;
        snprintf(segment, sizeof segment, "%.*s", (int) n, pointer);
        root = json_is_array(root) ? json_array_get(root, strtoul(segment, NULL, 10))
                                   : json_object_get(root, segment);
        pointer += n;
    }
    return root;
}


/* The words of a coding stay: as the concept's text, or behind it when they are others. */
static void
put_in_words(abdm_mend_t *m, json_t *concept, const json_t *coding)
{
    const char *display = abdm_json_string_at(coding, "display");
    const char *code = abdm_json_string_at(coding, "code");
    const char *text = abdm_json_string_at(concept, "text");
    const char *words = display != NULL ? display : code;
    abdm_buf_t all = {0};

    if (words == NULL || (text != NULL && strstr(text, words) != NULL))
        return;
    abdm_buf_addf(&all, text == NULL ? "%s" : "%s (%s)", text == NULL ? words : text, words);
    abdm_mend_set(m, concept, "text", all.failed ? NULL : json_stringn(all.p, all.len));
    abdm_buf_wipe_free(&all);
}


static void
drop_nulls(json_t *concept)
{
    json_t *list = json_object_get(concept, "coding");

    for (size_t i = json_array_size(list); i-- > 0;) {
        if (json_is_null(json_array_get(list, i)))
            json_array_remove(list, i);
    }
    if (json_is_array(list) && json_array_size(list) == 0)
        json_object_del(concept, "coding");
}


/* The concept that a finding about one of its codings is in, or NULL. The codes of the Composition
 * and its sections are the profile's own. */
static json_t *
concept_of(const abdm_mend_t *m, const abdm_finding_t *f, size_t *index)
{
    const char *at = strstr(f->pointer, "/coding/");

    *index = 0;
    if (f->code != ABDM_F_CODE_SYSTEM || at == NULL || strncmp(f->pointer, "/entry/0/", 9) == 0)
        return NULL;
    *index = strtoul(at + strlen("/coding/"), NULL, 10);
    return at_pointer(m->bundle, f->pointer, (size_t) (at - f->pointer));
}


/* In two walks, since the findings name places and may name one twice. */
bool
abdm_mend_codings(abdm_mend_t *m, const abdm_findings_t *found)
{
    bool any = false;
    size_t index;

    for (size_t i = 0; i < found->n; i++) {
        json_t *concept = concept_of(m, &found->list[i], &index);
        json_t *list = json_object_get(concept, "coding");
        if (!json_is_object(json_array_get(list, index)))
            continue;
        put_in_words(m, concept, json_array_get(list, index));
        m->failed |= json_array_set_new(list, index, json_null()) != 0;
        any = true;
    }
    for (size_t i = 0; any && i < found->n; i++)
        drop_nulls(concept_of(m, &found->list[i], &index));
    return any;
}
