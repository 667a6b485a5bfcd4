/*
 * Runs unit tests under faults. Each test is first run once as it is, to learn by which paths it
 * reaches calls that can fail; then again for each path that no test has been through, with the
 * first or the second call by that path failing, and with that and all after it failing. Each
 * run is a process of its own. It may end in three ways: the test passes, since the fault did not
 * matter; an error of a code that fits the fault is seen; something that should hold does not,
 * as when a text is NULL or a buffer says that it failed. What may not happen: a crash, a hang, a
 * memory block that nobody can reach any more, a code that blames someone else, or a call that
 * tells of success and gives a wrong result.
 *
 * TORTURE_SEEN   file that keeps the paths of all programs, so that none is gone twice
 * TORTURE_DEPTH  places of a path, 2 unless told
 * TORTURE_SECONDS  after them a program begins no new run with a fault; 0: unbounded
 * TORTURE_ONLY   name of the one test to run
 * TORTURE_CODES  "1": prints each error seen, to judge whether its code fits
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cmocka.h"
#include "core/err.h"
#include "torture.h"

#define countof(a) (sizeof(a) / sizeof((a)[0]))

enum {
    SEEN = 1 << 20,
    HITS = 2,
    SAY_MAX = 3000,
    PATIENCE_MS = 500,
    KEYS_MAX = 8,
    KEY_BITS = 2048,
    MADE_MAX = 8,
    LEAK_LOOKS = 3,     /* a thread at work may hold what it has where one look does not find it */
    LEAK_NAP_US = 20000
};

typedef enum {
    END_NONE, /* still running, or died */
    END_PASSED,
    END_SKIPPED,
    END_REPORTED,
    END_WRONG_CODE,
    END_LIED,
    END_BROKEN /* without any fault */
} end_t;

typedef struct {
    end_t end;
    bool leaked;
    int code, line;
    char what[160], file[80];
    char made[MADE_MAX][96]; /* directories */
    size_t n_made;
} outcome_t;

typedef struct {
    const struct CMUnitTest *test;
    torture_path_t *path;
    size_t n;
    int64_t us;
    bool leaks, broken; /* without any fault */
} case_t;

/* Which codes tell of a fault of which kind. */
static const abdm_code_t fitting[TORTURE_KINDS][8] = {
    [TORTURE_MEMORY] = {ABDM_E_MEMORY},
    [TORTURE_SYSTEM] = {ABDM_E_SYSTEM, ABDM_E_STORE, ABDM_E_CONFIG, ABDM_E_CONNECT, ABDM_E_RESOLVE},
    [TORTURE_CRYPTO] = {ABDM_E_CRYPTO, ABDM_E_MEMORY, ABDM_E_CONFIG},
    [TORTURE_STORE] = {ABDM_E_STORE, ABDM_E_STORE_BUSY, ABDM_E_MEMORY}, /* a lock may be left */
    [TORTURE_NET] = {ABDM_E_MEMORY, ABDM_E_SYSTEM},
    [TORTURE_JQ] = {ABDM_E_MEMORY, ABDM_E_SYSTEM, ABDM_E_CONFIG},
    [TORTURE_ICU] = {ABDM_E_MEMORY, ABDM_E_SYSTEM},
    [TORTURE_WITHIN] = {ABDM_E_MEMORY, ABDM_E_CRYPTO, ABDM_E_STORE, ABDM_E_STORE_BUSY, ABDM_E_SYSTEM},
};

static struct {
    outcome_t *outcome; /* shared with the process of the run */
    uint64_t *seen;
    int said; /* what a run prints */
    int64_t deadline_us;
    torture_kind_t kind; /* of the fault of this run */
    bool in_curl;        /* while it is at work */
    unsigned faults, unreached, cut;
    EVP_PKEY *key[KEYS_MAX]; /* made before the runs with faults; NULL: given to the test, or none */
    unsigned *keys_wanted;   /* by the test that asks for most; shared with the process of the run */
} H;

int __lsan_do_recoverable_leak_check(void);
const char *__lsan_default_options(void);
const char *__lsan_default_suppressions(void);
extern void __gcov_dump(void) __attribute__((weak));


