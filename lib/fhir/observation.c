/*
 * Observations: what was measured or seen, with its value. The type of the value follows the
 * profile of the section. A vital sign is coded only with number, UCUM unit and time, as HL7's
 * implied profiles ask; else it is the same observation in words.
 */
#include <stdio.h>
#include <string.h>

#include "fhir/forms.h"
#include "fhir/observation.h"
#include "fhir/units.h"
#include "fhir/vitals.h"

#define CATEGORY_SYSTEM "http://terminology.hl7.org/CodeSystem/observation-category"
#define INTERPRETATION  "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"

/* The value as the record gives it. */
typedef struct {
    const char *text; /* in words; NULL: none */
    abdm_quantity_t quantity;
    bool has_quantity;
    char value_text[ABDM_FHIR_TEXT];
    char unit_text[ABDM_FHIR_TEXT];
    char result_text[ABDM_FHIR_TEXT];
    bool too_long; /* words and unit together */
    char joined[1024];
} value_t;


/* Words that are no number, with their unit behind them. */
static void
join(value_t *v, const char *text, const char *unit)
{
    v->text = text;
    if (unit == NULL)
        return;
    int n = snprintf(v->joined, sizeof v->joined, "%s %s", text, unit);
    v->too_long = n < 0 || (size_t) n >= sizeof v->joined;
    v->text = v->joined;
}


static void
read_value(abdm_build_t *b, value_t *v)
{
    const json_t *given = b->values[ABDM_OBS_QUANTITY];
    const char *number, *unit;

    v->text = abdm_form_text(b, ABDM_OBS_RESULT, v->result_text);
    v->has_quantity = v->too_long = false;
    if (json_is_object(given)) {
        number = abdm_text(json_object_get(given, "value"), v->value_text);
        unit = abdm_text(json_object_get(given, "unit"), v->unit_text);
    } else {
        number = abdm_text(given, v->value_text);
        unit = NULL;
    }
    if (unit == NULL)
        unit = abdm_form_text(b, ABDM_OBS_UNIT, v->unit_text);
    if (number != NULL) {
        v->has_quantity = abdm_read_quantity(number, unit, &v->quantity);
        if (!v->has_quantity && v->text == NULL)
            join(v, number, unit); /* "trace", "120/80" */
        return;
    }
    if (v->text == NULL || (unit == NULL && strpbrk(v->text, "0123456789") == NULL))
        return;
    v->has_quantity = abdm_read_quantity(v->text, unit, &v->quantity) &&
                      v->quantity.unit.len > 0;
    if (v->has_quantity)
        v->text = NULL;
    else
        join(v, v->text, unit);
}


static void
put_code(abdm_build_t *b, const char *key, const abdm_vital_t *vital, const char *text)
{
    abdm_put_object(b, key);
    abdm_put_list(b, "coding");
    abdm_put_coding(b, ABDM_FHIR_LOINC, vital->loinc, vital->display);
    abdm_put_end(b, ']');
    abdm_jw_kv(&b->w, "text", text);
    abdm_put_end(b, '}');
}


static void
put_vital_category(abdm_build_t *b)
{
    abdm_jw_raw(&b->w, ABDM_LIT("\"category\":[{\"coding\":[{\"system\":\"" CATEGORY_SYSTEM
                                "\",\"code\":\"vital-signs\",\"display\":\"Vital Signs\"}]}]"));
}


static void
put_pressure_part(abdm_build_t *b, const abdm_vital_t *vital, abdm_str_t number)
{
    abdm_quantity_t q = {ABDM_LIT(""), number, ABDM_LIT("mmHg"), "mm[Hg]"};

    abdm_put_object(b, NULL);
    put_code(b, "code", vital, vital->display);
    abdm_put_quantity(b, "valueQuantity", &q);
    abdm_put_end(b, '}');
}


/* Which vital sign this is by its LOINC code, else by its name; NULL when it is none or lacks
 * what a coded one needs. */
