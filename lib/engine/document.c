/*
 * Documents: a file of the HMIS wrapped on its way out, FHIR that the HMIS made (passed through
 * byte for byte when it conforms, else mended), or a record that says itself what it holds. Only
 * FHIR is ever read whole, because it has to be checked.
 */
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "engine/document.h"

enum { BUNDLE_MAX = 32 * 1024 * 1024 };

typedef enum {
    MADE_OF_FILE,
    MADE_OF_FHIR,   /* the spool is the document */
    MADE_OF_RECORD, /* no spool */
    MADE_ATTACHED   /* the spool is FHIR that does not conform, sent as a text */
} made_t;

/* What the flows carry from the fetched record to its push. */
typedef struct {
    abdm_document_t document; /* first */
    abdm_spool_t *spool;      /* owned; may be NULL */
    made_t made;
} spooled_t;


static void
close_spooled(abdm_document_t *document)
{
    spooled_t *d = (spooled_t *) document;

    abdm_spool_free(d->spool);
    free(d);
}


static abdm_document_about_t
about(const abdm_task_t *task, const abdm_engine_facility_t *facility)
{
    return (abdm_document_about_t){
        .hi_type = task->page.hi_type,
        .hip_id = facility->facts.id,
        .facility_name = facility->facts.name,
        .patient_ref = task->context.patient_ref,
        .care_context_ref = task->context.care_context_ref,
        .abha_address = task->patient_id,
        .record = task->page.record,
        .rules = &facility->rules,
    };
}


/* --- a file --- */

static abdm_err_t
wrap_spool(const abdm_document_about_t *what, abdm_spool_t *spool, abdm_source_t **out)
{
    abdm_str_t head = abdm_spool_head(spool);
    abdm_source_t *file;

    ABDM_TRY(abdm_spool_source(spool, &file));
    return abdm_document_wrap(what, file, (const uint8_t *) head.p, head.len, out);
}


/* --- FHIR that goes as a text --- */

/* The record with a document in place of its bundle. */
static json_t *
attached_record(const json_t *record)
{
    json_t *copy = json_copy((json_t *) record);
    json_t *file = json_pack("{s:s, s:s}", "contentType", "text/plain", "title", "FHIR (JSON)");

    json_object_del(copy, "bundle");
    if (json_object_set(copy, "document", file) != 0) {
        json_decref(copy);
        copy = NULL;
    }
    json_decref(file);
    return copy;
}


static abdm_err_t
attached_source(abdm_task_t *task, const abdm_engine_facility_t *facility, abdm_spool_t *spool,
                abdm_source_t **out)
{
    abdm_document_about_t what = about(task, facility);
    json_t *record = attached_record(task->page.record);
    abdm_err_t err;

    if (record == NULL) {
        return ABDM_ERR(MEMORY, "record");
    }
    what.record = record;
    err = wrap_spool(&what, spool, out);
    json_decref(record); /* the source has a reference of its own */
    return err;
}


/* --- FHIR --- */

static abdm_err_t
read_bundle(abdm_task_t *task, abdm_buf_t *bytes)
{
    abdm_source_t *source;
    abdm_err_t err;

    if (abdm_spool_length(task->spool) > BUNDLE_MAX) {
        return ABDM_ERR(RECORD_TOO_LARGE, "FHIR of the HMIS: over 32 MB");
    }
    ABDM_TRY(abdm_spool_source(task->spool, &source));
    err = abdm_source_read_all(source, BUNDLE_MAX, bytes);
    abdm_source_close(source);
    return err;
}


/* What was mended takes the place of what was fetched. */
static abdm_err_t
respool(abdm_task_t *task, const abdm_engine_config_t *config, const abdm_buf_t *bytes)
{
    abdm_spool_t *spool;
    abdm_err_t err;

    if (bytes->len == 0) {
        return ABDM_NO_ERR;
    }
    ABDM_TRY(abdm_spool_new(config->spool_dir, config->record_max, &spool));
    err = abdm_spool_write(spool, bytes->p, bytes->len);
    if (!abdm_failed(err)) {
        err = abdm_spool_finish(spool);
    }
    if (abdm_failed(err)) {
        abdm_spool_free(spool);
        return err.code == ABDM_E_ANSWER_TOO_LARGE
                   ? ABDM_ERR(RECORD_TOO_LARGE, "FHIR as mended: over abdm_record_max") : err;
    }
    abdm_spool_free(task->spool);
    task->spool = spool;
    task->result.note = "FHIR of the HMIS mended";
    return ABDM_NO_ERR;
}


