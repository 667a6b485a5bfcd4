/*
 * The rules (invariants) that FHIR R4 sets for resources and data types, by their keys, and which
 * code makes an Observation a vital sign to which FHIR's own profiles apply (R4, "Vital Signs").
 */
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "core/time.h"
#include "fhir/check_internal.h"

#define UCUM "http://unitsofmeasure.org"

typedef enum {
    NEEDS,  /* any of the first makes all of the second mandatory */
    ONE_OF, /* at least one of the first */
    NOT_BOTH,
    NONE_OF,
} kind_t;

/* Rules about what stands beside what. A choice is named by its base and "[x]". */
static const struct {
    const char *shape, *member; /* "": the shape itself */
    kind_t kind;
    const char *first, *second;
    const char *key;
} rules[] = {
    {"Attachment", "", NEEDS, "data", "contentType", "att-1"},
    {"ContactPoint", "", NEEDS, "value", "system", "cpt-2"},
    {"Quantity", "", NEEDS, "code", "system", "qty-3"},
    {"Age", "", NEEDS, "code", "system", "qty-3"},
    {"Duration", "", NEEDS, "code", "system value", "drt-1"},
    {"Timing", "repeat", NEEDS, "duration", "durationUnit", "tim-1"},
    {"Timing", "repeat", NEEDS, "period", "periodUnit", "tim-2"},
    {"Timing", "repeat", NEEDS, "periodMax", "period", "tim-6"},
    {"Timing", "repeat", NEEDS, "durationMax", "duration", "tim-7"},
    {"Timing", "repeat", NEEDS, "countMax", "count", "tim-8"},
    {"Timing", "repeat", NEEDS, "offset", "when", "tim-9"},
    {"Timing", "repeat", NOT_BOTH, "timeOfDay", "when", "tim-10"},
    {"Expression", "", ONE_OF, "expression reference", "", "exp-1"},
    {"Appointment", "", NEEDS, "start", "end", "app-2"},
    {"Appointment", "", NEEDS, "end", "start", "app-2"},
    {"Appointment", "participant", ONE_OF, "type actor", "", "app-1"},
    {"Bundle", "", NONE_OF, "total", "", "bdl-1"},
    {"Bundle", "entry", NONE_OF, "search", "", "bdl-2"},
    {"Bundle", "entry", NONE_OF, "request", "", "bdl-3"},
    {"Bundle", "entry", NONE_OF, "response", "", "bdl-4"},
    {"CarePlan", "activity", NOT_BOTH, "detail", "reference", "cpl-3"},
    {"Composition", "section", ONE_OF, "text entry section", "", "cmp-1"},
    {"Composition", "section", NOT_BOTH, "emptyReason", "entry", "cmp-2"},
    {"Condition", "stage", ONE_OF, "summary assessment", "", "con-1"},
    {"Condition", "evidence", ONE_OF, "code detail", "", "con-2"},
    {"FamilyMemberHistory", "", NOT_BOTH, "age[x]", "born[x]", "fhs-1"},
    {"FamilyMemberHistory", "", NEEDS, "estimatedAge", "age[x]", "fhs-2"},
    {"Immunization", "education", ONE_OF, "documentType reference", "", "imm-1"},
    {"ImmunizationRecommendation", "recommendation", ONE_OF, "vaccineCode targetDisease", "",
     "imr-1"},
    {"Observation", "", NOT_BOTH, "dataAbsentReason", "value[x]", "obs-6"},
    {"Observation", "referenceRange", ONE_OF, "low high text", "", "obs-3"},
    {"Organization", "", ONE_OF, "identifier name", "", "org-1"},
    {"Patient", "contact", ONE_OF, "name telecom address organization", "", "pat-1"},
    {"ServiceRequest", "", NEEDS, "orderDetail", "code", "prr-1"},
};


