/*
 * base64 of RFC 4648, sections 4 and 5. Every encrypted page goes through the encoder, so it
 * uses AVX2 where the processor has it (24 bytes per step: split into sextets by multiplying,
 * then mapped to characters by one table look-up). Decoding is strict: one text per value.
 */
#include "core/buf.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum {
    VECTOR_STEP = 24,
    VECTOR_READ = 28, /* bytes that one step looks at */
};

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* Value plus one of each character, 0 for what is outside of the alphabet. */
#define LETTERS_AND_DIGITS                                                                         \
    ['A'] = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, \
    25, 26,                                                                                        \
    ['a'] = 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47,    \
    48, 49, 50, 51, 52,                                                                            \
    ['0'] = 53, 54, 55, 56, 57, 58, 59, 60, 61, 62

static const uint8_t standard_form[256] = {LETTERS_AND_DIGITS, ['+'] = 63, ['/'] = 64};
static const uint8_t url_form[256] = {LETTERS_AND_DIGITS, ['-'] = 63, ['_'] = 64};


size_t
abdm_base64_len(size_t n)
{
    return (n / 3 + (n % 3 != 0)) * 4;
}


#if defined(__x86_64__)

/* Encodes whole steps and returns how many bytes of `in` they took. */
__attribute__((target("avx2"))) static size_t
encode_vector(const uint8_t *in, size_t n, char *out)
{
    const __m256i spread = _mm256_setr_epi8(1, 0, 2, 1, 4, 3, 5, 4, 7, 6, 8, 7, 10, 9, 11, 10,
                                            1, 0, 2, 1, 4, 3, 5, 4, 7, 6, 8, 7, 10, 9, 11, 10);
    const __m256i offset = _mm256_setr_epi8(
        71, -4, -4, -4, -4, -4, -4, -4, -4, -4, -4, -19, -16, 65, 0, 0,
        71, -4, -4, -4, -4, -4, -4, -4, -4, -4, -4, -19, -16, 65, 0, 0);
    size_t done = 0;

    for (; n - done >= VECTOR_READ; done += VECTOR_STEP, out += 32) {
        __m128i low = _mm_loadu_si128((const void *) (in + done));
        __m128i high = _mm_loadu_si128((const void *) (in + done + VECTOR_STEP / 2));
        __m256i v = _mm256_shuffle_epi8(_mm256_set_m128i(high, low), spread);

        __m256i ac = _mm256_mulhi_epu16(_mm256_and_si256(v, _mm256_set1_epi32(0x0fc0fc00)),
                                        _mm256_set1_epi32(0x04000040));
        __m256i bd = _mm256_mullo_epi16(_mm256_and_si256(v, _mm256_set1_epi32(0x003f03f0)),
                                        _mm256_set1_epi32(0x01000010));
        __m256i sextet = _mm256_or_si256(ac, bd);

        /* Index of the offset: 13 for A-Z, 0 for a-z, 1-10 for the digits, 11 and 12 for + / */
        __m256i row = _mm256_subs_epu8(sextet, _mm256_set1_epi8(51));
        __m256i upper = _mm256_cmpgt_epi8(_mm256_set1_epi8(26), sextet);
        row = _mm256_or_si256(row, _mm256_and_si256(upper, _mm256_set1_epi8(13)));
        v = _mm256_add_epi8(_mm256_shuffle_epi8(offset, row), sextet);
        _mm256_storeu_si256((void *) out, v);
    }
    return done;
}

#endif


size_t
abdm_base64_encode(const void *bytes, size_t n, char *out)
{
    const uint8_t *in = bytes;
    size_t length = abdm_base64_len(n);

#if defined(__x86_64__)
    if (n >= VECTOR_READ && __builtin_cpu_supports("avx2")) {
        size_t done = encode_vector(in, n, out);
        in += done;
        n -= done;
        out += done / 3 * 4;
    }
#endif

    for (; n >= 3; n -= 3, in += 3, out += 4) {
        uint32_t v = (uint32_t) in[0] << 16 | (uint32_t) in[1] << 8 | in[2];
        out[0] = alphabet[v >> 18];
        out[1] = alphabet[v >> 12 & 63];
        out[2] = alphabet[v >> 6 & 63];
        out[3] = alphabet[v & 63];
    }
    if (n != 0) {
        uint32_t v = (uint32_t) in[0] << 16 | (n == 2 ? (uint32_t) in[1] << 8 : 0);
        out[0] = alphabet[v >> 18];
        out[1] = alphabet[v >> 12 & 63];
        out[2] = n == 2 ? alphabet[v >> 6 & 63] : '=';
        out[3] = '=';
    }
    return length;
}


/* A character that has no value gives one of all ones. */
static inline uint32_t
value_of(const uint8_t form[256], char c)
{
    return (uint32_t) form[(uint8_t) c] - 1;
}


/* Decodes all of `in`, which has no padding, into `out`, which is large enough. */
static bool
decode(const uint8_t form[256], abdm_str_t in, uint8_t *out)
{
    const char *p = in.p;
    size_t n = in.len;
    uint32_t seen = 0;

    for (; n >= 4; n -= 4, p += 4, out += 3) {
        uint32_t a = value_of(form, p[0]), b = value_of(form, p[1]);
        uint32_t c = value_of(form, p[2]), d = value_of(form, p[3]);
        seen |= a | b | c | d;
        out[0] = (uint8_t) (a << 2 | b >> 4);
        out[1] = (uint8_t) (b << 4 | c >> 2);
        out[2] = (uint8_t) (c << 6 | d);
    }

    /* The bits that no byte takes must be zero, or two texts would have one value. */
    if (n == 3) {
        uint32_t a = value_of(form, p[0]), b = value_of(form, p[1]), c = value_of(form, p[2]);
        seen |= a | b | c | (c & 3) << 8;
        out[0] = (uint8_t) (a << 2 | b >> 4);
        out[1] = (uint8_t) (b << 4 | c >> 2);
    } else if (n == 2) {
        uint32_t a = value_of(form, p[0]), b = value_of(form, p[1]);
        seen |= a | b | (b & 15) << 8;
        out[0] = (uint8_t) (a << 2 | b >> 4);
    } else if (n == 1) {
        return false;
    }
    return seen < 64;
}


static bool
decode_within(const uint8_t form[256], abdm_str_t in, uint8_t *out, size_t cap, size_t *len)
{
    size_t size = in.len / 4 * 3 + in.len % 4 * 3 / 4;

    if (size > cap || !decode(form, in, out))
        return false;
    *len = size;
    return true;
}


bool
abdm_base64_decode(abdm_str_t in, uint8_t *out, size_t cap, size_t *len)
{
    if (in.len % 4 != 0)
        return false;
    if (in.len != 0 && in.p[in.len - 1] == '=') {
        in.len--;
        if (in.p[in.len - 1] == '=')
            in.len--;
    }
    return decode_within(standard_form, in, out, cap, len);
}


bool
abdm_base64url_decode(abdm_str_t in, uint8_t *out, size_t cap, size_t *len)
{
    return decode_within(url_form, in, out, cap, len);
}
