/*
 * The tables: resources of the NRCeS profiles (ndhm.in 6.5.0) row by row, and where the members
 * of the plain form go. Member names are those of NHA's fhir-mapper, in each of its spellings;
 * the others are ours. The first row is also what a bare text in place of an object means.
 */
#include "fhir/kinds.h"

#include "fhir/codes.h"
#include "fhir/forms.h"
#include "fhir/invoice.h"
#include "fhir/medicine.h"
#include "fhir/observation.h"

#define KIND(type_, profile_, fixed_, subject_, encounter_, rows_)                                 \
    .type = (type_), .profile = (profile_), .fixed = (fixed_), .subject = (subject_),              \
    .encounter = (encounter_), .rows = (rows_), .n_rows = sizeof(rows_) / sizeof *(rows_)

/* A member that another row's function reads, or that is known and not sent. */
#define READ(...) {.names = {__VA_ARGS__}}

/* The places that all concepts share, after the concept itself. */
#define CODING                                                                                     \
    [ABDM_ROW_CODE] = READ("code"), [ABDM_ROW_SYSTEM] = READ("system"),                            \
    [ABDM_ROW_DISPLAY] = READ("display")

static const abdm_word_t order_words[] = {
    {"active", "active"}, {"completed", "completed"}, {"on-hold", "on-hold"}, {"draft", "draft"},
    {"revoked", "revoked"}, {"unknown", "unknown"}, {"", "active"}, {NULL, NULL},
};

static const abdm_word_t medication_words[] = {
    {"active", "active"}, {"completed", "completed"}, {"on-hold", "on-hold"}, {"draft", "draft"},
    {"cancelled", "cancelled"}, {"stopped", "stopped"}, {"unknown", "unknown"}, {"", "active"},
    {NULL, NULL},
};

static const abdm_word_t procedure_words[] = {
    {"completed", "completed"}, {"inprogress", "in-progress"}, {"in-progress", "in-progress"},
    {"not-done", "not-done"}, {"stopped", "stopped"}, {"preparation", "preparation"},
    {"on-hold", "on-hold"}, {"unknown", "unknown"}, {"", "unknown"}, {NULL, NULL},
};

static const abdm_word_t report_words[] = {
    {"final", "final"}, {"preliminary", "preliminary"}, {"amended", "amended"},
    {"corrected", "corrected"}, {"partial", "partial"}, {"registered", "registered"},
    {"", "final"}, {NULL, NULL},
};

static const abdm_word_t intent_words[] = {
    {"proposal", "proposal"}, {"plan", "plan"}, {"order", "order"}, {"option", "option"},
    {"", "plan"}, {NULL, NULL},
};

static const abdm_word_t criticality_words[] = {
    {"low", "low"}, {"high", "high"}, {"unable-to-assess", "unable-to-assess"}, {NULL, NULL},
};

static const abdm_word_t condition_words[] = {
    {"active", "active"}, {"recurrence", "recurrence"}, {"relapse", "relapse"},
    {"inactive", "inactive"}, {"remission", "remission"}, {"resolved", "resolved"}, {NULL, NULL},
};

static const abdm_word_t allergy_words[] = {
    {"active", "active"}, {"inactive", "inactive"}, {"resolved", "resolved"}, {"", "active"},
    {NULL, NULL},
};

/* --- who and where --- */

static const abdm_row_t patient_rows[] = {
    {.names = {"patientReference"}, .write = abdm_write_patient, .always = true},
    {.names = {"name"}, .write = abdm_write_name, .key = "name"},
    {.names = {"address"}, .write = abdm_write_address, .key = "address"},
    READ("gender"), READ("birthDate"), READ("yearOfBirth"), READ("mobile"), READ("email"),
    READ("abhaNumber"), READ("abhaAddress"),
};

const abdm_kind_t abdm_kind_patient = {
    KIND("Patient", "Patient", NULL, NULL, false, patient_rows)};

static const abdm_row_t encounter_rows[] = {
    {.names = {"type"}, .write = abdm_write_encounter, .always = true},
    READ("class"), READ("start"), READ("end"), READ("reason"),
};

