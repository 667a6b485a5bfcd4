/*
 * What operators' tools ask of a store, beside the processes that work with it: reports, the audit,
 * and what needs no store at all.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "abdm_internal.h"
#include "core/json.h"

struct abdm_admin_s {
    abdm_store_t *store;
    abdm_seal_key_t *key; /* NULL: opened without */
};


abdm_err_t
abdm_admin_open(const char *store, char problem[ABDM_PROBLEM], abdm_admin_t **out)
{
    return abdm_admin_open_with(store, NULL, problem, out);
}


abdm_err_t
abdm_admin_open_with(const char *store, const char *secret_key_file, char problem[ABDM_PROBLEM],
                     abdm_admin_t **out)
{
    abdm_admin_t *admin;
    const char *path = strchr(store, '/');
    abdm_err_t err;

    *out = NULL;
    if (path == NULL || access(path, R_OK) != 0) {
        snprintf(problem, ABDM_PROBLEM, "store \"%s\": %s", store,
                 path == NULL ? "expected sqlite:/absolute/path" : strerror(errno));
        return ABDM_ERR(CONFIG, "store");
    }
    admin = calloc(1, sizeof(*admin));
    if (admin == NULL) {
        snprintf(problem, ABDM_PROBLEM, "no memory");
        return ABDM_ERR(MEMORY, "admin");
    }
    if (secret_key_file != NULL) {
        err = abdm_seal_key_load(secret_key_file, &admin->key, problem);
        if (abdm_failed(err)) {
            free(admin);
            return err;
        }
    }
    err = abdm_store_open(store, admin->key, &admin->store);
    if (abdm_failed(err)) {
        snprintf(problem, ABDM_PROBLEM, "store \"%s\": %s", store, err.what);
        abdm_admin_close(admin);
        return err;
    }
    *out = admin;
    return ABDM_NO_ERR;
}


void
abdm_admin_close(abdm_admin_t *admin)
{
    if (admin != NULL) {
        abdm_store_close(admin->store);
        abdm_seal_key_free(admin->key);
        free(admin);
    }
}


static abdm_err_t
take_report(abdm_err_t err, abdm_buf_t *report, char **json)
{
    *json = NULL;
    if (abdm_failed(err)) {
        abdm_buf_free(report);
        return err;
    }
    *json = abdm_buf_take(report);
    return *json == NULL ? ABDM_ERR(MEMORY, "report") : ABDM_NO_ERR;
}


abdm_err_t
abdm_admin_callbacks(abdm_admin_t *admin, int limit, char **json)
{
    abdm_buf_t report = {0};
    abdm_err_t err = abdm_store_report_callbacks(admin->store, limit, &report);

    return take_report(err, &report, json);
}


abdm_err_t
abdm_admin_transfers(abdm_admin_t *admin, int limit, char **json)
{
    abdm_buf_t report = {0};
    abdm_err_t err = abdm_store_report_transfers(admin->store, "", limit, &report);

    return take_report(err, &report, json);
}


abdm_err_t
abdm_admin_explain(abdm_admin_t *admin, const char *id, char **json)
{
    abdm_buf_t report = {0};
    abdm_err_t err = abdm_store_report_explain(admin->store, "", id, &report);

    return take_report(err, &report, json);
}


/* --- the audit --- */

/* "6h" ago, or a date-time. */
static abdm_err_t
parse_moment(const char *text, abdm_ms_t now, abdm_ms_t *out)
{
    static const struct {
        char unit;
        abdm_ms_t ms;
    } units[] = {{'s', 1000}, {'m', 60000}, {'h', 3600000}, {'d', 86400000}};
    char *end;
    long long n;

    errno = 0;
    n = strtoll(text, &end, 10);
    if (text[0] >= '0' && text[0] <= '9' && errno == 0 && n <= 1000000 && end[0] != '\0'
        && end[1] == '\0') {
        for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
            if (end[0] == units[i].unit) {
                *out = now - n * units[i].ms;
                return ABDM_NO_ERR;
            }
        }
    }
    if (abdm_failed(abdm_time_parse(abdm_str(text), out))) {
        return ABDM_ERR(FIELD, "since and until: a date-time as 2026-03-05T09:00:00Z, or how long "
                               "ago as 6h or 90d, is expected");
    }
    return ABDM_NO_ERR;
}


