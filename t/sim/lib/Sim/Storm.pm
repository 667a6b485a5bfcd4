package Sim::Storm;

# Many transfers at once: for each, a consent is granted, acknowledged, its data requested and the
# transfer notified. Counts what happened and how long it took.

use Mojo::Base -base, -signatures;
use Mojo::IOLoop;
use Sim::Clock qw(now_ms);

has [qw(state cm)];
has n           => 100;
has contexts    => 1;
has concurrency => 50;
has timeout_s   => 60;
has first       => 0;
has running     => 0;
has started     => 0;
has started_ms  => sub { now_ms() };
has 'ended_ms';
has outcome => sub { {} };
has took    => sub { { total => [], ack => [], on_request => [] } };

sub start ($self) {
    $self->started_ms(now_ms());
    $self->_more;
    return $self;
}

# Begins no more transfers; those begun go on to their end.
sub stop ($self) {
    $self->n($self->started);
    $self->ended_ms(now_ms()) if !$self->running;
    return;
}

sub report ($self) {
    my $outcome = $self->outcome;
    my $done    = 0;
    $done += $_ for values %$outcome;
    my $seconds = (($self->ended_ms // now_ms()) - $self->started_ms) / 1000;
    return {
        n => $self->n, done => $done, running => $self->running, finished => $done == $self->n ? 1 : 0,
        outcome => $outcome, seconds => $seconds, per_second => $seconds > 0 ? $done / $seconds : 0,
        ms => { map { $_ => spread($self->took->{$_}) } keys %{ $self->took } },
    };
}

sub spread ($list) {
    return {} if !@$list;
    my @sorted = sort { $a <=> $b } @$list;
    return { map { ("p$_" => $sorted[int($#sorted * $_ / 100)]) } 50, 95, 99, 100 };
}

sub _more ($self) {
    while ($self->started < $self->n && $self->running < $self->concurrency) {
        my $i = $self->started;
        $self->started($i + 1)->running($self->running + 1);
        $self->one($self->first + $i);
    }
    return;
}

sub one ($self, $i) {
    my $number  = sprintf '%05d', $i % 100_000;
    my $run     = { start => now_ms() };
    $run->{timer} = Mojo::IOLoop->timer($self->timeout_s => sub { $self->end($run, 'timeout') });
    my $consent = $self->cm->new_consent({
        patient => "synthetic.$number\@sbx", patient_reference => "UH2$number",
        contexts => [map { "OPD-S-$number-$_" } 1 .. $self->contexts],
    });
    $consent->{on_ack} = sub {
        push @{ $self->took->{ack} }, now_ms() - $run->{start};
        $self->_request($run, $consent);
    };
    $self->cm->notify_consent($consent, 'GRANTED', { retry => 1 })->then(sub ($got) {
        $self->end($run, "consent_$got->{status}") if $got->{status} !~ /\A2/;
    });
    return;
}

sub _request ($self, $run, $consent) {
    return if $run->{ended};
    my $transfer = $self->cm->new_transfer($consent);
    my $asked    = now_ms();
    $transfer->{on_answer} = sub {
        push @{ $self->took->{on_request} }, now_ms() - $asked;
        $self->end($run, 'refused') if $transfer->{refused};
    };
    $transfer->{on_done} = sub {
        my $status = $transfer->{notify}{statusNotification};
        my $bad    = grep { $_->{hiStatus} ne 'DELIVERED' } @{ $status->{statusResponses} };
        $self->end($run, $bad ? 'partial' : $status->{sessionStatus});
        delete $_->{text} for values %{ $transfer->{pages} };
    };
    $self->cm->request_data($transfer, { retry => 1 })->then(sub ($got) {
        $self->end($run, "request_$got->{status}") if $got->{status} !~ /\A2/;
    });
    return;
}

sub end ($self, $run, $how) {
    return if $run->{ended}++;
    Mojo::IOLoop->remove($run->{timer});
    $self->outcome->{$how}++;
    push @{ $self->took->{total} }, now_ms() - $run->{start};
    $self->running($self->running - 1);
    $self->ended_ms(now_ms()) if $self->started >= $self->n && !$self->running;
    $self->_more;
    return;
}

1;
