/* A patient leaves ABDM, or comes back: what goes, what stays, and what is kept of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "gateway/outbound_link.h"
#include "link_kit.h"

#define ASHA "asha.k@sbx"
#define RAVI "ravi.k@sbx"

static link_kit_t K;


static int
setup(void **state)
{
    (void) state;
    return link_kit_open(&K);
}


static int
teardown(void **state)
{
    (void) state;
    link_kit_close(&K);
    return 0;
}


static void
grant(const char *hip, const char *id, const char *patient)
{
    abdm_consent_t consent = {
        .id = link_dup(id), .hip_id = link_dup(hip), .hiu_id = link_dup("HIU_1"),
        .patient_id = link_dup(patient), .purpose = link_dup("CAREMGT"),
        .status = ABDM_CONSENT_GRANTED, .from = 1, .to = K.now, .erase_at = K.now + HOURS,
        .hi_types = 1};
    abdm_effects_t e = {0};

    abdm_effect_consent(&e, &consent);
    assert_false(e.failed);
    OK_(abdm_store_apply(K.store.store, &e, K.now));
    abdm_effects_clear(&e);
}


/* Everything that may be known of a patient; `n` tells one patient's ids from another's. */
static void
fill(const char *hip, const char *address, const char *n)
{
    char ref[16], id[16], context[16], number[16];

    snprintf(ref, sizeof(ref), "MR-%s", n);
    snprintf(id, sizeof(id), "id-%s", n);
    snprintf(number, sizeof(number), "9111122223333%.1s", n);
    LINK_PUT(&K, patient, .hip_id = (char *) hip, .ref = ref, .abha_address = (char *) address,
             .abha_number = number, .name = (char *) "Asha Kumari",
             .gender = (char *) "F", .mobile = (char *) "9000000001", .year_of_birth = 1988);
    for (int i = 0; i < 3; i++) {
        snprintf(context, sizeof(context), "V-%s-%d", n, i);
        LINK_PUT(&K, context, .hip_id = (char *) hip, .ref = context, .patient_ref = ref,
                 .display = (char *) "Visit", .hi_types = 1, .state = i);
    }
    LINK_PUT(&K, link_token, .hip_id = (char *) hip, .abha_address = (char *) address,
             .token = (char *) "eyJ.secret");
    LINK_PUT(&K, discovery, .hip_id = (char *) hip, .id = id, .abha_address = (char *) address,
             .patient_ref = ref);
    LINK_PUT(&K, link_session, .hip_id = (char *) hip, .id = id, .discovery_id = id);
    LINK_PUT(&K, share, .hip_id = (char *) hip, .id = id, .counter = (char *) "OPD1",
             .number = 1, .abha_address = (char *) address, .profile = (char *) "{}");
    LINK_PUT(&K, auth, .hip_id = (char *) hip, .id = id, .patient_ref = ref,
             .mode = (char *) "MOBILE_OTP");
    LINK_PUT(&K, request, .hip_id = (char *) hip, .id = id, .what = (char *) "link",
             .patient_ref = ref, .contexts = (char *) "[]");
    grant(hip, id, address);
}


static const char *
notice(const char *status, const char *address)
{
    static char body[512];

    snprintf(body, sizeof(body),
             "{\"requestId\":\"5b0f7a10-1c2d-4e3f-8a9b-0c1d2e3f4a5b\","
             "\"timestamp\":\"2026-03-05T09:20:11.000Z\",\"notification\":{\"status\":\"%s\","
             "\"patient\":{\"id\":\"%s\"}}}", status, address);
    return body;
}


static void
assert_answered(void)
{
    abdm_job_t job = link_out(&K, ABDM_PATH_STATUS_ON_NOTIFY);
    json_t *body = link_body(&job);

    assert_at(body, "acknowledgment.status", "OK");
    assert_at(body, "resp.requestId", "5b0f7a10-1c2d-4e3f-8a9b-0c1d2e3f4a5b");
    json_decref(body);
    abdm_job_clear(&job);
}


static int
rows(const char *table, const char *hip)
{
    char sql[128];

    snprintf(sql, sizeof(sql), "SELECT count(*) FROM %s WHERE hip_id = '%s'", table, hip);
    return (int) store_kit_number(&K.store, sql);
}


static abdm_consent_status_t
status_of(const char *hip, const char *id)
{
    const abdm_view_t *view = abdm_store_view(K.store.store);
    abdm_consent_status_t status;
    abdm_consent_t consent;

    OK_(view->consent(view, hip, id, &consent));
    status = consent.status;
    abdm_consent_clear(&consent);
    return status;
}


static void
assert_all_there(const char *hip, int patients)
{
    static const char *const tables[] = {"patient", "link_token", "discovery", "link_session",
                                         "share", "auth", "request", "consent"};

    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        if (rows(tables[i], hip) != patients)
            fail_msg("%s of %s: %d", tables[i], hip, rows(tables[i], hip));
    }
    assert_int_equal(rows("context", hip), 3 * patients);
}


