/*
 * What the front door must refuse: malformed headers, confused algorithms, keys brought along,
 * edges of signatures and of time, and genuine tokens in the wrong hands.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <openssl/err.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>

#include "jwt_kit.h"
#include "token/token.h"

#define ISSUER  "https://dev.abdm.example/auth/realms/central-registry"
#define NOW     1772702411
#define NOW_MS  ((abdm_ms_t) NOW * 1000)
#define HEADER  "{\"alg\":\"RS256\",\"typ\":\"JWT\",\"kid\":\"key-256\"}"
#define GENUINE                                                                                    \
    "{\"exp\":1772703611,\"iat\":1772702411,\"jti\":\"1\",\"iss\":\"" ISSUER "\","                 \
    "\"aud\":\"account\",\"sub\":\"2\",\"typ\":\"Bearer\",\"azp\":\"gateway\",\"acr\":\"1\","      \
    "\"realm_access\":{\"roles\":[\"offline_access\",\"Gateway\"]},\"scope\":\"email profile\"}"

static const abdm_str_t issuers[] = {{"https://other.example", 21}, {ISSUER, sizeof ISSUER - 1}};
static const abdm_str_t callers[] = {{"gateway", 7}, {"TEST_PHR", 8}};
static abdm_token_policy_t policy;
static EVP_PKEY *key, *other_key;
static abdm_jwks_t *keys;


static int
set_up(void **state)
{
    abdm_buf_t b = {0};

    (void) state;
    policy = (abdm_token_policy_t){
        .id = 1,
        .issuers = issuers,
        .n_issuers = 2,
        .callers = callers,
        .n_callers = 2,
        .role = ABDM_LIT("gateway"),
        .client_id = ABDM_LIT("SBXID_000001"),
        .leeway_ms = ABDM_TOKEN_LEEWAY_MS,
    };
    key = kit_key();
    other_key = kit_key();
    abdm_buf_addz(&b, "{\"keys\":[");
    kit_jwk(&b, "key-256", key, ",\"alg\":\"RS256\",\"use\":\"sig\"");
    abdm_buf_addz(&b, ",");
    kit_jwk(&b, "key-512", key, ",\"alg\":\"RS512\",\"use\":\"sig\"");
    abdm_buf_addz(&b, ",");
    kit_jwk(&b, "key-any", key, "");
    abdm_buf_addz(&b, "]}");
    abdm_err_t err = abdm_jwks_parse(b.p, b.len, &keys);
    abdm_buf_free(&b);
    return abdm_failed(err);
}


static int
tear_down(void **state)
{
    (void) state;
    abdm_jwks_free(keys);
    EVP_PKEY_free(key);
    EVP_PKEY_free(other_key);
    return 0;
}


static abdm_code_t
verify(abdm_str_t value)
{
    abdm_token_claims_t claims, before;

    memset(&claims, 0x5a, sizeof claims);
    before = claims;
    /* An exact copy on the heap, so that reading one byte too far is seen by the sanitizer. */
    char *copy = kit_need(malloc(value.len + (value.len == 0)), "no memory");
    memcpy(copy, value.p, value.len);
    abdm_err_t err = abdm_token_verify(&policy, keys, (abdm_str_t){copy, value.len}, NOW_MS,
                                       &claims);
    free(copy);
    if (abdm_failed(err))
        assert_memory_equal(&claims, &before, sizeof claims);
    assert_int_equal(ERR_peek_error(), 0); /* nginx would log what is left there */
    return err.code;
}


static void
expect_401(abdm_str_t authorization)
{
    abdm_code_t code = verify(authorization);

    if (abdm_error_info(code)->http != 401)
        fail_msg("%s for %.*s", abdm_error_info(code)->name, (int) authorization.len,
                 authorization.p);
}


static abdm_code_t
signed_code(const char *header, const char *payload, const EVP_MD *md)
{
    char *bearer = kit_bearer(header, payload, key, md);
    abdm_code_t code = verify(abdm_str(bearer));

    free(bearer);
    return code;
}


static abdm_code_t
claims_code(const char *payload)
{
    return signed_code(HEADER, payload, EVP_sha256());
}


static void
check_claims(const char *payload, abdm_code_t code)
{
    abdm_code_t got = claims_code(payload);

    if (got != code)
        fail_msg("%s instead of %s: %s", abdm_error_info(got)->name, abdm_error_info(code)->name,
                 payload);
}


static void
a_genuine_token_is_accepted_and_its_claims_given(void **state)
{
    static const char *const schemes[] = {"bearer", "BEARER", "bEaReR"};
    char *bearer = kit_bearer(HEADER, GENUINE, key, EVP_sha256());
    abdm_token_claims_t claims;

    (void) state;
    assert_int_equal(abdm_token_verify(&policy, keys, abdm_str(bearer), NOW_MS, &claims).code,
                     ABDM_OK);
    assert_int_equal(claims.exp_ms, 1772703611000);
    assert_int_equal(claims.issued_ms, NOW_MS);
    assert_string_equal(claims.azp, "gateway");
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        memcpy(bearer, schemes[i], 6);
        assert_int_equal(verify(abdm_str(bearer)), ABDM_OK);
    }
    free(bearer);
}


static void
rs512_is_accepted_from_a_key_that_is_published_for_it(void **state)
{
    (void) state;
    assert_int_equal(signed_code("{\"alg\":\"RS512\",\"kid\":\"key-512\"}", GENUINE, EVP_sha512()),
                     ABDM_OK);
    assert_int_equal(signed_code("{\"alg\":\"RS512\",\"kid\":\"key-any\"}", GENUINE, EVP_sha512()),
                     ABDM_OK);
    assert_int_equal(signed_code("{\"alg\":\"RS256\",\"kid\":\"key-any\"}", GENUINE, EVP_sha256()),
                     ABDM_OK);
    assert_int_equal(signed_code("{\"alg\":\"RS512\",\"kid\":\"key-256\"}", GENUINE, EVP_sha512()),
                     ABDM_E_TOKEN_ALG);
    assert_int_equal(signed_code("{\"alg\":\"RS256\",\"kid\":\"key-512\"}", GENUINE, EVP_sha256()),
                     ABDM_E_TOKEN_ALG);
    assert_int_equal(signed_code("{\"alg\":\"RS256\",\"kid\":\"key-any\"}", GENUINE, EVP_sha512()),
                     ABDM_E_TOKEN_SIGNATURE);
}


