/* Sealed values and the key file they depend on. */
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "crypto/otp.h"
#include "crypto/seal.h"

#define DIGITS "000102030405060708090a0b0c0d0e0f101112131415161718191a1B1C1D1E1F"
#define BASE64 "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

static char folder[] = "/tmp/abdm-seal-XXXXXX";
static char path[sizeof(folder) + 16];


static int
make_folder(void **state)
{
    (void) state;
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(path, sizeof(path), "%s/key", folder);
    return 0;
}


static int
remove_folder(void **state)
{
    (void) state;
    unlink(path);
    return rmdir(folder);
}


static void
write_key(const char *text, size_t len, mode_t mode)
{
    int fd;

    unlink(path);
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, len), len);
    assert_int_equal(fchmod(fd, mode), 0);
    assert_int_equal(close(fd), 0);
}


static abdm_seal_key_t *
load(void)
{
    char problem[ABDM_SEAL_PROBLEM] = "";
    abdm_seal_key_t *key = NULL;

    if (abdm_failed(abdm_seal_key_load(path, &key, problem)))
        fail_msg("%s", problem);
    assert_non_null(key);
    return key;
}


static void
assert_refused(const char *fault)
{
    char problem[ABDM_SEAL_PROBLEM] = "";
    abdm_seal_key_t *key = NULL;

    assert_int_equal(abdm_seal_key_load(path, &key, problem).code, ABDM_E_CONFIG);
    assert_null(key);
    if (strstr(problem, fault) == NULL || strstr(problem, path) == NULL)
        fail_msg("%s: %s", fault, problem);
}


static void
a_sealed_value_opens_with_its_key_and_row_only(void **state)
{
    abdm_seal_key_t *key, *other;
    abdm_buf_t sealed = {0}, plain = {0};
    abdm_str_t row = ABDM_LIT("link_token/7");

    (void) state;
    assert_false(abdm_failed(abdm_seal_key_random(&key)));
    assert_false(abdm_failed(abdm_seal_key_random(&other)));
    assert_false(abdm_failed(abdm_seal(key, row, ABDM_LIT("a secret"), &sealed)));
    assert_int_equal(sealed.len, 8 + ABDM_SEAL_OVERHEAD);
    assert_false(abdm_failed(abdm_unseal(key, row, abdm_buf_str(&sealed), &plain)));
    assert_int_equal(plain.len, 8);
    assert_memory_equal(plain.p, "a secret", 8);

    assert_int_equal(abdm_unseal(other, row, abdm_buf_str(&sealed), &plain).code, ABDM_E_SEAL);
    assert_int_equal(abdm_unseal(key, ABDM_LIT("link_token/8"), abdm_buf_str(&sealed), &plain).code,
                     ABDM_E_SEAL);
    assert_int_equal(abdm_unseal(key, ABDM_LIT(""), abdm_buf_str(&sealed), &plain).code,
                     ABDM_E_SEAL);
    assert_int_equal(plain.len, 8);
    abdm_buf_wipe_free(&plain);
    abdm_buf_free(&sealed);
    abdm_seal_key_free(key);
    abdm_seal_key_free(other);
    abdm_seal_key_free(NULL);
}


static void
any_changed_bit_and_any_cut_is_refused(void **state)
{
    abdm_seal_key_t *key;
    abdm_buf_t sealed = {0}, plain = {0};
    abdm_str_t row = ABDM_LIT("row");

    (void) state;
    assert_false(abdm_failed(abdm_seal_key_random(&key)));
    assert_false(abdm_failed(abdm_seal(key, row, ABDM_LIT("0123456789"), &sealed)));
    for (size_t bit = 0; bit < sealed.len * 8; bit++) {
        sealed.p[bit / 8] ^= (char) (1 << bit % 8);
        assert_int_equal(abdm_unseal(key, row, abdm_buf_str(&sealed), &plain).code, ABDM_E_SEAL);
        sealed.p[bit / 8] ^= (char) (1 << bit % 8);
    }
    for (size_t len = 0; len < sealed.len; len++)
        assert_int_equal(abdm_unseal(key, row, (abdm_str_t){sealed.p, len}, &plain).code,
                         ABDM_E_SEAL);
    assert_int_equal(plain.len, 0);
    assert_false(abdm_failed(abdm_unseal(key, row, abdm_buf_str(&sealed), &plain)));
    abdm_buf_free(&plain);
    abdm_buf_free(&sealed);
    abdm_seal_key_free(key);
}


