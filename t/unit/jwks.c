/* What makes a key set unusable, what is passed over in it, and what is found in it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "jwt_kit.h"
#include "token/jwks.h"

static EVP_PKEY *key_a, *key_b;


static int
make_keys(void **state)
{
    (void) state;
    key_a = kit_key();
    key_b = kit_key();
    return 0;
}


static int
free_keys(void **state)
{
    (void) state;
    EVP_PKEY_free(key_a);
    EVP_PKEY_free(key_b);
    return 0;
}


static abdm_err_t
parse_buf(abdm_buf_t *b, abdm_jwks_t **set)
{
    abdm_err_t err;

    assert_false(b->failed);
    err = abdm_jwks_parse(b->p, b->len, set);
    assert_true((*set == NULL) == abdm_failed(err));
    abdm_buf_free(b);
    return err;
}


/* A set of key a with `more` members, and behind it `others` as they stand. */
static abdm_err_t
parse_with(const char *more, const char *others, abdm_jwks_t **set)
{
    abdm_buf_t b = {0};

    abdm_buf_addz(&b, "{\"keys\":[");
    kit_jwk(&b, "a", key_a, more);
    abdm_buf_addf(&b, "%s]}", others);
    return parse_buf(&b, set);
}


static void
check_refused(const char *more, const char *others)
{
    abdm_jwks_t *set;
    abdm_err_t err = parse_with(more, others, &set);

    if (err.code != ABDM_E_JWKS)
        fail_msg("code %d for %s %s", err.code, more, others);
}


/* How many keys are usable. */
static size_t
count_with(const char *more, const char *others)
{
    abdm_jwks_t *set;

    abdm_err_t err = parse_with(more, others, &set);

    if (err.code != ABDM_E_JWKS)
        assert_int_equal(err.code, ABDM_OK);
    if (abdm_failed(err))
        return 0;
    size_t n = abdm_jwks_count(set);
    abdm_jwks_free(set);
    return n;
}


/* A set of one key whose modulus and exponent are given in bytes. */
static abdm_code_t
numbers_code(const uint8_t *n, size_t n_len, const uint8_t *e, size_t e_len)
{
    char *nt = kit_b64url(n, n_len), *et = kit_b64url(e, e_len);
    abdm_buf_t b = {0};
    abdm_jwks_t *set;

    abdm_buf_addf(&b, "{\"keys\":[{\"kty\":\"RSA\",\"kid\":\"k\",\"n\":\"%s\",\"e\":\"%s\"}]}", nt,
                  et);
    free(nt);
    free(et);
    abdm_code_t code = parse_buf(&b, &set).code;
    abdm_jwks_free(set);
    return code;
}


static bool
allows(const abdm_jwk_t *key, abdm_jwk_alg_t alg)
{
    return abdm_jwk_verify(key, alg, ABDM_LIT("x"), ABDM_LIT("y")).code != ABDM_E_TOKEN_ALG;
}


static void
keys_are_found_by_kid_whatever_their_order(void **state)
{
    char first[65];

    (void) state;
    for (int order = 0; order < 2; order++) {
        abdm_buf_t b = {0};
        abdm_jwks_t *set;
        abdm_buf_addz(&b, "{\"keys\":[");
        kit_jwk(&b, order == 0 ? "a" : "b", order == 0 ? key_a : key_b,
                order == 0 ? ",\"alg\":\"RS256\",\"use\":\"sig\"" : ",\"alg\":\"RS512\"");
        abdm_buf_addz(&b, ",");
        kit_jwk(&b, order == 1 ? "a" : "b", order == 1 ? key_a : key_b,
                order == 1 ? ",\"alg\":\"RS256\",\"use\":\"sig\"" : ",\"alg\":\"RS512\"");
        abdm_buf_addz(&b, "]}");
        assert_int_equal(parse_buf(&b, &set).code, ABDM_OK);
        assert_int_equal(abdm_jwks_count(set), 2);

        const abdm_jwk_t *a = abdm_jwks_find(set, ABDM_LIT("a"));
        const abdm_jwk_t *k = abdm_jwks_find(set, ABDM_LIT("b"));
        assert_true(allows(a, ABDM_JWK_RS256));
        assert_false(allows(a, ABDM_JWK_RS512));
        assert_false(allows(k, ABDM_JWK_RS256));
        assert_true(allows(k, ABDM_JWK_RS512));
        assert_null(abdm_jwks_find(set, ABDM_LIT("A")));
        assert_null(abdm_jwks_find(set, ABDM_LIT("a\0")));
        assert_null(abdm_jwks_find(set, ABDM_LIT("")));
        if (order == 0)
            memcpy(first, abdm_jwks_fingerprint(set), sizeof first);
        else
            assert_string_equal(abdm_jwks_fingerprint(set), first);
        abdm_jwks_free(set);
    }
}


