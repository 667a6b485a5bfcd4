/*
 * Discovery of a patient's care contexts (gateway protocol 3.6, 7.2): the HMIS is asked for
 * everybody who may be meant, one is chosen or none, and the contexts not yet linked are offered.
 *
 * Whoever asks must not learn who is a patient here. So nobody, several, nothing to link, an
 * ABHA that left ABDM and too many questions have one answer, and every answer leaves at a
 * multiple of the facility's slot after the question came.
 */
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "flow/linking.h"
#include "gateway/outbound.h"

enum {
    OVER = 8 * 1000, /* of the 10 s that the gateway waits */
    ANSWER_DEADLINE = 60 * 1000,
    REPEAT_AFTER = 2 * 60 * 1000, /* by then an answer not taken has failed */
    HOUR = 60 * 60 * 1000
};

/* What every step works on. */
typedef struct {
    const abdm_flow_ctx_t *ctx;
    const abdm_event_t *ev;
    abdm_effects_t *out;
    abdm_row_discovery_t row;
} step_t;


static void
audit(step_t *s, const char *what, abdm_err_t outcome, const char *detail)
{
    abdm_effect_audit(s->out, s->ev->hip_id, s->row.id, what, outcome, detail);
}


/* --- answers --- */

/* The end of the slot in which the answer is known, `more` allowing for a question that was not
 * needed. A clock that was set back counts as no time passed. */
static abdm_ms_t
slot_end(const step_t *s, abdm_ms_t more)
{
    abdm_ms_t now = s->ev->now, slot = s->ctx->facility->slot;
    abdm_ms_t from = s->row.asked_at < now ? s->row.asked_at : now;
    abdm_ms_t due;

    if (slot <= 0) {
        return now;
    }
    due = from + ((now - from + more) / slot + 1) * slot;
    if (due > from + OVER) {
        due = from + OVER;
    }
    return due > now ? due : now;
}


static abdm_err_t
write_offer(step_t *s, abdm_buf_t *body)
{
    abdm_offer_t offer = {0};
    json_t *patient = NULL;
    const char *name;
    abdm_err_t err;

    err = abdm_offer_read(s->row.offered, &offer);
    if (!abdm_failed(err)) {
        err = abdm_json_parse(s->row.patient, strlen(s->row.patient), ABDM_JSON_DEPTH, &patient);
    }
    if (!abdm_failed(err)) {
        name = abdm_json_string_at(patient, "name");
        abdm_out_on_discover(body, s->row.id, s->row.patient_ref,
                             name != NULL ? name : abdm_json_string_at(patient, "asked.name"),
                             offer.item, offer.n,
                             (unsigned) json_integer_value(json_object_get(patient, "matchedBy")),
                             s->row.request_id);
    }
    json_decref(patient);
    abdm_offer_clear(&offer);
    return err;
}


/* The answer that the row has come to. */
static abdm_err_t
answer(step_t *s, abdm_ms_t due)
{
    abdm_job_t job = {
        .kind = ABDM_JOB_GATEWAY,
        .event = "discovery.answered",
        .hip_id = s->row.hip_id,
        .subject = s->row.id,
        .path = ABDM_PATH_ON_DISCOVER,
        .due_at = due,
        .created_at = s->ev->now,
        .deadline_at = due + ANSWER_DEADLINE,
    };
    abdm_buf_t body = {0};

    switch (s->row.state) {
    case ABDM_DISCOVERY_OFFERED:
        ABDM_TRY(write_offer(s, &body));
        break;
    case ABDM_DISCOVERY_NONE:
        abdm_out_on_discover_error(&body, s->row.id, ABDM_ERR(PATIENT_NONE, ""),
                                   s->row.request_id);
        break;
    default:
        abdm_out_on_discover_error(&body, s->row.id, ABDM_ERR(HTTP_STATUS, ""),
                                   s->row.request_id);
        break;
    }
    job.body_len = body.len;
    job.body = abdm_buf_take(&body);
    if (job.body == NULL) {
        return ABDM_ERR(MEMORY, "answer");
    }
    abdm_effect_job(s->out, &job);
    return ABDM_NO_ERR;
}


