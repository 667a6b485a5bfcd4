/*
 * A name as text becomes words with their keys of sound. Scripts of India are folded to Latin
 * letters by ICU (ISO 15919), then spelled as people write them; Arabic letters, which leave
 * vowels out, become a skeleton of consonants.
 */
#ifndef ABDM_MATCH_PARSE_H
#define ABDM_MATCH_PARSE_H

#include "match/words.h"

enum {
    ABDM_NAME_POINTS = 128, /* code points of a name that are read */
    ABDM_NAME_WORDS = 12,
    ABDM_NAME_WORD = 40 /* letters of one word */
};

typedef struct {
    char letters[ABDM_NAME_WORD + 1]; /* a-z and digits; skeleton: see abdm_sound_reads */
    char strict[2 * ABDM_NAME_WORD + 2];
    char loose[2 * ABDM_NAME_WORD + 2];
    abdm_word_info_t info;
    bool skeleton; /* of Arabic letters; the keys are empty then */
    bool tamil;
    bool silent; /* the a at the end may be unspoken (Vasanta, Vasant) */
} abdm_word_t;

typedef struct {
    abdm_word_t words[ABDM_NAME_WORDS];
    size_t n;
} abdm_name_t;

typedef struct abdm_parser_s abdm_parser_t;

/* Opens ICU's transliterators: some milliseconds and some 100 kB, so once per thread. */
abdm_err_t abdm_parser_new(abdm_parser_t **out);
void abdm_parser_free(abdm_parser_t *parser); /* NULL is allowed */

/* False, with no words, when the text is not UTF-8, has no letters, has more words than
 * ABDM_NAME_WORDS or a longer one than ABDM_NAME_WORD, or ICU has no memory. Not for two
 * threads at once. */
bool abdm_parser_read(abdm_parser_t *parser, abdm_str_t text, abdm_name_t *out);

/* Fills the keys and `info` of a word from its letters. A word of the table has the loose key of
 * its group. */
void abdm_word_keys(const abdm_parser_t *parser, abdm_word_t *word);

#endif
