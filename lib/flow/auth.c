/*
 * A patient's authentication through the gateway (v0.5, gateway protocol 5.3): begun by the
 * hospital, confirmed by an OTP, by the patient's data or in the patient's app. It ends in a token
 * with which care contexts are linked as with any other. OTPs are nowhere but in the sealed body of
 * the call that carries them.
 */
#include <stdlib.h>
#include <string.h>

#include "core/id.h"
#include "core/json.h"
#include "flow/link.h"
#include "flow/linking.h"
#include "gateway/outbound.h"
#include "gateway/outbound_link.h"

#define LIFE     (10 * ABDM_LINK_MINUTE) /* unless the gateway tells another */
#define LIFE_MAX ABDM_LINK_HOUR
#define KEEP     (7 * ABDM_LINK_DAY)
#define PURPOSE  "KYC_AND_LINK"

/* In the order of preference when the hospital leaves the choice to us. */
static const char *const modes[] = {"MOBILE_OTP", "AADHAAR_OTP", "DIRECT", "DEMOGRAPHICS"};

enum { MODES = sizeof(modes) / sizeof(modes[0]), CHOSEN = 3 /* of them without a person's data */ };


static bool
is_over(const abdm_row_auth_t *auth)
{
    return auth->state == ABDM_AUTH_GRANTED || auth->state == ABDM_AUTH_FAILED;
}


static void
fail(const abdm_event_t *ev, abdm_row_auth_t *auth, abdm_err_t why, const char *reason,
     abdm_effects_t *out)
{
    auth->state = ABDM_AUTH_FAILED;
    abdm_link_set(out, &auth->reason, reason);
    abdm_effect_put_auth(out, auth);
    abdm_effect_audit(out, ev->hip_id, auth->id, "authentication failed", why, reason);
}


/* The OTP of a body is wiped with it. */
static void
call(const abdm_event_t *ev, const abdm_row_auth_t *auth, const char *path, abdm_buf_t *body,
     abdm_effects_t *out)
{
    abdm_link_call_t how = {
        .event = "auth.sent",
        .subject = auth->id,
        .path = path,
        .deadline_at = auth->expires_at,
        .awaited = true,
    };

    abdm_link_send(out, ev, &how, body);
}


/* Tells the gateway the mode, or asks for those there are when there is none yet. */
static void
begin(const abdm_event_t *ev, const abdm_row_auth_t *auth, const char *abha_address,
      abdm_effects_t *out)
{
    abdm_buf_t body = {0};

    if (auth->mode == NULL) {
        abdm_out_auth_modes(&body, abha_address, PURPOSE, ev->hip_id);
        call(ev, auth, ABDM_PATH_AUTH_MODES, &body, out);
    } else {
        abdm_out_auth_init(&body, abha_address, PURPOSE, auth->mode, ev->hip_id);
        call(ev, auth, ABDM_PATH_AUTH_INIT, &body, out);
    }
}


static bool
is_mode(const char *mode)
{
    for (size_t i = 0; i < MODES; i++) {
        if (strcmp(modes[i], mode) == 0) {
            return true;
        }
    }
    return false;
}


