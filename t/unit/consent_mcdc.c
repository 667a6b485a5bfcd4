/*
 * The consent decision by its conditions: for each atomic condition two cases that differ in one
 * input alone, of which one may leave and the other is refused for that very reason. The pairs are
 * data; the test also holds them against the decision's own table, so that a condition without a
 * pair, or one that was taken away, is found.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "consent/consent.h"

enum { FROM = 1000, TO = 2000, NOW = 5000, ERASE = 9000, CONDITIONS_MAX = 64 };

static abdm_care_context_t listed[] = {{"MR-1", "V-1"}, {"MR-1", "V-2"}, {"MR-9", "V-9"}};
static abdm_care_context_t nameless[] = {{"MR-1", ""}, {NULL, NULL}};
static abdm_care_context_t patientless[] = {{"", "V-2"}, {NULL, "V-2"}};

/* The inputs of a decision; each may be changed by itself. */
typedef enum {
    NOTHING,
    CONSENT,      /* 0: none is stored */
    STATUS, ERASE_AT, CLOCK,
    OWN_HIP, ASKED_HIP, OWN_HIU, ASKED_HIU,
    PURPOSE, BREAK_GLASS,
    OWN_FROM, OWN_TO, ASKED_FROM, ASKED_TO,
    CONTEXTS,     /* 0: none, 1: listed, 2: nameless, 3: patientless */
    CONTEXT_REF, PATIENT_REF,
    TYPES, TYPE, DATED, DATE
} input_t;

typedef struct {
    input_t input;
    int64_t number;
    const char *text; /* of inputs that are texts; NULL: absent */
} change_t;

#define N(input, number) {input, number, NULL}
#define T(input, text)   {input, 0, text}

typedef struct {
    const char *condition;
    change_t before[2]; /* made in both cases */
    change_t allows;
    change_t refuses;
    abdm_code_t code;
} pair_t;

