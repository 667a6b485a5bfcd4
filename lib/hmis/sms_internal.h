/*
 * An SMS template once it is loaded: sms.c checks it, sms_call.c fills it in. Values in it are
 * texts with variables in braces ("{{" is a brace), or secrets.
 */
#ifndef ABDM_HMIS_SMS_INTERNAL_H
#define ABDM_HMIS_SMS_INTERNAL_H

#include "hmis/base.h"
#include "hmis/sms.h"

struct abdm_sms_s {
    abdm_hmis_base_t base;
    json_t *template; /* as in the file, secrets read; owned */
};

typedef struct {
    const char *name;
    const char *missing;
} abdm_sms_variable_t;

/* What every message may hold: mobile, otp, minutes, facility. NULL: no such one. */
const abdm_sms_variable_t *abdm_sms_variable(abdm_str_t name);

/* {"file": ..., "prefix": ...}: its secret was put in as the member "secret". */
bool abdm_sms_is_secret(const json_t *value);

#endif