const char *
__lsan_default_options(void)
{
    return "detect_leaks=1:leak_check_at_exit=0:max_leaks=2:handle_segv=0:handle_sigbus=0"
           ":handle_sigfpe=0:handle_sigill=0";
}


/* jq knows its stack by the end of it only, where the sanitizer does not look. */
const char *
__lsan_default_suppressions(void)
{
    return "leak:jv_mem_realloc\n";
}


static int64_t
now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t) t.tv_sec * 1000000 + t.tv_nsec / 1000;
}


static int
option(const char *name, int otherwise)
{
    const char *z = getenv(name);

    return z != NULL ? atoi(z) : otherwise;
}


/* --- within the process of a run --- */

static _Noreturn void
finish(end_t end, const char *what, const char *file, int line)
{
    outcome_t *o = H.outcome;

    torture->mode = TORTURE_OFF;
    snprintf(o->what, sizeof(o->what), "%s", what);
    snprintf(o->file, sizeof(o->file), "%s", file);
    o->line = line;
    for (int i = 0; i < LEAK_LOOKS && (i == 0 || o->leaked); i++) {
        if (i > 0)
            usleep(LEAK_NAP_US);
        o->leaked = __lsan_do_recoverable_leak_check() != 0;
    }
    o->end = end;
    if (__gcov_dump != NULL)
        __gcov_dump();
    _exit(0);
}


/* Does what was looked at have this word, not as a text itself? */
static bool
has_word(const char *what, const char *word)
{
    const char *at = strstr(what, word);

    return at != NULL && (at == what || (at[-1] != '"' && at[-1] != '%'));
}


void
torture_number(intmax_t got, intmax_t want, const char *what, const char *file, int line)
{
    end_t end = END_LIED;

    if (got == want)
        return;
    H.outcome->code = (int) got;
    if (!atomic_load(&torture->fired)) {
        end = END_BROKEN;
    } else if (has_word(what, "code")) {
        end = END_WRONG_CODE;
    } else if (has_word(what, "verdict") || has_word(what, "judge") || has_word(what, "status")
               || has_word(what, "outcome") || has_word(what, "failed")) {
        end = END_REPORTED;
    } else if (has_word(what, "atomic_load(&E.")) { /* how often the engine tried or told */
        end = END_REPORTED;
    }
    for (size_t kind = 0; end == END_WRONG_CODE && kind < TORTURE_KINDS; kind++) {
        if (kind != H.kind && torture->mode != TORTURE_ALL)
            continue;
        for (size_t i = 0; i < countof(fitting[kind]); i++) {
            if (fitting[kind][i] != ABDM_OK && (int) fitting[kind][i] == got)
                end = END_REPORTED;
        }
    }
    if (H.in_curl && (got == ABDM_E_TLS || got == ABDM_E_CONNECT)) /* it does not say why */
        end = END_REPORTED;
    torture_print("%s:%d: %s is %jd, not %jd\n", file, line, what, got, want);
    finish(end, what, file, line);
}


void
torture_holds(int holds, const char *what, const char *file, int line)
{
    if (holds)
        return;
    torture_print("%s:%d: %s\n", file, line, what);
    finish(atomic_load(&torture->fired) ? END_REPORTED : END_BROKEN, what, file, line);
}


void
torture_same(int same, const char *what, const char *file, int line)
{
    if (same)
        return;
    torture_print("%s:%d: %s is not as it should be\n", file, line, what);
    finish(atomic_load(&torture->fired) ? END_LIED : END_BROKEN, what, file, line);
}


void
torture_print(const char *format, ...)
{
    va_list list;

    va_start(list, format);
    vfprintf(stderr, format, list);
    va_end(list);
}


char *
torture_made(char *path)
{
    outcome_t *o = H.outcome;

    if (path != NULL && o->n_made < MADE_MAX)
        snprintf(o->made[o->n_made++], sizeof(o->made[0]), "%s", path);
    return path;
}


int
torture_patience(int ms)
{
    return atomic_load(&torture->fired) && ms > PATIENCE_MS ? PATIENCE_MS : ms;
}


