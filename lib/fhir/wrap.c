/*
 * A file becomes the attachment-only document of its HI type: Composition, Patient, Encounter,
 * Organization, Practitioners and the one resource that holds the file in base64. Rules:
 * profiles of ndhm.in 6.5.0 (profile.h) and FHIR R4 documents. The file is streamed between
 * what stands before and after it, and never held.
 */
#include <stdio.h>
#include <string.h>

#include "core/json.h"
#include "fhir/facts.h"

#define V2_0203        "http://terminology.hl7.org/CodeSystem/v2-0203"
#define ACT_CODE       "http://terminology.hl7.org/CodeSystem/v3-ActCode"
#define NDHM_ID_TYPE   "https://nrces.in/ndhm/fhir/r4/CodeSystem/ndhm-identifier-type-code"
#define FACILITIES     "https://facility.abdm.gov.in"
#define DOCTORS        "https://doctor.abdm.gov.in"
#define HEALTH_IDS     "https://healthid.abdm.gov.in"
#define URI_IDENTIFIER "urn:ietf:rfc:3986"

/* What closes the JSON behind the base64, for each kind of resource that carries it. */
static const char document_reference_end[] = "\"}}]}}]}";
static const char binary_end[] = "\"}}]}";


static void
kv_if(abdm_jw_t *w, const char *key, const char *value)
{
    if (value != NULL)
        abdm_jw_kv(w, key, value);
}


static void
reference(abdm_jw_t *w, const char *key, const char *urn)
{
    if (key != NULL)
        abdm_jw_key(w, key);
    abdm_jw_open(w, '{');
    abdm_jw_kv(w, "reference", urn);
    abdm_jw_close(w, '}');
}


/* A concept with one coding, or with none when `system` is NULL, and its text. */
static void
concept(abdm_jw_t *w, const char *key, const char *system, const char *code, const char *text)
{
    abdm_jw_key(w, key);
    abdm_jw_open(w, '{');
    if (system != NULL) {
        abdm_jw_key(w, "coding");
        abdm_jw_open(w, '[');
        abdm_jw_open(w, '{');
        abdm_jw_kv(w, "system", system);
        abdm_jw_kv(w, "code", code);
        abdm_jw_kv(w, "display", text);
        abdm_jw_close(w, '}');
        abdm_jw_close(w, ']');
    }
    abdm_jw_kv(w, "text", text);
    abdm_jw_close(w, '}');
}


/* One of a list of identifiers, left open for what else belongs to it. */
static void
open_identifier(abdm_jw_t *w, const char *type_system, const char *type_code,
                const char *type_text, const char *system, const char *value)
{
    abdm_jw_open(w, '{');
    concept(w, "type", type_system, type_code, type_text);
    kv_if(w, "system", system);
    abdm_jw_kv(w, "value", value);
}


static void
profile_claim(abdm_jw_t *w, const char *profile)
{
    char url[sizeof ABDM_FHIR_NRCES + 64];

    snprintf(url, sizeof url, "%s%s", ABDM_FHIR_NRCES, profile);
    abdm_jw_key(w, "profile");
    abdm_jw_open(w, '[');
    abdm_jw_strz(w, url);
    abdm_jw_close(w, ']');
}


static void
open_resource(abdm_jw_t *w, const char *type, const char *profile, const char *urn)
{
    abdm_jw_open(w, '{');
    abdm_jw_kv(w, "fullUrl", urn);
    abdm_jw_key(w, "resource");
    abdm_jw_open(w, '{');
    abdm_jw_kv(w, "resourceType", type);
    abdm_jw_kv(w, "id", urn + strlen("urn:uuid:"));
    abdm_jw_key(w, "meta");
    abdm_jw_open(w, '{');
    profile_claim(w, profile);
    abdm_jw_close(w, '}');
}


static void
close_resource(abdm_jw_t *w)
{
    abdm_jw_close(w, '}');
    abdm_jw_close(w, '}');
}


static void
write_section(abdm_jw_t *w, const abdm_fhir_facts_t *f)
{
    const abdm_fhir_profile_t *p = f->profile;

    abdm_jw_key(w, "section");
    abdm_jw_open(w, '[');
    abdm_jw_open(w, '{');
    abdm_jw_kv(w, "title", p->section_title);
    if (p->code != NULL)
        concept(w, "code", ABDM_FHIR_SNOMED, p->code, p->display);
    abdm_jw_key(w, "entry");
    abdm_jw_open(w, '[');
    abdm_jw_open(w, '{');
    abdm_jw_kv(w, "reference", f->attachment);
    abdm_jw_kv(w, "type", p->attachment);
    abdm_jw_close(w, '}');
    abdm_jw_close(w, ']');
    abdm_jw_close(w, '}');
    abdm_jw_close(w, ']');
}


