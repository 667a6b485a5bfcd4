/*
 * Date-times of the wire: a hand-written grammar instead of strptime, which depends on locale
 * and zone. Days are counted by the proleptic Gregorian calendar, years 0001 to 9999.
 */
#include "core/fault.h"
#include "core/time.h"

#include <stdio.h>
#include <time.h>

enum { MS_PER_DAY = 86400000 };

static const abdm_ms_t FIRST = -62135596800000;  /* 0001-01-01T00:00:00.000Z */
static const abdm_ms_t LAST = 253402300799999;   /* 9999-12-31T23:59:59.999Z */

typedef struct {
    const char *p;
    const char *end;
} scan_t;


static abdm_ms_t
clock_ms(clockid_t id)
{
    struct timespec ts = {0};

    clock_gettime(id, &ts); /* cannot fail for these two clocks */
    return (abdm_ms_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}


abdm_ms_t
abdm_time_now(void)
{
    return clock_ms(CLOCK_REALTIME) + abdm_fault_clock();
}


abdm_ms_t
abdm_time_monotonic(void)
{
    return clock_ms(CLOCK_MONOTONIC);
}


/* Exactly n digits. */
static bool
digits(scan_t *s, int n, int *out)
{
    int v = 0;

    if (s->end - s->p < n)
        return false;
    for (int i = 0; i < n; i++) {
        char c = *s->p++;
        if (c < '0' || c > '9')
            return false;
        v = v * 10 + (c - '0');
    }
    *out = v;
    return true;
}


static bool
literal(scan_t *s, char c)
{
    if (s->p == s->end || *s->p != c)
        return false;
    s->p++;
    return true;
}


static int
days_in_month(int y, int m)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;

    return m == 2 && leap ? 29 : days[m - 1];
}


/* Days since 1970-01-01; years start in March here, so that the leap day comes last. */
static int64_t
days_from_civil(int y, int m, int d)
{
    y -= m <= 2;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t yoe = y - era * 400;
    int64_t doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
    int64_t doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;

    return era * 146097 + doe - 719468;
}


static bool
read_date(scan_t *s, int64_t *day)
{
    int y, m, d;

    if (!digits(s, 4, &y) || !literal(s, '-') || !digits(s, 2, &m) || !literal(s, '-') ||
        !digits(s, 2, &d))
        return false;
    if (y < 1 || m < 1 || m > 12 || d < 1 || d > days_in_month(y, m))
        return false;
    *day = days_from_civil(y, m, d);
    return true;
}


/* Milliseconds of the day; digits beyond the third are cut, as finer time is not kept. A leap
 * second counts as the first one of the next minute. */
static bool
read_clock(scan_t *s, abdm_ms_t *ms)
{
    int h, m, sec, frac = 0, n = 0;

    if (!digits(s, 2, &h) || !literal(s, ':') || !digits(s, 2, &m) || !literal(s, ':') ||
        !digits(s, 2, &sec))
        return false;
    if (h > 23 || m > 59 || sec > 60)
        return false;
    if (literal(s, '.')) {
        for (; s->p < s->end && *s->p >= '0' && *s->p <= '9'; s->p++, n++) {
            if (n < 3)
                frac = frac * 10 + (*s->p - '0');
        }
        if (n < 1 || n > 9)
            return false;
        for (; n < 3; n++)
            frac *= 10;
    }
    *ms = ((abdm_ms_t) h * 3600 + m * 60 + sec) * 1000 + frac;
    return true;
}


static bool
read_zone(scan_t *s, abdm_ms_t *offset)
{
    int h, m;

    *offset = 0;
    if (s->p == s->end || literal(s, 'Z'))
        return true;

    bool minus = literal(s, '-');
    if (!minus && !literal(s, '+'))
        return false;
    if (!digits(s, 2, &h))
        return false;
    (void) literal(s, ':'); /* +05:30 and +0530 are both seen */
    if (!digits(s, 2, &m) || h > 23 || m > 59)
        return false;
    *offset = ((abdm_ms_t) h * 60 + m) * (minus ? -60000 : 60000);
    return true;
}


abdm_err_t
abdm_time_parse(abdm_str_t text, abdm_ms_t *out)
{
    scan_t s = {text.p, text.len == 0 ? text.p : text.p + text.len};
    abdm_ms_t ms = 0, offset = 0;
    int64_t day;

    if (!read_date(&s, &day))
        return ABDM_ERR(FIELD, "date-time: YYYY-MM-DD expected");
    if (s.p < s.end) {
        if (!literal(&s, 'T') && !literal(&s, ' '))
            return ABDM_ERR(FIELD, "date-time: T expected after the date");
        if (!read_clock(&s, &ms))
            return ABDM_ERR(FIELD, "date-time: HH:MM:SS[.fraction] expected");
        if (!read_zone(&s, &offset) || s.p != s.end)
            return ABDM_ERR(FIELD, "date-time: Z or an offset expected at the end");
    }

    abdm_ms_t t = day * MS_PER_DAY + ms - offset;
    if (t < FIRST || t > LAST)
        return ABDM_ERR(FIELD, "date-time: outside the years 1 to 9999");
    *out = t;
    return ABDM_NO_ERR;
}


void
abdm_time_format(abdm_ms_t t, char out[ABDM_TIME_TEXT])
{
    if (t < FIRST)
        t = FIRST;
    if (t > LAST)
        t = LAST;

    int64_t day = t / MS_PER_DAY;
    int64_t ms = t % MS_PER_DAY;
    if (ms < 0) {
        ms += MS_PER_DAY;
        day--;
    }

    /* The inverse of days_from_civil. The remainders below change no value: they show the
     * compiler that the text has its 24 characters. */
    int64_t z = day + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;
    unsigned d = (unsigned) (doy - (153 * mp + 2) / 5 + 1) % 32;
    unsigned m = (unsigned) (mp < 10 ? mp + 3 : mp - 9) % 13;
    unsigned y = (unsigned) (yoe + era * 400 + (m <= 2)) % 10000;
    unsigned sec = (unsigned) (ms / 1000);

    snprintf(out, ABDM_TIME_TEXT, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ", y, m, d, sec / 3600 % 24,
             sec / 60 % 60, sec % 60, (unsigned) (ms % 1000));
}
