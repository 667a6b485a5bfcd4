/* The bytes of a value within a callback's text: what the scanner finds in a text that the JSON
 * reader takes is what the reader has there. */
#include "fuzz.h"

#include "core/json.h"
#include "core/json_slice.h"

static const char *const paths[] = {"",  "notification.consentDetail", "notification.0.consentDetail",
                                    "a", "a.b",                        "a.0"};


/* The value at the path is JSON, and its slice says the same; both are there or neither. */
static void
compare(const json_t *root, abdm_str_t text, const char *path)
{
    const json_t *value = *path == '\0' ? root : abdm_json_at(root, path);
    abdm_str_t slice;
    json_t *again = NULL;
    bool found = abdm_json_slice(text, path, &slice);

    NEED(found || value == NULL);
    if (!found)
        return;
    NEED(slice.p >= text.p && slice.p + slice.len <= text.p + text.len && slice.len > 0);
    NEED(!abdm_failed(abdm_json_parse(slice.p, slice.len, ABDM_JSON_DEPTH, &again)));
    NEED(value == NULL ? json_is_null(again) : json_equal(value, again));
    json_decref(again);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    abdm_str_t text = fuzz_text(data, size), slice;
    json_t *root = NULL;
    bool read = !abdm_failed(abdm_json_parse(text.p, text.len, ABDM_JSON_DEPTH, &root));

    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        if (read)
            compare(root, text, paths[i]);
        else
            (void) abdm_json_slice(text, paths[i], &slice);
    }
    json_decref(root);
    return 0;
}