static const pair_t pairs[] = {
    {"one is stored", {N(NOTHING, 0)}, N(CONSENT, 1), N(CONSENT, 0), ABDM_E_CONSENT_UNKNOWN},

    {"it is not revoked", {N(NOTHING, 0)}, N(STATUS, ABDM_CONSENT_GRANTED),
     N(STATUS, ABDM_CONSENT_REVOKED), ABDM_E_CONSENT_REVOKED},
    {"it is not notified as expired", {N(NOTHING, 0)}, N(STATUS, ABDM_CONSENT_GRANTED),
     N(STATUS, ABDM_CONSENT_EXPIRED), ABDM_E_CONSENT_EXPIRED},
    {"it is not denied", {N(NOTHING, 0)}, N(STATUS, ABDM_CONSENT_GRANTED),
     N(STATUS, ABDM_CONSENT_DENIED), ABDM_E_CONSENT_NOT_GRANTED},
    {"it is more than requested", {N(NOTHING, 0)}, N(STATUS, ABDM_CONSENT_GRANTED),
     N(STATUS, ABDM_CONSENT_REQUESTED), ABDM_E_CONSENT_NOT_GRANTED},

    {"dataEraseAt is to come: by the clock", {N(NOTHING, 0)}, N(CLOCK, ERASE - 1),
     N(CLOCK, ERASE), ABDM_E_CONSENT_EXPIRED},
    {"dataEraseAt is to come: by the consent", {N(NOTHING, 0)}, N(ERASE_AT, NOW + 1),
     N(ERASE_AT, NOW), ABDM_E_CONSENT_EXPIRED},
    {"there is a dataEraseAt", {N(NOTHING, 0)}, N(ERASE_AT, ERASE), N(ERASE_AT, 0),
     ABDM_E_CONSENT_EXPIRED},

    {"the facility is the consent's: by the request", {N(NOTHING, 0)}, T(ASKED_HIP, "HIP_1"),
     T(ASKED_HIP, "HIP_2"), ABDM_E_CONSENT_OTHER_HIP},
    {"the facility is the consent's: by the consent", {N(NOTHING, 0)}, T(OWN_HIP, "HIP_1"),
     T(OWN_HIP, "HIP_10"), ABDM_E_CONSENT_OTHER_HIP},
    {"the request names a facility", {N(NOTHING, 0)}, T(ASKED_HIP, "HIP_1"), T(ASKED_HIP, ""),
     ABDM_E_CONSENT_OTHER_HIP},
    {"the consent names a facility", {N(NOTHING, 0)}, T(OWN_HIP, "HIP_1"), T(OWN_HIP, NULL),
     ABDM_E_CONSENT_OTHER_HIP},

    {"the requester is the consent's", {N(NOTHING, 0)}, T(ASKED_HIU, "HIU_1"),
     T(ASKED_HIU, "HIU_2"), ABDM_E_CONSENT_OTHER_HIU},
    {"or the request names none", {T(OWN_HIU, "HIU_2")}, T(ASKED_HIU, ""), T(ASKED_HIU, "HIU_1"),
     ABDM_E_CONSENT_OTHER_HIU},
    {"or the consent names none", {T(ASKED_HIU, "HIU_2")}, T(OWN_HIU, NULL), T(OWN_HIU, "HIU_1"),
     ABDM_E_CONSENT_OTHER_HIU},

    {"the purpose is no emergency", {N(NOTHING, 0)}, T(PURPOSE, "CAREMGT"), T(PURPOSE, "BTG"),
     ABDM_E_CONSENT_BREAK_GLASS},
    {"or emergencies are served", {T(PURPOSE, "btg")}, N(BREAK_GLASS, 1), N(BREAK_GLASS, 0),
     ABDM_E_CONSENT_BREAK_GLASS},

    {"the range does not end before it begins: by its end", {N(ASKED_FROM, 1500)},
     N(ASKED_TO, 1500), N(ASKED_TO, 1499), ABDM_E_CONSENT_RANGE},
    {"the range does not end before it begins: by its begin", {N(ASKED_TO, 1500), N(DATE, 1500)},
     N(ASKED_FROM, 1500), N(ASKED_FROM, 1501), ABDM_E_CONSENT_RANGE},
    {"the range begins within the consent's: by the request", {N(NOTHING, 0)},
     N(ASKED_FROM, FROM), N(ASKED_FROM, FROM - 1), ABDM_E_CONSENT_RANGE},
    {"the range begins within the consent's: by the consent", {N(NOTHING, 0)}, N(OWN_FROM, FROM),
     N(OWN_FROM, FROM + 1), ABDM_E_CONSENT_RANGE},
    {"the range ends within the consent's: by the request", {N(NOTHING, 0)}, N(ASKED_TO, TO),
     N(ASKED_TO, TO + 1), ABDM_E_CONSENT_RANGE},
    {"the range ends within the consent's: by the consent", {N(NOTHING, 0)}, N(OWN_TO, TO),
     N(OWN_TO, TO - 1), ABDM_E_CONSENT_RANGE},

    {"the context is listed: by the record", {N(NOTHING, 0)}, T(CONTEXT_REF, "V-2"),
     T(CONTEXT_REF, "V-3"), ABDM_E_CONSENT_CONTEXT},
    {"the context is listed: by the consent", {N(NOTHING, 0)}, N(CONTEXTS, 1), N(CONTEXTS, 0),
     ABDM_E_CONSENT_CONTEXT},
    {"the record names a context", {N(NOTHING, 0)}, T(CONTEXT_REF, "V-1"), T(CONTEXT_REF, ""),
     ABDM_E_CONSENT_CONTEXT},
    {"two contexts without a name are not the same", {T(CONTEXT_REF, "")}, N(NOTHING, 0),
     N(CONTEXTS, 2), ABDM_E_CONSENT_CONTEXT},

    {"the patient is the context's", {N(NOTHING, 0)}, T(PATIENT_REF, "MR-1"),
     T(PATIENT_REF, "MR-2"), ABDM_E_CONSENT_PATIENT},
    {"the patient is this context's and not another's", {T(PATIENT_REF, "MR-9")},
     T(CONTEXT_REF, "V-9"), T(CONTEXT_REF, "V-2"), ABDM_E_CONSENT_PATIENT},
    {"the record names a patient", {N(NOTHING, 0)}, T(PATIENT_REF, "MR-1"), T(PATIENT_REF, ""),
     ABDM_E_CONSENT_PATIENT},
    {"the consent names the context's patient", {N(NOTHING, 0)}, N(CONTEXTS, 1), N(CONTEXTS, 3),
     ABDM_E_CONSENT_PATIENT},

    {"the type is consented: by the record", {N(NOTHING, 0)}, N(TYPE, ABDM_HI_INVOICE),
     N(TYPE, ABDM_HI_DIAGNOSTIC_REPORT), ABDM_E_CONSENT_HI_TYPE},
    {"the type is consented: by the consent", {N(NOTHING, 0)}, N(TYPES, ~0u),
     N(TYPES, ~(1u << ABDM_HI_PRESCRIPTION)), ABDM_E_CONSENT_HI_TYPE},
    {"the type is known", {N(TYPES, ~0u)}, N(TYPE, 0), N(TYPE, -1), ABDM_E_CONSENT_HI_TYPE},
    {"the type is one of ours", {N(TYPES, ~0u)}, N(TYPE, ABDM_HI_TYPES - 1),
     N(TYPE, ABDM_HI_TYPES), ABDM_E_CONSENT_HI_TYPE},

    {"the record has a date", {N(NOTHING, 0)}, N(DATED, 1), N(DATED, 0),
     ABDM_E_CONSENT_RECORD_DATE},
    {"the record is not before the range: by its date", {N(ASKED_FROM, 1400)}, N(DATE, 1400),
     N(DATE, 1399), ABDM_E_CONSENT_RECORD_DATE},
    {"the record is not before the range: by the range", {N(DATE, 1400)}, N(ASKED_FROM, 1400),
     N(ASKED_FROM, 1401), ABDM_E_CONSENT_RECORD_DATE},
    {"the record is not behind the range: by its date", {N(ASKED_TO, 1600)}, N(DATE, 1600),
     N(DATE, 1601), ABDM_E_CONSENT_RECORD_DATE},
    {"the record is not behind the range: by the range", {N(DATE, 1600)}, N(ASKED_TO, 1600),
     N(ASKED_TO, 1599), ABDM_E_CONSENT_RECORD_DATE},
};