/* In the patterns $T is a genuine token, and $H, $P, $S are its parts. */
static void
expand(abdm_buf_t *out, abdm_str_t pattern, const char *token)
{
    const char *p = strchr(token, '.') + 1, *s = strchr(p, '.') + 1;

    for (size_t i = 0; i < pattern.len; i++) {
        if (pattern.p[i] != '$') {
            abdm_buf_add(out, pattern.p + i, 1);
            continue;
        }
        switch (pattern.p[++i]) {
        case 'H':
            abdm_buf_add(out, token, (size_t) (p - token) - 1);
            break;
        case 'P':
            abdm_buf_add(out, p, (size_t) (s - p) - 1);
            break;
        case 'S':
            abdm_buf_addz(out, s);
            break;
        default:
            abdm_buf_addz(out, token);
            break;
        }
    }
}


static void
a_header_that_is_not_bearer_and_one_jwt_is_refused(void **state)
{
    static const abdm_str_t patterns[] = {
        ABDM_LIT(""),                    ABDM_LIT(" "),
        ABDM_LIT("Bearer"),              ABDM_LIT("Bearer "),
        ABDM_LIT("Bearer  "),            ABDM_LIT("$T"),
        ABDM_LIT("Bearer$T"),            ABDM_LIT(" Bearer $T"),
        ABDM_LIT("Bearer  $T"),          ABDM_LIT("Bearer\t$T"),
        ABDM_LIT("Bearer \t$T"),         ABDM_LIT("Bearer $T "),
        ABDM_LIT("Bearer $T\t"),         ABDM_LIT("Bearer $T\r"),
        ABDM_LIT("Bearer $T\n"),         ABDM_LIT("Bearer $T\r\nX: y"),
        ABDM_LIT("Bearer $T\0"),         ABDM_LIT("Bearer \0$T"),
        ABDM_LIT("Bearer\0$T"),          ABDM_LIT("Bearer $T,"),
        ABDM_LIT("Bearer $T;"),          ABDM_LIT("Bearer $T $T"),
        ABDM_LIT("Bearer $T, Bearer $T"), ABDM_LIT("Bearer $T,$T"),
        ABDM_LIT("Bearer Bearer $T"),    ABDM_LIT("Bearer: $T"),
        ABDM_LIT("Bearer=$T"),           ABDM_LIT("Bearer \"$T\""),
        ABDM_LIT("Bearer '$T'"),         ABDM_LIT("Bearer <$T>"),
        ABDM_LIT("Bearer token=$T"),     ABDM_LIT("Basic $T"),
        ABDM_LIT("Basic Z2F0ZXdheTpx"),  ABDM_LIT("Digest $T"),
        ABDM_LIT("JWT $T"),              ABDM_LIT("Token $T"),
        ABDM_LIT("DPoP $T"),             ABDM_LIT("Bearers $T"),
        ABDM_LIT("Beare $T"),            ABDM_LIT("Be\xc3\xa4rer $T"),
        ABDM_LIT("\xef\xbb\xbf" "Bearer $T"), ABDM_LIT("Bearer \xef\xbb\xbf$T"),
        ABDM_LIT("Bearer $H"),           ABDM_LIT("Bearer $H.$P"),
        ABDM_LIT("Bearer $H.$P."),       ABDM_LIT("Bearer $H..$S"),
        ABDM_LIT("Bearer .$P.$S"),       ABDM_LIT("Bearer .."),
        ABDM_LIT("Bearer ."),            ABDM_LIT("Bearer ..."),
        ABDM_LIT("Bearer $T."),          ABDM_LIT("Bearer .$T"),
        ABDM_LIT("Bearer $T.$S"),        ABDM_LIT("Bearer $H.$P.$S.$S"),
        ABDM_LIT("Bearer $H.$H.$P.$S.$S"), ABDM_LIT("Bearer $H,$P,$S"),
        ABDM_LIT("Bearer $H $P $S"),     ABDM_LIT("Bearer $H. $P.$S"),
        ABDM_LIT("Bearer $H.\n$P.$S"),   ABDM_LIT("Bearer $H=.$P.$S"),
        ABDM_LIT("Bearer $H==.$P.$S"),   ABDM_LIT("Bearer $H.$P=.$S"),
        ABDM_LIT("Bearer $H.$P.$S="),    ABDM_LIT("Bearer $H.$P.$S=="),
        ABDM_LIT("Bearer $H+.$P.$S"),    ABDM_LIT("Bearer $H.$P.$S/"),
        ABDM_LIT("Bearer $H.$P.$S%3D"),  ABDM_LIT("Bearer $P.$H.$S"),
        ABDM_LIT("Bearer $S.$P.$H"),     ABDM_LIT("Bearer $H.$P.$P"),
        ABDM_LIT("Bearer AA$H.$P.$S"),   ABDM_LIT("Bearer $H.$P.AAAA$S"),
        ABDM_LIT("Bearer A.$P.$S"),      ABDM_LIT("Bearer null"),
        ABDM_LIT("Bearer undefined.undefined.undefined"),
    };
    char *bearer = kit_bearer(HEADER, GENUINE, key, EVP_sha256());

    (void) state;
    assert_true(sizeof patterns / sizeof *patterns >= 60);
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
        abdm_buf_t b = {0};
        expand(&b, patterns[i], bearer + 7);
        assert_false(b.failed);
        expect_401(abdm_buf_str(&b));
        abdm_buf_free(&b);
    }
    assert_int_equal(verify(ABDM_LIT("")), ABDM_E_TOKEN_MISSING);
    assert_int_equal(verify(ABDM_LIT("Bearer ")), ABDM_E_TOKEN_FORM);
    abdm_buf_t four = {0};
    expand(&four, ABDM_LIT("Bearer $T.$S"), bearer + 7);
    assert_false(four.failed);
    assert_int_equal(verify(abdm_buf_str(&four)), ABDM_E_TOKEN_FORM);
    abdm_buf_free(&four);
    abdm_token_claims_t claims;
    assert_int_equal(abdm_token_verify(&policy, keys, (abdm_str_t){NULL, 0}, NOW_MS, &claims).code,
                     ABDM_E_TOKEN_MISSING);
    free(bearer);
}


