#!/usr/bin/env perl

# Callbacks of linking, sharing and opt-out that are not as they should be, against real nginx: each field missing,
# null, of the wrong type or too long, of another facility or patient, repeated, out of order. Each gets a stable
# code, on the wire where the protocol has an answer; it leaves one line in the log, and changes nothing: at the end
# the right one does what it always does.

use strict;
use warnings;
use feature 'signatures';
use FindBin;
use lib "$FindBin::Bin/../lib", "$FindBin::Bin/../sim/lib";

use Sim::Clock qw(new_uuid);
use Storable qw(dclone);
use Test::ABDM;
use Test::More;

Test::ABDM->need_module;

my $OTHER = 'IN0880005678_1';
my @LINES = ('poll off;', 'discovery_slot 100ms;', 'discovery_limit 1000;', 'quiet_hours off;', 'counter OPD1;');
my $t     = Test::ABDM->new(clock => 1, sms => 1, lines => \@LINES, others => { $OTHER => { name => 'Second Hospital', sms => 1, lines => \@LINES } });
my $HIP   = $t->{hip};
$t->start;
$t->advance_to('10:00');

my $last = 970;

sub somebody {
    my $number  = sprintf '%05d', $last++;
    my $known   = $t->sim("/citizens/c$number\@sbx");
    $t->canary(@$known{qw(mobile number)});
    my %patient = (reference => "UH2$number", (map { $_ => $known->{$_} } qw(name gender yearOfBirth mobile)));
    return { %$known, uhid => "UH2$number", visit => "OPD-S-$number-1", stranger => {%patient},
        patient => { %patient, abhaAddress => $known->{address}, abhaNumber => $known->{number} } };
}

sub api (@call) { return $t->api(@call[0 .. 1], $call[2], 'X-HIP-ID' => $HIP) }

sub announce ($who, $patient = $who->{patient}) {
    my $got = api(POST => 'care-contexts', { patient => $patient, careContexts => [{ reference => $who->{visit}, display => 'Visit', hiTypes => ['Prescription'] }] });
    return is $got->{status}, 202, 'a visit is told of';
}

sub state_of ($who) { return api(GET => "care-contexts/$who->{visit}")->{body} }

# The id under which the newest call of a path was made.
sub sent ($path) {
    ok $t->wait_for(call => path => $path), "$path was called";
    return $t->sim("/calls?path=$path")->{calls}[-1]{headers}{'request-id'};
}

# ---- spoiling -----------------------------------------------------------------------------------

my %SPOIL = (
    missing  => sub ($value) { return },
    null     => sub ($value) { return undef },    ## no critic (ProhibitExplicitReturnUndef)
    mistyped => sub ($value) { return ref $value ? 'x' : { x => 1 } },
    long     => sub ($value) { return ref $value eq 'ARRAY' ? [map { $value->[0] } 0 .. 2000] : ref $value ? { map { ("x$_" => 'x') } 0 .. 300 } : 'x' x 9000 },
);

# The places of a structure, as lists of keys.
sub places ($json, @at) {
    my @inner = ref $json eq 'HASH' ? map { [$_, $json->{$_}] } sort keys %$json : ref $json eq 'ARRAY' && @$json ? [0, $json->[0]] : ();
    return ((@at ? [@at] : ()), map { places($_->[1], @at, $_->[0]) } @inner);
}

sub spoiled ($body, $place, $how) {
    my $copy = dclone($body);
    my ($name, @path) = reverse @$place;
    my $holder = $copy;
    $holder = ref $holder eq 'HASH' ? $holder->{$_} : $holder->[$_] for reverse @path;
    my ($old) = ref $holder eq 'HASH' ? $holder->{$name} : $holder->[$name];
    my @new = $SPOIL{$how}->($old);
    if    (ref $holder eq 'HASH') { @new ? ($holder->{$name} = $new[0]) : delete $holder->{$name} }
    else                          { splice @$holder, $name, 1, @new }
    return $copy;
}

# The lines that the log has of a callback.
sub lines_of ($id) { return grep { index($_, $id) >= 0 && /abdm: / } split /\n/, $t->error_log }

