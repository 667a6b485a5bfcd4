/* Questions other than for records: requests, mappings that are refused, plain forms. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/json.h"
#include "hmis/hmis.h"

#define RECORDS "\"records\":{\"path\":\"/r\",\"map\":\"map.jq\"}"

static char dir[] = "/tmp/abdm-questions-test-XXXXXX";
static char problem[512];


static void
write_file(const char *name, const char *text)
{
    char path[128];

    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fputs(text, f) >= 0, 1);
    assert_int_equal(fclose(f), 0);
}


static int
make_dir(void **state)
{
    (void) state;
    return mkdtemp(dir) == NULL ? -1 : 0;
}


static int
remove_dir(void **state)
{
    static const char *const names[] = {"mapping.json", "map.jq", "body.jq"};
    char path[128];

    (void) state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        unlink(path);
    }
    return rmdir(dir);
}


static abdm_err_t
open_with(const char *operations, const char *map, const char *body, abdm_hmis_t **out)
{
    char mapping[2048];

    snprintf(mapping, sizeof mapping, "{%s%s%s}", RECORDS, *operations == '\0' ? "" : ",",
             operations);
    write_file("mapping.json", mapping);
    write_file("map.jq", map);
    write_file("body.jq", body);
    return abdm_hmis_open("rest", "http://h/base", dir, problem, out);
}


static abdm_hmis_t *
hmis_with(const char *operations, const char *body)
{
    abdm_hmis_t *hmis;

    if (abdm_failed(open_with(operations, ".", body, &hmis)))
        fail_msg("%s", problem);
    return hmis;
}


static json_t *
json_of(const char *text)
{
    json_t *json = json_loads(text, 0, NULL);

    assert_non_null(json);
    return json;
}


/* What the answer to `op` becomes; "E_..." and the text of the error when it is refused. */
static char *
plain_with(abdm_hmis_op_t op, const char *vars, const char *map, const char *answer)
{
    char operation[128], *text;
    json_t *query = json_of(vars), *out;
    abdm_hmis_t *hmis;

    snprintf(operation, sizeof operation, "\"%s\":{\"path\":\"/x\",\"map\":\"map.jq\"}",
             abdm_hmis_op_name(op));
    assert_int_equal(open_with(operation, map, ".", &hmis).code, ABDM_OK);
    abdm_err_t err = abdm_hmis_answer(hmis, op, 0, query, answer, strlen(answer), &out);
    if (abdm_failed(err)) {
        assert_null(out);
        assert_int_equal(err.code, ABDM_E_HMIS_ANSWER);
        text = strdup(err.what);
    } else {
        text = json_dumps(out, JSON_COMPACT | JSON_ENSURE_ASCII);
    }
    json_decref(out);
    json_decref(query);
    abdm_hmis_close(hmis);
    assert_non_null(text);
    return text;
}


static void
expect_plain(abdm_hmis_op_t op, const char *vars, const char *answer, const char *expected)
{
    char *text = plain_with(op, vars, ".", answer);

    assert_string_equal(text, expected);
    free(text);
}


static void
expect_refused(abdm_hmis_op_t op, const char *vars, const char *answer, const char *said)
{
    char *text = plain_with(op, vars, ".", answer);

    if (strstr(text, said) == NULL)
        fail_msg("%s: \"%s\" does not say \"%s\"", answer, text, said);
    free(text);
}


