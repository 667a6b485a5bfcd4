/*
 * Planning a document: which resources it will hold, in which section, under which id. Nothing
 * is judged here but that there is something to show. Ids are UUIDs of version 5 in a name space
 * of the record (facility, care context, type and the record's own id), so that a record sent
 * again has the same ids and two records never share one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fhir/build.h"

/* Our name space of UUID v5; changing it would make known documents look new. */
static const char uuid_space[] = "6d1c2f0e-4a53-4c7e-9b1a-5f6c3e8d7a21";

static const char *const document_names[ABDM_ROW_NAMES] = {"documents", "document"};
static const char *const practitioner_names[ABDM_ROW_NAMES] = {"practitioners", "practitioner"};
static const char *const organization_names[ABDM_ROW_NAMES] = {"organisation", "organization"};


const json_t *
abdm_member(const json_t *object, const char *const names[ABDM_ROW_NAMES], const char **name)
{
    for (int i = 0; i < ABDM_ROW_NAMES && names[i] != NULL; i++) {
        const json_t *value = json_object_get(object, names[i]);
        if (value != NULL && !json_is_null(value)) {
            *name = names[i];
            return value;
        }
    }
    *name = names[0];
    return NULL;
}


/* Items of a list, or the one object or text that stands in place of a list. */
static size_t
items_of(const json_t *value)
{
    const char *z = json_string_value(value);

    if (json_is_array(value))
        return json_array_size(value);
    return json_is_object(value) || (z != NULL && *z != '\0');
}


static const json_t *
item_of(const json_t *value, size_t i)
{
    return json_is_array(value) ? json_array_get(value, i) : value;
}


/* --- variants of a report --- */

static bool
has_items(const json_t *item, const char *member)
{
    return items_of(json_object_get(item, member)) > 0;
}


static bool
names_imaging(const char *category)
{
    static const char *const words[] = {"radiology", "imaging", "x-ray",     "xray",  "ct",
                                        "mri",       "echo",    "ultrasound", "usg",  "endoscopy",
                                        "ct scan",   "mammography"};

    for (size_t i = 0; category != NULL && i < sizeof words / sizeof *words; i++) {
        if (abdm_str_ieq(abdm_str(category), abdm_str(words[i])))
            return true;
    }
    return false;
}


/* What the record says itself, then what the report holds, then how its category is called. A
 * report that is only a file cannot be a DiagnosticReport. */
static const abdm_kind_t *
report_kind(const json_t *item)
{
    const char *said = abdm_fhir_text_at(item, "kind");
    bool images = has_items(item, "images"), results = has_items(item, "result");
    bool file = json_is_object(json_object_get(item, "presentedForm"));
    bool imaging =
        images || (!results && names_imaging(abdm_fhir_text_at(item, "serviceCategory")));

    if (said != NULL && abdm_str_ieq(abdm_str(said), ABDM_LIT("imaging")))
        imaging = true;
    else if (said != NULL && abdm_str_ieq(abdm_str(said), ABDM_LIT("lab")))
        imaging = false;
    if (file && !(imaging ? images : results))
        return &abdm_kind_report_file;
    return imaging ? &abdm_kind_report_imaging : &abdm_kind_report_lab;
}


/* --- splitting --- */

/* Files of a report's record stand beside the reports, first with first, unless a report is a
 * file itself: then they follow, since a document holds one. */
static size_t
first_document(const json_t *record, const abdm_member_t *member, const abdm_member_t *members)
{
    const char *name;
    const json_t *reports, *item;
    size_t i;

    if (member == members || members->kind != &abdm_kind_report_lab)
        return 0;
    reports = abdm_member(record, members->names, &name);
    for (i = 0; i < items_of(reports); i++) {
        item = item_of(reports, i);
        if (report_kind(item) == &abdm_kind_report_file)
            return items_of(reports);
    }
    return 0;
}


size_t
abdm_document_count(abdm_hi_type_t type, const json_t *record)
{
    const abdm_member_t *members = abdm_members(type);
    size_t count = 1;
    const char *name;

    for (const abdm_member_t *m = members; m->names[0] != NULL; m++) {
        if (!m->split)
            continue;
        size_t items = items_of(abdm_member(record, m->names, &name));
        if (items > 0)
            items += first_document(record, m, members);
        count = items > count ? items : count;
    }
    return count;
}


