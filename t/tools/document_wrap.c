/*
 * document_wrap RECORD.json FILE: the document that the library makes of a record in plain
 * form and its file, on standard output. For t/fhir.t, which holds it against the profiles.
 */
#include <stdio.h>
#include <stdlib.h>

#include "core/json.h"
#include "fhir/document.h"

enum { FILE_MAX = 1 << 24 };


static bool
read_file(const char *path, abdm_buf_t *out)
{
    FILE *f = fopen(path, "rb");

    if (f == NULL || !abdm_buf_reserve(out, FILE_MAX))
        return false;
    out->len = fread(out->p, 1, FILE_MAX, f);
    bool good = !ferror(f);
    return fclose(f) == 0 && good;
}


static int
fail(abdm_err_t err)
{
    fprintf(stderr, "%s: %s\n", abdm_error_info(err.code)->name, err.what);
    return 1;
}


int
main(int argc, char **argv)
{
    abdm_buf_t text = {0}, bytes = {0}, document = {0};
    abdm_source_t *file, *source;
    json_t *record;
    uint8_t head[512];
    size_t head_len;

    if (argc != 3 || !read_file(argv[1], &text) || !read_file(argv[2], &bytes)) {
        fprintf(stderr, "usage: document_wrap RECORD.json FILE\n");
        return 2;
    }
    abdm_err_t err = abdm_json_parse(text.p, text.len, ABDM_JSON_DEPTH, &record);
    abdm_buf_free(&text);
    if (abdm_failed(err))
        return fail(err);

    abdm_document_about_t about = {
        .hip_id = "IN0990001234_1",
        .facility_name = "Demo Hospital",
        .patient_ref = abdm_json_string_at(record, "patient.patientReference"),
        .care_context_ref = abdm_json_string_at(record, "careContextReference"),
        .abha_address = abdm_json_string_at(record, "patient.abhaAddress"),
        .record = record,
    };
    if (about.patient_ref == NULL || about.care_context_ref == NULL ||
        !abdm_hi_type_parse(abdm_str(abdm_json_string_at(record, "hiType")), &about.hi_type)) {
        fprintf(stderr, "the record has no patient, care context or type\n");
        return 2;
    }

    head_len = bytes.len < sizeof head ? bytes.len : sizeof head;
    for (size_t i = 0; i < head_len; i++)
        head[i] = (uint8_t) bytes.p[i];
    file = abdm_source_take_buf(&bytes);
    if (file == NULL)
        return 2;
    err = abdm_document_wrap(&about, file, head, head_len, &source);
    if (!abdm_failed(err)) {
        err = abdm_source_read_all(source, 2 * FILE_MAX, &document);
        abdm_source_close(source);
    }
    json_decref(record);
    if (abdm_failed(err))
        return fail(err);
    bool written = fwrite(document.p, 1, document.len, stdout) == document.len;
    abdm_buf_free(&document);
    return written && fflush(stdout) == 0 ? 0 : 2;
}
