package Sim::Gateway;

# The gateway's endpoints as a HIP meets them: the table of all, and here sessions, keys, and what a HIP
# sends about consents and transfers. Each function takes the state, the controller, the noted call and
# the refusal that the headers have earned, and returns an answer; nothing is rendered here.

use Mojo::Base -strict, -signatures;
use Sim::Answered qw(answered may_repeat one_result settle wake);
use Sim::Check qw(answer check_body check_headers refuse);
use Sim::Clock qw(now now_ms parse_iso);
use Sim::Auth ();
use Sim::Fetch ();
use Sim::Link ();
use Sim::Linking ();
use Sim::Notice ();
use Sim::Registry ();
use Sim::Share ();
use Sim::Token ();

# path => [method, function, needs]
our %ROUTE = (
    '/api/hiecm/gateway/v3/sessions' => ['POST', \&sessions, { body => 1 }],
    '/api/hiecm/gateway/v3/certs'    => ['GET', \&certs, { bearer => 1 }],
    '/auth/realms/central-registry/protocol/openid-connect/certs' => ['GET', \&certs, undef],
    '/api/hiecm/consent/v3/request/hip/on-notify' => ['POST', \&on_notify, { bearer => 1, hip => 1, body => 1 }],
    '/api/hiecm/data-flow/v3/health-information/hip/on-request' =>
        ['POST', \&on_request, { bearer => 1, hip => 1, body => 1 }],
    '/api/hiecm/data-flow/v3/health-information/notify' => ['POST', \&notify, { bearer => 1, hip => 1, body => 1 }],
    %Sim::Auth::ROUTE, %Sim::Fetch::ROUTE, %Sim::Link::ROUTE, %Sim::Linking::ROUTE, %Sim::Notice::ROUTE,
    %Sim::Registry::ROUTE, %Sim::Share::ROUTE, %Sim::Token::ROUTE,
);

sub _route ($path) {
    return $ROUTE{$path} if $ROUTE{$path};
    my ($found) = grep { $path =~ $_->[0] } @Sim::Registry::PATTERN;
    return $found && $found->[1];
}

sub handle ($state, $c, $call) {
    my $route = _route($call->{path});
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

sub on_notify ($state, $c, $call, $refused) {
    my ($body, $refusal) = check_body($state, $call, $c->req->body, 'on_notify');
    return $refusal if !$body;
    $call->{body} = $body;
    my $neither = one_result($state, $call, $body, 'acknowledgement');
    return $neither if $neither;
    my ($callback, $no) = answered($state, $c, $call, $body, 'consent');
    return $no if !$callback;
    my $said = $body->{acknowledgement};
    if ($said && defined $callback->{consent_id} && $said->{consentId} ne $callback->{consent_id}) {
        $state->violate($call, 'consent.other', 'consentId is not that of the callback');
        return refuse(400, 1041, 'Invalid acknowledgement');
    }
    return if $refused || $call->{lost};
    settle($state, $callback, $call);
    my $consent = $state->consents->{ $callback->{consent_id} // '' };
    if ($consent) {
        push @{ $consent->{acks} },
            { status => $callback->{status}, request_id => $callback->{request_id}, at => $call->{at}, body => $body };
        wake($consent, 'on_ack');
    }
    return answer(202);
}

sub on_request ($state, $c, $call, $refused) {
    my ($body, $refusal) = check_body($state, $call, $c->req->body, 'on_request');
    return $refusal if !$body;
    $call->{body} = $body;
    my $neither = one_result($state, $call, $body, 'hiRequest');
    return $neither if $neither;
    my ($callback, $no) = answered($state, $c, $call, $body, 'request');
    return $no if !$callback;
    my $said = $body->{hiRequest};
    if ($said && $said->{transactionId} ne ($callback->{transaction_id} // '')) {
        $state->violate($call, 'transaction.other', 'transactionId is not that of the callback');
        return refuse(400, 1017, 'Invalid transaction id');
    }
    my $transfer = $state->transfers->{ $callback->{transaction_id} // '' };
    $transfer->{on_request_tried} = 1 if $transfer;
    return if $refused || $call->{lost};
    settle($state, $callback, $call);
    if ($transfer) {
        $transfer->{on_request} = $body;
        $transfer->{refused}    = $body->{error} if $body->{error};
        $transfer->{on_request_ms} = now_ms();
        wake($transfer, 'on_answer');
    }
    return answer(202);
}

sub notify ($state, $c, $call, $refused) {
    my ($body, $refusal) = check_body($state, $call, $c->req->body, 'notify');
    return $refusal if !$body;
    $call->{body} = $body;
    my $said     = $body->{notification};
    my $transfer = $state->transfers->{ $said->{transactionId} };
    if (!$transfer) {
        $state->violate($call, 'transaction.unknown', 'no transfer has this transactionId');
        return refuse(400, 1017, 'Invalid transaction id');
    }
    if (my $earlier = $transfer->{notify_call}) {
        $state->violate($call, 'notify.repeated', 'this transfer was notified before') if !$earlier->{spoiled} && !may_repeat($state, $earlier, $call);
        return refuse(400, 9999, 'Duplicate notification');
    }
    my $before = @{ $call->{violations} };
    _notify_faults($state, $c, $call, $said, $transfer);
    return refuse(400, 1010, 'Validation failed') if @{ $call->{violations} } > $before;
    return if $refused || $call->{lost};
    $transfer->{notify}    = $said;
    $transfer->{notify_ms} = now_ms();
    $transfer->{notify_call} = $call;
    wake($transfer, 'on_done');
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
        if !defined $done || $done > now() + 5 || $done < $transfer->{sent_at} - 5;
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

1;
