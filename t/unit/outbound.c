/*
 * Bodies of our calls, parsed back and compared whole, and the push as a stream: its bytes, its
 * length, and that the checksum is looked at only after the content.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/json.h"
#include "gateway/outbound.h"


/* Takes the buffer. Members are compared, and then their order by the text. */
static void
assert_body(abdm_buf_t *got, const char *want)
{
    char *z = abdm_buf_take(got);
    json_t *a, *b;

    assert_non_null(z);
    assert_int_equal(abdm_json_parse(z, strlen(z), ABDM_JSON_DEPTH, &a).code, ABDM_OK);
    assert_int_equal(abdm_json_parse(want, strlen(want), ABDM_JSON_DEPTH, &b).code, ABDM_OK);
    assert_true(json_equal(a, b));
    assert_string_equal(z, want);
    json_decref(a);
    json_decref(b);
    free(z);
}


static void
a_session_is_asked_with_the_client_credentials(void **state)
{
    abdm_buf_t b = {0};

    (void) state;
    abdm_out_session(&b, "SBXID_099001", ABDM_LIT("se\"cret\\"));
    assert_body(&b, "{\"clientId\":\"SBXID_099001\",\"clientSecret\":\"se\\\"cret\\\\\","
                    "\"grantType\":\"client_credentials\"}");
}


static void
a_consent_notice_is_acknowledged_with_its_id_and_the_echo(void **state)
{
    abdm_buf_t b = {0};

    (void) state;
    abdm_out_consent_on_notify(&b, "c0ffee00", "r-1");
    assert_body(&b, "{\"acknowledgement\":{\"status\":\"OK\",\"consentId\":\"c0ffee00\"},"
                    "\"response\":{\"requestId\":\"r-1\"}}");
}


static void
a_fetch_names_the_artefact(void **state)
{
    abdm_buf_t b = {0};

    (void) state;
    abdm_out_consent_fetch(&b, "c0ffee00");
    assert_body(&b, "{\"consentId\":\"c0ffee00\"}");
}


static void
a_data_request_is_acknowledged_with_its_transaction_and_the_echo(void **state)
{
    abdm_buf_t b = {0};

    (void) state;
    abdm_out_hi_on_request(&b, "d1d2", "r-1");
    assert_body(&b, "{\"hiRequest\":{\"transactionId\":\"d1d2\","
                    "\"sessionStatus\":\"ACKNOWLEDGED\"},\"response\":{\"requestId\":\"r-1\"}}");
}


static void
a_refusal_carries_the_wire_code_and_the_meaning(void **state)
{
    abdm_buf_t b = {0};

    (void) state;
    abdm_out_error(&b, ABDM_ERR(CONSENT_REVOKED, "consent.status: REVOKED"), "r-1");
    assert_body(&b, "{\"error\":{\"code\":\"ABDM-1062\",\"message\":\"the consent was revoked\"},"
                    "\"response\":{\"requestId\":\"r-1\"}}");
}


static void
trouble_of_our_own_is_told_without_its_nature(void **state)
{
    const abdm_err_t errors[] = {ABDM_ERR(STORE, "x"), ABDM_ERR(MEMORY, "x"),
                                 ABDM_ERR(NOT_FOUND, "x"), ABDM_ERR(SEAL, "x")};

    (void) state;
    for (size_t i = 0; i < 4; i++) {
        abdm_buf_t b = {0};
        abdm_out_error(&b, errors[i], "r-1");
        assert_body(&b, "{\"error\":{\"code\":\"ABDM-1024\",\"message\":"
                        "\"the facility's system is temporarily unavailable\"},"
                        "\"response\":{\"requestId\":\"r-1\"}}");
    }
}


static void
every_code_can_be_told(void **state)
{
    (void) state;
    for (int code = 1; code < ABDM_CODE_COUNT; code++) {
        abdm_buf_t b = {0};
        json_t *json;
        abdm_out_error(&b, (abdm_err_t){(abdm_code_t) code, "what", "where"}, "r-1");
        assert_int_equal(abdm_json_parse(b.p, b.len, ABDM_JSON_DEPTH, &json).code, ABDM_OK);
        const char *wire = abdm_json_string_at(json, "error.code");
        assert_non_null(wire);
        assert_true(strncmp(wire, "ABDM-", 5) == 0 && strlen(wire) == 9);
        assert_non_null(abdm_json_string_at(json, "error.message"));
        assert_int_equal(json_object_size(json), 2);
        json_decref(json);
        abdm_buf_free(&b);
    }
}


