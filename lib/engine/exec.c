/*
 * Carrying jobs out. For each kind of job: how its call is prepared, and what is made of the
 * answer. Both run on work threads, since mapping, checking, key agreement and name look-ups
 * take their time; calls to the gateway, which need none of it, skip them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/fault.h"
#include "core/id.h"
#include "engine/document.h"
#include "engine/push.h"
#include "engine/task.h"
#include "gateway/answer.h"
#include "gateway/outbound.h"

enum {
    WORKERS = 2,
    LOOKERS = 4, /* look the names of pushes up, which may take as long as somebody likes */
    KEY_PAIRS = 64, /* made ahead of need while a work thread is idle */
    GATEWAY_MS = 30 * 1000,
    GATEWAY_ANSWER_MAX = 64 * 1024,
    LIST_MS = 30 * 1000,
    LIST_MAX = 4 * 1024 * 1024,
    IDLE_MS = 30 * 1000,
    PUSH_IDLE_MS = 60 * 1000, /* a requester may open a large page before it answers */
    TRANSFER_MS = 2 * 60 * 60 * 1000 - 60 * 1000
};

/* Tasks that wait for a thread. */
typedef struct {
    abdm_task_t *first, *last;
    pthread_cond_t ready;
} queue_t;

struct abdm_exec_s {
    const abdm_engine_config_t *config;
    abdm_http_t *http;
    abdm_session_t *session;
    abdm_key_pool_t *pairs;
    void (*done)(abdm_task_t *task, void *ctx);
    void *ctx;

    pthread_t thread[WORKERS + LOOKERS];
    size_t n_threads;
    pthread_mutex_t lock;
    queue_t work, pushes; /* under lock */
    bool stopping;        /* under lock */
};

static void queue_task(abdm_exec_t *exec, queue_t *queue, abdm_task_t *task);


void
abdm_task_free(abdm_task_t *task)
{
    if (task == NULL) {
        return;
    }
    abdm_call_clear(&task->call);
    abdm_digest_free(task->digest);
    abdm_job_clear(&task->job);
    abdm_transfer_clear(&task->transfer);
    abdm_transfer_context_clear(&task->context);
    abdm_page_clear(&task->page);
    free(task->patient_id);
    abdm_spool_free(task->spool);
    json_decref(task->result.records);
    abdm_document_close(task->result.document);
    free(task);
}


static const abdm_engine_facility_t *
facility_of(const abdm_engine_config_t *config, const char *hip_id)
{
    for (size_t i = 0; i < config->n_facility; i++) {
        if (strcmp(config->facility[i].id, hip_id) == 0) {
            return &config->facility[i];
        }
    }
    return NULL;
}


static bool
is_stopping(abdm_exec_t *exec)
{
    bool stopping;

    pthread_mutex_lock(&exec->lock);
    stopping = exec->stopping;
    pthread_mutex_unlock(&exec->lock);
    return stopping;
}


static void
report(abdm_task_t *task, abdm_err_t err, bool final)
{
    task->result.err = err;
    task->result.final = final;
    abdm_fault_point("answered", task->job.event);
    task->exec->done(task, task->exec->ctx);
}


/* --- gateway --- */

static void
on_gateway_answer(abdm_call_t *call)
{
    abdm_task_t *task = call->owner;
    abdm_call_answer_t answer;
    abdm_err_t err = call->err;

    task->result.status = call->status;
    task->retry_after = call->retry_after;
    if (abdm_failed(err)) {
        report(task, err, false);
        return;
    }
    abdm_answer_judge(call->status, call->answer.p, call->answer.len, &answer);
    switch (answer.verdict) {
    case ABDM_CALL_DONE:
        report(task, ABDM_NO_ERR, true);
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
    abdm_log_err(&task->exec->config->log, ABDM_LOG_WARN, err,
                 "path=%s subject=%s status=%d code=%s text=\"%s\"", task->job.path,
                 task->job.subject, call->status, answer.code, answer.text);
    report(task, err, answer.verdict == ABDM_CALL_REFUSED);
}


static abdm_err_t
start_gateway(abdm_exec_t *exec, abdm_task_t *task)
{
    abdm_call_t *call = &task->call;
    abdm_buf_t url = {0}, body = {0};

    abdm_buf_addf(&url, "%s%s", exec->config->gateway_url, task->job.path);
    abdm_buf_add(&body, task->job.body, task->job.body_len);
    call->url = abdm_buf_take(&url);
    call->body = abdm_source_take_buf(&body);
    if (call->url == NULL || call->body == NULL) {
        return ABDM_ERR(MEMORY, "call");
    }
    call->total_ms = GATEWAY_MS;
    call->idle_ms = GATEWAY_MS;
    call->answer_max = GATEWAY_ANSWER_MAX;
    call->done = on_gateway_answer;
    abdm_session_submit(exec->session, call, task->job.request_id, task->job.hip_id,
                        &task->session);
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
    queue_task(task->exec, &task->exec->work, task);
}


/* An HMIS's answer that is not 200: absent is final, trouble may pass. */
static abdm_err_t
hmis_status(const abdm_call_t *call, bool *final)
{
    *final = false;
    ABDM_TRY(call->err);
    if (call->status >= 200 && call->status < 300) {
        return ABDM_NO_ERR;
    }
    if (call->status == 404 || call->status == 410) {
        *final = true;
        return ABDM_ERR(RECORD_NONE, "the HMIS does not know it");
    }
    *final = call->status < 500 && call->status != 408 && call->status != 429;
    return ABDM_ERR(HTTP_STATUS, "the HMIS answered with an error status");
}


static abdm_err_t
send_hmis(abdm_exec_t *exec, abdm_task_t *task, abdm_hmis_request_t *request)
{
    task->call.url = request->url;
    task->call.unix_socket = request->unix_socket;
    request->url = request->unix_socket = NULL;
    task->call.plain_allowed = true;
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

    ABDM_TRY(hmis_status(&task->call, final));
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
        abdm_log(&config->log, ABDM_LOG_WARN, "%s facility=%s transfer=%s page=%d where=%s",
                 task->result.note, task->job.hip_id, task->job.subject, task->job.arg,
                 task->result.where);
    }
    return err;
}


