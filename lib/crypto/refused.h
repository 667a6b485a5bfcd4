/*
 * Errors of OpenSSL stay where they happened: what is left in its queue would be reported by
 * nginx at the next TLS operation of the thread.
 */
#ifndef ABDM_CRYPTO_REFUSED_H
#define ABDM_CRYPTO_REFUSED_H

#include <openssl/err.h>

#include "core/err.h"

/* `err`, after the queue was emptied. */
static inline abdm_err_t
abdm_crypto_refused(abdm_err_t err)
{
    ERR_clear_error();
    return err;
}

#endif