/* Ends the search: what was asked is forgotten, and of the patient what linking needs is kept. */
static abdm_err_t
conclude(step_t *s, abdm_discovery_state_t state, abdm_ms_t due)
{
    s->row.state = state;
    s->row.waiting = 0;
    (void) abdm_row_text(&s->row.asked, NULL);
    (void) abdm_row_text(&s->row.candidates, NULL);
    if (state != ABDM_DISCOVERY_OFFERED) {
        (void) abdm_row_text(&s->row.mobile, NULL);
        (void) abdm_row_text(&s->row.patient_ref, NULL);
        (void) abdm_row_text(&s->row.patient, NULL);
    }
    ABDM_TRY(answer(s, due));
    abdm_effect_put_discovery(s->out, &s->row);
    return ABDM_NO_ERR;
}


static abdm_err_t
conclude_none(step_t *s, abdm_err_t why, abdm_ms_t more)
{
    audit(s, "patient not discovered", why, NULL);
    return conclude(s, ABDM_DISCOVERY_NONE, slot_end(s, more));
}


static abdm_err_t
conclude_trouble(step_t *s, abdm_err_t why)
{
    audit(s, "discovery failed", why, NULL);
    return conclude(s, ABDM_DISCOVERY_TROUBLE, slot_end(s, 0));
}


static abdm_err_t
conclude_offer(step_t *s, const abdm_offer_t *offer)
{
    char detail[32];

    if (offer->n == 0) {
        return conclude_none(s, ABDM_ERR(PATIENT_NONE, "nothing to link"), 0);
    }
    if (!abdm_row_json(&s->row.offered, offer->list)) {
        return ABDM_ERR(MEMORY, "offer");
    }
    snprintf(detail, sizeof(detail), "care contexts: %zu", offer->n);
    audit(s, "patient discovered", ABDM_NO_ERR, detail);
    return conclude(s, ABDM_DISCOVERY_OFFERED, slot_end(s, 0));
}


/* --- steps of the search --- */

/* All who may be meant are known: choose, and find what can be offered. */
static abdm_err_t
choose(step_t *s, const json_t *asked, json_t *candidates)
{
    bool asks = s->ctx->facility->questions[ABDM_HMIS_CARE_CONTEXTS] > 0;
    abdm_ms_t spent = s->ev->now - s->row.asked_at;
    char mobile[ABDM_MOBILE_TEXT];
    json_t *patient = NULL, *vars;
    abdm_offer_t offer = {0};
    abdm_err_t err;

    ABDM_TRY(abdm_candidates_choose(s->ctx, s->ev->hip_id, asked, candidates, &patient));
    if (patient == NULL) {
        /* as late as if the HMIS had been asked for care contexts too */
        return conclude_none(s, ABDM_ERR(PATIENT_NONE, "nobody, or more than one"),
                             asks && spent > 0 ? spent : 0);
    }
    err = abdm_row_json(&s->row.patient, patient)
                  && abdm_row_text(&s->row.patient_ref, abdm_json_string_at(patient, "reference"))
                  && (!abdm_candidate_mobile(asked, patient, mobile)
                      || abdm_row_text(&s->row.mobile, mobile))
              ? ABDM_NO_ERR
              : ABDM_ERR(MEMORY, "patient");
    json_decref(patient);
    ABDM_TRY(err);
    (void) abdm_row_text(&s->row.candidates, NULL);

    if (!asks) {
        err = abdm_offer_of_rows(s->ctx, s->ev->hip_id, s->row.patient_ref, &offer);
        if (!abdm_failed(err)) {
            err = conclude_offer(s, &offer);
        }
        abdm_offer_clear(&offer);
        return err;
    }
    vars = json_pack("{s:s, s:s}", "hipId", s->ev->hip_id, "patientRef", s->row.patient_ref);
    abdm_flow_ask(s->out, s->ev, s->row.id, ABDM_HMIS_CARE_CONTEXTS, 0, vars,
                  s->row.asked_at + OVER, "discovery.contexts");
    json_decref(vars);
    abdm_effect_put_discovery(s->out, &s->row);
    return ABDM_NO_ERR;
}


