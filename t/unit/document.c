/* Documents: a file of each type wrapped for each HI type, and bundles passed or refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "fhir/document.h"

#define EXAMPLES "../shared/fhir/examples/"

static const struct {
    const char *type;
    const char *bytes;
    size_t len;
} files[] = {
    {"application/pdf", "%PDF-1.4\n%minimal\n", 18},
    {"image/jpeg", "\xff\xd8\xff\xe0\0\x10JFIF\0", 11},
    {"image/png", "\x89PNG\r\n\x1a\n\0\0\0\rIHDR", 16},
    {"text/plain", "Take one at night.\n", 19},
};

enum { FILES = sizeof files / sizeof *files };


static json_t *
record_of(const char *hi_type, const char *content_type)
{
    json_t *record = json_pack(
        "{s:s, s:s, s:s, s:s, s:{s:s, s:s, s:s, s:s, s:s}, s:[{s:s, s:s}], s:{s:s}, s:{s:s, s:s}}",
        "id", "5001", "hiType", hi_type, "authoredOn", "2026-03-05T10:55:00+05:30", "title",
        "\xe0\xa4\x94 \"note\"", "patient", "patientReference", "UH100231", "name", "Asha Kumari",
        "gender", "F", "birthDate", "1988-05-14", "mobile", "9000000001", "practitioners", "name",
        "Dr. Meera Joshi", "registrationNumber", "MH-2009-04417", "encounter", "class", "AMB",
        "document", "contentType", content_type, "url", "/files/5001.pdf");

    assert_non_null(record);
    return record;
}


static abdm_document_about_t
about_of(const char *hi_type, const json_t *record)
{
    abdm_document_about_t about = {
        .hip_id = "IN0990001234_1",
        .facility_name = "Demo Hospital",
        .patient_ref = "UH100231",
        .care_context_ref = "OPD-26-0771",
        .abha_address = "asha@sbx",
        .record = record,
    };

    assert_true(abdm_hi_type_parse(abdm_str(hi_type), &about.hi_type));
    return about;
}


static abdm_err_t
wrap_bytes(const abdm_document_about_t *about, const char *bytes, size_t len, abdm_buf_t *out)
{
    abdm_buf_t b = {0};
    abdm_source_t *document;

    abdm_buf_add(&b, bytes, len);
    abdm_source_t *file = abdm_source_take_buf(&b);
    assert_non_null(file);
    abdm_err_t err = abdm_document_wrap(about, file, (const uint8_t *) bytes,
                                        len < 512 ? len : 512, &document);
    *out = (abdm_buf_t){0};
    if (abdm_failed(err)) {
        assert_null(document);
        return err;
    }
    assert_int_equal(abdm_source_read_all(document, 1 << 24, out).code, ABDM_OK);
    assert_int_equal(out->len, document->length);
    abdm_source_close(document);
    return ABDM_NO_ERR;
}


static json_t *
wrapped(const char *hi_type, json_t *record)
{
    abdm_document_about_t about = about_of(hi_type, record);
    abdm_buf_t out;
    json_t *bundle;

    assert_int_equal(wrap_bytes(&about, files[0].bytes, files[0].len, &out).code, ABDM_OK);
    assert_int_equal(abdm_json_parse(out.p, out.len, ABDM_JSON_DEPTH_FHIR, &bundle).code, ABDM_OK);
    abdm_buf_free(&out);
    return bundle;
}


static const json_t *
resource_of(const json_t *bundle, const char *type)
{
    const json_t *entry;
    size_t i;

    json_array_foreach(json_object_get(bundle, "entry"), i, entry) {
        if (strcmp(abdm_json_string_at(entry, "resource.resourceType"), type) == 0)
            return json_object_get(entry, "resource");
    }
    return NULL;
}


static void
expect_wrap_refused(json_t *record, abdm_code_t code, const char *said)
{
    abdm_document_about_t about = about_of("Prescription", record);
    abdm_buf_t out;
    abdm_err_t err = wrap_bytes(&about, files[0].bytes, files[0].len, &out);

    if (err.code != code || strstr(err.what, said) == NULL)
        fail_msg("%s %s instead of %s", abdm_error_info(err.code)->name, err.what, said);
    json_decref(record);
}


static void
every_type_and_file_becomes_a_document_that_passes_the_check(void **state)
{
    (void) state;
    for (int t = 0; t < ABDM_HI_TYPES; t++) {
        for (int f = 0; f < FILES; f++) {
            const char *name = abdm_hi_type_name((abdm_hi_type_t) t);
            json_t *record = record_of(name, files[f].type), *bundle;
            abdm_document_about_t about = about_of(name, record);
            abdm_document_facts_t facts;
            abdm_buf_t out;
            char data[64];

            abdm_err_t err = wrap_bytes(&about, files[f].bytes, files[f].len, &out);
            if (t == ABDM_HI_INVOICE) {
                assert_int_equal(err.code, ABDM_E_RECORD_FORM);
                assert_non_null(strstr(err.what, "HealthDocumentRecord"));
                json_decref(record);
                continue;
            }
            assert_int_equal(err.code, ABDM_OK);
            err = abdm_document_check(&about, out.p, out.len, &facts);
            if (abdm_failed(err))
                fail_msg("%s: %s", name, err.what);
            assert_int_equal(facts.hi_type, t);
            assert_true(facts.dated);
            assert_int_equal(facts.date, 1772688300000);

            assert_int_equal(abdm_json_parse(out.p, out.len, 64, &bundle).code, ABDM_OK);
            data[abdm_base64_encode(files[f].bytes, files[f].len, data)] = '\0';
            const json_t *holder = t == ABDM_HI_PRESCRIPTION
                                       ? resource_of(bundle, "Binary")
                                       : abdm_json_at(resource_of(bundle, "DocumentReference"),
                                                      "content.0.attachment");
            assert_string_equal(abdm_json_string_at(holder, "data"), data);
            assert_string_equal(abdm_json_string_at(holder, "contentType"), files[f].type);
            json_decref(bundle);
            abdm_buf_free(&out);
            json_decref(record);
        }
    }
}


static void
the_same_record_gives_the_same_bytes(void **state)
{
    json_t *record = record_of("OPConsultation", "application/pdf");
    abdm_document_about_t about = about_of("OPConsultation", record);
    abdm_buf_t a, b;

    (void) state;
    assert_int_equal(wrap_bytes(&about, files[0].bytes, files[0].len, &a).code, ABDM_OK);
    assert_int_equal(wrap_bytes(&about, files[0].bytes, files[0].len, &b).code, ABDM_OK);
    assert_true(abdm_str_eq(abdm_buf_str(&a), abdm_buf_str(&b)));
    abdm_buf_free(&b);

    json_object_set_new(record, "id", json_string("5002"));
    assert_int_equal(wrap_bytes(&about, files[0].bytes, files[0].len, &b).code, ABDM_OK);
    assert_false(abdm_str_eq(abdm_buf_str(&a), abdm_buf_str(&b)));
    abdm_buf_free(&a);
    abdm_buf_free(&b);
    json_decref(record);
}


static void
the_document_says_what_the_record_says(void **state)
{
    json_t *record = record_of("Prescription", "application/pdf");
    json_t *bundle = wrapped("Prescription", record);
    const json_t *c = resource_of(bundle, "Composition"), *p = resource_of(bundle, "Patient");
    const json_t *o = resource_of(bundle, "Organization");
    char urn[64];

    (void) state;
    assert_string_equal(abdm_json_string_at(bundle, "timestamp"), "2026-03-05T10:55:00+05:30");
    assert_string_equal(abdm_json_string_at(c, "date"), "2026-03-05T10:55:00+05:30");
    assert_string_equal(abdm_json_string_at(c, "title"), "\xe0\xa4\x94 \"note\"");
    assert_string_equal(abdm_json_string_at(p, "name.0.text"), "Asha Kumari");
    assert_string_equal(abdm_json_string_at(p, "gender"), "female");
    assert_string_equal(abdm_json_string_at(p, "birthDate"), "1988-05-14");
    assert_string_equal(abdm_json_string_at(p, "telecom.0.value"), "9000000001");
    assert_string_equal(abdm_json_string_at(p, "identifier.0.value"), "UH100231");
    assert_string_equal(abdm_json_string_at(p, "identifier.1.value"), "asha@sbx");
    assert_string_equal(abdm_json_string_at(o, "identifier.0.value"), "IN0990001234_1");
    assert_string_equal(abdm_json_string_at(o, "name"), "Demo Hospital");
    snprintf(urn, sizeof urn, "urn:uuid:%s", abdm_json_string_at(o, "id"));
    assert_string_equal(abdm_json_string_at(c, "attester.0.party.reference"), urn);
    assert_string_equal(abdm_json_string_at(c, "custodian.reference"), urn);
    assert_string_equal(abdm_json_string_at(resource_of(bundle, "Practitioner"),
                                            "identifier.0.value"), "MH-2009-04417");
    json_decref(bundle);
    json_decref(record);
}


static void
without_a_named_doctor_the_hospital_is_the_author(void **state)
{
    json_t *record = record_of("Prescription", "application/pdf");
    char urn[64];

    (void) state;
    json_object_set_new(record, "practitioners", json_pack("[{s:s}]", "registrationNumber", "1"));
    json_t *bundle = wrapped("Prescription", record);
    assert_null(resource_of(bundle, "Practitioner"));
    snprintf(urn, sizeof urn, "urn:uuid:%s",
             abdm_json_string_at(resource_of(bundle, "Organization"), "id"));
    assert_string_equal(abdm_json_string_at(resource_of(bundle, "Composition"),
                                            "author.0.reference"), urn);
    json_decref(bundle);
    json_decref(record);
}


static void
dates_keep_their_zone_or_get_one(void **state)
{
    static const char *const rows[][3] = {
        {"2026-03-05T10:55:00+05:30", "2026-03-05T10:55:00+05:30", "2026-03-05T10:55:00+05:30"},
        {"2026-03-05T05:25:00.5Z", "2026-03-05T05:25:00.5Z", "2026-03-05T05:25:00.5Z"},
        {"2026-03-05 10:55:00", "2026-03-05T10:55:00+05:30", "2026-03-05T10:55:00+05:30"},
        {"2026-03-05", "2026-03-05", "2026-03-05T00:00:00+05:30"},
    };

    (void) state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        json_t *record = record_of("Prescription", "application/pdf");
        json_object_set_new(record, "authoredOn", json_string(rows[i][0]));
        json_t *bundle = wrapped("Prescription", record);
        assert_string_equal(abdm_json_string_at(resource_of(bundle, "Composition"), "date"),
                            rows[i][1]);
        assert_string_equal(abdm_json_string_at(bundle, "timestamp"), rows[i][2]);
        json_decref(bundle);
        json_decref(record);
    }
}


static void
genders_are_mapped_and_never_guessed(void **state)
{
    static const char *const rows[][2] = {
        {"M", "male"}, {"f", "female"}, {"Male", "male"}, {"T", "other"}, {"O", "other"},
        {"U", "unknown"}, {"1", "unknown"},
    };

    (void) state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        json_t *record = record_of("Prescription", "application/pdf");
        json_object_set_new(json_object_get(record, "patient"), "gender", json_string(rows[i][0]));
        json_t *bundle = wrapped("Prescription", record);
        assert_string_equal(abdm_json_string_at(resource_of(bundle, "Patient"), "gender"),
                            rows[i][1]);
        json_decref(bundle);
        json_decref(record);
    }
}


static void
a_record_that_lacks_or_garbles_a_field_is_refused_by_name(void **state)
{
    json_t *r = record_of("Prescription", "application/pdf");

    (void) state;
    json_object_del(r, "authoredOn");
    expect_wrap_refused(r, ABDM_E_RECORD_FORM, "authoredOn: missing");

    r = record_of("Prescription", "application/pdf");
    json_object_set_new(r, "authoredOn", json_string("yesterday"));
    expect_wrap_refused(r, ABDM_E_RECORD_FORM, "authoredOn");

    r = record_of("Prescription", "application/pdf");
    json_object_del(json_object_get(r, "patient"), "patientReference");
    expect_wrap_refused(r, ABDM_E_RECORD_FORM, "patientReference: missing");

    r = record_of("Prescription", "application/pdf");
    json_object_set_new(json_object_get(r, "patient"), "birthDate", json_string("14-05-1988"));
    expect_wrap_refused(r, ABDM_E_RECORD_FORM, "birthDate");

    r = record_of("Prescription", "application/pdf");
    json_object_del(json_object_get(r, "document"), "contentType");
    expect_wrap_refused(r, ABDM_E_RECORD_FORM, "contentType: missing");

    r = record_of("Prescription", "application/pdf");
    json_object_set_new(json_object_get(r, "encounter"), "class", json_string("ward"));
    expect_wrap_refused(r, ABDM_E_RECORD_FORM, "encounter.class");
}


static void
a_record_of_another_patient_is_refused(void **state)
{
    json_t *r = record_of("Prescription", "application/pdf");

    (void) state;
    json_object_set_new(json_object_get(r, "patient"), "patientReference", json_string("UH100299"));
    expect_wrap_refused(r, ABDM_E_CONSENT_PATIENT, "not the consent's patient");
}


static void
blank_optional_texts_leave_no_trace(void **state)
{
    json_t *record = record_of("OPConsultation", "application/pdf"), *bundle;

    (void) state;
    json_object_set_new(record, "title", json_string("  "));
    json_object_set_new(record, "patient", json_pack("{s:s, s:s, s:n}", "patientReference",
                                                     "UH100231", "name", "", "gender"));
    json_object_del(record, "encounter");
    json_object_del(record, "practitioners");
    bundle = wrapped("OPConsultation", record);
    const json_t *patient = resource_of(bundle, "Patient");
    assert_null(json_object_get(patient, "name"));
    assert_null(json_object_get(patient, "gender"));
    assert_string_equal(abdm_json_string_at(resource_of(bundle, "Composition"), "title"),
                        "OP consultation record");
    assert_string_equal(abdm_json_string_at(resource_of(bundle, "Encounter"), "class.code"), "AMB");
    json_decref(bundle);
    json_decref(record);
}


static void
a_file_that_is_not_what_its_type_says_is_refused(void **state)
{
    static const struct {
        const char *type, *bytes;
        size_t len;
    } rows[] = {
        {"application/pdf", "<html>login</html>", 18},
        {"application/pdf", "%PD", 3},
        {"application/pdf", "", 0},
        {"image/jpeg", "\x89PNG\r\n\x1a\n", 8},
        {"image/png", "\xff\xd8\xff\xe0", 4},
        {"text/plain", "a\0b", 3},
        {"text/plain", "\x7f" "ELF\x02", 5},
        {"text/plain", "\n <!DOCTYPE html>", 17},
        {"text/html", "<p>x</p>", 8},
        {"application/msword", "\xd0\xcf\x11\xe0", 4},
        {"application/pdfx", "%PDF-1.4", 8},
        {"application", "%PDF-1.4", 8},
    };

    (void) state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        json_t *record = record_of("Prescription", rows[i].type);
        abdm_document_about_t about = about_of("Prescription", record);
        abdm_buf_t out;
        assert_int_equal(wrap_bytes(&about, rows[i].bytes, rows[i].len, &out).code,
                         ABDM_E_RECORD_TYPE);
        json_decref(record);
    }
}


static void
parameters_and_aliases_of_a_type_are_understood(void **state)
{
    static const struct {
        const char *declared, *sent;
        int file;
    } rows[] = {
        {"text/plain; charset=utf-8", "text/plain", 3},
        {"Application/PDF", "application/pdf", 0},
        {"image/jpg", "image/jpeg", 1},
    };

    (void) state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        json_t *record = record_of("Prescription", rows[i].declared), *bundle;
        abdm_document_about_t about = about_of("Prescription", record);
        abdm_buf_t out;
        assert_int_equal(wrap_bytes(&about, files[rows[i].file].bytes, files[rows[i].file].len,
                                    &out).code, ABDM_OK);
        assert_int_equal(abdm_json_parse(out.p, out.len, 64, &bundle).code, ABDM_OK);
        assert_string_equal(abdm_json_string_at(resource_of(bundle, "Binary"), "contentType"),
                            rows[i].sent);
        json_decref(bundle);
        abdm_buf_free(&out);
        json_decref(record);
    }
}


/* A source of any length that costs no memory and knows whether it was closed. */
typedef struct {
    abdm_source_t base;
    uint64_t left;
    int *closed;
} endless_t;


