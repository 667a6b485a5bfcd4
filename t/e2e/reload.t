#!/usr/bin/env perl

# nginx may be reloaded, stopped and killed while hundreds of transfers are under way: all of them
# complete, nothing is sent twice, the gateway never sees a 5xx, and old workers leave in time.

use strict;
use warnings;
use feature 'signatures';
use FindBin;
use lib "$FindBin::Bin/../lib";

use Time::HiRes qw(sleep time);
use Test::ABDM;
use Test::More;

my $WORKERS = 2;
my $RELOADS = 50;
my $PATIENT = 25;    # abdm_drain in seconds: longer than any call of a busy machine
my $STRICT  = 3;     # and shorter than the one that does not end

Test::ABDM->need_module;
my $t = Test::ABDM->new(workers => $WORKERS, abdm => ["abdm_drain ${PATIENT}s;"])->start;
$t->sim('/config', { cheap_keys => 1, redeliver_max => 200 });

my $first = 0;    # each storm has patients of its own

sub storm_begins (%wish) {
    my $id = $t->sim('/storm', { timeout_s => 90, first => $first, %wish })->{id};
    $first += $wish{n};
    return sub ($command = '') { $t->sim("/storm/$id$command", $command ? {} : undef) };
}

sub all_arrive ($storm, $n) {
    $t->wait_until(sub { $storm->()->{finished} }, 100);
    my $report = $storm->();
    is_deeply $report->{outcome}, { TRANSFERRED => $n }, "all $n transfers complete";
    return $report;
}

sub counters { return $t->sim('/metrics')->{counters} }

sub nothing_open {
    my $open = sub { grep { $_->{state} !~ /\A(?:DONE|REFUSED)\z/ } @{ $t->report(transfers => 100_000)->{transfers} } };
    ok $t->wait_until(sub { !$open->() }, 10), 'no transfer is open in the store' or diag explain [$open->()];
    return;
}

# With other lines in the http block; no worker of before is left.
sub reconfigured (@lines) {
    $t->write_conf(abdm => [@lines]);
    reload_once();
    return $t->wait_until(sub { $WORKERS == $t->workers }, $PATIENT + 5);
}

sub reload_once {
    my %old = map { $_ => 1 } $t->workers;
    $t->reload;
    return $t->wait_until(sub { $WORKERS <= grep { !$old{$_} } $t->workers }, 10);
}

subtest "$RELOADS reloads under 200 concurrent transfers" => sub {
    my $start = time;
    my $storm = storm_begins(n => 50_000, concurrency => 200);    # until it is stopped
    ok $t->wait_until(sub { $storm->()->{done} }, 20), 'transfers are under way';
    my ($reloads, $most) = (0, 0);
    for (1 .. $RELOADS) {
        last if !reload_once();
        $reloads++;
        my $now = $t->workers;
        $most = $now if $now > $most;
    }
    my $busy = time - $start;
    is $reloads, $RELOADS, "$RELOADS reloads took effect";
    my $n = $storm->('/stop')->{n};
    my $report = all_arrive($storm, $n);
    my $told   = counters();
    is_deeply [grep { /\Acallback_5/ } keys %$told], [], 'no 5xx to the gateway';
    is $told->{pushed}, $n, 'each page was sent once';
    ok $t->wait_until(sub { $WORKERS == $t->workers }, $PATIENT + 5), 'the old workers are gone';
    nothing_open();
    note sprintf '%d reloads in %.1f s, %d transfers in %.1f s (%.0f/s), p50 %d ms, p100 %d ms, at most %d workers, %d redeliveries',
        $reloads, $busy, $n, @$report{qw(seconds per_second)}, @{ $report->{ms}{total} }{qw(p50 p100)}, $most,
        $told->{redelivered} // 0;
};

subtest 'an old worker that cannot finish leaves when abdm_drain is over, and another one goes on' => sub {
    reconfigured("abdm_drain ${STRICT}s;");
    my %old = map { $_ => 1 } $t->workers;
    $t->sim('/faults', { path => '^/hiu/push/', action => 'delay', ms => 20_000, count => 1 });
    my $consent = $t->grant(contexts => ['OPD-26-0802'], patient_reference => 'UH100232', notify => { retry => 1 });
    my $id      = $t->request($consent, retry => 1);
    my $path    = $t->sim("/transfers/$id")->{push_path};
    ok $t->wait_for(call => path => $path), 'a page is on the wire';
    my $start = time;
    ok reload_once(), 'reloaded';
    ok $t->wait_until(sub { !grep { $old{$_} } $t->workers }, $STRICT + 10), 'the old workers are gone';
    my $left = time - $start;
    cmp_ok $left, '<', $STRICT + 8, 'in time';
    $t->sim('/config', { may_forget => 1 });    # the page was taken, which the leaving worker did not learn
    my $done = $t->wait_for(notify => transaction => $id, timeout_ms => 25_000);
    is $done->{notify}{statusNotification}{sessionStatus}, 'TRANSFERRED', 'the transfer completes';
    $t->sim_delete('/faults');
    note sprintf 'the last old worker left after %.1f s', $left;
};
$t->sim('/config', { may_forget => 0 });

subtest 'stopped gracefully with work open, and started again' => sub {
    reconfigured("abdm_drain ${PATIENT}s;");
    $t->sim('/faults', { path => '^/hiu/push/', action => 'delay', ms => 300 });
    my $n     = 100;
    my $storm = storm_begins(n => $n, concurrency => $n);
    ok $t->wait_until(sub { $storm->()->{done} }, 20), 'transfers are under way';
    my $start = time;
    $t->stop_nginx('QUIT', $PATIENT + 5);
    note sprintf 'stopped in %.1f s', time - $start;
    ok !$storm->()->{finished}, 'with work open';
    $t->start_nginx;
    all_arrive($storm, $n);
    nothing_open();
};

subtest 'killed altogether with work open, and started again' => sub {
    $t->sim('/config', { may_forget => 1 });
    my $n     = 50;
    my $storm = storm_begins(n => $n, concurrency => $n);
    ok $t->wait_until(sub { $storm->()->{done} }, 20), 'transfers are under way';
    $t->kill_nginx;
    ok !$storm->()->{finished}, 'with work open';
    my $start = time;
    $t->start_nginx;
    all_arrive($storm, $n);
    nothing_open();
    note sprintf 'all complete %.1f s after the start', time - $start;
};

$t->no_violations('nothing came twice, but what a killed worker could not know, and that was identical');
$t->finish;
