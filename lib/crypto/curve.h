/*
 * Curve25519 in the short Weierstrass form that ABDM uses on the wire (BouncyCastle's
 * "curve25519": NIST W-25519 up to the sign of G) mapped to the Montgomery form of RFC 7748.
 * Points are 64 bytes X || Y, big endian; u-coordinates and scalars are little endian as in
 * RFC 7748. Everything here runs in time that does not depend on the values.
 */
#ifndef ABDM_CRYPTO_CURVE_H
#define ABDM_CRYPTO_CURVE_H

#include <stdbool.h>
#include <stdint.h>

/* What is wrong with a point, or nothing. */
typedef enum {
    ABDM_POINT_GOOD,
    ABDM_POINT_RANGE,     /* a coordinate is not below p */
    ABDM_POINT_OFF_CURVE,
    ABDM_POINT_SMALL,     /* of order 1, 2, 4 or 8: every secret made with it is the same */
} abdm_point_check_t;

abdm_point_check_t abdm_point_check(const uint8_t xy[64]);

/* u of the Montgomery form. The point is one that abdm_point_check found good. */
void abdm_point_to_u(const uint8_t xy[64], uint8_t u[32]);

/* A point with this u, the one of both whose Y is even; false when u is on the twist. */
bool abdm_point_from_u(const uint8_t u[32], uint8_t xy[64]);

/* X (32 bytes, big endian) of the points whose Montgomery coordinate is u. */
void abdm_point_x_from_u(const uint8_t u[32], uint8_t x[32]);

/*
 * Makes from a private key D (big endian) a scalar that is 0 mod 8 and +D or -D mod n, so that
 * it gives the same x-coordinates. Nearly all fit the form that X25519 works with; see
 * abdm_scalar_is_clamped. False unless 1 <= D < n.
 */
bool abdm_scalar_from_private(const uint8_t d[32], uint8_t scalar[32]);

/* D mod n, big endian, of such a scalar. */
void abdm_scalar_to_private(const uint8_t scalar[32], uint8_t d[32]);

bool abdm_scalar_is_clamped(const uint8_t scalar[32]);

/*
 * u-coordinate of scalar * point for any scalar of 256 bits that is 0 mod 8. Several times
 * slower than X25519: it is there for the few scalars that have no clamped form (2 in 10^38).
 */
void abdm_ladder(const uint8_t scalar[32], const uint8_t u[32], uint8_t out[32]);

#endif
