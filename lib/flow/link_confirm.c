/*
 * A patient confirms a link by its OTP (gateway protocol 3.8): nothing is linked before the OTP was
 * right, and what is linked are the contexts that the link was begun with. A try counts before
 * its outcome is known.
 */
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "flow/link.h"
#include "flow/linking.h"
#include "flow/patient.h"
#include "gateway/outbound.h"

enum {
    VERIFY_DEADLINE = 20 * 1000,
    LINKED_KEEP = 2 * ABDM_LINKING_KEEP /* longer than the answer is tried */
};

/* What every step works on. */
typedef struct {
    const abdm_flow_ctx_t *ctx;
    const abdm_event_t *ev;
    abdm_effects_t *out;
    abdm_row_link_session_t session;
    abdm_row_discovery_t discovery;
    json_t *patient; /* the discovery's */
    abdm_offer_t chosen; /* of what it offered */
} step_t;


static void
clear(step_t *s)
{
    abdm_row_link_session_clear(&s->session);
    abdm_row_discovery_clear(&s->discovery);
    json_decref(s->patient);
    abdm_offer_clear(&s->chosen);
}


static void
audit(step_t *s, const char *what, abdm_err_t outcome, const char *detail)
{
    abdm_effect_audit(s->out, s->ev->hip_id, s->session.id != NULL ? s->session.id : "", what,
                      outcome, detail);
}


static void
refuse(step_t *s, const char *request_id, abdm_err_t why)
{
    abdm_buf_t body = {0};

    audit(s, "link not confirmed", why, NULL);
    if (why.code == ABDM_E_OPTED_OUT) {
        why = ABDM_ERR(LINK_UNKNOWN, ""); /* who has left is nobody's business */
    }
    abdm_out_error(&body, why, request_id);
    abdm_flow_reply(s->out, s->ev, s->session.id != NULL ? s->session.id : "",
                    ABDM_PATH_LINK_ON_CONFIRM, &body, "reply.sent");
}


/* What was linked. Its result raises `event`. */
static void
answer(step_t *s, const char *request_id, const char *event)
{
    const char *name = abdm_json_string_at(s->patient, "name");
    abdm_buf_t body = {0};

    abdm_out_link_on_confirm(&body, s->discovery.patient_ref,
                             name != NULL ? name : abdm_json_string_at(s->patient, "asked.name"),
                             s->chosen.item, s->chosen.n, request_id);
    abdm_flow_reply(s->out, s->ev, s->session.id, ABDM_PATH_LINK_ON_CONFIRM, &body, event);
}


/* --- rows --- */

/* E_NOT_FOUND when it is forgotten. */
static abdm_err_t
load_session(step_t *s, const char *id)
{
    if (!abdm_row_text(&s->session.hip_id, s->ev->hip_id) || !abdm_row_text(&s->session.id, id)) {
        return ABDM_ERR(MEMORY, "link");
    }
    return abdm_row_link_session_get(s->ctx->view, &s->session);
}


/* The discovery of the session, and of its offer what was chosen. */
static abdm_err_t
load_discovery(step_t *s)
{
    json_t *references = NULL, *reference;
    abdm_offer_t offer = {0};
    abdm_err_t err;
    size_t i;

    if (!abdm_row_text(&s->discovery.hip_id, s->ev->hip_id)
        || !abdm_row_text(&s->discovery.id, s->session.discovery_id)) {
        return ABDM_ERR(MEMORY, "discovery");
    }
    ABDM_TRY(abdm_row_discovery_get(s->ctx->view, &s->discovery));
    if (s->discovery.state != ABDM_DISCOVERY_OFFERED || s->discovery.patient == NULL
        || s->discovery.patient_ref == NULL || s->discovery.abha_address == NULL) {
        return ABDM_ERR(NOT_FOUND, "discovery");
    }
    ABDM_TRY(abdm_json_parse(s->discovery.patient, strlen(s->discovery.patient), ABDM_JSON_DEPTH,
                             &s->patient));
    ABDM_TRY(abdm_offer_read(s->discovery.offered, &offer));
    err = abdm_json_parse(s->session.contexts, strlen(s->session.contexts), ABDM_JSON_DEPTH,
                          &references);
    s->chosen.list = json_incref(offer.list);
    json_array_foreach(references, i, reference) {
        const abdm_out_context_t *item = abdm_offer_find(&offer, json_string_value(reference));

        if (item != NULL) {
            s->chosen.item[s->chosen.n++] = *item;
        }
    }
    json_decref(references);
    abdm_offer_clear(&offer);
    return err;
}


