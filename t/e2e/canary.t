#!/usr/bin/env perl

# What is known of people stays out of logs and, unsealed, out of the store: a run with everything that
# tempts to write it down, and a proof that the search at the end of every test finds what it looks for.

use strict;
use warnings;
use feature 'signatures';
use utf8;
use FindBin;
use lib "$FindBin::Bin/../lib";

use MIME::Base64 qw(encode_base64);
use Mojo::File qw(path);
use Mojo::Util qw(url_escape);
use Test::ABDM;
use Test::Canary;
use Test::More;

Test::ABDM->need_module;

my $ADDRESS = 'asha.k@sbx';
my $SAID    = 'mobile 9000000001 of Asha Kumari (asha.k@sbx, 91-1112-2223-3334) has no OTP 482917';
my $t       = Test::ABDM->new->start;

sub api ($method, $path, $body = undef) {
    my $url = $t->url . "/abdm/api/v1/$path";
    my %head = ('X-HIP-ID' => $t->{hip});
    return $t->ua->$method($url => \%head, $body ? (json => $body) : ())->result;
}

subtest 'a gateway that repeats particulars in its refusals' => sub {
    my $consent = $t->grant(contexts => ['OPD-26-0771']);
    $t->wait_for(ack => consent => $consent->{consent_id});
    $t->sim('/faults', { path => 'hip/on-request$', action => 'status', status => 400, count => 1,
        body => { error => { code => 'ABDM-1010', message => $SAID } } });
    my $id = $t->request($consent);
    $t->wait_for(notify => transaction => $id);
    my $line = $t->wait_until(sub { (grep { /E_GATEWAY_REFUSED/ } split /\n/, $t->error_log)[0] });
    like $line, qr/code=1010 text="mobile \* of \* has no OTP \*"/, 'what it said is logged by its own words';
};

subtest 'callbacks and calls that are refused with particulars in them' => sub {
    my $body = { notification => { status => 'PERHAPS', consentId => $ADDRESS, consentDetail => { patient => { id => $ADDRESS }, name => $SAID } } };
    is $t->sim('/callback', { path => '/api/v3/consent/request/hip/notify', body => $body })->{status}, 202, 'a notice';
    is $t->sim('/callback', { path => '/api/v3/hip/patient/share', body => { profile => { patient => { name => $SAID } } } })->{status},
        202, 'a share';
    is $t->sim('/callback', { path => '/api/v3/hip/token/on-generate-token', body => { error => { code => 'ABDM-1013', message => $SAID } } })->{status},
        202, 'an answer';
    is $t->sim('/callback', { path => '/api/v3/consent/request/hip/notify', raw_body => "{\"$SAID" })->{status}, 400, 'broken JSON';
    is $t->sim('/callback', { path => '/api/v3/consent/request/hip/notify', raw_body => '{"a":1} ' . $SAID })->{status}, 400, 'something behind it';
    is $t->sim('/callback', { path => '/api/v3/x', body => {}, headers => { 'X-HIP-ID' => $ADDRESS } })->{status}, 400, 'a facility';
    is $t->sim('/callback', { path => '/api/v3/x', body => {}, headers => { 'REQUEST-ID' => $ADDRESS } })->{status}, 400, 'a REQUEST-ID';
    is $t->sim('/callback', { path => '/api/v3/x', body => {}, token => { azp => 'Asha Kumari', roles => [] } })->{status}, 401, 'a token';
};

subtest 'calls of the hospital with particulars in path and query' => sub {
    is api(get => 'patients?abhaAddress=' . url_escape('nobody.at.all@sbx'))->code, 404, 'a patient who is not known';
    is api(post => 'patients', { reference => 'UH1', name => $SAID, gender => 'Asha Kumari', yearOfBirth => 1988 })->code, 400, 'a patient refused';
    is api(get => 'patients?abhaAddress=' . url_escape($ADDRESS))->code, 404, 'a patient';
    is api(get => 'care-contexts?patient=' . url_escape('Asha Kumari'))->code, 200, 'care contexts';
    is api(get => 'nowhere/' . url_escape('Asha Kumari'))->code, 404, 'no such call';
    is api(post => 'push-hosts', { host => 'Asha Kumari', state => 'allowed' })->code, 400, 'a host';
};

subtest 'an OTP on its way' => sub {
    my $found = $t->sim("/citizens/$ADDRESS/discover", { hip => $t->{hip} });
    my $id = $found->{transaction_id};
    $t->sim("/linkings/$id/init", {});
    ok $t->sim("/linkings/$id/confirm", { otp => '000000' }), 'wrong';
};

