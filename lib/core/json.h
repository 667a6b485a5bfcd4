/*
 * JSON, read strictly and written append-only. Reading: jansson with duplicate members,
 * trailing bytes, depth and size refused. Fields are read by dotted path so that the error
 * can name them. Writing: the caller writes structure, the writer the commas and escapes.
 */
#ifndef ABDM_CORE_JSON_H
#define ABDM_CORE_JSON_H

#include <jansson.h>

#include "core/buf.h"
#include "core/err.h"

enum {
    ABDM_JSON_DEPTH = 32,     /* callbacks and small answers */
    ABDM_JSON_DEPTH_FHIR = 64,
    ABDM_JSON_MEMBERS = 1024, /* of one object */
    ABDM_JSON_VALUES = 524288, /* of one text: commas and opened brackets */
};

/* Parses one JSON value of any type. *out is owned by the caller (json_decref) and NULL on
 * failure. max_depth is at most 128. E_JSON, E_JSON_LIMIT, E_MEMORY. */
abdm_err_t abdm_json_parse(const char *p, size_t len, int max_depth, json_t **out);

/* Did jansson refuse the text at p, with `e`, for want of memory? It has no word for that: it says
 * nothing, or that a string it has just read is no token. */
bool abdm_json_no_memory(const json_error_t *e, const char *p);

/* The same with every number as the string of its own text, so that 72.50 stays 72.50 and no
 * number is too long. */
abdm_err_t abdm_json_parse_exact(const char *p, size_t len, int max_depth, json_t **out);

/* The same with ABDM_JSON_MARK before each such text, which tells it from a text of the input, as
 * that cannot begin with the mark (E_JSON): for what is changed and written again by
 * abdm_jw_marked, every number as it came. */
#define ABDM_JSON_MARK '\x01'
abdm_err_t abdm_json_parse_marked(const char *p, size_t len, int max_depth, json_t **out);

/* The shortest text that reads back as the same number: 0.1 stays 0.1. */
enum { ABDM_JSON_REAL_TEXT = 40 };
void abdm_json_real_text(double v, char out[ABDM_JSON_REAL_TEXT]);

/* Whether `s` is a number of RFC 8259 and nothing else. */
bool abdm_json_is_number(abdm_str_t s);

/* Value at "a.b.c" below `root`, or NULL when absent or JSON null. Borrowed. A segment of
 * digits is an index where the value is a list ("entry.0.link"); segments are below 64 bytes. */
json_t *abdm_json_at(const json_t *root, const char *path);

/* String at `path`: NULL when absent, null, "" or not a string. Borrowed. */
const char *abdm_json_string_at(const json_t *root, const char *path);

/* Integer at `path`, given as number or as digits in a string (both are seen on the wire). A
 * number with a fraction or an exponent is none. */
bool abdm_json_int_at(const json_t *root, const char *path, int64_t *out);

/* --- writer --- */
typedef struct {
    abdm_buf_t *out; /* borrowed */
    bool comma;      /* a value stands before in this container */
    bool no_controls; /* FHIR's texts have none but tab and line ends: U+FFFD stands for others */
} abdm_jw_t;

void abdm_jw_begin(abdm_jw_t *w, abdm_buf_t *out);
void abdm_jw_open(abdm_jw_t *w, char bracket); /* '{' or '[' */
void abdm_jw_close(abdm_jw_t *w, char bracket); /* '}' or ']' */
void abdm_jw_key(abdm_jw_t *w, const char *key);
void abdm_jw_str(abdm_jw_t *w, abdm_str_t value); /* escapes; invalid UTF-8 becomes U+FFFD */
void abdm_jw_strz(abdm_jw_t *w, const char *value);
/* One value, or members with their commas between, that are JSON already. */
void abdm_jw_raw(abdm_jw_t *w, abdm_str_t json);
void abdm_jw_int(abdm_jw_t *w, int64_t value);
void abdm_jw_bool(abdm_jw_t *w, bool value);
void abdm_jw_null(abdm_jw_t *w);
/* Compact, members in their order, decimals in the shortest text that reads back the same. */
void abdm_jw_json(abdm_jw_t *w, const json_t *value);
void abdm_jw_marked(abdm_jw_t *w, const json_t *value); /* of abdm_json_parse_marked */
void abdm_jw_kv(abdm_jw_t *w, const char *key, const char *value); /* key and terminated string */

#endif
