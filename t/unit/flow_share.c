/* Scan and share: numbers, who it is, and what the HMIS and our rows get to know. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "gateway/outbound_link.h"
#include "link_kit.h"

#define ASHA "asha.k@sbx"

static link_kit_t K;


static int
setup(void **state)
{
    static const char *const counters[] = {"OPD1", "OPD2", "LAB"};

    (void) state;
    link_kit_open(&K);
    for (size_t i = 0; i < 2; i++) {
        K.facility[i].counter = counters;
        K.facility[i].n_counters = 3;
        K.facility[i].questions[ABDM_HMIS_FIND_PATIENTS] = 2;
        K.facility[i].questions[ABDM_HMIS_SAVE_PROFILE] = 1;
    }
    return 0;
}


static int
teardown(void **state)
{
    (void) state;
    link_kit_close(&K);
    return 0;
}


static json_t *
share_of(const char *hip, const char *counter, const char *address)
{
    return json_pack("{s:s, s:{s:s, s:s}, s:{s:{s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:{s:s}, s:s}}}",
                     "intent", "PROFILE_SHARE", "metaData", "hipId", hip, "context", counter,
                     "profile", "patient", "abhaNumber", "91-1112-2223-3334", "abhaAddress",
                     address, "name", "Asha Kumari", "gender", "F", "dayOfBirth", "05",
                     "monthOfBirth", "03", "yearOfBirth", 1988, "address", "line", "12 Road",
                     "phoneNumber", "+91-9000000001");
}


static abdm_err_t
deliver(const char *hip, json_t *body)
{
    char *text = json_dumps(body, JSON_COMPACT);
    abdm_err_t err;

    assert_non_null(text);
    err = link_call_at(&K, hip, "share.asked", text);
    free(text);
    json_decref(body);
    return err;
}


static void
drop_jobs(void)
{
    while (K.n_jobs > 0)
        abdm_job_clear(&K.job[--K.n_jobs]);
}


/* What the gateway is told of the last share. */
static json_t *
told(void)
{
    abdm_job_t job = link_out(&K, ABDM_PATH_ON_SHARE);
    json_t *body = link_body(&job);

    abdm_job_clear(&job);
    assert_at(body, "response.requestId", K.request_id);
    return body;
}


static int
number_told(void)
{
    json_t *body = told();
    int number;

    assert_at(body, "acknowledgement.status", "SUCCESS");
    number = atoi(abdm_json_string_at(body, "acknowledgement.profile.tokenNumber"));
    json_decref(body);
    return number;
}


/* The number that a patient is told at a counter; nothing else is left to be done. */
static int
scan(const char *hip, const char *counter, const char *address)
{
    int number;

    OK_(deliver(hip, share_of(hip, counter, address)));
    number = number_told();
    drop_jobs();
    return number;
}


/* The only share of a patient at the first facility. */
static void
load(const char *address, abdm_row_share_t *row)
{
    abdm_row_share_t *rows = NULL;
    size_t n = 0;

    OK_(abdm_row_share_find(abdm_store_view(K.store.store), ABDM_COL_share_abha_address, HIP,
                            address, 10, &rows, &n));
    assert_int_equal(n, 1);
    *row = rows[0];
    free(rows);
}


/* --- numbers --- */

static void
a_patient_is_told_a_number_at_once_with_counter_and_expiry(void **state)
{
    json_t *body;

    (void) state;
    OK_(deliver(HIP, share_of(HIP, "OPD1", "Asha.K@SBX")));
    body = told();
    assert_at(body, "acknowledgement.status", "SUCCESS");
    assert_at(body, "acknowledgement.abhaAddress", ASHA);
    assert_at(body, "acknowledgement.profile.context", "OPD1");
    assert_at(body, "acknowledgement.profile.tokenNumber", "1");
    assert_at(body, "acknowledgement.profile.expiry", "1800");
    json_decref(body);
    assert_int_equal(link_waiting(&K, "share.found"), 2);
    assert_false(link_on_disk(&K, "Asha"));
    assert_false(link_on_disk(&K, "asha.k"));
}


