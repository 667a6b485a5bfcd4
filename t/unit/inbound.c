/*
 * Consent notices: every form that was seen is read, and each field missing, null, of the wrong
 * type, empty, too long or with a control character is refused by its path.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "body.h"
#include "gateway/inbound.h"

#define ID "c0ffee00-1111-4222-8333-444455556666"

static const char GRANTED[] =
    "{\"notification\":{\"status\":\"GRANTED\",\"consentId\":\"" ID "\",\"consentDetail\":{"
    "\"schemaVersion\":\"v3\",\"consentId\":\"" ID "\","
    "\"createdAt\":\"2026-03-05T09:20:11.120Z\",\"patient\":{\"id\":\"asha.k@sbx\"},"
    "\"careContexts\":[{\"patientReference\":\"MR-40021\",\"careContextReference\":\"OPD-1\"},"
    "{\"patientReference\":\"MR-40021\",\"careContextReference\":\"OPD-2\"}],"
    "\"purpose\":{\"text\":\"Self Requested\",\"code\":\"PATRQT\",\"refUri\":\"x\"},"
    "\"hip\":{\"id\":\"IN0990001234_1\",\"name\":\"Sample\"},\"hiu\":{\"id\":\"IN0880005678_1\"},"
    "\"consentManager\":{\"id\":\"sbx\"},\"hiTypes\":[\"OPConsultation\",\"PRESCRIPTION\"],"
    "\"permission\":{\"accessMode\":\"VIEW\",\"dateRange\":{\"from\":\"2025-03-05T00:00:00.000Z\","
    "\"to\":\"2026-03-05T09:20:00.000Z\"},\"dataEraseAt\":\"2026-04-05T09:20:00.000Z\","
    "\"frequency\":{\"unit\":\"HOUR\",\"value\":1,\"repeats\":0}}},"
    "\"signature\":\"AAAA\",\"grantAcknowledgement\":false}}";

#define DETAIL "notification.consentDetail."


static abdm_err_t
notice_of(json_t *body, abdm_consent_notice_t *out)
{
    abdm_err_t err = abdm_in_consent_notice(body, out);

    json_decref(body);
    return err;
}


/* A GRANTED notice with `value` at `path` is refused, and the error names `names`. */
static void
assert_notice_refused(const char *path, json_t *value, const char *names)
{
    abdm_consent_notice_t notice;
    json_t *body = parse(GRANTED);

    put(body, path, value);
    abdm_err_t err = notice_of(body, &notice);
    if (err.code != ABDM_E_FIELD)
        fail_msg("%s: code %d", path, (int) err.code);
    if (strncmp(err.what, names, strlen(names)) != 0)
        fail_msg("%s: says \"%s\"", path, err.what);
    assert_false(notice.detailed);
    abdm_consent_notice_clear(&notice);
}


static void
assert_notice_accepted(const char *path, json_t *value)
{
    abdm_consent_notice_t notice;
    json_t *body = parse(GRANTED);

    put(body, path, value);
    abdm_err_t err = notice_of(body, &notice);
    if (abdm_failed(err))
        fail_msg("%s: %s", path, err.what);
    assert_true(notice.detailed);
    abdm_consent_notice_clear(&notice);
}


static void
a_granted_notice_is_read_whole(void **state)
{
    abdm_consent_notice_t n;

    (void) state;
    assert_int_equal(notice_of(parse(GRANTED), &n).code, ABDM_OK);
    assert_true(n.detailed);
    assert_string_equal(n.consent.id, ID);
    assert_int_equal(n.consent.status, ABDM_CONSENT_GRANTED);
    assert_string_equal(n.consent.hip_id, "IN0990001234_1");
    assert_string_equal(n.consent.hiu_id, "IN0880005678_1");
    assert_string_equal(n.consent.patient_id, "asha.k@sbx");
    assert_string_equal(n.consent.purpose, "PATRQT");
    assert_true(n.consent.from == ms("2025-03-05T00:00:00Z"));
    assert_true(n.consent.to == ms("2026-03-05T09:20:00Z"));
    assert_true(n.consent.erase_at == ms("2026-04-05T09:20:00Z"));
    assert_int_equal(n.consent.hi_types,
                     1u << ABDM_HI_OP_CONSULTATION | 1u << ABDM_HI_PRESCRIPTION);
    assert_int_equal(n.consent.n_contexts, 2);
    assert_string_equal(n.consent.contexts[1].patient_ref, "MR-40021");
    assert_string_equal(n.consent.contexts[1].care_context_ref, "OPD-2");
    abdm_consent_notice_clear(&n);
    assert_null(n.consent.id);
    assert_false(n.detailed);
}


