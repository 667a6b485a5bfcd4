/*
 * The page: whose document, of whom, from where, its sections, and what else it holds.
 */
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "fhir/preview.h"
#include "fhir/preview_internal.h"

/* Nothing is loaded, nothing runs; pictures and the style are in the page itself. */
#define POLICY                                                                                     \
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; "              \
    "form-action 'none'"

static const char style[] =
    "body{font:16px/1.5 system-ui,sans-serif;margin:0;background:#f2f4f7;color:#1c2733}"
    "main{max-width:52rem;margin:0 auto;padding:1rem}"
    "header,section{background:#fff;border:1px solid #dde3ea;border-radius:.6rem;"
    "padding:1rem 1.25rem;margin:0 0 1rem;overflow-x:auto}"
    "h1{font-size:1.4rem;margin:0}h2{font-size:1.1rem;margin:0 0 .6rem;color:#0b5394}"
    "h3{font-size:1rem;margin:.6rem 0 .3rem}p{margin:.25rem 0}"
    ".kind{color:#51606f;margin:0 0 .6rem}"
    "dl{display:grid;grid-template-columns:fit-content(12rem) 1fr;gap:.15rem .9rem;margin:0}"
    "dt{color:#51606f}dd{margin:0;overflow-wrap:anywhere}dd,td{unicode-bidi:isolate}"
    "td dl{grid-template-columns:auto 1fr}"
    "table{border-collapse:collapse;width:100%;margin:.3rem 0}"
    "th{text-align:left;color:#51606f;font-weight:600;font-size:.85rem}"
    "th,td{padding:.35rem .7rem .35rem 0;border-bottom:1px solid #e6ebf0;vertical-align:top;"
    "overflow-wrap:break-word}"
    "figure{margin:.5rem 0}figcaption{color:#51606f;font-size:.85rem}"
    "img{max-width:100%;height:auto;border:1px solid #dde3ea}"
    "pre,.text{white-space:pre-wrap;overflow-wrap:anywhere;margin:.3rem 0}"
    ".file{display:inline-block;padding:.5rem .8rem;border:1px solid #b9c7d6;border-radius:.4rem;"
    "color:#0b5394;text-decoration:none}.file span{color:#51606f;font-size:.85rem}";


static bool
is_type(const json_t *resource, const char *type)
{
    const char *z = abdm_json_string_at(resource, "resourceType");

    return z != NULL && strcmp(z, type) == 0;
}


/* --- the resources --- */

static bool
keep(json_t *index, const char *key, size_t place)
{
    return key == NULL || json_object_get(index, key) != NULL ||
           json_object_set_new(index, key, json_integer((json_int_t) place)) == 0;
}


static bool
keep_resource(abdm_preview_t *p, const char *url, json_t *resource)
{
    const char *type = abdm_json_string_at(resource, "resourceType");
    const char *id = abdm_json_string_at(resource, "id");
    size_t place = json_array_size(p->list);
    abdm_buf_t b = {0};

    if (!json_is_object(resource))
        return true;
    abdm_buf_addf(&b, "%s/%s", type == NULL ? "" : type, id == NULL ? "" : id);
    char *key = abdm_buf_take(&b);
    bool kept = key != NULL && json_array_append(p->list, resource) == 0 &&
                keep(p->index, url, place) && (id == NULL || keep(p->index, key, place));
    free(key);
    return kept;
}


static bool
keep_all(abdm_preview_t *p, const json_t *bundle)
{
    const json_t *entry;
    size_t i;

    if (!is_type(bundle, "Bundle"))
        return keep_resource(p, NULL, (json_t *) bundle);
    json_array_foreach(json_object_get(bundle, "entry"), i, entry) {
        if (!keep_resource(p, abdm_json_string_at(entry, "fullUrl"),
                           json_object_get(entry, "resource")))
            return false;
    }
    return true;
}


static const json_t *
first_of(const abdm_preview_t *p, const char *type, size_t *place)
{
    for (*place = 0; *place < json_array_size(p->list); ++*place) {
        const json_t *resource = json_array_get(p->list, *place);
        if (is_type(resource, type))
            return resource;
    }
    return NULL;
}


/* --- the head --- */

static void
show_row(abdm_preview_t *p, const char *label, const json_t *value)
{
    if (value == NULL || json_is_null(value))
        return;
    abdm_buf_addf(p->out, "<dt>%s</dt><dd>", label);
    abdm_preview_value(p, value);
    abdm_buf_addz(p->out, "</dd>");
}


static const json_t *
patient_of(abdm_preview_t *p, const json_t *composition)
{
    size_t place;
    const json_t *patient = abdm_preview_follow(p, json_object_get(composition, "subject"), &place);

    if (patient == NULL)
        patient = first_of(p, "Patient", &place);
    if (patient != NULL)
        p->shown[place] = true;
    return patient;
}


