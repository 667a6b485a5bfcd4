/*
 * Who, where and when: Composition, Patient, Encounter, Organization and Practitioners, which
 * every document has. Identifiers follow what the IG and the ABDM documents ask for; a patient's
 * ABHA address is the consent's, never the hospital's guess.
 */
#include <stdio.h>
#include <string.h>

#include "fhir/forms.h"

#define V2_0203        "http://terminology.hl7.org/CodeSystem/v2-0203"
#define ACT_CODE       "http://terminology.hl7.org/CodeSystem/v3-ActCode"
#define FACILITIES     "https://facility.abdm.gov.in"
#define DOCTORS        "https://doctor.abdm.gov.in"
#define HEALTH_IDS     "https://healthid.abdm.gov.in"


/* --- settling --- */

/* authoredOn as it came where FHIR can hold it, so that the hospital's zone stays visible. */
static abdm_err_t
settle_date(abdm_build_t *b)
{
    static const char *const names[ABDM_ROW_NAMES] = {"authoredOn", "visitDate", "date"};
    const char *name, *z;
    const json_t *value = abdm_member(b->about->record, names, &name);
    char small[ABDM_FHIR_TEXT];

    b->node = NULL;
    z = abdm_text(value, small);
    if (z == NULL)
        return abdm_build_fail(b, names[0],
                               ABDM_ERR(RECORD_FORM, "authoredOn: missing: the date of the "
                                                     "document"));
    if (!abdm_fhir_date(z, ABDM_FHIR_INSTANT, b->rules.zone, b->timestamp) ||
        !abdm_fhir_date(z, ABDM_FHIR_TIME, b->rules.zone, b->date))
        return abdm_build_fail(b, name,
                               ABDM_ERR(RECORD_FORM, "authoredOn: yyyy-mm-dd or "
                                                     "yyyy-mm-ddThh:mm:ss+05:30 expected"));
    return ABDM_NO_ERR;
}


static abdm_err_t
settle_patient(abdm_build_t *b)
{
    char small[ABDM_FHIR_TEXT];
    const char *given = abdm_text(json_object_get(json_object_get(b->about->record, "patient"),
                                                  "patientReference"), small);

    b->node = &b->model.nodes[ABDM_NODE_PATIENT];
    if (given == NULL)
        return abdm_build_fail(b, "patientReference",
                               ABDM_ERR(RECORD_FORM, "patient.patientReference: missing: whose "
                                                     "record it is"));
    if (strcmp(given, b->about->patient_ref) != 0)
        return abdm_build_fail(b, "patientReference",
                               ABDM_ERR(CONSENT_PATIENT, "patient.patientReference: not the "
                                                         "consent's patient"));
    return ABDM_NO_ERR;
}


static void
set_reference(char out[ABDM_FHIR_URN + 20], const char *urn)
{
    snprintf(out, ABDM_FHIR_URN + 20, "{\"reference\":\"%s\"}", urn);
}


abdm_err_t
abdm_build_settle(abdm_build_t *b)
{
    const abdm_node_t *nodes = b->model.nodes;
    int author = b->model.n_practitioners > 0 ? ABDM_NODE_BASE : ABDM_NODE_ORGANIZATION;

    ABDM_TRY(settle_date(b));
    ABDM_TRY(settle_patient(b));
    set_reference(b->patient, nodes[ABDM_NODE_PATIENT].urn);
    set_reference(b->encounter, nodes[ABDM_NODE_ENCOUNTER].urn);
    set_reference(b->organization, nodes[ABDM_NODE_ORGANIZATION].urn);
    set_reference(b->author, nodes[author].urn);
    b->node = NULL;
    return ABDM_NO_ERR;
}


/* --- Composition --- */

static void
put_section(abdm_build_t *b, int section)
{
    const abdm_fhir_section_t *s = &b->model.profile->sections[section];
    bool any = false;

    for (int i = ABDM_NODE_BASE; i < b->model.n; i++) {
        const abdm_node_t *node = &b->model.nodes[i];
        if (node->section != section || node->parent >= 0)
            continue;
        if (!any) {
            abdm_put_object(b, NULL);
            abdm_jw_kv(&b->w, "title", s->title);
            if (s->code != NULL)
                abdm_put_concept(b, "code", ABDM_FHIR_SNOMED, s->code, s->display);
            abdm_put_list(b, "entry");
        }
        any = true;
        abdm_put_object(b, NULL);
        abdm_jw_kv(&b->w, "reference", node->urn);
        abdm_jw_kv(&b->w, "type", node->kind->type);
        abdm_put_end(b, '}');
    }
    if (any) {
        abdm_put_end(b, ']');
        abdm_put_end(b, '}');
    }
}


