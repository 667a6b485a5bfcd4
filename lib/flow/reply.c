/* Answers to callbacks: every on-* call of the flows is made here. */
#include "flow/flow.h"
#include "gateway/outbound.h"
#include "gateway/outbound_link.h"


void
abdm_flow_reply(abdm_effects_t *out, const abdm_event_t *ev, const char *subject, const char *path,
                abdm_buf_t *body, const char *event)
{
    abdm_job_t job = {
        .kind = ABDM_JOB_GATEWAY,
        .event = (char *) event,
        .hip_id = (char *) ev->hip_id,
        .subject = (char *) subject,
        .path = (char *) path,
        .due_at = ev->now,
        .created_at = ev->now,
        .deadline_at = ev->now + ABDM_REPLY_DEADLINE,
    };

    job.body_len = body->len;
    job.body = abdm_buf_take(body);
    if (job.body == NULL) {
        out->failed = true;
        return;
    }
    abdm_effect_job(out, &job);
}


void
abdm_flow_refuse(abdm_effects_t *out, const abdm_event_t *ev, const char *subject,
                 const char *path, abdm_err_t why)
{
    abdm_buf_t body = {0};

    abdm_out_error(&body, why, ev->request_id);
    abdm_flow_reply(out, ev, subject, path, &body, "reply.sent");
}


void
abdm_flow_refuse_old(abdm_effects_t *out, const abdm_event_t *ev, const char *path, abdm_err_t why)
{
    abdm_buf_t body = {0};

    abdm_out_old_error(&body, why, ev->request_id);
    abdm_flow_reply(out, ev, "", path, &body, "reply.sent");
}


abdm_err_t
abdm_flow_reply_sent(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, abdm_effects_t *out)
{
    (void) ctx;
    if (abdm_failed(ev->result->err)) {
        abdm_effect_audit(out, ev->hip_id, ev->subject, "answer not accepted by the gateway",
                          ev->result->err, NULL);
    }
    return ABDM_NO_ERR;
}


bool
abdm_flow_is_undecided(abdm_err_t err)
{
    return err.code == ABDM_E_STORE || err.code == ABDM_E_STORE_BUSY || err.code == ABDM_E_MEMORY;
}
