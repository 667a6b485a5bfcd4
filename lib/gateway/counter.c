/*
 * Counters of a facility: what ABDM takes for a counter's name, and what the QR code there says
 * (gateway protocol 3.13).
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "abdm.h"
#include "gateway/preset.h"

enum { COUNTER_MAX = 20, FACILITY_MAX = 64, HOST_MAX = 255 };


static bool
is_of(const char *text, size_t max, const char *more)
{
    size_t n = strlen(text);

    for (size_t i = 0; i < n; i++) {
        const unsigned char c = (unsigned char) text[i];

        if (c >= 0x80 || (!isalnum(c) && strchr(more, c) == NULL))
            return false;
    }
    return n >= 1 && n <= max;
}


/* The id of the facility is what stands before "_", where a service has such a suffix. */
static bool
is_facility(const char *facility, const char *counter)
{
    size_t n = strcspn(facility, "_");

    return strcasecmp(facility, counter) == 0
           || (strlen(counter) == n && strncasecmp(facility, counter, n) == 0);
}


abdm_err_t
abdm_counter_check(const char *facility, const char *name, const char *counter,
                   char problem[ABDM_PROBLEM])
{
    if (!is_of(counter, COUNTER_MAX, "")) {
        snprintf(problem, ABDM_PROBLEM,
                 "counter \"%.64s\": 1 to 20 letters (A-Z, a-z) and digits are expected", counter);
        return ABDM_ERR(CONFIG, "counter");
    }
    if (is_facility(facility, counter) || (name != NULL && strcasecmp(name, counter) == 0)) {
        snprintf(problem, ABDM_PROBLEM,
                 "counter \"%s\": it may not have the id or the name of the facility", counter);
        return ABDM_ERR(CONFIG, "counter");
    }
    return ABDM_NO_ERR;
}


static abdm_err_t
check_host(const char *host, char problem[ABDM_PROBLEM])
{
    static const char scheme[] = "https://";
    const size_t n = sizeof(scheme) - 1;

    if (strncmp(host, scheme, n) == 0 && is_of(host + n, HOST_MAX, ".-:"))
        return ABDM_NO_ERR;
    snprintf(problem, ABDM_PROBLEM, "host \"%.300s\": https://host[:port] is expected", host);
    return ABDM_ERR(CONFIG, "host");
}


abdm_err_t
abdm_counter_url(abdm_preset_t preset, const char *host, const char *facility, const char *counter,
                 char problem[ABDM_PROBLEM], char **url)
{
    static const char *const names[] = {"", "sandbox", "production"};
    const abdm_gateway_preset_t *row = abdm_gateway_preset(abdm_str(names[preset]));
    abdm_buf_t out = {0};

    *url = NULL;
    problem[0] = '\0';
    if (host == NULL && row != NULL)
        host = row->phr;
    ABDM_TRY(check_host(host != NULL ? host : "", problem));
    if (!is_of(facility, FACILITY_MAX, "_-.")) {
        snprintf(problem, ABDM_PROBLEM,
                 "facility \"%.128s\": a service id like IN0990001234_1 is expected", facility);
        return ABDM_ERR(CONFIG, "facility");
    }
    ABDM_TRY(abdm_counter_check(facility, NULL, counter, problem));
    abdm_buf_addf(&out, "%s/share-profile?hip-id=%s&counter-id=%s", host, facility, counter);
    *url = abdm_buf_take(&out);
    if (*url == NULL) {
        snprintf(problem, ABDM_PROBLEM, "no memory");
        return ABDM_ERR(MEMORY, "url");
    }
    return ABDM_NO_ERR;
}
