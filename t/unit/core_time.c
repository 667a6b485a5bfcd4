/* Every form of date-time of the wire, what is none, and the one form that is written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <time.h>

#include "core/time.h"

static void
every_form_of_the_wire_is_read(void **state)
{
    static const struct {
        const char *text;
        abdm_ms_t ms;
    } rows[] = {
        {"2026-03-05T09:20:11.120Z", 1772702411120},
        {"2026-03-05T09:20:11Z", 1772702411000},
        {"2026-03-05T09:20:11.120456", 1772702411120},
        {"2026-03-05T09:20:11.120456789", 1772702411120},
        {"2026-03-05T09:20:11.1", 1772702411100},
        {"2026-03-05T09:20:11.12Z", 1772702411120},
        {"2026-03-05T09:20:11", 1772702411000},
        {"2026-03-05 09:20:11.120", 1772702411120},
        {"2026-03-05T14:50:11.120+05:30", 1772702411120},
        {"2026-03-05T14:50:11.120+0530", 1772702411120},
        {"2026-03-05T04:20:11.120-05:00", 1772702411120},
        {"2026-03-05", 1772668800000},
        {"1970-01-01T00:00:00Z", 0},
        {"1969-12-31T23:59:59.999Z", -1},
        {"2000-02-29T00:00:00Z", 951782400000},
        {"2024-02-29", 1709164800000},
        {"2038-01-19T03:14:08Z", 2147483648000},
        {"2016-12-31T23:59:60Z", 1483228800000},
        {"0001-01-01", -62135596800000},
        {"9999-12-31T23:59:59.999Z", 253402300799999},
    };

    (void) state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        abdm_ms_t t = 42;
        if (abdm_failed(abdm_time_parse(abdm_str(rows[i].text), &t)) || t != rows[i].ms)
            fail_msg("%s: %lld", rows[i].text, (long long) t);
    }
}


static void
anything_else_is_refused_and_leaves_the_output_alone(void **state)
{
    static const abdm_str_t bad[] = {
        ABDM_LIT(""), ABDM_LIT(" "), ABDM_LIT("2026"), ABDM_LIT("2026-03"), ABDM_LIT("2026-3-5"),
        ABDM_LIT("2026-13-01"), ABDM_LIT("2026-00-01"), ABDM_LIT("2026-01-00"),
        ABDM_LIT("2026-02-29"), ABDM_LIT("1900-02-29"), ABDM_LIT("2026-04-31"),
        ABDM_LIT("0000-01-01"), ABDM_LIT("2026-03-05T"), ABDM_LIT("2026-03-05T09"),
        ABDM_LIT("2026-03-05T09:20"), ABDM_LIT("2026-03-05T24:00:00Z"),
        ABDM_LIT("2026-03-05T09:60:00Z"), ABDM_LIT("2026-03-05T09:20:61Z"),
        ABDM_LIT("2026-03-05T09:20:11."), ABDM_LIT("2026-03-05T09:20:11.Z"),
        ABDM_LIT("2026-03-05T09:20:11.1234567890Z"), ABDM_LIT("2026-03-05T09:20:11,120Z"),
        ABDM_LIT("2026-03-05T09:20:11ZZ"), ABDM_LIT("2026-03-05T09:20:11Z "),
        ABDM_LIT(" 2026-03-05T09:20:11Z"), ABDM_LIT("2026-03-05t09:20:11Z"),
        ABDM_LIT("2026-03-05T09:20:11z"), ABDM_LIT("2026-03-05T09:20:11+5:30"),
        ABDM_LIT("2026-03-05T09:20:11+05"), ABDM_LIT("2026-03-05T09:20:11+24:00"),
        ABDM_LIT("2026-03-05T09:20:11+05:60"), ABDM_LIT("2026-03-05T09:20:11 IST"),
        ABDM_LIT("2026-03-05Z"), ABDM_LIT("2026-03-05T09:20:11\0Z"), ABDM_LIT("-026-03-05"),
        ABDM_LIT("0001-01-01T00:00:00+05:30"), ABDM_LIT("9999-12-31T23:59:59-05:30"),
        ABDM_LIT("20260305T092011Z"), ABDM_LIT("1772702411120"),
    };

    (void) state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        abdm_ms_t t = 42;
        if (abdm_time_parse(bad[i], &t).code != ABDM_E_FIELD || t != 42)
            fail_msg("row %zu: %.*s", i, (int) bad[i].len, bad[i].p);
    }
}


static void
the_written_form_has_milliseconds_and_z(void **state)
{
    char text[ABDM_TIME_TEXT];

    (void) state;
    abdm_time_format(1772702411120, text);
    assert_string_equal(text, "2026-03-05T09:20:11.120Z");
    abdm_time_format(0, text);
    assert_string_equal(text, "1970-01-01T00:00:00.000Z");
    abdm_time_format(-1, text);
    assert_string_equal(text, "1969-12-31T23:59:59.999Z");
    abdm_time_format(INT64_MAX, text);
    assert_string_equal(text, "9999-12-31T23:59:59.999Z");
    abdm_time_format(INT64_MIN, text);
    assert_string_equal(text, "0001-01-01T00:00:00.000Z");
}


static void
what_is_written_agrees_with_the_c_library_and_is_read_back(void **state)
{
    char text[ABDM_TIME_TEXT], libc[32];

    (void) state;
    for (abdm_ms_t t = -62135596800000; t <= 253402300799999; t += 86400000LL * 37 + 12345678) {
        abdm_ms_t back;
        struct tm tm;
        time_t s = (time_t) ((t - ((t % 1000) + 1000) % 1000) / 1000);
        abdm_time_format(t, text);
        assert_int_equal(abdm_time_parse(abdm_str(text), &back).code, ABDM_OK);
        assert_true(back == t);
        assert_non_null(gmtime_r(&s, &tm));
        if (tm.tm_year >= -900) { /* strftime writes fewer digits before the year 1000 */
            strftime(libc, sizeof libc, "%Y-%m-%dT%H:%M:%S", &tm);
            assert_memory_equal(text, libc, 19);
        }
    }
}


static void
the_clocks_run(void **state)
{
    (void) state;
    assert_true(abdm_time_now() > 1700000000000);
    abdm_ms_t a = abdm_time_monotonic();
    assert_true(abdm_time_monotonic() >= a);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_of_the_wire_is_read),
        cmocka_unit_test(anything_else_is_refused_and_leaves_the_output_alone),
        cmocka_unit_test(the_written_form_has_milliseconds_and_z),
        cmocka_unit_test(what_is_written_agrees_with_the_c_library_and_is_read_back),
        cmocka_unit_test(the_clocks_run),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
