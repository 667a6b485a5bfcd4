/*
 * The gateway's limits and the fate of each care context, whatever happens: a gateway that answers
 * at random for simulated days, late, twice, or not at all, and takes notes of what reaches it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "linking_kit.h"

#define GENERATE ABDM_PATH_GENERATE_TOKEN
#define LINK     ABDM_PATH_LINK_CONTEXT

enum { PATIENTS = 5, CALLBACKS = 4000, VISITS = 60, RUNS = 12, ROUGH_DAYS = 5 };

typedef struct {
    abdm_ms_t last;      /* token request that reached the gateway */
    abdm_ms_t counted[3]; /* the last ones that it counted, newest first */
    abdm_ms_t blocked;   /* until then, as we were told */
} notes_t;

typedef struct {
    abdm_ms_t at;
    int patient;
    char event[24], id[37], members[512];
} callback_t;

static notes_t notes[PATIENTS];
static callback_t callbacks[CALLBACKS];
static size_t n_callbacks;
static bool was_linked[VISITS];
static int n_visits, requests;
static bool kind; /* the gateway answers everything well */
static uint64_t seed;


static unsigned
dice(unsigned n)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned) (seed >> 33) % n;
}


static int
patient_of(const abdm_job_t *job)
{
    json_t *body = link_body(job);
    int n = atoi(abdm_json_string_at(body, "abhaAddress") + strlen("pat"));

    json_decref(body);
    assert_true(n >= 0 && n < PATIENTS);
    return n;
}


/* When a job leaves: mostly soon, some in a long queue. */
static abdm_ms_t
leaves_at(const abdm_job_t *job)
{
    unsigned hash = (unsigned) (job->created_at / 7) * 2654435761u;

    return job->due_at
           + (kind ? 0 : hash % 8 == 0 ? (abdm_ms_t) (hash % (90 * 60)) * SECONDS : hash % 2000);
}


static callback_t *
call_back(int patient, const char *event, const char *id, const char *members)
{
    callback_t *c = &callbacks[n_callbacks++];

    assert_true(n_callbacks <= CALLBACKS);
    memset(c, 0, sizeof(*c));
    c->at = K.now + (abdm_ms_t) (kind ? 2 : dice(10) == 0 ? dice(7200) : dice(90)) * SECONDS;
    c->patient = patient;
    snprintf(c->event, sizeof(c->event), "%s", event);
    snprintf(c->id, sizeof(c->id), "%s", id);
    snprintf(c->members, sizeof(c->members), "%s", members);
    return c;
}


static void
call_back_error(int patient, const char *event, const char *id, const char *code)
{
    char members[96];

    snprintf(members, sizeof(members), "\"error\":{\"code\":\"ABDM-%s\",\"message\":\"no\"}", code);
    (void) call_back(patient, event, id, members);
}


/* The gateway's notes on a token request that has reached it, and their rules. */
static void
note(int patient, bool counted)
{
    notes_t *n = &notes[patient];

    requests++;
    if (n->last != 0)
        assert_true(K.now - n->last >= 7 * MINUTES);
    if (K.now < n->blocked)
        fail_msg("asked %lld ms before the end of a block", (long long) (n->blocked - K.now));
    n->last = K.now;
    if (counted) {
        assert_true(n->counted[2] == 0 || K.now - n->counted[2] >= DAYS);
        n->counted[2] = n->counted[1];
        n->counted[1] = n->counted[0];
        n->counted[0] = K.now;
    }
}


static void
token_outcome(int patient, const char *id)
{
    static const char *const errors[] = {"1027", "1092", "1024", "1036"};
    char members[512];
    unsigned how = kind ? 9 : dice(10);

    if (how < 2)
        return; /* silence */
    if (how < 4) {
        call_back_error(patient, "link.token_came", id, errors[dice(4)]);
        return;
    }
    snprintf(members, sizeof(members), "\"abhaAddress\":\"pat%d@sbx\",\"linkToken\":\"%s\"",
             patient, jwt(K.now + (dice(3) == 0 && !kind ? HOURS : 182 * DAYS)));
    (void) call_back(patient, "link.token_came", id, members);
    if (dice(5) == 0)
        (void) call_back(patient, "link.token_came", id, members);
}


static void
token_leaves(void)
{
    static const abdm_code_t lost[] = {ABDM_E_CONNECT, ABDM_E_RESOLVE, ABDM_E_TLS};
    int patient = patient_of(call_to(GENERATE));
    unsigned how = kind ? 9 : dice(12);
    const char *id = leaves(GENERATE);

    if (how < 2) {
        result_is(GENERATE, lost[dice(3)], 0, "");
        return;
    }
    note(patient, how != 2 && how != 3);
    if (how >= 6)
        token_outcome(patient, id); /* may come before the answer does */
    K.now += (abdm_ms_t) dice(30) * SECONDS;
    if (how == 2) {
        result_is(GENERATE, ABDM_E_HTTP_STATUS, 503, "");
    } else if (how == 3) {
        result_is(GENERATE, ABDM_E_HTTP_STATUS, 429, "2429");
    } else if (how == 4) {
        result_is(GENERATE, ABDM_E_GATEWAY_REFUSED, 400, "1027");
        notes[patient].blocked = K.now + DAYS;
    } else if (how == 5) {
        result_is(GENERATE, ABDM_E_GATEWAY_REFUSED, 400, "1092");
    } else if (how == 6) {
        result_is(GENERATE, ABDM_E_TIMEOUT, 0, "");
    } else {
        taken(GENERATE);
    }
}


