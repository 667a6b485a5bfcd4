/*
 * The HMIS side as the rest of the library sees it: the adapter is chosen by name, and what its
 * mapping gives is held against the plain form before anybody trusts it. The texts of refusals
 * are static, since answers hold patient data.
 */
#include "hmis/hmis.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/hi_type.h"
#include "core/json.h"
#include "hmis/adapter.h"
#include "hmis/plain.h"

enum { RECORDS_MAX = 500 };

struct abdm_hmis_s {
    const abdm_hmis_adapter_t *adapter;
    void *state;
};

static const abdm_hmis_adapter_t *const adapters[] = {&abdm_hmis_rest};


void
abdm_hmis_say(char *problem, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vsnprintf(problem, ABDM_HMIS_PROBLEM, fmt, args);
    va_end(args);
}


abdm_err_t
abdm_hmis_open(const char *adapter, const char *url, const char *mapping_dir, char problem[512],
               abdm_hmis_t **out)
{
    const abdm_hmis_adapter_t *found = NULL;

    *out = NULL;
    problem[0] = '\0';
    for (size_t i = 0; i < sizeof adapters / sizeof *adapters; i++) {
        if (strcmp(adapters[i]->name, adapter) == 0)
            found = adapters[i];
    }
    if (found == NULL) {
        abdm_hmis_say(problem, "\"%.64s\" is no adapter; there is: rest", adapter);
        return ABDM_ERR(CONFIG, "hmis: unknown adapter");
    }

    abdm_hmis_t *hmis = calloc(1, sizeof *hmis);
    if (hmis == NULL)
        return ABDM_ERR(MEMORY, "hmis: its state");
    hmis->adapter = found;
    abdm_err_t err = found->open(url, mapping_dir, problem, &hmis->state);
    if (abdm_failed(err)) {
        if (problem[0] == '\0')
            abdm_hmis_say(problem, "%s", err.what);
        free(hmis);
        return err;
    }
    *out = hmis;
    return ABDM_NO_ERR;
}


void
abdm_hmis_close(abdm_hmis_t *hmis)
{
    if (hmis == NULL)
        return;
    hmis->adapter->close(hmis->state);
    free(hmis);
}


/* An OTP may be in the URL, a key in the headers. */
static void
wipe_free(char *z)
{
    if (z != NULL)
        abdm_wipe(z, strlen(z));
    free(z);
}


void
abdm_hmis_request_clear(abdm_hmis_request_t *request)
{
    wipe_free(request->url);
    free(request->unix_socket);
    if (request->body != NULL)
        abdm_wipe(request->body, request->body_len);
    free(request->body);
    free(request->content_type);
    for (char **header = request->header; header != NULL && *header != NULL; header++)
        wipe_free(*header);
    free(request->header);
    *request = (abdm_hmis_request_t){0};
}


static abdm_err_t
record_vars(const abdm_hmis_query_t *query, json_t **out)
{
    *out = json_pack("{s:s?,s:s?,s:s?,s:s?,s:s?}", "hipId", query->hip_id, "patientRef",
                     query->patient_ref, "careContextRef", query->care_context_ref, "from",
                     query->from, "to", query->to);
    return *out == NULL ? ABDM_ERR(MEMORY, "hmis query") : ABDM_NO_ERR;
}


abdm_err_t
abdm_hmis_records_request(const abdm_hmis_t *hmis, const abdm_hmis_query_t *query,
                          abdm_hmis_request_t *out)
{
    json_t *vars;

    *out = (abdm_hmis_request_t){0};
    ABDM_TRY(record_vars(query, &vars));
    abdm_err_t err = hmis->adapter->ask(hmis->state, ABDM_HMIS_RECORDS, 0, vars, out);
    json_decref(vars);
    return err;
}


abdm_err_t
abdm_hmis_file_request(const abdm_hmis_t *hmis, const char *url, abdm_hmis_request_t *out)
{
    return hmis->adapter->file_request(hmis->state, url, out);
}


int
abdm_hmis_questions(const abdm_hmis_t *hmis, abdm_hmis_op_t op)
{
    return (unsigned) op < ABDM_HMIS_OPS ? hmis->adapter->questions(hmis->state, op) : 0;
}


static bool
has_question(const abdm_hmis_t *hmis, abdm_hmis_op_t op, int index)
{
    return index >= 0 && index < abdm_hmis_questions(hmis, op);
}


bool
abdm_hmis_can_ask(const abdm_hmis_t *hmis, abdm_hmis_op_t op, int index, const json_t *vars)
{
    return has_question(hmis, op, index) && hmis->adapter->can_ask(hmis->state, op, index, vars);
}


abdm_err_t
abdm_hmis_ask(abdm_hmis_t *hmis, abdm_hmis_op_t op, int index, const json_t *vars,
              abdm_hmis_request_t *out)
{
    *out = (abdm_hmis_request_t){0};
    if (!has_question(hmis, op, index))
        return ABDM_ERR(INTERNAL, "hmis question: the mapping has no such one");
    return hmis->adapter->ask(hmis->state, op, index, vars, out);
}


static bool
is_blank(const char *body, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (strchr(" \t\r\n", body[i]) == NULL || body[i] == '\0')
            return false;
    }
    return true;
}