static abdm_err_t
endless_read(abdm_source_t *s, void *out, size_t cap, size_t *got)
{
    endless_t *e = (endless_t *) s;

    *got = e->left < cap ? (size_t) e->left : cap;
    memset(out, 'x', *got);
    e->left -= *got;
    return ABDM_NO_ERR;
}


static void
endless_close(abdm_source_t *s)
{
    ++*((endless_t *) s)->closed;
    free(s);
}


static abdm_source_t *
endless(uint64_t length, int *closed)
{
    endless_t *e = calloc(1, sizeof *e);

    assert_non_null(e);
    *e = (endless_t){{length, endless_read, endless_close, NULL}, length, closed};
    return &e->base;
}


static void
a_large_file_is_streamed_and_its_source_is_always_closed(void **state)
{
    json_t *record = record_of("DischargeSummary", "application/pdf");
    abdm_document_about_t about = about_of("DischargeSummary", record);
    static char piece[65536];
    abdm_source_t *document;
    uint64_t total = 0;
    size_t got;
    int closed = 0;

    (void) state;
    assert_int_equal(abdm_document_wrap(&about, endless(30000001, &closed),
                                        (const uint8_t *) "%PDF-1.4", 8, &document).code, ABDM_OK);
    do {
        assert_int_equal(document->read(document, piece, sizeof piece, &got).code, ABDM_OK);
        total += got;
    } while (got > 0);
    assert_int_equal(total, document->length);
    assert_true(total > 40000000);
    assert_int_equal(closed, 0);
    abdm_source_close(document);
    assert_int_equal(closed, 1);

    assert_int_equal(abdm_document_wrap(&about, endless(10, &closed), (const uint8_t *) "GIF89a",
                                        6, &document).code, ABDM_E_RECORD_TYPE);
    assert_int_equal(closed, 2);
    json_decref(record);
}


