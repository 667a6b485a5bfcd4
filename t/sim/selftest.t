#!/usr/bin/env perl

# Shows that the simulator is a judge worth having: a correct exchange passes without a word, and
# each single deviation is noticed under its own name.

use strict;
use warnings;
use feature 'signatures';
use utf8;
use FindBin;
use lib "$FindBin::Bin/lib", "$FindBin::Bin/../lib";

use Mojo::File qw(path);
use Test::ABDM;
use Test::More;
use Test::TinyHIP;
use Sim::Clock qw(iso new_uuid);

my $t = Test::ABDM->new(module => 0);
$t->start_simulator;
my $hip = Test::TinyHIP->new(sim_url => $t->sim_url, certs => $t->certs, port => Test::ABDM::free_port())->serve;
$hip->sim('/config', { bridge_url => 'https://127.0.0.1:' . $hip->port . '/abdm', redeliver_ms => 50 });

my @contexts = qw(OPD-26-0771 OPD-25-3107);
my $bundle   = path("$FindBin::Bin/bundle.json")->slurp;

# The rules that were broken, each once.
sub rules {
    my %broken = map { $_->{rule} => 1 } @{ $hip->sim('/violations')->{violations} };
    return [sort keys %broken];
}

# Brings the exchange to a stage: logged in, granted, acked, requested, accepted, pushed.
sub reach ($stage) {
    $hip->sim('/reset', { sessions => 1 });
    $hip->received([]);
    my $consent;
    my %step = (
        logged    => sub { $hip->log_in },
        granted   => sub {
            $consent = $hip->sim('/consents', { contexts => \@contexts, hi_types => ['Prescription'] });
            $hip->sim("/consents/$consent->{consent_id}/notify", { status => 'GRANTED' });
        },
        acked     => sub { $hip->on_notify },
        requested => sub { $hip->sim("/consents/$consent->{consent_id}/request", {}) },
        accepted  => sub { $hip->on_request },
        pushed    => sub {
            $hip->push_page(plain => $bundle, context => $contexts[$_], number => $_, count => 2) for 0, 1;
        },
    );
    for my $name (qw(logged granted acked requested accepted pushed)) {
        $step{$name}->();
        last if $name eq $stage;
    }
    return $consent;
}

my @page = (plain => $bundle, context => $contexts[0], number => 0, count => 2);

subtest 'a correct exchange passes without a word' => sub {
    my $consent = reach('pushed');
    my $got     = $hip->notify(contexts => \@contexts);
    is $got->code, 202, 'the notification is accepted';
    is_deeply rules(), [], 'no violation';
    my ($transfer) = @{ $hip->sim('/transfers')->{transfers} };
    is scalar @{ $transfer->{pages} }, 2, 'two pages';
    my $full = $hip->sim("/transfers/$transfer->{transaction_id}");
    utf8::encode(my $text = $full->{pages}[0]{text});
    is $text, $bundle, 'the plaintext came through byte for byte';
    is $full->{pages}[1]{attachments}[0]{contentType}, 'application/pdf', 'the attachment is seen';
    is scalar @{ $hip->sim("/consents/$consent->{consent_id}")->{acks} }, 1, 'the acknowledgement is kept';
    my $callback = $hip->last_callback('consent/request/hip/notify');
    like $callback->{headers}->authorization, qr/\ABearer eyJ[\w-]+[.][\w-]+[.][\w-]+\z/, 'callbacks carry a bearer';
    is $callback->{headers}->header('X-HIP-ID'), 'IN0990001234_1', 'and the facility';
    my ($sent) = @{ $hip->sim('/sent?path=hip/notify$')->{sent} };
    is $sent->{body}{notification}{consentId}, $consent->{consent_id}, 'what went out is kept';
    ok !exists $sent->{headers}{authorization} && $sent->{authorization}, 'but not its token';
    is $sent->{status}, 202, 'and how it was answered';
    is $hip->call('certs', undef)->code, 200, 'keys are given to a bearer';
    ok !grep({ exists $_->{headers}{authorization} } @{ $hip->sim('/calls')->{calls} }), 'no token is shown';
};

