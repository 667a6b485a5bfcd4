# Input: { "ok": true }. Only true and false are taken: a missing answer must not link anybody.
{ verified: .ok }