static void
expect_mapping_refused(const char *operations, const char *said)
{
    abdm_hmis_t *hmis;

    assert_int_equal(open_with(operations, ".", ".", &hmis).code, ABDM_E_CONFIG);
    assert_null(hmis);
    if (strstr(problem, said) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", problem, said);
}


static void
an_operation_that_is_not_mapped_cannot_be_asked(void **state)
{
    abdm_hmis_t *hmis = hmis_with("", ".");
    json_t *vars = json_object();
    abdm_hmis_request_t r;
    json_t *out;

    (void) state;
    for (int op = 0; op <= ABDM_HMIS_OPS; op++) {
        assert_int_equal(abdm_hmis_questions(hmis, (abdm_hmis_op_t) op), 0);
        assert_false(abdm_hmis_can_ask(hmis, (abdm_hmis_op_t) op, 0, vars));
        assert_int_equal(abdm_hmis_ask(hmis, (abdm_hmis_op_t) op, 0, vars, &r).code,
                         ABDM_E_INTERNAL);
        assert_int_equal(abdm_hmis_answer(hmis, (abdm_hmis_op_t) op, 0, vars, "{}", 2, &out).code,
                         ABDM_E_INTERNAL);
    }
    json_decref(vars);
    abdm_hmis_close(hmis);
}


static void
patients_may_be_asked_for_in_eight_ways(void **state)
{
    static const char one[] = "{\"path\":\"/p?m={mobile}\",\"map\":\"map.jq\"}";
    char list[1024] = "\"find_patients\":[";
    abdm_hmis_t *hmis;

    (void) state;
    for (int i = 0; i < 8; i++) {
        strcat(list, i > 0 ? "," : "");
        strcat(list, one);
    }
    strcat(list, "]");
    hmis = hmis_with(list, ".");
    assert_int_equal(abdm_hmis_questions(hmis, ABDM_HMIS_FIND_PATIENTS), 8);
    abdm_hmis_close(hmis);

    list[strlen(list) - 1] = '\0';
    strcat(list, ",");
    strcat(list, one);
    strcat(list, "]");
    expect_mapping_refused(list, "1 to 8 questions");
    expect_mapping_refused("\"find_patients\":[]", "1 to 8 questions");
    expect_mapping_refused("\"find_patients\":[7]", "find_patients[0]: an object");
    expect_mapping_refused("\"care_contexts\":[]", "care_contexts: an object");
}


static void
a_question_is_asked_when_the_values_of_its_path_are_there(void **state)
{
    abdm_hmis_t *hmis =
        hmis_with("\"find_patients\":[{\"path\":\"/p?phone={mobile}\",\"map\":\"map.jq\"},"
                  "{\"path\":\"/p?abha={abhaAddress}\",\"map\":\"map.jq\"}]",
                  ".");
    json_t *vars = json_of("{\"hipId\":\"IN1\",\"mobile\":\"9000000001\",\"abhaAddress\":\"\"}");
    abdm_hmis_request_t r;

    (void) state;
    assert_true(abdm_hmis_can_ask(hmis, ABDM_HMIS_FIND_PATIENTS, 0, vars));
    assert_false(abdm_hmis_can_ask(hmis, ABDM_HMIS_FIND_PATIENTS, 1, vars));
    assert_false(abdm_hmis_can_ask(hmis, ABDM_HMIS_FIND_PATIENTS, 2, vars));
    assert_false(abdm_hmis_can_ask(hmis, ABDM_HMIS_FIND_PATIENTS, -1, vars));
    assert_int_equal(abdm_hmis_ask(hmis, ABDM_HMIS_FIND_PATIENTS, 0, vars, &r).code, ABDM_OK);
    assert_string_equal(r.url, "http://h/base/p?phone=9000000001");
    assert_null(r.body);
    assert_null(r.header);
    abdm_hmis_request_clear(&r);
    abdm_err_t err = abdm_hmis_ask(hmis, ABDM_HMIS_FIND_PATIENTS, 1, vars, &r);
    assert_int_equal(err.code, ABDM_E_FIELD);
    assert_non_null(strstr(err.what, "abhaAddress"));
    assert_null(r.url);
    json_object_set_new(vars, "mobile", json_integer(17));
    assert_int_equal(abdm_hmis_ask(hmis, ABDM_HMIS_FIND_PATIENTS, 0, vars, &r).code, ABDM_OK);
    assert_string_equal(r.url, "http://h/base/p?phone=17");
    abdm_hmis_request_clear(&r);
    json_object_set_new(vars, "mobile", json_true());
    assert_false(abdm_hmis_can_ask(hmis, ABDM_HMIS_FIND_PATIENTS, 0, vars));
    json_decref(vars);
    abdm_hmis_close(hmis);
}


static void
values_are_percent_encoded_and_cannot_climb(void **state)
{
    abdm_hmis_t *hmis =
        hmis_with("\"care_contexts\":{\"path\":\"/p/{patientRef}/v\",\"map\":\"map.jq\"}", ".");
    json_t *vars = json_of("{\"patientRef\":\"a/b?c&d\"}");
    abdm_hmis_request_t r;

    (void) state;
    assert_int_equal(abdm_hmis_ask(hmis, ABDM_HMIS_CARE_CONTEXTS, 0, vars, &r).code, ABDM_OK);
    assert_string_equal(r.url, "http://h/base/p/a%2Fb%3Fc%26d/v");
    abdm_hmis_request_clear(&r);
    json_object_set_new(vars, "patientRef", json_string(".."));
    assert_int_equal(abdm_hmis_ask(hmis, ABDM_HMIS_CARE_CONTEXTS, 0, vars, &r).code, ABDM_E_FIELD);
    json_decref(vars);
    abdm_hmis_close(hmis);
}


static void
only_the_feed_may_begin_with_an_empty_value(void **state)
{
    abdm_hmis_t *hmis = hmis_with("\"new_contexts\":{\"path\":\"/f?after={since}&n={limit}\","
                                  "\"map\":\"map.jq\"}",
                                  ".");
    json_t *vars = json_of("{\"since\":\"\",\"limit\":\"500\"}");
    abdm_hmis_request_t r;

    (void) state;
    assert_int_equal(abdm_hmis_ask(hmis, ABDM_HMIS_NEW_CONTEXTS, 0, vars, &r).code, ABDM_OK);
    assert_string_equal(r.url, "http://h/base/f?after=&n=500");
    abdm_hmis_request_clear(&r);
    json_object_set_new(vars, "limit", json_string(""));
    assert_false(abdm_hmis_can_ask(hmis, ABDM_HMIS_NEW_CONTEXTS, 0, vars));
    json_object_set_new(vars, "limit", json_string("500"));
    json_object_del(vars, "since");
    assert_false(abdm_hmis_can_ask(hmis, ABDM_HMIS_NEW_CONTEXTS, 0, vars));
    json_decref(vars);
    abdm_hmis_close(hmis);
}


static void
a_body_makes_it_a_post_of_what_its_program_gives(void **state)
{
    static const char operation[] =
        "\"save_profile\":{\"path\":\"/desk\",\"map\":\"map.jq\",\"body\":\"body.jq\"}";
    abdm_hmis_t *hmis = hmis_with(operation, "[., $query.counter, $query.profile.n.x, 1.5]");
    json_t *vars =
        json_of("{\"counter\":\"OPD \\\"1\\\"\",\"profile\":{\"n\":{\"x\":[null,true]}}}");
    abdm_hmis_request_t r;

    (void) state;
    assert_int_equal(abdm_hmis_ask(hmis, ABDM_HMIS_SAVE_PROFILE, 0, vars, &r).code, ABDM_OK);
    assert_string_equal(r.url, "http://h/base/desk");
    assert_string_equal(r.body, "[null,\"OPD \\\"1\\\"\",[null,true],1.5]");
    assert_int_equal(r.body_len, strlen(r.body));
    assert_string_equal(r.content_type, "application/json");
    abdm_hmis_request_clear(&r);
    abdm_hmis_close(hmis);

    static const char *const bad[] = {"error(\"no\")", "empty", "1,2"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        hmis = hmis_with(operation, bad[i]);
        abdm_err_t err = abdm_hmis_ask(hmis, ABDM_HMIS_SAVE_PROFILE, 0, vars, &r);
        assert_int_equal(err.code, ABDM_E_FIELD);
        assert_non_null(strstr(err.what, "body"));
        assert_null(r.url);
        abdm_hmis_close(hmis);
    }
    json_decref(vars);
}


static void
a_mapping_with_a_fault_is_refused_with_its_place(void **state)
{
    (void) state;
    expect_mapping_refused("\"find_patient\":{}", "\"find_patient\" is not known");
    expect_mapping_refused(
        "\"find_patients\":{\"path\":\"/{patientRef}\",\"map\":\"map.jq\"}",
        "find_patients.path: {patientRef} is no variable; there are {hipId} "
        "{mobile} {abhaNumber} {abhaAddress} {mr} {name} {gender} {yearOfBirth}");
    expect_mapping_refused("\"find_patients\":[{\"path\":\"/p\",\"map\":\"map.jq\"},{\"path\":"
                           "\"/{x}\",\"map\":\"map.jq\"}]",
                           "find_patients[1].path: {x}");
    expect_mapping_refused("\"care_contexts\":{\"path\":\"/{mobile}\",\"map\":\"map.jq\"}",
                           "{hipId} {patientRef}");
    expect_mapping_refused("\"tell\":{\"path\":\"/{otp}\"}", "{hipId} {patientRef} {event}");
    expect_mapping_refused("\"care_contexts\":{\"path\":\"/x\"}", "\"map\" is missing");
    expect_mapping_refused("\"save_profile\":{\"path\":\"/x\",\"map\":\"map.jq\",\"body\":7}",
                           "save_profile: the text \"body\"");
    expect_mapping_refused("\"save_profile\":{\"path\":\"/x\",\"map\":\"map.jq\",\"body\":\"/b\"}",
                           "save_profile.body: the name of a file");
    expect_mapping_refused("\"send_otp\":{\"path\":\"/x\",\"map\":\"none.jq\"}", "none.jq");
    expect_mapping_refused("\"tell\":{\"path\":\"/x\",\"header\":{}}", "tell: \"header\"");
    expect_mapping_refused("\"records\":{}", "duplicate");
}


static void
patients_become_plain(void **state)
{
    (void) state;
    expect_plain(ABDM_HMIS_FIND_PATIENTS, "{}", "[]", "[]");
    expect_plain(
        ABDM_HMIS_FIND_PATIENTS, "{}",
        "[{\"reference\":\" UH1 \",\"mr\":\"  \",\"name\":\" Asha\\tKumari \","
        "\"gender\":\"Female\",\"birthDate\":\"1988-05-14\",\"mobile\":\"+91 90000 00001\","
        "\"abhaNumber\":\"91-1112-2223-3334\",\"abhaAddress\":\"Asha.K@SBX\",\"x\":1}]",
        "[{\"reference\":\"UH1\",\"name\":\"Asha\\tKumari\",\"gender\":\"F\","
        "\"yearOfBirth\":1988,\"mobiles\":[\"+91 90000 00001\"],"
        "\"abhaNumber\":\"91111222233334\",\"abhaAddress\":\"asha.k@sbx\"}]");
    expect_plain(ABDM_HMIS_FIND_PATIENTS, "{}",
                 "[{\"reference\":\"1\",\"mr\":\"7/26\",\"name\":null,\"gender\":\"?\","
                 "\"yearOfBirth\":1975,\"birthDate\":\"x\",\"mobiles\":[\"1\",null,\"\",\"2\"],"
                 "\"mobile\":\"3\",\"abhaNumber\":\"NA\",\"abhaAddress\":\"none\"}]",
                 "[{\"reference\":\"1\",\"mr\":\"7/26\",\"gender\":\"U\",\"yearOfBirth\":1975,"
                 "\"mobiles\":[\"1\",\"2\",\"3\"]}]");
    expect_plain(ABDM_HMIS_FIND_PATIENTS, "{}",
                 "[{\"reference\":\"1\",\"yearOfBirth\":\"1975\"},"
                 "{\"reference\":\"2\",\"birthDate\":\"0000-00-00\"},"
                 "{\"reference\":\"3\",\"yearOfBirth\":0}]",
                 "[{\"reference\":\"1\",\"yearOfBirth\":1975,\"mobiles\":[]},"
                 "{\"reference\":\"2\",\"mobiles\":[]},{\"reference\":\"3\",\"mobiles\":[]}]");
}


static void
patients_of_the_wrong_form_are_refused_by_member(void **state)
{
    static const char *const rows[][2] = {
        {"{}", "must give a list"},
        {"[7]", "not an object"},
        {"[{}]", "patients.reference"},
        {"[{\"reference\":100231}]", "patients.reference"},
        {"[{\"reference\":\"  \"}]", "patients.reference"},
        {"[{\"reference\":\"UH#1\"}]", "patients.reference"},
        {"[{\"reference\":\"\\u0905\"}]", "patients.reference"},
        {"[{\"reference\":\"1\",\"mr\":7}]", "patients.mr"},
        {"[{\"reference\":\"1\",\"name\":{}}]", "patients.name"},
        {"[{\"reference\":\"1\",\"gender\":1}]", "patients.gender"},
        {"[{\"reference\":\"1\",\"yearOfBirth\":1988.5}]", "patients.yearOfBirth"},
        {"[{\"reference\":\"1\",\"yearOfBirth\":\"88\"}]", "yearOfBirth: yyyy"},
        {"[{\"reference\":\"1\",\"birthDate\":\"14-05-1988\"}]", "patients.birthDate"},
        {"[{\"reference\":\"1\",\"birthDate\":1988}]", "patients.birthDate"},
        {"[{\"reference\":\"1\",\"mobiles\":\"9\"}]", "patients.mobiles"},
        {"[{\"reference\":\"1\",\"mobiles\":[9]}]", "patients.mobiles"},
        {"[{\"reference\":\"1\",\"mobile\":9000000001}]", "patients.mobiles"},
        {"[{\"reference\":\"1\",\"abhaNumber\":91111222233334}]", "patients.abhaNumber"},
        {"[{\"reference\":\"1\",\"abhaAddress\":[]}]", "patients.abhaAddress"},
    };

    (void) state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        expect_refused(ABDM_HMIS_FIND_PATIENTS, "{}", rows[i][0], rows[i][1]);

    char *text =
        plain_with(ABDM_HMIS_FIND_PATIENTS, "{}", "[range(101)|{reference:tostring}]", "0");
    assert_non_null(strstr(text, "more than 100"));
    free(text);
    text = plain_with(ABDM_HMIS_FIND_PATIENTS, "{}", "[{reference:(\"7\"*256)}]", "0");
    assert_non_null(strstr(text, "patients.reference"));
    free(text);
    text = plain_with(ABDM_HMIS_FIND_PATIENTS, "{}", "[{reference:\"7\",name:(\"x\"*1025)}]", "0");
    assert_non_null(strstr(text, "patients.name"));
    free(text);
}


static void
contexts_become_plain(void **state)
{
    static const char vars[] = "{\"patientRef\":\"UH1\"}";

    (void) state;
    expect_plain(ABDM_HMIS_CARE_CONTEXTS, vars, "[]", "[]");
    expect_plain(ABDM_HMIS_CARE_CONTEXTS, vars,
                 "[{\"reference\":\"OPD-1\",\"display\":\" Visit 5 March \",\"hiType\":"
                 "\"PrescriptionRecord\",\"date\":\"2026-03-05T10:40\",\"version\":\"7\","
                 "\"patientReference\":\"UH1\",\"x\":1}]",
                 "[{\"reference\":\"OPD-1\",\"display\":\"Visit 5 March\",\"hiTypes\":"
                 "[\"Prescription\"],\"date\":\"2026-03-05T10:40:00+05:30\",\"version\":\"7\","
                 "\"patientReference\":\"UH1\"}]");
    expect_plain(ABDM_HMIS_CARE_CONTEXTS, vars,
                 "[{\"reference\":\"a\",\"display\":\"A\",\"date\":null,\"version\":null,"
                 "\"hiTypes\":[\"wellnessrecord\",\"OPConsultation\",\"WELLNESSRECORD\"]}]",
                 "[{\"reference\":\"a\",\"display\":\"A\",\"hiTypes\":[\"OPConsultation\","
                 "\"WellnessRecord\"]}]");
}


static void
a_context_listed_once_per_paper_is_one_with_all_types(void **state)
{
    (void) state;
    expect_plain(ABDM_HMIS_CARE_CONTEXTS, "{\"patientRef\":\"UH1\"}",
                 "[{\"reference\":\"a\",\"display\":\"A\",\"hiType\":\"Prescription\"},"
                 "{\"reference\":\"b\",\"display\":\"B\",\"hiType\":\"Invoice\"},"
                 "{\"reference\":\"a\",\"display\":\"C\",\"hiType\":\"OPConsultation\"}]",
                 "[{\"reference\":\"a\",\"display\":\"A\",\"hiTypes\":[\"OPConsultation\","
                 "\"Prescription\"]},{\"reference\":\"b\",\"display\":\"B\",\"hiTypes\":"
                 "[\"Invoice\"]}]");
}


static void
a_display_is_made_what_the_wire_takes(void **state)
{
    static const char *const rows[][2] = {
        {"Visit (OPD), 5.3.2026: \\\"x\\\" 'y' a|b/c_d-e@f",
         "Visit (OPD), 5.3.2026: \"x\" 'y' a|b/c_d-e@f"},
        {"Heart & lung; [ward 3]", "Heart and lung, (ward 3)"},
        {"5 March \\u2013 OPD\\u2019s", "5 March - OPD's"},
        {"OPD #7\\n<b>\\u0906</b>", "OPD 7 b /b"},
        {"\\u0913\\u092a\\u0940\\u0921\\u0940 - \\u096b",
         "OPD- 1"}, /* a backslash is for references alone */
    };

    (void) state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char answer[256];
        snprintf(answer, sizeof answer,
                 "[{\"reference\":\"OPD-\\\\1\",\"display\":\"%s\",\"hiType\":\"Invoice\"}]",
                 rows[i][0]);
        char *text = plain_with(ABDM_HMIS_CARE_CONTEXTS, "{}", ".", answer);
        json_t *plain = json_of(text);
        const char *display = abdm_json_string_at(plain, "0.display");
        assert_non_null(display);
        assert_string_equal(display, rows[i][1]);
        json_decref(plain);
        free(text);
    }

    char *text = plain_with(ABDM_HMIS_CARE_CONTEXTS, "{}",
                            "[{reference:\"a\",display:(\"&\"*200),hiType:\"Invoice\"}]", "0");
    json_t *plain = json_of(text);
    assert_true(strlen(abdm_json_string_at(plain, "0.display")) <= 255);
    json_decref(plain);
    free(text);
    expect_plain(ABDM_HMIS_CARE_CONTEXTS, "{}",
                 "[{\"reference\":\"\\\\\",\"display\":\"#\",\"hiType\":\"Invoice\"}]",
                 "[{\"reference\":\"\\\\\",\"display\":\"Record\",\"hiTypes\":[\"Invoice\"]}]");
}


