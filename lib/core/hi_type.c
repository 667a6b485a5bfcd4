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


const char *
abdm_hi_type_name(abdm_hi_type_t type)
{
    return names[type];
}