static const abdm_vital_t *
vital_of(abdm_build_t *b, const abdm_concept_t *name, const value_t *v, abdm_str_t pressure[2])
{
    const char *loinc = json_string_value(b->values[ABDM_OBS_LOINC]);
    const abdm_vital_t *vital = NULL;

    if (!b->node->kind->vitals || name->coding.system != NULL)
        return NULL;
    if (loinc == NULL)
        loinc = name->withheld;
    if (loinc != NULL)
        vital = abdm_vital_by_loinc(loinc);
    else if (name->text == name->plain)
        vital = abdm_vital_by_name(abdm_str(name->text));
    if (vital == &abdm_vital_pressure) {
        return v->text != NULL && abdm_vital_read_pressure(v->text, &pressure[0], &pressure[1])
                   ? vital
                   : NULL;
    }
    return vital != NULL && v->has_quantity && v->quantity.ucum != NULL &&
                   v->quantity.comparator.len == 0 && abdm_vital_takes(vital, v->quantity.ucum)
               ? vital
               : NULL;
}


static void
put_value(abdm_build_t *b, const value_t *v)
{
    abdm_value_kind_t kind = b->node->kind->value;
    const char *text = v->text;
    abdm_buf_t words = {0};

    if (v->has_quantity && kind != ABDM_VALUE_CONCEPT) {
        abdm_put_quantity(b, "valueQuantity", &v->quantity);
        if (text != NULL && b->values[ABDM_OBS_FLAG] == NULL) {
            abdm_put_list(b, "interpretation");
            abdm_put_concept(b, NULL, NULL, NULL, text);
            abdm_put_end(b, ']');
        } else if (text != NULL) {
            abdm_put_list(b, "note");
            abdm_put_object(b, NULL);
            abdm_jw_kv(&b->w, "text", text);
            abdm_put_end(b, '}');
            abdm_put_end(b, ']');
        }
        return;
    }
    if (v->has_quantity) { /* the profile has no number here */
        const abdm_quantity_t *q = &v->quantity;
        abdm_buf_add_str(&words, q->comparator);
        abdm_buf_add_str(&words, q->number);
        abdm_buf_addz(&words, q->unit.len > 0 ? " " : "");
        abdm_buf_add_str(&words, q->unit);
        if (text != NULL)
            abdm_buf_addf(&words, ", %s", text);
        b->text.failed |= words.failed || !abdm_buf_reserve(&words, 1);
        if (b->text.failed) {
            abdm_buf_wipe_free(&words);
            return;
        }
        words.p[words.len] = '\0';
        text = words.p;
    }
    if (text != NULL && kind == ABDM_VALUE_ANY)
        abdm_jw_kv(&b->w, "valueString", text);
    else if (text != NULL)
        abdm_put_concept(b, "valueCodeableConcept", NULL, NULL, text);
    abdm_buf_wipe_free(&words);
}


/* The LOINC code that stands beside a test. */
static void
use_loinc(abdm_build_t *b, abdm_concept_t *name)
{
    const char *loinc = json_string_value(b->values[ABDM_OBS_LOINC]);
    char small[ABDM_FHIR_TEXT];
    const char *display = abdm_form_text(b, ABDM_ROW_DISPLAY, small);

    if (loinc != NULL && name->coding.system == NULL && !abdm_vital_implied(loinc) &&
        abdm_code_plausible(ABDM_LOINC, loinc))
        name->coding = (abdm_coding_t){ABDM_FHIR_LOINC, loinc,
                                       display == small || display == NULL ? name->text : display};
}


abdm_err_t
abdm_write_observation(abdm_build_t *b, const abdm_row_t *row, const json_t *value)
{
    char date[ABDM_FHIR_DATE];
    abdm_str_t pressure[2];
    abdm_concept_t name;
    value_t v;

    abdm_read_concept(b, row, value, true, &name);
    if (name.text == NULL)
        return abdm_build_fail(b, row->names[0],
                               ABDM_ERR(RECORD_FORM, row->missing));
    use_loinc(b, &name);
    read_value(b, &v);
    if (v.too_long)
        return ABDM_MALFORMED(b, "result", "result: too long together with its unit");

    const abdm_vital_t *vital = vital_of(b, &name, &v, pressure);
    if (vital == NULL) {
        abdm_put_read_concept(b, "code", &name);
        put_value(b, &v);
    } else {
        put_vital_category(b);
        put_code(b, "code", vital, name.plain);
        if (vital == &abdm_vital_pressure) {
            abdm_put_list(b, "component");
            put_pressure_part(b, &abdm_vital_systolic, pressure[0]);
            put_pressure_part(b, &abdm_vital_diastolic, pressure[1]);
            abdm_put_end(b, ']');
        } else {
            put_value(b, &v);
        }
    }
    if (b->values[ABDM_OBS_DATE] == NULL) {
        abdm_jw_kv(&b->w, "effectiveDateTime", b->date);
        return ABDM_NO_ERR;
    }
    ABDM_TRY(abdm_read_date(b, "date", b->values[ABDM_OBS_DATE], ABDM_FHIR_TIME, date));
    abdm_jw_kv(&b->w, "effectiveDateTime",
               vital != NULL && strlen(date) < 10 ? b->date : date); /* to the day at least */
    return ABDM_NO_ERR;
}


