/*
 * The HTTP client against a server that behaves badly: limits of size and time, what is aborted
 * at the end, and what is wiped.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "http_kit.h"

static const char *watched; /* a header line whose end is looked at */
static size_t watched_len;
static int watched_sum; /* of its bytes when it was freed */


/* Instead of curl's own, to see what is freed. */
void
curl_slist_free_all(struct curl_slist *list)
{
    while (list != NULL) {
        struct curl_slist *next = list->next;

        if (watched != NULL && list->data == watched) {
            watched_sum = 0;
            for (size_t i = 0; i < watched_len; i++)
                watched_sum += (unsigned char) list->data[i];
        }
        free(list->data);
        free(list);
        list = next;
    }
}


static void
a_posted_body_arrives_and_its_answer_comes_back(void **state)
{
    test_call_t c;

    (void) state;
    init(&c, &server, "/echo");
    post(&c, "{\"a\":1}");
    perform(&c, NULL);
    assert_int_equal(c.call.err.code, ABDM_OK);
    assert_int_equal(c.call.status, 200);
    assert_true(abdm_str_eq(abdm_buf_str(&c.call.answer), ABDM_LIT("{\"a\":1}")));
    abdm_call_clear(&c.call);
}


static void
headers_go_out_as_given_and_none_of_the_environment(void **state)
{
    test_call_t c;

    (void) state;
    setenv("http_proxy", "http://127.0.0.1:1/", 1);
    init(&c, &server, "/head");
    assert_int_equal(abdm_call_header(&c.call, "REQUEST-ID", "r-1").code, ABDM_OK);
    assert_int_equal(abdm_call_header(&c.call, "Accept", "application/json").code, ABDM_OK);
    perform(&c, NULL);
    unsetenv("http_proxy");
    assert_int_equal(c.call.err.code, ABDM_OK);
    abdm_buf_add(&c.call.answer, "", 1);
    assert_non_null(strstr(c.call.answer.p, "\r\nREQUEST-ID: r-1\r\n"));
    assert_non_null(strstr(c.call.answer.p, "\r\nAccept: application/json\r\n"));
    assert_non_null(strstr(c.call.answer.p, "GET /head HTTP/1.1\r\n"));
    abdm_call_clear(&c.call);
}


static void
an_answer_over_its_limit_ends_the_call(void **state)
{
    static const char *const paths[] = {"/large", "/large/500"};

    (void) state;
    for (int i = 0; i < 2; i++) {
        test_call_t c;

        init(&c, &server, paths[i]);
        perform(&c, NULL);
        assert_int_equal(c.call.err.code, ABDM_E_ANSWER_TOO_LARGE);
        assert_true(c.call.answer.len <= 1000);
        abdm_call_clear(&c.call);
    }
}


static void
a_spool_takes_a_good_answer_whole_and_no_error_page(void **state)
{
    abdm_spool_t *spool;
    test_call_t c;

    (void) state;
    assert_int_equal(abdm_spool_new("/tmp", 100000, &spool).code, ABDM_OK);
    init(&c, &server, "/large");
    c.call.spool = spool;
    perform(&c, NULL);
    assert_int_equal(c.call.err.code, ABDM_OK);
    assert_int_equal(abdm_spool_length(spool), 100000);
    abdm_spool_free(spool);
    abdm_call_clear(&c.call);

    assert_int_equal(abdm_spool_new("/tmp", 99999, &spool).code, ABDM_OK);
    init(&c, &server, "/large");
    c.call.spool = spool;
    perform(&c, NULL);
    assert_int_equal(c.call.err.code, ABDM_E_ANSWER_TOO_LARGE);
    abdm_spool_free(spool);
    abdm_call_clear(&c.call);

    assert_int_equal(abdm_spool_new("/tmp", 100000, &spool).code, ABDM_OK);
    init(&c, &server, "/large/500");
    c.call.spool = spool;
    c.call.answer_max = 200000;
    perform(&c, NULL);
    assert_int_equal(c.call.status, 500);
    assert_int_equal(abdm_spool_length(spool), 0);
    assert_int_equal(c.call.answer.len, 100000);
    abdm_spool_free(spool);
    abdm_call_clear(&c.call);
}


static void
a_server_that_says_nothing_is_left_after_the_time_limit(void **state)
{
    test_call_t c;
    abdm_ms_t began = abdm_time_monotonic();

    (void) state;
    init(&c, &server, "/silent");
    c.call.total_ms = 300;
    perform(&c, NULL);
    assert_int_equal(c.call.err.code, ABDM_E_TIMEOUT);
    assert_int_equal(c.call.status, 0);
    assert_in_range(abdm_time_monotonic() - began, 250, 3000);
    abdm_call_clear(&c.call);

    init(&c, &server, "/silent");
    c.call.total_ms = 60000;
    c.call.idle_ms = 1000;
    perform(&c, NULL);
    assert_int_equal(c.call.err.code, ABDM_E_TIMEOUT);
    abdm_call_clear(&c.call);
}


