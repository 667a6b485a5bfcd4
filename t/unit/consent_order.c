/*
 * Notices of a consent in every order, against the real flows and the real store: whatever comes
 * in whichever order, between requests and pages that wait, a consent that was revoked or expired
 * lets nothing out any more, and one that is granted does until its dataEraseAt, in UTC, on a host
 * whose own zone is India's. CONSENT_SEED=N repeats a run.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>
#include <cmocka.h>

#include "consent/consent.h"
#include "core/json.h"
#include "crypto/fidelius.h"
#include "flow/flow.h"
#include "store_kit.h"

#define HIP   "IN0990001234_1"
#define FROM  "2025-01-01T00:00:00.000Z"
#define TO    "2026-03-01T00:00:00.000Z"
#define ERASE "2026-12-31T18:30:00.000Z" /* midnight in India */

enum { ORDERS = 10000, STEPS = 8, PER_COMMIT = 250, LAST_TRY = 5 };

/* What may happen to a consent. */
typedef enum {
    GRANTED,
    REVOKED,      /* with nothing but the id */
    REVOKED_FULL, /* with the artefact */
    EXPIRED,
    EXPIRED_FULL,
    DENIED,
    REQUESTED,
    ASK,  /* a data request: may it begin? */
    WAKE, /* a page that waited for its turn: may it still go out? */
    HAPPENINGS
} happening_t;

static const char *const status_of[] = {
    [GRANTED] = "GRANTED", [REVOKED] = "REVOKED", [REVOKED_FULL] = "REVOKED",
    [EXPIRED] = "EXPIRED", [EXPIRED_FULL] = "EXPIRED", [DENIED] = "DENIED",
    [REQUESTED] = "REQUESTED",
};

typedef struct {
    store_kit_t store;
    abdm_push_allow_t push_allow;
    abdm_policy_t policy;
    abdm_facility_t facility;
    char key[ABDM_KEY_TEXT], nonce[ABDM_NONCE_TEXT];
    abdm_ms_t erase_at;
    uint64_t random;
    int ids;
    abdm_effects_t last; /* of the last event */
} kit_t;

/* What the rule says of the consent, kept beside the store. */
typedef struct {
    bool known, granted;
    abdm_code_t final; /* why it is over for good; ABDM_OK: it is not */
    bool page_over;
} model_t;


static uint64_t
draw(kit_t *k, uint64_t below)
{
    k->random = k->random * 6364136223846793005u + 1442695040888963407u;
    return (k->random >> 33) % below;
}


static int
open_kit(void **state)
{
    kit_t *k = calloc(1, sizeof(*k));
    const char *seed = getenv("CONSENT_SEED");
    uint8_t nonce[ABDM_NONCE_LEN];
    abdm_key_pair_t pair;

    assert_non_null(k);
    if (setenv("TZ", "Asia/Kolkata", 1) != 0)
        return -1;
    tzset();
    store_kit_open(&k->store);
    OK_(abdm_key_pair_generate(&pair));
    OK_(abdm_nonce_generate(nonce));
    abdm_public_key_encode(pair.point, ABDM_KEY_X509, k->key);
    abdm_nonce_encode(nonce, k->nonce);
    OK_(abdm_time_parse(ABDM_LIT(ERASE), &k->erase_at));
    k->facility = (abdm_facility_t){.id = HIP, .name = "Demo Hospital"};
    k->random = seed != NULL ? strtoull(seed, NULL, 10) : (uint64_t) time(NULL);
    print_message("# CONSENT_SEED=%llu\n", (unsigned long long) k->random);
    *state = k;
    return 0;
}


static int
close_kit(void **state)
{
    kit_t *k = *state;

    abdm_effects_clear(&k->last);
    store_kit_close(&k->store);
    free(k);
    return 0;
}


static void
run(kit_t *k, abdm_event_t ev, json_t *body)
{
    char *text = body != NULL ? json_dumps(body, JSON_COMPACT) : NULL;
    abdm_flow_ctx_t ctx = {
        .view = abdm_store_view(k->store.store),
        .push_allow = &k->push_allow,
        .policy = &k->policy,
        .facility = &k->facility,
        .key = k->store.key,
    };

    json_decref(body);
    ev.hip_id = HIP;
    ev.request_id = "3b9c5a60-1111-4c1f-8a55-1b2c3d4e5f60";
    ev.body = text;
    ev.body_len = text != NULL ? strlen(text) : 0;
    ev.query = "";
    ev.at = ev.now;
    abdm_effects_clear(&k->last);
    abdm_err_t err = abdm_flow_find(ev.name)->run(&ctx, &ev, &k->last);

    if (abdm_failed(err))
        fail_msg("%s: %s at %s", ev.name, err.what, err.where);
    assert_false(k->last.failed);
    OK_(abdm_store_apply(k->store.store, &k->last, ev.now));
    free(text);
}


