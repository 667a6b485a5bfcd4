/* Members of bodies and queries, one reader per kind of value (see decode.h). */
#include "api/decode.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/abha.h"
#include "core/json.h"
#include "match/patient.h"

enum { YEAR_FIRST = 1900, VERSION = 255, HI_TYPE = 64, TIME = 40 };


/* --- faults and places --- */

abdm_api_in_t
abdm_api_in(const json_t *json, abdm_api_fault_t *fault)
{
    return (abdm_api_in_t){.json = json, .fault = fault};
}


static void
join(char out[ABDM_API_AT], const char *path, const char *name)
{
    (void) snprintf(out, ABDM_API_AT, "%.46s%s%.46s", path,
                    *path != '\0' && *name != '\0' ? "." : "", name);
}


void
abdm_api_blame(const abdm_api_in_t *in, const char *name, abdm_err_t err)
{
    if (abdm_failed(in->fault->err)) {
        return;
    }
    in->fault->err = err;
    join(in->fault->at, in->path, name);
}


static bool
faulty(const abdm_api_in_t *in)
{
    return abdm_failed(in->fault->err);
}


json_t *
abdm_api_body(const char *body, size_t len, bool list, abdm_api_fault_t *fault)
{
    abdm_api_in_t in = abdm_api_in(NULL, fault);
    json_t *json = NULL;
    abdm_err_t err;

    if (body == NULL || len == 0) {
        abdm_api_blame(&in, "", ABDM_ERR(FIELD, "a body is expected"));
        return NULL;
    }
    err = abdm_json_parse(body, len, ABDM_JSON_DEPTH, &json);
    if (!abdm_failed(err) && (list ? !json_is_array(json) : !json_is_object(json))) {
        err = list ? ABDM_ERR(FIELD, "a list is expected")
                   : ABDM_ERR(FIELD, "an object is expected");
    }
    if (abdm_failed(err)) {
        abdm_api_blame(&in, "", err);
        json_decref(json);
        json = NULL;
    }
    return json;
}


abdm_api_in_t
abdm_api_item(const abdm_api_in_t *in, const char *name, size_t i)
{
    const json_t *list = *name != '\0' ? json_object_get(in->json, name) : in->json;
    abdm_api_in_t item = {.json = json_array_get(list, i), .fault = in->fault};
    char place[ABDM_API_AT];

    join(place, in->path, name);
    (void) snprintf(item.path, sizeof(item.path), "%.60s%s%zu", place, *place != '\0' ? "." : "",
                    i);
    if (!json_is_object(item.json)) {
        abdm_api_blame(&item, "", ABDM_ERR(FIELD, "an object is expected"));
    }
    return item;
}


abdm_api_in_t
abdm_api_object(const abdm_api_in_t *in, const char *name)
{
    abdm_api_in_t member = {.json = json_object_get(in->json, name), .fault = in->fault};

    join(member.path, in->path, name);
    if (!json_is_object(member.json)) {
        abdm_api_blame(&member, "", ABDM_ERR(FIELD, "an object is expected"));
    }
    return member;
}


/* --- values --- */

/* The member, NULL when it is absent or null. */
static const json_t *
value_of(const abdm_api_in_t *in, const char *name)
{
    const json_t *value = json_object_get(in->json, name);

    return json_is_null(value) ? NULL : value;
}


const json_t *
abdm_api_list(const abdm_api_in_t *in, const char *name, size_t max)
{
    const json_t *list = *name != '\0' ? value_of(in, name) : in->json;

    if (faulty(in)) {
        return NULL;
    }
    if (!json_is_array(list)) {
        abdm_api_blame(in, name, ABDM_ERR(FIELD, "a list is expected"));
        return NULL;
    }
    if (json_array_size(list) == 0) {
        abdm_api_blame(in, name, ABDM_ERR(FIELD, "it is empty"));
        return NULL;
    }
    if (json_array_size(list) > max) {
        abdm_api_blame(in, name, ABDM_ERR(FIELD, "it is too long for one call"));
        return NULL;
    }
    return list;
}


