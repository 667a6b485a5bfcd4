/* Inside engine/ only: the engine's insides, shared by its life (engine.c), its store thread
 * (loop.c) and its care for the gateway's keys (keys.c). */
#ifndef ABDM_ENGINE_INTERNAL_H
#define ABDM_ENGINE_INTERNAL_H

#include "engine/owner.h"
#include "engine/task.h"

enum {
    ABDM_UNDER_WAY_MAX = ABDM_HTTP_CONNECTIONS, /* jobs claimed by one process */
    ABDM_BATCH_MAX = 256
};

/* What the store thread is asked to do. */
typedef enum {
    ABDM_WORK_ACCEPT,   /* make a callback durable */
    ABDM_WORK_CALLBACK, /* run the flow of a durable callback */
    ABDM_WORK_RESULT,   /* run the flow of a finished job */
    ABDM_WORK_ASK,
    ABDM_WORK_WANT_KEYS,
    ABDM_WORK_KEYS /* a fetch of keys ended */
} abdm_work_kind_t;

typedef struct abdm_work_s abdm_work_t;
struct abdm_work_s {
    abdm_work_kind_t kind;
    abdm_callback_t callback; /* ACCEPT, CALLBACK */
    void *tag;                /* ACCEPT, ASK */
    abdm_task_t *task;        /* RESULT */
    char *text;               /* ASK: id; KEYS: key set or NULL */
    abdm_err_t err;           /* outcome, told after the commit */
    bool finished;            /* nothing is left to do after the commit */
    abdm_buf_t report;        /* ASK */
    abdm_work_t *next;
};

typedef struct {
    abdm_work_t *first, *last;
    size_t n;
} abdm_work_list_t;

void abdm_work_push(abdm_work_list_t *list, abdm_work_t *work);
abdm_work_t *abdm_work_pop(abdm_work_list_t *list);
void abdm_work_free(abdm_work_t *work);

struct abdm_engine_s {
    abdm_engine_config_t config;
    char owner[ABDM_OWNER_TEXT];
    void (*wake)(void *ctx);
    void *wake_ctx;

    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t ready;     /* work came, or the engine is to stop */
    abdm_work_list_t incoming; /* under lock */
    abdm_news_t *news_first, *news_last; /* under lock */
    atomic_size_t accepting;  /* callbacks not yet durable */
    atomic_bool draining;
    atomic_bool stopping;
    atomic_size_t open;       /* work in hand of any kind, and jobs under way */

    /* of the store thread */
    abdm_store_t *store;
    abdm_exec_t *exec;
    abdm_work_list_t retry;   /* first of the next turn */
    abdm_work_list_t orphans; /* claimed in this transaction */
    abdm_job_t *fresh;      /* jobs of this transaction, to be begun after its commit */
    size_t n_fresh, cap_fresh;
    atomic_size_t under_way;
    bool backlog;           /* due jobs were left in the store */
    abdm_ms_t next_due;     /* of the store, 0: none known */
    abdm_ms_t next_tick, next_heartbeat, next_sweep;

    /* keys.c */
    abdm_ms_t keys_fetched_at; /* of the set told last */
    abdm_ms_t keys_check_at;
    abdm_ms_t keys_wait_until; /* another process is fetching */
    bool keys_wanted;
    bool keys_fetching;
    bool keys_begun; /* the fetch is on its way */

    /* figures */
    atomic_uint_fast64_t accepted, repeated, refused, events, calls, calls_failed, commits;
};

void abdm_engine_tell(abdm_engine_t *engine, abdm_news_t *news); /* takes; NULL is nothing */
void abdm_engine_post(abdm_engine_t *engine, abdm_work_t *work);

/* loop.c */
void *abdm_engine_loop(void *engine);

/* keys.c: what is to be done about keys now; inside the loop's transaction. */
abdm_err_t abdm_engine_keys_tick(abdm_engine_t *engine, abdm_ms_t now);
abdm_err_t abdm_engine_keys_came(abdm_engine_t *engine, const char *json, abdm_ms_t now);
void abdm_engine_keys_begin(abdm_engine_t *engine); /* after the commit */

#endif
