/*
 * URLs that somebody else chose (dataPushUrl), read so strictly that no two programs can
 * disagree on what they name: the text either has one plain reading or is refused.
 */
#ifndef ABDM_CORE_URL_H
#define ABDM_CORE_URL_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "core/buf.h"
#include "core/err.h"

enum { ABDM_URL_BYTES = 2048, ABDM_URL_HOST = 253 };

typedef enum { ABDM_HOST_NAME, ABDM_HOST_IPV4, ABDM_HOST_IPV6 } abdm_host_kind_t;

typedef struct {
    abdm_str_t text;   /* the whole, to be sent as it is; this and the others are borrowed */
    abdm_str_t host;   /* name, or address without brackets */
    abdm_str_t target; /* path and query as they stand; may be empty or start with '?' */
    uint16_t port;
    abdm_host_kind_t kind;
    union {
        struct in_addr v4;
        struct in6_addr v6;
    } addr; /* of an address */
} abdm_url_t;

/* Reads "https://host[:port][/path][?query]" of at most 2048 bytes. The host is a name of
 * letters, digits and inner hyphens (international names as A-labels), a canonical dotted quad
 * or an IPv6 address in brackets; a name that ends in a number, such as "0x7f.1" or
 * "2130706433", is refused. No user information, no fragment, nothing outside RFC 3986's
 * characters, no broken percent escape. Says nothing about where the host is: see url_guard.h.
 * E_PUSH_URL. */
abdm_err_t abdm_url_parse(abdm_str_t text, abdm_url_t *out);

#endif
