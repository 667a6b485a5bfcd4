/*
 * Which addresses are public. The tables are IANA's special-purpose address registries
 * (RFC 6890 and its successors), with everything refused that is not globally reachable
 * unicast, plus tunnels, services that whichever machine is nearest answers (AS112, AMT), and the
 * one public address that a cloud uses for its own inside.
 */
#include "core/url_guard.h"

#include <arpa/inet.h>
#include <string.h>

typedef struct {
    uint8_t addr[16];
    unsigned bits;
} net_t;

static const net_t special_v4[] = {
    {{0}, 8},                  /* this network */
    {{10}, 8},                 /* private */
    {{100, 64}, 10},           /* carrier-grade NAT; some clouds' metadata */
    {{127}, 8},                /* loopback */
    {{168, 63, 129, 16}, 32},  /* Azure's platform, reachable from inside only */
    {{169, 254}, 16},          /* link-local; most clouds' metadata */
    {{172, 16}, 12},           /* private */
    {{192, 0, 0}, 24},         /* IETF protocol assignments */
    {{192, 0, 2}, 24},         /* documentation */
    {{192, 31, 196}, 24},      /* AS112 */
    {{192, 52, 193}, 24},      /* AMT relays */
    {{192, 88, 99}, 24},       /* 6to4 relays */
    {{192, 168}, 16},          /* private */
    {{192, 175, 48}, 24},      /* AS112 by direct delegation */
    {{198, 18}, 15},           /* benchmarking */
    {{198, 51, 100}, 24},      /* documentation */
    {{203, 0, 113}, 24},       /* documentation */
    {{224}, 4},                /* multicast */
    {{240}, 4},                /* reserved and broadcast */
};

/* Global unicast is 2000::/3; loopback, v4-mapped, NAT64, unique local, link-local and
 * multicast addresses lie outside of it. */
static const net_t global_v6 = {{0x20}, 3};

static const net_t special_v6[] = {
    {{0x20, 0x01, 0x00}, 23},             /* IETF protocol assignments, among them Teredo */
    {{0x20, 0x01, 0x0d, 0xb8}, 32},       /* documentation */
    {{0x20, 0x02}, 16},                   /* 6to4 */
    {{0x26, 0x20, 0x00, 0x4f, 0x80}, 48}, /* AS112 by direct delegation */
    {{0x3f, 0xfe}, 16},                   /* the former 6bone */
    {{0x3f, 0xff, 0x00}, 20},             /* documentation */
};


static bool
in_net(const uint8_t *addr, const uint8_t *net, unsigned bits)
{
    unsigned rest = bits % 8;
    uint8_t mask = (uint8_t) (0xff00u >> rest);

    if (memcmp(addr, net, bits / 8) != 0)
        return false;
    return rest == 0 || ((addr[bits / 8] ^ net[bits / 8]) & mask) == 0;
}


/* The bytes of an address, or NULL for another family. */
static const uint8_t *
bytes_of(const struct sockaddr *addr)
{
    if (addr == NULL)
        return NULL;
    if (addr->sa_family == AF_INET)
        return (const uint8_t *) &((const struct sockaddr_in *) (const void *) addr)->sin_addr;
    if (addr->sa_family == AF_INET6)
        return ((const struct sockaddr_in6 *) (const void *) addr)->sin6_addr.s6_addr;
    return NULL;
}


bool
abdm_addr_is_global(const struct sockaddr *addr)
{
    const uint8_t *bytes = bytes_of(addr);
    const net_t *nets = special_v4;
    size_t n = sizeof special_v4 / sizeof *special_v4;

    if (bytes == NULL)
        return false;
    if (addr->sa_family == AF_INET6) {
        if (!in_net(bytes, global_v6.addr, global_v6.bits))
            return false;
        nets = special_v6;
        n = sizeof special_v6 / sizeof *special_v6;
    }
    for (size_t i = 0; i < n; i++) {
        if (in_net(bytes, nets[i].addr, nets[i].bits))
            return false;
    }
    return true;
}


