/* A transfer from its acknowledgement to the list of its pages, and its end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "flow_kit.h"
#include "gateway/outbound.h"


static void
assert_over_raised(const abdm_effects_t *e, const char *reason)
{
    const abdm_job_t *job = flow_job(e, "transfer.over");

    assert_non_null(job);
    assert_int_equal(job->kind, ABDM_JOB_EVENT);
    assert_int_equal(job->due_at, NOW);
    if (reason == NULL)
        assert_null(job->body);
    else
        assert_string_equal(job->body, reason);
}


/* --- acknowledged --- */

static void
an_accepted_acknowledgement_begins_to_list_four_contexts_at_a_time(void **state)
{
    abdm_result_t result = {.err = ABDM_NO_ERR, .status = 202};
    abdm_event_t ev = flow_event("transfer.acknowledged", 0, &result);
    abdm_effects_t out;
    flow_kit_t k;

    (void) state;
    flow_kit_init(&k);
    flow_kit_transfer(&k, ABDM_TRANSFER_REQUESTED, 6);
    assert_int_equal(flow_run(&k, &ev, &out).code, ABDM_OK);
    assert_int_equal(flow_nth(&out, ABDM_EFFECT_TRANSFER, 0)->u.transfer.state,
                     ABDM_TRANSFER_LISTING);
    assert_int_equal(flow_count(&out, ABDM_EFFECT_JOB), 4);
    for (int i = 0; i < 4; i++) {
        const abdm_job_t *job = &flow_nth(&out, ABDM_EFFECT_JOB, (size_t) i)->u.job;
        assert_int_equal(job->kind, ABDM_JOB_RECORDS);
        assert_string_equal(job->event, "transfer.listed");
        assert_int_equal(job->arg, i);
        assert_int_equal(job->deadline_at, NOW + 20 * 60 * 1000);
    }
    abdm_effects_clear(&out);
}


static void
no_job_of_a_transfer_lives_longer_than_the_transfer(void **state)
{
    abdm_result_t result = {.err = ABDM_NO_ERR, .status = 202};
    abdm_event_t ev = flow_event("transfer.acknowledged", 0, &result);
    abdm_effects_t out;
    flow_kit_t k;

    (void) state;
    flow_kit_init(&k);
    flow_kit_transfer(&k, ABDM_TRANSFER_REQUESTED, 1);
    k.transfer.deadline_at = NOW + 5;
    assert_int_equal(flow_run(&k, &ev, &out).code, ABDM_OK);
    assert_int_equal(flow_job(&out, "transfer.listed")->deadline_at, NOW + 5);
    abdm_effects_clear(&out);
}


static void
an_acknowledgement_that_the_gateway_refuses_ends_the_transfer(void **state)
{
    abdm_result_t result = {.err = FAILURE(ABDM_E_GATEWAY_REFUSED), .final = true, .status = 400};
    abdm_event_t ev = flow_event("transfer.acknowledged", 0, &result);
    abdm_effects_t out;
    flow_kit_t k;

    (void) state;
    flow_kit_init(&k);
    flow_kit_transfer(&k, ABDM_TRANSFER_REQUESTED, 2);
    assert_int_equal(flow_run(&k, &ev, &out).code, ABDM_OK);
    assert_over_raised(&out, "E_GATEWAY_REFUSED");
    assert_int_equal(flow_count(&out, ABDM_EFFECT_JOB), 1);
    assert_true(flow_audited(&out, "acknowledgement not accepted by the gateway",
                             ABDM_E_GATEWAY_REFUSED));
    abdm_effects_clear(&out);
}


static void
a_transfer_without_care_contexts_ends_as_one_without_records(void **state)
{
    abdm_result_t result = {.err = ABDM_NO_ERR};
    abdm_event_t ev = flow_event("transfer.acknowledged", 0, &result);
    abdm_effects_t out;
    flow_kit_t k;

    (void) state;
    flow_kit_init(&k);
    flow_kit_transfer(&k, ABDM_TRANSFER_REQUESTED, 0);
    assert_int_equal(flow_run(&k, &ev, &out).code, ABDM_OK);
    assert_over_raised(&out, "E_RECORD_NONE");
    abdm_effects_clear(&out);
}