/* --- linking --- */

/* The patient's row, with the ABHA: name, gender and year are kept as ABDM has them, since its
 * later calls compare with these. *why is what speaks against it. */
static abdm_err_t
bind_patient(step_t *s, abdm_row_patient_t *row, abdm_err_t *why)
{
    const json_t *asked = json_object_get(s->patient, "asked");
    abdm_row_patient_t told = {
        .hip_id = s->discovery.hip_id,
        .ref = s->discovery.patient_ref,
        .abha_address = s->discovery.abha_address,
        .abha_number = s->discovery.abha_number,
        .name = (char *) abdm_json_string_at(asked, "name"),
        .gender = (char *) abdm_json_string_at(asked, "gender"),
        .mobile = s->discovery.mobile,
        .year_of_birth = json_integer_value(json_object_get(asked, "yearOfBirth")),
    };
    abdm_err_t err = abdm_patient_bind(s->ctx, s->ev, &told, row);

    *why = ABDM_NO_ERR;
    if (err.code == ABDM_E_ABHA_TAKEN || err.code == ABDM_E_OPTED_OUT) {
        *why = err;
        err = ABDM_NO_ERR;
    }
    return err;
}


/* A context as it was offered. */
static const json_t *
offered(const step_t *s, const char *reference)
{
    json_t *context;
    size_t i;

    json_array_foreach(s->chosen.list, i, context) {
        if (strcmp(json_string_value(json_object_get(context, "reference")), reference) == 0) {
            return context;
        }
    }
    return NULL;
}


static abdm_err_t
put_context(step_t *s, const abdm_out_context_t *context)
{
    const json_t *told = offered(s, context->reference);
    const char *date = abdm_json_string_at(told, "date");
    abdm_row_context_t row = {0};
    abdm_err_t err;
    bool ok;

    err = abdm_link_row(s->ctx, ABDM_ROW_context, s->ev->hip_id, context->reference, &row);
    if (abdm_failed(err) && err.code != ABDM_E_NOT_FOUND) {
        return err;
    }
    ok = abdm_row_text(&row.patient_ref, s->discovery.patient_ref)
         && abdm_row_text(&row.display, context->display) && abdm_row_text(&row.reason, NULL);
    if (abdm_failed(err)) {
        row.created_at = s->ev->now;
        ok = ok && abdm_row_text(&row.hip_id, s->ev->hip_id)
             && abdm_row_text(&row.ref, context->reference)
             && abdm_row_text(&row.version, abdm_json_string_at(told, "version"));
        if (date != NULL) {
            (void) abdm_time_parse(abdm_str(date), &row.date); /* or it stays 0 */
        }
    }
    row.hi_types |= context->hi_types;
    row.notified_types = context->hi_types;
    row.state = ABDM_LINK_LINKED;
    row.linked_at = s->ev->now;
    if (ok) {
        abdm_effect_put_context(s->out, &row);
    }
    abdm_row_context_clear(&row);
    return ok ? ABDM_NO_ERR : ABDM_ERR(MEMORY, "care context");
}


