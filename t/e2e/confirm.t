#!/usr/bin/env perl

# A consent counts only when the consent manager says the same as its notice did: fetched once at its
# first use, whatever the consent manager does with the question, who else answers it, and whoever
# dies meanwhile. And what becomes of its signature.

use strict;
use warnings;
use feature 'signatures';
use FindBin;
use lib "$FindBin::Bin/../lib";

use Cpanel::JSON::XS ();
use MIME::Base64 qw(encode_base64);
use Test::ABDM;
use Test::More;

Test::ABDM->need_module;
plan skip_all => 'this build has no fault points' if Test::ABDM->build_dir !~ m{/(?:test|asan|cov)\z};

my $FETCH    = '/api/hiecm/consent/v3/fetch';
my $ON_FETCH = '/api/v3/hiu/consent/on-fetch';
my $OTHER    = 'IN0880005678_9';
my $UNSERVED = 'consent not confirmed: the consent manager does not serve fetches';
my $SECONDS  = 1000;
my $JSON     = Cpanel::JSON::XS->new->utf8->canonical;

my $t     = Test::ABDM->new(clock => 1, main => ['env ABDM_FAULT_FILE;'], lines => ['poll off;'],
    others => { $OTHER => { name => 'Other Hospital', lines => ['poll off;'] } });
my $FAULT = "$t->{dir}/fault";
$t->{option}{env} = { ABDM_FAULT_FILE => $FAULT };
$t->start;

# nginx anew, with these lines.
sub with (@lines) {
    $t->stop_nginx;
    $t->write_conf(abdm => \@lines);
    return $t->start_nginx;
}

sub manager ($fetch) { return $t->sim('/config', { fetch => $fetch }) }

sub granted (%wish) {
    my $consent = $t->grant(contexts => ['OPD-26-0802'], patient_reference => 'UH100232', %wish);
    $t->wait_for(ack => consent => $consent->{consent_id}) or die "no acknowledgement\n";
    return $consent;
}

sub fetches { return $t->sim("/calls?path=$FETCH")->{count} }

# A fetch more than $before has been made.
sub fetched ($before) { return $t->wait_until(sub { fetches() > $before }, 5) }

