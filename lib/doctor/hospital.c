/*
 * The hospital's side: each question that may be asked without doing anything is asked, of a
 * patient whom no hospital has, and held against the plain form as in earnest. What a patient's
 * file says is never told, only how much of it there is.
 */
#include <stdio.h>
#include <string.h>

#include "doctor/doctor.h"

enum { SLOW_MS = 3000, PATIENCE_MS = 30 * 1000, FEED_LIMIT = 5 };

#define NOBODY_MOBILE "0000000000"

typedef struct {
    abdm_doctor_t *d;
    const abdm_engine_facility_t *facility;
    const char *check;
    char subject[160];
} exam_t;


static void
say(const exam_t *x, abdm_finding_state_t state, const char *seen, const char *remedy)
{
    abdm_doctor_tell(x->d, x->check, x->subject, state, seen, remedy);
}


/* A good answer, or a slow one. */
static void
say_answered(const exam_t *x, const abdm_probe_t *probe, const char *what)
{
    char seen[ABDM_DOCTOR_TEXT];
    bool slow = probe->took_ms > SLOW_MS;

    abdm_doctor_text(seen, "%s, in %lld ms", what, (long long) probe->took_ms);
    say(x, slow ? ABDM_FINDING_WARN : ABDM_FINDING_OK, seen,
        slow ? "a discovery must be answered within 10 s, of several questions: let the HMIS index "
               "what it is asked for"
             : "");
}


static void
say_failed(const exam_t *x, const abdm_probe_t *probe, abdm_err_t err)
{
    char seen[ABDM_DOCTOR_TEXT];
    const char *remedy = abdm_probe_remedy(err);

    if (err.code == ABDM_E_HTTP_STATUS || err.code == ABDM_E_RECORD_NONE) {
        abdm_doctor_text(seen, "the HMIS answers with status %d", probe->call.status);
        remedy =
            probe->call.status == 401 || probe->call.status == 403
                ? "the HMIS wants a login: let nginx send it (proxy_set_header in the server that "
                  "hmis leads to)"
            : probe->call.status == 502 || probe->call.status == 504
                ? "nginx is reached, the HMIS behind it is not: is it up, and proxy_pass right?"
            : probe->call.status == 404
                ? "compare the path in mapping.json and the URL of hmis with the HMIS's own; for "
                  "somebody whom it does not know it may be right"
                : "see the log of the HMIS";
    } else if (err.code == ABDM_E_HMIS_ANSWER) {
        abdm_doctor_text(seen, "its answer cannot be used: %s", err.what);
        remedy =
            "try the mapping by hand: curl URL | jq -f FILE.jq; conf/hmis/README.md has the form";
    } else if (err.code == ABDM_E_CONNECT && probe->call.unix_socket != NULL) {
        abdm_doctor_text(seen, "nobody listens on the socket");
        remedy = "is nginx up, with a server that listens on the socket that hmis names?";
    } else {
        abdm_doctor_text(seen, "%s: %s", abdm_error_info(err.code)->meaning, err.what);
    }
    say(x, ABDM_FINDING_FAIL, seen, remedy);
}


/* --- questions --- */

/* Takes the request. */
static abdm_err_t
send_request(const exam_t *x, abdm_hmis_request_t *request, abdm_probe_t *probe)
{
    bool final;
    abdm_err_t err;

    memset(probe, 0, sizeof(*probe));
    err = abdm_call_take_request(&probe->call, request);
    if (!abdm_failed(err)) {
        probe->call.total_ms = PATIENCE_MS;
        abdm_probe_run(x->d->http, probe);
        err = abdm_hmis_status(&probe->call, &final);
    }
    return err;
}


/* The answer in plain form, owned by the caller; NULL, and told, when there is none. */
static json_t *
ask(const exam_t *x, abdm_hmis_op_t op, int index, const json_t *vars, abdm_probe_t *probe)
{
    abdm_hmis_t *hmis = x->facility->hmis;
    abdm_hmis_request_t request = {0};
    json_t *answer = NULL;
    abdm_err_t err;

    memset(probe, 0, sizeof(*probe));
    err = abdm_hmis_ask(hmis, op, index, vars, &request);
    if (!abdm_failed(err)) {
        err = send_request(x, &request, probe);
    }
    if (!abdm_failed(err)) {
        err = abdm_hmis_answer(hmis, op, index, vars, probe->call.answer.p, probe->call.answer.len,
                               &answer);
    }
    if (op == ABDM_HMIS_FIND_PATIENTS && err.code == ABDM_E_RECORD_NONE) {
        say(x, ABDM_FINDING_WARN, "status 404, which is taken for nobody found",
            "an empty list is expected: were the path wrong, nobody would ever be found");
    } else if (abdm_failed(err)) {
        say_failed(x, probe, err);
    }
    return answer;
}


