#!/usr/bin/env perl

# The feed of the HMIS, against real nginx: every visit that is entered there is linked once, whatever is
# restarted, killed, down or set back meanwhile; and what changes in a linked visit is notified.

use strict;
use warnings;
use feature 'signatures';
use FindBin;
use lib "$FindBin::Bin/../lib";

use Test::ABDM;
use Test::More;
use Time::HiRes qw(sleep);

Test::ABDM->need_module;

my $MINUTE = 60_000;
my $HOUR   = 60 * $MINUTE;
my $t      = Test::ABDM->new(clock => 1, workers => 2, lines => ['poll 300ms;', 'deep_link off;'])->start;
$t->advance_to('09:00');
$t->sim('/config', { cheap_keys => 1 });

my $next = 0;

# Enters so many visits of new patients with ABHA; gives the total.
sub enter ($n) {
    $t->hmis('/_test/visits', { n => $n, first => $next, abha => Mojo::JSON::true() });
    return $next += $n;
}

sub links { return $t->sim('/links') }

sub all_linked ($total, $seconds = 20) {
    $t->wait_until(sub { links()->{links} >= $total }, $seconds);
    return is_deeply links(), { citizens => $total, links => $total, repeated => 0, wrong => 0 }, "all $total are linked, each once";
}

# Waits until all are linked, or nothing moves. True when all are.
sub is_still ($total) {
    my $before = -1;
    while (links()->{links} > $before) {
        $before = links()->{links};
        return 1 if $t->wait_until(sub { links()->{links} >= $total }, 3);
    }
    return 0;
}

# Moves the clock on, but under no call that is on its way: it would be late by as much.
sub later ($ms) {
    $t->wait_until(sub { !$t->sim('/outbox')->{waiting} });
    sleep 0.5;
    return $t->advance($ms);
}

sub last_visit { return $t->hmis('/api/changes?after=' . ($next - 1))->{changes}[-1]{visit} }

sub state_of ($reference) { return $t->api(GET => "care-contexts/$reference")->{body} }

sub notices ($reference) { return [map { $_->{result} } grep { $_->{context} eq $reference } @{ $t->sim('/notices')->{notices} }] }

subtest 'two hundred visits are linked, each once' => sub {
    enter(200);
    all_linked(200);
    my $asked = $t->sim('/tokens');
    is $asked->{count}, 200, 'with a token for each patient';
    is scalar(grep { $_->{error} } @{ $asked->{tokens} }), 0, 'all of them given';
};

subtest 'restarted and killed in between' => sub {
    for my $how (qw(reload stop kill)) {
        my $total = enter(40);
        $t->wait_until(sub { links()->{links} > $total - 40 }, 5);
        if    ($how eq 'reload') { $t->reload }
        elsif ($how eq 'stop')   { $t->stop_nginx->start_nginx }
        else                     { $t->kill_nginx->start_nginx }
        note "$how with " . ($total - links()->{links}) . ' to go';
        for (1 .. 5) {
            last if is_still($total);
            later(11 * $MINUTE);    # the answer to a call went with the worker
        }
        all_linked($total);
    }
};

subtest 'the HMIS is down, then talks nonsense, then is back' => sub {
    $t->hmis('/_test/fault', { path => '^/api/changes', action => 'down' });
    my $before = $next;
    enter(5);
    sleep 1.5;
    is links()->{links}, $before, 'nothing is known of new visits';
    $t->hmis('/_test/clear', {});
    $t->hmis('/_test/fault', { path => '^/api/changes', action => 'garbage', count => 2 });
    sleep 1;
    for (1 .. 10) {
        last if is_still($next);
        later(30_000);
    }
    all_linked($next);
    my @told = grep { /feed/ } split /\n/, $t->error_log;
    cmp_ok scalar @told, '<', 10, 'and the log is not flooded' or diag join "\n", @told;
};

subtest 'clocks that are set back and forth lose and repeat nothing' => sub {
    for my $ms (2 * $HOUR, -$HOUR, 26 * $HOUR, -3 * $HOUR) {
        later($ms);
        $t->stop_nginx->start_nginx if $ms < 0;    # or it would be noticed within a minute
        enter(5);
        all_linked($next);
    }
};

subtest 'a linked visit that changes is notified after 30 s, and again when ABDM does not know the link yet' => sub {
    my $no = last_visit()->{no};
    ok $t->wait_until(sub { state_of($no)->{state} eq 'LINKED' }), 'it is linked';
    $t->sim('/config', { notify_after_seconds => 45 });
    enter(1);
    all_linked($next);
    $no = last_visit()->{no};
    $t->hmis('/_test/visits', { no => $no, kinds => ['Prescription', 'Lab report'] });
    sleep 1.5;
    is_deeply notices($no), [], 'not at once';
    later(31_000);
    ok $t->wait_for(notice => context => $no), 'after 30 s';
    for (1 .. 3) {
        sleep 1;
        later(6000);
    }
    ok $t->wait_until(sub { (notices($no)->[-1] // '') eq 'SUCCESS' }), 'until it is taken' or diag explain notices($no);
    is notices($no)->[0], 'ABDM-1006', 'the first was too early';
    my ($last) = reverse grep { $_->{context} eq $no } @{ $t->sim('/notices')->{notices} };
    is_deeply $last->{hi_types}, ['DiagnosticReport'], 'it names what is new';
    my $seen = @{ notices($no) };
    $t->hmis('/_test/visits', { no => $no, kinds => ['Prescription', 'Lab report'] });
    ok $t->wait_for(notice => context => $no, count => $seen + 1), 'what changes again is notified again';
};

subtest 'an hour without the gateway' => sub {
    $t->sim('/outage', { kind => '503' });
    enter(20);
    for (1 .. 4) {
        sleep 1;
        $t->advance(15 * $MINUTE);
    }
    $t->sim('/outage', { kind => 'off' });
    for (1 .. 15) {
        last if is_still($next);
        later(10 * $MINUTE);
    }
    all_linked($next);
};

$t->no_violations;
$t->finish;
