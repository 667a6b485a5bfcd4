# From the journal of the demo HMIS to the feed of new and changed care contexts.
#
# Input:  { "changes": [ { "n": 8, "visit": VISIT }... ], "last": 8, "more": false }, VISIT as in
#         records.jq. "n" grows; a visit that is changed comes again with a higher one.
# Output: { contexts, next, more }. next is given back as $query.since; more asks at once again.
# $query: .hipId .since ("" at first) .limit ("500")
#
# A hospital whose application has no journal can use the time of the last change instead: take
# ">=" and the last time seen, as what comes twice is only counted once.
#
# Try it:
#   curl -s 'http://127.0.0.1:8080/api/changes?after=&limit=500' |
#     jq -f changes.jq --argjson query '{"since":"","limit":"500"}'

# "05-03-2026 10:40" -> "2026-03-05T10:40:00+05:30"; anything else is left out, as one wrong date
# must not hide the other visits.
def indian_time:
  (strings | capture("^(?<d>[0-9]{2})-(?<m>[0-9]{2})-(?<y>[0-9]{4}) (?<t>[0-9]{2}:[0-9]{2})$")
    | "\(.y)-\(.m)-\(.d)T\(.t):00+05:30")
    // null;

# As in records.jq and visits.jq.
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

# As in visits.jq.
def display:
  (if .no | startswith("IPD") then "Stay in hospital from " else "Visit on " end) + .date[0:10];

# As in patients.jq.
def patient:
  { reference: .uhid,
    mr: .uhid,
    name: ([.first, .last] | map(select(. != null and . != "")) | join(" ")),
    gender: .sex,
    # "14-05-1988": the year is enough. Anything else is left out.
    yearOfBirth: ((.dob | strings | capture("^[0-9]{2}-[0-9]{2}-(?<y>[0-9]{4})$") | .y | tonumber)
                  // null),
    mobiles: [.phone | select(. != null)],
    abhaNumber: .abha,
    abhaAddress: .abha_address };

{ contexts: [ .changes[]
    | .n as $n | .visit
    | { reference: .no, display: display, hiTypes: hi_types, date: (.date | indian_time),
        version: ($n | tostring), patient: (.patient | patient) }
    | select(.hiTypes != []) ],
  next: (.last | tostring),
  more: .more }
