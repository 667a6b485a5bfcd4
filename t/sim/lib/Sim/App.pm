package Sim::App;

# Puts the simulator together: which paths are the gateway's, the requester's, the SMS provider's and
# the control API's, and how an answer, or a fault in its place, goes out.

use Mojo::Base 'Mojolicious', -signatures;
use Cpanel::JSON::XS ();
use Mojo::Date;
use Mojo::IOLoop;
use Sim::Clock qw(now);
use Sim::Cm;
use Sim::Control;
use Sim::Fault;
use Sim::Gateway;
use Sim::Hiu;
use Sim::Outage;
use Sim::Outbox;
use Sim::Sms;
use Sim::State;

my $JSON = Cpanel::JSON::XS->new->utf8->canonical;

has 'state';
has 'ca';

sub startup ($self) {
    my $state = $self->state;
    $self->secrets(['the simulator keeps no cookies']);
    $self->mode('production');
    $self->max_request_size(0);    # a page of 200 MB arrives as a body of 356 MB, into a file
    $self->log->level($ENV{SIM_LOG} // 'warn');
    my $cm = Sim::Cm->new(state => $state, ca => $self->ca);
    $state->outbox(Sim::Outbox->new(state => $state, cm => $cm));
    Sim::Control::add_routes($self->routes, $state, $cm);
    $self->hook(after_build_tx => sub ($tx, $app) {
        $tx->req->on(progress => sub ($request) { Sim::Fault::early_drop($state, $tx) })
            if Sim::Fault::has_early($state);
    });
    return;
}

# The control API is an ordinary application. All other paths skip router and hooks: in a load test
# those would cost more than the checks.
sub handler ($self, $tx) {
    my $path = $tx->req->url->path->to_string;
    return $self->SUPER::handler($tx) if $path =~ m{\A/_sim(?:/|\z)};
    my $c = $self->build_controller($tx);
    return $self->_receive($c, \&Sim::Hiu::receive) if $path =~ m{\A/hiu/push/};
    return $self->_receive($c, \&Sim::Sms::receive) if $path =~ m{\A/sms/};
    $c->res->headers->date(Mojo::Date->new(now() + $self->state->config->{date_skew_seconds})->to_string);
    return $self->state->outage ? Sim::Outage::answer($self->state, $c) : $self->_receive($c, \&_gateway);
}

sub _gateway ($state, $c, $call, $done) { return $done->(Sim::Gateway::handle($state, $c, $call)) }

sub _receive ($self, $c, $handler) {
    my $state = $self->state;
    my $call  = $state->note_call($c);
    my $fault = Sim::Fault::take_fault($state, $call->{path}, _page_number($c));
    if ($fault) {
        $call->{fault} = { map { $_ => $fault->{$_} } grep { exists $fault->{$_} } qw(action status process) };
        my $kept = Sim::Fault::keeps_answer($fault);
        $call->{lost}    = !$kept && !$fault->{process};
        $call->{spoiled} = !$kept;
    }
    $c->render_later;
    my $tx = $c->tx;
    $handler->($state, $c, $call, sub ($answer) {
        $call->{status} = $answer->{status};
        my $finish = sub {
            if    ($tx->is_finished)           { $state->count('gone') }
            elsif (!$fault || !$call->{spoiled}) { _render($c, $answer) }
            else                               { Sim::Fault::spoil($c, $fault) }
            undef $tx;
        };
        return $finish->() if !$fault || !$fault->{ms} || $fault->{action} eq 'slow';
        Mojo::IOLoop->timer($fault->{ms} / 1000 => $finish);
    });
    return;
}

# Only faults for one page need it; a look at the ends of the body is enough.
sub _page_number ($c) {
    my $asset = $c->req->content->asset;
    my $size  = $asset->size;
    return if $c->req->url->path->to_string !~ m{\A/hiu/push/};
    my $ends = $asset->get_chunk(0, 4096) . ($size > 4096 ? $asset->get_chunk($size > 8192 ? $size - 4096 : 4096, 4096) : '');
    return $ends =~ /"pageNumber"\s*:\s*(\d+)/ ? $1 : undef;
}

sub _render ($c, $answer) {
    my $headers = $c->res->headers;
    $headers->header($_ => $answer->{headers}{$_}) for keys %{ $answer->{headers} };
    return $c->render(text => $answer->{text}, status => $answer->{status}) if defined $answer->{text};
    if (!defined $answer->{body}) { return $c->render(data => '', status => $answer->{status}) }
    $headers->content_type('application/json');
    return $c->render(data => $JSON->encode($answer->{body}), status => $answer->{status});
}

1;
