#!/usr/bin/env perl

# The simulator's limits, its clock, its registry, its old authentication, its misbehaviour towards a
# bridge that links, and its storms of citizens.

use strict;
use warnings;
use feature 'signatures';
use FindBin;
use lib "$FindBin::Bin/lib", "$FindBin::Bin/../lib";

use Mojo::Date;
use Test::ABDM;
use Test::More;
use Test::TinyLinker;
use Sim::Clock qw(iso new_uuid);

my $t = Test::ABDM->new(module => 0);
$t->start_simulator;
my $hip = Test::TinyLinker->new(sim_url => $t->sim_url, certs => $t->certs, port => Test::ABDM::free_port())->serve;
my $bridge = 'https://127.0.0.1:' . $hip->port . '/abdm';
$hip->sim('/config', { bridge_url => $bridge, redeliver_ms => 50, callback_delay_ms => 1 });

my $FALSE = Cpanel::JSON::XS::false;

sub rules {
    my %broken = map { $_->{rule} => 1 } @{ $hip->sim('/violations')->{violations} };
    return [sort keys %broken];
}

sub move_clock ($seconds) {
    Sim::Clock::move_clock($seconds);
    $hip->sim('/clock', { move => $seconds });
    $hip->log_in;
    return;
}

sub fresh {
    $hip->sim('/reset', { sessions => 1, citizens => 1 });
    $hip->received([]);
    $hip->on_callback(undef);
    $hip->log_in;
    return;
}

sub pause ($seconds) {
    Mojo::IOLoop->timer($seconds => sub { Mojo::IOLoop->stop });
    Mojo::IOLoop->start;
    return;
}

# The error of the newest on-generate-token, or "token".
sub token_result ($count) {
    my $body = $hip->callback(token => $count)->{body};
    return $body->{linkToken} ? 'token' : $body->{error}{code};
}

subtest 'tokens have their limits, and days can pass' => sub {
    fresh();
    for my $n (1 .. 3) {
        is $hip->generate_token->code, 202, "token $n of the day";
        is token_result($n), 'token', 'given';
        move_clock(420);
    }
    is_deeply rules(), [], 'no violation so far';
    is $hip->generate_token->code, 202, 'the fourth';
    is token_result(4), 'ABDM-1027', 'is refused by callback';
    is_deeply rules(), ['token.limit'], 'and noticed';
    move_clock(3600);
    $hip->generate_token;
    is token_result(5), 'ABDM-1027', 'for a day';
    is_deeply rules(), ['token.blocked', 'token.limit'], 'asking again is noticed';
    move_clock(86_400);
    $hip->sim('/reset', {});
    $hip->log_in;
    $hip->generate_token;
    is token_result(6), 'token', 'then it is given again';

    fresh();
    $hip->sim('/citizens/asha.k@sbx/block', {});
    $hip->generate_token;
    is token_result(1), 'ABDM-1027', 'a block from outside is told';
    is_deeply rules(), [], 'without blame';
    move_clock(420);
    $hip->generate_token;
    is_deeply rules(), ['token.blocked'], 'but it must be heeded';

    fresh();
    my @wrong = ({ name => 'Asha Kumar' }, { gender => 'M' }, { yearOfBirth => 1989 }, { abhaAddress => 'nobody@sbx' });
    my @codes = map { $hip->sim('/reset', { citizens => 1 }); $hip->generate_token(body => $wrong[$_]); token_result($_ + 1) } 0 .. 3;
    is_deeply \@codes, ['ABDM-1036', 'ABDM-1036', 'ABDM-1036', 'ABDM-1051'], 'particulars must match';
    is_deeply rules(), [], 'a mismatch is no violation';

    fresh();
    $hip->get_token;
    move_clock(15_768_001);
    is $hip->carecontext->code, 400, 'an old token is refused';
    is_deeply rules(), ['link-token.expired'], 'and noticed';
    fresh();
    $hip->get_token;
    $hip->sim('/link-tokens/forget', {});
    is $hip->carecontext->code, 400, 'a forgotten one too';
    is_deeply rules(), [], 'without blame';
};

