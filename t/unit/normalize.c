/* FHIR that an HMIS gives: what conforms stays as it is, what is badly held together is mended
 * without a change of what it says, resources become documents, and all else is refused. With
 * NORMALIZED in the environment every document made is written into that directory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "build_records.h"
#include "fhir/check.h"
#include "fhir/document.h"

#define URN "urn:uuid:"

static size_t made;


/* --- bundles to work on --- */

static abdm_document_about_t
about_of(const json_t *record)
{
    abdm_document_about_t about = {
        .hip_id = "IN0990001234_1",
        .facility_name = "Demo Hospital",
        .patient_ref = abdm_json_string_at(record, "patient.patientReference"),
        .care_context_ref = abdm_json_string_at(record, "careContextReference"),
        .record = record,
    };

    assert_true(abdm_record_type(record, &about.hi_type));
    return about;
}


/* A document as others name things: by servers' URLs, relative references, and without all that
 * only a document has. */
static void
untidy(json_t *bundle)
{
    json_t *entries = json_object_get(bundle, "entry"), *entry, *section;
    size_t i, k;

    json_array_foreach(entries, i, entry) {
        json_t *resource = json_object_get(entry, "resource");
        const char *url = abdm_json_string_at(entry, "fullUrl");
        char name[128];
        snprintf(name, sizeof name, "%s/%s", abdm_json_string_at(resource, "resourceType"),
                 url + strlen(URN));
        json_object_set_new(entry, "fullUrl", json_string(name));
    }
    json_array_foreach(abdm_json_at(bundle, "entry.0.resource.section"), i, section) {
        json_array_foreach(json_object_get(section, "entry"), k, entry)
            json_object_del(entry, "type");
    }
    json_object_del(bundle, "meta");
    json_object_del(bundle, "identifier");
    json_object_del(bundle, "timestamp");
    json_object_set_new(abdm_json_at(bundle, "entry.1.resource"), "language", json_string(""));
    json_array_append_new(entries, json_pack("{s:s, s:{s:s, s:s, s:s}}", "fullUrl", "Basic/1",
                                             "resource", "resourceType", "Basic", "id", "1",
                                             "language", "en"));
    json_array_append(entries, json_array_get(entries, 0)); /* the Composition comes last */
    json_array_remove(entries, 0);
}


/* The text of a bundle, its references as "Type/id"; the caller frees. */
static char *
relative_text(const json_t *bundle)
{
    char *text = json_dumps(bundle, JSON_COMPACT);
    const json_t *entry;
    size_t i;

    assert_non_null(text);
    json_array_foreach(json_object_get(bundle, "entry"), i, entry) {
        const char *name = abdm_json_string_at(entry, "fullUrl");
        const char *uuid = strchr(name, '/') + 1;
        char from[128];
        abdm_buf_t out = {0};
        snprintf(from, sizeof from, "\"reference\":\"" URN "%s\"", uuid);
        const char *p = text, *at;
        while ((at = strstr(p, from)) != NULL) {
            abdm_buf_add(&out, p, (size_t) (at - p));
            abdm_buf_addf(&out, "\"reference\":\"%s\"", name);
            p = at + strlen(from);
        }
        abdm_buf_addz(&out, p);
        free(text);
        text = abdm_buf_take(&out);
        assert_non_null(text);
    }
    return text;
}


static json_t *
parsed(const char *text, size_t len)
{
    json_t *value;

    assert_int_equal(abdm_json_parse(text, len, ABDM_JSON_DEPTH_FHIR, &value).code, ABDM_OK);
    return value;
}


static void
keep(const char *name, const char *what, const abdm_buf_t *text)
{
    const char *dir = getenv("NORMALIZED");
    char path[512];

    made++;
    if (dir == NULL)
        return;
    snprintf(path, sizeof path, "%s/%s.%s.%zu.json", dir, name, what, made);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(text->p, 1, text->len, f), text->len);
    assert_int_equal(fclose(f), 0);
}


