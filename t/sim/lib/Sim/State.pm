package Sim::State;

# All that the simulator knows: configuration, sessions, consents, transfers, every message seen,
# and the list of violations. One process, one state; nothing is kept on disk.

use Mojo::Base -base, -signatures;
use Sim::Clock qw(clock_moved is_uuid iso move_clock new_uuid now now_ms);
use Sim::Keys;

my %DEFAULT = (
    client_id     => 'SBXID_000001',
    client_secret => 'simulator-secret',
    cm_id         => 'sbx',
    bridge_url    => '',
    hips          => { IN0990001234_1 => 'Demo Hospital' },
    token_seconds => 1200,
    redeliver_ms  => 500,
    redeliver_max => 5,
    callback_timeout_s => 30,
    callback_connections => 200,
    checksum      => 'base64',
    keep_calls    => 20_000,
    cheap_keys    => 0,
    skew_seconds  => 300,
    inspect       => 1,
    open_every    => 1,
    may_forget    => 0,
    callback_delay_ms    => 20,
    callback_concurrency => 100,
    answer_limit_ms      => { discover => 10_000, init => 10_000, confirm => 10_000, share => 30_000 },
    token_again_seconds  => 374,
    token_daily          => 3,
    token_block_seconds  => 86_400,
    link_token_seconds   => 15_768_000,
    access_token_seconds => 86_400,
    link_patience_seconds => 60,
    notify_after_seconds => 30,
    partial_link         => 'none',
    self_fetch           => 0,
    self_fetch_ms        => 5000,
    sms_shape            => 'resp',
    zone_minutes         => 330,
    clinical_words       => [qw(HIV cancer tumour diabet pregnan abortion psychiatr tubercul leprosy fever cough
        appendic), 'x-ray', 'hba1c', 'blood count', 'echocardiogram', 'ultrasound'],
    fetch                => 'normal',
    registry             => 'auto',
    facilities           => { IN0990001234 => 'Demo Hospital' },
    date_skew_seconds    => 0,
);
my %CHOICE = (
    partial_link => [qw(none new)], sms_shape => [qw(resp response)], registry => [qw(auto linked associated name invalid)],
    fetch => [qw(normal refuse unknown_right silent mismatch unknown)],
);

has config => sub { +{%DEFAULT} };
has 'public_url';
has 'issuer';
has keys => sub ($self) {
    my $config = $self->config;
    return Sim::Keys->new(issuer => $self->issuer, client_id => $config->{client_id},
        seconds => $config->{token_seconds});
};
has sessions => sub { {} };
has [qw(seen callbacks consents transfers pushes keys_seen nonces_seen counters)] => sub { {} };
has [qw(calls sent violations faults waiting deaths)] => sub { [] };
has 'outbox';
# Of one run: linkings by transaction, authentications by transaction, messages, shares.
has [qw(linkings link_references auths link_calls sms_waiting sms_inbox)] => sub { {} };
has [qw(notices deep_links sms shares callback_faults token_log)] => sub { [] };
# What lasts until it is forgotten on demand: citizens by address, their links by address, facility
# and context, tokens, and what was asked for tokens by facility and address.
has [qw(citizens links link_tokens token_asks)] => sub { {} };
has 'outage';
has serial => 0;

sub reset_state ($self, %option) {
    $self->$_({}) for qw(seen callbacks consents transfers pushes keys_seen nonces_seen counters);
    $self->$_([]) for qw(calls sent violations faults deaths);
    $self->$_({}) for qw(linkings link_references auths link_calls sms_waiting sms_inbox);
    $self->$_([]) for qw(notices deep_links sms shares callback_faults token_log);
    if ($option{citizens}) { $self->$_({}) for qw(citizens links link_tokens token_asks) }
    $self->outage(undef);
    move_clock(-clock_moved()) if $option{clock};
    $self->sessions({}) if $option{sessions};
    $self->config({%DEFAULT, bridge_url => $self->config->{bridge_url}}) if $option{config};
    return;
}

sub configure ($self, $change) {
    for my $name (keys %$change) {
        return "unknown setting: $name" if !exists $DEFAULT{$name};
        return "$name: one of @{ $CHOICE{$name} }"
            if $CHOICE{$name} && !grep { $_ eq ($change->{$name} // '') } @{ $CHOICE{$name} };
        $self->config->{$name} = $change->{$name};
    }
    $self->keys->client_id($self->config->{client_id})->seconds($self->config->{token_seconds});
    return;
}

sub count ($self, $name, $by = 1) { return $self->counters->{$name} += $by }

sub violate ($self, $call, $rule, $message) {
    push @{ $self->violations },
        { at => iso(), rule => $rule, message => $message, call => $call->{n}, path => $call->{path} };
    push @{ $call->{violations} }, $rule;
    return;
}

sub note_call ($self, $c) {
    my $request = $c->req;
    my $headers = $request->headers->to_hash(1);
    my %shown   = map { lc($_) => (@{ $headers->{$_} } > 1 ? $headers->{$_} : $headers->{$_}[0]) }
        grep { lc ne 'authorization' } keys %$headers;
    my $call = {
        n => $self->serial($self->serial + 1)->serial, at => iso(), ms => now_ms(),
        method => $request->method, path => $request->url->path->to_string,
        query => $request->url->query->to_string, headers => \%shown, violations => [],
        authorization => (defined $request->headers->authorization ? 1 : 0),
        size => $request->content->asset->size,
    };
    my $calls = $self->calls;
    push @$calls, $call;
    shift @$calls if @$calls > $self->config->{keep_calls};
    return $call;
}

sub open_session ($self) {
    my $seconds = $self->config->{token_seconds};
    my $token   = $self->keys->session_token($seconds);
    my $now     = now();
    delete @{ $self->sessions }{ grep { $self->sessions->{$_}{until} < $now - 3600 } keys %{ $self->sessions } };
    $self->sessions->{$token} = { until => $now + $seconds };
    $self->count('sessions');
    return $token;
}

# Tokens die before their time, as when a server forgets them: 401, which is no fault of the bridge.
sub forget_sessions ($self) {
    $_->{forgotten} = 1 for values %{ $self->sessions };
    return;
}

sub fresh_id ($self, $whose) {
    my $id = new_uuid();
    $self->seen->{$id} = $whose;
    return $id;
}

# True when nobody used this id before.
sub claim_id ($self, $id, $whose) {
    return 0 if exists $self->seen->{$id};
    $self->seen->{$id} = $whose;
    return 1;
}

# What went out to the bridge, as often as it went; no token is kept.
sub note_sent ($self, $job) {
    my $headers = $job->{headers};
    my $sent = {
        n => $self->serial($self->serial + 1)->serial, at => iso(), ms => now_ms(), method => $job->{method}, url => $job->{url},
        headers => { map { lc($_) => $headers->{$_} } grep { lc ne 'authorization' } keys %$headers },
        authorization => (defined $headers->{Authorization} ? 1 : 0), bytes => $job->{bytes}, status => 0,
    };
    my $all = $self->sent;
    push @$all, $sent;
    shift @$all if @$all > $self->config->{keep_calls};
    return $sent;
}

# A callback that went out; an answer must name it. Later sendings with the same id keep the first.
sub note_callback ($self, $id, %about) {
    return if !is_uuid($id);
    $self->seen->{$id} //= 'gateway';
    return $self->callbacks->{$id} //= { request_id => $id, sent_ms => now_ms(), %about };
}

1;
