/* The eight HI types; the order of the names is that of the enum. */
#include "core/hi_type.h"

static const char *const names[ABDM_HI_TYPES] = {
    "OPConsultation",     "Prescription",         "DischargeSummary", "DiagnosticReport",
    "ImmunizationRecord", "HealthDocumentRecord", "WellnessRecord",   "Invoice",
};


bool
abdm_hi_type_parse(abdm_str_t name, abdm_hi_type_t *out)
{
    for (int i = 0; i < ABDM_HI_TYPES; i++) {
        if (abdm_str_ieq(name, abdm_str(names[i]))) {
            *out = (abdm_hi_type_t) i;
            return true;
        }
    }
    return false;
}


bool
abdm_hi_type_parse_record(abdm_str_t name, abdm_hi_type_t *out)
{
    static const struct {
        const char *name;
        abdm_hi_type_t type;
    } mapper[] = {
        {"OPConsultRecord", ABDM_HI_OP_CONSULTATION},
        {"OPConsultationRecord", ABDM_HI_OP_CONSULTATION},
        {"PrescriptionRecord", ABDM_HI_PRESCRIPTION},
        {"DiagnosticReportRecord", ABDM_HI_DIAGNOSTIC_REPORT},
        {"DischargeSummaryRecord", ABDM_HI_DISCHARGE_SUMMARY},
        {"discharge-summary", ABDM_HI_DISCHARGE_SUMMARY},
        {"Immunization", ABDM_HI_IMMUNIZATION_RECORD},
        {"HealthDocument", ABDM_HI_HEALTH_DOCUMENT_RECORD},
        {"wellness-record", ABDM_HI_WELLNESS_RECORD},
        {"InvoiceRecord", ABDM_HI_INVOICE},
    };

    for (size_t i = 0; i < sizeof mapper / sizeof *mapper; i++) {
        if (abdm_str_ieq(name, abdm_str(mapper[i].name))) {
            *out = mapper[i].type;
            return true;
        }
    }
    return abdm_hi_type_parse(name, out);
}


const char *
abdm_hi_type_name(abdm_hi_type_t type)
{
    return names[type];
}
