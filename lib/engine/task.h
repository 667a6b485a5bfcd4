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

/* Jobs share the room of a process by what may hold them up, so that answers to the gateway never
 * wait behind a slow server: */
typedef enum {
    ABDM_CLASS_MOMENT,  /* nothing to wait for */
    ABDM_CLASS_GATEWAY, /* answers to the gateway */
    ABDM_CLASS_LINK,    /* what the hospital begins: nobody waits */
    ABDM_CLASS_HMIS, /* questions to the HMIS, messages to the SMS provider: a citizen waits */
    ABDM_CLASS_TELL, /* what the HMIS is told: nobody waits */
    ABDM_CLASS_BULK, /* records listed, fetched and pushed */
    ABDM_CLASSES
} abdm_job_class_t;

abdm_job_class_t abdm_job_class(abdm_job_kind_t kind); /* jobs.c */

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
    json_t *vars;     /* HMIS, SMS: what is asked, or to be sent */

    abdm_call_t call;
    abdm_spool_t *spool;  /* DOCUMENT: owned until it is part of a document */
    struct abdm_digest_s *digest; /* PUSH: of the plaintext, for the checksum */
    uint64_t session;     /* generation of the session used */
    abdm_result_t result;
    int retry_after;      /* seconds */
    struct abdm_work_s *work; /* by which the result gets to the store thread */

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
/* The gateway's own key set wants a session; others must not see one. */
bool abdm_keys_want_session(const char *url, const char *gateway_url);

/* --- question.c: questions to the HMIS other than for records, messages to the SMS provider --- */

/* Makes the call of an HMIS or SMS job; *final: trying again is of no use. */
abdm_err_t abdm_question_start(abdm_task_t *task, const abdm_engine_facility_t *facility,
                               bool *final);
/* Makes a result of the answer. */
abdm_err_t abdm_question_finish(abdm_task_t *task, const abdm_engine_facility_t *facility,
                                bool *final);

/* An HMIS's answer that is not 200: absent is final, trouble may pass. */
abdm_err_t abdm_hmis_status(const abdm_call_t *call, bool *final);

/* The request becomes the call's; it is emptied. E_MEMORY. */
abdm_err_t abdm_call_take_request(abdm_call_t *call, abdm_hmis_request_t *request);

/* --- session.c: the gateway's access token --- */

abdm_err_t abdm_session_new(const abdm_engine_config_t *config, abdm_http_t *http,
                            abdm_session_t **out);
void abdm_session_free(abdm_session_t *session);

/* What a call to the gateway is sent with, the texts borrowed until it is done.
 * Without request_id a fresh one, without `at` (0) the moment of sending. */
typedef struct {
    const char *request_id;
    const char *hip_id;
    const char *link_token; /* NULL: none */
    abdm_ms_t at;           /* TIMESTAMP */
} abdm_call_ids_t;

/* Adds the headers that every call to the gateway carries (gateway protocol 1.3); `token` NULL: the
 * call for the session itself. E_MEMORY. */
abdm_err_t abdm_call_gateway(abdm_call_t *call, const char *cm_id, const abdm_call_ids_t *ids,
                             const char *token);

/* Adds these headers and submits the call, after a session was had; `call->done` always follows.
 * *generation tells which session it used. */
void abdm_session_submit(abdm_session_t *session, abdm_call_t *call, const abdm_call_ids_t *ids,
                         uint64_t *generation);

/* The gateway refused that session: the next call gets a new one. */
void abdm_session_drop(abdm_session_t *session, uint64_t generation);

#endif
