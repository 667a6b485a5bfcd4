#!/usr/bin/env perl

# Who may call: every path of the library's own route table, in every spelling, with every token that
# is not the gateway's. All participants of ABDM hold tokens of the same issuer and keys, so most of
# these are genuine; only the gateway's may pass, none of the others has its body read, and each is
# told the same everywhere.

use strict;
use warnings;
use feature 'signatures';
use FindBin;
use lib "$FindBin::Bin/../lib";

use IO::Socket::SSL;
use MIME::Base64 qw(encode_base64url);
use Mojo::JSON qw(decode_json encode_json);
use Test::ABDM;
use Test::More;
use Time::HiRes qw(time);

Test::ABDM->need_module;
my $tool = Test::ABDM->build_dir . '/tools/routes';
plan skip_all => 'the tool is not built: make VARIANT=test unit' if !-x $tool;

my $LIMIT = 5;     # seconds for an answer
my $t     = Test::ABDM->new(hmis => 0, log_level => 'notice', gateway => { token_leeway => '300s' })->start;
is $t->grant->{sent}{status}, 202, 'the keys are there';

sub token (%wish) { return $t->sim('/token', \%wish)->{token} }

# ---- a client of one connection ----------------------------------------------------------------

my $socket;

sub connected {
    return $socket //= IO::Socket::SSL->new(PeerHost => '127.0.0.1', PeerPort => $t->{port},
        SSL_ca_file => "$t->{dir}/certs/ca.pem", Timeout => $LIMIT) || die "no connection: $SSL_ERROR\n";
}

