/*
 * The care contexts that a patient is offered to link: those that are not linked and are not
 * being linked.
 */
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "flow/linking.h"

enum { ROWS_MAX = 1000 };

typedef struct {
    json_t *context; /* owned */
    abdm_ms_t date;  /* 0: not known */
    size_t order;
} entry_t;


void
abdm_offer_clear(abdm_offer_t *offer)
{
    json_decref(offer->list);
    memset(offer, 0, sizeof(*offer));
}


static abdm_hi_types_t
types_of(const json_t *names)
{
    abdm_hi_types_t types = 0;
    json_t *name;
    size_t i;

    json_array_foreach(names, i, name) {
        abdm_hi_type_t type;

        if (json_is_string(name) && abdm_hi_type_parse(abdm_str(json_string_value(name)), &type)) {
            types |= 1u << type;
        }
    }
    return types;
}


/* Fills the items from the list. */
static void
index_items(abdm_offer_t *offer)
{
    json_t *context;
    size_t i;

    offer->n = 0;
    json_array_foreach(offer->list, i, context) {
        abdm_out_context_t item = {
            .reference = json_string_value(json_object_get(context, "reference")),
            .display = json_string_value(json_object_get(context, "display")),
            .hi_types = types_of(json_object_get(context, "hiTypes")),
        };

        if (offer->n < ABDM_REFERENCES_MAX && item.reference != NULL && item.display != NULL
            && item.hi_types != 0) {
            offer->item[offer->n++] = item;
        }
    }
}


abdm_err_t
abdm_offer_read(const char *json, abdm_offer_t *out)
{
    memset(out, 0, sizeof(*out));
    if (json == NULL) {
        return ABDM_NO_ERR;
    }
    ABDM_TRY(abdm_json_parse(json, strlen(json), ABDM_JSON_DEPTH, &out->list));
    index_items(out);
    return ABDM_NO_ERR;
}


const abdm_out_context_t *
abdm_offer_find(const abdm_offer_t *offer, const char *reference)
{
    for (size_t i = 0; i < offer->n; i++) {
        if (strcmp(offer->item[i].reference, reference) == 0) {
            return &offer->item[i];
        }
    }
    return NULL;
}


static bool
is_free(int64_t state)
{
    return state != ABDM_LINK_LINKED && state != ABDM_LINK_PENDING;
}


static int
newest_first(const void *a, const void *b)
{
    const entry_t *x = a, *y = b;

    if (x->date != y->date) {
        return x->date > y->date ? -1 : 1;
    }
    return x->order < y->order ? -1 : x->order > y->order;
}


/* Makes the offer of the newest entries, which are emptied. */
static abdm_err_t
take_newest(entry_t *entry, size_t n, abdm_offer_t *out)
{
    bool ok;

    qsort(entry, n, sizeof(*entry), newest_first);
    out->list = json_array();
    ok = out->list != NULL;
    for (size_t i = 0; i < n; i++) {
        if (ok && i < ABDM_REFERENCES_MAX) {
            ok = json_array_append(out->list, entry[i].context) == 0;
        }
        json_decref(entry[i].context);
    }
    if (!ok) {
        return ABDM_ERR(MEMORY, "care contexts");
    }
    index_items(out);
    return ABDM_NO_ERR;
}


/* May a context that the HMIS tells of be offered, as far as our row of it knows? */
static abdm_err_t
judge(const abdm_flow_ctx_t *ctx, const char *hip_id, const char *patient_ref,
      const char *reference, bool *fit)
{
    abdm_row_context_t row = {0};
    abdm_err_t err;

    *fit = true;
    err = abdm_row_text(&row.hip_id, hip_id) && abdm_row_text(&row.ref, reference)
              ? abdm_row_context_get(ctx->view, &row)
              : ABDM_ERR(MEMORY, "care context");
    if (!abdm_failed(err)) {
        /* a number that another patient's context has is a fault of the HMIS */
        *fit = is_free(row.state) && row.patient_ref != NULL
               && strcmp(row.patient_ref, patient_ref) == 0;
    }
    abdm_row_context_clear(&row);
    return err.code == ABDM_E_NOT_FOUND ? ABDM_NO_ERR : err;
}


