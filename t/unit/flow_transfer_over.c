/* The end of a transfer: the true status of every care context, told once and kept. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "flow_kit.h"
#include "gateway/outbound.h"


static void
over(flow_kit_t *k, const char *reason, abdm_effects_t *out)
{
    abdm_event_t ev = flow_event("transfer.over", 0, NULL);

    ev.body = reason;
    ev.body_len = reason != NULL ? strlen(reason) : 0;
    flow_step(k, &ev, out);
}


/* The one notification, parsed back. */
static json_t *
notification(const abdm_effects_t *e, const char *session_status)
{
    const abdm_job_t *job = flow_job(e, "transfer.notified");
    json_t *body = flow_body(job);

    assert_int_equal(job->kind, ABDM_JOB_GATEWAY);
    assert_string_equal(job->path, ABDM_PATH_HI_NOTIFY);
    assert_int_equal(job->deadline_at, NOW + 24 * 60 * 60 * 1000);
    assert_at(body, "notification.consentId", CONSENT);
    assert_at(body, "notification.transactionId", TRANSFER);
    assert_at(body, "notification.doneAt", "2026-03-05T09:20:11.000Z");
    assert_at(body, "notification.notifier.type", "HIP");
    assert_at(body, "notification.notifier.id", HIP);
    assert_at(body, "notification.statusNotification.hipId", HIP);
    assert_at(body, "notification.statusNotification.sessionStatus", session_status);
    return body;
}


static void
assert_context(const json_t *body, int i, const char *ref, const char *status,
               abdm_code_t described)
{
    const json_t *list =
        abdm_json_at(body, "notification.statusNotification.statusResponses");
    const json_t *row = json_array_get(list, (size_t) i);

    assert_at(row, "careContextReference", ref);
    assert_at(row, "hiStatus", status);
    assert_at(row, "description",
              described == ABDM_OK ? "delivered" : abdm_error_info(described)->meaning);
}


static size_t
contexts_told(const json_t *body)
{
    return json_array_size(abdm_json_at(body, "notification.statusNotification.statusResponses"));
}


static void
a_transfer_all_of_whose_pages_arrived_is_told_as_delivered(void **state)
{
    abdm_effects_t out;
    flow_kit_t k;

    (void) state;
    flow_kit_init(&k);
    flow_kit_transfer(&k, ABDM_TRANSFER_PUSHING, 2);
    flow_kit_page(&k, 0, ABDM_PART_DONE);
    flow_kit_page(&k, 1, ABDM_PART_DONE);
    over(&k, NULL, &out);

    json_t *body = notification(&out, "TRANSFERRED");
    assert_int_equal(contexts_told(body), 2);
    assert_context(body, 0, "V-1", "DELIVERED", ABDM_OK);
    assert_context(body, 1, "V-2", "DELIVERED", ABDM_OK);
    json_decref(body);
    assert_int_equal(k.transfer.state, ABDM_TRANSFER_NOTIFYING);
    assert_int_equal(k.transfer.reason, ABDM_OK);
    assert_int_equal(k.transfer.done_at, NOW);
    assert_null(flow_nth(&out, ABDM_EFFECT_FAIL_PENDING, 0));
    assert_true(flow_audited(&out, "transfer over: TRANSFERRED", ABDM_OK));
    abdm_effects_clear(&out);
}


static void
each_care_context_is_told_by_its_own_first_failure(void **state)
{
    abdm_effects_t out;
    flow_kit_t k;

    (void) state;
    flow_kit_init(&k);
    flow_kit_transfer(&k, ABDM_TRANSFER_PUSHING, 4);
    flow_kit_page(&k, 0, ABDM_PART_DONE);
    flow_kit_page(&k, 1, ABDM_PART_DONE);
    flow_kit_page(&k, 1, ABDM_PART_FAILED)->reason = ABDM_E_PUSH_REFUSED;
    flow_kit_page(&k, 1, ABDM_PART_FAILED)->reason = ABDM_E_RECORD_FORM;
    k.context[2].state = ABDM_PART_FAILED;
    k.context[2].reason = ABDM_E_HMIS_ANSWER;
    k.context[3].state = ABDM_PART_DONE; /* listed, and nothing in it */
    over(&k, NULL, &out);

    json_t *body = notification(&out, "TRANSFERRED");
    assert_int_equal(contexts_told(body), 4);
    assert_context(body, 0, "V-1", "DELIVERED", ABDM_OK);
    assert_context(body, 1, "V-2", "ERRORED", ABDM_E_PUSH_REFUSED);
    assert_context(body, 2, "V-3", "ERRORED", ABDM_E_HMIS_ANSWER);
    assert_context(body, 3, "V-4", "ERRORED", ABDM_E_RECORD_NONE);
    json_decref(body);
    abdm_effects_clear(&out);
}


