/*
 * SMS templates: reading and checking. Whatever can be wrong in one is found here, so that nginx -t
 * tells it and not the first patient who waits for an OTP.
 */
#include "hmis/sms_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/secret_file.h"
#include "hmis/file.h"

enum { DEPTH_MAX = 8, PLACE_MAX = 256, MESSAGES_MAX = 16 };

typedef struct {
    const char *file;
    const json_t *messages;
    char *problem;
} check_t;

/* Which variables may stand in a text. */
typedef enum { IN_CALL, IN_MESSAGE } scope_t;

static const abdm_sms_variable_t variables[] = {
    {"mobile", "mobile: ten digits are needed"},
    {"otp", "otp: the message needs it"},
    {"minutes", "minutes: the message needs it"},
    {"facility", "facility: the message needs it"},
};

static const char value_expected[] = "a text, or {\"file\": \"/path\"} of a secret, is expected";

enum { VARIABLES = sizeof variables / sizeof *variables };


const abdm_sms_variable_t *
abdm_sms_variable(abdm_str_t name)
{
    for (size_t i = 0; i < VARIABLES; i++) {
        if (abdm_str_eq(name, abdm_str(variables[i].name)))
            return &variables[i];
    }
    return NULL;
}


bool
abdm_sms_is_secret(const json_t *value)
{
    return json_is_string(json_object_get(value, "file"));
}


static abdm_err_t
refuse(const check_t *check, const char *where, const char *expected)
{
    abdm_hmis_say(check->problem, "%s: %s: %s", check->file, where, expected);
    return ABDM_ERR(CONFIG, "sms template");
}


/* False when the place does not fit: nothing that deep belongs into a template. */
static bool
place_below(char out[PLACE_MAX], const char *where, const char *name)
{
    int n = snprintf(out, PLACE_MAX, "%s.%s", where, name);

    return n > 0 && n < PLACE_MAX;
}


/* --- texts and their variables --- */

static bool
is_known(scope_t scope, const json_t *message, abdm_str_t name)
{
    const char *own;
    json_t *value;

    if (abdm_sms_variable(name) != NULL)
        return true;
    if (scope == IN_CALL && abdm_str_eq(name, ABDM_LIT("text")))
        return json_object_get(message, "text") != NULL;
    json_object_foreach(json_object_get(message, "vars"), own, value)
    {
        if (abdm_str_eq(name, abdm_str(own)))
            return true;
    }
    return false;
}


static abdm_err_t
no_variable(const check_t *check, const char *where, scope_t scope, const char *message,
            abdm_str_t given)
{
    abdm_hmis_say(check->problem,
                  "%s: %.100s: %.*s is no variable of messages.%.40s; there are {mobile} {otp} "
                  "{minutes} {facility}%s and those in its vars; a brace itself is {{",
                  check->file, where, (int) (given.len < 60 ? given.len : 60), given.p, message,
                  scope == IN_CALL ? " {text}" : "");
    return ABDM_ERR(CONFIG, "sms template");
}


static abdm_err_t
check_text_for(const check_t *check, const char *where, scope_t scope, const char *name,
               const json_t *message, const char *text)
{
    const char *p = text;

    while ((p = strchr(p, '{')) != NULL) {
        if (p[1] == '{') {
            p += 2;
            continue;
        }
        size_t n = strcspn(p, "}");
        if (p[n] == '\0' || !is_known(scope, message, (abdm_str_t){p + 1, n - 1}))
            return no_variable(check, where, scope, name, (abdm_str_t){p, n + (p[n] == '}')});
        p += n + 1;
    }
    return ABDM_NO_ERR;
}


/* A call serves every message, so each must have the variables of its texts. */
static abdm_err_t
check_text(const check_t *check, const char *where, const char *text)
{
    const char *name;
    json_t *message;

    json_object_foreach((json_t *) check->messages, name, message)
        ABDM_TRY(check_text_for(check, where, IN_CALL, name, message, text));
    return ABDM_NO_ERR;
}