void
torture_skip(void)
{
    finish(END_SKIPPED, "", "", 0);
}


/* Making one takes longer than most tests: those that a program asked for while it was learnt about
 * are made once for all of its runs. */
EVP_PKEY *
torture_rsa_key(unsigned bits)
{
    static unsigned asked;
    EVP_PKEY *key = NULL;

    if (bits == KEY_BITS && asked < KEYS_MAX) {
        key = H.key[asked];
        H.key[asked++] = NULL;
        if (*H.keys_wanted < asked)
            *H.keys_wanted = asked;
    }
    return key != NULL ? key : EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t) bits);
}


static _Noreturn void
live(const struct CMUnitTest *test, CMFixtureFunction up, CMFixtureFunction down)
{
    void *group = NULL, *state = test->state;

    dup2(H.said, STDOUT_FILENO);
    dup2(H.said, STDERR_FILENO);
    if (up != NULL)
        torture_holds(up(&group) == 0, "setup of the group", "", 0);
    if (state == NULL)
        state = group;
    if (test->setup != NULL)
        torture_holds(test->setup(&state) == 0, "setup", "", 0);
    test->run(&state);
    if (test->teardown != NULL)
        torture_holds(test->teardown(&state) == 0, "teardown", "", 0);
    if (down != NULL)
        torture_holds(down(&group) == 0, "teardown of the group", "", 0);
    finish(END_PASSED, "", "", 0);
}


/* --- looking on --- */

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void) st;
    (void) type;
    (void) at;
    return remove(path);
}


/* Runs the test in a process of its own; *us: how long it took at most, and then how long. */
static int
run_once(const struct CMUnitTest *test, CMFixtureFunction up, CMFixtureFunction down, int64_t *us)
{
    int64_t from = now_us();
    int status = 0;
    pid_t pid;

    memset(H.outcome, 0, sizeof(*H.outcome));
    if (ftruncate(H.said, 0) != 0 || lseek(H.said, 0, SEEK_SET) != 0)
        abort();
    fflush(stdout);
    pid = fork();
    if (pid == -1)
        abort();
    if (pid == 0) {
        const struct itimerval limit = {.it_value = {*us / 1000000, *us % 1000000}};

        setitimer(ITIMER_REAL, &limit, NULL);
        live(test, up, down);
    }
    while (waitpid(pid, &status, 0) == -1 && errno == EINTR)
        continue;
    *us = now_us() - from;
    for (size_t i = 0; i < H.outcome->n_made; i++)
        (void) nftw(H.outcome->made[i], remove_one, 16, FTW_DEPTH | FTW_PHYS);
    return status;
}


static void
print_said(void)
{
    char text[SAY_MAX + 1];
    ssize_t n = pread(H.said, text, SAY_MAX, 0);

    text[n > 0 ? n : 0] = '\0';
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n"))
        printf("#     %s\n", line);
}


static void
print_path(const torture_path_t *path)
{
    const char *library = getenv("TORTURE_LIBRARY");
    char command[512];
    int n = snprintf(command, sizeof(command), "addr2line -s -f -e '%s'",
                     library != NULL ? library : "");
    FILE *f;

    printf("#   %s%s", path->kind == TORTURE_WITHIN ? "within " : "",
           torture_call_name(path->call));
    for (int i = 0; i < path->depth; i++)
        n += snprintf(command + n, sizeof(command) - (size_t) n, " 0x%x", path->at[i] - 1);
    fflush(stdout);
    f = library != NULL ? popen(command, "r") : NULL;
    if (f != NULL) {
        char function[256], place[256];

        while (fgets(function, sizeof(function), f) != NULL && fgets(place, sizeof(place), f) != NULL)
            printf(" < %.*s (%.*s)", (int) strcspn(function, "\n"), function,
                   (int) strcspn(place, " \n"), place);
        pclose(f);
    }
    printf("\n");
}


