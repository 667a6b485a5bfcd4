/* The http thread: takes submitted calls, drives curl, hands each answer to its owner. */
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "core/buf.h"
#include "engine/http.h"

enum {
    CONNECT_MS = 5000,
    POLL_MS = 1000,
    UPLOAD_BUFFER = 256 * 1024,
    SPEED_LEAST = 1024, /* bytes a second, over a call's idle_ms */
    IDLE_CONNECTION_S = 50 /* below the idle limits of gateways in front of us */
};

struct abdm_http_s {
    X509_STORE *trust; /* borrowed */
    CURLM *multi;
    pthread_t thread;
    pthread_mutex_t lock;
    abdm_call_t *incoming; /* newest first; under lock */
    abdm_call_t *active;   /* of the thread */
    CURL *spare[ABDM_HTTP_CONNECTIONS];
    size_t n_spare;
    atomic_bool stopping;
};


void
abdm_call_clear(abdm_call_t *call)
{
    free(call->url);
    free(call->unix_socket);
    free(call->resolve);
    for (struct curl_slist *h = call->headers; h != NULL; h = h->next) {
        abdm_wipe(h->data, strlen(h->data));
    }
    curl_slist_free_all(call->headers);
    abdm_source_close(call->body);
    abdm_buf_wipe_free(&call->answer);
    call->url = call->unix_socket = call->resolve = NULL;
    call->headers = NULL;
    call->body = NULL;
}


abdm_err_t
abdm_call_header(abdm_call_t *call, const char *name, const char *value)
{
    struct curl_slist *more;
    abdm_buf_t line = {0};

    abdm_buf_addf(&line, "%s: ", name);
    abdm_buf_addz(&line, value);
    abdm_buf_add(&line, "", 1);
    more = line.failed ? NULL : curl_slist_append(call->headers, line.p);
    abdm_buf_wipe_free(&line);
    if (more == NULL) {
        return ABDM_ERR(MEMORY, "header");
    }
    call->headers = more;
    return ABDM_NO_ERR;
}


X509_STORE *
abdm_http_trust(const char *pem_file, char problem[512])
{
    X509_STORE *store = X509_STORE_new();
    int ok;

    if (store == NULL) {
        snprintf(problem, 512, "no memory for the trust store");
        return NULL;
    }
    ok = pem_file != NULL ? X509_STORE_load_file(store, pem_file)
                          : X509_STORE_set_default_paths(store);
    if (ok != 1) {
        snprintf(problem, 512, "trusted_certificate \"%.300s\": expected a file of PEM certificates",
                 pem_file != NULL ? pem_file : "system default");
        X509_STORE_free(store);
        return NULL;
    }
    return store;
}


static CURLcode
on_ssl(CURL *easy, void *ssl_ctx, void *ctx)
{
    abdm_http_t *http = ctx;

    (void) easy;
    SSL_CTX_set1_cert_store(ssl_ctx, http->trust);
    return CURLE_OK;
}


static size_t
on_send(char *out, size_t size, size_t n, void *ctx)
{
    abdm_call_t *call = ctx;
    size_t got = 0;

    call->err = call->body->read(call->body, out, size * n, &got);
    return abdm_failed(call->err) ? CURL_READFUNC_ABORT : got;
}


/* A kept connection was closed by the peer just then: curl starts again on a new one. Not with
 * a call of which the peer may have taken note under its REQUEST-ID. */
static int
on_seek(void *ctx, curl_off_t offset, int origin)
{
    abdm_call_t *call = ctx;

    if (call->once || offset != 0 || origin != SEEK_SET || call->body->rewind == NULL) {
        return CURL_SEEKFUNC_FAIL;
    }
    call->body->rewind(call->body);
    return CURL_SEEKFUNC_OK;
}


