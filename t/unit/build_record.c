/* Records in plain form and what they become: splitting, values, vital signs, codes, refusals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "build_records.h"
#include "fhir/check.h"
#include "fhir/codes.h"
#include "fhir/dates.h"

#define HEAD                                                                                       \
    "\"careContextReference\":\"OPD-1\",\"authoredOn\":\"2026-03-05T10:55:00+05:30\","             \
    "\"patient\":{\"patientReference\":\"P-1\"}"
#define PDF "\"contentType\":\"application/pdf\",\"data\":\"JVBERi0xLjQK\""


static abdm_fhir_bundles_t
built_with(const abdm_fhir_options_t *options, const char *text)
{
    abdm_fhir_bundles_t made;
    char problem[512];
    abdm_err_t err = abdm_fhir_build(text, strlen(text), options, &made, problem);

    if (abdm_failed(err))
        fail_msg("%s: %s", text, problem);
    return made;
}


/* The n-th resource of a type in a bundle, each kept to its own text; the caller decrefs. */
static json_t *
resource(const char *bundle, const char *type, size_t n)
{
    json_t *b, *entry, *found = NULL;
    size_t i;

    assert_int_equal(
        abdm_json_parse_exact(bundle, strlen(bundle), ABDM_JSON_DEPTH_FHIR, &b).code, ABDM_OK);
    json_array_foreach(json_object_get(b, "entry"), i, entry) {
        if (strcmp(abdm_json_string_at(entry, "resource.resourceType"), type) == 0 && n-- == 0) {
            found = json_incref(json_object_get(entry, "resource"));
            break;
        }
    }
    json_decref(b);
    return found;
}


static json_t *
observation_of(const char *item)
{
    char text[2048];

    snprintf(text, sizeof text, "{\"bundleType\":\"OPConsultRecord\"," HEAD
             ",\"physicalExaminations\":[%s]}", item);
    abdm_fhir_bundles_t made = built_with(&facility, text);
    json_t *o = resource(made.texts[0], "Observation", 0);
    assert_non_null(o);
    abdm_fhir_bundles_free(&made);
    return o;
}


static void
expect_at(const json_t *value, const char *path, const char *expected)
{
    const char *z = abdm_json_string_at(value, path);

    if (expected == NULL ? z != NULL : z == NULL || strcmp(z, expected) != 0)
        fail_msg("%s is %s instead of %s", path, z == NULL ? "nothing" : z,
                 expected == NULL ? "nothing" : expected);
}


static void
expect_refused(const abdm_fhir_options_t *options, const char *text, abdm_code_t code,
               const char *where, const char *said)
{
    abdm_fhir_bundles_t made;
    char problem[512];
    abdm_err_t err = abdm_fhir_build(text, strlen(text), options, &made, problem);

    if (err.code != code || strncmp(problem, where, strlen(where)) != 0 ||
        strstr(problem, said) == NULL)
        fail_msg("%s: %s %s", text, abdm_error_info(err.code)->name, problem);
    assert_int_equal(made.n, 0);
    assert_null(made.texts);
}


/* --- all records --- */

static void
build_twice(const char *name, const char *text)
{
    abdm_fhir_bundles_t a = built_with(&facility, text), b = built_with(&facility, text);

    assert_int_equal(a.n, b.n);
    for (size_t i = 0; i < a.n; i++) {
        abdm_findings_t found = {0};
        assert_string_equal(a.texts[i], b.texts[i]);
        assert_int_equal(a.lengths[i], strlen(a.texts[i]));
        assert_int_equal(abdm_fhir_check_bytes(a.texts[i], a.lengths[i], &found).code, ABDM_OK);
        const abdm_finding_t *first = abdm_findings_first_error(&found);
        if (first != NULL)
            fail_msg("%s: %s %s", name, first->pointer, first->text);
        abdm_findings_free(&found);
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(a.texts[i], a.texts[k]);
    }
    abdm_fhir_bundles_free(&a);
    abdm_fhir_bundles_free(&b);
}


static void
every_record_becomes_the_same_conformant_documents_each_time(void **state)
{
    (void) state;
    assert_true(for_records(build_twice) >= 60);
}


