/*
 * What the torture build adds to the library: each of its calls named in calls.def can be told to
 * fail. A call is known by its path: the place in lib/ that makes it and the places from which
 * that was called, up to DEPTH of them, so that one path is one way to arrive at a fault.
 */
#ifndef ABDM_TORTURE_H
#define ABDM_TORTURE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum {
    TORTURE_MEMORY,
    TORTURE_SYSTEM,
    TORTURE_CRYPTO,
    TORTURE_STORE,
    TORTURE_NET,
    TORTURE_JQ,
    TORTURE_ICU,
    TORTURE_WITHIN, /* an allocation of a library under us */
    TORTURE_KINDS
} torture_kind_t;

enum { TORTURE_DEPTH_MAX = 6, TORTURE_PATHS = 1 << 15 };

typedef struct {
    uint64_t hash; /* 0: a free place */
    uint32_t hits;
    uint16_t call; /* index into the names */
    uint8_t kind;
    uint8_t depth;
    uint32_t at[TORTURE_DEPTH_MAX]; /* offsets in the library, innermost first */
} torture_path_t;

typedef enum { TORTURE_OFF, TORTURE_RECORD, TORTURE_ONE, TORTURE_ALL } torture_mode_t;

typedef struct {
    torture_mode_t mode;
    int depth;
    uint64_t target; /* ONE, ALL: fails when this path is taken for the `hit`-th time; */
    uint32_t hit;    /* ALL: and everything from then on */
    atomic_uint taken;
    atomic_bool fired;
    atomic_uint n;
    torture_path_t path[TORTURE_PATHS]; /* RECORD: a hash table */
} torture_t;

extern torture_t *torture; /* shared with the process that looks on; NULL: off */

void torture_hook_allocators(void); /* before anything else is called */
const char *torture_call_name(unsigned call);

#endif
