# Input: { "ref": "o-17" }. The reference is given back when the OTP is to be checked.
{ reference: .ref }