/* All documents of a record, with the records's own view of what they are about. */
static void
for_documents(const char *name, const char *text,
              void (*each)(const char *name, const abdm_document_about_t *about, char *json,
                           size_t len))
{
    abdm_fhir_bundles_t built;
    char problem[512];
    json_t *record;

    assert_int_equal(abdm_json_parse_exact(text, strlen(text), ABDM_JSON_DEPTH, &record).code,
                     ABDM_OK);
    abdm_document_about_t about = about_of(record);
    assert_int_equal(abdm_fhir_build(text, strlen(text), &facility, &built, problem).code,
                     ABDM_OK);
    for (size_t i = 0; i < built.n; i++)
        each(name, &about, built.texts[i], built.lengths[i]);
    abdm_fhir_bundles_free(&built);
    json_decref(record);
}


/* --- conformant documents --- */

static void
expect_unchanged(const char *name, const abdm_document_about_t *about, char *json, size_t len)
{
    abdm_fhir_verdict_t v;
    abdm_err_t err = abdm_document_normalize(about, json, len, &v);

    if (abdm_failed(err))
        fail_msg("%s: %s at %s", name, err.what, v.where);
    assert_int_equal(v.mended.len, 0);
    assert_true(v.facts.typed);
    assert_int_equal(v.facts.hi_type, about->hi_type);
}


static void
each_stays(const char *name, const char *text)
{
    for_documents(name, text, expect_unchanged);
}


static void
a_conformant_document_stays_as_it_is(void **state)
{
    (void) state;
    assert_true(for_records(each_stays) >= 60);
}


/* --- mending --- */

/* The resources without what names them. */
static void
without_names(json_t *value)
{
    const char *key;
    json_t *item;
    size_t i;
    void *next;

    json_object_foreach_safe(value, next, key, item) {
        if (strcmp(key, "reference") == 0 && json_is_string(item))
            json_object_del(value, key);
        else
            without_names(item);
    }
    json_array_foreach(value, i, item)
        without_names(item);
}


static void
expect_same_content(const char *name, json_t *before, json_t *after)
{
    json_t *a = json_object_get(before, "entry"), *b = json_object_get(after, "entry");

    assert_int_equal(json_array_size(a), json_array_size(b));
    for (size_t i = 0; i < json_array_size(a); i++) {
        json_t *x = json_object_get(json_array_get(a, i), "resource");
        json_t *y = json_object_get(json_array_get(b, i), "resource");
        without_names(x);
        without_names(y);
        if (!json_equal(x, y))
            fail_msg("%s: entry %zu changed", name, i);
    }
}


static void
expect_mended(const char *name, const abdm_document_about_t *about, char *json, size_t len)
{
    json_t *before = parsed(json, len), *broken = parsed(json, len), *after;
    abdm_fhir_verdict_t v, again;

    untidy(broken);
    char *text = relative_text(broken);
    abdm_err_t err = abdm_document_normalize(about, text, strlen(text), &v);
    if (abdm_failed(err))
        fail_msg("%s: %s at %s (%zu)", name, err.what, v.where, v.faults);
    assert_true(v.mended.len > 0);
    keep(name, "mended", &v.mended);
    after = parsed(v.mended.p, v.mended.len);
    expect_same_content(name, before, after);
    assert_int_equal(abdm_document_normalize(about, text, strlen(text), &again).code, ABDM_OK);
    assert_int_equal(again.mended.len, v.mended.len);
    assert_memory_equal(again.mended.p, v.mended.p, v.mended.len);
    abdm_buf_wipe_free(&v.mended);
    abdm_buf_wipe_free(&again.mended);
    json_decref(before);
    json_decref(broken);
    json_decref(after);
    free(text);
}


static void
each_is_mended(const char *name, const char *text)
{
    for_documents(name, text, expect_mended);
}


static void
what_is_badly_held_together_is_mended_and_says_the_same(void **state)
{
    (void) state;
    for_records(each_is_mended);
}


/* --- wrapping --- */

static json_t *
searchset_of(json_t *document)
{
    json_t *entries = json_array(), *entry;
    size_t i;

    json_array_foreach(json_object_get(document, "entry"), i, entry) {
        if (i > 0)
            json_array_append(entries, entry);
    }
    return json_pack("{s:s, s:s, s:i, s:o}", "resourceType", "Bundle", "type", "searchset", "total",
                     (int) json_array_size(entries), "entry", entries);
}


