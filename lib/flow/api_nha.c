/*
 * The calls of an HMIS that was written for NHA's wrapper: the same work as behind our own, with
 * the members, the words of status and the answers of that one.
 */
#include <stdlib.h>
#include <string.h>

#include "flow/link.h"
#include "flow/linking.h"
#include "flow/patient.h"
#include "flow/turn.h"

/* Clients compare these words. */
#define WAITING  "Request is being initiated"
#define SENT     "Add Care Context request accepted by gateway"
#define LINKED   "Care Context(s) were linked"
#define REFUSED  "Error thrown by Gateway for HIP Initiated link add care context"
#define SMS_SENT "DeepLinking request has been accepted by gateway"
#define SMS_FAIL "Error thrown by Gateway for DeepLinking SMS request"


static void
write_accepted(abdm_turn_t *t, const char *id, const char *message)
{
    abdm_turn_text(&t->w, "clientRequestId", id);
    abdm_jw_kv(&t->w, "httpStatusCode", abdm_api_status_name(202));
    abdm_jw_kv(&t->w, "message", message);
}


/* The patient in the body; must be known, as by add-patients before. */
static abdm_err_t
patient_of(abdm_turn_t *t, abdm_row_patient_t *row)
{
    const char *text = abdm_api_text(&t->in, "abhaAddress", ABDM_ABHA_ADDRESS_BYTES, true);
    char *address = NULL;
    abdm_err_t err;

    ABDM_TRY(abdm_turn_judged(t));
    if (!abdm_abha_address_normal(abdm_str(text), &address)) {
        abdm_api_blame(&t->in, "abhaAddress", ABDM_ERR(FIELD, "it has not the form of an ABHA"));
        return abdm_turn_judged(t);
    }
    err = address == NULL
              ? ABDM_ERR(MEMORY, "body")
              : abdm_patient_holder(t->ctx, t->ev->hip_id, address, NULL, row);
    if (err.code == ABDM_E_NOT_FOUND) {
        err = ABDM_ERR(NOT_FOUND, "abhaAddress: no patient of this facility has it");
    }
    free(address);
    return err;
}


abdm_err_t
abdm_flow_nha_link(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, abdm_effects_t *out)
{
    abdm_row_context_t *told = NULL;
    abdm_row_patient_t patient = {0};
    const char *request_id;
    bool left = false;
    char *id = NULL;
    size_t n = 0;
    abdm_turn_t t;
    abdm_err_t err;

    abdm_turn_begin(&t, ctx, ev, out, ABDM_API_NHA, ABDM_BODY_OBJECT);
    request_id = abdm_api_id(&t.in, "requestId", true);
    abdm_api_contexts(&t.in, "careContexts", t.flavour, &told, &n);
    err = patient_of(&t, &patient);
    if (!abdm_failed(err)) {
        err = abdm_opted_out(ctx, ev->hip_id, patient.abha_address, &left);
    }
    if (!abdm_failed(err) && left) {
        err = ABDM_ERR(OPTED_OUT, "abhaAddress: its holder has left ABDM");
    }
    if (!abdm_failed(err)) {
        err = abdm_turn_contexts(&t, &patient, told, n, request_id, &id);
    }
    if (!abdm_failed(err)) {
        write_accepted(&t, id, WAITING);
    }
    free(id);
    abdm_row_context_free(told, n);
    abdm_row_patient_clear(&patient);
    return abdm_turn_end(&t, 202, err);
}


static void
write_failure(abdm_jw_t *w, const abdm_row_request_t *row)
{
    const char *reason = row->reason != NULL ? row->reason : "E_LINK_REFUSED";
    size_t n = strcspn(reason, " ");
    char *code = abdm_str_dup((abdm_str_t){reason, n});

    abdm_jw_key(w, "errors");
    abdm_jw_open(w, '[');
    abdm_jw_open(w, '{');
    abdm_jw_key(w, "error");
    abdm_jw_open(w, '{');
    abdm_turn_text(w, "code", code);
    abdm_jw_kv(w, "message", reason[n] == ' ' ? reason + n + 1 : reason);
    abdm_jw_close(w, '}');
    abdm_jw_close(w, '}');
    abdm_jw_close(w, ']');
    free(code);
}


/* *status is that of the answer: the wrapper's is 400 for a request that failed. */
static abdm_err_t
write_status(abdm_turn_t *t, const abdm_row_request_t *row, int *status)
{
    bool sms = strcmp(row->what, "sms") == 0, pending;
    abdm_request_state_t state;
    const char *word;

    ABDM_TRY(abdm_turn_progress(t, row, &state, &pending));
    switch (state) {
    case ABDM_REQUEST_DONE:
        word = sms ? SMS_SENT : LINKED;
        break;
    case ABDM_REQUEST_FAILED:
        word = sms ? SMS_FAIL : REFUSED;
        break;
    default:
        word = sms ? SMS_SENT : pending ? SENT : WAITING;
        break;
    }
    abdm_jw_kv(&t->w, "requestId", row->id);
    abdm_jw_kv(&t->w, "status", word);
    if (state == ABDM_REQUEST_FAILED) {
        write_failure(&t->w, row);
        *status = 400;
    }
    return ABDM_NO_ERR;
}


abdm_err_t
abdm_flow_nha_link_status(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, abdm_effects_t *out)
{
    abdm_row_request_t row = {0};
    int status = 202;
    abdm_turn_t t;
    abdm_err_t err;

    abdm_turn_begin(&t, ctx, ev, out, ABDM_API_NHA, ABDM_BODY_NONE);
    err = abdm_link_row(ctx, ABDM_ROW_request, ev->hip_id, ev->subject, &row);
    if (!abdm_failed(err)) {
        err = write_status(&t, &row, &status);
    } else if (err.code == ABDM_E_NOT_FOUND) {
        err = ABDM_ERR(NOT_FOUND, "no request of this facility has this id");
    }
    abdm_row_request_clear(&row);
    return abdm_turn_end(&t, status, err);
}


static abdm_err_t
mobile_of(abdm_turn_t *t, char out[ABDM_MOBILE_TEXT])
{
    abdm_api_in_t in = abdm_api_object(&t->in, "notification");
    const char *text = abdm_api_text(&in, "phoneNo", ABDM_API_ID, true);

    if (text != NULL && !abdm_mobile_digits(abdm_str(text), out)) {
        abdm_api_blame(&in, "phoneNo", ABDM_ERR(FIELD, "a mobile number is expected"));
    }
    return abdm_turn_judged(t);
}


abdm_err_t
abdm_flow_nha_sms(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, abdm_effects_t *out)
{
    char mobile[ABDM_MOBILE_TEXT] = "";
    const char *request_id;
    char *id = NULL;
    abdm_turn_t t;
    abdm_err_t err;

    abdm_turn_begin(&t, ctx, ev, out, ABDM_API_NHA, ABDM_BODY_OBJECT);
    request_id = abdm_api_id(&t.in, "requestId", false);
    err = mobile_of(&t, mobile);
    if (!abdm_failed(err)) {
        err = abdm_turn_sms(&t, mobile, NULL, request_id, &id);
    }
    if (!abdm_failed(err)) {
        write_accepted(&t, id, SMS_SENT);
    }
    abdm_wipe(mobile, sizeof(mobile));
    free(id);
    return abdm_turn_end(&t, 202, err);
}