/* --- nodes and their ids --- */

static void
add_pointer(const abdm_model_t *m, const abdm_node_t *node, abdm_buf_t *out)
{
    char number[16];

    if (node->parent >= 0)
        add_pointer(m, &m->nodes[node->parent], out);
    if (node->member[0] == '\0')
        return;
    abdm_buf_add(out, "/", 1);
    abdm_buf_addz(out, node->member);
    if (node->index >= 0) {
        int n = 0, v = node->index;
        do
            number[sizeof number - 1 - (size_t) n++] = (char) ('0' + v % 10);
        while ((v /= 10) > 0);
        abdm_buf_add(out, "/", 1);
        abdm_buf_add(out, number + sizeof number - (size_t) n, (size_t) n);
    }
}


abdm_err_t
abdm_model_fail(abdm_model_t *m, const abdm_node_t *node, const char *name, abdm_err_t err)
{
    abdm_buf_t pointer = {0};

    if (node != NULL)
        add_pointer(m, node, &pointer);
    if (name != NULL) {
        abdm_buf_addz(&pointer, "/");
        abdm_buf_addz(&pointer, name);
    }
    snprintf(m->problem->where, sizeof m->problem->where, "%.*s", (int) pointer.len,
             pointer.len == 0 ? "" : pointer.p);
    abdm_buf_free(&pointer);
    return err;
}


static abdm_err_t
urn(abdm_uuid_maker_t *maker, abdm_str_t name, char out[ABDM_FHIR_URN])
{
    memcpy(out, "urn:uuid:", sizeof "urn:uuid:" - 1);
    return abdm_uuid_make(maker, name, out + sizeof "urn:uuid:" - 1);
}


static abdm_err_t
name_nodes(abdm_model_t *m, abdm_uuid_maker_t *maker, size_t index)
{
    abdm_buf_t name = {0};
    abdm_err_t err = ABDM_NO_ERR;

    abdm_buf_addf(&name, "Bundle/%zu", index);
    if (!name.failed)
        err = urn(maker, abdm_buf_str(&name), m->bundle);
    name.len = 0;
    abdm_buf_addf(&name, "Composition/%zu", index);
    if (!name.failed && !abdm_failed(err))
        err = urn(maker, abdm_buf_str(&name), m->composition);
    for (int i = 0; i < m->n && !name.failed && !abdm_failed(err); i++) {
        name.len = 0;
        abdm_buf_addz(&name, m->nodes[i].kind->type);
        add_pointer(m, &m->nodes[i], &name);
        err = urn(maker, abdm_buf_str(&name), m->nodes[i].urn);
    }
    if (name.failed)
        err = ABDM_ERR(MEMORY, "document: an id");
    abdm_buf_free(&name);
    return err;
}


/* The record's own id; else where its file is; else all that it says. */
static abdm_err_t
add_record_id(const json_t *record, abdm_buf_t *name)
{
    char small[ABDM_FHIR_TEXT], digest[65];
    const char *id = abdm_text(json_object_get(record, "id"), small);
    abdm_buf_t all = {0};
    abdm_jw_t w;

    if (id == NULL)
        id = abdm_fhir_text_at(record, "document.url");
    if (id == NULL)
        id = abdm_fhir_text_at(record, "bundle.url");
    if (id != NULL) {
        abdm_buf_addz(name, id);
        return ABDM_NO_ERR;
    }
    abdm_jw_begin(&w, &all);
    abdm_jw_json(&w, record);
    abdm_err_t err = all.failed ? ABDM_ERR(MEMORY, "document: an id")
                                : abdm_sha256_hex(abdm_buf_str(&all), digest);
    abdm_buf_wipe_free(&all);
    if (!abdm_failed(err))
        abdm_buf_addz(name, digest);
    return err;
}


abdm_err_t
abdm_record_space(const abdm_document_about_t *a, char space[ABDM_UUID_TEXT])
{
    abdm_buf_t name = {0};

    abdm_buf_addf(&name, "%s\x1f%s\x1f%s\x1f", a->hip_id, a->care_context_ref,
                  abdm_hi_type_name(a->hi_type));
    abdm_err_t err = add_record_id(a->record, &name);
    if (!abdm_failed(err))
        err = name.failed ? ABDM_ERR(MEMORY, "document: an id")
                          : abdm_uuid5(uuid_space, abdm_buf_str(&name), space);
    abdm_buf_free(&name);
    return err;
}


