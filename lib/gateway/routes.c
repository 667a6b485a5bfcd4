/* The table of callbacks (gateway protocol 11) and the search in it. */
#include "gateway/routes.h"

#include <string.h>

enum { ALIASES = 7 };

typedef struct {
    abdm_route_t route;
    const char *alias[ALIASES]; /* without "/api"; NULL ends the list */
} row_t;

#define HIP    ABDM_FACILITY_HIP
#define HIU    ABDM_FACILITY_HIU
#define EITHER ABDM_FACILITY_EITHER
#define NONE   ABDM_FACILITY_NONE

#define STATUS "/v0.5/patients/status/notify"

/* Not here: the v0.5 heartbeat, a GET that wants its answer at once. */
static const row_t rows[] = {
    /* HIP: linking by the hospital */
    {{"/api/v3/hip/token/on-generate-token", "link.token_came", HIP}, {NULL}},
    {{"/api/v3/link/on_carecontext", "link.linked", HIP},
     {"/v3/link/on-care-context", "/v3/link/on-carecontext", "/v3/hip/link/on-carecontext",
      "/link/on-care-context", "/link/on-carecontext", "/hip/link/on-carecontext"}},
    {{"/api/v3/links/context/on-notify", "context.notified", HIP},
     {"/v3/link/context/on-notify", "/link/context/on-notify"}},
    {{"/api/v3/patients/sms/on-notify", "sms.notified", HIP}, {NULL}},

    /* HIP: linking by the patient */
    {{"/api/v3/hip/patient/care-context/discover", "discovery.asked", HIP},
     {"/v0.5/care-contexts/discover"}},
    {{"/api/v3/hip/link/care-context/init", "link.init_asked", HIP},
     {"/v0.5/links/link/init"}},
    {{"/api/v3/hip/link/care-context/confirm", "link.confirm_asked", HIP},
     {"/v0.5/links/link/confirm"}},

    /* HIP: consent, data, front desk */
    {{"/api/v3/consent/request/hip/notify", "consent.notified", HIP},
     {"/v0.5/consents/hip/notify"}},
    {{"/api/v3/hip/health-information/request", "transfer.requested", HIP},
     {"/v0.5/health-information/hip/request"}},
    {{"/api/v3/hip/patient/share", "share.asked", HIP},
     {"/v3/hip/patient/profile/share", "/patient-share/v3/share", "/v1.0/patients/profile/share",
      "/v0.5/patients/profile/share"}},

    /* both roles */
    {{STATUS, "patient.status", EITHER}, {NULL}},
    {{"/v0.5/users/auth/on-fetch-modes", "auth.modes", EITHER}, {NULL}},
    {{"/v0.5/users/auth/on-init", "auth.begun", EITHER}, {NULL}},
    {{"/v0.5/users/auth/on-confirm", "auth.confirmed", EITHER}, {NULL}},
    {{"/v0.5/users/auth/notify", "auth.notified", EITHER}, {NULL}},
    {{"/v0.5/links/link/on-add-contexts", "link.linked", HIP}, {NULL}},
    {{"/v0.5/links/context/on-notify", "context.notified", HIP}, {NULL}},
    {{"/v0.5/patients/sms/on-notify", "sms.notified", HIP}, {NULL}},
    {{"/v0.5/patients/on-find", NULL, HIU}, {NULL}},

    /* HIU: consent and data */
    {{"/api/v3/hiu/consent/request/on-init", NULL, HIU}, {"/v0.5/consent-requests/on-init"}},
    {{"/api/v3/hiu/consent/request/on-status", NULL, HIU},
     {"/v0.5/consent-requests/on-status"}},
    {{"/api/v3/hiu/consent/request/notify", NULL, HIU},
     {"/v0.5/consents/hiu/notify"}},
    {{"/api/v3/hiu/consent/on-fetch", "consent.fetched", EITHER}, {"/v0.5/consents/on-fetch"}},
    {{"/api/v3/hiu/health-information/on-request", NULL, HIU},
     {"/v0.5/health-information/hiu/on-request", "/v0.5/health-information/cm/on-request"}},
    {{"/v0.5/health-information/transfer", NULL, NONE}, {NULL}},

    /* HIU: subscriptions */
    {{"/api/v3/hiu/subscription-requests/on-init", NULL, HIU},
     {"/v3/hiu/hiecm/subscription-requests/on-init", "/v0.5/subscription-requests/hiu/on-init"}},
    {{"/api/v3/hiu/subscription-requests/hiu/notify", NULL, HIU},
     {"/v0.5/subscription-requests/hiu/notify"}},
    {{"/api/v3/hiu/subscription/notify", NULL, HIU},
     {"/v0.5/subscriptions/hiu/notify"}},

    /* PHR apps */
    {{"/api/v3/hiu/patient/care-context/on-discover", NULL, HIU}, {NULL}},
    {{"/api/v3/hiu/patient/care-context/on-init", NULL, HIU}, {NULL}},
    {{"/api/v3/hiu/patient/care-context/on-confirm", NULL, HIU}, {NULL}},
    {{"/api/v3/hiu/patient/on-share", NULL, HIU}, {NULL}},
};

