/*
 * Borrowed strings and growing byte buffers. Growing copies and wipes instead of calling
 * realloc, so that a secret written into a buffer leaves no stale copy on the heap.
 */
#include "core/buf.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MIN_CAP = 128 };


abdm_str_t
abdm_str(const char *z)
{
    return z == NULL ? ABDM_LIT("") : (abdm_str_t){z, strlen(z)};
}


bool
abdm_str_eq(abdm_str_t a, abdm_str_t b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}


static unsigned char
fold(char c)
{
    return (unsigned char) (c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}


bool
abdm_str_ieq(abdm_str_t a, abdm_str_t b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++) {
        if (fold(a.p[i]) != fold(b.p[i]))
            return false;
    }
    return true;
}


bool
abdm_str_starts(abdm_str_t s, abdm_str_t prefix)
{
    return s.len >= prefix.len && abdm_str_eq((abdm_str_t){s.p, prefix.len}, prefix);
}


char *
abdm_str_dup(abdm_str_t s)
{
    if (s.len == SIZE_MAX)
        return NULL;
    char *z = malloc(s.len + 1);
    if (z == NULL)
        return NULL;
    if (s.len > 0)
        memcpy(z, s.p, s.len);
    z[s.len] = '\0';
    return z;
}


bool
abdm_secret_eq(abdm_str_t a, abdm_str_t b)
{
    return a.len == b.len && (a.len == 0 || CRYPTO_memcmp(a.p, b.p, a.len) == 0);
}


void
abdm_wipe(void *p, size_t len)
{
    if (p != NULL && len > 0)
        OPENSSL_cleanse(p, len);
}


void
abdm_buf_free(abdm_buf_t *b)
{
    free(b->p);
    *b = (abdm_buf_t){0};
}


void
abdm_buf_wipe_free(abdm_buf_t *b)
{
    abdm_wipe(b->p, b->cap);
    abdm_buf_free(b);
}


bool
abdm_buf_reserve(abdm_buf_t *b, size_t more)
{
    if (b->failed)
        return false;
    if (b->cap > b->len && more < b->cap - b->len) /* one byte is kept for a terminator */
        return true;
    if (more > SIZE_MAX / 2 - 1 - b->len) {
        b->failed = true;
        return false;
    }

    size_t cap = b->cap < MIN_CAP ? MIN_CAP : b->cap;
    while (cap < b->len + more + 1)
        cap = cap > SIZE_MAX / 2 ? b->len + more + 1 : cap * 2;

    char *p = malloc(cap);
    if (p == NULL) {
        b->failed = true;
        return false;
    }
    if (b->len > 0) {
        memcpy(p, b->p, b->len);
        abdm_wipe(b->p, b->len);
    }
    free(b->p);
    b->p = p;
    b->cap = cap;
    return true;
}


void
abdm_buf_add(abdm_buf_t *b, const void *p, size_t len)
{
    if (len == 0 || !abdm_buf_reserve(b, len))
        return;
    memcpy(b->p + b->len, p, len);
    b->len += len;
}


void
abdm_buf_add_str(abdm_buf_t *b, abdm_str_t s)
{
    abdm_buf_add(b, s.p, s.len);
}


void
abdm_buf_addz(abdm_buf_t *b, const char *z)
{
    abdm_buf_add_str(b, abdm_str(z));
}


void
abdm_buf_addf(abdm_buf_t *b, const char *fmt, ...)
{
    va_list args, again;

    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (n < 0)
        b->failed = true;
    else if (abdm_buf_reserve(b, (size_t) n)) {
        vsnprintf(b->p + b->len, (size_t) n + 1, fmt, again);
        b->len += (size_t) n;
    }
    va_end(again);
}


abdm_str_t
abdm_buf_str(const abdm_buf_t *b)
{
    return b->len == 0 ? ABDM_LIT("") : (abdm_str_t){b->p, b->len};
}


char *
abdm_buf_take(abdm_buf_t *b)
{
    if (!abdm_buf_reserve(b, 0)) {
        abdm_buf_wipe_free(b);
        return NULL;
    }
    char *z = b->p;
    z[b->len] = '\0';
    *b = (abdm_buf_t){0};
    return z;
}
