#!/usr/bin/env perl

# What a consent does not cover stays in the hospital: every request that must be refused gets the
# gateway's code for it, nothing is asked of the HMIS, nothing is pushed, and the operator is told
# which rule refused.

use strict;
use warnings;
use feature 'signatures';
use FindBin;
use lib "$FindBin::Bin/../lib";

use Crypt::PRNG qw(random_bytes);
use MIME::Base64 qw(encode_base64);
use Test::ABDM;
use Test::More;

Test::ABDM->need_module;

my $OTHER = 'IN0880005678_9';
my $t     = Test::ABDM->new(http => [
    "abdm_facility $OTHER { name \"Other Hospital\"; hmis rest http://127.0.0.1:1 mapping="
        . Test::ABDM->root . '/conf/hmis/demo; }',
])->start;
$t->sim('/config', { hips => { $t->{hip} => 'Demo Hospital', $OTHER => 'Other Hospital' } });

sub ago ($seconds) { return iso(time - $seconds) }

sub iso ($time) {
    my @at = gmtime $time;
    return sprintf '%04d-%02d-%02dT%02d:%02d:%02d.000Z', $at[5] + 1900, $at[4] + 1, @at[3, 2, 1, 0];
}

sub granted (%wish) {
    my $consent = $t->grant(%wish);
    $t->wait_for(ack => consent => $consent->{consent_id}) or die "no acknowledgement\n";
    return $consent;
}

# The consent's state becomes known to the bridge; returns when it has said so.
sub changed ($consent, $status, %wish) {
    my $count = 1 + @{ $t->sim("/consents/$consent->{consent_id}")->{acks} };
    $t->announce($consent, $status, %wish);
    return $t->wait_for(ack => consent => $consent->{consent_id}, count => $count);
}

# The feed of new visits is read whatever else happens.
sub hmis_calls { return scalar grep { $_->{path} ne '/api/changes' } @{ $t->hmis('/_test/requests')->{requests} } }

# The request is refused with $wire, for the reason $code, and has no effect.
sub refused ($consent, $wire, $code, %wish) {
    my $before = hmis_calls();
    my ($id, $sent) = $t->request($consent, %wish);
    is $sent->{status}, 202, 'the request is taken';
    my $done = $t->wait_for(on_request => transaction => $id);
    ok $done, 'and answered' or return;
    is $done->{refused}{code}, $wire, "with $wire";
    like $done->{refused}{message}, qr/\w/, 'and a sentence';
    is_deeply $done->{pages}, [], 'no page is pushed';
    is $done->{notify}, undef, 'no outcome is notified';
    is hmis_calls(), $before, 'the HMIS is not asked';
    my $told = $t->explain($id);
    is $told->{transfer}[0]{state}, 'REFUSED', 'the transfer is listed as refused';
    my ($rule) = grep { defined $_->{reason} } @{ $told->{history} };
    is $rule->{reason}, $code, "abdm explain names $code";
    like "$rule->{meaning} $rule->{remedy}", qr/\w/, 'and says what it means';
    is $t->listed($id)->{reason}, $code, 'abdm transfers names it too';
    return $id;
}

subtest 'a request for a consent that was never notified is refused after the waiting time' => sub {
    my $consent = $t->sim('/consents', { hip => $t->{hip} });
    my $start   = time;
    refused($consent, 'ABDM-1112', 'E_CONSENT_UNKNOWN');
    cmp_ok time - $start, '>=', 3, 'not at once, since its notice may be late';
};

subtest 'a request that overtakes the notice of its consent is served' => sub {
    my $consent = $t->sim('/consents', { hip => $t->{hip}, contexts => ['OPD-26-0802'], patient_reference => 'UH100232' });
    my $id      = $t->request($consent);
    $t->announce($consent, 'GRANTED');
    my $done = $t->wait_for(notify => transaction => $id);
    ok $done, 'it ends' or return;
    is $done->{notify}{statusNotification}{sessionStatus}, 'TRANSFERRED', 'transferred';
    is scalar @{ $done->{pages} }, 1, 'with its page';
};

subtest 'a revoked consent is refused, also when its GRANTED is delivered once more' => sub {
    my $consent = granted();
    ok changed($consent, 'REVOKED'), 'revoked';
    refused($consent, 'ABDM-1062', 'E_CONSENT_REVOKED');
    ok changed($consent, 'GRANTED'), 'granted again';
    refused($consent, 'ABDM-1062', 'E_CONSENT_REVOKED');
};

