/*
 * The engine of one process: claims due work from the store, runs flows on it, and carries out
 * their jobs. One thread owns the database connection and runs the flows inside its
 * transactions (group commit: while one is written the next batch collects); one drives HTTP; a
 * few do what takes long (mapping, checking, key agreement, name look-ups).
 *
 * The engine knows no flow: it is given their table.
 */
#ifndef ABDM_ENGINE_ENGINE_H
#define ABDM_ENGINE_ENGINE_H

#include <openssl/x509.h>

#include "api/api.h"
#include "core/log.h"
#include "core/url_guard.h"
#include "fhir/document.h"
#include "flow/flow.h"
#include "hmis/hmis.h"
#include "hmis/sms.h"
#include "store/store.h"

typedef struct {
    abdm_facility_t facts;
    abdm_hmis_t *hmis;
    abdm_sms_t *sms; /* NULL: none */
    abdm_fhir_policy_t fhir;
    abdm_record_rules_t rules; /* with the hospital's table of codes */
} abdm_engine_facility_t;

/* All borrowed for the engine's life; const. */
typedef struct {
    const char *store_url;
    const abdm_seal_key_t *seal_key;
    const abdm_flow_t *(*find_flow)(const char *event);
    const abdm_engine_facility_t *facility;
    size_t n_facility;
    const abdm_push_allow_t *push_allow;
    abdm_policy_t policy;
    const abdm_signers_t *signers; /* of consents; NULL: none */
    X509_STORE *trust;
    const char *spool_dir;
    uint64_t record_max;
    abdm_ms_t audit_keep; /* of audit and finished transfers; 0: for ever */

    const char *gateway_url;
    const char *cm_id;
    const char *client_id;
    abdm_str_t client_secret;
    const char *jwks_url[2]; /* tried in this order; the second may be NULL */

    abdm_log_t log;
    unsigned worker;
    size_t queue; /* callbacks waiting to become durable */
} abdm_engine_config_t;

/* What the engine tells its host, from its own threads. */
typedef enum { ABDM_NEWS_CALLBACK, ABDM_NEWS_KEYS, ABDM_NEWS_ASK } abdm_news_kind_t;

typedef struct abdm_news_s abdm_news_t;
struct abdm_news_s {
    abdm_news_kind_t kind;
    void *tag;
    abdm_err_t err;
    char *text;            /* KEYS: key set, NULL: nothing new; ASK: JSON. Owned by the receiver */
    int status;            /* ASK: HTTP status of the answer */
    abdm_err_t refusal;    /* ASK: what the answer says is wrong */
    abdm_api_flavour_t flavour; /* ASK */
    abdm_ms_t fetched_at;  /* KEYS */
    bool failed;           /* KEYS: the last attempt brought nothing */
    bool asked;            /* KEYS: they answer abdm_engine_want_keys */
    abdm_news_t *next;
};

void abdm_news_free(abdm_news_t *news);

typedef struct abdm_engine_s abdm_engine_t;

/* `wake` is told after news were added; from the engine's threads. */
abdm_err_t abdm_engine_start(const abdm_engine_config_t *config, void (*wake)(void *ctx),
                             void *wake_ctx, abdm_engine_t **out);
void abdm_engine_drain(abdm_engine_t *engine);
bool abdm_engine_busy(const abdm_engine_t *engine);
void abdm_engine_stop(abdm_engine_t *engine, int64_t deadline_ms); /* frees */

/* Takes the callback's strings, also on failure. E_QUEUE_FULL, E_STOPPING. */
abdm_err_t abdm_engine_accept(abdm_engine_t *engine, abdm_callback_t *callback, void *tag);
bool abdm_engine_full(const abdm_engine_t *engine);

/* Asks for newer keys than those told last; news of kind KEYS follow. */
abdm_err_t abdm_engine_want_keys(abdm_engine_t *engine);

/* A call of the API, taken also on failure. News of kind ASK follow. */
abdm_err_t abdm_engine_ask(abdm_engine_t *engine, abdm_api_call_t *call, void *tag);

abdm_news_t *abdm_engine_reap(abdm_engine_t *engine); /* oldest first; NULL: none */

typedef struct {
    uint64_t accepted, repeated, refused, events, calls, calls_failed, commits;
    size_t waiting, under_way;
} abdm_engine_stats_t;

void abdm_engine_stats(const abdm_engine_t *engine, abdm_engine_stats_t *out);

#endif
