/* Discovery: who is found, what is offered, and that nobody learns more than that. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "link_kit.h"
#include "link_story.h"

static link_kit_t K;


static int
setup(void **state)
{
    (void) state;
    return link_kit_open(&K);
}


static int
teardown(void **state)
{
    (void) state;
    link_kit_close(&K);
    return 0;
}


static abdm_row_discovery_t
row_of(const char *hip)
{
    abdm_row_discovery_t row = {0};

    LINK_GET(&K, discovery, &row, .hip_id = (char *) hip, .id = TRANSACTION);
    return row;
}


/* The answer, which must leave at `due`. */
static json_t *
answered(abdm_ms_t due)
{
    abdm_job_t job = link_out(&K, ABDM_PATH_ON_DISCOVER);
    json_t *body = link_body(&job);

    assert_int_equal(job.due_at, due);
    assert_true(job.deadline_at > due);
    assert_string_equal(job.event, "discovery.answered");
    assert_at(body, "response.requestId", K.request_id);
    assert_at(body, "transactionId", TRANSACTION);
    abdm_job_clear(&job);
    return body;
}


static void
assert_nobody(void)
{
    json_t *body = answered(K.now + 2 * SECONDS);

    assert_at(body, "error.code", "ABDM-1010");
    assert_null(json_object_get(body, "patient"));
    json_decref(body);
}


/* Asks, has the first question answered, and finds `visits` if somebody is chosen. */
static void
ask(const char *discover, const char *patients, const char *visits)
{
    link_call(&K, "discovery.asked", discover);
    answer_find(&K, patients, NULL, NULL);
    if (link_waiting(&K, "discovery.contexts") > 0)
        link_done(&K, "discovery.contexts", 0, visits);
}


/* The reference of care context `i` of element `e` of an answer; NULL beyond. */
static const char *
context_at(const json_t *body, size_t e, size_t i)
{
    char path[64];

    snprintf(path, sizeof(path), "patient.%zu.careContexts.%zu.referenceNumber", e, i);
    return abdm_json_string_at(body, path);
}


static bool
offers(const json_t *body, const char *reference)
{
    for (size_t e = 0; context_at(body, e, 0) != NULL; e++) {
        for (size_t i = 0; context_at(body, e, i) != NULL; i++) {
            if (strcmp(context_at(body, e, i), reference) == 0)
                return true;
        }
    }
    return false;
}


static void
put_context(const char *ref, const char *patient, abdm_link_state_t state, abdm_ms_t date)
{
    LINK_PUT(&K, context, .hip_id = HIP, .ref = (char *) ref, .patient_ref = (char *) patient,
             .display = "Visit", .hi_types = 1, .state = state, .date = date);
}


/* --- the way of one discovery --- */

static void
test_every_question_is_asked_with_the_verified_identifiers(void **state)
{
    (void) state;
    link_call(&K, "discovery.asked", DISCOVER);
    assert_int_equal(link_waiting(&K, "discovery.found"), 3);
    for (int i = 0; i < 3; i++) {
        abdm_job_t *job = link_job(&K, "discovery.found", i);
        json_t *vars = link_body(job);

        assert_int_equal(job->kind, ABDM_JOB_HMIS);
        assert_string_equal(job->path, "find_patients");
        assert_int_equal(job->due_at, START);
        assert_int_equal(job->deadline_at, START + 8 * SECONDS);
        assert_at(vars, "hipId", HIP);
        assert_at(vars, "mobile", MOBILE);
        assert_at(vars, "abhaNumber", "91-1112-2223-3334");
        assert_at(vars, "abhaAddress", ADDRESS);
        assert_at(vars, "name", "Asha Kumari");
        assert_at(vars, "gender", "F");
        assert_at(vars, "yearOfBirth", "1988");
        assert_null(json_object_get(vars, "mr"));
        json_decref(vars);
    }
    assert_int_equal(link_waiting(&K, "discovery.over"), 1);
    assert_int_equal(link_waiting(&K, "discovery.answered"), 0);
}


static void
test_each_mobile_and_number_is_asked_for_once_and_three_at_most(void **state)
{
    char *text = changed(DISCOVER, "patient.verifiedIdentifiers",
                         "[{\"type\":\"MOBILE\",\"value\":\"9000000001\"},"
                         "{\"type\":\"MOBILE\",\"value\":\"+919000000001\"},"
                         "{\"type\":\"MOBILE\",\"value\":\"+447700900123\"},"
                         "{\"type\":\"MOBILE\",\"value\":\"9000000002\"}]");
    char *both = changed(text, "patient.unverifiedIdentifiers",
                         "[{\"type\":\"MR\",\"value\":\"A\"},{\"type\":\"MR\",\"value\":\"B\"},"
                         "{\"type\":\"MR\",\"value\":\"C\"},{\"type\":\"MR\",\"value\":\"D\"}]");
    static const char *const mobiles[] = {"9000000001", NULL, "9000000002"};
    static const char *const mrs[] = {"A", "B", "C"};

    (void) state;
    K.facility[0].questions[ABDM_HMIS_FIND_PATIENTS] = 1;
    link_call(&K, "discovery.asked", both);
    assert_int_equal(link_waiting(&K, "discovery.found"), 3);
    for (size_t i = 0; i < 3; i++) {
        abdm_job_t job = link_take(&K, link_job(&K, "discovery.found", -1));
        json_t *vars = link_body(&job);

        if (mobiles[i] != NULL)
            assert_at(vars, "mobile", mobiles[i]);
        else
            assert_null(json_object_get(vars, "mobile")); /* of another country */
        assert_at(vars, "mr", mrs[i]);
        assert_int_equal(json_object_get(vars, "abhaAddress") != NULL, i == 0);
        json_decref(vars);
        abdm_job_clear(&job);
    }
    free(both);
    free(text);
}