static void
the_fingerprint_changes_with_kid_algorithm_and_modulus(void **state)
{
    char prints[4][65];

    (void) state;
    for (int i = 0; i < 4; i++) {
        abdm_buf_t b = {0};
        abdm_jwks_t *set;
        abdm_buf_addz(&b, "{\"keys\":[");
        kit_jwk(&b, i == 1 ? "b" : "a", i == 2 ? key_b : key_a, i == 3 ? ",\"alg\":\"RS256\"" : "");
        abdm_buf_addz(&b, "]}");
        assert_int_equal(parse_buf(&b, &set).code, ABDM_OK);
        memcpy(prints[i], abdm_jwks_fingerprint(set), 65);
        assert_int_equal(strlen(prints[i]), 64);
        abdm_jwks_free(set);
        for (int k = 0; k < i; k++)
            assert_string_not_equal(prints[k], prints[i]);
    }
}


static void
a_signature_verifies_with_its_key_and_algorithm_only(void **state)
{
    static const char input[] = "header.payload";
    abdm_jwks_t *set;
    char *text = kit_signature(input, key_a, EVP_sha256());
    char *text512 = kit_signature(input, key_a, EVP_sha512());
    uint8_t sig[256], sig512[256];
    size_t len;
    abdm_buf_t b = {0};

    (void) state;
    assert_true(abdm_base64url_decode(abdm_str(text), sig, sizeof sig, &len));
    assert_true(abdm_base64url_decode(abdm_str(text512), sig512, sizeof sig512, &len));
    abdm_str_t s = {(char *) sig, len}, s512 = {(char *) sig512, len};
    abdm_buf_addz(&b, "{\"keys\":[");
    kit_jwk(&b, "a", key_a, "");
    abdm_buf_addz(&b, ",");
    kit_jwk(&b, "b", key_b, ",\"alg\":\"RS256\"");
    abdm_buf_addz(&b, "]}");
    assert_int_equal(parse_buf(&b, &set).code, ABDM_OK);
    const abdm_jwk_t *a = abdm_jwks_find(set, ABDM_LIT("a"));
    const abdm_jwk_t *k = abdm_jwks_find(set, ABDM_LIT("b"));
    abdm_str_t in = abdm_str(input);

    for (int round = 0; round < 3; round++) { /* the contexts are used again after a failure */
        assert_int_equal(abdm_jwk_verify(a, ABDM_JWK_RS256, in, s).code, ABDM_OK);
        assert_int_equal(abdm_jwk_verify(a, ABDM_JWK_RS512, in, s512).code, ABDM_OK);
        assert_int_equal(abdm_jwk_verify(a, ABDM_JWK_RS512, in, s).code, ABDM_E_TOKEN_SIGNATURE);
        assert_int_equal(abdm_jwk_verify(k, ABDM_JWK_RS256, in, s).code, ABDM_E_TOKEN_SIGNATURE);
        assert_int_equal(abdm_jwk_verify(k, ABDM_JWK_RS512, in, s512).code, ABDM_E_TOKEN_ALG);
        assert_int_equal(abdm_jwk_verify(a, ABDM_JWK_RS256, ABDM_LIT("header.payloae"), s).code,
                         ABDM_E_TOKEN_SIGNATURE);
    }
    abdm_jwks_free(set);
    free(text);
    free(text512);
}


