/*
 * What one kind of HMIS must be able to do: a row of operations per adapter. Adapters build
 * requests and turn answers into JSON; hmis.c checks the plain form for all of them.
 */
#ifndef ABDM_HMIS_ADAPTER_H
#define ABDM_HMIS_ADAPTER_H

#include "hmis/hmis.h"

enum { ABDM_HMIS_PROBLEM = 512 }; /* bytes of a text that tells the sysadmin what to mend */

typedef struct {
    const char *name; /* as the directive `hmis` spells it */
    abdm_err_t (*open)(const char *url, const char *mapping_dir, char *problem, void **state);
    void (*close)(void *state);
    abdm_err_t (*records_request)(const void *state, const abdm_hmis_query_t *query,
                                  abdm_hmis_request_t *out);
    /* *records is whatever the mapping gave: its form is checked by the caller. */
    abdm_err_t (*records_map)(void *state, const abdm_hmis_query_t *query, const char *body,
                              size_t len, json_t **records);
    abdm_err_t (*file_request)(const void *state, const char *url, abdm_hmis_request_t *out);
} abdm_hmis_adapter_t;

extern const abdm_hmis_adapter_t abdm_hmis_rest;

/* Writes `problem`, cut to fit and always terminated. */
void abdm_hmis_say(char *problem, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
