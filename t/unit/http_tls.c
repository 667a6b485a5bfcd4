/*
 * Whom the HTTP client talks to: certificates, pinned and judged addresses, nothing in the clear,
 * no redirects.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "http_kit.h"


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


/* OpenSSL may be set up to speak what was given up long ago: here it is. */
static void
allow_old_tls(void)
{
    static const char lines[] = "openssl_conf = all\n[all]\nssl_conf = ssl\n[ssl]\n"
                                "system_default = old\n[old]\nMinProtocol = TLSv1\n"
                                "CipherString = DEFAULT@SECLEVEL=0\n";
    char path[] = "/tmp/abdm-openssl-XXXXXX";
    int fd = mkstemp(path);

    if (fd < 0 || write(fd, lines, sizeof(lines) - 1) != sizeof(lines) - 1
        || setenv("OPENSSL_CONF", path, 1) != 0
        || OPENSSL_init_ssl(OPENSSL_INIT_LOAD_CONFIG, NULL) != 1)
        abort();
    close(fd);
    unlink(path);
}


static void
nothing_older_than_tls_1_2_is_spoken(void **state)
{
    static const struct {
        int version;
        abdm_code_t code;
    } rows[] = {{TLS1_1_VERSION, ABDM_E_TLS}, {TLS1_2_VERSION, ABDM_OK}};

    (void) state;
    for (int i = 0; i < 2; i++) {
        test_call_t c;

        assert_int_equal(SSL_CTX_set_max_proto_version(tls.ssl, rows[i].version), 1);
        init(&c, &tls, "/echo");
        post(&c, "x");
        perform(&c, &tls);
        assert_int_equal(c.call.err.code, rows[i].code);
        abdm_call_clear(&c.call);
    }
    assert_int_equal(SSL_CTX_set_max_proto_version(tls.ssl, 0), 1);
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


static abdm_err_t
refuse_loopback(const struct sockaddr *addr, const void *ctx)
{
    atomic_fetch_add((atomic_int *) ctx, 1);
    assert_int_equal(addr->sa_family, AF_INET);
    return ABDM_ERR(PUSH_ADDRESS, "a test");
}


static abdm_err_t
allow_all(const struct sockaddr *addr, const void *ctx)
{
    (void) addr;
    atomic_fetch_add((atomic_int *) ctx, 1);
    return ABDM_NO_ERR;
}


static void
an_address_is_judged_before_it_is_dialled(void **state)
{
    int before = atomic_load(&server.requests);
    atomic_int asked = 0;
    test_call_t c;

    (void) state;
    init(&c, &server, "/echo");
    c.call.dial = refuse_loopback;
    c.call.dial_ctx = &asked;
    perform(&c, NULL);
    assert_int_equal(c.call.err.code, ABDM_E_PUSH_ADDRESS);
    assert_int_equal(atomic_load(&asked), 1);
    assert_int_equal(atomic_load(&server.requests), before);
    abdm_call_clear(&c.call);

    init(&c, &server, "/echo");
    c.call.dial = allow_all;
    c.call.dial_ctx = &asked;
    post(&c, "x");
    perform(&c, NULL);
    assert_int_equal(c.call.err.code, ABDM_OK);
    assert_int_equal(c.call.status, 200);
    assert_int_equal(atomic_load(&asked), 2);
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
        cmocka_unit_test(a_certificate_must_lead_to_the_given_store),
        cmocka_unit_test(a_certificate_must_be_for_the_name_that_is_called),
        cmocka_unit_test(nothing_older_than_tls_1_2_is_spoken),
        cmocka_unit_test(a_pinned_address_is_dialled_instead_of_the_names_own),
        cmocka_unit_test(an_address_is_judged_before_it_is_dialled),
        cmocka_unit_test(without_leave_nothing_goes_out_in_the_clear),
        cmocka_unit_test(a_redirect_is_an_answer_and_not_followed),
        cmocka_unit_test(a_file_without_certificates_gives_no_trust),
    };

    allow_old_tls();
    return cmocka_run_group_tests(tests, start_servers, stop_servers);
}
