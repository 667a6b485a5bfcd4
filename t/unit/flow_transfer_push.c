/*
 * The pages of a transfer: decided anew before each fetch and each push, tried again with
 * growing pauses, and told to the gateway as they truly ended.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "flow_kit.h"
#include "gateway/outbound.h"

typedef struct {
    abdm_document_t base; /* first */
    int closed;
} document_t;


static void
close_document(abdm_document_t *document)
{
    ((document_t *) document)->closed++;
}


static void
pushing(flow_kit_t *k, int pages)
{
    flow_kit_init(k);
    flow_kit_transfer(k, ABDM_TRANSFER_PUSHING, 2);
    for (int i = 0; i < pages; i++)
        flow_kit_page(k, i % 2, ABDM_PART_PENDING);
    for (int i = 0; i < 2; i++)
        k->context[i].state = ABDM_PART_DONE;
}


static void
assert_page(const abdm_effects_t *e, abdm_part_state_t state, abdm_code_t reason)
{
    const abdm_effect_t *x = flow_nth(e, ABDM_EFFECT_PAGE, 0);

    assert_non_null(x);
    assert_int_equal(x->u.page.state, state);
    assert_int_equal(x->u.page.reason, reason);
    if (state != ABDM_PART_PENDING)
        assert_null(x->u.page.record); /* what is final is forgotten */
}


/* --- due --- */

static void
a_due_page_within_the_consent_is_fetched(void **state)
{
    abdm_event_t ev = flow_event("transfer.page_due", 1, NULL);
    abdm_effects_t out;
    flow_kit_t k;

    (void) state;
    pushing(&k, 2);
    assert_int_equal(flow_run(&k, &ev, &out).code, ABDM_OK);
    const abdm_job_t *job = flow_job(&out, "transfer.fetched");
    assert_int_equal(job->kind, ABDM_JOB_DOCUMENT);
    assert_int_equal(job->arg, 1);
    assert_int_equal(out.n, 1);
    abdm_effects_clear(&out);
    flow_kit_clear(&k);
}


/* Refusals that hold for all pages end the transfer before anything more is fetched. */
static void
a_consent_that_ended_meanwhile_ends_the_transfer(void **state)
{
    static const char *const events[] = {"transfer.page_due", "transfer.fetched"};
    static const struct {
        abdm_consent_status_t status;
        abdm_ms_t erase_at;
        abdm_code_t why;
        const char *name;
    } rows[] = {
        {ABDM_CONSENT_REVOKED, NOW + 1, ABDM_E_CONSENT_REVOKED, "E_CONSENT_REVOKED"},
        {ABDM_CONSENT_EXPIRED, NOW + 1, ABDM_E_CONSENT_EXPIRED, "E_CONSENT_EXPIRED"},
        {ABDM_CONSENT_GRANTED, NOW, ABDM_E_CONSENT_EXPIRED, "E_CONSENT_EXPIRED"},
        {ABDM_CONSENT_DENIED, NOW + 1, ABDM_E_CONSENT_NOT_GRANTED, "E_CONSENT_NOT_GRANTED"},
    };

    (void) state;
    for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
        document_t document = {.base.close = close_document};
        abdm_result_t result = {.err = ABDM_NO_ERR, .document = &document.base};
        abdm_event_t ev = flow_event(events[i % 2], 0, i % 2 ? &result : NULL);
        abdm_effects_t out;
        flow_kit_t k;

        pushing(&k, 2);
        k.consent.status = rows[i / 2].status;
        k.consent.erase_at = rows[i / 2].erase_at;
        assert_int_equal(flow_run(&k, &ev, &out).code, ABDM_OK);
        assert_page(&out, ABDM_PART_FAILED, rows[i / 2].why);
        assert_string_equal(flow_job(&out, "transfer.over")->body, rows[i / 2].name);
        assert_int_equal(flow_count(&out, ABDM_EFFECT_JOB), 1);
        assert_true(flow_audited(&out, "page refused", rows[i / 2].why));
        if (i % 2)
            assert_ptr_equal(result.document, &document.base); /* not pushed: still the event's */
        abdm_effects_clear(&out);
        flow_kit_clear(&k);
    }
}


