#!/usr/bin/env perl

# Authentication of a patient through ABDM (v0.5), against real nginx: by a one-time password, by the patient's
# data or in the patient's app. What is granted links; what is wrong, denied or late does not.

use strict;
use warnings;
use feature 'signatures';
use FindBin;
use lib "$FindBin::Bin/../lib";

use Test::ABDM;
use Test::More;

Test::ABDM->need_module;

my $MINUTE = 60_000;
my $t = Test::ABDM->new(clock => 1, lines => ['poll off;', 'deep_link off;'])->start;

my $last = 900;

# A patient with an ABHA whom the hospital has told of.
sub somebody (%wish) {
    my $number  = sprintf '%05d', $last++;
    my $address = "c$number\@sbx";
    my $known   = $t->sim("/citizens/$address");
    $t->canary(@$known{qw(mobile number)}, $address);
    my %patient = (reference => "UH2$number", (map { $_ => $known->{$_} } qw(name gender yearOfBirth mobile)), abhaAddress => $address, abhaNumber => $known->{number});
    is $t->api(POST => 'patients', \%patient)->{status}, 200, 'a patient is known';
    return { %$known, uhid => "UH2$number", visit => "OPD-S-$number-1" };
}

sub begun ($who, $mode = undef) {
    my $got = $t->api(POST => 'link-auth', { patientReference => $who->{uhid}, defined $mode ? (mode => $mode) : () });
    is $got->{status}, 202, 'begun' or diag explain $got;
    return $got->{body}{id};
}

sub state_of ($id) { return $t->api(GET => "link-auth/$id")->{body} }

sub comes_to ($id, $state, $name = "it comes to $state") {
    return ok $t->wait_until(sub { state_of($id)->{state} eq $state }, 15), $name || diag explain state_of($id);
}

sub confirm ($id, %secret) { return $t->api(POST => "link-auth/$id/confirm", \%secret) }

sub otp_of ($who) { return $t->sim("/citizens/$who->{address}")->{otp} }

# What is granted is good for a link, without another question for a token.
sub links ($who) {
    $t->api(POST => 'care-contexts', { patientReference => $who->{uhid}, careContexts => [{ reference => $who->{visit}, display => 'Visit', hiTypes => ['Prescription'] }] });
    ok $t->wait_for(linked => citizen => $who->{address}, context => $who->{visit}), 'a visit is linked';
    return is_deeply [grep { $_->{address} eq $who->{address} } @{ $t->sim('/tokens')->{tokens} }], [], 'without asking for a link token';
}

for my $mode (qw(MOBILE_OTP AADHAAR_OTP)) {
    subtest "$mode: the password of ABDM, read out at the desk" => sub {
        my $who = somebody();
        my $id  = begun($who, $mode);
        comes_to($id, 'WAITING');
        my $shown = state_of($id);
        is $shown->{mode}, $mode, 'its mode is shown';
        like $shown->{hint}, qr/\d{4}\z/, 'and where the password went';
        is confirm($id, otp => otp_of($who))->{status}, 202, 'told';
        comes_to($id, 'GRANTED');
        links($who);
    };
}

subtest 'the mode is left to ABDM' => sub {
    my $who = somebody();
    my $id  = begun($who);
    comes_to($id, 'WAITING');
    is state_of($id)->{mode}, 'MOBILE_OTP', 'a mode that the patient can use';
    confirm($id, otp => otp_of($who));
    comes_to($id, 'GRANTED');
};

subtest 'DEMOGRAPHICS: by the date of birth' => sub {
    my $who = somebody();
    my $id  = begun($who, 'DEMOGRAPHICS');
    comes_to($id, 'WAITING');
    is confirm($id, birthDate => $who->{dob})->{status}, 202, 'told';
    comes_to($id, 'GRANTED');
};

subtest 'DIRECT: the patient says yes in the app' => sub {
    my $who = somebody();
    my $id  = begun($who, 'DIRECT');
    comes_to($id, 'WAITING');
    is confirm($id, otp => '123456')->{body}{error}{code}, 'E_CONFLICT', 'the desk cannot answer for them';
    $t->sim("/citizens/$who->{address}/auth", { grant => Mojo::JSON::true() });
    comes_to($id, 'GRANTED');
    links($who);
};