static curl_socket_t
on_open_socket(void *ctx, curlsocktype purpose, struct curl_sockaddr *address)
{
    abdm_call_t *call = ctx;

    (void) purpose;
    call->err = call->dial(&address->addr, call->dial_ctx);
    if (abdm_failed(call->err)) {
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}


static size_t
on_receive(char *p, size_t size, size_t n, void *ctx)
{
    abdm_call_t *call = ctx;
    size_t len = size * n;
    long status = 0;

    curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
    if (call->spool != NULL && status >= 200 && status < 300) {
        call->err = abdm_spool_write(call->spool, p, len);
    } else if (call->answer.len + len > call->answer_max) {
        call->err = ABDM_ERR(ANSWER_TOO_LARGE, "answer of a server");
    } else {
        abdm_buf_add(&call->answer, p, len);
        if (call->answer.failed) {
            call->err = ABDM_ERR(MEMORY, "answer of a server");
        }
    }
    return abdm_failed(call->err) ? 0 : len;
}


static size_t
on_header(char *p, size_t size, size_t n, void *ctx)
{
    static const char retry[] = "Retry-After:";
    abdm_call_t *call = ctx;
    size_t len = size * n;

    if (len > sizeof(retry) && strncasecmp(p, retry, sizeof(retry) - 1) == 0) {
        char digits[8] = "";
        size_t at = sizeof(retry) - 1, k = 0;

        while (at < len && p[at] == ' ') {
            at++;
        }
        while (at < len && k < sizeof(digits) - 1 && p[at] >= '0' && p[at] <= '9') {
            digits[k++] = p[at++];
        }
        call->retry_after = atoi(digits);
    }
    if (call->header != NULL) {
        call->header(call, (abdm_str_t){p, len});
    }
    return len;
}


static abdm_err_t
error_of(CURLcode rc)
{
    switch (rc) {
    case CURLE_COULDNT_RESOLVE_HOST:
        return ABDM_ERR(RESOLVE, "host name");
    case CURLE_OPERATION_TIMEDOUT:
        return ABDM_ERR(TIMEOUT, "no answer in time");
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ISSUER_ERROR:
        return ABDM_ERR(TLS, "handshake or certificate");
    case CURLE_OUT_OF_MEMORY:
        return ABDM_ERR(MEMORY, "curl");
    default:
        return ABDM_ERR(CONNECT, curl_easy_strerror(rc));
    }
}


static CURL *
take_easy(abdm_http_t *http)
{
    CURL *easy = http->n_spare > 0 ? http->spare[--http->n_spare] : curl_easy_init();

    if (easy != NULL) {
        curl_easy_reset(easy);
    }
    return easy;
}


static CURLcode
set_options(abdm_http_t *http, abdm_call_t *call, struct curl_slist **pinned)
{
    CURL *e = call->easy;
    CURLcode rc = CURLE_OK;

#define SET(option, value)                                                                         \
    do {                                                                                           \
        if (rc == CURLE_OK)                                                                        \
            rc = curl_easy_setopt(e, option, value);                                               \
    } while (0)

    SET(CURLOPT_URL, call->url);
    SET(CURLOPT_PATH_AS_IS, 1L);
    SET(CURLOPT_PROTOCOLS_STR, call->plain_allowed ? "http,https" : "https");
    SET(CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_PROXY, "");
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_QUICK_EXIT, 1L); /* else a name look-up that hangs holds up this thread */
    SET(CURLOPT_TCP_KEEPALIVE, 1L);
    SET(CURLOPT_MAXAGE_CONN, (long) IDLE_CONNECTION_S);
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long) CONNECT_MS);
    SET(CURLOPT_TIMEOUT_MS, (long) call->total_ms);
    SET(CURLOPT_LOW_SPEED_LIMIT, (long) SPEED_LEAST);
    SET(CURLOPT_LOW_SPEED_TIME, (long) ((call->idle_ms + 999) / 1000));
    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, 2L);
    SET(CURLOPT_SSLVERSION, (long) CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_CAINFO, NULL);
    SET(CURLOPT_CAPATH, NULL);
    SET(CURLOPT_SSL_CTX_FUNCTION, on_ssl);
    SET(CURLOPT_SSL_CTX_DATA, http);
    SET(CURLOPT_HTTPHEADER, call->headers);
    SET(CURLOPT_WRITEFUNCTION, on_receive);
    SET(CURLOPT_WRITEDATA, call);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, call);
    SET(CURLOPT_PRIVATE, call);
    if (call->unix_socket != NULL) {
        SET(CURLOPT_UNIX_SOCKET_PATH, call->unix_socket);
    }
    if (call->dial != NULL) {
        SET(CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
        SET(CURLOPT_OPENSOCKETDATA, call);
    }
    if (call->resolve != NULL) {
        *pinned = curl_slist_append(NULL, call->resolve);
        if (*pinned == NULL) {
            return CURLE_OUT_OF_MEMORY;
        }
        SET(CURLOPT_RESOLVE, *pinned);
    }
    if (call->body != NULL) {
        SET(CURLOPT_POST, 1L);
        if (call->method != NULL) {
            SET(CURLOPT_CUSTOMREQUEST, call->method);
        }
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t) call->body->length);
        SET(CURLOPT_READFUNCTION, on_send);
        SET(CURLOPT_READDATA, call);
        SET(CURLOPT_SEEKFUNCTION, on_seek);
        SET(CURLOPT_SEEKDATA, call);
        if (call->body->length > UPLOAD_BUFFER) {
            SET(CURLOPT_UPLOAD_BUFFERSIZE, (long) UPLOAD_BUFFER);
        }
    } else if (call->once) {
        SET(CURLOPT_FRESH_CONNECT, 1L); /* on a kept one curl repeats what has no body */
    }
#undef SET
    return rc;
}


static void
finish(abdm_http_t *http, abdm_call_t *call, CURLcode rc)
{
    long status = 0;

    if (call->easy != NULL) {
        curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
        if (http->n_spare < ABDM_HTTP_CONNECTIONS) {
            http->spare[http->n_spare++] = call->easy;
        } else {
            curl_easy_cleanup(call->easy);
        }
        call->easy = NULL;
    }
    if (rc == CURLE_OK) {
        call->status = (int) status;
        if (call->spool != NULL) {
            call->err = abdm_spool_finish(call->spool);
        }
    } else if (!abdm_failed(call->err)) { /* else a callback knows better than curl */
        call->err = error_of(rc);
    }
    call->done(call);
}


