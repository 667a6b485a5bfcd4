/*
 * The score of two names, see name.h. First words are paired, best likeness first: single
 * words, then one word against two or three adjacent ones (Ramkumar, Ram Kumar), then initials.
 * Then what is left over on each side is judged.
 */
#include "match/name.h"

#include <stdlib.h>
#include <string.h>

#include "match/parse.h"

struct abdm_matcher_s {
    abdm_parser_t *parser;
};

/* Points of a pair by how alike its words are, best first. */
typedef enum {
    ALIKE_NOT = 0,
    ALIKE_SCRIPT = 880,
    ALIKE_LOOSE = 900,
    ALIKE_STRICT = 960,
    ALIKE_LETTERS = 1000
} alike_t;

/* What is taken off the mean of the pairs. */
enum {
    OFF_ORDER = 20,
    OFF_JOIN = 20,
    OFF_INITIAL = 40,       /* an initial stands for a word */
    OFF_INITIAL_EXTRA = 30, /* an initial that the other name does not have */
    OFF_SECOND = 30,        /* Kumar, Devi left out */
    OFF_FAMILY = 60,        /* surname left out */
    OFF_GIVEN = 80,         /* father's, husband's, house's name left out */
    OFF_LONELY = 60,        /* and only one word is left to go by */
    MOST_INITIALS = 4,      /* a name of more is too vague */
    NOT_SAME = 400          /* the highest score of names that something speaks against */
};

enum { NO_ONE = -1 };

/* A name with its pairs: the first partner of each word, or NO_ONE. */
typedef struct {
    abdm_name_t name;
    int partner[ABDM_NAME_WORDS];
    bool initial[ABDM_NAME_WORDS]; /* paired as an initial, or with one */
} side_t;

typedef struct {
    side_t a, b;
    int pairs, points; /* in full, without initials */
    int given;         /* of these, pairs of words that tell people apart */
    int joins, initials;
} match_t;


abdm_err_t
abdm_matcher_new(abdm_matcher_t **out)
{
    abdm_matcher_t *matcher = calloc(1, sizeof(*matcher));
    abdm_err_t err;

    *out = NULL;
    if (matcher == NULL)
        return ABDM_ERR(MEMORY, "matcher of names");
    err = abdm_parser_new(&matcher->parser);
    if (abdm_failed(err))
        free(matcher);
    else
        *out = matcher;
    return err;
}


void
abdm_matcher_free(abdm_matcher_t *matcher)
{
    if (matcher == NULL)
        return;
    abdm_parser_free(matcher->parser);
    free(matcher);
}


static bool
same_tamil(const abdm_word_t *a, const abdm_word_t *b)
{
    char x[sizeof(a->loose)], y[sizeof(b->loose)];

    if (!a->tamil && !b->tamil)
        return false;
    memcpy(x, a->loose, sizeof(x));
    memcpy(y, b->loose, sizeof(y));
    abdm_sound_tamil(x);
    abdm_sound_tamil(y);
    return strcmp(x, y) == 0;
}


/* Likeness of two words as they are written. */
static alike_t
alike_written(const abdm_word_t *a, const abdm_word_t *b)
{
    if (a->skeleton && b->skeleton)
        return strcmp(a->letters, b->letters) == 0 ? ALIKE_LETTERS : ALIKE_NOT;
    if (a->skeleton)
        return abdm_sound_reads(a->letters, b->loose) ? ALIKE_SCRIPT : ALIKE_NOT;
    if (b->skeleton)
        return abdm_sound_reads(b->letters, a->loose) ? ALIKE_SCRIPT : ALIKE_NOT;
    if (strcmp(a->letters, b->letters) == 0)
        return ALIKE_LETTERS;
    if (a->info.kind == ABDM_WORD_ORDINAL || b->info.kind == ABDM_WORD_ORDINAL)
        return a->info.group >= 0 && a->info.group == b->info.group ? ALIKE_STRICT : ALIKE_NOT;
    if (a->info.group >= 0 && b->info.group >= 0)
        return a->info.group == b->info.group ? ALIKE_STRICT : ALIKE_NOT;
    if (strcmp(a->strict, b->strict) == 0)
        return ALIKE_STRICT;
    if (strcmp(a->loose, b->loose) == 0)
        return ALIKE_LOOSE;
    return same_tamil(a, b) ? ALIKE_SCRIPT : ALIKE_NOT;
}


