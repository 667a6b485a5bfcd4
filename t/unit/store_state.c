/* What the store keeps of consents and transfers: effects are read back as they were given, and
 * sealed records open in their own row alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "state_kit.h"


static void
a_consent_is_read_back_as_it_was_kept(void **state)
{
    const abdm_view_t *view = abdm_store_view(K.store);
    abdm_consent_t c;

    (void) state;
    assert_int_equal(view->consent(view, "HIP_1", "C-1", &c).code, ABDM_E_NOT_FOUND);
    put_consent(ABDM_CONSENT_GRANTED);
    OK_(view->consent(view, "HIP_1", "C-1", &c));
    assert_string_equal(c.hiu_id, "HIU_1");
    assert_string_equal(c.patient_id, "a@sbx");
    assert_string_equal(c.purpose, "CAREMGT");
    assert_int_equal(c.from, 10);
    assert_int_equal(c.to, 20);
    assert_int_equal(c.erase_at, 30);
    assert_int_equal(c.hi_types, 5);
    assert_int_equal(c.n_contexts, 2);
    assert_string_equal(c.contexts[0].care_context_ref, "V-2"); /* in the order of the notice */
    assert_string_equal(c.contexts[1].care_context_ref, "V-1");
    abdm_consent_clear(&c);
    assert_int_equal(view->consent(view, "HIP_2", "C-1", &c).code, ABDM_E_NOT_FOUND);
}


static void
a_tombstone_leaves_nothing_of_the_consents_content(void **state)
{
    const abdm_view_t *view = abdm_store_view(K.store);
    abdm_consent_t c;

    (void) state;
    put_consent(ABDM_CONSENT_GRANTED);
    put_consent(ABDM_CONSENT_REVOKED);
    OK_(view->consent(view, "HIP_1", "C-1", &c));
    assert_int_equal(c.status, ABDM_CONSENT_REVOKED);
    assert_null(c.patient_id);
    assert_int_equal(c.n_contexts, 0);
    abdm_consent_clear(&c);
    assert_int_equal(store_kit_number(&K, "SELECT count(*) FROM consent_context"), 0);
}


static void
a_transfer_and_its_parts_are_read_back_as_they_were_kept(void **state)
{
    const abdm_view_t *view = abdm_store_view(K.store);
    abdm_transfer_context_t context;
    abdm_transfer_t t;
    abdm_page_t page;
    int pending, pages;

    (void) state;
    put_transfer();
    OK_(view->transfer(view, "HIP_1", "T-1", &t));
    assert_string_equal(t.consent_id, "C-1");
    assert_string_equal(t.push_url, "https://hiu.example/push");
    assert_string_equal(t.nonce, "nonce");
    assert_int_equal(t.deadline_at, 9);
    assert_int_equal(t.state, ABDM_TRANSFER_REQUESTED);
    OK_(view->context(view, &t, 1, &context));
    assert_string_equal(context.care_context_ref, "V-2");
    assert_int_equal(context.state, ABDM_PART_PENDING);
    abdm_transfer_context_clear(&context);
    assert_int_equal(view->context(view, &t, 2, &context).code, ABDM_E_NOT_FOUND);
    OK_(view->page(view, &t, 0, &page));
    assert_int_equal(page.hi_type, ABDM_HI_PRESCRIPTION);
    assert_true(page.dated);
    assert_int_equal(page.date, 15);
    assert_string_equal(abdm_json_string_at(page.record, "title"), "secret words");
    abdm_page_clear(&page);
    assert_int_equal(view->page(view, &t, 1, &page).code, ABDM_E_NOT_FOUND);
    OK_(view->progress(view, &t, &pending, &pages));
    assert_int_equal(pending, 2);
    assert_int_equal(pages, 1);
    abdm_transfer_clear(&t);
    assert_int_equal(view->transfer(view, "HIP_2", "T-1", &t).code, ABDM_E_NOT_FOUND);
}


static void
an_update_of_a_transfer_keeps_what_was_asked_for(void **state)
{
    const abdm_view_t *view = abdm_store_view(K.store);
    abdm_transfer_t change = transfer, t;
    abdm_effects_t e = {0};

    (void) state;
    put_transfer();
    change.state = ABDM_TRANSFER_NOTIFYING;
    change.reason = ABDM_E_DEADLINE;
    change.n_pages = 4;
    change.done_at = 8;
    change.push_url = "https://elsewhere.example/";
    abdm_effect_transfer(&e, &change);
    apply(&e);
    OK_(view->transfer(view, "HIP_1", "T-1", &t));
    assert_int_equal(t.state, ABDM_TRANSFER_NOTIFYING);
    assert_int_equal(t.reason, ABDM_E_DEADLINE);
    assert_int_equal(t.n_pages, 4);
    assert_int_equal(t.done_at, 8);
    assert_string_equal(t.push_url, "https://hiu.example/push");
    abdm_transfer_clear(&t);
}