static void
a_second_acknowledgement_begins_nothing(void **state)
{
    static const abdm_transfer_state_t states[] = {ABDM_TRANSFER_LISTING, ABDM_TRANSFER_PUSHING,
                                                   ABDM_TRANSFER_NOTIFYING, ABDM_TRANSFER_DONE,
                                                   ABDM_TRANSFER_REFUSED};

    (void) state;
    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        abdm_result_t result = {.err = ABDM_NO_ERR};
        abdm_event_t ev = flow_event("transfer.acknowledged", 0, &result);
        abdm_effects_t out;
        flow_kit_t k;

        flow_kit_init(&k);
        flow_kit_transfer(&k, states[i], 2);
        assert_int_equal(flow_run(&k, &ev, &out).code, ABDM_OK);
        assert_int_equal(out.n, 0);
        abdm_effects_clear(&out);
    }
}


/* --- listed --- */

static json_t *
record(const char *id, const char *type, const char *date, const char *patient)
{
    json_t *r = json_pack("{s:s, s:s, s:{s:s}}", "id", id, "hiType", type, "document", "url",
                          "/files/1");

    assert_non_null(r);
    if (date != NULL)
        json_object_set_new(r, "authoredOn", json_string(date));
    if (patient != NULL)
        json_object_set_new(r, "patient", json_pack("{s:s}", "patientReference", patient));
    return r;
}


static void
list(flow_kit_t *k, int context, json_t *records, abdm_effects_t *out)
{
    abdm_result_t result = {.err = ABDM_NO_ERR, .records = records};
    abdm_event_t ev = flow_event("transfer.listed", context, &result);

    flow_step(k, &ev, out);
    json_decref(records);
}


static void
what_the_consent_covers_becomes_pages_in_the_order_of_the_list(void **state)
{
    abdm_effects_t out;
    flow_kit_t k;

    (void) state;
    flow_kit_init(&k);
    flow_kit_transfer(&k, ABDM_TRANSFER_LISTING, 1);
    list(&k, 0,
         json_pack("[o, o]", record("A", "Prescription", "2026-03-01T00:00:00Z", "MR-1"),
                   record("B", "prescription", "2026-03-02", NULL)),
         &out);
    assert_int_equal(flow_count(&out, ABDM_EFFECT_PAGE), 2);
    const abdm_page_t *page = &flow_nth(&out, ABDM_EFFECT_PAGE, 1)->u.page;
    assert_int_equal(page->number, 1);
    assert_int_equal(page->context, 0);
    assert_true(page->dated);
    assert_int_equal(page->state, ABDM_PART_PENDING);
    assert_at(page->record, "id", "B");
    const abdm_transfer_t *t = &flow_nth(&out, ABDM_EFFECT_TRANSFER, 0)->u.transfer;
    assert_int_equal(t->state, ABDM_TRANSFER_PUSHING);
    assert_int_equal(t->n_pages, 2);
    assert_int_equal(flow_job(&out, "transfer.page_due")->arg, 0);
    assert_int_equal(flow_nth(&out, ABDM_EFFECT_CONTEXT, 0)->u.context.state, ABDM_PART_DONE);
    abdm_effects_clear(&out);
    flow_kit_clear(&k);
}


