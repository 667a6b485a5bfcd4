/*
 * What the store keeps of consents and transfers: effects are read back as they were given, a
 * part undone leaves no trace, sealed records open in their own row alone, and the schema is
 * made once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sys/stat.h>

#include "core/json.h"
#include "store_kit.h"

static store_kit_t K;

static abdm_transfer_t transfer = {.id = "T-1", .hip_id = "HIP_1", .consent_id = "C-1",
                                   .request_id = "R-1", .from = 1, .to = 2,
                                   .push_url = "https://hiu.example/push", .curve = "Curve25519",
                                   .public_key = "key", .nonce = "nonce", .n_contexts = 2,
                                   .requested_at = 1772702411000, .deadline_at = 9};


static int
open_store(void **state)
{
    (void) state;
    return store_kit_open(&K);
}


static int
close_store(void **state)
{
    (void) state;
    store_kit_close(&K);
    return 0;
}


static void
apply(abdm_effects_t *e)
{
    assert_false(e->failed);
    OK_(abdm_store_apply(K.store, e, 777));
    abdm_effects_clear(e);
}


static abdm_care_context_t *
two_contexts(void)
{
    abdm_care_context_t *c = calloc(2, sizeof(*c));

    assert_non_null(c);
    c[0] = (abdm_care_context_t){strdup("MR-1"), strdup("V-2")};
    c[1] = (abdm_care_context_t){strdup("MR-1"), strdup("V-1")};
    return c;
}


static void
put_consent(abdm_consent_status_t status)
{
    abdm_effects_t e = {0};
    abdm_consent_t c = {.id = strdup("C-1"), .hip_id = strdup("HIP_1"), .status = status};

    if (status == ABDM_CONSENT_GRANTED) {
        c.hiu_id = strdup("HIU_1");
        c.patient_id = strdup("a@sbx");
        c.purpose = strdup("CAREMGT");
        c.from = 10;
        c.to = 20;
        c.erase_at = 30;
        c.hi_types = 5;
        c.contexts = two_contexts();
        c.n_contexts = 2;
    }
    abdm_effect_consent(&e, &c);
    apply(&e);
}


/* The transfer with two contexts, and one page that waits in context 0. */
static void
put_transfer(void)
{
    abdm_transfer_context_t contexts[] = {
        {.index = 0, .patient_ref = "MR-1", .care_context_ref = "V-1"},
        {.index = 1, .patient_ref = "MR-1", .care_context_ref = "V-2"}};
    abdm_page_t page = {.number = 0, .context = 0, .hi_type = ABDM_HI_PRESCRIPTION,
                        .dated = true, .date = 15,
                        .record = json_pack("{s:s}", "title", "secret words")};
    abdm_effects_t e = {0};

    abdm_effect_transfer(&e, &transfer);
    abdm_effect_context(&e, &transfer, &contexts[0]);
    abdm_effect_context(&e, &transfer, &contexts[1]);
    abdm_effect_page(&e, &transfer, &page);
    apply(&e);
    json_decref(page.record);
}


static abdm_err_t
get_page(int number, abdm_page_t *page)
{
    const abdm_view_t *view = abdm_store_view(K.store);

    return view->page(view, &transfer, number, page);
}


/* --- effects and views --- */

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


/* --- transactions --- */

static void
put_audit(const char *what)
{
    abdm_effects_t e = {0};

    abdm_effect_audit(&e, "HIP_1", "T-1", what, ABDM_NO_ERR, NULL);
    apply(&e);
}


static void
a_part_undone_leaves_the_rest_of_its_transaction(void **state)
{
    (void) state;
    OK_(abdm_store_begin(K.store));
    OK_(abdm_store_mark(K.store));
    put_audit("kept");
    OK_(abdm_store_keep(K.store));
    OK_(abdm_store_mark(K.store));
    put_audit("undone");
    OK_(abdm_store_undo(K.store));
    OK_(abdm_store_mark(K.store));
    put_audit("kept too");
    OK_(abdm_store_keep(K.store));
    OK_(abdm_store_commit(K.store));
    assert_int_equal(store_kit_number(&K, "SELECT count(*) FROM audit"), 2);
    assert_int_equal(store_kit_number(&K, "SELECT count(*) FROM audit WHERE what = 'undone'"), 0);
}


static void
a_transaction_rolled_back_leaves_nothing_and_another_may_begin(void **state)
{
    (void) state;
    OK_(abdm_store_begin(K.store));
    put_audit("lost");
    abdm_store_rollback(K.store);
    abdm_store_rollback(K.store); /* none is open: nothing happens */
    OK_(abdm_store_begin(K.store));
    put_audit("kept");
    OK_(abdm_store_commit(K.store));
    assert_int_equal(store_kit_number(&K, "SELECT count(*) FROM audit"), 1);
}


static void
a_lock_held_by_another_for_too_long_is_told_as_busy(void **state)
{
    (void) state;
    store_kit_exec(&K, "BEGIN IMMEDIATE");
    assert_int_equal(abdm_store_begin(K.store).code, ABDM_E_STORE_BUSY); /* after five seconds */
    store_kit_exec(&K, "ROLLBACK");
    OK_(abdm_store_begin(K.store));
    OK_(abdm_store_commit(K.store));
}


