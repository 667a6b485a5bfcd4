package Sim::Check;

# What every message to the gateway must satisfy before its content matters: method, headers,
# bearer, JSON and shape. Each fault is recorded under a rule name; the answer is the one that the
# real gateway gives for the first of them.

use Mojo::Base -strict, -signatures;
use Cpanel::JSON::XS ();
use Exporter 'import';
use Sim::Clock qw(is_uuid now parse_iso);
use Sim::Schema qw(schema_faults);

our @EXPORT_OK = qw(check_headers check_body check_envelope refuse answer);

my $JSON = Cpanel::JSON::XS->new->utf8;
my %FORBIDDEN = ('X-HIU-ID' => 'hiu', 'X-AUTH-TOKEN' => '', 'X-LINK-TOKEN' => 'link');
my @SINGLE = qw(Authorization REQUEST-ID TIMESTAMP X-CM-ID X-HIP-ID X-HIU-ID X-LINK-TOKEN Content-Type Content-Length Host);

sub answer ($status, $body = undef, %headers) {
    return { status => $status, body => $body, headers => \%headers };
}

sub refuse ($status, $code, $message) {
    return answer($status, { error => { code => "ABDM-$code: ", message => $message } });
}

sub _denied () { return { status => 403, text => 'Access Denied', headers => {} } }

# $need, each 0 or 1: bearer, hip, body; hiu (X-HIU-ID will do instead of X-HIP-ID), link (X-LINK-TOKEN
# may be there), query (may be there), registry (no REQUEST-ID, TIMESTAMP and X-CM-ID needed). Gives
# the refusal, or nothing.
sub check_headers ($state, $c, $call, $need) {
    my @refusals;
    my $headers = $c->req->headers;
    my $fault   = sub ($refusal, $rule, $message) {
        $state->violate($call, $rule, $message);
        push @refusals, $refusal;
    };
    for my $name (@SINGLE) {
        $fault->(_denied(), 'header.repeated', "$name is sent more than once")
            if @{ $headers->every_header($name) } > 1;
    }
    for my $name (grep { !$need->{ $FORBIDDEN{$_} } } sort keys %FORBIDDEN) {
        $fault->(refuse(400, 1032, 'Invalid header'), 'header.unexpected', "$name does not belong here")
            if defined $headers->header($name);
    }
    $fault->(_denied(), 'url.query', 'no query belongs here') if length $call->{query} && !$need->{query};
    _bearer($state, $headers->authorization, $need, $fault);
    _ids($state, $headers, $need, $fault) if !$need->{registry};
    _facility($state, $headers, $need, $fault);
    return $refusals[0];
}

sub _bearer ($state, $header, $need, $fault) {
    my $wrong = answer(401, { code => '900901', message => 'Invalid Credentials',
        description => 'Invalid Credentials. Make sure you have provided the correct security credentials' });
    if (!$need->{bearer}) {
        $fault->($wrong, 'authorization.unexpected', 'no Authorization belongs here') if defined $header;
        return;
    }
    return $fault->(answer(401, undef, 'WWW-Authenticate' => 'Basic realm="Realm"'),
        'authorization.missing', 'Authorization is missing') if !defined $header;
    my ($token) = $header =~ /\ABearer ([\w.-]+)\z/
        or return $fault->($wrong, 'authorization.form', 'Authorization is not "Bearer TOKEN"');
    my $session = $state->sessions->{$token}
        or return $fault->($wrong, 'authorization.unknown', 'this token was not issued here');
    return $fault->($wrong, 'authorization.expired', 'the session token has expired')
        if $session->{until} <= now();
    return;
}