/* A record of several files: one page for each, that differ in the part alone. */
static void
a_record_of_several_documents_becomes_as_many_pages(void **state)
{
    for (int files = 3; files <= 65; files += 62) { /* a few, and more than one record may have */
        json_t *r = record("A", "Prescription", "2026-03-01", "MR-1"), *list_of = json_array();
        abdm_effects_t out;
        flow_kit_t k;

        (void) state;
        json_object_del(r, "document");
        for (int i = 0; i < files; i++)
            json_array_append_new(list_of, json_pack("{s:s}", "data", "Lg=="));
        json_object_set_new(r, "documents", list_of);
        flow_kit_init(&k);
        flow_kit_transfer(&k, ABDM_TRANSFER_LISTING, 1);
        list(&k, 0, json_pack("[o, o]", r, record("B", "Prescription", "2026-03-02", NULL)), &out);
        int pages = files > 64 ? 1 : files + 1;
        assert_int_equal(flow_count(&out, ABDM_EFFECT_PAGE), pages);
        for (int i = 0; i < pages; i++) {
            const abdm_page_t *page = &flow_nth(&out, ABDM_EFFECT_PAGE, i)->u.page;
            assert_int_equal(page->number, i);
            assert_int_equal(page->part, i == pages - 1 ? 0 : i);
            assert_at(page->record, "id", i == pages - 1 ? "B" : "A");
        }
        assert_int_equal(flow_nth(&out, ABDM_EFFECT_TRANSFER, 0)->u.transfer.n_pages, pages);
        abdm_effects_clear(&out);
        flow_kit_clear(&k);
    }
}


/* A record that may not leave: no page, and only `told` of why where it is the context's end. */
static void
assert_not_taken(json_t *r, abdm_code_t audited, abdm_code_t told)
{
    abdm_effects_t out;
    flow_kit_t k;

    flow_kit_init(&k);
    flow_kit_transfer(&k, ABDM_TRANSFER_LISTING, 2);
    list(&k, 0, json_pack("[o]", r), &out);
    assert_null(flow_nth(&out, ABDM_EFFECT_PAGE, 0));
    assert_int_equal(flow_nth(&out, ABDM_EFFECT_CONTEXT, 0)->u.context.reason, told);
    if (audited != ABDM_OK)
        assert_true(flow_audited(&out, "record not covered", audited));
    abdm_effects_clear(&out);
    flow_kit_clear(&k);
}


static void
records_outside_the_consent_are_left_and_not_told_of(void **state)
{
    (void) state;
    assert_not_taken(record("A", "Invoice", "2026-03-01", "MR-1"), ABDM_E_CONSENT_HI_TYPE,
                     ABDM_E_RECORD_NONE);
    assert_not_taken(record("A", "Prescription", "1999-01-01", "MR-1"),
                     ABDM_E_CONSENT_RECORD_DATE, ABDM_E_RECORD_NONE);
    assert_not_taken(record("A", "Prescription", NULL, "MR-1"), ABDM_E_CONSENT_RECORD_DATE,
                     ABDM_E_RECORD_NONE);
    assert_not_taken(record("A", "Prescription", "no date", "MR-1"), ABDM_E_CONSENT_RECORD_DATE,
                     ABDM_E_RECORD_NONE);
}


static void
a_record_of_another_patient_is_left_and_fails_its_context(void **state)
{
    (void) state;
    assert_not_taken(record("A", "Prescription", "2026-03-01", "MR-2"), ABDM_E_CONSENT_PATIENT,
                     ABDM_E_CONSENT_PATIENT);
}


static void
a_record_of_no_known_type_is_the_fault_of_the_hmis(void **state)
{
    (void) state;
    assert_not_taken(record("A", "Poem", "2026-03-01", "MR-1"), ABDM_OK, ABDM_E_HMIS_ANSWER);
}


static void
page_numbers_go_on_from_context_to_context(void **state)
{
    abdm_effects_t out;
    flow_kit_t k;

    (void) state;
    flow_kit_init(&k);
    flow_kit_transfer(&k, ABDM_TRANSFER_LISTING, 2);
    list(&k, 1, json_pack("[o]", record("A", "Prescription", "2026-03-01", "MR-1")), &out);
    assert_null(flow_nth(&out, ABDM_EFFECT_TRANSFER, 0));
    assert_null(flow_job(&out, "transfer.page_due"));
    abdm_effects_clear(&out);

    list(&k, 0, json_pack("[o]", record("B", "Prescription", "2026-03-01", "MR-1")), &out);
    assert_int_equal(flow_nth(&out, ABDM_EFFECT_PAGE, 0)->u.page.number, 1);
    assert_int_equal(flow_nth(&out, ABDM_EFFECT_PAGE, 0)->u.page.context, 0);
    assert_int_equal(flow_nth(&out, ABDM_EFFECT_TRANSFER, 0)->u.transfer.n_pages, 2);
    assert_non_null(flow_job(&out, "transfer.page_due"));
    abdm_effects_clear(&out);
    flow_kit_clear(&k);
}