static void
one_symmetric_or_private_key_refuses_the_whole_set(void **state)
{
    static const char *const privates[] = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"};
    char more[64];

    (void) state;
    check_refused("", ",{\"kty\":\"oct\",\"kid\":\"x\",\"k\":\"AAAA\"}");
    check_refused("", ",{\"kty\":\"oct\",\"kid\":\"x\"}");
    check_refused("", ",{\"kty\":\"EC\",\"kid\":\"x\",\"crv\":\"P-256\",\"d\":\"AAAA\"}");
    for (size_t i = 0; i < sizeof privates / sizeof *privates; i++) {
        snprintf(more, sizeof more, ",\"%s\":\"AQAB\"", privates[i]);
        check_refused(more, "");
    }
}


static void
a_malformed_key_refuses_the_whole_set(void **state)
{
    (void) state;
    check_refused("", ",{\"kid\":\"x\"}");
    check_refused("", ",{\"kty\":7,\"kid\":\"x\"}");
    check_refused("", ",null");
    check_refused("", ",\"RSA\"");
    check_refused("", ",[]");
    check_refused("", ",{\"kty\":\"RSA\",\"kid\":\"x\"}");
    check_refused("", ",{\"kty\":\"RSA\",\"kid\":\"x\",\"n\":\"\",\"e\":\"AQAB\"}");
    check_refused("", ",{\"kty\":\"RSA\",\"kid\":\"x\",\"n\":\"AQAB\",\"e\":\"AQAB\"}");
    check_refused("", ",{\"kty\":\"RSA\",\"kid\":\"x\",\"n\":5,\"e\":\"AQAB\"}");
    check_refused("", ",{\"kty\":\"RSA\",\"kid\":\"x\",\"n\":\"A+/=\",\"e\":\"AQAB\"}");
    check_refused(",\"kid\":\"b\"", "");
}


static void
moduli_outside_2048_to_8192_bits_are_refused(void **state)
{
    static const uint8_t e[] = {1, 0, 1};
    uint8_t n[1200];

    (void) state;
    memset(n, 0xff, sizeof n);
    assert_int_equal(numbers_code(n, 128, e, 3), ABDM_E_JWKS);
    assert_int_equal(numbers_code(n, 255, e, 3), ABDM_E_JWKS);
    n[0] = 0x7f; /* 2047 bits */
    assert_int_equal(numbers_code(n, 256, e, 3), ABDM_E_JWKS);
    n[0] = 0x80;
    assert_int_equal(numbers_code(n, 256, e, 3), ABDM_OK);
    assert_int_equal(numbers_code(n, 1024, e, 3), ABDM_OK);
    n[0] = 0; /* a sign byte in front is allowed, a 1025th of value is not */
    assert_int_equal(numbers_code(n, 257, e, 3), ABDM_OK);
    assert_int_equal(numbers_code(n, 1025, e, 3), ABDM_OK);
    n[0] = 1;
    assert_int_equal(numbers_code(n, 1025, e, 3), ABDM_E_JWKS);
    assert_int_equal(numbers_code(n, 1200, e, 3), ABDM_E_JWKS);
    n[255] = 0xfe; /* even */
    n[0] = 0xff;
    assert_int_equal(numbers_code(n, 256, e, 3), ABDM_E_JWKS);
    memset(n, 0, sizeof n);
    assert_int_equal(numbers_code(n, 256, e, 3), ABDM_E_JWKS);
}


