/*
 * The choice of one patient: the order of the rules, families behind one mobile, twins, father
 * and son of one name, a record number that fits or not, an ABHA known for somebody else; and
 * that more than one is none.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "match/patient.h"

#define LIT ABDM_LIT

enum { NONE = -1, MAX = 4 };

static const abdm_str_t mobile[] = {ABDM_LIT("9876543210")};
static const abdm_str_t mobile91[] = {ABDM_LIT("+91-98765 43210")};
static const abdm_str_t other_mobile[] = {ABDM_LIT("9812345678")};
static const abdm_str_t two_mobiles[] = {ABDM_LIT("9812345678"), ABDM_LIT("09876543210")};
static const abdm_str_t mr_1[] = {ABDM_LIT(" mr-1 ")};
static const abdm_str_t mr_9[] = {ABDM_LIT("MR-9")};
static const abdm_str_t mr_9_and_1[] = {ABDM_LIT("MR-9"), ABDM_LIT("MR-1")};

typedef struct {
    abdm_matcher_t *matcher;
    abdm_patient_asked_t asked;
    abdm_patient_candidate_t of[MAX];
    size_t n;
    abdm_patient_rules_t rules;
    abdm_patient_match_t found;
} case_t;


static case_t kept;


static int
open_matcher(void **state)
{
    *state = &kept;
    return abdm_failed(abdm_matcher_new(&kept.matcher)) ? -1 : 0;
}


static int
close_matcher(void **state)
{
    abdm_matcher_free(((case_t *) *state)->matcher);
    return 0;
}


/* Asha Kumari, asked by a mobile that a family of three has; each test spoils one thing. */
static case_t *
family(void **state)
{
    case_t *c = *state;
    abdm_matcher_t *matcher = c->matcher;

    *c = (case_t){
        .matcher = matcher,
        .asked = {LIT("91-1112-2223-3334"), LIT("asha.k@sbx"), mobile, 1, NULL, 0,
                  LIT("Asha Kumari"), LIT("F"), 1988},
        .of = {{LIT("P-1"), LIT("MR-1"), LIT(""), LIT(""), mobile91, 1, LIT("ASHA KUMARI"),
                LIT("F"), 1988},
               {LIT("P-2"), LIT("MR-2"), LIT(""), LIT(""), mobile, 1, LIT("Ramesh Kumar"),
                LIT("M"), 1985},
               {LIT("P-3"), LIT("MR-3"), LIT(""), LIT(""), mobile, 1, LIT("Anita Kumari"),
                LIT("F"), 1990}},
        .n = 3,
        .rules = ABDM_PATIENT_RULES,
    };
    return c;
}


static int
index_of(case_t *c)
{
    c->found = abdm_patient_match(c->matcher, &c->asked, c->of, c->n, c->rules);
    if (!c->found.found)
        assert_true(c->found.index == 0 && c->found.matched_by == 0);
    return c->found.found ? (int) c->found.index : NONE;
}


static void
one_of_a_family_is_found_by_her_name(void **state)
{
    case_t *c = family(state);

    assert_int_equal(index_of(c), 0);
    assert_int_equal(c->found.matched_by, ABDM_BY_MOBILE);
}


static void
the_order_of_candidates_does_not_matter(void **state)
{
    case_t *c = family(state);
    abdm_patient_candidate_t first = c->of[0];

    c->of[0] = c->of[2];
    c->of[2] = first;
    assert_int_equal(index_of(c), 2);
}


static void
no_candidates_give_nobody(void **state)
{
    case_t *c = family(state);

    c->n = 0;
    assert_int_equal(index_of(c), NONE);
}


static void
a_name_alone_is_not_enough(void **state)
{
    case_t *c = family(state);

    c->of[0].mobiles = other_mobile;
    assert_int_equal(index_of(c), NONE);
    c->asked.n_mobiles = 0;
    assert_int_equal(index_of(c), NONE);
}


static void
any_of_several_mobiles_will_do(void **state)
{
    case_t *c = family(state);

    c->of[0].mobiles = two_mobiles;
    c->of[0].n_mobiles = 2;
    assert_int_equal(index_of(c), 0);
    c->asked.mobiles = two_mobiles;
    c->asked.n_mobiles = 2;
    assert_int_equal(index_of(c), 0);
}


static void
a_known_abha_number_decides_without_name_and_mobile(void **state)
{
    case_t *c = family(state);

    c->of[1].abha_number = LIT("91111222233334");
    c->of[1].mobiles = other_mobile;
    assert_int_equal(index_of(c), 1);
    assert_int_equal(c->found.matched_by, ABDM_BY_ABHA_NUMBER);
}


