/*
 * Confirm by fetch: a consent is used only when the consent manager says the same as its notice.
 * Each way in which it can answer, fail to, or be imitated, under each policy.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "confirm_kit.h"

/* further transfers */
#define ELSEWHERE "0f9e4f4a-88a5-4fd2-a4c8-900000000007"
#define FOURTH    "0f9e4f4a-88a5-4fd2-a4c8-900000000004"
#define LATER     "0f9e4f4a-88a5-4fd2-a4c8-900000000006"
#define SECOND    "0f9e4f4a-88a5-4fd2-a4c8-900000000002"
#define SOON      "0f9e4f4a-88a5-4fd2-a4c8-900000000005"
#define THIRD     "0f9e4f4a-88a5-4fd2-a4c8-900000000003"

#define UNSERVED "consent not confirmed: the consent manager does not serve fetches"
#define SECOND_ID "5b9c5a60-1111-4c1f-8a55-1b2c3d4e5f62"


/* --- asking --- */

static void
with_off_nobody_is_asked(void **state)
{
    (void) state;
    K.policy.confirm = ABDM_CONFIRM_OFF;
    granted_and_asked();
    assert_begun(TRANSFER, NULL);
    assert_int_equal(fetches(), 0);
    assert_int_equal(confirmation_state(), -1);
}


static void
a_consent_is_fetched_at_its_first_use_and_not_before(void **state)
{
    abdm_job_t fetch;
    json_t *body;

    (void) state;
    notify(CONSENT, "GRANTED", artefact(CONSENT), NULL);
    assert_int_equal(fetches(), 0);
    ask_for(TRANSFER, CONSENT);
    assert_waits(TRANSFER);
    assert_int_equal(fetches(), 1);
    assert_int_equal(confirmation_state(), ABDM_CONFIRM_ASKING);
    assert_int_equal(audits("request waits for the consent to be confirmed"), 1);

    fetch = link_out(&K, ABDM_PATH_CONSENT_FETCH);
    assert_string_equal(fetch.hip_id, HIP);
    assert_string_equal(fetch.subject, CONSENT);
    assert_null(fetch.request_id); /* the engine gives each attempt its own */
    body = link_body(&fetch);
    assert_at(body, "consentId", CONSENT);
    assert_int_equal(json_object_size(body), 1);
    json_decref(body);
    abdm_job_clear(&fetch);
}


static void
a_request_that_must_be_refused_asks_nobody(void **state)
{
    json_t *body = request_body(TRANSFER, CONSENT);

    (void) state;
    notify(CONSENT, "GRANTED", artefact(CONSENT), NULL);
    json_object_set_new(json_object_get(body, "hiRequest"), "dataPushUrl",
                        json_string("http://10.0.0.1/"));
    OK_(call(HIP, "transfer.requested", body));
    assert_refused(TRANSFER, ABDM_E_PUSH_URL, "ABDM-1006");
    assert_int_equal(fetches(), 0);
}


static void
the_same_artefact_confirms_and_the_transfer_begins(void **state)
{
    char asked_by[37];

    (void) state;
    granted_and_asked();
    strcpy(asked_by, K.request_id);
    fetch_leaves(FETCH_ID);
    assert_waits(TRANSFER);
    fetched(FETCH_ID, artefact(CONSENT));
    assert_int_equal(confirmation_state(), ABDM_CONFIRM_CONFIRMED);
    assert_int_equal(audits("consent confirmed by the consent manager"), 1);
    settle_now();
    assert_begun(TRANSFER, asked_by);
    assert_int_equal(store_kit_number(&K.store, "SELECT count(*) FROM transfer_context"), 2);
    assert_int_equal(store_kit_number(&K.store, "SELECT contexts FROM transfer"), 2);
}


static void
the_callback_may_come_before_the_answer_to_the_call(void **state)
{
    (void) state;
    granted_and_asked();
    link_send(&K, link_job(&K, "consent.fetch_sent", -1), FETCH_ID);
    fetched(FETCH_ID, artefact(CONSENT));
    settle_now();
    fetch_fails(ABDM_E_TIMEOUT, 0, "");
    assert_begun(TRANSFER, NULL);
    assert_int_equal(confirmation_state(), ABDM_CONFIRM_CONFIRMED);
}


static void
a_confirmed_consent_is_not_asked_for_again(void **state)
{
    (void) state;
    granted_and_asked();
    fetch_leaves(FETCH_ID);
    fetched(FETCH_ID, artefact(CONSENT));
    settle_now();
    assert_begun(TRANSFER, NULL);
    K.policy.confirm = ABDM_CONFIRM_REQUIRE;
    K.now += 24 * HOURS;
    ask_for(LATER, CONSENT);
    assert_begun(LATER, NULL);
    assert_int_equal(fetches(), 0);
}


