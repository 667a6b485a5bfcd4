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

#include "gateway/preset.h"
#include "gateway/routes.h"

static const struct {
    const char *canonical;
    const char *event;
    abdm_facility_header_t facility;
    const char *alias[8]; /* without "/api" */
} expected[] = {
    {"/api/v3/hip/token/on-generate-token", "link.token_came", ABDM_FACILITY_HIP,
     {"/v3/hip/token/on-generate-token"}},
    {"/api/v3/link/on_carecontext", "link.linked", ABDM_FACILITY_HIP,
     {"/v3/link/on_carecontext", "/v3/link/on-care-context", "/v3/link/on-carecontext",
      "/v3/hip/link/on-carecontext", "/link/on-care-context", "/link/on-carecontext",
      "/hip/link/on-carecontext"}},
    {"/api/v3/links/context/on-notify", "context.notified", ABDM_FACILITY_HIP,
     {"/v3/links/context/on-notify", "/v3/link/context/on-notify", "/link/context/on-notify"}},
    {"/api/v3/patients/sms/on-notify", "sms.notified", ABDM_FACILITY_HIP,
     {"/v3/patients/sms/on-notify"}},
    {"/api/v3/hip/patient/care-context/discover", "discovery.asked", ABDM_FACILITY_HIP,
     {"/v3/hip/patient/care-context/discover", "/v0.5/care-contexts/discover"}},
    {"/api/v3/hip/link/care-context/init", "link.init_asked", ABDM_FACILITY_HIP,
     {"/v3/hip/link/care-context/init", "/v0.5/links/link/init"}},
    {"/api/v3/hip/link/care-context/confirm", "link.confirm_asked", ABDM_FACILITY_HIP,
     {"/v3/hip/link/care-context/confirm", "/v0.5/links/link/confirm"}},
    {"/api/v3/consent/request/hip/notify", "consent.notified", ABDM_FACILITY_HIP,
     {"/v3/consent/request/hip/notify", "/v0.5/consents/hip/notify"}},
    {"/api/v3/hip/health-information/request", "transfer.requested", ABDM_FACILITY_HIP,
     {"/v3/hip/health-information/request", "/v0.5/health-information/hip/request"}},
    {"/api/v3/hip/patient/share", "share.asked", ABDM_FACILITY_HIP,
     {"/v3/hip/patient/share", "/v3/hip/patient/profile/share", "/patient-share/v3/share",
      "/v1.0/patients/profile/share", "/v0.5/patients/profile/share"}},
    {"/v0.5/patients/status/notify", "patient.status", ABDM_FACILITY_EITHER, {NULL}},
    {"/v0.5/users/auth/on-fetch-modes", "auth.modes", ABDM_FACILITY_EITHER, {NULL}},
    {"/v0.5/users/auth/on-init", "auth.begun", ABDM_FACILITY_EITHER, {NULL}},
    {"/v0.5/users/auth/on-confirm", "auth.confirmed", ABDM_FACILITY_EITHER, {NULL}},
    {"/v0.5/users/auth/notify", "auth.notified", ABDM_FACILITY_EITHER, {NULL}},
    {"/v0.5/links/link/on-add-contexts", "link.linked", ABDM_FACILITY_HIP, {NULL}},
    {"/v0.5/links/context/on-notify", "context.notified", ABDM_FACILITY_HIP, {NULL}},
    {"/v0.5/patients/sms/on-notify", "sms.notified", ABDM_FACILITY_HIP, {NULL}},
    {"/v0.5/patients/on-find", NULL, ABDM_FACILITY_HIU, {NULL}},
    {"/api/v3/hiu/consent/request/on-init", NULL, ABDM_FACILITY_HIU,
     {"/v3/hiu/consent/request/on-init", "/v0.5/consent-requests/on-init"}},
    {"/api/v3/hiu/consent/request/on-status", NULL, ABDM_FACILITY_HIU,
     {"/v3/hiu/consent/request/on-status", "/v0.5/consent-requests/on-status"}},
    {"/api/v3/hiu/consent/request/notify", NULL, ABDM_FACILITY_HIU,
     {"/v3/hiu/consent/request/notify", "/v0.5/consents/hiu/notify"}},
    {"/api/v3/hiu/consent/on-fetch", "consent.fetched", ABDM_FACILITY_EITHER,
     {"/v3/hiu/consent/on-fetch", "/v0.5/consents/on-fetch"}},
    {"/api/v3/hiu/health-information/on-request", NULL, ABDM_FACILITY_HIU,
     {"/v3/hiu/health-information/on-request", "/v0.5/health-information/hiu/on-request",
      "/v0.5/health-information/cm/on-request"}},
    {"/v0.5/health-information/transfer", NULL, ABDM_FACILITY_NONE, {NULL}},
    {"/api/v3/hiu/subscription-requests/on-init", NULL, ABDM_FACILITY_HIU,
     {"/v3/hiu/subscription-requests/on-init", "/v3/hiu/hiecm/subscription-requests/on-init",
      "/v0.5/subscription-requests/hiu/on-init"}},
    {"/api/v3/hiu/subscription-requests/hiu/notify", NULL, ABDM_FACILITY_HIU,
     {"/v3/hiu/subscription-requests/hiu/notify", "/v0.5/subscription-requests/hiu/notify"}},
    {"/api/v3/hiu/subscription/notify", NULL, ABDM_FACILITY_HIU,
     {"/v3/hiu/subscription/notify", "/v0.5/subscriptions/hiu/notify"}},
    {"/api/v3/hiu/patient/care-context/on-discover", NULL, ABDM_FACILITY_HIU,
     {"/v3/hiu/patient/care-context/on-discover"}},
    {"/api/v3/hiu/patient/care-context/on-init", NULL, ABDM_FACILITY_HIU,
     {"/v3/hiu/patient/care-context/on-init"}},
    {"/api/v3/hiu/patient/care-context/on-confirm", NULL, ABDM_FACILITY_HIU,
     {"/v3/hiu/patient/care-context/on-confirm"}},
    {"/api/v3/hiu/patient/on-share", NULL, ABDM_FACILITY_HIU,
     {"/v3/hiu/patient/on-share"}},
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
a_status_of_the_patient_is_known_under_any_v3_path(void **state)
{
    static const char *const paths[] = {
        "/v3/patients/status/notify", "/v3/patient/status/notify", "/v3/hip/patient/status/notify",
        "/v3/hiu/patients/status/notify", "/v3/hiecm/a/b/patient/status/notify",
    };
    static const char *const others[] = {
        "/v3/patients/status/notify/x", "/v3/xpatients/status/notify",
        "/v3/patients/status/on-notify", "/v0.5/hip/patients/status/notify",
        "/v3/PATIENTS/status/notify",
    };
    (void) state;
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        assert_found(paths[i], "/v0.5/patients/status/notify");
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_found(others[i], "*");
    assert_null(find("", "/patients/status/notify"));
    assert_null(find("", "/v4/patients/status/notify"));
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
        cmocka_unit_test(a_status_of_the_patient_is_known_under_any_v3_path),
        cmocka_unit_test(an_unnamed_path_under_a_root_of_callbacks_gives_the_catch_all),
        cmocka_unit_test(what_is_no_callback_is_not_found),
        cmocka_unit_test(the_presets_are_those_of_the_two_environments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
