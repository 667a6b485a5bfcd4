package Sim::Gateway;

# The gateway's own endpoints as a HIP meets them: sessions, keys, and the answers that a HIP
# sends after a callback. Each function takes the state, the controller and the noted call, and
# returns an answer; nothing is rendered here.

use Mojo::Base -strict, -signatures;
use Cpanel::JSON::XS ();
use Sim::Check qw(answer check_body check_headers refuse);
use Sim::Clock qw(now_ms parse_iso);

my $JSON = Cpanel::JSON::XS->new->utf8;

# path => [method, function, needs]
our %ROUTE = (
    '/api/hiecm/gateway/v3/sessions' => ['POST', \&sessions, { body => 1 }],
    '/api/hiecm/gateway/v3/certs'    => ['GET', \&certs, { bearer => 1 }],
    '/auth/realms/central-registry/protocol/openid-connect/certs' => ['GET', \&certs, undef],
    '/api/hiecm/consent/v3/request/hip/on-notify' => ['POST', \&on_notify, { bearer => 1, hip => 1, body => 1 }],
    '/api/hiecm/data-flow/v3/health-information/hip/on-request' =>
        ['POST', \&on_request, { bearer => 1, hip => 1, body => 1 }],
    '/api/hiecm/data-flow/v3/health-information/notify' => ['POST', \&notify, { bearer => 1, hip => 1, body => 1 }],
);

sub handle ($state, $c, $call) {
    my $route = $ROUTE{ $call->{path} };
    if (!$route) {
        $state->violate($call, 'path.unknown', "the gateway has no $call->{path}");
        return answer(404, { code => '404', type => 'Status report', message => 'Not Found',
            description => 'The requested resource is not available.' });
    }
    my ($method, $function, $need) = @$route;
    if ($call->{method} ne $method) {
        $state->violate($call, 'method', "$method expected");
        return answer(405, undef, Allow => $method);
    }
    my $forgotten = $need && $need->{bearer} ? Sim::Check::session_forgotten($state, $c) : undef;
    return $forgotten if $forgotten;
    my $refusal = $need ? check_headers($state, $c, $call, $need) : undef;
    my $result  = $function->($state, $c, $call, $refusal);
    return $refusal // $result;
}

sub sessions ($state, $c, $call, $refused) {
    my ($body, $refusal) = check_body($state, $call, $c->req->body, 'session');
    return $refusal if !$body;
    $call->{body} = { %$body, clientSecret => '(not kept)' };
    my $config = $state->config;
    if ($body->{clientId} ne $config->{client_id} || $body->{clientSecret} ne $config->{client_secret}) {
        $state->violate($call, 'session.credentials', 'clientId or clientSecret is wrong');
        return answer(401, { code => '900901', message => 'Invalid Credentials', description => 'Access failure' });
    }
    return if $refused;
    my $keys = $state->keys;
    return answer(200, {
        accessToken => $state->open_session, expiresIn => $config->{token_seconds},
        refreshExpiresIn => 1800, refreshToken => $keys->refresh_token, tokenType => 'bearer',
    });
}

sub certs ($state, $c, $call, $refused) {
    $state->count('certs');
    return answer(200, $state->keys->jwks);
}