static void
each_listed_context_makes_room_for_the_fourth_after_it(void **state)
{
    abdm_effects_t out;
    flow_kit_t k;

    (void) state;
    flow_kit_init(&k);
    flow_kit_transfer(&k, ABDM_TRANSFER_LISTING, 6);
    list(&k, 1, json_array(), &out);
    assert_int_equal(flow_job(&out, "transfer.listed")->arg, 5);
    abdm_effects_clear(&out);
    list(&k, 2, json_array(), &out);
    assert_null(flow_job(&out, "transfer.listed"));
    abdm_effects_clear(&out);
}


static void
a_list_that_comes_twice_makes_no_second_pages(void **state)
{
    abdm_effects_t out;
    flow_kit_t k;

    (void) state;
    flow_kit_init(&k);
    flow_kit_transfer(&k, ABDM_TRANSFER_LISTING, 2);
    list(&k, 0, json_pack("[o]", record("A", "Prescription", "2026-03-01", "MR-1")), &out);
    abdm_effects_clear(&out);
    list(&k, 0, json_pack("[o]", record("A", "Prescription", "2026-03-01", "MR-1")), &out);
    assert_int_equal(out.n, 0);
    abdm_effects_clear(&out);
    flow_kit_clear(&k);
}


static void
an_hmis_that_does_not_answer_fails_the_context_and_not_the_transfer(void **state)
{
    abdm_result_t result = {.err = FAILURE(ABDM_E_CONNECT), .final = false};
    abdm_event_t ev = flow_event("transfer.listed", 0, &result);
    abdm_effects_t out;
    flow_kit_t k;

    (void) state;
    flow_kit_init(&k);
    flow_kit_transfer(&k, ABDM_TRANSFER_LISTING, 2);
    flow_kit_page(&k, 1, ABDM_PART_PENDING);
    flow_step(&k, &ev, &out);
    const abdm_transfer_context_t *c = &flow_nth(&out, ABDM_EFFECT_CONTEXT, 0)->u.context;
    assert_int_equal(c->state, ABDM_PART_FAILED);
    assert_int_equal(c->reason, ABDM_E_CONNECT);
    assert_true(flow_audited(&out, "records not listed", ABDM_E_CONNECT));
    assert_int_equal(flow_job(&out, "transfer.page_due")->arg, 0);
    abdm_effects_clear(&out);
    flow_kit_clear(&k);
}


static void
a_transfer_of_which_nothing_is_listed_is_over_at_once(void **state)
{
    abdm_effects_t out;
    flow_kit_t k;

    (void) state;
    flow_kit_init(&k);
    flow_kit_transfer(&k, ABDM_TRANSFER_LISTING, 1);
    list(&k, 0, json_array(), &out);
    assert_int_equal(flow_nth(&out, ABDM_EFFECT_CONTEXT, 0)->u.context.reason,
                     ABDM_E_RECORD_NONE);
    assert_null(flow_job(&out, "transfer.page_due"));
    assert_over_raised(&out, NULL);
    abdm_effects_clear(&out);
}


static void
a_revocation_while_listing_leaves_no_page(void **state)
{
    abdm_effects_t out;
    flow_kit_t k;

    (void) state;
    flow_kit_init(&k);
    flow_kit_transfer(&k, ABDM_TRANSFER_LISTING, 1);
    k.consent.status = ABDM_CONSENT_REVOKED;
    list(&k, 0, json_pack("[o]", record("A", "Prescription", "2026-03-01", "MR-1")), &out);
    assert_null(flow_nth(&out, ABDM_EFFECT_PAGE, 0));
    assert_true(flow_audited(&out, "record not covered", ABDM_E_CONSENT_REVOKED));
    abdm_effects_clear(&out);
}