static void
a_known_abha_address_decides_case_ignored(void **state)
{
    case_t *c = family(state);

    c->of[0].abha_address = LIT("Asha.K@SBX");
    assert_int_equal(index_of(c), 0);
    assert_int_equal(c->found.matched_by, ABDM_BY_ABHA_ADDRESS | ABDM_BY_MOBILE);
}


static void
one_abha_on_two_patients_gives_nobody(void **state)
{
    case_t *c = family(state);

    c->of[0].abha_number = LIT("91-1112-2223-3334");
    c->of[2].abha_number = LIT("91-1112-2223-3334");
    assert_int_equal(index_of(c), NONE);
    c->of[2].abha_number = LIT("");
    c->of[2].abha_address = LIT("asha.k@sbx");
    assert_int_equal(index_of(c), NONE);
}


static void
a_patient_told_twice_is_one_patient(void **state)
{
    case_t *c = family(state);

    c->of[1] = c->of[0];
    c->of[1].abha_number = LIT("91-1112-2223-3334");
    assert_int_equal(index_of(c), 1);
    c->of[1].abha_number = LIT("");
    assert_int_equal(index_of(c), 0);
}


static void
another_abha_number_excludes_a_patient(void **state)
{
    case_t *c = family(state);

    c->of[0].abha_number = LIT("91-9999-2223-3334");
    assert_int_equal(index_of(c), NONE);
    c->asked.mrs = mr_1;
    c->asked.n_mrs = 1;
    assert_int_equal(index_of(c), NONE);
}


static void
an_abha_number_of_another_form_says_nothing(void **state)
{
    case_t *c = family(state);

    c->of[0].abha_number = LIT("XX-XXXX-XXXX-3334");
    assert_int_equal(index_of(c), 0);
    c->of[0].abha_number = LIT("3334");
    assert_int_equal(index_of(c), 0);
    c->asked.abha_number = LIT("3334");
    assert_int_equal(index_of(c), 0);
    assert_int_equal(c->found.matched_by, ABDM_BY_MOBILE);
}


static void
a_record_number_that_fits_stands_for_the_name(void **state)
{
    case_t *c = family(state);

    c->asked.mrs = mr_1;
    c->asked.n_mrs = 1;
    c->asked.name = LIT("Asha Devi Yadav");
    c->asked.year_of_birth = 0;
    assert_int_equal(index_of(c), 0);
    assert_int_equal(c->found.matched_by, ABDM_BY_MOBILE | ABDM_BY_MR);
}


static void
a_record_number_may_be_the_reference(void **state)
{
    case_t *c = family(state);

    c->asked.mrs = mr_1;
    c->asked.n_mrs = 1;
    c->of[0].reference = LIT("MR-1");
    c->of[0].mr = LIT("");
    assert_int_equal(index_of(c), 0);
}


static void
a_record_number_that_fits_nobody_gives_nobody(void **state)
{
    case_t *c = family(state);

    c->asked.mrs = mr_9;
    c->asked.n_mrs = 1;
    assert_int_equal(index_of(c), NONE);
}


static void
one_of_several_record_numbers_is_enough(void **state)
{
    case_t *c = family(state);

    c->asked.mrs = mr_9_and_1;
    c->asked.n_mrs = 2;
    assert_int_equal(index_of(c), 0);
}


static void
a_record_number_without_the_mobile_is_nothing(void **state)
{
    case_t *c = family(state);

    c->asked.mrs = mr_1;
    c->asked.n_mrs = 1;
    c->of[0].mobiles = other_mobile;
    assert_int_equal(index_of(c), NONE);
}


static void
a_wifes_record_number_is_not_her_husbands(void **state)
{
    case_t *c = family(state);

    c->asked.mrs = mr_1;
    c->asked.n_mrs = 1;
    c->asked.gender = LIT("M");
    assert_int_equal(index_of(c), NONE);
}


static void
two_patients_of_one_record_number_give_nobody(void **state)
{
    case_t *c = family(state);

    c->asked.mrs = mr_1;
    c->asked.n_mrs = 1;
    c->of[2].mr = LIT("MR-1");
    assert_int_equal(index_of(c), NONE);
}


static void
a_record_number_does_not_outweigh_an_abha(void **state)
{
    case_t *c = family(state);

    c->asked.mrs = mr_1;
    c->asked.n_mrs = 1;
    c->of[2].abha_number = LIT("91-1112-2223-3334");
    assert_int_equal(index_of(c), 2);
}


static void
a_man_is_not_a_woman(void **state)
{
    case_t *c = family(state);

    c->of[0].gender = LIT("M");
    assert_int_equal(index_of(c), NONE);
    c->of[0].gender = LIT("male");
    assert_int_equal(index_of(c), NONE);
    c->of[0].gender = LIT("Female");
    assert_int_equal(index_of(c), 0);
}


