/*
 * For tests of how far a consent's notice is believed: consents as the gateway tells them, requests
 * for their data, and the consent manager's part, on a real store. To be included after cmocka.h.
 */
#ifndef ABDM_TEST_CONFIRM_KIT_H
#define ABDM_TEST_CONFIRM_KIT_H

#include "consent/consent.h"
#include "gateway/outbound.h"
#include "link_kit.h"
#include "requester_keys.h"

#define CONSENT  "7d8e6b1c-0c55-4f5b-9d43-2f3f3f1b0a01"
#define CONSENT2 "7d8e6b1c-0c55-4f5b-9d43-2f3f3f1b0a02"
#define TRANSFER "0f9e4f4a-88a5-4fd2-a4c8-6e5c3a5a0b01"
#define FETCH_ID "5b9c5a60-1111-4c1f-8a55-1b2c3d4e5f61"

static link_kit_t K;


static inline int
kit_open(void **state)
{
    (void) state;
    link_kit_open(&K);
    K.policy.confirm = ABDM_CONFIRM_TRY;
    return 0;
}


static inline int
kit_close(void **state)
{
    (void) state;
    link_kit_close(&K);
    return 0;
}


#define CONFIRM_TEST(f) cmocka_unit_test_setup_teardown(f, kit_open, kit_close)


/* --- what the gateway sends --- */

/* The artefact of a consent of HIP for V-1 and V-2 of MR-1, owned by the caller. */
static inline json_t *
artefact(const char *id)
{
    json_t *json = json_pack(
        "{s:s, s:s, s:{s:s}, s:[{s:s, s:s}, {s:s, s:s}], s:{s:s, s:s}, s:{s:s}, s:{s:s}, s:[s, s],"
        " s:{s:s, s:{s:s, s:s}, s:s}}",
        "schemaVersion", "v3", "consentId", id, "patient", "id", "asha.k@sbx", "careContexts",
        "patientReference", "MR-1", "careContextReference", "V-1", "patientReference", "MR-1",
        "careContextReference", "V-2", "purpose", "code", "CAREMGT", "text", "Care Management",
        "hip", "id", HIP, "hiu", "id", "HIU_1", "hiTypes", "Prescription", "OPConsultation",
        "permission", "accessMode", "VIEW", "dateRange", "from", "2025-01-01T00:00:00.000Z", "to",
        "2026-03-01T00:00:00.000Z", "dataEraseAt", "2026-12-31T00:00:00.000Z");

    assert_non_null(json);
    return json;
}


/* Raises the callback, whose body is taken; E_STORE comes back. */
static inline abdm_err_t
call(const char *hip, const char *event, json_t *body)
{
    char *text = json_dumps(body, JSON_COMPACT);
    abdm_err_t err;

    assert_non_null(text);
    err = link_call_at(&K, hip, event, text);
    free(text);
    json_decref(body);
    return err;
}


/* Takes the artefact; NULL: none. `signature` may be NULL. */
static inline void
notify(const char *id, const char *status, json_t *detail, const char *signature)
{
    OK_(call(HIP, "consent.notified",
             json_pack("{s:{s:s, s:s, s:o*, s:s*}}", "notification", "status", status, "consentId",
                       id, "consentDetail", detail, "signature", signature)));
}


static inline json_t *
request_body(const char *transfer, const char *consent)
{
    json_t *body = json_pack(
        "{s:s, s:{s:{s:s}, s:{s:s, s:s}, s:s, s:{s:s, s:s, s:{s:s, s:s}, s:s}}}",
        "transactionId", transfer, "hiRequest", "consent", "id", consent, "dateRange", "from",
        "2025-01-01T00:00:00.000Z", "to", "2026-03-01T00:00:00.000Z", "dataPushUrl",
        "https://hiu.example/push", "keyMaterial", "cryptoAlg", "ECDH", "curve", "Curve25519",
        "dhPublicKey", "expiry", "2030-01-01T00:00:00.000Z", "keyValue", key_text, "nonce",
        nonce_text);

    assert_non_null(body);
    return body;
}


static inline void
ask_for(const char *transfer, const char *consent)
{
    OK_(call(HIP, "transfer.requested", request_body(transfer, consent)));
}


/* Granted, and asked for the first time. */
static inline void
granted_and_asked(void)
{
    notify(CONSENT, "GRANTED", artefact(CONSENT), NULL);
    ask_for(TRANSFER, CONSENT);
}


/* --- the consent manager's part --- */

/* How many fetches wait to leave. */
static inline size_t
fetches(void)
{
    size_t n = 0;

    for (size_t i = 0; i < K.n_jobs; i++)
        n += K.job[i].kind == ABDM_JOB_GATEWAY
             && strcmp(K.job[i].path, ABDM_PATH_CONSENT_FETCH) == 0;
    return n;
}


/* The fetch leaves as `id` and is taken. */
static inline void
fetch_leaves(const char *id)
{
    abdm_job_t *job = link_job(&K, "consent.fetch_sent", -1);

    link_send(&K, job, id);
    link_done(&K, "consent.fetch_sent", -1, NULL);
}


