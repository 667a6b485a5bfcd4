/* The engine's life and its two queues: work for the store thread, news for the host. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine/internal.h"


void
abdm_work_push(abdm_work_list_t *list, abdm_work_t *work)
{
    work->next = NULL;
    if (list->last != NULL) {
        list->last->next = work;
    } else {
        list->first = work;
    }
    list->last = work;
    list->n++;
}


abdm_work_t *
abdm_work_pop(abdm_work_list_t *list)
{
    abdm_work_t *work = list->first;

    if (work != NULL) {
        list->first = work->next;
        if (list->first == NULL) {
            list->last = NULL;
        }
        list->n--;
        work->next = NULL;
    }
    return work;
}


void
abdm_work_free(abdm_work_t *work)
{
    if (work != NULL) {
        abdm_callback_clear(&work->callback);
        abdm_task_free(work->task);
        abdm_api_call_clear(&work->call);
        abdm_buf_wipe_free(&work->report);
        free(work->text);
        free(work);
    }
}


void
abdm_news_free(abdm_news_t *news)
{
    if (news != NULL) {
        if (news->text != NULL) {
            abdm_wipe(news->text, strlen(news->text));
        }
        free(news->text);
        free(news);
    }
}


void
abdm_engine_tell(abdm_engine_t *engine, abdm_news_t *news)
{
    if (news == NULL) {
        return;
    }
    news->next = NULL;
    pthread_mutex_lock(&engine->lock);
    if (engine->news_last != NULL) {
        engine->news_last->next = news;
    } else {
        engine->news_first = news;
    }
    engine->news_last = news;
    pthread_mutex_unlock(&engine->lock);
}


abdm_news_t *
abdm_engine_reap(abdm_engine_t *engine)
{
    abdm_news_t *news;

    pthread_mutex_lock(&engine->lock);
    news = engine->news_first;
    if (news != NULL) {
        engine->news_first = news->next;
        if (engine->news_first == NULL) {
            engine->news_last = NULL;
        }
    }
    pthread_mutex_unlock(&engine->lock);
    return news;
}


void
abdm_engine_post(abdm_engine_t *engine, abdm_work_t *work)
{
    atomic_fetch_add(&engine->open, 1);
    pthread_mutex_lock(&engine->lock);
    abdm_work_push(&engine->incoming, work);
    pthread_cond_signal(&engine->ready);
    pthread_mutex_unlock(&engine->lock);
}


void
abdm_engine_forget(abdm_engine_t *engine, abdm_task_t *task)
{
    atomic_fetch_sub(&engine->taken[abdm_job_class(task->job.kind)], 1);
    abdm_task_free(task);
    atomic_fetch_sub(&engine->under_way, 1);
    atomic_fetch_sub(&engine->open, 1);
}


void
abdm_engine_post_result(abdm_engine_t *engine, abdm_task_t *task)
{
    abdm_work_t *work = task->work;

    task->work = NULL;
    work->kind = ABDM_WORK_RESULT;
    work->task = task;
    abdm_engine_post(engine, work);
}


/* A job was carried out: its flow is next. */
static void
on_done(abdm_task_t *task, void *ctx)
{
    abdm_engine_t *engine = ctx;

    atomic_fetch_add(&engine->calls, 1);
    if (abdm_failed(task->result.err)) {
        atomic_fetch_add(&engine->calls_failed, 1);
    }
    if (task->result.err.code == ABDM_E_STOPPING) {
        /* the job stays ours in the store, and is given back when this process ends */
        abdm_engine_forget(engine, task);
        return;
    }
    abdm_engine_post_result(engine, task);
}


static void
destroy(abdm_engine_t *engine)
{
    abdm_work_t *work;
    abdm_news_t *news;

    while ((work = abdm_work_pop(&engine->incoming)) != NULL) {
        abdm_work_free(work);
    }
    while ((work = abdm_work_pop(&engine->retry)) != NULL) {
        abdm_work_free(work);
    }
    while ((news = abdm_engine_reap(engine)) != NULL) {
        abdm_news_free(news);
    }
    abdm_engine_drop_jobs(engine, 0);
    free(engine->fresh);
    free(engine->keys_work);
    abdm_store_close(engine->store);
    abdm_matcher_free(engine->matcher);
    pthread_cond_destroy(&engine->ready);
    pthread_mutex_destroy(&engine->lock);
    free(engine);
}


abdm_err_t
abdm_engine_have_store(abdm_engine_t *engine)
{
    if (engine->store != NULL) {
        return ABDM_NO_ERR;
    }
    return abdm_store_open(engine->config.store_url, engine->config.seal_key, &engine->store);
}


