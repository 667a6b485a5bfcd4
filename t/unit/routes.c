/*
 * The table of callbacks: every path of the protocol's section 11 and its aliases, written out
 * here a second time, with each prefix, "/api" and slash that a registration may bring.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/json.h"
#include "gateway/preset.h"
#include "gateway/routes.h"

#define ECHO "{\"response\":{\"requestId\":\"r1\"}}"

static const struct {
    const char *canonical;
    const char *event;
    abdm_facility_header_t facility;
    const char *alias[8]; /* without "/api" */
    const char *body;     /* one that has a business key */
    const char *fields;   /* of that key, "" when there is none */
} expected[] = {
    {"/api/v3/hip/token/on-generate-token", NULL, ABDM_FACILITY_HIP,
     {"/v3/hip/token/on-generate-token"}, ECHO, ",\"r1\""},
    {"/api/v3/link/on_carecontext", NULL, ABDM_FACILITY_HIP,
     {"/v3/link/on_carecontext", "/v3/link/on-care-context", "/v3/link/on-carecontext",
      "/v3/hip/link/on-carecontext", "/link/on-care-context", "/link/on-carecontext",
      "/hip/link/on-carecontext"},
     ECHO, ",\"r1\""},
    {"/api/v3/links/context/on-notify", NULL, ABDM_FACILITY_HIP,
     {"/v3/links/context/on-notify", "/v3/link/context/on-notify", "/link/context/on-notify"},
     ECHO, ",\"r1\""},
    {"/api/v3/patients/sms/on-notify", NULL, ABDM_FACILITY_HIP,
     {"/v3/patients/sms/on-notify"},
     "{\"status\":\"ACKNOWLEDGED\",\"response\":null,\"resp\":{\"requestId\":\"r2\"}}",
     ",\"r2\""},
    {"/api/v3/hip/patient/care-context/discover", NULL, ABDM_FACILITY_HIP,
     {"/v3/hip/patient/care-context/discover", "/v0.5/care-contexts/discover"},
     "{\"transactionId\":\"t1\"}", ",\"t1\""},
    {"/api/v3/hip/link/care-context/init", NULL, ABDM_FACILITY_HIP,
     {"/v3/hip/link/care-context/init", "/v0.5/links/link/init"},
     "{\"transactionId\":\"t1\"}", ",\"t1\""},
    {"/api/v3/hip/link/care-context/confirm", NULL, ABDM_FACILITY_HIP,
     {"/v3/hip/link/care-context/confirm", "/v0.5/links/link/confirm"},
     "{\"confirmation\":{\"token\":482913,\"linkRefNumber\":\"l1\"}}", ",\"l1\",482913"},
    {"/api/v3/consent/request/hip/notify", "consent.notified", ABDM_FACILITY_HIP,
     {"/v3/consent/request/hip/notify", "/v0.5/consents/hip/notify"},
     "{\"notification\":{\"status\":\"GRANTED\",\"consentId\":\"c1\"}}", ",\"c1\",\"GRANTED\""},
    {"/api/v3/hip/health-information/request", "transfer.requested", ABDM_FACILITY_HIP,
     {"/v3/hip/health-information/request", "/v0.5/health-information/hip/request"},
     "{\"transactionId\":\"t1\"}", ",\"t1\""},
    {"/api/v3/hip/patient/share", NULL, ABDM_FACILITY_HIP,
     {"/v3/hip/patient/share", "/v3/hip/patient/profile/share", "/patient-share/v3/share",
      "/v1.0/patients/profile/share", "/v0.5/patients/profile/share"},
     ECHO, ""},
    {"/v0.5/patients/status/notify", NULL, ABDM_FACILITY_EITHER, {NULL}, ECHO, ""},
    {"/v0.5/users/auth/on-fetch-modes", NULL, ABDM_FACILITY_EITHER, {NULL}, ECHO, ",\"r1\""},
    {"/v0.5/users/auth/on-init", NULL, ABDM_FACILITY_EITHER, {NULL}, ECHO, ",\"r1\""},
    {"/v0.5/users/auth/on-confirm", NULL, ABDM_FACILITY_EITHER, {NULL}, ECHO, ",\"r1\""},
    {"/v0.5/users/auth/notify", NULL, ABDM_FACILITY_EITHER, {NULL}, ECHO, ""},
    {"/v0.5/links/link/on-add-contexts", NULL, ABDM_FACILITY_HIP, {NULL}, ECHO, ",\"r1\""},
    {"/v0.5/links/context/on-notify", NULL, ABDM_FACILITY_HIP, {NULL}, ECHO, ",\"r1\""},
    {"/v0.5/patients/sms/on-notify", NULL, ABDM_FACILITY_HIP, {NULL}, ECHO, ",\"r1\""},
    {"/v0.5/patients/on-find", NULL, ABDM_FACILITY_HIU, {NULL}, ECHO, ",\"r1\""},
    {"/api/v3/hiu/consent/request/on-init", NULL, ABDM_FACILITY_HIU,
     {"/v3/hiu/consent/request/on-init", "/v0.5/consent-requests/on-init"}, ECHO, ",\"r1\""},
    {"/api/v3/hiu/consent/request/on-status", NULL, ABDM_FACILITY_HIU,
     {"/v3/hiu/consent/request/on-status", "/v0.5/consent-requests/on-status"}, ECHO, ",\"r1\""},
    {"/api/v3/hiu/consent/request/notify", NULL, ABDM_FACILITY_HIU,
     {"/v3/hiu/consent/request/notify", "/v0.5/consents/hiu/notify"},
     "{\"notification\":{\"consentRequestId\":\"q\",\"status\":\"DENIED\"}}",
     ",\"q\",\"DENIED\""},
    {"/api/v3/hiu/consent/on-fetch", NULL, ABDM_FACILITY_HIU,
     {"/v3/hiu/consent/on-fetch", "/v0.5/consents/on-fetch"}, ECHO, ",\"r1\""},
    {"/api/v3/hiu/health-information/on-request", NULL, ABDM_FACILITY_HIU,
     {"/v3/hiu/health-information/on-request", "/v0.5/health-information/hiu/on-request",
      "/v0.5/health-information/cm/on-request"},
     ECHO, ",\"r1\""},
    {"/v0.5/health-information/transfer", NULL, ABDM_FACILITY_NONE, {NULL},
     "{\"transactionId\":\"t1\",\"pageNumber\":0}", ",\"t1\",0"},
    {"/api/v3/hiu/subscription-requests/on-init", NULL, ABDM_FACILITY_HIU,
     {"/v3/hiu/subscription-requests/on-init", "/v3/hiu/hiecm/subscription-requests/on-init",
      "/v0.5/subscription-requests/hiu/on-init"},
     ECHO, ",\"r1\""},
    {"/api/v3/hiu/subscription-requests/hiu/notify", NULL, ABDM_FACILITY_HIU,
     {"/v3/hiu/subscription-requests/hiu/notify", "/v0.5/subscription-requests/hiu/notify"},
     ECHO, ""},
    {"/api/v3/hiu/subscription/notify", NULL, ABDM_FACILITY_HIU,
     {"/v3/hiu/subscription/notify", "/v0.5/subscriptions/hiu/notify"},
     "{\"event\":{\"id\":\"e1\"}}", ",\"e1\""},
    {"/api/v3/hiu/patient/care-context/on-discover", NULL, ABDM_FACILITY_HIU,
     {"/v3/hiu/patient/care-context/on-discover"}, ECHO, ",\"r1\""},
    {"/api/v3/hiu/patient/care-context/on-init", NULL, ABDM_FACILITY_HIU,
     {"/v3/hiu/patient/care-context/on-init"}, ECHO, ",\"r1\""},
    {"/api/v3/hiu/patient/care-context/on-confirm", NULL, ABDM_FACILITY_HIU,
     {"/v3/hiu/patient/care-context/on-confirm"}, ECHO, ",\"r1\""},
    {"/api/v3/hiu/patient/on-share", NULL, ABDM_FACILITY_HIU,
     {"/v3/hiu/patient/on-share"}, ECHO, ",\"r1\""},
};

