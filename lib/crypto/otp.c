/* One-time passwords: six digits from OpenSSL's generator, without the bias of a remainder. */
#include "crypto/otp.h"

#include <openssl/rand.h>
#include <stdint.h>

#include "core/buf.h"
#include "crypto/refused.h"

enum {
    DIGITS = ABDM_OTP_TEXT - 1,
    NUMBERS = 1000 * 1000,
    DRAWS_MAX = 16 /* one in 4,440 is drawn again: that all fail is less likely than 2^-190 */
};

/* The largest multiple of NUMBERS that 32 bits hold: what lies above would favour low numbers. */
static const uint32_t FAIR = UINT32_MAX / NUMBERS * NUMBERS;


abdm_err_t
abdm_otp_make(char out[ABDM_OTP_TEXT])
{
    uint32_t n = UINT32_MAX;

    out[0] = '\0';
    for (int i = 0; i < DRAWS_MAX && n >= FAIR; i++) {
        if (RAND_priv_bytes((unsigned char *) &n, sizeof(n)) != 1)
            return abdm_crypto_refused(ABDM_ERR(CRYPTO, "OTP: no random bytes"));
    }
    if (n >= FAIR)
        return ABDM_ERR(CRYPTO, "OTP: the random bytes are not random");
    for (int i = DIGITS - 1; i >= 0; i--) {
        out[i] = (char) ('0' + n % 10);
        n /= 10;
    }
    out[DIGITS] = '\0';
    abdm_wipe(&n, sizeof(n));
    return ABDM_NO_ERR;
}
