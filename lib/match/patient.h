/*
 * Which of the HMIS's patients is the one that a discovery asks for: one, or none (gateway
 * protocol 7.2). First the ABHA, when it is known here; else the verified mobile, with the
 * medical record number when one is given, else with gender, year of birth and name. More than
 * one patient left over is none: a guess would show one person's records to another.
 *
 * Every candidate is looked at in every way, names included, whatever was found before, so that
 * the time taken tells how many candidates there are and not which of them matched. The caller
 * answers in a fixed time slot besides, since even their number says something.
 */
#ifndef ABDM_MATCH_PATIENT_H
#define ABDM_MATCH_PATIENT_H

#include "match/name.h"

enum { ABDM_MATCH_CANDIDATES = 100 }; /* more are too many to tell one from another: none */

/* What the gateway asks. Texts as they came; empty ones are absent. */
typedef struct {
    abdm_str_t abha_number;  /* verified; 14 digits with or without dashes */
    abdm_str_t abha_address; /* verified */
    const abdm_str_t *mobiles; /* verified; +91..., 91..., 0... or 10 digits */
    size_t n_mobiles;
    const abdm_str_t *mrs; /* unverified medical record numbers; one must match when given */
    size_t n_mrs;
    abdm_str_t name;
    abdm_str_t gender; /* M F O D T U, or empty */
    int year_of_birth; /* 0: not told */
} abdm_patient_asked_t;

/* A patient of the HMIS, with the ABHA that the HMIS or our own links know for it. Two
 * candidates of one reference are the same patient. */
typedef struct {
    abdm_str_t reference; /* the HMIS's number of the patient; never empty */
    abdm_str_t mr;        /* as the patient knows it; empty: the reference */
    abdm_str_t abha_number;
    abdm_str_t abha_address;
    const abdm_str_t *mobiles;
    size_t n_mobiles;
    abdm_str_t name;
    abdm_str_t gender; /* M F O D T U, male, female..., or empty */
    int year_of_birth; /* 0: not known */
} abdm_patient_candidate_t;

typedef struct {
    int years; /* by how many the years of birth may differ: 5 */
    int name;  /* least abdm_name_score: ABDM_NAME_SAME */
} abdm_patient_rules_t;

#define ABDM_PATIENT_RULES ((abdm_patient_rules_t){.years = 5, .name = ABDM_NAME_SAME})

/* Bits of `matched_by`, in the order of the wire. */
typedef enum {
    ABDM_BY_MR = 1,
    ABDM_BY_MOBILE = 2,
    ABDM_BY_ABHA_NUMBER = 4,
    ABDM_BY_ABHA_ADDRESS = 8
} abdm_matched_by_t;

/* "MR", "MOBILE", "ABHA_NUMBER", "ABHA_ADDRESS"; `bit` is one of the above, else "". */
const char *abdm_matched_by_name(unsigned bit);

typedef struct {
    bool found;
    size_t index;        /* of the candidate */
    unsigned matched_by; /* identifiers on which the found one agrees */
} abdm_patient_match_t;

/*
 * 1. ABHA: the candidates with the asked number or address. One: found. Several: none.
 * 2. Otherwise those with a verified mobile. One known to hold another ABHA number than the
 *    asked one is never it; nor is a man for a woman. With MR numbers given, one must be the
 *    candidate's; without, gender, year of birth and name must agree: M and F exactly, O, D, T,
 *    U and absent ones with any; a year not known agrees with none. One left: found, else none.
 * "Not found" and "several" look the same. Borrows everything; keeps nothing.
 */
abdm_patient_match_t abdm_patient_match(abdm_matcher_t *matcher,
                                        const abdm_patient_asked_t *asked,
                                        const abdm_patient_candidate_t *candidates, size_t n,
                                        abdm_patient_rules_t rules);

/* The ten digits of an Indian mobile, or the digits of another number with its country code.
 * False: it is no number, or one digit repeated, as clerks enter for "none". */
enum { ABDM_MOBILE_TEXT = 17 }; /* + and 15 digits and the terminator */
bool abdm_mobile_digits(abdm_str_t mobile, char out[ABDM_MOBILE_TEXT]);

#endif
