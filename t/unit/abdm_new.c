/*
 * The configuration as abdm_new judges it: a good one is taken whole, and each value that is
 * missing or wrong is told by its name, so that nginx -t says what to mend.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "abdm.h"

static char dir[64];
static char store[128], secret_key[128], client_secret[128], mapping[128], garbage[128];
static abdm_facility_config_t facilities[2];
static abdm_config_t good;
static const char *push_allow[1];


static void
write_file(const char *name, char path[128], const char *text)
{
    snprintf(path, 128, "%s/%s", dir, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    assert_int_equal(chmod(path, 0600), 0);
}


static int
set_up(void **state)
{
    char problem[ABDM_PROBLEM], file[128];

    (void) state;
    strcpy(dir, "/tmp/abdm_new_XXXXXX");
    assert_non_null(mkdtemp(dir));
    snprintf(store, sizeof(store), "sqlite:%s/abdm.db", dir);
    snprintf(secret_key, sizeof(secret_key), "%s/secret.key", dir);
    assert_int_equal(abdm_secret_key_make(secret_key, problem).code, ABDM_OK);
    write_file("client_secret", client_secret, "hush\r\nsecond line\n");
    write_file("garbage", garbage, "neither a key nor a certificate\n");
    write_file("mapping.json", file,
               "{\"records\":{\"path\":\"/v/{careContextRef}\",\"map\":\"records.jq\"}}");
    write_file("records.jq", file, "[]");
    snprintf(mapping, sizeof(mapping), "%s", dir);

    abdm_facility_config_init(&facilities[0]);
    facilities[0].id = "IN01_1";
    facilities[0].name = "Demo";
    facilities[0].hmis_adapter = "rest";
    facilities[0].hmis_url = "http://127.0.0.1:8080";
    facilities[0].hmis_mapping = mapping;
    facilities[1] = facilities[0];
    facilities[1].id = "IN01_2";
    abdm_config_init(&good);
    good.store = store;
    good.secret_key_file = secret_key;
    good.gateway = (abdm_gateway_config_t){
        .preset = ABDM_GATEWAY_CUSTOM, .client_id = "SBX_1", .client_secret_file = client_secret,
        .url = "https://gateway.example", .cm_id = "sbx", .issuer = {{"https://iss.example/r"}, 1},
        .caller = {{"gateway"}, 1}, .token_leeway_ms = -1};
    good.facility = facilities;
    good.n_facility = 2;
    push_allow[0] = "127.0.0.0/8";
    good.push_allow = push_allow;
    good.n_push_allow = 1;
    return 0;
}


static int
tear_down(void **state)
{
    char command[128];

    (void) state;
    snprintf(command, sizeof(command), "rm -rf %s", dir);
    return system(command);
}


/* Refused as E_CONFIG, and the text names the value (and its content where `and` is given). */
static void
assert_problem(const abdm_config_t *config, const char *name, const char *and)
{
    char problem[ABDM_PROBLEM] = "";
    abdm_t *abdm = (abdm_t *) &good;

    assert_int_equal(abdm_new(config, problem, &abdm).code, ABDM_E_CONFIG);
    assert_null(abdm);
    if (strstr(problem, name) == NULL || (and != NULL && strstr(problem, and) == NULL))
        fail_msg("\"%s\" names neither \"%s\" nor \"%s\"", problem, name, and ? and : "");
    assert_null(strstr(problem, "hush"));
}


static void
a_good_configuration_is_taken(void **state)
{
    char problem[ABDM_PROBLEM];
    abdm_config_t c = good;
    abdm_t *abdm;

    (void) state;
    assert_int_equal(abdm_new(&c, problem, &abdm).code, ABDM_OK);
    assert_string_equal(problem, "");
    abdm_free(abdm);

    c.gateway.jwks_url = "https://keys.example/certs";
    c.gateway.issuer.item[0] = "not a url";
    c.n_push_allow = 0;
    assert_int_equal(abdm_new(&c, problem, &abdm).code, ABDM_OK);
    abdm_free(abdm);
    abdm_free(NULL);
}


