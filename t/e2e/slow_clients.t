#!/usr/bin/env perl

# Slow, broken and hostile clients at every door: callbacks, the API, the facade and the status. All of
# them come at once, each on a connection of its own, and write just what is listed here, byte by
# byte if so wished. Each is answered in plain words or cut off; none leaves anything in the store or
# a file open in the worker, and whoever behaves is served meanwhile.

use strict;
use warnings;
use feature 'signatures';
use FindBin;
use lib "$FindBin::Bin/../lib";

use Compress::Zlib qw(compress memGzip);
use Errno qw(EAGAIN EINTR EWOULDBLOCK);
use IO::Select;
use IO::Socket::IP;
use Mojo::JSON qw(decode_json);
use Socket qw(SOL_SOCKET SO_LINGER);
use Test::ABDM;
use Test::More;
use Time::HiRes qw(sleep time);

Test::ABDM->need_module;

my $WAIT  = 6;     # the server's patience with a client that says nothing, in seconds
my $LIMIT = 90;    # for all of them together
my $plain = Test::ABDM::free_port();
my $t     = Test::ABDM->new(hmis => 0, http => [
    "client_header_timeout ${WAIT}s; client_body_timeout ${WAIT}s; keepalive_timeout ${WAIT}s; lingering_timeout 1s; lingering_time 2s;",
    'server {', "    listen 127.0.0.1:$plain;",
    '    location /abdm/ { abdm_callback; }', '    location /abdm/api/v1/ { abdm_api; }',
    '    location /nha/ { abdm_api nha; }', '    location = /status { abdm_status; }', '}',
])->start;
is $t->grant->{sent}{status}, 202, 'the keys are there';

my $token = $t->sim('/token', {})->{token};
my ($worker) = $t->workers;
my $calls = 0;

# ---- what they send -----------------------------------------------------------------------------

# The lines of a call that would pass, as [name, value]; more may be given, and undef takes one away.
sub lines_of (%more) {
    my @lines = (
        ['Host', '127.0.0.1'], ['Content-Type', 'application/json'], ['X-HIP-ID', $t->{hip}],
        ['REQUEST-ID', sprintf '00000000-0000-4000-9000-%012d', ++$calls], ['Authorization', "Bearer $token"], ['Connection', 'close'],
    );
    my %given = map { lc $_ => 1 } keys %more;
    return ((grep { !$given{ lc $_->[0] } } @lines), map { [$_, $more{$_}] } grep { defined $more{$_} } sort keys %more);
}

sub written ($first, @lines) { return join "\r\n", $first, (map { "$_->[0]: $_->[1]" } @lines), '', '' }

my %DOOR = (
    callback => 'POST /abdm/api/v3/elsewhere/notify HTTP/1.1',
    api      => 'POST /abdm/api/v1/care-contexts HTTP/1.1',
    nha      => 'POST /nha/v1/patients HTTP/1.1',
    status   => 'POST /status HTTP/1.1',
);

sub call ($door, $body, %more) {
    return written($DOOR{$door}, lines_of('Content-Length' => length $body, %more)) . $body;
}

sub good (%more) { return call(callback => '{}', %more) }

sub chunked ($door, $text, %more) {
    return written($DOOR{$door}, lines_of('Transfer-Encoding' => 'chunked', %more)) . $text;
}

# In so many pieces, over so many seconds.
sub dripping ($text, $pieces, $seconds) {
    my $size = int(length($text) / $pieces) || 1;
    my @parts = unpack "(a$size)*", $text;
    return map { ($parts[$_], [$seconds / @parts]) } 0 .. $#parts;
}

# [who, what comes back, what is sent...]: texts are sent, [SECONDS] waits, END closes this side for
# writing, GONE closes all, CUT resets the connection. What comes back: the statuses in order, with the
# code of the last; '' is nothing but the end; a pattern is what it may be.
my ($END, $GONE, $CUT) = \(my @marks = qw(end gone cut));

my $bomb = "\0" x 8_000_000;
my $many = join '', map { "1\r\n$_\r\n" } split //, '{"a":"' . 'x' x 300 . '"}';

