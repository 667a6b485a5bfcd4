/* The audit as it is shown: every row once, unforgeable in a spreadsheet, and what a notice asks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <limits.h>

#include "audit_kit.h"

static const abdm_audit_span_t all = {.since = 0, .until = INT64_MAX};


static void
write_audit(const char *hip, const char *subject, const char *what, const char *detail, abdm_ms_t at)
{
    abdm_effects_t e = {0};

    abdm_effect_audit(&e, hip, subject, what, ABDM_NO_ERR, detail);
    OK_(abdm_store_apply(K.store, &e, at));
    abdm_effects_clear(&e);
}


static bool
into(void *ctx, const char *p, size_t len)
{
    abdm_buf_add(ctx, p, len);
    return true;
}


static bool
nowhere(void *ctx, const char *p, size_t len)
{
    (void) ctx;
    (void) p;
    (void) len;
    return false;
}


static char *
export(const abdm_audit_span_t *span, bool csv)
{
    abdm_buf_t out = {0};
    char *text;

    OK_(abdm_store_audit_export(K.store, span, csv, into, &out));
    if (out.p == NULL)
        return strdup("");
    text = abdm_buf_take(&out);
    assert_non_null(text);
    return text;
}


static void
lines_of_json_have_every_row_in_its_order(void **state)
{
    abdm_audit_verdict_t v;
    char *text, *line, *save = NULL;
    int n = 0;

    (void) state;
    write_rows(3);
    v = verdict_of(NULL);
    text = export(&all, false);
    for (line = strtok_r(text, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save)) {
        json_t *row = json_loads(line, 0, NULL);

        n++;
        assert_non_null(row);
        assert_int_equal(json_integer_value(json_object_get(row, "number")), n);
        assert_string_equal(json_string_value(json_object_get(row, "facility")), "HIP_1");
        assert_string_equal(json_string_value(json_object_get(row, "requester")), "HIU_1");
        assert_string_equal(json_string_value(json_object_get(row, "consentId")), "C-1");
        assert_string_equal(json_string_value(json_object_get(row, "caller")), "gateway");
        assert_string_equal(json_string_value(json_object_get(row, "requestId")), "R-1");
        assert_string_equal(json_string_value(json_object_get(row, "code")), "E_TIMEOUT");
        assert_int_equal(json_integer_value(json_object_get(row, "documents")), 1);
        assert_string_equal(json_string_value(json_object_get(row, "at")),
                            n == 1   ? "1970-01-01T00:16:40.001Z"
                            : n == 2 ? "1970-01-01T00:16:40.002Z"
                                     : "1970-01-01T00:16:40.003Z");
        if (n == 3)
            assert_string_equal(json_string_value(json_object_get(row, "mac")), v.anchor + 2);
        json_decref(row);
    }
    assert_int_equal(n, 3);
    free(text);
}


static void
a_spreadsheet_finds_no_formula_in_a_cell(void **state)
{
    char *text;

    (void) state;
    write_audit("HIP_1", "=1+1", "+x", "say \"hello\", you", 1000);
    write_audit("HIP_1", "@x", "-x", "two\r\nlines", 1000);
    write_audit("HIP_1", "\tx", "a=b", "\rx", 1000);
    text = export(&all, true);
    assert_non_null(strstr(text, "number,at,facility,subject,what,code,detail,caller,requestId,"
                                 "consentId,requester,documents,mac\r\n"));
    assert_non_null(strstr(text, "1,1970-01-01T00:00:01.000Z,\"HIP_1\",\"'=1+1\",\"'+x\",\"\","
                                 "\"say \"\"hello\"\", you\",\"\",\"\",\"\",\"\",0,"));
    assert_non_null(strstr(text, "\"'@x\",\"'-x\",\"\",\"two\r\nlines\""));
    assert_non_null(strstr(text, "\"'\tx\",\"a=b\",\"\",\"'\rx\""));
    free(text);
}


static void
a_span_and_a_facility_choose_the_rows(void **state)
{
    abdm_audit_span_t span = {.since = 2000, .until = 3000};
    char *text;

    (void) state;
    write_audit("HIP_1", "early", "w", NULL, 1999);
    write_audit("HIP_1", "first", "w", NULL, 2000);
    write_audit("HIP_2", "other", "w", NULL, 2999);
    write_audit("HIP_1", "late", "w", NULL, 3000);
    text = export(&span, false);
    assert_null(strstr(text, "early"));
    assert_non_null(strstr(text, "first"));
    assert_non_null(strstr(text, "other"));
    assert_null(strstr(text, "late"));
    free(text);
    span.hip_id = "HIP_2";
    text = export(&span, false);
    assert_null(strstr(text, "first"));
    assert_non_null(strstr(text, "other"));
    free(text);
    span.hip_id = "HIP_3";
    text = export(&span, false);
    assert_string_equal(text, "");
    free(text);
}


static void
an_export_that_cannot_be_written_ends(void **state)
{
    (void) state;
    write_rows(3);
    assert_int_equal(abdm_store_audit_export(K.store, &all, true, nowhere, NULL).code,
                     ABDM_E_SYSTEM);
    assert_int_equal(abdm_store_audit_export(K.store, &all, false, nowhere, NULL).code,
                     ABDM_E_SYSTEM);
}


static json_t *
report(const abdm_audit_span_t *span, bool breach)
{
    abdm_buf_t out = {0};
    json_t *report;
    char *text;

    OK_(abdm_store_audit_report(K.store, span, breach, &out));
    text = abdm_buf_take(&out);
    assert_non_null(text);
    report = json_loads(text, 0, NULL);
    assert_non_null(report);
    free(text);
    return report;
}


static void
a_report_counts_what_happened(void **state)
{
    json_t *r, *kinds;

    (void) state;
    write_rows(3);
    write_audit("HIP_1", "s", "page delivered", NULL, 5);
    write_audit("HIP_2", "s", "page delivered", NULL, 5);
    r = report(&all, false);
    kinds = json_object_get(r, "kinds");
    assert_int_equal(json_array_size(kinds), 3);
    assert_int_equal(json_integer_value(json_object_get(r, "rows")), 5);
    assert_int_equal(json_integer_value(json_object_get(json_array_get(kinds, 1), "times")), 3);
    assert_string_equal(json_string_value(json_object_get(json_array_get(kinds, 1), "code")),
                        "E_TIMEOUT");
    json_decref(r);
}


static void
a_breach_report_tells_who_got_what_when_and_under_which_consent(void **state)
{
    json_t *r, *t;

    (void) state;
    OK_(write_row(K.store, 1, 1000));
    OK_(write_row(K.store, 2, 2000));
    OK_(write_row(K.store, 1, 3000)); /* its second document */
    write_audit("HIP_1", "T-1", "transfer over: TRANSFERRED", NULL, 3001);
    r = report(&all, true);
    assert_int_equal(json_array_size(json_object_get(r, "transfers")), 2);
    assert_int_equal(json_integer_value(json_object_get(r, "transferCount")), 2);
    assert_int_equal(json_integer_value(json_object_get(r, "documentCount")), 3);
    t = json_array_get(json_object_get(r, "transfers"), 0);
    assert_string_equal(json_string_value(json_object_get(t, "transactionId")), "T-1");
    assert_string_equal(json_string_value(json_object_get(t, "consentId")), "C-1");
    assert_string_equal(json_string_value(json_object_get(t, "requester")), "HIU_1");
    assert_string_equal(json_string_value(json_object_get(t, "first")), "1970-01-01T00:00:01.000Z");
    assert_string_equal(json_string_value(json_object_get(t, "last")), "1970-01-01T00:00:03.000Z");
    assert_int_equal(json_integer_value(json_object_get(t, "documents")), 2);
    assert_int_equal(json_integer_value(json_object_get(r, "refusalCount")), 3);
    json_decref(r);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(lines_of_json_have_every_row_in_its_order),
        STORE_TEST(a_spreadsheet_finds_no_formula_in_a_cell),
        STORE_TEST(a_span_and_a_facility_choose_the_rows),
        STORE_TEST(an_export_that_cannot_be_written_ends),
        STORE_TEST(a_report_counts_what_happened),
        STORE_TEST(a_breach_report_tells_who_got_what_when_and_under_which_consent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
