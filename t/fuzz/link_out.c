/*
 * Texts of a hospital in bodies of ours: an input is the name of a patient, a line end, and the
 * display of a care context. Whatever they hold, the body is JSON and they fit the gateway.
 */
#include "fuzz.h"

#include "core/json.h"
#include "gateway/outbound_link.h"

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


static json_t *
parsed(abdm_buf_t *b)
{
    json_t *json;

    NEED(!b->failed);
    NEED(!abdm_failed(abdm_json_parse(b->p, b->len, ABDM_JSON_DEPTH, &json)));
    abdm_buf_free(b);
    return json;
}


static void
fits(const json_t *json, const char *path, const char *alphabet)
{
    const char *z = json_string_value(abdm_json_at(json, path));
    size_t n = z == NULL ? 0 : strlen(z);

    NEED(z != NULL && n <= 255 && strspn(z, alphabet) == n);
    NEED(n == 0 || (z[0] != ' ' && z[n - 1] != ' '));
    NEED(strstr(z, "  ") == NULL);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    abdm_str_t rest = fuzz_text(data, size);
    char *name = fuzz_z(fuzz_line(&rest)), *display = fuzz_z(rest);
    const abdm_out_patient_t patient = {"asha.k@sbx", "91111222233334", name, "F", 1988};
    const abdm_out_context_t context = {"OPD-1", display, 1u << ABDM_HI_INVOICE};
    abdm_buf_t b = {0};
    json_t *json;

    abdm_out_generate_token(&b, &patient);
    json = parsed(&b);
    fits(json, "name", LETTERS "',. -");
    const char *z = json_string_value(abdm_json_at(json, "name"));
    NEED(*z == '\0' || (strchr(LETTERS, *z) != NULL && strchr(LETTERS, z[strlen(z) - 1]) != NULL));
    json_decref(json);

    abdm_out_link_contexts(&b, "asha.k@sbx", NULL, "MR-1", display, &context, 1);
    json = parsed(&b);
    fits(json, "patient.0.display", LETTERS "0123456789_-@,. \"':|()/");
    fits(json, "patient.0.careContexts.0.display", LETTERS "0123456789_-@,. \"':|()/");
    NEED(*json_string_value(abdm_json_at(json, "patient.0.display")) != '\0');
    json_decref(json);

    free(name);
    free(display);
    return 0;
}
