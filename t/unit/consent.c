/*
 * The consent decision: each condition alone turns a permitted case into its own refusal, the
 * edges of every date, the order of the conditions; and what notices do to a stored status.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <stdlib.h>

#include <cmocka.h>

#include "consent/consent.h"

enum { FROM = 1000, TO = 2000, NOW = 5000, ERASE = 9000 };

static abdm_care_context_t contexts[] = {{"MR-1", "V-1"}, {"MR-1", "V-2"}, {"MR-9", "V-9"}};

/* A case in which data may leave; each test spoils one thing. */
typedef struct {
    abdm_consent_t consent;
    abdm_consent_request_t request;
    abdm_consent_record_t record;
    abdm_ms_t now;
} case_t;


static case_t
permitted(void)
{
    return (case_t){
        .consent = {.id = "c", .hip_id = "HIP_1", .hiu_id = "HIU_1", .patient_id = "a@sbx",
                    .purpose = "CAREMGT", .status = ABDM_CONSENT_GRANTED, .from = FROM, .to = TO,
                    .erase_at = ERASE,
                    .hi_types = 1u << ABDM_HI_PRESCRIPTION | 1u << ABDM_HI_INVOICE,
                    .contexts = contexts, .n_contexts = 3},
        .request = {ABDM_LIT("HIP_1"), ABDM_LIT("HIU_1"), FROM, TO, false},
        .record = {ABDM_LIT("MR-1"), ABDM_LIT("V-2"), ABDM_HI_PRESCRIPTION, true, 1500},
        .now = NOW,
    };
}


static abdm_code_t
of_record(const case_t *c)
{
    return abdm_consent_decide(&c->consent, &c->request, &c->record, c->now).code;
}


static abdm_code_t
of_request(const case_t *c)
{
    return abdm_consent_decide(&c->consent, &c->request, NULL, c->now).code;
}


/* A fault of the consent or the request shows with and without a record. */
static void
assert_both(const case_t *c, abdm_code_t code)
{
    assert_int_equal(of_request(c), code);
    assert_int_equal(of_record(c), code);
}


static void
a_request_and_a_record_within_the_consent_may_leave(void **state)
{
    (void) state;
    case_t c = permitted();
    assert_both(&c, ABDM_OK);
}


static void
an_unknown_consent_is_refused(void **state)
{
    (void) state;
    case_t c = permitted();
    assert_int_equal(abdm_consent_decide(NULL, &c.request, &c.record, c.now).code,
                     ABDM_E_CONSENT_UNKNOWN);
    assert_int_equal(abdm_consent_decide(NULL, &c.request, NULL, c.now).code,
                     ABDM_E_CONSENT_UNKNOWN);
}


static void
a_decision_without_a_request_is_refused(void **state)
{
    (void) state;
    case_t c = permitted();
    assert_int_equal(abdm_consent_decide(&c.consent, NULL, &c.record, c.now).code,
                     ABDM_E_INTERNAL);
}


static void
an_empty_consent_permits_nothing(void **state)
{
    (void) state;
    case_t c = permitted();
    c.consent = (abdm_consent_t){0}; /* status 0 is GRANTED: all else must refuse */
    assert_both(&c, ABDM_E_CONSENT_EXPIRED);
}


static void
every_status_but_granted_is_refused_with_its_own_code(void **state)
{
    static const struct {
        abdm_consent_status_t status;
        abdm_code_t code;
    } rows[] = {
        {ABDM_CONSENT_REVOKED, ABDM_E_CONSENT_REVOKED},
        {ABDM_CONSENT_EXPIRED, ABDM_E_CONSENT_EXPIRED},
        {ABDM_CONSENT_DENIED, ABDM_E_CONSENT_NOT_GRANTED},
        {ABDM_CONSENT_REQUESTED, ABDM_E_CONSENT_NOT_GRANTED},
    };
    (void) state;
    for (size_t i = 0; i < 4; i++) {
        case_t c = permitted();
        c.consent.status = rows[i].status;
        assert_both(&c, rows[i].code);
    }
}


