/*
 * JSON reading and writing. The reader scans the text once before jansson sees it: depth, width
 * and the number of values are bounded there, and with them jansson's recursion and its memory,
 * as "{}," of 3 bytes becomes an object of 210.
 * Rules beyond RFC 8259: no duplicate members, no NUL, nothing behind the value.
 */
#include "core/json.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 128, SEGMENT_MAX = 64 };


/* Skips the string that starts at p (its opening quote); gives the byte after its end. Whether
 * the escapes are right is jansson's to say. */
static const char *
skip_string(const char *p, const char *end)
{
    for (p++; p < end && *p != '"'; p++) {
        if (*p == '\\' && end - p > 1)
            p++;
    }
    return p < end ? p + 1 : end;
}


static abdm_err_t
check_limits(const char *p, size_t len, int max_depth)
{
    const char *end = p + len;
    int commas[DEPTH_MAX + 1]; /* of the open object at each depth; lists are not counted */
    bool object[DEPTH_MAX + 1];
    int depth = 0, values = 0;

    object[0] = false;
    while (p < end) {
        switch (*p) {
        case '"':
            p = skip_string(p, end);
            continue;
        case '{':
        case '[':
            if (++depth > max_depth)
                return ABDM_ERR(JSON_LIMIT, "JSON: nested too deeply");
            values++;
            object[depth] = *p == '{';
            commas[depth] = 0;
            break;
        case '}':
        case ']':
            if (--depth < 0)
                return ABDM_ERR(JSON, "JSON: a bracket closes what was not opened");
            break;
        case ',':
            if (object[depth] && ++commas[depth] >= ABDM_JSON_MEMBERS)
                return ABDM_ERR(JSON_LIMIT, "JSON: an object has too many members");
            values++;
            break;
        case '\0':
            return ABDM_ERR(JSON, "JSON: a NUL byte");
        default:
            break;
        }
        if (values > ABDM_JSON_VALUES)
            return ABDM_ERR(JSON_LIMIT, "JSON: too many values");
        p++;
    }
    return ABDM_NO_ERR;
}


static abdm_err_t
parse_error(const json_error_t *e)
{
    switch (json_error_code(e)) {
    case json_error_out_of_memory:
        return ABDM_ERR(MEMORY, "JSON: building the value");
    case json_error_duplicate_key:
        return ABDM_ERR(JSON, "JSON: an object has the same member twice");
    case json_error_invalid_utf8:
        return ABDM_ERR(JSON, "JSON: not UTF-8");
    case json_error_null_character:
    case json_error_null_byte_in_key:
        return ABDM_ERR(JSON, "JSON: a NUL character in a string");
    case json_error_end_of_input_expected:
        return ABDM_ERR(JSON, "JSON: bytes after the value");
    case json_error_premature_end_of_input:
        return ABDM_ERR(JSON, "JSON: the value is cut off");
    case json_error_numeric_overflow:
        return ABDM_ERR(JSON_LIMIT, "JSON: a number out of range");
    case json_error_stack_overflow:
        return ABDM_ERR(JSON_LIMIT, "JSON: nested too deeply");
    default:
        return ABDM_ERR(JSON, "JSON: not well-formed");
    }
}


abdm_err_t
abdm_json_parse(const char *p, size_t len, int max_depth, json_t **out)
{
    json_error_t e;

    *out = NULL;
    if (p == NULL || len == 0)
        return ABDM_ERR(JSON, "JSON: empty");
    if (max_depth < 0 || max_depth > DEPTH_MAX)
        return ABDM_ERR(INTERNAL, "JSON: depth limit out of range");
    ABDM_TRY(check_limits(p, len, max_depth));

    *out = json_loadb(p, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &e);
    return *out == NULL ? parse_error(&e) : ABDM_NO_ERR;
}


/* A list's element by a segment of digits. */
static json_t *
element(const json_t *list, const char *segment)
{
    char *end;

    if (*segment < '0' || *segment > '9')
        return NULL;
    unsigned long i = strtoul(segment, &end, 10);
    return *end == '\0' ? json_array_get(list, i) : NULL;
}


json_t *
abdm_json_at(const json_t *root, const char *path)
{
    char segment[SEGMENT_MAX];

    while (root != NULL && *path != '\0') {
        size_t n = strcspn(path, ".");
        if (n >= sizeof segment)
            return NULL;
        memcpy(segment, path, n);
        segment[n] = '\0';
        path += n;
        if (*path == '.')
            path++;
        root = json_is_array(root) ? element(root, segment) : json_object_get(root, segment);
    }
    return json_is_null(root) ? NULL : (json_t *) root;
}


const char *
abdm_json_string_at(const json_t *root, const char *path)
{
    const char *z = json_string_value(abdm_json_at(root, path));

    return z == NULL || *z == '\0' ? NULL : z;
}


bool
abdm_json_int_at(const json_t *root, const char *path, int64_t *out)
{
    const json_t *v = abdm_json_at(root, path);

    if (json_is_integer(v)) {
        *out = json_integer_value(v);
        return true;
    }
    const char *z = json_string_value(v);
    if (z == NULL)
        return false;

    const char *first = *z == '-' ? z + 1 : z;
    size_t n = strspn(first, "0123456789");
    if (n == 0 || first[n] != '\0')
        return false;
    errno = 0;
    long long value = strtoll(z, NULL, 10);
    if (errno != 0)
        return false;
    *out = value;
    return true;
}


void
abdm_jw_begin(abdm_jw_t *w, abdm_buf_t *out)
{
    *w = (abdm_jw_t){out, false};
}


/* Each value and each key passes here: the comma before it, and the memory of it. */
static void
separate(abdm_jw_t *w)
{
    if (w->comma)
        abdm_buf_add(w->out, ",", 1);
    w->comma = true;
}


