/* A store whose audit has rows, and ways to tamper with it. To be included after cmocka.h. */
#ifndef ABDM_TEST_AUDIT_KIT_H
#define ABDM_TEST_AUDIT_KIT_H

#include "state_kit.h"

#define HIP "HIP_1"
#define DAY (24LL * 60 * 60 * 1000)

enum { ROWS = 9, BASE_TIME = 1000000 };


/* Row `n` of a transfer: all columns are used. */
static inline abdm_err_t
write_row(abdm_store_t *store, int n, abdm_ms_t at)
{
    abdm_transfer_t t = transfer;
    abdm_effects_t e = {0};
    abdm_err_t err;
    char id[16];

    snprintf(id, sizeof(id), "T-%d", n);
    t.id = id;
    t.hiu_id = "HIU_1";
    e.caller = "gateway";
    e.request_id = "R-1";
    abdm_effect_audit_transfer(&e, &t, "page delivered", ABDM_ERR(TIMEOUT, "what"), "detail", 1);
    err = abdm_store_apply(store, &e, at);
    abdm_effects_clear(&e);
    return err;
}


static inline void
write_rows(int n)
{
    for (int i = 1; i <= n; i++)
        OK_(write_row(K.store, i, BASE_TIME + i));
}


/* As somebody does who has the file and no key. */
static inline void
tamper(const char *sql)
{
    store_kit_exec(&K, "DROP TRIGGER IF EXISTS audit_is_not_changed;"
                       "DROP TRIGGER IF EXISTS audit_is_not_deleted");
    store_kit_exec(&K, sql);
}


static inline void
keep_copy(void)
{
    store_kit_exec(&K, "CREATE TEMP TABLE kept AS SELECT * FROM audit;"
                       "CREATE TEMP TABLE kept_head AS SELECT * FROM audit_head");
}


static inline void
put_back(void)
{
    tamper("DELETE FROM audit; INSERT INTO audit SELECT * FROM kept;"
           "DELETE FROM audit_head; INSERT INTO audit_head SELECT * FROM kept_head");
}


static inline abdm_audit_verdict_t
verdict_of(const char *anchor)
{
    abdm_audit_verdict_t v;

    OK_(abdm_store_audit_verify(K.store, anchor, &v));
    return v;
}


static inline void
assert_good(int64_t rows)
{
    abdm_audit_verdict_t v = verdict_of(NULL);

    if (v.fault != NULL)
        fail_msg("row %lld %s", (long long) v.fault_row, v.fault);
    assert_int_equal(v.rows, rows);
}


static inline void
assert_fault(int64_t row, const char *what)
{
    abdm_audit_verdict_t v = verdict_of(NULL);

    if (v.fault == NULL || v.fault_row != row || strstr(v.fault, what) == NULL)
        fail_msg("row %lld %s, and not row %lld %s", (long long) v.fault_row,
                 v.fault != NULL ? v.fault : "(good)", (long long) row, what);
}

#endif
