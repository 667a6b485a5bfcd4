/*
 * The poster of a counter: a page to print, with the QR code and what the patient does, in English
 * and Hindi. SVG, so that it is sharp on every size of paper.
 */
#ifndef ABDM_CLI_POSTER_H
#define ABDM_CLI_POSTER_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Squares of the code without its margin, row by row; 1 is dark. */
typedef struct {
    const uint8_t *dark;
    int side;
} abdm_poster_code_t;

/* All UTF-8 without control characters. */
typedef struct {
    const char *name;    /* of the hospital; NULL: none */
    const char *title;   /* of the counter; NULL: none */
    const char *facility;
    const char *counter;
    const char *url;     /* what the code says */
} abdm_poster_text_t;

/* Does `text` fit in its place: the name, or else the title? */
bool abdm_poster_fits(const char *text, bool is_name);

/* Texts must fit. Errors are those of the stream. */
void abdm_poster_write(FILE *to, const abdm_poster_code_t *code, const abdm_poster_text_t *text);

#endif
