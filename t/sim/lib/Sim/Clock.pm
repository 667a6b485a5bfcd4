package Sim::Clock;

# Times and ids as the gateway writes them: UTC with milliseconds and Z, lower-case UUIDs. now() is
# the simulator's own clock, which the control API can move; now_ms() is for measuring and never moves.

use Mojo::Base -strict, -signatures;
use Crypt::PRNG qw(random_bytes);
use Exporter 'import';
use POSIX qw(strftime);
use Time::HiRes qw(time);
use Time::Local qw(timegm_modern);

our @EXPORT_OK = qw(iso parse_iso new_uuid is_uuid now now_ms move_clock clock_moved);

my $UUID = qr/\A[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\z/;
my $ISO  = qr/\A(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)\.(\d{3})Z\z/;

my $moved = 0;

sub now () { return time + $moved }

sub now_ms () { return int(time * 1000) }

sub clock_moved () { return $moved }

sub move_clock ($seconds) { return $moved += $seconds }

sub iso ($seconds = now()) {
    my $ms = int($seconds * 1000 + 0.5);
    return strftime('%Y-%m-%dT%H:%M:%S', gmtime int($ms / 1000)) . sprintf '.%03dZ', $ms % 1000;
}

# Seconds since 1970, or nothing when the text is not exactly the gateway's form of a real time.
sub parse_iso ($text) {
    return if !defined $text || ref $text || $text !~ $ISO;
    my ($y, $mon, $d, $h, $min, $s, $ms) = ($1, $2, $3, $4, $5, $6, $7);
    my $seconds = eval { timegm_modern($s, $min, $h, $d, $mon - 1, $y) };
    return if !defined $seconds;
    return $seconds + $ms / 1000;
}

sub is_uuid ($text) { return defined $text && !ref $text && $text =~ $UUID }

sub new_uuid () {
    my $bytes = random_bytes(16);
    substr $bytes, 6, 1, chr(ord(substr $bytes, 6, 1) & 0x0F | 0x40);
    substr $bytes, 8, 1, chr(ord(substr $bytes, 8, 1) & 0x3F | 0x80);
    return join '-', unpack 'H8H4H4H4H12', $bytes;
}

1;
