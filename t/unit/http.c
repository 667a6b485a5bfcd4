/*
 * The HTTP client against a server that behaves badly: limits of size and time, certificates,
 * redirects, what is aborted at the end, and what is wiped.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/time.h"
#include "engine/http.h"
#include "server_kit.h"

typedef struct {
    abdm_call_t call; /* first */
    atomic_int done;
} test_call_t;

static server_t server, tls;
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
answer(server_t *s, const server_request_t *r, server_reply_t *reply)
{
    static char large[100000];

    (void) s;
    if (strcmp(r->path, "/echo") == 0) {
        reply->body = r->body;
    } else if (strcmp(r->path, "/head") == 0) {
        reply->body = r->head;
    } else if (strncmp(r->path, "/large", 6) == 0) {
        reply->status = strcmp(r->path, "/large/500") == 0 ? 500 : 200;
        reply->body = large;
        reply->body_len = sizeof(large);
    } else if (strcmp(r->path, "/silent") == 0) {
        reply->silent = true;
    } else if (strcmp(r->path, "/chop") == 0) {
        reply->body = "only a part of this arrives";
        reply->chop = true;
    } else if (strcmp(r->path, "/moved") == 0) {
        reply->status = 302;
        reply->more = "Location: /echo\r\n";
    } else if (strcmp(r->path, "/busy") == 0) {
        reply->status = 503;
        reply->more = "Retry-After: 17\r\n";
    } else if (strcmp(r->path, "/busy/date") == 0) {
        reply->status = 503;
        reply->more = "Retry-After: Fri, 31 Dec 1999 23:59:59 GMT\r\n";
    } else {
        reply->status = 404;
    }
}


static int
start_servers(void **state)
{
    (void) state;
    server_start(&server, false, answer, NULL);
    server_start(&tls, true, answer, NULL);
    return 0;
}


static int
stop_servers(void **state)
{
    (void) state;
    server_stop(&server);
    server_stop(&tls);
    return 0;
}


static void
on_done(abdm_call_t *call)
{
    atomic_fetch_add(&((test_call_t *) call)->done, 1);
}


static void
init(test_call_t *c, const server_t *s, const char *path)
{
    char url[256];

    memset(c, 0, sizeof(*c));
    snprintf(url, sizeof(url), "%s%s", s->url, path);
    c->call.url = strdup(url);
    c->call.plain_allowed = true;
    c->call.total_ms = 5000;
    c->call.idle_ms = 5000;
    c->call.answer_max = 1000;
    c->call.done = on_done;
}


static void
post(test_call_t *c, const char *body)
{
    abdm_buf_t b = {0};

    abdm_buf_addz(&b, body);
    c->call.body = abdm_source_take_buf(&b);
    assert_non_null(c->call.body);
}


/* Performs the call with a client of its own that trusts `trusted`. */
static void
perform(test_call_t *c, const server_t *trusted)
{
    X509_STORE *trust = server_trust(trusted);
    abdm_http_t *http;

    assert_int_equal(abdm_http_start(trust, &http).code, ABDM_OK);
    abdm_http_submit(http, &c->call);
    assert_true(WAIT_UNTIL(atomic_load(&c->done) == 1, 9000));
    abdm_http_stop(http);
    abdm_http_free(http);
    assert_int_equal(atomic_load(&c->done), 1);
    X509_STORE_free(trust);
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
a_certificate_must_lead_to_the_given_store(void **state)
{
    test_call_t c;

    (void) state;
    init(&c, &tls, "/echo");
    perform(&c, NULL);
    assert_int_equal(c.call.err.code, ABDM_E_TLS);
    abdm_call_clear(&c.call);

    init(&c, &tls, "/echo");
    post(&c, "x");
    perform(&c, &tls);
    assert_int_equal(c.call.err.code, ABDM_OK);
    assert_int_equal(c.call.answer.len, 1);
    abdm_call_clear(&c.call);
}


static void
a_certificate_must_be_for_the_name_that_is_called(void **state)
{
    char text[128];
    test_call_t c;

    (void) state;
    init(&c, &tls, "");
    free(c.call.url);
    snprintf(text, sizeof(text), "https://other.example:%d/echo", tls.port);
    c.call.url = strdup(text);
    snprintf(text, sizeof(text), "+other.example:%d:127.0.0.1", tls.port);
    c.call.resolve = strdup(text);
    perform(&c, &tls);
    assert_int_equal(c.call.err.code, ABDM_E_TLS);
    abdm_call_clear(&c.call);
}


static void
a_pinned_address_is_dialled_instead_of_the_names_own(void **state)
{
    char text[128];
    test_call_t c;

    (void) state;
    init(&c, &server, "");
    free(c.call.url);
    snprintf(text, sizeof(text), "http://hiu.invalid:%d/echo", server.port);
    c.call.url = strdup(text);
    snprintf(text, sizeof(text), "+hiu.invalid:%d:127.0.0.1", server.port);
    c.call.resolve = strdup(text);
    post(&c, "x");
    perform(&c, NULL);
    assert_int_equal(c.call.err.code, ABDM_OK);
    assert_int_equal(c.call.status, 200);
    abdm_call_clear(&c.call);
}


static void
without_leave_nothing_goes_out_in_the_clear(void **state)
{
    int before = atomic_load(&server.requests);
    test_call_t c;

    (void) state;
    init(&c, &server, "/echo");
    c.call.plain_allowed = false;
    perform(&c, NULL);
    assert_true(abdm_failed(c.call.err));
    assert_int_equal(atomic_load(&server.requests), before);
    abdm_call_clear(&c.call);
}


static void
a_redirect_is_an_answer_and_not_followed(void **state)
{
    int before = atomic_load(&server.requests);
    test_call_t c;

    (void) state;
    init(&c, &server, "/moved");
    perform(&c, NULL);
    assert_int_equal(c.call.err.code, ABDM_OK);
    assert_int_equal(c.call.status, 302);
    assert_int_equal(atomic_load(&server.requests), before + 1);
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


static void
a_file_without_certificates_gives_no_trust(void **state)
{
    char problem[512] = "";

    (void) state;
    assert_null(abdm_http_trust("/dev/null", problem));
    assert_non_null(strstr(problem, "/dev/null"));
    assert_null(abdm_http_trust("/nowhere.pem", problem));
    assert_non_null(strstr(problem, "/nowhere.pem"));
    X509_STORE *trust = abdm_http_trust(NULL, problem);
    assert_non_null(trust);
    X509_STORE_free(trust);
    abdm_http_stop(NULL);
    abdm_http_free(NULL);
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
        cmocka_unit_test(a_certificate_must_lead_to_the_given_store),
        cmocka_unit_test(a_certificate_must_be_for_the_name_that_is_called),
        cmocka_unit_test(a_pinned_address_is_dialled_instead_of_the_names_own),
        cmocka_unit_test(without_leave_nothing_goes_out_in_the_clear),
        cmocka_unit_test(a_redirect_is_an_answer_and_not_followed),
        cmocka_unit_test(the_time_that_a_server_asks_to_wait_is_told),
        cmocka_unit_test(stopping_aborts_what_is_under_way_and_tells_each_once),
        cmocka_unit_test(many_calls_share_connections_and_all_end),
        cmocka_unit_test(header_lines_are_wiped_before_they_are_freed),
        cmocka_unit_test(a_file_without_certificates_gives_no_trust),
    };

    return cmocka_run_group_tests(tests, start_servers, stop_servers);
}
