/*
 * Judging a record and its file: what is missing, what is wrong, which type the bytes really
 * are. Nothing is coded that the record does not say, every id is derived (UUID v5) and no
 * clock is read, so that a record sent again is the same document, byte for byte.
 */
#include "fhir/facts.h"

#include <stdio.h>
#include <string.h>

#include "core/json.h"

/* Our name space of UUID v5; changing it would make known documents look new. */
static const char uuid_space[] = "6d1c2f0e-4a53-4c7e-9b1a-5f6c3e8d7a21";


const char *
abdm_fhir_text_at(const json_t *record, const char *path)
{
    const char *z = abdm_json_string_at(record, path);

    return z == NULL || z[strspn(z, " \t\r\n")] == '\0' ? NULL : z;
}


/* --- judging the file --- */

/* No control bytes, as any binary format has them, and no page of HTML. */
static bool
is_text(const uint8_t *p, size_t len)
{
    static const char *const pages[] = {"<!doctype", "<html"};
    const char *z = (const char *) p;
    size_t i = 0;

    for (; i < len; i++) {
        if (p[i] < 0x20 && memchr("\t\n\r\f", p[i], 4) == NULL)
            return false;
    }
    for (i = 0; i < len && p[i] <= ' '; i++)
        continue;
    for (size_t k = 0; k < sizeof pages / sizeof *pages; k++) {
        size_t n = strlen(pages[k]);
        if (len - i >= n && strncasecmp(z + i, pages[k], n) == 0)
            return false; /* a login or error page of the HMIS */
    }
    return true;
}


static const struct {
    const char *declared;
    const char *sent;
    abdm_str_t magic; /* empty: text */
} content_types[] = {
    {"application/pdf", "application/pdf", {"%PDF-", 5}},
    {"image/jpeg", "image/jpeg", {"\xff\xd8\xff", 3}},
    {"image/jpg", "image/jpeg", {"\xff\xd8\xff", 3}}, /* no registered name, but a common one */
    {"image/png", "image/png", {"\x89PNG\r\n\x1a\n", 8}},
    {"text/plain", "text/plain", {"", 0}},
};


static abdm_err_t
judge_file(const json_t *record, uint64_t length, const uint8_t *head, size_t head_len,
           const char **content_type)
{
    const char *declared = abdm_fhir_text_at(record, "document.contentType");
    abdm_str_t first = {(const char *) head, head_len};

    if (declared == NULL)
        return ABDM_ERR(RECORD_FORM, "document.contentType: missing");
    if (length == 0 || head_len == 0)
        return ABDM_ERR(RECORD_TYPE, "document: the file is empty");

    abdm_str_t type = {declared, strcspn(declared, "; ")}; /* without "; charset=..." */
    for (size_t i = 0; i < sizeof content_types / sizeof *content_types; i++) {
        if (!abdm_str_ieq(type, abdm_str(content_types[i].declared)))
            continue;
        *content_type = content_types[i].sent;
        bool right = content_types[i].magic.len > 0 ? abdm_str_starts(first, content_types[i].magic)
                                                    : is_text(head, head_len);
        return right ? ABDM_NO_ERR
                     : ABDM_ERR(RECORD_TYPE, "document: its first bytes are not of the "
                                             "contentType that the record gives");
    }
    return ABDM_ERR(RECORD_TYPE, "document.contentType: application/pdf, image/jpeg, image/png "
                                 "or text/plain expected");
}


/* --- judging the record --- */

/* Whether `z` looks like `shape`, where 0 stands for any digit. Gives what follows, or NULL. */
static const char *
match(const char *z, const char *shape)
{
    for (; *shape != '\0'; shape++, z++) {
        bool digit = *z >= '0' && *z <= '9';
        if (*shape == '0' ? !digit : *z != *shape)
            return NULL;
    }
    return z;
}


/* A FHIR instant: to the second, with its zone. */
static bool
is_instant(const char *z)
{
    const char *p = match(z, "0000-00-00T00:00:00");

    if (p == NULL)
        return false;
    if (*p == '.')
        p += 1 + strspn(p + 1, "0123456789");
    if (strcmp(p, "Z") == 0)
        return true;
    p = *p == '+' ? match(p, "+00:00") : match(p, "-00:00");
    return p != NULL && *p == '\0';
}


static bool
is_date(const char *z)
{
    const char *p = match(z, "0000-00-00");

    return p != NULL && *p == '\0';
}


/* authoredOn as it came where FHIR can hold it, so that the hospital's zone stays visible. */
static abdm_err_t
set_dates(abdm_fhir_facts_t *f)
{
    const char *z = abdm_fhir_text_at(f->about->record, "authoredOn");
    char utc[ABDM_TIME_TEXT];
    abdm_ms_t t;

    if (z == NULL)
        return ABDM_ERR(RECORD_FORM, "authoredOn: missing, and a document must have its date");
    if (abdm_failed(abdm_time_parse(abdm_str(z), &t)) || strlen(z) >= sizeof f->date)
        return ABDM_ERR(RECORD_FORM, "authoredOn: yyyy-mm-ddThh:mm:ss+05:30 expected");
    abdm_time_format(t, utc);
    snprintf(f->date, sizeof f->date, "%s", is_instant(z) || is_date(z) ? z : utc);
    snprintf(f->timestamp, sizeof f->timestamp, "%s", is_instant(z) ? z : utc);
    return ABDM_NO_ERR;
}


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


