/*
 * The description of the configuration: what abdm_prepare_store leaves is what abdm_new was given,
 * in every member, and a file that somebody else may have written is not believed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "abdm_doctor.h"
#include "abdm_internal.h"

static char dir[64], file[128], store[128];


static int
set_up(void **state)
{
    (void) state;
    strcpy(dir, "/tmp/describe_XXXXXX");
    if (mkdtemp(dir) == NULL)
        return 1;
    snprintf(file, sizeof(file), "%s/a.conf.json", dir);
    snprintf(store, sizeof(store), "sqlite:%s/a.db", dir);
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


static abdm_description_t *
opened(void)
{
    char problem[ABDM_PROBLEM];
    abdm_description_t *d;
    abdm_err_t err = abdm_description_open(file, problem, &d);

    if (abdm_failed(err))
        fail_msg("%s", problem);
    return d;
}


static void
assert_refused(const char *why)
{
    abdm_description_t *d = (abdm_description_t *) dir;
    char problem[ABDM_PROBLEM] = "";

    assert_int_equal(abdm_description_open(file, problem, &d).code, ABDM_E_CONFIG);
    assert_null(d);
    if (strstr(problem, why) == NULL || strstr(problem, file) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", problem, why);
}


static void
describe(const abdm_config_t *config)
{
    char problem[ABDM_PROBLEM] = "";

    assert_int_equal(abdm_describe(config, (gid_t) -1, problem).code, ABDM_OK);
    assert_string_equal(problem, "");
}


static void
write_file(const char *text, mode_t mode)
{
    FILE *f = fopen(file, "w");

    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    assert_int_equal(chmod(file, mode), 0);
}


/* --- every member --- */

#define SAME_TEXT(m)                                                                               \
    do {                                                                                           \
        if (a->m == NULL)                                                                          \
            assert_null(b->m);                                                                     \
        else                                                                                       \
            assert_string_equal(a->m, b->m);                                                       \
    } while (0)
#define SAME(m) assert_true(a->m == b->m)

/* A member that is added to a structure changes its size: it needs a row in abdm_describe.c, and a
 * line here. */
_Static_assert(sizeof(abdm_facility_config_t) == 144, "abdm_facility_config_t has changed");
_Static_assert(sizeof(abdm_gateway_config_t) == 336, "abdm_gateway_config_t has changed");
_Static_assert(sizeof(abdm_policy_t) == 16, "abdm_policy_t has changed");
_Static_assert(sizeof(abdm_config_t) == 472, "abdm_config_t has changed");


static void
same_list(const abdm_list_t *a, const abdm_list_t *b)
{
    SAME(n);
    for (size_t i = 0; i < a->n; i++)
        assert_string_equal(a->item[i], b->item[i]);
}


static void
same_facility(const abdm_facility_config_t *a, const abdm_facility_config_t *b)
{
    SAME_TEXT(id);
    SAME_TEXT(name);
    SAME_TEXT(hmis_adapter);
    SAME_TEXT(hmis_url);
    SAME_TEXT(hmis_mapping);
    SAME_TEXT(codes);
    SAME_TEXT(fhir);
    SAME_TEXT(sms_url);
    SAME_TEXT(sms_template);
    SAME(poll_ms);
    SAME(deep_link);
    SAME(quiet_from);
    SAME(quiet_to);
    SAME(sms_daily);
    SAME(n_counters);
    for (size_t i = 0; i < a->n_counters; i++)
        assert_string_equal(a->counter[i], b->counter[i]);
    SAME(zone_minutes);
    SAME(slot_ms);
    SAME(discovery_hourly);
    SAME(otp_life_ms);
}


static void
same_gateway(const abdm_gateway_config_t *a, const abdm_gateway_config_t *b)
{
    SAME(preset);
    SAME_TEXT(client_id);
    SAME_TEXT(client_secret_file);
    SAME_TEXT(url);
    SAME_TEXT(cm_id);
    same_list(&a->issuer, &b->issuer);
    same_list(&a->caller, &b->caller);
    SAME_TEXT(jwks_url);
    SAME_TEXT(trusted_certificate);
    SAME(token_leeway_ms);
}


static void
same_config(const abdm_config_t *a, const abdm_config_t *b)
{
    SAME_TEXT(store);
    SAME_TEXT(secret_key_file);
    same_gateway(&a->gateway, &b->gateway);
    SAME(n_facility);
    for (size_t i = 0; i < a->n_facility; i++)
        same_facility(&a->facility[i], &b->facility[i]);
    SAME(n_push_allow);
    for (size_t i = 0; i < a->n_push_allow; i++)
        assert_string_equal(a->push_allow[i], b->push_allow[i]);
    SAME(policy.confirm);
    SAME(policy.signature);
    SAME(n_consent_key);
    for (size_t i = 0; i < a->n_consent_key; i++)
        assert_string_equal(a->consent_key[i], b->consent_key[i]);
    SAME(n_consent_kid);
    for (size_t i = 0; i < a->n_consent_kid; i++)
        assert_string_equal(a->consent_kid[i], b->consent_kid[i]);
    SAME(policy.break_glass);
    SAME(policy.push_new_host);
    SAME_TEXT(callback_prefix);
    SAME(callback_max_body);
    SAME(queue);
    SAME(record_max);
    SAME(audit_keep_ms);
}


