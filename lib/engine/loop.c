/*
 * The store thread. Each turn: take what came, begin a transaction, make new callbacks durable,
 * run the flows of what is durable already and of what was carried out, claim what is due,
 * commit, and only then let the outside see any of it.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/fault.h"
#include "core/id.h"
#include "engine/internal.h"

enum {
    TICK = 500, /* look for due, orphaned and expired work */
    HEARTBEAT = ABDM_LEASE_MS / 3,
    SWEEP = 60 * 1000,
    STORE_PAUSE = 200, /* after a transaction that failed */
    FLOW_PAUSE = 5000, /* after a flow that could not decide */
    BACKOFF_FIRST = 500,
    BACKOFF_MOST = 5 * 60 * 1000,
    NONSENSE_ATTEMPTS = 3,
    REPORT_TRANSFERS = 100
};


static void
close_work(abdm_engine_t *engine, abdm_work_t *work)
{
    if (work->kind == ABDM_WORK_RESULT) {
        atomic_fetch_sub(&engine->under_way, 1);
        atomic_fetch_sub(&engine->open, 1); /* the job's own, beside that of the work */
    }
    abdm_work_free(work);
    atomic_fetch_sub(&engine->open, 1);
}


/* --- jobs --- */

/* A job of this transaction, begun once it is committed. Takes the job. */
static abdm_err_t
keep_fresh(abdm_engine_t *engine, abdm_job_t *job)
{
    if (engine->n_fresh == engine->cap_fresh) {
        size_t cap = engine->cap_fresh == 0 ? 64 : engine->cap_fresh * 2;
        abdm_job_t *more = realloc(engine->fresh, cap * sizeof(*more));

        if (more == NULL) {
            return ABDM_ERR(MEMORY, "jobs");
        }
        engine->fresh = more;
        engine->cap_fresh = cap;
    }
    engine->fresh[engine->n_fresh++] = *job;
    memset(job, 0, sizeof(*job));
    return ABDM_NO_ERR;
}


static bool
has_room(const abdm_engine_t *engine)
{
    return !atomic_load(&engine->draining)
           && atomic_load(&engine->under_way) + engine->n_fresh < ABDM_UNDER_WAY_MAX;
}


/* Each attempt of a call to the gateway has an id of its own, remembered before it is sent. */
static abdm_err_t
stamp(abdm_engine_t *engine, abdm_job_t *job, abdm_ms_t now)
{
    char id[ABDM_UUID_TEXT];

    if (job->kind != ABDM_JOB_GATEWAY) {
        return ABDM_NO_ERR;
    }
    ABDM_TRY(abdm_uuid4(id));
    free(job->request_id);
    job->request_id = strdup(id);
    if (job->request_id == NULL) {
        return ABDM_ERR(MEMORY, "REQUEST-ID");
    }
    return abdm_store_sent(engine->store, job, now);
}


static void
remember_due(abdm_engine_t *engine, abdm_ms_t due)
{
    if (engine->next_due == 0 || due < engine->next_due) {
        engine->next_due = due;
    }
}


static abdm_err_t
add_jobs(abdm_engine_t *engine, abdm_effects_t *effects, abdm_ms_t now)
{
    for (size_t i = 0; i < effects->n; i++) {
        abdm_job_t *job = &effects->item[i].u.job;
        bool mine;

        if (effects->item[i].kind != ABDM_EFFECT_JOB) {
            continue;
        }
        mine = job->due_at <= now && has_room(engine);
        ABDM_TRY(abdm_store_job_add(engine->store, job, mine ? engine->owner : NULL));
        if (mine) {
            ABDM_TRY(stamp(engine, job, now));
            ABDM_TRY(keep_fresh(engine, job));
        } else {
            engine->backlog |= job->due_at <= now;
            remember_due(engine, job->due_at);
        }
    }
    return ABDM_NO_ERR;
}