subtest 'a revocation with nothing but the id revokes, and no later GRANTED brings the consent to life' => sub {
    my $consent = $t->sim('/consents', { hip => $t->{hip} });
    ok changed($consent, 'REVOKED', body => { notification => { grantAcknowledgement => undef } }), 'acknowledged';
    ok changed($consent, 'GRANTED'), 'then granted';
    refused($consent, 'ABDM-1062', 'E_CONSENT_REVOKED');
};

subtest 'a consent past its dataEraseAt is refused without any notice' => sub {
    refused(granted(erase_at => ago(60)), 'ABDM-1061', 'E_CONSENT_EXPIRED');
};

subtest 'a consent that was notified as expired is refused' => sub {
    my $consent = granted();
    ok changed($consent, 'EXPIRED'), 'expired';
    refused($consent, 'ABDM-1061', 'E_CONSENT_EXPIRED');
};

subtest 'dates beyond those of the consent are refused on either side' => sub {
    my $consent = granted(from => '2025-01-01T00:00:00.000Z', to => '2026-03-01T00:00:00.000Z');
    refused($consent, 'ABDM-1063', 'E_CONSENT_RANGE', from => '2024-12-31T23:59:59.999Z');
    refused($consent, 'ABDM-1063', 'E_CONSENT_RANGE', to => '2026-03-01T00:00:00.001Z');
    refused($consent, 'ABDM-1063', 'E_CONSENT_RANGE', from => '2026-02-01T00:00:00.000Z', to => '2026-01-01T00:00:00.000Z');
};

subtest 'a consent of one facility is none of another' => sub {
    my $consent = $t->grant(detail => { hip => { id => $OTHER } });
    is $consent->{sent}{status}, 202, 'a notice with another hip.id is taken';
    my $said = $t->wait_until(sub {
        my ($call) = grep { $_->{body}{response}{requestId} eq $consent->{sent}{request_id} }
            @{ $t->sim('/calls?path=hip/on-notify$')->{calls} };
        $call;
    });
    is $said->{body}{error}{code}, 'ABDM-1035', 'and answered with an error';
    ok grep({ $_ eq 'E_CONSENT_OTHER_HIP' } $t->reasons($consent->{consent_id})), 'abdm explain names the rule';
    refused($consent, 'ABDM-1112', 'E_CONSENT_UNKNOWN');
};

# keyMaterial as a patch over a good one
sub key (%change) { return (body => { hiRequest => { keyMaterial => {%change} } }) }
sub point ($bytes) { return key(dhPublicKey => { keyValue => encode_base64($bytes, '') }) }

my @BAD_KEY = (
    ['a point off the curve'            => point("\4" . "\1" x 64)],
    ['the point at infinity'            => point("\0")],
    ['a coordinate beyond the prime'    => point("\4" . "\xFF" x 64)],
    ['an X25519 key of 32 bytes'        => point("\x09" . "\0" x 31)],
    ['a key that is not base64'         => key(dhPublicKey => { keyValue => '!!!' })],
    ['no key at all'                    => key(dhPublicKey => { keyValue => undef })],
    ['another curve'                    => key(curve => 'P-256')],
    ['another algorithm'                => key(cryptoAlg => 'RSA')],
    ['a nonce of 31 bytes'              => key(nonce => encode_base64(random_bytes(31), ''))],
    ['a nonce of 33 bytes'              => key(nonce => encode_base64(random_bytes(33), ''))],
);

subtest 'key material that is not usable is refused, whatever is wrong with it' => sub {
    my $consent = granted();
    for my $case (@BAD_KEY) {
        my ($name, @wish) = @$case;
        subtest $name => sub { refused($consent, 'ABDM-1006', 'E_KEY_MATERIAL', @wish) };
    }
    subtest 'an expired key' => sub { refused($consent, 'ABDM-1006', 'E_KEY_EXPIRED', key_expiry => ago(3600)) };
};

my @BAD_URL = (
    ['plain http',               'http://127.0.0.1:8443/push',             'E_PUSH_URL'],
    ['user information',         'https://hiu@127.0.0.1:8443/push',        'E_PUSH_URL'],
    ['a port of other services', 'https://127.0.0.1:25/push',              'E_PUSH_URL'],
    ['a private address',        'https://10.0.0.1/push',                  'E_PUSH_ADDRESS'],
    ['another private address',  'https://192.168.1.1/push',               'E_PUSH_ADDRESS'],
    ['a cloud\'s metadata',      'https://169.254.169.254/latest',         'E_PUSH_ADDRESS'],
    ['IPv6 loopback',            'https://[::1]:8443/push',                'E_PUSH_ADDRESS'],
    ['IPv4 written as IPv6',     'https://[::ffff:127.0.0.1]:8443/push',   'E_PUSH_ADDRESS'],
    ['a decimal address',        'https://2130706433:8443/push',           'E_PUSH_URL'],
);

