/* A store and short ways to put callbacks and jobs into it and to claim them. To be included
 * after cmocka.h. */
#ifndef ABDM_TEST_WORK_KIT_H
#define ABDM_TEST_WORK_KIT_H

#include "store_kit.h"

static store_kit_t K;


static inline int
open_store(void **state)
{
    (void) state;
    return store_kit_open(&K);
}


static inline int
close_store(void **state)
{
    (void) state;
    store_kit_close(&K);
    return 0;
}


static inline abdm_callback_t
callback(const char *request_id, const char *body)
{
    return (abdm_callback_t){.path = "/api/v3/x", .event = "x.happened", .hip_id = "HIP_1",
                             .request_id = (char *) request_id, .body = (char *) body,
                             .body_len = strlen(body), .received_at = 1000};
}


static inline int64_t
add(const char *request_id, const char *body, const char *owner)
{
    abdm_callback_t cb = callback(request_id, body);
    int64_t id = -1;

    OK_(abdm_store_inbox_add(K.store, &cb, owner, &id));
    return id;
}


/* Claims all orphans; clears what it got. */
static inline size_t
claim(const char *owner, size_t *poisoned)
{
    abdm_callback_t got[16];
    size_t n = 0, bad = 0;

    OK_(abdm_store_inbox_claim(K.store, owner, 1000, 16, got, &n, &bad));
    for (size_t i = 0; i < n; i++)
        abdm_callback_clear(&got[i]);
    if (poisoned != NULL)
        *poisoned = bad;
    return n;
}


static inline abdm_job_t
job(const char *subject, abdm_ms_t due)
{
    return (abdm_job_t){.kind = ABDM_JOB_GATEWAY, .event = "x.done", .hip_id = "HIP_1",
                        .subject = (char *) subject, .arg = 7, .path = "/p", .body = "{}",
                        .body_len = 2, .due_at = due, .deadline_at = due + 1000,
                        .created_at = 5, .attempts = 0};
}


static inline int64_t
add_job(const char *subject, abdm_ms_t due, const char *owner)
{
    abdm_job_t j = job(subject, due);

    OK_(abdm_store_job_add(K.store, &j, owner));
    return j.id;
}


static inline size_t
claim_jobs(const char *owner, abdm_ms_t now, abdm_job_t *out)
{
    size_t n = 0;

    OK_(abdm_store_job_claim(K.store, owner, now, ~0u, 16, out, &n));
    return n;
}


/* Claims and clears; *poisoned tells how many are marked so. */
static inline size_t
claim_jobs_only(const char *owner, abdm_ms_t now, size_t *poisoned)
{
    abdm_job_t got[16];
    size_t n = claim_jobs(owner, now, got), bad = 0;

    for (size_t i = 0; i < n; i++) {
        bad += got[i].poisoned;
        abdm_job_clear(&got[i]);
    }
    if (poisoned != NULL)
        *poisoned = bad;
    return n;
}


#define STORE_TEST(f) cmocka_unit_test_setup_teardown(f, open_store, close_store)

#endif
