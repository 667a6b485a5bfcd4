/* Content of Fidelius against vectors of fidelius-cli and against OpenSSL in one shot. */
#include <jansson.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "fidelius_help.h"
#include "fidelius_vectors.h"

#define VECTORS_FILE "../shared/crypto/vectors.json"


static abdm_source_t *
source_of(const void *p, size_t len)
{
    abdm_buf_t b = {0};
    abdm_source_t *s;

    abdm_buf_add(&b, p, len);
    s = abdm_source_take_buf(&b);
    assert_non_null(s);
    return s;
}


/* X and Y of the point of order 2: abdm_public_key_decode lets it through nowhere. */
static const uint8_t small_order[64] = {
    0x2a, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa,
    0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xad, 0x24, 0x51,
};


/* --- vectors --- */

static void
check_vector(const vector_t *v, const char *requester_public, const char *sender_public)
{
    abdm_key_pair_t sender = import(v->sender_private), requester = import(v->requester_private);
    abdm_public_key_t to = public_key(requester_public), from = public_key(sender_public);
    uint8_t sender_nonce[32], requester_nonce[32], secret[32];
    abdm_buf_t plain = bytes_of(v->plain), want = bytes_of(v->secret), content = {0}, back = {0};
    abdm_source_t *stream;

    assert_ok(abdm_nonce_decode(abdm_str(v->sender_nonce), sender_nonce));
    assert_ok(abdm_nonce_decode(abdm_str(v->requester_nonce), requester_nonce));

    /* Y is one of two; X is fidelius-cli's. */
    assert_memory_equal(sender.point, from.point, 33);
    assert_memory_equal(requester.point, to.point, 33);

    assert_ok(abdm_fidelius_secret(&sender, &to, secret));
    assert_memory_equal(secret, want.p, 32);
    assert_ok(abdm_fidelius_secret(&requester, &from, secret));
    assert_memory_equal(secret, want.p, 32);

    assert_ok(abdm_fidelius_encrypt_with(&sender, sender_nonce, &to, requester_nonce,
                                         source_of(plain.p, plain.len), &stream));
    assert_int_equal(stream->length, strlen(v->content));
    assert_ok(abdm_source_read_all(stream, SIZE_MAX, &content));
    assert_int_equal(content.len, strlen(v->content));
    assert_memory_equal(content.p, v->content, content.len);

    assert_ok(abdm_fidelius_decrypt(&requester, requester_nonce, &from, sender_nonce,
                                    abdm_str(v->content), &back));
    assert_int_equal(back.len, plain.len);
    if (plain.len != 0)
        assert_memory_equal(back.p, plain.p, plain.len);

    abdm_source_close(stream);
    abdm_buf_free(&plain);
    abdm_buf_free(&want);
    abdm_buf_free(&content);
    abdm_buf_free(&back);
}


static void
kept_vectors_agree_in_both_directions(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof(kept_vectors) / sizeof(*kept_vectors); i++)
        check_vector(&kept_vectors[i], kept_vectors[i].requester_public,
                     kept_vectors[i].sender_public);
}


static const char *
text_at(const json_t *object, const char *key)
{
    const char *z = json_string_value(json_object_get(object, key));
    assert_non_null(z);
    return z;
}


static void
all_vectors_agree_with_points_and_with_x509(void **state)
{
    json_t *all = json_load_file(VECTORS_FILE, 0, NULL), *o;
    size_t i;

    (void) state;
    if (all == NULL)
        return; /* skip() would count as a failure in TAP */
    assert_true(json_array_size(all) > 10);
    json_array_foreach(all, i, o) {
        vector_t v = {
            text_at(o, "name"),
            text_at(o, "senderPrivateKey"), text_at(o, "senderPublicKey"),
            text_at(o, "senderNonce"),
            text_at(o, "requesterPrivateKey"), text_at(o, "requesterPublicKey"),
            text_at(o, "requesterNonce"),
            text_at(o, "sharedSecret"), text_at(o, "plaintext"), text_at(o, "ciphertext"),
        };
        char text[ABDM_KEY_TEXT];

        check_vector(&v, v.requester_public, v.sender_public);
        check_vector(&v, text_at(o, "requesterX509PublicKey"), text_at(o, "senderX509PublicKey"));

        abdm_public_key_encode(public_key(v.sender_public).point, ABDM_KEY_X509, text);
        assert_string_equal(text, text_at(o, "senderX509PublicKey"));
        abdm_public_key_encode(public_key(text).point, ABDM_KEY_RAW, text);
        assert_string_equal(text, v.sender_public);
    }
    json_decref(all);
}