static void
exponents_below_65537_or_even_are_refused(void **state)
{
    static const struct {
        uint8_t e[9];
        size_t len;
        abdm_code_t code;
    } rows[] = {
        {{1, 0, 1}, 3, ABDM_OK},        {{0, 1, 0, 1}, 4, ABDM_OK},
        {{1, 0, 3}, 3, ABDM_OK},        {{1}, 1, ABDM_E_JWKS},
        {{3}, 1, ABDM_E_JWKS},          {{17}, 1, ABDM_E_JWKS},
        {{0xff, 0xff}, 2, ABDM_E_JWKS}, {{1, 0, 0}, 3, ABDM_E_JWKS},
        {{1, 0, 2}, 3, ABDM_E_JWKS},    {{0}, 1, ABDM_E_JWKS},
        {{1, 0, 0, 0, 0, 0, 0, 0, 1}, 9, ABDM_E_JWKS},
    };
    uint8_t n[256];

    (void) state;
    memset(n, 0xff, sizeof n);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(numbers_code(n, sizeof n, rows[i].e, rows[i].len), rows[i].code);
}


static void
keys_for_other_purposes_are_passed_over(void **state)
{
    static const char *const others[] = {
        ",\"use\":\"enc\"",         ",\"use\":7",          ",\"use\":null",
        ",\"alg\":\"RS384\"",       ",\"alg\":\"PS256\"",  ",\"alg\":\"RSA-OAEP\"",
        ",\"alg\":\"HS256\"",       ",\"alg\":\"none\"",   ",\"alg\":\"rs256\"",
        ",\"alg\":[\"RS256\"]",     ",\"key_ops\":[]",     ",\"key_ops\":[\"sign\"]",
        ",\"key_ops\":\"verify\"",   ",\"key_ops\":[7,null]",
    };

    (void) state;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        if (count_with(others[i], "") != 0)
            fail_msg("%s was taken", others[i]);
    }
    assert_int_equal(count_with(",\"key_ops\":[\"encrypt\",\"verify\"]", ""), 1);
    assert_int_equal(count_with(",\"x5c\":[\"MIIC\"],\"x5t2\":\"zz\",\"x5t\":\"y\"", ""), 1);
    assert_int_equal(count_with("", ",{\"kty\":\"EC\",\"kid\":\"x\",\"crv\":\"P-256\"}"), 1);
    assert_int_equal(count_with("", ",{\"kty\":\"OKP\",\"kid\":\"x\"},{\"kty\":\"new\"}"), 1);
}


static void
a_kid_has_1_to_128_printable_characters(void **state)
{
    char kid[ABDM_JWK_KID + 2];
    static const char *const bad[] = {"", "\\u0001", "a\\n", "\\u00e9", "a\\u007f"};

    (void) state;
    for (size_t len = ABDM_JWK_KID; len <= ABDM_JWK_KID + 1; len++) {
        abdm_buf_t b = {0};
        abdm_jwks_t *set;
        memset(kid, 'k', len);
        kid[len] = '\0';
        abdm_buf_addz(&b, "{\"keys\":[");
        kit_jwk(&b, kid, key_a, "");
        abdm_buf_addz(&b, "]}");
        abdm_err_t err = parse_buf(&b, &set);
        assert_int_equal(err.code, len <= ABDM_JWK_KID ? ABDM_OK : ABDM_E_JWKS);
        if (set != NULL)
            assert_non_null(abdm_jwks_find(set, abdm_str(kid)));
        abdm_jwks_free(set);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        abdm_buf_t b = {0};
        abdm_jwks_t *set;
        abdm_buf_addz(&b, "{\"keys\":[");
        kit_jwk(&b, bad[i], key_a, "");
        abdm_buf_addz(&b, "]}");
        assert_int_equal(parse_buf(&b, &set).code, ABDM_E_JWKS);
    }
    assert_int_equal(count_with("", ",{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}"), 1);
}


