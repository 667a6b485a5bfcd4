/* The table of calls (README has it for readers) and the search in it. */
#include <string.h>

#include "api/internal.h"

#define OWN ABDM_API_OWN
#define NHA ABDM_API_NHA
#define NO  ABDM_REPORT_NONE

static const abdm_api_route_t rows[] = {
    /* what became of requests for data: for operators, of all facilities */
    {OWN, "GET", "transfers", NULL, ABDM_REPORT_TRANSFERS, true},
    {OWN, "GET", "transfers/{id}", NULL, ABDM_REPORT_EXPLAIN, true},

    /* hosts that requesters had their data pushed to: for operators */
    {OWN, "GET", "push-hosts", "api.push_hosts", NO, false},
    {OWN, "POST", "push-hosts", "api.push_host", NO, false},

    /* patients */
    {OWN, "POST", "patients", "api.patient", NO, false},
    {OWN, "GET", "patients", "api.patient_by_abha", NO, false},
    {OWN, "GET", "patients/{id}", "api.patient_shown", NO, false},

    /* care contexts and what ABDM is told of them */
    {OWN, "POST", "care-contexts", "api.contexts", NO, false},
    {OWN, "GET", "care-contexts", "api.contexts_shown", NO, false},
    {OWN, "GET", "care-contexts/{id}", "api.context_shown", NO, false},
    {OWN, "POST", "care-contexts/{id}/link", "api.context_link", NO, false},
    {OWN, "POST", "notifications", "api.notification", NO, false},
    {OWN, "POST", "sms", "api.sms", NO, false},
    {OWN, "GET", "requests/{id}", "api.request_shown", NO, false},

    /* authentication of a patient through the gateway */
    {OWN, "POST", "link-auth", "api.auth", NO, false},
    {OWN, "GET", "link-auth/{id}", "api.auth_shown", NO, false},
    {OWN, "POST", "link-auth/{id}/confirm", "api.auth_confirm", NO, false},

    /* the counter */
    {OWN, "GET", "queue", "api.queue", NO, false},
    {OWN, "POST", "queue/{id}/done", "api.queue_done", NO, false},

    /* the paths of NHA's wrapper */
    {NHA, "POST", "v3/link-carecontexts", "nha.link", NO, false},
    {NHA, "GET", "v3/link-status/{id}", "nha.link_status", NO, false},
    {NHA, "POST", "v3/sms/notify", "nha.sms", NO, false},
    {NHA, "PUT", "v3/add-patients", "nha.patients", NO, false},
    {NHA, "POST", "v3/add-patients", "nha.patients", NO, false},
    {NHA, "GET", "v3/patient/{id}", "nha.patient_shown", NO, false},
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const char hole[] = "{id}";

enum { HOLE = sizeof(hole) - 1 };


const abdm_api_route_t *
abdm_api_row(size_t n)
{
    return n < COUNT(rows) ? &rows[n] : NULL;
}


/* Does the path have the form of the row's? References of the HMIS may have slashes within, so
 * {id} is all that stands between what is before and behind it. */
static bool
fits(const char *form, abdm_str_t path, abdm_str_t *id)
{
    const char *at = strstr(form, hole);
    size_t head, tail;

    *id = ABDM_LIT("");
    if (at == NULL) {
        return abdm_str_eq(abdm_str(form), path);
    }
    head = (size_t) (at - form);
    tail = strlen(at) - HOLE;
    if (path.len <= head + tail || memcmp(path.p, form, head) != 0
        || memcmp(path.p + path.len - tail, at + HOLE, tail) != 0) {
        return false;
    }
    *id = (abdm_str_t){path.p + head, path.len - head - tail};
    return true;
}


abdm_err_t
abdm_api_route_find(abdm_api_flavour_t flavour, abdm_str_t method, abdm_str_t path,
                    const abdm_api_route_t **out, abdm_str_t *id)
{
    bool seen = false;

    if (abdm_str_eq(method, ABDM_LIT("HEAD"))) {
        method = ABDM_LIT("GET");
    }
    while (path.len > 0 && path.p[0] == '/') {
        path.p++;
        path.len--;
    }
    while (path.len > 0 && path.p[path.len - 1] == '/') {
        path.len--;
    }
    for (size_t i = 0; i < COUNT(rows); i++) {
        if (rows[i].flavour != flavour || !fits(rows[i].path, path, id)) {
            continue;
        }
        if (abdm_str_eq(method, abdm_str(rows[i].method))) {
            *out = &rows[i];
            return ABDM_NO_ERR;
        }
        seen = true;
    }
    return seen ? ABDM_ERR(METHOD_API, "method: not one that this path takes")
                : ABDM_ERR(NOT_FOUND, "path: no such call");
}