/* Has the HMIS nothing to say to a question? That a value for it was not given counts too. */
static bool
is_nothing(abdm_err_t err)
{
    return err.code == ABDM_E_FIELD || err.code == ABDM_E_RECORD_NONE;
}


/* Asks the HMIS all that can be asked, or decides at once when nothing can. */
static abdm_err_t
search(step_t *s, const json_t *asked, json_t *candidates)
{
    int questions = s->ctx->facility->questions[ABDM_HMIS_FIND_PATIENTS];
    size_t sets = abdm_asked_sets(asked);
    abdm_job_t over = {
        .kind = ABDM_JOB_EVENT,
        .event = "discovery.over",
        .hip_id = s->row.hip_id,
        .subject = s->row.id,
        .due_at = s->row.asked_at + OVER,
        .created_at = s->ev->now,
        .deadline_at = s->row.asked_at + ABDM_LINKING_KEEP,
    };

    abdm_effect_job(s->out, &over);
    for (size_t i = 0; i < sets; i++) {
        json_t *vars = abdm_asked_vars(asked, s->ev->hip_id, i);

        for (int q = 0; q < questions; q++) {
            abdm_flow_ask(s->out, s->ev, s->row.id, ABDM_HMIS_FIND_PATIENTS, q, vars,
                          s->row.asked_at + OVER, "discovery.found");
            s->row.waiting++;
        }
        json_decref(vars);
    }
    if (!abdm_row_json(&s->row.asked, asked) || !abdm_row_json(&s->row.candidates, candidates)) {
        return ABDM_ERR(MEMORY, "discovery");
    }
    if (s->row.waiting == 0) {
        return choose(s, asked, candidates);
    }
    abdm_effect_put_discovery(s->out, &s->row);
    return ABDM_NO_ERR;
}


/* May this be asked at all? *why is what speaks against it. Every mobile and the ABHA address have
 * a budget of their own. */
static abdm_err_t
judge(step_t *s, const json_t *asked, abdm_err_t *why)
{
    int hourly = s->ctx->facility->discovery_hourly;
    bool out = false, within = true, all = true;
    json_t *mobile;
    size_t i;

    *why = ABDM_NO_ERR;
    ABDM_TRY(abdm_flow_budget(s->ctx, s->ev, "discovery abha", s->row.abha_address, hourly, HOUR,
                              &within, s->out));
    all &= within;
    json_array_foreach(json_object_get(asked, "mobiles"), i, mobile) {
        ABDM_TRY(abdm_flow_budget(s->ctx, s->ev, "discovery mobile", json_string_value(mobile),
                                  hourly, HOUR, &within, s->out));
        all &= within;
    }
    ABDM_TRY(abdm_opted_out(s->ctx, s->ev->hip_id, s->row.abha_address, &out));
    if (!all) {
        *why = ABDM_ERR(BUDGET, "discoveries");
    } else if (out) {
        *why = ABDM_ERR(OPTED_OUT, "");
    }
    return ABDM_NO_ERR;
}


static abdm_err_t
begin(step_t *s, const abdm_in_discover_t *in)
{
    const abdm_event_t *ev = s->ev;
    json_t *asked = NULL, *candidates = json_array();
    abdm_err_t err, why = ABDM_NO_ERR;

    s->row.asked_at = ev->at < ev->now ? ev->at : ev->now;
    s->row.keep_until = ev->now + ABDM_LINKING_KEEP;
    s->row.state = ABDM_DISCOVERY_ASKED;
    if (candidates != NULL && abdm_row_text(&s->row.request_id, ev->request_id)
        && abdm_row_text(&s->row.abha_address, in->abha_address)
        && abdm_row_text(&s->row.abha_number, in->abha_number)) {
        asked = abdm_asked_json(in);
    }
    err = asked == NULL ? ABDM_ERR(MEMORY, "discovery") : judge(s, asked, &why);
    if (!abdm_failed(err) && abdm_failed(why)) {
        err = conclude_none(s, why, 0);
    } else if (!abdm_failed(err) && ev->now - s->row.asked_at >= OVER) {
        err = conclude_trouble(s, ABDM_ERR(DEADLINE, "the discovery waited too long"));
    } else if (!abdm_failed(err)) {
        err = abdm_candidates_known(s->ctx, ev->hip_id, asked, candidates);
        if (!abdm_failed(err)) {
            err = search(s, asked, candidates);
        }
    }
    json_decref(candidates);
    json_decref(asked);
    return err;
}