# name => [stage, rule or rules, what is done wrong]
my @DEVIATIONS = (
    ['session with a wrong secret', 'logged', 'session.credentials', sub { $hip->log_in(body => { clientSecret => 'x' }) }, 401],
    ['session without grantType', 'logged', 'body.shape', sub { $hip->log_in(body => { grantType => undef }) }, 400],
    ['session with a member too many', 'logged', 'body.shape', sub { $hip->log_in(body => { scope => 'all' }) }, 400],
    ['session with a number for a string', 'logged', 'body.shape', sub { $hip->log_in(body => { clientSecret => 7 }) }, 400],
    ['session with Authorization', 'logged', 'authorization.unexpected', sub { $hip->log_in(headers => { Authorization => 'Bearer x' }) }, 401],
    ['keys without a bearer', 'logged', 'authorization.missing', sub { $hip->call('certs', undef, headers => { Authorization => undef }) }, 401],
    ['a path that the gateway does not have', 'acked', 'path.unknown', sub { $hip->on_notify(path => '/api/hiecm/consent/v3/on-notify') }, 404],
    ['a wrong method', 'granted', 'method', sub { $hip->on_notify(method => 'PUT') }, 405],
    ['a query', 'granted', 'url.query', sub { $hip->on_notify(query => '?a=1') }, 403],
    ['no Authorization', 'granted', 'authorization.missing', sub { $hip->on_notify(headers => { Authorization => undef }) }, 401],
    ['Authorization of another scheme', 'granted', 'authorization.form', sub { $hip->on_notify(headers => { Authorization => 'Basic eA==' }) }, 401],
    ['a token that nobody issued', 'granted', 'authorization.unknown', sub { $hip->on_notify(headers => { Authorization => 'Bearer a.b.c' }) }, 401],
    ['the token of the callback sent back', 'granted', 'authorization.unknown', sub { $hip->on_notify(headers => { Authorization => $hip->last_callback('notify')->{headers}->authorization }) }, 401],
    ['no REQUEST-ID', 'granted', 'request-id.missing', sub { $hip->on_notify(headers => { 'REQUEST-ID' => undef }) }, 403],
    ['REQUEST-ID in upper case', 'granted', 'request-id.form', sub { $hip->on_notify(headers => { 'REQUEST-ID' => uc new_uuid() }) }, 400],
    ['REQUEST-ID of the callback used again', 'granted', 'request-id.reused', sub { $hip->on_notify(headers => { 'REQUEST-ID' => $hip->last_callback('notify')->{headers}->header('REQUEST-ID') }) }, 400],
    ['REQUEST-ID twice in one message', 'granted', ['header.repeated', 'request-id.form'], sub { $hip->on_notify(headers => { 'REQUEST-ID' => [new_uuid(), new_uuid()] }) }, 403],
    ['no TIMESTAMP', 'granted', 'timestamp.missing', sub { $hip->on_notify(headers => { TIMESTAMP => undef }) }, 403],
    ['TIMESTAMP without milliseconds', 'granted', 'timestamp.form', sub { $hip->on_notify(headers => { TIMESTAMP => iso() =~ s/[.]\d+//r }) }, 400],
    ['TIMESTAMP with an offset', 'granted', 'timestamp.form', sub { $hip->on_notify(headers => { TIMESTAMP => iso() =~ s/Z/+05:30/r }) }, 400],
    ['TIMESTAMP ten minutes old', 'granted', 'timestamp.skew', sub { $hip->on_notify(headers => { TIMESTAMP => iso(time - 600) }) }, 400],
    ['no X-CM-ID', 'granted', 'cm-id', sub { $hip->on_notify(headers => { 'X-CM-ID' => undef }) }, 403],
    ['X-CM-ID of production', 'granted', 'cm-id', sub { $hip->on_notify(headers => { 'X-CM-ID' => 'abdm' }) }, 403],
    ['no X-HIP-ID', 'granted', ['hip-id.missing', 'hip-id.other'], sub { $hip->on_notify(headers => { 'X-HIP-ID' => undef }) }, 403],
    ['X-HIP-ID that is not ours', 'granted', ['hip-id.other', 'hip-id.unknown'], sub { $hip->on_notify(headers => { 'X-HIP-ID' => 'IN0990001234' }) }, 400],
    ['a header of another role', 'granted', 'header.unexpected', sub { $hip->on_notify(headers => { 'X-HIU-ID' => 'x' }) }, 400],
    ['a wrong content type', 'granted', 'content-type', sub { $hip->on_notify(headers => { 'Content-Type' => 'text/plain' }) }, 415],
    ['no body', 'granted', 'body.empty', sub { $hip->on_notify(raw => '') }, 400],
    ['a body that is not JSON', 'granted', 'body.json', sub { $hip->on_notify(raw => '{"a":') }, 400],
    ['a member twice', 'granted', 'body.json', sub { $hip->on_notify(raw => '{"error":1,"error":2}') }, 400],
    ['acknowledgement as an array', 'granted', 'body.shape', sub { $hip->on_notify(body => { acknowledgement => [{ status => 'OK' }] }) }, 400],
    ['acknowledgement with a status in lower case', 'granted', 'body.shape', sub { $hip->on_notify(body => { acknowledgement => { status => 'ok' } }) }, 400],
    ['error: null beside the result', 'granted', 'body.shape', sub { my $id = $hip->last_callback('notify'); $hip->on_notify(raw => sprintf '{"acknowledgement":{"status":"OK","consentId":"%s"},"error":null,"response":{"requestId":"%s"}}', $id->{body}{notification}{consentId}, $id->{headers}->header('REQUEST-ID')) }, 400],
    ['result and error', 'granted', 'result.both', sub { $hip->on_notify(body => { error => { code => 'ABDM-1010', message => 'x' } }) }, 400],
    ['neither result nor error', 'granted', 'result.none', sub { $hip->on_notify(body => { acknowledgement => undef }) }, 400],
    ['an error code of another form', 'granted', 'body.shape', sub { $hip->on_notify(body => { acknowledgement => undef, error => { code => '1000', message => 'x' } }) }, 400],
    ['response.requestId of no callback', 'granted', 'response.unknown', sub { $hip->on_notify(body => { response => { requestId => new_uuid() } }) }, 400],
    ['response.requestId of the other kind', 'requested', 'response.kind', sub { my $id = $hip->last_callback('consent')->{headers}->header('REQUEST-ID'); $hip->on_request(body => { response => { requestId => $id } }) }, 400],
    ['another consentId', 'granted', 'consent.other', sub { $hip->on_notify(body => { acknowledgement => { consentId => new_uuid() } }) }, 400],
    ['the same answer twice', 'acked', 'response.repeated', sub { $hip->on_notify }, 400],
    ['on-request with another transaction', 'requested', 'transaction.other', sub { $hip->on_request(body => { hiRequest => { transactionId => new_uuid() } }) }, 400],
    ['on-request with another word', 'requested', 'body.shape', sub { $hip->on_request(body => { hiRequest => { sessionStatus => 'OK' } }) }, 400],
    ['a page before on-request', 'requested', 'push.early', sub { $hip->push_page(@page) }, 400],
    ['a page to another path', 'accepted', 'push.unknown', sub { $hip->push_page(@page, path => '/hiu/push/0123') }, 404],
    ['a page without the query of the URL', 'accepted', 'push.url', sub { $hip->push_page(@page, query => '') }, 400],
    ['a page with our bearer', 'accepted', 'push.header', sub { $hip->push_page(@page, headers => { Authorization => 'Bearer ' . $hip->token }) }, 400],
    ['a page of another content type', 'accepted', 'content-type', sub { $hip->push_page(@page, headers => { 'Content-Type' => 'text/json' }) }, 400],
    ['a page with two entries', 'accepted', 'body.shape', sub { $hip->push_page(@page, body => { entries => [({}) x 2] }) }, 400],
    ['a page with a string for a number', 'accepted', 'body.shape', sub { $hip->push_page(@page, number => '0') }, 400],
    ['a page of another transaction', 'accepted', 'transaction.other', sub { $hip->push_page(@page, body => { transactionId => new_uuid() }) }, 400],
    ['a page for a context beyond the artefact', 'accepted', 'page.context', sub { $hip->push_page(@page, context => 'OPD-25-1203') }, 400],
    ['a page number beyond the count', 'accepted', 'page.number', sub { $hip->push_page(@page, number => 3) }, 400],
    ['a page count that changes', 'accepted', 'page.count', sub { $hip->push_page(@page); $hip->push_page(@page, number => 1, count => 3) }, 400],
    ['a page again after 202', 'accepted', 'page.repeated', sub { $hip->push_page(@page) for 1, 2; $hip->push_page(@page, number => 1, context => $contexts[1]) }, 202],
    ['a page with a used key', 'accepted', 'page.key-reused', sub { my $pair = Fidelius::new_key_pair(); $hip->push_page(@page, pair => $pair); $hip->push_page(@page, number => 1, pair => $pair) }, 400],
    ['a page with a used nonce', 'accepted', 'page.nonce-reused', sub { my $nonce = Fidelius::new_nonce(); $hip->push_page(@page, nonce => $nonce); $hip->push_page(@page, number => 1, nonce => $nonce) }, 400],
    ['a page with a wrong checksum', 'accepted', 'page.checksum', sub { $hip->push_page(@page, entry => { checksum => 'string' }) }, 400],
    ['a page with a flipped bit', 'accepted', 'page.decrypt', sub { $hip->push_page(@page, spoil => 1) }, 400],
    ['a page with the raw key form', 'accepted', 'body.shape', sub { $hip->push_page(@page, body => { keyMaterial => { dhPublicKey => { keyValue => MIME::Base64::encode_base64(Fidelius::new_key_pair()->{public_raw}, '') } } }) }, 400],
    ['a page whose key has expired', 'accepted', 'page.expiry', sub { $hip->push_page(@page, body => { keyMaterial => { dhPublicKey => { expiry => '1970-01-01T00:00:00.000Z' } } }) }, 400],
    ['a page with curve spelled otherwise', 'accepted', 'page.curve', sub { $hip->push_page(@page, body => { keyMaterial => { curve => 'curve25519' } }) }, 400],
    ['a page that is no document', 'accepted', 'page.fhir', sub { $hip->push_page(@page, plain => '{"resourceType":"Patient"}') }, 400],
    ['a page of a type beyond the artefact', 'accepted', 'page.hi-type', sub { $hip->push_page(@page, plain => $bundle =~ s/PrescriptionRecord/DischargeSummaryRecord/r) }, 400],
    ['a page after a refusal', 'requested', 'push.refused', sub { $hip->on_request(body => { hiRequest => undef, error => { code => 'ABDM-1063', message => 'range' } }); $hip->push_page(@page) }, 400],
    ['a page after the notification', 'pushed', 'push.late', sub { $hip->notify(contexts => \@contexts); $hip->push_page(@page, number => 1, context => $contexts[1], pair => undef) }, 400, 'page.repeated'],
    ['notify before on-request', 'requested', 'notify.early', sub { $hip->notify(word => 'FAILED', rows => [map { { careContextReference => $_, hiStatus => 'ERRORED' } } @contexts]) }, 400],
    ['notify of an unknown transaction', 'pushed', 'transaction.unknown', sub { $hip->notify(contexts => \@contexts, body => { notification => { transactionId => new_uuid() } }) }, 400],
    ['notify of another consent', 'pushed', 'consent.other', sub { $hip->notify(contexts => \@contexts, body => { notification => { consentId => new_uuid() } }) }, 400],
    ['notify that leaves a context out', 'pushed', 'notify.context', sub { $hip->notify(contexts => [$contexts[0]]) }, 400],
    ['notify that names a context twice', 'pushed', 'notify.context', sub { $hip->notify(contexts => [@contexts, $contexts[0]]) }, 400],
    ['notify that calls delivered what was not', 'accepted', 'notify.untrue', sub { $hip->notify(contexts => \@contexts) }, 400],
    ['notify with pages missing', 'accepted', ['notify.pages', 'notify.untrue'], sub { $hip->push_page(@page); $hip->notify(contexts => \@contexts) }, 400],
    ['notify TRANSFERRED of nothing', 'accepted', 'notify.status', sub { $hip->notify(rows => [map { { careContextReference => $_, hiStatus => 'ERRORED' } } @contexts]) }, 400],
    ['notify FAILED of everything', 'pushed', 'notify.status', sub { $hip->notify(contexts => \@contexts, word => 'FAILED') }, 400],
    ['notify with hiStatus OK', 'pushed', 'body.shape', sub { $hip->notify(rows => [map { { careContextReference => $_, hiStatus => 'OK' } } @contexts]) }, 400],
    ['notify as HIU', 'pushed', 'body.shape', sub { $hip->notify(contexts => \@contexts, body => { notification => { notifier => { type => 'HIU' } } }) }, 400],
    ['notify with doneAt tomorrow', 'pushed', 'notify.done-at', sub { $hip->notify(contexts => \@contexts, body => { notification => { doneAt => iso(time + 86_400) } }) }, 400],
    ['notify with doneAt in local form', 'pushed', 'body.shape', sub { $hip->notify(contexts => \@contexts, body => { notification => { doneAt => '2026-03-05T09:21:03+05:30' } }) }, 400],
    ['notify twice', 'pushed', 'notify.repeated', sub { $hip->notify(contexts => \@contexts) for 1, 2; $hip->notify(contexts => \@contexts) }, 400],
);

subtest 'each deviation is noticed, and only that' => sub {
    for my $row (@DEVIATIONS) {
        my ($name, $stage, $rule, $deviate, $status, $also) = @$row;
        reach($stage);
        is_deeply rules(), [], "$name: the way there is clean" or diag explain rules();
        my $res = $deviate->();
        is_deeply rules(), [sort(ref $rule ? @$rule : $rule, $also // ())], "$name: noticed";
        is $res->code, $status, "$name: answered $status";
    }
};

subtest 'what takes time is noticed too' => sub {
    $hip->sim('/config', { token_seconds => 1 });
    reach('granted');
    sleep 2;
    is $hip->on_notify->code, 401, 'an expired token is refused';
    is_deeply rules(), ['authorization.expired'], 'and noticed';
    $hip->sim('/config', { token_seconds => 1200 });

    my $consent = reach('accepted');
    $hip->sim("/consents/$consent->{consent_id}/notify", { status => 'REVOKED' });
    sleep 2;
    is $hip->push_page(@page)->code, 400, 'a page after the revocation is refused';
    is_deeply rules(), ['push.revoked'], 'and noticed';
};

subtest 'a large page is opened in a child, and judged the same' => sub {
    reach('accepted');
    my $large = $bundle =~ s/"data":\s*"/'"data":"' . 'QUJD' x 2_500_000/er;
    is $hip->push_page(@page, plain => $large, spoil => 1)->code, 400, 'ten megabytes with a flipped bit';
    is_deeply rules(), ['page.decrypt'], 'noticed';
    reach('accepted');
    is $hip->push_page(@page, plain => $large)->code, 202, 'ten megabytes as they should be';
    is_deeply rules(), [], 'no violation';
    my ($page) = map { @{ $_->{pages} } } @{ $hip->sim('/transfers')->{transfers} };
    is $page->{size}, length $large, 'its size is known';
    is $page->{attachments}[0]{size}, 7_500_000 + 18, 'and its attachment';
};

subtest 'the simulator misbehaves on demand' => sub {
    reach('granted');
    for my $fault ({ action => 'status', status => 503, retry_after => 1 }, { action => 'redirect' }, { action => 'garbage' },
        { action => 'empty' }, { action => 'drop' }, { action => 'huge', bytes => 200_000 }) {
        $hip->sim('/faults', { %$fault, path => 'on-notify$', count => 1 });
    }
    my @codes = map { $hip->on_notify->code } 1 .. 7;
    is_deeply \@codes, [503, 302, 200, 200, 599, 200, 202], 'each fault once, then the right answer';
    is_deeply rules(), [], 'an answer that a fault took is not held against the HIP';

    reach('granted');
    $hip->sim('/faults', { action => 'drop', path => 'on-notify$', count => 1, process => 1 });
    is $hip->on_notify->code, 599, 'done, but the answer is lost';
    is $hip->on_notify->code, 400, 'the second is a duplicate';
    is_deeply rules(), [], 'and no violation';

    reach('accepted');
    $hip->sim('/faults', { action => 'status', status => 404, path => '^/hiu/push/', page => 1 });
    is $hip->push_page(@page)->code, 202, 'page 0 is taken';
    is $hip->push_page(@page, number => 1, context => $contexts[1])->code, 404, 'page 1 is refused';
    is_deeply rules(), [], 'no violation so far';
    $hip->push_page(@page, number => 1, context => $contexts[1]);
    is_deeply rules(), ['page.after-final'], 'a page after a final refusal is noticed';

    reach('accepted');
    $hip->sim('/faults', { action => 'drop_early', path => '^/hiu/push/', count => 1 });
    my $large = $bundle =~ s/"data":\s*"/'"data":"' . 'QUJD' x 250_000/er;
    is $hip->push_page(@page, plain => $large)->code, 599, 'the connection is dropped within the body';
    is $hip->push_page(@page, plain => $large)->code, 202, 'and then the page is taken';
    is_deeply rules(), [], 'no violation';

    reach('logged');
    $hip->sim('/sessions/forget', {});
    is $hip->call('certs', undef)->code, 401, 'a forgotten token is refused';
    is_deeply rules(), [], 'and that is no violation';
    my $before = $hip->call('certs', undef, path => '/auth/realms/central-registry/protocol/openid-connect/certs')->json;
    $hip->sim('/keys/rotate', {});
    my $after = $hip->call('certs', undef, path => '/auth/realms/central-registry/protocol/openid-connect/certs')->json;
    isnt $after->{keys}[0]{kid}, $before->{keys}[0]{kid}, 'the keys change on demand';
    is_deeply [map { $_->{alg} } @{ $after->{keys} }], [qw(RS256 RS512)], 'two keys, as the real ones';
};

subtest 'callbacks can be wrong on demand, and are redelivered' => sub {
    reach('logged');
    my %token = (
        none => { alg => 'none' }, hmac => { alg => 'HS256' }, kid => { kid => 'x' }, key => { key => 'other' }, own => { own => 1 },
        expired => { expired_by => 7200 }, issuer => { iss => 'https://evil.example' }, tampered => { tamper => 1 },
    );
    my %seen;
    for my $name (sort keys %token) {
        $hip->sim('/callback', { path => '/api/v3/x', body => {}, token => $token{$name} });
        $seen{ $hip->received->[-1]{headers}->authorization }++;
    }
    is scalar keys %seen, scalar keys %token, 'each token is another one';
    $hip->sim('/callback', { path => '/api/v3/x', body => {}, token => Cpanel::JSON::XS::false, headers => { 'REQUEST-ID' => undef } });
    ok !defined $hip->received->[-1]{headers}->authorization, 'or there is none';
    ok !defined $hip->received->[-1]{headers}->header('REQUEST-ID'), 'and headers can be left out';

    $hip->received([])->status(503);
    Mojo::IOLoop->timer(0.12 => sub { $hip->status(202) });
    my $got = $hip->sim('/callback', { path => '/api/v3/x', body => {}, retry => 1 });
    is $got->{status}, 202, 'redelivered until taken';
    cmp_ok $got->{tries}, '>', 1, 'more than one try';
    my %ids = map { $_->{headers}->header('REQUEST-ID') => 1 } @{ $hip->received };
    is scalar keys %ids, 1, 'with the same REQUEST-ID';
};

$t->finish;
