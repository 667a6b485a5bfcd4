#!/usr/bin/env perl

# A worker that dies at any step of what a patient does with the app (discovery, linking, sharing, leaving)
# loses nothing and repeats nothing: the next one goes on where it was. The steps are those of flow/table.c.

use strict;
use warnings;
use feature 'signatures';
use FindBin;
use lib "$FindBin::Bin/../lib";

use Test::ABDM;
use Test::Crash qw(crash_harness patient_api points tell_through);
use Test::More;

Test::ABDM->need_module;
plan skip_all => 'this build has no fault points' if Test::ABDM->build_dir !~ m{/(?:test|asan|cov)\z};

my $t = crash_harness(clock => 1, lines => ['poll off;', 'deep_link off;', 'discovery_slot 100ms;', 'discovery_limit 1000;', 'counter OPD1;'])->start;
my %RETRY = (retry => 1);
$t->sim('/config', { may_forget => 1, redeliver_ms => 100, redeliver_max => 50 });

my $last = 700;

sub somebody {
    my $number = sprintf '%05d', $last++;
    return { address => "c$number\@sbx", uhid => "UH2$number", visits => [map { "OPD-S-$number-$_" } 1 .. 3] };
}

sub contexts ($who) { return [sort map { $_->{context} } @{ $t->sim("/citizens/$who->{address}/links")->{links} }] }

# A password that was sent twice is another one.
sub confirms ($who, $id) {
    my $done;
    for my $code (map { $_->{code} } grep { $_->{uhid} eq $who->{uhid} } @{ $t->hmis('/_test/otps')->{otps} }) {
        $done = $t->sim("/linkings/$id/confirm", { %RETRY, otp => $code });
        last if $done->{confirm}{answer}{patient};
    }
    return $done;
}

sub links {
    my $who   = somebody();
    my $found = $t->sim("/citizens/$who->{address}/discover", {%RETRY});
    ok $found->{discover}{answer}{patient}, 'discovered' or return diag explain $found;
    my $begun = $t->sim("/linkings/$found->{transaction_id}/init", {%RETRY});
    ok $begun->{init}{answer}{link}, 'begun' or return diag explain $begun;
    my $done = confirms($who, $found->{transaction_id});
    if (!$done->{confirm}{answer}{patient}) {    # the HMIS takes a password once, and its word was lost with the worker
        $t->advance(61_000);
        $t->sim("/linkings/$found->{transaction_id}/init", {%RETRY});
        $done = confirms($who, $found->{transaction_id});
    }
    ok $done->{confirm}{answer}{patient}, 'confirmed' or return diag explain $done;
    is_deeply contexts($who), $who->{visits}, 'linked';
    return ok $t->wait_until(sub { patient_api($t, GET => "care-contexts/$who->{visits}[0]")->{body}{state} eq 'LINKED' }), 'as known here';
}

my $token = 0;

sub shares {
    my $who = somebody();
    my $got = $t->sim("/citizens/$who->{address}/share", { %RETRY, counter => 'OPD1' });
    is $got->{token}, ++$token, 'the next number' or diag explain $got;
    return ok $t->wait_until(sub { $t->hmis("/api/patients/$who->{uhid}")->{abha_address} eq $who->{address} }, 8), 'the HMIS has the profile';
}

sub leaves {
    my $who = somebody();
    my $got = $t->sim("/citizens/$who->{address}/status", { %RETRY, status => 'DEACTIVATED' });
    is $got->{answer}{acknowledgment}{status}, 'OK', 'acknowledged' or diag explain $got;
    my $found = $t->sim("/citizens/$who->{address}/discover", {%RETRY});
    return ok $found->{discover}{answer}{error}, 'and gone';
}

my $deaths = 0;
my %tell = (
    link  => [\&links,  map { "/api/v3/hip/$_" } 'patient/care-context/discover', 'link/care-context/init', 'link/care-context/confirm'],
    share => [\&shares, '/api/v3/hip/patient/share'],
    leave => [\&leaves, '/v0.5/patients/status/notify'],
);
for my $story (qw(link share leave)) {
    my ($tell, @paths) = @{ $tell{$story} };
    my @points = points($story, @paths);
    # What ends a search that has long been over only passes.
    $deaths += tell_through($t, $story, $tell, sub { $t->advance(9000) if $story eq 'link' }, @points);
}
is scalar(() = $t->error_log =~ /exited on signal 9/g), $deaths, 'each death was one of ours';
$t->no_violations('what came twice was identical');
$t->finish(alerts => qr/exited on signal 9/);