static void
refuse(step_t *s, abdm_err_t why)
{
    abdm_buf_t body = {0};

    abdm_effect_audit(s->out, s->ev->hip_id, s->row.id != NULL ? s->row.id : "",
                      "discovery refused", why, NULL);
    if (s->row.id == NULL) {
        abdm_flow_refuse(s->out, s->ev, "", ABDM_PATH_ON_DISCOVER, why);
        return;
    }
    abdm_out_on_discover_error(&body, s->row.id, why, s->ev->request_id);
    abdm_flow_reply(s->out, s->ev, s->row.id, ABDM_PATH_ON_DISCOVER, &body, "reply.sent");
}


/* A transaction is answered once, and again only when the gateway did not take the answer. */
static abdm_err_t
repeat(step_t *s, const abdm_in_discover_t *in)
{
    abdm_ms_t now = s->ev->now;

    if (s->row.abha_address == NULL || strcmp(s->row.abha_address, in->abha_address) != 0) {
        refuse(s, ABDM_ERR(DISCOVERY_UNKNOWN, "the transactionId of another patient"));
        return ABDM_NO_ERR;
    }
    audit(s, "discovery repeated", ABDM_NO_ERR, NULL);
    if (s->row.state == ABDM_DISCOVERY_ASKED || s->row.request_id == NULL
        || now < s->row.asked_at + REPEAT_AFTER) {
        return ABDM_NO_ERR;
    }
    if (!abdm_row_text(&s->row.request_id, s->ev->request_id)) {
        return ABDM_ERR(MEMORY, "discovery");
    }
    abdm_effect_put_discovery(s->out, &s->row);
    return answer(s, now + s->ctx->facility->slot);
}


abdm_err_t
abdm_flow_discovery_asked(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, abdm_effects_t *out)
{
    step_t s = {.ctx = ctx, .ev = ev, .out = out};
    abdm_in_discover_t in = {0};
    json_t *body = NULL;
    abdm_err_t err;

    err = abdm_json_parse(ev->body, ev->body_len, ABDM_JSON_DEPTH, &body);
    if (!abdm_failed(err)) {
        err = abdm_in_discover(body, &in);
    }
    json_decref(body);
    if (err.code != ABDM_E_MEMORY
        && (!abdm_row_text(&s.row.hip_id, ev->hip_id)
            || !abdm_row_text(&s.row.id, in.transaction_id))) {
        err = ABDM_ERR(MEMORY, "discovery");
    }
    if (err.code == ABDM_E_MEMORY) {
        /* nothing is known of it yet */
    } else if (abdm_failed(err)) {
        refuse(&s, err);
        err = ABDM_NO_ERR;
    } else {
        err = abdm_row_discovery_get(ctx->view, &s.row);
        if (!abdm_failed(err)) {
            err = repeat(&s, &in);
        } else if (err.code == ABDM_E_NOT_FOUND) {
            err = begin(&s, &in);
        }
    }
    abdm_row_discovery_clear(&s.row);
    abdm_in_discover_clear(&in);
    return err;
}


/* --- what comes back --- */

/* Loads the row of the event's subject; *open: it is still searched for. */
static abdm_err_t
load(step_t *s, bool *open)
{
    abdm_err_t err;

    *open = false;
    if (!abdm_row_text(&s->row.hip_id, s->ev->hip_id)
        || !abdm_row_text(&s->row.id, s->ev->subject)) {
        return ABDM_ERR(MEMORY, "discovery");
    }
    err = abdm_row_discovery_get(s->ctx->view, &s->row);
    if (err.code == ABDM_E_NOT_FOUND) {
        return ABDM_NO_ERR; /* forgotten */
    }
    *open = !abdm_failed(err) && s->row.state == ABDM_DISCOVERY_ASKED;
    return err;
}