subtest 'synthetic citizens follow from their number' => sub {
    fresh();
    my $citizen = $hip->sim('/citizens/c00123@sbx');
    is_deeply [@$citizen{qw(name gender mobile uhid dob number)}],
        ['Kakari Mosun', 'M', '9800000123', 'UH200123', '1953-01-01', '91300000001234'], 'as README.md says';
    $hip->get_token(body => { abhaNumber => 91_300_000_001_234, abhaAddress => undef, name => 'kakari  mosun', gender => 'M', yearOfBirth => 1953 });
    is $hip->callback('token')->{body}{abhaAddress}, 'c00123@sbx', 'known by the number alone';
    my $made = $hip->sim('/citizens', { address => 'new.one@sbx', name => 'New One', gender => 'O', dob => '2001-02-03', mobile => '9111111111' });
    is $made->{yearOfBirth}, 2001, 'others are made';
    is_deeply rules(), [], 'no violation';
};

subtest 'who died may say the same once more' => sub {
    fresh();
    $hip->get_token;
    my %visit = (patient => [$hip->element('D-1')]);
    is $hip->carecontext(body => {%visit})->code, 202, 'a link is asked for';
    $hip->sim('/died', {});
    is $hip->carecontext(body => {%visit})->code, 400, 'again after a death: known';
    is_deeply rules(), [], 'which is no blame';
    is $hip->carecontext(body => {%visit})->code, 400, 'and again';
    is_deeply rules(), ['link.repeated'], 'which is, as it died once';
    fresh();
    $hip->get_token;
    $hip->sim('/died', {});
    $hip->carecontext(body => {%visit}) for 1 .. 2;
    is_deeply rules(), ['link.repeated'], 'so is what was first said after the death';
};

subtest 'callbacks go astray on demand' => sub {
    fresh();
    $hip->sim('/callback_faults', { path => 'on_carecontext', %$_ })
        for { action => 'lose', count => 1 }, { action => 'repeat', count => 1, after => 0 },
        { action => 'repeat_fresh', count => 1 }, { action => 'change', count => 1, body => { status => undef, error => { code => 'ABDM-1024', message => 'later' } } };
    $hip->get_token;
    my @link = map { { patient => [$hip->element("A-$_")] } } 1 .. 4;
    $hip->carecontext(body => $link[0]);
    ok !$hip->callback(linked => 1, 0.3), 'lost';
    is $hip->carecontext(body => $link[0])->code, 400, 'the same again within a minute';
    is_deeply rules(), ['link.repeated'], 'is held against the bridge';
    $hip->sim('/reset', {});
    $hip->log_in;
    $hip->sim('/callback_faults', { path => 'on_carecontext', %$_ })
        for { action => 'repeat', count => 1 }, { action => 'repeat_fresh', count => 1 },
        { action => 'change', count => 1, body => { status => undef, error => { code => 'ABDM-1024', message => 'later' } } };
    $hip->carecontext(body => $link[1]);
    ok $hip->callback(linked => 2), 'twice';
    my @ids = map { $_->{headers}->header('REQUEST-ID') } grep { $_->{path} =~ /on_carecontext/ } @{ $hip->received };
    is $ids[0], $ids[1], 'as the same message';
    $hip->carecontext(body => $link[2]);
    ok $hip->callback(linked => 4), 'twice';
    @ids = map { $_->{headers}->header('REQUEST-ID') } grep { $_->{path} =~ /on_carecontext/ } @{ $hip->received };
    isnt $ids[2], $ids[3], 'as another one';
    $hip->carecontext(body => $link[3]);
    is $hip->callback(linked => 5)->{body}{error}{code}, 'ABDM-1024', 'with another content';
    is_deeply rules(), [], 'no violation';

    $hip->status(503);
    Mojo::IOLoop->timer(0.12 => sub { $hip->status(202) });
    $hip->received([]);
    $hip->sms_notify;
    ok $hip->callback(sms => 2), 'what is not taken comes again';
};

subtest 'an outage is an outage' => sub {
    fresh();
    my %status = (503 => 503, 500 => 500, html => 503, refuse => 599);
    for my $kind (sort keys %status) {
        $hip->sim('/outage', { kind => $kind });
        is $hip->generate_token->code, $status{$kind}, "outage $kind";
        is $hip->sim('/outage', { kind => 'off' })->{seen}, 1, 'one call was lost';
    }
    is_deeply rules(), [], 'no violation';
    is $hip->generate_token->code, 202, 'and it is over';
};

