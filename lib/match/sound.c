/*
 * Keys of sound, see sound.h. The rules come from how Indian names are romanised in practice
 * (Hunterian spelling, southern th for a dental t, eastern and southern s for sh) and from the
 * schwa of Hindi and its neighbours, which is written in Devanagari and not spoken.
 */
#include "match/sound.h"

#include <string.h>


static bool
is_vowel(char c)
{
    return c != '\0' && strchr("aeiouW", c) != NULL;
}


static bool
is_consonant(char c)
{
    return c >= 'a' ? !is_vowel(c) : c == 'C' || c == 'S';
}


/* The key under construction; a sound does not follow itself. */
typedef struct {
    char *p;
    size_t len;
} sound_t;


static void
put(sound_t *key, char c)
{
    if (key->len == 0 || key->p[key->len - 1] != c || (c >= '0' && c <= '9'))
        key->p[key->len++] = c;
}


static char
last(const sound_t *key)
{
    return key->len == 0 ? '\0' : key->p[key->len - 1];
}


/* Letters that together are one sound: first match wins, so longer ones stand first. */
static const struct {
    const char *in;
    const char *out;
} clusters[] = {
    {"tch", "C"}, {"chh", "C"}, {"ch", "C"}, {"ck", "k"}, {"sh", "S"}, {"ph", "f"}, {"th", "t"},
    {"aa", "a"}, {"ee", "i"}, {"ii", "i"}, {"ei", "i"}, {"ie", "i"}, {"oo", "u"}, {"uu", "u"},
    {"au", "W"}, {"ou", "W"}, {"x", "ks"}, {"q", "k"}, {"w", "v"},
};


/* y is a consonant before a vowel, save after a consonant or i, where ya, ia and iya are one;
 * between consonants it is the ai of Telugu spelling (Vyshnavi). */
static void
put_y(sound_t *key, char before, char next)
{
    bool vowel_next = next == 'y' || is_vowel(next);

    if (vowel_next && (key->len == 0 || (is_vowel(before) && before != 'i'))) {
        put(key, 'y');
    } else if (!vowel_next && next != '\0' && is_consonant(before)) {
        put(key, 'a');
        put(key, 'i');
    } else if (before == 'e' && !vowel_next) {
        key->p[key->len - 1] = 'i'; /* Dubey, Reddey */
    } else {
        put(key, 'i');
    }
}


void
abdm_sound_strict(abdm_str_t letters, char out[ABDM_SOUND_KEY])
{
    sound_t key = {out, 0};
    size_t i = 0;

    if (letters.len > ABDM_SOUND_LETTERS)
        letters.len = ABDM_SOUND_LETTERS;
    while (i < letters.len) {
        abdm_str_t rest = {letters.p + i, letters.len - i};
        char c = rest.p[0];
        char next = rest.len > 1 ? rest.p[1] : '\0';
        size_t k, took = 1;

        for (k = 0; k < sizeof(clusters) / sizeof(clusters[0]); k++)
            if (abdm_str_starts(rest, abdm_str(clusters[k].in)))
                break;

        if (abdm_str_eq(rest, ABDM_LIT("que"))) {
            took = rest.len;
            put(&key, 'k'); /* Rafique */
        } else if (k < sizeof(clusters) / sizeof(clusters[0])) {
            took = strlen(clusters[k].in);
            for (const char *s = clusters[k].out; *s != '\0'; s++)
                put(&key, *s);
        } else if (c == 'o' && next == 'w' && (rest.len == 2 || !is_vowel(rest.p[2]))) {
            took = 2;
            put(&key, 'W'); /* Gowda is Gauda; Rowena keeps her v */
        } else if (c == 'y') {
            while (took < rest.len && rest.p[took] == 'y')
                took++;
            put_y(&key, last(&key), took < rest.len ? rest.p[took] : '\0');
        } else if (c == 'c') {
            put(&key, next == 'e' || next == 'i' || next == 'y' ? 's' : 'k');
        } else if (c == 'h' && rest.len == 1 && is_vowel(last(&key))) {
            break; /* Sarah, Shah */
        } else {
            put(&key, c);
        }
        i += took;
    }
    out[key.len] = '\0';
}


static void
cut(char *at, size_t n)
{
    memmove(at, at + n, strlen(at + n) + 1);
}


/* Takes out each short a that stands between single consonants and is not spoken, from the end
 * to the start as Hindi does. The same consonant on both sides, and a following y, keep it:
 * Ananya is not Anya, Sanaya is not Sania. */
static void
drop_schwa(char *key)
{
    size_t len = strlen(key);

    for (size_t i = len < 3 ? 0 : len - 2; i >= 2; i--) {
        char before = key[i - 1], next = key[i + 1];

        if (key[i] == 'a' && is_consonant(before) && is_vowel(key[i - 2]) && is_consonant(next)
            && before != next && next != 'y'
            && (is_vowel(key[i + 2]) || (key[i + 2] == 'r' && is_vowel(key[i + 3]))))
            cut(key + i, 1);
    }
}


