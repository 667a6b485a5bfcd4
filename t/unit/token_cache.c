/* A verified token is good for its own policy, its own keys and a minute, and for nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "token/cache.h"

#define TOKEN ABDM_LIT("Bearer aaaa.bbbb.cccc")

static const abdm_ms_t now = 1772702411000;
static const abdm_token_policy_t policy = {.id = 1, .leeway_ms = 3600000};
static const abdm_token_policy_t tenant = {.id = 2, .leeway_ms = 3600000};
static const abdm_token_claims_t claims = {1772702411000 + 600000, 1772702411000, "gateway"};


static abdm_token_cache_t *
make(size_t entries)
{
    abdm_token_cache_t *cache;

    assert_int_equal(abdm_token_cache_new(entries, &cache).code, ABDM_OK);
    return cache;
}


static bool
has(abdm_token_cache_t *cache, abdm_str_t token, abdm_ms_t at, uint64_t generation,
    const abdm_token_policy_t *p)
{
    abdm_token_claims_t found = {0};
    bool hit = abdm_token_cache_get(cache, token, at, generation, p, &found);

    if (hit)
        assert_string_equal(found.azp, "gateway");
    else
        assert_string_equal(found.azp, "");
    return hit;
}


static void
a_token_is_found_with_its_claims_after_it_was_put(void **state)
{
    abdm_token_cache_t *cache = make(64);
    abdm_token_claims_t found;

    (void) state;
    assert_false(has(cache, TOKEN, now, 1, &policy));
    abdm_token_cache_put(cache, TOKEN, now, 1, &policy, &claims);
    assert_true(abdm_token_cache_get(cache, TOKEN, now, 1, &policy, &found));
    assert_memory_equal(&found, &claims, sizeof found);
    abdm_token_cache_free(cache);
    abdm_token_cache_free(NULL);
}


static void
one_byte_more_less_or_other_is_another_token(void **state)
{
    abdm_token_cache_t *cache = make(64);
    char text[] = "Bearer aaaa.bbbb.cccc.";

    (void) state;
    abdm_token_cache_put(cache, TOKEN, now, 1, &policy, &claims);
    assert_false(has(cache, ABDM_LIT("Bearer aaaa.bbbb.ccccd"), now, 1, &policy));
    assert_false(has(cache, ABDM_LIT("Bearer aaaa.bbbb.ccc"), now, 1, &policy));
    assert_false(has(cache, ABDM_LIT("Bearer aaaa.bbbb.cccc\0"), now, 1, &policy));
    assert_false(has(cache, ABDM_LIT(""), now, 1, &policy));
    text[21] = '\0';
    for (size_t i = 0; i < 21; i++) {
        text[i] ^= 1;
        assert_false(has(cache, abdm_str(text), now, 1, &policy));
        text[i] ^= 1;
    }
    assert_true(has(cache, abdm_str(text), now, 1, &policy));
    abdm_token_cache_free(cache);
}


static void
other_keys_or_another_policy_do_not_see_it(void **state)
{
    abdm_token_cache_t *cache = make(64);

    (void) state;
    abdm_token_cache_put(cache, TOKEN, now, 1, &policy, &claims);
    assert_false(has(cache, TOKEN, now, 2, &policy));
    assert_false(has(cache, TOKEN, now, 0, &policy));
    assert_false(has(cache, TOKEN, now, 1, &tenant));
    abdm_token_cache_put(cache, TOKEN, now, 1, &tenant, &claims);
    assert_true(has(cache, TOKEN, now, 1, &tenant));
    assert_true(has(cache, TOKEN, now, 1, &policy));
    abdm_token_cache_free(cache);
}


static void
an_entry_dies_after_a_minute(void **state)
{
    abdm_token_cache_t *cache = make(64);

    (void) state;
    abdm_token_cache_put(cache, TOKEN, now, 1, &policy, &claims);
    assert_true(has(cache, TOKEN, now + 59999, 1, &policy));
    assert_false(has(cache, TOKEN, now + 60000, 1, &policy));
    abdm_token_cache_put(cache, TOKEN, now + 60000, 1, &policy, &claims);
    assert_true(has(cache, TOKEN, now + 60000, 1, &policy));
    abdm_token_cache_free(cache);
}


static void
an_entry_dies_with_its_token(void **state)
{
    abdm_token_cache_t *cache = make(64);
    abdm_token_claims_t late = claims;

    (void) state;
    late.exp_ms = now - policy.leeway_ms + 5000;
    abdm_token_cache_put(cache, TOKEN, now, 1, &policy, &late);
    assert_true(has(cache, TOKEN, now + 4999, 1, &policy));
    assert_false(has(cache, TOKEN, now + 5000, 1, &policy));

    late.exp_ms = now - policy.leeway_ms;
    abdm_token_cache_put(cache, ABDM_LIT("Bearer x.y.z"), now, 1, &policy, &late);
    assert_false(has(cache, ABDM_LIT("Bearer x.y.z"), now, 1, &policy));
    abdm_token_cache_free(cache);
}


static void
a_clock_set_back_ends_an_entry(void **state)
{
    abdm_token_cache_t *cache = make(64);

    (void) state;
    abdm_token_cache_put(cache, TOKEN, now, 1, &policy, &claims);
    assert_false(has(cache, TOKEN, now - 1, 1, &policy));
    assert_false(has(cache, TOKEN, 0, 1, &policy));
    abdm_token_cache_free(cache);
}


static void
a_full_table_gives_way_to_the_new_and_never_lies(void **state)
{
    abdm_token_cache_t *cache = make(8);
    char text[32];
    int hits = 0;

    (void) state;
    for (int i = 0; i < 1000; i++) {
        snprintf(text, sizeof text, "Bearer %d", i);
        abdm_token_cache_put(cache, abdm_str(text), now + i, 1, &policy, &claims);
        assert_true(has(cache, abdm_str(text), now + i, 1, &policy));
    }
    for (int i = 0; i < 1000; i++) {
        snprintf(text, sizeof text, "Bearer %d", i);
        hits += has(cache, abdm_str(text), now + 1000, 1, &policy);
    }
    assert_int_equal(hits, 8);
    abdm_token_cache_free(cache);
}


static void
putting_a_token_again_takes_no_second_place(void **state)
{
    abdm_token_cache_t *cache = make(8);
    char text[32];

    (void) state;
    for (int i = 0; i < 7; i++) {
        snprintf(text, sizeof text, "Bearer %d", i);
        abdm_token_cache_put(cache, abdm_str(text), now, 1, &policy, &claims);
    }
    for (int i = 0; i < 100; i++)
        abdm_token_cache_put(cache, TOKEN, now + i, 1, &policy, &claims);
    for (int i = 0; i < 7; i++) {
        snprintf(text, sizeof text, "Bearer %d", i);
        assert_true(has(cache, abdm_str(text), now + 100, 1, &policy));
    }
    abdm_token_cache_free(cache);
}


static void
dead_entries_give_way_before_living_ones(void **state)
{
    abdm_token_cache_t *cache = make(8);
    char text[32];

    (void) state;
    for (int i = 0; i < 8; i++) { /* four of old keys, four of the present ones */
        snprintf(text, sizeof text, "Bearer %d", i);
        abdm_token_cache_put(cache, abdm_str(text), now, i < 4 ? 1 : 2, &policy, &claims);
    }
    for (int i = 8; i < 12; i++) {
        snprintf(text, sizeof text, "Bearer %d", i);
        abdm_token_cache_put(cache, abdm_str(text), now, 2, &policy, &claims);
    }
    for (int i = 4; i < 12; i++) {
        snprintf(text, sizeof text, "Bearer %d", i);
        assert_true(has(cache, abdm_str(text), now, 2, &policy));
    }
    abdm_token_cache_free(cache);
}


