/* The gateway: what a session says, the clock by its Date, and the keys of callbacks. */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "doctor/doctor.h"
#include "gateway/answer.h"
#include "gateway/outbound.h"
#include "token/jwks.h"

enum {
    CLOCK_WARN_S = 30,
    CLOCK_FAIL_S = 2 * 60,
    KID_SHOWN = 12
};


/* --- the clock --- */

static void
look_at_clock(abdm_doctor_t *d, const abdm_probe_t *probe)
{
    char seen[ABDM_DOCTOR_TEXT];
    time_t theirs = probe->date[0] != '\0' ? curl_getdate(probe->date, NULL) : -1;
    int64_t ahead, off;
    abdm_finding_state_t state;

    if (theirs < 0) {
        abdm_doctor_tell(d, "clock", "", ABDM_FINDING_SKIPPED, "the gateway sends no Date", "");
        return;
    }
    ahead = probe->at / 1000 - (int64_t) theirs;
    off = ahead < 0 ? -ahead : ahead;
    state = off > CLOCK_FAIL_S   ? ABDM_FINDING_FAIL
            : off > CLOCK_WARN_S ? ABDM_FINDING_WARN
                                 : ABDM_FINDING_OK;
    if (off <= 1) { /* Date has seconds */
        abdm_doctor_text(seen, "as the gateway's");
    } else {
        abdm_doctor_text(seen, "%lld s %s the gateway's", (long long) off,
                         ahead > 0 ? "ahead of" : "behind");
    }
    abdm_doctor_tell(d, "clock", "", state, seen,
                     state == ABDM_FINDING_OK
                         ? ""
                         : "let NTP keep the clock: timedatectl set-ntp true (chrony or "
                           "systemd-timesyncd), and see that UDP port 123 is open; ABDM refuses "
                           "calls and tokens look expired when it is wrong");
}


/* --- the session --- */

/* Sandbox clients are called SBX...: others' secrets are never tried elsewhere. */
static const char *
other_environment(const abdm_doctor_t *d)
{
    bool sandbox_id = strncmp(d->abdm->gateway.client_id, "SBX", 3) == 0;

    if (d->config->gateway.preset == ABDM_GATEWAY_PRODUCTION && sandbox_id) {
        return "client_id is one of the sandbox: write abdm_gateway sandbox, or the id that ABDM "
               "gave for production";
    }
    if (d->config->gateway.preset == ABDM_GATEWAY_SANDBOX && !sandbox_id) {
        return "client_id does not look like one of the sandbox (SBX...): write abdm_gateway "
               "production, or the sandbox's id";
    }
    return NULL;
}


static void
tell_refused(abdm_doctor_t *d, const abdm_probe_t *probe)
{
    char seen[ABDM_DOCTOR_TEXT], remedy[ABDM_DOCTOR_TEXT];
    bool refused = !abdm_failed(probe->call.err) && probe->call.status == 401;

    abdm_probe_blame(probe, seen, remedy);
    if (refused && other_environment(d) != NULL) {
        abdm_doctor_text(remedy, "%s", other_environment(d));
    }
    abdm_doctor_tell(d, "session", d->abdm->gateway.client_id, ABDM_FINDING_FAIL, seen, remedy);
}


bool
abdm_examine_session(abdm_doctor_t *d)
{
    const abdm_gateway_config_t *gateway = &d->abdm->gateway;
    char seen[ABDM_DOCTOR_TEXT];
    abdm_probe_t probe;
    abdm_buf_t body = {0};
    int64_t life;
    abdm_err_t err;

    abdm_out_session(&body, gateway->client_id, abdm_str(d->abdm->client_secret));
    abdm_probe_gateway(d, &probe, NULL, gateway->url, ABDM_PATH_SESSIONS, &body);
    if (!abdm_failed(probe.call.err)) {
        look_at_clock(d, &probe);
    }
    if (!abdm_probe_good(&probe)) {
        tell_refused(d, &probe);
    } else {
        err = abdm_answer_session(probe.call.answer.p, probe.call.answer.len, &d->token, &life);
        if (abdm_failed(err)) {
            abdm_doctor_tell(d, "session", gateway->client_id, ABDM_FINDING_FAIL, err.what,
                             "url of abdm_gateway leads to a server that is not ABDM's gateway");
        } else {
            abdm_doctor_text(seen, "given for %lld min, in %lld ms", (long long) life / 60000,
                             (long long) probe.took_ms);
            abdm_doctor_tell(d, "session", gateway->client_id, ABDM_FINDING_OK, seen, "");
        }
    }
    abdm_probe_clear(&probe);
    return d->token != NULL;
}


