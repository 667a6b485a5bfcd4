/*
 * Words of Indian names that carry less than a given name does, and spellings that no rule of
 * sound brings together: words.def, looked up by strict key.
 */
#ifndef ABDM_MATCH_WORDS_H
#define ABDM_MATCH_WORDS_H

#include "core/err.h"
#include "match/sound.h"

typedef enum {
    ABDM_WORD_GIVEN,   /* tells people apart; every word that the table does not know */
    ABDM_WORD_FAMILY,  /* a surname: shared by a household */
    ABDM_WORD_SECOND,  /* Kumar, Devi, Mohammed: shared by thousands, often left out */
    ABDM_WORD_INITIAL, /* one letter */
    ABDM_WORD_TITLE,   /* Smt, Dr: no part of the name, wherever it stands */
    ABDM_WORD_LEAD,    /* Shri: a title at the start only */
    ABDM_WORD_RESPECT, /* bhai, ji, and articles: no part of the name unless first */
    ABDM_WORD_ORDINAL  /* a number, junior, baby: tells people of one name apart */
} abdm_word_kind_t;

typedef enum {
    ABDM_MARK_NONE,
    ABDM_MARK_MALE,
    ABDM_MARK_FEMALE,
    ABDM_MARK_PREFIX /* begins the double names of many: alone it does not stand for one of them */
} abdm_word_mark_t;

typedef struct {
    int group; /* words of one group are spellings of one name; -1: not in the table */
    abdm_word_kind_t kind;
    abdm_word_mark_t mark;
    abdm_str_t first; /* spelling of its group; static. Empty without a group */
} abdm_word_info_t;

/* Of a word that the table does not know. */
#define ABDM_WORD_PLAIN ((abdm_word_info_t){.group = -1, .kind = ABDM_WORD_GIVEN})

typedef struct abdm_words_s abdm_words_t;

abdm_err_t abdm_words_new(abdm_words_t **out);
void abdm_words_free(abdm_words_t *words); /* NULL is allowed */
abdm_word_info_t abdm_words_find(const abdm_words_t *words, const char *strict_key);

#endif
