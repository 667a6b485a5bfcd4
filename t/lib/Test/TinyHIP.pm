package Test::TinyHIP;

# The smallest HIP that can talk to the simulator: it takes callbacks over TLS, and makes each call
# by the protocol unless it is told to change something. Used to show that the simulator notices.

use Mojo::Base -base, -signatures;
use Cpanel::JSON::XS ();
use Digest::MD5 qw(md5);
use Fidelius ();
use MIME::Base64 qw(decode_base64 encode_base64);
use Mojo::IOLoop;
use Mojo::Server::Daemon;
use Mojo::UserAgent;
use Mojolicious;
use Sim::Clock qw(iso new_uuid);
use Sim::Cm;

my $JSON = Cpanel::JSON::XS->new->utf8->canonical;
my %PATH = (
    session    => '/api/hiecm/gateway/v3/sessions',
    certs      => '/api/hiecm/gateway/v3/certs',
    on_notify  => '/api/hiecm/consent/v3/request/hip/on-notify',
    on_request => '/api/hiecm/data-flow/v3/health-information/hip/on-request',
    notify     => '/api/hiecm/data-flow/v3/health-information/notify',
);

has [qw(sim_url certs port token daemon)];
has hip      => 'IN0990001234_1';
has received => sub { [] };
has status   => 202;
has 'on_callback';    # called with each callback, after it was noted
has ua => sub ($self) { Mojo::UserAgent->new(ca => $self->certs . '/ca.pem', max_response_size => 0) };

sub serve ($self) {
    my $app = Mojolicious->new(mode => 'production');
    $app->log->level('fatal');
    $app->routes->post('/*rest' => sub ($c) {
        push @{ $self->received },
            { path => $c->req->url->path->to_string, headers => $c->req->headers, body => $JSON->decode($c->req->body) };
        $c->render(data => '', status => $self->status);
        $self->on_callback->($self->received->[-1]) if $self->on_callback && $self->status == 202;
    });
    my $dir = $self->certs;
    my $listen = 'https://127.0.0.1:' . $self->port . "?cert=$dir/server.pem&key=$dir/server.key";
    $self->daemon(Mojo::Server::Daemon->new(app => $app, silent => 1, listen => [$listen])->start);
    return $self;
}

# A control call, without blocking the loop on which the callbacks come in.
sub sim ($self, $path, $body = undef) {
    my $url = $self->sim_url . "/_sim$path";
    my $tx  = $body ? $self->ua->build_tx(POST => $url => json => $body) : $self->ua->build_tx(GET => $url);
    return $self->_run($tx)->json;
}

sub _run ($self, $tx) {
    my $res;
    $self->ua->start_p($tx)->then(sub ($done) { $res = $done->res })
        ->catch(sub ($error) { $res = Mojo::Message::Response->new(code => 599)->body("$error") })->wait;
    return $res;
}

sub last_callback ($self, $kind) {
    my ($found) = grep { $_->{path} =~ /$kind/ } reverse @{ $self->received };
    return $found;
}

# Sends a message. Changes: headers (null removes; a list repeats), body (patch), raw, path, method,
# query.
sub call ($self, $kind, $body, %change) { return $self->_run($self->message($kind, $body, %change)) }

# The same without waiting for the answer: a promise.
sub call_p ($self, $kind, $body, %change) { return $self->ua->start_p($self->message($kind, $body, %change)) }