static void
contexts_of_the_wrong_form_are_refused_by_member(void **state)
{
    static const char *const rows[][2] = {
        {"[.]|{}", "must give a list"},
        {"[7]", "not an object"},
        {"[del(.reference)]", "contexts.reference"},
        {"[.reference=\"a#b\"]", "contexts.reference"},
        {"[del(.display)]", "contexts.display"},
        {"[.display=7]", "contexts.display"},
        {"[.display=\" \"]", "contexts.display"},
        {"[del(.hiType)]", "contexts.hiTypes"},
        {"[.hiType=\"Xray\"]", "contexts.hiTypes"},
        {"[.hiTypes=[]]", "contexts.hiTypes"},
        {"[.hiTypes=[\"Prescription\",7]]", "contexts.hiTypes"},
        {"[.hiTypes=\"Prescription\"]", "contexts.hiTypes"},
        {"[.date=\"05-03-2026\"]", "contexts.date"},
        {"[.date=20260305]", "contexts.date"},
        {"[.version=7]", "contexts.version"},
        {"[.patientReference=\"UH2\"]", "contexts.patientReference"},
        {"[.patientReference=1]", "contexts.patientReference"},
        {"[range(501) as $i|.]", "more than 500"},
    };

    (void) state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *text = plain_with(ABDM_HMIS_CARE_CONTEXTS, "{\"patientRef\":\"UH1\"}", rows[i][0],
                                "{\"reference\":\"a\",\"display\":\"A\",\"hiType\":\"Invoice\"}");
        if (strstr(text, rows[i][1]) == NULL)
            fail_msg("%s: \"%s\" does not say \"%s\"", rows[i][0], text, rows[i][1]);
        free(text);
    }
}


