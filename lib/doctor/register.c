/*
 * `abdm register`: tells ABDM where the bridge is and which facility it serves (gateway protocol
 * 1.6, 1.7). A bridge has one URL, the last writer wins and nobody else is told, so another
 * URL is not overwritten unasked; and since success is answered to much that fails, all is read
 * back.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "doctor/doctor.h"
#include "gateway/outbound_link.h"
#include "gateway/preset.h"

#define PATH_REGISTRY "/v4/int/v1/bridges/MutipleHRPAddUpdateServices"

enum { HIP_NAME_MAX = 15, FACILITY_ID = 12, NAME_MAX_BYTES = 255 };


/* --- what is wished --- */

static abdm_err_t
refuse(char problem[ABDM_PROBLEM], const char *what, const char *expected)
{
    snprintf(problem, ABDM_PROBLEM, "%s: %s", what, expected);
    return ABDM_ERR(USAGE, "registration");
}


static bool
is_https(const char *url)
{
    abdm_url_t parsed;

    return !abdm_failed(abdm_url_parse(abdm_str(url), &parsed)) && strchr(url, '?') == NULL
           && url[strlen(url) - 1] != '/';
}


static bool
is_facility_id(const char *id)
{
    size_t n = strlen(id);

    return n == FACILITY_ID && strncmp(id, "IN", 2) == 0
           && strspn(id + 2, "0123456789") == n - 2;
}


static bool
is_hip_name(const char *name)
{
    size_t n = strlen(name);

    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char) name[i];

        if (c >= 0x80 || (!isalnum(c) && (c != ' ' || i == 0 || i + 1 == n))) {
            return false;
        }
    }
    return n >= 1 && n <= HIP_NAME_MAX;
}


static abdm_err_t
check(const abdm_registration_t *wish, char problem[ABDM_PROBLEM])
{
    if (wish->url == NULL && wish->facility == NULL) {
        return refuse(problem, "nothing to register", "give --url, --facility or both");
    }
    if (wish->url != NULL && !is_https(wish->url)) {
        return refuse(problem, "--url", "https://host[:port][/path] without a slash at its end is "
                                        "expected");
    }
    if (wish->registry != NULL && !is_https(wish->registry)) {
        return refuse(problem, "--registry", "https://host[:port] without a slash at its end is "
                                             "expected");
    }
    if (wish->facility == NULL) {
        return wish->facility_name != NULL || wish->hip_name != NULL
                   ? refuse(problem, "--facility", "the facility's id is missing")
                   : ABDM_NO_ERR;
    }
    if (!is_facility_id(wish->facility)) {
        return refuse(problem, "--facility",
                      "the id in the facility registry is expected: IN and ten "
                      "digits, without the \"_1\" of a service id");
    }
    if (wish->facility_name == NULL || wish->facility_name[0] == '\0'
        || strlen(wish->facility_name) > NAME_MAX_BYTES) {
        return refuse(problem, "--facility-name", "the name is expected exactly as the facility "
                                                  "registry has it");
    }
    if (wish->hip_name == NULL || !is_hip_name(wish->hip_name)) {
        return refuse(problem, "--hip-name",
                      "1 to 15 letters, digits and blanks are expected, unlike "
                      "those of the bridge's other facilities");
    }
    return ABDM_NO_ERR;
}


/* --- the URL --- */

static bool
change_url(abdm_doctor_t *d, const char *url)
{
    char seen[ABDM_DOCTOR_TEXT], remedy[ABDM_DOCTOR_TEXT];
    abdm_buf_t body = {0};
    abdm_probe_t probe;
    bool good;

    abdm_out_bridge_url(&body, url);
    abdm_probe_gateway(d, &probe, "PATCH", d->abdm->gateway.url, ABDM_PATH_BRIDGE_URL, &body);
    good = abdm_probe_good(&probe);
    if (!good) {
        abdm_probe_blame(&probe, seen, remedy);
        abdm_doctor_tell(d, "url", "", ABDM_FINDING_FAIL, seen, remedy);
    }
    abdm_probe_clear(&probe);
    return good;
}


static void
verify_url(abdm_doctor_t *d, const char *url)
{
    char seen[ABDM_DOCTOR_TEXT], remedy[ABDM_DOCTOR_TEXT];

    if (!abdm_examine_bridge(d)) {
        return; /* told */
    }
    if (!abdm_bridge_url_is(d->bridge.url, url)) {
        abdm_doctor_text(seen, "the gateway took it and still says \"%s\"", d->bridge.url);
        abdm_doctor_tell(d, "url", "", ABDM_FINDING_WARN, seen,
                         "it may take up to 15 minutes; then try abdm doctor --url");
    } else if (!abdm_bridge_path_fits(url, d->config->callback_prefix)) {
        abdm_doctor_text(seen, "%s is registered, but abdm_callback serves \"%.100s/\"", url,
                         d->config->callback_prefix);
        abdm_doctor_text(remedy,
                         "give the location of abdm_callback that path, or register the URL with "
                         "\"%.100s\"",
                         d->config->callback_prefix);
        abdm_doctor_tell(d, "url", "", ABDM_FINDING_WARN, seen, remedy);
    } else {
        abdm_doctor_text(seen, "%s is registered", url);
        abdm_doctor_tell(d, "url", "", ABDM_FINDING_OK, seen, "");
    }
}