static void
a_preset_fills_in_what_is_not_said(void **state)
{
    char problem[ABDM_PROBLEM];
    abdm_config_t c = good;
    abdm_t *abdm;

    (void) state;
    for (int i = 0; i < 2; i++) {
        c.gateway = (abdm_gateway_config_t){
            .preset = i == 0 ? ABDM_GATEWAY_SANDBOX : ABDM_GATEWAY_PRODUCTION,
            .client_id = "SBX_1", .client_secret_file = client_secret, .token_leeway_ms = -1};
        assert_int_equal(abdm_new(&c, problem, &abdm).code, ABDM_OK);
        abdm_free(abdm);
    }
}


static void
each_missing_value_is_named(void **state)
{
    abdm_config_t c;

    (void) state;
#define MISSING(member, none, name)                                                                \
    do {                                                                                           \
        c = good;                                                                                  \
        c.member = none;                                                                           \
        assert_problem(&c, name, "missing");                                                       \
    } while (0)

    MISSING(store, NULL, "abdm_store");
    MISSING(secret_key_file, NULL, "abdm_secret_key");
    MISSING(n_facility, 0, "abdm_facility");
    MISSING(gateway.client_id, NULL, "client_id");
    MISSING(gateway.client_secret_file, NULL, "client_secret");
    MISSING(gateway.url, NULL, "url");
    MISSING(gateway.cm_id, NULL, "cm_id");
    MISSING(gateway.issuer.n, 0, "issuer");
    MISSING(gateway.caller.n, 0, "caller");
#undef MISSING
}


static void
a_store_that_cannot_be_is_named(void **state)
{
    static const char *const bad[] = {"abdm.db", "mysql:/x", "sqlite:relative.db",
                                      "sqlite:/nowhere/at/all/abdm.db"};
    abdm_config_t c = good;

    (void) state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        c.store = bad[i];
        assert_problem(&c, "abdm_store", bad[i]);
    }
}


static void
a_key_file_that_is_none_or_open_to_others_is_named(void **state)
{
    abdm_config_t c = good;

    (void) state;
    c.secret_key_file = "/nowhere/secret.key";
    assert_problem(&c, "secret key", "/nowhere/secret.key");
    c.secret_key_file = garbage;
    assert_problem(&c, "secret key", garbage);
    assert_int_equal(chmod(secret_key, 0640), 0);
    c.secret_key_file = secret_key;
    assert_problem(&c, "secret key", "chmod 600");
    assert_int_equal(chmod(secret_key, 0600), 0);
}


static void
a_client_secret_that_is_none_or_open_to_others_is_named_and_never_shown(void **state)
{
    char path[128], text[8192];
    abdm_config_t c = good;

    (void) state;
    c.gateway.client_secret_file = "/nowhere/client_secret";
    assert_problem(&c, "client_secret", "/nowhere/client_secret");
    c.gateway.client_secret_file = dir;
    assert_problem(&c, "client_secret", dir);
    c.gateway.client_secret_file = client_secret;
    assert_int_equal(chmod(client_secret, 0604), 0);
    assert_problem(&c, "client_secret", "chmod 600");
    assert_int_equal(chmod(client_secret, 0600), 0);

    write_file("empty", path, "\nhush\n");
    c.gateway.client_secret_file = path;
    assert_problem(&c, "client_secret", "empty");
    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    write_file("long", path, text);
    assert_problem(&c, "client_secret", "long"); /* it must not be cut in silence */
}


static void
a_fifo_in_the_place_of_the_client_secret_does_not_hold_up_the_start(void **state)
{
    abdm_config_t c = good;
    char path[128];

    (void) state;
    snprintf(path, sizeof(path), "%s/fifo", dir);
    assert_int_equal(mkfifo(path, 0600), 0);
    c.gateway.client_secret_file = path;
    alarm(10);
    assert_problem(&c, "client_secret", path);
    alarm(0);
}


static void
an_address_of_the_gateway_that_is_no_https_url_is_named(void **state)
{
    static const char *const bad[] = {"", "gateway.example", "http://gateway.example",
                                      "https://gateway.example/", "https://user@gateway.example",
                                      "https://gateway.example/a b"};
    abdm_config_t c = good;

    (void) state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        c = good;
        c.gateway.url = bad[i];
        assert_problem(&c, "url", bad[i]);
        c = good;
        c.gateway.jwks_url = bad[i];
        assert_problem(&c, "jwks_url", bad[i]);
    }
}


