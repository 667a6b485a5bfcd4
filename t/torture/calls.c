/*
 * The calls of calls.def: each asks whether it is to fail, and else does what it is named after.
 * The library's objects are renamed to call them (Makefile), the tests are not, so that only the
 * library meets faults. Allocations within jansson, OpenSSL, SQLite, curl and ICU fail while the
 * library is in a call of theirs.
 */
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <jq.h>
#include <link.h>
#include <malloc.h>
#include <netdb.h>
#include <openssl/bn.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <pthread.h>
#include <semaphore.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <unicode/uclean.h>
#include <unicode/utrans.h>
#include <unistd.h>

#include "torture.h"

enum { WITHIN_MAX = 4 }; /* allocations of one call that count as different */

enum {
#define CALL(type, name, params, args, kind, failure)         CALL_##name,
#define CALL_VOID(name, params, args, kind, failure)          CALL_##name,
#define CALL_SET(type, name, handle, option, kind, failure)   CALL_##name,
#define PASS(type, name, params, args)                        CALL_##name,
#define PASS_PACK(name)                                       CALL_##name,
#define CALL_OPEN(name, kind, failure)                        CALL_##name,
#include "calls.def"
#undef CALL
#undef CALL_VOID
#undef CALL_SET
#undef PASS
#undef PASS_PACK
#undef CALL_OPEN
    CALLS
};

static const char *const names[CALLS] = {
#define CALL(type, name, params, args, kind, failure)         #name,
#define CALL_VOID(name, params, args, kind, failure)          #name,
#define CALL_SET(type, name, handle, option, kind, failure)   #name,
#define PASS(type, name, params, args)                        #name,
#define PASS_PACK(name)                                       #name,
#define CALL_OPEN(name, kind, failure)                        #name,
#include "calls.def"
#undef CALL
#undef CALL_VOID
#undef CALL_SET
#undef PASS
#undef PASS_PACK
#undef CALL_OPEN
};

typedef struct {
    torture_path_t path;
    unsigned within; /* allocations up to now */
} call_t;

torture_t *torture;
static _Thread_local call_t *current; /* the call of a library that we are in */
static _Thread_local bool torture_read_failed;
static _Thread_local const char *stack_end;
static uintptr_t text_from, text_to, base; /* of the library */


const char *
torture_call_name(unsigned call)
{
    return names[call];
}


static uint64_t
mix(uint64_t hash, uint64_t value)
{
    hash ^= value + 0x9e3779b97f4a7c15u + (hash << 6) + (hash >> 2);
    hash *= 0xff51afd7ed558ccdu;
    return hash ^ (hash >> 33);
}


static const char *
find_stack_end(void)
{
    pthread_attr_t attr;
    void *low = NULL;
    size_t size = 0;

    if (pthread_getattr_np(pthread_self(), &attr) != 0)
        abort();
    pthread_attr_getstack(&attr, &low, &size);
    pthread_attr_destroy(&attr);
    return (const char *) low + size;
}


/* Follows the frame pointers from the wrapper's frame outwards, as long as it stays within the
 * library, which is built with them. */
static void
trace(torture_path_t *path, void *frame)
{
    uintptr_t *at = frame;

    if (stack_end == NULL)
        stack_end = find_stack_end();
    path->depth = 0;
    path->hash = mix(path->call, path->kind);
    while (path->depth < torture->depth) {
        uintptr_t from = at[1];
        uintptr_t *next = (uintptr_t *) at[0];

        if (from < text_from || from >= text_to)
            break;
        path->at[path->depth++] = (uint32_t) (from - base);
        path->hash = mix(path->hash, from - base);
        if (next <= at || (const char *) (next + 2) > stack_end
            || (uintptr_t) next % sizeof(uintptr_t) != 0)
            break;
        at = next;
    }
    path->hash |= 1;
}


static void
record(const torture_path_t *path)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    size_t i = path->hash % TORTURE_PATHS;

    pthread_mutex_lock(&lock);
    while (torture->path[i].hash != 0 && torture->path[i].hash != path->hash)
        i = (i + 1) % TORTURE_PATHS;
    if (torture->path[i].hash == 0) {
        if (torture->n == TORTURE_PATHS / 2)
            abort();
        torture->n++;
        torture->path[i] = *path;
        torture->path[i].hits = 0;
    }
    torture->path[i].hits++;
    pthread_mutex_unlock(&lock);
}