static void
a_record_becomes_as_many_documents_as_the_profile_wants(void **state)
{
    static const struct {
        const char *name;
        size_t n;
    } rows[] = {
        {"op_rich.json", 1},       {"rx_rich.json", 1},      {"rx_two_documents.json", 3},
        {"lab_rich.json", 1},      {"lab_three.json", 3},    {"lab_only_file.json", 2},
        {"imm_rich.json", 1},      {"doc_rich.json", 1},     {"dis_rich.json", 1},
        {"inv_rich.json", 1},      {"wel_rich.json", 1},
    };

    (void) state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *text = record_text(rows[i].name);
        abdm_fhir_bundles_t made = built_with(&facility, text);
        if (made.n != rows[i].n)
            fail_msg("%s: %zu documents", rows[i].name, made.n);
        abdm_fhir_bundles_free(&made);
        free(text);
    }
}


static void
two_records_of_a_visit_never_share_an_id(void **state)
{
    static const char first[] = "{\"bundleType\":\"PrescriptionRecord\"," HEAD
                                ",\"prescriptions\":[{\"medicine\":\"A\",\"dosage\":\"1\"}]}";
    static const char second[] = "{\"bundleType\":\"PrescriptionRecord\"," HEAD
                                 ",\"prescriptions\":[{\"medicine\":\"B\",\"dosage\":\"1\"}]}";
    abdm_fhir_bundles_t a = built_with(&facility, first), b = built_with(&facility, second);
    json_t *x = resource(a.texts[0], "Composition", 0), *y = resource(b.texts[0], "Composition", 0);

    (void) state;
    assert_string_not_equal(abdm_json_string_at(x, "id"), abdm_json_string_at(y, "id"));
    json_decref(x);
    json_decref(y);
    abdm_fhir_bundles_free(&a);
    abdm_fhir_bundles_free(&b);
}


/* --- values --- */

static void
a_decimal_keeps_its_text(void **state)
{
    static const char *const numbers[] = {"72.50", "0.10", "1.0e-7", "-3", "100"};

    (void) state;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        char item[256];
        snprintf(item, sizeof item,
                 "{\"observation\":\"X\",\"valueQuantity\":{\"value\":%s,\"unit\":\"mg\"}}",
                 numbers[i]);
        json_t *o = observation_of(item);
        expect_at(o, "valueQuantity.value", numbers[i]);
        expect_at(o, "valueQuantity.code", "mg");
        json_decref(o);
    }
    json_t *o = observation_of("{\"observation\":\"X\",\"valueQuantity\":{\"value\":"
                               "1234567890123456789012345,\"unit\":\"mg\"}}");
    expect_at(o, "valueString", "1234567890123456789012345 mg");
    json_decref(o);
}


static void
a_vital_sign_is_coded_only_when_it_is_whole(void **state)
{
    static const struct {
        const char *item, *path, *expected;
    } rows[] = {
        {"{\"observation\":\"Pulse\",\"result\":\"72 bpm\"}", "code.coding.0.code", "8867-4"},
        {"{\"observation\":\"Pulse\",\"result\":\"72\"}", "code.coding.0.code", NULL},
        {"{\"observation\":\"Pulse\",\"result\":\"72\"}", "valueString", "72"},
        {"{\"observation\":\"Pulse\",\"result\":\"72 mg\"}", "code.coding.0.code", NULL},
        {"{\"observation\":\"Pulse of left foot\",\"result\":\"72 bpm\"}", "code.coding.0.code",
         NULL},
        {"{\"observation\":\"BP\",\"result\":\"120/80\"}", "code.coding.0.code", "85354-9"},
        {"{\"observation\":\"BP\",\"result\":\"120/80\"}", "component.1.valueQuantity.code",
         "mm[Hg]"},
        {"{\"observation\":\"BP\",\"result\":\"120/80\"}", "valueString", NULL},
        {"{\"observation\":\"BP\",\"result\":\"16/10.7 kPa\"}", "code.coding.0.code", NULL},
        {"{\"observation\":\"BP\",\"result\":\"80/120\"}", "code.coding.0.code", NULL},
        {"{\"observation\":\"BP\",\"result\":\"80/120\"}", "valueString", "80/120"},
        {"{\"observation\":\"Temp\",\"loinc\":\"8310-5\",\"result\":\"37.0 \xc2\xb0"
         "C\"}", "valueQuantity.code", "Cel"},
        {"{\"observation\":\"Temp\",\"loinc\":\"8310-5\",\"result\":\"warm\"}",
         "code.coding.0.code", NULL},
        {"{\"observation\":\"SpO2\",\"valueQuantity\":{\"value\":\">95\",\"unit\":\"%\"}}",
         "code.coding.0.code", NULL},
        {"{\"observation\":\"SpO2\",\"valueQuantity\":{\"value\":\">95\",\"unit\":\"%\"}}",
         "valueQuantity.comparator", ">"},
        {"{\"observation\":{\"text\":\"HR\",\"system\":\"LOINC\",\"code\":\"8867-4\"},"
         "\"result\":\"80 bpm\"}", "code.text", "HR"},
        {"{\"observation\":{\"text\":\"HR\",\"system\":\"LOINC\",\"code\":\"8867-4\"},"
         "\"result\":\"fast\"}", "code.text", "HR (8867-4)"},
        {"{\"observation\":\"5 day fever\",\"result\":\"5 days back\"}", "valueString",
         "5 days back"},
    };

    (void) state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        json_t *o = observation_of(rows[i].item);
        expect_at(o, rows[i].path, rows[i].expected);
        json_decref(o);
    }
}


