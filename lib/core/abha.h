/*
 * The two names of a person in ABDM, the ABHA address ("asha.k@sbx") and the ABHA number
 * ("91-1112-2223-3334"), and the gender beside them, each in one form for all that compare or store
 * them (gateway protocol 3.0, 3.1).
 */
#ifndef ABDM_CORE_ABHA_H
#define ABDM_CORE_ABHA_H

#include "core/buf.h"

enum { ABDM_ABHA_NUMBER_DIGITS = 14, ABDM_ABHA_ADDRESS_BYTES = 128 };

/* "Asha.K@SBX" → "asha.k@sbx"; false when it is no ABHA address (3.1's alphabet, any suffix of
 * letters). "91-1112-2223-3334" → "91111222233334", spaces as dashes; false when it is not 14
 * digits. Nothing else is forgiven. The results are owned by the caller, NULL on no memory and
 * when false. */
bool abdm_abha_address_normal(abdm_str_t given, char **out);
bool abdm_abha_number_normal(abdm_str_t given, char **out);

/* "M" … from any spelling seen (male, FEMALE, o…); "U" for what is not known. Static. */
const char *abdm_gender_normal(abdm_str_t given);

#endif
