/* Keys and nonces of Fidelius: the forms that peers send, what must be refused, and the pool. */
#include <pthread.h>

#include "crypto/curve.h"
#include "fidelius_help.h"
#include "fidelius_vectors.h"

enum { POOL_SIZE = 24, POOL_THREADS = 4, POOL_TAKES = 40 };


/* --- private keys --- */

static void
private_keys_leave_as_they_came_or_negated(void **state)
{
    char text[ABDM_PRIVATE_TEXT];

    (void) state;
    for (size_t i = 0; i < sizeof(kept_vectors) / sizeof(*kept_vectors); i++) {
        abdm_key_pair_t pair = import(kept_vectors[i].sender_private), again;

        abdm_key_pair_export(&pair, text);
        again = import(text);
        assert_memory_equal(pair.point, again.point, 33);
    }
    for (int i = 0; i < 200; i++) {
        abdm_key_pair_t pair, again;

        assert_ok(abdm_key_pair_generate(&pair));
        abdm_key_pair_export(&pair, text);
        again = import(text);
        assert_memory_equal(pair.point, again.point, 33);

        /* A set top bit would be a negative number to Java. */
        abdm_buf_t d = bytes_of(text);
        assert_int_equal(d.p[0] & 0x80, 0);
        abdm_buf_free(&d);
    }
}


static void
private_keys_outside_of_the_group_are_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "AA==",                                         /* 0 */
        "EAAAAAAAAAAAAAAAAAAAABTe+d6i95zWWBJjGlz10+0=", /* n */
        "EAAAAAAAAAAAAAAAAAAAABTe+d6i95zWWBJjGlz10+4=", /* n + 1 */
        "//////////////////////////////////////////8=",
        "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", /* 33 bytes */
        "not base64",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB",
    };
    abdm_key_pair_t pair;

    (void) state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_int_equal(abdm_key_pair_import(abdm_str(bad[i]), &pair).code, ABDM_E_KEY_MATERIAL);
}


/* n - 1 is -1, and 1 has G itself for its public key. */
static void
the_smallest_and_the_largest_private_key_work(void **state)
{
    abdm_public_key_t g = public_key(BASE_POINT);
    abdm_key_pair_t one = import("AQ=="),
                    last = import("EAAAAAAAAAAAAAAAAAAAABTe+d6i95zWWBJjGlz10+w=");

    (void) state;
    assert_memory_equal(one.point, g.point, 33);
    assert_memory_equal(last.point, g.point, 33);
}


static void
the_ladder_agrees_with_x25519(void **state)
{
    (void) state;
    for (int i = 0; i < 50; i++) {
        abdm_key_pair_t a, b;
        abdm_public_key_t peer;
        uint8_t secret[32], u[32], product[32], x[32];

        assert_ok(abdm_key_pair_generate(&a));
        assert_ok(abdm_key_pair_generate(&b));
        memcpy(peer.point, b.point, sizeof(peer.point));
        assert_ok(abdm_fidelius_secret(&a, &peer, secret));
        abdm_point_to_u(b.point + 1, u);
        abdm_ladder(a.scalar, u, product);
        abdm_point_x_from_u(product, x);
        assert_memory_equal(x, secret, 32);
    }
}


/* --- public keys --- */

static void
new_pairs_are_on_the_curve_and_differ(void **state)
{
    abdm_key_pair_t a, b;

    (void) state;
    for (int i = 0; i < 100; i++) {
        assert_ok(abdm_key_pair_generate(&a));
        assert_ok(abdm_key_pair_generate(&b));
        assert_true(abdm_scalar_is_clamped(a.scalar));
        assert_int_equal(abdm_point_check(a.point + 1), ABDM_POINT_GOOD);
        assert_memory_not_equal(a.point, b.point, sizeof(a.point));
    }
    abdm_key_pair_wipe(&a);
    for (size_t i = 0; i < sizeof(a); i++)
        assert_int_equal(((const uint8_t *) &a)[i], 0);
}


typedef struct {
    const char *text;
    const char *fault; /* some words of the error */
} bad_key_t;

