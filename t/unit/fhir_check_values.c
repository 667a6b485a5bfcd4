/* The checker's word on single values and on the rules that FHIR has for types and resources. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "check_kit.h"

#define UCUM "'system':'http://unitsofmeasure.org'"
#define OBSERVATION                                                                                \
    "{'resourceType':'Observation','status':'final','subject':{'reference':'" URN "2'},"
#define CONDITION                                                                                  \
    "{'resourceType':'Condition','subject':{'reference':'" URN "2'},'code':{'text':'x'},"
#define ALLERGY                                                                                    \
    "{'resourceType':'AllergyIntolerance','patient':{'reference':'" URN "2'},"                     \
    "'code':{'text':'x'}"
#define AT_TERMINOLOGY(list) "'system':'http://terminology.hl7.org/CodeSystem/" list "'"


/* Checks the document after a change: `code` is found at `pointer` (NULL: nothing but a resource
 * that nothing names). */
static void
check(const char *path, const char *value, const char *code, const char *pointer)
{
    json_t *bundle = parse(document);
    abdm_findings_t found = {0};
    bool right;

    change(bundle, path, parse(value));
    assert_int_equal(abdm_fhir_check_bundle(bundle, &found).code, ABDM_OK);
    if (code != NULL) {
        right = is_found(&found, code, pointer);
    } else {
        right = !is_found(&found, "F_RULE", pointer) && !is_found(&found, "F_FORMAT", pointer) &&
                !is_found(&found, "F_DATE", pointer) && !is_found(&found, "F_SHAPE", pointer) &&
                !is_found(&found, "F_EMPTY", pointer) && !is_found(&found, "F_CODE", pointer);
    }
    if (!right) {
        print_findings(&found);
        fail_msg("%s: %s", value, code == NULL ? "nothing expected" : code);
    }
    abdm_findings_free(&found);
    json_decref(bundle);
}


/* --- primitive types, as values of an extension --- */

