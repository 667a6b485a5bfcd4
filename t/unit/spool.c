/* The spool: memory, file, limits, sources side by side, and a file that was meddled with. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "engine/spool.h"

enum { PIECE = 10007, FILE_SIZE = 700001 };

static char dir[] = "/tmp/abdm-spool-test-XXXXXX";
static bool no_tmpfile; /* open behaves as on a file system without O_TMPFILE */
static int refusals;

int open(const char *path, int flags, ...);


/* Stands before the C library's own, for the library under test as well. */
int
open(const char *path, int flags, ...)
{
    va_list args;

    va_start(args, flags);
    mode_t mode = va_arg(args, mode_t);
    va_end(args);
    if (no_tmpfile && (flags & O_TMPFILE) == O_TMPFILE) {
        refusals++;
        errno = EOPNOTSUPP;
        return -1;
    }
    return (int) syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}


static int
make_dir(void **state)
{
    (void) state;
    return mkdtemp(dir) == NULL ? -1 : 0;
}


static int
remove_dir(void **state)
{
    (void) state;
    return rmdir(dir); /* fails when a spool left a name behind */
}


static uint8_t
byte_at(size_t i)
{
    return (uint8_t) (i * 31 + i / 251);
}


static abdm_spool_t *
filled(size_t size)
{
    abdm_spool_t *spool;
    uint8_t piece[PIECE];

    assert_int_equal(abdm_spool_new(dir, 1 << 30, &spool).code, ABDM_OK);
    for (size_t at = 0; at < size;) {
        size_t n = size - at < PIECE ? size - at : PIECE;
        for (size_t i = 0; i < n; i++)
            piece[i] = byte_at(at + i);
        assert_int_equal(abdm_spool_write(spool, piece, n).code, ABDM_OK);
        at += n;
    }
    assert_int_equal(abdm_spool_finish(spool).code, ABDM_OK);
    assert_int_equal(abdm_spool_length(spool), size);
    return spool;
}


static void
expect_pattern(abdm_source_t *source, size_t size, size_t step)
{
    uint8_t *buf = malloc(step);
    size_t at = 0, got;

    assert_non_null(buf);
    assert_int_equal(source->length, size);
    do {
        assert_int_equal(source->read(source, buf, step, &got).code, ABDM_OK);
        assert_true(got <= step);
        for (size_t i = 0; i < got; i++)
            assert_int_equal(buf[i], byte_at(at + i));
        at += got;
    } while (got > 0);
    assert_int_equal(at, size);
    free(buf);
}


/* The descriptor of the unlinked file under `dir`, or -1. */
static int
spool_descriptor(void)
{
    DIR *fds = opendir("/proc/self/fd");
    struct dirent *e;
    int found = -1;

    assert_non_null(fds);
    while ((e = readdir(fds)) != NULL) {
        char link[PATH_MAX], name[PATH_MAX];
        snprintf(name, sizeof name, "/proc/self/fd/%s", e->d_name);
        ssize_t n = readlink(name, link, sizeof link - 1);
        if (n > 0 && strncmp(link, dir, strlen(dir)) == 0 && (size_t) n > strlen(dir) &&
            link[strlen(dir)] == '/')
            found = atoi(e->d_name);
    }
    closedir(fds);
    return found;
}


static void
what_is_written_is_read_at_every_size(void **state)
{
    static const size_t sizes[] = {0,      1,      511,    512,    513,       65535,  65536, 65537,
                                   262143, 262144, 262145, 327680, FILE_SIZE, 1048576};
    static const size_t steps[] = {1000000, 65536, 4097};

    (void) state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        abdm_spool_t *spool = filled(sizes[i]);
        for (size_t k = 0; k < sizeof steps / sizeof *steps; k++) {
            abdm_source_t *source;
            assert_int_equal(abdm_spool_source(spool, &source).code, ABDM_OK);
            expect_pattern(source, sizes[i], steps[k]);
            abdm_source_close(source);
        }
        abdm_spool_free(spool);
    }
}


static void
one_large_write_gives_the_same_as_many_small_ones(void **state)
{
    abdm_spool_t *spool;
    abdm_source_t *source;
    uint8_t *all = malloc(FILE_SIZE);

    (void) state;
    assert_non_null(all);
    for (size_t i = 0; i < FILE_SIZE; i++)
        all[i] = byte_at(i);
    assert_int_equal(abdm_spool_new(dir, FILE_SIZE, &spool).code, ABDM_OK);
    assert_int_equal(abdm_spool_write(spool, all, FILE_SIZE).code, ABDM_OK);
    assert_int_equal(abdm_spool_finish(spool).code, ABDM_OK);
    assert_int_equal(abdm_spool_source(spool, &source).code, ABDM_OK);
    expect_pattern(source, FILE_SIZE, 8192);
    abdm_source_close(source);
    abdm_spool_free(spool);
    free(all);
}