static abdm_word_t
without_end(const abdm_parser_t *parser, const abdm_word_t *word)
{
    abdm_word_t shorter = *word;

    shorter.letters[strlen(shorter.letters) - 1] = '\0';
    shorter.silent = false;
    abdm_word_keys(parser, &shorter);
    return shorter;
}


static alike_t
alike(const abdm_parser_t *parser, const abdm_word_t *a, const abdm_word_t *b)
{
    alike_t best = alike_written(a, b);

    if (best == ALIKE_NOT && a->silent) {
        abdm_word_t x = without_end(parser, a);

        best = alike(parser, &x, b);
    }
    if (best == ALIKE_NOT && b->silent) {
        abdm_word_t y = without_end(parser, b);

        best = alike(parser, a, &y);
    }
    return best;
}


/* Words of no weight may be part of a joined word (Srilakshmi), never a pair of their own. */
static bool
is_title(const abdm_word_t *word)
{
    return word->info.kind == ABDM_WORD_TITLE || word->info.kind == ABDM_WORD_LEAD
           || word->info.kind == ABDM_WORD_RESPECT;
}


static bool
is_single(const abdm_word_t *word)
{
    return !is_title(word) && word->info.kind != ABDM_WORD_INITIAL;
}


static bool
is_free(const side_t *side, size_t i)
{
    return side->partner[i] == NO_ONE;
}


static void
pair(match_t *m, size_t i, size_t j, alike_t points)
{
    m->a.partner[i] = (int) j;
    m->b.partner[j] = (int) i;
    m->pairs++;
    m->points += (int) points;
    m->given += m->a.name.words[i].info.kind == ABDM_WORD_GIVEN
                && m->b.name.words[j].info.kind == ABDM_WORD_GIVEN;
}


static void
pair_singles(const abdm_parser_t *parser, match_t *m)
{
    static const alike_t levels[] = {ALIKE_LETTERS, ALIKE_STRICT, ALIKE_LOOSE, ALIKE_SCRIPT};
    alike_t table[ABDM_NAME_WORDS][ABDM_NAME_WORDS];

    for (size_t i = 0; i < m->a.name.n; i++)
        for (size_t j = 0; j < m->b.name.n; j++) {
            const abdm_word_t *a = &m->a.name.words[i], *b = &m->b.name.words[j];

            table[i][j] = is_single(a) && is_single(b) ? alike(parser, a, b) : ALIKE_NOT;
        }
    for (size_t k = 0; k < sizeof(levels) / sizeof(levels[0]); k++)
        for (size_t i = 0; i < m->a.name.n; i++)
            for (size_t j = 0; j < m->b.name.n; j++)
                if (table[i][j] == levels[k] && is_free(&m->a, i) && is_free(&m->b, j))
                    pair(m, i, j, levels[k]);
}


/* Joins words [at, at + n) of a side into one; false when they are not of one script or too
 * long, or one is taken already. */
static bool
join(const abdm_parser_t *parser, const side_t *side, size_t at, size_t n, abdm_word_t *out)
{
    size_t len = 0;

    if (at + n > side->name.n)
        return false;
    *out = side->name.words[at];
    for (size_t i = at; i < at + n; i++) {
        const abdm_word_t *word = &side->name.words[i];
        size_t more = strlen(word->letters);

        if (!is_free(side, i) || word->skeleton != out->skeleton || len + more > ABDM_NAME_WORD
            || word->info.kind == ABDM_WORD_TITLE || word->info.kind == ABDM_WORD_ORDINAL)
            return false;
        memcpy(out->letters + len, word->letters, more + 1);
        len += more;
        out->tamil = out->tamil || word->tamil;
        out->silent = word->silent;
    }
    abdm_word_keys(parser, out);
    return true;
}


