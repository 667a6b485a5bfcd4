/*
 * The URL reader: RFC 3986 without its options. What browsers and curl repair (backslashes,
 * tabs, octal and hexadecimal addresses, percent escapes in hosts) is refused here, because
 * the guard and the dialler must never read a host differently.
 */
#include "core/url.h"

#include <arpa/inet.h>
#include <string.h>

enum { LABEL_MAX = 63 };


static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}


static bool
is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}


static bool
is_hex(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}


/* Path and query of RFC 3986: pchar, '/' and '?'. */
static bool
target_ok(abdm_str_t t)
{
    for (size_t i = 0; i < t.len; i++) {
        char c = t.p[i];
        if (c == '%') {
            if (t.len - i < 3 || !is_hex(t.p[i + 1]) || !is_hex(t.p[i + 2]))
                return false;
            i += 2;
        } else if (c == '\0' || (!is_alpha(c) && !is_digit(c) &&
                                 strchr("-._~!$&'()*+,;=:@/?", c) == NULL)) {
            return false;
        }
    }
    return true;
}


/* A label that browsers would take as a number makes the whole host an address to them. */
static bool
is_numeric(abdm_str_t label)
{
    size_t i = 0;
    bool hex = label.len >= 2 && label.p[0] == '0' && (label.p[1] == 'x' || label.p[1] == 'X');

    for (i = hex ? 2 : 0; i < label.len; i++) {
        if (hex ? !is_hex(label.p[i]) : !is_digit(label.p[i]))
            return false;
    }
    return true;
}


/* Letters, digits and inner hyphens in labels of 1 to 63; the last one is not a number. */
static bool
name_ok(abdm_str_t host)
{
    abdm_str_t label = {host.p, 0};

    if (host.len < 1 || host.len > ABDM_URL_HOST)
        return false;
    for (size_t i = 0; i <= host.len; i++) {
        if (i < host.len && host.p[i] != '.') {
            if (!is_alpha(host.p[i]) && !is_digit(host.p[i]) && host.p[i] != '-')
                return false;
            label.len++;
            continue;
        }
        if (label.len < 1 || label.len > LABEL_MAX || label.p[0] == '-' ||
            label.p[label.len - 1] == '-')
            return false;
        if (i == host.len && is_numeric(label))
            return false;
        label = (abdm_str_t){host.p + i + 1, 0};
    }
    return true;
}


/* Canonical text only: inet_pton takes neither octal nor short forms, and writing the address
 * again must give a quad's very text. */
static bool
quad_ok(abdm_str_t host, struct in_addr *out)
{
    char text[INET_ADDRSTRLEN], again[INET_ADDRSTRLEN];

    if (host.len >= sizeof text)
        return false;
    memcpy(text, host.p, host.len);
    text[host.len] = '\0';
    return strlen(text) == host.len && inet_pton(AF_INET, text, out) == 1 &&
           inet_ntop(AF_INET, out, again, sizeof again) != NULL && strcmp(text, again) == 0;
}


/* Any of the many texts of an IPv6 address, but without a zone: a zone names a local link. */
static bool
ipv6_ok(abdm_str_t host, struct in6_addr *out)
{
    char text[INET6_ADDRSTRLEN];

    if (host.len >= sizeof text)
        return false;
    memcpy(text, host.p, host.len);
    text[host.len] = '\0';
    return strlen(text) == host.len && inet_pton(AF_INET6, text, out) == 1;
}


static bool
read_port(abdm_str_t text, uint16_t *port)
{
    unsigned v = 0;

    if (text.len < 1 || text.len > 5 || text.p[0] == '0')
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (!is_digit(text.p[i]))
            return false;
        v = v * 10 + (unsigned) (text.p[i] - '0');
    }
    if (v > 65535)
        return false;
    *port = (uint16_t) v;
    return true;
}


/* The authority up to its port; gives how many bytes of it are host, brackets included. */
static abdm_err_t
read_host(abdm_str_t authority, abdm_url_t *url, size_t *used)
{
    if (authority.len > 0 && authority.p[0] == '[') {
        const char *end = memchr(authority.p, ']', authority.len);
        if (end == NULL)
            return ABDM_ERR(PUSH_URL, "URL: a bracket of the host is not closed");
        url->kind = ABDM_HOST_IPV6;
        url->host = (abdm_str_t){authority.p + 1, (size_t) (end - authority.p) - 1};
        if (!ipv6_ok(url->host, &url->addr.v6))
            return ABDM_ERR(PUSH_URL, "URL: what stands in brackets is not an IPv6 address");
        *used = url->host.len + 2;
        return ABDM_NO_ERR;
    }

    const char *colon = authority.len == 0 ? NULL : memchr(authority.p, ':', authority.len);
    *used = colon == NULL ? authority.len : (size_t) (colon - authority.p);
    url->host = (abdm_str_t){authority.p, *used};
    if (quad_ok(url->host, &url->addr.v4)) {
        url->kind = ABDM_HOST_IPV4;
        return ABDM_NO_ERR;
    }
    url->kind = ABDM_HOST_NAME;
    if (!name_ok(url->host))
        return ABDM_ERR(PUSH_URL, "URL: the host is not a plain DNS name or address");
    return ABDM_NO_ERR;
}


abdm_err_t
abdm_url_parse(abdm_str_t text, abdm_url_t *out)
{
    const abdm_str_t scheme = ABDM_LIT("https://");
    abdm_url_t url = {.text = text, .port = 443};
    abdm_str_t rest = text;
    size_t n = 0;

    if (text.p == NULL || text.len == 0)
        return ABDM_ERR(PUSH_URL, "URL: empty");
    if (text.len > ABDM_URL_BYTES)
        return ABDM_ERR(PUSH_URL, "URL: longer than 2048 bytes");
    if (text.len < scheme.len || !abdm_str_ieq((abdm_str_t){text.p, scheme.len}, scheme))
        return ABDM_ERR(PUSH_URL, "URL: https:// expected");
    rest.p += scheme.len;
    rest.len -= scheme.len;

    while (n < rest.len && rest.p[n] != '/' && rest.p[n] != '?')
        n++;
    abdm_str_t authority = {rest.p, n};
    url.target = (abdm_str_t){rest.p + n, rest.len - n};
    if (n > 0 && memchr(authority.p, '@', n) != NULL)
        return ABDM_ERR(PUSH_URL, "URL: user information");
    if (!target_ok(url.target))
        return ABDM_ERR(PUSH_URL, "URL: a fragment, a broken escape or a forbidden character");

    ABDM_TRY(read_host(authority, &url, &n));
    if (n < authority.len &&
        (authority.p[n] != ':' ||
         !read_port((abdm_str_t){authority.p + n + 1, authority.len - n - 1}, &url.port)))
        return ABDM_ERR(PUSH_URL, "URL: the port is not a number from 1 to 65535");
    *out = url;
    return ABDM_NO_ERR;
}