# What on-notify and on-request share: the callback that they answer, once, with result or error.
sub _answered ($state, $c, $call, $body, $kind, $result) {
    my $refuse = sub ($rule, $message, $code, $text) {
        $state->violate($call, $rule, $message);
        return (undef, refuse(400, $code, $text));
    };
    my $both = exists $body->{$result} && exists $body->{error};
    return $refuse->('result.both', "$result and error together", 1015, 'Invalid response') if $both;
    return $refuse->('result.none', "neither $result nor error", 1015, 'Invalid response')
        if !exists $body->{$result} && !exists $body->{error};
    my $id       = $body->{response}{requestId};
    my $callback = $state->callbacks->{$id}
        or return $refuse->('response.unknown', 'response.requestId is no callback of ours',
        2500, "No mapping found for $id");
    return $refuse->('response.kind', "response.requestId is a $callback->{kind} callback", 1052, 'Invalid requestId')
        if $callback->{kind} ne $kind;
    my $hip = $c->req->headers->header('X-HIP-ID') // '';
    return $refuse->('hip-id.other', 'the callback was for another facility', 1035, 'Invalid HIP ID')
        if defined $callback->{hip} && $hip ne $callback->{hip};
    if (my $before = $callback->{answered}) {
        return (undef, refuse(400, 1113, 'Duplicate response')) if $before->{spoiled} || _may_repeat($state, $before, $call);
        return $refuse->('response.repeated', 'this callback was answered before', 1113, 'Duplicate response');
    }
    return ($callback, undef);
}

sub _keep ($call, $body) { return $call->{body} = $body }

