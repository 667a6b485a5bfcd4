/*
 * What the HMIS is asked and told by the flows. Telling is durable: an HMIS that is down for some
 * hours hears of it later.
 */
#include "core/json.h"
#include "flow/flow.h"

enum { TELL_DEADLINE = 24 * 60 * 60 * 1000 };


void
abdm_flow_ask(abdm_effects_t *out, const abdm_event_t *ev, const char *subject, abdm_hmis_op_t op,
              int index, const json_t *vars, abdm_ms_t deadline, const char *event)
{
    abdm_job_t job = {
        .kind = op == ABDM_HMIS_TELL ? ABDM_JOB_TELL : ABDM_JOB_HMIS,
        .event = (char *) event,
        .hip_id = (char *) ev->hip_id,
        .subject = (char *) subject,
        .arg = index,
        .path = (char *) abdm_hmis_op_name(op),
        .due_at = ev->at < ev->now ? ev->at : ev->now, /* in the order in which all began */
        .created_at = ev->now,
        .deadline_at = deadline,
    };
    abdm_buf_t body = {0};
    abdm_jw_t w;

    if (vars == NULL) {
        out->failed = true;
        return;
    }
    abdm_jw_begin(&w, &body);
    abdm_jw_json(&w, vars);
    job.body_len = body.len;
    job.body = abdm_buf_take(&body);
    if (job.body == NULL) {
        out->failed = true;
        return;
    }
    abdm_effect_job(out, &job);
}


void
abdm_flow_tell(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, const char *subject,
               const char *what, json_t *ids, abdm_effects_t *out)
{
    if (ids == NULL || json_object_set_new(ids, "hipId", json_string(ev->hip_id)) != 0
        || json_object_set_new(ids, "event", json_string(what)) != 0) {
        out->failed = true;
    } else {
        for (int i = 0; i < ctx->facility->questions[ABDM_HMIS_TELL]; i++) {
            abdm_flow_ask(out, ev, subject, ABDM_HMIS_TELL, i, ids, ev->now + TELL_DEADLINE,
                          "hmis.told");
        }
    }
    json_decref(ids);
}


abdm_err_t
abdm_flow_hmis_told(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, abdm_effects_t *out)
{
    (void) ctx;
    if (abdm_failed(ev->result->err)) {
        abdm_effect_audit(out, ev->hip_id, ev->subject, "HMIS not told", ev->result->err, NULL);
    }
    return ABDM_NO_ERR;
}
