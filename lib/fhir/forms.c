/*
 * The forms that all kinds share: texts, concepts, dates, quantities, references. What is
 * written is what the record says; a coding is written only when the record or the hospital's
 * table gives an exact code of a system that the profile takes there.
 */
#include "fhir/forms.h"

#include <stdio.h>
#include <string.h>

#include "fhir/units.h"
#include "fhir/vitals.h"


const char *
abdm_fhir_text_at(const json_t *record, const char *path)
{
    const char *z = abdm_json_string_at(record, path);

    return z == NULL || z[strspn(z, " \t\r\n")] == '\0' ? NULL : z;
}


const char *
abdm_text(const json_t *value, char small[ABDM_FHIR_TEXT])
{
    const char *z;

    switch (value == NULL ? JSON_NULL : json_typeof(value)) {
    case JSON_STRING:
        z = json_string_value(value);
        return *z > ' ' || z[strspn(z, " \t\r\n")] != '\0' ? z : NULL;
    case JSON_INTEGER:
        snprintf(small, ABDM_FHIR_TEXT, "%lld", (long long) json_integer_value(value));
        return small;
    case JSON_REAL:
        abdm_json_real_text(json_real_value(value), small);
        return small;
    default:
        return NULL;
    }
}


const char *
abdm_form_text(abdm_build_t *b, int place, char small[ABDM_FHIR_TEXT])
{
    return abdm_text(b->values[place], small);
}


abdm_err_t
abdm_build_fail(abdm_build_t *b, const char *name, abdm_err_t err)
{
    return abdm_model_fail(&b->model, b->node, name, err);
}


/* The name under which the record gives a row. */
static const char *
name_of(const abdm_build_t *b, const abdm_row_t *row)
{
    ptrdiff_t place = row - b->node->kind->rows;

    return b->names[place] == NULL ? row->names[0] : b->names[place];
}


/* --- pieces --- */

void
abdm_put_reference(abdm_build_t *b, const char *key, const char *reference)
{
    if (key != NULL)
        abdm_jw_key(&b->w, key);
    abdm_jw_raw(&b->w, abdm_str(reference));
}


void
abdm_put_urn(abdm_build_t *b, const char *key, const char *urn)
{
    abdm_put_object(b, key);
    abdm_jw_kv(&b->w, "reference", urn);
    abdm_jw_close(&b->w, '}');
}


void
abdm_put_list(abdm_build_t *b, const char *key)
{
    abdm_jw_key(&b->w, key);
    abdm_jw_open(&b->w, '[');
}


void
abdm_put_object(abdm_build_t *b, const char *key)
{
    if (key != NULL)
        abdm_jw_key(&b->w, key);
    abdm_jw_open(&b->w, '{');
}


void
abdm_put_end(abdm_build_t *b, char bracket)
{
    abdm_jw_close(&b->w, bracket);
}


void
abdm_put_coding(abdm_build_t *b, const char *system, const char *code, const char *display)
{
    abdm_jw_open(&b->w, '{');
    abdm_jw_kv(&b->w, "system", system);
    abdm_jw_kv(&b->w, "code", code);
    abdm_jw_kv(&b->w, "display", display);
    abdm_jw_close(&b->w, '}');
}


void
abdm_put_concept(abdm_build_t *b, const char *key, const char *system, const char *code,
                 const char *text)
{
    abdm_put_object(b, key);
    if (system != NULL) {
        abdm_put_list(b, "coding");
        abdm_put_coding(b, system, code, text);
        abdm_jw_close(&b->w, ']');
    }
    abdm_jw_kv(&b->w, "text", text);
    abdm_jw_close(&b->w, '}');
}


/* --- texts and words --- */

abdm_err_t
abdm_write_text(abdm_build_t *b, const abdm_row_t *row, const json_t *value)
{
    char small[ABDM_FHIR_TEXT];
    const char *z = abdm_text(value, small);

    if (z == NULL)
        return ABDM_MALFORMED(b, name_of(b, row), "record: a text expected");
    abdm_jw_kv(&b->w, row->key, z);
    return ABDM_NO_ERR;
}


