/* The HMIS side: base URLs, templates, mappings that are refused, answers that are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/json.h"
#include "hmis/hmis.h"

static const char good_mapping[] =
    "{\"records\":{\"path\":\"/api/visits/{careContextRef}\",\"map\":\"records.jq\"}}";
static const char good_record[] =
    "{\"hiType\":\"prescription\",\"patient\":{\"patientReference\":\"P1\"},"
    "\"authoredOn\":\"2026-03-05T10:40:00+05:30\","
    "\"document\":{\"url\":\"/f/1.pdf\",\"contentType\":\"application/pdf\"}}";

static const abdm_hmis_query_t query = {
    .hip_id = "IN0990001234_1",
    .patient_ref = "P1",
    .care_context_ref = "OPD 26/07?71",
    .from = "2026-01-01T00:00:00.000Z",
    .to = "2026-12-31T00:00:00.000Z",
};

static char dir[] = "/tmp/abdm-hmis-test-XXXXXX";
static char problem[512];


static void
path_of(const char *name, char out[128])
{
    snprintf(out, 128, "%s/%s", dir, name);
}


static void
write_file(const char *name, const char *text)
{
    char path[128];

    path_of(name, path);
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
    char path[128];

    (void) state;
    path_of("mapping.json", path);
    unlink(path);
    path_of("records.jq", path);
    unlink(path);
    return rmdir(dir);
}


static abdm_err_t
open_with(const char *url, const char *mapping, const char *program, abdm_hmis_t **out)
{
    write_file("mapping.json", mapping);
    write_file("records.jq", program);
    return abdm_hmis_open("rest", url, dir, problem, out);
}


static abdm_hmis_t *
hmis_at(const char *url)
{
    abdm_hmis_t *hmis;

    assert_int_equal(open_with(url, good_mapping, ".", &hmis).code, ABDM_OK);
    return hmis;
}


static void
expect_mapping_refused(const char *mapping, const char *program, const char *said)
{
    abdm_hmis_t *hmis;

    assert_int_equal(open_with("http://h", mapping, program, &hmis).code, ABDM_E_CONFIG);
    assert_null(hmis);
    if (strstr(problem, said) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", problem, said);
}


static abdm_err_t
map_with(const char *program, const char *answer, json_t **records)
{
    abdm_hmis_t *hmis;

    assert_int_equal(open_with("http://h", good_mapping, program, &hmis).code, ABDM_OK);
    abdm_err_t err = abdm_hmis_records_map(hmis, &query, answer, strlen(answer), records);
    abdm_hmis_close(hmis);
    return err;
}


static void
expect_answer_refused(const char *program, const char *answer, const char *said)
{
    json_t *records;
    abdm_err_t err = map_with(program, answer, &records);

    assert_int_equal(err.code, ABDM_E_HMIS_ANSWER);
    assert_null(records);
    if (strstr(err.what, said) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", err.what, said);
}


static void
the_three_forms_of_url_become_requests(void **state)
{
    static const struct {
        const char *base, *url, *socket;
    } rows[] = {
        {"http://127.0.0.1:8080", "http://127.0.0.1:8080", NULL},
        {"http://HMIS.local:80/", "http://hmis.local", NULL},
        {"https://hmis.local:443/app/", "https://hmis.local/app", NULL},
        {"http://[::1]:8080/a/b", "http://[::1]:8080/a/b", NULL},
        {"http://unix:/run/hmis.sock:/", "http://localhost", "/run/hmis.sock"},
        {"http://unix:/run/hmis.sock:/base", "http://localhost/base", "/run/hmis.sock"},
        {"http://unix:/run/hmis.sock", "http://localhost", "/run/hmis.sock"},
    };

    (void) state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        abdm_hmis_t *hmis = hmis_at(rows[i].base);
        abdm_hmis_request_t r;
        char expected[256];

        assert_int_equal(abdm_hmis_records_request(hmis, &query, &r).code, ABDM_OK);
        snprintf(expected, sizeof expected, "%s/api/visits/OPD%%2026%%2F07%%3F71", rows[i].url);
        assert_string_equal(r.url, expected);
        if (rows[i].socket == NULL)
            assert_null(r.unix_socket);
        else
            assert_string_equal(r.unix_socket, rows[i].socket);
        abdm_hmis_request_clear(&r);
        abdm_hmis_close(hmis);
    }
}


static void
other_urls_are_refused(void **state)
{
    static const char *const urls[] = {
        "",           "hmis:8080",       "ftp://h/",          "http://",
        "http://h:0", "http://h:99999",  "http://h:8x/",      "http://user:pw@h/",
        "http://h/a?b=c", "http://h/a#b", "http://h/../etc",  "http://h/a b",
        "http://[::1", "https://unix:/run/x.sock:/", "http://unix:run/x.sock:/",
        "http://unix:/run/x.sock:base",
    };
    abdm_hmis_t *hmis;

    (void) state;
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        if (open_with(urls[i], good_mapping, ".", &hmis).code != ABDM_E_CONFIG)
            fail_msg("\"%s\" is taken", urls[i]);
        assert_string_not_equal(problem, "");
    }
    assert_int_equal(abdm_hmis_open("soap", "http://h", dir, problem, &hmis).code, ABDM_E_CONFIG);
    assert_non_null(strstr(problem, "soap"));
}


static void
every_variable_is_percent_encoded(void **state)
{
    static const char mapping[] =
        "{\"records\":{\"path\":\"/v?h={hipId}&p={patientRef}&c={careContextRef}&f={from}&t={to}\","
        "\"map\":\"records.jq\"}}";
    abdm_hmis_query_t q = query;
    abdm_hmis_request_t r;
    abdm_hmis_t *hmis;

    (void) state;
    q.patient_ref = "a-b._~Z9 &=%#/\xe0\xa4\x85";
    assert_int_equal(open_with("http://h", mapping, ".", &hmis).code, ABDM_OK);
    assert_int_equal(abdm_hmis_records_request(hmis, &q, &r).code, ABDM_OK);
    assert_string_equal(r.url, "http://h/v?h=IN0990001234_1&p=a-b._~Z9%20%26%3D%25%23%2F%E0%A4%85"
                               "&c=OPD%2026%2F07%3F71&f=2026-01-01T00%3A00%3A00.000Z"
                               "&t=2026-12-31T00%3A00%3A00.000Z");
    abdm_hmis_request_clear(&r);
    abdm_hmis_close(hmis);
}


static void
a_reference_cannot_be_empty_or_climb_out_of_the_path(void **state)
{
    static const char *const refs[] = {NULL, "", ".", ".."};
    abdm_hmis_t *hmis = hmis_at("http://h/base");
    abdm_hmis_query_t q = query;
    abdm_hmis_request_t r;

    (void) state;
    for (size_t i = 0; i < sizeof refs / sizeof *refs; i++) {
        q.care_context_ref = refs[i];
        assert_int_equal(abdm_hmis_records_request(hmis, &q, &r).code, ABDM_E_FIELD);
        assert_null(r.url);
    }
    abdm_hmis_close(hmis);
}


static void
a_mapping_with_a_fault_is_refused_with_its_place(void **state)
{
    (void) state;
    expect_mapping_refused("{\n\"records\": oops }", ".", "mapping.json: line 2:");
    expect_mapping_refused("[]", ".", "the file");
    expect_mapping_refused("{}", ".", "records: an object");
    expect_mapping_refused("{\"records\":{\"path\":\"/x\",\"map\":\"records.jq\"},\"recrods\":1}",
                           ".", "\"recrods\" is not known");
    expect_mapping_refused("{\"records\":{\"path\":\"/x\",\"map\":\"records.jq\",\"methd\":1}}",
                           ".", "\"methd\" is not known");
    expect_mapping_refused("{\"records\":{\"map\":\"records.jq\"}}", ".", "\"path\" is missing");
    expect_mapping_refused("{\"records\":{\"path\":7,\"map\":\"records.jq\"}}", ".", "\"path\"");
    expect_mapping_refused("{\"records\":{\"path\":\"/x\"}}", ".", "\"map\" is missing");
    expect_mapping_refused("{\"records\":{\"path\":\"/{visit}\",\"map\":\"records.jq\"}}", ".",
                           "{visit} is no variable");
    expect_mapping_refused("{\"records\":{\"path\":\"/{hipId\",\"map\":\"records.jq\"}}", ".",
                           "{hipId is no variable");
    expect_mapping_refused("{\"records\":{\"path\":\"/a}b\",\"map\":\"records.jq\"}}", ".",
                           "position 3");
    expect_mapping_refused("{\"records\":{\"path\":\"api\",\"map\":\"records.jq\"}}", ".",
                           "must begin with /");
    expect_mapping_refused("{\"records\":{\"path\":\"/a/../b\",\"map\":\"records.jq\"}}", ".",
                           "..");
    expect_mapping_refused("{\"records\":{\"path\":\"/x\",\"map\":\"../records.jq\"}}", ".",
                           "without /");
    expect_mapping_refused("{\"records\":{\"path\":\"/x\",\"map\":\"none.jq\"}}", ".",
                           "none.jq: cannot be opened");
}


static void
a_jq_program_with_a_fault_is_refused_in_jqs_words(void **state)
{
    (void) state;
    expect_mapping_refused(good_mapping, "[ .papers[]\n| { id: .id,, } ]", "line 2");
    expect_mapping_refused(good_mapping, "nofunction", "nofunction/0 is not defined");
    expect_mapping_refused(good_mapping, "$other", "$other is not defined");
    expect_mapping_refused(good_mapping, ". ) | ( .", "syntax error");
    expect_mapping_refused(good_mapping, "# only a comment\n", "one expression");
    expect_mapping_refused(good_mapping, "def f: 1;", "one expression");
}


static void
good_records_are_given_in_plain_form(void **state)
{
    char program[512];
    json_t *records;

    (void) state;
    snprintf(program, sizeof program, "# a comment\n[%s] # and one at the end", good_record);
    assert_int_equal(map_with(program, "{}", &records).code, ABDM_OK);
    assert_int_equal(json_array_size(records), 1);
    assert_string_equal(abdm_json_string_at(records, "0.hiType"), "Prescription");
    assert_string_equal(abdm_json_string_at(records, "0.careContextReference"), "OPD 26/07?71");
    json_decref(records);
    assert_int_equal(map_with(".papers", "{\"papers\":[]}", &records).code, ABDM_OK);
    assert_int_equal(json_array_size(records), 0);
    json_decref(records);
}


static void
values_of_every_kind_come_through(void **state)
{
    static const char program[] =
        "[{hiType:\"Invoice\",patient:{patientReference:$query.patientRef},"
        "careContextReference:$query.careContextRef,bundle:{url:\"x\"},"
        "more:[.,$query.from,$query.to,$query.hipId]}]";
    json_t *records;

    (void) state;
    assert_int_equal(map_with(program, "[null,true,false,12,1.5,\"\\u0905\",{\"a\":{}}]", &records)
                         .code, ABDM_OK);
    char *text = json_dumps(json_object_get(json_array_get(records, 0), "more"), JSON_COMPACT);
    assert_string_equal(text, "[[null,true,false,12,1.5,\"अ\",{\"a\":{}}],"
                              "\"2026-01-01T00:00:00.000Z\",\"2026-12-31T00:00:00.000Z\","
                              "\"IN0990001234_1\"]");
    free(text);
    json_decref(records);
}


static void
a_program_that_fails_or_gives_not_one_value_is_an_answer_error(void **state)
{
    (void) state;
    expect_answer_refused("[.papers[]]", "{}", "fails on it");
    expect_answer_refused("error(\"secret name\")", "{}", "fails on it");
    expect_answer_refused("[], error(\"late\")", "{}", "fails on it");
    expect_answer_refused("halt", "{}", "fails on it");
    expect_answer_refused("empty", "{}", "gives nothing");
    expect_answer_refused("[], []", "{}", "more than one");
    expect_answer_refused("[nan, infinite]", "{}", "a number that JSON");
    expect_answer_refused("reduce range(40) as $i (1; [.])", "{}", "too deep");
    expect_answer_refused("[range(5000000)]", "{}", "too large");
    expect_answer_refused("[\"x\" * 5000000]", "{}", "larger than 4 MB");
    expect_answer_refused("[\"a\\u0000b\"]", "{}", "NUL");
    expect_answer_refused("[{\"a\\u0000b\":1}]", "{}", "NUL");
}


static void
an_answer_that_is_not_json_is_refused(void **state)
{
    (void) state;
    expect_answer_refused(".", "<!DOCTYPE html><html><body>Please log in</body></html>", "JSON");
    expect_answer_refused(".", "", "JSON: empty");
    expect_answer_refused(".", "[] []", "JSON");
    expect_answer_refused(".", "nan", "JSON");
    expect_answer_refused(".", "{\"a\":1,\"a\":2}", "same member twice");
}


static void
records_of_the_wrong_form_are_refused_by_field(void **state)
{
    static const struct {
        const char *change, *said;
    } rows[] = {
        {"[.]|{}", "list"},
        {"[7]", "not an object"},
        {"[.hiType=\"Xray\"]", "records.hiType"},
        {"[.hiType=7]", "records.hiType"},
        {"[del(.hiType)]", "records.hiType"},
        {"[.careContextReference=\"other\"]", "records.careContextReference"},
        {"[.careContextReference=7]", "records.careContextReference"},
        {"[.bundle={url:\"/b\"}]", "exclude each other"},
        {"[.document={}]", "records.document.url"},
        {"[.document.url=7]", "records.document.url"},
        {"[.document=\"/f\"]", "records.document.url"},
        {"[del(.document)|.bundle={}]", "records.bundle.url"},
        {"[.patient={}]", "records.patient.patientReference"},
        {"[.patient.patientReference=100231]", "records.patient.patientReference"},
        {"[.authoredOn=\"05-03-2026 10:40\"]", "records.authoredOn"},
        {"[.authoredOn=20260305]", "records.authoredOn"},
        {"[.authoredOn=\"2026-03-05T10:40+0530x\"]", "records.authoredOn"},
        {"[.authoredOn=\"2026\"]", "records.authoredOn"},
        {"[del(.hiType)|.bundleType=\"Prescriptions\"]", "records.hiType"},
        {"[range(501) as $i | .]", "more than 500"},
    };

    (void) state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        expect_answer_refused(rows[i].change, good_record, rows[i].said);
}


/* What the HMIS's clock shows is Indian time, for the consent and for the document alike. */
static void
a_time_without_a_zone_is_indian(void **state)
{
    static const struct {
        const char *change, *settled;
    } rows[] = {
        {"[.authoredOn=\"2026-03-05T10:40:00\"]", "2026-03-05T10:40:00+05:30"},
        {"[.authoredOn=\"2026-03-05 10:40\"]", "2026-03-05 10:40:00+05:30"},
        {"[.authoredOn=\"2026-03-05T10:40:00.250\"]", "2026-03-05T10:40:00.250+05:30"},
        {"[.authoredOn=\"2026-03-05T10:40:00Z\"]", "2026-03-05T10:40:00Z"},
        {"[.authoredOn=\"2026-03-05T10:40:00-02:00\"]", "2026-03-05T10:40:00-02:00"},
        {"[.authoredOn=\"2026-03-05\"]", "2026-03-05"},
        {"[del(.authoredOn)|.visitDate=\"2026-03-05T10:40:00\"]", "2026-03-05T10:40:00+05:30"},
        {"[del(.authoredOn)|.date=\"2026-03-05T10:40:00\"]", "2026-03-05T10:40:00+05:30"},
    };
    json_t *records;

    (void) state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(map_with(rows[i].change, good_record, &records).code, ABDM_OK);
        assert_string_equal(abdm_json_string_at(records, "0.authoredOn"), rows[i].settled);
        json_decref(records);
    }
}


