/*
 * The hosts to which the data of each requester goes. Requests may name any host, so a new one is
 * no reason to refuse, but one to look: it is how a stolen identity would show (threat model P10).
 */
#ifndef ABDM_FLOW_PUSH_HOST_H
#define ABDM_FLOW_PUSH_HOST_H

#include "flow/flow.h"

/* Is the host of `push_url`, already judged by core/url_guard.h, one that requests of this requester
 * may name? `hiu_id` NULL: the consent names none; those count as one requester. Remembers the
 * host and raises the alert. E_PUSH_HOST: denied. */
abdm_err_t abdm_push_host_judge(const abdm_flow_ctx_t *ctx, const abdm_event_t *ev,
                                const char *hiu_id, const char *push_url, const char *transfer_id,
                                abdm_effects_t *out);

/* The same for a page about to leave: *held tells that it must wait. E_PUSH_HOST: denied since. */
abdm_err_t abdm_push_host_page(const abdm_flow_ctx_t *ctx, const char *hip_id, const char *hiu_id,
                               const char *push_url, bool *held);

#endif
