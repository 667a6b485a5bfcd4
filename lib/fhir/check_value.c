/*
 * Single values: the forms of FHIR's primitive types (R4, "Data Types"), value sets and fixed
 * values.
 */
#include <string.h>

#include "core/json.h"
#include "fhir/check_internal.h"

enum { QUOTED = 48 }; /* bytes of a wrong code that a text shows */

#define DIGITS "0123456789"
#define HEX    DIGITS "abcdef"
#define UPPER  "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define LOWER  "abcdefghijklmnopqrstuvwxyz"
#define ALNUM  DIGITS UPPER LOWER
#define SPACES " \t\r\n"


/* --- forms --- */

/* Two digits at p between low and high, else -1. */
static int
two_digits(const char *p, int low, int high)
{
    if (p[0] < '0' || p[0] > '9' || p[1] < '0' || p[1] > '9')
        return -1;
    int n = (p[0] - '0') * 10 + p[1] - '0';
    return n >= low && n <= high ? n : -1;
}


static bool
day_is_in_month(int year, int month, int day)
{
    static const int days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return day <= days[month - 1] && (month != 2 || day < 29 || leap);
}


/* hh:mm:ss and a fraction; *end is what follows. */
static bool
is_clock(const char *p, const char **end)
{
    if (two_digits(p, 0, 23) < 0 || p[2] != ':' || two_digits(p + 3, 0, 59) < 0 || p[5] != ':' ||
        two_digits(p + 6, 0, 60) < 0)
        return false;
    p += 8;
    if (*p == '.') {
        size_t n = strspn(p + 1, DIGITS);
        if (n == 0)
            return false;
        p += 1 + n;
    }
    *end = p;
    return true;
}


static bool
is_zone(const char *p)
{
    if (strcmp(p, "Z") == 0)
        return true;
    return (p[0] == '+' || p[0] == '-') && two_digits(p + 1, 0, 14) >= 0 && p[3] == ':' &&
           two_digits(p + 4, 0, 59) >= 0 && p[6] == '\0';
}


/* How much of a date and time the text has: 0 not one, 1 year, 2 month, 3 day, 4 with a time. */
static int
date_parts(const char *p)
{
    int century = two_digits(p, 0, 99);
    int year = century < 0 ? -1 : two_digits(p + 2, 0, 99);

    if (year < 0)
        return 0;
    year += century * 100;
    if (p[4] == '\0')
        return 1;
    int month = p[4] == '-' ? two_digits(p + 5, 1, 12) : -1;
    if (month < 0)
        return 0;
    if (p[7] == '\0')
        return 2;
    int day = p[7] == '-' ? two_digits(p + 8, 1, 31) : -1;
    if (day < 0 || !day_is_in_month(year, month, day))
        return 0;
    if (p[10] == '\0')
        return 3;
    return p[10] == 'T' && is_clock(p + 11, &p) && is_zone(p) ? 4 : 0;
}


static bool
is_date(const char *z)
{
    int n = date_parts(z);

    return n >= 1 && n <= 3;
}


static bool
is_date_time(const char *z)
{
    return date_parts(z) != 0;
}


static bool
is_instant(const char *z)
{
    return date_parts(z) == 4;
}


static bool
is_time(const char *z)
{
    return is_clock(z, &z) && *z == '\0';
}


static bool
is_text(const char *z)
{
    return z[strspn(z, SPACES)] != '\0';
}


static bool
is_uri(const char *z)
{
    return z[strcspn(z, SPACES)] == '\0';
}


/* No white space at the ends, no two in a row within. */
static bool
is_code(const char *z)
{
    for (;;) {
        size_t n = strcspn(z, SPACES);
        if (n == 0)
            return false;
        z += n;
        if (*z == '\0')
            return true;
        z++;
    }
}


static bool
is_id(const char *z)
{
    size_t n = strspn(z, ALNUM "-.");

    return n >= 1 && n <= 64 && z[n] == '\0';
}


