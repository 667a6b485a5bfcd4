/*
 * Scan and share (gateway protocol 3.13): a patient at a counter is given a number at once, and
 * then the HMIS is asked whether it knows the patient and told who comes. Numbers count up per
 * counter and day of the facility's zone and never come twice; who scans again within half an
 * hour keeps the number.
 */
#include <stdlib.h>
#include <string.h>

#include "core/id.h"
#include "core/json.h"
#include "flow/link.h"
#include "flow/linking.h"
#include "flow/patient.h"
#include "flow/share.h"
#include "gateway/inbound_link.h"
#include "gateway/outbound_link.h"
#include "match/patient.h"

enum {
    TOKEN_LIFE = 30 * 60 * 1000,
    KEEP = 24 * 60 * 60 * 1000,
    FIND_DEADLINE = 10 * 60 * 1000, /* then nobody knows whether the patient was here before */
    SAVE_DEADLINE = 24 * 60 * 60 * 1000,
    SHARES_MAX = 500 /* of one patient in a day */
};

enum { RETURNING_UNKNOWN, RETURNING_NO, RETURNING_YES };

static const char *const returning_names[] = {"unknown", "no", "yes"};


const char *
abdm_returning_name(int64_t returning)
{
    return returning >= 0 && returning <= RETURNING_YES ? returning_names[returning]
                                                        : returning_names[RETURNING_UNKNOWN];
}


static abdm_err_t
parse(const abdm_event_t *ev, abdm_in_share_t *share)
{
    json_t *body = NULL;
    abdm_err_t err;

    err = abdm_json_parse(ev->body, ev->body_len, ABDM_JSON_DEPTH, &body);
    if (!abdm_failed(err)) {
        err = abdm_in_share(body, share);
    }
    json_decref(body);
    return err;
}


/* --- may it be served? --- */

static bool
knows_counter(const abdm_facility_t *facility, const char *name)
{
    for (size_t i = 0; i < facility->n_counters; i++) {
        if (strcmp(facility->counter[i], name) == 0) {
            return true;
        }
    }
    return facility->n_counters == 0;
}


/* `parsed`: an intent that is not served is told as such, whatever else its body lacks. */
static abdm_err_t
judge(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, const abdm_in_share_t *share,
      abdm_err_t parsed)
{
    if (share->intent != NULL && strcmp(share->intent, "PROFILE_SHARE") != 0) {
        return ABDM_ERR(INTENT, "intent: only PROFILE_SHARE is served");
    }
    ABDM_TRY(parsed);
    if (share->hip_id != NULL && !abdm_facility_is(ev->hip_id, abdm_str(share->hip_id))) {
        return ABDM_ERR(FIELD, "metaData.hipId: another facility than the one called");
    }
    if (!knows_counter(ctx->facility, share->counter)) {
        return ABDM_ERR(COUNTER_UNKNOWN, "metaData.context: no counter of this facility");
    }
    return ABDM_NO_ERR;
}


static void
refuse(const abdm_event_t *ev, const abdm_in_share_t *share, abdm_err_t why, abdm_effects_t *out)
{
    abdm_buf_t body = {0};

    abdm_effect_audit(out, ev->hip_id, "", "share refused", why, NULL);
    abdm_out_on_share_error(&body, share->abha_address, why, ev->request_id);
    abdm_flow_reply(out, ev, "", ABDM_PATH_ON_SHARE, &body, "reply.sent");
}


/* --- the number --- */

static void
answer(const abdm_event_t *ev, const abdm_row_share_t *row, abdm_effects_t *out)
{
    abdm_buf_t body = {0};

    abdm_out_on_share(&body, row->abha_address, row->counter, (int) row->number,
                      (int) ((row->expires_at - ev->now + 999) / 1000), ev->request_id);
    abdm_flow_reply(out, ev, row->id, ABDM_PATH_ON_SHARE, &body, "reply.sent");
}


