/*
 * The words of a consent's status, and what a notice does to a stored status (gateway
 * protocol 7.5: monotonic, never out of REVOKED or EXPIRED). The decision on a consent is in
 * decide.c.
 */
#include "consent/consent.h"

/* One row per status. A notice moves a consent only to a higher rank; the two final states
 * share the highest, so whichever came first stays. */
static const struct {
    const char *word;
    int rank;
} statuses[] = {
    [ABDM_CONSENT_REQUESTED] = {"REQUESTED", 0},
    [ABDM_CONSENT_DENIED] = {"DENIED", 1},
    [ABDM_CONSENT_GRANTED] = {"GRANTED", 2},
    [ABDM_CONSENT_REVOKED] = {"REVOKED", 3},
    [ABDM_CONSENT_EXPIRED] = {"EXPIRED", 3},
};

enum { STATUSES = sizeof statuses / sizeof statuses[0] };


bool
abdm_consent_status_parse(abdm_str_t word, abdm_consent_status_t *out)
{
    for (int i = 0; i < STATUSES; i++) {
        if (abdm_str_ieq(word, abdm_str(statuses[i].word))) {
            *out = (abdm_consent_status_t) i;
            return true;
        }
    }
    return false;
}


const char *
abdm_consent_status_name(abdm_consent_status_t status)
{
    return statuses[status].word;
}


abdm_consent_status_t
abdm_consent_next(bool known, abdm_consent_status_t stored, abdm_consent_status_t notified)
{
    if (!known || statuses[notified].rank > statuses[stored].rank)
        return notified;
    return stored;
}


bool
abdm_consent_is_emergency(const abdm_consent_t *consent)
{
    return abdm_str_ieq(abdm_str(consent->purpose), ABDM_LIT("BTG"));
}