static void
test_the_patient_of_the_mobile_and_name_is_offered_what_is_not_linked(void **state)
{
    abdm_row_discovery_t row;
    abdm_job_t *job;
    json_t *body;

    (void) state;
    link_call(&K, "discovery.asked", DISCOVER);
    answer_find(&K, "[" RAVI "," ASHA "]", NULL, "[]");
    job = link_job(&K, "discovery.contexts", 0);
    assert_int_equal(job->kind, ABDM_JOB_HMIS);
    assert_string_equal(job->path, "care_contexts");
    assert_int_equal(job->deadline_at, START + 8 * SECONDS);
    body = link_body(job);
    assert_at(body, "patientRef", "MR-1");
    assert_at(body, "hipId", HIP);
    json_decref(body);

    K.now += 700;
    link_done(&K, "discovery.contexts", 0, VISITS);
    assert_true(link_audited(&K, "patient discovered", ABDM_OK));
    body = answered(START + 2 * SECONDS);
    assert_null(json_object_get(body, "error"));
    assert_at(body, "patient.0.referenceNumber", "MR-1");
    assert_at(body, "patient.0.display", "Asha K");
    assert_true(offers(body, "OPD-1"));
    assert_true(offers(body, "LAB-2"));
    assert_at(body, "matchedBy.0", "MOBILE");
    assert_int_equal(json_array_size(json_object_get(body, "matchedBy")), 1);
    json_decref(body);

    row = row_of(HIP);
    assert_int_equal(row.state, ABDM_DISCOVERY_OFFERED);
    assert_int_equal(row.waiting, 0);
    assert_null(row.asked);
    assert_null(row.candidates);
    assert_string_equal(row.patient_ref, "MR-1");
    assert_string_equal(row.abha_address, ADDRESS);
    assert_string_equal(row.abha_number, NUMBER);
    assert_string_equal(row.mobile, MOBILE);
    assert_int_equal(row.keep_until, START + HOURS);
    abdm_row_discovery_clear(&row);
}


static void
test_nothing_of_the_patient_can_be_read_on_disk_or_in_the_audit(void **state)
{
    static const char *const secrets[] = {"Asha", "asha", "Ravi", MOBILE, NUMBER, "1112-2223",
                                          "OPD visit", "Lab visit"};

    (void) state;
    ask(DISCOVER, "[" RAVI "," ASHA "]", VISITS);
    for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++)
        assert_false(link_on_disk(&K, secrets[i]));
    assert_true(link_on_disk(&K, TRANSACTION));
}


static void
test_what_is_linked_or_being_linked_is_not_offered(void **state)
{
    json_t *body;

    (void) state;
    put_context("C-LINKED", "MR-1", ABDM_LINK_LINKED, 1);
    put_context("C-PENDING", "MR-1", ABDM_LINK_PENDING, 1);
    put_context("C-FAILED", "MR-1", ABDM_LINK_FAILED, 1);
    put_context("C-NONE", "MR-1", ABDM_LINK_NONE, 1);
    put_context("C-OTHER", "MR-2", ABDM_LINK_NONE, 1);
    put_context("C-GONE", "MR-1", ABDM_LINK_NONE, 1);
#define VISIT(ref) "{\"reference\":\"" ref "\",\"display\":\"V\",\"hiTypes\":[\"Invoice\"]}"
    ask(DISCOVER, "[" ASHA "]",
        "[" VISIT("C-LINKED") "," VISIT("C-PENDING") "," VISIT("C-FAILED") "," VISIT("C-NONE") ","
        VISIT("C-OTHER") "," VISIT("C-NEW") "]");
    body = answered(START + 2 * SECONDS);
    assert_false(offers(body, "C-LINKED"));
    assert_false(offers(body, "C-PENDING"));
    assert_true(offers(body, "C-FAILED"));
    assert_true(offers(body, "C-NONE"));
    assert_true(offers(body, "C-NEW"));
    assert_false(offers(body, "C-OTHER")); /* the number of another patient's visit */
    assert_false(offers(body, "C-GONE"));  /* the HMIS has it no more */
    json_decref(body);
}


static void
test_without_a_question_for_care_contexts_our_rows_are_offered_newest_first(void **state)
{
    json_t *body;

    (void) state;
    K.facility[0].questions[ABDM_HMIS_CARE_CONTEXTS] = 0;
    put_context("C-1", "MR-1", ABDM_LINK_NONE, 1000);
    put_context("C-2", "MR-1", ABDM_LINK_FAILED, 3000);
    put_context("C-3", "MR-1", ABDM_LINK_LINKED, 4000);
    put_context("C-4", "MR-1", ABDM_LINK_NONE, 0);
    put_context("C-5", "MR-2", ABDM_LINK_NONE, 5000);
    ask(DISCOVER, "[" ASHA "]", NULL);
    body = answered(START + 2 * SECONDS);
    assert_string_equal(context_at(body, 0, 0), "C-2");
    assert_string_equal(context_at(body, 0, 1), "C-1");
    assert_string_equal(context_at(body, 0, 2), "C-4");
    assert_null(context_at(body, 0, 3));
    json_decref(body);
}


