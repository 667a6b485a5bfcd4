/*
 * Medicines and vaccines: what is prescribed, how to take it, what was given. A dosage such as
 * "1-0-1" stays the text it is; only NHA's timing f-p-U is a schedule by its own definition.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fhir/forms.h"
#include "fhir/medicine.h"
#include "fhir/units.h"

#define DUE_STATUS "http://terminology.hl7.org/CodeSystem/immunization-recommendation-status"


/* Name, strength and form, as a prescription reads. */
abdm_err_t
abdm_write_medicine(abdm_build_t *b, const abdm_row_t *row, const json_t *value)
{
    char small[2][ABDM_FHIR_TEXT];
    const char *strength = abdm_form_text(b, ABDM_RX_STRENGTH, small[0]);
    const char *form = abdm_form_text(b, ABDM_RX_FORM, small[1]);
    abdm_buf_t words = {0};
    abdm_concept_t c;

    abdm_read_concept(b, row, value, true, &c);
    if (c.text == NULL)
        return abdm_build_fail(b, row->names[0],
                               ABDM_ERR(RECORD_FORM, row->missing));
    abdm_buf_addz(&words, c.text);
    if (strength != NULL)
        abdm_buf_addf(&words, " %s", strength);
    if (form != NULL)
        abdm_buf_addf(&words, " %s", form);
    char *text = abdm_buf_take(&words);
    if (text == NULL)
        return ABDM_ERR(MEMORY, "document: a medicine");
    c.text = text;
    abdm_put_read_concept(b, row->key, &c);
    abdm_wipe(text, strlen(text));
    free(text);
    return ABDM_NO_ERR;
}


/* NHA's "1-1-D": so many times in so many units. Anything else is a text. */
static void
put_timing(abdm_build_t *b, const char *given)
{
    static const char *const units[][2] = {{"S", "s"}, {"MIN", "min"}, {"H", "h"}, {"D", "d"},
                                           {"WK", "wk"}, {"MO", "mo"}};
    size_t f = strspn(given, "0123456789"), p, i = 0, n = sizeof units / sizeof *units;
    const char *period = given + f + (given[f] == '-');

    p = strspn(period, "0123456789");
    abdm_put_object(b, "timing");
    if (f > 0 && f < 5 && given[0] != '0' && given[f] == '-' && p > 0 && p < 5 &&
        period[0] != '0' && period[p] == '-') {
        while (i < n && !abdm_str_ieq(abdm_str(period + p + 1), abdm_str(units[i][0])))
            i++;
    } else {
        i = n;
    }
    if (i < n) {
        abdm_put_object(b, "repeat");
        abdm_jw_key(&b->w, "frequency");
        abdm_jw_raw(&b->w, (abdm_str_t){given, f});
        abdm_jw_key(&b->w, "period");
        abdm_jw_raw(&b->w, (abdm_str_t){period, p});
        abdm_jw_kv(&b->w, "periodUnit", units[i][1]);
        abdm_put_end(b, '}');
    } else {
        abdm_put_concept(b, "code", NULL, NULL, given);
    }
    abdm_put_end(b, '}');
}


static void
put_concept_of(abdm_build_t *b, int place, const char *key, bool list)
{
    const abdm_row_t *row = &b->node->kind->rows[place];
    abdm_concept_t c;

    if (b->values[place] == NULL)
        return;
    abdm_read_concept(b, row, b->values[place], false, &c);
    if (c.text == NULL)
        return;
    if (list)
        abdm_put_list(b, key);
    abdm_put_read_concept(b, list ? NULL : key, &c);
    if (list)
        abdm_put_end(b, ']');
}


abdm_err_t
abdm_write_dosage(abdm_build_t *b, const abdm_row_t *row, const json_t *value)
{
    char small[ABDM_FHIR_TEXT];
    const char *text = abdm_text(value, small), *timing;

    if (text == NULL)
        text = b->rules.dosage;
    if (text == NULL)
        return abdm_build_fail(b, row->names[0],
                               ABDM_ERR(RECORD_FORM, "dosage: missing: how the medicine is taken"));
    abdm_put_list(b, row->key);
    abdm_put_object(b, NULL);
    abdm_jw_kv(&b->w, "text", text);
    put_concept_of(b, ABDM_RX_INSTRUCTIONS, "additionalInstruction", true);
    timing = abdm_form_text(b, ABDM_RX_TIMING, small);
    if (timing != NULL)
        put_timing(b, timing);
    put_concept_of(b, ABDM_RX_ROUTE, "route", false);
    put_concept_of(b, ABDM_RX_METHOD, "method", false);
    abdm_put_end(b, '}');
    abdm_put_end(b, ']');
    return ABDM_NO_ERR;
}


/* A duration in days, weeks or months; false when the text is none. */
static bool
read_duration(const char *text, abdm_quantity_t *q)
{
    static const char *const units[][2] = {
        {"day", "d"},   {"days", "d"},     {"week", "wk"},  {"weeks", "wk"},
        {"month", "mo"}, {"months", "mo"}, {"hours", "h"}, {"hour", "h"},
    };
    size_t n = strspn(text, "0123456789.");
    const char *unit = text + n + strspn(text + n, " ");

    *q = (abdm_quantity_t){ABDM_LIT(""), {text, n}, abdm_str(unit), NULL};
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (abdm_str_ieq(q->unit, abdm_str(units[i][0])))
            q->ucum = units[i][1];
    }
    return q->ucum != NULL && abdm_json_is_number(q->number);
}


