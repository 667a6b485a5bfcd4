/*
 * A patient begins a link (gateway protocol 3.7, 7.3): what is to be linked must have been offered
 * to this very patient, and an OTP goes to the mobile that the discovery settled on, by SMS or by
 * the HMIS. The link is bound to the contexts chosen: other ones are another link with another OTP.
 */
#include <stdlib.h>
#include <string.h>

#include "core/id.h"
#include "core/json.h"
#include "crypto/otp.h"
#include "flow/linking.h"
#include "gateway/outbound.h"

enum {
    SENDING_DEADLINE = 20 * 1000,
    RESEND_AFTER = 60 * 1000,
    HOUR = 60 * 60 * 1000,
    DAY = 24 * HOUR,
    LINKS_HOURLY = 5, /* of one patient */
    OTPS_DAILY = 20,  /* to one mobile */
    SESSIONS = 50     /* of one discovery that are looked at */
};

/* What every step works on. */
typedef struct {
    const abdm_flow_ctx_t *ctx;
    const abdm_event_t *ev;
    abdm_effects_t *out;
    abdm_in_link_init_t in;
    abdm_row_discovery_t discovery;
    abdm_row_link_session_t session;
} step_t;


abdm_err_t
abdm_link_otp_hash(const abdm_flow_ctx_t *ctx, const char *hip_id, const char *link_id,
                   const char *otp, char out[65])
{
    abdm_buf_t value = {0};
    abdm_err_t err;

    abdm_buf_addz(&value, link_id);
    abdm_buf_addz(&value, otp);
    err = value.failed ? ABDM_ERR(MEMORY, "OTP")
                       : abdm_seal_hash(ctx->key, "link_session.otp", hip_id,
                                        abdm_buf_str(&value), out);
    abdm_buf_wipe_free(&value);
    return err;
}


static void
clear(step_t *s)
{
    abdm_in_link_init_clear(&s->in);
    abdm_row_discovery_clear(&s->discovery);
    abdm_row_link_session_clear(&s->session);
}


/* A provider of the facility's own comes first, where there is a number for it. */
static bool
by_hmis(const step_t *s)
{
    const abdm_facility_t *facility = s->ctx->facility;

    return facility->questions[ABDM_HMIS_SEND_OTP] > 0
           && facility->questions[ABDM_HMIS_VERIFY_OTP] > 0
           && (!facility->sms || s->discovery.mobile == NULL);
}


/* --- answers --- */

static void
refuse(step_t *s, const char *subject, const char *request_id, abdm_err_t why)
{
    abdm_buf_t body = {0};
    const char *transaction = s->in.transaction_id != NULL ? s->in.transaction_id
                                                           : s->session.discovery_id;

    abdm_effect_audit(s->out, s->ev->hip_id, subject, "link refused", why, NULL);
    if (why.code == ABDM_E_OPTED_OUT) {
        why = ABDM_ERR(DISCOVERY_UNKNOWN, ""); /* who has left is nobody's business */
    }
    if (transaction != NULL) {
        abdm_out_link_on_init_error(&body, transaction, why, request_id);
    } else {
        abdm_out_error(&body, why, request_id);
    }
    abdm_flow_reply(s->out, s->ev, subject, ABDM_PATH_LINK_ON_INIT, &body, "reply.sent");
}


/* Tells that the OTP was sent; of the mobile only the last four digits. */
static void
answer(step_t *s)
{
    const char *mobile = s->discovery.mobile;
    char hint[11] = "OTP";
    abdm_buf_t body = {0};

    if (mobile != NULL && strlen(mobile) >= 4) {
        snprintf(hint, sizeof(hint), "xxxxxx%s", mobile + strlen(mobile) - 4);
    }
    abdm_out_link_on_init(&body, s->session.discovery_id, s->session.id, hint,
                          s->session.expires_at, s->session.request_id);
    abdm_flow_reply(s->out, s->ev, s->session.id, ABDM_PATH_LINK_ON_INIT, &body, "reply.sent");
}


/* --- may it be linked? --- */

