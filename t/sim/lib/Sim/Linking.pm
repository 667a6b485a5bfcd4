package Sim::Linking;

# User-initiated linking, the gateway's part: the answers to discovery, to the choice of contexts and
# to the one-time password, judged against what the citizen was sent.

use Mojo::Base -strict, -signatures;
use Sim::Answered qw(answered one_result settle);
use Sim::Check qw(answer check_body refuse);
use Sim::Citizen qw(linked uhid_at);
use Sim::Clock qw(now parse_iso);
use Sim::Link ();
use Sim::PatientLinks qw(patient_faults references_of rows_of);

my %NEED    = (bearer => 1, hip => 1, body => 1);
my $BASE    = '/api/hiecm/user-initiated-linking/v3';
my $LONGEST = 900 + 60;    # what a communicationExpiry may announce, in seconds

our %ROUTE = (
    "$BASE/patient/care-context/on-discover" => ['POST', \&on_discover, \%NEED],
    "$BASE/link/care-context/on-init"        => ['POST', \&on_init, \%NEED],
    "$BASE/link/care-context/on-confirm"     => ['POST', \&on_confirm, \%NEED],
);

# What the three share. $check gets the linking (undefined when the callback was a raw one).
sub _take ($state, $c, $call, $refused, $kind, $result, $code, $check) {
    my ($body, $refusal) = check_body($state, $call, $c->req->body, "on_$kind");
    return $refusal if !$body;
    $call->{body} = $body;
    my $neither = one_result($state, $call, $body, $result);
    return $neither if $neither;
    my ($callback, $no) = answered($state, $c, $call, $body, $kind);
    return $no if !$callback;
    my $before  = @{ $call->{violations} };
    my $linking = $callback->{linking};
    my $fault   = sub ($rule, $message) { $state->violate($call, $rule, $message) };
    $fault->('transaction.other', 'transactionId is not that of the callback')
        if $linking && $kind ne 'confirm' && ($body->{transactionId} // '') ne $linking->{transaction_id};
    $check->($body, $linking, $fault, $callback) if $body->{$result};
    return refuse(400, $code, "Invalid on-$kind response") if @{ $call->{violations} } > $before;
    return if $refused || $call->{lost};
    settle($state, $callback, $call);
    if ($kind eq 'confirm' && $linking && $body->{patient}) {
        Sim::Link::link_rows($state, $linking->{citizen}, $linking->{hip}, [rows_of($body->{patient}, 'user')], $call);
    }
    return answer(202);
}

sub on_discover ($state, $c, $call, $refused) {
    return _take($state, $c, $call, $refused, 'discover', 'patient', 1109, sub ($body, $linking, $fault, $callback) {
        patient_faults($state, $call, $body->{patient}, $linking && $linking->{citizen});
        my @by = @{ $body->{matchedBy} // [] };
        $fault->('discover.matched-by', 'matchedBy is missing') if !@by;
        return if !$linking;
        my $sent = $linking->{sent_types};
        for my $type (grep { !$sent->{$_} } @by) { $fault->('discover.matched-by', "$type was not among the identifiers") }
        my $known = linked($state, $linking->{citizen}{address}, $linking->{hip});
        for my $context (grep { $known->{$_} } references_of($body->{patient})) {
            $fault->('discover.linked', "$context is linked already");
        }
        my $uhid = uhid_at($linking->{citizen}, $linking->{hip});
        return if !defined $uhid || !grep { $_->{referenceNumber} ne $uhid } @{ $body->{patient} };
        $linking->{wrong_patient} = 1;
        $fault->('discover.wrong-patient', 'the patient is not this citizen');
    });
}

sub on_init ($state, $c, $call, $refused) {
    return _take($state, $c, $call, $refused, 'init', 'link', 1110, sub ($body, $linking, $fault, $callback) {
        my $link = $body->{link};
        my $meta = $link->{meta};
        my $left = parse_iso($meta->{communicationExpiry}) - now();
        $fault->('init.expiry', "communicationExpiry is $left s from now") if $left <= 0 || $left > $LONGEST;
        _hint_faults($meta->{communicationHint}, $linking, $fault);
        return if !$linking;
        my $owner = $state->link_references->{ $link->{referenceNumber} } //= $linking;
        $fault->('init.reference', 'link.referenceNumber was used before') if $owner != $linking;
        $linking->{link_reference} = $link->{referenceNumber};
    });
}

# At most the last four digits.
sub _hint_faults ($hint, $linking, $fault) {
    return if $hint eq 'OTP';
    my $digits = $hint =~ tr/0-9//cdr;
    $fault->('init.hint', 'communicationHint is not masked') if length $digits > 4 || $hint !~ /[xX*]/;
    return if !$linking || !length $digits;
    $fault->('init.hint', 'communicationHint does not end as the number of the citizen')
        if !grep { substr($_, -length $digits) eq $digits } $linking->{citizen}{mobile} // '', @{ $linking->{citizen}{other_mobiles} // [] };
    return;
}

sub on_confirm ($state, $c, $call, $refused) {
    return _take($state, $c, $call, $refused, 'confirm', 'patient', 1111, sub ($body, $linking, $fault, $callback) {
        patient_faults($state, $call, $body->{patient}, $linking && $linking->{citizen});
        return if !$linking;
        my @got  = sort(references_of($body->{patient}));
        my @want = sort @{ $linking->{chosen} // [] };
        $fault->('confirm.contexts', "linked: @got; chosen: @want") if "@got" ne "@want";
        my $step = $callback->{step} // {};
        $fault->('confirm.otp', 'a wrong one-time password was taken')
            if defined $step->{right_otp} && $step->{right_otp} != $step->{otp};
        $fault->('confirm.reference', 'an unknown linkRefNumber was taken') if $step->{wrong_reference};
    });
}

1;
