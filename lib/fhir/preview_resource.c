/*
 * Resources as tables: one for those of a type that stand together, its columns by the rows below.
 * What has no row there is shown member by member.
 */
#include <string.h>

#include "core/json.h"
#include "fhir/preview_internal.h"

enum { COLUMNS = 8, LIST_MAX = 512, DEPTH_MAX = 4 };

typedef struct {
    const char *label;
    const char *path; /* "a.b" through lists, "value[x]"; "one|other": the first that is there */
} column_t;

typedef struct {
    const char *type;
    column_t columns[COLUMNS];
} table_t;

static const table_t tables[] = {
    {"Condition",
     {{"Condition", "code"},
      {"Status", "clinicalStatus"},
      {"Severity", "severity"},
      {"Since", "onset[x]"},
      {"Recorded", "recordedDate"},
      {"Note", "note"}}},
    {"AllergyIntolerance",
     {{"Allergy", "code"},
      {"Status", "clinicalStatus"},
      {"Criticality", "criticality"},
      {"Reaction", "reaction.manifestation"},
      {"Recorded", "recordedDate"},
      {"Note", "note"}}},
    {"Observation",
     {{"Test or observation", "code"},
      {"Result", "value[x]|component|dataAbsentReason"},
      {"Interpretation", "interpretation"},
      {"Normal range", "referenceRange"},
      {"Date", "effective[x]"},
      {"Note", "note"}}},
    {"MedicationRequest",
     {{"Medicine", "medication[x]"},
      {"Dosage", "dosageInstruction"},
      {"For", "reasonCode|reasonReference"},
      {"Prescribed", "authoredOn"},
      {"Quantity", "dispenseRequest.quantity"},
      {"Note", "note"}}},
    {"MedicationStatement",
     {{"Medicine", "medication[x]"},
      {"Dosage", "dosage"},
      {"Status", "status"},
      {"Taken", "effective[x]|dateAsserted"},
      {"For", "reasonCode|reasonReference"},
      {"Note", "note"}}},
    {"Procedure",
     {{"Procedure", "code"},
      {"Done", "performed[x]"},
      {"Status", "status"},
      {"Reason", "reasonCode|reasonReference"},
      {"Outcome", "outcome"},
      {"Follow-up", "followUp"},
      {"Note", "note"}}},
    {"ServiceRequest",
     {{"Advised", "code"},
      {"Kind", "category"},
      {"When", "occurrence[x]"},
      {"Reason", "reasonCode|reasonReference"},
      {"Status", "status"},
      {"Note", "note"}}},
    {"Appointment",
     {{"Appointment", "serviceType|description|appointmentType"},
      {"Start", "start"},
      {"End", "end"},
      {"Status", "status"},
      {"Reason", "reasonCode"},
      {"Note", "comment"}}},
    {"CarePlan",
     {{"Plan", "title|category"},
      {"Description", "description"},
      {"Period", "period"},
      {"Activity", "activity.detail.description|activity.detail.code"},
      {"Intent", "intent"},
      {"Note", "note"}}},
    {"FamilyMemberHistory",
     {{"Relative", "relationship"},
      {"Condition", "condition.code"},
      {"Outcome", "condition.outcome"},
      {"Note", "note"}}},
    {"Immunization",
     {{"Vaccine", "vaccineCode"},
      {"Given", "occurrence[x]"},
      {"Dose", "protocolApplied.doseNumberPositiveInt|"
               "protocolApplied.doseNumberString"},
      {"Lot", "lotNumber"},
      {"Maker", "manufacturer"},
      {"Site", "site"},
      {"Status", "status"}}},
    {"ImmunizationRecommendation",
     {{"Vaccine", "recommendation.vaccineCode"},
      {"Due", "recommendation.dateCriterion.value"},
      {"Status", "recommendation.forecastStatus"}}},
    {"Specimen",
     {{"Specimen", "type"},
      {"Collected", "collection.collected[x]"},
      {"Received", "receivedTime"},
      {"Note", "note"}}},
};


/* --- paths --- */

/* Writes what stands at the path, lists item by item; tells whether anything does. `p` NULL: only
 * tells. */
