/*
 * For tests of flows: a view of one consent and one transfer kept in memory, with a failure on
 * demand for each kind of read, and ways to look through the effects. Effects are played back
 * into the view by flow_apply, so that a test can tell a story of several events.
 * To be included after cmocka.h.
 */
#ifndef ABDM_TEST_FLOW_KIT_H
#define ABDM_TEST_FLOW_KIT_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "flow/flow.h"

#define HIP     "IN0990001234_1"
#define CONSENT "7d8e6b1c-0c55-4f5b-9d43-2f3f3f1b0a01"
#define TRANSFER "0f9e4f4a-88a5-4fd2-a4c8-6e5c3a5a0b02"
#define REQUEST "3b9c5a60-1111-4c1f-8a55-1b2c3d4e5f60"

enum { FLOW_CONTEXTS = 12, FLOW_PAGES = 32 };

typedef struct {
    abdm_view_t view; /* first */
    bool has_consent, has_transfer;
    abdm_consent_t consent;   /* borrowed strings */
    abdm_transfer_t transfer; /* borrowed strings */
    abdm_transfer_context_t context[FLOW_CONTEXTS];
    int n_contexts;
    abdm_page_t page[FLOW_PAGES];
    int n_pages;
    /* ABDM_OK: the read works */
    abdm_code_t consent_fails, transfer_fails, context_fails, page_fails, progress_fails,
        tally_fails;
    abdm_flow_ctx_t ctx;
    abdm_push_allow_t push_allow;
    abdm_policy_t policy;
    const char *push_host_state; /* of every host asked for; NULL: none is known */
    abdm_code_t get_fails;
} flow_kit_t;

#define NOW ((abdm_ms_t) 1772702411000) /* 2026-03-05T09:20:11Z */

#define FAILURE(code_) ((abdm_err_t){(code_), "test", "test"})


static inline char *
flow_dup(const char *z)
{
    char *copy = z != NULL ? strdup(z) : NULL;

    assert_true(z == NULL || copy != NULL);
    return copy;
}


static inline abdm_err_t
flow_view_consent(const abdm_view_t *view, const char *hip_id, const char *id,
                  abdm_consent_t *out)
{
    const flow_kit_t *k = (const flow_kit_t *) view;

    memset(out, 0, sizeof(*out));
    if (k->consent_fails != ABDM_OK)
        return FAILURE(k->consent_fails);
    if (!k->has_consent || strcmp(id, k->consent.id) != 0
        || strcmp(hip_id, k->consent.hip_id) != 0)
        return ABDM_ERR(NOT_FOUND, "consent");
    *out = k->consent;
    out->id = flow_dup(k->consent.id);
    out->hip_id = flow_dup(k->consent.hip_id);
    out->hiu_id = flow_dup(k->consent.hiu_id);
    out->patient_id = flow_dup(k->consent.patient_id);
    out->purpose = flow_dup(k->consent.purpose);
    out->contexts = calloc(k->consent.n_contexts + 1, sizeof(*out->contexts));
    assert_non_null(out->contexts);
    for (size_t i = 0; i < k->consent.n_contexts; i++) {
        out->contexts[i].patient_ref = flow_dup(k->consent.contexts[i].patient_ref);
        out->contexts[i].care_context_ref = flow_dup(k->consent.contexts[i].care_context_ref);
    }
    return ABDM_NO_ERR;
}