static void
requests_that_come_meanwhile_wait_for_the_same_fetch(void **state)
{
    char asked_by[37];

    (void) state;
    granted_and_asked();
    fetch_leaves(FETCH_ID);
    K.now += 5 * SECONDS;
    ask_for(SECOND, CONSENT);
    strcpy(asked_by, K.request_id);
    assert_waits(TRANSFER);
    assert_waits(SECOND);
    assert_int_equal(fetches(), 0);
    fetched(FETCH_ID, artefact(CONSENT));
    settle_now();
    assert_begun(TRANSFER, NULL);
    assert_begun(SECOND, asked_by);
}


static void
many_that_wait_are_all_answered(void **state)
{
    char id[48];

    (void) state;
    granted_and_asked();
    fetch_leaves(FETCH_ID);
    for (int i = 0; i < 69; i++) {
        snprintf(id, sizeof(id), "0f9e4f4a-88a5-4fd2-a4c8-9000000001%02d", i);
        ask_for(id, CONSENT);
    }
    fetched(FETCH_ID, artefact(CONSENT));
    settle_now();
    assert_int_equal(store_kit_number(&K.store, "SELECT count(*) FROM transfer WHERE state = 0"),
                     70);
}


static void
a_request_that_is_repeated_meanwhile_is_answered_afterwards(void **state)
{
    char again[37];

    (void) state;
    granted_and_asked();
    fetch_leaves(FETCH_ID);
    ask_for(TRANSFER, CONSENT);
    strcpy(again, K.request_id);
    assert_waits(TRANSFER);
    fetched(FETCH_ID, artefact(CONSENT));
    settle_now();
    assert_begun(TRANSFER, NULL);
    link_until(&K, K.now + 2 * SECONDS);
    abdm_job_t job = link_out(&K, ABDM_PATH_HI_ON_REQUEST);
    json_t *body = link_body(&job);
    assert_string_equal(job.event, "reply.sent");
    assert_at(body, "response.requestId", again);
    assert_at(body, "hiRequest.sessionStatus", "ACKNOWLEDGED");
    json_decref(body);
    abdm_job_clear(&job);
}


/* --- equal in meaning, member by member --- */

static void
order_and_spelling_mean_nothing(void **state)
{
    json_t *told = artefact(CONSENT);
    json_t *contexts = json_object_get(told, "careContexts");
    json_t *first = json_incref(json_array_get(contexts, 0));

    (void) state;
    json_array_remove(contexts, 0);
    json_array_append(contexts, first);
    json_array_append_new(contexts, first);
    json_object_set_new(told, "hiTypes", json_pack("[s, s]", "OPConsultation", "Prescription"));
    json_object_set_new(told, "patient", json_pack("{s:s}", "id", "Asha.K@SBX"));
    json_object_set_new(told, "hip", json_pack("{s:s}", "id", "IN0990001234"));
    json_object_set_new(told, "purpose", json_pack("{s:s}", "code", "CAREMGT"));
    json_object_set_new(abdm_json_at(told, "permission"), "dataEraseAt",
                        json_string("2026-12-31T05:30:00.000+05:30"));
    granted_and_asked();
    fetch_leaves(FETCH_ID);
    fetched(FETCH_ID, told);
    settle_now();
    assert_begun(TRANSFER, NULL);
}