static abdm_err_t
set_patient(abdm_fhir_facts_t *f)
{
    const json_t *record = f->about->record;
    const char *reference = abdm_fhir_text_at(record, "patient.patientReference");
    const char *gender = abdm_fhir_text_at(record, "patient.gender");
    abdm_ms_t t;

    if (reference == NULL)
        return ABDM_ERR(RECORD_FORM, "patient.patientReference: missing");
    if (strcmp(reference, f->about->patient_ref) != 0)
        return ABDM_ERR(CONSENT_PATIENT, "patient.patientReference: not the consent's patient");
    f->gender = gender == NULL ? NULL : gender_of(gender);
    f->birth_date = abdm_fhir_text_at(record, "patient.birthDate");
    if (f->birth_date != NULL &&
        (!is_date(f->birth_date) || abdm_failed(abdm_time_parse(abdm_str(f->birth_date), &t))))
        return ABDM_ERR(RECORD_FORM, "patient.birthDate: yyyy-mm-dd expected");
    return ABDM_NO_ERR;
}


static abdm_err_t
set_encounter(abdm_fhir_facts_t *f)
{
    static const struct {
        const char *given, *code, *display;
    } rows[] = {
        {"AMB", "AMB", "ambulatory"},       {"OPD", "AMB", "ambulatory"},
        {"IMP", "IMP", "inpatient encounter"}, {"IPD", "IMP", "inpatient encounter"},
        {"EMER", "EMER", "emergency"},      {"VR", "VR", "virtual"},
        {"HH", "HH", "home health"},
    };
    const char *given = abdm_fhir_text_at(f->about->record, "encounter.class");

    if (given == NULL)
        given = f->about->hi_type == ABDM_HI_DISCHARGE_SUMMARY ? "IMP" : "AMB";
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (abdm_str_ieq(abdm_str(given), abdm_str(rows[i].given))) {
            f->class_code = rows[i].code;
            f->class_display = rows[i].display;
            return ABDM_NO_ERR;
        }
    }
    return ABDM_ERR(RECORD_FORM, "encounter.class: AMB, IMP, EMER, VR or HH expected");
}


/* --- ids --- */

static abdm_err_t
make_urn(const abdm_fhir_facts_t *f, const char *role, size_t number, char urn[ABDM_FHIR_URN])
{
    const abdm_document_about_t *a = f->about;
    const char *id = abdm_fhir_text_at(a->record, "id");
    char uuid[ABDM_UUID_TEXT];
    abdm_buf_t name = {0};

    if (id == NULL)
        id = abdm_fhir_text_at(a->record, "document.url");
    abdm_buf_addf(&name, "%s\x1f%s\x1f%s\x1f%s\x1f%s\x1f%zu", a->hip_id, a->care_context_ref,
                  abdm_hi_type_name(a->hi_type), id == NULL ? "" : id, role, number);
    abdm_err_t err = name.failed ? ABDM_ERR(MEMORY, "document: an id")
                                 : abdm_uuid5(uuid_space, abdm_buf_str(&name), uuid);
    abdm_buf_free(&name);
    if (!abdm_failed(err))
        snprintf(urn, ABDM_FHIR_URN, "urn:uuid:%s", uuid);
    return err;
}


static abdm_err_t
set_ids(abdm_fhir_facts_t *f)
{
    ABDM_TRY(make_urn(f, "bundle", 0, f->bundle));
    ABDM_TRY(make_urn(f, "composition", 0, f->composition));
    ABDM_TRY(make_urn(f, "patient", 0, f->patient));
    ABDM_TRY(make_urn(f, "encounter", 0, f->encounter));
    ABDM_TRY(make_urn(f, "organization", 0, f->organization));
    return make_urn(f, "attachment", 0, f->attachment);
}


static abdm_err_t
set_practitioners(abdm_fhir_facts_t *f)
{
    const json_t *list = abdm_json_at(f->about->record, "practitioners");
    const json_t *item;
    size_t i;

    json_array_foreach(list, i, item) {
        if (abdm_fhir_text_at(item, "name") == NULL)
            continue;
        if (f->n_practitioners == ABDM_FHIR_PRACTITIONERS)
            return ABDM_ERR(RECORD_FORM, "practitioners: more than 16");
        abdm_fhir_practitioner_t *p = &f->practitioners[f->n_practitioners++];
        p->record = item;
        ABDM_TRY(make_urn(f, "practitioner", i, p->urn));
    }
    return ABDM_NO_ERR;
}


abdm_err_t
abdm_fhir_facts(const abdm_document_about_t *about, uint64_t length, const uint8_t *head,
                size_t head_len, abdm_fhir_facts_t *f)
{
    *f = (abdm_fhir_facts_t){0};
    f->about = about;
    f->profile = abdm_fhir_profile(about->hi_type);
    if (f->profile->attachment == NULL)
        return ABDM_ERR(RECORD_FORM, "hiType: a bill that is only a file cannot be an Invoice; "
                                     "map it as HealthDocumentRecord");
    f->title = abdm_fhir_text_at(about->record, "title");
    ABDM_TRY(judge_file(about->record, length, head, head_len, &f->content_type));
    ABDM_TRY(set_dates(f));
    ABDM_TRY(set_patient(f));
    ABDM_TRY(set_encounter(f));
    ABDM_TRY(set_ids(f));
    return set_practitioners(f);
}
