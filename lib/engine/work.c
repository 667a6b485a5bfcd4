/*
 * One piece of work inside a transaction: a callback made durable, the flow of an event run and
 * its effects written, a result that is tried again. On the store thread.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/fault.h"
#include "core/json.h"
#include "engine/internal.h"

enum {
    FLOW_PAUSE = 5000, /* after a flow that could not decide */
    SPOILED_PAUSE = 60 * 1000, /* until somebody has put the key right, or the store */
    BACKOFF_FIRST = 500,
    BACKOFF_MOST = 5 * 60 * 1000,
    NONSENSE_ATTEMPTS = 3,
    REPORT_TRANSFERS = 100
};


/* What an operator should look at is in the log, and what a flow refused or gave up; but what a
 * call out met was logged with it. */
static void
log_noteworthy(const abdm_engine_t *engine, const abdm_event_t *ev, const abdm_effects_t *effects)
{
    for (size_t i = 0; i < effects->n; i++) {
        const abdm_effect_t *effect = &effects->item[i];
        const abdm_audit_t *audit = &effect->u.audit;

        if (effect->kind != ABDM_EFFECT_AUDIT) {
            continue;
        }
        if (audit->alert) {
            abdm_log(&engine->config.log, ABDM_LOG_WARN, "alert:",
                     ABDM_LOG_WORDS("", audit->what), ABDM_LOG_WORD("facility", effect->hip_id),
                     ABDM_LOG_ID("id", effect->subject), ABDM_LOG_WORDS("detail", audit->detail));
        } else if (audit->code != ABDM_OK && ev->result == NULL) {
            abdm_err_t err = {audit->code, "", "flow"};

            abdm_log_err(&engine->config.log, ABDM_LOG_WARN, err,
                         ABDM_LOG_WORDS("", audit->what), ABDM_LOG_WORDS("detail", audit->detail),
                         ABDM_LOG_WORD("facility", effect->hip_id),
                         ABDM_LOG_ID("id", effect->subject), ABDM_LOG_WORD("event", ev->name),
                         ABDM_LOG_ID("request", ev->request_id));
        }
    }
}


/* `caller` asked for it; NULL: nobody, a job has ended. `work`: of a call of the API, which gets the
 * flow's answer; else NULL. */
static abdm_err_t
run_flow(abdm_engine_t *engine, const abdm_event_t *ev, const char *caller, abdm_work_t *work)
{
    const abdm_flow_t *flow = engine->config.find_flow(ev->name);
    abdm_facility_t unknown = {.id = ev->hip_id, .name = ev->hip_id};
    abdm_flow_ctx_t ctx = {
        .view = abdm_store_view(engine->store),
        .push_allow = engine->config.push_allow,
        .policy = &engine->config.policy,
        .signers = engine->config.signers,
        .facility = &unknown, /* no longer configured: nothing can be asked there */
        .key = engine->config.seal_key,
        .matcher = engine->matcher,
    };
    abdm_effects_t effects = {0};
    abdm_err_t err;

    if (flow == NULL) {
        return ABDM_ERR(INTERNAL, "event without a flow");
    }
    for (size_t i = 0; i < engine->config.n_facility; i++) {
        if (strcmp(engine->config.facility[i].facts.id, ev->hip_id) == 0) {
            ctx.facility = &engine->config.facility[i].facts;
        }
    }
    effects.caller = caller;
    effects.request_id = caller != NULL && work == NULL ? ev->request_id : NULL;
    err = flow->run(&ctx, ev, &effects);
    if (!abdm_failed(err)) {
        err = abdm_store_apply(engine->store, &effects, ev->now);
    }
    if (!abdm_failed(err)) {
        err = abdm_engine_add_jobs(engine, &effects, ev->now);
    }
    if (!abdm_failed(err) && work != NULL) {
        work->status = effects.reply_status;
        work->refusal = effects.refusal;
        work->report = effects.reply;
        effects.reply = (abdm_buf_t){0};
    }
    if (!abdm_failed(err)) {
        log_noteworthy(engine, ev, &effects);
    }
    abdm_effects_clear(&effects);
    atomic_fetch_add(&engine->events, 1);
    return err;
}


/* An envelope that no flow could open is refused instead of kept. */
static abdm_err_t
judge_body(const abdm_callback_t *callback)
{
    json_t *body = NULL;
    abdm_err_t err;

    err = abdm_json_parse(callback->body, callback->body_len, ABDM_JSON_DEPTH, &body);
    if (!abdm_failed(err) && !json_is_object(body)) {
        err = ABDM_ERR(JSON, "body: an object is expected");
    }
    json_decref(body);
    return err;
}


