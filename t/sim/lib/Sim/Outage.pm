package Sim::Outage;

# ABDM is away: every gateway path fails in one way until it is switched off, nothing is checked, and
# nothing goes out of the outbox. What came meanwhile is counted.

use Mojo::Base -strict, -signatures;
use Mojo::IOLoop;

my %KIND = (
    refuse => sub ($c) { Mojo::IOLoop->remove($c->tx->connection) },
    hang   => sub ($c) { return },
    html   => sub ($c) { $c->render(text => '<html><body>Service Unavailable</body></html>', status => 503) },
    map({ my $status = $_; $status => sub ($c) { $c->render(json => { code => "$status", message => 'Runtime Error' }, status => $status) } }
        429, 500, 502, 503, 504),
);

# kind: off, or how it fails; ms: after how long.
sub set ($state, $wish) {
    my $kind = $wish->{kind} // 'off';
    my $was  = $state->outage;
    my %seen = (seen => $was ? $was->{seen} : 0);
    return { error => 'kind: off, ' . join ', ', sort keys %KIND } if $kind ne 'off' && !$KIND{$kind};
    $state->outage($kind eq 'off' ? undef : { kind => $kind, ms => $wish->{ms} // 0, seen => 0 });
    $state->outbox->pump if $kind eq 'off';
    return { kind => $kind, %seen };
}

sub answer ($state, $c) {
    my $outage = $state->outage;
    $outage->{seen}++;
    $state->count('outage');
    $c->render_later;
    my $tx = $c->tx;
    Mojo::IOLoop->timer($outage->{ms} / 1000 => sub {
        $KIND{ $outage->{kind} }->($c) if !$tx->is_finished;
        undef $tx if $outage->{kind} ne 'hang';
    });
    return;
}

1;