/* --- checking --- */

static abdm_err_t
check_changed(const char *hi_type, void (*change)(json_t *bundle))
{
    json_t *record = record_of("OPConsultation", "application/pdf");
    json_t *bundle = wrapped("OPConsultation", record);
    abdm_document_about_t about = about_of(hi_type, NULL);
    abdm_document_facts_t facts;

    if (change != NULL)
        change(bundle);
    char *text = json_dumps(bundle, JSON_COMPACT);
    assert_non_null(text);
    abdm_err_t err = abdm_document_check(&about, text, strlen(text), &facts);
    free(text);
    json_decref(bundle);
    json_decref(record);
    return err;
}


static json_t *
composition_of(json_t *bundle)
{
    return abdm_json_at(bundle, "entry.0.resource");
}


static void
other_patient(json_t *b)
{
    json_object_set_new(abdm_json_at(b, "entry.1.resource"), "identifier",
                        json_pack("[{s:{s:s}, s:s}]", "type", "text", "x", "value", "UH100299"));
}


static void
second_patient(json_t *b)
{
    json_t *entry = json_deep_copy(abdm_json_at(b, "entry.1"));

    other_patient(b);
    json_object_set_new(entry, "fullUrl", json_string("urn:uuid:other"));
    json_array_append_new(json_object_get(b, "entry"), entry);
    json_object_set_new(composition_of(b), "subject",
                        json_pack("{s:s}", "reference", "urn:uuid:other"));
}


