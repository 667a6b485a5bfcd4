/*
 * A scanner that tells where a value begins and ends in a text that the JSON reader has taken
 * before, since the reader keeps no offsets. It goes forward only, without recursion, and gives up
 * on whatever is no JSON; whether strings and numbers are well-formed was the reader's to say.
 */
#include "core/json_slice.h"

#include <string.h>

#include "core/json.h"

typedef struct {
    const char *p;
    const char *end;
} cursor_t;


static void
skip_blanks(cursor_t *c)
{
    while (c->p < c->end && (*c->p == ' ' || *c->p == '\t' || *c->p == '\n' || *c->p == '\r')) {
        c->p++;
    }
}


/* Takes `byte` behind blanks. */
static bool
take(cursor_t *c, char byte)
{
    skip_blanks(c);
    if (c->p == c->end || *c->p != byte) {
        return false;
    }
    c->p++;
    return true;
}


/* *inside: what stands between the quotes, escapes and all. */
static bool
take_string(cursor_t *c, abdm_str_t *inside)
{
    if (!take(c, '"')) {
        return false;
    }
    inside->p = c->p;
    while (c->p < c->end && *c->p != '"') {
        if (*c->p == '\\' && c->end - c->p > 1) {
            c->p++;
        }
        c->p++;
    }
    if (c->p >= c->end) {
        return false;
    }
    inside->len = (size_t) (c->p - inside->p);
    c->p++;
    return true;
}


/* A list or an object, to the bracket that closes it. */
static bool
take_container(cursor_t *c)
{
    abdm_str_t ignored;
    int depth = 0;

    do {
        if (c->p == c->end) {
            return false;
        }
        if (*c->p == '"') {
            if (!take_string(c, &ignored)) {
                return false;
            }
            continue;
        }
        depth += *c->p == '{' || *c->p == '[';
        depth -= *c->p == '}' || *c->p == ']';
        c->p++;
    } while (depth > 0);
    return true;
}


static bool
take_value(cursor_t *c, abdm_str_t *out)
{
    abdm_str_t ignored;
    bool found;

    skip_blanks(c);
    out->p = c->p;
    if (c->p == c->end) {
        return false;
    }
    if (*c->p == '"') {
        found = take_string(c, &ignored);
    } else if (*c->p == '{' || *c->p == '[') {
        found = take_container(c);
    } else {
        while (c->p < c->end && strchr(",]} \t\n\r", *c->p) == NULL) {
            c->p++;
        }
        found = c->p > out->p;
    }
    out->len = (size_t) (c->p - out->p);
    return found;
}


/* Does the key, as it stands in the text, spell `name`? */
static bool
is_key(abdm_str_t key, abdm_str_t name)
{
    abdm_str_t quoted = {key.p - 1, key.len + 2};
    json_t *text;
    bool same;

    if (key.len == 0 || memchr(key.p, '\\', key.len) == NULL) {
        return abdm_str_eq(key, name);
    }
    if (abdm_failed(abdm_json_parse(quoted.p, quoted.len, 1, &text))) {
        return false;
    }
    same = abdm_str_eq((abdm_str_t){json_string_value(text), json_string_length(text)}, name);
    json_decref(text);
    return same;
}


static bool
find_member(abdm_str_t object, abdm_str_t name, abdm_str_t *out)
{
    cursor_t c = {object.p, object.p + object.len};
    abdm_str_t key;

    if (!take(&c, '{')) {
        return false;
    }
    do {
        if (!take_string(&c, &key) || !take(&c, ':') || !take_value(&c, out)) {
            return false;
        }
        if (is_key(key, name)) {
            return true;
        }
    } while (take(&c, ','));
    return false;
}


static bool
find_item(abdm_str_t list, abdm_str_t digits, abdm_str_t *out)
{
    cursor_t c = {list.p, list.p + list.len};
    size_t index = 0;

    for (size_t i = 0; i < digits.len; i++) {
        if (digits.p[i] < '0' || digits.p[i] > '9' || i == 6) {
            return false;
        }
        index = index * 10 + (size_t) (digits.p[i] - '0');
    }
    if (digits.len == 0 || !take(&c, '[')) {
        return false;
    }
    do {
        if (!take_value(&c, out)) {
            return false;
        }
        if (index-- == 0) {
            return true;
        }
    } while (take(&c, ','));
    return false;
}


bool
abdm_json_slice(abdm_str_t text, const char *path, abdm_str_t *out)
{
    cursor_t c = {text.p, text.p + text.len};
    bool found = take_value(&c, out);

    while (found && *path != '\0') {
        abdm_str_t segment = {path, strcspn(path, ".")}, within = *out;

        found = *within.p == '[' ? find_item(within, segment, out)
                                 : find_member(within, segment, out);
        path += segment.len + (path[segment.len] == '.');
    }
    return found;
}
