/*
 * Fields of messages, read with their limits, and the gateway's form of errors in both ways.
 * Senders differ in types more than in names: numbers come as texts and texts as numbers
 * (contradictions 10, 11 and 13 of the gateway protocol's section 8).
 */
#include "gateway/wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/abha.h"
#include "core/id.h"

/* What is our own trouble is told in these words only; operators read more in the log. */
#define OWN_TROUBLE_CODE "ABDM-1024"
#define OWN_TROUBLE_TEXT "the facility's system is temporarily unavailable"


bool
abdm_in_is_plain(abdm_str_t s, size_t max)
{
    if (s.len > max)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        if ((unsigned char) s.p[i] < 0x20 || s.p[i] == 0x7f)
            return false;
    }
    return s.len > 0;
}


abdm_err_t
abdm_in_take_text(const json_t *root, const char *path, size_t max, const char *fault, char **out)
{
    abdm_str_t text = abdm_str(abdm_json_string_at(root, path));

    if (!abdm_in_is_plain(text, max))
        return ABDM_ERR(FIELD, fault);
    *out = abdm_str_dup(text);
    return *out == NULL ? ABDM_ERR(MEMORY, "callback: copy of a field") : ABDM_NO_ERR;
}


static bool
is_told(const json_t *value)
{
    return value != NULL && !(json_is_string(value) && json_string_length(value) == 0);
}


abdm_err_t
abdm_in_optional_text(const json_t *root, const char *path, size_t max, const char *fault,
                      char **out)
{
    if (!is_told(abdm_json_at(root, path)))
        return ABDM_NO_ERR;
    return abdm_in_take_text(root, path, max, fault, out);
}


abdm_err_t
abdm_in_take_uuid(const json_t *root, const char *path, const char *fault, char **out)
{
    if (!abdm_is_uuid(abdm_str(abdm_json_string_at(root, path))))
        return ABDM_ERR(FIELD, fault);
    return abdm_in_take_text(root, path, ABDM_WIRE_ID, fault, out);
}


abdm_err_t
abdm_in_optional_uuid(const json_t *root, const char *path, const char *fault, char **out)
{
    if (!is_told(abdm_json_at(root, path)))
        return ABDM_NO_ERR;
    return abdm_in_take_uuid(root, path, fault, out);
}


abdm_err_t
abdm_in_take_time(const json_t *root, const char *path, const char *fault, abdm_ms_t *out)
{
    const char *z = abdm_json_string_at(root, path);

    if (z == NULL || abdm_failed(abdm_time_parse(abdm_str(z), out)))
        return ABDM_ERR(FIELD, fault);
    return ABDM_NO_ERR;
}


bool
abdm_in_scalar(const json_t *value, char digits[ABDM_IN_DIGITS], abdm_str_t *out)
{
    *out = ABDM_LIT("");
    if (value == NULL || json_is_null(value))
        return true;
    if (json_is_integer(value)) {
        snprintf(digits, ABDM_IN_DIGITS, "%lld", (long long) json_integer_value(value));
        *out = abdm_str(digits);
        return true;
    }
    if (!json_is_string(value))
        return false;

    *out = (abdm_str_t){json_string_value(value), json_string_length(value)};
    while (out->len > 0 && out->p[0] == ' ') {
        out->p++;
        out->len--;
    }
    while (out->len > 0 && out->p[out->len - 1] == ' ')
        out->len--;
    return true;
}


abdm_err_t
abdm_in_optional_address(const json_t *root, const char *path, const char *fault, char **out)
{
    const json_t *value = abdm_json_at(root, path);

    if (!is_told(value))
        return ABDM_NO_ERR;
    if (!abdm_abha_address_normal(abdm_str(json_string_value(value)), out))
        return ABDM_ERR(FIELD, fault);
    return *out == NULL ? ABDM_ERR(MEMORY, "callback: an ABHA address") : ABDM_NO_ERR;
}


abdm_err_t
abdm_in_optional_number(const json_t *root, const char *path, const char *fault, char **out)
{
    char digits[ABDM_IN_DIGITS];
    abdm_str_t text;

    if (!abdm_in_scalar(abdm_json_at(root, path), digits, &text))
        return ABDM_ERR(FIELD, fault);
    if (text.len == 0)
        return ABDM_NO_ERR;
    if (!abdm_abha_number_normal(text, out))
        return ABDM_ERR(FIELD, fault);
    return *out == NULL ? ABDM_ERR(MEMORY, "callback: an ABHA number") : ABDM_NO_ERR;
}