/* True the first time that it is asked for `key`, by any program that shares the file. */
static bool
claim(uint64_t key)
{
    size_t i = key % SEEN;

    for (size_t k = 0; k < SEEN; k++, i = (i + 1) % SEEN) {
        uint64_t there = 0;

        if (__atomic_compare_exchange_n(&H.seen[i], &there, key, false, __ATOMIC_SEQ_CST,
                                        __ATOMIC_SEQ_CST))
            return true;
        if (there == key)
            return false;
    }
    return false;
}


static bool
is_within(const torture_path_t *path, const char *call)
{
    return path->kind == TORTURE_WITHIN && strcmp(torture_call_name(path->call), call) == 0;
}


static const char *
verdict(const case_t *c, const torture_path_t *path, int status)
{
    static char text[96];
    const outcome_t *o = H.outcome;

    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
        return "it hangs";
    if (WIFSIGNALED(status)) {
        snprintf(text, sizeof(text), "signal %d", WTERMSIG(status));
        return text;
    }
    if (o->end == END_NONE)
        return "the process ended";
    if (o->end == END_WRONG_CODE) {
        snprintf(text, sizeof(text), "the code is %s",
                 abdm_error_info((abdm_code_t) o->code)->name);
        return text;
    }
    if (o->end == END_LIED)
        return "success with a wrong result";
    /* ICU loses what it has of something when there is no memory for the rest of it */
    if (o->leaked && !c->leaks && !is_within(path, "utrans_openU")
        && !is_within(path, "utrans_transUChars"))
        return "a leak";
    return NULL;
}


static unsigned
endure(const case_t *c, const torture_path_t *path, uint32_t hit, torture_mode_t mode,
       CMFixtureFunction up, CMFixtureFunction down)
{
    static const char *const modes[] = {[TORTURE_ONE] = "", [TORTURE_ALL] = " and all after it"};
    int64_t us = c->us * 3 + 20000000;
    const char *fault;
    int status;

    torture->mode = mode;
    torture->target = path->hash;
    torture->hit = hit;
    atomic_store(&torture->taken, 0);
    atomic_store(&torture->fired, false);
    H.kind = path->kind;
    H.in_curl = is_within(path, "curl_multi_perform");
    status = run_once(c->test, up, down, &us);
    if (!atomic_load(&torture->fired))
        H.unreached++;
    H.faults++;
    fault = verdict(c, path, status);
    if (fault == NULL && option("TORTURE_CODES", 0) && H.outcome->end == END_REPORTED) {
        printf("# %s: %s:%d %s\n", abdm_error_info((abdm_code_t) H.outcome->code)->name,
               H.outcome->file, H.outcome->line, H.outcome->what);
        print_path(path);
    }
    if (fault == NULL)
        return 0;
    printf("# %s: call %u fails%s: %s\n", c->test->name, hit, modes[mode], fault);
    print_path(path);
    print_said();
    return 1;
}


/* Runs the test as it is and notes its paths; false when it does not pass. */
static bool
learn(case_t *c, CMFixtureFunction up, CMFixtureFunction down)
{
    int status;

    c->us = 120 * INT64_C(1000000);
    memset(torture->path, 0, sizeof(torture->path));
    atomic_store(&torture->n, 0);
    atomic_store(&torture->fired, false);
    torture->mode = TORTURE_RECORD;
    status = run_once(c->test, up, down, &c->us);
    c->leaks = H.outcome->leaked;
    if (H.outcome->end == END_SKIPPED)
        return true;
    if (status != 0 || H.outcome->end != END_PASSED) {
        printf("# %s: does not pass by itself (status %d)\n", c->test->name, status);
        print_said();
        return false;
    }
    c->path = calloc(torture->n + 1, sizeof(*c->path));
    if (c->path == NULL)
        abort();
    for (size_t i = 0; i < TORTURE_PATHS; i++) {
        if (torture->path[i].hash != 0)
            c->path[c->n++] = torture->path[i];
    }
    return true;
}


