/* What operators are told of transfers and consents, and the edges of a transaction. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "state_kit.h"


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

    assert_int_equal(abdm_store_report_explain(K.store, "", id, &out).code, code);
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
    assert_null(abdm_json_at(json, "consent.0.signature"));
    assert_null(abdm_json_at(json, "consent.0.confirmation"));
    json_decref(json);
    (void) explain("X-1", ABDM_E_NOT_FOUND);
}


static void
how_far_a_consent_is_believed_is_told(void **state)
{
    static const char *const words[] = {"VERIFIED", "ABSENT", "DOES_NOT_VERIFY", "NO_KEY"};
    char sql[128];
    json_t *json;

    (void) state;
    put_consent(ABDM_CONSENT_GRANTED);
    store_kit_exec(&K, "INSERT INTO confirmation VALUES ('HIP_1', 'C-1', 2, 0, 1772702411000,"
                       " 1772702412000, 'E_CONSENT_MISMATCH', 'r-1', 0)");
    for (int i = 0; i < 4; i++) {
        snprintf(sql, sizeof(sql), "UPDATE consent SET signed = %d", i + 1);
        store_kit_exec(&K, sql);
        json = explain("C-1", ABDM_OK);
        assert_at(json, "consent.0.signature", words[i]);
        assert_at(json, "consent.0.confirmation.state", "REFUSED");
        assert_at(json, "consent.0.confirmation.askedAt", "2026-03-05T09:20:11.000Z");
        assert_at(json, "consent.0.confirmation.endedAt", "2026-03-05T09:20:12.000Z");
        assert_at(json, "consent.0.confirmation.reason", "E_CONSENT_MISMATCH");
        json_decref(json);
    }
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
    OK_(abdm_store_report_transfers(K.store, "", 10, &out));
    OK_(abdm_json_parse(out.p, out.len, ABDM_JSON_DEPTH, &json));
    assert_int_equal(json_array_size(abdm_json_at(json, "transfers")), 2);
    assert_at(json, "transfers.0.transactionId", "T-2");
    assert_true(abdm_json_int_at(json, "transfers.0.delivered", &n) && n == 1);
    assert_true(abdm_json_int_at(json, "transfers.1.delivered", &n) && n == 0);
    json_decref(json);
    abdm_buf_free(&out);

    OK_(abdm_store_report_transfers(K.store, "", 1, &out));
    OK_(abdm_json_parse(out.p, out.len, ABDM_JSON_DEPTH, &json));
    assert_int_equal(json_array_size(abdm_json_at(json, "transfers")), 1);
    json_decref(json);
    abdm_buf_free(&out);
}


static void
reports_for_one_facility_know_nothing_of_another(void **state)
{
    abdm_job_t job = {.kind = ABDM_JOB_EVENT, .event = "job.there", .hip_id = "HIP_2",
                      .subject = "T-1", .due_at = 1};
    abdm_effects_t e = {0};
    abdm_buf_t out = {0};

    (void) state;
    put_transfer();
    OK_(abdm_store_report_transfers(K.store, "HIP_2", 10, &out));
    assert_true(abdm_str_eq(abdm_buf_str(&out), ABDM_LIT("{\"transfers\":[]}")));
    out.len = 0;
    assert_int_equal(abdm_store_report_explain(K.store, "HIP_2", "T-1", &out).code,
                     ABDM_E_NOT_FOUND);
    out.len = 0;
    abdm_effect_audit(&e, "HIP_2", "T-1", "said there", ABDM_NO_ERR, NULL);
    apply(&e);
    OK_(abdm_store_job_add(K.store, &job, NULL));
    OK_(abdm_store_report_explain(K.store, "HIP_1", "T-1", &out));
    assert_null(memmem(out.p, out.len, "said there", 10));
    assert_null(memmem(out.p, out.len, "job.there", 9));
    out.len = 0;
    OK_(abdm_store_report_explain(K.store, "", "T-1", &out));
    assert_non_null(memmem(out.p, out.len, "said there", 10));
    assert_non_null(memmem(out.p, out.len, "job.there", 9));
    abdm_buf_free(&out);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(a_part_undone_leaves_the_rest_of_its_transaction),
        STORE_TEST(a_transaction_rolled_back_leaves_nothing_and_another_may_begin),
        STORE_TEST(a_lock_held_by_another_for_too_long_is_told_as_busy),
        STORE_TEST(an_explanation_has_all_that_happened_to_a_transfer_and_no_content),
        STORE_TEST(a_consent_can_be_explained_and_an_unknown_id_cannot),
        STORE_TEST(how_far_a_consent_is_believed_is_told),
        STORE_TEST(the_newest_transfers_are_listed_first_and_counted),
        STORE_TEST(reports_for_one_facility_know_nothing_of_another),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