static void
a_record_may_say_itself_what_it_holds(void **state)
{
    static const char *const changes[] = {
        "[del(.document)|.prescriptions=[{medicine:\"x\"}]]",
        "[del(.document,.hiType)|.bundleType=\"PrescriptionRecord\"]",
        "[.document={contentType:\"text/plain\",data:\"Lg==\"}]",
    };
    json_t *records;

    (void) state;
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        assert_int_equal(map_with(changes[i], good_record, &records).code, ABDM_OK);
        assert_non_null(abdm_json_string_at(records, "0.hiType"));
        json_decref(records);
    }
    assert_int_equal(map_with(changes[1], good_record, &records).code, ABDM_OK);
    assert_string_equal(abdm_json_string_at(records, "0.hiType"), "Prescription");
    json_decref(records);
}


static void
null_members_count_as_absent(void **state)
{
    json_t *records;

    (void) state;
    assert_int_equal(map_with("[.bundle=null|.authoredOn=null|.careContextReference=null]",
                              good_record, &records).code, ABDM_OK);
    assert_string_equal(abdm_json_string_at(records, "0.careContextReference"), "OPD 26/07?71");
    assert_null(json_object_get(json_array_get(records, 0), "bundle"));
    json_decref(records);
}


static void
nothing_of_an_answer_reaches_stderr(void **state)
{
    char path[] = "/tmp/abdm-hmis-stderr-XXXXXX", seen[64];
    json_t *records;

    (void) state;
    int fd = mkstemp(path), kept = dup(2);
    assert_int_not_equal(fd, -1);
    assert_int_not_equal(kept, -1);
    unlink(path);
    fflush(stderr);
    dup2(fd, 2);
    abdm_err_t good = map_with("[debug | stderr | .[]]", "[]", &records);
    json_t *none;
    abdm_err_t bad = map_with("error", "{\"name\":\"Asha\"}", &none);
    dup2(kept, 2);
    close(kept);
    assert_int_equal(good.code, ABDM_OK);
    assert_int_equal(bad.code, ABDM_E_HMIS_ANSWER);
    assert_int_equal(pread(fd, seen, sizeof seen, 0), 0);
    close(fd);
    json_decref(records);
}