static void
a_notification_in_a_list_of_one_is_read_and_in_any_other_list_refused(void **state)
{
    abdm_consent_notice_t n;
    json_t *body = parse(GRANTED);
    json_t *inner = json_incref(json_object_get(body, "notification"));

    (void) state;
    put(body, "notification", json_pack("[O]", inner));
    assert_int_equal(notice_of(body, &n).code, ABDM_OK);
    assert_string_equal(n.consent.id, ID);
    assert_true(n.detailed);
    abdm_consent_notice_clear(&n);

    assert_notice_refused("notification", json_array(), "notification:");
    assert_notice_refused("notification", json_pack("[OO]", inner, inner), "notification:");
    assert_notice_refused("notification", json_pack("[s]", "x"), "notification:");
    json_decref(inner);
}


static void
a_notification_that_is_no_object_is_refused(void **state)
{
    static const char *const bodies[] = {"{}", "[]", "null", "1", "\"x\"", "[{}]",
                                         "{\"notification\":null}"};
    abdm_consent_notice_t n;

    (void) state;
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        assert_int_equal(notice_of(parse(bodies[i]), &n).code, ABDM_E_FIELD);
        abdm_consent_notice_clear(&n);
    }
    assert_notice_refused("notification", json_integer(1), "notification:");
    assert_notice_refused("notification", json_string("x"), "notification:");
}


/* What every required text of 1 to 255 bytes must refuse and accept. */
static void
assert_id_field(const char *path, const char *names)
{
    assert_notice_refused(path, NULL, names);
    assert_notice_refused(path, json_null(), names);
    assert_notice_refused(path, json_integer(7), names);
    assert_notice_refused(path, json_object(), names);
    assert_notice_refused(path, json_array(), names);
    assert_notice_refused(path, json_true(), names);
    assert_notice_refused(path, json_string(""), names);
    assert_notice_refused(path, json_string("a\nb"), names);
    assert_notice_refused(path, json_string("a\x7f"), names);
    assert_notice_refused(path, text_of(256), names);
}


static void
each_required_text_of_a_granted_notice_is_required(void **state)
{
    static const char *const paths[] = {DETAIL "patient.id", DETAIL "hip.id",
                                        DETAIL "purpose.code"};
    (void) state;
    for (size_t i = 0; i < 3; i++) {
        assert_id_field(paths[i], paths[i]);
        assert_notice_accepted(paths[i], text_of(255));
        assert_notice_accepted(paths[i], json_string("\xe0\xa4\x85"));
    }
    assert_id_field("notification.consentId", "notification.consentId");
    assert_notice_refused("notification.consentId", json_string("asha.k@sbx"),
                          "notification.consentId: a UUID");
    assert_id_field(DETAIL "careContexts.1.patientReference",
                    DETAIL "careContexts.patientReference");
    assert_id_field(DETAIL "careContexts.1.careContextReference",
                    DETAIL "careContexts.careContextReference");
    assert_notice_accepted(DETAIL "careContexts.0.careContextReference", text_of(255));
}