const abdm_kind_t abdm_kind_encounter = {
    KIND("Encounter", "Encounter", "\"status\":\"finished\"", "subject", false, encounter_rows)};

static const abdm_row_t organization_rows[] = {
    {.names = {"facilityName"}, .write = abdm_write_organization, .always = true},
    READ("facilityId"),
};

const abdm_kind_t abdm_kind_organization = {
    KIND("Organization", "Organization", NULL, NULL, false, organization_rows)};

static const abdm_row_t practitioner_rows[] = {
    {.names = {"name"}, .write = abdm_write_name, .key = "name"},
    {.names = {"practitionerId"}, .write = abdm_write_practitioner, .key = "identifier",
     .always = true},
    READ("registrationNumber"), READ("hprId"),
    {.names = {"qualification"}, .write = abdm_write_qualification, .key = "qualification",
     .always = true},
    READ("speciality"),
};

const abdm_kind_t abdm_kind_practitioner = {
    KIND("Practitioner", "Practitioner", NULL, NULL, false, practitioner_rows)};

/* --- findings --- */

static const abdm_row_t condition_rows[] = {
    {.names = {"complaint", "condition", "diagnosis"}, .write = abdm_write_concept, .key = "code",
     .missing = "complaint: missing: the complaint or condition, in words",
     .systems = ABDM_SNOMED | ABDM_ICD10,
     .always = true},
    CODING,
    {.names = {"recordedDate", "date"}, .write = abdm_write_time, .key = "recordedDate"},
    {.names = {"dateRange"}, .write = abdm_write_period, .key = "onsetPeriod"},
    {.names = {"clinicalStatus"}, .write = abdm_write_clinical_status, .key = "clinicalStatus",
     .words = condition_words},
};

static const abdm_kind_t condition = {
    KIND("Condition", "Condition", NULL, "subject", true, condition_rows)};

static const abdm_row_t observation_rows[ABDM_OBS_ROWS] = {
    {.names = {"observation", "name"}, .write = abdm_write_observation, .key = "code",
     .missing = "observation: missing: what was observed, in words",
     .systems = ABDM_SNOMED | ABDM_LOINC,
     .always = true},
    CODING,
    [ABDM_OBS_RESULT] = READ("result"),
    [ABDM_OBS_QUANTITY] = READ("valueQuantity", "value"),
    [ABDM_OBS_UNIT] = READ("unit"),
    [ABDM_OBS_DATE] = READ("date", "recordedDate"),
    [ABDM_OBS_LOINC] = READ("loinc"),
    [ABDM_OBS_RANGE] = {.names = {"range", "referenceRange"}, .write = abdm_write_range,
    .key = "referenceRange"},
    [ABDM_OBS_FLAG] = {.names = {"flag"}, .write = abdm_write_flag, .key = "interpretation"},
    [ABDM_OBS_METHOD] = {.names = {"method"}, .write = abdm_write_concept, .key = "method",
    .systems = ABDM_SNOMED},
};

#define OBSERVATION(profile_, value_, vitals_)                                                     \
    {KIND("Observation", profile_, "\"status\":\"final\"", "subject", true, observation_rows),    \
     .value = (value_), .vitals = (vitals_)}

static const abdm_kind_t observation = OBSERVATION("Observation", ABDM_VALUE_ANY, true),
    result = OBSERVATION("Observation", ABDM_VALUE_ANY, false),
    vital_sign = OBSERVATION("ObservationVitalSigns", ABDM_VALUE_ANY, true),
    body_measurement = OBSERVATION("ObservationBodyMeasurement", ABDM_VALUE_ANY, true),
    physical_activity = OBSERVATION("ObservationPhysicalActivity", ABDM_VALUE_ANY, false),
    general_assessment = OBSERVATION("ObservationGeneralAssessment", ABDM_VALUE_GENERAL, false),
    women_health = OBSERVATION("ObservationWomenHealth", ABDM_VALUE_ANY, false),
    lifestyle = OBSERVATION("ObservationLifestyle", ABDM_VALUE_CONCEPT, false);

