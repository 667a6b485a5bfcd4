/*
 * The gateway's synchronous answers (gateway protocol 6.1, 7.8). Its services share no form of
 * error and their status may not fit the fault, so the code in the body is asked first and the
 * status after it.
 */
#include "gateway/answer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"

enum {
    TOKEN_MAX = 16384,
    LIFE_DEFAULT_S = 60, /* for a life that cannot be believed */
    LIFE_MAX_S = 86400,
};

/* What a code says whatever the status is. Codes not here have several meanings, or none that
 * the status does not tell as well. */
static const struct {
    const char *code;
    abdm_call_verdict_t verdict;
} verdicts[] = {
    {"900901", ABDM_CALL_TOKEN},
    {"900902", ABDM_CALL_TOKEN},
    {"303001", ABDM_CALL_AGAIN},  /* the endpoint is suspended */
    {"1022", ABDM_CALL_AGAIN},    /* too many requests */
    {"2429", ABDM_CALL_AGAIN},    /* the same */
    {"1027", ABDM_CALL_REFUSED},  /* blocked for 24 hours */
    {"1092", ABDM_CALL_REFUSED},  /* asking again leads to that block */
};

/* "Already answered". With a 5xx the same numbers mean that a database is down. */
static const char *const already_answered[] = {"1106", "1107", "1108", "1113"};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))


static bool
is_printable(char c)
{
    return c >= 0x20 && c < 0x7f;
}


/* Printable ASCII, cut to the space there is; what is not printable becomes a space. */
static void
copy_text(abdm_str_t s, char *out, size_t cap)
{
    size_t n = 0;

    for (size_t i = 0; i < s.len && n + 1 < cap; i++) {
        char c = is_printable(s.p[i]) ? s.p[i] : ' ';
        if (c != ' ' || n > 0)
            out[n++] = c;
    }
    while (n > 0 && out[n - 1] == ' ')
        n--;
    out[n] = '\0';
}


/* "ABDM-1016: " → "1016"; numbers as their digits; other codes ("HIS-1070") as they are. */
static void
take_code(const json_t *code, abdm_call_answer_t *out)
{
    if (json_is_integer(code)) {
        snprintf(out->code, sizeof out->code, "%lld", (long long) json_integer_value(code));
        return;
    }

    abdm_str_t s = abdm_str(json_string_value(code));
    while (s.len > 0 && s.p[0] == ' ') {
        s.p++;
        s.len--;
    }
    if (s.len >= 5 && abdm_str_ieq((abdm_str_t){s.p, 5}, ABDM_LIT("ABDM-"))) {
        s.p += 5;
        s.len -= 5;
    }
    while (s.len > 0 && (s.p[s.len - 1] == ':' || s.p[s.len - 1] == ' '))
        s.len--;
    copy_text(s, out->code, sizeof out->code);
}


static void
take_message(const json_t *fault, abdm_call_answer_t *out)
{
    const char *text = abdm_json_string_at(fault, "message");

    if (text == NULL)
        text = abdm_json_string_at(fault, "description");
    copy_text(abdm_str(text), out->text, sizeof out->text);
}


/* {"<field>":"<text>","timestamp":"..."} */
static void
take_field_fault(const json_t *body, abdm_call_answer_t *out)
{
    abdm_buf_t text = {0};
    const char *key;
    json_t *value;

    json_object_foreach((json_t *) body, key, value) {
        if (json_is_string(value) && strcmp(key, "timestamp") != 0) {
            abdm_buf_addz(&text, key);
            abdm_buf_addz(&text, ": ");
            abdm_buf_addz(&text, json_string_value(value));
            break;
        }
    }
    copy_text(abdm_buf_str(&text), out->text, sizeof out->text);
    abdm_buf_free(&text);
}


/* Fills code and text; true when the body says by itself, whatever the status, that this is an
 * error. A `message` alone does not: successes carry it too. */