/* The OTP was right. */
static abdm_err_t
link_all(step_t *s, const char *request_id)
{
    abdm_row_patient_t patient = {0};
    abdm_err_t err, why;
    char detail[32];

    err = bind_patient(s, &patient, &why);
    if (!abdm_failed(err) && abdm_failed(why)) {
        s->session.state = ABDM_SESSION_FAILED;
        abdm_effect_put_link_session(s->out, &s->session);
        refuse(s, request_id, why);
    } else if (!abdm_failed(err)) {
        abdm_effect_put_patient(s->out, &patient);
        for (size_t i = 0; i < s->chosen.n && !abdm_failed(err); i++) {
            err = put_context(s, &s->chosen.item[i]);
        }
        s->session.state = ABDM_SESSION_LINKED;
        s->session.keep_until = s->ev->now + LINKED_KEEP;
        s->discovery.keep_until = s->session.keep_until;
        abdm_effect_put_link_session(s->out, &s->session);
        abdm_effect_put_discovery(s->out, &s->discovery);
        snprintf(detail, sizeof(detail), "care contexts: %zu", s->chosen.n);
        audit(s, "care contexts linked", ABDM_NO_ERR, detail);
        answer(s, request_id, "link.confirmed");
    }
    abdm_row_patient_clear(&patient);
    return err;
}


/* --- the OTP --- */

/* The try, counted already, was wrong. */
static void
wrong(step_t *s, const char *request_id)
{
    bool last = s->session.tries >= ABDM_OTP_TRIES;

    if (last) {
        s->session.state = ABDM_SESSION_LOCKED;
    }
    abdm_effect_put_link_session(s->out, &s->session);
    refuse(s, request_id, last ? ABDM_ERR(OTP_LOCKED, "") : ABDM_ERR(OTP_WRONG, ""));
}


/* The HMIS, which sent the OTP, is asked whether it is right. One at a time. */
static abdm_err_t
ask_hmis(step_t *s, const char *otp, const char *hash)
{
    json_t *vars, *confirm;
    bool ok;

    if (s->session.confirm != NULL) {
        wrong(s, s->ev->request_id);
        return ABDM_NO_ERR;
    }
    confirm = json_pack("{s:s, s:s}", "requestId", s->ev->request_id, "hash", hash);
    ok = abdm_row_json(&s->session.confirm, confirm);
    json_decref(confirm);
    if (!ok) {
        return ABDM_ERR(MEMORY, "link");
    }
    abdm_effect_put_link_session(s->out, &s->session);
    vars = json_pack("{s:s, s:s, s:s*, s:s}", "hipId", s->ev->hip_id, "patientRef",
                     s->discovery.patient_ref, "reference", s->session.hmis_otp, "otp", otp);
    abdm_flow_ask(s->out, s->ev, s->session.id, ABDM_HMIS_VERIFY_OTP, 0, vars,
                  s->ev->now + VERIFY_DEADLINE, "link.otp_verified");
    json_decref(vars);
    return ABDM_NO_ERR;
}


/* A link that is made answers its own OTP again, and no other, as often as it could be tried. */
static abdm_err_t
repeat(step_t *s, bool right)
{
    if (!right || s->session.tries > ABDM_OTP_TRIES) {
        s->session.tries++;
        abdm_effect_put_link_session(s->out, &s->session);
        refuse(s, s->ev->request_id, ABDM_ERR(LINK_UNKNOWN, "it is made already"));
        return ABDM_NO_ERR;
    }
    audit(s, "link confirmed again", ABDM_NO_ERR, NULL);
    answer(s, s->ev->request_id, "reply.sent");
    return ABDM_NO_ERR;
}


/* Is the link over, or not yet to be confirmed? */
static abdm_err_t
judge(const step_t *s)
{
    const abdm_row_link_session_t *session = &s->session;
    abdm_ms_t left = session->expires_at - s->ev->now;

    switch (session->state) {
    case ABDM_SESSION_LINKED:
        return ABDM_NO_ERR;
    case ABDM_SESSION_LOCKED:
        return ABDM_ERR(OTP_LOCKED, "");
    case ABDM_SESSION_SENT:
        /* more left than there ever was: the clock was set back */
        return left <= 0 || left > s->ctx->facility->otp_life ? ABDM_ERR(OTP_EXPIRED, "")
                                                               : ABDM_NO_ERR;
    default:
        return ABDM_ERR(LINK_UNKNOWN, "no OTP of it is out");
    }
}


