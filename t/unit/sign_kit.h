/* Keys of a consent manager, made on the spot, and what they sign. To be included after cmocka.h. */
#ifndef ABDM_TEST_SIGN_KIT_H
#define ABDM_TEST_SIGN_KIT_H

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/buf.h"

static char sign_dir[64];
static EVP_PKEY *cm_key, *other_key; /* of the consent manager, and of somebody */


static inline int
sign_kit_open(void **state)
{
    (void) state;
    strcpy(sign_dir, "/tmp/abdm_sign_XXXXXX");
    if (mkdtemp(sign_dir) == NULL)
        return -1;
    cm_key = EVP_RSA_gen(2048);
    other_key = EVP_RSA_gen(2048);
    return cm_key != NULL && other_key != NULL ? 0 : -1;
}


static inline int
sign_kit_close(void **state)
{
    char command[96];

    (void) state;
    EVP_PKEY_free(cm_key);
    EVP_PKEY_free(other_key);
    snprintf(command, sizeof(command), "rm -rf %s", sign_dir);
    return system(command);
}


/* The name of a file in the test's directory; valid until the fourth next. */
static inline const char *
sign_path(const char *name)
{
    static char path[4][96];
    static unsigned n;
    char *out = path[n++ % 4];

    snprintf(out, sizeof(path[0]), "%s/%s", sign_dir, name);
    return out;
}


/* Appends to the file. */
static inline const char *
write_public(const char *name, EVP_PKEY *key)
{
    const char *path = sign_path(name);
    FILE *f = fopen(path, "a");

    assert_non_null(f);
    assert_int_equal(PEM_write_PUBKEY(f, key), 1);
    fclose(f);
    return path;
}


/* A certificate that ended long ago. */
static inline const char *
write_certificate(const char *name, EVP_PKEY *key)
{
    const char *path = sign_path(name);
    X509 *x = X509_new();
    FILE *f = fopen(path, "a");

    assert_non_null(f);
    assert_non_null(x);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
    X509_gmtime_adj(X509_getm_notBefore(x), -2 * 86400);
    X509_gmtime_adj(X509_getm_notAfter(x), -86400);
    assert_int_equal(X509_set_pubkey(x, key), 1);
    assert_true(X509_sign(x, key, EVP_sha256()) > 0);
    assert_int_equal(PEM_write_X509(f, x), 1);
    X509_free(x);
    fclose(f);
    return path;
}


static inline const char *
write_text(const char *name, const char *text)
{
    const char *path = sign_path(name);
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    return path;
}


/* RSA over SHA-256: `salt` -1 is PKCS #1 v1.5, else PSS with so many bytes. */
static inline size_t
sign_bytes(EVP_PKEY *key, int salt, const char *text, unsigned char out[512])
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *how;
    size_t len = 512;

    assert_int_equal(EVP_DigestSignInit(ctx, &how, EVP_sha256(), NULL, key), 1);
    if (salt >= 0) {
        assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(how, RSA_PKCS1_PSS_PADDING), 1);
        assert_int_equal(EVP_PKEY_CTX_set_rsa_pss_saltlen(how, salt), 1);
    }
    assert_int_equal(
        EVP_DigestSign(ctx, out, &len, (const unsigned char *) text, strlen(text)), 1);
    EVP_MD_CTX_free(ctx);
    return len;
}


/* In base64; owned by the caller. */
static inline char *
sign_bare(EVP_PKEY *key, int salt, const char *text)
{
    unsigned char bytes[512];
    size_t len = sign_bytes(key, salt, text, bytes);
    char *out = malloc(abdm_base64_len(len) + 1);

    assert_non_null(out);
    out[abdm_base64_encode(bytes, len, out)] = '\0';
    return out;
}


static inline char *
base64url(const void *bytes, size_t len)
{
    char *out = malloc(abdm_base64_len(len) + 1);
    size_t n;

    assert_non_null(out);
    n = abdm_base64_encode(bytes, len, out);
    while (n > 0 && out[n - 1] == '=')
        n--;
    out[n] = '\0';
    for (char *p = out; *p != '\0'; p++)
        *p = *p == '+' ? '-' : *p == '/' ? '_' : *p;
    return out;
}


/* A compact JWS over `payload`; `shown`: what stands in its middle, NULL: nothing. */
static inline char *
sign_jws(EVP_PKEY *key, int salt, const char *header, const char *payload, const char *shown)
{
    char *head = base64url(header, strlen(header)), *body = base64url(payload, strlen(payload));
    char *middle = shown != NULL ? base64url(shown, strlen(shown)) : strdup("");
    size_t size = strlen(head) + strlen(body) + strlen(middle) + 1024;
    char *input = malloc(size), *out = malloc(size), *signature;
    unsigned char bytes[512];

    assert_non_null(input);
    assert_non_null(out);
    snprintf(input, size, "%s.%s", head, body);
    signature = base64url(bytes, sign_bytes(key, salt, input, bytes));
    snprintf(out, size, "%s.%s.%s", head, middle, signature);
    free(head);
    free(body);
    free(middle);
    free(input);
    free(signature);
    return out;
}

#endif
