package Sim::Outbox;

# The gateway's answers to what the bridge asked: callbacks that go out a little later, many at once
# but not without bound, redelivered when they are not taken. They can be made to go astray.

use Mojo::Base -base, -signatures;
use Mojo::IOLoop;
use Sim::Clock qw(iso);
use Sim::Cm;

has [qw(state cm)];
has queue   => sub { [] };
has running => 0;
has waiting => 0;    # answers that are not taken or given up yet

my %ACTION = map { $_ => 1 } qw(lose repeat repeat_fresh delay change);

# A fault for callbacks: path (regular expression), action, count, after; ms, body (merge patch),
# headers, token, hip, path_to.
sub add_callback_fault ($state, $fault) {
    return 'path and a known action are wanted'
        if !length($fault->{path} // '') || !$ACTION{ $fault->{action} // '' } || !eval { qr/$fault->{path}/ };
    push @{ $state->callback_faults }, { %$fault, used => 0, seen => 0 };
    return;
}

sub _take_fault ($state, $path) {
    for my $fault (@{ $state->callback_faults }) {
        next if $path !~ /$fault->{path}/;
        next if $fault->{seen}++ < ($fault->{after} // 0);
        next if defined $fault->{count} && $fault->{used} >= $fault->{count};
        $fault->{used}++;
        return $fault;
    }
    return;
}

# Wishes: those of Sim::Cm::send_callback; old (v0.5: requestId and timestamp go into the body);
# after_ms; on_told (called when the bridge has taken it).
sub post ($self, $wish) {
    my $state = $self->state;
    my $fault = @{ $state->callback_faults } ? _take_fault($state, $wish->{path}) : undef;
    my $delay = $wish->{after_ms} // $state->config->{callback_delay_ms};
    my @again;
    if ($fault) {
        my $action = $fault->{action};
        $state->count("callback_$action");
        return if $action eq 'lose';
        $wish = { %$wish, request_id => $state->fresh_id('gateway') } if $action =~ /\Arepeat/;
        @again = { %$wish, $action eq 'repeat_fresh' ? (request_id => $state->fresh_id('gateway')) : () }
            if $action =~ /\Arepeat/;
        $delay += $fault->{ms} // 1000 if $action eq 'delay';
        $wish = _changed($wish, $fault) if $action eq 'change';
    }
    $self->_later($delay, $wish);
    $self->_later($delay + ($fault->{ms} // 50), $_) for @again;
    return;
}

sub _changed ($wish, $fault) {
    my %changed = %$wish;
    $changed{body} = Sim::Cm::merge($wish->{body}, $fault->{body}) if $fault->{body};
    $changed{path} = $fault->{path_to} if defined $fault->{path_to};
    $changed{headers} = { %{ $wish->{headers} // {} }, %{ $fault->{headers} } } if $fault->{headers};
    for my $name (qw(token hip)) { $changed{$name} = $fault->{$name} if exists $fault->{$name} }
    return \%changed;
}

sub _later ($self, $ms, $wish) {
    $self->waiting($self->waiting + 1);
    Mojo::IOLoop->timer($ms / 1000 => sub {
        push @{ $self->queue }, $wish;
        $self->pump;
    });
    return;
}

# Nothing goes out during an outage.
sub pump ($self) {
    my $state = $self->state;
    return if $state->outage;
    while (@{ $self->queue } && $self->running < $state->config->{callback_concurrency}) {
        my $wish = shift @{ $self->queue };
        $self->running($self->running + 1);
        $self->cm->send_callback(_enveloped($state, { retry => 1, %$wish }))->then(sub ($got) {
            my $told = $got->{status} =~ /\A2/;
            $state->count('callback_given_up') if !$told;
            $wish->{on_told}->() if $told && $wish->{on_told};
        })->catch(sub ($why) { warn "callback: $why\n" })->finally(sub {
            $self->running($self->running - 1);
            $self->waiting($self->waiting - 1);
            $self->pump;
        });
    }
    return;
}

sub _enveloped ($state, $wish) {
    return $wish if !$wish->{old};
    my $id  = $wish->{request_id} // $state->fresh_id('gateway');
    my $now = iso();
    return { %$wish, request_id => $id, headers => { TIMESTAMP => $now, %{ $wish->{headers} // {} } },
        body => { requestId => $id, timestamp => $now, %{ $wish->{body} } } };
}

1;
