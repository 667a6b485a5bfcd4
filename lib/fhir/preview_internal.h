/* Between the files of the preview only. */
#ifndef ABDM_FHIR_PREVIEW_INTERNAL_H
#define ABDM_FHIR_PREVIEW_INTERNAL_H

#include <jansson.h>

#include "core/buf.h"

typedef struct {
    abdm_buf_t *out;
    json_t *index;  /* fullUrl and "Type/id" → the resource's place */
    json_t *list;   /* all resources; borrowed members */
    bool *shown;    /* by place */
    unsigned files; /* attachments so far */
    unsigned depth; /* of resources shown within resources */
} abdm_preview_t;

/* --- preview_value.c --- */
void abdm_preview_text(abdm_preview_t *p, const char *text); /* escaped */
/* The text of an XHTML div, without its markup, escaped. */
void abdm_preview_narrative(abdm_preview_t *p, const char *xhtml);
/* A value of any type, inline where it is short. */
void abdm_preview_value(abdm_preview_t *p, const json_t *value);
/* All members as a list of names and values. */
void abdm_preview_members(abdm_preview_t *p, const json_t *object);
void abdm_preview_attachment(abdm_preview_t *p, const json_t *attachment);
/* A short text that says what a resource is, "" when it has none. Borrowed. */
const char *abdm_preview_label(const json_t *resource);
/* The resource that the reference leads to, or NULL; *place gets its place. */
const json_t *abdm_preview_follow(const abdm_preview_t *p, const json_t *reference, size_t *place);

/* --- preview_resource.c --- */
/* Resources of one type: a table of those that it suits, else one block each. */
void abdm_preview_resources(abdm_preview_t *p, const json_t *const *resources, size_t n);

#endif
