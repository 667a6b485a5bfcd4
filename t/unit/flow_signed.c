/*
 * What becomes of the signature of a consent under each policy: what was signed is kept byte for
 * byte and sealed, the audit has the outcome, and where it is enforced only a verified one counts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "confirm_kit.h"
#include "sign_kit.h"

/* further transfers */
#define FIRST     "0f9e4f4a-88a5-4fd2-a4c8-900000000001"
#define SECOND    "0f9e4f4a-88a5-4fd2-a4c8-900000000002"

/* With blanks, escapes and a number that a reader would write in another way. */
#define DETAIL                                                                                     \
    "{ \"consentId\" : \"" CONSENT "\",\n  \"patient\":{\"id\":\"asha.k\\u0040sbx\"},"             \
    "\"hip\":{\"id\":\"" HIP "\"},\"hiu\":{\"id\":\"HIU_1\"},\"purpose\":{\"code\":\"CAREMGT\"},"  \
    "\"careContexts\":[{\"patientReference\":\"MR-1\",\"careContextReference\":\"V-1\"}],"         \
    "\"hiTypes\":[\"Prescription\"],\"permission\":{\"dateRange\":{"                               \
    "\"from\":\"2025-01-01T00:00:00Z\",\"to\":\"2026-03-01T00:00:00Z\"},"                          \
    "\"dataEraseAt\":\"2026-12-31T00:00:00Z\",\"frequency\":{\"value\":1.50}}}"
#define COMPACT                                                                                    \
    "{\"consentId\":\"" CONSENT "\",\"patient\":{\"id\":\"asha.k@sbx\"},"                          \
    "\"hip\":{\"id\":\"" HIP "\"},\"hiu\":{\"id\":\"HIU_1\"},\"purpose\":{\"code\":\"CAREMGT\"},"  \
    "\"careContexts\":[{\"patientReference\":\"MR-1\",\"careContextReference\":\"V-1\"}],"         \
    "\"hiTypes\":[\"Prescription\"],\"permission\":{\"dateRange\":{"                               \
    "\"from\":\"2025-01-01T00:00:00Z\",\"to\":\"2026-03-01T00:00:00Z\"},"                          \
    "\"dataEraseAt\":\"2026-12-31T00:00:00Z\",\"frequency\":{\"value\":1.50}}}"


/* The notice with this artefact and signature (taken; NULL: none). */
static void
notified(char *signature)
{
    char body[4096];

    snprintf(body, sizeof(body),
             "{\"notification\":{\"status\":\"GRANTED\",\"consentId\":\"" CONSENT "\","
             "\"consentDetail\": " DETAIL " %s%s%s}}",
             signature != NULL ? ",\"signature\":\"" : "", signature != NULL ? signature : "",
             signature != NULL ? "\"" : "");
    link_call(&K, "consent.notified", body);
    free(signature);
}


static void
with_key(void)
{
    char problem[ABDM_SIGNER_PROBLEM];

    OK_(abdm_signers_add(&K.signers, write_public("cm.pem", cm_key), NULL, problem));
}


static int
open_log(void **state)
{
    kit_open(state);
    K.policy.confirm = ABDM_CONFIRM_OFF;
    K.policy.signature = ABDM_SIGNATURE_LOG;
    return 0;
}


static int
open_enforce(void **state)
{
    open_log(state);
    K.policy.signature = ABDM_SIGNATURE_ENFORCE;
    return 0;
}


#define LOG_TEST(f)     cmocka_unit_test_setup_teardown(f, open_log, kit_close)
#define ENFORCE_TEST(f) cmocka_unit_test_setup_teardown(f, open_enforce, kit_close)


static int64_t
kept(void)
{
    return store_kit_number(&K.store, "SELECT count(*) FROM consent WHERE status = 0");
}


static int64_t
is_signed(void)
{
    return store_kit_number(&K.store, "SELECT signed FROM consent");
}


/* --- log --- */

static void
the_signed_part_is_kept_byte_for_byte_and_sealed(void **state)
{
    const abdm_view_t *view = abdm_store_view(K.store.store);
    char *text = NULL, *signature = NULL;

    (void) state;
    notified(strdup("c2lnbmF0dXJl"));
    OK_(view->artefact(view, HIP, CONSENT, &text, &signature));
    assert_string_equal(text, DETAIL);
    assert_string_equal(signature, "c2lnbmF0dXJl");
    free(text);
    free(signature);
    assert_false(link_on_disk(&K, "asha.k\\u0040sbx"));
    assert_false(link_on_disk(&K, "c2lnbmF0dXJl"));
    assert_int_equal(view->artefact(view, OTHER, CONSENT, &text, &signature).code,
                     ABDM_E_NOT_FOUND);

    notify(CONSENT, "REVOKED", NULL, NULL);
    assert_int_equal(view->artefact(view, HIP, CONSENT, &text, &signature).code,
                     ABDM_E_NOT_FOUND);
    assert_int_equal(
        store_kit_number(&K.store, "SELECT count(artefact) + count(signature) FROM consent"), 0);
}