static void
the_last_millisecond_before_data_erase_at_permits_and_the_next_refuses(void **state)
{
    (void) state;
    case_t c = permitted();
    c.now = ERASE - 1;
    assert_both(&c, ABDM_OK);
    c.now = ERASE;
    assert_both(&c, ABDM_E_CONSENT_EXPIRED);
    c.now = ERASE + 1;
    assert_both(&c, ABDM_E_CONSENT_EXPIRED);
    c = permitted();
    c.consent.erase_at = 0;
    assert_both(&c, ABDM_E_CONSENT_EXPIRED);
}


static void
another_facility_is_refused(void **state)
{
    (void) state;
    case_t c = permitted();
    c.request.hip_id = ABDM_LIT("HIP_2");
    assert_both(&c, ABDM_E_CONSENT_OTHER_HIP);
    c.request.hip_id = ABDM_LIT("HIP_10"); /* not a prefix */
    assert_both(&c, ABDM_E_CONSENT_OTHER_HIP);
    c.request.hip_id = ABDM_LIT("hip_1");
    assert_both(&c, ABDM_E_CONSENT_OTHER_HIP);
}


static void
a_facility_unnamed_on_both_sides_is_refused(void **state)
{
    (void) state;
    case_t c = permitted();
    c.request.hip_id = ABDM_LIT("");
    assert_both(&c, ABDM_E_CONSENT_OTHER_HIP);
    c.consent.hip_id = NULL;
    assert_both(&c, ABDM_E_CONSENT_OTHER_HIP);
    c.consent.hip_id = "";
    assert_both(&c, ABDM_E_CONSENT_OTHER_HIP);
}


static void
the_requester_counts_only_when_both_sides_name_one(void **state)
{
    (void) state;
    case_t c = permitted();
    c.request.hiu_id = ABDM_LIT("HIU_2");
    assert_both(&c, ABDM_E_CONSENT_OTHER_HIU);
    c.consent.hiu_id = NULL;
    assert_both(&c, ABDM_OK);
    c.consent.hiu_id = "";
    assert_both(&c, ABDM_OK);
    c = permitted();
    c.request.hiu_id = ABDM_LIT("");
    assert_both(&c, ABDM_OK);
}


static void
a_range_that_ends_before_it_begins_is_refused(void **state)
{
    (void) state;
    case_t c = permitted();
    c.request.from = 1600;
    c.request.to = 1599;
    assert_both(&c, ABDM_E_CONSENT_RANGE);
    c.request.to = 1600;
    assert_int_equal(of_request(&c), ABDM_OK);
}


static void
a_range_wider_by_a_millisecond_is_refused(void **state)
{
    (void) state;
    case_t c = permitted();
    c.request.from = FROM - 1;
    assert_both(&c, ABDM_E_CONSENT_RANGE);
    c.request.from = FROM + 1;
    assert_both(&c, ABDM_OK);
    c = permitted();
    c.request.to = TO + 1;
    assert_both(&c, ABDM_E_CONSENT_RANGE);
    c.request.to = TO - 1;
    assert_both(&c, ABDM_OK);
}


static void
a_care_context_outside_the_consent_is_refused(void **state)
{
    (void) state;
    case_t c = permitted();
    c.record.care_context_ref = ABDM_LIT("V-3");
    assert_int_equal(of_record(&c), ABDM_E_CONSENT_CONTEXT);
    c.record.care_context_ref = ABDM_LIT("V-");
    assert_int_equal(of_record(&c), ABDM_E_CONSENT_CONTEXT);
    c = permitted();
    c.consent.n_contexts = 0;
    assert_int_equal(of_record(&c), ABDM_E_CONSENT_CONTEXT);
    assert_int_equal(of_request(&c), ABDM_OK);
}


