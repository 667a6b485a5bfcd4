#!/usr/bin/perl

# Random records through the library and through CryptX, in both directions: what one side
# encrypts the other must read, and neither may send a secret that half of the peers misread.
# FIDELIUS_ROUNDS sets how many (2,000), FIDELIUS_PIPE where the helper is.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Crypt::PRNG qw(random_bytes irand);
use IPC::Open2 qw(open2);
use MIME::Base64 qw(encode_base64 decode_base64);
use Test::More;

use Fidelius ();

my $ROUNDS = $ENV{FIDELIUS_ROUNDS} // 2_000;
my ($pipe) = grep { -x }
    grep { defined } $ENV{FIDELIUS_PIPE},
    map { "$FindBin::Bin/../$_/tools/fidelius_pipe" } qw(build build/test build/asan);
plan skip_all => 'fidelius_pipe is not built' if !defined $pipe;
plan tests => 4;

my $pid = open2(my $from, my $to, $pipe);

sub ask {
    my (@words) = @_;
    print {$to} join(q{ }, @words), "\n" or die "fidelius_pipe: $!\n";
    $to->flush;
    my $line = <$from>;
    die "fidelius_pipe ended\n" if !defined $line;
    chomp $line;
    return length $line ? split(/ /, $line, -1) : q{};
}

sub b64 { my ($bytes) = @_; return encode_base64($bytes, q{}) }

# Mostly short, sometimes long enough for several chunks.
sub random_record {
    my ($round) = @_;
    my $length = $round % 100 == 0 ? irand() % 120_000 : irand() % 300;
    return $length == 0 ? q{} : random_bytes($length);
}

my %failed = (map { $_ => [] } qw(form library_to_perl perl_to_library));

for my $round (1 .. $ROUNDS) {
    my $pair  = Fidelius::new_key_pair();
    my $nonce = Fidelius::new_nonce();
    my $plain = random_record($round);

    # Every other record is read as peers do that drop leading zeros of the secret: the library
    # must not have used such a secret.
    my $own = b64($round % 3 ? $pair->{public_raw} : $pair->{x509});
    my ($key, $their_nonce, $content) = ask('encrypt', $own, b64($nonce), b64($plain));
    if (length $key != 412 || length $content != 4 * int((length($plain) + 18) / 3)) {
        push @{$failed{form}}, $round;
    }
    my $read = eval {
        Fidelius::decrypt($content, $pair, Fidelius::public_key_from_base64($key),
            decode_base64($their_nonce), $nonce, strip => $round % 2);
    };
    push @{$failed{library_to_perl}}, $round if !defined $read || $read ne $plain;

    ($key, $their_nonce) = ask('pair');
    $content = Fidelius::encrypt($plain, $pair, Fidelius::public_key_from_base64($key), $nonce,
        decode_base64($their_nonce), strip => $round % 2);
    my ($back) = ask('decrypt', $own, b64($nonce), $content);
    push @{$failed{perl_to_library}}, $round if $back ne b64($plain);
}

close $to;
waitpid $pid, 0;
is($?, 0, 'the helper ends well');
is_deeply($failed{form}, [], "$ROUNDS keys and contents of the library have their exact form");
is_deeply($failed{library_to_perl}, [],
    "$ROUNDS records of the library read in Perl, half of them with a stripped secret");
is_deeply($failed{perl_to_library}, [],
    "$ROUNDS records of Perl read in the library, half of them with a stripped secret");