static void
a_transfer_of_which_nothing_arrived_is_told_as_failed(void **state)
{
    abdm_effects_t out;
    flow_kit_t k;

    (void) state;
    flow_kit_init(&k);
    flow_kit_transfer(&k, ABDM_TRANSFER_PUSHING, 1);
    flow_kit_page(&k, 0, ABDM_PART_FAILED)->reason = ABDM_E_TIMEOUT;
    over(&k, NULL, &out);
    json_t *body = notification(&out, "FAILED");
    assert_context(body, 0, "V-1", "ERRORED", ABDM_E_TIMEOUT);
    json_decref(body);
    assert_true(flow_audited(&out, "transfer over: FAILED", ABDM_OK));
    abdm_effects_clear(&out);
}


static void
a_transfer_that_ends_early_fails_what_was_still_open(void **state)
{
    static const struct {
        const char *reason;
        abdm_code_t code;
    } rows[] = {
        {"E_DEADLINE", ABDM_E_DEADLINE},
        {"E_CONSENT_REVOKED", ABDM_E_CONSENT_REVOKED},
        {"E_CONSENT_EXPIRED", ABDM_E_CONSENT_EXPIRED},
        {"E_GATEWAY_REFUSED", ABDM_E_GATEWAY_REFUSED},
    };

    (void) state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        abdm_effects_t out;
        flow_kit_t k;

        flow_kit_init(&k);
        flow_kit_transfer(&k, ABDM_TRANSFER_PUSHING, 3);
        flow_kit_page(&k, 0, ABDM_PART_DONE);
        flow_kit_page(&k, 1, ABDM_PART_DONE);
        flow_kit_page(&k, 1, ABDM_PART_PENDING);
        over(&k, rows[i].reason, &out);

        json_t *body = notification(&out, "TRANSFERRED");
        assert_context(body, 0, "V-1", "DELIVERED", ABDM_OK);
        assert_context(body, 1, "V-2", "ERRORED", rows[i].code);
        assert_context(body, 2, "V-3", "ERRORED", rows[i].code);
        json_decref(body);
        assert_int_equal(flow_nth(&out, ABDM_EFFECT_FAIL_PENDING, 0)->u.reason, rows[i].code);
        assert_int_equal(k.transfer.reason, rows[i].code);
        abdm_effects_clear(&out);
        flow_kit_clear(&k);
    }
}


static void
a_transfer_without_care_contexts_is_told_as_failed_with_an_empty_list(void **state)
{
    abdm_effects_t out;
    flow_kit_t k;

    (void) state;
    flow_kit_init(&k);
    flow_kit_transfer(&k, ABDM_TRANSFER_REQUESTED, 0);
    over(&k, "E_RECORD_NONE", &out);
    json_t *body = notification(&out, "FAILED");
    assert_int_equal(contexts_told(body), 0);
    json_decref(body);
    abdm_effects_clear(&out);
}


static void
the_end_is_told_once(void **state)
{
    static const abdm_transfer_state_t states[] = {ABDM_TRANSFER_NOTIFYING, ABDM_TRANSFER_DONE,
                                                   ABDM_TRANSFER_REFUSED};

    (void) state;
    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        abdm_effects_t out;
        flow_kit_t k;

        flow_kit_init(&k);
        flow_kit_transfer(&k, states[i], 1);
        over(&k, "E_DEADLINE", &out); /* the deadline comes for every transfer */
        assert_int_equal(out.n, 0);
        abdm_effects_clear(&out);
    }
}


static void
a_notification_makes_the_transfer_done_whatever_the_gateway_says(void **state)
{
    static const abdm_code_t codes[] = {ABDM_OK, ABDM_E_GATEWAY_REFUSED, ABDM_E_TIMEOUT};

    (void) state;
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        abdm_result_t result = {.err = FAILURE(codes[i]), .final = true};
        abdm_event_t ev = flow_event("transfer.notified", 0, &result);
        abdm_effects_t out;
        flow_kit_t k;

        flow_kit_init(&k);
        flow_kit_transfer(&k, ABDM_TRANSFER_NOTIFYING, 1);
        flow_step(&k, &ev, &out);
        assert_int_equal(k.transfer.state, ABDM_TRANSFER_DONE);
        assert_true(flow_audited(&out, "gateway notified", codes[i]));
        assert_int_equal(flow_count(&out, ABDM_EFFECT_JOB), 0);
        assert_non_null(flow_nth(&out, ABDM_EFFECT_CANCEL, 0)); /* its deadline is of no use now */
        assert_int_equal(k.transfer.reason, codes[i]);
        abdm_effects_clear(&out);
    }
}


