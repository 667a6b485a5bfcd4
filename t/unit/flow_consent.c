/* Consent notifications: what each does to the artefact kept, and what the gateway is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "flow_kit.h"
#include "gateway/outbound.h"

#define DETAIL(hip)                                                                                \
    ",\"consentDetail\":{\"consentId\":\"" CONSENT "\",\"patient\":{\"id\":\"a@sbx\"},"            \
    "\"hip\":{\"id\":\"" hip "\"},\"hiu\":{\"id\":\"HIU_1\"},\"purpose\":{\"code\":\"CAREMGT\"},"  \
    "\"careContexts\":[{\"patientReference\":\"MR-1\",\"careContextReference\":\"V-1\"}],"         \
    "\"hiTypes\":[\"Prescription\"],\"permission\":{\"dateRange\":{"                               \
    "\"from\":\"2025-01-01T00:00:00Z\",\"to\":\"2026-03-01T00:00:00Z\"},"                          \
    "\"dataEraseAt\":\"2026-12-31T00:00:00Z\"}}"
#define NOTICE(status, detail)                                                                     \
    "{\"notification\":{\"consentId\":\"" CONSENT "\",\"status\":\"" status "\"" detail "}}"


static abdm_event_t
notified(const char *body)
{
    abdm_event_t ev = flow_event("consent.notified", 0, NULL);

    ev.subject = "";
    ev.body = body;
    ev.body_len = strlen(body);
    return ev;
}


static void
assert_acknowledged(const abdm_effects_t *e)
{
    const abdm_job_t *job = flow_job(e, "reply.sent");
    json_t *body = flow_body(job);

    assert_int_equal(job->kind, ABDM_JOB_GATEWAY);
    assert_string_equal(job->path, ABDM_PATH_CONSENT_ON_NOTIFY);
    assert_string_equal(job->hip_id, HIP);
    assert_int_equal(job->due_at, NOW);
    assert_true(job->deadline_at > NOW);
    assert_at(body, "acknowledgement.status", "OK");
    assert_at(body, "acknowledgement.consentId", CONSENT);
    assert_at(body, "response.requestId", REQUEST);
    json_decref(body);
}


static void
assert_refused(const abdm_effects_t *e, const char *code, abdm_code_t why)
{
    json_t *body = flow_body(flow_job(e, "reply.sent"));

    assert_at(body, "error.code", code);
    assert_at(body, "response.requestId", REQUEST);
    assert_null(flow_nth(e, ABDM_EFFECT_CONSENT, 0));
    assert_true(flow_audited(e, "consent notice refused", why));
    json_decref(body);
}


static void
a_granted_notice_is_kept_whole_and_acknowledged(void **state)
{
    abdm_event_t ev = notified(NOTICE("GRANTED", DETAIL(HIP)));
    abdm_effects_t out;
    flow_kit_t k;

    (void) state;
    flow_kit_init(&k);
    assert_int_equal(flow_run(&k, &ev, &out).code, ABDM_OK);
    assert_int_equal(flow_count(&out, ABDM_EFFECT_CONSENT), 1);
    const abdm_consent_t *c = &flow_nth(&out, ABDM_EFFECT_CONSENT, 0)->u.consent;
    assert_string_equal(c->id, CONSENT);
    assert_string_equal(c->hip_id, HIP);
    assert_string_equal(c->hiu_id, "HIU_1");
    assert_string_equal(c->patient_id, "a@sbx");
    assert_int_equal(c->status, ABDM_CONSENT_GRANTED);
    assert_int_equal(c->n_contexts, 1);
    assert_string_equal(c->contexts[0].care_context_ref, "V-1");
    assert_int_equal(c->hi_types, 1u << ABDM_HI_PRESCRIPTION);
    assert_true(flow_audited(&out, "consent notice kept", ABDM_OK));
    assert_acknowledged(&out);
    assert_int_equal(flow_count(&out, ABDM_EFFECT_JOB), 1);
    abdm_effects_clear(&out);
}


/* REVOKED and EXPIRED leave id and status, so that nothing of the content is kept. */
static void
assert_becomes_tombstone(const char *body, abdm_consent_status_t want, bool known)
{
    abdm_event_t ev = notified(body);
    abdm_effects_t out;
    flow_kit_t k;

    flow_kit_init(&k);
    if (known)
        flow_kit_grant(&k);
    assert_int_equal(flow_run(&k, &ev, &out).code, ABDM_OK);
    assert_int_equal(flow_count(&out, ABDM_EFFECT_CONSENT), 1);
    const abdm_consent_t *c = &flow_nth(&out, ABDM_EFFECT_CONSENT, 0)->u.consent;
    assert_string_equal(c->id, CONSENT);
    assert_string_equal(c->hip_id, HIP);
    assert_int_equal(c->status, want);
    assert_null(c->patient_id);
    assert_null(c->hiu_id);
    assert_int_equal(c->n_contexts, 0);
    assert_int_equal(c->hi_types, 0);
    assert_acknowledged(&out);
    abdm_effects_clear(&out);
}


