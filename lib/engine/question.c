/*
 * Questions to the HMIS other than for records, and messages to the SMS provider: a job's body has
 * the variables, its path the operation or the message. On work threads, as mapping takes its
 * time.
 */
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "engine/task.h"

enum {
    TOTAL_MS = 30 * 1000,
    SHORTEST_MS = 500,
    ANSWER_MAX = 4 * 1024 * 1024
};


abdm_err_t
abdm_hmis_status(const abdm_call_t *call, bool *final)
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


abdm_err_t
abdm_call_take_request(abdm_call_t *call, abdm_hmis_request_t *request)
{
    abdm_err_t err = ABDM_NO_ERR;

    call->url = request->url;
    call->unix_socket = request->unix_socket;
    call->plain_allowed = true;
    request->url = request->unix_socket = NULL;
    if (request->body != NULL) {
        abdm_buf_t body = {0};

        abdm_buf_add(&body, request->body, request->body_len);
        call->body = abdm_source_take_buf(&body);
        err = call->body == NULL ? ABDM_ERR(MEMORY, "call")
                                 : abdm_call_header(call, "Content-Type", request->content_type);
        if (!abdm_failed(err)) {
            err = abdm_call_header(call, "Expect", "");
        }
    }
    for (char **line = request->header; line != NULL && *line != NULL && !abdm_failed(err);
         line++) {
        struct curl_slist *more = curl_slist_append(call->headers, *line);

        if (more == NULL) {
            err = ABDM_ERR(MEMORY, "header");
        } else {
            call->headers = more;
        }
    }
    abdm_hmis_request_clear(request);
    return err;
}


static abdm_err_t
request_of(abdm_task_t *task, const abdm_engine_facility_t *facility, abdm_hmis_request_t *request)
{
    const abdm_job_t *job = &task->job;
    abdm_hmis_op_t op;

    if (job->kind == ABDM_JOB_SMS) {
        if (facility->sms == NULL) {
            return ABDM_ERR(SMS, "the facility has no provider");
        }
        return abdm_sms_request(facility->sms, job->path, task->vars, request);
    }
    if (!abdm_hmis_op_parse(abdm_str(job->path), &op)
        || job->arg >= abdm_hmis_questions(facility->hmis, op)) {
        return ABDM_ERR(CONFIG, "the mapping no longer has this question");
    }
    if (!abdm_hmis_can_ask(facility->hmis, op, job->arg, task->vars)) {
        return ABDM_ERR(FIELD, "values that the question needs are not there");
    }
    return abdm_hmis_ask(facility->hmis, op, job->arg, task->vars, request);
}


abdm_err_t
abdm_question_start(abdm_task_t *task, const abdm_engine_facility_t *facility, bool *final)
{
    const abdm_job_t *job = &task->job;
    abdm_hmis_request_t request = {0};
    abdm_ms_t left = job->deadline_at - abdm_time_now();
    abdm_err_t err;

    if (job->kind == ABDM_JOB_HMIS && left <= 0) {
        *final = true; /* with more of them than can be asked, the HMIS is kept for the others */
        return ABDM_ERR(TIMEOUT, "nobody waits for the HMIS's answer any more");
    }
    err = abdm_json_parse(job->body, job->body_len, ABDM_JSON_DEPTH, &task->vars);
    if (!abdm_failed(err)) {
        err = request_of(task, facility, &request);
    }
    *final = err.code != ABDM_E_MEMORY;
    ABDM_TRY(err);
    *final = false;
    task->call.total_ms = left > TOTAL_MS ? TOTAL_MS : left < SHORTEST_MS ? SHORTEST_MS : left;
    task->call.idle_ms = task->call.total_ms;
    task->call.answer_max = ANSWER_MAX;
    return abdm_call_take_request(&task->call, &request);
}


static abdm_err_t
finish_sms(abdm_task_t *task, const abdm_engine_facility_t *facility, bool *final)
{
    abdm_err_t err = task->call.err;
    bool again = true;

    if (!abdm_failed(err)) {
        err = abdm_sms_judge(facility->sms, task->call.status, task->call.answer.p,
                             task->call.answer.len, &again);
    }
    *final = !again;
    return err;
}


abdm_err_t
abdm_question_finish(abdm_task_t *task, const abdm_engine_facility_t *facility, bool *final)
{
    abdm_hmis_op_t op;

    *final = false;
    if (task->job.kind == ABDM_JOB_SMS) {
        return finish_sms(task, facility, final);
    }
    ABDM_TRY(abdm_hmis_status(&task->call, final));
    *final = true;
    if (!abdm_hmis_op_parse(abdm_str(task->job.path), &op)) {
        return ABDM_ERR(INTERNAL, "question");
    }
    return abdm_hmis_answer(facility->hmis, op, task->job.arg, task->vars, task->call.answer.p,
                            task->call.answer.len, &task->result.records);
}