static void
who_scans_again_within_half_an_hour_keeps_the_number_and_asks_nothing_more(void **state)
{
    json_t *body;

    (void) state;
    assert_int_equal(scan(HIP, "OPD1", ASHA), 1);
    assert_int_equal(scan(HIP, "OPD1", "other@sbx"), 2);
    K.now += 10 * MINUTES + 1;
    OK_(deliver(HIP, share_of(HIP, "OPD1", ASHA)));
    body = told();
    assert_at(body, "acknowledgement.profile.tokenNumber", "1");
    assert_at(body, "acknowledgement.profile.expiry", "1200");
    json_decref(body);
    assert_int_equal(K.n_jobs, 0);
    assert_int_equal(store_kit_number(&K.store, "SELECT count(*) FROM share"), 2);
    K.now = START + 30 * MINUTES - 1;
    assert_int_equal(scan(HIP, "OPD1", ASHA), 1);
    K.now = START + 30 * MINUTES;
    assert_int_equal(scan(HIP, "OPD1", ASHA), 3);
}


static void
each_counter_counts_for_itself(void **state)
{
    (void) state;
    assert_int_equal(scan(HIP, "OPD1", ASHA), 1);
    assert_int_equal(scan(HIP, "LAB", ASHA), 1);
    assert_int_equal(scan(HIP, "OPD1", "b.b@sbx"), 2);
    assert_int_equal(scan(HIP, "LAB", ASHA), 1);
}


static void
a_number_held_at_one_counter_is_none_at_another(void **state)
{
    (void) state;
    assert_int_equal(scan(HIP, "OPD1", "other@sbx"), 1);
    assert_int_equal(scan(HIP, "OPD1", ASHA), 2);
    assert_int_equal(scan(HIP, "LAB", ASHA), 1);
    assert_int_equal(scan(HIP, "OPD1", ASHA), 2);
}


static void
counters_of_one_name_at_two_facilities_count_apart(void **state)
{
    (void) state;
    assert_int_equal(scan(HIP, "OPD1", ASHA), 1);
    assert_int_equal(scan(HIP, "OPD1", "b.b@sbx"), 2);
    assert_int_equal(scan(OTHER, "OPD1", ASHA), 1);
    assert_int_equal(scan(HIP, "OPD1", "c.c@sbx"), 3);
    assert_int_equal(scan(OTHER, "OPD1", "b.b@sbx"), 2);
}


static void
numbers_begin_again_with_the_day_of_the_facility_not_of_utc(void **state)
{
    const abdm_ms_t midnight = START - START % (24 * HOURS) + 24 * HOURS - 330 * MINUTES;

    (void) state;
    K.now = midnight - 1;
    assert_int_equal(scan(HIP, "OPD1", ASHA), 1);
    assert_int_equal(scan(HIP, "OPD1", "b.b@sbx"), 2);
    K.now = midnight;
    assert_int_equal(scan(HIP, "OPD1", "c.c@sbx"), 1);
    assert_int_equal(scan(HIP, "OPD1", ASHA), 1); /* still the one of yesterday */
    K.now = midnight + 330 * MINUTES; /* midnight in UTC */
    assert_int_equal(scan(HIP, "OPD1", "d.d@sbx"), 2);
    K.facility[0].zone = 0;
    K.now += 24 * HOURS;
    assert_int_equal(scan(HIP, "OPD1", "e.e@sbx"), 1);
}


static void
a_clock_that_is_set_back_repeats_no_number(void **state)
{
    (void) state;
    assert_int_equal(scan(HIP, "OPD1", ASHA), 1);
    K.now -= 25 * HOURS;
    assert_int_equal(scan(HIP, "OPD1", "b.b@sbx"), 2);
    K.now += 25 * HOURS;
    assert_int_equal(scan(HIP, "OPD1", "c.c@sbx"), 3);
}


