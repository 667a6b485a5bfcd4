/*
 * What no table can say of the other clinical kinds: allergies' reactions, visits to come, plans
 * of care, and how a report holds together with its results, images and specimens.
 */
#include <string.h>

#include "fhir/forms.h"


/* A code of FHIR's own, which must be a coding. */
abdm_err_t
abdm_write_clinical_status(abdm_build_t *b, const abdm_row_t *row, const json_t *value)
{
    bool allergy = strcmp(b->node->kind->type, "AllergyIntolerance") == 0;
    char small[ABDM_FHIR_TEXT];
    const char *given = abdm_text(value, small);
    const abdm_word_t *w = row->words;

    while (w->given != NULL && !abdm_str_ieq(abdm_str(given), abdm_str(w->given)))
        w++;
    if (w->given == NULL)
        return ABDM_MALFORMED(b, row->names[0], "record: none of FHIR's clinical states");
    abdm_put_object(b, row->key);
    abdm_put_list(b, "coding");
    abdm_put_object(b, NULL);
    abdm_jw_kv(&b->w, "system",
               allergy ? "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical"
                       : "http://terminology.hl7.org/CodeSystem/condition-clinical");
    abdm_jw_kv(&b->w, "code", w->word);
    abdm_put_end(b, '}');
    abdm_put_end(b, ']');
    abdm_put_end(b, '}');
    return ABDM_NO_ERR;
}


abdm_err_t
abdm_write_reaction(abdm_build_t *b, const abdm_row_t *row, const json_t *value)
{
    abdm_concept_t c;

    abdm_read_concept(b, row, value, false, &c);
    if (c.text == NULL)
        return ABDM_MALFORMED(b, row->names[0], "reaction: a text expected");
    abdm_put_list(b, row->key);
    abdm_put_object(b, NULL);
    abdm_put_list(b, "manifestation");
    abdm_put_read_concept(b, NULL, &c);
    abdm_put_end(b, ']');
    abdm_put_end(b, '}');
    abdm_put_end(b, ']');
    return ABDM_NO_ERR;
}


abdm_err_t
abdm_write_family_condition(abdm_build_t *b, const abdm_row_t *row, const json_t *value)
{
    abdm_concept_t c;

    abdm_read_concept(b, row, value, true, &c);
    if (c.text == NULL)
        return abdm_build_fail(b, row->names[0],
                               ABDM_ERR(RECORD_FORM, row->missing));
    abdm_put_list(b, row->key);
    abdm_put_object(b, NULL);
    abdm_put_read_concept(b, "code", &c);
    abdm_put_end(b, '}');
    abdm_put_end(b, ']');
    return ABDM_NO_ERR;
}


/* FHIR wants start and end, hospitals give the start. A day has no hour to be guessed: it is
 * taken as the whole day. */
abdm_err_t
abdm_write_appointment(abdm_build_t *b, const abdm_row_t *row, const json_t *value)
{
    char start[ABDM_FHIR_DATE], end[ABDM_FHIR_DATE], small[ABDM_FHIR_TEXT];
    const char *given = abdm_text(value, small);
    unsigned minutes = b->rules.appointment_minutes;

    ABDM_TRY(abdm_read_date(b, row->names[0], value, ABDM_FHIR_INSTANT, start));
    if (given != NULL && strlen(given) == sizeof "yyyy-mm-dd" - 1)
        minutes = 24 * 60;
    abdm_fhir_later(start, minutes, end);
    abdm_jw_kv(&b->w, "start", start);
    abdm_jw_kv(&b->w, "end", end);
    abdm_put_list(b, "participant");
    abdm_put_object(b, NULL);
    abdm_put_reference(b, "actor", b->patient);
    abdm_jw_kv(&b->w, "status", "accepted");
    abdm_put_end(b, '}');
    abdm_put_end(b, ']');
    return ABDM_NO_ERR;
}


/* A plan's goal has no resource of its own here: it is said in the description. */
abdm_err_t
abdm_write_plan(abdm_build_t *b, const abdm_row_t *row, const json_t *value)
{
    char small[2][ABDM_FHIR_TEXT];
    const char *description = abdm_text(value, small[0]);
    const char *goal = abdm_form_text(b, (int) (row - b->node->kind->rows) + 1, small[1]);
    abdm_buf_t words = {0};

    if (description == NULL && goal == NULL)
        return ABDM_NO_ERR;
    if (description != NULL)
        abdm_buf_addz(&words, description);
    if (goal != NULL)
        abdm_buf_addf(&words, "%sGoal: %s", description == NULL ? "" : "\n", goal);
    char *text = abdm_buf_take(&words);
    if (text == NULL)
        return ABDM_ERR(MEMORY, "document: a plan");
    abdm_jw_kv(&b->w, row->key, text);
    abdm_buf_t done = {text, strlen(text), strlen(text), false};
    abdm_buf_wipe_free(&done);
    return ABDM_NO_ERR;
}


