/* Lookups and registration as they are answered: four shapes of the registry, two of the gateway.
 */
#include "gateway/bridge.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "gateway/wire.h"

enum { SERVICES_MAX = 10000 };


static void
take(const json_t *root, const char *path, char *out, size_t cap)
{
    abdm_wire_text(abdm_str(abdm_json_string_at(root, path)), out, cap);
}


/* What is not said is true: it speaks of trouble when there is some. */
static bool
is_not_false(const json_t *root, const char *path)
{
    return !json_is_false(json_object_get(root, path));
}


static bool
has_type(const json_t *types, const char *wanted)
{
    const json_t *type;
    size_t i;

    json_array_foreach((json_t *) types, i, type)
    {
        if (json_is_string(type) && strcasecmp(json_string_value(type), wanted) == 0)
            return true;
    }
    return false;
}


static void
take_service(const json_t *json, abdm_service_t *out)
{
    const json_t *types = json_object_get(json, "types");

    *out = (abdm_service_t){0};
    take(json, "serviceId", out->id, sizeof out->id);
    if (out->id[0] == '\0')
        take(json, "id", out->id, sizeof out->id);
    take(json, "name", out->name, sizeof out->name);
    take(json, "bridgeId", out->bridge_id, sizeof out->bridge_id);
    out->is_hip = types != NULL ? has_type(types, "HIP") : is_not_false(json, "isHip");
    out->active = is_not_false(json, "active");
}


static abdm_err_t
take_bridge(const json_t *json, abdm_bridge_t *out)
{
    const json_t *services = json_object_get(json, "services");
    const json_t *bridge = json_object_get(json, "bridge");
    size_t n = json_array_size(services);

    if (!json_is_object(bridge) || n > SERVICES_MAX)
        return ABDM_ERR(GATEWAY_REFUSED, "bridge-services: {bridge, services} is expected");
    take(bridge, "id", out->id, sizeof out->id);
    take(bridge, "url", out->url, sizeof out->url);
    out->active = is_not_false(bridge, "active");
    out->blocklisted = json_is_true(json_object_get(bridge, "blocklisted"));
    out->service = calloc(n + 1, sizeof *out->service);
    if (out->service == NULL)
        return ABDM_ERR(MEMORY, "bridge-services");
    for (out->n = 0; out->n < n; out->n++)
        take_service(json_array_get(services, out->n), &out->service[out->n]);
    return ABDM_NO_ERR;
}


abdm_err_t
abdm_bridge_read(abdm_str_t body, abdm_bridge_t *out)
{
    json_t *json;

    *out = (abdm_bridge_t){.active = true};
    if (body.len == 0)
        return ABDM_NO_ERR;
    abdm_err_t err = abdm_json_parse(body.p, body.len, ABDM_JSON_DEPTH, &json);
    if (abdm_failed(err))
        return err.code == ABDM_E_MEMORY ? err
                                         : ABDM_ERR(GATEWAY_REFUSED, "bridge-services: not JSON");
    err = take_bridge(json, out);
    json_decref(json);
    return err;
}


void
abdm_bridge_clear(abdm_bridge_t *bridge)
{
    free(bridge->service);
    *bridge = (abdm_bridge_t){0};
}


abdm_err_t
abdm_service_read(abdm_str_t body, abdm_service_t *out)
{
    json_t *json;

    *out = (abdm_service_t){0};
    abdm_err_t err = abdm_json_parse(body.p, body.len, ABDM_JSON_DEPTH, &json);
    if (abdm_failed(err))
        return err.code == ABDM_E_MEMORY ? err
                                         : ABDM_ERR(GATEWAY_REFUSED, "bridge-service: not JSON");
    take_service(json, out);
    json_decref(json);
    return out->id[0] == '\0' ? ABDM_ERR(GATEWAY_REFUSED, "bridge-service: no service id")
                              : ABDM_NO_ERR;
}


bool
abdm_service_is_sibling(const char *id, const char *other)
{
    size_t n = strcspn(id, "_");

    return n > 0 && strcspn(other, "_") == n && strncasecmp(id, other, n) == 0;
}


/* --- the registry --- */

/* "... already associated ... service id: IN0990001234_1": the id stands in the prose. */
static bool
take_service_id(const char *prose, char id[ABDM_BRIDGE_ID])
{
    static const char lead[] = "service id";
    static const char of_id[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
    const char *p = strcasestr(prose, lead);
    size_t n;

    if (p == NULL)
        return false;
    p += sizeof lead - 1;
    p += strspn(p, " :=\"'");
    n = strspn(p, of_id);
    if (n == 0 || n >= ABDM_BRIDGE_ID)
        return false;
    memcpy(id, p, n);
    id[n] = '\0';
    return true;
}


static void
take_error(const json_t *error, abdm_registry_answer_t *out)
{
    const char *prose = abdm_json_string_at(error, "message");

    abdm_wire_code(json_object_get(error, "code"), out->code, sizeof out->code);
    abdm_wire_message(error, out->text, sizeof out->text);
    out->outcome = ABDM_REGISTERED_NOT;
    if (prose == NULL)
        return;
    if (strcasestr(prose, "already associated") != NULL || take_service_id(prose, out->id)) {
        take_service_id(prose, out->id);
        out->outcome = ABDM_REGISTERED_BEFORE;
    } else if (strcasestr(prose, "name") != NULL && strcasestr(prose, "not matched") != NULL) {
        out->outcome = ABDM_REGISTERED_NAME;
    }
}


static void
take_answer(const json_t *json, abdm_registry_answer_t *out)
{
    const json_t *first = json_is_array(json) ? json_array_get(json, 0) : json;
    const json_t *linked = json_object_get(first, "servicesLinked");
    const json_t *detail = abdm_json_at(first, "details.0");

    if (json_is_array(linked))
        linked = json_array_get(linked, 0);
    if (json_is_object(linked)) {
        out->outcome = ABDM_REGISTERED_NEW;
        take(linked, "id", out->id, sizeof out->id);
    } else if (json_object_size(json_object_get(first, "error")) > 0) {
        take_error(json_object_get(first, "error"), out);
    } else {
        take_error(detail != NULL ? detail : first, out);
    }
}


void
abdm_registry_read(int status, abdm_str_t body, abdm_registry_answer_t *out)
{
    json_t *json;

    *out = (abdm_registry_answer_t){.outcome = ABDM_REGISTERED_NOT};
    if (abdm_failed(abdm_json_parse(body.p, body.len, ABDM_JSON_DEPTH, &json))) {
        abdm_wire_text(body, out->text, sizeof out->text);
        return;
    }
    take_answer(json, out);
    json_decref(json);
    if (status / 100 != 2 && out->outcome == ABDM_REGISTERED_NEW)
        out->outcome = ABDM_REGISTERED_NOT;
}