static void
an_answer_above_4_mb_is_refused(void **state)
{
    size_t len = 4 * 1024 * 1024 + 1;
    char *answer = malloc(len);
    abdm_hmis_t *hmis = hmis_at("http://h");
    json_t *records;

    (void) state;
    assert_non_null(answer);
    memset(answer, ' ', len);
    memcpy(answer, "[]", 2);
    assert_int_equal(abdm_hmis_records_map(hmis, &query, answer, len, &records).code,
                     ABDM_E_HMIS_ANSWER);
    assert_int_equal(abdm_hmis_records_map(hmis, &query, answer, len - 1, &records).code, ABDM_OK);
    json_decref(records);
    abdm_hmis_close(hmis);
    free(answer);
}


static void
files_are_fetched_from_the_hmis_alone(void **state)
{
    static const struct {
        const char *base, *url, *request;
    } rows[] = {
        {"http://h:8080", "/files/1.pdf", "http://h:8080/files/1.pdf"},
        {"http://h:8080", "files/1.pdf", "http://h:8080/files/1.pdf"},
        {"http://h:8080/app", "/files/1.pdf", "http://h:8080/app/files/1.pdf"},
        {"http://h:8080/app", "http://H:8080/files/1.pdf?x=%41", "http://h:8080/files/1.pdf?x=%41"},
        {"https://h", "https://h:443/f", "https://h/f"},
        {"http://h", "/my scan\xc3\xa9 100%.pdf", "http://h/my%20scan%C3%A9%20100%25.pdf"},
        {"http://h", "/f?next=http://other/", "http://h/f?next=http://other/"},
        {"http://unix:/s:/b", "/f", "http://localhost/b/f"},
        {"http://h", "http://other/f", NULL},
        {"http://h", "http://h.other/f", NULL},
        {"http://h", "http://h@other/f", NULL},
        {"http://h", "http://h:81/f", NULL},
        {"http://h", "https://h/f", NULL},
        {"http://h", "//other/f", NULL},
        {"http://h", "http://h//other/f", NULL},
        {"http://h", "file:///etc/passwd", NULL},
        {"http://h", "/a/../../etc", NULL},
        {"http://h", "/a/%2E%2e/etc", NULL},
        {"http://h", "/a\r\nX: y", NULL},
        {"http://h", "/a#b", NULL},
        {"http://h", "/a\\b", NULL},
        {"http://unix:/s:/", "http://localhost/f", NULL},
    };

    (void) state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        abdm_hmis_t *hmis = hmis_at(rows[i].base);
        abdm_hmis_request_t r;
        abdm_err_t err = abdm_hmis_file_request(hmis, rows[i].url, &r);

        if (rows[i].request == NULL) {
            if (err.code != ABDM_E_HMIS_ANSWER)
                fail_msg("%s is taken", rows[i].url);
            assert_null(r.url);
        } else {
            assert_int_equal(err.code, ABDM_OK);
            assert_string_equal(r.url, rows[i].request);
            abdm_hmis_request_clear(&r);
        }
        abdm_hmis_close(hmis);
    }
}