/* --- keys --- */

/* "AlRb5WCm8Tm9... RS256, ..." */
static void
list_keys(abdm_str_t body, char out[ABDM_DOCTOR_TEXT])
{
    json_t *json = NULL, *key;
    size_t i, n = 0;

    if (abdm_failed(abdm_json_parse(body.p, body.len, ABDM_JSON_DEPTH, &json))) {
        out[0] = '\0';
        return;
    }
    json_array_foreach(json_object_get(json, "keys"), i, key)
    {
        const char *kid = json_string_value(json_object_get(key, "kid"));
        const char *alg = json_string_value(json_object_get(key, "alg"));

        if (kid != NULL && n < ABDM_DOCTOR_TEXT / 2) {
            n += (size_t) snprintf(out + n, ABDM_DOCTOR_TEXT - n, "%s%.*s%s %.8s",
                                   n > 0 ? ", " : "", KID_SHOWN, kid,
                                   strlen(kid) > KID_SHOWN ? "..." : "", alg != NULL ? alg : "");
        }
    }
    json_decref(json);
}


/* True with the set's fingerprint when it is good. */
static bool
look_at_keys(abdm_doctor_t *d, const char *url, char fingerprint[65])
{
    char seen[ABDM_DOCTOR_TEXT], remedy[ABDM_DOCTOR_TEXT];
    abdm_jwks_t *set = NULL;
    abdm_probe_t probe;
    abdm_err_t err;
    bool good = false;

    if (abdm_keys_want_session(url, d->abdm->gateway.url)) {
        if (d->token == NULL) {
            abdm_doctor_tell(d, "keys", url, ABDM_FINDING_SKIPPED, "it wants a session", "");
            return false;
        }
        abdm_probe_gateway(d, &probe, NULL, url, "", NULL);
    } else {
        memset(&probe, 0, sizeof(probe));
        probe.call.url = strdup(url);
        if (probe.call.url != NULL) {
            abdm_probe_run(d->http, &probe);
        } else {
            probe.call.err = ABDM_ERR(MEMORY, "call");
        }
    }
    if (!abdm_probe_good(&probe)) {
        abdm_probe_blame(&probe, seen, remedy);
        abdm_doctor_tell(d, "keys", url, ABDM_FINDING_WARN, seen, remedy);
    } else {
        err = abdm_jwks_parse(probe.call.answer.p, probe.call.answer.len, &set);
        if (abdm_failed(err)) {
            abdm_doctor_tell(d, "keys", url, ABDM_FINDING_WARN, err.what,
                             "jwks_url leads to something else than the gateway's keys");
        } else {
            list_keys(abdm_buf_str(&probe.call.answer), seen);
            abdm_doctor_tell(d, "keys", url, ABDM_FINDING_OK, seen, "");
            snprintf(fingerprint, 65, "%s", abdm_jwks_fingerprint(set));
            good = true;
        }
    }
    abdm_jwks_free(set);
    abdm_probe_clear(&probe);
    return good;
}


static void
examine_keys(abdm_doctor_t *d)
{
    char fingerprint[2][65] = {"", ""};
    int good = 0;

    for (size_t i = 0; i < 2; i++) {
        const char *url = d->abdm->jwks_url[i];

        good += url != NULL && look_at_keys(d, url, fingerprint[i]);
    }
    if (good == 0) {
        abdm_doctor_tell(d, "keys", "", ABDM_FINDING_FAIL, "no key set can be had",
                         "callbacks cannot be verified and are answered 503: mend what the lines "
                         "above name, or give jwks_url");
    } else if (good == 2 && strcmp(fingerprint[0], fingerprint[1]) != 0) {
        abdm_doctor_tell(d, "keys", "", ABDM_FINDING_WARN, "the two key sets differ",
                         "keys are being changed, or issuer is of another environment than url");
    }
}


void
abdm_examine_gateway(abdm_doctor_t *d)
{
    d->area = "gateway";
    abdm_examine_session(d);
    examine_keys(d);
}