static void
every_member_comes_back(void **state)
{
    static const char *const counters[] = {"OPD1", "OPD2"};
    static const char *const networks[] = {"10.0.0.0/8", "::1", "fd00::/8"};
    static const char *const keys[] = {"/cm.pem", "/other.pem"};
    static const char *const kids[] = {"", "cm-2"};
    const abdm_facility_config_t facilities[2] = {
        {.id = "IN01_1",
         .name = "जिला \"अस्पताल\"\n",
         .hmis_adapter = "rest",
         .hmis_url = "http://h/",
         .hmis_mapping = "/m",
         .codes = "/c",
         .fhir = "send",
         .sms_url = "https://s/",
         .sms_template = "/t",
         .poll_ms = 86400000,
         .deep_link = true,
         .quiet_from = 1,
         .quiet_to = 2,
         .sms_daily = 3,
         .counter = counters,
         .n_counters = 2,
         .zone_minutes = -210,
         .slot_ms = 4,
         .discovery_hourly = 5,
         .otp_life_ms = 6},
        {.id = "IN01_2",
         .poll_ms = -1,
         .sms_daily = -1,
         .slot_ms = -1,
         .discovery_hourly = -1,
         .otp_life_ms = -1},
    };
    const abdm_config_t config = {
        .store = store,
        .secret_key_file = "/k",
        .gateway = {.preset = ABDM_GATEWAY_PRODUCTION,
                    .client_id = "SBX",
                    .client_secret_file = "/s",
                    .url = "https://g",
                    .cm_id = "sbx",
                    .issuer = {{"i1", "i2"}, 2},
                    .caller = {{"c1"}, 1},
                    .jwks_url = "https://j",
                    .trusted_certificate = "/p",
                    .token_leeway_ms = 7},
        .facility = facilities,
        .n_facility = 2,
        .push_allow = networks,
        .n_push_allow = 3,
        .consent_key = keys,
        .n_consent_key = 2,
        .consent_kid = kids,
        .n_consent_kid = 2,
        .policy = {.confirm = ABDM_CONFIRM_REQUIRE,
                   .signature = ABDM_SIGNATURE_ENFORCE,
                   .break_glass = true, 
                   .push_new_host = ABDM_NEW_HOST_DENY},
        .callback_prefix = "/abdm",
        .callback_max_body = 8,
        .queue = 9,
        .record_max = UINT64_C(1) << 40,
        .audit_keep_ms = INT64_C(1) << 41,
    };
    abdm_description_t *d;

    (void) state;
    describe(&config);
    d = opened();
    same_config(&config, abdm_description_config(d));
    assert_string_equal(abdm_description_version(d), ABDM_VERSION);
    assert_true(llabs(abdm_description_time(d) - abdm_time_now()) < 60000);
    abdm_description_close(d);
}


static void
what_is_not_set_comes_back_as_not_set(void **state)
{
    abdm_config_t config;
    abdm_description_t *d;

    (void) state;
    abdm_config_init(&config);
    config.store = store;
    describe(&config);
    d = opened();
    same_config(&config, abdm_description_config(d));
    abdm_description_close(d);
    abdm_description_close(NULL);
}


/* --- the file --- */

static void
its_name_is_that_of_the_store(void **state)
{
    static const char *const names[][2] = {
        {"sqlite:/var/lib/x/abdm.db", "/var/lib/x/abdm.conf.json"},
        {"sqlite:/var/lib.d/abdm", "/var/lib.d/abdm.conf.json"},
        {"sqlite:/a.b/.db", "/a.b/.db.conf.json"},
        {"sqlite:/x.y.db", "/x.y.conf.json"},
    };

    (void) state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char *name = abdm_description_file(names[i][0]);

        assert_string_equal(name, names[i][1]);
        free(name);
    }
    assert_null(abdm_description_file("nothing"));
    assert_null(abdm_description_file(NULL));
}


static void
it_is_written_anew_only_when_something_changed(void **state)
{
    struct stat first, second;
    abdm_config_t config;

    (void) state;
    abdm_config_init(&config);
    config.store = store;
    describe(&config);
    assert_int_equal(stat(file, &first), 0);
    assert_int_equal(first.st_mode & 07777, 0640);
    describe(&config);
    assert_int_equal(stat(file, &second), 0);
    assert_true(first.st_ino == second.st_ino);
    assert_int_equal(first.st_mtim.tv_nsec, second.st_mtim.tv_nsec);

    config.queue++;
    describe(&config);
    assert_int_equal(stat(file, &second), 0);
    assert_int_not_equal(first.st_ino, second.st_ino);

    assert_int_equal(chmod(file, 0666), 0); /* the same words, but not safe */
    describe(&config);
    assert_int_equal(stat(file, &second), 0);
    assert_int_equal(second.st_mode & 07777, 0640);
}