static void
notify(kit_t *k, const char *id, happening_t what, abdm_ms_t now)
{
    bool full = what == GRANTED || what == REVOKED_FULL || what == EXPIRED_FULL;
    json_t *body = json_pack("{s:{s:s, s:s}}", "notification", "status", status_of[what],
                             "consentId", id);

    assert_non_null(body);
    if (full) {
        json_t *detail = json_pack(
            "{s:s, s:{s:s}, s:{s:s}, s:{s:s}, s:{s:s}, s:[{s:s, s:s}], s:[s], "
            "s:{s:{s:s, s:s}, s:s}}",
            "consentId", id, "patient", "id", "a@sbx", "hip", "id", HIP, "hiu", "id", "HIU_1",
            "purpose", "code", "CAREMGT", "careContexts", "patientReference", "MR-1",
            "careContextReference", "V-1", "hiTypes", "Prescription", "permission", "dateRange",
            "from", FROM, "to", TO, "dataEraseAt", ERASE);

        assert_non_null(detail);
        json_object_set_new(json_object_get(body, "notification"), "consentDetail", detail);
    }
    run(k, (abdm_event_t){.name = "consent.notified", .subject = "", .now = now}, body);
}


static json_t *
request_of(const kit_t *k, const char *id, const char *transfer)
{
    json_t *body = json_pack(
        "{s:s, s:{s:{s:s}, s:{s:s, s:s}, s:s, s:{s:s, s:s, s:{s:s, s:s}, s:s}}}", "transactionId",
        transfer, "hiRequest", "consent", "id", id, "dateRange", "from", FROM, "to", TO,
        "dataPushUrl", "https://hiu.example/push", "keyMaterial", "cryptoAlg", "ECDH", "curve",
        "Curve25519", "dhPublicKey", "expiry", "2030-01-01T00:00:00.000Z", "keyValue", k->key,
        "nonce", k->nonce);

    assert_non_null(body);
    return body;
}


/* ABDM_E_INTERNAL: nothing of the kind was written down. */
static abdm_code_t
outcome(const kit_t *k, const char *good, const char *bad)
{
    for (size_t i = 0; i < k->last.n; i++) {
        const abdm_effect_t *e = &k->last.item[i];

        if (e->kind == ABDM_EFFECT_AUDIT && strcmp(e->u.audit.what, bad) == 0)
            return e->u.audit.code;
        if (e->kind == ABDM_EFFECT_AUDIT && good != NULL && strcmp(e->u.audit.what, good) == 0)
            return ABDM_OK;
    }
    return ABDM_E_INTERNAL;
}


static bool
has_job(const kit_t *k, const char *event)
{
    for (size_t i = 0; i < k->last.n; i++) {
        const abdm_effect_t *e = &k->last.item[i];

        if (e->kind == ABDM_EFFECT_JOB && strcmp(e->u.job.event, event) == 0)
            return true;
    }
    return false;
}


/* A transfer in the middle: one page is left, which waits for its turn. */
static void
park(kit_t *k, const char *id, const char *transfer)
{
    abdm_transfer_t t = {
        .id = (char *) transfer, .hip_id = HIP, .consent_id = (char *) id, .request_id = "r",
        .push_url = "https://hiu.example/push", .curve = "Curve25519", .public_key = k->key,
        .nonce = k->nonce, .state = ABDM_TRANSFER_PUSHING, .n_contexts = 1, .n_pages = 1,
        .requested_at = k->erase_at, .deadline_at = k->erase_at * 2,
    };
    abdm_transfer_context_t context = {.patient_ref = "MR-1", .care_context_ref = "V-1",
                                       .state = ABDM_PART_DONE};
    abdm_page_t page = {.hi_type = ABDM_HI_PRESCRIPTION, .dated = true,
                        .record = json_object()};
    abdm_effects_t e = {0};

    OK_(abdm_time_parse(ABDM_LIT(FROM), &t.from));
    OK_(abdm_time_parse(ABDM_LIT(TO), &t.to));
    page.date = t.from;
    abdm_effect_transfer(&e, &t);
    abdm_effect_context(&e, &t, &context);
    abdm_effect_page(&e, &t, &page);
    assert_false(e.failed);
    OK_(abdm_store_apply(k->store.store, &e, k->erase_at));
    abdm_effects_clear(&e);
    json_decref(page.record);
}


static abdm_code_t
expected(const model_t *m, const kit_t *k, abdm_ms_t now)
{
    if (!m->known)
        return ABDM_E_CONSENT_UNKNOWN;
    if (m->final != ABDM_OK)
        return m->final;
    if (!m->granted)
        return ABDM_E_CONSENT_NOT_GRANTED;
    return now < k->erase_at ? ABDM_OK : ABDM_E_CONSENT_EXPIRED;
}


static void
ask(kit_t *k, const model_t *m, const char *id, abdm_ms_t now)
{
    char transfer[40];

    snprintf(transfer, sizeof(transfer), "00000000-0000-4000-9000-%012d", ++k->ids);
    run(k, (abdm_event_t){.name = "transfer.requested", .subject = "", .arg = LAST_TRY,
                          .now = now},
        request_of(k, id, transfer));
    assert_int_equal(outcome(k, "request allowed", "request refused"), expected(m, k, now));
    assert_int_equal(has_job(k, "transfer.acknowledged"), expected(m, k, now) == ABDM_OK);
}