static void
a_thousand_shares_in_any_order_with_restarts_repeat_no_number(void **state)
{
    static const char *const counters[] = {"OPD1", "OPD2", "LAB"};
    static const char *const hips[] = {HIP, OTHER};
    int last[2][3] = {{0}};
    unsigned seed = 20260305;

    (void) state;
    K.facility[0].questions[ABDM_HMIS_FIND_PATIENTS] = 0;
    K.facility[1].questions[ABDM_HMIS_FIND_PATIENTS] = 0;
    store_kit_exec(&K.store, "PRAGMA synchronous=OFF");
    for (int i = 0; i < 1000; i++) {
        int h = rand_r(&seed) % 2, c = rand_r(&seed) % 3;
        char address[32];

        snprintf(address, sizeof(address), "p%d.x@sbx", i);
        assert_int_equal(scan(hips[h], counters[c], address), last[h][c] + 1);
        last[h][c]++;
        K.now += rand_r(&seed) % 1000;
        if (rand_r(&seed) % 40 == 0) {
            abdm_store_close(K.store.store);
            OK_(abdm_store_open(K.store.url, K.store.key, &K.store.store));
        }
    }
    assert_int_equal(store_kit_number(&K.store, "SELECT count(*) FROM share"), 1000);
}


static void
a_facility_that_names_no_counters_serves_every_name(void **state)
{
    (void) state;
    K.facility[0].n_counters = 0;
    assert_int_equal(scan(HIP, "X9", ASHA), 1);
    assert_int_equal(scan(HIP, "Y9", ASHA), 1);
}


/* --- who it is --- */

#define ASHA_OF_HMIS                                                                               \
    "{\"reference\":\"MR-7\",\"name\":\"Asha Kumari\",\"gender\":\"F\",\"yearOfBirth\":1988,"      \
    "\"mobiles\":[\"9000000001\"]}"
#define TWIN_OF_HMIS                                                                               \
    "{\"reference\":\"MR-8\",\"name\":\"Asha Kumari\",\"gender\":\"F\",\"yearOfBirth\":1988,"      \
    "\"mobiles\":[\"9000000001\"]}"
#define SON_OF_HMIS                                                                                \
    "{\"reference\":\"MR-9\",\"name\":\"Ravi Kumar\",\"gender\":\"M\",\"yearOfBirth\":2010,"       \
    "\"mobiles\":[\"9000000001\"]}"


static void
arrive(void)
{
    OK_(deliver(HIP, share_of(HIP, "OPD1", ASHA)));
    assert_int_equal(number_told(), 1);
}


/* What save_profile is given. */
static json_t *
saved_with(void)
{
    return link_body(link_job(&K, "share.saved", 0));
}


static void
the_hmis_is_asked_with_what_abdm_vouches_for(void **state)
{
    json_t *vars;

    (void) state;
    arrive();
    vars = link_body(link_job(&K, "share.found", 1));
    assert_string_equal(link_job(&K, "share.found", 1)->path, "find_patients");
    assert_at(vars, "hipId", HIP);
    assert_at(vars, "mobile", "9000000001");
    assert_at(vars, "abhaNumber", "91-1112-2223-3334");
    assert_at(vars, "abhaAddress", ASHA);
    assert_at(vars, "name", "Asha Kumari");
    assert_at(vars, "gender", "F");
    assert_at(vars, "yearOfBirth", "1988");
    json_decref(vars);
}


