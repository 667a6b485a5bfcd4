/* The store from inside: does it open, is somebody at work on it, and does work lie about? */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "doctor/doctor.h"
#include "store/store.h"

enum { OVERDUE_WARN_MS = 2 * 60 * 1000, OVERDUE_FAIL_MS = 60 * 60 * 1000 };


static void
tell_work(abdm_doctor_t *d, const abdm_store_health_t *health, abdm_ms_t now)
{
    abdm_ms_t late = health->due_since != 0 ? now - health->due_since : 0;
    abdm_finding_state_t state = ABDM_FINDING_OK;
    char seen[ABDM_DOCTOR_TEXT];

    abdm_doctor_text(seen,
                     "processes at work: %lld; callbacks waiting: %lld; jobs: %lld, the oldest "
                     "due for %lld s",
                     (long long) health->owners, (long long) health->callbacks,
                     (long long) health->jobs, (long long) late / 1000);
    if (late > OVERDUE_WARN_MS || health->owners == 0) {
        state = late > OVERDUE_FAIL_MS ? ABDM_FINDING_FAIL : ABDM_FINDING_WARN;
    }
    abdm_doctor_tell(d, "work", "", state, seen,
                     state == ABDM_FINDING_OK ? ""
                     : health->owners == 0    ? "is nginx up, with this configuration?"
                                              : "see the error log for what holds the work up");
}


static void
tell_links(abdm_doctor_t *d, const abdm_store_health_t *health)
{
    char seen[ABDM_DOCTOR_TEXT];

    abdm_doctor_text(seen, "care contexts that could not be linked: %lld; patients blocked by the "
                           "gateway: %lld",
                     (long long) health->failed_links, (long long) health->blocked);
    if (health->failed_links > 0 || health->blocked > 0) {
        abdm_doctor_tell(
            d, "links", "", ABDM_FINDING_WARN, seen,
            "GET care-contexts of the API has the reason of each: often name, gender or year "
            "of birth are not those of the ABHA; blocks end by themselves in 24 hours");
    } else {
        abdm_doctor_tell(d, "links", "", ABDM_FINDING_OK, seen, "");
    }
}


void
abdm_examine_store(abdm_doctor_t *d)
{
    const char *url = d->config->store, *path = url != NULL ? strchr(url, '/') : NULL;
    abdm_ms_t now = abdm_time_now();
    char seen[ABDM_DOCTOR_TEXT];
    abdm_store_health_t health;
    abdm_store_t *store = NULL;
    abdm_err_t err;

    d->area = "store";
    if (path == NULL || access(path, R_OK | W_OK) != 0) { /* opening would make one */
        abdm_doctor_tell(d, "opens", "", ABDM_FINDING_SKIPPED,
                         "there is no such file, or no right to it", "");
        return;
    }
    err = abdm_store_open(url, d->abdm != NULL ? d->abdm->seal_key : NULL, &store);
    if (!abdm_failed(err)) {
        err = abdm_store_health(store, now, &health);
    }
    if (abdm_failed(err)) {
        abdm_doctor_text(seen, "%s: %s", abdm_error_info(err.code)->meaning, err.what);
        abdm_doctor_tell(d, "opens", "", ABDM_FINDING_FAIL, seen,
                         abdm_error_info(err.code)->remedy);
    } else {
        abdm_doctor_text(seen, "schema version %d", health.version);
        abdm_doctor_tell(d, "opens", "", ABDM_FINDING_OK, seen, "");
        tell_work(d, &health, now);
        tell_links(d, &health);
    }
    abdm_store_close(store);
}
