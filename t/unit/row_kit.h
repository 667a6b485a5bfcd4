/* Rows of every kind, filled by their description. To be included after cmocka.h. */
#ifndef ABDM_TEST_ROW_KIT_H
#define ABDM_TEST_ROW_KIT_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/effect.h"

enum { ROW_BYTES = 512 };

/* Large enough for a row of any kind. */
typedef union {
    char bytes[ROW_BYTES];
    int64_t align;
    void *align_too;
} any_row_t;


static inline char **
row_text(const void *row, const abdm_member_t *member)
{
    return (char **) (void *) ((char *) row + member->offset);
}


static inline int64_t *
row_int(const void *row, const abdm_member_t *member)
{
    return (int64_t *) (void *) ((char *) row + member->offset);
}


static inline bool
row_is_key(const abdm_member_t *member)
{
    return member->kind == ABDM_MEMBER_KEY || member->kind == ABDM_MEMBER_KEY_HASH;
}


static inline bool
row_is_sealed(const abdm_member_t *member)
{
    return member->kind == ABDM_MEMBER_SEALED || member->kind == ABDM_MEMBER_HASHED;
}


/* The members of its key: "patient.ref of A", and the facility. */
static inline void
row_set_key(abdm_row_id_t id, any_row_t *row, const char *hip_id, const char *name)
{
    const abdm_row_kind_t *kind = abdm_row_kind(id);
    char text[128];

    assert_true(kind->size <= sizeof(*row));
    memset(row, 0, sizeof(*row));
    for (size_t i = 0; i < kind->n; i++) {
        const abdm_member_t *member = &kind->member[i];

        if (!row_is_key(member))
            continue;
        snprintf(text, sizeof(text), "%s.%s of %s", kind->table, member->name, name);
        *row_text(row, member) = strdup(i == 0 ? hip_id : text);
        assert_non_null(*row_text(row, member));
    }
}


/* All members: "patient.mobile of A", and numbers that differ. */
static inline void
row_fill(abdm_row_id_t id, any_row_t *row, const char *hip_id, const char *name)
{
    const abdm_row_kind_t *kind = abdm_row_kind(id);
    char text[128];

    row_set_key(id, row, hip_id, name);
    for (size_t i = 0; i < kind->n; i++) {
        const abdm_member_t *member = &kind->member[i];

        if (row_is_key(member))
            continue;
        if (member->kind == ABDM_MEMBER_INT) {
            *row_int(row, member) = INT64_C(1) << 40 | (int64_t) (i * 100) | name[0];
        } else {
            snprintf(text, sizeof(text), "%s.%s of %s", kind->table, member->name, name);
            *row_text(row, member) = strdup(text);
            assert_non_null(*row_text(row, member));
        }
    }
}


/* But for members of the key that are kept as hash when `hashed_too` is false. */
static inline void
row_assert_equal(abdm_row_id_t id, const void *a, const void *b, bool hashed_too)
{
    const abdm_row_kind_t *kind = abdm_row_kind(id);

    for (size_t i = 0; i < kind->n; i++) {
        const abdm_member_t *member = &kind->member[i];

        if (member->kind == ABDM_MEMBER_INT) {
            assert_int_equal(*row_int(a, member), *row_int(b, member));
        } else if (*row_text(a, member) == NULL) {
            assert_null(*row_text(b, member));
        } else if (member->kind != ABDM_MEMBER_KEY_HASH || hashed_too) {
            assert_non_null(*row_text(b, member));
            assert_string_equal(*row_text(a, member), *row_text(b, member));
        }
    }
}

#endif