enum { THREADS = 4, RUNS = 50 };

static void *
map_many(void *arg)
{
    intptr_t good = 0;

    for (int i = 0; i < RUNS; i++) {
        json_t *records = NULL;
        char answer[600];
        int n = snprintf(answer, sizeof answer, "[%s]", good_record);
        good += !abdm_failed(abdm_hmis_records_map(arg, &query, answer, (size_t) n, &records));
        json_decref(records);
    }
    return (void *) good;
}


static void
one_mapping_serves_several_threads(void **state)
{
    abdm_hmis_t *hmis = hmis_at("http://h");
    pthread_t threads[THREADS];
    void *good;

    (void) state;
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, map_many, hmis), 0);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], &good), 0);
        assert_true((intptr_t) good == RUNS);
    }
    abdm_hmis_close(hmis);
}


static void
the_demo_mapping_turns_a_visit_into_records(void **state)
{
    static const char visit[] =
        "{\"no\":\"OPD-26-0771\",\"date\":\"05-03-2026 10:40\",\"patient\":{\"uhid\":\"UH100231\","
        "\"first\":\"Asha\",\"last\":\"\",\"sex\":\"F\",\"dob\":\"14-05-1988\",\"phone\":\"9\"},"
        "\"doctor\":{\"name\":\"Dr. Meera Joshi\",\"regno\":\"MH-2009-04417\"},\"papers\":["
        "{\"id\":\"5001\",\"kind\":\"Prescription\",\"title\":\"t\",\"date\":\"05-03-2026 10:55\","
        "\"file\":\"/files/5001.pdf\",\"type\":\"application/pdf\"},"
        "{\"id\":\"5003\",\"kind\":\"Lab report\",\"title\":\"t\",\"date\":\"05-03-2026 16:20\","
        "\"file\":\"/export/5003.json\",\"type\":\"application/fhir+json\"},"
        "{\"id\":\"5004\",\"kind\":\"Bill\",\"title\":\"t\",\"date\":\"05-03-2026 16:30\","
        "\"file\":\"/files/5004.pdf\",\"type\":\"application/pdf\"}]}";
    abdm_hmis_query_t q = query;
    abdm_hmis_t *hmis;
    json_t *r;

    (void) state;
    q.care_context_ref = "OPD-26-0771";
    if (access("conf/hmis/demo/mapping.json", R_OK) != 0)
        return; /* skip() would count as a failure in TAP */
    assert_int_equal(abdm_hmis_open("rest", "http://h", "conf/hmis/demo", problem, &hmis).code,
                     ABDM_OK);
    assert_int_equal(abdm_hmis_records_map(hmis, &q, visit, strlen(visit), &r).code, ABDM_OK);
    assert_int_equal(json_array_size(r), 3);
    assert_string_equal(abdm_json_string_at(r, "0.hiType"), "Prescription");
    assert_string_equal(abdm_json_string_at(r, "0.authoredOn"), "2026-03-05T10:55:00+05:30");
    assert_string_equal(abdm_json_string_at(r, "0.patient.name"), "Asha");
    assert_string_equal(abdm_json_string_at(r, "0.patient.birthDate"), "1988-05-14");
    assert_string_equal(abdm_json_string_at(r, "0.document.url"), "/files/5001.pdf");
    assert_string_equal(abdm_json_string_at(r, "1.hiType"), "DiagnosticReport");
    assert_string_equal(abdm_json_string_at(r, "1.bundle.url"), "/export/5003.json");
    assert_string_equal(abdm_json_string_at(r, "2.hiType"), "HealthDocumentRecord");
    json_decref(r);

    q.care_context_ref = "OPD-26-0772"; /* the HMIS answered for another visit */
    assert_int_equal(abdm_hmis_records_map(hmis, &q, visit, strlen(visit), &r).code,
                     ABDM_E_HMIS_ANSWER);
    abdm_hmis_close(hmis);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_three_forms_of_url_become_requests),
        cmocka_unit_test(other_urls_are_refused),
        cmocka_unit_test(every_variable_is_percent_encoded),
        cmocka_unit_test(a_reference_cannot_be_empty_or_climb_out_of_the_path),
        cmocka_unit_test(a_mapping_with_a_fault_is_refused_with_its_place),
        cmocka_unit_test(a_jq_program_with_a_fault_is_refused_in_jqs_words),
        cmocka_unit_test(good_records_are_given_in_plain_form),
        cmocka_unit_test(values_of_every_kind_come_through),
        cmocka_unit_test(a_program_that_fails_or_gives_not_one_value_is_an_answer_error),
        cmocka_unit_test(an_answer_that_is_not_json_is_refused),
        cmocka_unit_test(records_of_the_wrong_form_are_refused_by_field),
        cmocka_unit_test(a_time_without_a_zone_is_indian),
        cmocka_unit_test(a_record_may_say_itself_what_it_holds),
        cmocka_unit_test(null_members_count_as_absent),
        cmocka_unit_test(nothing_of_an_answer_reaches_stderr),
        cmocka_unit_test(an_answer_above_4_mb_is_refused),
        cmocka_unit_test(files_are_fetched_from_the_hmis_alone),
        cmocka_unit_test(one_mapping_serves_several_threads),
        cmocka_unit_test(the_demo_mapping_turns_a_visit_into_records),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
