/*
 * Bodies of our calls (gateway protocol 1.4, 3.9-3.11b), and the envelope of the data push,
 * which is a stream: what stands before the ciphertext, the ciphertext, what stands behind.
 */
#include "gateway/outbound.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/wire.h"

enum { MD5_BYTES = 16, CHECKSUM_TEXT = 24 };

/* base64 of a digest that is complete only when this source is first read. */
typedef struct {
    abdm_source_t base;
    const uint8_t *md5; /* borrowed */
    size_t at;
    char text[CHECKSUM_TEXT];
} checksum_source_t;


void
abdm_out_session(abdm_buf_t *out, const char *client_id, abdm_str_t client_secret)
{
    abdm_jw_t w;

    abdm_jw_begin(&w, out);
    abdm_jw_open(&w, '{');
    abdm_jw_kv(&w, "clientId", client_id);
    abdm_jw_key(&w, "clientSecret");
    abdm_jw_str(&w, client_secret);
    abdm_jw_kv(&w, "grantType", "client_credentials");
    abdm_jw_close(&w, '}');
}


void
abdm_out_consent_on_notify(abdm_buf_t *out, const char *consent_id, const char *request_id)
{
    abdm_jw_t w;

    abdm_jw_begin(&w, out);
    abdm_jw_open(&w, '{');
    abdm_jw_key(&w, "acknowledgement");
    abdm_jw_open(&w, '{');
    abdm_jw_kv(&w, "status", "OK");
    abdm_jw_kv(&w, "consentId", consent_id);
    abdm_jw_close(&w, '}');
    abdm_out_write_echo(&w, "response", request_id);
    abdm_jw_close(&w, '}');
}


void
abdm_out_consent_fetch(abdm_buf_t *out, const char *consent_id)
{
    abdm_jw_t w;

    abdm_jw_begin(&w, out);
    abdm_jw_open(&w, '{');
    abdm_jw_kv(&w, "consentId", consent_id);
    abdm_jw_close(&w, '}');
}


void
abdm_out_hi_on_request(abdm_buf_t *out, const char *transaction_id, const char *request_id)
{
    abdm_jw_t w;

    abdm_jw_begin(&w, out);
    abdm_jw_open(&w, '{');
    abdm_jw_key(&w, "hiRequest");
    abdm_jw_open(&w, '{');
    abdm_jw_kv(&w, "transactionId", transaction_id);
    abdm_jw_kv(&w, "sessionStatus", "ACKNOWLEDGED");
    abdm_jw_close(&w, '}');
    abdm_out_write_echo(&w, "response", request_id);
    abdm_jw_close(&w, '}');
}


void
abdm_out_error(abdm_buf_t *out, abdm_err_t err, const char *request_id)
{
    abdm_jw_t w;

    abdm_jw_begin(&w, out);
    abdm_jw_open(&w, '{');
    abdm_out_write_error(&w, err);
    abdm_out_write_echo(&w, "response", request_id);
    abdm_jw_close(&w, '}');
}


static void
write_context_status(abdm_jw_t *w, const abdm_context_status_t *context)
{
    abdm_jw_open(w, '{');
    abdm_jw_kv(w, "careContextReference", context->care_context_ref);
    abdm_jw_kv(w, "hiStatus", context->delivered ? "DELIVERED" : "ERRORED");
    if (context->description != NULL)
        abdm_jw_kv(w, "description", context->description);
    abdm_jw_close(w, '}');
}


void
abdm_out_hi_notify(abdm_buf_t *out, const char *consent_id, const char *transaction_id,
                   const char *hip_id, abdm_ms_t done_at, bool transferred,
                   const abdm_context_status_t *contexts, size_t n)
{
    char done[ABDM_TIME_TEXT];
    abdm_jw_t w;

    abdm_time_format(done_at, done);
    abdm_jw_begin(&w, out);
    abdm_jw_open(&w, '{');
    abdm_jw_key(&w, "notification");
    abdm_jw_open(&w, '{');
    abdm_jw_kv(&w, "consentId", consent_id);
    abdm_jw_kv(&w, "transactionId", transaction_id);
    abdm_jw_kv(&w, "doneAt", done);

    abdm_jw_key(&w, "notifier");
    abdm_jw_open(&w, '{');
    abdm_jw_kv(&w, "type", "HIP");
    abdm_jw_kv(&w, "id", hip_id);
    abdm_jw_close(&w, '}');

    abdm_jw_key(&w, "statusNotification");
    abdm_jw_open(&w, '{');
    abdm_jw_kv(&w, "sessionStatus", transferred ? "TRANSFERRED" : "FAILED");
    abdm_jw_kv(&w, "hipId", hip_id);
    abdm_jw_key(&w, "statusResponses");
    abdm_jw_open(&w, '[');
    for (size_t i = 0; i < n; i++)
        write_context_status(&w, &contexts[i]);
    abdm_jw_close(&w, ']');
    abdm_jw_close(&w, '}');

    abdm_jw_close(&w, '}');
    abdm_jw_close(&w, '}');
}