static void
a_returning_patient_is_found_saved_and_bound(void **state)
{
    abdm_row_share_t share;
    abdm_row_patient_t patient;
    json_t *vars;

    (void) state;
    arrive();
    link_done(&K, "share.found", 1, "[" SON_OF_HMIS "]");
    assert_int_equal(link_waiting(&K, "share.saved"), 0);
    link_done(&K, "share.found", 0, "[" ASHA_OF_HMIS "]");

    vars = saved_with();
    assert_int_equal(link_job(&K, "share.saved", 0)->deadline_at, K.now + 24 * HOURS);
    assert_at(vars, "hipId", HIP);
    assert_at(vars, "counter", "OPD1");
    assert_int_equal(json_integer_value(json_object_get(vars, "token")), 1);
    assert_at(vars, "patientRef", "MR-7");
    assert_at(vars, "returning", "yes");
    assert_at(vars, "profile.abhaNumber", "91-1112-2223-3334");
    assert_at(vars, "profile.address.line", "12 Road");
    json_decref(vars);

    link_done(&K, "share.saved", 0, "{\"patientReference\":\"MR-7\"}");
    assert_true(link_audited(&K, "ABHA bound to the patient", ABDM_OK));
    assert_string_equal(link_job(&K, "link.due", -1)->subject, "MR-7");
    load(ASHA, &share);
    assert_int_equal(share.saved, 1);
    assert_int_equal(share.returning, 2);
    assert_int_equal(share.waiting, 0);
    assert_null(share.candidates);
    assert_string_equal(share.patient_ref, "MR-7");
    assert_int_equal(share.keep_until, START + 24 * HOURS);
    abdm_row_share_clear(&share);
    LINK_GET(&K, patient, &patient, .hip_id = HIP, .ref = "MR-7");
    assert_string_equal(patient.abha_address, ASHA);
    assert_string_equal(patient.abha_number, "91111222233334");
    assert_string_equal(patient.name, "Asha Kumari");
    assert_string_equal(patient.gender, "F");
    assert_string_equal(patient.mobile, "9000000001");
    assert_int_equal(patient.year_of_birth, 1988);
    abdm_row_patient_clear(&patient);
}


static void
a_new_patient_is_bound_to_the_number_that_the_hmis_gives(void **state)
{
    abdm_row_patient_t patient;
    json_t *vars;

    (void) state;
    arrive();
    link_done(&K, "share.found", 0, "[" SON_OF_HMIS "]");
    link_failed(&K, "share.found", 1, ABDM_E_RECORD_NONE, NULL);
    vars = saved_with();
    assert_at(vars, "returning", "no");
    assert_null(json_object_get(vars, "patientRef"));
    json_decref(vars);
    link_done(&K, "share.saved", 0, "{\"patientReference\":\"MR-100\"}");
    LINK_GET(&K, patient, &patient, .hip_id = HIP, .ref = "MR-100");
    assert_string_equal(patient.abha_address, ASHA);
    abdm_row_patient_clear(&patient);
}


static void
nobody_is_chosen_of_two_and_the_clerk_is_told_that_it_is_not_known(void **state)
{
    json_t *vars;

    (void) state;
    arrive();
    link_done(&K, "share.found", 0, "[" ASHA_OF_HMIS "," TWIN_OF_HMIS "]");
    link_done(&K, "share.found", 1, "[]");
    vars = saved_with();
    assert_at(vars, "returning", "unknown");
    assert_null(json_object_get(vars, "patientRef"));
    json_decref(vars);
}


static void
a_question_without_an_answer_leaves_it_open_but_the_profile_is_saved(void **state)
{
    json_t *vars;

    (void) state;
    arrive();
    link_failed(&K, "share.found", 0, ABDM_E_TIMEOUT, NULL);
    link_done(&K, "share.found", 1, "[" ASHA_OF_HMIS "]");
    vars = saved_with();
    assert_at(vars, "returning", "unknown");
    json_decref(vars);
    assert_true(link_audited(&K, "the HMIS did not say who it is", ABDM_E_HMIS_ANSWER));
}


