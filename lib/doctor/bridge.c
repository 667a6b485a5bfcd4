/*
 * What ABDM has registered, against what is configured here: the bridge's URL, and each facility by
 * its service id. Calls with a facility's id in the place of its service id are accepted by the
 * gateway and their answers never come, so that mistake is named with the id to write.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "doctor/doctor.h"
#include "gateway/outbound_link.h"


/* --- URLs --- */

static size_t
trimmed(const char *text)
{
    size_t n = strlen(text);

    while (n > 0 && text[n - 1] == '/') {
        n--;
    }
    return n;
}


bool
abdm_bridge_url_is(const char *url, const char *other)
{
    size_t n = trimmed(url);

    return n == trimmed(other) && strncmp(url, other, n) == 0;
}


bool
abdm_bridge_path_fits(const char *url, const char *prefix)
{
    const char *host = strstr(url, "://");
    const char *path = host != NULL ? strchr(host + 3, '/') : NULL;

    return abdm_bridge_url_is(path != NULL ? path : "", prefix);
}


static void
look_at_url(abdm_doctor_t *d)
{
    const char *url = d->bridge.url, *prefix = d->config->callback_prefix;
    char seen[ABDM_DOCTOR_TEXT], remedy[ABDM_DOCTOR_TEXT];
    const char *wanted = d->options.url;

    if (url[0] == '\0') {
        abdm_doctor_tell(d, "url", "", ABDM_FINDING_FAIL, "no bridge URL is registered",
                         "abdm register --url https://HOST/PATH-OF-abdm_callback");
    } else if (wanted != NULL && !abdm_bridge_url_is(url, wanted)) {
        abdm_doctor_text(seen, "%s is registered, not %.250s", url, wanted);
        abdm_doctor_text(remedy, "abdm register --url %.300s --force (the other system loses its "
                                 "callbacks: a bridge has one URL)", wanted);
        abdm_doctor_tell(d, "url", "", ABDM_FINDING_FAIL, seen, remedy);
    } else if (strncmp(url, "https://", 8) != 0) {
        abdm_doctor_text(seen, "%s is not https", url);
        abdm_doctor_tell(d, "url", "", ABDM_FINDING_FAIL, seen,
                         "register an https URL: abdm register --url https://... --force");
    } else if (!abdm_bridge_path_fits(url, prefix)) {
        abdm_doctor_text(seen, "%s is registered, but abdm_callback serves \"%.100s/\"", url,
                         prefix);
        abdm_doctor_text(remedy,
                         "register the URL with that path (abdm register --url https://HOST%.100s "
                         "--force), or give the location of abdm_callback the path of the "
                         "registered URL",
                         prefix);
        abdm_doctor_tell(d, "url", "", ABDM_FINDING_FAIL, seen, remedy);
    } else {
        abdm_doctor_tell(d, "url", "", ABDM_FINDING_OK, url, "");
    }
}


/* --- the bridge --- */

bool
abdm_examine_bridge(abdm_doctor_t *d)
{
    char seen[ABDM_DOCTOR_TEXT], remedy[ABDM_DOCTOR_TEXT];
    abdm_probe_t probe;
    abdm_err_t err;

    abdm_bridge_clear(&d->bridge);
    abdm_probe_gateway(d, &probe, NULL, d->abdm->gateway.url, ABDM_PATH_BRIDGE_SERVICES, NULL);
    if (!abdm_probe_good(&probe)) {
        abdm_probe_blame(&probe, seen, remedy);
        abdm_doctor_tell(d, "bridge", d->abdm->gateway.client_id, ABDM_FINDING_FAIL, seen, remedy);
    } else {
        err = abdm_bridge_read(abdm_buf_str(&probe.call.answer), &d->bridge);
        d->bridge_known = !abdm_failed(err);
        if (abdm_failed(err)) {
            abdm_doctor_tell(d, "bridge", d->abdm->gateway.client_id, ABDM_FINDING_FAIL, err.what,
                             "url of abdm_gateway leads to another server, or ABDM has changed its "
                             "answer");
        }
    }
    abdm_probe_clear(&probe);
    return d->bridge_known;
}