/* --- content --- */

typedef struct {
    abdm_key_pair_t sender, requester;
    abdm_public_key_t from, to;
    uint8_t sender_nonce[32], requester_nonce[32];
} exchange_t;


static exchange_t
exchange_new(void)
{
    exchange_t x;

    assert_ok(abdm_key_pair_generate(&x.sender));
    assert_ok(abdm_key_pair_generate(&x.requester));
    assert_ok(abdm_nonce_generate(x.sender_nonce));
    assert_ok(abdm_nonce_generate(x.requester_nonce));
    memcpy(x.from.point, x.sender.point, ABDM_POINT_LEN);
    memcpy(x.to.point, x.requester.point, ABDM_POINT_LEN);
    return x;
}


/* base64(AES-256-GCM) with OpenSSL alone, from a secret of any length. */
static abdm_buf_t
one_shot(const exchange_t *x, const uint8_t *secret, size_t secret_len, const uint8_t *plain,
         size_t len)
{
    uint8_t mix[32], prk[32], key[32], *raw = malloc(len + 16);
    EVP_CIPHER_CTX *gcm = EVP_CIPHER_CTX_new();
    abdm_buf_t out = {0};
    int n;

    assert_non_null(raw);
    for (int i = 0; i < 32; i++)
        mix[i] = x->sender_nonce[i] ^ x->requester_nonce[i];
    assert_non_null(HMAC(EVP_sha256(), mix, 20, secret, secret_len, prk, NULL));
    assert_non_null(HMAC(EVP_sha256(), prk, 32, (const uint8_t *) "\1", 1, key, NULL));
    assert_int_equal(EVP_EncryptInit_ex(gcm, EVP_aes_256_gcm(), NULL, key, mix + 20), 1);
    assert_int_equal(EVP_EncryptUpdate(gcm, raw, &n, plain, (int) len), 1);
    assert_int_equal(EVP_EncryptFinal_ex(gcm, raw + len, &n), 1);
    assert_int_equal(EVP_CIPHER_CTX_ctrl(gcm, EVP_CTRL_AEAD_GET_TAG, 16, raw + len), 1);
    assert_true(abdm_buf_reserve(&out, (len + 18) / 3 * 4 + 1));
    out.len = (size_t) EVP_EncodeBlock((uint8_t *) out.p, raw, (int) len + 16);
    EVP_CIPHER_CTX_free(gcm);
    free(raw);
    return out;
}


/* A source that gives at most `step` bytes at a time and may lie about its length. */
typedef struct {
    abdm_source_t base;
    const uint8_t *p;
    size_t left, step;
    int *closed;
} stepped_t;


static abdm_err_t
stepped_read(abdm_source_t *s, void *out, size_t cap, size_t *got)
{
    stepped_t *t = (stepped_t *) s;

    *got = t->left < t->step ? t->left : t->step;
    if (*got > cap)
        *got = cap;
    memcpy(out, t->p, *got);
    t->p += *got;
    t->left -= *got;
    return ABDM_NO_ERR;
}


static void
stepped_close(abdm_source_t *s)
{
    ++*((stepped_t *) s)->closed;
    free(s);
}


static abdm_source_t *
stepped_new(const uint8_t *p, size_t len, size_t stated, size_t step, int *closed)
{
    stepped_t *t = malloc(sizeof(*t));

    assert_non_null(t);
    *t = (stepped_t){{stated, stepped_read, stepped_close, NULL}, p, len, step, closed};
    return &t->base;
}


