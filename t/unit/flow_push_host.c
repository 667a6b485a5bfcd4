/*
 * Hosts that requesters name for their data: the first is taken as it is, another one raises an
 * alert, is held or refused, and an operator settles it; what waited is decided anew when it wakes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "crypto/fidelius.h"
#include "link_kit.h"

#define CONSENT   "7d8e6b1c-0c55-4f5b-9d43-2f3f3f1b0a01"
#define CONSENT_2 "7d8e6b1c-0c55-4f5b-9d43-2f3f3f1b0a02"
#define CONSENT_3 "7d8e6b1c-0c55-4f5b-9d43-2f3f3f1b0a03"

static link_kit_t K;
static char key_text[ABDM_KEY_TEXT], nonce_text[ABDM_NONCE_TEXT];
static int transfers;


static abdm_err_t
view_transfer(const abdm_view_t *view, const char *hip_id, const char *id, abdm_transfer_t *out)
{
    LINK_READ(view, transfer(real, hip_id, id, out));
}


static abdm_err_t
view_context(const abdm_view_t *view, const abdm_transfer_t *transfer, int index,
             abdm_transfer_context_t *out)
{
    LINK_READ(view, context(real, transfer, index, out));
}


static abdm_err_t
view_page(const abdm_view_t *view, const abdm_transfer_t *transfer, int number, abdm_page_t *out)
{
    LINK_READ(view, page(real, transfer, number, out));
}


static int
open_kit(void **state)
{
    uint8_t nonce[ABDM_NONCE_LEN];
    abdm_key_pair_t pair;

    (void) state;
    link_kit_open(&K);
    K.view.transfer = view_transfer;
    K.view.context = view_context;
    K.view.page = view_page;
    OK_(abdm_key_pair_generate(&pair));
    OK_(abdm_nonce_generate(nonce));
    abdm_public_key_encode(pair.point, ABDM_KEY_X509, key_text);
    abdm_nonce_encode(nonce, nonce_text);
    transfers = 0;
    return 0;
}


static int
close_kit(void **state)
{
    (void) state;
    link_kit_close(&K);
    return 0;
}


/* A consent of requester `hiu`; NULL: it names none. */
static void
grant(const char *id, const char *hiu, const char *purpose)
{
    abdm_consent_t c = {
        .id = link_dup(id), .hip_id = link_dup(HIP),
        .hiu_id = hiu != NULL ? link_dup(hiu) : NULL, .patient_id = link_dup("a@sbx"),
        .purpose = link_dup(purpose), .from = 0, .to = START, .erase_at = START + 100 * HOURS,
        .hi_types = 1u << ABDM_HI_PRESCRIPTION, .n_contexts = 1,
        .contexts = calloc(1, sizeof(abdm_care_context_t)),
    };
    abdm_effects_t e = {0};

    assert_non_null(c.contexts);
    c.contexts[0].patient_ref = link_dup("MR-1");
    c.contexts[0].care_context_ref = link_dup("V-1");
    abdm_effect_consent(&e, &c);
    assert_false(e.failed);
    OK_(abdm_store_apply(K.store.store, &e, K.now));
    abdm_effects_clear(&e);
}


/* Asks for the data of `consent`; gives the transfer's id, valid until the next one. */
static const char *
ask(const char *consent, const char *url)
{
    static char id[40];
    char from[ABDM_TIME_TEXT], to[ABDM_TIME_TEXT], expiry[ABDM_TIME_TEXT];

    snprintf(id, sizeof(id), "00000000-0000-4000-9000-%012d", ++transfers);
    abdm_time_format(1000, from);
    abdm_time_format(START - 1000, to);
    abdm_time_format(START + 100 * HOURS, expiry);
    json_t *body = json_pack(
        "{s:s, s:{s:{s:s}, s:{s:s, s:s}, s:s, s:{s:s, s:s, s:{s:s, s:s}, s:s}}}", "transactionId",
        id, "hiRequest", "consent", "id", consent, "dateRange", "from", from, "to", to,
        "dataPushUrl", url, "keyMaterial", "cryptoAlg", "ECDH", "curve", "Curve25519",
        "dhPublicKey", "expiry", expiry, "keyValue", key_text, "nonce", nonce_text);
    assert_non_null(body);
    char *text = json_dumps(body, JSON_COMPACT);

    json_decref(body);
    link_call(&K, "transfer.requested", text);
    free(text);
    return id;
}