static void
a_consent_that_vanished_ends_the_transfer(void **state)
{
    abdm_event_t ev = flow_event("transfer.page_due", 0, NULL);
    abdm_effects_t out;
    flow_kit_t k;

    (void) state;
    pushing(&k, 2);
    k.has_consent = false;
    assert_int_equal(flow_run(&k, &ev, &out).code, ABDM_OK);
    assert_non_null(flow_job(&out, "transfer.over"));
    assert_string_equal(flow_job(&out, "transfer.over")->body, "E_CONSENT_UNKNOWN");
    abdm_effects_clear(&out);
    flow_kit_clear(&k);
}


/* --- fetched --- */

static void
a_fetched_page_is_pushed_with_its_document(void **state)
{
    document_t document = {.base.close = close_document};
    abdm_result_t result = {.err = ABDM_NO_ERR, .document = &document.base};
    abdm_event_t ev = flow_event("transfer.fetched", 0, &result);
    abdm_effects_t out;
    flow_kit_t k;

    (void) state;
    pushing(&k, 2);
    assert_int_equal(flow_run(&k, &ev, &out).code, ABDM_OK);
    const abdm_job_t *job = flow_job(&out, "transfer.pushed");
    assert_int_equal(job->kind, ABDM_JOB_PUSH);
    assert_ptr_equal(job->document, &document.base);
    assert_null(result.document);
    assert_int_equal(out.n, 1);
    abdm_effects_clear(&out);
    assert_int_equal(document.closed, 1);
    flow_kit_clear(&k);
}


static void
what_the_document_says_of_itself_counts_and_not_the_list(void **state)
{
    static const struct {
        abdm_hi_type_t type;
        bool dated;
        abdm_ms_t date;
        abdm_code_t why;
    } rows[] = {
        {ABDM_HI_INVOICE, true, 1772002411000, ABDM_E_CONSENT_HI_TYPE},
        {ABDM_HI_PRESCRIPTION, false, 0, ABDM_E_CONSENT_RECORD_DATE},
        {ABDM_HI_PRESCRIPTION, true, 0, ABDM_E_CONSENT_RECORD_DATE},
    };

    (void) state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        abdm_result_t result = {.err = ABDM_NO_ERR, .has_facts = true, .hi_type = rows[i].type,
                                .dated = rows[i].dated, .date = rows[i].date};
        abdm_event_t ev = flow_event("transfer.fetched", 0, &result);
        abdm_effects_t out;
        flow_kit_t k;

        pushing(&k, 2);
        assert_int_equal(flow_run(&k, &ev, &out).code, ABDM_OK);
        assert_page(&out, ABDM_PART_FAILED, rows[i].why);
        assert_int_equal(flow_job(&out, "transfer.page_due")->arg, 1); /* the others may leave */
        assert_null(flow_job(&out, "transfer.pushed"));
        abdm_effects_clear(&out);
        flow_kit_clear(&k);
    }
}


static void
a_document_that_cannot_be_had_fails_its_page_alone(void **state)
{
    abdm_result_t result = {.err = FAILURE(ABDM_E_RECORD_FORM), .final = true};
    abdm_event_t ev = flow_event("transfer.fetched", 0, &result);
    abdm_effects_t out;
    flow_kit_t k;

    (void) state;
    pushing(&k, 2);
    assert_int_equal(flow_run(&k, &ev, &out).code, ABDM_OK);
    assert_page(&out, ABDM_PART_FAILED, ABDM_E_RECORD_FORM);
    assert_int_equal(flow_job(&out, "transfer.page_due")->arg, 1);
    abdm_effects_clear(&out);
    flow_kit_clear(&k);
}


/* --- pushed --- */

static abdm_effects_t
pushed(flow_kit_t *k, int page, abdm_code_t code, bool final)
{
    abdm_result_t result = {.err = code == ABDM_OK ? ABDM_NO_ERR : FAILURE(code),
                            .final = final};
    abdm_event_t ev = flow_event("transfer.pushed", page, &result);
    abdm_effects_t out;

    assert_int_equal(flow_run(k, &ev, &out).code, ABDM_OK);
    return out;
}


static void
a_delivered_page_makes_room_for_the_next(void **state)
{
    abdm_effects_t out;
    flow_kit_t k;

    (void) state;
    pushing(&k, 2);
    out = pushed(&k, 0, ABDM_OK, true);
    assert_page(&out, ABDM_PART_DONE, ABDM_OK);
    assert_int_equal(flow_job(&out, "transfer.page_due")->arg, 1);
    assert_true(flow_audited(&out, "page delivered", ABDM_OK));
    abdm_effects_clear(&out);
    flow_kit_clear(&k);
}


