/*
 * The engine's care for the gateway's keys: fetched at the start, kept on disk, asked for again
 * when they are wanted or could not be had, and never given up.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "engine_kit.h"
#include "jwt_kit.h"

static char *key_set;
static const char *served; /* NULL: 503 */


static void
gateway_with_keys(server_t *s, const server_request_t *r, server_reply_t *reply)
{
    const char *keys;

    if (strcmp(r->path, ABDM_PATH_CERTS) != 0 && strcmp(r->path, "/other") != 0) {
        gateway(s, r, reply);
        return;
    }
    atomic_fetch_add(&E.certs, 1);
    server_nap(atomic_load(&E.certs_delay));
    pthread_mutex_lock(&E.lock);
    keys = served;
    pthread_mutex_unlock(&E.lock);
    reply->status = keys == NULL || (strcmp(r->path, "/other") == 0) ? 503 : 200;
    reply->body = keys != NULL ? keys : "";
}


static void
serve(const char *keys)
{
    pthread_mutex_lock(&E.lock);
    served = keys;
    pthread_mutex_unlock(&E.lock);
}


static int
set_up(void **state)
{
    engine_set_up(state);
    engine_end(1000);
    store_kit_exec(&E.store, "DELETE FROM gateway_keys");
    E.server.answer = gateway_with_keys;
    atomic_store(&E.certs, 0);
    serve(key_set);
    return 0;
}


static abdm_news_t
keys_news(void)
{
    abdm_news_t *news = next_news(ABDM_NEWS_KEYS), copy = *news;

    free(news);
    return copy;
}


static void
keys_are_fetched_at_the_start_told_and_kept(void **state)
{
    (void) state;
    engine_begin();
    abdm_news_t news = keys_news();
    assert_string_equal(news.text, key_set);
    assert_false(news.failed);
    assert_false(news.asked);
    assert_true(news.fetched_at > 0);
    free(news.text);
    assert_soon(store_kit_number(&E.store, "SELECT count(json) FROM gateway_keys") == 1);
    assert_int_equal(atomic_load(&E.sessions), 1); /* the gateway's own set wants a session */
}


static void
keys_on_disk_serve_while_the_gateway_is_away(void **state)
{
    (void) state;
    engine_begin();
    abdm_news_t news = keys_news();
    free(news.text);
    engine_end(1000);

    serve(NULL);
    engine_begin();
    news = keys_news();
    assert_string_equal(news.text, key_set);
    free(news.text);
    assert_int_equal(atomic_load(&E.certs), 1); /* they are young: not fetched again */
}


static void
keys_on_disk_are_told_with_the_start_though_somebody_writes(void **state)
{
    (void) state;
    engine_begin();
    abdm_news_t news = keys_news();
    free(news.text);
    assert_soon(store_kit_number(&E.store, "SELECT count(json) FROM gateway_keys") == 1);
    engine_end(1000);

    store_kit_exec(&E.store, "BEGIN IMMEDIATE");
    engine_begin();
    abdm_news_t *first = abdm_engine_reap(E.engine);
    store_kit_exec(&E.store, "COMMIT");
    assert_non_null(first);
    assert_int_equal(first->kind, ABDM_NEWS_KEYS);
    assert_string_equal(first->text, key_set);
    abdm_news_free(first);
}


static void
keys_that_are_wanted_are_asked_for_within_the_throttle(void **state)
{
    (void) state;
    engine_begin();
    abdm_news_t news = keys_news();
    free(news.text);
    for (int i = 0; i < 5; i++) {
        OK_(abdm_engine_want_keys(E.engine));
        news = keys_news();
        assert_false(news.failed);
        assert_true(news.asked);
        free(news.text);
    }
    assert_int_equal(atomic_load(&E.certs), 1 + 3); /* a burst of three */
}


static void
a_fetch_that_fails_is_told_as_failed_and_made_again(void **state)
{
    (void) state;
    serve(NULL);
    engine_begin();
    abdm_news_t news = keys_news();
    assert_true(news.failed);
    assert_null(news.text);
    serve(key_set);
    server_nap(5100); /* not before five seconds, when someone asks */
    OK_(abdm_engine_want_keys(E.engine));
    news = keys_news();
    assert_false(news.failed);
    assert_string_equal(news.text, key_set);
    free(news.text);
}


static void
nonsense_instead_of_keys_is_a_failure(void **state)
{
    (void) state;
    serve("{\"keys\":[]}");
    engine_begin();
    abdm_news_t news = keys_news();
    assert_true(news.failed);
    assert_null(news.text);
    assert_int_equal(store_kit_number(&E.store, "SELECT count(json) FROM gateway_keys"), 0);
}


static void
a_second_address_serves_where_the_first_fails(void **state)
{
    static char first[128];

    (void) state;
    snprintf(first, sizeof(first), "%s/other", E.server.url);
    E.config.jwks_url[1] = E.config.jwks_url[0];
    E.config.jwks_url[0] = first;
    engine_begin();
    abdm_news_t news = keys_news();
    assert_string_equal(news.text, key_set);
    free(news.text);
    assert_true(atomic_load(&E.certs) == 2);
}


/* The answer of a slow failure and a new wish meet in one transaction: the fetch that follows must
 * really begin. */
static void
keys_wanted_in_the_moment_a_slow_fetch_fails_are_fetched(void **state)
{
    (void) state;
    serve(NULL);
    atomic_store(&E.certs_delay, 5600);
    engine_begin();
    server_nap(5100);
    store_kit_exec(&E.store, "BEGIN IMMEDIATE"); /* both wait behind the lock */
    server_nap(900);
    assert_int_equal(atomic_load(&E.certs), 1);
    OK_(abdm_engine_want_keys(E.engine));
    serve(key_set);
    atomic_store(&E.certs_delay, 0);
    store_kit_exec(&E.store, "COMMIT");
    assert_soon(atomic_load(&E.certs) == 2);
    abdm_news_t news = keys_news();
    while (news.text == NULL)
        news = keys_news();
    assert_string_equal(news.text, key_set);
    free(news.text);
}


static int
make_keys(void **state)
{
    EVP_PKEY *key = kit_key();
    abdm_buf_t b = {0};

    (void) state;
    abdm_buf_addz(&b, "{\"keys\":[");
    kit_jwk(&b, "a", key, "");
    abdm_buf_addz(&b, "]}");
    key_set = abdm_buf_take(&b);
    EVP_PKEY_free(key);
    return 0;
}


static int
free_keys(void **state)
{
    (void) state;
    free(key_set);
    return 0;
}


#define KEYS_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, engine_tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        KEYS_TEST(keys_are_fetched_at_the_start_told_and_kept),
        KEYS_TEST(keys_on_disk_serve_while_the_gateway_is_away),
        KEYS_TEST(keys_on_disk_are_told_with_the_start_though_somebody_writes),
        KEYS_TEST(keys_that_are_wanted_are_asked_for_within_the_throttle),
        KEYS_TEST(a_fetch_that_fails_is_told_as_failed_and_made_again),
        KEYS_TEST(nonsense_instead_of_keys_is_a_failure),
        KEYS_TEST(a_second_address_serves_where_the_first_fails),
        KEYS_TEST(keys_wanted_in_the_moment_a_slow_fetch_fails_are_fetched),
    };

    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
