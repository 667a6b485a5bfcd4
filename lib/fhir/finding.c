/* The table of findings, and lists of what was found. */
#include <stdlib.h>
#include <string.h>

#include "fhir/finding.h"

static const abdm_finding_info_t infos[ABDM_FINDING_CODES] = {
#define FINDING(name, severity, meaning, remedy)                                                   \
    {"F_" #name, ABDM_FINDING_##severity, meaning, remedy, "F_" #name ": " meaning},
#include "fhir/finding.def"
#undef FINDING
};


const abdm_finding_info_t *
abdm_finding_info(abdm_finding_code_t code)
{
    return &infos[code];
}


void
abdm_findings_free(abdm_findings_t *f)
{
    for (size_t i = 0; i < f->n; i++) {
        free(f->list[i].pointer);
        free(f->list[i].text);
    }
    free(f->list);
    *f = (abdm_findings_t){0};
}


static bool
has_finding(const abdm_findings_t *f, abdm_finding_code_t code, const char *pointer)
{
    for (size_t i = 0; i < f->n; i++) {
        if (f->list[i].code == code && strcmp(f->list[i].pointer, pointer) == 0)
            return true;
    }
    return false;
}


static bool
has_room(abdm_findings_t *f)
{
    if (f->n < f->cap)
        return true;

    size_t cap = f->cap == 0 ? 16 : f->cap * 2;
    abdm_finding_t *list = realloc(f->list, cap * sizeof *list);
    if (list == NULL) {
        f->failed = true;
        return false;
    }
    f->list = list;
    f->cap = cap;
    return true;
}


void
abdm_findings_add(abdm_findings_t *f, abdm_finding_code_t code, char *pointer, char *text)
{
    bool usable = pointer != NULL && text != NULL;

    f->failed = f->failed || !usable;
    if (usable && (f->n == ABDM_FINDINGS_MAX || !has_finding(f, code, pointer))) {
        if (infos[code].severity == ABDM_FINDING_ERROR)
            f->errors++;
        else
            f->warnings++;
        if (f->n < ABDM_FINDINGS_MAX && has_room(f)) {
            f->list[f->n++] = (abdm_finding_t){code, pointer, text};
            return;
        }
    }
    free(pointer);
    free(text);
}


const abdm_finding_t *
abdm_findings_first_error(const abdm_findings_t *f)
{
    for (size_t i = 0; i < f->n; i++) {
        if (infos[f->list[i].code].severity == ABDM_FINDING_ERROR)
            return &f->list[i];
    }
    return NULL;
}