static void
a_link_in_its_place_is_replaced_and_what_it_leads_to_stays(void **state)
{
    char target[128], text[16] = "";
    abdm_config_t config;
    struct stat st;
    FILE *f;

    (void) state;
    snprintf(target, sizeof(target), "%s/target", dir);
    f = fopen(target, "w");
    assert_non_null(f);
    fputs("mine", f);
    fclose(f);
    unlink(file);
    assert_int_equal(symlink(target, file), 0);
    assert_refused(strerror(ELOOP));
    abdm_config_init(&config);
    config.store = store;
    describe(&config);
    assert_int_equal(lstat(file, &st), 0);
    assert_true(S_ISREG(st.st_mode));
    f = fopen(target, "r");
    assert_non_null(f);
    assert_int_equal(fread(text, 1, sizeof(text), f), 4);
    fclose(f);
    assert_string_equal(text, "mine");
}


static void
a_place_where_it_cannot_be_written_is_told(void **state)
{
    char problem[ABDM_PROBLEM] = "";
    abdm_config_t config;

    (void) state;
    abdm_config_init(&config);
    config.store = "sqlite:/nowhere/at/all/a.db";
    assert_int_equal(abdm_describe(&config, (gid_t) -1, problem).code, ABDM_E_SYSTEM);
    assert_non_null(strstr(problem, "/nowhere/at/all/a.conf.json"));
}


static void
a_file_that_others_can_write_is_refused(void **state)
{
    (void) state;
    write_file("{\"version\":\"1\",\"facility\":[]}", 0640);
    abdm_description_close(opened());
    assert_int_equal(chmod(file, 0660), 0);
    assert_refused("not to be trusted");
    assert_int_equal(chmod(file, 0642), 0);
    assert_refused("not to be trusted");
    assert_int_equal(chmod(file, 0640), 0);
    if (geteuid() == 0) {
        assert_int_equal(chown(file, 1, 1), 0);
        assert_refused("not to be trusted");
    }
}


static void
what_is_no_description_is_refused_by_its_fault(void **state)
{
    static const char *const bad[][2] = {
        {"", "JSON"},
        {"{", "JSON"},
        {"{}", "\"version\""},
        {"{\"version\":1}", "\"version\""},
        {"{\"version\":\"1\",\"queue\":\"many\"}", "\"queue\""},
        {"{\"version\":\"1\",\"queue\":-1}", "\"queue\""},
        {"{\"version\":\"1\",\"store\":7}", "\"store\""},
        {"{\"version\":\"1\",\"push_allow\":[1]}", "\"push_allow\""},
        {"{\"version\":\"1\",\"push_allow\":\"x\"}", "\"push_allow\""},
        {"{\"version\":\"1\",\"gateway\":{\"preset\":\"moon\"}}", "\"preset\""},
        {"{\"version\":\"1\",\"policy.push_new_host\":\"maybe\"}", "\"policy.push_new_host\""},
        {"{\"version\":\"1\",\"gateway\":{\"issuer\":[null]}}", "\"issuer\""},
        {"{\"version\":\"1\",\"gateway\":{\"caller\":[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\","
         "\"8\","
         "\"9\",\"10\",\"11\",\"12\",\"13\",\"14\",\"15\",\"16\",\"17\"]}}",
         "\"caller\""},
        {"{\"version\":\"1\",\"facility\":[{}]}", "\"facility.id\""},
        {"{\"version\":\"1\",\"facility\":[3]}", "\"facility.id\""},
        {"{\"version\":\"1\",\"facility\":[{\"id\":\"a\",\"deep_link\":1}]}", "\"deep_link\""},
        {"{\"version\":\"1\",\"facility\":[{\"id\":\"a\",\"quiet_to\":5000000000}]}",
         "\"quiet_to\""},
        {"{\"version\":\"1\",\"facility\":[{\"id\":\"a\",\"poll_ms\":1.5}]}", "\"poll_ms\""},
    };

    (void) state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        unlink(file);
        write_file(bad[i][0], 0640);
        assert_refused(bad[i][1]);
    }
    unlink(file);
    assert_refused("it is not there");
    assert_int_equal(mkdir(file, 0755), 0);
    assert_refused("it is no file");
    assert_int_equal(rmdir(file), 0);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_member_comes_back),
        cmocka_unit_test(what_is_not_set_comes_back_as_not_set),
        cmocka_unit_test(its_name_is_that_of_the_store),
        cmocka_unit_test(it_is_written_anew_only_when_something_changed),
        cmocka_unit_test(a_link_in_its_place_is_replaced_and_what_it_leads_to_stays),
        cmocka_unit_test(a_place_where_it_cannot_be_written_is_told),
        cmocka_unit_test(a_file_that_others_can_write_is_refused),
        cmocka_unit_test(what_is_no_description_is_refused_by_its_fault),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