abdm_err_t
abdm_write_note(abdm_build_t *b, const abdm_row_t *row, const json_t *value)
{
    char small[ABDM_FHIR_TEXT];
    const char *z = abdm_text(value, small);

    if (z == NULL)
        return ABDM_MALFORMED(b, name_of(b, row), "record: a text expected");
    abdm_put_list(b, row->key);
    abdm_put_object(b, NULL);
    abdm_jw_kv(&b->w, "text", z);
    abdm_put_end(b, '}');
    abdm_put_end(b, ']');
    return ABDM_NO_ERR;
}


abdm_err_t
abdm_write_word(abdm_build_t *b, const abdm_row_t *row, const json_t *value)
{
    char small[ABDM_FHIR_TEXT];
    const char *given = abdm_text(value, small);

    for (const abdm_word_t *w = row->words; w->given != NULL; w++) {
        if (abdm_str_ieq(abdm_str(given), abdm_str(w->given))) {
            abdm_jw_kv(&b->w, row->key, w->word);
            return ABDM_NO_ERR;
        }
    }
    return ABDM_MALFORMED(b, name_of(b, row), "record: none of the words that FHIR has here");
}


abdm_err_t
abdm_write_display(abdm_build_t *b, const abdm_row_t *row, const json_t *value)
{
    char small[ABDM_FHIR_TEXT];
    const char *z = abdm_text(value, small);

    if (z == NULL)
        return ABDM_MALFORMED(b, name_of(b, row), "record: a name expected");
    abdm_put_object(b, row->key);
    abdm_jw_kv(&b->w, "display", z);
    abdm_put_end(b, '}');
    return ABDM_NO_ERR;
}


/* --- concepts --- */

/* An Observation coded as a vital sign must be a whole one; see observation.c. */
static bool
may_hold(const abdm_build_t *b, const char *code)
{
    return b->node == NULL || strcmp(b->node->kind->type, "Observation") != 0 ||
           !abdm_vital_implied(code);
}


static void
use_table(abdm_build_t *b, const abdm_row_t *row, const char *local, abdm_concept_t *out)
{
    const abdm_coding_t *found;
    const char *url;

    if (local == NULL || out->coding.system != NULL)
        return;
    found = abdm_codes_find(b->rules.codes, row->names[0], local);
    if (found != NULL && (abdm_code_system(found->system, &url) & row->systems) != 0 &&
        may_hold(b, found->code))
        out->coding = *found;
}


/* Whether a code that may not be a coding says something to others: one of a known
 * classification does, a hospital's own does not. */
static bool
is_worth_words(const char *system)
{
    return strncasecmp(system, "http", 4) == 0 || strncasecmp(system, "urn:", 4) == 0 ||
           strncasecmp(system, "icd", 3) == 0 || strncasecmp(system, "loinc", 5) == 0 ||
           strncasecmp(system, "snomed", 6) == 0;
}


/* Code, system and display beside a concept have their places only where the kind has them. */
static bool
has_siblings(const abdm_kind_t *kind)
{
    return kind->n_rows > ABDM_ROW_DISPLAY && kind->rows[ABDM_ROW_CODE].names[0] != NULL &&
           strcmp(kind->rows[ABDM_ROW_CODE].names[0], "code") == 0;
}


void
abdm_read_concept(abdm_build_t *b, const abdm_row_t *row, const json_t *value, bool siblings,
                  abdm_concept_t *out)
{
    const json_t *code = NULL, *system = NULL, *display = NULL;
    char small[ABDM_FHIR_TEXT];
    const char *z, *shown, *name, *url;

    out->text = abdm_text(value, out->small);
    out->coding = (abdm_coding_t){0};
    if (json_is_object(value)) {
        out->text = abdm_text(json_object_get(value, "text"), out->small);
        code = json_object_get(value, "code");
        system = json_object_get(value, "system");
        display = json_object_get(value, "display");
    } else if (siblings && has_siblings(b->node->kind)) {
        code = b->values[ABDM_ROW_CODE];
        system = b->values[ABDM_ROW_SYSTEM];
        display = b->values[ABDM_ROW_DISPLAY];
        if (json_is_object(code)) {
            system = json_object_get(code, "system");
            display = json_object_get(code, "display");
            code = json_object_get(code, "code");
        }
    }
    z = json_string_value(code);
    shown = json_string_value(display);
    name = json_string_value(system);
    if (shown == NULL || abdm_text(display, small) == NULL)
        shown = out->text;
    if (out->text == NULL)
        out->text = shown;
    out->plain = out->text;
    out->withheld = NULL;
    if (z != NULL && *z != '\0' && name != NULL) {
        unsigned bit = abdm_code_system(name, &url);
        if ((bit & row->systems) != 0 && abdm_code_plausible(bit, z) && shown != NULL &&
            may_hold(b, z)) {
            out->coding = (abdm_coding_t){url, z, shown};
        } else if (out->text != NULL && is_worth_words(name)) { /* it must not be lost */
            out->withheld = bit == ABDM_LOINC && !may_hold(b, z) ? z : NULL;
            int n = snprintf(out->joined, sizeof out->joined, "%s (%s)", out->text, z);
            if (n > 0 && (size_t) n < sizeof out->joined)
                out->text = out->joined;
        }
    }
    if (b->rules.codes != NULL) {
        use_table(b, row, abdm_text(value, small), out);
        use_table(b, row, z, out);
    }
}


