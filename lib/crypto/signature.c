/*
 * Verification of consent signatures by OpenSSL: RFC 8017 8.1 and 8.2, RFC 7515. Nothing of a JWS
 * header is believed but the algorithm and the key's name, and every failure of OpenSSL is taken
 * from its queue, which nginx would log.
 */
#include "crypto/signature.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "crypto/refused.h"

enum { BITS_MIN = 2048, BITS_MAX = 8192, HEADER_MAX = 1024 };

typedef struct {
    EVP_PKEY *pkey;
    char *kid; /* NULL: any */
} signer_t;

struct abdm_signers_s {
    signer_t item[ABDM_SIGNERS_MAX];
    size_t n;
};

typedef enum { PKCS1 = 1, PSS = 2 } padding_t;

/* RFC 7515 4.1: these bring keys of their own or change what is signed. */
static const char *const forbidden[] = {"jwk", "jku", "x5u", "x5c", "crit", "zip", "b64"};


/* --- keys --- */

void
abdm_signers_free(abdm_signers_t *signers)
{
    if (signers == NULL) {
        return;
    }
    for (size_t i = 0; i < signers->n; i++) {
        EVP_PKEY_free(signers->item[i].pkey);
        free(signers->item[i].kid);
    }
    free(signers);
}


/* Of one PEM block; NULL when it holds none. */
static EVP_PKEY *
key_of(const char *name, const unsigned char *der, long len)
{
    EVP_PKEY *pkey = NULL;

    if (strcmp(name, PEM_STRING_PUBLIC) == 0) {
        pkey = d2i_PUBKEY(NULL, &der, len);
    } else if (strcmp(name, PEM_STRING_X509) == 0) {
        X509 *certificate = d2i_X509(NULL, &der, len);

        pkey = certificate != NULL ? X509_get_pubkey(certificate) : NULL;
        X509_free(certificate);
    }
    return pkey;
}


/* Takes the key. */
static abdm_err_t
add_key(abdm_signers_t *signers, EVP_PKEY *pkey, const char *kid)
{
    signer_t *signer = &signers->item[signers->n];

    if (pkey == NULL || EVP_PKEY_get_base_id(pkey) != EVP_PKEY_RSA
        || EVP_PKEY_get_bits(pkey) < BITS_MIN || EVP_PKEY_get_bits(pkey) > BITS_MAX) {
        EVP_PKEY_free(pkey);
        return ABDM_ERR(CONFIG, "public keys or certificates of RSA, 2048 to 8192 bits, expected");
    }
    if (signers->n == ABDM_SIGNERS_MAX) {
        EVP_PKEY_free(pkey);
        return ABDM_ERR(CONFIG, "more than 16 keys in all");
    }
    signer->kid = kid != NULL ? strdup(kid) : NULL;
    if (kid != NULL && signer->kid == NULL) {
        EVP_PKEY_free(pkey);
        return ABDM_ERR(MEMORY, "no memory");
    }
    signer->pkey = pkey;
    signers->n++;
    return ABDM_NO_ERR;
}


static abdm_err_t
add_blocks(abdm_signers_t *signers, BIO *file, const char *kid)
{
    abdm_err_t err = ABDM_ERR(CONFIG, "no PEM block in it");
    char *name = NULL, *header = NULL;
    unsigned char *der = NULL;
    long len;

    while (PEM_read_bio(file, &name, &header, &der, &len) == 1) {
        err = add_key(signers, key_of(name, der, len), kid);
        OPENSSL_free(name);
        OPENSSL_free(header);
        OPENSSL_free(der);
        ABDM_TRY(err);
    }
    return ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE
               ? err
               : ABDM_ERR(CONFIG, "a PEM block is not whole");
}


abdm_err_t
abdm_signers_add(abdm_signers_t **signers, const char *path, const char *kid,
                 char problem[ABDM_SIGNER_PROBLEM])
{
    abdm_err_t err;
    BIO *file;

    if (*signers == NULL) {
        *signers = calloc(1, sizeof(**signers));
        if (*signers == NULL) {
            snprintf(problem, ABDM_SIGNER_PROBLEM, "no memory");
            return ABDM_ERR(MEMORY, "keys of consents");
        }
    }
    ERR_clear_error();
    file = BIO_new_file(path, "r");
    err = file != NULL ? add_blocks(*signers, file, kid)
                       : ABDM_ERR(CONFIG, "it cannot be read");
    BIO_free(file);
    if (abdm_failed(err) && abdm_crypto_no_memory()) {
        err = ABDM_ERR(MEMORY, "no memory");
    }
    ERR_clear_error();
    if (abdm_failed(err)) {
        snprintf(problem, ABDM_SIGNER_PROBLEM, "\"%.150s\": %s", path, err.what);
    }
    return err;
}