static void
an_altered_byte_anywhere_is_refused(void **state)
{
    char *bearer = kit_bearer(HEADER, GENUINE, key, EVP_sha256());
    size_t len = strlen(bearer);

    (void) state;
    for (size_t i = 7; i < len; i++) {
        char was = bearer[i];
        bearer[i] = was == 'A' ? 'B' : 'A';
        if (verify(abdm_str(bearer)) == ABDM_OK)
            fail_msg("byte %zu", i);
        bearer[i] = was;
    }
    for (size_t n = 0; n < len; n++)
        assert_int_not_equal(verify((abdm_str_t){bearer, n}), ABDM_OK);
    assert_int_equal(verify(abdm_str(bearer)), ABDM_OK);
    free(bearer);
}


static void
only_rs256_and_rs512_are_algorithms(void **state)
{
    static const char *const algs[] = {
        "\"none\"",  "\"None\"",  "\"NONE\"",    "\"nOnE\"",      "\"\"",       "\"HS256\"",
        "\"HS512\"", "\"RS384\"", "\"PS256\"",   "\"ES256\"",     "\"EdDSA\"",  "\"rs256\"",
        "\"RS256 \"", "\" RS256\"", "\"RS2567\"", "\"RS25\"",     "[\"RS256\"]", "null",
        "256",       "true",      "{\"RS256\":1}", "\"RS256,none\"", "\"RSA\"",
    };
    char header[128];

    (void) state;
    for (size_t i = 0; i < sizeof algs / sizeof *algs; i++) {
        snprintf(header, sizeof header, "{\"alg\":%s,\"kid\":\"key-any\"}", algs[i]);
        if (signed_code(header, GENUINE, EVP_sha256()) != ABDM_E_TOKEN_ALG)
            fail_msg("%s", algs[i]);
    }
    assert_int_equal(signed_code("{\"kid\":\"key-any\"}", GENUINE, EVP_sha256()), ABDM_E_TOKEN_ALG);
    assert_int_equal(signed_code("{\"alg\":\"none\",\"alg\":\"RS256\",\"kid\":\"key-any\"}",
                                 GENUINE, EVP_sha256()),
                     ABDM_E_TOKEN_HEADER);
}


static void
a_token_without_signature_is_refused_whatever_its_header(void **state)
{
    static const char *const headers[] = {"{\"alg\":\"none\"}",
                                          "{\"alg\":\"none\",\"kid\":\"key-any\"}", HEADER};
    static const char *const tails[] = {".", ".AA", ".AAAA", ""};

    (void) state;
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        for (size_t k = 0; k < sizeof tails / sizeof *tails; k++) {
            abdm_buf_t b = {0};
            char *input = kit_unsigned(headers[i], GENUINE);
            abdm_buf_addf(&b, "Bearer %s%s", input, tails[k]);
            expect_401(abdm_buf_str(&b));
            abdm_buf_free(&b);
            free(input);
        }
    }
}


static void
check_hmac(const char *alg, const EVP_MD *md, abdm_str_t secret, const char *kid)
{
    uint8_t mac[EVP_MAX_MD_SIZE];
    unsigned len;
    char header[128];
    abdm_buf_t b = {0};

    snprintf(header, sizeof header, "{\"alg\":\"%s\",\"kid\":\"%s\"}", alg, kid);
    char *input = kit_unsigned(header, GENUINE);
    assert_non_null(HMAC(md, secret.p, (int) secret.len, (const uint8_t *) input, strlen(input),
                         mac, &len));
    char *sig = kit_b64url(mac, len);
    abdm_buf_addf(&b, "Bearer %s.%s", input, sig);
    expect_401(abdm_buf_str(&b));
    abdm_buf_free(&b);
    free(input);
    free(sig);
}


static void
the_public_key_is_never_an_hmac_secret(void **state)
{
    BIO *pem = BIO_new(BIO_s_mem());
    unsigned char *der = NULL;
    char *pem_text;
    char *n = kit_number(key, OSSL_PKEY_PARAM_RSA_N);

    (void) state;
    assert_int_equal(PEM_write_bio_PUBKEY(pem, key), 1);
    long pem_len = BIO_get_mem_data(pem, &pem_text);
    int der_len = i2d_PUBKEY(key, &der);
    assert_true(der_len > 0 && pem_len > 0);
    const abdm_str_t secrets[] = {
        ABDM_LIT(""),
        {pem_text, (size_t) pem_len},
        {pem_text, (size_t) pem_len - 1},
        {(char *) der, (size_t) der_len},
        {n, strlen(n)},
        ABDM_LIT("key-any"),
        ABDM_LIT("secret"),
    };
    for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++) {
        check_hmac("HS256", EVP_sha256(), secrets[i], "key-any");
        check_hmac("HS512", EVP_sha512(), secrets[i], "key-any");
        check_hmac("RS256", EVP_sha256(), secrets[i], "key-256");
        check_hmac("hs256", EVP_sha256(), secrets[i], "key-any");
    }
    OPENSSL_free(der);
    BIO_free(pem);
    free(n);
}


static void
a_key_that_the_token_brings_along_is_refused(void **state)
{
    static const char *const members[] = {"jku", "x5u", "x5c", "crit", "zip", "b64"};
    abdm_buf_t b = {0};
    char header[256];

    (void) state;
    abdm_buf_addz(&b, "{\"alg\":\"RS256\",\"kid\":\"key-256\",\"jwk\":");
    kit_jwk(&b, "key-256", other_key, "");
    abdm_buf_addz(&b, "}");
    char *h = abdm_buf_take(&b);
    assert_non_null(h);
    char *bearer = kit_bearer(h, GENUINE, other_key, EVP_sha256());
    assert_int_equal(verify(abdm_str(bearer)), ABDM_E_TOKEN_HEADER);
    free(bearer);
    free(h);
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        snprintf(header, sizeof header, "{\"alg\":\"RS256\",\"kid\":\"key-256\",\"%s\":\"x\"}",
                 members[i]);
        assert_int_equal(signed_code(header, GENUINE, EVP_sha256()), ABDM_E_TOKEN_HEADER);
        snprintf(header, sizeof header, "{\"alg\":\"RS256\",\"kid\":\"key-256\",\"%s\":null}",
                 members[i]);
        assert_int_equal(signed_code(header, GENUINE, EVP_sha256()), ABDM_E_TOKEN_HEADER);
    }
    assert_int_equal(
        signed_code("{\"alg\":\"RS256\",\"kid\":\"key-256\",\"x5t\":\"abc\",\"new\":1}", GENUINE,
                    EVP_sha256()),
        ABDM_OK);
}