/* Were all of them offered, and is none of them linked by now? */
static abdm_err_t
judge_contexts(step_t *s, const abdm_offer_t *offer, abdm_err_t *why)
{
    for (size_t i = 0; i < s->in.n_contexts; i++) {
        abdm_row_context_t row = {0};
        abdm_err_t err;

        if (abdm_offer_find(offer, s->in.context[i].reference) == NULL) {
            *why = ABDM_ERR(CONTEXT_NOT_OFFERED, "patient.careContexts.referenceNumber");
            return ABDM_NO_ERR;
        }
        err = abdm_row_text(&row.hip_id, s->ev->hip_id)
                      && abdm_row_text(&row.ref, s->in.context[i].reference)
                  ? abdm_row_context_get(s->ctx->view, &row)
                  : ABDM_ERR(MEMORY, "care context");
        if (!abdm_failed(err) && row.state == ABDM_LINK_LINKED) {
            *why = ABDM_ERR(CONTEXT_LINKED, "linked since it was offered");
        }
        abdm_row_context_clear(&row);
        if (abdm_failed(err) && err.code != ABDM_E_NOT_FOUND) {
            return err;
        }
    }
    return ABDM_NO_ERR;
}


/* Loads the discovery; *why is what speaks against linking. */
static abdm_err_t
judge(step_t *s, abdm_err_t *why)
{
    abdm_row_discovery_t *row = &s->discovery;
    abdm_offer_t offer = {0};
    bool out = false;
    abdm_err_t err;

    *why = ABDM_NO_ERR;
    if (!abdm_row_text(&row->hip_id, s->ev->hip_id)
        || !abdm_row_text(&row->id, s->in.transaction_id)) {
        return ABDM_ERR(MEMORY, "discovery");
    }
    err = abdm_row_discovery_get(s->ctx->view, row);
    if (err.code == ABDM_E_NOT_FOUND) {
        *why = ABDM_ERR(DISCOVERY_UNKNOWN, "transactionId");
        return ABDM_NO_ERR;
    }
    ABDM_TRY(err);
    if (row->state != ABDM_DISCOVERY_OFFERED || row->keep_until <= s->ev->now
        || row->abha_address == NULL || row->patient_ref == NULL) {
        *why = ABDM_ERR(DISCOVERY_UNKNOWN, "transactionId: nothing was offered, or too long ago");
        return ABDM_NO_ERR;
    }
    if (strcmp(row->abha_address, s->in.abha_address) != 0) {
        *why = ABDM_ERR(DISCOVERY_UNKNOWN, "abhaAddress is not that of the discovery");
        return ABDM_NO_ERR;
    }
    if (strcmp(row->patient_ref, s->in.patient_ref) != 0) {
        *why = ABDM_ERR(CONTEXT_NOT_OFFERED, "patient.referenceNumber");
        return ABDM_NO_ERR;
    }
    ABDM_TRY(abdm_opted_out(s->ctx, s->ev->hip_id, row->abha_address, &out));
    if (out) {
        *why = ABDM_ERR(OPTED_OUT, "");
        return ABDM_NO_ERR;
    }
    err = abdm_offer_read(row->offered, &offer);
    if (!abdm_failed(err)) {
        err = judge_contexts(s, &offer, why);
    }
    abdm_offer_clear(&offer);
    return err;
}


/* --- OTP --- */

static abdm_err_t
ask_hmis(step_t *s)
{
    json_t *vars = json_pack("{s:s, s:s, s:s*, s:s}", "hipId", s->ev->hip_id, "patientRef",
                             s->discovery.patient_ref, "mobile", s->discovery.mobile, "purpose",
                             "link");

    if (!abdm_row_text(&s->session.otp_hash, NULL) || !abdm_row_text(&s->session.hmis_otp, NULL)) {
        json_decref(vars);
        return ABDM_ERR(MEMORY, "link");
    }
    abdm_flow_ask(s->out, s->ev, s->session.id, ABDM_HMIS_SEND_OTP, 0, vars,
                  s->ev->now + SENDING_DEADLINE, "link.otp_sent");
    json_decref(vars);
    return ABDM_NO_ERR;
}


