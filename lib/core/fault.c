/* Ends the process as a power cut would, once, at the place the fault file names. */
#include "core/fault.h"

#ifdef ABDM_FAULTS

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>


void
abdm_fault_point(const char *place, const char *what)
{
    const char *path = getenv("ABDM_FAULT_FILE");
    char line[128] = "", here[128];
    FILE *f;

    if (path == NULL || (f = fopen(path, "r")) == NULL) {
        return;
    }
    if (fgets(line, sizeof(line), f) == NULL) {
        line[0] = '\0';
    }
    fclose(f);
    line[strcspn(line, "\n")] = '\0';
    snprintf(here, sizeof(here), "%s %s", place, what);
    if (strcmp(line, here) == 0 && unlink(path) == 0) {
        kill(getpid(), SIGKILL);
    }
}

#else

/* ISO C wants a declaration in every file. */
typedef int abdm_no_fault_points_t;

#endif