static abdm_err_t
checksum_read(abdm_source_t *s, void *out, size_t cap, size_t *got)
{
    checksum_source_t *c = (checksum_source_t *) s;
    size_t n = CHECKSUM_TEXT - c->at;

    if (c->at == 0)
        abdm_base64_encode(c->md5, MD5_BYTES, c->text);
    if (n > cap)
        n = cap;
    memcpy(out, c->text + c->at, n);
    c->at += n;
    *got = n;
    return ABDM_NO_ERR;
}


static void
checksum_close(abdm_source_t *s)
{
    free(s);
}


static abdm_source_t *
checksum_new(const uint8_t *md5)
{
    checksum_source_t *c = calloc(1, sizeof *c);

    if (c == NULL)
        return NULL;
    c->base = (abdm_source_t){CHECKSUM_TEXT, checksum_read, checksum_close, NULL};
    c->md5 = md5;
    return &c->base;
}


static void
write_key_material(abdm_jw_t *w, const abdm_push_page_t *page)
{
    char expiry[ABDM_TIME_TEXT];

    abdm_time_format(page->key_expiry, expiry);
    abdm_jw_open(w, '{');
    abdm_jw_kv(w, "cryptoAlg", "ECDH");
    abdm_jw_kv(w, "curve", page->curve);
    abdm_jw_key(w, "dhPublicKey");
    abdm_jw_open(w, '{');
    abdm_jw_kv(w, "expiry", expiry);
    abdm_jw_kv(w, "parameters", "Curve25519/32byte random key");
    abdm_jw_kv(w, "keyValue", page->public_key);
    abdm_jw_close(w, '}');
    abdm_jw_kv(w, "nonce", page->nonce);
    abdm_jw_close(w, '}');
}


/* Leaves the writer behind a value that comes from elsewhere: its opening quote stands at the
 * end of the piece so far, its closing one at the start of `next`. */
static void
leave_gap(abdm_jw_t *w, abdm_buf_t *next)
{
    abdm_buf_add(w->out, "\"", 1);
    abdm_buf_add(next, "\"", 1);
    w->out = next;
    w->comma = true;
}


abdm_err_t
abdm_out_push(const abdm_push_page_t *page, abdm_source_t *content, const uint8_t *md5,
              abdm_source_t **out)
{
    abdm_buf_t head = {0}, middle = {0}, tail = {0};
    abdm_jw_t w;

    abdm_jw_begin(&w, &head);
    abdm_jw_open(&w, '{');
    abdm_jw_key(&w, "pageNumber");
    abdm_jw_int(&w, page->page_number);
    abdm_jw_key(&w, "pageCount");
    abdm_jw_int(&w, page->page_count);
    abdm_jw_kv(&w, "transactionId", page->transaction_id);
    abdm_jw_key(&w, "entries");
    abdm_jw_open(&w, '[');
    abdm_jw_open(&w, '{');
    abdm_jw_key(&w, "content");
    leave_gap(&w, &middle);
    abdm_jw_kv(&w, "media", "application/fhir+json");
    abdm_jw_key(&w, "checksum");
    leave_gap(&w, &tail);
    abdm_jw_kv(&w, "careContextReference", page->care_context_ref);
    abdm_jw_close(&w, '}');
    abdm_jw_close(&w, ']');
    abdm_jw_key(&w, "keyMaterial");
    write_key_material(&w, page);
    abdm_jw_close(&w, '}');

    abdm_source_t *parts[] = {
        abdm_source_take_buf(&head), content,
        abdm_source_take_buf(&middle), checksum_new(md5),
        abdm_source_take_buf(&tail),
    };
    *out = abdm_source_concat(parts, sizeof parts / sizeof parts[0]);
    return *out == NULL ? ABDM_ERR(MEMORY, "push: its body") : ABDM_NO_ERR;
}
