#!/usr/bin/env perl

# The clock jumps: a year ahead, an hour back, while nothing runs and while a transfer is under way. What
# is due by the new time happens once, what waits for a moment does not wait for the old time to come
# again, and nothing is lost.

use strict;
use warnings;
use feature 'signatures';
use FindBin;
use lib "$FindBin::Bin/../lib";

use Test::ABDM;
use Test::More;

Test::ABDM->need_module;
plan skip_all => 'this build has no clock to move' if Test::ABDM->build_dir !~ m{/(?:test|asan)\z};

my $HOUR = 3_600_000;
my $YEAR = 365 * 24 * $HOUR;
my $t    = Test::ABDM->new(clock => 1, workers => 2)->start;

sub grant { return $t->grant(contexts => ['OPD-26-0771']) }

# Begins a transfer whose first question to the HMIS meets $fault; gives its id when that was asked.
sub under_way (%fault) {
    $t->hmis('/_test/clear', {});
    $t->hmis('/_test/fault', { path => '^/api/visits/', %fault });
    my $id = $t->request(grant());
    ok $t->wait_until(sub { grep { /transfer[.]listed/ } $t->open_work($id) }), 'a transfer is under way';
    return $id;
}

sub is_done ($id, $name) {
    my $done = $t->wait_for(notify => transaction => $id, timeout_ms => 20_000);
    return is $done && $done->{notify}{statusNotification}{sessionStatus}, 'TRANSFERRED', $name;
}

# Done, or failed since by some clock its time was over.
sub has_ended ($id, $name) {
    $t->wait_for(notify => transaction => $id, timeout_ms => 20_000);
    return ok $t->wait_until(sub { $t->listed($id)->{state} eq 'DONE' && !$t->open_work($id) }, 20), $name;
}

sub transfer_done ($name) { return is_done(scalar $t->request(grant()), $name) }

sub asked { return scalar grep { $_->{path} =~ m{\A/api/visits/} } @{ $t->hmis('/_test/requests')->{requests} } }

transfer_done('a transfer before');

for my $jump ([$HOUR, 'an hour ahead'], [-$HOUR, 'an hour back'], [$YEAR, 'a year ahead'], [-$YEAR, 'a year back']) {
    my ($ms, $how) = @$jump;
    subtest "$how, while nothing runs" => sub {
        $t->advance($ms);
        transfer_done('consents and transfers go on');
        ok $t->wait_until(sub { !grep { $_->{state} !~ /\A(?:DONE|REFUSED)\z/ } @{ $t->report(transfers => 1000)->{transfers} } }), q{none is left open};
    };
}

subtest 'an hour ahead, while the HMIS is asked' => sub {
    my $id = under_way(action => 'slow', ms => 1500, count => 1);
    $t->advance($HOUR);
    is_done($id, 'the transfer is done');
};

subtest 'an hour ahead, while a question waits to be asked again: its time may be over' => sub {
    my $id = under_way(action => 'down', count => 3);
    ok $t->wait_until(sub { asked() >= 2 }, 10), 'asked twice';
    $t->advance($HOUR);
    has_ended($id, 'the gateway is told what came of it');
};

for my $jump ([$HOUR, 'ahead'], [-$HOUR, 'back']) {
    my ($ms, $how) = @$jump;
    subtest "the bridge's clock alone is an hour $how for a moment, while a question waits to be asked again" => sub {
        my $id = under_way(action => 'down', count => 4);
        ok $t->wait_until(sub { asked() >= 1 }, 10), 'asked once';
        $t->set_clock($t->{ahead} + $ms);
        $t->wait_until(sub { asked() >= 3 }, 3);
        $t->set_clock($t->{ahead});
        has_ended($id, 'put right, the transfer ends');
        transfer_done('and the next is done');
    };
}

subtest 'an hour back, while nginx is down and a question waits' => sub {
    my $id = under_way(action => 'down', count => 3);
    ok $t->wait_until(sub { asked() >= 1 }, 10), 'asked once';
    $t->stop_nginx;
    $t->set_clock($t->{ahead} - $HOUR);
    $t->start_nginx;
    ok $t->wait_until(sub { $t->error_log =~ /the clock was set back, work does not wait for its old time: n=\d+/ }, 10), 'the log tells of it';
    ok $t->wait_until(sub { asked() >= 4 }, 20), 'it is asked again';
    $t->set_clock($t->{ahead});
    has_ended($id, 'and the transfer ends');
};

subtest 'a year ahead, while a transfer is under way: its time is over, and that is told once' => sub {
    my $id = under_way(action => 'slow', ms => 1500, count => 1);
    $t->advance($YEAR);
    has_ended($id, 'the gateway is told');
    $t->advance(-$YEAR);
    transfer_done('a year back, all goes on');
};

subtest 'the clock of the bridge alone is a year ahead, and put right' => sub {
    my $alone = sub ($ms) { $t->set_clock($t->{ahead} + $ms) };
    $alone->($YEAR);
    my $consent = grant();
    isnt $consent->{sent}{status}, 202, 'tokens of now are long over: ' . $consent->{sent}{status};
    $alone->(0);
    ok $t->wait_until(sub { $t->announce($consent, 'GRANTED')->{status} == 202 }, 20), 'put right, callbacks are taken';
    is_done(scalar $t->request($consent), 'and served');
};

# What the gateway makes of a clock that is wrong, and of sessions that its own has ended, and nothing else.
my @seen = grep { $_->{rule} !~ /\A(?:timestamp[.]skew|notify[.]done-at|authorization[.]unknown)\z/ } @{ $t->sim('/violations')->{violations} };
is_deeply [map { "$_->{rule}: $_->{message}" } @seen], [], 'every message kept to the protocol, but for its time';
$t->finish;
