/*
 * Our own door, called as the gateway calls it: at the registered URL, by its name, through
 * whatever stands in front of nginx. Without a token it must be this module that refuses, and
 * anything else that answers is told apart by its answer.
 */
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "core/url_guard.h"
#include "doctor/doctor.h"

/* Any route will do: tokens are asked for before all else. */
#define CALLBACK_PATH "/api/v3/consent/request/hip/notify"


/* --- what answered --- */

/* The module's code in the answer, or "". */
static void
own_code(abdm_str_t body, char out[64])
{
    const char *code = NULL;
    json_t *json = NULL;

    out[0] = '\0';
    if (!abdm_failed(abdm_json_parse(body.p, body.len, ABDM_JSON_DEPTH, &json))) {
        code = abdm_json_string_at(json, "error.code");
        if (code != NULL && abdm_error_by_name(code) != ABDM_OK) {
            snprintf(out, 64, "%s", code);
        }
    }
    json_decref(json);
}


static void
tell_own(abdm_doctor_t *d, const char *url, const abdm_probe_t *probe, const char *code)
{
    const abdm_error_info_t *info = abdm_error_info(abdm_error_by_name(code));
    char seen[ABDM_DOCTOR_TEXT], remedy[ABDM_DOCTOR_TEXT];

    if (strcmp(code, "E_TOKEN_MISSING") == 0) {
        abdm_doctor_text(seen, "this module answers there, in %lld ms", (long long) probe->took_ms);
        abdm_doctor_tell(d, "reachable", url, ABDM_FINDING_OK, seen, "");
        return;
    }
    abdm_doctor_text(seen, "this module answers with status %d %s: %s", probe->call.status, code,
                     info->meaning);
    if (strcmp(code, "E_FORBIDDEN") == 0) {
        abdm_doctor_tell(d, "reachable", url, ABDM_FINDING_WARN, seen,
                         "allow and deny of the location do not admit this machine; see that they "
                         "admit ABDM's addresses");
    } else if (strcmp(code, "E_ROUTE_UNKNOWN") == 0) {
        abdm_doctor_text(remedy,
                         "the registered URL has not the path of abdm_callback (\"%.100s/\"): "
                         "register the right one with abdm register --url",
                         d->config->callback_prefix);
        abdm_doctor_tell(d, "reachable", url, ABDM_FINDING_FAIL, seen, remedy);
    } else {
        abdm_doctor_tell(d, "reachable", url, ABDM_FINDING_FAIL, seen, info->remedy);
    }
}


static void
tell_other(abdm_doctor_t *d, const char *url, const abdm_probe_t *probe)
{
    const char *server = probe->server[0] != '\0' ? probe->server : "an unnamed server";
    char seen[ABDM_DOCTOR_TEXT], remedy[ABDM_DOCTOR_TEXT];
    int status = probe->call.status;

    abdm_doctor_text(seen, "not this module answers but %s: status %d%s%s", server, status,
                     probe->type[0] != '\0' ? ", " : "", probe->type);
    if (status / 100 == 3) {
        abdm_doctor_text(seen, "%s sends elsewhere: status %d to %s", server, status,
                         probe->location);
        abdm_doctor_text(remedy,
                         "the gateway does not follow: register the final URL, or serve this "
                         "one without a redirect");
    } else if (status == 404 || status == 405) {
        abdm_doctor_text(remedy, "the host is reached, but not the location of abdm_callback "
                                 "(\"%.100s/\"): another server block or another machine answers "
                                 "under this name, or a proxy in front changes the path",
                         d->config->callback_prefix);
    } else if (status == 401 || status == 403) {
        abdm_doctor_text(remedy,
                         "something in front of the module wants a password or refuses "
                         "addresses (a firewall, auth_basic): the gateway must get through");
    } else if (status >= 500) {
        abdm_doctor_text(remedy, "a proxy in front cannot reach nginx, or nginx is not up: see the "
                                 "proxy's log");
    } else {
        abdm_doctor_text(remedy,
                         "another site answers under this URL: correct DNS, the proxy in front, "
                         "or the registered URL");
    }
    abdm_doctor_tell(d, "reachable", url, ABDM_FINDING_FAIL, seen, remedy);
}