subtest 'the bridge, its services and the registry' => sub {
    fresh();
    is $hip->bridge_url($bridge)->code, 202, 'the URL is taken';
    is $hip->ask('/api/hiecm/gateway/v3/bridge-services')->json->{bridge}{url}, $bridge, 'and read back';
    is $hip->ask('/api/hiecm/gateway/v3/bridge-service/serviceId/IN0990001234_1')->json->{isHip}, 1, 'a service';
    is $hip->ask('/api/hiecm/gateway/v3/bridge-service/serviceId/IN0990001234')->code, 404, 'the facility id is none';
    is $hip->ask('/api/hiecm/gateway/v3/providers', query => '?name=demo')->json->[0]{identifier}{id}, 'IN0990001234_1', 'found by name';
    like $hip->ask('/api/hiecm/gateway/v3/.well-known/openid-configuration')->json->{jwks_uri}, qr/certs\z/, 'where the keys are';
    like $hip->register->json->[0]{error}{message}, qr/already associated.*IN0990001234_1/, 'registered already';
    like $hip->register(body => { facilityName => 'Demo' })->json->[0]{error}{message}, qr/not matched/, 'another name';
    for my $kind (['linked', sub { $_[0][0]{servicesLinked}{id} eq 'IN0990001234_1' }], ['invalid', sub { $_[0]{code} eq 'HIS-400' }]) {
        $hip->sim('/config', { registry => $kind->[0] });
        ok $kind->[1]->($hip->register->json), "$kind->[0] on demand";
    }
    $hip->sim('/config', { registry => 'auto', date_skew_seconds => 600 });
    my $ahead = Mojo::Date->new($hip->ask('/api/hiecm/gateway/v3/bridge-services')->headers->date)->epoch - Sim::Clock::now();
    cmp_ok abs($ahead - 600), '<', 3, 'Date can be wrong';
    $hip->sim('/config', { date_skew_seconds => 0 });
    is_deeply rules(), [], 'no violation';
    is $hip->bridge_url('http://hospital.example/abdm')->code, 400, 'a URL without TLS';
    is_deeply rules(), ['body.shape'], 'is noticed';
    fresh();
    $hip->register(body => { HRP => [{ bridgeId => 'SBXID_9', hipName => 'DEMO', type => 'HIP', active => Cpanel::JSON::XS::true }] });
    is_deeply rules(), ['registry.bridge'], 'so is a foreign bridge';
    fresh();
    $hip->register(body => { HRP => [{ bridgeId => 'SBXID_000001', hipName => 'A name that is too long', type => 'HIP', active => Cpanel::JSON::XS::true }] });
    is_deeply rules(), ['body.shape'], 'and a long name';
};

subtest 'a facility fetches the artefact that names it' => sub {
    fresh();
    my $consent = $hip->sim('/consents', {});
    my $id      = $consent->{consent_id};
    $hip->sim("/consents/$id/notify", { status => 'GRANTED' });
    is $hip->fetch($id)->code, 202, 'as HIP';
    is_deeply $hip->callback('fetched')->{body}{consent}{consentDetail}, $consent->{detail}, 'the artefact as granted';
    is $hip->fetch($id, headers => { 'X-HIP-ID' => undef, 'X-HIU-ID' => 'IN0990001234_1' })->code, 202, 'or as HIU';
    is $hip->callback(fetched => 2)->{headers}->header('X-HIU-ID'), 'IN0990001234_1', 'and so answered';
    $hip->fetch(new_uuid());
    is $hip->callback(fetched => 3)->{body}{error}{code}, 'ABDM-1080', 'an unknown one is told';
    my %status = (refuse => 403, unknown_right => 404, silent => 202);
    for my $how (sort keys %status) {
        $hip->sim('/config', { fetch => $how });
        is $hip->fetch($id)->code, $status{$how}, $how;
    }
    ok !$hip->callback(fetched => 4, 0.2), 'and no callback';
    $hip->sim('/config', { fetch => 'mismatch' });
    $hip->fetch($id);
    isnt $hip->callback(fetched => 4)->{body}{consent}{consentDetail}{patient}{id}, 'asha.k@sbx', 'a wrong one on demand';
    $hip->sim('/config', { fetch => 'normal' });
    is_deeply rules(), [], 'no violation';
    $hip->fetch($id, headers => { 'X-HIP-ID' => undef });
    is_deeply rules(), ['hip-id.missing'], 'without a facility it is noticed';
};