static bool
has(const json_t *object, const char *name, size_t len)
{
    const char *key;
    json_t *value;
    bool choice = len > 3 && memcmp(name + len - 3, "[x]", 3) == 0;

    json_object_foreach((json_t *) object, key, value) {
        if (choice ? strncmp(key, name, len - 3) == 0 && key[len - 3] >= 'A' && key[len - 3] <= 'Z'
                   : strncmp(key, name, len) == 0 && key[len] == '\0')
            return true;
    }
    return false;
}


/* How many of the names stand in the object, and how many names there are. */
static size_t
count_names(const json_t *object, const char *names, size_t *of)
{
    size_t count = 0;

    for (*of = 0; *names != '\0'; ++*of) {
        size_t n = strcspn(names, " ");
        count += has(object, names, n);
        names += n + (names[n] == ' ');
    }
    return count;
}


static void
check_names(abdm_check_t *c, const json_t *object, size_t i)
{
    const char *first = rules[i].first, *second = rules[i].second, *key = rules[i].key;
    size_t of, of_second, found = count_names(object, first, &of);
    size_t found_second = count_names(object, second, &of_second);

    switch (rules[i].kind) {
    case NEEDS:
        if (found > 0 && found_second < of_second)
            abdm_check_found(c, ABDM_F_RULE, NULL, "%s needs %s (%s)", first, second, key);
        break;
    case ONE_OF:
        if (found == 0)
            abdm_check_found(c, ABDM_F_RULE, NULL, "one of %s expected (%s)", first, key);
        break;
    case NOT_BOTH:
        if (found > 0 && found_second > 0)
            abdm_check_found(c, ABDM_F_RULE, NULL, "%s and %s exclude each other (%s)", first,
                             second, key);
        break;
    case NONE_OF:
        if (found > 0)
            abdm_check_found(c, ABDM_F_RULE, NULL, "%s has no place in a document (%s)", first,
                             key);
        break;
    }
}


/* --- rules that look at values --- */

static bool
is_at(const json_t *object, const char *path, const char *expected)
{
    const char *z = abdm_json_string_at(object, path);

    return z != NULL && strcmp(z, expected) == 0;
}


/* Whether the concept has a coding of the system with one of the codes. */
static bool
is_coded(const json_t *concept, const char *system, const char *codes)
{
    const json_t *coding;
    size_t i;

    json_array_foreach(json_object_get(concept, "coding"), i, coding) {
        const char *code = abdm_json_string_at(coding, "code"), *at;
        if (code == NULL || !is_at(coding, "system", system) || (at = strstr(codes, code)) == NULL)
            continue;
        size_t n = strlen(code);
        if ((at == codes || at[-1] == ' ') && (at[n] == ' ' || at[n] == '\0'))
            return true;
    }
    return false;
}


static bool
period_is_in_order(const json_t *o)
{
    abdm_ms_t start, end;
    const char *from = abdm_json_string_at(o, "start"), *to = abdm_json_string_at(o, "end");

    return from == NULL || to == NULL || abdm_failed(abdm_time_parse(abdm_str(from), &start)) ||
           abdm_failed(abdm_time_parse(abdm_str(to), &end)) || start <= end ||
           strncmp(from, to, 10) == 0;
}


static bool
range_is_in_order(const json_t *o)
{
    const json_t *low = abdm_json_at(o, "low.value"), *high = abdm_json_at(o, "high.value");

    return low == NULL || high == NULL || json_number_value(low) <= json_number_value(high);
}


static bool
ratio_is_whole(const json_t *o)
{
    bool numerator = has(o, "numerator", 9), denominator = has(o, "denominator", 11);

    return numerator == denominator && (numerator || has(o, "extension", 9));
}


static bool
repeat_is_not_negative(const json_t *o)
{
    return json_number_value(json_object_get(o, "duration")) >= 0 &&
           json_number_value(json_object_get(o, "period")) >= 0;
}


static bool
age_is_in_ucum(const json_t *o)
{
    const json_t *value = json_object_get(o, "value");

    return (value == NULL || (has(o, "code", 4) && json_number_value(value) > 0)) &&
           (!has(o, "system", 6) || is_at(o, "system", UCUM));
}


static bool
duration_is_in_ucum(const json_t *o)
{
    return !has(o, "code", 4) || is_at(o, "system", UCUM);
}


