/*
 * URL templates: text with variables in braces, every value percent-encoded so that nothing in
 * it can be taken for structure of the URL (RFC 3986, section 2). Unknown variables are found
 * when the configuration is read.
 */
#include "hmis/template.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hmis/base.h"

#define RECORDS  (1u << ABDM_HMIS_RECORDS)
#define PATIENTS (1u << ABDM_HMIS_FIND_PATIENTS)
#define CONTEXTS (1u << ABDM_HMIS_CARE_CONTEXTS)
#define FEED     (1u << ABDM_HMIS_NEW_CONTEXTS)
#define PROFILE  (1u << ABDM_HMIS_SAVE_PROFILE)
#define SEND     (1u << ABDM_HMIS_SEND_OTP)
#define VERIFY   (1u << ABDM_HMIS_VERIFY_OTP)
#define TELL     (1u << ABDM_HMIS_TELL)
#define ALL      ((1u << ABDM_HMIS_ASKABLE) - 1)

#define VARIABLE(name, ops) {#name, #name ": empty, but the mapping's path needs it", (ops), false}

static const struct {
    const char *name;
    const char *missing;
    unsigned ops; /* in whose paths it may stand */
    bool may_be_empty;
} variables[] = {
    VARIABLE(hipId, ALL),
    VARIABLE(patientRef, RECORDS | CONTEXTS | PROFILE | SEND | VERIFY | TELL),
    VARIABLE(careContextRef, RECORDS),
    VARIABLE(from, RECORDS),
    VARIABLE(to, RECORDS),
    VARIABLE(mobile, PATIENTS | SEND),
    VARIABLE(abhaNumber, PATIENTS),
    VARIABLE(abhaAddress, PATIENTS),
    VARIABLE(mr, PATIENTS),
    VARIABLE(name, PATIENTS),
    VARIABLE(gender, PATIENTS),
    VARIABLE(yearOfBirth, PATIENTS),
    {"since", "since: missing, but the mapping's path needs it", FEED, true},
    VARIABLE(limit, FEED),
    VARIABLE(counter, PROFILE),
    VARIABLE(token, PROFILE),
    VARIABLE(returning, PROFILE),
    VARIABLE(purpose, SEND),
    VARIABLE(reference, VERIFY),
    VARIABLE(otp, VERIFY),
    VARIABLE(event, TELL),
};

enum { VARIABLES = sizeof variables / sizeof *variables };


static int
find_variable(abdm_str_t name, unsigned ops)
{
    for (int i = 0; i < VARIABLES; i++) {
        if ((variables[i].ops & ops) != 0 && abdm_str_eq(name, abdm_str(variables[i].name)))
            return i;
    }
    return -1;
}


static abdm_err_t
no_variable(const char *name, abdm_str_t given, int op, char *problem)
{
    abdm_buf_t known = {0};

    for (int i = 0; i < VARIABLES; i++) {
        if ((variables[i].ops & 1u << op) != 0)
            abdm_buf_addf(&known, " {%s}", variables[i].name);
    }
    char *z = abdm_buf_take(&known);
    abdm_hmis_say(problem, "%s: %.*s is no variable; there are%s", name,
                  (int) (given.len < 60 ? given.len : 60), given.p, z == NULL ? " others" : z);
    free(z);
    return ABDM_ERR(CONFIG, "hmis mapping: a path");
}


abdm_err_t
abdm_hmis_template_check(const char *name, const char *text, int op, char *problem)
{
    if (text[0] != '/') {
        abdm_hmis_say(problem, "%s: must begin with /", name);
        return ABDM_ERR(CONFIG, "hmis mapping: a path");
    }
    if (abdm_hmis_path_climbs(text)) {
        abdm_hmis_say(problem, "%s: . and .. are not allowed in it", name);
        return ABDM_ERR(CONFIG, "hmis mapping: a path");
    }
    for (const char *p = text; *p != '\0'; p++) {
        if (*p <= ' ' || *p > '~' || strchr("#\\\"<>^`|}", *p) != NULL) {
            abdm_hmis_say(problem, "%s: the character at position %zu must be percent-encoded",
                          name, (size_t) (p - text) + 1);
            return ABDM_ERR(CONFIG, "hmis mapping: a path");
        }
        if (*p != '{')
            continue;
        size_t n = strcspn(p, "}");
        if (p[n] == '\0' || find_variable((abdm_str_t){p + 1, n - 1}, 1u << op) < 0)
            return no_variable(name, (abdm_str_t){p, n + (p[n] == '}')}, op, problem);
        p += n;
    }
    return ABDM_NO_ERR;
}


void
abdm_hmis_percent_encode(abdm_buf_t *out, abdm_str_t value)
{
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char) value.p[i];
        if ((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
            (c != '\0' && strchr("-._~", c) != NULL))
            abdm_buf_add(out, &value.p[i], 1);
        else
            abdm_buf_addf(out, "%%%02X", c);
    }
}


abdm_err_t
abdm_hmis_template_expand(const char *text, const json_t *vars, abdm_buf_t *out)
{
    char number[24]; /* a counter's token is one */

    while (*text != '\0') {
        size_t n = strcspn(text, "{");
        abdm_buf_add(out, text, n);
        text += n;
        if (*text == '\0')
            break;

        n = strcspn(text, "}");
        int i = find_variable((abdm_str_t){text + 1, n - 1}, ALL);
        if (i < 0)
            return ABDM_ERR(INTERNAL, "hmis mapping: a path that was not checked");
        const json_t *given = json_object_get(vars, variables[i].name);
        const char *value = json_string_value(given);
        if (json_is_integer(given)) {
            snprintf(number, sizeof number, "%" JSON_INTEGER_FORMAT, json_integer_value(given));
            value = number;
        }
        if (value == NULL || (*value == '\0' && !variables[i].may_be_empty))
            return ABDM_ERR(FIELD, variables[i].missing);
        abdm_hmis_percent_encode(out, abdm_str(value));
        text += n + 1;
    }
    return out->failed ? ABDM_ERR(MEMORY, "hmis request") : ABDM_NO_ERR;
}


bool
abdm_hmis_template_filled(const char *text, const json_t *vars)
{
    abdm_buf_t ignored = {0};

    abdm_err_t err = abdm_hmis_template_expand(text, vars, &ignored);
    abdm_buf_wipe_free(&ignored);
    return err.code != ABDM_E_FIELD;
}