static inline abdm_err_t
flow_view_transfer(const abdm_view_t *view, const char *hip_id, const char *id,
                   abdm_transfer_t *out)
{
    const flow_kit_t *k = (const flow_kit_t *) view;

    memset(out, 0, sizeof(*out));
    if (k->transfer_fails != ABDM_OK)
        return FAILURE(k->transfer_fails);
    if (!k->has_transfer || strcmp(id, k->transfer.id) != 0
        || strcmp(hip_id, k->transfer.hip_id) != 0)
        return ABDM_ERR(NOT_FOUND, "transfer");
    *out = k->transfer;
    out->id = flow_dup(k->transfer.id);
    out->hip_id = flow_dup(k->transfer.hip_id);
    out->consent_id = flow_dup(k->transfer.consent_id);
    out->request_id = flow_dup(k->transfer.request_id);
    out->push_url = flow_dup(k->transfer.push_url);
    out->curve = flow_dup(k->transfer.curve);
    out->public_key = flow_dup(k->transfer.public_key);
    out->nonce = flow_dup(k->transfer.nonce);
    return ABDM_NO_ERR;
}


static inline abdm_err_t
flow_view_context(const abdm_view_t *view, const abdm_transfer_t *transfer, int index,
                  abdm_transfer_context_t *out)
{
    const flow_kit_t *k = (const flow_kit_t *) view;

    (void) transfer;
    memset(out, 0, sizeof(*out));
    if (k->context_fails != ABDM_OK)
        return FAILURE(k->context_fails);
    if (index < 0 || index >= k->n_contexts)
        return ABDM_ERR(NOT_FOUND, "context");
    *out = k->context[index];
    out->patient_ref = flow_dup(k->context[index].patient_ref);
    out->care_context_ref = flow_dup(k->context[index].care_context_ref);
    return ABDM_NO_ERR;
}


static inline abdm_err_t
flow_view_page(const abdm_view_t *view, const abdm_transfer_t *transfer, int number,
               abdm_page_t *out)
{
    const flow_kit_t *k = (const flow_kit_t *) view;

    (void) transfer;
    memset(out, 0, sizeof(*out));
    if (k->page_fails != ABDM_OK)
        return FAILURE(k->page_fails);
    if (number < 0 || number >= k->n_pages)
        return ABDM_ERR(NOT_FOUND, "page");
    *out = k->page[number];
    json_incref(out->record);
    return ABDM_NO_ERR;
}


static inline abdm_err_t
flow_view_progress(const abdm_view_t *view, const abdm_transfer_t *transfer, int *pending,
                   int *pages)
{
    const flow_kit_t *k = (const flow_kit_t *) view;

    (void) transfer;
    if (k->progress_fails != ABDM_OK)
        return FAILURE(k->progress_fails);
    *pending = 0;
    for (int i = 0; i < k->n_contexts; i++)
        *pending += k->context[i].state == ABDM_PART_PENDING;
    *pages = k->n_pages;
    return ABDM_NO_ERR;
}


static inline abdm_err_t
flow_view_tally(const abdm_view_t *view, const abdm_transfer_t *transfer, int context, int *done,
                int *failed, int *pending, abdm_code_t *reason)
{
    const flow_kit_t *k = (const flow_kit_t *) view;

    (void) transfer;
    *done = *failed = *pending = 0;
    if (k->tally_fails != ABDM_OK)
        return FAILURE(k->tally_fails);
    for (int i = 0; i < k->n_pages; i++) {
        if (k->page[i].context != context)
            continue;
        *done += k->page[i].state == ABDM_PART_DONE;
        *pending += k->page[i].state == ABDM_PART_PENDING;
        if (k->page[i].state == ABDM_PART_FAILED && (*failed)++ == 0)
            *reason = k->page[i].reason;
    }
    return ABDM_NO_ERR;
}


/* Of rows, hosts of requesters alone: their state is one for all. No consent was ever asked for. */
static inline abdm_err_t
flow_view_get(const abdm_view_t *view, abdm_row_id_t id, void *row)
{
    const flow_kit_t *k = (const flow_kit_t *) view;
    abdm_row_push_host_t *host = row;

    if (id == ABDM_ROW_confirmation)
        return ABDM_ERR(NOT_FOUND, "confirmation");
    assert_int_equal(id, ABDM_ROW_push_host);
    if (k->get_fails != ABDM_OK)
        return FAILURE(k->get_fails);
    if (k->push_host_state == NULL)
        return ABDM_ERR(NOT_FOUND, "host");
    host->state = flow_dup(k->push_host_state);
    return ABDM_NO_ERR;
}