sub history ($id) { return @{ ($t->explain($id) // { history => [] })->{history} } }

sub told ($id, $what) { return scalar grep { $_->{what} eq $what } history($id) }

sub confirmation ($consent) { return $t->explain($consent->{consent_id})->{consent}[0]{confirmation} // {} }

sub transferred ($id, $name = 'transferred') {
    my $done = $t->wait_for(notify => transaction => $id);
    is(($done // {})->{notify}{statusNotification}{sessionStatus}, 'TRANSFERRED', $name) || diag explain $t->explain($id);
    return $done;
}

# Refused with $wire for $code, and nothing has left.
sub refused ($id, $wire, $code) {
    my $done = $t->wait_for(on_request => transaction => $id);
    is(($done // {})->{refused}{code}, $wire, "refused with $wire") || diag explain $t->explain($id);
    is_deeply $done->{pages}, [], 'nothing is pushed';
    is $t->listed($id)->{reason}, $code, "abdm transfers names $code";
    return;
}

sub waiting ($id) {
    ok $t->wait_until(sub { ($t->listed($id) // {})->{state} // '' eq 'CONFIRMING' }), 'the request waits';
    return is $t->listed($id)->{state}, 'CONFIRMING', 'and abdm transfers says so';
}

sub unknown_answers { return scalar(() = $t->error_log =~ /E_ANSWER_UNKNOWN/g) }

sub asked_of_hmis { return $t->hmis('/_test/requests')->{count} }

# ---- the consent manager answers --------------------------------------------------------------------

subtest 'a consent is fetched once, at its first use' => sub {
    my $before  = fetches();
    my $consent = granted();
    is fetches(), $before, 'not when it is granted';
    transferred(my $id = $t->request($consent));
    is fetches(), $before + 1, 'but when it is used';
    transferred(scalar $t->request($consent));
    is fetches(), $before + 1, 'and once';
    is confirmation($consent)->{state}, 'CONFIRMED', 'abdm explain says so of the consent';
    ok told($consent->{consent_id}, 'consent confirmed by the consent manager'), 'and since when';
    ok told($id, 'request waits for the consent to be confirmed'), 'and of the transfer that it waited';
    my ($call) = @{ $t->sim("/calls?path=$FETCH")->{calls} };
    is $call->{headers}{'X-HIP-ID'} // $call->{headers}{'x-hip-id'}, $t->{hip}, 'the facility asks in its own name';
};

subtest 'requests that come meanwhile wait for the same fetch' => sub {
    my $before  = fetches();
    my $consent = granted();
    $t->sim('/callback_faults', { path => $ON_FETCH, action => 'delay', ms => 1500, count => 1 });
    my @ids = map { scalar $t->request($consent) } 1 .. 5;
    waiting($ids[4]);
    transferred($_) for @ids;
    is fetches(), $before + 1, 'one fetch for all';
};

my %DIFFERENT = (
    patient      => { patient => { id => 'somebody.else@sbx' } },
    hip          => { hip => { id => $OTHER } },
    hiu          => { hiu => { id => 'IN0000000000_1' } },
    purpose      => { purpose => { code => 'PATRQT' } },
    hiTypes      => { hiTypes => ['Invoice'] },
    careContexts => { careContexts => [{ patientReference => 'UH100232', careContextReference => 'OPD-26-0771' }] },
    'dateRange.from' => { permission => { dateRange => { from => '2024-01-01T00:00:00.000Z' } } },
    'dateRange.to'   => { permission => { dateRange => { to => '2024-01-01T00:00:00.000Z' } } },
    dataEraseAt      => { permission => { dataEraseAt => '2040-01-01T00:00:00.000Z' } },
);
for my $member (sort keys %DIFFERENT) {
    subtest "another $member than was notified refuses" => sub {
        my $asked   = asked_of_hmis();
        my $consent = granted();
        $t->sim('/callback_faults', { path => $ON_FETCH, action => 'change', count => 1,
            body => { consent => { consentDetail => $DIFFERENT{$member} } } });
        refused(scalar $t->request($consent), 'ABDM-1112', 'E_CONSENT_MISMATCH');
        is confirmation($consent)->{reason}, 'E_CONSENT_MISMATCH', 'abdm explain names the reason';
        is_deeply [map { $_->{detail} } grep { ($_->{reason} // '') eq 'E_CONSENT_MISMATCH' } history($consent->{consent_id})],
            [$member], 'and the member';
        is asked_of_hmis(), $asked, 'the HMIS is not asked';
        like $t->error_log, qr/alert: consent not confirmed; facility=\S+ id=$consent->{consent_id} detail="$member"/, 'the log alerts';
    };
}

subtest 'a consent that the consent manager does not know is refused' => sub {
    manager('unknown');
    my $consent = granted();
    refused(scalar $t->request($consent), 'ABDM-1112', 'E_CONSENT_UNCONFIRMED');
    manager('normal');
    my $before = fetches();
    refused(scalar $t->request($consent), 'ABDM-1112', 'E_CONSENT_UNCONFIRMED');
    is fetches(), $before, 'and not asked for again at once';
    $t->advance(61 * $SECONDS);
    transferred(scalar $t->request($consent), 'but later');
};

subtest 'silence refuses, after a second fetch, in time for the answer' => sub {
    manager('silent');
    my $before  = fetches();
    my $consent = granted();
    my $id      = $t->request($consent);
    ok fetched($before), 'asked';
    waiting($id);
    $t->advance(21 * $SECONDS);
    ok fetched($before + 1), 'asked again';
    is $t->listed($id)->{state}, 'CONFIRMING', 'still waiting';
    $t->advance(21 * $SECONDS);
    refused($id, 'ABDM-1024', 'E_CONSENT_SILENCE');
    is fetches(), $before + 2, 'two fetches';
    manager('normal');
    $t->advance(6 * $SECONDS);
    transferred(scalar $t->request($consent), 'a later request is asked for anew');
};

subtest 'a fetch that fails for some time is made again' => sub {
    my $consent = granted();
    $t->sim('/faults', { path => $FETCH, action => 'status', status => 503, count => 2 });
    transferred(scalar $t->request($consent));
    $consent = granted();
    $t->sim('/faults', { path => $FETCH, action => 'drop', process => 1, count => 1 });
    transferred(scalar $t->request($consent), 'also one whose answer was lost');
    $consent = granted();
    $t->sim('/faults', { path => $FETCH, action => 'status', status => 400, body => { error => { code => 'ABDM-1080', message => 'no' } }, count => 1 });
    refused(scalar $t->request($consent), 'ABDM-1112', 'E_CONSENT_UNCONFIRMED');
    $t->sim_delete('/faults');
};

# ---- others answer ----------------------------------------------------------------------------------

subtest 'an answer must name the fetch, and be for its facility' => sub {
    my $before  = fetches();
    my $consent = granted();
    $t->sim('/callback_faults', { path => $ON_FETCH, action => 'lose', count => 1 });
    my $id = $t->request($consent);
    ok fetched($before), 'asked';
    waiting($id);
    my $unknown = unknown_answers();
    my ($call) = grep { $_->{body}{consentId} eq $consent->{consent_id} } @{ $t->sim("/calls?path=$FETCH")->{calls} };
    my ($genuine) = map { $call->{headers}{$_} } grep { lc eq 'request-id' } keys %{ $call->{headers} };
    my $answer = sub ($request_id, %wish) {
        return $t->sim('/callback', { path => $ON_FETCH, hip => $t->{hip}, %wish, body => { error => undef, response => { requestId => $request_id },
            consent => { status => 'GRANTED', consentDetail => $consent->{detail}, signature => 'AAAA' } } })->{status};
    };
    is $answer->('5b9c5a60-1111-4c1f-8a55-1b2c3d4e5f60'), 202, 'one that guesses is taken';
    is $answer->($genuine, hip => $OTHER), 202, 'as is one for another facility';
    is $answer->($genuine, token => { azp => 'SBXID_000099', roles => [] }), 401, 'another participant does not get in';
    ok $t->wait_until(sub { unknown_answers() == $unknown + 2 }), 'both are refused';
    is $t->listed($id)->{state}, 'CONFIRMING', 'but it still waits';
    is $answer->($genuine, headers => { 'X-HIU-ID' => $t->{hip}, 'X-HIP-ID' => undef }), 202,
        'the genuine one may name the facility as requester';
    transferred($id);
    is $answer->($genuine), 202, 'a replay';
    ok $t->wait_until(sub { told($consent->{consent_id}, 'consent answer refused') == 1 }), 'is refused';
    is confirmation($consent)->{state}, 'CONFIRMED', 'and changes nothing';
};

subtest 'whoever gets past the check of tokens brings no consent' => sub {
    my $consent = $t->sim('/consents', { hip => $t->{hip}, contexts => ['OPD-26-0802'], patient_reference => 'UH100232' });
    is $t->announce($consent, 'GRANTED', token => { azp => 'SBXID_000099', roles => [] })->{status}, 401, 'a participant is refused';
    # with a token that passes: the notice is of a consent that exists, for more than was granted
    is $t->announce($consent, 'GRANTED', body => { notification => { consentDetail => { hiu => { id => 'IN0000000000_1' },
        careContexts => [{ patientReference => 'UH100231', careContextReference => 'OPD-26-0771' }] } } })->{status}, 202, 'a forger gets in';
    ok $t->wait_for(ack => consent => $consent->{consent_id}), 'and is believed at first';
    my $asked = asked_of_hmis();
    refused(scalar $t->request($consent), 'ABDM-1112', 'E_CONSENT_MISMATCH');
    is asked_of_hmis(), $asked, 'the HMIS is not asked';
    $t->announce($consent, 'GRANTED');
    ok $t->wait_for(ack => consent => $consent->{consent_id}, count => 2), 'the genuine notice comes';
    transferred(scalar $t->request($consent), 'and counts');
};

# ---- meanwhile --------------------------------------------------------------------------------------

subtest 'a revocation that comes meanwhile wins' => sub {
    my $consent = granted();
    $t->sim('/callback_faults', { path => $ON_FETCH, action => 'delay', ms => 1500, count => 1 });
    my $id = $t->request($consent);
    waiting($id);
    is $t->announce($consent, 'REVOKED')->{status}, 202, 'revoked';
    refused($id, 'ABDM-1062', 'E_CONSENT_REVOKED');
    ok $t->wait_until(sub { told($consent->{consent_id}, 'consent answer refused') }), 'the late answer is refused';
};

subtest 'a worker or the power may go while a request waits' => sub {
    $t->sim('/config', { may_forget => 1, redeliver_max => 60 });
    for my $point ('answered consent.fetch_sent', 'before consent.fetch_sent', 'after consent.fetch_sent', "accepted $ON_FETCH",
        'before consent.fetched', 'after consent.fetched', 'before consent.settled', 'after consent.settled')
    {
        my $consent = granted();
        $t->write_file('fault', "$point\n");
        transferred(scalar $t->request($consent), "death at: $point");
        ok !-e $FAULT, 'it came to that';
    }
    my $consent = granted();
    $t->sim('/callback_faults', { path => $ON_FETCH, action => 'delay', ms => 1000, count => 1 });
    my $id = $t->request($consent);
    waiting($id);
    $t->kill_nginx->start_nginx;
    transferred($id, 'the power fails');
    manager('silent');
    $consent = granted();
    my $before = fetches();
    $id = $t->request($consent);
    ok fetched($before), 'asked';
    waiting($id);
    $t->kill_nginx;
    $t->advance(60 * $SECONDS);
    manager('normal');
    $t->start_nginx;
    transferred($id, 'it is asked again after the power was away for a minute');
    is $t->open_work($id, $consent->{consent_id}), 0, 'nothing is left to do';
};

# ---- policies ---------------------------------------------------------------------------------------

for my $how ('refuse', 'unknown_right') {
    subtest "try: where fetches are not served ($how) the notice stands, and the audit says so" => sub {
        manager($how);
        my $before  = fetches();
        my $consent = granted();
        transferred(my $id = $t->request($consent));
        is fetches(), $before + 1, 'asked once';
        is told($id, $UNSERVED), 1, 'the transfer is marked';
        is told($consent->{consent_id}, $UNSERVED), 1, 'and the consent';
        my $second = granted();
        transferred($id = $t->request($second));
        is fetches(), $before + 1, 'the next consent does not ask again';
        is told($id, $UNSERVED), 1, 'and is marked all the same';
        $t->advance(3601 * $SECONDS);
        manager('normal');
        transferred(scalar $t->request($second));
        is fetches(), $before + 2, 'after an hour it does';
        is confirmation($second)->{state}, 'CONFIRMED', 'and is confirmed';
    };
}

subtest 'try: a session that is refused again and again is a plain refusal too' => sub {
    $t->sim('/faults', { path => $FETCH, action => 'status', status => 401, body => { code => '900901', message => 'Invalid Credentials' } });
    my $id = $t->request(granted());
    ok $t->wait_for(notify => transaction => $id, timeout_ms => 20_000), 'it ends';
    is told($id, $UNSERVED), 1, 'the transfer is marked';
    $t->sim_delete('/faults');
};

subtest 'require: without the consent manager nothing leaves' => sub {
    with('abdm_consent_confirm require;');
    for my $how ('refuse', 'unknown_right') {
        manager($how);
        refused(scalar $t->request(granted()), 'ABDM-1112', 'E_CONSENT_UNCONFIRMED');
    }
    manager('normal');
    transferred(scalar $t->request(granted()), 'with it, it does');
};

subtest 'off: nobody is asked' => sub {
    with('abdm_consent_confirm off;');
    my $before = fetches();
    transferred(scalar $t->request(granted()));
    is fetches(), $before, 'no fetch';
};

# ---- signatures -------------------------------------------------------------------------------------

sub openssl (@arguments) { return system("openssl @arguments 2>/dev/null") == 0 }

sub made ($name) { return "$t->{dir}/$name" }

SKIP: {
    skip 'no openssl command', 1 if !openssl('version >/dev/null');
    openssl('genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out ' . made("$_.key")) || die "no key\n" for qw(cm thief);
    openssl('pkey -in ' . made('cm.key') . ' -pubout -out ' . made('cm.pem')) || die "no public key\n";
    openssl('req -x509 -key ' . made('cm.key') . ' -subj /CN=cm -days 1 -out ' . made('cm.crt')) || die "no certificate\n";

    # Over the bytes that the simulator sends as consentDetail.
    my $sign = sub ($bytes, $key, @options) {
        $t->write_file('signed', $bytes);
        openssl('dgst -sha256 -sign ' . made("$key.key") . " @options -out " . made('signature') . ' ' . made('signed')) || die "not signed\n";
        return encode_base64($t->read_file('signature'), '');
    };
    my @PSS    = ('-sigopt rsa_padding_mode:pss', '-sigopt rsa_pss_saltlen:32');
    my $notice = sub ($signature_of) {
        my $consent = $t->sim('/consents', { hip => $t->{hip}, contexts => ['OPD-26-0802'], patient_reference => 'UH100232' });
        $t->announce($consent, 'GRANTED', body => { notification => { signature => $signature_of->($JSON->encode($consent->{detail})) } });
        $consent->{ack} = $t->wait_for(ack => consent => $consent->{consent_id});
        return $consent;
    };
    my %BY = (
        'PKCS #1 v1.5'     => [VERIFIED        => sub ($bytes) { $sign->($bytes, 'cm') }],
        'PSS'              => [VERIFIED        => sub ($bytes) { $sign->($bytes, 'cm', @PSS) }],
        'another key'      => [DOES_NOT_VERIFY => sub ($bytes) { $sign->($bytes, 'thief') }],
        'other bytes'      => [DOES_NOT_VERIFY => sub ($bytes) { $sign->("$bytes ", 'cm') }],
        'garbage'          => [DOES_NOT_VERIFY => sub ($bytes) { 'garbage' }],
        'nothing'          => [ABSENT          => sub ($bytes) { undef }],
    );
    subtest 'log without a key says that there is none' => sub {
        my $consent = $notice->($BY{PSS}[1]);
        is $t->explain($consent->{consent_id})->{consent}[0]{signature}, 'NO_KEY', 'NO_KEY';
    };
    subtest 'log: the outcome is told, and nothing refused' => sub {
        with('abdm_consent_confirm off;', 'abdm_consent_key ' . made('cm.crt') . ' kid=cm-1;');
        for my $how (sort keys %BY) {
            my $consent = $notice->($BY{$how}[1]);
            is $t->explain($consent->{consent_id})->{consent}[0]{signature}, $BY{$how}[0], $how;
        }
        transferred(scalar $t->request($notice->($BY{garbage}[1])), 'and nothing is refused');
    };
    subtest 'enforce: only what is verified is kept and used' => sub {
        my $old = $notice->($BY{garbage}[1]);
        with('abdm_consent_signature enforce;', 'abdm_consent_key ' . made('cm.pem') . ';');
        for my $how (sort keys %BY) {
            my $consent = $notice->($BY{$how}[1]);
            my $ack     = ($t->sim("/consents/$consent->{consent_id}")->{acks} // [])->[-1] // {};
            if ($BY{$how}[0] eq 'VERIFIED') { transferred(scalar $t->request($consent), $how) }
            else { is $ack->{body}{error}{code}, 'ABDM-1112', "$how: the notice is refused" }
        }
        refused(scalar $t->request($old), 'ABDM-1112', 'E_CONSENT_SIGNATURE');
    };
    subtest 'nginx -t names a key that cannot be used' => sub {
        for my $case (["abdm_consent_key $t->{dir}/nowhere.pem;", qr/abdm_consent_key ".*nowhere.pem": it cannot be read/],
            ['abdm_consent_key ' . made('cm.key') . ';', qr/abdm_consent_key ".*cm.key": public keys or certificates/],
            ['abdm_consent_key ' . made('cm.pem') . ' key=1;', qr/invalid parameter "key=1" of "abdm_consent_key", "kid=NAME" is expected/],
            ['abdm_consent_signature enforce;', qr/abdm_consent_key is missing: without it no signature verifies/])
        {
            $t->write_conf(abdm => [$case->[0]]);
            my ($passed, $said) = $t->test_conf;
            ok !$passed, $case->[0];
            like $said, $case->[1], 'and why';
        }
    };
}

$t->no_violations;
$t->finish(alerts => qr/exited on signal 9|abdm_consent_/);