static void
a_kid_is_only_ever_compared(void **state)
{
    static const struct {
        const char *kid;
        abdm_code_t code;
    } rows[] = {
        {"\"unknown\"", ABDM_E_TOKEN_KID_UNKNOWN},
        {"\"KEY-256\"", ABDM_E_TOKEN_KID_UNKNOWN},
        {"\"key-256 \"", ABDM_E_TOKEN_KID_UNKNOWN},
        {"\"key-25\"", ABDM_E_TOKEN_KID_UNKNOWN},
        {"\"../../../../dev/null\"", ABDM_E_TOKEN_KID_UNKNOWN},
        {"\"' OR '1'='1\"", ABDM_E_TOKEN_KID_UNKNOWN},
        {"\"$(id)\"", ABDM_E_TOKEN_KID_UNKNOWN},
        {"\"%s%n\"", ABDM_E_TOKEN_KID_UNKNOWN},
        {"\"*\"", ABDM_E_TOKEN_KID_UNKNOWN},
        {"\"\"", ABDM_E_TOKEN_HEADER},
        {"null", ABDM_E_TOKEN_HEADER},
        {"0", ABDM_E_TOKEN_HEADER},
        {"[\"key-256\"]", ABDM_E_TOKEN_HEADER},
        {"{\"$ne\":1}", ABDM_E_TOKEN_HEADER},
        {"\"key-256\\u0000\"", ABDM_E_TOKEN_HEADER},
        {"\"key-256\\n\"", ABDM_E_TOKEN_HEADER},
        {"\"k\\u00e9y\"", ABDM_E_TOKEN_HEADER},
        {"\"key\\u007f\"", ABDM_E_TOKEN_HEADER},
        {"\"unknown\",\"kid\":\"key-256\"", ABDM_E_TOKEN_HEADER},
    };
    char header[256], kid[200];

    (void) state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        snprintf(header, sizeof header, "{\"alg\":\"RS256\",\"kid\":%s}", rows[i].kid);
        if (signed_code(header, GENUINE, EVP_sha256()) != rows[i].code)
            fail_msg("%s", rows[i].kid);
    }
    assert_int_equal(signed_code("{\"alg\":\"RS256\"}", GENUINE, EVP_sha256()),
                     ABDM_E_TOKEN_HEADER);
    memset(kid, 'k', sizeof kid);
    for (int len = 128; len <= 129; len++) {
        snprintf(header, sizeof header, "{\"alg\":\"RS256\",\"kid\":\"%.*s\"}", len, kid);
        assert_int_equal(signed_code(header, GENUINE, EVP_sha256()),
                         len == 128 ? ABDM_E_TOKEN_KID_UNKNOWN : ABDM_E_TOKEN_HEADER);
    }
}


static void
another_typ_than_jwt_is_refused(void **state)
{
    static const char *const bad[] = {"\"JOSE\"", "\"\"", "null", "7", "[\"JWT\"]", "\"dpop+jwt\""};
    char header[128];

    (void) state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(header, sizeof header, "{\"alg\":\"RS256\",\"kid\":\"key-256\",\"typ\":%s}",
                 bad[i]);
        assert_int_equal(signed_code(header, GENUINE, EVP_sha256()), ABDM_E_TOKEN_HEADER);
    }
    assert_int_equal(signed_code("{\"alg\":\"RS256\",\"kid\":\"key-256\",\"typ\":\"at+JWT\"}",
                                 GENUINE, EVP_sha256()),
                     ABDM_OK);
}


static void
a_part_that_is_not_one_json_object_is_refused(void **state)
{
    static const char *const bad[] = {"",
                                      " ",
                                      "null",
                                      "[]",
                                      "\"x\"",
                                      "1",
                                      "{",
                                      "{}{}",
                                      "{\"a\":1,}",
                                      "x",
                                      "{\"alg\":\"RS256\",\"kid\":\"key-256\"}x"};
    abdm_buf_t deep = {0};

    (void) state;
    for (size_t i = 1; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(signed_code(bad[i], GENUINE, EVP_sha256()), ABDM_E_TOKEN_HEADER);
        assert_int_equal(claims_code(bad[i]), ABDM_E_TOKEN_CLAIMS);
    }
    assert_int_equal(claims_code(bad[0]), ABDM_E_TOKEN_FORM);
    for (int i = 0; i < 100; i++)
        abdm_buf_addz(&deep, "{\"a\":");
    abdm_buf_addz(&deep, "1");
    for (int i = 0; i < 100; i++)
        abdm_buf_addz(&deep, "}");
    char *z = abdm_buf_take(&deep);
    assert_non_null(z);
    assert_int_equal(signed_code(z, GENUINE, EVP_sha256()), ABDM_E_TOKEN_HEADER);
    assert_int_equal(claims_code(z), ABDM_E_TOKEN_CLAIMS);
    free(z);
}