abdm_err_t
abdm_offer_of_hmis(const abdm_flow_ctx_t *ctx, const char *hip_id, const char *patient_ref,
                   const json_t *contexts, abdm_offer_t *out)
{
    entry_t *entry = calloc(json_array_size(contexts) + 1, sizeof(*entry));
    abdm_err_t err = ABDM_NO_ERR;
    json_t *context;
    size_t i, n = 0;

    memset(out, 0, sizeof(*out));
    if (entry == NULL) {
        return ABDM_ERR(MEMORY, "care contexts");
    }
    json_array_foreach(contexts, i, context) {
        const char *reference = json_string_value(json_object_get(context, "reference"));
        const char *date = json_string_value(json_object_get(context, "date"));
        bool fit = false;

        if (reference != NULL) {
            err = judge(ctx, hip_id, patient_ref, reference, &fit);
        }
        if (abdm_failed(err)) {
            break;
        }
        if (fit) {
            entry[n] = (entry_t){.context = json_incref(context), .order = n};
            if (date != NULL) {
                (void) abdm_time_parse(abdm_str(date), &entry[n].date); /* or it stays 0 */
            }
            n++;
        }
    }
    if (abdm_failed(err)) {
        while (n > 0) {
            json_decref(entry[--n].context);
        }
    } else {
        err = take_newest(entry, n, out);
    }
    free(entry);
    return err;
}


static json_t *
context_of(const abdm_row_context_t *row)
{
    json_t *types = json_array(), *context = NULL;
    bool ok = types != NULL;

    for (int t = 0; t < ABDM_HI_TYPES; t++) {
        if ((row->hi_types & (1u << t)) != 0) {
            ok &= json_array_append_new(types,
                                        json_string(abdm_hi_type_name((abdm_hi_type_t) t))) == 0;
        }
    }
    if (ok) {
        context = json_pack("{s:s, s:s, s:O}", "reference", row->ref, "display", row->display,
                            "hiTypes", types);
    }
    json_decref(types);
    return context;
}


abdm_err_t
abdm_offer_of_rows(const abdm_flow_ctx_t *ctx, const char *hip_id, const char *patient_ref,
                   abdm_offer_t *out)
{
    abdm_row_context_t *rows = NULL;
    entry_t *entry;
    size_t found = 0, n = 0;
    abdm_err_t err;
    bool ok;

    memset(out, 0, sizeof(*out));
    ABDM_TRY(abdm_row_context_find(ctx->view, ABDM_COL_context_patient_ref, hip_id, patient_ref,
                                   ROWS_MAX, &rows, &found));
    entry = calloc(found + 1, sizeof(*entry));
    ok = entry != NULL;
    for (size_t i = 0; i < found && ok; i++) {
        if (is_free(rows[i].state) && rows[i].display != NULL) {
            entry[n] = (entry_t){.context = context_of(&rows[i]), .date = rows[i].date,
                                 .order = n};
            ok = entry[n].context != NULL;
            n += ok;
        }
    }
    if (ok) {
        err = take_newest(entry, n, out);
    } else {
        while (n > 0) {
            json_decref(entry[--n].context);
        }
        err = ABDM_ERR(MEMORY, "care contexts");
    }
    free(entry);
    abdm_row_context_free(rows, found);
    return err;
}


abdm_err_t
abdm_opted_out(const abdm_flow_ctx_t *ctx, const char *hip_id, const char *abha_address, bool *out)
{
    abdm_row_opt_out_t row = {0};
    abdm_err_t err;

    err = abdm_row_text(&row.hip_id, hip_id) && abdm_row_text(&row.abha_address, abha_address)
              ? abdm_row_opt_out_get(ctx->view, &row)
              : ABDM_ERR(MEMORY, "opt-out");
    *out = !abdm_failed(err);
    abdm_row_opt_out_clear(&row);
    return err.code == ABDM_E_NOT_FOUND ? ABDM_NO_ERR : err;
}
