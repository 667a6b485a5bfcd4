# From a search of the demo HMIS to the patients it found.
#
# Input:  { "count": 1, "patients": [ { "uhid": ..., "first": ..., "last": ..., "sex": "F",
#           "dob": "14-05-1988", "phone": ..., "abha": ..., "abha_address": ... } ] }
# Output: a list; which of them is the one asked for is decided by ngx_abdm, never here.
# $query: .mobile .abhaNumber .abhaAddress .mr .name .gender .yearOfBirth, those that are known
#
# Try it:
#   curl -s 'http://127.0.0.1:8080/api/patients?phone=9000000001' |
#     jq -f patients.jq --argjson query '{"mobile":"9000000001"}'

[ .patients[]
  | { reference: .uhid,
      mr: .uhid,
      name: ([.first, .last] | map(select(. != null and . != "")) | join(" ")),
      gender: .sex,
      # "14-05-1988": the year is enough. Anything else is left out.
      yearOfBirth: ((.dob | strings | capture("^[0-9]{2}-[0-9]{2}-(?<y>[0-9]{4})$") | .y | tonumber)
                    // null),
      mobiles: [.phone | select(. != null)],
      abhaNumber: .abha,
      abhaAddress: .abha_address } ]