static void
whose_abha_is_known_here_is_returning_without_a_question(void **state)
{
    json_t *vars;

    (void) state;
    LINK_PUT(&K, patient, .hip_id = (char *) HIP, .ref = (char *) "MR-7",
             .abha_address = (char *) ASHA, .name = (char *) "A. Kumari",
             .mobile = (char *) "9111111111");
    arrive();
    assert_int_equal(link_waiting(&K, "share.found"), 0);
    vars = saved_with();
    assert_at(vars, "returning", "yes");
    assert_at(vars, "patientRef", "MR-7");
    json_decref(vars);
    link_done(&K, "share.saved", 0, "{}");

    abdm_row_patient_t patient;
    LINK_GET(&K, patient, &patient, .hip_id = HIP, .ref = "MR-7");
    assert_string_equal(patient.abha_number, "91111222233334");
    assert_string_equal(patient.name, "Asha Kumari"); /* as ABDM has it, which linking needs */
    assert_string_equal(patient.mobile, "9111111111"); /* the hospital's own */
    abdm_row_patient_clear(&patient);
}


static void
a_patient_of_another_facility_is_not_known_here(void **state)
{
    (void) state;
    LINK_PUT(&K, patient, .hip_id = (char *) OTHER, .ref = (char *) "MR-7",
             .abha_address = (char *) ASHA);
    arrive();
    assert_int_equal(link_waiting(&K, "share.found"), 2);
}


static void
an_hmis_that_is_down_for_a_day_leaves_the_match(void **state)
{
    abdm_row_patient_t patient;
    abdm_row_share_t share;

    (void) state;
    arrive();
    link_done(&K, "share.found", 0, "[" ASHA_OF_HMIS "]");
    link_done(&K, "share.found", 1, "[]");
    K.now += 24 * HOURS - 1;
    link_failed(&K, "share.saved", 0, ABDM_E_CONNECT, NULL);
    assert_true(link_audited(&K, "profile not taken by the HMIS", ABDM_E_CONNECT));
    LINK_GET(&K, patient, &patient, .hip_id = HIP, .ref = "MR-7");
    assert_string_equal(patient.abha_address, ASHA);
    abdm_row_patient_clear(&patient);
    load(ASHA, &share);
    assert_int_equal(share.saved, 0);
    abdm_row_share_clear(&share);
}


static void
without_save_profile_the_match_is_bound_and_the_hmis_is_told(void **state)
{
    abdm_row_patient_t patient;
    json_t *vars;

    (void) state;
    K.facility[0].questions[ABDM_HMIS_SAVE_PROFILE] = 0;
    K.facility[0].questions[ABDM_HMIS_TELL] = 1;
    arrive();
    link_done(&K, "share.found", 0, "[" ASHA_OF_HMIS "]");
    link_done(&K, "share.found", 1, "[]");
    assert_int_equal(link_waiting(&K, "share.saved"), 0);
    vars = link_body(link_job(&K, "hmis.told", 0));
    assert_at(vars, "event", "shared");
    assert_at(vars, "patientRef", "MR-7");
    assert_null(json_object_get(vars, "profile"));
    json_decref(vars);
    LINK_GET(&K, patient, &patient, .hip_id = HIP, .ref = "MR-7");
    assert_string_equal(patient.abha_address, ASHA);
    abdm_row_patient_clear(&patient);
}


static void
without_any_question_there_is_still_a_number(void **state)
{
    (void) state;
    memset(K.facility[0].questions, 0, sizeof(K.facility[0].questions));
    arrive();
    assert_int_equal(K.n_jobs, 0);
}


/* --- conflicts --- */

/* The HMIS gives `ref` for Asha; nothing of the rows may change. */
static void
assert_not_bound(const char *ref)
{
    char answer[64];

    snprintf(answer, sizeof(answer), "{\"patientReference\":\"%s\"}", ref);
    arrive();
    if (link_waiting(&K, "share.found") > 0) {
        link_done(&K, "share.found", 0, "[]");
        link_done(&K, "share.found", 1, "[]");
    }
    link_done(&K, "share.saved", 0, answer);
    assert_true(link_audited(&K, "ABHA not bound to the patient", ABDM_E_ABHA_TAKEN));
    assert_int_equal(link_waiting(&K, "link.due"), 0);
}


