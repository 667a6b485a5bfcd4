/*
 * Base URLs and what stands below them, after RFC 3986 as far as an HMIS needs it. The HMIS's
 * answers choose which file is fetched, so a URL from there may name nothing but this HMIS.
 */
#include "hmis/base.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

static const char unix_prefix[] = "http://unix:";
static const char alphanumeric[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";


static bool
is_segment_of_dots(const char *p, size_t len)
{
    int dots = 0;

    while (len > 0) {
        size_t n = p[0] == '.' ? 1 : len >= 3 && strncasecmp(p, "%2e", 3) == 0 ? 3 : 0;
        if (n == 0)
            return false;
        p += n;
        len -= n;
        dots++;
    }
    return dots == 1 || dots == 2;
}


bool
abdm_hmis_path_climbs(const char *path)
{
    const char *end = path + strcspn(path, "?#");

    while (path < end) {
        size_t n = strcspn(path, "/");
        if (n > (size_t) (end - path))
            n = (size_t) (end - path);
        if (is_segment_of_dots(path, n))
            return true;
        path += n;
        if (path < end)
            path++;
    }
    return false;
}


/* Characters that may stand in a path or query as they are; '%' is judged by the caller. */
static bool
is_url_char(char c)
{
    return c != '\0' && strchr("-._~!$&'()*+,;=:@/?[]", c) != NULL;
}


static bool
is_alphanumeric(char c)
{
    return c != '\0' && strchr(alphanumeric, c) != NULL;
}


static bool
is_plain_path(const char *p)
{
    for (; *p != '\0'; p++) {
        if (!is_alphanumeric(*p) && !is_url_char(*p) && *p != '%')
            return false;
    }
    return true;
}


static bool
is_port(abdm_str_t s)
{
    unsigned value = 0;

    if (s.len == 0 || s.len > 5)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
        value = value * 10 + (unsigned) (s.p[i] - '0');
    }
    return value >= 1 && value <= 65535;
}


static bool
is_ipv6(abdm_str_t s)
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr ignored;

    if (s.len >= sizeof text)
        return false;
    memcpy(text, s.p, s.len);
    text[s.len] = '\0';
    return inet_pton(AF_INET6, text, &ignored) == 1;
}


/* Splits "host:port" or "[address]:port"; `port` is empty when none is given. */
static bool
split_authority(abdm_str_t authority, abdm_str_t *host, abdm_str_t *port)
{
    static const char name_chars[] = "-._";
    size_t n = 0;

    if (authority.len > 0 && authority.p[0] == '[') {
        while (n < authority.len && authority.p[n] != ']')
            n++;
        if (n == authority.len || !is_ipv6((abdm_str_t){authority.p + 1, n - 1}))
            return false;
        n++;
    } else {
        while (n < authority.len && (is_alphanumeric(authority.p[n]) ||
                                     memchr(name_chars, authority.p[n], sizeof name_chars - 1)))
            n++;
    }
    *host = (abdm_str_t){authority.p, n};
    *port = ABDM_LIT("");
    if (n == 0)
        return false;
    if (n == authority.len)
        return true;
    if (authority.p[n] != ':')
        return false;
    *port = (abdm_str_t){authority.p + n + 1, authority.len - n - 1};
    return is_port(*port);
}


/* Reads scheme and authority; gives the origin in one spelling (caller frees; NULL on no
 * memory) and where the rest starts. False when this is no http or https URL. */
static bool
read_origin(const char *url, char **origin, const char **rest)
{
    bool tls = strncasecmp(url, "https://", 8) == 0;
    abdm_str_t host, port;
    abdm_buf_t b = {0};

    *origin = NULL;
    if (!tls && strncasecmp(url, "http://", 7) != 0)
        return false;
    const char *start = url + (tls ? 8 : 7);
    abdm_str_t authority = {start, strcspn(start, "/?#")};
    if (!split_authority(authority, &host, &port))
        return false;

    abdm_buf_addz(&b, tls ? "https://" : "http://");
    for (size_t i = 0; i < host.len; i++) {
        char c = host.p[i];
        if (c >= 'A' && c <= 'Z')
            c = (char) (c - 'A' + 'a');
        abdm_buf_add(&b, &c, 1);
    }
    if (port.len > 0 && !abdm_str_eq(port, tls ? ABDM_LIT("443") : ABDM_LIT("80"))) {
        abdm_buf_addz(&b, ":");
        abdm_buf_add_str(&b, port);
    }
    *origin = abdm_buf_take(&b);
    *rest = start + authority.len;
    return true;
}


/* "/base/" without the slashes at its end; "" is the root. */
static abdm_err_t
set_path(const char *path, abdm_hmis_base_t *out)
{
    size_t len = strlen(path);

    if (len > 0 && path[0] != '/')
        return ABDM_ERR(CONFIG, "URL: its path must begin with /");
    if (strpbrk(path, "?#") != NULL || !is_plain_path(path) || abdm_hmis_path_climbs(path))
        return ABDM_ERR(CONFIG, "URL: its path must be plain, without query or fragment");
    while (len > 0 && path[len - 1] == '/')
        len--;
    out->path = abdm_str_dup((abdm_str_t){path, len});
    return out->path == NULL ? ABDM_ERR(MEMORY, "URL") : ABDM_NO_ERR;
}


