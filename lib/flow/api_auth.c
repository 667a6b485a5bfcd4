/*
 * Authentication of a patient through the gateway, begun and confirmed by the hospital's software
 * (flow/auth.c has the rules).
 */
#include <string.h>

#include "flow/link.h"
#include "flow/turn.h"

enum { SECRET_MAX = 16 };


abdm_err_t
abdm_flow_api_auth(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, abdm_effects_t *out)
{
    char id[ABDM_UUID_TEXT] = "";
    const char *ref, *mode;
    abdm_turn_t t;
    abdm_err_t err;

    abdm_turn_begin(&t, ctx, ev, out, ABDM_API_OWN, ABDM_BODY_OBJECT);
    ref = abdm_api_reference(&t.in, "patientReference", true);
    mode = abdm_api_text(&t.in, "mode", ABDM_API_ID, false);
    err = abdm_turn_judged(&t);
    if (!abdm_failed(err)) {
        err = abdm_flow_auth_begin(ctx, ev, ref, mode, id, out);
    }
    if (err.code == ABDM_E_NOT_FOUND) {
        err = ABDM_ERR(NOT_FOUND, "patientReference: no patient of this facility has it");
    }
    abdm_jw_kv(&t.w, "id", id);
    return abdm_turn_end(&t, 202, err);
}


abdm_err_t
abdm_flow_api_auth_shown(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, abdm_effects_t *out)
{
    static const char *const states[] = {"ASKED", "WAITING", "CONFIRMING", "GRANTED", "FAILED"};
    abdm_row_auth_t row = {0};
    abdm_turn_t t;
    abdm_err_t err;

    abdm_turn_begin(&t, ctx, ev, out, ABDM_API_OWN, ABDM_BODY_NONE);
    err = abdm_link_row(ctx, ABDM_ROW_auth, ev->hip_id, ev->subject, &row);
    if (!abdm_failed(err)) {
        abdm_jw_kv(&t.w, "id", row.id);
        abdm_jw_kv(&t.w, "patientReference", row.patient_ref);
        abdm_turn_text(&t.w, "mode", row.mode);
        abdm_jw_kv(&t.w, "state", states[row.state]);
        abdm_turn_text(&t.w, "hint", row.hint);
        abdm_turn_reason(&t.w, row.reason);
        abdm_turn_time(&t.w, "createdAt", row.created_at);
        abdm_turn_time(&t.w, "expiresAt", row.expires_at);
    } else if (err.code == ABDM_E_NOT_FOUND) {
        err = ABDM_ERR(NOT_FOUND, "no authentication of this facility has this id");
    }
    abdm_row_auth_clear(&row);
    return abdm_turn_end(&t, 200, err);
}


/* The OTP, or the date of birth where the mode asks for that. */
static const char *
secret_of(abdm_turn_t *t)
{
    const char *otp = abdm_api_text(&t->in, "otp", SECRET_MAX, false);
    const char *birth_date = abdm_api_text(&t->in, "birthDate", SECRET_MAX, false);

    if (otp == NULL && birth_date == NULL) {
        abdm_api_blame(&t->in, "otp", ABDM_ERR(FIELD, "it is missing"));
    }
    return otp != NULL ? otp : birth_date;
}


abdm_err_t
abdm_flow_api_auth_confirm(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev,
                           abdm_effects_t *out)
{
    const char *secret;
    abdm_turn_t t;
    abdm_err_t err;

    abdm_turn_begin(&t, ctx, ev, out, ABDM_API_OWN, ABDM_BODY_OBJECT);
    secret = secret_of(&t);
    err = abdm_turn_judged(&t);
    if (!abdm_failed(err)) {
        err = abdm_flow_auth_confirm(ctx, ev, ev->subject, secret, out);
        abdm_wipe((char *) secret, strlen(secret));
    }
    if (err.code == ABDM_E_NOT_FOUND) {
        err = ABDM_ERR(NOT_FOUND, "no authentication of this facility has this id");
    }
    abdm_jw_kv(&t.w, "id", ev->subject);
    return abdm_turn_end(&t, 202, err);
}
