/*
 * Arithmetic modulo p = 2^255 - 19 in five limbs of 51 bits, and modulo the group's order n
 * in four limbs of 64, for what OpenSSL does not offer: the map between the Weierstrass and
 * the Montgomery form, the curve equation, and scalars that X25519 accepts (RFC 7748; the
 * curve's constants are those of NIST SP 800-186, W-25519).
 */
#include "crypto/curve.h"

#include <string.h>

#include "core/buf.h"

typedef unsigned __int128 u128;

/* Limbs stay below 2^52 after every operation but add and sub, which stay below 2^54. */
typedef struct {
    uint64_t v[5];
} fe_t;

#define MASK51 ((UINT64_C(1) << 51) - 1)

static const fe_t one = {{1, 0, 0, 0, 0}};
static const fe_t coefficient_a = {{486662, 0, 0, 0, 0}};

/* A / 3, by which the x-coordinates of both forms differ. */
static const uint8_t third_of_a[32] = {
    0x51, 0x24, 0xad, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa,
    0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0x2a,
};

/* 2^((p - 1) / 4), a square root of -1. */
static const uint8_t root_of_minus_one[32] = {
    0xb0, 0xa0, 0x0e, 0x4a, 0x27, 0x1b, 0xee, 0xc4, 0x78, 0xe4, 0x2f, 0xad, 0x06, 0x18, 0x43, 0x2f,
    0xa7, 0xd7, 0xfb, 0x3d, 0x99, 0x00, 0x4d, 0x2b, 0x0b, 0xdf, 0xc1, 0x4f, 0x80, 0x24, 0x83, 0x2b,
};

static const uint64_t order[4] = {
    0x5812631a5cf5d3ed, 0x14def9dea2f79cd6, 0, 0x1000000000000000,
};


/* --- integers modulo p --- */

static uint64_t
load64(const uint8_t *p)
{
    uint64_t v = 0;
    for (int i = 7; i >= 0; i--)
        v = v << 8 | p[i];
    return v;
}


static void
store64(uint8_t *p, uint64_t v)
{
    for (int i = 0; i < 8; i++, v >>= 8)
        p[i] = (uint8_t) v;
}


static void
reverse(const uint8_t in[32], uint8_t out[32])
{
    for (int i = 0; i < 32; i++)
        out[i] = in[31 - i];
}


/* Bit 255 is ignored. */
static fe_t
fe_load(const uint8_t s[32])
{
    uint64_t a = load64(s), b = load64(s + 8), c = load64(s + 16), d = load64(s + 24);
    return (fe_t){{
        a & MASK51,
        (a >> 51 | b << 13) & MASK51,
        (b >> 38 | c << 26) & MASK51,
        (c >> 25 | d << 39) & MASK51,
        d >> 12 & MASK51,
    }};
}


static fe_t
fe_carry(fe_t a)
{
    for (int i = 0; i < 4; i++) {
        a.v[i + 1] += a.v[i] >> 51;
        a.v[i] &= MASK51;
    }
    a.v[0] += 19 * (a.v[4] >> 51);
    a.v[4] &= MASK51;
    return a;
}


/* The one representative below p. */
static void
fe_store(fe_t a, uint8_t s[32])
{
    uint64_t q = 19;

    a = fe_carry(fe_carry(a));

    /* Now a < 2^255 + 2^52: q becomes 1 when a >= p, and a - q * p is a + 19 q without bit 255. */
    for (int i = 0; i < 5; i++)
        q = (a.v[i] + q) >> 51;
    a.v[0] += 19 * q;
    for (int i = 0; i < 4; i++) {
        a.v[i + 1] += a.v[i] >> 51;
        a.v[i] &= MASK51;
    }
    a.v[4] &= MASK51;

    store64(s, a.v[0] | a.v[1] << 51);
    store64(s + 8, a.v[1] >> 13 | a.v[2] << 38);
    store64(s + 16, a.v[2] >> 26 | a.v[3] << 25);
    store64(s + 24, a.v[3] >> 39 | a.v[4] << 12);
}


static fe_t
fe_add(fe_t a, fe_t b)
{
    for (int i = 0; i < 5; i++)
        a.v[i] += b.v[i];
    return a;
}