/* The prefix length behind '/': canonical digits, at most `max`. */
static bool
read_bits(const char *text, unsigned max, unsigned *bits)
{
    size_t len = strlen(text);

    if (len < 1 || len > 3 || strspn(text, "0123456789") != len || (len > 1 && *text == '0'))
        return false;
    *bits = 0;
    for (; *text != '\0'; text++)
        *bits = *bits * 10 + (unsigned) (*text - '0');
    return *bits <= max;
}


static bool
has_bits_behind(const uint8_t *addr, unsigned bits, unsigned max)
{
    for (unsigned i = bits; i < max; i++) {
        if (addr[i / 8] & (0x80u >> i % 8))
            return true;
    }
    return false;
}


abdm_err_t
abdm_push_allow_add(abdm_push_allow_t *allow, abdm_str_t text)
{
    char copy[INET6_ADDRSTRLEN + 4];
    uint8_t addr[16] = {0};
    int family = AF_INET6;
    unsigned max = 128;

    if (allow->n == ABDM_PUSH_ALLOW_MAX)
        return ABDM_ERR(CONFIG, "abdm_push_allow: more than 32 networks");
    if (text.len < 1 || text.len >= sizeof copy || memchr(text.p, '\0', text.len) != NULL)
        return ABDM_ERR(CONFIG, "abdm_push_allow: an address or network in CIDR form expected");
    memcpy(copy, text.p, text.len);
    copy[text.len] = '\0';

    char *slash = strchr(copy, '/');
    if (slash != NULL)
        *slash = '\0';
    if (inet_pton(AF_INET, copy, addr) == 1) {
        family = AF_INET;
        max = 32;
    } else if (inet_pton(AF_INET6, copy, addr) != 1) {
        return ABDM_ERR(CONFIG, "abdm_push_allow: an address or network in CIDR form expected");
    }

    unsigned bits = max;
    if (slash != NULL && !read_bits(slash + 1, max, &bits))
        return ABDM_ERR(CONFIG, "abdm_push_allow: the prefix length is not a number in range");
    if (has_bits_behind(addr, bits, max))
        return ABDM_ERR(CONFIG, "abdm_push_allow: the address has bits behind its prefix");

    allow->nets[allow->n].family = family;
    allow->nets[allow->n].bits = bits;
    memcpy(allow->nets[allow->n].addr, addr, sizeof addr);
    allow->n++;
    return ABDM_NO_ERR;
}


abdm_err_t
abdm_push_check_addr(const struct sockaddr *addr, const abdm_push_allow_t *allow)
{
    const uint8_t *bytes = bytes_of(addr);

    if (abdm_addr_is_global(addr))
        return ABDM_NO_ERR;
    for (size_t i = 0; bytes != NULL && allow != NULL && i < allow->n; i++) {
        if (allow->nets[i].family == addr->sa_family &&
            in_net(bytes, allow->nets[i].addr, allow->nets[i].bits))
            return ABDM_NO_ERR;
    }
    return ABDM_ERR(PUSH_ADDRESS, "push: the address is neither public nor in abdm_push_allow");
}


abdm_err_t
abdm_push_check_addrs(const struct sockaddr *const *addrs, size_t n, const abdm_push_allow_t *allow)
{
    if (n == 0)
        return ABDM_ERR(PUSH_ADDRESS, "push: the name has no address");
    for (size_t i = 0; i < n; i++)
        ABDM_TRY(abdm_push_check_addr(addrs[i], allow));
    return ABDM_NO_ERR;
}


abdm_err_t
abdm_push_check_url(abdm_str_t text, const abdm_push_allow_t *allow, abdm_url_t *out)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    abdm_url_t url;

    ABDM_TRY(abdm_url_parse(text, &url));
    if (url.port != 443 && url.port < ABDM_PUSH_PORT_MIN)
        return ABDM_ERR(PUSH_URL, "URL: the port is neither 443 nor above 1023");
    if (url.kind == ABDM_HOST_IPV4) {
        v4.sin_addr = url.addr.v4;
        ABDM_TRY(abdm_push_check_addr((const struct sockaddr *) &v4, allow));
    } else if (url.kind == ABDM_HOST_IPV6) {
        v6.sin6_addr = url.addr.v6;
        ABDM_TRY(abdm_push_check_addr((const struct sockaddr *) &v6, allow));
    }
    *out = url;
    return ABDM_NO_ERR;
}