static void
wake(kit_t *k, model_t *m, const char *transfer, abdm_ms_t now)
{
    run(k, (abdm_event_t){.name = "transfer.page_due", .subject = transfer, .now = now}, NULL);
    if (m->page_over) {
        assert_int_equal(k->last.n, 0);
        return;
    }
    if (expected(m, k, now) == ABDM_OK) {
        assert_true(has_job(k, "transfer.fetched"));
        return;
    }
    m->page_over = true;
    assert_false(has_job(k, "transfer.fetched"));
    assert_int_equal(outcome(k, NULL, "page refused"), expected(m, k, now));
    assert_true(has_job(k, "transfer.over"));
}


static void
learn(model_t *m, happening_t what)
{
    m->known = true;
    if (m->final != ABDM_OK)
        return;
    if (what == GRANTED)
        m->granted = true;
    else if (what == REVOKED || what == REVOKED_FULL)
        m->final = ABDM_E_CONSENT_REVOKED;
    else if (what == EXPIRED || what == EXPIRED_FULL)
        m->final = ABDM_E_CONSENT_EXPIRED;
}


/* A bag with always a grant and an end in it, shuffled; the clock stands at one edge of the
 * consent's end. */
static void
one_order(kit_t *k)
{
    happening_t bag[STEPS] = {GRANTED, (happening_t) (REVOKED + draw(k, 4)), ASK, WAKE};
    const abdm_ms_t clocks[] = {k->erase_at - 86400000, k->erase_at - 1, k->erase_at,
                                k->erase_at + 5 * 3600000 + 1800000};
    char id[40], transfer[40];
    model_t m = {0};
    abdm_ms_t now;

    for (size_t i = 4; i < STEPS; i++)
        bag[i] = (happening_t) draw(k, HAPPENINGS);
    for (size_t i = STEPS - 1; i > 0; i--) {
        size_t j = draw(k, i + 1);
        happening_t held = bag[i];

        bag[i] = bag[j];
        bag[j] = held;
    }
    snprintf(id, sizeof(id), "00000000-0000-4000-8000-%012d", ++k->ids);
    snprintf(transfer, sizeof(transfer), "00000000-0000-4000-a000-%012d", k->ids);
    park(k, id, transfer);
    for (size_t i = 0; i < STEPS; i++) {
        now = clocks[draw(k, sizeof(clocks) / sizeof(clocks[0]))];
        if (bag[i] == ASK) {
            ask(k, &m, id, now);
        } else if (bag[i] == WAKE) {
            wake(k, &m, transfer, now);
        } else {
            notify(k, id, bag[i], now);
            assert_true(has_job(k, "reply.sent")); /* every notice is acknowledged */
            learn(&m, bag[i]);
        }
    }
    ask(k, &m, id, k->erase_at - 1);
}


static void
some_orders(kit_t *k)
{
    OK_(abdm_store_begin(k->store.store));
    for (int i = 0; i < PER_COMMIT; i++)
        one_order(k);
    OK_(abdm_store_commit(k->store.store));
}


static void
no_order_of_notices_lets_anything_out_after_the_end(void **state)
{
    for (int i = 0; i < ORDERS; i += PER_COMMIT)
        some_orders(*state);
}


/* What of the artefact is in the store after its end: id and status. */
static void
after_the_end_nothing_of_the_artefact_is_kept(void **state)
{
    kit_t *k = *state;

    some_orders(k);
    assert_true(store_kit_number(&k->store, "SELECT count(*) FROM consent WHERE status IN (1, 2)")
                > 0);
    assert_int_equal(store_kit_number(&k->store,
                                      "SELECT count(*) FROM consent WHERE status IN (1, 2)"
                                      " AND (patient_id IS NOT NULL OR purpose IS NOT NULL"
                                      " OR hiu_id IS NOT NULL OR hi_types != 0)"), 0);
    assert_int_equal(store_kit_number(&k->store,
                                      "SELECT count(*) FROM consent_context c JOIN consent s"
                                      " ON s.id = c.consent_id WHERE s.status IN (1, 2)"), 0);
}


/* The zone of the host moves no edge: dataEraseAt in India's own spelling is the same moment. */
static void
the_end_is_a_moment_and_no_wall_clock(void **state)
{
    kit_t *k = *state;
    abdm_ms_t utc = 0, india = 0;

    assert_string_equal(getenv("TZ"), "Asia/Kolkata");
    OK_(abdm_time_parse(ABDM_LIT("2026-12-31T18:30:00.000Z"), &utc));
    OK_(abdm_time_parse(ABDM_LIT("2027-01-01T00:00:00.000+05:30"), &india));
    assert_int_equal(utc, india);
    assert_int_equal(utc, k->erase_at);
    assert_int_equal(utc, (abdm_ms_t) 1798741800000);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_order_of_notices_lets_anything_out_after_the_end),
        cmocka_unit_test(after_the_end_nothing_of_the_artefact_is_kept),
        cmocka_unit_test(the_end_is_a_moment_and_no_wall_clock),
    };

    return cmocka_run_group_tests(tests, open_kit, close_kit);
}
