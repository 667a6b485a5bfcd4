#!/usr/bin/env perl

# The posters of `abdm qr` say what they should, read by another's eyes (zbar), and what ABDM would
# not take is refused. ABDM_BIN names another binary than build/abdm.

use strict;
use warnings;
use feature 'signatures';
use utf8;

use File::Temp qw(tempdir);
use FindBin;
use Test::More;

my ($abdm) = grep { -x }
    grep { defined } $ENV{ABDM_BIN},
    map { "$FindBin::Bin/../$_/abdm" } qw(build build/test build/asan);
plan skip_all => 'abdm is not built' if !defined $abdm;

my $dir = tempdir(CLEANUP => 1);

sub has ($tool) { return grep { -x "$_/$tool" } split /:/, $ENV{PATH} }

sub slurp ($path) {
    open my $file, '<:raw', $path or die "$path: $!\n";
    my $bytes = do { local $/ = undef; <$file> };
    close $file or die "$path: $!\n";
    return $bytes // '';
}

# Exit status, what was printed, what was complained.
sub poster (@arguments) {
    my $pid = fork // die "fork: $!\n";
    if (!$pid) {
        open STDOUT, '>', "$dir/out" or exit 126;
        open STDERR, '>', "$dir/err" or exit 126;
        utf8::encode($_) for grep { utf8::is_utf8($_) } @arguments;
        exec {$abdm} $abdm, 'qr', @arguments or exit 127;
    }
    waitpid $pid, 0;
    return ($? >> 8, slurp("$dir/out"), slurp("$dir/err"));
}

# What the code in a picture says.
sub scanned ($picture) {
    open my $zbar, '-|', 'zbarimg', '-q', '--nodbus', '--raw', $picture or die "zbarimg: $!\n";
    my $said = do { local $/ = undef; <$zbar> } // '';
    close $zbar or return 'nothing';
    chomp $said;
    return $said;
}

sub drawn ($svg, $picture, $width) {
    system('rsvg-convert', '-w', $width, '-o', $picture, $svg) == 0 or die "rsvg-convert failed\n";
    return $picture;
}

# The squares of the poster's path, as rows of 0 and 1.
sub squares ($svg) {
    my ($path) = $svg =~ /<path id="code"[^>]* d="([^"]+)"/ or return;
    my @rows;
    while ($path =~ /M(\d+) (\d+)h(\d+)v1h-\3z/g) {
        for my $x ($1 .. $1 + $3 - 1) { $rows[$2][$x] = 1 }
    }
    return \@rows;
}

my @COUNTER = ('IN0990001234_1', 'OPD1');
my $SAYS    = 'https://phrsbx.abdm.gov.in/share-profile?hip-id=IN0990001234_1&counter-id=OPD1';
my $HINDI   = 'पंजीकरण <काउंटर> "1" & 2';
my @NAMED   = ('--name', 'Shri Venkateshwara Multi-Speciality Hospital & Medical Research Centre, Tirunelveli', '--title', $HINDI);

subtest 'a PNG is the code with a margin, sharp enough to print' => sub {
    my ($status, $out, $err) = poster(@COUNTER, '--format', 'png', '-o', "$dir/code.png");
    is $status, 0, 'made' or diag $err;
    is "$out$err", '', 'silently';
    my ($width, $height) = unpack 'x16 N N', slurp("$dir/code.png");
    is $width, $height, 'a square';
    cmp_ok $width, '>=', 10 * (21 + 8), 'ten pixels a module at least';
    SKIP: {
        skip 'no zbarimg', 1 if !has('zbarimg');
        is scanned("$dir/code.png"), $SAYS, 'it leads to the counter';
    }
    is((poster(@COUNTER, '--format', 'png'))[1], slurp("$dir/code.png"), 'standard output has the same');
};