static void
an_abha_of_another_patient_is_not_moved(void **state)
{
    abdm_row_patient_t patient;

    (void) state;
    LINK_PUT(&K, patient, .hip_id = (char *) HIP, .ref = (char *) "MR-1",
             .abha_address = (char *) ASHA);
    assert_not_bound("MR-2");
    LINK_GET(&K, patient, &patient, .hip_id = HIP, .ref = "MR-1");
    assert_string_equal(patient.abha_address, ASHA);
    abdm_row_patient_clear(&patient);
    assert_int_equal(store_kit_number(&K.store, "SELECT count(*) FROM patient"), 1);
}


static void
an_abha_number_of_another_patient_is_not_moved(void **state)
{
    (void) state;
    LINK_PUT(&K, patient, .hip_id = (char *) HIP, .ref = (char *) "MR-1",
             .abha_number = (char *) "91111222233334");
    assert_not_bound("MR-2");
    assert_int_equal(store_kit_number(&K.store, "SELECT count(*) FROM patient"), 1);
}


static void
a_patient_who_holds_another_abha_keeps_it(void **state)
{
    abdm_row_patient_t patient;

    (void) state;
    LINK_PUT(&K, patient, .hip_id = (char *) HIP, .ref = (char *) "MR-2",
             .abha_address = (char *) "somebody@sbx");
    assert_not_bound("MR-2");
    LINK_GET(&K, patient, &patient, .hip_id = HIP, .ref = "MR-2");
    assert_string_equal(patient.abha_address, "somebody@sbx");
    abdm_row_patient_clear(&patient);
}


static void
a_patient_who_left_abdm_is_refused_a_number_and_not_bound(void **state)
{
    json_t *body;

    (void) state;
    LINK_PUT(&K, opt_out, .hip_id = (char *) HIP, .abha_address = (char *) ASHA,
             .status = (char *) "DEACTIVATED");
    OK_(deliver(HIP, share_of(HIP, "OPD1", ASHA)));
    assert_true(link_audited(&K, "share refused", ABDM_E_OPTED_OUT));
    body = told();
    assert_at(body, "acknowledgement.status", "FAILED");
    json_decref(body);
    assert_int_equal(K.n_jobs, 0);
    assert_int_equal(store_kit_number(&K.store, "SELECT count(*) FROM share"), 0);
    assert_int_equal(store_kit_number(&K.store, "SELECT count(*) FROM counter"), 0);
}


static void
a_patient_who_leaves_meanwhile_is_not_bound(void **state)
{
    (void) state;
    arrive();
    link_done(&K, "share.found", 0, "[" ASHA_OF_HMIS "]");
    link_done(&K, "share.found", 1, "[]");
    LINK_PUT(&K, opt_out, .hip_id = (char *) HIP, .abha_address = (char *) ASHA,
             .status = (char *) "DELETED");
    link_done(&K, "share.saved", 0, "{\"patientReference\":\"MR-7\"}");
    assert_true(link_audited(&K, "ABHA not bound to the patient", ABDM_E_OPTED_OUT));
    assert_int_equal(store_kit_number(&K.store, "SELECT count(*) FROM patient"), 0);
}


static void
answers_about_a_share_that_is_gone_change_nothing(void **state)
{
    (void) state;
    arrive();
    store_kit_exec(&K.store, "DELETE FROM share");
    link_done(&K, "share.found", 0, "[" ASHA_OF_HMIS "]");
    link_done(&K, "share.found", 1, "[]");
    assert_int_equal(K.n_jobs, 0);
    assert_false(link_changed(&K));
}


/* --- bad input --- */

