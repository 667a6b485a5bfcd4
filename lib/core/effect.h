/*
 * What a flow gives back: changes of state and new jobs. The store commits them in one
 * transaction with the end of the event, so a crash repeats at most one step.
 */
#ifndef ABDM_CORE_EFFECT_H
#define ABDM_CORE_EFFECT_H

#include "core/event.h"

typedef enum {
    ABDM_JOB_EVENT,    /* nothing to do outside: the event comes when due */
    ABDM_JOB_GATEWAY,  /* POST `body` to `path` of the gateway */
    ABDM_JOB_RECORDS,  /* ask the HMIS what it has for context `arg` of the transfer */
    ABDM_JOB_DOCUMENT, /* fetch the file of page `arg` and make its document */
    ABDM_JOB_PUSH,     /* encrypt and push `document` as page `arg` */
    ABDM_JOB_HMIS,     /* ask the HMIS question `arg` of the operation that `path` names
                        * (hmis/hmis.h); `body`: JSON object of its variables */
    ABDM_JOB_SMS,      /* have the facility's SMS provider send message `path`; `body`: JSON object of
                        * its variables */
    ABDM_JOB_TELL,     /* as HMIS, but nobody waits for what comes of it */
    ABDM_JOB_LINK,     /* as GATEWAY, but nobody waits for what comes of it */
    ABDM_JOB_KINDS
} abdm_job_kind_t;

const char *abdm_job_kind_name(abdm_job_kind_t kind);

/*
 * `event` is raised with the result. Failures that may pass are tried again by the engine with
 * back-off until `deadline_at`, except those of PUSH jobs: what may leave is decided anew before
 * each attempt, so their flow hears of each one. A GATEWAY job whose deadline is its making is
 * sent once: when its worker dies, the event is raised with E_STOPPING.
 */
typedef struct {
    int64_t id; /* row; 0 while it is only an effect */
    abdm_job_kind_t kind;
    char *event;
    char *hip_id;
    char *subject;
    int arg;
    char *path;
    char *request_id; /* GATEWAY: REQUEST-ID of this attempt; EVENT: of the deferred callback */
    char *body; /* sealed on disk */
    size_t body_len;
    char *link_token; /* GATEWAY: X-LINK-TOKEN, NULL: none. Sealed on disk, wiped when freed */
    abdm_ms_t due_at;
    abdm_ms_t deadline_at;
    abdm_ms_t created_at;
    int attempts;
    bool retaken;  /* a worker had it before, and is gone */
    bool poisoned; /* it was claimed too often: workers do not survive it */
    bool spoiled;  /* what is sealed of it does not open, and is not there */
    abdm_document_t *document; /* not stored: lost with the process, and then fetched again */
} abdm_job_t;

typedef enum {
    ABDM_EFFECT_CONSENT,  /* insert or replace */
    ABDM_EFFECT_TRANSFER, /* insert or update */
    ABDM_EFFECT_CONTEXT,  /* insert or update, of transfer `subject` */
    ABDM_EFFECT_PAGE,     /* insert or update, of transfer `subject` */
    ABDM_EFFECT_FAIL_PENDING, /* all pending contexts and pages of transfer `subject` → FAILED */
    ABDM_EFFECT_CANCEL,  /* jobs of transfer `subject` that nobody has begun are not needed */
    ABDM_EFFECT_JOB,
    ABDM_EFFECT_AUDIT,
    ABDM_EFFECT_PUT,   /* a row of core/row.def: insert or replace */
    ABDM_EFFECT_DELETE /* a row of core/row.def, by its key */
} abdm_effect_kind_t;

typedef struct {
    char *what; /* "consent granted": static words and ids only */
    abdm_code_t code;
    char *detail; /* which input, which rule; no personal data */
    bool alert;   /* an operator should look: it is logged as well */
    /* of a transfer: under which consent, to whom, REQUEST-ID of who asked for it; NULL else */
    char *consent_id, *hiu_id, *request_id;
    int documents;             /* that left by what is told; 0: none */
} abdm_audit_t;

typedef struct {
    abdm_effect_kind_t kind;
    char *hip_id;
    char *subject;
    union {
        abdm_consent_t consent;
        abdm_transfer_t transfer;
        abdm_transfer_context_t context;
        abdm_page_t page;
        abdm_code_t reason;
        abdm_job_t job;
        abdm_audit_t audit;
        struct {
            abdm_row_id_t id;
            void *row; /* owned */
        } row;
    } u;
} abdm_effect_t;

typedef struct {
    abdm_effect_t *item; /* owned */
    size_t n;
    size_t cap;
    bool failed; /* out of memory: nothing of it may be applied */
    /* who asked, for the audit, borrowed: "gateway" with its REQUEST-ID, "hospital"; NULL: nobody */
    const char *caller, *request_id;
    /* of an event that is a call of the API: the answer, told after the commit */
    int reply_status;
    abdm_buf_t reply; /* JSON */
    abdm_err_t refusal; /* what the answer says is wrong; ABDM_OK: nothing */
} abdm_effects_t;

void abdm_effects_clear(abdm_effects_t *effects);
void abdm_job_clear(abdm_job_t *job);
void abdm_document_close(abdm_document_t *document); /* NULL is allowed */

/* Each copies its arguments; what is marked "takes" is emptied, also when memory runs out. */
void abdm_effect_consent(abdm_effects_t *e, abdm_consent_t *consent);                 /* takes */
void abdm_effect_transfer(abdm_effects_t *e, const abdm_transfer_t *transfer);
void abdm_effect_context(abdm_effects_t *e, const abdm_transfer_t *transfer,
                         const abdm_transfer_context_t *context);
void abdm_effect_page(abdm_effects_t *e, const abdm_transfer_t *transfer,
                      const abdm_page_t *page); /* shares the record */
void abdm_effect_fail_pending(abdm_effects_t *e, const abdm_transfer_t *transfer,
                              abdm_code_t reason);
void abdm_effect_cancel(abdm_effects_t *e, const abdm_transfer_t *transfer);
void abdm_effect_job(abdm_effects_t *e, abdm_job_t *job); /* takes its body and document */
void abdm_effect_audit(abdm_effects_t *e, const char *hip_id, const char *subject,
                       const char *what, abdm_err_t outcome, const char *detail);
void abdm_effect_alert(abdm_effects_t *e, const char *hip_id, const char *subject,
                       const char *what, abdm_err_t outcome, const char *detail);

/* About a transfer; `documents`: how many left. */
void abdm_effect_audit_transfer(abdm_effects_t *e, const abdm_transfer_t *transfer,
                                const char *what, abdm_err_t outcome, const char *detail,
                                int documents);

/* Copy the row. Use the typed forms: abdm_effect_put_patient(e, &row)... */
void abdm_effect_put(abdm_effects_t *e, abdm_row_id_t id, const void *row);
void abdm_effect_delete(abdm_effects_t *e, abdm_row_id_t id, const void *row);

#define ABDM_ROW(row)                                                                              \
    static inline void abdm_effect_put_##row(abdm_effects_t *e, const abdm_row_##row##_t *r)       \
    {                                                                                              \
        abdm_effect_put(e, ABDM_ROW_##row, r);                                                     \
    }                                                                                              \
    static inline void abdm_effect_delete_##row(abdm_effects_t *e, const abdm_row_##row##_t *r)    \
    {                                                                                              \
        abdm_effect_delete(e, ABDM_ROW_##row, r);                                                  \
    }
#define ABDM_ROW_END(row)
#define M(row, kind, m)
#include "core/row.def"

#endif