static void
failing_what_is_pending_leaves_what_was_delivered(void **state)
{
    const abdm_view_t *view = abdm_store_view(K.store);
    abdm_page_t done = {.number = 1, .context = 0, .state = ABDM_PART_DONE}, page;
    abdm_code_t reason = ABDM_OK;
    abdm_effects_t e = {0};
    int n_done, n_failed, n_pending;

    (void) state;
    put_transfer();
    abdm_effect_page(&e, &transfer, &done);
    abdm_effect_fail_pending(&e, &transfer, ABDM_E_CONSENT_REVOKED);
    apply(&e);
    OK_(get_page(0, &page));
    assert_int_equal(page.state, ABDM_PART_FAILED);
    assert_int_equal(page.reason, ABDM_E_CONSENT_REVOKED);
    assert_null(page.record);
    assert_int_equal(store_kit_number(&K, "SELECT count(record) FROM page"), 0);
    OK_(view->tally(view, &transfer, 0, &n_done, &n_failed, &n_pending, &reason));
    assert_int_equal(n_done, 1);
    assert_int_equal(n_failed, 1);
    assert_int_equal(n_pending, 0);
    assert_int_equal(reason, ABDM_E_CONSENT_REVOKED);
    reason = ABDM_E_TIMEOUT;
    OK_(view->tally(view, &transfer, 1, &n_done, &n_failed, &n_pending, &reason));
    assert_int_equal(n_done + n_failed + n_pending, 0);
    assert_int_equal(reason, ABDM_E_TIMEOUT); /* untouched without a failed page */
}


static void
effects_that_ran_out_of_memory_are_not_applied(void **state)
{
    abdm_effects_t e = {0};

    (void) state;
    abdm_effect_transfer(&e, &transfer);
    e.failed = true;
    assert_int_equal(abdm_store_apply(K.store, &e, 1).code, ABDM_E_MEMORY);
    assert_int_equal(store_kit_number(&K, "SELECT count(*) FROM transfer"), 0);
    abdm_effects_clear(&e);
}


static void
parts_go_with_their_transfer_and_cannot_be_without_it(void **state)
{
    abdm_page_t page = {.number = 0, .context = 0, .state = ABDM_PART_DONE};
    abdm_transfer_t other = transfer;
    abdm_effects_t e = {0};

    (void) state;
    put_transfer();
    put_consent(ABDM_CONSENT_GRANTED);
    other.id = "T-none";
    abdm_effect_page(&e, &other, &page);
    assert_int_equal(abdm_store_apply(K.store, &e, 1).code, ABDM_E_STORE);
    abdm_effects_clear(&e);

    store_kit_exec(&K, "PRAGMA foreign_keys = ON; DELETE FROM transfer; DELETE FROM consent");
    assert_int_equal(store_kit_number(&K, "SELECT count(*) FROM page"), 0);
    assert_int_equal(store_kit_number(&K, "SELECT count(*) FROM transfer_context"), 0);
    assert_int_equal(store_kit_number(&K, "SELECT count(*) FROM consent_context"), 0);
}


/* --- sealing --- */

static void
a_record_on_disk_cannot_be_read_without_the_key(void **state)
{
    abdm_seal_key_t *other = NULL;
    abdm_store_t *store = NULL;
    abdm_page_t page;

    (void) state;
    put_transfer();
    assert_int_equal(
        store_kit_number(&K, "SELECT count(*) FROM page WHERE instr(record, CAST('secret' AS BLOB))"
                             " > 0"), 0);
    OK_(abdm_seal_key_random(&other));
    store_kit_claim(&K, other);
    OK_(abdm_store_open(K.url, other, &store));
    const abdm_view_t *view = abdm_store_view(store);
    assert_int_equal(view->page(view, &transfer, 0, &page).code, ABDM_E_SEAL);
    assert_null(page.record);
    abdm_store_close(store);
    abdm_seal_key_free(other);
}


