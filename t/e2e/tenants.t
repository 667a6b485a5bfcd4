#!/usr/bin/env perl

# Two facilities in one nginx, each with an HMIS, an SMS provider, counters and limits of its own: by every
# flow and every call of the API one tries to reach what is the other's, and does not.

use strict;
use warnings;
use feature 'signatures';
use FindBin;
use lib "$FindBin::Bin/../lib";

use POSIX qw(strftime);
use Test::ABDM;
use Test::More;

Test::ABDM->need_module;

my $SECOND = 'IN0880005678_1';
my @LINES  = ('poll 500ms;', 'deep_link on;', 'quiet_hours off;', 'discovery_slot 100ms;');
my $t      = Test::ABDM->new(
    clock => 1, sms => 1, lines => [@LINES, 'counter OPD1;', 'discovery_limit 3;', 'sms_daily 4;'],
    others => { $SECOND => { name => 'Second Hospital', sms => 1, lines => [@LINES, 'counter LAB;', 'discovery_limit 50;'] } },
    server => ["location /first/api/v1/ { abdm_api facility=IN0990001234_1; access_log off; }"],
);
my $FIRST = $t->{hip};
my %NAME  = ($FIRST => 'Demo Hospital', $SECOND => 'Second Hospital');
$t->start;
$t->advance_to('10:00');

sub api ($hip, $method, $path, $body = undef) { return $t->api($method, $path, $body, 'X-HIP-ID' => $hip) }

my $last = 500;

sub somebody {
    my $number  = sprintf '%05d', $last++;
    my $known   = $t->sim("/citizens/c$number\@sbx");
    $t->canary(@$known{qw(mobile number)});
    return {
        %$known, uhid => "UH2$number", visits => [map { "OPD-S-$number-$_" } 1 .. 3], patient => {
            reference => "UH2$number", name => $known->{name}, gender => $known->{gender}, yearOfBirth => $known->{yearOfBirth},
            abhaAddress => $known->{address}, abhaNumber => $known->{number}, mobile => $known->{mobile},
        },
    };
}

sub discover ($who, $hip, %wish) { return $t->sim("/citizens/$who->{address}/discover", { hip => $hip, %wish }) }

# How often each HMIS was asked something of this kind since the last look.
my %seen;