static void
a_finished_transfer_is_told_with_each_context(void **state)
{
    const abdm_context_status_t contexts[] = {{"OPD-1", true, "pushed"}, {"OPD-2", false, NULL}};
    abdm_buf_t b = {0};

    (void) state;
    abdm_out_hi_notify(&b, "c0ffee00", "d1d2", "IN1_1", 1772702463000, true, contexts, 2);
    assert_body(&b,
                "{\"notification\":{\"consentId\":\"c0ffee00\",\"transactionId\":\"d1d2\","
                "\"doneAt\":\"2026-03-05T09:21:03.000Z\","
                "\"notifier\":{\"type\":\"HIP\",\"id\":\"IN1_1\"},"
                "\"statusNotification\":{\"sessionStatus\":\"TRANSFERRED\",\"hipId\":\"IN1_1\","
                "\"statusResponses\":[{\"careContextReference\":\"OPD-1\","
                "\"hiStatus\":\"DELIVERED\",\"description\":\"pushed\"},"
                "{\"careContextReference\":\"OPD-2\",\"hiStatus\":\"ERRORED\"}]}}}");
}


static void
a_failed_transfer_without_contexts_has_an_empty_list(void **state)
{
    abdm_buf_t b = {0};

    (void) state;
    abdm_out_hi_notify(&b, "c", "t", "h", 0, false, NULL, 0);
    assert_body(&b, "{\"notification\":{\"consentId\":\"c\",\"transactionId\":\"t\","
                    "\"doneAt\":\"1970-01-01T00:00:00.000Z\","
                    "\"notifier\":{\"type\":\"HIP\",\"id\":\"h\"},"
                    "\"statusNotification\":{\"sessionStatus\":\"FAILED\",\"hipId\":\"h\","
                    "\"statusResponses\":[]}}}");
}


/* Gives `left` times 'Q', a few at a time; at its end the digest is set, as a real one is. */
typedef struct {
    abdm_source_t base;
    size_t left;
    uint8_t *md5;
    bool fail;
    int *closed;
} content_t;


static abdm_err_t
content_read(abdm_source_t *s, void *out, size_t cap, size_t *got)
{
    content_t *c = (content_t *) s;
    size_t n = c->left < 5 ? c->left : 5;

    *got = 0;
    if (c->fail)
        return ABDM_ERR(SPOOL_LOST, "content: fails");
    if (n > cap)
        n = cap;
    memset(out, 'Q', n);
    c->left -= n;
    if (c->left == 0)
        memset(c->md5, 0xff, 16);
    *got = n;
    return ABDM_NO_ERR;
}


static void
content_close(abdm_source_t *s)
{
    ++*((content_t *) s)->closed;
    free(s);
}


static abdm_source_t *
content_new(size_t n, uint8_t *md5, bool fail, int *closed)
{
    content_t *c = calloc(1, sizeof *c);

    assert_non_null(c);
    *c = (content_t){{n, content_read, content_close, NULL}, n, md5, fail, closed};
    return &c->base;
}


static const abdm_push_page_t page = {
    .page_number = 2,
    .page_count = 7,
    .transaction_id = "d1d2",
    .care_context_ref = "OPD \"1\"",
    .curve = "curve25519",
    .public_key = "S0VZ",
    .nonce = "Tk9OQ0U=",
    .key_expiry = 1772788800000,
};

#define PUSH_BEFORE                                                                                \
    "{\"pageNumber\":2,\"pageCount\":7,\"transactionId\":\"d1d2\",\"entries\":[{\"content\":\""
#define PUSH_AFTER                                                                                 \
    "\",\"media\":\"application/fhir+json\",\"checksum\":\"/////////////////////w==\","            \
    "\"careContextReference\":\"OPD \\\"1\\\"\"}],\"keyMaterial\":{\"cryptoAlg\":\"ECDH\","        \
    "\"curve\":\"curve25519\",\"dhPublicKey\":{\"expiry\":\"2026-03-06T09:20:00.000Z\","           \
    "\"parameters\":\"Curve25519/32byte random key\",\"keyValue\":\"S0VZ\"},"                      \
    "\"nonce\":\"Tk9OQ0U=\"}}"