static const struct {
    const char *type, *value, *code; /* NULL: good */
} values[] = {
    {"Boolean", "true", NULL},
    {"Boolean", "false", NULL},
    {"Boolean", "1", "F_FORMAT"},
    {"Decimal", "-0.5", NULL},
    {"Decimal", "7", NULL},
    {"Decimal", "'7'", "F_SHAPE"},
    {"Integer", "-3", NULL},
    {"Integer", "3.5", "F_FORMAT"},
    {"Integer", "true", "F_SHAPE"},
    {"UnsignedInt", "0", NULL},
    {"UnsignedInt", "-1", "F_FORMAT"},
    {"UnsignedInt", "1.5", "F_FORMAT"},
    {"PositiveInt", "1", NULL},
    {"PositiveInt", "0", "F_FORMAT"},
    {"PositiveInt", "1.5", "F_FORMAT"},
    {"String", "7", "F_SHAPE"},
    {"String", "''", "F_EMPTY"},
    {"String", "' '", "F_EMPTY"},
    {"Code", "'a b'", NULL},
    {"Code", "' a'", "F_FORMAT"},
    {"Code", "'a '", "F_FORMAT"},
    {"Code", "'a  b'", "F_FORMAT"},
    {"Id", "'A-1.b'", NULL},
    {"Id", "'a_b'", "F_FORMAT"},
    {"Id", "'0123456789012345678901234567890123456789012345678901234567890123'", NULL},
    {"Id", "'01234567890123456789012345678901234567890123456789012345678901234'", "F_FORMAT"},
    {"Id", "'/'", "F_FORMAT"},
    {"Uri", "'a b'", "F_FORMAT"},
    {"Uri", "'urn:x'", NULL},
    {"Oid", "'urn:oid:1.2.840'", NULL},
    {"Oid", "'urn:oid:2.16'", NULL},
    {"Oid", "'1.2.840'", "F_FORMAT"},
    {"Oid", "'urn:oid:3.1'", "F_FORMAT"},
    {"Oid", "'urn:oid:/.1'", "F_FORMAT"},
    {"Oid", "'urn:oid:12'", "F_FORMAT"},
    {"Oid", "'urn:oid:1.x'", "F_FORMAT"},
    {"Uuid", "'urn:uuid:0123abcd-0000-4000-8000-00000000000f'", NULL},
    {"Uuid", "'urn:uuid:0123ABCD-0000-4000-8000-00000000000f'", "F_FORMAT"},
    {"Uuid", "'urn:uuid:0123abcd_0000-4000-8000-00000000000f'", "F_FORMAT"},
    {"Uuid", "'urn:uuid:0123abcd-0000-4000-8000-00000000000'", "F_FORMAT"},
    {"Uuid", "'urn:uuid:0123abcd-0000-4000-8000-00000000000f0'", "F_FORMAT"},
    {"Uuid", "'0123abcd-0000-4000-8000-00000000000f'", "F_FORMAT"},
    {"Time", "'23:59:60'", NULL},
    {"Time", "'10:15:00.125'", NULL},
    {"Time", "'24:00:00'", "F_DATE"},
    {"Time", "'10:60:00'", "F_DATE"},
    {"Time", "'10:15:61'", "F_DATE"},
    {"Time", "'10-15:00'", "F_DATE"},
    {"Time", "'10:15-00'", "F_DATE"},
    {"Time", "'10:15:00.'", "F_DATE"},
    {"Time", "'10:15:00Z'", "F_DATE"},
    {"Time", "'1a:15:00'", "F_DATE"},
    {"Time", "'a1:15:00'", "F_DATE"},
    {"Time", "'1/:15:00'", "F_DATE"},
    {"Time", "'/1:15:00'", "F_DATE"},
    {"Date", "'2026'", NULL},
    {"Date", "'2026-03'", NULL},
    {"Date", "'2000-02-29'", NULL},
    {"Date", "'1900-02-29'", "F_DATE"},
    {"Date", "'2023-02-29'", "F_DATE"},
    {"Date", "'2023-02-28'", NULL},
    {"Date", "'2026-04-31'", "F_DATE"},
    {"Date", "'2026-13'", "F_DATE"},
    {"Date", "'2026-00'", "F_DATE"},
    {"Date", "'2026-03-00'", "F_DATE"},
    {"Date", "'2026-03-32'", "F_DATE"},
    {"Date", "'2026/03/01'", "F_DATE"},
    {"Date", "'2026-03/01'", "F_DATE"},
    {"Date", "'202'", "F_DATE"},
    {"Date", "'20x6'", "F_DATE"},
    {"Date", "'today'", "F_DATE"},
    {"DateTime", "'2026-03-01T10:15:00Z'", NULL},
    {"DateTime", "'2026-03-01T10:15:00.5-09:30'", NULL},
    {"DateTime", "'2026-03-01T10:15:00+14:00'", NULL},
    {"DateTime", "'2026-03-01T10:15:00+15:00'", "F_DATE"},
    {"DateTime", "'2026-03-01T10:15:00+05.30'", "F_DATE"},
    {"DateTime", "'2026-03-01T10:15:00+05:60'", "F_DATE"},
    {"DateTime", "'2026-03-01T10:15:00+05:300'", "F_DATE"},
    {"DateTime", "'2026-03-01T10:15'", "F_DATE"},
    {"DateTime", "'2026-03-01 10:15:00Z'", "F_DATE"},
    {"Instant", "'2026-03-01'", "F_DATE"},
    {"Base64Binary", "'AAEC'", NULL},
    {"Base64Binary", "'AA==\\nAA=='", "F_BASE64"},
    {"Base64Binary", "'AA ==\\t'", NULL},
    {"Base64Binary", "'A==='", "F_BASE64"},
    {"Base64Binary", "'AAE'", "F_BASE64"},
};


static void
a_value_has_the_form_of_its_type(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        char extension[256], pointer[96];

        snprintf(extension, sizeof extension, "[{'url':'https://e','value%s':%s}]", values[i].type,
                 values[i].value);
        snprintf(pointer, sizeof pointer, "/entry/1/resource/extension/0/value%s", values[i].type);
        check("entry.1.resource.extension", extension, values[i].code, pointer);
    }
}


