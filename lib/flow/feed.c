/*
 * The feed: the HMIS is asked again and again what care contexts are new, so that it needs no
 * change to have them linked. The HMIS's own mark says how far it was read, and moves in the
 * transaction that writes what was read: each context is taken over once, whatever the clock does
 * and wherever a process ends.
 */
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "flow/link.h"
#include "flow/patient.h"
#include "match/patient.h"

enum {
    LIMIT = 500,
    SPREAD = 20 /* ms between two patients' steps */
};

#define LIMIT_TEXT "500"
#define PATIENCE   ((abdm_ms_t) 30 * 1000)      /* with one question */
#define NEWS       (7 * ABDM_LINK_DAY)          /* so long a visit is worth an SMS */
#define LEASE      (2 * ABDM_LINK_MINUTE)       /* of a question under way */

/* A patient named by the answer. */
typedef struct {
    abdm_row_patient_t row;
    bool changed; /* to be written */
    bool link;    /* has something to be linked */
} seen_t;

/* What is made of one answer: a flow does not read its own effects. */
typedef struct {
    const abdm_flow_ctx_t *ctx;
    const abdm_event_t *ev;
    abdm_effects_t *out;
    seen_t patient[LIMIT];
    size_t n_patients;
    abdm_row_context_t context[LIMIT];
    bool context_changed[LIMIT];
    size_t n_contexts;
} feed_t;


static abdm_err_t
load_feed(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, abdm_row_feed_t *row)
{
    abdm_err_t err;

    memset(row, 0, sizeof(*row));
    row->hip_id = strdup(ev->hip_id);
    if (row->hip_id == NULL) {
        return ABDM_ERR(MEMORY, "feed");
    }
    err = abdm_row_feed_get(ctx->view, row);
    return err.code == ABDM_E_NOT_FOUND ? ABDM_NO_ERR : err;
}


/* --- patients --- */

/* Replaces a text by what the HMIS says; silence says nothing. */
static void
take_text(feed_t *f, char **text, const char *value, bool *changed)
{
    if (value != NULL && (*text == NULL || strcmp(*text, value) != 0)) {
        abdm_link_set(f->out, text, value);
        *changed = true;
    }
}


static void
take_person(feed_t *f, seen_t *seen, const json_t *patient)
{
    const json_t *mobiles = json_object_get(patient, "mobiles"), *item;
    char digits[ABDM_MOBILE_TEXT];
    int64_t year;
    size_t i;

    take_text(f, &seen->row.name, abdm_json_string_at(patient, "name"), &seen->changed);
    take_text(f, &seen->row.gender, abdm_json_string_at(patient, "gender"), &seen->changed);
    if (abdm_json_int_at(patient, "yearOfBirth", &year) && year != seen->row.year_of_birth) {
        seen->row.year_of_birth = year;
        seen->changed = true;
    }
    json_array_foreach(mobiles, i, item)
    {
        if (abdm_mobile_digits(abdm_str(json_string_value(item)), digits)) {
            take_text(f, &seen->row.mobile, digits, &seen->changed);
            break;
        }
    }
}


/* Does another patient of this very answer have it? */
static bool
is_seen(const feed_t *f, const seen_t *seen, const char *address, const char *number)
{
    for (size_t i = 0; i < f->n_patients; i++) {
        const abdm_row_patient_t *row = &f->patient[i].row;

        if (&f->patient[i] != seen
            && ((address != NULL && row->abha_address != NULL
                 && strcmp(row->abha_address, address) == 0)
                || (number != NULL && row->abha_number != NULL
                    && strcmp(row->abha_number, number) == 0))) {
            return true;
        }
    }
    return false;
}


/* An ABHA is the patient's unless somebody else has it, since two files of one person are not put
 * together by us, or it has left ABDM. */