#define FEED_CONTEXT                                                                               \
    "{\"reference\":\"a\",\"display\":\"A\",\"hiType\":\"Invoice\","                               \
    "\"patient\":{\"reference\":\"UH1\",\"mobile\":\"9\"}}"

static void
the_feed_becomes_plain(void **state)
{
    (void) state;
    expect_plain(ABDM_HMIS_NEW_CONTEXTS, "{\"since\":\"\"}",
                 "{\"contexts\":[],\"next\":\"0\",\"more\":null}",
                 "{\"contexts\":[],\"next\":\"0\",\"more\":false}");
    expect_plain(ABDM_HMIS_NEW_CONTEXTS, "{\"since\":\"7\"}",
                 "{\"contexts\":[" FEED_CONTEXT "],\"next\":\"8\",\"more\":true,\"x\":1}",
                 "{\"contexts\":[{\"patient\":{\"reference\":\"UH1\",\"mobiles\":[\"9\"]},"
                 "\"reference\":\"a\",\"display\":\"A\",\"hiTypes\":[\"Invoice\"]}],"
                 "\"next\":\"8\",\"more\":true}");
}


static void
a_feed_that_cannot_be_followed_is_refused(void **state)
{
    static const char *const rows[][2] = {
        {"[]", "must give an object"},
        {"{}", "contexts: a list"},
        {"{\"contexts\":{},\"next\":\"8\"}", "contexts: a list"},
        {"{\"contexts\":[]}", "next"},
        {"{\"contexts\":[],\"next\":8}", "next"},
        {"{\"contexts\":[],\"next\":\"\"}", "next"},
        {"{\"contexts\":[],\"next\":\"8\",\"more\":\"yes\"}", "more"},
        {"{\"contexts\":[],\"next\":\"7\",\"more\":true}", "next: the same"},
        {"{\"contexts\":[7],\"next\":\"8\"}", "not an object"},
        {"{\"contexts\":[{\"reference\":\"a\",\"display\":\"A\",\"hiType\":\"Invoice\"}],"
         "\"next\":\"8\"}",
         "patients"},
        {"{\"contexts\":[{\"patient\":{\"reference\":\"UH1\"}}],\"next\":\"8\"}",
         "contexts.reference"},
    };

    (void) state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        expect_refused(ABDM_HMIS_NEW_CONTEXTS, "{\"since\":\"7\"}", rows[i][0], rows[i][1]);

    char *text = plain_with(ABDM_HMIS_NEW_CONTEXTS, "{\"since\":\"\"}",
                            "{contexts:[range(501) as $i|.],next:\"8\"}", FEED_CONTEXT);
    assert_non_null(strstr(text, "more than 500"));
    free(text);
    text = plain_with(ABDM_HMIS_NEW_CONTEXTS, "{\"since\":\"\"}",
                      "{contexts:[range(500) as $i|.],next:\"8\"}", FEED_CONTEXT);
    assert_int_equal(text[0], '{');
    free(text);
    text = plain_with(ABDM_HMIS_NEW_CONTEXTS, "{\"since\":\"\"}",
                      "{contexts:[.patientReference=\"UH2\"],next:\"8\"}", FEED_CONTEXT);
    assert_non_null(strstr(text, "contexts.patientReference"));
    free(text);
}


