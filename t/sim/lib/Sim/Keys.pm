package Sim::Keys;

# The gateway's signing keys, its JWKS, and every token it makes: session tokens for bridges,
# bearers for callbacks, and wrong ones on demand.

use Mojo::Base -base, -signatures;
use Cpanel::JSON::XS ();
use Crypt::Digest::SHA1 qw(sha1);
use Crypt::Digest::SHA256 qw(sha256);
use Crypt::Mac::HMAC qw(hmac);
use Crypt::PK::RSA;
use Crypt::PRNG qw(random_bytes);
use MIME::Base64 qw(encode_base64 encode_base64url);
use Sim::Clock qw(new_uuid now);

my $JSON = Cpanel::JSON::XS->new->utf8->canonical;

has 'issuer';
has 'client_id';
has seconds => 1200;
has keys    => sub ($self) { [_new_key('RS256'), _new_key('RS512')] };
has other   => sub ($self) { _new_key('RS256') };
has cached  => sub { {} };

sub rotate ($self) {
    $self->keys([_new_key('RS256'), _new_key('RS512')])->cached({});
    return;
}

sub jwks ($self) { return { keys => [map { $_->{jwk} } @{ $self->keys }] } }

sub session_token ($self, $seconds = $self->seconds) {
    my $id = $self->client_id;
    return $self->_sign($self->keys->[0], $self->_claims($id, $seconds, [qw(hip hiu bridge)]), {});
}

sub refresh_token ($self) {
    return $self->_sign($self->keys->[0], $self->_claims($self->client_id, 1800, []), { alg => 'HS256' });
}

# A link token. $cheap: with random bytes for a signature, since signing takes most of the time and a
# bridge has nothing to verify it with.
sub link_token ($self, $claims, $cheap = 0) {
    return $self->_sign($self->keys->[1], $claims, { kid => undef }) if !$cheap;
    return join '.', map { encode_base64url($_) } '{"alg":"RS512","typ":"JWT"}', $JSON->encode($claims), random_bytes(256);
}

# The bearer of a callback. The real gateway keeps one token for minutes, so do we. Options make
# it wrong: azp, roles, iss, aud, claims (merged; null deletes), own (a bridge's token), expired_by,
# expires_in, alg (RS256 RS512 HS256 none), kid, key ("other", or 1 for the RS512 key), header
# (merged into the JWT's own; null deletes), tamper.
sub callback_token ($self, $option = {}) {
    my $name = $JSON->encode($option);
    my $kept = $self->cached->{$name};
    return $kept->{token} if $kept && $kept->{from} <= now() && now() < $kept->{until};
    my $life  = $option->{expires_in} // (defined $option->{expired_by} ? -$option->{expired_by} : $self->seconds);
    my $azp   = $option->{azp}   // ($option->{own} ? $self->client_id : 'gateway');
    my $roles = $option->{roles} // ($option->{own} ? [qw(hip hiu bridge)] : [qw(gateway OIDC)]);
    my $claims = $self->_claims($azp, $life, $roles);
    $claims->{aud} = 'account';
    for my $name (qw(iss aud)) { $claims->{$name} = $option->{$name} if exists $option->{$name} }
    my %extra = %{ $option->{claims} // {} };
    for my $claim (keys %extra) {
        if   (defined $extra{$claim}) { $claims->{$claim} = $extra{$claim} }
        else                          { delete $claims->{$claim} }
    }
    my $which = $option->{key} // 0;
    my $key   = $which eq 'other' ? $self->other : $self->keys->[$which];
    my $token = $self->_sign($key, $claims, $option);
    $token = _tamper($token) if $option->{tamper};
    $self->cached->{$name} = { token => $token, from => now(), until => now() + 60 };
    return $token;
}

sub _claims ($self, $client, $life, $roles) {
    my $now = int now();
    my $issued = $life < 0 ? $now + $life - $self->seconds : $now;
    return {
        exp => $now + $life, iat => $issued, jti => new_uuid(), sub => new_uuid(),
        session_state => new_uuid(), iss => $self->issuer, aud => ['account', $client],
        typ => 'Bearer', azp => $client, clientId => $client, acr => '1',
        'allowed-origins' => ['http://localhost:9007'], realm_access => { roles => $roles },
        resource_access => { account => { roles => ['view-profile'] } },
        scope => 'openid email profile', clientHost => '127.0.0.1', clientAddress => '127.0.0.1',
        preferred_username => 'service-account-' . lc $client, email_verified => Cpanel::JSON::XS::false,
    };
}

sub _sign ($self, $key, $claims, $option) {
    my $alg    = $option->{alg} // $key->{alg};
    my $header = { alg => $alg, typ => 'JWT', kid => $option->{kid} // $key->{jwk}{kid} };
    delete $header->{kid} if exists $option->{kid} && !defined $option->{kid};
    my %more = %{ $option->{header} // {} };
    for my $name (keys %more) {
        if   (defined $more{$name}) { $header->{$name} = $more{$name} }
        else                        { delete $header->{$name} }
    }
    my $data = join '.', map { encode_base64url($JSON->encode($_)) } $header, $claims;
    my $signature
        = $alg eq 'none'  ? ''
        : $alg eq 'HS256' ? hmac('SHA256', $key->{rsa}->export_key_pem('public_x509'), $data)
        :                   $key->{rsa}->sign_message($data, $alg eq 'RS512' ? 'SHA512' : 'SHA256', 'v1.5');
    return $data . '.' . encode_base64url($signature);
}

# Changes one claim without signing again.
sub _tamper ($token) {
    my ($header, $claims, $signature) = split /[.]/, $token;
    my $changed = $JSON->decode(MIME::Base64::decode_base64url($claims));
    $changed->{exp} += 1;
    return join '.', $header, encode_base64url($JSON->encode($changed)), $signature;
}

sub _new_key ($alg) {
    my $rsa = Crypt::PK::RSA->new;
    $rsa->generate_key(256);
    my $hash = $rsa->key2hash;
    my $der  = $rsa->export_key_der('public_x509');
    my ($n, $e) = map { encode_base64url(pack 'H*', length($_) % 2 ? "0$_" : $_) } @$hash{qw(N e)};
    return {
        rsa => $rsa, alg => $alg,
        jwk => {
            kid => encode_base64url(random_bytes(32)), kty => 'RSA', use => 'sig', alg => $alg,
            n => $n, e => $e, x5c => [encode_base64($der, '')],
            x5t => encode_base64url(sha1($der)), x5t2 => encode_base64url(sha256($der)),
        },
    };
}

1;