subtest 'authentication of v0.5 gives a token that links' => sub {
    fresh();
    $hip->fetch_modes;
    is_deeply $hip->callback('modes')->{body}{auth}{modes}, [qw(MOBILE_OTP AADHAAR_OTP DEMOGRAPHICS DIRECT)], 'four modes';
    my $links = sub ($name, $body) {
        $hip->link_token($body->{auth}{accessToken});
        is $hip->carecontext(body => { abhaNumber => undef, patient => [$hip->element("A-$name")] })->code, 202, "$name: links";
    };
    $hip->auth_init('MOBILE_OTP');
    $hip->callback('auth_begun');
    $hip->auth_confirm({ authCode => '000000' });
    is $hip->callback('auth_done')->{body}{error}{code}, 1509, 'a wrong password is refused';
    my $otp = $hip->sim('/citizens/asha.k@sbx')->{otp};
    $hip->auth_confirm({ authCode => $otp });
    my $done = $hip->callback(auth_done => 2)->{body};
    is $done->{auth}{patient}{name}, 'Asha Kumari', 'the right one tells who it is';
    $links->('otp', $done);
    $hip->auth_init('DEMOGRAPHICS');
    $hip->callback(auth_begun => 2);
    $hip->auth_confirm({ demographic => { name => 'Asha Kumari', gender => 'F', dateOfBirth => '1988-05-14' } });
    $links->('demographics', $hip->callback(auth_done => 3)->{body});
    $hip->auth_init('DIRECT');
    $hip->callback(auth_begun => 3);
    $hip->sim('/citizens/asha.k@sbx/auth', {});
    my $said = $hip->callback('auth_said')->{body};
    is $said->{auth}{status}, 'GRANTED', 'the citizen says yes';
    is $hip->auth_on_notify->code, 202, 'acknowledged';
    $links->('direct', $said);
    $hip->auth_init('DIRECT');
    $hip->callback(auth_begun => 4);
    $hip->sim('/citizens/asha.k@sbx/auth', { grant => $FALSE });
    is $hip->callback(auth_said => 2)->{body}{auth}{status}, 'DENIED', 'or no';
    is_deeply rules(), [], 'no violation';
    move_clock(86_401);
    $hip->carecontext(body => { abhaNumber => undef, patient => [$hip->element('A-9')] });
    is_deeply rules(), ['link-token.expired'], 'the token is of a day';
    my %wrong = (
        'auth.transaction' => sub { $hip->auth_confirm({ authCode => '123456' }, body => { transactionId => new_uuid() }) },
        'auth.credential'  => sub { $hip->auth_confirm({ demographic => { name => 'A', gender => 'F', dateOfBirth => '1988-05-14' } }) },
        'auth.requester'   => sub { $hip->fetch_modes(body => { query => { requester => { id => 'IN0990009999_1' } } }) },
        'body.shape'       => sub { $hip->auth_init('PASSWORD') },
        'envelope.request-id' => sub { $hip->auth_init('DIRECT', body => { requestId => new_uuid() }) },
    );
    for my $rule (sort keys %wrong) {
        fresh();
        $hip->auth_init('MOBILE_OTP');
        $hip->callback('auth_begun');
        $wrong{$rule}->();
        is_deeply rules(), [$rule], "$rule is noticed";
    }
};

subtest 'any way to send an SMS is read' => sub {
    fresh();
    my %way = (
        query => sub { $hip->send_sms('', '', raw => '', method => 'GET', query => '?mobiles=919800000123&message=482913+is+your+OTP') },
        form  => sub { $hip->send_sms('', '', raw => 'dest=%2B91-9800000123&text=OTP:482913', headers => { 'Content-Type' => 'application/x-www-form-urlencoded' }) },
        json  => sub { $hip->send_sms('', '', raw => '{"template_id":"1007","recipients":[{"mobiles":"919800000123","otp":"482913"}]}') },
    );
    for my $name (sort keys %way) {
        $hip->sim('/reset', {});
        is $way{$name}->()->code, 200, "$name is taken";
        is $hip->sim('/sms/last?mobile=9800000123')->{code}, '482913', 'and read';
    }
    $hip->sim('/faults', { path => '^/sms/', action => 'status', status => 200, body => { status => 'error' }, count => 1 });
    is $hip->send_sms('9800000123', 'OTP 111111')->json->{status}, 'error', 'it can refuse with 200';
    is $hip->sim('/sms?mobile=9800000123')->{count}, 1, 'and then nothing was sent';
};

