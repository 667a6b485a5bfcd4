/*
 * Whom a discovery may mean: what the HMIS is asked, its patients put together with what our own
 * rows know of them, and the choice of one (match/patient.h).
 */
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "flow/linking.h"

enum {
    DIGITS = 10,
    ROWS = 2 /* of one ABHA: more than one patient is one too many already */
};


bool
abdm_row_text(char **member, const char *text)
{
    if (*member != NULL) {
        abdm_wipe(*member, strlen(*member));
        free(*member);
    }
    *member = text != NULL ? strdup(text) : NULL;
    return text == NULL || *member != NULL;
}


bool
abdm_row_json(char **member, const json_t *value)
{
    abdm_buf_t text = {0};
    abdm_jw_t w;

    (void) abdm_row_text(member, NULL);
    if (value == NULL) {
        return false;
    }
    abdm_jw_begin(&w, &text);
    abdm_jw_json(&w, value);
    *member = abdm_buf_take(&text);
    return *member != NULL;
}


/* A member that is left out when there is none. */
static bool
set(json_t *object, const char *key, const char *text)
{
    return text == NULL || text[0] == '\0'
           || json_object_set_new(object, key, json_string(text)) == 0;
}


static const char *
text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}


static bool
set_year(json_t *object, json_int_t year)
{
    return year == 0 || json_object_set_new(object, "yearOfBirth", json_integer(year)) == 0;
}


static bool
has_text(const json_t *list, const char *text)
{
    size_t i;
    json_t *item;

    json_array_foreach(list, i, item) {
        if (json_is_string(item) && strcmp(json_string_value(item), text) == 0) {
            return true;
        }
    }
    return false;
}


/* --- what is asked --- */

json_t *
abdm_asked_json(const abdm_in_discover_t *in)
{
    json_t *asked = json_object(), *mobiles = json_array(), *mrs = json_array();
    bool ok = asked != NULL;

    ok &= json_object_set(asked, "mobiles", mobiles) == 0;
    ok &= json_object_set(asked, "mrs", mrs) == 0;
    for (size_t i = 0; i < in->n_mobiles; i++) {
        char digits[ABDM_MOBILE_TEXT];

        if (abdm_mobile_digits(abdm_str(in->mobile[i]), digits) && !has_text(mobiles, digits)) {
            ok &= json_array_append_new(mobiles, json_string(digits)) == 0;
        }
    }
    for (size_t i = 0; i < in->n_mrs; i++) {
        if (!has_text(mrs, in->mr[i])) {
            ok &= json_array_append_new(mrs, json_string(in->mr[i])) == 0;
        }
    }
    ok = ok && set(asked, "abhaAddress", in->abha_address)
         && set(asked, "abhaNumber", in->abha_number) && set(asked, "name", in->name)
         && set(asked, "gender", in->gender) && set_year(asked, in->year_of_birth);
    json_decref(mobiles);
    json_decref(mrs);
    if (!ok) {
        json_decref(asked);
        asked = NULL;
    }
    return asked;
}


size_t
abdm_asked_sets(const json_t *asked)
{
    size_t mobiles = json_array_size(json_object_get(asked, "mobiles"));
    size_t mrs = json_array_size(json_object_get(asked, "mrs"));
    size_t sets = mobiles > mrs ? mobiles : mrs;

    return sets == 0 ? 1 : sets > ABDM_ASKED_SETS ? ABDM_ASKED_SETS : sets;
}


/* 91111222233334 → 91-1112-2223-3334, as most HMIS write it. */
static bool
set_number(json_t *vars, const char *number)
{
    char dashes[18];

    if (number == NULL || strlen(number) != 14) {
        return true;
    }
    snprintf(dashes, sizeof(dashes), "%.2s-%.4s-%.4s-%.4s", number, number + 2, number + 6,
             number + 10);
    return set(vars, "abhaNumber", dashes);
}


json_t *
abdm_asked_vars(const json_t *asked, const char *hip_id, size_t i)
{
    const char *mobile = json_string_value(json_array_get(json_object_get(asked, "mobiles"), i));
    json_int_t born = json_integer_value(json_object_get(asked, "yearOfBirth"));
    json_t *vars = json_object();
    char year[24] = "";
    bool ok;

    if (born != 0) {
        snprintf(year, sizeof(year), "%lld", (long long) born);
    }
    ok = set(vars, "hipId", hip_id)
         && (mobile == NULL || strlen(mobile) != DIGITS || set(vars, "mobile", mobile))
         && set(vars, "mr", json_string_value(json_array_get(json_object_get(asked, "mrs"), i)))
         && set(vars, "name", text_of(asked, "name"))
         && set(vars, "gender", text_of(asked, "gender")) && set(vars, "yearOfBirth", year);
    if (i == 0) {
        ok = ok && set(vars, "abhaAddress", text_of(asked, "abhaAddress"))
             && set_number(vars, text_of(asked, "abhaNumber"));
    }
    if (!ok) {
        json_decref(vars);
        vars = NULL;
    }
    return vars;
}


/* --- candidates --- */

