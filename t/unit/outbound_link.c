/*
 * Bodies of our calls of linking and sharing, compared whole with the text that the gateway is
 * sent, and what becomes of names and displays that its alphabets do not allow.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/outbound_link.h"
#include "match/patient.h"

#define OP (1u << ABDM_HI_OP_CONSULTATION)
#define RX (1u << ABDM_HI_PRESCRIPTION)

static const abdm_ms_t AT = 1772702463000; /* 2026-03-05T09:21:03.000Z */


/* Takes the buffer. */
static void
assert_body(abdm_buf_t *got, const char *want)
{
    char *z = abdm_buf_take(got);
    json_t *json;

    assert_non_null(z);
    assert_int_equal(abdm_json_parse(z, strlen(z), ABDM_JSON_DEPTH, &json).code, ABDM_OK);
    assert_string_equal(z, want);
    json_decref(json);
    free(z);
}


/* --- the stamp of v0.5 --- */

static void
a_call_of_v0_5_is_stamped_in_front_of_its_members(void **state)
{
    abdm_buf_t b = {0};

    (void) state;
    abdm_out_stamp(&b, ABDM_PATH_AUTH_INIT, ABDM_LIT("{\"query\":{\"id\":\"a\"},\"x\":[1]}"), "r-1",
                   AT);
    assert_body(&b, "{\"requestId\":\"r-1\",\"timestamp\":\"2026-03-05T09:21:03.000Z\","
                    "\"query\":{\"id\":\"a\"},\"x\":[1]}");
    b = (abdm_buf_t){0};
    abdm_out_stamp(&b, ABDM_PATH_AUTH_ON_NOTIFY, ABDM_LIT("{}"), "r-1", AT);
    assert_body(&b, "{\"requestId\":\"r-1\",\"timestamp\":\"2026-03-05T09:21:03.000Z\"}");
}


static void
any_other_call_is_sent_as_it_is(void **state)
{
    static const char *const paths[] = {ABDM_PATH_GENERATE_TOKEN, ABDM_PATH_BRIDGE_URL,
                                        "/gateway/v0.50/x", "/gateway/v0.5", "",
                                        "/api/gateway/v0.5/x"};

    (void) state;
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        abdm_buf_t b = {0};
        abdm_out_stamp(&b, paths[i], ABDM_LIT("{\"a\":1}"), "r-1", AT);
        assert_body(&b, "{\"a\":1}");
    }
    abdm_buf_t none = {0};
    abdm_out_stamp(&none, ABDM_PATH_AUTH_INIT, ABDM_LIT(""), "r-1", AT);
    assert_int_equal(none.len, 0);
    abdm_buf_free(&none);
}


/* --- linking by the hospital --- */

static abdm_out_patient_t
asha(void)
{
    return (abdm_out_patient_t){"asha.k@sbx", "91111222233334", "Asha Kumari", "F", 1988};
}


static void
a_link_token_is_asked_with_numbers_as_numbers(void **state)
{
    abdm_out_patient_t p = asha();
    abdm_buf_t b = {0};

    (void) state;
    abdm_out_generate_token(&b, &p);
    assert_body(&b, "{\"abhaNumber\":91111222233334,\"abhaAddress\":\"asha.k@sbx\","
                    "\"name\":\"Asha Kumari\",\"gender\":\"F\",\"yearOfBirth\":1988}");
    p.abha_number = NULL;
    abdm_out_generate_token(&b, &p);
    assert_body(&b, "{\"abhaAddress\":\"asha.k@sbx\",\"name\":\"Asha Kumari\",\"gender\":\"F\","
                    "\"yearOfBirth\":1988}");
    p.abha_number = "01111222233334";
    abdm_out_generate_token(&b, &p);
    assert_body(&b, "{\"abhaNumber\":\"01111222233334\",\"abhaAddress\":\"asha.k@sbx\","
                    "\"name\":\"Asha Kumari\",\"gender\":\"F\",\"yearOfBirth\":1988}");
}


