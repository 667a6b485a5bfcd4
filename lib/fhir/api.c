/*
 * The public face of the builder (abdm_fhir.h): bytes in, bundles as texts out. A body that is a
 * JSON object is a record, anything else a file, of which a small record is made first.
 */
#include "abdm_fhir.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fhir/build.h"
#include "fhir/forms.h"

enum { PROBLEM = 512, HEAD = 512, DOCUMENT_MAX = 1 << 30 };


static void
say(char problem[PROBLEM], const char *where, abdm_err_t err)
{
    snprintf(problem, PROBLEM, "%s%s%s", where, where[0] == '\0' ? "" : ": ", err.what);
}


/* --- what is missing in the record and given by an option, and the other way round --- */

static const char *
option_or(const char *option, const json_t *object, const char *const names[ABDM_ROW_NAMES],
          char small[ABDM_FHIR_TEXT])
{
    const char *ignored;

    return option != NULL ? option : abdm_text(abdm_member(object, names, &ignored), small);
}


typedef struct {
    json_t *record; /* owned */
    abdm_codes_t *codes;
    abdm_record_rules_t rules;
    abdm_document_about_t about;
    char patient[ABDM_FHIR_TEXT], context[ABDM_FHIR_TEXT], facility[ABDM_FHIR_TEXT];
} job_t;


/* A record around a file: what the options say of it. */
static abdm_err_t
record_of_file(const uint8_t *bytes, size_t len, const abdm_fhir_options_t *o, json_t **record)
{
    const char *type = o->content_type;

    if (type == NULL)
        type = abdm_content_type_of(bytes, len < HEAD ? len : HEAD);
    if (type == NULL)
        return ABDM_ERR(RECORD_TYPE, "file: neither JSON, PDF, JPEG, PNG nor plain text");
    *record = json_pack("{s:s*, s:s*, s:{s:s*}, s:{s:s, s:s*}}", "authoredOn", o->authored_on,
                        "title", o->title, "patient", "patientReference", o->patient_ref,
                        "document", "contentType", type, "title", o->title);
    return *record == NULL ? ABDM_ERR(MEMORY, "record of a file") : ABDM_NO_ERR;
}


static abdm_err_t
settle_about(job_t *job, const abdm_fhir_options_t *o, char problem[PROBLEM])
{
    static const char *const context[ABDM_ROW_NAMES] = {"careContextReference"};
    static const char *const patient[ABDM_ROW_NAMES] = {"patientReference"};
    static const char *const facility[ABDM_ROW_NAMES] = {"facilityId"};
    static const char *const organisation[ABDM_ROW_NAMES] = {"organisation", "organization"};
    abdm_document_about_t *a = &job->about;
    const char *ignored;

    if (o->hi_type != NULL) {
        json_t *type = json_pack("{s:s}", "hiType", o->hi_type);
        bool known = type != NULL && abdm_record_type(type, &a->hi_type);
        json_decref(type);
        if (!known)
            return ABDM_ERR(USAGE, "type: none of the eight types of health information");
    } else if (!abdm_record_type(job->record, &a->hi_type)) {
        say(problem, "/bundleType", ABDM_ERR(RECORD_FORM, "missing, or none of the eight types"));
        return ABDM_ERR(RECORD_FORM, "bundleType: missing, or none of the eight types");
    }
    a->record = job->record;
    a->rules = &job->rules;
    a->facility_name = o->facility_name;
    a->abha_address = o->abha_address;
    a->hip_id = option_or(o->facility_id, abdm_member(job->record, organisation, &ignored),
                          facility, job->facility);
    if (a->hip_id == NULL)
        a->hip_id = "";
    a->patient_ref = option_or(o->patient_ref, json_object_get(job->record, "patient"), patient,
                               job->patient);
    a->care_context_ref = option_or(o->care_context, job->record, context, job->context);
    if (a->hip_id[0] == '\0') {
        say(problem, "/organisation/facilityId",
            ABDM_ERR(RECORD_FORM, "missing: the facility that the record is of"));
        return ABDM_ERR(RECORD_FORM, "organisation.facilityId: missing");
    }
    if (a->care_context_ref == NULL) {
        say(problem, "/careContextReference",
            ABDM_ERR(RECORD_FORM, "missing: the visit or admission that the record is of"));
        return ABDM_ERR(RECORD_FORM, "careContextReference: missing");
    }
    if (a->patient_ref == NULL) {
        say(problem, "/patient/patientReference",
            ABDM_ERR(RECORD_FORM, "missing: whose record it is"));
        return ABDM_ERR(RECORD_FORM, "patient.patientReference: missing");
    }
    return ABDM_NO_ERR;
}