static inline void
flow_kit_init(flow_kit_t *k)
{
    memset(k, 0, sizeof(*k));
    k->view = (abdm_view_t){
        .consent = flow_view_consent,
        .transfer = flow_view_transfer,
        .context = flow_view_context,
        .page = flow_view_page,
        .progress = flow_view_progress,
        .tally = flow_view_tally,
        .get = flow_view_get,
    };
    k->ctx.view = &k->view;
    k->ctx.push_allow = &k->push_allow;
    k->ctx.policy = &k->policy;
}


static inline void
flow_kit_clear(flow_kit_t *k)
{
    for (int i = 0; i < k->n_pages; i++)
        json_decref(k->page[i].record);
    k->n_pages = 0;
}


/* A granted consent for contexts V-1 and V-2 of patient MR-1. */
static inline void
flow_kit_grant(flow_kit_t *k)
{
    static abdm_care_context_t contexts[FLOW_CONTEXTS] = {
        {"MR-1", "V-1"}, {"MR-1", "V-2"}, {"MR-1", "V-3"}, {"MR-1", "V-4"}, {"MR-1", "V-5"},
        {"MR-1", "V-6"}, {"MR-1", "V-7"}, {"MR-1", "V-8"}, {"MR-1", "V-9"}, {"MR-1", "V-10"},
        {"MR-1", "V-11"}, {"MR-1", "V-12"}};

    k->has_consent = true;
    k->consent = (abdm_consent_t){
        .id = CONSENT, .hip_id = HIP, .hiu_id = "HIU_1", .patient_id = "a@sbx",
        .purpose = "CAREMGT", .status = ABDM_CONSENT_GRANTED, .from = NOW - 1000000000,
        .to = NOW, .erase_at = NOW + 1000000000, .hi_types = 1u << ABDM_HI_PRESCRIPTION,
        .contexts = contexts, .n_contexts = 2};
}


/* A transfer under that consent, with `n` care contexts still to be listed. */
static inline void
flow_kit_transfer(flow_kit_t *k, abdm_transfer_state_t state, int n)
{
    flow_kit_grant(k);
    k->consent.n_contexts = (size_t) n;
    k->has_transfer = true;
    k->transfer = (abdm_transfer_t){
        .id = TRANSFER, .hip_id = HIP, .consent_id = CONSENT, .request_id = REQUEST,
        .from = k->consent.from, .to = k->consent.to, .push_url = "https://hiu.example/push",
        .curve = "Curve25519", .public_key = "key", .nonce = "nonce", .state = state,
        .n_contexts = n, .requested_at = NOW - 1000, .deadline_at = NOW + 7200000};
    k->n_contexts = n;
    for (int i = 0; i < n; i++) {
        k->context[i] = (abdm_transfer_context_t){
            .index = i, .patient_ref = "MR-1",
            .care_context_ref = k->consent.contexts[i].care_context_ref};
    }
}


/* One more page, a prescription of the middle of the consented range. */
static inline abdm_page_t *
flow_kit_page(flow_kit_t *k, int context, abdm_part_state_t state)
{
    abdm_page_t *page = &k->page[k->n_pages];

    *page = (abdm_page_t){.number = k->n_pages, .context = context,
                          .hi_type = ABDM_HI_PRESCRIPTION, .dated = true,
                          .date = NOW - 500000000, .state = state};
    if (state == ABDM_PART_PENDING)
        page->record = json_pack("{s:s}", "id", "R");
    k->context[context].state = ABDM_PART_DONE;
    k->n_pages++;
    k->transfer.n_pages = k->n_pages;
    return page;
}


