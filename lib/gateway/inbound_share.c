/*
 * What the gateway tells of a patient: the profile shared at a counter, and that an ABHA has left
 * ABDM or come back (gateway protocol 3.12, 3.13, 5.3; contradiction 53 of section 8). The names of
 * members are those of V3 and of v1.0, which had a health id in place of the ABHA.
 */
#include "gateway/inbound_link.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/wire.h"

enum { INTENT_MAX = 64, MOBILE_MAX = 32 };

#define PATIENT "profile.patient."


/* The first of two names of a member that is there. */
static const char *
either(const json_t *root, const char *name, const char *old)
{
    return abdm_json_at(root, name) != NULL || abdm_json_at(root, old) == NULL ? name : old;
}


static abdm_err_t
take_mobile(const json_t *value, char **out)
{
    char digits[ABDM_IN_DIGITS];
    abdm_str_t mobile;

    if (!abdm_in_scalar(value, digits, &mobile))
        return ABDM_ERR(FIELD, PATIENT "phoneNumber: text expected");
    if (mobile.len == 0)
        return ABDM_NO_ERR;
    if (!abdm_in_is_plain(mobile, MOBILE_MAX))
        return ABDM_ERR(FIELD, PATIENT "phoneNumber: at most 32 bytes expected");
    *out = abdm_str_dup(mobile);
    return *out == NULL ? ABDM_ERR(MEMORY, "callback: copy of a field") : ABDM_NO_ERR;
}


/* phoneNumber; v1.0: the identifier of that type. */
static const json_t *
mobile_of(const json_t *patient)
{
    const json_t *item, *phone = abdm_json_at(patient, "phoneNumber");
    size_t i;

    if (phone != NULL)
        return phone;
    json_array_foreach(abdm_json_at(patient, "identifiers"), i, item) {
        if (abdm_str_ieq(abdm_str(abdm_json_string_at(item, "type")), ABDM_LIT("MOBILE")))
            return abdm_json_at(item, "value");
    }
    return NULL;
}


static abdm_err_t
take_birth(const json_t *patient, abdm_in_share_t *out)
{
    ABDM_TRY(abdm_in_optional_int(patient, "yearOfBirth", ABDM_WIRE_YEAR_FIRST,
                                  ABDM_WIRE_YEAR_LAST,
                                  PATIENT "yearOfBirth: 1900 to 2200 expected",
                                  &out->year_of_birth));
    ABDM_TRY(abdm_in_optional_int(patient, "monthOfBirth", 1, 12,
                                  PATIENT "monthOfBirth: 1 to 12 expected", &out->month_of_birth));
    return abdm_in_optional_int(patient, "dayOfBirth", 1, 31,
                                PATIENT "dayOfBirth: 1 to 31 expected", &out->day_of_birth);
}


/* A photo is of no use at the counter and may be most of the body. */
static abdm_err_t
copy_profile(const json_t *profile, const json_t *patient, json_t **out)
{
    json_t *copy = json_object(), *address = abdm_json_at(profile, "address");
    const char *key;
    json_t *member;
    bool failed = copy == NULL;

    json_object_foreach((json_t *) patient, key, member) {
        if (strcmp(key, "kycPhoto") != 0)
            failed |= json_object_set_new(copy, key, json_deep_copy(member)) != 0;
    }
    if (address != NULL && abdm_json_at(patient, "address") == NULL)
        failed |= json_object_set_new(copy, "address", json_deep_copy(address)) != 0;
    if (failed) {
        json_decref(copy);
        return ABDM_ERR(MEMORY, "callback: copy of a profile");
    }
    *out = copy;
    return ABDM_NO_ERR;
}


static abdm_err_t
take_address(const json_t *patient, char **out)
{
    if (!json_is_object(patient))
        return ABDM_ERR(FIELD, "profile.patient: an object expected");
    ABDM_TRY(abdm_in_optional_address(patient, either(patient, "abhaAddress", "healthId"),
                                      PATIENT "abhaAddress: no ABHA address", out));
    return *out == NULL ? ABDM_ERR(FIELD, PATIENT "abhaAddress: missing") : ABDM_NO_ERR;
}