static bool
is_oid(const char *z)
{
    return strncmp(z, "urn:oid:", 8) == 0 && z[8] >= '0' && z[8] <= '2' && z[9] == '.' &&
           z[8 + strspn(z + 8, DIGITS ".")] == '\0';
}


static bool
is_uuid(const char *z)
{
    static const char form[] = "urn:uuid:hhhhhhhh-hhhh-hhhh-hhhh-hhhhhhhhhhhh";

    for (size_t i = 0; i < sizeof form - 1; i++) {
        bool digit = form[i] == 'h' && i > 8; /* urn:uuid: has no h */
        if (z[i] == '\0' || (digit ? strchr(HEX, z[i]) == NULL : z[i] != form[i]))
            return false;
    }
    return z[sizeof form - 1] == '\0';
}


static bool
is_xhtml(const char *z)
{
    const char *end = strchr(z, '>');
    const char *name = strstr(z, "xmlns=\"http://www.w3.org/1999/xhtml\"");

    return strncmp(z, "<div", 4) == 0 && end != NULL && name != NULL && name < end;
}


/* Standard alphabet; white space is allowed by FHIR. */
static bool
is_base64(const char *z)
{
    static const char kinds[256] = {
        ['A' ... 'Z'] = 1, ['a' ... 'z'] = 1, ['0' ... '9'] = 1, ['+'] = 1,  ['/'] = 1,
        ['='] = 2,         [' '] = 3,         ['\t'] = 3,        ['\r'] = 3, ['\n'] = 3,
    };
    size_t n = 0, padding = 0;

    for (const unsigned char *p = (const unsigned char *) z; *p != '\0'; p++) {
        char kind = kinds[*p];
        if (kind == 0 || (kind == 1 && padding > 0))
            return false;
        n += kind != 3;
        padding += kind == 2;
    }
    return n % 4 == 0 && padding <= 2;
}


static bool
is_mime_type(const char *z)
{
    static const char token[] = ALNUM "!#$&^_.+-";
    size_t n = strspn(z, token);

    if (n == 0 || z[n] != '/')
        return false;
    z += n + 1;
    n = strspn(z, token);
    z += n;
    z += strspn(z, SPACES);
    return n > 0 && (*z == '\0' || *z == ';');
}


/* --- primitive types --- */

static const struct {
    const char *type;
    bool (*fits)(const char *z);
    abdm_finding_code_t code;
} texts[] = {
    {"string", is_text, ABDM_F_EMPTY},
    {"code", is_code, ABDM_F_FORMAT},
    {"uri", is_uri, ABDM_F_FORMAT},
    {"dateTime", is_date_time, ABDM_F_DATE},
    {"date", is_date, ABDM_F_DATE},
    {"instant", is_instant, ABDM_F_DATE},
    {"base64Binary", is_base64, ABDM_F_BASE64},
    {"xhtml", is_xhtml, ABDM_F_NARRATIVE},
    {"markdown", is_text, ABDM_F_EMPTY},
    {"id", is_id, ABDM_F_FORMAT},
    {"url", is_uri, ABDM_F_FORMAT},
    {"canonical", is_uri, ABDM_F_FORMAT},
    {"time", is_time, ABDM_F_DATE},
    {"uuid", is_uuid, ABDM_F_FORMAT},
    {"oid", is_oid, ABDM_F_FORMAT},
};


static bool
is(abdm_str_t type, const char *name)
{
    return abdm_str_eq(type, abdm_str(name));
}


/* Numbers and booleans; *fits is whether the value is one. */
static bool
is_number_type(const json_t *value, abdm_str_t type, bool *fits)
{
    json_int_t n = json_integer_value(value);

    if (is(type, "boolean"))
        *fits = json_is_boolean(value);
    else if (is(type, "decimal"))
        *fits = json_is_number(value);
    else if (is(type, "integer"))
        *fits = json_is_integer(value);
    else if (is(type, "unsignedInt"))
        *fits = json_is_integer(value) && n >= 0;
    else if (is(type, "positiveInt"))
        *fits = json_is_integer(value) && n > 0;
    else
        return false;
    return true;
}