/* A number that the patient still holds at this counter. */
static abdm_err_t
held(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, const abdm_in_share_t *share,
     abdm_effects_t *out, bool *found)
{
    abdm_row_share_t *rows = NULL;
    size_t n = 0;

    *found = false;
    ABDM_TRY(abdm_row_share_find(ctx->view, ABDM_COL_share_abha_address, ev->hip_id,
                                 share->abha_address, SHARES_MAX, &rows, &n));
    for (size_t i = 0; i < n && !*found; i++) {
        *found = strcmp(rows[i].counter, share->counter) == 0 && ev->now < rows[i].expires_at;
        if (*found) {
            answer(ev, &rows[i], out);
        }
    }
    abdm_row_share_free(rows, n);
    return ABDM_NO_ERR;
}


static abdm_err_t
next_number(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, char *counter,
            abdm_effects_t *out, int64_t *number)
{
    abdm_row_counter_t key = {.hip_id = (char *) ev->hip_id, .name = counter}, row = {0};
    int64_t day = abdm_day_of(ev->now, ctx->facility->zone);
    abdm_err_t err = abdm_row_copy(ABDM_ROW_counter, &row, &key);

    if (!abdm_failed(err)) {
        err = abdm_row_counter_get(ctx->view, &row);
    }
    if (!abdm_failed(err) || err.code == ABDM_E_NOT_FOUND) {
        err = ABDM_NO_ERR;
        if (row.day < day) { /* a clock that was set back begins no day again */
            row.day = day;
            row.last = 0;
        }
        *number = ++row.last;
        abdm_effect_put_counter(out, &row);
    }
    abdm_row_counter_clear(&row);
    return err;
}


/* --- who is it? --- */

/* The share as a discovery: what ABDM vouches for, so its mobile is a verified one. */
static json_t *
asked_of(const abdm_in_share_t *share)
{
    abdm_in_discover_t in = {
        .abha_address = share->abha_address,
        .abha_number = share->abha_number,
        .mobile = {share->mobile},
        .n_mobiles = share->mobile != NULL,
        .name = share->name,
        .gender = share->gender,
        .year_of_birth = share->year_of_birth,
    };

    return abdm_asked_json(&in);
}


static void
find(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, const abdm_in_share_t *share,
     abdm_row_share_t *row, abdm_effects_t *out)
{
    json_t *asked = asked_of(share), *vars = NULL;

    if (asked != NULL) {
        vars = abdm_asked_vars(asked, ev->hip_id, 0);
    }
    row->waiting = ctx->facility->questions[ABDM_HMIS_FIND_PATIENTS];
    for (int i = 0; i < row->waiting; i++) {
        abdm_flow_ask(out, ev, row->id, ABDM_HMIS_FIND_PATIENTS, i, vars, ev->now + FIND_DEADLINE,
                      "share.found");
    }
    json_decref(asked);
    json_decref(vars);
}


/* --- telling the HMIS, and keeping whose ABHA it is --- */

abdm_err_t
abdm_share_person(const abdm_row_share_t *row, abdm_in_share_t *out)
{
    json_t *body = NULL, *patient = NULL;
    abdm_err_t err;

    memset(out, 0, sizeof(*out));
    ABDM_TRY(abdm_json_parse(row->profile, strlen(row->profile), ABDM_JSON_DEPTH, &patient));
    body = json_pack("{s:s, s:{s:s, s:s}, s:{s:o}}", "intent", "PROFILE_SHARE", "metaData", "hipId",
                     row->hip_id, "context", row->counter, "profile", "patient", patient);
    if (body == NULL) {
        return ABDM_ERR(MEMORY, "profile");
    }
    err = abdm_in_share(body, out);
    json_decref(body);
    return err;
}


