#!/usr/bin/env perl

# Whoever leaves ABDM takes along what ABDM brought here, against real nginx: ABHA, links, link tokens,
# consents, what is under way. Until they are back nothing is found, linked or sent for them; the HMIS's
# own books stay as they are.

use strict;
use warnings;
use feature 'signatures';
use FindBin;
use lib "$FindBin::Bin/../lib";

use Test::ABDM;
use Test::More;

Test::ABDM->need_module;

my $MINUTE = 60_000;
my $OTHER  = 'IN0880005678_1';
my @LINES  = ('poll off;', 'deep_link on;', 'quiet_hours off;', 'discovery_slot 100ms;', 'counter OPD1;');
my $t      = Test::ABDM->new(clock => 1, sms => 1, lines => \@LINES, others => { $OTHER => { name => 'Second Hospital', lines => \@LINES, sms => 1 } });
my $HIP    = $t->{hip};
$t->start;

sub api ($method, $path, $body = undef, $hip = $HIP) { return $t->api($method, $path, $body, 'X-HIP-ID' => $hip) }

my $last = 400;

sub somebody {
    my $number  = sprintf '%05d', $last++;
    my $address = "c$number\@sbx";
    my $known   = $t->sim("/citizens/$address");
    $t->canary(@$known{qw(mobile number)}, $address);
    return {
        %$known, uhid => "UH2$number", visits => [map { "OPD-S-$number-$_" } 1 .. 3], patient => {
            reference => "UH2$number", name => $known->{name}, gender => $known->{gender}, yearOfBirth => $known->{yearOfBirth},
            abhaAddress => $address, abhaNumber => $known->{number}, mobile => $known->{mobile},
        },
    };
}

sub visits (@references) { return [map { +{ reference => $_, display => "Visit $_", hiTypes => ['Prescription'] } } @references] }

