/*
 * Inside the builder: the model of one document, which is planned before its first byte is
 * written (the Composition stands first and names all others), and what the row functions use.
 */
#ifndef ABDM_FHIR_BUILD_H
#define ABDM_FHIR_BUILD_H

#include "core/id.h"
#include "core/json.h"
#include "fhir/codes.h"
#include "fhir/dates.h"
#include "fhir/document.h"
#include "fhir/kinds.h"
#include "fhir/profile.h"

#define ABDM_FHIR_URI_SYSTEM "urn:ietf:rfc:3986" /* of identifiers that are URIs */

enum {
    ABDM_FHIR_URN = sizeof "urn:uuid:" - 1 + ABDM_UUID_TEXT,
    ABDM_FHIR_TEXT = 48, /* of a number as text */
};

/* --- the model --- */

/* One resource to be. */
typedef struct {
    const abdm_kind_t *kind;
    const json_t *item; /* NULL: the record says nothing of it */
    const char *member; /* of the record or of the parent's item; "" for the record itself */
    int index;          /* in the list; -1: it is no list */
    int parent;         /* node; -1: an entry of a section, or a base resource */
    int section;        /* -1: none */
    char urn[ABDM_FHIR_URN];
} abdm_node_t;

enum { ABDM_NODE_PATIENT, ABDM_NODE_ENCOUNTER, ABDM_NODE_ORGANIZATION, ABDM_NODE_BASE };

typedef struct {
    const abdm_document_about_t *about;
    const abdm_fhir_profile_t *profile;
    abdm_record_problem_t *problem;
    abdm_node_t *nodes; /* owned; the base ones first, then the practitioners */
    int n, cap;
    int n_practitioners;
    char bundle[ABDM_FHIR_URN];
    char composition[ABDM_FHIR_URN];
} abdm_model_t;

/* Plans document `index`. Clear also after failure. */
abdm_err_t abdm_model_plan(const abdm_document_about_t *about, size_t index, bool with_file,
                           abdm_record_problem_t *problem, abdm_model_t *m);
void abdm_model_clear(abdm_model_t *m);

/* The name space of the ids of all documents of the record. */
abdm_err_t abdm_record_space(const abdm_document_about_t *about, char space[ABDM_UUID_TEXT]);

/* Member of an object under the first of `names` that is there and not null; *name gets it. */
const json_t *abdm_member(const json_t *object, const char *const names[ABDM_ROW_NAMES],
                          const char **name);

/* Text of a string or number; NULL when it is blank or neither. Borrowed from value or `small`. */
const char *abdm_text(const json_t *value, char small[ABDM_FHIR_TEXT]);

/* Text at `path`, or NULL when it is absent or blank. Borrowed. */
const char *abdm_fhir_text_at(const json_t *record, const char *path);

/* --- the builder --- */

/* A place in the text where the base64 of a file goes. */
typedef struct {
    size_t at;
    abdm_str_t base64; /* borrowed from the record; empty: the file of abdm_document_wrap */
} abdm_hole_t;

struct abdm_build_s {
    abdm_jw_t w;
    abdm_buf_t text;
    abdm_model_t model;
    const abdm_document_about_t *about;
    abdm_record_rules_t rules; /* with their defaults */
    abdm_record_problem_t *problem;
    const abdm_node_t *node;   /* being written */
    const json_t *values[ABDM_ROWS_MAX]; /* of the rows of its kind; NULL: absent */
    const char *names[ABDM_ROWS_MAX];    /* as the record spells them */
    char date[ABDM_FHIR_DATE];      /* of the record, dateTime */
    char timestamp[ABDM_FHIR_DATE]; /* the same as an instant */
    char patient[ABDM_FHIR_URN + 20]; /* {"reference":"..."} */
    char encounter[ABDM_FHIR_URN + 20];
    char author[ABDM_FHIR_URN + 20];
    char organization[ABDM_FHIR_URN + 20];
    abdm_hole_t *holes; /* owned */
    size_t n_holes, cap_holes;
    bool has_file, file_used;
    uint64_t file_length;
    const uint8_t *head;
    size_t head_len;
};

/* Gives `err` with the pointer to member `name` of the node (NULL: to the node itself). */
abdm_err_t abdm_build_fail(abdm_build_t *b, const char *name, abdm_err_t err);
abdm_err_t abdm_model_fail(abdm_model_t *m, const abdm_node_t *node, const char *name,
                           abdm_err_t err);

/* Reads `item` by the rows of a kind into b->values, counting what no row reads. A text in place
 * of an object is the value of the first row. */
void abdm_build_read(abdm_build_t *b, const json_t *item, const abdm_row_t *rows, size_t n);

/* Writes the elements of all rows. */
abdm_err_t abdm_build_rows(abdm_build_t *b, const abdm_row_t *rows, size_t n);

abdm_err_t abdm_build_composition(abdm_build_t *b);

/* Settles date, patient and references before anything is written. */
abdm_err_t abdm_build_settle(abdm_build_t *b);

#endif
