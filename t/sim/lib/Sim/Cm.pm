package Sim::Cm;

# The consent manager and the requester: makes artefacts and data requests, and sends them to the
# bridge as the gateway does. Nothing blocks; every sending gives a promise of
# {status, body, headers, ms, request_id} (status 0 when no answer came).

use Mojo::Base -base, -signatures;
use Cpanel::JSON::XS ();
use Crypt::PRNG qw(random_bytes random_bytes_hex);
use Fidelius ();
use IO::Socket::SSL ();
use MIME::Base64 qw(encode_base64);
use Mojo::IOLoop;
use Mojo::Promise;
use Mojo::UserAgent;
use Sim::Clock qw(iso new_uuid now now_ms);
use Sim::FastKeys ();

my $JSON     = Cpanel::JSON::XS->new->utf8->canonical;
my $DAY      = 86_400;
my @HI_TYPES = qw(OPConsultation Prescription DischargeSummary DiagnosticReport ImmunizationRecord
    HealthDocumentRecord WellnessRecord Invoice);

our $CONSENT_PATH = '/api/v3/consent/request/hip/notify';
our $REQUEST_PATH = '/api/v3/hip/health-information/request';

has [qw(state ca)];
has ua => sub ($self) {
    my $ua = Mojo::UserAgent->new(max_connections => 500, max_redirects => 0, connect_timeout => 10,
        inactivity_timeout => 60);
    # One TLS context for all connections: reading the CA for each is slow.
    $ua->tls_options({ SSL_reuse_ctx => IO::Socket::SSL::SSL_Context->new(
        SSL_ca_file => $self->ca, SSL_verify_mode => IO::Socket::SSL::SSL_VERIFY_PEER()) });
    $ua->transactor->name('ReactorNetty/1.1.19');
    return $ua;
};
has key_pool => sub { [] };
has under_way => 0;             # callbacks sent and not yet taken
has waiting   => sub { [] };    # those for which there was no connection yet

# RFC 7396: null deletes.
sub merge ($base, $patch) {
    return $patch if ref $patch ne 'HASH';
    my %merged = ref $base eq 'HASH' ? %$base : ();
    for my $name (keys %$patch) {
        if   (defined $patch->{$name}) { $merged{$name} = merge($merged{$name}, $patch->{$name}) }
        else                           { delete $merged{$name} }
    }
    return \%merged;
}