static abdm_err_t
put_status(abdm_build_t *b)
{
    static const char *const words[] = {"final", "amended", "preliminary"};
    const char *given = abdm_fhir_text_at(b->about->record, "status");

    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (given == NULL || abdm_str_ieq(abdm_str(given), abdm_str(words[i]))) {
            abdm_jw_kv(&b->w, "status", words[i]);
            return ABDM_NO_ERR;
        }
    }
    return ABDM_MALFORMED(b, "status", "status: final, amended or preliminary expected");
}


abdm_err_t
abdm_build_composition(abdm_build_t *b)
{
    const abdm_fhir_profile_t *p = b->model.profile;
    const char *title = abdm_fhir_text_at(b->about->record, "title");

    b->node = NULL;
    ABDM_TRY(put_status(b));
    abdm_put_concept(b, "type", p->code == NULL ? NULL : ABDM_FHIR_SNOMED, p->code, p->display);
    abdm_put_reference(b, "subject", b->patient);
    abdm_put_reference(b, "encounter", b->encounter);
    abdm_jw_kv(&b->w, "date", b->date);
    abdm_put_list(b, "author");
    for (int i = 0; i < b->model.n_practitioners; i++)
        abdm_put_urn(b, NULL, b->model.nodes[ABDM_NODE_BASE + i].urn);
    if (b->model.n_practitioners == 0)
        abdm_put_reference(b, NULL, b->organization);
    abdm_put_end(b, ']');
    abdm_jw_kv(&b->w, "title", title == NULL ? p->title : title);
    abdm_put_list(b, "attester");
    abdm_put_object(b, NULL);
    abdm_jw_kv(&b->w, "mode", "official");
    abdm_put_reference(b, "party", b->organization);
    abdm_put_end(b, '}');
    abdm_put_end(b, ']');
    abdm_put_reference(b, "custodian", b->organization);
    abdm_put_list(b, "section");
    for (int i = 0; i < ABDM_FHIR_SECTIONS && p->sections[i].title != NULL; i++)
        put_section(b, i);
    abdm_put_end(b, ']');
    return ABDM_NO_ERR;
}


/* --- identifiers --- */

static void
put_identifier(abdm_build_t *b, const char *type_system, const char *type_code,
               const char *type_text, const char *system, const char *value)
{
    abdm_put_object(b, NULL);
    abdm_put_concept(b, "type", type_system, type_code, type_text);
    if (system != NULL)
        abdm_jw_kv(&b->w, "system", system);
    abdm_jw_kv(&b->w, "value", value);
    abdm_put_end(b, '}');
}


abdm_err_t
abdm_write_name(abdm_build_t *b, const abdm_row_t *row, const json_t *value)
{
    char small[ABDM_FHIR_TEXT];
    const char *name = abdm_text(value, small);

    if (name == NULL)
        return ABDM_MALFORMED(b, row->names[0], "name: a text expected");
    abdm_put_list(b, row->key);
    abdm_put_object(b, NULL);
    abdm_jw_kv(&b->w, "text", name);
    abdm_put_end(b, '}');
    abdm_put_end(b, ']');
    return ABDM_NO_ERR;
}


/* --- Patient --- */