const char *
abdm_api_text(const abdm_api_in_t *in, const char *name, size_t max, bool required)
{
    const json_t *value = value_of(in, name);
    const char *text;

    if (faulty(in)) {
        return NULL;
    }
    if (value == NULL) {
        if (required) {
            abdm_api_blame(in, name, ABDM_ERR(FIELD, "it is missing"));
        }
        return NULL;
    }
    text = json_string_value(value);
    if (text == NULL) {
        abdm_api_blame(in, name, ABDM_ERR(FIELD, "a text is expected"));
        return NULL;
    }
    if (text[0] == '\0') {
        if (required) {
            abdm_api_blame(in, name, ABDM_ERR(FIELD, "it is empty"));
        }
        return NULL;
    }
    if (json_string_length(value) > max) {
        abdm_api_blame(in, name, ABDM_ERR(FIELD, "it is too long"));
        return NULL;
    }
    for (const char *p = text; *p != '\0'; p++) {
        if ((unsigned char) *p < ' ' || *p == 0x7f) {
            abdm_api_blame(in, name, ABDM_ERR(FIELD, "it has control characters"));
            return NULL;
        }
    }
    return text;
}


/* A text made of letters and digits and of `others`. */
static const char *
text_of(const abdm_api_in_t *in, const char *name, size_t max, const char *others, bool required)
{
    const char *text = abdm_api_text(in, name, max, required);

    for (const char *p = text; p != NULL && *p != '\0'; p++) {
        bool plain = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z')
                     || (*p >= '0' && *p <= '9');

        if (!plain && strchr(others, *p) == NULL) {
            abdm_api_blame(in, name, ABDM_ERR(FIELD, "it has a character that is not allowed"));
            return NULL;
        }
    }
    return text;
}


const char *
abdm_api_reference(const abdm_api_in_t *in, const char *name, bool required)
{
    return text_of(in, name, ABDM_API_REFERENCE, "_-@,. ()/:\\", required);
}


const char *
abdm_api_id(const abdm_api_in_t *in, const char *name, bool required)
{
    return text_of(in, name, ABDM_API_ID, "-_.", required);
}


static void
keep(const abdm_api_in_t *in, const char *text, char **out)
{
    if (text == NULL || faulty(in)) {
        return;
    }
    *out = strdup(text);
    if (*out == NULL) {
        abdm_api_blame(in, "", ABDM_ERR(MEMORY, "body"));
    }
}


/* --- patients --- */

static void
read_gender(const abdm_api_in_t *in, char **out)
{
    const char *text = abdm_api_text(in, "gender", HI_TYPE, true), *normal;

    if (text == NULL) {
        return;
    }
    normal = abdm_gender_normal(abdm_str(text));
    if (normal[0] == 'U' && text[0] != 'U' && text[0] != 'u') {
        abdm_api_blame(in, "gender", ABDM_ERR(FIELD, "one of M, F, O, D, T and U is expected"));
        return;
    }
    keep(in, normal, out);
}


static void
read_mobile(const abdm_api_in_t *in, const char *name, bool required, char **out)
{
    const char *text = abdm_api_text(in, name, ABDM_API_ID, required);
    char digits[ABDM_MOBILE_TEXT];

    if (text == NULL) {
        return;
    }
    if (!abdm_mobile_digits(abdm_str(text), digits)) {
        abdm_api_blame(in, name, ABDM_ERR(FIELD, "a mobile number is expected"));
        return;
    }
    keep(in, digits, out);
    abdm_wipe(digits, sizeof(digits));
}


typedef bool (*normal_fn)(abdm_str_t given, char **out);


static void
read_abha(const abdm_api_in_t *in, const char *name, normal_fn normal, bool required, char **out)
{
    const char *text = abdm_api_text(in, name, ABDM_ABHA_ADDRESS_BYTES, required);

    if (text == NULL) {
        return;
    }
    if (!normal(abdm_str(text), out)) {
        abdm_api_blame(in, name, ABDM_ERR(FIELD, "it has not the form of an ABHA"));
    } else if (*out == NULL) {
        abdm_api_blame(in, name, ABDM_ERR(MEMORY, "body"));
    }
}


static int
year_of(abdm_ms_t t)
{
    char text[ABDM_TIME_TEXT];

    abdm_time_format(t, text);
    return atoi(text);
}


static void
check_year(const abdm_api_in_t *in, const char *name, int64_t year, abdm_ms_t now)
{
    if (year < YEAR_FIRST || year > year_of(now)) {
        abdm_api_blame(in, name, ABDM_ERR(FIELD, "a year from 1900 until now is expected"));
    }
}


