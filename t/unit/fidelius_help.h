/* What the tests of Fidelius share: values out of text, with a failed test when that fails. */
#ifndef FIDELIUS_HELP_H
#define FIDELIUS_HELP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/fidelius.h"

/* G, whose private key is 1. */
#define BASE_POINT                                                                                 \
    "BCqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqrSRaIK4ZobighrTgHt0sd0jRTJI9TX5tfGGyKenFon7O09k="


static inline void
assert_ok(abdm_err_t err)
{
    if (abdm_failed(err))
        fail_msg("%s (%s)", err.what, err.where);
}


static inline abdm_key_pair_t
import(const char *text)
{
    abdm_key_pair_t pair;
    assert_ok(abdm_key_pair_import(abdm_str(text), &pair));
    return pair;
}


static inline abdm_public_key_t
public_key(const char *text)
{
    abdm_public_key_t key;
    assert_ok(abdm_public_key_decode(abdm_str(text), &key));
    return key;
}


static inline abdm_buf_t
bytes_of(const char *base64)
{
    abdm_buf_t b = {0};
    size_t room = strlen(base64) / 4 * 3;

    assert_true(abdm_buf_reserve(&b, room));
    assert_true(abdm_base64_decode(abdm_str(base64), (uint8_t *) b.p, room, &b.len));
    return b;
}

#endif