abdm_err_t
abdm_write_visit(abdm_build_t *b, const abdm_row_t *row, const json_t *value)
{
    return abdm_put_period(b, row->key, row->names[0], value, NULL);
}


/* --- reports --- */

/* The profile wants both times of a specimen. */
bool
abdm_has_specimen_times(const json_t *item)
{
    return abdm_fhir_text_at(item, "collected") != NULL &&
           abdm_fhir_text_at(item, "received") != NULL;
}


abdm_err_t
abdm_write_specimen_times(abdm_build_t *b, const abdm_row_t *row, const json_t *value)
{
    char collected[ABDM_FHIR_DATE];

    ABDM_TRY(abdm_read_date(b, row->names[0], value, ABDM_FHIR_TIME, collected));
    abdm_put_object(b, row->key);
    abdm_jw_kv(&b->w, "collectedDateTime", collected);
    abdm_put_end(b, '}');
    return ABDM_NO_ERR;
}


/* Its own date or the record's, as the time it is about and as the instant of its issue. */
abdm_err_t
abdm_write_report_date(abdm_build_t *b, const abdm_row_t *row, const json_t *value)
{
    char date[ABDM_FHIR_DATE], instant[ABDM_FHIR_DATE];

    if (value == NULL) {
        abdm_jw_kv(&b->w, "effectiveDateTime", b->date);
        abdm_jw_kv(&b->w, "issued", b->timestamp);
        return ABDM_NO_ERR;
    }
    ABDM_TRY(abdm_read_date(b, row->names[0], value, ABDM_FHIR_TIME, date));
    abdm_jw_kv(&b->w, "effectiveDateTime", date);
    if (strlen(date) >= sizeof "yyyy-mm-dd" - 1) {
        ABDM_TRY(abdm_read_date(b, row->names[0], value, ABDM_FHIR_INSTANT, instant));
        abdm_jw_kv(&b->w, "issued", instant);
    }
    return ABDM_NO_ERR;
}


/* References to the children of one type; false when there are none. */
static bool
put_children(abdm_build_t *b, const char *key, const char *type, bool link)
{
    int self = (int) (b->node - b->model.nodes);
    bool any = false;

    for (int i = self + 1; i < b->model.n && b->model.nodes[i].parent >= self; i++) {
        const abdm_node_t *child = &b->model.nodes[i];
        if (child->parent != self || strcmp(child->kind->type, type) != 0)
            continue;
        if (!any)
            abdm_put_list(b, key);
        any = true;
        if (link)
            abdm_put_object(b, NULL);
        abdm_put_urn(b, link ? "link" : NULL, child->urn);
        if (link)
            abdm_put_end(b, '}');
    }
    if (any)
        abdm_put_end(b, ']');
    return any;
}


abdm_err_t
abdm_write_report_parts(abdm_build_t *b, const abdm_row_t *row, const json_t *value)
{
    bool results, images;

    (void) value;
    abdm_put_list(b, "performer");
    abdm_put_reference(b, NULL, b->organization);
    abdm_put_end(b, ']');
    abdm_put_list(b, "resultsInterpreter");
    abdm_put_reference(b, NULL, b->author);
    abdm_put_end(b, ']');
    put_children(b, "specimen", "Specimen", false);
    results = put_children(b, "result", "Observation", false);
    images = put_children(b, "media", "Media", true);
    if (b->node->kind == &abdm_kind_report_imaging ? images : results)
        return ABDM_NO_ERR;
    return abdm_build_fail(b, row->names[0],
                           ABDM_ERR(RECORD_FORM, row->missing));
}


abdm_err_t
abdm_write_conclusion(abdm_build_t *b, const abdm_row_t *row, const json_t *value)
{
    char small[ABDM_FHIR_TEXT];
    const char *text = abdm_text(value, small);

    if (text == NULL)
        text = b->rules.conclusion;
    if (text == NULL)
        return abdm_build_fail(b, row->names[0],
                               ABDM_ERR(RECORD_FORM, "conclusion: missing: what the report "
                                                     "comes to, in words"));
    abdm_jw_kv(&b->w, row->key, text);
    return ABDM_NO_ERR;
}
