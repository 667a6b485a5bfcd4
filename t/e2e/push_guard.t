#!/usr/bin/env perl

# Where pages may not go, with a resolver that lies: the address that was judged is the one that is
# called, every attempt is judged anew, one bad address makes a name bad, and no secret of ours goes
# to a requester. The resolver and a network without an exit are put in front of the C library's own
# (t/e2e/lying_resolver.c), so that the bridge and libcurl are those of the product.

use strict;
use warnings;
use feature 'signatures';
use FindBin;
use lib "$FindBin::Bin/../lib";

use IO::Socket::IP;
use Test::ABDM;
use Test::More;

Test::ABDM->need_module;
plan skip_all => 'AddressSanitizer wants to be the first library' if Test::ABDM->build_dir =~ /asan/;

my $t    = Test::ABDM->new(push_allow => [], main => ['env LYING_LOG;']);
my $liar = "$t->{dir}/lying_resolver.so";
system('cc', '-shared', '-fPIC', '-O1', '-w', '-o', $liar, "$FindBin::Bin/lying_resolver.c", '-ldl') == 0
    or plan skip_all => 'no compiler';
$t->{option}{env} = { LD_PRELOAD => $liar, LYING_LOG => "$t->{dir}/network" };
$t->start;

# What was looked up and connected to since the last time, the gateway and the HMIS apart.
my $read = 0;

