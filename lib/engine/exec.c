/* The threads on which jobs are carried out, and the queues before them. */
#include <stdlib.h>
#include <time.h>

#include "core/fault.h"
#include "engine/document.h"
#include "engine/exec.h"
#include "engine/push.h"

enum { KEY_PAIRS = 64 }; /* made ahead of need while a work thread is idle */


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
    json_decref(task->vars);
    abdm_spool_free(task->spool);
    json_decref(task->result.records);
    abdm_document_close(task->result.document);
    free(task->work);
    free(task);
}


bool
abdm_exec_stopping(abdm_exec_t *exec)
{
    bool stopping;

    pthread_mutex_lock(&exec->lock);
    stopping = exec->stopping;
    pthread_mutex_unlock(&exec->lock);
    return stopping;
}


void
abdm_exec_report(abdm_task_t *task, abdm_err_t err, bool final)
{
    task->result.err = err;
    task->result.final = final;
    abdm_fault_point("answered", task->job.event);
    task->exec->done(task, task->exec->ctx);
}


void
abdm_exec_queue(abdm_exec_t *exec, abdm_task_queue_t *queue, abdm_task_t *task)
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
take_task(abdm_task_queue_t *queue)
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
next_task(abdm_exec_t *exec, abdm_task_queue_t *queue)
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
            abdm_carry_start(exec, task);
        } else {
            abdm_carry_finish(exec, task);
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
        abdm_carry_start(exec, task);
    }
    return NULL;
}


void
abdm_exec_run(abdm_exec_t *exec, abdm_task_t *task)
{
    task->exec = exec;
    task->call.owner = task;
    if (task->job.kind == ABDM_JOB_GATEWAY || task->job.kind == ABDM_JOB_LINK) {
        abdm_carry_start(exec, task);
    } else {
        abdm_exec_queue(exec, task->job.kind == ABDM_JOB_PUSH ? &exec->pushes : &exec->work, task);
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
    while (!abdm_failed(err) && exec->n_threads < ABDM_WORKERS + ABDM_LOOKERS) {
        if (pthread_create(&exec->thread[exec->n_threads], NULL,
                           exec->n_threads < ABDM_WORKERS ? run_work : run_pushes, exec)
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
give_up(abdm_exec_t *exec, abdm_task_queue_t *queue)
{
    abdm_task_t *task;

    for (;;) {
        pthread_mutex_lock(&exec->lock);
        task = take_task(queue);
        pthread_mutex_unlock(&exec->lock);
        if (task == NULL) {
            return;
        }
        abdm_exec_report(task, ABDM_ERR(STOPPING, "call aborted"), false);
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
