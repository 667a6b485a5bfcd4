/*
 * What the fuzz targets share. A target reads one input, calls the parser, and states with NEED
 * what must hold of every answer; a broken promise ends the program as a crash does, so that
 * libFuzzer keeps the input. Structured inputs are lines of text, so that seeds can be written
 * by hand and a dictionary can help.
 */
#ifndef T_FUZZ_FUZZ_H
#define T_FUZZ_FUZZ_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/err.h"

#define NEED(promise)                                                                              \
    do {                                                                                           \
        if (!(promise)) {                                                                          \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #promise);           \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The input as text, on the heap with its exact size, so that reading beyond it is found. */
static inline abdm_str_t
fuzz_text(const uint8_t *data, size_t size)
{
    return (abdm_str_t){(const char *) data, size};
}


/* The text up to the next line end, which is taken off too; all of it when there is none. */
static inline abdm_str_t
fuzz_line(abdm_str_t *rest)
{
    const char *end = rest->len == 0 ? NULL : memchr(rest->p, '\n', rest->len);
    size_t len = end == NULL ? rest->len : (size_t) (end - rest->p);
    abdm_str_t line = {rest->p, len};

    rest->p += len + (end != NULL);
    rest->len -= len + (end != NULL);
    return line;
}


/* Terminated copy, cut at a NUL as C strings are; the caller frees. */
static inline char *
fuzz_z(abdm_str_t s)
{
    char *z = abdm_str_dup(s);

    NEED(z != NULL);
    return z;
}


/* The first character decides what is done with the rest; 0 for an empty input. */
static inline char
fuzz_choice(abdm_str_t *rest)
{
    if (rest->len == 0)
        return 0;
    rest->p++;
    rest->len--;
    return rest->p[-1];
}


/* No failure of OpenSSL may stay behind: nginx would report it at its next TLS operation. */
unsigned long ERR_peek_error(void);

#define NEED_NO_SSL_ERROR() NEED(ERR_peek_error() == 0)

#endif
