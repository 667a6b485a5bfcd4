/*
 * A call as it came → which one it is, and of which facility. Everything that follows is done for
 * that facility alone, so whoever names two different ones is refused rather than guessed at.
 */
#include <stdlib.h>
#include <string.h>

#include "api/decode.h"
#include "api/internal.h"
#include "core/json.h"


void
abdm_api_call_clear(abdm_api_call_t *call)
{
    if (call->body != NULL) {
        abdm_wipe(call->body, call->body_len);
    }
    free(call->hip_id);
    free(call->subject);
    free(call->query);
    free(call->body);
    memset(call, 0, sizeof(*call));
}


/* "application/json; charset=utf-8", of any case. */
static bool
is_json(abdm_str_t type)
{
    const abdm_str_t plain = ABDM_LIT("application/json");

    if (type.len < plain.len || !abdm_str_ieq((abdm_str_t){type.p, plain.len}, plain)) {
        return false;
    }
    return type.len == plain.len || type.p[plain.len] == ';' || type.p[plain.len] == ' ';
}


/* --- the facility --- */

typedef struct {
    const char *const *id;
    size_t n;
    const char *chosen; /* NULL: none named up to now */
} choice_t;


/* By its service id, or by the facility's id before "_1" when only one service has it. */
static abdm_err_t
choose(choice_t *c, abdm_str_t named)
{
    const char *found = NULL;
    size_t others = 0;

    if (named.len == 0) {
        return ABDM_NO_ERR;
    }
    for (size_t i = 0; i < c->n; i++) {
        if (abdm_str_eq(abdm_str(c->id[i]), named)) {
            found = c->id[i];
            others = 0;
            break;
        }
        if (abdm_facility_is(c->id[i], named)) {
            others += found != NULL;
            found = c->id[i];
        }
    }
    if (found == NULL || others > 0) {
        return ABDM_ERR(FACILITY_UNKNOWN, "hipId: not the id of one facility of this server");
    }
    if (c->chosen != NULL && c->chosen != found) {
        return ABDM_ERR(FIELD, "hipId: two facilities are named");
    }
    c->chosen = found;
    return ABDM_NO_ERR;
}


static abdm_err_t
choose_at(choice_t *c, const json_t *body, const char *path)
{
    const json_t *value = abdm_json_at(body, path);

    if (value == NULL) {
        return ABDM_NO_ERR;
    }
    if (!json_is_string(value)) {
        return ABDM_ERR(FIELD, "hipId: a text is expected");
    }
    return choose(c, (abdm_str_t){json_string_value(value), json_string_length(value)});
}


/* Where NHA's wrapper has the facility: requesterId when linking, hipId of each patient that is
 * added, hip.id of a message. */
static abdm_err_t
choose_in_body(choice_t *c, abdm_api_flavour_t flavour, const json_t *body)
{
    size_t i;
    json_t *item;

    ABDM_TRY(choose_at(c, body, "hipId"));
    if (flavour != ABDM_API_NHA) {
        return ABDM_NO_ERR;
    }
    ABDM_TRY(choose_at(c, body, "requesterId"));
    ABDM_TRY(choose_at(c, body, "notification.hip.id"));
    json_array_foreach(body, i, item) {
        ABDM_TRY(choose_at(c, item, "hipId"));
    }
    return ABDM_NO_ERR;
}


static abdm_err_t
choose_in_query(choice_t *c, const char *query)
{
    char *named = NULL;
    abdm_err_t err;

    ABDM_TRY(abdm_api_query(query, "hipId", &named));
    err = choose(c, abdm_str(named));
    free(named);
    return err;
}


static abdm_err_t
choose_facility(const abdm_api_call_t *call, abdm_str_t named, const json_t *body, choice_t *c)
{
    ABDM_TRY(choose(c, named));
    ABDM_TRY(choose_in_query(c, call->query));
    ABDM_TRY(choose_in_body(c, call->route->flavour, body));
    if (c->chosen == NULL && c->n == 1 && !call->route->any_facility) {
        c->chosen = c->id[0];
    }
    if (c->chosen == NULL && !call->route->any_facility) {
        return ABDM_ERR(FACILITY_UNKNOWN, "hipId: there are several facilities, none is named");
    }
    return ABDM_NO_ERR;
}


/* --- the call --- */

static abdm_err_t
read_body(const abdm_api_head_t *head, abdm_api_call_t *out, json_t **body)
{
    if (strcmp(out->route->method, "GET") == 0 || head->body.len == 0) {
        out->body = strdup("");
        return out->body != NULL ? ABDM_NO_ERR : ABDM_ERR(MEMORY, "call");
    }
    if (!is_json(head->content_type)) {
        return ABDM_ERR(CONTENT_TYPE, "Content-Type: application/json is expected");
    }
    out->body = abdm_str_dup(head->body);
    if (out->body == NULL) {
        return ABDM_ERR(MEMORY, "call");
    }
    out->body_len = head->body.len;
    ABDM_TRY(abdm_json_parse(out->body, out->body_len, ABDM_JSON_DEPTH, body));
    if (!json_is_object(*body) && !json_is_array(*body)) {
        return ABDM_ERR(JSON, "body: an object is expected");
    }
    return ABDM_NO_ERR;
}


static abdm_err_t
read_call(const abdm_api_head_t *head, choice_t *choice, abdm_api_call_t *out, json_t **body)
{
    abdm_str_t id;

    ABDM_TRY(abdm_api_route_find(head->flavour, head->method, head->path, &out->route, &id));
    if (id.len > ABDM_API_REFERENCE || (id.len > 0 && memchr(id.p, '\0', id.len) != NULL)) {
        return ABDM_ERR(NOT_FOUND, "path: nothing has such an id");
    }
    out->subject = abdm_str_dup(id);
    out->query = abdm_str_dup(head->query);
    if (out->subject == NULL || out->query == NULL) {
        return ABDM_ERR(MEMORY, "call");
    }
    ABDM_TRY(read_body(head, out, body));
    ABDM_TRY(choose_facility(out, head->facility, *body, choice));
    out->hip_id = strdup(choice->chosen != NULL ? choice->chosen : "");
    return out->hip_id != NULL ? ABDM_NO_ERR : ABDM_ERR(MEMORY, "call");
}


abdm_err_t
abdm_api_read(const abdm_api_head_t *head, const char *const *facilities, size_t n,
              abdm_api_call_t *out)
{
    choice_t choice = {.id = facilities, .n = n};
    json_t *body = NULL;
    abdm_err_t err;

    memset(out, 0, sizeof(*out));
    err = read_call(head, &choice, out, &body);
    json_decref(body);
    if (abdm_failed(err)) {
        abdm_api_call_clear(out);
    }
    return err;
}