static void
register_url(abdm_doctor_t *d, const abdm_registration_t *wish)
{
    const char *before = d->bridge.url;
    char seen[ABDM_DOCTOR_TEXT];

    abdm_doctor_text(seen, "%s", before[0] != '\0' ? before : "none");
    abdm_doctor_tell(d, "url-before", "", ABDM_FINDING_OK, seen, "");
    if (before[0] != '\0' && abdm_bridge_url_is(before, wish->url)) {
        verify_url(d, wish->url);
        return;
    }
    if (before[0] != '\0' && !wish->force) {
        abdm_doctor_text(seen, "another URL is registered: %s", before);
        abdm_doctor_tell(
            d, "url", "", ABDM_FINDING_FAIL, seen,
            "a bridge has one URL, and whatever is there now would get no callbacks any "
            "more: if that is meant, add --force");
        return;
    }
    if (change_url(d, wish->url)) {
        verify_url(d, wish->url);
    }
}


/* --- the facility --- */

static void
tell_registered(abdm_doctor_t *d, const abdm_registration_t *wish,
                const abdm_registry_answer_t *answer)
{
    char seen[ABDM_DOCTOR_TEXT], remedy[ABDM_DOCTOR_TEXT];
    bool configured = false;

    for (size_t i = 0; i < d->config->n_facility; i++) {
        configured = configured || strcmp(d->config->facility[i].id, answer->id) == 0;
    }
    abdm_doctor_text(seen, "%s; its service id is %s",
                     answer->outcome == ABDM_REGISTERED_NEW ? "registered"
                                                            : "it was registered already",
                     answer->id[0] != '\0' ? answer->id : "not told");
    abdm_doctor_text(remedy, "write abdm_facility %s in nginx.conf and reload nginx", answer->id);
    abdm_doctor_tell(d, "service", wish->facility,
                     configured ? ABDM_FINDING_OK : ABDM_FINDING_WARN, seen,
                     configured              ? ""
                     : answer->id[0] != '\0' ? remedy
                                             : "abdm doctor shows the bridge's services");
    if (answer->id[0] != '\0') {
        (void) abdm_examine_bridge(d);
        abdm_examine_facility(d, answer->id);
    }
}


static void
register_facility(abdm_doctor_t *d, const abdm_registration_t *wish, const char *registry)
{
    char seen[ABDM_DOCTOR_TEXT], remedy[ABDM_DOCTOR_TEXT];
    abdm_registry_answer_t answer;
    abdm_buf_t body = {0};
    abdm_probe_t probe;

    abdm_out_register(&body, wish->facility, wish->facility_name, d->abdm->gateway.client_id,
                      wish->hip_name);
    abdm_probe_gateway(d, &probe, NULL, registry, PATH_REGISTRY, &body);
    if (abdm_failed(probe.call.err) || probe.call.status == 401) {
        abdm_probe_blame(&probe, seen, remedy);
        abdm_doctor_tell(d, "service", wish->facility, ABDM_FINDING_FAIL, seen, remedy);
        abdm_probe_clear(&probe);
        return;
    }
    abdm_registry_read(probe.call.status, abdm_buf_str(&probe.call.answer), &answer);
    abdm_doctor_text(seen, "the registry refuses: status %d%s%s: \"%s\"", probe.call.status,
                     answer.code[0] != '\0' ? ", code " : "", answer.code, answer.text);
    abdm_probe_clear(&probe);
    switch (answer.outcome) {
    case ABDM_REGISTERED_NEW:
    case ABDM_REGISTERED_BEFORE:
        tell_registered(d, wish, &answer);
        break;
    case ABDM_REGISTERED_NAME:
        abdm_doctor_tell(
            d, "service", wish->facility, ABDM_FINDING_FAIL, seen,
            "--facility-name must be the registry's own spelling, letter by letter: look it up "
            "there");
        break;
    case ABDM_REGISTERED_NOT:
        abdm_doctor_tell(
            d, "service", wish->facility, ABDM_FINDING_FAIL, seen,
            "correct what it names; --facility is the id in the facility registry, and "
            "--registry its host");
        break;
    }
}


/* --- all --- */

static void
register_all(abdm_doctor_t *d, const abdm_registration_t *wish, const char *registry)
{
    d->area = "gateway";
    if (!abdm_examine_session(d)) {
        return; /* told */
    }
    d->area = "registration";
    if (!abdm_examine_bridge(d)) {
        return;
    }
    if (wish->url != NULL) {
        register_url(d, wish);
    }
    if (wish->facility != NULL) {
        register_facility(d, wish, registry);
    }
}


abdm_err_t
abdm_register(const abdm_description_t *description, const abdm_registration_t *wish,
              char problem[ABDM_PROBLEM], abdm_finding_fn tell, void *ctx)
{
    static const char *const names[] = {"", "sandbox", "production"};
    const abdm_config_t *config = abdm_description_config(description);
    const abdm_gateway_preset_t *preset =
        abdm_gateway_preset(abdm_str(names[config->gateway.preset]));
    const char *registry = wish->registry;
    abdm_doctor_t d = {
        .description = description,
        .config = config,
        .tell = tell,
        .tell_ctx = ctx,
    };

    problem[0] = '\0';
    ABDM_TRY(check(wish, problem));
    if (registry == NULL && preset != NULL) {
        registry = preset->registry;
    }
    if (registry == NULL && wish->facility != NULL) {
        return refuse(problem, "--registry",
                      "the host of the facility registry is needed: it is only "
                      "known for the sandbox");
    }
    if (abdm_doctor_begin(&d)) {
        register_all(&d, wish, registry);
    }
    abdm_doctor_end(&d);
    return ABDM_NO_ERR;
}
