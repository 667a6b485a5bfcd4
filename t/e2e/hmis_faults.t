#!/usr/bin/env perl

# A hospital system that is away, slow, or answers nonsense harms only the care context it was asked
# about: the rest of the transfer arrives, the gateway is told the truth for each, and no record
# comes near a log.

use strict;
use warnings;
use feature 'signatures';
use FindBin;
use lib "$FindBin::Bin/../lib";

use Time::HiRes qw(time);
use Test::ABDM;
use Test::More;

Test::ABDM->need_module;

# The demo's mapping, but with an HMIS that leaves out dates, and writes types nobody knows.
my $t    = Test::ABDM->new(abdm => ['abdm_record_max 256k;']);
my $demo = Test::ABDM->root . '/conf/hmis/demo';
my $jq   = do { local (@ARGV, $/) = ("$demo/records.jq"); <> };
$t->write_file('mapping/mapping.json', '{"records":{"path":"/api/visits/{careContextRef}","map":"records.jq"}}');
$t->write_file('mapping/records.jq', $jq . <<'JQ');
| map(if $query.careContextRef == "OPD-25-3990" then del(.authoredOn)
      elif $query.careContextRef == "OPD-25-2950" then .hiType = "Horoscope"
      elif $query.careContextRef == "OPD-25-4410" then .document.url? |= (. // "/files/x.pdf" | "https://elsewhere.example" + .)
      else . end)
JQ
$t->write_conf(mapping => "$t->{dir}/mapping");
$t->start;

# visit => patient
my %WHOSE = (
    'OPD-26-0771' => 'UH100231', 'OPD-25-3107' => 'UH100231', 'OPD-26-0802' => 'UH100232', 'OPD-25-2950' => 'UH100232',
    'OPD-25-4410' => 'UH100232', 'OPD-25-3990' => 'UH100233', 'OPD-26-0655' => 'UH100233', 'OPD-25-1203' => 'UH100233',
    'OPD-26-0120' => 'UH100234', 'OPD-25-9999' => 'UH100231',
);
my $GOOD = 'OPD-S-00007-1';    # a visit that nothing happens to

sub spoil (%fault) { return $t->hmis('/_test/fault', \%fault) }

# Transfers the visits and $GOOD, and gives {visit => hiStatus}, the transfer and its id.
sub transfer (@visits) {
    my $consent = $t->grant(contexts => [
        (map { +{ patientReference => $WHOSE{$_}, careContextReference => $_ } } @visits),
        { patientReference => 'UH200007', careContextReference => $GOOD },
    ]);
    my $id   = $t->request($consent);
    my $done = $t->wait_for(notify => transaction => $id, timeout_ms => 25_000);
    ok $done, 'the transfer ends' or return ({}, {}, $id);
    $t->hmis('/_test/clear', {});
    my $status = $done->{notify}{statusNotification};
    return ({ map { $_->{careContextReference} => $_->{hiStatus} } @{ $status->{statusResponses} } }, $done, $id);
}

# One visit fails for the reason $code, nothing of it is sent, and the other one arrives.
sub fails_alone ($visit, $code) {
    my ($status, $done, $id) = transfer($visit);
    is $status->{$visit}, 'ERRORED', "$visit is reported as ERRORED";
    is $status->{$GOOD}, 'DELIVERED', 'the other care context is delivered';
    is_deeply [grep { $_->{careContextReference} ne $GOOD } @{ $done->{pages} }], [], "nothing of $visit is sent";
    my $told = $t->explain($id);
    my @why = map { $_->{reason} // () } map { @$_ } @$told{qw(careContexts pages history)};
    ok grep({ $_ eq $code } @why), "abdm explain names $code" or diag explain \@why;
    is_deeply [$t->open_work($id)], [], 'nothing is left to do';
    return ($done, $id);
}

sub arrives ($visit) {
    my ($status, $done) = transfer($visit);
    is_deeply $status, { $visit => 'DELIVERED', $GOOD => 'DELIVERED' }, 'all is delivered';
    return $done;
}

subtest 'an HMIS that comes back after some seconds delays the transfer, and nothing is lost' => sub {
    my ($port, $start) = ($t->{hmis_port}, time);
    $t->_end('hmis', 'KILL', 3);
    my $consent = $t->grant(contexts => ['OPD-26-0802'], patient_reference => 'UH100232');
    my $id      = $t->request($consent);
    ok $t->wait_for(on_request => transaction => $id), 'the request is acknowledged meanwhile';
    ok !$t->wait_for(notify => transaction => $id, timeout_ms => 2000), 'and not given up';
    is $t->listed($id)->{state}, 'LISTING', 'abdm transfers shows what it waits for';
    my ($waits) = grep { $_->{then} eq 'transfer.listed' } @{ $t->explain($id)->{waiting} };
    cmp_ok $waits->{attempts}, '>=', 1, 'abdm explain shows the attempts';
    $t->start_hmis;
    my $done = $t->wait_for(notify => transaction => $id, timeout_ms => 20_000);
    is $done->{notify}{statusNotification}{sessionStatus}, 'TRANSFERRED', 'transferred once it is back';
};

subtest 'an HMIS that answers 503 or 500, drops the connection or cuts an answer short is asked again' => sub {
    spoil(path => '^/api/visits/OPD-26-0655', action => 'down', count => 2);
    spoil(path => '^/files/4901', action => 'short', count => 1);
    spoil(path => '^/files/4901', action => 'drop', count => 1);
    spoil(path => '^/files/4901', action => 'status', status => 500, count => 1);
    my $done = arrives('OPD-26-0655');
    is scalar @{ $done->{pages} }, 2, 'each page once';
};

subtest 'a slow HMIS is waited for' => sub {
    spoil(path => '^/api/visits/OPD-26-0655', action => 'slow', ms => 1500, count => 1);
    spoil(path => '^/files/4901', action => 'slow', ms => 1500, count => 1);
    arrives('OPD-26-0655');
};

subtest 'garbage for JSON once is asked again' => sub {
    spoil(path => '^/api/visits/OPD-26-0655', action => 'garbage', count => 1);
    arrives('OPD-26-0655');
};

subtest 'garbage for JSON again and again fails the care context' => sub {
    spoil(path => '^/api/visits/OPD-26-0655', action => 'garbage');
    fails_alone('OPD-26-0655', 'E_HMIS_ANSWER');
};

subtest 'a login page with status 200 instead of JSON fails the care context' => sub {
    spoil(path => '^/api/visits/OPD-26-0655', action => 'login');
    fails_alone('OPD-26-0655', 'E_HMIS_ANSWER');
};

subtest 'a login page with status 200 instead of a PDF is never sent' => sub {
    spoil(path => '^/files/4901', action => 'login');
    fails_alone('OPD-26-0655', 'E_RECORD_TYPE');
};

subtest 'a list that names another patient is never sent' => sub {
    spoil(path => '^/api/visits/OPD-26-0655', action => 'wrong_patient');
    fails_alone('OPD-26-0655', 'E_CONSENT_PATIENT');
};

subtest 'a FHIR document of another patient is never sent' => sub {
    spoil(path => '^/export/', action => 'wrong_patient');
    my ($status, $done, $id) = transfer('OPD-26-0771');
    is_deeply $status, { 'OPD-26-0771' => 'ERRORED', $GOOD => 'DELIVERED' }, 'its care context is ERRORED';
    is scalar(grep { ($_->{text} // '') =~ /UH100299|Haemoglobin/ } @{ $done->{pages} }), 0, 'its content stays here';
    ok grep({ $_ eq 'E_CONSENT_PATIENT' } $t->reasons($id)), 'abdm explain names the rule';
    is_deeply [sort map { $_->{careContextReference} } @{ $done->{pages} }], ['OPD-26-0771', 'OPD-26-0771', $GOOD],
        'the other papers of the visit arrive';
};

subtest 'garbage instead of a FHIR document is never sent' => sub {
    spoil(path => '^/export/3801', action => 'garbage');
    my ($status, $done) = transfer('OPD-25-1203');
    is_deeply $status, { 'OPD-25-1203' => 'ERRORED', $GOOD => 'DELIVERED' }, 'its care context is ERRORED';
    is_deeply [map { $_->{hiType} } grep { $_->{careContextReference} eq 'OPD-25-1203' } @{ $done->{pages} }],
        ['WellnessRecord'], 'the other paper of the visit arrives';
};

subtest 'a record without a date cannot be matched with the consent and is not sent' => sub {
    fails_alone('OPD-25-3990', 'E_CONSENT_RECORD_DATE');
};

subtest 'a record of an unknown type is not sent' => sub { fails_alone('OPD-25-2950', 'E_HMIS_ANSWER') };

subtest 'a record that the HMIS would have us fetch from another host is not fetched' => sub {
    fails_alone('OPD-25-4410', 'E_HMIS_ANSWER');
};

subtest 'a record larger than abdm_record_max is not sent, also when it has no end' => sub {
    spoil(path => '^/files/4901', action => 'huge', bytes => 400_000);
    fails_alone('OPD-26-0655', 'E_RECORD_TOO_LARGE');
    spoil(path => '^/files/4901', action => 'endless', ms => 0);
    fails_alone('OPD-26-0655', 'E_RECORD_TOO_LARGE');
};

subtest 'a visit that the HMIS does not know fails alone' => sub { fails_alone('OPD-25-9999', 'E_RECORD_NONE') };

subtest 'a file that the HMIS does not find fails its care context' => sub {
    spoil(path => '^/files/4901', action => 'status', status => 404);
    fails_alone('OPD-26-0655', 'E_RECORD_NONE');
};

subtest 'a visit without papers is reported, and does not hold up the rest' => sub {
    fails_alone('OPD-26-0120', 'E_RECORD_NONE');
};

subtest 'a transfer that has nothing to send ends as failed' => sub {
    my $consent = $t->grant(contexts => ['OPD-26-0120'], patient_reference => 'UH100234');
    my $id      = $t->request($consent);
    my $done    = $t->wait_for(notify => transaction => $id);
    ok $done, 'it ends' or return;
    is $done->{notify}{statusNotification}{sessionStatus}, 'FAILED', 'as failed';
    is_deeply [$t->open_work($id)], [], 'nothing is left to do';
};

$t->canary('UH100299', 'Please log in', 'maintenance', 'Horoscope', 'elsewhere.example');
$t->no_violations;
$t->finish;