/* "1989-01-23" → 1989; 0 when absent. */
static int64_t
read_birth_date(const abdm_api_in_t *in, const char *name, bool required, abdm_ms_t now)
{
    const char *text = abdm_api_text(in, name, TIME, required);
    abdm_ms_t t;

    if (text == NULL) {
        return 0;
    }
    if (strlen(text) != strlen("1989-01-23") || abdm_failed(abdm_time_parse(abdm_str(text), &t))) {
        abdm_api_blame(in, name, ABDM_ERR(FIELD, "a date like 1989-01-23 is expected"));
        return 0;
    }
    if (t > now) {
        abdm_api_blame(in, name, ABDM_ERR(FIELD, "it is in the future"));
        return 0;
    }
    check_year(in, name, year_of(t), now);
    return year_of(t);
}


static int64_t
read_year_of_birth(const abdm_api_in_t *in, abdm_ms_t now)
{
    int64_t of_date = read_birth_date(in, "birthDate", false, now), year = 0;
    const json_t *value = value_of(in, "yearOfBirth");

    if (faulty(in)) {
        return 0;
    }
    if (value == NULL) {
        if (of_date == 0) {
            abdm_api_blame(in, "yearOfBirth",
                           ABDM_ERR(FIELD, "it is missing, and so is birthDate"));
        }
        return of_date;
    }
    if (!abdm_json_int_at(in->json, "yearOfBirth", &year)) {
        abdm_api_blame(in, "yearOfBirth", ABDM_ERR(FIELD, "a number is expected"));
        return 0;
    }
    check_year(in, "yearOfBirth", year, now);
    if (of_date != 0 && of_date != year) {
        abdm_api_blame(in, "yearOfBirth", ABDM_ERR(FIELD, "it is not the year of birthDate"));
    }
    return year;
}


void
abdm_api_patient(const abdm_api_in_t *in, abdm_api_flavour_t flavour, abdm_ms_t now,
                 abdm_row_patient_t *out)
{
    bool nha = flavour == ABDM_API_NHA;

    memset(out, 0, sizeof(*out));
    keep(in, abdm_api_reference(in, nha ? "patientReference" : "reference", true), &out->ref);
    keep(in, abdm_api_text(in, "name", ABDM_API_NAME, true), &out->name);
    read_gender(in, &out->gender);
    out->year_of_birth = nha ? read_birth_date(in, "dateOfBirth", true, now)
                             : read_year_of_birth(in, now);
    read_abha(in, "abhaAddress", abdm_abha_address_normal, nha, &out->abha_address);
    read_abha(in, "abhaNumber", abdm_abha_number_normal, false, &out->abha_number);
    read_mobile(in, nha ? "patientMobile" : "mobile", out->abha_address == NULL, &out->mobile);
}


/* --- care contexts --- */

static abdm_hi_types_t
type_of(const abdm_api_in_t *in, const char *name, const json_t *value)
{
    const char *text = json_string_value(value);
    abdm_hi_type_t type;

    if (text == NULL || !abdm_hi_type_parse_record(abdm_str(text), &type)) {
        abdm_api_blame(in, name, ABDM_ERR(FIELD, "a type of health information is expected"));
        return 0;
    }
    return 1u << type;
}


abdm_hi_types_t
abdm_api_hi_types(const abdm_api_in_t *in, const char *name)
{
    const json_t *list = abdm_api_list(in, name, ABDM_HI_TYPES);
    abdm_hi_types_t types = 0;
    size_t i;
    json_t *value;

    json_array_foreach((json_t *) list, i, value) {
        types |= type_of(in, name, value);
    }
    return faulty(in) ? 0 : types;
}


static abdm_ms_t
read_date(const abdm_api_in_t *in, const char *name)
{
    const char *text = abdm_api_text(in, name, TIME, false), *zone;
    char full[TIME + sizeof(ABDM_TIME_ZONE)];
    abdm_ms_t t = 0;

    if (text == NULL) {
        return 0;
    }
    zone = strlen(text) > 10 && strpbrk(text + 10, "Zz+-") == NULL ? ABDM_TIME_ZONE : "";
    (void) snprintf(full, sizeof(full), "%s%s", text, zone);
    if (abdm_failed(abdm_time_parse(abdm_str(full), &t))) {
        abdm_api_blame(in, name, ABDM_ERR(FIELD, "a date, with or without time, is expected"));
    }
    return t;
}