static void
each_required_object_of_a_granted_notice_is_required(void **state)
{
    static const struct {
        const char *path;
        const char *names;
    } rows[] = {
        {"notification.consentDetail", "notification.consentDetail:"},
        {DETAIL "patient", DETAIL "patient.id"},
        {DETAIL "hip", DETAIL "hip.id"},
        {DETAIL "purpose", DETAIL "purpose.code"},
        {DETAIL "permission", DETAIL "permission.dateRange.from"},
        {DETAIL "permission.dateRange", DETAIL "permission.dateRange.from"},
        {DETAIL "careContexts", DETAIL "careContexts:"},
        {DETAIL "hiTypes", DETAIL "hiTypes:"},
    };
    (void) state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_notice_refused(rows[i].path, NULL, rows[i].names);
        assert_notice_refused(rows[i].path, json_null(), rows[i].names);
        assert_notice_refused(rows[i].path, json_string("x"), rows[i].names);
        assert_notice_refused(rows[i].path, json_integer(1), rows[i].names);
    }
    assert_notice_refused(DETAIL "careContexts", json_object(), DETAIL "careContexts:");
    assert_notice_refused(DETAIL "careContexts.0", json_string("OPD-1"), DETAIL "careContexts.");
    assert_notice_refused(DETAIL "hiTypes", json_object(), DETAIL "hiTypes:");
}


static void
each_date_of_a_granted_notice_is_read_in_every_form(void **state)
{
    static const struct {
        const char *text;
        const char *instant;
    } forms[] = {
        {"2026-03-05T09:20:11.120Z", "2026-03-05T09:20:11.120Z"},
        {"2026-03-05T09:20:11Z", "2026-03-05T09:20:11.000Z"},
        {"2026-03-05T09:20:11.123456", "2026-03-05T09:20:11.123Z"},
        {"2026-03-05T09:20:11.123456789", "2026-03-05T09:20:11.123Z"},
        {"2026-03-05T09:20:11", "2026-03-05T09:20:11.000Z"},
        {"2026-03-05 09:20:11.5", "2026-03-05T09:20:11.500Z"},
        {"2026-03-05T14:50:11+05:30", "2026-03-05T09:20:11.000Z"},
        {"2026-03-05T14:50:11+0530", "2026-03-05T09:20:11.000Z"},
    };
    static const char *const paths[] = {DETAIL "permission.dateRange.from",
                                        DETAIL "permission.dateRange.to",
                                        DETAIL "permission.dataEraseAt"};
    (void) state;
    for (size_t p = 0; p < 3; p++) {
        for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
            abdm_consent_notice_t n;
            json_t *body = parse(GRANTED);
            put(body, paths[p], json_string(forms[i].text));
            assert_int_equal(notice_of(body, &n).code, ABDM_OK);
            const abdm_ms_t got[] = {n.consent.from, n.consent.to, n.consent.erase_at};
            assert_true(got[p] == ms(forms[i].instant));
            abdm_consent_notice_clear(&n);
        }
        assert_notice_refused(paths[p], NULL, paths[p]);
        assert_notice_refused(paths[p], json_null(), paths[p]);
        assert_notice_refused(paths[p], json_string(""), paths[p]);
        assert_notice_refused(paths[p], json_string("soon"), paths[p]);
        assert_notice_refused(paths[p], json_string("2026-02-30T00:00:00Z"), paths[p]);
        assert_notice_refused(paths[p], json_integer(1772702400), paths[p]);
    }
}


static void
an_absent_requester_is_none_and_a_garbled_one_is_refused(void **state)
{
    static const char *const absent[] = {"null", "{}", "{\"id\":null}", "{\"id\":\"\"}"};
    (void) state;
    for (size_t i = 0; i < 5; i++) {
        abdm_consent_notice_t n;
        json_t *body = parse(GRANTED);
        put(body, DETAIL "hiu", i < 4 ? parse(absent[i]) : NULL);
        assert_int_equal(notice_of(body, &n).code, ABDM_OK);
        assert_null(n.consent.hiu_id);
        abdm_consent_notice_clear(&n);
    }
    assert_notice_refused(DETAIL "hiu", json_string("IN1"), DETAIL "hiu:");
    assert_notice_refused(DETAIL "hiu", json_array(), DETAIL "hiu:");
    assert_notice_refused(DETAIL "hiu.id", json_integer(1), DETAIL "hiu.id");
    assert_notice_refused(DETAIL "hiu.id", json_object(), DETAIL "hiu.id");
    assert_notice_refused(DETAIL "hiu.id", text_of(256), DETAIL "hiu.id");
}