static abdm_err_t
send_sms(step_t *s)
{
    const abdm_facility_t *facility = s->ctx->facility;
    abdm_job_t job = {
        .kind = ABDM_JOB_SMS,
        .event = "link.otp_sent",
        .hip_id = s->session.hip_id,
        .subject = s->session.id,
        .path = "otp",
        .due_at = s->ev->now,
        .created_at = s->ev->now,
        .deadline_at = s->ev->now + SENDING_DEADLINE,
    };
    char otp[ABDM_OTP_TEXT], hash[65], minutes[24];
    abdm_buf_t body = {0};
    abdm_jw_t w;
    abdm_err_t err;

    ABDM_TRY(abdm_otp_make(otp));
    err = abdm_link_otp_hash(s->ctx, s->ev->hip_id, s->session.id, otp, hash);
    if (!abdm_failed(err) && !abdm_row_text(&s->session.otp_hash, hash)) {
        err = ABDM_ERR(MEMORY, "OTP");
    }
    if (!abdm_failed(err) && !abdm_buf_reserve(&body, 1024)) { /* or parts of it stay about */
        err = ABDM_ERR(MEMORY, "OTP");
    }
    if (!abdm_failed(err)) {
        snprintf(minutes, sizeof(minutes), "%lld", (long long) (facility->otp_life / 60000));
        abdm_jw_begin(&w, &body);
        abdm_jw_open(&w, '{');
        abdm_jw_kv(&w, "mobile", s->discovery.mobile);
        abdm_jw_kv(&w, "otp", otp);
        abdm_jw_kv(&w, "minutes", minutes);
        abdm_jw_kv(&w, "facility", facility->name);
        abdm_jw_close(&w, '}');
        job.body_len = body.len;
        job.body = abdm_buf_take(&body);
        if (job.body == NULL) {
            err = ABDM_ERR(MEMORY, "OTP");
        } else {
            abdm_effect_job(s->out, &job);
        }
    }
    abdm_wipe(otp, sizeof(otp));
    return err;
}


/* Sends an OTP for the session, whether its first or another one. Tries go on counting. */
static abdm_err_t
send_otp(step_t *s)
{
    s->session.state = ABDM_SESSION_SENDING;
    s->session.sent_at = s->ev->now;
    s->session.sends++;
    s->session.expires_at = s->ev->now + s->ctx->facility->otp_life;
    s->session.keep_until = s->ev->now + ABDM_LINKING_KEEP;
    if (!abdm_row_text(&s->session.request_id, s->ev->request_id)) {
        return ABDM_ERR(MEMORY, "link");
    }
    ABDM_TRY(by_hmis(s) ? ask_hmis(s) : send_sms(s));
    abdm_effect_put_link_session(s->out, &s->session);
    s->discovery.keep_until = s->session.keep_until;
    abdm_effect_put_discovery(s->out, &s->discovery);
    return ABDM_NO_ERR;
}


/* One more OTP: is there a way, and are there not too many? */
static abdm_err_t
judge_otp(step_t *s, abdm_err_t *why)
{
    const char *target = s->discovery.mobile != NULL ? s->discovery.mobile
                                                     : s->discovery.patient_ref;
    bool within;

    if (!by_hmis(s) && (!s->ctx->facility->sms || s->discovery.mobile == NULL)) {
        *why = ABDM_ERR(OTP_SEND, "no way to send an OTP, or no mobile");
        return ABDM_NO_ERR;
    }
    ABDM_TRY(abdm_flow_budget(s->ctx, s->ev, "otp mobile", target, OTPS_DAILY, DAY, &within,
                              s->out));
    if (!within) {
        *why = ABDM_ERR(BUDGET, "OTPs");
    }
    return ABDM_NO_ERR;
}


/* --- sessions --- */

/* Is it a link of the very contexts that are asked for now? */
static abdm_err_t
is_same(const step_t *s, const abdm_row_link_session_t *session, bool *same)
{
    json_t *chosen = NULL, *reference;
    size_t i, met = 0;

    ABDM_TRY(abdm_json_parse(session->contexts, strlen(session->contexts), ABDM_JSON_DEPTH,
                             &chosen));
    json_array_foreach(chosen, i, reference) {
        for (size_t k = 0; k < s->in.n_contexts; k++) {
            met += strcmp(json_string_value(reference), s->in.context[k].reference) == 0;
        }
    }
    *same = met == json_array_size(chosen) && met == s->in.n_contexts;
    json_decref(chosen);
    return ABDM_NO_ERR;
}


static bool
is_open(const abdm_row_link_session_t *session)
{
    return session->state == ABDM_SESSION_SENDING || session->state == ABDM_SESSION_SENT;
}


static abdm_err_t
find_sessions(step_t *s, abdm_row_link_session_t **rows, size_t *n)
{
    return abdm_row_link_session_find(s->ctx->view, ABDM_COL_link_session_discovery_id,
                                      s->ev->hip_id, s->in.transaction_id, SESSIONS, rows, n);
}


