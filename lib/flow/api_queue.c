/*
 * The queue of a counter as the hospital's software shows it: who shared a profile today and waits.
 */
#include <stdlib.h>
#include <string.h>

#include "flow/link.h"
#include "flow/patient.h"
#include "flow/share.h"
#include "flow/turn.h"

enum { QUEUE_MAX = 2000 };

/* Waiting shares of a turn, of one counter or several. */
typedef struct {
    abdm_row_share_t *row;
    size_t n;
} queue_t;


static int
by_arrival(const void *a, const void *b)
{
    const abdm_row_share_t *x = a, *y = b;

    if (x->created_at != y->created_at) {
        return x->created_at < y->created_at ? -1 : 1;
    }
    return x->number < y->number ? -1 : x->number > y->number;
}


/* Adds those of one counter who came this day and whose token is still good. */
static abdm_err_t
add_counter(const abdm_turn_t *t, const char *counter, queue_t *q)
{
    int64_t today = abdm_day_of(t->ev->now, t->ctx->facility->zone);
    abdm_row_share_t *rows = NULL, *more;
    abdm_err_t err;
    size_t n = 0;

    ABDM_TRY(abdm_row_share_find(t->ctx->view, ABDM_COL_share_counter, t->ev->hip_id, counter,
                                 QUEUE_MAX, &rows, &n));
    more = realloc(q->row, (q->n + n + 1) * sizeof(*more));
    err = more != NULL ? ABDM_NO_ERR : ABDM_ERR(MEMORY, "queue");
    q->row = more != NULL ? more : q->row;
    for (size_t i = 0; i < n && !abdm_failed(err); i++) {
        if (rows[i].state == ABDM_SHARE_WAITING && t->ev->now < rows[i].expires_at
            && abdm_day_of(rows[i].created_at, t->ctx->facility->zone) == today) {
            q->row[q->n++] = rows[i];
            memset(&rows[i], 0, sizeof(rows[i]));
        }
    }
    abdm_row_share_free(rows, n);
    return err;
}


/* Two patients of the HMIS where the ABHA knows one: *other is the one who holds it here. */
static abdm_err_t
conflict(const abdm_turn_t *t, const abdm_row_share_t *row, char **other)
{
    abdm_row_patient_t holder = {0};
    abdm_err_t err;

    *other = NULL;
    if (row->patient_ref == NULL) {
        return ABDM_NO_ERR;
    }
    err = abdm_patient_holder(t->ctx, t->ev->hip_id, row->abha_address, NULL, &holder);
    if (!abdm_failed(err) && strcmp(holder.ref, row->patient_ref) != 0) {
        *other = holder.ref;
        holder.ref = NULL;
    }
    abdm_row_patient_clear(&holder);
    return err.code == ABDM_E_NOT_FOUND || err.code == ABDM_E_ABHA_TAKEN ? ABDM_NO_ERR : err;
}


static abdm_err_t
write_share(abdm_turn_t *t, const abdm_row_share_t *row)
{
    abdm_in_share_t person = {0};
    abdm_jw_t *w = &t->w;
    char *other = NULL;
    abdm_err_t err = abdm_share_person(row, &person);

    if (!abdm_failed(err)) {
        err = conflict(t, row, &other);
    }
    if (!abdm_failed(err)) {
        abdm_jw_open(w, '{');
        abdm_jw_kv(w, "id", row->id);
        abdm_jw_kv(w, "counter", row->counter);
        abdm_turn_int(w, "token", row->number);
        abdm_jw_kv(w, "name", person.name);
        abdm_jw_kv(w, "gender", person.gender);
        if (person.year_of_birth != 0) {
            abdm_turn_int(w, "yearOfBirth", person.year_of_birth);
        }
        abdm_turn_text(w, "mobile", person.mobile);
        abdm_jw_kv(w, "abhaAddress", row->abha_address);
        abdm_turn_text(w, "abhaNumber", person.abha_number);
        abdm_jw_kv(w, "returning", abdm_returning_name(row->returning));
        abdm_turn_text(w, "patientReference", row->patient_ref);
        abdm_turn_text(w, "conflictsWith", other);
        abdm_turn_bool(w, "saved", row->saved != 0);
        abdm_turn_time(w, "createdAt", row->created_at);
        abdm_turn_time(w, "expiresAt", row->expires_at);
        abdm_jw_close(w, '}');
    }
    free(other);
    abdm_in_share_clear(&person);
    return err;
}


/* The counter in the query, or all that the facility names. */
static abdm_err_t
collect(const abdm_turn_t *t, queue_t *q)
{
    const abdm_facility_t *facility = t->ctx->facility;
    char *counter = NULL;
    abdm_err_t err = abdm_api_query(t->ev->query, "counter", &counter);

    if (!abdm_failed(err) && counter != NULL) {
        err = add_counter(t, counter, q);
    } else if (!abdm_failed(err) && facility->n_counters == 0) {
        err = ABDM_ERR(FIELD, "counter: it is missing in the query");
    }
    for (size_t i = 0; i < facility->n_counters && counter == NULL && !abdm_failed(err); i++) {
        err = add_counter(t, facility->counter[i], q);
    }
    free(counter);
    return err;
}


abdm_err_t
abdm_flow_api_queue(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, abdm_effects_t *out)
{
    queue_t q = {0};
    abdm_turn_t t;
    abdm_err_t err;

    abdm_turn_begin(&t, ctx, ev, out, ABDM_API_OWN, ABDM_BODY_NONE);
    err = collect(&t, &q);
    if (q.n > 0) {
        qsort(q.row, q.n, sizeof(*q.row), by_arrival);
    }
    abdm_jw_key(&t.w, "queue");
    abdm_jw_open(&t.w, '[');
    for (size_t i = 0; i < q.n && !abdm_failed(err); i++) {
        err = write_share(&t, &q.row[i]);
    }
    abdm_jw_close(&t.w, ']');
    abdm_row_share_free(q.row, q.n);
    return abdm_turn_end(&t, 200, err);
}


abdm_err_t
abdm_flow_api_queue_done(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, abdm_effects_t *out)
{
    abdm_row_share_t row = {0};
    abdm_turn_t t;
    abdm_err_t err;

    abdm_turn_begin(&t, ctx, ev, out, ABDM_API_OWN, ABDM_BODY_NONE);
    err = abdm_link_row(ctx, ABDM_ROW_share, ev->hip_id, ev->subject, &row);
    if (!abdm_failed(err)) {
        row.state = ABDM_SHARE_DONE;
        abdm_effect_put_share(out, &row);
        abdm_jw_kv(&t.w, "id", row.id);
        abdm_jw_kv(&t.w, "state", "DONE");
    } else if (err.code == ABDM_E_NOT_FOUND) {
        err = ABDM_ERR(NOT_FOUND, "nobody of this facility waits under this id");
    }
    abdm_row_share_clear(&row);
    return abdm_turn_end(&t, 200, err);
}
