/*
 * Answers of an HMIS through libjq, with a program that passes them on: what jq gives is held
 * against the plain form of records and of every other question. What is plain stays as it is when
 * it is made plain again.
 */
#include "fuzz.h"

#include <unistd.h>

#include "core/json.h"
#include "core/hi_type.h"
#include "hmis/hmis.h"

static abdm_hmis_t *hmis;


static void
close_hmis(void)
{
    abdm_hmis_close(hmis);
}


static void
write_file(const char *dir, const char *name, const char *text, char path[128])
{
    snprintf(path, 128, "%s/%s", dir, name);
    FILE *f = fopen(path, "w");
    NEED(f != NULL);
    NEED(fputs(text, f) >= 0);
    NEED(fclose(f) == 0);
}


static void
open_hmis(void)
{
    char dir[] = "/tmp/abdm-fuzz-XXXXXX", mapping[128], program[128], problem[512];
    abdm_buf_t text = {0};

    NEED(mkdtemp(dir) != NULL);
    abdm_buf_addz(&text, "{\"records\":{\"path\":\"/\",\"map\":\"m.jq\"}");
    for (int op = 0; op < ABDM_HMIS_OPS; op++)
        abdm_buf_addf(&text, ",\"%s\":{\"path\":\"/\",\"map\":\"m.jq\"}",
                      abdm_hmis_op_name((abdm_hmis_op_t) op));
    abdm_buf_addz(&text, "}");
    char *z = abdm_buf_take(&text);
    NEED(z != NULL);
    write_file(dir, "mapping.json", z, mapping);
    free(z);
    write_file(dir, "m.jq", ".", program);
    NEED(!abdm_failed(abdm_hmis_open("rest", "http://h", dir, problem, &hmis)));
    unlink(mapping);
    unlink(program);
    rmdir(dir);
    NEED(atexit(close_hmis) == 0);
}


/* The store keeps records as text. */
static void
read_back(const json_t *record)
{
    abdm_buf_t text = {0};
    json_t *again;
    abdm_jw_t w;

    abdm_jw_begin(&w, &text);
    abdm_jw_json(&w, record);
    NEED(!abdm_failed(abdm_json_parse(text.p, text.len, ABDM_JSON_DEPTH_FHIR, &again)));
    NEED(json_equal(record, again));
    json_decref(again);
    abdm_buf_free(&text);
}


static void
check_record(const json_t *record)
{
    abdm_hi_type_t type;

    NEED(abdm_hi_type_parse(abdm_str(abdm_json_string_at(record, "hiType")), &type));
    NEED(strcmp(abdm_json_string_at(record, "careContextReference"), "OPD-1") == 0);
    NEED(abdm_json_string_at(record, "document.url") == NULL ||
         abdm_json_string_at(record, "bundle.url") == NULL);
    NEED(abdm_json_string_at(record, "patient.patientReference") != NULL);
    read_back(record);
}


static json_t *
answer(abdm_hmis_op_t op, const json_t *vars, const char *body, size_t size)
{
    json_t *plain;

    abdm_err_t err = abdm_hmis_answer(hmis, op, 0, vars, body, size, &plain);
    NEED(abdm_failed(err) == (plain == NULL));
    NEED(err.code == ABDM_OK || err.code == ABDM_E_HMIS_ANSWER);
    return plain;
}


static void
check_questions(const char *body, size_t size)
{
    json_t *vars = json_pack("{s:s,s:s,s:s}", "hipId", "IN1", "patientRef", "P1", "since", "");

    NEED(vars != NULL);
    for (int op = 0; op < ABDM_HMIS_OPS; op++) {
        json_t *plain = answer((abdm_hmis_op_t) op, vars, body, size);
        if (plain == NULL)
            continue;
        char *text = json_dumps(plain, JSON_COMPACT);
        NEED(text != NULL);
        json_t *again = answer((abdm_hmis_op_t) op, vars, text, strlen(text));
        NEED(again != NULL && json_equal(plain, again));
        json_decref(again);
        json_decref(plain);
        free(text);
    }
    json_decref(vars);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const abdm_hmis_query_t query = {"IN1", "P1", "OPD-1", "2026-01-01", "2026-12-31"};
    const json_t *record;
    json_t *records;
    size_t i;

    if (hmis == NULL)
        open_hmis();
    abdm_err_t err =
        abdm_hmis_records_map(hmis, &query, (const char *) data, size, &records);
    NEED(abdm_failed(err) == (records == NULL));
    NEED(err.code == ABDM_OK || err.code == ABDM_E_HMIS_ANSWER);
    json_array_foreach(records, i, record)
        check_record(record);
    json_decref(records);
    check_questions((const char *) data, size);
    return 0;
}
