/*
 * Whether two texts name one person, as Indian names are written: in any order and script, with
 * initials, titles, words of respect, other spacing and spelling. One function gives a score;
 * its table of cases is t/unit/match_name.c.
 *
 * A wrong yes shows one patient's records to another, a wrong no sends a patient to the counter:
 * whatever speaks against sameness decides. Words are never compared by distance, since names
 * one letter apart are those of brothers and sisters, but by what may be the same sound (see
 * sound.h). Both names having a word that the other lacks is always a no, as are initials and
 * surnames alone.
 */
#ifndef ABDM_MATCH_NAME_H
#define ABDM_MATCH_NAME_H

#include "core/err.h"
#include "core/buf.h"

enum {
    ABDM_NAME_MAX = 1000,
    ABDM_NAME_SAME = 800 /* from this score on two names are taken for one */
};

typedef struct abdm_matcher_s abdm_matcher_t;

/* Opens ICU's transliterators (some milliseconds): one per thread, kept for its life. */
abdm_err_t abdm_matcher_new(abdm_matcher_t **out);
void abdm_matcher_free(abdm_matcher_t *matcher); /* NULL is allowed */

/*
 * 0..1000, the same for (a, b) and (b, a). Texts are UTF-8; the first 128 code points are read.
 * What is not UTF-8, has no letters, more than 12 words or a word of more than 40 letters scores
 * 0; without memory anything scores less than it is worth. Time is bounded by these limits and
 * depends on the names. Not for two threads at once.
 */
int abdm_name_score(abdm_matcher_t *matcher, abdm_str_t a, abdm_str_t b);

#endif
