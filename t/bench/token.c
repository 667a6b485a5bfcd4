/*
 * What the front door's token check costs, against bare RSA-2048 verification by OpenSSL in the
 * same run on the same machine. One line per figure, tab-separated: name, value, unit,
 * reference, ratio (value to reference). Rates are per second of one thread's CPU time, the
 * best of several rounds, which is the one least disturbed by neighbours.
 */
#include <stdint.h>
#include <time.h>

#include "../unit/jwt_kit.h"
#include "token/cache.h"

enum { ROUNDS = 7, ROUND_MS = 200 };

static const char header[] = "{\"alg\":\"RS256\",\"typ\":\"JWT\",\"kid\":\"k\"}";
static const char claims_text[] =
    "{\"exp\":1772703611,\"iat\":1772702411,\"jti\":\"0b3bb0d9-3c6c-4d1f-9a43-6b1f4e0d7c11\","
    "\"iss\":\"https://dev.abdm.example/auth/realms/central-registry\",\"aud\":\"account\","
    "\"sub\":\"e5a1d6a6-8f2e-4f44-9a4d-9b7a3f4d2f10\",\"typ\":\"Bearer\",\"azp\":\"gateway\","
    "\"acr\":\"1\",\"allowed-origins\":[\"http://localhost:9007\"],\"realm_access\":{\"roles\":["
    "\"gateway\",\"offline_access\",\"uma_authorization\",\"OIDC\"]},\"resource_access\":{"
    "\"account\":{\"roles\":[\"manage-account\",\"manage-account-links\",\"view-profile\"]}},"
    "\"scope\":\"openid email profile\",\"clientHost\":\"10.0.0.1\",\"clientId\":\"gateway\","
    "\"email_verified\":false,\"preferred_username\":\"service-account-gateway\","
    "\"clientAddress\":\"10.0.0.1\"}";
static const abdm_ms_t now = 1772702411000;

typedef struct {
    abdm_token_policy_t policy;
    abdm_jwks_t *keys;
    abdm_token_cache_t *cache;
    abdm_str_t authorization;
    EVP_PKEY_CTX *raw;
    uint8_t digest[32];
    uint8_t signature[256];
} bench_t;


static bool
raw_rsa(bench_t *b)
{
    return EVP_PKEY_verify(b->raw, b->signature, sizeof b->signature, b->digest,
                           sizeof b->digest) == 1;
}


static bool
verify(bench_t *b)
{
    abdm_token_claims_t claims;

    return !abdm_failed(abdm_token_verify(&b->policy, b->keys, b->authorization, now, &claims));
}


static bool
verify_with_cache(bench_t *b)
{
    abdm_token_claims_t claims;

    if (abdm_token_cache_get(b->cache, b->authorization, now, 1, &b->policy, &claims))
        return true;
    if (abdm_failed(abdm_token_verify(&b->policy, b->keys, b->authorization, now, &claims)))
        return false;
    abdm_token_cache_put(b->cache, b->authorization, now, 1, &b->policy, &claims);
    return true;
}


static double
cpu_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (double) ts.tv_sec * 1e3 + (double) ts.tv_nsec / 1e6;
}


static double
rate(bench_t *b, bool (*work)(bench_t *))
{
    double best = 0;

    for (int round = 0; round < ROUNDS; round++) {
        double start = cpu_ms(), spent;
        long n = 0;
        do {
            for (int i = 0; i < 100; i++, n++) {
                if (!work(b)) {
                    fprintf(stderr, "bench token: a genuine token was refused\n");
                    exit(1);
                }
            }
            spent = cpu_ms() - start;
        } while (spent < ROUND_MS);
        if ((double) n / spent * 1e3 > best)
            best = (double) n / spent * 1e3;
    }
    return best;
}


static void
set_up(bench_t *b, EVP_PKEY *key)
{
    static const abdm_str_t issuer = {"https://dev.abdm.example/auth/realms/central-registry", 53};
    static const abdm_str_t caller = {"gateway", 7};
    abdm_buf_t jwks = {0};
    size_t len;

    b->policy = (abdm_token_policy_t){.issuers = &issuer,
                                      .n_issuers = 1,
                                      .callers = &caller,
                                      .n_callers = 1,
                                      .role = ABDM_LIT("gateway"),
                                      .client_id = ABDM_LIT("SBXID_000001"),
                                      .leeway_ms = ABDM_TOKEN_LEEWAY_MS};
    abdm_buf_addz(&jwks, "{\"keys\":[");
    kit_jwk(&jwks, "k", key, ",\"alg\":\"RS256\"");
    abdm_buf_addz(&jwks, "]}");
    if (abdm_failed(abdm_jwks_parse(jwks.p, jwks.len, &b->keys)) ||
        abdm_failed(abdm_token_cache_new(1024, &b->cache)))
        kit_need(NULL, "keys or cache");
    abdm_buf_free(&jwks);

    char *bearer = kit_bearer(header, claims_text, key, EVP_sha256());
    b->authorization = abdm_str(bearer);
    char *sig = strrchr(bearer, '.');
    b->raw = kit_need(EVP_PKEY_CTX_new(key, NULL), "context");
    if (EVP_Digest(bearer + 7, (size_t) (sig - bearer) - 7, b->digest, NULL, EVP_sha256(), NULL) !=
            1 ||
        !abdm_base64url_decode(abdm_str(sig + 1), b->signature, sizeof b->signature, &len) ||
        EVP_PKEY_verify_init(b->raw) != 1 ||
        EVP_PKEY_CTX_set_rsa_padding(b->raw, RSA_PKCS1_PADDING) != 1 ||
        EVP_PKEY_CTX_set_signature_md(b->raw, EVP_sha256()) != 1)
        kit_need(NULL, "reference");
}


int
main(void)
{
    bench_t b = {0};
    EVP_PKEY *key = kit_key();

    set_up(&b, key);
    double raw = rate(&b, raw_rsa);
    double plain = rate(&b, verify);
    double cached = rate(&b, verify_with_cache);
    printf("token_verify\t%.0f\t1/s\tEVP_PKEY_verify RSA-2048 %.0f\t%.2f\n", plain, raw,
           plain / raw);
    printf("token_verify_cached\t%.0f\t1/s\tEVP_PKEY_verify RSA-2048 %.0f\t%.2f\n", cached, raw,
           cached / raw);

    abdm_token_cache_free(b.cache);
    abdm_jwks_free(b.keys);
    free((char *) b.authorization.p);
    EVP_PKEY_CTX_free(b.raw);
    EVP_PKEY_free(key);
    return 0;
}