subtest 'the poster can be scanned from A4, from a small print, and far away' => sub {
    my ($status) = poster(@COUNTER, @NAMED, '-o', "$dir/poster.svg");
    is $status, 0, 'made';
    my $rows = squares(slurp("$dir/poster.svg"));
    ok $rows && !grep({ defined } map { @{ $_ // [] }[0 .. 3] } @$rows[4 .. $#$rows]), 'a margin of four modules';
    SKIP: {
        skip 'no zbarimg or rsvg-convert', 3 if !has('zbarimg') || !has('rsvg-convert');
        for my $width (2480, 600, 350) {
            is scanned(drawn("$dir/poster.svg", "$dir/poster.png", $width)), $SAYS, "at $width pixels";
        }
    }
};

subtest 'the poster names the hospital and the counter as they are written' => sub {
    my $svg = (poster(@COUNTER, @NAMED))[1];
    utf8::decode($svg);
    like $svg, qr/Hospital<.*>&amp; Medical Research|Hospital &amp;/s, 'the name, on two lines';
    like $svg, qr/पंजीकरण &lt;काउंटर&gt; &quot;1&quot; &amp; 2/, 'the title, with its signs';
    like $svg, qr/स्कैन करें।/, 'steps in Hindi';
    unlike((poster(@COUNTER))[1], qr/\(null\)|><\/text>/, 'nothing is empty without them');
};

subtest 'the code leads to the sandbox, to production, or to a host' => sub {
    my %leads = (
        'https://phrsbx.abdm.gov.in'   => [],
        'https://phr.abdm.gov.in'      => ['--production'],
        'https://phr.example.org:8443' => ['--host', 'https://phr.example.org:8443'],
    );
    for my $host (sort keys %leads) {
        like((poster(@COUNTER, @{ $leads{$host} }))[1], qr{<desc>\Q$host\E/share-profile[?]hip-id=}, $host);
    }
    like((poster('--help'))[1], qr/phr\.abdm\.gov\.in is assumed/, '--help tells what is assumed');
};

subtest 'what ABDM or a printer would not take is refused, and no file is made' => sub {
    my @refused = (
        [1, qr/counter "OPD-1": 1 to 20 letters/,         'IN0990001234_1', 'OPD-1'],
        [1, qr/counter "": 1 to 20 letters/,              'IN0990001234_1', ''],
        [1, qr/counter "A{21}": 1 to 20 letters/,         'IN0990001234_1', 'A' x 21],
        [1, qr/counter "पटल": 1 to 20 letters/,           'IN0990001234_1', 'पटल'],
        [1, qr/counter "IN0990001234": it may not have/,  'IN0990001234_1', 'IN0990001234'],
        [1, qr/counter "in0990001234": it may not have/,  'IN0990001234',   'in0990001234'],
        [1, qr/facility "IN099&x=1": a service id/,       'IN099&x=1',      'OPD1'],
        [1, qr/host "http:\/\/phr": https:/,              @COUNTER, '--host', 'http://phr'],
        [1, qr/host "https:\/\/a\/b": https:/,            @COUNTER, '--host', 'https://a/b'],
        [2, qr/--name: it is empty, or too long/,         @COUNTER, '--name', 'Long ' x 60],
        [2, qr/--name: it is empty, or too long/,         @COUNTER, '--name', 'L' x 60],
        [2, qr/--title: it is empty, or too long/,        @COUNTER, '--title', ''],
        [2, qr/--title: it is not UTF-8/,                 @COUNTER, '--title', "\xFF\xFE"],
        [2, qr/--title: it has control characters/,       @COUNTER, '--title', "a\nb"],
        [2, qr/usage: abdm qr/,                           @COUNTER, '--format', 'pdf'],
        [2, qr/usage: abdm qr/,                           'IN0990001234_1'],
        [2, qr/usage: abdm qr/,                           @COUNTER, 'OPD2'],
        [2, qr/usage: abdm qr/,                           @COUNTER, '--nonsense'],
    );
    for my $case (@refused) {
        my ($wanted, $why, @arguments) = @$case;
        my ($status, $out, $err) = poster(@arguments, '-o', "$dir/never");
        utf8::decode($err);
        is $status, $wanted, "status $wanted";
        like $err, $why, 'and why';
        is $out, '', 'nothing on standard output';
        ok !-e "$dir/never", 'no file';
    }
};

subtest 'a file that cannot be written is an error' => sub {
    for my $file ("$dir/no/such/directory/a.svg", '/dev/full') {
        my ($status, undef, $err) = poster(@COUNTER, '-o', $file);
        is $status, 1, $file;
        like $err, qr/\Aabdm: E_SYSTEM: \Q$file\E: \w/, 'and why';
    }
};

done_testing();
