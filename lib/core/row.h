/*
 * Rows: plain structures described by core/row.def, with one way to clear, copy, read, find,
 * write and delete all of them. Every row has, here for `patient`:
 *
 *   abdm_row_patient_t                   its structure; texts are owned, NULL when absent
 *   ABDM_COL_patient_abha_address ...    the numbers of its members
 *   abdm_row_patient_clear(&row)         frees the texts and zeroes the rest
 *   abdm_row_patient_get(view, &row)     fills a row whose key members are set (owned, as always);
 *                                        E_NOT_FOUND, and the row stays as it is
 *   abdm_row_patient_find(view, ABDM_COL_patient_mobile, hip_id, value, max, &rows, &n)
 *                                        those whose FOUND or HASHED member is `value`, in order of their
 *                                        keys, as one array; abdm_row_patient_free(rows, n)
 *   abdm_effect_put_patient(out, &row)   insert or replace: copied
 *   abdm_effect_delete_patient(out, &row)  by its key members; one that is not there is no error
 */
#ifndef ABDM_CORE_ROW_H
#define ABDM_CORE_ROW_H

#include <stddef.h>
#include <stdint.h>

#include "core/err.h"

typedef enum {
    ABDM_MEMBER_KEY,
    ABDM_MEMBER_KEY_HASH,
    ABDM_MEMBER_TEXT,
    ABDM_MEMBER_FOUND,
    ABDM_MEMBER_INT,
    ABDM_MEMBER_SEALED,
    ABDM_MEMBER_HASHED
} abdm_member_kind_t;

typedef struct {
    const char *name; /* column. Of KEY_HASH and HASHED: NAME_key has the keyed hash; of SEALED and
                       * HASHED: NAME has the sealed value */
    abdm_member_kind_t kind;
    size_t offset;
} abdm_member_t;

typedef struct {
    const char *table;
    size_t size;
    const abdm_member_t *member;
    size_t n;
} abdm_row_kind_t;

/* One number per row kind: ABDM_ROW_patient ... */
typedef enum {
#define ABDM_ROW(row) ABDM_ROW_##row,
#define ABDM_ROW_END(row)
#define M(row, kind, m)
#include "core/row.def"
    ABDM_ROWS
} abdm_row_id_t;

/* The numbers of the members. */
#define ABDM_ROW(row) enum {
#define ABDM_ROW_END(row) ABDM_COLS_##row };
#define M(row, kind, m) ABDM_COL_##row##_##m,
#include "core/row.def"

/* The structures. */
#define ABDM_TYPE_KEY      char *
#define ABDM_TYPE_KEY_HASH char *
#define ABDM_TYPE_TEXT     char *
#define ABDM_TYPE_FOUND    char *
#define ABDM_TYPE_INT      int64_t
#define ABDM_TYPE_SEALED   char *
#define ABDM_TYPE_HASHED   char *
#define ABDM_ROW(row) typedef struct {
#define ABDM_ROW_END(row) } abdm_row_##row##_t;
#define M(row, kind, m) ABDM_TYPE_##kind m;
#include "core/row.def"

const abdm_row_kind_t *abdm_row_kind(abdm_row_id_t id);

/* Sealed and hashed texts are wiped before they are freed. */
void abdm_row_clear(abdm_row_id_t id, void *row);
abdm_err_t abdm_row_copy(abdm_row_id_t id, void *to, const void *from); /* E_MEMORY leaves it clear */
void abdm_rows_free(abdm_row_id_t id, void *rows, size_t n);

#endif