static bool
allowed(void)
{
    return link_audited(&K, "request allowed", ABDM_OK);
}


/* The detail of the alert that the last event raised; NULL: none. */
static const char *
alert(void)
{
    for (size_t i = 0; i < K.last.n; i++) {
        const abdm_effect_t *e = &K.last.item[i];

        if (e->kind == ABDM_EFFECT_AUDIT && e->u.audit.alert)
            return e->u.audit.detail;
    }
    return NULL;
}


/* One page of the transfer is listed and its turn has come. */
static void
page_due(const char *transfer)
{
    abdm_transfer_t t = {0};
    abdm_page_t page = {.hi_type = ABDM_HI_PRESCRIPTION, .dated = true, .date = START - 5000,
                        .record = json_object()};
    abdm_effects_t e = {0};
    abdm_job_t job = {.kind = ABDM_JOB_EVENT, .event = "transfer.page_due", .hip_id = HIP,
                      .subject = (char *) transfer, .due_at = K.now, .created_at = K.now,
                      .deadline_at = K.now + HOURS};

    OK_(abdm_store_view(K.store.store)->transfer(abdm_store_view(K.store.store), HIP, transfer, &t));
    t.state = ABDM_TRANSFER_PUSHING;
    t.n_pages = 1;
    abdm_effect_transfer(&e, &t);
    abdm_effect_page(&e, &t, &page);
    abdm_effect_job(&e, &job);
    OK_(abdm_store_apply(K.store.store, &e, K.now));
    for (size_t i = 0; i < e.n; i++) {
        if (e.item[i].kind == ABDM_EFFECT_JOB) {
            K.job[K.n_jobs++] = e.item[i].u.job;
            memset(&e.item[i].u.job, 0, sizeof(abdm_job_t));
        }
    }
    abdm_effects_clear(&e);
    abdm_transfer_clear(&t);
    json_decref(page.record);
    OK_(link_raise(&K, link_job(&K, "transfer.page_due", -1), (abdm_result_t){0}));
}


static void
settle(const char *requester, const char *host, const char *state)
{
    json_t *body = json_pack("{s:s, s:s}", "host", host, "state", state);

    assert_non_null(body);
    if (requester != NULL)
        json_object_set_new(body, "requester", json_string(requester));
    char *text = json_dumps(body, JSON_COMPACT);
    json_decref(body);
    link_api(&K, "api.push_host", "", "", text);
    free(text);
}


static void
a_first_host_is_taken_without_a_word_and_another_raises_an_alert(void **state)
{
    (void) state;
    grant(CONSENT, "HIU_1", "CAREMGT");
    (void) ask(CONSENT, "https://a.example/push");
    assert_true(allowed());
    assert_null(alert());
    (void) ask(CONSENT, "https://A.Example:8443/elsewhere"); /* the same host */
    assert_null(alert());
    const char *id = ask(CONSENT, "https://b.example/push");
    assert_true(allowed());
    assert_string_equal(alert(), "requester=HIU_1 host=b.example");
    page_due(id);
    assert_int_equal(link_waiting(&K, "transfer.fetched"), 1);
    (void) ask(CONSENT, "https://b.example/push"); /* known from now on */
    assert_true(allowed());
    assert_null(alert());
}


static void
hosts_are_remembered_for_each_requester_by_itself(void **state)
{
    (void) state;
    grant(CONSENT, "HIU_1", "CAREMGT");
    grant(CONSENT_2, "HIU_2", "CAREMGT");
    grant(CONSENT_3, NULL, "PATRQT");
    (void) ask(CONSENT, "https://a.example/push");
    (void) ask(CONSENT_2, "https://b.example/push");
    assert_null(alert());
    (void) ask(CONSENT_3, "https://c.example/push");
    assert_null(alert());
    (void) ask(CONSENT_3, "https://d.example/push");
    assert_string_equal(alert(), "requester= host=d.example");
    (void) ask(CONSENT_2, "https://a.example/push");
    assert_string_equal(alert(), "requester=HIU_2 host=a.example");
}