static void
a_bundle_without_certificates_is_named(void **state)
{
    abdm_config_t c = good;

    (void) state;
    c.gateway.trusted_certificate = "/nowhere/ca.pem";
    assert_problem(&c, "trusted_certificate", "/nowhere/ca.pem");
    c.gateway.trusted_certificate = garbage;
    assert_problem(&c, "trusted_certificate", garbage);
}


static void
a_network_that_is_none_is_named(void **state)
{
    static const char *const bad[] = {"localhost", "10.0.0.1/8", "10.0.0.0/33", ""};
    abdm_config_t c = good;

    (void) state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        push_allow[0] = bad[i];
        assert_problem(&c, "abdm_push_allow", bad[i]);
    }
    push_allow[0] = "127.0.0.0/8";
}


static void
a_facility_that_is_there_twice_or_lacks_something_is_named(void **state)
{
    abdm_config_t c = good;

    (void) state;
    facilities[1].id = "IN01_1";
    assert_problem(&c, "abdm_facility IN01_1", "twice");
    facilities[1].id = "IN01_2";
    facilities[1].name = NULL;
    assert_problem(&c, "abdm_facility IN01_2", "name");
    facilities[1].name = "Demo";
    facilities[1].hmis_url = NULL;
    assert_problem(&c, "abdm_facility IN01_2", "hmis");
    facilities[1].hmis_url = facilities[0].hmis_url;
    facilities[1].hmis_mapping = NULL;
    assert_problem(&c, "abdm_facility IN01_2", "mapping");
    facilities[1].hmis_mapping = mapping;
    facilities[1].hmis_adapter = NULL;
    assert_problem(&c, "abdm_facility IN01_2", "hmis");
    facilities[1].hmis_adapter = "rest";
}


static void
an_hmis_that_cannot_be_is_named(void **state)
{
    char path[128];
    abdm_config_t c = good;

    (void) state;
    facilities[1].hmis_adapter = "telepathy";
    assert_problem(&c, "abdm_facility IN01_2", "telepathy");
    facilities[1].hmis_adapter = "rest";
    facilities[1].hmis_url = "ftp://hmis.example";
    assert_problem(&c, "abdm_facility IN01_2", "http://host:port");
    facilities[1].hmis_url = facilities[0].hmis_url;
    facilities[1].hmis_mapping = "/nowhere/mapping";
    assert_problem(&c, "abdm_facility IN01_2", "/nowhere/mapping");
    facilities[1].hmis_mapping = mapping;
    write_file("records.jq", path, "this is | no program (");
    assert_problem(&c, "abdm_facility IN01_1", "records.jq");
    write_file("records.jq", path, "[]");
}


static void
an_audit_kept_for_less_than_a_year_is_named(void **state)
{
    const int64_t year = 365LL * 24 * 60 * 60 * 1000;
    char problem[ABDM_PROBLEM];
    abdm_config_t c = good;
    abdm_t *abdm;

    (void) state;
    c.audit_keep_ms = year - 1;
    assert_problem(&c, "abdm_audit_keep", "365");
    c.audit_keep_ms = year;
    assert_int_equal(abdm_new(&c, problem, &abdm).code, ABDM_OK);
    abdm_free(abdm);
}


static void
a_key_file_is_never_overwritten(void **state)
{
    char problem[ABDM_PROBLEM] = "";

    (void) state;
    assert_int_equal(abdm_secret_key_make(secret_key, problem).code, ABDM_E_CONFIG);
    assert_non_null(strstr(problem, secret_key));
}


static void
a_store_is_opened_for_reading_only_where_there_is_one(void **state)
{
    char problem[ABDM_PROBLEM] = "", *json;
    abdm_admin_t *admin;
    abdm_t *abdm;

    (void) state;
    assert_int_equal(abdm_admin_open("sqlite:/nowhere/abdm.db", problem, &admin).code,
                     ABDM_E_CONFIG);
    assert_non_null(strstr(problem, "/nowhere/abdm.db"));
    assert_null(admin);
    assert_int_equal(abdm_admin_open("nothing", problem, &admin).code, ABDM_E_CONFIG);
    assert_non_null(strstr(problem, "nothing"));

    assert_int_equal(abdm_new(&good, problem, &abdm).code, ABDM_OK);
    assert_int_equal(abdm_prepare_store(abdm, (uid_t) -1, (gid_t) -1, problem).code, ABDM_OK);
    abdm_free(abdm);
    assert_int_equal(abdm_admin_open(store, problem, &admin).code, ABDM_OK);
    assert_int_equal(abdm_admin_transfers(admin, 10, &json).code, ABDM_OK);
    assert_string_equal(json, "{\"transfers\":[]}");
    free(json);
    assert_int_equal(abdm_admin_explain(admin, "X-1", &json).code, ABDM_E_NOT_FOUND);
    assert_null(json);
    abdm_admin_close(admin);
    abdm_admin_close(NULL);
}