enum { EXPECTED = sizeof expected / sizeof expected[0] };


static const abdm_route_t *
find(const char *prefix, const char *path)
{
    return abdm_route_find(abdm_str(prefix), abdm_str(path));
}


/* With every prefix, with and without /api, with and without a slash at the end. */
static void
assert_found(const char *path, const char *canonical)
{
    static const char *const prefixes[] = {"", "/abdm", "/api/abdm", "/a/b", "/abdm/"};
    static const char *const apis[] = {"", "/api"};
    static const char *const ends[] = {"", "/"};
    char whole[256];

    if (strncmp(path, "/api/", 5) == 0)
        path += 4;
    for (int n = 0; n < 5 * 2 * 2; n++) {
        const char *prefix = prefixes[n / 4];
        int len = (int) strlen(prefix);
        len -= len > 0 && prefix[len - 1] == '/';
        snprintf(whole, sizeof whole, "%.*s%s%s%s", len, prefix, apis[n / 2 % 2], path,
                 ends[n % 2]);
        const abdm_route_t *route = find(prefix, whole);
        if (route == NULL)
            fail_msg("%s is not found under \"%s\"", whole, prefix);
        assert_string_equal(route->path, canonical);
    }
}


static void
the_table_has_exactly_the_rows_of_the_protocol(void **state)
{
    (void) state;
    for (size_t i = 0; i < EXPECTED; i++) {
        const abdm_route_t *row = abdm_route_row(i);
        assert_non_null(row);
        assert_string_equal(row->path, expected[i].canonical);
        assert_int_equal(row->facility, expected[i].facility);
        if (expected[i].event == NULL)
            assert_null(row->event);
        else
            assert_string_equal(row->event, expected[i].event);
    }
    assert_null(abdm_route_row(EXPECTED));
    assert_null(abdm_route_row(SIZE_MAX));
}