# How a body may be announced: the same for each door that reads one.
sub framing ($door, $accepted) {
    return (
        ['a length and chunks',               '400', written($DOOR{$door}, lines_of('Content-Length' => 2, 'Transfer-Encoding' => 'chunked')) . "2\r\n{}\r\n0\r\n\r\n"],
        ['two lengths that differ',           '400', written($DOOR{$door}, lines_of('Content-Length' => 2), ['Content-Length', 3]) . '{} '],
        ['two lengths that agree',            '400', written($DOOR{$door}, lines_of('Content-Length' => 2), ['Content-Length', 2]) . '{}'],
        ['two lengths in one line',           '400', call($door, '{}', 'Content-Length' => '2, 2')],
        ['a length with a sign',              '400', call($door, '{}', 'Content-Length' => '+2')],
        ['a length below zero',               '400', call($door, '{}', 'Content-Length' => '-2')],
        ['a length in hexadecimal',           '400', call($door, '{}', 'Content-Length' => '0x2')],
        ['a length of twenty digits',         '400', call($door, '{}', 'Content-Length' => '9' x 20)],
        ['a length of exabytes',              '413 E_BODY_TOO_LARGE', call($door, '{}', 'Content-Length' => '9' x 18)],
        ['a space before the colon',          '400', call($door, '{}', 'Content-Length' => undef, 'Content-Length ' => 2)],
        ['chunked twice',                     '400', written($DOOR{$door}, lines_of('Transfer-Encoding' => 'chunked'), ['Transfer-Encoding', 'chunked']) . "0\r\n\r\n"],
        ['chunks that were compressed',       '501', written($DOOR{$door}, lines_of('Transfer-Encoding' => 'gzip, chunked')) . "0\r\n\r\n"],
        ['a coding that nobody knows',        '501', written($DOOR{$door}, lines_of('Transfer-Encoding' => 'xchunked')) . "2\r\n{}\r\n0\r\n\r\n"],
        ['a chunk without a number',          '400 E_REQUEST', chunked($door, "zz\r\n{}\r\n0\r\n\r\n")],
        ['a chunk below zero',                '400 E_REQUEST', chunked($door, "-2\r\n{}\r\n0\r\n\r\n")],
        ['a chunk of more than 64 bits',      '400 E_REQUEST', chunked($door, 'F' x 17 . "\r\n{}\r\n0\r\n\r\n")],
        ['a chunk of exabytes',               qr/\A4(?:00|13)\b/, chunked($door, '7' . 'F' x 15 . "\r\n{}")],
        ['a chunk longer than it says',       '400 E_REQUEST', chunked($door, "2\r\n{}}}\r\n0\r\n\r\n")],
        ['chunks that end too early',         qr/\A(?:400 E_REQUEST)?\z/, chunked($door, "2\r\n{}\r\n"), $END],
        ['chunks that never end',             '', chunked($door, "2\r\n{}\r\n")],
        ['a length that is never reached',    '', call($door, '{', 'Content-Length' => 1000)],
        ['a length that the end falsifies',   qr/\A(?:400 E_REQUEST)?\z/, call($door, '{', 'Content-Length' => 1000), $END],
        ['a connection reset in the body',    '', call($door, '{', 'Content-Length' => 1000), [0.2], $CUT],
        ['a connection closed in the body',   '', call($door, '{', 'Content-Length' => 1000), [0.2], $GONE],
        ['a connection reset in the chunks',  '', chunked($door, "2\r\n{}\r\n5\r\n"), [0.2], $CUT],
        ['gone before the answer',            '', $accepted ? () : (call($door, '{}'), $GONE)],
        ['no host',                           '400', call($door, '{}', Host => undef)],
        ['two hosts',                         '400', written($DOOR{$door}, lines_of('Content-Length' => 2), ['Host', 'elsewhere']) . '{}'],
        ['HTTP/1.0 with chunks',              '400', chunked($door, "2\r\n{}\r\n0\r\n\r\n") =~ s{ HTTP/1[.]1}{ HTTP/1.0}r],
        ['a version that there is not',       '505', call($door, '{}') =~ s{ HTTP/1[.]1}{ HTTP/3.1}r],
        ['a NUL in a header',                 '400', call($door, '{}', 'X-More' => "a\0b")],
        ['a header of 9 kB',                  '400', call($door, '{}', 'X-More' => 'x' x 9_000)],
        ['a thousand headers of 100 bytes',   '400', call($door, '{}', map { ("X-More-$_" => 'x' x 100) } 1 .. 1000)],
        ['a path of 10 kB',                   '414', call($door, '{}') =~ s{ HTTP}{'?' . 'x' x 10_000 . ' HTTP'}er],
        ['headers that never end',            '', dripping(substr(call($door, '{}'), 0, -8), 1000, 60)],
        ['headers without an end',            '', substr(call($door, '{}'), 0, -8)],
        ['headers that end too early',        '', substr(call($door, '{}'), 0, -8), $END],
        ['a connection reset in the headers', '', substr(call($door, '{}'), 0, 60), [0.2], $CUT],
    );
}