static void
contained_patient(json_t *b)
{
    json_object_set_new(composition_of(b), "contained",
                        json_pack("[{s:s, s:[{s:{s:s}, s:s}]}]", "resourceType", "Patient",
                                  "identifier", "type", "text", "x", "value", "UH100299"));
}


static void
patient_elsewhere(json_t *b)
{
    const json_t *entry;
    size_t i;

    json_array_foreach(json_object_get(b, "entry"), i, entry) {
        json_t *resource = json_object_get(entry, "resource");
        if (strcmp(abdm_json_string_at(resource, "resourceType"), "Encounter") == 0)
            json_object_set_new(resource, "subject", json_pack("{s:s}", "reference",
                                                               "https://h.example/Patient/9"));
    }
}


static void
subject_is_no_patient(json_t *b)
{
    json_object_set(composition_of(b), "subject", json_object_get(composition_of(b), "custodian"));
}


static void
dangling(json_t *b)
{
    json_object_set_new(composition_of(b), "custodian",
                        json_pack("{s:s}", "reference", "urn:uuid:gone"));
}


static void
orphan(json_t *b)
{
    json_object_del(composition_of(b), "author");
    json_object_set_new(composition_of(b), "author", json_pack("[O]", json_object_get(
                        composition_of(b), "custodian")));
}


