/*
 * Resources without a document: a searchset, a collection, a list or one resource. The builder
 * makes an empty document of the record (Composition, patient, encounter, hospital, authors, ids),
 * and the resources take their places in it: who and where is given replaces what was made,
 * clinical resources go into the first section of the profile (profile.c) that may point at their
 * type, and what no section and no reference wants stays behind.
 */
#include <stdio.h>
#include <string.h>

#include "core/json.h"
#include "fhir/build.h"
#include "fhir/check_table.h"
#include "fhir/normalize.h"

typedef struct {
    const abdm_document_about_t *about;
    const abdm_fhir_profile_t *profile;
    json_t *bundle;      /* owned until it is given out */
    json_t *entries;     /* of the bundle */
    json_t *composition;
    json_t *sections;    /* one list of references for each section of the profile; owned */
    bool failed;
} wrap_t;


static bool
is_type(const json_t *resource, const char *type)
{
    const char *z = abdm_json_string_at(resource, "resourceType");

    return z != NULL && strcmp(z, type) == 0;
}


static void
set(wrap_t *w, json_t *object, const char *name, json_t *value)
{
    if (json_object_set_new(object, name, value) != 0)
        w->failed = true;
}


static void
append(wrap_t *w, json_t *list, json_t *value)
{
    if (json_array_append_new(list, value) != 0)
        w->failed = true;
}


/* --- the empty document --- */

/* Of the record what is about the document, and a file in place of the content. */
static json_t *
frame_record(const abdm_document_about_t *about)
{
    static const char *const kept[] = {
        "id", "authoredOn", "visitDate", "date", "title", "status", "patient", "practitioners",
        "practitioner",
        "organisation", "organization", "encounter", "admissionDate", "dischargeDate",
    };
    const char *url = abdm_json_string_at(about->record, "bundle.url");
    json_t *record = json_object();
    int bad = 0;

    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        json_t *value = json_object_get(about->record, kept[i]);
        if (value != NULL)
            bad |= json_object_set(record, kept[i], value);
    }
    if (json_object_get(record, "id") == NULL && url != NULL)
        bad |= json_object_set_new(record, "id", json_string(url));
    if (about->hi_type == ABDM_HI_INVOICE)
        bad |= json_object_update_new(
            record, json_pack("{s:s, s:s, s:s, s:[{s:s, s:s, s:s}]}", "invoiceNumber", "-",
                              "totalNet", "0", "totalGross", "0", "items", "description", "-",
                              "quantity", "1", "rate", "0"));
    else
        bad |= json_object_set_new(record, "document",
                                   json_pack("{s:s, s:s}", "contentType", "text/plain", "data",
                                             "Lg=="));
    if (bad != 0) {
        json_decref(record);
        return NULL;
    }
    return record;
}


static abdm_err_t
make_frame(wrap_t *w)
{
    abdm_document_about_t about = *w->about;
    json_t *record = frame_record(w->about);
    abdm_source_t *source;
    abdm_buf_t text = {0};
    abdm_err_t err;

    if (record == NULL)
        return ABDM_ERR(MEMORY, "frame of a document");
    about.record = record;
    err = abdm_document_build(&about, 0, NULL, &source);
    json_decref(record);
    ABDM_TRY(err);
    err = abdm_source_read_all(source, 1 << 20, &text);
    abdm_source_close(source);
    if (!abdm_failed(err))
        err = abdm_json_parse(text.p, text.len, ABDM_JSON_DEPTH_FHIR, &w->bundle);
    abdm_buf_wipe_free(&text);
    ABDM_TRY(err);
    w->entries = json_object_get(w->bundle, "entry");
    w->composition = abdm_json_at(w->bundle, "entry.0.resource");
    set(w, w->composition, "section", json_array());
    return ABDM_NO_ERR;
}


/* Only who and where stays of what the builder made. */
static void
drop_content(wrap_t *w)
{
    static const char *const kept[] = {"Composition", "Patient", "Encounter", "Organization",
                                       "Practitioner"};

    for (size_t i = json_array_size(w->entries); i-- > 0;) {
        const json_t *resource = json_object_get(json_array_get(w->entries, i), "resource");
        size_t k = 0;
        while (k < sizeof kept / sizeof *kept && !is_type(resource, kept[k]))
            k++;
        if (k == sizeof kept / sizeof *kept)
            json_array_remove(w->entries, i);
    }
}