/* --- one signature over some bytes --- */

/* RSA says what it does not like in a signature; what OpenSSL lacked itself it tells otherwise, or
 * not at all. Empties the queue. */
static bool
is_judged(void)
{
    bool judged = false;
    unsigned long code;

    while ((code = ERR_get_error()) != 0) {
        if (ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE) {
            ERR_clear_error();
            return false;
        }
        judged |= ERR_GET_LIB(code) == ERR_LIB_RSA;
    }
    return judged;
}


static abdm_err_t
verify(EVP_PKEY *pkey, padding_t padding, abdm_str_t signature, abdm_str_t text, bool *holds)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *how = NULL;
    bool ready;

    *holds = false;
    ready = ctx != NULL && EVP_DigestVerifyInit(ctx, &how, EVP_sha256(), NULL, pkey) == 1;
    if (ready && padding == PSS) {
        ready = EVP_PKEY_CTX_set_rsa_padding(how, RSA_PKCS1_PSS_PADDING) == 1
                && EVP_PKEY_CTX_set_rsa_pss_saltlen(how, RSA_PSS_SALTLEN_AUTO) == 1;
    }
    if (ready) {
        /* Once is enough: without this OpenSSL copies the context first, and a copy that fails for
         * want of memory may look like a wrong signature. */
        EVP_MD_CTX_set_flags(ctx, EVP_MD_CTX_FLAG_FINALISE);
        *holds = EVP_DigestVerify(ctx, (const unsigned char *) signature.p, signature.len,
                                  (const unsigned char *) text.p, text.len) == 1;
        ready = *holds || is_judged(); /* else nothing is known of it */
    }
    EVP_MD_CTX_free(ctx);
    ERR_clear_error();
    return ready ? ABDM_NO_ERR : ABDM_ERR(CRYPTO, "verification of a signature");
}


/* By any of the keys that `kid` (NULL: not told) may mean; `paddings`: a set. */
static abdm_err_t
verify_any(const abdm_signers_t *signers, const char *kid, unsigned paddings, abdm_str_t signature,
           abdm_str_t text, bool *holds)
{
    static const padding_t each[] = {PKCS1, PSS};

    *holds = false;
    for (size_t i = 0; i < signers->n; i++) {
        const signer_t *signer = &signers->item[i];

        if (signature.len != (size_t) EVP_PKEY_get_size(signer->pkey)
            || (kid != NULL && signer->kid != NULL && strcmp(kid, signer->kid) != 0)) {
            continue;
        }
        for (size_t k = 0; k < sizeof(each) / sizeof(each[0]) && !*holds; k++) {
            if ((paddings & each[k]) != 0) {
                ABDM_TRY(verify(signer->pkey, each[k], signature, text, holds));
            }
        }
        if (*holds) {
            break;
        }
    }
    return ABDM_NO_ERR;
}


/* --- the forms of a signature --- */

/* Room for whatever a part of `text` decodes to; its end is where `text` ends. */
static abdm_err_t
decode(abdm_str_t text, bool (*how)(abdm_str_t, uint8_t *, size_t, size_t *), abdm_str_t *out,
       bool *done)
{
    size_t cap = text.len / 4 * 3 + 3;
    uint8_t *bytes = malloc(cap);

    *out = (abdm_str_t){(char *) bytes, 0};
    if (bytes == NULL) {
        return ABDM_ERR(MEMORY, "signature");
    }
    *done = how(text, bytes, cap, &out->len);
    return ABDM_NO_ERR;
}


static abdm_err_t
verify_bare(const abdm_signers_t *signers, abdm_str_t signature, const abdm_str_t *form,
            size_t n_forms, bool *holds)
{
    abdm_str_t bytes;
    abdm_err_t err;
    bool done = false;

    *holds = false;
    err = decode(signature, abdm_base64_decode, &bytes, &done);
    for (size_t i = 0; i < n_forms && done && !*holds && !abdm_failed(err); i++) {
        err = verify_any(signers, NULL, PKCS1 | PSS, bytes, form[i], holds);
    }
    free((char *) bytes.p);
    return err;
}


