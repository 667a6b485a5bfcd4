/*
 * URL templates: text with variables in braces, every value percent-encoded so that nothing in
 * it can be taken for structure of the URL (RFC 3986, section 2). Unknown variables are found
 * when the configuration is read.
 */
#include "hmis/template.h"

#include <stddef.h>
#include <string.h>

#include "hmis/base.h"

static const struct {
    const char *name;
    size_t offset; /* of its value in the query */
    const char *missing;
} variables[] = {
    {"hipId", offsetof(abdm_hmis_query_t, hip_id), "hipId: empty, but the mapping's path needs it"},
    {"patientRef", offsetof(abdm_hmis_query_t, patient_ref),
     "patientRef: empty, but the mapping's path needs it"},
    {"careContextRef", offsetof(abdm_hmis_query_t, care_context_ref),
     "careContextRef: empty, but the mapping's path needs it"},
    {"from", offsetof(abdm_hmis_query_t, from), "from: empty, but the mapping's path needs it"},
    {"to", offsetof(abdm_hmis_query_t, to), "to: empty, but the mapping's path needs it"},
};

enum { VARIABLES = sizeof variables / sizeof *variables };


static int
find_variable(abdm_str_t name)
{
    for (int i = 0; i < VARIABLES; i++) {
        if (abdm_str_eq(name, abdm_str(variables[i].name)))
            return i;
    }
    return -1;
}


abdm_err_t
abdm_hmis_template_check(const char *name, const char *text, char *problem)
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
        if (p[n] == '\0' || find_variable((abdm_str_t){p + 1, n - 1}) < 0) {
            abdm_hmis_say(problem,
                          "%s: %.*s is no variable; there are {hipId} {patientRef} "
                          "{careContextRef} {from} {to}",
                          name, (int) (n < 60 ? n + (p[n] == '}') : 60), p);
            return ABDM_ERR(CONFIG, "hmis mapping: a path");
        }
        p += n;
    }
    return ABDM_NO_ERR;
}


static void
add_encoded(abdm_buf_t *out, const char *value)
{
    for (; *value != '\0'; value++) {
        unsigned char c = (unsigned char) *value;
        if ((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
            strchr("-._~", c) != NULL)
            abdm_buf_add(out, value, 1);
        else
            abdm_buf_addf(out, "%%%02X", c);
    }
}


abdm_err_t
abdm_hmis_template_expand(const char *text, const abdm_hmis_query_t *query, abdm_buf_t *out)
{
    while (*text != '\0') {
        size_t n = strcspn(text, "{");
        abdm_buf_add(out, text, n);
        text += n;
        if (*text == '\0')
            break;

        n = strcspn(text, "}");
        int i = find_variable((abdm_str_t){text + 1, n - 1});
        if (i < 0)
            return ABDM_ERR(INTERNAL, "hmis mapping: a path that was not checked");
        const char *value = *(const char *const *) ((const char *) query + variables[i].offset);
        if (value == NULL || *value == '\0')
            return ABDM_ERR(FIELD, variables[i].missing);
        add_encoded(out, value);
        text += n + 1;
    }
    return out->failed ? ABDM_ERR(MEMORY, "hmis request") : ABDM_NO_ERR;
}
