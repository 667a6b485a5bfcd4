/*
 * What the unit tests use of cmocka, for the torture build: an assertion that does not hold is
 * told to the harness with the text of what was looked at, and ends the process.
 */
#ifndef ABDM_TORTURE_CMOCKA_H
#define ABDM_TORTURE_CMOCKA_H

#include <openssl/rsa.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define ABDM_TORTURE

typedef int (*CMFixtureFunction)(void **state);

struct CMUnitTest {
    const char *name;
    void (*run)(void **state);
    CMFixtureFunction setup, teardown;
    void *state;
};

#define cmocka_unit_test(f)                          {#f, f, NULL, NULL, NULL}
#define cmocka_unit_test_setup(f, setup)             {#f, f, setup, NULL, NULL}
#define cmocka_unit_test_teardown(f, teardown)       {#f, f, NULL, teardown, NULL}
#define cmocka_unit_test_setup_teardown(f, up, down) {#f, f, up, down, NULL}
#define cmocka_unit_test_prestate(f, state)          {#f, f, NULL, NULL, state}
#define cmocka_unit_test_prestate_setup_teardown(f, up, down, state) {#f, f, up, down, state}
#define cmocka_run_group_tests(tests, up, down)                                                    \
    torture_run(tests, sizeof(tests) / sizeof((tests)[0]), up, down)

int torture_run(const struct CMUnitTest *tests, size_t n, CMFixtureFunction up,
                CMFixtureFunction down);
_Noreturn void torture_skip(void);
int torture_patience(int ms);
EVP_PKEY *torture_rsa_key(unsigned bits);
void torture_print(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A directory that goes when the process of its test has ended, in whatever way. */
char *torture_made(char *path);
#define mkdtemp(path) torture_made(mkdtemp(path))

/* Two numbers that should be equal and are not; something that should hold and does not;
 * something that was made and is not what it should be. */
void torture_number(intmax_t got, intmax_t want, const char *what, const char *file, int line);
void torture_holds(int holds, const char *what, const char *file, int line);
void torture_same(int same, const char *what, const char *file, int line);

#undef EVP_RSA_gen
#define EVP_RSA_gen(bits) torture_rsa_key(bits)

#define TORTURE_(kind, ok, text) torture_##kind((ok) ? 1 : 0, text, __FILE__, __LINE__)

#define assert_true(c)            TORTURE_(holds, (c), #c)
#define assert_false(c)           TORTURE_(holds, !(c), #c)
#define assert_non_null(c)        TORTURE_(holds, (c) != NULL, #c)
#define assert_null(c)            TORTURE_(same, (c) == NULL, #c)
#define assert_ptr_equal(a, b)    TORTURE_(same, (const void *) (a) == (const void *) (b), #a)
#define assert_ptr_not_equal(a, b) TORTURE_(same, (const void *) (a) != (const void *) (b), #a)
#define assert_int_equal(a, b)                                                                     \
    torture_number((intmax_t) (a), (intmax_t) (b), #a, __FILE__, __LINE__)
#define assert_int_not_equal(a, b) TORTURE_(same, (intmax_t) (a) != (intmax_t) (b), #a)
#define assert_in_range(a, min, max)                                                               \
    TORTURE_(same, torture_within((uintmax_t) (a), (uintmax_t) (min), (uintmax_t) (max)), #a)
#define assert_string_equal(a, b)  torture_text(a, b, #a, __FILE__, __LINE__)
#define assert_string_not_equal(a, b) TORTURE_(same, !torture_equal(a, b), #a)
#define assert_memory_equal(a, b, n) TORTURE_(same, memcmp(a, b, n) == 0, #a)
#define assert_memory_not_equal(a, b, n) TORTURE_(same, memcmp(a, b, n) != 0, #a)
#define fail()                     torture_holds(0, "fail", __FILE__, __LINE__)
#define fail_msg(...)              (torture_print(__VA_ARGS__), fail())
#define skip()                     torture_skip()
#define print_message(...)         torture_print(__VA_ARGS__)
#define print_error(...)           torture_print(__VA_ARGS__)


/* A text that is not there is what functions say that give texts and failed. */
static inline void
torture_text(const char *a, const char *b, const char *what, const char *file, int line)
{
    torture_holds(a != NULL, what, file, line);
    torture_same(b != NULL && strcmp(a, b) == 0, what, file, line);
}


static inline int
torture_within(uintmax_t a, uintmax_t min, uintmax_t max)
{
    return a >= min && a <= max;
}


static inline int
torture_equal(const char *a, const char *b)
{
    return a != NULL && b != NULL && strcmp(a, b) == 0;
}

#endif