static void
a_media_type_has_two_parts(void **state)
{
    static const struct {
        const char *type, *code;
    } rows[] = {
        {"'text/plain; charset=utf-8'", NULL},
        {"'application/fhir+json'", NULL},
        {"'text/plain ;a=b'", NULL},
        {"'text/'", "F_CODE"},
        {"'/plain'", "F_CODE"},
        {"'text/plain x'", "F_CODE"},
        {"'text plain'", "F_CODE"},
    };

    (void) state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        check("entry.3.resource.content.0.attachment.contentType", rows[i].type, rows[i].code,
              "/entry/3/resource/content/0/attachment/contentType");
}


static void
a_narrative_is_a_div_of_xhtml(void **state)
{
    static const struct {
        const char *div, *code;
    } rows[] = {
        {"'<div xmlns=\\'http://www.w3.org/1999/xhtml\\'>x</div>'", NULL},
        {"'<p xmlns=\\'http://www.w3.org/1999/xhtml\\'>x</p>'", "F_NARRATIVE"},
        {"'<div>x</div>'", "F_NARRATIVE"},
        {"'<div><p xmlns=\\'http://www.w3.org/1999/xhtml\\'>x</p></div>'", "F_NARRATIVE"},
        {"'<div'", "F_NARRATIVE"},
    };
    char text[256];

    (void) state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        snprintf(text, sizeof text, "{'status':'generated','div':%s}", rows[i].div);
        check("entry.1.resource.text", text, rows[i].code, "/entry/1/resource/text/div");
    }
}


/* --- rules of types, as values of an extension --- */

static const struct {
    const char *type, *value, *code;
} shapes[] = {
    {"Period", "{'start':'2026-03-02','end':'2026-03-01'}", "F_RULE"},
    {"Period", "{'start':'2026-03-01','end':'2026-03-01T00:00:00Z'}", NULL},
    {"Period", "{'end':'2026-03-01'}", NULL},
    {"Period", "{'start':'2026-03-01'}", NULL},
    {"Range", "{'low':{'value':2},'high':{'value':1}}", "F_RULE"},
    {"Range", "{'low':{'value':2},'high':{'value':2}}", NULL},
    {"Range", "{'low':{'value':2}}", NULL},
    {"Range", "{'high':{'value':2}}", NULL},
    {"Ratio", "{'numerator':{'value':1}}", "F_RULE"},
    {"Ratio", "{'denominator':{'value':1}}", "F_RULE"},
    {"Ratio", "{'numerator':{'value':1},'denominator':{'value':2}}", NULL},
    {"Ratio", "{'extension':[{'url':'https://e','valueString':'none'}]}", NULL},
    {"Ratio", "{'id':'r'}", "F_RULE"},
    {"Age", "{'value':40,'code':'a'," UCUM "}", NULL},
    {"Age", "{'value':40}", "F_RULE"},
    {"Age", "{'value':0,'code':'a'," UCUM "}", "F_RULE"},
    {"Age", "{'value':40,'code':'a','system':'https://units.example'}", "F_RULE"},
    {"Age", "{'code':'a'," UCUM "}", NULL},
    {"Duration", "{'value':1,'code':'h'," UCUM "}", NULL},
    {"Duration", "{'value':1,'code':'h','system':'https://units.example'}", "F_RULE"},
    {"Duration", "{'value':1}", NULL},
};


static void
types_keep_their_invariants(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        char extension[256], pointer[96];

        snprintf(extension, sizeof extension, "[{'url':'https://e','value%s':%s}]", shapes[i].type,
                 shapes[i].value);
        snprintf(pointer, sizeof pointer, "/entry/1/resource/extension/0/value%s", shapes[i].type);
        check("entry.1.resource.extension", extension, shapes[i].code, pointer);
    }
    check("entry.1.resource.extension",
          "[{'url':'https://e','valueTiming':{'repeat':{'duration':-1,'durationUnit':'h'}}}]",
          "F_RULE", "/entry/1/resource/extension/0/valueTiming/repeat");
    check("entry.1.resource.extension",
          "[{'url':'https://e','valueTiming':{'repeat':{'period':-1,'periodUnit':'h'}}}]", "F_RULE",
          "/entry/1/resource/extension/0/valueTiming/repeat");
}