/* Questions that look for a person, each with values that nobody has. */
static void
find_nobody(exam_t *x)
{
    const char *id = x->facility->facts.id;
    json_t *vars =
        json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s}", "hipId", id, "mobile", NOBODY_MOBILE,
                  "abhaNumber", "00-0000-0000-0000", "abhaAddress", "abdm.doctor@none", "mr",
                  "abdm-doctor", "name", "Abdm Doctor", "gender", "O", "yearOfBirth", "1800");
    int n = abdm_hmis_questions(x->facility->hmis, ABDM_HMIS_FIND_PATIENTS);
    char seen[ABDM_DOCTOR_TEXT];

    if (n == 0) {
        say(x, ABDM_FINDING_WARN, "the mapping has no such question",
            "patients cannot link their records by themselves: add find_patients to mapping.json");
    }
    for (int i = 0; i < n && vars != NULL; i++) {
        abdm_probe_t probe;
        json_t *found;

        snprintf(x->subject, sizeof(x->subject), "%.140s[%d]", id, i);
        found = ask(x, ABDM_HMIS_FIND_PATIENTS, i, vars, &probe);
        if (found != NULL && json_array_size(found) > 0) {
            abdm_doctor_text(seen, "patients found for values that nobody has: %zu",
                             json_array_size(found));
            say(x, ABDM_FINDING_FAIL, seen,
                "the HMIS does not look at what it is asked for, or the mapping's path does not "
                "say it: every patient would be a candidate for every other");
        } else if (found != NULL) {
            say_answered(x, &probe, "nobody found for values that nobody has");
        }
        json_decref(found);
        abdm_probe_clear(&probe);
    }
    json_decref(vars);
}


static void
read_feed(exam_t *x)
{
    char seen[ABDM_DOCTOR_TEXT], limit[8];
    abdm_probe_t probe = {.took_ms = 0};
    json_t *vars, *feed;
    size_t n;

    snprintf(x->subject, sizeof(x->subject), "%.140s", x->facility->facts.id);
    if (abdm_hmis_questions(x->facility->hmis, ABDM_HMIS_NEW_CONTEXTS) == 0) {
        say(x, ABDM_FINDING_SKIPPED, "the mapping has no such question", "");
        return;
    }
    snprintf(limit, sizeof(limit), "%d", FEED_LIMIT);
    vars = json_pack("{s:s,s:s,s:s}", "hipId", x->facility->facts.id, "since", "", "limit", limit);
    feed = vars != NULL ? ask(x, ABDM_HMIS_NEW_CONTEXTS, 0, vars, &probe) : NULL;
    n = json_array_size(json_object_get(feed, "contexts"));
    if (feed != NULL && n > FEED_LIMIT) {
        abdm_doctor_text(seen, "asked for %d, it gives %zu", FEED_LIMIT, n);
        say(x, ABDM_FINDING_WARN, seen, "let the mapping's path pass {limit} on");
    } else if (feed != NULL) {
        abdm_doctor_text(seen, "care contexts read: %zu (nothing is kept)", n);
        say_answered(x, &probe, seen);
    }
    json_decref(feed);
    json_decref(vars);
    abdm_probe_clear(&probe);
}


/* --- of a real patient --- */

static void
list_records(exam_t *x, const char *context)
{
    char seen[ABDM_DOCTOR_TEXT], now[ABDM_TIME_TEXT];
    abdm_hmis_request_t request = {0};
    abdm_probe_t probe = {.took_ms = 0};
    json_t *records = NULL;
    abdm_hmis_query_t query = {
        .hip_id = x->facility->facts.id,
        .patient_ref = x->d->options.patient,
        .care_context_ref = context,
        .from = "1970-01-01T00:00:00.000Z",
        .to = now,
    };
    abdm_err_t err;

    abdm_time_format(abdm_time_now(), now);
    err = abdm_hmis_records_request(x->facility->hmis, &query, &request);
    if (!abdm_failed(err)) {
        err = send_request(x, &request, &probe);
    }
    if (!abdm_failed(err)) {
        err = abdm_hmis_records_map(x->facility->hmis, &query, probe.call.answer.p,
                                    probe.call.answer.len, &records);
    }
    if (abdm_failed(err)) {
        say_failed(x, &probe, err);
    } else {
        say_answered(x, &probe, abdm_doctor_text(seen, "records in the first care context: %zu",
                                                 json_array_size(records)));
    }
    json_decref(records);
    abdm_probe_clear(&probe);
}