static abdm_err_t
make_ids(abdm_model_t *m, size_t index)
{
    char space[ABDM_UUID_TEXT];
    abdm_uuid_maker_t *maker;

    ABDM_TRY(abdm_record_space(m->about, space));
    ABDM_TRY(abdm_uuid_maker_new(space, &maker));
    abdm_err_t err = name_nodes(m, maker, index);
    abdm_uuid_maker_free(maker);
    return err;
}


static bool
add_node(abdm_model_t *m, abdm_node_t node)
{
    if (m->n == m->cap) {
        int cap = m->cap == 0 ? 64 : m->cap * 2;
        abdm_node_t *nodes = realloc(m->nodes, (size_t) cap * sizeof *nodes);
        if (nodes == NULL)
            return false;
        m->nodes = nodes;
        m->cap = cap;
    }
    node.urn[0] = '\0';
    m->nodes[m->n++] = node;
    return true;
}


static abdm_err_t
add_base(abdm_model_t *m)
{
    const json_t *record = m->about->record, *list;
    const char *name;
    bool ok;

    ok = add_node(m, (abdm_node_t){.kind = &abdm_kind_patient, .member = "patient", .index = -1,
                                   .item = json_object_get(record, "patient"), .parent = -1,
                                   .section = -1});
    ok = ok && add_node(m, (abdm_node_t){.kind = &abdm_kind_encounter, .member = "encounter",
                                         .item = json_object_get(record, "encounter"),
                                         .index = -1, .parent = -1, .section = -1});
    list = abdm_member(record, organization_names, &name);
    ok = ok && add_node(m, (abdm_node_t){.kind = &abdm_kind_organization, .member = name,
                                         .item = list, .index = -1, .parent = -1, .section = -1});
    list = abdm_member(record, practitioner_names, &name);
    for (size_t i = 0; ok && i < items_of(list); i++) {
        const json_t *item = item_of(list, i);
        if (!json_is_string(item) && abdm_fhir_text_at(item, "name") == NULL)
            continue; /* nobody is named: the hospital stands for him */
        ok = add_node(m, (abdm_node_t){.kind = &abdm_kind_practitioner, .item = item,
                                       .member = name, .index = json_is_array(list) ? (int) i : -1,
                                       .parent = -1, .section = -1});
        m->n_practitioners++;
    }
    return ok ? ABDM_NO_ERR : ABDM_ERR(MEMORY, "document: its resources");
}


/* The resources that belong to one, each behind it. */
static abdm_err_t
add_children(abdm_model_t *m, int parent)
{
    const abdm_kind_t *kind = m->nodes[parent].kind;
    const json_t *item = m->nodes[parent].item;

    for (int c = 0; c < ABDM_KIND_CHILDREN && kind->children[c].kind != NULL; c++) {
        bool self = kind->children[c].member[0] == '\0';
        const json_t *list = self ? item : json_object_get(item, kind->children[c].member);
        for (size_t i = 0; i < items_of(list); i++) {
            const json_t *child = item_of(list, i);
            if (kind->children[c].wanted != NULL && !kind->children[c].wanted(child))
                continue;
            abdm_node_t node = {.kind = kind->children[c].kind, .item = child,
                                .member = kind->children[c].member, .parent = parent,
                                .index = json_is_array(list) ? (int) i : -1, .section = -1};
            if (!add_node(m, node))
                return ABDM_ERR(MEMORY, "document: its resources");
            ABDM_TRY(add_children(m, m->n - 1));
        }
    }
    return ABDM_NO_ERR;
}


static int
last_section(const abdm_fhir_profile_t *p)
{
    int i = 0;

    while (i + 1 < ABDM_FHIR_SECTIONS && p->sections[i + 1].title != NULL)
        i++;
    return i;
}


