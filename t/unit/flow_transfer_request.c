/*
 * The health information request: what is allowed begins a transfer, what is not is refused as
 * a whole with the reason the gateway can read, and a request never counts twice.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "crypto/fidelius.h"
#include "flow_kit.h"
#include "gateway/outbound.h"

static char key_text[ABDM_KEY_TEXT], nonce_text[ABDM_NONCE_TEXT];


static int
make_keys(void **state)
{
    uint8_t nonce[ABDM_NONCE_LEN];
    abdm_key_pair_t pair;

    (void) state;
    if (abdm_failed(abdm_key_pair_generate(&pair)) || abdm_failed(abdm_nonce_generate(nonce)))
        return -1;
    abdm_public_key_encode(pair.point, ABDM_KEY_X509, key_text);
    abdm_nonce_encode(nonce, nonce_text);
    return 0;
}


/* A request within the consent of flow_kit_grant. */
static json_t *
good_request(void)
{
    char from[ABDM_TIME_TEXT], to[ABDM_TIME_TEXT], expiry[ABDM_TIME_TEXT];

    abdm_time_format(NOW - 900000000, from);
    abdm_time_format(NOW - 1000, to);
    abdm_time_format(NOW + 3600000, expiry);
    json_t *body = json_pack(
        "{s:s, s:{s:{s:s}, s:{s:s, s:s}, s:s, s:{s:s, s:s, s:{s:s, s:s, s:s}, s:s}}}",
        "transactionId", TRANSFER, "hiRequest", "consent", "id", CONSENT, "dateRange", "from",
        from, "to", to, "dataPushUrl", "https://hiu.example/push", "keyMaterial", "cryptoAlg",
        "ECDH", "curve", "Curve25519", "dhPublicKey", "expiry", expiry, "parameters",
        "Curve25519/32byte random key", "keyValue", key_text, "nonce", nonce_text);

    assert_non_null(body);
    return body;
}


typedef struct {
    flow_kit_t k;
    json_t *body;
    int tries; /* how often the callback was deferred before */
    abdm_effects_t out;
} case_t;


static void
init(case_t *c)
{
    memset(c, 0, sizeof(*c));
    flow_kit_init(&c->k);
    flow_kit_grant(&c->k);
    c->body = good_request();
}


static abdm_err_t
request_text(case_t *c, const char *text)
{
    abdm_event_t ev = flow_event("transfer.requested", c->tries, NULL);

    ev.subject = "";
    ev.body = text;
    ev.body_len = strlen(text);
    return flow_run(&c->k, &ev, &c->out);
}


static abdm_err_t
request(case_t *c)
{
    char *text = json_dumps(c->body, 0);

    assert_non_null(text);
    abdm_err_t err = request_text(c, text);
    free(text);
    return err;
}


static void
end(case_t *c)
{
    json_decref(c->body);
    abdm_effects_clear(&c->out);
    flow_kit_clear(&c->k);
}


static void
set(case_t *c, const char *object, const char *member, json_t *value)
{
    assert_int_equal(json_object_set_new(abdm_json_at(c->body, object), member, value), 0);
}


/* The gateway reads `wire`, nothing is asked of the HMIS, and the reason stays to be explained. */
static void
assert_refused(const case_t *c, abdm_code_t why, const char *wire)
{
    const abdm_job_t *job = flow_job(&c->out, "reply.sent");
    json_t *body = flow_body(job);

    assert_string_equal(job->path, ABDM_PATH_HI_ON_REQUEST);
    assert_at(body, "error.code", wire);
    assert_at(body, "response.requestId", REQUEST);
    assert_null(abdm_json_at(body, "hiRequest"));
    json_decref(body);
    assert_int_equal(flow_count(&c->out, ABDM_EFFECT_JOB), 1);
    assert_null(flow_nth(&c->out, ABDM_EFFECT_CONTEXT, 0));
    assert_true(flow_audited(&c->out, "request refused", why));
}


