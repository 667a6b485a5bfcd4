# $query: .hipId .patientRef .reference .otp
{ ref: $query.reference, code: $query.otp }