static bool
show_path(abdm_preview_t *p, const json_t *value, const char *path, size_t len, bool again)
{
    const json_t *item;
    size_t i;

    if (value == NULL || json_is_null(value))
        return again;
    if (json_is_array(value) && len > 0) {
        json_array_foreach(value, i, item)
            again = show_path(p, item, path, len, again);
        return again;
    }
    if (len == 0) {
        if (p != NULL) {
            if (again)
                abdm_buf_addz(p->out, "<br>");
            abdm_preview_value(p, value);
        }
        return true;
    }
    const char *dot = memchr(path, '.', len), *key;
    size_t n = dot == NULL ? len : (size_t) (dot - path), rest = dot == NULL ? 0 : len - n - 1;
    bool choice = n > 3 && memcmp(path + n - 3, "[x]", 3) == 0;
    json_t *member;
    json_object_foreach((json_t *) value, key, member) {
        bool fits = choice
                        ? strncmp(key, path, n - 3) == 0 && key[n - 3] >= 'A' && key[n - 3] <= 'Z'
                        : strlen(key) == n && memcmp(key, path, n) == 0;
        if (fits)
            again = show_path(p, member, path + n + 1, rest, again);
    }
    return again;
}


static bool
show_first(abdm_preview_t *p, const json_t *resource, const char *paths)
{
    while (*paths != '\0') {
        size_t n = strcspn(paths, "|");
        if (show_path(p, resource, paths, n, false))
            return true;
        paths += n + (paths[n] == '|');
    }
    return false;
}


/* --- tables --- */

static void
show_heads(abdm_preview_t *p, const column_t *const *columns, size_t n)
{
    abdm_buf_addz(p->out, "<table><thead><tr>");
    for (size_t k = 0; k < n; k++)
        abdm_buf_addf(p->out, "<th>%s</th>", columns[k]->label);
    abdm_buf_addz(p->out, "</tr></thead><tbody>");
}


/* Columns that no resource fills are left out. */
static size_t
choose_columns(const table_t *table, const json_t *const *resources, size_t n,
               const column_t *chosen[COLUMNS])
{
    size_t count = 0;

    for (size_t k = 0; k < COLUMNS && table->columns[k].label != NULL; k++) {
        bool used = k == 0;
        for (size_t i = 0; i < n && !used; i++)
            used = show_first(NULL, resources[i], table->columns[k].path);
        if (used)
            chosen[count++] = &table->columns[k];
    }
    return count;
}


static void
show_table(abdm_preview_t *p, const table_t *table, const json_t *const *resources, size_t n)
{
    const column_t *columns[COLUMNS];
    size_t count = choose_columns(table, resources, n, columns);

    show_heads(p, columns, count);
    for (size_t i = 0; i < n; i++) {
        abdm_buf_addz(p->out, "<tr>");
        for (size_t k = 0; k < count; k++) {
            abdm_buf_addz(p->out, "<td>");
            show_first(p, resources[i], columns[k]->path);
            abdm_buf_addz(p->out, "</td>");
        }
        abdm_buf_addz(p->out, "</tr>");
    }
    abdm_buf_addz(p->out, "</tbody></table>");
}


/* --- what a table does not suit --- */

static void
show_line(abdm_preview_t *p, const json_t *resource, const char *label, const char *paths)
{
    if (!show_first(NULL, resource, paths))
        return;
    abdm_buf_addf(p->out, "<p><b>%s</b> ", label);
    show_first(p, resource, paths);
    abdm_buf_addz(p->out, "</p>");
}


/* The resources that a list of references leads to, shown in its place. */
static void
show_linked(abdm_preview_t *p, const json_t *references, const char *path)
{
    const json_t *resources[LIST_MAX], *item;
    size_t i, place, n = 0;

    if (p->depth == DEPTH_MAX) /* what is left over is shown at the end */
        return;
    p->depth++;
    json_array_foreach(references, i, item) {
        const json_t *reference = *path == '\0' ? item : abdm_json_at(item, path);
        const json_t *target = abdm_preview_follow(p, reference, &place);
        if (target != NULL && !p->shown[place] && n < LIST_MAX) {
            p->shown[place] = true;
            resources[n++] = target;
        }
    }
    abdm_preview_resources(p, resources, n);
    p->depth--;
}


static void
show_report(abdm_preview_t *p, const json_t *r)
{
    const json_t *form;
    size_t i;

    abdm_buf_addz(p->out, "<article><h3>");
    show_first(p, r, "code");
    abdm_buf_addz(p->out, "</h3>");
    show_line(p, r, "Kind", "category");
    show_line(p, r, "Date", "effective[x]|issued");
    show_line(p, r, "Status", "status");
    show_line(p, r, "Interpreted by", "resultsInterpreter");
    show_linked(p, json_object_get(r, "specimen"), "");
    show_linked(p, json_object_get(r, "result"), "");
    show_linked(p, json_object_get(r, "media"), "link");
    show_line(p, r, "Conclusion", "conclusion");
    show_line(p, r, "Coded conclusion", "conclusionCode");
    json_array_foreach(json_object_get(r, "presentedForm"), i, form)
        abdm_preview_attachment(p, form);
    abdm_buf_addz(p->out, "</article>");
}