/* Takes the link that is under way for these contexts, if there is one. */
static abdm_err_t
take_session(step_t *s, bool *found, abdm_err_t *why)
{
    abdm_row_link_session_t *rows = NULL;
    abdm_err_t err;
    size_t n = 0;

    *found = false;
    err = find_sessions(s, &rows, &n);
    for (size_t i = 0; i < n && !*found && !abdm_failed(err); i++) {
        if (rows[i].state == ABDM_SESSION_LOCKED) {
            *why = ABDM_ERR(OTP_LOCKED, "a link of this discovery");
        } else if (is_open(&rows[i])) {
            err = is_same(s, &rows[i], found);
        }
        if (*found) {
            s->session = rows[i];
            memset(&rows[i], 0, sizeof(rows[i]));
        }
    }
    abdm_row_link_session_free(rows, n);
    return err;
}


/* Ends all links of the discovery that are under way. */
static abdm_err_t
end_sessions(step_t *s, const char *what, abdm_err_t why)
{
    abdm_row_link_session_t *rows = NULL;
    abdm_err_t err;
    size_t n = 0;

    err = find_sessions(s, &rows, &n);
    for (size_t i = 0; i < n && !abdm_failed(err); i++) {
        if (is_open(&rows[i])) {
            rows[i].state = ABDM_SESSION_FAILED;
            abdm_effect_put_link_session(s->out, &rows[i]);
            abdm_effect_audit(s->out, s->ev->hip_id, rows[i].id, what, why,
                              abdm_failed(why) ? s->in.outcome.code : NULL);
        }
    }
    abdm_row_link_session_free(rows, n);
    return err;
}


/* The same init again: the same OTP holds for a minute, then another one is sent. */
static abdm_err_t
repeat(step_t *s)
{
    abdm_row_link_session_t *session = &s->session;
    abdm_err_t why = ABDM_NO_ERR;
    abdm_ms_t since = s->ev->now - session->sent_at;

    if (session->state == ABDM_SESSION_SENDING || since < RESEND_AFTER) {
        if (!abdm_row_text(&session->request_id, s->ev->request_id)) {
            return ABDM_ERR(MEMORY, "link");
        }
        abdm_effect_audit(s->out, s->ev->hip_id, session->id, "link repeated", ABDM_NO_ERR, NULL);
        abdm_effect_put_link_session(s->out, session);
        if (session->state == ABDM_SESSION_SENT) {
            answer(s);
        }
        return ABDM_NO_ERR;
    }
    if (session->sends >= ABDM_OTP_SENDS) {
        why = ABDM_ERR(OTP_SEND, "three OTPs were sent for this link");
    } else {
        ABDM_TRY(judge_otp(s, &why));
    }
    if (abdm_failed(why)) {
        refuse(s, session->id, s->ev->request_id, why);
        return ABDM_NO_ERR;
    }
    abdm_effect_audit(s->out, s->ev->hip_id, session->id, "OTP sent again", ABDM_NO_ERR, NULL);
    return send_otp(s);
}


static json_t *
references(const abdm_in_link_init_t *in)
{
    json_t *list = json_array();
    bool ok = list != NULL;

    for (size_t i = 0; i < in->n_contexts && ok; i++) {
        ok = json_array_append_new(list, json_string(in->context[i].reference)) == 0;
    }
    if (!ok) {
        json_decref(list);
        list = NULL;
    }
    return list;
}


static abdm_err_t
begin(step_t *s)
{
    abdm_err_t why = ABDM_NO_ERR;
    char id[ABDM_UUID_TEXT];
    json_t *chosen;
    bool within, ok;

    ABDM_TRY(abdm_flow_budget(s->ctx, s->ev, "link patient", s->discovery.patient_ref,
                              LINKS_HOURLY, HOUR, &within, s->out));
    if (!within) {
        why = ABDM_ERR(BUDGET, "links");
    } else {
        ABDM_TRY(judge_otp(s, &why));
    }
    if (abdm_failed(why)) {
        refuse(s, s->in.transaction_id, s->ev->request_id, why);
        return ABDM_NO_ERR;
    }
    ABDM_TRY(end_sessions(s, "link given up for another", ABDM_NO_ERR));
    ABDM_TRY(abdm_uuid4(id));
    chosen = references(&s->in);
    ok = abdm_row_text(&s->session.hip_id, s->ev->hip_id) && abdm_row_text(&s->session.id, id)
         && abdm_row_text(&s->session.discovery_id, s->in.transaction_id)
         && abdm_row_json(&s->session.contexts, chosen);
    json_decref(chosen);
    if (!ok) {
        return ABDM_ERR(MEMORY, "link");
    }
    abdm_effect_audit(s->out, s->ev->hip_id, id, "link begun", ABDM_NO_ERR, s->in.transaction_id);
    return send_otp(s);
}


