/*
 * SMS templates filled in, and the provider's answers judged. Each value is encoded for the place
 * it stands in, so that no name of a hospital and no secret can become structure of the call.
 */
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "hmis/sms_internal.h"
#include "hmis/template.h"

enum { ANSWER_MAX = 64 * 1024, MOBILE_DIGITS = 10 };

typedef struct {
    const abdm_sms_t *sms;
    const json_t *message;
    const json_t *vars;
} fill_t;

typedef enum { AS_IT_IS, PERCENT } how_t;


static void
add_as(how_t how, abdm_str_t value, abdm_buf_t *out)
{
    if (how == PERCENT)
        abdm_hmis_percent_encode(out, value);
    else
        abdm_buf_add_str(out, value);
}


static void
add_secret(const json_t *secret, how_t how, abdm_buf_t *out)
{
    add_as(how, abdm_str(json_string_value(json_object_get(secret, "prefix"))), out);
    add_as(how, abdm_str(json_string_value(json_object_get(secret, "secret"))), out);
}


static bool
is_mobile(const char *value)
{
    return strlen(value) == MOBILE_DIGITS && strspn(value, "0123456789") == MOBILE_DIGITS;
}


static abdm_err_t fill_text(const fill_t *fill, const char *text, how_t how, abdm_buf_t *out);


static abdm_err_t
add_variable(const fill_t *fill, abdm_str_t name, how_t how, abdm_buf_t *out)
{
    const abdm_sms_variable_t *variable = abdm_sms_variable(name);
    const char *own;
    json_t *value;

    if (variable != NULL) {
        const char *given = abdm_json_string_at(fill->vars, variable->name);
        if (given == NULL || (strcmp(variable->name, "mobile") == 0 && !is_mobile(given)))
            return ABDM_ERR(FIELD, variable->missing);
        add_as(how, abdm_str(given), out);
        return ABDM_NO_ERR;
    }
    json_object_foreach(json_object_get(fill->message, "vars"), own, value)
    {
        if (!abdm_str_eq(name, abdm_str(own)))
            continue;
        if (abdm_sms_is_secret(value))
            add_secret(value, how, out);
        else
            add_as(how, abdm_str(json_string_value(value)), out);
        return ABDM_NO_ERR;
    }

    /* {text}, which cannot hold itself */
    abdm_buf_t text = {0};
    abdm_err_t err =
        fill_text(fill, json_string_value(json_object_get(fill->message, "text")), AS_IT_IS, &text);
    if (!abdm_failed(err))
        add_as(how, abdm_buf_str(&text), out);
    abdm_buf_wipe_free(&text);
    return err;
}


/* `how` is for the values; what the template says itself stays. */
static abdm_err_t
fill_text(const fill_t *fill, const char *text, how_t how, abdm_buf_t *out)
{
    if (text == NULL)
        return ABDM_ERR(INTERNAL, "sms: a template that was not checked");
    while (*text != '\0') {
        size_t n = strcspn(text, "{");
        abdm_buf_add(out, text, n);
        text += n;
        if (*text == '\0')
            break;
        if (text[1] == '{') {
            abdm_buf_addz(out, "{");
            text += 2;
            continue;
        }
        n = strcspn(text, "}");
        ABDM_TRY(add_variable(fill, (abdm_str_t){text + 1, n - 1}, how, out));
        text += n + 1;
    }
    return out->failed ? ABDM_ERR(MEMORY, "sms request") : ABDM_NO_ERR;
}


/* A text or a secret, as it is: the caller wipes `out`. */
static abdm_err_t
fill_value(const fill_t *fill, const json_t *value, abdm_buf_t *out)
{
    if (json_is_string(value))
        return fill_text(fill, json_string_value(value), AS_IT_IS, out);
    add_secret(value, AS_IT_IS, out);
    return out->failed ? ABDM_ERR(MEMORY, "sms request") : ABDM_NO_ERR;
}


