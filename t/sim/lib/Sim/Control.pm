package Sim::Control;

# The control API under /_sim/: how tests, the demo and integrators tell the simulator what to do
# and ask what it saw. README.md documents it. Never validated as the gateway's own messages are.

use Mojo::Base -strict, -signatures;
use Mojo::IOLoop;
use Mojo::JSON qw(decode_json);
use Mojo::Promise;
use Sim::CitizenControl;
use Sim::Clock qw(iso clock_moved move_clock now_ms);
use Sim::Fault qw(add_fault);
use Sim::LinkStorm;
use Sim::Outage;
use Sim::Outbox;
use Sim::Phr;
use Sim::Storm;

my $HIDDEN = qr/\A(?:own|on_\w+|final|call|notify_call)\z/;
my %SHOWN  = map { $_ => 1 } qw(on_request);

sub add_routes ($routes, $state, $cm) {
    my $sim = $routes->any('/_sim');
    my @storms;
    my $phr = Sim::Phr->new(state => $state, cm => $cm);

    my $post = sub ($path, $code) {
        $sim->post($path => sub ($c) {
            my $wish = length $c->req->body ? $c->req->json : {};
            return $c->render(json => { error => 'a JSON object is wanted' }, status => 400) if ref $wish ne 'HASH';
            $c->render_later;
            my $tx = $c->tx;
            Mojo::Promise->resolve->then(sub { $code->($c, $wish) })->then(
                sub ($got) { undef $tx; $c->render(json => $got, status => ($got->{error} && !exists $got->{status} ? 400 : 200)) },
                sub ($why) { undef $tx; $c->render(json => { error => "$why" }, status => 500) });
        });
    };
    my $get = sub ($path, $code) {
        $sim->get($path => sub ($c) {
            my $got = $code->($c);
            return $c->render(json => { error => 'no such thing' }, status => 404) if !defined $got;
            $c->render(json => $got);
        });
    };

    $post->('/reset' => sub ($c, $wish) { $state->reset_state(%$wish); @storms = (); return { ok => 1 } });
    $get->('/config' => sub ($c) { return { %{ $state->config }, public_url => $state->public_url, issuer => $state->issuer } });
    $post->('/config' => sub ($c, $wish) {
        my $error = $state->configure($wish);
        return $error ? { error => $error } : { ok => 1 };
    });
    $post->('/keys/rotate' => sub ($c, $wish) { $state->keys->rotate; return { ok => 1 } });
    $post->('/token' => sub ($c, $wish) {
        my $keys = $state->keys;
        return { token => $wish->{refresh} ? $keys->refresh_token : $keys->callback_token($wish) };
    });
    $get->('/canaries' => sub ($c) { return { canaries => _canaries($state) } });
    $post->('/sessions/forget' => sub ($c, $wish) { $state->forget_sessions; return { ok => 1 } });

    $post->('/consents' => sub ($c, $wish) { return _consent($cm->new_consent($wish)) });
    $get->('/consents/:id' => sub ($c) { return _consent($state->consents->{ $c->param('id') }) });
    $post->('/consents/:id/notify' => sub ($c, $wish) {
        my $consent = $state->consents->{ $c->param('id') } or die "no such consent\n";
        my $sent = $cm->notify_consent($consent, $wish->{status} // 'GRANTED', $wish);
        return $wish->{background} ? {} : $sent;
    });
    $post->('/consents/:id/request' => sub ($c, $wish) {
        my $consent  = $state->consents->{ $c->param('id') } or die "no such consent\n";
        my $transfer = $cm->new_transfer($consent, $wish);
        delete $wish->{body};
        my $id   = $transfer->{transaction_id};
        my $sent = $cm->request_data($transfer, $wish);
        return $wish->{background} ? { transaction_id => $id } : $sent->then(sub ($got) { return { %$got, transaction_id => $id } });
    });
    $post->('/callback' => sub ($c, $wish) { return $cm->send_callback($wish) });

    $get->('/transfers' => sub ($c) { return { transfers => [map { _transfer($_, 0) } values %{ $state->transfers }] } });
    $get->('/transfers/:id' => sub ($c) { return _transfer($state->transfers->{ $c->param('id') }, 1) });
    $get->('/calls' => sub ($c) { return _calls($state, $c->param('path'), $c->param('after') // 0) });
    $get->('/sent' => sub ($c) { return _sent($state, $c->param('path'), $c->param('after') // 0) });
    $get->('/violations' => sub ($c) { return { count => scalar @{ $state->violations }, violations => $state->violations } });
    $get->('/metrics' => sub ($c) { return _metrics($state) });
    $post->('/wait' => sub ($c, $wish) { return _wait($state, $wish) });

    $post->('/faults' => sub ($c, $wish) {
        my $error = add_fault($state, $wish);
        return $error ? { error => $error } : { ok => 1 };
    });
    $get->('/faults' => sub ($c) { return { faults => $state->faults } });
    $sim->delete('/faults' => sub ($c) { $state->faults([]); $c->render(json => { ok => 1 }) });

    $post->('/callback_faults' => sub ($c, $wish) {
        my $error = Sim::Outbox::add_callback_fault($state, $wish);
        return $error ? { error => $error } : { ok => 1 };
    });
    $get->('/callback_faults' => sub ($c) { return { faults => $state->callback_faults } });
    $sim->delete('/callback_faults' => sub ($c) { $state->callback_faults([]); $c->render(json => { ok => 1 }) });
    $post->('/died' => sub ($c, $wish) { push @{ $state->deaths }, $state->serial; return { ok => 1 } });
    $post->('/outage' => sub ($c, $wish) { return Sim::Outage::set($state, $wish) });
    $get->('/outage' => sub ($c) { return $state->outage // { kind => 'off' } });
    $post->('/clock' => sub ($c, $wish) { move_clock($wish->{move} // 0); return _clock() });
    $get->('/clock' => sub ($c) { return _clock() });
    Sim::CitizenControl::add_calls($state, $phr, post => $post, get => $get);

    $post->('/storm' => sub ($c, $wish) {
        my %want = map { exists $wish->{$_} ? ($_ => $wish->{$_}) : () } qw(n contexts concurrency timeout_s first hip);
        my $link = ($wish->{kind} // 'transfer') eq 'link';
        push @storms, ($link ? Sim::LinkStorm->new(%want, phr => $phr, state => $state, cm => $cm)
            : Sim::Storm->new(%want, state => $state, cm => $cm))->start;
        return { id => $#storms };
    });
    $post->('/storm/:id/stop' => sub ($c, $wish) {
        my $storm = $c->param('id') =~ /\A\d+\z/ ? $storms[$c->param('id')] : undef;
        $storm->stop if $storm;
        return $storm ? $storm->report : { error => 'no such storm' };
    });
    $get->('/storm/:id' => sub ($c) {
        my $storm = $c->param('id') =~ /\A\d+\z/ ? $storms[$c->param('id')] : undef;
        return $storm ? $storm->report : undef;
    });
    $sim->any('/*rest' => sub ($c) { $c->render(json => { error => 'no such control call' }, status => 404) });
    return;
}

# Whatever was given out or told of people that no log may have: {text, what}.
sub _canaries ($state) {
    my @all = ({ what => 'client secret', text => $state->config->{client_secret} });
    for my $citizen (values %{ $state->citizens }) {
        push @all, map { { what => $_, text => $citizen->{$_} } } grep { length($citizen->{$_} // q{}) } qw(name number mobile address);
    }
    push @all, map { { what => 'session token', text => $_ } } keys %{ $state->sessions };
    push @all, map { { what => 'link token', text => $_ } } keys %{ $state->link_tokens };
    push @all, map { { what => 'bearer', text => $_->{token} } } values %{ $state->keys->cached };
    push @all, map { { what => 'OTP', text => $_ } } grep { defined } (map { $_->{otp} } values %{ $state->auths }),
        map { $_->{code} } @{ $state->sms };
    push @all, map { { what => 'SMS', text => $_->{text} } } grep { length($_->{text} // q{}) } @{ $state->sms };
    return \@all;
}

sub _clock () { return { now => iso(), moved => clock_moved() } }

sub _consent ($consent) {
    return if !$consent;
    return { map { $_ => $consent->{$_} } grep { !/$HIDDEN/ } keys %$consent };
}

sub _transfer ($transfer, $full) {
    return if !$transfer;
    my %shown = map { $_ => $transfer->{$_} } grep { $SHOWN{$_} || !/$HIDDEN/ && $_ ne 'body' } keys %$transfer;
    my $pages = $transfer->{pages};
    $shown{pages} = [map { _page($pages->{$_}, $full) } sort { $a <=> $b } keys %$pages];
    return \%shown;
}

sub _page ($page, $full) {
    return { map { $_ => $page->{$_} } grep { $_ ne 'call' && ($full || $_ ne 'text') } keys %$page };
}

sub _calls ($state, $path, $after) {
    my @calls = grep { $_->{n} > $after && (!defined $path || $_->{path} =~ /$path/) } @{ $state->calls };
    return { count => scalar @calls, calls => \@calls };
}

sub _sent ($state, $path, $after) {
    my @sent = grep { $_->{n} > $after && (!defined $path || $_->{url} =~ /$path/) } @{ $state->sent };
    return { count => scalar @sent, sent => [map { my $one = $_; +{ (map { $_ => $one->{$_} } grep { $_ ne 'bytes' } keys %$one),
        body => eval { decode_json($one->{bytes}) } } } @sent] };
}

# Between our callback and the first call that answered it; from its 202, and from its sending.
sub _metrics ($state) {
    my (@from_accept, @from_send);
    for my $callback (values %{ $state->callbacks }) {
        my $first = $callback->{first_call_ms} // next;
        push @from_send, $first - $callback->{sent_ms};
        next if !defined $callback->{accepted_ms};
        my $lag = $first - $callback->{accepted_ms};
        push @from_accept, $lag > 0 ? $lag : 0;
    }
    return {
        counters => $state->counters, calls => scalar @{ $state->calls }, violations => scalar @{ $state->violations },
        first_call_ms => { after_202 => Sim::Storm::spread(\@from_accept), after_sending => Sim::Storm::spread(\@from_send) },
    };
}

my %HAPPENED = (
    %Sim::CitizenControl::HAPPENED,
    ack => sub ($state, $wish) {
        my $consent = $state->consents->{ $wish->{consent} // '' } or return;
        return @{ $consent->{acks} } >= ($wish->{count} // 1) ? _consent($consent) : undef;
    },
    on_request => sub ($state, $wish) {
        my $transfer = $state->transfers->{ $wish->{transaction} // '' } or return;
        return $transfer->{on_request} ? _transfer($transfer, 1) : undef;
    },
    pages => sub ($state, $wish) {
        my $transfer = $state->transfers->{ $wish->{transaction} // '' } or return;
        return keys %{ $transfer->{pages} } >= ($wish->{count} // 1) ? _transfer($transfer, 1) : undef;
    },
    notify => sub ($state, $wish) {
        my $transfer = $state->transfers->{ $wish->{transaction} // '' } or return;
        return $transfer->{notify} ? _transfer($transfer, 1) : undef;
    },
    call => sub ($state, $wish) {
        my $found = _calls($state, $wish->{path}, $wish->{after} // 0);
        return $found->{count} >= ($wish->{count} // 1) ? $found : undef;
    },
);

sub _wait ($state, $wish) {
    my $test = $HAPPENED{ $wish->{for} // '' } or return { error => 'for: one of ' . join ', ', sort keys %HAPPENED };
    my $end  = now_ms() + ($wish->{timeout_ms} // 5000);
    my $look;
    $look = sub {
        my $got = $test->($state, $wish);
        return { happened => 1, %$got } if $got;
        return { happened => 0 } if now_ms() >= $end;
        return Mojo::Promise->timer(0.01)->then($look);
    };
    return $look->();
}

1;
