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

#define SEARCH (2 * ABDM_LINK_MINUTE)


static void
write_accepted(abdm_turn_t *t, const char *id, const char *message)
{
    abdm_turn_text(&t->w, "clientRequestId", id);
    abdm_jw_kv(&t->w, "httpStatusCode", abdm_api_status_name(202));
    abdm_jw_kv(&t->w, "message", message);
}


/* The address in the body, owned by the caller; NULL on a fault. */
static char *
address_of(abdm_turn_t *t)
{
    const char *text = abdm_api_text(&t->in, "abhaAddress", ABDM_ABHA_ADDRESS_BYTES, true);
    char *address = NULL;

    if (text == NULL) {
        return NULL;
    }
    if (!abdm_abha_address_normal(abdm_str(text), &address)) {
        abdm_api_blame(&t->in, "abhaAddress", ABDM_ERR(FIELD, "it has not the form of an ABHA"));
    } else if (address == NULL) {
        abdm_api_blame(&t->in, "abhaAddress", ABDM_ERR(MEMORY, "body"));
    }
    return address;
}


/* --- a patient whom nobody told us of: the HMIS is asked, as the wrapper asks it --- */

/* Variables of the question, with the care contexts that wait for its answer. */
static json_t *
search_vars(const abdm_turn_t *t, const char *address, const abdm_row_context_t *told, size_t n)
{
    json_t *list = json_array(), *vars = NULL;
    char *text = NULL;
    bool ok = list != NULL;

    for (size_t i = 0; ok && i < n; i++) {
        ok = json_array_append_new(list, json_pack("[s, s, I]", told[i].ref, told[i].display,
                                                   (json_int_t) told[i].hi_types)) == 0;
    }
    if (ok && (text = json_dumps(list, JSON_COMPACT)) != NULL) {
        vars = json_pack("{s:s, s:s, s:s}", "hipId", t->ev->hip_id, "abhaAddress", address,
                         "careContexts", text);
    }
    free(text);
    json_decref(list);
    return vars;
}


static abdm_err_t
search(abdm_turn_t *t, const char *address, const abdm_row_context_t *told, size_t n,
       const char *request_id, char **id)
{
    json_t *vars;
    bool again;

    ABDM_TRY(abdm_turn_request(t, "link", NULL, told, n, request_id, ABDM_REQUEST_OPEN, id,
                               &again));
    vars = search_vars(t, address, told, n);
    for (int i = 0; i < t->ctx->facility->questions[ABDM_HMIS_FIND_PATIENTS]; i++) {
        abdm_flow_ask(t->out, t->ev, *id, ABDM_HMIS_FIND_PATIENTS, i, vars,
                      t->ev->now + SEARCH, "nha.found");
    }
    json_decref(vars);
    abdm_link_moment(t->out, t->ev, "nha.over", *id, 0, t->ev->now + SEARCH + ABDM_LINK_MINUTE);
    return ABDM_NO_ERR;
}


/* The request of the event's subject while nobody was found for it; *open false: there is none. */
static abdm_err_t
searching(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, abdm_row_request_t *row, bool *open)
{
    abdm_err_t err = abdm_link_row(ctx, ABDM_ROW_request, ev->hip_id, ev->subject, row);

    *open = !abdm_failed(err) && row->state == ABDM_REQUEST_OPEN && row->patient_ref == NULL;
    return err.code == ABDM_E_NOT_FOUND ? ABDM_NO_ERR : err;
}


/* The only patient of the answer who has the very address; NULL: none, or several. */
static const json_t *
only_holder(const json_t *patients, const char *address)
{
    const json_t *found = NULL;
    json_t *patient;
    size_t i;

    json_array_foreach(patients, i, patient) {
        const char *own = abdm_json_string_at(patient, "abhaAddress");

        if (own != NULL && strcmp(own, address) == 0) {
            if (found != NULL) {
                return NULL;
            }
            found = patient;
        }
    }
    return found;
}


static abdm_err_t
take_patient(abdm_turn_t *t, const json_t *patient, const char *address, abdm_row_patient_t *row)
{
    const char *mobile = abdm_json_string_at(patient, "mobiles.0");
    char digits[ABDM_MOBILE_TEXT];
    abdm_row_patient_t told = {
        .ref = (char *) abdm_json_string_at(patient, "reference"),
        .abha_address = (char *) address,
        .abha_number = (char *) abdm_json_string_at(patient, "abhaNumber"),
        .name = (char *) abdm_json_string_at(patient, "name"),
        .gender = (char *) abdm_json_string_at(patient, "gender"),
        .mobile = abdm_mobile_digits(abdm_str(mobile), digits) ? digits : NULL,
        .year_of_birth = json_integer_value(json_object_get(patient, "yearOfBirth")),
    };

    return told.ref != NULL ? abdm_turn_patient(t, &told, row)
                            : ABDM_ERR(PATIENT_NONE, "a patient without reference");
}


/* The care contexts that waited, borrowed from `list`. */
static abdm_err_t
take_contexts(abdm_turn_t *t, const abdm_row_patient_t *patient, const json_t *list)
{
    size_t n = json_array_size(list);
    abdm_row_context_t *told = calloc(n + 1, sizeof(*told));
    abdm_err_t err;

    if (told == NULL) {
        return ABDM_ERR(MEMORY, "care contexts");
    }
    for (size_t i = 0; i < n; i++) {
        const json_t *item = json_array_get(list, i);

        told[i].ref = (char *) json_string_value(json_array_get(item, 0));
        told[i].display = (char *) json_string_value(json_array_get(item, 1));
        told[i].hi_types = json_integer_value(json_array_get(item, 2));
    }
    err = abdm_turn_keep(t, patient, told, n);
    free(told);
    return err;
}