static void
an_unnamed_care_context_matches_nothing(void **state)
{
    static abdm_care_context_t blank[] = {{NULL, NULL}, {"", ""}};
    (void) state;
    case_t c = permitted();
    c.consent.contexts = blank;
    c.consent.n_contexts = 2;
    c.record.care_context_ref = ABDM_LIT("");
    c.record.patient_ref = ABDM_LIT("");
    assert_int_equal(of_record(&c), ABDM_E_CONSENT_CONTEXT);
}


static void
a_record_of_another_patient_is_refused(void **state)
{
    (void) state;
    case_t c = permitted();
    c.record.patient_ref = ABDM_LIT("MR-2");
    assert_int_equal(of_record(&c), ABDM_E_CONSENT_PATIENT);
    c.record.patient_ref = ABDM_LIT("MR-9"); /* in the consent, but for another context */
    assert_int_equal(of_record(&c), ABDM_E_CONSENT_PATIENT);
    c.record.patient_ref = ABDM_LIT("");
    assert_int_equal(of_record(&c), ABDM_E_CONSENT_PATIENT);
}


static void
only_consented_types_leave(void **state)
{
    (void) state;
    case_t c = permitted();
    for (int t = 0; t < ABDM_HI_TYPES; t++) {
        c.record.hi_type = t;
        assert_int_equal(of_record(&c), t == ABDM_HI_PRESCRIPTION || t == ABDM_HI_INVOICE
                                            ? ABDM_OK
                                            : ABDM_E_CONSENT_HI_TYPE);
    }
}


static void
an_unknown_type_is_refused_even_when_all_are_consented(void **state)
{
    (void) state;
    case_t c = permitted();
    c.consent.hi_types = ~0u;
    c.record.hi_type = -1;
    assert_int_equal(of_record(&c), ABDM_E_CONSENT_HI_TYPE);
    c.record.hi_type = ABDM_HI_TYPES;
    assert_int_equal(of_record(&c), ABDM_E_CONSENT_HI_TYPE);
    c.record.hi_type = 64;
    assert_int_equal(of_record(&c), ABDM_E_CONSENT_HI_TYPE);
}


static void
a_record_without_a_date_is_refused(void **state)
{
    (void) state;
    case_t c = permitted();
    c.record.dated = false;
    assert_int_equal(of_record(&c), ABDM_E_CONSENT_RECORD_DATE);
}


static void
a_record_on_the_edge_of_the_request_leaves_and_one_beyond_does_not(void **state)
{
    (void) state;
    case_t c = permitted();
    c.request.from = 1400; /* narrower than the consent: the request's range counts */
    c.request.to = 1600;
    c.record.date = 1400;
    assert_int_equal(of_record(&c), ABDM_OK);
    c.record.date = 1600;
    assert_int_equal(of_record(&c), ABDM_OK);
    c.record.date = 1399;
    assert_int_equal(of_record(&c), ABDM_E_CONSENT_RECORD_DATE);
    c.record.date = 1601;
    assert_int_equal(of_record(&c), ABDM_E_CONSENT_RECORD_DATE);
}


static void
dates_before_1970_are_dates(void **state)
{
    (void) state;
    case_t c = permitted();
    c.consent.from = c.request.from = -5000;
    c.record.date = -4000;
    assert_both(&c, ABDM_OK);
    c.record.date = -5001;
    assert_int_equal(of_record(&c), ABDM_E_CONSENT_RECORD_DATE);
}


/* Everything is wrong; one thing after the other is mended: the reasons come in the header's
 * order. */
