package Sim::Auth;

# User authentication of v0.5 by which a facility proves that the citizen is there: by one-time password,
# particulars, or the citizen's word in the app. Its access token stands in for a link token for a day.

use Mojo::Base -strict, -signatures;
use Crypt::PRNG qw(rand);
use Sim::Answered qw(answered one_result settle);
use Sim::Check qw(answer check_body check_envelope refuse);
use Sim::Citizen qw(citizen is_gone);
use Sim::Clock qw(iso new_uuid now);
use Sim::Token qw(issue_token);

my %NEED  = (bearer => 1, body => 1);
my $BASE  = '/gateway/v0.5/users/auth';
my $LIFE  = 600;
my $TRIES = 3;

our %ROUTE = (
    "$BASE/fetch-modes" => ['POST', \&fetch_modes, \%NEED], "$BASE/init"      => ['POST', \&init, \%NEED],
    "$BASE/confirm"     => ['POST', \&confirm, \%NEED],     "$BASE/on-notify" => ['POST', \&on_notify, \%NEED],
);

# The body, or nothing and the refusal.
sub _body ($state, $c, $call, $schema) {
    my ($body, $refusal) = check_body($state, $call, $c->req->body, $schema);
    return (undef, $refusal) if !$body;
    $call->{body} = $schema eq 'auth_confirm' ? { %$body, credential => '(not kept)' } : $body;
    my $no = check_envelope($state, $c, $call, $body);
    return $no ? (undef, $no) : ($body, undef);
}

# The facility that asks; nothing and the refusal when it is none of this bridge.
sub _asker ($state, $c, $call, $query) {
    my $hip    = $query->{requester}{id};
    my $header = $c->req->headers->header('X-HIP-ID') // $hip;
    return $hip if $state->config->{hips}{$hip} && $header eq $hip && $query->{requester}{type} eq 'HIP';
    $state->violate($call, 'auth.requester', 'requester is not the facility that asks');
    return (undef, refuse(400, 1035, 'Invalid HIP ID'));
}

sub _reply ($state, $c, $hip, $name, $auth, $error = undef) {
    my %result = $error ? (error => { code => $error->[0], message => $error->[1] }) : (auth => $auth, error => undef);
    $state->outbox->post({ path => "/v0.5/users/auth/$name", hip => $hip, old => 1,
        body => { %result, resp => { requestId => $c->req->headers->header('REQUEST-ID') } } });
    return answer(202);
}

sub _nobody ($state, $call, $citizen, $hip) {
    return [1504, 'User not found'] if !$citizen;
    return if !is_gone($citizen, $hip);
    $state->violate($call, 'citizen.gone', 'this ABHA was reported as deactivated');
    return [1407, 'ABHA number deactivated'];
}

sub fetch_modes ($state, $c, $call, $refused) {
    my ($body, $no) = _body($state, $c, $call, 'fetch_modes');
    return $no if $no;
    my ($hip, $wrong) = _asker($state, $c, $call, $body->{query});
    return $wrong if $wrong;
    return if $refused || $call->{lost};
    my $citizen = citizen($state, $body->{query}{id});
    my $error   = _nobody($state, $call, $citizen, $hip);
    return _reply($state, $c, $hip, 'on-fetch-modes', $error ? undef :
        { purpose => $body->{query}{purpose}, modes => $citizen->{modes} }, $error);
}