static void
show_patient(abdm_preview_t *p, const json_t *patient)
{
    static const struct {
        const char *label, *member;
    } rows[] = {
        {"Patient", "name"},       {"Gender", "gender"},   {"Born", "birthDate"},
        {"Numbers", "identifier"}, {"Contact", "telecom"}, {"Address", "address"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        show_row(p, rows[i].label, json_object_get(patient, rows[i].member));
}


/* Who and where: shown in the head, and so no more at the end. */
static void
mark_people(abdm_preview_t *p)
{
    static const char *const types[] = {
        "Composition", "Practitioner", "PractitionerRole", "Organization", "Encounter", "Location",
    };

    for (size_t i = 0; i < json_array_size(p->list); i++) {
        for (size_t k = 0; k < sizeof types / sizeof *types; k++) {
            if (is_type(json_array_get(p->list, i), types[k]))
                p->shown[i] = true;
        }
    }
}


static void
show_encounter(abdm_preview_t *p, const json_t *composition)
{
    size_t place;
    const json_t *encounter =
        abdm_preview_follow(p, json_object_get(composition, "encounter"), &place);

    show_row(p, "Visit", json_object_get(encounter, "class"));
    show_row(p, "Visit period", json_object_get(encounter, "period"));
    show_row(p, "Discharge", abdm_json_at(encounter, "hospitalization.dischargeDisposition"));
}


static void
show_head(abdm_preview_t *p, const json_t *composition)
{
    const char *title = abdm_json_string_at(composition, "title");
    const char *kind = abdm_json_string_at(composition, "type.text");

    if (kind == NULL)
        kind = abdm_json_string_at(composition, "type.coding.0.display");
    abdm_buf_addz(p->out, "<header><h1>");
    abdm_preview_text(p, title == NULL ? "Health record" : title);
    abdm_buf_addz(p->out, "</h1>");
    if (kind != NULL && (title == NULL || strcmp(kind, title) != 0)) {
        abdm_buf_addz(p->out, "<p class=\"kind\">");
        abdm_preview_text(p, kind);
        abdm_buf_addz(p->out, "</p>");
    }
    abdm_buf_addz(p->out, "<dl>");
    show_patient(p, patient_of(p, composition));
    show_row(p, "Date", json_object_get(composition, "date"));
    show_row(p, "By", json_object_get(composition, "author"));
    show_row(p, "Hospital", json_object_get(composition, "custodian"));
    show_encounter(p, composition);
    show_row(p, "Status", json_object_get(composition, "status"));
    abdm_buf_addz(p->out, "</dl></header>");
}


/* --- sections --- */

static void
show_section(abdm_preview_t *p, const json_t *section)
{
    const json_t *entries = json_object_get(section, "entry"), *item;
    size_t n = 0, i, place;
    const json_t **resources = calloc(json_array_size(entries) + 1, sizeof *resources);

    if (resources == NULL) {
        p->out->failed = true;
        return;
    }
    abdm_buf_addz(p->out, "<section><h2>");
    if (abdm_json_string_at(section, "title") != NULL)
        abdm_preview_text(p, abdm_json_string_at(section, "title"));
    else
        abdm_preview_value(p, json_object_get(section, "code"));
    abdm_buf_addz(p->out, "</h2>");
    if (abdm_json_string_at(section, "text.div") != NULL) {
        abdm_buf_addz(p->out, "<div class=\"text\">");
        abdm_preview_narrative(p, abdm_json_string_at(section, "text.div"));
        abdm_buf_addz(p->out, "</div>");
    }
    json_array_foreach(entries, i, item) {
        const json_t *target = abdm_preview_follow(p, item, &place);
        if (target != NULL && !p->shown[place]) {
            p->shown[place] = true;
            resources[n++] = target;
        } else { /* shown elsewhere, or not here: its name alone */
            abdm_buf_addz(p->out, "<p>");
            abdm_preview_value(p, item);
            abdm_buf_addz(p->out, "</p>");
        }
    }
    abdm_preview_resources(p, resources, n);
    free(resources);
    json_array_foreach(json_object_get(section, "section"), i, item)
        show_section(p, item);
    abdm_buf_addz(p->out, "</section>");
}


/* What no section led to: all of it when there is no Composition. */
static void
show_rest(abdm_preview_t *p, bool alone)
{
    size_t size = json_array_size(p->list), n = 0;
    const json_t **resources = calloc(size + 1, sizeof *resources);

    if (resources == NULL) {
        p->out->failed = true;
        return;
    }
    for (size_t i = 0; i < size; i++) {
        if (!p->shown[i])
            resources[n++] = json_array_get(p->list, i);
    }
    if (n > 0) {
        abdm_buf_addf(p->out, "<section><h2>%s</h2>", alone ? "Data" : "Also in this document");
        abdm_preview_resources(p, resources, n);
        abdm_buf_addz(p->out, "</section>");
    }
    free(resources);
}


static void
show_page(abdm_preview_t *p)
{
    size_t place, i;
    const json_t *composition = first_of(p, "Composition", &place), *section;
    const char *title = abdm_json_string_at(composition, "title");

    abdm_buf_addf(p->out,
                  "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
                  "<meta http-equiv=\"Content-Security-Policy\" content=\"%s\">"
                  "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">"
                  "<meta name=\"referrer\" content=\"no-referrer\"><title>",
                  POLICY);
    abdm_preview_text(p, title == NULL ? "Health record" : title);
    abdm_buf_addf(p->out, "</title><style>%s</style></head><body><main>\n", style);
    mark_people(p);
    show_head(p, composition);
    json_array_foreach(json_object_get(composition, "section"), i, section)
        show_section(p, section);
    show_rest(p, composition == NULL);
    abdm_buf_addz(p->out, "</main></body></html>\n");
}


abdm_err_t
abdm_fhir_preview_json(const json_t *bundle, abdm_buf_t *out)
{
    abdm_preview_t p = {.out = out, .index = json_object(), .list = json_array()};
    abdm_err_t err = ABDM_ERR(MEMORY, "bundle");

    if (abdm_json_string_at(bundle, "resourceType") == NULL) {
        err = ABDM_ERR(RECORD_FORM, "the file holds neither a Bundle nor another resource of FHIR");
    } else if (p.index != NULL && p.list != NULL && keep_all(&p, bundle)) {
        p.shown = calloc(json_array_size(p.list) + 1, sizeof *p.shown);
        if (p.shown != NULL) {
            show_page(&p);
            err = out->failed ? err : ABDM_NO_ERR;
        }
    }
    free(p.shown);
    json_decref(p.index);
    json_decref(p.list);
    return err;
}