/* --- rules of resources, as a fifth entry --- */

static const struct {
    const char *resource, *code;
} resources[] = {
    {OBSERVATION "'code':{'text':'x'},'valueString':'a','dataAbsentReason':{'text':'b'}}",
     "F_RULE"},
    {OBSERVATION "'code':{'coding':[{'system':'http://loinc.org','code':'1-8'}]},'valueString':'a',"
                 "'component':[{'code':{'coding':[{'system':'http://loinc.org','code':'1-8'}]}}]}",
     "F_RULE"},
    {OBSERVATION "'code':{'coding':[{'system':'http://loinc.org','code':'1-8'}]},'valueString':'a',"
                 "'component':[{'code':{'text':'y'}},{'code':{'coding':[{'system':"
                 "'http://loinc.org','code':'2-6'}]}}]}",
     NULL},
    {CONDITION "'abatementString':'last week'}", "F_RULE"},
    {CONDITION "'abatementString':'last week','clinicalStatus':{'coding':["
               "{" AT_TERMINOLOGY("condition-clinical") ",'code':'active'}]}}",
     "F_RULE"},
    {CONDITION "'abatementString':'last week','clinicalStatus':{'coding':["
               "{" AT_TERMINOLOGY("condition-clinical") ",'code':'remission'}]}}",
     NULL},
    {CONDITION "'abatementString':'last week','clinicalStatus':{'coding':["
               "{" AT_TERMINOLOGY("condition-clinical") ",'code':'mission'}]}}",
     "F_RULE"},
    {CONDITION "'clinicalStatus':{'coding':[{" AT_TERMINOLOGY(
         "condition-clinical") ",'code':"
                               "'active'}]},'verificationStatus':{'coding':[{" AT_TERMINOLOGY(
                                   "condition-ver-status") ",'code':'entered-in-error'}]}}",
     "F_RULE"},
    {ALLERGY "}", "F_RULE"},
    {ALLERGY ",'verificationStatus':{'coding':[{" AT_TERMINOLOGY(
         "allergyintolerance-verification") ",'code':'entered-in-error'}]}}",
     NULL},
    {"{'resourceType':'Appointment','status':'booked','participant':[{'status':'accepted','actor':"
     "{'reference':'" URN "2'}}]}",
     "F_RULE"},
    {"{'resourceType':'Appointment','status':'waitlist','participant':[{'status':'accepted','actor'"
     ":"
     "{'reference':'" URN "2'}}]}",
     NULL},
    {"{'resourceType':'Appointment','status':'proposed','cancelationReason':{'text':'x'},"
     "'participant':[{'status':'accepted','actor':{'reference':'" URN "2'}}]}",
     "F_RULE"},
    {"{'resourceType':'Appointment','status':'noshow','cancelationReason':{'text':'x'},"
     "'start':'2026-03-01T10:15:00Z','end':'2026-03-01T10:30:00Z',"
     "'participant':[{'status':'accepted','actor':{'reference':'" URN "2'}}]}",
     NULL},
    {"{'resourceType':'Appointment','status':'cancelled','cancelationReason':{'text':'x'},"
     "'participant':[{'status':'accepted','actor':{'reference':'" URN "2'}}]}",
     NULL},
    {"{'resourceType':'Organization','active':true}", "F_RULE"},
};


static void
resources_keep_their_invariants(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof resources / sizeof *resources; i++) {
        char entry[1024];

        snprintf(entry, sizeof entry, "{'fullUrl':'" URN "5','resource':%s}",
                 resources[i].resource);
        check("entry.4", entry, resources[i].code, "/entry/4/resource");
    }
}


/* --- contained resources --- */

