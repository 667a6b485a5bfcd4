/* The checker: a conformant document has no findings, each fault has its code at its place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "abdm_fhir.h"
#include "check_kit.h"
#include "fhir/check_table.h"
#include "fhir/document.h"

#define EXAMPLES "../shared/fhir/examples/conformant/"


/* --- one fault each --- */

static const struct {
    const char *path, *value; /* NULL: deleted */
    const char *code, *pointer;
} faults[] = {
    {"type", "'collection'", "F_DOCUMENT", "/type"},
    {"timestamp", NULL, "F_MISSING", "/timestamp"},
    {"timestamp", "'2026-03-01'", "F_DATE", "/timestamp"},
    {"timestamp", "'2026-03-01T10:15:00'", "F_DATE", "/timestamp"},
    {"meta.versionId", NULL, "F_MISSING", "/meta/versionId"},
    {"identifier.value", NULL, "F_MISSING", "/identifier/value"},
    {"total", "4", "F_RULE", ""},
    {"a~b/c", "1", "F_UNKNOWN_ELEMENT", "/a~0b~1c"},
    {"entry", "[]", "F_NO_ENTRIES", "/entry"},
    {"entry.0", NULL, "F_COMPOSITION_FIRST", "/entry/0"},
    {"entry.1.resource", NULL, "F_NO_RESOURCE", "/entry/1"},
    {"entry.1.resource.resourceType", "'Patiens'", "F_RESOURCE_TYPE",
     "/entry/1/resource/resourceType"},
    {"entry.1.resource.resourceType", "'Basic'", "F_UNCHECKED", "/entry/1/resource"},
    {"entry.1.fullUrl", NULL, "F_FULL_URL", "/entry/1/fullUrl"},
    {"entry.1.fullUrl", "'Patient/2'", "F_FULL_URL", "/entry/1/fullUrl"},
    {"entry.1.fullUrl", "'urn:uuid:00000000-0000-4000-8000-00000000000A'", "F_FULL_URL",
     "/entry/1/fullUrl"},
    {"entry.1.fullUrl", "'https://h/fhir/Patient/9'", "F_FULL_URL_ID", "/entry/1/fullUrl"},
    {"entry.2.fullUrl", "'" URN "2'", "F_FULL_URL_TWICE", "/entry/2/fullUrl"},
    {"entry.0.resource.subject.reference", "'" URN "9'", "F_REFERENCE",
     "/entry/0/resource/subject/reference"},
    {"entry.0.resource.subject.reference", "'" URN "3'", "F_REFERENCE_TARGET",
     "/entry/0/resource/subject/reference"},
    {"entry.0.resource.subject.reference", "'#p'", "F_REFERENCE",
     "/entry/0/resource/subject/reference"},
    {"entry.0.resource.subject.type", "'Group'", "F_REFERENCE_TYPE",
     "/entry/0/resource/subject/type"},
    {"entry.3.resource.custodian", "{'reference':'https://h/Organization/1'}",
     "F_REFERENCE_OUTSIDE", "/entry/3/resource/custodian/reference"},
    {"entry.0.resource.author.0", "{'display':'x'}", "F_ORPHAN", "/entry/2"},
    {"entry.4", "{'fullUrl':'" URN "5','resource':{'resourceType':'Condition','subject':"
                "{'reference':'" URN "2'},'code':{'text':'x'}}}", "F_BACKWARDS", "/entry/4"},
    {"entry.0.resource.meta", NULL, "F_PROFILE", "/entry/0/resource/meta/profile"},
    {"entry.1.resource.meta", "{'profile':['" NRCES "Practitioner']}", "F_PROFILE_TYPE",
     "/entry/1/resource/meta/profile/0"},
    {"entry.1.resource.meta", "{'profile':['https://example.org/p']}", "F_PROFILE_UNKNOWN",
     "/entry/1/resource/meta/profile/0"},
    {"entry.0.resource.title", NULL, "F_MISSING", "/entry/0/resource/title"},
    {"entry.0.resource.status", "'Final'", "F_CODE", "/entry/0/resource/status"},
    {"entry.0.resource.type.coding.0.display", "'Record Artifact'", "F_FIXED",
     "/entry/0/resource/type/coding/0/display"},
    {"entry.0.resource.section.0.code.coding.0.system", "'http://loinc.org'", "F_CODE_SYSTEM",
     "/entry/0/resource/section/0/code/coding/0/system"},
    {"entry.0.resource.section.1", "{'title':'more','entry':[{'reference':'" URN "4'}]}",
     "F_TOO_MANY", "/entry/0/resource/section"},
    {"entry.1.resource.identifier.0.type", NULL, "F_MISSING",
     "/entry/1/resource/identifier/0/type"},
    {"entry.1.resource.birthDate", "'29/02/1980'", "F_DATE", "/entry/1/resource/birthDate"},
    {"entry.1.resource.birthDate", "'1981-02-29'", "F_DATE", "/entry/1/resource/birthDate"},
    {"entry.1.resource.birthDate", "'1981-02-28T00:00:00Z'", "F_DATE",
     "/entry/1/resource/birthDate"},
    {"entry.1.resource.gender", "'Female'", "F_CODE", "/entry/1/resource/gender"},
    {"entry.1.resource.gender", "null", "F_EMPTY", "/entry/1/resource/gender"},
    {"entry.1.resource.gender", "['female']", "F_SHAPE", "/entry/1/resource/gender"},
    {"entry.1.resource.active", "'true'", "F_SHAPE", "/entry/1/resource/active"},
    {"entry.1.resource.name", "{'text':'Asha'}", "F_SHAPE", "/entry/1/resource/name"},
    {"entry.1.resource.name.0.text", "''", "F_EMPTY", "/entry/1/resource/name/0/text"},
    {"entry.1.resource.name.0", "{}", "F_EMPTY", "/entry/1/resource/name/0"},
    {"entry.1.resource.telecom", "[]", "F_EMPTY", "/entry/1/resource/telecom"},
    {"entry.1.resource.telecom", "[{'value':'1'}]", "F_RULE", "/entry/1/resource/telecom/0"},
    {"entry.1.resource.deceasedBoolean", "false", NULL, NULL},
    {"entry.1.resource._gender", "{'extension':[{'url':'https://e','valueString':'x'}]}", NULL,
     NULL},
    {"entry.1.resource.extension", "[{'url':'https://e','valueString':'x','valueCode':'y'}]",
     "F_CHOICE", "/entry/1/resource/extension/0/valueCode"},
    {"entry.1.resource.text", "{'status':'generated','div':'<p>x</p>'}", "F_NARRATIVE",
     "/entry/1/resource/text/div"},
    {"entry.1.resource.contained", "[{'resourceType':'Patient','id':'a'}]", "F_RULE",
     "/entry/1/resource/contained/0"},
    {"entry.2.resource.telecom", "[{'system':'phone','value':'1','use':'home'}]", "F_RULE",
     "/entry/2/resource"},
    {"entry.2.resource.type",
     "[{'coding':[{'system':'https://h/t','code':'a','display':'b'}]}]", "F_CODE_SYSTEM",
     "/entry/2/resource/type/0/coding/0/system"},
    {"entry.3.resource.content.0.attachment.data", NULL, "F_MISSING",
     "/entry/3/resource/content/0/attachment/data"},
    {"entry.3.resource.content.0.attachment.data", "'JVBERi0xLjQ'", "F_BASE64",
     "/entry/3/resource/content/0/attachment/data"},
    {"entry.3.resource.content.0.attachment.data", "'JVBE-i0xLjQK'", "F_BASE64",
     "/entry/3/resource/content/0/attachment/data"},
    {"entry.3.resource.content.0.attachment.contentType", "'pdf'", "F_CODE",
     "/entry/3/resource/content/0/attachment/contentType"},
    {"entry.3.resource.content.0.attachment.size", "-1", "F_FORMAT",
     "/entry/3/resource/content/0/attachment/size"},
    {"entry.3.resource.context", "{'period':{'start':'2026-03-02','end':'2026-03-01'}}", "F_RULE",
     "/entry/3/resource/context/period"},
};


