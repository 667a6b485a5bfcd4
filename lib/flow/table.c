/* Every event and the flow that answers it. */
#include <string.h>

#include "flow/flow.h"

static const abdm_flow_t flows[] = {
    {"consent.notified",      abdm_flow_consent_notified},
    {"transfer.requested",    abdm_flow_transfer_requested},
    {"transfer.acknowledged", abdm_flow_transfer_acknowledged},
    {"transfer.listed",       abdm_flow_transfer_listed},
    {"transfer.page_due",     abdm_flow_transfer_page_due},
    {"transfer.fetched",      abdm_flow_transfer_fetched},
    {"transfer.pushed",       abdm_flow_transfer_pushed},
    {"transfer.notified",     abdm_flow_transfer_notified},
    {"transfer.over",         abdm_flow_transfer_over},
    {"reply.sent",            abdm_flow_reply_sent},
};


const abdm_flow_t *
abdm_flow_find(const char *event)
{
    for (size_t i = 0; i < sizeof(flows) / sizeof(flows[0]); i++) {
        if (strcmp(flows[i].event, event) == 0) {
            return &flows[i];
        }
    }
    return NULL;
}
