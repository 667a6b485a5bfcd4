/*
 * Linking as the patient begins it: discovery, init and confirm (gateway protocol 3.6-3.8, 5.3;
 * contradictions 7, 8, 11 and 13 of section 8). Only what is used is read: counts, displays and
 * identifiers of no use here are passed over, so their many forms can do no harm.
 */
#include "gateway/inbound_link.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/wire.h"

enum {
    MOBILE_MAX = 32,
    OTP_MAX = 32,
    MENTIONS_MAX = ABDM_REFERENCES_MAX * ABDM_HI_TYPES, /* of contexts, repeated ones too */
};

#define REFERENCE ": a reference of 1 to 255 letters, digits and _-@,. ()/:\\ expected"


/* --- discover --- */

typedef enum { OF_NO_USE, MOBILE, ABHA_NUMBER, MR } identifier_t;


/* ABHA_ADDRESS is of no use: patient.id says it. So is all that is not verified, but the number
 * that the patient typed. */
static identifier_t
identifier_of(abdm_str_t type, bool verified)
{
    static const struct {
        const char *type;
        identifier_t identifier;
    } rows[] = {
        {"MOBILE", MOBILE},
        {"ABHA_NUMBER", ABHA_NUMBER},
        {"NDHM_HEALTH_NUMBER", ABHA_NUMBER},
        {"MR", MR},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (abdm_str_ieq(type, abdm_str(rows[i].type)))
            return verified || rows[i].identifier == MR ? rows[i].identifier : OF_NO_USE;
    }
    return OF_NO_USE;
}


static abdm_err_t
add_once(char **list, size_t *n, abdm_str_t value, size_t max)
{
    if (!abdm_in_is_plain(value, max))
        return ABDM_ERR(FIELD, "patient: an identifier too long or with control characters");
    for (size_t i = 0; i < *n; i++) {
        if (abdm_str_eq(abdm_str(list[i]), value))
            return ABDM_NO_ERR;
    }
    if (*n == ABDM_IDENTIFIERS_MAX)
        return ABDM_ERR(FIELD, "patient: more than 16 identifiers of one type");
    list[*n] = abdm_str_dup(value);
    if (list[*n] == NULL)
        return ABDM_ERR(MEMORY, "callback: an identifier");
    ++*n;
    return ABDM_NO_ERR;
}


/* Two different ones are of two persons. */
static abdm_err_t
take_abha_number(abdm_str_t value, char **out)
{
    char *number;

    if (!abdm_abha_number_normal(value, &number))
        return ABDM_ERR(FIELD, "patient.verifiedIdentifiers: an ABHA number of 14 digits expected");
    if (number == NULL)
        return ABDM_ERR(MEMORY, "callback: an ABHA number");
    if (*out == NULL) {
        *out = number;
        return ABDM_NO_ERR;
    }
    bool same = strcmp(*out, number) == 0;
    free(number);
    return same ? ABDM_NO_ERR
                : ABDM_ERR(FIELD, "patient.verifiedIdentifiers: two different ABHA numbers");
}


static abdm_err_t
take_identifier(const json_t *item, bool verified, abdm_in_discover_t *out)
{
    const char *type = abdm_json_string_at(item, "type");
    char digits[ABDM_IN_DIGITS];
    abdm_str_t value;

    if (type == NULL)
        return ABDM_ERR(FIELD, "patient: an identifier without type");
    identifier_t identifier = identifier_of(abdm_str(type), verified);
    if (identifier == OF_NO_USE)
        return ABDM_NO_ERR;
    if (!abdm_in_scalar(abdm_json_at(item, "value"), digits, &value))
        return ABDM_ERR(FIELD, "patient: an identifier whose value is no text");
    if (value.len == 0)
        return ABDM_NO_ERR;
    if (identifier == ABHA_NUMBER)
        return take_abha_number(value, &out->abha_number);
    if (identifier == MOBILE)
        return add_once(out->mobile, &out->n_mobiles, value, MOBILE_MAX);
    return add_once(out->mr, &out->n_mrs, value, ABDM_WIRE_ID);
}


static abdm_err_t
take_identifiers(const json_t *list, bool verified, abdm_in_discover_t *out)
{
    const json_t *item;
    size_t i;

    if (list != NULL && !json_is_array(list))
        return ABDM_ERR(FIELD, "patient: a list of identifiers expected");
    json_array_foreach(list, i, item)
        ABDM_TRY(take_identifier(item, verified, out));
    return ABDM_NO_ERR;
}


static abdm_err_t
take_id_of_patient(const json_t *patient, char **out)
{
    ABDM_TRY(abdm_in_optional_address(patient, "id", "patient.id: an ABHA address expected", out));
    return *out == NULL ? ABDM_ERR(FIELD, "patient.id: missing") : ABDM_NO_ERR;
}