subtest 'DIRECT: the patient says no' => sub {
    my $who = somebody();
    my $id  = begun($who, 'DIRECT');
    comes_to($id, 'WAITING');
    $t->sim("/citizens/$who->{address}/auth", { grant => Mojo::JSON::false() });
    comes_to($id, 'FAILED');
    ok length state_of($id)->{reason}, 'with a reason';
};

subtest 'a wrong password' => sub {
    my $who = somebody();
    my $id  = begun($who, 'MOBILE_OTP');
    comes_to($id, 'WAITING');
    confirm($id, otp => sprintf '%06d', (otp_of($who) + 1) % 1_000_000);
    ok $t->wait_until(sub { state_of($id)->{state} ne 'CONFIRMING' }, 15), 'is judged';
    isnt state_of($id)->{state}, 'GRANTED', 'and grants nothing';
    my $again = begun($who, 'MOBILE_OTP');
    comes_to($again, 'WAITING');
    confirm($again, otp => otp_of($who));
    comes_to($again, 'GRANTED', 'a new authentication is a new chance');
};

subtest 'a mode that the citizen does not have' => sub {
    $t->sim('/citizens', { address => 'otp.only@sbx', name => 'Omana Thomas', gender => 'F', dob => '1960-01-01', number => '91666677778886', mobile => '9000000066', modes => ['MOBILE_OTP'] });
    $t->canary('Omana', 'otp.only@sbx', '9000000066');
    $t->api(POST => 'patients', { reference => 'UH-66', name => 'Omana Thomas', gender => 'F', yearOfBirth => 1960, mobile => '9000000066', abhaAddress => 'otp.only@sbx' });
    my $id = begun({ uhid => 'UH-66' }, 'DIRECT');
    comes_to($id, 'FAILED');
    like state_of($id)->{reason}, qr/1515/, 'with ABDM\'s reason';
};

subtest 'it has its time' => sub {
    my $who = somebody();
    my $id  = begun($who, 'MOBILE_OTP');
    comes_to($id, 'WAITING');
    $t->advance(11 * $MINUTE);
    comes_to($id, 'FAILED');
    is state_of($id)->{reason}, 'E_OTP_EXPIRED', 'because it expired';
    my $got = confirm($id, otp => otp_of($who));
    like $got->{body}{error}{code}, qr/\AE_(?:CONFLICT|OTP_EXPIRED)\z/, 'the password comes too late';
};

subtest 'ABDM does not answer' => sub {
    my $who = somebody();
    $t->sim('/callback_faults', { path => 'users/auth/on-init', action => 'lose', count => 1 });
    my $before = $t->sim('/calls?path=users/auth/init')->{count};
    my $id     = begun($who, 'MOBILE_OTP');
    ok $t->wait_for(call => path => 'users/auth/init', count => $before + 1), 'asked';
    $t->advance(11 * $MINUTE);
    comes_to($id, 'FAILED', 'it ends by itself');
};

subtest 'callbacks that come twice, or of somebody else, change nothing' => sub {
    my $who = somebody();
    $t->sim('/callback_faults', { path => 'users/auth/on-', action => 'repeat_fresh', count => 2 });
    my $id = begun($who, 'MOBILE_OTP');
    comes_to($id, 'WAITING');
    confirm($id, otp => otp_of($who));
    comes_to($id, 'GRANTED');
    my $sent = $t->sim('/callback', { path => '/v0.5/users/auth/notify', hip => $t->{hip}, body => { requestId => '7b2f3c64-0f8e-4a79-9f4a-0d5a3a3e7d11',
        timestamp => '2026-03-05T10:40:00.000Z', auth => { transactionId => '00000000-0000-4000-8000-000000000000', status => 'DENIED' } } });
    my $refused = $t->wait_for(answer => request_id => $sent->{request_id});
    is $refused->{body}{error}{code}, 1017, 'a notice of another authentication is refused' or diag explain [$sent, $refused];
    is state_of($id)->{state}, 'GRANTED', 'does not disturb this one';
};

$t->no_violations;
$t->finish;
