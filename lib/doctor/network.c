/* Each host that is called, once: does its name resolve, and does its TLS hold? */
#include <arpa/inet.h>
#include <curl/curl.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "doctor/doctor.h"

enum { DAYS_SOON = 14, HOSTS_MAX = 256 };

typedef struct {
    char *scheme, *host, *port; /* of libcurl: an IPv6 address has no brackets here */
    bool is_address;
} place_t;


static void
place_clear(place_t *place)
{
    curl_free(place->scheme);
    curl_free(place->host);
    curl_free(place->port);
}


static bool
place_of(const char *url, place_t *out)
{
    CURLU *parsed = curl_url();
    struct in6_addr address;
    size_t n;
    bool good;

    memset(out, 0, sizeof(*out));
    good = parsed != NULL && curl_url_set(parsed, CURLUPART_URL, url, 0) == CURLUE_OK
           && curl_url_get(parsed, CURLUPART_SCHEME, &out->scheme, 0) == CURLUE_OK
           && curl_url_get(parsed, CURLUPART_HOST, &out->host, 0) == CURLUE_OK
           && curl_url_get(parsed, CURLUPART_PORT, &out->port, CURLU_DEFAULT_PORT) == CURLUE_OK;
    curl_url_cleanup(parsed);
    if (!good) {
        place_clear(out);
        return false;
    }
    n = strlen(out->host);
    if (n > 2 && out->host[0] == '[') {
        memmove(out->host, out->host + 1, n - 2);
        out->host[n - 2] = '\0';
    }
    out->is_address = inet_pton(AF_INET, out->host, &address) == 1
                      || inet_pton(AF_INET6, out->host, &address) == 1;
    return true;
}


/* --- DNS --- */

static bool
look_up(abdm_doctor_t *d, const place_t *place)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    char seen[ABDM_DOCTOR_TEXT], text[INET6_ADDRSTRLEN] = "";
    struct addrinfo *found = NULL;
    int rc, n = 0;

    if (place->is_address) {
        return true;
    }
    rc = getaddrinfo(place->host, place->port, &hints, &found);
    if (rc != 0) {
        abdm_doctor_tell(d, "dns", place->host, ABDM_FINDING_FAIL, gai_strerror(rc),
                         rc == EAI_AGAIN ? "no name server answers: see /etc/resolv.conf and the "
                                           "firewall (port 53)"
                                         : "there is no such name, or this network's name server "
                                           "does not know it: look for a typing error");
        return false;
    }
    for (const struct addrinfo *a = found; a != NULL; a = a->ai_next, n++) {
        if (n == 0) {
            getnameinfo(a->ai_addr, a->ai_addrlen, text, sizeof(text), NULL, 0, NI_NUMERICHOST);
        }
    }
    freeaddrinfo(found);
    abdm_doctor_tell(d, "dns", place->host, ABDM_FINDING_OK,
                     abdm_doctor_text(seen, n > 1 ? "%s and %d more" : "%s", text, n - 1), "");
    return true;
}


/* --- TLS --- */

static const char *
remedy_of(long verdict)
{
    switch (verdict) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return "its certificate has ended: whoever runs that host must renew it; if this machine's "
               "clock is wrong, set that first";
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return "set this machine's clock: the certificate begins in its future";
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        return "the certificate is another host's: correct the name in the configuration, or look "
               "for a proxy between";
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        return "its issuer is not trusted: a public host needs the system's CA certificates "
               "(install ca-certificates, or remove trusted_certificate), a private one its CA in "
               "trusted_certificate; an issuer that you do not know is a proxy that reads along, "
               "or the server does not send its intermediate certificates";
    default:
        return "check trusted_certificate, this machine's CA certificates and its clock";
    }
}