static void
the_short_answers_become_plain(void **state)
{
    (void) state;
    expect_plain(ABDM_HMIS_SAVE_PROFILE, "{}", "", "{}");
    expect_plain(ABDM_HMIS_SAVE_PROFILE, "{}", " \r\n", "{}");
    expect_plain(ABDM_HMIS_SAVE_PROFILE, "{}", "{\"patientReference\":null}", "{}");
    expect_plain(ABDM_HMIS_SAVE_PROFILE, "{}", "{\"patientReference\":\" UH1\",\"x\":1}",
                 "{\"patientReference\":\"UH1\"}");
    expect_refused(ABDM_HMIS_SAVE_PROFILE, "{}", "[]", "an object");
    expect_refused(ABDM_HMIS_SAVE_PROFILE, "{}", "{\"patientReference\":7}", "patientReference");
    expect_refused(ABDM_HMIS_SAVE_PROFILE, "{}", "{\"patientReference\":\"#\"}",
                   "patientReference");
    expect_plain(ABDM_HMIS_SEND_OTP, "{}", "{\"reference\":\"r#1\"}", "{\"reference\":\"r#1\"}");
    expect_refused(ABDM_HMIS_SEND_OTP, "{}", "{}", "reference: a text is missing");
    expect_refused(ABDM_HMIS_SEND_OTP, "{}", "{\"reference\":7}", "reference");
    expect_refused(ABDM_HMIS_SEND_OTP, "{}", "", "JSON");
    expect_plain(ABDM_HMIS_VERIFY_OTP, "{}", "{\"verified\":true}", "{\"verified\":true}");
    expect_plain(ABDM_HMIS_VERIFY_OTP, "{}", "{\"verified\":false}", "{\"verified\":false}");
    expect_refused(ABDM_HMIS_VERIFY_OTP, "{}", "{\"verified\":\"true\"}", "verified");
    expect_refused(ABDM_HMIS_VERIFY_OTP, "{}", "{\"verified\":null}", "verified");
}