void
abdm_put_read_concept(abdm_build_t *b, const char *key, const abdm_concept_t *c)
{
    abdm_put_object(b, key);
    if (c->coding.system != NULL) {
        abdm_put_list(b, "coding");
        abdm_put_coding(b, c->coding.system, c->coding.code, c->coding.display);
        abdm_put_end(b, ']');
    }
    abdm_jw_kv(&b->w, "text", c->text);
    abdm_put_end(b, '}');
}


static abdm_err_t
write_concept(abdm_build_t *b, const abdm_row_t *row, const json_t *value, bool list)
{
    abdm_concept_t c;

    abdm_read_concept(b, row, value, row == b->node->kind->rows, &c);
    if (c.text == NULL) {
        if (row->missing != NULL)
            return abdm_build_fail(b, name_of(b, row),
                                   ABDM_ERR(RECORD_FORM, row->missing));
        return ABDM_MALFORMED(b, name_of(b, row), "record: a text or {text, system, code, "
                                                  "display} expected");
    }
    if (list)
        abdm_put_list(b, row->key);
    abdm_put_read_concept(b, list ? NULL : row->key, &c);
    if (list)
        abdm_put_end(b, ']');
    return ABDM_NO_ERR;
}


abdm_err_t
abdm_write_concept(abdm_build_t *b, const abdm_row_t *row, const json_t *value)
{
    return write_concept(b, row, value, false);
}


abdm_err_t
abdm_write_concepts(abdm_build_t *b, const abdm_row_t *row, const json_t *value)
{
    return write_concept(b, row, value, true);
}


/* --- dates --- */

abdm_err_t
abdm_read_date(abdm_build_t *b, const char *name, const json_t *value,
               abdm_fhir_precision_t precision, char out[ABDM_FHIR_DATE])
{
    char small[ABDM_FHIR_TEXT];
    const char *z = abdm_text(value, small);

    if (z == NULL || !abdm_fhir_date(z, precision, b->rules.zone, out))
        return ABDM_MALFORMED(b, name, "record: a date expected, yyyy-mm-dd or "
                                       "yyyy-mm-ddThh:mm:ss+05:30");
    return ABDM_NO_ERR;
}


static abdm_err_t
write_date(abdm_build_t *b, const abdm_row_t *row, const json_t *value,
           abdm_fhir_precision_t precision)
{
    char date[ABDM_FHIR_DATE];

    ABDM_TRY(abdm_read_date(b, name_of(b, row), value, precision, date));
    abdm_jw_kv(&b->w, row->key, date);
    return ABDM_NO_ERR;
}


abdm_err_t
abdm_write_day(abdm_build_t *b, const abdm_row_t *row, const json_t *value)
{
    return write_date(b, row, value, ABDM_FHIR_DAY);
}


abdm_err_t
abdm_write_time(abdm_build_t *b, const abdm_row_t *row, const json_t *value)
{
    return write_date(b, row, value, ABDM_FHIR_TIME);
}


abdm_err_t
abdm_put_period(abdm_build_t *b, const char *key, const char *name, const json_t *from,
                const json_t *to)
{
    char start[ABDM_FHIR_DATE] = "", end[ABDM_FHIR_DATE] = "", small[ABDM_FHIR_TEXT];

    if (abdm_text(from, small) == NULL)
        from = NULL;
    if (abdm_text(to, small) == NULL)
        to = NULL;
    if (from == NULL && to == NULL)
        return ABDM_NO_ERR;
    if (from != NULL)
        ABDM_TRY(abdm_read_date(b, name, from, ABDM_FHIR_TIME, start));
    if (to != NULL)
        ABDM_TRY(abdm_read_date(b, name, to, ABDM_FHIR_TIME, end));
    if (from != NULL && to != NULL &&
        abdm_fhir_date_ms(start) > abdm_fhir_date_ms(end))
        return ABDM_MALFORMED(b, name, "record: a period that ends before it begins");
    abdm_put_object(b, key);
    if (from != NULL)
        abdm_jw_kv(&b->w, "start", start);
    if (to != NULL)
        abdm_jw_kv(&b->w, "end", end);
    abdm_put_end(b, '}');
    return ABDM_NO_ERR;
}