static void
show_document(abdm_preview_t *p, const json_t *r)
{
    const json_t *content;
    size_t i;

    show_line(p, r, "Document", "description|type");
    json_array_foreach(json_object_get(r, "content"), i, content)
        abdm_preview_attachment(p, json_object_get(content, "attachment"));
}


static void
show_media(abdm_preview_t *p, const json_t *r)
{
    show_line(p, r, "Image", "modality|type");
    abdm_preview_attachment(p, json_object_get(r, "content"));
}


/* The name of what is charged: its own, or that of the ChargeItem it points at. */
static void
show_item(abdm_preview_t *p, const json_t *line)
{
    size_t place;
    const json_t *charge =
        abdm_preview_follow(p, json_object_get(line, "chargeItemReference"), &place);

    if (charge == NULL) {
        show_first(p, line, "chargeItem[x]");
        return;
    }
    p->shown[place] = true;
    show_first(p, charge, "product[x]|code");
    if (show_first(NULL, charge, "quantity")) {
        abdm_buf_addz(p->out, " &times; ");
        show_first(p, charge, "quantity");
    }
}


static void
show_invoice(abdm_preview_t *p, const json_t *r)
{
    const json_t *line;
    size_t i;

    abdm_buf_addz(p->out, "<article><h3>");
    show_first(p, r, "type");
    abdm_buf_addz(p->out, "</h3>");
    show_line(p, r, "Number", "identifier.value");
    show_line(p, r, "Date", "date");
    show_line(p, r, "Status", "status");
    abdm_buf_addz(p->out, "<table><thead><tr><th>Item</th><th>Price</th></tr></thead><tbody>");
    json_array_foreach(json_object_get(r, "lineItem"), i, line) {
        abdm_buf_addz(p->out, "<tr><td>");
        show_item(p, line);
        abdm_buf_addz(p->out, "</td><td>");
        show_first(p, line, "priceComponent");
        abdm_buf_addz(p->out, "</td></tr>");
    }
    abdm_buf_addz(p->out, "</tbody></table>");
    show_line(p, r, "Net", "totalNet");
    show_line(p, r, "Total", "totalGross");
    show_line(p, r, "Terms", "paymentTerms");
    abdm_buf_addz(p->out, "</article>");
}


static void
show_members(abdm_preview_t *p, const json_t *r)
{
    const char *type = abdm_json_string_at(r, "resourceType");

    abdm_buf_addz(p->out, "<article><h3>");
    abdm_preview_text(p, type == NULL ? "Data" : type);
    abdm_buf_addz(p->out, "</h3>");
    abdm_preview_members(p, r);
    abdm_buf_addz(p->out, "</article>");
}


static const struct {
    const char *type;
    void (*show)(abdm_preview_t *p, const json_t *resource);
} blocks[] = {
    {"DiagnosticReport", show_report},   {"DocumentReference", show_document},
    {"Binary", abdm_preview_attachment}, {"Media", show_media},
    {"Invoice", show_invoice},
};


static void
show_same(abdm_preview_t *p, const char *type, const json_t *const *resources, size_t n)
{
    for (size_t k = 0; k < sizeof tables / sizeof *tables; k++) {
        if (strcmp(tables[k].type, type) == 0) {
            show_table(p, &tables[k], resources, n);
            return;
        }
    }
    for (size_t i = 0; i < n; i++) {
        size_t k = 0;
        while (k < sizeof blocks / sizeof *blocks && strcmp(blocks[k].type, type) != 0)
            k++;
        if (k < sizeof blocks / sizeof *blocks)
            blocks[k].show(p, resources[i]);
        else
            show_members(p, resources[i]);
    }
}


static const char *
type_of(const json_t *resource)
{
    const char *type = abdm_json_string_at(resource, "resourceType");

    return type == NULL ? "" : type;
}


void
abdm_preview_resources(abdm_preview_t *p, const json_t *const *resources, size_t n)
{
    for (size_t i = 0; i < n;) {
        size_t end = i + 1;
        while (end < n && strcmp(type_of(resources[i]), type_of(resources[end])) == 0)
            end++;
        show_same(p, type_of(resources[i]), resources + i, end - i);
        i = end;
    }
}