static void
a_record_moved_to_another_row_or_altered_does_not_open(void **state)
{
    abdm_page_t second = {.number = 1, .context = 1, .record = json_pack("{}")}, page;
    abdm_effects_t e = {0};

    (void) state;
    put_transfer();
    abdm_effect_page(&e, &transfer, &second);
    apply(&e);
    json_decref(second.record);
    OK_(get_page(1, &page));
    abdm_page_clear(&page);

    store_kit_exec(&K, "UPDATE page SET record = (SELECT record FROM page WHERE number = 0)"
                       " WHERE number = 1");
    assert_int_equal(get_page(1, &page).code, ABDM_E_SEAL);
    store_kit_exec(&K, "UPDATE page SET record = x'0102' WHERE number = 0");
    assert_int_equal(get_page(0, &page).code, ABDM_E_SEAL);
    assert_null(page.record);
}


/* --- the patient of a consent --- */

static void
put_consent_of(const char *hip_id, const char *id, const char *patient_id)
{
    abdm_consent_t c = {.id = strdup(id), .hip_id = strdup(hip_id),
                        .patient_id = strdup(patient_id)};
    abdm_effects_t e = {0};

    abdm_effect_consent(&e, &c);
    apply(&e);
}


static void
consents_are_found_by_their_patient_in_the_facility_while_they_have_content(void **state)
{
    const abdm_view_t *view = abdm_store_view(K.store);
    char **ids;
    size_t n;

    (void) state;
    put_consent_of("HIP_1", "C-3", "A@sbx");
    put_consent_of("HIP_1", "C-2", "a@sbx");
    put_consent_of("HIP_1", "C-4", "b@sbx");
    put_consent_of("HIP_2", "C-5", "a@sbx");
    put_consent(ABDM_CONSENT_GRANTED); /* C-1 of a@sbx */
    OK_(view->consents_of(view, "HIP_1", "a@SBX", &ids, &n));
    assert_int_equal(n, 3);
    for (size_t i = 0; i < n; i++) {
        char want[] = {'C', '-', (char) ('1' + i), '\0'};

        assert_string_equal(ids[i], want);
        free(ids[i]);
    }
    free(ids);

    put_consent(ABDM_CONSENT_REVOKED); /* a tombstone knows no patient */
    OK_(view->consents_of(view, "HIP_1", "a@sbx", &ids, &n));
    assert_int_equal(n, 2);
    for (size_t i = 0; i < n; i++)
        free(ids[i]);
    free(ids);
    OK_(view->consents_of(view, "HIP_3", "a@sbx", &ids, &n));
    assert_int_equal(n, 0);
    assert_null(ids);
}


static void
the_patient_of_a_consent_is_sealed_and_stays_with_it(void **state)
{
    const abdm_view_t *view = abdm_store_view(K.store);
    abdm_consent_t c;

    (void) state;
    put_consent_of("HIP_1", "C-1", "a@sbx");
    put_consent_of("HIP_1", "C-2", "b@sbx");
    assert_int_equal(store_kit_number(&K, "SELECT count(*) FROM consent WHERE instr(content,"
                                          " CAST('@sbx' AS BLOB)) > 0"),
                     0);
    store_kit_exec(&K, "UPDATE consent SET content = (SELECT content FROM consent"
                       " WHERE id = 'C-1') WHERE id = 'C-2'");
    OK_(view->consent(view, "HIP_1", "C-1", &c));
    assert_string_equal(c.patient_id, "a@sbx");
    abdm_consent_clear(&c);
    assert_int_equal(view->consent(view, "HIP_1", "C-2", &c).code, ABDM_E_SEAL);
    assert_null(c.id);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(a_consent_is_read_back_as_it_was_kept),
        STORE_TEST(a_tombstone_leaves_nothing_of_the_consents_content),
        STORE_TEST(a_transfer_and_its_parts_are_read_back_as_they_were_kept),
        STORE_TEST(an_update_of_a_transfer_keeps_what_was_asked_for),
        STORE_TEST(failing_what_is_pending_leaves_what_was_delivered),
        STORE_TEST(effects_that_ran_out_of_memory_are_not_applied),
        STORE_TEST(parts_go_with_their_transfer_and_cannot_be_without_it),
        STORE_TEST(a_record_on_disk_cannot_be_read_without_the_key),
        STORE_TEST(a_record_moved_to_another_row_or_altered_does_not_open),
        STORE_TEST(consents_are_found_by_their_patient_in_the_facility_while_they_have_content),
        STORE_TEST(the_patient_of_a_consent_is_sealed_and_stays_with_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