static void
held_pages_wait_until_an_operator_allows_the_host(void **state)
{
    (void) state;
    K.policy.push_new_host = ABDM_NEW_HOST_HOLD;
    grant(CONSENT, "HIU_1", "CAREMGT");
    (void) ask(CONSENT, "https://a.example/push");
    char id[40];

    strcpy(id, ask(CONSENT, "https://b.example/push"));
    assert_true(allowed());
    assert_true(link_audited(&K, "data held: new host of the requester", ABDM_OK));
    page_due(id);
    assert_int_equal(link_waiting(&K, "transfer.fetched"), 0);
    assert_int_equal(link_job(&K, "transfer.page_due", -1)->due_at, K.now + 15 * SECONDS);
    link_until(&K, K.now + MINUTES);
    assert_int_equal(link_waiting(&K, "transfer.fetched"), 0);

    link_api(&K, "api.push_hosts", "", "state=held", NULL);
    json_t *list = json_loadb(K.last.reply.p, K.last.reply.len, 0, NULL);
    assert_int_equal(json_array_size(json_object_get(list, "pushHosts")), 1);
    assert_at(list, "pushHosts.0.host", "b.example");
    assert_at(list, "pushHosts.0.requester", "HIU_1");
    json_decref(list);

    settle("HIU_1", "B.example", "allowed");
    assert_int_equal(K.last.reply_status, 200);
    link_until(&K, K.now + 16 * SECONDS);
    assert_int_equal(link_waiting(&K, "transfer.fetched"), 1);
    assert_int_equal(link_waiting(&K, "transfer.page_due"), 0);
}


static void
a_page_that_waited_is_decided_anew_when_it_wakes(void **state)
{
    char id[40];

    (void) state;
    K.policy.push_new_host = ABDM_NEW_HOST_HOLD;
    grant(CONSENT, "HIU_1", "CAREMGT");
    (void) ask(CONSENT, "https://a.example/push");
    strcpy(id, ask(CONSENT, "https://b.example/push"));
    page_due(id);
    link_call(&K, "consent.notified", "{\"notification\":{\"status\":\"REVOKED\",\"consentId\":\""
                                      CONSENT "\"}}");
    settle("HIU_1", "b.example", "allowed");
    OK_(link_raise(&K, link_job(&K, "transfer.page_due", -1), (abdm_result_t){0}));
    assert_true(link_audited(&K, "page refused", ABDM_E_CONSENT_REVOKED));
    assert_int_equal(link_waiting(&K, "transfer.fetched"), 0);
}


static void
a_host_denied_while_pages_wait_ends_the_transfer(void **state)
{
    char id[40];

    (void) state;
    K.policy.push_new_host = ABDM_NEW_HOST_HOLD;
    grant(CONSENT, "HIU_1", "CAREMGT");
    (void) ask(CONSENT, "https://a.example/push");
    strcpy(id, ask(CONSENT, "https://b.example/push"));
    page_due(id);
    settle("HIU_1", "b.example", "denied");
    OK_(link_raise(&K, link_job(&K, "transfer.page_due", -1), (abdm_result_t){0}));
    assert_true(link_audited(&K, "page refused", ABDM_E_PUSH_HOST));
    assert_int_equal(link_waiting(&K, "transfer.fetched"), 0);
    (void) ask(CONSENT, "https://b.example/push");
    assert_true(link_audited(&K, "request refused", ABDM_E_PUSH_HOST));
}


static void
with_deny_a_new_host_is_refused_until_an_operator_allows_it(void **state)
{
    (void) state;
    K.policy.push_new_host = ABDM_NEW_HOST_DENY;
    grant(CONSENT, "HIU_1", "CAREMGT");
    (void) ask(CONSENT, "https://a.example/push");
    assert_true(allowed());
    for (int i = 0; i < 2; i++) {
        (void) ask(CONSENT, "https://b.example/push");
        assert_true(link_audited(&K, "request refused", ABDM_E_PUSH_HOST));
        assert_non_null(alert());
    }
    settle("HIU_1", "b.example", "allowed");
    (void) ask(CONSENT, "https://b.example/push");
    assert_true(allowed());
    settle("HIU_1", "a.example", "denied");
    K.policy.push_new_host = ABDM_NEW_HOST_ALLOW;
    (void) ask(CONSENT, "https://a.example/push");
    assert_true(link_audited(&K, "request refused", ABDM_E_PUSH_HOST));
}