static void
values_of_all_lengths_come_back_and_never_look_alike(void **state)
{
    abdm_seal_key_t *key;
    uint8_t bytes[300];

    (void) state;
    assert_false(abdm_failed(abdm_seal_key_random(&key)));
    memset(bytes, 'x', sizeof(bytes));
    for (size_t n = 0; n <= sizeof(bytes); n++) {
        abdm_str_t plain = {(char *) bytes, n};
        abdm_buf_t a = {0}, b = {0}, back = {0};

        abdm_buf_addz(&a, "before");
        assert_false(abdm_failed(abdm_seal(key, ABDM_LIT(""), plain, &a)));
        assert_false(abdm_failed(abdm_seal(key, ABDM_LIT(""), plain, &b)));
        assert_int_equal(a.len, n + ABDM_SEAL_OVERHEAD + 6);
        assert_memory_not_equal(a.p + 7, b.p + 1, 12);
        assert_false(abdm_failed(abdm_unseal(key, ABDM_LIT(""), (abdm_str_t){a.p + 6, a.len - 6},
                                             &back)));
        assert_true(abdm_str_eq(abdm_buf_str(&back), plain));
        abdm_buf_free(&a);
        abdm_buf_free(&b);
        abdm_buf_free(&back);
    }
    abdm_seal_key_free(key);
}


static void
both_forms_of_a_key_file_give_the_same_key(void **state)
{
    static const char *const forms[] = {DIGITS, DIGITS "\n", DIGITS "\r\n", BASE64, BASE64 "\n"};
    abdm_buf_t sealed = {0};

    (void) state;
    for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
        abdm_buf_t plain = {0};

        write_key(forms[i], strlen(forms[i]), i % 2 ? 0400 : 0600);
        abdm_seal_key_t *key = load();
        if (i == 0)
            assert_false(abdm_failed(abdm_seal(key, ABDM_LIT("r"), ABDM_LIT("v"), &sealed)));
        assert_false(abdm_failed(abdm_unseal(key, ABDM_LIT("r"), abdm_buf_str(&sealed), &plain)));
        abdm_buf_free(&plain);
        abdm_seal_key_free(key);
    }
    abdm_buf_free(&sealed);
}


static void
a_key_file_open_to_others_is_refused(void **state)
{
    static const mode_t modes[] = {0640, 0604, 0620, 0602, 0660, 0644, 0610, 0601};

    (void) state;
    for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++) {
        write_key(DIGITS, strlen(DIGITS), modes[i]);
        assert_refused("group or others");
    }
}


static void
a_key_file_of_another_form_is_refused(void **state)
{
    static const char *const bad[] = {
        "", "\n", "00", DIGITS "0", DIGITS "\n\n", DIGITS " ", " " DIGITS, DIGITS DIGITS,
        "g" "00102030405060708090a0b0c0d0e0f101112131415161718191a1B1C1D1E1F0",
        "g" "00102030405060708090a0b0c0d0e0f101112131415161718191a1B1C1D1E1F",
        "0g" "0102030405060708090a0b0c0d0e0f101112131415161718191a1B1C1D1E1F",
        "G" "00102030405060708090a0b0c0d0e0f101112131415161718191a1B1C1D1E1F",
        ":" "00102030405060708090a0b0c0d0e0f101112131415161718191a1B1C1D1E1F",
        "/" "00102030405060708090a0b0c0d0e0f101112131415161718191a1B1C1D1E1F",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg==",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gIQ==",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
    };

    (void) state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        write_key(bad[i], strlen(bad[i]), 0600);
        assert_refused("64 hexadecimal digits");
    }
    unlink(path);
    assert_refused("No such file");
}


static void
what_is_not_a_regular_file_is_refused(void **state)
{
    (void) state;
    unlink(path);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_refused("not a regular file");
    assert_int_equal(rmdir(path), 0);

    assert_int_equal(mkfifo(path, 0600), 0); /* must not wait for a writer either */
    assert_refused("not a regular file");
    assert_int_equal(unlink(path), 0);
}