static abdm_err_t
bind_abha(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, const abdm_row_share_t *row,
     abdm_effects_t *out)
{
    abdm_row_patient_t patient = {0};
    abdm_in_share_t share = {0};
    char mobile[ABDM_MOBILE_TEXT];
    abdm_err_t err;

    if (row->patient_ref == NULL) {
        return ABDM_NO_ERR;
    }
    err = abdm_share_person(row, &share);
    if (!abdm_failed(err)) {
        abdm_row_patient_t told = {
            .ref = row->patient_ref,
            .abha_address = share.abha_address,
            .abha_number = share.abha_number,
            .name = share.name,
            .gender = (char *) share.gender,
            .mobile = abdm_mobile_digits(abdm_str(share.mobile), mobile) ? mobile : NULL,
            .year_of_birth = share.year_of_birth,
        };

        err = abdm_patient_bind(ctx, ev, &told, &patient);
    }
    abdm_in_share_clear(&share);
    if (err.code == ABDM_E_ABHA_TAKEN || err.code == ABDM_E_OPTED_OUT) {
        abdm_effect_audit(out, ev->hip_id, row->id, "ABHA not bound to the patient", err, NULL);
        return ABDM_NO_ERR;
    }
    if (!abdm_failed(err)) {
        abdm_effect_put_patient(out, &patient);
        abdm_effect_audit(out, ev->hip_id, row->id, "ABHA bound to the patient", ABDM_NO_ERR, NULL);
        abdm_flow_link_due(out, ev, patient.ref, ev->now);
    }
    abdm_row_patient_clear(&patient);
    return err;
}


static json_t *
facts_of(const abdm_row_share_t *row)
{
    return json_pack("{s:s, s:s, s:i, s:s*, s:s}", "hipId", row->hip_id, "counter", row->counter,
                     "token", (int) row->number, "patientRef", row->patient_ref, "returning",
                     abdm_returning_name(row->returning));
}


/* Whether the patient was here before is known, or nobody can say. */
static abdm_err_t
settle(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, const abdm_row_share_t *row,
       abdm_effects_t *out)
{
    json_t *vars, *profile = NULL;
    abdm_err_t err;

    if (ctx->facility->questions[ABDM_HMIS_SAVE_PROFILE] == 0) {
        abdm_flow_tell(ctx, ev, row->id, "shared", facts_of(row), out);
        return bind_abha(ctx, ev, row, out);
    }
    vars = facts_of(row);
    err = abdm_json_parse(row->profile, strlen(row->profile), ABDM_JSON_DEPTH, &profile);
    if (!abdm_failed(err) && json_object_set_new(vars, "profile", profile) != 0) {
        err = ABDM_ERR(MEMORY, "profile");
    }
    if (!abdm_failed(err)) {
        abdm_flow_ask(out, ev, row->id, ABDM_HMIS_SAVE_PROFILE, 0, vars, ev->now + SAVE_DEADLINE,
                      "share.saved");
    }
    json_decref(vars);
    return err;
}


/* --- the events --- */

static char *
copy(abdm_effects_t *out, const char *text)
{
    char *dup = text != NULL ? strdup(text) : NULL;

    out->failed |= text != NULL && dup == NULL;
    return dup;
}


/* The patient whom we know to hold the ABHA; two of them are for a person to decide. */
static abdm_err_t
recognize(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, const abdm_in_share_t *share,
          abdm_row_share_t *row)
{
    abdm_row_patient_t holder;
    abdm_err_t err;

    err = abdm_patient_holder(ctx, ev->hip_id, share->abha_address, share->abha_number, &holder);
    if (err.code == ABDM_E_NOT_FOUND || err.code == ABDM_E_ABHA_TAKEN) {
        return ABDM_NO_ERR;
    }
    if (!abdm_failed(err)) {
        row->returning = RETURNING_YES;
        row->patient_ref = holder.ref;
        holder.ref = NULL;
        abdm_row_patient_clear(&holder);
    }
    return err;
}


