/* Every event and the flow that answers it. */
#include <string.h>

#include "flow/flow.h"

static const abdm_flow_t flows[] = {
    {"consent.notified",      abdm_flow_consent_notified},
    {"consent.fetch_sent",    abdm_flow_consent_fetch_sent},
    {"consent.unanswered",    abdm_flow_consent_unanswered},
    {"consent.fetched",       abdm_flow_consent_fetched},
    {"consent.settled",       abdm_flow_consent_settled},
    {"transfer.requested",    abdm_flow_transfer_requested},
    {"transfer.acknowledged", abdm_flow_transfer_acknowledged},
    {"transfer.listed",       abdm_flow_transfer_listed},
    {"transfer.page_due",     abdm_flow_transfer_page_due},
    {"transfer.fetched",      abdm_flow_transfer_fetched},
    {"transfer.pushed",       abdm_flow_transfer_pushed},
    {"transfer.notified",     abdm_flow_transfer_notified},
    {"transfer.over",         abdm_flow_transfer_over},
    {"discovery.asked",       abdm_flow_discovery_asked},
    {"discovery.found",       abdm_flow_discovery_found},
    {"discovery.contexts",    abdm_flow_discovery_contexts},
    {"discovery.over",        abdm_flow_discovery_over},
    {"discovery.answered",    abdm_flow_discovery_answered},
    {"link.init_asked",       abdm_flow_link_init_asked},
    {"link.otp_sent",         abdm_flow_link_otp_sent},
    {"link.confirm_asked",    abdm_flow_link_confirm_asked},
    {"link.otp_verified",     abdm_flow_link_otp_verified},
    {"link.confirmed",        abdm_flow_link_confirmed},
    {"share.asked",           abdm_flow_share_asked},
    {"share.found",           abdm_flow_share_found},
    {"share.saved",           abdm_flow_share_saved},
    {"patient.status",        abdm_flow_patient_status},
    {"api.patient",           abdm_flow_api_patient},
    {"api.patient_by_abha",   abdm_flow_api_patient_by_abha},
    {"api.patient_shown",     abdm_flow_api_patient_shown},
    {"api.contexts",          abdm_flow_api_contexts},
    {"api.contexts_shown",    abdm_flow_api_contexts_shown},
    {"api.context_shown",     abdm_flow_api_context_shown},
    {"api.context_link",      abdm_flow_api_context_link},
    {"api.notification",      abdm_flow_api_notification},
    {"api.sms",               abdm_flow_api_sms},
    {"api.request_shown",     abdm_flow_api_request_shown},
    {"api.auth",              abdm_flow_api_auth},
    {"api.auth_shown",        abdm_flow_api_auth_shown},
    {"api.auth_confirm",      abdm_flow_api_auth_confirm},
    {"api.queue",             abdm_flow_api_queue},
    {"api.queue_done",        abdm_flow_api_queue_done},
    {"api.push_hosts",        abdm_flow_api_push_hosts},
    {"api.push_host",         abdm_flow_api_push_host},
    {"nha.link",              abdm_flow_nha_link},
    {"nha.found",             abdm_flow_nha_found},
    {"nha.over",              abdm_flow_nha_over},
    {"nha.link_status",       abdm_flow_nha_link_status},
    {"nha.sms",               abdm_flow_nha_sms},
    {"nha.patients",          abdm_flow_nha_patients},
    {"nha.patient_shown",     abdm_flow_nha_patient_shown},
    {"reply.sent",            abdm_flow_reply_sent},
    {"link.due",              abdm_flow_link_step},
    {"link.token_asked",      abdm_flow_link_token_asked},
    {"link.token_came",       abdm_flow_link_token_came},
    {"link.token_silent",     abdm_flow_link_step},
    {"link.sent",             abdm_flow_link_sent},
    {"link.silent",           abdm_flow_link_silent},
    {"link.linked",           abdm_flow_link_linked},
    {"context.notify_due",    abdm_flow_context_notify_due},
    {"context.notify_sent",   abdm_flow_context_notify_sent},
    {"context.notified",      abdm_flow_context_notified},
    {"feed.due",              abdm_flow_feed_due},
    {"feed.came",             abdm_flow_feed_came},
    {"sms.due",               abdm_flow_sms_due},
    {"sms.sent",              abdm_flow_sms_sent},
    {"sms.notified",          abdm_flow_sms_notified},
    {"auth.modes",            abdm_flow_auth_modes},
    {"auth.sent",             abdm_flow_auth_sent},
    {"auth.begun",            abdm_flow_auth_begun},
    {"auth.confirmed",        abdm_flow_auth_confirmed},
    {"auth.notified",         abdm_flow_auth_notified},
    {"auth.over",             abdm_flow_auth_over},
    {"hmis.told",             abdm_flow_hmis_told},
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
