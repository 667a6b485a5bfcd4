/* Signatures of consents: every form that may be meant is verified, and nothing else is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "crypto/signature.h"
#include "sign_kit.h"

#define TEXT  "{ \"consentId\": \"c\" }"
#define SHORT "{\"consentId\":\"c\"}"

static const abdm_str_t forms[] = {{TEXT, sizeof(TEXT) - 1}, {SHORT, sizeof(SHORT) - 1}};


static abdm_signers_t *
signers_of(const char *path, const char *kid)
{
    char problem[ABDM_SIGNER_PROBLEM] = "";
    abdm_signers_t *signers = NULL;
    abdm_err_t err = abdm_signers_add(&signers, path, kid, problem);

    if (abdm_failed(err))
        fail_msg("%s", problem);
    return signers;
}


/* Takes the signature; `what`: the one form that may have been signed. */
static void
assert_is_over(const char *what, const abdm_signers_t *signers, char *signature, abdm_signed_t want)
{
    abdm_str_t form = abdm_str(what);
    abdm_signed_t got;

    assert_int_equal(abdm_signature_verify(signers, signature, &form, 1, &got).code, ABDM_OK);
    assert_int_equal(got, want);
    free(signature);
}


/* Takes the signature. */
static void
assert_is(const abdm_signers_t *signers, char *signature, abdm_signed_t want)
{
    abdm_signed_t got;

    assert_int_equal(abdm_signature_verify(signers, signature, forms, 2, &got).code, ABDM_OK);
    assert_int_equal(got, want);
    assert_int_equal(ERR_peek_error(), 0);
    free(signature);
}


static void
a_bare_signature_over_either_form_and_in_either_padding_is_verified(void **state)
{
    abdm_signers_t *signers = signers_of(write_public("bare.pem", cm_key), NULL);

    (void) state;
    for (int salt = -1; salt <= 222; salt += salt == -1 ? 1 : salt == 0 ? 32 : 190) {
        assert_is(signers, sign_bare(cm_key, salt, TEXT), ABDM_SIGNED_VERIFIED);
        assert_is(signers, sign_bare(cm_key, salt, SHORT), ABDM_SIGNED_VERIFIED);
        assert_is(signers, sign_bare(cm_key, salt, SHORT " "), ABDM_SIGNED_WRONG);
        assert_is(signers, sign_bare(other_key, salt, TEXT), ABDM_SIGNED_WRONG);
    }
    abdm_signers_free(signers);
}


static void
absent_signatures_and_absent_keys_are_told_apart(void **state)
{
    abdm_signers_t *signers = signers_of(write_public("absent.pem", cm_key), NULL);

    (void) state;
    assert_is(signers, NULL, ABDM_SIGNED_ABSENT);
    assert_is(signers, strdup(""), ABDM_SIGNED_ABSENT);
    assert_is(NULL, NULL, ABDM_SIGNED_ABSENT);
    assert_is(NULL, sign_bare(cm_key, -1, TEXT), ABDM_SIGNED_NO_KEY);
    abdm_signers_free(signers);
}


static void
garbage_does_not_verify(void **state)
{
    static const char *const texts[] = {
        "?", "=", "AAAA", "not base64 at all", ".", "..", "...", "a.b", "a.b.c", "eyJ9..AAAA",
        "e30..AAAA",
    };
    abdm_signers_t *signers = signers_of(write_public("garbage.pem", cm_key), NULL);
    char *cut = sign_bare(cm_key, -1, TEXT), *long_one = malloc(300001);

    (void) state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_is(signers, strdup(texts[i]), ABDM_SIGNED_WRONG);
    cut[strlen(cut) - 4] = '\0';
    assert_is(signers, cut, ABDM_SIGNED_WRONG);
    assert_non_null(long_one);
    memset(long_one, 'A', 300000);
    long_one[300000] = '\0';
    assert_is(signers, long_one, ABDM_SIGNED_WRONG);
    abdm_signers_free(signers);
}


static void
a_jws_is_verified_with_its_payload_and_without(void **state)
{
    static const struct {
        const char *header;
        int salt;
    } good[] = {{"{\"alg\":\"RS256\"}", -1}, {"{\"alg\":\"PS256\",\"typ\":\"JOSE\"}", 32}};
    abdm_signers_t *signers = signers_of(write_public("jws.pem", cm_key), NULL);

    (void) state;
    for (size_t i = 0; i < 2; i++) {
        const char *header = good[i].header;
        int salt = good[i].salt;

        assert_is(signers, sign_jws(cm_key, salt, header, TEXT, NULL), ABDM_SIGNED_VERIFIED);
        assert_is(signers, sign_jws(cm_key, salt, header, SHORT, NULL), ABDM_SIGNED_VERIFIED);
        assert_is(signers, sign_jws(cm_key, salt, header, TEXT, TEXT), ABDM_SIGNED_VERIFIED);
        assert_is(signers, sign_jws(cm_key, salt, header, SHORT, SHORT), ABDM_SIGNED_VERIFIED);
        /* signed by the right key, but about something else */
        assert_is(signers, sign_jws(cm_key, salt, header, "{}", "{}"), ABDM_SIGNED_WRONG);
        assert_is(signers, sign_jws(cm_key, salt, header, "{}", NULL), ABDM_SIGNED_WRONG);
        assert_is(signers, sign_jws(cm_key, salt, header, "{}", TEXT), ABDM_SIGNED_WRONG);
        assert_is(signers, sign_jws(cm_key, salt, header, TEXT, SHORT), ABDM_SIGNED_WRONG);
        assert_is(signers, sign_jws(other_key, salt, header, TEXT, NULL), ABDM_SIGNED_WRONG);
    }
    abdm_signers_free(signers);
}