static void
a_difference_in_any_member_refuses(void **state)
{
    static const struct {
        const char *member, *object, *name, *json;
    } cases[] = {
        {"consentId", "", "consentId", "\"" CONSENT2 "\""},
        {"patient", "", "patient", "{\"id\":\"farida.b@sbx\"}"},
        {"hip", "", "hip", "{\"id\":\"" OTHER "\"}"},
        {"hiu", "", "hiu", "{\"id\":\"HIU_2\"}"},
        {"hiu", "", "hiu", "null"},
        {"purpose", "", "purpose", "{\"code\":\"PATRQT\"}"},
        {"dateRange.from", "permission.dateRange", "from", "\"2025-01-01T00:00:00.001Z\""},
        {"dateRange.to", "permission.dateRange", "to", "\"2026-02-28T00:00:00.000Z\""},
        {"dataEraseAt", "permission", "dataEraseAt", "\"2026-12-30T00:00:00.000Z\""},
        {"hiTypes", "", "hiTypes", "[\"Prescription\"]"},
        {"hiTypes", "", "hiTypes", "[\"Prescription\",\"OPConsultation\",\"Invoice\"]"},
        {"careContexts", "", "careContexts",
         "[{\"patientReference\":\"MR-1\",\"careContextReference\":\"V-1\"}]"},
        {"careContexts", "", "careContexts",
         "[{\"patientReference\":\"MR-1\",\"careContextReference\":\"V-1\"},"
         "{\"patientReference\":\"MR-2\",\"careContextReference\":\"V-2\"}]"},
        {"careContexts", "", "careContexts",
         "[{\"patientReference\":\"MR-1\",\"careContextReference\":\"V-1\"},"
         "{\"patientReference\":\"MR-1\",\"careContextReference\":\"V-2\"},"
         "{\"patientReference\":\"MR-1\",\"careContextReference\":\"V-3\"}]"},
        {"careContexts", "", "careContexts", "[]"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        json_t *told = artefact(CONSENT), *object = told;

        if (i > 0) {
            kit_close(state);
            kit_open(state);
        }
        if (cases[i].object[0] != '\0')
            object = abdm_json_at(told, cases[i].object);
        json_object_set_new(object, cases[i].name,
                            json_loads(cases[i].json, JSON_DECODE_ANY, NULL));
        granted_and_asked();
        fetch_leaves(FETCH_ID);
        fetched(FETCH_ID, told);
        assert_int_equal(audits_of("consent not confirmed", CONSENT, "E_CONSENT_MISMATCH",
                                   cases[i].member),
                         1);
        assert_int_equal(confirmation_state(), ABDM_CONFIRM_REFUSED);
        settle_now();
        assert_refused(TRANSFER, ABDM_E_CONSENT_MISMATCH, "ABDM-1112");
    }
}


/* --- answers that are none --- */

static void
an_error_of_the_consent_manager_refuses(void **state)
{
    (void) state;
    granted_and_asked();
    fetch_leaves(FETCH_ID);
    fetched_error(FETCH_ID, "ABDM-1080");
    assert_int_equal(
        audits_of("consent not confirmed", CONSENT, "E_CONSENT_UNCONFIRMED", "1080"), 1);
    settle_now();
    assert_refused(TRANSFER, ABDM_E_CONSENT_UNCONFIRMED, "ABDM-1112");
}


static void
an_answer_that_cannot_be_read_refuses(void **state)
{
    json_t *told = artefact(CONSENT);

    (void) state;
    json_object_del(told, "hiTypes");
    granted_and_asked();
    fetch_leaves(FETCH_ID);
    fetched(FETCH_ID, told);
    assert_int_equal(
        audits_of("consent not confirmed", CONSENT, "E_CONSENT_UNCONFIRMED", "%hiTypes%"), 1);
    settle_now();
    assert_refused(TRANSFER, ABDM_E_CONSENT_UNCONFIRMED, "ABDM-1112");
}


static void
a_consent_that_is_denied_by_now_is_refused(void **state)
{
    (void) state;
    granted_and_asked();
    fetch_leaves(FETCH_ID);
    OK_(fetched_at(HIP, FETCH_ID, "DENIED", NULL));
    settle_now();
    assert_refused(TRANSFER, ABDM_E_CONSENT_NOT_GRANTED, "ABDM-1062");
}


static void
a_consent_that_is_revoked_by_now_ends(void **state)
{
    static const struct {
        const char *status;
        abdm_code_t why;
        const char *wire;
    } cases[] = {{"REVOKED", ABDM_E_CONSENT_REVOKED, "ABDM-1062"},
                 {"EXPIRED", ABDM_E_CONSENT_EXPIRED, "ABDM-1061"}};

    for (size_t i = 0; i < 2; i++) {
        if (i > 0) {
            kit_close(state);
            kit_open(state);
        }
        granted_and_asked();
        fetch_leaves(FETCH_ID);
        OK_(fetched_at(HIP, FETCH_ID, cases[i].status, NULL));
        assert_int_equal(confirmation_state(), -1);
        assert_int_equal(store_kit_number(&K.store, "SELECT count(*) FROM consent_context"), 0);
        settle_now();
        assert_refused(TRANSFER, cases[i].why, cases[i].wire);
        notify(CONSENT, "GRANTED", artefact(CONSENT), NULL);
        ask_for(LATER, CONSENT);
        assert_refused(LATER, cases[i].why, cases[i].wire);
    }
}


static void
after_two_fetches_silence_refuses_in_time_for_the_answer(void **state)
{
    (void) state;
    granted_and_asked();
    fetch_leaves(FETCH_ID);
    link_until(&K, START + 19 * SECONDS);
    assert_int_equal(fetches(), 0);
    link_until(&K, START + 20 * SECONDS);
    assert_int_equal(fetches(), 1);
    assert_waits(TRANSFER);
    fetch_leaves(SECOND_ID);
    link_until(&K, START + 39 * SECONDS);
    assert_waits(TRANSFER);
    link_until(&K, START + 40 * SECONDS);
    assert_refused(TRANSFER, ABDM_E_CONSENT_SILENCE, "ABDM-1024");
    assert_int_equal(fetches(), 0);

    ask_for(SOON, CONSENT); /* still the same silence */
    assert_refused(SOON, ABDM_E_CONSENT_SILENCE, "ABDM-1024");
    K.now += 5 * SECONDS;
    ask_for(LATER, CONSENT);
    assert_waits(LATER);
    assert_int_equal(fetches(), 1);
}


static void
an_answer_to_either_fetch_counts(void **state)
{
    for (int second = 0; second < 2; second++) {
        if (second) {
            kit_close(state);
            kit_open(state);
        }
        granted_and_asked();
        fetch_leaves(FETCH_ID);
        link_until(&K, START + 21 * SECONDS);
        fetch_leaves(SECOND_ID);
        fetched(second ? SECOND_ID : FETCH_ID, artefact(CONSENT));
        settle_now();
        assert_begun(TRANSFER, NULL);
        link_until(&K, START + 2 * MINUTES);
        assert_int_equal(confirmation_state(), ABDM_CONFIRM_CONFIRMED);
    }
}


static void
calls_that_fail_all_the_time_are_silence(void **state)
{
    (void) state;
    K.policy.confirm = ABDM_CONFIRM_TRY;
    granted_and_asked();
    fetch_fails(ABDM_E_CONNECT, 0, "");
    assert_waits(TRANSFER);
    link_until(&K, START + 20 * SECONDS);
    fetch_fails(ABDM_E_HTTP_STATUS, 503, "");
    link_until(&K, START + 40 * SECONDS);
    assert_refused(TRANSFER, ABDM_E_CONSENT_SILENCE, "ABDM-1024");
}


/* --- a consent manager that does not serve fetches --- */

static const struct {
    abdm_code_t err;
    int status;
    const char *code;
} plain_refusals[] = {
    {ABDM_E_SESSION, 401, ""},          {ABDM_E_SESSION, 401, "900901"},
    {ABDM_E_GATEWAY_REFUSED, 403, ""},  {ABDM_E_GATEWAY_REFUSED, 403, "900908"},
    {ABDM_E_GATEWAY_REFUSED, 404, ""},  {ABDM_E_GATEWAY_REFUSED, 404, "404"},
    {ABDM_E_GATEWAY_REFUSED, 405, ""},  {ABDM_E_HTTP_STATUS, 501, ""},
    {ABDM_E_GATEWAY_REFUSED, 403, "1021"},
};


static void
with_try_a_plain_refusal_lets_the_notice_stand_and_says_so(void **state)
{
    for (size_t i = 0; i < sizeof(plain_refusals) / sizeof(plain_refusals[0]); i++) {
        if (i > 0) {
            kit_close(state);
            kit_open(state);
        }
        granted_and_asked();
        fetch_fails(plain_refusals[i].err, plain_refusals[i].status, plain_refusals[i].code);
        settle_now();
        assert_begun(TRANSFER, NULL);
        assert_int_equal(audits_of(UNSERVED, TRANSFER, "", CONSENT), 1);
        assert_int_equal(audits_of(UNSERVED, CONSENT, "", "status 4%")
                             + audits_of(UNSERVED, CONSENT, "", "status 5%"),
                         1);
    }
}


static void
with_require_a_plain_refusal_refuses(void **state)
{
    for (size_t i = 0; i < sizeof(plain_refusals) / sizeof(plain_refusals[0]); i++) {
        if (i > 0) {
            kit_close(state);
            kit_open(state);
        }
        K.policy.confirm = ABDM_CONFIRM_REQUIRE;
        granted_and_asked();
        fetch_fails(plain_refusals[i].err, plain_refusals[i].status, plain_refusals[i].code);
        settle_now();
        assert_refused(TRANSFER, ABDM_E_CONSENT_UNCONFIRMED, "ABDM-1112");
    }
}


static void
any_other_refusal_of_the_fetch_is_no_plain_one(void **state)
{
    static const struct {
        abdm_code_t err;
        int status;
        const char *code;
    } cases[] = {
        {ABDM_E_GATEWAY_REFUSED, 400, ""},     {ABDM_E_GATEWAY_REFUSED, 404, "1080"},
        {ABDM_E_GATEWAY_REFUSED, 404, "1016"}, {ABDM_E_GATEWAY_REFUSED, 403, "1025"},
        {ABDM_E_GATEWAY_REFUSED, 400, "1112"}, {ABDM_E_GATEWAY_REFUSED, 200, "404"},
        {ABDM_E_GATEWAY_REFUSED, 410, ""},     {ABDM_E_GATEWAY_REFUSED, 400, "404"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (i > 0) {
            kit_close(state);
            kit_open(state);
        }
        granted_and_asked();
        fetch_fails(cases[i].err, cases[i].status, cases[i].code);
        settle_now();
        assert_refused(TRANSFER, ABDM_E_CONSENT_UNCONFIRMED, "ABDM-1112");
        assert_int_equal(audits(UNSERVED), 0);
    }
}


static void
a_plain_refusal_is_remembered_for_an_hour_and_a_facility(void **state)
{
    json_t *other = artefact(CONSENT2);

    (void) state;
    granted_and_asked();
    fetch_fails(ABDM_E_GATEWAY_REFUSED, 404, "404");
    settle_now();
    assert_begun(TRANSFER, NULL);

    notify(CONSENT2, "GRANTED", artefact(CONSENT2), NULL);
    K.now = START + 59 * MINUTES;
    ask_for(SECOND, CONSENT2);
    assert_begun(SECOND, NULL);
    assert_int_equal(audits_of(UNSERVED, SECOND, "", CONSENT2), 1);
    assert_int_equal(fetches(), 0);

    json_object_set_new(other, "hip", json_pack("{s:s}", "id", OTHER));
    OK_(call(OTHER, "consent.notified",
             json_pack("{s:{s:s, s:s, s:o}}", "notification", "status", "GRANTED", "consentId",
                       CONSENT2, "consentDetail", other)));
    OK_(call(OTHER, "transfer.requested", request_body(ELSEWHERE, CONSENT2)));
    assert_int_equal(fetches(), 1);

    K.policy.confirm = ABDM_CONFIRM_REQUIRE;
    ask_for(THIRD, CONSENT2);
    assert_waits(THIRD);
    assert_int_equal(fetches(), 2);

    K.policy.confirm = ABDM_CONFIRM_TRY;
    K.now = START + 60 * MINUTES;
    ask_for(FOURTH, CONSENT);
    assert_waits(FOURTH);
    assert_int_equal(fetches(), 3);
}


static void
what_the_consent_manager_denied_does_not_stand_when_it_no_longer_answers(void **state)
{
    json_t *told = artefact(CONSENT);

    (void) state;
    json_object_set_new(told, "patient", json_pack("{s:s}", "id", "farida.b@sbx"));
    granted_and_asked();
    fetch_leaves(FETCH_ID);
    fetched(FETCH_ID, told);
    settle_now();
    assert_refused(TRANSFER, ABDM_E_CONSENT_MISMATCH, "ABDM-1112");

    K.now += 30 * SECONDS; /* at first its word is fresh */
    ask_for(SECOND, CONSENT);
    assert_refused(SECOND, ABDM_E_CONSENT_MISMATCH, "ABDM-1112");
    assert_int_equal(fetches(), 0);

    K.now += 31 * SECONDS;
    ask_for(THIRD, CONSENT);
    fetch_fails(ABDM_E_GATEWAY_REFUSED, 404, "");
    settle_now();
    assert_refused(THIRD, ABDM_E_CONSENT_UNCONFIRMED, "ABDM-1112");

    K.now += 2 * MINUTES; /* nor by the memory that it does not serve fetches */
    ask_for(FOURTH, CONSENT);
    assert_waits(FOURTH);
    fetch_leaves(SECOND_ID);
    fetched(SECOND_ID, artefact(CONSENT));
    settle_now();
    assert_begun(FOURTH, NULL);
}


/* --- meanwhile --- */

static void
a_revocation_meanwhile_wins(void **state)
{
    (void) state;
    granted_and_asked();
    fetch_leaves(FETCH_ID);
    ask_for(SECOND, CONSENT);
    notify(CONSENT, "REVOKED", NULL, NULL);
    settle_now();
    assert_refused(TRANSFER, ABDM_E_CONSENT_REVOKED, "ABDM-1062");
    assert_refused(SECOND, ABDM_E_CONSENT_REVOKED, "ABDM-1062");
    fetched(FETCH_ID, artefact(CONSENT));
    assert_true(link_audited(&K, "consent answer refused", ABDM_E_ANSWER_UNKNOWN));
    assert_false(link_changed(&K));
    assert_int_equal(confirmation_state(), -1);
    link_until(&K, K.now + MINUTES);
    assert_int_equal(link_waiting(&K, "transfer.acknowledged"), 0);
    assert_int_equal(fetches(), 0);
}


static void
an_abha_that_leaves_meanwhile_wins(void **state)
{
    (void) state;
    granted_and_asked();
    fetch_leaves(FETCH_ID);
    OK_(call(HIP, "patient.status",
             json_pack("{s:{s:{s:s}, s:s}}", "notification", "patient", "id", "asha.k@sbx",
                       "status", "DEACTIVATED")));
    settle_now();
    assert_refused(TRANSFER, ABDM_E_CONSENT_REVOKED, "ABDM-1062");
}


static void
a_consent_that_ends_meanwhile_is_refused(void **state)
{
    json_t *short_lived = artefact(CONSENT), *told;

    (void) state;
    json_object_set_new(abdm_json_at(short_lived, "permission"), "dataEraseAt",
                        json_string("2026-03-05T09:20:21.000Z")); /* ten seconds from START */
    told = json_deep_copy(short_lived);
    notify(CONSENT, "GRANTED", short_lived, NULL);
    ask_for(TRANSFER, CONSENT);
    fetch_leaves(FETCH_ID);
    K.now = START + 10 * SECONDS;
    fetched(FETCH_ID, told);
    settle_now();
    assert_refused(TRANSFER, ABDM_E_CONSENT_EXPIRED, "ABDM-1061");
}


static void
a_question_of_which_nothing_is_known_any_more_is_decided_by_its_moment(void **state)
{
    (void) state;
    granted_and_asked();
    fetch_leaves(FETCH_ID);
    store_kit_exec(&K.store, "DELETE FROM confirmation");
    K.policy.confirm = ABDM_CONFIRM_OFF;
    link_until(&K, START + 20 * SECONDS);
    assert_begun(TRANSFER, NULL);
}


static void
a_question_that_was_forgotten_is_asked_again_at_the_next_request(void **state)
{
    (void) state;
    granted_and_asked();
    fetch_leaves(FETCH_ID);
    abdm_job_t lost = link_take(&K, link_job(&K, "consent.unanswered", -1));
    abdm_job_clear(&lost);
    K.now += 39 * SECONDS;
    ask_for(SECOND, CONSENT);
    assert_int_equal(fetches(), 0);
    K.now += 1 * SECONDS;
    ask_for(THIRD, CONSENT);
    assert_int_equal(fetches(), 1);
    fetch_leaves(SECOND_ID);
    fetched(SECOND_ID, artefact(CONSENT));
    settle_now();
    assert_int_equal(store_kit_number(&K.store, "SELECT count(*) FROM transfer WHERE state = 0"),
                     3);
}


/* --- whoever passes the check of tokens --- */

static void
a_forged_consent_brings_nothing_out(void **state)
{
    json_t *forged = artefact(CONSENT);

    (void) state;
    json_object_set_new(forged, "hiu", json_pack("{s:s}", "id", "THIEF"));
    notify(CONSENT, "GRANTED", forged, "Zm9yZ2Vk");
    ask_for(TRANSFER, CONSENT);
    fetch_leaves(FETCH_ID);
    /* on-fetch cannot be forged, for want of the REQUEST-ID... */
    fetched("00000000-0000-4000-8000-000000000000", artefact(CONSENT));
    assert_true(link_audited(&K, "consent answer refused", ABDM_E_ANSWER_UNKNOWN));
    assert_waits(TRANSFER);
    /* ...and the genuine one says that there is no such consent */
    fetched_error(FETCH_ID, "ABDM-1080");
    settle_now();
    assert_refused(TRANSFER, ABDM_E_CONSENT_UNCONFIRMED, "ABDM-1112");
    assert_int_equal(store_kit_number(&K.store, "SELECT count(*) FROM push_host"), 0);
}


static void
a_forged_notice_does_not_keep_the_genuine_one_out(void **state)
{
    json_t *forged = artefact(CONSENT);

    (void) state;
    json_object_set_new(forged, "hiTypes", json_pack("[s]", "Invoice"));
    notify(CONSENT, "GRANTED", forged, NULL);
    ask_for(TRANSFER, CONSENT);
    fetch_leaves(FETCH_ID);
    notify(CONSENT, "GRANTED", artefact(CONSENT), NULL); /* too early: nothing is known against */
    assert_true(link_audited(&K, "consent notice repeated", ABDM_OK));
    fetched(FETCH_ID, artefact(CONSENT));
    settle_now();
    assert_refused(TRANSFER, ABDM_E_CONSENT_MISMATCH, "ABDM-1112");

    notify(CONSENT, "GRANTED", artefact(CONSENT), NULL);
    assert_true(link_audited(&K, "consent notice kept", ABDM_OK));
    assert_int_equal(confirmation_state(), -1);
    ask_for(SECOND, CONSENT);
    fetch_leaves(SECOND_ID);
    fetched(SECOND_ID, artefact(CONSENT));
    settle_now();
    assert_begun(SECOND, NULL);
}


static void
a_later_notice_cannot_widen_a_confirmed_consent(void **state)
{
    json_t *wider = artefact(CONSENT);

    (void) state;
    granted_and_asked();
    fetch_leaves(FETCH_ID);
    fetched(FETCH_ID, artefact(CONSENT));
    settle_now();
    json_object_set_new(wider, "hiTypes", json_pack("[s]", "Invoice"));
    notify(CONSENT, "GRANTED", wider, NULL);
    assert_true(link_audited(&K, "consent notice repeated", ABDM_OK));
    assert_int_equal(store_kit_number(&K.store, "SELECT hi_types FROM consent"),
                     1 << ABDM_HI_PRESCRIPTION | 1 << ABDM_HI_OP_CONSULTATION);
}


static void
an_answer_must_name_a_fetch_of_ours_of_this_facility(void **state)
{
    abdm_job_t on_notify;

    (void) state;
    granted_and_asked();
    on_notify = link_out(&K, ABDM_PATH_CONSENT_ON_NOTIFY);
    link_send(&K, &on_notify, SECOND_ID);
    abdm_job_clear(&on_notify);
    fetch_leaves(FETCH_ID);

    OK_(fetched_at(OTHER, FETCH_ID, "GRANTED", artefact(CONSENT)));
    assert_true(link_audited(&K, "consent answer refused", ABDM_E_ANSWER_UNKNOWN));
    OK_(fetched_at("", FETCH_ID, "GRANTED", artefact(CONSENT)));
    assert_true(link_audited(&K, "consent answer refused", ABDM_E_ANSWER_UNKNOWN));
    fetched(SECOND_ID, artefact(CONSENT)); /* the id of another call */
    assert_true(link_audited(&K, "consent answer refused", ABDM_E_ANSWER_UNKNOWN));
    OK_(call(HIP, "consent.fetched", json_pack("{s:{s:s}}", "consent", "status", "GRANTED")));
    assert_true(link_audited(&K, "consent answer refused", ABDM_E_FIELD));
    OK_(link_call_at(&K, HIP, "consent.fetched", "[]"));
    assert_true(link_audited(&K, "consent answer refused", ABDM_E_FIELD));
    assert_waits(TRANSFER);
    assert_int_equal(confirmation_state(), ABDM_CONFIRM_ASKING);
    fetched(FETCH_ID, artefact(CONSENT));
    settle_now();
    assert_begun(TRANSFER, NULL);
}


static void
an_answer_counts_once(void **state)
{
    (void) state;
    granted_and_asked();
    fetch_leaves(FETCH_ID);
    fetched_error(FETCH_ID, "ABDM-1080");
    settle_now();
    assert_refused(TRANSFER, ABDM_E_CONSENT_UNCONFIRMED, "ABDM-1112");
    fetched(FETCH_ID, artefact(CONSENT)); /* too late */
    assert_true(link_audited(&K, "consent answer refused", ABDM_E_ANSWER_UNKNOWN));

    K.now += 2 * MINUTES;
    ask_for(SECOND, CONSENT);
    fetch_leaves(SECOND_ID);
    fetched(FETCH_ID, artefact(CONSENT)); /* answered before */
    assert_true(link_audited(&K, "consent answer refused", ABDM_E_ANSWER_UNKNOWN));
    assert_int_equal(state_of(SECOND), ABDM_TRANSFER_CONFIRMING);
    fetched(SECOND_ID, artefact(CONSENT));
    settle_now();
    assert_begun(SECOND, NULL);
    fetched(SECOND_ID, artefact(CONSENT));
    assert_true(link_audited(&K, "consent answer refused", ABDM_E_ANSWER_UNKNOWN));
}


/* --- the store --- */

static void
a_store_that_fails_leaves_each_step_undecided(void **state)
{
    (void) state;
    LINK_EACH_READ_FAILS(&K, call(HIP, "consent.notified",
                                  json_pack("{s:{s:s, s:s, s:o}}", "notification", "status",
                                            "GRANTED", "consentId", CONSENT, "consentDetail",
                                            artefact(CONSENT))));
    LINK_EACH_READ_FAILS(&K, call(HIP, "transfer.requested", request_body(TRANSFER, CONSENT)));
    fetch_leaves(FETCH_ID);
    K.now += 20 * SECONDS;
    LINK_EACH_READ_FAILS(&K, link_raise(&K, link_job(&K, "consent.unanswered", -1),
                                        (abdm_result_t){0}));
    LINK_EACH_READ_FAILS(&K, fetched_at(HIP, FETCH_ID, "GRANTED", artefact(CONSENT)));
    LINK_EACH_READ_FAILS(&K, link_raise(&K, link_job(&K, "consent.settled", -1),
                                        (abdm_result_t){0}));
    assert_begun(TRANSFER, NULL);
}


static void
a_store_that_fails_leaves_the_end_of_a_consent_undecided(void **state)
{
    abdm_result_t refused = {.err = {ABDM_E_GATEWAY_REFUSED, "", ""}, .final = true, .status = 404};

    (void) state;
    granted_and_asked();
    LINK_EACH_READ_FAILS(&K, link_raise(&K, link_job(&K, "consent.fetch_sent", -1), refused));
    settle_now();
    assert_begun(TRANSFER, NULL);
    K.now += 90 * MINUTES;
    ask_for(SECOND, CONSENT);
    LINK_EACH_READ_FAILS(&K, call(HIP, "consent.notified",
                                  json_pack("{s:{s:s, s:s}}", "notification", "status", "REVOKED",
                                            "consentId", CONSENT)));
    settle_now();
    assert_refused(SECOND, ABDM_E_CONSENT_REVOKED, "ABDM-1062");
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        CONFIRM_TEST(with_off_nobody_is_asked),
        CONFIRM_TEST(a_consent_is_fetched_at_its_first_use_and_not_before),
        CONFIRM_TEST(a_request_that_must_be_refused_asks_nobody),
        CONFIRM_TEST(the_same_artefact_confirms_and_the_transfer_begins),
        CONFIRM_TEST(the_callback_may_come_before_the_answer_to_the_call),
        CONFIRM_TEST(a_confirmed_consent_is_not_asked_for_again),
        CONFIRM_TEST(requests_that_come_meanwhile_wait_for_the_same_fetch),
        CONFIRM_TEST(many_that_wait_are_all_answered),
        CONFIRM_TEST(a_request_that_is_repeated_meanwhile_is_answered_afterwards),
        CONFIRM_TEST(order_and_spelling_mean_nothing),
        CONFIRM_TEST(a_difference_in_any_member_refuses),
        CONFIRM_TEST(an_error_of_the_consent_manager_refuses),
        CONFIRM_TEST(an_answer_that_cannot_be_read_refuses),
        CONFIRM_TEST(a_consent_that_is_denied_by_now_is_refused),
        CONFIRM_TEST(a_consent_that_is_revoked_by_now_ends),
        CONFIRM_TEST(after_two_fetches_silence_refuses_in_time_for_the_answer),
        CONFIRM_TEST(an_answer_to_either_fetch_counts),
        CONFIRM_TEST(calls_that_fail_all_the_time_are_silence),
        CONFIRM_TEST(with_try_a_plain_refusal_lets_the_notice_stand_and_says_so),
        CONFIRM_TEST(with_require_a_plain_refusal_refuses),
        CONFIRM_TEST(any_other_refusal_of_the_fetch_is_no_plain_one),
        CONFIRM_TEST(a_plain_refusal_is_remembered_for_an_hour_and_a_facility),
        CONFIRM_TEST(what_the_consent_manager_denied_does_not_stand_when_it_no_longer_answers),
        CONFIRM_TEST(a_revocation_meanwhile_wins),
        CONFIRM_TEST(an_abha_that_leaves_meanwhile_wins),
        CONFIRM_TEST(a_consent_that_ends_meanwhile_is_refused),
        CONFIRM_TEST(a_question_of_which_nothing_is_known_any_more_is_decided_by_its_moment),
        CONFIRM_TEST(a_question_that_was_forgotten_is_asked_again_at_the_next_request),
        CONFIRM_TEST(a_forged_consent_brings_nothing_out),
        CONFIRM_TEST(a_forged_notice_does_not_keep_the_genuine_one_out),
        CONFIRM_TEST(a_later_notice_cannot_widen_a_confirmed_consent),
        CONFIRM_TEST(an_answer_must_name_a_fetch_of_ours_of_this_facility),
        CONFIRM_TEST(an_answer_counts_once),
        CONFIRM_TEST(a_store_that_fails_leaves_each_step_undecided),
        CONFIRM_TEST(a_store_that_fails_leaves_the_end_of_a_consent_undecided),
    };

    return cmocka_run_group_tests(tests, make_keys, NULL);
}