static void
test_of_too_many_contexts_the_newest_are_offered(void **state)
{
    json_t *visits = json_array(), *body;
    size_t n = 0;
    char *text;

    (void) state;
    for (int i = 0; i < 300; i++) {
        char ref[16], date[16];

        snprintf(ref, sizeof(ref), "V-%d", i);
        snprintf(date, sizeof(date), "20%02d-01-01", (i * 7) % 50 + 1);
        json_array_append_new(visits, json_pack("{s:s, s:s, s:[s], s:s}", "reference", ref,
                                                "display", "V", "hiTypes", "Invoice", "date",
                                                date));
    }
    text = json_dumps(visits, 0);
    ask(DISCOVER, "[" ASHA "]", text);
    body = answered(START + 2 * SECONDS);
    for (int i = 0; i < 300; i++) {
        char ref[16];

        snprintf(ref, sizeof(ref), "V-%d", i);
        if (offers(body, ref)) {
            assert_true((i * 7) % 50 + 1 >= 17);
            n++;
        }
    }
    assert_int_equal(n, ABDM_REFERENCES_MAX);
    json_decref(body);
    json_decref(visits);
    free(text);
}


/* --- who is found --- */

static void
test_one_patient_in_several_answers_is_one(void **state)
{
    json_t *body;

    (void) state;
    link_call(&K, "discovery.asked", DISCOVER);
    answer_find(&K, "[{\"reference\":\"MR-1\",\"name\":\"Asha Kumari\",\"gender\":\"F\","
                    "\"yearOfBirth\":1988,\"mobiles\":[]}]",
                "[" ASHA "]", "[" RAVI "]");
    link_done(&K, "discovery.contexts", 0, VISITS);
    body = answered(START + 2 * SECONDS);
    assert_at(body, "patient.0.referenceNumber", "MR-1");
    json_decref(body);
}


static void
test_a_medical_record_number_decides_between_two(void **state)
{
    char *text = changed(DISCOVER, "patient.unverifiedIdentifiers",
                         "[{\"type\":\"MR\",\"value\":\"MR-3\"}]");
    json_t *body;

    (void) state;
    ask(text, "[" ASHA "," TWIN "]", VISITS);
    body = answered(START + 2 * SECONDS);
    assert_at(body, "patient.0.referenceNumber", "MR-3");
    assert_at(body, "matchedBy.0", "MR");
    assert_at(body, "matchedBy.1", "MOBILE");
    json_decref(body);
    free(text);
}


static void
test_an_abha_known_to_our_rows_is_that_patient_whoever_has_the_mobile(void **state)
{
    json_t *body;

    (void) state;
    LINK_PUT(&K, patient, .hip_id = HIP, .ref = "MR-9", .abha_address = ADDRESS, .name = "A. K.",
             .gender = "F", .mobile = "9123456780");
    ask(DISCOVER, "[" ASHA "]", VISITS);
    body = answered(START + 2 * SECONDS);
    assert_at(body, "patient.0.referenceNumber", "MR-9");
    assert_at(body, "patient.0.display", "A. K.");
    assert_at(body, "matchedBy.0", "ABHA_ADDRESS");
    json_decref(body);
}


static void
test_an_abha_number_of_our_rows_is_that_patient_too(void **state)
{
    json_t *body;

    (void) state;
    LINK_PUT(&K, patient, .hip_id = HIP, .ref = "MR-9", .abha_number = NUMBER);
    ask(DISCOVER, "[" ASHA "]", VISITS);
    body = answered(START + 2 * SECONDS);
    assert_at(body, "patient.0.referenceNumber", "MR-9");
    assert_at(body, "patient.0.display", "Asha Kumari"); /* no name of our own: as asked for */
    assert_at(body, "matchedBy.0", "ABHA_NUMBER");
    json_decref(body);
}


static void
test_the_abha_that_our_rows_have_of_a_candidate_goes_before_the_hmis_s(void **state)
{
    (void) state;
    LINK_PUT(&K, patient, .hip_id = HIP, .ref = "MR-1", .abha_number = "91999999999999");
    ask(DISCOVER, "[{\"reference\":\"MR-1\",\"name\":\"Asha Kumari\",\"gender\":\"F\","
                  "\"yearOfBirth\":1988,\"mobiles\":[\"" MOBILE "\"],"
                  "\"abhaNumber\":\"" NUMBER "\"}]", VISITS);
    assert_nobody();
}


static void
test_a_patient_linked_under_another_address_is_nobody(void **state)
{
    (void) state;
    LINK_PUT(&K, patient, .hip_id = HIP, .ref = "MR-1", .abha_address = "other@sbx");
    ask(DISCOVER, "[" ASHA "]", VISITS);
    assert_nobody();
}


static void
test_more_candidates_than_can_be_told_apart_are_nobody(void **state)
{
    json_t *patients = json_array();
    char *text;

    (void) state;
    for (int i = 0; i < 101; i++) {
        char ref[16];

        snprintf(ref, sizeof(ref), "P-%d", i);
        json_array_append_new(patients, json_pack("{s:s, s:s, s:[s]}", "reference", ref, "name",
                                                  "Ravi", "mobiles", MOBILE));
    }
    json_array_append_new(patients, link_json(ASHA));
    text = json_dumps(patients, 0);
    ask(DISCOVER, text, VISITS);
    assert_nobody();
    json_decref(patients);
    free(text);
}