static bool
has_control(const char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char) *text < ' ' || *text == 0x7f)
            return true;
    }
    return false;
}


/* Reads the file of a secret into the template. */
static abdm_err_t
load_secret(const check_t *check, const char *where, json_t *value)
{
    static const char *const known[] = {"file", "prefix"};
    const char *file, *prefix;
    char *secret;

    ABDM_TRY(abdm_hmis_file_members(check->file, where, value, known, 2, check->problem));
    ABDM_TRY(abdm_hmis_file_text(check->file, where, value, "file", check->problem, &file));
    if (json_object_get(value, "prefix") != NULL)
        ABDM_TRY(abdm_hmis_file_text(check->file, where, value, "prefix", check->problem, &prefix));
    if (file[0] != '/')
        return refuse(check, where, "\"file\" must be an absolute path");

    ABDM_TRY(abdm_secret_file_read(where, file, check->problem, ABDM_HMIS_PROBLEM, &secret));
    json_t *text = has_control(secret) ? NULL : json_string(secret);
    abdm_wipe(secret, strlen(secret));
    free(secret);
    if (text == NULL)
        return refuse(check, where, "the file's first line must be a text in UTF-8");
    return json_object_set_new(value, "secret", text) == 0 ? ABDM_NO_ERR
                                                           : ABDM_ERR(MEMORY, "sms template");
}


/* A text or a secret. */
static abdm_err_t
check_value(const check_t *check, const char *where, json_t *value)
{
    if (json_is_string(value))
        return check_text(check, where, json_string_value(value));
    if (abdm_sms_is_secret(value))
        return load_secret(check, where, value);
    return refuse(check, where, value_expected);
}


/* --- members --- */

static abdm_err_t
check_values(const check_t *check, const char *where, json_t *object)
{
    char place[PLACE_MAX];
    const char *name;
    json_t *value;

    if (object == NULL)
        return ABDM_NO_ERR;
    if (!json_is_object(object))
        return refuse(check, where, "an object in { } is expected");
    json_object_foreach(object, name, value)
    {
        if (!place_below(place, where, name))
            return refuse(check, where, "a name in it is too long");
        ABDM_TRY(check_value(check, place, value));
    }
    return ABDM_NO_ERR;
}


/* A body in JSON may hold anything; its texts may hold variables. */
static abdm_err_t
check_json(const check_t *check, const char *where, json_t *value, int depth)
{
    char place[PLACE_MAX], number[24];
    const char *name;
    json_t *item;
    size_t i;

    if (depth == 0)
        return refuse(check, where, "too deep");
    if (json_is_string(value) || abdm_sms_is_secret(value))
        return check_value(check, where, value);
    json_array_foreach(value, i, item)
    {
        snprintf(number, sizeof number, "%zu", i);
        if (!place_below(place, where, number))
            return refuse(check, where, "too deep");
        ABDM_TRY(check_json(check, place, item, depth - 1));
    }
    json_object_foreach(value, name, item)
    {
        if (!place_below(place, where, name))
            return refuse(check, where, "a name in it is too long");
        ABDM_TRY(check_json(check, place, item, depth - 1));
    }
    return ABDM_NO_ERR;
}


static bool
is_header_name(const char *name)
{
    static const char token[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                                "!#$%&'*+-.^_`|~";
    static const char *const ours[] = {"Content-Type",     "Content-Length", "Host",
                                       "Expect",           "Connection",     "Upgrade",
                                       "Transfer-Encoding"};

    if (*name == '\0' || name[strspn(name, token)] != '\0')
        return false;
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) {
        if (abdm_str_ieq(abdm_str(name), abdm_str(ours[i])))
            return false;
    }
    return true;
}


static abdm_err_t
check_headers(const check_t *check, json_t *headers)
{
    const char *name;
    json_t *value;

    ABDM_TRY(check_values(check, "headers", headers));
    json_object_foreach(headers, name, value)
    {
        const char *text =
            json_string_value(abdm_sms_is_secret(value) ? json_object_get(value, "prefix") : value);
        if (!is_header_name(name))
            return refuse(check, "headers", "one has no proper name, or is set by the call itself");
        if (text != NULL && has_control(text))
            return refuse(check, "headers", "one holds a control character");
    }
    return ABDM_NO_ERR;
}