# The status and code that come back; 0 when nothing does in time.
sub answer {
    my ($bytes, $head) = ('');
    local $SIG{ALRM} = sub { die "no answer\n" };
    my $got = eval {
        alarm $LIMIT;
        while ($bytes !~ /\A(.*?\r\n)\r\n/s || length($bytes) < length($1) + 2 + _length($1)) {
            $socket->sysread($bytes, 16_384, length $bytes) or die "closed\n";
        }
        alarm 0;
        1;
    };
    alarm 0;
    return (0, $@) if !$got;
    my ($status) = $bytes =~ m{\AHTTP/1[.]1 (\d+)};
    if ($bytes =~ /^Connection: close/mi) { undef $socket }
    my $json = eval { decode_json($bytes =~ s/\A.*?\r\n\r\n//sr) };
    return ($status, ($json // {})->{error}{code} // '');
}

sub _length ($head) { return $head =~ /^Content-Length: (\d+)/mi ? $1 : 0 }

my $calls = 0;

sub ask ($path, $header, $authorization, $body = '{}') {
    my $id = sprintf '00000000-0000-4000-8000-%012d', ++$calls;
    my @facility = $header eq '-' ? () : "$header: $t->{hip}";
    my @lines = ("POST /abdm$path HTTP/1.1", 'Host: 127.0.0.1', 'Content-Type: application/json', "REQUEST-ID: $id",
        @facility, @$authorization, 'Content-Length: ' . (defined $body ? length $body : 100_000));
    connected()->print(join("\r\n", @lines, '', '') . ($body // ''));
    my @got = answer();
    undef $socket if !defined $body || !$got[0];    # the body that never came is still awaited
    return @got;
}

# ---- paths and tokens --------------------------------------------------------------------------

open my $list, '-|', $tool or die "$tool: $!\n";
chomp(my @lines = <$list>);
close $list or die "$tool failed\n";
my @paths = map { [split /\t/] } @lines;
cmp_ok scalar @paths, '>', 150, 'the route table is long: ' . @paths . ' ways in';

my $good = token();
my ($header, $claims, $signature) = split /[.]/, $good;
my %claims = %{ decode_json(MIME::Base64::decode_base64url($claims)) };
my $kid    = decode_json(MIME::Base64::decode_base64url($header))->{kid};
my $jwk    = { kty => 'RSA', kid => $kid, n => 'AQAB', e => 'AQAB' };
my $now    = int time;

sub unsigned ($alg, %more) {
    return join '.', encode_base64url(encode_json({ alg => $alg, typ => 'JWT', kid => $kid, %more })), $claims, '';
}

sub bearer ($token) { return ["Authorization: Bearer $token"] }

# Genuine tokens, made by the issuer and signed by its keys, of somebody or something else; then
# tokens that want to be taken for genuine; then what is no header of one token at all.
my @refused = (
    ['another participant\'s',          bearer(token(azp => 'SBXID_999999', roles => [qw(hip hiu OIDC)])), 'E_TOKEN_CALLER'],
    ['another with many roles',         bearer(token(azp => 'SBXID_999999', roles => [map { "role$_" } 1 .. 50])), 'E_TOKEN_CALLER'],
    ['one named nearly as the gateway', bearer(token(azp => 'gateway2', roles => ['gateways'])), 'E_TOKEN_CALLER'],
    ['one with a space behind',         bearer(token(azp => 'gateway ', roles => [])), 'E_TOKEN_CALLER'],
    ['of nobody',                       bearer(token(claims => { azp => undef, clientId => undef, realm_access => undef })), 'E_TOKEN_CALLER'],
    ['our own',                         bearer(token(own => 1)), 'E_TOKEN_CALLER'],
    ['our own with the gateway\'s role', bearer(token(own => 1, roles => ['gateway'])), 'E_TOKEN_CALLER'],
    ['expired beyond the leeway',       bearer(token(expired_by => 301)), 'E_TOKEN_TIME'],
    ['expired yesterday',               bearer(token(expired_by => 86_400)), 'E_TOKEN_TIME'],
    ['not yet valid',                   bearer(token(claims => { nbf => $now + 3600 })), 'E_TOKEN_TIME'],
    ['issued in the future',            bearer(token(claims => { iat => $now + 3600, exp => $now + 7200 })), 'E_TOKEN_TIME'],
    ['of ten years',                    bearer(token(expires_in => 315_360_000)), 'E_TOKEN_TIME'],
    ['without an end',                  bearer(token(claims => { exp => undef })), 'E_TOKEN_CLAIMS'],
    ['with an end as text',             bearer(token(claims => { exp => '9999999999' })), 'E_TOKEN_CLAIMS'],
    ['a refresh token by its claim',    bearer(token(claims => { typ => 'Refresh' })), 'E_TOKEN_CLAIMS'],
    ['an offline token',                bearer(token(claims => { typ => 'Offline' })), 'E_TOKEN_CLAIMS'],
    ['an ID token',                     bearer(token(claims => { typ => 'ID' })), 'E_TOKEN_CLAIMS'],
    ['a refresh token as it is',        bearer(token(refresh => 1)), 'E_TOKEN_ALG'],
    ['of another realm',                bearer(token(iss => $claims{iss} =~ s/central-registry/other/r)), 'E_TOKEN_ISSUER'],
    ['of a realm with a slash more',    bearer(token(iss => "$claims{iss}/")), 'E_TOKEN_ISSUER'],
    ['of a realm in capitals',          bearer(token(iss => uc $claims{iss})), 'E_TOKEN_ISSUER'],
    ['without an issuer',               bearer(token(claims => { iss => undef })), 'E_TOKEN_CLAIMS'],
    ['for another audience',            bearer(token(aud => 'SBXID_999999')), 'E_TOKEN_AUDIENCE'],

    ['HS256 with the public key',       bearer(token(alg => 'HS256')), 'E_TOKEN_ALG'],
    ['no algorithm',                    bearer(unsigned('none') . 'AA'), 'E_TOKEN_ALG'],
    ['no algorithm in odd case',        bearer(unsigned('nOnE') . 'AA'), 'E_TOKEN_ALG'],
    ['no algorithm and no signature',   bearer(unsigned('none')), 'E_TOKEN_FORM'],
    ['ES256',                           bearer(unsigned('ES256') . $signature), 'E_TOKEN_ALG'],
    ['an empty algorithm',              bearer(unsigned('') . $signature), 'E_TOKEN_ALG'],
    ['RS512 with the key of RS256',     bearer(token(alg => 'RS512')), 'E_TOKEN_ALG'],
    ['altered',                         bearer(token(tamper => 1)), 'E_TOKEN_SIGNATURE'],
    ['signed by a stranger as the gateway', bearer(token(key => 'other', kid => $kid)), 'E_TOKEN_SIGNATURE'],
    ['signed by a stranger',            bearer(token(key => 'other')), 'E_TOKEN_KID_UNKNOWN'],
    ['without a kid',                   bearer(token(kid => undef)), 'E_TOKEN_HEADER'],
    ['an unknown kid',                  bearer(token(kid => 'nobody')), 'E_TOKEN_KID_UNKNOWN'],
    ['a kid that is a path',            bearer(token(kid => '../../../../dev/null')), 'E_TOKEN_KID_UNKNOWN'],
    ['a kid that is SQL',               bearer(token(kid => q{x' UNION SELECT 'key})), 'E_TOKEN_KID_UNKNOWN'],
    ['a kid that is a number',          bearer(token(header => { kid => 1 })), 'E_TOKEN_HEADER'],
    ['a kid that is a list',            bearer(token(header => { kid => [$kid] })), 'E_TOKEN_HEADER'],
    ['an empty kid',                    bearer(token(header => { kid => q{} })), 'E_TOKEN_HEADER'],
    ['a kid of 129 bytes',              bearer(token(kid => 'k' x 129)), 'E_TOKEN_HEADER'],
    ['a kid of 4 kB',                   bearer(token(kid => 'k' x 4096)), 'E_TOKEN_FORM'],
    ['a key of its own',                bearer(token(header => { jwk => $jwk })), 'E_TOKEN_HEADER'],
    ['an address of keys',              bearer(token(header => { jku => 'https://evil.example/keys' })), 'E_TOKEN_HEADER'],
    ['a certificate of its own',        bearer(token(header => { x5c => ['MIIB'] })), 'E_TOKEN_HEADER'],
    ['an address of certificates',      bearer(token(header => { x5u => 'https://evil.example/' })), 'E_TOKEN_HEADER'],
    ['a critical extension',            bearer(token(header => { crit => ['exp'] })), 'E_TOKEN_HEADER'],
    ['compressed',                      bearer(token(header => { zip => 'DEF' })), 'E_TOKEN_HEADER'],
    ['a body not encoded',              bearer(token(header => { b64 => \0 })), 'E_TOKEN_HEADER'],
    ['of another type',                 bearer(token(header => { typ => 'JWE' })), 'E_TOKEN_HEADER'],

    ['no token',                        [], 'E_TOKEN_MISSING'],
    ['an empty header',                 ['Authorization:'], 'E_TOKEN_MISSING'],
    ['two tokens in two headers',       [@{ bearer($good) }, @{ bearer($good) }], q{}],
    ['two tokens in one header',        ["Authorization: Bearer $good, Bearer $good"], 'E_TOKEN_FORM'],
    ['the scheme alone',                ['Authorization: Bearer'], 'E_TOKEN_FORM'],
    ['no scheme',                       ["Authorization: $good"], 'E_TOKEN_FORM'],
    ['another scheme',                  ["Authorization: Basic $good"], 'E_TOKEN_FORM'],
    ['a tab behind the scheme',         ["Authorization: Bearer\t$good"], 'E_TOKEN_FORM'],
    ['two spaces behind the scheme',    ["Authorization: Bearer  $good"], 'E_TOKEN_FORM'],
    ['something behind it',             bearer("$good x"), 'E_TOKEN_SIGNATURE'],
    ['a fourth part',                   bearer("$good.x"), 'E_TOKEN_FORM'],
    ['with padding',                    bearer("$good=="), 'E_TOKEN_SIGNATURE'],
    ['in quotes',                       bearer(qq{"$good"}), 'E_TOKEN_FORM'],
    ['cut by a character',              bearer(substr $good, 0, -1), 'E_TOKEN_SIGNATURE'],
    ['cut behind the claims',           bearer("$header.$claims"), 'E_TOKEN_FORM'],
    ['cut to its header',               bearer($header), 'E_TOKEN_FORM'],
    ['as a parameter of the scheme',    ["Authorization: Bearer token=$good"], 'E_TOKEN_FORM'],
    ['in a header of its own',          ["X-Authorization: Bearer $good"], 'E_TOKEN_MISSING'],
    ['for a proxy',                     ["Proxy-Authorization: Bearer $good"], 'E_TOKEN_MISSING'],
);

# ---- the matrix --------------------------------------------------------------------------------

sub status { return decode_json($t->ua->get($t->url . '/abdm/status')->result->body) }
my $before = status();
my $start  = time;
my %wrong;
my $passed = 0;

for my $way (@paths) {
    my ($row, $path, $facility) = @$way;
    my ($status, $code) = ask($path, $facility, bearer($good));
    $passed++ if $status == 202;
    $wrong{"the gateway's at $path"} = "$status $code" if $status != 202;
    ($status, $code) = ask($path, $facility, ["authorization: bEARER $good"]);
    $passed++ if $status == 202;
    $wrong{"the gateway's in another case at $path"} = "$status $code" if $status != 202;
    for my $case (@refused) {
        my ($name, $authorization, $want) = @$case;
        ($status, $code) = ask($path, $facility, $authorization);
        my $expected = length $want ? 401 : 400;    # by nginx itself, before it knows the location
        $wrong{"$name at $path"} = "$status $code, not $want" if $status != $expected || $code ne $want;
    }
}
is_deeply \%wrong, {}, 'only the gateway\'s token passes, at every path, and every other is told why it does not';
is $passed, 2 * @paths, 'the gateway passes everywhere';
note sprintf '%d requests in %.1f s', $calls, time - $start;
cmp_ok time - $start, '<', 180, 'fast enough for every run';

subtest 'a header that decides comes once' => sub {
    my %taken;
    for my $more ("X-HIP-ID: $t->{hip}", 'X-HIP-ID: IN0000000000', 'REQUEST-ID: 00000000-0000-4000-8000-999999999999') {
        my ($status, $code) = ask('/api/v3/consent/request/hip/notify', 'X-HIP-ID', [@{ bearer($good) }, $more]);
        $taken{$more} = "$status $code" if $status != 400 || $code ne 'E_HEADER_DUPLICATE';
    }
    is_deeply \%taken, {}, 'else it is refused, with a good token too';
};

subtest 'the body of a refused call is not read' => sub {
    my %late;
    for my $n (0 .. $#paths) {
        my ($row, $path, $facility) = @{ $paths[$n] };
        my ($name, $authorization, $want) = @{ $refused[$n % @refused] };
        my $begin = time;
        my ($status, $code) = ask($path, $facility, $authorization, undef);
        $late{"$name at $path"} = "$status $code" if $code ne $want || time - $begin > 1;
    }
    is_deeply \%late, {}, 'answered while 100 kB are still to come';
};

subtest 'nothing of a refused call was kept' => sub {
    my $after = status();
    is $after->{callbacks}{accepted} - $before->{callbacks}{accepted}, $passed, 'as many callbacks as the gateway sent';
};

my $log = $t->error_log;
unlike $log, qr/eyJ/, 'no token in the error log';
like $log, qr/E_TOKEN_CALLER/, 'while refusals are in it';

$t->finish;