static void
a_kid_that_comes_twice_makes_both_keys_unusable(void **state)
{
    abdm_buf_t b = {0};
    abdm_jwks_t *set;

    (void) state;
    abdm_buf_addz(&b, "{\"keys\":[");
    kit_jwk(&b, "a", key_a, "");
    abdm_buf_addz(&b, ",");
    kit_jwk(&b, "c", key_b, "");
    abdm_buf_addz(&b, ",");
    kit_jwk(&b, "a", key_b, "");
    abdm_buf_addz(&b, ",");
    kit_jwk(&b, "b", key_a, "");
    abdm_buf_addz(&b, ",");
    kit_jwk(&b, "a", key_a, "");
    abdm_buf_addz(&b, "]}");
    assert_int_equal(parse_buf(&b, &set).code, ABDM_OK);
    assert_int_equal(abdm_jwks_count(set), 2);
    assert_null(abdm_jwks_find(set, ABDM_LIT("a")));
    assert_non_null(abdm_jwks_find(set, ABDM_LIT("b")));
    assert_non_null(abdm_jwks_find(set, ABDM_LIT("c")));
    abdm_jwks_free(set);

    abdm_buf_addz(&b, "{\"keys\":[");
    kit_jwk(&b, "a", key_a, "");
    abdm_buf_addz(&b, ",");
    kit_jwk(&b, "a", key_a, "");
    abdm_buf_addz(&b, "]}");
    assert_int_equal(parse_buf(&b, &set).code, ABDM_E_JWKS);
}


static void
sixteen_keys_are_taken_and_seventeen_refused(void **state)
{
    (void) state;
    for (int n = ABDM_JWKS_KEYS; n <= ABDM_JWKS_KEYS + 1; n++) {
        abdm_buf_t b = {0};
        abdm_jwks_t *set;
        char kid[16];
        abdm_buf_addz(&b, "{\"keys\":[");
        for (int i = 0; i < n; i++) {
            snprintf(kid, sizeof kid, "k%d", i);
            abdm_buf_addz(&b, i == 0 ? "" : ",");
            kit_jwk(&b, kid, key_a, "");
        }
        abdm_buf_addz(&b, "]}");
        assert_int_equal(parse_buf(&b, &set).code, n == ABDM_JWKS_KEYS ? ABDM_OK : ABDM_E_JWKS);
        abdm_jwks_free(set);
    }
}


static void
what_is_no_key_set_is_refused(void **state)
{
    static const char *const bad[] = {"",           "[]",           "{}",
                                      "null",       "{\"keys\":{}}", "{\"keys\":[]}",
                                      "[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]",
                                      "{\"keys\":", "<html>",       "{\"keys\":[],\"keys\":[]}"};
    abdm_jwks_t *set;

    (void) state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(abdm_jwks_parse(bad[i], strlen(bad[i]), &set).code, ABDM_E_JWKS);
        assert_null(set);
    }
    abdm_jwks_free(NULL);
}


static void
a_document_beyond_64_kib_is_refused(void **state)
{
    (void) state;
    for (int beyond = 0; beyond < 2; beyond++) {
        abdm_buf_t b = {0};
        abdm_jwks_t *set;
        abdm_buf_addz(&b, "{\"keys\":[");
        kit_jwk(&b, "a", key_a, "");
        abdm_buf_addz(&b, "]}");
        while (!b.failed && b.len < (size_t) ABDM_JWKS_BYTES + (size_t) beyond)
            abdm_buf_add(&b, " ", 1);
        assert_int_equal(parse_buf(&b, &set).code, beyond ? ABDM_E_JWKS : ABDM_OK);
        abdm_jwks_free(set);
    }
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_found_by_kid_whatever_their_order),
        cmocka_unit_test(the_fingerprint_changes_with_kid_algorithm_and_modulus),
        cmocka_unit_test(a_signature_verifies_with_its_key_and_algorithm_only),
        cmocka_unit_test(one_symmetric_or_private_key_refuses_the_whole_set),
        cmocka_unit_test(a_malformed_key_refuses_the_whole_set),
        cmocka_unit_test(moduli_outside_2048_to_8192_bits_are_refused),
        cmocka_unit_test(exponents_below_65537_or_even_are_refused),
        cmocka_unit_test(keys_for_other_purposes_are_passed_over),
        cmocka_unit_test(a_kid_has_1_to_128_printable_characters),
        cmocka_unit_test(a_kid_that_comes_twice_makes_both_keys_unusable),
        cmocka_unit_test(sixteen_keys_are_taken_and_seventeen_refused),
        cmocka_unit_test(what_is_no_key_set_is_refused),
        cmocka_unit_test(a_document_beyond_64_kib_is_refused),
    };

    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