static bool
take_fault(const json_t *body, abdm_call_answer_t *out)
{
    if (json_is_array(body))
        body = json_array_get(body, 0);

    const json_t *error = abdm_json_at(body, "error");
    if (json_object_size(error) > 0) {
        take_code(abdm_json_at(error, "code"), out);
        take_message(error, out);
        return true;
    }
    if (abdm_json_string_at(body, "error") != NULL) {
        copy_text(abdm_str(abdm_json_string_at(body, "error")), out->text, sizeof out->text);
        return true;
    }
    if (abdm_json_at(body, "code") != NULL) {
        const json_t *detail = abdm_json_at(body, "details.0"); /* the registry's own fault */
        const json_t *fault = abdm_json_at(detail, "code") != NULL ? detail : body;
        take_code(abdm_json_at(fault, "code"), out);
        take_message(fault, out);
        return true;
    }
    take_message(body, out);
    if (out->text[0] == '\0')
        take_field_fault(body, out);
    return false;
}


static abdm_call_verdict_t
verdict_of(int status, bool fault, const char *code)
{
    for (size_t i = 0; i < COUNT(verdicts); i++) {
        if (strcmp(code, verdicts[i].code) == 0)
            return verdicts[i].verdict;
    }
    for (size_t i = 0; i < COUNT(already_answered); i++) {
        if (status < 500 && strcmp(code, already_answered[i]) == 0)
            return ABDM_CALL_DONE;
    }
    if (status >= 200 && status < 300)
        return fault ? ABDM_CALL_REFUSED : ABDM_CALL_DONE;
    if (status == 401)
        return ABDM_CALL_TOKEN;
    if (status == 408 || status == 429 || status >= 500)
        return ABDM_CALL_AGAIN;
    return ABDM_CALL_REFUSED;
}


void
abdm_answer_judge(int status, const char *body, size_t len, abdm_call_answer_t *out)
{
    bool fault = false;
    json_t *json;

    *out = (abdm_call_answer_t){0};
    if (abdm_failed(abdm_json_parse(body, len, ABDM_JSON_DEPTH, &json)))
        copy_text((abdm_str_t){body, len}, out->text, sizeof out->text);
    else
        fault = take_fault(json, out);
    json_decref(json);

    out->verdict = verdict_of(status, fault, out->code);
    if (out->verdict == ABDM_CALL_DONE && !fault)
        out->text[0] = '\0';
}


/* Session answers hold two tokens. */
static void
wipe_members(json_t *json)
{
    const char *key;
    json_t *value;

    json_object_foreach(json, key, value) {
        if (json_is_string(value))
            abdm_wipe((char *) json_string_value(value), json_string_length(value));
    }
}


static bool
is_token(const char *z)
{
    size_t n = 0;

    if (z == NULL)
        return false;
    for (; z[n] != '\0'; n++) {
        if (n == TOKEN_MAX || !is_printable(z[n]) || z[n] == ' ')
            return false;
    }
    return n > 0;
}


static abdm_err_t
take_session(const json_t *json, char **token, int64_t *life_ms)
{
    const char *z = abdm_json_string_at(json, "accessToken");
    int64_t life;

    if (!is_token(z))
        return ABDM_ERR(SESSION, "session answer: accessToken is missing or no token");
    if (!abdm_json_int_at(json, "expiresIn", &life) || life <= 0 || life > LIFE_MAX_S)
        life = LIFE_DEFAULT_S;
    *token = abdm_str_dup(abdm_str(z));
    if (*token == NULL)
        return ABDM_ERR(MEMORY, "session answer: copy of the token");
    *life_ms = life * 1000;
    return ABDM_NO_ERR;
}


abdm_err_t
abdm_answer_session(const char *body, size_t len, char **token, int64_t *life_ms)
{
    json_t *json;

    *token = NULL;
    *life_ms = 0;
    if (abdm_failed(abdm_json_parse(body, len, ABDM_JSON_DEPTH, &json)))
        return ABDM_ERR(SESSION, "session answer: not JSON");
    abdm_err_t err = take_session(json, token, life_ms);
    wipe_members(json);
    json_decref(json);
    return err;
}
