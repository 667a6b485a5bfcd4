/* Worker processes are made by fork after the master drew random bytes: none repeats another. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/id.h"
#include "crypto/fidelius.h"

enum { WORKERS = 8 };

typedef struct {
    char id[ABDM_UUID_TEXT];
    uint8_t nonce[ABDM_NONCE_LEN];
    abdm_key_pair_t pair;
} drawn_t;


static int
draw(drawn_t *out)
{
    return abdm_failed(abdm_uuid4(out->id)) || abdm_failed(abdm_nonce_generate(out->nonce))
           || abdm_failed(abdm_key_pair_generate(&out->pair));
}


/* Never returns. */
static void
work(int to)
{
    drawn_t drawn;

    memset(&drawn, 0, sizeof(drawn));
    _exit(draw(&drawn) || write(to, &drawn, sizeof(drawn)) != (ssize_t) sizeof(drawn));
}


static void
no_worker_draws_what_another_or_the_master_drew(void **state)
{
    drawn_t all[WORKERS + 1];
    int ends[2], status;

    (void) state;
    memset(all, 0, sizeof(all));
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(draw(&all[0]), 0); /* the generator is seeded before anybody is born */
    for (int i = 0; i < WORKERS; i++) {
        pid_t pid = fork();

        assert_true(pid >= 0);
        if (pid == 0)
            work(ends[1]);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
        assert_int_equal(read(ends[0], &all[i + 1], sizeof(all[0])), sizeof(all[0]));
    }
    for (int i = 0; i <= WORKERS; i++) {
        for (int k = 0; k < i; k++) {
            assert_string_not_equal(all[i].id, all[k].id);
            assert_memory_not_equal(all[i].nonce, all[k].nonce, sizeof(all[0].nonce));
            assert_memory_not_equal(&all[i].pair, &all[k].pair, sizeof(all[0].pair));
        }
    }
    close(ends[0]);
    close(ends[1]);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_worker_draws_what_another_or_the_master_drew),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
