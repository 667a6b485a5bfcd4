#!/usr/bin/env perl

# Scan and share, against real nginx: whoever scans a counter's code has a number at once, whatever the
# HMIS does, and no number is given twice. The HMIS and the queue get to know who comes.

use strict;
use warnings;
use feature 'signatures';
use FindBin;
use lib "$FindBin::Bin/../lib";

use Mojo::Promise;
use Test::ABDM;
use Test::More;

Test::ABDM->need_module;

my $MINUTE = 60_000;
my @LINES  = ('poll off;', 'deep_link off;', 'counter OPD1;', 'counter OPD2 "Out-patients, window 2";', 'counter LAB;');
my $t      = Test::ABDM->new(clock => 1, lines => \@LINES)->start;
$t->advance_to('10:00');

sub share ($address, %wish) { return $t->sim("/citizens/$address/share", \%wish) }

sub somebody ($n) {
    my $address = sprintf 'c%05d@sbx', $n;
    $t->canary($t->sim("/citizens/$address")->{mobile});
    return $address;
}

sub queue ($counter) {
    my $got = $t->api(GET => "queue?counter=$counter");
    is $got->{status}, 200, "the queue of $counter" or diag explain $got;
    return @{ $got->{body}{queue} // [] };
}

sub place ($counter, $address) {
    my ($one) = grep { $_->{abhaAddress} eq $address } @{ $t->api(GET => "queue?counter=$counter")->{body}{queue} };
    return $one;
}

# The place in the queue of an address, once the HMIS has taken it.
sub saved ($counter, $address) {
    return $t->wait_until(sub { my $one = place($counter, $address); $one && $one->{saved} ? $one : undef }, 8);
}

subtest 'each counter counts for itself, and who scans again keeps the number' => sub {
    my $got = share('asha.k@sbx', counter => 'OPD1');
    is $got->{token}, 1, 'the first';
    is $got->{answer}{acknowledgement}{profile}{context}, 'OPD1', 'at this counter';
    cmp_ok $got->{answer}{acknowledgement}{profile}{expiry}, '>', 1790, 'for half an hour';
    is share('ravi.i@sbx', counter => 'OPD1')->{token}, 2, 'the second';
    is share('farida.b@sbx', counter => 'OPD2')->{token}, 1, 'the first of another counter';
    $t->advance(20 * $MINUTE);
    my $again = share('asha.k@sbx', counter => 'OPD1');
    is $again->{token}, 1, 'the same number after 20 minutes';
    cmp_ok $again->{answer}{acknowledgement}{profile}{expiry}, '<', 610, 'with what is left of the half hour';
    is share('asha.k@sbx', counter => 'LAB')->{token}, 1, 'a number of its own at another counter';
    $t->advance(11 * $MINUTE);
    is share('asha.k@sbx', counter => 'OPD1')->{token}, 3, 'after half an hour a new one';
};

subtest 'the queue tells who waits, and that the HMIS knows' => sub {
    is_deeply [map { $_->{token} } queue('OPD1')], [3], 'a number that is past its time is none';
    share('ravi.i@sbx', counter => 'OPD1');
    my $one = saved(OPD1 => 'ravi.i@sbx');
    is $one->{patientReference}, 'UH100232', 'a patient of the HMIS' or diag explain $one;
    is $one->{returning}, 'yes', 'who was here before';
    is $one->{token}, 4, 'with the number';
    my $patient = $t->hmis('/api/patients/UH100232');
    is $patient->{abha_address}, 'ravi.i@sbx', 'the front desk has the ABHA';
    is_deeply [map { $_->{token} } queue('OPD1')], [3, 4], 'in the order of arrival';
    is $t->api(POST => "queue/$one->{id}/done")->{status}, 200, 'one is called';
    is_deeply [map { $_->{token} } queue('OPD1')], [3], 'and waits no more';
    is $t->api(POST => 'queue/nobody/done')->{status}, 404, 'nobody cannot be called';
    is_deeply [map { "$_->{counter} $_->{token}" } @{ $t->api(GET => 'queue')->{body}{queue} }], ['LAB 1', 'OPD1 3'], 'all counters together';
};

subtest 'a stranger is registered, and two of one mobile are told apart' => sub {
    $t->sim('/citizens', { address => 'kiran.r@sbx', name => 'Kiran Rao', gender => 'M', dob => '1990-06-15', number => '91444455556662', mobile => '9000000077' });
    $t->canary('Kiran', '9000000077', 'kiran.r@sbx', '91444455556662');
    share('kiran.r@sbx', counter => 'LAB', year_form => 'number');
    my $one = saved(LAB => 'kiran.r@sbx');
    is $one->{returning}, 'no', 'new';
    like $one->{patientReference}, qr/\AUH\d{6}\z/, 'with a number of the HMIS';
    is $t->hmis("/api/patients/$one->{patientReference}")->{dob}, '15-06-1990', 'and what ABDM told';
    share('arjun.k@sbx', counter => 'LAB');
    is saved(LAB => 'arjun.k@sbx')->{patientReference}, 'UH100234', 'the son, who has his mother\'s phone';
};

subtest 'numbers begin again with the day, and never in between' => sub {
    $t->advance_to('23:50');
    my $late = share('ravi.i@sbx', counter => 'OPD2')->{token};
    is $late, 2, 'late in the evening';
    $t->advance(15 * $MINUTE);
    is share(somebody(301), counter => 'OPD2')->{token}, 1, 'after midnight in India: 1';
    is share(somebody(302), counter => 'OPD2')->{token}, 2, 'and so on';
    $t->advance(-15 * $MINUTE);
    is share(somebody(303), counter => 'OPD2')->{token}, 3, 'a clock that is set back begins no day again';
    $t->advance(15 * $MINUTE);
    $t->stop_nginx->start_nginx;
    is share(somebody(304), counter => 'OPD2')->{token}, 4, 'nor does a restart';
    $t->sim('/config', { may_forget => 1 });
    $t->kill_nginx->start_nginx;
    is share(somebody(305), counter => 'OPD2', retry => 1)->{token}, 5, 'nor a power cut';
};

subtest 'thirty at once: thirty numbers' => sub {
    my $url  = $t->sim_url . '/_sim/citizens';
    my $last = share(somebody(310), counter => 'OPD1')->{token};
    my %token;
    Mojo::Promise->all(map { $t->ua->post_p("$url/" . somebody(310 + $_) . '/share' => json => { counter => 'OPD1' }) } 1 .. 30)->then(sub (@all) {
        $token{ $_->[0]->result->json->{token} }++ for @all;
    })->wait;
    is_deeply \%token, { map { $last + $_ => 1 } 1 .. 30 }, 'each once, none left out';
};

subtest 'the HMIS is down: the number comes in time, the profile later' => sub {
    my $who = somebody(350);
    $t->hmis('/_test/fault', { path => '^/api/', action => 'down' });
    my $got = share($who, counter => 'LAB');
    ok $got->{token}, 'a number';
    cmp_ok $got->{answer_ms}, '<', 3000, 'at once';
    my $one = place(LAB => $who);
    is $one->{saved}, Mojo::JSON::false(), 'the HMIS does not know yet';
    is $one->{returning}, 'unknown', 'nor whether the patient was here before';
    $t->hmis('/_test/clear', {});
    $t->wait_until(sub { $t->advance(2 * $MINUTE); sleep 1; saved(LAB => $who) }, 20);
    is saved(LAB => $who)->{patientReference}, 'UH200350', 'once it is up, it takes the profile';
    is $t->hmis('/api/patients/UH200350')->{abha_address}, $who, 'and has the ABHA';
};

subtest 'what is not served is refused with a reason, and gets no number' => sub {
    my @bad = (
        ['an unknown counter' => 'ABDM-1050', counter => 'XRAY'],
        ['another intent' => 'ABDM-1149', intent => 'LOCATION_SHARE'],
        ['another facility in the body' => 'ABDM-1006', body => { metaData => { hipId => 'IN0880005678_1' } }],
        ['no name' => 'ABDM-1006', body => { profile => { patient => { name => undef } } }],
    );
    my $who = somebody(360);
    for my $bad (@bad) {
        my ($name, $code, %wish) = @$bad;
        my $got = share($who, counter => 'LAB', %wish);
        is $got->{answer}{error}{code}, $code, "$name: $code" or diag explain $got;
        isnt $got->{answer}{acknowledgement}{status} // '', 'SUCCESS', "$name: no success";
    }
    is_deeply [grep { $_->{abhaAddress} eq $who } queue('LAB')], [], 'nobody waits';
};

subtest 'a photo is kept out, one of 8 MB is not even read' => sub {
    my $who = somebody(370);
    my $got = share($who, counter => 'LAB', body => { profile => { patient => { kycPhoto => 'QUJD' x 40_000 } } });
    ok $got->{token}, 'a profile with a photo of 160 kB is taken';
    ok saved(LAB => $who), 'and saved';
    $got = share(somebody(371), counter => 'LAB', wait => Mojo::JSON::false(), body => { profile => { patient => { kycPhoto => 'QUJD' x 2_000_000 } } });
    is $got->{status}, 413, '8 MB: 413';
    like $t->error_log, qr/client intended to send too large body/, 'which nginx logs';
};

subtest 'a REQUEST-ID that comes again with another body is refused' => sub {
    my $who = somebody(380);
    my $got = share($who, counter => 'LAB');
    my @before = queue('LAB');
    my $sent = $t->sim('/callback', { path => '/api/v3/hip/patient/share', hip => $t->{hip}, request_id => $got->{request_id}, body => { intent => 'PROFILE_SHARE' } });
    is $sent->{status}, 400, 'with another body it is refused';
    is scalar(queue('LAB')), scalar @before, 'nobody else waits';
};

$t->no_violations;
$t->finish;
