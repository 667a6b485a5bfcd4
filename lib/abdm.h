/*
 * libabdm: a hospital's bridge to India's Ayushman Bharat Digital Mission.
 *
 * The host (an nginx module, a test, the `abdm` command) fills an abdm_config_t, makes an
 * abdm_t of it, and then, in each process that is to work, starts it. From there on the host
 * shows each callback to the door, hands over what the door lets in, and is told through a
 * file descriptor when something is done. All else (rules, store, calls out, retries) happens
 * on threads of the library.
 *
 * Threads: abdm_new, abdm_prepare_store and abdm_free belong to one thread, usually of a
 * master process. Everything from abdm_start to abdm_stop belongs to the one thread that
 * called abdm_start; none of these calls blocks, except abdm_stop up to its deadline.
 *
 * Strings given in are borrowed for the call, those of abdm_config_t for the life of the
 * abdm_t. Strings given out are static unless said otherwise.
 */
#ifndef ABDM_H
#define ABDM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/err.h"
#include "core/buf.h"
#include "core/log.h"
#include "core/policy.h"

#define ABDM_API __attribute__((visibility("default")))

#include "abdm_fidelius.h"

/* "0.1.0". The module compares it with the header it was built with. */
ABDM_API const char *abdm_version(void);

/* ------------------------------------------------------------------ configuration */

enum { ABDM_PROBLEM = 512, ABDM_LIST_MAX = 16 };

typedef struct {
    const char *item[ABDM_LIST_MAX];
    size_t n;
} abdm_list_t;

typedef enum { ABDM_GATEWAY_CUSTOM, ABDM_GATEWAY_SANDBOX, ABDM_GATEWAY_PRODUCTION } abdm_preset_t;

/* What is NULL, empty or negative is filled from the preset by abdm_new. */
typedef struct {
    abdm_preset_t preset;
    const char *client_id;           /* the bridge id */
    const char *client_secret_file;  /* first line is the secret; not readable by others */
    const char *url;                 /* "https://dev.abdm.gov.in", no trailing slash */
    const char *cm_id;               /* "sbx" */
    abdm_list_t issuer;              /* accepted `iss` */
    abdm_list_t caller;              /* accepted `azp`; the realm role "gateway" passes too */
    const char *jwks_url;            /* NULL: the gateway's certs, then the issuer's */
    const char *trusted_certificate; /* PEM bundle for all TLS out; NULL: the system's */
    int64_t token_leeway_ms;         /* for `exp` and `nbf`; -1: 3,600,000 */
} abdm_gateway_config_t;

typedef struct {
    const char *id;           /* service id (HIP id), as in X-HIP-ID */
    const char *name;         /* shown to patients */
    const char *hmis_adapter; /* "rest" */
    const char *hmis_url;     /* "http://host:port/base" or "http://unix:/path:/base" */
    const char *hmis_mapping; /* directory, see conf/hmis */
    const char *codes;        /* CSV of local terms and standard codes; NULL: none */
    const char *fhir;         /* what happens to FHIR of the HMIS that cannot be made conformant:
                               * "reject" (also NULL), "attach" or "send" */
    const char *sms_url;      /* of the provider for OTPs, as hmis_url; NULL: none */
    const char *sms_template; /* file with the provider's calls; given exactly when sms_url is */
    int64_t poll_ms;          /* between two looks at the HMIS's feed of new care contexts; 0: it is
                               * not read; -1: 60,000 when the mapping has new_contexts, else 0 */
    bool deep_link;           /* patients without a known ABHA are told of new contexts by SMS */
    int quiet_from, quiet_to; /* minutes of the day in which no SMS goes out; equal: none */
    int sms_daily;            /* such messages a day at most; -1: 1,000 */
    const char *const *counter; /* names that abdm_counter_check passes; none: every name will do */
    size_t n_counters;
    int zone_minutes;         /* east of UTC */
    int64_t slot_ms;          /* discoveries are answered at multiples of it; -1: 2,000 */
    int discovery_hourly;     /* per mobile and per ABHA; -1: 10 */
    int64_t otp_life_ms;      /* -1: 600,000 */
} abdm_facility_config_t;

/* Sets every member to its default: no strings, quiet from 21:00 to 08:00, zone +05:30, deep links
 * on, all that has a "-1" to that. */
ABDM_API void abdm_facility_config_init(abdm_facility_config_t *facility);

typedef struct {
    const char *store;           /* "sqlite:/var/lib/ngx_abdm/abdm.db" */
    const char *secret_key_file; /* see abdm_secret_key_make */
    abdm_gateway_config_t gateway;
    const abdm_facility_config_t *facility;
    size_t n_facility;
    const char *const *push_allow; /* addresses and networks else refused: "127.0.0.0/8" */
    size_t n_push_allow;
    abdm_policy_t policy;
    const char *const *consent_key; /* files of keys that may have signed consents, PEM: RSA public
                                     * keys or certificates */
    size_t n_consent_key;
    const char *const *consent_kid; /* of each: what a signature that names its key must name; "",
                                     * or beyond the end: anything */
    size_t n_consent_kid;
    const char *callback_prefix; /* of the bridge URL: "/abdm"; "" when it has no path */
    size_t callback_max_body;    /* bytes */
    size_t queue;                /* callbacks accepted and not yet durable, per process */
    uint64_t record_max;         /* bytes of one record as the HMIS gives it */
    int64_t audit_keep_ms;       /* how long rows of the audit and finished transfers are kept: 400
                                  * days; at least 365 */
} abdm_config_t;

