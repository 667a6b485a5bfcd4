/*
 * What the gateway answers to our own calls of linking: how it went, link tokens, and the steps of
 * users/auth (gateway protocol 3.1-3.4, 5.3, 6.2; contradictions 16-18 and 66 of section 8).
 * Whether a call failed is told by its `error` first; of the many words of `status` only those
 * that speak of a failure count, since a success is told in free text.
 */
#include "gateway/inbound_link.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/wire.h"

enum {
    TOKEN_MAX = 8192, /* it must go into a header */
    MODE_MAX = 32,
};

static const double LAST_SECOND = 253402300799; /* of the year 9999 */

#define REFUSED_TOKEN ": a token of 1 to 8192 printable characters expected"


static void
take_text_of_status(const char *status, abdm_in_outcome_t *out)
{
    abdm_str_t s = abdm_str(status);
    bool failed = (s.len >= 3 && abdm_str_ieq((abdm_str_t){s.p, 3}, ABDM_LIT("ERR"))) ||
                  (s.len >= 4 && abdm_str_ieq((abdm_str_t){s.p, 4}, ABDM_LIT("FAIL")));

    out->failed |= failed;
    if (failed && out->text[0] == '\0')
        abdm_wire_text(s, out->text, sizeof out->text);
}


/* ERRORED, ERROR, FAILED, FAILURE, "Failed to link care context"... */
static abdm_err_t
take_status(const json_t *body, abdm_in_outcome_t *out)
{
    const json_t *ack = abdm_json_at(body, "acknowledgement");
    const json_t *status = abdm_json_at(body, "status");

    if (ack == NULL)
        ack = abdm_json_at(body, "acknowledgment");
    if (json_is_array(ack))
        ack = json_array_get(ack, 0);
    if (ack != NULL && !json_is_object(ack) && !json_is_string(ack) && !json_is_null(ack))
        return ABDM_ERR(FIELD, "acknowledgement: an object expected");
    if (json_is_object(ack))
        ack = abdm_json_at(ack, "status");
    if (ack != NULL && !json_is_string(ack) && !json_is_null(ack))
        return ABDM_ERR(FIELD, "acknowledgement.status: text expected");
    if (status != NULL && !json_is_string(status))
        return ABDM_ERR(FIELD, "status: text expected");
    take_text_of_status(json_string_value(ack), out);
    take_text_of_status(json_string_value(status), out);
    return ABDM_NO_ERR;
}


/* Senders write an error that is none: null, {}, [], "", false, or members that are null. */
static bool
says_something(const json_t *v)
{
    const char *key;
    json_t *member;

    json_object_foreach((json_t *) v, key, member) {
        if (says_something(member))
            return true;
    }
    return json_array_size(v) > 0 || (json_is_string(v) && json_string_length(v) > 0) ||
           (json_is_number(v) && json_number_value(v) != 0) || json_is_true(v);
}


static void
take_error(const json_t *error, abdm_in_outcome_t *out)
{
    if (!says_something(error))
        return;
    out->failed = true;
    if (json_is_array(error))
        error = json_array_get(error, 0);
    if (json_is_object(abdm_json_at(error, "error")))
        error = abdm_json_at(error, "error");

    if (json_is_object(error)) {
        abdm_wire_code(abdm_json_at(error, "code"), out->code, sizeof out->code);
        abdm_wire_message(error, out->text, sizeof out->text);
    } else if (json_is_string(error)) {
        abdm_wire_text(abdm_str(json_string_value(error)), out->text, sizeof out->text);
    } else {
        abdm_wire_code(error, out->code, sizeof out->code);
    }
}


static abdm_err_t
take_request_id(const json_t *body, char **out)
{
    const json_t *response = abdm_json_at(body, "response"), *resp = abdm_json_at(body, "resp");

    if ((response != NULL && !json_is_object(response)) || (resp != NULL && !json_is_object(resp)))
        return ABDM_ERR(FIELD, "response: an object expected");
    ABDM_TRY(ABDM_IN_OPTIONAL_ID(response, "response.", "requestId", out));
    return *out == NULL ? ABDM_IN_OPTIONAL_ID(resp, "resp.", "requestId", out) : ABDM_NO_ERR;
}


abdm_err_t
abdm_in_outcome(const json_t *body, abdm_in_outcome_t *out)
{
    *out = (abdm_in_outcome_t){0};
    if (!json_is_object(body))
        return ABDM_ERR(FIELD, "callback: an object expected");

    abdm_err_t err = take_request_id(body, &out->request_id);
    take_error(abdm_json_at(body, "error"), out);
    ABDM_TRY(err);
    return take_status(body, out);
}


