/* What the checker takes a reference to mean that is relative to the server of where it stands. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "check_kit.h"

#define SUBJECT "/entry/3/resource/subject/reference"


/* Checks the document of a server: its DocumentReference, called so, refers so to the Patient.
 * `code`: what is found of that, NULL: nothing. */
static void
check(const char *name, const char *reference, const char *code)
{
    static const char *const codes[] = {"F_REFERENCE", "F_REFERENCE_RELATIVE",
                                        "F_REFERENCE_OUTSIDE"};
    json_t *bundle = parse(document);
    abdm_findings_t found = {0};

    change(bundle, "entry.1.fullUrl", json_string("https://h/fhir/Patient/p"));
    change(bundle, "entry.1.resource.id", json_string("p"));
    change(bundle, "entry.0.resource.subject.reference", json_string("https://h/fhir/Patient/p"));
    change(bundle, "entry.3.fullUrl", json_string(name));
    change(bundle, "entry.0.resource.section.0.entry.0.reference", json_string(name));
    change(bundle, "entry.3.resource.subject.reference", json_string(reference));
    assert_int_equal(abdm_fhir_check_bundle(bundle, &found).code, ABDM_OK);
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        bool expected = code != NULL && strcmp(code, codes[i]) == 0;
        if (is_found(&found, codes[i], SUBJECT) != expected) {
            print_findings(&found);
            fail_msg("%s of %s", reference, name);
        }
    }
    abdm_findings_free(&found);
    json_decref(bundle);
}


static void
a_relative_reference_is_of_the_server_of_its_entry(void **state)
{
    (void) state;
    check("https://h/fhir/DocumentReference/d", "Patient/p", NULL);
    check("https://h/fhir/DocumentReference/d", "Patient/p/_history/1", NULL);
    check("https://h/fhir/DocumentReference/d", "https://h/fhir/Patient/p", NULL);
    check("https://h/fhir/DocumentReference/d", "Patient/q", "F_REFERENCE");
    check("https://other/fhir/DocumentReference/d", "Patient/p", "F_REFERENCE_RELATIVE");
}


static void
an_entry_without_a_server_has_nothing_relative(void **state)
{
    (void) state;
    check(URN "4", "Patient/p", "F_REFERENCE_RELATIVE");
    check("https:d", "Patient/p", "F_REFERENCE_RELATIVE");
    check("http", "Patient/p", "F_REFERENCE_RELATIVE");
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_relative_reference_is_of_the_server_of_its_entry),
        cmocka_unit_test(an_entry_without_a_server_has_nothing_relative),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