static abdm_err_t
claim_due(abdm_engine_t *engine, abdm_ms_t now)
{
    abdm_job_t jobs[32];
    size_t n = 0, poisoned = 0;
    abdm_err_t err = ABDM_NO_ERR;

    while (has_room(engine)) {
        ABDM_TRY(abdm_store_job_claim(engine->store, engine->owner, now,
                                      sizeof(jobs) / sizeof(jobs[0]), jobs, &n, &poisoned));
        for (size_t i = 0; i < n; i++) {
            if (!abdm_failed(err)) {
                err = stamp(engine, &jobs[i], now);
            }
            if (!abdm_failed(err)) {
                err = keep_fresh(engine, &jobs[i]);
            }
            abdm_job_clear(&jobs[i]);
        }
        ABDM_TRY(err);
        if (poisoned > 0) {
            abdm_log_err(&engine->config.log, ABDM_LOG_ERROR, ABDM_ERR(POISON, "jobs"), "n=%zu",
                         poisoned);
        }
        if (n + poisoned == 0) {
            break;
        }
    }
    engine->backlog = !has_room(engine);
    return abdm_store_job_next_due(engine->store, &engine->next_due);
}


/* Loads what the task must know of its transfer. */
static abdm_err_t
brief(abdm_engine_t *engine, abdm_task_t *task)
{
    const abdm_view_t *view = abdm_store_view(engine->store);
    const abdm_job_t *job = &task->job;
    abdm_consent_t consent = {0};
    abdm_err_t err;
    int context = job->arg;

    if (job->kind == ABDM_JOB_GATEWAY || job->kind == ABDM_JOB_EVENT) {
        return ABDM_NO_ERR;
    }
    ABDM_TRY(view->transfer(view, job->hip_id, job->subject, &task->transfer));
    if (job->kind != ABDM_JOB_RECORDS) {
        ABDM_TRY(view->page(view, &task->transfer, job->arg, &task->page));
        context = task->page.context;
    }
    ABDM_TRY(view->context(view, &task->transfer, context, &task->context));
    err = view->consent(view, job->hip_id, task->transfer.consent_id, &consent);
    if (!abdm_failed(err)) {
        task->patient_id = consent.patient_id;
        consent.patient_id = NULL;
        abdm_consent_clear(&consent);
    }
    return err.code == ABDM_E_NOT_FOUND ? ABDM_NO_ERR : err;
}


/* After the commit: what was written down as ours begins. */
static void
begin_jobs(abdm_engine_t *engine)
{
    for (size_t i = 0; i < engine->n_fresh; i++) {
        abdm_task_t *task = calloc(1, sizeof(*task));
        abdm_err_t err;

        if (task == NULL) {
            abdm_job_clear(&engine->fresh[i]); /* ours until this process ends */
            continue;
        }
        task->job = engine->fresh[i];
        atomic_fetch_add(&engine->under_way, 1);
        atomic_fetch_add(&engine->open, 1);
        err = brief(engine, task);
        if (task->job.kind == ABDM_JOB_EVENT || abdm_failed(err)) {
            abdm_work_t *work = calloc(1, sizeof(*work));

            task->result.err = err;
            task->result.final = err.code == ABDM_E_NOT_FOUND;
            if (work == NULL) {
                abdm_task_free(task);
                atomic_fetch_sub(&engine->under_way, 1);
                atomic_fetch_sub(&engine->open, 1);
                continue;
            }
            work->kind = ABDM_WORK_RESULT;
            work->task = task;
            abdm_engine_post(engine, work);
        } else {
            abdm_exec_run(engine->exec, task);
        }
    }
    engine->n_fresh = 0;
}


/* --- flows --- */

static abdm_err_t
run_flow(abdm_engine_t *engine, const abdm_event_t *ev)
{
    const abdm_flow_t *flow = engine->config.find_flow(ev->name);
    abdm_flow_ctx_t ctx = {
        .view = abdm_store_view(engine->store),
        .push_allow = engine->config.push_allow,
    };
    abdm_effects_t effects = {0};
    abdm_err_t err;

    if (flow == NULL) {
        return ABDM_ERR(INTERNAL, "event without a flow");
    }
    err = flow->run(&ctx, ev, &effects);
    if (!abdm_failed(err)) {
        err = abdm_store_apply(engine->store, &effects, ev->now);
    }
    if (!abdm_failed(err)) {
        err = add_jobs(engine, &effects, ev->now);
    }
    abdm_effects_clear(&effects);
    atomic_fetch_add(&engine->events, 1);
    return err;
}


