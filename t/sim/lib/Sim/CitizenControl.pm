package Sim::CitizenControl;

# The part of the control API that concerns people: who there is, what they do with the app, what is
# linked to them, and what messages they got.

use Mojo::Base -strict, -signatures;
use Sim::Auth ();
use Sim::Citizen qw(add_citizen citizen linked);
use Sim::Registry ();
use Sim::Sms ();
use Sim::Token ();

# What /wait can wait for.
our %HAPPENED = (
    answer => sub ($state, $wish) {
        my $callback = $state->callbacks->{ $wish->{request_id} // '' } or return;
        my $call = $callback->{answered} or return;
        return { body => $call->{body}, kind => $callback->{kind}, ms => $call->{ms} - $callback->{sent_ms} };
    },
    linked => sub ($state, $wish) {
        my @links = grep { !defined $wish->{context} || $_->{context} eq $wish->{context} } _links($state, lc($wish->{citizen} // ''), $wish->{hip});
        return @links >= ($wish->{count} // 1) ? { links => \@links } : undef;
    },
    sms => sub ($state, $wish) {
        my @messages = Sim::Sms::messages($state, $wish->{mobile});
        return @messages >= ($wish->{count} // 1) ? { %{ $messages[-1] }, count => scalar @messages } : undef;
    },
    deep_link => sub ($state, $wish) {
        my @messages = _deep_links($state, $wish->{mobile});
        return @messages >= ($wish->{count} // 1) ? { %{ $messages[-1] }, count => scalar @messages } : undef;
    },
    notice => sub ($state, $wish) {
        my @notices = grep { !defined $wish->{context} || $_->{context} eq $wish->{context} } @{ $state->notices };
        return @notices >= ($wish->{count} // 1) ? { %{ $notices[-1] }, count => scalar @notices } : undef;
    },
    counter => sub ($state, $wish) {
        my $value = $state->counters->{ $wish->{name} // '' } // 0;
        return $value >= ($wish->{count} // 1) ? { value => $value } : undef;
    },
);

sub add_calls ($state, $phr, %add) {
    my ($get, $post) = @add{qw(get post)};
    my $who = sub ($c) { citizen($state, $c->param('address')) or die "no such citizen\n" };

    $post->('/citizens' => sub ($c, $wish) {
        my ($made, $error) = add_citizen($state, $wish);
        return $made ? _citizen($state, $made) : { error => $error };
    });
    $get->('/citizens/#address' => sub ($c) {
        my $citizen = citizen($state, $c->param('address'));
        return $citizen && _citizen($state, $citizen);
    });
    $get->('/citizens/#address/links' => sub ($c) {
        return { links => [_links($state, lc $c->param('address'), $c->param('hip'))] };
    });
    _add_acts($state, $phr, $post, $who);

    $get->('/links' => sub ($c) { return _all_links($state) });
    $get->('/outbox' => sub ($c) { return { waiting => $state->outbox->waiting } });
    $get->('/tokens' => sub ($c) { return { count => scalar @{ $state->token_log }, tokens => $state->token_log } });
    $post->('/link-tokens/forget' => sub ($c, $wish) { Sim::Token::forget_tokens($state); return { ok => 1 } });
    $get->('/notices' => sub ($c) { return _list(notices => @{ $state->notices }) });
    $get->('/deep-links' => sub ($c) { return _list(messages => _deep_links($state, $c->param('mobile'))) });
    $get->('/sms' => sub ($c) { return _list(messages => Sim::Sms::messages($state, $c->param('mobile'))) });
    $get->('/sms/last' => sub ($c) { return (Sim::Sms::messages($state, $c->param('mobile')))[-1] });
    $get->('/shares' => sub ($c) {
        return _list(shares => map { my $share = $_; +{ map { $_ => $share->{$_} } grep { !/\A(?:step|taken_at)\z/ } keys %$share } } @{ $state->shares });
    });
    $get->('/providers' => sub ($c) { return _list(providers => Sim::Registry::found($state, $c->param('name') // '')) });
    return;
}

sub _list ($name, @things) { return { count => scalar @things, $name => \@things } }

# What a citizen does.
sub _add_acts ($state, $phr, $post, $who) {
    my $linking = sub ($c) { $state->linkings->{ $c->param('id') } or die "no such linking\n" };
    $post->('/citizens/#address/discover' => sub ($c, $wish) { return $phr->discover($who->($c), $wish) });
    $post->('/citizens/#address/share'    => sub ($c, $wish) { return $phr->share($who->($c), $wish) });
    $post->('/citizens/#address/status'   => sub ($c, $wish) {
        return { error => 'status: DEACTIVATED, REACTIVATED, DELETED' } if ($wish->{status} // '') !~ /\A(?:DEACTIVATED|REACTIVATED|DELETED)\z/;
        my $status = delete $wish->{status};
        return $phr->status($who->($c), $status, $wish);
    });
    $post->('/citizens/#address/auth' => sub ($c, $wish) {
        my $auth = Sim::Auth::decide($state, $who->($c), $wish);
        return $auth ? { %$auth } : { error => 'nothing waits for this citizen' };
    });
    $post->('/citizens/#address/block' => sub ($c, $wish) {
        Sim::Token::block($state, $wish->{hip} // (sort keys %{ $state->config->{hips} })[0], $who->($c)->{address});
        return { ok => 1 };
    });
    $post->('/linkings/:id/init'    => sub ($c, $wish) { return $phr->init($linking->($c), $wish) });
    $post->('/linkings/:id/confirm' => sub ($c, $wish) { return $phr->confirm($linking->($c), $wish) });
    $post->('/linkings/:id/view'    => sub ($c, $wish) { return $phr->view($linking->($c)) });
    return;
}

sub _citizen ($state, $citizen) {
    my @auths = sort { $a->{until} <=> $b->{until} } grep { $_->{address} eq $citizen->{address} } values %{ $state->auths };
    my ($last) = grep { defined $_->{otp} } reverse @auths;
    return {
        %$citizen, links => [_links($state, $citizen->{address}, undef)], auths => \@auths,
        otp => $last ? $last->{otp} : undef,
    };
}

sub _links ($state, $address, $hip) {
    my $at = $state->links->{$address} // {};
    return map { my $all = $at->{$_}; map { _link($all->{$_}) } sort keys %$all } grep { !defined $hip || $_ eq $hip } sort keys %$at;
}

sub _link ($link) { return { map { $_ => $link->{$_} } grep { !/\A(?:call|linked_at)\z/ } keys %$link } }

# Totals for load tests: how many links, and those that were linked more than once or to somebody else.
sub _all_links ($state) {
    my %total = (citizens => 0, links => 0, repeated => 0, wrong => $state->counters->{linked_wrong} // 0);
    for my $address (keys %{ $state->links }) {
        my @links = _links($state, $address, undef) or next;
        $total{citizens}++;
        $total{links} += @links;
        $total{repeated} += grep { $_->{times} > 1 } @links;
    }
    return \%total;
}

sub _deep_links ($state, $mobile) {
    return @{ $state->deep_links } if !defined $mobile;
    return grep { $_->{mobile} eq Sim::Citizen::plain_mobile($mobile) } @{ $state->deep_links };
}

1;