/* Sets every member to its default. */
ABDM_API void abdm_config_init(abdm_config_t *config);

typedef struct abdm_s abdm_t;

/* Checks everything that `config` names (files, rights, URLs, mappings) and loads it. Touches no
 * socket and no database. On failure the code is returned and `problem` says which value of
 * what was wrong and what is expected. */
ABDM_API abdm_err_t abdm_new(const abdm_config_t *config, char problem[ABDM_PROBLEM], abdm_t **out);
ABDM_API void abdm_free(abdm_t *abdm); /* stops at once what still runs; NULL is allowed */

/* Makes or migrates the store, before any process is started. When `owner` is not
 * (uid_t) -1 the files are given to it, since workers run as another user than the master.
 * Beside the store the configuration is described for operators' tools, see abdm_doctor.h. */
ABDM_API abdm_err_t abdm_prepare_store(abdm_t *abdm, uid_t owner, gid_t group,
                                       char problem[ABDM_PROBLEM]);

/* ------------------------------------------------------------------ a working process */

typedef struct {
    abdm_log_t log;   /* called from any thread */
    unsigned worker;  /* 0 sweeps for orphaned and due work and refreshes keys on schedule */
    int wake_fd;      /* an eventfd: one 64-bit 1 is written when abdm_reap has something */
} abdm_host_t;

ABDM_API abdm_err_t abdm_start(abdm_t *abdm, const abdm_host_t *host);

/* True while something accepted or begun by this process is not finished; the process should
 * not exit before, or before its patience ends. */
ABDM_API bool abdm_busy(const abdm_t *abdm);

/* Claims no new work from now on: for a process that is told to leave gracefully. */
ABDM_API void abdm_drain(abdm_t *abdm);

/* Ends all threads within about `deadline_ms`; what is not finished is given back to the store
 * for another process. Completions not reaped are dropped. */
ABDM_API void abdm_stop(abdm_t *abdm, int64_t deadline_ms);

/* ------------------------------------------------------------------ the front door */

/* What came, borrowed. An absent header has p == NULL. */
typedef struct {
    abdm_str_t method;
    abdm_str_t path; /* decoded, without query, with the callback prefix */
    abdm_str_t authorization;
    abdm_str_t request_id;
    abdm_str_t timestamp;
    abdm_str_t hip_id;
    abdm_str_t hiu_id;
    abdm_str_t content_type;
    abdm_str_t content_encoding;
    int64_t content_length; /* -1: not told */
    bool duplicate;         /* one of these headers came more than once */
} abdm_head_t;

typedef struct {
    int status;          /* HTTP status: 202 or an error */
    const char *code;    /* "E_TOKEN_CALLER"; "" on success */
    const char *message; /* one sentence; "" on success */
    int retry_after;     /* seconds, 0: no such header */
} abdm_answer_t;

typedef enum {
    ABDM_DOOR_PASS,   /* read the body, then abdm_submit */
    ABDM_DOOR_ANSWER, /* answer `answer`, do not read the body */
    ABDM_DOOR_WAIT    /* keys are being fetched: ask again, with `last`, when ABDM_DONE_KEYS is
                       * reaped or the request has waited 3 s, whichever comes first */
} abdm_door_t;

/* Judges by the headers alone. `last`: do not answer WAIT again. */
ABDM_API abdm_door_t abdm_door(abdm_t *abdm, const abdm_head_t *head, bool last,
                               abdm_answer_t *answer);

/* Hands over a callback that has passed the door. The bytes are copied. On ABDM_OK a
 * completion with `tag` follows when it is durable or refused; on failure none does and the
 * code says what to answer (abdm_answer_of). */
ABDM_API abdm_err_t abdm_submit(abdm_t *abdm, const abdm_head_t *head, abdm_str_t body, void *tag);

ABDM_API abdm_answer_t abdm_answer_of(abdm_err_t err);

/* "/api/v3/", "/v3/", "/v0.5/": below the callback prefix, the gateway's callbacks go to these and
 * nothing else may. NULL beyond the end. */
ABDM_API const char *abdm_callback_root(size_t n);

/* A call of the hospital's own software or of an operator, borrowed. What did not come is empty. */
typedef struct {
    bool nha;              /* the paths are those of NHA's wrapper, not our own */
    abdm_str_t method;     /* "POST" */
    abdm_str_t path;       /* decoded, below the location, without a slash at its start */
    abdm_str_t query;      /* behind '?', not decoded */
    abdm_str_t facility;   /* the location's, else that of header X-HIP-ID */
    abdm_str_t content_type;
} abdm_api_request_t;

/* Takes a call. The bytes are copied. On ABDM_OK a completion with `tag` follows, also for a
 * refusal; on failure none does and the code says what to answer (abdm_answer_of). */
