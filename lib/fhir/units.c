/*
 * Only spellings with one meaning are here: a unit that is not in the table is sent as its text,
 * which conforms. Values are never converted. Codes: UCUM 2.1, as the core vital-sign profiles
 * of FHIR R4 spell them.
 */
#include "fhir/units.h"

#include <string.h>

/* Sorted by spelling (bytes), for the search. */
static const struct {
    const char *spelling, *ucum;
} rows[] = {
    {"%", "%"},
    {"/min", "/min"},
    {"/mm3", "/mm3"},
    {"/uL", "/uL"},
    {"1/min", "/min"},
    {"BPM", "/min"},
    {"Cel", "Cel"},
    {"IU/L", "[IU]/L"},
    {"IU/mL", "[IU]/mL"},
    {"U/L", "U/L"},
    {"[degF]", "[degF]"},
    {"beats/min", "/min"},
    {"beats/minute", "/min"},
    {"bpm", "/min"},
    {"breaths/min", "/min"},
    {"breaths/minute", "/min"},
    {"cm", "cm"},
    {"cms", "cm"},
    {"degC", "Cel"},
    {"degF", "[degF]"},
    {"fL", "fL"},
    {"g", "g"},
    {"g/dL", "g/dL"},
    {"g/dl", "g/dL"},
    {"gm/dL", "g/dL"},
    {"gm/dl", "g/dL"},
    {"h", "h"},
    {"in", "[in_i]"},
    {"inch", "[in_i]"},
    {"inches", "[in_i]"},
    {"kg", "kg"},
    {"kg/m2", "kg/m2"},
    {"kg/m\xc2\xb2", "kg/m2"},
    {"kgs", "kg"},
    {"lb", "[lb_av]"},
    {"lbs", "[lb_av]"},
    {"mEq/L", "meq/L"},
    {"mg", "mg"},
    {"mg/L", "mg/L"},
    {"mg/dL", "mg/dL"},
    {"mg/dl", "mg/dL"},
    {"min", "min"},
    {"mm Hg", "mm[Hg]"},
    {"mm/hr", "mm/h"},
    {"mmHg", "mm[Hg]"},
    {"mm[Hg]", "mm[Hg]"},
    {"mmhg", "mm[Hg]"},
    {"mmol/L", "mmol/L"},
    {"ng/mL", "ng/mL"},
    {"ng/ml", "ng/mL"},
    {"per min", "/min"},
    {"percent", "%"},
    {"pg", "pg"},
    {"pg/mL", "pg/mL"},
    {"s", "s"},
    {"steps/day", "{steps}/d"},
    {"ug/dL", "ug/dL"},
    {"umol/L", "umol/L"},
    {"\xc2\xb0""C", "Cel"},
    {"\xc2\xb0""F", "[degF]"},
    {"\xc2\xb5""g/dL", "ug/dL"},
};


const char *
abdm_fhir_ucum(abdm_str_t unit)
{
    size_t low = 0, high = sizeof rows / sizeof *rows;

    while (low < high) {
        size_t mid = (low + high) / 2, len = strlen(rows[mid].spelling);
        int order = memcmp(unit.p, rows[mid].spelling, unit.len < len ? unit.len : len);
        if (order == 0)
            order = (unit.len > len) - (unit.len < len);
        if (order == 0)
            return rows[mid].ucum;
        if (order < 0)
            high = mid;
        else
            low = mid + 1;
    }
    return NULL;
}