static void
behind_the_last_page_the_transfer_is_over(void **state)
{
    abdm_effects_t out;
    flow_kit_t k;

    (void) state;
    pushing(&k, 2);
    out = pushed(&k, 1, ABDM_OK, true);
    assert_null(flow_job(&out, "transfer.page_due"));
    assert_null(flow_job(&out, "transfer.over")->body);
    abdm_effects_clear(&out);
    flow_kit_clear(&k);
}


static void
a_push_that_may_pass_is_tried_again_with_doubled_pauses(void **state)
{
    (void) state;
    for (int attempt = 0; attempt < 7; attempt++) {
        abdm_effects_t out;
        flow_kit_t k;

        pushing(&k, 1);
        k.page[0].attempts = attempt;
        out = pushed(&k, 0, ABDM_E_PUSH_FAILED, false);
        assert_int_equal(flow_job(&out, "transfer.page_due")->due_at,
                         NOW + (2000 << attempt));
        assert_page(&out, ABDM_PART_PENDING, ABDM_OK);
        assert_int_equal(flow_nth(&out, ABDM_EFFECT_PAGE, 0)->u.page.attempts, attempt + 1);
        assert_non_null(flow_nth(&out, ABDM_EFFECT_PAGE, 0)->u.page.record);
        abdm_effects_clear(&out);
        flow_kit_clear(&k);
    }
}


static void
after_eight_pushes_the_page_has_failed(void **state)
{
    abdm_effects_t out;
    flow_kit_t k;

    (void) state;
    pushing(&k, 2);
    k.page[0].attempts = 7;
    out = pushed(&k, 0, ABDM_E_TIMEOUT, false);
    assert_page(&out, ABDM_PART_FAILED, ABDM_E_TIMEOUT);
    assert_int_equal(flow_job(&out, "transfer.page_due")->arg, 1);
    abdm_effects_clear(&out);
    flow_kit_clear(&k);
}


static void
a_page_that_the_requester_refuses_is_not_tried_again(void **state)
{
    abdm_effects_t out;
    flow_kit_t k;

    (void) state;
    pushing(&k, 2);
    out = pushed(&k, 0, ABDM_E_PUSH_REFUSED, true);
    assert_page(&out, ABDM_PART_FAILED, ABDM_E_PUSH_REFUSED);
    assert_int_equal(flow_job(&out, "transfer.page_due")->arg, 1);
    assert_int_equal(flow_job(&out, "transfer.page_due")->due_at, NOW);
    abdm_effects_clear(&out);
    flow_kit_clear(&k);
}


static void
an_address_that_became_forbidden_ends_the_transfer(void **state)
{
    abdm_effects_t out;
    flow_kit_t k;

    (void) state;
    pushing(&k, 2);
    out = pushed(&k, 0, ABDM_E_PUSH_ADDRESS, true);
    assert_page(&out, ABDM_PART_FAILED, ABDM_E_PUSH_ADDRESS);
    assert_string_equal(flow_job(&out, "transfer.over")->body, "E_PUSH_ADDRESS");
    assert_null(flow_job(&out, "transfer.page_due"));
    abdm_effects_clear(&out);
    flow_kit_clear(&k);
}


static void
a_document_lost_with_its_process_is_fetched_again_at_once(void **state)
{
    abdm_effects_t out;
    flow_kit_t k;

    (void) state;
    pushing(&k, 2);
    out = pushed(&k, 0, ABDM_E_SPOOL_LOST, true);
    assert_int_equal(flow_job(&out, "transfer.page_due")->arg, 0);
    assert_int_equal(flow_job(&out, "transfer.page_due")->due_at, NOW);
    assert_int_equal(out.n, 1);
    abdm_effects_clear(&out);
    flow_kit_clear(&k);
}


/* --- late, and undecided --- */