void
abdm_jw_open(abdm_jw_t *w, char bracket)
{
    separate(w);
    abdm_buf_add(w->out, &bracket, 1);
    w->comma = false;
}


void
abdm_jw_close(abdm_jw_t *w, char bracket)
{
    abdm_buf_add(w->out, &bracket, 1);
    w->comma = true;
}


/* Length of the well-formed UTF-8 sequence at p (RFC 3629: no overlong, no surrogate), or 0. */
static size_t
utf8_len(const unsigned char *p, size_t left)
{
    unsigned char c = p[0];
    unsigned char low = 0x80, high = 0xbf;
    size_t n;

    if (c < 0x80)
        return 1;
    if (c >= 0xc2 && c <= 0xdf)
        n = 2;
    else if (c >= 0xe0 && c <= 0xef)
        n = 3;
    else if (c >= 0xf0 && c <= 0xf4)
        n = 4;
    else
        return 0;
    if (c == 0xe0)
        low = 0xa0;
    if (c == 0xed)
        high = 0x9f;
    if (c == 0xf0)
        low = 0x90;
    if (c == 0xf4)
        high = 0x8f;
    if (left < n || p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < n; i++) {
        if (p[i] < 0x80 || p[i] > 0xbf)
            return 0;
    }
    return n;
}


static void
escape_byte(abdm_buf_t *out, unsigned char c)
{
    static const char letters[] = "\"\"\\\\\bb\ff\nn\rr\tt"; /* pairs: byte, letter */

    for (const char *p = letters; *p != '\0'; p += 2) {
        if ((unsigned char) p[0] == c) {
            abdm_buf_add(out, "\\", 1);
            abdm_buf_add(out, p + 1, 1);
            return;
        }
    }
    abdm_buf_addf(out, "\\u%04x", c);
}


static void
add_quoted(abdm_buf_t *out, abdm_str_t s)
{
    const unsigned char *p = (const unsigned char *) s.p;
    size_t from = 0, i = 0;

    abdm_buf_add(out, "\"", 1);
    while (i < s.len) {
        bool special = p[i] < 0x20 || p[i] == '"' || p[i] == '\\';
        size_t n = special ? 0 : utf8_len(p + i, s.len - i);
        if (n > 0) {
            i += n;
            continue;
        }
        abdm_buf_add(out, p + from, i - from);
        if (special)
            escape_byte(out, p[i]);
        else
            abdm_buf_addz(out, "\xef\xbf\xbd");
        from = ++i;
    }
    if (i > from)
        abdm_buf_add(out, p + from, i - from);
    abdm_buf_add(out, "\"", 1);
}


void
abdm_jw_key(abdm_jw_t *w, const char *key)
{
    separate(w);
    add_quoted(w->out, abdm_str(key));
    abdm_buf_add(w->out, ":", 1);
    w->comma = false;
}


void
abdm_jw_str(abdm_jw_t *w, abdm_str_t value)
{
    separate(w);
    add_quoted(w->out, value);
}


void
abdm_jw_strz(abdm_jw_t *w, const char *value)
{
    abdm_jw_str(w, abdm_str(value));
}


void
abdm_jw_int(abdm_jw_t *w, int64_t value)
{
    separate(w);
    abdm_buf_addf(w->out, "%lld", (long long) value);
}


void
abdm_jw_bool(abdm_jw_t *w, bool value)
{
    separate(w);
    abdm_buf_addz(w->out, value ? "true" : "false");
}


void
abdm_jw_null(abdm_jw_t *w)
{
    separate(w);
    abdm_buf_addz(w->out, "null");
}


/* The shortest text that reads back as the same number: 0.1 stays 0.1. */
static void
write_real(abdm_jw_t *w, double v)
{
    char text[40];

    if (!isfinite(v)) {
        abdm_jw_null(w);
        return;
    }
    for (int precision = 15; precision <= 17; precision++) {
        snprintf(text, sizeof text, "%.*g", precision, v);
        if (strtod(text, NULL) == v)
            break;
    }
    for (char *p = text; *p != '\0'; p++) {
        if (*p == ',') /* a host program may have set a locale */
            *p = '.';
    }
    separate(w);
    abdm_buf_addz(w->out, text);
    if (strpbrk(text, ".e") == NULL)
        abdm_buf_addz(w->out, ".0"); /* a decimal stays one when it is read again */
}


void
abdm_jw_json(abdm_jw_t *w, const json_t *value)
{
    const char *key;
    json_t *item;
    size_t i;

    switch (value == NULL ? JSON_NULL : json_typeof(value)) {
    case JSON_OBJECT:
        abdm_jw_open(w, '{');
        json_object_foreach((json_t *) value, key, item) {
            abdm_jw_key(w, key);
            abdm_jw_json(w, item);
        }
        abdm_jw_close(w, '}');
        break;
    case JSON_ARRAY:
        abdm_jw_open(w, '[');
        json_array_foreach(value, i, item) {
            abdm_jw_json(w, item);
        }
        abdm_jw_close(w, ']');
        break;
    case JSON_STRING:
        abdm_jw_str(w, (abdm_str_t){json_string_value(value), json_string_length(value)});
        break;
    case JSON_INTEGER:
        abdm_jw_int(w, json_integer_value(value));
        break;
    case JSON_REAL:
        write_real(w, json_real_value(value));
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        abdm_jw_bool(w, json_is_true(value));
        break;
    case JSON_NULL:
        abdm_jw_null(w);
        break;
    }
}


void
abdm_jw_kv(abdm_jw_t *w, const char *key, const char *value)
{
    abdm_jw_key(w, key);
    abdm_jw_strz(w, value);
}