subtest 'a large record that waits for a slow requester' => sub {
    my $consent = $t->grant(contexts => ['OPD-26-0655'], patient_reference => 'UH100233');
    $t->hmis('/_test/fault', { path => '^/files/4901', action => 'huge', bytes => 3_000_000, count => 1 });
    $t->sim('/faults', { path => '^/hiu/push/', action => 'delay', ms => 3000, count => 1 });
    my $id     = $t->request($consent);
    my $spools = sub {
        my %live = Test::Canary::live($t);
        return join q{}, @live{ grep { /\Aspool / } keys %live };
    };
    my $bytes = $t->wait_until(sub { my $all = $spools->(); length $all > 3_000_000 && $all }, 15) // q{};
    ok length $bytes, 'lies in a file without a name';
    unlike $bytes, qr/%PDF|Catalog|\0{16}/, 'sealed';
    $t->wait_for(notify => transaction => $id);
};

subtest 'an HMIS that is down while a patient is sought' => sub {
    $t->_end('hmis', 'TERM', 3);
    $t->sim("/citizens/$ADDRESS/discover", { hip => $t->{hip}, identifiers => [{ type => 'MOBILE', value => '9000000001' }] });
    ok $t->wait_until(sub { $t->error_log =~ /abdm: E_\w+:.*step=question/ }, 15), 'the question failed';
};

# ---- the search itself -------------------------------------------------------------------------

my @birds = Test::Canary::gather($t);
my %kinds = map { $_->{what} => 1 } @birds;
ok $kinds{$_}, "it looks for: $_" for 'name', 'number', 'address', 'session token', 'bearer', 'secret.key', 'client_secret',
    'HMIS phone', 'HMIS village', 'doctor', 'record';

my @ways = (
    ['as it is',        sub ($text) { $text }],
    ['in a query',      sub ($text) { url_escape($text) }],
    ['in base64',       sub ($text) { encode_base64("12$text", '') }],
    ['in base64, a byte on', sub ($text) { encode_base64("1$text--", '') }],
    ['in base64, two bytes on', sub ($text) { encode_base64("123$text-", '') }],
    ['in hexadecimal',  sub ($text) { unpack 'H*', $text }],
    ['in capitals',     sub ($text) { uc unpack 'H*', $text }],
);
my $other = Test::ABDM->new(simulator => 0);
sub plant ($file, $bytes) { return path("$other->{dir}/$file")->spurt($bytes) }
for my $file (qw(error.log access.log nginx.log abdm.db abdm.db-wal tmp-0001)) {
    my %missed;
    for my $way (@ways) {
        my ($how, $code) = @$way;
        for my $text ('Asha Kumari', '9000000001', $ADDRESS, '91111222233334') {
            my $whole = $code->($text);
            plant($file, "some line before: $whole\nand behind\n");
            my @found = Test::Canary::leaks($other, {}, @birds);
            $missed{"$text $how"} = 1 if !grep { /\A\Q$file\E: / } @found;
        }
    }
    is_deeply \%missed, {}, "$file: everything that was put there is found";
    plant($file, "2026/03/05 09:20:11 [warn] 4711#4711: *1 abdm: E_TOKEN_CALLER 7d8e6b1c-0c55-4f5b-9d43-2f3f3f1b0a01\n");
    is_deeply [Test::Canary::leaks($other, {}, @birds)], [], "$file: and nothing else";
    unlink "$other->{dir}/$file";
}
plant('error.log', '\xe0\xa4\x94\xe0\xa4\xb7\xe0\xa4\xa7 \xe0\xa4\xaa\xe0\xa4\xb0\xe0\xa5\x8d\xe0\xa4\x9a\xe0\xa5\x80');
is scalar(Test::Canary::leaks($other, {}, @birds)), 1, 'a record\'s title as the log escapes it';
for my $number ('UH100231', 'OPD-26-0771', 'OPD-S-00012-1') {
    plant('error.log', "2026/03/05 09:20:11 [warn] 4711#4711: abdm: E_OPTED_OUT id=$number event=context.due\n");
    is scalar(Test::Canary::leaks($other, {}, @birds)), 1, "$number, which is somebody's";
}
unlink "$other->{dir}/error.log";
ok scalar(Test::Canary::leaks($other, { spool => "\0Asha Kumari\0" }, @birds)), 'a file without a name';
$other->{said} = "transfer of Asha Kumari\n";
ok scalar(Test::Canary::leaks($other, {}, @birds)), 'what the command prints';
delete $other->{said};

$t->finish;
