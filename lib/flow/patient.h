/* Patients and their ABHAs, for the flows that bring the two together (flow/patient.c). */
#ifndef ABDM_FLOW_PATIENT_H
#define ABDM_FLOW_PATIENT_H

#include "flow/flow.h"

/* The patient who holds the ABHA address or number (either may be NULL), to be cleared; clear
 * already on failure. E_NOT_FOUND; E_ABHA_TAKEN: two hold it. */
abdm_err_t abdm_patient_holder(const abdm_flow_ctx_t *ctx, const char *hip_id,
                               const char *abha_address, const char *abha_number,
                               abdm_row_patient_t *out);

/* May the patient `ref` hold them? E_ABHA_TAKEN: another one does; E_OPTED_OUT. */
abdm_err_t abdm_patient_may_hold(const abdm_flow_ctx_t *ctx, const char *hip_id, const char *ref,
                                 const char *abha_address, const char *abha_number);

/* Puts into `row` what `told` has; what it has not stays. E_MEMORY. */
abdm_err_t abdm_patient_merge(abdm_row_patient_t *row, const abdm_row_patient_t *told,
                              abdm_ms_t now);

/* The row of patient told->ref as it becomes when ABDM vouches for the rest of `told`; to be
 * cleared and still to be put. E_ABHA_TAKEN, E_OPTED_OUT: nothing may change. */
abdm_err_t abdm_patient_bind(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev,
                             const abdm_row_patient_t *told, abdm_row_patient_t *row);

#endif