abdm_err_t
abdm_flow_auth_begin(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, const char *patient_ref,
                     const char *mode, char id[ABDM_UUID_TEXT], abdm_effects_t *out)
{
    abdm_row_patient_t patient = {0};
    abdm_row_auth_t auth = {
        .hip_id = (char *) ev->hip_id,
        .id = id,
        .patient_ref = (char *) patient_ref,
        .mode = (char *) mode,
        .state = ABDM_AUTH_ASKED,
        .created_at = ev->now,
        .expires_at = ev->now + LIFE,
        .keep_until = ev->now + KEEP,
    };
    bool opted_out = false;
    abdm_err_t err;

    if (mode != NULL && !is_mode(mode)) {
        return ABDM_ERR(FIELD, "mode: MOBILE_OTP, AADHAAR_OTP, DIRECT or DEMOGRAPHICS");
    }
    ABDM_TRY(abdm_link_row(ctx, ABDM_ROW_patient, ev->hip_id, patient_ref, &patient));
    if (patient.abha_address == NULL) {
        err = ABDM_ERR(ABHA_NONE, "no ABHA address is known of the patient");
    } else {
        err = abdm_opted_out(ctx, ev->hip_id, patient.abha_address, &opted_out);
    }
    if (!abdm_failed(err) && opted_out) {
        err = ABDM_ERR(OPTED_OUT, "the holder of the ABHA has left ABDM");
    }
    if (!abdm_failed(err)) {
        err = abdm_uuid4(id);
    }
    if (!abdm_failed(err)) {
        abdm_effect_put_auth(out, &auth);
        begin(ev, &auth, patient.abha_address, out);
        abdm_link_moment(out, ev, "auth.over", id, 0, auth.expires_at);
        abdm_effect_audit(out, ev->hip_id, id, "authentication begun", ABDM_NO_ERR, mode);
    }
    abdm_row_patient_clear(&patient);
    return err;
}


static void
confirm_by(const abdm_row_patient_t *patient, const abdm_row_auth_t *auth, const char *secret,
           abdm_buf_t *body)
{
    if (strcmp(auth->mode, "DEMOGRAPHICS") == 0) {
        abdm_out_auth_confirm_person(body, auth->transaction_id, patient->name, patient->gender,
                                     secret);
    } else {
        abdm_out_auth_confirm(body, auth->transaction_id, secret);
    }
}


abdm_err_t
abdm_flow_auth_confirm(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, const char *id,
                       const char *secret, abdm_effects_t *out)
{
    abdm_row_patient_t patient = {0};
    abdm_row_auth_t auth = {0};
    abdm_buf_t body = {0};
    abdm_err_t err;

    ABDM_TRY(abdm_link_row(ctx, ABDM_ROW_auth, ev->hip_id, id, &auth));
    err = abdm_link_row(ctx, ABDM_ROW_patient, ev->hip_id, auth.patient_ref, &patient);
    if (abdm_failed(err)) {
        /* the patient has left */
    } else if (auth.state != ABDM_AUTH_WAITING || auth.transaction_id == NULL) {
        err = ABDM_ERR(CONFLICT, "the authentication does not wait for this now");
    } else if (auth.expires_at <= ev->now) {
        err = ABDM_ERR(OTP_EXPIRED, "the authentication is past its time");
    } else if (strcmp(auth.mode, "DIRECT") == 0) {
        err = ABDM_ERR(CONFLICT, "the patient confirms it in the app");
    } else if (strcmp(auth.mode, "DEMOGRAPHICS") == 0
               && (patient.name == NULL || patient.gender == NULL)) {
        err = ABDM_ERR(FIELD, "name and gender of the patient are not known");
    } else {
        confirm_by(&patient, &auth, secret, &body);
        auth.state = ABDM_AUTH_CONFIRMING;
        abdm_effect_put_auth(out, &auth);
        call(ev, &auth, ABDM_PATH_AUTH_CONFIRM, &body, out);
    }
    abdm_row_patient_clear(&patient);
    abdm_row_auth_clear(&auth);
    return err;
}


/* --- what the gateway says --- */

/* The authentication of a subject that is not over; else *auth is clear. */
static abdm_err_t
load(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, const char *id, abdm_row_auth_t *auth)
{
    abdm_err_t err = abdm_link_row(ctx, ABDM_ROW_auth, ev->hip_id, id, auth);

    if (!abdm_failed(err) && is_over(auth)) {
        abdm_row_auth_clear(auth);
    }
    return err.code == ABDM_E_NOT_FOUND ? ABDM_NO_ERR : err;
}


