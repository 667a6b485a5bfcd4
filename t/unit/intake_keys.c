/*
 * How the doorkeeper waits for keys, without letting strangers make us ask for them again and
 * again (threat model J7, J8).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "door_kit.h"


typedef struct {
    abdm_verdict_t verdict;
    abdm_code_t code;
    bool want;
} verdict_t;


static verdict_t
ask(abdm_doorkeeper_t *door, const char *authorization, abdm_ms_t now, bool last)
{
    abdm_headers_t h = headers(authorization);
    verdict_t v;
    abdm_err_t why;

    v.verdict = abdm_doorkeeper_judge(door, &h, now, last, &why, &v.want);
    v.code = why.code;
    return v;
}


static void
without_keys_a_callback_waits_and_passes_once_they_came(void **state)
{
    abdm_doorkeeper_t *door = make_door(false);
    verdict_t v = ask(door, good, NOW, false);

    (void) state;
    assert_int_equal(v.verdict, ABDM_WAIT);
    assert_true(v.want);
    v = ask(door, good, NOW + 1, false); /* one question is enough for all who wait */
    assert_int_equal(v.verdict, ABDM_WAIT);
    assert_false(v.want);
    abdm_doorkeeper_keys(door, set_a, NOW, false, NOW + 2);
    assert_int_equal(ask(door, good, NOW + 3, true).verdict, ABDM_PASS);
    abdm_doorkeeper_free(door);
}


static void
without_keys_that_can_be_had_a_callback_is_told_to_come_again(void **state)
{
    abdm_doorkeeper_t *door = make_door(false);
    verdict_t v;

    (void) state;
    (void) ask(door, good, NOW, false);
    v = ask(door, good, NOW + 3000, true); /* no answer about keys came */
    assert_int_equal(v.verdict, ABDM_REFUSE);
    assert_int_equal(v.code, ABDM_E_KEYS_UNAVAILABLE);
    abdm_doorkeeper_keys(door, NULL, 0, true, NOW + 3001);
    v = ask(door, good, NOW + 3002, true);
    assert_int_equal(v.code, ABDM_E_KEYS_UNAVAILABLE);
    abdm_doorkeeper_free(door);
}


static void
an_answer_about_keys_that_never_came_is_asked_for_again(void **state)
{
    abdm_doorkeeper_t *door = make_door(false);

    (void) state;
    assert_true(ask(door, good, NOW, false).want);
    assert_false(ask(door, good, NOW + 3000, false).want);
    assert_true(ask(door, good, NOW + 3001, false).want);
    abdm_doorkeeper_free(door);
}


static void
a_rotated_key_is_accepted_once_the_new_set_came(void **state)
{
    abdm_doorkeeper_t *door = make_door(true);
    char *set_b = key_set("b");
    verdict_t v = ask(door, unknown_kid, NOW, false);

    (void) state;
    assert_int_equal(v.verdict, ABDM_WAIT);
    assert_true(v.want);
    abdm_doorkeeper_keys(door, set_b, NOW + 10, false, NOW + 10);
    assert_int_equal(ask(door, unknown_kid, NOW + 11, true).verdict, ABDM_PASS);
    free(set_b);
    abdm_doorkeeper_free(door);
}


static void
news_that_nobody_had_asked_for_do_not_end_a_wait(void **state)
{
    abdm_doorkeeper_t *door = make_door(false);
    char *set_b = key_set("b");

    (void) state;
    assert_int_equal(ask(door, unknown_kid, NOW, false).verdict, ABDM_WAIT);
    assert_false(abdm_doorkeeper_keys_unasked(door, set_a, NOW - 1000, false, NOW + 1)); /* of the disk */
    assert_int_equal(ask(door, good, NOW + 2, false).verdict, ABDM_PASS);
    assert_int_equal(ask(door, unknown_kid, NOW + 3, false).verdict, ABDM_WAIT);
    abdm_doorkeeper_keys(door, set_b, NOW + 10, false, NOW + 10);
    assert_int_equal(ask(door, unknown_kid, NOW + 11, true).verdict, ABDM_PASS);
    assert_true(abdm_doorkeeper_keys_unasked(door, set_a, NOW + 12, false, NOW + 12));
    free(set_b);
    abdm_doorkeeper_free(door);
}


static void
a_key_looked_for_in_vain_is_refused_at_once_for_a_minute(void **state)
{
    abdm_doorkeeper_t *door = make_door(true);
    verdict_t v;

    (void) state;
    (void) ask(door, unknown_kid, NOW, false);
    abdm_doorkeeper_keys(door, NULL, 0, false, NOW + 1); /* asked: there is nothing newer */
    v = ask(door, unknown_kid, NOW + 2, true);
    assert_int_equal(v.verdict, ABDM_REFUSE);
    assert_int_equal(v.code, ABDM_E_TOKEN_KID_UNKNOWN);

    v = ask(door, unknown_kid, NOW + 60000, false);
    assert_int_equal(v.verdict, ABDM_REFUSE);
    assert_int_equal(v.code, ABDM_E_TOKEN_KID_UNKNOWN);
    assert_false(v.want);
    v = ask(door, other_unknown_kid, NOW + 60000, false); /* another one is another question */
    assert_int_equal(v.verdict, ABDM_WAIT);
    v = ask(door, unknown_kid, NOW + 60003, false);
    assert_int_equal(v.verdict, ABDM_WAIT);
    abdm_doorkeeper_free(door);
}