static void
no_encounter(json_t *b)
{
    json_object_del(composition_of(b), "encounter");
}


static void
relative_urls(json_t *b)
{
    json_object_set_new(abdm_json_at(b, "entry.1"), "fullUrl", json_string("Patient/1"));
}


static void
twice_the_same_url(json_t *b)
{
    json_object_set(abdm_json_at(b, "entry.2"), "fullUrl", abdm_json_at(b, "entry.1.fullUrl"));
}


static void
patient_first(json_t *b)
{
    json_array_remove(json_object_get(b, "entry"), 0);
}


static void
no_entries(json_t *b)
{
    json_array_clear(json_object_get(b, "entry"));
}


static void
collection(json_t *b)
{
    json_object_set_new(b, "type", json_string("collection"));
}


static void
no_timestamp(json_t *b)
{
    json_object_del(b, "timestamp");
}


static void
null_member(json_t *b)
{
    json_object_set_new(composition_of(b), "title", json_null());
}


static void
bad_date(json_t *b)
{
    json_object_set_new(composition_of(b), "date", json_string("05-03-2026"));
}


static void
bundles_with_a_fault_are_refused(void **state)
{
    static const struct {
        void (*change)(json_t *);
        abdm_code_t code;
        const char *said;
    } rows[] = {
        {other_patient, ABDM_E_CONSENT_PATIENT, "Patient.identifier"},
        {second_patient, ABDM_E_CONSENT_PATIENT, "Patient.identifier"},
        {contained_patient, ABDM_E_CONSENT_PATIENT, "Patient.identifier"},
        {patient_elsewhere, ABDM_E_CONSENT_PATIENT, "subject"},
        {subject_is_no_patient, ABDM_E_RECORD_FORM, "F_REFERENCE_TARGET: "},
        {dangling, ABDM_E_RECORD_FORM, "F_REFERENCE: "},
        {orphan, ABDM_E_RECORD_FORM, "F_ORPHAN: "},
        {no_encounter, ABDM_E_RECORD_FORM, "F_MISSING: "},
        {relative_urls, ABDM_E_RECORD_FORM, "F_"},
        {twice_the_same_url, ABDM_E_RECORD_FORM, "F_"},
        {patient_first, ABDM_E_RECORD_FORM, "F_COMPOSITION_FIRST: "},
        {no_entries, ABDM_E_RECORD_FORM, "F_NO_ENTRIES: "},
        {collection, ABDM_E_RECORD_FORM, "F_DOCUMENT: "},
        {no_timestamp, ABDM_E_RECORD_FORM, "F_MISSING: "},
        {null_member, ABDM_E_RECORD_FORM, "F_EMPTY: "},
        {bad_date, ABDM_E_RECORD_FORM, "F_DATE: "},
    };

    (void) state;
    assert_int_equal(check_changed("OPConsultation", NULL).code, ABDM_OK);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        abdm_err_t err = check_changed("OPConsultation", rows[i].change);
        if (err.code != rows[i].code || strstr(err.what, rows[i].said) == NULL)
            fail_msg("row %zu: %s: %s", i, abdm_error_info(err.code)->name, err.what);
    }
}


