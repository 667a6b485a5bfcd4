/*
 * What the operator decides where the protocol leaves it open: how far the gateway's notice of a
 * consent is to be believed (threat model C1, C2), and what opens or holds records (C10, P10).
 */
#ifndef ABDM_CORE_POLICY_H
#define ABDM_CORE_POLICY_H

#include <stdbool.h>

/* Is a consent confirmed with the consent manager before its first use? */
typedef enum {
    ABDM_CONFIRM_OFF,
    ABDM_CONFIRM_TRY,    /* the notice stands where the consent manager serves no such question */
    ABDM_CONFIRM_REQUIRE /* without an answer nothing leaves */
} abdm_consent_confirm_t;

/* What becomes of the signature of a consent. */
typedef enum {
    ABDM_SIGNATURE_OFF,    /* neither verified nor kept */
    ABDM_SIGNATURE_LOG,    /* the audit has the outcome */
    ABDM_SIGNATURE_ENFORCE /* without a verified one nothing is kept, and nothing leaves */
} abdm_consent_signature_t;

/* A requester whose data went to one host until now names another. */
typedef enum {
    ABDM_NEW_HOST_ALLOW, /* an alert, and the data goes */
    ABDM_NEW_HOST_HOLD,  /* an alert, and the pages wait until an operator allows the host */
    ABDM_NEW_HOST_DENY   /* an alert and a refusal, until an operator allows the host */
} abdm_new_host_t;

typedef struct {
    abdm_consent_confirm_t confirm;
    abdm_consent_signature_t signature;
    bool break_glass; /* requests of purpose BTG, without the patient's word, are served */
    abdm_new_host_t push_new_host;
} abdm_policy_t;

#endif