static abdm_err_t
collect(step_t *s)
{
    const abdm_result_t *result = s->ev->result;
    json_t *asked = NULL, *candidates = NULL;
    abdm_err_t err;

    err = abdm_json_parse(s->row.candidates, strlen(s->row.candidates), ABDM_JSON_DEPTH,
                          &candidates);
    if (!abdm_failed(err)) {
        err = abdm_json_parse(s->row.asked, strlen(s->row.asked), ABDM_JSON_DEPTH, &asked);
    }
    if (!abdm_failed(err) && !abdm_failed(result->err)) {
        err = abdm_candidates_add(candidates, result->records);
    }
    if (!abdm_failed(err) && --s->row.waiting == 0) {
        err = choose(s, asked, candidates);
    } else if (!abdm_failed(err)) {
        if (!abdm_row_json(&s->row.candidates, candidates)) {
            err = ABDM_ERR(MEMORY, "candidates");
        }
        abdm_effect_put_discovery(s->out, &s->row);
    }
    json_decref(asked);
    json_decref(candidates);
    return err;
}


abdm_err_t
abdm_flow_discovery_found(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, abdm_effects_t *out)
{
    step_t s = {.ctx = ctx, .ev = ev, .out = out};
    bool open;
    abdm_err_t err = load(&s, &open);

    if (!abdm_failed(err) && open) {
        /* with one answer missing, one patient could be several */
        err = abdm_failed(ev->result->err) && !is_nothing(ev->result->err)
                  ? conclude_trouble(&s, ev->result->err)
                  : collect(&s);
    }
    abdm_row_discovery_clear(&s.row);
    return err;
}


abdm_err_t
abdm_flow_discovery_contexts(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev,
                             abdm_effects_t *out)
{
    step_t s = {.ctx = ctx, .ev = ev, .out = out};
    abdm_offer_t offer = {0};
    bool open;
    abdm_err_t err = load(&s, &open);

    if (!abdm_failed(err) && open) {
        if (abdm_failed(ev->result->err) && !is_nothing(ev->result->err)) {
            err = conclude_trouble(&s, ev->result->err);
        } else {
            err = abdm_offer_of_hmis(ctx, ev->hip_id, s.row.patient_ref, ev->result->records,
                                     &offer);
            if (!abdm_failed(err)) {
                err = conclude_offer(&s, &offer);
            }
        }
    }
    abdm_offer_clear(&offer);
    abdm_row_discovery_clear(&s.row);
    return err;
}


abdm_err_t
abdm_flow_discovery_over(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, abdm_effects_t *out)
{
    step_t s = {.ctx = ctx, .ev = ev, .out = out};
    bool open;
    abdm_err_t err = load(&s, &open);

    if (!abdm_failed(err) && open) {
        err = conclude_trouble(&s, ABDM_ERR(DEADLINE, "the HMIS took too long"));
    }
    abdm_row_discovery_clear(&s.row);
    return err;
}


abdm_err_t
abdm_flow_discovery_answered(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev,
                             abdm_effects_t *out)
{
    step_t s = {.ctx = ctx, .ev = ev, .out = out};
    bool open;
    abdm_err_t err;

    if (abdm_failed(ev->result->err) && !ev->result->repeated) {
        abdm_effect_audit(out, ev->hip_id, ev->subject, "answer not accepted by the gateway",
                          ev->result->err, NULL);
        return ABDM_NO_ERR;
    }
    err = load(&s, &open);
    if (!abdm_failed(err) && s.row.request_id != NULL) {
        (void) abdm_row_text(&s.row.request_id, NULL);
        abdm_effect_put_discovery(out, &s.row);
    }
    abdm_row_discovery_clear(&s.row);
    return err;
}