# The body's own requestId (v0.5) is that of the message.
sub send_right ($path, $body, %wish) {
    my $id = $wish{request_id} // new_uuid();
    $body = { %$body, requestId => $id } if defined $body->{requestId};
    return $t->sim('/callback', { path => $path, hip => $HIP, body => $body, request_id => $id, %wish });
}

# Every spoiled form of a body that matches, or that does not.
sub forms ($body, $match, $free) {
    my @all = map { my $place = $_; map { [join('.', @$place) . " $_", spoiled($body, $place, $_)] } sort keys %SPOIL } places($body);
    return grep { ($free && $_->[0] =~ $free ? 1 : 0) == $match } @all;
}

# Sends every spoiled form of a body but those that may be taken ($about{free}), as what they miss is optional. With
# `wire` a refusal is told to the gateway; `unchanged` tells whether nothing has come of any.
sub matrix ($path, $body, %about) {
    my %sent = map { $_->[0] => send_right($path, $_->[1]) } forms($body, 0, $about{free});
    cmp_ok scalar keys %sent, '>', 3, 'spoiled in ' . keys(%sent) . ' ways';
    my @ids = map { $_->{request_id} } values %sent;
    $t->wait_until(sub { my $log = $t->error_log; !grep { $log !~ /$_/ } @ids });
    my @odd;
    for my $name (sort keys %sent) {
        my $got   = $sent{$name};
        my @coded = grep { /\bE_[A-Z_]+:? / } lines_of($got->{request_id});
        push @odd, "$name: $got->{status}" if $got->{status} !~ /\A(?:202|400)\z/;
        push @odd, "$name: " . @coded . ' lines with a code', @coded if @coded != 1;
        next if !$about{wire} || $got->{status} != 202;
        my $told = $t->wait_for(answer => request_id => $got->{request_id}, timeout_ms => 10_000);
        push @odd, "$name: told nothing" if ($told->{body}{error}{code} // '') !~ /\A(?:ABDM-)?\d{4}\z/;
    }
    is_deeply \@odd, [], 'each is refused, with one line in the log' . ($about{wire} ? ', and told so' : '');
    return ok $about{unchanged}->(), 'and changes nothing';
}

# What may miss is taken, or refused, but answered.
sub bearable ($path, $body, $free) {
    my @forms = forms($body, 1, $free);
    for my $form (@forms) { $form->[1]{transactionId} = new_uuid() if $body->{transactionId} }
    my %sent = map { $_->[0] => send_right($path, $_->[1]) } @forms;
    my @odd  = grep { !$t->wait_for(answer => request_id => $sent{$_}{request_id}) } sort keys %sent;
    return is_deeply \@odd, [], 'optional parts spoiled in ' . keys(%sent) . ' ways: answered';
}

# A right one once more under its REQUEST-ID is taken and does nothing; with other words it is refused.
sub replayed ($path, $body, $id) {
    is send_right($path, $body, request_id => $id)->{status}, 202, 'replayed: taken';
    my $altered = send_right($path, { %$body, more => 'x' }, request_id => $id);
    is $altered->{status}, 400, 'altered: refused';
    return ok grep({ /E_REQUEST_REUSED/ } lines_of($id)), 'as E_REQUEST_REUSED';
}

# For a facility that is not here.
sub elsewhere ($path, $body) {
    my $sent = send_right($path, $body, hip => 'IN0000000009_9');
    return like $sent->{body}, qr/E_FACILITY_UNKNOWN/, 'for a facility that is not here: refused';
}

sub error_of ($sent) { return $t->wait_for(answer => request_id => $sent->{request_id})->{body}{error}{code} }

# ---- what the citizen does ----------------------------------------------------------------------

subtest 'discover' => sub {
    my $who  = somebody();
    my $path = '/api/v3/hip/patient/care-context/discover';
    my $body = { transactionId => '5f1dcb21-6a43-4f0e-8f54-1d3d6c7e1a01', patient => { id => $who->{address}, name => $who->{name}, gender => $who->{gender},
        yearOfBirth => $who->{yearOfBirth}, verifiedIdentifiers => [{ type => 'MOBILE', value => $who->{mobile} }] } };
    my $free = qr/\Apatient[.](?:gender[ ](?:long|missing|null)|(?:verifiedIdentifiers|yearOfBirth)[ ](?:missing|null)|verifiedIdentifiers[ ]long
        |verifiedIdentifiers[.]0[ ]missing|verifiedIdentifiers[.]0[.](?:type[ ]long|value[ ](?:missing|null)))\z/x;
    matrix($path, $body, wire => 1, free => $free, unchanged => sub { !grep { $_->{body}{patient} } @{ $t->sim('/calls?path=on-discover')->{calls} } });
    my %right = (%$body, transactionId => '5f1dcb21-6a43-4f0e-8f54-1d3d6c7e1a02');
    my $sent  = send_right($path, \%right);
    ok $t->wait_for(answer => request_id => $sent->{request_id})->{body}{patient}, 'the right one is answered';
    replayed($path, \%right, $sent->{request_id});
    elsewhere($path, $body);
    bearable($path, $body, $free);
};

subtest 'init and confirm' => sub {
    my ($who, $else) = (somebody(), somebody());
    my ($init_path, $confirm_path) = map { "/api/v3/hip/link/care-context/$_" } qw(init confirm);
    my $found = $t->sim("/citizens/$who->{address}/discover", { hip => $HIP });
    my $init  = { transactionId => $found->{transaction_id}, abhaAddress => $who->{address}, patient => [{ referenceNumber => $who->{uhid}, hiType => 'Prescription',
        count => 1, careContexts => [{ referenceNumber => $who->{visit} }] }] };
    my $unsent = sub { !$t->sim("/sms?mobile=$who->{mobile}")->{count} };
    matrix($init_path, $init, wire => 1, free => qr/\Apatient[.]0[.](?:hiType|count) /, unchanged => $unsent);
    is error_of(send_right($init_path, { %$init, abhaAddress => $else->{address} })), 'ABDM-1017', 'of another patient: refused';
    is error_of(send_right($init_path, $init, hip => $OTHER)), 'ABDM-1017', 'at another facility: refused';
    my $unasked = dclone($init);
    $unasked->{patient}[0]{careContexts}[0]{referenceNumber} = $else->{visit};
    is error_of(send_right($init_path, $unasked)), 'ABDM-1057', 'for what was not offered: refused';
    elsewhere($init_path, $init);
    ok $unsent->(), 'and no password is sent';
    my $early = send_right($confirm_path, { confirmation => { token => '123456', linkRefNumber => '5f1dcb21-6a43-4f0e-8f54-1d3d6c7e1a03' } });
    is error_of($early), 'ABDM-1056', 'a confirmation before its init: refused';

    my $begun    = $t->sim("/linkings/$found->{transaction_id}/init", { contexts => [$who->{visit}] });
    my $otp      = $t->wait_for(sms => mobile => $who->{mobile})->{code};
    my $confirm  = { confirmation => { token => $otp, linkRefNumber => $begun->{link_reference} } };
    my $unlinked = sub { !@{ $t->sim("/citizens/$who->{address}/links")->{links} } };
    replayed($init_path, $t->sim('/sent?path=care-context/init')->{sent}[-1]{body}, $begun->{init}{request_id});
    is $t->sim("/sms?mobile=$who->{mobile}")->{count}, 1, 'and sends no other password';
    matrix($confirm_path, $confirm, wire => 1, unchanged => $unlinked);
    is error_of(send_right($confirm_path, $confirm, hip => $OTHER)), 'ABDM-1056', 'at another facility: refused';
    elsewhere($confirm_path, $confirm);
    ok $unlinked->(), 'nothing is linked';
    my $done = $t->sim("/linkings/$found->{transaction_id}/confirm", { otp => $otp });
    ok $done->{confirm}{answer}{patient}, 'the right one links' or diag explain $done->{confirm};
    replayed($confirm_path, $t->sim('/sent?path=care-context/confirm')->{sent}[-1]{body}, $done->{confirm}{request_id});
    is error_of(send_right($init_path, $init)), 'ABDM-1056', 'an init after its confirmation: linked already';
    is $t->sim("/citizens/$who->{address}/links")->{links}[0]{times}, 1, 'once it is linked';
};

subtest 'share' => sub {
    my $who  = somebody();
    my $path = '/api/v3/hip/patient/share';
    my $body = { intent => 'PROFILE_SHARE', metaData => { hipId => $HIP, context => 'OPD1' }, profile => { patient => {
        abhaAddress => $who->{address}, abhaNumber => $who->{number}, name => $who->{name}, gender => $who->{gender}, yearOfBirth => '1950' } } };
    my $free  = qr/(?:(?:hipId|abhaNumber|gender|yearOfBirth) (?:missing|null)|gender long)\z/;
    my $empty = sub { !@{ api(GET => 'queue?counter=OPD1')->{body}{queue} } };
    matrix($path, $body, wire => 1, free => $free, unchanged => $empty);
    like error_of(send_right($path, { %$body, metaData => { hipId => $OTHER, context => 'OPD1' } })), qr/\AABDM-1006\z/, 'of another facility: refused';
    is error_of(send_right($path, { %$body, metaData => { hipId => $HIP, context => 'OPD9' } })), 'ABDM-1050', 'at no counter of ours: refused';
    elsewhere($path, $body);
    ok $empty->(), 'nobody is in the queue';
    my $right = $t->sim("/citizens/$who->{address}/share", { hip => $HIP, counter => 'OPD1' });
    is $right->{token}, 1, 'the right one has the first number';
    replayed($path, $t->sim('/sent?path=patient/share')->{sent}[-1]{body}, $right->{request_id});
    bearable($path, $body, $free);
    is scalar(@{ api(GET => 'queue?counter=OPD1')->{body}{queue} }), 1, 'one is in the queue';
};

subtest 'patient status' => sub {
    my $who  = somebody();
    my $path = '/v0.5/patients/status/notify';
    announce($who);
    ok $t->wait_until(sub { state_of($who)->{state} eq 'LINKED' }), 'linked';
    my $body = { requestId => '5f1dcb21-6a43-4f0e-8f54-1d3d6c7e1a04', timestamp => '2026-03-05T10:40:00.000Z', notification => { status => 'DEACTIVATED', patient => { id => $who->{address} } } };
    my $linked = sub { (state_of($who)->{state} // '') eq 'LINKED' };
    matrix($path, $body, wire => 1, free => qr/\A(?:requestId|timestamp) /, unchanged => $linked);
    my $there = send_right($path, $body, hip => $OTHER);
    is $t->wait_for(answer => request_id => $there->{request_id})->{body}{acknowledgment}{status}, 'OK', 'told to another facility: obeyed there';
    elsewhere($path, $body);
    ok $linked->(), 'and here nothing changes';
    is $t->sim("/citizens/$who->{address}/status", { hip => $HIP, status => 'DEACTIVATED' })->{answer}{acknowledgment}{status}, 'OK', 'the right one is obeyed';
    is api(GET => "care-contexts/$who->{visit}")->{status}, 404, 'and its link is gone';
};

# ---- what answers us ----------------------------------------------------------------------------

# Holds back the callback that would come by itself; gives the id of the call that it answers.
sub held ($callback, $call, $act) {
    my $before = $t->sim('/metrics')->{counters}{callback_lose} // 0;
    $t->sim('/callback_faults', { path => $callback, action => 'lose', count => 1 });
    $act->();
    ok $t->wait_until(sub { ($t->sim('/metrics')->{counters}{callback_lose} // 0) > $before }), "$callback is held back";
    my $id = sent($call);
    $t->sim_delete('/callback_faults');
    return $id;
}

# An answer that was right once is only repeated, and one to nothing, or in another name, is unknown.
sub strange ($path, $body) {
    my $other = dclone($body);
    ($other->{response} // $other->{resp})->{requestId} = '5f1dcb21-6a43-4f0e-8f54-1d3d6c7e1a05';
    for my $case (['to no call of ours', $HIP, $other], ['to another facility', $OTHER, $body]) {
        my ($name, $hip, $said) = @$case;
        my $sent = $t->sim('/callback', { path => $path, hip => $hip, body => $said });
        ok $t->wait_until(sub { grep { /E_ANSWER_UNKNOWN/ } lines_of($sent->{request_id}) }), "$name: E_ANSWER_UNKNOWN";
    }
    return;
}

subtest 'the link token and the link' => sub {
    my ($who, $else) = (somebody(), somebody());
    my $id   = held('on-generate-token', 'generate-token$', sub { announce($who) });
    my $body = { abhaAddress => $who->{address}, linkToken => 'eyJhbGciOiJub25lIn0.eyJ4IjoxfQ.c2ln', response => { requestId => $id } };
    my $path = '/api/v3/hip/token/on-generate-token';
    my $none = sub { state_of($who)->{state} eq 'NONE' };
    matrix($path, $body, unchanged => $none);
    strange($path, $body);
    my $wrong = send_right($path, { %$body, abhaAddress => $else->{address} });
    ok $t->wait_until(sub { lines_of($wrong->{request_id}) }), 'of another patient: refused';
    ok $none->(), 'still without a token';
    $t->sim('/callback_faults', { path => 'on_carecontext', action => 'lose', count => 1 });
    $t->advance(8 * 60_000);
    ok $t->wait_until(sub { state_of($who)->{state} eq 'PENDING' }), 'the right token makes a link request';
    $id   = sent('link/carecontext$');
    $body = { abhaAddress => $who->{address}, status => 'Successfully Linked care context', response => { requestId => $id } };
    $path = '/api/v3/link/on_carecontext';
    matrix($path, $body, free => qr/\A(?:abhaAddress (?:missing|null)|status (?:long|missing|null))\z/,
        unchanged => sub { state_of($who)->{state} eq 'PENDING' });
    strange($path, $body);
    $wrong = send_right($path, { %$body, abhaAddress => $else->{address} });
    ok $t->wait_until(sub { lines_of($wrong->{request_id}) }), 'of another patient: refused';
    is state_of($who)->{state}, 'PENDING', 'still under way';
    $t->sim_delete('/callback_faults');
    my $right = send_right($path, $body);
    ok $t->wait_until(sub { state_of($who)->{state} eq 'LINKED' }), 'the right one links';
    my $again = send_right($path, $body, request_id => $right->{request_id});
    is $again->{status}, 202, 'the same once more is taken';
    my $failed = send_right($path, { %$body, status => 'Failed', error => { code => 'ABDM-1024', message => 'no' } });
    ok $t->wait_until(sub { $t->reasons($who->{visit}) || 1 }), 'a failure that comes after it';
    is state_of($who)->{state}, 'LINKED', 'changes nothing';
};

subtest 'the notice and the SMS' => sub {
    my $who = somebody();
    announce($who);
    ok $t->wait_until(sub { state_of($who)->{state} eq 'LINKED' }), 'linked';
    $t->advance(31_000);
    my $id = held('links/context/on-notify', 'link/context/notify$',
        sub { api(POST => 'notifications', { careContextReference => $who->{visit}, hiTypes => ['DiagnosticReport'] }) });
    my $body = { acknowledgement => { status => 'SUCCESS' }, response => { requestId => $id } };
    my $one  = sub { 1 == @{ state_of($who)->{notifiedHiTypes} } };
    my $free = qr/\Aacknowledgement(?:[.]status (?:long|missing|null)| (?:long|missing|mistyped|null))\z/;    # an error tells of failure
    matrix('/api/v3/links/context/on-notify', $body, free => $free, unchanged => $one);
    strange('/api/v3/links/context/on-notify', $body);
    ok $one->(), 'still one type is known to be told';
    send_right('/api/v3/links/context/on-notify', $body);
    ok $t->wait_until(sub { 2 == @{ state_of($who)->{notifiedHiTypes} } }), 'the right one counts';

    $who = somebody();
    $id  = held('patients/sms/on-notify', 'sms/notify2$', sub { announce($who, $who->{stranger}) });
    $body = { acknowledgement => { status => 'SUCCESS' }, response => { requestId => $id } };
    matrix('/api/v3/patients/sms/on-notify', $body, free => $free, unchanged => sub { state_of($who)->{sms} eq 'SENT' });
    strange('/api/v3/patients/sms/on-notify', $body);
};

subtest 'authentication' => sub {
    my $who = somebody();
    is api(POST => 'patients', $who->{patient})->{status}, 200, 'a patient';
    my %old     = (requestId => new_uuid(), timestamp => '2026-03-05T10:40:00.000Z');
    my $free    = qr/\A(?:requestId|timestamp|auth[.](?:meta|purpose)) ?/;
    my $granted = 'eyJhbGciOiJub25lIn0.eyJ4IjoxfQ.c2ln';
    my $auth;
    my $state = sub { api(GET => "link-auth/$auth")->{body}{state} };

    my $id = held('users/auth/on-fetch-modes', 'users/auth/fetch-modes$', sub { $auth = api(POST => 'link-auth', { patientReference => $who->{uhid} })->{body}{id} });
    my $modes = { %old, resp => { requestId => $id }, auth => { purpose => 'KYC_AND_LINK', modes => ['MOBILE_OTP', 'DIRECT'] } };
    my $early = { %old, resp => { requestId => $id }, auth => { transactionId => new_uuid(), mode => 'MOBILE_OTP', meta => { hint => 'x', expiry => '2030-01-01T00:00:00.000Z' } } };
    my $before = $t->sim('/calls?path=users/auth/init$')->{count};
    matrix('/v0.5/users/auth/on-fetch-modes', $modes, free => qr/$free|\Aauth[.]modes(?: long|[.]0 (?:long|missing))\z/, unchanged => sub { $t->sim('/calls?path=users/auth/init$')->{count} == $before });
    strange('/v0.5/users/auth/on-fetch-modes', $modes);
    my $other = send_right('/v0.5/users/auth/on-init', $early);
    ok $t->wait_until(sub { grep { /E_ANSWER_UNKNOWN/ } lines_of($other->{request_id}) }), 'an answer to what was not asked yet: refused';
    $id = held('users/auth/on-init', 'users/auth/init$', sub { send_right('/v0.5/users/auth/on-fetch-modes', $modes) });

    my $body = { %old, resp => { requestId => $id }, auth => { transactionId => $t->sim("/citizens/$who->{address}")->{auths}[-1]{transaction_id}, mode => 'MOBILE_OTP', meta => { hint => 'mobile ending 1234', expiry => '2030-01-01T00:00:00.000Z' } } };
    matrix('/v0.5/users/auth/on-init', $body, free => $free, unchanged => sub { $state->() eq 'ASKED' });
    strange('/v0.5/users/auth/on-init', $body);
    my $begun = send_right('/v0.5/users/auth/on-init', $body);
    ok $t->wait_until(sub { $state->() eq 'WAITING' }), 'the right one is waited for';
    replayed('/v0.5/users/auth/on-init', $body, $begun->{request_id});

    my $notice = { %old, auth => { transactionId => $body->{auth}{transactionId}, status => 'GRANTED', accessToken => $granted } };
    matrix('/v0.5/users/auth/notify', $notice, wire => 1, free => $free, unchanged => sub { $state->() eq 'WAITING' });
    is error_of(send_right('/v0.5/users/auth/notify', $notice, hip => $OTHER)), 1017, 'a notice to another facility: refused';

    $id = held('users/auth/on-confirm', 'users/auth/confirm$', sub { is api(POST => "link-auth/$auth/confirm", { otp => '123456' })->{status}, 202, 'the desk confirms' });
    my $confirmed = { %old, resp => { requestId => $id }, auth => { accessToken => $granted, patient => { id => $who->{address} } } };
    matrix('/v0.5/users/auth/on-confirm', $confirmed, free => qr/$free|\Aauth[.]patient (?:missing|null|mistyped|long)\z|\Aauth[.]patient[.]id (?:missing|null)\z/,
        unchanged => sub { $state->() eq 'CONFIRMING' });
    strange('/v0.5/users/auth/on-confirm', $confirmed);
    send_right('/v0.5/users/auth/on-confirm', $confirmed);
    ok $t->wait_until(sub { $state->() eq 'GRANTED' }), 'the right one grants';
};

$t->no_violations;
$t->finish;
