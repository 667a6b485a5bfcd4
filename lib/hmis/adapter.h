/*
 * What one kind of HMIS must be able to do: a row of functions per adapter. Adapters build
 * requests and turn answers into JSON; hmis.c and plain.c check the plain form for all of them.
 */
#ifndef ABDM_HMIS_ADAPTER_H
#define ABDM_HMIS_ADAPTER_H

#include "hmis/hmis.h"

enum {
    ABDM_HMIS_PROBLEM = 512, /* bytes of a text that tells the sysadmin what to mend */
    ABDM_HMIS_QUESTIONS = 8, /* of one operation */
    ABDM_HMIS_RECORDS = ABDM_HMIS_OPS, /* the question for records stands behind the operations */
    ABDM_HMIS_ASKABLE
};

/* `op` is an abdm_hmis_op_t or ABDM_HMIS_RECORDS; `index` one of its questions; `vars` what
 * hmis.h says of it. */
typedef struct {
    const char *name; /* as the directive `hmis` spells it */
    abdm_err_t (*open)(const char *url, const char *mapping_dir, char *problem, void **state);
    void (*close)(void *state);
    int (*questions)(const void *state, int op);
    bool (*can_ask)(const void *state, int op, int index, const json_t *vars);
    abdm_err_t (*ask)(void *state, int op, int index, const json_t *vars,
                      abdm_hmis_request_t *out);
    /* *out is whatever the mapping gave, an empty object when it has no program for answers: its
     * form is checked by the caller. */
    abdm_err_t (*answer)(void *state, int op, int index, const json_t *vars, const char *body,
                         size_t len, json_t **out);
    abdm_err_t (*file_request)(const void *state, const char *url, abdm_hmis_request_t *out);
} abdm_hmis_adapter_t;

extern const abdm_hmis_adapter_t abdm_hmis_rest;

/* Writes `problem`, cut to fit and always terminated. */
void abdm_hmis_say(char *problem, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