abdm_err_t
abdm_in_linked(const json_t *body, abdm_in_outcome_t *out, char **abha_address)
{
    *abha_address = NULL;
    ABDM_TRY(abdm_in_outcome(body, out));
    return abdm_in_optional_address(body, "abhaAddress", "abhaAddress: no ABHA address",
                                    abha_address);
}


void
abdm_in_outcome_clear(abdm_in_outcome_t *outcome)
{
    free(outcome->request_id);
    *outcome = (abdm_in_outcome_t){0};
}


/* --- link tokens --- */

static bool
is_token(abdm_str_t s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] <= ' ' || s.p[i] >= 0x7f)
            return false;
    }
    return s.len > 0 && s.len <= TOKEN_MAX;
}


static abdm_ms_t
expiry_of_claims(const char *p, size_t len)
{
    int64_t seconds = 0;
    json_t *claims;

    if (abdm_failed(abdm_json_parse(p, len, ABDM_JSON_DEPTH, &claims)))
        return 0;
    const json_t *exp = abdm_json_at(claims, "exp");
    if (json_is_real(exp) && json_real_value(exp) > 0 && json_real_value(exp) <= LAST_SECOND)
        seconds = (int64_t) json_real_value(exp);
    else
        (void) abdm_json_int_at(claims, "exp", &seconds);
    json_decref(claims);
    return seconds > 0 && (double) seconds <= LAST_SECOND ? seconds * 1000 : 0;
}


/* The token is the gateway's to verify; what it says of its end only saves us from sending it in
 * vain. 0: it says nothing that can be read. */
static abdm_ms_t
expiry_of(abdm_str_t token)
{
    const char *first = memchr(token.p, '.', token.len);
    const char *last = memrchr(token.p, '.', token.len);
    uint8_t claims[TOKEN_MAX];
    abdm_ms_t expiry = 0;
    size_t n;

    if (first == last)
        return 0;
    abdm_str_t middle = {first + 1, (size_t) (last - first - 1)};
    if (abdm_base64url_decode(middle, claims, sizeof claims, &n))
        expiry = expiry_of_claims((const char *) claims, n);
    abdm_wipe(claims, sizeof claims);
    return expiry;
}


static abdm_err_t
take_token(const json_t *root, const char *path, const char *fault, abdm_in_token_t *out)
{
    abdm_str_t token = abdm_str(abdm_json_string_at(root, path));

    if (!is_token(token))
        return ABDM_ERR(FIELD, fault);
    out->token = abdm_str_dup(token);
    out->expires_at = expiry_of(token);
    return out->token == NULL ? ABDM_ERR(MEMORY, "callback: copy of a token") : ABDM_NO_ERR;
}


abdm_err_t
abdm_in_link_token(const json_t *body, abdm_in_token_t *out)
{
    *out = (abdm_in_token_t){0};
    ABDM_TRY(abdm_in_outcome(body, &out->outcome));
    ABDM_TRY(abdm_in_optional_address(body, "abhaAddress", "abhaAddress: no ABHA address",
                                      &out->abha_address));
    if (out->outcome.failed)
        return ABDM_NO_ERR;
    return take_token(body, "linkToken", "linkToken" REFUSED_TOKEN, out);
}


/* `auth` of the answers of users/auth; a failure needs none. */
static abdm_err_t
check_auth(const json_t *auth, const abdm_in_outcome_t *outcome)
{
    if (!json_is_object(auth) && (auth != NULL || !outcome->failed))
        return ABDM_ERR(FIELD, "auth: an object expected");
    return ABDM_NO_ERR;
}


static abdm_err_t
take_access_token(const json_t *auth, abdm_in_token_t *out)
{
    ABDM_TRY(abdm_in_optional_address(auth, "patient.id", "auth.patient.id: no ABHA address",
                                      &out->abha_address));
    if (out->outcome.failed || out->denied)
        return ABDM_NO_ERR;
    return take_token(auth, "accessToken", "auth.accessToken" REFUSED_TOKEN, out);
}


abdm_err_t
abdm_in_auth_confirmed(const json_t *body, abdm_in_token_t *out)
{
    const json_t *auth = abdm_json_at(body, "auth");

    *out = (abdm_in_token_t){0};
    ABDM_TRY(abdm_in_outcome(body, &out->outcome));
    ABDM_TRY(check_auth(auth, &out->outcome));
    return take_access_token(auth, out);
}


