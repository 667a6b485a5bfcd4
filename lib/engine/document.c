/*
 * Documents: a file of the HMIS wrapped on its way out, or a bundle the HMIS made, passed
 * through byte for byte. Only a bundle is ever read whole, because it has to be checked.
 */
#include <openssl/evp.h>
#include <stdlib.h>

#include "engine/document.h"
#include "fhir/document.h"

enum { BUNDLE_MAX = 32 * 1024 * 1024 };

/* What the flows carry from the fetched record to its push. */
typedef struct {
    abdm_document_t document; /* first */
    abdm_spool_t *spool;      /* owned */
    bool bundle;
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
        .hip_id = facility->id,
        .facility_name = facility->name,
        .patient_ref = task->context.patient_ref,
        .care_context_ref = task->context.care_context_ref,
        .abha_address = task->patient_id,
        .record = task->page.record,
    };
}


static abdm_err_t
wrapped_source(abdm_task_t *task, const abdm_engine_facility_t *facility, abdm_spool_t *spool,
               abdm_source_t **out)
{
    abdm_document_about_t what = about(task, facility);
    abdm_str_t head = abdm_spool_head(spool);
    abdm_source_t *file;

    ABDM_TRY(abdm_spool_source(spool, &file));
    return abdm_document_wrap(&what, file, (const uint8_t *) head.p, head.len, out);
}


static abdm_err_t
check_bundle(abdm_task_t *task, const abdm_engine_facility_t *facility)
{
    abdm_document_about_t what = about(task, facility);
    abdm_document_facts_t facts = {0};
    abdm_source_t *source;
    abdm_buf_t bytes = {0};
    abdm_err_t err;

    if (abdm_spool_length(task->spool) > BUNDLE_MAX) {
        return ABDM_ERR(RECORD_TOO_LARGE, "FHIR bundle of the HMIS: over 32 MB");
    }
    ABDM_TRY(abdm_spool_source(task->spool, &source));
    err = abdm_source_read_all(source, BUNDLE_MAX, &bytes);
    abdm_source_close(source);
    if (!abdm_failed(err)) {
        err = abdm_document_check(&what, bytes.p, bytes.len, &facts);
    }
    abdm_buf_wipe_free(&bytes);
    if (!abdm_failed(err)) {
        task->result.has_facts = true;
        task->result.hi_type = facts.hi_type;
        task->result.dated = facts.dated;
        task->result.date = facts.date;
    }
    return err;
}


abdm_err_t
abdm_task_make_document(abdm_task_t *task, const abdm_engine_facility_t *facility)
{
    bool bundle = json_object_get(task->page.record, "bundle") != NULL;
    abdm_source_t *trial;
    spooled_t *d;

    if (bundle) {
        ABDM_TRY(check_bundle(task, facility));
    } else {
        ABDM_TRY(wrapped_source(task, facility, task->spool, &trial));
        abdm_source_close(trial);
    }
    d = calloc(1, sizeof(*d));
    if (d == NULL) {
        return ABDM_ERR(MEMORY, "document");
    }
    d->document.close = close_spooled;
    d->bundle = bundle;
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

    if (d->bundle) {
        return abdm_spool_source(d->spool, out);
    }
    return wrapped_source(task, facility, d->spool, out);
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
