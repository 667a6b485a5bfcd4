/*
 * Check digits: SNOMED CT has Verhoeff's (Technical Implementation Guide, 5.5), LOINC the
 * mod-10 of its manual, appendix C. They catch the code that somebody typed.
 */
#include "fhir/codes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fhir/profile.h"

enum { COLUMNS = 5 };

typedef struct {
    const char *field, *local;
    abdm_coding_t coding;
} row_t;

struct abdm_codes_s {
    char *text; /* owned; the rows point into it */
    row_t *rows;
    size_t n;
};


unsigned
abdm_code_system(const char *given, const char **url)
{
    static const struct {
        const char *name, *url;
        unsigned system;
    } names[] = {
        {ABDM_FHIR_SNOMED, ABDM_FHIR_SNOMED, ABDM_SNOMED},
        {ABDM_FHIR_LOINC, ABDM_FHIR_LOINC, ABDM_LOINC},
        {ABDM_FHIR_ICD10, ABDM_FHIR_ICD10, ABDM_ICD10},
        {"SNOMED CT", ABDM_FHIR_SNOMED, ABDM_SNOMED},
        {"SNOMEDCT", ABDM_FHIR_SNOMED, ABDM_SNOMED},
        {"SNOMED", ABDM_FHIR_SNOMED, ABDM_SNOMED},
        {"LOINC", ABDM_FHIR_LOINC, ABDM_LOINC},
        {"ICD-10", ABDM_FHIR_ICD10, ABDM_ICD10},
        {"ICD10", ABDM_FHIR_ICD10, ABDM_ICD10},
    };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (abdm_str_ieq(abdm_str(given), abdm_str(names[i].name))) {
            *url = names[i].url;
            return names[i].system;
        }
    }
    *url = NULL;
    return 0;
}


