package Fidelius;

# ABDM's data encryption as the other side of an exchange does it: ECDH on the short
# Weierstrass form of Curve25519 (BouncyCastle's "curve25519"), HKDF-SHA256, AES-256-GCM.
# Made of CryptX alone and sharing nothing with lib/, so that the two check each other.
# Keys, nonces and plaintexts are bytes; what encrypt gives and decrypt takes is base64.
# Every function dies with a one-line message when an input is wrong.

use strict;
use warnings;

use Carp qw(croak);
use Crypt::AuthEnc::GCM qw(gcm_encrypt_authenticate gcm_decrypt_verify);
use Crypt::KeyDerivation qw(hkdf);
use Crypt::PK::ECC;
use Crypt::PRNG qw(random_bytes);
use Exporter qw(import);
use MIME::Base64 qw(encode_base64 decode_base64);

our @EXPORT_OK = qw(new_key_pair key_pair_from_private new_nonce public_key_from_base64
    public_key_raw shared_secret content_key encrypt decrypt strict_base64);

my %CURVE = (
    prime    => '7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffed',
    A        => '2aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa984914a144',
    B        => '7b425ed097b425ed097b425ed097b425ed097b425ed097b4260b5e9c7710c864',
    order    => '1000000000000000000000000000000014def9dea2f79cd65812631a5cf5d3ed',
    cofactor => 8,
    Gx       => '2aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaad245a',
    Gy       => '20ae19a1b8a086b4e01edd2c7748d14c923d4d7e6d7c61b229e9c5a27eced3d9',
);

# DER of SubjectPublicKeyInfo up to the point: id-ecPublicKey with the parameters above.
my $X509_PREFIX = pack 'H*', join q{},
    '308201313081ea06072a8648ce3d02013081de020101302b06072a8648ce3d01010220',
    $CURVE{prime}, '30440420', $CURVE{A}, '0420', $CURVE{B}, '044104', $CURVE{Gx}, $CURVE{Gy},
    '0220', $CURVE{order}, '020108034200';

# {private => 32 bytes, public_raw => 65 bytes, x509 => 309 bytes, key => object for reuse}
sub new_key_pair {
    my $key = Crypt::PK::ECC->new;
    $key->generate_key({%CURVE});
    return _pair($key);
}

# The pair of a private key given as 1..32 bytes, big endian.
sub key_pair_from_private {
    my ($bytes) = @_;
    $bytes =~ s/\A\0+//;
    croak 'private key: 1 to 32 significant bytes expected' if !length $bytes || length $bytes > 32;
    my $key = Crypt::PK::ECC->new;
    $key->import_key_raw(("\0" x (32 - length $bytes)) . $bytes, {%CURVE});
    return _pair($key);
}

sub _pair {
    my ($key)   = @_;
    my $private = $key->export_key_raw('private');
    my $public  = $key->export_key_raw('public');
    return {
        private    => ("\0" x (32 - length $private)) . $private,
        public_raw => $public,
        x509       => $X509_PREFIX . $public,
        key        => $key,
    };
}

sub new_nonce { return random_bytes(32) }

# Bytes of standard base64 with padding and nothing else in it.
sub strict_base64 {
    my ($text) = @_;
    croak 'base64 expected'
        if !defined $text
        || length($text) % 4
        || $text !~ m{\A[A-Za-z0-9+/]*={0,2}\z};
    my $bytes = decode_base64($text);
    croak 'base64 with stray bits' if encode_base64($bytes, q{}) ne $text;
    return $bytes;
}

# 65 bytes 04 || X || Y of a public key given raw or as X.509.
sub public_key_raw {
    my ($bytes) = @_;
    if (length $bytes == 309) {
        croak 'X.509 public key: not of this curve' if substr($bytes, 0, 244) ne $X509_PREFIX;
        $bytes = substr $bytes, 244;
    }
    croak 'public key: 65 bytes starting with 04 expected, or their X.509 form'
        if length $bytes != 65 || ord $bytes != 4;
    return $bytes;
}

sub public_key_from_base64 { my ($text) = @_; return public_key_raw(strict_base64($text)) }

# x-coordinate, always 32 bytes. The own side is a pair or the bytes of a private key.
sub shared_secret {
    my ($own, $public) = @_;
    my $key  = ref $own ? $own->{key} : key_pair_from_private($own)->{key};
    my $peer = Crypt::PK::ECC->new;
    $peer->import_key_raw(public_key_raw($public), {%CURVE});
    my $secret = $key->shared_secret($peer);
    return ("\0" x (32 - length $secret)) . $secret;
}

# (key, iv) of an exchange.
sub content_key {
    my ($secret, $sender_nonce, $requester_nonce) = @_;
    for ($sender_nonce, $requester_nonce) {
        croak 'nonce: 32 bytes expected' if length != 32;
    }
    # Copies: hkdf takes a substr given in place for an empty string.
    my ($salt, $iv) = unpack 'a20 a12', $sender_nonce ^ $requester_nonce;
    return (hkdf($secret, $salt, 'SHA256', 32, q{}), $iv);
}

# base64 of ciphertext and tag. The option strip => 1 drops leading zero bytes of the shared
# secret, as CARE, fidelius-go and hip-service do.
sub encrypt {
    my ($plain, $own, $peer_public, $sender_nonce, $requester_nonce, %option) = @_;
    my $secret = shared_secret($own, $peer_public);
    $secret =~ s/\A\0+// if $option{strip};
    my ($key, $iv) = content_key($secret, $sender_nonce, $requester_nonce);
    my ($body, $tag) = gcm_encrypt_authenticate('AES', $key, $iv, q{}, $plain);
    return encode_base64($body . $tag, q{});
}

# Bytes of what encrypt made; dies when the tag does not fit.
sub decrypt {
    my ($content, $own, $peer_public, $sender_nonce, $requester_nonce, %option) = @_;
    my $bytes = strict_base64($content);
    croak 'content: shorter than its tag' if length $bytes < 16;
    my $secret = shared_secret($own, $peer_public);
    $secret =~ s/\A\0+// if $option{strip};
    my ($key, $iv) = content_key($secret, $sender_nonce, $requester_nonce);
    my $tag   = substr $bytes, -16, 16, q{};
    my $plain = gcm_decrypt_verify('AES', $key, $iv, q{}, $bytes, $tag);
    croak 'content: the tag does not fit' if !defined $plain;
    return $plain;
}

1;