static void
the_first_condition_that_fails_gives_the_reason(void **state)
{
    (void) state;
    case_t c = permitted();
    c.consent.status = ABDM_CONSENT_REVOKED;
    c.now = ERASE;
    c.request.hip_id = ABDM_LIT("X");
    c.request.hiu_id = ABDM_LIT("X");
    c.request.to = TO + 1;
    c.record = (abdm_consent_record_t){ABDM_LIT("X"), ABDM_LIT("X"), -1, false, 0};

    assert_both(&c, ABDM_E_CONSENT_REVOKED);
    c.consent.status = ABDM_CONSENT_GRANTED;
    assert_both(&c, ABDM_E_CONSENT_EXPIRED);
    c.now = NOW;
    assert_both(&c, ABDM_E_CONSENT_OTHER_HIP);
    c.request.hip_id = ABDM_LIT("HIP_1");
    assert_both(&c, ABDM_E_CONSENT_OTHER_HIU);
    c.request.hiu_id = ABDM_LIT("HIU_1");
    assert_both(&c, ABDM_E_CONSENT_RANGE);
    c.request.to = TO;
    assert_int_equal(of_request(&c), ABDM_OK);
    assert_int_equal(of_record(&c), ABDM_E_CONSENT_CONTEXT);
    c.record.care_context_ref = ABDM_LIT("V-1");
    assert_int_equal(of_record(&c), ABDM_E_CONSENT_PATIENT);
    c.record.patient_ref = ABDM_LIT("MR-1");
    assert_int_equal(of_record(&c), ABDM_E_CONSENT_HI_TYPE);
    c.record.hi_type = ABDM_HI_INVOICE;
    assert_int_equal(of_record(&c), ABDM_E_CONSENT_RECORD_DATE);
    c.record.dated = true;
    assert_int_equal(of_record(&c), ABDM_E_CONSENT_RECORD_DATE);
    c.record.date = FROM;
    assert_int_equal(of_record(&c), ABDM_OK);
}


static void
every_refusal_says_what_and_where(void **state)
{
    (void) state;
    case_t c = permitted();
    c.record.dated = false;
    abdm_err_t err = abdm_consent_decide(&c.consent, &c.request, &c.record, c.now);
    assert_string_equal(err.what, "record.date: unknown");
    assert_non_null(strstr(err.where, "decide.c:"));
}


static bool
is_final(abdm_consent_status_t s)
{
    return s == ABDM_CONSENT_REVOKED || s == ABDM_CONSENT_EXPIRED;
}


/* All sequences of four notices over the five statuses, so also all permutations. */
static void
no_order_of_notices_leads_out_of_revoked_or_expired(void **state)
{
    (void) state;
    for (int n = 0; n < 5 * 5 * 5 * 5; n++) {
        abdm_consent_status_t kept = ABDM_CONSENT_REQUESTED, first_final = ABDM_CONSENT_REQUESTED;
        bool known = false, granted = false;

        for (int i = 0, rest = n; i < 4; i++, rest /= 5) {
            abdm_consent_status_t notified = (abdm_consent_status_t) (rest % 5);
            kept = abdm_consent_next(known, kept, notified);
            known = true;
            granted = granted || notified == ABDM_CONSENT_GRANTED;
            if (is_final(notified) && !is_final(first_final))
                first_final = notified;

            if (is_final(first_final))
                assert_int_equal(kept, first_final);
            else
                assert_int_equal(kept == ABDM_CONSENT_GRANTED, granted);
        }
    }
}


static void
a_first_notice_is_taken_whatever_was_in_the_other_argument(void **state)
{
    (void) state;
    assert_int_equal(abdm_consent_next(false, ABDM_CONSENT_REVOKED, ABDM_CONSENT_GRANTED),
                     ABDM_CONSENT_GRANTED);
    assert_int_equal(abdm_consent_next(false, ABDM_CONSENT_GRANTED, ABDM_CONSENT_REVOKED),
                     ABDM_CONSENT_REVOKED);
}