static void
expect_wrapped(const char *name, const abdm_document_about_t *about, char *json, size_t len)
{
    json_t *document = parsed(json, len), *set = searchset_of(document);
    char *text = json_dumps(set, JSON_COMPACT);
    abdm_fhir_verdict_t v;

    abdm_err_t err = abdm_document_normalize(about, text, strlen(text), &v);
    if (abdm_failed(err))
        fail_msg("%s: %s at %s (%zu)", name, err.what, v.where, v.faults);
    keep(name, "wrapped", &v.mended);
    assert_true(v.facts.typed && v.facts.dated);
    assert_int_equal(v.facts.hi_type, about->hi_type);
    abdm_buf_wipe_free(&v.mended);
    json_decref(document);
    json_decref(set);
    free(text);
}


static void
each_is_wrapped(const char *name, const char *text)
{
    for_documents(name, text, expect_wrapped);
}


static void
resources_of_a_search_become_a_document(void **state)
{
    (void) state;
    for_records(each_is_wrapped);
}


/* --- single changes --- */

#define PATIENT "{'resourceType':'Patient','id':'p','identifier':[{'type':{'text':'MRN'},"        \
                "'value':'UH1'}],'name':[{'text':'Asha'}]}"
#define REQUEST(more) "{'resourceType':'MedicationRequest','id':'m','status':'active',"           \
                      "'intent':'order','subject':{'reference':'Patient/p'},"                     \
                      "'dosageInstruction':[{'text':'1-0-1'}]," more "}"
#define DRUG "'medicationCodeableConcept':{'text':'Paracetamol'}"

static const char record_text_of_patient[] =
    "{'hiType':'Prescription','id':'r1','authoredOn':'2026-03-05T10:40:00+05:30',"
    "'careContextReference':'V1','patient':{'patientReference':'UH1','name':'Asha'},"
    "'bundle':{'url':'/x'}}";


static abdm_err_t
normalize(const char *quoted, abdm_fhir_verdict_t *v)
{
    char *text = strdup(quoted), *about_text = strdup(record_text_of_patient);

    assert_true(text != NULL && about_text != NULL);
    for (char *p = text; *p != '\0'; p++)
        *p = *p == '\'' ? '"' : *p;
    for (char *p = about_text; *p != '\0'; p++)
        *p = *p == '\'' ? '"' : *p;
    json_t *record = parsed(about_text, strlen(about_text));
    abdm_document_about_t about = about_of(record);
    abdm_err_t err = abdm_document_normalize(&about, text, strlen(text), v);
    json_decref(record);
    free(text);
    free(about_text);
    return err;
}


/* The MedicationRequest of the document that the resources become; owned by the caller. */
static json_t *
request_in(const char *quoted)
{
    abdm_fhir_verdict_t v;
    abdm_err_t err = normalize(quoted, &v);

    if (abdm_failed(err))
        fail_msg("%s at %s", err.what, v.where);
    keep("single", "wrapped", &v.mended);
    json_t *bundle = parsed(v.mended.p, v.mended.len), *entry, *found = NULL;
    size_t i;
    json_array_foreach(json_object_get(bundle, "entry"), i, entry) {
        json_t *r = json_object_get(entry, "resource");
        if (strcmp(abdm_json_string_at(r, "resourceType"), "MedicationRequest") == 0)
            found = json_incref(r);
    }
    abdm_buf_wipe_free(&v.mended);
    json_decref(bundle);
    assert_non_null(found);
    return found;
}


static void
a_list_of_resources_gets_what_is_administrative(void **state)
{
    json_t *r = request_in("[" PATIENT "," REQUEST(DRUG) "]");

    (void) state;
    assert_non_null(abdm_json_string_at(r, "requester.reference"));
    assert_string_equal(abdm_json_string_at(r, "authoredOn"), "2026-03-05T10:40:00+05:30");
    json_decref(r);
}