static const abdm_row_t allergy_rows[] = {
    {.names = {"substance", "allergy"}, .write = abdm_write_concept, .key = "code",
     .missing = "substance: missing: what the patient is allergic to", .systems = ABDM_SNOMED,
     .always = true},
    CODING,
    {.names = {"status", "clinicalStatus"}, .write = abdm_write_clinical_status,
     .key = "clinicalStatus",
     .words = allergy_words, .always = true},
    {.names = {"criticality"}, .write = abdm_write_word, .key = "criticality",
     .words = criticality_words},
    {.names = {"reaction"}, .write = abdm_write_reaction, .key = "reaction",
     .systems = ABDM_SNOMED},
    {.names = {"recordedDate", "date"}, .write = abdm_write_time, .key = "recordedDate"},
};

static const abdm_kind_t allergy = {
    KIND("AllergyIntolerance", "AllergyIntolerance", NULL, "patient", true, allergy_rows)};

static const abdm_row_t family_rows[] = {
    {.names = {"observation", "condition"}, .write = abdm_write_family_condition,
     .key = "condition",
     .missing = "observation: missing: the relative's condition, in words", .systems = ABDM_SNOMED,
     .always = true},
    CODING,
    {.names = {"relationship"}, .write = abdm_write_concept, .key = "relationship",
     .missing = "relationship: missing: which relative has the condition"},
};

static const abdm_kind_t family = {KIND("FamilyMemberHistory", "FamilyMemberHistory",
"\"status\":\"completed\"", "patient", false, family_rows)};

/* --- orders and deeds --- */

static const abdm_row_t service_rows[] = {
    {.names = {"details", "serviceName"}, .write = abdm_write_concept, .key = "code",
     .missing = "details: missing: what is ordered, in words", .systems = ABDM_SNOMED,
     .always = true},
    CODING,
    {.names = {"status"}, .write = abdm_write_word, .key = "status", .words = order_words,
     .always = true},
    {.names = {"specimen"}, .write = abdm_write_note, .key = "note"},
    {.names = {"date", "authoredOn"}, .write = abdm_write_authored_on, .key = "authoredOn",
     .always = true},
    {.write = abdm_write_author, .key = "requester", .always = true},
};

static const abdm_kind_t service = {KIND("ServiceRequest", "ServiceRequest",
"\"intent\":\"order\"", "subject", true, service_rows)};

static const abdm_row_t medication_request_rows[ABDM_RX_ROWS] = {
    {.names = {"medicine", "medication"}, .write = abdm_write_medicine,
     .key = "medicationCodeableConcept",
     .missing = "medicine: missing: what is prescribed", .systems = ABDM_SNOMED,
     .always = true},
    CODING,
    [ABDM_RX_DOSAGE] = {.names = {"dosage"}, .write = abdm_write_dosage,
    .key = "dosageInstruction", .always = true},
    [ABDM_RX_TIMING] = READ("timing"),
    [ABDM_RX_ROUTE] = {.names = {"route"}, .systems = ABDM_SNOMED},
    [ABDM_RX_METHOD] = {.names = {"method"}, .systems = ABDM_SNOMED},
    [ABDM_RX_INSTRUCTIONS] = {.names = {"additionalInstructions", "additionalInstruction"},
                              .systems = ABDM_SNOMED},
    [ABDM_RX_REASON] = {.names = {"reason"}, .write = abdm_write_concepts, .key = "reasonCode",
    .systems = ABDM_SNOMED},
    [ABDM_RX_STATUS] = {.names = {"status"}, .write = abdm_write_word, .key = "status",
    .words = medication_words,
                        .always = true},
    [ABDM_RX_DATE] = {.names = {"authoredOn", "date"}, .write = abdm_write_authored_on,
    .key = "authoredOn",
                      .always = true},
    [ABDM_RX_DURATION] = READ("duration"),
    [ABDM_RX_QUANTITY] = READ("quantity"),
    [ABDM_RX_REFILLS] = READ("refills"),
    [ABDM_RX_STRENGTH] = READ("strength"),
    [ABDM_RX_FORM] = READ("form"),
    [ABDM_RX_REQUESTER] = {.write = abdm_write_author, .key = "requester", .always = true},
    [ABDM_RX_DISPENSE] = {.write = abdm_write_dispense, .key = "dispenseRequest", .always = true},
};