/* After a refusal of the form: what the facility wants done with it. */
static abdm_err_t
by_policy(abdm_task_t *task, const abdm_engine_facility_t *facility,
          const abdm_fhir_verdict_t *verdict, abdm_err_t refusal, made_t *made)
{
    abdm_source_t *trial;

    if (facility->fhir == ABDM_FHIR_SEND && verdict->sendable) {
        task->result.note = "FHIR does not conform, sent as it is";
        return ABDM_NO_ERR;
    }
    if (facility->fhir == ABDM_FHIR_ATTACH && verdict->attachable) {
        ABDM_TRY(attached_source(task, facility, task->spool, &trial));
        abdm_source_close(trial);
        task->result.note = "FHIR does not conform, sent as an attachment";
        *made = MADE_ATTACHED;
        return ABDM_NO_ERR;
    }
    return refusal;
}


static void
tell_facts(abdm_task_t *task, const abdm_document_facts_t *facts)
{
    if (facts->dated) { /* else what the list said stands */
        task->result.has_facts = true;
        task->result.hi_type = facts->typed ? facts->hi_type : task->page.hi_type;
        task->result.dated = true;
        task->result.date = facts->date;
    }
}


static abdm_err_t
take_fhir(abdm_task_t *task, const abdm_engine_facility_t *facility,
          const abdm_engine_config_t *config, made_t *made)
{
    abdm_document_about_t what = about(task, facility);
    abdm_fhir_verdict_t verdict = {0};
    abdm_buf_t bytes = {0};
    abdm_err_t err;

    *made = MADE_OF_FHIR;
    err = read_bundle(task, &bytes);
    if (!abdm_failed(err)) {
        err = abdm_document_normalize(&what, bytes.p, bytes.len, &verdict);
    }
    snprintf(task->result.where, sizeof(task->result.where), "%s", verdict.where);
    if (!abdm_failed(err)) {
        err = respool(task, config, &verdict.mended);
    } else if (err.code == ABDM_E_RECORD_FORM) {
        err = by_policy(task, facility, &verdict, err, made);
    }
    if (!abdm_failed(err)) {
        tell_facts(task, &verdict.facts);
    }
    abdm_buf_wipe_free(&verdict.mended);
    abdm_buf_wipe_free(&bytes);
    return err;
}


/* --- what was fetched --- */

/* What the record promises, held against the first bytes: no page of errors is taken for FHIR,
 * and JSON that is mapped as a document is taken for what it is. */
static abdm_err_t
sniff(const abdm_task_t *task, bool *fhir)
{
    bool promised = json_object_get(task->page.record, "bundle") != NULL;
    const char *type = abdm_json_string_at(task->page.record, "document.contentType");
    abdm_body_kind_t kind = abdm_body_kind(abdm_spool_head(task->spool));

    *fhir = false;
    if (kind == ABDM_BODY_HL7V2) {
        return ABDM_ERR(RECORD_TYPE, "file: a message of HL7 version 2, which is not read");
    }
    if (promised && kind == ABDM_BODY_FILE) {
        return ABDM_ERR(RECORD_TYPE, "bundle: neither a JSON object nor a list");
    }
    *fhir = promised
            || (kind == ABDM_BODY_FHIR && type != NULL && strstr(type, "json") != NULL);
    return ABDM_NO_ERR;
}


static abdm_err_t
take_spool(abdm_task_t *task, const abdm_engine_facility_t *facility,
           const abdm_engine_config_t *config, made_t *made)
{
    abdm_document_about_t what = about(task, facility);
    abdm_source_t *trial;
    bool fhir;

    ABDM_TRY(sniff(task, &fhir));
    if (fhir) {
        return take_fhir(task, facility, config, made);
    }
    *made = MADE_OF_FILE;
    ABDM_TRY(wrap_spool(&what, task->spool, &trial));
    abdm_source_close(trial);
    return ABDM_NO_ERR;
}


/* --- a record without a file --- */

static abdm_err_t
build(abdm_task_t *task, const abdm_engine_facility_t *facility, abdm_source_t **out)
{
    abdm_document_about_t what = about(task, facility);
    abdm_record_problem_t problem = {0};
    abdm_err_t err = abdm_document_build(&what, (size_t) task->page.part, &problem, out);

    snprintf(task->result.where, sizeof(task->result.where), "%s", problem.where);
    return err;
}