bool
abdm_check_primitive(abdm_check_t *c, const json_t *value, abdm_str_t type)
{
    bool fits;

    if (is_number_type(value, type, &fits)) {
        if (!fits)
            abdm_check_found(c, json_is_number(value) ? ABDM_F_FORMAT : ABDM_F_SHAPE, NULL,
                             "a value of type %.*s expected", (int) type.len, type.p);
        return true;
    }
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (!is(type, texts[i].type))
            continue;
        const char *z = json_string_value(value);
        if (z == NULL)
            abdm_check_found(c, ABDM_F_SHAPE, NULL, "a text (%s) expected", texts[i].type);
        else if (*z == '\0')
            abdm_check_found(c, ABDM_F_EMPTY, NULL, "an empty text: FHIR leaves it out");
        else if (!texts[i].fits(z))
            abdm_check_found(c, texts[i].code, NULL, "not of the form of %s%s", texts[i].type,
                             is(type, "instant") ? ": a date, a time with seconds, a zone" : "");
        return true;
    }
    return false;
}


/* --- value sets --- */

static void
check_code(abdm_check_t *c, const char *set, const char *code, bool required)
{
    if (code == NULL || abdm_value_set_has(set, NULL, code))
        return;
    abdm_check_found(c, required ? ABDM_F_CODE : ABDM_F_CODE_UNUSUAL, NULL,
                     "'%.*s' is not in the list %s", QUOTED, code, set);
}


static bool
set_has_coding(const char *set, const json_t *coding)
{
    const char *code = abdm_json_string_at(coding, "code");
    const char *system = abdm_json_string_at(coding, "system");

    /* A list that the table does not have takes even a coding without a code. */
    return code != NULL ? system != NULL && abdm_value_set_has(set, system, code)
                        : abdm_value_set_has(set, "", "");
}


static void
check_concept(abdm_check_t *c, const char *set, const json_t *concept, bool required)
{
    const json_t *codings = json_object_get(concept, "coding"), *coding;
    size_t i;

    if (json_array_size(codings) == 0) {
        if (required)
            abdm_check_found(c, ABDM_F_CODE, NULL, "a coding of the list %s expected", set);
        return;
    }
    json_array_foreach(codings, i, coding) {
        if (set_has_coding(set, coding))
            return;
    }
    const char *code = abdm_json_string_at(concept, "coding.0.code");
    abdm_check_found(c, required ? ABDM_F_CODE : ABDM_F_CODE_UNUSUAL, NULL,
                     "'%.*s' with its system is not in the list %s", QUOTED,
                     code == NULL ? "" : code, set);
}


void
abdm_check_binding(abdm_check_t *c, const json_t *value, const char *bind, abdm_str_t type)
{
    bool required = bind[0] == '!';
    const char *set = bind + 1, *text = json_string_value(value);

    if (strcmp(set, "mimetypes") == 0) {
        if (text != NULL && !is_mime_type(text))
            abdm_check_found(c, ABDM_F_CODE, NULL, "a MIME type like application/pdf expected");
        return;
    }
    if (text != NULL)
        check_code(c, set, text, required);
    else if (json_is_object(value) && (type.len == 0 || is(type, "CodeableConcept")))
        check_concept(c, set, value, required);
}


void
abdm_check_fixed(abdm_check_t *c, const json_t *value, const abdm_element_t *row)
{
    const char *z = json_string_value(value);

    if (z != NULL && strcmp(z, row->fixed) == 0)
        return;
    abdm_check_found(c, strcmp(row->name, "system") == 0 ? ABDM_F_CODE_SYSTEM : ABDM_F_FIXED, NULL,
                     "%s must be \"%s\" (%s)", row->name, row->fixed, abdm_check_who(c));
}