static abdm_err_t
take_patient(const json_t *patient, abdm_in_share_t *out)
{
    ABDM_TRY(abdm_in_optional_number(patient, either(patient, "abhaNumber", "healthIdNumber"),
                                     PATIENT "abhaNumber: 14 digits expected", &out->abha_number));
    ABDM_TRY(abdm_in_take_name(patient, "name", PATIENT "name: 1 to 128 characters expected",
                               &out->name));
    ABDM_TRY(abdm_in_take_gender(patient, "gender", PATIENT "gender: text expected",
                                 &out->gender));
    ABDM_TRY(take_birth(patient, out));
    return take_mobile(mobile_of(patient), &out->mobile);
}


/* Where the patient stands, and for what. */
static abdm_err_t
take_scan(const json_t *body, const json_t *profile, abdm_in_share_t *out)
{
    const json_t *meta = abdm_json_at(body, "metaData");
    const char *intent = json_is_object(abdm_json_at(body, "intent")) ? "intent.type" : "intent";

    if (abdm_json_at(meta, "context") != NULL || abdm_json_at(profile, "hipCode") == NULL)
        ABDM_TRY(ABDM_IN_TAKE_ID(meta, "metaData.", "context", &out->counter));
    else
        ABDM_TRY(ABDM_IN_TAKE_ID(profile, "profile.", "hipCode", &out->counter));
    ABDM_TRY(ABDM_IN_OPTIONAL_ID(meta, "metaData.", "hipId", &out->hip_id));
    return abdm_in_take_text(body, intent, INTENT_MAX, "intent: text of 1 to 64 bytes expected",
                             &out->intent);
}


abdm_err_t
abdm_in_share(const json_t *body, abdm_in_share_t *out)
{
    const json_t *profile = abdm_json_at(body, "profile");
    const json_t *patient = abdm_json_at(profile, "patient");

    *out = (abdm_in_share_t){.gender = "U"};
    abdm_err_t err = take_address(patient, &out->abha_address);
    ABDM_TRY(take_scan(body, profile, out));
    ABDM_TRY(err);
    ABDM_TRY(take_patient(patient, out));
    return copy_profile(profile, patient, &out->profile);
}


void
abdm_in_share_clear(abdm_in_share_t *share)
{
    free(share->intent);
    free(share->hip_id);
    free(share->counter);
    free(share->abha_address);
    free(share->abha_number);
    free(share->name);
    free(share->mobile);
    json_decref(share->profile);
    *share = (abdm_in_share_t){0};
}


/* --- patient status --- */

static abdm_err_t
take_word_of_status(const json_t *notification, abdm_patient_status_t *out)
{
    static const struct {
        const char *word;
        abdm_patient_status_t status;
    } rows[] = {
        {"ACTIVATED", ABDM_PATIENT_ACTIVATED},
        {"REACTIVATED", ABDM_PATIENT_ACTIVATED},
        {"DEACTIVATED", ABDM_PATIENT_DEACTIVATED},
        {"DELETED", ABDM_PATIENT_DELETED},
    };
    abdm_str_t word = abdm_str(abdm_json_string_at(notification, "status"));

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (abdm_str_ieq(word, abdm_str(rows[i].word))) {
            *out = rows[i].status;
            return ABDM_NO_ERR;
        }
    }
    return ABDM_ERR(FIELD, "notification.status: DEACTIVATED, REACTIVATED or DELETED expected");
}


abdm_err_t
abdm_in_patient_status(const json_t *body, abdm_in_patient_status_t *out)
{
    const json_t *notification = abdm_json_at(body, "notification");

    *out = (abdm_in_patient_status_t){0};
    ABDM_TRY(ABDM_IN_OPTIONAL_ID(body, "", "requestId", &out->request_id));
    if (json_array_size(notification) == 1)
        notification = json_array_get(notification, 0);
    if (!json_is_object(notification))
        return ABDM_ERR(FIELD, "notification: an object expected");
    ABDM_TRY(abdm_in_optional_address(notification, "patient.id",
                                      "notification.patient.id: no ABHA address",
                                      &out->abha_address));
    if (out->abha_address == NULL)
        return ABDM_ERR(FIELD, "notification.patient.id: missing");
    return take_word_of_status(notification, &out->status);
}


void
abdm_in_patient_status_clear(abdm_in_patient_status_t *status)
{
    free(status->request_id);
    free(status->abha_address);
    *status = (abdm_in_patient_status_t){0};
}
