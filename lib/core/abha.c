/*
 * Normal forms of ABHA addresses, ABHA numbers and genders. The alphabet of addresses is that of
 * the gateway's own checks (gateway protocol 3.1); ASCII alone, so no locale can change it.
 */
#include "core/abha.h"

#include <string.h>

enum { NAME_MIN = 3 }; /* characters before the @ */


static char
lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char) (c - 'A' + 'a') : c;
}


static bool
is_letter(char c)
{
    return lower(c) >= 'a' && lower(c) <= 'z';
}


static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}


static bool
is_letter_or_digit(char c)
{
    return is_letter(c) || is_digit(c);
}


static bool
is_name(abdm_str_t s)
{
    if (s.len < NAME_MIN || !is_letter_or_digit(s.p[0]) || !is_letter_or_digit(s.p[s.len - 1]))
        return false;
    for (size_t i = 0; i < s.len; i++) {
        if (!is_letter_or_digit(s.p[i]) && s.p[i] != '_' && s.p[i] != '.')
            return false;
    }
    return true;
}


static bool
is_suffix(abdm_str_t s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (!is_letter(s.p[i]))
            return false;
    }
    return s.len > 0;
}


bool
abdm_abha_address_normal(abdm_str_t given, char **out)
{
    const char *at;

    *out = NULL;
    if (given.len == 0 || given.len > ABDM_ABHA_ADDRESS_BYTES ||
        (at = memchr(given.p, '@', given.len)) == NULL)
        return false;
    size_t name = (size_t) (at - given.p);
    if (!is_name((abdm_str_t){given.p, name}) ||
        !is_suffix((abdm_str_t){at + 1, given.len - name - 1}))
        return false;

    *out = abdm_str_dup(given);
    for (size_t i = 0; *out != NULL && i < given.len; i++)
        (*out)[i] = lower((*out)[i]);
    return true;
}


bool
abdm_abha_number_normal(abdm_str_t given, char **out)
{
    char digits[ABDM_ABHA_NUMBER_DIGITS];
    size_t n = 0;

    *out = NULL;
    for (size_t i = 0; i < given.len; i++) {
        if (given.p[i] == '-' || given.p[i] == ' ')
            continue;
        if (!is_digit(given.p[i]) || n == sizeof digits)
            return false;
        digits[n++] = given.p[i];
    }
    if (n != sizeof digits)
        return false;
    *out = abdm_str_dup((abdm_str_t){digits, n});
    return true;
}


const char *
abdm_gender_normal(abdm_str_t given)
{
    static const struct {
        const char *name, *gender;
    } rows[] = {
        {"M", "M"},     {"male", "M"},   {"F", "F"}, {"female", "F"},      {"O", "O"},
        {"other", "O"}, {"others", "O"}, {"T", "T"}, {"transgender", "T"}, {"D", "D"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (abdm_str_ieq(given, abdm_str(rows[i].name)))
            return rows[i].gender;
    }
    return "U";
}
