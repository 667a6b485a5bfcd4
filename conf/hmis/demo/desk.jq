# What the front desk answers: { "uhid": "UH100231", "new": false }.
{ patientReference: .uhid }
