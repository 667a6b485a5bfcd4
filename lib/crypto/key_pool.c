/*
 * Key pairs made while nothing is urgent. Making one costs as much as the shared secret, so a
 * stock of them halves the time from a page's plaintext to its ciphertext.
 */
#include <pthread.h>
#include <stdlib.h>

#include "crypto/fidelius.h"

struct abdm_key_pool_s {
    pthread_mutex_t lock;
    size_t size;
    size_t count;
    abdm_key_pair_t pairs[];
};


abdm_key_pool_t *
abdm_key_pool_new(size_t size)
{
    abdm_key_pool_t *pool;

    if (size > (SIZE_MAX - sizeof(*pool)) / sizeof(abdm_key_pair_t))
        return NULL;
    pool = calloc(1, sizeof(*pool) + size * sizeof(abdm_key_pair_t));
    if (pool == NULL)
        return NULL;
    pthread_mutex_init(&pool->lock, NULL);
    pool->size = size;
    return pool;
}


void
abdm_key_pool_free(abdm_key_pool_t *pool)
{
    if (pool == NULL)
        return;
    abdm_wipe(pool->pairs, pool->size * sizeof(abdm_key_pair_t));
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}


abdm_err_t
abdm_key_pool_take(abdm_key_pool_t *pool, abdm_key_pair_t *out)
{
    bool found = false;

    if (pool != NULL) {
        pthread_mutex_lock(&pool->lock);
        if (pool->count != 0) {
            abdm_key_pair_t *last = &pool->pairs[--pool->count];
            *out = *last;
            abdm_key_pair_wipe(last);
            found = true;
        }
        pthread_mutex_unlock(&pool->lock);
    }
    return found ? ABDM_NO_ERR : abdm_key_pair_generate(out);
}


/* Pairs are made outside of the lock, so that taking one never waits for a multiplication. */
abdm_err_t
abdm_key_pool_refill(abdm_key_pool_t *pool, size_t most, size_t *made)
{
    abdm_key_pair_t pair;
    abdm_err_t err = ABDM_NO_ERR;
    bool full;

    *made = 0;
    while (*made < most) {
        pthread_mutex_lock(&pool->lock);
        full = pool->count == pool->size;
        pthread_mutex_unlock(&pool->lock);
        if (full)
            break;

        err = abdm_key_pair_generate(&pair);
        if (abdm_failed(err))
            break;
        pthread_mutex_lock(&pool->lock);
        if (pool->count < pool->size) { /* else others have filled it meanwhile */
            pool->pairs[pool->count++] = pair;
            ++*made;
        }
        pthread_mutex_unlock(&pool->lock);
    }
    abdm_key_pair_wipe(&pair);
    return err;
}
