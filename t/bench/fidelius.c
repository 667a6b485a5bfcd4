/*
 * How fast a page is encrypted, beside the bare operations it consists of, measured in the same
 * run: name, value, unit, reference, ratio (value / reference), separated by tabs.
 */
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "crypto/fidelius.h"

enum {
    LARGEST = 10 * 1024 * 1024,
    READ_SIZE = 64 * 1024,
    POOL_SIZE = 256,
    ROUNDS = 5, /* the best of them counts: the others met another process */
};

static uint8_t plain[LARGEST];
static char text[READ_SIZE];


static double
now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double) t.tv_sec * 1e6 + (double) t.tv_nsec / 1e3; /* microseconds */
}


static void
check(abdm_err_t err)
{
    if (abdm_failed(err)) {
        fprintf(stderr, "%s (%s)\n", err.what, err.where);
        exit(EXIT_FAILURE);
    }
}


static void
report(const char *name, double value, const char *unit, const char *label, double reference)
{
    printf("%s\t%.3f\t%s\t%s %.3f\t%.3f\n", name, value, unit, label, reference,
           value / reference);
}


/* A source over `plain` that copies nothing but what is asked for. */
typedef struct {
    abdm_source_t base;
    size_t at;
} plain_source_t;


static abdm_err_t
plain_read(abdm_source_t *s, void *out, size_t cap, size_t *got)
{
    plain_source_t *p = (plain_source_t *) s;

    *got = p->base.length - p->at < cap ? (size_t) p->base.length - p->at : cap;
    memcpy(out, plain + p->at, *got);
    p->at += *got;
    return ABDM_NO_ERR;
}


static void
plain_close(abdm_source_t *s)
{
    (void) s;
}


/* Microseconds of one whole job, the pair being ready. */
static double
time_job(abdm_key_pool_t *pool, const abdm_public_key_t *peer, size_t length)
{
    int jobs = length < 1000000 ? 100 : length < LARGEST ? 20 : 4;
    double best = 1e18;
    uint8_t nonce[ABDM_NONCE_LEN];

    check(abdm_nonce_generate(nonce));
    for (int round = 0; round < ROUNDS; round++) {
        size_t made, got;
        check(abdm_key_pool_refill(pool, POOL_SIZE, &made));
        double start = now();
        for (int i = 0; i < jobs; i++) {
            plain_source_t source = {{length, plain_read, plain_close}, 0};
            abdm_fidelius_sender_t sender;
            abdm_source_t *s;

            check(abdm_fidelius_encrypt(pool, peer, nonce, &source.base, &sender, &s));
            do
                check(s->read(s, text, sizeof(text), &got));
            while (got != 0);
            abdm_source_close(s);
        }
        double each = (now() - start) / jobs;
        best = each < best ? each : best;
    }
    return best;
}


/* Microseconds of AES-256-GCM alone over the same bytes, in place, in one call per 64 KB. */
static double
time_gcm(size_t length)
{
    static uint8_t key[32] = {1}, iv[12] = {2}, block[READ_SIZE], tag[16];
    int jobs = length < 1000000 ? 100 : length < LARGEST ? 20 : 4, n;
    double best = 1e18;

    for (int round = 0; round < ROUNDS; round++) {
        double start = now();
        for (int i = 0; i < jobs; i++) {
            EVP_CIPHER_CTX *gcm = EVP_CIPHER_CTX_new();
            int good = gcm != NULL && EVP_EncryptInit_ex(gcm, EVP_aes_256_gcm(), NULL, key, iv);
            for (size_t at = 0; good && at < length; at += READ_SIZE) {
                size_t part = length - at < READ_SIZE ? length - at : READ_SIZE;
                good = EVP_EncryptUpdate(gcm, block, &n, block, (int) part);
            }
            good = good && EVP_EncryptFinal_ex(gcm, block, &n)
                   && EVP_CIPHER_CTX_ctrl(gcm, EVP_CTRL_AEAD_GET_TAG, 16, tag);
            EVP_CIPHER_CTX_free(gcm);
            if (!good)
                exit(EXIT_FAILURE);
        }
        double each = (now() - start) / jobs;
        best = each < best ? each : best;
    }
    return best;
}


/* Microseconds of one bare X25519 of OpenSSL, key objects made ahead. */
static double
time_x25519(void)
{
    EVP_PKEY *own = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
    EVP_PKEY *peer = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
    EVP_PKEY_CTX *derive = own == NULL ? NULL : EVP_PKEY_CTX_new(own, NULL);
    uint8_t secret[32];
    double best = 1e18;

    if (peer == NULL || derive == NULL || EVP_PKEY_derive_init(derive) != 1
        || EVP_PKEY_derive_set_peer(derive, peer) != 1)
        exit(EXIT_FAILURE);
    for (int round = 0; round < ROUNDS; round++) {
        double start = now();
        for (int i = 0; i < 200; i++) {
            size_t len = sizeof(secret);
            if (EVP_PKEY_derive(derive, secret, &len) != 1)
                exit(EXIT_FAILURE);
        }
        double each = (now() - start) / 200;
        best = each < best ? each : best;
    }
    EVP_PKEY_CTX_free(derive);
    EVP_PKEY_free(peer);
    EVP_PKEY_free(own);
    return best;
}


static double
time_pair(void)
{
    double best = 1e18;

    for (int round = 0; round < ROUNDS; round++) {
        abdm_key_pair_t pair;
        double start = now();
        for (int i = 0; i < 200; i++)
            check(abdm_key_pair_generate(&pair));
        double each = (now() - start) / 200;
        best = each < best ? each : best;
    }
    return best;
}


static double
time_base64(bool own)
{
    static char out[READ_SIZE / 3 * 4 + 8];
    double best = 1e18;

    for (int round = 0; round < ROUNDS; round++) {
        double start = now();
        for (int i = 0; i < 20; i++) {
            if (own)
                abdm_base64_encode(plain, READ_SIZE, out);
            else
                EVP_EncodeBlock((uint8_t *) out, plain, READ_SIZE);
        }
        double each = (now() - start) / 20;
        best = each < best ? each : best;
    }
    return READ_SIZE / best; /* bytes per microsecond = MB/s */
}


int
main(void)
{
    static const struct {
        const char *name;
        size_t length;
    } sizes[] = {{"10KB", 10 * 1024}, {"100KB", 100 * 1024}, {"1MB", 1024 * 1024},
                 {"10MB", LARGEST}};
    abdm_key_pool_t *pool = abdm_key_pool_new(POOL_SIZE);
    abdm_key_pair_t requester;
    abdm_public_key_t peer;
    double ladder = time_x25519();
    char name[64];

    if (pool == NULL)
        return EXIT_FAILURE;
    check(abdm_key_pair_generate(&requester));
    memcpy(peer.point, requester.point, sizeof(peer.point));
    for (size_t i = 0; i < sizeof(plain); i++)
        plain[i] = (uint8_t) (i * 31 >> 4);

    report("fidelius_x25519", ladder, "us", "X25519", ladder);
    report("fidelius_key_pair", time_pair(), "us", "X25519", ladder);
    report("fidelius_base64", time_base64(true), "MB/s", "EVP_EncodeBlock", time_base64(false));
    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        /* The reference: what AES-256-GCM and one X25519 take at the least. */
        double reference = time_gcm(sizes[i].length) + ladder;
        double value = time_job(pool, &peer, sizes[i].length);

        snprintf(name, sizeof(name), "fidelius_encrypt_%s", sizes[i].name);
        report(name, value, "us", "AES-256-GCM and X25519", reference);
    }
    abdm_key_pool_free(pool);
    return EXIT_SUCCESS;
}