static void
look_at_bridge(abdm_doctor_t *d)
{
    const char *id = d->abdm->gateway.client_id;
    char seen[ABDM_DOCTOR_TEXT];

    if (d->bridge.blocklisted || !d->bridge.active) {
        abdm_doctor_tell(d, "bridge", id, ABDM_FINDING_FAIL,
                         d->bridge.blocklisted ? "ABDM has put it on its block list"
                                               : "it is not active",
                         "only ABDM's support can change that");
        return;
    }
    abdm_doctor_text(seen, "active, services: %zu", d->bridge.n);
    abdm_doctor_tell(d, "bridge", id, ABDM_FINDING_OK, seen, "");
}


/* --- facilities --- */

static const abdm_service_t *
service_of(const abdm_doctor_t *d, const char *id)
{
    for (size_t i = 0; i < d->bridge.n; i++) {
        if (strcmp(d->bridge.service[i].id, id) == 0) {
            return &d->bridge.service[i];
        }
    }
    return NULL;
}


static const abdm_service_t *
sibling_of(const abdm_doctor_t *d, const char *id)
{
    for (size_t i = 0; i < d->bridge.n; i++) {
        if (abdm_service_is_sibling(id, d->bridge.service[i].id)) {
            return &d->bridge.service[i];
        }
    }
    return NULL;
}


