/*
 * Everything the bridge remembers. Typed operations on one database connection, which belongs to
 * one thread; what must happen together happens between abdm_store_begin and _commit.
 * Dedupe keys are unique indexes. What is told of patients is sealed under the key file; values
 * by which a patient is found have a keyed hash beside them.
 */
#ifndef ABDM_STORE_STORE_H
#define ABDM_STORE_STORE_H

#include <sys/types.h>

#include "core/effect.h"
#include "crypto/seal.h"

typedef struct abdm_store_s abdm_store_t;

/* Is `url` one that this library can open ("sqlite:/absolute/path")? E_CONFIG with `problem`. */
abdm_err_t abdm_store_check_url(const char *url, char problem[512]);

/* Makes the database, for ever with this `key`, or brings it to this version, in WAL mode. `owner`
 * -1: files stay as they are. To be done before any process works with it. E_STORE, E_STORE_VERSION;
 * E_SECRET_KEY when it was made with another key. */
abdm_err_t abdm_store_prepare(const char *url, const abdm_seal_key_t *key, uid_t owner, gid_t group,
                              char problem[512]);

/* `key` is borrowed; E_SECRET_KEY as above. NULL for reports, which read nothing sealed: what is
 * sealed is E_SEAL then. */
abdm_err_t abdm_store_open(const char *url, const abdm_seal_key_t *key, abdm_store_t **out);
void abdm_store_close(abdm_store_t *store); /* NULL is allowed */

abdm_err_t abdm_store_begin(abdm_store_t *store); /* takes the write lock */
abdm_err_t abdm_store_commit(abdm_store_t *store); /* on disk when it returns */
bool abdm_store_wrote(const abdm_store_t *store);  /* did that change anything? */
void abdm_store_rollback(abdm_store_t *store);

/* A part of a transaction that can be undone alone: mark, then keep or undo. */
abdm_err_t abdm_store_mark(abdm_store_t *store);
abdm_err_t abdm_store_keep(abdm_store_t *store);
abdm_err_t abdm_store_undo(abdm_store_t *store);

/* --- owners: processes that work on this store (work.c) --- */

enum { ABDM_LEASE_MS = 60 * 1000 };

/* `owner` lives until `until` unless told again. */
abdm_err_t abdm_store_heartbeat(abdm_store_t *store, const char *owner, abdm_ms_t until);

/* Gives back all that `owner` has claimed, as if it never had, and forgets it. */
abdm_err_t abdm_store_release(abdm_store_t *store, const char *owner);

typedef enum { ABDM_FATE_ALIVE, ABDM_FATE_GONE, ABDM_FATE_UNKNOWN } abdm_fate_t;

/* Releases every owner that is gone, and those of unknown fate whose lease ended. */
abdm_err_t abdm_store_release_gone(abdm_store_t *store, abdm_ms_t now,
                                   abdm_fate_t (*fate)(const char *owner));

/* --- inbox (work.c) --- */

/* A callback. As argument of _add borrowed; as claimed owned (abdm_callback_clear). */
typedef struct {
    int64_t id;
    char *path;  /* canonical */
    char *event; /* NULL: for the operator */
    char *hip_id;
    char *request_id;
    char *body;
    size_t body_len;
    abdm_ms_t received_at;
    bool spoiled; /* as claimed: the body does not open, and is not there */
} abdm_callback_t;

void abdm_callback_clear(abdm_callback_t *callback);

/* *id = 0 when the very callback is there already. E_REQUEST_REUSED when path, facility and
 * REQUEST-ID are there with another body. */
abdm_err_t abdm_store_inbox_add(abdm_store_t *store, const abdm_callback_t *callback,
                                const char *owner, int64_t *id);
abdm_err_t abdm_store_inbox_done(abdm_store_t *store, int64_t id);
/* Not to be claimed before `due_at`. */
abdm_err_t abdm_store_inbox_give_back(abdm_store_t *store, int64_t id, abdm_ms_t due_at);
/* Orphans, oldest first; one that was claimed too often is put aside instead (E_POISON). One that
 * does not open is claimed like the others, so that it holds up none of them. */