static void
assert_refused_and_kept(const case_t *c, abdm_code_t why, const char *wire)
{
    assert_refused(c, why, wire);
    const abdm_transfer_t *t = &flow_nth(&c->out, ABDM_EFFECT_TRANSFER, 0)->u.transfer;
    assert_string_equal(t->id, TRANSFER);
    assert_string_equal(t->consent_id, CONSENT);
    assert_int_equal(t->state, ABDM_TRANSFER_REFUSED);
    assert_int_equal(t->reason, why);
    assert_int_equal(t->done_at, NOW);
    assert_null(t->push_url);
}


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
a_consent_that_never_came_is_refused(void **state)
{
    case_t c;

    (void) state;
    init(&c);
    c.k.has_consent = false;
    c.tries = 5;
    assert_int_equal(request(&c).code, ABDM_OK);
    assert_refused_and_kept(&c, ABDM_E_CONSENT_UNKNOWN, "ABDM-1112");
    end(&c);
}


static void
a_consent_that_is_not_granted_any_more_is_refused(void **state)
{
    static const struct {
        abdm_consent_status_t status;
        abdm_code_t why;
        const char *wire;
    } rows[] = {
        {ABDM_CONSENT_REVOKED, ABDM_E_CONSENT_REVOKED, "ABDM-1062"},
        {ABDM_CONSENT_EXPIRED, ABDM_E_CONSENT_EXPIRED, "ABDM-1061"},
        {ABDM_CONSENT_DENIED, ABDM_E_CONSENT_NOT_GRANTED, "ABDM-1062"},
        {ABDM_CONSENT_REQUESTED, ABDM_E_CONSENT_NOT_GRANTED, "ABDM-1062"},
    };

    (void) state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        case_t c;

        init(&c);
        c.k.consent.status = rows[i].status;
        assert_int_equal(request(&c).code, ABDM_OK);
        assert_refused_and_kept(&c, rows[i].why, rows[i].wire);
        end(&c);
    }
}


static void
a_consent_past_its_erasure_is_refused_without_a_notice(void **state)
{
    case_t c;

    (void) state;
    init(&c);
    c.k.consent.erase_at = NOW;
    assert_int_equal(request(&c).code, ABDM_OK);
    assert_refused_and_kept(&c, ABDM_E_CONSENT_EXPIRED, "ABDM-1061");
    end(&c);
}


static void
dates_wider_than_the_consent_are_refused(void **state)
{
    static const char *const members[] = {"from", "to"};
    static const char *const times[] = {"2001-01-01", "2040-01-01"};

    (void) state;
    for (int i = 0; i < 2; i++) {
        case_t c;

        init(&c);
        set(&c, "hiRequest.dateRange", members[i], json_string(times[i]));
        assert_int_equal(request(&c).code, ABDM_OK);
        assert_refused_and_kept(&c, ABDM_E_CONSENT_RANGE, "ABDM-1063");
        end(&c);
    }
}


static void
key_material_that_is_none_is_refused(void **state)
{
    static const struct {
        const char *object, *member, *value;
    } rows[] = {
        {"hiRequest.keyMaterial.dhPublicKey", "keyValue", "AAAA"},
        {"hiRequest.keyMaterial", "nonce", "AAAA"},
        {"hiRequest.keyMaterial", "curve", "secp256k1"},
        {"hiRequest.keyMaterial", "cryptoAlg", "RSA"},
    };

    (void) state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        case_t c;

        init(&c);
        set(&c, rows[i].object, rows[i].member, json_string(rows[i].value));
        assert_int_equal(request(&c).code, ABDM_OK);
        assert_refused_and_kept(&c, ABDM_E_KEY_MATERIAL, "ABDM-1006");
        end(&c);
    }
}