static void
a_list_after_the_end_changes_nothing(void **state)
{
    static const abdm_transfer_state_t states[] = {ABDM_TRANSFER_NOTIFYING, ABDM_TRANSFER_DONE,
                                                   ABDM_TRANSFER_REFUSED};

    (void) state;
    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        abdm_effects_t out;
        flow_kit_t k;

        flow_kit_init(&k);
        flow_kit_transfer(&k, states[i], 1);
        list(&k, 0, json_pack("[o]", record("A", "Prescription", "2026-03-01", "MR-1")), &out);
        assert_int_equal(out.n, 0);
        abdm_effects_clear(&out);
    }
}


static void
events_of_a_transfer_that_is_not_there_change_nothing(void **state)
{
    static const char *const names[] = {"transfer.acknowledged", "transfer.listed",
                                        "transfer.page_due", "transfer.fetched",
                                        "transfer.pushed", "transfer.notified", "transfer.over"};

    (void) state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        abdm_result_t result = {.err = ABDM_NO_ERR};
        abdm_event_t ev = flow_event(names[i], 0, &result);
        abdm_effects_t out;
        flow_kit_t k;

        flow_kit_init(&k);
        assert_int_equal(flow_run(&k, &ev, &out).code, ABDM_OK);
        assert_int_equal(out.n, 0);
        abdm_effects_clear(&out);
    }
}


/* Each kind of read fails in turn: the event stays undecided, and no effect may be applied. */
static void
a_store_that_fails_leaves_a_list_undecided(void **state)
{
    (void) state;
    for (int i = 0; i < 4; i++) {
        abdm_result_t result = {.err = ABDM_NO_ERR};
        abdm_event_t ev = flow_event("transfer.listed", 0, &result);
        abdm_effects_t out;
        flow_kit_t k;

        flow_kit_init(&k);
        flow_kit_transfer(&k, ABDM_TRANSFER_LISTING, 1);
        result.records =
            json_pack("[o]", record("A", "Prescription", "2026-03-01", "MR-1"));
        k.transfer_fails = i == 0 ? ABDM_E_STORE : ABDM_OK;
        k.context_fails = i == 1 ? ABDM_E_STORE : ABDM_OK;
        k.progress_fails = i == 2 ? ABDM_E_STORE : ABDM_OK;
        k.consent_fails = i == 3 ? ABDM_E_STORE : ABDM_OK;
        assert_int_equal(flow_run(&k, &ev, &out).code, ABDM_E_STORE);
        json_decref(result.records);
        abdm_effects_clear(&out);
    }
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_accepted_acknowledgement_begins_to_list_four_contexts_at_a_time),
        cmocka_unit_test(no_job_of_a_transfer_lives_longer_than_the_transfer),
        cmocka_unit_test(an_acknowledgement_that_the_gateway_refuses_ends_the_transfer),
        cmocka_unit_test(a_transfer_without_care_contexts_ends_as_one_without_records),
        cmocka_unit_test(a_second_acknowledgement_begins_nothing),
        cmocka_unit_test(what_the_consent_covers_becomes_pages_in_the_order_of_the_list),
        cmocka_unit_test(records_outside_the_consent_are_left_and_not_told_of),
        cmocka_unit_test(a_record_of_another_patient_is_left_and_fails_its_context),
        cmocka_unit_test(a_record_of_no_known_type_is_the_fault_of_the_hmis),
        cmocka_unit_test(page_numbers_go_on_from_context_to_context),
        cmocka_unit_test(each_listed_context_makes_room_for_the_fourth_after_it),
        cmocka_unit_test(a_list_that_comes_twice_makes_no_second_pages),
        cmocka_unit_test(an_hmis_that_does_not_answer_fails_the_context_and_not_the_transfer),
        cmocka_unit_test(a_record_of_several_documents_becomes_as_many_pages),
        cmocka_unit_test(a_transfer_of_which_nothing_is_listed_is_over_at_once),
        cmocka_unit_test(a_revocation_while_listing_leaves_no_page),
        cmocka_unit_test(a_list_after_the_end_changes_nothing),
        cmocka_unit_test(events_of_a_transfer_that_is_not_there_change_nothing),
        cmocka_unit_test(a_store_that_fails_leaves_a_list_undecided),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