/* Duration, quantity and refills; what is no number there becomes a note. */
abdm_err_t
abdm_write_dispense(abdm_build_t *b, const abdm_row_t *row, const json_t *value)
{
    char small[3][ABDM_FHIR_TEXT];
    const json_t *given = b->values[ABDM_RX_QUANTITY];
    const char *duration = abdm_form_text(b, ABDM_RX_DURATION, small[0]);
    const char *refills = abdm_form_text(b, ABDM_RX_REFILLS, small[1]);
    const char *amount, *unit = NULL, *note[2] = {NULL, NULL};
    abdm_quantity_t days, count;

    (void) value;
    amount = abdm_text(given, small[2]);
    char unit_small[ABDM_FHIR_TEXT];
    if (json_is_object(given)) {
        amount = abdm_text(json_object_get(given, "value"), small[2]);
        unit = abdm_text(json_object_get(given, "unit"), unit_small);
    }
    bool has_days = duration != NULL && read_duration(duration, &days);
    bool has_count = amount != NULL && abdm_read_quantity(amount, unit, &count) &&
                     count.comparator.len == 0;
    bool has_refills = refills != NULL && strlen(refills) < 5 &&
                       strspn(refills, "0123456789") == strlen(refills) &&
                       abdm_json_is_number(abdm_str(refills));
    if (refills != NULL && !has_refills)
        return ABDM_MALFORMED(b, "refills", "refills: a whole number expected");
    if (has_days || has_count || has_refills) {
        abdm_put_object(b, row->key);
        if (has_refills) {
            abdm_jw_key(&b->w, "numberOfRepeatsAllowed");
            abdm_jw_raw(&b->w, abdm_str(refills));
        }
        if (has_count)
            abdm_put_quantity(b, "quantity", &count);
        if (has_days)
            abdm_put_quantity(b, "expectedSupplyDuration", &days);
        abdm_put_end(b, '}');
    }
    note[0] = has_days ? NULL : duration;
    note[1] = has_count ? NULL : amount;
    if (note[0] == NULL && note[1] == NULL)
        return ABDM_NO_ERR;
    abdm_put_list(b, "note");
    for (int i = 0; i < 2; i++) {
        if (note[i] == NULL)
            continue;
        abdm_put_object(b, NULL);
        abdm_jw_kv(&b->w, "text", note[i]);
        abdm_put_end(b, '}');
    }
    abdm_put_end(b, ']');
    return ABDM_NO_ERR;
}


/* --- vaccines --- */

abdm_err_t
abdm_write_brand(abdm_build_t *b, const abdm_row_t *row, const json_t *value)
{
    char small[ABDM_FHIR_TEXT];
    const char *brand = abdm_text(value, small);

    if (brand == NULL)
        return ABDM_MALFORMED(b, row->names[0], "brandName: a text expected");
    abdm_put_list(b, "extension");
    abdm_put_object(b, NULL);
    abdm_jw_kv(&b->w, "url", ABDM_FHIR_NRCES "BrandName");
    abdm_jw_kv(&b->w, "valueString", brand);
    abdm_put_end(b, '}');
    abdm_put_end(b, ']');
    return ABDM_NO_ERR;
}


static void
put_dose(abdm_build_t *b, const char *dose)
{
    size_t n = strlen(dose);

    if (n < 5 && strspn(dose, "0123456789") == n && dose[0] != '0') {
        abdm_jw_key(&b->w, "doseNumberPositiveInt");
        abdm_jw_raw(&b->w, abdm_str(dose));
    } else {
        abdm_jw_kv(&b->w, "doseNumberString", dose); /* "booster" */
    }
}


abdm_err_t
abdm_write_dose(abdm_build_t *b, const abdm_row_t *row, const json_t *value)
{
    char small[ABDM_FHIR_TEXT];
    const char *dose = abdm_text(value, small);

    if (dose == NULL)
        return ABDM_MALFORMED(b, row->names[0], "doseNumber: a number or text expected");
    abdm_put_list(b, "protocolApplied");
    abdm_put_object(b, NULL);
    put_dose(b, dose);
    abdm_put_end(b, '}');
    abdm_put_end(b, ']');
    return ABDM_NO_ERR;
}


/* The whole recommendation: vaccine and the day on which it is due. */
abdm_err_t
abdm_write_next_dose(abdm_build_t *b, const abdm_row_t *row, const json_t *value)
{
    char due[ABDM_FHIR_DATE], small[ABDM_FHIR_TEXT];
    const char *dose = abdm_form_text(b, ABDM_DUE_DOSE, small);
    abdm_concept_t c;

    abdm_read_concept(b, row, value, true, &c);
    if (c.text == NULL)
        return abdm_build_fail(b, row->names[0],
                               ABDM_ERR(RECORD_FORM, row->missing));
    if (b->values[ABDM_DUE_DATE] == NULL)
        return abdm_build_fail(b, "dueDate",
                               ABDM_ERR(RECORD_FORM, "nextDose.dueDate: missing: when the next "
                                                     "dose is due"));
    ABDM_TRY(abdm_read_date(b, "dueDate", b->values[ABDM_DUE_DATE], ABDM_FHIR_TIME, due));
    abdm_jw_kv(&b->w, "date", b->date);
    abdm_put_list(b, row->key);
    abdm_put_object(b, NULL);
    abdm_put_list(b, "vaccineCode");
    abdm_put_read_concept(b, NULL, &c);
    abdm_put_end(b, ']');
    abdm_put_concept(b, "forecastStatus", DUE_STATUS, "due", "Due");
    abdm_put_list(b, "dateCriterion");
    abdm_put_object(b, NULL);
    abdm_put_concept(b, "code", ABDM_FHIR_LOINC, "30980-7", "Date vaccine due");
    abdm_jw_kv(&b->w, "value", due);
    abdm_put_end(b, '}');
    abdm_put_end(b, ']');
    if (dose != NULL)
        put_dose(b, dose);
    abdm_put_end(b, '}');
    abdm_put_end(b, ']');
    return ABDM_NO_ERR;
}
