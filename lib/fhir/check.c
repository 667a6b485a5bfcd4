/*
 * Cheap checks of a document that the HMIS made itself, before it is passed through unchanged:
 * is it a whole document, of the right patient, of the right type, with what NRCeS (ndhm.in
 * 6.5.0) makes mandatory. Coded content is the HMIS's own affair. Texts of refusals are
 * static: the document is clinical.
 */
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "fhir/document.h"
#include "fhir/profile.h"

enum {
    ENTRIES_MAX = 5000,
    FULL_URL_MAX = 2048, /* every relative reference costs a copy of its base */
};

typedef struct {
    const abdm_document_about_t *about;
    const json_t *entries;
    json_t *index; /* fullUrl → its place in entries */
    bool *reached; /* by references, from the Composition */
    size_t *queue; /* entries reached, in the order in which they are walked */
    size_t queued;
    const char *full_url; /* of the entry that is walked */
} check_t;

#define NEEDS(type, path) {type, path, type "." path ": missing"}

/* Members without which a resource does not conform (profiles.md of the IG, base R4). */
static const struct {
    const char *type, *path, *what;
} mandatory[] = {
    NEEDS("Composition", "status"),
    NEEDS("Composition", "date"),
    NEEDS("Composition", "title"),
    NEEDS("Composition", "author.0.reference"),
    NEEDS("Composition", "section.0"),
    NEEDS("Patient", "identifier.0"),
    NEEDS("Practitioner", "identifier.0"),
    NEEDS("Organization", "identifier.0"),
    NEEDS("Organization", "name"),
    NEEDS("Encounter", "status"),
    NEEDS("Encounter", "class"),
    NEEDS("Condition", "code"),
    NEEDS("Condition", "subject"),
    NEEDS("AllergyIntolerance", "code"),
    NEEDS("AllergyIntolerance", "patient"),
    NEEDS("Procedure", "status"),
    NEEDS("Procedure", "code"),
    NEEDS("Procedure", "subject"),
    NEEDS("MedicationRequest", "status"),
    NEEDS("MedicationRequest", "intent"),
    NEEDS("MedicationRequest", "medicationCodeableConcept"),
    NEEDS("MedicationRequest", "subject"),
    NEEDS("MedicationRequest", "authoredOn"),
    NEEDS("MedicationRequest", "requester"),
    NEEDS("MedicationRequest", "dosageInstruction.0"),
    NEEDS("MedicationStatement", "status"),
    NEEDS("MedicationStatement", "medicationCodeableConcept"),
    NEEDS("MedicationStatement", "subject"),
    NEEDS("DiagnosticReport", "status"),
    NEEDS("DiagnosticReport", "code"),
    NEEDS("DiagnosticReport", "conclusion"),
    NEEDS("DiagnosticReport", "resultsInterpreter.0"),
    NEEDS("Observation", "status"),
    NEEDS("Observation", "code"),
    NEEDS("DocumentReference", "status"),
    NEEDS("DocumentReference", "content.0.attachment.contentType"),
    NEEDS("DocumentReference", "content.0.attachment.data"),
    NEEDS("Binary", "contentType"),
    NEEDS("Binary", "data"),
    NEEDS("Media", "status"),
    NEEDS("Media", "content.contentType"),
    NEEDS("Media", "content.data"),
    NEEDS("ServiceRequest", "status"),
    NEEDS("ServiceRequest", "intent"),
    NEEDS("ServiceRequest", "subject"),
    NEEDS("ServiceRequest", "requester"),
    NEEDS("Appointment", "status"),
    NEEDS("Appointment", "start"),
    NEEDS("Appointment", "participant.0"),
    NEEDS("CarePlan", "status"),
    NEEDS("CarePlan", "intent"),
    NEEDS("CarePlan", "subject"),
    NEEDS("FamilyMemberHistory", "status"),
    NEEDS("FamilyMemberHistory", "patient"),
    NEEDS("FamilyMemberHistory", "relationship"),
    NEEDS("FamilyMemberHistory", "condition.0"),
    NEEDS("Immunization", "status"),
    NEEDS("Immunization", "vaccineCode"),
    NEEDS("Immunization", "patient"),
    NEEDS("Immunization", "occurrenceDateTime"),
    NEEDS("Invoice", "status"),
    NEEDS("Invoice", "identifier.0"),
    NEEDS("Invoice", "type"),
    NEEDS("Invoice", "subject"),
    NEEDS("Invoice", "date"),
    NEEDS("Invoice", "lineItem.0"),
    NEEDS("Invoice", "totalNet"),
    NEEDS("Invoice", "totalGross"),
};


