/*
 * A patient's ABHA is deactivated, deleted or active again (gateway protocol 3.12). Whoever leaves
 * takes along what ABDM brought here: the ABHA itself, links, link tokens, consents and what was
 * under way; a transfer that runs ends before its next page, as its consent is gone. The HMIS and
 * its records are not touched. The audit trail keeps a keyed hash, by which the hospital can show
 * that it obeyed, and nothing that names the patient.
 */
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "flow/confirm.h"
#include "flow/link.h"
#include "flow/linking.h"
#include "gateway/inbound_link.h"
#include "gateway/outbound_link.h"

enum { ROWS_MAX = 20000, STUB_DIGITS = 16 };

typedef struct {
    const abdm_flow_ctx_t *ctx;
    const abdm_event_t *ev;
    const char *abha_address;
    abdm_effects_t *out;
} leave_t;


static abdm_err_t
parse(const abdm_event_t *ev, abdm_in_patient_status_t *notice)
{
    json_t *body = NULL;
    abdm_err_t err;

    err = abdm_json_parse(ev->body, ev->body_len, ABDM_JSON_DEPTH, &body);
    if (!abdm_failed(err)) {
        err = abdm_in_patient_status(body, notice);
    }
    json_decref(body);
    return err;
}


/* --- what is removed --- */

static abdm_err_t
drop_contexts(leave_t *l, const char *patient_ref)
{
    abdm_row_context_t *rows = NULL;
    size_t n = 0;

    ABDM_TRY(abdm_row_context_find(l->ctx->view, ABDM_COL_context_patient_ref, l->ev->hip_id,
                                   patient_ref, ROWS_MAX, &rows, &n));
    for (size_t i = 0; i < n; i++) {
        abdm_effect_delete_context(l->out, &rows[i]);
    }
    abdm_row_context_free(rows, n);
    return ABDM_NO_ERR;
}


static abdm_err_t
drop_auths(leave_t *l, const char *patient_ref)
{
    abdm_row_auth_t *rows = NULL;
    size_t n = 0;

    ABDM_TRY(abdm_row_auth_find(l->ctx->view, ABDM_COL_auth_patient_ref, l->ev->hip_id,
                                patient_ref, ROWS_MAX, &rows, &n));
    for (size_t i = 0; i < n; i++) {
        abdm_effect_delete_auth(l->out, &rows[i]);
    }
    abdm_row_auth_free(rows, n);
    return ABDM_NO_ERR;
}


/* The hospital's software may still ask what became of its requests. */
static abdm_err_t
end_requests(leave_t *l, const char *patient_ref)
{
    abdm_row_request_t *rows = NULL;
    size_t n = 0;

    ABDM_TRY(abdm_row_request_find(l->ctx->view, ABDM_COL_request_patient_ref, l->ev->hip_id,
                                   patient_ref, ROWS_MAX, &rows, &n));
    for (size_t i = 0; i < n; i++) {
        abdm_link_set(l->out, &rows[i].reason, abdm_error_info(ABDM_E_OPTED_OUT)->name);
        rows[i].state = ABDM_REQUEST_FAILED;
        abdm_effect_put_request(l->out, &rows[i]);
    }
    abdm_row_request_free(rows, n);
    return ABDM_NO_ERR;
}


static abdm_err_t
forget_patients(leave_t *l)
{
    abdm_row_patient_t *rows = NULL;
    size_t n = 0;
    abdm_err_t err;

    err = abdm_row_patient_find(l->ctx->view, ABDM_COL_patient_abha_address, l->ev->hip_id,
                                l->abha_address, ROWS_MAX, &rows, &n);
    for (size_t i = 0; i < n && !abdm_failed(err); i++) {
        (void) abdm_row_text(&rows[i].abha_address, NULL);
        (void) abdm_row_text(&rows[i].abha_number, NULL);
        rows[i].changed_at = l->ev->now;
        abdm_effect_put_patient(l->out, &rows[i]);
        err = drop_contexts(l, rows[i].ref);
        if (!abdm_failed(err)) {
            err = drop_auths(l, rows[i].ref);
        }
        if (!abdm_failed(err)) {
            err = end_requests(l, rows[i].ref);
        }
    }
    abdm_row_patient_free(rows, n);
    return err;
}


static void
forget_token(leave_t *l)
{
    abdm_row_link_token_t key = {.hip_id = (char *) l->ev->hip_id,
                                 .abha_address = (char *) l->abha_address};

    abdm_effect_delete_link_token(l->out, &key);
}


/* Tombstones, as after a revocation: a late GRANTED must not come to life. */
static abdm_err_t
revoke_consents(leave_t *l)
{
    char **ids = NULL;
    size_t n = 0;
    abdm_err_t err = ABDM_NO_ERR;

    ABDM_TRY(l->ctx->view->consents_of(l->ctx->view, l->ev->hip_id, l->abha_address, &ids, &n));
    for (size_t i = 0; i < n; i++) {
        abdm_consent_t tombstone = {.id = ids[i], .hip_id = strdup(l->ev->hip_id),
                                    .status = ABDM_CONSENT_REVOKED};

        if (!abdm_failed(err)) {
            err = abdm_flow_confirm_forget(l->ctx, l->ev, ids[i], l->out);
        }
        l->out->failed |= tombstone.hip_id == NULL;
        abdm_effect_audit(l->out, l->ev->hip_id, ids[i], "consent ended with the ABHA",
                          ABDM_NO_ERR, NULL);
        abdm_effect_consent(l->out, &tombstone);
    }
    free(ids);
    return err;
}


