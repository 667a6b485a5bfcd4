/*
 * Errors of OpenSSL stay where they happened: what is left in its queue would be reported by
 * nginx at the next TLS operation of the thread.
 */
#ifndef ABDM_CRYPTO_REFUSED_H
#define ABDM_CRYPTO_REFUSED_H

#include <openssl/err.h>
#include <stdbool.h>

#include "core/err.h"

/* `err`, after the queue was emptied. */
static inline abdm_err_t
abdm_crypto_refused(abdm_err_t err)
{
    ERR_clear_error();
    return err;
}


/* Was memory what OpenSSL lacked? Empties the queue. */
static inline bool
abdm_crypto_no_memory(void)
{
    unsigned long code;
    bool none = false;

    while ((code = ERR_get_error()) != 0)
        none = none || ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE;
    return none;
}

#endif
