# What happened, for the demo HMIS's list of events: $query.event says what, the rest are ids.
{ what: $query.event, ids: ($query | del(.event)) }
