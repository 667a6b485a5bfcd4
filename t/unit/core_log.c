/* Log lines: bounded, one line each; nothing from outside breaks out of them, and no person is in them. */
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


static abdm_err_t
mark(const void *ctx, const char *id, char out[ABDM_LOG_MARK])
{
    (void) ctx;
    if (id[0] == '?')
        return ABDM_ERR(CRYPTO, "");
    snprintf(out, ABDM_LOG_MARK, "~%012x", (unsigned) strlen(id));
    return ABDM_NO_ERR;
}


/* The line of one field with this text. */
static const char *
line_of(sink_t *s, abdm_log_kind_t kind, const char *text)
{
    const abdm_log_t log = {keep, s, mark, NULL};
    const abdm_log_field_t fields[] = {{"f", kind, 0, text}, {0}};

    abdm_log_fields(&log, ABDM_LOG_INFO, "", fields);
    return s->line;
}

#define ASSERT_LINE(kind, text, want)                                                              \
    do {                                                                                           \
        sink_t s_ = {0};                                                                           \
        assert_string_equal(line_of(&s_, kind, text), "f=" want);                                  \
    } while (0)


static void
a_line_reaches_the_sink_with_its_level(void **state)
{
    sink_t s = {0};
    abdm_log_t log = {.write = keep, .ctx = &s};

    (void) state;
    abdm_log(&log, ABDM_LOG_WARN, "push", ABDM_LOG_NUMBER("page", 3), ABDM_LOG_WORD("of", "x"),
             ABDM_LOG_WORDS("text", "y z"), ABDM_LOG_WORDS("", "and so"), ABDM_LOG_WORD("", "on"));
    assert_string_equal(s.line, "push page=3 of=x text=\"y z\" and so; on");
    assert_int_equal(s.level, ABDM_LOG_WARN);
    assert_int_equal(s.lines, 1);
}


static void
an_id_that_is_no_uuid_is_never_told(void **state)
{
    sink_t s = {0};
    abdm_log_t log = {.write = keep, .ctx = &s};

    (void) state;
    ASSERT_LINE(ABDM_LOG_IS_ID, "7d8e6b1c-0c55-4f5b-9d43-2f3f3f1b0a01",
                "7d8e6b1c-0c55-4f5b-9d43-2f3f3f1b0a01");
    ASSERT_LINE(ABDM_LOG_IS_ID, "UH200123", "~000000000008");
    ASSERT_LINE(ABDM_LOG_IS_ID, "asha.k@sbx", "~00000000000a");
    ASSERT_LINE(ABDM_LOG_IS_ID, "91111222233334", "~00000000000e");
    ASSERT_LINE(ABDM_LOG_IS_ID, "x7d8e6b1c-0c55-4f5b-9d43-2f3f3f1b0a01", "~000000000025");
    ASSERT_LINE(ABDM_LOG_IS_ID, "?", "~");
    ASSERT_LINE(ABDM_LOG_IS_ID, "", "");
    ASSERT_LINE(ABDM_LOG_IS_ID, NULL, "");
    abdm_log(&log, ABDM_LOG_INFO, "", ABDM_LOG_ID("f", "UH200123"));
    assert_string_equal(s.line, "f=~"); /* without a key */
}


static void
a_word_is_one_name_and_nothing_else(void **state)
{
    static const char *const words[] = {
        "IN0990001234_1", "/api/v3/link/carecontext", "transfer.requested", "https://h:8443/k?a=b",
        "/entry/0/resource/code", "1016", "12:00ff", "",
    };
    static const char *const others[] = {
        "Asha Kumari", "asha.k@sbx", "a\nb", "a\"", "\xe0\xa4\x94", "a\\x", "<a>", "a;b",
    };
    char text[257];

    (void) state;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        sink_t s = {0};
        assert_string_equal(line_of(&s, ABDM_LOG_IS_WORD, words[i]) + 2, words[i]);
    }
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        ASSERT_LINE(ABDM_LOG_IS_WORD, others[i], "*");
    memset(text, 'x', sizeof(text) - 1);
    text[256] = '\0';
    ASSERT_LINE(ABDM_LOG_IS_WORD, text, "*");
}


static void
words_lose_addresses_long_numbers_and_what_no_line_may_have(void **state)
{
    (void) state;
    ASSERT_LINE(ABDM_LOG_IS_WORDS, "data held: new host of the requester's (2)",
                "\"data held: new host of the requester's (2)\"");
    ASSERT_LINE(ABDM_LOG_IS_WORDS, "requester=IN0880005678_1 host=hiu.example.in",
                "\"requester=IN0880005678_1 host=hiu.example.in\"");
    ASSERT_LINE(ABDM_LOG_IS_WORDS, "of 7d8e6b1c-0c55-4f5b-9d43-123456789012, 2026-03-05",
                "\"of 7d8e6b1c-0c55-4f5b-9d43-123456789012, 2026-03-05\"");
    ASSERT_LINE(ABDM_LOG_IS_WORDS, "of asha.k@sbx", "\"of *\"");
    ASSERT_LINE(ABDM_LOG_IS_WORDS, "to 9000000001 x", "\"to * x\"");
    ASSERT_LINE(ABDM_LOG_IS_WORDS, "to +919000000001", "\"to *\"");
    ASSERT_LINE(ABDM_LOG_IS_WORDS, "mobile=9000000001,", "\"*\"");
    ASSERT_LINE(ABDM_LOG_IS_WORDS, "a 91-1112-2223-3334", "\"a *\"");
    ASSERT_LINE(ABDM_LOG_IS_WORDS, "7d8e6b1c-0c55-4f5b-9d43-123456789012-91111222233334", "\"*\"");
    ASSERT_LINE(ABDM_LOG_IS_WORDS, "a \xe0\xa4\x94 b", "\"a * b\"");
    ASSERT_LINE(ABDM_LOG_IS_WORDS, "a \" b\r\nc", "\"a * *\"");
    ASSERT_LINE(ABDM_LOG_IS_WORDS,
                "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJhIjoxfQ.eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXV",
                "\"*\"");
    ASSERT_LINE(ABDM_LOG_IS_WORDS, NULL, "\"\"");
}


