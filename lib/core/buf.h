/*
 * Borrowed strings and growing byte buffers. A buffer that ran out of memory stays failed
 * and ignores further appends, so a writer checks once at the end.
 */
#ifndef ABDM_CORE_BUF_H
#define ABDM_CORE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    const char *p; /* borrowed, not terminated */
    size_t len;
} abdm_str_t;

#define ABDM_LIT(s) ((abdm_str_t){(s), sizeof(s) - 1})

abdm_str_t abdm_str(const char *z); /* of a terminated string; NULL gives the empty one */
bool abdm_str_eq(abdm_str_t a, abdm_str_t b);
bool abdm_str_ieq(abdm_str_t a, abdm_str_t b); /* ASCII case folded */
bool abdm_str_starts(abdm_str_t s, abdm_str_t prefix);
char *abdm_str_dup(abdm_str_t s); /* terminated copy, caller frees; NULL on no memory */

/* Compares secrets of equal length in constant time; unequal lengths are unequal. */
bool abdm_secret_eq(abdm_str_t a, abdm_str_t b);
void abdm_wipe(void *p, size_t len);

typedef struct {
    char *p; /* owned */
    size_t len;
    size_t cap;
    bool failed;
} abdm_buf_t;

void abdm_buf_free(abdm_buf_t *b);
void abdm_buf_wipe_free(abdm_buf_t *b); /* for what is secret */
bool abdm_buf_reserve(abdm_buf_t *b, size_t more); /* room for `more` bytes and a terminator */
void abdm_buf_add(abdm_buf_t *b, const void *p, size_t len);
void abdm_buf_add_str(abdm_buf_t *b, abdm_str_t s);
void abdm_buf_addz(abdm_buf_t *b, const char *z);
void abdm_buf_addf(abdm_buf_t *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
abdm_str_t abdm_buf_str(const abdm_buf_t *b);
/* Terminated; caller frees; `b` is empty afterwards. NULL when the buffer failed (b is freed). */
char *abdm_buf_take(abdm_buf_t *b);

/* base64, standard alphabet with padding; decoding is strict (no white space, no url form). */
size_t abdm_base64_len(size_t n);
size_t abdm_base64_encode(const void *in, size_t n, char *out); /* returns length, no terminator */
bool abdm_base64_decode(abdm_str_t in, uint8_t *out, size_t cap, size_t *len);
bool abdm_base64url_decode(abdm_str_t in, uint8_t *out, size_t cap, size_t *len); /* no padding */

#endif