static abdm_err_t
make_durable(abdm_engine_t *engine, abdm_work_t *work)
{
    abdm_err_t err = judge_body(&work->callback);

    if (abdm_failed(err)) {
        work->finished = true;
        return err;
    }
    err = abdm_store_inbox_add(engine->store, &work->callback, engine->owner,
                                          &work->callback.id);

    work->finished = abdm_failed(err) || work->callback.id == 0 || work->callback.event == NULL;
    return err;
}


static abdm_err_t
run_callback(abdm_engine_t *engine, abdm_work_t *work, abdm_ms_t now)
{
    const abdm_callback_t *cb = &work->callback;
    abdm_event_t ev = {
        .name = cb->event,
        .hip_id = cb->hip_id,
        .subject = "",
        .request_id = cb->request_id,
        .body = cb->body,
        .body_len = cb->body_len,
        .at = cb->received_at,
        .now = now,
    };

    if (cb->spoiled) {
        return ABDM_ERR(SEAL, "callback: its body does not open");
    }
    ABDM_TRY(run_flow(engine, &ev, "gateway", NULL));
    return abdm_store_inbox_done(engine->store, cb->id);
}


static abdm_ms_t
backoff(const abdm_job_t *job, int retry_after)
{
    abdm_ms_t wait = BACKOFF_FIRST;
    unsigned random = 0;

    for (int i = 0; i < job->attempts && wait < BACKOFF_MOST; i++) {
        wait *= 2;
    }
    if (getentropy(&random, sizeof(random)) != 0) {
        random = (unsigned) job->id;
    }
    wait = wait * 3 / 4 + (abdm_ms_t) (random % (unsigned) (wait / 2 + 1));
    if (wait < (abdm_ms_t) retry_after * 1000) {
        wait = (abdm_ms_t) retry_after * 1000;
    }
    return wait < BACKOFF_MOST ? wait : BACKOFF_MOST;
}


/* Should the engine try the job again before its flow hears of it? */
static bool
tries_again(const abdm_task_t *task, abdm_ms_t due)
{
    const abdm_result_t *result = &task->result;

    if (!abdm_failed(result->err) || result->final || task->job.kind == ABDM_JOB_PUSH
        || task->job.kind == ABDM_JOB_EVENT || due >= task->job.deadline_at) {
        return false;
    }
    return result->err.code != ABDM_E_HMIS_ANSWER || task->job.attempts + 1 < NONSENSE_ATTEMPTS;
}


/* A moment that nobody survived: it is not lived through again. */
static abdm_err_t
bury(abdm_engine_t *engine, const abdm_task_t *task)
{
    abdm_effects_t effects = {0};
    abdm_err_t err;

    abdm_log_err(&engine->config.log, ABDM_LOG_ERROR, task->result.err,
                 ABDM_LOG_WORD("event", task->job.event), ABDM_LOG_ID("id", task->job.subject));
    abdm_effect_audit(&effects, task->job.hip_id, task->job.subject, "event put aside",
                      task->result.err, task->job.event);
    err = abdm_store_apply(engine->store, &effects, abdm_time_now());
    abdm_effects_clear(&effects);
    ABDM_TRY(err);
    return abdm_store_job_done(engine->store, task->job.id);
}


static abdm_err_t
run_result(abdm_engine_t *engine, abdm_work_t *work, abdm_ms_t now)
{
    abdm_task_t *task = work->task;
    abdm_job_t *job = &task->job;
    abdm_ms_t due = now + (task->retry_after < 0 ? 0 : backoff(job, task->retry_after));
    abdm_event_t ev = {
        .name = job->event,
        .hip_id = job->hip_id,
        .subject = job->subject,
        .arg = job->arg,
        .request_id = job->request_id,
        .body = job->body,
        .body_len = job->body_len,
        .at = job->created_at,
        .now = now,
        .result = job->kind == ABDM_JOB_EVENT ? NULL : &task->result,
    };
    abdm_err_t err;

    engine->leaving_of[abdm_job_class(job->kind)]++;
    if (job->poisoned && job->kind == ABDM_JOB_EVENT) {
        return bury(engine, task);
    }
    if (job->spoiled && job->kind == ABDM_JOB_EVENT) {
        return task->result.err; /* its flow may want what does not open */
    }
    if (tries_again(task, due)) {
        abdm_engine_due_at(engine, due);
        return abdm_store_job_again(engine->store, job, due, job->attempts + 1);
    }
    engine->replacing = (int) abdm_job_class(job->kind);
    err = run_flow(engine, &ev, NULL, NULL);
    engine->replacing = -1;
    ABDM_TRY(err);
    return abdm_store_job_done(engine->store, job->id);
}