static void
a_token_beyond_8_kib_is_refused_before_its_parts_are_looked_at(void **state)
{
    abdm_buf_t b = {0}, payload = {0};

    (void) state;
    abdm_buf_addz(&b, "Bearer ");
    for (int i = 0; i < 1000000; i++)
        abdm_buf_addz(&b, i % 2 == 0 ? "." : "A");
    assert_false(b.failed);
    assert_int_equal(verify(abdm_buf_str(&b)), ABDM_E_TOKEN_FORM);
    abdm_buf_free(&b);

    /* Claims of 5600 bytes would still fit their own room, but not beside the signature. */
    for (int fill = 5000; fill <= 5600; fill += 600) {
        abdm_buf_addf(&payload, "%.*s,\"pad\":\"", (int) strlen(GENUINE) - 1, GENUINE);
        for (int i = 0; i < fill; i++)
            abdm_buf_addz(&payload, "x");
        abdm_buf_addz(&payload, "\"}");
        char *z = abdm_buf_take(&payload);
        assert_non_null(z);
        assert_int_equal(claims_code(z), fill == 5000 ? ABDM_OK : ABDM_E_TOKEN_FORM);
        free(z);
    }
}


/* The signature `sig` of `len` bytes over a genuine header and payload. */
static abdm_code_t
with_signature(const char *input, const uint8_t *sig, size_t len)
{
    abdm_buf_t b = {0};
    char *text = kit_b64url(sig, len);

    abdm_buf_addf(&b, "Bearer %s.%s", input, text);
    abdm_code_t code = verify(abdm_buf_str(&b));
    abdm_buf_free(&b);
    free(text);
    return code;
}


static void
only_the_exact_signature_verifies(void **state)
{
    char *input = kit_unsigned(HEADER, GENUINE);
    char *text = kit_signature(input, key, EVP_sha256());
    char *n_text = kit_number(key, OSSL_PKEY_PARAM_RSA_N);
    uint8_t good[256], bad[1024] = {0}, n[256];
    size_t len, n_len;

    (void) state;
    assert_true(abdm_base64url_decode(abdm_str(text), good, sizeof good, &len));
    assert_true(abdm_base64url_decode(abdm_str(n_text), n, sizeof n, &n_len));
    assert_int_equal(with_signature(input, good, 256), ABDM_OK);

    assert_int_equal(with_signature(input, bad, 256), ABDM_E_TOKEN_SIGNATURE); /* 0 */
    bad[255] = 1;
    assert_int_equal(with_signature(input, bad, 256), ABDM_E_TOKEN_SIGNATURE); /* 1 */
    assert_int_equal(with_signature(input, n, 256), ABDM_E_TOKEN_SIGNATURE);   /* n */
    memcpy(bad, n, 256);
    bad[255]--;
    assert_int_equal(with_signature(input, bad, 256), ABDM_E_TOKEN_SIGNATURE); /* n - 1 */
    memset(bad, 0xff, sizeof bad);
    assert_int_equal(with_signature(input, bad, 256), ABDM_E_TOKEN_SIGNATURE);
    assert_int_equal(with_signature(input, bad, 1024), ABDM_E_TOKEN_SIGNATURE);
    assert_int_equal(with_signature(input, good, 255), ABDM_E_TOKEN_SIGNATURE);
    assert_int_equal(with_signature(input, good + 1, 255), ABDM_E_TOKEN_SIGNATURE);
    assert_int_equal(with_signature(input, good, 1), ABDM_E_TOKEN_SIGNATURE);
    bad[0] = 0;
    memcpy(bad + 1, good, 256);
    assert_int_equal(with_signature(input, bad, 257), ABDM_E_TOKEN_SIGNATURE); /* leading zero */
    memcpy(bad, good, 256);
    bad[256] = 0;
    assert_int_equal(with_signature(input, bad, 257), ABDM_E_TOKEN_SIGNATURE);
    for (size_t i = 0; i < 256; i++) {
        memcpy(bad, good, 256);
        bad[i] ^= (uint8_t) (1u << i % 8);
        assert_int_equal(with_signature(input, bad, 256), ABDM_E_TOKEN_SIGNATURE);
    }
    free(input);
    free(text);
    free(n_text);
}


/* RSA's private operation on an encoded message as it stands: padding made by hand. */
static abdm_code_t
with_padding(const char *input, const uint8_t em[256])
{
    uint8_t sig[256];
    size_t len = sizeof sig;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);

    assert_int_equal(EVP_PKEY_sign_init(ctx), 1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_NO_PADDING), 1);
    assert_int_equal(EVP_PKEY_sign(ctx, sig, &len, em, 256), 1);
    EVP_PKEY_CTX_free(ctx);
    return with_signature(input, sig, len);
}


static void
only_the_exact_padding_verifies(void **state)
{
    static const uint8_t info[] = {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
                                   0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20};
    char *input = kit_unsigned(HEADER, GENUINE);
    uint8_t em[256], bad[256], digest[32];

    (void) state;
    assert_int_equal(EVP_Digest(input, strlen(input), digest, NULL, EVP_sha256(), NULL), 1);
    memset(em, 0xff, sizeof em);
    em[0] = 0;
    em[1] = 1;
    em[256 - 52] = 0;
    memcpy(em + 256 - 51, info, 19);
    memcpy(em + 256 - 32, digest, 32);
    assert_int_equal(with_padding(input, em), ABDM_OK);

    memcpy(bad, em, 256);
    bad[1] = 2; /* block type of encryption */
    assert_int_equal(with_padding(input, bad), ABDM_E_TOKEN_SIGNATURE);
    memcpy(bad, em, 256);
    bad[100] = 0xfe;
    assert_int_equal(with_padding(input, bad), ABDM_E_TOKEN_SIGNATURE);
    memcpy(bad, em, 256);
    bad[256 - 52] = 0xff; /* no separator */
    assert_int_equal(with_padding(input, bad), ABDM_E_TOKEN_SIGNATURE);
    memset(bad, 0, 256); /* Bleichenbacher's form: short padding, then garbage behind the digest */
    bad[1] = 1;
    memset(bad + 2, 0xff, 8);
    memcpy(bad + 11, info, 19);
    memcpy(bad + 30, digest, 32);
    memset(bad + 62, 0x55, 256 - 62);
    assert_int_equal(with_padding(input, bad), ABDM_E_TOKEN_SIGNATURE);
    memcpy(bad, em, 256);
    bad[256 - 51 + 14] = 3; /* the OID of SHA-512 */
    assert_int_equal(with_padding(input, bad), ABDM_E_TOKEN_SIGNATURE);
    memset(bad + 2, 0xff, 222); /* the bare digest without its name */
    bad[223] = 0;
    assert_int_equal(with_padding(input, bad), ABDM_E_TOKEN_SIGNATURE);
    free(input);
}