static void
write_composition(abdm_jw_t *w, const abdm_fhir_facts_t *f)
{
    const abdm_fhir_profile_t *p = f->profile;

    open_resource(w, "Composition", p->profile, f->composition);
    abdm_jw_kv(w, "status", "final");
    concept(w, "type", p->code == NULL ? NULL : ABDM_FHIR_SNOMED, p->code, p->display);
    reference(w, "subject", f->patient);
    reference(w, "encounter", f->encounter);
    abdm_jw_kv(w, "date", f->date);
    abdm_jw_key(w, "author");
    abdm_jw_open(w, '[');
    for (size_t i = 0; i < f->n_practitioners; i++)
        reference(w, NULL, f->practitioners[i].urn);
    if (f->n_practitioners == 0)
        reference(w, NULL, f->organization);
    abdm_jw_close(w, ']');
    abdm_jw_kv(w, "title", f->title == NULL ? p->title : f->title);
    abdm_jw_key(w, "attester");
    abdm_jw_open(w, '[');
    abdm_jw_open(w, '{');
    abdm_jw_kv(w, "mode", "official");
    reference(w, "party", f->organization);
    abdm_jw_close(w, '}');
    abdm_jw_close(w, ']');
    reference(w, "custodian", f->organization);
    write_section(w, f);
    close_resource(w);
}


static void
write_name(abdm_jw_t *w, const char *name)
{
    abdm_jw_key(w, "name");
    abdm_jw_open(w, '[');
    abdm_jw_open(w, '{');
    abdm_jw_kv(w, "text", name);
    abdm_jw_close(w, '}');
    abdm_jw_close(w, ']');
}


static void
write_patient(abdm_jw_t *w, const abdm_fhir_facts_t *f)
{
    const json_t *record = f->about->record;
    const char *name = abdm_fhir_text_at(record, "patient.name");
    const char *mobile = abdm_fhir_text_at(record, "patient.mobile");

    open_resource(w, "Patient", "Patient", f->patient);
    abdm_jw_key(w, "identifier");
    abdm_jw_open(w, '[');
    open_identifier(w, V2_0203, "MR", "Medical record number", NULL, f->about->patient_ref);
    reference(w, "assigner", f->organization);
    abdm_jw_close(w, '}');
    if (f->about->abha_address != NULL && f->about->abha_address[0] != '\0') {
        open_identifier(w, NDHM_ID_TYPE, "ABHA", "Ayushman Bharat Health Account (ABHA) ID",
                        HEALTH_IDS, f->about->abha_address);
        abdm_jw_close(w, '}');
    }
    abdm_jw_close(w, ']');
    if (name != NULL)
        write_name(w, name);
    if (mobile != NULL) {
        abdm_jw_key(w, "telecom");
        abdm_jw_open(w, '[');
        abdm_jw_open(w, '{');
        abdm_jw_kv(w, "system", "phone");
        abdm_jw_kv(w, "value", mobile);
        abdm_jw_close(w, '}');
        abdm_jw_close(w, ']');
    }
    kv_if(w, "gender", f->gender);
    kv_if(w, "birthDate", f->birth_date);
    close_resource(w);
}


static void
write_encounter(abdm_jw_t *w, const abdm_fhir_facts_t *f)
{
    const char *type = abdm_fhir_text_at(f->about->record, "encounter.type");

    open_resource(w, "Encounter", "Encounter", f->encounter);
    abdm_jw_key(w, "identifier");
    abdm_jw_open(w, '[');
    abdm_jw_open(w, '{');
    abdm_jw_kv(w, "value", f->about->care_context_ref);
    reference(w, "assigner", f->organization);
    abdm_jw_close(w, '}');
    abdm_jw_close(w, ']');
    abdm_jw_kv(w, "status", "finished");
    abdm_jw_key(w, "class");
    abdm_jw_open(w, '{');
    abdm_jw_kv(w, "system", ACT_CODE);
    abdm_jw_kv(w, "code", f->class_code);
    abdm_jw_kv(w, "display", f->class_display);
    abdm_jw_close(w, '}');
    if (type != NULL) {
        abdm_jw_key(w, "type");
        abdm_jw_open(w, '[');
        abdm_jw_open(w, '{');
        abdm_jw_kv(w, "text", type);
        abdm_jw_close(w, '}');
        abdm_jw_close(w, ']');
    }
    reference(w, "subject", f->patient);
    reference(w, "serviceProvider", f->organization);
    close_resource(w);
}