static abdm_err_t
finish_document(abdm_task_t *task, const abdm_engine_facility_t *facility, bool *final)
{
    abdm_err_t err = hmis_status(&task->call, final);

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
                     "push transfer=%s page=%d status=%d", task->job.subject, task->job.arg,
                     status);
    }
    report(task, err, final);
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
    if (is_stopping(exec)) { /* the look-up took longer than the process had */
        return ABDM_ERR(STOPPING, "push not begun");
    }
    abdm_http_submit(exec->http, call);
    return ABDM_NO_ERR;
}


/* --- work threads --- */

/* Logs and reports what became of an HMIS's records or document. */
static void
report_hmis(abdm_exec_t *exec, abdm_task_t *task, abdm_err_t err, bool final)
{
    if (abdm_failed(err)) {
        abdm_log_err(&exec->config->log, ABDM_LOG_WARN, err,
                     "hmis facility=%s transfer=%s %s=%d status=%d%s%s", task->job.hip_id,
                     task->job.subject,
                     task->job.kind == ABDM_JOB_RECORDS ? "context" : "page", task->job.arg,
                     task->call.status, task->result.where[0] != '\0' ? " where=" : "",
                     task->result.where);
    }
    report(task, err, final);
}


static void
finish(abdm_exec_t *exec, abdm_task_t *task)
{
    const abdm_engine_facility_t *facility = facility_of(exec->config, task->job.hip_id);
    abdm_err_t err;
    bool final = false;

    err = task->job.kind == ABDM_JOB_RECORDS ? finish_records(task, facility, &final)
                                             : finish_document(task, facility, &final);
    report_hmis(exec, task, err, final);
}


static void
start(abdm_exec_t *exec, abdm_task_t *task)
{
    const abdm_engine_facility_t *facility = facility_of(exec->config, task->job.hip_id);
    const char *file;
    abdm_err_t err;
    bool final = true;

    if (facility == NULL) {
        report(task, ABDM_ERR(FACILITY_UNKNOWN, "no longer configured"), true);
        return;
    }
    switch (task->job.kind) {
    case ABDM_JOB_GATEWAY:
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
    default:
        err = ABDM_ERR(INTERNAL, "kind of job");
        break;
    }
    if (abdm_failed(err)) {
        report(task, err, final);
    }
}


static void
queue_task(abdm_exec_t *exec, queue_t *queue, abdm_task_t *task)
{
    task->next = NULL;
    pthread_mutex_lock(&exec->lock);
    if (queue->last != NULL) {
        queue->last->next = task;
    } else {
        queue->first = task;
    }
    queue->last = task;
    pthread_cond_signal(&queue->ready);
    pthread_mutex_unlock(&exec->lock);
}


/* Under the lock. */
static abdm_task_t *
take_task(queue_t *queue)
{
    abdm_task_t *task = queue->first;

    if (task != NULL) {
        queue->first = task->next;
        if (queue->first == NULL) {
            queue->last = NULL;
        }
    }
    return task;
}


/* The next task, or NULL when the executor stops. An idle work thread makes key pairs. */
static abdm_task_t *
next_task(abdm_exec_t *exec, queue_t *queue)
{
    size_t made = queue == &exec->work;
    abdm_task_t *task;

    pthread_mutex_lock(&exec->lock);
    while (queue->first == NULL && !exec->stopping) {
        if (made > 0) { /* one, and look again */
            pthread_mutex_unlock(&exec->lock);
            if (abdm_failed(abdm_key_pool_refill(exec->pairs, 1, &made))) {
                made = 0;
            }
            pthread_mutex_lock(&exec->lock);
        } else {
            pthread_cond_wait(&queue->ready, &exec->lock);
            made = queue == &exec->work;
        }
    }
    task = exec->stopping ? NULL : take_task(queue);
    pthread_mutex_unlock(&exec->lock);
    return task;
}