static bool
is_type(const json_t *resource, const char *type)
{
    const char *z = abdm_json_string_at(resource, "resourceType");

    return z != NULL && strcmp(z, type) == 0;
}


static bool
string_is(const json_t *root, const char *path, const char *expected)
{
    const char *z = abdm_json_string_at(root, path);

    return z != NULL && strcmp(z, expected) == 0;
}


/* --- the bundle --- */

static abdm_err_t
check_bundle(const json_t *bundle)
{
    abdm_ms_t ignored;

    if (!is_type(bundle, "Bundle") || !string_is(bundle, "type", "document"))
        return ABDM_ERR(RECORD_FORM, "bundle: not a Bundle of type document");
    if (abdm_json_string_at(bundle, "meta.versionId") == NULL)
        return ABDM_ERR(RECORD_FORM, "Bundle.meta.versionId: missing");
    if (abdm_json_string_at(bundle, "identifier.system") == NULL ||
        abdm_json_string_at(bundle, "identifier.value") == NULL)
        return ABDM_ERR(RECORD_FORM, "Bundle.identifier: system and value expected");
    if (abdm_failed(
            abdm_time_parse(abdm_str(abdm_json_string_at(bundle, "timestamp")), &ignored)))
        return ABDM_ERR(RECORD_FORM, "Bundle.timestamp: an instant expected");
    return ABDM_NO_ERR;
}


/* scheme ":" something, as RFC 3986 has it. */
static bool
is_absolute(const char *url)
{
    size_t n = strspn(url, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+.-");

    return n > 0 && url[n] == ':' && url[n + 1] != '\0';
}


static abdm_err_t
index_entries(check_t *c)
{
    const json_t *entry;
    size_t i;

    json_array_foreach(c->entries, i, entry) {
        const char *url = abdm_json_string_at(entry, "fullUrl");
        if (url == NULL || !is_absolute(url))
            return ABDM_ERR(RECORD_FORM, "Bundle.entry.fullUrl: missing or not absolute");
        if (strlen(url) > FULL_URL_MAX)
            return ABDM_ERR(RECORD_FORM, "Bundle.entry.fullUrl: longer than 2048 bytes");
        if (json_object_get(c->index, url) != NULL)
            return ABDM_ERR(RECORD_FORM, "Bundle.entry.fullUrl: the same twice");
        if (abdm_json_string_at(entry, "resource.resourceType") == NULL)
            return ABDM_ERR(RECORD_FORM, "Bundle.entry.resource: missing");
        if (json_object_set_new(c->index, url, json_integer((json_int_t) i)) != 0)
            return ABDM_ERR(RECORD_FORM, "Bundle.entry.fullUrl: not usable");
    }
    return ABDM_NO_ERR;
}


/* --- references --- */

/* Place of the entry that `reference` names; relative ones are below the base of the entry in
 * which they stand ("https://h/fhir/Composition/1" and "Patient/2"). */
static const json_t *
find_entry(const check_t *c, const char *reference)
{
    if (is_absolute(reference))
        return json_object_get(c->index, reference);

    const char *end = c->full_url + strlen(c->full_url);
    abdm_buf_t url = {0};
    int slashes = 0;
    while (end > c->full_url && slashes < 2)
        slashes += *--end == '/';
    if (slashes < 2)
        return NULL;
    abdm_buf_add(&url, c->full_url, (size_t) (end - c->full_url) + 1);
    abdm_buf_addz(&url, reference);
    char *z = abdm_buf_take(&url);
    const json_t *place = z == NULL ? NULL : json_object_get(c->index, z);
    free(z);
    return place;
}


static void
reach(check_t *c, size_t i)
{
    if (!c->reached[i]) {
        c->reached[i] = true;
        c->queue[c->queued++] = i;
    }
}


static abdm_err_t
follow(check_t *c, const char *reference)
{
    if (reference[0] == '#') /* into the resource's own contained ones */
        return ABDM_NO_ERR;
    const json_t *place = find_entry(c, reference);
    if (place == NULL)
        return ABDM_ERR(RECORD_FORM, "reference: to something that is not in the bundle");
    reach(c, (size_t) json_integer_value(place));
    return ABDM_NO_ERR;
}


/* --- resources --- */

/* Members that hold a date, dateTime or instant in every resource that has them. */
static bool
is_date_member(const char *name)
{
    static const char *const names[] = {
        "date",      "authoredOn", "recordedDate", "issued", "occurrenceDateTime",
        "birthDate", "start",      "end",          "lastUpdated", "effectiveDateTime",
    };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(names[i], name) == 0)
            return true;
    }
    return false;
}


