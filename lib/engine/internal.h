/* Inside engine/ only: the engine's insides, shared by its life (engine.c), its store thread
 * (loop.c) and its care for the gateway's keys (keys.c). */
#ifndef ABDM_ENGINE_INTERNAL_H
#define ABDM_ENGINE_INTERNAL_H

#include "engine/owner.h"
#include "engine/task.h"

enum { ABDM_BATCH_MAX = 256 };

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
    char *text;               /* KEYS: key set or NULL */
    abdm_err_t err;           /* outcome, told after the commit */
    bool finished;            /* nothing is left to do after the commit */
    abdm_api_call_t call;     /* ASK */
    int status;               /* ASK: of the answer */
    abdm_err_t refusal;       /* ASK: what the answer says is wrong */
    abdm_buf_t report;        /* ASK: the answer */
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
    abdm_store_t *store;      /* NULL: it could not be opened yet */
    abdm_exec_t *exec;
    abdm_work_list_t retry;   /* first of the next turn */
    abdm_work_list_t orphans; /* claimed in this transaction */
    abdm_task_t **fresh;     /* jobs of this transaction, to be begun after its commit */
    size_t n_fresh, cap_fresh, fresh_of[ABDM_CLASSES];
    size_t leaving_of[ABDM_CLASSES]; /* jobs whose places are free after this transaction */
    atomic_size_t under_way, taken[ABDM_CLASSES]; /* jobs claimed */
    bool full[ABDM_CLASSES]; /* due jobs of the class may have been left in the store */
    abdm_ms_t next_due;      /* of the store, but for those classes; 0: none known */
    abdm_ms_t next_tick, next_heartbeat, next_sweep, next_purge, next_anchor; /* monotonic */
    bool purge; /* whoever erased something last may have had no time to purge */
    abdm_ms_t last_now; /* of the last turn, by the wall clock */
    size_t failing; /* transactions, one after another; 0: none */
    abdm_code_t failing_code; /* as told last */
    abdm_ms_t failing_since, next_complaint; /* monotonic */
    int replacing; /* class whose job runs its flow, and what follows on it comes first; -1 */
    abdm_matcher_t *matcher;

    /* keys.c */
    abdm_ms_t keys_fetched_at; /* of the set told last */
    abdm_ms_t keys_check_at;   /* monotonic */
    abdm_ms_t keys_wait_until; /* monotonic: another process is fetching */
    bool keys_wanted;
    abdm_ms_t keys_wanted_at; /* a set fetched before does not answer */
    abdm_work_t *keys_work; /* FETCHING: by which the answer gets to the store thread */
    enum { ABDM_KEYS_IDLE, ABDM_KEYS_CLAIMED, ABDM_KEYS_FETCHING } keys_state;

    /* figures */
    atomic_uint_fast64_t accepted, repeated, refused, events, calls, calls_failed, commits;
};

void abdm_engine_tell(abdm_engine_t *engine, abdm_news_t *news); /* takes; NULL is nothing */
void abdm_engine_post(abdm_engine_t *engine, abdm_work_t *work);
void abdm_engine_forget(abdm_engine_t *engine, abdm_task_t *task); /* frees, uncounts */
void abdm_engine_post_result(abdm_engine_t *engine, abdm_task_t *task); /* takes */

/* A store that is full, locked or broken when the process starts is opened later. */
abdm_err_t abdm_engine_have_store(abdm_engine_t *engine);

/* loop.c */
void *abdm_engine_loop(void *engine);
/* After that thread and all calls have ended: what came last, then all claims are given back. */
void abdm_engine_finish(abdm_engine_t *engine);

/* jobs.c */
bool abdm_engine_has_room(const abdm_engine_t *engine, abdm_job_class_t class);
/* Are there due jobs that could be claimed now? */
bool abdm_engine_is_due(const abdm_engine_t *engine, abdm_ms_t now);
void abdm_engine_due_at(abdm_engine_t *engine, abdm_ms_t due); /* the store has work for then */
abdm_err_t abdm_engine_add_jobs(abdm_engine_t *engine, abdm_effects_t *effects, abdm_ms_t now);
abdm_err_t abdm_engine_claim_due(abdm_engine_t *engine, abdm_ms_t now);
/* What was to begin after the transaction, but for the first `keep`, does not. */
void abdm_engine_drop_jobs(abdm_engine_t *engine, size_t keep);
/* After the commit: what was written down as ours begins, unless the process ends. */
void abdm_engine_begin_jobs(abdm_engine_t *engine);
/* Every feed of the facilities is being read: one chain of jobs each. */
abdm_err_t abdm_engine_start_feeds(abdm_engine_t *engine, abdm_ms_t now);

/* work.c */
/* An error is one of the transaction as a whole; what concerns the work alone is in work->err. */
abdm_err_t abdm_engine_do(abdm_engine_t *engine, abdm_work_t *work, abdm_ms_t now);
/* Reports need no write lock; a call that is none of them is left alone. */
abdm_err_t abdm_engine_report(abdm_engine_t *engine, abdm_work_t *work);

/* upkeep.c: what is kept and what goes; with the audit out of order it stays as it is, and the log
 * says so. Within the loop's transaction; *more: there is more to do at once. */
abdm_err_t abdm_engine_retain(abdm_engine_t *engine, abdm_ms_t now, bool *more);
/* Between transactions: what was erased leaves the disk, and the log has the end of the audit. */
void abdm_engine_upkeep(abdm_engine_t *engine);
/* Tells the log the end of the audit. */
void abdm_engine_anchor(abdm_engine_t *engine);

/* keys.c: tells the keys on disk, before there are threads: a worker of a reload that had to ask for
 * them would make its first callbacks wait for a busy store and a busy gateway. */
abdm_err_t abdm_engine_keys_first(abdm_engine_t *engine);
/* What is to be done about keys now; inside the loop's transaction. */
abdm_err_t abdm_engine_keys_tick(abdm_engine_t *engine, abdm_ms_t now);
abdm_err_t abdm_engine_keys_came(abdm_engine_t *engine, const char *json, abdm_ms_t now);
void abdm_engine_keys_begin(abdm_engine_t *engine); /* after the commit */

#endif
