/*
 * The builder: plans the document, writes each resource by the table of its kind into one text,
 * and gives that text as a source in which the files are streamed at their places. Nothing of a
 * record that cannot conform ever leaves: all is judged before the source exists.
 */
#include <stdlib.h>
#include <string.h>

#include "fhir/forms.h"


enum { RESOURCE_SIZE = 1024 }; /* about, so that the text rarely has to move */


/* --- reading an item --- */

/* What counts as said: no null, no blank text, no empty list or object. */
static bool
is_said(const json_t *value)
{
    const char *z;

    switch (json_typeof(value)) {
    case JSON_STRING:
        z = json_string_value(value);
        return z[strspn(z, " \t\r\n")] != '\0';
    case JSON_ARRAY:
        return json_array_size(value) > 0;
    case JSON_OBJECT:
        return json_object_size(value) > 0;
    case JSON_NULL:
        return false;
    default:
        return true;
    }
}


static size_t
row_of(const char *name, const abdm_row_t *rows, size_t n)
{
    size_t i, k;

    for (i = 0; i < n; i++) {
        for (k = 0; k < ABDM_ROW_NAMES && rows[i].names[k] != NULL; k++) {
            if (strcmp(rows[i].names[k], name) == 0)
                return i;
        }
    }
    return n;
}


void
abdm_build_read(abdm_build_t *b, const json_t *item, const abdm_row_t *rows, size_t n)
{
    const char *name;
    json_t *value;

    memset(b->values, 0, n * sizeof *b->values);
    memset(b->names, 0, n * sizeof *b->names);
    if (json_is_string(item) && is_said(item))
        b->values[0] = item;
    json_object_foreach((json_t *) item, name, value) {
        size_t i = row_of(name, rows, n);
        if (i == n) {
            b->problem->unknown++;
        } else if (b->values[i] == NULL && is_said(value)) {
            b->values[i] = value;
            b->names[i] = name;
        }
    }
}


abdm_err_t
abdm_build_rows(abdm_build_t *b, const abdm_row_t *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const json_t *value = b->values[i];
        if (rows[i].write == NULL)
            continue;
        if (value != NULL || rows[i].always)
            ABDM_TRY(rows[i].write(b, &rows[i], value));
        else if (rows[i].missing != NULL)
            return abdm_build_fail(b, rows[i].names[0],
                                   ABDM_ERR(RECORD_FORM, rows[i].missing));
    }
    return ABDM_NO_ERR;
}


/* Members of the record itself that nothing reads. */
static void
count_unknown(abdm_build_t *b)
{
    static const char *const common[] = {
        "id", "hiType", "bundleType", "careContextReference", "authoredOn", "visitDate", "date",
        "title", "status", "patient", "practitioners", "practitioner", "organisation",
        "organization", "encounter", "admissionDate", "dischargeDate", "dischargeDisposition",
    };
    const abdm_member_t *members = abdm_members(b->about->hi_type);
    const char *name;
    json_t *value;

    if (b->about->hi_type == ABDM_HI_INVOICE) /* read as an item, common members and all */
        b->problem->unknown -= json_object_size(b->about->record);
    json_object_foreach((json_t *) b->about->record, name, value) {
        bool known = false;
        for (size_t i = 0; !known && i < sizeof common / sizeof *common; i++)
            known = strcmp(common[i], name) == 0;
        for (const abdm_member_t *m = members; !known && m->names[0] != NULL; m++) {
            for (int k = 0; k < ABDM_ROW_NAMES && m->names[k] != NULL; k++)
                known |= strcmp(m->names[k], name) == 0;
        }
        b->problem->unknown += !known;
    }
}


/* --- writing --- */

static void
open_resource(abdm_build_t *b, const char *type, const char *profile, const char *urn)
{
    abdm_buf_t *out = &b->text;

    abdm_put_object(b, NULL);
    abdm_buf_addz(out, "\"fullUrl\":\"");
    abdm_buf_add(out, urn, ABDM_FHIR_URN - 1);
    abdm_buf_addz(out, "\",\"resource\":{\"resourceType\":\"");
    abdm_buf_addz(out, type);
    abdm_buf_addz(out, "\",\"id\":\"");
    abdm_buf_add(out, urn + sizeof "urn:uuid:" - 1, ABDM_UUID_TEXT - 1);
    abdm_buf_addz(out, "\",\"meta\":{\"profile\":[\"" ABDM_FHIR_NRCES);
    abdm_buf_addz(out, profile);
    abdm_buf_addz(out, "\"]}");
    b->w.comma = true;
}


