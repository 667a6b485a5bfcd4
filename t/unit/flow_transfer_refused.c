/* Health information requests that are refused: each with its own reason, and as a whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "request_kit.h"


static void
a_consent_that_never_came_is_refused(void **state)
{
    case_t c;

    (void) state;
    init(&c);
    c.k.has_consent = false;
    c.tries = 5;
    assert_int_equal(request(&c).code, ABDM_OK);
    assert_refused_and_kept(&c, ABDM_E_CONSENT_UNKNOWN, "ABDM-1112");
    end(&c);
}


static void
a_consent_that_is_not_granted_any_more_is_refused(void **state)
{
    static const struct {
        abdm_consent_status_t status;
        abdm_code_t why;
        const char *wire;
    } rows[] = {
        {ABDM_CONSENT_REVOKED, ABDM_E_CONSENT_REVOKED, "ABDM-1062"},
        {ABDM_CONSENT_EXPIRED, ABDM_E_CONSENT_EXPIRED, "ABDM-1061"},
        {ABDM_CONSENT_DENIED, ABDM_E_CONSENT_NOT_GRANTED, "ABDM-1062"},
        {ABDM_CONSENT_REQUESTED, ABDM_E_CONSENT_NOT_GRANTED, "ABDM-1062"},
    };

    (void) state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        case_t c;

        init(&c);
        c.k.consent.status = rows[i].status;
        assert_int_equal(request(&c).code, ABDM_OK);
        assert_refused_and_kept(&c, rows[i].why, rows[i].wire);
        end(&c);
    }
}


static void
a_consent_past_its_erasure_is_refused_without_a_notice(void **state)
{
    case_t c;

    (void) state;
    init(&c);
    c.k.consent.erase_at = NOW;
    assert_int_equal(request(&c).code, ABDM_OK);
    assert_refused_and_kept(&c, ABDM_E_CONSENT_EXPIRED, "ABDM-1061");
    end(&c);
}


static void
dates_wider_than_the_consent_are_refused(void **state)
{
    static const char *const members[] = {"from", "to"};
    static const char *const times[] = {"2001-01-01", "2040-01-01"};

    (void) state;
    for (int i = 0; i < 2; i++) {
        case_t c;

        init(&c);
        set(&c, "hiRequest.dateRange", members[i], json_string(times[i]));
        assert_int_equal(request(&c).code, ABDM_OK);
        assert_refused_and_kept(&c, ABDM_E_CONSENT_RANGE, "ABDM-1063");
        end(&c);
    }
}


static void
key_material_that_is_none_is_refused(void **state)
{
    static const struct {
        const char *object, *member, *value;
    } rows[] = {
        {"hiRequest.keyMaterial.dhPublicKey", "keyValue", "AAAA"},
        {"hiRequest.keyMaterial", "nonce", "AAAA"},
        {"hiRequest.keyMaterial", "nonce", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="},
        {"hiRequest.keyMaterial", "curve", "secp256k1"},
        {"hiRequest.keyMaterial", "cryptoAlg", "RSA"},
    };

    (void) state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        case_t c;

        init(&c);
        set(&c, rows[i].object, rows[i].member, json_string(rows[i].value));
        assert_int_equal(request(&c).code, ABDM_OK);
        assert_refused_and_kept(&c, ABDM_E_KEY_MATERIAL, "ABDM-1006");
        end(&c);
    }
}


static void
a_key_past_its_expiry_and_five_minutes_is_refused(void **state)
{
    static const struct {
        abdm_ms_t age;
        bool refused;
    } rows[] = {{5 * 60 * 1000 + 1, true}, {5 * 60 * 1000, false}};

    (void) state;
    for (int i = 0; i < 2; i++) {
        char text[ABDM_TIME_TEXT];
        case_t c;

        init(&c);
        abdm_time_format(NOW - rows[i].age, text);
        set(&c, "hiRequest.keyMaterial.dhPublicKey", "expiry", json_string(text));
        assert_int_equal(request(&c).code, ABDM_OK);
        if (rows[i].refused)
            assert_refused_and_kept(&c, ABDM_E_KEY_EXPIRED, "ABDM-1006");
        else
            assert_non_null(flow_job(&c.out, "transfer.acknowledged"));
        end(&c);
    }
}


static void
a_push_url_that_we_may_not_call_is_refused(void **state)
{
    static const struct {
        const char *url;
        abdm_code_t why;
    } rows[] = {
        {"http://hiu.example/push", ABDM_E_PUSH_URL},
        {"https://user@hiu.example/push", ABDM_E_PUSH_URL},
        {"https://127.0.0.1:8443/push", ABDM_E_PUSH_ADDRESS},
        {"https://[::1]/push", ABDM_E_PUSH_ADDRESS},
        {"https://169.254.169.254/latest", ABDM_E_PUSH_ADDRESS},
    };

    (void) state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        case_t c;

        init(&c);
        set(&c, "hiRequest", "dataPushUrl", json_string(rows[i].url));
        assert_int_equal(request(&c).code, ABDM_OK);
        assert_refused_and_kept(&c, rows[i].why, "ABDM-1006");
        end(&c);
    }
}


static void
a_body_that_cannot_be_read_is_refused_with_what_is_known_of_it(void **state)
{
    case_t c;

    (void) state;
    init(&c);
    assert_int_equal(request_text(&c, "{\"hiRequest\":{}}").code, ABDM_OK);
    assert_refused(&c, ABDM_E_FIELD, "ABDM-1006");
    assert_null(flow_nth(&c.out, ABDM_EFFECT_TRANSFER, 0));
    abdm_effects_clear(&c.out);

    assert_int_equal(request_text(&c, "[1]").code, ABDM_OK);
    assert_refused(&c, ABDM_E_FIELD, "ABDM-1006");
    abdm_effects_clear(&c.out);

    assert_int_equal(request_text(&c, "nonsense").code, ABDM_OK);
    assert_refused(&c, ABDM_E_JSON, "ABDM-1024");
    abdm_effects_clear(&c.out);

    set(&c, "hiRequest.dateRange", "from", json_string("yesterday"));
    assert_int_equal(request(&c).code, ABDM_OK);
    assert_refused_and_kept(&c, ABDM_E_FIELD, "ABDM-1006");
    end(&c);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_consent_that_never_came_is_refused),
        cmocka_unit_test(a_consent_that_is_not_granted_any_more_is_refused),
        cmocka_unit_test(a_consent_past_its_erasure_is_refused_without_a_notice),
        cmocka_unit_test(dates_wider_than_the_consent_are_refused),
        cmocka_unit_test(key_material_that_is_none_is_refused),
        cmocka_unit_test(a_key_past_its_expiry_and_five_minutes_is_refused),
        cmocka_unit_test(a_push_url_that_we_may_not_call_is_refused),
        cmocka_unit_test(a_body_that_cannot_be_read_is_refused_with_what_is_known_of_it),
    };

    return cmocka_run_group_tests(tests, make_keys, NULL);
}