static abdm_err_t
check_path(const check_t *check, const json_t *template)
{
    const char *path;

    ABDM_TRY(abdm_hmis_file_text(check->file, "the file", template, "path", check->problem, &path));
    if (path[0] != '/' || abdm_hmis_path_climbs(path))
        return refuse(check, "path", "must begin with /, without . and .. as its parts");
    for (const char *p = path; *p != '\0'; p++) {
        if (*p <= ' ' || *p > '~' || strchr("?#\\\"<>^`|", *p) != NULL)
            return refuse(check, "path",
                          "it may hold no space, query or fragment; what stands "
                          "behind ? is the member \"query\"");
    }
    return check_text(check, "path", path);
}


static abdm_err_t
check_method(const check_t *check, const json_t *template)
{
    const json_t *given = json_object_get(template, "method");
    const char *method = given == NULL ? "POST" : json_string_value(given);
    bool json = json_object_get(template, "json") != NULL;
    bool form = json_object_get(template, "form") != NULL;

    if (method == NULL || (strcmp(method, "GET") != 0 && strcmp(method, "POST") != 0))
        return refuse(check, "method", "\"GET\" or \"POST\" is expected");
    if (json && form)
        return refuse(check, "form", "it and json exclude each other");
    if (strcmp(method, "GET") == 0 && (json || form))
        return refuse(check, "method", "with json or form it must be \"POST\"");
    return ABDM_NO_ERR;
}


static abdm_err_t
check_success(const check_t *check, const json_t *success)
{
    static const char *const known[] = {"status", "member", "equals", "begins"};
    const json_t *status = json_object_get(success, "status"), *code;
    const json_t *member = json_object_get(success, "member");
    const json_t *equals = json_object_get(success, "equals");
    const json_t *begins = json_object_get(success, "begins");
    size_t i;

    if (success == NULL)
        return ABDM_NO_ERR;
    ABDM_TRY(abdm_hmis_file_members(check->file, "success", success, known, 4, check->problem));
    if (status != NULL && (!json_is_array(status) || json_array_size(status) == 0))
        return refuse(check, "success.status", "a list like [200, 202] is expected");
    json_array_foreach(status, i, code)
    {
        if (json_integer_value(code) < 100 || json_integer_value(code) > 599)
            return refuse(check, "success.status", "a list like [200, 202] is expected");
    }
    if ((member != NULL) != (equals != NULL) || (member != NULL && begins != NULL))
        return refuse(check, "success", "\"member\" goes with \"equals\", without \"begins\"");
    if (member != NULL && json_string_length(member) == 0)
        return refuse(check, "success.member",
                      "a name like \"type\" or \"data.0.status\" is "
                      "expected");
    if (equals != NULL && !json_is_string(equals) && !json_is_integer(equals) &&
        !json_is_boolean(equals))
        return refuse(check, "success.equals", "a text, whole number, true or false is expected");
    if (begins != NULL && json_string_length(begins) == 0)
        return refuse(check, "success.begins", "a text is expected");
    return ABDM_NO_ERR;
}


/* --- messages --- */

static bool
is_variable_name(const char *name)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_";

    return *name != '\0' && name[strspn(name, letters)] == '\0' && strcmp(name, "text") != 0 &&
           abdm_sms_variable(abdm_str(name)) == NULL;
}


/* A message's own variables stand for themselves: braces in them are braces. */
static abdm_err_t
check_vars(const check_t *check, const char *where, json_t *vars)
{
    char place[PLACE_MAX];
    const char *name;
    json_t *value;

    if (vars != NULL && !json_is_object(vars))
        return refuse(check, where, "an object in { } is expected");
    json_object_foreach(vars, name, value)
    {
        if (!is_variable_name(name) || !place_below(place, where, name))
            return refuse(check, where,
                          "names of letters, digits and _ are expected, other than "
                          "mobile, text, otp, minutes and facility");
        if (abdm_sms_is_secret(value))
            ABDM_TRY(load_secret(check, place, value));
        else if (!json_is_string(value))
            return refuse(check, place, value_expected);
    }
    return ABDM_NO_ERR;
}


