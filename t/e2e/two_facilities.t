#!/usr/bin/env perl

# Two facilities behind one nginx share nothing: each has its own consents and its own HMIS.

use strict;
use warnings;
use feature 'signatures';
use FindBin;
use lib "$FindBin::Bin/../lib";

use Test::ABDM;
use Test::More;

Test::ABDM->need_module;

my %PORT = (first => undef, second => Test::ABDM->free_port);
my %HIP  = (first => 'IN0990001234_1', second => 'IN0880005678_1');
my $t    = Test::ABDM->new(hip => $HIP{first}, http => [
    "abdm_facility $HIP{second} { name \"Second Hospital\"; hmis rest http://127.0.0.1:$PORT{second} mapping="
        . Test::ABDM->root . '/conf/hmis/demo; poll off; }',
], lines => ['poll off;']);
$PORT{first} = $t->{hmis_port};
$t->start;
$t->_spawn(second => { MOJO_MODE => 'production', MOJO_LOG_LEVEL => 'warn', HMIS_PLUGIN => 'Hmis::Faults' },
    $^X, Test::ABDM->root . '/t/hmis/hmis.pl', 'daemon', '-l', "http://127.0.0.1:$PORT{second}");
$t->wait_port(second => $PORT{second});
$t->sim('/config', { hips => { $HIP{first} => 'Demo Hospital', $HIP{second} => 'Second Hospital' } });

sub granted ($which) {
    my $consent = $t->grant(hip => $HIP{$which}, contexts => ['OPD-26-0802'], patient_reference => 'UH100232');
    $t->wait_for(ack => consent => $consent->{consent_id}) or die "no acknowledgement\n";
    return $consent;
}

# Which HMIS was asked, how often, since the last look.
sub asked {
    my %asked;
    for my $which (sort keys %PORT) {
        my $url = "http://127.0.0.1:$PORT{$which}/_test";
        $asked{$which} = $t->ua->get("$url/requests")->result->json->{count};
        $t->ua->post("$url/clear");
    }
    return \%asked;
}

my %consent;
for my $which (qw(first second)) {
    subtest "records of the $which facility come from its own HMIS" => sub {
        asked();
        $consent{$which} = granted($which);
        my $id   = $t->request($consent{$which});
        my $done = $t->wait_for(notify => transaction => $id);
        ok $done, 'the transfer ends' or return;
        is $done->{notify}{statusNotification}{sessionStatus}, 'TRANSFERRED', 'transferred';
        is $done->{notify}{notifier}{id}, $HIP{$which}, 'in the name of the facility';
        is_deeply asked(), { first => 0, second => 0, $which => 2 }, 'a list and a file from its own HMIS, nothing from the other';
        is $t->listed($id)->{facility}, $HIP{$which}, 'abdm transfers names the facility';
    };
}

for my $which (qw(first second)) {
    my ($other) = grep { $_ ne $which } keys %HIP;
    subtest "a consent of the $which facility is unknown to the $other" => sub {
        asked();
        my $id   = $t->request($consent{$which}, hip => $HIP{$other});
        my $done = $t->wait_for(on_request => transaction => $id);
        is $done->{refused}{code}, 'ABDM-1112', 'refused as unknown';
        is_deeply $done->{pages}, [], 'nothing is pushed';
        is_deeply asked(), { first => 0, second => 0 }, 'no HMIS is asked';
        is $t->listed($id)->{facility}, $HIP{$other}, 'the refusal is the other facility\'s';
    };
}

subtest 'what one facility revokes stays granted at the other' => sub {
    my $consent = granted('first');
    my $sent = $t->sim('/callback', {
        path => '/api/v3/consent/request/hip/notify', hip => $HIP{second},
        body => { notification => { status => 'REVOKED', consentId => $consent->{consent_id} } },
    });
    is $sent->{status}, 202, 'a revocation for the second facility';
    $t->wait_for(ack => consent => $consent->{consent_id}, count => 2);
    my $done = $t->wait_for(notify => transaction => scalar $t->request($consent));
    is $done->{notify}{statusNotification}{sessionStatus}, 'TRANSFERRED', 'the first still serves its consent';
};

subtest 'a facility that is not configured is not served' => sub {
    my $got = $t->sim('/callback', { path => '/api/v3/consent/request/hip/notify', hip => 'IN0000000000', body => {} });
    is $got->{status}, 400, 'refused with 400';
};

$t->no_violations;
$t->finish;