static void
control_bytes_and_backslashes_of_an_error_are_escaped(void **state)
{
    sink_t s = {0};
    abdm_log_t log = {.write = keep, .ctx = &s};
    abdm_err_t err = {ABDM_E_JSON, "a\r\nb\x1b[2J\x7f\\\xc2\x85", "x.c:1"};

    (void) state;
    abdm_log_err(&log, ABDM_LOG_INFO, err, ABDM_LOG_NUMBER("n", -1));
    assert_non_null(strstr(s.line, ": a\\x0d\\x0ab\\x1b[2J\\x7f\\x5c\\xc2\\x85 (x.c:1); n=-1"));
}


static void
a_line_is_at_most_a_kilobyte_and_never_ends_in_half_an_escape(void **state)
{
    sink_t s = {0};
    abdm_log_t log = {.write = keep, .ctx = &s};
    char long_text[3000];

    (void) state;
    memset(long_text, 'x', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    abdm_log_err(&log, ABDM_LOG_ERROR, ABDM_ERR(JSON, long_text), ABDM_LOG_WORD("ctx", "x"));
    assert_int_equal(strlen(s.line), 1023);

    for (size_t i = 1; i < sizeof long_text; i += 2)
        long_text[i - 1] = ' ';
    abdm_log(&log, ABDM_LOG_INFO, "", ABDM_LOG_WORDS("", long_text));
    assert_int_equal(strlen(s.line), 1023);

    memset(long_text, '\n', sizeof long_text - 1);
    abdm_log_err(&log, ABDM_LOG_ERROR, ABDM_ERR(JSON, long_text), ABDM_LOG_WORD("ctx", "x"));
    assert_true(strlen(s.line) < 1024);
    assert_int_equal((strlen(s.line) - (size_t) (strchr(s.line, '\\') - s.line)) % 4, 0);
}


static void
an_error_is_told_with_code_meaning_fault_place_and_context(void **state)
{
    sink_t s = {0};
    abdm_log_t log = {.write = keep, .ctx = &s};
    abdm_err_t err = {ABDM_E_KEY_EXPIRED, "keyMaterial.expiry: past", "lib/flow/transfer.c:12"};

    (void) state;
    abdm_log_err(&log, ABDM_LOG_ERROR, err,
                 ABDM_LOG_ID("transfer", "0f9e4f4a-88a5-4fd2-a4c8-6e5c3a5a0b01"));
    assert_string_equal(s.line, "E_KEY_EXPIRED: the requester's key is past its expiry: "
                                "keyMaterial.expiry: past (transfer.c:12); "
                                "transfer=0f9e4f4a-88a5-4fd2-a4c8-6e5c3a5a0b01");
}


static void
a_missing_sink_or_text_is_no_fault(void **state)
{
    sink_t s = {0};
    abdm_log_t log = {.write = keep, .ctx = &s}, none = {.write = NULL};
    abdm_err_t bare = {ABDM_E_STOPPING, NULL, NULL};

    (void) state;
    abdm_log(NULL, ABDM_LOG_INFO, "x", ABDM_LOG_NUMBER("n", 1));
    abdm_log(&none, ABDM_LOG_INFO, "x", ABDM_LOG_NUMBER("n", 1));
    abdm_log_err(NULL, ABDM_LOG_INFO, ABDM_ERR(JSON, "x"), ABDM_LOG_NUMBER("n", 1));
    abdm_log_err(&none, ABDM_LOG_INFO, ABDM_ERR(JSON, "x"), ABDM_LOG_NUMBER("n", 1));
    abdm_log_err(&log, ABDM_LOG_INFO, bare, ABDM_LOG_WORD("w", NULL));
    assert_string_equal(s.line, "E_STOPPING: the worker is shutting down:  (); w=");
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_reaches_the_sink_with_its_level),
        cmocka_unit_test(an_id_that_is_no_uuid_is_never_told),
        cmocka_unit_test(a_word_is_one_name_and_nothing_else),
        cmocka_unit_test(words_lose_addresses_long_numbers_and_what_no_line_may_have),
        cmocka_unit_test(control_bytes_and_backslashes_of_an_error_are_escaped),
        cmocka_unit_test(a_line_is_at_most_a_kilobyte_and_never_ends_in_half_an_escape),
        cmocka_unit_test(an_error_is_told_with_code_meaning_fault_place_and_context),
        cmocka_unit_test(a_missing_sink_or_text_is_no_fault),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