static void
a_push_streams_the_envelope_around_the_content(void **state)
{
    static const size_t steps[] = {1, 3, 7, 4096};

    (void) state;
    for (size_t i = 0; i < 4; i++) {
        uint8_t md5[16] = {0};
        int closed = 0;
        abdm_source_t *push;
        abdm_buf_t body = {0};
        char piece[4096];
        size_t got;

        assert_int_equal(abdm_out_push(&page, content_new(12, md5, false, &closed), md5,
                                       &push).code,
                         ABDM_OK);
        do {
            assert_int_equal(push->read(push, piece, steps[i], &got).code, ABDM_OK);
            abdm_buf_add(&body, piece, got);
        } while (got > 0);
        assert_true(push->length == body.len);
        assert_int_equal(closed, 0);
        abdm_source_close(push);
        assert_int_equal(closed, 1);
        assert_body(&body, PUSH_BEFORE "QQQQQQQQQQQQ" PUSH_AFTER);
    }
}


static void
an_empty_content_still_gives_a_whole_body(void **state)
{
    uint8_t md5[16];
    int closed = 0;
    abdm_source_t *push;
    abdm_buf_t body = {0};

    (void) state;
    memset(md5, 0xff, sizeof md5);
    assert_int_equal(abdm_out_push(&page, content_new(0, md5, false, &closed), md5, &push).code,
                     ABDM_OK);
    assert_int_equal(abdm_source_read_all(push, 4096, &body).code, ABDM_OK);
    assert_true(push->length == body.len);
    abdm_source_close(push);
    assert_body(&body, PUSH_BEFORE PUSH_AFTER);
}


static void
a_failing_content_fails_the_push_with_its_own_error(void **state)
{
    uint8_t md5[16] = {0};
    int closed = 0;
    abdm_source_t *push;
    abdm_buf_t body = {0};

    (void) state;
    assert_int_equal(abdm_out_push(&page, content_new(9, md5, true, &closed), md5, &push).code,
                     ABDM_OK);
    assert_int_equal(abdm_source_read_all(push, 4096, &body).code, ABDM_E_SPOOL_LOST);
    abdm_source_close(push);
    abdm_buf_free(&body);
    assert_int_equal(closed, 1);
}


static void
a_push_without_content_or_of_impossible_length_is_refused_and_closes_what_it_took(void **state)
{
    uint8_t md5[16] = {0};
    int closed = 0;
    abdm_source_t *push = (abdm_source_t *) md5;

    (void) state;
    assert_int_equal(abdm_out_push(&page, NULL, md5, &push).code, ABDM_E_MEMORY);
    assert_null(push);

    abdm_source_t *content = content_new(9, md5, false, &closed);
    content->length = UINT64_MAX;
    assert_int_equal(abdm_out_push(&page, content, md5, &push).code, ABDM_E_MEMORY);
    assert_null(push);
    assert_int_equal(closed, 1);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_session_is_asked_with_the_client_credentials),
        cmocka_unit_test(a_consent_notice_is_acknowledged_with_its_id_and_the_echo),
        cmocka_unit_test(a_fetch_names_the_artefact),
        cmocka_unit_test(a_data_request_is_acknowledged_with_its_transaction_and_the_echo),
        cmocka_unit_test(a_refusal_carries_the_wire_code_and_the_meaning),
        cmocka_unit_test(trouble_of_our_own_is_told_without_its_nature),
        cmocka_unit_test(every_code_can_be_told),
        cmocka_unit_test(a_finished_transfer_is_told_with_each_context),
        cmocka_unit_test(a_failed_transfer_without_contexts_has_an_empty_list),
        cmocka_unit_test(a_push_streams_the_envelope_around_the_content),
        cmocka_unit_test(an_empty_content_still_gives_a_whole_body),
        cmocka_unit_test(a_failing_content_fails_the_push_with_its_own_error),
        cmocka_unit_test(
            a_push_without_content_or_of_impossible_length_is_refused_and_closes_what_it_took),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
