/*
 * A small HTTP/1.1 server on loopback, plain or TLS with a certificate of its own, whose answers
 * a test writes as a function. One thread per connection; keep-alive; bodies by Content-Length.
 * To be included after cmocka.h.
 */
#ifndef ABDM_TEST_SERVER_KIT_H
#define ABDM_TEST_SERVER_KIT_H

#include <arpa/inet.h>
#include <openssl/ec.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { SERVER_CONNECTIONS = 512, SERVER_HEAD = 16384, SERVER_BODY = 1 << 20 };

typedef struct {
    char path[512];
    char head[SERVER_HEAD]; /* all lines */
    char *body;             /* terminated */
    size_t body_len;
    int connection; /* number of the connection, from 0 */
} server_request_t;

typedef struct {
    int status;
    const char *more; /* header lines, each with its line end */
    const char *body;
    size_t body_len; /* 0: strlen(body) */
    bool silent;     /* no answer; until the peer or the server ends it */
    bool chop;       /* the connection ends before the answer does */
} server_reply_t;

typedef struct server_s server_t;
struct server_s {
    /* On a thread of the connection. */
    void (*answer)(server_t *s, const server_request_t *r, server_reply_t *reply);
    void *ctx;
    int port;
    char url[64]; /* without a slash at its end */
    X509 *cert;

    SSL_CTX *ssl; /* NULL: plain */
    int fd;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_t of[SERVER_CONNECTIONS];
    int fds[SERVER_CONNECTIONS];
    int n;
    atomic_bool stopping;
    atomic_int requests;
};

typedef struct {
    server_t *server;
    int fd, number;
} server_conn_t;


static inline void
server_nap(int ms)
{
    const struct timespec t = {ms / 1000, ms % 1000 * 1000000L};

    nanosleep(&t, NULL);
}


#ifndef ABDM_TORTURE
#define torture_patience(ms) (ms) /* after a fault, what does not come at once will not come */
#endif

/* Waits until the expression holds, at most `ms`; false when it does not. */
#define WAIT_UNTIL(expr, ms)                                                                       \
    ({                                                                                             \
        int left_ = (ms);                                                                          \
        while (!(expr) && left_ > 0) {                                                             \
            server_nap(2);                                                                         \
            left_ = torture_patience(left_ - 2);                                                   \
        }                                                                                          \
        (expr);                                                                                    \
    })


static inline long
server_io(SSL *ssl, int fd, void *in, const void *out, size_t n)
{
    if (ssl != NULL)
        return in != NULL ? SSL_read(ssl, in, (int) n) : SSL_write(ssl, out, (int) n);
    return in != NULL ? recv(fd, in, n, 0) : send(fd, out, n, MSG_NOSIGNAL);
}


static inline bool
server_write(SSL *ssl, int fd, const char *p, size_t n)
{
    while (n > 0) {
        long sent = server_io(ssl, fd, NULL, p, n > 16384 ? 16384 : n);

        if (sent <= 0)
            return false;
        p += sent;
        n -= (size_t) sent;
    }
    return true;
}


static inline size_t
server_content_length(const char *head)
{
    const char *line = head;

    while ((line = strstr(line, "\r\n")) != NULL) {
        line += 2;
        if (strncasecmp(line, "Content-Length:", 15) == 0)
            return strtoul(line + 15, NULL, 10);
    }
    return 0;
}


/* Reads one request; false when the connection ended. */
static inline bool
server_read(SSL *ssl, int fd, server_request_t *r)
{
    size_t n = 0, have, want;
    char *end = NULL;

    while (end == NULL) {
        long got = server_io(ssl, fd, r->head + n, NULL, SERVER_HEAD - 1 - n);

        if (got <= 0)
            return false;
        n += (size_t) got;
        r->head[n] = '\0';
        end = strstr(r->head, "\r\n\r\n");
    }
    end += 4;
    have = n - (size_t) (end - r->head);
    want = server_content_length(r->head);
    if (want > SERVER_BODY)
        return false;
    memcpy(r->body, end, have);
    *end = '\0';
    while (have < want) {
        long got = server_io(ssl, fd, r->body + have, NULL, want - have);

        if (got <= 0)
            return false;
        have += (size_t) got;
    }
    r->body[want] = '\0';
    r->body_len = want;
    return sscanf(r->head, "%*s %511s", r->path) == 1;
}


static inline bool
server_reply(server_t *s, SSL *ssl, int fd, const server_request_t *r)
{
    server_reply_t reply = {.status = 200, .more = "", .body = ""};
    char head[1024], byte;
    size_t len;

    s->answer(s, r, &reply);
    if (reply.silent) {
        while (!atomic_load(&s->stopping) && server_io(ssl, fd, &byte, NULL, 1) > 0)
            continue;
        return false;
    }
    len = reply.body_len > 0 ? reply.body_len : strlen(reply.body);
    snprintf(head, sizeof(head), "HTTP/1.1 %d X\r\nContent-Length: %zu\r\n%s\r\n", reply.status,
             len, reply.more);
    if (reply.chop)
        len /= 2;
    return server_write(ssl, fd, head, strlen(head)) && server_write(ssl, fd, reply.body, len)
           && !reply.chop;
}