static void
tell_unreachable(abdm_doctor_t *d, const char *url, abdm_err_t err)
{
    char seen[ABDM_DOCTOR_TEXT], remedy[ABDM_DOCTOR_TEXT];

    abdm_doctor_text(seen, "%s: %s", abdm_error_info(err.code)->meaning, err.what);
    if (err.code == ABDM_E_TIMEOUT || err.code == ABDM_E_CONNECT) {
        abdm_doctor_text(remedy,
                         "is nginx up, and does the firewall let port 443 in? Many routers do "
                         "not let a network call its own outside address: then try from "
                         "elsewhere that curl -X POST %.200s" CALLBACK_PATH " answers "
                         "E_TOKEN_MISSING",
                         url);
        abdm_doctor_tell(d, "reachable", url,
                         err.code == ABDM_E_TIMEOUT ? ABDM_FINDING_WARN : ABDM_FINDING_FAIL, seen,
                         remedy);
        return;
    }
    abdm_doctor_tell(d, "reachable", url, ABDM_FINDING_FAIL, seen, abdm_probe_remedy(err));
}


/* --- the call --- */

/* ABDM cannot reach what is private, whatever is reached from here. */
static void
look_for_private(abdm_doctor_t *d, const char *url)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    char host[ABDM_URL_HOST + 1];
    abdm_url_t parsed;

    if (d->config->gateway.preset == ABDM_GATEWAY_CUSTOM
        || abdm_failed(abdm_url_parse(abdm_str(url), &parsed))) {
        return;
    }
    snprintf(host, sizeof(host), "%.*s", (int) parsed.host.len, parsed.host.p);
    if (getaddrinfo(host, NULL, &hints, &found) != 0) {
        return; /* told by "dns" */
    }
    for (const struct addrinfo *a = found; a != NULL; a = a->ai_next) {
        if (!abdm_addr_is_global(a->ai_addr)) {
            abdm_doctor_tell(d, "public", url, ABDM_FINDING_WARN,
                             "its name leads to a private address here",
                             "see that it leads to a public one outside: ABDM asks public DNS, and "
                             "the following is about the inside only");
            break;
        }
    }
    freeaddrinfo(found);
}


static abdm_err_t
make_call(abdm_probe_t *probe, const char *url)
{
    abdm_buf_t text = {0}, body = {0};
    size_t n = strlen(url);

    memset(probe, 0, sizeof(*probe));
    while (n > 0 && url[n - 1] == '/') {
        n--;
    }
    abdm_buf_add(&text, url, n);
    abdm_buf_addz(&text, CALLBACK_PATH);
    abdm_buf_addz(&body, "{}");
    probe->call.url = abdm_buf_take(&text);
    probe->call.body = abdm_source_take_buf(&body);
    probe->call.once = true;
    if (probe->call.url == NULL || probe->call.body == NULL) {
        return ABDM_ERR(MEMORY, "call");
    }
    ABDM_TRY(abdm_call_header(&probe->call, "Content-Type", "application/json"));
    return abdm_call_header(&probe->call, "Expect", "");
}


static void
call_door(abdm_doctor_t *d, const char *url, X509_STORE *trust)
{
    abdm_http_t *http = NULL;
    abdm_probe_t probe;
    char code[64];
    abdm_err_t err = make_call(&probe, url);

    if (!abdm_failed(err)) {
        err = abdm_http_start(trust, &http);
    }
    if (!abdm_failed(err)) {
        abdm_probe_run(http, &probe);
        err = probe.call.err;
    }
    if (abdm_failed(err)) {
        tell_unreachable(d, url, err);
    } else {
        own_code(abdm_buf_str(&probe.call.answer), code);
        if (code[0] != '\0') {
            tell_own(d, url, &probe, code);
        } else {
            tell_other(d, url, &probe);
        }
    }
    abdm_http_stop(http);
    abdm_http_free(http);
    abdm_probe_clear(&probe);
}


void
abdm_examine_callback(abdm_doctor_t *d)
{
    const char *url = d->options.url != NULL ? d->options.url : d->bridge.url;
    X509_STORE *public = NULL, *trust = d->abdm->trust;
    char problem[512], why[128];

    d->area = "callbacks";
    if (url[0] == '\0') {
        abdm_doctor_tell(d, "reachable", "", ABDM_FINDING_SKIPPED,
                         "no URL is known: nothing is registered, and no --url was given", "");
        return;
    }
    if (d->config->gateway.preset != ABDM_GATEWAY_CUSTOM) {
        trust = public = abdm_http_trust(NULL, problem); /* ABDM knows nothing of a CA of ours */
    }
    look_for_private(d, url);
    if (trust != NULL && abdm_examine_host(d, url, trust, why) != ABDM_HOST_BAD) {
        call_door(d, url, trust);
    } else {
        abdm_doctor_tell(d, "reachable", url, ABDM_FINDING_FAIL, "the gateway cannot call it",
                         "mend DNS or TLS of this host, as the line above says");
    }
    X509_STORE_free(public);
}