static void
a_long_path_does_not_overflow_the_text(void **state)
{
    char name[PATH_MAX], problem[ABDM_SEAL_PROBLEM + 1];
    abdm_seal_key_t *key;

    (void) state;
    memset(name, 'x', sizeof(name));
    name[sizeof(name) - 1] = '\0';
    problem[ABDM_SEAL_PROBLEM] = '#';
    assert_int_equal(abdm_seal_key_load(name, &key, problem).code, ABDM_E_CONFIG);
    assert_true(strlen(problem) < ABDM_SEAL_PROBLEM);
    assert_int_equal(problem[ABDM_SEAL_PROBLEM], '#');
}


static void
a_new_key_file_is_private_and_never_overwrites(void **state)
{
    char problem[ABDM_SEAL_PROBLEM] = "";
    struct stat st;

    (void) state;
    unlink(path);
    mode_t old = umask(0);
    assert_false(abdm_failed(abdm_seal_key_create(path, problem)));
    umask(old);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(st.st_size, 65);
    abdm_seal_key_free(load());

    assert_int_equal(abdm_seal_key_create(path, problem).code, ABDM_E_CONFIG);
    assert_non_null(strstr(problem, "File exists"));
    abdm_seal_key_free(load());
    unlink(path);
    assert_int_equal(abdm_seal_key_create("/nonexistent/key", problem).code, ABDM_E_CONFIG);
}


/* --- many values --- */

static void
a_sealer_and_its_key_open_each_others_values(void **state)
{
    const abdm_str_t aad = ABDM_LIT("row"), other = ABDM_LIT("other row");
    abdm_sealer_t *sealer;
    abdm_seal_key_t *key;

    (void) state;
    assert_false(abdm_failed(abdm_seal_key_random(&key)));
    assert_false(abdm_failed(abdm_sealer_new(key, &sealer)));
    for (int i = 0; i < 100; i++) { /* more than its stock of nonces */
        abdm_buf_t one = {0}, two = {0}, plain = {0};
        char text[16];

        snprintf(text, sizeof(text), "%.*d", i % 10, i);
        assert_false(abdm_failed(abdm_sealer_seal(sealer, aad, abdm_str(text), &one)));
        assert_false(abdm_failed(abdm_seal(key, aad, abdm_str(text), &two)));
        assert_memory_not_equal(one.p, two.p, ABDM_SEAL_OVERHEAD);
        assert_int_equal(abdm_sealer_unseal(sealer, other, abdm_buf_str(&two), &plain).code,
                         ABDM_E_SEAL); /* and it still works */
        assert_int_equal(plain.len, 0);
        assert_false(abdm_failed(abdm_sealer_unseal(sealer, aad, abdm_buf_str(&two), &plain)));
        assert_true(abdm_str_eq(abdm_buf_str(&plain), abdm_str(text)));
        plain.len = 0;
        assert_false(abdm_failed(abdm_unseal(key, aad, abdm_buf_str(&one), &plain)));
        assert_true(abdm_str_eq(abdm_buf_str(&plain), abdm_str(text)));
        one.p[1] ^= 1;
        assert_int_equal(abdm_sealer_unseal(sealer, aad, abdm_buf_str(&one), &plain).code,
                         ABDM_E_SEAL);
        abdm_buf_free(&one);
        abdm_buf_free(&two);
        abdm_buf_free(&plain);
    }
    abdm_sealer_free(sealer);
    abdm_sealer_free(NULL);
    abdm_seal_key_free(key);
}


static void
a_sealer_never_uses_a_nonce_twice(void **state)
{
    enum { N = 200 };
    static char nonce[N][12];
    abdm_sealer_t *sealer;
    abdm_seal_key_t *key;

    (void) state;
    assert_false(abdm_failed(abdm_seal_key_random(&key)));
    assert_false(abdm_failed(abdm_sealer_new(key, &sealer)));
    for (int i = 0; i < N; i++) {
        abdm_buf_t out = {0};

        assert_false(abdm_failed(abdm_sealer_seal(sealer, ABDM_LIT(""), ABDM_LIT("x"), &out)));
        memcpy(nonce[i], out.p + 1, sizeof(nonce[i]));
        for (int j = 0; j < i; j++)
            assert_memory_not_equal(nonce[i], nonce[j], sizeof(nonce[i]));
        abdm_buf_free(&out);
    }
    abdm_sealer_free(sealer);
    abdm_seal_key_free(key);
}