sub network {
    my @lines = split /\n/, $t->read_file('network');
    my @new = @lines[$read .. $#lines];
    $read = @lines;
    return grep { !/ (?:$t->{sim_port}|$t->{hmis_port})\z/ } @new;
}

# A server inside that nobody may reach.
my $trap = IO::Socket::IP->new(LocalHost => '127.0.0.1', LocalPort => 0, Listen => 8) or die "no port: $@\n";
my $port = $trap->sockport;

sub caught {
    my $ears = q{};
    vec($ears, fileno $trap, 1) = 1;
    return scalar select $ears, undef, undef, 0.1;
}

sub request ($url) {
    my $consent = $t->grant(contexts => ['OPD-26-0802'], patient_reference => 'UH100232');
    $t->wait_for(ack => consent => $consent->{consent_id}) or die "no acknowledgement\n";
    network();
    return scalar $t->request($consent, push_url => $url);
}

# The transfer was allowed at first, since a name says nothing, and then failed by the rule.
sub failed ($id, $code) {
    my $done = $t->wait_for(notify => transaction => $id, timeout_ms => 30_000);
    ok $done, 'the transfer ends' or return;
    is $done->{notify}{statusNotification}{sessionStatus}, 'FAILED', 'as failed';
    my $known = $t->wait_until(sub { grep { $_ eq $code } $t->reasons($id) });
    ok $known, "abdm explain names $code";
    ok !caught(), 'nobody came to the server inside';
    return;
}

subtest 'a name that turns inside between two attempts is not followed' => sub {
    my $name = '8-8-8-8-then-127-0-0-1.test';
    my $id = request("https://$name:$port/push");
    failed($id, 'E_PUSH_ADDRESS');
    is_deeply [network()], ["look-up $name", "connect 8.8.8.8 $port", "look-up $name"],
        'the address that was judged was called, and the next attempt was judged anew';
};

subtest 'a name that turns inside at once gains nothing: it is looked up once for an attempt' => sub {
    my $name = '8-8-4-4-then-127-0-0-1-then-8-8-4-4.test';
    my $id = request("https://$name:$port/push");
    failed($id, 'E_PUSH_ADDRESS');
    is scalar(grep { /\Aconnect 127/ } network()), 0, 'no connection inside';
};

my @INSIDE = (
    ['loopback',                 '127-0-0-1.test'],
    ['one good and one bad',     '8-8-8-8-and-127-0-0-1.test'],
    ['one bad and one good',     '10-0-0-1-and-8-8-8-8.test'],
    ['a cloud\'s metadata',      '169-254-169-254.test'],
    ['IPv4 within IPv6',         'xxffffx127-0-0-1.test'],
    ['IPv6 loopback',            'xx1.test'],
    ['NAT64',                    '64xff9bxx7f00x1.test'],
    ['local NAT64',              '64xff9bx1xx7f00x1.test'],
    ['6to4',                     '2002x7f00x1xx1.test'],
    ['unique local',             'fd00xec2xx254.test'],
    ['public IPv6 and inside',   '2606x4700xx1111-and-fe80xx1.test'],
    ['more addresses than any server has', '70-times-8-8-8-8.test'],
);

for my $case (@INSIDE) {
    my ($what, $name) = @$case;
    subtest "a name that leads to $what is not called" => sub {
        my $id = request("https://$name:$port/push");
        failed($id, 'E_PUSH_ADDRESS');
        is_deeply [network()], ["look-up $name"], 'looked up once, and nobody was called';
    };
}

subtest 'nothing of this needs a name: an address is judged when it is asked for' => sub {
    my $id = request("https://127.0.0.1:$port/push");
    my $done = $t->wait_for(on_request => transaction => $id);
    is $done->{refused}{code}, 'ABDM-1006', 'refused';
    is_deeply [network()], [], 'no look-up, no connection';
};
$t->no_violations;

subtest 'a requester sees no secret of ours, and is not followed elsewhere' => sub {
    my $open = Test::ABDM->new->start;
    my $consent = $open->grant(contexts => ['OPD-26-0802'], patient_reference => 'UH100232');
    $open->wait_for(ack => consent => $consent->{consent_id});
    ok $open->wait_for(notify => transaction => scalar $open->request($consent)), 'transferred';
    my ($push) = @{ $open->sim('/calls?path=^/hiu/push/')->{calls} };
    is_deeply [sort map { lc } keys %{ $push->{headers} }], [qw(accept content-length content-type host)],
        'headers: what HTTP needs, and no more';
    ok !$push->{authorization}, 'no Authorization';

    for my $location ($open->sim_url . '/hiu/push/elsewhere', 'https://127.0.0.1:1/', 'http://169.254.169.254/') {
        $open->sim('/faults', { path => '^/hiu/push/', action => 'redirect', location => $location, count => 1 });
        my $id = $open->request($consent);
        my $done = $open->wait_for(notify => transaction => $id, timeout_ms => 30_000);
        is $done->{notify}{statusNotification}{sessionStatus}, 'FAILED', "not followed to $location";
    }
    is $open->sim('/calls?path=/hiu/push/elsewhere')->{count}, 0, 'no call to a target';
    $open->no_violations;
    $open->stop;
    unlike $open->error_log, qr/\[(?:alert|emerg)\]|eyJ/, 'no alert and no token in its error log';
};

subtest 'with abdm_push_new_host hold the pages for a new host wait for an operator' => sub {
    my $held = Test::ABDM->new(http => ['abdm_push_new_host hold;'], push_allow => ['127.0.0.0/8', '::1'])->start;
    my $hosts = $held->url . '/abdm/api/v1/push-hosts';
    my $ask = sub (%wish) {
        my $consent = $held->grant(contexts => ['OPD-26-0802'], patient_reference => 'UH100232');
        $held->wait_for(ack => consent => $consent->{consent_id});
        my $id = $held->sim("/consents/$consent->{consent_id}/request", \%wish)->{transaction_id};
        return ($id, $consent);
    };
    my ($first) = $ask->();
    ok $held->wait_for(notify => transaction => $first), 'a requester\'s first host is taken as it is';
    my $url = sub ($n) { return "https://localhost:$held->{sim_port}/hiu/push/held-$n" };
    my ($id, $consent) = $ask->(push_url => $url->(1));
    ok $held->wait_until(sub { grep { $_->{what} =~ /data held/ } @{ ($held->explain($id) // {})->{history} // [] } }, 10), 'held, as abdm explain tells';
    ok $held->wait_until(sub { grep { /then|page_due/ } $held->open_work($id) }), 'its page waits';
    is $held->sim('/calls?path=held-1')->{count}, 0, 'and nothing went out';
    like $held->error_log, qr/alert: data held: new host of the requester; .*host=localhost/, 'with an alert in the log';
    my $list = $held->ua->get("$hosts?state=held" => { 'X-HIP-ID' => $held->{hip} })->result->json->{pushHosts};
    is_deeply [map { $_->{host} } @$list], ['localhost'], 'the API lists it';
    my $allowed = $held->ua->post($hosts => { 'X-HIP-ID' => $held->{hip} }
        => json => { requester => $list->[0]{requester}, host => 'localhost', state => 'allowed' })->result;
    is $allowed->code, 200, 'an operator allows it';
    ok $held->wait_until(sub { $held->sim('/calls?path=held-1')->{count} }, 25), 'then the page goes out';
    $held->stop;
};

$t->finish;
