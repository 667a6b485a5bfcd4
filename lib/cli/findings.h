/* What `abdm doctor` and `abdm register` found, as text for people or as JSON. */
#ifndef ABDM_CLI_FINDINGS_H
#define ABDM_CLI_FINDINGS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "abdm_doctor.h"

typedef struct {
    bool json;
    bool plain;    /* ASCII alone */
    bool colour;
    const char *area; /* printed last */
    size_t count[ABDM_FINDING_FAIL + 1];
    json_t *list;  /* with `json` */
    bool failed;   /* no memory */
} abdm_findings_t;

/* Statuses of commands that examine; 2 is a wrong command line, as everywhere. */
enum { ABDM_STATUS_GOOD, ABDM_STATUS_FAILED, ABDM_STATUS_WARNED = 3 };

/* Plain and colour by locale and terminal; NO_COLOR is respected. */
void abdm_findings_begin(abdm_findings_t *findings, bool json);
void abdm_findings_take(const abdm_finding_t *finding, void *findings);
/* The sum of all; gives the exit status. */
int abdm_findings_end(abdm_findings_t *findings);

#endif
