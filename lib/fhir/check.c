/*
 * A document that the HMIS made itself, before it leaves: does it conform, is it of the right
 * patient, of the right type. Texts of refusals are static: the document is clinical.
 */
#include <string.h>

#include "core/json.h"
#include "fhir/check.h"
#include "fhir/document.h"
#include "fhir/normalize.h"
#include "fhir/profile.h"


static bool
string_is(const json_t *root, const char *path, const char *expected)
{
    const char *z = abdm_json_string_at(root, path);

    return z != NULL && strcmp(z, expected) == 0;
}


/* --- the patient --- */

static bool
is_consented(const abdm_document_about_t *about, const json_t *patient)
{
    const char *ref = about->patient_ref, *abha = about->abha_address;
    const json_t *item;
    size_t i;

    json_array_foreach(json_object_get(patient, "identifier"), i, item) {
        const char *value = abdm_json_string_at(item, "value");
        if (value == NULL)
            continue;
        if ((ref != NULL && strcmp(value, ref) == 0) ||
            (abha != NULL && abdm_str_ieq(abdm_str(value), abdm_str(abha))))
            return true;
    }
    return false;
}


/* The depth is bounded by the parser. */
abdm_err_t
abdm_document_patients(const abdm_document_about_t *about, const json_t *value, size_t *seen)
{
    const char *key;
    json_t *item;
    size_t i;

    if (string_is(value, "resourceType", "Patient")) {
        ++*seen;
        if (!is_consented(about, value))
            return ABDM_ERR(CONSENT_PATIENT,
                            "Patient.identifier: none is that of the consent's patient");
    }
    json_object_foreach((json_t *) value, key, item)
        ABDM_TRY(abdm_document_patients(about, item, seen));
    json_array_foreach(value, i, item)
        ABDM_TRY(abdm_document_patients(about, item, seen));
    return ABDM_NO_ERR;
}


/* Whether a subject is a patient of another server, of whom nobody here knows who it is. The
 * checker only warns of references that leave the document. */
static bool
has_outside_patient(const json_t *urls, const json_t *value)
{
    static const char *const names[] = {"subject", "patient"};
    const char *key;
    json_t *item;
    size_t i;

    for (i = 0; i < sizeof names / sizeof *names; i++) {
        const char *z = abdm_json_string_at(json_object_get(value, names[i]), "reference");
        if (z != NULL && strncmp(z, "http", 4) == 0 && json_object_get(urls, z) == NULL)
            return true;
    }
    json_object_foreach((json_t *) value, key, item) {
        if (has_outside_patient(urls, item))
            return true;
    }
    json_array_foreach(value, i, item) {
        if (has_outside_patient(urls, item))
            return true;
    }
    return false;
}


abdm_err_t
abdm_document_subjects(const json_t *bundle)
{
    json_t *urls = json_object();
    const json_t *entry;
    bool failed = urls == NULL;
    size_t i;

    json_array_foreach(json_object_get(bundle, "entry"), i, entry) {
        const char *url = abdm_json_string_at(entry, "fullUrl");
        if (url != NULL && json_object_set_new(urls, url, json_true()) != 0)
            failed = true;
    }
    bool outside = has_outside_patient(urls, bundle);
    json_decref(urls);
    if (failed)
        return ABDM_ERR(MEMORY, "bundle");
    return outside ? ABDM_ERR(CONSENT_PATIENT, "subject: a patient who is not in the document")
                   : ABDM_NO_ERR;
}


/* --- the type --- */

static bool
has_snomed_code(const json_t *composition, const char *code)
{
    const json_t *coding;
    size_t i;

    json_array_foreach(abdm_json_at(composition, "type.coding"), i, coding) {
        if (string_is(coding, "system", ABDM_FHIR_SNOMED) && string_is(coding, "code", code))
            return true;
    }
    return false;
}


static bool
is_typed_as(const json_t *composition, const abdm_fhir_profile_t *p)
{
    return p->code != NULL ? has_snomed_code(composition, p->code)
                           : string_is(composition, "type.text", p->display);
}


/* The first profile of NRCeS that it claims; its place in the table, ABDM_HI_TYPES for one that
 * is no document's, -1 for none. */
static int
claimed(const json_t *composition)
{
    const json_t *item;
    size_t k;

    json_array_foreach(abdm_json_at(composition, "meta.profile"), k, item) {
        const char *url = json_string_value(item);
        if (url == NULL || strncmp(url, ABDM_FHIR_NRCES, sizeof ABDM_FHIR_NRCES - 1) != 0)
            continue;
        const char *name = url + sizeof ABDM_FHIR_NRCES - 1;
        abdm_str_t claim = {name, strcspn(name, "|")};
        int i = 0;
        while (i < ABDM_HI_TYPES &&
               !abdm_str_eq(claim, abdm_str(abdm_fhir_profile((abdm_hi_type_t) i)->profile)))
            i++;
        return i;
    }
    return -1;
}


/* Reports may have any SNOMED code, so that with them the claim alone tells. */
bool
abdm_document_type(const json_t *composition, abdm_hi_type_t *type)
{
    int claim = claimed(composition);

    if (claim == ABDM_HI_TYPES)
        return false;
    if (claim >= 0) {
        *type = (abdm_hi_type_t) claim;
        return *type == ABDM_HI_DIAGNOSTIC_REPORT ||
               abdm_fhir_profile(*type)->code == NULL ||
               is_typed_as(composition, abdm_fhir_profile(*type));
    }
    for (int i = 0; i < ABDM_HI_TYPES; i++) {
        *type = (abdm_hi_type_t) i;
        if (is_typed_as(composition, abdm_fhir_profile(*type)))
            return true;
    }
    return false;
}


abdm_err_t
abdm_document_judge(const abdm_document_about_t *about, const json_t *bundle,
                    abdm_findings_t *found, abdm_document_facts_t *facts)
{
    const json_t *composition = abdm_json_at(bundle, "entry.0.resource");
    const char *date = abdm_json_string_at(composition, "date");
    const abdm_finding_t *first;
    size_t patients = 0;

    *facts = (abdm_document_facts_t){0};
    abdm_findings_free(found);
    facts->typed = abdm_document_type(composition, &facts->hi_type);
    facts->dated = date != NULL && !abdm_failed(abdm_time_parse(abdm_str(date), &facts->date));
    ABDM_TRY(abdm_document_patients(about, bundle, &patients));
    ABDM_TRY(abdm_fhir_check_bundle(bundle, found));
    first = abdm_findings_first_error(found);
    if (first != NULL)
        return ABDM_ERR(RECORD_FORM, abdm_finding_info(first->code)->refusal);
    if (!facts->typed || facts->hi_type != about->hi_type)
        return ABDM_ERR(RECORD_FORM, "Composition.type: not that of the record's hiType");
    return abdm_document_subjects(bundle);
}


abdm_err_t
abdm_document_check(const abdm_document_about_t *about, const char *json, size_t len,
                    abdm_document_facts_t *facts)
{
    abdm_findings_t found = {0};
    json_t *bundle;

    *facts = (abdm_document_facts_t){0};
    abdm_err_t err = abdm_json_parse(json, len, ABDM_JSON_DEPTH_FHIR, &bundle);
    if (err.code == ABDM_E_MEMORY)
        return err;
    if (abdm_failed(err))
        return ABDM_ERR(RECORD_FORM, err.what);
    err = abdm_document_judge(about, bundle, &found, facts);
    abdm_findings_free(&found);
    json_decref(bundle);
    return err;
}