subtest 'a dataPushUrl that leads elsewhere than to a public https server is refused' => sub {
    my $consent = granted();
    for my $case (@BAD_URL) {
        my ($name, $url, $code) = @$case;
        subtest $name => sub { refused($consent, 'ABDM-1006', $code, push_url => $url) };
    }
};

subtest 'a transfer asked for twice is answered twice the same and pushed once' => sub {
    my $consent = granted(contexts => ['OPD-26-0802'], patient_reference => 'UH100232');
    my $id      = $t->request($consent);
    my $done    = $t->wait_for(notify => transaction => $id);
    my $push    = $t->sim("/calls?path=/hiu/push/")->{count};
    my $url     = $t->sim("/calls?path=/hiu/push/")->{calls}[-1];
    my $again   = $t->sim('/callback', {
        path => '/api/v3/hip/health-information/request', hip => $t->{hip}, body => {
            requestId => '', timestamp => '', transactionId => $id, hiRequest => {
                consent => { id => $consent->{consent_id} }, dataPushUrl => $t->sim_url . "$url->{path}?$url->{query}",
                dateRange => $consent->{detail}{permission}{dateRange},
                keyMaterial => { cryptoAlg => 'ECDH', curve => 'Curve25519', nonce => encode_base64(random_bytes(32), ''),
                    dhPublicKey => { expiry => iso(time + 3600), parameters => 'x', keyValue => 'AAAA' } },
            },
        },
    });
    is $again->{status}, 202, 'the second request is taken';
    my $answer = $t->wait_until(sub {
        my ($call) = grep { $_->{body}{response}{requestId} eq $again->{request_id} }
            @{ $t->sim('/calls?path=hip/on-request$')->{calls} };
        $call;
    });
    is_deeply $answer->{body}{hiRequest}, $done->{on_request}{hiRequest}, 'and answered as the first';
    is $t->sim("/calls?path=/hiu/push/")->{count}, $push, 'nothing is pushed a second time';
    is_deeply [$t->open_work($id)], [], 'nothing is left to do';
    is $t->explain($id)->{transfer}[0]{state}, 'DONE', 'the transfer stays done';
};

subtest 'a request without the fields it needs is refused' => sub {
    my $consent = granted();
    my $sent    = $t->sim("/consents/$consent->{consent_id}/request", { body => { hiRequest => { dateRange => undef } } });
    my $done    = $t->wait_for(on_request => transaction => $sent->{transaction_id});
    is $done->{refused}{code}, 'ABDM-1006', 'ABDM-1006';
    ok grep({ $_ eq 'E_FIELD' } $t->reasons($sent->{transaction_id})), 'abdm explain names the rule';
};

$t->no_violations;

# Where no address was allowed, loopback is refused as such, and as the address behind a name.
subtest 'without abdm_push_allow loopback is refused, by address at once and by name before any connection' => sub {
    my $strict = Test::ABDM->new(push_allow => [], plugin => 1)->start;
    my $granted = sub {
        my $consent = $strict->grant(contexts => ['OPD-26-0802'], patient_reference => 'UH100232');
        $strict->wait_for(ack => consent => $consent->{consent_id});
        return $consent;
    };
    my $id = $strict->request($granted->());
    my $done = $strict->wait_for(on_request => transaction => $id);
    is $done->{refused}{code}, 'ABDM-1006', '127.0.0.1: refused';
    is $strict->listed($id)->{reason}, 'E_PUSH_ADDRESS', 'for its address';

    $id = $strict->request($granted->(), push_url => "https://localhost:$strict->{sim_port}/hiu/push/x");
    $done = $strict->wait_for(notify => transaction => $id);
    ok $done, 'localhost: ended' or return;
    is $done->{notify}{statusNotification}{sessionStatus}, 'FAILED', 'as failed';
    is_deeply [map { $_->{hiStatus} } @{ $done->{notify}{statusNotification}{statusResponses} }], ['ERRORED'], 'ERRORED';
    ok grep({ $_ eq 'E_PUSH_ADDRESS' } $strict->reasons($id)), 'abdm explain names the rule';
    is $strict->sim('/calls?path=/hiu/push/')->{count}, 0, 'no connection reached the requester';
    $strict->no_violations;
    $strict->stop;
    unlike $strict->error_log, qr/\[(?:alert|emerg)\]/, 'no alert in its error log';
};

$t->finish;