static void
test_without_any_question_our_rows_alone_decide(void **state)
{
    json_t *body;

    (void) state;
    K.facility[0].questions[ABDM_HMIS_FIND_PATIENTS] = 0;
    K.facility[0].questions[ABDM_HMIS_CARE_CONTEXTS] = 0;
    LINK_PUT(&K, patient, .hip_id = HIP, .ref = "MR-1", .abha_address = ADDRESS, .name = "Asha");
    put_context("C-1", "MR-1", ABDM_LINK_NONE, 1000);
    link_call(&K, "discovery.asked", DISCOVER);
    body = answered(START + 2 * SECONDS);
    assert_true(offers(body, "C-1"));
    json_decref(body);
}


/* --- to where the OTP will go --- */

static void
assert_mobile(const char *verified, const char *own, const char *want)
{
    char list[128], patient[256];
    char *text;
    abdm_row_discovery_t row;

    snprintf(list, sizeof(list), "[{\"type\":\"MOBILE\",\"value\":\"%s\"}]", verified);
    snprintf(patient, sizeof(patient),
             "[{\"reference\":\"MR-1\",\"abhaAddress\":\"" ADDRESS "\",\"mobiles\":[%s]}]", own);
    text = changed(DISCOVER, "patient.verifiedIdentifiers", list);
    ask(text, patient, VISITS);
    row = row_of(HIP);
    assert_int_equal(row.state, ABDM_DISCOVERY_OFFERED);
    if (want == NULL)
        assert_null(row.mobile);
    else
        assert_string_equal(row.mobile, want);
    abdm_row_discovery_clear(&row);
    free(text);
}


static void
test_an_otp_goes_to_the_hospital_s_mobile_when_it_is_verified(void **state)
{
    (void) state;
    assert_mobile("9000000002", "\"9000000001\",\"+91-9000000002\"", "9000000002");
}


static void
test_an_otp_goes_to_the_verified_mobile_when_the_hospital_has_another(void **state)
{
    (void) state;
    assert_mobile("9000000002", "\"9000000001\"", "9000000002");
}


static void
test_an_otp_goes_to_the_hospital_s_mobile_when_none_is_verified(void **state)
{
    (void) state;
    assert_mobile("", "\"\",\"9999999999\",\"9000000001\"", "9000000001");
}


static void
test_an_otp_goes_to_no_number_of_another_country(void **state)
{
    (void) state;
    assert_mobile("+447700900123", "\"+447700900123\",\"9000000001\"", "9000000001");
}


static void
test_an_otp_goes_nowhere_without_any_mobile(void **state)
{
    (void) state;
    assert_mobile("", "\"+44 7700 900123\"", NULL);
}


/* --- nobody learns more --- */

typedef struct {
    const char *name;
    const char *patients;
    const char *visits;
    void (*before)(void);
} nobody_t;


static void
before_opted_out(void)
{
    LINK_PUT(&K, opt_out, .hip_id = HIP, .abha_address = ADDRESS, .status = "DELETED");
}


static void
before_mobile_spent(void)
{
    LINK_PUT(&K, budget, .hip_id = HIP, .name = "discovery mobile", .value = MOBILE,
             .since = START, .count = 10);
}


static void
before_abha_spent(void)
{
    LINK_PUT(&K, budget, .hip_id = HIP, .name = "discovery abha", .value = ADDRESS,
             .since = START, .count = 10);
}


static void
before_linked(void)
{
    put_context("OPD-1", "MR-1", ABDM_LINK_LINKED, 1);
    put_context("LAB-2", "MR-1", ABDM_LINK_PENDING, 1);
}


static void
before_two_in_rows(void)
{
    LINK_PUT(&K, patient, .hip_id = HIP, .ref = "MR-8", .abha_address = ADDRESS);
    LINK_PUT(&K, patient, .hip_id = HIP, .ref = "MR-9", .abha_number = NUMBER);
}


static void
test_all_kinds_of_not_found_have_the_same_bytes_at_the_same_time(void **state)
{
    static const nobody_t kinds[] = {
        {"nobody has the mobile", "[]", NULL, NULL},
        {"another name", "[" RAVI "]", NULL, NULL},
        {"two alike", "[" ASHA "," TWIN "]", NULL, NULL},
        {"no visits", "[" ASHA "]", "[]", NULL},
        {"all linked", "[" ASHA "]", VISITS, before_linked},
        {"left ABDM", "[" ASHA "]", VISITS, before_opted_out},
        {"mobile asked for too often", "[" ASHA "]", VISITS, before_mobile_spent},
        {"ABHA asked for too often", "[" ASHA "]", VISITS, before_abha_spent},
        {"the ABHA of two", "[" ASHA "]", VISITS, before_two_in_rows},
    };
    char *first = NULL;

    (void) state;
    link_kit_close(&K);
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        abdm_job_t job;

        link_kit_open(&K);
        if (kinds[i].before != NULL)
            kinds[i].before();
        link_call(&K, "discovery.asked", DISCOVER);
        K.now += 300;
        if (link_waiting(&K, "discovery.found") > 0)
            answer_find(&K, kinds[i].patients, NULL, NULL);
        K.now += 300;
        if (link_waiting(&K, "discovery.contexts") > 0)
            link_done(&K, "discovery.contexts", 0, kinds[i].visits);
        job = link_out(&K, ABDM_PATH_ON_DISCOVER);
        assert_int_equal(job.due_at, START + 2 * SECONDS);
        assert_int_equal(job.deadline_at, START + 62 * SECONDS);
        if (first == NULL)
            first = strdup(job.body);
        if (strcmp(first, job.body) != 0)
            fail_msg("%s: %s", kinds[i].name, job.body);
        abdm_job_clear(&job);
        link_kit_close(&K);
    }
    free(first);
    link_kit_open(&K);
}