static void
a_key_is_not_remembered_as_missing_when_the_gateway_could_not_be_asked(void **state)
{
    abdm_doorkeeper_t *door = make_door(true);
    verdict_t v;

    (void) state;
    (void) ask(door, unknown_kid, NOW, false);
    abdm_doorkeeper_keys(door, NULL, 0, true, NOW + 1);
    v = ask(door, unknown_kid, NOW + 2, true);
    assert_int_equal(v.code, ABDM_E_KEYS_UNAVAILABLE);
    assert_int_equal(ask(door, unknown_kid, NOW + 3, false).verdict, ABDM_WAIT);
    assert_int_equal(ask(door, good, NOW + 3, false).verdict, ABDM_PASS); /* the old set serves */
    abdm_doorkeeper_free(door);
}


static void
a_new_set_forgets_what_was_looked_for_in_vain(void **state)
{
    abdm_doorkeeper_t *door = make_door(true);
    char *set_b = key_set("b");

    (void) state;
    (void) ask(door, unknown_kid, NOW, false);
    abdm_doorkeeper_keys(door, NULL, 0, false, NOW + 1);
    (void) ask(door, unknown_kid, NOW + 2, true);
    abdm_doorkeeper_keys(door, set_b, NOW + 3, false, NOW + 3);
    assert_int_equal(ask(door, unknown_kid, NOW + 4, false).verdict, ABDM_PASS);
    free(set_b);
    abdm_doorkeeper_free(door);
}


static void
keys_of_more_than_a_day_are_not_trusted_any_more(void **state)
{
    static const char fresh[] =
        "{\"exp\":1772792411,\"iat\":1772788811,\"iss\":\"" ISSUER "\",\"azp\":\"gateway\"}";
    abdm_doorkeeper_t *door = make_door(true);
    char *bearer = kit_bearer(HEADER("a"), fresh, key, EVP_sha256());

    (void) state;
    assert_int_equal(ask(door, bearer, NOW + 24 * HOUR, false).verdict, ABDM_PASS);
    verdict_t v = ask(door, bearer, NOW + 24 * HOUR + 1, false); /* also not from the cache */
    assert_int_equal(v.verdict, ABDM_WAIT);
    assert_true(v.want);
    v = ask(door, bearer, NOW + 24 * HOUR + 2, true);
    assert_int_equal(v.code, ABDM_E_KEYS_UNAVAILABLE);
    abdm_doorkeeper_keys(door, set_a, NOW + 24 * HOUR + 3, false, NOW + 24 * HOUR + 3);
    assert_int_equal(ask(door, bearer, NOW + 24 * HOUR + 4, false).verdict, ABDM_PASS);
    free(bearer);
    abdm_doorkeeper_free(door);
}


static void
a_set_that_cannot_be_read_leaves_the_one_there_was(void **state)
{
    abdm_doorkeeper_t *door = make_door(true);
    abdm_door_state_t s;

    (void) state;
    abdm_doorkeeper_keys(door, "{\"keys\":[]}", NOW + 5, false, NOW + 5);
    assert_int_equal(ask(door, good, NOW + 6, false).verdict, ABDM_PASS);
    abdm_doorkeeper_state(door, &s);
    assert_int_equal(s.keys, 1);
    assert_int_equal(s.keys_fetched_at, NOW);
    assert_false(s.keys_failed);
    abdm_doorkeeper_keys(door, NULL, 0, true, NOW + 7);
    abdm_doorkeeper_state(door, &s);
    assert_true(s.keys_failed);
    abdm_doorkeeper_free(door);
    abdm_doorkeeper_free(NULL);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_keys_a_callback_waits_and_passes_once_they_came),
        cmocka_unit_test(without_keys_that_can_be_had_a_callback_is_told_to_come_again),
        cmocka_unit_test(an_answer_about_keys_that_never_came_is_asked_for_again),
        cmocka_unit_test(a_rotated_key_is_accepted_once_the_new_set_came),
        cmocka_unit_test(news_that_nobody_had_asked_for_do_not_end_a_wait),
        cmocka_unit_test(a_key_looked_for_in_vain_is_refused_at_once_for_a_minute),
        cmocka_unit_test(a_key_is_not_remembered_as_missing_when_the_gateway_could_not_be_asked),
        cmocka_unit_test(a_new_set_forgets_what_was_looked_for_in_vain),
        cmocka_unit_test(keys_of_more_than_a_day_are_not_trusted_any_more),
        cmocka_unit_test(a_set_that_cannot_be_read_leaves_the_one_there_was),
    };

    return cmocka_run_group_tests(tests, make_tokens, free_tokens);
}