/* The body is refused with `code` on the wire, and nothing is kept. */
static void
assert_refused(json_t *body, abdm_code_t code)
{
    json_t *answer;
    size_t jobs;

    OK_(deliver(HIP, body));
    jobs = K.n_jobs;
    if (!link_audited(&K, "share refused", code))
        fail_msg("not refused with %s", abdm_error_info(code)->name);
    assert_int_equal(jobs, 1);
    answer = told();
    assert_at(answer, "error.code", abdm_error_info(code)->wire);
    if (abdm_json_at(answer, "acknowledgement") != NULL) { /* whose, could be read */
        assert_at(answer, "acknowledgement.status", "FAILED");
        assert_at(answer, "acknowledgement.abhaAddress", ASHA);
    }
    json_decref(answer);
    assert_int_equal(store_kit_number(&K.store, "SELECT count(*) FROM share"), 0);
    assert_int_equal(store_kit_number(&K.store, "SELECT count(*) FROM counter"), 0);
}


static json_t *
with(const char *object, const char *member, json_t *value)
{
    json_t *body = share_of(HIP, "OPD1", ASHA);
    json_t *o = *object != '\0' ? abdm_json_at(body, object) : body;

    assert_non_null(o);
    if (value == NULL)
        assert_int_equal(json_object_del(o, member), 0);
    else
        assert_int_equal(json_object_set_new(o, member, value), 0);
    return body;
}


static void
other_intents_counters_and_facilities_are_refused_each_with_its_code(void **state)
{
    (void) state;
    assert_refused(with("", "intent", json_string("RECORD_SHARE")), ABDM_E_INTENT);
    assert_refused(with("", "intent", json_string("profile_share")), ABDM_E_INTENT);
    assert_refused(with("metaData", "context", json_string("OPD9")), ABDM_E_COUNTER_UNKNOWN);
    assert_refused(with("metaData", "context", json_string("opd1")), ABDM_E_COUNTER_UNKNOWN);
    assert_refused(with("metaData", "hipId", json_string(OTHER)), ABDM_E_FIELD);
    assert_refused(with("metaData", "hipId", json_string("IN09900012")), ABDM_E_FIELD);
}


static void
each_field_missing_null_of_wrong_type_or_too_long_is_refused(void **state)
{
    static const struct {
        const char *object, *member;
        bool required;
    } rows[] = {
        {"", "intent", true},
        {"", "profile", true},
        {"metaData", "context", true},
        {"metaData", "hipId", false},
        {"profile", "patient", true},
        {"profile.patient", "abhaAddress", true},
        {"profile.patient", "abhaNumber", false},
        {"profile.patient", "name", true},
        {"profile.patient", "yearOfBirth", false},
        {"profile.patient", "phoneNumber", false},
    };
    char *giant = malloc(70000);

    (void) state;
    assert_non_null(giant);
    memset(giant, 'a', 69999);
    giant[69999] = '\0';
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].required) {
            assert_refused(with(rows[i].object, rows[i].member, NULL), ABDM_E_FIELD);
            assert_refused(with(rows[i].object, rows[i].member, json_null()), ABDM_E_FIELD);
        }
        assert_refused(with(rows[i].object, rows[i].member, json_true()), ABDM_E_FIELD);
        assert_refused(with(rows[i].object, rows[i].member, json_array()), ABDM_E_FIELD);
        assert_refused(with(rows[i].object, rows[i].member, json_string(giant)), ABDM_E_FIELD);
    }
    assert_refused(with("profile.patient", "abhaAddress", json_string("not an address")),
                   ABDM_E_FIELD);
    assert_refused(with("profile.patient", "abhaNumber", json_string("123")), ABDM_E_FIELD);
    assert_refused(with("profile.patient", "yearOfBirth", json_integer(12)), ABDM_E_FIELD);
    free(giant);
}


