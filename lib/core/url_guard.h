/*
 * The guard of the one place where we call an address that somebody else chose: the data
 * push. Pure functions: who resolves a name asks here about every address it got, and dials
 * one of those very addresses.
 */
#ifndef ABDM_CORE_URL_GUARD_H
#define ABDM_CORE_URL_GUARD_H

#include "core/url.h"

enum { ABDM_PUSH_ALLOW_MAX = 32, ABDM_PUSH_PORT_MIN = 1024 };

/* Networks that may be pushed to although they are not public (abdm_push_allow). */
typedef struct {
    size_t n;
    struct {
        int family;       /* AF_INET or AF_INET6 */
        unsigned bits;    /* of the prefix */
        uint8_t addr[16]; /* network byte order */
    } nets[ABDM_PUSH_ALLOW_MAX];
} abdm_push_allow_t;

/* Adds "10.1.2.3", "127.0.0.0/8", "::1" or "fd00:1::/64". E_CONFIG: another form, bits set
 * behind the prefix, or more than 32 networks. */
abdm_err_t abdm_push_allow_add(abdm_push_allow_t *allow, abdm_str_t text);

/* Whether the address is global unicast, by IANA's special-purpose registries of both
 * families. Addresses that carry another one inside (v4-mapped, NAT64, 6to4, Teredo) are not:
 * where they lead is not ours to see. Families other than AF_INET and AF_INET6 are not. */
bool abdm_addr_is_global(const struct sockaddr *addr);

/* Global, or in one of `allow`'s networks (NULL = none). E_PUSH_ADDRESS. */
abdm_err_t abdm_push_check_addr(const struct sockaddr *addr, const abdm_push_allow_t *allow);

/* Every one must pass, and there must be one: a name with one bad address is bad. */
abdm_err_t abdm_push_check_addrs(const struct sockaddr *const *addrs, size_t n,
                                 const abdm_push_allow_t *allow);

/* abdm_url_parse, then the port (443, or 1024 and above) and, where the host is an address,
 * that address. A name still has to be resolved and each address of it judged. E_PUSH_URL,
 * E_PUSH_ADDRESS. */
abdm_err_t abdm_push_check_url(abdm_str_t text, const abdm_push_allow_t *allow, abdm_url_t *out);

#endif
