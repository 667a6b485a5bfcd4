/*
 * The push guard against t/data/push_urls.tsv and t/data/push_addresses.tsv: every line is read,
 * judged, and must come out as it says; each URL also stands at the end of its memory, and what
 * passes must be the very bytes that were given. Run from the project's root.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <arpa/inet.h>

#include "core/url_guard.h"

enum { URLS_LEAST = 500, ADDRESSES_LEAST = 80 };

typedef struct {
    char *verdict, *value, *why;
} line_t;

typedef void (*line_fn)(const line_t *line, int *wrong);


/* Each line of the file, comments apart; gives how many there were. */
static int
each_line(const char *name, line_fn judge, int *wrong)
{
    FILE *file = fopen(name, "r");
    char *text = NULL;
    size_t cap = 0;
    int n = 0;

    if (file == NULL)
        fail_msg("%s cannot be read", name);
    while (getline(&text, &cap, file) > 0) {
        char *rest = text;
        line_t line;

        text[strcspn(text, "\n")] = '\0';
        if (text[0] == '#')
            continue;
        line.verdict = strsep(&rest, "\t");
        line.value = strsep(&rest, "\t");
        line.why = rest;
        if (line.value == NULL || line.why == NULL || strchr(line.why, '\t') != NULL)
            fail_msg("%s: not three columns: %s", name, text);
        judge(&line, wrong);
        n++;
    }
    free(text);
    fclose(file);
    return n;
}


/* "\xHH" and "\\" become bytes, in place; gives the length. */
static size_t
unescape(char *text)
{
    char *to = text;

    for (const char *p = text; *p != '\0'; to++) {
        unsigned byte = (unsigned char) *p;

        if (*p != '\\') {
            p++;
        } else if (p[1] == '\\') {
            p += 2;
        } else if (p[1] == 'x' && sscanf(p + 2, "%2x", &byte) == 1) {
            p += 4;
        } else {
            fail_msg("escape in %s", text);
        }
        *to = (char) byte;
    }
    return (size_t) (to - text);
}


static void
judge_url(const line_t *line, int *wrong)
{
    char *shown = strdup(line->value);
    size_t len = unescape(line->value);
    char *exact = malloc(len + (len == 0));
    abdm_url_t url;
    abdm_err_t err;
    const char *got;

    assert_non_null(shown);
    assert_non_null(exact);
    memcpy(exact, line->value, len);
    err = abdm_push_check_url((abdm_str_t){exact, len}, NULL, &url);
    got = abdm_failed(err) ? abdm_error_info(err.code)->name : "ok";
    if (strcmp(got, line->verdict) != 0) {
        print_message("# %s, not %s: %.200s (%s)\n", got, line->verdict, shown, line->why);
        (*wrong)++;
    } else if (!abdm_failed(err)) {
        assert_ptr_equal(url.text.p, exact);
        assert_int_equal(url.text.len, len);
        assert_true(url.host.p > exact && url.host.p + url.host.len <= exact + len);
        assert_true(url.target.p + url.target.len == exact + len);
        assert_true(url.port == 443 || url.port >= ABDM_PUSH_PORT_MIN);
    }
    free(exact);
    free(shown);
}


static void
judge_address(const line_t *line, int *wrong)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } a;
    bool global;

    memset(&a, 0, sizeof(a));
    if (inet_pton(AF_INET, line->value, &a.v4.sin_addr) == 1)
        a.any.sa_family = AF_INET;
    else if (inet_pton(AF_INET6, line->value, &a.v6.sin6_addr) == 1)
        a.any.sa_family = AF_INET6;
    else
        fail_msg("%s is not an address", line->value);
    global = abdm_addr_is_global(&a.any);
    if (global != (strcmp(line->verdict, "public") == 0)) {
        print_message("# %s is taken for %s: %s\n", line->value, global ? "public" : "inside",
                      line->why);
        (*wrong)++;
    }
    assert_int_equal(!abdm_failed(abdm_push_check_addr(&a.any, NULL)), global);
}


static void
every_url_of_the_table_has_its_verdict(void **state)
{
    int wrong = 0;

    (void) state;
    assert_true(each_line("t/data/push_urls.tsv", judge_url, &wrong) >= URLS_LEAST);
    assert_int_equal(wrong, 0);
}


static void
every_address_of_the_table_has_its_verdict(void **state)
{
    int wrong = 0;

    (void) state;
    assert_true(each_line("t/data/push_addresses.tsv", judge_address, &wrong) >= ADDRESSES_LEAST);
    assert_int_equal(wrong, 0);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_url_of_the_table_has_its_verdict),
        cmocka_unit_test(every_address_of_the_table_has_its_verdict),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