static void
a_token_signed_by_another_key_is_refused(void **state)
{
    char *bearer = kit_bearer(HEADER, GENUINE, other_key, EVP_sha256());

    (void) state;
    assert_int_equal(verify(abdm_str(bearer)), ABDM_E_TOKEN_SIGNATURE);
    free(bearer);
}


static void
without_keys_the_gateway_is_told_to_come_again(void **state)
{
    char *bearer = kit_bearer(HEADER, GENUINE, key, EVP_sha256());
    abdm_token_claims_t claims;

    (void) state;
    assert_int_equal(abdm_token_verify(&policy, NULL, abdm_str(bearer), NOW_MS, &claims).code,
                     ABDM_E_KEYS_UNAVAILABLE);
    assert_int_equal(abdm_token_verify(&policy, NULL, ABDM_LIT("Bearer x"), NOW_MS, &claims).code,
                     ABDM_E_TOKEN_FORM);
    free(bearer);
}


#define TIMES(t) "{\"iss\":\"" ISSUER "\",\"azp\":\"gateway\"" t "}"

static void
times_hold_at_their_edges(void **state)
{
    (void) state;
    check_claims(TIMES(",\"exp\":1772702411"), ABDM_OK); /* now */
    check_claims(TIMES(",\"exp\":1772698812"), ABDM_OK); /* a second inside the leeway */
    check_claims(TIMES(",\"exp\":1772698811"), ABDM_E_TOKEN_TIME);
    check_claims(TIMES(",\"exp\":1772698811.5"), ABDM_OK);
    check_claims(TIMES(",\"exp\":1772702411.999"), ABDM_OK);
    check_claims(TIMES(",\"exp\":0"), ABDM_E_TOKEN_TIME);
    check_claims(TIMES(",\"exp\":1772703611,\"nbf\":1772706011"), ABDM_OK);
    check_claims(TIMES(",\"exp\":1772703611,\"nbf\":1772706012"), ABDM_E_TOKEN_TIME);
    check_claims(TIMES(",\"exp\":1772707000,\"iat\":1772706011"), ABDM_OK);
    check_claims(TIMES(",\"exp\":1772707000,\"iat\":1772706012"), ABDM_E_TOKEN_TIME);
    check_claims(TIMES(",\"exp\":1772788811,\"iat\":1772702411"), ABDM_OK); /* 24 h */
    check_claims(TIMES(",\"exp\":1772788812,\"iat\":1772702411"), ABDM_E_TOKEN_TIME);
    check_claims(TIMES(",\"exp\":1772792411"), ABDM_OK); /* 24 h and the leeway, no iat */
    check_claims(TIMES(",\"exp\":1772792412"), ABDM_E_TOKEN_TIME);
    check_claims(TIMES(",\"exp\":2088062411,\"iat\":1772702411"), ABDM_E_TOKEN_TIME);
    check_claims(TIMES(",\"exp\":1772703611,\"iat\":0"), ABDM_E_TOKEN_TIME);
}


static void
times_that_are_not_numbers_in_range_are_refused(void **state)
{
    static const char *const bad[] = {
        "null", "\"1772703611\"", "true", "[1772703611]", "{}", "-1", "-1772703611",
        "253402300800", "9223372036854775807", "9223372036854775808", "1e400", "1e300", "-0.5",
        "18446744073709551615", "",
    };
    static const char *const names[] = {"exp", "nbf", "iat"};
    char payload[512];

    (void) state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        for (size_t k = 0; k < 3; k++) {
            snprintf(payload, sizeof payload,
                     "{\"iss\":\"" ISSUER "\",\"azp\":\"gateway\"%s,\"%s\":%s}",
                     k == 0 ? "" : ",\"exp\":1772703611", names[k], bad[i]);
            check_claims(payload, ABDM_E_TOKEN_CLAIMS);
        }
    }
    check_claims(TIMES(""), ABDM_E_TOKEN_CLAIMS);
    check_claims(TIMES(",\"exp\":1772703611,\"exp\":1772703611"), ABDM_E_TOKEN_CLAIMS);
    check_claims(TIMES(",\"EXP\":1772703611"), ABDM_E_TOKEN_CLAIMS);
}


static void
a_token_outlives_2038_and_no_clock_wraps_it(void **state)
{
    char *bearer = kit_bearer(HEADER, TIMES(",\"exp\":2147483700,\"iat\":2147483640"), key,
                              EVP_sha256());
    abdm_token_claims_t claims;
    static const struct {
        abdm_ms_t now;
        abdm_code_t code;
    } rows[] = {
        {2147483650000, ABDM_OK},
        {2147487299999, ABDM_OK},
        {2147487300000, ABDM_E_TOKEN_TIME},
        {0, ABDM_E_TOKEN_TIME},
        {-1000, ABDM_E_TOKEN_TIME},
        {253402300799999, ABDM_E_TOKEN_TIME},
    };

    (void) state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(
            abdm_token_verify(&policy, keys, abdm_str(bearer), rows[i].now, &claims).code,
            rows[i].code);
    free(bearer);
}


#define WITH(members) "{\"exp\":1772703611,\"iss\":\"" ISSUER "\"" members "}"
#define ROLE          "\"realm_access\":{\"roles\":[\"gateway\"]}"

static void
only_listed_issuers_are_accepted(void **state)
{
    (void) state;
    check_claims("{\"exp\":1772703611,\"azp\":\"gateway\",\"iss\":\"https://other.example\"}",
                 ABDM_OK);
    check_claims("{\"exp\":1772703611,\"azp\":\"gateway\",\"iss\":\"" ISSUER "/\"}",
                 ABDM_E_TOKEN_ISSUER);
    check_claims("{\"exp\":1772703611,\"azp\":\"gateway\",\"iss\":\"HTTPS://other.example\"}",
                 ABDM_E_TOKEN_ISSUER);
    check_claims("{\"exp\":1772703611,\"azp\":\"gateway\",\"iss\":\"\"}", ABDM_E_TOKEN_ISSUER);
    check_claims("{\"exp\":1772703611,\"azp\":\"gateway\",\"iss\":[\"https://other.example\"]}",
                 ABDM_E_TOKEN_CLAIMS);
    check_claims("{\"exp\":1772703611,\"azp\":\"gateway\",\"iss\":null}", ABDM_E_TOKEN_CLAIMS);
    check_claims("{\"exp\":1772703611,\"azp\":\"gateway\"}", ABDM_E_TOKEN_CLAIMS);
}


