#!/usr/bin/env perl

# Trouble on the way out, at the requester's server and at the gateway: what may pass is tried again,
# what is final is final, a page is never delivered twice, and the gateway is told the truth.

use strict;
use warnings;
use feature 'signatures';
use FindBin;
use lib "$FindBin::Bin/../lib";

use Time::HiRes qw(time sleep);
use Test::ABDM;
use Test::More;

Test::ABDM->need_module;
my $t = Test::ABDM->new->start;

my $ON_REQUEST = 'hip/on-request$';
my $NOTIFY     = 'health-information/notify$';
my $SESSIONS   = 'v3/sessions$';

sub fault (%fault) { return $t->sim('/faults', \%fault) }

sub granted (%wish) {
    my $consent = $t->grant(contexts => ['OPD-25-3107'], %wish);    # a visit of two pages
    $t->wait_for(ack => consent => $consent->{consent_id}, timeout_ms => 20_000) or die "no acknowledgement\n";
    return $consent;
}

# Calls to the requester of one transfer, in order: [page number, status of the answer]
sub pushes ($done) {
    my $calls = $t->sim("/calls?path=$done->{push_path}")->{calls};
    return map { [($_->{page} // {})->{pageNumber}, ($_->{fault} // {})->{status} // $_->{status}] } @$calls;
}

sub ended ($id, $word, @hi_status) {
    my $done = $t->wait_for(notify => transaction => $id, timeout_ms => 30_000);
    ok $done, 'the transfer ends' or return;
    my $status = $done->{notify}{statusNotification};
    is $status->{sessionStatus}, $word, "as $word";
    is_deeply [map { $_->{hiStatus} } @{ $status->{statusResponses} }], \@hi_status, "@hi_status";
    is_deeply [$t->open_work($id)], [], 'nothing is left to do' if $t->wait_until(sub { $t->listed($id)->{state} eq 'DONE' });
    $t->sim_delete('/faults');
    return $done;
}

sub delivered ($id) { return ended($id, 'TRANSFERRED', 'DELIVERED') }

sub numbers ($done) { return [map { $_->{pageNumber} } @{ $done->{pages} }] }

subtest 'a page that meets a 500, a 503 or a 429 comes again under the same number, and once' => sub {
    for my $status (500, 503, 429) {
        my $consent = granted();
        fault(path => '^/hiu/push/', page => 0, action => 'status', status => $status, count => 1);
        my $done = delivered(scalar $t->request($consent)) or next;
        is_deeply numbers($done), [0, 1], 'two pages';
        is_deeply [pushes($done)], [[0, $status], [0, 202], [1, 202]], "$status, then taken";
    }
};

subtest 'a page that meets a 400, 401, 404 or 413 is not tried again' => sub {
    for my $status (400, 401, 404, 413) {
        my $consent = granted();
        fault(path => '^/hiu/push/', page => 1, action => 'status', status => $status);
        my $id   = $t->request($consent);
        my $done = ended($id, 'FAILED', 'ERRORED') or next;
        is_deeply [pushes($done)], [[0, 202], [1, $status]], "$status is final";
        ok grep({ $_ eq 'E_PUSH_REFUSED' } $t->reasons($id)), 'abdm explain says who refused';
        my ($row) = grep { $_->{page} == 1 } @{ $t->explain($id)->{pages} };
        is $row->{state}, 'FAILED', 'the page is listed as failed';
    }
};

subtest 'a requester that takes a page and breaks the connection gets the same page again' => sub {
    my $consent = granted();
    fault(path => '^/hiu/push/', page => 0, action => 'drop', process => 1, count => 1);
    my $done = delivered(scalar $t->request($consent));
    is_deeply numbers($done), [0, 1], 'two pages';
};

subtest 'a requester that breaks the connection in the middle gets the page again' => sub {
    my $consent = granted();
    fault(path => '^/hiu/push/', page => 1, action => 'drop', count => 1);
    my $done = delivered(scalar $t->request($consent));
    is_deeply numbers($done), [0, 1], 'two pages';
};

subtest 'a redirect is not followed' => sub {
    my $consent = granted();
    fault(path => '^/hiu/push/', action => 'redirect', location => $t->sim_url . '/hiu/push/elsewhere');
    my $id   = $t->request($consent);
    my $done = ended($id, 'FAILED', 'ERRORED');
    is $t->sim('/calls?path=/hiu/push/elsewhere')->{count}, 0, 'no call to its target';
};

subtest 'a slow requester is waited for' => sub {
    my $consent = granted();
    fault(path => '^/hiu/push/', action => 'delay', ms => 1500, count => 2);
    my $done = delivered(scalar $t->request($consent));
    is_deeply [pushes($done)], [[0, 202], [1, 202]], 'each page is sent once';
};

subtest 'an endless answer of the requester does not hold up the transfer' => sub {
    my $consent = granted();
    fault(path => '^/hiu/push/', page => 0, action => 'huge', status => 500, count => 1);
    my $done = delivered(scalar $t->request($consent));
    is_deeply numbers($done), [0, 1], 'two pages';
};

subtest 'after a revocation at most the page on the wire goes out' => sub {
    my %papers  = ('OPD-25-3107' => 2, 'IPD-25-0092' => 3, 'OPD-26-0771' => 3);
    my $consent = granted(contexts => [sort keys %papers]);
    fault(path => '^/hiu/push/', page => 2, action => 'delay', ms => 1500, count => 1);
    my $id   = $t->request($consent);
    my $path = $t->sim("/transfers/$id")->{push_path};
    $t->wait_for(call => path => $path, count => 3) or die "no third page\n";
    is $t->announce($consent, 'REVOKED')->{status}, 202, 'revoked while the third page is on the wire';
    my $done = $t->wait_for(notify => transaction => $id);
    ok $done, 'the transfer ends' or return;
    is_deeply numbers($done), [0, 1, 2], 'nothing behind it is sent';
    $papers{ $_->{careContextReference} }-- for @{ $done->{pages} };
    is_deeply { map { $_->{careContextReference} => $_->{hiStatus} } @{ $done->{notify}{statusNotification}{statusResponses} } },
        { map { $_ => $papers{$_} ? 'ERRORED' : 'DELIVERED' } keys %papers }, 'DELIVERED is only what went out whole';
    ok grep({ $_ eq 'E_CONSENT_REVOKED' } $t->reasons($id)), 'abdm explain names the rule';
    $t->sim_delete('/faults');
};

subtest 'a session token that the gateway forgot is replaced at once, and the call comes with a fresh REQUEST-ID' => sub {
    $t->sim('/sessions/forget', {});
    my $before = $t->sim('/metrics')->{counters}{sessions};
    my $start  = time;
    my $done   = delivered(scalar $t->request(granted()));
    is $t->sim('/metrics')->{counters}{sessions}, $before + 1, 'by one new session';
    cmp_ok time - $start, '<', 5, 'without a pause';
};

subtest 'a session that expires during the run is renewed before it does' => sub {
    $t->sim('/config', { token_seconds => 3 });
    $t->sim('/sessions/forget', {});
    my $before = $t->sim('/metrics')->{counters}{sessions};
    for my $round (1 .. 4) {
        delivered(scalar $t->request(granted()));
        sleep 1;
    }
    cmp_ok $t->sim('/metrics')->{counters}{sessions}, '>', $before + 1, 'more than one session was used';
    $t->sim('/config', { token_seconds => 1200 });
};

subtest 'a gateway that answers 500 gets the call again, one that names a time not before it' => sub {
    my $consent = granted();
    fault(path => $ON_REQUEST, action => 'status', status => 500, count => 1);
    fault(path => $NOTIFY, action => 'status', status => 429, retry_after => 2, count => 1);
    my $done = delivered(scalar $t->request($consent)) or return;
    my @calls = grep { ($_->{body}{notification}{transactionId} // '') eq $done->{transaction_id} }
        @{ $t->sim("/calls?path=$NOTIFY")->{calls} };
    is scalar @calls, 2, 'notified again';
    cmp_ok $calls[1]{ms} - $calls[0]{ms}, '>=', 1900, 'two seconds later';
    isnt $calls[0]{headers}{'request-id'}, $calls[1]{headers}{'request-id'}, 'with a fresh REQUEST-ID';
    is_deeply $calls[0]{body}, $calls[1]{body}, 'and the same words';
};

subtest 'an answer of the gateway that was lost is no reason to push twice or to say something else' => sub {
    my $consent = granted();
    fault(path => $ON_REQUEST, action => 'drop', process => 1, count => 1);
    fault(path => $NOTIFY, action => 'drop', process => 1, count => 1);
    my $done = delivered(scalar $t->request($consent));
    is_deeply numbers($done), [0, 1], 'two pages';
};

subtest 'a gateway that refuses the acknowledgement is believed: nothing is pushed' => sub {
    my $consent = granted();
    fault(path => $ON_REQUEST, action => 'status', status => 400,
        body => { error => { code => 'ABDM-1010', message => 'no' } });
    my $id   = $t->request($consent);
    my $done = ended($id, 'FAILED', 'ERRORED');
    is_deeply $done->{pages}, [], 'no page';
    ok grep({ $_ eq 'E_GATEWAY_REFUSED' } $t->reasons($id)), 'abdm explain names the reason';
};

subtest 'a gateway that is away for some seconds delays, and loses nothing' => sub {
    my $consent = granted();
    fault(path => '/api/hiecm/', action => 'drop');
    my $id = $t->request($consent);
    ok !$t->wait_for(on_request => transaction => $id, timeout_ms => 2500), 'no acknowledgement while it is away';
    is $t->listed($id)->{state}, 'CONFIRMING', 'abdm transfers shows what it waits for';
    $t->sim_delete('/faults');
    delivered($id);
};

subtest 'an endpoint for sessions that is down at first only delays' => sub {
    $t->sim('/sessions/forget', {});
    fault(path => $SESSIONS, action => 'status', status => 503, count => 2);
    my $consent = granted();
    fault(path => $SESSIONS, action => 'garbage', count => 1);
    $t->sim('/sessions/forget', {});
    delivered(scalar $t->request($consent));
    $t->stop_nginx;
    fault(path => $SESSIONS, action => 'drop', count => 2);
    $t->start_nginx;
    delivered(scalar $t->request(granted(notify => { retry => 1 })));
};

my $authorized = grep { $_->{authorization} } @{ $t->sim('/calls?path=^/hiu/')->{calls} };
is $authorized, 0, 'no call to a requester ever carried a token';
$t->no_violations('no REQUEST-ID was used twice, and every message kept to the protocol');
$t->finish;