# Wishes, all optional: patient, patient_reference, contexts (references, or objects of the
# artefact), hi_types, hip, from, to, erase_at, consent_id, detail (patch over the artefact).
sub new_consent ($self, $wish = {}) {
    my $state = $self->state;
    my $now   = now();
    my $id    = $wish->{consent_id} // new_uuid();
    my $hip   = $wish->{hip}        // (sort keys %{ $state->config->{hips} })[0];
    my $whose = $wish->{patient_reference} // 'UH100231';
    my @contexts = map { ref ? $_ : { patientReference => $whose, careContextReference => $_ } }
        @{ $wish->{contexts} // ['OPD-26-0771'] };
    my $detail = {
        schemaVersion => 'v3', consentId => $id, createdAt => iso($now), lastUpdated => iso($now),
        patient => { id => $wish->{patient} // 'asha.k@sbx' }, careContexts => \@contexts,
        purpose => { text => 'Care Management', code => 'CAREMGT', refUri => 'http://terminology.hl7.org/ValueSet/v3-PurposeOfUse' },
        hip => { id => $hip, name => $state->config->{hips}{$hip} // 'Unknown', type => 'HIP' },
        hiu => { id => 'IN0880005678_1', name => 'Simulated HIU' },
        consentManager => { id => $state->config->{cm_id} },
        requester => { name => 'Dr. Simulated', identifier => { type => 'REGNO', value => 'XX0001', system => 'https://example.org' } },
        hiTypes => $wish->{hi_types} // [@HI_TYPES],
        permission => {
            accessMode => 'VIEW', dataEraseAt => $wish->{erase_at} // iso($now + 30 * $DAY),
            dateRange => { from => $wish->{from} // '2020-01-01T00:00:00.000Z', to => $wish->{to} // iso($now) },
            frequency => { unit => 'HOUR', value => 1, repeats => 0 },
        },
    };
    $detail = merge($detail, $wish->{detail}) if $wish->{detail};
    return $state->consents->{$id} = {
        consent_id => $id, detail => $detail, hip => $hip, status => 'REQUESTED', acks => [],
        signature => encode_base64(random_bytes(256), ''),
    };
}

# Tells the bridge of a consent's state. Wishes: body (patch), and those of send_callback.
sub notify_consent ($self, $consent, $status, $wish = {}) {
    $consent->{status}   = $status;
    $consent->{ended_ms} = now_ms() if $status =~ /\A(?:REVOKED|EXPIRED)\z/;
    my $body = { notification => {
        status => $status, consentId => $consent->{consent_id}, grantAcknowledgement => Cpanel::JSON::XS::false,
        ($status eq 'GRANTED' ? (consentDetail => $consent->{detail}, signature => $consent->{signature}) : ()),
    } };
    return $self->send_callback({
        %$wish, path => $wish->{path} // $CONSENT_PATH, body => merge($body, $wish->{body} // {}),
        hip => $wish->{hip} // $consent->{hip},
        about => { kind => 'consent', consent_id => $consent->{consent_id}, status => $status },
    });
}

# A new transfer and its data request, not sent. Wishes: from, to, push_url, key_form (raw, x509),
# key_expiry, transaction_id, body (patch over the whole request), consent_id (another one's).
sub new_transfer ($self, $consent, $wish = {}) {
    my $state = $self->state;
    my $own   = $self->_own_keys;
    my $slug  = '/hiu/push/' . random_bytes_hex(16);
    my $query = 't=' . random_bytes_hex(8);
    my $id    = $wish->{transaction_id} // new_uuid();
    my $range = $consent->{detail}{permission}{dateRange} // {};
    my $key   = $own->{pair}{ ($wish->{key_form} // 'raw') eq 'x509' ? 'x509' : 'public_raw' };
    my $transfer = {
        transaction_id => $id, consent_id => $consent->{consent_id}, hip => $consent->{hip}, own => $own,
        contexts => [map { $_->{careContextReference} } @{ $consent->{detail}{careContexts} // [] }],
        hi_types => $consent->{detail}{hiTypes} // [], pages => {}, query => $query, push_path => $slug, sent_at => now(),
    };
    my $body = {
        requestId => '', timestamp => '', transactionId => $id,
        hiRequest => {
            consent     => { id => $wish->{consent_id} // $consent->{consent_id} },
            dateRange   => { from => $wish->{from} // $range->{from}, to => $wish->{to} // $range->{to} },
            dataPushUrl => $wish->{push_url} // $state->public_url . "$slug?$query",
            keyMaterial => {
                cryptoAlg   => 'ECDH', curve => $own->{curve},
                dhPublicKey => {
                    expiry => $wish->{key_expiry} // iso(now() + $DAY), parameters => 'Curve25519/32byte random key',
                    keyValue => encode_base64($key, ''),
                },
                nonce => encode_base64($own->{nonce}, ''),
            },
        },
    };
    $transfer->{body} = $wish->{body} ? merge($body, $wish->{body}) : $body;
    $state->transfers->{$id}   = $transfer;
    $state->pushes->{$slug}    = $transfer;
    return $transfer;
}

sub request_data ($self, $transfer, $wish = {}) {
    return $self->send_callback({
        %$wish, path => $wish->{path} // $REQUEST_PATH, body => $transfer->{body}, hip => $wish->{hip} // $transfer->{hip},
        about => { kind => 'request', transaction_id => $transfer->{transaction_id}, consent_id => $transfer->{consent_id} },
    })->then(sub ($got) {
        @$transfer{qw(request_id status accepted_ms)} = (@$got{qw(request_id status)}, $got->{accepted_ms});
        return $got;
    });
}

# Key pairs cost about two milliseconds; cheap_keys takes them from a small pool, with new nonces,
# and decrypts by X25519.
sub _own_keys ($self) {
    my $pool = $self->key_pool;
    my $cheap = $self->state->config->{cheap_keys};
    if ($cheap) { push @$pool, Sim::FastKeys::new_pair() while @$pool < 16 }
    my $pair = $cheap ? $pool->[rand @$pool] : Fidelius::new_key_pair();
    return { pair => $pair, nonce => Fidelius::new_nonce(), curve => 'Curve25519' };
}

# Sends one callback. Wishes: path, method, body (structure) or raw_body, headers (null removes),
# hip, token (options of Sim::Keys; false: none; a string: as given), request_id, retry (redeliver
# non-2xx with the same headers), about (what an answer to it will be checked against).
sub send_callback ($self, $wish) {
    my $state   = $self->state;
    my $id      = $wish->{request_id} // $state->fresh_id('gateway');
    my $headers = $self->_headers($wish, $id);
    my $bytes   = $wish->{raw_body} // (defined $wish->{body} ? $JSON->encode($wish->{body}) : '');
    my $about   = $wish->{about} // _guess($wish);
    my $callback = $state->note_callback($id, hip => $headers->{'X-HIP-ID'}, %$about);
    my $url      = $wish->{url} // $state->config->{bridge_url} . $wish->{path};
    return $self->_deliver({
        method => $wish->{method} // 'POST', url => $url, headers => $headers, bytes => $bytes,
        id => $id, callback => $callback // {}, retry => $wish->{retry}, tries => 0,
    });
}

# Sends when a connection is free, as the real gateway has only so many of them.
sub _deliver ($self, $job) {
    my $config  = $self->state->config;
    my $promise = $job->{promise} //= Mojo::Promise->new;
    if ($self->under_way >= $config->{callback_connections}) {
        push @{ $self->waiting }, $job;
        return $promise;
    }
    $self->under_way($self->under_way + 1);
    my $start = now_ms();
    my $sent  = $self->state->note_sent($job);
    $self->ua->start($self->ua->build_tx(@$job{qw(method url headers bytes)}) => sub ($ua, $tx) {
        $self->under_way($self->under_way - 1);
        my $next = shift @{ $self->waiting };
        $self->_deliver($next) if $next;
        my $error = $tx->error;
        my $lost  = $error && !$error->{code};
        my $got   = _result($job, $lost ? (0, undef) : ($tx->res->code // 0, $tx->res), now_ms() - $start);
        $got->{error} = $error->{message} if $lost;
        $job->{tries}++;
        @$sent{qw(status answer)} = @$got{qw(status body)};
        $self->state->count("callback_$got->{status}");
        return $promise->resolve($got) if $got->{status} =~ /\A2/ || !$job->{retry} || $job->{tries} > $config->{redeliver_max};
        $self->state->count('redelivered');
        Mojo::IOLoop->timer($config->{redeliver_ms} / 1000 => sub { $self->_deliver($job) });
    });
    return $promise;
}

sub _result ($job, $status, $res, $ms) {
    my $callback = $job->{callback};
    if ($status =~ /\A2/) { $callback->{accepted_ms} //= now_ms() }
    return {
        status => $status, ms => $ms, request_id => $job->{id}, tries => $job->{tries} + 1,
        accepted_ms => $callback->{accepted_ms},
        ($res ? (body => $res->text // '', headers => $res->headers->to_hash) : ()),
    };
}

sub _headers ($self, $wish, $id) {
    my $token = exists $wish->{token} ? $wish->{token} : {};
    my %headers = (
        'REQUEST-ID' => $id, 'TIMESTAMP' => iso(), 'Content-Type' => 'application/json', 'Accept' => '*/*',
        'Accept-Encoding' => 'gzip', 'X-Request-Id' => new_uuid(), 'X-B3-TraceId' => random_bytes_hex(16),
        'X-B3-SpanId' => random_bytes_hex(8), 'X-B3-Sampled' => '0', 'X-Envoy-Attempt-Count' => '1',
    );
    $headers{'X-HIP-ID'}    = $wish->{hip} // (sort keys %{ $self->state->config->{hips} })[0];
    $headers{Authorization} = 'Bearer ' . (ref $token ? $self->state->keys->callback_token($token) : $token) if $token;
    my $change = $wish->{headers} // {};
    for my $name (keys %$change) {
        if   (defined $change->{$name}) { $headers{$name} = $change->{$name} }
        else                            { delete $headers{$name} }
    }
    return \%headers;
}

my %KIND = (
    'hip/patient/care-context/discover' => 'discover', 'hip/link/care-context/init' => 'init',
    'hip/link/care-context/confirm' => 'confirm', 'hip/patient/share' => 'share', 'patients/status/notify' => 'status',
    'users/auth/notify' => 'auth',
);

# What a raw callback is about, so that the answers to it can be judged.
sub _guess ($wish) {
    my $body = ref $wish->{body} eq 'HASH' ? $wish->{body} : {};
    for my $end (keys %KIND) {
        return { kind => $KIND{$end} } if ($wish->{path} // '') =~ m{/\Q$end\E/?\z};
    }
    return { kind => 'consent', consent_id => $body->{notification}{consentId}, status => $body->{notification}{status} }
        if ($wish->{path} // '') =~ m{/consent/request/hip/notify/?\z};
    return { kind => 'request', transaction_id => $body->{transactionId}, consent_id => $body->{hiRequest}{consent}{id} }
        if ($wish->{path} // '') =~ m{/hip/health-information/request/?\z};
    return { kind => 'other' };
}

1;