/* a + 4 p - b: no limb becomes negative while those of b are below 2^53 - 76. */
static fe_t
fe_sub(fe_t a, fe_t b)
{
    a.v[0] += 4 * (MASK51 - 18) - b.v[0];
    for (int i = 1; i < 5; i++)
        a.v[i] += 4 * MASK51 - b.v[i];
    return a;
}


static fe_t
fe_mul(fe_t a, fe_t b)
{
    uint64_t b1 = 19 * b.v[1], b2 = 19 * b.v[2], b3 = 19 * b.v[3], b4 = 19 * b.v[4];
    u128 r0, r1, r2, r3, r4;
    fe_t r;

    r0 = (u128) a.v[0] * b.v[0] + (u128) a.v[1] * b4 + (u128) a.v[2] * b3 + (u128) a.v[3] * b2
         + (u128) a.v[4] * b1;
    r1 = (u128) a.v[0] * b.v[1] + (u128) a.v[1] * b.v[0] + (u128) a.v[2] * b4
         + (u128) a.v[3] * b3 + (u128) a.v[4] * b2;
    r2 = (u128) a.v[0] * b.v[2] + (u128) a.v[1] * b.v[1] + (u128) a.v[2] * b.v[0]
         + (u128) a.v[3] * b4 + (u128) a.v[4] * b3;
    r3 = (u128) a.v[0] * b.v[3] + (u128) a.v[1] * b.v[2] + (u128) a.v[2] * b.v[1]
         + (u128) a.v[3] * b.v[0] + (u128) a.v[4] * b4;
    r4 = (u128) a.v[0] * b.v[4] + (u128) a.v[1] * b.v[3] + (u128) a.v[2] * b.v[2]
         + (u128) a.v[3] * b.v[1] + (u128) a.v[4] * b.v[0];

    r1 += r0 >> 51;
    r2 += r1 >> 51;
    r3 += r2 >> 51;
    r4 += r3 >> 51;
    r0 = (r0 & MASK51) + 19 * (r4 >> 51);
    r.v[0] = (uint64_t) r0 & MASK51;
    r.v[1] = ((uint64_t) r1 & MASK51) + (uint64_t) (r0 >> 51);
    r.v[2] = (uint64_t) r2 & MASK51;
    r.v[3] = (uint64_t) r3 & MASK51;
    r.v[4] = (uint64_t) r4 & MASK51;
    return r;
}


static fe_t
fe_square(fe_t a)
{
    return fe_mul(a, a);
}


static fe_t
fe_square_times(fe_t a, int times)
{
    while (times-- > 0)
        a = fe_square(a);
    return a;
}


static bool
fe_equal(fe_t a, fe_t b)
{
    uint8_t x[32], y[32], difference = 0;

    fe_store(a, x);
    fe_store(b, y);
    for (int i = 0; i < 32; i++)
        difference |= x[i] ^ y[i];
    return difference == 0;
}


static bool
fe_is_zero(fe_t a)
{
    return fe_equal(a, (fe_t){{0}});
}


/* Swaps when bit is 1, leaves when it is 0. */
static void
fe_swap(fe_t *a, fe_t *b, uint64_t bit)
{
    for (int i = 0; i < 5; i++) {
        uint64_t x = (a->v[i] ^ b->v[i]) & (0 - bit);
        a->v[i] ^= x;
        b->v[i] ^= x;
    }
}


/* a^(2^250 - 1), and a^11 on the way: the common start of both long exponentiations. */
static fe_t
fe_power_250(fe_t a, fe_t *a11)
{
    fe_t a2 = fe_square(a);
    fe_t a9 = fe_mul(fe_square_times(a2, 2), a);
    fe_t t5, t10, t20, t50, t100, t;

    *a11 = fe_mul(a9, a2);
    t5 = fe_mul(fe_square(*a11), a9);
    t10 = fe_mul(fe_square_times(t5, 5), t5);
    t20 = fe_mul(fe_square_times(t10, 10), t10);
    t = fe_mul(fe_square_times(t20, 20), t20);
    t50 = fe_mul(fe_square_times(t, 10), t10);
    t100 = fe_mul(fe_square_times(t50, 50), t50);
    t = fe_mul(fe_square_times(t100, 100), t100);
    return fe_mul(fe_square_times(t, 50), t50);
}


