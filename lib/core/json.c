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


bool
abdm_json_no_memory(const json_error_t *e, const char *p)
{
    static const char no_token[] = "invalid token", no_key[] = "string or '}' expected";

    if (e->text[0] == '\0')
        return true;
    return e->position > 0 && p[e->position - 1] == '"' &&
           (strncmp(e->text, no_token, sizeof no_token - 1) == 0 ||
            strncmp(e->text, no_key, sizeof no_key - 1) == 0);
}


static abdm_err_t
parse_error(const json_error_t *e, const char *p)
{
    if (abdm_json_no_memory(e, p))
        return ABDM_ERR(MEMORY, "JSON: building the value");
    switch (json_error_code(e)) {
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
    return *out == NULL ? parse_error(&e, p) : ABDM_NO_ERR;
}


/* Length of the number that starts at p, or 0 when none does. */
static size_t
number_len(const char *p, const char *end)
{
    const char *start = p, *from;

    if (p < end && *p == '-')
        p++;
    for (from = p; p < end && *p >= '0' && *p <= '9'; p++)
        continue;
    if (p == from || (*from == '0' && p - from > 1))
        return 0;
    if (p < end && *p == '.') {
        for (from = ++p; p < end && *p >= '0' && *p <= '9'; p++)
            continue;
        if (p == from)
            return 0;
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        p++;
        if (p < end && (*p == '+' || *p == '-'))
            p++;
        for (from = p; p < end && *p >= '0' && *p <= '9'; p++)
            continue;
        if (p == from)
            return 0;
    }
    return (size_t) (p - start);
}


bool
abdm_json_is_number(abdm_str_t s)
{
    return s.len > 0 && number_len(s.p, s.p + s.len) == s.len;
}


/* Copies the text with quotes around its numbers: `quote` is the opening one. Whatever else is wrong is jansson's to say: but
 * for a key, a quoted number where no value belongs is as wrong as a bare one. */
static abdm_err_t
quote_numbers(const char *p, size_t len, const char *quote, abdm_buf_t *out)
{
    const char *end = p + len, *from = p;

    while (p < end) {
        if (*p == '"') {
            p = skip_string(p, end);
        } else if (*p == '-' || (*p >= '0' && *p <= '9')) {
            size_t n = number_len(p, end);
            if (n == 0)
                return ABDM_ERR(JSON, "JSON: a number is not well-formed");
            abdm_buf_add(out, from, (size_t) (p - from));
            abdm_buf_addz(out, quote);
            abdm_buf_add(out, p, n);
            abdm_buf_add(out, "\"", 1);
            p += n;
            from = p;
            while (p < end && (*p == ' ' || *p == '\t' || *p == '\r' || *p == '\n'))
                p++;
            if (p < end && *p == ':')
                return ABDM_ERR(JSON, "JSON: a number in place of a member's name");
        } else {
            p++;
        }
    }
    abdm_buf_add(out, from, (size_t) (p - from));
    return out->failed ? ABDM_ERR(MEMORY, "JSON: its numbers as texts") : ABDM_NO_ERR;
}


static abdm_err_t
parse_quoted(const char *p, size_t len, const char *quote, int max_depth, json_t **out)
{
    abdm_buf_t quoted = {0};
    abdm_err_t err;

    *out = NULL;
    if (p == NULL || len == 0)
        return ABDM_ERR(JSON, "JSON: empty");
    err = quote_numbers(p, len, quote, &quoted);
    if (!abdm_failed(err))
        err = abdm_json_parse(quoted.p, quoted.len, max_depth, out);
    abdm_buf_wipe_free(&quoted);
    return err;
}


abdm_err_t
abdm_json_parse_exact(const char *p, size_t len, int max_depth, json_t **out)
{
    return parse_quoted(p, len, "\"", max_depth, out);
}


abdm_err_t
abdm_json_parse_marked(const char *p, size_t len, int max_depth, json_t **out)
{
    *out = NULL;
    if (p != NULL && memmem(p, len, "\"\\u0001", 7) != NULL)
        return ABDM_ERR(JSON, "JSON: a text begins with a control character");
    return parse_quoted(p, len, "\"\\u0001", max_depth, out);
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
    *w = (abdm_jw_t){.out = out};
}


/* abdm_buf_reserve, with its usual case here: pieces are short and many. */
static inline bool
room(abdm_buf_t *b, size_t more)
{
    return (!b->failed && b->cap > b->len && more < b->cap - b->len) || abdm_buf_reserve(b, more);
}


/* Each value and each key passes here: the comma before it, and the memory of it. */
static void
separate(abdm_jw_t *w)
{
    if (w->comma && room(w->out, 1))
        w->out->p[w->out->len++] = ',';
    w->comma = true;
}


void
abdm_jw_open(abdm_jw_t *w, char bracket)
{
    separate(w);
    if (room(w->out, 1))
        w->out->p[w->out->len++] = bracket;
    w->comma = false;
}


void
abdm_jw_close(abdm_jw_t *w, char bracket)
{
    if (room(w->out, 1))
        w->out->p[w->out->len++] = bracket;
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


/* How many bytes from p on are plain: ASCII that needs no escape. Eight at a time: the highest
 * bit of a byte of `odd` is set where the byte is below 0x20, '"', '\\' or above 0x7f (and at
 * times in the byte after such a one, which costs nothing but a look). */
static size_t
plain_len(const unsigned char *p, size_t len)
{
    const uint64_t ones = 0x0101010101010101, high = 0x8080808080808080;
    size_t i = 0;

    for (; len - i >= 8; i += 8) {
        uint64_t v;
        memcpy(&v, p + i, 8);
        uint64_t quote = v ^ ones * '"', slash = v ^ ones * '\\';
        uint64_t odd = (v | (v - ones * 0x20) | (quote - ones) | (slash - ones)) & high;
        if (odd != 0)
            break;
    }
    while (i < len && p[i] >= 0x20 && p[i] < 0x80 && p[i] != '"' && p[i] != '\\')
        i++;
    return i;
}


static void
add_quoted(abdm_jw_t *w, abdm_str_t s)
{
    abdm_buf_t *out = w->out;
    const unsigned char *p = (const unsigned char *) s.p;
    size_t from = 0, i = plain_len(p, s.len);

    if (i == s.len && room(out, s.len + 2)) {
        char *to = out->p + out->len;
        to[0] = '"';
        if (s.len > 0)
            memcpy(to + 1, s.p, s.len);
        to[s.len + 1] = '"';
        out->len += s.len + 2;
        return;
    }
    abdm_buf_add(out, "\"", 1);
    while (i < s.len) {
        bool special = p[i] < 0x20 || p[i] == '"' || p[i] == '\\';
        size_t n = special ? 0 : utf8_len(p + i, s.len - i);
        if (n > 0) {
            i += n;
            continue;
        }
        abdm_buf_add(out, p + from, i - from);
        bool control = p[i] < 0x20 && p[i] != '\t' && p[i] != '\n' && p[i] != '\r';
        if (special && !(control && w->no_controls))
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
    add_quoted(w, abdm_str(key));
    if (room(w->out, 1))
        w->out->p[w->out->len++] = ':';
    w->comma = false;
}


void
abdm_jw_str(abdm_jw_t *w, abdm_str_t value)
{
    separate(w);
    add_quoted(w, value);
}


void
abdm_jw_raw(abdm_jw_t *w, abdm_str_t json)
{
    separate(w);
    abdm_buf_add_str(w->out, json);
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


void
abdm_json_real_text(double v, char out[ABDM_JSON_REAL_TEXT])
{
    for (int precision = 15; precision <= 17; precision++) {
        snprintf(out, ABDM_JSON_REAL_TEXT, "%.*g", precision, v);
        if (strtod(out, NULL) == v)
            break;
    }
    for (char *p = out; *p != '\0'; p++) {
        if (*p == ',') /* a host program may have set a locale */
            *p = '.';
    }
}


static void
write_real(abdm_jw_t *w, double v)
{
    char text[ABDM_JSON_REAL_TEXT];

    if (!isfinite(v)) {
        abdm_jw_null(w);
        return;
    }
    abdm_json_real_text(v, text);
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
abdm_jw_marked(abdm_jw_t *w, const json_t *value)
{
    abdm_str_t text = {json_string_value(value), json_string_length(value)};
    const char *key;
    json_t *item;
    size_t i;

    if (text.len > 1 && text.p[0] == ABDM_JSON_MARK) {
        abdm_jw_raw(w, (abdm_str_t){text.p + 1, text.len - 1});
    } else if (json_is_object(value)) {
        abdm_jw_open(w, '{');
        json_object_foreach((json_t *) value, key, item) {
            abdm_jw_key(w, key);
            abdm_jw_marked(w, item);
        }
        abdm_jw_close(w, '}');
    } else if (json_is_array(value)) {
        abdm_jw_open(w, '[');
        json_array_foreach(value, i, item)
            abdm_jw_marked(w, item);
        abdm_jw_close(w, ']');
    } else {
        abdm_jw_json(w, value);
    }
}


void
abdm_jw_kv(abdm_jw_t *w, const char *key, const char *value)
{
    size_t k = strlen(key), v = strlen(value);

    if (plain_len((const unsigned char *) key, k) < k ||
        plain_len((const unsigned char *) value, v) < v || !room(w->out, k + v + 6)) {
        abdm_jw_key(w, key);
        abdm_jw_str(w, (abdm_str_t){value, v});
        return;
    }
    char *p = w->out->p + w->out->len, *to = p; /* most of a document is this: all in one go */
    if (w->comma)
        *to++ = ',';
    *to++ = '"';
    memcpy(to, key, k);
    to += k;
    memcpy(to, "\":\"", 3);
    to += 3;
    memcpy(to, value, v);
    to += v;
    *to++ = '"';
    w->out->len += (size_t) (to - p);
    w->comma = true;
}