/* --- codes --- */

static void
a_coding_is_sent_only_for_an_exact_code_of_an_allowed_system(void **state)
{
    static const struct {
        const char *complaint, *code, *text;
    } rows[] = {
        {"\"Fever\"", NULL, "Fever"},
        {"{\"text\":\"Fever\",\"system\":\"http://snomed.info/sct\",\"code\":\"386661006\"}",
         "386661006", "Fever"},
        {"{\"text\":\"Fever\",\"system\":\"SNOMED CT\",\"code\":\"386661007\"}", NULL,
         "Fever (386661007)"}, /* its check digit is wrong */
        {"{\"text\":\"Hypertension\",\"system\":\"ICD-10\",\"code\":\"I10\"}", "I10",
         "Hypertension"},
        {"{\"text\":\"Backache\",\"system\":\"ICD-11\",\"code\":\"ME84.2\"}", NULL,
         "Backache (ME84.2)"},
        {"{\"text\":\"Fever\",\"system\":\"LOCAL\",\"code\":\"F-1\"}", NULL, "Fever"},
        {"{\"text\":\"Fever\",\"code\":\"386661006\"}", NULL, "Fever"},
        {"{\"text\":\"Glucose\",\"system\":\"LOINC\",\"code\":\"2339-0\"}", NULL,
         "Glucose (2339-0)"},
    };

    (void) state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[1024];
        snprintf(text, sizeof text, "{\"bundleType\":\"OPConsultRecord\"," HEAD
                 ",\"chiefComplaints\":[{\"complaint\":%s}]}", rows[i].complaint);
        abdm_fhir_bundles_t made = built_with(&facility, text);
        json_t *c = resource(made.texts[0], "Condition", 0);
        expect_at(c, "code.coding.0.code", rows[i].code);
        expect_at(c, "code.text", rows[i].text);
        json_decref(c);
        abdm_fhir_bundles_free(&made);
    }
}


static void
a_look_up_table_codes_equal_texts_and_no_others(void **state)
{
    static const char csv[] = "field,local,system,code,display\r\n"
                              "medicine,PCM,SNOMED CT,387517004,Paracetamol\r\n"
                              "complaint,PCM,ICD-10,I10,\"Essential, primary "
                              "\"\"hypertension\"\"\"\n"
                              ",Fever,http://snomed.info/sct,386661006,Fever\n";
    static const char record[] = "{\"bundleType\":\"OPConsultRecord\"," HEAD
        ",\"chiefComplaints\":[\"Fever\",\"fever\",\"PCM\"],"
        "\"medications\":[{\"medicine\":\"PCM\",\"dosage\":\"1\"}],"
        "\"physicalExaminations\":[{\"observation\":\"PCM\"}]}";
    static const struct {
        const char *type;
        size_t n;
        const char *path, *expected;
    } rows[] = {
        {"Condition", 0, "code.coding.0.code", "386661006"},
        {"Condition", 1, "code.coding.0.code", NULL},
        {"Condition", 2, "code.coding.0.display", "Essential, primary \"hypertension\""},
        {"MedicationRequest", 0, "medicationCodeableConcept.coding.0.code", "387517004"},
        {"Observation", 0, "code.coding.0.code", NULL},
    };
    abdm_fhir_options_t options = facility;

    (void) state;
    options.codes_csv = csv;
    abdm_fhir_bundles_t made = built_with(&options, record);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        json_t *r = resource(made.texts[0], rows[i].type, rows[i].n);
        expect_at(r, rows[i].path, rows[i].expected);
        json_decref(r);
    }
    abdm_fhir_bundles_free(&made);
}


