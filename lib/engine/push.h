/* Inside engine/ only: address and body of a data push. */
#ifndef ABDM_ENGINE_PUSH_H
#define ABDM_ENGINE_PUSH_H

#include "engine/task.h"

/* Pins the task's call to a judged address of the transfer's dataPushUrl. Looks names up, so it
 * may take seconds. E_PUSH_URL, E_PUSH_ADDRESS, E_RESOLVE. */
abdm_err_t abdm_push_pin(abdm_task_t *task, const abdm_push_allow_t *allow);

/* The document through digest, encryption and envelope into the body of the call. */
abdm_err_t abdm_push_body(abdm_task_t *task, const abdm_engine_facility_t *facility,
                          abdm_key_pool_t *pairs);

#endif