static void
each_fault_has_its_code_at_its_place(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        json_t *bundle = parse(document);
        abdm_findings_t found = {0};
        change(bundle, faults[i].path, faults[i].value == NULL ? NULL : parse(faults[i].value));
        assert_int_equal(abdm_fhir_check_bundle(bundle, &found).code, ABDM_OK);
        bool right = faults[i].code == NULL ? found.n == 0
                                            : is_found(&found, faults[i].code, faults[i].pointer);
        if (!right) {
            print_findings(&found);
            fail_msg("row %zu: %s", i, faults[i].path);
        }
        abdm_findings_free(&found);
        json_decref(bundle);
    }
}


static void
a_conformant_document_has_no_findings(void **state)
{
    json_t *bundle = parse(document);
    abdm_findings_t found = {0};

    (void) state;
    assert_int_equal(abdm_fhir_check_bundle(bundle, &found).code, ABDM_OK);
    print_findings(&found);
    assert_int_equal(found.n, 0);
    abdm_findings_free(&found);
    json_decref(bundle);
}


/* --- clinical resources, of the examples --- */

static const struct {
    const char *file, *type; /* the first resource of that type */
    const char *member, *value, *code, *end; /* end of the pointer */
} clinical[] = {
    {"Prescription", "MedicationRequest", "authoredOn", NULL, "F_MISSING", "/authoredOn"},
    {"Prescription", "MedicationRequest", "medicationCodeableConcept",
     "{'coding':[{'system':'http://snomed.info/sct','code':'1'}]}", "F_MISSING",
     "/medicationCodeableConcept/coding/0/display"},
    {"Prescription", "Composition", "section",
     "[{'code':{'coding':[{'system':'http://snomed.info/sct','code':'440545006','display':"
     "'Prescription record'}]},'entry':[{'reference':'urn:x','type':'Condition'}]}]",
     "F_ENTRY_TYPE", "/section/0/entry/0"},
    {"OPConsultation", "Composition", "encounter", NULL, "F_MISSING", "/encounter"},
    {"OPConsultation", "Condition", "code",
     "{'coding':[{'system':'http://id.who.int/icd/release/11','code':'X','display':'y'}]}",
     "F_CODE_SYSTEM", "/code/coding/0"},
    {"OPConsultation", "AllergyIntolerance", "clinicalStatus",
     "{'coding':[{'system':'http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical',"
     "'code':'Active'}]}", "F_CODE", "/clinicalStatus"},
    {"OPConsultation", "Appointment", "end", NULL, "F_RULE", ""},
    {"DiagnosticReportLab", "DiagnosticReport", "conclusion", NULL, "F_MISSING", "/conclusion"},
    {"DiagnosticReportImaging", "DiagnosticReport", "media", NULL, "F_MISSING", "/media"},
    {"WellnessRecord", "Observation", "valueQuantity", "{'value':78,'unit':'bpm'}", "F_VITAL",
     "/valueQuantity/code"},
    {"WellnessRecord", "Observation", "category", NULL, "F_VITAL", "/category"},
    {"WellnessRecord", "Observation", "effectiveDateTime", NULL, "F_VITAL", "/effective[x]"},
    {"WellnessRecord", "Composition", "type", "{'text':'Wellness record'}", "F_FIXED",
     "/type/text"},
    {"Invoice", "Invoice", "totalNet", NULL, "F_MISSING", "/totalNet"},
    {"ImmunizationRecord", "Immunization", "occurrenceDateTime", NULL, "F_MISSING",
     "/occurrence[x]"},
};


