package Sim::Share;

# Scan and share, and patient status: the answers that a facility gives. Token numbers at a counter are
# watched over a day: the same citizen keeps a number while it is valid, and nobody else gets it.

use Mojo::Base -strict, -signatures;
use POSIX qw(floor);
use Sim::Answered qw(answered one_result settle);
use Sim::Check qw(answer check_body check_envelope refuse);
use Sim::Clock qw(now);

our %ROUTE = (
    '/api/hiecm/patient-share/v3/on-share'       => ['POST', \&on_share, { bearer => 1, hip => 1, body => 1 }],
    '/gateway/v0.5/patients/status/on-notify'    => ['POST', \&on_status, { bearer => 1, body => 1 }],
);

my $DAY    = 86_400;
my %RESULT = (PROFILE_SHARE => 'profile');

sub on_share ($state, $c, $call, $refused) {
    my ($body, $refusal) = check_body($state, $call, $c->req->body, 'on_share');
    return $refusal if !$body;
    $call->{body} = $body;
    my $said = $body->{acknowledgement};
    my $done = $said && $said->{status} eq 'SUCCESS' ? 1 : 0;
    if ($done == (exists $body->{error} ? 1 : 0)) {
        $state->violate($call, $done ? ('result.both', 'success and error together') : ('result.none', 'neither success nor error'));
        return refuse(400, 1015, 'Invalid response');
    }
    my ($callback, $no) = answered($state, $c, $call, $body, 'share');
    return $no if !$callback;
    my $share  = $callback->{share};
    my $before = @{ $call->{violations} };
    _share_faults($state, $call, $said, $share) if $said && $share;
    return refuse(400, 1050, 'Invalid response') if @{ $call->{violations} } > $before;
    return if $refused || $call->{lost};
    @$share{qw(token taken_at expiry)} = ($said->{profile}{tokenNumber}, now(), $said->{profile}{expiry})
        if $done && $share && $said->{profile};
    settle($state, $callback, $call);
    return answer(202);
}

sub _share_faults ($state, $call, $said, $share) {
    my $fault = sub ($rule, $message) { $state->violate($call, $rule, $message) };
    $fault->('share.patient', 'abhaAddress is not that of the callback') if lc $said->{abhaAddress} ne $share->{address};
    return if $said->{status} ne 'SUCCESS';
    my $profile = $said->{profile};
    $fault->('share.profile', 'no profile in the success') if !$profile;
    $fault->('share.intent', "$share->{intent} is answered as a profile share") if !$RESULT{ $share->{intent} };
    return if !$profile;
    $fault->('share.context', 'context is not that of the callback') if $profile->{context} ne $share->{context};
    my $now = now();
    my $day = _day($state, $now);
    for my $other (grep { defined $_->{token} && $_->{hip} eq $share->{hip} && $_->{context} eq $share->{context} } @{ $state->shares }) {
        my $same = $other->{token} eq $profile->{tokenNumber};
        if ($other->{address} ne $share->{address}) {
            $fault->('share.token-reused', "token $other->{token} was given to another citizen today")
                if $same && _day($state, $other->{taken_at}) == $day;
        }
        elsif (!$same && $now < $other->{taken_at} + $other->{expiry}) {
            $fault->('share.token-changed', "token $other->{token} is valid still");
        }
    }
    return;
}

# The day in the facility's zone.
sub _day ($state, $time) { return floor(($time + 60 * $state->config->{zone_minutes}) / $DAY) }

sub on_status ($state, $c, $call, $refused) {
    my ($body, $refusal) = check_body($state, $call, $c->req->body, 'on_status');
    return $refusal if !$body;
    $call->{body} = $body;
    my $no = check_envelope($state, $c, $call, $body) // one_result($state, $call, $body, 'acknowledgment');
    return $no if $no;
    my ($callback, $wrong) = answered($state, $c, $call, $body, 'status', 'resp');
    return $wrong if !$callback;
    return if $refused || $call->{lost};
    if (my $citizen = $callback->{citizen}) {
        $citizen->{told}{ $callback->{hip} } = 1 if $callback->{status} ne 'REACTIVATED';
        delete $state->links->{ $citizen->{address} }{ $callback->{hip} } if $callback->{status} eq 'DELETED';
    }
    settle($state, $callback, $call);
    return answer(202);
}

1;