static bool
allergy_has_a_status(const json_t *o)
{
    return is_coded(json_object_get(o, "verificationStatus"),
                    "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification",
                    "entered-in-error") != has(o, "clinicalStatus", 14);
}


static bool
abated_condition_is_over(const json_t *o)
{
    return !has(o, "abatement[x]", 12) ||
           is_coded(json_object_get(o, "clinicalStatus"),
                    "http://terminology.hl7.org/CodeSystem/condition-clinical",
                    "resolved remission inactive");
}


static bool
mistaken_condition_has_no_status(const json_t *o)
{
    return !has(o, "clinicalStatus", 14) ||
           !is_coded(json_object_get(o, "verificationStatus"),
                     "http://terminology.hl7.org/CodeSystem/condition-ver-status",
                     "entered-in-error");
}


static bool
appointment_has_a_time(const json_t *o)
{
    return (has(o, "start", 5) && has(o, "end", 3)) || is_at(o, "status", "proposed") ||
           is_at(o, "status", "cancelled") || is_at(o, "status", "waitlist");
}


static bool
cancelation_has_its_status(const json_t *o)
{
    return !has(o, "cancelationReason", 17) || is_at(o, "status", "noshow") ||
           is_at(o, "status", "cancelled");
}


static bool
shares_a_coding(const json_t *a, const json_t *b)
{
    const json_t *x, *y;
    size_t i, k;

    json_array_foreach(json_object_get(a, "coding"), i, x) {
        json_array_foreach(json_object_get(b, "coding"), k, y) {
            if (json_equal(x, y))
                return true;
        }
    }
    return false;
}


static bool
value_is_not_in_a_component(const json_t *o)
{
    const json_t *component;
    size_t i;

    if (!has(o, "value[x]", 8))
        return true;
    json_array_foreach(json_object_get(o, "component"), i, component) {
        if (shares_a_coding(json_object_get(o, "code"), json_object_get(component, "code")))
            return false;
    }
    return true;
}


static bool
is_not_at_home(const json_t *o, const char *list)
{
    const json_t *item;
    size_t i;

    json_array_foreach(json_object_get(o, list), i, item) {
        if (is_at(item, "use", "home"))
            return false;
    }
    return true;
}


static bool
telecom_is_not_at_home(const json_t *o)
{
    return is_not_at_home(o, "telecom");
}


static bool
address_is_not_at_home(const json_t *o)
{
    return is_not_at_home(o, "address");
}


static const struct {
    const char *shape, *member;
    bool (*holds)(const json_t *object);
    const char *text;
} tests[] = {
    {"Period", "", period_is_in_order, "the end is before the start (per-1)"},
    {"Range", "", range_is_in_order, "low is above high (rng-2)"},
    {"Ratio", "", ratio_is_whole, "numerator and denominator, or neither (rat-1)"},
    {"Timing", "repeat", repeat_is_not_negative, "a negative time (tim-4, tim-5)"},
    {"Age", "", age_is_in_ucum, "a positive number with a UCUM unit expected (age-1)"},
    {"Duration", "", duration_is_in_ucum, "a UCUM unit expected (drt-1)"},
    {"AllergyIntolerance", "", allergy_has_a_status,
     "clinicalStatus is mandatory, unless entered in error (ait-1, ait-2)"},
    {"Condition", "", abated_condition_is_over,
     "abatement needs a clinicalStatus of resolved, remission or inactive (con-4)"},
    {"Condition", "", mistaken_condition_has_no_status,
     "no clinicalStatus when entered in error (con-5)"},
    {"Appointment", "", appointment_has_a_time, "start and end expected (app-3)"},
    {"Appointment", "", cancelation_has_its_status,
     "cancelationReason without status cancelled or noshow (app-4)"},
    {"Observation", "", value_is_not_in_a_component,
     "a component has the code of the whole observation (obs-7)"},
    {"Organization", "", telecom_is_not_at_home, "a telecom of use home (org-3)"},
    {"Organization", "", address_is_not_at_home, "an address of use home (org-2)"},
};


