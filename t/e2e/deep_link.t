#!/usr/bin/env perl

# The deep link, against real nginx: who has no ABHA that we know is told of a new visit by one SMS of ABDM, by
# day, and no more of them a day than the facility wants.

use strict;
use warnings;
use feature 'signatures';
use FindBin;
use lib "$FindBin::Bin/../lib";

use POSIX qw(strftime);
use Test::ABDM;
use Test::More;
use Time::HiRes qw(sleep);

Test::ABDM->need_module;

my $HOUR = 3_600_000;
my $t    = Test::ABDM->new(clock => 1, lines => ['poll 300ms;', 'quiet_hours 21:00-08:00;', 'sms_daily 5;'])->start;
$t->advance_to('10:00');

my $last = 950;

sub somebody {
    my $number = sprintf '%05d', $last++;
    $t->canary("98000$number");
    return { uhid => "UH2$number", mobile => "98000$number" };
}

# Enters a visit of today, or of so many days ago, into the HMIS.
sub visit ($who, $days = 0, %wish) {
    my $date = strftime('%d-%m-%Y 09:30', gmtime($t->now - 86_400 * $days));
    return $t->hmis('/_test/visits', { uhid => $who->{uhid}, date => $date, %wish })->{visit}{no};
}

sub messages ($who) { return scalar @{ $t->sim("/deep-links?mobile=$who->{mobile}")->{messages} } }

sub sms_of ($no) { return $t->api(GET => "care-contexts/$no")->{body}{sms} // '' }

sub becomes ($no, $state, $name) {
    return ok $t->wait_until(sub { sms_of($no) eq $state }), $name || diag explain $t->api(GET => "care-contexts/$no");
}

sub read_by_feed ($no) { return $t->wait_until(sub { $t->api(GET => "care-contexts/$no")->{status} == 200 }) }

subtest 'one SMS for a visit, and no more when it changes' => sub {
    my $who = somebody();
    my $no  = visit($who);
    becomes($no, 'SENT', 'the SMS is sent');
    my $message = $t->wait_for(deep_link => mobile => $who->{mobile});
    like $message->{text}, qr/Demo Hospital/, 'in the name of the hospital';
    visit($who, 0, no => $no, kinds => ['Lab report']);
    $t->stop_nginx->start_nginx;
    $t->advance(2 * $HOUR);
    sleep 1;
    is messages($who), 1, 'one it stays, also after a change and a restart';
    visit($who);
    ok $t->wait_for(deep_link => mobile => $who->{mobile}, count => 2), 'the next visit is another';
};

subtest 'nobody is told twice because the callback is lost, repeated or says no' => sub {
    my $who = somebody();
    $t->sim('/callback_faults', { path => 'sms/on-notify', action => 'lose', count => 1 });
    becomes(visit($who), 'SENT', 'that ABDM took it is enough');
    $t->sim('/callback_faults', { path => 'sms/on-notify', action => 'repeat_fresh', count => 1 });
    $who = somebody();
    becomes(visit($who), 'SENT', 'a repeated answer');
    $t->sim_delete('/callback_faults');
    $t->advance(3 * $HOUR);
    sleep 1;
    is messages($who), 1, 'sends nothing again';
};

subtest 'who has an ABHA gets none, and who has no phone' => sub {
    my $who = somebody();
    $t->hmis("/api/patients/$who->{uhid}/abha", { abha_address => 'c' . substr($who->{uhid}, 3) . '@sbx' });
    my $no = visit($who);
    ok $t->wait_until(sub { ($t->api(GET => "care-contexts/$no")->{body}{state} // '') eq 'LINKED' }), 'with an ABHA it is linked';
    is messages($who), 0, 'without an SMS';
    my $other = somebody();
    $t->hmis('/_test/patients', { uhid => $other->{uhid}, phone => '' });
    $no = visit($other);
    ok read_by_feed($no), 'a visit of somebody without phone';
    is sms_of($no), 'NONE', 'leads to none';
};

subtest 'an old visit is no news' => sub {
    my $who = somebody();
    my $no  = visit($who, 30);
    ok read_by_feed($no), 'it is read';
    sleep 1;
    is messages($who), 0, 'and nobody is told';
};

subtest 'at night nothing is sent; in the morning it is' => sub {
    $t->advance_to('22:30');
    my $who = somebody();
    my $no  = visit($who);
    becomes($no, 'DUE', 'it waits');
    sleep 1;
    is messages($who), 0, 'at half past ten in the evening';
    $t->advance_to('07:55');
    sleep 1;
    is messages($who), 0, 'and at five to eight';
    $t->advance_to('08:01');
    becomes($no, 'SENT', 'at eight it is sent');
    is messages($who), 1, 'once';
};

subtest 'the day\'s number is kept, and the others wait for the next day' => sub {
    $t->advance_to('09:00');
    my @people = map { somebody() } 1 .. 9;
    my $before = $t->sim('/deep-links')->{count};
    my @no = map { visit($_) } @people;
    my $known = $t->wait_until(sub {    # one was sent this morning, or the day before
        my %n = (SENT => 0, DUE => 0);
        $n{ sms_of($_) }++ for @no;
        $n{SENT} >= 4 && $n{SENT} + $n{DUE} == 9;
    });
    ok $known, 'as many are told as are allowed, and the others wait';
    sleep 1;
    my $today = $t->sim('/deep-links')->{count} - $before;
    cmp_ok $today, '<=', 5, 'no more than five on one day';
    $t->advance_to('20:00');
    sleep 1;
    is $t->sim('/deep-links')->{count} - $before, $today, 'also in the evening';
    $t->advance_to('08:01');
    ok $t->wait_until(sub { $t->sim('/deep-links')->{count} - $before == 9 }), 'and are told the next morning';
    is_deeply [map { messages($_) } @people], [(1) x 9], 'each once';
};

subtest 'who gives the ABHA while it waits is linked and not told' => sub {
    $t->advance_to('22:30');
    my $who = somebody();
    my $no  = visit($who);
    becomes($no, 'DUE', 'it waits for the morning');
    $t->hmis("/api/patients/$who->{uhid}/abha", { abha_address => 'c' . substr($who->{uhid}, 3) . '@sbx' });
    visit($who);
    ok $t->wait_until(sub { ($t->api(GET => "care-contexts/$no")->{body}{state} // '') eq 'LINKED' }), 'linked meanwhile';
    $t->advance_to('08:01');
    sleep 1;
    is messages($who), 0, 'there is nothing to tell';
};

$t->no_violations;
$t->finish;
