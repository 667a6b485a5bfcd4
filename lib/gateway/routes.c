/*
 * The table of callbacks (gateway protocol 11) and the search in it. What makes two callbacks
 * the same comes from 7.8 and, for answers to calls of ours, from 2.6.
 */
#include "gateway/routes.h"

#include <string.h>

#include "core/json.h"

enum { ALIASES = 7, KEY_VALUE_MAX = 255 };

typedef struct {
    abdm_route_t route;
    const char *alias[ALIASES]; /* without "/api"; NULL ends the list */
} row_t;

#define HIP    ABDM_FACILITY_HIP
#define HIU    ABDM_FACILITY_HIU
#define EITHER ABDM_FACILITY_EITHER
#define NONE   ABDM_FACILITY_NONE

/* Some V3 answers say `resp`, as v0.5 does. */
#define ECHO "response.requestId|resp.requestId"

/* One sender wraps the notification in a list. */
#define CONSENT_AND_STATUS \
    "notification.consentId|notification.0.consentId+notification.status|notification.0.status"

/*
 * Not here: the v0.5 heartbeat, a GET that wants its answer at once. No business key: patient
 * share, whose key of 7.8 is one for 30 minutes only, and what 7.8 does not list. on-fetch has
 * its echo as the key, since a second fetch of one consent must not pass for a repetition.
 */
static const row_t rows[] = {
    /* HIP: linking by the hospital */
    {{"/api/v3/hip/token/on-generate-token", NULL, HIP, ECHO}, {NULL}},
    {{"/api/v3/link/on_carecontext", NULL, HIP, ECHO},
     {"/v3/link/on-care-context", "/v3/link/on-carecontext", "/v3/hip/link/on-carecontext",
      "/link/on-care-context", "/link/on-carecontext", "/hip/link/on-carecontext"}},
    {{"/api/v3/links/context/on-notify", NULL, HIP, ECHO},
     {"/v3/link/context/on-notify", "/link/context/on-notify"}},
    {{"/api/v3/patients/sms/on-notify", NULL, HIP, ECHO}, {NULL}},

    /* HIP: linking by the patient */
    {{"/api/v3/hip/patient/care-context/discover", NULL, HIP, "transactionId"},
     {"/v0.5/care-contexts/discover"}},
    {{"/api/v3/hip/link/care-context/init", NULL, HIP, "transactionId"},
     {"/v0.5/links/link/init"}},
    {{"/api/v3/hip/link/care-context/confirm", NULL, HIP,
      "confirmation.linkRefNumber+confirmation.token"},
     {"/v0.5/links/link/confirm"}},

    /* HIP: consent, data, front desk */
    {{"/api/v3/consent/request/hip/notify", "consent.notified", HIP, CONSENT_AND_STATUS},
     {"/v0.5/consents/hip/notify"}},
    {{"/api/v3/hip/health-information/request", "transfer.requested", HIP, "transactionId"},
     {"/v0.5/health-information/hip/request"}},
    {{"/api/v3/hip/patient/share", NULL, HIP, NULL},
     {"/v3/hip/patient/profile/share", "/patient-share/v3/share", "/v1.0/patients/profile/share",
      "/v0.5/patients/profile/share"}},

    /* both roles */
    {{"/v0.5/patients/status/notify", NULL, EITHER, NULL}, {NULL}},
    {{"/v0.5/users/auth/on-fetch-modes", NULL, EITHER, ECHO}, {NULL}},
    {{"/v0.5/users/auth/on-init", NULL, EITHER, ECHO}, {NULL}},
    {{"/v0.5/users/auth/on-confirm", NULL, EITHER, ECHO}, {NULL}},
    {{"/v0.5/users/auth/notify", NULL, EITHER, NULL}, {NULL}},
    {{"/v0.5/links/link/on-add-contexts", NULL, HIP, ECHO}, {NULL}},
    {{"/v0.5/links/context/on-notify", NULL, HIP, ECHO}, {NULL}},
    {{"/v0.5/patients/sms/on-notify", NULL, HIP, ECHO}, {NULL}},
    {{"/v0.5/patients/on-find", NULL, HIU, ECHO}, {NULL}},

    /* HIU: consent and data */
    {{"/api/v3/hiu/consent/request/on-init", NULL, HIU, ECHO}, {"/v0.5/consent-requests/on-init"}},
    {{"/api/v3/hiu/consent/request/on-status", NULL, HIU, ECHO},
     {"/v0.5/consent-requests/on-status"}},
    {{"/api/v3/hiu/consent/request/notify", NULL, HIU,
      "notification.consentRequestId+notification.status"},
     {"/v0.5/consents/hiu/notify"}},
    {{"/api/v3/hiu/consent/on-fetch", NULL, HIU, ECHO}, {"/v0.5/consents/on-fetch"}},
    {{"/api/v3/hiu/health-information/on-request", NULL, HIU, ECHO},
     {"/v0.5/health-information/hiu/on-request", "/v0.5/health-information/cm/on-request"}},
    {{"/v0.5/health-information/transfer", NULL, NONE, "transactionId+pageNumber"}, {NULL}},

    /* HIU: subscriptions */
    {{"/api/v3/hiu/subscription-requests/on-init", NULL, HIU, ECHO},
     {"/v3/hiu/hiecm/subscription-requests/on-init", "/v0.5/subscription-requests/hiu/on-init"}},
    {{"/api/v3/hiu/subscription-requests/hiu/notify", NULL, HIU, NULL},
     {"/v0.5/subscription-requests/hiu/notify"}},
    {{"/api/v3/hiu/subscription/notify", NULL, HIU, "event.id"},
     {"/v0.5/subscriptions/hiu/notify"}},

    /* PHR apps */
    {{"/api/v3/hiu/patient/care-context/on-discover", NULL, HIU, ECHO}, {NULL}},
    {{"/api/v3/hiu/patient/care-context/on-init", NULL, HIU, ECHO}, {NULL}},
    {{"/api/v3/hiu/patient/care-context/on-confirm", NULL, HIU, ECHO}, {NULL}},
    {{"/api/v3/hiu/patient/on-share", NULL, HIU, ECHO}, {NULL}},
};