static void
test_too_many_questions_or_an_abha_that_left_ask_nothing_of_the_hmis(void **state)
{
    abdm_row_discovery_t row;

    (void) state;
    before_opted_out();
    link_call(&K, "discovery.asked", DISCOVER);
    assert_int_equal(link_waiting(&K, NULL), 1);
    assert_true(link_audited(&K, "patient not discovered", ABDM_E_OPTED_OUT));
    assert_nobody();
    row = row_of(HIP);
    assert_int_equal(row.state, ABDM_DISCOVERY_NONE);
    assert_null(row.asked);
    abdm_row_discovery_clear(&row);
}


static void
ask_number(int n, const char *address, const char *mobile)
{
    char id[64], list[96], patient[64];
    char *one, *two, *three;

    snprintf(id, sizeof(id), "\"00000000-1111-4000-8000-%012d\"", n);
    snprintf(list, sizeof(list), "[{\"type\":\"MOBILE\",\"value\":\"%s\"}]", mobile);
    snprintf(patient, sizeof(patient), "\"%s\"", address);
    one = changed(DISCOVER, "transactionId", id);
    two = changed(one, "patient.id", patient);
    three = changed(two, "patient.verifiedIdentifiers", list);
    link_call(&K, "discovery.asked", three);
    free(one);
    free(two);
    free(three);
}


static bool
asked_hmis(void)
{
    bool asked = link_waiting(&K, "discovery.found") > 0;

    while (K.n_jobs > 0) {
        abdm_job_t job = link_take(&K, &K.job[0]);

        abdm_job_clear(&job);
    }
    return asked;
}


static void
test_a_mobile_is_asked_for_ten_times_an_hour_and_no_more(void **state)
{
    char address[32];

    (void) state;
    for (int i = 0; i < 12; i++) {
        snprintf(address, sizeof(address), "person%d@sbx", i);
        ask_number(i, address, MOBILE);
        assert_int_equal(asked_hmis(), i < 10);
        assert_int_equal(link_audited(&K, "patient not discovered", ABDM_E_BUDGET), i >= 10);
    }
    K.now -= 10 * MINUTES; /* a clock set back is no new hour */
    ask_number(20, "anna@sbx", MOBILE);
    assert_false(asked_hmis());
    K.now += 70 * MINUTES;
    ask_number(21, "rosa@sbx", MOBILE);
    assert_true(asked_hmis());
}


static void
test_an_abha_address_asks_ten_times_an_hour_and_no_more(void **state)
{
    char mobile[32];

    (void) state;
    for (int i = 0; i < 12; i++) {
        snprintf(mobile, sizeof(mobile), "98765432%02d", i);
        ask_number(i, ADDRESS, mobile);
        assert_int_equal(asked_hmis(), i < 10);
    }
    K.now += HOURS;
    ask_number(21, ADDRESS, "9876543299");
    assert_true(asked_hmis());
}


static void
test_another_facility_has_budgets_and_rows_of_its_own(void **state)
{
    json_t *body;
    abdm_row_discovery_t row;

    (void) state;
    before_abha_spent();
    before_opted_out();
    LINK_PUT(&K, patient, .hip_id = HIP, .ref = "MR-9", .abha_address = ADDRESS);
    before_linked();
    OK_(link_call_at(&K, OTHER, "discovery.asked", DISCOVER));
    answer_find(&K, "[" ASHA "]", NULL, NULL);
    link_done(&K, "discovery.contexts", 0, VISITS);
    body = answered(START + 2 * SECONDS);
    assert_at(body, "patient.0.referenceNumber", "MR-1");
    assert_true(offers(body, "OPD-1"));
    json_decref(body);
    row = row_of(OTHER);
    assert_int_equal(row.state, ABDM_DISCOVERY_OFFERED);
    abdm_row_discovery_clear(&row);

    /* the same transaction here is another one */
    link_call(&K, "discovery.asked", DISCOVER);
    assert_nobody();
}


/* --- time --- */

static void
test_every_answer_leaves_at_the_end_of_its_slot(void **state)
{
    /* when the first questions are answered, when the second; found, not found */
    static const abdm_ms_t cases[][4] = {
        {0, 0, 2000, 2000},       {300, 600, 2000, 2000},     {999, 1999, 2000, 2000},
        {1000, 2000, 4000, 4000}, {1200, 2400, 4000, 4000},   {2500, 5000, 6000, 6000},
        {3900, 7800, 8000, 8000}, {5000, 7900, 8000, 8000},
    };

    (void) state;
    link_kit_close(&K);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (int found = 0; found < 2; found++) {
            json_t *body;

            link_kit_open(&K);
            link_call(&K, "discovery.asked", DISCOVER);
            K.now = START + cases[i][0];
            answer_find(&K, found ? "[" ASHA "]" : "[]", NULL, NULL);
            K.now = START + cases[i][1];
            if (found)
                link_done(&K, "discovery.contexts", 0, VISITS);
            body = answered(START + cases[i][found ? 2 : 3]);
            json_decref(body);
            link_kit_close(&K);
        }
    }
    link_kit_open(&K);
}