/* Of UTF-8 that the JSON reader has checked. */
static size_t
characters(const char *z)
{
    size_t n = 0;

    for (; *z != '\0'; z++)
        n += ((unsigned char) *z & 0xc0) != 0x80;
    return n;
}


abdm_err_t
abdm_in_take_name(const json_t *root, const char *path, const char *fault, char **out)
{
    const char *z = abdm_json_string_at(root, path);

    if (z == NULL || characters(z) > ABDM_WIRE_NAME)
        return ABDM_ERR(FIELD, fault);
    return abdm_in_take_text(root, path, (size_t) 4 * ABDM_WIRE_NAME, fault, out);
}


abdm_err_t
abdm_in_take_gender(const json_t *root, const char *path, const char *fault, const char **out)
{
    const json_t *value = abdm_json_at(root, path);

    if (value != NULL && !json_is_string(value))
        return ABDM_ERR(FIELD, fault);
    *out = abdm_gender_normal(abdm_str(json_string_value(value)));
    return ABDM_NO_ERR;
}


abdm_err_t
abdm_in_optional_int(const json_t *root, const char *path, int min, int max, const char *fault,
                     int *out)
{
    int64_t v = 0;

    if (is_told(abdm_json_at(root, path)) && !abdm_json_int_at(root, path, &v))
        return ABDM_ERR(FIELD, fault);
    if (v != 0 && (v < min || v > max))
        return ABDM_ERR(FIELD, fault);
    *out = (int) v;
    return ABDM_NO_ERR;
}


void
abdm_wire_text(abdm_str_t s, char *out, size_t cap)
{
    size_t n = 0;

    for (size_t i = 0; i < s.len && n + 1 < cap; i++) {
        char c = s.p[i] >= 0x20 && s.p[i] < 0x7f ? s.p[i] : ' ';
        if (c != ' ' || n > 0)
            out[n++] = c;
    }
    while (n > 0 && out[n - 1] == ' ')
        n--;
    out[n] = '\0';
}


void
abdm_wire_code(const json_t *code, char *out, size_t cap)
{
    char digits[ABDM_IN_DIGITS];
    abdm_str_t s;

    if (!abdm_in_scalar(code, digits, &s)) {
        *out = '\0';
        return;
    }
    if (s.len >= 5 && abdm_str_ieq((abdm_str_t){s.p, 5}, ABDM_LIT("ABDM-"))) {
        s.p += 5;
        s.len -= 5;
    }
    while (s.len > 0 && (s.p[s.len - 1] == ':' || s.p[s.len - 1] == ' '))
        s.len--;
    abdm_wire_text(s, out, cap);
}


void
abdm_wire_message(const json_t *error, char *out, size_t cap)
{
    const char *text = abdm_json_string_at(error, "message");

    if (text == NULL)
        text = abdm_json_string_at(error, "description");
    abdm_wire_text(abdm_str(text), out, cap);
}


static bool
is_own_trouble(const abdm_error_info_t *info)
{
    return info->wire[0] == '\0' || strcmp(info->wire, OWN_TROUBLE_CODE) == 0;
}


static const char *
code_of(const abdm_error_info_t *info)
{
    return is_own_trouble(info) ? OWN_TROUBLE_CODE : info->wire;
}


static const char *
text_of(const abdm_error_info_t *info)
{
    return is_own_trouble(info) ? OWN_TROUBLE_TEXT : info->meaning;
}


void
abdm_out_write_error(abdm_jw_t *w, abdm_err_t err)
{
    const abdm_error_info_t *info = abdm_error_info(err.code);

    abdm_jw_key(w, "error");
    abdm_jw_open(w, '{');
    abdm_jw_kv(w, "code", code_of(info));
    abdm_jw_kv(w, "message", text_of(info));
    abdm_jw_close(w, '}');
}


void
abdm_out_write_old_error(abdm_jw_t *w, abdm_err_t err)
{
    const abdm_error_info_t *info = abdm_error_info(err.code);

    abdm_jw_key(w, "error");
    abdm_jw_open(w, '{');
    abdm_jw_key(w, "code");
    abdm_jw_int(w, strtol(code_of(info) + strlen("ABDM-"), NULL, 10));
    abdm_jw_kv(w, "message", text_of(info));
    abdm_jw_close(w, '}');
}


void
abdm_out_write_echo(abdm_jw_t *w, const char *member, const char *request_id)
{
    abdm_jw_key(w, member);
    abdm_jw_open(w, '{');
    abdm_jw_kv(w, "requestId", request_id);
    abdm_jw_close(w, '}');
}