/* name=value&name=value, of a query or a form. */
static abdm_err_t
fill_pairs(const fill_t *fill, const json_t *pairs, abdm_buf_t *out)
{
    const char *name, *between = "";
    json_t *value;

    json_object_foreach((json_t *) pairs, name, value)
    {
        abdm_buf_t text = {0};

        abdm_buf_addz(out, between);
        abdm_hmis_percent_encode(out, abdm_str(name));
        abdm_buf_addz(out, "=");
        abdm_err_t err = fill_value(fill, value, &text);
        if (!abdm_failed(err))
            abdm_hmis_percent_encode(out, abdm_buf_str(&text));
        abdm_buf_wipe_free(&text);
        ABDM_TRY(err);
        between = "&";
    }
    return out->failed ? ABDM_ERR(MEMORY, "sms request") : ABDM_NO_ERR;
}


static abdm_err_t
fill_json(const fill_t *fill, const json_t *value, abdm_jw_t *w)
{
    abdm_err_t err = ABDM_NO_ERR;
    const char *name;
    json_t *item;
    size_t i;

    if (json_is_string(value) || abdm_sms_is_secret(value)) {
        abdm_buf_t text = {0};

        err = fill_value(fill, value, &text);
        if (!abdm_failed(err))
            abdm_jw_str(w, abdm_buf_str(&text));
        abdm_buf_wipe_free(&text);
    } else if (json_is_array(value)) {
        abdm_jw_open(w, '[');
        json_array_foreach(value, i, item) ABDM_TRY(fill_json(fill, item, w));
        abdm_jw_close(w, ']');
    } else if (json_is_object(value)) {
        abdm_jw_open(w, '{');
        json_object_foreach((json_t *) value, name, item)
        {
            abdm_jw_key(w, name);
            ABDM_TRY(fill_json(fill, item, w));
        }
        abdm_jw_close(w, '}');
    } else {
        abdm_jw_json(w, value);
    }
    return err;
}


static abdm_err_t
fill_url(const fill_t *fill, abdm_hmis_request_t *out)
{
    const json_t *template = fill->sms->template;
    abdm_buf_t path = {0};

    abdm_err_t err =
        fill_text(fill, json_string_value(json_object_get(template, "path")), PERCENT, &path);
    if (!abdm_failed(err) && json_object_size(json_object_get(template, "query")) > 0) {
        abdm_buf_addz(&path, "?");
        err = fill_pairs(fill, json_object_get(template, "query"), &path);
    }
    if (abdm_failed(err)) {
        abdm_buf_wipe_free(&path);
        return err;
    }
    size_t len = path.len;
    char *z = abdm_buf_take(&path);
    if (z == NULL)
        return ABDM_ERR(MEMORY, "sms request");
    err = abdm_hmis_base_request(&fill->sms->base, z, out);
    abdm_wipe(z, len);
    free(z);
    return err;
}


static bool
has_control(abdm_str_t s)
{
    for (size_t i = 0; i < s.len; i++) {
        if ((unsigned char) s.p[i] < ' ' || s.p[i] == 0x7f)
            return true;
    }
    return false;
}


static abdm_err_t
fill_header(const fill_t *fill, const char *name, const json_t *value, char **out)
{
    abdm_buf_t line = {0};

    abdm_buf_addf(&line, "%s: ", name);
    abdm_err_t err = fill_value(fill, value, &line);
    if (!abdm_failed(err) && has_control(abdm_buf_str(&line)))
        err = ABDM_ERR(FIELD, "headers: a value holds a control character");
    if (abdm_failed(err)) {
        abdm_buf_wipe_free(&line);
        return err;
    }
    *out = abdm_buf_take(&line);
    return *out == NULL ? ABDM_ERR(MEMORY, "sms request") : ABDM_NO_ERR;
}