static abdm_err_t
decide(step_t *s, const abdm_in_link_confirm_t *in)
{
    abdm_row_link_session_t *session = &s->session;
    abdm_err_t err = load_session(s, in->link_ref);
    char hash[65];
    bool right;

    if (!abdm_failed(err)) {
        err = load_discovery(s);
    }
    if (err.code == ABDM_E_NOT_FOUND) {
        refuse(s, s->ev->request_id, ABDM_ERR(LINK_UNKNOWN, "confirmation.linkRefNumber"));
        return ABDM_NO_ERR;
    }
    ABDM_TRY(err);
    err = judge(s);
    if (abdm_failed(err)) {
        refuse(s, s->ev->request_id, err);
        return ABDM_NO_ERR;
    }
    ABDM_TRY(abdm_link_otp_hash(s->ctx, s->ev->hip_id, session->id, in->otp, hash));
    right = abdm_secret_eq(abdm_str(hash), abdm_str(session->otp_hash));
    if (session->state == ABDM_SESSION_LINKED) {
        return repeat(s, right);
    }
    session->tries++;
    if (session->otp_hash == NULL) {
        return ask_hmis(s, in->otp, hash);
    }
    if (!right) {
        wrong(s, s->ev->request_id);
        return ABDM_NO_ERR;
    }
    return link_all(s, s->ev->request_id);
}


abdm_err_t
abdm_flow_link_confirm_asked(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev,
                             abdm_effects_t *out)
{
    step_t s = {.ctx = ctx, .ev = ev, .out = out};
    abdm_in_link_confirm_t in = {0};
    json_t *body = NULL;
    abdm_err_t err;

    err = abdm_json_parse(ev->body, ev->body_len, ABDM_JSON_DEPTH, &body);
    if (!abdm_failed(err)) {
        err = abdm_in_link_confirm(body, &in);
    }
    json_decref(body);
    if (err.code == ABDM_E_MEMORY) {
        /* nothing is known of it yet */
    } else if (abdm_failed(err)) {
        refuse(&s, ev->request_id, err);
        err = ABDM_NO_ERR;
    } else {
        err = decide(&s, &in);
    }
    abdm_in_link_confirm_clear(&in);
    clear(&s);
    return err;
}


/* What the HMIS says of the OTP. */
static abdm_err_t
verified(step_t *s, const json_t *confirm)
{
    const abdm_result_t *result = s->ev->result;
    const char *request_id = abdm_json_string_at(confirm, "requestId");
    bool last = s->session.tries >= ABDM_OTP_TRIES;

    (void) abdm_row_text(&s->session.confirm, NULL);
    if (s->session.state != ABDM_SESSION_SENT) { /* locked or given up meanwhile */
        abdm_effect_put_link_session(s->out, &s->session);
        refuse(s, request_id, judge(s));
        return ABDM_NO_ERR;
    }
    if (result->err.code == ABDM_E_RECORD_NONE) { /* it knows no such OTP, or no more */
        wrong(s, request_id);
        return ABDM_NO_ERR;
    }
    if (abdm_failed(result->err)) {
        if (last) {
            s->session.state = ABDM_SESSION_LOCKED;
        }
        abdm_effect_put_link_session(s->out, &s->session);
        refuse(s, request_id, result->err.code == ABDM_E_FIELD
                                  ? ABDM_ERR(HMIS_ANSWER, "its OTP cannot be verified")
                                  : result->err);
        return ABDM_NO_ERR;
    }
    if (!json_is_true(json_object_get(result->records, "verified"))) {
        wrong(s, request_id);
        return ABDM_NO_ERR;
    }
    if (!abdm_row_text(&s->session.otp_hash, abdm_json_string_at(confirm, "hash"))) {
        return ABDM_ERR(MEMORY, "link");
    }
    return link_all(s, request_id);
}


