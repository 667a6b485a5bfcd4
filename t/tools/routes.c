/*
 * The callback paths that the library serves, one line each: "canonical<TAB>path<TAB>facility
 * header", first the canonical path itself, then its aliases, each also without or with "/api", so
 * that tests meet every way in. The last lines are of paths that only the catch-all takes.
 */
#include <stdio.h>
#include <string.h>

#include "gateway/routes.h"

static const char *const headers[] = {
    [ABDM_FACILITY_HIP] = "X-HIP-ID",
    [ABDM_FACILITY_HIU] = "X-HIU-ID",
    [ABDM_FACILITY_EITHER] = "X-HIP-ID",
    [ABDM_FACILITY_NONE] = "-",
};


static void
print(const abdm_route_t *row, const char *path)
{
    static const char api[] = "/api";
    const char *header = headers[row->facility];

    printf("%s\t%s\t%s\n", row->path, path, header);
    if (strncmp(path, "/api/", 5) == 0) {
        printf("%s\t%s\t%s\n", row->path, path + sizeof(api) - 1, header);
    } else {
        printf("%s\t%s%s\t%s\n", row->path, api, path, header);
    }
    printf("%s\t%s/\t%s\n", row->path, path, header);
}


int
main(void)
{
    const abdm_route_t *row;
    const char *path;

    for (size_t i = 0; (row = abdm_route_row(i)) != NULL; i++) {
        print(row, row->path);
        for (size_t k = 0; (path = abdm_route_alias(row, k)) != NULL; k++) {
            print(row, path);
        }
    }
    for (size_t i = 0; (path = abdm_route_root(i)) != NULL; i++) {
        printf("*\t%sone/that/may/come\tX-HIP-ID\n", path);
    }
    printf("*\t/api/v3/anything/patients/status/notify\tX-HIP-ID\n");
    return 0;
}