static void
the_head_is_the_first_512_bytes(void **state)
{
    abdm_spool_t *small = filled(10), *large = filled(FILE_SIZE);

    (void) state;
    assert_int_equal(abdm_spool_head(small).len, 10);
    assert_int_equal(abdm_spool_head(large).len, 512);
    for (size_t i = 0; i < 512; i++)
        assert_int_equal((uint8_t) abdm_spool_head(large).p[i], byte_at(i));
    abdm_spool_free(small);
    abdm_spool_free(large);
}


static void
two_sources_over_one_spool_do_not_disturb_each_other(void **state)
{
    abdm_spool_t *spool = filled(FILE_SIZE);
    abdm_source_t *a, *b;
    uint8_t buf[100000];
    size_t got;

    (void) state;
    assert_int_equal(abdm_spool_source(spool, &a).code, ABDM_OK);
    assert_int_equal(abdm_spool_source(spool, &b).code, ABDM_OK);
    assert_int_equal(a->read(a, buf, sizeof buf, &got).code, ABDM_OK);
    expect_pattern(b, FILE_SIZE, 777);
    size_t at = got;
    while (got > 0) {
        assert_int_equal(a->read(a, buf, sizeof buf, &got).code, ABDM_OK);
        for (size_t i = 0; i < got; i++)
            assert_int_equal(buf[i], byte_at(at + i));
        at += got;
    }
    assert_int_equal(at, FILE_SIZE);
    abdm_source_close(a);
    abdm_source_close(b);
    abdm_spool_free(spool);
}


static void
more_than_the_limit_is_refused(void **state)
{
    abdm_spool_t *spool;

    (void) state;
    assert_int_equal(abdm_spool_new(dir, 10, &spool).code, ABDM_OK);
    assert_int_equal(abdm_spool_write(spool, "0123456789", 10).code, ABDM_OK);
    assert_int_equal(abdm_spool_write(spool, "x", 1).code, ABDM_E_ANSWER_TOO_LARGE);
    assert_int_equal(abdm_spool_finish(spool).code, ABDM_E_INTERNAL);
    abdm_spool_free(spool);
}


static void
a_small_record_makes_no_file(void **state)
{
    abdm_spool_t *spool = filled(262144);

    (void) state;
    assert_int_equal(spool_descriptor(), -1);
    abdm_spool_free(spool);
}


static void
the_file_shows_nothing_of_the_record(void **state)
{
    static const char secret[] = "haemoglobin 7.9 g/dl";
    abdm_spool_t *spool;
    char line[4096], found[8192];
    ssize_t n;

    (void) state;
    assert_int_equal(abdm_spool_new(dir, 1 << 30, &spool).code, ABDM_OK);
    memset(line, ' ', sizeof line);
    memcpy(line, secret, sizeof secret - 1);
    for (int i = 0; i < 100; i++)
        assert_int_equal(abdm_spool_write(spool, line, sizeof line).code, ABDM_OK);
    assert_int_equal(abdm_spool_finish(spool).code, ABDM_OK);
    int fd = spool_descriptor();
    assert_int_not_equal(fd, -1);
    for (off_t at = 0; (n = pread(fd, found, sizeof found, at)) > 0; at += 4096)
        assert_null(memmem(found, (size_t) n, secret, sizeof secret - 1));
    abdm_spool_free(spool);
}