static void
what_was_kept_does_not_open_under_another_consent(void **state)
{
    const abdm_view_t *view = abdm_store_view(K.store.store);
    char *text = NULL, *signature = NULL;

    (void) state;
    notified(strdup("c2ln"));
    store_kit_exec(&K.store, "PRAGMA foreign_keys = 0; UPDATE consent SET id = 'moved'");
    assert_int_equal(view->artefact(view, HIP, "moved", &text, &signature).code, ABDM_E_SEAL);
    assert_null(text);
    assert_null(signature);
}


static void
log_tells_the_outcome_and_refuses_nothing(void **state)
{
    static const struct {
        bool key;
        int how; /* 0 none, 1 garbage, 2 wrong key, 3 right */
        const char *told;
        abdm_signed_t known;
    } cases[] = {
        {false, 0, "signature absent", ABDM_SIGNED_ABSENT},
        {false, 3, "signature not verified: no key configured", ABDM_SIGNED_NO_KEY},
        {true, 0, "signature absent", ABDM_SIGNED_ABSENT},
        {true, 1, "signature does not verify", ABDM_SIGNED_WRONG},
        {true, 2, "signature does not verify", ABDM_SIGNED_WRONG},
        {true, 3, "signature verified", ABDM_SIGNED_VERIFIED},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *const signatures[] = {NULL, strdup("?"), sign_bare(other_key, -1, DETAIL),
                                    sign_bare(cm_key, -1, DETAIL)};

        if (i > 0) {
            kit_close(state);
            open_log(state);
        }
        if (cases[i].key)
            with_key();
        notified(signatures[cases[i].how] != NULL ? strdup(signatures[cases[i].how]) : NULL);
        assert_true(link_audited(&K, cases[i].told, ABDM_OK));
        assert_int_equal(is_signed(), cases[i].known);
        ask_for(TRANSFER, CONSENT);
        assert_begun(TRANSFER, NULL);
        for (size_t k = 0; k < 4; k++)
            free(signatures[k]);
    }
}


static void
the_compact_form_may_be_what_was_signed(void **state)
{
    (void) state;
    with_key();
    notified(sign_bare(cm_key, 32, COMPACT));
    assert_true(link_audited(&K, "signature verified", ABDM_OK));
}


static void
a_jws_may_be_the_signature(void **state)
{
    (void) state;
    with_key();
    notified(sign_jws(cm_key, -1, "{\"alg\":\"RS256\"}", COMPACT, NULL));
    assert_true(link_audited(&K, "signature verified", ABDM_OK));
}


static void
a_notification_in_a_list_is_signed_as_well(void **state)
{
    char body[4096], *signature = sign_bare(cm_key, -1, DETAIL);

    (void) state;
    with_key();
    snprintf(body, sizeof(body),
             "{\"notification\":[{\"signature\":\"%s\",\"consentDetail\":" DETAIL
             ",\"status\":\"GRANTED\",\"consentId\":\"" CONSENT "\"}]}",
             signature);
    link_call(&K, "consent.notified", body);
    assert_true(link_audited(&K, "signature verified", ABDM_OK));
    free(signature);
}


static void
with_off_nothing_is_looked_at_and_nothing_kept(void **state)
{
    (void) state;
    K.policy.signature = ABDM_SIGNATURE_OFF;
    with_key();
    notified(strdup("c2ln"));
    assert_int_equal(kept(), 1);
    assert_int_equal(is_signed(), ABDM_SIGNED_UNKNOWN);
    assert_int_equal(
        store_kit_number(&K.store, "SELECT count(artefact) + count(signature) FROM consent"), 0);
    assert_int_equal(store_kit_number(&K.store,
                                      "SELECT count(*) FROM audit WHERE what LIKE 'signature%'"),
                     0);
}


static void
a_signature_that_is_no_text_does_no_harm(void **state)
{
    (void) state;
    with_key();
    link_call(&K, "consent.notified",
              "{\"notification\":{\"status\":\"GRANTED\",\"consentId\":\"" CONSENT "\","
              "\"consentDetail\":" DETAIL ",\"signature\":{\"value\":7}}}");
    assert_true(link_audited(&K, "signature does not verify", ABDM_OK));
    assert_int_equal(kept(), 1);
}