static void
unknown_types_are_dropped_but_one_known_must_remain(void **state)
{
    abdm_consent_notice_t n;
    json_t *body = parse(GRANTED);

    (void) state;
    put(body, DETAIL "hiTypes", json_pack("[ssss]", "Genome", "WELLNESSRECORD", "invoice", ""));
    assert_int_equal(notice_of(body, &n).code, ABDM_OK);
    assert_int_equal(n.consent.hi_types, 1u << ABDM_HI_WELLNESS_RECORD | 1u << ABDM_HI_INVOICE);
    abdm_consent_notice_clear(&n);

    assert_notice_refused(DETAIL "hiTypes", json_array(), DETAIL "hiTypes:");
    assert_notice_refused(DETAIL "hiTypes", json_pack("[s]", "Genome"), DETAIL "hiTypes:");
    assert_notice_refused(DETAIL "hiTypes", json_pack("[si]", "Invoice", 1), DETAIL "hiTypes:");
}


static void
five_thousand_care_contexts_are_read_and_one_more_refused(void **state)
{
    abdm_consent_notice_t n;
    json_t *list = json_array();
    json_t *body = parse(GRANTED);

    (void) state;
    for (int i = 0; i < 5000; i++)
        json_array_append_new(list, json_pack("{ssss}", "patientReference", "p",
                                              "careContextReference", "c"));
    put(body, DETAIL "careContexts", json_deep_copy(list));
    assert_int_equal(notice_of(body, &n).code, ABDM_OK);
    assert_int_equal(n.consent.n_contexts, 5000);
    abdm_consent_notice_clear(&n);

    json_array_append(list, json_array_get(list, 0));
    assert_notice_refused(DETAIL "careContexts", list, DETAIL "careContexts:");
}


static void
a_consent_for_no_care_context_is_read(void **state)
{
    (void) state;
    assert_notice_accepted(DETAIL "careContexts", json_array());
}


static void
a_detail_of_another_consent_is_refused(void **state)
{
    (void) state;
    assert_notice_refused(DETAIL "consentId", json_string("other"), DETAIL "consentId");
    assert_notice_refused(DETAIL "consentId", json_integer(1), DETAIL "consentId");
    assert_notice_accepted(DETAIL "consentId", NULL);
    assert_notice_accepted(DETAIL "consentId", json_null());
}


static void
what_is_not_used_may_have_any_form(void **state)
{
    static const char *const paths[] = {
        DETAIL "permission.frequency", DETAIL "permission.accessMode", DETAIL "schemaVersion",
        DETAIL "createdAt", DETAIL "consentManager", "notification.signature",
    };
    (void) state;
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        assert_notice_accepted(paths[i], NULL);
        assert_notice_accepted(paths[i], json_integer(1));
        assert_notice_accepted(paths[i], json_array());
    }
    assert_notice_accepted(DETAIL "permission.frequency.value", json_string("1"));
    assert_notice_accepted(DETAIL "permission.frequency.repeats", json_string("0"));
}


static void
an_unknown_status_is_refused_with_the_id_kept(void **state)
{
    static const char *const words[] = {"", "ACTIVE", "GRANTED "};
    abdm_consent_notice_t n;

    (void) state;
    for (size_t i = 0; i < 3; i++)
        assert_notice_refused("notification.status", json_string(words[i]),
                              "notification.status");
    assert_notice_refused("notification.status", NULL, "notification.status");
    assert_notice_refused("notification.status", json_integer(1), "notification.status");

    json_t *body = parse(GRANTED);
    put(body, "notification.status", json_null());
    assert_int_equal(notice_of(body, &n).code, ABDM_E_FIELD);
    assert_string_equal(n.consent.id, ID);
    abdm_consent_notice_clear(&n);
}


static const char *const endings[] = {"REVOKED", "expired", "Denied", "REQUESTED"};
static const abdm_consent_status_t ending_status[] = {
    ABDM_CONSENT_REVOKED, ABDM_CONSENT_EXPIRED, ABDM_CONSENT_DENIED, ABDM_CONSENT_REQUESTED};