static void
whoever_leaves_takes_along_abha_links_tokens_and_consents(void **state)
{
    static const char *const words[] = {"DEACTIVATED", "DELETED"};

    (void) state;
    for (size_t i = 0; i < 2; i++) {
        abdm_row_patient_t patient;
        abdm_row_request_t request;

        store_kit_exec(&K.store, "DELETE FROM consent"); /* a tombstone would stay one */
        fill(HIP, ASHA, "1");
        link_call(&K, "patient.status", notice(words[i], "Asha.K@SBX"));
        assert_answered();
        assert_int_equal(K.n_jobs, 0);
        assert_int_equal(rows("context", HIP), 0);
        assert_int_equal(rows("link_token", HIP), 0);
        assert_int_equal(rows("discovery", HIP), 0);
        assert_int_equal(rows("link_session", HIP), 0);
        assert_int_equal(rows("share", HIP), 0);
        assert_int_equal(rows("auth", HIP), 0);
        assert_int_equal(rows("opt_out", HIP), 1);
        assert_int_equal(status_of(HIP, "id-1"), ABDM_CONSENT_REVOKED);

        LINK_GET(&K, patient, &patient, .hip_id = HIP, .ref = "MR-1");
        assert_null(patient.abha_address);
        assert_null(patient.abha_number);
        assert_string_equal(patient.name, "Asha Kumari"); /* the HMIS's own */
        abdm_row_patient_clear(&patient);
        LINK_GET(&K, request, &request, .hip_id = HIP, .id = "id-1");
        assert_int_equal(request.state, ABDM_REQUEST_FAILED);
        assert_string_equal(request.reason, "E_OPTED_OUT");
        abdm_row_request_clear(&request);
    }
}


static void
nothing_of_other_patients_and_other_facilities_goes(void **state)
{
    (void) state;
    fill(HIP, ASHA, "1");
    fill(HIP, RAVI, "2");
    fill(OTHER, ASHA, "1");
    link_call(&K, "patient.status", notice("DELETED", ASHA));
    assert_all_there(OTHER, 1);
    assert_int_equal(status_of(OTHER, "id-1"), ABDM_CONSENT_GRANTED);
    assert_int_equal(status_of(HIP, "id-2"), ABDM_CONSENT_GRANTED);
    assert_int_equal(rows("context", HIP), 3);
    assert_int_equal(rows("share", HIP), 1);
    assert_int_equal(rows("link_session", HIP), 1);
    assert_int_equal(rows("opt_out", OTHER), 0);
}


static void
the_audit_keeps_a_stub_that_names_nobody(void **state)
{
    const abdm_effect_t *stub = NULL;

    (void) state;
    fill(HIP, ASHA, "1");
    link_call(&K, "patient.status", notice("DELETED", ASHA));
    for (size_t i = 0; i < K.last.n; i++) {
        const abdm_effect_t *e = &K.last.item[i];

        if (e->kind != ABDM_EFFECT_AUDIT)
            continue;
        assert_null(strstr(e->subject, "asha"));
        assert_null(strstr(e->u.audit.detail, "asha"));
        if (strcmp(e->u.audit.what, "patient's status in ABDM changed") == 0)
            stub = e;
    }
    assert_non_null(stub);
    assert_int_equal(strlen(stub->subject), 16);
    assert_int_equal(strspn(stub->subject, "0123456789abcdef"), 16);
    assert_string_equal(stub->u.audit.detail, "DELETED");
    assert_false(link_on_disk(&K, ASHA));
}


static void
the_stub_of_one_patient_is_always_the_same_and_of_two_never(void **state)
{
    char stub[3][17] = {{0}};
    const char *address[] = {ASHA, RAVI, ASHA};

    (void) state;
    for (int i = 0; i < 3; i++) {
        link_call(&K, "patient.status", notice("DELETED", address[i]));
        for (size_t j = 0; j < K.last.n; j++) {
            if (K.last.item[j].kind == ABDM_EFFECT_AUDIT)
                snprintf(stub[i], sizeof(stub[i]), "%s", K.last.item[j].subject);
        }
    }
    assert_string_equal(stub[0], stub[2]);
    assert_string_not_equal(stub[0], stub[1]);
}


static void
a_notice_that_comes_again_is_answered_again_and_changes_no_more(void **state)
{
    (void) state;
    fill(HIP, ASHA, "1");
    link_call(&K, "patient.status", notice("DEACTIVATED", ASHA));
    assert_answered();
    link_call(&K, "patient.status", notice("DEACTIVATED", ASHA));
    assert_answered();
    assert_int_equal(rows("opt_out", HIP), 1);
    assert_int_equal(rows("patient", HIP), 1);
    assert_int_equal(status_of(HIP, "id-1"), ABDM_CONSENT_REVOKED);
}


