/*
 * The store thread. Each turn: take what came, begin a transaction, make new callbacks durable,
 * run the flows of what is durable already and of what was carried out, claim what is due,
 * commit, and only then let the outside see any of it.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "core/fault.h"
#include "engine/internal.h"

enum {
    TICK = 500, /* look for due, orphaned and expired work */
    HEARTBEAT = ABDM_LEASE_MS / 3,
    SWEEP = 60 * 1000,
    STORE_PAUSE = 200, /* after a transaction that failed */
    COMPLAINT = 60 * 1000,
    CLOCK_SLACK = 1000, /* of a clock that goes back */
    NICENESS = 10 /* the host's event loop may share a processor with us: it goes first */
};


static void
close_work(abdm_engine_t *engine, abdm_work_t *work)
{
    if (work->kind == ABDM_WORK_RESULT) {
        abdm_engine_forget(engine, work->task);
        work->task = NULL;
    }
    abdm_work_free(work);
    atomic_fetch_sub(&engine->open, 1);
}


/* --- housekeeping --- */

static abdm_err_t
claim_orphans(abdm_engine_t *engine, abdm_ms_t now)
{
    abdm_callback_t orphans[32];
    size_t n = 0, poisoned = 0;

    ABDM_TRY(abdm_store_inbox_claim(engine->store, engine->owner, now,
                                    sizeof(orphans) / sizeof(orphans[0]), orphans, &n,
                                    &poisoned));
    for (size_t i = 0; i < n; i++) {
        abdm_work_t *work = calloc(1, sizeof(*work));

        if (work == NULL) {
            while (i < n) {
                abdm_callback_clear(&orphans[i++]);
            }
            return ABDM_ERR(MEMORY, "callbacks"); /* they stay orphans */
        }
        work->kind = ABDM_WORK_CALLBACK;
        work->callback = orphans[i];
        atomic_fetch_add(&engine->open, 1);
        abdm_work_push(&engine->orphans, work);
    }
    if (poisoned > 0) {
        abdm_log_err(&engine->config.log, ABDM_LOG_ERROR, ABDM_ERR(POISON, "callbacks"),
                     ABDM_LOG_NUMBER("n", (long long) poisoned));
    }
    return ABDM_NO_ERR;
}


static abdm_err_t
heed_clock(const abdm_engine_t *engine, abdm_ms_t now)
{
    int moved;

    ABDM_TRY(abdm_store_clock(engine->store, now, &moved));
    if (moved > 0) {
        abdm_log(&engine->config.log, ABDM_LOG_WARN,
                 "the clock was set back, work does not wait for its old time:",
                 ABDM_LOG_NUMBER("n", moved));
    }
    return ABDM_NO_ERR;
}


/* Intervals by the monotonic clock, so that a clock that is set leaves them alone. */
static abdm_err_t
housekeeping(abdm_engine_t *engine, abdm_ms_t now)
{
    abdm_ms_t tick = abdm_time_monotonic();
    bool ticks = tick >= engine->next_tick, more = false, again = false;

    if (ticks) {
        engine->next_tick = tick + TICK;
    }
    if (tick >= engine->next_heartbeat) {
        engine->next_heartbeat = tick + HEARTBEAT;
        ABDM_TRY(abdm_store_heartbeat(engine->store, engine->owner, now + ABDM_LEASE_MS));
    }
    if (atomic_load(&engine->draining)) {
        return ABDM_NO_ERR;
    }
    if (engine->config.worker == 0 && ticks) {
        ABDM_TRY(abdm_store_release_gone(engine->store, now, abdm_owner_fate));
        ABDM_TRY(claim_orphans(engine, now));
    }
    if (now < engine->last_now - CLOCK_SLACK) {
        engine->next_sweep = tick;
    }
    engine->last_now = now;
    if (engine->config.worker == 0 && tick >= engine->next_sweep) {
        ABDM_TRY(heed_clock(engine, now));
        ABDM_TRY(abdm_store_sweep(engine->store, now, &more));
        ABDM_TRY(abdm_engine_retain(engine, now, &again));
        engine->next_sweep = more || again ? tick : tick + SWEEP;
        ABDM_TRY(abdm_engine_start_feeds(engine, now));
    }
    if (ticks || abdm_engine_is_due(engine, now)) {
        ABDM_TRY(abdm_engine_claim_due(engine, now));
    }
    return ABDM_NO_ERR;
}


static bool
has_duty(const abdm_engine_t *engine, abdm_ms_t now)
{
    abdm_ms_t tick = abdm_time_monotonic();

    return tick >= engine->next_tick || tick >= engine->next_heartbeat || abdm_engine_is_due(engine, now)
           || (engine->keys_wanted && engine->keys_state == ABDM_KEYS_IDLE
               && tick >= engine->keys_check_at);
}


/* How long there is nothing to do unless something comes, in ms. */
static abdm_ms_t
rest(const abdm_engine_t *engine, abdm_ms_t now)
{
    abdm_ms_t tick = abdm_time_monotonic(), left = engine->next_tick - tick;

    if (engine->next_due != 0 && engine->next_due - now < left) {
        left = engine->next_due - now;
    }
    if (engine->keys_wait_until != 0 && engine->keys_check_at - tick < left) {
        left = engine->keys_check_at - tick;
    }
    return left < 0 ? 0 : left;
}