/* Only id and status are there, as of a bare notice. */
static void
assert_bare(json_t *body, abdm_consent_status_t status)
{
    abdm_consent_notice_t n;

    assert_int_equal(notice_of(body, &n).code, ABDM_OK);
    assert_false(n.detailed);
    assert_string_equal(n.consent.id, ID);
    assert_int_equal(n.consent.status, status);
    assert_null(n.consent.hip_id);
    assert_null(n.consent.hiu_id);
    assert_null(n.consent.patient_id);
    assert_null(n.consent.purpose);
    assert_null(n.consent.contexts);
    assert_int_equal(n.consent.n_contexts, 0);
    assert_int_equal(n.consent.hi_types, 0);
    assert_true(n.consent.from == 0 && n.consent.to == 0 && n.consent.erase_at == 0);
    abdm_consent_notice_clear(&n);
}


static void
a_notice_that_grants_nothing_may_be_bare(void **state)
{
    (void) state;
    for (size_t i = 0; i < 4; i++)
        assert_bare(json_pack("{s{ssss}}", "notification", "status", endings[i], "consentId",
                              ID),
                    ending_status[i]);
}


static void
a_notice_that_grants_nothing_may_be_partial_or_garbled(void **state)
{
    static const char *const paths[] = {
        DETAIL "patient", DETAIL "careContexts", DETAIL "hip", DETAIL "hiTypes",
        DETAIL "permission", DETAIL "permission.dataEraseAt", DETAIL "careContexts.1",
        DETAIL "consentId", "notification.consentDetail",
    };
    (void) state;
    for (size_t i = 0; i < 4; i++) {
        for (size_t p = 0; p < sizeof paths / sizeof paths[0]; p++) {
            json_t *body = parse(GRANTED);
            put(body, "notification.status", json_string(endings[i]));
            put(body, paths[p], json_integer(1));
            assert_bare(body, ending_status[i]);
        }
    }
}


static void
a_revocation_with_its_whole_detail_is_detailed(void **state)
{
    abdm_consent_notice_t n;
    json_t *body = parse(GRANTED);

    (void) state;
    put(body, "notification.status", json_string("REVOKED"));
    assert_int_equal(notice_of(body, &n).code, ABDM_OK);
    assert_true(n.detailed);
    assert_int_equal(n.consent.status, ABDM_CONSENT_REVOKED);
    assert_int_equal(n.consent.n_contexts, 2);
    abdm_consent_notice_clear(&n);
}


static void
a_revocation_without_an_id_is_refused(void **state)
{
    abdm_consent_notice_t n;

    (void) state;
    assert_int_equal(notice_of(json_pack("{s{ss}}", "notification", "status", "REVOKED"),
                               &n).code,
                     ABDM_E_FIELD);
    abdm_consent_notice_clear(&n);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_granted_notice_is_read_whole),
        cmocka_unit_test(a_notification_in_a_list_of_one_is_read_and_in_any_other_list_refused),
        cmocka_unit_test(a_notification_that_is_no_object_is_refused),
        cmocka_unit_test(each_required_text_of_a_granted_notice_is_required),
        cmocka_unit_test(each_required_object_of_a_granted_notice_is_required),
        cmocka_unit_test(each_date_of_a_granted_notice_is_read_in_every_form),
        cmocka_unit_test(an_absent_requester_is_none_and_a_garbled_one_is_refused),
        cmocka_unit_test(unknown_types_are_dropped_but_one_known_must_remain),
        cmocka_unit_test(five_thousand_care_contexts_are_read_and_one_more_refused),
        cmocka_unit_test(a_consent_for_no_care_context_is_read),
        cmocka_unit_test(a_detail_of_another_consent_is_refused),
        cmocka_unit_test(what_is_not_used_may_have_any_form),
        cmocka_unit_test(an_unknown_status_is_refused_with_the_id_kept),
        cmocka_unit_test(a_notice_that_grants_nothing_may_be_bare),
        cmocka_unit_test(a_notice_that_grants_nothing_may_be_partial_or_garbled),
        cmocka_unit_test(a_revocation_with_its_whole_detail_is_detailed),
        cmocka_unit_test(a_revocation_without_an_id_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