static void
the_form_of_v1_is_served_too(void **state)
{
    json_t *body = json_pack("{s:{s:s}, s:{s:s, s:{s:s, s:s, s:s, s:s, s:[{s:s, s:s}]}}}", "intent",
                             "type", "PROFILE_SHARE", "profile", "hipCode", "LAB", "patient",
                             "healthId", ASHA, "name", "Asha Kumari", "gender", "F",
                             "yearOfBirth", "1988", "identifiers", "type", "MOBILE", "value",
                             "9000000001");
    json_t *vars;

    (void) state;
    OK_(deliver(HIP, body));
    assert_int_equal(number_told(), 1);
    link_done(&K, "share.found", 0, "[" ASHA_OF_HMIS "]");
    link_done(&K, "share.found", 1, "[]");
    vars = saved_with();
    assert_at(vars, "returning", "yes");
    assert_at(vars, "profile.healthId", ASHA);
    json_decref(vars);
}


static void
when_any_read_fails_nothing_is_done_and_the_event_comes_again(void **state)
{
    (void) state;
    LINK_EACH_READ_FAILS(&K, deliver(HIP, share_of(HIP, "OPD1", ASHA)));
    assert_int_equal(number_told(), 1);
    link_done(&K, "share.found", 0, "[" ASHA_OF_HMIS "]");
    LINK_EACH_READ_FAILS(&K, link_raise(&K, link_job(&K, "share.found", 1),
                                        (abdm_result_t){.records = json_array()}));
    LINK_EACH_READ_FAILS(
        &K, link_raise(&K, link_job(&K, "share.saved", 0),
                       (abdm_result_t){.records = json_pack("{s:s}", "patientReference", "MR-7")}));
    assert_int_equal(link_waiting(&K, "link.due"), 1);
}


#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_patient_is_told_a_number_at_once_with_counter_and_expiry),
        TEST(who_scans_again_within_half_an_hour_keeps_the_number_and_asks_nothing_more),
        TEST(each_counter_counts_for_itself),
        TEST(a_number_held_at_one_counter_is_none_at_another),
        TEST(counters_of_one_name_at_two_facilities_count_apart),
        TEST(numbers_begin_again_with_the_day_of_the_facility_not_of_utc),
        TEST(a_clock_that_is_set_back_repeats_no_number),
        TEST(a_thousand_shares_in_any_order_with_restarts_repeat_no_number),
        TEST(a_facility_that_names_no_counters_serves_every_name),
        TEST(the_hmis_is_asked_with_what_abdm_vouches_for),
        TEST(a_returning_patient_is_found_saved_and_bound),
        TEST(a_new_patient_is_bound_to_the_number_that_the_hmis_gives),
        TEST(nobody_is_chosen_of_two_and_the_clerk_is_told_that_it_is_not_known),
        TEST(a_question_without_an_answer_leaves_it_open_but_the_profile_is_saved),
        TEST(whose_abha_is_known_here_is_returning_without_a_question),
        TEST(a_patient_of_another_facility_is_not_known_here),
        TEST(an_hmis_that_is_down_for_a_day_leaves_the_match),
        TEST(without_save_profile_the_match_is_bound_and_the_hmis_is_told),
        TEST(without_any_question_there_is_still_a_number),
        TEST(an_abha_of_another_patient_is_not_moved),
        TEST(an_abha_number_of_another_patient_is_not_moved),
        TEST(a_patient_who_holds_another_abha_keeps_it),
        TEST(a_patient_who_left_abdm_is_refused_a_number_and_not_bound),
        TEST(a_patient_who_leaves_meanwhile_is_not_bound),
        TEST(answers_about_a_share_that_is_gone_change_nothing),
        TEST(other_intents_counters_and_facilities_are_refused_each_with_its_code),
        TEST(each_field_missing_null_of_wrong_type_or_too_long_is_refused),
        TEST(the_form_of_v1_is_served_too),
        TEST(when_any_read_fails_nothing_is_done_and_the_event_comes_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