/* a^(p - 2) */
static fe_t
fe_invert(fe_t a)
{
    fe_t a11, t = fe_power_250(a, &a11);
    return fe_mul(fe_square_times(t, 5), a11);
}


/* A square root: a^((p + 3) / 8), times a root of -1 when that gives a root of -a. */
static bool
fe_root(fe_t a, fe_t *root)
{
    fe_t a11, t = fe_power_250(a, &a11);
    fe_t first = fe_mul(fe_mul(fe_square_times(t, 2), a), a);
    fe_t second = fe_mul(first, fe_load(root_of_minus_one));

    *root = first;
    fe_swap(root, &second, !fe_equal(fe_square(first), a));
    return fe_equal(fe_square(*root), a);
}


/* --- points --- */

/* u^3 + A u^2 + u */
static fe_t
montgomery(fe_t u)
{
    fe_t t = fe_add(fe_mul(fe_add(u, coefficient_a), u), one);
    return fe_mul(t, u);
}


/* Doubles the point whose u-coordinate is x / z. */
static void
double_x(fe_t *x, fe_t *z)
{
    fe_t plus = fe_square(fe_add(*x, *z));
    fe_t minus = fe_square(fe_sub(*x, *z));
    fe_t four = fe_carry(fe_sub(plus, minus)); /* 4 x z */
    fe_t t = {{121665, 0, 0, 0, 0}};           /* (A - 2) / 4 */

    *x = fe_mul(plus, minus);
    *z = fe_mul(four, fe_add(plus, fe_mul(four, t)));
}


static bool
load_coordinate(const uint8_t big[32], fe_t *out)
{
    uint8_t little[32], again[32];

    reverse(big, little);
    *out = fe_load(little);
    fe_store(*out, again);
    return memcmp(little, again, sizeof(little)) == 0;
}


static fe_t
u_of(fe_t x)
{
    return fe_carry(fe_sub(x, fe_load(third_of_a)));
}


abdm_point_check_t
abdm_point_check(const uint8_t xy[64])
{
    fe_t x, y, u, z = one;

    if (!load_coordinate(xy, &x) || !load_coordinate(xy + 32, &y))
        return ABDM_POINT_RANGE;
    u = u_of(x);
    if (!fe_equal(fe_square(y), montgomery(u)))
        return ABDM_POINT_OFF_CURVE;
    for (int i = 0; i < 3; i++)
        double_x(&u, &z);
    return fe_is_zero(z) ? ABDM_POINT_SMALL : ABDM_POINT_GOOD;
}


void
abdm_point_to_u(const uint8_t xy[64], uint8_t u[32])
{
    uint8_t little[32];

    reverse(xy, little);
    fe_store(u_of(fe_load(little)), u);
}


void
abdm_point_x_from_u(const uint8_t u[32], uint8_t x[32])
{
    uint8_t little[32];

    fe_store(fe_add(fe_load(u), fe_load(third_of_a)), little);
    reverse(little, x);
    abdm_wipe(little, sizeof(little));
}


bool
abdm_point_from_u(const uint8_t u[32], uint8_t xy[64])
{
    fe_t root, other;
    uint8_t little[32];

    if (!fe_root(montgomery(fe_load(u)), &root))
        return false;
    fe_store(root, little);
    other = fe_sub((fe_t){{0}}, root);
    fe_swap(&root, &other, little[0] & 1);
    fe_store(root, little);
    reverse(little, xy + 32);
    abdm_point_x_from_u(u, xy);
    return true;
}


