/*
 * Requests for health information: the good one is read whole, each field missing, null, of the
 * wrong type, empty or too long is refused by its path, and the ids survive for the refusal.
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
#define TRANSACTION "d1d2d3d4-0101-4202-8303-040506070809"
#define ANOTHER "e1d2c3b4-0a9b-48c7-9d6e-5f4a3b2c1d0e"

static const char REQUEST[] =
    "{\"requestId\":\"\",\"timestamp\":\"\",\"transactionId\":\"" TRANSACTION "\",\"hiRequest\":{"
    "\"consent\":{\"id\":\"" ID "\"},\"dateRange\":{\"from\":\"2025-03-05T00:00:00.000Z\","
    "\"to\":\"2026-03-05T09:20:00.000Z\"},\"dataPushUrl\":\"https://hiu.example.in/push?a=b\","
    "\"keyMaterial\":{\"cryptoAlg\":\"ECDH\",\"curve\":\"curve25519\",\"dhPublicKey\":{"
    "\"expiry\":\"2026-03-06T09:20:00.000Z\",\"parameters\":\"Ephemeral public key\","
    "\"keyValue\":\"BASE64=\"},\"nonce\":\"Tk9OQ0U=\"}}}";

#define KEY "hiRequest.keyMaterial"


static abdm_err_t
request_of(json_t *body, abdm_hi_request_t *out)
{
    abdm_err_t err = abdm_in_hi_request(body, out);

    json_decref(body);
    return err;
}


/* `ids`: both could be read, so the refusal can be told. */
static void
assert_request_refused(const char *path, json_t *value, abdm_code_t code, const char *names,
                       bool ids)
{
    abdm_hi_request_t request;
    json_t *body = parse(REQUEST);

    put(body, path, value);
    abdm_err_t err = request_of(body, &request);
    if (err.code != code)
        fail_msg("%s: code %d", path, (int) err.code);
    if (strncmp(err.what, names, strlen(names)) != 0)
        fail_msg("%s: says \"%s\"", path, err.what);
    if (ids) {
        assert_string_equal(request.transaction_id, TRANSACTION);
        assert_string_equal(request.consent_id, ID);
    }
    abdm_hi_request_clear(&request);
    assert_null(request.transaction_id);
}


static void
assert_request_accepted(const char *path, json_t *value)
{
    abdm_hi_request_t request;
    json_t *body = parse(REQUEST);

    put(body, path, value);
    abdm_err_t err = request_of(body, &request);
    if (abdm_failed(err))
        fail_msg("%s: %s", path, err.what);
    abdm_hi_request_clear(&request);
}


static void
assert_no_text(const char *path, abdm_code_t code, const char *names, bool ids)
{
    assert_request_refused(path, NULL, code, names, ids);
    assert_request_refused(path, json_null(), code, names, ids);
    assert_request_refused(path, json_integer(1), code, names, ids);
    assert_request_refused(path, json_object(), code, names, ids);
    assert_request_refused(path, json_array(), code, names, ids);
    assert_request_refused(path, json_string(""), code, names, ids);
}


static void
a_request_for_health_information_is_read_whole(void **state)
{
    abdm_hi_request_t r;

    (void) state;
    assert_int_equal(request_of(parse(REQUEST), &r).code, ABDM_OK);
    assert_string_equal(r.transaction_id, TRANSACTION);
    assert_string_equal(r.consent_id, ID);
    assert_true(r.from == ms("2025-03-05T00:00:00Z"));
    assert_true(r.to == ms("2026-03-05T09:20:00Z"));
    assert_string_equal(r.push_url, "https://hiu.example.in/push?a=b");
    assert_string_equal(r.crypto_alg, "ECDH");
    assert_string_equal(r.curve, "curve25519");
    assert_string_equal(r.public_key, "BASE64=");
    assert_string_equal(r.nonce, "Tk9OQ0U=");
    assert_true(r.key_expiry == ms("2026-03-06T09:20:00Z"));
    abdm_hi_request_clear(&r);
    abdm_hi_request_clear(&r);
}