abdm_err_t
abdm_flow_auth_sent(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, abdm_effects_t *out)
{
    const abdm_result_t *result = ev->result;
    abdm_row_auth_t auth = {0};

    if (!abdm_failed(result->err)) {
        return ABDM_NO_ERR; /* its callback says the rest */
    }
    ABDM_TRY(load(ctx, ev, ev->subject, &auth));
    if (auth.id != NULL) {
        fail(ev, &auth, result->err, abdm_link_reason(result->err, result->code), out);
    }
    abdm_row_auth_clear(&auth);
    return ABDM_NO_ERR;
}


abdm_err_t
abdm_flow_auth_over(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, abdm_effects_t *out)
{
    abdm_row_auth_t auth = {0};

    ABDM_TRY(load(ctx, ev, ev->subject, &auth));
    if (auth.id != NULL && auth.expires_at > ev->now) {
        abdm_link_moment(out, ev, "auth.over", auth.id, 0, auth.expires_at); /* it got longer */
    } else if (auth.id != NULL) {
        fail(ev, &auth, ABDM_ERR(OTP_EXPIRED, "nothing came in time"), "E_OTP_EXPIRED", out);
    }
    abdm_row_auth_clear(&auth);
    return ABDM_NO_ERR;
}


/* Reads an on-* callback of `path` for an authentication in `state`; *auth is clear when it is
 * refused or was answered before. */
static abdm_err_t
answered(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, const char *path, abdm_err_t err,
         const abdm_in_outcome_t *outcome, abdm_auth_state_t state, abdm_row_auth_t *auth,
         abdm_effects_t *out)
{
    char *id = NULL;

    err = abdm_link_answered(ctx, ev, path, err, outcome->request_id,
                             "authentication answer refused", &id, out);
    if (!abdm_failed(err) && id != NULL) {
        err = load(ctx, ev, id, auth);
        if (!abdm_failed(err) && (auth->id == NULL || auth->state != (int64_t) state)) {
            abdm_row_auth_clear(auth);
            abdm_effect_audit(out, ev->hip_id, id, "authentication answer repeated", ABDM_NO_ERR,
                              NULL);
        }
    }
    free(id);
    if (auth->id != NULL && outcome->failed) {
        fail(ev, auth, ABDM_ERR(LINK_REFUSED, "see the detail"),
             abdm_link_reason(ABDM_ERR(LINK_REFUSED, ""), outcome->code), out);
        abdm_row_auth_clear(auth);
    }
    return err;
}


static bool
offers(const char *list, const char *mode)
{
    size_t len = strlen(mode);

    for (const char *at = list; (at = strstr(at, mode)) != NULL; at += len) {
        if ((at == list || at[-1] == ' ') && (at[len] == ' ' || at[len] == '\0')) {
            return true;
        }
    }
    return false;
}


/* Goes on with the first mode that needs nothing which we may not have. */
static abdm_err_t
choose(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, const char *offered,
       abdm_row_auth_t *auth, abdm_effects_t *out)
{
    abdm_row_patient_t patient = {0};
    abdm_err_t err = abdm_link_row(ctx, ABDM_ROW_patient, ev->hip_id, auth->patient_ref,
                                   &patient);

    if (err.code != ABDM_E_NOT_FOUND) {
        ABDM_TRY(err);
    }
    for (size_t i = 0; i < CHOSEN && auth->mode == NULL; i++) {
        if (offers(offered, modes[i])) {
            abdm_link_set(out, &auth->mode, modes[i]);
        }
    }
    if (patient.abha_address == NULL) {
        fail(ev, auth, ABDM_ERR(ABHA_NONE, "the patient has no ABHA any more"), "E_ABHA_NONE",
             out);
    } else if (auth->mode == NULL) {
        fail(ev, auth, ABDM_ERR(LINK_REFUSED, "no usable mode of authentication"),
             "E_LINK_REFUSED", out);
    } else {
        abdm_effect_put_auth(out, auth);
        begin(ev, auth, patient.abha_address, out);
    }
    abdm_row_patient_clear(&patient);
    return ABDM_NO_ERR;
}