/* Each context of a link request is under this very request, and was not linked before. */
static void
check_link(const abdm_job_t *job)
{
    json_t *body = link_body(job), *context;
    size_t i;

    json_array_foreach(abdm_json_at(body, "patient.0.careContexts"), i, context)
    {
        const char *ref = abdm_json_string_at(context, "referenceNumber");
        const abdm_row_context_t *row = context_row(ref);

        if (row->state == ABDM_LINK_PENDING)
            assert_string_equal(row->batch, job->subject);
        if (strcmp(row->batch, job->subject) != 0 && was_linked[atoi(ref + 2)])
            fail_msg("%s is asked to be linked again", ref);
    }
    json_decref(body);
}


static void
link_leaves(void)
{
    static const char *const errors[] = {"1026", "1062", "1024", "1037", "1056"};
    int patient = patient_of(call_to(LINK));
    unsigned how = kind ? 9 : dice(12);
    const char *id;

    check_link(call_to(LINK));
    id = leaves(LINK);
    K.now += (abdm_ms_t) dice(20) * SECONDS;
    if (how == 0) {
        result_is(LINK, ABDM_E_TIMEOUT, 0, "");
        (void) call_back(patient, "link.linked", id, "");
    } else if (how == 1) {
        result_is(LINK, ABDM_E_GATEWAY_REFUSED, 400, errors[dice(5)]);
    } else if (how == 2) {
        result_is(LINK, ABDM_E_CONNECT, 0, "");
    } else {
        taken(LINK);
        if (how == 3)
            return;
        if (how < 6)
            call_back_error(patient, "link.linked", id, errors[dice(5)]);
        else
            (void) call_back(patient, "link.linked", id, "");
        if (how == 7)
            (void) call_back(patient, "link.linked", id, "");
    }
}


static void
deliver(size_t i)
{
    callback_t c = callbacks[i];
    notes_t *n = &notes[c.patient];

    memmove(&callbacks[i], &callbacks[i + 1], (n_callbacks - i - 1) * sizeof(c));
    n_callbacks--;
    answers(c.event, c.id, c.members);
    if (strstr(c.members, "1027") != NULL && link_audited(&K, "link token refused",
                                                          ABDM_E_LINK_REFUSED))
        n->blocked = K.now + DAYS;
    for (int v = 0; v < n_visits; v++) {
        char ref[16];

        snprintf(ref, sizeof(ref), "V-%05d", v);
        was_linked[v] |= state_of(ref) == ABDM_LINK_LINKED;
    }
}


/* The next thing that happens, not after `until`; false: nothing. */
static bool
happen(abdm_ms_t until)
{
    abdm_ms_t first = until + 1;
    abdm_job_t *job = NULL;
    size_t back = CALLBACKS;

    for (size_t i = 0; i < K.n_jobs; i++) {
        abdm_job_t *j = &K.job[i];
        abdm_ms_t at = j->kind == ABDM_JOB_EVENT ? j->due_at : leaves_at(j);

        if (at < first && (j->kind == ABDM_JOB_EVENT || j == call_to(j->path))) {
            first = at;
            job = j;
        }
    }
    for (size_t i = 0; i < n_callbacks; i++) {
        if (callbacks[i].at < first) {
            first = callbacks[i].at;
            back = i;
        }
    }
    if (first > until)
        return false;
    K.now = first > K.now ? first : K.now;
    if (back < CALLBACKS)
        deliver(back);
    else if (job->kind == ABDM_JOB_EVENT)
        OK_(link_raise(&K, job, (abdm_result_t){0}));
    else if (strcmp(job->path, GENERATE) == 0)
        token_leaves();
    else
        link_leaves();
    return true;
}


static void
until(abdm_ms_t then)
{
    while (happen(then))
        ;
    K.now = then > K.now ? then : K.now;
}


static void
new_visit(void)
{
    char ref[16], patient[16];

    if (n_visits == VISITS)
        return;
    snprintf(ref, sizeof(ref), "V-%05d", n_visits++);
    snprintf(patient, sizeof(patient), "MR-%u", dice(PATIENTS));
    visit(ref, patient);
    due(patient);
}


static void
no_limit_is_broken_and_no_visit_forgotten(void **state)
{
    (void) state;
    for (unsigned run = 0; run < RUNS; run++) {
        abdm_ms_t end;

        kit_open(NULL);
        memset(notes, 0, sizeof(notes));
        memset(was_linked, 0, sizeof(was_linked));
        n_callbacks = 0;
        n_visits = 0;
        kind = false;
        seed = run + 1;
        for (int i = 0; i < PATIENTS; i++) {
            char ref[16], abha[32];

            snprintf(ref, sizeof(ref), "MR-%d", i);
            snprintf(abha, sizeof(abha), "pat%d@sbx", i);
            patient_with(ref, abha);
        }
        for (end = K.now + ROUGH_DAYS * DAYS; K.now < end;) {
            new_visit();
            until(K.now + (abdm_ms_t) dice(4 * 3600) * SECONDS);
        }
        kind = true;
        until(K.now + 4 * DAYS);
        assert_int_equal(count_in(ABDM_LINK_NONE) + count_in(ABDM_LINK_PENDING), 0);
        assert_int_equal(count_in(ABDM_LINK_LINKED) + count_in(ABDM_LINK_FAILED), n_visits);
        assert_true(count_in(ABDM_LINK_LINKED) > 0);
        assert_true(requests > 0);
        assert_int_equal(
            store_kit_number(&K.store, "SELECT count(*) FROM context WHERE state = 3"
                                       " AND (reason IS NULL OR reason NOT IN ('1036', '1037',"
                                       " '1026', '1062', 'E_TIMEOUT'))"),
            0);
        kit_close(NULL);
    }
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_limit_is_broken_and_no_visit_forgotten),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