/* One word of `one` against 2 or 3 adjacent words of `many`. */
static void
pair_joined(const abdm_parser_t *parser, match_t *m, side_t *one, side_t *many)
{
    enum { MOST = 3 };

    for (size_t i = 0; i < one->name.n; i++)
        for (size_t at = 0; at < many->name.n; at++)
            for (size_t n = 2; n <= MOST; n++) {
                abdm_word_t joined;
                alike_t points;

                if (!is_free(one, i) || is_title(&one->name.words[i])
                    || !join(parser, many, at, n, &joined))
                    continue;
                points = alike(parser, &one->name.words[i], &joined);
                if (points == ALIKE_NOT)
                    continue;
                for (size_t k = at; k < at + n; k++)
                    many->partner[k] = (int) i;
                one->partner[i] = (int) at;
                m->pairs++;
                m->joins++;
                m->points += (int) points;
                m->given += one->name.words[i].info.kind == ABDM_WORD_GIVEN;
            }
}


static bool
begins_with(const abdm_word_t *word, const abdm_word_t *initial)
{
    if (word->skeleton || initial->skeleton)
        return false;
    return word->letters[0] == initial->letters[0] || word->strict[0] == initial->strict[0]
           || word->loose[0] == initial->loose[0];
}


/* `whole`: initials against words, else against initials. */
static void
pair_initials(match_t *m, side_t *initials, side_t *others, bool whole)
{
    for (size_t i = 0; i < initials->name.n; i++)
        for (size_t j = 0; j < others->name.n; j++) {
            const abdm_word_t *x = &initials->name.words[i], *y = &others->name.words[j];

            if (!is_free(initials, i) || !is_free(others, j) || is_title(y)
                || x->info.kind != ABDM_WORD_INITIAL || y->info.kind == ABDM_WORD_ORDINAL
                || (y->info.kind == ABDM_WORD_INITIAL) == whole || !begins_with(y, x))
                continue;
            initials->partner[i] = (int) j;
            others->partner[j] = (int) i;
            initials->initial[i] = true;
            others->initial[j] = true;
            if (whole)
                m->initials++;
        }
}


typedef struct {
    int of[ABDM_WORD_ORDINAL + 1]; /* by kind */
    int all;                       /* titles left out */
} left_t;


static left_t
left_over(const side_t *side)
{
    left_t left = {.all = 0};

    for (size_t i = 0; i < side->name.n; i++) {
        if (!is_free(side, i) || is_title(&side->name.words[i]))
            continue;
        left.of[side->name.words[i].info.kind]++;
        left.all++;
    }
    return left;
}


/* Words of no weight that tell the sex, as Shrimati, bhai, Kaur and Devi do. */
static abdm_word_mark_t
sex_of(const abdm_name_t *name)
{
    abdm_word_mark_t mark = ABDM_MARK_NONE;

    for (size_t i = 0; i < name->n; i++) {
        const abdm_word_info_t *info = &name->words[i].info;

        if (info->kind == ABDM_WORD_GIVEN || info->mark == ABDM_MARK_NONE)
            continue;
        if (mark != ABDM_MARK_FEMALE)
            mark = info->mark; /* Kaur Singh is a woman */
    }
    return mark;
}


/* A word that says who somebody is: neither title, surname, second name nor initial. */
static bool
tells(const abdm_word_t *word)
{
    return word->info.kind == ABDM_WORD_GIVEN || word->info.kind == ABDM_WORD_ORDINAL;
}


/* With a name left out, the rest must stand in order and begin alike: a name before the first
 * one is the person, and the first one is the father (Ramesh Patil, Kiran Ramesh Patil). */
static bool
begins_alike(const side_t *more, const side_t *less)
{
    size_t i = 0, j = 0;
    int before = NO_ONE;

    while (i < more->name.n && !tells(&more->name.words[i]))
        i++;
    while (j < less->name.n && !tells(&less->name.words[j]))
        j++;
    if (i == more->name.n || j == less->name.n || more->partner[i] != (int) j)
        return false;
    for (; i < more->name.n; i++) {
        if (is_free(more, i) || !tells(&more->name.words[i]))
            continue;
        if (more->partner[i] < before)
            return false;
        before = more->partner[i];
    }
    return true;
}