abdm_err_t
abdm_in_discover(const json_t *body, abdm_in_discover_t *out)
{
    const json_t *patient = abdm_json_at(body, "patient");

    *out = (abdm_in_discover_t){.gender = "U"};
    ABDM_TRY(ABDM_IN_TAKE_UUID(body, "", "transactionId", &out->transaction_id));
    if (!json_is_object(patient))
        return ABDM_ERR(FIELD, "patient: an object expected");
    ABDM_TRY(take_id_of_patient(patient, &out->abha_address));
    ABDM_TRY(take_identifiers(abdm_json_at(patient, "verifiedIdentifiers"), true, out));
    ABDM_TRY(take_identifiers(abdm_json_at(patient, "unverifiedIdentifiers"), false, out));
    ABDM_TRY(abdm_in_take_name(patient, "name", "patient.name: 1 to 128 characters expected",
                               &out->name));
    ABDM_TRY(abdm_in_take_gender(patient, "gender", "patient.gender: text expected",
                                 &out->gender));
    return abdm_in_optional_int(patient, "yearOfBirth", ABDM_WIRE_YEAR_FIRST, ABDM_WIRE_YEAR_LAST,
                                "patient.yearOfBirth: 1900 to 2200 expected", &out->year_of_birth);
}


void
abdm_in_discover_clear(abdm_in_discover_t *discover)
{
    free(discover->transaction_id);
    free(discover->abha_address);
    free(discover->abha_number);
    for (size_t i = 0; i < discover->n_mobiles; i++)
        free(discover->mobile[i]);
    for (size_t i = 0; i < discover->n_mrs; i++)
        free(discover->mr[i]);
    free(discover->name);
    *discover = (abdm_in_discover_t){0};
}


/* --- init --- */