static abdm_err_t
take_record(abdm_task_t *task, const abdm_engine_facility_t *facility,
            const abdm_engine_config_t *config)
{
    abdm_source_t *trial;
    uint64_t length;

    ABDM_TRY(build(task, facility, &trial));
    length = trial->length;
    abdm_source_close(trial);
    return length > config->record_max ? ABDM_ERR(RECORD_TOO_LARGE, "over abdm_record_max")
                                       : ABDM_NO_ERR;
}


/* --- the document --- */

const char *
abdm_task_file(const abdm_task_t *task)
{
    const json_t *record = task->page.record;
    const char *bundle = abdm_json_string_at(record, "bundle.url");
    bool inside = abdm_json_string_at(record, "document.data") != NULL;

    if (bundle != NULL) {
        return bundle;
    }
    return inside || task->page.part > 0 ? NULL : abdm_json_string_at(record, "document.url");
}


abdm_err_t
abdm_task_make_document(abdm_task_t *task, const abdm_engine_facility_t *facility,
                        const abdm_engine_config_t *config)
{
    made_t made = MADE_OF_RECORD;
    spooled_t *d;

    ABDM_TRY(task->spool == NULL ? take_record(task, facility, config)
                                 : take_spool(task, facility, config, &made));
    d = calloc(1, sizeof(*d));
    if (d == NULL) {
        return ABDM_ERR(MEMORY, "document");
    }
    d->document.close = close_spooled;
    d->made = made;
    d->spool = task->spool;
    task->spool = NULL;
    task->result.document = &d->document;
    return ABDM_NO_ERR;
}


abdm_err_t
abdm_task_document_source(abdm_task_t *task, const abdm_engine_facility_t *facility,
                          abdm_source_t **out)
{
    spooled_t *d = (spooled_t *) task->job.document;
    abdm_document_about_t what = about(task, facility);

    switch (d->made) {
    case MADE_OF_FHIR:
        return abdm_spool_source(d->spool, out);
    case MADE_OF_RECORD:
        return build(task, facility, out);
    case MADE_ATTACHED:
        return attached_source(task, facility, d->spool, out);
    default:
        return wrap_spool(&what, d->spool, out);
    }
}


/* --- digest --- */

struct abdm_digest_s {
    EVP_MD_CTX *ctx;
    uint8_t bytes[EVP_MAX_MD_SIZE];
};

typedef struct {
    abdm_source_t source; /* first */
    abdm_source_t *in;
    abdm_digest_t *digest;
    uint64_t left;
} digesting_t;


static abdm_err_t
read_digesting(abdm_source_t *s, void *out, size_t cap, size_t *got)
{
    digesting_t *d = (digesting_t *) s;

    ABDM_TRY(d->in->read(d->in, out, cap, got));
    if (EVP_DigestUpdate(d->digest->ctx, out, *got) != 1) {
        return ABDM_ERR(CRYPTO, "MD5");
    }
    d->left -= *got <= d->left ? *got : d->left;
    if (d->left == 0 && *got > 0
        && EVP_DigestFinal_ex(d->digest->ctx, d->digest->bytes, NULL) != 1) {
        return ABDM_ERR(CRYPTO, "MD5");
    }
    return ABDM_NO_ERR;
}


static void
close_digesting(abdm_source_t *s)
{
    digesting_t *d = (digesting_t *) s;

    abdm_source_close(d->in);
    free(d);
}


abdm_err_t
abdm_digest_new(abdm_source_t *in, abdm_digest_t **digest, abdm_source_t **out)
{
    digesting_t *d = calloc(1, sizeof(*d));
    abdm_digest_t *g = calloc(1, sizeof(*g));

    *digest = NULL;
    *out = NULL;
    if (d == NULL || g == NULL || (g->ctx = EVP_MD_CTX_new()) == NULL
        || EVP_DigestInit_ex(g->ctx, EVP_md5(), NULL) != 1) {
        abdm_source_close(in);
        abdm_digest_free(g);
        free(d);
        return ABDM_ERR(CRYPTO, "MD5 is not available");
    }
    d->source = (abdm_source_t){in->length, read_digesting, close_digesting, NULL};
    d->in = in;
    d->digest = g;
    d->left = in->length;
    *digest = g;
    *out = &d->source;
    return ABDM_NO_ERR;
}


const uint8_t *
abdm_digest_bytes(const abdm_digest_t *digest)
{
    return digest->bytes;
}


void
abdm_digest_free(abdm_digest_t *digest)
{
    if (digest != NULL) {
        EVP_MD_CTX_free(digest->ctx);
        free(digest);
    }
}
