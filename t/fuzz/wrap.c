/*
 * Files wrapped into documents: an input is one of the eight types ("0" to "7"), the record in
 * plain form on one line, and the file. A document of ours must pass our own check.
 */
#include "fuzz.h"

#include "core/json.h"
#include "fhir/document.h"


static void
check(const abdm_document_about_t *about, abdm_source_t *document)
{
    abdm_document_facts_t facts;
    abdm_buf_t bytes = {0};

    NEED(!abdm_failed(abdm_source_read_all(document, 1 << 24, &bytes)));
    NEED(bytes.len == document->length);
    NEED(!abdm_failed(abdm_document_check(about, bytes.p, bytes.len, &facts)));
    NEED(facts.dated && facts.hi_type == about->hi_type);
    abdm_buf_free(&bytes);
}


static void
wrap(abdm_document_about_t *about, abdm_str_t file)
{
    abdm_source_t *document;
    abdm_buf_t bytes = {0};

    abdm_buf_add_str(&bytes, file);
    abdm_source_t *source = abdm_source_take_buf(&bytes);
    NEED(source != NULL);
    abdm_err_t err = abdm_document_wrap(about, source, (const uint8_t *) file.p,
                                        file.len < 512 ? file.len : 512, &document);
    NEED(abdm_failed(err) == (document == NULL));
    if (document != NULL)
        check(about, document);
    abdm_source_close(document);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    abdm_str_t rest = fuzz_text(data, size);
    char type = fuzz_choice(&rest);
    abdm_str_t line = fuzz_line(&rest);
    json_t *record;

    if (abdm_failed(abdm_json_parse(line.p, line.len, ABDM_JSON_DEPTH, &record)))
        return 0;
    abdm_document_about_t about = {
        .hi_type = (abdm_hi_type_t) ((unsigned char) type % ABDM_HI_TYPES),
        .hip_id = "IN0990001234_1",
        .facility_name = "Demo Hospital",
        .patient_ref = "UH100231",
        .care_context_ref = "OPD-26-0771",
        .abha_address = "asha@sbx",
        .record = record,
    };
    wrap(&about, rest);
    json_decref(record);
    return 0;
}
