/*
 * What mappings give for the questions other than for records, made plain: texts trimmed, nulls and
 * unknown members dropped, ids in the one form that is compared, displays in the gateway's
 * alphabet (gateway protocol 3.0). A wrong type is a fault of the mapping and refused; what a
 * clerk typed into a field (an ABHA "NA") is left out, as it must not hide a whole family.
 */
#include "hmis/plain.h"

#include <stdlib.h>
#include <string.h>

#include "core/abha.h"
#include "core/hi_type.h"
#include "core/json.h"
#include "core/time.h"

enum {
    PATIENTS_MAX = 100,
    CONTEXTS_MAX = 500,
    REFERENCE_MAX = 255, /* characters that the wire takes, of displays too */
    TEXT_MAX = 1024,
    YEAR_MIN = 1800,
    YEAR_MAX = 2200
};

static const char reference_chars[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-@,. ()/:\\";
static const char display_chars[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-@,. \"':|()/";


static abdm_err_t
no_memory(void)
{
    return ABDM_ERR(MEMORY, "hmis answer: in plain form");
}


/* Takes `value`. */
static abdm_err_t
set(json_t *object, const char *name, json_t *value)
{
    return json_object_set_new(object, name, value) == 0 ? ABDM_NO_ERR : no_memory();
}


static abdm_str_t
trimmed(abdm_str_t s)
{
    while (s.len > 0 && strchr(" \t\r\n", s.p[0]) != NULL) {
        s.p++;
        s.len--;
    }
    while (s.len > 0 && strchr(" \t\r\n", s.p[s.len - 1]) != NULL)
        s.len--;
    return s;
}


/* False: neither a text nor null, or too long. An absent or blank one is empty. */
static bool
text_of(const json_t *value, abdm_str_t *out)
{
    *out = ABDM_LIT("");
    if (value == NULL || json_is_null(value))
        return true;
    if (!json_is_string(value) || json_string_length(value) > TEXT_MAX)
        return false;
    *out = trimmed((abdm_str_t){json_string_value(value), json_string_length(value)});
    return true;
}


/* Copies the text member `name` when there is one. `fault` names it. */
static abdm_err_t
copy_text(const json_t *from, const char *name, const char *fault, json_t *to)
{
    abdm_str_t text;

    if (!text_of(json_object_get(from, name), &text))
        return ABDM_ERR(HMIS_ANSWER, fault);
    return text.len == 0 ? ABDM_NO_ERR : set(to, name, json_stringn(text.p, text.len));
}


/* A reference that the wire takes as it is; empty when absent. */
static bool
reference_of(const json_t *value, abdm_str_t *out)
{
    if (!text_of(value, out) || out->len > REFERENCE_MAX)
        return false;
    for (size_t i = 0; i < out->len; i++) {
        if (out->p[i] == '\0' || strchr(reference_chars, out->p[i]) == NULL)
            return false;
    }
    return true;
}


/* --- patients --- */

static abdm_err_t
add_mobile(const json_t *value, json_t *mobiles)
{
    abdm_str_t text;

    if (!text_of(value, &text))
        return ABDM_ERR(HMIS_ANSWER, "patients.mobiles: texts are expected");
    if (text.len > 0 && json_array_append_new(mobiles, json_stringn(text.p, text.len)) != 0)
        return no_memory();
    return ABDM_NO_ERR;
}


static abdm_err_t
set_mobiles(const json_t *from, json_t *to)
{
    const json_t *list = abdm_json_at(from, "mobiles"), *item;
    json_t *mobiles = json_array();
    size_t i;

    ABDM_TRY(set(to, "mobiles", mobiles));
    if (list != NULL && !json_is_array(list))
        return ABDM_ERR(HMIS_ANSWER, "patients.mobiles: a list is expected");
    json_array_foreach(list, i, item) ABDM_TRY(add_mobile(item, mobiles));
    return add_mobile(json_object_get(from, "mobile"), mobiles);
}


/* "1988", "1988-05-14": the year, and 0 when the text begins with none. */
static int
year_of(abdm_str_t text)
{
    int year = 0;

    if (text.len < 4 || (text.len > 4 && text.p[4] != '-'))
        return 0;
    for (size_t i = 0; i < 4; i++) {
        if (text.p[i] < '0' || text.p[i] > '9')
            return 0;
        year = year * 10 + (text.p[i] - '0');
    }
    return year;
}


/* A date that is all zeros, as databases have for none, is left out; 14-05-1988 is a fault, as
 * it would be left out for everybody. */
static abdm_err_t
set_year(const json_t *from, json_t *to)
{
    const json_t *value = abdm_json_at(from, "yearOfBirth");
    abdm_str_t text;
    json_int_t year;

    if (json_is_integer(value)) {
        year = json_integer_value(value);
    } else {
        if (!text_of(value, &text))
            return ABDM_ERR(HMIS_ANSWER, "patients.yearOfBirth: a number is expected");
        if (text.len == 0 && !text_of(json_object_get(from, "birthDate"), &text))
            return ABDM_ERR(HMIS_ANSWER, "patients.birthDate: yyyy-mm-dd is expected");
        if (text.len == 0)
            return ABDM_NO_ERR;
        year = year_of(text);
        if (year == 0 && !abdm_str_starts(text, ABDM_LIT("0000")))
            return ABDM_ERR(HMIS_ANSWER, "patients.birthDate: yyyy-mm-dd is expected, or "
                                         "yearOfBirth: yyyy");
    }
    if (year < YEAR_MIN || year > YEAR_MAX)
        return ABDM_NO_ERR;
    return set(to, "yearOfBirth", json_integer(year));
}


/* Takes `normal`, the normal form of `name`; nothing is set when the given one has none. */
static abdm_err_t
set_normal(bool good, char *normal, const char *name, json_t *to)
{
    if (!good)
        return ABDM_NO_ERR;
    if (normal == NULL)
        return no_memory();
    abdm_err_t err = set(to, name, json_string(normal));
    free(normal);
    return err;
}


static abdm_err_t
set_abha(const json_t *from, json_t *to)
{
    abdm_str_t text;
    char *normal;
    bool good;

    if (!text_of(json_object_get(from, "abhaNumber"), &text))
        return ABDM_ERR(HMIS_ANSWER, "patients.abhaNumber: a text is expected");
    good = abdm_abha_number_normal(text, &normal);
    ABDM_TRY(set_normal(good, normal, "abhaNumber", to));
    if (!text_of(json_object_get(from, "abhaAddress"), &text))
        return ABDM_ERR(HMIS_ANSWER, "patients.abhaAddress: a text is expected");
    good = abdm_abha_address_normal(text, &normal);
    return set_normal(good, normal, "abhaAddress", to);
}


static abdm_err_t
fill_patient(const json_t *from, json_t *to)
{
    abdm_str_t reference, gender;

    if (!json_is_object(from))
        return ABDM_ERR(HMIS_ANSWER, "patients: one of them is not an object");
    if (!reference_of(json_object_get(from, "reference"), &reference) || reference.len == 0)
        return ABDM_ERR(HMIS_ANSWER, "patients.reference: a text of 1 to 255 letters, digits and "
                                     "_-@,. ()/:\\ is expected");
    ABDM_TRY(set(to, "reference", json_stringn(reference.p, reference.len)));
    ABDM_TRY(copy_text(from, "mr", "patients.mr: a text is expected", to));
    ABDM_TRY(copy_text(from, "name", "patients.name: a text is expected", to));
    if (!text_of(json_object_get(from, "gender"), &gender))
        return ABDM_ERR(HMIS_ANSWER, "patients.gender: a text is expected");
    if (gender.len > 0)
        ABDM_TRY(set(to, "gender", json_string(abdm_gender_normal(gender))));
    ABDM_TRY(set_year(from, to));
    ABDM_TRY(set_mobiles(from, to));
    return set_abha(from, to);
}


static abdm_err_t
plain_patients(const json_t *vars, const json_t *mapped, json_t *out)
{
    const json_t *patient;
    size_t i;

    (void) vars;
    if (!json_is_array(mapped))
        return ABDM_ERR(HMIS_ANSWER, "patients: the mapping must give a list");
    if (json_array_size(mapped) > PATIENTS_MAX)
        return ABDM_ERR(HMIS_ANSWER, "patients: more than 100 for one question");
    json_array_foreach(mapped, i, patient)
    {
        json_t *plain = json_object();
        if (json_array_append_new(out, plain) != 0)
            return no_memory();
        ABDM_TRY(fill_patient(patient, plain));
    }
    return ABDM_NO_ERR;
}


/* --- care contexts --- */

/* What the wire has a sign for; anything else is a space. */
static size_t
add_conformant(const char *p, abdm_buf_t *out)
{
    static const struct {
        const char *seen, *sent;
    } rows[] = {
        {"&", " and "},
        {"[", "("},
        {"]", ")"},
        {";", ","},
        {"\xe2\x80\x93", "-"},
        {"\xe2\x80\x94", "-"}, /* dashes */
        {"\xe2\x80\x98", "'"},
        {"\xe2\x80\x99", "'"}, /* quotation marks */
        {"\xe2\x80\x9c", "\""},
        {"\xe2\x80\x9d", "\""},
    };

    if (strchr(display_chars, *p) != NULL) {
        abdm_buf_add(out, p, 1);
        return 1;
    }
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t len = strlen(rows[i].seen);
        if (strncmp(p, rows[i].seen, len) == 0) {
            abdm_buf_addz(out, rows[i].sent);
            return len;
        }
    }
    abdm_buf_addz(out, " ");
    return 1;
}


static bool
says_something(abdm_str_t s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (strchr(" _-@,.\"':|()/", s.p[i]) == NULL)
            return true;
    }
    return false;
}


