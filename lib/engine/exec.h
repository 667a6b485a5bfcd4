/*
 * Inside engine/ only: the executor's threads and queues (exec.c), and the kinds of jobs that they
 * carry out (carry.c).
 */
#ifndef ABDM_ENGINE_EXEC_H
#define ABDM_ENGINE_EXEC_H

#include "engine/task.h"

enum {
    ABDM_WORKERS = 2,
    ABDM_LOOKERS = 4 /* look the names of pushes up, which may take as long as somebody likes */
};

/* Tasks that wait for a thread. */
typedef struct {
    abdm_task_t *first, *last;
    pthread_cond_t ready;
} abdm_task_queue_t;

struct abdm_exec_s {
    const abdm_engine_config_t *config;
    abdm_http_t *http;
    abdm_session_t *session;
    abdm_key_pool_t *pairs;
    void (*done)(abdm_task_t *task, void *ctx);
    void *ctx;

    pthread_t thread[ABDM_WORKERS + ABDM_LOOKERS];
    size_t n_threads;
    pthread_mutex_t lock;
    abdm_task_queue_t work, pushes; /* under lock */
    bool stopping;        /* under lock */
};

/* exec.c */
void abdm_exec_queue(abdm_exec_t *exec, abdm_task_queue_t *queue, abdm_task_t *task);
void abdm_exec_report(abdm_task_t *task, abdm_err_t err, bool final); /* gives the task away */
bool abdm_exec_stopping(abdm_exec_t *exec);

/* carry.c: on any thread for GATEWAY jobs, on work threads for others */
void abdm_carry_start(abdm_exec_t *exec, abdm_task_t *task);
void abdm_carry_finish(abdm_exec_t *exec, abdm_task_t *task);

#endif