abdm_err_t
abdm_write_period(abdm_build_t *b, const abdm_row_t *row, const json_t *value)
{
    static const char *const from[ABDM_ROW_NAMES] = {"from", "start"};
    static const char *const to[ABDM_ROW_NAMES] = {"to", "end"};
    const char *name;

    if (!json_is_object(value))
        return ABDM_MALFORMED(b, name_of(b, row), "record: {from, to} expected");
    return abdm_put_period(b, row->key, name_of(b, row), abdm_member(value, from, &name),
                           abdm_member(value, to, &name));
}


/* --- references --- */

abdm_err_t
abdm_write_author(abdm_build_t *b, const abdm_row_t *row, const json_t *value)
{
    (void) value;
    abdm_put_reference(b, row->key, b->author);
    return ABDM_NO_ERR;
}


abdm_err_t
abdm_write_authors(abdm_build_t *b, const abdm_row_t *row, const json_t *value)
{
    (void) value;
    abdm_put_list(b, row->key);
    abdm_put_reference(b, NULL, b->author);
    abdm_put_end(b, ']');
    return ABDM_NO_ERR;
}


/* The item's own date, or the record's. */
abdm_err_t
abdm_write_authored_on(abdm_build_t *b, const abdm_row_t *row, const json_t *value)
{
    if (value != NULL)
        return abdm_write_time(b, row, value);
    abdm_jw_kv(&b->w, row->key, b->date);
    return ABDM_NO_ERR;
}


/* --- quantities --- */

bool
abdm_read_quantity(const char *text, const char *unit, abdm_quantity_t *out)
{
    static const char *const comparators[] = {"<=", ">=", "<", ">"};
    const char *p = text + strspn(text, " "), *from;

    *out = (abdm_quantity_t){ABDM_LIT(""), ABDM_LIT(""), ABDM_LIT(""), NULL};
    for (size_t i = 0; i < sizeof comparators / sizeof *comparators; i++) {
        if (abdm_str_starts(abdm_str(p), abdm_str(comparators[i]))) {
            out->comparator = abdm_str(comparators[i]);
            p += out->comparator.len;
            p += strspn(p, " ");
            break;
        }
    }
    from = p;
    p += strspn(p, "-0123456789.eE+");
    out->number = (abdm_str_t){from, (size_t) (p - from)};
    if (!abdm_json_is_number(out->number) || out->number.len > ABDM_DECIMAL_MAX)
        return false;
    p += strspn(p, " ");
    if (unit != NULL) {
        out->unit = abdm_str(unit);
        out->ucum = abdm_fhir_ucum(out->unit);
        return *p == '\0' || strcmp(p, unit) == 0;
    }
    out->unit = abdm_str(p);
    while (out->unit.len > 0 && p[out->unit.len - 1] == ' ')
        out->unit.len--;
    out->ucum = out->unit.len == 0 ? NULL : abdm_fhir_ucum(out->unit);
    return out->unit.len == 0 || out->ucum != NULL;
}


void
abdm_put_quantity(abdm_build_t *b, const char *key, const abdm_quantity_t *q)
{
    abdm_put_object(b, key);
    abdm_jw_key(&b->w, "value");
    abdm_jw_raw(&b->w, q->number);
    if (q->comparator.len > 0) {
        abdm_jw_key(&b->w, "comparator");
        abdm_jw_str(&b->w, q->comparator);
    }
    if (q->unit.len > 0) {
        abdm_jw_key(&b->w, "unit");
        abdm_jw_str(&b->w, q->unit);
    }
    if (q->ucum != NULL) {
        abdm_jw_kv(&b->w, "system", ABDM_FHIR_UCUM);
        abdm_jw_kv(&b->w, "code", q->ucum);
    }
    abdm_put_end(b, '}');
}
