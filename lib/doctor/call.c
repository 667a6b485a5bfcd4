/* One call at a time, waited for, and what its failure means to an operator. */
#include <errno.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "doctor/doctor.h"
#include "gateway/answer.h"

enum { CALL_MS = 20 * 1000, ANSWER_MAX = 4 * 1024 * 1024 };


/* The value of header `name`, when `line` is that header. */
static void
take_header(abdm_str_t line, const char *name, char *out, size_t cap)
{
    size_t n = strlen(name), k = 0;

    if (line.len <= n || line.p[n] != ':' || strncasecmp(line.p, name, n) != 0) {
        return;
    }
    for (size_t i = n + 1; i < line.len && k + 1 < cap; i++) {
        unsigned char c = (unsigned char) line.p[i];

        if ((c > ' ' || (c == ' ' && k > 0)) && c < 0x7f) {
            out[k++] = (char) c;
        }
    }
    out[k] = '\0';
}


static void
on_header(abdm_call_t *call, abdm_str_t line)
{
    abdm_probe_t *probe = (abdm_probe_t *) call;

    take_header(line, "Date", probe->date, sizeof(probe->date));
    take_header(line, "Location", probe->location, sizeof(probe->location));
    take_header(line, "Server", probe->server, sizeof(probe->server));
    take_header(line, "Content-Type", probe->type, sizeof(probe->type));
}


static void
on_done(abdm_call_t *call)
{
    sem_post(call->owner);
}


void
abdm_probe_run(abdm_http_t *http, abdm_probe_t *probe)
{
    abdm_ms_t begun = abdm_time_monotonic();
    sem_t done;

    if (sem_init(&done, 0, 0) != 0) {
        probe->call.err = ABDM_ERR(SYSTEM, "sem_init");
        return;
    }
    if (probe->call.total_ms == 0) {
        probe->call.total_ms = CALL_MS;
    }
    probe->call.idle_ms = probe->call.total_ms;
    if (probe->call.answer_max == 0) {
        probe->call.answer_max = ANSWER_MAX;
    }
    probe->call.header = on_header;
    probe->call.done = on_done;
    probe->call.owner = &done;
    abdm_http_submit(http, &probe->call);
    while (sem_wait(&done) != 0 && errno == EINTR) {
        continue;
    }
    sem_destroy(&done);
    probe->took_ms = abdm_time_monotonic() - begun;
    probe->at = abdm_time_now() - probe->took_ms / 2;
}


void
abdm_probe_clear(abdm_probe_t *probe)
{
    abdm_call_clear(&probe->call);
    memset(probe, 0, sizeof(*probe));
}


void
abdm_probe_gateway(abdm_doctor_t *d, abdm_probe_t *probe, const char *method, const char *base,
                   const char *path, abdm_buf_t *body)
{
    abdm_call_t *call = &probe->call;
    abdm_buf_t url = {0};
    abdm_err_t err = ABDM_NO_ERR;

    memset(probe, 0, sizeof(*probe));
    abdm_buf_addf(&url, "%s%s", base, path);
    call->url = abdm_buf_take(&url);
    call->method = method;
    if (body != NULL) {
        call->body = abdm_source_take_buf(body);
    }
    if (call->url == NULL || (body != NULL && call->body == NULL)) {
        err = ABDM_ERR(MEMORY, "call");
    }
    if (!abdm_failed(err)) {
        err = abdm_call_gateway(call, d->abdm->gateway.cm_id, &(abdm_call_ids_t){0}, d->token);
    }
    if (abdm_failed(err)) {
        call->err = err;
        return;
    }
    abdm_probe_run(d->http, probe);
}


bool
abdm_probe_good(const abdm_probe_t *probe)
{
    abdm_call_answer_t answer;

    if (abdm_failed(probe->call.err)) {
        return false;
    }
    abdm_answer_judge(probe->call.status, probe->call.answer.p, probe->call.answer.len, &answer);
    return answer.verdict == ABDM_CALL_DONE;
}


const char *
abdm_probe_remedy(abdm_err_t err)
{
    switch (err.code) {
    case ABDM_E_RESOLVE:
        return "mend DNS on this machine (/etc/resolv.conf), or the name in the configuration";
    case ABDM_E_CONNECT:
        return "nobody listens there, or a firewall refuses: is the server up, and may this "
               "machine call out on that port?";
    case ABDM_E_TIMEOUT:
        return "no answer in time: a firewall that drops packets, or a server that hangs";
    case ABDM_E_TLS:
        return "see TLS of that host above";
    default:
        return abdm_error_info(err.code)->remedy;
    }
}


/* What the gateway's own codes, and else its statuses, mean to an operator. */
static const struct {
    const char *code;
    int status;
    const char *remedy;
} remedies[] = {
    {"900901", 0, "ABDM does not know this client_id with this secret: they are those of another "
                  "environment (sandbox and production differ), or the secret was renewed"},
    {"900902", 0, "the session was not accepted: a proxy between drops Authorization"},
    {"900908", 0, "ABDM has not subscribed this client to the API: only ABDM's support can do it"},
    {"1016", 0, "the clock of this machine is wrong: see clock"},
    {"2402", 0, "the clock of this machine is wrong: see clock"},
    {"303001", 0, "the gateway is suspended for the moment: try later"},
    {"", 401, "client_id and client_secret are not accepted: see session"},
    {"", 403, "cm_id is not the one of this environment (sandbox sbx, production abdm), or a "
              "firewall of ABDM refuses this address"},
    {"", 404, "there is no such path: url of abdm_gateway leads to another server"},
    {"", 407, "a proxy wants a password: the gateway must be reachable directly"},
    {"", 429, "too many calls: try later"},
};


static const char *
remedy_of(int status, const char *code)
{
    for (size_t i = 0; i < sizeof(remedies) / sizeof(remedies[0]); i++) {
        if (remedies[i].code[0] != '\0' ? strcmp(remedies[i].code, code) == 0
                                        : remedies[i].status == status) {
            return remedies[i].remedy;
        }
    }
    if (status / 100 == 3) {
        return "url of abdm_gateway leads to a server that sends elsewhere: name the gateway "
               "itself";
    }
    return status >= 500
               ? "trouble of ABDM's: try later"
               : "compare client_id, cm_id and url of abdm_gateway with what ABDM gave you";
}


void
abdm_probe_blame(const abdm_probe_t *probe, char seen[ABDM_DOCTOR_TEXT],
                 char remedy[ABDM_DOCTOR_TEXT])
{
    const abdm_call_t *call = &probe->call;
    abdm_call_answer_t answer;

    if (abdm_failed(call->err)) {
        abdm_doctor_text(seen, "%s: %s", abdm_error_info(call->err.code)->meaning, call->err.what);
        abdm_doctor_text(remedy, "%s", abdm_probe_remedy(call->err));
        return;
    }
    abdm_answer_judge(call->status, call->answer.p, call->answer.len, &answer);
    abdm_doctor_text(seen, "status %d%s%s%s%s%s", call->status,
                     answer.code[0] != '\0' ? ", code " : "", answer.code,
                     answer.text[0] != '\0' ? ": \"" : "", answer.text,
                     answer.text[0] != '\0' ? "\"" : "");
    abdm_doctor_text(remedy, "%s", remedy_of(call->status, answer.code));
}