/* The V3 path of the patient's status is not published; whatever it is, its end can be told. */
static const char *const status_ends[] = {"/patients/status/notify", "/patient/status/notify"};

/* What ABDM may add one day is kept, so that its form can be learned. */
static const abdm_route_t catch_all = {"*", NULL, EITHER};

static const char *const callback_roots[] = {"/api/v3/", "/v3/", "/v0.5/"};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))


/* Drops `head` from `s` where a new segment follows it. */
static bool
drop_segments(abdm_str_t *s, abdm_str_t head)
{
    if (!abdm_str_starts(*s, head) || s->len == head.len || s->p[head.len] != '/')
        return false;
    s->p += head.len;
    s->len -= head.len;
    return true;
}


static bool
row_serves(const row_t *row, abdm_str_t path)
{
    abdm_str_t canonical = abdm_str(row->route.path);

    (void) drop_segments(&canonical, ABDM_LIT("/api"));
    if (abdm_str_eq(canonical, path))
        return true;
    for (size_t i = 0; row->alias[i] != NULL; i++) {
        if (abdm_str_eq(abdm_str(row->alias[i]), path))
            return true;
    }
    return false;
}


static bool
is_status_of_v3(abdm_str_t path)
{
    if (!abdm_str_starts(path, ABDM_LIT("/v3/")))
        return false;
    for (size_t i = 0; i < COUNT(status_ends); i++) {
        abdm_str_t end = abdm_str(status_ends[i]);
        if (path.len >= end.len &&
            abdm_str_eq((abdm_str_t){path.p + path.len - end.len, end.len}, end))
            return true;
    }
    return false;
}


const abdm_route_t *
abdm_route_find(abdm_str_t prefix, abdm_str_t path)
{
    if (prefix.len > 0 && prefix.p[prefix.len - 1] == '/')
        prefix.len--;
    if (!drop_segments(&path, prefix))
        return NULL;
    (void) drop_segments(&path, ABDM_LIT("/api"));
    if (path.p[path.len - 1] == '/')
        path.len--;
    if (is_status_of_v3(path))
        path = abdm_str(STATUS);

    for (size_t i = 0; i < COUNT(rows); i++) {
        if (row_serves(&rows[i], path))
            return &rows[i].route;
    }
    for (size_t i = 0; i < COUNT(callback_roots); i++) {
        abdm_str_t root = abdm_str(callback_roots[i]);

        (void) drop_segments(&root, ABDM_LIT("/api"));
        if (path.len > root.len && abdm_str_starts(path, root))
            return &catch_all;
    }
    return NULL;
}


const char *
abdm_route_root(size_t n)
{
    return n < COUNT(callback_roots) ? callback_roots[n] : NULL;
}


const abdm_route_t *
abdm_route_row(size_t n)
{
    return n < COUNT(rows) ? &rows[n].route : NULL;
}


const char *
abdm_route_alias(const abdm_route_t *row, size_t n)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        if (row == &rows[i].route)
            return n < ALIASES ? rows[i].alias[n] : NULL;
    }
    return NULL;
}