static abdm_err_t
decide(step_t *s)
{
    abdm_err_t why;
    bool found = false;

    ABDM_TRY(judge(s, &why));
    if (!abdm_failed(why)) {
        ABDM_TRY(take_session(s, &found, &why));
    }
    if (abdm_failed(why)) {
        refuse(s, s->in.transaction_id, s->ev->request_id, why);
        return ABDM_NO_ERR;
    }
    return found ? repeat(s) : begin(s);
}


abdm_err_t
abdm_flow_link_init_asked(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, abdm_effects_t *out)
{
    step_t s = {.ctx = ctx, .ev = ev, .out = out};
    json_t *body = NULL;
    abdm_err_t err;

    err = abdm_json_parse(ev->body, ev->body_len, ABDM_JSON_DEPTH, &body);
    if (!abdm_failed(err)) {
        err = abdm_in_link_init(body, &s.in);
    }
    json_decref(body);
    if (err.code == ABDM_E_MEMORY) {
        /* nothing is known of it yet */
    } else if (s.in.outcome.failed) {
        /* an error instead of an init */
        err = s.in.transaction_id == NULL
                  ? ABDM_NO_ERR
                  : end_sessions(&s, "link ended by the gateway", ABDM_ERR(GATEWAY_REFUSED, ""));
    } else if (abdm_failed(err)) {
        refuse(&s, s.in.transaction_id != NULL ? s.in.transaction_id : "", ev->request_id, err);
        err = ABDM_NO_ERR;
    } else {
        err = decide(&s);
    }
    clear(&s);
    return err;
}


/* What came of sending the OTP. */
static abdm_err_t
sent(step_t *s)
{
    const abdm_result_t *result = s->ev->result;
    abdm_row_link_session_t *session = &s->session;

    if (abdm_failed(result->err)) {
        session->state = ABDM_SESSION_FAILED;
        abdm_effect_put_link_session(s->out, session);
        abdm_effect_audit(s->out, s->ev->hip_id, session->id, "OTP not sent", result->err, NULL);
        refuse(s, session->id, session->request_id, ABDM_ERR(OTP_SEND, ""));
        return ABDM_NO_ERR;
    }
    session->state = ABDM_SESSION_SENT;
    session->sent_at = s->ev->now;
    session->expires_at = s->ev->now + s->ctx->facility->otp_life;
    if (session->otp_hash == NULL
        && !abdm_row_text(&session->hmis_otp,
                          abdm_json_string_at(result->records, "reference"))) {
        return ABDM_ERR(MEMORY, "link");
    }
    abdm_effect_put_link_session(s->out, session);
    abdm_effect_audit(s->out, s->ev->hip_id, session->id, "OTP sent", ABDM_NO_ERR, NULL);
    answer(s);
    return ABDM_NO_ERR;
}


abdm_err_t
abdm_flow_link_otp_sent(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, abdm_effects_t *out)
{
    step_t s = {.ctx = ctx, .ev = ev, .out = out};
    abdm_err_t err;

    if (!abdm_row_text(&s.session.hip_id, ev->hip_id)
        || !abdm_row_text(&s.session.id, ev->subject)) {
        err = ABDM_ERR(MEMORY, "link");
    } else {
        err = abdm_row_link_session_get(ctx->view, &s.session);
    }
    if (!abdm_failed(err) && s.session.state == ABDM_SESSION_SENDING) {
        if (abdm_row_text(&s.discovery.hip_id, ev->hip_id)
            && abdm_row_text(&s.discovery.id, s.session.discovery_id)) {
            err = abdm_row_discovery_get(ctx->view, &s.discovery);
        } else {
            err = ABDM_ERR(MEMORY, "discovery");
        }
        if (!abdm_failed(err)) {
            err = sent(&s);
        }
    }
    clear(&s);
    return err.code == ABDM_E_NOT_FOUND ? ABDM_NO_ERR : err; /* forgotten */
}
