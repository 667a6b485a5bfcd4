/* The rows, in the order of abdm_hi_type_t. From the IG's *Record.fsh. */
#include "fhir/profile.h"

static const abdm_fhir_profile_t profiles[ABDM_HI_TYPES] = {
    [ABDM_HI_OP_CONSULTATION] = {
        .profile = "OPConsultRecord",
        .code = "371530004",
        .display = "Clinical consultation report",
        .title = "OP consultation record",
        .section_title = "Documents",
        .attachment = "DocumentReference",
        .needs_encounter = true,
    },
    [ABDM_HI_PRESCRIPTION] = {
        .profile = "PrescriptionRecord",
        .code = "440545006",
        .display = "Prescription record",
        .title = "Prescription record",
        .section_title = "Prescription record",
        .attachment = "Binary",
        .entries = {{"MedicationRequest", 0}, {"Binary", 1}},
    },
    [ABDM_HI_DISCHARGE_SUMMARY] = {
        .profile = "DischargeSummaryRecord",
        .code = "373942005",
        .display = "Discharge summary",
        .title = "Discharge summary",
        .section_title = "Documents",
        .attachment = "DocumentReference",
        .needs_encounter = true,
    },
    [ABDM_HI_DIAGNOSTIC_REPORT] = {
        .profile = "DiagnosticReportRecord",
        .code = "721981007", /* the profile takes any SNOMED code; this is the general one */
        .display = "Diagnostic studies report",
        .title = "Diagnostic report",
        .section_title = "Report",
        .attachment = "DocumentReference",
        .entries = {{"DiagnosticReport", 1}, {"DocumentReference", 1}},
    },
    [ABDM_HI_IMMUNIZATION_RECORD] = {
        .profile = "ImmunizationRecord",
        .code = "41000179103",
        .display = "Immunization record",
        .title = "Immunization record",
        .section_title = "Immunization record",
        .attachment = "DocumentReference",
        .entries = {{"Immunization", 0}, {"ImmunizationRecommendation", 1},
                    {"DocumentReference", 0}},
    },
    [ABDM_HI_HEALTH_DOCUMENT_RECORD] = {
        .profile = "HealthDocumentRecord",
        .code = "419891008",
        .display = "Record artifact",
        .title = "Health document",
        .section_title = "Health document",
        .attachment = "DocumentReference",
    },
    [ABDM_HI_WELLNESS_RECORD] = {
        .profile = "WellnessRecord",
        .display = "Wellness Record",
        .title = "Wellness Record",
        .section_title = "Document Reference", /* the title is what tells its sections apart */
        .attachment = "DocumentReference",
    },
    [ABDM_HI_INVOICE] = {
        .profile = "InvoiceRecord",
        .display = "Invoice Record",
        .title = "Invoice Record",
        .section_title = "Invoice",
        .entries = {{"Invoice", 1}},
    },
};


const abdm_fhir_profile_t *
abdm_fhir_profile(abdm_hi_type_t type)
{
    return &profiles[type];
}