static const char *
gender_of(const char *given)
{
    static const char *const rows[][2] = {
        {"male", "male"},       {"m", "male"},       {"female", "female"}, {"f", "female"},
        {"other", "other"},     {"o", "other"},      {"t", "other"},       {"transgender", "other"},
        {"unknown", "unknown"}, {"u", "unknown"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (abdm_str_ieq(abdm_str(given), abdm_str(rows[i][0])))
            return rows[i][1];
    }
    return "unknown";
}


static void
put_telecom(abdm_build_t *b, const char *mobile, const char *email)
{
    const char *const rows[2][2] = {{"phone", mobile}, {"email", email}};

    if (mobile == NULL && email == NULL)
        return;
    abdm_put_list(b, "telecom");
    for (int i = 0; i < 2; i++) {
        if (rows[i][1] == NULL)
            continue;
        abdm_put_object(b, NULL);
        abdm_jw_kv(&b->w, "system", rows[i][0]);
        abdm_jw_kv(&b->w, "value", rows[i][1]);
        abdm_put_end(b, '}');
    }
    abdm_put_end(b, ']');
}


/* Called once for the patient; its rows only name the members. */
abdm_err_t
abdm_write_patient(abdm_build_t *b, const abdm_row_t *row, const json_t *value)
{
    const json_t *p = b->node->item;
    const char *abha = b->about->abha_address, *z, *gender;
    char small[2][ABDM_FHIR_TEXT], date[ABDM_FHIR_DATE];

    (void) row;
    (void) value;
    if (abha == NULL || abha[0] == '\0')
        abha = abdm_fhir_text_at(p, "abhaAddress");
    abdm_put_list(b, "identifier");
    abdm_put_object(b, NULL);
    abdm_put_concept(b, "type", V2_0203, "MR", "Medical record number");
    abdm_jw_kv(&b->w, "value", b->about->patient_ref);
    abdm_put_reference(b, "assigner", b->organization);
    abdm_put_end(b, '}');
    if (abha != NULL)
        put_identifier(b, ABDM_FHIR_ID_TYPE, "ABHA", "Ayushman Bharat Health Account (ABHA) ID",
                       HEALTH_IDS, abha);
    z = abdm_text(json_object_get(p, "abhaNumber"), small[0]);
    if (z != NULL)
        put_identifier(b, ABDM_FHIR_ID_TYPE, "HIN", "Health ID issued by NDHM", HEALTH_IDS, z);
    abdm_put_end(b, ']');
    put_telecom(b, abdm_text(json_object_get(p, "mobile"), small[0]),
                abdm_text(json_object_get(p, "email"), small[1]));
    gender = abdm_fhir_text_at(p, "gender");
    if (gender != NULL)
        abdm_jw_kv(&b->w, "gender", gender_of(gender));
    z = abdm_text(json_object_get(p, "birthDate"), small[0]);
    if (z == NULL)
        z = abdm_text(json_object_get(p, "yearOfBirth"), small[0]);
    if (z == NULL)
        return ABDM_NO_ERR;
    if (!abdm_fhir_date(z, ABDM_FHIR_DAY, b->rules.zone, date))
        return ABDM_MALFORMED(b, "birthDate", "patient.birthDate: yyyy-mm-dd expected");
    abdm_jw_kv(&b->w, "birthDate", date);
    return ABDM_NO_ERR;
}


abdm_err_t
abdm_write_address(abdm_build_t *b, const abdm_row_t *row, const json_t *value)
{
    static const char *const parts[] = {"city", "district", "state", "postalCode"};
    char small[ABDM_FHIR_TEXT];
    const char *line = abdm_text(value, small);

    if (json_is_object(value)) {
        bool any = false;
        line = abdm_text(json_object_get(value, "line"), small);
        for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
            any |= abdm_fhir_text_at(value, parts[i]) != NULL;
        if (!any && line == NULL)
            return ABDM_NO_ERR;
    } else if (line == NULL) {
        return ABDM_MALFORMED(b, row->names[0], "address: a text or an object expected");
    }
    abdm_put_list(b, row->key);
    abdm_put_object(b, NULL);
    if (line != NULL) {
        abdm_put_list(b, "line");
        abdm_jw_strz(&b->w, line);
        abdm_put_end(b, ']');
    }
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        const char *z = abdm_text(json_object_get(value, parts[i]), small);
        if (z != NULL)
            abdm_jw_kv(&b->w, parts[i], z);
    }
    abdm_put_end(b, '}');
    abdm_put_end(b, ']');
    return ABDM_NO_ERR;
}


/* --- Practitioner and Organization --- */

/* The profile wants an identifier. Without any number of the doctor it is the resource's own. */
abdm_err_t
abdm_write_practitioner(abdm_build_t *b, const abdm_row_t *row, const json_t *value)
{
    const json_t *p = b->node->item;
    char small[3][ABDM_FHIR_TEXT];
    const char *hpr = abdm_text(json_object_get(p, "hprId"), small[0]);
    const char *number = abdm_text(json_object_get(p, "registrationNumber"), small[1]);
    const char *staff = abdm_text(json_object_get(p, "practitionerId"), small[2]);

    (void) value;
    abdm_put_list(b, row->key);
    if (hpr != NULL)
        put_identifier(b, ABDM_FHIR_ID_TYPE, "HPIN", "Health Practitioner ID issued by NDHM",
                       DOCTORS, hpr);
    if (number != NULL)
        put_identifier(b, V2_0203, "MD", "Medical License number", DOCTORS, number);
    if (staff != NULL && hpr == NULL && number == NULL)
        put_identifier(b, NULL, NULL, "Hospital staff number", NULL, staff);
    if (hpr == NULL && number == NULL && staff == NULL)
        put_identifier(b, NULL, NULL, "Identifier within this document", ABDM_FHIR_URI_SYSTEM,
                       b->node->urn);
    abdm_put_end(b, ']');
    return ABDM_NO_ERR;
}