static abdm_err_t
fill_headers(const fill_t *fill, abdm_hmis_request_t *out)
{
    const json_t *headers = json_object_get(fill->sms->template, "headers");
    const char *name;
    json_t *value;
    size_t n = 0;

    if (json_object_size(headers) == 0)
        return ABDM_NO_ERR;
    out->header = calloc(json_object_size(headers) + 1, sizeof *out->header);
    if (out->header == NULL)
        return ABDM_ERR(MEMORY, "sms request");
    json_object_foreach((json_t *) headers, name, value)
        ABDM_TRY(fill_header(fill, name, value, &out->header[n++]));
    return ABDM_NO_ERR;
}


static abdm_err_t
fill_body(const fill_t *fill, abdm_hmis_request_t *out)
{
    const json_t *template = fill->sms->template, *json = json_object_get(template, "json");
    const char *method = json_string_value(json_object_get(template, "method"));
    abdm_err_t err;
    abdm_buf_t body = {0};
    abdm_jw_t w;

    if (method != NULL && strcmp(method, "GET") == 0)
        return ABDM_NO_ERR;
    if (json != NULL) {
        abdm_jw_begin(&w, &body);
        err = fill_json(fill, json, &w);
    } else {
        err = fill_pairs(fill, json_object_get(template, "form"), &body);
    }
    if (abdm_failed(err)) {
        abdm_buf_wipe_free(&body);
        return err;
    }
    out->content_type = abdm_str_dup(json != NULL ? ABDM_LIT("application/json")
                                                  : ABDM_LIT("application/x-www-form-urlencoded"));
    abdm_buf_addz(&body, "");
    out->body_len = body.len;
    out->body = abdm_buf_take(&body);
    return out->body == NULL || out->content_type == NULL ? ABDM_ERR(MEMORY, "sms request")
                                                          : ABDM_NO_ERR;
}


abdm_err_t
abdm_sms_request(const abdm_sms_t *sms, const char *name, const json_t *vars,
                 abdm_hmis_request_t *out)
{
    const json_t *message = json_object_get(json_object_get(sms->template, "messages"), name);
    const fill_t fill = {sms, message, vars};

    *out = (abdm_hmis_request_t){0};
    if (message == NULL)
        return ABDM_ERR(CONFIG, "sms template: it has no such message");
    abdm_err_t err = fill_url(&fill, out);
    if (!abdm_failed(err))
        err = fill_headers(&fill, out);
    if (!abdm_failed(err))
        err = fill_body(&fill, out);
    if (abdm_failed(err))
        abdm_hmis_request_clear(out);
    return err;
}


static bool
is_good_status(const json_t *success, int status)
{
    const json_t *list = json_object_get(success, "status"), *code;
    size_t i;

    if (list == NULL)
        return status >= 200 && status < 300;
    json_array_foreach(list, i, code)
    {
        if (json_integer_value(code) == status)
            return true;
    }
    return false;
}


static bool
is_good_answer(const json_t *success, const char *body, size_t len)
{
    const char *begins = json_string_value(json_object_get(success, "begins"));
    const char *member = json_string_value(json_object_get(success, "member"));
    json_t *answer;

    if (begins != NULL) {
        while (len > 0 && memchr(" \t\r\n", *body, 4) != NULL) {
            body++;
            len--;
        }
        return abdm_str_starts((abdm_str_t){body, len}, abdm_str(begins));
    }
    if (member == NULL)
        return true;
    if (len > ANSWER_MAX || abdm_failed(abdm_json_parse(body, len, ABDM_JSON_DEPTH, &answer)))
        return false;
    bool good = json_equal(abdm_json_at(answer, member), json_object_get(success, "equals"));
    json_decref(answer);
    return good;
}


abdm_err_t
abdm_sms_judge(const abdm_sms_t *sms, int status, const char *body, size_t len, bool *again)
{
    const json_t *success = json_object_get(sms->template, "success");

    *again = false;
    if (!is_good_status(success, status)) {
        *again = status >= 500 || status == 408 || status == 429;
        return ABDM_ERR(SMS, "the provider answered with an error status");
    }
    if (!is_good_answer(success, body, len))
        return ABDM_ERR(SMS, "the provider answered that it did not take it");
    return ABDM_NO_ERR;
}
