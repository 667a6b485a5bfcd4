/* Shares at a counter, for those who show them (flow/share.c). */
#ifndef ABDM_FLOW_SHARE_H
#define ABDM_FLOW_SHARE_H

#include "gateway/inbound_link.h"
#include "flow/flow.h"

/* "unknown", "no" or "yes": of a share's `returning`. Static. */
const char *abdm_returning_name(int64_t returning);

/* What ABDM vouches for of the patient at the counter; to be cleared. */
abdm_err_t abdm_share_person(const abdm_row_share_t *row, abdm_in_share_t *out);

#endif