static const abdm_kind_t medication_request = {
    KIND("MedicationRequest", "MedicationRequest", "\"intent\":\"order\"", "subject", true,
    medication_request_rows)};

static const abdm_row_t procedure_rows[] = {
    {.names = {"procedureName", "details"}, .write = abdm_write_concept, .key = "code",
     .missing = "procedureName: missing: what was done, in words", .systems = ABDM_SNOMED,
     .always = true},
    CODING,
    {.names = {"status"}, .write = abdm_write_word, .key = "status", .words = procedure_words,
     .always = true},
    {.names = {"date"}, .write = abdm_write_time, .key = "performedDateTime"},
    {.names = {"procedureReason", "condition"}, .write = abdm_write_concepts, .key = "reasonCode",
     .systems = ABDM_SNOMED},
    {.names = {"outcome"}, .write = abdm_write_concept, .key = "outcome", .systems = ABDM_SNOMED},
};

static const abdm_kind_t procedure = {
    KIND("Procedure", "Procedure", NULL, "subject", true, procedure_rows)};

static const abdm_row_t appointment_rows[] = {
    {.names = {"appointmentTime"}, .write = abdm_write_appointment,
     .missing = "appointmentTime: missing: when the patient is to come"},
    {.names = {"serviceType"}, .write = abdm_write_concepts, .key = "serviceType",
     .systems = ABDM_SNOMED},
    {.names = {"reason"}, .write = abdm_write_text, .key = "description"},
};

static const abdm_kind_t appointment = {KIND("Appointment", "Appointment",
"\"status\":\"booked\"", NULL, false, appointment_rows)};

static const abdm_row_t plan_rows[] = {
    {.names = {"description"}, .write = abdm_write_plan, .key = "description", .always = true},
    READ("goal"), /* read by the row before */
    {.names = {"intent"}, .write = abdm_write_word, .key = "intent", .words = intent_words,
     .always = true},
    {.names = {"type", "title"}, .write = abdm_write_text, .key = "title"},
    {.names = {"notes", "note"}, .write = abdm_write_note, .key = "note"},
    {.names = {"period"}, .write = abdm_write_period, .key = "period"},
};

static const abdm_kind_t plan = {KIND("CarePlan", "CarePlan", "\"status\":\"active\"", "subject",
true, plan_rows)};

/* A discharge summary has no section for appointments: the visit to come is part of the plan. */
static const abdm_row_t visit_rows[] = {
    {.names = {"appointmentTime"}, .write = abdm_write_visit, .key = "period",
     .missing = "appointmentTime: missing: when the patient is to come"},
    {.names = {"serviceType"}, .write = abdm_write_text, .key = "title"},
    {.names = {"reason"}, .write = abdm_write_text, .key = "description"},
};

static const abdm_kind_t visit = {KIND("CarePlan", "CarePlan",
"\"status\":\"active\",\"intent\":\"plan\"", "subject", true, visit_rows)};

/* --- files --- */

static const abdm_row_t document_rows[] = {
    {.names = {"data"}, .write = abdm_write_file, .key = "content", .always = true},
    {.names = {"type"}, .write = abdm_write_concept, .key = "type",
     .systems = ABDM_SNOMED | ABDM_LOINC},
    READ("contentType"), READ("url"), READ("title"), READ("date"),
};

static const abdm_kind_t document = {
    KIND("DocumentReference", "DocumentReference", "\"status\":\"current\"", "subject", false,
    document_rows)};

static const abdm_row_t binary_rows[] = {
    {.names = {"data"}, .write = abdm_write_binary, .always = true},
    READ("type"), READ("contentType"), READ("url"), READ("title"), READ("date"),
};

static const abdm_kind_t binary = {KIND("Binary", "Binary", NULL, NULL, false, binary_rows)};