static abdm_err_t
span_of(const abdm_audit_query_t *query, abdm_audit_span_t *span)
{
    abdm_ms_t now = abdm_time_now();

    *span = (abdm_audit_span_t){.until = INT64_MAX, .hip_id = query->facility};
    if (query->since != NULL) {
        ABDM_TRY(parse_moment(query->since, now, &span->since));
    }
    return query->until != NULL ? parse_moment(query->until, now, &span->until) : ABDM_NO_ERR;
}


static void
write_verdict(const abdm_audit_verdict_t *v, abdm_buf_t *out)
{
    const struct {
        const char *key;
        int64_t value;
    } numbers[] = {{"rows", v->rows}, {"first", v->first}, {"last", v->last},
                   {"outside", v->outside}, {"begins", v->base + 1}};
    char at[ABDM_TIME_TEXT];
    abdm_jw_t w;

    abdm_jw_begin(&w, out);
    abdm_jw_open(&w, '{');
    abdm_jw_key(&w, "good");
    abdm_jw_bool(&w, v->fault == NULL);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        abdm_jw_key(&w, numbers[i].key);
        abdm_jw_int(&w, numbers[i].value);
    }
    if (v->base_at != 0) {
        abdm_time_format(v->base_at, at);
        abdm_jw_kv(&w, "beginsSince", at);
    }
    if (v->anchor_pruned) {
        abdm_jw_key(&w, "anchorPruned");
        abdm_jw_bool(&w, true);
    }
    if (v->fault != NULL) {
        abdm_jw_key(&w, "row");
        abdm_jw_int(&w, v->fault_row);
        abdm_jw_kv(&w, "fault", v->fault);
    } else {
        abdm_jw_kv(&w, "anchor", v->anchor);
    }
    if (v->fault_at != 0) {
        abdm_jw_key(&w, "standsAt");
        abdm_jw_int(&w, v->fault_at);
    }
    abdm_jw_close(&w, '}');
}


abdm_err_t
abdm_admin_audit_verify(abdm_admin_t *admin, const char *anchor, bool *good, char **json)
{
    abdm_audit_verdict_t verdict;
    abdm_buf_t report = {0};
    abdm_err_t err = abdm_store_audit_verify(admin->store, anchor, &verdict);

    *good = !abdm_failed(err) && verdict.fault == NULL;
    if (!abdm_failed(err)) {
        write_verdict(&verdict, &report);
    }
    return take_report(err, &report, json);
}


abdm_err_t
abdm_admin_audit_restart(abdm_admin_t *admin)
{
    return abdm_store_audit_restart(admin->store, abdm_time_now());
}


abdm_err_t
abdm_admin_audit_export(abdm_admin_t *admin, const abdm_audit_query_t *query, bool csv,
                        bool (*write)(void *ctx, const char *p, size_t len), void *ctx)
{
    abdm_audit_span_t span;

    ABDM_TRY(span_of(query, &span));
    return abdm_store_audit_export(admin->store, &span, csv, write, ctx);
}


abdm_err_t
abdm_admin_audit_report(abdm_admin_t *admin, const abdm_audit_query_t *query, bool breach,
                        char **json)
{
    abdm_buf_t report = {0};
    abdm_audit_span_t span;
    abdm_err_t err;

    *json = NULL;
    ABDM_TRY(span_of(query, &span));
    err = abdm_store_audit_report(admin->store, &span, breach, &report);
    return take_report(err, &report, json);
}


/* --- without a store --- */

abdm_err_t
abdm_secret_key_make(const char *path, char problem[ABDM_PROBLEM])
{
    return abdm_seal_key_create(path, problem);
}


const abdm_error_info_t *
abdm_error_row(size_t n)
{
    return n + 1 < ABDM_CODE_COUNT ? abdm_error_info((abdm_code_t) (n + 1)) : NULL;
}
