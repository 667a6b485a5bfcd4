/*
 * What a flow is given: an event, and a view of the store to read. An event is a callback that
 * was accepted, the result of a job, or a job that is nothing but a moment in time.
 */
#ifndef ABDM_CORE_EVENT_H
#define ABDM_CORE_EVENT_H

#include <jansson.h>

#include "core/model.h"

/* A document ready to be pushed: made by the engine, passed on by the flows. */
typedef struct abdm_document_s abdm_document_t;
struct abdm_document_s {
    void (*close)(abdm_document_t *document);
};

/* What came of a job. */
typedef struct {
    abdm_err_t err;            /* ABDM_OK: it was done */
    bool final;                /* trying again is of no use */
    int status;                /* HTTP status, 0 when there was none */
    json_t *records;           /* of a RECORDS job: array in plain form. Owned by the event */
    abdm_document_t *document; /* of a DOCUMENT job; a flow may move it on into a PUSH job */
    char where[256];           /* of a DOCUMENT job: JSON Pointer of what `err` is about, or "" */
    const char *note;          /* of a DOCUMENT job: what else is to be known, static; may be NULL */
    /* of a DOCUMENT job: what the document says of itself, when it is a bundle of the HMIS's own */
    bool has_facts;
    abdm_hi_type_t hi_type;
    bool dated;
    abdm_ms_t date;
} abdm_result_t;

typedef struct {
    const char *name;       /* row of flow/table.c: "transfer.listed" */
    const char *hip_id;     /* facility */
    const char *subject;    /* id of the transfer or consent; "" for callbacks */
    int arg;                /* page or context the job was about; tries of a deferred callback */
    const char *request_id; /* of the callback */
    const char *body;       /* of the callback, or what the job carried; NULL when none */
    size_t body_len;
    abdm_ms_t at;           /* when the callback came or the job was made */
    abdm_ms_t now;
    abdm_result_t *result;  /* of a job that did something; NULL otherwise */
} abdm_event_t;

/* Reads of the store, consistent with each other while one event is handled. E_NOT_FOUND when
 * there is none; the caller clears what it was given. */
typedef struct abdm_view_s abdm_view_t;
struct abdm_view_s {
    abdm_err_t (*consent)(const abdm_view_t *view, const char *hip_id, const char *id,
                          abdm_consent_t *out);
    abdm_err_t (*transfer)(const abdm_view_t *view, const char *hip_id, const char *id,
                           abdm_transfer_t *out);
    abdm_err_t (*context)(const abdm_view_t *view, const abdm_transfer_t *transfer, int index,
                          abdm_transfer_context_t *out);
    abdm_err_t (*page)(const abdm_view_t *view, const abdm_transfer_t *transfer, int number,
                       abdm_page_t *out);
    /* How many contexts are still PENDING, and how many pages there are in all. */
    abdm_err_t (*progress)(const abdm_view_t *view, const abdm_transfer_t *transfer,
                           int *contexts_pending, int *pages);
    /* Of the pages of one context: how many are in each state; *reason becomes that of the
     * first failed one, and stays as it is without one. */
    abdm_err_t (*tally)(const abdm_view_t *view, const abdm_transfer_t *transfer, int context,
                        int *done, int *failed, int *pending, abdm_code_t *reason);
};

#endif