static const abdm_row_t media_rows[] = {
    {.names = {"data"}, .write = abdm_write_media, .key = "content", .always = true},
    READ("contentType"), READ("title"), READ("date"),
};

static const abdm_kind_t media = {KIND("Media", "Media", "\"status\":\"completed\"", "subject",
false, media_rows)};

/* --- reports --- */

static const abdm_row_t specimen_rows[] = {
    {.names = {"type"}, .write = abdm_write_concept, .key = "type", .systems = ABDM_SNOMED},
    {.names = {"collected"}, .write = abdm_write_specimen_times, .key = "collection"},
    {.names = {"received"}, .write = abdm_write_time, .key = "receivedTime"},
};

static const abdm_kind_t specimen = {KIND("Specimen", "Specimen", NULL, "subject", false,
specimen_rows)};

#define REPORT_ROWS                                                                                \
    {.names = {"serviceName"}, .write = abdm_write_concept, .key = "code",                         \
     .missing = "serviceName: missing: which examination it is", .systems = ABDM_LOINC,            \
     .always = true},                                                                              \
    CODING,                                                                                        \
    {.names = {"serviceCategory"}, .write = abdm_write_concepts, .key = "category",                \
     .systems = ABDM_SNOMED},                                                                      \
    {.names = {"authoredOn", "date"}, .write = abdm_write_report_date, .always = true},            \
    {.names = {"status"}, .write = abdm_write_word, .key = "status", .words = report_words,        \
     .always = true},                                                                              \
    {.names = {"conclusion"}, .write = abdm_write_conclusion, .key = "conclusion",                 \
     .always = true},                                                                              \
    {.names = {"presentedForm"}, .write = abdm_write_presented_form, .key = "presentedForm"},      \
    READ("kind"), READ("specimen")

static const abdm_row_t report_lab_rows[] = {
    REPORT_ROWS,
    {.names = {"result", "results"}, .write = abdm_write_report_parts,
     .missing = "result: missing: the results of a laboratory's report", .always = true},
    READ("images"),
};

static const abdm_row_t report_imaging_rows[] = {
    REPORT_ROWS,
    {.names = {"images"}, .write = abdm_write_report_parts,
     .missing = "images: missing: the images of the examination, or a presentedForm",
     .always = true},
    READ("result"),
};

#define REPORT_CHILDREN                                                                            \
    {{"specimen", &specimen, abdm_has_specimen_times}, {"result", &result, NULL},                  \
     {"images", &media, NULL}}

const abdm_kind_t abdm_kind_report_lab = {
    KIND("DiagnosticReport", "DiagnosticReportLab", NULL, "subject", true, report_lab_rows),
    .children = REPORT_CHILDREN};

const abdm_kind_t abdm_kind_report_imaging = {
    KIND("DiagnosticReport", "DiagnosticReportImaging", NULL, "subject", true, report_imaging_rows),
    .children = REPORT_CHILDREN};

static const abdm_row_t report_file_rows[] = {
    {.names = {"serviceName"}, .write = abdm_write_concept, .key = "type",
     .missing = "serviceName: missing: which examination it is",
     .systems = ABDM_LOINC,
     .always = true},
    CODING,
    {.names = {"conclusion"}, .write = abdm_write_text, .key = "description"},
    {.names = {"presentedForm"}, .write = abdm_write_report_file, .key = "content",
     .missing = "presentedForm: missing: the file of the report"},
    READ("serviceCategory"), READ("authoredOn"), READ("status"), READ("kind"), READ("specimen"),
};

const abdm_kind_t abdm_kind_report_file = {
    KIND("DocumentReference", "DocumentReference", "\"status\":\"current\"", "subject", false,
    report_file_rows)};

/* --- vaccines --- */