static json_t *
same_patient(const json_t *list, const char *reference)
{
    size_t i;
    json_t *item;

    json_array_foreach(list, i, item) {
        const char *other = text_of(item, "reference");

        if (other != NULL && strcmp(other, reference) == 0) {
            return item;
        }
    }
    return NULL;
}


/* The same patient once more, as another question tells of it. */
static bool
complete(json_t *patient, const json_t *more)
{
    json_t *mobiles = json_object_get(patient, "mobiles"), *mobile;
    bool ok = json_object_update_missing(patient, (json_t *) more) == 0;
    size_t i;

    if (mobiles != NULL) {
        json_array_foreach(json_object_get(more, "mobiles"), i, mobile) {
            if (json_is_string(mobile) && !has_text(mobiles, json_string_value(mobile))) {
                ok &= json_array_append(mobiles, mobile) == 0;
            }
        }
    }
    return ok;
}


abdm_err_t
abdm_candidates_add(json_t *list, const json_t *patients)
{
    bool ok = true;
    json_t *patient;
    size_t i;

    json_array_foreach(patients, i, patient) {
        const char *reference = text_of(patient, "reference");
        json_t *known;

        if (reference == NULL) {
            continue;
        }
        known = same_patient(list, reference);
        if (known != NULL) {
            ok &= complete(known, patient);
        } else if (json_array_size(list) <= ABDM_MATCH_CANDIDATES) { /* one more is too many */
            ok &= json_array_append_new(list, json_deep_copy(patient)) == 0;
        }
    }
    return ok ? ABDM_NO_ERR : ABDM_ERR(MEMORY, "candidates");
}


static json_t *
patient_of(const abdm_row_patient_t *row)
{
    json_t *patient = json_object();
    bool ok = set(patient, "reference", row->ref) && set(patient, "name", row->name)
              && set(patient, "gender", row->gender) && set_year(patient, row->year_of_birth);

    if (ok && row->mobile != NULL) {
        ok = json_object_set_new(patient, "mobiles", json_pack("[s]", row->mobile)) == 0;
    }
    if (!ok) {
        json_decref(patient);
        patient = NULL;
    }
    return patient;
}


static abdm_err_t
add_known(const abdm_flow_ctx_t *ctx, const char *hip_id, int column, const char *abha,
          json_t *list)
{
    abdm_row_patient_t *rows = NULL;
    abdm_err_t err;
    size_t n = 0;

    if (abha == NULL) {
        return ABDM_NO_ERR;
    }
    err = abdm_row_patient_find(ctx->view, column, hip_id, abha, ROWS, &rows, &n);
    for (size_t i = 0; i < n && !abdm_failed(err); i++) {
        json_t *one = json_array();

        if (json_array_append_new(one, patient_of(&rows[i])) == 0) {
            err = abdm_candidates_add(list, one);
        } else {
            err = ABDM_ERR(MEMORY, "candidates");
        }
        json_decref(one);
    }
    abdm_row_patient_free(rows, n);
    return err;
}


abdm_err_t
abdm_candidates_known(const abdm_flow_ctx_t *ctx, const char *hip_id, const json_t *asked,
                      json_t *list)
{
    ABDM_TRY(add_known(ctx, hip_id, ABDM_COL_patient_abha_address, text_of(asked, "abhaAddress"),
                       list));
    return add_known(ctx, hip_id, ABDM_COL_patient_abha_number, text_of(asked, "abhaNumber"),
                     list);
}


/* --- the choice --- */

/* Gives a candidate the ABHA that our rows have; *held: they have an address. */
static abdm_err_t
put_abha(const abdm_flow_ctx_t *ctx, const char *hip_id, json_t *candidate, bool *held)
{
    abdm_row_patient_t row = {0};
    abdm_err_t err;
    bool ok;

    *held = false;
    ok = abdm_row_text(&row.hip_id, hip_id)
         && abdm_row_text(&row.ref, text_of(candidate, "reference"));
    err = ok ? abdm_row_patient_get(ctx->view, &row) : ABDM_ERR(MEMORY, "patient");
    if (!abdm_failed(err)) {
        *held = row.abha_address != NULL;
        if (!set(candidate, "abhaAddress", row.abha_address)
            || !set(candidate, "abhaNumber", row.abha_number)) {
            err = ABDM_ERR(MEMORY, "patient");
        }
    }
    abdm_row_patient_clear(&row);
    return err.code == ABDM_E_NOT_FOUND ? ABDM_NO_ERR : err;
}


/* Fills `out` from a list of texts; returns how many. */
static size_t
texts(const json_t *list, abdm_str_t *out, size_t max)
{
    size_t i, n = 0;
    json_t *item;

    json_array_foreach(list, i, item) {
        if (json_is_string(item) && n < max) {
            out[n++] = abdm_str(json_string_value(item));
        }
    }
    return n;
}


