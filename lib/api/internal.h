/* Shared by the files of this room only. */
#ifndef ABDM_API_INTERNAL_H
#define ABDM_API_INTERNAL_H

#include "api/api.h"

/* E_NOT_FOUND, E_METHOD_API. `id` points into `path`, empty when the row has none. */
abdm_err_t abdm_api_route_find(abdm_api_flavour_t flavour, abdm_str_t method, abdm_str_t path,
                               const abdm_api_route_t **out, abdm_str_t *id);

#endif