static const abdm_row_t immunization_rows[] = {
    {.names = {"vaccineName"}, .write = abdm_write_concept, .key = "vaccineCode",
     .missing = "vaccineName: missing: what was given",
     .systems = ABDM_SNOMED,
     .always = true},
    CODING,
    {.names = {"date", "occurrenceDate"}, .write = abdm_write_time, .key = "occurrenceDateTime",
     .missing = "date: missing: when the vaccine was given"},
    {.names = {"lotNumber"}, .write = abdm_write_text, .key = "lotNumber"},
    {.names = {"manufacturer"}, .write = abdm_write_display, .key = "manufacturer"},
    {.names = {"doseNumber"}, .write = abdm_write_dose},
    {.names = {"brandName"}, .write = abdm_write_brand},
    {.names = {"expiryDate"}, .write = abdm_write_day, .key = "expirationDate"},
    {.names = {"site"}, .write = abdm_write_concept, .key = "site", .systems = ABDM_SNOMED},
    {.names = {"route"}, .write = abdm_write_concept, .key = "route", .systems = ABDM_SNOMED},
};

static const abdm_kind_t immunization = {
    KIND("Immunization", "Immunization", "\"status\":\"completed\"", "patient", true,
    immunization_rows)};

static const abdm_row_t next_dose_rows[ABDM_DUE_ROWS] = {
    {.names = {"vaccineName"}, .write = abdm_write_next_dose, .key = "recommendation",
     .missing = "nextDose.vaccineName: missing: which vaccine is due", .systems = ABDM_SNOMED,
     .always = true},
    CODING,
    [ABDM_DUE_DATE] = READ("dueDate", "date"),
    [ABDM_DUE_DOSE] = READ("doseNumber"),
};

static const abdm_kind_t next_dose = {
    KIND("ImmunizationRecommendation", "ImmunizationRecommendation", NULL, "patient", false,
    next_dose_rows)};

/* --- bills --- */

static const abdm_row_t product_rows[] = {
    {.names = {"description"}, .write = abdm_write_concept, .key = "code",
     .missing = "description: missing: what the line is for",
     .always = true},
    CODING,
    [ABDM_PRODUCT_HSN] = {.names = {"hsn"}, .write = abdm_write_hsn, .key = "identifier"},
    [ABDM_PRODUCT_BATCH] = READ("batch"),
    [ABDM_PRODUCT_EXPIRY] = READ("expiry"),
    [ABDM_PRODUCT_OF_BATCH] = {.write = abdm_write_batch, .key = "batch", .always = true},
    READ("quantity"), READ("mrp"), READ("rate"), READ("discount"), READ("cgst"), READ("sgst"),
};

const abdm_kind_t abdm_kind_medication = {KIND("Medication", "Medication", NULL, NULL, false,
product_rows)};

static const abdm_row_t charge_rows[] = {
    {.names = {"description"}, .write = abdm_write_product,
     .missing = "description: missing: what the line is for"},
    {.names = {"quantity"}, .write = abdm_write_count, .key = "quantity",
     .missing = "quantity: missing: how many of it"},
    {.write = abdm_write_charge_code, .key = "code", .always = true},
    READ("mrp"), READ("rate"), READ("discount"), READ("cgst"), READ("sgst"), READ("hsn"),
    READ("batch"),
    READ("expiry"),
};

static const abdm_kind_t charge = {
    KIND("ChargeItem", "ChargeItem", "\"status\":\"billed\"", "subject", false, charge_rows),
    .children = {{"", &abdm_kind_medication, abdm_has_product}}};

static const abdm_row_t invoice_rows[] = {
    {.names = {"invoiceNumber"}, .write = abdm_write_invoice_number, .key = "identifier",
     .missing = "invoiceNumber: missing: the number of the bill"},
    {.names = {"invoiceType"}, .write = abdm_write_invoice_type, .key = "type", .always = true},
    {.names = {"items"}, .write = abdm_write_line_items, .key = "lineItem", .always = true},
    {.names = {"totalNet"}, .write = abdm_write_money, .key = "totalNet",
     .missing = "totalNet: missing: the sum without taxes"},
    {.names = {"totalGross"}, .write = abdm_write_money, .key = "totalGross",
     .missing = "totalGross: missing: the sum to be paid"},
    READ("currency"),
};

const abdm_kind_t abdm_kind_invoice = {
    KIND("Invoice", "Invoice", "\"status\":\"issued\"", "subject", false, invoice_rows),
    .children = {{"items", &charge, NULL}}};