/* "2026" and "2026-03" are dates of FHIR, though no instants of ours. */
static bool
is_partial_date(const char *z)
{
    static const char shape[] = "0000-00";
    size_t len = strlen(z);

    if (len != 4 && len != 7)
        return false;
    for (size_t i = 0; i < len; i++) {
        bool digit = z[i] >= '0' && z[i] <= '9';
        if (shape[i] == '0' ? !digit : z[i] != '-')
            return false;
    }
    return true;
}


static bool
is_date_text(const char *z)
{
    abdm_ms_t ignored;

    return is_partial_date(z) || !abdm_failed(abdm_time_parse(abdm_str(z), &ignored));
}


/* The privacy check: whoever appears as Patient in this document is the consent's patient. */
static abdm_err_t
check_patient(const check_t *c, const json_t *patient)
{
    const char *ref = c->about->patient_ref, *abha = c->about->abha_address;
    const json_t *item;
    size_t i;

    json_array_foreach(json_object_get(patient, "identifier"), i, item) {
        const char *value = abdm_json_string_at(item, "value");
        if (value == NULL)
            continue;
        if ((ref != NULL && strcmp(value, ref) == 0) ||
            (abha != NULL && abdm_str_ieq(abdm_str(value), abdm_str(abha))))
            return ABDM_NO_ERR;
    }
    return ABDM_ERR(CONSENT_PATIENT, "Patient.identifier: none is that of the consent's patient");
}


static abdm_err_t
check_identifiers(const json_t *resource)
{
    bool organization = is_type(resource, "Organization");
    const json_t *item;
    size_t i;

    if (!organization && !is_type(resource, "Patient") && !is_type(resource, "Practitioner"))
        return ABDM_NO_ERR;
    json_array_foreach(json_object_get(resource, "identifier"), i, item) {
        if (abdm_json_at(item, "type") == NULL || abdm_json_string_at(item, "value") == NULL)
            return ABDM_ERR(RECORD_FORM, "identifier of Patient, Practitioner or Organization: "
                                         "type and value expected");
        if (organization && abdm_json_string_at(item, "system") == NULL)
            return ABDM_ERR(RECORD_FORM, "Organization.identifier.system: missing");
    }
    return ABDM_NO_ERR;
}


static abdm_err_t
check_resource(const check_t *c, const json_t *resource)
{
    for (size_t i = 0; i < sizeof mandatory / sizeof *mandatory; i++) {
        if (is_type(resource, mandatory[i].type) &&
            abdm_json_at(resource, mandatory[i].path) == NULL)
            return ABDM_ERR(RECORD_FORM, mandatory[i].what);
    }
    if (is_type(resource, "DiagnosticReport") && abdm_json_at(resource, "result.0") == NULL &&
        abdm_json_at(resource, "media.0") == NULL)
        return ABDM_ERR(RECORD_FORM, "DiagnosticReport: neither result nor media");
    ABDM_TRY(check_identifiers(resource));
    return is_type(resource, "Patient") ? check_patient(c, resource) : ABDM_NO_ERR;
}


static abdm_err_t
check_member(const char *name, const json_t *value)
{
    const char *z = json_string_value(value);
    bool empty_list = json_is_array(value) && json_array_size(value) == 0;

    if (json_is_null(value) || empty_list || (z != NULL && *z == '\0'))
        return ABDM_ERR(RECORD_FORM, "a member that is null or empty: FHIR leaves it out");
    if (z != NULL && is_date_member(name) && !is_date_text(z))
        return ABDM_ERR(RECORD_FORM, "a date or time that is not of ISO 8601");
    return ABDM_NO_ERR;
}