static const bad_key_t bad_keys[] = {
    {"BCqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqrSRRAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
     "small order"}, /* 2 */
    {"BCqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqrSRSa+T0l/mpwq/CH6d61/Sm72NaEccoSpNj6aJI75yIRBU=",
     "small order"}, /* 4 */
    {"BCti9AnAsA0xqFvdR5Y3tIUVb0qcpY4AwVli6+YnKBAxRs4+1qlhfFrWt9PrGddLqGzEA9YSf+Syl3jrfG2vhNM=",
     "small order"}, /* 8 */
    {"BAG8SnuH+M2DMTjHA28G7q8Gmi5HAFx7W882+05nQsDDaMWTiT1FjmQxxsoARftQFSCkQ0aOqmjdDxA4QgSAZbc=",
     "small order"}, /* 8 */
    {"BKqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqrSRHIK4ZobighrTgHt0sd0jRTJI9TX5tfGGyKenFon7O09k=",
     "not below"}, /* x + p */
    {"BCqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqrSRaoK4ZobighrTgHt0sd0jRTJI9TX5tfGGyKenFon7O08Y=",
     "not below"}, /* y + p */
    {"BH/////////////////////////////////////////tIK4ZobighrTgHt0sd0jRTJI9TX5tfGGyKenFon7O09k=",
     "not below"}, /* x = p */
    {"BCqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqrSRaIK4ZobighrTgHt0sd0jRTJI9TX5tfGGyKenFon7O09o=",
     "not on Curve25519"},
    {"BCqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqrSRTAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE=",
     "not on Curve25519"}, /* its u is on the twist */
    {"AA==", "infinity"},
    {"AQ==", "65 bytes"},
    {"", "empty"},
    {"CQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "X25519"},
    {"MCowBQYDK2VuAyEACQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "X25519"},
    {"AyqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqrSRa", "compressed"},
    {"AiqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqrSRa", "compressed"},
    {"BCqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqrSRa", "65 bytes"}, /* 33 bytes */
    {"BCowBQYDK2VuAyEACQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "65 bytes"}, /* 44 bytes */
    {"BiqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqrSRaIK4ZobighrTgHt0sd0jRTJI9TX5tfGGyKenFon7O09k=",
     "start with 04"},
    {"BCqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqrSRaIK4ZobighrTgHt0sd0jRTJI9TX5tfGGyKenFon7O09kA",
     "X.509 of another curve"}, /* a byte too many */
    {"BCqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqrSRaIK4ZobighrTgHt0sd0jRTJI9TX5tfGGyKenFon7O",
     "leading zeros"}, /* two bytes cut off */
    {"BCqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqrSRaIK4ZobighrTgHt0sd0jR", "65 bytes"},
    {"BCqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqrSRaIK4ZobighrTgHt0sd0jRTJI9TX5tfGGyKenFon7O09k",
     "base64"}, /* no padding */
    {"BHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHutjOHxFNuRvy8TgyeP8SmETih3MrN7Vj9jeMgzqmNur_gs=",
     "base64"}, /* the url form */
};


static void
bad_public_keys_are_refused_with_their_fault(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof(bad_keys) / sizeof(*bad_keys); i++) {
        abdm_public_key_t key;
        abdm_err_t err = abdm_public_key_decode(abdm_str(bad_keys[i].text), &key);

        assert_int_equal(err.code, ABDM_E_KEY_MATERIAL);
        if (strstr(err.what, bad_keys[i].fault) == NULL)
            fail_msg("%s: %s", bad_keys[i].text, err.what);
    }
}


static void
any_changed_byte_of_the_x509_start_is_refused(void **state)
{
    char text[ABDM_KEY_TEXT], changed[ABDM_KEY_TEXT];
    abdm_public_key_t key = public_key(BASE_POINT);
    abdm_buf_t der;

    (void) state;
    abdm_public_key_encode(key.point, ABDM_KEY_X509, text);
    der = bytes_of(text);
    assert_int_equal(der.len, ABDM_X509_LEN);
    for (size_t i = 0; i < der.len - ABDM_POINT_LEN; i++) {
        der.p[i] ^= 1;
        changed[abdm_base64_encode(der.p, der.len, changed)] = '\0';
        assert_int_equal(abdm_public_key_decode(abdm_str(changed), &key).code,
                         ABDM_E_KEY_MATERIAL);
        der.p[i] ^= 1;
    }
    abdm_buf_add(&der, "", 1); /* its NUL: one byte behind the point */
    char longer[ABDM_KEY_TEXT + 4];
    longer[abdm_base64_encode(der.p, der.len, longer)] = '\0';
    assert_int_equal(abdm_public_key_decode(abdm_str(longer), &key).code, ABDM_E_KEY_MATERIAL);
    der.len--;
    changed[abdm_base64_encode(der.p, der.len - ABDM_POINT_LEN, changed)] = '\0';
    assert_int_equal(abdm_public_key_decode(abdm_str(changed), &key).code, ABDM_E_KEY_MATERIAL);
    abdm_buf_free(&der);
}


static void
white_space_in_a_public_key_is_skipped_up_to_a_limit(void **state)
{
    char text[1024];
    abdm_public_key_t key;

    (void) state;
    snprintf(text, sizeof(text), " %.40s\t\r\n%s\n", BASE_POINT, &BASE_POINT[40]);
    assert_memory_equal(public_key(text).point, public_key(BASE_POINT).point, ABDM_POINT_LEN);
    memset(text, 'A', sizeof(text));
    assert_int_equal(abdm_public_key_decode((abdm_str_t){text, sizeof(text)}, &key).code,
                     ABDM_E_KEY_MATERIAL);
}


/* Leaves leading zeros of X and Y out as CARE and fidelius-go do; returns how many there were. */
static size_t
strip(const uint8_t point[ABDM_POINT_LEN], uint8_t out[ABDM_POINT_LEN], size_t *len)
{
    size_t x = 1, y = 33;

    while (x < 33 && point[x] == 0)
        x++;
    while (y < 65 && point[y] == 0)
        y++;
    out[0] = 4;
    memcpy(out + 1, point + x, 33 - x);
    memcpy(out + 1 + 33 - x, point + y, 65 - y);
    *len = 1 + (33 - x) + (65 - y);
    return ABDM_POINT_LEN - *len;
}


static void
points_without_their_leading_zeros_are_repaired(void **state)
{
    uint8_t u[32] = {0}, bytes[ABDM_X509_LEN], point[ABDM_POINT_LEN] = {4};
    char text[ABDM_KEY_TEXT];
    abdm_buf_t x509;
    size_t len, found = 0;

    (void) state;
    abdm_public_key_encode(public_key(BASE_POINT).point, ABDM_KEY_X509, text);
    x509 = bytes_of(text);

    for (unsigned i = 0; i < 6000; i++) {
        uint8_t stripped[ABDM_POINT_LEN];

        memcpy(u, &i, sizeof(i));
        u[20] = (uint8_t) (i * 7);
        u[31] = (uint8_t) (i * 13 & 0x7f);
        if (!abdm_point_from_u(u, point + 1) || abdm_point_check(point + 1) != ABDM_POINT_GOOD)
            continue;
        if (strip(point, stripped, &len) == 0)
            continue;
        found++;
        text[abdm_base64_encode(stripped, len, text)] = '\0';
        assert_memory_equal(public_key(text).point, point, ABDM_POINT_LEN);

        memcpy(bytes, x509.p, ABDM_X509_LEN - ABDM_POINT_LEN);
        memcpy(bytes + ABDM_X509_LEN - ABDM_POINT_LEN, stripped, len);
        text[abdm_base64_encode(bytes, ABDM_X509_LEN - ABDM_POINT_LEN + len, text)] = '\0';
        assert_memory_equal(public_key(text).point, point, ABDM_POINT_LEN);
    }
    assert_true(found > 20);
    abdm_buf_free(&x509);
}


/* G plus the point of order 2: accepted, and worth as much as G. */
static void
a_small_order_part_of_a_key_does_not_count(void **state)
{
    abdm_public_key_t g = public_key(BASE_POINT),
                      mixed = public_key("BHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHutjOHxFNuRvy8Tg"
                                         "yeP8SmETih3MrN7Vj9jeMgzqmNurRgs=");
    uint8_t a[32], b[32];
    abdm_key_pair_t pair;

    (void) state;
    assert_ok(abdm_key_pair_generate(&pair));
    assert_ok(abdm_fidelius_secret(&pair, &g, a));
    assert_ok(abdm_fidelius_secret(&pair, &mixed, b));
    assert_memory_equal(a, b, 32);
}


/* abdm_public_key_decode lets none through; this is what happens if one came by another way. */
static void
a_point_of_small_order_gives_no_secret_even_unchecked(void **state)
{
    abdm_key_pair_t eight = import("CA=="), pair; /* 8 goes by the ladder, others by X25519 */
    abdm_buf_t bytes = bytes_of(bad_keys[0].text);
    abdm_public_key_t small;
    uint8_t secret[32];

    (void) state;
    assert_false(abdm_scalar_is_clamped(eight.scalar));
    memcpy(small.point, bytes.p, ABDM_POINT_LEN);
    abdm_buf_free(&bytes);
    assert_int_equal(abdm_point_check(small.point + 1), ABDM_POINT_SMALL);
    assert_int_equal(abdm_fidelius_secret(&eight, &small, secret).code, ABDM_E_CRYPTO);
    assert_ok(abdm_key_pair_generate(&pair));
    assert_int_equal(abdm_fidelius_secret(&pair, &small, secret).code, ABDM_E_CRYPTO);
}


static void
a_scalar_of_the_ladder_is_not_taken_for_one_of_x25519(void **state)
{
    uint8_t scalar[32] = {0};

    (void) state;
    scalar[31] = 0x40;
    assert_true(abdm_scalar_is_clamped(scalar));
    scalar[0] = 1;
    assert_false(abdm_scalar_is_clamped(scalar));
    scalar[0] = 8;
    scalar[31] = 0xc0;
    assert_false(abdm_scalar_is_clamped(scalar));
}


static void
a_wiped_pair_leaves_as_zero(void **state)
{
    abdm_key_pair_t pair = import("AQ==");
    char text[ABDM_PRIVATE_TEXT];

    (void) state;
    abdm_key_pair_wipe(&pair);
    abdm_key_pair_export(&pair, text);
    assert_string_equal(text, "AA==");
}


static void
nonces_of_other_lengths_are_refused(void **state)
{
    static const char *const bad[] = {
        "", "AAAA", "3fa85f64-5717-4562-b3fc-2c963f66afa6",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB=",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
    };
    uint8_t nonce[32], again[32];
    char text[ABDM_NONCE_TEXT];

    (void) state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_int_equal(abdm_nonce_decode(abdm_str(bad[i]), nonce).code, ABDM_E_KEY_MATERIAL);
    assert_ok(abdm_nonce_generate(nonce));
    abdm_nonce_encode(nonce, text);
    assert_int_equal(strlen(text), 44);
    assert_ok(abdm_nonce_decode(abdm_str(text), again));
    assert_memory_equal(nonce, again, 32);
}


/* --- the pool --- */

typedef struct {
    abdm_key_pool_t *pool;
    abdm_key_pair_t taken[POOL_TAKES];
    abdm_err_t err;
} taker_t;


static void *
take_many(void *arg)
{
    taker_t *t = arg;

    for (int i = 0; i < POOL_TAKES; i++) {
        size_t made;
        if (i % 4 == 0)
            t->err = abdm_key_pool_refill(t->pool, 3, &made);
        if (!abdm_failed(t->err))
            t->err = abdm_key_pool_take(t->pool, &t->taken[i]);
        if (abdm_failed(t->err))
            break;
    }
    return NULL;
}


static void
the_pool_gives_no_pair_twice(void **state)
{
    static taker_t takers[POOL_THREADS];
    pthread_t threads[POOL_THREADS];
    abdm_key_pool_t *pool = abdm_key_pool_new(POOL_SIZE);

    (void) state;
    assert_non_null(pool);
    for (int i = 0; i < POOL_THREADS; i++) {
        takers[i] = (taker_t){.pool = pool};
        assert_int_equal(pthread_create(&threads[i], NULL, take_many, &takers[i]), 0);
    }
    for (int i = 0; i < POOL_THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_ok(takers[i].err);
    }
    for (int a = 0; a < POOL_THREADS * POOL_TAKES; a++) {
        const abdm_key_pair_t *one = &takers[a / POOL_TAKES].taken[a % POOL_TAKES];
        assert_int_equal(abdm_point_check(one->point + 1), ABDM_POINT_GOOD);
        for (int b = 0; b < a; b++)
            assert_memory_not_equal(one->scalar,
                                    takers[b / POOL_TAKES].taken[b % POOL_TAKES].scalar, 32);
    }
    abdm_key_pool_free(pool);
}


static void
the_pool_holds_no_more_than_its_size(void **state)
{
    abdm_key_pool_t *pool = abdm_key_pool_new(5);
    abdm_key_pair_t pair;
    size_t made;

    (void) state;
    assert_non_null(pool);
    assert_ok(abdm_key_pool_refill(pool, 3, &made));
    assert_int_equal(made, 3);
    assert_ok(abdm_key_pool_refill(pool, 100, &made));
    assert_int_equal(made, 2);
    assert_ok(abdm_key_pool_take(pool, &pair));
    assert_ok(abdm_key_pool_refill(pool, 100, &made));
    assert_int_equal(made, 1);
    abdm_key_pool_free(pool);
    abdm_key_pool_free(NULL);
    assert_null(abdm_key_pool_new(SIZE_MAX));
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(private_keys_leave_as_they_came_or_negated),
        cmocka_unit_test(private_keys_outside_of_the_group_are_refused),
        cmocka_unit_test(the_smallest_and_the_largest_private_key_work),
        cmocka_unit_test(the_ladder_agrees_with_x25519),
        cmocka_unit_test(new_pairs_are_on_the_curve_and_differ),
        cmocka_unit_test(bad_public_keys_are_refused_with_their_fault),
        cmocka_unit_test(any_changed_byte_of_the_x509_start_is_refused),
        cmocka_unit_test(white_space_in_a_public_key_is_skipped_up_to_a_limit),
        cmocka_unit_test(points_without_their_leading_zeros_are_repaired),
        cmocka_unit_test(a_small_order_part_of_a_key_does_not_count),
        cmocka_unit_test(a_point_of_small_order_gives_no_secret_even_unchecked),
        cmocka_unit_test(a_scalar_of_the_ladder_is_not_taken_for_one_of_x25519),
        cmocka_unit_test(a_wiped_pair_leaves_as_zero),
        cmocka_unit_test(nonces_of_other_lengths_are_refused),
        cmocka_unit_test(the_pool_gives_no_pair_twice),
        cmocka_unit_test(the_pool_holds_no_more_than_its_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