static void
a_late_denied_or_requested_takes_nothing_from_granted(void **state)
{
    (void) state;
    assert_int_equal(abdm_consent_next(true, ABDM_CONSENT_GRANTED, ABDM_CONSENT_DENIED),
                     ABDM_CONSENT_GRANTED);
    assert_int_equal(abdm_consent_next(true, ABDM_CONSENT_GRANTED, ABDM_CONSENT_REQUESTED),
                     ABDM_CONSENT_GRANTED);
}


static void
status_words_are_read_in_any_case_and_written_in_capitals(void **state)
{
    static const char *const words[] = {"GRANTED", "REVOKED", "EXPIRED", "DENIED", "REQUESTED"};
    static const char *const none[] = {"", "GRANT", "GRANTEDX", " GRANTED", "ACTIVE"};
    abdm_consent_status_t s;

    (void) state;
    for (int i = 0; i < 5; i++) {
        assert_true(abdm_consent_status_parse(abdm_str(words[i]), &s));
        assert_int_equal(s, i);
        assert_string_equal(abdm_consent_status_name(s), words[i]);
        assert_false(abdm_consent_status_parse(abdm_str(none[i]), &s));
    }
    assert_true(abdm_consent_status_parse(ABDM_LIT("Revoked"), &s));
    assert_int_equal(s, ABDM_CONSENT_REVOKED);
}


static void
clearing_frees_all_and_may_be_repeated(void **state)
{
    abdm_consent_t c = {.id = strdup("i"), .hip_id = strdup("h"), .hiu_id = strdup("u"),
                        .patient_id = strdup("p"), .purpose = strdup("x"), .n_contexts = 2};

    (void) state;
    c.contexts = calloc(2, sizeof *c.contexts);
    assert_non_null(c.contexts);
    c.contexts[0].patient_ref = strdup("a");
    c.contexts[0].care_context_ref = strdup("b");
    abdm_consent_clear(&c);
    abdm_consent_clear(&c);
    assert_null(c.id);
    assert_null(c.contexts);
    assert_int_equal(c.n_contexts, 0);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_and_a_record_within_the_consent_may_leave),
        cmocka_unit_test(an_unknown_consent_is_refused),
        cmocka_unit_test(a_decision_without_a_request_is_refused),
        cmocka_unit_test(an_empty_consent_permits_nothing),
        cmocka_unit_test(every_status_but_granted_is_refused_with_its_own_code),
        cmocka_unit_test(the_last_millisecond_before_data_erase_at_permits_and_the_next_refuses),
        cmocka_unit_test(another_facility_is_refused),
        cmocka_unit_test(a_facility_unnamed_on_both_sides_is_refused),
        cmocka_unit_test(the_requester_counts_only_when_both_sides_name_one),
        cmocka_unit_test(a_range_that_ends_before_it_begins_is_refused),
        cmocka_unit_test(a_range_wider_by_a_millisecond_is_refused),
        cmocka_unit_test(a_care_context_outside_the_consent_is_refused),
        cmocka_unit_test(an_unnamed_care_context_matches_nothing),
        cmocka_unit_test(a_record_of_another_patient_is_refused),
        cmocka_unit_test(only_consented_types_leave),
        cmocka_unit_test(an_unknown_type_is_refused_even_when_all_are_consented),
        cmocka_unit_test(a_record_without_a_date_is_refused),
        cmocka_unit_test(a_record_on_the_edge_of_the_request_leaves_and_one_beyond_does_not),
        cmocka_unit_test(dates_before_1970_are_dates),
        cmocka_unit_test(the_first_condition_that_fails_gives_the_reason),
        cmocka_unit_test(every_refusal_says_what_and_where),
        cmocka_unit_test(no_order_of_notices_leads_out_of_revoked_or_expired),
        cmocka_unit_test(a_first_notice_is_taken_whatever_was_in_the_other_argument),
        cmocka_unit_test(a_late_denied_or_requested_takes_nothing_from_granted),
        cmocka_unit_test(status_words_are_read_in_any_case_and_written_in_capitals),
        cmocka_unit_test(clearing_frees_all_and_may_be_repeated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