/* --- contained resources --- */

/* Whether a text of `value` is `wanted`, anywhere within it. */
static bool
says(const json_t *value, const char *wanted)
{
    const char *z = json_string_value(value), *key;
    json_t *item;
    size_t i;

    if (z != NULL)
        return strcmp(z, wanted) == 0;
    json_array_foreach(value, i, item) {
        if (says(item, wanted))
            return true;
    }
    json_object_foreach((json_t *) value, key, item) {
        if (says(item, wanted))
            return true;
    }
    return false;
}


static void
check_contained(abdm_check_t *c, const json_t *resource)
{
    const json_t *item;
    size_t i;

    json_array_foreach(json_object_get(resource, "contained"), i, item) {
        const char *id = abdm_json_string_at(item, "id");
        abdm_buf_t b = {0};
        abdm_buf_addf(&b, "#%s", id == NULL ? "" : id);
        char *wanted = abdm_buf_take(&b);
        c->failed = c->failed || wanted == NULL;
        size_t mark = abdm_check_push(c, "contained");
        abdm_check_push_index(c, i);
        if (wanted != NULL && !says(resource, wanted) && !says(item, "#"))
            abdm_check_found(c, ABDM_F_RULE, NULL, "nothing in the resource refers to it (dom-3)");
        if (abdm_json_at(item, "contained") != NULL)
            abdm_check_found(c, ABDM_F_RULE, "contained", "contained within contained (dom-2)");
        if (abdm_json_at(item, "meta.versionId") != NULL ||
            abdm_json_at(item, "meta.lastUpdated") != NULL ||
            abdm_json_at(item, "meta.security") != NULL)
            abdm_check_found(c, ABDM_F_RULE, "meta",
                             "no version, update or security of what is contained (dom-4, dom-5)");
        abdm_check_pop(c, mark);
        free(wanted);
    }
}


void
abdm_check_rules(abdm_check_t *c, const json_t *object, const char *shape, const char *member)
{
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        if (strcmp(rules[i].shape, shape) == 0 && strcmp(rules[i].member, member) == 0)
            check_names(c, object, i);
    }
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) {
        if (strcmp(tests[i].shape, shape) == 0 && strcmp(tests[i].member, member) == 0 &&
            !tests[i].holds(object))
            abdm_check_found(c, ABDM_F_RULE, NULL, "%s", tests[i].text);
    }
    if (*member == '\0' && json_object_get(object, "contained") != NULL)
        check_contained(c, object);
}


/* --- vital signs --- */

const char *
abdm_check_vital(const json_t *observation)
{
    static const struct {
        const char *shape, *loinc, *snomed;
    } vitals[] = {
        {"vitals/vitalspanel", "85353-1", "46680005"},
        {"vitals/resprate", "9279-1 19840-8", "86290005"},
        {"vitals/heartrate", "8867-4 8889-8 8890-6 8893-0 40443-4", "249043002"},
        {"vitals/oxygensat", "2708-6 59408-5 2710-2 2713-6 20564-1", "431314004"},
        {"vitals/bodytemp", "8310-5 8331-1 8332-9 8328-7 8309-7", "386725007 276885007"},
        {"vitals/bodyheight", "8302-2 3137-7 8306-3 8308-9", "50373000 1153637007"},
        {"vitals/headcircum", "9843-4 8287-5", "363812007"},
        {"vitals/bodyweight", "29463-7 3141-9 3142-7 8350-1 8351-9", "424927000"},
        {"vitals/bmi", "39156-5 89270-3", "60621009"},
        {"vitals/bp", "85354-9 55284-4 35094-2 8459-0 76534-7 8480-6",
         "271649006 271650006 163035008"},
    };
    const json_t *code = json_object_get(observation, "code");

    for (size_t i = 0; i < sizeof vitals / sizeof *vitals; i++) {
        if (is_coded(code, "http://loinc.org", vitals[i].loinc) ||
            is_coded(code, "http://snomed.info/sct", vitals[i].snomed))
            return vitals[i].shape;
    }
    return NULL;
}
