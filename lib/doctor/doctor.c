/*
 * `abdm doctor`: the order of the examination. What a later area needs and an earlier one could not
 * get is told as skipped, so that a report has the same rows whatever is wrong.
 */
#include "doctor/doctor.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>


void
abdm_doctor_tell(abdm_doctor_t *d, const char *check, const char *subject,
                 abdm_finding_state_t state, const char *seen, const char *remedy)
{
    const abdm_finding_t finding = {
        .area = d->area,
        .check = check,
        .subject = subject,
        .state = state,
        .seen = seen,
        .remedy = remedy,
    };

    d->tell(&finding, d->tell_ctx);
}


const char *
abdm_doctor_text(char out[ABDM_DOCTOR_TEXT], const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vsnprintf(out, ABDM_DOCTOR_TEXT, fmt, args);
    va_end(args);
    return out;
}


bool
abdm_doctor_wants(const abdm_doctor_t *d, const char *facility)
{
    return d->options.facility == NULL || strcmp(d->options.facility, facility) == 0;
}


bool
abdm_doctor_begin(abdm_doctor_t *d)
{
    char problem[ABDM_PROBLEM] = "";
    abdm_err_t err;

    d->area = "configuration";
    err = abdm_new(d->config, problem, &d->abdm);
    if (abdm_failed(err)) {
        abdm_doctor_tell(d, "loads", "", ABDM_FINDING_FAIL, problem[0] != '\0' ? problem : err.what,
                         "mend what it names; a running nginx goes on with what it loaded before, "
                         "and would refuse this at its next start");
        return false;
    }
    err = abdm_http_start(d->abdm->trust, &d->http);
    if (abdm_failed(err)) {
        abdm_doctor_tell(d, "loads", "", ABDM_FINDING_FAIL, err.what,
                         abdm_error_info(err.code)->remedy);
        return false;
    }
    abdm_doctor_tell(d, "loads", "", ABDM_FINDING_OK,
                     "every value and every file that it names is usable", "");
    return true;
}


void
abdm_doctor_end(abdm_doctor_t *d)
{
    if (d->token != NULL) {
        abdm_wipe(d->token, strlen(d->token));
        free(d->token);
    }
    abdm_http_stop(d->http);
    abdm_http_free(d->http);
    abdm_bridge_clear(&d->bridge);
    abdm_free(d->abdm);
}


static void
skip(abdm_doctor_t *d, const char *area, const char *check, const char *why)
{
    d->area = area;
    abdm_doctor_tell(d, check, "", ABDM_FINDING_SKIPPED, why, "");
}


/* The rows of all that needs the network or a configuration that loads. */
static void
skip_rest(abdm_doctor_t *d, const char *why)
{
    skip(d, "network", "hosts", why);
    skip(d, "gateway", "session", why);
    skip(d, "registration", "bridge", why);
    skip(d, "callbacks", "reachable", why);
    skip(d, "hospital", "hmis", why);
}


static bool
has_facility(const abdm_doctor_t *d)
{
    for (size_t i = 0; i < d->config->n_facility; i++) {
        if (abdm_doctor_wants(d, d->config->facility[i].id)) {
            return true;
        }
    }
    return false;
}


void
abdm_doctor(const abdm_description_t *description, const abdm_doctor_options_t *options,
            abdm_finding_fn tell, void *ctx)
{
    abdm_doctor_t d = {
        .description = description,
        .config = abdm_description_config(description),
        .options = *options,
        .tell = tell,
        .tell_ctx = ctx,
        .area = "configuration",
    };

    abdm_examine_configuration(&d);
    if (!has_facility(&d)) {
        abdm_doctor_tell(&d, "facility", d.options.facility, ABDM_FINDING_FAIL,
                         "there is no such abdm_facility",
                         "name one as its block in nginx.conf does, or none");
        return;
    }
    bool loaded = abdm_doctor_begin(&d);
    abdm_examine_files(&d);
    abdm_examine_store(&d);
    if (!loaded) {
        skip_rest(&d, "the configuration cannot be loaded");
    } else if (d.options.offline) {
        skip_rest(&d, "--offline");
    } else {
        abdm_examine_network(&d);
        abdm_examine_gateway(&d);
        abdm_examine_registered(&d);
        abdm_examine_callback(&d);
        abdm_examine_hospital(&d);
    }
    abdm_doctor_end(&d);
}