static abdm_err_t
take_abha(feed_t *f, seen_t *seen, const char *address, const char *number)
{
    abdm_row_patient_t *row = &seen->row;
    bool changed = false, had = row->abha_address != NULL;
    abdm_err_t err;

    if ((address == NULL || (had && strcmp(row->abha_address, address) == 0))
        && (number == NULL
            || (row->abha_number != NULL && strcmp(row->abha_number, number) == 0))) {
        return ABDM_NO_ERR;
    }
    err = is_seen(f, seen, address, number)
              ? ABDM_ERR(ABHA_TAKEN, "another patient of the same answer has it")
              : abdm_patient_may_hold(f->ctx, f->ev->hip_id, row->ref, address, number);
    if (err.code == ABDM_E_ABHA_TAKEN || err.code == ABDM_E_OPTED_OUT) {
        abdm_effect_audit(f->out, f->ev->hip_id, row->ref, "ABHA not taken over", err, NULL);
        return ABDM_NO_ERR;
    }
    ABDM_TRY(err);
    take_text(f, &row->abha_number, number, &seen->changed);
    take_text(f, &row->abha_address, address, &changed);
    if (changed && had) {
        abdm_effect_audit(f->out, f->ev->hip_id, row->ref, "ABHA changed by the HMIS",
                          ABDM_NO_ERR, NULL);
    }
    seen->changed |= changed;
    seen->link |= changed;
    return ABDM_NO_ERR;
}


/* The patient of one entry, with what the entry says of them. */
static abdm_err_t
take_patient(feed_t *f, const char *ref, const json_t *patient, seen_t **out)
{
    seen_t *seen = NULL;
    abdm_err_t err;

    for (size_t i = 0; i < f->n_patients && seen == NULL; i++) {
        seen = strcmp(f->patient[i].row.ref, ref) == 0 ? &f->patient[i] : NULL;
    }
    if (seen == NULL) {
        abdm_row_patient_t key = {.hip_id = (char *) f->ev->hip_id, .ref = (char *) ref};

        seen = &f->patient[f->n_patients];
        memset(seen, 0, sizeof(*seen));
        err = abdm_link_row(f->ctx, ABDM_ROW_patient, f->ev->hip_id, ref, &seen->row);
        if (err.code == ABDM_E_NOT_FOUND) {
            seen->changed = true;
            err = abdm_row_copy(ABDM_ROW_patient, &seen->row, &key);
        }
        ABDM_TRY(err);
        f->n_patients++;
    }
    take_person(f, seen, patient);
    ABDM_TRY(take_abha(f, seen, abdm_json_string_at(patient, "abhaAddress"),
                       abdm_json_string_at(patient, "abhaNumber")));
    *out = seen;
    return ABDM_NO_ERR;
}


/* --- care contexts --- */

static abdm_err_t
context_of(feed_t *f, const char *ref, const char *patient_ref, size_t *index)
{
    abdm_row_context_t key = {.hip_id = (char *) f->ev->hip_id, .ref = (char *) ref,
                              .patient_ref = (char *) patient_ref,
                              .created_at = f->ev->now};
    abdm_row_context_t *row = &f->context[f->n_contexts];
    abdm_err_t err;

    for (*index = 0; *index < f->n_contexts; (*index)++) {
        if (strcmp(f->context[*index].ref, ref) == 0) {
            return ABDM_NO_ERR;
        }
    }
    f->context_changed[*index] = false;
    err = abdm_link_row(f->ctx, ABDM_ROW_context, f->ev->hip_id, ref, row);
    if (err.code == ABDM_E_NOT_FOUND) {
        f->context_changed[*index] = true;
        err = abdm_row_copy(ABDM_ROW_context, row, &key);
    }
    ABDM_TRY(err);
    f->n_contexts++;
    return ABDM_NO_ERR;
}


static abdm_hi_types_t
types_of(const json_t *entry)
{
    const json_t *names = json_object_get(entry, "hiTypes"), *name;
    abdm_hi_types_t types = 0;
    abdm_hi_type_t type;
    size_t i;

    json_array_foreach(names, i, name)
    {
        if (abdm_hi_type_parse(abdm_str(json_string_value(name)), &type)) {
            types |= 1u << type;
        }
    }
    return types;
}


/* What the entry says of the context. *news: there is something in it that was not there. */
static void
take_facts(feed_t *f, abdm_row_context_t *row, const json_t *entry, bool *changed, bool *news)
{
    const char *date = abdm_json_string_at(entry, "date");
    int64_t types = row->hi_types | types_of(entry);
    abdm_ms_t when;

    take_text(f, &row->display, abdm_json_string_at(entry, "display"), changed);
    if (date != NULL && !abdm_failed(abdm_time_parse(abdm_str(date), &when))
        && when != row->date) {
        row->date = when;
        *changed = true;
    }
    take_text(f, &row->version, abdm_json_string_at(entry, "version"), news);
    if (types != row->hi_types) {
        row->hi_types = types;
        *news = true;
    }
    *changed |= *news;
}