static void
a_bundle_of_another_type_is_refused(void **state)
{
    (void) state;
    assert_int_equal(check_changed("DischargeSummary", NULL).code, ABDM_E_RECORD_FORM);
}


static void
what_is_not_json_is_refused(void **state)
{
    static const char *const texts[] = {"", "<html>", "{}", "[]", "7", "{\"resourceType\":7}",
                                        "{\"resourceType\":\"Bundle\",\"type\":\"document\"}"};
    abdm_document_about_t about = about_of("Prescription", NULL);
    abdm_document_facts_t facts;

    (void) state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_int_equal(abdm_document_check(&about, texts[i], strlen(texts[i]), &facts).code,
                         ABDM_E_RECORD_FORM);
}


static char *
read_file(const char *path, size_t *len)
{
    FILE *f = fopen(path, "r");

    assert_non_null(f);
    assert_int_equal(fseek(f, 0, SEEK_END), 0);
    *len = (size_t) ftell(f);
    rewind(f);
    char *text = malloc(*len + 1);
    assert_non_null(text);
    assert_int_equal(fread(text, 1, *len, f), *len);
    fclose(f);
    return text;
}


/* The HI type in the name of an example's profile. */
static abdm_hi_type_t
claimed_type(const json_t *bundle)
{
    static const struct {
        const char *profile;
        abdm_hi_type_t type;
    } rows[] = {
        {"OPConsultRecord", ABDM_HI_OP_CONSULTATION},
        {"PrescriptionRecord", ABDM_HI_PRESCRIPTION},
        {"DischargeSummaryRecord", ABDM_HI_DISCHARGE_SUMMARY},
        {"DiagnosticReportRecord", ABDM_HI_DIAGNOSTIC_REPORT},
        {"ImmunizationRecord", ABDM_HI_IMMUNIZATION_RECORD},
        {"HealthDocumentRecord", ABDM_HI_HEALTH_DOCUMENT_RECORD},
        {"WellnessRecord", ABDM_HI_WELLNESS_RECORD},
        {"InvoiceRecord", ABDM_HI_INVOICE},
    };
    const char *profile =
        abdm_json_string_at(resource_of(bundle, "Composition"), "meta.profile.0");

    assert_non_null(profile);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (strcmp(strrchr(profile, '/') + 1, rows[i].profile) == 0)
            return rows[i].type;
    }
    fail_msg("unknown profile");
    return ABDM_HI_TYPES;
}