static abdm_err_t
check_messages(const check_t *check)
{
    static const char *const known[] = {"text", "vars"};
    char place[PLACE_MAX], inner[PLACE_MAX];
    const char *name, *text;
    json_t *message;

    if (json_object_size(check->messages) == 0 || json_object_size(check->messages) > MESSAGES_MAX)
        return refuse(check, "messages", "an object in { } with the message \"otp\" is expected");
    json_object_foreach((json_t *) check->messages, name, message)
    {
        if (!place_below(place, "messages", name) || !place_below(inner, place, "vars"))
            return refuse(check, "messages", "a name in it is too long");
        ABDM_TRY(abdm_hmis_file_members(check->file, place, message, known, 2, check->problem));
        ABDM_TRY(check_vars(check, inner, json_object_get(message, "vars")));
        if (json_object_get(message, "text") == NULL)
            continue;
        ABDM_TRY(abdm_hmis_file_text(check->file, place, message, "text", check->problem, &text));
        ABDM_TRY(check_text_for(check, place, IN_MESSAGE, name, message, text));
    }
    return ABDM_NO_ERR;
}


static abdm_err_t
check_template(const char *file, json_t *template, char *problem)
{
    static const char *const known[] = {"method", "path", "query",   "headers",
                                        "json",   "form", "success", "messages"};
    const check_t check = {file, json_object_get(template, "messages"), problem};
    json_t *body = json_object_get(template, "json");

    ABDM_TRY(abdm_hmis_file_members(file, "the file", template, known, sizeof known / sizeof *known,
                                    problem));
    ABDM_TRY(check_messages(&check));
    ABDM_TRY(check_method(&check, template));
    ABDM_TRY(check_path(&check, template));
    ABDM_TRY(check_values(&check, "query", json_object_get(template, "query")));
    ABDM_TRY(check_values(&check, "form", json_object_get(template, "form")));
    ABDM_TRY(check_headers(&check, json_object_get(template, "headers")));
    if (body != NULL)
        ABDM_TRY(check_json(&check, "json", body, DEPTH_MAX));
    return check_success(&check, json_object_get(template, "success"));
}


abdm_err_t
abdm_sms_open(const char *url, const char *template_file, char problem[512], abdm_sms_t **out)
{
    abdm_sms_t *sms = calloc(1, sizeof *sms);

    *out = NULL;
    problem[0] = '\0';
    if (sms == NULL)
        return ABDM_ERR(MEMORY, "sms");
    abdm_err_t err = abdm_hmis_base_parse(url, &sms->base);
    if (!abdm_failed(err))
        err = abdm_hmis_file_load(template_file, problem, &sms->template);
    if (!abdm_failed(err))
        err = check_template(template_file, sms->template, problem);
    if (abdm_failed(err)) {
        if (problem[0] == '\0')
            abdm_hmis_say(problem, "%s", err.what);
        abdm_sms_close(sms);
        return err;
    }
    *out = sms;
    return ABDM_NO_ERR;
}


/* The secrets stand where nothing else can: jansson frees without wiping. */
static void
wipe_secrets(json_t *value)
{
    const char *name;
    json_t *item;
    size_t i;

    if (abdm_sms_is_secret(value)) {
        const json_t *secret = json_object_get(value, "secret");
        if (json_is_string(secret))
            abdm_wipe((char *) json_string_value(secret), json_string_length(secret));
    }
    json_array_foreach(value, i, item) wipe_secrets(item);
    json_object_foreach(value, name, item) wipe_secrets(item);
}


void
abdm_sms_close(abdm_sms_t *sms)
{
    if (sms == NULL)
        return;
    wipe_secrets(sms->template);
    json_decref(sms->template);
    abdm_hmis_base_clear(&sms->base);
    free(sms);
}