static bool
reordered(const side_t *side)
{
    int before = NO_ONE;

    for (size_t i = 0; i < side->name.n; i++) {
        if (is_free(side, i) || side->initial[i])
            continue;
        if (side->partner[i] < before)
            return true;
        before = side->partner[i];
    }
    return false;
}


static bool
has_prefix(const side_t *side)
{
    for (size_t i = 0; i < side->name.n; i++)
        if (!is_free(side, i) && side->name.words[i].info.mark == ABDM_MARK_PREFIX)
            return true;
    return false;
}


/* Takes off what `more` has and `less` lacks. False: they are two people. */
static bool
forgive(const match_t *m, const side_t *more, const side_t *less, const left_t *left, int *score)
{
    if (left->of[ABDM_WORD_ORDINAL] > 0)
        return false;
    *score -= OFF_INITIAL_EXTRA * left->of[ABDM_WORD_INITIAL]
              + OFF_SECOND * left->of[ABDM_WORD_SECOND] + OFF_FAMILY * left->of[ABDM_WORD_FAMILY]
              + OFF_GIVEN * left->of[ABDM_WORD_GIVEN];
    if (left->of[ABDM_WORD_GIVEN] == 0)
        return true;
    if (m->pairs < 2) {
        *score -= OFF_LONELY;
        if (has_prefix(less))
            return false;
    }
    return begins_alike(more, less);
}


static int
judge(const match_t *m)
{
    left_t a = left_over(&m->a), b = left_over(&m->b);
    int words = (int) (m->a.name.n > m->b.name.n ? m->a.name.n : m->b.name.n);
    int refused = m->points * NOT_SAME / (words * ABDM_NAME_MAX);
    int score = m->pairs == 0 ? 0 : m->points / m->pairs;
    abdm_word_mark_t x = sex_of(&m->a.name), y = sex_of(&m->b.name);

    if (refused > NOT_SAME)
        refused = NOT_SAME;
    if (x != ABDM_MARK_NONE && y != ABDM_MARK_NONE && x != y)
        return refused;
    if (m->pairs == 0 || m->initials > MOST_INITIALS)
        return refused;
    if (m->given == 0 && (a.all > 0 || b.all > 0 || m->initials > 0))
        return refused;
    if (a.all > 0 && b.all > 0
        && !(a.all == a.of[ABDM_WORD_INITIAL] && b.all == b.of[ABDM_WORD_SECOND])
        && !(b.all == b.of[ABDM_WORD_INITIAL] && a.all == a.of[ABDM_WORD_SECOND]))
        return refused;
    if (!forgive(m, &m->a, &m->b, &a, &score) || !forgive(m, &m->b, &m->a, &b, &score))
        return refused;
    score -= OFF_INITIAL * m->initials + OFF_JOIN * m->joins;
    if (reordered(&m->a) || reordered(&m->b))
        score -= OFF_ORDER;
    return score < 0 ? 0 : score;
}


int
abdm_name_score(abdm_matcher_t *matcher, abdm_str_t a, abdm_str_t b)
{
    match_t m = {.pairs = 0};

    if (!abdm_parser_read(matcher->parser, a, &m.a.name)
        || !abdm_parser_read(matcher->parser, b, &m.b.name))
        return 0;
    for (size_t i = 0; i < ABDM_NAME_WORDS; i++)
        m.a.partner[i] = m.b.partner[i] = NO_ONE;

    pair_singles(matcher->parser, &m);
    pair_joined(matcher->parser, &m, &m.a, &m.b);
    pair_joined(matcher->parser, &m, &m.b, &m.a);
    pair_initials(&m, &m.a, &m.b, false);
    pair_initials(&m, &m.a, &m.b, true);
    pair_initials(&m, &m.b, &m.a, true);
    return judge(&m);
}
