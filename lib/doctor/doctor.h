/*
 * Inside doctor/ only. An examination goes area by area, each a file of its own; what one learns
 * (the session, what is registered) the next ones use. A command examines on one thread, waits
 * for each answer, and leaves no trace.
 */
#ifndef ABDM_DOCTOR_DOCTOR_H
#define ABDM_DOCTOR_DOCTOR_H

#include "abdm_doctor.h"
#include "abdm_internal.h"
#include "engine/http.h"
#include "engine/task.h"
#include "gateway/bridge.h"

enum { ABDM_DOCTOR_TEXT = 640 };

typedef struct {
    const abdm_description_t *description;
    const abdm_config_t *config; /* of it */
    abdm_doctor_options_t options;
    abdm_finding_fn tell;
    void *tell_ctx;
    const char *area;

    abdm_t *abdm;      /* NULL: the configuration cannot be loaded */
    abdm_http_t *http; /* NULL: it could not be started */
    char *token;       /* of the session; NULL: none */
    abdm_bridge_t bridge;
    bool bridge_known;
} abdm_doctor_t;

/* --- telling (doctor.c) --- */

void abdm_doctor_tell(abdm_doctor_t *d, const char *check, const char *subject,
                      abdm_finding_state_t state, const char *seen, const char *remedy);

/* Writes into `out` and gives it, for use in the call of the former. */
const char *abdm_doctor_text(char out[ABDM_DOCTOR_TEXT], const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Is the facility one that was asked for? */
bool abdm_doctor_wants(const abdm_doctor_t *d, const char *facility);

/* Loads the configuration and starts the client; tells about failures. */
bool abdm_doctor_begin(abdm_doctor_t *d);
void abdm_doctor_end(abdm_doctor_t *d);

/* --- calls (call.c) --- */

/* One call and what is seen of its answer. To be zeroed; cleared by abdm_probe_clear. */
typedef struct {
    abdm_call_t call; /* first */
    char date[64], location[256], server[64], type[64];
    int64_t took_ms;
    abdm_ms_t at; /* wall clock in the middle of it */
} abdm_probe_t;

/* Performs `probe->call`, of which url, headers and body are set. */
void abdm_probe_run(abdm_http_t *http, abdm_probe_t *probe);
void abdm_probe_clear(abdm_probe_t *probe);

/* Calls the gateway or the registry with the headers of the protocol and, if there is one, the
 * session's token. `body` is taken; NULL: GET. */
void abdm_probe_gateway(abdm_doctor_t *d, abdm_probe_t *probe, const char *method,
                        const char *base, const char *path, abdm_buf_t *body);

/* What such a call that failed tells, and what is to be done. */
void abdm_probe_blame(const abdm_probe_t *probe, char seen[ABDM_DOCTOR_TEXT],
                      char remedy[ABDM_DOCTOR_TEXT]);
bool abdm_probe_good(const abdm_probe_t *probe); /* 2xx and no error in it */

/* What is to be done about a call that got no answer; static. */
const char *abdm_probe_remedy(abdm_err_t err);

/* --- the areas --- */

void abdm_examine_configuration(abdm_doctor_t *d); /* files.c */
void abdm_examine_files(abdm_doctor_t *d);
void abdm_examine_store(abdm_doctor_t *d);   /* records.c */
void abdm_examine_network(abdm_doctor_t *d); /* network.c */
void abdm_examine_gateway(abdm_doctor_t *d); /* gateway.c */
void abdm_examine_registered(abdm_doctor_t *d); /* bridge.c */
void abdm_examine_callback(abdm_doctor_t *d);   /* callback.c */
void abdm_examine_hospital(abdm_doctor_t *d);   /* hospital.c */

/* gateway.c: gets d->token, and tells of it and of the clock */
bool abdm_examine_session(abdm_doctor_t *d);

/* bridge.c: gets d->bridge; tells only of failure */
bool abdm_examine_bridge(abdm_doctor_t *d);
/* Compares one facility with what is registered. */
void abdm_examine_facility(abdm_doctor_t *d, const char *id);
/* Is the path of a bridge URL the prefix that nginx serves? */
bool abdm_bridge_path_fits(const char *url, const char *prefix);
/* The same but for a slash at the end. */
bool abdm_bridge_url_is(const char *url, const char *other);

/* network.c: DNS and TLS of one URL's host. What is bad is told; no connection is the caller's to
 * tell, `why` says why. */
typedef enum { ABDM_HOST_GOOD, ABDM_HOST_BAD, ABDM_HOST_SILENT } abdm_host_state_t;
abdm_host_state_t abdm_examine_host(abdm_doctor_t *d, const char *url, X509_STORE *trust,
                              char why[128]);

/* tls.c: a handshake, whatever the certificate says. */
typedef struct {
    bool connected;   /* TCP */
    bool shaken;      /* TLS */
    long verdict;     /* X509_V_OK or an X509_V_ERR_... */
    int days_left;    /* of the certificate that ends first */
    char why[128];    /* no connection or handshake: why */
    char subject[128], issuer[128]; /* of the server's certificate */
    const char *protocol; /* static: "TLSv1.3" */
} abdm_tls_look_t;

void abdm_tls_look(const char *host, const char *port, X509_STORE *trust, abdm_tls_look_t *out);

#endif