/* What a JWS header asks for; no padding: it cannot be obeyed. */
static abdm_err_t
read_header(abdm_str_t part, json_t **header, unsigned *paddings)
{
    uint8_t room[HEADER_MAX];
    const char *alg;
    size_t len;
    abdm_err_t err;

    *header = NULL;
    *paddings = 0;
    if (!abdm_base64url_decode(part, room, sizeof(room), &len)) {
        return ABDM_NO_ERR;
    }
    err = abdm_json_parse((const char *) room, len, 4, header);
    if (abdm_failed(err)) {
        return err.code == ABDM_E_MEMORY ? err : ABDM_NO_ERR;
    }
    for (size_t i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++) {
        if (json_object_get(*header, forbidden[i]) != NULL) {
            return ABDM_NO_ERR;
        }
    }
    alg = json_string_value(json_object_get(*header, "alg"));
    if (alg != NULL && strcmp(alg, "RS256") == 0) {
        *paddings = PKCS1;
    } else if (alg != NULL && strcmp(alg, "PS256") == 0) {
        *paddings = PSS;
    }
    return ABDM_NO_ERR;
}


/* Appends base64url without padding. */
static void
add_base64url(abdm_buf_t *out, abdm_str_t bytes)
{
    size_t len = abdm_base64_len(bytes.len);
    char *text;

    if (!abdm_buf_reserve(out, len)) {
        return;
    }
    text = out->p + out->len;
    len = abdm_base64_encode(bytes.p, bytes.len, text);
    while (len > 0 && text[len - 1] == '=') {
        len--;
    }
    for (size_t i = 0; i < len; i++) {
        text[i] = text[i] == '+' ? '-' : text[i] == '/' ? '_' : text[i];
    }
    out->len += len;
}


typedef struct {
    abdm_str_t header, payload, signature;
} jws_t;


static bool
split(abdm_str_t text, jws_t *jws)
{
    const char *first = memchr(text.p, '.', text.len), *second, *end = text.p + text.len;

    if (first == NULL) {
        return false;
    }
    second = memchr(first + 1, '.', (size_t) (end - first - 1));
    if (second == NULL) {
        return false;
    }
    jws->header = (abdm_str_t){text.p, (size_t) (first - text.p)};
    jws->payload = (abdm_str_t){first + 1, (size_t) (second - first - 1)};
    jws->signature = (abdm_str_t){second + 1, (size_t) (end - second - 1)};
    return true;
}


/* With a payload, that must be one of the forms; without, each form is tried in its place. */
static abdm_err_t
verify_jws(const abdm_signers_t *signers, const jws_t *jws, const abdm_str_t *form, size_t n_forms,
           bool *holds)
{
    abdm_str_t bytes;
    json_t *header = NULL;
    const char *kid;
    unsigned paddings = 0;
    abdm_err_t err;
    bool done = false;

    *holds = false;
    err = decode(jws->signature, abdm_base64url_decode, &bytes, &done);
    if (!abdm_failed(err) && done) {
        err = read_header(jws->header, &header, &paddings);
    }
    kid = json_string_value(json_object_get(header, "kid"));
    for (size_t i = 0; i < n_forms && paddings != 0 && !*holds && !abdm_failed(err); i++) {
        abdm_buf_t input = {0};
        size_t head;

        abdm_buf_add_str(&input, jws->header);
        abdm_buf_addz(&input, ".");
        head = input.len;
        add_base64url(&input, form[i]);
        if (input.failed) {
            err = ABDM_ERR(MEMORY, "signature");
        } else if (jws->payload.len == 0
                   || abdm_str_eq(jws->payload, (abdm_str_t){input.p + head, input.len - head})) {
            err = verify_any(signers, kid, paddings, bytes, abdm_buf_str(&input), holds);
        }
        abdm_buf_wipe_free(&input);
    }
    json_decref(header);
    free((char *) bytes.p);
    return err;
}


abdm_err_t
abdm_signature_verify(const abdm_signers_t *signers, const char *signature, const abdm_str_t *form,
                      size_t n_forms, abdm_signed_t *out)
{
    abdm_str_t text = abdm_str(signature);
    bool holds = false;
    jws_t jws;

    *out = ABDM_SIGNED_UNKNOWN;
    if (text.len == 0) {
        *out = ABDM_SIGNED_ABSENT;
        return ABDM_NO_ERR;
    }
    if (signers == NULL) {
        *out = ABDM_SIGNED_NO_KEY;
        return ABDM_NO_ERR;
    }
    if (split(text, &jws)) {
        ABDM_TRY(verify_jws(signers, &jws, form, n_forms, &holds));
    } else {
        ABDM_TRY(verify_bare(signers, text, form, n_forms, &holds));
    }
    *out = holds ? ABDM_SIGNED_VERIFIED : ABDM_SIGNED_WRONG;
    return ABDM_NO_ERR;
}