/* As after a clock was set back: such an entry cannot be told from one of a time to come. */
static void
entries_from_a_time_to_come_give_way_before_living_ones(void **state)
{
    abdm_token_cache_t *cache = make(8);
    char text[32];

    (void) state;
    for (int i = 0; i < 12; i++) {
        snprintf(text, sizeof text, "Bearer %d", i);
        abdm_token_cache_put(cache, abdm_str(text), i < 4 ? now + 1000 : now, 1, &policy, &claims);
    }
    for (int i = 4; i < 12; i++) {
        snprintf(text, sizeof text, "Bearer %d", i);
        assert_true(has(cache, abdm_str(text), now, 1, &policy));
    }
    abdm_token_cache_free(cache);
}


static void
a_table_has_a_largest_size_however_many_are_asked_for(void **state)
{
    abdm_token_cache_t *cache = make(SIZE_MAX);

    (void) state;
    abdm_token_cache_put(cache, TOKEN, now, 1, &policy, &claims);
    assert_true(has(cache, TOKEN, now, 1, &policy));
    abdm_token_cache_free(cache);
}


static void
what_is_longer_than_any_token_is_neither_kept_nor_found(void **state)
{
    abdm_token_cache_t *cache = make(8);
    static char text[10000];

    (void) state;
    memset(text, 'x', sizeof text);
    abdm_token_cache_put(cache, (abdm_str_t){text, sizeof text}, now, 1, &policy, &claims);
    assert_false(has(cache, (abdm_str_t){text, sizeof text}, now, 1, &policy));
    abdm_token_cache_free(cache);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_is_found_with_its_claims_after_it_was_put),
        cmocka_unit_test(one_byte_more_less_or_other_is_another_token),
        cmocka_unit_test(other_keys_or_another_policy_do_not_see_it),
        cmocka_unit_test(an_entry_dies_after_a_minute),
        cmocka_unit_test(an_entry_dies_with_its_token),
        cmocka_unit_test(a_clock_set_back_ends_an_entry),
        cmocka_unit_test(a_full_table_gives_way_to_the_new_and_never_lies),
        cmocka_unit_test(putting_a_token_again_takes_no_second_place),
        cmocka_unit_test(dead_entries_give_way_before_living_ones),
        cmocka_unit_test(entries_from_a_time_to_come_give_way_before_living_ones),
        cmocka_unit_test(a_table_has_a_largest_size_however_many_are_asked_for),
        cmocka_unit_test(what_is_longer_than_any_token_is_neither_kept_nor_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