static abdm_err_t
take_entry(feed_t *f, const json_t *entry)
{
    const json_t *patient = json_object_get(entry, "patient");
    const char *ref = abdm_json_string_at(entry, "reference");
    const char *patient_ref = abdm_json_string_at(patient, "reference");
    abdm_row_context_t *row;
    seen_t *seen;
    bool news = false;
    size_t i;

    if (ref == NULL || patient_ref == NULL) {
        abdm_effect_audit(f->out, f->ev->hip_id, ref != NULL ? ref : "", "care context left out",
                          ABDM_ERR(HMIS_ANSWER, "contexts: reference or patient is missing"),
                          NULL);
        return ABDM_NO_ERR;
    }
    ABDM_TRY(take_patient(f, patient_ref, patient, &seen));
    ABDM_TRY(context_of(f, ref, patient_ref, &i));
    row = &f->context[i];
    if (strcmp(row->patient_ref, patient_ref) != 0) {
        if (row->state != ABDM_LINK_NONE && row->state != ABDM_LINK_FAILED) {
            abdm_effect_audit(f->out, f->ev->hip_id, ref, "care context left out",
                              ABDM_ERR(CONFLICT, "it is linked for another patient"), NULL);
            return ABDM_NO_ERR;
        }
        take_text(f, &row->patient_ref, patient_ref, &f->context_changed[i]);
    }
    take_facts(f, row, entry, &f->context_changed[i], &news);
    if (row->state == ABDM_LINK_LINKED && news) {
        abdm_flow_context_notify(f->out, f->ev, row);
    }
    if (row->state == ABDM_LINK_NONE) {
        seen->link = true;
    }
    return ABDM_NO_ERR;
}


/* --- the answer as a whole --- */

static const abdm_row_patient_t *
patient_of(const feed_t *f, const char *ref)
{
    for (size_t i = 0; i < f->n_patients; i++) {
        if (strcmp(f->patient[i].row.ref, ref) == 0) {
            return &f->patient[i].row;
        }
    }
    return NULL;
}


/* A feed that is read for the first time may begin years ago: nobody is told of old visits. */
static bool
wants_deep_link(const feed_t *f, const abdm_row_patient_t *patient, const abdm_row_context_t *row)
{
    return f->ctx->facility->deep_link && row->state == ABDM_LINK_NONE
           && row->sms == ABDM_SMS_NONE && patient->abha_address == NULL
           && patient->mobile != NULL && (row->date == 0 || row->date + NEWS > f->ev->now);
}


static void
write_all(feed_t *f)
{
    abdm_ms_t due = f->ev->now;

    for (size_t i = 0; i < f->n_contexts; i++) {
        abdm_row_context_t *row = &f->context[i];
        const abdm_row_patient_t *patient = patient_of(f, row->patient_ref);

        if (patient != NULL && wants_deep_link(f, patient, row)) {
            abdm_flow_deep_link(f->out, f->ev, row);
            f->context_changed[i] = true;
        }
        if (f->context_changed[i]) {
            abdm_effect_put_context(f->out, row);
        }
    }
    for (size_t i = 0; i < f->n_patients; i++) {
        seen_t *seen = &f->patient[i];

        if (seen->changed) {
            seen->row.changed_at = f->ev->now;
            abdm_effect_put_patient(f->out, &seen->row);
        }
        if (seen->link && seen->row.abha_address != NULL) {
            abdm_flow_link_due(f->out, f->ev, seen->row.ref, due);
            due += SPREAD;
        }
    }
}


