/*
 * Is the consent that the consent manager gives out the one that was notified? The whole rule is
 * the table `members`: everything that a decision rests on must mean the same. Order and repetition
 * of care contexts and the spelling of times and addresses mean nothing.
 */
#include <stdlib.h>
#include <string.h>

#include "consent/consent.h"

typedef struct {
    const abdm_consent_t *kept;
    const abdm_consent_t *told;
} pair_t;


static bool
same_text(const char *a, const char *b)
{
    return abdm_str_eq(abdm_str(a), abdm_str(b));
}


static bool
same_id(const pair_t *c)
{
    return same_text(c->kept->id, c->told->id);
}


/* ABHA addresses are the same in any case. */
static bool
same_patient(const pair_t *c)
{
    return abdm_str_ieq(abdm_str(c->kept->patient_id), abdm_str(c->told->patient_id));
}


/* Kept is the service's id, which the gateway may shorten to the facility's. */
static bool
same_hip(const pair_t *c)
{
    return c->kept->hip_id != NULL && abdm_facility_is(c->kept->hip_id, abdm_str(c->told->hip_id));
}


static bool
same_hiu(const pair_t *c)
{
    return same_text(c->kept->hiu_id, c->told->hiu_id);
}


static bool
same_purpose(const pair_t *c)
{
    return same_text(c->kept->purpose, c->told->purpose);
}


static bool
same_from(const pair_t *c)
{
    return c->kept->from == c->told->from;
}


static bool
same_to(const pair_t *c)
{
    return c->kept->to == c->told->to;
}


static bool
same_erase_at(const pair_t *c)
{
    return c->kept->erase_at == c->told->erase_at;
}


static bool
same_hi_types(const pair_t *c)
{
    return c->kept->hi_types == c->told->hi_types;
}


static const struct {
    const char *name;
    bool (*same)(const pair_t *c);
} members[] = {
    {"consentId", same_id},
    {"patient", same_patient},
    {"hip", same_hip},
    {"hiu", same_hiu},
    {"purpose", same_purpose},
    {"dateRange.from", same_from},
    {"dateRange.to", same_to},
    {"dataEraseAt", same_erase_at},
    {"hiTypes", same_hi_types},
};


/* --- care contexts --- */

static int
compare(const void *a, const void *b)
{
    const abdm_care_context_t *x = *(const abdm_care_context_t *const *) a;
    const abdm_care_context_t *y = *(const abdm_care_context_t *const *) b;
    int by_patient = strcmp(x->patient_ref, y->patient_ref);

    return by_patient != 0 ? by_patient : strcmp(x->care_context_ref, y->care_context_ref);
}


/* Each once, in order; *n: how many. NULL: no memory. */
static const abdm_care_context_t **
sorted(const abdm_consent_t *consent, size_t *n)
{
    const abdm_care_context_t **list = calloc(consent->n_contexts + 1, sizeof(*list));

    *n = 0;
    if (list == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < consent->n_contexts; i++) {
        list[i] = &consent->contexts[i];
    }
    qsort(list, consent->n_contexts, sizeof(*list), compare);
    for (size_t i = 0; i < consent->n_contexts; i++) {
        if (*n == 0 || compare(&list[*n - 1], &list[i]) != 0) {
            list[(*n)++] = list[i];
        }
    }
    return list;
}


static abdm_err_t
same_contexts(const pair_t *c, bool *same)
{
    size_t n, m;
    const abdm_care_context_t **kept = sorted(c->kept, &n), **told = sorted(c->told, &m);
    bool lost = kept == NULL || told == NULL;

    *same = !lost && n == m;
    for (size_t i = 0; *same && i < n; i++) {
        *same = compare(&kept[i], &told[i]) == 0;
    }
    free(kept);
    free(told);
    return lost ? ABDM_ERR(MEMORY, "care contexts") : ABDM_NO_ERR;
}


abdm_err_t
abdm_consent_compare(const abdm_consent_t *kept, const abdm_consent_t *told, const char **member)
{
    const pair_t c = {kept, told};
    bool same;

    *member = NULL;
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        if (!members[i].same(&c)) {
            *member = members[i].name;
            return ABDM_NO_ERR;
        }
    }
    ABDM_TRY(same_contexts(&c, &same));
    *member = same ? NULL : "careContexts";
    return ABDM_NO_ERR;
}
