/*
 * One-time passwords as India's providers of SMS and ABDM's apps expect them: six digits. How
 * long one lives and how often it may be tried is the flow's to decide.
 */
#ifndef ABDM_CRYPTO_OTP_H
#define ABDM_CRYPTO_OTP_H

#include "core/err.h"

enum { ABDM_OTP_TEXT = 7 };

/* Six random digits with terminator; every number is as likely as any other. E_CRYPTO. The caller
 * wipes. */
abdm_err_t abdm_otp_make(char out[ABDM_OTP_TEXT]);

#endif