static void
other_genders_agree_with_any(void **state)
{
    static const char *const loose[] = {"O", "D", "T", "U", "", "other"};

    for (size_t i = 0; i < sizeof(loose) / sizeof(loose[0]); i++) {
        case_t *c = family(state);

        c->of[0].gender = abdm_str(loose[i]);
        assert_int_equal(index_of(c), 0);
        c->of[0].gender = LIT("F");
        c->asked.gender = abdm_str(loose[i]);
        assert_int_equal(index_of(c), 0);
    }
}


static void
five_years_apart_agree_and_six_do_not(void **state)
{
    case_t *c = family(state);

    c->of[0].year_of_birth = 1983;
    assert_int_equal(index_of(c), 0);
    c->of[0].year_of_birth = 1982;
    assert_int_equal(index_of(c), NONE);
    c->of[0].year_of_birth = 1993;
    assert_int_equal(index_of(c), 0);
    c->of[0].year_of_birth = 1994;
    assert_int_equal(index_of(c), NONE);
}


static void
the_years_allowed_are_the_rules(void **state)
{
    case_t *c = family(state);

    c->of[0].year_of_birth = 1989;
    c->rules.years = 0;
    assert_int_equal(index_of(c), NONE);
    c->rules.years = 1;
    assert_int_equal(index_of(c), 0);
}


static void
a_year_not_known_agrees_with_none(void **state)
{
    case_t *c = family(state);

    c->of[0].year_of_birth = 0;
    assert_int_equal(index_of(c), NONE);
    c->asked.year_of_birth = 0;
    assert_int_equal(index_of(c), NONE);
}


static void
the_least_score_of_names_is_the_rules(void **state)
{
    case_t *c = family(state);

    c->of[0].name = LIT("Asha");
    assert_int_equal(index_of(c), 0);
    c->rules.name = ABDM_NAME_MAX;
    assert_int_equal(index_of(c), NONE);
}


static void
twins_are_told_apart_by_their_names(void **state)
{
    case_t *c = family(state);

    c->of[2] = c->of[0];
    c->of[2].reference = LIT("P-4");
    c->of[2].name = LIT("Usha Kumari");
    assert_int_equal(index_of(c), 0);
}


static void
two_patients_of_one_name_and_year_give_nobody(void **state)
{
    case_t *c = family(state);

    c->of[2] = c->of[0];
    c->of[2].reference = LIT("P-4");
    assert_int_equal(index_of(c), NONE);
    c->of[2].name = LIT("Aasha");
    c->of[2].year_of_birth = 1990;
    assert_int_equal(index_of(c), NONE);
}


static void
father_and_son_of_one_name_are_told_apart_by_the_year(void **state)
{
    case_t *c = family(state);

    c->asked.name = LIT("Ravi Sharma");
    c->asked.gender = LIT("M");
    c->asked.year_of_birth = 1990;
    c->of[0].name = c->of[1].name = LIT("Ravi Sharma");
    c->of[0].gender = LIT("M");
    c->of[0].year_of_birth = 1962;
    c->of[1].year_of_birth = 1990;
    assert_int_equal(index_of(c), 1);
    c->asked.year_of_birth = 1975;
    assert_int_equal(index_of(c), NONE);
}


static void
a_father_is_not_his_son_whose_name_holds_his(void **state)
{
    case_t *c = family(state);

    c->asked.name = LIT("Suresh Ramesh");
    c->asked.gender = LIT("M");
    c->asked.year_of_birth = 1985;
    c->of[1].name = LIT("Ramesh");
    assert_int_equal(index_of(c), NONE);
}


static void
a_newborn_is_not_its_mother(void **state)
{
    case_t *c = family(state);

    c->of[0].name = LIT("B/O Asha Kumari");
    assert_int_equal(index_of(c), NONE);
}


static void
too_many_candidates_give_nobody(void **state)
{
    static abdm_patient_candidate_t many[ABDM_MATCH_CANDIDATES + 1];
    case_t *c = family(state);

    for (size_t i = 0; i <= ABDM_MATCH_CANDIDATES; i++)
        many[i] = c->of[1];
    many[ABDM_MATCH_CANDIDATES - 1] = c->of[0];
    assert_true(abdm_patient_match(c->matcher, &c->asked, many, ABDM_MATCH_CANDIDATES, c->rules)
                    .found);
    assert_false(abdm_patient_match(c->matcher, &c->asked, many, ABDM_MATCH_CANDIDATES + 1,
                                    c->rules).found);
}


static void
mobiles_are_compared_by_ten_digits(void **state)
{
    static const char *const good[] = {"9876543210", "+919876543210", "+91 98765-43210",
                                       "919876543210", "09876543210", "00919876543210"};
    char digits[ABDM_MOBILE_TEXT];

    (void) state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(abdm_mobile_digits(abdm_str(good[i]), digits));
        assert_string_equal(digits, "9876543210");
    }
}


