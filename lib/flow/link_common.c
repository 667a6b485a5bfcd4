/* What the flows of linking have in common, see flow/link.h. */
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "flow/link.h"


abdm_err_t
abdm_link_row(const abdm_flow_ctx_t *ctx, abdm_row_id_t id, const char *hip_id, const char *key,
              void *row)
{
    const abdm_row_kind_t *kind = abdm_row_kind(id);
    const char *const keys[] = {hip_id, key};
    abdm_err_t err = ABDM_NO_ERR;

    memset(row, 0, kind->size);
    for (size_t i = 0; i < 2 && !abdm_failed(err); i++) {
        char *copy = strdup(keys[i]);

        if (copy == NULL) {
            err = ABDM_ERR(MEMORY, "key of a row");
        } else {
            memcpy((char *) row + kind->member[i].offset, &copy, sizeof(copy));
        }
    }
    if (!abdm_failed(err)) {
        err = ctx->view->get(ctx->view, id, row);
    }
    if (abdm_failed(err)) {
        abdm_row_clear(id, row);
    }
    return err;
}


void
abdm_link_set(abdm_effects_t *out, char **text, const char *value)
{
    char *copy = value != NULL ? strdup(value) : NULL;

    out->failed |= value != NULL && copy == NULL;
    if (*text != NULL) {
        abdm_wipe(*text, strlen(*text));
    }
    free(*text);
    *text = copy;
}


void
abdm_link_moment(abdm_effects_t *out, const abdm_event_t *ev, const char *event,
                 const char *subject, int arg, abdm_ms_t due_at)
{
    abdm_job_t job = {
        .kind = ABDM_JOB_EVENT,
        .event = (char *) event,
        .hip_id = (char *) ev->hip_id,
        .subject = (char *) subject,
        .arg = arg,
        .due_at = due_at,
        .created_at = ev->now,
        .deadline_at = due_at,
    };

    abdm_effect_job(out, &job);
}


void
abdm_link_send(abdm_effects_t *out, const abdm_event_t *ev, const abdm_link_call_t *call,
               abdm_buf_t *body)
{
    abdm_job_t job = {
        .kind = call->awaited ? ABDM_JOB_GATEWAY : ABDM_JOB_LINK,
        .event = (char *) call->event,
        .hip_id = (char *) ev->hip_id,
        .subject = (char *) call->subject,
        .arg = call->arg,
        .path = (char *) call->path,
        .link_token = (char *) call->link_token,
        .due_at = ev->now,
        .created_at = ev->now,
        .deadline_at = call->deadline_at,
    };

    job.body_len = body->len;
    job.body = abdm_buf_take(body);
    if (job.body == NULL) {
        out->failed = true;
        return;
    }
    abdm_effect_job(out, &job);
}


abdm_err_t
abdm_link_json(const abdm_event_t *ev, json_t **body)
{
    return abdm_json_parse(ev->body, ev->body_len, ABDM_JSON_DEPTH, body);
}


abdm_err_t
abdm_link_answered(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, const char *path,
                   abdm_err_t err, const char *request_id, const char *refused, char **subject,
                   abdm_effects_t *out)
{
    char *sent_to = NULL;

    *subject = NULL;
    if (err.code == ABDM_E_MEMORY) {
        return err; /* nothing is known of it yet */
    }
    if (!abdm_failed(err) && request_id == NULL) {
        err = ABDM_ERR(FIELD, "response.requestId is missing");
    }
    if (!abdm_failed(err)) {
        err = ctx->view->sent(ctx->view, ev->hip_id, request_id, subject, &sent_to);
        if (abdm_failed(err) && err.code != ABDM_E_NOT_FOUND) {
            return err;
        }
        if (abdm_failed(err) || sent_to == NULL || strcmp(sent_to, path) != 0) {
            free(*subject);
            *subject = NULL;
            err = ABDM_ERR(ANSWER_UNKNOWN, "response.requestId is of no such call");
        }
        free(sent_to);
    }
    if (abdm_failed(err)) {
        abdm_effect_audit(out, ev->hip_id, ev->request_id, refused, err, NULL);
    }
    return ABDM_NO_ERR;
}


abdm_err_t
abdm_link_outcome(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, const char *path,
                  const char *refused, abdm_in_outcome_t *outcome, char **subject,
                  abdm_effects_t *out)
{
    json_t *body = NULL;
    abdm_err_t err = abdm_link_json(ev, &body);

    if (!abdm_failed(err)) {
        err = abdm_in_outcome(body, outcome);
    }
    json_decref(body);
    return abdm_link_answered(ctx, ev, path, err, outcome->request_id, refused, subject, out);
}


bool
abdm_link_passes(const char *code)
{
    /* 1016 and 2402: the clocks differ */
    static const char *const codes[] = {"1000", "1007", "1011", "1016", "1019", "1022",
                                        "1024", "1029", "1048", "2402", "2429"};

    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        if (strcmp(codes[i], code) == 0) {
            return true;
        }
    }
    return false;
}


const char *
abdm_link_reason(abdm_err_t err, const char *code)
{
    return code[0] != '\0' ? code : abdm_error_info(err.code)->name;
}