static bool
fails(const torture_path_t *path)
{
    if (torture->mode == TORTURE_RECORD) {
        record(path);
        return false;
    }
    if (torture->mode == TORTURE_ALL && atomic_load(&torture->fired))
        return true;
    if (path->hash == torture->target
        && atomic_fetch_add(&torture->taken, 1) + 1 == torture->hit) {
        atomic_store(&torture->fired, true);
        return true;
    }
    return false;
}


/* Is this call to fail? Else the thread is within it until leave(). */
static bool
enter(call_t *call, unsigned id, torture_kind_t kind, void *frame)
{
    if (torture == NULL || torture->mode == TORTURE_OFF)
        return false;
    call->path.call = (uint16_t) id;
    call->path.kind = (uint8_t) kind;
    trace(&call->path, frame);
    if (call->path.depth == 0) /* of a callback, through a library's code */
        return false;
    if (kind != TORTURE_WITHIN && fails(&call->path))
        return true;
    current = call;
    return false;
}


/* jansson drops bytes of a text, and tells of no fault, when the buffer that it reads a token
 * into cannot grow: from 16 bytes by doubling. */
static bool
is_token_of_jansson(size_t n)
{
    return current->path.call == CALL_json_loadb && n >= 32 && (n & (n - 1)) == 0;
}


static bool
within_fails(size_t n)
{
    torture_path_t path;

    if (current == NULL || torture == NULL || torture->mode == TORTURE_OFF
        || is_token_of_jansson(n))
        return false;
    if (current->within < WITHIN_MAX)
        current->within++;
    path = current->path;
    path.kind = TORTURE_WITHIN;
    path.hash = mix(path.hash, 0x10000u + current->within) | 1;
    return fails(&path);
}


/* --- the calls --- */

#define NO_MEMORY(value)    FAULT(ENOMEM, value)
#define FAULT(code, value)  (errno = (code), (value))