/* A flow that could not decide is tried again later, with what came of its job forgotten. */
static abdm_err_t
postpone(abdm_engine_t *engine, abdm_work_t *work, abdm_err_t why, abdm_ms_t now)
{
    abdm_ms_t due = now + (why.code == ABDM_E_SEAL ? SPOILED_PAUSE : FLOW_PAUSE);

    abdm_engine_due_at(engine, due);
    if (work->kind == ABDM_WORK_RESULT) {
        const abdm_job_t *job = &work->task->job;

        ABDM_TRY(abdm_store_job_again(engine->store, job, due, job->attempts));
        abdm_log_err(&engine->config.log, ABDM_LOG_ERROR, why,
                     ABDM_LOG_WORD("event", job->event), ABDM_LOG_ID("id", job->subject));
        return ABDM_NO_ERR;
    }
    ABDM_TRY(abdm_store_inbox_give_back(engine->store, work->callback.id, due));
    abdm_log_err(&engine->config.log, ABDM_LOG_ERROR, why,
                 ABDM_LOG_WORD("event", work->callback.event),
                 ABDM_LOG_ID("id", work->callback.request_id));
    return ABDM_NO_ERR;
}


static abdm_err_t
run_call(abdm_engine_t *engine, abdm_work_t *work, abdm_ms_t now)
{
    const abdm_api_call_t *call = &work->call;
    abdm_event_t ev = {
        .name = call->route->event,
        .hip_id = call->hip_id,
        .subject = call->subject,
        .request_id = "",
        .body = call->body,
        .body_len = call->body_len,
        .query = call->query,
        .at = now,
        .now = now,
    };

    return run_flow(engine, &ev, "hospital", work);
}


abdm_err_t
abdm_engine_report(abdm_engine_t *engine, abdm_work_t *work)
{
    work->status = 200;
    switch (work->call.route->report) {
    case ABDM_REPORT_TRANSFERS:
        return abdm_store_report_transfers(engine->store, work->call.hip_id, REPORT_TRANSFERS,
                                           &work->report);
    case ABDM_REPORT_EXPLAIN:
        return abdm_store_report_explain(engine->store, work->call.hip_id, work->call.subject,
                                         &work->report);
    case ABDM_REPORT_NONE:
        break;
    }
    return ABDM_NO_ERR;
}


abdm_err_t
abdm_engine_do(abdm_engine_t *engine, abdm_work_t *work, abdm_ms_t now)
{
    size_t fresh = engine->n_fresh;
    abdm_err_t err;

    if (work->kind == ABDM_WORK_ASK && work->call.route->report != ABDM_REPORT_NONE) {
        return ABDM_NO_ERR; /* answered before, without the write lock */
    }
    if (work->kind == ABDM_WORK_WANT_KEYS) {
        engine->keys_wanted = true;
        engine->keys_wanted_at = now;
        return ABDM_NO_ERR;
    }
    ABDM_TRY(abdm_store_mark(engine->store));
    switch (work->kind) {
    case ABDM_WORK_ACCEPT:
        err = make_durable(engine, work);
        break;
    case ABDM_WORK_CALLBACK:
        abdm_fault_point("before", work->callback.event);
        err = run_callback(engine, work, now);
        break;
    case ABDM_WORK_RESULT:
        abdm_fault_point("before", work->task->job.event);
        err = run_result(engine, work, now);
        break;
    case ABDM_WORK_ASK:
        err = run_call(engine, work, now);
        break;
    default:
        err = abdm_engine_keys_came(engine, work->text, now);
        break;
    }
    work->err = err;
    if (!abdm_failed(err)) {
        return abdm_store_keep(engine->store);
    }
    abdm_engine_drop_jobs(engine, fresh);
    ABDM_TRY(abdm_store_undo(engine->store));
    if (work->kind == ABDM_WORK_CALLBACK || work->kind == ABDM_WORK_RESULT) {
        return postpone(engine, work, err, now);
    }
    return ABDM_NO_ERR;
}
