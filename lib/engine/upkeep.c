/*
 * What the store thread does of itself for those whose data this is: it ends consents whose time
 * is over, deletes what was kept long enough, makes what was erased leave the disk, and tells the
 * log the end of the audit, where an older copy of the store cannot take it back.
 */
#include "engine/internal.h"

enum {
    PURGE = 60 * 1000,
    PURGE_AGAIN = 5 * 1000, /* when another process was at work */
    ANCHOR = 60 * 60 * 1000
};


abdm_err_t
abdm_engine_retain(abdm_engine_t *engine, abdm_ms_t now, bool *more)
{
    abdm_err_t err;
    bool again = false;

    *more = false;
    err = abdm_store_expire(engine->store, now, engine->config.audit_keep, more);
    if (!abdm_failed(err)) {
        err = abdm_store_audit_prune(engine->store, now, engine->config.audit_keep, &again);
        *more |= again;
    }
    if (err.code == ABDM_E_AUDIT) {
        abdm_log_err(&engine->config.log, ABDM_LOG_ERROR, err,
                     ABDM_LOG_WORD("step", "retention"));
        return ABDM_NO_ERR; /* callbacks are taken nevertheless */
    }
    return err;
}


void
abdm_engine_anchor(abdm_engine_t *engine)
{
    char anchor[ABDM_ANCHOR_TEXT];
    abdm_err_t err = abdm_store_audit_anchor(engine->store, anchor);

    if (abdm_failed(err)) {
        abdm_log_err(&engine->config.log, ABDM_LOG_ERROR, err,
                     ABDM_LOG_WORD("step", "anchor"));
    } else if (anchor[0] != '\0') {
        abdm_log(&engine->config.log, ABDM_LOG_NOTICE, "audit anchor",
                 ABDM_LOG_WORD("", anchor));
    }
}


void
abdm_engine_upkeep(abdm_engine_t *engine)
{
    abdm_ms_t tick = abdm_time_monotonic();

    if (atomic_load(&engine->draining)) {
        return; /* others go on */
    }
    if (engine->config.worker == 0 && tick >= engine->next_anchor) {
        engine->next_anchor = tick + ANCHOR;
        engine->purge = true;
        abdm_engine_anchor(engine);
    }
    if ((engine->purge || abdm_store_erased(engine->store)) && tick >= engine->next_purge) {
        abdm_err_t err = abdm_store_purge(engine->store);

        engine->next_purge = tick + (abdm_failed(err) ? PURGE_AGAIN : PURGE);
        engine->purge &= abdm_failed(err);
        if (abdm_failed(err) && err.code != ABDM_E_STORE_BUSY) {
            abdm_log_err(&engine->config.log, ABDM_LOG_ERROR, err,
                         ABDM_LOG_WORD("step", "purge"));
        }
    }
}
