/*
 * Inside engine/ only: a job being carried out. The store thread makes it with all that the
 * store knows of it, a work thread prepares the call, the http thread performs it, a work
 * thread makes a result of the answer, and the store thread raises the job's event with it.
 */
#ifndef ABDM_ENGINE_TASK_H
#define ABDM_ENGINE_TASK_H

#include <pthread.h>
#include <stdatomic.h>

#include "crypto/fidelius.h"
#include "engine/engine.h"
#include "engine/http.h"

typedef struct abdm_task_s abdm_task_t;
typedef struct abdm_exec_s abdm_exec_t;
typedef struct abdm_session_s abdm_session_t;

struct abdm_task_s {
    abdm_job_t job;
    /* of the transfer, for jobs that are about one */
    abdm_transfer_t transfer;
    abdm_transfer_context_t context;
    abdm_page_t page;
    char *patient_id; /* ABHA address of the consent */

    abdm_call_t call;
    abdm_spool_t *spool;  /* DOCUMENT: owned until it is part of a document */
    struct abdm_digest_s *digest; /* PUSH: of the plaintext, for the checksum */
    uint64_t session;     /* generation of the session used */
    abdm_result_t result;
    int retry_after;      /* seconds */

    abdm_exec_t *exec;
    abdm_task_t *next;
};

void abdm_task_free(abdm_task_t *task);

/* --- exec.c --- */

/* `done` is called once per task, from any thread of the engine. */
abdm_err_t abdm_exec_start(const abdm_engine_config_t *config, void (*done)(abdm_task_t *, void *),
                           void *ctx, abdm_exec_t **out);
void abdm_exec_run(abdm_exec_t *exec, abdm_task_t *task); /* takes the task until `done` */
/* Aborts all and ends the threads; false when one did not end within `deadline_ms`, and then
 * nothing may be freed: the process is about to end. */
bool abdm_exec_stop(abdm_exec_t *exec, int64_t deadline_ms);

/* One GET of the gateway's keys: `done` on the http thread with the JSON, or NULL. */
typedef void (*abdm_keys_fn)(char *json, abdm_err_t err, void *ctx);
abdm_err_t abdm_exec_fetch_keys(abdm_exec_t *exec, abdm_keys_fn done, void *ctx);

/* --- key_fetch.c: the same by its parts --- */
abdm_err_t abdm_key_fetch(const abdm_engine_config_t *config, abdm_http_t *http,
                          abdm_session_t *session, abdm_keys_fn done, void *ctx);

/* --- session.c: the gateway's access token --- */

abdm_err_t abdm_session_new(const abdm_engine_config_t *config, abdm_http_t *http,
                            abdm_session_t **out);
void abdm_session_free(abdm_session_t *session);

/* Adds the headers of a call to the gateway and submits it, after a session was had; `call->done`
 * always follows. *generation tells which session it used. */
void abdm_session_submit(abdm_session_t *session, abdm_call_t *call, const char *request_id,
                         const char *hip_id, uint64_t *generation);

/* The gateway refused that session: the next call gets a new one. */
void abdm_session_drop(abdm_session_t *session, uint64_t generation);

#endif
