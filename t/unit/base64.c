/* base64 against OpenSSL's encoder and against the texts that a strict decoder must refuse. */
#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/buf.h"

enum { LONGEST = 700 };


static void
rfc_4648_vectors_agree(void **state)
{
    static const struct {
        const char *plain, *text, *url;
    } vectors[] = {
        {"", "", ""}, {"f", "Zg==", "Zg"}, {"fo", "Zm8=", "Zm8"}, {"foo", "Zm9v", "Zm9v"},
        {"foob", "Zm9vYg==", "Zm9vYg"}, {"fooba", "Zm9vYmE=", "Zm9vYmE"},
        {"foobar", "Zm9vYmFy", "Zm9vYmFy"}, {"\xfb\xff\xfe", "+//+", "-__-"},
    };

    (void) state;
    for (size_t i = 0; i < sizeof(vectors) / sizeof(*vectors); i++) {
        size_t n = strlen(vectors[i].plain), len = 99;
        char text[16];
        uint8_t bytes[16];

        assert_int_equal(abdm_base64_len(n), strlen(vectors[i].text));
        assert_int_equal(abdm_base64_encode(vectors[i].plain, n, text), strlen(vectors[i].text));
        assert_memory_equal(text, vectors[i].text, strlen(vectors[i].text));
        assert_true(abdm_base64_decode(abdm_str(vectors[i].text), bytes, n, &len));
        assert_int_equal(len, n);
        assert_memory_equal(bytes, vectors[i].plain, n);
        assert_true(abdm_base64url_decode(abdm_str(vectors[i].url), bytes, n, &len));
        assert_int_equal(len, n);
        assert_memory_equal(bytes, vectors[i].plain, n);
    }
}


static void
every_length_agrees_with_openssl_and_comes_back(void **state)
{
    uint8_t *want = malloc(LONGEST * 2);

    (void) state;
    assert_non_null(want);
    for (size_t n = 1; n <= LONGEST; n++) {
        /* Exact allocations: a read or a write too far is seen by the sanitizer. */
        uint8_t *plain = malloc(n), *back = malloc(n);
        size_t size = abdm_base64_len(n), len;
        char *text = malloc(size);

        assert_non_null(plain);
        assert_non_null(back);
        assert_non_null(text);
        for (size_t i = 0; i < n; i++)
            plain[i] = (uint8_t) (i * 167 + n * 13 + (i >> 3));
        assert_int_equal(EVP_EncodeBlock(want, plain, (int) n), size);
        assert_int_equal(abdm_base64_encode(plain, n, text), size);
        assert_memory_equal(text, want, size);
        assert_true(abdm_base64_decode((abdm_str_t){text, size}, back, n, &len));
        assert_int_equal(len, n);
        assert_memory_equal(back, plain, n);
        assert_false(abdm_base64_decode((abdm_str_t){text, size}, back, n - 1, &len));
        free(plain);
        free(back);
        free(text);
    }
    free(want);
}


static void
every_sextet_is_encoded_in_every_place(void **state)
{
    uint8_t plain[48], want[80];
    char text[80];

    (void) state;
    for (unsigned v = 0; v < 256; v++) {
        for (size_t at = 0; at < sizeof(plain); at++) {
            memset(plain, (int) (255 - v), sizeof(plain));
            plain[at] = (uint8_t) v;
            EVP_EncodeBlock(want, plain, sizeof(plain));
            assert_int_equal(abdm_base64_encode(plain, sizeof(plain), text), 64);
            assert_memory_equal(text, want, 64);
        }
    }
}


static void
texts_that_are_not_strict_are_refused(void **state)
{
    static const char *const bad[] = {
        "Z", "Zg", "Zg=", "Zm8", "=", "==", "===", "====", "Z===", "Zg=A", "Zg==Zg==", "Zm8=Zm8=",
        "Zm9v\n", "Zm9v\n\n\n\n", " Zm9v", "Zm 9v===", "Zm9-", "Zm9_", "Zm9\x80", "Zm9\xff", "Zh==",
        "Zm9=", "Zg\0=", "Zm9v====", "Zm9vZ===",
    };
    static const char *const bad_url[] = {"Z", "Zm9vZ", "Zg==", "Zm8=", "Zm9+", "Zm9/", "Zh", "Zm9",
                                          "Zm9v ", "Zm9v\n", "Zm.v"};
    uint8_t out[32];
    size_t len;

    (void) state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        if (abdm_base64_decode(abdm_str(bad[i]), out, sizeof(out), &len))
            fail_msg("accepted: %s", bad[i]);
    }
    for (size_t i = 0; i < sizeof(bad_url) / sizeof(*bad_url); i++) {
        if (abdm_base64url_decode(abdm_str(bad_url[i]), out, sizeof(out), &len))
            fail_msg("accepted as url form: %s", bad_url[i]);
    }
    assert_false(abdm_base64_decode(ABDM_LIT("Zg=\0"), out, sizeof(out), &len));
}


static void
each_text_of_four_characters_has_one_value_at_most(void **state)
{
    static const char some[] = "AQgZz9+/=-_\n";
    uint8_t out[4];
    char text[4], again[4];
    size_t n = sizeof(some) - 1, len;

    (void) state;
    for (size_t i = 0; i < n * n * n * n; i++) {
        size_t v = i;
        for (int k = 0; k < 4; k++, v /= n)
            text[k] = some[v % n];
        if (!abdm_base64_decode((abdm_str_t){text, 4}, out, sizeof(out), &len))
            continue;
        assert_int_equal(abdm_base64_encode(out, len, again), 4);
        assert_memory_equal(again, text, 4);
    }
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc_4648_vectors_agree),
        cmocka_unit_test(every_length_agrees_with_openssl_and_comes_back),
        cmocka_unit_test(every_sextet_is_encoded_in_every_place),
        cmocka_unit_test(texts_that_are_not_strict_are_refused),
        cmocka_unit_test(each_text_of_four_characters_has_one_value_at_most),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
