/*
 * What the operator decides about consents: how far the gateway's notice of a consent is to be
 * believed (threat model C1, C2).
 */
#ifndef ABDM_CORE_POLICY_H
#define ABDM_CORE_POLICY_H

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

#endif