static abdm_err_t
end_sessions(leave_t *l, const char *discovery_id)
{
    abdm_row_link_session_t *rows = NULL;
    size_t n = 0;

    ABDM_TRY(abdm_row_link_session_find(l->ctx->view, ABDM_COL_link_session_discovery_id,
                                        l->ev->hip_id, discovery_id, ROWS_MAX, &rows, &n));
    for (size_t i = 0; i < n; i++) {
        abdm_effect_delete_link_session(l->out, &rows[i]);
    }
    abdm_row_link_session_free(rows, n);
    return ABDM_NO_ERR;
}


static abdm_err_t
end_discoveries(leave_t *l)
{
    abdm_row_discovery_t *rows = NULL;
    size_t n = 0;
    abdm_err_t err;

    err = abdm_row_discovery_find(l->ctx->view, ABDM_COL_discovery_abha_address, l->ev->hip_id,
                                  l->abha_address, ROWS_MAX, &rows, &n);
    for (size_t i = 0; i < n && !abdm_failed(err); i++) {
        err = end_sessions(l, rows[i].id);
        abdm_effect_delete_discovery(l->out, &rows[i]);
    }
    abdm_row_discovery_free(rows, n);
    return err;
}


static abdm_err_t
end_shares(leave_t *l)
{
    abdm_row_share_t *rows = NULL;
    size_t n = 0;

    ABDM_TRY(abdm_row_share_find(l->ctx->view, ABDM_COL_share_abha_address, l->ev->hip_id,
                                 l->abha_address, ROWS_MAX, &rows, &n));
    for (size_t i = 0; i < n; i++) {
        abdm_effect_delete_share(l->out, &rows[i]);
    }
    abdm_row_share_free(rows, n);
    return ABDM_NO_ERR;
}


static abdm_err_t
leave(leave_t *l, const char *status)
{
    abdm_row_opt_out_t row = {.hip_id = (char *) l->ev->hip_id,
                              .abha_address = (char *) l->abha_address,
                              .status = (char *) status, .at = l->ev->now};

    ABDM_TRY(forget_patients(l));
    ABDM_TRY(revoke_consents(l));
    ABDM_TRY(end_discoveries(l));
    ABDM_TRY(end_shares(l));
    forget_token(l);
    abdm_effect_put_opt_out(l->out, &row);
    return ABDM_NO_ERR;
}


static void
come_back(leave_t *l)
{
    abdm_row_opt_out_t key = {.hip_id = (char *) l->ev->hip_id,
                              .abha_address = (char *) l->abha_address};

    abdm_effect_delete_opt_out(l->out, &key);
}


/* --- the event --- */

static void
answer(const abdm_event_t *ev, const abdm_in_patient_status_t *notice, abdm_effects_t *out)
{
    abdm_buf_t body = {0};

    abdm_out_status_on_notify(&body, notice->request_id != NULL ? notice->request_id
                                                                : ev->request_id);
    abdm_flow_reply(out, ev, "", ABDM_PATH_STATUS_ON_NOTIFY, &body, "reply.sent");
}


static abdm_err_t
obey(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, const abdm_in_patient_status_t *notice,
     abdm_effects_t *out)
{
    static const char *const names[] = {
        [ABDM_PATIENT_ACTIVATED] = "ACTIVATED",
        [ABDM_PATIENT_DEACTIVATED] = "DEACTIVATED",
        [ABDM_PATIENT_DELETED] = "DELETED",
    };
    leave_t l = {.ctx = ctx, .ev = ev, .abha_address = notice->abha_address, .out = out};
    const char *name = names[notice->status];
    char stub[65];

    ABDM_TRY(abdm_seal_hash(ctx->key, "audit.abha_address", ev->hip_id,
                            abdm_str(notice->abha_address), stub));
    stub[STUB_DIGITS] = '\0';
    if (notice->status == ABDM_PATIENT_ACTIVATED) {
        come_back(&l);
    } else {
        ABDM_TRY(leave(&l, name));
    }
    abdm_effect_audit(out, ev->hip_id, stub, "patient's status in ABDM changed", ABDM_NO_ERR,
                      name);
    answer(ev, notice, out);
    return ABDM_NO_ERR;
}


abdm_err_t
abdm_flow_patient_status(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, abdm_effects_t *out)
{
    abdm_in_patient_status_t notice = {0};
    abdm_err_t err = parse(ev, &notice);

    if (!abdm_failed(err)) {
        err = obey(ctx, ev, &notice, out);
    } else if (err.code != ABDM_E_MEMORY) {
        abdm_effect_audit(out, ev->hip_id, "", "patient's status refused", err, NULL);
        abdm_flow_refuse_old(out, ev, ABDM_PATH_STATUS_ON_NOTIFY, err);
        err = ABDM_NO_ERR;
    }
    abdm_in_patient_status_clear(&notice);
    return err;
}