enum { PAIRS = sizeof(pairs) / sizeof(pairs[0]) };

typedef struct {
    bool stored;
    abdm_consent_t consent;
    abdm_consent_request_t request;
    abdm_consent_record_t record;
    abdm_ms_t now;
} case_t;


static case_t
permitted(void)
{
    return (case_t){
        .stored = true,
        .consent = {.id = "c", .hip_id = "HIP_1", .hiu_id = "HIU_1", .patient_id = "a@sbx",
                    .purpose = "CAREMGT", .status = ABDM_CONSENT_GRANTED, .from = FROM, .to = TO,
                    .erase_at = ERASE,
                    .hi_types = 1u << ABDM_HI_PRESCRIPTION | 1u << ABDM_HI_INVOICE,
                    .contexts = listed, .n_contexts = 3},
        .request = {.hip_id = ABDM_LIT("HIP_1"), .hiu_id = ABDM_LIT("HIU_1"), .from = FROM,
                    .to = TO},
        .record = {ABDM_LIT("MR-1"), ABDM_LIT("V-2"), ABDM_HI_PRESCRIPTION, true, 1500},
        .now = NOW,
    };
}


static void
set_contexts(case_t *c, int64_t which)
{
    static abdm_care_context_t *const lists[] = {NULL, listed, nameless, patientless};
    static const size_t lengths[] = {0, 3, 2, 2};

    c->consent.contexts = lists[which];
    c->consent.n_contexts = lengths[which];
}