static abdm_err_t
begin(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, const abdm_in_share_t *share,
      abdm_row_share_t *row, abdm_effects_t *out)
{
    char id[ABDM_UUID_TEXT];

    ABDM_TRY(abdm_uuid4(id));
    ABDM_TRY(next_number(ctx, ev, share->counter, out, &row->number));
    row->hip_id = copy(out, ev->hip_id);
    row->id = copy(out, id);
    row->counter = copy(out, share->counter);
    row->abha_address = copy(out, share->abha_address);
    row->profile = json_dumps(share->profile, JSON_COMPACT);
    row->state = ABDM_SHARE_WAITING;
    row->created_at = ev->now;
    row->expires_at = ev->now + TOKEN_LIFE;
    row->keep_until = ev->now + KEEP;
    if (row->profile == NULL || out->failed) {
        return ABDM_ERR(MEMORY, "share");
    }
    ABDM_TRY(recognize(ctx, ev, share, row));

    answer(ev, row, out);
    abdm_effect_audit(out, ev->hip_id, row->id, "patient at a counter", ABDM_NO_ERR, NULL);
    if (row->returning == RETURNING_UNKNOWN) {
        row->candidates = copy(out, "[]");
        find(ctx, ev, share, row, out);
    }
    if (row->waiting == 0) {
        ABDM_TRY(settle(ctx, ev, row, out));
    }
    abdm_effect_put_share(out, row);
    return ABDM_NO_ERR;
}


abdm_err_t
abdm_flow_share_asked(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, abdm_effects_t *out)
{
    abdm_in_share_t share = {0};
    abdm_row_share_t row = {0};
    bool left = false, found = false;
    abdm_err_t err = parse(ev, &share);

    if (err.code == ABDM_E_MEMORY) {
        abdm_in_share_clear(&share);
        return err;
    }
    err = judge(ctx, ev, &share, err);
    if (abdm_failed(err)) {
        refuse(ev, &share, err, out);
        abdm_in_share_clear(&share);
        return ABDM_NO_ERR;
    }
    err = abdm_opted_out(ctx, ev->hip_id, share.abha_address, &left);
    if (!abdm_failed(err) && left) {
        refuse(ev, &share, ABDM_ERR(OPTED_OUT, "profile.patient.abhaAddress: it left ABDM"), out);
    } else if (!abdm_failed(err)) {
        err = held(ctx, ev, &share, out, &found);
        if (!abdm_failed(err) && !found) {
            err = begin(ctx, ev, &share, &row, out);
        }
    }
    abdm_row_share_clear(&row);
    abdm_in_share_clear(&share);
    return err;
}


/* How many of the candidates could each be the one, were there no others? */
static abdm_err_t
count_likely(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, const json_t *asked,
             const json_t *candidates, size_t *n)
{
    abdm_err_t err = ABDM_NO_ERR;
    json_t *item;
    size_t i;

    *n = 0;
    json_array_foreach(candidates, i, item) {
        json_t *one = json_array(), *patient = NULL;

        if (abdm_failed(err)) {
            json_decref(one);
            break;
        }
        err = json_array_append(one, item) != 0
                  ? ABDM_ERR(MEMORY, "candidates")
                  : abdm_candidates_choose(ctx, ev->hip_id, asked, one, &patient);
        *n += patient != NULL;
        json_decref(patient);
        json_decref(one);
    }
    return err;
}


/* All questions are answered: one patient, or nobody, or too many to say. */
static abdm_err_t
choose(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, json_t *candidates,
       abdm_row_share_t *row, abdm_effects_t *out)
{
    json_t *asked = NULL, *patient = NULL;
    abdm_in_share_t share = {0};
    size_t likely = 0;
    abdm_err_t err;

    err = abdm_share_person(row, &share);
    if (!abdm_failed(err)) {
        asked = asked_of(&share);
        err = asked == NULL ? ABDM_ERR(MEMORY, "share")
                            : abdm_candidates_choose(ctx, ev->hip_id, asked, candidates, &patient);
    }
    if (!abdm_failed(err) && patient == NULL) {
        err = count_likely(ctx, ev, asked, candidates, &likely);
    }
    if (!abdm_failed(err)) {
        row->returning = patient != NULL ? RETURNING_YES
                         : likely > 1    ? RETURNING_UNKNOWN
                                         : RETURNING_NO;
        row->patient_ref = copy(out, abdm_json_string_at(patient, "reference"));
    }
    json_decref(patient);
    json_decref(asked);
    abdm_in_share_clear(&share);
    return err;
}