abdm_err_t
abdm_write_qualification(abdm_build_t *b, const abdm_row_t *row, const json_t *value)
{
    const char *const words[] = {abdm_fhir_text_at(b->node->item, "qualification"),
                                 abdm_fhir_text_at(b->node->item, "speciality")};

    (void) value;
    if (words[0] == NULL && words[1] == NULL)
        return ABDM_NO_ERR;
    abdm_put_list(b, row->key);
    for (int i = 0; i < 2; i++) {
        if (words[i] == NULL)
            continue;
        abdm_put_object(b, NULL);
        abdm_put_concept(b, "code", NULL, NULL, words[i]);
        abdm_put_end(b, '}');
    }
    abdm_put_end(b, ']');
    return ABDM_NO_ERR;
}


abdm_err_t
abdm_write_organization(abdm_build_t *b, const abdm_row_t *row, const json_t *value)
{
    const char *name = b->about->facility_name;

    (void) row;
    (void) value;
    if (name == NULL || name[0] == '\0')
        name = abdm_fhir_text_at(b->node->item, "facilityName");
    abdm_put_list(b, "identifier");
    put_identifier(b, V2_0203, "PRN", "Provider number", FACILITIES, b->about->hip_id);
    abdm_put_end(b, ']');
    abdm_jw_kv(&b->w, "name", name == NULL ? b->about->hip_id : name);
    return ABDM_NO_ERR;
}


/* --- Encounter --- */

static const struct {
    const char *given, *code, *display;
} classes[] = {
    {"AMB", "AMB", "ambulatory"},         {"OPD", "AMB", "ambulatory"},
    {"ambulatory", "AMB", "ambulatory"},  {"outpatient", "AMB", "ambulatory"},
    {"IMP", "IMP", "inpatient encounter"}, {"IPD", "IMP", "inpatient encounter"},
    {"inpatient", "IMP", "inpatient encounter"},
    {"EMER", "EMER", "emergency"},        {"emergency", "EMER", "emergency"},
    {"VR", "VR", "virtual"},              {"HH", "HH", "home health"},
};

enum { CLASSES = sizeof classes / sizeof *classes };


static size_t
class_row(const char *given)
{
    size_t i = 0;

    while (i < CLASSES && !abdm_str_ieq(abdm_str(given), abdm_str(classes[i].given)))
        i++;
    return i;
}


/* A text names the kind of visit, and its class when it is a word for one. */
abdm_err_t
abdm_write_encounter(abdm_build_t *b, const abdm_row_t *row, const json_t *value)
{
    const char *by_type = b->about->hi_type == ABDM_HI_DISCHARGE_SUMMARY ? "IMP" : "AMB";
    const json_t *e = b->node->item, *from, *to;
    const char *class = abdm_fhir_text_at(e, "class"), *type, *z;
    size_t i;

    (void) row;
    (void) value;
    type = json_is_string(e) ? abdm_text(e, (char[ABDM_FHIR_TEXT]){0})
                             : abdm_fhir_text_at(e, "type");
    i = class_row(class != NULL ? class : json_is_string(e) && type != NULL ? type : by_type);
    if (i == CLASSES && class != NULL)
        return ABDM_MALFORMED(b, "class", "encounter.class: AMB, IMP, EMER, VR or HH expected");
    if (i == CLASSES)
        i = class_row(by_type);

    abdm_put_list(b, "identifier");
    abdm_put_object(b, NULL);
    abdm_jw_kv(&b->w, "value", b->about->care_context_ref);
    abdm_put_reference(b, "assigner", b->organization);
    abdm_put_end(b, '}');
    abdm_put_end(b, ']');
    abdm_put_object(b, "class");
    abdm_jw_kv(&b->w, "system", ACT_CODE);
    abdm_jw_kv(&b->w, "code", classes[i].code);
    abdm_jw_kv(&b->w, "display", classes[i].display);
    abdm_put_end(b, '}');
    if (type != NULL) {
        abdm_put_list(b, "type");
        abdm_put_concept(b, NULL, NULL, NULL, type);
        abdm_put_end(b, ']');
    }
    z = abdm_fhir_text_at(e, "reason");
    if (z != NULL) {
        abdm_put_list(b, "reasonCode");
        abdm_put_concept(b, NULL, NULL, NULL, z);
        abdm_put_end(b, ']');
    }
    from = json_object_get(e, "start");
    to = json_object_get(e, "end");
    if (from == NULL)
        from = json_object_get(b->about->record, "admissionDate");
    if (to == NULL)
        to = json_object_get(b->about->record, "dischargeDate");
    ABDM_TRY(abdm_put_period(b, "period", NULL, from, to));
    z = abdm_fhir_text_at(b->about->record, "dischargeDisposition");
    if (z != NULL) {
        abdm_put_object(b, "hospitalization");
        abdm_put_concept(b, "dischargeDisposition", NULL, NULL, z);
        abdm_put_end(b, '}');
    }
    abdm_put_reference(b, "serviceProvider", b->organization);
    return ABDM_NO_ERR;
}