abdm_err_t
abdm_hmis_answer(abdm_hmis_t *hmis, abdm_hmis_op_t op, int index, const json_t *vars,
                 const char *body, size_t len, json_t **out)
{
    json_t *mapped;

    *out = NULL;
    if (!has_question(hmis, op, index))
        return ABDM_ERR(INTERNAL, "hmis question: the mapping has no such one");
    if ((op == ABDM_HMIS_SAVE_PROFILE || op == ABDM_HMIS_TELL) && is_blank(body, len)) {
        *out = json_object();
        return *out == NULL ? ABDM_ERR(MEMORY, "hmis answer") : ABDM_NO_ERR;
    }
    ABDM_TRY(hmis->adapter->answer(hmis->state, op, index, vars, body, len, &mapped));
    abdm_err_t err = abdm_hmis_plain(op, vars, mapped, out);
    json_decref(mapped);
    return err;
}


static abdm_err_t
check_hi_type(json_t *record)
{
    abdm_hi_type_t type;

    const char *given = abdm_json_string_at(record, "hiType");

    if (given == NULL)
        given = abdm_json_string_at(record, "bundleType");
    if (!abdm_hi_type_parse_record(abdm_str(given), &type))
        return ABDM_ERR(HMIS_ANSWER, "records.hiType: none of the eight types, or missing");
    if (json_object_set_new(record, "hiType", json_string(abdm_hi_type_name(type))) != 0)
        return ABDM_ERR(MEMORY, "hmis answer: as mapped");
    return ABDM_NO_ERR;
}


static abdm_err_t
check_care_context(json_t *record, const char *asked)
{
    const json_t *value = abdm_json_at(record, "careContextReference");

    if (value != NULL) {
        const char *given = json_string_value(value);
        if (given == NULL || strcmp(given, asked) != 0)
            return ABDM_ERR(HMIS_ANSWER,
                            "records.careContextReference: not the care context asked for");
        return ABDM_NO_ERR;
    }
    if (json_object_set_new(record, "careContextReference", json_string(asked)) != 0)
        return ABDM_ERR(MEMORY, "records.careContextReference");
    return ABDM_NO_ERR;
}


/* Nulls go, so that whoever reads the record later may ask for presence alone. */
static void
drop_null(json_t *record, const char *name)
{
    if (json_is_null(json_object_get(record, name)))
        json_object_del(record, name);
}


/* Without either the record says itself what it holds; a document with the file in it does too.
 * Whether that is enough for its type is the builder's to say. */
static abdm_err_t
check_content(json_t *record)
{
    drop_null(record, "document");
    drop_null(record, "bundle");

    bool document = json_object_get(record, "document") != NULL;
    bool bundle = json_object_get(record, "bundle") != NULL;
    if (document && bundle)
        return ABDM_ERR(HMIS_ANSWER, "records: document and bundle exclude each other");
    if (document && abdm_json_string_at(record, "document.url") == NULL &&
        abdm_json_string_at(record, "document.data") == NULL)
        return ABDM_ERR(HMIS_ANSWER, "records.document.url: a text is missing");
    if (bundle && abdm_json_string_at(record, "bundle.url") == NULL)
        return ABDM_ERR(HMIS_ANSWER, "records.bundle.url: a text is missing");
    return ABDM_NO_ERR;
}


static abdm_err_t
check_authored_on(json_t *record)
{
    static const char *const names[] = {"authoredOn", "visitDate", "date"};
    const json_t *value = NULL;

    for (size_t i = 0; value == NULL && i < sizeof names / sizeof *names; i++)
        value = abdm_json_at(record, names[i]);
    if (value == NULL)
        return ABDM_NO_ERR;

    json_t *settled;
    abdm_err_t err = abdm_hmis_settle_time(value, &settled);
    if (err.code == ABDM_E_HMIS_ANSWER)
        return ABDM_ERR(HMIS_ANSWER, "records.authoredOn: yyyy-mm-ddThh:mm:ss+05:30 expected");
    ABDM_TRY(err);
    if (json_object_set_new(record, "authoredOn", settled) != 0)
        return ABDM_ERR(MEMORY, "hmis answer: as mapped");
    return ABDM_NO_ERR;
}


static abdm_err_t
check_record(json_t *record, const abdm_hmis_query_t *query)
{
    if (!json_is_object(record))
        return ABDM_ERR(HMIS_ANSWER, "records: one of them is not an object");
    ABDM_TRY(check_hi_type(record));
    ABDM_TRY(check_care_context(record, query->care_context_ref));
    ABDM_TRY(check_content(record));
    if (abdm_json_string_at(record, "patient.patientReference") == NULL)
        return ABDM_ERR(HMIS_ANSWER, "records.patient.patientReference: a text is missing");
    return check_authored_on(record);
}


static abdm_err_t
check_records(json_t *records, const abdm_hmis_query_t *query)
{
    json_t *record;
    size_t i;

    if (!json_is_array(records))
        return ABDM_ERR(HMIS_ANSWER, "records: the mapping must give a list");
    if (json_array_size(records) > RECORDS_MAX)
        return ABDM_ERR(HMIS_ANSWER, "records: more than 500 in one care context");
    json_array_foreach(records, i, record)
        ABDM_TRY(check_record(record, query));
    return ABDM_NO_ERR;
}


abdm_err_t
abdm_hmis_records_map(abdm_hmis_t *hmis, const abdm_hmis_query_t *query, const char *body,
                      size_t len, json_t **records)
{
    json_t *vars;

    *records = NULL;
    if (query->care_context_ref == NULL)
        return ABDM_ERR(INTERNAL, "hmis query: no care context");
    ABDM_TRY(record_vars(query, &vars));
    abdm_err_t err =
        hmis->adapter->answer(hmis->state, ABDM_HMIS_RECORDS, 0, vars, body, len, records);
    json_decref(vars);
    if (!abdm_failed(err))
        err = check_records(*records, query);
    if (abdm_failed(err)) {
        json_decref(*records);
        *records = NULL;
    }
    return err;
}
