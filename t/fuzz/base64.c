/* base64: of all texts one alone has a given value, and every value has one. */
#include "fuzz.h"


static void
decode(abdm_str_t text)
{
    size_t cap = text.len / 4 * 3 + 3, len;
    uint8_t *out = malloc(cap);
    char *again = malloc(abdm_base64_len(cap));

    NEED(out != NULL && again != NULL);
    if (abdm_base64_decode(text, out, cap, &len)) {
        NEED(abdm_base64_encode(out, len, again) == text.len);
        NEED(text.len == 0 || memcmp(again, text.p, text.len) == 0);
    }
    if (abdm_base64url_decode(text, out, cap, &len)) {
        size_t n = abdm_base64_encode(out, len, again);
        while (n > 0 && again[n - 1] == '=')
            n--;
        NEED(n == text.len);
        for (size_t i = 0; i < n; i++)
            NEED(again[i] == text.p[i] || (again[i] == '+' && text.p[i] == '-') ||
                 (again[i] == '/' && text.p[i] == '_'));
    }
    free(again);
    free(out);
}


static void
encode(const uint8_t *data, size_t size)
{
    size_t n = abdm_base64_len(size), len;
    uint8_t *in = malloc(size + (size == 0)), *out = malloc(size + (size == 0));
    char *text = malloc(n + (n == 0));

    NEED(in != NULL && out != NULL && text != NULL);
    memcpy(in, data, size);
    NEED(abdm_base64_encode(in, size, text) == n);
    NEED(abdm_base64_decode((abdm_str_t){text, n}, out, size, &len));
    NEED(len == size && memcmp(in, out, size) == 0);
    NEED(size == 0 || !abdm_base64_decode((abdm_str_t){text, n}, out, size - 1, &len));
    free(text);
    free(out);
    free(in);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 0) /* memcpy wants no NULL */
        encode(data, size);
    decode(fuzz_text(data, size));
    return 0;
}