static void *
run_work(void *arg)
{
    abdm_exec_t *exec = arg;
    abdm_task_t *task;

    while ((task = next_task(exec, &exec->work)) != NULL) {
        if (task->call.done == NULL) {
            start(exec, task);
        } else {
            finish(exec, task);
        }
    }
    return NULL;
}


static void *
run_pushes(void *arg)
{
    abdm_exec_t *exec = arg;
    abdm_task_t *task;

    while ((task = next_task(exec, &exec->pushes)) != NULL) {
        start(exec, task);
    }
    return NULL;
}


void
abdm_exec_run(abdm_exec_t *exec, abdm_task_t *task)
{
    task->exec = exec;
    task->call.owner = task;
    if (task->job.kind == ABDM_JOB_GATEWAY) {
        start(exec, task);
    } else {
        queue_task(exec, task->job.kind == ABDM_JOB_PUSH ? &exec->pushes : &exec->work, task);
    }
}


abdm_err_t
abdm_exec_fetch_keys(abdm_exec_t *exec, abdm_keys_fn done, void *ctx)
{
    return abdm_key_fetch(exec->config, exec->http, exec->session, done, ctx);
}


/* --- life --- */

abdm_err_t
abdm_exec_start(const abdm_engine_config_t *config, void (*done)(abdm_task_t *, void *), void *ctx,
                abdm_exec_t **out)
{
    abdm_exec_t *exec = calloc(1, sizeof(*exec));
    abdm_err_t err;

    *out = NULL;
    if (exec == NULL) {
        return ABDM_ERR(MEMORY, "executor");
    }
    exec->config = config;
    exec->done = done;
    exec->ctx = ctx;
    pthread_mutex_init(&exec->lock, NULL);
    pthread_cond_init(&exec->work.ready, NULL);
    pthread_cond_init(&exec->pushes.ready, NULL);
    exec->pairs = abdm_key_pool_new(KEY_PAIRS);
    err = exec->pairs == NULL ? ABDM_ERR(MEMORY, "key pool")
                              : abdm_http_start(config->trust, &exec->http);
    if (!abdm_failed(err)) {
        err = abdm_session_new(config, exec->http, &exec->session);
    }
    while (!abdm_failed(err) && exec->n_threads < WORKERS + LOOKERS) {
        if (pthread_create(&exec->thread[exec->n_threads], NULL,
                           exec->n_threads < WORKERS ? run_work : run_pushes, exec)
            != 0) {
            err = ABDM_ERR(SYSTEM, "work thread");
        } else {
            exec->n_threads++;
        }
    }
    if (abdm_failed(err)) {
        abdm_exec_stop(exec, 1000);
        return err;
    }
    *out = exec;
    return ABDM_NO_ERR;
}


/* Tells what never began, or was aborted and waits for a thread that is gone. */
static void
give_up(abdm_exec_t *exec, queue_t *queue)
{
    abdm_task_t *task;

    for (;;) {
        pthread_mutex_lock(&exec->lock);
        task = take_task(queue);
        pthread_mutex_unlock(&exec->lock);
        if (task == NULL) {
            return;
        }
        report(task, ABDM_ERR(STOPPING, "call aborted"), false);
    }
}


bool
abdm_exec_stop(abdm_exec_t *exec, int64_t deadline_ms)
{
    struct timespec until;
    bool all = true;

    pthread_mutex_lock(&exec->lock);
    exec->stopping = true;
    pthread_cond_broadcast(&exec->work.ready);
    pthread_cond_broadcast(&exec->pushes.ready);
    pthread_mutex_unlock(&exec->lock);

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += deadline_ms / 1000;
    until.tv_nsec += deadline_ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    for (size_t i = 0; i < exec->n_threads; i++) {
        if (pthread_timedjoin_np(exec->thread[i], NULL, &until) != 0) {
            pthread_detach(exec->thread[i]); /* a name look-up that hangs */
            all = false;
        }
    }
    abdm_http_stop(exec->http);
    give_up(exec, &exec->work);
    give_up(exec, &exec->pushes);
    if (!all) {
        return false;
    }
    abdm_http_free(exec->http);
    abdm_session_free(exec->session);
    abdm_key_pool_free(exec->pairs);
    pthread_cond_destroy(&exec->work.ready);
    pthread_cond_destroy(&exec->pushes.ready);
    pthread_mutex_destroy(&exec->lock);
    free(exec);
    return true;
}
