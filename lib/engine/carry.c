/*
 * Carrying jobs out. For each kind of job: how its call is prepared, and what is made of the
 * answer. Both run on work threads, since mapping, checking, key agreement and name look-ups
 * take their time; calls to the gateway, which need none of it, skip them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/document.h"
#include "engine/exec.h"
#include "engine/push.h"
#include "gateway/answer.h"
#include "gateway/outbound.h"
#include "gateway/outbound_link.h"

enum {
    GATEWAY_MS = 30 * 1000,
    GATEWAY_ANSWER_MAX = 64 * 1024,
    LIST_MS = 30 * 1000,
    LIST_MAX = 4 * 1024 * 1024,
    IDLE_MS = 30 * 1000,
    PUSH_IDLE_MS = 60 * 1000, /* a requester may open a large page before it answers */
    TRANSFER_MS = 2 * 60 * 60 * 1000 - 60 * 1000
};


static const abdm_engine_facility_t *
facility_of(const abdm_engine_config_t *config, const char *hip_id)
{
    for (size_t i = 0; i < config->n_facility; i++) {
        if (strcmp(config->facility[i].facts.id, hip_id) == 0) {
            return &config->facility[i];
        }
    }
    return NULL;
}


/* --- gateway --- */

static void
on_gateway_answer(abdm_call_t *call)
{
    abdm_task_t *task = call->owner;
    abdm_call_answer_t answer;
    abdm_err_t err = call->err;
    char said[sizeof(answer.text)];

    task->result.status = call->status;
    task->retry_after = call->retry_after;
    if (abdm_failed(err)) {
        abdm_exec_report(task, err, false);
        return;
    }
    abdm_answer_judge(call->status, call->answer.p, call->answer.len, &answer);
    memcpy(task->result.code, answer.code, sizeof(task->result.code));
    task->result.repeated = abdm_answer_is_duplicate_link(&answer);
    switch (answer.verdict) {
    case ABDM_CALL_DONE:
        abdm_exec_report(task, ABDM_NO_ERR, true);
        return;
    case ABDM_CALL_AGAIN:
        err = ABDM_ERR(HTTP_STATUS, "the gateway cannot take the call now");
        break;
    case ABDM_CALL_TOKEN:
        abdm_session_drop(task->exec->session, task->session);
        err = ABDM_ERR(SESSION, "the gateway does not accept the session token");
        if (task->job.attempts == 0) {
            task->retry_after = -1; /* at once, with a new session */
        }
        break;
    case ABDM_CALL_REFUSED:
        err = ABDM_ERR(GATEWAY_REFUSED, "see code and text");
        break;
    }
    abdm_answer_said(answer.text, said, sizeof(said));
    abdm_log_err(&task->exec->config->log, ABDM_LOG_WARN, err,
                 ABDM_LOG_WORD("path", task->job.path), ABDM_LOG_ID("subject", task->job.subject),
                 ABDM_LOG_NUMBER("status", call->status), ABDM_LOG_WORD("code", answer.code),
                 ABDM_LOG_WORDS("text", said));
    abdm_exec_report(task, err, answer.verdict == ABDM_CALL_REFUSED);
}


static abdm_err_t
start_gateway(abdm_exec_t *exec, abdm_task_t *task)
{
    abdm_call_t *call = &task->call;
    abdm_buf_t url = {0}, body = {0};
    abdm_call_ids_t ids = {
        .request_id = task->job.request_id,
        .hip_id = task->job.hip_id,
        .link_token = task->job.link_token,
        .at = abdm_time_now(),
    };

    abdm_buf_addf(&url, "%s%s", exec->config->gateway_url, task->job.path);
    abdm_out_stamp(&body, task->job.path, (abdm_str_t){task->job.body, task->job.body_len},
                   ids.request_id, ids.at);
    call->url = abdm_buf_take(&url);
    call->body = abdm_source_take_buf(&body);
    if (call->url == NULL || call->body == NULL) {
        return ABDM_ERR(MEMORY, "call");
    }
    call->total_ms = GATEWAY_MS;
    call->idle_ms = GATEWAY_MS;
    call->answer_max = GATEWAY_ANSWER_MAX;
    call->done = on_gateway_answer;
    abdm_session_submit(exec->session, call, &ids, &task->session);
    return ABDM_NO_ERR;
}