static abdm_err_t
add_member(abdm_model_t *m, const abdm_member_t *member, const abdm_member_t *members,
           size_t index)
{
    const char *name;
    const json_t *list = abdm_member(m->about->record, member->names, &name);
    size_t from = 0, to = items_of(list);

    if (member->split) {
        size_t first = first_document(m->about->record, member, members);
        from = index < first ? to : index - first;
        to = from + 1 < to ? from + 1 : to;
    } else if (index > 0) {
        return ABDM_NO_ERR;
    }
    for (size_t i = from; i < to; i++) {
        abdm_node_t node = {.kind = member->kind, .item = item_of(list, i), .member = name,
                            .index = json_is_array(list) ? (int) i : -1, .parent = -1,
                            .section = (int) member->section};
        if (!json_is_object(node.item) && !json_is_string(node.item)) {
            if (json_is_null(node.item))
                continue;
            return abdm_model_fail(m, &node, NULL,
                                   ABDM_ERR(RECORD_FORM, "record: a list holds what is neither "
                                                         "an object nor a text"));
        }
        if (node.kind == &abdm_kind_report_lab) {
            node.kind = report_kind(node.item);
            if (node.kind == &abdm_kind_report_file)
                node.section = last_section(m->profile);
        }
        if (!add_node(m, node))
            return ABDM_ERR(MEMORY, "document: its resources");
        ABDM_TRY(add_children(m, m->n - 1));
    }
    return ABDM_NO_ERR;
}


static abdm_err_t
nothing_to_show(abdm_model_t *m, const abdm_member_t *members)
{
    static const char *const texts[ABDM_HI_TYPES] = {
        [ABDM_HI_OP_CONSULTATION] =
            "record: no complaint, finding, order, medicine or document: nothing to show",
        [ABDM_HI_PRESCRIPTION] = "prescriptions: missing, and no document: what is prescribed",
        [ABDM_HI_DISCHARGE_SUMMARY] =
            "record: no complaint, finding, report, medicine or document: nothing to show",
        [ABDM_HI_DIAGNOSTIC_REPORT] = "diagnostics: missing, and no document: the report",
        [ABDM_HI_IMMUNIZATION_RECORD] =
            "immunizations: missing, and no document: what was given",
        [ABDM_HI_HEALTH_DOCUMENT_RECORD] = "documents: missing: the files of the record",
        [ABDM_HI_WELLNESS_RECORD] = "record: no observation and no document: nothing to show",
        [ABDM_HI_INVOICE] = "record: no invoice",
    };

    return abdm_model_fail(m, NULL, members->names[0],
                           ABDM_ERR(RECORD_FORM, texts[m->about->hi_type]));
}


abdm_err_t
abdm_model_plan(const abdm_document_about_t *about, size_t index, bool with_file,
                abdm_record_problem_t *problem, abdm_model_t *m)
{
    const abdm_member_t *members = abdm_members(about->hi_type);
    const char *name;

    *m = (abdm_model_t){.about = about, .problem = problem,
                        .profile = abdm_fhir_profile(about->hi_type)};
    if (!json_is_object(about->record))
        return ABDM_ERR(RECORD_FORM, "record: an object expected");
    if (m->profile->attachment == NULL &&
        (with_file || items_of(abdm_member(about->record, document_names, &name)) > 0))
        return abdm_model_fail(m, NULL, "documents",
                               ABDM_ERR(RECORD_FORM,
                                        "hiType: a bill that is a file cannot be an Invoice; "
                                        "map it as HealthDocumentRecord"));
    ABDM_TRY(add_base(m));

    int first = m->n;
    if (about->hi_type == ABDM_HI_INVOICE) {
        if (!add_node(m, (abdm_node_t){.kind = &abdm_kind_invoice, .item = about->record,
                                       .member = "", .index = -1, .parent = -1}))
            return ABDM_ERR(MEMORY, "document: its resources");
        ABDM_TRY(add_children(m, m->n - 1));
    }
    for (const abdm_member_t *p = members; p->names[0] != NULL; p++)
        ABDM_TRY(add_member(m, p, members, index));
    if (m->n == first)
        return nothing_to_show(m, members);
    return make_ids(m, index);
}


void
abdm_model_clear(abdm_model_t *m)
{
    free(m->nodes);
    m->nodes = NULL;
    m->n = m->cap = 0;
}