static void
test_a_slot_longer_than_the_time_left_ends_in_time(void **state)
{
    json_t *body;

    (void) state;
    K.facility[0].slot = 5 * SECONDS;
    link_call(&K, "discovery.asked", DISCOVER);
    K.now += 6 * SECONDS;
    answer_find(&K, "[" ASHA "]", NULL, NULL);
    link_done(&K, "discovery.contexts", 0, VISITS);
    body = answered(START + 8 * SECONDS);
    json_decref(body);
}


static void
test_without_a_slot_the_answer_leaves_at_once(void **state)
{
    json_t *body;

    (void) state;
    K.facility[0].slot = 0;
    ask(DISCOVER, "[]", NULL);
    body = answered(START);
    json_decref(body);
}


static void
test_a_search_that_takes_too_long_ends_with_trouble_in_time(void **state)
{
    abdm_row_discovery_t row;
    json_t *body;

    (void) state;
    link_call(&K, "discovery.asked", DISCOVER);
    link_done(&K, "discovery.found", 0, "[" ASHA "]");
    link_until(&K, START + 7999);
    assert_int_equal(link_waiting(&K, "discovery.answered"), 0);
    link_until(&K, START + 8000);
    assert_true(link_audited(&K, "discovery failed", ABDM_E_DEADLINE));
    body = answered(START + 8000);
    assert_at(body, "error.code", "ABDM-1024");
    json_decref(body);
    row = row_of(HIP);
    assert_int_equal(row.state, ABDM_DISCOVERY_TROUBLE);
    assert_null(row.asked);
    assert_null(row.candidates);
    abdm_row_discovery_clear(&row);

    /* what comes late changes nothing */
    link_done(&K, "discovery.found", 1, "[]");
    link_done(&K, "discovery.found", 2, "[]");
    assert_int_equal(K.n_jobs, 0);
}


static void
test_the_end_of_time_is_nothing_to_an_answered_discovery(void **state)
{
    json_t *body;

    (void) state;
    ask(DISCOVER, "[" ASHA "]", VISITS);
    body = answered(START + 2 * SECONDS);
    json_decref(body);
    link_until(&K, START + 9 * SECONDS);
    assert_int_equal(K.last.n, 0);
    assert_int_equal(K.n_jobs, 0);
}


static void
test_a_clock_set_back_does_not_hold_the_answer(void **state)
{
    json_t *body;

    (void) state;
    link_call(&K, "discovery.asked", DISCOVER);
    K.now -= 2 * HOURS;
    answer_find(&K, "[" ASHA "]", NULL, NULL);
    link_done(&K, "discovery.contexts", 0, VISITS);
    body = answered(K.now + 2 * SECONDS);
    json_decref(body);
}


static void
test_a_callback_that_waited_too_long_is_trouble_at_once(void **state)
{
    abdm_event_t ev = {.name = "discovery.asked", .hip_id = HIP, .subject = "",
                       .request_id = "late", .body = DISCOVER, .body_len = strlen(DISCOVER),
                       .query = "", .at = START - 9 * SECONDS, .now = START};

    (void) state;
    OK_(link_run(&K, &ev));
    assert_int_equal(K.n_jobs, 1);
    assert_int_equal(K.job[0].due_at, START);
    assert_string_equal(wire_code(&K.job[0]), "ABDM-1024");
}


/* --- trouble with the HMIS --- */

static void
test_trouble_with_one_question_is_trouble_with_all(void **state)
{
    json_t *body;

    (void) state;
    link_call(&K, "discovery.asked", DISCOVER);
    link_done(&K, "discovery.found", 0, "[" ASHA "]");
    K.now += 500;
    link_failed(&K, "discovery.found", 1, ABDM_E_TIMEOUT, NULL);
    assert_true(link_audited(&K, "discovery failed", ABDM_E_TIMEOUT));
    body = answered(START + 2 * SECONDS);
    assert_at(body, "error.code", "ABDM-1024");
    json_decref(body);
    link_done(&K, "discovery.found", 2, "[]");
    assert_int_equal(K.last.n, 0);
}


static void
test_trouble_with_care_contexts_is_trouble(void **state)
{
    json_t *body;

    (void) state;
    link_call(&K, "discovery.asked", DISCOVER);
    answer_find(&K, "[" ASHA "]", NULL, NULL);
    link_failed(&K, "discovery.contexts", 0, ABDM_E_HMIS_ANSWER, NULL);
    body = answered(START + 2 * SECONDS);
    assert_at(body, "error.code", "ABDM-1024");
    json_decref(body);
}


static void
test_a_patient_that_the_hmis_does_not_know_is_no_trouble(void **state)
{
    (void) state;
    link_call(&K, "discovery.asked", DISCOVER);
    link_failed(&K, "discovery.found", 0, ABDM_E_RECORD_NONE, NULL);
    link_failed(&K, "discovery.found", 1, ABDM_E_FIELD, NULL);
    link_done(&K, "discovery.found", 2, "[" ASHA "]");
    link_failed(&K, "discovery.contexts", 0, ABDM_E_RECORD_NONE, NULL);
    assert_nobody();
}


/* --- again --- */

static void
test_a_repeated_question_is_not_searched_for_twice(void **state)
{
    json_t *body;

    (void) state;
    link_call(&K, "discovery.asked", DISCOVER);
    link_call(&K, "discovery.asked", DISCOVER);
    assert_true(link_audited(&K, "discovery repeated", ABDM_OK));
    assert_int_equal(link_waiting(&K, "discovery.found"), 3);
    assert_int_equal(link_waiting(&K, "discovery.over"), 1);
    snprintf(K.request_id, sizeof(K.request_id), "00000000-0000-4000-8000-%012d", 1);
    answer_find(&K, "[]", NULL, NULL);
    body = answered(START + 2 * SECONDS);
    json_decref(body);
    K.now += 10 * SECONDS;
    link_call(&K, "discovery.asked", DISCOVER); /* its answer may be on its way */
    assert_int_equal(link_waiting(&K, "discovery.answered"), 0);
}