/* --- enforce --- */

static void
assert_notice_refused(void)
{
    abdm_job_t job = link_out(&K, ABDM_PATH_CONSENT_ON_NOTIFY);
    json_t *body = link_body(&job);

    assert_at(body, "error.code", "ABDM-1112");
    json_decref(body);
    abdm_job_clear(&job);
    assert_true(link_audited(&K, "consent notice refused", ABDM_E_CONSENT_SIGNATURE));
    assert_int_equal(kept(), 0);
}


static void
enforce_refuses_every_notice_whose_signature_is_not_verified(void **state)
{
    (void) state;
    notified(sign_bare(cm_key, -1, DETAIL)); /* no key */
    assert_notice_refused();
    with_key();
    notified(NULL);
    assert_notice_refused();
    notified(strdup("?"));
    assert_notice_refused();
    notified(sign_bare(other_key, -1, DETAIL));
    assert_notice_refused();
    notified(sign_bare(cm_key, -1, DETAIL " "));
    assert_notice_refused();
    notified(sign_bare(cm_key, -1, DETAIL));
    assert_int_equal(kept(), 1);
    ask_for(TRANSFER, CONSENT);
    assert_begun(TRANSFER, NULL);
}


static void
enforce_does_not_ask_a_revocation_for_its_signature(void **state)
{
    (void) state;
    with_key();
    notified(sign_bare(cm_key, -1, DETAIL));
    notify(CONSENT, "REVOKED", artefact(CONSENT), "Zm9yZ2Vk");
    assert_int_equal(kept(), 0);
}


static void
a_consent_kept_under_another_policy_is_looked_at_again(void **state)
{
    (void) state;
    K.policy.signature = ABDM_SIGNATURE_LOG;
    notified(sign_bare(cm_key, -1, DETAIL)); /* no key yet */
    assert_int_equal(is_signed(), ABDM_SIGNED_NO_KEY);
    K.policy.signature = ABDM_SIGNATURE_ENFORCE;
    ask_for(FIRST, CONSENT);
    assert_refused(FIRST, ABDM_E_CONSENT_SIGNATURE, "ABDM-1112");
    with_key();
    ask_for(SECOND, CONSENT);
    assert_begun(SECOND, NULL);
}


static void
a_consent_kept_without_its_signed_part_is_not_used(void **state)
{
    (void) state;
    K.policy.signature = ABDM_SIGNATURE_OFF;
    with_key();
    notified(sign_bare(cm_key, -1, DETAIL));
    K.policy.signature = ABDM_SIGNATURE_ENFORCE;
    K.policy.confirm = ABDM_CONFIRM_TRY;
    ask_for(TRANSFER, CONSENT);
    assert_refused(TRANSFER, ABDM_E_CONSENT_SIGNATURE, "ABDM-1112");
    assert_int_equal(fetches(), 0);
}


static void
a_store_that_fails_leaves_the_signature_undecided(void **state)
{
    (void) state;
    K.policy.signature = ABDM_SIGNATURE_LOG;
    notified(sign_bare(cm_key, -1, DETAIL));
    K.policy.signature = ABDM_SIGNATURE_ENFORCE;
    with_key();
    LINK_EACH_READ_FAILS(&K, call(HIP, "transfer.requested", request_body(TRANSFER, CONSENT)));
    assert_begun(TRANSFER, NULL);
}


static int
open_group(void **state)
{
    return make_keys(state) == 0 ? sign_kit_open(state) : -1;
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        LOG_TEST(the_signed_part_is_kept_byte_for_byte_and_sealed),
        LOG_TEST(what_was_kept_does_not_open_under_another_consent),
        LOG_TEST(log_tells_the_outcome_and_refuses_nothing),
        LOG_TEST(the_compact_form_may_be_what_was_signed),
        LOG_TEST(a_jws_may_be_the_signature),
        LOG_TEST(a_notification_in_a_list_is_signed_as_well),
        LOG_TEST(with_off_nothing_is_looked_at_and_nothing_kept),
        LOG_TEST(a_signature_that_is_no_text_does_no_harm),
        ENFORCE_TEST(enforce_refuses_every_notice_whose_signature_is_not_verified),
        ENFORCE_TEST(enforce_does_not_ask_a_revocation_for_its_signature),
        ENFORCE_TEST(a_consent_kept_under_another_policy_is_looked_at_again),
        ENFORCE_TEST(a_consent_kept_without_its_signed_part_is_not_used),
        ENFORCE_TEST(a_store_that_fails_leaves_the_signature_undecided),
    };

    return cmocka_run_group_tests(tests, open_group, sign_kit_close);
}
