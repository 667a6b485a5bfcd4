# A profile that a patient shared at a counter, as the demo HMIS's front desk wants it.
#
# Input:  nothing. $query: .hipId .counter .token, .patientRef (when the ABHA is known here),
#         .returning ("yes", "no", "unknown"), .profile: the patient as ABDM sends it
# Output: the body of the POST
#
# Try it:
#   jq -n -f desk_body.jq --argjson query '{"counter":"1","token":"7","returning":"no","profile":
#     {"abhaAddress":"asha.k@sbx","name":"Asha Kumari","gender":"F","yearOfBirth":"1988"}}'

# ABDM gives numbers as texts or as numbers.
def two: tostring | if length < 2 then "0" + . else . end;
def number: select(. != null and . != "") | tostring;

# The last word is the family name, as this HMIS keeps them apart.
def names: (.name // "") | [scan("[^ ]+")]
  | if length > 1 then { first: .[:-1] | join(" "), last: .[-1] } else { first: (.[0] // ""), last: "" } end;

$query.profile
| { counter: $query.counter,
    token: ($query.token | tostring),
    uhid: ($query.patientRef // ""),
    sex: (.gender // ""),
    year: ([.yearOfBirth | number] | first // ""),
    dob: (if ([.dayOfBirth, .monthOfBirth, .yearOfBirth] | all(. != null and . != ""))
          then "\(.dayOfBirth | two)-\(.monthOfBirth | two)-\(.yearOfBirth)" else "" end),
    phone: ((.phoneNumber // .mobile // "") | tostring | gsub("[^0-9]"; "") | .[-10:]),
    village: (.address.line // ""),
    abha: ((.abhaNumber // "") | tostring),
    abha_address: (.abhaAddress // "") }
  + names