static void
what_is_no_host_or_no_state_settles_nothing(void **state)
{
    static const char *const hosts[] = {"", "b.example/x", "https://b.example", "b.example:443",
                                        "u@b.example", "b.example?", "0x7f.1", "b..example",
                                        "[::1]", "::1]"};

    (void) state;
    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        settle("HIU_1", hosts[i], "allowed");
        if (K.last.reply_status != 400)
            fail_msg("\"%s\": %d", hosts[i], K.last.reply_status);
    }
    settle("HIU_1", "b.example", "held");
    assert_int_equal(K.last.reply_status, 400);
    settle(NULL, "2606:4700::1111", "allowed");
    assert_int_equal(K.last.reply_status, 200);
    assert_int_equal(store_kit_number(&K.store, "SELECT count(*) FROM push_host WHERE host != ''"), 1);
}


static void
a_store_that_fails_leaves_the_request_undecided(void **state)
{
    (void) state;
    grant(CONSENT, "HIU_1", "CAREMGT");
    (void) ask(CONSENT, "https://a.example/push");
    (void) ask(CONSENT, "https://b.example/push");
    json_t *body = json_pack(
        "{s:s, s:{s:{s:s}, s:{s:s, s:s}, s:s, s:{s:s, s:s, s:{s:s, s:s}, s:s}}}", "transactionId",
        "00000000-0000-4000-9000-999999999999", "hiRequest", "consent", "id", CONSENT, "dateRange",
        "from", "2025-01-01T00:00:00Z", "to", "2025-02-01T00:00:00Z", "dataPushUrl",
        "https://c.example/", "keyMaterial", "cryptoAlg", "ECDH", "curve", "Curve25519",
        "dhPublicKey", "expiry", "2030-01-01T00:00:00Z", "keyValue", key_text, "nonce",
        nonce_text);
    char *text = json_dumps(body, 0);

    json_decref(body);
    LINK_EACH_READ_FAILS(&K, link_call_at(&K, HIP, "transfer.requested", text));
    assert_true(allowed());
    assert_non_null(alert());
    free(text);
}


static void
an_emergency_is_served_only_where_that_is_configured_and_never_silently(void **state)
{
    char id[40];

    (void) state;
    grant(CONSENT, "HIU_1", "BTG");
    (void) ask(CONSENT, "https://a.example/push");
    assert_true(link_audited(&K, "request refused", ABDM_E_CONSENT_BREAK_GLASS));
    K.policy.break_glass = true;
    strcpy(id, ask(CONSENT, "https://a.example/push"));
    assert_true(allowed());
    assert_true(link_audited(&K, "break the glass", ABDM_OK));
    assert_string_equal(alert(), CONSENT);
    K.policy.break_glass = false; /* taken back while the transfer is under way */
    page_due(id);
    assert_true(link_audited(&K, "page refused", ABDM_E_CONSENT_BREAK_GLASS));
}


#define KIT_TEST(f) cmocka_unit_test_setup_teardown(f, open_kit, close_kit)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        KIT_TEST(a_first_host_is_taken_without_a_word_and_another_raises_an_alert),
        KIT_TEST(hosts_are_remembered_for_each_requester_by_itself),
        KIT_TEST(held_pages_wait_until_an_operator_allows_the_host),
        KIT_TEST(a_page_that_waited_is_decided_anew_when_it_wakes),
        KIT_TEST(a_host_denied_while_pages_wait_ends_the_transfer),
        KIT_TEST(with_deny_a_new_host_is_refused_until_an_operator_allows_it),
        KIT_TEST(what_is_no_host_or_no_state_settles_nothing),
        KIT_TEST(a_store_that_fails_leaves_the_request_undecided),
        KIT_TEST(an_emergency_is_served_only_where_that_is_configured_and_never_silently),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