static void
a_stream_equals_one_shot_for_all_lengths_and_chunkings(void **state)
{
    static const size_t lengths[] = {0, 1, 2, 3, 15, 16, 17, 31, 32, 33, 47, 48, 49, 1000, 49136,
                                     49151, 49152, 49153, 49154, 49168, 98303, 98304, 98305,
                                     150001};
    static const size_t caps[] = {1, 3, 4, 5, 63, 4096, 65536, 65560, 300000};
    static const size_t steps[] = {1, 7, 48, 65536};
    exchange_t x = exchange_new();
    uint8_t secret[32], *plain = malloc(150001);

    (void) state;
    assert_non_null(plain);
    for (size_t i = 0; i < 150001; i++)
        plain[i] = (uint8_t) (i * i >> 3);
    assert_ok(abdm_fidelius_secret(&x.sender, &x.to, secret));

    for (size_t l = 0; l < sizeof(lengths) / sizeof(*lengths); l++) {
        abdm_buf_t want = one_shot(&x, secret, 32, plain, lengths[l]);
        char *got = malloc(want.len + 300000);

        assert_non_null(got);
        for (size_t c = 0; c < sizeof(caps) / sizeof(*caps); c++) {
            size_t step = steps[(l + c) % 4], n = 0, part;
            int closed = 0;
            abdm_source_t *s;

            assert_ok(abdm_fidelius_encrypt_with(
                &x.sender, x.sender_nonce, &x.to, x.requester_nonce,
                stepped_new(plain, lengths[l], lengths[l], step, &closed), &s));
            assert_int_equal(s->length, want.len);
            do {
                assert_ok(s->read(s, got + n, caps[c], &part));
                assert_true(part <= caps[c]);
                n += part;
            } while (part != 0 && n <= want.len);
            assert_int_equal(n, want.len);
            assert_memory_equal(got, want.p, n);
            assert_int_equal(closed, 0);
            abdm_source_close(s);
            assert_int_equal(closed, 1);
        }
        free(got);
        abdm_buf_free(&want);
    }
    free(plain);
}


static void
a_plaintext_of_another_length_than_stated_is_an_error(void **state)
{
    static const uint8_t plain[100000];
    static const size_t stated[] = {0, 99999, 100001, 49152, 200000};
    exchange_t x = exchange_new();

    (void) state;
    for (size_t i = 0; i < sizeof(stated) / sizeof(*stated); i++) {
        int closed = 0;
        abdm_source_t *s;
        abdm_buf_t out = {0};

        assert_ok(abdm_fidelius_encrypt_with(
            &x.sender, x.sender_nonce, &x.to, x.requester_nonce,
            stepped_new(plain, sizeof(plain), stated[i], 50000, &closed), &s));
        assert_int_equal(abdm_source_read_all(s, SIZE_MAX, &out).code, ABDM_E_INTERNAL);
        abdm_source_close(s);
        assert_int_equal(closed, 1);
        abdm_buf_free(&out);
    }
}


/* What there is, and then a fault. */
static abdm_err_t
broken_read(abdm_source_t *s, void *out, size_t cap, size_t *got)
{
    if (((stepped_t *) s)->left == 0)
        return ABDM_ERR(STORE, "the rest is gone");
    return stepped_read(s, out, cap, got);
}


static void
a_plaintext_that_fails_on_the_way_fails_its_page(void **state)
{
    static const uint8_t plain[1000];
    exchange_t x = exchange_new();

    (void) state;
    for (size_t stated = 1000; stated <= 1001; stated++) { /* at its end, and before */
        int closed = 0;
        abdm_source_t *source = stepped_new(plain, sizeof(plain), stated, 300, &closed), *s;
        abdm_buf_t out = {0};

        source->read = broken_read;
        assert_ok(abdm_fidelius_encrypt_with(&x.sender, x.sender_nonce, &x.to, x.requester_nonce,
                                             source, &s));
        assert_int_equal(abdm_source_read_all(s, SIZE_MAX, &out).code, ABDM_E_STORE);
        abdm_source_close(s);
        assert_int_equal(closed, 1);
        abdm_buf_free(&out);
    }
}


