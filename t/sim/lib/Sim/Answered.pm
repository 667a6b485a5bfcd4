package Sim::Answered;

# What all on-* messages share: they answer one callback of ours, once, with a result or an error,
# for the facility that was asked, and within the time that the protocol gives.

use Mojo::Base -strict, -signatures;
use Cpanel::JSON::XS ();
use Exporter 'import';
use Sim::Check qw(refuse);
use Sim::Clock qw(now_ms);

our @EXPORT_OK = qw(answered may_repeat one_result settle wake);

my $CANONICAL = Cpanel::JSON::XS->new->canonical;

# The callback that this message answers, or nothing and the refusal. $echo is the member that
# names it: "response" in V3, "resp" in v0.5.
sub answered ($state, $c, $call, $body, $kind, $echo = 'response') {
    my $refuse = sub ($rule, $message, $code, $text) {
        $state->violate($call, $rule, $message);
        return (undef, refuse(400, $code, $text));
    };
    my $id       = $body->{$echo}{requestId};
    my $callback = $state->callbacks->{$id}
        or return $refuse->('response.unknown', "$echo.requestId is no callback of ours",
        2500, "No mapping found for $id");
    return $refuse->('response.kind', "$echo.requestId is a $callback->{kind} callback", 1052, 'Invalid requestId')
        if $callback->{kind} ne $kind;
    # v0.5 does not ask for the header.
    my $hip = $c->req->headers->header('X-HIP-ID') // ($echo eq 'resp' ? $callback->{hip} : undef) // '';
    return $refuse->('hip-id.other', 'the callback was for another facility', 1035, 'Invalid HIP ID')
        if defined $callback->{hip} && $hip ne $callback->{hip};
    if (my $before = $callback->{answered}) {
        return (undef, refuse(400, 1113, 'Duplicate response')) if $before->{spoiled} || may_repeat($state, $before, $call);
        return $refuse->('response.repeated', 'this callback was answered before', 1113, 'Duplicate response');
    }
    return ($callback, undef);
}

# The refusal when a message has both result and error, or neither.
sub one_result ($state, $call, $body, $result) {
    my ($has, $error) = (exists $body->{$result}, exists $body->{error});
    return if $has != $error;
    $state->violate($call, $has ? ('result.both', "$result and error together") : ('result.none', "neither $result nor error"));
    return refuse(400, 1015, 'Invalid response');
}

# A bridge that died before it learned of an answer says the same once more, in the same words: once for each
# death that the simulator was told of, or whenever it may die unseen.
sub may_repeat ($state, $before, $call) {
    my ($said, $says) = map { my %body = %{ $_->{body} }; delete @body{qw(requestId timestamp)}; $CANONICAL->encode(\%body) } $before, $call;
    return 0 if $said ne $says;
    return 1 if $state->config->{may_forget};
    my $deaths = grep { $_ >= $before->{n} } @{ $state->deaths };
    return ++$before->{again} <= $deaths;
}

# The answer stands: it is noted, timed, and whoever waits for it is told.
sub settle ($state, $callback, $call) {
    my $now = now_ms();
    $callback->{first_call_ms} //= $now;
    $callback->{answered} = $call;
    my $limit = $state->config->{answer_limit_ms}{ $callback->{kind} };
    my $took  = $now - ($callback->{accepted_ms} // $callback->{sent_ms});
    $state->violate($call, "$callback->{kind}.late", "answered after $took ms, $limit are given") if $limit && $took > $limit;
    if (my $step = $callback->{step}) {
        $step->{answer}    = $call->{body};
        $step->{answer_ms} = $now - $callback->{sent_ms};
        $step->{after_ms}  = $took;
    }
    wake($callback, 'on_answered');
    return;
}

sub wake ($thing, $event) {
    my $heard = delete $thing->{$event} or return;
    $heard->();
    return;
}

1;
