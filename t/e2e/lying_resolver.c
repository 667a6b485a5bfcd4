/*
 * For LD_PRELOAD: a resolver that lies about names below ".test", and a network that lets nothing
 * out to public addresses. Each look-up and each connection is written, a line each, to the file
 * that LYING_LOG names. What a name leads to stands in it: "8.8.8.8" is written 8-8-8-8, answers
 * of one look-up are joined by "-and-", those of later look-ups follow behind "-then-", as in
 * "8-8-8-8-then-127-0-0-1.test"; "x" for an IPv6 address's colon; "N-times-..." gives N of them.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { NAMES = 64, ANSWER = 512 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static struct {
    char name[256];
    int asked;
} seen[NAMES];


static void
note(const char *what, const char *whom)
{
    const char *path = getenv("LYING_LOG");
    char line[512];
    int n = snprintf(line, sizeof(line), "%s %s\n", what, whom);
    int fd = path != NULL ? open(path, O_WRONLY | O_APPEND | O_CREAT, 0666) : -1;

    if (fd >= 0) {
        (void) !write(fd, line, (size_t) n);
        close(fd);
    }
}


/* How often the name was asked for before. */
static int
asked_before(const char *name)
{
    int n = 0;

    pthread_mutex_lock(&lock);
    for (int i = 0; i < NAMES; i++) {
        if (seen[i].name[0] == '\0')
            snprintf(seen[i].name, sizeof(seen[i].name), "%s", name);
        if (strcmp(seen[i].name, name) == 0) {
            n = seen[i].asked++;
            break;
        }
    }
    pthread_mutex_unlock(&lock);
    return n;
}


/* The part of the name that answers this look-up. */
static void
answer_of(const char *name, char out[ANSWER])
{
    const char *end = name + strlen(name) - strlen(".test"), *part = name, *next;
    int n = asked_before(name);

    for (; n > 0 && (next = strstr(part, "-then-")) != NULL; n--)
        part = next + strlen("-then-");
    next = strstr(part, "-then-");
    snprintf(out, ANSWER, "%.*s", (int) ((next != NULL ? next : end) - part), part);
}


static int
(*real(const char *name))()
{
    void *found = dlsym(RTLD_NEXT, name);

    return *(int (**)()) &found;
}


static int
add(const char *text, const char *service, const struct addrinfo *hints, struct addrinfo ***tail)
{
    static int (*get)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    struct addrinfo numeric = hints != NULL ? *hints : (struct addrinfo){0};
    char address[128];
    size_t n = 0;
    int rc;

    for (; text[n] != '\0' && n < sizeof(address) - 1; n++)
        address[n] = text[n] == 'x' ? ':' : text[n] == '-' ? '.' : text[n];
    address[n] = '\0';
    numeric.ai_flags |= AI_NUMERICHOST;
    numeric.ai_family = AF_UNSPEC;
    get = (int (*)(const char *, const char *, const struct addrinfo *, struct addrinfo **))
        real("getaddrinfo");
    rc = get(address, service, &numeric, *tail);
    while (rc == 0 && **tail != NULL)
        *tail = &(**tail)->ai_next;
    return rc;
}


int
getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
            struct addrinfo **out)
{
    size_t len = node != NULL ? strlen(node) : 0;
    struct addrinfo **tail = out;
    char answer[ANSWER], *rest, *one;
    int times = 1, rc = 0, used = 0;

    if (len < 5 || strcmp(node + len - 5, ".test") != 0)
        return ((int (*)(const char *, const char *, const struct addrinfo *, struct addrinfo **))
                    real("getaddrinfo"))(node, service, hints, out);
    note("look-up", node);
    *out = NULL;
    answer_of(node, answer);
    rest = answer;
    if (sscanf(answer, "%d-times-%n", &times, &used) == 1 && used > 0)
        rest += used;
    else
        times = 1;
    while (rc == 0 && rest != NULL) {
        one = rest;
        rest = strstr(rest, "-and-");
        if (rest != NULL) {
            *rest = '\0';
            rest += strlen("-and-");
        }
        for (int i = 0; i < times && rc == 0; i++)
            rc = add(one, service, hints, &tail);
    }
    return rc;
}


int
connect(int fd, const struct sockaddr *addr, socklen_t len)
{
    char host[128], port[16], whom[160];

    if ((addr->sa_family == AF_INET || addr->sa_family == AF_INET6)
        && getnameinfo(addr, len, host, sizeof(host), port, sizeof(port),
                       NI_NUMERICHOST | NI_NUMERICSERV) == 0) {
        snprintf(whom, sizeof(whom), "%s %s", host, port);
        note("connect", whom);
        if (strncmp(host, "127.", 4) != 0 && strcmp(host, "::1") != 0) {
            errno = ECONNREFUSED;
            return -1;
        }
    }
    return ((int (*)(int, const struct sockaddr *, socklen_t)) real("connect"))(fd, addr, len);
}