/* --- keyed hashes and OTPs --- */

/* From another implementation of HKDF and HMAC, for the key 00 01 .. 1f. */
static void
a_keyed_hash_is_hmac_under_the_derived_key(void **state)
{
    char hash[65];

    (void) state;
    write_key(DIGITS, strlen(DIGITS), 0600);
    abdm_seal_key_t *key = load();
    assert_false(abdm_failed(abdm_seal_hash(key, "patient.mobile", "HIP_1",
                                            ABDM_LIT("9876543210"), hash)));
    assert_string_equal(hash, "45fe7e77aa2b45697b2aeefe9063b3a2abb94e4571dceef7efc1d7d004e33b7f");
    abdm_seal_key_free(key);
}


static void
keyed_hashes_differ_by_key_use_scope_and_value(void **state)
{
    static const struct {
        const char *what, *scope, *value;
    } cases[] = {
        {"a", "b", "c"}, {"a", "b", "d"}, {"a", "c", "c"}, {"b", "b", "c"}, {"ab", "", "c"},
        {"", "ab", "c"}, {"a", "", "bc"}, {"a", "bc", ""}, {"", "", "abc"}, {"", "", ""},
    };
    enum { N = sizeof(cases) / sizeof(cases[0]) };
    char hash[2 * N][65], again[65];
    abdm_seal_key_t *key[2];

    (void) state;
    for (size_t k = 0; k < 2; k++) {
        assert_false(abdm_failed(abdm_seal_key_random(&key[k])));
        for (size_t i = 0; i < N; i++) {
            char *out = hash[k * N + i];

            assert_false(abdm_failed(abdm_seal_hash(key[k], cases[i].what, cases[i].scope,
                                                    abdm_str(cases[i].value), out)));
            assert_int_equal(strspn(out, "0123456789abcdef"), 64);
            for (size_t j = 0; j < k * N + i; j++)
                assert_string_not_equal(out, hash[j]);
        }
    }
    assert_false(abdm_failed(abdm_seal_hash(key[0], "a", "b", ABDM_LIT("c"), again)));
    assert_string_equal(again, hash[0]);
    abdm_seal_key_free(key[0]);
    abdm_seal_key_free(key[1]);
}


/* Chi-squared of 60,000 digits by place: 9 degrees of freedom, above 50 once in 1,500,000 runs. */
static void
an_otp_is_six_digits_all_as_likely(void **state)
{
    enum { RUNS = 10000 };
    int seen[6][10] = {0};
    char otp[ABDM_OTP_TEXT];

    (void) state;
    for (int i = 0; i < RUNS; i++) {
        assert_false(abdm_failed(abdm_otp_make(otp)));
        assert_int_equal(strlen(otp), 6);
        for (int place = 0; place < 6; place++) {
            assert_true(otp[place] >= '0' && otp[place] <= '9');
            seen[place][otp[place] - '0']++;
        }
    }
    for (int place = 0; place < 6; place++) {
        double chi = 0;

        for (int digit = 0; digit < 10; digit++) {
            double off = seen[place][digit] - RUNS / 10;
            chi += off * off / (RUNS / 10);
        }
        assert_true(chi < 50);
    }
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sealed_value_opens_with_its_key_and_row_only),
        cmocka_unit_test(any_changed_bit_and_any_cut_is_refused),
        cmocka_unit_test(values_of_all_lengths_come_back_and_never_look_alike),
        cmocka_unit_test(both_forms_of_a_key_file_give_the_same_key),
        cmocka_unit_test(a_key_file_open_to_others_is_refused),
        cmocka_unit_test(a_key_file_of_another_form_is_refused),
        cmocka_unit_test(what_is_not_a_regular_file_is_refused),
        cmocka_unit_test(a_long_path_does_not_overflow_the_text),
        cmocka_unit_test(a_new_key_file_is_private_and_never_overwrites),
        cmocka_unit_test(a_sealer_and_its_key_open_each_others_values),
        cmocka_unit_test(a_sealer_never_uses_a_nonce_twice),
        cmocka_unit_test(a_keyed_hash_is_hmac_under_the_derived_key),
        cmocka_unit_test(keyed_hashes_differ_by_key_use_scope_and_value),
        cmocka_unit_test(an_otp_is_six_digits_all_as_likely),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