static void
keys_of_consents_that_cannot_be_used_are_named(void **state)
{
    const char *files[] = {"/nowhere/cm.pem", NULL};
    abdm_config_t c = good;

    (void) state;
    c.consent_key = files;
    c.n_consent_key = 1;
    assert_problem(&c, "abdm_consent_key", "/nowhere/cm.pem");
    files[0] = garbage;
    assert_problem(&c, "abdm_consent_key", garbage);
    c.n_consent_key = 0;
    c.policy.signature = ABDM_SIGNATURE_ENFORCE;
    assert_problem(&c, "abdm_consent_key", "enforce");
}


static void
the_audit_is_verified_with_its_key_and_shown_without(void **state)
{
    abdm_audit_query_t query = {.since = "2d", .until = "2999-01-01"};
    char problem[ABDM_PROBLEM], *json = NULL;
    abdm_admin_t *admin;
    abdm_t *abdm;
    bool is_good;

    (void) state;
    assert_int_equal(abdm_new(&good, problem, &abdm).code, ABDM_OK);
    assert_int_equal(abdm_prepare_store(abdm, (uid_t) -1, (gid_t) -1, problem).code, ABDM_OK);
    abdm_free(abdm);
    assert_int_equal(abdm_admin_open_with(store, "/nowhere", problem, &admin).code, ABDM_E_CONFIG);
    assert_non_null(strstr(problem, "/nowhere"));
    assert_int_equal(abdm_admin_open_with(store, good.secret_key_file, problem, &admin).code,
                     ABDM_OK);
    assert_int_equal(abdm_admin_audit_verify(admin, NULL, &is_good, &json).code, ABDM_OK);
    assert_true(is_good);
    assert_non_null(strstr(json, "\"good\":true"));
    free(json);
    assert_int_equal(abdm_admin_audit_verify(admin, "nonsense", &is_good, &json).code,
                     ABDM_E_FIELD);
    assert_false(is_good);
    assert_null(json);
    assert_int_equal(abdm_admin_audit_restart(admin).code, ABDM_OK);
    assert_int_equal(abdm_admin_audit_report(admin, &query, true, &json).code, ABDM_OK);
    assert_non_null(strstr(json, "\"refusalCount\":1"));
    free(json);
    query.since = "2 days";
    assert_int_equal(abdm_admin_audit_report(admin, &query, true, &json).code, ABDM_E_FIELD);
    query.since = "99999999d";
    assert_int_equal(abdm_admin_audit_report(admin, &query, true, &json).code, ABDM_E_FIELD);
    abdm_admin_close(admin);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_configuration_is_taken),
        cmocka_unit_test(a_preset_fills_in_what_is_not_said),
        cmocka_unit_test(each_missing_value_is_named),
        cmocka_unit_test(a_store_that_cannot_be_is_named),
        cmocka_unit_test(a_key_file_that_is_none_or_open_to_others_is_named),
        cmocka_unit_test(a_client_secret_that_is_none_or_open_to_others_is_named_and_never_shown),
        cmocka_unit_test(a_fifo_in_the_place_of_the_client_secret_does_not_hold_up_the_start),
        cmocka_unit_test(an_address_of_the_gateway_that_is_no_https_url_is_named),
        cmocka_unit_test(a_bundle_without_certificates_is_named),
        cmocka_unit_test(a_network_that_is_none_is_named),
        cmocka_unit_test(a_facility_that_is_there_twice_or_lacks_something_is_named),
        cmocka_unit_test(an_hmis_that_cannot_be_is_named),
        cmocka_unit_test(keys_of_consents_that_cannot_be_used_are_named),
        cmocka_unit_test(an_audit_kept_for_less_than_a_year_is_named),
        cmocka_unit_test(a_key_file_is_never_overwritten),
        cmocka_unit_test(a_store_is_opened_for_reading_only_where_there_is_one),
        cmocka_unit_test(the_audit_is_verified_with_its_key_and_shown_without),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
