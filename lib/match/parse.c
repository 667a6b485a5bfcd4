/*
 * From the text of a name to words, see parse.h. Words end at anything that is no letter, mark
 * or digit; an apostrophe does not end one. Relation marks (S/O, D/O, W/O, C/O) fall away and
 * leave the relation's name; B/O is a baby, which is not its mother.
 */
#include "match/parse.h"

#include <stdlib.h>
#include <string.h>
#include <unicode/uchar.h>
#include <unicode/uscript.h>
#include <unicode/ustring.h>
#include <unicode/utrans.h>

struct abdm_parser_s {
    abdm_words_t *words;
    UTransliterator *indic; /* to ISO 15919 with its marks apart */
    UTransliterator *latin; /* to plain letters */
};

enum { FOLDED = 512 }; /* UTF-16 units of one word after ICU; a sign becomes 3 at most */


static UTransliterator *
transliterator(const char *id)
{
    UChar name[64];
    UErrorCode status = U_ZERO_ERROR;
    UTransliterator *t;

    u_uastrcpy(name, id);
    t = utrans_openU(name, -1, UTRANS_FORWARD, NULL, 0, NULL, &status);
    return U_FAILURE(status) ? NULL : t;
}


abdm_err_t
abdm_parser_new(abdm_parser_t **out)
{
    abdm_parser_t *parser = calloc(1, sizeof(*parser));
    abdm_err_t err;

    *out = NULL;
    if (parser == NULL)
        return ABDM_ERR(MEMORY, "matcher of names");
    err = abdm_words_new(&parser->words);
    if (!abdm_failed(err)) {
        parser->indic = transliterator("Any-Latin; Lower; NFD");
        parser->latin = transliterator("Any-Latin; Latin-ASCII; Lower");
        if (parser->indic == NULL || parser->latin == NULL)
            err = ABDM_ERR(SYSTEM, "ICU has no transliterator to Latin letters");
    }
    if (abdm_failed(err))
        abdm_parser_free(parser);
    else
        *out = parser;
    return err;
}


void
abdm_parser_free(abdm_parser_t *parser)
{
    if (parser == NULL)
        return;
    abdm_words_free(parser->words);
    if (parser->indic != NULL)
        utrans_close(parser->indic);
    if (parser->latin != NULL)
        utrans_close(parser->latin);
    free(parser);
}


void
abdm_word_keys(const abdm_parser_t *parser, abdm_word_t *word)
{
    char key[ABDM_SOUND_KEY];

    word->info = ABDM_WORD_PLAIN;
    if (word->skeleton)
        return;
    abdm_sound_strict(abdm_str(word->letters), key);
    memcpy(word->strict, key, strlen(key) + 1);
    word->info = abdm_words_find(parser->words, word->strict);
    abdm_sound_loose(word->info.group < 0 ? abdm_str(word->letters) : word->info.first, key);
    memcpy(word->loose, key, strlen(key) + 1);
}


/* Unit by unit, signs that ICU leaves as they are: the chillu letters of Malayalam, the tippi of
 * Gurmukhi, the khanda ta of Bengali, each as its older spelling. */
static const struct {
    UChar from;
    UChar to[2];
} older[] = {
    {0x0d7a, {0x0d23, 0x0d4d}}, {0x0d7b, {0x0d28, 0x0d4d}}, {0x0d7c, {0x0d30, 0x0d4d}},
    {0x0d7d, {0x0d32, 0x0d4d}}, {0x0d7e, {0x0d33, 0x0d4d}}, {0x0d7f, {0x0d15, 0x0d4d}},
    {0x0a70, {0x0a02, 0}},      {0x09ce, {0x09a4, 0x09cd}},
};


static int32_t
spell_older(const UChar *in, int32_t n, UChar out[FOLDED])
{
    int32_t len = 0;

    for (int32_t i = 0; i < n; i++) {
        size_t k;

        for (k = 0; k < sizeof(older) / sizeof(older[0]); k++)
            if (older[k].from == in[i])
                break;
        if (k < sizeof(older) / sizeof(older[0])) {
            out[len++] = older[k].to[0];
            if (older[k].to[1] != 0)
                out[len++] = older[k].to[1];
        } else {
            out[len++] = in[i];
        }
    }
    return len;
}


static bool
add(char *letters, size_t *n, const char *more)
{
    size_t len = strlen(more);

    if (*n + len > ABDM_NAME_WORD)
        return false;
    memcpy(letters + *n, more, len + 1);
    *n += len;
    return true;
}