static void
a_key_past_its_expiry_and_five_minutes_is_refused(void **state)
{
    static const struct {
        abdm_ms_t age;
        bool refused;
    } rows[] = {{5 * 60 * 1000 + 1, true}, {5 * 60 * 1000, false}};

    (void) state;
    for (int i = 0; i < 2; i++) {
        char text[ABDM_TIME_TEXT];
        case_t c;

        init(&c);
        abdm_time_format(NOW - rows[i].age, text);
        set(&c, "hiRequest.keyMaterial.dhPublicKey", "expiry", json_string(text));
        assert_int_equal(request(&c).code, ABDM_OK);
        if (rows[i].refused)
            assert_refused_and_kept(&c, ABDM_E_KEY_EXPIRED, "ABDM-1006");
        else
            assert_non_null(flow_job(&c.out, "transfer.acknowledged"));
        end(&c);
    }
}


static void
a_push_url_that_we_may_not_call_is_refused(void **state)
{
    static const struct {
        const char *url;
        abdm_code_t why;
    } rows[] = {
        {"http://hiu.example/push", ABDM_E_PUSH_URL},
        {"https://user@hiu.example/push", ABDM_E_PUSH_URL},
        {"https://127.0.0.1:8443/push", ABDM_E_PUSH_ADDRESS},
        {"https://[::1]/push", ABDM_E_PUSH_ADDRESS},
        {"https://169.254.169.254/latest", ABDM_E_PUSH_ADDRESS},
    };

    (void) state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        case_t c;

        init(&c);
        set(&c, "hiRequest", "dataPushUrl", json_string(rows[i].url));
        assert_int_equal(request(&c).code, ABDM_OK);
        assert_refused_and_kept(&c, rows[i].why, "ABDM-1006");
        end(&c);
    }
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
a_body_that_cannot_be_read_is_refused_with_what_is_known_of_it(void **state)
{
    case_t c;

    (void) state;
    init(&c);
    assert_int_equal(request_text(&c, "{\"hiRequest\":{}}").code, ABDM_OK);
    assert_refused(&c, ABDM_E_FIELD, "ABDM-1006");
    assert_null(flow_nth(&c.out, ABDM_EFFECT_TRANSFER, 0));
    abdm_effects_clear(&c.out);

    assert_int_equal(request_text(&c, "[1]").code, ABDM_OK);
    assert_refused(&c, ABDM_E_FIELD, "ABDM-1006");
    abdm_effects_clear(&c.out);

    assert_int_equal(request_text(&c, "nonsense").code, ABDM_OK);
    assert_refused(&c, ABDM_E_JSON, "ABDM-1024");
    abdm_effects_clear(&c.out);

    set(&c, "hiRequest.dateRange", "from", json_string("yesterday"));
    assert_int_equal(request(&c).code, ABDM_OK);
    assert_refused_and_kept(&c, ABDM_E_FIELD, "ABDM-1006");
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
        cmocka_unit_test(a_consent_that_never_came_is_refused),
        cmocka_unit_test(a_consent_that_is_not_granted_any_more_is_refused),
        cmocka_unit_test(a_consent_past_its_erasure_is_refused_without_a_notice),
        cmocka_unit_test(dates_wider_than_the_consent_are_refused),
        cmocka_unit_test(key_material_that_is_none_is_refused),
        cmocka_unit_test(a_key_past_its_expiry_and_five_minutes_is_refused),
        cmocka_unit_test(a_push_url_that_we_may_not_call_is_refused),
        cmocka_unit_test(an_address_that_is_allowed_by_name_may_be_pushed_to),
        cmocka_unit_test(a_body_that_cannot_be_read_is_refused_with_what_is_known_of_it),
        cmocka_unit_test(a_repeated_request_repeats_the_answer_and_begins_nothing),
        cmocka_unit_test(a_garbled_repetition_does_not_end_the_transfer_that_runs),
        cmocka_unit_test(a_store_that_fails_leaves_the_request_undecided),
        cmocka_unit_test(a_consent_without_care_contexts_is_acknowledged_first),
    };

    return cmocka_run_group_tests(tests, make_keys, NULL);
}