static void
look_at_patient(exam_t *x)
{
    static const char needs[] = "needs a real patient; try with --patient REF";
    const char *context = NULL;
    char seen[ABDM_DOCTOR_TEXT];
    json_t *vars, *contexts;
    abdm_probe_t probe;

    if (x->d->options.patient == NULL) {
        say(x, ABDM_FINDING_SKIPPED, needs, "");
        x->check = "records";
        say(x, ABDM_FINDING_SKIPPED, needs, "");
        return;
    }
    if (abdm_hmis_questions(x->facility->hmis, ABDM_HMIS_CARE_CONTEXTS) == 0) {
        say(x, ABDM_FINDING_WARN, "the mapping has no such question",
            "patients cannot link their records by themselves: add care_contexts to mapping.json");
        return;
    }
    vars =
        json_pack("{s:s,s:s}", "hipId", x->facility->facts.id, "patientRef", x->d->options.patient);
    if (vars == NULL) {
        say(x, ABDM_FINDING_FAIL, "--patient is not UTF-8", "give the HMIS's number of a patient");
        return;
    }
    contexts = ask(x, ABDM_HMIS_CARE_CONTEXTS, 0, vars, &probe);
    if (contexts != NULL) {
        say_answered(x, &probe,
                     abdm_doctor_text(seen, "care contexts: %zu", json_array_size(contexts)));
        context = json_string_value(json_object_get(json_array_get(contexts, 0), "reference"));
    }
    x->check = "records";
    if (context != NULL) {
        list_records(x, context);
    } else {
        say(x, ABDM_FINDING_SKIPPED, "no care context is known of that patient", "");
    }
    json_decref(contexts);
    json_decref(vars);
    abdm_probe_clear(&probe);
}


/* --- SMS --- */

static void
send_sms(exam_t *x, abdm_hmis_request_t *request)
{
    abdm_probe_t probe;
    bool again;
    abdm_err_t err;
    char seen[ABDM_DOCTOR_TEXT];

    memset(&probe, 0, sizeof(probe));
    err = abdm_call_take_request(&probe.call, request);
    if (!abdm_failed(err)) {
        probe.call.total_ms = PATIENCE_MS;
        abdm_probe_run(x->d->http, &probe);
        err = probe.call.err;
    }
    if (abdm_failed(err)) {
        say_failed(x, &probe, err);
    } else if (abdm_failed(abdm_sms_judge(x->facility->sms, probe.call.status, probe.call.answer.p,
                                          probe.call.answer.len, &again))) {
        abdm_doctor_text(seen, "the provider did not take a test message: status %d",
                         probe.call.status);
        say(x, ABDM_FINDING_FAIL, seen,
            "compare the template with the provider's manual: path, key, DLT template and entity "
            "ids, and \"success\"");
    } else {
        abdm_doctor_text(seen, "the provider took a test message in %lld ms: has it come?",
                         (long long) probe.took_ms);
        say(x, ABDM_FINDING_OK, seen, "");
    }
    abdm_probe_clear(&probe);
}


static void
examine_sms(exam_t *x)
{
    bool by_hmis = abdm_hmis_questions(x->facility->hmis, ABDM_HMIS_SEND_OTP) > 0;
    const char *mobile = x->d->options.sms;
    abdm_hmis_request_t request = {0};
    json_t *vars;
    abdm_err_t err;

    if (x->facility->sms == NULL) {
        say(x, by_hmis ? ABDM_FINDING_OK : ABDM_FINDING_WARN,
            by_hmis ? "the HMIS sends OTPs" : "neither sms nor the mapping's send_otp is there",
            by_hmis ? ""
                    : "patients cannot link their records by themselves: nobody sends the OTP");
        return;
    }
    vars = json_pack("{s:s,s:s,s:s,s:s}", "mobile", mobile != NULL ? mobile : NOBODY_MOBILE, "otp",
                     "000000", "minutes", "10", "facility", x->facility->facts.name);
    err = vars != NULL ? abdm_sms_request(x->facility->sms, "otp", vars, &request)
                       : ABDM_ERR(FIELD, "sms: the facility's name is not UTF-8");
    if (abdm_failed(err)) {
        say(x, ABDM_FINDING_FAIL, err.what,
            "mend the template of sms: it needs the message \"otp\"");
    } else if (mobile != NULL) {
        send_sms(x, &request);
    } else {
        say(x, ABDM_FINDING_OK, "the call can be made; --sms MOBILE sends a test message", "");
    }
    abdm_hmis_request_clear(&request);
    json_decref(vars);
}


void
abdm_examine_hospital(abdm_doctor_t *d)
{
    static const abdm_hmis_op_t others[] = {ABDM_HMIS_SAVE_PROFILE, ABDM_HMIS_SEND_OTP,
                                            ABDM_HMIS_VERIFY_OTP, ABDM_HMIS_TELL};

    d->area = "hospital";
    for (size_t i = 0; i < d->config->n_facility; i++) {
        exam_t x = {.d = d, .facility = &d->abdm->facility[i], .check = "find_patients"};

        if (!abdm_doctor_wants(d, x.facility->facts.id)) {
            continue;
        }
        snprintf(x.subject, sizeof(x.subject), "%.140s", x.facility->facts.id);
        find_nobody(&x);
        x.check = "new_contexts";
        read_feed(&x);
        x.check = "care_contexts";
        look_at_patient(&x);
        for (size_t k = 0; k < sizeof(others) / sizeof(others[0]); k++) {
            x.check = abdm_hmis_op_name(others[k]);
            if (abdm_hmis_questions(x.facility->hmis, others[k]) > 0) {
                say(&x, ABDM_FINDING_SKIPPED, "it would change something", "");
            }
        }
        x.check = "sms";
        examine_sms(&x);
    }
}