static void
what_is_contained_is_named_has_no_version_and_contains_nothing(void **state)
{
    static const char named[] = "{'reference':'#a'}";
    static const struct {
        const char *contained, *code;
    } rows[] = {
        {"[{'resourceType':'Organization','id':'a','name':'n'}]", NULL},
        {"[{'resourceType':'Organization','id':'a','name':'n','meta':{'versionId':'1'}}]",
         "F_RULE"},
        {"[{'resourceType':'Organization','id':'a','name':'n','meta':{'lastUpdated':"
         "'2026-03-01T10:15:00Z'}}]",
         "F_RULE"},
        {"[{'resourceType':'Organization','id':'a','name':'n','meta':{'security':[{'code':'R'}]}}]",
         "F_RULE"},
    };

    (void) state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        json_t *bundle = parse(document);
        abdm_findings_t found = {0};

        change(bundle, "entry.1.resource.managingOrganization", parse(named));
        change(bundle, "entry.1.resource.contained", parse(rows[i].contained));
        assert_int_equal(abdm_fhir_check_bundle(bundle, &found).code, ABDM_OK);
        if (is_found(&found, "F_RULE", "/entry/1/resource/contained/0/meta") !=
            (rows[i].code != NULL)) {
            print_findings(&found);
            fail_msg("%s", rows[i].contained);
        }
        assert_false(is_found(&found, "F_RULE", "/entry/1/resource/contained/0"));
        abdm_findings_free(&found);
        json_decref(bundle);
    }
    check("entry.1.resource.contained",
          "[{'resourceType':'Organization','name':'n','contained':[{'resourceType':'Organization',"
          "'name':'m'}]}]",
          "F_RULE", "/entry/1/resource/contained/0/contained");
}


/* --- what stands beside a value, and shapes that are those of another element --- */

static void
extensions_of_a_value_stand_beside_it(void **state)
{
    static const char given[] = "/entry/1/resource/name/0/_given";
    static const struct {
        const char *names, *code, *pointer;
    } rows[] = {
        {"[{'given':['A',null],'_given':[null,{'extension':[{'url':'https://e','valueCode':'x'}]}]}]",
         NULL, given},
        {"[{'given':['A',null],'_given':[null,null]}]", "F_EMPTY",
         "/entry/1/resource/name/0/given/1"},
        {"[{'given':['A',null]}]", "F_EMPTY", "/entry/1/resource/name/0/given/1"},
        {"[{'given':['A'],'_given':['B']}]", "F_SHAPE", "/entry/1/resource/name/0/_given/0"},
        {"[{'given':['A'],'_given':[{'x':1}]}]", "F_UNKNOWN_ELEMENT",
         "/entry/1/resource/name/0/_given/0/x"},
        {"[{'given':['A'],'_given':'B'}]", "F_SHAPE", given},
        {"[{'given':['A'],'_given':[]}]", "F_SHAPE", given},
    };

    (void) state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        check("entry.1.resource.name", rows[i].names, rows[i].code, rows[i].pointer);
}


static void
elements_that_have_the_shape_of_another_are_checked_by_it(void **state)
{
    (void) state;
    check("entry.4",
          "{'fullUrl':'" URN "5','resource':" OBSERVATION "'code':{'text':'x'},'component':["
          "{'code':{'text':'y'},'referenceRange':[{'low':7}]}]}}",
          "F_SHAPE", "/entry/4/resource/component/0/referenceRange/0/low");
    check("entry.0.resource.section.0.section", "[{'title':'inner','entries':[]}]",
          "F_UNKNOWN_ELEMENT", "/entry/0/resource/section/0/section/0/entries");
    check("entry.0.resource.section.0.section", "['inner']", "F_SHAPE",
          "/entry/0/resource/section/0/section/0");
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_has_the_form_of_its_type),
        cmocka_unit_test(a_media_type_has_two_parts),
        cmocka_unit_test(a_narrative_is_a_div_of_xhtml),
        cmocka_unit_test(types_keep_their_invariants),
        cmocka_unit_test(resources_keep_their_invariants),
        cmocka_unit_test(what_is_contained_is_named_has_no_version_and_contains_nothing),
        cmocka_unit_test(extensions_of_a_value_stand_beside_it),
        cmocka_unit_test(elements_that_have_the_shape_of_another_are_checked_by_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