static bool
verhoeff(const char *digits, size_t n)
{
    static const uint8_t product[10][10] = {
        {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, {1, 2, 3, 4, 0, 6, 7, 8, 9, 5},
        {2, 3, 4, 0, 1, 7, 8, 9, 5, 6}, {3, 4, 0, 1, 2, 8, 9, 5, 6, 7},
        {4, 0, 1, 2, 3, 9, 5, 6, 7, 8}, {5, 9, 8, 7, 6, 0, 4, 3, 2, 1},
        {6, 5, 9, 8, 7, 1, 0, 4, 3, 2}, {7, 6, 5, 9, 8, 2, 1, 0, 4, 3},
        {8, 7, 6, 5, 9, 3, 2, 1, 0, 4}, {9, 8, 7, 6, 5, 4, 3, 2, 1, 0},
    };
    static const uint8_t turn[8][10] = {
        {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, {1, 5, 7, 6, 2, 8, 3, 0, 9, 4},
        {5, 8, 0, 3, 7, 9, 6, 1, 4, 2}, {8, 9, 1, 6, 0, 4, 3, 5, 2, 7},
        {9, 4, 5, 3, 1, 2, 6, 8, 7, 0}, {4, 2, 8, 6, 5, 7, 3, 9, 0, 1},
        {2, 7, 9, 3, 8, 0, 6, 4, 1, 5}, {7, 0, 4, 6, 9, 1, 3, 2, 5, 8},
    };
    uint8_t check = 0;

    for (size_t i = 0; i < n; i++)
        check = product[check][turn[i % 8][digits[n - 1 - i] - '0']];
    return check == 0;
}


/* The digits before the dash, from the right: the first and every second one doubled. */
static bool
loinc(const char *code, size_t digits)
{
    unsigned sum = 0;

    for (size_t i = 0; i < digits; i++) {
        unsigned d = (unsigned) (code[digits - 1 - i] - '0') * (i % 2 == 0 ? 2 : 1);
        sum += d / 10 + d % 10;
    }
    return (sum + (unsigned) (code[digits + 1] - '0')) % 10 == 0;
}


bool
abdm_code_plausible(unsigned system, const char *code)
{
    size_t len = strlen(code), digits = strspn(code, "0123456789");

    switch (system) {
    case ABDM_SNOMED:
        return digits == len && len >= 6 && len <= 18 && verhoeff(code, len);
    case ABDM_LOINC:
        return digits >= 1 && digits <= 7 && len == digits + 2 && code[digits] == '-' &&
               code[len - 1] >= '0' && code[len - 1] <= '9' && loinc(code, digits);
    case ABDM_ICD10: /* A00, A00.1, M23.21; the first digit may be followed by a letter */
        return len >= 3 && len <= 8 && code[0] >= 'A' && code[0] <= 'Z' && code[1] >= '0' &&
               code[1] <= '9' &&
               strspn(code + 2, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ.") == len - 2;
    default:
        return false;
    }
}


/* --- the table --- */

/* Takes one cell from *at, unquoting it in place; *at is then at what ended it. */
static char *
take_cell(char **at)
{
    char *p = *at, *to = p, *cell = p;

    if (*p != '"') {
        p += strcspn(p, ",\r\n");
        *at = p;
        return cell;
    }
    for (p++; *p != '\0'; p++) {
        if (*p == '"' && *++p != '"')
            break;
        *to++ = *p;
    }
    *at = p;
    if (to < p)
        *to = '\0';
    return cell;
}


/* One line of five cells; *at is then at the next. */
static bool
take_line(char **at, char *cells[COLUMNS])
{
    for (int i = 0; i < COLUMNS; i++) {
        cells[i] = take_cell(at);
        char end = **at;
        if (i < COLUMNS - 1 ? end != ',' : end != '\0' && end != '\r' && end != '\n')
            return false;
        if (i < COLUMNS - 1)
            *(*at)++ = '\0';
    }
    while (**at == '\r' || **at == '\n')
        *(*at)++ = '\0';
    return true;
}


static int
compare_rows(const void *a, const void *b)
{
    const row_t *x = a, *y = b;
    int order = strcmp(x->local, y->local);

    return order == 0 ? strcmp(x->field, y->field) : order;
}


static const char *
judge_line(char *cells[COLUMNS], row_t *row)
{
    const char *url;
    unsigned system = abdm_code_system(cells[2], &url);

    if (cells[1][0] == '\0')
        return "local is empty";
    if (system == 0)
        return "system is none of SNOMED CT, LOINC, ICD-10";
    if (!abdm_code_plausible(system, cells[3]))
        return "code has not the form or check digit of its system";
    if (cells[4][strspn(cells[4], " \t")] == '\0')
        return "display is empty";
    *row = (row_t){cells[0], cells[1], {url, cells[3], cells[4]}};
    return NULL;
}


static const char *
read_lines(abdm_codes_t *codes, size_t *line)
{
    static const char *const names[COLUMNS] = {"field", "local", "system", "code", "display"};
    char *at = codes->text, *cells[COLUMNS];

    if (!take_line(&at, cells))
        return "five columns expected";
    for (int i = 0; i < COLUMNS; i++) {
        if (strcmp(cells[i], names[i]) != 0)
            return "field,local,system,code,display expected";
    }
    for (*line = 2; *at != '\0'; ++*line) {
        if (!take_line(&at, cells))
            return "five columns expected";
        const char *fault = judge_line(cells, &codes->rows[codes->n]);
        if (fault != NULL)
            return fault;
        codes->n++;
    }
    qsort(codes->rows, codes->n, sizeof *codes->rows, compare_rows);
    for (size_t i = 1; i < codes->n; i++) {
        if (compare_rows(&codes->rows[i - 1], &codes->rows[i]) == 0)
            return "two rows have the same field and local";
    }
    return NULL;
}


abdm_err_t
abdm_codes_new(abdm_str_t csv, char problem[128], abdm_codes_t **out)
{
    abdm_codes_t *codes = calloc(1, sizeof *codes);
    size_t lines = 1, line = 1;

    *out = NULL;
    problem[0] = '\0';
    for (size_t i = 0; i < csv.len; i++)
        lines += csv.p[i] == '\n';
    if (codes != NULL) {
        codes->text = abdm_str_dup(csv);
        codes->rows = calloc(lines, sizeof *codes->rows);
    }
    if (codes == NULL || codes->text == NULL || codes->rows == NULL) {
        abdm_codes_free(codes);
        return ABDM_ERR(MEMORY, "codes: the table");
    }
    const char *fault = strlen(codes->text) != csv.len ? "a NUL byte" : read_lines(codes, &line);
    if (fault != NULL) {
        snprintf(problem, 128, "line %zu: %s", line, fault);
        abdm_codes_free(codes);
        return ABDM_ERR(CONFIG, "codes: a line of the table is not usable");
    }
    *out = codes;
    return ABDM_NO_ERR;
}


void
abdm_codes_free(abdm_codes_t *codes)
{
    if (codes == NULL)
        return;
    free(codes->text);
    free(codes->rows);
    free(codes);
}


const abdm_coding_t *
abdm_codes_find(const abdm_codes_t *codes, const char *field, const char *local)
{
    const char *fields[] = {field, ""};

    for (int i = 0; codes != NULL && i < 2; i++) {
        row_t key = {.field = fields[i], .local = local};
        const row_t *row = bsearch(&key, codes->rows, codes->n, sizeof key, compare_rows);
        if (row != NULL)
            return &row->coding;
    }
    return NULL;
}
