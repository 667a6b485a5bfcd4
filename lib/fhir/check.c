/*
 * A document that the HMIS made itself, before it leaves: does it conform, is it of the right
 * patient, of the right type. Texts of refusals are static: the document is clinical.
 */
#include <string.h>

#include "core/json.h"
#include "fhir/check.h"
#include "fhir/document.h"
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


/* The privacy check: whoever appears as Patient in this document, contained ones included, is the
 * consent's patient. The depth is bounded by the parser. */
static abdm_err_t
check_patients(const abdm_document_about_t *about, const json_t *value)
{
    const char *key;
    json_t *item;
    size_t i;

    if (string_is(value, "resourceType", "Patient") && !is_consented(about, value))
        return ABDM_ERR(CONSENT_PATIENT,
                        "Patient.identifier: none is that of the consent's patient");
    json_object_foreach((json_t *) value, key, item)
        ABDM_TRY(check_patients(about, item));
    json_array_foreach(value, i, item)
        ABDM_TRY(check_patients(about, item));
    return ABDM_NO_ERR;
}


/* --- conformance --- */

static abdm_err_t
check_conformance(const json_t *bundle)
{
    abdm_findings_t found = {0};
    abdm_err_t err = abdm_fhir_check_bundle(bundle, &found);
    const abdm_finding_t *first = abdm_findings_first_error(&found);

    if (!abdm_failed(err) && first != NULL)
        err = ABDM_ERR(RECORD_FORM, abdm_finding_info(first->code)->refusal);
    abdm_findings_free(&found);
    return err;
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


/* The profile that the Composition claims; reports may have any SNOMED code, so that their type
 * does not tell what they are. */
static bool
find_type(const json_t *composition, abdm_hi_type_t *type)
{
    for (int i = 0; i < ABDM_HI_TYPES; i++) {
        const abdm_fhir_profile_t *p = abdm_fhir_profile((abdm_hi_type_t) i);
        *type = (abdm_hi_type_t) i;
        if (claims_profile(composition, p->profile))
            return *type == ABDM_HI_DIAGNOSTIC_REPORT || p->code == NULL ||
                   has_snomed_code(composition, p->code);
    }
    return false;
}


abdm_err_t
abdm_document_check(const abdm_document_about_t *about, const char *json, size_t len,
                    abdm_document_facts_t *facts)
{
    json_t *bundle;

    *facts = (abdm_document_facts_t){0};
    abdm_err_t err = abdm_json_parse(json, len, ABDM_JSON_DEPTH_FHIR, &bundle);
    if (err.code == ABDM_E_MEMORY)
        return err;
    if (abdm_failed(err))
        return ABDM_ERR(RECORD_FORM, err.what);

    const json_t *composition = abdm_json_at(bundle, "entry.0.resource");
    const char *date = abdm_json_string_at(composition, "date");
    err = check_patients(about, bundle);
    if (!abdm_failed(err))
        err = check_conformance(bundle);
    if (!abdm_failed(err) &&
        (!find_type(composition, &facts->hi_type) || facts->hi_type != about->hi_type))
        err = ABDM_ERR(RECORD_FORM, "Composition.type: not that of the record's hiType");
    facts->dated = date != NULL && !abdm_failed(abdm_time_parse(abdm_str(date), &facts->date));
    json_decref(bundle);
    return err;
}