/* --- the turn --- */

/* Waits for work or the next duty; gives up to a batch of what came. */
static abdm_work_list_t
take_batch(abdm_engine_t *engine)
{
    abdm_ms_t left = rest(engine, abdm_time_now());
    abdm_work_list_t batch = {0};
    struct timespec until;
    abdm_work_t *work;

    pthread_mutex_lock(&engine->lock);
    if (left > 0 && engine->incoming.n == 0 && engine->retry.n == 0
        && !atomic_load(&engine->stopping)) {
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += left * 1000000;
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
    memset(engine->leaving_of, 0, sizeof(engine->leaving_of));
    ABDM_TRY(abdm_engine_have_store(engine));
    ABDM_TRY(abdm_store_begin(engine->store));
    for (abdm_work_t *work = batch->first; work != NULL; work = work->next) {
        ABDM_TRY(abdm_engine_do(engine, work, now));
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
    if (work->kind == ABDM_WORK_ASK) {
        news->status = work->status;
        news->refusal = work->refusal;
        news->flavour = work->call.route->flavour;
        news->text = abdm_failed(work->err) ? NULL : abdm_buf_take(&work->report);
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
    abdm_engine_begin_jobs(engine);
    if (engine->keys_state == ABDM_KEYS_CLAIMED && !atomic_load(&engine->stopping)) {
        abdm_engine_keys_begin(engine);
    }
}


/* Once, and again each minute, so that the log names the trouble and can be read; then its end. */
static void
tell_trouble(abdm_engine_t *engine, abdm_err_t err, size_t n)
{
    abdm_ms_t tick = abdm_time_monotonic();

    if (engine->failing++ == 0) {
        engine->failing_since = tick;
    }
    if (engine->failing == 1 || engine->failing_code != err.code || tick >= engine->next_complaint) {
        engine->failing_code = err.code;
        engine->next_complaint = tick + COMPLAINT;
        abdm_log_err(&engine->config.log, ABDM_LOG_ERROR, err,
                     ABDM_LOG_WORDS("", "nothing of a transaction is kept"),
                     ABDM_LOG_NUMBER("n", (long long) n));
    }
}


/* A transaction that wrote nothing says nothing of the disk. */
static void
tell_relief(abdm_engine_t *engine)
{
    if (engine->failing > 0 && abdm_store_wrote(engine->store)) {
        abdm_log(&engine->config.log, ABDM_LOG_NOTICE, "the store works again;",
                 ABDM_LOG_NUMBER("failed", (long long) engine->failing),
                 ABDM_LOG_NUMBER("seconds",
                                 (abdm_time_monotonic() - engine->failing_since) / 1000));
        engine->failing = 0;
    }
}


/* Nothing of it happened: who waits for an answer is told so, the rest comes again. */
static void
after_failure(abdm_engine_t *engine, abdm_work_list_t *batch, abdm_err_t err)
{
    const struct timespec pause = {0, STORE_PAUSE * 1000000L};
    abdm_work_t *work;

    if (engine->store != NULL) {
        abdm_store_rollback(engine->store);
    }
    tell_trouble(engine, err, batch->n);
    abdm_engine_drop_jobs(engine, 0);
    while ((work = abdm_work_pop(&engine->orphans)) != NULL) {
        close_work(engine, work);
    }
    if (engine->keys_state == ABDM_KEYS_CLAIMED) {
        engine->keys_state = ABDM_KEYS_IDLE;
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
    for (abdm_work_t *work = batch.first; work != NULL; work = work->next) {
        if (work->kind == ABDM_WORK_ASK && engine->store != NULL) {
            work->err = abdm_engine_report(engine, work);
        }
    }
    err = do_batch(engine, &batch, now);
    if (abdm_failed(err)) {
        after_failure(engine, &batch, err);
    } else {
        tell_relief(engine);
        after_commit(engine, &batch);
        abdm_engine_upkeep(engine);
    }
}


void *
abdm_engine_loop(void *arg)
{
    abdm_engine_t *engine = arg;

    (void) setpriority(PRIO_PROCESS, 0, NICENESS);
    while (!atomic_load(&engine->stopping)) {
        turn(engine);
    }
    return NULL;
}


void
abdm_engine_finish(abdm_engine_t *engine)
{
    abdm_err_t err;

    turn(engine);
    if (engine->store == NULL) {
        return; /* it never came, and nothing of it is ours */
    }
    err = abdm_store_begin(engine->store);
    if (!abdm_failed(err)) {
        err = abdm_store_release(engine->store, engine->owner);
    }
    if (!abdm_failed(err)) {
        err = abdm_store_commit(engine->store);
    }
    if (abdm_failed(err)) {
        abdm_store_rollback(engine->store);
        abdm_log_err(&engine->config.log, ABDM_LOG_ERROR, err,
                     ABDM_LOG_WORD("step", "release"));
    }
    abdm_engine_anchor(engine);
}
