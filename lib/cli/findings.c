/*
 * Findings as they come, one line each with the remedy below it. Texts of servers are among them,
 * so what could steer a terminal is not printed.
 */
#include "cli/findings.h"

#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WIDTH = 100, CHECK_WIDTH = 19, INDENT = 6 };

static const struct {
    const char *name, *mark, *plain, *colour;
} states[] = {
    [ABDM_FINDING_OK] = {"ok", "✓", "ok  ", "\033[32m"},
    [ABDM_FINDING_SKIPPED] = {"skipped", "-", "--  ", "\033[2m"},
    [ABDM_FINDING_WARN] = {"warn", "!", "warn", "\033[33m"},
    [ABDM_FINDING_FAIL] = {"fail", "✗", "FAIL", "\033[31m"},
};


void
abdm_findings_begin(abdm_findings_t *f, bool json)
{
    const char *terminal = getenv("TERM"), *no_colour = getenv("NO_COLOR");

    *f = (abdm_findings_t){.json = json};
    setlocale(LC_CTYPE, "");
    f->plain = strcmp(nl_langinfo(CODESET), "UTF-8") != 0;
    f->colour = isatty(STDOUT_FILENO) && (no_colour == NULL || no_colour[0] == '\0')
                && terminal != NULL && strcmp(terminal, "dumb") != 0;
    if (json) {
        f->list = json_array();
        f->failed = f->list == NULL;
    }
}


/* --- text --- */

/* The bytes of the control character at `p`, of C0 or C1; 0: it is none. */
static size_t
control_at(const char *p)
{
    const unsigned char c = (unsigned char) p[0], d = (unsigned char) p[1];

    if (c < 0x20 || c == 0x7f)
        return 1;
    return c == 0xc2 && d >= 0x80 && d < 0xa0 ? 2 : 0;
}


static void
print_bytes(const char *p, size_t len, bool plain)
{
    for (size_t i = 0, n; i < len; i += n) {
        n = control_at(p + i);
        if (n > 0 || (plain && (unsigned char) p[i] >= 0x80))
            putchar('?');
        else
            putchar(p[i]);
        n = n > 0 ? n : 1;
    }
}


/* Broken at blanks, lines after the first indented. */
static void
print_folded(const char *text, bool plain)
{
    size_t column = INDENT;

    while (*text != '\0') {
        size_t n = strcspn(text, " ");

        if (column + n + 1 > WIDTH && column > INDENT) {
            printf("\n%*s", INDENT + 2, "");
            column = INDENT + 2;
        } else if (column > INDENT) {
            putchar(' ');
            column++;
        }
        print_bytes(text, n, plain);
        column += n;
        text += n;
        text += strspn(text, " ");
    }
}


static void
print(abdm_findings_t *f, const abdm_finding_t *finding)
{
    const char *colour = f->colour ? states[finding->state].colour : "";
    const char *mark = f->plain ? states[finding->state].plain : states[finding->state].mark;

    if (f->area == NULL || strcmp(f->area, finding->area) != 0) {
        printf("%s%s\n", f->area != NULL ? "\n" : "", finding->area);
        f->area = finding->area;
    }
    printf("  %s%s%s %-*s ", colour, mark, f->colour ? "\033[0m" : "", CHECK_WIDTH, finding->check);
    if (finding->subject[0] != '\0') {
        print_bytes(finding->subject, strlen(finding->subject), f->plain);
        fputs(": ", stdout);
    }
    print_bytes(finding->seen, strlen(finding->seen), f->plain);
    putchar('\n');
    if (finding->remedy[0] != '\0') {
        printf("%*s%s ", INDENT - 2, "", f->plain ? "->" : "→");
        print_folded(finding->remedy, f->plain);
        putchar('\n');
    }
    fflush(stdout); /* the next answer may take half a minute */
}


/* --- both --- */

/* What is not UTF-8 is no text; a server may say anything. */
static json_t *
text_of(const char *text)
{
    json_t *value = json_string(text);

    return value != NULL ? value : json_string("(not UTF-8)");
}


void
abdm_findings_take(const abdm_finding_t *finding, void *ctx)
{
    abdm_findings_t *f = ctx;
    json_t *row;

    f->count[finding->state]++;
    if (!f->json) {
        print(f, finding);
        return;
    }
    row = json_pack("{s:s,s:s,s:o,s:s,s:o,s:o}", "area", finding->area, "check", finding->check,
                    "subject", text_of(finding->subject), "state", states[finding->state].name,
                    "seen", text_of(finding->seen), "remedy", text_of(finding->remedy));
    if (row == NULL || json_array_append_new(f->list, row) != 0)
        f->failed = true;
}


static void
print_json(abdm_findings_t *f)
{
    json_t *report = json_pack(
        "{s:I,s:I,s:I,s:I,s:O}", "ok", (json_int_t) f->count[ABDM_FINDING_OK], "warn",
        (json_int_t) f->count[ABDM_FINDING_WARN], "fail", (json_int_t) f->count[ABDM_FINDING_FAIL],
        "skipped", (json_int_t) f->count[ABDM_FINDING_SKIPPED], "findings", f->list);

    if (report == NULL || json_dumpf(report, stdout, JSON_COMPACT) != 0)
        f->failed = true;
    else
        putchar('\n');
    json_decref(report);
}


int
abdm_findings_end(abdm_findings_t *f)
{
    if (f->json)
        print_json(f);
    else
        printf("\n%zu good, %zu to look at, %zu wrong, %zu not looked at\n",
               f->count[ABDM_FINDING_OK], f->count[ABDM_FINDING_WARN], f->count[ABDM_FINDING_FAIL],
               f->count[ABDM_FINDING_SKIPPED]);
    json_decref(f->list);
    if (f->failed || fflush(stdout) != 0) {
        fputs("abdm: E_SYSTEM: the findings could not be written\n", stderr);
        return ABDM_STATUS_FAILED;
    }
    return f->count[ABDM_FINDING_FAIL] > 0   ? ABDM_STATUS_FAILED
           : f->count[ABDM_FINDING_WARN] > 0 ? ABDM_STATUS_WARNED
                                             : ABDM_STATUS_GOOD;
}