/* Makes runs of spaces one, and the text at most as long as the wire takes. */
static abdm_str_t
tidy(abdm_buf_t *text)
{
    size_t n = 0;

    for (size_t i = 0; i < text->len; i++) {
        if (text->p[i] != ' ' || (n > 0 && text->p[n - 1] != ' '))
            text->p[n++] = text->p[i];
    }
    return trimmed((abdm_str_t){text->p, n < REFERENCE_MAX ? n : REFERENCE_MAX});
}


/* A display of which nothing can be sent, as in an Indian script, becomes the reference. */
static abdm_err_t
set_display(const json_t *from, const char *reference, json_t *to)
{
    abdm_buf_t text = {0};
    abdm_str_t given;

    if (!text_of(json_object_get(from, "display"), &given) || given.len == 0)
        return ABDM_ERR(HMIS_ANSWER, "contexts.display: a text is missing");
    /* what jansson holds is terminated, so a look ahead ends there */
    for (const char *p = given.p; p < given.p + given.len;)
        p += add_conformant(p, &text);
    if (text.failed)
        return no_memory();
    abdm_str_t tidied = tidy(&text);
    if (!says_something(tidied)) {
        text.len = 0;
        for (const char *p = reference; *p != '\0';)
            p += add_conformant(p, &text);
        if (text.failed)
            return no_memory();
        tidied = tidy(&text);
    }
    json_t *display = tidied.len > 0 ? json_stringn(tidied.p, tidied.len) : json_string("Record");
    abdm_buf_free(&text);
    return set(to, "display", display);
}