subtest 'a link is followed by a fetch of the citizen, on demand' => sub {
    fresh();
    $hip->sim('/config', { self_fetch => 1, self_fetch_ms => 10 });
    $hip->get_token->carecontext;
    pause(0.2);
    my $granted = $hip->last_callback('consent/request/hip/notify')->{body}{notification}{consentDetail};
    is $granted->{purpose}{code}, 'PATRQT', 'a consent of the citizen';
    ok !exists $granted->{hiu}, 'without a HIU';
    $hip->on_notify;
    pause(0.2);
    my ($fetch) = @{ $hip->sim('/citizens/asha.k@sbx')->{self_fetches} };
    is $hip->last_callback('health-information/request')->{body}{transactionId}, $fetch->{transaction_id}, 'and the request';
    $hip->sim('/config', { self_fetch => 0 });
    is_deeply rules(), [], 'no violation';
};

# Answers as a HIP does, without waiting.
sub answer_all ($wrong) {
    my %mobile;
    my $element = sub ($id) {
        my ($digits) = $id =~ /(\d+)/;
        return { %{ $hip->element("OPD-S-$digits-1") }, referenceNumber => 'UH2' . ($wrong && $digits % 10 == 0 ? '99999' : $digits) };
    };
    $hip->on_callback(sub ($got) {
        my $body = $got->{body};
        my @echo = (response => { requestId => $got->{headers}->header('REQUEST-ID') });
        if ($got->{path} =~ /discover$/) {
            $hip->call_p(on_discover => { transactionId => $body->{transactionId}, matchedBy => ['MOBILE'],
                patient => [$element->($body->{patient}{id})], @echo });
        }
        elsif ($got->{path} =~ /init$/) {
            my $reference = new_uuid();
            my ($digits)  = $body->{abhaAddress} =~ /(\d+)/;
            $mobile{$reference} = $digits;
            $hip->call_p(on_init => { transactionId => $body->{transactionId}, @echo, link => {
                referenceNumber => $reference, authenticationType => 'DIRECT', meta => { communicationMedium => 'MOBILE',
                    communicationHint => 'xxxxxx' . substr("98000$digits", -4), communicationExpiry => iso(Sim::Clock::now() + 600) } } });
            my %none = map { $_ => undef } qw(REQUEST-ID TIMESTAMP X-CM-ID X-HIP-ID Authorization);
            $hip->call_p(sms => { to => "98000$digits", message => 'OTP ' . (100_000 + $digits) }, path => '/sms/send', headers => \%none);
        }
        elsif ($got->{path} =~ /confirm$/) {
            $hip->call_p(on_confirm => { patient => [$element->($mobile{ $body->{confirmation}{linkRefNumber} })], @echo });
        }
    });
    return;
}

sub storm (%wish) {
    my $id = $hip->sim('/storm', { kind => 'link', timeout_s => 20, %wish })->{id};
    my $report;
    for (1 .. 600) {
        $report = $hip->sim("/storm/$id");
        last if $report->{finished};
        pause(0.1);
    }
    return $report;
}

subtest 'a storm of citizens is counted' => sub {
    fresh();
    answer_all(0);
    my $report = storm(n => 40, concurrency => 10, first => 100);
    is_deeply $report->{outcome}, { LINKED => 40 }, 'all linked';
    is_deeply [@$report{qw(links wrong)}], [40, 0], 'to the right patients';
    ok defined $report->{ms}{$_}{p95}, "$_ was timed" for qw(discover init otp confirm total);
    is_deeply rules(), [], 'no violation';
    fresh();
    answer_all(1);
    $report = storm(n => 20, first => 200, timeout_s => 10);
    is_deeply $report->{outcome}, { LINKED => 18, timeout => 2 }, 'a wrong patient is refused';
    is $report->{wrong}, 2, 'and counted';
    is_deeply rules(), ['discover.wrong-patient'], 'and noticed';
    $hip->on_callback(undef);
};

$t->finish;