static void
a_medicine_in_a_resource_of_its_own_comes_into_the_request(void **state)
{
    static const char *const given[] = {
        "[" PATIENT ",{'resourceType':'Medication','id':'d','code':{'text':'Dolo 650'}},"
        REQUEST("'medicationReference':{'reference':'Medication/d'}") "]",
        "[" PATIENT "," REQUEST("'contained':[{'resourceType':'Medication','id':'d','code':"
        "{'text':'Dolo 650'}}],'medicationReference':{'reference':'#d'}") "]",
    };

    (void) state;
    for (size_t i = 0; i < sizeof given / sizeof *given; i++) {
        json_t *r = request_in(given[i]);
        assert_string_equal(abdm_json_string_at(r, "medicationCodeableConcept.text"), "Dolo 650");
        assert_null(json_object_get(r, "medicationReference"));
        assert_null(json_object_get(r, "contained"));
        json_decref(r);
    }
}


static void
a_coding_that_the_profile_forbids_stays_in_words(void **state)
{
    json_t *r = request_in("[" PATIENT "," REQUEST("'medicationCodeableConcept':{'coding':["
                           "{'system':'https://hmis.example/drugs','code':'D7','display':"
                           "'Paracetamol 500'},{'system':'https://other.example','code':'Z'}]}")
                           "]");

    (void) state;
    assert_string_equal(abdm_json_string_at(r, "medicationCodeableConcept.text"),
                        "Paracetamol 500 (Z)");
    assert_null(abdm_json_at(r, "medicationCodeableConcept.coding"));
    json_decref(r);
}


static void
numbers_keep_their_text(void **state)
{
    abdm_fhir_verdict_t v;

    (void) state;
    assert_int_equal(normalize("[" PATIENT "," REQUEST(DRUG ",'dispenseRequest':{'quantity':"
                               "{'value':72.50,'unit':'mL'}}") "]", &v).code, ABDM_OK);
    assert_non_null(memmem(v.mended.p, v.mended.len, "\"value\":72.50,", 14));
    abdm_buf_wipe_free(&v.mended);
}


static void
what_cannot_be_made_conformant_is_refused(void **state)
{
    static const struct {
        const char *given;
        abdm_code_t code;
        const char *said;
        bool attachable;
    } rows[] = {
        {"[" REQUEST(DRUG) "]", ABDM_E_RECORD_FORM, "no Patient", false},
        {"[" PATIENT "]", ABDM_E_RECORD_FORM, "F_", true},
        {"[{'resourceType':'Patient','id':'p','identifier':[{'value':'UH2'}]},"
         REQUEST(DRUG) "]", ABDM_E_CONSENT_PATIENT, "Patient.identifier", false},
        {"[" PATIENT ",{'resourceType':'Patient','id':'q'}," REQUEST(DRUG) "]",
         ABDM_E_CONSENT_PATIENT, "Patient.identifier", false},
        {"[" PATIENT ",{'resourceType':'MedicationRequest','status':'active','intent':'order',"
         "'subject':{'reference':'https://h/Patient/9'}," DRUG "}]", ABDM_E_RECORD_FORM, "F_",
         false},
        {"[" PATIENT ",{'resourceType':'MedicationRequest','status':'active','intent':'order',"
         "'dosageInstruction':[{'text':'1'}],'subject':{'reference':'https://h/Patient/9'}," DRUG
         "}]", ABDM_E_CONSENT_PATIENT, "subject", false},
        {"[" PATIENT "," REQUEST("'medicationReference':{'reference':'Medication/none'}") "]",
         ABDM_E_RECORD_FORM, "F_", true},
        {"[" PATIENT ",{'resourceType':'Medication','id':'d','code':{'text':'x'},'form':{'text':"
         "'syrup'}}," REQUEST("'medicationReference':{'reference':'Medication/d'}") "]",
         ABDM_E_RECORD_FORM, "F_", true},
        {"{'resourceType':'Bundle','type':'transaction','entry':[]}", ABDM_E_RECORD_FORM,
         "neither a document", false},
        {"{'resourceType':'OperationOutcome'}", ABDM_E_RECORD_FORM, "no Patient", false},
        {"{'patient':1}", ABDM_E_RECORD_FORM, "neither a document", false},
        {"[1,null,'x',{}]", ABDM_E_RECORD_FORM, "no Patient", false},
        {"'x'", ABDM_E_RECORD_FORM, "neither a document", false},
        {"{", ABDM_E_RECORD_FORM, "JSON", false},
        {"\xef\xbb\xbf[]", ABDM_E_RECORD_FORM, "byte order mark", false},
    };

    (void) state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        abdm_fhir_verdict_t v;
        abdm_err_t err = normalize(rows[i].given, &v);
        assert_int_equal(err.code, rows[i].code);
        if (strstr(err.what, rows[i].said) == NULL)
            fail_msg("row %zu: %s", i, err.what);
        assert_int_equal(v.attachable, rows[i].attachable);
        assert_false(v.sendable);
        assert_int_equal(v.mended.len, 0);
    }
}