static abdm_err_t
parse_unix(const char *rest, abdm_hmis_base_t *out)
{
    size_t len = strcspn(rest, ":");

    if (rest[0] != '/' || len < 2)
        return ABDM_ERR(CONFIG, "URL: an absolute socket path must follow http://unix:");
    out->socket = abdm_str_dup((abdm_str_t){rest, len});
    out->origin = abdm_str_dup(ABDM_LIT("http://localhost"));
    if (out->socket == NULL || out->origin == NULL)
        return ABDM_ERR(MEMORY, "URL");
    return set_path(rest[len] == ':' ? rest + len + 1 : "", out);
}


abdm_err_t
abdm_hmis_base_parse(const char *url, abdm_hmis_base_t *out)
{
    const char *rest;

    *out = (abdm_hmis_base_t){0};
    if (strncasecmp(url, unix_prefix, sizeof unix_prefix - 1) == 0)
        return parse_unix(url + sizeof unix_prefix - 1, out);
    if (!read_origin(url, &out->origin, &rest))
        return ABDM_ERR(CONFIG, "URL: http://host:port/base, https://host:port/base or "
                                "http://unix:/path/to.sock:/base expected");
    if (out->origin == NULL)
        return ABDM_ERR(MEMORY, "URL");
    return set_path(rest, out);
}


void
abdm_hmis_base_clear(abdm_hmis_base_t *base)
{
    free(base->origin);
    free(base->path);
    free(base->socket);
    *base = (abdm_hmis_base_t){0};
}


static abdm_err_t
make_request(const abdm_hmis_base_t *base, const char *prefix, const char *path,
             abdm_hmis_request_t *out)
{
    abdm_buf_t url = {0};

    *out = (abdm_hmis_request_t){0};
    abdm_buf_addz(&url, base->origin);
    abdm_buf_addz(&url, prefix);
    abdm_buf_addz(&url, path);
    out->url = abdm_buf_take(&url);
    if (base->socket != NULL)
        out->unix_socket = abdm_str_dup(abdm_str(base->socket));
    if (out->url == NULL || (base->socket != NULL && out->unix_socket == NULL)) {
        abdm_hmis_request_clear(out);
        return ABDM_ERR(MEMORY, "hmis request");
    }
    return ABDM_NO_ERR;
}


abdm_err_t
abdm_hmis_base_request(const abdm_hmis_base_t *base, const char *path, abdm_hmis_request_t *out)
{
    *out = (abdm_hmis_request_t){0};
    if (path[0] != '/' || abdm_hmis_path_climbs(path))
        return ABDM_ERR(FIELD, "hmis request: its path would leave the base");
    return make_request(base, base->path, path, out);
}


static bool
is_hex(char c)
{
    return c != '\0' && strchr("0123456789abcdefABCDEF", c) != NULL;
}


/* What the HMIS wrote, made a legal path and query: "my scan.pdf" is "my%20scan.pdf". */
static abdm_err_t
add_repaired(const char *p, abdm_buf_t *out)
{
    for (; *p != '\0'; p++) {
        unsigned char c = (unsigned char) *p;
        if (c < 0x20 || c == 0x7f || c == '#' || c == '\\')
            return ABDM_ERR(HMIS_ANSWER, "url: a control character, # or backslash");
        if (is_alphanumeric(*p) || is_url_char(*p) || (c == '%' && is_hex(p[1]) && is_hex(p[2])))
            abdm_buf_add(out, p, 1);
        else
            abdm_buf_addf(out, "%%%02X", c);
    }
    return ABDM_NO_ERR;
}


abdm_err_t
abdm_hmis_base_resolve(const abdm_hmis_base_t *base, const char *url, abdm_hmis_request_t *out)
{
    const char *rest = url, *prefix = base->path;
    abdm_buf_t b = {0};
    char *origin;

    *out = (abdm_hmis_request_t){0};
    if (strstr(url, "://") != NULL && strcspn(url, "/?#") > strcspn(url, ":")) {
        if (!read_origin(url, &origin, &rest))
            return ABDM_ERR(HMIS_ANSWER, "url: neither http, https nor a path");
        if (origin == NULL)
            return ABDM_ERR(MEMORY, "hmis request");
        bool own = base->socket == NULL && strcmp(origin, base->origin) == 0;
        free(origin);
        if (!own)
            return ABDM_ERR(HMIS_ANSWER, "url: on another host than the HMIS");
        prefix = "";
    }
    if (strncmp(rest, "//", 2) == 0)
        return ABDM_ERR(HMIS_ANSWER, "url: on another host than the HMIS");

    if (rest[0] != '/')
        abdm_buf_addz(&b, "/");
    abdm_err_t err = add_repaired(rest, &b);
    char *path = abdm_buf_take(&b);
    if (path == NULL)
        return ABDM_ERR(MEMORY, "hmis request");
    if (!abdm_failed(err) && abdm_hmis_path_climbs(path))
        err = ABDM_ERR(HMIS_ANSWER, "url: . or .. in its path");
    if (!abdm_failed(err))
        err = make_request(base, prefix, path, out);
    free(path);
    return err;
}
