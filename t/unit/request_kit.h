/* A request within the consent of flow_kit.h, spoiled in one place by each test. To be included
 * after cmocka.h. */
#ifndef ABDM_TEST_REQUEST_KIT_H
#define ABDM_TEST_REQUEST_KIT_H

#include "flow_kit.h"
#include "gateway/outbound.h"
#include "requester_keys.h"

/* A request within the consent of flow_kit_grant. */
static inline json_t *
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


static inline void
init(case_t *c)
{
    memset(c, 0, sizeof(*c));
    flow_kit_init(&c->k);
    flow_kit_grant(&c->k);
    c->body = good_request();
}


static inline abdm_err_t
request_text(case_t *c, const char *text)
{
    abdm_event_t ev = flow_event("transfer.requested", c->tries, NULL);

    ev.subject = "";
    ev.body = text;
    ev.body_len = strlen(text);
    return flow_run(&c->k, &ev, &c->out);
}


static inline abdm_err_t
request(case_t *c)
{
    char *text = json_dumps(c->body, 0);

    assert_non_null(text);
    abdm_err_t err = request_text(c, text);
    free(text);
    return err;
}


static inline void
end(case_t *c)
{
    json_decref(c->body);
    abdm_effects_clear(&c->out);
    flow_kit_clear(&c->k);
}


static inline void
set(case_t *c, const char *object, const char *member, json_t *value)
{
    assert_int_equal(json_object_set_new(abdm_json_at(c->body, object), member, value), 0);
}


/* The gateway reads `wire`, nothing is asked of the HMIS, and the reason stays to be explained. */
static inline void
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


static inline void
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

#endif