static void
a_jws_payload_is_compared_in_the_alphabet_of_urls(void **state)
{
    static const char *const texts[] = {"", "?", "~~~?\?\?>>>"}; /* the last: fn5-Pz8_Pj4- */
    abdm_signers_t *signers = signers_of(write_public("url.pem", cm_key), NULL);

    (void) state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        const char *text = texts[i];
        char *whole = sign_jws(cm_key, -1, "{\"alg\":\"RS256\"}", text, text);

        assert_true(i < 2 || strstr(whole, ".fn5-Pz8_Pj4-.") != NULL);
        assert_is_over(text, signers, whole, ABDM_SIGNED_VERIFIED);
        assert_is_over("?>", signers, sign_jws(cm_key, -1, "{\"alg\":\"RS256\"}", text, NULL),
                       ABDM_SIGNED_WRONG);
    }
    abdm_signers_free(signers);
}


static void
a_jws_header_cannot_ask_for_anything_else(void **state)
{
    static const struct {
        const char *header;
        int salt;
    } bad[] = {
        {"{\"alg\":\"RS256\"}", 32},   {"{\"alg\":\"PS256\"}", -1},
        {"{\"alg\":\"none\"}", -1},    {"{\"alg\":\"HS256\"}", -1},
        {"{\"alg\":\"RS512\"}", -1},   {"{\"alg\":[\"RS256\"]}", -1},
        {"{}", -1},                    {"[]", -1},
        {"\"RS256\"", -1},             {"nonsense", -1},
        {"{\"alg\":\"RS256\",\"crit\":[\"b64\"],\"b64\":false}", -1},
        {"{\"alg\":\"RS256\",\"jwk\":{}}", -1},
        {"{\"alg\":\"RS256\",\"jku\":\"https://x\"}", -1},
        {"{\"alg\":\"RS256\",\"x5u\":\"https://x\"}", -1},
        {"{\"alg\":\"RS256\",\"x5c\":[]}", -1},
        {"{\"alg\":\"RS256\",\"zip\":\"DEF\"}", -1},
        {"{\"alg\":\"RS256\",\"b64\":true}", -1},
    };
    abdm_signers_t *signers = signers_of(write_public("header.pem", cm_key), NULL);
    char large[2048];

    (void) state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_is(signers, sign_jws(cm_key, bad[i].salt, bad[i].header, TEXT, NULL),
                  ABDM_SIGNED_WRONG);
    snprintf(large, sizeof(large), "{\"alg\":\"RS256\",\"x\":\"%01500d\"}", 0);
    assert_is(signers, sign_jws(cm_key, -1, large, TEXT, NULL), ABDM_SIGNED_WRONG);
    abdm_signers_free(signers);
}


static void
a_key_with_a_name_serves_signatures_that_name_it_or_none(void **state)
{
    abdm_signers_t *signers = signers_of(write_public("kid.pem", cm_key), "cm-1");
    char problem[ABDM_SIGNER_PROBLEM];

    (void) state;
#define WITH(kid) "{\"alg\":\"RS256\",\"kid\":" kid "}"
    assert_is(signers, sign_jws(cm_key, -1, WITH("\"cm-1\""), TEXT, NULL), ABDM_SIGNED_VERIFIED);
    assert_is(signers, sign_jws(cm_key, -1, WITH("\"cm-2\""), TEXT, NULL), ABDM_SIGNED_WRONG);
    assert_is(signers, sign_jws(cm_key, -1, WITH("7"), TEXT, NULL), ABDM_SIGNED_VERIFIED);
    assert_is(signers, sign_bare(cm_key, -1, TEXT), ABDM_SIGNED_VERIFIED);
    assert_is(signers, sign_jws(other_key, -1, WITH("\"cm-2\""), TEXT, NULL), ABDM_SIGNED_WRONG);

    assert_int_equal(
        abdm_signers_add(&signers, write_public("any.pem", other_key), NULL, problem).code,
        ABDM_OK);
    assert_is(signers, sign_jws(other_key, -1, WITH("\"cm-2\""), TEXT, NULL),
              ABDM_SIGNED_VERIFIED);
    assert_is(signers, sign_bare(other_key, 32, SHORT), ABDM_SIGNED_VERIFIED);
    abdm_signers_free(signers);
}


