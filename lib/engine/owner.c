/* Processes by pid and start time, as /proc has them. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/owner.h"

enum { START_FIELD = 22 /* of /proc/PID/stat, from 1 */ };


/* State letter and start time of a process; false with errno when there is none. */
static bool
read_stat(long pid, char *state, unsigned long long *start)
{
    char path[64], text[1024];
    const char *p;
    size_t n;
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%ld/stat", pid);
    f = fopen(path, "r");
    if (f == NULL) {
        return false;
    }
    n = fread(text, 1, sizeof(text) - 1, f);
    fclose(f);
    text[n] = '\0';

    p = strrchr(text, ')'); /* the name before it may hold spaces and brackets */
    if (p == NULL || p[1] == '\0') {
        errno = n == 0 ? ESRCH : EINVAL;
        return false;
    }
    *state = p[2];
    for (int field = 2; p != NULL && field < START_FIELD; field++) {
        p = strchr(p + 1, ' ');
    }
    if (p == NULL) {
        errno = EINVAL;
        return false;
    }
    *start = strtoull(p + 1, NULL, 10);
    return true;
}


abdm_err_t
abdm_owner_name(char owner[ABDM_OWNER_TEXT])
{
    unsigned long long start;
    char state;

    if (!read_stat((long) getpid(), &state, &start)) {
        return ABDM_ERR(SYSTEM, "/proc/PID/stat of this process");
    }
    snprintf(owner, ABDM_OWNER_TEXT, "%ld.%llu", (long) getpid(), start);
    return ABDM_NO_ERR;
}


abdm_fate_t
abdm_owner_fate(const char *owner)
{
    unsigned long long named, start;
    char state;
    long pid;

    if (sscanf(owner, "%ld.%llu", &pid, &named) != 2) {
        return ABDM_FATE_UNKNOWN;
    }
    if (!read_stat(pid, &state, &start)) {
        return errno == ENOENT || errno == ESRCH ? ABDM_FATE_GONE : ABDM_FATE_UNKNOWN;
    }
    return state == 'Z' || start != named ? ABDM_FATE_GONE : ABDM_FATE_ALIVE;
}