/* The fetch comes back with an error. */
static inline void
fetch_fails(abdm_code_t code, int status, const char *gateway)
{
    abdm_result_t result = {.err = {code, "test", "test"}, .final = true, .status = status};

    snprintf(result.code, sizeof(result.code), "%s", gateway);
    OK_(link_raise(&K, link_job(&K, "consent.fetch_sent", -1), result));
}


/* on-fetch for facility `hip`; the artefact is taken. */
static inline abdm_err_t
fetched_at(const char *hip, const char *id, const char *status, json_t *detail)
{
    return call(hip, "consent.fetched",
                json_pack("{s:{s:s, s:o*, s:s}, s:n, s:{s:s}}", "consent", "status", status,
                          "consentDetail", detail, "signature", "c2ln", "error", "response",
                          "requestId", id));
}


static inline void
fetched(const char *id, json_t *detail)
{
    OK_(fetched_at(HIP, id, "GRANTED", detail));
}


static inline void
fetched_error(const char *id, const char *code)
{
    OK_(call(HIP, "consent.fetched",
             json_pack("{s:{s:s, s:s}, s:{s:s}}", "error", "code", code, "message", "no",
                       "response", "requestId", id)));
}


/* What is due now. */
static inline void
settle_now(void)
{
    link_until(&K, K.now);
}


/* --- looking --- */

static inline abdm_transfer_state_t
state_of(const char *transfer)
{
    const abdm_view_t *view = abdm_store_view(K.store.store);
    abdm_transfer_t t = {0};
    abdm_transfer_state_t state;

    OK_(view->transfer(view, HIP, transfer, &t));
    state = t.state;
    abdm_transfer_clear(&t);
    return state;
}


static inline abdm_code_t
reason_of(const char *transfer)
{
    const abdm_view_t *view = abdm_store_view(K.store.store);
    abdm_transfer_t t = {0};
    abdm_code_t reason;

    OK_(view->transfer(view, HIP, transfer, &t));
    reason = t.reason;
    abdm_transfer_clear(&t);
    return reason;
}


/* -1: there is none. */
static inline int64_t
confirmation_state(void)
{
    return store_kit_number(&K.store, "SELECT state FROM confirmation WHERE consent_id = '" CONSENT
                                      "'");
}


/* How often the audit has it, of any event. */
static inline int64_t
audits(const char *what)
{
    char sql[256];

    snprintf(sql, sizeof(sql), "SELECT count(*) FROM audit WHERE what = '%s'", what);
    return store_kit_number(&K.store, sql);
}


static inline int64_t
audits_of(const char *what, const char *subject, const char *code, const char *detail)
{
    char sql[512];

    snprintf(sql, sizeof(sql),
             "SELECT count(*) FROM audit WHERE what = '%s' AND subject = '%s' AND"
             " ifnull(code, '') = '%s' AND ifnull(detail, '') LIKE '%s'",
             what, subject, code, detail);
    return store_kit_number(&K.store, sql);
}


/* The only on-request that waits is the acknowledgement of the transfer. */
static inline void
assert_begun(const char *transfer, const char *request_id)
{
    abdm_job_t job = link_out(&K, ABDM_PATH_HI_ON_REQUEST);
    json_t *body = link_body(&job);

    assert_int_equal(state_of(transfer), ABDM_TRANSFER_REQUESTED);
    assert_string_equal(job.event, "transfer.acknowledged");
    assert_at(body, "hiRequest.transactionId", transfer);
    assert_at(body, "hiRequest.sessionStatus", "ACKNOWLEDGED");
    if (request_id != NULL)
        assert_at(body, "response.requestId", request_id);
    json_decref(body);
    abdm_job_clear(&job);
}


static inline void
assert_refused(const char *transfer, abdm_code_t why, const char *wire)
{
    abdm_job_t job = link_out(&K, ABDM_PATH_HI_ON_REQUEST);
    json_t *body = link_body(&job);

    assert_int_equal(state_of(transfer), ABDM_TRANSFER_REFUSED);
    assert_int_equal(reason_of(transfer), why);
    assert_at(body, "error.code", wire);
    assert_null(abdm_json_at(body, "hiRequest"));
    json_decref(body);
    abdm_job_clear(&job);
}


/* Nothing was answered: the transfer waits. */
static inline void
assert_waits(const char *transfer)
{
    char sql[128];

    assert_int_equal(state_of(transfer), ABDM_TRANSFER_CONFIRMING);
    for (size_t i = 0; i < K.n_jobs; i++) {
        if (K.job[i].kind == ABDM_JOB_GATEWAY)
            assert_string_not_equal(K.job[i].path, ABDM_PATH_HI_ON_REQUEST);
    }
    snprintf(sql, sizeof(sql), "SELECT count(*) FROM transfer_context WHERE transfer_id = '%s'",
             transfer);
    assert_int_equal(store_kit_number(&K.store, sql), 0);
}

#endif