/* Every value of a resource; the depth is bounded by the parser. */
static abdm_err_t
walk(check_t *c, json_t *value)
{
    const char *name;
    json_t *item;
    size_t i;

    if (json_is_array(value)) {
        json_array_foreach(value, i, item)
            ABDM_TRY(walk(c, item));
        return ABDM_NO_ERR;
    }
    if (!json_is_object(value))
        return ABDM_NO_ERR;
    if (json_object_size(value) == 0)
        return ABDM_ERR(RECORD_FORM, "an empty object: FHIR leaves it out");
    if (abdm_json_string_at(value, "resourceType") != NULL)
        ABDM_TRY(check_resource(c, value));
    json_object_foreach(value, name, item) {
        ABDM_TRY(check_member(name, item));
        if (json_is_string(item) && strcmp(name, "reference") == 0)
            ABDM_TRY(follow(c, json_string_value(item)));
        ABDM_TRY(walk(c, item));
    }
    return ABDM_NO_ERR;
}


/* From the Composition along the references. What nothing leads to is no part of the document;
 * a Provenance alone points at what it tells about. */
static abdm_err_t
walk_document(check_t *c)
{
    const json_t *entry;
    size_t i;

    reach(c, 0);
    json_array_foreach(c->entries, i, entry) {
        if (string_is(entry, "resource.resourceType", "Provenance"))
            reach(c, i);
    }
    for (i = 0; i < c->queued; i++) {
        entry = json_array_get(c->entries, c->queue[i]);
        c->full_url = abdm_json_string_at(entry, "fullUrl");
        ABDM_TRY(walk(c, json_object_get(entry, "resource")));
    }
    return c->queued == json_array_size(c->entries)
               ? ABDM_NO_ERR
               : ABDM_ERR(RECORD_FORM, "Bundle.entry: nothing in the document refers to it");
}


/* --- the Composition --- */

static abdm_err_t
check_subject(const check_t *c, const json_t *composition)
{
    const char *reference = abdm_json_string_at(composition, "subject.reference");
    const json_t *place = reference == NULL ? NULL : find_entry(c, reference);

    if (place == NULL)
        return ABDM_ERR(RECORD_FORM, "Composition.subject: no Patient in the bundle");
    const json_t *patient = json_object_get(
        json_array_get(c->entries, (size_t) json_integer_value(place)), "resource");
    if (!is_type(patient, "Patient"))
        return ABDM_ERR(RECORD_FORM, "Composition.subject: not a Patient");
    return check_patient(c, patient);
}


/* The display of the SNOMED coding with `code` (any when NULL) in Composition.type, "" when it
 * has none; NULL when there is no such coding. */
static const char *
snomed_display(const json_t *composition, const char *code)
{
    const json_t *coding;
    size_t i;

    json_array_foreach(abdm_json_at(composition, "type.coding"), i, coding) {
        const char *display = abdm_json_string_at(coding, "display");
        if (string_is(coding, "system", ABDM_FHIR_SNOMED) &&
            abdm_json_string_at(coding, "code") != NULL &&
            (code == NULL || string_is(coding, "code", code)))
            return display == NULL ? "" : display;
    }
    return NULL;
}


static bool
claims_profile(const json_t *composition, const char *profile)
{
    const json_t *item;
    size_t i;

    json_array_foreach(abdm_json_at(composition, "meta.profile"), i, item) {
        const char *url = json_string_value(item);
        if (url == NULL || strncmp(url, ABDM_FHIR_NRCES, sizeof ABDM_FHIR_NRCES - 1) != 0)
            continue;
        const char *name = url + sizeof ABDM_FHIR_NRCES - 1;
        if (abdm_str_eq((abdm_str_t){name, strcspn(name, "|")}, abdm_str(profile)))
            return true;
    }
    return false;
}


static abdm_err_t
find_type(const json_t *composition, abdm_hi_type_t *type)
{
    for (int i = 0; i < ABDM_HI_TYPES; i++) {
        const abdm_fhir_profile_t *p = abdm_fhir_profile((abdm_hi_type_t) i);
        const char *display = p->code == NULL ? NULL : snomed_display(composition, p->code);

        *type = (abdm_hi_type_t) i;
        if (display != NULL)
            return strcmp(display, p->display) == 0
                       ? ABDM_NO_ERR
                       : ABDM_ERR(RECORD_FORM, "Composition.type: the display is not the one that "
                                               "the profile fixes");
        if (p->code == NULL && string_is(composition, "type.text", p->display))
            return ABDM_NO_ERR;
    }
    /* Reports may say by any SNOMED code what they are a report of. */
    *type = ABDM_HI_DIAGNOSTIC_REPORT;
    const char *display = snomed_display(composition, NULL);
    if (display != NULL && *display != '\0' &&
        claims_profile(composition, abdm_fhir_profile(*type)->profile))
        return ABDM_NO_ERR;
    return ABDM_ERR(RECORD_FORM, "Composition.type: of none of the eight HI types");
}