static void
rules_of_clinical_resources_are_kept(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof clinical / sizeof *clinical; i++) {
        char path[256], pointer[256];
        abdm_findings_t found = {0};
        size_t at = 0;
        snprintf(path, sizeof path, EXAMPLES "%s.json", clinical[i].file);
        json_t *bundle = json_load_file(path, 0, NULL);
        if (bundle == NULL)
            return; /* skip() would count as a failure in TAP */
        json_t *entries = json_object_get(bundle, "entry");
        while (strcmp(abdm_json_string_at(json_array_get(entries, at), "resource.resourceType"),
                      clinical[i].type) != 0)
            at++;
        json_t *resource = json_object_get(json_array_get(entries, at), "resource");
        if (clinical[i].value == NULL)
            change(resource, clinical[i].member, NULL);
        else
            change(resource, clinical[i].member, parse(clinical[i].value));
        snprintf(pointer, sizeof pointer, "/entry/%zu/resource%s", at, clinical[i].end);
        assert_int_equal(abdm_fhir_check_bundle(bundle, &found).code, ABDM_OK);
        if (!is_found(&found, clinical[i].code, pointer)) {
            print_findings(&found);
            fail_msg("row %zu: %s", i, clinical[i].member);
        }
        abdm_findings_free(&found);
        json_decref(bundle);
    }
}