/* --- who and where --- */

static json_t *
first_of(const json_t *entries, const char *type)
{
    json_t *entry;
    size_t i;

    json_array_foreach(entries, i, entry) {
        if (is_type(json_object_get(entry, "resource"), type))
            return entry;
    }
    return NULL;
}


/* The name that an entry has: what references to it say. */
static const char *
name_of(const json_t *entry)
{
    return abdm_json_string_at(entry, "fullUrl");
}


static void
rename_references(wrap_t *w, json_t *value, const char *from, const char *to)
{
    const char *z = json_string_value(json_object_get(value, "reference")), *key;
    json_t *item;
    size_t i;

    if (z != NULL && strcmp(z, from) == 0)
        set(w, value, "reference", json_string(to));
    json_object_foreach(value, key, item)
        rename_references(w, item, from, to);
    json_array_foreach(value, i, item)
        rename_references(w, item, from, to);
}


/* The given one stands in for the one that was made, which few refer to: the frame is small. */
static void
replace_made(wrap_t *w, const json_t *given, const char *type)
{
    json_t *ours = first_of(w->entries, type), *theirs = first_of(given, type), *entry;
    size_t i;

    if (ours == NULL || theirs == NULL)
        return;
    rename_references(w, w->entries, name_of(ours), name_of(theirs));
    json_array_foreach(w->entries, i, entry) {
        if (entry == ours) {
            json_array_remove(w->entries, i);
            return;
        }
    }
}


/* Authors are those of the record; without any the practitioner that came with the resources. */
static void
choose_author(wrap_t *w, const json_t *given)
{
    const json_t *practitioner = first_of(given, "Practitioner");

    if (practitioner == NULL || first_of(w->entries, "Practitioner") != NULL)
        return;
    set(w, w->composition, "author",
        json_pack("[{s:s}]", "reference", name_of(practitioner)));
}


/* --- sections --- */

static bool
has_category(const json_t *resource, const char *word)
{
    const json_t *list = json_object_get(resource, "category"), *category, *coding;
    size_t i, k;

    json_array_foreach(list, i, category) {
        const char *text = abdm_json_string_at(category, "text");
        if (text != NULL && strcasestr(text, word) != NULL)
            return true;
        json_array_foreach(json_object_get(category, "coding"), k, coding) {
            const char *code = abdm_json_string_at(coding, "code");
            const char *display = abdm_json_string_at(coding, "display");
            if ((code != NULL && strcasecmp(code, word) == 0) ||
                (display != NULL && strcasestr(display, word) != NULL))
                return true;
        }
    }
    return false;
}


static bool
has_loinc(const json_t *resource, const char *const codes[])
{
    const json_t *coding;
    size_t i;

    json_array_foreach(abdm_json_at(resource, "code.coding"), i, coding) {
        const char *code = abdm_json_string_at(coding, "code");
        const char *system = abdm_json_string_at(coding, "system");
        for (size_t k = 0; codes[k] != NULL; k++) {
            if (code != NULL && system != NULL && strcmp(system, ABDM_FHIR_LOINC) == 0 &&
                strcmp(code, codes[k]) == 0)
                return true;
        }
    }
    return false;
}


/* Where several sections may hold the type: by a word that the resource's category has. */
static const struct {
    const char *type;
    const char *word;
    const char *title;
} by_category[] = {
    {"Condition", "problem-list-item", "Medical history"},
    {"ServiceRequest", "referral", "Referral"},
    {"ServiceRequest", "306206005", "Referral"},
    {"Observation", "vital-signs", "Physical examination"},
    {"Observation", "exam", "Physical examination"},
    {"Observation", "vital-signs", "Vital Signs"},
    {"Observation", "activity", "Physical Activity"},
    {"Observation", "social-history", "Lifestyle"},
};


/* Height, weight, body mass index, waist. */
static const char *const of_the_body[] = {"8302-2", "29463-7", "39156-5", "8280-0", NULL};