/* What was offered has the form of 3.0; anything else was not. */
static bool
is_reference(const char *z)
{
    static const char alphabet[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                   "_-@,. ()/:\\";
    size_t n = z == NULL ? 0 : strspn(z, alphabet);

    return n > 0 && n <= ABDM_WIRE_ID && z[n] == '\0';
}


static abdm_err_t
take_hi_type(const json_t *value, abdm_hi_types_t *out)
{
    abdm_hi_type_t type;

    if (!json_is_string(value))
        return ABDM_ERR(FIELD, "patient.hiType: text expected");
    if (abdm_hi_type_parse(abdm_str(json_string_value(value)), &type))
        *out |= 1u << type;
    return ABDM_NO_ERR;
}


/* A type that we do not know is nothing that we offered; it takes nothing from the others. */
static abdm_err_t
take_hi_types(const json_t *element, abdm_hi_types_t *out)
{
    const json_t *value = abdm_json_at(element, "hiType"), *item;
    size_t i;

    if (value == NULL)
        value = abdm_json_at(element, "hiTypes");
    if (value == NULL)
        return ABDM_NO_ERR;
    if (!json_is_array(value))
        return take_hi_type(value, out);
    json_array_foreach(value, i, item)
        ABDM_TRY(take_hi_type(item, out));
    return ABDM_NO_ERR;
}


static abdm_err_t
add_context(const char *reference, abdm_hi_types_t hi_types, abdm_in_link_init_t *out)
{
    if (!is_reference(reference))
        return ABDM_ERR(FIELD, "patient.careContexts.referenceNumber" REFERENCE);
    for (size_t i = 0; i < out->n_contexts; i++) {
        if (strcmp(out->context[i].reference, reference) == 0) {
            out->context[i].hi_types |= hi_types;
            return ABDM_NO_ERR;
        }
    }
    if (out->n_contexts == ABDM_REFERENCES_MAX)
        return ABDM_ERR(FIELD, "patient.careContexts: more than 200");

    abdm_in_reference_t *context = &out->context[out->n_contexts];
    context->reference = abdm_str_dup(abdm_str(reference));
    if (context->reference == NULL)
        return ABDM_ERR(MEMORY, "callback: a care context");
    context->hi_types = hi_types;
    out->n_contexts++;
    return ABDM_NO_ERR;
}


static abdm_err_t
take_patient_ref(const json_t *element, abdm_in_link_init_t *out)
{
    const char *reference = abdm_json_string_at(element, "referenceNumber");

    if (!is_reference(reference))
        return ABDM_ERR(FIELD, "patient.referenceNumber" REFERENCE);
    if (out->patient_ref != NULL)
        return strcmp(out->patient_ref, reference) == 0
                   ? ABDM_NO_ERR
                   : ABDM_ERR(FIELD, "patient.referenceNumber: more than one patient");
    out->patient_ref = abdm_str_dup(abdm_str(reference));
    return out->patient_ref == NULL ? ABDM_ERR(MEMORY, "callback: the patient") : ABDM_NO_ERR;
}


static abdm_err_t
take_element(const json_t *element, size_t *mentions, abdm_in_link_init_t *out)
{
    const json_t *list = abdm_json_at(element, "careContexts"), *item;
    abdm_hi_types_t hi_types = 0;
    size_t i;

    ABDM_TRY(take_patient_ref(element, out));
    ABDM_TRY(take_hi_types(element, &hi_types));
    if (json_array_size(list) == 0)
        return ABDM_ERR(FIELD, "patient.careContexts: a list of at least one expected");
    *mentions += json_array_size(list);
    if (*mentions > MENTIONS_MAX)
        return ABDM_ERR(FIELD, "patient.careContexts: more than 200");
    json_array_foreach(list, i, item)
        ABDM_TRY(add_context(abdm_json_string_at(item, "referenceNumber"), hi_types, out));
    return ABDM_NO_ERR;
}


/* A list of elements, one per HI type; v0.5: one object. */
static abdm_err_t
take_patient(const json_t *patient, abdm_in_link_init_t *out)
{
    const json_t *element;
    size_t i, mentions = 0;

    if (json_is_object(patient))
        return take_element(patient, &mentions, out);
    if (json_array_size(patient) == 0)
        return ABDM_ERR(FIELD, "patient: a list of at least one expected");
    json_array_foreach(patient, i, element)
        ABDM_TRY(take_element(element, &mentions, out));
    return ABDM_NO_ERR;
}


static abdm_err_t
take_ids_of_init(const json_t *body, const json_t *patient, abdm_in_link_init_t *out)
{
    abdm_err_t err = abdm_in_optional_uuid(body, "transactionId", "transactionId: a UUID expected",
                                           &out->transaction_id);

    ABDM_TRY(abdm_in_optional_address(body, "abhaAddress", "abhaAddress: no ABHA address",
                                      &out->abha_address));
    if (out->abha_address == NULL)
        ABDM_TRY(abdm_in_optional_address(patient, "id", "patient.id: no ABHA address",
                                          &out->abha_address));
    return err;
}


abdm_err_t
abdm_in_link_init(const json_t *body, abdm_in_link_init_t *out)
{
    const json_t *patient = abdm_json_at(body, "patient");

    *out = (abdm_in_link_init_t){0};
    abdm_err_t err = abdm_in_outcome(body, &out->outcome);
    ABDM_TRY(take_ids_of_init(body, patient, out));
    ABDM_TRY(err);
    if (out->outcome.failed)
        return ABDM_NO_ERR;
    if (out->transaction_id == NULL)
        return ABDM_ERR(FIELD, "transactionId: missing");
    if (out->abha_address == NULL)
        return ABDM_ERR(FIELD, "abhaAddress: missing");
    return take_patient(patient, out);
}


void
abdm_in_link_init_clear(abdm_in_link_init_t *init)
{
    abdm_in_outcome_clear(&init->outcome);
    free(init->transaction_id);
    free(init->abha_address);
    free(init->patient_ref);
    for (size_t i = 0; i < init->n_contexts; i++)
        free(init->context[i].reference);
    *init = (abdm_in_link_init_t){0};
}


/* --- confirm --- */

static abdm_err_t
take_otp(const json_t *token, char **out)
{
    char digits[ABDM_IN_DIGITS];
    abdm_str_t otp = abdm_str(json_string_value(token));

    if (json_is_integer(token) && json_integer_value(token) >= 0) {
        snprintf(digits, sizeof digits, "%06lld", (long long) json_integer_value(token));
        otp = abdm_str(digits);
    }
    bool plain = abdm_in_is_plain(otp, OTP_MAX);
    if (plain)
        *out = abdm_str_dup(otp);
    abdm_wipe(digits, sizeof digits);
    if (!plain)
        return ABDM_ERR(FIELD, "confirmation.token: text of 1 to 32 bytes, or digits, expected");
    return *out == NULL ? ABDM_ERR(MEMORY, "callback: copy of a field") : ABDM_NO_ERR;
}


abdm_err_t
abdm_in_link_confirm(const json_t *body, abdm_in_link_confirm_t *out)
{
    const json_t *confirmation = abdm_json_at(body, "confirmation");

    *out = (abdm_in_link_confirm_t){0};
    if (!json_is_object(confirmation))
        return ABDM_ERR(FIELD, "confirmation: an object expected");
    ABDM_TRY(ABDM_IN_TAKE_UUID(confirmation, "confirmation.", "linkRefNumber", &out->link_ref));
    return take_otp(abdm_json_at(confirmation, "token"), &out->otp);
}


void
abdm_in_link_confirm_clear(abdm_in_link_confirm_t *confirm)
{
    free(confirm->link_ref);
    if (confirm->otp != NULL)
        abdm_wipe(confirm->otp, strlen(confirm->otp));
    free(confirm->otp);
    *confirm = (abdm_in_link_confirm_t){0};
}