static void
only_the_gateway_may_call(void **state)
{
    (void) state;
    /* By azp, by clientId where azp is absent, or by the role. */
    check_claims(WITH(",\"azp\":\"gateway\""), ABDM_OK);
    check_claims(WITH(",\"azp\":\"TEST_PHR\""), ABDM_OK);
    check_claims(WITH(",\"clientId\":\"gateway\""), ABDM_OK);
    check_claims(WITH(",\"azp\":\"svc\"," ROLE), ABDM_OK);
    check_claims(WITH("," ROLE), ABDM_OK);
    check_claims(WITH(",\"realm_access\":{\"roles\":[\"hip\",\"GATEWAY\"]}"), ABDM_OK);

    /* Another participant's genuine token. */
    check_claims(WITH(""), ABDM_E_TOKEN_CALLER);
    check_claims(WITH(",\"azp\":\"SBXID_000099\",\"aud\":\"account\",\"typ\":\"Bearer\","
                      "\"realm_access\":{\"roles\":[\"hip\",\"hiu\",\"bridge\",\"OIDC\"]}"),
                 ABDM_E_TOKEN_CALLER);
    check_claims(WITH(",\"azp\":\"Gateway\""), ABDM_E_TOKEN_CALLER);
    check_claims(WITH(",\"azp\":\"gateway \""), ABDM_E_TOKEN_CALLER);
    check_claims(WITH(",\"azp\":\"SBXID_000099\",\"clientId\":\"gateway\""), ABDM_E_TOKEN_CALLER);
    check_claims(WITH(",\"azp\":\"x\",\"preferred_username\":\"gateway\""), ABDM_E_TOKEN_CALLER);
    check_claims(WITH(",\"azp\":\"x\",\"roles\":[\"gateway\"]"), ABDM_E_TOKEN_CALLER);
    check_claims(WITH(",\"azp\":\"x\",\"resource_access\":{\"gateway\":{\"roles\":[\"gateway\"]}}"),
                 ABDM_E_TOKEN_CALLER);
    check_claims(WITH(",\"azp\":\"x\",\"realm_access\":{\"roles\":[\"gateway2\",\"\"]}"),
                 ABDM_E_TOKEN_CALLER);
    check_claims(WITH(",\"azp\":\"x\",\"realm_access\":{}"), ABDM_E_TOKEN_CALLER);
    check_claims(WITH(",\"azp\":\"x\",\"scope\":\"gateway\""), ABDM_E_TOKEN_CALLER);
}


static void
our_own_token_never_opens_our_door(void **state)
{
    (void) state;
    check_claims(WITH(",\"azp\":\"SBXID_000001\""), ABDM_E_TOKEN_CALLER);
    check_claims(WITH(",\"azp\":\"SBXID_000001\"," ROLE), ABDM_E_TOKEN_CALLER);
    check_claims(WITH(",\"azp\":\"sbxid_000001\"," ROLE), ABDM_E_TOKEN_CALLER);
    check_claims(WITH(",\"clientId\":\"SBXID_000001\"," ROLE), ABDM_E_TOKEN_CALLER);
    check_claims(WITH(",\"azp\":\"gateway\",\"clientId\":\"SBXID_000001\""), ABDM_E_TOKEN_CALLER);

    abdm_str_t with_own[] = {ABDM_LIT("gateway"), ABDM_LIT("SBXID_000001")};
    policy.callers = with_own;
    check_claims(WITH(",\"azp\":\"SBXID_000001\""), ABDM_E_TOKEN_CALLER);
    policy.callers = callers;
}


static void
without_a_caller_rule_nobody_may_call(void **state)
{
    abdm_token_policy_t before = policy;

    (void) state;
    policy.role = ABDM_LIT("");
    check_claims(WITH(",\"azp\":\"svc\"," ROLE), ABDM_E_TOKEN_CALLER);
    check_claims(WITH(",\"azp\":\"svc\",\"realm_access\":{\"roles\":[\"\"]}"), ABDM_E_TOKEN_CALLER);
    check_claims(WITH(",\"azp\":\"gateway\""), ABDM_OK);
    policy.n_callers = 0;
    check_claims(WITH(",\"azp\":\"gateway\""), ABDM_E_TOKEN_CALLER);
    check_claims(WITH(""), ABDM_E_TOKEN_CALLER);
    policy = before;
}


static void
claims_of_the_wrong_type_are_refused(void **state)
{
    static const char *const bad[] = {
        WITH(",\"azp\":null," ROLE),
        WITH(",\"azp\":7," ROLE),
        WITH(",\"azp\":\"\"," ROLE),
        WITH(",\"azp\":[\"gateway\"]"),
        WITH(",\"azp\":\"gate\\nway\"," ROLE),
        WITH(",\"azp\":\"g\\u00e4teway\"," ROLE),
        WITH(",\"azp\":\"gateway\",\"clientId\":{}"),
        WITH(",\"azp\":\"gateway\",\"realm_access\":[]"),
        WITH(",\"azp\":\"gateway\",\"realm_access\":{\"roles\":\"gateway\"}"),
        WITH(",\"azp\":\"gateway\",\"realm_access\":{\"roles\":[7]}"),
        WITH(",\"azp\":\"gateway\",\"realm_access\":\"gateway\""),
        WITH(",\"azp\":\"x\",\"azp\":\"gateway\""),
        WITH(",\"azp\":\"gateway\\u0000\""),
        WITH(",\"azp\":\"gateway\",\"x\":\"\xff\""),
        WITH(",\"azp\":\"gateway\",\"x\":\"\\ud800\""),
    };
    char payload[512], azp[200];

    (void) state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        check_claims(bad[i], ABDM_E_TOKEN_CLAIMS);
    for (int roles = 256; roles <= 257; roles++) {
        abdm_buf_t b = {0};
        abdm_buf_addz(&b, "{\"exp\":1772703611,\"iss\":\"" ISSUER "\",\"azp\":\"gateway\","
                          "\"realm_access\":{\"roles\":[\"\"");
        for (int i = 1; i < roles; i++)
            abdm_buf_addz(&b, ",\"r\"");
        abdm_buf_addz(&b, "]}}");
        char *text = abdm_buf_take(&b);
        assert_non_null(text);
        check_claims(text, roles == 256 ? ABDM_OK : ABDM_E_TOKEN_CLAIMS);
        free(text);
    }
    memset(azp, 'a', sizeof azp);
    for (int len = ABDM_TOKEN_AZP; len <= ABDM_TOKEN_AZP + 1; len++) {
        snprintf(payload, sizeof payload, WITH(",\"azp\":\"%.*s\"," ROLE), len, azp);
        check_claims(payload, len == ABDM_TOKEN_AZP ? ABDM_OK : ABDM_E_TOKEN_CLAIMS);
    }
}


