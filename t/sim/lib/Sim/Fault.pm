package Sim::Fault;

# Misbehaviour on demand. A fault names a path (regular expression), optionally a page number, how
# often it applies, and an action. The message is checked as always; it has no effect unless the
# fault says process => 1, which makes "done, but the answer was lost".

use Mojo::Base -strict, -signatures;
use Exporter 'import';
use Mojo::IOLoop;

our @EXPORT_OK = qw(add_fault take_fault has_early early_drop spoil);

my %SPOIL = (
    status   => \&_status,
    drop     => sub ($c, $fault) { Mojo::IOLoop->remove($c->tx->connection) },
    garbage  => sub ($c, $fault) { _send($c, $fault->{status} // 200, '{"accessToken": "eyJ') },
    empty    => sub ($c, $fault) { _send($c, $fault->{status} // 200, '') },
    redirect => sub ($c, $fault) {
        $c->res->headers->location($fault->{location} // 'https://127.0.0.1:1/elsewhere');
        _send($c, $fault->{status} // 302, '');
    },
    huge => \&_huge,
    slow => \&_slow,
);
my %KEEPS_ANSWER = map { $_ => 1 } qw(delay);

sub add_fault ($state, $fault) {
    my $action = $fault->{action} // '';
    return 'path and a known action are wanted'
        if !length($fault->{path} // '') || !($SPOIL{$action} || $action =~ /\A(?:delay|drop_early)\z/);
    return 'path is no regular expression' if !eval { qr/$fault->{path}/ };
    push @{ $state->faults }, { %$fault, used => 0, seen => 0 };
    return;
}

# The fault for this call, if any; uses it up by one.
sub take_fault ($state, $path, $page = undef, $early = 0) {
    for my $fault (@{ $state->faults }) {
        next if $path !~ /$fault->{path}/;
        next if $early != ($fault->{action} eq 'drop_early');
        next if defined $fault->{page} && (!defined $page || $page != $fault->{page});
        next if $fault->{seen}++ < ($fault->{after} // 0);
        next if defined $fault->{count} && $fault->{used} >= $fault->{count};
        $fault->{used}++;
        return $fault;
    }
    return;
}

sub has_early ($state) { return scalar grep { $_->{action} eq 'drop_early' } @{ $state->faults } }

# Closes the connection while the body still comes in.
sub early_drop ($state, $tx) {
    my $path = $tx->req->url->path->to_string;
    return if $tx->req->is_finished || !length $path || $path eq '/' || $tx->{sim_judged}++;
    return if !take_fault($state, $path, undef, 1);
    $state->count('dropped_early');
    Mojo::IOLoop->remove($tx->connection);
    return;
}

sub keeps_answer ($fault) { return $KEEPS_ANSWER{ $fault->{action} } }

sub spoil ($c, $fault) { return $SPOIL{ $fault->{action} }->($c, $fault) }

sub _send ($c, $status, $body) {
    $c->res->headers->content_type('application/json') if length $body;
    return $c->render(data => $body, status => $status);
}

sub _status ($c, $fault) {
    my $status = $fault->{status} // 500;
    $c->res->headers->header('Retry-After' => $fault->{retry_after}) if defined $fault->{retry_after};
    my $body = $fault->{body} // { code => $status == 401 ? '900901' : "$status", message => 'Runtime Error' };
    return $c->render(ref $body ? (json => $body) : (data => $body), status => $status);
}

sub _huge ($c, $fault) {
    my $left = $fault->{bytes} // 104_857_600;
    my $more;
    $c->res->code($fault->{status} // 200);
    $c->res->headers->content_type('application/json');
    $c->res->headers->content_length($left);
    $more = sub ($c, @) {
        my $take = $left < 65_536 ? $left : 65_536;
        $left -= $take;
        return $c->write('a' x $take, $left > 0 ? $more : ());
    };
    return $c->$more;
}

# One byte at a time, for ever or for "bytes".
sub _slow ($c, $fault) {
    my $left = $fault->{bytes} // 1_000_000;
    my $step = ($fault->{ms} // 100) / 1000;
    my $more;
    $c->res->code($fault->{status} // 200);
    $c->res->headers->content_type('application/json');
    $c->res->headers->content_length($left);
    $more = sub ($c, @) {
        Mojo::IOLoop->timer($step => sub { $c->write(' ', --$left > 0 ? $more : ()) if $c->tx && $left > 0 });
    };
    return $c->write(' ', $more);
}

1;
