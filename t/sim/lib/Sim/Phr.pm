package Sim::Phr;

# The citizen with an app in hand: discovers records at a facility, chooses, types in the one-time
# password, shows the profile at a counter, leaves ABDM. Each act sends what the gateway would send
# and gives a promise of what came of it.

use Mojo::Base -base, -signatures;
use Mojo::IOLoop;
use Mojo::Promise;
use Sim::Citizen qw(citizen plain_mobile);
use Sim::Clock qw(iso new_uuid now_ms);
use Sim::Cm;
use Sim::PatientLinks qw(references_of);
use Sim::Sms ();

our %PATH = (
    discover => '/api/v3/hip/patient/care-context/discover', init => '/api/v3/hip/link/care-context/init',
    confirm  => '/api/v3/hip/link/care-context/confirm', share => '/api/v3/hip/patient/share',
    status   => '/v0.5/patients/status/notify',
);

has [qw(state cm)];

# Sends one message of a kind and waits for its on-* answer. Besides the wishes of send_callback: wait
# (false: only for the 2xx), answer_timeout_ms, body (patch). $step is filled as things happen, and is
# the result: {request_id, status, ms, answer, answer_ms, timeout}.
sub _ask ($self, $kind, $wish, $body, $about, $step) {
    my $limit    = $self->state->config->{answer_limit_ms}{$kind} // 10_000;
    my $answered = Mojo::Promise->new;
    my $timer    = Mojo::IOLoop->timer(($wish->{answer_timeout_ms} // $limit + 5000) / 1000 => sub {
        $step->{timeout} = 1;
        $answered->resolve;
    });
    my $sent = $self->cm->send_callback({
        %$wish, path => $wish->{path} // $PATH{$kind}, body => Sim::Cm::merge($body, $wish->{body} // {}),
        about => { %$about, kind => $kind, step => $step, on_answered => sub { $answered->resolve } },
    })->then(sub ($got) {
        @$step{qw(request_id status ms)} = @$got{qw(request_id status ms)};
        $step->{error} = $got->{error} if $got->{error};
        $answered->resolve if $got->{status} !~ /\A2/;
    });
    my $wait = exists $wish->{wait} ? $wish->{wait} : 1;
    return ($wait ? Mojo::Promise->all($sent, $answered) : $sent)->then(sub (@) {
        Mojo::IOLoop->remove($timer);
        return $step;
    });
}