#define CALL(type, name, params, args, kind, failure)                                              \
    type torture_##name params;                                                                    \
    type torture_##name params                                                                     \
    {                                                                                              \
        call_t *outer = current, call = {0};                                                       \
        type result;                                                                               \
        if (enter(&call, CALL_##name, TORTURE_##kind, __builtin_frame_address(0)))                 \
            return (failure);                                                                      \
        result = name args;                                                                        \
        current = outer;                                                                           \
        return result;                                                                             \
    }

#define CALL_VOID(name, params, args, kind, failure)                                               \
    void torture_##name params;                                                                    \
    void torture_##name params                                                                     \
    {                                                                                              \
        call_t *outer = current, call = {0};                                                       \
        if (enter(&call, CALL_##name, TORTURE_##kind, __builtin_frame_address(0))) {               \
            (failure);                                                                             \
            return;                                                                                \
        }                                                                                          \
        name args;                                                                                 \
        current = outer;                                                                           \
    }

/* curl's options take one value of any type, all of one size where this is built */
#define CALL_SET(type, name, handle, option, kind, failure)                                        \
    type torture_##name(handle h, option o, ...);                                                  \
    type torture_##name(handle h, option o, ...)                                                   \
    {                                                                                              \
        call_t *outer = current, call = {0};                                                       \
        va_list list;                                                                              \
        void *value;                                                                               \
        type result;                                                                               \
        va_start(list, o);                                                                         \
        value = va_arg(list, void *);                                                              \
        va_end(list);                                                                              \
        if (enter(&call, CALL_##name, TORTURE_##kind, __builtin_frame_address(0)))                 \
            return (failure);                                                                      \
        result = (name)(h, o, value);                                                              \
        current = outer;                                                                           \
        return result;                                                                             \
    }

#define PASS(type, name, params, args) CALL(type, name, params, args, WITHIN, (type) 0)

#define PASS_PACK(name)                                                                            \
    json_t *torture_##name(const char *form, ...);                                                 \
    json_t *torture_##name(const char *form, ...)                                                  \
    {                                                                                              \
        call_t *outer = current, call = {0};                                                       \
        va_list list;                                                                              \
        json_t *result;                                                                            \
        enter(&call, CALL_##name, TORTURE_WITHIN, __builtin_frame_address(0));                     \
        va_start(list, form);                                                                      \
        result = json_vpack_ex(NULL, 0, form, list);                                               \
        va_end(list);                                                                              \
        current = outer;                                                                           \
        return result;                                                                             \
    }

#define CALL_OPEN(name, kind, failure)                                                             \
    int torture_##name(const char *path, int flags, ...);                                          \
    int torture_##name(const char *path, int flags, ...)                                           \
    {                                                                                              \
        call_t *outer = current, call = {0};                                                       \
        va_list list;                                                                              \
        int mode, fd;                                                                              \
        va_start(list, flags);                                                                     \
        mode = (flags & O_CREAT) != 0 ? va_arg(list, int) : 0;                                     \
        va_end(list);                                                                              \
        if (enter(&call, CALL_##name, TORTURE_##kind, __builtin_frame_address(0)))                 \
            return (failure);                                                                      \
        fd = name(path, flags, mode);                                                              \
        current = outer;                                                                           \
        return fd;                                                                                 \
    }

#include "calls.def"

int torture_ferror(FILE *f);


int
torture_ferror(FILE *f)
{
    bool failed = torture_read_failed;

    torture_read_failed = false;
    return failed || ferror(f);
}


/* --- allocations of the libraries under us --- */

static void *
within_malloc(size_t n)
{
    return within_fails((size_t) n) ? NULL : malloc(n);
}


static void *
crypto_malloc(size_t n, const char *file, int line)
{
    (void) file;
    (void) line;
    return within_malloc(n);
}


static void *
crypto_realloc(void *p, size_t n, const char *file, int line)
{
    (void) file;
    (void) line;
    return within_fails((size_t) n) ? NULL : realloc(p, n);
}


static void
crypto_free(void *p, const char *file, int line)
{
    (void) file;
    (void) line;
    free(p);
}


static void *
sqlite_malloc(int n)
{
    return within_malloc((size_t) n);
}


static void *
sqlite_realloc(void *p, int n)
{
    return within_fails((size_t) n) ? NULL : realloc(p, (size_t) n);
}


static int
sqlite_size(void *p)
{
    return p != NULL ? (int) malloc_usable_size(p) : 0;
}


static int
sqlite_round(int n)
{
    return (n + 7) & ~7;
}


static int
sqlite_start(void *ctx)
{
    (void) ctx;
    return SQLITE_OK;
}


static void
sqlite_stop(void *ctx)
{
    (void) ctx;
}


static void *
icu_malloc(const void *ctx, size_t n)
{
    (void) ctx;
    return within_malloc(n);
}


static void *
icu_realloc(const void *ctx, void *p, size_t n)
{
    (void) ctx;
    return within_fails((size_t) n) ? NULL : realloc(p, n);
}


static void
icu_free(const void *ctx, void *p)
{
    (void) ctx;
    free(p);
}


static int
find_library(struct dl_phdr_info *info, size_t size, void *ctx)
{
    uintptr_t here = (uintptr_t) &find_library;

    (void) size;
    (void) ctx;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        uintptr_t from = info->dlpi_addr + part->p_vaddr;

        if (part->p_type == PT_LOAD && here >= from && here < from + part->p_memsz) {
            base = info->dlpi_addr;
            text_from = from;
            text_to = from + part->p_memsz;
            return 1;
        }
    }
    return 0;
}


void
torture_hook_allocators(void)
{
    static const sqlite3_mem_methods methods = {
        sqlite_malloc, free, sqlite_realloc, sqlite_size, sqlite_round, sqlite_start, sqlite_stop,
        NULL};
    UErrorCode status = U_ZERO_ERROR;

    dl_iterate_phdr(find_library, NULL);
    json_set_alloc_funcs(within_malloc, free);
    u_setMemoryFunctions(NULL, icu_malloc, icu_realloc, icu_free, &status);
    if (text_to == 0 || CRYPTO_set_mem_functions(crypto_malloc, crypto_realloc, crypto_free) != 1
        || sqlite3_config(SQLITE_CONFIG_MALLOC, &methods) != SQLITE_OK || U_FAILURE(status))
        abort();
}