/* RFC 7748, section 5, without its clamping and over all 256 bits. */
void
abdm_ladder(const uint8_t scalar[32], const uint8_t u[32], uint8_t out[32])
{
    fe_t x1 = fe_load(u), x2 = one, z2 = {{0}}, x3 = x1, z3 = one;
    uint64_t swapped = 0;

    for (int i = 255; i >= 0; i--) {
        uint64_t bit = scalar[i / 8] >> (i % 8) & 1;
        fe_swap(&x2, &x3, swapped ^ bit);
        fe_swap(&z2, &z3, swapped ^ bit);
        swapped = bit;

        fe_t da = fe_mul(fe_sub(x3, z3), fe_add(x2, z2));
        fe_t cb = fe_mul(fe_add(x3, z3), fe_sub(x2, z2));
        x3 = fe_square(fe_add(da, cb));
        z3 = fe_mul(x1, fe_square(fe_sub(da, cb)));
        double_x(&x2, &z2);
    }
    fe_swap(&x2, &x3, swapped);
    fe_swap(&z2, &z3, swapped);
    fe_store(fe_mul(x2, fe_invert(z2)), out);
    abdm_wipe(&x2, sizeof(x2));
    abdm_wipe(&z2, sizeof(z2));
    abdm_wipe(&x3, sizeof(x3));
    abdm_wipe(&z3, sizeof(z3));
}


/* --- scalars --- */

/* r = a - b; returns the borrow. */
static uint64_t
subtract(uint64_t r[4], const uint64_t a[4], const uint64_t b[4])
{
    uint64_t borrow = 0;

    for (int i = 0; i < 4; i++) {
        u128 t = (u128) a[i] - b[i] - borrow;
        r[i] = (uint64_t) t;
        borrow = (uint64_t) (t >> 64) & 1;
    }
    return borrow;
}


/* a = b where bit is 1. */
static void
choose(uint64_t a[4], const uint64_t b[4], uint64_t bit)
{
    for (int i = 0; i < 4; i++)
        a[i] ^= (a[i] ^ b[i]) & (0 - bit);
}


/* r = m * n, which is below 2^256 for m <= 8. */
static void
times_order(uint64_t r[4], uint64_t m)
{
    u128 t = 0;

    for (int i = 0; i < 4; i++) {
        t += (u128) order[i] * m;
        r[i] = (uint64_t) t;
        t >>= 64;
    }
}


bool
abdm_scalar_from_private(const uint8_t d[32], uint8_t scalar[32])
{
    uint64_t k[4], t[4], below, any = 0;
    uint8_t little[32];
    u128 sum = 0;

    reverse(d, little);
    for (int i = 0; i < 4; i++) {
        k[i] = load64(little + 8 * i);
        any |= k[i];
    }
    abdm_wipe(little, sizeof(little));
    below = subtract(t, k, order);
    if (any == 0 || below == 0)
        return false;

    /* n is 5 mod 8 and 5 * 3 is -1: with m = 3 D mod 8 the sum D + m n is 0 mod 8. */
    times_order(t, 3 * k[0] & 7);
    for (int i = 0; i < 4; i++) {
        sum += (u128) k[i] + t[i];
        k[i] = (uint64_t) sum;
        sum >>= 64;
    }

    /* X25519 sets bit 254: where it is clear, -D has it, and the same x-coordinate. */
    times_order(t, 8);
    subtract(t, t, k);
    choose(k, t, (k[3] >> 62 & 1) ^ 1);

    for (int i = 0; i < 4; i++)
        store64(scalar + 8 * i, k[i]);
    abdm_wipe(k, sizeof(k));
    abdm_wipe(t, sizeof(t));
    return true;
}


void
abdm_scalar_to_private(const uint8_t scalar[32], uint8_t d[32])
{
    uint64_t k[4], t[4], multiple[4];
    uint8_t little[32];

    for (int i = 0; i < 4; i++)
        k[i] = load64(scalar + 8 * i);
    for (uint64_t m = 8; m != 0; m >>= 1) {
        times_order(multiple, m);
        uint64_t borrow = subtract(t, k, multiple);
        choose(k, t, borrow ^ 1);
    }
    for (int i = 0; i < 4; i++)
        store64(little + 8 * i, k[i]);
    reverse(little, d);
    abdm_wipe(k, sizeof(k));
    abdm_wipe(t, sizeof(t));
    abdm_wipe(little, sizeof(little));
}


bool
abdm_scalar_is_clamped(const uint8_t scalar[32])
{
    return (scalar[0] & 7) == 0 && (scalar[31] & 0xc0) == 0x40;
}