abdm_err_t
abdm_engine_start(const abdm_engine_config_t *config, void (*wake)(void *), void *wake_ctx,
                  abdm_engine_t **out)
{
    abdm_engine_t *engine = calloc(1, sizeof(*engine));
    pthread_condattr_t clock;
    sigset_t all, before;
    abdm_err_t err;

    *out = NULL;
    if (engine == NULL) {
        return ABDM_ERR(MEMORY, "engine");
    }
    engine->config = *config;
    engine->wake = wake;
    engine->wake_ctx = wake_ctx;
    engine->replacing = -1;
    pthread_mutex_init(&engine->lock, NULL);
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&engine->ready, &clock);
    pthread_condattr_destroy(&clock);

    /* signals belong to the host's threads */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    err = abdm_owner_name(engine->owner);
    if (!abdm_failed(err)) {
        err = abdm_engine_have_store(engine);
        if (!abdm_failed(err)) {
            err = abdm_engine_keys_first(engine);
        }
        if (err.code == ABDM_E_STORE || err.code == ABDM_E_STORE_BUSY) {
            err = ABDM_NO_ERR; /* the loop tells of it, and opens it when it can */
        }
    }
    if (!abdm_failed(err)) {
        err = abdm_matcher_new(&engine->matcher);
    }
    if (!abdm_failed(err)) {
        err = abdm_exec_start(&engine->config, on_done, engine, &engine->exec);
    }
    if (!abdm_failed(err) && pthread_create(&engine->thread, NULL, abdm_engine_loop, engine) != 0) {
        abdm_exec_stop(engine->exec, 1000);
        err = ABDM_ERR(SYSTEM, "store thread");
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (abdm_failed(err)) {
        destroy(engine);
        return err;
    }
    *out = engine;
    return ABDM_NO_ERR;
}


void
abdm_engine_drain(abdm_engine_t *engine)
{
    atomic_store(&engine->draining, true);
}


bool
abdm_engine_busy(const abdm_engine_t *engine)
{
    return atomic_load(&engine->open) > 0;
}


static void
nap(void)
{
    const struct timespec pause = {0, 2 * 1000 * 1000};

    nanosleep(&pause, NULL);
}


void
abdm_engine_stop(abdm_engine_t *engine, int64_t deadline_ms)
{
    abdm_ms_t until = abdm_time_monotonic() + deadline_ms;
    bool ended;

    abdm_engine_drain(engine);
    while (abdm_engine_busy(engine) && abdm_time_monotonic() < until) {
        nap();
    }
    /* first the thread that begins calls, then the calls, then the rest of their results */
    atomic_store(&engine->stopping, true);
    pthread_mutex_lock(&engine->lock);
    pthread_cond_signal(&engine->ready);
    pthread_mutex_unlock(&engine->lock);
    pthread_join(engine->thread, NULL);
    ended = abdm_exec_stop(engine->exec, 1000);
    abdm_engine_finish(engine);
    if (ended) {
        destroy(engine);
    }
}


bool
abdm_engine_full(const abdm_engine_t *engine)
{
    return atomic_load(&engine->accepting) >= engine->config.queue;
}


abdm_err_t
abdm_engine_accept(abdm_engine_t *engine, abdm_callback_t *callback, void *tag)
{
    abdm_work_t *work;

    if (abdm_engine_full(engine)) {
        abdm_callback_clear(callback);
        return ABDM_ERR(QUEUE_FULL, "callbacks waiting for the disk");
    }
    work = calloc(1, sizeof(*work));
    if (work == NULL) {
        abdm_callback_clear(callback);
        return ABDM_ERR(MEMORY, "callback");
    }
    work->kind = ABDM_WORK_ACCEPT;
    work->callback = *callback;
    work->tag = tag;
    memset(callback, 0, sizeof(*callback));
    atomic_fetch_add(&engine->accepting, 1);
    abdm_engine_post(engine, work);
    return ABDM_NO_ERR;
}


abdm_err_t
abdm_engine_want_keys(abdm_engine_t *engine)
{
    abdm_work_t *work = calloc(1, sizeof(*work));

    if (work == NULL) {
        return ABDM_ERR(MEMORY, "keys");
    }
    work->kind = ABDM_WORK_WANT_KEYS;
    abdm_engine_post(engine, work);
    return ABDM_NO_ERR;
}


abdm_err_t
abdm_engine_ask(abdm_engine_t *engine, abdm_api_call_t *call, void *tag)
{
    abdm_work_t *work = calloc(1, sizeof(*work));

    if (work == NULL) {
        abdm_api_call_clear(call);
        return ABDM_ERR(MEMORY, "call of the API");
    }
    work->kind = ABDM_WORK_ASK;
    work->call = *call;
    work->tag = tag;
    memset(call, 0, sizeof(*call));
    abdm_engine_post(engine, work);
    return ABDM_NO_ERR;
}


void
abdm_engine_stats(const abdm_engine_t *engine, abdm_engine_stats_t *out)
{
    *out = (abdm_engine_stats_t){
        .accepted = atomic_load(&engine->accepted),
        .repeated = atomic_load(&engine->repeated),
        .refused = atomic_load(&engine->refused),
        .events = atomic_load(&engine->events),
        .calls = atomic_load(&engine->calls),
        .calls_failed = atomic_load(&engine->calls_failed),
        .commits = atomic_load(&engine->commits),
        .waiting = atomic_load(&engine->accepting),
        .under_way = atomic_load(&engine->under_way),
    };
}