static void
a_look_up_table_with_a_fault_is_refused_by_its_line(void **state)
{
    static const struct {
        const char *csv, *said;
    } rows[] = {
        {"local,code\n", "line 1"},
        {"field,local,system,code,display\n,a,LOCAL,1,x\n", "line 2: system"},
        {"field,local,system,code,display\n,a,SNOMED,387517005,x\n", "line 2: code"},
        {"field,local,system,code,display\n,a,LOINC,2339-0,\n", "line 2: display"},
        {"field,local,system,code,display\n,,LOINC,2339-0,x\n", "line 2: local"},
        {"field,local,system,code,display\n,a,LOINC\n", "line 2: five"},
        {"field,local,system,code,display\n,a,ICD10,I10,x\n,a,ICD10,I11,y\n", "two rows"},
    };

    (void) state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        abdm_codes_t *codes;
        char problem[128];
        assert_int_equal(abdm_codes_new(abdm_str(rows[i].csv), problem, &codes).code,
                         ABDM_E_CONFIG);
        assert_null(codes);
        if (strstr(problem, rows[i].said) == NULL)
            fail_msg("%s instead of %s", problem, rows[i].said);
    }
}


/* --- dates --- */

static void
dates_of_hospitals_become_dates_of_fhir(void **state)
{
    static const struct {
        const char *given;
        abdm_fhir_precision_t precision;
        const char *expected; /* NULL: refused */
    } rows[] = {
        {"2026-03-05", ABDM_FHIR_DAY, "2026-03-05"},
        {"2026-03-05", ABDM_FHIR_INSTANT, "2026-03-05T00:00:00+05:30"},
        {"2026-03-05T10:55", ABDM_FHIR_TIME, "2026-03-05T10:55:00+05:30"},
        {"2026-03-05 10:55:01", ABDM_FHIR_TIME, "2026-03-05T10:55:01+05:30"},
        {"2026-03-05T10:55:01.250Z", ABDM_FHIR_TIME, "2026-03-05T10:55:01.250Z"},
        {"2026-03-05T10:55:01+0530", ABDM_FHIR_TIME, "2026-03-05T10:55:01+05:30"},
        {"2026-03-05T10:55:01-04:00", ABDM_FHIR_DAY, "2026-03-05"},
        {"1988", ABDM_FHIR_DAY, "1988"},
        {"1988-05", ABDM_FHIR_TIME, "1988-05"},
        {"1988", ABDM_FHIR_INSTANT, NULL},
        {"2026-02-30", ABDM_FHIR_TIME, NULL},
        {"2026-13", ABDM_FHIR_TIME, NULL},
        {"05-03-2026", ABDM_FHIR_TIME, NULL},
        {"2026-03-05T25:00:00Z", ABDM_FHIR_TIME, NULL},
        {"2026-03-05T10:55:01+15:00", ABDM_FHIR_TIME, NULL},
        {"2026-03-05T10:55:01.Z", ABDM_FHIR_TIME, NULL},
        {"2026-03-05T10:55:01.1234567890Z", ABDM_FHIR_TIME, NULL},
        {"2026-03-05T", ABDM_FHIR_TIME, NULL},
        {"", ABDM_FHIR_TIME, NULL},
    };
    char out[ABDM_FHIR_DATE];

    (void) state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bool ok = abdm_fhir_date(rows[i].given, rows[i].precision, "+05:30", out);
        if (ok != (rows[i].expected != NULL) || (ok && strcmp(out, rows[i].expected) != 0))
            fail_msg("%s gives %s", rows[i].given, ok ? out : "nothing");
    }
    abdm_fhir_later("2026-03-05T23:50:00+05:30", 15, out);
    assert_string_equal(out, "2026-03-06T00:05:00+05:30");
    abdm_fhir_later("2026-03-05T23:50:00Z", 15, out);
    assert_string_equal(out, "2026-03-06T00:05:00Z");
}


/* --- refusals --- */

