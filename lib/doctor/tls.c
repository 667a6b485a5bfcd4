/*
 * A TLS handshake that goes on whatever the certificate is, to say what is wrong with it: the
 * client that works (engine/http.c) says no more than that it will not.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "doctor/doctor.h"

enum { PATIENCE_S = 5 };


static int
dial(const char *host, const char *port, char why[128])
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    const struct timeval patience = {.tv_sec = PATIENCE_S};
    struct addrinfo *found = NULL;
    int fd = -1, rc = getaddrinfo(host, port, &hints, &found);

    if (rc != 0) {
        snprintf(why, 128, "%s", gai_strerror(rc));
        return -1;
    }
    for (const struct addrinfo *a = found; a != NULL && fd < 0; a = a->ai_next) {
        fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, a->ai_protocol);
        if (fd < 0) {
            continue;
        }
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
        if (connect(fd, a->ai_addr, a->ai_addrlen) != 0) {
            snprintf(why, 128, "%s", errno == EINPROGRESS ? "no answer in time" : strerror(errno));
            close(fd);
            fd = -1;
        }
    }
    freeaddrinfo(found);
    return fd;
}


static bool
name_host(SSL *ssl, const char *host)
{
    struct in6_addr address;

    if (inet_pton(AF_INET, host, &address) == 1 || inet_pton(AF_INET6, host, &address) == 1) {
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1;
    }
    return SSL_set1_host(ssl, host) == 1 && SSL_set_tlsext_host_name(ssl, host) == 1;
}


static void
name_of(const X509_NAME *name, char out[128])
{
    if (X509_NAME_get_text_by_NID((X509_NAME *) name, NID_commonName, out, 128) < 0) {
        X509_NAME_oneline(name, out, 128);
    }
}


/* Of the chain as it was verified, else as it was sent: an intermediate may end first. */
static void
look_at_chain(SSL *ssl, abdm_tls_look_t *out)
{
    const STACK_OF(X509) *chain = SSL_get0_verified_chain(ssl);
    int days, seconds;

    if (chain == NULL || out->verdict != X509_V_OK) {
        chain = SSL_get_peer_cert_chain(ssl);
    }
    for (int i = 0; chain != NULL && i < sk_X509_num(chain); i++) {
        const X509 *cert = sk_X509_value(chain, i);

        if (i == 0) {
            name_of(X509_get_subject_name(cert), out->subject);
            name_of(X509_get_issuer_name(cert), out->issuer);
        }
        if (ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(cert)) == 1
            && (i == 0 || days < out->days_left)) {
            out->days_left = days;
        }
    }
}


static void
shake(SSL *ssl, int fd, const char *host, abdm_tls_look_t *out)
{
    unsigned long code;

    ERR_clear_error();
    if (!name_host(ssl, host) || SSL_set_fd(ssl, fd) != 1) {
        snprintf(out->why, sizeof(out->why), "OpenSSL cannot begin");
        return;
    }
    if (SSL_connect(ssl) != 1) {
        code = ERR_peek_last_error();
        snprintf(out->why, sizeof(out->why), "%s",
                 code != 0 ? ERR_reason_error_string(code)
                           : "the connection ends in the handshake");
        ERR_clear_error();
        return;
    }
    out->shaken = true;
    out->protocol = SSL_get_version(ssl);
    out->verdict = SSL_get_verify_result(ssl);
    look_at_chain(ssl, out);
    SSL_shutdown(ssl);
}


void
abdm_tls_look(const char *host, const char *port, X509_STORE *trust, abdm_tls_look_t *out)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL *ssl = NULL;
    int fd;

    memset(out, 0, sizeof(*out));
    out->verdict = X509_V_ERR_UNSPECIFIED;
    if (ctx != NULL && SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1) {
        SSL_CTX_set1_cert_store(ctx, trust);
        SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL); /* it is told, not obeyed */
        ssl = SSL_new(ctx);
    }
    fd = dial(host, port, out->why);
    if (fd >= 0 && ssl != NULL) {
        out->connected = true;
        shake(ssl, fd, host, out);
    }
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    if (fd >= 0) {
        close(fd);
    }
}
