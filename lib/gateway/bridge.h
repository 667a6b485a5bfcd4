/*
 * What the gateway and the facility registry say of a bridge and its services (gateway
 * protocol 1.7, 1.8). For operators' commands: texts are printable ASCII, cut to their room.
 */
#ifndef ABDM_GATEWAY_BRIDGE_H
#define ABDM_GATEWAY_BRIDGE_H

#include "core/buf.h"
#include "core/err.h"

enum { ABDM_BRIDGE_ID = 65, ABDM_BRIDGE_TEXT = 161, ABDM_BRIDGE_URL = 513 };

typedef struct {
    char id[ABDM_BRIDGE_ID]; /* service id */
    char name[ABDM_BRIDGE_TEXT];
    char bridge_id[ABDM_BRIDGE_ID]; /* "" when it is not told: the caller's */
    bool is_hip;
    bool active;
} abdm_service_t;

typedef struct {
    char id[ABDM_BRIDGE_ID];
    char url[ABDM_BRIDGE_URL]; /* "": none is registered */
    bool active;
    bool blocklisted;
    abdm_service_t *service; /* owned */
    size_t n;
} abdm_bridge_t;

/* The answer of ABDM_PATH_BRIDGE_SERVICES; an empty one (204) is a bridge without anything.
 * E_GATEWAY_REFUSED when it is something else, E_MEMORY. Clear it in every case. */
abdm_err_t abdm_bridge_read(abdm_str_t body, abdm_bridge_t *out);
void abdm_bridge_clear(abdm_bridge_t *bridge);

/* The answer of ABDM_PATH_SERVICE with a 2xx status. */
abdm_err_t abdm_service_read(abdm_str_t body, abdm_service_t *out);

/* Of the same facility: they differ at most in what follows "_". */
bool abdm_service_is_sibling(const char *id, const char *other);

typedef enum {
    ABDM_REGISTERED_NEW,
    ABDM_REGISTERED_BEFORE, /* it was already, `id` says as what */
    ABDM_REGISTERED_NAME,   /* refused: another name stands in the registry */
    ABDM_REGISTERED_NOT     /* refused: `code` and `text` say why */
} abdm_registered_t;

typedef struct {
    abdm_registered_t outcome;
    char id[ABDM_BRIDGE_ID]; /* service id, "" when it is not told */
    char code[24];
    char text[ABDM_BRIDGE_TEXT];
} abdm_registry_answer_t;

/* The registry answers 200 to failures too, so that the body alone tells. */
void abdm_registry_read(int status, abdm_str_t body, abdm_registry_answer_t *out);

#endif