static void
a_revoked_consent_loses_its_content(void **state)
{
    (void) state;
    assert_becomes_tombstone(NOTICE("REVOKED", ""), ABDM_CONSENT_REVOKED, true);
    assert_becomes_tombstone(NOTICE("REVOKED", DETAIL(HIP)), ABDM_CONSENT_REVOKED, true);
}


static void
an_expired_consent_loses_its_content(void **state)
{
    (void) state;
    assert_becomes_tombstone(NOTICE("EXPIRED", ""), ABDM_CONSENT_EXPIRED, true);
}


static void
the_revocation_of_an_unknown_consent_is_kept(void **state)
{
    (void) state;
    assert_becomes_tombstone(NOTICE("REVOKED", ""), ABDM_CONSENT_REVOKED, false);
    assert_becomes_tombstone(NOTICE("EXPIRED", DETAIL(HIP)), ABDM_CONSENT_EXPIRED, false);
}


/* The notice changes nothing and is acknowledged all the same. */
static void
assert_changes_nothing(abdm_consent_status_t stored, const char *body)
{
    abdm_event_t ev = notified(body);
    abdm_effects_t out;
    flow_kit_t k;

    flow_kit_init(&k);
    flow_kit_grant(&k);
    k.consent.status = stored;
    assert_int_equal(flow_run(&k, &ev, &out).code, ABDM_OK);
    assert_null(flow_nth(&out, ABDM_EFFECT_CONSENT, 0));
    assert_true(flow_audited(&out, "consent notice repeated", ABDM_OK));
    assert_acknowledged(&out);
    abdm_effects_clear(&out);
}


static void
a_late_granted_does_not_revive_a_final_consent(void **state)
{
    (void) state;
    assert_changes_nothing(ABDM_CONSENT_REVOKED, NOTICE("GRANTED", DETAIL(HIP)));
    assert_changes_nothing(ABDM_CONSENT_EXPIRED, NOTICE("GRANTED", DETAIL(HIP)));
}


static void
a_repeated_notice_is_acknowledged_again_and_changes_nothing(void **state)
{
    (void) state;
    assert_changes_nothing(ABDM_CONSENT_GRANTED, NOTICE("GRANTED", DETAIL(HIP)));
    assert_changes_nothing(ABDM_CONSENT_REVOKED, NOTICE("REVOKED", ""));
}


static void
assert_notice_refused(const char *text, const char *code, abdm_code_t why)
{
    abdm_event_t ev = notified(text);
    abdm_effects_t out;
    flow_kit_t k;

    flow_kit_init(&k);
    assert_int_equal(flow_run(&k, &ev, &out).code, ABDM_OK);
    assert_refused(&out, code, why);
    abdm_effects_clear(&out);
}


static void
a_granted_notice_without_its_detail_is_refused(void **state)
{
    (void) state;
    assert_notice_refused(NOTICE("GRANTED", ""), "ABDM-1006", ABDM_E_FIELD);
}


static void
a_malformed_notice_is_refused(void **state)
{
    static const char *const bodies[] = {
        "{}", "{\"notification\":[]}", "{\"notification\":{\"status\":\"GRANTED\"}}",
        "{\"notification\":{\"consentId\":\"x\",\"status\":\"PERHAPS\"}}",
    };

    (void) state;
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++)
        assert_notice_refused(bodies[i], "ABDM-1006", ABDM_E_FIELD);
    assert_notice_refused("{", "ABDM-1024", ABDM_E_JSON);
}