/* The expression of the gateway's own check: [a-zA-Z]+(([',. -][a-zA-Z ])?[a-zA-Z]*)* */
static bool
is_name_of_gateway(const char *z)
{
    size_t letters = strspn(z, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");

    if (letters == 0)
        return false;
    for (z += letters; *z != '\0'; z += letters) {
        if (strchr("',. -", *z++) == NULL || *z == '\0')
            return false;
        letters = strspn(z, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
        if (letters == 0 && *z++ != ' ')
            return false;
        if (letters == 0)
            letters = strspn(z, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
    }
    return true;
}


static void
names_are_made_to_fit(void **state)
{
    static const char *const rows[][2] = {
        {"Asha Kumari", "Asha Kumari"},
        {"  Asha \t Kumari  ", "Asha Kumari"},
        {"Dr. K.P. Sharma.", "Dr. K.P. Sharma"},
        {"O'Brien-Das, S", "O'Brien-Das, S"},
        {"O\xe2\x80\x99" "Brien", "O'Brien"},
        {"Asha\xc2\xa0Kumari", "Asha Kumari"},
        {"Asha (w/o Ram) 2", "Asha w o Ram"},
        {"Asha . Kumari", "Asha Kumari"},
        {"Asha -- Kumari", "Asha Kumari"},
        {"Asha., Kumari", "Asha. Kumari"},
        {"A  .-'B", "A B"},
        {"...Asha", "Asha"},
        {"Asha \xe0\xa4\x86\xe0\xa4\xb6\xe0\xa4\xbe", "Asha"},
        {"Ren\xc3\xa9" "e", "Rene"},
        {"\xe0\xa4\x86\xe0\xa4\xb6\xe0\xa4\xbe", ""},
        {"", ""},
        {"12-34", ""},
        {"a\xff\x80z\xe2", "az"},
        {"A\nB\"C\\D", "A B C D"},
    };
    abdm_out_patient_t p = asha();
    char want[256];

    (void) state;
    p.abha_number = NULL;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        abdm_buf_t b = {0};
        p.name = rows[i][0];
        abdm_out_generate_token(&b, &p);
        snprintf(want, sizeof want, "{\"abhaAddress\":\"asha.k@sbx\",\"name\":\"%s\","
                                    "\"gender\":\"F\",\"yearOfBirth\":1988}", rows[i][1]);
        assert_body(&b, want);
        assert_true(rows[i][1][0] == '\0' || is_name_of_gateway(rows[i][1]));
    }
}


static void
a_long_name_is_cut(void **state)
{
    static char name[2000];
    abdm_out_patient_t p = asha();
    abdm_buf_t b = {0};
    json_t *json;

    (void) state;
    for (size_t i = 0; i + 1 < sizeof name; i++)
        name[i] = "a. "[i % 3];
    p.name = name;
    abdm_out_generate_token(&b, &p);
    assert_int_equal(abdm_json_parse(b.p, b.len, ABDM_JSON_DEPTH, &json).code, ABDM_OK);
    const char *cut = abdm_json_string_at(json, "name");
    assert_in_range(strlen(cut), 250, 255);
    assert_true(is_name_of_gateway(cut));
    json_decref(json);
    abdm_buf_free(&b);
}


static void
contexts_are_linked_by_type_with_their_count(void **state)
{
    const abdm_out_context_t contexts[] = {{"OPD-1", "OPD visit 05 Mar 2026", OP | RX},
                                           {"OPD-2", "OPD visit 06 Mar 2026", OP}};
    abdm_buf_t b = {0};

    (void) state;
    abdm_out_link_contexts(&b, "asha.k@sbx", "91111222233334", "MR-40021", "Asha K", contexts, 2);
    assert_body(&b,
                "{\"abhaNumber\":\"91111222233334\",\"abhaAddress\":\"asha.k@sbx\",\"patient\":["
                "{\"referenceNumber\":\"MR-40021\",\"display\":\"Asha K\",\"careContexts\":["
                "{\"referenceNumber\":\"OPD-1\",\"display\":\"OPD visit 05 Mar 2026\"},"
                "{\"referenceNumber\":\"OPD-2\",\"display\":\"OPD visit 06 Mar 2026\"}],"
                "\"hiType\":\"OPConsultation\",\"count\":2},"
                "{\"referenceNumber\":\"MR-40021\",\"display\":\"Asha K\",\"careContexts\":["
                "{\"referenceNumber\":\"OPD-1\",\"display\":\"OPD visit 05 Mar 2026\"}],"
                "\"hiType\":\"Prescription\",\"count\":1}]}");
    abdm_out_link_contexts(&b, "asha.k@sbx", NULL, "MR-40021", "Asha K", contexts, 0);
    assert_body(&b, "{\"abhaAddress\":\"asha.k@sbx\",\"patient\":[]}");
}


static void
an_element_has_20_contexts_at_most(void **state)
{
    static const size_t cases[][3] = {{20, 1, 20}, {21, 2, 1}, {40, 2, 20}, {41, 3, 1}};
    abdm_out_context_t contexts[41];
    char refs[41][16];

    (void) state;
    for (size_t i = 0; i < 41; i++) {
        snprintf(refs[i], sizeof refs[i], "OPD-%zu", i);
        contexts[i] = (abdm_out_context_t){refs[i], "visit", OP};
    }
    for (size_t k = 0; k < 4; k++) {
        abdm_buf_t b = {0};
        json_t *json, *element, *last;
        size_t i, total = 0;

        abdm_out_link_contexts(&b, "a", NULL, "p", "P", contexts, cases[k][0]);
        assert_int_equal(abdm_json_parse(b.p, b.len, ABDM_JSON_DEPTH, &json).code, ABDM_OK);
        json_t *patient = abdm_json_at(json, "patient");
        assert_int_equal(json_array_size(patient), cases[k][1]);
        json_array_foreach(patient, i, element) {
            size_t n = json_array_size(abdm_json_at(element, "careContexts"));
            assert_true(json_integer_value(abdm_json_at(element, "count")) == (json_int_t) n);
            assert_true(n >= 1 && n <= 20);
            total += n;
        }
        assert_int_equal(total, cases[k][0]);
        last = json_array_get(patient, cases[k][1] - 1);
        assert_int_equal(json_array_size(abdm_json_at(last, "careContexts")), cases[k][2]);
        json_decref(json);
        abdm_buf_free(&b);
    }
}


static void
displays_are_made_to_fit(void **state)
{
    static char long_one[400];
    static const char *const rows[][2] = {
        {"OPD visit, Dr. O'Neil (2026/03) - a_b@c: d|e \"f\"",
         "OPD visit, Dr. O'Neil (2026/03) - a_b@c: d|e \\\"f\\\""},
        {" a\t\tb\nc ", "a b c"},
        {"X-ray & MRI; 50% <b>", "X-ray MRI 50 b"},
        {"a\xe2\x80\x93" "b \xe2\x80\x9cq\xe2\x80\x9d", "a-b \\\"q\\\""},
        {"back\\slash", "back slash"},
        {"\xe0\xa4\x93\xe0\xa4\xaa\xe0\xa5\x80\xe0\xa4\xa1\xe0\xa5\x80 12", "12"},
        {"\xe0\xa4\x93\xe0\xa4\xaa\xe0\xa5\x80", "OPD 1/a b"}, /* nothing left: the reference */
        {"", "OPD 1/a b"},
        {"   ", "OPD 1/a b"},
    };
    char want[400];

    (void) state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const abdm_out_context_t context = {"OPD 1/a\\b", rows[i][0], OP};
        abdm_buf_t b = {0};
        abdm_out_link_on_confirm(&b, "p", "P", &context, 1, "r-1");
        snprintf(want, sizeof want,
                 "{\"patient\":[{\"referenceNumber\":\"p\",\"display\":\"P\",\"careContexts\":["
                 "{\"referenceNumber\":\"OPD 1/a\\\\b\",\"display\":\"%s\"}],"
                 "\"hiType\":\"OPConsultation\",\"count\":1}],"
                 "\"response\":{\"requestId\":\"r-1\"}}",
                 rows[i][1]);
        assert_body(&b, want);
    }

    memset(long_one, 'x', sizeof long_one - 1);
    long_one[254] = ' ';
    const abdm_out_context_t context = {"r", long_one, OP};
    abdm_buf_t b = {0};
    json_t *json;
    abdm_out_link_on_confirm(&b, "p", long_one, &context, 1, "r-1");
    assert_int_equal(abdm_json_parse(b.p, b.len, ABDM_JSON_DEPTH, &json).code, ABDM_OK);
    assert_int_equal(strlen(abdm_json_string_at(json, "patient.0.display")), 254);
    assert_int_equal(strlen(abdm_json_string_at(json, "patient.0.careContexts.0.display")), 254);
    json_decref(json);
    abdm_buf_free(&b);
}


static void
without_a_display_the_member_is_left_out(void **state)
{
    const abdm_out_context_t context = {"OPD-1", NULL, RX};
    abdm_buf_t b = {0};

    (void) state;
    abdm_out_link_contexts(&b, "a@sbx", NULL, "p", NULL, &context, 1);
    assert_body(&b, "{\"abhaAddress\":\"a@sbx\",\"patient\":[{\"referenceNumber\":\"p\","
                    "\"careContexts\":[{\"referenceNumber\":\"OPD-1\"}],"
                    "\"hiType\":\"Prescription\",\"count\":1}]}");
}


static void
a_context_is_notified_with_a_list_of_types(void **state)
{
    abdm_buf_t b = {0};

    (void) state;
    abdm_out_context_notify(&b, "IN1_1", "asha.k@sbx", "MR-40021", "OPD-1", OP | RX, AT);
    assert_body(&b, "{\"notification\":{\"patient\":{\"id\":\"asha.k@sbx\"},\"careContext\":{"
                    "\"patientReference\":\"MR-40021\",\"careContextReference\":\"OPD-1\"},"
                    "\"hiTypes\":[\"OPConsultation\",\"Prescription\"],"
                    "\"date\":\"2026-03-05T09:21:03.000Z\",\"hip\":{\"id\":\"IN1_1\"}}}");
}


static void
a_deep_link_goes_to_an_indian_number(void **state)
{
    abdm_buf_t b = {0};

    (void) state;
    abdm_out_sms_notify(&b, "IN1_1", "Sample \"District\" Hospital", "9000000001");
    assert_body(&b, "{\"notification\":{\"phoneNo\":\"+91-9000000001\",\"hip\":{\"id\":\"IN1_1\","
                    "\"name\":\"Sample \\\"District\\\" Hospital\"}}}");
}


/* --- linking by the patient --- */

static void
a_discovery_is_answered_with_what_matched(void **state)
{
    const abdm_out_context_t context = {"OPD-1", "OPD visit", OP};
    abdm_buf_t b = {0};

    (void) state;
    abdm_out_on_discover(&b, "t-1", "MR-40021", "Asha K", &context, 1,
                         ABDM_BY_MR | ABDM_BY_MOBILE | ABDM_BY_ABHA_NUMBER | ABDM_BY_ABHA_ADDRESS,
                         "r-1");
    assert_body(&b, "{\"transactionId\":\"t-1\",\"patient\":[{\"referenceNumber\":\"MR-40021\","
                    "\"display\":\"Asha K\",\"careContexts\":[{\"referenceNumber\":\"OPD-1\","
                    "\"display\":\"OPD visit\"}],\"hiType\":\"OPConsultation\",\"count\":1}],"
                    "\"matchedBy\":[\"MR\",\"MOBILE\",\"ABHA_NUMBER\",\"ABHA_ADDRESS\"],"
                    "\"response\":{\"requestId\":\"r-1\"}}");
    abdm_out_on_discover(&b, "t-1", "p", "P", &context, 1, ABDM_BY_MOBILE, "r-1");
    assert_non_null(memmem(b.p, b.len, "\"matchedBy\":[\"MOBILE\"]", 22));
    abdm_buf_free(&b);
}


static void
a_refusal_carries_the_transaction_when_it_is_known(void **state)
{
    abdm_buf_t b = {0};

    (void) state;
    abdm_out_on_discover_error(&b, "t-1", ABDM_ERR(PATIENT_NONE, "x"), "r-1");
    assert_body(&b, "{\"transactionId\":\"t-1\",\"error\":{\"code\":\"ABDM-1010\",\"message\":"
                    "\"no patient, or more than one, or nothing to link\"},"
                    "\"response\":{\"requestId\":\"r-1\"}}");
    abdm_out_link_on_init_error(&b, "t-1", ABDM_ERR(STORE, "x"), "r-1");
    assert_body(&b, "{\"transactionId\":\"t-1\",\"error\":{\"code\":\"ABDM-1024\",\"message\":"
                    "\"the facility's system is temporarily unavailable\"},"
                    "\"response\":{\"requestId\":\"r-1\"}}");
    abdm_out_link_on_init_error(&b, NULL, ABDM_ERR(CONTEXT_NOT_OFFERED, "x"), "r-1");
    assert_body(&b, "{\"error\":{\"code\":\"ABDM-1057\",\"message\":"
                    "\"the care context was not offered in this discovery\"},"
                    "\"response\":{\"requestId\":\"r-1\"}}");
}


static void
a_begun_link_tells_where_the_otp_went(void **state)
{
    abdm_buf_t b = {0};

    (void) state;
    abdm_out_link_on_init(&b, "t-1", "l-1", "xxxxxx0001", AT, "r-1");
    assert_body(&b, "{\"transactionId\":\"t-1\",\"link\":{\"referenceNumber\":\"l-1\","
                    "\"authenticationType\":\"DIRECT\",\"meta\":{\"communicationMedium\":"
                    "\"MOBILE\",\"communicationHint\":\"xxxxxx0001\",\"communicationExpiry\":"
                    "\"2026-03-05T09:21:03.000Z\"}},\"response\":{\"requestId\":\"r-1\"}}");
}


/* --- sharing --- */

static void
a_shared_profile_is_answered_with_a_token(void **state)
{
    abdm_buf_t b = {0};

    (void) state;
    abdm_out_on_share(&b, "asha.k@sbx", "OPD1", 17, 1800, "r-1");
    assert_body(&b, "{\"acknowledgement\":{\"status\":\"SUCCESS\",\"abhaAddress\":\"asha.k@sbx\","
                    "\"profile\":{\"context\":\"OPD1\",\"tokenNumber\":\"17\","
                    "\"expiry\":\"1800\"}},"
                    "\"response\":{\"requestId\":\"r-1\"}}");
    abdm_out_on_share_error(&b, "asha.k@sbx", ABDM_ERR(INTENT, "x"), "r-1");
    assert_body(&b, "{\"acknowledgement\":{\"status\":\"FAILED\",\"abhaAddress\":\"asha.k@sbx\"},"
                    "\"error\":{\"code\":\"ABDM-1149\",\"message\":"
                    "\"a share with an intent that is not served\"},"
                    "\"response\":{\"requestId\":\"r-1\"}}");
    abdm_out_on_share_error(&b, NULL, ABDM_ERR(FIELD, "x"), "r-1");
    assert_body(&b, "{\"error\":{\"code\":\"ABDM-1006\",\"message\":"
                    "\"a field is missing or has the wrong form\"},"
                    "\"response\":{\"requestId\":\"r-1\"}}");
}


/* --- v0.5 --- */

static void
the_steps_of_an_authentication_have_their_old_form(void **state)
{
    abdm_buf_t b = {0};

    (void) state;
    abdm_out_auth_modes(&b, "asha.k@sbx", "LINK", "IN1_1");
    assert_body(&b, "{\"query\":{\"id\":\"asha.k@sbx\",\"purpose\":\"LINK\",\"requester\":{"
                    "\"type\":\"HIP\",\"id\":\"IN1_1\"}}}");
    abdm_out_auth_init(&b, "asha.k@sbx", "KYC_AND_LINK", "MOBILE_OTP", "IN1_1");
    assert_body(&b, "{\"query\":{\"id\":\"asha.k@sbx\",\"purpose\":\"KYC_AND_LINK\","
                    "\"authMode\":\"MOBILE_OTP\",\"requester\":{\"type\":\"HIP\","
                    "\"id\":\"IN1_1\"}}}");
    abdm_out_auth_confirm(&b, "t-1", "012345");
    assert_body(&b, "{\"transactionId\":\"t-1\",\"credential\":{\"authCode\":\"012345\"}}");
    abdm_out_auth_confirm_person(&b, "t-1", "Asha Kum\xc3\xa1ri", "F", "1989-01-23");
    assert_body(&b, "{\"transactionId\":\"t-1\",\"credential\":{\"demographic\":{"
                    "\"name\":\"Asha Kum\xc3\xa1ri\",\"gender\":\"F\","
                    "\"dateOfBirth\":\"1989-01-23\"}}}");
    abdm_out_auth_on_notify(&b, "r-1");
    assert_body(&b, "{\"acknowledgement\":{\"status\":\"OK\"},\"resp\":{\"requestId\":\"r-1\"}}");
    abdm_out_status_on_notify(&b, "r-1");
    assert_body(&b, "{\"acknowledgment\":{\"status\":\"OK\"},\"resp\":{\"requestId\":\"r-1\"}}");
    abdm_out_old_error(&b, ABDM_ERR(FIELD, "resp"), "r-1");
    assert_body(&b, "{\"error\":{\"code\":1006,\"message\":\"a field is missing or has the wrong "
                    "form\"},\"resp\":{\"requestId\":\"r-1\"}}");
    abdm_out_old_error(&b, ABDM_ERR(JSON, "body"), "r-1");
    assert_body(&b, "{\"error\":{\"code\":1024,\"message\":\"the facility's system is "
                    "temporarily unavailable\"},\"resp\":{\"requestId\":\"r-1\"}}");
}


static void
the_bridge_tells_its_url_and_its_facilities(void **state)
{
    abdm_buf_t b = {0};

    (void) state;
    abdm_out_bridge_url(&b, "https://abdm.hospital.example/abdm");
    assert_body(&b, "{\"url\":\"https://abdm.hospital.example/abdm\"}");
    abdm_out_register(&b, "IN0990001234", "Sample District Hospital", "SBXID_099001", "SAMPLEHOSP");
    assert_body(&b, "{\"facilityId\":\"IN0990001234\",\"facilityName\":"
                    "\"Sample District Hospital\",\"HRP\":[{\"bridgeId\":\"SBXID_099001\","
                    "\"hipName\":\"SAMPLEHOSP\",\"type\":\"HIP\",\"active\":true}]}");
}


static void
without_memory_the_buffer_says_so(void **state)
{
    abdm_buf_t b = {.failed = true};

    (void) state;
    abdm_out_auth_modes(&b, "a", "b", "c");
    abdm_out_stamp(&b, ABDM_PATH_AUTH_INIT, ABDM_LIT("{}"), "r-1", AT);
    assert_true(b.failed);
    assert_int_equal(b.len, 0);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_of_v0_5_is_stamped_in_front_of_its_members),
        cmocka_unit_test(any_other_call_is_sent_as_it_is),
        cmocka_unit_test(a_link_token_is_asked_with_numbers_as_numbers),
        cmocka_unit_test(names_are_made_to_fit),
        cmocka_unit_test(a_long_name_is_cut),
        cmocka_unit_test(contexts_are_linked_by_type_with_their_count),
        cmocka_unit_test(an_element_has_20_contexts_at_most),
        cmocka_unit_test(displays_are_made_to_fit),
        cmocka_unit_test(without_a_display_the_member_is_left_out),
        cmocka_unit_test(a_context_is_notified_with_a_list_of_types),
        cmocka_unit_test(a_deep_link_goes_to_an_indian_number),
        cmocka_unit_test(a_discovery_is_answered_with_what_matched),
        cmocka_unit_test(a_refusal_carries_the_transaction_when_it_is_known),
        cmocka_unit_test(a_begun_link_tells_where_the_otp_went),
        cmocka_unit_test(a_shared_profile_is_answered_with_a_token),
        cmocka_unit_test(the_steps_of_an_authentication_have_their_old_form),
        cmocka_unit_test(the_bridge_tells_its_url_and_its_facilities),
        cmocka_unit_test(without_memory_the_buffer_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
