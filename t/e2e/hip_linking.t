#!/usr/bin/env perl

# Linking that the hospital begins, against real nginx: a call of the API makes a link token and a link,
# whatever the gateway's limits, its outages and lost, repeated or strange callbacks do in between. Time
# is moved, never waited for.

use strict;
use warnings;
use feature 'signatures';
use FindBin;
use lib "$FindBin::Bin/../lib";

use Test::ABDM;
use Test::More;

Test::ABDM->need_module;

my $MINUTE = 60_000;
my $HOUR   = 60 * $MINUTE;
my $DAY    = 24 * $HOUR;
my $OTHER  = 'IN0880005678_1';
my @LINES  = ('poll off;', 'deep_link off;', 'discovery_slot 100ms;');
my $t      = Test::ABDM->new(clock => 1, lines => \@LINES, others => { $OTHER => { name => 'Second Hospital', lines => \@LINES } });
my $HIP    = $t->{hip};
$t->start;
$t->advance_to('10:00');

sub api ($method, $path, $body = undef) { return $t->api($method, $path, $body, 'X-HIP-ID' => $HIP) }

my $last = 200;

# A citizen of their own for each story.
sub somebody {
    my $number  = sprintf '%05d', $last++;
    my $address = "c$number\@sbx";
    my $known   = $t->sim("/citizens/$address");
    $t->canary(@$known{qw(mobile number name)});
    return {
        address => $address, uhid => "UH2$number", mobile => $known->{mobile}, visits => [map { "OPD-S-$number-$_" } 1 .. 3],
        patient => {
            reference => "UH2$number", name => $known->{name}, gender => $known->{gender}, yearOfBirth => $known->{yearOfBirth},
            abhaAddress => $address, abhaNumber => $known->{number}, mobile => $known->{mobile},
        },
    };
}

sub visit ($reference, @types) {
    return { reference => $reference, display => "Visit $reference", hiTypes => [@types ? @types : 'OPConsultation'] };
}

# Tells of visits of somebody; gives the id of the request.
sub announce ($who, @references) {
    my $got = api(POST => 'care-contexts', { patient => $who->{patient}, careContexts => [map { visit($_) } @references] });
    is $got->{status}, 202, 'accepted: ' . join ' ', @references or diag explain $got;
    return $got->{body}{requestId};
}

sub state_of ($reference) { return api(GET => "care-contexts/$reference")->{body} }

sub is_linked ($who, @references) {
    my @linked;
    my $ok = $t->wait_until(sub {
        @linked = sort map { $_->{context} } @{ $t->sim("/citizens/$who->{address}/links?hip=$HIP")->{links} };
        "@linked" eq "@references" && !grep { state_of($_)->{state} ne 'LINKED' } @references;
    }, 8);
    return ok($ok, 'linked: ' . join ' ', @references) || diag explain { linked => \@linked, states => [map { state_of($_) } @references] };
}