static void
an_altered_exchanged_or_cut_file_is_noticed(void **state)
{
    enum { ALTERED, EXCHANGED, CUT, CASES };
    static uint8_t first[65552], second[65552];
    uint8_t buf[65536];

    (void) state;
    for (int kind = 0; kind < CASES; kind++) {
        abdm_spool_t *spool = filled(FILE_SIZE);
        abdm_source_t *source;
        size_t got = 1;
        int fd = spool_descriptor();

        assert_int_not_equal(fd, -1);
        assert_int_equal(pread(fd, first, sizeof first, 0), sizeof first);
        assert_int_equal(pread(fd, second, sizeof second, sizeof first), sizeof second);
        if (kind == ALTERED) {
            first[1000] ^= 1;
            assert_int_equal(pwrite(fd, first, sizeof first, 0), sizeof first);
        } else if (kind == EXCHANGED) {
            assert_int_equal(pwrite(fd, second, sizeof second, 0), sizeof second);
            assert_int_equal(pwrite(fd, first, sizeof first, sizeof second), sizeof first);
        } else {
            assert_int_equal(ftruncate(fd, 1000), 0);
        }
        assert_int_equal(abdm_spool_source(spool, &source).code, ABDM_OK);
        assert_int_equal(source->read(source, buf, sizeof buf, &got).code, ABDM_E_SPOOL_LOST);
        assert_int_equal(got, 0);
        abdm_source_close(source);
        abdm_spool_free(spool);
    }
}


static void
a_directory_that_is_not_there_fails_when_a_file_is_needed(void **state)
{
    abdm_spool_t *spool;
    uint8_t *zeros = calloc(1, 300000);

    (void) state;
    assert_non_null(zeros);
    assert_int_equal(abdm_spool_new("/nonexistent/abdm", 1 << 20, &spool).code, ABDM_OK);
    assert_int_equal(abdm_spool_write(spool, zeros, 1000).code, ABDM_OK);
    assert_int_equal(abdm_spool_write(spool, zeros, 300000).code, ABDM_E_SYSTEM);
    assert_int_equal(abdm_spool_write(spool, zeros, 1).code, ABDM_E_INTERNAL);
    abdm_spool_free(spool);
    free(zeros);
}


static void
a_file_system_without_nameless_files_will_do(void **state)
{
    abdm_source_t *source;

    (void) state;
    no_tmpfile = true;
    abdm_spool_t *spool = filled(FILE_SIZE);
    no_tmpfile = false;
    assert_int_equal(refusals, 1);
    assert_int_not_equal(spool_descriptor(), -1);
    assert_int_equal(abdm_spool_source(spool, &source).code, ABDM_OK);
    expect_pattern(source, FILE_SIZE, 65536);
    abdm_source_close(source);
    abdm_spool_free(spool);
}


static void
a_full_disk_fails_the_write_and_the_spool(void **state)
{
    struct rlimit old, small;
    abdm_spool_t *spool;
    uint8_t *zeros = calloc(1, 1000000);

    (void) state;
    assert_non_null(zeros);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = (struct rlimit){100000, old.rlim_max};
    assert_int_equal(abdm_spool_new(dir, 1 << 20, &spool).code, ABDM_OK);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    abdm_err_t err = abdm_spool_write(spool, zeros, 1000000);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(err.code, ABDM_E_SYSTEM);
    assert_int_equal(abdm_spool_finish(spool).code, ABDM_E_INTERNAL);
    abdm_spool_free(spool);
    free(zeros);
}


static void
the_order_of_calls_is_enforced(void **state)
{
    abdm_spool_t *spool;
    abdm_source_t *source;

    (void) state;
    assert_int_equal(abdm_spool_new(dir, 10, &spool).code, ABDM_OK);
    assert_int_equal(abdm_spool_source(spool, &source).code, ABDM_E_INTERNAL);
    assert_null(source);
    assert_int_equal(abdm_spool_finish(spool).code, ABDM_OK);
    assert_int_equal(abdm_spool_write(spool, "x", 1).code, ABDM_E_INTERNAL);
    assert_int_equal(abdm_spool_finish(spool).code, ABDM_E_INTERNAL);
    abdm_spool_free(spool);
    abdm_spool_free(NULL);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read_at_every_size),
        cmocka_unit_test(one_large_write_gives_the_same_as_many_small_ones),
        cmocka_unit_test(the_head_is_the_first_512_bytes),
        cmocka_unit_test(two_sources_over_one_spool_do_not_disturb_each_other),
        cmocka_unit_test(more_than_the_limit_is_refused),
        cmocka_unit_test(a_small_record_makes_no_file),
        cmocka_unit_test(the_file_shows_nothing_of_the_record),
        cmocka_unit_test(an_altered_exchanged_or_cut_file_is_noticed),
        cmocka_unit_test(a_directory_that_is_not_there_fails_when_a_file_is_needed),
        cmocka_unit_test(a_file_system_without_nameless_files_will_do),
        cmocka_unit_test(a_full_disk_fails_the_write_and_the_spool),
        cmocka_unit_test(the_order_of_calls_is_enforced),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