static void
an_event_of_a_final_page_changes_nothing(void **state)
{
    static const char *const names[] = {"transfer.page_due", "transfer.fetched",
                                        "transfer.pushed"};

    (void) state;
    for (int i = 0; i < 6; i++) {
        document_t document = {.base.close = close_document};
        abdm_result_t result = {.err = ABDM_NO_ERR, .document = &document.base};
        abdm_event_t ev = flow_event(names[i % 3], 0, &result);
        abdm_effects_t out;
        flow_kit_t k;

        pushing(&k, 1);
        k.page[0].state = i < 3 ? ABDM_PART_DONE : ABDM_PART_FAILED;
        assert_int_equal(flow_run(&k, &ev, &out).code, ABDM_OK);
        assert_int_equal(out.n, 0);
        assert_ptr_equal(result.document, &document.base);
        abdm_effects_clear(&out);
        flow_kit_clear(&k);
    }
}


static void
a_page_event_after_the_end_changes_nothing(void **state)
{
    static const char *const names[] = {"transfer.page_due", "transfer.fetched",
                                        "transfer.pushed"};
    static const abdm_transfer_state_t states[] = {ABDM_TRANSFER_NOTIFYING, ABDM_TRANSFER_DONE,
                                                   ABDM_TRANSFER_REFUSED};

    (void) state;
    for (int i = 0; i < 9; i++) {
        abdm_result_t result = {.err = ABDM_NO_ERR};
        abdm_event_t ev = flow_event(names[i % 3], 0, &result);
        abdm_effects_t out;
        flow_kit_t k;

        pushing(&k, 1);
        k.transfer.state = states[i / 3];
        assert_int_equal(flow_run(&k, &ev, &out).code, ABDM_OK);
        assert_int_equal(out.n, 0);
        abdm_effects_clear(&out);
        flow_kit_clear(&k);
    }
}


static void
a_store_that_fails_leaves_a_page_undecided_and_its_document_where_it_was(void **state)
{
    static const char *const names[] = {"transfer.page_due", "transfer.fetched"};
    static const abdm_code_t codes[] = {ABDM_E_STORE, ABDM_E_STORE_BUSY, ABDM_E_MEMORY};

    (void) state;
    for (int i = 0; i < 24; i++) {
        document_t document = {.base.close = close_document};
        abdm_result_t result = {.err = ABDM_NO_ERR, .document = &document.base};
        abdm_event_t ev = flow_event(names[i % 2], 0, &result);
        abdm_code_t code = codes[i / 2 % 3];
        abdm_effects_t out;
        flow_kit_t k;

        pushing(&k, 1);
        k.transfer_fails = i / 6 == 0 ? code : ABDM_OK;
        k.page_fails = i / 6 == 1 ? code : ABDM_OK;
        k.context_fails = i / 6 == 2 ? code : ABDM_OK;
        k.consent_fails = i / 6 == 3 ? code : ABDM_OK;
        assert_int_equal(flow_run(&k, &ev, &out).code, code);
        assert_int_equal(out.n, 0);
        assert_ptr_equal(result.document, &document.base);
        abdm_effects_clear(&out);
        flow_kit_clear(&k);
    }
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_due_page_within_the_consent_is_fetched),
        cmocka_unit_test(a_consent_that_ended_meanwhile_ends_the_transfer),
        cmocka_unit_test(a_consent_that_vanished_ends_the_transfer),
        cmocka_unit_test(a_fetched_page_is_pushed_with_its_document),
        cmocka_unit_test(what_the_document_says_of_itself_counts_and_not_the_list),
        cmocka_unit_test(a_document_that_cannot_be_had_fails_its_page_alone),
        cmocka_unit_test(a_delivered_page_makes_room_for_the_next),
        cmocka_unit_test(behind_the_last_page_the_transfer_is_over),
        cmocka_unit_test(a_push_that_may_pass_is_tried_again_with_doubled_pauses),
        cmocka_unit_test(after_eight_pushes_the_page_has_failed),
        cmocka_unit_test(a_page_that_the_requester_refuses_is_not_tried_again),
        cmocka_unit_test(an_address_that_became_forbidden_ends_the_transfer),
        cmocka_unit_test(a_document_lost_with_its_process_is_fetched_again_at_once),
        cmocka_unit_test(an_event_of_a_final_page_changes_nothing),
        cmocka_unit_test(a_page_event_after_the_end_changes_nothing),
        cmocka_unit_test(a_store_that_fails_leaves_a_page_undecided_and_its_document_where_it_was),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