static bool
may_hold(const abdm_fhir_section_t *section, const char *type)
{
    for (int k = 0; k < ABDM_FHIR_ENTRY_TYPES && section->types[k] != NULL; k++) {
        if (strcmp(section->types[k], type) == 0)
            return true;
    }
    return false;
}


/* -1: none. Observations that no word places are "other". */
static int
section_of(const wrap_t *w, const json_t *resource)
{
    const abdm_fhir_section_t *s = w->profile->sections;
    const char *type = abdm_json_string_at(resource, "resourceType");
    int first = -1, last = -1;

    for (int i = 0; i < ABDM_FHIR_SECTIONS && s[i].title != NULL; i++) {
        if (!may_hold(&s[i], type))
            continue;
        if (strcmp(s[i].title, "Body Measurement") == 0 && has_loinc(resource, of_the_body))
            return i;
        first = first < 0 ? i : first;
        last = i;
    }
    for (size_t k = 0; k < sizeof by_category / sizeof *by_category; k++) {
        if (strcmp(by_category[k].type, type) != 0 || !has_category(resource, by_category[k].word))
            continue;
        for (int i = 0; i < ABDM_FHIR_SECTIONS && s[i].title != NULL; i++) {
            if (strcmp(s[i].title, by_category[k].title) == 0 && may_hold(&s[i], type))
                return i;
        }
    }
    if (strcmp(type, "Observation") == 0)
        return last == first && w->about->hi_type == ABDM_HI_DISCHARGE_SUMMARY ? -1 : last;
    return first;
}


/* What a report has as its results is shown with it. */
static void
collect_parts(wrap_t *w, const json_t *given, json_t *parts)
{
    static const char *const lists[] = {"result", "hasMember", "derivedFrom"};
    const json_t *entry, *item;
    size_t i, k, n;

    json_array_foreach(given, i, entry) {
        for (n = 0; n < sizeof lists / sizeof *lists; n++) {
            const json_t *resource = json_object_get(entry, "resource");
            json_array_foreach(json_object_get(resource, lists[n]), k, item) {
                const char *z = abdm_json_string_at(item, "reference");
                if (z != NULL)
                    set(w, parts, z, json_true());
            }
        }
    }
}


static bool
is_part(const json_t *parts, const json_t *entry)
{
    const char *type = abdm_json_string_at(entry, "resource.resourceType");
    const char *id = abdm_json_string_at(entry, "resource.id");
    char key[160];

    if (json_object_get(parts, name_of(entry)) != NULL)
        return true;
    if (type == NULL || id == NULL
        || snprintf(key, sizeof key, "%s/%s", type, id) >= (int) sizeof key)
        return false;
    return json_object_get(parts, key) != NULL;
}


static void
fill_sections(wrap_t *w, const json_t *given)
{
    json_t *parts = json_object(), *entry;
    size_t i;

    collect_parts(w, given, parts);
    json_array_foreach(given, i, entry) {
        const json_t *resource = json_object_get(entry, "resource");
        int place = is_type(resource, "Observation") && is_part(parts, entry)
                        ? -1 : section_of(w, resource);
        if (place >= 0)
            append(w, json_array_get(w->sections, (size_t) place),
                   json_pack("{s:s}", "reference", name_of(entry)));
    }
    json_decref(parts);
}


static void
put_sections(wrap_t *w)
{
    const abdm_fhir_section_t *s = w->profile->sections;
    json_t *list = json_object_get(w->composition, "section");

    for (int i = 0; i < ABDM_FHIR_SECTIONS && s[i].title != NULL; i++) {
        json_t *entries = json_array_get(w->sections, (size_t) i);
        if (json_array_size(entries) == 0)
            continue;
        json_t *section = json_pack("{s:s, s:O}", "title", s[i].title, "entry", entries);
        if (s[i].code != NULL)
            set(w, section, "code",
                json_pack("{s:[{s:s, s:s, s:s}], s:s}", "coding", "system", ABDM_FHIR_SNOMED,
                          "code", s[i].code, "display", s[i].display, "text", s[i].display));
        append(w, list, section);
    }
}


/* --- what is mandatory and administrative in a resource --- */