sub init ($state, $c, $call, $refused) {
    my ($body, $no) = _body($state, $c, $call, 'auth_init');
    return $no if $no;
    my $query = $body->{query};
    my ($hip, $wrong) = _asker($state, $c, $call, $query);
    return $wrong if $wrong;
    return if $refused || $call->{lost};
    my $citizen = citizen($state, $query->{id});
    my $error   = _nobody($state, $call, $citizen, $hip);
    my $mode    = $query->{authMode};
    $error //= [1515, 'Authentication mode is not supported'] if $citizen && !grep { $_ eq $mode } @{ $citizen->{modes} };
    return _reply($state, $c, $hip, 'on-init', undef, $error) if $error;
    my $id   = new_uuid();
    my $auth = $state->auths->{$id} = {
        transaction_id => $id, address => $citizen->{address}, hip => $hip, mode => $mode, purpose => $query->{purpose},
        until => now() + $LIFE, tries => 0, state => 'open', at => iso(),
        ($mode =~ /OTP\z/ ? (otp => sprintf '%06d', int rand 1_000_000) : ()),
    };
    my $hint = $mode =~ /OTP\z/ ? 'OTP sent to mobile ending ' . substr($citizen->{mobile} // '0000', -4) : undef;
    return _reply($state, $c, $hip, 'on-init',
        { transactionId => $id, mode => $mode, meta => { hint => $hint, expiry => iso($auth->{until}) } });
}

sub confirm ($state, $c, $call, $refused) {
    my ($body, $no) = _body($state, $c, $call, 'auth_confirm');
    return $no if $no;
    my $fault = sub ($rule, $message) {
        $state->violate($call, $rule, $message);
        return refuse(400, 1017, 'Invalid transaction id');
    };
    my $auth = $state->auths->{ $body->{transactionId} } or return $fault->('auth.transaction', 'transactionId is unknown');
    return $fault->('auth.transaction', "this authentication is $auth->{state}") if $auth->{state} ne 'open';
    my $hip = $auth->{hip};
    return $fault->('hip-id.other', 'another facility began this') if ($c->req->headers->header('X-HIP-ID') // $hip) ne $hip;
    my $given = $body->{credential};
    my $wants = $auth->{mode} =~ /OTP\z/ ? 'authCode' : $auth->{mode} eq 'DEMOGRAPHICS' ? 'demographic' : 'none';
    return $fault->('auth.credential', "$auth->{mode} does not take this credential")
        if join(' ', sort keys %$given) ne $wants;
    return if $refused || $call->{lost};
    my $citizen = citizen($state, $auth->{address});
    my $error = now() > $auth->{until} ? [1508, 'OTP expired'] : _is_right($auth, $citizen, $given) ? undef : [1509, 'Invalid credential'];
    if ($error) {
        $auth->{state} = 'failed' if ++$auth->{tries} >= $TRIES || now() > $auth->{until};
        return _reply($state, $c, $hip, 'on-confirm', undef, $error);
    }
    $auth->{state} = 'done';
    return _reply($state, $c, $hip, 'on-confirm', _granted($state, $auth, $citizen));
}

sub _is_right ($auth, $citizen, $given) {
    return $given->{authCode} eq $auth->{otp} if defined $given->{authCode};
    my $said = $given->{demographic};
    return $said->{name} eq $citizen->{name} && $said->{gender} eq $citizen->{gender}
        && $said->{dateOfBirth} eq ($citizen->{dob} // '');
}

# What a purpose brings: LINK a token, KYC the particulars.
sub _granted ($state, $auth, $citizen) {
    my %result;
    $result{accessToken} = issue_token($state, $citizen, hip => $auth->{hip}, kind => 'access') if $auth->{purpose} =~ /LINK/;
    return \%result if $auth->{purpose} !~ /KYC/;
    my ($year, $month, $day) = split /-/, $citizen->{dob} // "$citizen->{yearOfBirth}";
    $result{patient} = {
        id => $citizen->{address}, name => $citizen->{name}, gender => $citizen->{gender}, yearOfBirth => 0 + $year,
        (map { defined $_->[1] ? ($_->[0] => 0 + $_->[1]) : () } ['monthOfBirth', $month], ['dayOfBirth', $day]),
        address => { line => '12 Invented Road', district => 'Sample', state => 'Sample', pincode => '110001' },
        identifiers => [
            (defined $citizen->{mobile} ? { type => 'MOBILE', value => $citizen->{mobile} } : ()),
            (defined $citizen->{number} ? { type => 'NDHM_HEALTH_NUMBER', value => $citizen->{number} } : ()),
        ],
    };
    return \%result;
}

# The citizen says yes or no in the app. Gives the transaction, or nothing when none waits.
sub decide ($state, $citizen, $wish) {
    my ($auth) = grep {
        $_->{address} eq $citizen->{address} && $_->{mode} eq 'DIRECT' && $_->{state} eq 'open'
            && ($wish->{transaction_id} // $_->{transaction_id}) eq $_->{transaction_id}
    } sort { $b->{until} <=> $a->{until} } values %{ $state->auths };
    return if !$auth;
    my $granted = $wish->{grant} // 1;
    $auth->{state} = $granted ? 'done' : 'denied';
    my %result = $granted ? %{ _granted($state, $auth, $citizen) } : ();
    $result{validity} = { purpose => $auth->{purpose}, requester => { type => 'HIP', id => $auth->{hip} },
        expiry => iso(now() + $state->config->{access_token_seconds}), limit => 1 } if $granted;
    $state->outbox->post({
        path => '/v0.5/users/auth/notify', hip => $auth->{hip}, old => 1, after_ms => 0,
        about => { kind => 'auth', on_answered => sub { $auth->{acknowledged} = 1 } },
        body => { auth => { transactionId => $auth->{transaction_id}, status => $granted ? 'GRANTED' : 'DENIED', %result } },
    });
    return $auth;
}

sub on_notify ($state, $c, $call, $refused) {
    my ($body, $no) = _body($state, $c, $call, 'auth_on_notify');
    return $no if $no;
    my $neither = one_result($state, $call, $body, 'acknowledgement');
    return $neither if $neither;
    my ($callback, $wrong) = answered($state, $c, $call, $body, 'auth', 'resp');
    return $wrong if !$callback;
    return if $refused || $call->{lost};
    settle($state, $callback, $call);
    return answer(202);
}

1;
