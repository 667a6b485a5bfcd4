/*
 * The gateway's synchronous answers (gateway protocol 6.1, 7.8). Its services share no form of
 * error and their status may not fit the fault, so the code in the body is asked first and the
 * status after it.
 */
#include "gateway/answer.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/wire.h"

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
    {"1026", ABDM_CALL_REFUSED},  /* these are of the link token, not of our session... */
    {"1038", ABDM_CALL_REFUSED},
    {"1062", ABDM_CALL_REFUSED},
    {"1063", ABDM_CALL_REFUSED},
    {"1066", ABDM_CALL_REFUSED},
    {"1035", ABDM_CALL_REFUSED},  /* ...and these of what was sent */
    {"1052", ABDM_CALL_REFUSED},
    {"1056", ABDM_CALL_REFUSED},
    {"1090", ABDM_CALL_REFUSED},
};

/* "Already answered": a bridge asks for none of the first three itself, so in its calls they speak
 * of its answers too. With a 5xx the same numbers mean that a database is down. */
static const char *const already_answered[] = {"1103", "1104", "1105", "1106",
                                               "1107", "1108", "1113"};

/*
 * "No such right, no such route" (6.1): WSO2's 900908 (not subscribed to this interface), its status
 * reports "404", "405" and "501", and 1021 (missing privileges); 401 with a session that is fresh,
 * as WSO2 writes it (900901, 900902) or bare (shape 11); 403 and the rest bare (shape 12, which is
 * also what X-HIP-ID in the place of X-HIU-ID gets). Any other code speaks about the call itself
 * (1080: no such consent; 1016 with a 404: a time-stamp), and so is no such refusal.
 */
static const struct {
    int status;
    const char *codes[4];
} unserved[] = {
    {401, {"", "900901", "900902"}}, {403, {"", "403", "900908", "1021"}},
    {404, {"", "404"}},              {405, {"", "405"}},
    {501, {"", "501"}},
};

#define DUPLICATE_LINK "Duplicate HIP link request"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))


static bool
is_printable(char c)
{
    return c >= 0x20 && c < 0x7f;
}


static void
take_code(const json_t *code, abdm_call_answer_t *out)
{
    abdm_wire_code(code, out->code, sizeof out->code);
}


static void
take_message(const json_t *fault, abdm_call_answer_t *out)
{
    abdm_wire_message(fault, out->text, sizeof out->text);
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
    abdm_wire_text(abdm_buf_str(&text), out->text, sizeof out->text);
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
        abdm_wire_text(abdm_str(abdm_json_string_at(body, "error")), out->text, sizeof out->text);
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


bool
abdm_answer_is_duplicate_link(const abdm_call_answer_t *answer)
{
    return strcmp(answer->code, "1090") == 0 ||
           (strcmp(answer->code, "9999") == 0 && strcasestr(answer->text, DUPLICATE_LINK) != NULL);
}


bool
abdm_answer_is_unserved(int status, const char *code)
{
    for (size_t i = 0; i < COUNT(unserved); i++) {
        for (size_t k = 0; unserved[i].status == status && k < COUNT(unserved[i].codes); k++) {
            if (unserved[i].codes[k] != NULL && strcmp(unserved[i].codes[k], code) == 0)
                return true;
        }
    }
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
        abdm_wire_text((abdm_str_t){body, len}, out->text, sizeof out->text);
    else
        fault = take_fault(json, out);
    json_decref(json);

    out->verdict = abdm_answer_is_duplicate_link(out) ? ABDM_CALL_REFUSED
                                                      : verdict_of(status, fault, out->code);
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
    abdm_err_t err = abdm_json_parse(body, len, ABDM_JSON_DEPTH, &json);
    if (err.code == ABDM_E_MEMORY)
        return err;
    if (abdm_failed(err))
        return ABDM_ERR(SESSION, "session answer: not JSON");
    err = take_session(json, token, life_ms);
    wipe_members(json);
    json_decref(json);
    return err;
}
