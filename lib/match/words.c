/* The table of words.def, sorted by strict key when a matcher is made. See words.h. */
#include "match/words.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    abdm_word_kind_t kind;
    abdm_word_mark_t mark;
    const char *spellings;
} row_t;

static const row_t rows[] = {
#define ABDM_WORD(kind, mark, spellings) {ABDM_WORD_##kind, ABDM_MARK_##mark, spellings},
#include "match/words.def"
#undef ABDM_WORD
};

enum { N_ROWS = sizeof(rows) / sizeof(rows[0]), KEY = 24 };

typedef struct {
    char key[KEY];
    int row;
} entry_t;

struct abdm_words_s {
    size_t n;
    entry_t entries[];
};


static int
by_key(const void *a, const void *b)
{
    return strcmp(((const entry_t *) a)->key, ((const entry_t *) b)->key);
}


/* Fills an entry for each spelling of the table, unless `out` is NULL; returns how many. */
static size_t
each_spelling(entry_t *out)
{
    size_t n = 0;

    for (int row = 0; row < N_ROWS; row++) {
        const char *p = rows[row].spellings;

        while (*p != '\0') {
            size_t len = strcspn(p, " ");

            if (out != NULL) {
                char key[ABDM_SOUND_KEY];

                abdm_sound_strict((abdm_str_t){p, len}, key);
                memcpy(out[n].key, key, KEY - 1);
                out[n].key[KEY - 1] = '\0';
                out[n].row = row;
            }
            n++;
            p += len + (p[len] == ' ');
        }
    }
    return n;
}


abdm_err_t
abdm_words_new(abdm_words_t **out)
{
    size_t n = each_spelling(NULL);
    abdm_words_t *words = calloc(1, sizeof(*words) + n * sizeof(entry_t));

    *out = words;
    if (words == NULL)
        return ABDM_ERR(MEMORY, "words of names");
    words->n = each_spelling(words->entries);
    qsort(words->entries, words->n, sizeof(entry_t), by_key);
    for (size_t i = 1; i < words->n; i++) {
        const entry_t *a = &words->entries[i - 1], *b = &words->entries[i];

        if (strcmp(a->key, b->key) == 0 && a->row != b->row) {
            abdm_words_free(words);
            *out = NULL;
            return ABDM_ERR(INTERNAL, "words.def: one spelling stands in two rows");
        }
    }
    return ABDM_NO_ERR;
}


void
abdm_words_free(abdm_words_t *words)
{
    free(words);
}


abdm_word_info_t
abdm_words_find(const abdm_words_t *words, const char *strict_key)
{
    const entry_t *found;
    entry_t wanted = {.row = 0};
    size_t len = strlen(strict_key);

    if (len >= KEY)
        return ABDM_WORD_PLAIN;
    memcpy(wanted.key, strict_key, len + 1);
    found = bsearch(&wanted, words->entries, words->n, sizeof(entry_t), by_key);
    if (found == NULL)
        return ABDM_WORD_PLAIN;
    return (abdm_word_info_t){
        .group = found->row,
        .kind = rows[found->row].kind,
        .mark = rows[found->row].mark,
        .first = {rows[found->row].spellings, strcspn(rows[found->row].spellings, " ")},
    };
}
