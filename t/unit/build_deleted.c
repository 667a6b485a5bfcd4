/*
 * Every member of every record of t/records is taken away in turn: what is mandatory is missed
 * by name, and whatever is left becomes a conformant document or none. The same of records in
 * which a member holds something else than it should.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "fhir/check.h"
#include "build_records.h"

/* Mandatory members: of the record, or of the items of a list. */
static const struct {
    const char *list, *member;
} mandatory[] = {
    {NULL, "authoredOn"},
    {NULL, "careContextReference"},
    {NULL, "bundleType"},
    {"patient", "patientReference"},
    {"chiefComplaints", "complaint"},
    {"medicalHistories", "complaint"},
    {"physicalExaminations", "observation"},
    {"otherObservations", "observation"},
    {"vitalSigns", "observation"},
    {"bodyMeasurements", "observation"},
    {"physicalActivities", "observation"},
    {"generalAssessments", "observation"},
    {"womanHealths", "observation"},
    {"lifeStyles", "observation"},
    {"allergies", "substance"},
    {"familyHistories", "observation"},
    {"familyHistories", "relationship"},
    {"serviceRequests", "details"},
    {"referrals", "details"},
    {"medications", "medicine"},
    {"medications", "dosage"},
    {"prescriptions", "medicine"},
    {"prescriptions", "dosage"},
    {"procedures", "procedureName"},
    {"followups", "appointmentTime"},
    {"diagnostics", "serviceName"},
    {"diagnostics", "conclusion"},
    {"immunizations", "vaccineName"},
    {"immunizations", "date"},
    {"nextDose", "vaccineName"},
    {"nextDose", "dueDate"},
    {NULL, "invoiceNumber"},
    {NULL, "items"},
    {NULL, "totalNet"},
    {NULL, "totalGross"},
    {"items", "description"},
    {"items", "quantity"},
    {"items", "rate"},
    {"documents", "contentType"},
    {"documents", "data"},
    {"images", "contentType"},
    {"images", "data"},
};

enum { MANDATORY = sizeof mandatory / sizeof *mandatory, STRIDE = 5 };

static size_t deleted, replaced, missed;
static bool met[MANDATORY];


/* A concept may also be said by a code with its display. */
static bool
is_coded(const json_t *item)
{
    return abdm_json_string_at(item, "code.display") != NULL;
}


/* A report that is only a file is none without its file, but needs no conclusion. */
static bool
is_file_report(const json_t *item)
{
    return json_object_get(item, "presentedForm") != NULL &&
           json_object_get(item, "result") == NULL && json_object_get(item, "images") == NULL;
}


static void
expect_missed(const char *record, const char *pointer, const char *member, const char *problem)
{
    const char *colon = strchr(problem, ':');
    size_t n = colon == NULL ? 0 : (size_t) (colon - problem);

    if (strlen(pointer) != n || strncmp(problem, pointer, n) != 0 ||
        strstr(problem, "missing") == NULL || strstr(problem, member) == NULL)
        fail_msg("%s without %s: %s", record, pointer, problem);
    missed++;
}


static void
expect_conformant(const char *record, const char *pointer, const abdm_fhir_bundles_t *made)
{
    for (size_t i = 0; i < made->n; i++) {
        abdm_findings_t found = {0};
        assert_int_equal(
            abdm_fhir_check_bytes(made->texts[i], made->lengths[i], &found).code, ABDM_OK);
        const abdm_finding_t *first = abdm_findings_first_error(&found);
        if (first != NULL)
            fail_msg("%s without %s: %s %s", record, pointer, first->pointer, first->text);
        abdm_findings_free(&found);
    }
}


/* Builds the record as it is now; its numbers are their texts already. */
static abdm_err_t
build(const json_t *record, abdm_fhir_bundles_t *made, char problem[512])
{
    abdm_buf_t text = {0};
    abdm_jw_t w;

    abdm_jw_begin(&w, &text);
    abdm_jw_json(&w, record);
    assert_false(text.failed);
    abdm_err_t err = abdm_fhir_build(text.p, text.len, &facility, made, problem);
    abdm_buf_free(&text);
    return err;
}


