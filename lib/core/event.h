/*
 * What a flow is given: an event, and a view of the store to read. An event is a callback that
 * was accepted, the result of a job, or a job that is nothing but a moment in time.
 */
#ifndef ABDM_CORE_EVENT_H
#define ABDM_CORE_EVENT_H

#include <jansson.h>

#include "core/model.h"
#include "core/row.h"

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
    char code[24];             /* of a GATEWAY job: digits of the gateway's own code, or "" */
    bool repeated;             /* of a GATEWAY job: refused because it had this very request before */
    json_t *records;           /* of a RECORDS job: array in plain form; of an HMIS job: what its
                                * question gives (hmis/hmis.h). Owned by the event */
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
    int arg;                /* page, context or question the job was about; tries so far */
    const char *request_id; /* of the callback */
    const char *body;       /* of the callback, or what the job carried; NULL when none */
    size_t body_len;
    const char *query;      /* of a call of the API: what stood behind '?', or "" */
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

    /* Rows of core/row.def: use the typed forms below. */
    abdm_err_t (*get)(const abdm_view_t *view, abdm_row_id_t id, void *row);
    abdm_err_t (*find)(const abdm_view_t *view, abdm_row_id_t id, int column, const char *hip_id,
                       const char *value, size_t max, void **rows, size_t *n);

    /* What we sent under this REQUEST-ID: subject and path of the job, owned by the caller. Every
     * on-* callback must name one of ours. */
    abdm_err_t (*sent)(const abdm_view_t *view, const char *hip_id, const char *request_id,
                       char **subject, char **path);

    /* Ids of the consents kept for an ABHA address, those with content only; each and the array
     * owned by the caller. */
    abdm_err_t (*consents_of)(const abdm_view_t *view, const char *hip_id,
                              const char *abha_address, char ***ids, size_t *n);

    /* What was kept of the consent's notice byte for byte, owned by the caller; *signature is NULL
     * when none came. E_NOT_FOUND. */
    abdm_err_t (*artefact)(const abdm_view_t *view, const char *hip_id, const char *id,
                           char **artefact, char **signature);

    /* Ids of the transfers that wait for the confirmation of a consent, at most `max`, each and the
     * array owned by the caller. */
    abdm_err_t (*confirming)(const abdm_view_t *view, const char *hip_id, const char *consent_id,
                             size_t max, char ***ids, size_t *n);
};

#define ABDM_ROW(row)                                                                              \
    static inline void abdm_row_##row##_clear(abdm_row_##row##_t *r)                               \
    {                                                                                              \
        abdm_row_clear(ABDM_ROW_##row, r);                                                         \
    }                                                                                              \
    static inline void abdm_row_##row##_free(abdm_row_##row##_t *rows, size_t n)                   \
    {                                                                                              \
        abdm_rows_free(ABDM_ROW_##row, rows, n);                                                   \
    }                                                                                              \
    static inline abdm_err_t abdm_row_##row##_get(const abdm_view_t *view, abdm_row_##row##_t *r)  \
    {                                                                                              \
        return view->get(view, ABDM_ROW_##row, r);                                                 \
    }                                                                                              \
    static inline abdm_err_t abdm_row_##row##_find(const abdm_view_t *view, int column,            \
                                                   const char *hip_id, const char *value,          \
                                                   size_t max, abdm_row_##row##_t **rows,          \
                                                   size_t *n)                                      \
    {                                                                                              \
        void *found = NULL;                                                                        \
        abdm_err_t err = view->find(view, ABDM_ROW_##row, column, hip_id, value, max, &found, n);  \
        *rows = found;                                                                             \
        return err;                                                                                \
    }
#define ABDM_ROW_END(row)
#define M(row, kind, m)
#include "core/row.def"

#endif