abdm_err_t
abdm_flow_link_otp_verified(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev,
                            abdm_effects_t *out)
{
    step_t s = {.ctx = ctx, .ev = ev, .out = out};
    json_t *confirm = NULL;
    abdm_err_t err = load_session(&s, ev->subject);

    if (!abdm_failed(err) && s.session.confirm != NULL) {
        err = abdm_json_parse(s.session.confirm, strlen(s.session.confirm), ABDM_JSON_DEPTH,
                              &confirm);
        if (!abdm_failed(err)) {
            err = load_discovery(&s);
        }
        if (!abdm_failed(err)) {
            err = verified(&s, confirm);
        }
    }
    json_decref(confirm);
    clear(&s);
    return err.code == ABDM_E_NOT_FOUND ? ABDM_NO_ERR : err; /* forgotten */
}


/* --- what the gateway says of the link --- */

/* The contexts of the link as they are now, those only that are still as the link left them. */
static abdm_err_t
load_contexts(step_t *s, abdm_row_context_t *rows, size_t *n)
{
    *n = 0;
    for (size_t i = 0; i < s->chosen.n; i++) {
        abdm_row_context_t *row = &rows[*n];
        abdm_err_t err = abdm_link_row(s->ctx, ABDM_ROW_context, s->ev->hip_id,
                                       s->chosen.item[i].reference, row);

        if (err.code == ABDM_E_NOT_FOUND) {
            continue;
        }
        ABDM_TRY(err);
        if (row->state == ABDM_LINK_LINKED && row->linked_at == s->ev->at
            && strcmp(row->patient_ref, s->discovery.patient_ref) == 0) {
            ++*n;
        } else {
            abdm_row_context_clear(row);
        }
    }
    return ABDM_NO_ERR;
}


/* The gateway never took the link: the contexts are free again, to be linked in another way. */
static void
undo(step_t *s, abdm_row_context_t *rows, size_t n)
{
    audit(s, "link not accepted by the gateway", s->ev->result->err, s->ev->result->code);
    s->session.state = ABDM_SESSION_FAILED;
    abdm_effect_put_link_session(s->out, &s->session);
    for (size_t i = 0; i < n; i++) {
        rows[i].state = ABDM_LINK_NONE;
        rows[i].linked_at = 0;
        rows[i].notified_types = 0;
        abdm_effect_put_context(s->out, &rows[i]);
    }
}


static abdm_err_t
settle(step_t *s)
{
    const abdm_result_t *result = s->ev->result;
    abdm_row_context_t *rows = calloc(s->chosen.n + 1, sizeof(*rows));
    abdm_err_t err;
    size_t n = 0;

    if (rows == NULL) {
        return ABDM_ERR(MEMORY, "care contexts");
    }
    err = load_contexts(s, rows, &n);
    if (!abdm_failed(err) && abdm_failed(result->err) && !result->repeated) {
        undo(s, rows, n);
    } else if (!abdm_failed(err)) {
        err = abdm_link_over(s->ctx, s->ev, rows, n, ABDM_LINK_LINKED, NULL, NULL, s->out);
    }
    abdm_row_context_free(rows, n);
    return err;
}


abdm_err_t
abdm_flow_link_confirmed(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, abdm_effects_t *out)
{
    step_t s = {.ctx = ctx, .ev = ev, .out = out};
    abdm_err_t err = load_session(&s, ev->subject);

    if (!abdm_failed(err) && s.session.state == ABDM_SESSION_LINKED) {
        err = load_discovery(&s);
        if (!abdm_failed(err)) {
            err = settle(&s);
        }
    }
    clear(&s);
    return err.code == ABDM_E_NOT_FOUND ? ABDM_NO_ERR : err; /* forgotten */
}