static void
a_number_abroad_is_not_an_indian_one(void **state)
{
    char digits[ABDM_MOBILE_TEXT];

    (void) state;
    assert_true(abdm_mobile_digits(LIT("+19876543210"), digits));
    assert_string_equal(digits, "+19876543210");
    assert_true(abdm_mobile_digits(LIT("+9876543210"), digits));
    assert_string_equal(digits, "+9876543210");
    assert_true(abdm_mobile_digits(LIT("+123456789012345"), digits));
    assert_string_equal(digits, "+123456789012345");
    assert_false(abdm_mobile_digits(LIT("+1234567890123456"), digits));
    assert_true(abdm_mobile_digits(LIT("0019876543210"), digits));
    assert_string_equal(digits, "+19876543210");
}


static void
what_is_no_mobile_is_refused(void **state)
{
    static const char *const bad[] = {"", "+", "98765", "0000000000", "9999999999", "98765x3210",
                                      "12345678901234567890", "98765432101", "+91 9999999999",
                                      "+91", "XXXXXX3210"};
    char digits[ABDM_MOBILE_TEXT];

    (void) state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(abdm_mobile_digits(abdm_str(bad[i]), digits));
}


static void
absent_mobiles_do_not_agree(void **state)
{
    static const abdm_str_t zeros[] = {ABDM_LIT("0000000000")};
    case_t *c = family(state);

    c->asked.mobiles = c->of[0].mobiles = zeros;
    assert_int_equal(index_of(c), NONE);
}


static void
each_bit_of_what_matched_has_its_word(void **state)
{
    (void) state;
    assert_string_equal(abdm_matched_by_name(ABDM_BY_MR), "MR");
    assert_string_equal(abdm_matched_by_name(ABDM_BY_MOBILE), "MOBILE");
    assert_string_equal(abdm_matched_by_name(ABDM_BY_ABHA_NUMBER), "ABHA_NUMBER");
    assert_string_equal(abdm_matched_by_name(ABDM_BY_ABHA_ADDRESS), "ABHA_ADDRESS");
    assert_string_equal(abdm_matched_by_name(0), "");
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_of_a_family_is_found_by_her_name),
        cmocka_unit_test(the_order_of_candidates_does_not_matter),
        cmocka_unit_test(no_candidates_give_nobody),
        cmocka_unit_test(a_name_alone_is_not_enough),
        cmocka_unit_test(any_of_several_mobiles_will_do),
        cmocka_unit_test(a_known_abha_number_decides_without_name_and_mobile),
        cmocka_unit_test(a_known_abha_address_decides_case_ignored),
        cmocka_unit_test(one_abha_on_two_patients_gives_nobody),
        cmocka_unit_test(a_patient_told_twice_is_one_patient),
        cmocka_unit_test(another_abha_number_excludes_a_patient),
        cmocka_unit_test(an_abha_number_of_another_form_says_nothing),
        cmocka_unit_test(a_record_number_that_fits_stands_for_the_name),
        cmocka_unit_test(a_record_number_may_be_the_reference),
        cmocka_unit_test(a_record_number_that_fits_nobody_gives_nobody),
        cmocka_unit_test(one_of_several_record_numbers_is_enough),
        cmocka_unit_test(a_record_number_without_the_mobile_is_nothing),
        cmocka_unit_test(a_wifes_record_number_is_not_her_husbands),
        cmocka_unit_test(two_patients_of_one_record_number_give_nobody),
        cmocka_unit_test(a_record_number_does_not_outweigh_an_abha),
        cmocka_unit_test(a_man_is_not_a_woman),
        cmocka_unit_test(other_genders_agree_with_any),
        cmocka_unit_test(five_years_apart_agree_and_six_do_not),
        cmocka_unit_test(the_years_allowed_are_the_rules),
        cmocka_unit_test(a_year_not_known_agrees_with_none),
        cmocka_unit_test(the_least_score_of_names_is_the_rules),
        cmocka_unit_test(twins_are_told_apart_by_their_names),
        cmocka_unit_test(two_patients_of_one_name_and_year_give_nobody),
        cmocka_unit_test(father_and_son_of_one_name_are_told_apart_by_the_year),
        cmocka_unit_test(a_father_is_not_his_son_whose_name_holds_his),
        cmocka_unit_test(a_newborn_is_not_its_mother),
        cmocka_unit_test(too_many_candidates_give_nobody),
        cmocka_unit_test(mobiles_are_compared_by_ten_digits),
        cmocka_unit_test(a_number_abroad_is_not_an_indian_one),
        cmocka_unit_test(what_is_no_mobile_is_refused),
        cmocka_unit_test(absent_mobiles_do_not_agree),
        cmocka_unit_test(each_bit_of_what_matched_has_its_word),
    };

    return cmocka_run_group_tests(tests, open_matcher, close_matcher);
}