static void
a_consent_of_another_facility_is_refused_and_not_kept(void **state)
{
    (void) state;
    assert_notice_refused(NOTICE("GRANTED", DETAIL("IN0000000000_9")), "ABDM-1035",
                          ABDM_E_CONSENT_OTHER_HIP);
}


static void
a_consent_for_the_bare_facility_is_kept_under_its_service(void **state)
{
    abdm_event_t ev = notified(NOTICE("GRANTED", DETAIL("IN0990001234")));
    abdm_effects_t out;
    flow_kit_t k;

    (void) state;
    flow_kit_init(&k);
    assert_int_equal(flow_run(&k, &ev, &out).code, ABDM_OK);
    const abdm_effect_t *kept = flow_nth(&out, ABDM_EFFECT_CONSENT, 0);
    assert_string_equal(kept->u.consent.hip_id, HIP);
    assert_acknowledged(&out);
    abdm_effects_clear(&out);
}


static void
a_revocation_holds_whatever_facility_its_detail_names(void **state)
{
    (void) state;
    assert_becomes_tombstone(NOTICE("REVOKED", DETAIL("IN0000000000_9")), ABDM_CONSENT_REVOKED,
                             true);
}


static void
a_revocation_with_a_faulty_detail_still_revokes(void **state)
{
    (void) state;
    assert_becomes_tombstone(NOTICE("REVOKED", ",\"consentDetail\":{\"hip\":7}"),
                             ABDM_CONSENT_REVOKED, true);
}


static void
a_store_that_fails_leaves_the_notice_undecided(void **state)
{
    abdm_event_t ev = notified(NOTICE("GRANTED", DETAIL(HIP)));
    abdm_effects_t out;
    flow_kit_t k;

    (void) state;
    flow_kit_init(&k);
    k.consent_fails = ABDM_E_STORE;
    assert_int_equal(flow_run(&k, &ev, &out).code, ABDM_E_STORE);
    assert_int_equal(out.n, 0);
    abdm_effects_clear(&out);
}


static void
an_acknowledgement_that_the_gateway_refuses_is_written_down(void **state)
{
    abdm_result_t result = {.err = FAILURE(ABDM_E_GATEWAY_REFUSED), .final = true};
    abdm_event_t ev = flow_event("reply.sent", 0, &result);
    abdm_effects_t out;
    flow_kit_t k;

    (void) state;
    flow_kit_init(&k);
    assert_int_equal(flow_run(&k, &ev, &out).code, ABDM_OK);
    assert_true(flow_audited(&out, "answer not accepted by the gateway", ABDM_E_GATEWAY_REFUSED));
    assert_int_equal(out.n, 1);
    abdm_effects_clear(&out);

    result = (abdm_result_t){.err = ABDM_NO_ERR};
    assert_int_equal(flow_run(&k, &ev, &out).code, ABDM_OK);
    assert_int_equal(out.n, 0);
    abdm_effects_clear(&out);
}


static void
an_event_that_nobody_named_has_no_flow(void **state)
{
    (void) state;
    assert_null(abdm_flow_find("consent.forgotten"));
    assert_null(abdm_flow_find(""));
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_granted_notice_is_kept_whole_and_acknowledged),
        cmocka_unit_test(a_revoked_consent_loses_its_content),
        cmocka_unit_test(an_expired_consent_loses_its_content),
        cmocka_unit_test(the_revocation_of_an_unknown_consent_is_kept),
        cmocka_unit_test(a_late_granted_does_not_revive_a_final_consent),
        cmocka_unit_test(a_repeated_notice_is_acknowledged_again_and_changes_nothing),
        cmocka_unit_test(a_granted_notice_without_its_detail_is_refused),
        cmocka_unit_test(a_malformed_notice_is_refused),
        cmocka_unit_test(a_consent_of_another_facility_is_refused_and_not_kept),
        cmocka_unit_test(a_consent_for_the_bare_facility_is_kept_under_its_service),
        cmocka_unit_test(a_revocation_holds_whatever_facility_its_detail_names),
        cmocka_unit_test(a_revocation_with_a_faulty_detail_still_revokes),
        cmocka_unit_test(a_store_that_fails_leaves_the_notice_undecided),
        cmocka_unit_test(an_acknowledgement_that_the_gateway_refuses_is_written_down),
        cmocka_unit_test(an_event_that_nobody_named_has_no_flow),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