sub asked ($path) {
    my %count;
    for my $hip ($FIRST, $SECOND) {
        my $total = grep { $_->{path} =~ $path } @{ $t->hmis('/_test/requests', undef, $hip)->{requests} };
        $count{$hip} = $total - ($seen{"$hip $path"} // 0);
        $seen{"$hip $path"} = $total;
    }
    return \%count;
}

# Tells the first of a visit of somebody, and waits until it is linked.
sub linked ($who, $hip, $visit = $who->{visits}[0]) {
    my $got = api($hip, POST => 'care-contexts', { patient => $who->{patient},
        careContexts => [{ reference => $visit, display => 'Visit', hiTypes => ['Prescription'] }] });
    is $got->{status}, 202, "told to $NAME{$hip}" or diag explain $got;
    ok $t->wait_until(sub { (api($hip, GET => "care-contexts/$visit")->{body}{state} // '') eq 'LINKED' }), 'and linked';
    return $got->{body}{requestId};
}

for my $hip ($FIRST, $SECOND) {
    subtest "$NAME{$hip} asks its own HMIS and sends by its own provider" => sub {
        my $who = somebody();
        my $path = qr{^/api/patients};
        asked($path);
        my $found = discover($who, $hip);
        my $asked = asked($path);
        cmp_ok delete $asked->{$hip}, '>', 0, 'its own HMIS is asked';
        is_deeply [values %$asked], [0], 'the other is not';
        $t->sim("/linkings/$found->{transaction_id}/init", {});
        my $message = $t->wait_for(sms => mobile => $who->{mobile});
        is $message->{path}, "/sms/$hip", 'its own provider sends';
        like $message->{text}, qr/\Q$NAME{$hip}\E/, 'in its own name';
        $t->sim("/linkings/$found->{transaction_id}/confirm", {});
        is_deeply [map { $_->{hip} } @{ $t->sim("/citizens/$who->{address}/links")->{links} }], [($hip) x 3], 'linked there';
    };
}

subtest 'a discovery is of one facility: no link through the other' => sub {
    my $who   = somebody();
    my $found = discover($who, $FIRST);
    my $init  = $t->sim("/linkings/$found->{transaction_id}/init", { hip => $SECOND });
    is $init->{init}{answer}{error}{code}, 'ABDM-1017', 'its transaction is unknown there';
    $init = $t->sim("/linkings/$found->{transaction_id}/init", { hip => $FIRST });
    my $otp = $t->wait_for(sms => mobile => $who->{mobile})->{code};
    my $confirm = $t->sim("/linkings/$found->{transaction_id}/confirm", { hip => $SECOND, otp => $otp });
    is $confirm->{confirm}{answer}{error}{code}, 'ABDM-1056', 'its link is unknown there, with the right password';
    $confirm = $t->sim("/linkings/$found->{transaction_id}/confirm", { hip => $FIRST, otp => $otp });
    ok $confirm->{confirm}{answer}{patient}, 'where it was begun it is made';
    is scalar @{ discover($who, $SECOND)->{discover}{answer}{patient}[0]{careContexts} }, 3, 'what is linked at one is free at the other';
};

subtest 'each has its own budget of discoveries' => sub {
    my $who = somebody();
    my @first  = map { discover($who, $FIRST)->{discover}{answer}{error} ? 0 : 1 } 1 .. 4;
    my @second = map { discover($who, $SECOND)->{discover}{answer}{error} ? 0 : 1 } 1 .. 4;
    is_deeply \@first,  [1, 1, 1, 0], 'three at the first';
    is_deeply \@second, [1, 1, 1, 1], 'more at the second';
};

subtest 'patients, care contexts and requests of one are unknown to the other' => sub {
    my $who = somebody();
    my $request = linked($who, $FIRST);
    my %call = (
        'GET patients/ID'            => ["patients/$who->{uhid}"],
        'GET patients'               => ["patients?abhaAddress=$who->{address}"],
        'GET care-contexts/ID'       => ["care-contexts/$who->{visits}[0]"],
        'POST care-contexts/ID/link' => ["care-contexts/$who->{visits}[0]/link"],
        'POST notifications'         => ['notifications', { careContextReference => $who->{visits}[0], hiTypes => ['Prescription'] }],
        'POST sms'                   => ['sms', { careContextReference => $who->{visits}[0] }],
        'GET requests/ID'            => ["requests/$request"],
        'POST link-auth'             => ['link-auth', { patientReference => $who->{uhid}, mode => 'MOBILE_OTP' }],
    );
    for my $name (sort keys %call) {
        my ($method) = split ' ', $name;
        my $got = api($SECOND, $method => @{ $call{$name} });
        is $got->{status}, 404, "$name: 404" or diag explain $got;
        is $got->{body}{error}{code}, 'E_NOT_FOUND', "$name: E_NOT_FOUND";
    }
    is_deeply api($SECOND, GET => "care-contexts?patient=$who->{uhid}")->{body}{careContexts}, [], 'GET care-contexts: none';
    is api($SECOND, POST => 'care-contexts', { patientReference => $who->{uhid}, careContexts => [{ reference => 'X-1', display => 'Visit', hiTypes => ['Prescription'] }] })->{status},
        404, 'POST care-contexts for its patient: 404';
    for my $path ("/nha/v3/link-status/$request", "/nha/v3/patient/$who->{address}") {
        my $got = api($SECOND, GET => $path);
        is $got->{status}, 400, "$path: 400" =~ s/\Q$who->{address}\E/ABHA/r;
    }
    my $got = $t->api(POST => '/nha/v3/link-carecontexts', { requestId => 'r-1', requesterId => $SECOND, abhaAddress => $who->{address},
        authMode => 'DEMOGRAPHICS', careContexts => [{ referenceNumber => $who->{visits}[1], display => 'Visit', hiType => 'Prescription' }] });
    is $got->{status}, 202, 'nha link-carecontexts of its patient: the own HMIS is asked';
    $t->advance(20 * 60_000);
    ok $t->wait_until(sub { $t->api(GET => '/nha/v3/link-status/r-1', undef, 'X-HIP-ID' => $SECOND)->{status} == 400 }), 'which knows nobody';
    is api($SECOND, GET => "care-contexts/$who->{visits}[1]")->{status}, 404, 'nothing is kept';
};

subtest 'an authentication is of one facility' => sub {
    my $who = somebody();
    linked($who, $FIRST);
    my $id = api($FIRST, POST => 'link-auth', { patientReference => $who->{uhid}, mode => 'MOBILE_OTP' })->{body}{id};
    ok $t->wait_until(sub { api($FIRST, GET => "link-auth/$id")->{body}{state} eq 'WAITING' }), 'it waits for the password';
    is api($SECOND, GET => "link-auth/$id")->{status}, 404, 'unknown to the other';
    is api($SECOND, POST => "link-auth/$id/confirm", { otp => '123456' })->{status}, 404, 'which cannot confirm it';
    is api($FIRST, GET => "link-auth/$id")->{body}{state}, 'WAITING', 'nor disturb it';
};

subtest 'the same numbers in two hospitals are two patients' => sub {
    my ($who, $other) = (somebody(), somebody());
    linked($who, $FIRST, 'V-1');
    my $got = api($SECOND, POST => 'patients', { %{ $other->{patient} }, reference => $who->{uhid} });
    is $got->{status}, 200, 'the second has another patient of that number' or diag explain $got;
    is api($FIRST, GET => "patients/$who->{uhid}")->{body}{abhaAddress}, $who->{address}, 'the first keeps its own';
    is api($SECOND, GET => "patients/$who->{uhid}")->{body}{abhaAddress}, $other->{address}, 'the second has its own';
    is api($SECOND, GET => 'care-contexts/V-1')->{status}, 404, 'without the first\'s visit';
};

subtest 'each has its counters, numbers and queue' => sub {
    my $who = somebody();
    my $share = sub ($hip, $counter) { return $t->sim("/citizens/$who->{address}/share", { hip => $hip, counter => $counter }) };
    is $share->($FIRST,  'OPD1')->{token}, 1, 'at its counter';
    is $share->($SECOND, 'OPD1')->{answer}{error}{code}, 'ABDM-1050', 'which the other does not have';
    is $share->($SECOND, 'LAB')->{token}, 1, 'numbers of its own';
    my ($one) = @{ api($FIRST, GET => 'queue?counter=OPD1')->{body}{queue} };
    is $one->{abhaAddress}, $who->{address}, 'the queue shows who waits';
    is_deeply api($SECOND, GET => 'queue?counter=OPD1')->{body}{queue}, [], 'that of the other does not';
    is api($SECOND, POST => "queue/$one->{id}/done")->{status}, 404, 'nor can it call them';
    is scalar @{ api($FIRST, GET => 'queue?counter=OPD1')->{body}{queue} }, 1, 'they still wait';
};

subtest 'each has its own feed' => sub {
    my ($who, $other) = (somebody(), somebody());
    my $today = strftime('%d-%m-%Y 09:00', gmtime($t->now));
    $t->hmis('/_test/visits', { uhid => $_->[0]{uhid}, date => $today }, $_->[1]) for [$who, $FIRST], [$other, $SECOND];
    for my $pair ([$who, $FIRST, $SECOND], [$other, $SECOND, $FIRST]) {
        my ($one, $mine, $its) = @$pair;
        ok $t->wait_until(sub { api($mine, GET => "patients/$one->{uhid}")->{status} == 200 }), "$NAME{$mine} knows its new visit";
        is api($its, GET => "patients/$one->{uhid}")->{status}, 404, 'the other knows nothing of it';
        my $message = $t->wait_for(deep_link => mobile => $one->{mobile});
        is $message->{hip}, $mine, 'the SMS is in its name';
    }
};

subtest 'a link token is of one facility' => sub {
    my $who = somebody();
    linked($who, $FIRST);
    my $tokens = sub { return [map { $_->{hip} } grep { lc($_->{address} // '') eq $who->{address} } @{ $t->sim('/tokens')->{tokens} }] };
    is_deeply $tokens->(), [$FIRST], 'the first has one';
    linked($who, $SECOND);
    is_deeply $tokens->(), [$FIRST, $SECOND], 'the second asks for its own';
    is_deeply [sort map { $_->{hip} } @{ $t->sim("/citizens/$who->{address}/links")->{links} }], [sort $FIRST, $SECOND], 'and each links with its own';
};

subtest 'a refused token of one does not stop the other' => sub {
    my $who = somebody();
    $t->sim("/citizens/$who->{address}/block", { hip => $FIRST });
    my $got = api($FIRST, POST => 'care-contexts', { patient => $who->{patient}, careContexts => [{ reference => $who->{visits}[0], display => 'Visit', hiTypes => ['Prescription'] }] });
    is $got->{status}, 202, 'told to the first, where ABDM has blocked the patient';
    ok $t->wait_until(sub { grep { ($_->{address} // '') eq $who->{address} && $_->{error} } @{ $t->sim('/tokens')->{tokens} } }), 'it is refused a token';
    linked($who, $SECOND, $who->{visits}[1]);
    isnt api($FIRST, GET => "care-contexts/$who->{visits}[0]")->{body}{state}, 'LINKED', 'at the first it waits';
};

subtest 'answers that were meant for one are nothing to the other' => sub {
    my $who = somebody();
    $t->sim('/callback_faults', { path => 'on_carecontext', action => 'lose', count => 1 });
    my $before = $t->sim('/calls?path=link/carecontext')->{count};
    api($FIRST, POST => 'care-contexts', { patient => $who->{patient}, careContexts => [{ reference => $who->{visits}[0], display => 'Visit', hiTypes => ['Prescription'] }] });
    my $call = $t->wait_for(call => path => 'link/carecontext', count => $before + 1)->{calls}[-1];
    my $body = { abhaAddress => $who->{address}, status => 'Successfully Linked care context', response => { requestId => $call->{headers}{'request-id'} } };
    my $sent = $t->sim('/callback', { path => '/api/v3/link/on_carecontext', hip => $SECOND, body => $body });
    ok $t->wait_until(sub { $t->error_log =~ /E_ANSWER_UNKNOWN.*facility=$SECOND.*\Q$sent->{request_id}\E/ }), 'refused at the other';
    is api($SECOND, GET => "care-contexts/$who->{visits}[0]")->{status}, 404, 'which knows of no such visit';
    is api($FIRST, GET => "care-contexts/$who->{visits}[0]")->{body}{state}, 'PENDING', 'and the first still waits';
    $t->sim('/callback', { path => '/api/v3/link/on_carecontext', hip => $FIRST, body => $body });
    ok $t->wait_until(sub { api($FIRST, GET => "care-contexts/$who->{visits}[0]")->{body}{state} eq 'LINKED' }), 'until it is told itself';
};

subtest 'each has its own number of SMS a day' => sub {
    my @people = map { somebody() } 1 .. 5;
    my $today  = strftime('%d-%m-%Y 09:00', gmtime $t->now);
    my %no;
    for my $hip ($FIRST, $SECOND) {
        $no{$hip} = [map { $t->hmis('/_test/visits', { uhid => $_->{uhid}, date => $today }, $hip)->{visit}{no} } @people];
    }
    my $states = sub ($hip) { return join ' ', sort map { api($hip, GET => "care-contexts/$_")->{body}{sms} // '' } @{ $no{$hip} } };
    ok $t->wait_until(sub { $states->($SECOND) eq 'SENT SENT SENT SENT SENT' }), 'the second tells them all' or diag $states->($SECOND);
    ok $t->wait_until(sub { $states->($FIRST) eq 'DUE DUE SENT SENT SENT' }), 'the first as many as it may' or diag $states->($FIRST);
};

subtest 'who leaves one has not left the other' => sub {
    my $who = somebody();
    linked($who, $_) for $FIRST, $SECOND;
    $t->sim("/citizens/$who->{address}/status", { hip => $FIRST, status => 'DEACTIVATED' });
    is api($FIRST,  GET => "care-contexts/$who->{visits}[0]")->{status}, 404, 'gone here';
    is api($SECOND, GET => "care-contexts/$who->{visits}[0]")->{body}{state}, 'LINKED', 'not there';
};

subtest 'a call names one facility, and a location may be for one alone' => sub {
    my $got = $t->api(GET => 'care-contexts/V-1');
    is $got->{body}{error}{code}, 'E_FACILITY_UNKNOWN', 'none is named';
    $got = api('IN0000000000', GET => 'care-contexts/V-1');
    is $got->{body}{error}{code}, 'E_FACILITY_UNKNOWN', 'one that is not here';
    $got = api($FIRST, POST => 'notifications', { hipId => $SECOND, careContextReference => 'V-1', hiTypes => ['Prescription'] });
    is $got->{body}{error}{code}, 'E_FIELD', 'two that differ';
    is $t->api(GET => '/first/api/v1/care-contexts/V-1')->{body}{state}, 'LINKED', 'a location for the first';
    $got = $t->api(GET => '/first/api/v1/care-contexts/V-1', undef, 'X-HIP-ID' => $SECOND);
    is $got->{body}{error}{code}, 'E_FIELD', 'leads to no other by the header';
    $got = $t->api(GET => "/first/api/v1/care-contexts/V-1?hipId=$SECOND");
    is $got->{body}{error}{code}, 'E_FIELD', 'nor by the query';
};

$t->no_violations;
$t->finish;