static void
change(case_t *c, const change_t *ch)
{
    char *text = (char *) ch->text;
    int64_t n = ch->number;

    switch (ch->input) {
    case NOTHING: break;
    case CONSENT: c->stored = n != 0; break;
    case STATUS: c->consent.status = (abdm_consent_status_t) n; break;
    case ERASE_AT: c->consent.erase_at = n; break;
    case CLOCK: c->now = n; break;
    case OWN_HIP: c->consent.hip_id = text; break;
    case ASKED_HIP: c->request.hip_id = abdm_str(text); break;
    case OWN_HIU: c->consent.hiu_id = text; break;
    case ASKED_HIU: c->request.hiu_id = abdm_str(text); break;
    case PURPOSE: c->consent.purpose = text; break;
    case BREAK_GLASS: c->request.break_glass = n != 0; break;
    case OWN_FROM: c->consent.from = n; break;
    case OWN_TO: c->consent.to = n; break;
    case ASKED_FROM: c->request.from = n; break;
    case ASKED_TO: c->request.to = n; break;
    case CONTEXTS: set_contexts(c, n); break;
    case CONTEXT_REF: c->record.care_context_ref = abdm_str(text); break;
    case PATIENT_REF: c->record.patient_ref = abdm_str(text); break;
    case TYPES: c->consent.hi_types = (abdm_hi_types_t) n; break;
    case TYPE: c->record.hi_type = (int) n; break;
    case DATED: c->record.dated = n != 0; break;
    case DATE: c->record.date = n; break;
    }
}


static abdm_err_t
decide(const case_t *c, bool with_record)
{
    return abdm_consent_decide(c->stored ? &c->consent : NULL, &c->request,
                               with_record ? &c->record : NULL, c->now);
}


static case_t
case_of(const pair_t *p, const change_t *last)
{
    case_t c = permitted();

    for (size_t i = 0; i < 2; i++)
        change(&c, &p->before[i]);
    change(&c, last);
    return c;
}


/* Which row of the decision's own table refused; -1: none. */
static int
row_of(abdm_err_t err)
{
    abdm_err_t refusal;
    bool for_records;

    for (size_t n = 0; abdm_consent_condition(n, &refusal, &for_records); n++) {
        if (refusal.code == err.code && strcmp(refusal.what, err.what) == 0)
            return (int) n;
    }
    return -1;
}


static void
each_condition_alone_flips_the_outcome_and_names_its_reason(void **state)
{
    (void) state;
    for (size_t i = 0; i < PAIRS; i++) {
        const pair_t *p = &pairs[i];
        case_t refuses = case_of(p, &p->refuses);
        abdm_err_t err = decide(&refuses, true);

        if (p->allows.input != NOTHING) { /* a pair that has no good half is of a nameless record */
            case_t allows = case_of(p, &p->allows);
            abdm_err_t good = decide(&allows, true);

            if (abdm_failed(good))
                fail_msg("%s: refused with \"%s\"", p->condition, good.what);
        }
        if (err.code != p->code)
            fail_msg("%s: not refused with %s but %s", p->condition,
                     abdm_error_info(p->code)->name,
                     abdm_failed(err) ? abdm_error_info(err.code)->name : "allowed");
        assert_true(row_of(err) >= 0);
    }
}


/* What is wrong with the request shows without a record; what is wrong with a record does not. */
static void
a_request_is_judged_by_the_conditions_of_requests_alone(void **state)
{
    (void) state;
    for (size_t i = 0; i < PAIRS; i++) {
        case_t c = case_of(&pairs[i], &pairs[i].refuses);
        abdm_err_t with = decide(&c, true), without = decide(&c, false), refusal;
        bool for_records;

        assert_true(abdm_consent_condition((size_t) row_of(with), &refusal, &for_records));
        if (for_records ? abdm_failed(without) : without.code != with.code)
            fail_msg("%s", pairs[i].condition);
    }
}