static abdm_err_t
take_answer(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, abdm_effects_t *out)
{
    const json_t *entries = json_object_get(ev->result->records, "contexts"), *entry;
    feed_t *f = calloc(1, sizeof(*f));
    abdm_err_t err = ABDM_NO_ERR;
    size_t i;

    if (f == NULL) {
        return ABDM_ERR(MEMORY, "feed");
    }
    f->ctx = ctx;
    f->ev = ev;
    f->out = out;
    json_array_foreach(entries, i, entry)
    {
        if (i < LIMIT && !abdm_failed(err)) {
            err = take_entry(f, entry);
        }
    }
    if (!abdm_failed(err)) {
        write_all(f);
    }
    for (i = 0; i < f->n_patients; i++) {
        abdm_row_patient_clear(&f->patient[i].row);
    }
    for (i = 0; i < f->n_contexts; i++) {
        abdm_row_context_clear(&f->context[i]);
    }
    free(f);
    return err;
}


/* --- the chain: feed.due, feed.came, feed.due... --- */

static bool
is_read(const abdm_facility_t *facility)
{
    return facility->poll > 0 && facility->questions[ABDM_HMIS_NEW_CONTEXTS] > 0;
}


/* Of two chains one ends: the one that comes before the moment which the other has set. A moment
 * further away than any that is set was set by another clock. */
static bool
is_double(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, const abdm_row_feed_t *feed)
{
    abdm_ms_t most = ctx->facility->poll > LEASE ? ctx->facility->poll : LEASE;

    return feed->due_at > ev->now && feed->due_at <= ev->now + most;
}


abdm_err_t
abdm_flow_feed_due(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, abdm_effects_t *out)
{
    abdm_row_feed_t feed = {0};
    json_t *vars;
    abdm_err_t err;

    if (!is_read(ctx->facility)) {
        return ABDM_NO_ERR; /* the engine begins again once it is */
    }
    err = load_feed(ctx, ev, &feed);
    if (!abdm_failed(err) && !is_double(ctx, ev, &feed)) {
        feed.asked_at = ev->now;
        feed.due_at = ev->now + LEASE;
        abdm_effect_put_feed(out, &feed);
        vars = json_pack("{s:s, s:s, s:s}", "hipId", ev->hip_id, "since",
                         feed.cursor != NULL ? feed.cursor : "", "limit", LIMIT_TEXT);
        abdm_flow_ask(out, ev, "", ABDM_HMIS_NEW_CONTEXTS, 0, vars, ev->now + PATIENCE,
                      "feed.came");
        json_decref(vars);
    }
    abdm_row_feed_clear(&feed);
    return err;
}


/* The answer is written down, and the mark moves. *more: it is worth asking at once. */
static abdm_err_t
read_answer(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, abdm_row_feed_t *feed, bool *more,
            abdm_effects_t *out)
{
    const json_t *answer = ev->result->records;
    const char *next = abdm_json_string_at(answer, "next");
    bool moved = next != NULL && (feed->cursor == NULL || strcmp(feed->cursor, next) != 0);

    ABDM_TRY(take_answer(ctx, ev, out));
    if (feed->failing) {
        abdm_effect_audit(out, ev->hip_id, "", "feed read again", ABDM_NO_ERR, NULL);
    }
    if (moved) {
        abdm_link_set(out, &feed->cursor, next);
    }
    feed->read_at = ev->now;
    feed->failing = 0;
    *more = moved && json_is_true(json_object_get(answer, "more"))
            && json_array_size(json_object_get(answer, "contexts")) > 0;
    return ABDM_NO_ERR;
}


abdm_err_t
abdm_flow_feed_came(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, abdm_effects_t *out)
{
    abdm_row_feed_t feed = {0};
    bool more = false;
    abdm_err_t err = load_feed(ctx, ev, &feed);

    if (abdm_failed(err) || feed.asked_at != ev->at) {
        abdm_row_feed_clear(&feed); /* another question was asked since: its answer counts */
        return err;
    }
    if (!abdm_failed(ev->result->err)) {
        err = read_answer(ctx, ev, &feed, &more, out);
    } else if (!feed.failing) {
        abdm_effect_audit(out, ev->hip_id, "", "feed not read", ev->result->err, NULL);
        feed.failing = 1;
    }
    if (!abdm_failed(err)) {
        feed.due_at = ev->now + (more ? 0 : ctx->facility->poll);
        abdm_effect_put_feed(out, &feed);
        if (is_read(ctx->facility)) {
            abdm_link_moment(out, ev, "feed.due", "", 0, feed.due_at);
        }
    }
    abdm_row_feed_clear(&feed);
    return err;
}
