/* Log lines: bounded, one line each, and nothing from outside can break out of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "core/log.h"

typedef struct {
    char line[4096];
    abdm_log_level_t level;
    int lines;
} sink_t;


static void
keep(void *ctx, abdm_log_level_t level, const char *line)
{
    sink_t *s = ctx;

    snprintf(s->line, sizeof s->line, "%s", line);
    s->level = level;
    s->lines++;
}


static void
a_line_reaches_the_sink_with_its_level(void **state)
{
    sink_t s = {0};
    abdm_log_t log = {keep, &s};

    (void) state;
    abdm_log(&log, ABDM_LOG_WARN, "page=%d of %s", 3, "x");
    assert_string_equal(s.line, "page=3 of x");
    assert_int_equal(s.level, ABDM_LOG_WARN);
    assert_int_equal(s.lines, 1);
}


static void
control_bytes_and_backslashes_are_escaped(void **state)
{
    sink_t s = {0};
    abdm_log_t log = {keep, &s};

    (void) state;
    abdm_log(&log, ABDM_LOG_INFO, "%s", "a\r\nb\x1b[2J\x7f\\\xc2\x85");
    assert_string_equal(s.line, "a\\x0d\\x0ab\\x1b[2J\\x7f\\x5c\\xc2\\x85");
}


static void
a_line_is_at_most_a_kilobyte_and_never_ends_in_half_an_escape(void **state)
{
    sink_t s = {0};
    abdm_log_t log = {keep, &s};
    char long_text[3000];

    (void) state;
    memset(long_text, 'x', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    abdm_log(&log, ABDM_LOG_INFO, "%s", long_text);
    assert_int_equal(strlen(s.line), 1023);

    memset(long_text, '\n', sizeof long_text - 1);
    abdm_log(&log, ABDM_LOG_INFO, "%s", long_text);
    assert_true(strlen(s.line) < 1024);
    assert_int_equal(strlen(s.line) % 4, 0);

    abdm_log_err(&log, ABDM_LOG_ERROR, ABDM_ERR(JSON, long_text), "%s", "ctx");
    assert_true(strlen(s.line) < 1024);
}


static void
an_error_is_told_with_code_meaning_fault_place_and_context(void **state)
{
    sink_t s = {0};
    abdm_log_t log = {keep, &s};
    abdm_err_t err = {ABDM_E_KEY_EXPIRED, "keyMaterial.expiry: past", "lib/flow/transfer.c:12"};

    (void) state;
    abdm_log_err(&log, ABDM_LOG_ERROR, err, "transfer=%s", "t1");
    assert_string_equal(s.line, "E_KEY_EXPIRED: the requester's key is past its expiry: "
                                "keyMaterial.expiry: past (transfer.c:12); transfer=t1");
}


static void
a_missing_sink_or_text_is_no_fault(void **state)
{
    sink_t s = {0};
    abdm_log_t log = {keep, &s}, none = {NULL, NULL};

    (void) state;
    abdm_log(NULL, ABDM_LOG_INFO, "x");
    abdm_log(&none, ABDM_LOG_INFO, "x");
    abdm_log_err(NULL, ABDM_LOG_INFO, ABDM_ERR(JSON, "x"), "x");
    abdm_log_err(&none, ABDM_LOG_INFO, ABDM_ERR(JSON, "x"), "x");
    abdm_log_err(&log, ABDM_LOG_INFO, (abdm_err_t){ABDM_E_STOPPING, NULL, NULL}, "%s", "");
    assert_string_equal(s.line, "E_STOPPING: the worker is shutting down:  (); ");
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_reaches_the_sink_with_its_level),
        cmocka_unit_test(control_bytes_and_backslashes_are_escaped),
        cmocka_unit_test(a_line_is_at_most_a_kilobyte_and_never_ends_in_half_an_escape),
        cmocka_unit_test(an_error_is_told_with_code_meaning_fault_place_and_context),
        cmocka_unit_test(a_missing_sink_or_text_is_no_fault),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