static void
every_row_of_the_decision_is_the_reason_of_some_pair(void **state)
{
    bool seen[CONDITIONS_MAX] = {false}, for_records;
    abdm_err_t refusal;
    size_t n = 0;

    (void) state;
    for (size_t i = 0; i < PAIRS; i++) {
        case_t c = case_of(&pairs[i], &pairs[i].refuses);
        seen[row_of(decide(&c, true))] = true;
    }
    for (; abdm_consent_condition(n, &refusal, &for_records); n++) {
        assert_true(n < CONDITIONS_MAX);
        if (!seen[n])
            fail_msg("no pair is for: %s", refusal.what);
    }
    assert_int_equal(n, 15); /* a condition more needs its pairs, one less needs a reason */
}


/* `abdm explain` and on-request tell by these codes why something stayed here. */
static void
every_code_of_a_consent_is_given_by_some_condition_and_has_words(void **state)
{
    int found = 0;

    (void) state;
    for (int code = ABDM_OK + 1; code < ABDM_CODE_COUNT; code++) {
        const abdm_error_info_t *info = abdm_error_info((abdm_code_t) code);
        abdm_err_t refusal;
        bool for_records, given = false;

        if (strncmp(info->name, "E_CONSENT_", 10) != 0)
            continue;
        for (size_t n = 0; abdm_consent_condition(n, &refusal, &for_records); n++)
            given |= (int) refusal.code == code;
        if (!given)
            continue; /* of the confirmation of an artefact, not of this decision */
        found++;
        assert_true(strlen(info->meaning) > 5 && strlen(info->remedy) > 5);
        assert_int_equal(strncmp(info->wire, "ABDM-", 5), 0);
    }
    assert_int_equal(found, 12);
}


/* Default deny: of a thousand random cases those are allowed in which nothing is wrong, by a
 * second writing of the rule that knows no table. */
static void
the_table_says_the_same_as_the_rule_written_out(void **state)
{
    uint64_t seed = 0x5eed;
    int allowed = 0;

    (void) state;
    for (int i = 0; i < 200000; i++) {
        case_t c = permitted();

        for (int k = 0; k < 3; k++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            const pair_t *p = &pairs[(seed >> 33) % PAIRS];
            change(&c, (seed >> 20) % 4 != 0 ? &p->allows : &p->refuses);
        }
        const abdm_consent_t *s = &c.consent;
        const abdm_consent_record_t *r = &c.record;
        bool context = false, may;

        for (size_t j = 0; j < s->n_contexts; j++)
            context |= r->care_context_ref.len > 0 && r->patient_ref.len > 0
                       && abdm_str_eq(abdm_str(s->contexts[j].care_context_ref), r->care_context_ref)
                       && abdm_str_eq(abdm_str(s->contexts[j].patient_ref), r->patient_ref);
        may = c.stored && s->status == ABDM_CONSENT_GRANTED && c.now < s->erase_at
              && c.request.hip_id.len > 0 && abdm_str_eq(abdm_str(s->hip_id), c.request.hip_id)
              && (abdm_str(s->hiu_id).len == 0 || c.request.hiu_id.len == 0
                  || abdm_str_eq(abdm_str(s->hiu_id), c.request.hiu_id))
              && (c.request.break_glass || !abdm_str_ieq(abdm_str(s->purpose), ABDM_LIT("BTG")))
              && c.request.from <= c.request.to && s->from <= c.request.from
              && c.request.to <= s->to && context && r->hi_type >= 0 && r->hi_type < ABDM_HI_TYPES
              && (s->hi_types >> r->hi_type & 1u) == 1 && r->dated && r->date >= c.request.from
              && r->date <= c.request.to;
        assert_int_equal(!abdm_failed(decide(&c, true)), may);
        allowed += may;
    }
    assert_true(allowed > 10000 && allowed < 190000);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_condition_alone_flips_the_outcome_and_names_its_reason),
        cmocka_unit_test(a_request_is_judged_by_the_conditions_of_requests_alone),
        cmocka_unit_test(every_row_of_the_decision_is_the_reason_of_some_pair),
        cmocka_unit_test(every_code_of_a_consent_is_given_by_some_condition_and_has_words),
        cmocka_unit_test(the_table_says_the_same_as_the_rule_written_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