# How it was asked for link tokens of somebody, in order: 'ok' or the error.
sub asked ($who) { return [map { $_->{error} // 'ok' } grep { $_->{address} eq $who->{address} } @{ $t->sim('/tokens')->{tokens} }] }

sub request_is ($id, $state, $name) {
    my $got = $t->wait_until(sub { my $now = api(GET => "requests/$id")->{body}; $now->{state} eq $state ? $now : undef });
    ok $got, $name or diag explain api(GET => "requests/$id");
    return $got // {};
}

sub calls ($path) { return $t->sim("/calls?path=$path")->{count} }

subtest 'a visit that is told of is linked, and its request says so' => sub {
    my $who = somebody();
    my $id  = announce($who, @{ $who->{visits} }[0, 1]);
    is_linked($who, @{ $who->{visits} }[0, 1]);
    my $done = request_is($id, 'DONE', 'the request is done');
    is_deeply [map { $_->{state} } @{ $done->{careContexts} }], [qw(LINKED LINKED)], 'and shows its visits';
    my ($link) = @{ $t->sim("/citizens/$who->{address}/links")->{links} };
    is_deeply [@$link{qw(patient_reference how times)}], [$who->{uhid}, 'hip', 1], 'as what it was told';
    my $told = $t->wait_until(sub { (grep { $_->{what} eq 'linked' } @{ $t->hmis('/_test/events')->{events} })[0] });
    is_deeply $told->{ids}{careContexts}, [@{ $who->{visits} }[0, 1]], 'the HMIS is told' or diag explain $told;

    announce($who, $who->{visits}[2]);
    is_linked($who, @{ $who->{visits} });
    is_deeply asked($who), ['ok'], 'with the same link token';
    announce($who, $who->{visits}[2]);
    is calls('link/carecontext'), 2, 'what is linked is not linked again';
};

subtest 'types are grouped, a visit of two types is one link' => sub {
    my $who = somebody();
    api(POST => 'care-contexts', { patient => $who->{patient}, careContexts => [
        visit($who->{visits}[0], qw(OPConsultation Prescription)), visit($who->{visits}[1], 'Prescription')] });
    is_linked($who, @{ $who->{visits} }[0, 1]);
    my ($call) = reverse @{ $t->sim('/calls?path=link/carecontext')->{calls} };
    my %count = map { $_->{hiType} => $_->{count} } @{ $call->{body}{patient} };
    is_deeply \%count, { OPConsultation => 1, Prescription => 2 }, 'counted by type';
};

subtest 'a link token is used for its life and not a day longer' => sub {
    my $who = somebody();
    announce($who, $who->{visits}[0]);
    is_linked($who, $who->{visits}[0]);
    $t->advance(181 * $DAY);
    announce($who, $who->{visits}[1]);
    is_linked($who, @{ $who->{visits} }[0, 1]);
    is_deeply asked($who), ['ok'], 'after 181 days the same';
    $t->advance($DAY);
    announce($who, $who->{visits}[2]);
    is_linked($who, @{ $who->{visits} });
    is_deeply asked($who), ['ok', 'ok'], 'on its last day another';
};

subtest 'a link token that died before its time is replaced' => sub {
    my $who = somebody();
    announce($who, $who->{visits}[0]);
    is_linked($who, $who->{visits}[0]);
    $t->sim('/link-tokens/forget', {});
    announce($who, $who->{visits}[1]);
    ok $t->wait_until(sub { !$t->open_work($who->{visits}[1]) && state_of($who->{visits}[1])->{state} eq 'NONE' }), 'the link is refused';
    $t->advance(7 * $MINUTE + 1000);
    is_linked($who, @{ $who->{visits} }[0, 1]);
    is_deeply asked($who), ['ok', 'ok'], 'asked for twice';
};

subtest 'asked too soon (1092): not again for seven minutes' => sub {
    my $who = somebody();
    $t->sim('/faults', { path => 'generate-token$', action => 'status', status => 400, count => 1,
        body => { error => { code => 'ABDM-1092', message => 'Duplicate link token request' } } });
    my $id = announce($who, $who->{visits}[0]);
    ok $t->wait_until(sub { grep { $_ eq 'E_LINK_REFUSED' } $t->reasons($who->{uhid}) }), 'refused';
    $t->sim_delete('/faults');
    $t->advance(6 * $MINUTE);
    is_deeply asked($who), [], 'quiet for six minutes';
    is state_of($who->{visits}[0])->{state}, 'NONE', 'not linked';
    is api(GET => "requests/$id")->{body}{state}, 'OPEN', 'the request is open';
    $t->advance($MINUTE + 1000);
    is_linked($who, $who->{visits}[0]);
    request_is($id, 'DONE', 'then done');
};

subtest 'blocked (1027): nothing is asked for a day, and then it is linked' => sub {
    my $who = somebody();
    $t->sim("/citizens/$who->{address}/block", { hip => $HIP });
    announce($who, $who->{visits}[0]);
    ok $t->wait_until(sub { grep { $_ eq 'E_LINK_REFUSED' } $t->reasons($who->{uhid}) }), 'refused';
    announce($who, $who->{visits}[1]);
    for (1 .. 3) {
        $t->advance(7 * $HOUR);
        sleep 1;
    }
    is_deeply asked($who), ['ABDM-1027'], 'asked once, and not for 21 hours';
    $t->advance(4 * $HOUR);
    is_linked($who, @{ $who->{visits} }[0, 1]);
};

subtest 'a patient whom ABDM knows otherwise fails, and is linked once the name is mended' => sub {
    my $who = somebody();
    my $id  = announce({ %$who, patient => { %{ $who->{patient} }, name => 'Somebody Else' } }, $who->{visits}[0]);
    my $got = request_is($id, 'FAILED', 'the request failed');
    like $got->{reason}, qr/1036/, 'with the gateway\'s reason';
    $t->advance(8 * $MINUTE);
    my $again = announce($who, $who->{visits}[0]);
    request_is($again, 'DONE', 'the same with the right name is done');
    is_linked($who, $who->{visits}[0]);
};

subtest 'never more than three questions in 24 hours, also across midnight' => sub {
    my $who   = somebody();
    my $wrong = { %$who, patient => { %{ $who->{patient} }, name => 'Somebody Else' } };
    $t->advance_to('23:00');
    for (1 .. 4) {
        announce($wrong, $who->{visits}[0]);
        sleep 1;
        $t->advance(8 * $MINUTE);
    }
    is_deeply asked($who), [('ABDM-1036') x 3], 'three questions, then none';
    $t->advance_to('00:10');
    announce($who, $who->{visits}[0]);
    sleep 1;
    is state_of($who->{visits}[0])->{state}, 'NONE', 'nor shortly after midnight';
    $t->advance_to('23:59');
    is_linked($who, $who->{visits}[0]);
};

subtest 'the callback with the token is lost: asked again after seven minutes' => sub {
    my $who = somebody();
    $t->sim('/callback_faults', { path => 'on-generate-token', action => 'lose', count => 1 });
    announce($who, $who->{visits}[0]);
    ok $t->wait_until(sub { @{ asked($who) } }), 'asked for';
    $t->advance(7 * $MINUTE + 1000);
    is_linked($who, $who->{visits}[0]);
    is_deeply asked($who), ['ok', 'ok'], 'twice';
};

subtest 'the callback of the link is lost: the same request again, known as a repetition' => sub {
    my $who = somebody();
    $t->sim('/callback_faults', { path => 'on_carecontext', action => 'lose', count => 1 });
    my $id = announce($who, $who->{visits}[0]);
    ok $t->wait_for(linked => citizen => $who->{address}), 'linked at the gateway';
    is state_of($who->{visits}[0])->{state}, 'PENDING', 'which we do not know';
    $t->advance(11 * $MINUTE);
    is_linked($who, $who->{visits}[0]);
    request_is($id, 'DONE', 'the request is done');
    is $t->sim("/citizens/$who->{address}/links")->{links}[0]{times}, 1, 'linked once';
};

for my $how (qw(repeat repeat_fresh)) {
    subtest "callbacks come twice ($how): once they count" => sub {
        my $who = somebody();
        $t->sim('/callback_faults', { path => 'on-generate-token|on_carecontext', action => $how, count => 2 });
        my $before = calls('link/carecontext');
        announce($who, $who->{visits}[0]);
        is_linked($who, $who->{visits}[0]);
        sleep 1;
        is calls('link/carecontext') - $before, 1, 'one link request';
        is_deeply asked($who), ['ok'], 'one token';
        is $t->sim('/metrics')->{counters}{callback_given_up}, undef, 'the repetitions are taken with 202';
        $t->sim_delete('/callback_faults');
    };
}

subtest 'a callback in the name of another facility counts for nothing' => sub {
    my $who = somebody();
    $t->sim('/callback_faults', { path => 'on-generate-token', action => 'change', hip => $OTHER, count => 1 });
    announce($who, $who->{visits}[0]);
    ok $t->wait_until(sub { @{ asked($who) } }), 'a token is issued';
    sleep 1;
    is state_of($who->{visits}[0])->{state}, 'NONE', 'but not taken';
    $t->sim('/callback_faults', { path => 'on_carecontext', action => 'lose', count => 1 });
    $t->advance(7 * $MINUTE + 1000);
    ok $t->wait_for(linked => citizen => $who->{address}), 'linked at the gateway';
    my $id = $t->sim('/calls?path=link/carecontext')->{calls}[-1]{headers}{'request-id'};
    my $sent = $t->sim('/callback', { path => '/api/v3/link/on_carecontext', hip => $OTHER,
        body => { abhaAddress => $who->{address}, status => 'Successfully Linked care context', response => { requestId => $id } } });
    is $sent->{status}, 202, 'the outcome is told to the other facility';
    ok $t->wait_until(sub { grep { $_ eq 'E_ANSWER_UNKNOWN' } $t->reasons($sent->{request_id}) }), 'which knows nothing of it';
    is state_of($who->{visits}[0])->{state}, 'PENDING', 'and nor do we';
    $t->advance(11 * $MINUTE);
    is_linked($who, $who->{visits}[0]);
};

subtest 'a token of another patient is not kept' => sub {
    my ($who, $other) = (somebody(), somebody());
    $t->sim('/callback_faults', { path => 'on-generate-token', action => 'change', body => { abhaAddress => $other->{address} }, count => 1 });
    announce($who, $who->{visits}[0]);
    ok $t->wait_until(sub { @{ asked($who) } }), 'it comes';
    sleep 1;
    is state_of($who->{visits}[0])->{state}, 'NONE', 'and is not used';
    $t->advance(7 * $MINUTE + 1000);
    is_linked($who, $who->{visits}[0]);
};

for my $kind (qw(503 refuse html)) {
    subtest "the gateway is away ($kind) for an hour: then it is linked" => sub {
        my $who = somebody();
        $t->sim('/outage', { kind => $kind });
        my $id = announce($who, $who->{visits}[0]);
        for (1 .. 3) {
            sleep 1;
            $t->advance(20 * $MINUTE);
        }
        is api(GET => "requests/$id")->{body}{state}, 'OPEN', 'the request waits';
        $t->sim('/outage', { kind => 'off' });
        for (1 .. 3) {
            sleep 1;
            $t->advance(30 * $MINUTE);
        }
        is_linked($who, $who->{visits}[0]);
    };
}

subtest 'new data in a linked visit is notified after 30 s, and again when that was too early' => sub {
    my $who = somebody();
    announce($who, $who->{visits}[0]);
    is_linked($who, $who->{visits}[0]);
    my $got = api(POST => 'notifications', { careContextReference => $who->{visits}[0], hiTypes => ['DiagnosticReport'] });
    is $got->{status}, 202, 'accepted' or diag explain $got;
    sleep 1;
    my $notices = sub { [map { $_->{result} } grep { $_->{context} eq $who->{visits}[0] } @{ $t->sim('/notices')->{notices} }] };
    is_deeply $notices->(), [], 'not at once';
    $t->sim('/config', { notify_after_seconds => 60 });
    $t->advance(30_000);
    ok $t->wait_for(notice => context => $who->{visits}[0]), 'after 30 s';
    for (1 .. 2) {
        sleep 1;
        $t->advance(16_000);
    }
    ok $t->wait_for(notice => context => $who->{visits}[0], count => 3), 'and again';
    is_deeply $notices->(), [qw(ABDM-1006 ABDM-1006 SUCCESS)], 'until the gateway knows the link' or diag explain $t->sim('/notices');
    $t->sim('/config', { notify_after_seconds => 30 });
    ok $t->wait_until(sub { 2 == @{ state_of($who->{visits}[0])->{notifiedHiTypes} } }), 'the types are noted';
};

$t->no_violations;
$t->finish;