/* False without the examples. (cmocka's skip() counts as a failure in TAP.) */
static bool
check_examples(const char *dir, int *passed, int *refused)
{
    DIR *d = opendir(dir);
    struct dirent *e;

    *passed = *refused = 0;
    if (d == NULL)
        return false;
    while ((e = readdir(d)) != NULL) {
        char path[512];
        size_t len;
        json_t *bundle;

        if (strstr(e->d_name, ".json") == NULL)
            continue;
        snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
        char *text = read_file(path, &len);
        assert_int_equal(abdm_json_parse(text, len, 64, &bundle).code, ABDM_OK);
        const char *patient =
            abdm_json_string_at(resource_of(bundle, "Patient"), "identifier.0.value");
        abdm_document_about_t about = {.patient_ref = patient, .hi_type = claimed_type(bundle)};
        abdm_document_facts_t facts;
        abdm_err_t err = abdm_document_check(&about, text, len, &facts);
        print_message("# %s: %s\n", e->d_name, abdm_failed(err) ? err.what : "passes");
        if (abdm_failed(err)) {
            assert_int_equal(err.code, ABDM_E_RECORD_FORM);
            ++*refused;
        } else {
            assert_int_equal(facts.hi_type, about.hi_type);
            ++*passed;
        }
        free(text);
        json_decref(bundle);
    }
    closedir(d);
    return true;
}


static void
every_conformant_example_passes(void **state)
{
    int passed, refused;

    (void) state;
    if (!check_examples(EXAMPLES "conformant", &passed, &refused))
        return;
    assert_int_equal(refused, 0);
    assert_true(passed >= 15);
}


static void
every_broken_example_but_the_legal_one_is_refused(void **state)
{
    int passed, refused;

    (void) state;
    if (!check_examples(EXAMPLES "broken", &passed, &refused))
        return;
    assert_int_equal(passed, 1); /* sections in an unusual order: legal */
    assert_true(refused >= 29);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_and_file_becomes_a_document_that_passes_the_check),
        cmocka_unit_test(the_same_record_gives_the_same_bytes),
        cmocka_unit_test(the_document_says_what_the_record_says),
        cmocka_unit_test(without_a_named_doctor_the_hospital_is_the_author),
        cmocka_unit_test(dates_keep_their_zone_or_get_one),
        cmocka_unit_test(genders_are_mapped_and_never_guessed),
        cmocka_unit_test(a_record_that_lacks_or_garbles_a_field_is_refused_by_name),
        cmocka_unit_test(a_record_of_another_patient_is_refused),
        cmocka_unit_test(blank_optional_texts_leave_no_trace),
        cmocka_unit_test(a_file_that_is_not_what_its_type_says_is_refused),
        cmocka_unit_test(parameters_and_aliases_of_a_type_are_understood),
        cmocka_unit_test(a_large_file_is_streamed_and_its_source_is_always_closed),
        cmocka_unit_test(bundles_with_a_fault_are_refused),
        cmocka_unit_test(a_bundle_of_another_type_is_refused),
        cmocka_unit_test(what_is_not_json_is_refused),
        cmocka_unit_test(every_conformant_example_passes),
        cmocka_unit_test(every_broken_example_but_the_legal_one_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