static void
certificates_and_several_keys_of_a_file_are_taken(void **state)
{
    abdm_signers_t *signers;

    (void) state;
    (void) write_public("several.pem", other_key);
    signers = signers_of(write_certificate("several.pem", cm_key), NULL);
    assert_is(signers, sign_bare(cm_key, -1, TEXT), ABDM_SIGNED_VERIFIED);
    assert_is(signers, sign_bare(other_key, -1, TEXT), ABDM_SIGNED_VERIFIED);
    abdm_signers_free(signers);
}


static void
assert_no_key(const char *path, const char *fault)
{
    char problem[ABDM_SIGNER_PROBLEM] = "";
    abdm_signers_t *signers = NULL;

    assert_int_equal(abdm_signers_add(&signers, path, "k", problem).code, ABDM_E_CONFIG);
    if (strstr(problem, path) == NULL || strstr(problem, fault) == NULL)
        fail_msg("\"%s\" does not tell \"%s\" of %s", problem, fault, path);
    assert_int_equal(ERR_peek_error(), 0);
    abdm_signers_free(signers);
}


/* A public key of 8200 bits; making a pair of that length takes minutes. */
static EVP_PKEY *
vast_key(void)
{
    unsigned char n[1025], e[] = {1, 0, 1};
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_BN("n", n, sizeof(n)),
        OSSL_PARAM_construct_BN("e", e, sizeof(e)),
        OSSL_PARAM_construct_end(),
    };
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    EVP_PKEY *key = NULL;

    memset(n, 0xff, sizeof(n));
    assert_int_equal(EVP_PKEY_fromdata_init(ctx), 1);
    assert_int_equal(EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params), 1);
    EVP_PKEY_CTX_free(ctx);
    return key;
}


static void
a_file_that_holds_no_such_key_is_refused_by_name(void **state)
{
    EVP_PKEY *ec = EVP_EC_gen("P-256"), *small = EVP_RSA_gen(1024), *vast = vast_key();
    const char *path;
    char text[4096] = "";
    FILE *f;

    (void) state;
    assert_no_key(sign_path("nowhere.pem"), "cannot be read");
    assert_no_key(write_text("empty.pem", ""), "no PEM block");
    assert_no_key(write_text("words.pem", "a key, really\n"), "no PEM block");
    assert_no_key(write_text("block.pem", "-----BEGIN PUBLIC KEY-----\nAAAA\n"
                                          "-----END PUBLIC KEY-----\n"),
                  "RSA");
    assert_no_key(write_public("ec.pem", ec), "RSA");
    assert_no_key(write_public("small.pem", small), "2048");
    assert_no_key(write_public("vast.pem", vast), "8192");
    path = sign_path("private.pem");
    f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(PEM_write_PrivateKey(f, cm_key, NULL, NULL, 0, NULL, NULL), 1);
    fclose(f);
    assert_no_key(path, "public");

    path = write_public("cut.pem", cm_key);
    f = fopen(path, "r");
    assert_non_null(f);
    assert_true(fread(text, 1, sizeof(text) - 1, f) > 100);
    fclose(f);
    text[strlen(text) - 40] = '\0';
    assert_no_key(write_text("cut.pem", text), "not whole");
    EVP_PKEY_free(ec);
    EVP_PKEY_free(small);
    EVP_PKEY_free(vast);
}


static void
there_is_a_limit_of_keys(void **state)
{
    char problem[ABDM_SIGNER_PROBLEM];
    abdm_signers_t *signers = NULL;
    const char *path = write_public("limit.pem", cm_key);

    (void) state;
    for (int i = 0; i < ABDM_SIGNERS_MAX; i++)
        assert_int_equal(abdm_signers_add(&signers, path, "k", problem).code, ABDM_OK);
    assert_int_equal(abdm_signers_add(&signers, path, "k", problem).code, ABDM_E_CONFIG);
    assert_non_null(strstr(problem, "more than 16"));
    abdm_signers_free(signers);
    abdm_signers_free(NULL);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bare_signature_over_either_form_and_in_either_padding_is_verified),
        cmocka_unit_test(absent_signatures_and_absent_keys_are_told_apart),
        cmocka_unit_test(garbage_does_not_verify),
        cmocka_unit_test(a_jws_is_verified_with_its_payload_and_without),
        cmocka_unit_test(a_jws_payload_is_compared_in_the_alphabet_of_urls),
        cmocka_unit_test(a_jws_header_cannot_ask_for_anything_else),
        cmocka_unit_test(a_key_with_a_name_serves_signatures_that_name_it_or_none),
        cmocka_unit_test(certificates_and_several_keys_of_a_file_are_taken),
        cmocka_unit_test(a_file_that_holds_no_such_key_is_refused_by_name),
        cmocka_unit_test(there_is_a_limit_of_keys),
    };

    return cmocka_run_group_tests(tests, sign_kit_open, sign_kit_close);
}