/* --- reports --- */

static json_t *
explain(const char *id, abdm_code_t code)
{
    abdm_buf_t out = {0};
    json_t *json = NULL;

    assert_int_equal(abdm_store_report_explain(K.store, id, &out).code, code);
    if (code == ABDM_OK)
        OK_(abdm_json_parse(out.p, out.len, ABDM_JSON_DEPTH, &json));
    abdm_buf_free(&out);
    return json;
}


static void
assert_at(const json_t *json, const char *path, const char *want)
{
    assert_non_null(abdm_json_string_at(json, path));
    assert_string_equal(abdm_json_string_at(json, path), want);
}


static void
an_explanation_has_all_that_happened_to_a_transfer_and_no_content(void **state)
{
    abdm_transfer_t refused = transfer;
    abdm_effects_t e = {0};
    abdm_job_t job = {.kind = ABDM_JOB_EVENT, .event = "transfer.over", .hip_id = "HIP_1",
                      .subject = "T-1", .due_at = 1, .deadline_at = 2};
    char *text;

    (void) state;
    put_transfer();
    refused.state = ABDM_TRANSFER_REFUSED;
    refused.reason = ABDM_E_CONSENT_RANGE;
    abdm_effect_transfer(&e, &refused);
    abdm_effect_audit(&e, "HIP_1", "T-1", "request refused",
                      ABDM_ERR(CONSENT_RANGE, "request.dateRange: wider"), NULL);
    apply(&e);
    OK_(abdm_store_job_add(K.store, &job, NULL));

    json_t *json = explain("T-1", ABDM_OK);
    assert_at(json, "id", "T-1");
    assert_at(json, "transfer.0.state", "REFUSED");
    assert_at(json, "transfer.0.reason", "E_CONSENT_RANGE");
    assert_at(json, "transfer.0.meaning", abdm_error_info(ABDM_E_CONSENT_RANGE)->meaning);
    assert_at(json, "transfer.0.requestedAt", "2026-03-05T09:20:11.000Z");
    assert_at(json, "careContexts.1.careContextReference", "V-2");
    assert_at(json, "pages.0.hiType", "Prescription");
    assert_at(json, "pages.0.state", "PENDING");
    assert_at(json, "waiting.0.then", "transfer.over");
    assert_at(json, "history.0.what", "request refused");
    assert_at(json, "history.0.detail", "request.dateRange: wider");
    assert_at(json, "history.0.reason", "E_CONSENT_RANGE");
    text = json_dumps(json, 0);
    assert_null(strstr(text, "secret words"));
    assert_null(strstr(text, "a@sbx"));
    free(text);
    json_decref(json);
}


static void
a_consent_can_be_explained_and_an_unknown_id_cannot(void **state)
{
    (void) state;
    put_consent(ABDM_CONSENT_GRANTED);
    json_t *json = explain("C-1", ABDM_OK);
    assert_at(json, "consent.0.status", "GRANTED");
    assert_at(json, "consent.0.requester", "HIU_1");
    assert_at(json, "consent.0.hiTypes.0", "OPConsultation");
    json_decref(json);
    (void) explain("X-1", ABDM_E_NOT_FOUND);
}


static void
the_newest_transfers_are_listed_first_and_counted(void **state)
{
    abdm_transfer_t newer = transfer;
    abdm_page_t page = {.number = 0, .context = 0, .state = ABDM_PART_DONE};
    abdm_effects_t e = {0};
    abdm_buf_t out = {0};
    json_t *json = NULL;
    int64_t n;

    (void) state;
    put_transfer();
    newer.id = "T-2";
    newer.requested_at += 1;
    abdm_effect_transfer(&e, &newer);
    abdm_effect_page(&e, &newer, &page);
    apply(&e);
    OK_(abdm_store_report_transfers(K.store, 10, &out));
    OK_(abdm_json_parse(out.p, out.len, ABDM_JSON_DEPTH, &json));
    assert_int_equal(json_array_size(abdm_json_at(json, "transfers")), 2);
    assert_at(json, "transfers.0.transactionId", "T-2");
    assert_true(abdm_json_int_at(json, "transfers.0.delivered", &n) && n == 1);
    assert_true(abdm_json_int_at(json, "transfers.1.delivered", &n) && n == 0);
    json_decref(json);
    abdm_buf_free(&out);

    OK_(abdm_store_report_transfers(K.store, 1, &out));
    OK_(abdm_json_parse(out.p, out.len, ABDM_JSON_DEPTH, &json));
    assert_int_equal(json_array_size(abdm_json_at(json, "transfers")), 1);
    json_decref(json);
    abdm_buf_free(&out);
}


#define STORE_TEST(f) cmocka_unit_test_setup_teardown(f, open_store, close_store)

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
        STORE_TEST(a_part_undone_leaves_the_rest_of_its_transaction),
        STORE_TEST(a_transaction_rolled_back_leaves_nothing_and_another_may_begin),
        STORE_TEST(a_lock_held_by_another_for_too_long_is_told_as_busy),
        STORE_TEST(an_explanation_has_all_that_happened_to_a_transfer_and_no_content),
        STORE_TEST(a_consent_can_be_explained_and_an_unknown_id_cannot),
        STORE_TEST(the_newest_transfers_are_listed_first_and_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
