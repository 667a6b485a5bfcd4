/*
 * LOINC codes and units of the core profiles (FHIR R4, "Vital Signs"), and the codes that HL7's
 * validator takes for one. Names are those seen on Indian case sheets; a name is here only when
 * it says which measurement it is.
 */
#include "fhir/vitals.h"

#include <stdlib.h>
#include <string.h>

#include "fhir/units.h"

const abdm_vital_t abdm_vital_pressure = {
    "85354-9", "Blood pressure panel with all children optional", {"mm[Hg]"}};
const abdm_vital_t abdm_vital_systolic = {"8480-6", "Systolic blood pressure", {"mm[Hg]"}};
const abdm_vital_t abdm_vital_diastolic = {"8462-4", "Diastolic blood pressure", {"mm[Hg]"}};

static const abdm_vital_t heart_rate = {"8867-4", "Heart rate", {"/min"}};
static const abdm_vital_t respiratory_rate = {"9279-1", "Respiratory rate", {"/min"}};
static const abdm_vital_t temperature = {"8310-5", "Body temperature", {"Cel", "[degF]"}};
static const abdm_vital_t saturation = {
    "2708-6", "Oxygen saturation in Arterial blood", {"%"}};
static const abdm_vital_t weight = {"29463-7", "Body weight", {"kg", "g", "[lb_av]"}};
static const abdm_vital_t height = {"8302-2", "Body height", {"cm", "[in_i]"}};
static const abdm_vital_t bmi = {"39156-5", "Body mass index (BMI) [Ratio]", {"kg/m2"}};
static const abdm_vital_t head = {"9843-4", "Head Occipital-frontal circumference",
                                  {"cm", "[in_i]"}};

static const struct {
    const char *name;
    const abdm_vital_t *vital;
} names[] = {
    {"blood pressure", &abdm_vital_pressure},
    {"bp", &abdm_vital_pressure},
    {"b.p.", &abdm_vital_pressure},
    {"pulse", &heart_rate},
    {"pulse rate", &heart_rate},
    {"heart rate", &heart_rate},
    {"respiratory rate", &respiratory_rate},
    {"respiration rate", &respiratory_rate},
    {"temperature", &temperature},
    {"body temperature", &temperature},
    {"spo2", &saturation},
    {"oxygen saturation", &saturation},
    {"weight", &weight},
    {"body weight", &weight},
    {"height", &height},
    {"body height", &height},
    {"bmi", &bmi},
    {"body mass index", &bmi},
    {"head circumference", &head},
};

enum { NAMES = sizeof names / sizeof *names };


const abdm_vital_t *
abdm_vital_by_name(abdm_str_t name)
{
    for (size_t i = 0; i < NAMES; i++) {
        if (abdm_str_ieq(name, abdm_str(names[i].name)))
            return names[i].vital;
    }
    return NULL;
}


const abdm_vital_t *
abdm_vital_by_loinc(const char *code)
{
    for (size_t i = 0; i < NAMES; i++) {
        if (strcmp(names[i].vital->loinc, code) == 0)
            return names[i].vital;
    }
    return NULL;
}


bool
abdm_vital_implied(const char *code)
{
    static const char *const codes[] = {
        "85353-1",   "46680005",  "9279-1",    "19840-8",    "86290005",  "8867-4",
        "8889-8",    "8890-6",    "8893-0",    "40443-4",    "249043002", "2708-6",
        "59408-5",   "2710-2",    "2713-6",    "20564-1",    "431314004", "8310-5",
        "8331-1",    "8332-9",    "8328-7",    "8309-7",     "386725007", "276885007",
        "8302-2",    "3137-7",    "8306-3",    "8308-9",     "50373000",  "1153637007",
        "9843-4",    "8287-5",    "363812007", "29463-7",    "3141-9",    "3142-7",
        "8350-1",    "8351-9",    "424927000", "39156-5",    "89270-3",   "60621009",
        "85354-9",   "55284-4",   "35094-2",   "8459-0",     "76534-7",   "8480-6",
        "271649006", "271650006", "163035008",
    };

    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        if (strcmp(codes[i], code) == 0)
            return true;
    }
    return false;
}


bool
abdm_vital_takes(const abdm_vital_t *vital, const char *ucum)
{
    for (int i = 0; i < ABDM_VITAL_UNITS && vital->units[i] != NULL; i++) {
        if (strcmp(vital->units[i], ucum) == 0)
            return true;
    }
    return false;
}


/* Two or three digits, no leading zero. */
static const char *
pressure_number(const char *p, abdm_str_t *out)
{
    size_t n = strspn(p, "0123456789");

    if (n < 2 || n > 3 || *p == '0')
        return NULL;
    *out = (abdm_str_t){p, n};
    return p + n;
}


bool
abdm_vital_read_pressure(const char *text, abdm_str_t *systolic, abdm_str_t *diastolic)
{
    const char *p = pressure_number(text + strspn(text, " "), systolic), *ucum;

    if (p == NULL)
        return false;
    p += strspn(p, " ");
    if (*p++ != '/')
        return false;
    p = pressure_number(p + strspn(p, " "), diastolic);
    if (p == NULL || atoi(systolic->p) <= atoi(diastolic->p) || atoi(diastolic->p) < 20)
        return false;
    p += strspn(p, " ");
    if (*p == '\0')
        return true;
    ucum = abdm_fhir_ucum(abdm_str(p));
    return ucum != NULL && strcmp(ucum, "mm[Hg]") == 0;
}