static inline abdm_event_t
flow_event(const char *name, int arg, abdm_result_t *result)
{
    return (abdm_event_t){.name = name, .hip_id = HIP, .subject = TRANSFER, .arg = arg,
                          .request_id = REQUEST, .at = NOW, .now = NOW, .result = result};
}


/* Runs the flow of the event's name. */
static inline abdm_err_t
flow_run(flow_kit_t *k, const abdm_event_t *ev, abdm_effects_t *out)
{
    const abdm_flow_t *flow = abdm_flow_find(ev->name);

    assert_non_null(flow);
    memset(out, 0, sizeof(*out));
    abdm_err_t err = flow->run(&k->ctx, ev, out);
    assert_false(out->failed);
    return err;
}


/* The n-th effect of a kind, NULL when there are fewer. */
static inline abdm_effect_t *
flow_nth(const abdm_effects_t *e, abdm_effect_kind_t kind, size_t n)
{
    for (size_t i = 0; i < e->n; i++) {
        if (e->item[i].kind == kind && n-- == 0)
            return &e->item[i];
    }
    return NULL;
}


static inline size_t
flow_count(const abdm_effects_t *e, abdm_effect_kind_t kind)
{
    size_t n = 0;

    while (flow_nth(e, kind, n) != NULL)
        n++;
    return n;
}


/* The only job that raises `event`. */
static inline abdm_job_t *
flow_job(const abdm_effects_t *e, const char *event)
{
    abdm_job_t *found = NULL;

    for (size_t i = 0; i < e->n; i++) {
        if (e->item[i].kind == ABDM_EFFECT_JOB && strcmp(e->item[i].u.job.event, event) == 0) {
            assert_null(found);
            found = &e->item[i].u.job;
        }
    }
    return found;
}


static inline bool
flow_audited(const abdm_effects_t *e, const char *what, abdm_code_t code)
{
    for (size_t i = 0; i < e->n; i++) {
        if (e->item[i].kind == ABDM_EFFECT_AUDIT && strcmp(e->item[i].u.audit.what, what) == 0
            && e->item[i].u.audit.code == code)
            return true;
    }
    return false;
}


static inline json_t *
flow_body(const abdm_job_t *job)
{
    json_t *json = NULL;

    assert_non_null(job);
    assert_int_equal(abdm_json_parse(job->body, job->body_len, ABDM_JSON_DEPTH, &json).code,
                     ABDM_OK);
    return json;
}


static inline void
assert_at(const json_t *body, const char *path, const char *want)
{
    const char *z = abdm_json_string_at(body, path);

    assert_non_null(z);
    assert_string_equal(z, want);
}


/* What the store would make of contexts, pages and the transfer's state. */
static inline void
flow_apply(flow_kit_t *k, const abdm_effects_t *e)
{
    for (size_t i = 0; i < e->n; i++) {
        const abdm_effect_t *x = &e->item[i];

        if (x->kind == ABDM_EFFECT_TRANSFER) {
            k->transfer.state = x->u.transfer.state;
            k->transfer.reason = x->u.transfer.reason;
            k->transfer.n_pages = x->u.transfer.n_pages;
            k->transfer.done_at = x->u.transfer.done_at;
        } else if (x->kind == ABDM_EFFECT_CONTEXT) {
            k->context[x->u.context.index].state = x->u.context.state;
            k->context[x->u.context.index].reason = x->u.context.reason;
        } else if (x->kind == ABDM_EFFECT_PAGE) {
            int n = x->u.page.number;

            if (n < k->n_pages)
                json_decref(k->page[n].record);
            else
                k->n_pages = n + 1;
            k->page[n] = x->u.page;
            json_incref(k->page[n].record);
        }
    }
}


/* Runs the event, which must succeed, and plays its effects back. */
static inline void
flow_step(flow_kit_t *k, const abdm_event_t *ev, abdm_effects_t *out)
{
    assert_int_equal(flow_run(k, ev, out).code, ABDM_OK);
    flow_apply(k, out);
}

#endif
