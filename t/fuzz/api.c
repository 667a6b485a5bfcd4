/*
 * Calls of the hospital's software: an input is a line of method, path and query ("POST patients
 * hipId=A"), of which a leading "!" makes one of NHA's, and the body. Whatever is read belongs to
 * a facility that there is, and its rows have nothing that the wire or the store cannot take.
 */
#include "fuzz.h"

#include "api/decode.h"
#include "core/json.h"


static void
need_text(const char *z, size_t max)
{
    NEED(z != NULL && z[0] != '\0' && strlen(z) <= max);
    for (; *z != '\0'; z++)
        NEED((unsigned char) *z >= ' ' && *z != 0x7f);
}


static void
read_contexts(const abdm_api_in_t *in, abdm_api_flavour_t flavour)
{
    abdm_row_context_t *rows;
    size_t n;

    abdm_api_contexts(in, "careContexts", flavour, &rows, &n);
    NEED((rows == NULL) == abdm_failed(in->fault->err) && (rows == NULL) == (n == 0));
    NEED(n <= ABDM_API_CONTEXTS);
    for (size_t i = 0; i < n; i++) {
        need_text(rows[i].ref, ABDM_API_REFERENCE);
        need_text(rows[i].display, ABDM_API_NAME);
        NEED(rows[i].hi_types != 0 && rows[i].hi_types < 1 << ABDM_HI_TYPES);
    }
    abdm_row_context_free(rows, n);
}


static void
read_patient(const abdm_api_in_t *in, abdm_api_flavour_t flavour)
{
    abdm_row_patient_t row;

    abdm_api_patient(in, flavour, 1772702411000, &row);
    if (!abdm_failed(in->fault->err)) {
        need_text(row.ref, ABDM_API_REFERENCE);
        need_text(row.name, ABDM_API_NAME);
        need_text(row.gender, 1);
        NEED(row.year_of_birth >= 1900 && row.year_of_birth <= 2026);
        NEED(row.abha_address != NULL || row.mobile != NULL);
        NEED(row.abha_number == NULL || strlen(row.abha_number) == 14);
    }
    abdm_row_patient_clear(&row);
}


static void
read_body(const abdm_api_call_t *call)
{
    bool list = call->body[0] == '[';
    abdm_api_fault_t fault = {.err = ABDM_NO_ERR};
    json_t *body = abdm_api_body(call->body, call->body_len, list, &fault);
    abdm_api_in_t in = abdm_api_in(body, &fault);

    if (body != NULL && list)
        in = abdm_api_item(&in, "", 0);
    if (body != NULL) {
        read_patient(&in, call->route->flavour);
        NEED(!abdm_failed(fault.err) || strlen(fault.at) < ABDM_API_AT);
        fault = (abdm_api_fault_t){.err = ABDM_NO_ERR};
        read_contexts(&in, call->route->flavour);
    }
    json_decref(body);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const facilities[] = {"IN0990001234_1", "IN0990005678_1"};
    abdm_str_t rest = fuzz_text(data, size), line = fuzz_line(&rest);
    abdm_api_head_t head = {.content_type = ABDM_LIT("application/json"), .body = rest};
    abdm_str_t *part[] = {&head.method, &head.path, &head.query};
    abdm_api_call_t call;
    char *patient = NULL;

    if (line.len > 0 && line.p[0] == '!') {
        head.flavour = ABDM_API_NHA;
        line.p++;
        line.len--;
    }
    for (size_t i = 0; i < 3; i++) {
        const char *end = line.len > 0 && i < 2 ? memchr(line.p, ' ', line.len) : NULL;
        size_t len = end != NULL ? (size_t) (end - line.p) : line.len;

        *part[i] = (abdm_str_t){line.p, len};
        line.p += len + (end != NULL);
        line.len -= len + (end != NULL);
    }
    if (!abdm_failed(abdm_api_read(&head, facilities, 2, &call))) {
        NEED(strcmp(call.hip_id, facilities[0]) == 0 || strcmp(call.hip_id, facilities[1]) == 0
             || (call.hip_id[0] == '\0' && call.route->any_facility));
        NEED(strlen(call.body) <= call.body_len);
        NEED(strlen(call.subject) <= ABDM_API_REFERENCE);
        if (!abdm_failed(abdm_api_query(call.query, "patient", &patient)) && patient != NULL)
            NEED(strlen(patient) <= 3 * ABDM_API_REFERENCE);
        free(patient);
        read_body(&call);
        abdm_api_call_clear(&call);
    }
    return 0;
}