static void
other_kinds_of_token_of_the_same_issuer_are_refused(void **state)
{
    static const char *const kinds[] = {"\"Refresh\"", "\"ID\"", "\"Offline\"", "\"Logout\"",
                                        "\"bearer\"",  "\"\"",   "null",        "7"};
    char payload[256];

    (void) state;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        snprintf(payload, sizeof payload, WITH(",\"azp\":\"gateway\",\"typ\":%s"), kinds[i]);
        check_claims(payload, ABDM_E_TOKEN_CLAIMS);
    }
    /* An ABHA user's token: same form, another holder. */
    check_claims(WITH(",\"sub\":\"91-0000-0000-0000\",\"clientId\":\"abha-profile-app\","
                      "\"system\":\"ABHA-N\",\"typ\":\"Transaction\""),
                 ABDM_E_TOKEN_CLAIMS);
}


static void
an_audience_must_be_account_or_us(void **state)
{
    static const struct {
        const char *aud;
        abdm_code_t code;
    } rows[] = {
        {"\"account\"", ABDM_OK},
        {"\"SBXID_000001\"", ABDM_OK},
        {"[\"x\",\"account\"]", ABDM_OK},
        {"[\"account\",\"x\"]", ABDM_OK},
        {"[\"SBXID_000001\"]", ABDM_OK},
        {"\"Account\"", ABDM_E_TOKEN_AUDIENCE},
        {"\"\"", ABDM_E_TOKEN_AUDIENCE},
        {"\"SBXID_000099\"", ABDM_E_TOKEN_AUDIENCE},
        {"[]", ABDM_E_TOKEN_AUDIENCE},
        {"[\"\"]", ABDM_E_TOKEN_AUDIENCE},
        {"[\"x\"]", ABDM_E_TOKEN_AUDIENCE},
        {"null", ABDM_E_TOKEN_CLAIMS},
        {"7", ABDM_E_TOKEN_CLAIMS},
        {"{\"account\":1}", ABDM_E_TOKEN_CLAIMS},
        {"[7,\"account\"]", ABDM_E_TOKEN_CLAIMS},
        {"[[\"account\"]]", ABDM_E_TOKEN_CLAIMS},
        {"[1,2,3,4,5,6,7,8,9,0,1,2,3,4,5,6,7]", ABDM_E_TOKEN_CLAIMS},
    };
    char payload[256];

    (void) state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        snprintf(payload, sizeof payload, WITH(",\"azp\":\"gateway\",\"aud\":%s"), rows[i].aud);
        check_claims(payload, rows[i].code);
    }
    policy.client_id = ABDM_LIT("");
    check_claims(WITH(",\"azp\":\"gateway\",\"aud\":\"\""), ABDM_E_TOKEN_AUDIENCE);
    check_claims(WITH(",\"azp\":\"gateway\",\"aud\":[\"\"]"), ABDM_E_TOKEN_AUDIENCE);
    check_claims(WITH(",\"azp\":\"gateway\",\"aud\":\"account\""), ABDM_OK);
    policy.client_id = ABDM_LIT("SBXID_000001");
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_genuine_token_is_accepted_and_its_claims_given),
        cmocka_unit_test(rs512_is_accepted_from_a_key_that_is_published_for_it),
        cmocka_unit_test(a_header_that_is_not_bearer_and_one_jwt_is_refused),
        cmocka_unit_test(an_altered_byte_anywhere_is_refused),
        cmocka_unit_test(only_rs256_and_rs512_are_algorithms),
        cmocka_unit_test(a_token_without_signature_is_refused_whatever_its_header),
        cmocka_unit_test(the_public_key_is_never_an_hmac_secret),
        cmocka_unit_test(a_key_that_the_token_brings_along_is_refused),
        cmocka_unit_test(a_kid_is_only_ever_compared),
        cmocka_unit_test(another_typ_than_jwt_is_refused),
        cmocka_unit_test(a_part_that_is_not_one_json_object_is_refused),
        cmocka_unit_test(a_token_beyond_8_kib_is_refused_before_its_parts_are_looked_at),
        cmocka_unit_test(only_the_exact_signature_verifies),
        cmocka_unit_test(only_the_exact_padding_verifies),
        cmocka_unit_test(a_token_signed_by_another_key_is_refused),
        cmocka_unit_test(without_keys_the_gateway_is_told_to_come_again),
        cmocka_unit_test(times_hold_at_their_edges),
        cmocka_unit_test(times_that_are_not_numbers_in_range_are_refused),
        cmocka_unit_test(a_token_outlives_2038_and_no_clock_wraps_it),
        cmocka_unit_test(only_listed_issuers_are_accepted),
        cmocka_unit_test(only_the_gateway_may_call),
        cmocka_unit_test(our_own_token_never_opens_our_door),
        cmocka_unit_test(without_a_caller_rule_nobody_may_call),
        cmocka_unit_test(claims_of_the_wrong_type_are_refused),
        cmocka_unit_test(other_kinds_of_token_of_the_same_issuer_are_refused),
        cmocka_unit_test(an_audience_must_be_account_or_us),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