my %clients = (
    callback => [
        framing(callback => 1),
        ['a good call',                       '202', good()],
        ['headers that take a second',        '202', dripping(good(), 20, 1)],
        ['a body that takes a second',        '202', written($DOOR{callback}, lines_of('Content-Length' => 102)), dripping('{' . ' ' x 100 . '}', 20, 1)],
        ['a body that takes longer than the patience', '202', written($DOOR{callback}, lines_of('Content-Length' => 32)), dripping('{' . ' ' x 30 . '}', 16, $WAIT + 1)],
        ['chunks of one byte each',           '202', chunked(callback => "${many}0\r\n\r\n")],
        ['chunks with extensions and a trailer', '202', chunked(callback => "2;a=b\r\n{}\r\n0\r\nX-More: yes\r\n\r\n")],
        ['a body in chunks, too large',       '413 E_BODY_TOO_LARGE', chunked(callback => "493e0\r\n" . 'x' x 300_000 . "\r\n0\r\n\r\n")],
        ['a body, too large, as announced',   '413 E_BODY_TOO_LARGE', call(callback => 'x' x 300_000)],
        ['a length that is too short',        '400 E_JSON', call(callback => '{"a":1}', 'Content-Length' => 5)],
        ['a length shorter than what comes',  qr/\A202(?: 400)?\z/, good(Connection => 'keep-alive') . 'and more'],
        ['asks before it sends the body',     '100 202', written($DOOR{callback}, lines_of('Content-Length' => 2, Expect => '100-continue')), [0.3], '{}'],
        ['asks, and may not call',            '401 E_TOKEN_MISSING', written($DOOR{callback}, lines_of('Content-Length' => 2, Expect => '100-continue', Authorization => undef))],
        ['asks, and wants too much',          '413 E_BODY_TOO_LARGE', written($DOOR{callback}, lines_of('Content-Length' => 300_000, Expect => '100-continue'))],
        ['asks, and never sends',             '100', written($DOOR{callback}, lines_of('Content-Length' => 2, Expect => '100-continue'))],
        ['gzip',                              '415 E_ENCODING', call(callback => memGzip('{}'), 'Content-Encoding' => 'gzip')],
        ['deflate',                           '415 E_ENCODING', call(callback => compress('{}'), 'Content-Encoding' => 'deflate')],
        ['gzip and what it is not',           '415 E_ENCODING', call(callback => '{}', 'Content-Encoding' => 'identity, gzip')],
        ['gzip of 8 MB of zeros',             '415 E_ENCODING', call(callback => memGzip($bomb), 'Content-Encoding' => 'gzip')],
        ['gzip that is not announced',        '400 E_JSON', call(callback => memGzip('{}'))],
        ['a coding that changes nothing',     '202', call(callback => '{}', 'Content-Encoding' => 'identity')],
        ['three calls at once',               '202 202 202', good(Connection => 'keep-alive') . good(Connection => 'keep-alive') . good()],
        ['a good, a bad and a good one',      '202 401 202', good(Connection => 'keep-alive') . good(Connection => 'keep-alive', Authorization => 'Bearer x.y.z') . good()],
        ['three calls, and gone at once',     qr/\A[ 02]*\z/, good(Connection => 'keep-alive', 'Content-Encoding' => 'gzip') x 3, $GONE],
        ['HTTP/1.0',                          '202', good() =~ s{ HTTP/1[.]1}{ HTTP/1.0}r],
        ['HTTP/0.9',                          qr/\A(?:400)?\z/, "POST /abdm/api/v3/elsewhere/notify\r\n"],
        ['a preface of HTTP/2',               qr/\A(?:400|405|505)?\z/, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
        ['a handshake of TLS',                '400', pack('H*', '16030100a5010000a10303') . 'x' x 158, $END],
        ['an absolute target',                '202', good() =~ s{POST /}{POST http://127.0.0.1:$plain/}r],
        ['an absolute target elsewhere',      '202', good() =~ s{POST /}{POST http://elsewhere.example/}r],
        ['an asterisk for a target',          '400', good() =~ s{POST /\S+}{POST *}r],
        ['CONNECT',                           qr/\A(?:400|405)\z/, good() =~ s{POST /\S+}{CONNECT 127.0.0.1:443}r],
        ['a token of 7 kB',                   '401 E_TOKEN_FORM', good(Authorization => 'Bearer ' . 'x' x 7_000)],
        ['nothing at all',                    '', ''],
        ['nothing, and gone',                 '', $GONE],
        ['empty lines only',                  '', "\r\n" x 100],
        (map { ["silent, number $_", '', ''] } 1 .. 150),
    ],
    api => [
        framing(api => 0),
        ['gzip of 8 MB of zeros',             qr/\A4\d\d E_(?:JSON|ENCODING|CONTENT_TYPE)\z/, call(api => memGzip($bomb), 'Content-Encoding' => 'gzip')],
        ['a body that is too large',          '413 E_BODY_TOO_LARGE', call(api => 'x' x 1_100_000)],
        ['a body that takes a second',        qr/\A400 E_\w+\z/, written($DOOR{api}, lines_of('Content-Length' => 102)), dripping('{' . ' ' x 100 . '}', 20, 1)],
    ],
    nha    => [framing(nha => 0)],
    status => [grep { $_->[0] !~ /connection|closed|never|early|falsifies|chunk|exabytes|gone/ } framing(status => 0)],
);

# ---- the one who drives them --------------------------------------------------------------------

sub open_client ($door, $case) {
    my ($name, $want, @script) = @$case;
    my $socket = IO::Socket::IP->new(PeerHost => '127.0.0.1', PeerPort => $plain, Blocking => 1) or die "$name: $@\n";
    $socket->blocking(0);
    return { name => "$door: $name", want => $want, socket => $socket, script => [@script], due => 0, out => '', got => '' };
}

sub close_client ($c) { close delete $c->{socket} or diag "$c->{name}: close: $!"; return }

# The next steps of one whose time has come.
sub step ($c, $now) {
    while ($c->{socket} && $c->{out} eq '' && $now >= $c->{due} && @{ $c->{script} }) {
        my $next = shift @{ $c->{script} };
        if    (!ref $next)           { $c->{out} = $next }
        elsif (ref $next eq 'ARRAY') { $c->{due} = $now + $next->[0] }
        elsif ($next == $END)        { shutdown $c->{socket}, 1 }
        else {
            setsockopt $c->{socket}, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0 if $next == $CUT;
            close_client($c);
        }
    }
    return;
}

sub is_later { return $! == EAGAIN || $! == EWOULDBLOCK || $! == EINTR }

sub write_some ($c) {
    local $SIG{PIPE} = 'IGNORE';
    my $n = syswrite $c->{socket}, $c->{out};
    if    (defined $n)   { substr $c->{out}, 0, $n, '' }
    elsif (!is_later())  { $c->{out} = ''; $c->{script} = [] }    # cut off; what was answered may still be read
    return;
}

sub read_some ($c) {
    my $n = sysread $c->{socket}, $c->{got}, 65_536, length $c->{got};
    if (defined $n ? $n == 0 : !is_later()) { close_client($c) }
    return;
}

# All of them at once, until each has been answered and left, or cut off.
sub drive (@clients) {
    my $end = time + $LIMIT;
    while (my @open = grep { $_->{socket} } @clients) {
        my $now = time;
        last if $now > $end;
        step($_, $now) for @open;
        @open = grep { $_->{socket} } @open;
        my %by = map { fileno($_->{socket}) => $_ } @open;
        my ($in, $out) = (IO::Select->new(map { $_->{socket} } @open), IO::Select->new(map { $_->{socket} } grep { $_->{out} ne '' } @open));
        my ($readable, $writable) = IO::Select::select($in, $out, undef, 0.02);
        write_some($by{ fileno $_ }) for @{ $writable // [] };
        read_some($by{ fileno $_ }) for @{ $readable // [] };
    }
    return grep { $_->{socket} } @clients;
}

sub seen ($c) {
    my @statuses = $c->{got} =~ m{HTTP/1[.][01] (\d{3})}g;
    my ($last) = $c->{got} =~ /\r\n\r\n(\{[^\r\n]*\})\s*\z/;
    my $json = $last ? eval { decode_json($last) } : undef;
    my $code = $json && ref $json->{error} ? $json->{error}{code} // '' : '';
    return join ' ', @statuses, $code ? $code : ();
}

sub fits ($c) {
    my $got = seen($c);
    return $got =~ $c->{want} if ref $c->{want};
    return $got eq $c->{want} || $c->{want} =~ /\A[\d ]*\z/ && $got =~ s/ E_\w+\z//r eq $c->{want}
        || $c->{name} =~ /\Anha/ && $got eq $c->{want} =~ s/ E_\w+\z//r;    # its errors have a form of their own
}

# ---- what they must not leave behind -------------------------------------------------------------

sub files_of ($pid) {
    opendir my $dir, "/proc/$pid/fd" or die "/proc/$pid/fd: $!\n";
    my $n = grep { !/\A[.]/ } readdir $dir;
    closedir $dir or die "/proc/$pid/fd: $!\n";
    return $n;
}

sub memory_of ($pid) {
    open my $file, '<', "/proc/$pid/status" or die "/proc/$pid/status: $!\n";
    my ($kb) = map { /\AVmHWM:\s+(\d+) kB/ ? $1 : () } <$file>;
    close $file or die "/proc/$pid/status: $!\n";
    return $kb;
}

sub accepted { return $t->ua->get($t->url . '/abdm/status')->result->json->{callbacks}{accepted} }

my ($before, $open, $memory) = (accepted(), files_of($worker), memory_of($worker));

# One that behaves, every now and then, while the others are at it.
my $polite = fork // die "fork: $!\n";
if (!$polite) {
    my $slow = 0;
    for (1 .. 30) {
        my $begin  = time;
        my $socket = IO::Socket::IP->new(PeerHost => '127.0.0.1', PeerPort => $plain) or POSIX::_exit(2);
        print {$socket} "GET /status HTTP/1.0\r\n\r\n" or POSIX::_exit(2);
        my $answer = join '', <$socket>;
        POSIX::_exit(3) if $answer !~ m{\AHTTP/1[.]1 200};
        $slow++ if time - $begin > $WAIT;
        sleep 0.1;
    }
    POSIX::_exit($slow ? 1 : 0);
}

my @clients = map { my $door = $_; map { open_client($door, $_) } grep { @$_ > 2 } @{ $clients{$door} } } sort keys %clients;
my $start = time;
my @late  = drive(@clients);
note sprintf '%d clients in %.1f s', scalar @clients, time - $start;

is_deeply [map { $_->{name} } @late], [], 'every connection comes to its end';
for my $door (sort keys %clients) {
    my %wrong = map { ($_->{name} => seen($_) || 'nothing') } grep { $_->{name} =~ /\A$door:/ && !fits($_) } @clients;
    is_deeply \%wrong, {}, "$door: each is told, or cut off" or diag explain \%wrong;
}
waitpid $polite, 0;
is $? >> 8, 0, 'whoever behaves is served meanwhile, and need not wait until they are gone';

my $taken = grep { $_ eq '202' } map { split / /, seen($_) } @clients;
is accepted() - $before, $taken, "what was stored is what was answered with 202: $taken";
is_deeply [$t->workers], [$worker], 'the worker lives';
ok $t->wait_until(sub { files_of($worker) <= $open + 2 }, 10), 'and has no more files open than before' or diag "$open, now " . files_of($worker);
SKIP: {
    skip 'the sanitizer keeps what was freed', 1 if Test::ABDM::build_dir() =~ /asan/;
    cmp_ok memory_of($worker) - $memory, '<', 24_000, 'what they sent was not inflated in memory: kB';
}

$t->finish;