/* The vowel r of Sanskrit is ri in the north and ru in the west: Krushna, Mrunal, Amruta. */
static void
fold_ru(char *at)
{
    if (is_consonant(at[0]) && strncmp(at + 1, "ru", 2) == 0 && is_consonant(at[3]))
        at[2] = 'i';
}


/* Sounds that regions write differently, applied wherever they stand. */
static void
fold_regions(char *key)
{
    for (size_t i = 0; key[i] != '\0'; i++) {
        if (strchr("kgjCdbt", key[i]) != NULL && key[i + 1] == 'h')
            cut(key + i + 1, 1);
        if (key[i] == 'z' && key[i + 1] == 'h') {
            cut(key + i + 1, 1);
            key[i] = 'l'; /* the Tamil and Malayalam letter: Pazhani, Palani */
        }
        if (key[i] == 'z')
            key[i] = 'j';
        if (key[i] == 'S')
            key[i] = 's';
    }
    if (strncmp(key, "dnia", 4) == 0) {
        cut(key, 1);
        key[0] = 'g'; /* Dnyaneshwar is Gyaneshwar */
    }
    for (size_t i = 0; key[i] != '\0'; i++) {
        if ((strncmp(key + i, "jna", 3) == 0 || strncmp(key + i, "gna", 3) == 0)
            && (i == 0 || is_vowel(key[i - 1])))
            memcpy(key + i, "gi", 2); /* Jnan and Gnan are Gyan, Prajna is Pragya */
        fold_ru(key + i);
        if (strncmp(key + i, "svam", 4) == 0)
            cut(key + i + 1, 1); /* Ramasamy */
        if (key[i] == 'n' && (key[i + 1] == 'b' || key[i + 1] == 'p'))
            key[i] = 'm';
    }
}


void
abdm_sound_loose(abdm_str_t letters, char key[ABDM_SOUND_KEY])
{
    size_t n = 0;

    abdm_sound_strict(letters, key);
    fold_regions(key);
    drop_schwa(key);
    for (size_t i = 0; key[i] != '\0'; i++) {
        char c = key[i];

        if (c == 'y' && !is_vowel(key[i + 1]))
            c = 'i'; /* Jayashri without its schwa is Jaishri */
        if (n == 0 || key[n - 1] != c)
            key[n++] = c;
    }
    key[n] = '\0';
}


void
abdm_sound_tamil(char *key)
{
    static const char from[] = "ghdbfCv", to[] = "kktppsv";
    size_t n = 0;

    for (size_t i = 0; key[i] != '\0'; i++) {
        const char *p = strchr(from, key[i]);

        if (p != NULL)
            key[i] = to[p - from];
    }
    for (size_t i = 0; key[i] != '\0'; i++) {
        if (strchr("kptv", key[i]) != NULL && (key[i + 1] == 'i' || key[i + 1] == 'u')
            && key[i + 2] == 'r' && is_vowel(key[i + 3]))
            cut(key + i + 1, 1);
        fold_ru(key + i);
    }
    for (size_t i = 0; key[i] != '\0'; i++)
        if (n == 0 || key[n - 1] != key[i])
            key[n++] = key[i];
    key[n] = '\0';
}


/* Letters of the skeleton beside the consonants of keys: A alif, W waw, Y ye, E ain and hamza,
 * H a he at the end. */
static bool
sounds_as(char letter, bool first, char c)
{
    switch (letter) {
    case 'A':
        return first ? is_vowel(c) : c == 'a';
    case 'W':
        return c == 'u' || c == 'o' || c == 'v' || c == 'W';
    case 'Y':
        return c == 'i' || c == 'e' || c == 'y';
    case 'E':
        return is_vowel(c);
    case 'H':
        return c == 'a' || c == 'h';
    default:
        return letter == c;
    }
}


bool
abdm_sound_reads(const char *skeleton, const char *loose)
{
    enum { MOST = 63, SKIP = 2 };
    size_t n = strlen(skeleton), m = strlen(loose);
    uint64_t at = 1; /* bit j: the letters so far may have been read as loose[0..j) */

    if (n == 0 || n > MOST || m > MOST)
        return false;
    for (size_t i = 0; i < n; i++) {
        uint64_t next = skeleton[i] == 'E' ? at : 0;

        for (size_t j = 0; j <= m; j++) {
            if ((at >> j & 1) == 0)
                continue;
            for (size_t skip = 0; j + skip < m && skip <= SKIP; skip++) {
                if (sounds_as(skeleton[i], i == 0, loose[j + skip]))
                    next |= UINT64_C(1) << (j + skip + 1);
                if (i == 0 || !is_vowel(loose[j + skip]))
                    break;
            }
        }
        at = next;
    }
    return (at >> m & 1) != 0;
}