static void
what_is_malformed_is_refused_at_its_pointer(void **state)
{
    static const struct {
        const char *members, *where, *said;
    } rows[] = {
        {"\"bundleType\":\"OPConsultRecord\"," HEAD, "/chiefComplaints", "nothing to show"},
        {"\"bundleType\":\"OPConsultRecord\"," HEAD ",\"chiefComplaints\":[{\"complaint\":\"x\","
         "\"recordedDate\":\"5/3/26\"}]", "/chiefComplaints/0/recordedDate", "date"},
        {"\"bundleType\":\"OPConsultRecord\"," HEAD ",\"chiefComplaints\":[{\"complaint\":\"x\","
         "\"dateRange\":{\"from\":\"2026-03-05\",\"to\":\"2026-03-01\"}}]",
         "/chiefComplaints/0/dateRange", "ends before"},
        {"\"bundleType\":\"OPConsultRecord\"," HEAD ",\"procedures\":[{\"procedureName\":\"x\","
         "\"status\":\"maybe\"}]", "/procedures/0/status", "words"},
        {"\"bundleType\":\"OPConsultRecord\"," HEAD ",\"allergies\":[true]", "/allergies/0",
         "neither"},
        {"\"bundleType\":\"OPConsultRecord\"," HEAD ",\"chiefComplaints\":[\"x\"],"
         "\"status\":\"draft\"", "/status", "final"},
        {"\"bundleType\":\"OPConsultRecord\"," HEAD ",\"chiefComplaints\":[\"x\"],"
         "\"encounter\":{\"class\":\"ward\"}", "/encounter/class", "AMB"},
        {"\"bundleType\":\"HealthDocumentRecord\"," HEAD ",\"documents\":[{" PDF "},{"
         "\"contentType\":\"application/pdf\",\"data\":\"JVBERi0xLjQ\"}]", "/documents/1/data",
         "base64"},
        {"\"bundleType\":\"HealthDocumentRecord\"," HEAD ",\"documents\":[{"
         "\"contentType\":\"application/pdf\",\"data\":\"JVBE*i0x\"}]", "/documents/0/data",
         "base64"},
        {"\"bundleType\":\"HealthDocumentRecord\"," HEAD ",\"documents\":[{"
         "\"contentType\":\"application/pdf\",\"url\":\"/files/1\"}]", "/documents/0/data",
         "missing"},
        {"\"bundleType\":\"DiagnosticReportRecord\"," HEAD ",\"diagnostics\":[{\"serviceName\":"
         "\"CT\",\"kind\":\"imaging\",\"conclusion\":\"x\"}]", "/diagnostics/0/images", "missing"},
        {"\"bundleType\":\"DiagnosticReportRecord\"," HEAD ",\"diagnostics\":[{\"serviceName\":"
         "\"CBC\",\"conclusion\":\"x\",\"result\":[]}]", "/diagnostics/0/result", "missing"},
        {"\"bundleType\":\"Invoice\"," HEAD ",\"invoiceNumber\":\"1\",\"totalNet\":\"1,000\","
         "\"totalGross\":1,\"items\":[{\"description\":\"x\",\"quantity\":1,\"rate\":1}]",
         "/totalNet", "amount"},
        {"\"bundleType\":\"Invoice\"," HEAD ",\"documents\":[{" PDF "}]", "/documents",
         "HealthDocumentRecord"},
        {"\"bundleType\":\"Diary\"," HEAD, "/bundleType", "eight types"},
    };

    (void) state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[2048];
        snprintf(text, sizeof text, "{%s}", rows[i].members);
        expect_refused(&facility, text, ABDM_E_RECORD_FORM, rows[i].where, rows[i].said);
    }
}


static void
a_file_of_another_type_and_a_record_of_another_patient_are_refused(void **state)
{
    abdm_fhir_options_t options = facility;

    (void) state;
    expect_refused(&facility, "{\"bundleType\":\"HealthDocumentRecord\"," HEAD ",\"documents\":[{"
                   "\"contentType\":\"image/png\",\"data\":\"JVBERi0xLjQK\"}]}",
                   ABDM_E_RECORD_TYPE, "/documents/0/contentType", "first bytes");
    options.patient_ref = "P-2";
    expect_refused(&options, "{\"bundleType\":\"OPConsultRecord\"," HEAD
                   ",\"chiefComplaints\":[\"x\"]}", ABDM_E_CONSENT_PATIENT,
                   "/patient/patientReference", "not the consent's");
}


