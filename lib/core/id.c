/* UUIDs and digests for keys of equality; randomness and digests are OpenSSL's. */
#include "core/id.h"

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

static const char hex[] = "0123456789abcdef";


static void
format_uuid(uint8_t b[16], unsigned version, char out[ABDM_UUID_TEXT])
{
    b[6] = (uint8_t) ((b[6] & 0x0f) | version << 4);
    b[8] = (uint8_t) ((b[8] & 0x3f) | 0x80);

    char *p = out;
    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *p++ = '-';
        *p++ = hex[b[i] >> 4];
        *p++ = hex[b[i] & 15];
    }
    *p = '\0';
}


abdm_err_t
abdm_uuid4(char out[ABDM_UUID_TEXT])
{
    uint8_t b[16];

    out[0] = '\0';
    if (RAND_bytes(b, sizeof b) != 1)
        return ABDM_ERR(CRYPTO, "random bytes for a UUID");
    format_uuid(b, 4, out);
    return ABDM_NO_ERR;
}


static int
hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}


bool
abdm_is_uuid(abdm_str_t s)
{
    if (s.len != ABDM_UUID_TEXT - 1)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? s.p[i] != '-' : hex_value(s.p[i]) < 0)
            return false;
    }
    return true;
}


struct abdm_uuid_maker_s {
    EVP_MD_CTX *ctx;
    EVP_MD *sha1;
    uint8_t space[16];
};


abdm_err_t
abdm_uuid_maker_new(const char *space, abdm_uuid_maker_t **out)
{
    size_t n = 0;

    *out = NULL;
    if (!abdm_is_uuid(abdm_str(space)))
        return ABDM_ERR(INTERNAL, "the name space of a UUID is not a UUID");
    abdm_uuid_maker_t *m = calloc(1, sizeof *m);
    if (m == NULL)
        return ABDM_ERR(MEMORY, "UUIDs");
    for (const char *p = space; *p != '\0'; p++) {
        if (*p == '-')
            continue;
        unsigned v = (unsigned) hex_value(*p);
        m->space[n / 2] = (uint8_t) (n % 2 == 0 ? v << 4 : m->space[n / 2] | v);
        n++;
    }
    m->sha1 = EVP_MD_fetch(NULL, "SHA1", NULL);
    m->ctx = EVP_MD_CTX_new();
    if (m->sha1 == NULL || m->ctx == NULL) {
        abdm_uuid_maker_free(m);
        return ABDM_ERR(CRYPTO, "SHA-1 of a UUID's name");
    }
    *out = m;
    return ABDM_NO_ERR;
}


abdm_err_t
abdm_uuid_make(abdm_uuid_maker_t *m, abdm_str_t name, char out[ABDM_UUID_TEXT])
{
    uint8_t digest[EVP_MAX_MD_SIZE];

    out[0] = '\0';
    if (EVP_DigestInit_ex2(m->ctx, m->sha1, NULL) != 1 ||
        EVP_DigestUpdate(m->ctx, m->space, sizeof m->space) != 1 ||
        EVP_DigestUpdate(m->ctx, name.p, name.len) != 1 ||
        EVP_DigestFinal_ex(m->ctx, digest, NULL) != 1)
        return ABDM_ERR(CRYPTO, "SHA-1 of a UUID's name");
    format_uuid(digest, 5, out);
    return ABDM_NO_ERR;
}


void
abdm_uuid_maker_free(abdm_uuid_maker_t *m)
{
    if (m == NULL)
        return;
    EVP_MD_CTX_free(m->ctx);
    EVP_MD_free(m->sha1);
    free(m);
}


abdm_err_t
abdm_uuid5(const char *space, abdm_str_t name, char out[ABDM_UUID_TEXT])
{
    abdm_uuid_maker_t *maker;

    out[0] = '\0';
    ABDM_TRY(abdm_uuid_maker_new(space, &maker));
    abdm_err_t err = abdm_uuid_make(maker, name, out);
    abdm_uuid_maker_free(maker);
    return err;
}


abdm_err_t
abdm_sha256_hex(abdm_str_t s, char out[65])
{
    uint8_t digest[EVP_MAX_MD_SIZE];

    out[0] = '\0';
    if (EVP_Digest(s.p, s.len, digest, NULL, EVP_sha256(), NULL) != 1)
        return ABDM_ERR(CRYPTO, "SHA-256");
    for (int i = 0; i < 32; i++) {
        out[2 * i] = hex[digest[i] >> 4];
        out[2 * i + 1] = hex[digest[i] & 15];
    }
    out[64] = '\0';
    return ABDM_NO_ERR;
}
