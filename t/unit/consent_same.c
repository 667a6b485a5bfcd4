/* Whether two artefacts are the same consent: what a decision rests on, and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "consent/consent.h"

static abdm_care_context_t visits[] = {{"P1", "OPD-1"}, {"P1", "OPD-2"}, {"P2", "OPD-1"}};


static abdm_consent_t
consent(void)
{
    return (abdm_consent_t){
        .id = "c1",
        .patient_id = "asha@sbx",
        .hip_id = "IN0990001234_1",
        .hiu_id = "IN0990005678",
        .purpose = "CAREMGT",
        .from = 1000,
        .to = 2000,
        .erase_at = 3000,
        .hi_types = 5,
        .contexts = visits,
        .n_contexts = 3,
    };
}


/* The member that is told to differ, "" when it is the same consent. */
static const char *
differs(const abdm_consent_t *kept, const abdm_consent_t *told)
{
    const char *member = "?";

    assert_int_equal(abdm_consent_compare(kept, told, &member).code, ABDM_OK);
    return member != NULL ? member : "";
}


static void
order_repetition_and_case_of_an_address_do_not_matter(void **state)
{
    abdm_care_context_t others[] = {visits[2], visits[0], visits[1], visits[0], visits[2]};
    abdm_consent_t kept = consent(), told = consent();

    (void) state;
    assert_string_equal(differs(&kept, &told), "");
    told.contexts = others;
    told.n_contexts = 5;
    told.patient_id = "ASHA@sbx";
    told.hip_id = "IN0990001234"; /* as the gateway shortens it */
    assert_string_equal(differs(&kept, &told), "");
    kept.n_contexts = told.n_contexts = 0;
    assert_string_equal(differs(&kept, &told), "");
}


static void
each_member_that_a_decision_rests_on_is_named_when_it_differs(void **state)
{
    abdm_consent_t kept = consent(), told[9];
    static const char *const names[] = {"consentId", "patient", "hip", "hiu", "purpose",
                                        "dateRange.from", "dateRange.to", "dataEraseAt", "hiTypes"};

    (void) state;
    for (size_t i = 0; i < 9; i++)
        told[i] = consent();
    told[0].id = "c2";
    told[1].patient_id = "ravi@sbx";
    told[2].hip_id = "IN0990001234_2";
    told[3].hiu_id = NULL;
    told[4].purpose = "BTG";
    told[5].from--;
    told[6].to++;
    told[7].erase_at++;
    told[8].hi_types |= 2;
    for (size_t i = 0; i < 9; i++)
        assert_string_equal(differs(&kept, &told[i]), names[i]);
}


static void
a_consent_that_names_no_facility_is_nobodys(void **state)
{
    abdm_consent_t kept = consent(), told = consent();

    (void) state;
    kept.hip_id = told.hip_id = NULL;
    assert_string_equal(differs(&kept, &told), "hip");
}


static void
a_care_context_more_less_or_other_is_another_consent(void **state)
{
    abdm_care_context_t other[] = {visits[0], visits[1], {"P2", "OPD-2"}};
    abdm_consent_t kept = consent(), told = consent();

    (void) state;
    told.n_contexts = 2;
    assert_string_equal(differs(&kept, &told), "careContexts");
    assert_string_equal(differs(&told, &kept), "careContexts");
    told.n_contexts = 0;
    assert_string_equal(differs(&kept, &told), "careContexts");
    told.contexts = other;
    told.n_contexts = 3;
    assert_string_equal(differs(&kept, &told), "careContexts");
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_repetition_and_case_of_an_address_do_not_matter),
        cmocka_unit_test(each_member_that_a_decision_rests_on_is_named_when_it_differs),
        cmocka_unit_test(a_consent_that_names_no_facility_is_nobodys),
        cmocka_unit_test(a_care_context_more_less_or_other_is_another_consent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