/* --- what a laboratory adds --- */

static void
put_bound(abdm_build_t *b, const char *key, const json_t *range, const char *member)
{
    const json_t *given = json_object_get(range, member);
    char small[ABDM_FHIR_TEXT], unit_small[ABDM_FHIR_TEXT];
    const char *unit = NULL, *number;
    abdm_quantity_t q;

    if (json_is_object(given)) {
        unit = abdm_text(json_object_get(given, "unit"), unit_small);
        given = json_object_get(given, "value");
    }
    if (unit == NULL && json_is_object(b->values[ABDM_OBS_QUANTITY]))
        unit = abdm_text(json_object_get(b->values[ABDM_OBS_QUANTITY], "unit"), unit_small);
    if (unit == NULL)
        unit = abdm_form_text(b, ABDM_OBS_UNIT, unit_small);
    number = abdm_text(given, small);
    if (number != NULL && abdm_read_quantity(number, unit, &q) && q.comparator.len == 0)
        abdm_put_quantity(b, key, &q);
}


/* {low, high, text}, or the text alone as a sheet prints it. */
abdm_err_t
abdm_write_range(abdm_build_t *b, const abdm_row_t *row, const json_t *value)
{
    char small[ABDM_FHIR_TEXT], low_small[ABDM_FHIR_TEXT], high_small[ABDM_FHIR_TEXT], both[128];
    const char *text = abdm_text(value, small);

    if (json_is_object(value)) {
        const char *low = abdm_text(json_object_get(value, "low"), low_small);
        const char *high = abdm_text(json_object_get(value, "high"), high_small);
        text = abdm_text(json_object_get(value, "text"), small);
        if (text == NULL && (low != NULL || high != NULL)) {
            snprintf(both, sizeof both, "%.50s%s%.50s", low == NULL ? "" : low,
                     low == NULL ? "up to " : high == NULL ? " or more" : " - ",
                     high == NULL ? "" : high);
            text = both;
        }
        if (text == NULL && !json_is_object(json_object_get(value, "low")) &&
            !json_is_object(json_object_get(value, "high")))
            return ABDM_NO_ERR;
    } else if (text == NULL) {
        return ABDM_MALFORMED(b, row->names[0], "range: a text or {low, high, text} expected");
    }
    abdm_put_list(b, row->key);
    abdm_put_object(b, NULL);
    if (json_is_object(value)) {
        put_bound(b, "low", value, "low");
        put_bound(b, "high", value, "high");
    }
    if (text != NULL)
        abdm_jw_kv(&b->w, "text", text);
    abdm_put_end(b, '}');
    abdm_put_end(b, ']');
    return ABDM_NO_ERR;
}


abdm_err_t
abdm_write_flag(abdm_build_t *b, const abdm_row_t *row, const json_t *value)
{
    static const struct {
        const char *given, *code, *display;
    } flags[] = {
        {"H", "H", "High"},          {"L", "L", "Low"},          {"N", "N", "Normal"},
        {"HH", "HH", "Critical high"}, {"LL", "LL", "Critical low"}, {"A", "A", "Abnormal"},
        {"AA", "AA", "Critical abnormal"}, {"high", "H", "High"}, {"low", "L", "Low"},
        {"normal", "N", "Normal"},   {"abnormal", "A", "Abnormal"},
    };
    char small[ABDM_FHIR_TEXT];
    const char *text = abdm_text(value, small);
    size_t i = 0, n = sizeof flags / sizeof *flags;

    if (text == NULL)
        return ABDM_MALFORMED(b, row->names[0], "flag: a text expected, H, L or N");
    while (i < n && !abdm_str_ieq(abdm_str(text), abdm_str(flags[i].given)))
        i++;
    abdm_put_list(b, row->key);
    if (i < n)
        abdm_put_concept(b, NULL, INTERPRETATION, flags[i].code, flags[i].display);
    else
        abdm_put_concept(b, NULL, NULL, NULL, text);
    abdm_put_end(b, ']');
    return ABDM_NO_ERR;
}