static void
test_an_answer_that_the_gateway_took_is_never_sent_again(void **state)
{
    (void) state;
    ask(DISCOVER, "[" ASHA "]", VISITS);
    link_done(&K, "discovery.answered", -1, NULL);
    K.now += 16 * MINUTES;
    link_call(&K, "discovery.asked", DISCOVER);
    assert_int_equal(link_waiting(&K, "discovery.answered"), 0);
    assert_int_equal(link_waiting(&K, "discovery.found"), 0);
}


static void
test_an_answer_that_the_gateway_had_already_counts_as_taken(void **state)
{
    abdm_result_t result = {.err = {ABDM_E_GATEWAY_REFUSED, "test", "test"}, .final = true,
                            .repeated = true};

    (void) state;
    ask(DISCOVER, "[" ASHA "]", VISITS);
    OK_(link_raise(&K, link_job(&K, "discovery.answered", -1), result));
    K.now += 16 * MINUTES;
    link_call(&K, "discovery.asked", DISCOVER);
    assert_int_equal(link_waiting(&K, "discovery.answered"), 0);
}


/* Everything but the request's id. */
static void
assert_same_answer_again(const char *patients)
{
    abdm_job_t first, again;
    json_t *a, *b;

    if (patients == NULL) {
        link_call(&K, "discovery.asked", DISCOVER);
        link_failed(&K, "discovery.found", 0, ABDM_E_TIMEOUT, NULL);
    } else {
        ask(DISCOVER, patients, VISITS);
    }
    first = link_take(&K, link_job(&K, "discovery.answered", -1));
    K.job[K.n_jobs++] = first;
    a = link_body(&first);
    link_failed(&K, "discovery.answered", -1, ABDM_E_CONNECT, NULL);
    assert_true(link_audited(&K, "answer not accepted by the gateway", ABDM_E_CONNECT));
    K.now += 16 * MINUTES;
    link_call(&K, "discovery.asked", DISCOVER);
    again = link_out(&K, ABDM_PATH_ON_DISCOVER);
    assert_int_equal(again.due_at, K.now + 2 * SECONDS);
    b = link_body(&again);
    assert_at(b, "response.requestId", K.request_id);
    assert_string_not_equal(abdm_json_string_at(a, "response.requestId"), K.request_id);
    json_object_del(a, "response");
    json_object_del(b, "response");
    assert_true(json_equal(a, b));
    json_decref(a);
    json_decref(b);
    abdm_job_clear(&again);
}


static void
test_an_offer_that_was_lost_is_made_again(void **state)
{
    (void) state;
    assert_same_answer_again("[" ASHA "]");
}


static void
test_a_not_found_that_was_lost_is_told_again(void **state)
{
    (void) state;
    assert_same_answer_again("[]");
}


static void
test_trouble_that_was_not_told_is_told_again(void **state)
{
    (void) state;
    assert_same_answer_again(NULL);
}


static void
test_the_transaction_of_another_patient_is_refused(void **state)
{
    char *text = changed(DISCOVER, "patient.id", "\"mallory@sbx\"");

    (void) state;
    ask(DISCOVER, "[" ASHA "]", VISITS);
    link_failed(&K, "discovery.answered", -1, ABDM_E_CONNECT, NULL);
    K.now += 16 * MINUTES;
    link_call(&K, "discovery.asked", text);
    assert_int_equal(K.last.n, 2);
    assert_true(link_audited(&K, "discovery refused", ABDM_E_DISCOVERY_UNKNOWN));
    assert_refused(&K, ABDM_PATH_ON_DISCOVER, "ABDM-1017");
    free(text);
}


static void
test_answers_for_a_discovery_that_is_forgotten_are_ignored(void **state)
{
    abdm_effects_t e = {0};
    abdm_row_discovery_t row = {.hip_id = HIP, .id = TRANSACTION};

    (void) state;
    link_call(&K, "discovery.asked", DISCOVER);
    abdm_effect_delete_discovery(&e, &row);
    OK_(abdm_store_apply(K.store.store, &e, K.now));
    abdm_effects_clear(&e);
    answer_find(&K, "[" ASHA "]", NULL, NULL);
    link_until(&K, START + 8 * SECONDS);
    assert_int_equal(K.n_jobs, 0);
}


/* --- bad input, and a store that fails --- */

static void
test_each_required_field_that_is_wrong_is_refused_and_nothing_kept(void **state)
{
    static const char *const required[] = {"transactionId", "patient", "patient.id",
                                           "patient.name"};

    (void) state;
    assert_bad_input(&K, "discovery.asked", ABDM_PATH_ON_DISCOVER, DISCOVER, required, 4);
    assert_int_equal(store_kit_number(&K.store, "SELECT count(*) FROM discovery"), 0);
    assert_int_equal(store_kit_number(&K.store, "SELECT count(*) FROM budget"), 0);
}


