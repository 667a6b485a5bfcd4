/* FHIR documents that the HMIS made itself. */
#include "fuzz.h"

#include "core/json.h"
#include "fhir/document.h"


static bool
has_text(const json_t *value, const char *text)
{
    const json_t *item;
    const char *key;
    size_t i;

    if (json_is_string(value))
        return abdm_str_ieq(abdm_str(json_string_value(value)), abdm_str(text));
    json_array_foreach(value, i, item) {
        if (has_text(item, text))
            return true;
    }
    json_object_foreach((json_t *) value, key, item) {
        if (has_text(item, text))
            return true;
    }
    return false;
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    abdm_document_about_t about = {
        .hip_id = "IN0990001234_1",
        .facility_name = "Demo Hospital",
        .patient_ref = "UH100231",
        .care_context_ref = "OPD-26-0771",
        .abha_address = "asha@sbx",
    };
    abdm_document_facts_t facts;
    json_t *bundle;

    for (int type = 0; type < ABDM_HI_TYPES; type++) {
        about.hi_type = (abdm_hi_type_t) type;
        abdm_err_t err = abdm_document_check(&about, (const char *) data, size, &facts);
        NEED(err.code == ABDM_OK || err.code == ABDM_E_RECORD_FORM ||
             err.code == ABDM_E_CONSENT_PATIENT);
        if (abdm_failed(err))
            continue;
        NEED((int) facts.hi_type == type);
        NEED(!abdm_failed(
            abdm_json_parse((const char *) data, size, ABDM_JSON_DEPTH_FHIR, &bundle)));
        NEED(has_text(bundle, "UH100231") || has_text(bundle, "asha@sbx"));
        json_decref(bundle);
        break;
    }
    return 0;
}