static void
try(const char *name, const json_t *record, const char *list, const char *member,
    const char *pointer, const json_t *item)
{
    abdm_fhir_bundles_t made;
    char problem[512];
    int row = -1;

    for (int i = 0; i < MANDATORY; i++) {
        bool same = mandatory[i].list == NULL
                        ? list == NULL
                        : list != NULL && strcmp(list, mandatory[i].list) == 0;
        if (same && strcmp(member, mandatory[i].member) == 0)
            row = i;
    }
    if (list != NULL && strcmp(list, "diagnostics") == 0 && strcmp(member, "conclusion") == 0 &&
        is_file_report(item))
        row = -1;
    if (is_coded(item) && strcmp(member, "complaint") == 0)
        row = -1;
    abdm_err_t err = build(record, &made, problem);
    deleted++;
    if (row >= 0) {
        if (!abdm_failed(err))
            fail_msg("%s without %s is accepted", name, pointer);
        assert_int_equal(err.code, ABDM_E_RECORD_FORM);
        expect_missed(name, pointer, member, problem);
        met[row] = true;
    } else if (abdm_failed(err)) {
        if (problem[0] != '/')
            fail_msg("%s without %s: %s", name, pointer, problem);
    } else {
        expect_conformant(name, pointer, &made);
    }
    abdm_fhir_bundles_free(&made);
}


/* The member with other things in its place: no document, or one that conforms. */
static void
try_others(const char *name, json_t *record, json_t *object, const char *member,
           const char *pointer)
{
    static const char *const others[] = {
        "null", "true", "7", "-0.50", "\"\"", "\" \"", "\"x\"", "[]", "{}", "[[]]", "[{}]",
        "[null, \"x\"]", "{\"text\":\"x\"}", "{\"value\":\"x\",\"from\":1,\"low\":true}",
        "\"\\u0001\\n\"", "{\"system\":\"http://loinc.org\",\"code\":\"8867-4\",\"display\":\"y\"}",
    };

    /* Each member meets some of them, so that all together meet all. */
    for (size_t i = replaced % STRIDE; i < sizeof others / sizeof *others; i += STRIDE) {
        abdm_fhir_bundles_t made;
        char problem[512];
        json_t *other;

        assert_int_equal(abdm_json_parse_exact(others[i], strlen(others[i]), ABDM_JSON_DEPTH,
                                               &other).code, ABDM_OK);
        json_object_set_new(object, member, other);
        abdm_err_t err = build(record, &made, problem);
        replaced++;
        if (!abdm_failed(err))
            expect_conformant(name, pointer, &made);
        else if (problem[0] != '/')
            fail_msg("%s with %s at %s: %s", name, others[i], pointer, problem);
        abdm_fhir_bundles_free(&made);
    }
}


/* Takes away each member of `value` and puts it back; `list` is the member that holds it. */
static void
delete_below(const char *name, json_t *record, json_t *value, const char *list,
             const char *pointer)
{
    char below[512];

    if (json_is_array(value)) {
        for (size_t i = 0; i < json_array_size(value); i++) {
            snprintf(below, sizeof below, "%s/%zu", pointer, i);
            delete_below(name, record, json_array_get(value, i), list, below);
        }
        return;
    }
    if (!json_is_object(value))
        return;
    size_t n = json_object_size(value), i = 0;
    const char **keys = calloc(n, sizeof *keys);
    const char *key;
    json_t *member;

    json_object_foreach(value, key, member)
        keys[i++] = key;
    char **own = calloc(n, sizeof *own);
    for (i = 0; i < n; i++)
        own[i] = strdup(keys[i]);
    for (i = 0; i < n; i++) {
        member = json_incref(json_object_get(value, own[i]));
        snprintf(below, sizeof below, "%s/%s", pointer, own[i]);
        json_object_del(value, own[i]);
        try(name, record, list, own[i], below, value);
        if (strstr(name, "_rich") != NULL)
            try_others(name, record, value, own[i], below);
        json_object_set_new(value, own[i], member);
        delete_below(name, record, member, own[i], below);
        free(own[i]);
    }
    free(own);
    free(keys);
}


static void
delete_each(const char *name, const char *text)
{
    json_t *record;

    if (strstr(name, "_spellings") != NULL) /* the names above are NHA's */
        return;
    assert_int_equal(
        abdm_json_parse_exact(text, strlen(text), ABDM_JSON_DEPTH, &record).code, ABDM_OK);
    delete_below(name, record, record, NULL, "");
    json_decref(record);
}


static void
a_record_lacks_or_garbles_a_member_and_no_document_is_ever_wrong(void **state)
{
    (void) state;
    for_records(delete_each);
    for (int i = 0; i < MANDATORY; i++) {
        if (!met[i])
            fail_msg("no record has %s.%s", mandatory[i].list, mandatory[i].member);
    }
    print_message("# %zu members deleted, %zu of them missed by name, %zu replaced\n", deleted,
                  missed, replaced);
    assert_true(missed > 300);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_lacks_or_garbles_a_member_and_no_document_is_ever_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