static void
close_resource(abdm_build_t *b)
{
    abdm_put_end(b, '}');
    abdm_put_end(b, '}');
}


static abdm_err_t
write_node(abdm_build_t *b, const abdm_node_t *node)
{
    const abdm_kind_t *kind = node->kind;

    b->node = node;
    open_resource(b, kind->type, kind->profile, node->urn);
    if (kind->fixed != NULL)
        abdm_jw_raw(&b->w, abdm_str(kind->fixed));
    if (kind->subject != NULL)
        abdm_put_reference(b, kind->subject, b->patient);
    if (kind->encounter)
        abdm_put_reference(b, "encounter", b->encounter);
    abdm_build_read(b, node->item, kind->rows, kind->n_rows);
    ABDM_TRY(abdm_build_rows(b, kind->rows, kind->n_rows));
    close_resource(b);
    return ABDM_NO_ERR;
}


static abdm_err_t
write_bundle(abdm_build_t *b)
{
    const abdm_model_t *m = &b->model;

    abdm_put_object(b, NULL);
    abdm_jw_kv(&b->w, "resourceType", "Bundle");
    abdm_jw_kv(&b->w, "id", m->bundle + sizeof "urn:uuid:" - 1);
    abdm_put_object(b, "meta");
    abdm_jw_kv(&b->w, "versionId", "1");
    abdm_jw_kv(&b->w, "lastUpdated", b->timestamp);
    abdm_put_list(b, "profile");
    abdm_jw_strz(&b->w, ABDM_FHIR_NRCES "DocumentBundle");
    abdm_put_end(b, ']');
    abdm_put_end(b, '}');
    abdm_put_object(b, "identifier");
    abdm_jw_kv(&b->w, "system", ABDM_FHIR_URI_SYSTEM);
    abdm_jw_kv(&b->w, "value", m->bundle);
    abdm_put_end(b, '}');
    abdm_jw_kv(&b->w, "type", "document");
    abdm_jw_kv(&b->w, "timestamp", b->timestamp);
    abdm_put_list(b, "entry");
    open_resource(b, "Composition", m->profile->profile, m->composition);
    ABDM_TRY(abdm_build_composition(b));
    close_resource(b);
    for (int i = 0; i < m->n; i++)
        ABDM_TRY(write_node(b, &m->nodes[i]));
    abdm_put_end(b, ']');
    abdm_put_end(b, '}');
    return b->text.failed ? ABDM_ERR(MEMORY, "document") : ABDM_NO_ERR;
}


/* --- the document as a source --- */

typedef struct {
    abdm_source_t base;
    abdm_buf_t text; /* owned */
    abdm_hole_t *holes; /* owned */
    size_t n_holes;
    abdm_source_t *file; /* owned: base64 of the file from elsewhere; may be NULL */
    json_t *record;      /* one reference: the holes borrow from it */
    size_t hole;         /* next */
    size_t at;           /* in the text */
    size_t in_hole;      /* bytes given of the base64 of the next hole */
} document_t;


static abdm_err_t
document_read(abdm_source_t *s, void *out, size_t cap, size_t *got)
{
    document_t *d = (document_t *) s;
    const char *from;
    size_t n;

    *got = 0;
    for (;;) {
        bool hole = d->hole < d->n_holes && d->at == d->holes[d->hole].at;
        if (hole && d->holes[d->hole].base64.len == 0) {
            if (d->file != NULL)
                ABDM_TRY(d->file->read(d->file, out, cap, got));
            if (*got > 0)
                return ABDM_NO_ERR;
            d->hole++;
            continue;
        }
        if (hole) {
            from = d->holes[d->hole].base64.p + d->in_hole;
            n = d->holes[d->hole].base64.len - d->in_hole;
        } else {
            from = d->text.p + d->at;
            n = (d->hole < d->n_holes ? d->holes[d->hole].at : d->text.len) - d->at;
        }
        if (n > cap)
            n = cap;
        memcpy(out, from, n);
        *got = n;
        if (!hole) {
            d->at += n;
            return ABDM_NO_ERR;
        }
        d->in_hole += n;
        if (d->in_hole == d->holes[d->hole].base64.len) {
            d->hole++;
            d->in_hole = 0;
        }
        return ABDM_NO_ERR;
    }
}


