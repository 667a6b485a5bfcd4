package Hmis::Faults;

# Misbehaviour of the demo application, on demand, for tests: a Mojolicious plugin that adds
# /_test/ and spoils chosen answers. It also enters patients and visits for them. README.md lists all.

use Mojo::Base 'Mojolicious::Plugin', -signatures;
use Mojo::IOLoop;

my $KEEP  = 1000;
my $CHUNK = 65_536;

has faults   => sub { [] };
has requests => sub { [] };
has total    => 0;

my %ACTION = (
    down   => sub ($c, $f) { $c->render(text => 'down for maintenance', status => 503) },
    status => sub ($c, $f) { $c->render(data => '', status => $f->{status} // 500) },
    login  => sub ($c, $f) { $c->render(text => '<html><form>Please log in</form></html>', format => 'html') },
    drop   => sub ($c, $f) { $c->render_later; Mojo::IOLoop->remove($c->tx->connection) },
    garbage => sub ($c, $f) {
        $c->res->headers->content_type('application/json');
        $c->render(data => '{"patients":[{"uhid":"UH1');
    },
    short => sub ($c, $f) {
        my $id = $c->tx->connection;
        $c->res->headers->content_length(100_000);
        $c->write("%PDF-1.4\n", sub ($c, @) { Mojo::IOLoop->remove($id) });
    },
    endless => \&_endless,
    huge    => \&_huge,
);

sub register ($self, $app, $conf) {
    _add_books($app->routes);
    $app->routes->post('/_test/fault' => sub ($c) {
        my $fault = $c->req->json;
        return $c->render(json => { error => 'path and action wanted' }, status => 400)
            if !$fault->{path} || !($ACTION{ $fault->{action} // '' } || $fault->{action} =~ /\A(?:slow|wrong_patient)\z/);
        push @{ $self->faults }, $fault;
        $c->render(json => { ok => 1 });
    });
    $app->routes->post('/_test/clear' => sub ($c) {
        $self->faults([])->requests([])->total(0);
        $c->render(json => { ok => 1 });
    });
    $app->routes->get('/_test/requests' => sub ($c) {
        $c->render(json => { count => $self->total, requests => $self->requests });
    });
    $app->hook(around_dispatch => sub ($next, $c) { $self->_dispatch($next, $c) });
    $app->hook(after_dispatch => sub ($c) { $self->_note($c) });
    return;
}

# What a test enters as if it had been typed in, and what it may look up.
sub _add_books ($routes) {
    $routes->post('/_test/patients' => sub ($c) { $c->render(json => $c->books->enter_patient(%{ $c->req->json })) });
    $routes->post('/_test/visits' => sub ($c) {
        my $given  = $c->req->json;
        my @visits = $given->{n} ? _many_visits($c, $given) : $c->books->enter_visit(%$given);
        return $c->missing('patient') if !@visits;
        $c->render(json => { count => scalar @visits, visit => $visits[-1], last => scalar @{ $c->books->journal } });
    });
    $routes->post('/_test/reset' => sub ($c) {
        $c->books->start_over;
        @{ $c->events } = %{ $c->otps } = ();
        $c->render(json => { ok => 1 });
    });
    $routes->get('/_test/events' => sub ($c) { $c->render(json => { events => $c->events }) });
    $routes->get('/_test/otps' => sub ($c) { $c->render(json => { otps => [values %{ $c->otps }] }) });
    return;
}

# One new visit for each of n synthetic patients.
sub _many_visits ($c, $given) {
    my $first = $given->{first} // 0;
    my @visits;
    for my $n ($first .. $first + $given->{n} - 1) {
        my $number = sprintf '%05d', $n % 100_000;
        $c->books->enter_patient(uhid => "UH2$number", abha_address => "c$number\@sbx") if $given->{abha};
        push @visits, $c->books->enter_visit(%$given, uhid => "UH2$number", no => undef);
    }
    return @visits;
}

sub _note ($self, $c) {
    my $path = $c->req->url->path->to_string;
    return if $path =~ m{\A/_test/};
    $self->total($self->total + 1);
    push @{ $self->requests }, { method => $c->req->method, path => $path, status => $c->res->code };
    shift @{ $self->requests } if @{ $self->requests } > $KEEP;
    return;
}

sub _dispatch ($self, $next, $c) {
    my $path  = $c->req->url->path->to_string;
    my $fault = $path =~ m{\A/_test/} ? undef : $self->_take($path);
    return $next->() if !$fault;
    my $action = $fault->{action};
    if ($action eq 'wrong_patient') {
        $next->();
        my $body = $c->res->body;
        $body =~ s/UH[12]\d{5}/UH100299/g;
        $c->res->body($body)->headers->content_length(length $body);
        return;
    }
    if ($action eq 'slow') {
        $c->render_later;
        my $tx = $c->tx;    # the controller holds it only weakly
        Mojo::IOLoop->timer(($fault->{ms} // 2000) / 1000 => sub {
            delete $c->stash->{'mojo.rendered'};    # render_later's mark would stop the dispatcher
            $next->();
            undef $tx;
        });
        return;
    }
    return $ACTION{$action}->($c, $fault);
}

sub _take ($self, $path) {
    for my $fault (@{ $self->faults }) {
        next if $path !~ /$fault->{path}/ || defined $fault->{count} && $fault->{count} <= 0;
        $fault->{count}-- if defined $fault->{count};
        return $fault;
    }
    return;
}

sub _endless ($c, $fault) {
    $c->res->headers->content_type('application/pdf');
    my $step = ($fault->{ms} // 200) / 1000;
    my $more;
    $more = sub ($c, @) {
        Mojo::IOLoop->timer($step => sub { $c->write_chunk('A' x 64, $more) if $c->tx });
    };
    return $c->write_chunk("%PDF-1.4\n", $more);
}

# One page whose file carries a stream of filler; its offsets are known before it is sent.
sub _huge ($c, $fault) {
    my $size  = $fault->{bytes} // 209_715_200;
    my $start = "%PDF-1.4\n1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj\n"
        . "2 0 obj\n<< /Type /Pages /Kids [3 0 R] /Count 1 >>\nendobj\n"
        . "3 0 obj\n<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] >>\nendobj\n";
    my @offset = map { index $start, "$_ 0 obj" } 1 .. 3;
    push @offset, length $start;
    my $tail_of = sub ($xref) {
        return "\nendstream\nendobj\nxref\n0 5\n0000000000 65535 f \n"
            . join('', map { sprintf "%010d 00000 n \n", $_ } @offset)
            . sprintf "trailer\n<< /Size 5 /Root 1 0 R >>\nstartxref\n%010d\n%%%%EOF\n", $xref;
    };
    my $open_of = sub ($length) { sprintf "4 0 obj\n<< /Length %010d >>\nstream\n", $length };
    my $filler  = $size - length($start) - length($open_of->(0)) - length($tail_of->(0));
    $filler = 0 if $filler < 0;
    my $head = $start . $open_of->($filler);
    my $tail = $tail_of->(length($head) + $filler + length "\nendstream\nendobj\n");

    $c->res->headers->content_type('application/pdf');
    $c->res->headers->content_length(length($head) + $filler + length $tail);
    my $left = $filler;
    my $line = join '', map { chr(32 + $_ % 95) } 0 .. $CHUNK - 1;
    my $more;
    $more = sub ($c, @) {
        return $c->write($tail) if $left <= 0;
        my $take = $left < $CHUNK ? $left : $CHUNK;
        $left -= $take;
        return $c->write($take == $CHUNK ? $line : substr($line, 0, $take), $more);
    };
    return $c->write($head, $more);
}

1;