abdm_err_t
abdm_in_auth_notified(const json_t *body, abdm_in_token_t *out)
{
    const json_t *auth = abdm_json_at(body, "auth");
    abdm_str_t status = abdm_str(abdm_json_string_at(auth, "status"));

    *out = (abdm_in_token_t){0};
    ABDM_TRY(abdm_in_outcome(body, &out->outcome));
    ABDM_TRY(check_auth(auth, &out->outcome));
    ABDM_TRY(ABDM_IN_OPTIONAL_ID(auth, "auth.", "transactionId", &out->transaction_id));
    if (out->outcome.failed)
        return ABDM_NO_ERR;
    if (out->transaction_id == NULL)
        return ABDM_ERR(FIELD, "auth.transactionId: missing");
    out->denied = abdm_str_ieq(status, ABDM_LIT("DENIED"));
    if (!out->denied && !abdm_str_ieq(status, ABDM_LIT("GRANTED")))
        return ABDM_ERR(FIELD, "auth.status: GRANTED or DENIED expected");
    return take_access_token(auth, out);
}


void
abdm_in_token_clear(abdm_in_token_t *token)
{
    abdm_in_outcome_clear(&token->outcome);
    free(token->abha_address);
    if (token->token != NULL)
        abdm_wipe(token->token, strlen(token->token));
    free(token->token);
    free(token->transaction_id);
    *token = (abdm_in_token_t){0};
}


/* --- v0.5 users/auth: fetch-modes and init --- */

/* Those that can be used; PASSWORD is offered too, but nobody can. */
static const char *const modes[] = {"MOBILE_OTP", "AADHAAR_OTP", "DEMOGRAPHICS", "DIRECT"};

enum { MODES = sizeof modes / sizeof modes[0] };


static size_t
mode_of(abdm_str_t name)
{
    size_t i = 0;

    while (i < MODES && !abdm_str_ieq(name, abdm_str(modes[i])))
        i++;
    return i;
}


abdm_err_t
abdm_in_auth_modes(const json_t *body, abdm_in_auth_t *out)
{
    const json_t *auth = abdm_json_at(body, "auth"), *list = abdm_json_at(auth, "modes"), *item;
    bool had[MODES] = {false};
    size_t i;

    *out = (abdm_in_auth_t){0};
    ABDM_TRY(abdm_in_outcome(body, &out->outcome));
    ABDM_TRY(check_auth(auth, &out->outcome));
    if (out->outcome.failed)
        return ABDM_NO_ERR;
    if (!json_is_array(list))
        return ABDM_ERR(FIELD, "auth.modes: a list expected");
    json_array_foreach(list, i, item) {
        if (!json_is_string(item))
            return ABDM_ERR(FIELD, "auth.modes: a list of texts expected");
        size_t mode = mode_of(abdm_str(json_string_value(item)));
        if (mode == MODES || had[mode])
            continue;
        size_t n = strlen(out->modes);
        snprintf(out->modes + n, sizeof out->modes - n, "%s%s", n > 0 ? " " : "", modes[mode]);
        had[mode] = true;
    }
    return ABDM_NO_ERR;
}


abdm_err_t
abdm_in_auth_begun(const json_t *body, abdm_in_auth_t *out)
{
    const json_t *auth = abdm_json_at(body, "auth");

    *out = (abdm_in_auth_t){0};
    ABDM_TRY(abdm_in_outcome(body, &out->outcome));
    ABDM_TRY(check_auth(auth, &out->outcome));
    if (out->outcome.failed)
        return ABDM_IN_OPTIONAL_ID(auth, "auth.", "transactionId", &out->transaction_id);
    ABDM_TRY(ABDM_IN_TAKE_ID(auth, "auth.", "transactionId", &out->transaction_id));
    ABDM_TRY(abdm_in_take_text(auth, "mode", MODE_MAX,
                               "auth.mode: text of 1 to 32 bytes expected", &out->mode));
    ABDM_TRY(ABDM_IN_OPTIONAL_ID(auth, "auth.", "meta.hint", &out->hint));

    /* Senders write odd things here: only what is a date counts. */
    const char *expiry = abdm_json_string_at(auth, "meta.expiry");
    if (abdm_failed(abdm_time_parse(abdm_str(expiry), &out->expires_at)))
        out->expires_at = 0;
    return ABDM_NO_ERR;
}


void
abdm_in_auth_clear(abdm_in_auth_t *auth)
{
    abdm_in_outcome_clear(&auth->outcome);
    free(auth->transaction_id);
    free(auth->mode);
    free(auth->hint);
    *auth = (abdm_in_auth_t){0};
}