static void
a_failed_start_closes_the_plaintext(void **state)
{
    exchange_t x = exchange_new();
    abdm_public_key_t unchecked = {{4}};
    abdm_fidelius_sender_t sender;
    abdm_source_t *s;
    int closed = 0;

    (void) state;
    assert_int_equal(abdm_fidelius_encrypt(NULL, &x.to, x.requester_nonce,
                                           stepped_new(NULL, 0, SIZE_MAX, 1, &closed), &sender,
                                           &s).code,
                     ABDM_E_RECORD_TOO_LARGE);
    assert_int_equal(closed, 1);
    assert_null(s);
    assert_int_equal(abdm_fidelius_encrypt(NULL, &x.to, x.requester_nonce, NULL, &sender, &s).code,
                     ABDM_E_MEMORY);
    assert_int_equal(abdm_fidelius_encrypt_with(&x.sender, x.sender_nonce, &x.to, x.requester_nonce,
                                                NULL, &s).code,
                     ABDM_E_MEMORY);
    memcpy(unchecked.point + 1, small_order, sizeof(small_order));
    assert_int_equal(abdm_fidelius_encrypt(NULL, &unchecked, x.requester_nonce,
                                           stepped_new(NULL, 0, 0, 1, &closed), &sender, &s).code,
                     ABDM_E_CRYPTO);
    assert_int_equal(closed, 2);
    assert_null(s);
}


static void
any_changed_bit_makes_decryption_fail_and_give_nothing(void **state)
{
    exchange_t x = exchange_new();
    uint8_t secret[32], raw[64], nonce[32];
    abdm_buf_t content, out = {0};
    abdm_public_key_t other;
    size_t len;

    (void) state;
    assert_ok(abdm_fidelius_secret(&x.sender, &x.to, secret));
    content = one_shot(&x, secret, 32, (const uint8_t *) "a clinical note", 15);
    assert_true(abdm_base64_decode(abdm_buf_str(&content), raw, sizeof(raw), &len));
    abdm_buf_addz(&out, "before");
    assert_true(abdm_buf_reserve(&out, 2 * len));
    memset(out.p + out.len, 0, out.cap - out.len);

    for (size_t bit = 0; bit < len * 8; bit++) {
        char text[128];
        raw[bit / 8] ^= (uint8_t) (1 << bit % 8);
        abdm_str_t changed = {text, abdm_base64_encode(raw, len, text)};
        assert_int_equal(abdm_fidelius_decrypt(&x.requester, x.requester_nonce, &x.from,
                                               x.sender_nonce, changed, &out).code,
                         ABDM_E_DECRYPT);
        raw[bit / 8] ^= (uint8_t) (1 << bit % 8);
        assert_null(memmem(out.p, out.cap, "clinical", 8)); /* nor behind its end */
    }

    memcpy(nonce, x.sender_nonce, 32);
    nonce[31] ^= 1;
    assert_int_equal(abdm_fidelius_decrypt(&x.requester, x.requester_nonce, &x.from, nonce,
                                           abdm_buf_str(&content), &out).code,
                     ABDM_E_DECRYPT);
    other = public_key(BASE_POINT);
    assert_int_equal(abdm_fidelius_decrypt(&x.requester, x.requester_nonce, &other,
                                           x.sender_nonce, abdm_buf_str(&content), &out).code,
                     ABDM_E_DECRYPT);
    for (size_t cut = 0; cut < content.len; cut++)
        assert_int_equal(abdm_fidelius_decrypt(&x.requester, x.requester_nonce, &x.from,
                                               x.sender_nonce, (abdm_str_t){content.p, cut},
                                               &out).code,
                         ABDM_E_DECRYPT);

    /* Nor is a trace left that nginx would report as its own. */
    assert_int_equal(ERR_peek_error(), 0);
    assert_int_equal(out.len, 6);
    assert_ok(abdm_fidelius_decrypt(&x.requester, x.requester_nonce, &x.from, x.sender_nonce,
                                    abdm_buf_str(&content), &out));
    assert_int_equal(out.len, 21);
    assert_memory_equal(out.p, "beforea clinical note", 21);
    abdm_buf_free(&content);
    abdm_buf_free(&out);
}


static void
no_two_pages_share_a_key_or_a_nonce(void **state)
{
    enum { PAGES = 32 };
    exchange_t x = exchange_new();
    abdm_fidelius_sender_t sender[PAGES];

    (void) state;
    for (int i = 0; i < PAGES; i++) {
        abdm_source_t *s;

        assert_ok(abdm_fidelius_encrypt(NULL, &x.to, x.requester_nonce, source_of("x", 1),
                                        &sender[i], &s));
        abdm_source_close(s);
        for (int k = 0; k < i; k++) {
            assert_memory_not_equal(sender[i].nonce, sender[k].nonce, ABDM_NONCE_LEN);
            assert_memory_not_equal(sender[i].point, sender[k].point, ABDM_POINT_LEN);
        }
    }
}