static void
begin(abdm_http_t *http, abdm_call_t *call)
{
    struct curl_slist *pinned = NULL;
    CURLcode rc = CURLE_OUT_OF_MEMORY;

    call->easy = take_easy(http);
    if (call->easy != NULL) {
        rc = set_options(http, call, &pinned);
    }
    if (rc == CURLE_OK && curl_multi_add_handle(http->multi, call->easy) != CURLM_OK) {
        rc = CURLE_OUT_OF_MEMORY;
    }
    if (rc != CURLE_OK) {
        curl_slist_free_all(pinned);
        finish(http, call, rc);
        return;
    }
    call->pinned = pinned; /* curl reads it until the call ends */
    call->prev = NULL;
    call->next = http->active;
    if (call->next != NULL) {
        call->next->prev = call;
    }
    http->active = call;
}


static void
end(abdm_http_t *http, abdm_call_t *call, CURLcode rc)
{
    curl_multi_remove_handle(http->multi, call->easy);
    if (call->prev != NULL) {
        call->prev->next = call->next;
    } else {
        http->active = call->next;
    }
    if (call->next != NULL) {
        call->next->prev = call->prev;
    }
    curl_slist_free_all(call->pinned);
    call->pinned = NULL;
    finish(http, call, rc);
}


static void
take_incoming(abdm_http_t *http)
{
    abdm_call_t *call, *reversed = NULL;

    pthread_mutex_lock(&http->lock);
    call = http->incoming;
    http->incoming = NULL;
    pthread_mutex_unlock(&http->lock);

    while (call != NULL) { /* oldest first */
        abdm_call_t *next = call->next;

        call->next = reversed;
        reversed = call;
        call = next;
    }
    while (reversed != NULL) {
        call = reversed;
        reversed = call->next;
        begin(http, call);
    }
}


static void *
run(void *arg)
{
    abdm_http_t *http = arg;
    CURLMsg *msg;
    int running, left;

    while (!atomic_load(&http->stopping)) {
        take_incoming(http);
        curl_multi_perform(http->multi, &running);
        while ((msg = curl_multi_info_read(http->multi, &left)) != NULL) {
            abdm_call_t *call = NULL;
            CURLcode rc = msg->data.result;

            curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &call);
            end(http, call, rc);
        }
        pthread_mutex_lock(&http->lock);
        left = http->incoming != NULL;
        pthread_mutex_unlock(&http->lock);
        if (!left) {
            curl_multi_poll(http->multi, NULL, 0, POLL_MS, NULL);
        }
    }
    take_incoming(http);
    while (http->active != NULL) {
        http->active->err = ABDM_ERR(STOPPING, "call aborted");
        end(http, http->active, CURLE_ABORTED_BY_CALLBACK);
    }
    return NULL;
}


abdm_err_t
abdm_http_start(X509_STORE *trust, abdm_http_t **out)
{
    abdm_http_t *http = calloc(1, sizeof(*http));

    *out = NULL;
    if (http == NULL) {
        return ABDM_ERR(MEMORY, "http client");
    }
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        free(http);
        return ABDM_ERR(MEMORY, "curl_global_init");
    }
    if (strstr(curl_version_info(CURLVERSION_NOW)->ssl_version, "OpenSSL/3") == NULL) {
        curl_global_cleanup();
        free(http);
        return ABDM_ERR(TLS, "libcurl is not built with OpenSSL 3: install libcurl4");
    }
    http->trust = trust;
    http->multi = curl_multi_init();
    pthread_mutex_init(&http->lock, NULL);
    if (http->multi == NULL
        || curl_multi_setopt(http->multi, CURLMOPT_MAXCONNECTS, (long) ABDM_HTTP_CONNECTIONS)
        || curl_multi_setopt(http->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS,
                             (long) ABDM_HTTP_CONNECTIONS)
        || pthread_create(&http->thread, NULL, run, http) != 0) {
        curl_multi_cleanup(http->multi);
        pthread_mutex_destroy(&http->lock);
        free(http);
        return ABDM_ERR(SYSTEM, "http thread");
    }
    *out = http;
    return ABDM_NO_ERR;
}


void
abdm_http_submit(abdm_http_t *http, abdm_call_t *call)
{
    call->err = ABDM_NO_ERR;
    pthread_mutex_lock(&http->lock);
    call->next = http->incoming;
    http->incoming = call;
    pthread_mutex_unlock(&http->lock);
    curl_multi_wakeup(http->multi);
}


void
abdm_http_stop(abdm_http_t *http)
{
    if (http != NULL) {
        atomic_store(&http->stopping, true);
        curl_multi_wakeup(http->multi);
        pthread_join(http->thread, NULL);
    }
}


void
abdm_http_free(abdm_http_t *http)
{
    if (http == NULL) {
        return;
    }
    while (http->n_spare > 0) {
        curl_easy_cleanup(http->spare[--http->n_spare]);
    }
    curl_multi_cleanup(http->multi);
    pthread_mutex_destroy(&http->lock);
    curl_global_cleanup();
    free(http);
}
