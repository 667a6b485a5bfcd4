#!/usr/bin/env perl

# A worker that dies at any step of a transfer loses nothing: the next one goes on where it was, the
# requester has each page once or the identical page again, and the gateway is told one outcome.
# Once with the worker alone, which the master replaces, and once with everything, as in a power
# failure. The steps are those of flow/table.c.

use strict;
use warnings;
use feature 'signatures';
use FindBin;
use lib "$FindBin::Bin/../lib";

use Time::HiRes qw(time);
use Test::ABDM;
use Test::Crash qw(crash_harness is_complete points);
use Test::More;

Test::ABDM->need_module;
plan skip_all => 'this build has no fault points' if Test::ABDM->build_dir !~ m{/(?:test|asan|cov)\z};

my @PATHS  = map { "/api/v3/$_" } 'consent/request/hip/notify', 'hiu/consent/on-fetch', 'hip/health-information/request';
my @POINTS = points(transfer => @PATHS);

subtest 'every event has its story, here or in a test beside' => sub { is_complete() };

my $t     = crash_harness(clock => 1)->start;
my $FAULT = "$t->{dir}/fault";
$t->sim('/config', { may_forget => 1, redeliver_ms => 100, redeliver_max => 100 });

# Runs one transfer, with $power also taking away everything else at the moment the worker dies;
# gives how long it took.
sub survive ($point, $power) {
    my $struck = !defined $point;
    $t->signal_nginx('STOP') if $power;    # so that no new worker comes up before the power is off
    $t->write_file('fault', "$point\n") if !$struck;
    my $start = time;
    my $soon  = sub ($done) {
        $t->wait_until(sub {
            if (!$struck && !-e $FAULT) {
                $struck = 1;
                $t->kill_nginx->start_nginx if $power;
            }
            $done->();
        }, 20);
    };
    my %late    = (background => 1, retry => 1);
    my $consent = $t->grant(contexts => ['OPD-25-3107'], notify => {%late});
    my $asked   = $consent->{consent_id};
    ok $soon->(sub { $t->sim("/consents/$asked")->{acks}[0] }), 'the consent is acknowledged' or return;
    my $silent = !$struck && $point =~ /unanswered/;
    $t->sim('/callback_faults', { path => 'hiu/consent/on-fetch', action => 'lose', count => 1 }) if $silent;
    my $calls = $t->sim('/calls?path=consent/v3/fetch')->{count};
    my $id    = $t->request($consent, %late);
    if ($silent) {
        $t->wait_for(call => path => 'consent/v3/fetch', count => $calls + 1);
        $t->advance(21_000);    # the consent manager does not answer in time
    }
    my $done;
    ok $soon->(sub { ($done = $t->sim("/transfers/$id"))->{notify} }), 'the transfer is notified' or diag explain $t->explain($id);
    ok $soon->(sub { $struck && !$t->open_work($asked, $id) }), 'no work is left' or diag explain [$struck, $t->open_work($asked, $id)];
    my $took = time - $start;
    unlink $FAULT;

    is $t->listed($id)->{state}, 'DONE', 'the transfer is done';
    is_deeply [map { $_->{pageNumber} } @{ $done->{pages} }], [0, 1], 'each page is there';
    is_deeply $done->{notify}{statusNotification}{statusResponses}[0]{hiStatus}, 'DELIVERED', 'and reported';
    return $took;
}

my $usual = survive(undef, 0);
my %slowest;
for my $power (0, 1) {
    my $who = $power ? 'all of nginx' : 'the worker';
    for my $point (@POINTS) {
        subtest "$who may die: $point" => sub {
            my $took = survive($point, $power) // 99;
            $slowest{$who} = $took if $took > ($slowest{$who} // 0);
        };
    }
    if (!$power) {
        my $deaths = () = $t->error_log =~ /exited on signal 9/g;
        is $deaths, scalar(@POINTS), 'every point killed a worker';
    }
    note sprintf 'slowest transfer through the death of %s: %.2f s (undisturbed %.2f s)', $who, $slowest{$who}, $usual;
    cmp_ok $slowest{$who}, '<', 30, "recovery from the death of $who is a matter of seconds";
}

$t->no_violations('what came twice was identical');
$t->finish(alerts => qr/exited on signal 9/);