/* --- HMIS --- */

/* The answer came: a work thread makes something of it. */
static void
on_answer(abdm_call_t *call)
{
    abdm_task_t *task = call->owner;

    task->result.status = call->status;
    task->retry_after = call->retry_after;
    abdm_exec_queue(task->exec, &task->exec->work, task);
}


static abdm_err_t
send_hmis(abdm_exec_t *exec, abdm_task_t *task, abdm_hmis_request_t *request)
{
    ABDM_TRY(abdm_call_take_request(&task->call, request));
    task->call.idle_ms = IDLE_MS;
    task->call.done = on_answer;
    abdm_http_submit(exec->http, &task->call);
    return ABDM_NO_ERR;
}


static void
query_of(const abdm_task_t *task, char from[ABDM_TIME_TEXT], char to[ABDM_TIME_TEXT],
         abdm_hmis_query_t *query)
{
    abdm_time_format(task->transfer.from, from);
    abdm_time_format(task->transfer.to, to);
    *query = (abdm_hmis_query_t){
        .hip_id = task->job.hip_id,
        .patient_ref = task->context.patient_ref,
        .care_context_ref = task->context.care_context_ref,
        .from = from,
        .to = to,
    };
}


static abdm_err_t
start_records(abdm_exec_t *exec, abdm_task_t *task, const abdm_engine_facility_t *facility)
{
    char from[ABDM_TIME_TEXT], to[ABDM_TIME_TEXT];
    abdm_hmis_request_t request = {0};
    abdm_hmis_query_t query;

    query_of(task, from, to, &query);
    ABDM_TRY(abdm_hmis_records_request(facility->hmis, &query, &request));
    task->call.total_ms = LIST_MS;
    task->call.answer_max = LIST_MAX;
    return send_hmis(exec, task, &request);
}


static abdm_err_t
finish_records(abdm_task_t *task, const abdm_engine_facility_t *facility, bool *final)
{
    char from[ABDM_TIME_TEXT], to[ABDM_TIME_TEXT];
    abdm_hmis_query_t query;

    ABDM_TRY(abdm_hmis_status(&task->call, final));
    query_of(task, from, to, &query);
    return abdm_hmis_records_map(facility->hmis, &query, task->call.answer.p,
                                 task->call.answer.len, &task->result.records);
}


static abdm_err_t
start_document(abdm_exec_t *exec, abdm_task_t *task, const abdm_engine_facility_t *facility,
               const char *url)
{
    abdm_hmis_request_t request = {0};

    ABDM_TRY(abdm_hmis_file_request(facility->hmis, url, &request));
    task->call.spool = NULL;
    abdm_err_t err = abdm_spool_new(exec->config->spool_dir, exec->config->record_max,
                                    &task->spool);
    if (abdm_failed(err)) {
        abdm_hmis_request_clear(&request);
        return err;
    }
    task->call.spool = task->spool;
    task->call.total_ms = TRANSFER_MS;
    task->call.answer_max = GATEWAY_ANSWER_MAX;
    return send_hmis(exec, task, &request);
}


/* Trouble of ours may pass, what the HMIS gave will not become better. */
static bool
is_passing(abdm_code_t code)
{
    return code == ABDM_E_MEMORY || code == ABDM_E_SYSTEM || code == ABDM_E_CRYPTO
           || code == ABDM_E_SPOOL_LOST;
}