static abdm_host_state_t
handshake(abdm_doctor_t *d, const place_t *place, X509_STORE *trust, char why[128])
{
    char seen[ABDM_DOCTOR_TEXT], subject[300];
    abdm_tls_look_t look;

    snprintf(subject, sizeof(subject), "%.255s:%.16s", place->host, place->port);
    abdm_tls_look(place->host, place->port, trust, &look);
    if (!look.connected) {
        snprintf(why, 128, "%s", look.why);
        return ABDM_HOST_SILENT;
    }
    if (!look.shaken) {
        abdm_doctor_tell(d, "tls", subject, ABDM_FINDING_FAIL,
                         abdm_doctor_text(seen, "no TLS 1.2 or 1.3 handshake: %s", look.why),
                         "does the port speak TLS? A firewall or a proxy may end it");
        return ABDM_HOST_BAD;
    }
    if (look.verdict != X509_V_OK) {
        abdm_doctor_text(seen, "certificate of \"%s\" by \"%s\": %s", look.subject, look.issuer,
                         X509_verify_cert_error_string(look.verdict));
        abdm_doctor_tell(d, "tls", subject, ABDM_FINDING_FAIL, seen, remedy_of(look.verdict));
        return ABDM_HOST_BAD;
    }
    abdm_doctor_text(seen, "%s, certificate of \"%s\", %d days left", look.protocol, look.subject,
                     look.days_left);
    abdm_doctor_tell(
        d, "tls", subject, look.days_left < DAYS_SOON ? ABDM_FINDING_WARN : ABDM_FINDING_OK, seen,
        look.days_left < DAYS_SOON ? "whoever runs that host must renew its certificate soon" : "");
    return ABDM_HOST_GOOD;
}


abdm_host_state_t
abdm_examine_host(abdm_doctor_t *d, const char *url, X509_STORE *trust, char why[128])
{
    abdm_host_state_t state = ABDM_HOST_BAD;
    place_t place;

    if (!place_of(url, &place)) {
        return ABDM_HOST_BAD;
    }
    if (look_up(d, &place)) {
        state = strcmp(place.scheme, "https") == 0 ? handshake(d, &place, trust, why)
                                                   : ABDM_HOST_GOOD;
    }
    place_clear(&place);
    return state;
}


/* --- all that the configuration names --- */

typedef struct {
    char *seen[HOSTS_MAX]; /* "scheme host port" */
    size_t n;
} hosts_t;


static bool
is_new(hosts_t *hosts, const char *url)
{
    abdm_buf_t key = {0};
    place_t place;
    char *text;

    if (hosts->n == HOSTS_MAX || !place_of(url, &place)) {
        return false;
    }
    abdm_buf_addf(&key, "%s %s %s", place.scheme, place.host, place.port);
    place_clear(&place);
    text = abdm_buf_take(&key);
    for (size_t i = 0; text != NULL && i < hosts->n; i++) {
        if (strcmp(hosts->seen[i], text) == 0) {
            free(text);
            return false;
        }
    }
    if (text != NULL) {
        hosts->seen[hosts->n++] = text;
    }
    return text != NULL;
}


static void
examine_once(abdm_doctor_t *d, hosts_t *hosts, const char *url)
{
    char seen[ABDM_DOCTOR_TEXT], why[128];

    /* a socket is looked at by the questions that go through it */
    if (url == NULL || strncmp(url, "http://unix:", 12) == 0 || !is_new(hosts, url)) {
        return;
    }
    if (abdm_examine_host(d, url, d->abdm->trust, why) == ABDM_HOST_SILENT) {
        abdm_doctor_tell(d, "tls", url, ABDM_FINDING_FAIL,
                         abdm_doctor_text(seen, "no connection: %s", why),
                         "is it up, and does the firewall let this machine call out on that port?");
    }
}


void
abdm_examine_network(abdm_doctor_t *d)
{
    hosts_t hosts = {.n = 0};

    d->area = "network";
    examine_once(d, &hosts, d->abdm->gateway.url);
    examine_once(d, &hosts, d->abdm->jwks_url[0]);
    examine_once(d, &hosts, d->abdm->jwks_url[1]);
    for (size_t i = 0; i < d->config->n_facility; i++) {
        if (abdm_doctor_wants(d, d->config->facility[i].id)) {
            examine_once(d, &hosts, d->config->facility[i].hmis_url);
            examine_once(d, &hosts, d->config->facility[i].sms_url);
        }
    }
    while (hosts.n > 0) {
        free(hosts.seen[--hosts.n]);
    }
}
