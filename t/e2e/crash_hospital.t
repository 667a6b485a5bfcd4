#!/usr/bin/env perl

# A worker that dies at any step of what the hospital begins (linking, the feed, notices, deep links,
# authentication) loses nothing and repeats nothing: the next one goes on where it was. The steps are those of
# flow/table.c.

use strict;
use warnings;
use feature 'signatures';
use FindBin;
use lib "$FindBin::Bin/../lib";

use POSIX qw(strftime);
use Test::ABDM;
use Test::Crash qw(crash_harness patient_api points tell_through);
use Test::More;

Test::ABDM->need_module;
plan skip_all => 'this build has no fault points' if Test::ABDM->build_dir !~ m{/(?:test|asan|cov)\z};

my $MINUTE = 60_000;
my $t = crash_harness(clock => 1, lines => ['poll 200ms;', 'quiet_hours off;'])->start;
$t->advance_to('09:00');
$t->sim('/config', { may_forget => 1, redeliver_ms => 100, redeliver_max => 50 });

my $last = 800;

sub somebody {
    my $number  = sprintf '%05d', $last++;
    my $address = "c$number\@sbx";
    my $known   = $t->sim("/citizens/$address");
    my %patient = (reference => "UH2$number", (map { $_ => $known->{$_} } qw(name gender yearOfBirth mobile)));
    return { address => $address, uhid => "UH2$number", mobile => $known->{mobile}, visit => "OPD-S-$number-1",
        stranger => {%patient}, patient => { %patient, abhaAddress => $address, abhaNumber => $known->{number} } };
}

sub api (@call) { return patient_api($t, @call) // {} }

sub announce ($who, $patient) {
    state_is(202, api(POST => 'care-contexts', { patient => $patient, requestId => "r-$who->{uhid}",
        careContexts => [{ reference => $who->{visit}, display => 'Visit', hiTypes => ['Prescription'], date => strftime('%Y-%m-%d', gmtime $t->now) }] }), 'told of');
    return;
}

sub state_is ($status, $got, $name) { return is $got->{status}, $status, $name }

# Time goes on until it has come about; each time some minutes of it.
sub in_time ($done, $ms, $name) {
    my $got;
    for (1 .. 12) {
        $got = $t->wait_until($done, 1.5) and last;
        $t->advance($ms);
    }
    return ok $got, $name;
}

sub is_linked ($who) {
    in_time(sub { (api(GET => "care-contexts/$who->{visit}")->{body}{state} // '') eq 'LINKED' }, 11 * $MINUTE, 'linked');
    return is_deeply [map { "$_->{context} $_->{patient_reference} $_->{times}" } @{ $t->sim("/citizens/$who->{address}/links")->{links} }],
        ["$who->{visit} $who->{uhid} 1"], 'once, and to this patient';
}

my %tell = (
    hospital => [sub { my $who = somebody(); announce($who, $who->{patient}); is_linked($who) },
        '/api/v3/hip/token/on-generate-token', '/api/v3/link/on_carecontext'],
    silence => [sub {
        my $who = somebody();
        $t->sim('/callback_faults', { path => 'on-generate-token|on_carecontext', action => 'lose', count => 1 });
        announce($who, $who->{patient});
        is_linked($who);
    }],
    news => [sub {
        my $who = somebody();
        announce($who, $who->{patient});
        is_linked($who);
        state_is(202, api(POST => 'notifications', { careContextReference => $who->{visit}, hiTypes => ['DiagnosticReport'] }), 'new data');
        in_time(sub { 2 == @{ api(GET => "care-contexts/$who->{visit}")->{body}{notifiedHiTypes} // [] } }, 31_000, 'notified');
        cmp_ok scalar(grep { $_->{context} eq $who->{visit} } @{ $t->sim('/notices')->{notices} }), '<=', 2, 'and not again and again';
    }, '/api/v3/links/context/on-notify'],
    feed => [sub {
        my $who = somebody();
        $t->hmis("/api/patients/$who->{uhid}/abha", { abha_address => $who->{address} });
        $who->{visit} = $t->hmis('/_test/visits', { uhid => $who->{uhid} })->{visit}{no};
        is_linked($who);
    }],
    sms => [sub {
        my $who = somebody();
        announce($who, $who->{stranger});
        in_time(sub { (api(GET => "care-contexts/$who->{visit}")->{body}{sms} // '') eq 'SENT' }, $MINUTE, 'the SMS is sent');
        my $count = @{ $t->sim("/deep-links?mobile=$who->{mobile}")->{messages} };
        cmp_ok $count, '>=', 1, 'one came';
        cmp_ok $count, '<=', 2, 'at most the one that was on its way came twice';
    }, '/api/v3/patients/sms/on-notify'],
    auth => [sub { authenticates(undef) }, map { "/v0.5/users/auth/$_" } qw(on-fetch-modes on-init on-confirm)],
    direct => [sub { authenticates('DIRECT') }, '/v0.5/users/auth/notify'],
    overdue => [sub {
        my $id = waits(somebody(), 'MOBILE_OTP');
        in_time(sub { (api(GET => "link-auth/$id")->{body}{state} // '') eq 'FAILED' }, 11 * $MINUTE, 'it ends with its time');
    }],
    wrapper => [sub {
        my $who = somebody();
        $t->hmis("/api/patients/$who->{uhid}/abha", { abha_address => $who->{address} });
        state_is(202, api(POST => '/nha/v3/link-carecontexts', { requestId => "n-$who->{uhid}", requesterId => $t->{hip}, abhaAddress => $who->{address},
            authMode => 'DEMOGRAPHICS', careContexts => [{ referenceNumber => $who->{visit}, display => 'Visit', hiType => 'Prescription' }] }), 'asked');
        is_linked($who);
    }],
);

# An authentication that waits for the citizen; gives its id.
sub waits ($who, $mode) {
    state_is(200, api(POST => 'patients', $who->{patient}), 'a patient');
    my $id = api(POST => 'link-auth', { patientReference => $who->{uhid}, $mode ? (mode => $mode) : () })->{body}{id};
    in_time(sub { (api(GET => "link-auth/$id")->{body}{state} // '') eq 'WAITING' }, 1000, 'it waits');
    return $id;
}

sub authenticates ($mode) {
    my $who = somebody();
    my $id  = waits($who, $mode);
    if ($mode) { $t->sim("/citizens/$who->{address}/auth", { grant => 1 }) }
    else       { state_is(202, api(POST => "link-auth/$id/confirm", { otp => $t->sim("/citizens/$who->{address}")->{otp} }), 'the password') }
    return in_time(sub { (api(GET => "link-auth/$id")->{body}{state} // '') eq 'GRANTED' }, 1000, 'granted');
}

my $deaths = 0;
for my $story (qw(hospital silence news feed sms auth direct overdue wrapper)) {
    my ($tell, @paths) = @{ $tell{$story} };
    $deaths += tell_through($t, $story, $tell, sub { $t->advance(4 * $MINUTE) if $story eq 'wrapper' }, points($story, @paths));
}
is scalar(() = $t->error_log =~ /exited on signal 9/g), $deaths, 'each death was one of ours';
$t->no_violations('what came twice was identical');
$t->finish(alerts => qr/exited on signal 9/);