static abdm_err_t
make_document(abdm_task_t *task, const abdm_engine_facility_t *facility, bool *final)
{
    const abdm_engine_config_t *config = task->exec->config;
    abdm_err_t err = abdm_task_make_document(task, facility, config);

    *final = !is_passing(err.code);
    if (!abdm_failed(err) && task->result.note != NULL) {
        abdm_log(&config->log, ABDM_LOG_WARN, "hmis:", ABDM_LOG_WORDS("", task->result.note),
                 ABDM_LOG_WORD("facility", task->job.hip_id),
                 ABDM_LOG_ID("transfer", task->job.subject),
                 ABDM_LOG_NUMBER("page", task->job.arg),
                 ABDM_LOG_WORD("where", task->result.where));
    }
    return err;
}


static abdm_err_t
finish_document(abdm_task_t *task, const abdm_engine_facility_t *facility, bool *final)
{
    abdm_err_t err = abdm_hmis_status(&task->call, final);

    if (abdm_failed(err)) {
        if (err.code == ABDM_E_ANSWER_TOO_LARGE) {
            *final = true;
            return ABDM_ERR(RECORD_TOO_LARGE, "over abdm_record_max");
        }
        return err;
    }
    return make_document(task, facility, final);
}


/* --- push --- */

static void
on_push_answer(abdm_call_t *call)
{
    abdm_task_t *task = call->owner;
    int status = call->status;
    abdm_err_t err = call->err;
    bool final = false;

    task->result.status = status;
    if (!abdm_failed(err) && (status < 200 || status > 299)) {
        final = status < 500 && status != 408 && status != 429;
        err = final ? ABDM_ERR(PUSH_REFUSED, "status of the requester's server")
                    : ABDM_ERR(PUSH_FAILED, "status of the requester's server");
    }
    final |= err.code == ABDM_E_PUSH_ADDRESS;
    if (abdm_failed(err)) {
        abdm_log_err(&task->exec->config->log, ABDM_LOG_WARN, err,
                     ABDM_LOG_ID("transfer", task->job.subject),
                     ABDM_LOG_NUMBER("page", task->job.arg), ABDM_LOG_NUMBER("status", status));
    }
    abdm_exec_report(task, err, final);
}


/* The guard where the dialling is: whatever looked the name up, and whenever. */
static abdm_err_t
judge_address(const struct sockaddr *addr, const void *ctx)
{
    return abdm_push_check_addr(addr, ctx);
}


static abdm_err_t
start_push(abdm_exec_t *exec, abdm_task_t *task, const abdm_engine_facility_t *facility,
           bool *final)
{
    abdm_call_t *call = &task->call;
    abdm_err_t err;

    *final = false;
    if (task->job.document == NULL) {
        return ABDM_ERR(SPOOL_LOST, "document of the page");
    }
    err = abdm_push_pin(task, exec->config->push_allow);
    *final = err.code == ABDM_E_PUSH_ADDRESS || err.code == ABDM_E_PUSH_URL;
    ABDM_TRY(err);
    call->dial = judge_address;
    call->dial_ctx = exec->config->push_allow;
    ABDM_TRY(abdm_push_body(task, facility, exec->pairs));
    call->url = strdup(task->transfer.push_url);
    if (call->url == NULL) {
        return ABDM_ERR(MEMORY, "push");
    }
    ABDM_TRY(abdm_call_header(call, "Content-Type", "application/json"));
    ABDM_TRY(abdm_call_header(call, "Accept", "application/json"));
    ABDM_TRY(abdm_call_header(call, "Expect", ""));
    call->total_ms = TRANSFER_MS;
    call->idle_ms = PUSH_IDLE_MS;
    call->answer_max = GATEWAY_ANSWER_MAX;
    call->done = on_push_answer;
    if (abdm_exec_stopping(exec)) { /* the look-up took longer than the process had */
        return ABDM_ERR(STOPPING, "push not begun");
    }
    abdm_http_submit(exec->http, call);
    return ABDM_NO_ERR;
}


/* --- questions and messages --- */