/* What the gateway says of any id; false when it knows none such, or cannot be asked. */
static bool
ask_for(abdm_doctor_t *d, const char *id, abdm_service_t *out, bool *answered)
{
    abdm_buf_t path = {0};
    abdm_probe_t probe;
    char *text;
    bool found = false;

    *answered = false;
    if (id[strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.")]
        != '\0') {
        return false;
    }
    abdm_buf_addf(&path, "%s%s", ABDM_PATH_SERVICE, id);
    text = abdm_buf_take(&path);
    if (text == NULL) {
        return false;
    }
    abdm_probe_gateway(d, &probe, NULL, d->abdm->gateway.url, text, NULL);
    free(text);
    *answered = !abdm_failed(probe.call.err)
                && (probe.call.status / 100 == 2 || probe.call.status == 404);
    if (*answered && probe.call.status / 100 == 2) {
        found = !abdm_failed(abdm_service_read(abdm_buf_str(&probe.call.answer), out));
    }
    abdm_probe_clear(&probe);
    return found;
}


/* The facility's id in the registry. */
static const char *
bare_of(const char *id, char out[ABDM_BRIDGE_ID])
{
    snprintf(out, ABDM_BRIDGE_ID, "%s", id);
    out[strcspn(out, "_")] = '\0';
    return out;
}


static void
tell_unknown(abdm_doctor_t *d, const char *id)
{
    const abdm_service_t *sibling = sibling_of(d, id);
    char seen[ABDM_DOCTOR_TEXT], remedy[ABDM_DOCTOR_TEXT], bare[ABDM_BRIDGE_ID];
    abdm_service_t other;
    bool answered;

    if (sibling == NULL && strcmp(bare_of(id, bare), id) != 0
        && ask_for(d, bare, &other, &answered)) {
        sibling = &other;
    }
    if (sibling == NULL) {
        abdm_doctor_text(remedy, "register it: abdm register --facility %s --facility-name NAME "
                                 "--hip-name SHORT", bare_of(id, bare));
        abdm_doctor_tell(d, "facility", id, ABDM_FINDING_FAIL,
                         "the gateway knows no such service", remedy);
        return;
    }
    abdm_doctor_text(seen, "the gateway knows this facility as service %s", sibling->id);
    abdm_doctor_text(remedy,
                     "write abdm_facility %s in nginx.conf: the service id, not the "
                     "facility's id; with a wrong one calls are accepted and never answered",
                     sibling->id);
    abdm_doctor_tell(d, "facility", id, ABDM_FINDING_FAIL, seen, remedy);
}


void
abdm_examine_facility(abdm_doctor_t *d, const char *id)
{
    const abdm_service_t *listed = service_of(d, id);
    const char *client_id = d->abdm->gateway.client_id;
    char seen[ABDM_DOCTOR_TEXT], remedy[ABDM_DOCTOR_TEXT], bare[ABDM_BRIDGE_ID];
    abdm_service_t service;
    bool answered, found = ask_for(d, id, &service, &answered);

    if (!found && listed != NULL) {
        service = *listed;
        found = true;
    }
    if (!found && !answered && !d->bridge_known) {
        abdm_doctor_tell(d, "facility", id, ABDM_FINDING_SKIPPED, "the gateway does not say", "");
    } else if (!found) {
        tell_unknown(d, id);
    } else if (service.bridge_id[0] != '\0' && strcmp(service.bridge_id, client_id) != 0) {
        abdm_doctor_text(seen, "it is linked to bridge %s, not to %.64s", service.bridge_id,
                         client_id);
        abdm_doctor_text(remedy,
                         "correct client_id or the facility's id; else link it to this bridge: "
                         "abdm register --facility %s ...",
                         bare_of(id, bare));
        abdm_doctor_tell(d, "facility", id, ABDM_FINDING_FAIL, seen, remedy);
    } else if (!service.active || (listed != NULL && !listed->active)) {
        abdm_doctor_text(remedy,
                         "make it active: abdm register --facility %s --facility-name NAME "
                         "--hip-name SHORT",
                         bare_of(id, bare));
        abdm_doctor_tell(d, "facility", id, ABDM_FINDING_FAIL, "the service is not active", remedy);
    } else if (!service.is_hip) {
        abdm_doctor_text(remedy,
                         "register it as a provider: abdm register --facility %s "
                         "--facility-name NAME --hip-name SHORT",
                         bare_of(id, bare));
        abdm_doctor_tell(d, "facility", id, ABDM_FINDING_FAIL,
                         "it is not registered as a provider of health information (HIP)", remedy);
    } else {
        abdm_doctor_text(seen, "active, known as \"%s\"", service.name);
        abdm_doctor_tell(d, "facility", id, ABDM_FINDING_OK, seen, "");
    }
}


/* Services of this bridge that no block serves. */
static void
look_for_unserved(abdm_doctor_t *d)
{
    char seen[ABDM_DOCTOR_TEXT], remedy[ABDM_DOCTOR_TEXT];

    for (size_t i = 0; i < d->bridge.n; i++) {
        const abdm_service_t *service = &d->bridge.service[i];
        bool served = false;

        for (size_t k = 0; k < d->config->n_facility; k++) {
            served = served || abdm_service_is_sibling(service->id, d->config->facility[k].id);
        }
        if (served || !service->is_hip || !service->active) {
            continue;
        }
        abdm_doctor_text(seen, "\"%s\" is a service of this bridge, but no abdm_facility",
                         service->name);
        abdm_doctor_text(remedy, "add a block abdm_facility %s, or its callbacks are refused",
                         service->id);
        abdm_doctor_tell(d, "facility", service->id, ABDM_FINDING_WARN, seen, remedy);
    }
}


void
abdm_examine_registered(abdm_doctor_t *d)
{
    d->area = "registration";
    if (d->token == NULL) {
        abdm_doctor_tell(d, "bridge", d->abdm->gateway.client_id, ABDM_FINDING_SKIPPED,
                         "there is no session", "");
        return;
    }
    if (abdm_examine_bridge(d)) {
        look_at_bridge(d);
        look_at_url(d);
    }
    for (size_t i = 0; i < d->config->n_facility; i++) {
        if (abdm_doctor_wants(d, d->config->facility[i].id)) {
            abdm_examine_facility(d, d->config->facility[i].id);
        }
    }
    if (d->options.facility == NULL) {
        look_for_unserved(d);
    }
}