/* ISO 15919, decomposed, as people spell it: c is ch, s with a mark sh, r with a ring ri. Of a
 * long a at the end `*long_end` tells. */
static bool
spell_iso(const UChar *in, int32_t n, char *letters, bool *long_end)
{
    size_t len = 0;

    letters[0] = '\0';
    *long_end = false;
    for (int32_t i = 0; i < n; i++) {
        char c[3] = {in[i] < 0x80 ? (char) in[i] : '\0', '\0', '\0'};
        UChar mark = i + 1 < n && in[i + 1] >= 0x300 && in[i + 1] < 0x370 ? in[i + 1] : 0;

        if (c[0] < 'a' || c[0] > 'z')
            continue;
        *long_end = mark == 0x304;
        if (c[0] == 'c' || (c[0] == 's' && (mark == 0x301 || mark == 0x323)))
            c[1] = 'h';
        else if (c[0] == 'r' && mark == 0x325)
            c[1] = 'i';
        else if (c[0] == 'm' && (mark == 0x307 || mark == 0x323 || mark == 0x310))
            c[0] = 'n';
        else if (c[0] == 'l' && mark == 0x331)
            memcpy(c, "zh", 2); /* the letter of Pazhani and Tamizh */
        if (!add(letters, &len, c))
            return false;
    }
    return true;
}


/* Hindi and its neighbours do not speak the short a at the end of a word after one consonant,
 * and may not speak it after several. */
static void
drop_end(abdm_word_t *word, UScriptCode script, bool long_end)
{
    size_t n = strlen(word->letters);
    bool north = script == USCRIPT_DEVANAGARI || script == USCRIPT_GUJARATI
                 || script == USCRIPT_GURMUKHI || script == USCRIPT_BENGALI
                 || script == USCRIPT_ORIYA;

    if (!north || long_end || n < 3 || word->letters[n - 1] != 'a')
        return;
    if (strchr("aeiou", word->letters[n - 3]) != NULL
        || (n > 3 && word->letters[n - 2] == 'h' && strchr("aeiou", word->letters[n - 4]) != NULL
            && strchr("bcdgjkpst", word->letters[n - 3]) != NULL))
        word->letters[n - 1] = '\0';
    else
        word->silent = true;
}


/* Letters of Arabic script by sound; what is not here (marks of vowels) is left out. */
static const struct {
    char letter;
    UChar points[6];
} arabic[] = {
    {'A', {0x0627, 0x0622, 0x0623, 0x0625, 0x0671}},
    {'b', {0x0628}},
    {'p', {0x067e}},
    {'t', {0x062a, 0x0637, 0x0679, 0x0629}},
    {'s', {0x062b, 0x0633, 0x0635, 0x0634}},
    {'j', {0x062c, 0x0630, 0x0632, 0x0636, 0x0638, 0x0698}},
    {'C', {0x0686}},
    {'h', {0x062d, 0x0647, 0x06c1, 0x06be}},
    {'H', {0x06c3}},
    {'k', {0x062e, 0x0642, 0x0643, 0x06a9}},
    {'d', {0x062f, 0x0688}},
    {'r', {0x0631, 0x0691}},
    {'E', {0x0639, 0x0621}},
    {'g', {0x063a, 0x06af}},
    {'f', {0x0641}},
    {'l', {0x0644}},
    {'m', {0x0645}},
    {'n', {0x0646, 0x06ba}},
    {'W', {0x0648, 0x0624}},
    {'Y', {0x06cc, 0x064a, 0x0649, 0x0626, 0x06d2}},
};


static char
arabic_letter(UChar c)
{
    for (size_t k = 0; k < sizeof(arabic) / sizeof(arabic[0]); k++)
        for (size_t i = 0; i < 6 && arabic[k].points[i] != 0; i++)
            if (arabic[k].points[i] == c)
                return arabic[k].letter;
    return '\0';
}


static bool
spell_arabic(const UChar *in, int32_t n, char *letters)
{
    size_t len = 0;

    letters[0] = '\0';
    for (int32_t i = 0; i < n; i++) {
        char c[2] = {arabic_letter(in[i]), '\0'};

        if (c[0] == 'h' && len > 0
            && (letters[len - 1] == 'h'
                || (in[i] == 0x6be && strchr("kgjCdbt", letters[len - 1]) != NULL)))
            continue; /* an aspirate is one sound in a loose key */
        if (c[0] != '\0' && (len == 0 || letters[len - 1] != c[0]) && !add(letters, &len, c))
            return false;
    }
    if (len > 2 && letters[len - 1] == 'h')
        letters[len - 1] = 'H';
    return true;
}