static void
a_notification_out_of_order_changes_nothing(void **state)
{
    static const abdm_transfer_state_t states[] = {
        ABDM_TRANSFER_REQUESTED, ABDM_TRANSFER_LISTING, ABDM_TRANSFER_PUSHING,
        ABDM_TRANSFER_DONE, ABDM_TRANSFER_REFUSED};

    (void) state;
    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        abdm_result_t result = {.err = ABDM_NO_ERR};
        abdm_event_t ev = flow_event("transfer.notified", 0, &result);
        abdm_effects_t out;
        flow_kit_t k;

        flow_kit_init(&k);
        flow_kit_transfer(&k, states[i], 1);
        assert_int_equal(flow_run(&k, &ev, &out).code, ABDM_OK);
        assert_int_equal(out.n, 0);
        abdm_effects_clear(&out);
    }
}


static void
a_store_that_fails_leaves_the_end_undecided(void **state)
{
    (void) state;
    for (int i = 0; i < 3; i++) {
        abdm_event_t ev = flow_event("transfer.over", 0, NULL);
        abdm_effects_t out;
        flow_kit_t k;

        flow_kit_init(&k);
        flow_kit_transfer(&k, ABDM_TRANSFER_PUSHING, 2);
        k.transfer_fails = i == 0 ? ABDM_E_STORE : ABDM_OK;
        k.context_fails = i == 1 ? ABDM_E_STORE : ABDM_OK;
        k.tally_fails = i == 2 ? ABDM_E_STORE : ABDM_OK;
        assert_int_equal(flow_run(&k, &ev, &out).code, ABDM_E_STORE);
        assert_int_equal(out.n, 0);
        abdm_effects_clear(&out);
    }
}


/* One whole transfer, event by event, as the engine would raise them. */
static void
a_whole_transfer_pushes_each_page_once_and_ends_told(void **state)
{
    abdm_result_t good = {.err = ABDM_NO_ERR, .status = 202};
    abdm_event_t ev = flow_event("transfer.acknowledged", 0, &good);
    abdm_effects_t out;
    int pushes = 0, page = 0;
    flow_kit_t k;

    (void) state;
    flow_kit_init(&k);
    flow_kit_transfer(&k, ABDM_TRANSFER_REQUESTED, 5);
    flow_step(&k, &ev, &out);
    abdm_effects_clear(&out);
    for (int i = 0; i < 5; i++) {
        abdm_result_t listed = {.err = ABDM_NO_ERR};

        listed.records = json_pack("[{s:s, s:s, s:s}]", "id", "R", "hiType", "Prescription",
                                   "authoredOn", "2026-03-01");
        ev = flow_event("transfer.listed", 4 - i, &listed);
        flow_step(&k, &ev, &out);
        json_decref(listed.records);
        if (i < 4)
            abdm_effects_clear(&out);
    }
    while (flow_job(&out, "transfer.over") == NULL) {
        page = flow_job(&out, "transfer.page_due")->arg;
        abdm_effects_clear(&out);
        ev = flow_event("transfer.page_due", page, NULL);
        flow_step(&k, &ev, &out);
        abdm_effects_clear(&out);
        ev = flow_event("transfer.fetched", page, &good);
        flow_step(&k, &ev, &out);
        pushes += flow_job(&out, "transfer.pushed") != NULL;
        abdm_effects_clear(&out);
        ev = flow_event("transfer.pushed", page, &good);
        flow_step(&k, &ev, &out);
    }
    abdm_effects_clear(&out);
    assert_int_equal(pushes, 5);
    over(&k, NULL, &out);
    json_t *body = notification(&out, "TRANSFERRED");
    for (int i = 0; i < 5; i++)
        assert_context(body, i, k.context[i].care_context_ref, "DELIVERED", ABDM_OK);
    json_decref(body);
    abdm_effects_clear(&out);
    flow_kit_clear(&k);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_transfer_all_of_whose_pages_arrived_is_told_as_delivered),
        cmocka_unit_test(each_care_context_is_told_by_its_own_first_failure),
        cmocka_unit_test(a_transfer_of_which_nothing_arrived_is_told_as_failed),
        cmocka_unit_test(a_transfer_that_ends_early_fails_what_was_still_open),
        cmocka_unit_test(a_transfer_without_care_contexts_is_told_as_failed_with_an_empty_list),
        cmocka_unit_test(the_end_is_told_once),
        cmocka_unit_test(a_notification_makes_the_transfer_done_whatever_the_gateway_says),
        cmocka_unit_test(a_notification_out_of_order_changes_nothing),
        cmocka_unit_test(a_store_that_fails_leaves_the_end_undecided),
        cmocka_unit_test(a_whole_transfer_pushes_each_page_once_and_ends_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