static abdm_err_t
start_question(abdm_exec_t *exec, abdm_task_t *task, const abdm_engine_facility_t *facility,
               bool *final)
{
    ABDM_TRY(abdm_question_start(task, facility, final));
    task->call.done = on_answer;
    abdm_http_submit(exec->http, &task->call);
    return ABDM_NO_ERR;
}


static void
finish_question(abdm_exec_t *exec, abdm_task_t *task, const abdm_engine_facility_t *facility)
{
    bool final = false;
    abdm_err_t err = abdm_question_finish(task, facility, &final);

    if (abdm_failed(err)) {
        abdm_log_err(&exec->config->log, ABDM_LOG_WARN, err,
                     ABDM_LOG_WORD("step", task->job.kind == ABDM_JOB_SMS ? "sms" : "question"),
                     ABDM_LOG_WORD("path", task->job.path),
                     ABDM_LOG_WORD("facility", task->job.hip_id),
                     ABDM_LOG_WORD("event", task->job.event),
                     ABDM_LOG_NUMBER("status", task->call.status));
    }
    abdm_exec_report(task, err, final);
}


/* --- work threads --- */

/* Logs and reports what became of an HMIS's records or document. */
static void
report_hmis(abdm_exec_t *exec, abdm_task_t *task, abdm_err_t err, bool final)
{
    if (abdm_failed(err)) {
        abdm_log_err(&exec->config->log, ABDM_LOG_WARN, err,
                     ABDM_LOG_WORD("step", task->job.kind == ABDM_JOB_RECORDS ? "list" : "record"),
                     ABDM_LOG_WORD("facility", task->job.hip_id),
                     ABDM_LOG_ID("transfer", task->job.subject),
                     ABDM_LOG_NUMBER("page", task->job.arg),
                     ABDM_LOG_NUMBER("status", task->call.status),
                     ABDM_LOG_WORD("where", task->result.where));
    }
    abdm_exec_report(task, err, final);
}


void
abdm_carry_finish(abdm_exec_t *exec, abdm_task_t *task)
{
    const abdm_engine_facility_t *facility = facility_of(exec->config, task->job.hip_id);
    abdm_err_t err;
    bool final = false;

    if (abdm_job_class(task->job.kind) != ABDM_CLASS_BULK) {
        finish_question(exec, task, facility);
        return;
    }
    err = task->job.kind == ABDM_JOB_RECORDS ? finish_records(task, facility, &final)
                                             : finish_document(task, facility, &final);
    report_hmis(exec, task, err, final);
}


void
abdm_carry_start(abdm_exec_t *exec, abdm_task_t *task)
{
    const abdm_engine_facility_t *facility = facility_of(exec->config, task->job.hip_id);
    const char *file;
    abdm_err_t err;
    bool final = true;

    if (facility == NULL) {
        abdm_exec_report(task, ABDM_ERR(FACILITY_UNKNOWN, "no longer configured"), true);
        return;
    }
    switch (task->job.kind) {
    case ABDM_JOB_GATEWAY:
    case ABDM_JOB_LINK:
        err = start_gateway(exec, task);
        final = false;
        break;
    case ABDM_JOB_RECORDS:
        err = start_records(exec, task, facility);
        break;
    case ABDM_JOB_DOCUMENT:
        file = abdm_task_file(task);
        if (file == NULL) {
            err = make_document(task, facility, &final);
            report_hmis(exec, task, err, final);
            return;
        }
        err = start_document(exec, task, facility, file);
        break;
    case ABDM_JOB_PUSH:
        err = start_push(exec, task, facility, &final);
        break;
    case ABDM_JOB_HMIS:
    case ABDM_JOB_SMS:
    case ABDM_JOB_TELL:
        err = start_question(exec, task, facility, &final);
        break;
    default:
        err = ABDM_ERR(INTERNAL, "kind of job");
        break;
    }
    if (abdm_failed(err)) {
        abdm_exec_report(task, err, final);
    }
}