abdm_err_t
abdm_flow_auth_modes(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, abdm_effects_t *out)
{
    abdm_row_auth_t auth = {0};
    abdm_in_auth_t in = {0};
    json_t *body = NULL;
    abdm_err_t err = abdm_link_json(ev, &body);

    if (!abdm_failed(err)) {
        err = abdm_in_auth_modes(body, &in);
    }
    json_decref(body);
    err = answered(ctx, ev, ABDM_PATH_AUTH_MODES, err, &in.outcome, ABDM_AUTH_ASKED, &auth, out);
    if (!abdm_failed(err) && auth.id != NULL && auth.mode == NULL) {
        err = choose(ctx, ev, in.modes, &auth, out);
    }
    abdm_row_auth_clear(&auth);
    abdm_in_auth_clear(&in);
    return err;
}


abdm_err_t
abdm_flow_auth_begun(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, abdm_effects_t *out)
{
    abdm_row_auth_t auth = {0};
    abdm_in_auth_t in = {0};
    json_t *body = NULL;
    abdm_err_t err = abdm_link_json(ev, &body);

    if (!abdm_failed(err)) {
        err = abdm_in_auth_begun(body, &in);
    }
    json_decref(body);
    if (!abdm_failed(err) && !in.outcome.failed && in.transaction_id == NULL) {
        err = ABDM_ERR(FIELD, "auth.transactionId is missing");
    }
    err = answered(ctx, ev, ABDM_PATH_AUTH_INIT, err, &in.outcome, ABDM_AUTH_ASKED, &auth, out);
    if (!abdm_failed(err) && auth.id != NULL) {
        abdm_ms_t latest = ev->now + LIFE_MAX;

        auth.state = ABDM_AUTH_WAITING;
        abdm_link_set(out, &auth.transaction_id, in.transaction_id);
        abdm_link_set(out, &auth.hint, in.hint);
        if (in.expires_at > ev->now) {
            auth.expires_at = in.expires_at < latest ? in.expires_at : latest;
        }
        abdm_effect_put_auth(out, &auth);
        abdm_effect_audit(out, ev->hip_id, auth.id, "authentication waits for the patient",
                          ABDM_NO_ERR, NULL);
    }
    abdm_row_auth_clear(&auth);
    abdm_in_auth_clear(&in);
    return err;
}


/* The patient agreed: the token is the link token of the patient's ABHA. */
static abdm_err_t
grant(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, const abdm_in_token_t *in,
      abdm_row_auth_t *auth, abdm_effects_t *out)
{
    abdm_row_link_token_t token = {0};
    abdm_row_patient_t patient = {0};
    abdm_err_t err;

    err = abdm_link_row(ctx, ABDM_ROW_patient, ev->hip_id, auth->patient_ref, &patient);
    if (err.code == ABDM_E_NOT_FOUND || (!abdm_failed(err) && patient.abha_address == NULL)) {
        fail(ev, auth, ABDM_ERR(ABHA_NONE, "the patient has no ABHA any more"), "E_ABHA_NONE",
             out);
        err = ABDM_NO_ERR;
    } else if (!abdm_failed(err)
               && (in->token == NULL
                   || (in->abha_address != NULL
                       && strcmp(in->abha_address, patient.abha_address) != 0))) {
        fail(ev, auth, ABDM_ERR(FIELD, "auth: no token, or of another patient"), "E_FIELD", out);
    } else if (!abdm_failed(err)) {
        err = abdm_link_token(ctx, ev, patient.abha_address, &token);
        if (!abdm_failed(err)) {
            auth->state = ABDM_AUTH_GRANTED;
            abdm_effect_put_auth(out, auth);
            abdm_link_token_keep(ev, &token, in->token, in->expires_at, out);
            abdm_effect_audit(out, ev->hip_id, auth->id, "authentication granted", ABDM_NO_ERR,
                              NULL);
            abdm_flow_link_due(out, ev, patient.ref, ev->now);
        }
    }
    abdm_row_link_token_clear(&token);
    abdm_row_patient_clear(&patient);
    return err;
}