static void
unknown_members_are_counted_and_otherwise_ignored(void **state)
{
    abdm_fhir_bundles_t made = built_with(&facility, "{\"bundleType\":\"PrescriptionRecord\"," HEAD
        ",\"ward\":\"7\",\"prescriptions\":[{\"medicine\":\"A\",\"dosage\":\"1\",\"shelf\":3,"
        "\"bin\":{}}]}");

    (void) state;
    assert_int_equal(made.unknown, 3);
    abdm_fhir_bundles_free(&made);
    made = built_with(&facility, "{\"bundleType\":\"Invoice\"," HEAD ",\"invoiceNumber\":\"1\","
        "\"totalNet\":1,\"totalGross\":1,\"items\":[{\"description\":\"x\",\"quantity\":1,"
        "\"rate\":1}],\"cashier\":\"R\"}");
    assert_int_equal(made.unknown, 1);
    abdm_fhir_bundles_free(&made);
}


static void
what_a_record_lacks_is_filled_in_only_when_the_rules_say_so(void **state)
{
    static const char text[] = "{\"bundleType\":\"PrescriptionRecord\"," HEAD
                               ",\"prescriptions\":[{\"medicine\":\"A\"}]}";
    abdm_fhir_options_t options = facility;

    (void) state;
    expect_refused(&facility, text, ABDM_E_RECORD_FORM, "/prescriptions/0/dosage", "missing");
    options.dosage = "As directed";
    abdm_fhir_bundles_t made = built_with(&options, text);
    json_t *r = resource(made.texts[0], "MedicationRequest", 0);
    expect_at(r, "dosageInstruction.0.text", "As directed");
    json_decref(r);
    abdm_fhir_bundles_free(&made);
}


static void
a_file_becomes_a_document_by_its_first_bytes(void **state)
{
    abdm_fhir_options_t options = facility;

    (void) state;
    options.hi_type = "DischargeSummary";
    options.patient_ref = "P-1";
    options.care_context = "IPD-1";
    options.authored_on = "2026-03-05";
    abdm_fhir_bundles_t made = built_with(&options, "%PDF-1.4\n");
    json_t *r = resource(made.texts[0], "DocumentReference", 0);
    expect_at(r, "content.0.attachment.data", "JVBERi0xLjQK");
    expect_at(r, "content.0.attachment.contentType", "application/pdf");
    json_decref(r);
    abdm_fhir_bundles_free(&made);
    expect_refused(&options, "\x01\x02", ABDM_E_RECORD_TYPE, "", "neither");
    options.content_type = "image/png";
    expect_refused(&options, "%PDF-1.4\n", ABDM_E_RECORD_TYPE, "", "first bytes");
    options.authored_on = NULL;
    expect_refused(&options, "%PDF-1.4\n", ABDM_E_RECORD_FORM, "", "authoredOn");
    options.hi_type = "Diary";
    expect_refused(&options, "%PDF-1.4\n", ABDM_E_USAGE, "", "eight types");
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_record_becomes_the_same_conformant_documents_each_time),
        cmocka_unit_test(a_record_becomes_as_many_documents_as_the_profile_wants),
        cmocka_unit_test(two_records_of_a_visit_never_share_an_id),
        cmocka_unit_test(a_decimal_keeps_its_text),
        cmocka_unit_test(a_vital_sign_is_coded_only_when_it_is_whole),
        cmocka_unit_test(a_coding_is_sent_only_for_an_exact_code_of_an_allowed_system),
        cmocka_unit_test(a_look_up_table_codes_equal_texts_and_no_others),
        cmocka_unit_test(a_look_up_table_with_a_fault_is_refused_by_its_line),
        cmocka_unit_test(dates_of_hospitals_become_dates_of_fhir),
        cmocka_unit_test(what_is_malformed_is_refused_at_its_pointer),
        cmocka_unit_test(a_file_of_another_type_and_a_record_of_another_patient_are_refused),
        cmocka_unit_test(unknown_members_are_counted_and_otherwise_ignored),
        cmocka_unit_test(what_a_record_lacks_is_filled_in_only_when_the_rules_say_so),
        cmocka_unit_test(a_file_becomes_a_document_by_its_first_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
