#!/usr/bin/env perl

# The gateway's keys: while none can be had callbacks are put off, kept ones outlive a restart, a
# rotation loses no callback, and key ids that somebody invents cost the gateway next to nothing.

use strict;
use warnings;
use feature 'signatures';
use FindBin;
use lib "$FindBin::Bin/../lib";

use Mojo::JSON qw(decode_json);
use Time::HiRes qw(time);
use Test::ABDM;
use Test::More;

Test::ABDM->need_module;

my $PATH  = '/api/v3/consent/request/hip/notify';
my $CERTS = 'certs$';

sub callback ($t, %wish) { return $t->sim('/callback', { path => $PATH, body => {}, %wish }) }
sub code ($got)          { return (eval { decode_json($got->{body})->{error}{code} }) // '' }
sub fetches ($t)         { return $t->sim("/calls?path=$CERTS")->{count} }

# Without a test plan of its own.
sub over ($t) {
    $t->no_violations;
    $t->stop;
    unlike $t->error_log, qr/\[(?:alert|emerg)\]|eyJ/, 'no alert and no token in the error log';
    return;
}

subtest 'callbacks are put off while the keys cannot be had, and taken once they can' => sub {
    my $t = Test::ABDM->new(hmis => 0);
    $t->start_simulator;
    $t->sim('/faults', { path => $CERTS, action => 'status', status => 503 });
    $t->start_nginx;
    my $got = callback($t);
    is $got->{status}, 503, 'answered 503';
    is code($got), 'E_KEYS_UNAVAILABLE', 'with its reason';
    my ($after) = map { $got->{headers}{$_} } grep { lc eq 'retry-after' } keys %{ $got->{headers} };
    like $after, qr/\A[1-9]\d?\z/, 'and when to come again';
    my $status = decode_json($t->ua->get($t->url . '/abdm/status')->result->body);
    ok $status->{gatewayKeys}{lastAttemptFailed}, 'the status shows that the attempt failed';

    $t->sim_delete('/faults');
    $t->sim('/config', { redeliver_max => 30 });
    my $start   = time;
    my $consent = $t->grant(notify => { retry => 1 });
    is $consent->{sent}{status}, 202, 'the redelivery is taken';
    cmp_ok time - $start, '<', 20, 'within seconds';
    note sprintf 'taken %.1f s after the gateway came back', time - $start;

    subtest 'a restart while the gateway is away goes on with the kept keys' => sub {
        $t->sim('/faults', { path => $CERTS, action => 'drop' });
        $t->stop_nginx;
        $t->start_nginx;
        my $begin = time;
        is $t->grant->{sent}{status}, 202, 'a genuine callback is taken';
        cmp_ok time - $begin, '<', 2.5, 'at once';
        is callback($t, token => { key => 'other' })->{status}, 503, 'a key that cannot be looked for is no reason for a 401';
        $t->sim_delete('/faults');
    };
    over($t);
};

subtest 'a callback that names an unknown key waits for fresh keys, and not for long' => sub {
    my $t = Test::ABDM->new(hmis => 0)->start;
    is $t->grant->{sent}{status}, 202, 'the keys are there';
    my $got = callback($t, token => { kid => 'nobody' });
    is $got->{status}, 401, '401 when the gateway has no such key';
    is code($got), 'E_TOKEN_KID_UNKNOWN', 'with its reason';
    cmp_ok $got->{ms}, '<', 6000, 'within the waiting time';
    my $before = fetches($t);
    cmp_ok callback($t, token => { kid => 'nobody' })->{ms}, '<', 2500, 'the same key again: at once';
    is fetches($t), $before, 'and without a fetch';

    $t->sim('/faults', { path => $CERTS, action => 'delay', ms => 8000, count => 1 });
    $got = callback($t, token => { kid => 'somebody' });
    is $got->{status}, 503, '503 when the gateway does not answer in time';
    cmp_ok $got->{ms}, '>', 2500, 'after the waiting time';
    cmp_ok $got->{ms}, '<', 7000, 'and no later';
    over($t);
};

subtest 'a rotation of keys loses no callback' => sub {
    my $t = Test::ABDM->new(workers => 2)->start;
    $t->sim('/config', { cheap_keys => 1, redeliver_max => 0 });
    is $t->grant->{sent}{status}, 202, 'the keys are there' or diag $t->error_log;
    my $id = $t->sim('/storm', { n => 120, concurrency => 30 })->{id};
    ok $t->wait_until(sub { $t->sim("/storm/$id")->{done} > 5 }, 10), 'transfers are under way';
    $t->sim('/keys/rotate', {});
    $t->wait_until(sub { $t->sim("/storm/$id")->{finished} }, 30);
    is_deeply $t->sim("/storm/$id")->{outcome}, { TRANSFERRED => 120 }, 'all transfers complete';
    is_deeply [grep { /\Acallback_/ } keys %{ $t->sim('/metrics')->{counters} }], ['callback_202'],
        'every callback is taken at its first delivery';
    cmp_ok fetches($t), '<=', 4, 'for few fetches';    # the first, and as many as the throttle allows at once
    over($t);
};

subtest 'a flood of invented key ids costs the gateway few fetches and genuine callbacks nothing' => sub {
    my $t = Test::ABDM->new(hmis => 0, workers => 2)->start;
    is $t->grant->{sent}{status}, 202, 'the keys are there';
    my (%seen, $slowest);
    for my $n (1 .. 60) {
        my $got = callback($t, token => { kid => "invented-$n" });
        $seen{ $got->{status} }++;
        $slowest = $got->{ms} if $got->{ms} > ($slowest // 0);
        $seen{genuine}++ if $n % 10 == 0 && $t->grant->{sent}{status} == 202;
    }
    is_deeply \%seen, { 401 => 60, genuine => 6 }, 'the invented are refused, the genuine are taken';
    cmp_ok fetches($t), '<=', 5, 'for at most 5 fetches';
    cmp_ok $slowest, '<', 6000, 'each within the waiting time';
    note 'fetches: ' . fetches($t) . ", slowest refusal $slowest ms";
    over($t);
};

subtest 'without jwks_url the gateway\'s own certs are asked with a session, and the issuer\'s when they fail' => sub {
    my $t = Test::ABDM->new(hmis => 0, gateway => { jwks_url => undef });
    $t->start_simulator;
    $t->sim('/faults', { path => '^/api/hiecm/gateway/v3/certs', action => 'status', status => 500, count => 1 });
    $t->start_nginx;
    is $t->grant(notify => { retry => 1 })->{sent}{status}, 202, 'a callback is taken';
    my @calls = @{ $t->sim("/calls?path=$CERTS")->{calls} };
    is_deeply [map { $_->{path} =~ m{\A/api} ? 'gateway' : 'issuer' } @calls], [qw(gateway issuer)], 'asked in this order';
    is_deeply [map { $_->{authorization} } @calls], [1, 0], 'and only the gateway saw a session token';
    $t->sim('/keys/rotate', {});
    is $t->grant->{sent}{status}, 202, 'after a rotation too';
    is $t->sim("/calls?path=$CERTS")->{calls}[-1]{path}, '/api/hiecm/gateway/v3/certs', 'by the gateway\'s own';
    $t->sim('/faults', { path => '^/api/hiecm/gateway/v3/certs', action => 'drop', count => 1 });
    $t->sim('/keys/rotate', {});
    is $t->grant->{sent}{status}, 202, 'and when the gateway breaks the connection';
    over($t);
};

done_testing;
