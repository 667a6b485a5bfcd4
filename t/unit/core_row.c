/* Rows as plain structures: copied, cleared, and carried by effects. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "row_kit.h"


static void
the_description_of_a_row_names_its_members_in_order(void **state)
{
    const abdm_row_kind_t *kind = abdm_row_kind(ABDM_ROW_patient);

    (void) state;
    assert_string_equal(kind->table, "patient");
    assert_int_equal(kind->size, sizeof(abdm_row_patient_t));
    assert_int_equal(kind->n, ABDM_COLS_patient);
    assert_string_equal(kind->member[ABDM_COL_patient_mobile].name, "mobile");
    assert_int_equal(kind->member[ABDM_COL_patient_mobile].kind, ABDM_MEMBER_HASHED);
    assert_int_equal(kind->member[ABDM_COL_patient_mobile].offset,
                     offsetof(abdm_row_patient_t, mobile));
    assert_string_equal(abdm_row_kind(ABDM_ROW_request)->table, "request");
}


static void
every_row_begins_with_its_facility_and_its_key(void **state)
{
    (void) state;
    for (abdm_row_id_t id = 0; id < ABDM_ROWS; id++) {
        const abdm_row_kind_t *kind = abdm_row_kind(id);
        bool keys_over = false;

        assert_string_equal(kind->member[0].name, "hip_id");
        assert_int_equal(kind->member[0].kind, ABDM_MEMBER_KEY);
        for (size_t i = 0; i < kind->n; i++) {
            if (row_is_key(&kind->member[i]))
                assert_false(keys_over);
            else
                keys_over = true;
            /* the sweep looks for it at the end */
            if (strcmp(kind->member[i].name, "keep_until") == 0)
                assert_int_equal(i, kind->n - 1);
        }
    }
}


static void
a_copy_is_equal_and_lives_without_the_original(void **state)
{
    any_row_t row, copy, again;

    (void) state;
    for (abdm_row_id_t id = 0; id < ABDM_ROWS; id++) {
        row_fill(id, &row, "HIP_1", "A");
        row_fill(id, &again, "HIP_1", "A");
        assert_int_equal(abdm_row_copy(id, &copy, &row).code, ABDM_OK);
        abdm_row_clear(id, &row);
        row_assert_equal(id, &again, &copy, true);
        abdm_row_clear(id, &again);
        abdm_row_clear(id, &copy);
    }
}


static void
what_is_absent_stays_absent_in_a_copy(void **state)
{
    abdm_row_patient_t row = {.hip_id = "HIP_1", .ref = "MR-1", .changed_at = 7}, copy;

    (void) state;
    assert_int_equal(abdm_row_copy(ABDM_ROW_patient, &copy, &row).code, ABDM_OK);
    assert_string_equal(copy.ref, "MR-1");
    assert_null(copy.name);
    assert_null(copy.mobile);
    assert_int_equal(copy.changed_at, 7);
    abdm_row_patient_clear(&copy);
}


static void
a_cleared_row_is_empty_and_may_be_cleared_again(void **state)
{
    static const any_row_t zero;
    any_row_t row;

    (void) state;
    for (abdm_row_id_t id = 0; id < ABDM_ROWS; id++) {
        row_fill(id, &row, "HIP_1", "A");
        abdm_row_clear(id, &row);
        assert_memory_equal(&row, &zero, sizeof(row));
        abdm_row_clear(id, &row);
    }
    abdm_rows_free(ABDM_ROW_patient, NULL, 0);
}


/* --- effects --- */

static void
effects_carry_copies_of_rows(void **state)
{
    abdm_row_counter_t counter = {.hip_id = "HIP_1", .name = "OPD", .day = 3, .last = 4};
    abdm_effects_t e = {0};

    (void) state;
    abdm_effect_put_counter(&e, &counter);
    counter.last = 5;
    abdm_effect_delete_counter(&e, &counter);
    assert_false(e.failed);
    assert_int_equal(e.n, 2);
    assert_int_equal(e.item[0].kind, ABDM_EFFECT_PUT);
    assert_int_equal(e.item[0].u.row.id, ABDM_ROW_counter);
    assert_int_equal(((abdm_row_counter_t *) e.item[0].u.row.row)->last, 4);
    assert_string_equal(((abdm_row_counter_t *) e.item[0].u.row.row)->name, "OPD");
    assert_int_equal(e.item[1].kind, ABDM_EFFECT_DELETE);
    abdm_effects_clear(&e);
}


static void
a_jobs_link_token_is_copied_and_its_body_taken(void **state)
{
    abdm_job_t job = {.kind = ABDM_JOB_GATEWAY, .event = "x", .hip_id = "HIP_1", .subject = "s",
                      .path = "/p", .body = strdup("{}"), .body_len = 2, .link_token = "t"};
    abdm_effects_t e = {0};

    (void) state;
    abdm_effect_job(&e, &job);
    assert_false(e.failed);
    assert_null(job.body);
    assert_string_equal(e.item[0].u.job.link_token, "t");
    assert_ptr_not_equal(e.item[0].u.job.link_token, job.link_token);
    assert_string_equal(e.item[0].u.job.body, "{}");
    abdm_effects_clear(&e);
}


static void
clearing_effects_takes_the_answer_with_them(void **state)
{
    abdm_effects_t e = {.reply_status = 200};

    (void) state;
    abdm_buf_addz(&e.reply, "{\"abha\":\"a@sbx\"}");
    abdm_effects_clear(&e);
    assert_null(e.reply.p);
    assert_int_equal(e.reply.len, 0);
    assert_int_equal(e.reply_status, 0);
}


static void
every_kind_of_job_has_a_name(void **state)
{
    (void) state;
    for (int kind = 0; kind < ABDM_JOB_KINDS; kind++) {
        for (int other = 0; other < kind; other++) {
            assert_string_not_equal(abdm_job_kind_name((abdm_job_kind_t) kind),
                                    abdm_job_kind_name((abdm_job_kind_t) other));
        }
    }
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_description_of_a_row_names_its_members_in_order),
        cmocka_unit_test(every_row_begins_with_its_facility_and_its_key),
        cmocka_unit_test(a_copy_is_equal_and_lives_without_the_original),
        cmocka_unit_test(what_is_absent_stays_absent_in_a_copy),
        cmocka_unit_test(a_cleared_row_is_empty_and_may_be_cleared_again),
        cmocka_unit_test(effects_carry_copies_of_rows),
        cmocka_unit_test(a_jobs_link_token_is_copied_and_its_body_taken),
        cmocka_unit_test(clearing_effects_takes_the_answer_with_them),
        cmocka_unit_test(every_kind_of_job_has_a_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
