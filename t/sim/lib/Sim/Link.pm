package Sim::Link;

# HIP-initiated linking: care contexts come with a link token, and the result goes out as a callback.
# After a link the citizen's app may fetch the data at once.

use Mojo::Base -strict, -signatures;
use Cpanel::JSON::XS ();
use Mojo::IOLoop;
use Sim::Answered qw(may_repeat);
use Sim::Check qw(answer check_body refuse);
use Sim::Citizen qw(add_link citizen is_gone linked uhid_at);
use Sim::Clock qw(now);
use Sim::PatientLinks qw(patient_faults rows_of);
use Sim::Token qw(check_link_token);

our %ROUTE = (
    '/api/hiecm/hip/v3/link/carecontext' => ['POST', \&carecontext, { bearer => 1, hip => 1, body => 1, link => 1 }],
);

my $CANONICAL = Cpanel::JSON::XS->new->canonical->utf8;
my %DONE   = (status => 'Successfully Linked care context');
my %FAILED = (status => 'Failed to link care context');

sub carecontext ($state, $c, $call, $refused) {
    my ($body, $refusal) = check_body($state, $call, $c->req->body, 'carecontext');
    return _structural($refusal) if !$body;
    $call->{body} = $body;
    my ($no, $error) = check_link_token($state, $c, $call, $body);
    return $no if $no;
    return if $refused;
    my $hip     = $c->req->headers->header('X-HIP-ID');
    my $citizen = citizen($state, $body->{abhaAddress});
    my $key     = join "\0", $hip, lc $body->{abhaAddress}, $CANONICAL->encode($body->{patient});
    my $again   = _repeated($state, $call, $key);
    return $again if $again;
    return if $call->{lost};
    $error //= _link_error($state, $call, $hip, $citizen, $body);
    my $request = $state->link_calls->{$key} = { call => $call, at => now(), told => 0, failed => $error ? 1 : 0 };
    my @rows = rows_of($body->{patient}, 'hip');
    if (!$error || $error->[0] == 1056 && $state->config->{partial_link} eq 'new') {
        my $known = linked($state, $body->{abhaAddress}, $hip);
        @rows = grep { !$known->{ $_->{context} } } @rows if $error;
        link_rows($state, $citizen, $hip, \@rows, $call);
    }
    $state->outbox->post({
        path => '/api/v3/link/on_carecontext', hip => $hip, on_told => sub { $request->{told} = 1 },
        body => {
            abhaAddress => $citizen->{address}, response => { requestId => $c->req->headers->header('REQUEST-ID') },
            ($error ? (%FAILED, error => { code => "ABDM-$error->[0]", message => $error->[1] }) : %DONE),
        },
    });
    return answer(202);
}

# A wrong structure is answered without a word.
sub _structural ($refusal) {
    return ref $refusal->{body} eq 'ARRAY' ? answer(400) : $refusal;
}

# The same request while the first stands. One whose answer never reached the bridge may come again.
sub _repeated ($state, $call, $key) {
    my $before = $state->link_calls->{$key} or return;
    return if $before->{failed} && $before->{told};
    my $early = now() - $before->{at} < $state->config->{link_patience_seconds};
    $state->violate($call, 'link.repeated', 'the same link request once more')
        if ($before->{told} || $early) && !$before->{call}{spoiled} && !may_repeat($state, $before->{call}, $call);
    return refuse(400, 9999, 'Duplicate HIP link request');
}

sub _link_error ($state, $call, $hip, $citizen, $body) {
    if (is_gone($citizen, $hip)) {
        $state->violate($call, 'citizen.gone', 'this ABHA was reported as deactivated');
        return ['1407', 'ABHA number deactivated'];
    }
    my $miscounted = patient_faults($state, $call, $body->{patient}, $citizen);
    return ['1037', 'Count does not equal the number of care contexts'] if $miscounted;
    my $known = linked($state, $citizen->{address}, $hip);
    my %again = map { $_->{context} => 1 } grep { $known->{ $_->{context} } } rows_of($body->{patient}, 'hip');
    return if !%again;
    for my $context (sort keys %again) {
        $known->{$context}{times}++;
        $state->violate($call, 'link.context-again', "$context is linked already") if !$state->config->{may_forget};
    }
    return ['1056', 'Care context already linked'];
}

# Links them for the citizen, and has the app fetch the data when it is set to.
sub link_rows ($state, $citizen, $hip, $rows, $call) {
    my $uhid = uhid_at($citizen, $hip);
    for my $row (@$rows) {
        $state->count('linked');
        if (defined $uhid && $row->{patient_reference} ne $uhid) {
            $state->count('linked_wrong');
            $state->violate($call, 'link.wrong-patient', "$row->{context} is of $row->{patient_reference}, not of $citizen->{address}");
        }
        add_link($state, $citizen->{address}, $hip, $row, $call);
    }
    _self_fetch($state, $citizen, $hip, $rows) if $state->config->{self_fetch} && @$rows;
    return;
}

# The citizen's own consent, granted by itself, and the data request that follows it.
sub _self_fetch ($state, $citizen, $hip, $rows) {
    my $cm = $state->outbox->cm;
    my (%context, %type);
    for my $row (@$rows) {
        $context{ $row->{context} } = { patientReference => $row->{patient_reference}, careContextReference => $row->{context} };
        $type{ $row->{hi_type} } = 1;
    }
    my $consent = $cm->new_consent({
        patient => $citizen->{address}, hip => $hip, contexts => [map { $context{$_} } sort keys %context],
        hi_types => [sort keys %type],
        detail => { hiu => undef, purpose => { text => 'Self Requested', code => 'PATRQT' } },
    });
    my $transfer = $cm->new_transfer($consent);
    push @{ $citizen->{self_fetches} }, { consent_id => $consent->{consent_id}, transaction_id => $transfer->{transaction_id} };
    $consent->{on_ack} = sub { $cm->request_data($transfer, { retry => 1 }) };
    Mojo::IOLoop->timer($state->config->{self_fetch_ms} / 1000 => sub { $cm->notify_consent($consent, 'GRANTED', { retry => 1 }) });
    return;
}

1;
