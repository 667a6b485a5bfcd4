package Sim::Token;

# Link tokens: generate-token with its limits, and what a token given with a link request must satisfy.

use Mojo::Base -strict, -signatures;
use Exporter 'import';
use Sim::Answered qw(may_repeat);
use Sim::Check qw(answer check_body refuse);
use Sim::Citizen qw(citizen citizen_by_number is_gone);
use Sim::Clock qw(iso new_uuid now);

our @EXPORT_OK = qw(check_link_token issue_token);

our %ROUTE = ('/api/hiecm/v3/token/generate-token' => ['POST', \&generate_token, { bearer => 1, hip => 1, body => 1 }]);

my $DAY = 86_400;

sub generate_token ($state, $c, $call, $refused) {
    my ($body, $refusal) = check_body($state, $call, $c->req->body, 'generate_token');
    return $refusal if !$body;
    $call->{body} = $body;
    my ($address, $number) = @$body{qw(abhaAddress abhaNumber)};
    if (!defined $address && !defined $number) {
        $state->violate($call, 'token.nobody', 'neither abhaAddress nor abhaNumber');
        return refuse(400, 1013, 'Invalid ABHA number');
    }
    return if $refused;
    my $hip = $c->req->headers->header('X-HIP-ID');
    my $ask = _asked($state, $hip, $address // $number);
    my $no  = _repeated($state, $call, $ask, $body);
    return $no if $no;
    return if $call->{lost};
    my $error = _limit($state, $call, $ask);
    my $citizen = defined $address ? citizen($state, $address) : citizen_by_number($state, $number);
    $error //= _mismatch($citizen, $body, $number);
    if ($citizen && is_gone($citizen, $hip)) {
        $state->violate($call, 'citizen.gone', 'this ABHA was reported as deactivated');
        $error = ['1407', 'ABHA number deactivated'];
    }
    my %answer = (response => { requestId => $c->req->headers->header('REQUEST-ID') });
    push @{ $state->token_log }, { hip => $hip, at => iso(), address => $citizen ? $citizen->{address} : $address,
        error => $error ? "ABDM-$error->[0]" : undef };
    if ($error) { $answer{error} = { code => "ABDM-$error->[0]", message => $error->[1] } }
    else {
        $answer{abhaAddress} = $citizen->{address};
        $answer{linkToken}   = issue_token($state, $citizen, hip => $hip, number => defined $address ? $number : $citizen->{number});
    }
    $state->outbox->post({ path => '/api/v3/hip/token/on-generate-token', hip => $hip, body => \%answer });
    return answer(202);
}

sub _asked ($state, $hip, $whom) {
    return $state->token_asks->{ $hip . ' ' . lc $whom } //= { times => [], last => {}, blocked_until => 0, told => 0 };
}

# The same question again too soon.
sub _repeated ($state, $call, $ask, $body) {
    my $key    = join "\0", map { $_ // '' } @$body{qw(abhaAddress abhaNumber name gender yearOfBirth)};
    my $before = $ask->{last}{$key};
    my $early  = $before && now() - $before->{at} < $state->config->{token_again_seconds};
    if (!$early) {
        $ask->{last}{$key} = { at => now(), call => $call } if !$call->{lost};
        return;
    }
    $state->violate($call, 'token.again', 'the same token was asked for ' . int(now() - $before->{at}) . ' s ago')
        if !$before->{call}{spoiled} && !may_repeat($state, $before->{call}, $call);
    return refuse(400, 1092, 'Duplicate link token request');
}

# Three in any 24 hours; then nothing for 24 hours.
sub _limit ($state, $call, $ask) {
    my $config = $state->config;
    my $now    = now();
    my $error  = ['1027', 'You are blocked, please retry after 24 hours'];
    if ($ask->{blocked_until} > $now) {
        $state->violate($call, 'token.blocked', 'asked for a token while blocked') if $ask->{told};
        $ask->{told} = 1;
        return $error;
    }
    @{ $ask->{times} } = grep { $_ > $now - $DAY } @{ $ask->{times} };
    push @{ $ask->{times} }, $now;
    return if @{ $ask->{times} } <= $config->{token_daily};
    $state->violate($call, 'token.limit', @{ $ask->{times} } . ' tokens asked for within 24 hours');
    @$ask{qw(blocked_until told)} = ($now + $config->{token_block_seconds}, 1);
    return $error;
}

# Blocks without blame: the bridge learns of it by its next question.
sub block ($state, $hip, $whom) {
    @{ _asked($state, $hip, $whom) }{qw(blocked_until told)} = (now() + $state->config->{token_block_seconds}, 0);
    return;
}

sub _mismatch ($citizen, $body, $number) {
    return ['1051', 'Invalid ABHA number or ABHA address']
        if !$citizen || defined $number && $number ne ($citizen->{number} // '');
    return ['1036', 'Data mismatch'] if _plain($body->{name}) ne _plain($citizen->{name})
        || $body->{gender} ne $citizen->{gender} || $body->{yearOfBirth} != $citizen->{yearOfBirth};
    return;
}

sub _plain ($name) { return lc join ' ', split ' ', $name }

# $about: hip, and number when it is bound to one; kind (link, access).
sub issue_token ($state, $citizen, %about) {
    my $now  = int now();
    my $old  = ($about{kind} // 'link') eq 'access';
    my $life = $state->config->{ $old ? 'access_token_seconds' : 'link_token_seconds' };
    my %claims = (sub => $citizen->{address}, iat => $now, exp => $now + $life);
    my %more = $old
        ? (requesterType => 'HIP', requesterId => $about{hip}, patientId => $citizen->{address}, sessionId => new_uuid())
        : (hipId => $about{hip}, abhaAddress => $citizen->{address}, abhaNumber => $about{number}, transactionId => new_uuid());
    my $token = $state->keys->link_token({ %claims, %more }, $state->config->{cheap_keys});
    $state->link_tokens->{$token} = { %about, address => $citizen->{address}, exp => $now + $life };
    return $token;
}

# Tokens die before their time; their use is then refused, and no fault of the bridge.
sub forget_tokens ($state) {
    $_->{forgotten} = 1 for values %{ $state->link_tokens };
    return;
}

# For a link request: the refusal, or nothing and the error for the callback if there is one.
sub check_link_token ($state, $c, $call, $body) {
    my $no = sub ($code, $text, $rule = undef, $message = undef) {
        $state->violate($call, $rule, $message) if $rule;
        return (refuse(400, $code, $text), undef);
    };
    my $headers = $c->req->headers;
    my $token   = $headers->header('X-LINK-TOKEN');
    return $no->(1026, 'Invalid link token', 'link-token.missing', 'X-LINK-TOKEN is missing') if !length($token // '');
    return $no->(1026, 'Invalid link token', 'link-token.form', 'X-LINK-TOKEN is not the bare token')
        if $token !~ /\A[\w-]+[.][\w-]+[.][\w-]+\z/;
    my $known = $state->link_tokens->{$token}
        or return $no->(1026, 'Invalid link token', 'link-token.unknown', 'this link token was not issued here');
    return $no->(1026, 'Invalid link token') if $known->{forgotten};
    return $no->(1066, 'Invalid JWT', 'link-token.expired', 'the link token has expired') if $known->{exp} <= now();
    return $no->(1063, 'HIP id differs from link token', 'link-token.hip', 'the token is for another facility')
        if $known->{hip} ne ($headers->header('X-HIP-ID') // '');
    my $bound = $known->{number};
    return $no->(1062, 'ABHA number differs from link token', 'link-token.number', 'abhaNumber is not that of the token')
        if defined $bound && ($body->{abhaNumber} // '') ne $bound;
    my $citizen = citizen($state, $known->{address});
    return $no->(1062, 'ABHA number differs from link token', 'link-token.number', 'abhaNumber is not that of the citizen')
        if defined $body->{abhaNumber} && $citizen && $body->{abhaNumber} ne ($citizen->{number} // '');
    return if $known->{address} eq lc $body->{abhaAddress};
    $state->violate($call, 'link-token.address', 'abhaAddress is not that of the token');
    return (undef, ['1038', 'ABHA address differs from link token']);
}

1;