abdm_err_t abdm_store_inbox_claim(abdm_store_t *store, const char *owner, abdm_ms_t now, size_t max,
                                  abdm_callback_t *out, size_t *n, size_t *poisoned);

/* --- jobs (jobs.c) --- */

/* Writes the job down; `owner` NULL leaves it to whoever claims it when due. Between _begin and
 * _commit when others may write too. */
abdm_err_t abdm_store_job_add(abdm_store_t *store, abdm_job_t *job, const char *owner);
/* Due jobs, of each kind the oldest first, of those `kinds` that there is room for: bit
 * 1u << ABDM_JOB_... each. A job that was claimed too often is marked as poisoned, one that does
 * not open as spoiled. */
abdm_err_t abdm_store_job_claim(abdm_store_t *store, const char *owner, abdm_ms_t now,
                                unsigned kinds, size_t max, abdm_job_t *out, size_t *n);
abdm_err_t abdm_store_job_done(abdm_store_t *store, int64_t id);
abdm_err_t abdm_store_job_again(abdm_store_t *store, const abdm_job_t *job, abdm_ms_t due_at,
                                int attempts);
/* When the next of those kinds is due; 0: none. */
abdm_err_t abdm_store_job_next_due(abdm_store_t *store, unsigned kinds, abdm_ms_t *due);

/* Has the facility a job, claimed or not, due until then, that raises `event`? Looks at all jobs:
 * for starts, not for each event. */
abdm_err_t abdm_store_job_unique(abdm_store_t *store, const char *hip_id, const char *event,
                                 abdm_ms_t until, bool *exists);

/* Remembers an id sent, so that a late answer to any attempt still finds its job. */
abdm_err_t abdm_store_sent(abdm_store_t *store, const abdm_job_t *job, abdm_ms_t now);

/* After the clock was set back: work that was written down, or put off, by a time that is yet to come
 * waits as long as it was meant to from now on; *moved: how much of it. */
abdm_err_t abdm_store_clock(abdm_store_t *store, abdm_ms_t now, int *moved);

/* Deletes what needs no keeping, a bounded number at a time: answered callbacks and ids after their
 * time, rows past their keep_until. *more: there is more to do at once. */
abdm_err_t abdm_store_sweep(abdm_store_t *store, abdm_ms_t now, bool *more);

/* --- retention (consent_end.c, audit.c) --- */

/* Ends consents that are past their dataEraseAt, and deletes finished transfers older than `keep`
 * (0: never), a bounded number at a time. *more: there is more to do at once. */
abdm_err_t abdm_store_expire(abdm_store_t *store, abdm_ms_t now, abdm_ms_t keep, bool *more);

/* Takes rows older than `keep` from the beginning of the audit, a bounded number at a time and
 * about once a day. E_AUDIT when they are not what was written: then they stay. */
abdm_err_t abdm_store_audit_prune(abdm_store_t *store, abdm_ms_t now, abdm_ms_t keep, bool *more);

/* Was something erased through this connection since the last purge? */
bool abdm_store_erased(const abdm_store_t *store);
/* Empties SQLite's log of writes, where erased pages still are. Not within a transaction. Waits for
 * nobody: E_STORE_BUSY when another connection is at work; to be tried again. */
abdm_err_t abdm_store_purge(abdm_store_t *store);

/* --- audit (audit.c, audit_verify.c, audit_read.c) --- */

enum { ABDM_ANCHOR_TEXT = 96 };

/* "N:MAC" of the last row, "" when there is none: told to a log elsewhere it proves that these
 * rows were there. E_AUDIT when the end is not what was written last. */
abdm_err_t abdm_store_audit_anchor(abdm_store_t *store, char anchor[ABDM_ANCHOR_TEXT]);

typedef struct {
    int64_t rows;         /* verified */
    int64_t first, last;  /* their numbers; 0: none */
    int64_t base;         /* rows up to this one were pruned or are outside of the chain... */
    abdm_ms_t base_at;    /* ...since then; 0: none */
    int64_t outside;      /* rows that are there and not covered by the chain */
    char anchor[ABDM_ANCHOR_TEXT]; /* of the last row */
    bool anchor_pruned;   /* the anchor given is of a row pruned since: nothing to compare */
    const char *fault;    /* static text on row `fault_row`; NULL: all is as it was written */
    int64_t fault_row;
    int64_t fault_at;     /* where the row that belongs there stands; 0: not known */
} abdm_audit_verdict_t;

