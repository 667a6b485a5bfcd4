/*
 * How a word of an Indian name sounds: words of one key are spellings of one name. Keys are
 * classes of equality, never distances, because names one letter apart are brothers and
 * sisters (Ramesh and Rakesh, Sunil and Sunila). Vowels at the end are kept: they mark gender.
 *
 * A strict key folds what is only spelling: doubled letters, ee/i, oo/u, w/v, ph/f, th/t, x/ks,
 * q/k, ya/iya, y/i. A loose key folds what differs by region as well: dh/d and the other
 * aspirates, sh/s, z/j, jn/gy, kru/kri, zh/l, and a short a that is not spoken (Kamala, Kamla).
 */
#ifndef ABDM_MATCH_SOUND_H
#define ABDM_MATCH_SOUND_H

#include "core/buf.h"

enum {
    ABDM_SOUND_LETTERS = 128, /* letters of one word at most, several joined ones included */
    ABDM_SOUND_KEY = 2 * ABDM_SOUND_LETTERS + 2
};

/* `letters` are lower-case a-z and digits, at most ABDM_SOUND_LETTERS. In keys C is ch, S is
 * sh, W is au. Terminated. */
void abdm_sound_strict(abdm_str_t letters, char key[ABDM_SOUND_KEY]);
void abdm_sound_loose(abdm_str_t letters, char key[ABDM_SOUND_KEY]);

/* Folds a loose key further to what Tamil letters can tell: they have one sign for k, g and h,
 * for t and d, for p, b and f, for ch and s, and they put a vowel inside kr, pr, tr. In place. */
void abdm_sound_tamil(char *key);

/* True when `loose` may be read from `skeleton`, a name in Arabic letters, which leave short
 * vowels unwritten. A vowel at the end must have been written. */
bool abdm_sound_reads(const char *skeleton, const char *loose);

#endif