/* One word of another script than plain Latin. False: does not fit, or ICU failed. */
static bool
fold(abdm_parser_t *parser, const UChar *in, int32_t n, abdm_word_t *word)
{
    UChar text[FOLDED];
    UChar32 first;
    UErrorCode status = U_ZERO_ERROR;
    UScriptCode script;
    int32_t len = spell_older(in, n, text), limit;
    bool indic, long_end = false;
    size_t out = 0;

    U16_GET(in, 0, 0, n, first);
    script = uscript_getScript(first, &status);
    indic = first >= 0x0900 && first < 0x0d80; /* the blocks from Devanagari to Malayalam */
    word->tamil = script == USCRIPT_TAMIL;
    word->skeleton = script == USCRIPT_ARABIC;
    if (word->skeleton)
        return spell_arabic(in, n, word->letters);

    limit = len;
    utrans_transUChars(indic ? parser->indic : parser->latin, text, &len, FOLDED, 0, &limit,
                       &status);
    if (U_FAILURE(status) || len > FOLDED)
        return false;
    if (indic) {
        if (!spell_iso(text, len, word->letters, &long_end))
            return false;
        drop_end(word, script, long_end);
        return true;
    }
    for (int32_t i = 0; i < len; i++) {
        char c[2] = {text[i] < 0x80 ? (char) text[i] : '\0', '\0'};

        if (((c[0] >= 'a' && c[0] <= 'z') || (c[0] >= '0' && c[0] <= '9'))
            && !add(word->letters, &out, c))
            return false;
    }
    return true;
}


static abdm_word_t *
new_word(abdm_name_t *name)
{
    abdm_word_t *word;

    if (name->n == ABDM_NAME_WORDS)
        return NULL;
    word = &name->words[name->n++];
    memset(word, 0, sizeof(*word));
    return word;
}


static bool
add_letters(abdm_parser_t *parser, abdm_name_t *name, const char *letters, size_t n)
{
    abdm_word_t *word = new_word(name);

    if (word == NULL)
        return false;
    memcpy(word->letters, letters, n);
    word->letters[n] = '\0';
    abdm_word_keys(parser, word);
    if (n == 1 && letters[0] >= 'a')
        word->info.kind = ABDM_WORD_INITIAL;
    return true;
}


/* RK and AK are initials, said as two letters; Ch and Sh are one. Two letters that are a name
 * (Om) or a title stand in the table. */
static bool
are_initials(const abdm_word_t *word)
{
    const char *s = word->letters;
    size_t n = strlen(s);

    if (word->info.group >= 0 || n < 2 || n > 3)
        return false;
    return strpbrk(s, "aeiou") == NULL || (n == 2 && strchr("aeiou", s[1]) == NULL);
}


/* Rameshbhai and Jayaben are a name and a word of respect. */
static bool
split_respect(abdm_parser_t *parser, abdm_name_t *name, abdm_word_t *word)
{
    static const char *const ends[] = {"bhai", "behn", "ben"};
    size_t n = strlen(word->letters);

    if (word->info.group >= 0)
        return true;
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        size_t len = strlen(ends[i]);

        if (n < len + 3 || strcmp(word->letters + n - len, ends[i]) != 0)
            continue;
        word->letters[n - len] = '\0';
        word->silent = word->letters[n - len - 1] == 'a';
        abdm_word_keys(parser, word);
        return add_letters(parser, name, ends[i], len);
    }
    return true;
}


/* With an a at the end that may be silent, the table knows better: Singh, not Sinha. */
static void
try_shorter(const abdm_parser_t *parser, abdm_word_t *word)
{
    abdm_word_t shorter = *word;

    if (!word->silent)
        return;
    shorter.letters[strlen(shorter.letters) - 1] = '\0';
    shorter.silent = false;
    abdm_word_keys(parser, &shorter);
    if (shorter.info.group >= 0)
        *word = shorter;
}


