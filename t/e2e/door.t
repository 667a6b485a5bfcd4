#!/usr/bin/env perl

# The front door: who may call, what may be sent, and that every refusal, also nginx's own, is
# JSON with a stable code.

use strict;
use warnings;
use feature 'signatures';
use FindBin;
use lib "$FindBin::Bin/../lib";

use Mojo::JSON qw(decode_json);
use Test::ABDM;
use Test::More;

Test::ABDM->need_module;

my $t = Test::ABDM->new(hmis => 0, workers => 2, server => [
    'error_page 400 401 403 404 405 413 500 503 /elsewhere.html;',
    'location /abdm/closed/ { abdm_api; deny all; }',
])->start;

my $PATH = '/api/v3/consent/request/hip/notify';
my $ua   = $t->ua;

sub url ($path = $PATH) { return $t->url . "/abdm$path" }

sub api ($path) { return $t->url . "/abdm/api$path" }

sub refused ($res, $status, $code, $name) {
    my $error = eval { decode_json($res->body)->{error} } // {};
    is $res->code, $status, "$name: $status";
    is $error->{code}, $code, "$name: $code";
    ok length($error->{message} // ''), "$name: with a sentence";
    is $res->headers->content_type, 'application/json', "$name: as JSON";
    return $res;
}

sub refused_callback ($wish, $status, $code, $name) {
    my $got   = $t->sim('/callback', { path => $PATH, body => {}, %$wish });
    my $error = eval { decode_json($got->{body})->{error} } // {};
    is $got->{status}, $status, "$name: $status";
    is $error->{code}, $code, "$name: $code";
    return $got;
}

subtest 'a genuine callback is taken with 202 and an empty object' => sub {
    my $consent = $t->grant(contexts => ['OPD-26-0771']);
    is $consent->{sent}{status}, 202, 'taken';
    is_deeply decode_json($consent->{sent}{body}), {}, '{}';
};

subtest 'only the gateway may call' => sub {
    my $res = refused($ua->post(url() => json => {})->result, 401, 'E_TOKEN_MISSING', 'no token');
    is $res->headers->header('WWW-Authenticate'), 'Bearer', 'no token: told what is missing';
    refused_callback({ token => 'x.y.z' }, 401, 'E_TOKEN_FORM', 'no JWT');
    refused_callback({ token => { tamper => 1 } }, 401, 'E_TOKEN_SIGNATURE', 'an altered token');
    refused_callback({ token => { key => 'other' } }, 401, 'E_TOKEN_KID_UNKNOWN', 'a stranger\'s key');
    refused_callback({ token => { alg => 'none' } }, 401, 'E_TOKEN_FORM', 'no signature');
    refused_callback({ token => { own => 1 } }, 401, 'E_TOKEN_CALLER', 'our own token');
    refused_callback({ token => { expired_by => 7200 } }, 401, 'E_TOKEN_TIME', 'a token of yesterday');
};

subtest 'headers are judged before the body' => sub {
    refused_callback({ headers => { 'REQUEST-ID' => undef } }, 400, 'E_REQUEST_ID', 'no REQUEST-ID');
    refused_callback({ hip => 'IN0000000000' }, 400, 'E_FACILITY_UNKNOWN', 'another facility');
    refused_callback({ headers => { 'Content-Type' => 'text/plain' } }, 415, 'E_CONTENT_TYPE', 'not JSON');
    refused_callback({ headers => { 'Content-Encoding' => 'gzip' } }, 415, 'E_ENCODING', 'compressed');
};

subtest 'a callback is a POST' => sub {
    my $res = refused($ua->get(url())->result, 405, 'E_METHOD', 'GET');
    is $res->headers->header('Allow'), 'POST', 'GET: told what is allowed';
    my $head = $ua->head(url())->result;
    is $head->code, 405, 'HEAD: 405';
    is $head->body, '', 'HEAD: without a body';
};

subtest 'a body has its limits' => sub {
    my $large = 'x' x 300_000;
    refused($ua->post(url() => $large)->result, 413, 'E_BODY_TOO_LARGE', 'told beforehand');
    refused_callback({ headers => { 'Transfer-Encoding' => 'chunked', 'Content-Length' => undef },
        raw_body => '493e0' . "\r\n$large\r\n0\r\n\r\n" }, 413, 'E_BODY_TOO_LARGE', 'found in chunks');
    refused_callback({ raw_body => '{"notification":' }, 400, 'E_JSON', 'half a body');
    refused_callback({ raw_body => '' }, 400, 'E_BODY_MISSING', 'no body');
};

subtest 'a key that the gateway has just made is fetched while the callback waits' => sub {
    $t->sim('/keys/rotate', {});
    is $t->grant(contexts => ['OPD-26-0771'])->{sent}{status}, 202, 'taken';
};

subtest 'an unknown key is refused after the wait' => sub {
    refused_callback({ token => { kid => 'nobody' } }, 401, 'E_TOKEN_KID_UNKNOWN', 'unknown kid');
};

subtest 'the API and the status answer JSON, whatever is asked' => sub {
    is ref decode_json($ua->get(url('/status'))->result->body), 'HASH', 'status';
    my $list = $ua->get(api('/v1/transfers'))->result;
    is $list->code, 200, 'the transfers: 200';
    ok ref decode_json($list->body), 'the transfers: JSON';
    refused($ua->get(api('/v1/transfers/nothing'))->result, 404, 'E_NOT_FOUND', 'no such transfer');
    refused($ua->get(api('/v1/elsewhere'))->result, 404, 'E_NOT_FOUND', 'no such path');
    refused($ua->post(api('/v1/transfers'))->result, 405, 'E_METHOD_API', 'POST');
    refused($ua->get(url('/closed/transfers'))->result, 403, 'E_FORBIDDEN', 'deny');
};

subtest 'reloads under callbacks refuse none' => sub {
    my %seen;
    for my $round (1 .. 30) {
        $t->reload if $round % 5 == 0;
        $seen{ $t->grant(contexts => ['OPD-26-0771'])->{sent}{status} }++;
    }
    is_deeply \%seen, { 202 => 30 }, 'all taken';
};

my $log = $t->error_log;
like $log, qr/refused with 401 E_TOKEN_CALLER: .* path "\Q\/abdm$PATH\E", REQUEST-ID "[0-9a-f-]{36}"/,
    'a refusal is logged with code, path and REQUEST-ID';
unlike $log, qr/eyJ/, 'and without the token';

$t->finish;
