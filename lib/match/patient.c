/* The choice of one patient for a discovery, see patient.h; rules of gateway protocol 7.2. */
#include "match/patient.h"

#include <string.h>

enum { ABHA_DIGITS = 14, MOBILE_DIGITS = 10 };


const char *
abdm_matched_by_name(unsigned bit)
{
    switch (bit) {
    case ABDM_BY_MR:
        return "MR";
    case ABDM_BY_MOBILE:
        return "MOBILE";
    case ABDM_BY_ABHA_NUMBER:
        return "ABHA_NUMBER";
    case ABDM_BY_ABHA_ADDRESS:
        return "ABHA_ADDRESS";
    default:
        return "";
    }
}


static abdm_str_t
trim(abdm_str_t s)
{
    while (s.len > 0 && (s.p[0] == ' ' || s.p[0] == '\t')) {
        s.p++;
        s.len--;
    }
    while (s.len > 0 && (s.p[s.len - 1] == ' ' || s.p[s.len - 1] == '\t'))
        s.len--;
    return s;
}


/* Digits of a number written with dashes, blanks and brackets. Returns how many; 0 when there
 * is anything else or more than fit. */
static size_t
digits_of(abdm_str_t s, char *out, size_t cap)
{
    size_t n = 0;

    for (size_t i = 0; i < s.len; i++) {
        if (strchr(" -.()", s.p[i]) != NULL && s.p[i] != '\0')
            continue;
        if (s.p[i] < '0' || s.p[i] > '9' || n + 1 == cap)
            return 0;
        out[n++] = s.p[i];
    }
    out[n] = '\0';
    return n;
}


bool
abdm_mobile_digits(abdm_str_t mobile, char out[ABDM_MOBILE_TEXT])
{
    abdm_str_t s = trim(mobile);
    bool plus = s.len > 0 && s.p[0] == '+';
    char digits[ABDM_MOBILE_TEXT - 1];
    const char *p = digits;
    size_t n;

    out[0] = '\0';
    if (plus)
        s = (abdm_str_t){s.p + 1, s.len - 1};
    n = digits_of(s, digits, sizeof(digits));
    if (!plus && n > 2 && strncmp(p, "00", 2) == 0) {
        plus = true;
        p += 2;
        n -= 2;
    } else if (!plus && n > MOBILE_DIGITS && p[0] == '0') {
        p++;
        n--;
    }
    if (n == MOBILE_DIGITS + 2 && strncmp(p, "91", 2) == 0) {
        plus = false;
        p += 2;
        n -= 2;
    }
    if (n < MOBILE_DIGITS || (!plus && n != MOBILE_DIGITS) || strspn(p, (char[2]){p[0]}) == n)
        return false;
    if (plus)
        *out++ = '+'; /* abroad ten digits are another number than in India */
    memcpy(out, p, n + 1);
    return true;
}


static bool
same_abha_number(abdm_str_t a, abdm_str_t b, bool *differ)
{
    char x[ABHA_DIGITS + 1] = "", y[ABHA_DIGITS + 1] = "";
    bool both = digits_of(a, x, sizeof(x)) == ABHA_DIGITS
                && digits_of(b, y, sizeof(y)) == ABHA_DIGITS;
    bool same = both & (memcmp(x, y, sizeof(x)) == 0);

    *differ = both & !same;
    return same;
}


static bool
same_text(abdm_str_t a, abdm_str_t b)
{
    a = trim(a);
    b = trim(b);
    return a.len > 0 && abdm_str_ieq(a, b);
}


static bool
same_mobile(const abdm_patient_asked_t *asked, const abdm_patient_candidate_t *c)
{
    bool same = false;

    for (size_t i = 0; i < asked->n_mobiles; i++)
        for (size_t j = 0; j < c->n_mobiles; j++) {
            char x[ABDM_MOBILE_TEXT], y[ABDM_MOBILE_TEXT];
            bool both = abdm_mobile_digits(asked->mobiles[i], x);

            both &= abdm_mobile_digits(c->mobiles[j], y);
            same |= both & (strcmp(x, y) == 0);
        }
    return same;
}