static void
a_server_that_is_not_there_and_one_that_breaks_off_are_told(void **state)
{
    test_call_t c;

    (void) state;
    init(&c, &server, "/chop");
    perform(&c, NULL);
    assert_int_equal(c.call.err.code, ABDM_E_CONNECT);
    abdm_call_clear(&c.call);

    init(&c, &server, "");
    free(c.call.url);
    c.call.url = strdup("http://127.0.0.1:1/");
    perform(&c, NULL);
    assert_int_equal(c.call.err.code, ABDM_E_CONNECT);
    abdm_call_clear(&c.call);

    init(&c, &server, "");
    free(c.call.url);
    c.call.url = strdup("http://nowhere.invalid/");
    perform(&c, NULL);
    assert_int_equal(c.call.err.code, ABDM_E_RESOLVE);
    abdm_call_clear(&c.call);
}


static void
the_time_that_a_server_asks_to_wait_is_told(void **state)
{
    test_call_t c;

    (void) state;
    init(&c, &server, "/busy");
    perform(&c, NULL);
    assert_int_equal(c.call.status, 503);
    assert_int_equal(c.call.retry_after, 17);
    abdm_call_clear(&c.call);

    init(&c, &server, "/busy/date");
    perform(&c, NULL);
    assert_int_equal(c.call.retry_after, 0);
    abdm_call_clear(&c.call);
}


static void
stopping_aborts_what_is_under_way_and_tells_each_once(void **state)
{
    enum { N = 40 };
    X509_STORE *trust = server_trust(NULL);
    test_call_t *c = calloc(N, sizeof(*c));
    int before = atomic_load(&server.requests);
    abdm_http_t *http;
    abdm_ms_t began;

    (void) state;
    assert_non_null(c);
    assert_int_equal(abdm_http_start(trust, &http).code, ABDM_OK);
    for (int i = 0; i < N; i++) {
        init(&c[i], &server, "/silent");
        c[i].call.total_ms = 60000;
        c[i].call.idle_ms = 60000;
        abdm_http_submit(http, &c[i].call);
        if (i == N / 2)
            assert_true(WAIT_UNTIL(atomic_load(&server.requests) > before + N / 4, 5000));
    }
    began = abdm_time_monotonic();
    abdm_http_stop(http);
    abdm_http_free(http);
    assert_in_range(abdm_time_monotonic() - began, 0, 2000);
    for (int i = 0; i < N; i++) {
        assert_int_equal(atomic_load(&c[i].done), 1);
        assert_int_equal(c[i].call.err.code, ABDM_E_STOPPING);
        abdm_call_clear(&c[i].call);
    }
    free(c);
    X509_STORE_free(trust);
}


static void
many_calls_share_connections_and_all_end(void **state)
{
    enum { N = 400 };
    X509_STORE *trust = server_trust(&tls);
    test_call_t *c = calloc(N, sizeof(*c));
    int connections = tls.n;
    abdm_http_t *http;

    (void) state;
    assert_non_null(c);
    assert_int_equal(abdm_http_start(trust, &http).code, ABDM_OK);
    for (int i = 0; i < N; i++) {
        init(&c[i], &tls, "/echo");
        c[i].call.total_ms = 30000;
        post(&c[i], "hello");
        abdm_http_submit(http, &c[i].call);
    }
    for (int i = 0; i < N; i++) {
        assert_true(WAIT_UNTIL(atomic_load(&c[i].done) == 1, 30000));
        assert_int_equal(c[i].call.err.code, ABDM_OK);
        assert_int_equal(c[i].call.answer.len, 5);
        abdm_call_clear(&c[i].call);
    }
    abdm_http_stop(http);
    abdm_http_free(http);
    pthread_mutex_lock(&tls.lock);
    assert_in_range(tls.n - connections, 1, ABDM_HTTP_CONNECTIONS);
    pthread_mutex_unlock(&tls.lock);
    free(c);
    X509_STORE_free(trust);
}


static void
header_lines_are_wiped_before_they_are_freed(void **state)
{
    abdm_call_t call = {0};

    (void) state;
    assert_int_equal(abdm_call_header(&call, "Authorization", "Bearer secret").code, ABDM_OK);
    assert_string_equal(call.headers->data, "Authorization: Bearer secret");
    watched = call.headers->data;
    watched_len = strlen(watched);
    watched_sum = -1;
    abdm_call_clear(&call);
    watched = NULL;
    assert_int_equal(watched_sum, 0);
    assert_null(call.headers);
    abdm_call_clear(&call);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_posted_body_arrives_and_its_answer_comes_back),
        cmocka_unit_test(headers_go_out_as_given_and_none_of_the_environment),
        cmocka_unit_test(an_answer_over_its_limit_ends_the_call),
        cmocka_unit_test(a_spool_takes_a_good_answer_whole_and_no_error_page),
        cmocka_unit_test(a_server_that_says_nothing_is_left_after_the_time_limit),
        cmocka_unit_test(a_server_that_is_not_there_and_one_that_breaks_off_are_told),
        cmocka_unit_test(the_time_that_a_server_asks_to_wait_is_told),
        cmocka_unit_test(stopping_aborts_what_is_under_way_and_tells_each_once),
        cmocka_unit_test(many_calls_share_connections_and_all_end),
        cmocka_unit_test(header_lines_are_wiped_before_they_are_freed),
    };

    return cmocka_run_group_tests(tests, start_servers, stop_servers);
}