/* A document of the right type that lacks something clinical may be sent by policy; one of another
 * type never. */
static void
expect_sendable(const char *name, const abdm_document_about_t *about, char *json, size_t len)
{
    json_t *bundle = parsed(json, len);
    abdm_document_about_t other = *about;
    abdm_fhir_verdict_t v;

    json_object_del(abdm_json_at(bundle, "entry.0.resource"), "status");
    char *text = json_dumps(bundle, JSON_COMPACT);
    assert_int_equal(abdm_document_normalize(about, text, strlen(text), &v).code,
                     ABDM_E_RECORD_FORM);
    assert_string_equal(v.where, "/entry/0/resource/status");
    if (!v.attachable || !v.sendable)
        fail_msg("%s: not sendable", name);
    other.hi_type = (abdm_hi_type_t) ((about->hi_type + 1) % ABDM_HI_TYPES);
    assert_int_equal(abdm_document_normalize(&other, text, strlen(text), &v).code,
                     ABDM_E_RECORD_FORM);
    assert_false(v.attachable || v.sendable);
    other = *about;
    other.patient_ref = "somebody else";
    assert_int_equal(abdm_document_normalize(&other, text, strlen(text), &v).code,
                     ABDM_E_CONSENT_PATIENT);
    assert_false(v.attachable || v.sendable);
    json_decref(bundle);
    free(text);
}


static void
each_is_sendable(const char *name, const char *text)
{
    for_documents(name, text, expect_sendable);
}


static void
policy_never_sends_another_patient_or_type(void **state)
{
    (void) state;
    for_records(each_is_sendable);
}


static void
the_first_bytes_tell_what_came(void **state)
{
    static const struct {
        const char *head;
        abdm_body_kind_t kind;
    } rows[] = {
        {"", ABDM_BODY_FILE},
        {"%PDF-1.7", ABDM_BODY_FILE},
        {"<!doctype html>", ABDM_BODY_FILE},
        {"  {\n\"resourceType\": \"Bundle\"", ABDM_BODY_FHIR},
        {"\xef\xbb\xbf{\"resourceType\":\"Bundle\"", ABDM_BODY_FHIR},
        {"[", ABDM_BODY_FHIR},
        {"{\"error\":\"no such paper\"}", ABDM_BODY_JSON},
        {"MSH|^~\\&|LAB", ABDM_BODY_HL7V2},
    };

    (void) state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(abdm_body_kind(abdm_str(rows[i].head)), rows[i].kind);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_conformant_document_stays_as_it_is),
        cmocka_unit_test(what_is_badly_held_together_is_mended_and_says_the_same),
        cmocka_unit_test(resources_of_a_search_become_a_document),
        cmocka_unit_test(a_list_of_resources_gets_what_is_administrative),
        cmocka_unit_test(a_medicine_in_a_resource_of_its_own_comes_into_the_request),
        cmocka_unit_test(a_coding_that_the_profile_forbids_stays_in_words),
        cmocka_unit_test(numbers_keep_their_text),
        cmocka_unit_test(what_cannot_be_made_conformant_is_refused),
        cmocka_unit_test(policy_never_sends_another_patient_or_type),
        cmocka_unit_test(the_first_bytes_tell_what_came),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
