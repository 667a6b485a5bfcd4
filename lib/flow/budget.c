/*
 * How often something may be done for a value within a window: what makes guessing patients and
 * OTPs, or pumping SMS, too slow to be of use.
 */
#include "flow/flow.h"


abdm_err_t
abdm_flow_budget(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, const char *name,
                 const char *value, int most, abdm_ms_t window, bool *within, abdm_effects_t *out)
{
    abdm_row_budget_t key = {.hip_id = (char *) ev->hip_id, .name = (char *) name,
                             .value = (char *) value};
    abdm_row_budget_t row = {0};
    abdm_err_t err = abdm_row_copy(ABDM_ROW_budget, &row, &key);

    if (!abdm_failed(err)) {
        err = abdm_row_budget_get(ctx->view, &row);
    }
    if (abdm_failed(err) && err.code != ABDM_E_NOT_FOUND) {
        abdm_row_budget_clear(&row);
        return err;
    }
    if (row.since + window <= ev->now) {
        row.since = ev->now;
        row.count = 0;
    } else if (row.since > ev->now) {
        row.since = ev->now; /* the clock was set back: that is no new window */
    }
    *within = row.count < most;
    if (*within) {
        row.count++;
        row.keep_until = row.since + window;
        abdm_effect_put_budget(out, &row);
    }
    abdm_row_budget_clear(&row);
    return ABDM_NO_ERR;
}