void
abdm_api_context(const abdm_api_in_t *in, abdm_api_flavour_t flavour, abdm_row_context_t *out)
{
    memset(out, 0, sizeof(*out));
    if (flavour == ABDM_API_NHA) {
        const json_t *type = value_of(in, "hiType");

        keep(in, abdm_api_reference(in, "referenceNumber", true), &out->ref);
        keep(in, abdm_api_text(in, "display", ABDM_API_NAME, true), &out->display);
        out->hi_types = faulty(in) ? 0
                        : type == NULL ? 1u << ABDM_HI_HEALTH_DOCUMENT_RECORD
                                       : type_of(in, "hiType", type);
        return;
    }
    keep(in, abdm_api_reference(in, "reference", true), &out->ref);
    keep(in, abdm_api_text(in, "display", ABDM_API_NAME, true), &out->display);
    out->hi_types = abdm_api_hi_types(in, "hiTypes");
    out->date = read_date(in, "date");
    keep(in, abdm_api_text(in, "version", VERSION, false), &out->version);
}


static size_t
position(const abdm_row_context_t *rows, size_t n, const char *ref)
{
    size_t i = 0;

    while (i < n && strcmp(rows[i].ref, ref) != 0) {
        i++;
    }
    return i;
}


void
abdm_api_contexts(const abdm_api_in_t *in, const char *name, abdm_api_flavour_t flavour,
                  abdm_row_context_t **out, size_t *n)
{
    const json_t *list = abdm_api_list(in, name, ABDM_API_CONTEXTS);
    abdm_row_context_t *rows;
    size_t found = 0;

    *out = NULL;
    *n = 0;
    if (list == NULL) {
        return;
    }
    rows = calloc(json_array_size(list), sizeof(*rows));
    if (rows == NULL) {
        abdm_api_blame(in, name, ABDM_ERR(MEMORY, "body"));
        return;
    }
    for (size_t i = 0; i < json_array_size(list) && !faulty(in); i++) {
        abdm_api_in_t item = abdm_api_item(in, name, i);
        abdm_row_context_t *row = &rows[found];
        size_t same;

        abdm_api_context(&item, flavour, row);
        if (faulty(in)) {
            found++; /* what was read of it is freed below */
            break;
        }
        same = position(rows, found, row->ref);
        if (same == found) {
            found++;
        } else if (flavour == ABDM_API_NHA) {
            rows[same].hi_types |= row->hi_types;
            abdm_row_context_clear(row);
        } else {
            abdm_api_blame(&item, "reference", ABDM_ERR(FIELD, "it is there twice"));
            abdm_row_context_clear(row);
        }
    }
    if (faulty(in)) {
        abdm_row_context_free(rows, found);
        return;
    }
    *out = rows;
    *n = found;
}


/* --- queries --- */

static int
hex(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}


static abdm_err_t
decode(abdm_str_t in, char **out)
{
    abdm_buf_t text = {0};

    for (size_t i = 0; i < in.len; i++) {
        char c = in.p[i];

        if (c == '+') {
            c = ' ';
        } else if (c == '%') {
            int high = i + 2 < in.len ? hex(in.p[i + 1]) : -1;
            int low = i + 2 < in.len ? hex(in.p[i + 2]) : -1;

            if (high < 0 || low < 0 || high * 16 + low < ' ') {
                abdm_buf_free(&text);
                return ABDM_ERR(FIELD, "query: it is badly encoded");
            }
            c = (char) (high * 16 + low);
            i += 2;
        }
        abdm_buf_add(&text, &c, 1);
    }
    *out = abdm_buf_take(&text);
    return *out != NULL ? ABDM_NO_ERR : ABDM_ERR(MEMORY, "query");
}


abdm_err_t
abdm_api_query(const char *query, const char *name, char **out)
{
    size_t n = strlen(name);
    abdm_str_t found = {0};

    *out = NULL;
    for (const char *p = query; p != NULL && *p != '\0';) {
        size_t len = strcspn(p, "&");

        if (len > n && p[n] == '=' && memcmp(p, name, n) == 0) {
            if (found.p != NULL) {
                return ABDM_ERR(FIELD, "query: a value is there twice");
            }
            found = (abdm_str_t){p + n + 1, len - n - 1};
        }
        p += len + (p[len] == '&');
    }
    if (found.len == 0) {
        return ABDM_NO_ERR;
    }
    if (found.len > 3 * ABDM_API_REFERENCE) {
        return ABDM_ERR(FIELD, "query: a value is too long");
    }
    return decode(found, out);
}