/* What waited for the patient goes on; what speaks against it now fails the request. */
static abdm_err_t
go_on(abdm_turn_t *t, const json_t *vars, const json_t *patient, abdm_row_request_t *request)
{
    abdm_row_patient_t row = {0};
    json_t *list = NULL;
    const char *text = abdm_json_string_at(vars, "careContexts");
    abdm_err_t err;

    err = abdm_json_parse(text != NULL ? text : "[]", text != NULL ? strlen(text) : 2,
                          ABDM_JSON_DEPTH, &list);
    if (!abdm_failed(err)) {
        err = take_patient(t, patient, abdm_json_string_at(vars, "abhaAddress"), &row);
    }
    if (!abdm_failed(err)) {
        err = take_contexts(t, &row, list);
    }
    if (!abdm_failed(err)) {
        abdm_flow_link_due(t->out, t->ev, row.ref, t->ev->now);
        abdm_link_set(t->out, &request->patient_ref, row.ref);
    } else if (abdm_turn_refuses(err)) {
        abdm_effects_clear(t->out);
        request->state = ABDM_REQUEST_FAILED;
        abdm_link_set(t->out, &request->reason, abdm_error_info(err.code)->name);
        err = ABDM_NO_ERR;
    }
    abdm_effect_put_request(t->out, request);
    abdm_row_patient_clear(&row);
    json_decref(list);
    return err;
}


abdm_err_t
abdm_flow_nha_found(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, abdm_effects_t *out)
{
    abdm_turn_t t = {.ctx = ctx, .ev = ev, .out = out, .flavour = ABDM_API_NHA};
    abdm_row_request_t request = {0};
    const json_t *patient = NULL;
    json_t *vars = NULL;
    bool open = false;
    abdm_err_t err;

    t.in = abdm_api_in(NULL, &t.fault);
    err = searching(ctx, ev, &request, &open);
    if (!abdm_failed(err) && open && !abdm_failed(ev->result->err)) {
        err = abdm_json_parse(ev->body, ev->body_len, ABDM_JSON_DEPTH, &vars);
        if (!abdm_failed(err)) {
            patient = only_holder(ev->result->records, abdm_json_string_at(vars, "abhaAddress"));
        }
        if (patient != NULL) {
            err = go_on(&t, vars, patient, &request);
        }
    }
    json_decref(vars);
    json_decref(t.seen);
    abdm_row_request_clear(&request);
    return err;
}


abdm_err_t
abdm_flow_nha_over(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, abdm_effects_t *out)
{
    abdm_row_request_t request = {0};
    bool open = false;
    abdm_err_t err = searching(ctx, ev, &request, &open);

    if (!abdm_failed(err) && open) {
        request.state = ABDM_REQUEST_FAILED;
        abdm_link_set(out, &request.reason, abdm_error_info(ABDM_E_PATIENT_NONE)->name);
        abdm_effect_put_request(out, &request);
    }
    abdm_row_request_clear(&request);
    return err;
}


/* --- the calls --- */

static abdm_err_t
link_of(abdm_turn_t *t, const char *address, const abdm_row_context_t *told, size_t n,
        const char *request_id, char **id)
{
    abdm_row_patient_t patient = {0};
    bool left = false;
    abdm_err_t err;

    ABDM_TRY(abdm_opted_out(t->ctx, t->ev->hip_id, address, &left));
    if (left) {
        return ABDM_ERR(OPTED_OUT, "abhaAddress: its holder has left ABDM");
    }
    err = abdm_patient_holder(t->ctx, t->ev->hip_id, address, NULL, &patient);
    if (!abdm_failed(err)) {
        err = abdm_turn_contexts(t, &patient, told, n, request_id, id);
    } else if (err.code == ABDM_E_NOT_FOUND) {
        err = t->ctx->facility->questions[ABDM_HMIS_FIND_PATIENTS] > 0
                  ? search(t, address, told, n, request_id, id)
                  : ABDM_ERR(NOT_FOUND, "abhaAddress: no patient of this facility has it");
    }
    abdm_row_patient_clear(&patient);
    return err;
}


abdm_err_t
abdm_flow_nha_link(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev, abdm_effects_t *out)
{
    abdm_row_context_t *told = NULL;
    const char *request_id;
    char *id = NULL, *address;
    size_t n = 0;
    abdm_turn_t t;
    abdm_err_t err;

    abdm_turn_begin(&t, ctx, ev, out, ABDM_API_NHA, ABDM_BODY_OBJECT);
    request_id = abdm_api_id(&t.in, "requestId", true);
    address = address_of(&t);
    abdm_api_contexts(&t.in, "careContexts", t.flavour, &told, &n);
    err = abdm_turn_judged(&t);
    if (!abdm_failed(err)) {
        err = link_of(&t, address, told, n, request_id, &id);
    }
    if (!abdm_failed(err)) {
        write_accepted(&t, id, WAITING);
    }
    free(id);
    free(address);
    abdm_row_context_free(told, n);
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
