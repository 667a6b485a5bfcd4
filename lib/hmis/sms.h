/*
 * The facility's SMS provider, for OTPs: an HTTP call built from a template file, so that every
 * provider of India with its own parameters, headers and DLT ids can be used. conf/sms.json.sample
 * is one, conf/hmis/README.md the manual.
 */
#ifndef ABDM_HMIS_SMS_H
#define ABDM_HMIS_SMS_H

#include "hmis/hmis.h"

typedef struct abdm_sms_s abdm_sms_t;

/* Loads `template_file` for the provider at `url` (http:// or https://, or http://unix:...).
 * Secrets it needs (API keys) are named in it as files, which only their owner may read. `problem`
 * tells file, member and fault on E_CONFIG. */
abdm_err_t abdm_sms_open(const char *url, const char *template_file, char problem[512],
                         abdm_sms_t **out);
void abdm_sms_close(abdm_sms_t *sms); /* wipes; NULL is allowed */

/* The call that sends message `name` ("otp") with variables {mobile: ten digits, otp, minutes,
 * facility}. E_CONFIG when the template has no such message; E_FIELD for a missing variable. */
abdm_err_t abdm_sms_request(const abdm_sms_t *sms, const char *name, const json_t *vars,
                            abdm_hmis_request_t *out);

/* Did the provider take it? By status and, when the template says so, by what its answer holds:
 * many answer 200 to everything. E_SMS; *again tells whether trying again is of use. */
abdm_err_t abdm_sms_judge(const abdm_sms_t *sms, int status, const char *body, size_t len,
                          bool *again);

#endif