static abdm_err_t
add_type(const json_t *value, abdm_hi_types_t *types)
{
    abdm_hi_type_t type;
    abdm_str_t text;

    if (!text_of(value, &text) || !abdm_hi_type_parse_record(text, &type))
        return ABDM_ERR(HMIS_ANSWER, "contexts.hiTypes: none of the eight types, or missing");
    *types |= 1u << type;
    return ABDM_NO_ERR;
}


static json_t *
types_list(abdm_hi_types_t types)
{
    json_t *list = json_array();

    for (int i = 0; list != NULL && i < ABDM_HI_TYPES; i++) {
        if ((types & 1u << i) != 0 &&
            json_array_append_new(list, json_string(abdm_hi_type_name((abdm_hi_type_t) i))) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}


static abdm_err_t
types_of(const json_t *from, abdm_hi_types_t *types)
{
    const json_t *list = abdm_json_at(from, "hiTypes"), *item;
    size_t i;

    *types = 0;
    if (list == NULL)
        return add_type(json_object_get(from, "hiType"), types);
    if (!json_is_array(list) || json_array_size(list) == 0)
        return ABDM_ERR(HMIS_ANSWER, "contexts.hiTypes: a list of one or more is expected");
    json_array_foreach(list, i, item) ABDM_TRY(add_type(item, types));
    return ABDM_NO_ERR;
}


static abdm_err_t
set_owner(const json_t *from, const char *asked, json_t *to)
{
    abdm_str_t owner;

    if (!text_of(json_object_get(from, "patientReference"), &owner))
        return ABDM_ERR(HMIS_ANSWER, "contexts.patientReference: a text is expected");
    if (owner.len == 0)
        return ABDM_NO_ERR;
    if (asked == NULL || !abdm_str_eq(owner, abdm_str(asked)))
        return ABDM_ERR(HMIS_ANSWER, "contexts.patientReference: not the patient asked for");
    return set(to, "patientReference", json_stringn(owner.p, owner.len));
}


static abdm_err_t
set_date(const json_t *from, json_t *to)
{
    const json_t *value = abdm_json_at(from, "date");
    json_t *settled;

    if (value == NULL)
        return ABDM_NO_ERR;
    abdm_err_t err = abdm_hmis_settle_time(value, &settled);
    if (err.code == ABDM_E_HMIS_ANSWER)
        return ABDM_ERR(HMIS_ANSWER, "contexts.date: yyyy-mm-ddThh:mm:ss+05:30 expected");
    ABDM_TRY(err);
    return set(to, "date", settled);
}


static abdm_err_t
fill_context(const json_t *from, const char *patient, json_t *to)
{
    abdm_hi_types_t types;
    abdm_str_t reference;

    if (!reference_of(json_object_get(from, "reference"), &reference) || reference.len == 0)
        return ABDM_ERR(HMIS_ANSWER, "contexts.reference: a text of 1 to 255 letters, digits and "
                                     "_-@,. ()/:\\ is expected");
    ABDM_TRY(set(to, "reference", json_stringn(reference.p, reference.len)));
    ABDM_TRY(set_display(from, abdm_json_string_at(to, "reference"), to));
    ABDM_TRY(types_of(from, &types));
    ABDM_TRY(set(to, "hiTypes", types_list(types)));
    ABDM_TRY(set_date(from, to));
    ABDM_TRY(copy_text(from, "version", "contexts.version: a text is expected", to));
    return set_owner(from, patient, to);
}


/* A visit that is listed once per paper is one context that holds the types of all. */
static abdm_err_t
join_same(json_t *contexts, json_t *added, bool *joined)
{
    const char *reference = abdm_json_string_at(added, "reference");
    abdm_hi_types_t before, more;
    json_t *context;
    size_t i;

    *joined = false;
    json_array_foreach(contexts, i, context)
    {
        if (strcmp(abdm_json_string_at(context, "reference"), reference) != 0)
            continue;
        *joined = true;
        ABDM_TRY(types_of(context, &before));
        ABDM_TRY(types_of(added, &more));
        return set(context, "hiTypes", types_list(before | more));
    }
    return ABDM_NO_ERR;
}


static abdm_err_t
plain_contexts(const json_t *vars, const json_t *mapped, json_t *out)
{
    const char *patient = abdm_json_string_at(vars, "patientRef");
    const json_t *context;
    size_t i;

    if (!json_is_array(mapped))
        return ABDM_ERR(HMIS_ANSWER, "contexts: the mapping must give a list");
    if (json_array_size(mapped) > CONTEXTS_MAX)
        return ABDM_ERR(HMIS_ANSWER, "contexts: more than 500 of one patient");
    json_array_foreach(mapped, i, context)
    {
        json_t *plain = json_object();
        bool joined = false;

        if (plain == NULL)
            return no_memory();
        abdm_err_t err = json_is_object(context)
                             ? fill_context(context, patient, plain)
                             : ABDM_ERR(HMIS_ANSWER, "contexts: one of them is not an object");
        if (!abdm_failed(err))
            err = join_same(out, plain, &joined);
        if (!abdm_failed(err) && !joined && json_array_append(out, plain) != 0)
            err = no_memory();
        json_decref(plain);
        ABDM_TRY(err);
    }
    return ABDM_NO_ERR;
}


/* --- the feed --- */

static abdm_err_t
fill_feed_context(const json_t *from, json_t *to)
{
    json_t *patient = json_object();

    ABDM_TRY(set(to, "patient", patient));
    if (!json_is_object(from))
        return ABDM_ERR(HMIS_ANSWER, "contexts: one of them is not an object");
    ABDM_TRY(fill_patient(json_object_get(from, "patient"), patient));
    return fill_context(from, abdm_json_string_at(patient, "reference"), to);
}


static abdm_err_t
plain_feed(const json_t *vars, const json_t *mapped, json_t *out)
{
    const json_t *list = json_object_get(mapped, "contexts"), *context;
    const json_t *more = abdm_json_at(mapped, "more");
    json_t *contexts = json_array();
    abdm_str_t next;
    size_t i;

    ABDM_TRY(set(out, "contexts", contexts));
    if (!json_is_array(list))
        return ABDM_ERR(HMIS_ANSWER, "contexts: a list is missing");
    if (json_array_size(list) > CONTEXTS_MAX)
        return ABDM_ERR(HMIS_ANSWER, "contexts: more than 500 in one page of the feed");
    json_array_foreach(list, i, context)
    {
        json_t *plain = json_object();
        if (json_array_append_new(contexts, plain) != 0)
            return no_memory();
        ABDM_TRY(fill_feed_context(context, plain));
    }

    if (!text_of(json_object_get(mapped, "next"), &next) || next.len == 0)
        return ABDM_ERR(HMIS_ANSWER, "next: a text is missing");
    if (more != NULL && !json_is_boolean(more))
        return ABDM_ERR(HMIS_ANSWER, "more: true or false is expected");
    /* the same page would be read for ever */
    if (json_is_true(more) && abdm_str_eq(next, abdm_str(abdm_json_string_at(vars, "since"))))
        return ABDM_ERR(HMIS_ANSWER, "next: the same as before, though there is more");
    ABDM_TRY(set(out, "next", json_stringn(next.p, next.len)));
    return set(out, "more", json_boolean(json_is_true(more)));
}


/* --- the others --- */

static abdm_err_t
plain_saved(const json_t *vars, const json_t *mapped, json_t *out)
{
    abdm_str_t reference;

    (void) vars;
    if (!reference_of(json_object_get(mapped, "patientReference"), &reference))
        return ABDM_ERR(HMIS_ANSWER, "patientReference: a text of letters, digits and "
                                     "_-@,. ()/:\\ is expected");
    if (reference.len == 0)
        return ABDM_NO_ERR;
    return set(out, "patientReference", json_stringn(reference.p, reference.len));
}


static abdm_err_t
plain_sent(const json_t *vars, const json_t *mapped, json_t *out)
{
    (void) vars;
    ABDM_TRY(copy_text(mapped, "reference", "reference: a text is expected", out));
    return json_object_get(out, "reference") == NULL
               ? ABDM_ERR(HMIS_ANSWER, "reference: a text is missing")
               : ABDM_NO_ERR;
}


static abdm_err_t
plain_verified(const json_t *vars, const json_t *mapped, json_t *out)
{
    const json_t *verified = json_object_get(mapped, "verified");

    (void) vars;
    if (!json_is_boolean(verified))
        return ABDM_ERR(HMIS_ANSWER, "verified: true or false is expected");
    return set(out, "verified", json_boolean(json_is_true(verified)));
}


static abdm_err_t
plain_told(const json_t *vars, const json_t *mapped, json_t *out)
{
    (void) vars;
    (void) mapped;
    (void) out;
    return ABDM_NO_ERR;
}


abdm_err_t
abdm_hmis_plain(abdm_hmis_op_t op, const json_t *vars, const json_t *mapped, json_t **out)
{
    static const struct {
        abdm_err_t (*fill)(const json_t *vars, const json_t *mapped, json_t *out);
        enum { LIST, OBJECT } form;
    } rows[ABDM_HMIS_OPS] = {
        [ABDM_HMIS_FIND_PATIENTS] = {plain_patients, LIST},
        [ABDM_HMIS_CARE_CONTEXTS] = {plain_contexts, LIST},
        [ABDM_HMIS_NEW_CONTEXTS] = {plain_feed, OBJECT},
        [ABDM_HMIS_SAVE_PROFILE] = {plain_saved, OBJECT},
        [ABDM_HMIS_SEND_OTP] = {plain_sent, OBJECT},
        [ABDM_HMIS_VERIFY_OTP] = {plain_verified, OBJECT},
        [ABDM_HMIS_TELL] = {plain_told, OBJECT},
    };

    *out = NULL;
    if (rows[op].form == OBJECT && op != ABDM_HMIS_TELL && !json_is_object(mapped))
        return ABDM_ERR(HMIS_ANSWER, "answer: the mapping must give an object");
    *out = rows[op].form == LIST ? json_array() : json_object();
    if (*out == NULL)
        return no_memory();
    abdm_err_t err = rows[op].fill(vars, mapped, *out);
    if (abdm_failed(err)) {
        json_decref(*out);
        *out = NULL;
    }
    return err;
}


abdm_err_t
abdm_hmis_settle_time(const json_t *value, json_t **out)
{
    static const char fault[] = "a date: yyyy-mm-ddThh:mm:ss+05:30 expected";
    const char *given = json_string_value(value);
    abdm_buf_t text = {0};
    abdm_ms_t ignored;

    *out = NULL;
    if (given == NULL)
        return ABDM_ERR(HMIS_ANSWER, fault);
    size_t len = strlen(given);
    const char *zone = len > 10 && strpbrk(given + 10, "Zz+-") == NULL ? ABDM_TIME_ZONE : "";
    bool minutes = len == sizeof "yyyy-mm-ddThh:mm" - 1;

    abdm_buf_addf(&text, "%s%s%s", given, minutes ? ":00" : "", zone);
    if (text.failed)
        return no_memory();
    bool good = !abdm_failed(abdm_time_parse(abdm_buf_str(&text), &ignored));
    if (good)
        *out = json_stringn(text.p, text.len);
    abdm_buf_free(&text);
    if (!good)
        return ABDM_ERR(HMIS_ANSWER, fault);
    return *out == NULL ? no_memory() : ABDM_NO_ERR;
}