sub on_notify ($state, $c, $call, $refused) {
    my ($body, $refusal) = check_body($state, $call, $c->req->body, 'on_notify');
    return $refusal if !$body;
    _keep($call, $body);
    my ($callback, $no) = _answered($state, $c, $call, $body, 'consent', 'acknowledgement');
    return $no if !$callback;
    my $said = $body->{acknowledgement};
    if ($said && defined $callback->{consent_id} && $said->{consentId} ne $callback->{consent_id}) {
        $state->violate($call, 'consent.other', 'consentId is not that of the callback');
        return refuse(400, 1041, 'Invalid acknowledgement');
    }
    return if $refused || $call->{lost};
    _first_call($state, $callback, $call);
    $callback->{answered} = $call;
    my $consent = $state->consents->{ $callback->{consent_id} // '' };
    if ($consent) {
        push @{ $consent->{acks} },
            { status => $callback->{status}, request_id => $callback->{request_id}, at => $call->{at}, body => $body };
        _tell($consent, 'on_ack');
    }
    return answer(202);
}

sub on_request ($state, $c, $call, $refused) {
    my ($body, $refusal) = check_body($state, $call, $c->req->body, 'on_request');
    return $refusal if !$body;
    _keep($call, $body);
    my ($callback, $no) = _answered($state, $c, $call, $body, 'request', 'hiRequest');
    return $no if !$callback;
    my $said = $body->{hiRequest};
    if ($said && $said->{transactionId} ne ($callback->{transaction_id} // '')) {
        $state->violate($call, 'transaction.other', 'transactionId is not that of the callback');
        return refuse(400, 1017, 'Invalid transaction id');
    }
    my $transfer = $state->transfers->{ $callback->{transaction_id} // '' };
    $transfer->{on_request_tried} = 1 if $transfer;
    return if $refused || $call->{lost};
    _first_call($state, $callback, $call);
    $callback->{answered} = $call;
    if ($transfer) {
        $transfer->{on_request} = $body;
        $transfer->{refused}    = $body->{error} if $body->{error};
        $transfer->{on_request_ms} = now_ms();
        _tell($transfer, 'on_answer');
    }
    return answer(202);
}

sub notify ($state, $c, $call, $refused) {
    my ($body, $refusal) = check_body($state, $call, $c->req->body, 'notify');
    return $refusal if !$body;
    _keep($call, $body);
    my $said     = $body->{notification};
    my $transfer = $state->transfers->{ $said->{transactionId} };
    if (!$transfer) {
        $state->violate($call, 'transaction.unknown', 'no transfer has this transactionId');
        return refuse(400, 1017, 'Invalid transaction id');
    }
    if (my $earlier = $transfer->{notify_call}) {
        $state->violate($call, 'notify.repeated', 'this transfer was notified before') if !$earlier->{spoiled} && !_may_repeat($state, $earlier, $call);
        return refuse(400, 9999, 'Duplicate notification');
    }
    my $before = @{ $call->{violations} };
    _notify_faults($state, $c, $call, $said, $transfer);
    return refuse(400, 1010, 'Validation failed') if @{ $call->{violations} } > $before;
    return if $refused || $call->{lost};
    $transfer->{notify}    = $said;
    $transfer->{notify_ms} = now_ms();
    $transfer->{notify_call} = $call;
    _tell($transfer, 'on_done');
    return answer(202, { status => 'Notification is Accepted' });
}

sub _notify_faults ($state, $c, $call, $said, $transfer) {
    my $fault  = sub ($rule, $message) { $state->violate($call, $rule, $message) };
    my $status = $said->{statusNotification};
    $fault->('consent.other', 'consentId is not that of the transfer') if $said->{consentId} ne $transfer->{consent_id};
    my $header = $c->req->headers->header('X-HIP-ID') // '';
    for my $id ($header, $said->{notifier}{id}, $status->{hipId}) {
        $fault->('hip-id.other', 'a facility id is not that of the transfer') if $id ne $transfer->{hip};
    }
    $fault->('notify.early', 'notify came before on-request') if !$transfer->{on_request_tried};
    my $done = parse_iso($said->{doneAt});
    $fault->('notify.done-at', 'doneAt is not between the request and now')
        if !defined $done || $done > time + 5 || $done < $transfer->{sent_ms} / 1000 - 5;
    _status_faults($state, $call, $status, $transfer);
    return;
}

# Every context of the artefact once, and no claim that the pages do not bear out.
sub _status_faults ($state, $call, $status, $transfer) {
    my $fault = sub ($rule, $message) { $state->violate($call, $rule, $message) };
    my %want  = map { $_ => 1 } @{ $transfer->{contexts} };
    my (%said, %delivered);
    for my $row (@{ $status->{statusResponses} }) {
        my $context = $row->{careContextReference};
        $fault->('notify.context', "$context is not of this consent") if !$want{$context};
        $fault->('notify.context', "$context is named twice") if $said{$context}++;
        $delivered{$context} = 1 if $row->{hiStatus} eq 'DELIVERED';
    }
    for my $context (grep { !$said{$_} } sort keys %want) {
        $fault->('notify.context', "$context is not reported");
    }
    my %got = map { $_->{careContextReference} => 1 } grep { $_->{accepted} } values %{ $transfer->{pages} };
    for my $context (grep { !$got{$_} } sort keys %delivered) {
        $fault->('notify.untrue', "$context is called delivered; no page of it was accepted");
    }
    my $word = $status->{sessionStatus};
    $fault->('notify.status', 'TRANSFERRED though nothing was delivered') if $word eq 'TRANSFERRED' && !%delivered;
    $fault->('notify.status', 'FAILED though everything was delivered')
        if $word eq 'FAILED' && keys %delivered == keys %want;
    my @missing = _missing_pages($transfer);
    $fault->('notify.pages', "pages are missing: @missing")
        if @missing && $word eq 'TRANSFERRED' && keys %delivered == keys %want;
    return;
}

# Pages count from 0 or from 1.
sub _missing_pages ($transfer) {
    my $pages = $transfer->{pages};
    my ($any) = values %$pages or return;
    my $last  = $any->{pageCount};
    my $base  = exists $pages->{0} ? 0 : 1;
    return grep { !($pages->{$_} && $pages->{$_}{accepted}) } $base .. $base + $last - 1;
}

# A bridge that may have died before it learned of an answer says the same once more.
sub _may_repeat ($state, $before, $call) {
    return 0 if !$state->config->{may_forget};
    my $canonical = Cpanel::JSON::XS->new->canonical;
    return $canonical->encode($before->{body}) eq $canonical->encode($call->{body});
}

sub _first_call ($state, $callback, $call) {
    return if $callback->{first_call_ms};
    $callback->{first_call_ms} = now_ms();
    return;
}

sub _tell ($thing, $event) {
    my $heard = delete $thing->{$event} or return;
    $heard->();
    return;
}

1;