/* --- what must not break it --- */

static void
what_is_no_bundle_is_a_finding(void **state)
{
    static const struct { const char *text, *code; } rows[] = {
        {"", "F_JSON"}, {"<html>", "F_JSON"}, {"{\"a\":1,\"a\":2}", "F_JSON"}, {"[]", "F_DOCUMENT"},
        {"7", "F_DOCUMENT"}, {"{}", "F_DOCUMENT"}, {"{\"resourceType\":7}", "F_DOCUMENT"},
        {"{\"resourceType\":\"Bundle\",\"entry\":{}}", "F_NO_ENTRIES"},
        {"{\"resourceType\":\"Bundle\",\"entry\":[null]}", "F_NO_RESOURCE"},
        {"{\"resourceType\":\"Bundle\",\"entry\":[[],7,{\"resource\":{\"resourceType\":[]}}]}",
         "F_COMPOSITION_FIRST"},
    };

    (void) state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        abdm_findings_t found = {0};
        bool there = false;
        assert_int_equal(abdm_fhir_check_bytes(rows[i].text, strlen(rows[i].text), &found).code,
                         ABDM_OK);
        for (size_t k = 0; k < found.n; k++)
            there = there ||
                    strcmp(abdm_finding_info(found.list[k].code)->name, rows[i].code) == 0;
        if (!there)
            fail_msg("row %zu: %s not found", i, rows[i].code);
        abdm_findings_free(&found);
    }
}


/* Each points at the next: no recursion may follow such a chain. */
static void
a_long_chain_of_references_is_walked_to_its_end(void **state)
{
    json_t *bundle = parse(document), *entries = json_object_get(bundle, "entry");
    abdm_findings_t found = {0};
    enum { LINKS = 4000 };

    (void) state;
    json_array_append_new(abdm_json_at(bundle, "entry.0.resource.author"),
                          json_pack("{s:s}", "reference", "urn:x:0"));
    for (int i = 0; i < LINKS; i++) {
        char url[32], next[32];
        snprintf(url, sizeof url, "urn:x:%d", i);
        snprintf(next, sizeof next, "urn:x:%d", i + 1 == LINKS ? 0 : i + 1);
        json_array_append_new(entries, json_pack(
            "{s:s, s:{s:s, s:[{s:{s:s}, s:s, s:s}], s:s, s:{s:s}}}", "fullUrl", url, "resource",
            "resourceType", "Organization", "identifier", "type", "text", "t", "system",
            "https://s", "value", "v", "name", "n", "partOf", "reference", next));
    }
    assert_int_equal(abdm_fhir_check_bundle(bundle, &found).code, ABDM_OK);
    print_findings(&found);
    assert_int_equal(found.errors, 0);
    abdm_findings_free(&found);
    json_decref(bundle);
}


static void
the_list_of_findings_is_bounded_and_all_are_counted(void **state)
{
    json_t *bundle = parse(document), *names = json_array();
    abdm_findings_t found = {0};

    (void) state;
    for (int i = 0; i < ABDM_FINDINGS_MAX + 50; i++)
        json_array_append_new(names, json_pack("{s:s}", "text", ""));
    json_object_set_new(abdm_json_at(bundle, "entry.1.resource"), "name", names);
    assert_int_equal(abdm_fhir_check_bundle(bundle, &found).code, ABDM_OK);
    assert_int_equal(found.n, ABDM_FINDINGS_MAX);
    assert_int_equal(found.errors, ABDM_FINDINGS_MAX + 50);
    abdm_findings_free(&found);
    json_decref(bundle);
}