static bool
take_word(abdm_parser_t *parser, abdm_name_t *name, const UChar *in, int32_t n)
{
    abdm_word_t *word = new_word(name);
    bool plain = true, digits = true;
    size_t len = 0;

    if (word == NULL)
        return false;
    for (int32_t i = 0; i < n; i++) {
        plain = plain && in[i] < 0x80;
        digits = digits && u_charType(in[i]) == U_DECIMAL_DIGIT_NUMBER;
    }
    if (plain) {
        for (int32_t i = 0; i < n; i++)
            if (!add(word->letters, &len, (char[2]){(char) u_tolower(in[i]), '\0'}))
                return false;
    } else if (!fold(parser, in, n, word)) {
        return false;
    }
    if (word->letters[0] == '\0') {
        name->n--;
        return true;
    }
    abdm_word_keys(parser, word);
    try_shorter(parser, word);
    if (digits || (len > 1 && strspn(word->letters, "i") == len)) /* 2, II */
        word->info.kind = ABDM_WORD_ORDINAL;
    else if (word->letters[1] == '\0' && !word->skeleton)
        word->info.kind = ABDM_WORD_INITIAL;
    if (plain && are_initials(word)) {
        char both[ABDM_NAME_WORD + 1];
        bool digraph = strlen(word->letters) == 2 && word->letters[1] == 'h';

        memcpy(both, word->letters, sizeof(both));
        name->n--;
        for (size_t i = 0; both[i] != '\0' && (i == 0 || !digraph); i++)
            if (!add_letters(parser, name, both + i, 1))
                return false;
        return true;
    }
    return word->skeleton || split_respect(parser, name, word);
}


/* Titles count as such where they may; when nothing else is left, they are the name. */
static void
settle_titles(abdm_name_t *name)
{
    bool leading = true, rest = false;

    for (size_t i = 0; i < name->n; i++) {
        abdm_word_kind_t *kind = &name->words[i].info.kind;

        if ((*kind == ABDM_WORD_LEAD && !leading) || (*kind == ABDM_WORD_RESPECT && leading))
            *kind = ABDM_WORD_GIVEN;
        leading = leading && (*kind == ABDM_WORD_LEAD || *kind == ABDM_WORD_TITLE);
        rest = rest || !leading;
    }
    for (size_t i = 0; i < name->n && !rest; i++)
        name->words[i].info.kind = ABDM_WORD_GIVEN;
}


static bool
in_word(UChar32 c)
{
    int8_t type = u_charType(c);

    return u_isalpha(c) || type == U_NON_SPACING_MARK || type == U_COMBINING_SPACING_MARK
           || type == U_DECIMAL_DIGIT_NUMBER || c == 0x200c || c == 0x200d;
}


/* At S/O and the like: how many units the mark takes, and whether it is a baby's. */
static int32_t
relation(const UChar *p, int32_t n, bool *baby)
{
    static const UChar marks[] = {'s', 'd', 'w', 'c', 'h', 'b', 0};
    UChar first;

    if (n < 3 || p[1] != '/' || u_tolower(p[2]) != 'o' || (n > 3 && in_word(p[3])))
        return 0;
    first = (UChar) u_tolower(p[0]);
    *baby = first == 'b';
    return u_strchr(marks, first) != NULL ? 3 : 0;
}


bool
abdm_parser_read(abdm_parser_t *parser, abdm_str_t text, abdm_name_t *out)
{
    UChar units[2 * ABDM_NAME_POINTS], word[2 * ABDM_NAME_POINTS];
    int32_t n = 0, len = 0, at = 0;
    int32_t bytes = text.len < INT32_MAX ? (int32_t) text.len : INT32_MAX;

    out->n = 0;
    for (int32_t points = 0; at < bytes && points < ABDM_NAME_POINTS; points++) {
        UChar32 c;

        U8_NEXT(text.p, at, bytes, c);
        if (c < 0)
            return false;
        U16_APPEND_UNSAFE(units, n, c);
    }
    for (int32_t i = 0, next = 0; i <= n; i = next) {
        UChar32 c = ' ';
        bool baby = false;

        if (i < n) {
            next = i;
            U16_NEXT(units, next, n, c);
        } else {
            next = n + 1;
        }
        if (len == 0 && relation(units + i, n - i, &baby) != 0) {
            next = i + 3;
            if (baby && !add_letters(parser, out, "baby", 4)) {
                out->n = 0;
                return false;
            }
            continue;
        }
        if (in_word(c)) {
            if (c != 0x200c && c != 0x200d)
                U16_APPEND_UNSAFE(word, len, c);
        } else if (c != '\'' && c != 0x2019 && len > 0) {
            if (!take_word(parser, out, word, len)) {
                out->n = 0;
                return false;
            }
            len = 0;
        }
    }
    settle_titles(out);
    return out->n > 0;
}