sub _hip ($self, $wish) { return $wish->{hip} // (sort keys %{ $self->state->config->{hips} })[0] }

# The session of this transaction, new or known.
sub linking ($self, $id, $citizen, $hip = undef) {
    return $self->state->linkings->{$id} //= { transaction_id => $id, citizen => $citizen, hip => $hip // $self->_hip({}) };
}

# Wishes: mr, mobile_form (plain, 91, +91, +91-), number_form (dashed, plain, none), old_types (the
# names of v0.5), year_form (number, string), identifiers (instead of the verified ones),
# transaction_id, and those of _ask.
sub discover ($self, $citizen, $wish = {}) {
    my $hip      = $self->_hip($wish);
    my $verified = $wish->{identifiers} // _verified($citizen, $wish);
    my $id       = $wish->{transaction_id} // new_uuid();
    my $linking  = $self->linking($id, $citizen, $hip);
    my $mr       = defined $wish->{mr} ? [{ type => 'MR', value => "$wish->{mr}" }] : undef;
    $linking->{sent_types} = { map { _v3_type($_->{type}) => 1 } @$verified, @{ $mr // [] } };
    $linking->{sent_types}{ABHA_ADDRESS} = 1;    # patient.id
    my $year = ($wish->{year_form} // '') eq 'string' ? "$citizen->{yearOfBirth}" : 0 + $citizen->{yearOfBirth};
    my $body = { transactionId => $id, patient => {
        id => $citizen->{address}, verifiedIdentifiers => $verified, unverifiedIdentifiers => $mr,
        name => $citizen->{name}, gender => $citizen->{gender}, yearOfBirth => $year,
    } };
    return $self->_ask(discover => { %$wish, hip => $hip }, $body, { linking => $linking }, $linking->{discover} = {})
        ->then(sub ($step) { return _view($linking) });
}

sub _verified ($citizen, $wish) {
    my @old  = $wish->{old_types} ? qw(NDHM_HEALTH_NUMBER HEALTH_ID) : qw(ABHA_NUMBER ABHA_ADDRESS);
    my $form = $wish->{number_form} // 'dashed';
    my $prefix = { plain => '', 91 => '91', '+91' => '+91', '+91-' => '+91-' }->{ $wish->{mobile_form} // 'plain' } // '';
    my @list;
    push @list, { type => 'MOBILE', value => $prefix . $citizen->{mobile} } if defined $citizen->{mobile};
    push @list, { type => $old[0], value => $form eq 'plain' ? $citizen->{number} : dashed($citizen->{number}) }
        if defined $citizen->{number} && $form ne 'none';
    push @list, { type => $old[1], value => $citizen->{address} };
    return \@list;
}

sub _v3_type ($type) { return { NDHM_HEALTH_NUMBER => 'ABHA_NUMBER', HEALTH_ID => 'ABHA_ADDRESS' }->{$type} // $type }

sub dashed ($number) { return $number =~ s/\A(\d\d)(\d{4})(\d{4})(\d{4})\z/$1-$2-$3-$4/r }

# Wishes: contexts (references; all that were offered), and those of _ask.
sub init ($self, $linking, $wish = {}) {
    my $offered = ($linking->{discover}{answer} // {})->{patient} // [];
    my %want    = map { $_ => 1 } @{ $wish->{contexts} // [references_of($offered)] };
    my @patient;
    for my $element (@$offered) {
        my @chosen = map { +{ referenceNumber => $_->{referenceNumber} } } grep { $want{ $_->{referenceNumber} } } @{ $element->{careContexts} };
        push @patient, { referenceNumber => $element->{referenceNumber}, careContexts => \@chosen,
            hiType => $element->{hiType}, count => scalar @chosen } if @chosen;
    }
    $linking->{chosen}  = [references_of(\@patient)];
    $linking->{sms_seen} = Sim::Sms::last_number($self->state);
    my $body = { transactionId => $linking->{transaction_id}, abhaAddress => $linking->{citizen}{address}, patient => \@patient };
    return $self->_ask(init => { %$wish, hip => $wish->{hip} // $linking->{hip} }, $body, { linking => $linking }, $linking->{init} = {})
        ->then(sub ($step) { return _view($linking) });
}

# A promise of the password that the provider was given for this linking; undefined when none came.
sub otp ($self, $linking, $wish = {}) {
    my $mobile = plain_mobile($wish->{mobile} // $linking->{citizen}{mobile} // '');
    return Sim::Sms::wait_for($self->state, $mobile, $linking->{sms_seen} // 0, $wish->{otp_timeout_ms} // 5000)
        ->then(sub ($message) { return $message && $message->{code} });
}

# Wishes: otp (else that of the SMS), mobile and otp_timeout_ms (where and how long to look for it),
# token_form (string, integer), link_reference, and those of _ask.
sub confirm ($self, $linking, $wish = {}) {
    my $known = $linking->{link_reference};
    my $reference = $wish->{link_reference} // $known // new_uuid();
    my $given = defined $wish->{otp};
    my $read  = $self->otp($linking, { %$wish, ($given ? (otp_timeout_ms => 0) : ()) });
    return $read->then(sub ($sms) {
        my $otp  = $wish->{otp} // $sms;
        my $step = $linking->{confirm} = { otp => $otp, right_otp => $sms };
        return { %{ _view($linking) }, error => 'no SMS came' } if !defined $otp;
        $step->{wrong_reference} = 1 if $reference ne ($known // '');
        my $token = ($wish->{token_form} // '') eq 'integer' ? 0 + $otp : "$otp";
        my $body  = { requestId => undef, timestamp => undef, confirmation => { token => $token, linkRefNumber => $reference } };
        return $self->_ask(confirm => { %$wish, hip => $wish->{hip} // $linking->{hip} }, $body, { linking => $linking }, $step)
            ->then(sub ($done) { return _view($linking) });
    });
}

sub _view ($linking) {
    my %view = map { $_ => $linking->{$_} } grep { defined $linking->{$_} } qw(transaction_id hip link_reference chosen discover init confirm);
    return { %view, citizen => $linking->{citizen}{address} };
}

sub view ($self, $linking) { return _view($linking) }

# Wishes: intent, counter, year_form (number: all parts of the date), and those of _ask.
sub share ($self, $citizen, $wish = {}) {
    my $hip     = $self->_hip($wish);
    my $counter = $wish->{counter} // 'OPD1';
    my ($year, $month, $day) = split /-/, $citizen->{dob} // "$citizen->{yearOfBirth}";
    my @parts = map { !defined ? undef : ($wish->{year_form} // '') eq 'number' ? 0 + $_ : $_ } $day, $month, $year;
    my %patient = (
        abhaNumber => defined $citizen->{number} ? dashed($citizen->{number}) : undef, abhaAddress => $citizen->{address},
        name => $citizen->{name}, gender => $citizen->{gender}, dayOfBirth => $parts[0], monthOfBirth => $parts[1], yearOfBirth => $parts[2],
        address => { line => '12 Invented Road', district => 'Sample', state => 'Sample', pincode => '110001' },
        (defined $citizen->{mobile} ? (phoneNumber => $citizen->{mobile}) : ()),
    );
    my $body = { intent => $wish->{intent} // 'PROFILE_SHARE', profile => { patient => \%patient },
        metaData => { hipId => $hip, context => $counter, hprId => undef, latitude => '28.60', longitude => '77.20' } };
    my $share = { address => $citizen->{address}, hip => $hip, context => $counter, intent => $body->{intent}, at => iso(), ms => now_ms() };
    push @{ $self->state->shares }, $share;
    return $self->_ask(share => { %$wish, hip => $hip }, $body, { share => $share, citizen => $citizen }, $share->{step} = {})
        ->then(sub ($step) { return { (map { $_ => $share->{$_} } qw(address hip context token)), %$step } });
}

# $status: DEACTIVATED, REACTIVATED, DELETED. The facility that acknowledged it must act on it.
sub status ($self, $citizen, $status, $wish = {}) {
    my $hip = $self->_hip($wish);
    my $id  = $wish->{request_id} // $self->state->fresh_id('gateway');
    my $now = iso();
    $citizen->{status} = $status;
    $citizen->{told}   = {} if $status eq 'REACTIVATED';
    my $body = { requestId => $id, timestamp => $now, notification => { status => $status, patient => { id => $citizen->{address} } } };
    return $self->_ask(status => { %$wish, hip => $hip, request_id => $id, headers => { TIMESTAMP => $now, %{ $wish->{headers} // {} } } },
        $body, { citizen => $citizen, status => $status }, {});
}

1;