static abdm_patient_match_t
match(const abdm_flow_ctx_t *ctx, const json_t *asked, const json_t *list,
      abdm_patient_candidate_t *candidates, abdm_str_t *mobiles)
{
    abdm_str_t wanted[ABDM_IDENTIFIERS_MAX], mrs[ABDM_IDENTIFIERS_MAX];
    abdm_patient_asked_t question = {
        .abha_number = abdm_str(text_of(asked, "abhaNumber")),
        .abha_address = abdm_str(text_of(asked, "abhaAddress")),
        .mobiles = wanted,
        .n_mobiles = texts(json_object_get(asked, "mobiles"), wanted, ABDM_IDENTIFIERS_MAX),
        .mrs = mrs,
        .n_mrs = texts(json_object_get(asked, "mrs"), mrs, ABDM_IDENTIFIERS_MAX),
        .name = abdm_str(text_of(asked, "name")),
        .gender = abdm_str(text_of(asked, "gender")),
        .year_of_birth = (int) json_integer_value(json_object_get(asked, "yearOfBirth")),
    };
    json_t *patient;
    size_t i;

    json_array_foreach(list, i, patient) {
        json_t *own = json_object_get(patient, "mobiles");

        candidates[i] = (abdm_patient_candidate_t){
            .reference = abdm_str(text_of(patient, "reference")),
            .mr = abdm_str(text_of(patient, "mr")),
            .abha_number = abdm_str(text_of(patient, "abhaNumber")),
            .abha_address = abdm_str(text_of(patient, "abhaAddress")),
            .mobiles = mobiles,
            .n_mobiles = texts(own, mobiles, json_array_size(own)),
            .name = abdm_str(text_of(patient, "name")),
            .gender = abdm_str(text_of(patient, "gender")),
            .year_of_birth = (int) json_integer_value(json_object_get(patient, "yearOfBirth")),
        };
        mobiles += candidates[i].n_mobiles;
    }
    return abdm_patient_match(ctx->matcher, &question, candidates, json_array_size(list),
                              ABDM_PATIENT_RULES);
}


/* The chosen one with what later steps want to know. */
static json_t *
chosen(const json_t *asked, const json_t *candidate, unsigned by)
{
    json_t *patient = json_deep_copy(candidate), *person = json_object();
    bool ok = patient != NULL && set(person, "name", text_of(asked, "name"))
              && set(person, "gender", text_of(asked, "gender"))
              && set_year(person, json_integer_value(json_object_get(asked, "yearOfBirth")));

    ok = ok && json_object_set(patient, "asked", person) == 0
         && json_object_set_new(patient, "matchedBy", json_integer(by)) == 0;
    json_decref(person);
    if (!ok) {
        json_decref(patient);
        patient = NULL;
    }
    return patient;
}


abdm_err_t
abdm_candidates_choose(const abdm_flow_ctx_t *ctx, const char *hip_id, const json_t *asked,
                       json_t *list, json_t **out)
{
    abdm_patient_candidate_t candidates[ABDM_MATCH_CANDIDATES];
    bool held[ABDM_MATCH_CANDIDATES];
    abdm_patient_match_t found;
    abdm_str_t *mobiles;
    size_t i, n = 0;
    json_t *patient;

    *out = NULL;
    if (json_array_size(list) > ABDM_MATCH_CANDIDATES) {
        return ABDM_NO_ERR;
    }
    json_array_foreach(list, i, patient) {
        ABDM_TRY(put_abha(ctx, hip_id, patient, &held[i]));
        n += json_array_size(json_object_get(patient, "mobiles"));
    }
    mobiles = calloc(n + 1, sizeof(*mobiles));
    if (mobiles == NULL) {
        return ABDM_ERR(MEMORY, "candidates");
    }
    found = match(ctx, asked, list, candidates, mobiles);
    free(mobiles);
    if (!found.found
        || (held[found.index]
            && (found.matched_by & (ABDM_BY_ABHA_NUMBER | ABDM_BY_ABHA_ADDRESS)) == 0)) {
        return ABDM_NO_ERR;
    }
    *out = chosen(asked, json_array_get(list, found.index), found.matched_by);
    return *out != NULL ? ABDM_NO_ERR : ABDM_ERR(MEMORY, "patient");
}


bool
abdm_candidate_mobile(const json_t *asked, const json_t *patient, char out[ABDM_MOBILE_TEXT])
{
    const char *first = NULL;
    json_t *own, *verified;
    size_t i, j;

    json_array_foreach(json_object_get(asked, "mobiles"), i, verified) {
        const char *wanted = json_string_value(verified);

        if (strlen(wanted) != DIGITS) {
            continue;
        }
        json_array_foreach(json_object_get(patient, "mobiles"), j, own) {
            if (abdm_mobile_digits(abdm_str(json_string_value(own)), out)
                && strcmp(out, wanted) == 0) {
                return true;
            }
        }
        first = first != NULL ? first : wanted;
    }
    if (first != NULL) {
        memcpy(out, first, DIGITS + 1);
        return true;
    }
    json_array_foreach(json_object_get(patient, "mobiles"), j, own) {
        if (abdm_mobile_digits(abdm_str(json_string_value(own)), out) && strlen(out) == DIGITS) {
            return true;
        }
    }
    return false;
}