/* --- where the members of a record go --- */

#define DOCUMENTS "documents", "document"

static const abdm_member_t op_consultation[] = {
    {{"chiefComplaints"}, &condition, 0, false},
    {{"physicalExaminations"}, &observation, 1, false},
    {{"allergies"}, &allergy, 2, false},
    {{"medicalHistories"}, &condition, 3, false},
    {{"familyHistories"}, &family, 4, false},
    {{"serviceRequests", "serviceRequest"}, &service, 5, false},
    {{"medications", "prescriptions"}, &medication_request, 6, false},
    {{"followups", "followUps"}, &appointment, 7, false},
    {{"procedures", "procedure"}, &procedure, 8, false},
    {{"referrals"}, &service, 9, false},
    {{"otherObservations"}, &observation, 10, false},
    {{DOCUMENTS}, &document, 11, false},
    {{NULL}, NULL, 0, false},
};

static const abdm_member_t prescription[] = {
    {{"prescriptions", "medications"}, &medication_request, 0, false},
    {{DOCUMENTS}, &binary, 0, true},
    {{NULL}, NULL, 0, false},
};

static const abdm_member_t discharge_summary[] = {
    {{"chiefComplaints"}, &condition, 0, false},
    {{"physicalExaminations"}, &observation, 1, false},
    {{"allergies"}, &allergy, 2, false},
    {{"medicalHistories"}, &condition, 3, false},
    {{"familyHistories"}, &family, 4, false},
    {{"diagnostics"}, &abdm_kind_report_lab, 5, false},
    {{"medications", "prescriptions"}, &medication_request, 6, false},
    {{"procedures", "procedure"}, &procedure, 7, false},
    {{"carePlan", "carePlans"}, &plan, 8, false},
    {{"followups", "followUps"}, &visit, 8, false},
    {{DOCUMENTS}, &document, 9, false},
    {{NULL}, NULL, 0, false},
};

static const abdm_member_t diagnostic_report[] = {
    {{"diagnostics"}, &abdm_kind_report_lab, 0, true},
    {{DOCUMENTS}, &document, 0, true},
    {{NULL}, NULL, 0, false},
};

static const abdm_member_t immunization_record[] = {
    {{"immunizations"}, &immunization, 0, false},
    {{"nextDose"}, &next_dose, 0, true},
    {{DOCUMENTS}, &document, 0, false},
    {{NULL}, NULL, 0, false},
};

static const abdm_member_t health_document[] = {
    {{DOCUMENTS}, &document, 0, false},
    {{NULL}, NULL, 0, false},
};

static const abdm_member_t wellness[] = {
    {{"vitalSigns"}, &vital_sign, 0, false},
    {{"bodyMeasurements"}, &body_measurement, 1, false},
    {{"physicalActivities"}, &physical_activity, 2, false},
    {{"generalAssessments"}, &general_assessment, 3, false},
    {{"womanHealths", "womenHealths"}, &women_health, 4, false},
    {{"lifeStyles", "lifestyles"}, &lifestyle, 5, false},
    {{"otherObservations"}, &observation, 6, false},
    {{DOCUMENTS}, &document, 7, false},
    {{NULL}, NULL, 0, false},
};

static const abdm_member_t invoice[] = {
    {{NULL}, NULL, 0, false},
};

static const abdm_member_t *const members[ABDM_HI_TYPES] = {
    [ABDM_HI_OP_CONSULTATION] = op_consultation,
    [ABDM_HI_PRESCRIPTION] = prescription,
    [ABDM_HI_DISCHARGE_SUMMARY] = discharge_summary,
    [ABDM_HI_DIAGNOSTIC_REPORT] = diagnostic_report,
    [ABDM_HI_IMMUNIZATION_RECORD] = immunization_record,
    [ABDM_HI_HEALTH_DOCUMENT_RECORD] = health_document,
    [ABDM_HI_WELLNESS_RECORD] = wellness,
    [ABDM_HI_INVOICE] = invoice,
};


const abdm_member_t *
abdm_members(abdm_hi_type_t type)
{
    return members[type];
}
