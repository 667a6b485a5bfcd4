/* Paths of callbacks: an input is the prefix, a line end, and the path. */
#include "fuzz.h"

#include "gateway/routes.h"


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    abdm_str_t rest = fuzz_text(data, size);
    abdm_str_t prefix = fuzz_line(&rest);

    const abdm_route_t *route = abdm_route_find(prefix, rest);
    if (route == NULL)
        return 0;
    NEED(abdm_str_starts(rest, prefix));
    /* the canonical path leads to the same row */
    if (strcmp(route->path, "*") != 0)
        NEED(abdm_route_find(ABDM_LIT(""), abdm_str(route->path)) == route);
    return 0;
}