static void
complete(wrap_t *w, json_t *resource)
{
    const char *type = abdm_json_string_at(resource, "resourceType");
    const char *date = abdm_json_string_at(w->composition, "date");
    json_t *author = abdm_json_at(w->composition, "author.0");
    json_t *hospital = json_object_get(w->composition, "custodian");
    bool order = is_type(resource, "MedicationRequest");
    char name[80];

    if ((order || is_type(resource, "ServiceRequest")) &&
        json_object_get(resource, "requester") == NULL)
        set(w, resource, "requester", json_deep_copy(author));
    if (order && json_object_get(resource, "authoredOn") == NULL)
        set(w, resource, "authoredOn", json_string(date));
    if (is_type(resource, "DiagnosticReport") &&
        json_object_get(resource, "resultsInterpreter") == NULL)
        set(w, resource, "resultsInterpreter", json_pack("[o]", json_deep_copy(hospital)));
    if (snprintf(name, sizeof name, "nrces/%s", type) < (int) sizeof name &&
        json_object_get(resource, "meta") == NULL && abdm_shape(abdm_str(name)) != NULL)
        set(w, resource, "meta",
            json_pack("{s:[s+]}", "profile", ABDM_FHIR_NRCES, name + strlen("nrces/")));
}


/* --- what was given --- */

/* {fullUrl, resource} of each resource; the resources are copied, since they are changed. A
 * server's own remarks on the search are no part of the record. */
static void
add_given(wrap_t *w, json_t *list, const json_t *entry, const json_t *resource)
{
    const char *type = abdm_json_string_at(resource, "resourceType");
    const char *id = abdm_json_string_at(resource, "id"), *url = name_of(entry);
    abdm_buf_t name = {0};

    if (type == NULL || strcmp(type, "OperationOutcome") == 0)
        return;
    if (url != NULL)
        abdm_buf_addz(&name, url);
    else if (id != NULL)
        abdm_buf_addf(&name, "%s/%s", type, id);
    else
        abdm_buf_addf(&name, "resource/%zu", json_array_size(list));
    append(w, list, name.failed ? NULL
                                : json_pack("{s:s%, s:o}", "fullUrl", name.p, name.len, "resource",
                                            json_deep_copy(resource)));
    abdm_buf_free(&name);
}


static json_t *
list_given(wrap_t *w, const json_t *given)
{
    const json_t *entries = json_object_get(given, "entry"), *item;
    json_t *list = json_array();
    size_t i;

    if (json_is_array(given)) {
        json_array_foreach(given, i, item)
            add_given(w, list, NULL, item);
    } else if (is_type(given, "Bundle")) {
        json_array_foreach(entries, i, item)
            add_given(w, list, item, json_object_get(item, "resource"));
    } else {
        add_given(w, list, NULL, given);
    }
    return list;
}


static abdm_err_t
put_together(wrap_t *w, json_t *given)
{
    json_t *entry;
    size_t i;

    if (first_of(given, "Patient") == NULL)
        return ABDM_ERR(RECORD_FORM, "FHIR: no Patient among the resources: whose they are");
    ABDM_TRY(make_frame(w));
    drop_content(w);
    for (i = 0; i < ABDM_FHIR_SECTIONS; i++)
        append(w, w->sections, json_array());
    replace_made(w, given, "Patient");
    replace_made(w, given, "Encounter");
    choose_author(w, given);
    fill_sections(w, given);
    put_sections(w);
    json_array_foreach(given, i, entry) {
        complete(w, json_object_get(entry, "resource"));
        append(w, w->entries, json_incref(entry));
    }
    return w->failed ? ABDM_ERR(MEMORY, "document around resources") : ABDM_NO_ERR;
}


abdm_err_t
abdm_wrap_resources(const abdm_document_about_t *about, const json_t *given, json_t **bundle)
{
    wrap_t w = {.about = about, .profile = abdm_fhir_profile(about->hi_type)};
    json_t *list = list_given(&w, given);

    *bundle = NULL;
    w.sections = json_array();
    abdm_err_t err = w.failed ? ABDM_ERR(MEMORY, "resources") : put_together(&w, list);
    json_decref(w.sections);
    json_decref(list);
    if (abdm_failed(err))
        json_decref(w.bundle);
    else
        *bundle = w.bundle;
    return err;
}