static void
the_report_names_code_place_and_remedy(void **state)
{
    char *report;
    json_t *value;

    (void) state;
    assert_int_equal(abdm_fhir_check("{}", 2, &report).code, ABDM_OK);
    assert_int_equal(abdm_json_parse(report, strlen(report), 8, &value).code, ABDM_OK);
    assert_int_equal(json_integer_value(json_object_get(value, "errors")), 1);
    assert_string_equal(abdm_json_string_at(value, "findings.0.code"), "F_DOCUMENT");
    assert_string_equal(abdm_json_string_at(value, "findings.0.severity"), "error");
    assert_non_null(abdm_json_at(value, "findings.0.pointer"));
    assert_non_null(abdm_json_string_at(value, "findings.0.remedy"));
    json_decref(value);
    free(report);
}


/* --- the table --- */

static void
every_shape_is_found_and_names_others_that_exist(void **state)
{
    static const char *const names[] = {
        "Bundle", "Composition", "Patient", "nrces/Patient", "nrces/OPConsultRecord", "vitals/bp",
        "Element", "AllergyIntolerance", "vitals/vitalspanel", "nrces/WellnessRecord",
    };

    (void) state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const abdm_shape_t *shape = abdm_shape(abdm_str(names[i]));
        assert_non_null(shape);
        assert_true(*shape->common == '\0' || abdm_shape(abdm_str(shape->common)) != NULL);
        abdm_elements_t rows = abdm_shape_rows(shape);
        assert_true(rows.first < rows.end && rows.first->depth == 1);
    }
    assert_null(abdm_shape(ABDM_LIT("")));
    assert_null(abdm_shape(ABDM_LIT("Patien")));
    assert_null(abdm_shape(ABDM_LIT("Patients")));
}


static void
value_sets_know_their_codes_whole(void **state)
{
    (void) state;
    assert_true(abdm_value_set_has("administrative-gender", NULL, "male"));
    assert_false(abdm_value_set_has("administrative-gender", NULL, "Male"));
    assert_false(abdm_value_set_has("administrative-gender", NULL, "mal"));
    assert_false(abdm_value_set_has("administrative-gender", NULL, "male other"));
    assert_false(abdm_value_set_has("administrative-gender", "http://other", "male"));
    assert_true(abdm_value_set_has("a set that is not there", NULL, "x"));
}


/* Each relative reference below such a name would cost a copy of it. */
static void
an_endless_full_url_is_refused(void **state)
{
    json_t *bundle = parse(document);
    char url[ABDM_FHIR_URL_MAX + 2] = "https://h/";
    abdm_findings_t found = {0};
    size_t len = strlen(url);

    (void) state;
    memset(url + len, 'a', sizeof url - 1 - len);
    url[sizeof url - 1] = '\0';
    for (int longer = 1; longer >= 0; longer--) {
        url[ABDM_FHIR_URL_MAX + longer] = '\0';
        change(bundle, "entry.1.fullUrl", json_string(url));
        change(bundle, "entry.0.resource.subject.reference", json_string(url));
        change(bundle, "entry.3.resource.subject.reference", json_string(url));
        assert_int_equal(abdm_fhir_check_bundle(bundle, &found).code, ABDM_OK);
        assert_int_equal(found.errors, longer);
        if (longer)
            assert_string_equal(found.list[0].pointer, "/entry/1/fullUrl");
        abdm_findings_free(&found);
    }
    json_decref(bundle);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_conformant_document_has_no_findings),
        cmocka_unit_test(each_fault_has_its_code_at_its_place),
        cmocka_unit_test(rules_of_clinical_resources_are_kept),
        cmocka_unit_test(what_is_no_bundle_is_a_finding),
        cmocka_unit_test(a_long_chain_of_references_is_walked_to_its_end),
        cmocka_unit_test(an_endless_full_url_is_refused),
        cmocka_unit_test(the_list_of_findings_is_bounded_and_all_are_counted),
        cmocka_unit_test(the_report_names_code_place_and_remedy),
        cmocka_unit_test(every_shape_is_found_and_names_others_that_exist),
        cmocka_unit_test(value_sets_know_their_codes_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