static void
whatever_answers_what_was_told_is_fine_unless_a_program_fails(void **state)
{
    abdm_hmis_t *hmis = hmis_with("\"tell\":{\"path\":\"/e?w={event}\"}", ".");
    static const char *const answers[] = {"", "<html>", "{\"a\":1}", "[]"};
    json_t *vars = json_of("{\"event\":\"linked\"}"), *out;

    (void) state;
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        assert_int_equal(
            abdm_hmis_answer(hmis, ABDM_HMIS_TELL, 0, vars, answers[i], strlen(answers[i]), &out)
                .code,
            ABDM_OK);
        assert_true(json_is_object(out));
        assert_int_equal(json_object_size(out), 0);
        json_decref(out);
    }
    json_decref(vars);
    abdm_hmis_close(hmis);
    expect_plain(ABDM_HMIS_TELL, "{}", "[7]", "{}");
    char *text = plain_with(ABDM_HMIS_TELL, "{}", "if .ok then . else error end", "{\"ok\":false}");
    assert_non_null(strstr(text, "fails on it"));
    free(text);
}


static json_t *
demo_answer(abdm_hmis_t *hmis, abdm_hmis_op_t op, const char *vars, const char *answer)
{
    json_t *query = json_of(vars), *out;

    abdm_err_t err = abdm_hmis_answer(hmis, op, 0, query, answer, strlen(answer), &out);
    json_decref(query);
    if (abdm_failed(err))
        fail_msg("%s: %s", abdm_hmis_op_name(op), err.what);
    return out;
}


