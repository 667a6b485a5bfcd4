/*
 * The consent manager's answer to a fetch: an artefact is read as a notice is, an error is told, and
 * the call that it answers is known whatever else is wrong.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "body.h"
#include "gateway/inbound.h"

static const char ANSWER[] =
    "{\"consent\":{\"status\":\"GRANTED\",\"consentDetail\":{\"schemaVersion\":\"v3\","
    "\"consentId\":\"c0ffee00\",\"patient\":{\"id\":\"asha.k@sbx\"},"
    "\"careContexts\":[{\"patientReference\":\"P-77\",\"careContextReference\":\"V-1201\"}],"
    "\"purpose\":{\"text\":\"Care Management\",\"code\":\"CAREMGT\"},"
    "\"hip\":{\"id\":\"IN0990001234_1\"},\"hiu\":{\"id\":\"IN0880005678_1\"},"
    "\"hiTypes\":[\"OPConsultation\"],\"permission\":{\"accessMode\":\"VIEW\",\"dateRange\":"
    "{\"from\":\"2025-01-01T00:00:00.000Z\",\"to\":\"2026-03-05T09:00:00.000Z\"},"
    "\"dataEraseAt\":\"2026-06-05T09:00:00.000Z\"}},\"signature\":\"AAAA\"},"
    "\"error\":null,\"response\":{\"requestId\":\"r-1\"}}";


static abdm_err_t
read_answer(json_t *body, abdm_in_fetched_t *out)
{
    abdm_err_t err = abdm_in_consent_fetched(body, out);

    json_decref(body);
    return err;
}


static void
an_artefact_is_read_whole(void **state)
{
    abdm_in_fetched_t in;

    (void) state;
    assert_int_equal(read_answer(parse(ANSWER), &in).code, ABDM_OK);
    assert_string_equal(in.outcome.request_id, "r-1");
    assert_false(in.outcome.failed);
    assert_int_equal(in.consent.status, ABDM_CONSENT_GRANTED);
    assert_string_equal(in.consent.id, "c0ffee00");
    assert_string_equal(in.consent.patient_id, "asha.k@sbx");
    assert_string_equal(in.consent.hip_id, "IN0990001234_1");
    assert_string_equal(in.consent.hiu_id, "IN0880005678_1");
    assert_string_equal(in.consent.purpose, "CAREMGT");
    assert_int_equal(in.consent.n_contexts, 1);
    assert_string_equal(in.consent.contexts[0].care_context_ref, "V-1201");
    assert_int_equal(in.consent.hi_types, 1u << ABDM_HI_OP_CONSULTATION);
    assert_true(in.consent.from < in.consent.to && in.consent.to < in.consent.erase_at);
    abdm_in_fetched_clear(&in);
}


static void
an_error_is_told_and_nothing_else_is_read(void **state)
{
    abdm_in_fetched_t in;

    (void) state;
    assert_int_equal(read_answer(parse("{\"consent\":7,\"error\":{\"code\":\"ABDM-1080: \","
                                       "\"message\":\"Invalid artefact\"},"
                                       "\"resp\":{\"requestId\":\"r-2\"}}"),
                                 &in)
                         .code,
                     ABDM_OK);
    assert_true(in.outcome.failed);
    assert_string_equal(in.outcome.code, "1080");
    assert_string_equal(in.outcome.request_id, "r-2");
    assert_null(in.consent.id);
    abdm_in_fetched_clear(&in);
}


static void
an_artefact_that_is_not_granted_may_come_without_its_detail(void **state)
{
    static const char *const words[] = {"REVOKED", "EXPIRED", "DENIED"};

    (void) state;
    for (size_t i = 0; i < 3; i++) {
        json_t *body = parse(ANSWER);
        abdm_in_fetched_t in;

        put(body, "consent", json_pack("{s:s}", "status", words[i]));
        assert_int_equal(read_answer(body, &in).code, ABDM_OK);
        assert_string_equal(abdm_consent_status_name(in.consent.status), words[i]);
        assert_null(in.consent.id);
        abdm_in_fetched_clear(&in);
    }
}


static void
what_is_missing_is_refused_and_the_call_is_known(void **state)
{
    static const char *const paths[] = {
        "consent", "consent.status", "consent.consentDetail", "consent.consentDetail.consentId",
        "consent.consentDetail.patient", "consent.consentDetail.hip",
        "consent.consentDetail.purpose", "consent.consentDetail.careContexts",
        "consent.consentDetail.hiTypes", "consent.consentDetail.permission",
        "consent.consentDetail.permission.dataEraseAt",
    };

    (void) state;
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        json_t *body = parse(ANSWER);
        abdm_in_fetched_t in;

        put(body, paths[i], json_null());
        if (read_answer(body, &in).code != ABDM_E_FIELD)
            fail_msg("%s", paths[i]);
        assert_string_equal(in.outcome.request_id, "r-1");
        abdm_in_fetched_clear(&in);
    }
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_artefact_is_read_whole),
        cmocka_unit_test(an_error_is_told_and_nothing_else_is_read),
        cmocka_unit_test(an_artefact_that_is_not_granted_may_come_without_its_detail),
        cmocka_unit_test(what_is_missing_is_refused_and_the_call_is_known),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