/* What ABDM may add one day is kept, so that its form can be learned. */
static const abdm_route_t catch_all = {"*", NULL, EITHER, NULL};

static const char *const callback_roots[] = {"/v3/", "/v0.5/"};

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

    for (size_t i = 0; i < COUNT(rows); i++) {
        if (row_serves(&rows[i], path))
            return &rows[i].route;
    }
    for (size_t i = 0; i < COUNT(callback_roots); i++) {
        abdm_str_t root = abdm_str(callback_roots[i]);
        if (path.len > root.len && abdm_str_starts(path, root))
            return &catch_all;
    }
    return NULL;
}


/* The value of one field as text: true when there is one fit for a key. */
static bool
add_value(abdm_jw_t *w, const json_t *body, const char *path)
{
    const char *z = abdm_json_string_at(body, path);
    int64_t n;

    if (z != NULL) {
        abdm_str_t s = abdm_str(z);
        if (s.len > KEY_VALUE_MAX)
            return false;
        abdm_jw_str(w, s);
        return true;
    }
    if (!abdm_json_int_at(body, path, &n))
        return false;
    abdm_jw_int(w, n);
    return true;
}


/* One field of a key: its '|'-joined paths are tried in turn. Gives the text after it. */
static bool
add_field(abdm_jw_t *w, const json_t *body, const char **key)
{
    bool found = false;
    char path[64];

    for (;;) {
        size_t n = strcspn(*key, "|+");
        if (!found && n < sizeof path) {
            memcpy(path, *key, n);
            path[n] = '\0';
            found = add_value(w, body, path);
        }
        *key += n;
        if (**key != '|')
            break;
        (*key)++;
    }
    if (**key == '+')
        (*key)++;
    return found;
}


void
abdm_route_business_key(const abdm_route_t *route, abdm_str_t facility, const json_t *body,
                        abdm_buf_t *out)
{
    const char *key = route->business_key;
    size_t start = out->len;
    abdm_jw_t w;

    if (key == NULL)
        return;

    /* A JSON list, so that no value can pass for two or reach into its neighbour. */
    abdm_jw_begin(&w, out);
    abdm_jw_open(&w, '[');
    abdm_jw_strz(&w, route->path);
    abdm_jw_str(&w, facility);
    while (*key != '\0') {
        if (!add_field(&w, body, &key)) {
            out->len = start;
            return;
        }
    }
    abdm_jw_close(&w, ']');
}


const abdm_route_t *
abdm_route_row(size_t n)
{
    return n < COUNT(rows) ? &rows[n].route : NULL;
}