static void
each_field_of_a_request_is_required_by_its_path(void **state)
{
    static const char *const ids[] = {"transactionId", "hiRequest.consent.id"};
    static const char *const dates[] = {"hiRequest.dateRange.from", "hiRequest.dateRange.to"};

    (void) state;
    for (size_t i = 0; i < 2; i++) {
        assert_no_text(ids[i], ABDM_E_FIELD, ids[i], false);
        assert_request_refused(ids[i], text_of(256), ABDM_E_FIELD, ids[i], false);
        assert_request_refused(ids[i], json_string("a\r\nb"), ABDM_E_FIELD, ids[i], false);
        assert_request_refused(ids[i], json_string("91111222233334"), ABDM_E_FIELD, ids[i], false);
        assert_request_accepted(ids[i], json_string(ANOTHER));
        assert_no_text(dates[i], ABDM_E_FIELD, dates[i], true);
        assert_request_refused(dates[i], json_string("x"), ABDM_E_FIELD, dates[i], true);
        assert_request_accepted(dates[i], json_string("2026-03-05 14:50:11.5"));
    }
    assert_no_text("hiRequest.dataPushUrl", ABDM_E_FIELD, "hiRequest.dataPushUrl", true);
    assert_request_refused("hiRequest.dataPushUrl", text_of(2049), ABDM_E_FIELD,
                           "hiRequest.dataPushUrl", true);
    assert_request_accepted("hiRequest.dataPushUrl", text_of(2048));
    assert_request_refused("hiRequest.consent", NULL, ABDM_E_FIELD, "hiRequest.consent.id", false);
    assert_request_refused("hiRequest.dateRange", NULL, ABDM_E_FIELD, "hiRequest.dateRange.from",
                           true);
    assert_request_refused("hiRequest", NULL, ABDM_E_FIELD, "hiRequest:", false);
    assert_request_refused("hiRequest", json_array(), ABDM_E_FIELD, "hiRequest:", false);
}


static void
a_body_that_is_no_request_is_refused(void **state)
{
    static const char *const bodies[] = {"{}", "[]", "null", "0", "\"x\""};
    abdm_hi_request_t r;

    (void) state;
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        assert_int_equal(request_of(parse(bodies[i]), &r).code, ABDM_E_FIELD);
        assert_null(r.transaction_id);
        abdm_hi_request_clear(&r);
    }
}


static void
every_fault_of_key_material_can_be_told_to_the_gateway(void **state)
{
    static const char *const texts[] = {KEY ".cryptoAlg", KEY ".curve",
                                        KEY ".dhPublicKey.keyValue", KEY ".nonce"};
    (void) state;
    for (size_t i = 0; i < 4; i++)
        assert_no_text(texts[i], ABDM_E_KEY_MATERIAL, texts[i], true);
    assert_no_text(KEY ".dhPublicKey", ABDM_E_KEY_MATERIAL, KEY ".dhPublicKey.keyValue", true);
    assert_request_refused(KEY, NULL, ABDM_E_KEY_MATERIAL, KEY ":", true);
    assert_request_refused(KEY, json_null(), ABDM_E_KEY_MATERIAL, KEY ":", true);
    assert_request_refused(KEY, json_array(), ABDM_E_KEY_MATERIAL, KEY ":", true);
    assert_request_refused(KEY ".cryptoAlg", json_string("RSA"), ABDM_E_KEY_MATERIAL,
                           KEY ".cryptoAlg", true);
    assert_request_refused(KEY ".curve", json_string("P-256"), ABDM_E_KEY_MATERIAL, KEY ".curve",
                           true);
    assert_request_refused(KEY ".nonce", text_of(256), ABDM_E_KEY_MATERIAL, KEY ".nonce", true);
    assert_request_refused(KEY ".dhPublicKey.keyValue", text_of(4097), ABDM_E_KEY_MATERIAL,
                           KEY ".dhPublicKey.keyValue", true);
    assert_request_accepted(KEY ".dhPublicKey.keyValue", text_of(4096));
    assert_request_accepted(KEY ".cryptoAlg", json_string("ecdh"));
}


static void
the_spelling_of_the_curve_is_kept(void **state)
{
    static const char *const words[] = {"Curve25519", "curve25519", "CURVE25519"};
    (void) state;
    for (size_t i = 0; i < 3; i++) {
        abdm_hi_request_t r;
        json_t *body = parse(REQUEST);
        put(body, KEY ".curve", json_string(words[i]));
        assert_int_equal(request_of(body, &r).code, ABDM_OK);
        assert_string_equal(r.curve, words[i]);
        abdm_hi_request_clear(&r);
    }
}


static void
an_expiry_that_is_no_date_counts_as_none(void **state)
{
    static const char *const odd[] = {"null", "\"\"", "\"never\"", "1772702400", "{}"};
    (void) state;
    for (size_t i = 0; i < 6; i++) {
        abdm_hi_request_t r;
        json_t *body = parse(REQUEST);
        put(body, KEY ".dhPublicKey.expiry", i < 5 ? parse(odd[i]) : NULL);
        assert_int_equal(request_of(body, &r).code, ABDM_OK);
        assert_true(r.key_expiry == 0);
        abdm_hi_request_clear(&r);
    }
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_for_health_information_is_read_whole),
        cmocka_unit_test(each_field_of_a_request_is_required_by_its_path),
        cmocka_unit_test(a_body_that_is_no_request_is_refused),
        cmocka_unit_test(every_fault_of_key_material_can_be_told_to_the_gateway),
        cmocka_unit_test(the_spelling_of_the_curve_is_kept),
        cmocka_unit_test(an_expiry_that_is_no_date_counts_as_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
