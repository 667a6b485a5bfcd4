/*
 * Sources: bytes of a buffer, several sources in a row, and base64 of another source. Bytes
 * may be clinical, so what was held in memory is wiped when a source is closed.
 */
#include "core/source.h"

#include <stdlib.h>
#include <string.h>

enum {
    BASE64_IN = 12288, /* a multiple of 3, so that padding comes only at the end */
    BASE64_OUT = BASE64_IN / 3 * 4,
    READ_STEP = 16384,
};

typedef struct {
    abdm_source_t base;
    abdm_buf_t bytes;
    size_t at;
} buf_source_t;

typedef struct {
    abdm_source_t base;
    abdm_source_t **parts; /* owned */
    size_t n;
    size_t at;
} concat_source_t;

typedef struct {
    abdm_source_t base;
    abdm_source_t *in; /* owned */
    uint64_t taken;    /* bytes read from `in` */
    size_t at;         /* out[at..len) waits to be given */
    size_t len;
    uint8_t raw[BASE64_IN];
    char out[BASE64_OUT];
} base64_source_t;


void
abdm_source_close(abdm_source_t *s)
{
    if (s != NULL)
        s->close(s);
}


static abdm_err_t
buf_read(abdm_source_t *s, void *out, size_t cap, size_t *got)
{
    buf_source_t *b = (buf_source_t *) s;
    size_t n = b->bytes.len - b->at;

    if (n > cap)
        n = cap;
    if (n > 0)
        memcpy(out, b->bytes.p + b->at, n);
    b->at += n;
    *got = n;
    return ABDM_NO_ERR;
}


static void
buf_rewind(abdm_source_t *s)
{
    ((buf_source_t *) s)->at = 0;
}


static void
buf_close(abdm_source_t *s)
{
    buf_source_t *b = (buf_source_t *) s;

    abdm_buf_wipe_free(&b->bytes);
    free(b);
}


abdm_source_t *
abdm_source_take_buf(abdm_buf_t *b)
{
    buf_source_t *s = b->failed ? NULL : calloc(1, sizeof *s);

    if (s == NULL) {
        abdm_buf_wipe_free(b);
        return NULL;
    }
    s->base = (abdm_source_t){b->len, buf_read, buf_close, buf_rewind};
    s->bytes = *b;
    *b = (abdm_buf_t){0};
    return &s->base;
}


static abdm_err_t
concat_read(abdm_source_t *s, void *out, size_t cap, size_t *got)
{
    concat_source_t *c = (concat_source_t *) s;

    for (*got = 0; c->at < c->n; c->at++) {
        ABDM_TRY(c->parts[c->at]->read(c->parts[c->at], out, cap, got));
        if (*got > 0)
            break;
    }
    return ABDM_NO_ERR;
}


static void
concat_close(abdm_source_t *s)
{
    concat_source_t *c = (concat_source_t *) s;

    for (size_t i = 0; i < c->n; i++)
        abdm_source_close(c->parts[i]);
    free(c->parts);
    free(c);
}


abdm_source_t *
abdm_source_concat(abdm_source_t **parts, size_t n)
{
    concat_source_t *c = calloc(1, sizeof *c);
    abdm_source_t **own = calloc(n == 0 ? 1 : n, sizeof *own);
    uint64_t length = 0;
    bool ok = c != NULL && own != NULL;

    for (size_t i = 0; ok && i < n; i++) {
        ok = parts[i] != NULL && !__builtin_add_overflow(length, parts[i]->length, &length);
        own[i] = parts[i];
    }
    if (!ok) {
        for (size_t i = 0; i < n; i++)
            abdm_source_close(parts[i]);
        free(own);
        free(c);
        return NULL;
    }
    c->base = (abdm_source_t){length, concat_read, concat_close, NULL};
    c->parts = own;
    c->n = n;
    return &c->base;
}


/* Fills `raw` from the inner source: short only at its end. */
static abdm_err_t
base64_fill(base64_source_t *b, size_t *len)
{
    size_t n = 0, got;

    while (n < sizeof b->raw) {
        ABDM_TRY(b->in->read(b->in, b->raw + n, sizeof b->raw - n, &got));
        if (got == 0)
            break;
        n += got;
    }
    b->taken += n;
    if (b->taken > b->in->length || (n < sizeof b->raw && b->taken != b->in->length))
        return ABDM_ERR(INTERNAL, "source: it gave another number of bytes than its length");
    *len = n;
    return ABDM_NO_ERR;
}


static abdm_err_t
base64_read(abdm_source_t *s, void *out, size_t cap, size_t *got)
{
    base64_source_t *b = (base64_source_t *) s;
    size_t n;

    *got = 0;
    if (b->at == b->len) {
        ABDM_TRY(base64_fill(b, &n));
        b->at = 0;
        b->len = abdm_base64_encode(b->raw, n, b->out);
    }
    n = b->len - b->at;
    if (n > cap)
        n = cap;
    memcpy(out, b->out + b->at, n);
    b->at += n;
    *got = n;
    return ABDM_NO_ERR;
}


static void
base64_close(abdm_source_t *s)
{
    base64_source_t *b = (base64_source_t *) s;

    abdm_source_close(b->in);
    abdm_wipe(b, sizeof *b);
    free(b);
}


abdm_source_t *
abdm_source_base64(abdm_source_t *in)
{
    base64_source_t *b = NULL;

    if (in != NULL && in->length <= UINT64_MAX / 4 * 3 - 3)
        b = malloc(sizeof *b);
    if (b == NULL) {
        abdm_source_close(in);
        return NULL;
    }
    b->base = (abdm_source_t){(in->length + 2) / 3 * 4, base64_read, base64_close, NULL};
    b->in = in;
    b->taken = 0;
    b->at = b->len = 0;
    return &b->base;
}


abdm_err_t
abdm_source_read_all(abdm_source_t *s, size_t max, abdm_buf_t *out)
{
    size_t total = 0, got;

    if (s->length > max)
        return ABDM_ERR(ANSWER_TOO_LARGE, "source: longer than the limit of its reader");
    for (;;) {
        if (!abdm_buf_reserve(out, READ_STEP))
            return ABDM_ERR(MEMORY, "source: buffer for its bytes");
        ABDM_TRY(s->read(s, out->p + out->len, READ_STEP, &got));
        if (got == 0)
            return ABDM_NO_ERR;
        total += got;
        if (total > max)
            return ABDM_ERR(ANSWER_TOO_LARGE, "source: longer than the limit of its reader");
        out->len += got;
    }
}
