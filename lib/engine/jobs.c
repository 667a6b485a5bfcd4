/*
 * Jobs between store and executor: which ones this process takes on, and how those that were
 * written down begin. On the store thread.
 */
#include <stdlib.h>
#include <string.h>

#include "core/id.h"
#include "engine/internal.h"

enum { FEED_SLACK = 60 * 1000 }; /* of a chain beyond `poll`: one question with its repetitions */


/* A job of this transaction, begun once it is committed. Takes the job. All memory that its way
 * back into the store takes is had now: later nothing could be undone. */
static abdm_err_t
keep_fresh(abdm_engine_t *engine, abdm_job_t *job)
{
    abdm_task_t *task;

    if (engine->n_fresh == engine->cap_fresh) {
        size_t cap = engine->cap_fresh == 0 ? 64 : engine->cap_fresh * 2;
        abdm_task_t **more = realloc(engine->fresh, cap * sizeof(abdm_task_t *));

        if (more == NULL) {
            return ABDM_ERR(MEMORY, "jobs");
        }
        engine->fresh = more;
        engine->cap_fresh = cap;
    }
    task = calloc(1, sizeof(*task));
    if (task == NULL) {
        return ABDM_ERR(MEMORY, "job");
    }
    task->work = calloc(1, sizeof(*task->work));
    if (task->work == NULL) {
        free(task);
        return ABDM_ERR(MEMORY, "job");
    }
    engine->fresh_of[abdm_job_class(job->kind)]++;
    task->job = *job;
    memset(job, 0, sizeof(*job));
    engine->fresh[engine->n_fresh++] = task;
    return ABDM_NO_ERR;
}


/* Those with calls are no more in all than the connections that the client keeps: none waits for
 * another's. */
static const size_t class_max[ABDM_CLASSES] = {
    [ABDM_CLASS_MOMENT] = 256,
    [ABDM_CLASS_GATEWAY] = 96,
    [ABDM_CLASS_LINK] = 32,
    [ABDM_CLASS_HMIS] = 160,
    [ABDM_CLASS_TELL] = 16,
    [ABDM_CLASS_BULK] = 96,
};


abdm_job_class_t
abdm_job_class(abdm_job_kind_t kind)
{
    switch (kind) {
    case ABDM_JOB_EVENT:
        return ABDM_CLASS_MOMENT;
    case ABDM_JOB_GATEWAY:
        return ABDM_CLASS_GATEWAY;
    case ABDM_JOB_LINK:
        return ABDM_CLASS_LINK;
    case ABDM_JOB_HMIS:
    case ABDM_JOB_SMS:
        return ABDM_CLASS_HMIS;
    case ABDM_JOB_TELL:
        return ABDM_CLASS_TELL;
    case ABDM_JOB_RECORDS:
    case ABDM_JOB_DOCUMENT:
    case ABDM_JOB_PUSH:
    case ABDM_JOB_KINDS:
        break;
    }
    return ABDM_CLASS_BULK;
}


bool
abdm_engine_has_room(const abdm_engine_t *engine, abdm_job_class_t class)
{
    return !atomic_load(&engine->draining)
           && atomic_load(&engine->taken[class]) + engine->fresh_of[class]
                  < class_max[class] + engine->leaving_of[class];
}


/* The kinds of jobs that may be claimed, as a set. */
static unsigned
kinds_with_room(const abdm_engine_t *engine)
{
    unsigned kinds = 0;

    for (unsigned kind = 0; kind < ABDM_JOB_KINDS; kind++) {
        if (abdm_engine_has_room(engine, abdm_job_class((abdm_job_kind_t) kind))) {
            kinds |= 1U << kind;
        }
    }
    return kinds;
}


bool
abdm_engine_is_due(const abdm_engine_t *engine, abdm_ms_t now)
{
    if (engine->next_due != 0 && now >= engine->next_due) {
        return true;
    }
    for (int class = 0; class < ABDM_CLASSES; class ++) {
        if (engine->full[class] && abdm_engine_has_room(engine, (abdm_job_class_t) class)) {
            return true;
        }
    }
    return false;
}


static bool
is_gateway(const abdm_job_t *job)
{
    return job->kind == ABDM_JOB_GATEWAY || job->kind == ABDM_JOB_LINK;
}


