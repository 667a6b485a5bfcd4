/* What an entry is called and what a reference means, in FHIR as servers give it: absolute,
 * relative to the server, with a version, by the id alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "fhir/document.h"

#define RECORD                                                                                     \
    "{'hiType':'Prescription','id':'r1','authoredOn':'2026-03-05T10:40:00+05:30',"                 \
    "'careContextReference':'V1','patient':{'patientReference':'UH1','name':'Asha'},"              \
    "'bundle':{'url':'/x'}}"
#define PATIENT                                                                                    \
    "{'resourceType':'Patient','id':'p','identifier':[{'type':{'text':'MRN'},'value':'UH1'}],"     \
    "'name':[{'text':'Asha'}]}"
#define REQUEST                                                                                    \
    "{'resourceType':'MedicationRequest','id':'m','status':'active','intent':'order',"             \
    "'medicationCodeableConcept':{'text':'Paracetamol'},'dosageInstruction':[{'text':'1-0-1'}],"   \
    "'subject':{'reference':'%s'}}"


static json_t *
parse(const char *quoted)
{
    char *text = strdup(quoted);
    json_t *value;

    assert_non_null(text);
    for (char *p = text; *p != '\0'; p++)
        *p = *p == '\'' ? '"' : *p;
    assert_int_equal(abdm_json_parse(text, strlen(text), ABDM_JSON_DEPTH_FHIR, &value).code,
                     ABDM_OK);
    free(text);
    return value;
}


/* The document made of the entries of a search; what the caller frees, or NULL: refused. */
static json_t *
document_of(const char *entries)
{
    abdm_buf_t text = {0};
    json_t *record = parse(RECORD), *document = NULL;
    abdm_document_about_t about = {
        .hip_id = "IN0990001234_1",
        .facility_name = "Demo Hospital",
        .patient_ref = "UH1",
        .care_context_ref = "V1",
        .hi_type = ABDM_HI_PRESCRIPTION,
        .record = record,
    };
    abdm_fhir_verdict_t v;

    abdm_buf_addf(&text, "{'resourceType':'Bundle','type':'searchset','entry':[%s]}", entries);
    for (size_t i = 0; i < text.len; i++)
        text.p[i] = text.p[i] == '\'' ? '"' : text.p[i];
    if (!abdm_failed(abdm_document_normalize(&about, text.p, text.len, &v))) {
        assert_int_equal(
            abdm_json_parse(v.mended.p, v.mended.len, ABDM_JSON_DEPTH_FHIR, &document).code,
            ABDM_OK);
        abdm_buf_wipe_free(&v.mended);
    }
    abdm_buf_free(&text);
    json_decref(record);
    return document;
}


/* Does the request's subject lead to the patient? */
static bool
leads_to_patient(const char *entries)
{
    json_t *document = document_of(entries), *entry;
    const char *patient = NULL, *subject = NULL;
    bool leads;
    size_t i;

    json_array_foreach(json_object_get(document, "entry"), i, entry) {
        const char *type = abdm_json_string_at(entry, "resource.resourceType");
        if (strcmp(type, "Patient") == 0)
            patient = abdm_json_string_at(entry, "fullUrl");
        if (strcmp(type, "MedicationRequest") == 0)
            subject = abdm_json_string_at(entry, "resource.subject.reference");
    }
    leads = patient != NULL && subject != NULL && strcmp(patient, subject) == 0;
    json_decref(document);
    return leads;
}


static void
a_reference_leads_where_the_server_means_it_to(void **state)
{
    static const struct {
        const char *patient, *reference;
        bool leads;
    } rows[] = {
        {"'fullUrl':'https://h/fhir/Patient/p',", "Patient/p", true},
        {"'fullUrl':'https://h/fhir/Patient/p',", "https://h/fhir/Patient/p", true},
        {"'fullUrl':'https://h/fhir/Patient/p',", "https://h/fhir/Patient/p/_history/3", true},
        {"'fullUrl':'https://h/fhir/Patient/p',", "Patient/p/_history/3", true},
        {"'fullUrl':'https://h/fhir/Patient/p',", "urn:uuid:p", true},
        {"'fullUrl':'http://h/fhir/Patient/p',", "http://h/fhir/Patient/p", true},
        {"'fullUrl':'Patient/p',", "Patient/p", true},
        {"'fullUrl':'urn:uuid:p',", "urn:uuid:p", true},
        {"", "Patient/p", true},
        {"", "https://other/fhir/Patient/p", true},
        {"'fullUrl':'https://h/fhir/Patient/p',", "https://other/fhir/Patient/p", false},
        {"'fullUrl':'https://h/fhir/Patient/p',", "https://h/fhir/Patient/q", false},
        {"'fullUrl':'https://h/fhir/Patient/p',", "Patient/q", false},
        {"'fullUrl':'https://h/fhir/Patient/p',", "https:Patient", false},
        {"'fullUrl':'https://h/fhir/Patient/p',", "#p", false},
    };

    (void) state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char entries[2048];

        snprintf(entries, sizeof entries,
                 "{%s'resource':" PATIENT "},{'fullUrl':'https://h/fhir/MedicationRequest/m',"
                 "'resource':" REQUEST "}",
                 rows[i].patient, rows[i].reference);
        if (leads_to_patient(entries) != rows[i].leads)
            fail_msg("row %zu: %s", i, rows[i].reference);
    }
}


static void
a_name_that_two_entries_have_means_neither(void **state)
{
    static const char twins[] =
        "{'fullUrl':'https://h/fhir/Patient/p','resource':" PATIENT "},"
        "{'fullUrl':'https://h/fhir/Patient/p','resource':{'resourceType':'Organization','id':'o',"
        "'identifier':[{'type':{'text':'HFR'},'system':'https://facility.abdm.gov.in',"
        "'value':'IN1'}],'name':'n'}},"
        "{'fullUrl':'https://h/fhir/MedicationRequest/m','resource':" REQUEST "}";
    char entries[2048];

    (void) state;
    snprintf(entries, sizeof entries, twins, "https://h/fhir/Patient/p");
    assert_false(leads_to_patient(entries));
}


static void
an_endless_name_or_reference_is_refused(void **state)
{
    abdm_buf_t entries = {0};
    char longest[2200];

    (void) state;
    memset(longest, 'x', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    abdm_buf_addf(&entries, "{'fullUrl':'https://h/%s','resource':" PATIENT "},{'resource':" REQUEST
                            "}", longest, "Patient/p");
    assert_false(leads_to_patient(entries.p));
    abdm_buf_free(&entries);
    abdm_buf_addf(&entries, "{'resource':" PATIENT "},{'resource':" REQUEST "}", longest);
    assert_false(leads_to_patient(entries.p));
    abdm_buf_free(&entries);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reference_leads_where_the_server_means_it_to),
        cmocka_unit_test(a_name_that_two_entries_have_means_neither),
        cmocka_unit_test(an_endless_name_or_reference_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
