/*
 * The description of every row, made from core/row.def, and what can be done with a row by its
 * description alone: clear, copy, free.
 */
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/row.h"

#define ABDM_ROW(row)       static const abdm_member_t row##_members[] = {
#define ABDM_ROW_END(row)   };
#define M(row, kind, m)     {#m, ABDM_MEMBER_##kind, offsetof(abdm_row_##row##_t, m)},
#include "core/row.def"

static const abdm_row_kind_t kinds[] = {
#define ABDM_ROW(row) {#row, sizeof(abdm_row_##row##_t), row##_members, ABDM_COLS_##row},
#define ABDM_ROW_END(row)
#define M(row, kind, m)
#include "core/row.def"
};


const abdm_row_kind_t *
abdm_row_kind(abdm_row_id_t id)
{
    return &kinds[id];
}


static char **
text_of(void *row, const abdm_member_t *member)
{
    return (char **) (void *) ((char *) row + member->offset);
}


/* Personal data and secrets: what is on disk only sealed or hashed. */
static bool
is_secret(abdm_member_kind_t kind)
{
    return kind == ABDM_MEMBER_SEALED || kind == ABDM_MEMBER_HASHED
           || kind == ABDM_MEMBER_KEY_HASH;
}


void
abdm_row_clear(abdm_row_id_t id, void *row)
{
    const abdm_row_kind_t *kind = abdm_row_kind(id);

    for (size_t i = 0; i < kind->n; i++) {
        const abdm_member_t *member = &kind->member[i];
        char *text;

        if (member->kind == ABDM_MEMBER_INT) {
            continue;
        }
        text = *text_of(row, member);
        if (text != NULL && is_secret(member->kind)) {
            abdm_wipe(text, strlen(text));
        }
        free(text);
    }
    memset(row, 0, kind->size);
}


abdm_err_t
abdm_row_copy(abdm_row_id_t id, void *to, const void *from)
{
    const abdm_row_kind_t *kind = abdm_row_kind(id);
    bool lost = false;

    memcpy(to, from, kind->size);
    for (size_t i = 0; i < kind->n; i++) {
        char **text;

        if (kind->member[i].kind == ABDM_MEMBER_INT) {
            continue;
        }
        text = text_of(to, &kind->member[i]);
        if (*text != NULL) {
            *text = lost ? NULL : strdup(*text);
            lost |= *text == NULL;
        }
    }
    if (lost) {
        abdm_row_clear(id, to);
        return ABDM_ERR(MEMORY, "row");
    }
    return ABDM_NO_ERR;
}


void
abdm_rows_free(abdm_row_id_t id, void *rows, size_t n)
{
    size_t size = abdm_row_kind(id)->size;

    for (size_t i = 0; i < n; i++) {
        abdm_row_clear(id, (char *) rows + i * size);
    }
    free(rows);
}