/* --- the bundles --- */

static abdm_err_t
add_bundle(abdm_fhir_bundles_t *out, abdm_source_t *source)
{
    abdm_buf_t text = {0};
    abdm_err_t err = abdm_source_read_all(source, DOCUMENT_MAX, &text);

    abdm_source_close(source);
    if (abdm_failed(err)) {
        abdm_buf_wipe_free(&text);
        return err;
    }
    out->lengths[out->n] = text.len;
    out->texts[out->n] = abdm_buf_take(&text);
    if (out->texts[out->n] == NULL)
        return ABDM_ERR(MEMORY, "document");
    out->n++;
    return ABDM_NO_ERR;
}


static abdm_err_t
wrap_file(const job_t *job, const void *bytes, size_t len, abdm_source_t **out)
{
    abdm_buf_t copy = {0};
    abdm_source_t *file;

    abdm_buf_add(&copy, bytes, len);
    file = abdm_source_take_buf(&copy);
    if (file == NULL)
        return ABDM_ERR(MEMORY, "file");
    return abdm_document_wrap(&job->about, file, bytes, len < HEAD ? len : HEAD, out);
}


static abdm_err_t
build_all(const job_t *job, const void *bytes, size_t len, bool file, abdm_fhir_bundles_t *out,
          char problem[PROBLEM])
{
    size_t count = file ? 1 : abdm_document_count(job->about.hi_type, job->record);
    abdm_record_problem_t found = {0};
    abdm_source_t *source;
    abdm_err_t err = ABDM_NO_ERR;

    out->texts = calloc(count, sizeof *out->texts);
    out->lengths = calloc(count, sizeof *out->lengths);
    if (out->texts == NULL || out->lengths == NULL)
        return ABDM_ERR(MEMORY, "documents");
    for (size_t i = 0; i < count && !abdm_failed(err); i++) {
        err = file ? wrap_file(job, bytes, len, &source)
                   : abdm_document_build(&job->about, i, &found, &source);
        if (abdm_failed(err)) {
            say(problem, found.where, err);
        } else {
            out->unknown += found.unknown;
            err = add_bundle(out, source);
        }
    }
    return err;
}


static abdm_err_t
read_codes(job_t *job, const abdm_fhir_options_t *o, char problem[PROBLEM])
{
    char fault[128];

    if (o->codes_csv == NULL)
        return ABDM_NO_ERR;
    abdm_err_t err = abdm_codes_new(abdm_str(o->codes_csv), fault, &job->codes);
    if (abdm_failed(err))
        snprintf(problem, PROBLEM, "codes: %s", fault);
    job->rules.codes = job->codes;
    return err;
}


abdm_err_t
abdm_fhir_build(const void *bytes, size_t len, const abdm_fhir_options_t *options,
                abdm_fhir_bundles_t *out, char problem[512])
{
    static const abdm_fhir_options_t none;
    const abdm_fhir_options_t *o = options == NULL ? &none : options;
    const char *text = bytes;
    size_t blank = 0;
    job_t job = {.rules = {.zone = o->zone, .conclusion = o->conclusion, .dosage = o->dosage}};
    abdm_err_t err;

    *out = (abdm_fhir_bundles_t){0};
    problem[0] = '\0';
    while (blank < len && memchr(" \t\r\n", text[blank], 4) != NULL)
        blank++;
    bool file = blank == len || text[blank] != '{';
    if (len == 0)
        err = ABDM_ERR(RECORD_TYPE, "file: empty");
    else if (file)
        err = record_of_file(bytes, len, o, &job.record);
    else
        err = abdm_json_parse_exact(bytes, len, ABDM_JSON_DEPTH, &job.record);
    if (!abdm_failed(err))
        err = read_codes(&job, o, problem);
    if (!abdm_failed(err))
        err = settle_about(&job, o, problem);
    if (!abdm_failed(err))
        err = build_all(&job, bytes, len, file, out, problem);
    if (abdm_failed(err)) {
        if (problem[0] == '\0')
            say(problem, "", err);
        abdm_fhir_bundles_free(out);
    }
    json_decref(job.record);
    abdm_codes_free(job.codes);
    return err;
}


void
abdm_fhir_bundles_free(abdm_fhir_bundles_t *bundles)
{
    for (size_t i = 0; i < bundles->n; i++) {
        abdm_wipe(bundles->texts[i], bundles->lengths[i]);
        free(bundles->texts[i]);
    }
    free(bundles->texts);
    free(bundles->lengths);
    *bundles = (abdm_fhir_bundles_t){0};
}