/* Each attempt of a call to the gateway has an id of its own, remembered before it is sent. */
static abdm_err_t
stamp(abdm_engine_t *engine, abdm_job_t *job, abdm_ms_t now)
{
    char id[ABDM_UUID_TEXT];

    if (!is_gateway(job)) {
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


void
abdm_engine_due_at(abdm_engine_t *engine, abdm_ms_t due)
{
    if (engine->next_due == 0 || due < engine->next_due) {
        engine->next_due = due;
    }
}


/* May a new job begin at once? Those that wait in the store come first, but for what follows on
 * a job that ends: what was begun is brought to its end. */
static bool
may_begin(const abdm_engine_t *engine, abdm_job_class_t class)
{
    return abdm_engine_has_room(engine, class)
           && (!engine->full[class] || engine->replacing == (int) class);
}


abdm_err_t
abdm_engine_add_jobs(abdm_engine_t *engine, abdm_effects_t *effects, abdm_ms_t now)
{
    for (size_t i = 0; i < effects->n; i++) {
        abdm_job_t *job = &effects->item[i].u.job;
        bool mine;

        if (effects->item[i].kind != ABDM_EFFECT_JOB) {
            continue;
        }
        mine = job->due_at <= now
               && (may_begin(engine, abdm_job_class(job->kind))
                   || (job->document != NULL && !atomic_load(&engine->draining)));
        ABDM_TRY(abdm_store_job_add(engine->store, job, mine ? engine->owner : NULL));
        if (mine) {
            ABDM_TRY(stamp(engine, job, now));
            ABDM_TRY(keep_fresh(engine, job));
        } else {
            engine->full[abdm_job_class(job->kind)] |= job->due_at <= now;
            if (job->due_at > now) {
                abdm_engine_due_at(engine, job->due_at);
            }
        }
    }
    return ABDM_NO_ERR;
}


abdm_err_t
abdm_engine_claim_due(abdm_engine_t *engine, abdm_ms_t now)
{
    abdm_job_t jobs[16];
    abdm_err_t err = ABDM_NO_ERR;
    size_t n = 1;

    while (n > 0 && kinds_with_room(engine) != 0) {
        ABDM_TRY(abdm_store_job_claim(engine->store, engine->owner, now, kinds_with_room(engine),
                                      sizeof(jobs) / sizeof(jobs[0]), jobs, &n));
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
    }
    for (int class = 0; class < ABDM_CLASSES; class ++) {
        engine->full[class] = !abdm_engine_has_room(engine, (abdm_job_class_t) class);
    }
    return abdm_store_job_next_due(engine->store, kinds_with_room(engine), &engine->next_due);
}


abdm_err_t
abdm_engine_start_feeds(abdm_engine_t *engine, abdm_ms_t now)
{
    for (size_t i = 0; i < engine->config.n_facility; i++) {
        const abdm_facility_t *facility = &engine->config.facility[i].facts;
        abdm_job_t job = {
            .kind = ABDM_JOB_EVENT,
            .event = "feed.due",
            .hip_id = (char *) facility->id,
            .subject = "",
            .due_at = now,
            .created_at = now,
            .deadline_at = now,
        };
        /* one that is further away was set before the clock was set back; it ends by itself */
        abdm_ms_t until = now + facility->poll + FEED_SLACK;
        bool waits = false, asks = false;

        if (facility->poll == 0) {
            continue;
        }
        ABDM_TRY(abdm_store_job_unique(engine->store, facility->id, "feed.due", until, &waits));
        ABDM_TRY(abdm_store_job_unique(engine->store, facility->id, "feed.came", until, &asks));
        if (!waits && !asks) {
            ABDM_TRY(abdm_store_job_add(engine->store, &job, NULL));
            abdm_engine_due_at(engine, now);
        }
    }
    return ABDM_NO_ERR;
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

    if (abdm_job_class(job->kind) != ABDM_CLASS_BULK) {
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


static void
begin_job(abdm_engine_t *engine, abdm_task_t *task)
{
    atomic_fetch_add(&engine->open, 1);
    atomic_fetch_add(&engine->under_way, 1);
    atomic_fetch_add(&engine->taken[abdm_job_class(task->job.kind)], 1);
    if (task->job.poisoned) {
        task->result.err = ABDM_ERR(POISON, "it ended its workers again and again");
        task->result.final = true;
    } else if (task->job.spoiled) {
        task->result.err = ABDM_ERR(SEAL, "what was written down of it does not open");
    } else if (task->job.retaken && is_gateway(&task->job)
               && task->job.deadline_at <= task->job.created_at) {
        task->result.err = ABDM_ERR(STOPPING, "what came of the call was lost with its worker");
        task->result.final = true;
    } else {
        task->result.err = brief(engine, task);
        task->result.final = task->result.err.code == ABDM_E_NOT_FOUND;
    }
    if (task->job.kind == ABDM_JOB_EVENT || abdm_failed(task->result.err)) {
        abdm_engine_post_result(engine, task); /* straight to its flow */
    } else {
        abdm_exec_run(engine->exec, task);
    }
}


void
abdm_engine_drop_jobs(abdm_engine_t *engine, size_t keep)
{
    while (engine->n_fresh > keep) {
        abdm_task_t *task = engine->fresh[--engine->n_fresh];

        engine->fresh_of[abdm_job_class(task->job.kind)]--;
        abdm_task_free(task);
    }
}


void
abdm_engine_begin_jobs(abdm_engine_t *engine)
{
    for (size_t i = 0; i < engine->n_fresh; i++) {
        if (atomic_load(&engine->stopping)) {
            abdm_task_free(engine->fresh[i]);
        } else {
            begin_job(engine, engine->fresh[i]);
        }
    }
    engine->n_fresh = 0;
    memset(engine->fresh_of, 0, sizeof(engine->fresh_of));
}