/* Profiles that close the list of what their one section may hold. */
static abdm_err_t
check_section(const json_t *composition, const abdm_fhir_profile_t *p)
{
    const json_t *sections = json_object_get(composition, "section"), *entry;
    unsigned count[ABDM_FHIR_ENTRY_TYPES] = {0};
    size_t i;

    if (p->entries[0].type == NULL)
        return ABDM_NO_ERR;
    if (json_array_size(sections) != 1 || abdm_json_at(sections, "0.entry.0") == NULL)
        return ABDM_ERR(RECORD_FORM, "Composition.section: exactly one, with entries, expected");
    json_array_foreach(abdm_json_at(sections, "0.entry"), i, entry) {
        int k = 0;
        while (k < ABDM_FHIR_ENTRY_TYPES && p->entries[k].type != NULL &&
               !string_is(entry, "type", p->entries[k].type))
            k++;
        if (k == ABDM_FHIR_ENTRY_TYPES || p->entries[k].type == NULL)
            return ABDM_ERR(RECORD_FORM, "Composition.section.entry.type: missing or not one that "
                                         "the profile allows");
        if (++count[k] > p->entries[k].max && p->entries[k].max != 0)
            return ABDM_ERR(RECORD_FORM, "Composition.section.entry: more of one type than the "
                                         "profile allows");
    }
    return ABDM_NO_ERR;
}


static abdm_err_t
check_composition(const check_t *c, const json_t *composition, abdm_document_facts_t *facts)
{
    const char *date = abdm_json_string_at(composition, "date");

    ABDM_TRY(check_subject(c, composition));
    ABDM_TRY(find_type(composition, &facts->hi_type));
    if (facts->hi_type != c->about->hi_type)
        return ABDM_ERR(RECORD_FORM, "Composition.type: not that of the record's hiType");

    const abdm_fhir_profile_t *p = abdm_fhir_profile(facts->hi_type);
    if (p->needs_encounter && abdm_json_string_at(composition, "encounter.reference") == NULL)
        return ABDM_ERR(RECORD_FORM, "Composition.encounter: missing");
    ABDM_TRY(check_section(composition, p));
    facts->dated = date != NULL && !abdm_failed(abdm_time_parse(abdm_str(date), &facts->date));
    return ABDM_NO_ERR;
}


static abdm_err_t
check_entries(check_t *c, abdm_document_facts_t *facts)
{
    size_t n = json_array_size(c->entries);

    if (n == 0 || n > ENTRIES_MAX)
        return ABDM_ERR(RECORD_FORM, "Bundle.entry: none, or more than 5000");
    c->index = json_object();
    c->reached = calloc(n, sizeof *c->reached);
    c->queue = calloc(n, sizeof *c->queue);
    if (c->index == NULL || c->reached == NULL || c->queue == NULL)
        return ABDM_ERR(MEMORY, "bundle");

    ABDM_TRY(index_entries(c));
    const json_t *first = json_array_get(c->entries, 0);
    const json_t *composition = json_object_get(first, "resource");
    if (!is_type(composition, "Composition"))
        return ABDM_ERR(RECORD_FORM, "Bundle.entry: the first is not a Composition");
    c->full_url = abdm_json_string_at(first, "fullUrl");
    ABDM_TRY(check_composition(c, composition, facts));
    return walk_document(c);
}


abdm_err_t
abdm_document_check(const abdm_document_about_t *about, const char *json, size_t len,
                    abdm_document_facts_t *facts)
{
    check_t c = {.about = about};
    json_t *bundle;

    *facts = (abdm_document_facts_t){0};
    abdm_err_t err = abdm_json_parse(json, len, ABDM_JSON_DEPTH_FHIR, &bundle);
    if (err.code == ABDM_E_MEMORY)
        return err;
    if (abdm_failed(err))
        return ABDM_ERR(RECORD_FORM, err.what);

    err = check_bundle(bundle);
    if (!abdm_failed(err)) {
        c.entries = json_object_get(bundle, "entry");
        err = check_entries(&c, facts);
    }
    json_decref(c.index);
    free(c.reached);
    free(c.queue);
    json_decref(bundle);
    return err;
}