# A token that the gateway forgot: refused, and not the caller's fault.
sub session_forgotten ($state, $c) {
    my ($token) = ($c->req->headers->authorization // '') =~ /\ABearer (\S+)\z/ or return;
    my $session = $state->sessions->{$token} or return;
    return if !$session->{forgotten};
    return answer(401, { code => '900901', message => 'Invalid Credentials', description => 'Access failure' });
}

sub _ids ($state, $headers, $need, $fault) {
    my $config = $state->config;
    my $id     = $headers->header('REQUEST-ID');
    if (!defined $id || $id eq '') { $fault->(_denied(), 'request-id.missing', 'REQUEST-ID is missing') }
    elsif (!is_uuid($id)) {
        $fault->(refuse(400, 1030, 'Invalid request id'), 'request-id.form', 'REQUEST-ID is not a lower-case UUID');
    }
    elsif (!$state->claim_id($id, 'bridge')) {
        $fault->(refuse(400, 1064, 'Duplicate request id'), 'request-id.reused', 'REQUEST-ID was used before');
    }

    my $stamp = $headers->header('TIMESTAMP');
    my $time  = parse_iso($stamp);
    if (!defined $stamp || $stamp eq '') { $fault->(_denied(), 'timestamp.missing', 'TIMESTAMP is missing') }
    elsif (!defined $time) {
        $fault->(refuse(400, 1016, 'Invalid timestamp'), 'timestamp.form', 'TIMESTAMP is not UTC with milliseconds and Z');
    }
    elsif (abs($time - now()) > $config->{skew_seconds}) {
        $fault->(refuse(400, 1016, 'Invalid timestamp'), 'timestamp.skew', 'TIMESTAMP is too far from now');
    }

    my $cm = $headers->header('X-CM-ID');
    $fault->(_denied(), 'cm-id', 'X-CM-ID is missing or wrong') if !defined $cm || $cm ne $config->{cm_id};
    return;
}

sub _facility ($state, $headers, $need, $fault) {
    my $known = $state->config->{hips};
    my ($hip, $hiu) = map { $headers->header($_) } qw(X-HIP-ID X-HIU-ID);
    $hip //= $hiu if $need->{hiu};
    if ($need->{hip} && !defined $hip) { $fault->(_denied(), 'hip-id.missing', 'X-HIP-ID is missing') }
    elsif (defined $hip && !$known->{$hip}) {
        $fault->(refuse(400, 1035, 'Invalid HIP ID'), 'hip-id.unknown', 'X-HIP-ID is no facility of this bridge');
    }

    my $type = $headers->content_type // '';
    $fault->(answer(415, undef), 'content-type', 'Content-Type is not application/json')
        if $need->{body} && $type !~ m{\Aapplication/json(?:;\s*charset=utf-8)?\z}i;
    return;
}

# The envelope of v0.5: requestId and timestamp in the body are those of the headers.
sub check_envelope ($state, $c, $call, $body) {
    my $headers = $c->req->headers;
    my $before  = @{ $call->{violations} };
    $state->violate($call, 'envelope.request-id', 'requestId is not that of the header')
        if defined $body->{requestId} && $body->{requestId} ne ($headers->header('REQUEST-ID') // '');
    $state->violate($call, 'envelope.timestamp', 'timestamp is not that of the header')
        if defined $body->{timestamp} && $body->{timestamp} ne ($headers->header('TIMESTAMP') // '');
    return @{ $call->{violations} } > $before ? answer(400, { error => { code => 1000, message => 'Invalid request id' } }) : undef;
}

# The parsed body, or nothing and the refusal.
sub check_body ($state, $call, $bytes, $schema) {
    if (!length $bytes) {
        $state->violate($call, 'body.empty', 'the body is missing');
        return (undef, refuse(400, 1064, 'Request body is missing'));
    }
    my $body = eval { $JSON->decode($bytes) };
    if (!defined $body) {
        my $why = $@ =~ s/ at \S+ line.*//sr;
        $state->violate($call, 'body.json', "not JSON: $why");
        return (undef, refuse(400, 9999, 'JSON parse error'));
    }
    my @faults = schema_faults($schema, $body);
    if (@faults) {
        $state->violate($call, 'body.shape', $_) for @faults;
        return (undef, answer(400, [map { +{ error => { code => 'ABDM-9999: ', message => $_ } } } @faults]));
    }
    return ($body, undef);
}

1;
