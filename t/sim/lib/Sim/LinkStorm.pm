package Sim::LinkStorm;

# Many synthetic citizens at once, each of whom discovers, chooses all that is offered, waits for the
# SMS and confirms. Counts what happened, how long it took, and how often the wrong patient was offered
# or linked.

use Mojo::Base 'Sim::Storm', -signatures;
use Mojo::IOLoop;
use Sim::Citizen qw(citizen linked uhid_at);
use Sim::Clock qw(new_uuid now_ms);

has 'phr';
has 'hip';
has wrong => 0;
has links => 0;
has took  => sub { { total => [], discover => [], on_discover => [], init => [], otp => [], confirm => [] } };

sub report ($self) {
    my $report = $self->SUPER::report;
    return { %$report, wrong => $self->wrong, links => $self->links };
}

sub one ($self, $i) {
    my $citizen = citizen($self->state, sprintf 'c%05d@sbx', $i % 100_000);
    my $run     = { start => now_ms() };
    $run->{timer} = Mojo::IOLoop->timer($self->timeout_s => sub { $self->end($run, 'timeout') });
    my %wish = (retry => 1, ($self->hip ? (hip => $self->hip) : ()));
    my ($phr, $otp_at) = ($self->phr);
    my $id      = new_uuid();
    my $linking = $run->{linking} = $phr->linking($id, $citizen, $wish{hip});
    $phr->discover($citizen, { %wish, transaction_id => $id })->then(sub ($view) {
        $self->_answer($run, $view, 'discover') or return;
        return $phr->init($linking, \%wish);
    })->then(sub ($view) {
        return if !$view;
        $self->_answer($run, $view, 'init') or return;
        $otp_at = now_ms();
        return $phr->otp($linking, { otp_timeout_ms => 1000 * $self->timeout_s });
    })->then(sub ($otp) {
        return if $run->{ended};
        return $self->end($run, 'no_otp') if !defined $otp;
        push @{ $self->took->{otp} }, now_ms() - $otp_at;
        return $phr->confirm($linking, { %wish, otp => $otp });
    })->then(sub ($view) {
        return if $run->{ended} || !ref $view;
        $self->_answer($run, $view, 'confirm') or return;
        $self->_count_links($citizen, $linking->{hip});
        $self->end($run, 'LINKED');
    })->catch(sub ($why) { $self->end($run, "broken: $why") });
    return;
}

# True when a step was answered with its result; else the run is over.
sub _answer ($self, $run, $view, $step) {
    return if $run->{ended};
    my $done = $view->{$step};
    push @{ $self->took->{$step} }, $done->{answer_ms} if defined $done->{answer_ms};
    push @{ $self->took->{on_discover} }, $done->{after_ms} if $step eq 'discover' && defined $done->{after_ms};
    return 1 if $done->{answer} && !$done->{answer}{error};
    $self->end($run, $done->{answer} ? "$step " . ($done->{answer}{error}{code} // 'error')
        : $done->{timeout} ? "$step timeout" : "$step $done->{status}");
    return;
}

sub end ($self, $run, $how) {
    $self->wrong($self->wrong + 1) if !$run->{ended} && $run->{linking}{wrong_patient};
    return $self->SUPER::end($run, $how);
}

sub _count_links ($self, $citizen, $hip) {
    my $uhid = uhid_at($citizen, $hip);
    for my $link (values %{ linked($self->state, $citizen->{address}, $hip) }) {
        $self->links($self->links + 1);
        $self->wrong($self->wrong + 1) if $link->{patient_reference} ne $uhid;
    }
    return;
}

1;