ABDM_API abdm_err_t abdm_api(abdm_t *abdm, const abdm_api_request_t *request, abdm_str_t body,
                             void *tag);

/* The JSON of a refusal that did not come as a completion, in the form of the caller. Owned by the
 * caller (free); NULL: no memory. */
ABDM_API char *abdm_api_refusal(bool nha, const abdm_answer_t *answer);

typedef enum { ABDM_DONE_CALLBACK, ABDM_DONE_KEYS, ABDM_DONE_API } abdm_done_kind_t;

typedef struct {
    abdm_done_kind_t kind;
    void *tag;            /* of abdm_submit or abdm_api; NULL for KEYS */
    abdm_answer_t answer; /* CALLBACK, API */
    char *body;           /* API: JSON, also of a refusal, owned by the caller (free); NULL: {},
                           * or what `answer` says */
} abdm_done_t;

/* Takes one completion; false when there is none. To be called until false after each wake. */
ABDM_API bool abdm_reap(abdm_t *abdm, abdm_done_t *done);

/* JSON of this process's counters and state; malloc'ed, NULL on no memory. */
ABDM_API char *abdm_status(abdm_t *abdm);

/* ------------------------------------------------------------------ for operators' tools */

typedef struct abdm_admin_s abdm_admin_t;

/* Opens a store for reading beside running processes. */
ABDM_API abdm_err_t abdm_admin_open(const char *store, char problem[ABDM_PROBLEM],
                                    abdm_admin_t **out);
ABDM_API void abdm_admin_close(abdm_admin_t *admin);
/* JSON, malloc'ed: the newest callbacks that no flow answers; the newest transfers; one transfer
 * or consent with all that happened to it and the rule that decided (E_NOT_FOUND). */
ABDM_API abdm_err_t abdm_admin_callbacks(abdm_admin_t *admin, int limit, char **json);
ABDM_API abdm_err_t abdm_admin_transfers(abdm_admin_t *admin, int limit, char **json);
ABDM_API abdm_err_t abdm_admin_explain(abdm_admin_t *admin, const char *id, char **json);

/* The same with the store's secret key, without which the audit cannot be verified. */
ABDM_API abdm_err_t abdm_admin_open_with(const char *store, const char *secret_key_file,
                                         char problem[ABDM_PROBLEM], abdm_admin_t **out);

/* Of [since, until): an ABDM date-time, or how long ago as "30s", "10m", "6h", "72h", "90d". NULL:
 * from the first row, to the last. `facility` NULL: all. */
typedef struct {
    const char *since, *until;
    const char *facility;
} abdm_audit_query_t;

/* Verifies every row of the audit, and that the row of `anchor` ("NUMBER:MAC" of the log; NULL:
 * none) is there. *good tells the outcome and `json`, malloc'ed, all of it. Needs the secret key.
 * E_FIELD when the anchor is none. */
ABDM_API abdm_err_t abdm_admin_audit_verify(abdm_admin_t *admin, const char *anchor, bool *good,
                                            char **json);
/* Begins a new chain, after the old one was found to be altered (E_AUDIT). */
ABDM_API abdm_err_t abdm_admin_audit_restart(abdm_admin_t *admin);
/* Gives row after row to `write`, as lines of JSON or as CSV; false from it ends the export with
 * E_SYSTEM. E_FIELD: the query. */
ABDM_API abdm_err_t abdm_admin_audit_export(abdm_admin_t *admin, const abdm_audit_query_t *query,
                                            bool csv,
                                            bool (*write)(void *ctx, const char *p, size_t len),
                                            void *ctx);
/* JSON, malloc'ed: how often what happened; or, for a notice of a breach, what left the facility
 * when, to which requester, under which consent. */
ABDM_API abdm_err_t abdm_admin_audit_report(abdm_admin_t *admin, const abdm_audit_query_t *query,
                                            bool breach, char **json);

/* Makes a new random key file (mode 0600); E_CONFIG with `problem` when it exists already. */
ABDM_API abdm_err_t abdm_secret_key_make(const char *path, char problem[ABDM_PROBLEM]);

/* Is `counter` a name that ABDM takes for a counter of the facility: 1 to 20 letters and digits,
 * and neither the facility's id nor its name (which may be NULL)? E_CONFIG with `problem`. */
ABDM_API abdm_err_t abdm_counter_check(const char *facility, const char *name, const char *counter,
                                       char problem[ABDM_PROBLEM]);

/* What the QR code at the counter says, malloc'ed: "https://phrsbx.abdm.gov.in/share-profile?...".
 * `host` is "https://host[:port]", or NULL for that of `preset`, which may not be CUSTOM then.
 * E_CONFIG with `problem`. */
ABDM_API abdm_err_t abdm_counter_url(abdm_preset_t preset, const char *host, const char *facility,
                                     const char *counter, char problem[ABDM_PROBLEM], char **url);

/* The table of errors, for `abdm errors`: the n-th row from 0, or NULL beyond the end. */
ABDM_API const abdm_error_info_t *abdm_error_row(size_t n);

#endif
