/*
 * JSON: an input is a path, a line end, and the text. What is read and written again must read
 * as the same value.
 */
#include "fuzz.h"

#include "core/json.h"


static void
write_again(const json_t *value)
{
    abdm_buf_t text = {0};
    json_t *again;
    abdm_jw_t w;

    abdm_jw_begin(&w, &text);
    abdm_jw_json(&w, value);
    NEED(!text.failed);
    NEED(abdm_json_parse(text.p, text.len, 128, &again).code == ABDM_OK);
    NEED(json_equal(value, again));
    json_decref(again);
    abdm_buf_free(&text);
}


/* Bytes of any kind must come out as JSON. */
static void
write_bytes(abdm_str_t s)
{
    abdm_buf_t text = {0};
    json_t *again;
    abdm_jw_t w;

    abdm_jw_begin(&w, &text);
    abdm_jw_str(&w, s);
    NEED(!text.failed);
    abdm_err_t err = abdm_json_parse(text.p, text.len, 1, &again);
    NEED(!abdm_failed(err) || (s.len > 0 && memchr(s.p, '\0', s.len) != NULL));
    json_decref(again);
    abdm_buf_free(&text);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    abdm_str_t rest = fuzz_text(data, size);
    char *path = fuzz_z(fuzz_line(&rest));
    int64_t number;
    json_t *value;

    abdm_err_t err = abdm_json_parse(rest.p, rest.len, ABDM_JSON_DEPTH_FHIR, &value);
    NEED(abdm_failed(err) == (value == NULL));
    if (value != NULL) {
        write_again(value);
        const char *z = abdm_json_string_at(value, path);
        NEED(z == NULL || *z != '\0');
        (void) abdm_json_int_at(value, path, &number);
    }
    json_decref(value);
    write_bytes(rest);
    free(path);
    return 0;
}