static void
expect_demo_request(abdm_hmis_t *hmis, abdm_hmis_op_t op, const char *vars, const char *path,
                    const char *body)
{
    json_t *query = json_of(vars), *given, *expected = json_of(body);
    abdm_hmis_request_t r;

    abdm_err_t err = abdm_hmis_ask(hmis, op, 0, query, &r);
    if (abdm_failed(err))
        fail_msg("%s: %s", abdm_hmis_op_name(op), err.what);
    assert_string_equal(r.url + sizeof "http://h" - 1, path);
    given = json_of(r.body);
    if (!json_equal(given, expected))
        fail_msg("%s is not %s", r.body, body);
    json_decref(given);
    json_decref(expected);
    json_decref(query);
    abdm_hmis_request_clear(&r);
}


static void
the_demo_mapping_has_every_operation(void **state)
{
    static const char patient[] =
        "{\"uhid\":\"UH100231\",\"first\":\"Asha\",\"last\":\"Kumari\",\"sex\":\"F\",\"dob\":"
        "\"14-05-1988\",\"phone\":\"9000000001\",\"village\":\"x\",\"abha\":\"\","
        "\"abha_address\":\"asha.k@sbx\"}";
    char answer[2048], *text;
    abdm_hmis_t *hmis;
    json_t *r;

    (void) state;
    if (access("conf/hmis/demo/mapping.json", R_OK) != 0)
        return; /* skip() would count as a failure in TAP */
    if (abdm_failed(abdm_hmis_open("rest", "http://h", "conf/hmis/demo", problem, &hmis)))
        fail_msg("%s", problem);
    for (int op = 0; op < ABDM_HMIS_OPS; op++)
        assert_true(abdm_hmis_questions(hmis, (abdm_hmis_op_t) op) > 0);

    snprintf(answer, sizeof answer, "{\"count\":1,\"patients\":[%s]}", patient);
    r = demo_answer(hmis, ABDM_HMIS_FIND_PATIENTS, "{\"mobile\":\"9000000001\"}", answer);
    text = json_dumps(r, JSON_COMPACT);
    assert_string_equal(text, "[{\"reference\":\"UH100231\",\"mr\":\"UH100231\",\"name\":"
                              "\"Asha Kumari\",\"gender\":\"F\",\"yearOfBirth\":1988,\"mobiles\":"
                              "[\"9000000001\"],\"abhaAddress\":\"asha.k@sbx\"}]");
    free(text);
    json_decref(r);

    snprintf(answer, sizeof answer,
             "{\"changes\":[{\"n\":8,\"visit\":{\"no\":\"OPD-1\",\"date\":\"05-03-2026 10:40\","
             "\"department\":\"Cardiology\",\"patient\":%s,\"doctor\":{\"name\":\"D\"},"
             "\"papers\":[],\"note\":{\"drugs\":[]}}},{\"n\":9,\"visit\":{\"no\":\"OPD-2\","
             "\"date\":\"06-03-2026 10:40\",\"department\":\"ENT\",\"patient\":%s,\"papers\":[]}}],"
             "\"last\":9,\"more\":true}",
             patient, patient);
    r = demo_answer(hmis, ABDM_HMIS_NEW_CONTEXTS, "{\"since\":\"7\"}", answer);
    assert_string_equal(abdm_json_string_at(r, "next"), "9");
    assert_int_equal(json_array_size(json_object_get(r, "contexts")),
                     1); /* OPD-2 has nothing yet */
    assert_string_equal(abdm_json_string_at(r, "contexts.0.version"), "8");
    assert_string_equal(abdm_json_string_at(r, "contexts.0.hiTypes.0"), "OPConsultation");
    assert_string_equal(abdm_json_string_at(r, "contexts.0.patient.reference"), "UH100231");
    json_decref(r);
    expect_demo_request(
        hmis, ABDM_HMIS_SAVE_PROFILE,
        "{\"counter\":\"1\",\"token\":7,\"patientRef\":\"UH100231\",\"profile\":"
        "{\"name\":\"Asha Devi  Kumari\",\"gender\":\"F\",\"yearOfBirth\":\"1988\","
        "\"monthOfBirth\":5,\"dayOfBirth\":\"14\",\"phoneNumber\":\"+919000000001\","
        "\"abhaNumber\":null,\"abhaAddress\":\"asha.k@sbx\"}}",
        "/api/desk",
        "{\"counter\":\"1\",\"token\":\"7\",\"uhid\":\"UH100231\",\"sex\":\"F\",\"year\":"
        "\"1988\",\"dob\":\"14-05-1988\",\"phone\":\"9000000001\",\"village\":\"\","
        "\"abha\":\"\",\"abha_address\":\"asha.k@sbx\",\"first\":\"Asha Devi\",\"last\":"
        "\"Kumari\"}");
    expect_demo_request(
        hmis, ABDM_HMIS_SAVE_PROFILE,
        "{\"counter\":\"1\",\"token\":7,\"profile\":{\"name\":\"Asha\"}}", "/api/desk",
        "{\"counter\":\"1\",\"token\":\"7\",\"uhid\":\"\",\"sex\":\"\",\"year\":\"\","
        "\"dob\":\"\",\"phone\":\"\",\"village\":\"\",\"abha\":\"\",\"abha_address\":\"\","
        "\"first\":\"Asha\",\"last\":\"\"}");
    expect_demo_request(hmis, ABDM_HMIS_VERIFY_OTP, "{\"reference\":\"o-1\",\"otp\":\"012345\"}",
                        "/api/otp/check", "{\"ref\":\"o-1\",\"code\":\"012345\"}");
    expect_demo_request(hmis, ABDM_HMIS_TELL, "{\"event\":\"linked\",\"patientRef\":\"UH1\"}",
                        "/api/events", "{\"what\":\"linked\",\"ids\":{\"patientRef\":\"UH1\"}}");
    abdm_hmis_close(hmis);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_operation_that_is_not_mapped_cannot_be_asked),
        cmocka_unit_test(patients_may_be_asked_for_in_eight_ways),
        cmocka_unit_test(a_question_is_asked_when_the_values_of_its_path_are_there),
        cmocka_unit_test(values_are_percent_encoded_and_cannot_climb),
        cmocka_unit_test(only_the_feed_may_begin_with_an_empty_value),
        cmocka_unit_test(a_body_makes_it_a_post_of_what_its_program_gives),
        cmocka_unit_test(a_mapping_with_a_fault_is_refused_with_its_place),
        cmocka_unit_test(patients_become_plain),
        cmocka_unit_test(patients_of_the_wrong_form_are_refused_by_member),
        cmocka_unit_test(contexts_become_plain),
        cmocka_unit_test(a_context_listed_once_per_paper_is_one_with_all_types),
        cmocka_unit_test(a_display_is_made_what_the_wire_takes),
        cmocka_unit_test(contexts_of_the_wrong_form_are_refused_by_member),
        cmocka_unit_test(the_feed_becomes_plain),
        cmocka_unit_test(a_feed_that_cannot_be_followed_is_refused),
        cmocka_unit_test(the_short_answers_become_plain),
        cmocka_unit_test(whatever_answers_what_was_told_is_fine_unless_a_program_fails),
        cmocka_unit_test(the_demo_mapping_has_every_operation),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