static void
a_point_that_was_not_checked_opens_nothing(void **state)
{
    exchange_t x = exchange_new();
    abdm_public_key_t unchecked = {{4}};
    abdm_buf_t out = {0};

    (void) state;
    memcpy(unchecked.point + 1, small_order, sizeof(small_order));
    assert_int_equal(abdm_fidelius_decrypt(&x.requester, x.requester_nonce, &unchecked,
                                           x.sender_nonce, ABDM_LIT("AAAA"), &out).code,
                     ABDM_E_CRYPTO);
    assert_int_equal(out.len, 0);
}


/* --- secrets with a leading zero byte: 1 in 128 --- */

static void
encryption_never_uses_a_secret_that_starts_with_zero(void **state)
{
    exchange_t x = exchange_new();

    (void) state;
    for (int i = 0; i < 1500; i++) {
        abdm_fidelius_sender_t sender;
        abdm_public_key_t from;
        abdm_source_t *s;
        uint8_t secret[32];

        assert_ok(abdm_fidelius_encrypt(NULL, &x.to, x.requester_nonce, source_of("x", 1),
                                        &sender, &s));
        abdm_source_close(s);
        memcpy(from.point, sender.point, ABDM_POINT_LEN);
        assert_ok(abdm_fidelius_secret(&x.requester, &from, secret));
        assert_int_not_equal(secret[0], 0);
    }
}


static void
content_of_peers_that_strip_the_secret_opens(void **state)
{
    static const uint8_t plain[] = "stripped";
    int found = 0;

    (void) state;
    for (int i = 0; i < 4000 && found < 3; i++) {
        exchange_t x = exchange_new();
        uint8_t secret[32];
        abdm_buf_t stripped, whole, out = {0};
        size_t skip = 0;

        assert_ok(abdm_fidelius_secret(&x.sender, &x.to, secret));
        while (secret[skip] == 0)
            skip++;
        if (skip == 0)
            continue;
        found++;
        whole = one_shot(&x, secret, 32, plain, 8);
        stripped = one_shot(&x, secret + skip, 32 - skip, plain, 8);
        assert_memory_not_equal(whole.p, stripped.p, whole.len);
        assert_ok(abdm_fidelius_decrypt(&x.requester, x.requester_nonce, &x.from, x.sender_nonce,
                                        abdm_buf_str(&whole), &out));
        assert_ok(abdm_fidelius_decrypt(&x.requester, x.requester_nonce, &x.from, x.sender_nonce,
                                        abdm_buf_str(&stripped), &out));
        assert_int_equal(out.len, 16);
        assert_memory_equal(out.p, "strippedstripped", 16);

        stripped.p[0] = stripped.p[0] == 'A' ? 'B' : 'A';
        assert_int_equal(abdm_fidelius_decrypt(&x.requester, x.requester_nonce, &x.from,
                                               x.sender_nonce, abdm_buf_str(&stripped), &out).code,
                         ABDM_E_DECRYPT);
        assert_int_equal(out.len, 16);
        abdm_buf_free(&whole);
        abdm_buf_free(&stripped);
        abdm_buf_free(&out);
    }
    assert_int_equal(found, 3);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kept_vectors_agree_in_both_directions),
        cmocka_unit_test(all_vectors_agree_with_points_and_with_x509),
        cmocka_unit_test(a_stream_equals_one_shot_for_all_lengths_and_chunkings),
        cmocka_unit_test(a_plaintext_of_another_length_than_stated_is_an_error),
        cmocka_unit_test(a_plaintext_that_fails_on_the_way_fails_its_page),
        cmocka_unit_test(a_failed_start_closes_the_plaintext),
        cmocka_unit_test(a_point_that_was_not_checked_opens_nothing),
        cmocka_unit_test(any_changed_bit_makes_decryption_fail_and_give_nothing),
        cmocka_unit_test(no_two_pages_share_a_key_or_a_nonce),
        cmocka_unit_test(encryption_never_uses_a_secret_that_starts_with_zero),
        cmocka_unit_test(content_of_peers_that_strip_the_secret_opens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