static abdm_err_t
make_durable(abdm_engine_t *engine, abdm_work_t *work)
{
    abdm_err_t err = abdm_store_inbox_add(engine->store, &work->callback, engine->owner,
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

    ABDM_TRY(run_flow(engine, &ev));
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

    if (tries_again(task, due)) {
        job->attempts++;
        remember_due(engine, due);
        return abdm_store_job_again(engine->store, job, due);
    }
    ABDM_TRY(run_flow(engine, &ev));
    return abdm_store_job_done(engine->store, job->id);
}


/* A flow that could not decide is tried again later, with what came of its job forgotten. */
static abdm_err_t
postpone(abdm_engine_t *engine, abdm_work_t *work, abdm_err_t why, abdm_ms_t now)
{
    abdm_log_err(&engine->config.log, ABDM_LOG_ERROR, why, "event=%s id=%s",
                 work->kind == ABDM_WORK_RESULT ? work->task->job.event : work->callback.event,
                 work->kind == ABDM_WORK_RESULT ? work->task->job.subject
                                                : work->callback.request_id);
    if (work->kind == ABDM_WORK_RESULT) {
        remember_due(engine, now + FLOW_PAUSE);
        return abdm_store_job_again(engine->store, &work->task->job, now + FLOW_PAUSE);
    }
    return abdm_store_inbox_give_back(engine->store, work->callback.id);
}


static abdm_err_t
ask(abdm_engine_t *engine, abdm_work_t *work)
{
    if (work->text[0] == '\0') {
        return abdm_store_report_transfers(engine->store, REPORT_TRANSFERS, &work->report);
    }
    return abdm_store_report_explain(engine->store, work->text, &work->report);
}


/* One piece of work inside the transaction. An error is one of the transaction as a whole; what
 * concerns the work alone is in work->err. */
static abdm_err_t
do_work(abdm_engine_t *engine, abdm_work_t *work, abdm_ms_t now)
{
    size_t fresh = engine->n_fresh;
    abdm_err_t err;

    if (work->kind == ABDM_WORK_WANT_KEYS) {
        engine->keys_wanted = true;
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
        err = ask(engine, work);
        break;
    default:
        err = abdm_engine_keys_came(engine, work->text, now);
        break;
    }
    work->err = err;
    if (!abdm_failed(err)) {
        return abdm_store_keep(engine->store);
    }
    while (engine->n_fresh > fresh) {
        abdm_job_clear(&engine->fresh[--engine->n_fresh]);
    }
    ABDM_TRY(abdm_store_undo(engine->store));
    if (work->kind == ABDM_WORK_CALLBACK || work->kind == ABDM_WORK_RESULT) {
        return postpone(engine, work, err, now);
    }
    return ABDM_NO_ERR;
}


/* --- housekeeping --- */

static abdm_err_t
claim_orphans(abdm_engine_t *engine)
{
    abdm_callback_t orphans[32];
    size_t n = 0, poisoned = 0;

    ABDM_TRY(abdm_store_inbox_claim(engine->store, engine->owner,
                                    sizeof(orphans) / sizeof(orphans[0]), orphans, &n,
                                    &poisoned));
    for (size_t i = 0; i < n; i++) {
        abdm_work_t *work = calloc(1, sizeof(*work));

        if (work == NULL) {
            abdm_callback_clear(&orphans[i]);
            continue;
        }
        work->kind = ABDM_WORK_CALLBACK;
        work->callback = orphans[i];
        atomic_fetch_add(&engine->open, 1);
        abdm_work_push(&engine->orphans, work);
    }
    if (poisoned > 0) {
        abdm_log_err(&engine->config.log, ABDM_LOG_ERROR, ABDM_ERR(POISON, "callbacks"), "n=%zu",
                     poisoned);
    }
    return ABDM_NO_ERR;
}


static abdm_err_t
housekeeping(abdm_engine_t *engine, abdm_ms_t now)
{
    if (now >= engine->next_heartbeat) {
        engine->next_heartbeat = now + HEARTBEAT;
        ABDM_TRY(abdm_store_heartbeat(engine->store, engine->owner, now + ABDM_LEASE_MS));
    }
    if (atomic_load(&engine->draining)) {
        return ABDM_NO_ERR;
    }
    if (engine->config.worker == 0 && now >= engine->next_tick) {
        ABDM_TRY(abdm_store_release_gone(engine->store, now, abdm_owner_is_gone));
        ABDM_TRY(claim_orphans(engine));
    }
    if (engine->config.worker == 0 && now >= engine->next_sweep) {
        engine->next_sweep = now + SWEEP;
        ABDM_TRY(abdm_store_sweep(engine->store, now));
    }
    if (engine->backlog || now >= engine->next_tick
        || (engine->next_due != 0 && now >= engine->next_due)) {
        ABDM_TRY(claim_due(engine, now));
    }
    if (now >= engine->next_tick) {
        engine->next_tick = now + TICK;
    }
    return ABDM_NO_ERR;
}


static bool
has_duty(const abdm_engine_t *engine, abdm_ms_t now)
{
    return now >= engine->next_tick || now >= engine->next_heartbeat
           || (engine->next_due != 0 && now >= engine->next_due && has_room(engine))
           || (engine->backlog && has_room(engine))
           || (engine->keys_wanted && now >= engine->keys_check_at);
}


/* --- the turn --- */

/* Waits for work or the next duty; gives up to a batch of what came. */
static abdm_work_list_t
take_batch(abdm_engine_t *engine)
{
    abdm_work_list_t batch = {0};
    abdm_work_t *work;
    struct timespec until;
    abdm_ms_t now = abdm_time_now(), wake_at = engine->next_tick;

    if (engine->next_due != 0 && engine->next_due < wake_at) {
        wake_at = engine->next_due;
    }
    if (engine->keys_wait_until != 0 && engine->keys_check_at < wake_at) {
        wake_at = engine->keys_check_at;
    }
    if (wake_at > now + TICK) { /* also when the clock was set back */
        wake_at = now + TICK;
    }
    pthread_mutex_lock(&engine->lock);
    if (wake_at > now && engine->incoming.n == 0 && engine->retry.n == 0
        && !atomic_load(&engine->stopping)) {
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += (wake_at - now) * 1000000;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        pthread_cond_timedwait(&engine->ready, &engine->lock, &until);
    }
    while (batch.n < ABDM_BATCH_MAX && (work = abdm_work_pop(&engine->retry)) != NULL) {
        abdm_work_push(&batch, work);
    }
    while (batch.n < ABDM_BATCH_MAX && (work = abdm_work_pop(&engine->incoming)) != NULL) {
        abdm_work_push(&batch, work);
    }
    pthread_mutex_unlock(&engine->lock);
    return batch;
}


static abdm_err_t
do_batch(abdm_engine_t *engine, const abdm_work_list_t *batch, abdm_ms_t now)
{
    ABDM_TRY(abdm_store_begin(engine->store));
    for (abdm_work_t *work = batch->first; work != NULL; work = work->next) {
        ABDM_TRY(do_work(engine, work, now));
    }
    ABDM_TRY(housekeeping(engine, now));
    ABDM_TRY(abdm_engine_keys_tick(engine, now));
    ABDM_TRY(abdm_store_commit(engine->store));
    atomic_fetch_add(&engine->commits, 1);
    return ABDM_NO_ERR;
}


static void
answer(abdm_engine_t *engine, abdm_work_t *work)
{
    abdm_news_t *news = calloc(1, sizeof(*news));

    if (news == NULL) {
        return; /* the host's own time limit answers */
    }
    news->kind = work->kind == ABDM_WORK_ASK ? ABDM_NEWS_ASK : ABDM_NEWS_CALLBACK;
    news->tag = work->tag;
    news->err = work->err;
    if (work->kind == ABDM_WORK_ASK && !abdm_failed(work->err)) {
        news->text = abdm_buf_take(&work->report);
    }
    abdm_engine_tell(engine, news);
}


/* The transaction is on disk: tell, and go on with what became possible. */
static void
after_commit(abdm_engine_t *engine, abdm_work_list_t *batch)
{
    bool told = false;
    abdm_work_t *work;

    while ((work = abdm_work_pop(batch)) != NULL) {
        switch (work->kind) {
        case ABDM_WORK_ACCEPT:
            abdm_fault_point("accepted", work->callback.path);
            atomic_fetch_sub(&engine->accepting, 1);
            atomic_fetch_add(abdm_failed(work->err)      ? &engine->refused
                             : work->callback.id == 0 ? &engine->repeated
                                                      : &engine->accepted,
                             1);
            answer(engine, work);
            told = true;
            if (!work->finished) {
                work->kind = ABDM_WORK_CALLBACK;
                abdm_work_push(&engine->retry, work);
                continue;
            }
            break;
        case ABDM_WORK_ASK:
            answer(engine, work);
            told = true;
            break;
        case ABDM_WORK_RESULT:
            abdm_fault_point("after", work->task->job.event);
            break;
        case ABDM_WORK_CALLBACK:
            abdm_fault_point("after", work->callback.event);
            break;
        default:
            break;
        }
        close_work(engine, work);
    }
    while ((work = abdm_work_pop(&engine->orphans)) != NULL) {
        abdm_work_push(&engine->retry, work);
    }
    if (told) {
        engine->wake(engine->wake_ctx);
    }
    begin_jobs(engine);
    if (engine->keys_fetching && !engine->keys_begun) {
        engine->keys_begun = true;
        abdm_engine_keys_begin(engine);
    } else if (!engine->keys_fetching) {
        engine->keys_begun = false;
    }
}


/* Nothing of it happened: who waits for an answer is told so, the rest comes again. */
static void
after_failure(abdm_engine_t *engine, abdm_work_list_t *batch, abdm_err_t err)
{
    const struct timespec pause = {0, STORE_PAUSE * 1000000L};
    abdm_work_t *work;

    abdm_store_rollback(engine->store);
    abdm_log_err(&engine->config.log, ABDM_LOG_ERROR, err, "transaction of %zu", batch->n);
    for (size_t i = 0; i < engine->n_fresh; i++) {
        abdm_job_clear(&engine->fresh[i]);
    }
    engine->n_fresh = 0;
    while ((work = abdm_work_pop(&engine->orphans)) != NULL) {
        close_work(engine, work);
    }
    if (!engine->keys_begun) {
        engine->keys_fetching = false;
    }
    while ((work = abdm_work_pop(batch)) != NULL) {
        if (work->kind == ABDM_WORK_ACCEPT || work->kind == ABDM_WORK_ASK) {
            work->err = err;
            if (work->kind == ABDM_WORK_ACCEPT) {
                atomic_fetch_sub(&engine->accepting, 1);
                atomic_fetch_add(&engine->refused, 1);
            }
            answer(engine, work);
            close_work(engine, work);
        } else {
            abdm_work_push(&engine->retry, work);
        }
    }
    engine->wake(engine->wake_ctx);
    nanosleep(&pause, NULL);
}


static void
turn(abdm_engine_t *engine)
{
    abdm_work_list_t batch = take_batch(engine);
    abdm_ms_t now = abdm_time_now();
    abdm_err_t err;

    if (batch.n == 0 && !has_duty(engine, now)) {
        return;
    }
    err = do_batch(engine, &batch, now);
    if (abdm_failed(err)) {
        after_failure(engine, &batch, err);
    } else {
        after_commit(engine, &batch);
    }
}


void *
abdm_engine_loop(void *arg)
{
    abdm_engine_t *engine = arg;
    abdm_err_t err;

    while (!atomic_load(&engine->stopping)) {
        turn(engine);
    }
    turn(engine); /* what came last */

    err = abdm_store_begin(engine->store);
    if (!abdm_failed(err)) {
        err = abdm_store_release(engine->store, engine->owner);
    }
    if (!abdm_failed(err)) {
        err = abdm_store_commit(engine->store);
    }
    if (abdm_failed(err)) {
        abdm_store_rollback(engine->store);
        abdm_log_err(&engine->config.log, ABDM_LOG_ERROR, err, "work could not be given back");
    }
    return NULL;
}