/* Verifies each row and the end. `anchor` as above, or NULL: its row must be there. E_FIELD when
 * the anchor is not of that form. */
abdm_err_t abdm_store_audit_verify(abdm_store_t *store, const char *anchor,
                                   abdm_audit_verdict_t *verdict);

/* Begins a new chain behind the last row, whatever the end says; writes that down. */
abdm_err_t abdm_store_audit_restart(abdm_store_t *store, abdm_ms_t now);

typedef struct {
    abdm_ms_t since, until; /* [since, until) */
    const char *hip_id;     /* NULL: all */
} abdm_audit_span_t;

typedef bool (*abdm_audit_write_t)(void *ctx, const char *p, size_t len);

/* A row after the other, as lines of JSON or as CSV with a first line of names. E_SYSTEM when
 * `write` gives false. */
abdm_err_t abdm_store_audit_export(abdm_store_t *store, const abdm_audit_span_t *span, bool csv,
                                   abdm_audit_write_t write, void *ctx);
/* JSON: how often what happened; what left, to whom, under which consent (`breach`). */
abdm_err_t abdm_store_audit_report(abdm_store_t *store, const abdm_audit_span_t *span, bool breach,
                                   abdm_buf_t *out);

/* --- state (state.c, consent.c, rows.c) --- */

/* Writes all effects but jobs, which the caller adds with the owner it chooses. E_CONFLICT when a
 * row has a value that another one of the facility has and only one may have (an ABHA). */
abdm_err_t abdm_store_apply(abdm_store_t *store, const abdm_effects_t *effects, abdm_ms_t now);

/* Reads for the flows; lives as long as the store. */
const abdm_view_t *abdm_store_view(abdm_store_t *store);

/* --- the gateway's keys (keys.c) --- */

typedef struct {
    char *json;          /* owned by the caller; NULL: never had any */
    abdm_ms_t fetched_at; /* of `json` */
    abdm_ms_t tried_at;  /* last attempt of any process */
    bool failed;         /* that attempt brought nothing */
} abdm_stored_keys_t;

abdm_err_t abdm_store_keys_get(abdm_store_t *store, const char *url, abdm_stored_keys_t *out);
/* One process may try, and *mine tells which: on schedule when nobody did since `before`... */
abdm_err_t abdm_store_keys_try(abdm_store_t *store, const char *url, abdm_ms_t now,
                               abdm_ms_t before, bool *mine);
/* ...or because a token names an unknown key: `burst` times, then once in `every`. */
abdm_err_t abdm_store_keys_force(abdm_store_t *store, const char *url, abdm_ms_t now,
                                 abdm_ms_t every, int burst, bool *mine);
/* `json` NULL: the attempt failed. */
abdm_err_t abdm_store_keys_put(abdm_store_t *store, const char *url, const char *json,
                               abdm_ms_t now);

/* --- for operators (report.c) --- */

/* JSON appended to `out`, of one facility, or of all with hip_id "". Callbacks: those no flow
 * answers, without their bodies. */
abdm_err_t abdm_store_report_callbacks(abdm_store_t *store, int limit, abdm_buf_t *out);
abdm_err_t abdm_store_report_transfers(abdm_store_t *store, const char *hip_id, int limit,
                                       abdm_buf_t *out);
abdm_err_t abdm_store_report_explain(abdm_store_t *store, const char *hip_id, const char *id,
                                     abdm_buf_t *out);

/* --- is the work being done? (health.c) --- */

typedef struct {
    int version;          /* of the schema */
    int64_t owners;       /* processes at work */
    int64_t callbacks;    /* received and not yet looked at */
    int64_t jobs;         /* not yet done */
    abdm_ms_t due_since;  /* of the job that is due for the longest and not begun; 0: none */
    int64_t failed_links; /* care contexts whose linking failed */
    int64_t blocked;      /* patients whom the gateway has blocked from being linked */
} abdm_store_health_t;

abdm_err_t abdm_store_health(abdm_store_t *store, abdm_ms_t now, abdm_store_health_t *out);

#endif