static void
every_path_and_alias_leads_to_its_row_in_every_form(void **state)
{
    (void) state;
    for (size_t i = 0; i < EXPECTED; i++) {
        assert_found(expected[i].canonical, expected[i].canonical);
        for (size_t k = 0; expected[i].alias[k] != NULL; k++)
            assert_found(expected[i].alias[k], expected[i].canonical);
    }
}


static void
an_unnamed_path_under_a_root_of_callbacks_gives_the_catch_all(void **state)
{
    static const char *const paths[] = {"/api/v3/x", "/v3/x/y/", "/v0.5/x", "/api/v0.5/new",
                                        "/api/v3/hip/patient/share/more",
                                        "/api/v3/HIP/patient/share", "/v3/../x"};
    (void) state;
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        const abdm_route_t *route = find("", paths[i]);
        assert_non_null(route);
        assert_string_equal(route->path, "*");
        assert_null(route->event);
        assert_null(route->business_key);
    }
}


static void
what_is_no_callback_is_not_found(void **state)
{
    static const char *const rows[][2] = {
        {"", ""}, {"", "/"}, {"", "/api"}, {"", "/api/"}, {"", "/v3"}, {"", "/v3/"}, {"", "/v3//"},
        {"", "/api/v3/"}, {"", "/v0.5/"}, {"", "/status"}, {"", "v3/x"}, {"", "/v30/x"},
        {"", "/v4/x"}, {"", "/apiv3/x"}, {"", "/api/api/v3/x"}, {"", "/abdm/api/v3/x"},
        {"", "//api/v3/x"}, {"", "/v1.0/patients/other"}, {"", "/link/other"},
        {"/abdm", "/abdm"}, {"/abdm", "/abdm/"}, {"/abdm", "/abd"}, {"/abdm", "/api/v3/x"},
        {"/abdm", "/abdmapi/v3/x"}, {"/abdm", "/abdmx/v3/x"}, {"/abdm", "/ABDM/v3/x"},
        {"/abdm", "/abdm/api/transfers"}, {"/abdm", ""},
    };
    (void) state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (find(rows[i][0], rows[i][1]) != NULL)
            fail_msg("\"%s\" passes for a callback under \"%s\"", rows[i][1], rows[i][0]);
    }
}


static void
key_of(const abdm_route_t *route, const char *facility, const char *body, abdm_buf_t *out)
{
    json_t *json;

    assert_int_equal(abdm_json_parse(body, strlen(body), ABDM_JSON_DEPTH, &json).code, ABDM_OK);
    abdm_route_business_key(route, abdm_str(facility), json, out);
    json_decref(json);
}


static void
assert_key(const char *path, const char *facility, const char *body, const char *want)
{
    const abdm_route_t *route = find("", path);
    abdm_buf_t key = {0};

    assert_non_null(route);
    key_of(route, facility, body, &key);
    char *z = abdm_buf_take(&key);
    assert_non_null(z);
    assert_string_equal(z, want);
    free(z);
}


static void
every_row_has_the_business_key_of_the_protocol(void **state)
{
    char want[256];

    (void) state;
    for (size_t i = 0; i < EXPECTED; i++) {
        want[0] = '\0';
        if (expected[i].fields[0] != '\0')
            snprintf(want, sizeof want, "[\"%s\",\"HIP_1\"%s]", expected[i].canonical,
                     expected[i].fields);
        assert_key(expected[i].canonical, "HIP_1", expected[i].body, want);
        assert_key(expected[i].canonical, "HIP_1", "{}", "");
    }
}


static void
the_catch_all_has_no_business_key(void **state)
{
    (void) state;
    assert_key("/v3/x", "HIP_1", ECHO, "");
}


static void
an_alias_gives_the_same_key_as_its_row(void **state)
{
    (void) state;
    assert_key("/v0.5/health-information/hip/request", "H", "{\"transactionId\":\"t\"}",
               "[\"/api/v3/hip/health-information/request\",\"H\",\"t\"]");
}