# Links visits by the API.
sub linked ($who, $hip = $HIP) {
    my $got = api(POST => 'care-contexts', { patient => $who->{patient}, careContexts => visits(@{ $who->{visits} }) }, $hip);
    is $got->{status}, 202, 'told of' or diag explain $got;
    return ok $t->wait_until(sub { !grep { (api(GET => "care-contexts/$_", undef, $hip)->{body}{state} // '') ne 'LINKED' } @{ $who->{visits} } }, 8), 'linked';
}

sub leaves ($who, $status = 'DEACTIVATED', $hip = $HIP) {
    my $got = $t->sim("/citizens/$who->{address}/status", { hip => $hip, status => $status });
    return is $got->{answer}{acknowledgment}{status}, 'OK', "$status is acknowledged";
}

sub discover ($who, $hip = $HIP) { return $t->sim("/citizens/$who->{address}/discover", { hip => $hip }) }

subtest 'a transfer that runs stops before its next page, and the consent is gone' => sub {
    my $who = somebody();
    linked($who);
    my $consent = $t->grant(patient => $who->{address}, patient_reference => $who->{uhid}, contexts => $who->{visits});
    $t->sim('/faults', { path => '^/hiu/push/', action => 'delay', ms => 1500, process => 1 });
    my $id = $t->request($consent);
    ok $t->wait_for(call => path => '^/hiu/push/'), 'a page is on the wire';
    leaves($who);
    my $done = $t->wait_for(notify => transaction => $id, timeout_ms => 20_000);
    $t->sim_delete('/faults');
    cmp_ok scalar @{ $done->{pages} }, '<', 3, 'not all pages were sent';
    my %seen = map { $_->{careContextReference} => $_->{hiStatus} } @{ $done->{notify}{statusNotification}{statusResponses} };
    ok scalar(grep { $_ eq 'ERRORED' } values %seen), 'the rest is reported as failed' or diag explain $done->{notify};
    my $again = $t->request($consent);
    $done = $t->wait_for(on_request => transaction => $again);
    ok $done->{refused}, 'another request is refused' or diag explain $done;
    is_deeply $done->{pages}, [], 'nothing is sent';
};

subtest 'ABHA, links and tokens are gone, the patient of the HMIS stays' => sub {
    my $who = somebody();
    $t->hmis("/api/patients/$who->{uhid}/abha", { abha_address => $who->{address} });
    linked($who);
    my $before = $t->hmis('/_test/requests')->{requests};
    leaves($who);
    is api(GET => "care-contexts/$_")->{status}, 404, "$_ is unknown" for @{ $who->{visits} };
    my $patient = api(GET => "patients/$who->{uhid}")->{body};
    is $patient->{reference}, $who->{uhid}, 'the patient is known';
    is_deeply [grep { defined } @$patient{qw(abhaAddress abhaNumber)}], [], 'without ABHA';
    is api(GET => "patients?abhaAddress=$who->{address}")->{status}, 404, 'nobody holds it';
    is $t->hmis("/api/patients/$who->{uhid}")->{abha_address}, $who->{address}, 'the HMIS\'s own books are untouched';
    is_deeply [grep { $_->{method} eq 'POST' && $_->{path} ne '/api/events' } @{ $t->hmis('/_test/requests')->{requests} }[@$before .. $#{ $t->hmis('/_test/requests')->{requests} }]],
        [], 'nothing was written there';
};

subtest 'nothing is found, linked or shared for who has left' => sub {
    my $who = somebody();
    my $found = discover($who);
    my $begun = $t->sim("/linkings/$found->{transaction_id}/init", {});
    my $otp   = $t->wait_for(sms => mobile => $who->{mobile})->{code};
    leaves($who);
    my $confirm = $t->sim("/linkings/$found->{transaction_id}/confirm", { otp => $otp });
    is $confirm->{confirm}{answer}{error}{code}, 'ABDM-1056', 'a link under way is over';
    is discover($who)->{discover}{answer}{error}{code}, 'ABDM-1010', 'a discovery finds nobody';
    my $init = $t->sim("/linkings/$found->{transaction_id}/init", {});
    is $init->{init}{answer}{error}{code}, 'ABDM-1017', 'the old one is forgotten';
    my $share = $t->sim("/citizens/$who->{address}/share", { hip => $HIP });
    ok $share->{answer}{error}, 'a share is refused' or diag explain $share;
    for my $call (['patients', $who->{patient}], ['care-contexts', { patient => $who->{patient}, careContexts => visits($who->{visits}[0]) }]) {
        my $got = api(POST => @$call);
        is $got->{status}, 409, "$call->[0]: 409";
        is $got->{body}{error}{code}, 'E_OPTED_OUT', "$call->[0]: E_OPTED_OUT" or diag explain $got;
    }
    my $asked = $t->sim('/tokens')->{tokens};
    is_deeply [grep { $_->{address} eq $who->{address} } @$asked], [], 'no token was asked for';
};

subtest 'what is under way when they leave ends quietly' => sub {
    my $who = somebody();
    $t->sim('/callback_faults', { path => 'on-generate-token', action => 'delay', ms => 1500, count => 1 });
    my $id = api(POST => 'care-contexts', { patient => $who->{patient}, careContexts => visits(@{ $who->{visits} }) })->{body}{requestId};
    ok $t->wait_until(sub { grep { $_->{address} eq $who->{address} } @{ $t->sim('/tokens')->{tokens} } }), 'a token is asked for';
    leaves($who);
    my $request = api(GET => "requests/$id")->{body};
    is $request->{state}, 'FAILED', 'the request failed' or diag explain $request;
    like $request->{reason}, qr/E_OPTED_OUT/, 'because they left';
    sleep 2;
    is_deeply $t->sim("/citizens/$who->{address}/links")->{links}, [], 'the token that comes late links nothing';
};

subtest 'nor is anybody told of new data, or sent an SMS' => sub {
    my $who = somebody();
    linked($who);
    api(POST => 'notifications', { careContextReference => $who->{visits}[0], hiTypes => ['DiagnosticReport'] });
    leaves($who);
    $t->advance(35_000);
    sleep 1;
    is_deeply [grep { $_->{address} eq $who->{address} } @{ $t->sim('/notices')->{notices} }], [], 'no notice';
};

subtest 'the store and its audit name nobody who has left' => sub {
    my $who = somebody();
    linked($who);
    leaves($who);
    $t->stop_nginx;
    my $bytes = join '', map { $t->read_file($_) } 'abdm.db', 'abdm.db-wal';
    is index($bytes, $_), -1, 'no trace of what names them' for @$who{qw(address number mobile)}, $who->{name};
    cmp_ok index($bytes, "patient's status in ABDM changed"), '>', 0, 'but that somebody left is kept';
    $t->start_nginx;
};

subtest 'who comes back begins anew' => sub {
    my $who = somebody();
    linked($who);
    leaves($who, 'DELETED');
    is discover($who)->{discover}{answer}{error}{code}, 'ABDM-1010', 'gone';
    leaves($who, 'REACTIVATED');
    my $answer = discover($who)->{discover}{answer};
    is scalar @{ $answer->{patient}[0]{careContexts} }, 3, 'found, with all visits to be linked' or diag explain $answer;
    is $t->sim("/citizens/$who->{address}/share", { hip => $HIP })->{token}, 1, 'may share';
    $t->advance(8 * $MINUTE);
    pop @{ $who->{visits} };    # the simulator remembers that it had the very same request
    linked($who);
    is scalar(grep { $_->{address} eq $who->{address} } @{ $t->sim('/tokens')->{tokens} }), 2, 'with another link token';
};

subtest 'a consent granted late for who has left opens nothing' => sub {
    my $who = somebody();
    my $consent = $t->grant(patient => $who->{address}, patient_reference => $who->{uhid}, contexts => $who->{visits});
    leaves($who);
    $t->announce($consent, 'GRANTED');
    my $done = $t->wait_for(on_request => transaction => scalar $t->request($consent));
    ok $done->{refused}, 'refused' or diag explain $done;
};

subtest 'told to one facility, left at that one alone' => sub {
    my $who = somebody();
    linked($who);
    linked($who, $OTHER);
    leaves($who);
    is api(GET => "care-contexts/$who->{visits}[0]", undef, $OTHER)->{body}{state}, 'LINKED', 'linked at the other';
    is api(GET => "patients/$who->{uhid}", undef, $OTHER)->{body}{abhaAddress}, $who->{address}, 'which knows the ABHA';
    leaves($who, 'DEACTIVATED', $OTHER);
    is api(GET => "care-contexts/$who->{visits}[0]", undef, $OTHER)->{status}, 404, 'until it is told as well';
};

subtest 'somebody whom nobody knows here may leave too' => sub {
    my $who = somebody();
    leaves($who, 'DELETED');
    leaves($who, 'DELETED');
};

$t->no_violations;
$t->finish;
