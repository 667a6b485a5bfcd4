# From a visit of the demo HMIS to the records of its care context.
#
# Input:  what the HMIS answers to the "path" in mapping.json, here one visit:
#           { "no": "OPD-26-0771", "date": "05-03-2026 10:40",
#             "patient": { "uhid": ..., "first": ..., "last": ..., "sex": "F", "dob": "14-05-1988", "phone": ... },
#             "doctor":  { "name": ..., "regno": ... },
#             "papers":  [ { "id": ..., "kind": "Prescription", "title": ..., "date": ..., "file": ..., "type": ... } ],
#             "note":    { "id": ..., "time": ..., "complaints": [...], "findings": [...], "drugs": [...], "review": ... },
#             "labs":    [ { "id": ..., "test": ..., "time": ..., "remark": ..., "rows": [...] } ] }
#         note and labs only when they were entered.
# Output: one list; each element is one record in the plain form that ../README.md describes.
# $query: what was asked: .hipId .patientRef .careContextRef .from .to
#
# Try it (the record on the screen is a real one: take a test patient):
#   curl -s http://127.0.0.1:8080/api/visits/OPD-26-0771 |
#     jq -f records.jq --argjson query '{"careContextRef":"OPD-26-0771"}'

# "05-03-2026 10:40" -> "2026-03-05T10:40:00+05:30". A date that looks different stops
# the program: better no record than one with a wrong date.
def indian_time:
  capture("^(?<d>[0-9]{2})-(?<m>[0-9]{2})-(?<y>[0-9]{4}) (?<t>[0-9]{2}:[0-9]{2})$")
    // error("not dd-mm-yyyy hh:mm")
  | "\(.y)-\(.m)-\(.d)T\(.t):00+05:30";

# "14-05-1988" -> "1988-05-14"; anything else is left out.
def birth_date:
  (strings | capture("^(?<d>[0-9]{2})-(?<m>[0-9]{2})-(?<y>[0-9]{4})$") | "\(.y)-\(.m)-\(.d)")
    // null;

def gender: {"M": "male", "F": "female", "O": "other"}[.] // "unknown";

# What this HMIS calls its papers -> the eight types of ABDM. A kind that is not listed is sent
# as a plain document. A bill is one too, unless it is a FHIR document: an Invoice needs its
# amounts, which a PDF does not give.
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

# What all records of a visit have.
def common($visit):
  { careContextReference: $visit.no,

    # The hospital's own number of the patient, the same that was given when the care
    # context was linked: a record of anybody else is refused.
    patient: {
      patientReference: $visit.patient.uhid,
      name: ([$visit.patient.first, $visit.patient.last] | map(select(. != null and . != "")) | join(" ")),
      gender: ($visit.patient.sex | gender),
      birthDate: ($visit.patient.dob | birth_date),
      mobile: $visit.patient.phone
    },
    practitioners: [ $visit.doctor | select(. != null) | { name: .name, registrationNumber: .regno } ],

    # Visits whose number starts with IPD are stays in the hospital.
    encounter: { class: (if $visit.no | startswith("IPD") then "IMP" else "AMB" end) }
  };

# Files. A file is wrapped into a document of its type; a FHIR document goes as it is.
def papers($visit):
  .papers[]
  | common($visit)
    + { id: .id, hiType: hi_type, authoredOn: (.date | indian_time), title: .title }
    + if .type == "application/fhir+json"
      then { bundle: { url: .file } }
      else { document: { url: .file, contentType: .type, title: .title } }
      end;

# What was entered in fields needs no file: the record says itself what it holds.
def drugs:
  [ .drugs[]? | { medicine: .name, dosage: .sig, duration: "\(.days) days", reason: .for } ];

def consultation($visit):
  .note | select(. != null)
  | common($visit)
    + { id: .id, hiType: "OPConsultation", authoredOn: (.time | indian_time), title: "Consultation",
        chiefComplaints: [ .complaints[]? | { complaint: . } ],
        physicalExaminations: [ .findings[]? | { observation: .name, result: "\(.value) \(.unit)" } ],
        medications: drugs,
        followups: [ .review | strings | { appointmentTime: indian_time } ] };

def prescription($visit):
  .note | select(. != null and (.drugs | length) > 0)
  | common($visit)
    + { id: "\(.id)-rx", hiType: "Prescription", authoredOn: (.time | indian_time), title: "Prescription",
        prescriptions: drugs };

# All tests of the visit in one record: it becomes one document for each. The last one dates it.
def laboratory($visit):
  select((.labs | length) > 0)
  | common($visit)
    + { id: "\($visit.no)-lab", hiType: "DiagnosticReport", title: "Laboratory report",
        authoredOn: ([ .labs[].time | indian_time ] | max),
        diagnostics: [ .labs[] | {
          serviceName: .test, serviceCategory: "Laboratory", authoredOn: (.time | indian_time),
          conclusion: .remark,
          result: [ .rows[] | {
            observation: .name,
            range: (if .low != null or .high != null then { low: .low, high: .high } else null end),
            flag: .flag
          } + (if .unit != null then { valueQuantity: { value: .value, unit: .unit } }
               else { result: .value } end) ]
        } ] };

. as $visit
| [ papers($visit), consultation($visit), prescription($visit), laboratory($visit) ]