static void
whoever_comes_back_may_be_linked_again(void **state)
{
    static const char *const words[] = {"REACTIVATED", "ACTIVATED"};

    (void) state;
    for (size_t i = 0; i < 2; i++) {
        link_call(&K, "patient.status", notice("DEACTIVATED", ASHA));
        assert_answered();
        assert_int_equal(rows("opt_out", HIP), 1);
        link_call(&K, "patient.status", notice(words[i], ASHA));
        assert_answered();
        assert_int_equal(rows("opt_out", HIP), 0);
        link_call(&K, "patient.status", notice(words[i], ASHA));
        assert_answered();
    }
}


static void
an_abha_that_is_not_known_is_answered_the_same_and_remembered(void **state)
{
    (void) state;
    link_call(&K, "patient.status", notice("DELETED", "nobody@sbx"));
    assert_answered();
    assert_int_equal(K.n_jobs, 0);
    assert_int_equal(rows("opt_out", HIP), 1);
}


/* --- bad input --- */

static void
assert_refused(const char *body)
{
    link_call(&K, "patient.status", body);
    if (!link_audited(&K, "patient's status refused", ABDM_E_FIELD)
        && !link_audited(&K, "patient's status refused", ABDM_E_JSON))
        fail_msg("not refused: %s", body);
    assert_all_there(HIP, 1);
    assert_int_equal(status_of(HIP, "id-1"), ABDM_CONSENT_GRANTED);
    assert_int_equal(rows("opt_out", HIP), 0);

    abdm_job_t job = link_out(&K, ABDM_PATH_STATUS_ON_NOTIFY);
    json_t *answer = link_body(&job);
    assert_int_equal(json_integer_value(abdm_json_at(answer, "error.code")), 1006);
    assert_non_null(abdm_json_at(answer, "resp.requestId"));
    json_decref(answer);
    abdm_job_clear(&job);
}


static void
each_field_missing_null_of_wrong_type_or_too_long_is_refused(void **state)
{
    static const char *const bodies[] = {
        "{}",
        "{\"notification\":null}",
        "{\"notification\":\"DELETED\"}",
        "{\"notification\":{\"status\":\"DELETED\"}}",
        "{\"notification\":{\"status\":\"DELETED\",\"patient\":null}}",
        "{\"notification\":{\"status\":\"DELETED\",\"patient\":{}}}",
        "{\"notification\":{\"status\":\"DELETED\",\"patient\":{\"id\":null}}}",
        "{\"notification\":{\"status\":\"DELETED\",\"patient\":{\"id\":7}}}",
        "{\"notification\":{\"status\":\"DELETED\",\"patient\":{\"id\":\"asha\"}}}",
        "{\"notification\":{\"patient\":{\"id\":\"asha.k@sbx\"}}}",
        "{\"notification\":{\"status\":null,\"patient\":{\"id\":\"asha.k@sbx\"}}}",
        "{\"notification\":{\"status\":1,\"patient\":{\"id\":\"asha.k@sbx\"}}}",
        "{\"notification\":{\"status\":\"GONE\",\"patient\":{\"id\":\"asha.k@sbx\"}}}",
        ("{\"requestId\":7,\"notification\":{\"status\":\"DELETED\","
         "\"patient\":{\"id\":\"asha.k@sbx\"}}}"),
    };
    char giant[2000], long_id[1024];

    (void) state;
    fill(HIP, ASHA, "1");
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++)
        assert_refused(bodies[i]);
    memset(long_id, 'a', sizeof(long_id) - 1);
    long_id[sizeof(long_id) - 1] = '\0';
    snprintf(giant, sizeof(giant),
             "{\"notification\":{\"status\":\"DELETED\",\"patient\":{\"id\":\"%s@sbx\"}}}",
             long_id);
    assert_refused(giant);
}


static void
when_any_read_fails_nothing_goes_and_the_event_comes_again(void **state)
{
    (void) state;
    fill(HIP, ASHA, "1");
    LINK_EACH_READ_FAILS(&K, link_call_at(&K, HIP, "patient.status", notice("DELETED", ASHA)));
    assert_answered();
    assert_int_equal(rows("context", HIP), 0);
    assert_int_equal(status_of(HIP, "id-1"), ABDM_CONSENT_REVOKED);
}


#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(whoever_leaves_takes_along_abha_links_tokens_and_consents),
        TEST(nothing_of_other_patients_and_other_facilities_goes),
        TEST(the_audit_keeps_a_stub_that_names_nobody),
        TEST(the_stub_of_one_patient_is_always_the_same_and_of_two_never),
        TEST(a_notice_that_comes_again_is_answered_again_and_changes_no_more),
        TEST(whoever_comes_back_may_be_linked_again),
        TEST(an_abha_that_is_not_known_is_answered_the_same_and_remembered),
        TEST(each_field_missing_null_of_wrong_type_or_too_long_is_refused),
        TEST(when_any_read_fails_nothing_goes_and_the_event_comes_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