static void
test_optional_fields_of_a_wrong_type_are_refused(void **state)
{
    static const struct {
        const char *path, *value;
    } bad[] = {
        {"patient.verifiedIdentifiers", "\"x\""},
        {"patient.verifiedIdentifiers", "[17]"},
        {"patient.verifiedIdentifiers", "[{\"type\":\"MOBILE\",\"value\":{}}]"},
        {"patient.verifiedIdentifiers", "[{\"type\":\"ABHA_NUMBER\",\"value\":\"12\"}]"},
        {"patient.unverifiedIdentifiers", "{}"},
        {"patient.gender", "7"},
        {"patient.yearOfBirth", "\"soon\""},
        {"patient.yearOfBirth", "[]"},
        {"patient.yearOfBirth", "-5"},
    };

    (void) state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char *text = changed(DISCOVER, bad[i].path, bad[i].value);

        link_call(&K, "discovery.asked", text);
        if (K.last.n != 2)
            fail_msg("%s as %s is accepted", bad[i].path, bad[i].value);
        assert_refused(&K, ABDM_PATH_ON_DISCOVER, "ABDM-1006");
        free(text);
    }
}


static void
test_an_event_that_could_not_read_the_store_leaves_no_trace(void **state)
{
    json_t *body;

    (void) state;
    LINK_PUT(&K, patient, .hip_id = HIP, .ref = "MR-1", .abha_address = ADDRESS);
    LINK_EACH_READ_FAILS(&K, link_call_at(&K, HIP, "discovery.asked", DISCOVER));
    LINK_EACH_READ_FAILS(&K, link_raise(&K, link_job(&K, "discovery.found", 0),
                                        (abdm_result_t){.records = link_json("[" ASHA "]")}));
    link_done(&K, "discovery.found", 1, "[]");
    LINK_EACH_READ_FAILS(&K, link_raise(&K, link_job(&K, "discovery.found", 2),
                                        (abdm_result_t){.records = link_json("[]")}));
    LINK_EACH_READ_FAILS(&K, link_raise(&K, link_job(&K, "discovery.contexts", 0),
                                        (abdm_result_t){.records = link_json(VISITS)}));
    body = answered(START + 2 * SECONDS);
    assert_true(offers(body, "OPD-1"));
    json_decref(body);
}


#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)


int
main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_every_question_is_asked_with_the_verified_identifiers),
        T(test_each_mobile_and_number_is_asked_for_once_and_three_at_most),
        T(test_the_patient_of_the_mobile_and_name_is_offered_what_is_not_linked),
        T(test_nothing_of_the_patient_can_be_read_on_disk_or_in_the_audit),
        T(test_what_is_linked_or_being_linked_is_not_offered),
        T(test_without_a_question_for_care_contexts_our_rows_are_offered_newest_first),
        T(test_of_too_many_contexts_the_newest_are_offered),
        T(test_one_patient_in_several_answers_is_one),
        T(test_a_medical_record_number_decides_between_two),
        T(test_an_abha_known_to_our_rows_is_that_patient_whoever_has_the_mobile),
        T(test_an_abha_number_of_our_rows_is_that_patient_too),
        T(test_the_abha_that_our_rows_have_of_a_candidate_goes_before_the_hmis_s),
        T(test_a_patient_linked_under_another_address_is_nobody),
        T(test_more_candidates_than_can_be_told_apart_are_nobody),
        T(test_without_any_question_our_rows_alone_decide),
        T(test_an_otp_goes_to_the_hospital_s_mobile_when_it_is_verified),
        T(test_an_otp_goes_to_the_verified_mobile_when_the_hospital_has_another),
        T(test_an_otp_goes_to_the_hospital_s_mobile_when_none_is_verified),
        T(test_an_otp_goes_to_no_number_of_another_country),
        T(test_an_otp_goes_nowhere_without_any_mobile),
        T(test_all_kinds_of_not_found_have_the_same_bytes_at_the_same_time),
        T(test_too_many_questions_or_an_abha_that_left_ask_nothing_of_the_hmis),
        T(test_a_mobile_is_asked_for_ten_times_an_hour_and_no_more),
        T(test_an_abha_address_asks_ten_times_an_hour_and_no_more),
        T(test_another_facility_has_budgets_and_rows_of_its_own),
        T(test_every_answer_leaves_at_the_end_of_its_slot),
        T(test_a_slot_longer_than_the_time_left_ends_in_time),
        T(test_without_a_slot_the_answer_leaves_at_once),
        T(test_a_search_that_takes_too_long_ends_with_trouble_in_time),
        T(test_the_end_of_time_is_nothing_to_an_answered_discovery),
        T(test_a_clock_set_back_does_not_hold_the_answer),
        T(test_a_callback_that_waited_too_long_is_trouble_at_once),
        T(test_trouble_with_one_question_is_trouble_with_all),
        T(test_trouble_with_care_contexts_is_trouble),
        T(test_a_patient_that_the_hmis_does_not_know_is_no_trouble),
        T(test_a_repeated_question_is_not_searched_for_twice),
        T(test_an_answer_that_the_gateway_took_is_never_sent_again),
        T(test_an_answer_that_the_gateway_had_already_counts_as_taken),
        T(test_an_offer_that_was_lost_is_made_again),
        T(test_a_not_found_that_was_lost_is_told_again),
        T(test_trouble_that_was_not_told_is_told_again),
        T(test_the_transaction_of_another_patient_is_refused),
        T(test_answers_for_a_discovery_that_is_forgotten_are_ignored),
        T(test_each_required_field_that_is_wrong_is_refused_and_nothing_kept),
        T(test_optional_fields_of_a_wrong_type_are_refused),
        T(test_an_event_that_could_not_read_the_store_leaves_no_trace),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