/* `candidates` of the row: patients, and null for a question without an answer. */
static abdm_err_t
gather(const abdm_event_t *ev, const abdm_row_share_t *row, json_t **candidates, bool *missed)
{
    abdm_err_t why = ev->result->err;
    size_t i;
    json_t *item;

    *candidates = NULL;
    *missed = false;
    ABDM_TRY(abdm_json_parse(row->candidates, strlen(row->candidates), ABDM_JSON_DEPTH,
                             candidates));
    if (!abdm_failed(why)) {
        ABDM_TRY(abdm_candidates_add(*candidates, ev->result->records));
    } else if (why.code != ABDM_E_RECORD_NONE && why.code != ABDM_E_FIELD) {
        if (json_array_append_new(*candidates, json_null()) != 0) {
            return ABDM_ERR(MEMORY, "candidates");
        }
    }
    json_array_foreach(*candidates, i, item) {
        *missed |= json_is_null(item);
    }
    return ABDM_NO_ERR;
}


static abdm_err_t
found(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, abdm_row_share_t *row,
      abdm_effects_t *out)
{
    json_t *candidates;
    bool missed;
    abdm_err_t err = gather(ev, row, &candidates, &missed);

    row->waiting--;
    if (!abdm_failed(err) && row->waiting > 0) {
        out->failed |= !abdm_row_json(&row->candidates, candidates);
    } else if (!abdm_failed(err)) {
        (void) abdm_row_text(&row->candidates, NULL);
        if (missed) {
            abdm_effect_audit(out, ev->hip_id, row->id, "the HMIS did not say who it is",
                              ABDM_ERR(HMIS_ANSWER, "a question has no answer"), NULL);
        } else {
            err = choose(ctx, ev, candidates, row, out);
        }
        if (!abdm_failed(err)) {
            err = settle(ctx, ev, row, out);
        }
    }
    json_decref(candidates);
    abdm_effect_put_share(out, row);
    return err;
}


abdm_err_t
abdm_flow_share_found(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, abdm_effects_t *out)
{
    abdm_row_share_t row;
    abdm_err_t err = abdm_link_row(ctx, ABDM_ROW_share, ev->hip_id, ev->subject, &row);

    if (!abdm_failed(err) && row.waiting > 0 && row.candidates != NULL) {
        err = found(ctx, ev, &row, out);
    }
    abdm_row_share_clear(&row);
    return err.code == ABDM_E_NOT_FOUND ? ABDM_NO_ERR : err; /* its holder left ABDM */
}


abdm_err_t
abdm_flow_share_saved(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, abdm_effects_t *out)
{
    const char *ref = abdm_json_string_at(ev->result->records, "patientReference");
    abdm_row_share_t row;
    abdm_err_t err = abdm_link_row(ctx, ABDM_ROW_share, ev->hip_id, ev->subject, &row);

    if (abdm_failed(err)) {
        return err.code == ABDM_E_NOT_FOUND ? ABDM_NO_ERR : err;
    }
    if (abdm_failed(ev->result->err)) {
        abdm_effect_audit(out, ev->hip_id, row.id, "profile not taken by the HMIS",
                          ev->result->err, NULL);
    } else {
        row.saved = 1;
        if (ref != NULL) {
            out->failed |= !abdm_row_text(&row.patient_ref, ref);
        }
        abdm_effect_audit(out, ev->hip_id, row.id, "profile taken by the HMIS", ABDM_NO_ERR, NULL);
        abdm_effect_put_share(out, &row);
    }
    err = bind_abha(ctx, ev, &row, out);
    abdm_row_share_clear(&row);
    return err;
}