static void
write_organization(abdm_jw_t *w, const abdm_fhir_facts_t *f)
{
    const char *name = f->about->facility_name;

    open_resource(w, "Organization", "Organization", f->organization);
    abdm_jw_key(w, "identifier");
    abdm_jw_open(w, '[');
    open_identifier(w, V2_0203, "PRN", "Provider number", FACILITIES, f->about->hip_id);
    abdm_jw_close(w, '}');
    abdm_jw_close(w, ']');
    abdm_jw_kv(w, "name", name == NULL || name[0] == '\0' ? f->about->hip_id : name);
    close_resource(w);
}


/* The profile wants an identifier. Without any number of the doctor it is the resource's own. */
static void
write_practitioner(abdm_jw_t *w, const abdm_fhir_practitioner_t *p)
{
    const char *number = abdm_fhir_text_at(p->record, "registrationNumber");
    const char *staff = abdm_fhir_text_at(p->record, "practitionerId");

    open_resource(w, "Practitioner", "Practitioner", p->urn);
    abdm_jw_key(w, "identifier");
    abdm_jw_open(w, '[');
    if (number != NULL)
        open_identifier(w, V2_0203, "MD", "Medical License number", DOCTORS, number);
    else if (staff != NULL)
        open_identifier(w, NULL, NULL, "Hospital staff number", NULL, staff);
    else
        open_identifier(w, NULL, NULL, "Identifier within this document", URI_IDENTIFIER, p->urn);
    abdm_jw_close(w, '}');
    abdm_jw_close(w, ']');
    write_name(w, abdm_fhir_text_at(p->record, "name"));
    close_resource(w);
}


/* Up to and with the quote before the base64; the end is one of the constants above. */
static void
open_attachment(abdm_jw_t *w, const abdm_fhir_facts_t *f)
{
    const char *title = abdm_fhir_text_at(f->about->record, "document.title");
    bool binary = strcmp(f->profile->attachment, "Binary") == 0;

    open_resource(w, f->profile->attachment, f->profile->attachment, f->attachment);
    if (!binary) {
        abdm_jw_kv(w, "status", "current");
        reference(w, "subject", f->patient);
        abdm_jw_key(w, "content");
        abdm_jw_open(w, '[');
        abdm_jw_open(w, '{');
        abdm_jw_key(w, "attachment");
        abdm_jw_open(w, '{');
        kv_if(w, "title", title == NULL ? f->title : title);
    }
    abdm_jw_kv(w, "contentType", f->content_type);
    abdm_jw_key(w, "data");
    abdm_buf_addz(w->out, "\"");
}


static void
write_until_data(abdm_buf_t *out, const abdm_fhir_facts_t *f)
{
    abdm_jw_t w;

    abdm_jw_begin(&w, out);
    abdm_jw_open(&w, '{');
    abdm_jw_kv(&w, "resourceType", "Bundle");
    abdm_jw_kv(&w, "id", f->bundle + strlen("urn:uuid:"));
    abdm_jw_key(&w, "meta");
    abdm_jw_open(&w, '{');
    abdm_jw_kv(&w, "versionId", "1");
    abdm_jw_kv(&w, "lastUpdated", f->timestamp);
    profile_claim(&w, "DocumentBundle");
    abdm_jw_close(&w, '}');
    abdm_jw_key(&w, "identifier");
    abdm_jw_open(&w, '{');
    abdm_jw_kv(&w, "system", URI_IDENTIFIER);
    abdm_jw_kv(&w, "value", f->bundle);
    abdm_jw_close(&w, '}');
    abdm_jw_kv(&w, "type", "document");
    abdm_jw_kv(&w, "timestamp", f->timestamp);
    abdm_jw_key(&w, "entry");
    abdm_jw_open(&w, '[');
    write_composition(&w, f);
    write_patient(&w, f);
    write_encounter(&w, f);
    write_organization(&w, f);
    for (size_t i = 0; i < f->n_practitioners; i++)
        write_practitioner(&w, &f->practitioners[i]);
    open_attachment(&w, f);
}


abdm_err_t
abdm_document_wrap(const abdm_document_about_t *about, abdm_source_t *file, const uint8_t *head,
                   size_t head_len, abdm_source_t **out)
{
    abdm_buf_t before = {0}, after = {0};
    abdm_source_t *parts[3];
    abdm_fhir_facts_t f;

    *out = NULL;
    abdm_err_t err = abdm_fhir_facts(about, file->length, head, head_len, &f);
    if (abdm_failed(err)) {
        abdm_source_close(file);
        return err;
    }
    write_until_data(&before, &f);
    abdm_buf_addz(&after, strcmp(f.profile->attachment, "Binary") == 0 ? binary_end
                                                                       : document_reference_end);
    parts[0] = abdm_source_take_buf(&before);
    parts[1] = abdm_source_base64(file);
    parts[2] = abdm_source_take_buf(&after);
    *out = abdm_source_concat(parts, 3);
    return *out == NULL ? ABDM_ERR(MEMORY, "document") : ABDM_NO_ERR;
}