static void
document_close(abdm_source_t *s)
{
    document_t *d = (document_t *) s;

    abdm_buf_wipe_free(&d->text);
    free(d->holes);
    abdm_source_close(d->file);
    json_decref(d->record);
    free(d);
}


/* Takes text and holes out of the builder, and `file`, also on failure. */
static abdm_err_t
make_source(abdm_build_t *b, abdm_source_t *file, abdm_source_t **out)
{
    document_t *d = calloc(1, sizeof *d);
    uint64_t length = b->text.len, file_length;

    if (file != NULL && b->file_used)
        file = abdm_source_base64(file);
    if (d == NULL || (b->file_used && file == NULL)) {
        abdm_source_close(file);
        free(d);
        return ABDM_ERR(MEMORY, "document");
    }
    if (!b->file_used) {
        abdm_source_close(file);
        file = NULL;
    }
    file_length = file != NULL ? file->length : 0;
    for (size_t i = 0; i < b->n_holes; i++)
        length += b->holes[i].base64.len > 0 ? b->holes[i].base64.len : file_length;
    d->base = (abdm_source_t){length, document_read, document_close, NULL};
    d->text = b->text;
    d->holes = b->holes;
    d->n_holes = b->n_holes;
    d->file = file;
    d->record = json_incref((json_t *) b->about->record);
    b->text = (abdm_buf_t){0};
    b->holes = NULL;
    *out = &d->base;
    return ABDM_NO_ERR;
}


static abdm_err_t
build(const abdm_document_about_t *about, size_t index, abdm_source_t *file, const uint8_t *head,
      size_t head_len, abdm_record_problem_t *problem, abdm_source_t **out)
{
    abdm_record_problem_t ignored = {0};
    abdm_build_t b = {.about = about, .problem = problem == NULL ? &ignored : problem};

    *out = NULL;
    *b.problem = (abdm_record_problem_t){0};
    if (about->rules != NULL)
        b.rules = *about->rules;
    if (b.rules.zone == NULL)
        b.rules.zone = ABDM_TIME_ZONE;
    if (b.rules.appointment_minutes == 0)
        b.rules.appointment_minutes = 15;
    b.has_file = file != NULL;
    b.file_length = file == NULL ? 0 : file->length;
    b.head = head;
    b.head_len = head_len;
    abdm_jw_begin(&b.w, &b.text);
    b.w.no_controls = true;

    abdm_err_t err = abdm_model_plan(about, index, file != NULL, b.problem, &b.model);
    if (!abdm_failed(err))
        err = abdm_build_settle(&b);
    if (!abdm_failed(err)) {
        abdm_buf_reserve(&b.text, (size_t) (b.model.n + 4) * RESOURCE_SIZE);
        err = write_bundle(&b);
    }
    if (!abdm_failed(err) && b.has_file && !b.file_used)
        err = abdm_model_fail(&b.model, NULL, "document",
                              ABDM_ERR(RECORD_FORM, "document: the record has no place for the "
                                                    "file"));
    if (abdm_failed(err)) {
        abdm_source_close(file);
    } else {
        if (index == 0)
            count_unknown(&b);
        err = make_source(&b, file, out);
    }
    abdm_model_clear(&b.model);
    abdm_buf_wipe_free(&b.text);
    free(b.holes);
    return err;
}


abdm_err_t
abdm_document_build(const abdm_document_about_t *about, size_t index,
                    abdm_record_problem_t *problem, abdm_source_t **out)
{
    return build(about, index, NULL, NULL, 0, problem, out);
}


abdm_err_t
abdm_document_wrap(const abdm_document_about_t *about, abdm_source_t *file, const uint8_t *head,
                   size_t head_len, abdm_source_t **out)
{
    return build(about, 0, file, head, head_len, NULL, out);
}


bool
abdm_record_type(const json_t *record, abdm_hi_type_t *out)
{
    const char *given = abdm_fhir_text_at(record, "hiType");

    if (given == NULL)
        given = abdm_fhir_text_at(record, "bundleType");
    return given != NULL && abdm_hi_type_parse_record(abdm_str(given), out);
}
