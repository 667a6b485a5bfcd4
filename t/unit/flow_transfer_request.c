/* Health information requests that are allowed, deferred, repeated or left undecided. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "request_kit.h"


static void
a_request_within_the_consent_begins_a_transfer(void **state)
{
    case_t c;

    (void) state;
    init(&c);
    assert_int_equal(request(&c).code, ABDM_OK);

    const abdm_transfer_t *t = &flow_nth(&c.out, ABDM_EFFECT_TRANSFER, 0)->u.transfer;
    assert_string_equal(t->id, TRANSFER);
    assert_string_equal(t->hip_id, HIP);
    assert_string_equal(t->request_id, REQUEST);
    assert_string_equal(t->push_url, "https://hiu.example/push");
    assert_string_equal(t->public_key, key_text);
    assert_string_equal(t->nonce, nonce_text);
    assert_int_equal(t->state, ABDM_TRANSFER_REQUESTED);
    assert_int_equal(t->from, NOW - 900000000);
    assert_int_equal(t->to, NOW - 1000);
    assert_int_equal(t->n_contexts, 2);
    assert_int_equal(flow_count(&c.out, ABDM_EFFECT_CONTEXT), 2);
    assert_string_equal(flow_nth(&c.out, ABDM_EFFECT_CONTEXT, 1)->u.context.care_context_ref,
                        "V-2");
    assert_true(flow_audited(&c.out, "request allowed", ABDM_OK));
    end(&c);
}


static void
an_allowed_request_is_acknowledged_and_given_a_deadline(void **state)
{
    case_t c;

    (void) state;
    init(&c);
    assert_int_equal(request(&c).code, ABDM_OK);

    const abdm_job_t *ack = flow_job(&c.out, "transfer.acknowledged");
    json_t *body = flow_body(ack);
    assert_string_equal(ack->path, ABDM_PATH_HI_ON_REQUEST);
    assert_string_equal(ack->subject, TRANSFER);
    assert_at(body, "hiRequest.transactionId", TRANSFER);
    assert_at(body, "hiRequest.sessionStatus", "ACKNOWLEDGED");
    assert_at(body, "response.requestId", REQUEST);
    json_decref(body);

    const abdm_job_t *over = flow_job(&c.out, "transfer.over");
    assert_int_equal(over->kind, ABDM_JOB_EVENT);
    assert_string_equal(over->body, "E_DEADLINE");
    assert_int_equal(over->due_at, NOW + 2 * 60 * 60 * 1000);
    assert_true(over->deadline_at > over->due_at);
    assert_int_equal(flow_count(&c.out, ABDM_EFFECT_JOB), 2);
    end(&c);
}


static void
a_request_may_overtake_the_notice_of_its_consent(void **state)
{
    case_t c;

    (void) state;
    init(&c);
    c.k.has_consent = false;
    c.tries = 4;
    assert_int_equal(request(&c).code, ABDM_OK);
    const abdm_job_t *again = flow_job(&c.out, "transfer.requested");
    assert_int_equal(c.out.n, 1);
    assert_int_equal(again->kind, ABDM_JOB_EVENT);
    assert_int_equal(again->arg, 5);
    assert_int_equal(again->due_at, NOW + 1000);
    assert_string_equal(again->request_id, REQUEST);
    json_t *body = flow_body(again);
    assert_true(json_equal(body, c.body));
    json_decref(body);
    end(&c);
}


static void
an_address_that_is_allowed_by_name_may_be_pushed_to(void **state)
{
    case_t c;

    (void) state;
    init(&c);
    assert_int_equal(abdm_push_allow_add(&c.k.push_allow, ABDM_LIT("127.0.0.0/8")).code, ABDM_OK);
    set(&c, "hiRequest", "dataPushUrl", json_string("https://127.0.0.1:8443/push"));
    assert_int_equal(request(&c).code, ABDM_OK);
    assert_non_null(flow_job(&c.out, "transfer.acknowledged"));
    end(&c);
}


static void
a_repeated_request_repeats_the_answer_and_begins_nothing(void **state)
{
    case_t c;

    (void) state;
    init(&c);
    flow_kit_transfer(&c.k, ABDM_TRANSFER_PUSHING, 2);
    assert_int_equal(request(&c).code, ABDM_OK);
    json_t *body = flow_body(flow_job(&c.out, "reply.sent"));
    assert_at(body, "hiRequest.sessionStatus", "ACKNOWLEDGED");
    json_decref(body);
    assert_int_equal(flow_count(&c.out, ABDM_EFFECT_JOB), 1);
    assert_null(flow_nth(&c.out, ABDM_EFFECT_TRANSFER, 0));
    assert_true(flow_audited(&c.out, "request repeated", ABDM_OK));
    abdm_effects_clear(&c.out);

    c.k.transfer.state = ABDM_TRANSFER_REFUSED;
    c.k.transfer.reason = ABDM_E_CONSENT_RANGE;
    assert_int_equal(request(&c).code, ABDM_OK);
    body = flow_body(flow_job(&c.out, "reply.sent"));
    assert_at(body, "error.code", "ABDM-1063");
    json_decref(body);
    assert_int_equal(flow_count(&c.out, ABDM_EFFECT_JOB), 1);
    assert_null(flow_nth(&c.out, ABDM_EFFECT_TRANSFER, 0));
    end(&c);
}


static void
a_garbled_repetition_does_not_end_the_transfer_that_runs(void **state)
{
    case_t c;

    (void) state;
    init(&c);
    flow_kit_transfer(&c.k, ABDM_TRANSFER_PUSHING, 2);
    set(&c, "hiRequest.keyMaterial", "curve", json_string("secp256k1"));
    assert_int_equal(request(&c).code, ABDM_OK);
    assert_null(flow_nth(&c.out, ABDM_EFFECT_TRANSFER, 0));
    assert_refused(&c, ABDM_E_KEY_MATERIAL, "ABDM-1006");
    end(&c);
}


static void
a_store_that_fails_leaves_the_request_undecided(void **state)
{
    case_t c;

    (void) state;
    init(&c);
    c.k.transfer_fails = ABDM_E_STORE;
    assert_int_equal(request(&c).code, ABDM_E_STORE);
    assert_int_equal(c.out.n, 0);

    c.k.transfer_fails = ABDM_OK;
    c.k.consent_fails = ABDM_E_STORE_BUSY;
    assert_int_equal(request(&c).code, ABDM_E_STORE_BUSY);
    assert_int_equal(c.out.n, 0);

    c.k.consent_fails = ABDM_OK;
    c.k.transfer_fails = ABDM_E_STORE;
    set(&c, "hiRequest.keyMaterial", "curve", json_string("secp256k1"));
    assert_int_equal(request(&c).code, ABDM_E_STORE);
    assert_int_equal(c.out.n, 0);
    end(&c);
}


static void
a_consent_without_care_contexts_is_acknowledged_first(void **state)
{
    case_t c;

    (void) state;
    init(&c);
    c.k.consent.n_contexts = 0;
    assert_int_equal(request(&c).code, ABDM_OK);
    assert_int_equal(flow_nth(&c.out, ABDM_EFFECT_TRANSFER, 0)->u.transfer.n_contexts, 0);
    assert_non_null(flow_job(&c.out, "transfer.acknowledged"));
    end(&c);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_within_the_consent_begins_a_transfer),
        cmocka_unit_test(an_allowed_request_is_acknowledged_and_given_a_deadline),
        cmocka_unit_test(a_request_may_overtake_the_notice_of_its_consent),
        cmocka_unit_test(an_address_that_is_allowed_by_name_may_be_pushed_to),
        cmocka_unit_test(a_repeated_request_repeats_the_answer_and_begins_nothing),
        cmocka_unit_test(a_garbled_repetition_does_not_end_the_transfer_that_runs),
        cmocka_unit_test(a_store_that_fails_leaves_the_request_undecided),
        cmocka_unit_test(a_consent_without_care_contexts_is_acknowledged_first),
    };

    return cmocka_run_group_tests(tests, make_keys, NULL);
}