sub message ($self, $kind, $body, %change) {
    my %headers = (
        'REQUEST-ID' => new_uuid(), TIMESTAMP => iso(), 'X-CM-ID' => 'sbx', 'X-HIP-ID' => $self->hip,
        'Content-Type' => 'application/json',
        ($kind eq 'session' ? () : (Authorization => 'Bearer ' . ($self->token // 'none'))),
        %{ $change{headers} // {} },
    );
    my $url = $self->sim_url . ($change{path} // $PATH{$kind}) . ($change{query} // '');
    $body = Sim::Cm::merge($body, $change{body}) if $change{body};
    my $bytes = $change{raw} // (defined $body ? $JSON->encode($body) : '');
    my $tx = $self->ua->build_tx(($change{method} // ($kind eq 'certs' ? 'GET' : 'POST')) => $url => $bytes);
    for my $name (keys %headers) {
        my $value = $headers{$name};
        next if !defined $value;
        $tx->req->headers->add($name => $_) for ref $value ? @$value : $value;
    }
    return $tx;
}

sub log_in ($self, %change) {
    my $res = $self->call(session => {
        clientId => 'SBXID_000001', clientSecret => 'simulator-secret', grantType => 'client_credentials' }, %change);
    $self->token($res->json->{accessToken}) if $res->code == 200;
    return $res;
}

sub on_notify ($self, %change) {
    my $callback = $self->last_callback('consent/request/hip/notify');
    return $self->call(on_notify => {
        acknowledgement => { status => 'OK', consentId => $callback->{body}{notification}{consentId} },
        response => { requestId => $callback->{headers}->header('REQUEST-ID') } }, %change);
}

sub on_request ($self, %change) {
    my $callback = $self->last_callback('health-information/request');
    return $self->call(on_request => {
        hiRequest => { transactionId => $callback->{body}{transactionId}, sessionStatus => 'ACKNOWLEDGED' },
        response => { requestId => $callback->{headers}->header('REQUEST-ID') } }, %change);
}

# Pushes one page. Changes: those of call, and plain, context, number, count, pair, nonce, spoil
# (flips a bit of the ciphertext).
sub push_page ($self, %change) {
    my $asked    = $self->last_callback('health-information/request')->{body};
    my $material = $asked->{hiRequest}{keyMaterial};
    my $pair     = $change{pair}  // Fidelius::new_key_pair();
    my $nonce    = $change{nonce} // Fidelius::new_nonce();
    my $plain    = $change{plain};
    my $content  = Fidelius::encrypt($plain, $pair, Fidelius::public_key_from_base64($material->{dhPublicKey}{keyValue}),
        $nonce, decode_base64($material->{nonce}));
    if ($change{spoil}) {
        my $bytes = decode_base64($content);
        substr $bytes, 3, 1, chr(ord(substr $bytes, 3, 1) ^ 1);
        $content = encode_base64($bytes, '');
    }
    my $body = {
        pageNumber => $change{number} // 0, pageCount => $change{count} // 1, transactionId => $asked->{transactionId},
        entries => [{ content => $content, media => 'application/fhir+json', checksum => encode_base64(md5($plain), ''),
            careContextReference => $change{context}, %{ $change{entry} // {} } }],
        keyMaterial => {
            cryptoAlg => 'ECDH', curve => $material->{curve}, nonce => encode_base64($nonce, ''),
            dhPublicKey => { expiry => iso(time + 3600), parameters => 'Curve25519/32byte random key',
                keyValue => encode_base64($pair->{x509}, '') },
        },
    };
    my ($path, $query) = $asked->{hiRequest}{dataPushUrl} =~ m{\Ahttps://[^/]+([^?]+)(\?.*)\z};
    my %headers = (map({ $_ => undef } qw(Authorization REQUEST-ID TIMESTAMP X-CM-ID X-HIP-ID)), %{ $change{headers} // {} });
    return $self->call(push => $body, path => $path, query => $query, %change, headers => \%headers);
}

sub notify ($self, %change) {
    my $asked = $self->last_callback('health-information/request')->{body};
    my $rows  = $change{rows} // [map { { careContextReference => $_, hiStatus => 'DELIVERED', description => 'pushed' } }
        @{ $change{contexts} }];
    return $self->call(notify => { notification => {
        consentId => $asked->{hiRequest}{consent}{id}, transactionId => $asked->{transactionId}, doneAt => iso(),
        notifier => { type => 'HIP', id => $self->hip },
        statusNotification => { sessionStatus => $change{word} // 'TRANSFERRED', hipId => $self->hip, statusResponses => $rows },
    } }, %change);
}

1;
