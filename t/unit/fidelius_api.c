/* Fidelius for programs that link the library: base64 in, base64 out, and each bad input by its name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "abdm_fidelius.h"

typedef struct {
    abdm_key_material_t sender, requester;
    abdm_fidelius_exchange_t out, in; /* as the sender and as the requester sees it */
} sides_t;


static void
meet(sides_t *s)
{
    assert_int_equal(abdm_fidelius_key_material(&s->sender).code, ABDM_OK);
    assert_int_equal(abdm_fidelius_key_material(&s->requester).code, ABDM_OK);
    s->out = (abdm_fidelius_exchange_t){s->sender.private_key, s->sender.nonce,
                                        s->requester.public_key, s->requester.nonce};
    s->in = (abdm_fidelius_exchange_t){s->requester.private_key, s->requester.nonce,
                                       s->sender.x509_public_key, s->sender.nonce};
}


static void
what_one_side_encrypts_the_other_decrypts(void **state)
{
    static const char *const texts[] = {"", "a clinical note", "\xe0\xa4\x94\xe0\xa4\xb7\xe0\xa4\xa7"};
    sides_t s;

    (void) state;
    meet(&s);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        char *content, *plain;
        size_t len;

        assert_int_equal(
            abdm_fidelius_encrypt_bytes(&s.out, texts[i], strlen(texts[i]), &content).code, ABDM_OK);
        assert_int_equal(
            abdm_fidelius_decrypt_bytes(&s.in, content, strlen(content), &plain, &len).code, ABDM_OK);
        assert_int_equal(len, strlen(texts[i]));
        assert_string_equal(plain, texts[i]);
        abdm_fidelius_free(plain, len);
        abdm_fidelius_free(content, strlen(content));
    }
    abdm_fidelius_free(NULL, 0);
}


static void
text_in_base64_is_encrypted_as_the_bytes_it_stands_for(void **state)
{
    char *content, *plain;
    size_t len;
    sides_t s;

    (void) state;
    meet(&s);
    assert_int_equal(abdm_fidelius_encrypt_base64(&s.out, "AAEC/w==", &content).code, ABDM_OK);
    assert_int_equal(
        abdm_fidelius_decrypt_bytes(&s.in, content, strlen(content), &plain, &len).code, ABDM_OK);
    assert_int_equal(len, 4);
    assert_memory_equal(plain, "\0\1\2\xff", 4);
    abdm_fidelius_free(plain, len);
    abdm_fidelius_free(content, strlen(content));

    assert_int_equal(abdm_fidelius_encrypt_base64(&s.out, "AAEC/w", &content).code, ABDM_E_FIELD);
    assert_null(content);
}


static void
assert_refused(const abdm_fidelius_exchange_t *x, const char *name)
{
    char *content = (char *) name, *plain = (char *) name;
    abdm_err_t err = abdm_fidelius_encrypt_bytes(x, "note", 4, &content);
    size_t len;

    assert_int_equal(err.code, ABDM_E_KEY_MATERIAL);
    assert_non_null(strstr(err.what, name));
    assert_null(content);
    err = abdm_fidelius_decrypt_bytes(x, "AAAA", 4, &plain, &len);
    assert_int_equal(err.code, ABDM_E_KEY_MATERIAL);
    assert_non_null(strstr(err.what, name));
    assert_null(plain);
}


static void
each_key_and_nonce_that_is_not_one_is_refused_by_name(void **state)
{
    abdm_fidelius_exchange_t bad;
    sides_t s;

    (void) state;
    meet(&s);
    bad = s.out;
    bad.own_private_key = "AA==";
    assert_refused(&bad, "private key");
    bad = s.out;
    bad.peer_public_key = "AA==";
    assert_refused(&bad, "public key");
    bad = s.out;
    bad.own_nonce = "AA==";
    assert_refused(&bad, "own nonce");
    bad = s.out;
    bad.peer_nonce = s.requester.public_key;
    assert_refused(&bad, "peer's nonce");
}


static void
content_of_another_exchange_gives_nothing(void **state)
{
    char *content, *plain;
    sides_t s, other;
    size_t len;

    (void) state;
    meet(&s);
    meet(&other);
    assert_int_equal(abdm_fidelius_encrypt_bytes(&s.out, "note", 4, &content).code, ABDM_OK);
    assert_int_equal(
        abdm_fidelius_decrypt_bytes(&other.in, content, strlen(content), &plain, &len).code,
        ABDM_E_DECRYPT);
    assert_null(plain);
    abdm_fidelius_free(content, strlen(content));
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_one_side_encrypts_the_other_decrypts),
        cmocka_unit_test(text_in_base64_is_encrypted_as_the_bytes_it_stands_for),
        cmocka_unit_test(each_key_and_nonce_that_is_not_one_is_refused_by_name),
        cmocka_unit_test(content_of_another_exchange_gives_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