abdm_err_t
abdm_flow_auth_confirmed(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, abdm_effects_t *out)
{
    abdm_row_auth_t auth = {0};
    abdm_in_token_t in = {0};
    json_t *body = NULL;
    abdm_err_t err = abdm_link_json(ev, &body);

    if (!abdm_failed(err)) {
        err = abdm_in_auth_confirmed(body, &in);
    }
    json_decref(body);
    err = answered(ctx, ev, ABDM_PATH_AUTH_CONFIRM, err, &in.outcome, ABDM_AUTH_CONFIRMING, &auth,
                   out);
    if (!abdm_failed(err) && auth.id != NULL) {
        err = grant(ctx, ev, &in, &auth, out);
    }
    abdm_row_auth_clear(&auth);
    abdm_in_token_clear(&in);
    return err;
}


/* The DIRECT authentication that a notice is about; *auth is clear when there is none that
 * waits, and *why tells it. */
static abdm_err_t
noticed(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, const char *transaction_id,
        abdm_row_auth_t *auth, abdm_err_t *why)
{
    abdm_row_auth_t *rows = NULL;
    size_t n = 0;
    abdm_err_t err;

    *why = ABDM_ERR(ANSWER_UNKNOWN, "auth.transactionId is of no authentication here");
    err = abdm_row_auth_find(ctx->view, ABDM_COL_auth_transaction_id, ev->hip_id, transaction_id,
                             1, &rows, &n);
    if (!abdm_failed(err) && n > 0) {
        *why = ABDM_NO_ERR;
        if (rows[0].state == ABDM_AUTH_WAITING) {
            *auth = rows[0];
            memset(&rows[0], 0, sizeof(rows[0]));
        }
    }
    abdm_row_auth_free(rows, n);
    return err;
}


abdm_err_t
abdm_flow_auth_notified(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, abdm_effects_t *out)
{
    abdm_row_auth_t auth = {0};
    abdm_in_token_t in = {0};
    abdm_buf_t answer = {0};
    json_t *body = NULL;
    abdm_err_t err, why;

    why = abdm_link_json(ev, &body);
    if (!abdm_failed(why)) {
        why = abdm_in_auth_notified(body, &in);
    }
    json_decref(body);
    if (!abdm_failed(why) && in.transaction_id == NULL) {
        why = ABDM_ERR(FIELD, "auth.transactionId is missing");
    }
    err = why.code == ABDM_E_MEMORY ? why : ABDM_NO_ERR;
    if (!abdm_failed(why)) {
        err = noticed(ctx, ev, in.transaction_id, &auth, &why);
    }
    if (!abdm_failed(err) && auth.id != NULL) {
        if (in.denied || in.outcome.failed) {
            fail(ev, &auth, ABDM_ERR(LINK_REFUSED, "by the patient"), "DENIED", out);
        } else {
            err = grant(ctx, ev, &in, &auth, out);
        }
    }
    if (abdm_failed(err)) {
        /* it comes again */
    } else if (abdm_failed(why)) {
        abdm_effect_audit(out, ev->hip_id, ev->request_id, "authentication notice refused", why,
                          NULL);
        abdm_flow_refuse_old(out, ev, ABDM_PATH_AUTH_ON_NOTIFY, why);
    } else {
        abdm_out_auth_on_notify(&answer, ev->request_id);
        abdm_flow_reply(out, ev, "", ABDM_PATH_AUTH_ON_NOTIFY, &answer, "reply.sent");
    }
    abdm_row_auth_clear(&auth);
    abdm_in_token_clear(&in);
    return err;
}