static void
a_notification_in_a_list_gives_the_same_key(void **state)
{
    (void) state;
    assert_key("/api/v3/consent/request/hip/notify", "H",
               "{\"notification\":[{\"status\":\"REVOKED\",\"consentId\":\"c\"}]}",
               "[\"/api/v3/consent/request/hip/notify\",\"H\",\"c\",\"REVOKED\"]");
}


static void
a_field_that_is_missing_or_no_value_leaves_no_key(void **state)
{
    static const char *const bodies[] = {
        "{\"notification\":{\"consentId\":\"c\"}}",
        "{\"notification\":{\"status\":\"GRANTED\"}}",
        "{\"notification\":{\"status\":\"GRANTED\",\"consentId\":null}}",
        "{\"notification\":{\"status\":\"GRANTED\",\"consentId\":\"\"}}",
        "{\"notification\":{\"status\":\"GRANTED\",\"consentId\":{}}}",
        "{\"notification\":{\"status\":\"GRANTED\",\"consentId\":1.5}}",
        "{\"notification\":[]}", "{}", "[]", "null",
    };
    (void) state;
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++)
        assert_key("/api/v3/consent/request/hip/notify", "H", bodies[i], "");
}


static void
a_value_above_255_bytes_leaves_no_key(void **state)
{
    char body[320], want[400], id[257];

    (void) state;
    memset(id, 'a', sizeof id);
    id[256] = '\0';
    snprintf(body, sizeof body, "{\"transactionId\":\"%s\"}", id);
    assert_key("/api/v3/hip/health-information/request", "H", body, "");
    id[255] = '\0';
    snprintf(body, sizeof body, "{\"transactionId\":\"%s\"}", id);
    snprintf(want, sizeof want, "[\"/api/v3/hip/health-information/request\",\"H\",\"%s\"]", id);
    assert_key("/api/v3/hip/health-information/request", "H", body, want);
}


static void
no_value_can_reach_into_its_neighbour(void **state)
{
    (void) state;
    assert_key("/api/v3/hip/link/care-context/confirm", "H",
               "{\"confirmation\":{\"linkRefNumber\":\"a\\\",\\\"b\",\"token\":\"012\"}}",
               "[\"/api/v3/hip/link/care-context/confirm\",\"H\",\"a\\\",\\\"b\",\"012\"]");
}


static void
a_key_is_appended_and_its_failure_takes_nothing(void **state)
{
    const abdm_route_t *route = find("", "/v3/hip/patient/care-context/discover");
    abdm_buf_t out = {0};

    (void) state;
    assert_non_null(route);
    abdm_buf_addz(&out, "before");
    key_of(route, "H", "{}", &out);
    assert_true(abdm_str_eq(abdm_buf_str(&out), ABDM_LIT("before")));
    abdm_buf_free(&out);
}


static void
the_presets_are_those_of_the_two_environments(void **state)
{
    const abdm_gateway_preset_t *sandbox = abdm_gateway_preset(ABDM_LIT("sandbox"));
    const abdm_gateway_preset_t *production = abdm_gateway_preset(ABDM_LIT("production"));

    (void) state;
    assert_non_null(sandbox);
    assert_string_equal(sandbox->url, "https://dev.abdm.gov.in");
    assert_string_equal(sandbox->cm_id, "sbx");
    assert_string_equal(sandbox->issuer, "https://dev.abdm.gov.in/auth/realms/central-registry");
    assert_string_equal(sandbox->caller, "gateway");
    assert_non_null(production);
    assert_string_equal(production->url, "https://apis.abdm.gov.in");
    assert_string_equal(production->cm_id, "abdm");
    assert_null(abdm_gateway_preset(ABDM_LIT("custom")));
    assert_null(abdm_gateway_preset(ABDM_LIT("")));
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_has_exactly_the_rows_of_the_protocol),
        cmocka_unit_test(every_path_and_alias_leads_to_its_row_in_every_form),
        cmocka_unit_test(an_unnamed_path_under_a_root_of_callbacks_gives_the_catch_all),
        cmocka_unit_test(what_is_no_callback_is_not_found),
        cmocka_unit_test(every_row_has_the_business_key_of_the_protocol),
        cmocka_unit_test(the_catch_all_has_no_business_key),
        cmocka_unit_test(an_alias_gives_the_same_key_as_its_row),
        cmocka_unit_test(a_notification_in_a_list_gives_the_same_key),
        cmocka_unit_test(a_field_that_is_missing_or_no_value_leaves_no_key),
        cmocka_unit_test(a_value_above_255_bytes_leaves_no_key),
        cmocka_unit_test(no_value_can_reach_into_its_neighbour),
        cmocka_unit_test(a_key_is_appended_and_its_failure_takes_nothing),
        cmocka_unit_test(the_presets_are_those_of_the_two_environments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
