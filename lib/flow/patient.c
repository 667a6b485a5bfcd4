/*
 * Which patient of the HMIS holds which ABHA. One ABHA belongs to one patient of a facility and a
 * patient has one: where two answers are possible a person decides, as records shown to the
 * wrong one cannot be taken back. An ABHA that left ABDM belongs to nobody.
 */
#include <stdlib.h>
#include <string.h>

#include "flow/link.h"
#include "flow/linking.h"
#include "flow/patient.h"

enum { HOLDERS = 2 }; /* one is right, a second says enough */


static abdm_err_t
holder_by(const abdm_flow_ctx_t *ctx, const char *hip_id, int column, const char *abha,
          abdm_row_patient_t *out, bool *several)
{
    abdm_row_patient_t *rows = NULL;
    size_t n = 0;
    abdm_err_t err = ABDM_NO_ERR;

    if (abha == NULL) {
        return ABDM_ERR(NOT_FOUND, "patient");
    }
    ABDM_TRY(abdm_row_patient_find(ctx->view, column, hip_id, abha, HOLDERS, &rows, &n));
    *several |= n > 1;
    if (n == 0) {
        err = ABDM_ERR(NOT_FOUND, "patient");
    } else {
        *out = rows[0];
        memset(&rows[0], 0, sizeof(rows[0]));
    }
    abdm_row_patient_free(rows, n);
    return err;
}


abdm_err_t
abdm_patient_holder(const abdm_flow_ctx_t *ctx, const char *hip_id, const char *abha_address,
                 const char *abha_number, abdm_row_patient_t *out)
{
    abdm_row_patient_t other = {0};
    bool several = false;
    abdm_err_t by_address, by_number;

    memset(out, 0, sizeof(*out));
    by_address = holder_by(ctx, hip_id, ABDM_COL_patient_abha_address, abha_address, out,
                           &several);
    if (abdm_failed(by_address) && by_address.code != ABDM_E_NOT_FOUND) {
        return by_address;
    }
    by_number = holder_by(ctx, hip_id, ABDM_COL_patient_abha_number, abha_number, &other,
                          &several);
    if (abdm_failed(by_number) && by_number.code != ABDM_E_NOT_FOUND) {
        abdm_row_patient_clear(out);
        return by_number;
    }
    if (abdm_failed(by_address)) {
        *out = other;
        memset(&other, 0, sizeof(other));
    } else if (!abdm_failed(by_number)) {
        several |= strcmp(out->ref, other.ref) != 0;
    }
    abdm_row_patient_clear(&other);
    if (several) {
        abdm_row_patient_clear(out);
        return ABDM_ERR(ABHA_TAKEN, "abhaAddress: two patients hold this ABHA");
    }
    return abdm_failed(by_address) ? by_number : by_address;
}


abdm_err_t
abdm_patient_may_hold(const abdm_flow_ctx_t *ctx, const char *hip_id, const char *ref,
                      const char *abha_address, const char *abha_number)
{
    abdm_row_patient_t holder;
    bool left = false;
    abdm_err_t err;

    if (abha_address != NULL) {
        ABDM_TRY(abdm_opted_out(ctx, hip_id, abha_address, &left));
    }
    if (left) {
        return ABDM_ERR(OPTED_OUT, "abhaAddress: its holder has left ABDM");
    }
    err = abdm_patient_holder(ctx, hip_id, abha_address, abha_number, &holder);
    if (err.code == ABDM_E_NOT_FOUND) {
        return ABDM_NO_ERR;
    }
    if (!abdm_failed(err) && strcmp(holder.ref, ref) != 0) {
        err = ABDM_ERR(ABHA_TAKEN, "abhaAddress: another patient holds this ABHA");
    }
    abdm_row_patient_clear(&holder);
    return err;
}


/* Nothing changes when `text` is NULL. */
static bool
set(char **member, const char *text)
{
    return text == NULL || abdm_row_text(member, text);
}


abdm_err_t
abdm_patient_merge(abdm_row_patient_t *row, const abdm_row_patient_t *told, abdm_ms_t now)
{
    if (!set(&row->abha_address, told->abha_address) || !set(&row->abha_number, told->abha_number)
        || !set(&row->name, told->name) || !set(&row->gender, told->gender)
        || !set(&row->mobile, told->mobile)) {
        return ABDM_ERR(MEMORY, "patient");
    }
    if (told->year_of_birth != 0) {
        row->year_of_birth = told->year_of_birth;
    }
    row->changed_at = now;
    return ABDM_NO_ERR;
}


static bool
differ(const char *a, const char *b)
{
    return a != NULL && b != NULL && strcmp(a, b) != 0;
}


abdm_err_t
abdm_patient_bind(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev,
                  const abdm_row_patient_t *told, abdm_row_patient_t *row)
{
    abdm_row_patient_t key = {.hip_id = (char *) ev->hip_id, .ref = told->ref};
    abdm_row_patient_t verified = *told;
    abdm_err_t err;
    bool same_number;

    ABDM_TRY(abdm_patient_may_hold(ctx, ev->hip_id, told->ref, told->abha_address,
                                 told->abha_number));
    err = abdm_link_row(ctx, ABDM_ROW_patient, ev->hip_id, told->ref, row);
    if (err.code == ABDM_E_NOT_FOUND) {
        err = abdm_row_copy(ABDM_ROW_patient, row, &key);
    }
    ABDM_TRY(err);
    same_number = row->abha_number != NULL && told->abha_number != NULL
                  && strcmp(row->abha_number, told->abha_number) == 0;
    if (differ(row->abha_number, told->abha_number)
        || (differ(row->abha_address, told->abha_address) && !same_number)) {
        err = ABDM_ERR(ABHA_TAKEN, "abhaAddress: the patient holds another ABHA");
    }
    if (row->mobile != NULL) {
        verified.mobile = NULL; /* the hospital's own is where it reaches the patient */
    }
    if (!abdm_failed(err)) {
        err = abdm_patient_merge(row, &verified, ev->now);
    }
    if (abdm_failed(err)) {
        abdm_row_patient_clear(row);
    }
    return err;
}