static bool
same_mr(const abdm_patient_asked_t *asked, const abdm_patient_candidate_t *c)
{
    bool same = false;

    for (size_t i = 0; i < asked->n_mrs; i++) {
        same |= same_text(asked->mrs[i], c->reference);
        same |= same_text(asked->mrs[i], c->mr);
    }
    return same;
}


/* M, F, or 0 for what agrees with either. */
static char
sex(abdm_str_t gender)
{
    gender = trim(gender);
    if (abdm_str_ieq(gender, ABDM_LIT("m")) || abdm_str_ieq(gender, ABDM_LIT("male")))
        return 'M';
    if (abdm_str_ieq(gender, ABDM_LIT("f")) || abdm_str_ieq(gender, ABDM_LIT("female")))
        return 'F';
    return 0;
}


static bool
same_year(int a, int b, int years)
{
    return (a > 0) & (b > 0) & (a - b <= years) & (b - a <= years);
}


/* How a candidate agrees with what is asked. */
typedef struct {
    unsigned by; /* abdm_matched_by_t */
    bool person; /* stands by demographics or MR, with the mobile */
} likeness_t;


static likeness_t
compare(abdm_matcher_t *matcher, const abdm_patient_asked_t *asked,
        const abdm_patient_candidate_t *c, abdm_patient_rules_t rules)
{
    char x = sex(asked->gender), y = sex(c->gender);
    bool other_abha;
    bool number = same_abha_number(asked->abha_number, c->abha_number, &other_abha);
    bool address = same_text(asked->abha_address, c->abha_address);
    bool mobile = same_mobile(asked, c);
    bool mr = same_mr(asked, c);
    bool gender = (x == 0) | (y == 0) | (x == y);
    bool year = same_year(asked->year_of_birth, c->year_of_birth, rules.years);
    bool name = abdm_name_score(matcher, asked->name, c->name) >= rules.name;
    bool person = asked->n_mrs > 0 ? mr : year & name;

    return (likeness_t){
        .by = number * ABDM_BY_ABHA_NUMBER + address * ABDM_BY_ABHA_ADDRESS
              + mobile * ABDM_BY_MOBILE + mr * ABDM_BY_MR,
        .person = mobile & gender & !other_abha & person,
    };
}


/* The patient met so far on one way of matching. */
typedef struct {
    bool met;
    bool several;
    size_t index;
    unsigned by;
} survivor_t;


static void
survive(survivor_t *s, const abdm_patient_candidate_t *candidates, size_t i, unsigned by)
{
    bool same = s->met && abdm_str_eq(candidates[s->index].reference, candidates[i].reference);

    s->several |= s->met && !same;
    s->by |= by;
    s->index = s->met ? s->index : i;
    s->met = true;
}


abdm_patient_match_t
abdm_patient_match(abdm_matcher_t *matcher, const abdm_patient_asked_t *asked,
                   const abdm_patient_candidate_t *candidates, size_t n,
                   abdm_patient_rules_t rules)
{
    survivor_t abha = {.met = false}, person = {.met = false}, chosen;

    if (n > ABDM_MATCH_CANDIDATES)
        return (abdm_patient_match_t){.found = false};
    for (size_t i = 0; i < n; i++) {
        likeness_t like = compare(matcher, asked, &candidates[i], rules);

        if ((like.by & (ABDM_BY_ABHA_NUMBER | ABDM_BY_ABHA_ADDRESS)) != 0)
            survive(&abha, candidates, i, like.by);
        if (like.person)
            survive(&person, candidates, i, like.by);
    }
    chosen = abha.met ? abha : person;
    if (!chosen.met || chosen.several)
        return (abdm_patient_match_t){.found = false};
    return (abdm_patient_match_t){true, chosen.index, chosen.by};
}
