# From the visits of a patient of the demo HMIS to care contexts: one visit is one context.
#
# Input:  { "uhid": "UH100231", "visits": [ VISIT... ] }, VISIT as in records.jq
# Output: a list. A visit of which nothing was written down yet is left out.
# $query: .hipId .patientRef
#
# Try it:
#   curl -s http://127.0.0.1:8080/api/patients/UH100231/visits |
#     jq -f visits.jq --argjson query '{"patientRef":"UH100231"}'

# "05-03-2026 10:40" -> "2026-03-05T10:40:00+05:30"; anything else is left out, as one wrong date
# must not hide the other visits.
def indian_time:
  (strings | capture("^(?<d>[0-9]{2})-(?<m>[0-9]{2})-(?<y>[0-9]{4}) (?<t>[0-9]{2}:[0-9]{2})$")
    | "\(.y)-\(.m)-\(.d)T\(.t):00+05:30")
    // null;

# As in records.jq: the types must be those of the records that the visit will give.
def hi_type:
  { "OPD note":     "OPConsultation",
    "Prescription": "Prescription",
    "Lab report":   "DiagnosticReport",
    "Scan":         "DiagnosticReport",
    "Discharge":    "DischargeSummary",
    "Vaccination":  "ImmunizationRecord",
    "Vitals chart": "WellnessRecord",
    "Letter":       "HealthDocumentRecord"
  }[.kind]
  // (if .kind == "Bill" and .type == "application/fhir+json" then "Invoice"
     else "HealthDocumentRecord" end);

def hi_types:
  [ (.papers[] | hi_type),
    (.note | select(. != null) | "OPConsultation"),
    (.note | select(. != null and (.drugs | length) > 0) | "Prescription"),
    (select((.labs | length) > 0) | "DiagnosticReport") ]
  | unique;

# What the patient reads in the app, before and after linking. It passes through others' hands, so
# it says nothing of what the visit was for: no diagnosis, no department.
def display:
  (if .no | startswith("IPD") then "Stay in hospital from " else "Visit on " end) + .date[0:10];

[ .visits[]
  | { reference: .no, display: display, hiTypes: hi_types, date: (.date | indian_time),
      patientReference: .patient.uhid }
  | select(.hiTypes != []) ]
