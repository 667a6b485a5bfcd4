/*
 * The one HTTP client: a thread on one curl multi handle, with one connection pool. HTTP/1.1 (curl
 * 7.88 loses a part of HTTP/2 POSTs against nginx), TLS verified against one store built
 * beforehand, no redirects, no proxies of the environment, limits on time and size.
 */
#ifndef ABDM_ENGINE_HTTP_H
#define ABDM_ENGINE_HTTP_H

#include <curl/curl.h>
#include <openssl/x509.h>
#include <sys/socket.h>

#include "core/source.h"
#include "engine/spool.h"

typedef struct abdm_http_s abdm_http_t;
typedef struct abdm_call_s abdm_call_t;

enum { ABDM_HTTP_CONNECTIONS = 400 };

/* One request and its answer. Made zeroed by the caller, who embeds or owns it. */
struct abdm_call_s {
    /* request; owned by the call, freed by abdm_call_clear */
    char *url;
    char *unix_socket; /* NULL: TCP */
    char *resolve;     /* CURLOPT_RESOLVE: dial these addresses and no other */
    struct curl_slist *headers;
    abdm_source_t *body; /* NULL: GET, else POST */
    const char *method;  /* static: with a body, another one than POST; NULL: as said */
    /* Judges each address before it is dialled, whoever looked it up; NULL: any. */
    abdm_err_t (*dial)(const struct sockaddr *addr, const void *ctx);
    const void *dial_ctx;
    bool plain_allowed;  /* http:// may be used: calls to the HMIS */
    bool once;           /* carries a REQUEST-ID: curl may not send it again on its own */
    int64_t total_ms;
    int64_t idle_ms; /* longest silence */

    /* where the answer goes: `spool` (borrowed) when given and the status is 2xx, else `answer` */
    size_t answer_max;
    abdm_spool_t *spool;

    /* the answer */
    abdm_err_t err; /* RESOLVE, CONNECT, TLS, TIMEOUT, ANSWER_TOO_LARGE, STOPPING, ... */
    int status;     /* 0: none */
    int retry_after; /* seconds, 0: not told */
    abdm_buf_t answer;
    /* Shown each header line of it, on the http thread; NULL: nobody wants them. */
    void (*header)(abdm_call_t *call, abdm_str_t line);

    void (*done)(abdm_call_t *call); /* on the http thread, once */
    void *owner;

    /* the client's own */
    CURL *easy;
    struct curl_slist *pinned;
    abdm_call_t *prev, *next;
};

void abdm_call_clear(abdm_call_t *call); /* wipes header lines: they carry tokens */

/* Adds "name: value". E_MEMORY. */
abdm_err_t abdm_call_header(abdm_call_t *call, const char *name, const char *value);

/* The trust store for all connections: a PEM bundle, or NULL for the system's. Made once, before
 * processes start; NULL with `problem` on failure. Freed by X509_STORE_free. */
X509_STORE *abdm_http_trust(const char *pem_file, char problem[512]);

/* curl_global_init must be possible: after fork. `trust` is borrowed. */
abdm_err_t abdm_http_start(X509_STORE *trust, abdm_http_t **out);

/* From any thread. `done` always follows. */
void abdm_http_submit(abdm_http_t *http, abdm_call_t *call);

/* Aborts what is under way (E_STOPPING) and ends the thread. Calls submitted later never end. */
void abdm_http_stop(abdm_http_t *http);
void abdm_http_free(abdm_http_t *http); /* after _stop; NULL is allowed */

#endif
