# The demo HMIS sends OTPs itself. $query: .hipId .patientRef .mobile .purpose ("link")
{ uhid: $query.patientRef, phone: ($query.mobile // "") }