static unsigned
torment(const case_t *c, CMFixtureFunction up, CMFixtureFunction down)
{
    unsigned failures = 0;

    for (size_t i = 0; i < c->n; i++) {
        const torture_path_t *path = &c->path[i];

        for (uint32_t hit = 1; hit <= HITS && hit <= path->hits; hit++) {
            if (H.deadline_us != 0 && now_us() > H.deadline_us) {
                H.cut++;
                return failures;
            }
            if (!claim(path->hash + hit * 2))
                continue;
            failures += endure(c, path, hit, TORTURE_ONE, up, down);
            if (hit == 1)
                failures += endure(c, path, hit, TORTURE_ALL, up, down);
        }
    }
    return failures;
}


static int
by_time(const void *a, const void *b)
{
    const case_t *x = a, *y = b;

    return (x->us > y->us) - (x->us < y->us);
}


static void *
share(size_t size, const char *file)
{
    int fd = file != NULL ? open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0666) : -1;
    void *p;

    if (file != NULL && (fd == -1 || ftruncate(fd, (off_t) size) != 0))
        abort();
    p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | (fd == -1 ? MAP_ANONYMOUS : 0), fd,
             0);
    if (p == MAP_FAILED)
        abort();
    if (fd != -1)
        close(fd);
    return p;
}


/* What OpenSSL makes once for a process, at its first use, it has to have: nginx's master lets it
 * make that before any of our code runs. */
static void
warm_up(void)
{
    static const uint8_t zero[32];
    uint8_t out[64];
    unsigned len = sizeof(out);
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();

    if (OPENSSL_init_ssl(0, NULL) != 1 || RAND_bytes(out, 1) != 1 || RAND_priv_bytes(out, 1) != 1
        || HMAC(EVP_sha256(), zero, 32, zero, 32, out, &len) == NULL || c == NULL
        || EVP_EncryptInit_ex(c, EVP_aes_256_gcm(), NULL, zero, zero) != 1)
        abort();
    EVP_CIPHER_CTX_free(c);
}


__attribute__((constructor)) static void
prepare(void)
{
    torture_hook_allocators();
    warm_up();
}


int
torture_run(const struct CMUnitTest *tests, size_t n, CMFixtureFunction up, CMFixtureFunction down)
{
    const char *only = getenv("TORTURE_ONLY");
    const struct rlimit no_core = {0, 0};
    case_t *cases = calloc(n, sizeof(*cases));
    size_t failed = 0, seconds = (size_t) option("TORTURE_SECONDS", 0);

    H.outcome = share(sizeof(*H.outcome), NULL);
    H.keys_wanted = share(sizeof(*H.keys_wanted), NULL);
    H.seen = share(SEEN * sizeof(*H.seen), getenv("TORTURE_SEEN"));
    torture = share(sizeof(*torture), NULL);
    torture->depth = option("TORTURE_DEPTH", 2);
    H.said = memfd_create("said", MFD_CLOEXEC);
    if (cases == NULL || H.said == -1 || torture->depth > TORTURE_DEPTH_MAX
        || setrlimit(RLIMIT_CORE, &no_core) != 0)
        abort();

    printf("1..%zu\n", n);
    for (size_t i = 0; i < n; i++) {
        cases[i].test = &tests[i];
        if (only == NULL || strcmp(only, tests[i].name) == 0)
            cases[i].broken = !learn(&cases[i], up, down);
    }
    qsort(cases, n, sizeof(*cases), by_time);
    H.deadline_us = seconds > 0 ? now_us() + (int64_t) seconds * 1000000 : 0;
    for (unsigned i = 0; i < *H.keys_wanted; i++)
        H.key[i] = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t) KEY_BITS);
    for (size_t i = 0; i < n; i++) {
        unsigned before = H.faults;
        bool bad = torment(&cases[i], up, down) > 0 || cases[i].broken;

        printf("%sok %zu - %s%s (%u faults)\n", bad ? "not " : "", i + 1, cases[i].test->name,
               cases[i].leaks ? ", which leaks by itself," : "", H.faults - before);
        failed += bad;
        free(cases[i].path);
    }
    printf("# %u faults, %u not reached, %u cut\n", H.faults, H.unreached, H.cut);
    for (unsigned i = 0; i < KEYS_MAX; i++)
        EVP_PKEY_free(H.key[i]);
    free(cases);
    return failed > 0;
}
