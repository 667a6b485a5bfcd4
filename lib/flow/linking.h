/*
 * What discovery and linking by the patient have in common: the people and the care contexts in
 * their rows, JSON in the plain form of hmis/hmis.h.
 */
#ifndef ABDM_FLOW_LINKING_H
#define ABDM_FLOW_LINKING_H

#include "flow/flow.h"
#include "gateway/inbound_link.h"
#include "gateway/outbound_link.h"
#include "match/patient.h"

enum {
    ABDM_LINKING_KEEP = 60 * 60 * 1000, /* discoveries and links are remembered so long */
    ABDM_ASKED_SETS = 3                 /* mobiles or numbers that the HMIS is asked for at most */
};

/* Texts of rows; the former one is wiped. `text` is copied; false: no memory. */
bool abdm_row_text(char **member, const char *text);
bool abdm_row_json(char **member, const json_t *value); /* NULL counts as no memory */

/* --- flow/candidates.c: objects are owned by the caller, NULL on no memory --- */

/* What the gateway asks: {abhaAddress, abhaNumber, mobiles, mrs, name, gender, yearOfBirth};
 * mobiles as abdm_mobile_digits gives them, each once. */
json_t *abdm_asked_json(const abdm_in_discover_t *in);

/* Variables of find_patients: as many sets as there are mobiles or medical record numbers, each
 * value in one of them. */
size_t abdm_asked_sets(const json_t *asked);
json_t *abdm_asked_vars(const json_t *asked, const char *hip_id, size_t set);

/* Puts patients to `list`; one that is there already gets what it lacks. E_MEMORY. */
abdm_err_t abdm_candidates_add(json_t *list, const json_t *patients);

/* Puts those to `list` whom our own rows know by the ABHA asked for. */
abdm_err_t abdm_candidates_known(const abdm_flow_ctx_t *ctx, const char *hip_id,
                                 const json_t *asked, json_t *list);

/* The one who is meant, with `matchedBy` (bits of abdm_matched_by_t) and the `asked` name, gender
 * and year of birth; *out stays NULL for nobody, or several. Our rows' ABHA of a patient goes
 * before the HMIS's; a patient who has another address in them is nobody. */
abdm_err_t abdm_candidates_choose(const abdm_flow_ctx_t *ctx, const char *hip_id,
                                  const json_t *asked, json_t *list, json_t **out);

/* Where an OTP for the patient goes, ten digits: the HMIS's own mobile, when it is verified or
 * none is; else a verified one. False: nowhere. */
bool abdm_candidate_mobile(const json_t *asked, const json_t *patient,
                           char out[ABDM_MOBILE_TEXT]);

/* --- flow/offer.c --- */

/* Care contexts to link, newest first. */
typedef struct {
    json_t *list; /* {reference, display, hiTypes, date?}, owned */
    abdm_out_context_t item[ABDM_REFERENCES_MAX]; /* borrowed from it */
    size_t n;
} abdm_offer_t;

void abdm_offer_clear(abdm_offer_t *offer);
abdm_err_t abdm_offer_read(const char *json, abdm_offer_t *out);
const abdm_out_context_t *abdm_offer_find(const abdm_offer_t *offer, const char *reference);

/* Of the contexts that the HMIS, or our rows, have of a patient: those to which nothing speaks
 * against, ABDM_REFERENCES_MAX at most. */
abdm_err_t abdm_offer_of_hmis(const abdm_flow_ctx_t *ctx, const char *hip_id,
                              const char *patient_ref, const json_t *contexts, abdm_offer_t *out);
abdm_err_t abdm_offer_of_rows(const abdm_flow_ctx_t *ctx, const char *hip_id,
                              const char *patient_ref, abdm_offer_t *out);

/* Has the holder of the address left ABDM? */
abdm_err_t abdm_opted_out(const abdm_flow_ctx_t *ctx, const char *hip_id,
                          const char *abha_address, bool *out);

/* --- flow/link_init.c --- */

enum { ABDM_OTP_TRIES = 3, ABDM_OTP_SENDS = 3 }; /* of one link */

/* The keyed hash of an OTP, good for this link only. */
abdm_err_t abdm_link_otp_hash(const abdm_flow_ctx_t *ctx, const char *hip_id, const char *link_id,
                              const char *otp, char out[65]);

#endif