static inline void *
server_connection(void *arg)
{
    server_conn_t *c = arg;
    server_t *s = c->server;
    SSL *ssl = NULL;
    server_request_t *r = calloc(1, sizeof(*r));
    bool good = r != NULL && (r->body = malloc(SERVER_BODY + SERVER_HEAD)) != NULL;

    if (good && s->ssl != NULL) {
        ssl = SSL_new(s->ssl);
        good = ssl != NULL && SSL_set_fd(ssl, c->fd) == 1 && SSL_accept(ssl) == 1;
    }
    while (good && !atomic_load(&s->stopping)) {
        r->connection = c->number;
        good = server_read(ssl, c->fd, r);
        if (good) {
            atomic_fetch_add(&s->requests, 1);
            good = server_reply(s, ssl, c->fd, r);
        }
    }
    SSL_free(ssl);
    pthread_mutex_lock(&s->lock); /* so that nobody shuts down a number given anew */
    s->fds[c->number] = -1;
    close(c->fd);
    pthread_mutex_unlock(&s->lock);
    if (r != NULL)
        free(r->body);
    free(r);
    free(c);
    return NULL;
}


static inline void *
server_run(void *arg)
{
    server_t *s = arg;
    int fd;

    while ((fd = accept(s->fd, NULL, NULL)) >= 0) {
        server_conn_t *c = calloc(1, sizeof(*c));

        pthread_mutex_lock(&s->lock);
        if (c == NULL || s->n == SERVER_CONNECTIONS || atomic_load(&s->stopping)) {
            close(fd);
            free(c);
        } else {
            *c = (server_conn_t){s, fd, s->n};
            s->fds[s->n] = fd;
            if (pthread_create(&s->of[s->n], NULL, server_connection, c) == 0)
                s->n++;
        }
        pthread_mutex_unlock(&s->lock);
    }
    return NULL;
}


static inline SSL_CTX *
server_tls(X509 **out)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    X509V3_CTX v3;
    X509_EXTENSION *san;
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

    X509V3_set_ctx_nodb(&v3);
    X509V3_set_ctx(&v3, cert, cert, NULL, NULL, 0);
    san = X509V3_EXT_conf_nid(NULL, &v3, NID_subject_alt_name, "IP:127.0.0.1,DNS:localhost");
    if (key == NULL || cert == NULL || san == NULL || ctx == NULL
        || X509_set_version(cert, X509_VERSION_3) != 1
        || ASN1_INTEGER_set(X509_get_serialNumber(cert), 1) != 1
        || X509_gmtime_adj(X509_getm_notBefore(cert), -3600) == NULL
        || X509_gmtime_adj(X509_getm_notAfter(cert), 86400) == NULL
        || X509_set_pubkey(cert, key) != 1
        || X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
                                      (const unsigned char *) "test", -1, -1, 0) != 1
        || X509_set_issuer_name(cert, X509_get_subject_name(cert)) != 1
        || X509_add_ext(cert, san, -1) != 1 || X509_sign(cert, key, EVP_sha256()) == 0
        || SSL_CTX_use_certificate(ctx, cert) != 1 || SSL_CTX_use_PrivateKey(ctx, key) != 1)
        exit(99);
    X509_EXTENSION_free(san);
    EVP_PKEY_free(key);
    *out = cert;
    return ctx;
}


static inline void
server_start(server_t *s, bool tls,
             void (*answer)(server_t *, const server_request_t *, server_reply_t *), void *ctx)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t len = sizeof(at);

    memset(s, 0, sizeof(*s));
    signal(SIGPIPE, SIG_IGN);
    s->answer = answer;
    s->ctx = ctx;
    s->ssl = tls ? server_tls(&s->cert) : NULL;
    pthread_mutex_init(&s->lock, NULL);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (s->fd < 0 || bind(s->fd, (struct sockaddr *) &at, sizeof(at)) != 0
        || listen(s->fd, 128) != 0
        || getsockname(s->fd, (struct sockaddr *) &at, &len) != 0)
        exit(99);
    s->port = ntohs(at.sin_port);
    snprintf(s->url, sizeof(s->url), "%s://127.0.0.1:%d", tls ? "https" : "http", s->port);
    if (pthread_create(&s->thread, NULL, server_run, s) != 0)
        exit(99);
}


static inline void
server_stop(server_t *s)
{
    atomic_store(&s->stopping, true);
    shutdown(s->fd, SHUT_RDWR);
    pthread_join(s->thread, NULL);
    close(s->fd);
    pthread_mutex_lock(&s->lock);
    for (int i = 0; i < s->n; i++) {
        if (s->fds[i] >= 0)
            shutdown(s->fds[i], SHUT_RDWR);
    }
    pthread_mutex_unlock(&s->lock);
    for (int i = 0; i < s->n; i++)
        pthread_join(s->of[i], NULL);
    pthread_mutex_destroy(&s->lock);
    SSL_CTX_free(s->ssl);
    X509_free(s->cert);
}


/* A trust store with the server's certificate alone; NULL: with none. */
static inline X509_STORE *
server_trust(const server_t *s)
{
    X509_STORE *trust = X509_STORE_new();

    if (trust == NULL || (s != NULL && X509_STORE_add_cert(trust, s->cert) != 1))
        exit(99);
    return trust;
}

#endif
